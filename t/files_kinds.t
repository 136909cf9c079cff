#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# Kinds of media, and ways to send them, as mp4 and flv files.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;

use lib "$FindBin::Bin/lib";
use LiveRecord;

###############################################################################

my $t = LiveRecord->new();

$t->configure('format mp4 flv; fragment 5s; grace 2s;', workers => 2);

# three fragments

my @small = (seconds => 12, size => '160x90');
my $file = media('kinds', @small);
my $mp3 = media('kinds_mp3', @small, audio => 'mp3');
my $slices = media('kinds_slices', @small, x264 => 'slices=4:aud=1');
my $sei = media('kinds_sei', @small, x264 => 'aud=1');
my $hevc = media('kinds_hevc', @small, video => 'hevc');
my $hvc1 = media('kinds_hvc1', @small, video => 'hevc', enhanced => 1);

# name, file, how it is sent, and instead of the file

my @cases = (
    [ 'plain', $file, {} ],
    [ 'audio_only', $file, { no_video => 1 } ],
    [ 'video_only', $file, { no_audio => 1 } ],
    [ 'gop_6s', media('kinds_gop', @small, gop => 6), {} ],
    [ 'all_intra', media('kinds_intra', @small, gop => 0.04, bframes => 0),
        {} ],
    [ 'mp3', $mp3, {} ],
    [ 'mp3_only', $mp3, { no_video => 1 } ],
    [ 'mono_22k', media('kinds_mono', @small, channels => 1,
        rate => 22050), {} ],
    [ 'six_channels', media('kinds_six', @small, channels => 6,
        rate => 48000, audio_bitrate => '192k'), {} ],
    [ 'slices', $slices, {} ],
    [ 'open_gop', media('kinds_open', @small,
        x264 => 'open-gop=1:b-adapt=0'), {} ],
    [ 'hevc', $hevc, {} ],
    [ 'hvc1', $hvc1, {} ],
    [ 'hvc1_only', $hvc1, { no_audio => 1 } ],
    [ 'nal_2', $file, { nal_length => 2 } ],
    [ 'chunk_128', $file, { chunk => 128 } ],
    [ 'aggregate', $file, { aggregate => 1 } ],
    [ 'sei_apart', $sei, {}, apart($sei, 'sei',
        sub { $_[0] == 1 || $_[0] == 5 || $_[0] == 12 }) ],
    [ 'all_apart', $slices, {}, apart($slices, 'all', sub { 1 }) ],
    [ 'audio_behind', $file, { audio_shift => -700 } ],
    [ 'audio_ahead', $file, { audio_shift => 700 } ],
    [ 'negative_cts', $file, { cts_shift => -200 } ],
    [ 'at_once', $file, { speed => 0 } ],
);

$t->start();

# four at a time

my @pubs;

for my $case (@cases) {
    my ($name, $flv, $opt, $sent) = @$case;

    push @pubs, [ $name, $t->start_publish($sent || $flv, name => $name,
        %$opt) ];

    next if @pubs < 4;

    my $first = shift @pubs;
    is($first->[1]->wait(), 0, "$first->[0]: published");
}

is($_->[1]->wait(), 0, "$_->[0]: published") for @pubs;

for my $case (@cases) {
    my ($name, $flv, $opt, $sent) = @$case;
    my @flvs = $t->wait_recorded(1, name => $name, format => 'flv');
    my @mp4s = $t->mp4s($name);

    is(scalar @mp4s, 1, "$name: one mp4");
    is(scalar @flvs, 1, "$name: one flv");

    my %is = (video => !$opt->{no_video}, audio => !$opt->{no_audio});

    $is{shift} = ahead($sent || $flv) - ahead(source($flv))
        + (($opt->{audio_shift} || 0) - ($opt->{cts_shift} || 0)) / 1000
        if $is{video} && $is{audio};

    whole($_, source($flv), "$name: mp4", %is) for @mp4s;

    is((my @samples = LiveRecord::times($mp4s[0], 'v')),
        scalar(my @pictures = frames(source($flv), 'v')),
        "$name: a sample for each picture") if $is{video};

    # ffmpeg does not know HEVC in FLV, and takes each message for a picture

    if ($flv =~ /hevc|hvc1/ || $sent) {
        whole_tags($_, $sent || $flv, "$name: flv", %is) for @flvs;

    } else {
        # as sent: shown before they are decoded
        $is{said} = 0 if $opt->{cts_shift};

        whole($_, source($flv), "$name: flv", %is) for @flvs;
    }

    for my $flv (@flvs) {
        my @frames = grep { $_->{type} != 18 && !flv_is_config($_) }
            flv_tags($flv);

        is((sort { $a <=> $b } map { $_->{ts} } @frames)[0], 0,
            "$name: flv begins at 0");
    }
}

$t->done();

###############################################################################

# NAL units in messages of their own: that and all before it if the sub says
# so of its type; and behind each picture one of filler data

sub apart {
    my ($flv, $name, $cut) = @_;
    my @tags;

    for my $tag (flv_tags($flv)) {

        if ($tag->{type} != 9 || flv_is_config($tag)
            || length $tag->{body} < 6)
        {
            push @tags, $tag;
            next;
        }

        my ($head, $rest) = unpack 'a5a*', $tag->{body};
        my @messages = ('');

        for (unpack('(N/a*)*', $rest), "\x0c\xff\xff\x80") {

            push @messages, '' if length $messages[-1]
                && $cut->(ord($_) & 31);
            $messages[-1] .= pack 'N/a*', $_;
        }

        push @tags, map { { %$tag, body => $head . $_ } } @messages;
    }

    return flv_write($t->dir() . "/$name.flv", @tags);
}
