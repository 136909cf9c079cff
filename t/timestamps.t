#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# Timestamps that wrap, jump, repeat, and go back.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;

use lib "$FindBin::Bin/lib";
use LiveRecord;

###############################################################################

my $t = LiveRecord->new();

$t->configure('fragment 5s; grace 2s;', workers => 2);

my $file = media('short');
my @video = frames($file, 'v');
my @audio = packets($file, 'a');
my @pts = times($file, 'v');
my $offset = (times($file, 'a'))[0] - $pts[0];

# name, how it is sent, how many discontinuities, audio against video;
# undef where it may be one or the other

my @cases = (
    [ 'from_0', {}, 0, 0 ],
    [ 'near_24_bits', { ts_offset => 0xffffff - 5000 }, 0, 0 ],
    [ 'near_24_bits_full', { ts_offset => 0xffffff - 5000, absolute => 1,
        chunk => 128 }, 0, 0 ],
    [ 'near_31_bits', { ts_offset => 0x7fffffff - 5000, absolute => 1 },
        0, 0 ],
    [ 'near_32_bits', { ts_offset => 0xffffffff - 5000, absolute => 1 },
        0, 0 ],
    [ 'near_32_bits_delta', { ts_offset => 0xffffffff - 5000 }, 0, 0 ],
    [ 'back_1ms', { jump => '10000:-1' }, 0, undef ],
    [ 'back_1s', { jump => '10000:-1000' }, undef, undef ],
    [ 'back_1h', { jump => '10000:-3600000', ts_offset => 4000000 },
        1, undef ],
    [ 'ahead_5s', { jump => '10000:5000' }, undef, undef ],
    [ 'ahead_1h', { jump => '10000:3600000' }, 1, undef ],
    [ 'there_and_back', { jump => [ '10000:3600000', '20000:-3600000' ] },
        2, undef ],
    [ 'equal_dts', { equal_dts => 5 }, 0, 0 ],
    [ 'negative_cts', { cts_shift => -200 }, 0, 0.2 ],
    [ 'cts_above_8s', { cts_shift => 8500 }, 0, -8.5 ],
    [ 'audio_ahead', { audio_shift => 2000 }, 0, 2 ],
    [ 'audio_behind', { audio_shift => -2000 }, 0, -2 ],
    [ 'burst', { burst => 5000, speed => 5 }, 0, 0 ],
);

$t->start();

my @pubs;

for my $case (@cases) {
    my ($name, $opt) = @$case;

    push @pubs, [ $name, $t->start_publish($file, name => $name, %$opt) ];

    next if @pubs < 6;

    my $first = shift @pubs;
    is($first->[1]->wait(), 0, "$first->[0]: published");
}

is($_->[1]->wait(), 0, "$_->[0]: published") for @pubs;

for my $case (@cases) {
    my ($name, $opt, $discontinuities, $shift) = @$case;
    my @cycles = $t->wait_recorded(1, name => $name);

    is(scalar @cycles, 1, "$name: one recording");
    playlist_ok($cycles[0], "$name: playlist");

    my $list = parse_m3u8($cycles[0]);
    my @segments = @{$list->{segments}};
    my @fragments = segments_of($cycles[0]);

    same_frames([ frames([ @fragments ], 'v') ], \@video, "$name: video");
    same_frames([ packets([ @fragments ], 'a') ], \@audio,
        "$name: audio packets");

    is((grep { $_->{discontinuity} } @segments), $discontinuities,
        "$name: discontinuities") if defined $discontinuities;

    # a jump is no duration

    my $duration = duration_of($cycles[0]);
    my $most = $name eq 'ahead_5s' ? 35.5 : 32.5;

    cmp_ok($duration, '>', 28.5, "$name: the playlist is not too short");
    cmp_ok($duration, '<', $most, "$name: the playlist is not too long");
    cmp_ok($list->{target}, '<=', 13, "$name: target duration");

    for my $i (0 .. $#fragments) {
        for my $kind (qw/ v a /) {
            my @dts = times($fragments[$i], $kind, 'dts');
            my @back = grep { $_ && $dts[$_] <= $dts[$_ - 1] } 0 .. $#dts;

            is(scalar @back, 0, "$name: dts $kind of fragment $i rise")
                if @back;
        }
    }

    next unless defined $shift;

    my @got = times([ @fragments ], 'v');
    my @off = grep {
        abs($got[$_] - $got[0] - $pts[$_] + $pts[0]) > 0.002
    } 0 .. $#pts;

    is(scalar @off, 0, "$name: presentation times");

    my $was = (times([ @fragments ], 'a'))[0] - $got[0];

    cmp_ok(abs($was - $offset - $shift), '<', 0.003,
        "$name: audio against video");
}

$t->done();

###############################################################################
