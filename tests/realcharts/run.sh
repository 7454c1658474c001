#!/usr/bin/env bash
# Takes the real charts that lie beside the checkout through the life of a release, and has `helm` read
# each step: walk.py. Usage: run.sh [BULKHEAD [CHART...]]
set -euo pipefail
cd "$(dirname "$0")/../.."
charts=${REAL_CHARTS:-../shared/conformance/open/real-charts-files.jsonl.xz}
bulkhead=$(realpath "${1:-target/release/bulkhead}")
shift $(($# > 0))
if [ ! -f "$charts" ]; then
    echo "real charts: none beside this checkout" >&2
    exit 0
fi
if ! command -v "${HELM:-helm}" >/dev/null 2>&1; then
    echo "no \`helm\` on PATH: go install helm.sh/helm/v4/cmd/helm@v4.3.1" >&2
    exit 1
fi
cargo build --locked --quiet -p bulkhead-testing --example cluster
cluster=${CARGO_TARGET_DIR:-target}/debug/examples/cluster
exec python3 tests/realcharts/walk.py "$bulkhead" "$cluster" "$charts" "$@"
