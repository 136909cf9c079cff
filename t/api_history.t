#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# Calls about what has been sent, whose history takes long to read: however
# many there are, a recording goes on beside them, and they are answered,
# also when others that waited have gone.

###############################################################################

use warnings;
use strict;

use POSIX qw/ strftime /;
use Test::More;
use FindBin;

use lib "$FindBin::Bin/lib";
use LiveRecord;
use LiveRecord::API;

###############################################################################

my $t = LiveRecord->new();
my $so = $t->dir() . '/stuckdisk.so';
my $control = $t->dir() . '/control';

system($ENV{CC} || 'cc', '-std=gnu99', '-O2', '-fPIC', '-shared', '-o', $so,
    "$FindBin::Bin/lib/stuckdisk.c", '-ldl') == 0
    or die "stuckdisk.so could not be built\n";

write_file($t->dir() . '/keys', "testid testsecret\n");
chmod 0644, $t->dir() . '/keys';

# one thread for a history leaves one for the recording

$t->write_conf(<<'EOF_CONF');
%%GLOBALS%%

worker_processes 1;
thread_pool default threads=2;

events {
    worker_connections 128;
}

http {
    %%GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:%%PORT_HTTP%%;

        location / {
            live_record_api;
            live_record_api_keys keys;
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
    $ENV{TEST_NGINX_PRELOAD}, $so), STUCKDISK => $control });

my $now = time();

my $api = LiveRecord::API->new($t, client => 'raw', id => 'testid',
    secret => 'testsecret', action => 'DescribeLiveRecordNotifyRecords',
    endpoint => 'http://127.0.0.1:' . $t->port('HTTP'),
    params => { DomainName => 'any.example.com', StartTime => stamp($now - 1),
        EndTime => stamp($now + 60) });

is(($api->calls({}))[0]{status}, 200, 'a call');

# a history on a disk that does not answer

my $history = $t->spool() . '/.notify';
my @days = map { "$history/" . strftime('%Y%m%d', gmtime $_) . '.log' }
    $now - 86400, $now, $now + 86400;

mkdir $history;
chmod 0755, $history;

for (@days) {
    write_file($_, '');
    chmod 0644, $_;
}

write_file($control, "/.notify/\n");

my @gone = map { $api->start({ leave => $_ }) } 1500, 1000;
my $calls = $api->start({ rate => 20, seconds => 1 });

my $file = media('short');

is($t->publish($file), 0, 'published');

my @cycles = $t->wait_recorded(1);
my @segments = segments_of($cycles[0]);

same_frames([ frames(\@segments, 'v') ], [ frames($file, 'v') ],
    'recorded, and in the bucket');

like(($api->end($_))[0]{failed}, qr/hang up|aborted/, 'a client goes')
    for @gone;
ok($calls->alive(), 'the other calls wait');

# the disk is back

unlink $control or die "unlink: $!\n";

is_deeply([ $api->end($calls) ]->[0]{codes}, { OK => 20 },
    'they are answered');

$t->done();

###############################################################################

sub stamp { return strftime('%Y-%m-%dT%H:%M:%SZ', gmtime shift) }

###############################################################################
