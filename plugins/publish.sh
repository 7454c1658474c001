#!/bin/sh
# Pushes the built-in plugins, each with the manifest that it embeds, and the WIT packages that
# plugins are written against: `sh plugins/publish.sh BULKHEAD REGISTRY [flag...]`, as in
# `… registry.example.com/bulkhead`.
#
# The tag of a plugin is the version of bulkhead, which releases them; that of WIT its own version.
# Further flags go to `bulkhead plugin push`: `--plain-http HOST`, `--registry-config FILE`.
set -eu

if [ $# -lt 2 ] || [ -z "$2" ]; then
    echo "publish: name a registry, as in \`make publish REGISTRY=registry.example.com/bulkhead\`" >&2
    exit 2
fi
bulkhead=$1 registry=$2
shift 2
here=$(dirname "$0")
components=${BULKHEAD_PLUGINS_TARGET:-$here/target}/components
version=$("$bulkhead" --version | awk '{ print $2 }')

# Nothing is pushed when one is missing.
for name in kustomize helm notify-discord notify-slack; do
    if [ ! -s "$components/$name.wasm" ]; then
        echo "publish: $components/$name.wasm is missing: run \`make plugins\`" >&2
        exit 1
    fi
done
for name in kustomize helm notify-discord notify-slack; do
    # A Provider names a notifier by what it talks to.
    to=$registry/${name#notify-}:$version
    "$bulkhead" plugin push "$to" "$components/$name.wasm" "$@"
done
# What they use comes first.
for package in base renderer notifier; do
    wit=$here/../wit/$package
    tag=$(sed -n "s/^package bulkhead:$package@\\(.*\\);\$/\\1/p" "$wit"/*.wit)
    "$bulkhead" plugin push "$registry/wit/$package:$tag" "$wit" "$@"
done
