#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# Kinds of media, and ways to send them.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;

use lib "$FindBin::Bin/lib";
use LiveRecord;

###############################################################################

my $t = LiveRecord->new();

$t->configure('grace 2s;', workers => 2);

my @small = (seconds => 70, size => '160x90');
my $file = media('kinds', @small);
my $hevc = media('kinds_hevc', @small, video => 'hevc', seconds => 40);
my $hvc1 = media('kinds_hvc1', @small, video => 'hevc', seconds => 40,
    enhanced => 1);

# pictures may need those of the fragment before

my %tied = map { $_ => 1 } qw(open_gop intra_refresh hevc_open);

# name, file, how it is sent, durations of the fragments

my @cases = (
    [ 'plain', $file, {}, '30 30 10' ],
    [ 'audio_only', $file, { no_video => 1 }, '30 30 10' ],
    [ 'video_only', $file, { no_audio => 1 }, '30 30 10' ],
    [ 'gop_12s', media('kinds_gop', @small, gop => 12), {}, '36 34' ],
    [ 'all_intra', media('kinds_intra', @small, gop => 0.04, bframes => 0),
        {}, '30 30 10' ],
    [ 'mp3', media('kinds_mp3', @small, audio => 'mp3'), {}, '30 30 10' ],
    [ 'mp3_only', media('kinds_mp3', @small, audio => 'mp3'),
        { no_video => 1 }, '30 30 10' ],
    [ 'mono_22k', media('kinds_mono', @small, channels => 1,
        rate => 22050), {}, '30 30 10' ],
    [ 'six_channels', media('kinds_six', @small, channels => 6,
        rate => 48000, audio_bitrate => '192k'), {}, '30 30 10' ],
    [ 'slices', media('kinds_slices', @small,
        x264 => 'slices=4:aud=1'), {}, '30 30 10' ],
    [ 'open_gop', media('kinds_open', @small,
        x264 => 'open-gop=1:b-adapt=0'), {} ],
    [ 'intra_refresh', media('kinds_refresh', @small, bframes => 0,
        x264 => 'intra-refresh=1'), {} ],
    [ 'hevc_open', media('kinds_hevc', @small, video => 'hevc', seconds => 40,
        x265 => 'open-gop=1:b-adapt=0'), {} ],
    [ 'hevc', $hevc, {}, '30 10' ],
    [ 'hvc1', $hvc1, {}, '30 10' ],
    [ 'hvc1_only', $hvc1, { no_audio => 1 }, '30 10' ],
    [ 'nal_2', $file, { nal_length => 2 }, '30 30 10' ],
    [ 'chunk_128', $file, { chunk => 128 }, '30 30 10' ],
    [ 'aggregate', $file, { aggregate => 1 }, '30 30 10' ],
    [ 'split_sei', media('kinds_slices', @small,
        x264 => 'slices=4:aud=1'), { split_sei => 1 }, '30 30 10' ],
    [ 'at_once', $file, { speed => 0 }, '30 30 10' ],
);

$t->start();

# four at a time

my @pubs;

for my $case (@cases) {
    my ($name, $flv, $opt) = @$case;

    push @pubs, [ $name, $t->start_publish($flv, name => $name, %$opt) ];

    next if @pubs < 4;

    my $first = shift @pubs;
    is($first->[1]->wait(), 0, "$first->[0]: published");
}

is($_->[1]->wait(), 0, "$_->[0]: published") for @pubs;

for my $case (@cases) {
    my ($name, $flv, $opt, $durations) = @$case;
    my @cycles = $t->wait_recorded(1, name => $name);

    is(scalar @cycles, 1, "$name: one recording");
    playlist_ok($cycles[0], "$name: playlist");

    my $tag = read_file($cycles[0]) =~ /^#EXT-X-INDEPENDENT-SEGMENTS$/m;
    is($tag ? 1 : 0, $tied{$name} ? 0 : 1, "$name: independent segments");

    is(join(' ', map { sprintf '%.0f', $_->{duration} }
        @{parse_m3u8($cycles[0])->{segments}}), $durations,
        "$name: durations") if $durations;

    my @fragments = segments_of($cycles[0]);

    if ($opt->{no_video}) {
        is((grep { $_->{codec_type} eq 'video' }
            @{probe($fragments[0])->{streams}}), 0, "$name: no video");

    } else {
        same_frames([ frames($cycles[0], 'v') ],
            [ frames(source($flv), 'v') ], "$name: video");

        same_frames([ map { frames($_, 'v') } @fragments ],
            [ frames(source($flv), 'v') ],
            "$name: fragments decoded alone") if !$tied{$name};
    }

    if ($opt->{no_audio}) {
        is((grep { $_->{codec_type} eq 'audio' }
            @{probe($fragments[0])->{streams}}), 0, "$name: no audio");

    } else {
        same_frames([ packets($cycles[0], 'a') ],
            [ packets(source($flv), 'a') ], "$name: audio packets");
    }
}

$t->done();

###############################################################################
