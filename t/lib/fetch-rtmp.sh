#!/bin/sh

# Copyright (C) the ngx_live_record authors
#
# fetch-rtmp.sh BUILD: brings the sources of the installed libnginx-mod-rtmp
# to BUILD/nginx-rtmp, whose headers Debian packages nowhere.  The machine's
# own package lists are left alone: a deb-src copy of them is used for this.

set -eu

build=$(mkdir -p "$1" && cd "$1" && pwd)
work=$build/rtmp-source

version=$(dpkg-query -W -f '${Version}' libnginx-mod-rtmp 2>/dev/null) || {
    echo "libnginx-mod-rtmp is not installed; install it, or give the" \
         "sources of your nginx-rtmp with NGX_RTMP_MODULE_DIR=" >&2
    exit 1
}

rm -rf "$work" "$build/nginx-rtmp"
mkdir -p "$work/parts" "$work/lists/partial"

for f in /etc/apt/sources.list.d/*.sources; do
    [ -f "$f" ] || continue
    grep -q 'debian' "$f" || continue
    sed 's/^Types:.*/Types: deb-src/' "$f" > "$work/parts/$(basename "$f")"
done

for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -f "$f" ] || continue
    grep -E '^deb .*debian' "$f" | sed 's/^deb /deb-src /' \
        > "$work/parts/$(basename "$f" .list).list" || true
done

cd "$work"

apt="-o Dir::Etc::SourceList=/nonexistent \
     -o Dir::Etc::SourceParts=$work/parts \
     -o Dir::State::Lists=$work/lists \
     -o APT::Sandbox::User=root"

# shellcheck disable=SC2086
apt-get $apt -qq update > apt.log 2>&1 || { cat apt.log >&2; exit 1; }
# shellcheck disable=SC2086
apt-get $apt -qq source --tar-only "libnginx-mod-rtmp=$version" \
    >> apt.log 2>&1 || { cat apt.log >&2; exit 1; }

mkdir tree
tar -C tree -xf libnginx-mod-rtmp_*.orig.tar.*
mv tree/* "$build/nginx-rtmp"
cd "$build"
rm -rf "$work"
