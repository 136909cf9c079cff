#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# Streams that stop and come back: within the grace and after it.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;

use lib "$FindBin::Bin/lib";
use LiveRecord;

###############################################################################

my $t = LiveRecord->new();

$t->configure('fragment 5s; grace 4s;', workers => 2);

my $file = media('short');
my $video = [ frames($file, 'v') ];
my $audio = [ packets($file, 'a') ];

# what the parts of 4 s hold

my @parts = map { { start => 4000 * $_, seconds => 4 } } 0 .. 2;
my $v12 = [ @$video[0 .. 299] ];

$t->start();

# one name per kind of end; three parts each, in real time, gaps of 2.5 s:
# together they are longer than the grace, so it must start anew

my @ends = qw/ clean fin rst kill /;
my %code = (clean => 0, fin => 0, rst => 0, kill => 137);

for my $i (0 .. 2) {
    my @pubs = map {
        $t->start_publish($file, name => $_, end => $_, speed => 1,
            %{$parts[$i]})
    } @ends;

    is($pubs[$_]->wait(), $code{$ends[$_]}, "$ends[$_]: part $i")
        for 0 .. $#ends;

    select undef, undef, undef, 2.5 if $i < 2;
}

my @a12;

for my $name (@ends) {
    my @cycles = $t->wait_recorded(1, name => $name);
    my @days = $t->days($name);

    is(scalar @cycles, 1, "$name: one recording");
    is(scalar @days, 1, "$name: one day");

    for my $list (@cycles, @days) {
        playlist_ok($list, "$name: playlist");
        same_frames([ frames([ segments_of($list) ], 'v') ], $v12,
            "$name: video");

        my @segments = @{parse_m3u8($list)->{segments}};
        my @gaps = grep { $segments[$_]{discontinuity} } 0 .. $#segments;

        is(scalar @gaps, 2, "$name: a discontinuity for each gap");

        for (@gaps) {
            my $gap = $segments[$_]{time} - $segments[$_ - 1]{time}
                - $segments[$_ - 1]{duration};

            cmp_ok(abs($gap - 2.6), '<', 1, "$name: the date of the gap");
        }
    }

    # no audio is lost at an end, whichever it is

    my @got = packets([ segments_of($cycles[0]) ], 'a');

    @a12 = @got unless @a12;
    same_frames(\@got, [ @$audio[0 .. $#a12] ], "$name: audio");
    cmp_ok(scalar @got, '>=', 513, "$name: 12 s of audio");
}

# a return after the grace is a new recording of the same day

is($t->publish($file, name => 'clean', %{$parts[0]}), 0, 'back again');

my @cycles = $t->wait_recorded(2, name => 'clean');

is(scalar @cycles, 2, 'two recordings');

my ($day) = $t->days('clean');

playlist_ok($day, 'index of the day with two recordings');
same_frames([ frames([ segments_of($day) ], 'v') ],
    [ @$v12, @$v12[0 .. 99] ], 'the day has the frames of both');

is((grep { $_->{discontinuity} } @{parse_m3u8($day)->{segments}}), 3,
    'a discontinuity between recordings');

# one connection, two names and back to the first

is($t->publish($file, name => 'one', seconds => 4,
    republish => [ 'two', 'one' ]), 0, 'names on one connection');

my @one = $t->wait_recorded(1, name => 'one');
my @two = $t->wait_recorded(1, name => 'two');

is(scalar @one, 1, 'one recording of the first name');
is(scalar @two, 1, 'one recording of the second name');

same_frames([ frames([ segments_of(@one) ], 'v') ],
    [ (@$v12[0 .. 99]) x 2 ], 'frames of the first name');
same_frames([ frames([ segments_of(@two) ], 'v') ], [ @$v12[0 .. 99] ],
    'frames of the second name');

# timestamps that go on where they stopped

$t->publish($file, name => 'goes_on', %{$parts[0]});
$t->publish($file, name => 'goes_on', %{$parts[1]}, ts_offset => 5000);

my @on = $t->wait_recorded(1, name => 'goes_on');

is(scalar @on, 1, 'timestamps go on: one recording');
same_frames([ frames([ segments_of(@on) ], 'v') ], [ @$v12[0 .. 199] ],
    'timestamps go on: video');

is((grep { $_->{discontinuity} } @{parse_m3u8($on[0])->{segments}}), 1,
    'timestamps go on: a discontinuity all the same');

# another size of picture after the gap

my $other = media('other', seconds => 4, size => '640x360', rate => 48000);

$t->publish($file, name => 'change', %{$parts[0]});
$t->publish($other, name => 'change');

my @change = $t->wait_recorded(1, name => 'change');

is(scalar @change, 1, 'another codec configuration: one recording');
playlist_ok($change[0], 'another codec configuration: playlist');

same_frames([ map { frames($_, 'v') } segments_of($change[0]) ],
    [ @$v12[0 .. 99], frames($other, 'v') ],
    'another codec configuration: video');

$t->done();

###############################################################################
