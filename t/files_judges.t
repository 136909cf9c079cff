#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# What others see in mp4 and flv files: mediainfo, a parser of mp4 that is
# not ours, a browser.  TEST_UPDATE=1 writes files_judges.boxes anew.

###############################################################################

use warnings;
use strict;

use Digest::MD5 qw/ md5_hex /;
use POSIX qw/ strftime /;
use Test::More;
use FindBin;

use lib "$FindBin::Bin/lib";
use LiveRecord;

###############################################################################

my $t = LiveRecord->new();

$t->configure('format mp4 flv; fragment 10s; grace 2s;', workers => 2);

# 320x240 with pixels that make it 16:9

my $wide = media('judges', seconds => 32, size => '320x240',
    x264 => 'sar=4/3');
my $hevc = media('judges_hevc', seconds => 12, size => '160x90',
    video => 'hevc');
my $mp3 = media('judges_mp3', seconds => 12, size => '160x90', fps => 30,
    bframes => 0, audio => 'mp3', rate => 48000, channels => 1);

my %media = (wide => $wide, hevc => $hevc, mp3 => $mp3);

$t->start();

my %pub = map { $_ => $t->start_publish($media{$_}, name => $_) }
    keys %media;

is($pub{$_}->wait(), 0, "$_: published") for sort keys %pub;

my (%mp4, %flv);

for (sort keys %media) {
    my @flvs = $t->wait_recorded(1, name => $_, format => 'flv');
    my @mp4s = $t->mp4s($_);

    is(@mp4s, 1, "$_: one mp4");
    is(@flvs, 1, "$_: one flv");

    ($mp4{$_}, $flv{$_}) = ($mp4s[0], $flvs[0]);
}

describes();
dumps($_) for sort keys %media;
keyframes($_) for sort keys %media;
plays();

$t->done();

###############################################################################

# mediainfo

sub describes {
    my $m = mediainfo($mp4{wide});
    my ($start) = $mp4{wide} =~ m!/([^/_]+)_[^/]*$!;

    $start =~ s/^(\d+-\d+-\d+)-(\d+)-(\d+)-(\d+)$/$1 $2:$3:$4/;

    my %expected = (
        General => {
            Format => 'MPEG-4', CodecID => 'isom', VideoCount => 1,
            AudioCount => 1, IsStreamable => 'Yes', FooterSize => 0,
            Encoded_Date => "$start UTC", Tagged_Date => "$start UTC",
            FrameRate => '25.000',
        },
        Video => {
            Format => 'AVC', CodecID => 'avc1', Width => 320, Height => 240,
            PixelAspectRatio => '1.333', DisplayAspectRatio => '1.778',
            FrameRate => '25.000', FrameRate_Mode => 'CFR',
            Source_Duration => '32.000', Encoded_Date => "$start UTC",
            Rotation => '0.000',
        },
        Audio => {
            Format => 'AAC', CodecID => 'mp4a-40-2', Channels => 2,
            SamplingRate => 44100, SamplesPerFrame => 1024,
            Encoded_Date => "$start UTC",
        },
    );

    told($m, \%expected, 'mp4');

    my @times = sort { $a <=> $b } times($wide, 'a');
    my $length = @times * 1024 / 44100;
    my $last = $times[-1] + 1024 / 44100;

    cmp_ok(abs($m->{General}{Duration} - $length), '<', 0.003,
        'mp4: duration');
    cmp_ok(abs($m->{Audio}{Duration} - $length), '<', 0.003,
        'mp4: duration of audio');

    $m = mediainfo($flv{wide});

    delete $expected{$_}{Encoded_Date} for qw/ Video Audio /;
    delete $expected{Video}{$_} for qw/ Source_Duration Rotation /;
    delete $expected{General}{$_}
        for qw/ CodecID IsStreamable FooterSize Tagged_Date /;

    $expected{General}{Format} = 'Flash Video';
    $expected{Video}{CodecID} = 7;
    $expected{Audio}{CodecID} = '10-2';
    delete $expected{Audio}{SamplesPerFrame};

    told($m, \%expected, 'flv');

    cmp_ok(abs($m->{General}{Duration} - $last), '<', 0.1,
        'flv: duration');

    $m = mediainfo($mp4{hevc});

    told($m, {
        Video => { Format => 'HEVC', CodecID => 'hvc1', Width => 160,
            Height => 90, FrameRate => '25.000' },
        Audio => { Format => 'AAC' },
    }, 'hevc');

    $m = mediainfo($mp4{mp3});

    told($m, {
        Video => { Format => 'AVC', FrameRate => '30.000',
            FrameCount => 360 },
        Audio => { Format => 'MPEG Audio', Format_Profile => 'Layer 3',
            Channels => 1, SamplingRate => 48000 },
    }, 'mp3');

    # a frame of 33 or 34 ms is the last
    cmp_ok(abs($m->{Video}{Source_Duration} - 12), '<', 0.0015,
        'mp3: duration of video');
}

sub mediainfo {
    my ($file) = @_;
    my $out = LiveRecord::capture(undef, 'mediainfo', '--Output=JSON',
        $file);

    return { map { $_->{'@type'} => $_ }
        @{decode_json($out)->{media}{track}} };
}

sub told {
    my ($m, $expected, $name) = @_;

    for my $type (sort keys %$expected) {
        for (sort keys %{$expected->{$type}}) {
            is($m->{$type}{$_}, $expected->{$type}{$_}, "$name: $type $_");
        }
    }
}

# mp4box.js: the boxes, and each sample's bytes by way of the tables

sub dumps {
    my ($name) = @_;
    my $r = decode_json(LiveRecord::capture(undef, 'node',
        "$FindBin::Bin/lib/boxes.mjs", $mp4{$name}) || '{}');

    # a free box is there if the file was sent in parts, which for a short one
    # depends on when the shipper looked

    $r->{boxes} = [ grep { !/^free\b/ } @{$r->{boxes}} ];

    my $golden = "$FindBin::Bin/files_judges.boxes";
    my $text = eval { read_file($golden) } || '';
    my %golden = $text =~ /^== (\w+)\n(.*?)(?=^==|\z)/msg;

    if ($ENV{TEST_UPDATE}) {
        $golden{$name} = join "\n", @{$r->{boxes}}, '';
        write_file($golden, join '', map { "== $_\n$golden{$_}" }
            sort keys %golden);
    }

    my @golden = split /\n/, defined $golden{$name} ? $golden{$name} : '';

    is_deeply($r->{boxes}, \@golden, "$name: boxes");
    is(join(', ', @{$r->{errors} || [ 'no answer' ]}), '',
        "$name: no errors");
    is($r->{end}, -s $mp4{$name}, "$name: boxes are as long as the file");

    my %of = map { $_->{type} => $_ } @{$r->{tracks}};

    for my $type (9, 8) {
        my $track = $of{$type == 9 ? 'video' : 'audio'};
        my @sent = grep { $_->{type} == $type && !flv_is_config($_)
            && !LiveRecord::flv_is_end($_) } flv_tags($media{$name});
        my $head = $type == 9 ? 5 : $name eq 'mp3' ? 1 : 2;
        my $slack = $type == 9 ? 0.0001 : 0.0025;

        is(join(' ', map { $_->{md5} } @{$track->{samples}}),
            join(' ', map { md5_hex(substr $_->{body}, $head) } @sent),
            "$name: samples of type $type");

        my ($first) = @{$track->{samples}};
        my @off = grep {
            my ($is, $was) = ($track->{samples}[$_], $sent[$_]);

            abs(($is->{dts} - $first->{dts}) / $track->{timescale}
                - ($was->{ts} - $sent[0]{ts}) / 1000) > $slack
            || $type == 9 && (abs(($is->{cts} - $is->{dts} - $first->{cts}
                + $first->{dts}) / $track->{timescale}
                - (flv_cts($was) - flv_cts($sent[0])) / 1000) > $slack
                || !!$is->{sync} ne !!(ord($was->{body}) >> 4 == 1));
        } 0 .. $#sent;

        is(scalar @off, 0, "$name: times and key frames of type $type");
    }
}

# the table of an flv file's metadata

sub keyframes {
    my ($name) = @_;
    my $meta = flv_meta($flv{$name});
    my @tags = flv_tags($flv{$name});
    my %at = map { $_->{pos} => $_ } @tags;
    my @keys = grep { $_->{type} == 9 && ord($_->{body}) >> 4 == 1 } @tags;

    is($meta->{filesize}, -s $flv{$name}, "$name: flv: filesize");
    is($meta->{videocodecid}, $name eq 'hevc' ? 12 : 7,
        "$name: flv: videocodecid");
    is($meta->{audiocodecid}, $name eq 'mp3' ? 2 : 10,
        "$name: flv: audiocodecid");

    is(join(' ', @{$meta->{keyframes}{filepositions}}),
        join(' ', map { $_->{pos} } @keys), "$name: flv: positions");
    is(join(' ', map { sprintf '%.0f', $_ * 1000 }
        @{$meta->{keyframes}{times}}), join(' ', map { $_->{ts} } @keys),
        "$name: flv: times");

    is($tags[$_]{ts}, 0, "$name: flv: tag $_ is at 0") for 0 .. 2;
    is((grep { flv_is_config($_) } @tags[1, 2]), $name eq 'mp3' ? 1 : 2,
        "$name: flv: sequence headers are first");

    my $last = (sort { $a <=> $b } map { $_->{ts} } @tags)[-1] / 1000;

    cmp_ok($meta->{duration}, '>=', $last, "$name: flv: not too short");
    cmp_ok($meta->{duration}, '<', $last + 0.2, "$name: flv: nor too long");
}

# a browser, by itself and with mpegts.js; it does not know HEVC

sub plays {
    my %played;

    for my $format (qw/ mp4 flv /) {
        my $file = $format eq 'mp4' ? $mp4{wide} : $flv{wide};
        my $r = play($file, "--$format");

        # mpegts.js feeds some again when it starves, as on a busy machine

        $r = play($file, "--$format") if $r->{totalVideoFrames} > 800;

        is($r->{totalVideoFrames}, 800, "$format: frames played");
        cmp_ok(abs(($r->{duration} || 0) - 32), '<', 0.2,
            "$format: duration");
        is("$r->{width}x$r->{height}", '427x240',
            "$format: shown with its aspect");

        $r = play($file, "--$format", '--seek', 21.3);

        # the picture that is shown at that time is less than one away

        cmp_ok(abs(($r->{shown} || 0) - 21.3), '<', 0.06,
            "$format: shown after a seek");

        my @from = grep { $_ } @{$r->{requests} || []};

        isnt(scalar @from, 0, "$format: sought in the file");

        next if $format eq 'mp4';

        my %at = map { $_ => 1 }
            @{flv_meta($file)->{keyframes}{filepositions}};

        is((grep { !$at{$_} } @from), 0, "$format: by the table");
    }
}

sub play {
    my ($file, @args) = @_;
    my $name = substr $file, 1 + length $t->bucket();
    my $p = $t->run('node', "$FindBin::Bin/lib/play.mjs", $t->bucket(),
        $name, '--rate', 8, '--timeout', 50, @args);

    is($p->wait(60), 0, "@args: played");

    my $r = decode_json($p->out() || '{}');

    ok($r->{ended}, "@args: to its end") or diag($p->err());
    is(join('; ', @{$r->{errors} || [ 'no answer' ]}), '',
        "@args: no errors");

    return $r;
}
