#!/usr/bin/env bash
# Runs every test of both workspaces, the ones on a real API server included, and closes with the
# sums. One failing crate does not hide the next.
set -uo pipefail
cd "$(dirname "$0")/.."

log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
(cd plugins && cargo test --locked --workspace --no-fail-fast) 2>&1 | tee -a "$log" || status=1
# The end-to-end tests run the command itself.
cargo build --locked -p bulkhead-cli || exit 1
# Ignored are those that need a real API server, which is there; the worker that other tests start,
# and the measurements, are not for here.
cargo test --locked --workspace --no-fail-fast -- --include-ignored \
    --skip acts_as_the_worker --skip speed:: 2>&1 | tee -a "$log" || status=1

awk '/^test result:/ { passed += $4; failed += $6; skipped += $8 }
     END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped }' "$log"
exit "$status"
