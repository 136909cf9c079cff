#!/bin/sh

# Copyright (C) the ngx_live_record authors
#
# Installs what the tests need on Debian 12, without a question; with --demo
# only what the demo needs.  Does nothing, and needs no network, when all is
# there.

set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)

# what the module and its demo are built from and run with
packages="gcc libc6-dev make dpkg-dev perl curl ca-certificates
    nginx libnginx-mod-rtmp nginx-dev
    libcurl4-openssl-dev libssl-dev libisal-dev libjansson-dev libexpat1-dev
    ffmpeg"

tests="clang libclang-rt-14-dev valgrind libcmocka-dev mediainfo chromium
    awscli util-linux-extra e2fsprogs"

case "${1:-}" in

'')
    packages="$packages $tests"

    # another node than Debian's stays as it is
    command -v node >/dev/null || packages="$packages nodejs"
    command -v npm >/dev/null || packages="$packages npm"
    ;;

--demo)
    ;;

*)
    echo "usage: $0 [--demo]" >&2
    exit 2
    ;;

esac

missing=

for package in $packages; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null \
             || true)

    # a second architecture prints its status behind the first one
    case "$status" in
    installed*) ;;
    *)          missing="$missing $package" ;;
    esac
done

if [ -n "$missing" ]; then

    if [ "$(id -u)" = 0 ]; then
        sudo=

    elif command -v sudo >/dev/null; then
        sudo=sudo

    else
        echo "these packages are missing:$missing" >&2
        echo "install them, or run this as root" >&2
        exit 1
    fi

    echo "installing:$missing"

    # the number in nginx's pid file, if a process has it
    running() {
        pid=$(cat /run/nginx.pid 2>/dev/null || true)

        if [ -n "$pid" ] && [ -d "/proc/$pid" ]; then
            echo "$pid"
        fi
    }

    before=$(running)

    $sudo apt-get -q update
    $sudo env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -y --no-install-recommends \
        -o Dpkg::Options::=--force-confdef \
        -o Dpkg::Options::=--force-confold \
        install $missing

    # Debian starts nginx on port 80 when it is installed.  Nobody asked for
    # that here: the tests and the demo start their own on their own ports.
    after=$(running)

    if [ -z "$before" ] && [ -n "$after" ]; then
        $sudo kill -QUIT "$after"
    fi
fi

if [ "${1:-}" = --demo ]; then
    exit 0
fi

# the lock file is compared by what is in it: a checkout makes it new

sum=$(cksum <"$root/package-lock.json")

if [ "$(cat "$root/node_modules/.installed" 2>/dev/null)" != "$sum" ]; then
    (cd "$root" && npm ci --ignore-scripts)
    echo "$sum" >"$root/node_modules/.installed"
fi
