#!/bin/sh
# Builds the programs that the tests' cluster is made of: etcd, kube-apiserver,
# kube-controller-manager and kwok, and the `helm` that ours is held against, once a version, into
# ${BULKHEAD_CACHE:-$HOME/.cache/bulkhead}/cluster-<version>. A folder named by KUBEBUILDER_ASSETS
# that has etcd and kube-apiserver is used as it is: then only what it lacks is built.
set -eu
cd "$(dirname "$0")"

version=$(sed -n 's|^[[:space:]]*k8s.io/kubernetes \(v[0-9.]*\).*|\1|p' go.mod | head -n 1)
out="${BULKHEAD_CACHE:-$HOME/.cache/bulkhead}/cluster-$version"

have() { # program: is it in the cache, or handed in
    [ -x "$out/$1" ] || { [ -n "${KUBEBUILDER_ASSETS:-}" ] && [ -x "$KUBEBUILDER_ASSETS/$1" ]; }
}

build() { # program, module folder, package
    have "$1" && return 0
    command -v go >/dev/null 2>&1 || {
        echo "cluster: building $1 needs Go 1.26; install it, or name a folder with etcd and" >&2
        echo "cluster: kube-apiserver in KUBEBUILDER_ASSETS" >&2
        exit 1
    }
    echo "cluster: building $1 $version into $out (once; minutes)" >&2
    mkdir -p "$out"
    # Built beside its place and renamed, so that an interrupted build leaves no half program.
    (cd "$2" && CGO_ENABLED=0 go build -mod=readonly -trimpath -o "$out/.$1.$$" \
        -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$version" "$3")
    mv "$out/.$1.$$" "$out/$1"
}

build etcd . ./etcd
build kube-apiserver . k8s.io/kubernetes/cmd/kube-apiserver
build kube-controller-manager . k8s.io/kubernetes/cmd/kube-controller-manager
build kwok kwok sigs.k8s.io/kwok/cmd/kwok
helm=$(sed -n 's|^[[:space:]]*helm.sh/helm/v4 \(v[0-9.]*\).*|\1|p' helm/go.mod | head -n 1)
build "helm-$helm" helm helm.sh/helm/v4/cmd/helm
