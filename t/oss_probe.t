#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# Whether a bucket is back is tried with something small, but not with that
# alone: what fails for a reason of its own does not hold up the rest.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;

use lib "$FindBin::Bin/lib";
use LiveRecord;
use LiveRecord::OSS;

###############################################################################

my $t = LiveRecord->new();
my $oss = LiveRecord::OSS->new($t);
my $port = $oss->port();

$t->write_conf(<<"EOF_CONF");
%%GLOBALS%%

events {
    worker_connections 256;
}

rtmp {
    live_record_spool %%TESTDIR%%/spool;

    live_record_bucket main {
        type oss; bucket main; region cn-hangzhou;
        endpoint http://127.0.0.1:$port; credentials key ak sk;
    }

    server {
        listen 127.0.0.1:%%PORT%%;

        application main { live on; live_record * {
            bucket main; fragment 5s; grace 1s; } }
    }
}
EOF_CONF

my $file = media('faults', seconds => 13);
my %packets = map { $_ => [ packets($file, $_) ] } qw/ v a /;
my @others = map { "media$_" } 1 .. 6;

$t->start();

###############################################################################

# one whose media is stored waits with its manifest, six with fragments

my %fails = (fault => 'status', status => 500, code => 'InternalError',
    early => 1, bucket => 'main', times => 0);

$oss->faults({ %fails, key => '.live_record/main/text/', method => 'PUT' });

is($t->publish($file, app => 'main', name => 'text', speed => 8), 0,
    'published');
wait_for(sub { $t->log(qr!stored "record/main/text/.*\.ts"!) == 3 }, 20,
    'its media to be stored');

$oss->faults(\%fails);

my @p = map { $t->start_publish($file, app => 'main', name => $_,
    speed => 8) } @others;
is((grep { $_->wait(60) != 0 } @p), 0, 'the others published');

# the waits begin anew

ok($t->stop(), 'nginx stops');
my $before = () = $oss->requests('main');
$t->start();

# those that find out, four at first and two more, and then one at a time

my @late;

wait_for(sub {
    my @r = $oss->requests('main');
    @late = map { $_->{key} =~ m!/text/! ? 'small' : 'media' }
        @r[$before + 6 .. $#r];
    return @late >= 4;
}, 60, 'it to be tried some times');

like("@late", qr/^(?:media )?(?:small media ?)+(?:small)?$/,
    "every other one is small: @late");

$oss->faults();
$t->bucket($oss->bucket('main'));

for my $name ('text', @others) {
    my @cycles = $t->wait_recorded(1, app => 'main', name => $name,
        seconds => 60);
    my @segments = segments_of($cycles[0]);

    same_frames([ packets(\@segments, $_) ], $packets{$_},
        "$name: packets $_") for qw/ v a /;
}

###############################################################################

$oss->check();
$t->done();

###############################################################################
