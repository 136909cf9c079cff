#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# Audio of Enhanced RTMP v2: a FourCC in place of a codec id, and messages
# that are not of the first track.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;

use lib "$FindBin::Bin/lib";
use LiveRecord;

###############################################################################

my $t = LiveRecord->new();

$t->configure('format m3u8 mp4 flv; fragment 5s; grace 2s;');

# two fragments

my @small = (seconds => 12, size => '160x90');
my $aac = media('kinds', @small);
my $six = media('kinds_six', @small, channels => 6, rate => 48000,
    audio_bitrate => '192k');
my $mp3 = media('kinds_mp3', @small, audio => 'mp3');
my $large = media('enhanced_large', @small, size => '320x180');

# name, source, what is sent, what of it is in a flv file

my @cases = (

    # the second track of OBS
    [ 'multitrack', $aac, change('multitrack', $aac, sub {
        my ($first, $type, $rest) = unpack 'CCa*', $_[0];
        return ($_[0], pack('CCa4Ca*', 0x95, $type, 'mp4a', 1, $rest));
    }), $aac ],

    # tracks of any kind in one message
    [ 'many', $aac, change('many', $aac, sub {
        my ($first, $type, $rest) = unpack 'CCa*', $_[0];
        return (pack('CCa4CCna*', 0x95, 0x10 | $type, 'Opus', 1,
            0, length $rest, $rest), $_[0]);
    }), $aac ],

    # ffmpeg of more than two channels
    [ 'channels', $six, change('channels', $six, sub {
        return ord(substr $_[0], 1) ? $_[0]
            : ($_[0], pack('Ca4CCN', 0x94, 'mp4a', 1, 6, 0x3f));
    }), $six ],

    [ 'mp4a', $aac, fourcc('mp4a', $aac) ],
    [ 'mp4a_end', $aac, change('mp4a_end', $aac, sub {
        my ($first, $type, $rest) = unpack 'CCa*', $_[0];
        return (pack('Ca4a*', 0x90 | $type, 'mp4a', $rest),
            $type ? pack('Ca4', 0x92, 'mp4a') : ());
    }), fourcc('mp4a', $aac) ],

    # with a sequence header that MP3 does not have
    [ 'mp3', $mp3, change('mp3', $mp3, sub {
        return (pack('Ca4a', 0x90, '.mp3', 'x'),
            pack('Ca4a*', 0x91, '.mp3', substr $_[0], 1));
    }), change('mp3_only', $mp3, sub {
        return pack 'Ca4a*', 0x91, '.mp3', substr $_[0], 1;
    }) ],
);

$t->start();

my @pubs = map { [ $_->[0], $t->start_publish($_->[2], name => $_->[0]) ] }
    @cases;

is($_->[1]->wait(), 0, "$_->[0]: published") for @pubs;

for my $case (@cases) {
    my ($name, $source, $sent, $kept) = @$case;
    my @flvs = $t->wait_recorded(1, name => $name, format => 'flv');
    my @mp4s = $t->mp4s($name);
    my @cycles = $t->cycles($name);

    $kept ||= $sent;

    is(scalar @flvs, 1, "$name: one flv");
    is(scalar @mp4s, 1, "$name: one mp4");
    is(scalar @cycles, 1, "$name: one playlist");
    is(scalar $t->fragments($name), 2, "$name: two fragments");

    whole_tags($_, $kept, "$name: flv") for @flvs;
    whole($_, $source, "$name: mp4") for @mp4s;

    playlist_ok($_, "$name: playlist") for @cycles;
    same_frames([ map { frames($_, 'v') } @cycles ],
        [ frames(source($source), 'v') ], "$name: video of m3u8");
    same_frames([ map { packets($_, 'a') } @cycles ],
        [ packets(source($source), 'a') ], "$name: audio of m3u8");
}

# what is left out is told, once in a publish

for my $case (@cases) {
    my $name = $case->[0];
    my @said = $t->log(qr/"live\/$name" sends audio of more than one track/);

    is(scalar @said, $name =~ /^m(?:ultitrack|any)$/ ? 1 : 0,
        "$name: what the log says");
}

# what only flv can hold: its sequence header, which is sent once, is in both
# files of a stream whose video changes

$t->allow(qr/"live\/opus" has Opus audio, which m3u8 and mp4 cannot hold/);

my @opus = (fourcc('Opus', $aac), change('opus_on', $large, sub {
    my ($first, $type, $rest) = unpack 'CCa*', $_[0];
    return $type ? pack 'Ca4a*', 0x91, 'Opus', $rest : ();
}));

is($t->publish(\@opus, name => 'opus'), 0, 'opus: published');

my @flvs = $t->wait_recorded(2, name => 'opus', format => 'flv');
is(scalar @flvs, 2, 'opus: two flvs');

my ($config) = map { $_->{body} } grep { $_->{type} == 8 }
    flv_tags($opus[0]);
is(join(' ', map { flv_meta($_)->{audiocodecid} || 'none' } @flvs),
    join(' ', (unpack 'N', 'Opus') x 2), 'opus: metadata');
is(join(' ', map { grep { $_->{type} == 8 && flv_is_config($_) }
    flv_tags($_) } @flvs) =~ tr/ //, 1, 'opus: two sequence headers');
is((grep { $_->{body} eq $config } grep { $_->{type} == 8 }
    map { flv_tags($_) } @flvs), 2, 'opus: both of them the same');
same_frames([ map { $_->{body} } media_of(8, @flvs) ],
    [ map { $_->{body} } media_of(8, @opus) ], 'opus: audio of flv');
same_frames([ map { frames($_, 'v') } $t->mp4s('opus') ],
    [ map { frames($_, 'v') } $aac, $large ], 'opus: video of mp4');

$t->done();

###############################################################################

# another FLV file: the sub gives messages in place of each one of audio

sub change {
    my ($name, $flv, $sub) = @_;

    return flv_write($t->dir() . "/$name.flv", map {
        my $tag = $_;
        $tag->{type} == 8
            ? map { { %$tag, body => $_ } } $sub->($tag->{body}) : $tag;
    } flv_tags($flv));
}

sub fourcc {
    my ($fourcc, $flv) = @_;

    return change($fourcc, $flv, sub {
        my ($first, $type, $rest) = unpack 'CCa*', $_[0];
        return pack 'Ca4a*', 0x90 | $type, $fourcc, $rest;
    });
}

# tags of a type that are not sequence headers

sub media_of {
    my ($type, @files) = @_;
    return grep { $_->{type} == $type && !flv_is_config($_) }
        map { flv_tags($_) } @files;
}
