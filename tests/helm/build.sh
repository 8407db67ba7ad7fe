#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Build helm from its Go module, for tests and to render the plain manifest only; print its path.
# usage: build.sh CACHE [--where]     with --where nothing is built, and the path is printed if it is there
set -euo pipefail
version=v3.22.0
program=$1/helm-$version-$(uname -m)/helm
if [ -x "$program" ] || [ "${2:-}" = --where ]; then
  [ ! -x "$program" ] || printf '%s\n' "$program"
  exit 0
fi
command -v go >/dev/null || { echo "helm needs Go to be built: install it, or do without" >&2; exit 3; }
folder=${program%/*}
mkdir -p "$folder"
exec 9>"$folder/.lock"
flock 9
if [ ! -x "$program" ]; then
  echo "building helm (once; one to three minutes)" >&2
  made=$(mktemp -d)
  trap 'rm -rf "$made"' EXIT
  GOBIN=$made CGO_ENABLED=0 GOTOOLCHAIN=local nice -n 15 \
    go install -trimpath -buildvcs=false -ldflags="-s -w" "helm.sh/helm/v3/cmd/helm@$version" >&2
  mv "$made/helm" "$program"
fi
printf '%s\n' "$program"
