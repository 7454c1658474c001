#!/bin/sh
# Builds guests into components: `sh plugins/build.sh [name...]` writes
# plugins/target/components/<name>.wasm for every folder with a bulkhead-plugin.json, or for the
# named ones. What is up to date is left alone. The same source gives the same bytes on any machine
# with the same compiler.
#
# BULKHEAD_PLUGINS_TARGET names another target folder.
set -eu
cd "$(dirname "$0")"
root=$(cd .. && pwd -P)
target=${BULKHEAD_PLUGINS_TARGET:-$PWD/target}
wasm=wasm32-unknown-unknown

fail() {
    echo "plugins: $1" >&2
    exit 1
}

# A toolchain with the Wasm standard library is used as it is; Debian's compiler builds that library
# from its sources.
has_target() {
    command -v cargo >/dev/null 2>&1 || return 1
    libdir=$(rustc --print target-libdir --target $wasm 2>/dev/null) && [ -d "$libdir" ]
}
has_debian() {
    [ -x /usr/bin/rustc ] && [ -x /usr/bin/cargo ] && [ -d /usr/lib/rustlib/src/rust ] &&
        command -v wasm-ld >/dev/null 2>&1
}
if has_target; then
    sysroot=$(rustc --print sysroot)
    build_std=
else
    if ! has_debian; then
        echo "plugins: no compiler for $wasm: \`rustup target add $wasm\` gives one;" \
            "using Debian's instead" >&2
        sh ../tests/setup.sh
        has_debian || fail "missing: rustc-web cargo-web rust-web-src lld"
    fi
    # Debian's cargo and rustc, whatever rust-toolchain.toml names.
    PATH=/usr/bin:$PATH
    RUSTC=/usr/bin/rustc
    RUSTC_BOOTSTRAP=1
    CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld
    export PATH RUSTC RUSTC_BOOTSTRAP CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER
    sysroot=/usr
    build_std=-Zbuild-std=std,panic_abort
fi

# Panics name files: without the machine's folders, so that two machines build the same.
CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS="--remap-path-prefix=$root=bulkhead \
--remap-path-prefix=$sysroot=rust"
for registry in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*; do
    CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS="$CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS \
--remap-path-prefix=$registry=crates"
done
CARGO_TARGET_DIR=$target
export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS CARGO_TARGET_DIR
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET

if [ $# = 0 ]; then
    for manifest in */bulkhead-plugin.json; do
        set -- "$@" "${manifest%/*}"
    done
fi
packages=
for name in "$@"; do
    [ -f "$name/bulkhead-plugin.json" ] || fail "\`$name\` has no bulkhead-plugin.json"
    packages="$packages -p bulkhead-$name"
done

# Nothing to do is told from file times alone, so that it costs no call of cargo.
stale=
for name in "$@"; do
    component=$target/components/$name.wasm
    if [ ! -f "$component" ] || [ -n "$(find . ../wit -path ./target -prune -o -type f \
        -newer "$component" \( -name '*.rs' -o -name '*.wit' -o -name '*.json' \
        -o -name 'Cargo.*' -o -name build.sh -o -path '*/src/*' \) -print -quit)" ]; then
        stale=1
    fi
done
[ -n "$stale" ] || exit 0

# shellcheck disable=SC2086
cargo build --quiet --locked --release --target $wasm $build_std $packages
cargo build --quiet --locked --profile tool -p bulkhead-component
for name in "$@"; do
    module=$target/$wasm/release/bulkhead_$(echo "$name" | tr - _).wasm
    "$target/tool/bulkhead-component" "$module" --manifest "$name/bulkhead-plugin.json" \
        --wit ../wit --output "$target/components/$name.wasm"
done
