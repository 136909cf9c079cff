#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# Calls of the API that have to wait for the file of keys, as the disk is
# slow: they are answered when it goes on, also when other clients that
# waited have gone, and nginx serves others meanwhile.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;
use Time::HiRes qw/ time /;

use lib "$FindBin::Bin/lib";
use LiveRecord;
use LiveRecord::API;

###############################################################################

my $t = LiveRecord->new();
my $so = $t->dir() . '/slowdisk.so';
my $control = $t->dir() . '/control';

system($ENV{CC} || 'cc', '-std=gnu99', '-O2', '-fPIC', '-shared', '-o', $so,
    "$FindBin::Bin/lib/slowdisk.c", '-ldl') == 0
    or die "slowdisk.so could not be built\n";

write_file($t->dir() . '/keys', "testid testsecret\n");
chmod 0644, $t->dir() . '/keys';

# the one thread that there is writes the recording, too

$t->write_conf(<<'EOF_CONF');
%%GLOBALS%%

worker_processes 1;
thread_pool default threads=1;

events {
    worker_connections 128;
}

http {
    %%GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:%%PORT_HTTP%%;

        location /api {
            live_record_api;
            live_record_api_keys keys;
        }

        location /other {
            return 200 fine;
        }
    }
}

rtmp {
    live_record_spool %%TESTDIR%%/spool;
    live_record_bucket local { type dir; root %%TESTDIR%%/bucket; }

    server {
        listen 127.0.0.1:%%PORT%%;

        application live {
            live on;
            live_record * { bucket local; fragment 5s; grace 2s; }
        }
    }
}
EOF_CONF

$t->start(env => { LD_PRELOAD => join(':', grep { $_ }
    $ENV{TEST_NGINX_PRELOAD}, $so), SLOWDISK => $control });

my $api = LiveRecord::API->new($t, client => 'raw', id => 'testid',
    secret => 'testsecret', action => 'DescribeLiveRecordConfig',
    endpoint => 'http://127.0.0.1:' . $t->port('HTTP') . '/api',
    params => { DomainName => 'any.example.com' });

is(($api->calls({}))[0]{status}, 200, 'a call');

my $file = media('short');
my $p = $t->start_publish($file, name => 'slow');

wait_for(sub { $t->spooled('slow') }, 10, 'a recording');

write_file("$control.new", "3000 0 " . $t->spool() . "\n");
rename "$control.new", $control;

# the thread is at work

sleep 2;

my @calls = map { $api->start($_) } { leave => 500 }, { leave => 900 }, {},
    { secret => 'wrong' }, {};

my @left = map { $api->end($_) } @calls[0, 1];
like($_->{failed}, qr/hang up|aborted/, 'a client goes') for @left;

my $began = time();

like(http_get($t->port('HTTP'), '/other'), qr/fine/, 'nginx serves others');
cmp_ok(time() - $began, '<', 1, 'at once');

is((grep { $_->alive() } @calls), 3, 'while the other calls wait');

unlink $control;

my @got = map { $api->end($_) } @calls[2 .. 4];

is($_->{status}, 200, 'a call that waited') for @got[0, 2];
is($got[1]{code}, 'SignatureDoesNotMatch', 'one that is not allowed');

is(($api->calls({}))[0]{status}, 200, 'and the next');

is($p->wait(), 0, 'published');

my @cycles = $t->wait_recorded(1, name => 'slow');
my @segments = segments_of($cycles[0]);

same_frames([ frames(\@segments, 'v') ], [ frames($file, 'v') ], 'recorded');

$t->done();

###############################################################################
