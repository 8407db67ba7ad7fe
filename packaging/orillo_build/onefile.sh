#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Orillo in one file: this script, and behind it the directory of programs as a compressed archive. The first
# call of a version unpacks it into a directory that only its owner can write to; every later one starts there.
set -eu
umask 077
digest=@DIGEST@
skip=$(echo @SKIP@)

die() { printf 'orillo: %s\n' "$*" >&2; exit 3; }

if [ "$(id -u)" = 0 ]; then
  cache=/var/cache/orillo
else
  cache=${XDG_CACHE_HOME:-${HOME:?orillo: HOME is not set}/.cache}/orillo
fi
cache=${ORILLO_CACHE:-$cache}
there=$cache/$digest

# What another user could have put there is not run.
ours() { [ -O "$1" ] && [ -z "$(find "$1" -maxdepth 0 -perm /022)" ]; }

if [ ! -d "$there" ]; then
  mkdir -p "$cache" || die "can't make $cache"
  ours "$cache" || die "$cache can be written to by others: remove it"
  fresh=$(mktemp -d "$cache/new.XXXXXX") || die "can't write to $cache"
  trap 'rm -rf "$fresh"' EXIT
  tail -c "+$skip" "$0" >"$fresh/archive" || die "can't unpack into $cache: is the disk full?"
  found=$(sha256sum <"$fresh/archive")
  [ "${found%% *}" = "$digest" ] || die "$0 is damaged: fetch it anew"
  mkdir "$fresh/programs"
  tar -xzf "$fresh/archive" -C "$fresh/programs" || die "can't unpack into $cache: is the disk full?"
  # Of two first calls at once, one is first; the other's is as good.
  mv -T "$fresh/programs" "$there" 2>/dev/null || [ -d "$there" ] || die "can't write to $cache"
  rm -rf "$fresh"
  trap - EXIT
  # Earlier versions go, and what a first call left that was cut short; one that unpacks now is let be.
  find "$cache" -mindepth 1 -maxdepth 1 ! -path "$there" \( ! -name 'new.*' -o -mmin +60 \) -exec rm -rf {} +
fi
ours "$cache" && ours "$there" || die "$there can be written to by others: remove it"
exec "$there/orillo" "$@"
exit 3
