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

$t->allow(qr/waits in the spool/);
$t->done();

###############################################################################
