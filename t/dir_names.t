#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# Names that a directory cannot have: their recordings wait and say why, and
# the bucket is not blamed.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;

use lib "$FindBin::Bin/lib";
use LiveRecord;

###############################################################################

my $t = LiveRecord->new();
my $file = media('short');
my $long = '{StreamName}' x 3;

$t->write_conf(<<"EOF_CONF")->start();
%%GLOBALS%%

worker_processes 1;

events {
    worker_connections 64;
}

rtmp {
    live_record_spool %%TESTDIR%%/spool;
    live_record_bucket local { type dir; root %%TESTDIR%%/bucket; }

    server {
        listen 127.0.0.1:%%PORT%%;

        application fragment {
            live on;

            live_record * {
                bucket local;
                fragment 5s;
                grace 1s;
                fragment_path "$long/{UnixTimestamp}_{Sequence}";
            }
        }

        application file {
            live on;

            live_record * {
                bucket local;
                fragment 5s;
                grace 1s;
                format flv;
                path "below/{StreamName}/{EscapedStartTime}";
            }
        }

        application both {
            live on;

            live_record * {
                bucket local;
                fragment 5s;
                grace 1s;
                format m3u8 mp4;
            }
        }

        application day {
            live on;

            live_record * {
                bucket local;
                fragment 5s;
                grace 1s;
                index_path "$long/{Date}";
            }
        }
    }
}
EOF_CONF

write_file($t->bucket() . '/below', '');

my $name = 'n' x 100;
my @pubs = map { $t->start_publish($file, app => $_, name => $name,
    seconds => 3, speed => 8) } qw/ fragment file day /;

is($_->wait(), 0, 'published') for @pubs;

for (
    [ fragment => 'n' x 300 . '/\d+_0.ts', 'File name too long' ],
    [ file => "below/$name/[\\d-]+.flv", 'Not a directory' ],
    [ day => 'n' x 300 . '/[\d-]+.m3u8', 'File name too long' ],
) {
    my ($app, $key, $why) = @$_;

    ok(eval { wait_for(sub { $t->log(qr/\[error\] .*"$app\/n+\/[\w-]+" waits /
        . qr/in the spool: .*"$key".*$why/) }, 20, $app) },
        "$app: it is told why it waits")
        or diag(join "\n", $t->log(qr/$app|bucket/));
}

is(scalar $t->log(qr/bucket "local" (?:refuses|fails|works)/), 0,
    'the bucket is not blamed');

# a file that was begun in a directory that has been exchanged since waits for
# it, and no other recording does

my $bucket = $t->bucket();
my $p = $t->start_publish($file, app => 'both', name => 'begun', speed => 4);

$p->wait_media(16000);

ok(eval { wait_for(sub { $t->log(qr/both\/begun.* stored part 2/) }, 20,
    'an upload') }, 'an upload is under way');

rename $bucket, "$bucket.old" or die "rename: $!\n";
mkdir $bucket and chmod 0777, $bucket or die "mkdir: $!\n";

is($p->wait(), 0, 'published');

ok(eval { wait_for(sub { $t->log(qr/\[error\] .*"both\/begun\/[\w-]+" waits /
    . qr/in the spool: .* was begun in another directory/) }, 20, 'told') },
    'it is told why it waits') or diag(join "\n", $t->log(qr/begun|bucket/));

is($t->publish($file, app => 'both', name => 'other', seconds => 4,
    speed => 8), 0, 'another one published');
ok(eval { wait_for(sub { !$t->spooled('other', 'both') }, 20, 'other') },
    'and stored');

is(scalar $t->log(qr/bucket "local" (?:refuses|fails|works)/), 0,
    'the bucket is not blamed for that either');

$t->allow(qr/waits in the spool/);
$t->done();

###############################################################################
