#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# Timestamps as publishers send them, in mp4 and flv files.

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

my @small = (seconds => 12, size => '160x90');
my $file = media('kinds', @small);
my $mono = media('kinds_mono', @small, channels => 1, rate => 22050);

# audio that is early and late by turns, or three frames of one time

my ($i, $last, $seed) = (0, 0, 1);

my $jitter = altered($file, 'jitter', sub {
    $seed = ($seed * 1103515245 + 12345) % (1 << 31);
    $_[0]{ts} += ($seed >> 8) % 15 if $_[0]{type} == 8;
});

my $clumps = altered($file, 'clumps', sub {
    return if $_[0]{type} != 8;
    $last = $_[0]{ts} if $i++ % 3 == 0;
    $_[0]{ts} = $last;
});

# what says that it is HE-AAC has frames of twice the length: AOT 5, 22050 Hz,
# mono, to be 44100 Hz, of AOT 2

my $sbr = altered($mono, 'sbr', sub {
    $_[0]{body} = "\xaf\0" . pack 'B*', '00101' . '0111' . '0001' . '0100'
        . '00010' . '000' if $_[0]{type} == 8;
}, 1);

# name, source, how it is sent, audio against video, what is sent

my @cases = (
    [ 'near_32_bits', $file, { ts_offset => 0xffffffff - 5000,
        absolute => 1 }, 0 ],
    [ 'equal_dts', $file, { equal_dts => 5 }, 0 ],
    [ 'cts_above_8s', $file, { cts_shift => 8500 }, -8.5 ],
    [ 'burst', $file, { burst => 5000, speed => 5 }, 0 ],
    [ 'jitter', $jitter, {}, 0 ],
    [ 'clumps', $clumps, {}, 0 ],
    [ 'sbr', $mono, {}, 0, $sbr ],
);

$t->start();

my @pubs = map {
    [ $_->[0], $t->start_publish($_->[4] || $_->[1], name => $_->[0],
        %{$_->[2]}) ]
} @cases;

is($_->[1]->wait(), 0, "$_->[0]: published") for @pubs;

for my $case (@cases) {
    my ($name, $flv, $opt, $shift, $sent) = @$case;

    for my $format (qw/ mp4 flv /) {
        my @files = $t->wait_recorded(1, name => $name, format => $format);

        is(scalar @files, 1, "$name: one $format");

        # what audio says of itself is not what it said at the source

        if ($sent) {
            same_frames([ frames($files[0], 'v') ], [ frames($flv, 'v') ],
                "$name: $format: video");

            my @was = times($flv, 'a');
            my $read = LiveRecord::read_through($files[0]);
            my @is = @{$read->{a}};
            my @off = grep {
                abs($is[$_] - $is[0] - $was[$_] + $was[0]) > 0.0025
            } 0 .. $#is;

            is(scalar @is, scalar @was, "$name: $format: frames of audio");
            is(scalar @off, 0, "$name: $format: times of audio");
            is($read->{said}, '', "$name: $format: ffprobe does not complain");

            next;
        }

        whole($_, $flv, "$name: $format", shift => $shift) for @files;
    }
}

# a clock that is only rounded is a steady one

my @steps = steps('near_32_bits');

is(scalar @steps, 1, 'one step in an mp4');
ok(abs($steps[0] - 1024 / 44100) < 1e-6, 'a frame long');

$t->done();

###############################################################################

sub altered {
    my ($flv, $name, $sub, $config) = @_;
    my @tags = flv_tags($flv);

    $sub->($_) for grep {
        flv_is_config($_) ? $config : !$config
    } grep { $_->{type} != 18 } @tags;

    return flv_write($t->dir() . "/$name.flv", @tags);
}

# different durations of audio

sub steps {
    my ($name) = @_;
    my ($mp4) = $t->mp4s($name);
    my $r = decode_json(LiveRecord::capture(undef, 'node',
        "$FindBin::Bin/lib/boxes.mjs", $mp4) || '{}');
    my ($audio) = grep { $_->{type} eq 'audio' } @{$r->{tracks}};
    my %is = map { $_->{duration} / $audio->{timescale} => 1 }
        @{$audio->{samples}};

    return keys %is;
}
