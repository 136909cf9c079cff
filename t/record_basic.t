#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# A stream with B-frames is recorded: every frame, in every index.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;

use lib "$FindBin::Bin/lib";
use LiveRecord;

###############################################################################

my $t = LiveRecord->new();

$t->write_conf(<<'EOF_CONF');
%%GLOBALS%%

worker_processes 2;

events {
    worker_connections 64;
}

rtmp {
    live_record_spool %%TESTDIR%%/spool;
    live_record_bucket local { type dir; root %%TESTDIR%%/bucket; }

    server {
        listen 127.0.0.1:%%PORT%%;

        application live {
            live on;

            live_record * {
                bucket local;
                grace 2s;
            }
        }

        application plain {
            live on;
        }
    }
}
EOF_CONF

my $file = media('basic');
my @video = frames($file, 'v');
my @audio = packets($file, 'a');

$t->start();

# a stream without a template goes on beside it

my $plain = $t->start_publish($file, app => 'plain', speed => 20);

my $began = time();
my $p = $t->start_ffmpeg($file, rate => 20);

wait_for(sub { $t->fragments() }, 30, 'a fragment');
ok($p->alive(), 'fragments are shipped while the stream runs');

is($p->wait(), 0, 'published');
is($plain->wait(), 0, 'published without a template');

my @cycles = $t->wait_recorded(1);
my @days = $t->days();

is(scalar @cycles, 1, 'one cycle index');
is(scalar @days, 1, 'one index of the day');

playlist_ok($cycles[0], 'cycle index');
playlist_ok($days[0], 'index of the day');

for my $list (@cycles, @days) {
    my $what = $list eq $cycles[0] ? 'cycle' : 'day';

    same_frames([ frames($list, 'v') ], \@video, "$what: video");
    same_frames([ packets($list, 'a') ], \@audio, "$what: audio packets");

    my $m3u8 = parse_m3u8($list);
    my @segments = @{$m3u8->{segments}};

    is(join(' ', map { sprintf '%.0f', $_->{duration} } @segments),
        '30 30 30 10', "$what: durations");
    is((grep { $_->{discontinuity} } @segments), 0,
        "$what: no discontinuity");
    cmp_ok(abs(duration_of($list) - 100), '<', 0.2, "$what: duration");
}

# each fragment by itself

my @fragments = $t->fragments();
my @single;

for my $i (0 .. $#fragments) {
    push @single, frames($fragments[$i], 'v');

    my @dts = times($fragments[$i], 'v', 'dts');
    my @back = grep { $_ && $dts[$_] <= $dts[$_ - 1] } 0 .. $#dts;

    is(scalar @back, 0, "dts of fragment $i rise");
}

is(scalar @fragments, 4, 'fragments');
same_frames(\@single, \@video, 'fragments, each decoded alone');

# times as they were published

my @pts = times([ @fragments ], 'v');
my @expected = times($file, 'v');
my @off = grep {
    abs($pts[$_] - $pts[0] - $expected[$_] + $expected[0]) > 0.002
} 0 .. $#expected;

is(scalar @off, 0, 'presentation times');

my $offset = (times($fragments[0], 'a'))[0] - $pts[0];
my $was = (times($file, 'a'))[0] - $expected[0];

cmp_ok(abs($offset - $was), '<', 0.002, 'audio against video');

# names

my $time = '\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d';

like($cycles[0], qr!/bucket/record/live/test/${time}_$time\.m3u8$!,
    'name of the cycle index');
like($days[0], qr!/bucket/live/test/\d{4}-\d\d-\d\d\.m3u8$!,
    'name of the index of the day');

my @wrong = grep { $fragments[$_] !~ m!/record/live/test/\d{10}_$_\.ts$! }
    0 .. $#fragments;
is(scalar @wrong, 0, 'names of the fragments');

my ($unix) = $fragments[0] =~ m!/(\d+)_0\.ts$!;
cmp_ok(abs($unix - $began), '<=', 5, 'the first fragment says when');

cmp_ok(scalar $t->manifests(), '>=', 1, 'a manifest');

is(join(' ', grep { !m!^(?:\.live_record|live|record)/! }
    files_in($t->bucket())), '', 'nothing else in the bucket');
is(scalar(files_in($t->bucket() . '/record/plain')), 0,
    'no template, no recording');

cmp_ok(scalar $t->log(qr!\[notice\].*live record:.*live/test!), '>=', 2,
    'the log tells of start and end');

$t->done();

###############################################################################
