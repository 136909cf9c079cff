#!/bin/sh

# Copyright (C) the ngx_live_record authors
#
# usage: rgw.sh DIR PORT ID SECRET
#
# A Ceph RGW for tests, with the least cluster there can be below it: one
# monitor, and one OSD in memory, all of Debian's packages ceph-mon, ceph-osd,
# ceph-common and radosgw.  DIR has to be empty; logs and data are there.
# Prints "ready" when the key can be used at http://127.0.0.1:PORT, and runs
# until it is killed.

set -eu

dir=$1 port=$2 id=$3 secret=$4
pids=

end() {
    trap - EXIT INT TERM
    kill $pids 2>/dev/null || true
    wait
}

trap end EXIT
trap 'exit 0' INT TERM

# one that nobody listens at, above those of the tests
mon=$((port + 10000))

cat >"$dir/ceph.conf" <<EOF_CONF
[global]
fsid = 6f1b6d1c-0f4d-4d3f-9a70-0a4b6b8f1d10
mon host = 127.0.0.1:$mon
auth cluster required = none
auth service required = none
auth client required = none
ms bind ipv6 = false
ms bind msgr2 = false
public addr = 127.0.0.1
cluster addr = 127.0.0.1
run dir = $dir
admin socket = $dir/\$name.asok
log file = $dir/\$name.log
pid file = $dir/\$name.pid
keyring = $dir/keyring
mon data = $dir/mon
mon allow pool size one = true
mon warn on pool no redundancy = false
mon max pg per osd = 1000
osd data = $dir/osd
osd objectstore = memstore
memstore device bytes = 2147483648
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 2
osd pool default pgp num = 2
osd crush chooseleaf type = 0
osd class load list = *
osd class default list = *
rgw frontends = beast endpoint=127.0.0.1:$port
rgw data = $dir/rgw
rgw enable usage log = false
rgw max chunk size = 4194304
rgw multipart min part size = 5242880
EOF_CONF

mkdir -p "$dir/mon" "$dir/osd" "$dir/rgw"

exec 3>&1 >"$dir/out" 2>&1

ceph="ceph -c $dir/ceph.conf"

ceph-authtool --create-keyring "$dir/keyring" --gen-key -n mon. \
    --cap mon 'allow *'
ceph-authtool "$dir/keyring" --gen-key -n client.admin --cap mon 'allow *' \
    --cap osd 'allow *' --cap mgr 'allow *'
monmaptool --create --addv a "v1:127.0.0.1:$mon" \
    --fsid 6f1b6d1c-0f4d-4d3f-9a70-0a4b6b8f1d10 "$dir/monmap"

ceph-mon -c "$dir/ceph.conf" --mkfs -i a --monmap "$dir/monmap" \
    --keyring "$dir/keyring"
ceph-mon -c "$dir/ceph.conf" -f -i a &
pids=$!

uuid=2b6a3a3c-6d1f-4c53-8f3e-5b0e7a1c9d20
timeout 60 $ceph osd create $uuid
ceph-osd -c "$dir/ceph.conf" -i 0 --mkfs --no-mon-config --osd-uuid $uuid
timeout 60 $ceph osd crush add osd.0 1.0 root=default host=here
ceph-osd -c "$dir/ceph.conf" -f -i 0 &
pids="$pids $!"

timeout 120 radosgw-admin -c "$dir/ceph.conf" user create --uid=test \
    --display-name=test --access-key="$id" --secret="$secret" &
admin=$!
pids="$pids $admin"
wait $admin

radosgw -c "$dir/ceph.conf" -f -n client.admin &
pids="$pids $!"

for i in $(seq 300); do

    if curl -s -o /dev/null "http://127.0.0.1:$port/"; then
        echo ready >&3
        exec 3>&-
        wait
        exit
    fi

    sleep 0.2
done

exit 1
