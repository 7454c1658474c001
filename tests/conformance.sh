#!/usr/bin/env bash
# Scores the renderers against upstream's own cases, where they lie beside the checkout.
set -euo pipefail
cd "$(dirname "$0")/.."
cases=../shared/conformance
bulkhead=$(realpath "${1:-target/release/bulkhead}")
shift $(($# > 0))
failures=$(dirname "$bulkhead")/conformance-failures.txt
if [ ! -f "$cases/score.py" ]; then
    echo "conformance: no cases beside this checkout" >&2
    exit 0
fi
python3 "$cases/score.py" kustomize "$cases/open/kustomize.jsonl.xz" \
    --failures "$failures" "$@" -- \
    "$bulkhead" render kustomize '{dir}' '{flags}'
python3 tests/twice.py "$bulkhead" "$cases/open/kustomize.jsonl.xz"
python3 "$cases/score.py" charts "$cases/open/charts.jsonl.xz" "$cases/open/real-charts.jsonl.xz" \
    --failures "$failures" "$@" -- \
    "$bulkhead" render helm '{name}' '{chart}' --namespace '{namespace}' -f '{values}' \
    --include-crds --kube-version v1.31.0 '{flags}'
python3 "$cases/score.py" templates "$cases/open/templates.jsonl.xz" \
    --failures "$failures" "$@" -- \
    "$bulkhead" render helm '{name}' '{chart}' --namespace '{namespace}' -f '{values}' \
    --kube-version v1.31.0 --raw --out '{out}'
