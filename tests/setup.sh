#!/bin/sh
# Installs what the build and the tests need and a bare Debian machine lacks. Does nothing where it
# is there already; says what is missing where it cannot install.
set -eu

missing=""
need() { # program, Debian package
    command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || missing="$missing $2"
}
need git git
need sshd openssh-server
need docker-registry docker-registry
need openssl openssl
need cc gcc
need make make
# Plugins in C; Go, Node and Python are taken as they are found.
need clang clang
[ -f /usr/lib/wasm32-wasi/libc.a ] || missing="$missing wasi-libc libclang-rt-14-dev-wasm32 lld"
if ! rustc --print target-libdir --target wasm32-unknown-unknown 2>/dev/null | xargs -I{} test -d {}; then
    # No Wasm standard library for this toolchain: Debian's compiler with its sources builds one.
    [ -x /usr/bin/rustc ] && [ -x /usr/bin/cargo ] && [ -d /usr/lib/rustlib/src ] ||
        missing="$missing rustc-web cargo-web rust-web-src"
    need wasm-ld lld
fi
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "setup: installing$missing" >&2
    apt-get update -qq >/dev/null
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
    echo "setup: missing$missing; install them and run make again" >&2
    exit 1
fi
