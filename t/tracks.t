#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# Tracks that come, go and change: what playlists and manifests say of it.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;

use lib "$FindBin::Bin/lib";
use LiveRecord;

###############################################################################

my $t = LiveRecord->new();

$t->configure('fragment 5s; grace 2s;');

my @small = (seconds => 12, size => '160x90');
my $plain = media('kinds', @small);
my $large = media('enhanced_large', @small, size => '320x180');
my $mono = media('kinds_mono', @small, channels => 1, rate => 22050);
my $mp3 = media('kinds_mp3', @small, audio => 'mp3');
my $hevc = media('kinds_hevc', @small, video => 'hevc');
my $hvc1 = media('kinds_hvc1', @small, video => 'hevc', enhanced => 1);

my $video = only('video', 9);
my $audio = only('audio', 8);

my ($v, $a) = ('h264 160x90', 'aac 44100x2');

# name, what is sent, and the tracks of each, in each of which there is a
# fragment or more

my @cases = (
    [ 'same', [ $plain, $plain ], "$v $a" ],
    [ 'size', [ $plain, $large, $plain ], "$v $a", "h264 320x180 $a",
        "$v $a" ],
    [ 'rate', [ $plain, $mono ], "$v $a", "$v aac 22050x1" ],
    [ 'mp3', [ $plain, $mp3 ], "$v $a", "$v mp3 44100x2" ],
    [ 'hevc', [ $plain, $hevc ], "$v $a", "hevc 160x90 $a" ],
    [ 'hvc1', [ $hvc1, $plain ], "hevc 160x90 $a", "$v $a" ],
    [ 'leaves', [ $plain, $video, $plain ], "$v $a", $v, "$v $a" ],

    # without video it takes a while until audio decides on cuts
    [ 'apart', [ $video, $audio ], $v, "$v $a", $a ],
);

$t->start();

my @pubs = map { [ $_->[0], $t->start_publish($_->[1], name => $_->[0]) ] }
    @cases;

is($_->[1]->wait(), 0, "$_->[0]: published") for @pubs;

for my $case (@cases) {
    my ($name, $sent, @tracks) = @$case;
    my ($cycle) = $t->wait_recorded(1, name => $name);
    my ($day) = $t->days($name);
    my ($manifest) = $t->manifests($name);

    my @is = map { tracks_of($_) }
        @{decode_json(read_file($manifest))->{fragments}};

    is(join(', ', map { $_ && $is[$_] eq $is[$_ - 1] ? () : $is[$_] }
        0 .. $#is), join(', ', @tracks), "$name: tracks of fragments");

    for ($cycle, $day) {
        my @segments = @{parse_m3u8($_)->{segments}};
        my ($kind) = /(\d{4}-\d\d-\d\d(?:-\d+)?)/;

        playlist_ok($_, "$name: $kind");
        is(join(' ', grep { $segments[$_]{discontinuity} } 0 .. $#segments),
            join(' ', grep { $_ && $is[$_] ne $is[$_ - 1] } 0 .. $#is),
            "$name: $kind: discontinuities");
    }

    # a segment has one kind of media, whatever comes behind it

    is(join(', ', map { join ' ', codecs_of($_) } segments_of($cycle)),
        join(', ', map { s/ \d+x\d+//gr } @is), "$name: segments");

    same_frames([ map { frames($_, 'v') } segments_of($cycle) ],
        [ map { frames(source($_), 'v') } grep { $_ ne $audio } @$sent ],
        "$name: video") if $name ne 'apart';
}

$t->done();

###############################################################################

# without the rest

sub only {
    my ($name, $type) = @_;

    return flv_write($t->dir() . "/$name.flv",
        grep { $_->{type} == $type } flv_tags($plain));
}

sub tracks_of {
    my ($f) = @_;
    my ($video, $audio) = @{$f}{qw/ video audio /};

    return join ' ',
        $video ? "$video->{codec} $video->{width}x$video->{height}" : (),
        $audio ? "$audio->{codec} $audio->{rate}x$audio->{channels}" : ();
}

sub codecs_of {
    my ($file) = @_;
    my %codec = map { ($_->{codec_type}, $_->{codec_name}) }
        @{probe($file)->{streams}};

    return grep { defined } @codec{qw/ video audio /};
}
