#!/usr/bin/env bash
# Writes what the real Helm says of each chart: `HELM=helm bash update.sh`. A case has `chart/`, and
# `flags` with one word a line; it gets `expected.yaml`, or `error.txt` where Helm fails.
set -uo pipefail
cd "$(dirname "$0")"
for case in */; do
    flags=()
    [ -f "$case/flags" ] && mapfile -t flags <"$case/flags"
    name=(rel)
    [[ " ${flags[*]-} " == *" --name-template "* ]] && name=()
    rm -f "$case/expected.yaml" "$case/error.txt"
    told=$(mktemp)
    if output=$(cd "$case/chart" && "${HELM:-helm}" template "${name[@]}" . -n ns "${flags[@]}" 2>"$told" && echo .); then
        printf %s "${output%.}" >"$case/expected.yaml"
    else
        grep -vE '^(level|time)=|^$|^Use --debug' "$told" | sed '1s/^Error: //' >"$case/error.txt"
    fi
    rm -f "$told"
done
