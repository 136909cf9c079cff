#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# Callers that leave while what they have asked for waits for a thread: it is
# done all the same, and with what they had said.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;
use Time::HiRes qw/ sleep time /;

use lib "$FindBin::Bin/lib";
use LiveRecord;
use LiveRecord::Range;

###############################################################################

my $t = LiveRecord->new();
my $dir = $t->dir();
my $so = "$dir/slowdisk.so";

system($ENV{CC} || 'cc', '-std=gnu99', '-O2', '-fPIC', '-shared', '-o', $so,
    "$FindBin::Bin/lib/slowdisk.c", '-ldl') == 0
    or die "slowdisk.so could not be built\n";

$ENV{TEST_NGINX_PRELOAD} = join ':', $ENV{TEST_NGINX_PRELOAD} || (), $so;
$ENV{SLOWDISK} = "$dir/control";

# memory that is given back does not keep what was in it
$ENV{MALLOC_PERTURB_} = 165;

# one thread is all there is

$t->write_conf(<<'EOF_CONF');
%%GLOBALS%%

worker_processes 1;
thread_pool default threads=1;

events {
    worker_connections 64;
}

http {
    %%GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:%%PORT_HTTP%%;

        location / {
            live_record_api;
            live_record_api_keys %%TESTDIR%%/keys;
        }
    }
}

rtmp {
    live_record_spool %%TESTDIR%%/spool;
    live_record_bucket local { type dir; root %%TESTDIR%%/bucket; }

    server {
        listen 127.0.0.1:%%PORT%%;
        live_record_domain live.example.com;

        application live {
            live on;

            live_record * { bucket local; fragment 5s; grace 2s; }
        }
    }
}
EOF_CONF

write_file("$dir/keys", "testid testsecret\n");
chmod 0644, "$dir/keys";

$t->start();

my $api = LiveRecord::Range->new($t, OssBucket => 'local',
    OssEndpoint => 'localhost', DomainName => 'live.example.com',
    AppName => 'live', StreamName => 'test');

my $start = int(time()) - 100;

$api->manifest($t->bucket(), 'live', 'test', 'test-1', 0, $start,
    { seq => 0, key => 'record/live/test/1_0.ts', wall => 1000 * $start,
        duration => 6000 });

system('chmod', '-R', 'a+rwX', $t->bucket() . '/.live_record') == 0 or die;

my %range = (StartTime => $start - 10, EndTime => $start + 10);

is($api->create(%range, OssObject => 'slow/0.m3u8')->{code}, undef,
    'an index');

###############################################################################

# one after another is written, and the others wait for that

my $slow = $t->bucket() . '/slow';

write_file("$dir/control", "250 0 $slow\n");

my (%names, $before);

# which of their steps wait is not quite sure

for my $round (1 .. 5) {
    my @callers = map { $api->begin(%range,
        OssObject => "slow/$round-$_.m3u8") } 1 .. 12;

    $before = keys %names;
    wait_for(sub { written(); return keys %names >= $before + 8 }, 30,
        'most of them to be written');
    close $_ for @callers;
    $before = keys %names;

    for (my $end = time() + 1; time() < $end; sleep 0.05) {
        $end = time() + 1 if written();
    }

    last if keys %names > $before;
}

# what is written has the name of its index until it is whole

my @bad = grep { !/^\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.part$/ }
    keys %names;

cmp_ok(scalar keys %names, '>', $before, 'others were written after that');
is(scalar @bad, 0, 'each with an id of its own') or diag(explain(\@bad));
cmp_ok(scalar(() = glob "$slow/*.m3u8"), '>', keys %names, 'and are there');

unlink "$dir/control";

is($api->create(%range, OssObject => 'slow/9.m3u8')->{code}, undef,
    'those who stay get theirs');

$t->done();

###############################################################################

sub written {
    my @now = map { s!.*/!!r } glob "$slow/.*.part";

    $names{$_} = 1 for @now;
    return @now;
}

###############################################################################
