#!/bin/sh

# Copyright (C) the ngx_live_record authors
#
# Records a generated stream to a directory and shows what lies there: sets
# up what is missing, builds the module, starts an nginx of its own on
# 127.0.0.1, publishes with one interruption, waits for the recording, and
# compares its frames with those published.  Stops what it started and keeps
# the recording.  The exit status is 0 only if all frames are there.

set -eu

cd "$(dirname "$0")"
root=$(pwd)
tmp=${TMPDIR:-/tmp}

nginx=/usr/sbin/nginx
modules=/usr/lib/nginx/modules

# of media published before and after the interruption, and between them, s
before=12
gap=2
after=8

dir=
server=
publisher=


say() {
    printf '\n== %s\n\n' "$*"
}


fail() {
    printf '\ndemo.sh: %s\n' "$*" >&2

    if [ -n "$dir" ] && [ -s "$dir/error.log" ]; then
        printf '\nthe end of %s/error.log:\n\n' "$dir" >&2
        tail -n 20 "$dir/error.log" >&2
    fi

    exit 1
}


alive() {
    [ -n "$1" ] && [ -d "/proc/$1" ]
}


# whether process $1 was started for what is in $2

is_for() {
    alive "$1" && tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null \
        | grep -qF "$2"
}


# wait_for SECONDS COMMAND...: until the command succeeds

wait_for() {
    deadline=$(($(date +%s) + $1))
    shift

    until "$@"; do
        [ "$(date +%s)" -lt "$deadline" ] || return 1
        sleep 0.2
    done
}


gone() {
    ! alive "$1"
}


stop_nginx() {
    kill -TERM "$1" 2>/dev/null || return 0
    wait_for 10 gone "$1" || kill -KILL "$1" 2>/dev/null || true
}


stop() {
    trap - EXIT HUP INT TERM

    if alive "$publisher"; then
        kill "$publisher" 2>/dev/null || true
    fi

    if is_for "$server" "$dir"; then
        stop_nginx "$server"
    fi

    if [ -n "$dir" ]; then
        rm -f "$dir/demo.pid"
    fi
}


# an earlier run that was killed could not stop its nginx

stop_earlier() {
    for old in "$tmp"/live-record-demo.*/demo.pid; do
        [ -O "$old" ] || continue

        if is_for "$(cat "$old")" demo.sh; then
            continue
        fi

        old=$(dirname "$old")
        pid=$(cat "$old/nginx.pid" 2>/dev/null || true)

        if is_for "$pid" "$old"; then
            echo "stopping the nginx of an earlier run, process $pid"
            stop_nginx "$pid"
        fi

        rm -f "$old/demo.pid"
    done
}


free_port() {
    perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1,
        LocalAddr => "127.0.0.1", Proto => "tcp")->sockport()'
}


write_conf() {
    user=

    if [ "$(id -u)" = 0 ]; then
        user='user www-data;'
    fi

    cat >"$dir/nginx.conf" <<EOT
load_module $modules/ngx_rtmp_module.so;
load_module $root/build/ngx_live_record_module.so;

$user
worker_processes 2;
pid $dir/nginx.pid;
error_log $dir/error.log info;

events {
    worker_connections 64;
}

rtmp {
    access_log off;

    live_record_spool $dir/spool;

    live_record_bucket local {
        type dir;
        root $dir/bucket;
    }

    server {
        listen 127.0.0.1:$port;

        application live {
            live on;

            live_record * {
                bucket local;
                fragment 5s;
                grace 6s;
            }
        }
    }
}
EOT
}


# a free port may be taken before nginx takes it

start_nginx() {
    for try in 1 2 3 4 5; do
        port=$(free_port)
        write_conf

        if "$nginx" -p "$dir" -c "$dir/nginx.conf" -e "$dir/error.log" \
            >"$dir/nginx.out" 2>&1
        then
            wait_for 10 test -s "$dir/nginx.pid" || return 1
            server=$(cat "$dir/nginx.pid")
            return 0
        fi

        grep -q 'Address already in use' "$dir/nginx.out" || break
    done

    cat "$dir/nginx.out" >&2
    return 1
}


# make_media FILE SECONDS PITCH: video with B-frames, and audio

make_media() {
    ffmpeg -nostdin -v error -y \
        -f lavfi -i "testsrc2=size=480x270:rate=25:duration=$2" \
        -f lavfi -i "sine=frequency=$3:sample_rate=48000:duration=$2" \
        -c:v libx264 -preset veryfast -b:v 500k -bf 2 -g 50 \
        -pix_fmt yuv420p -c:a aac -b:a 64k -ac 2 \
        -flvflags no_duration_filesize -f flv "$1"
}


publish() {
    ffmpeg -nostdin -v error -re -i "$1" -c copy \
        -flvflags no_duration_filesize -f flv \
        "rtmp://127.0.0.1:$port/live/demo" &
    publisher=$!
    wait "$publisher" || fail "ffmpeg could not publish"
    publisher=
}


# the sums of all decoded pictures, and of all packets of sound

pictures() {
    ffmpeg -nostdin -v error -allowed_extensions ALL -i "$1" -map 0:v:0 \
        -fps_mode passthrough -f framemd5 - | awk -F, '!/^#/ { print $NF }'
}


sound() {
    ffmpeg -nostdin -v error -allowed_extensions ALL -i "$1" -map 0:a:0 \
        -c copy -bsf:a aac_adtstoasc -f framemd5 - \
        | awk -F, '!/^#/ { print $6 }'
}


# ffmpeg takes that option for playlists only

flv_pictures() {
    ffmpeg -nostdin -v error -i "$1" -map 0:v:0 \
        -fps_mode passthrough -f framemd5 - | awk -F, '!/^#/ { print $NF }'
}


flv_sound() {
    ffmpeg -nostdin -v error -i "$1" -map 0:a:0 -c copy -f framemd5 - \
        | awk -F, '!/^#/ { print $6 }'
}


fragments() {
    [ -n "$(find "$dir/bucket" -name '*.ts' 2>/dev/null | head -n 1)" ]
}


recorded() {
    [ -n "$(find "$dir/bucket/live" -name '*.m3u8' 2>/dev/null)" ] \
        && [ ! -d "$dir/spool/live/demo" ]
}


stop_earlier

say "setting up"

sh t/lib/setup.sh --demo
make -s module

trap stop EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

dir=$(mktemp -d "$tmp/live-record-demo.XXXXXXXX")
echo $$ >"$dir/demo.pid"

# the workers are another user if this one is root
chmod 755 "$dir"

echo "everything of this run is in $dir"

make_media "$dir/before.flv" "$before" 440 || fail "no media could be made"
make_media "$dir/after.flv" "$after" 660 || fail "no media could be made"

start_nginx || fail "nginx does not start"

say "publishing $before s, an interruption of $gap s, and $after s more"

(
    if wait_for "$before" fragments; then
        echo "the first fragment is in the bucket, the stream goes on"
    fi
) &

publish "$dir/before.flv"
sleep "$gap"
publish "$dir/after.flv"

echo "waiting for the grace to end, after which the recording is finished"

wait_for 60 recorded || fail "there is no recording"

say "what the module said"

sed -n 's/^[^ ]* \([^ ]*\) \[\(notice\|warn\|error\)\] .*live record: /\1 /p' \
    "$dir/error.log"

say "the bucket"

index=$(find "$dir/bucket/live" -name '*.m3u8' | sort | tail -n 1)

(cd "$dir/bucket" && find . -type f -printf '%10s  %P\n' | sort -k 2)

say "the index of the day, ${index#"$dir/bucket/"}"

cat "$index"

say "what ffprobe sees in it"

ffprobe -v error -allowed_extensions ALL -count_packets -show_entries \
    "format=duration:stream=codec_name,width,height,sample_rate,nb_read_packets" \
    -of compact=print_section=0 "$index" | grep . | sort -u

say "the frames"

{ flv_pictures "$dir/before.flv"; flv_pictures "$dir/after.flv"; } \
    >"$dir/published.video"
{ flv_sound "$dir/before.flv"; flv_sound "$dir/after.flv"; } \
    >"$dir/published.audio"

pictures "$index" >"$dir/recorded.video"
sound "$index" >"$dir/recorded.audio"

status=0

for kind in video audio; do
    published=$(wc -l <"$dir/published.$kind")
    got=$(wc -l <"$dir/recorded.$kind")

    if [ "$published" -gt 0 ] \
        && cmp -s "$dir/published.$kind" "$dir/recorded.$kind"
    then
        echo "$kind: all $published frames published are in the recording"

    else
        echo "$kind: $published frames were published, $got are in the" \
             "recording, and they are NOT the same"
        status=1
    fi
done

rm -f "$dir/before.flv" "$dir/after.flv"

say "to play it"

cat <<EOT
    ffplay $index

or any other player that knows HLS.  For a browser, serve $dir/bucket
with a web server.  To remove it all:

    rm -r $dir
EOT

exit $status
