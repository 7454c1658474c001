#!/bin/sh
# The main job end to end, without a cluster: commit -> fetch -> render in the sandbox -> files,
# prune and a chat message. Usage: demo.sh path/to/bulkhead
set -eu

bulkhead=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/bulkhead-demo.XXXXXX")
receiver=""
sync=""
finish() {
    for process in $sync $receiver; do kill "$process" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT INT TERM

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
quiet_git() { git -C "$work/repository" -c user.name=demo -c user.email=demo@example.com "$@" >/dev/null; }
# Waits until a command succeeds; the demo fails, with the log, when it takes too long.
await() {
    what=$1
    shift
    tries=0
    until "$@" 2>/dev/null; do
        tries=$((tries + 1))
        if [ "$tries" -gt 300 ]; then
            echo "demo: waited 60 s for: $what" >&2
            cat "$work/sync.log" "$work/messages" >&2
            exit 1
        fi
        sleep 0.2
    done
}

say "A Git repository with a kustomize base and two overlays"
mkdir "$work/repository"
cp -R "$here/simple-web-server/." "$work/repository"
rm "$work/repository/bulkhead.yaml"
quiet_git init --quiet --initial-branch=main
quiet_git add .
quiet_git commit --quiet -m "add a web server"
(cd "$work/repository" && find base overlays -type f | sort)

say "A receiver that plays Discord"
rustc --edition 2024 -o "$work/receive" "$here/receiver.rs"
"$work/receive" "$work/address" >"$work/messages" &
receiver=$!
await "the receiver" test -s "$work/address"
echo "listening at $(cat "$work/address")"

say "bulkhead sync: the repository becomes files, one an object"
sed -e "s|REPOSITORY|file://$work/repository|" -e "s|ADDRESS|$(cat "$work/address")/api/webhooks/demo|" \
    "$here/simple-web-server/bulkhead.yaml" >"$work/bulkhead.yaml"
"$bulkhead" sync -f "$work/bulkhead.yaml" --to "$work/state" --cache-dir "$work/cache" \
    --allow-private-networks --diff >"$work/sync.log" 2>&1 &
sync=$!
await "the first delivery" grep -q "web-staging" "$work/sync.log"
await "the files of staging" sh -c "find '$work/state' -path '*staging*' -name '*.yaml' | grep -q ."
cat "$work/sync.log"
say "The desired state"
(cd "$work/state" && find . -name '*.yaml' | sort)

say "A commit: the page changes, the ConfigMap \`debug\` goes"
cp "$work/sync.log" "$work/before.log"
sed -i.bak 's/Hello from the base/Hello, changed/' "$work/repository/base/index.html"
rm -f "$work/repository/base/index.html.bak" "$work/repository/overlays/dev/debug.yaml"
sed -i.bak '/debug.yaml/d' "$work/repository/overlays/dev/kustomization.yaml"
rm -f "$work/repository/overlays/dev/kustomization.yaml.bak"
quiet_git add -A
quiet_git commit --quiet -m "change the page, drop debug"
await "the change" grep -rq "Hello, changed" "$work/state"
await "the prune" sh -c "! find '$work/state' -name 'debug.yaml' | grep -q ."
await "the second message" sh -c "test \$(grep -c 'kustomization/web-dev' '$work/messages') -ge 2"
tail -n "+$(($(wc -l <"$work/before.log") + 1))" "$work/sync.log"

say "The messages that were sent"
cat "$work/messages"

say "Done: delivered, changed, pruned and told, without a cluster"
