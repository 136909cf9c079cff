#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# 33 minutes in cycles of 15: nothing is lost where one begins.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;

use lib "$FindBin::Bin/lib";
use LiveRecord;

###############################################################################

my $t = LiveRecord->new();

$t->configure('cycle 15m; grace 2s;', workers => 2);

my $file = media('long');
my @video = frames($file, 'v');
my @audio = packets($file, 'a');

$t->start();

my $p = $t->start_publish($file, speed => 60);

# the first cycle is indexed while the third one is recorded

wait_for(sub { $t->cycles() }, 60, 'the first cycle');
ok($p->alive(), 'a cycle is indexed when it ends');

is($p->wait(), 0, 'published');

my @cycles = $t->wait_recorded(3);
my @days = $t->days();

is(scalar @cycles, 3, 'three cycles');
is(scalar @days, 1, 'one day');

is(join(' ', map { sprintf '%.0f', duration_of($_) } @cycles),
    '900 900 180', 'durations');

playlist_ok($_) for @cycles, @days;

# one after another they are what was published

same_frames([ map { frames($_, 'v') } @cycles ], \@video,
    'cycles one by one: video');
same_frames([ map { packets($_, 'a') } @cycles ], \@audio,
    'cycles one by one: audio packets');
same_frames([ frames($days[0], 'v') ], \@video, 'day: video');
same_frames([ packets($days[0], 'a') ], \@audio, 'day: audio packets');

is((grep { $_->{discontinuity} } @{parse_m3u8($days[0])->{segments}}), 0,
    'no discontinuity between cycles');

my @fragments = $t->fragments();
is(scalar @fragments, 66, 'fragments');

my %seen;
my @twice = grep { $seen{$_}++ } segments_of(@cycles);
is(scalar @twice, 0, 'no fragment in two cycles');

# the next one begins where the last one ended

my @names = map { m!/([^/_]+)_([^/_]+)\.m3u8$! ? [ $1, $2 ] : [ '', '' ] }
    @cycles;

is($names[1][0], $names[0][1], 'the second begins when the first ends');
is($names[2][0], $names[1][1], 'the third begins when the second ends');

# nor does a presentation time step there

my @pts = times([ segments_of(@cycles) ], 'v');
my @sorted = sort { $a <=> $b } @pts;
my @steps = grep { abs($sorted[$_] - $sorted[$_ - 1] - 0.1) > 0.002 }
    1 .. $#sorted;

is(scalar @steps, 0, 'presentation times go on through all cycles');

$t->done();

###############################################################################
