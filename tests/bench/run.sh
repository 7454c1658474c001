#!/usr/bin/env bash
# `make bench`: renders, sandbox, and 300 Kustomizations on a real API server. Each comparison runs
# both programs in turn, in one run, and prints the ratio: single times say little on a shared
# machine. Usage: run.sh RELEASE_FOLDER
set -euo pipefail
cd "$(dirname "$0")/../.."
release=$(realpath "$1")

echo "== 300 Kustomizations of three objects"
cargo build --release --locked --quiet -p bulkhead-tests --example kustomizations
"$release/examples/kustomizations" "$release/bulkhead" "${KUSTOMIZATIONS:-300}"

echo "== 100 HelmReleases of one chart of \`helm create\`, and Flux's two controllers at the same"
SOURCE_CONTROLLER=$(command -v "${SOURCE_CONTROLLER:-source-controller}" || true)
HELM_CONTROLLER=$(command -v "${HELM_CONTROLLER:-helm-controller}" || true)
if [ -n "$SOURCE_CONTROLLER" ] && [ -n "$HELM_CONTROLLER" ]; then
    export SOURCE_CONTROLLER HELM_CONTROLLER
else
    unset SOURCE_CONTROLLER HELM_CONTROLLER
    echo "no \`source-controller\` and \`helm-controller\` on PATH or named by SOURCE_CONTROLLER and" \
        "HELM_CONTROLLER: Flux is not measured" >&2
fi
if command -v "${HELM:-helm}" >/dev/null 2>&1; then
    cargo build --release --locked --quiet -p bulkhead-tests --example helmreleases
    charts=$(mktemp -d)
    (cd "$charts" && "${HELM:-helm}" create app >/dev/null)
    "$release/examples/helmreleases" "$release/bulkhead" "$charts/app" "${HELMRELEASES:-100}"
    rm -rf "$charts"
else
    echo "no \`helm\` on PATH: go install helm.sh/helm/v4/cmd/helm@v4.3.1" >&2
fi

echo "== The kustomize guest, one resource: 1,000 calls"
cargo build --release --locked --quiet -p bulkhead-wasm --example guest
kustomize=plugins/target/components/kustomize.wasm
"$release/examples/guest" "$kustomize"

echo "== Plugins that were pulled: from the compiled cache, and a call beside one that is embedded"
cargo build --release --locked --quiet -p bulkhead-wasm --example cold
for component in "$kustomize" plugins/target/components/helm.wasm; do
    "$release/examples/cold" "$component" 300
done

echo "== bulkhead render kustomize against kustomize build, whole processes; and warm, in one process"
if command -v kustomize >/dev/null 2>&1; then
    python3 tests/bench/renders.py "$release/bulkhead" kustomize 5 "$release/examples/guest" "$kustomize"
else
    echo "no \`kustomize\` on PATH: go install sigs.k8s.io/kustomize/kustomize/v5@v5.8.2" >&2
fi

echo "== bulkhead render helm against helm template, whole processes"
if command -v "${HELM:-helm}" >/dev/null 2>&1; then
    python3 tests/bench/charts.py "$release/bulkhead" "$(command -v "${HELM:-helm}")"
else
    echo "no \`helm\` on PATH: go install helm.sh/helm/v4/cmd/helm@v4.3.1" >&2
fi
