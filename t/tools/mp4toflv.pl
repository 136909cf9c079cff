#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# Rewrites an mp4 file made by ffmpeg (H.264 or HEVC, AAC) as FLV, because
# ffmpeg 5.1 cannot put HEVC into FLV.  HEVC gets codec id 12, the number that
# encoders used before there was a standard, or with --enhanced the FourCC of
# Enhanced RTMP (v1, "ExVideoTagHeader").

###############################################################################

use warnings;
use strict;

use Getopt::Long;

###############################################################################

my ($enhanced, $fourcc);

GetOptions('enhanced' => \$enhanced, 'fourcc=s' => \$fourcc)
    and @ARGV == 2
    or die "usage: mp4toflv.pl [--enhanced] [--fourcc XXXX] IN.mp4 OUT.flv\n";

my ($in, $out) = @ARGV;

open my $fh, '<:raw', $in or die "$in: $!\n";
my $file = do { local $/; <$fh> };
close $fh;

my @tracks = map { track($_) } boxes(child($file, 'moov'), 'trak');
my @tags;

for my $track (@tracks) {
    push @tags, $track->{kind} eq 'vide'
        ? video_tags($track) : audio_tags($track);
}

@tags = sort { $a->{ts} <=> $b->{ts} || $a->{order} <=> $b->{order} } @tags;

open my $w, '>:raw', $out or die "$out: $!\n";

my $flags = 0;
$flags |= $_->{kind} eq 'vide' ? 1 : 4 for @tracks;

print $w 'FLV', pack('CCNN', 1, $flags, 9, 0);

for my $tag (@tags) {
    my $n = length $tag->{body};

    print $w pack('C', $tag->{type}), substr(pack('N', $n), 1),
        substr(pack('N', $tag->{ts}), 1),
        pack('C', $tag->{ts} >> 24), "\0\0\0",
        $tag->{body}, pack('N', $n + 11);
}

close $w or die "$out: $!\n";

###############################################################################

# the payloads of all boxes of a type that lie directly in $data

sub boxes {
    my ($data, $type) = @_;
    my ($pos, @found) = (0);

    while ($pos + 8 <= length $data) {
        my ($size, $name) = unpack('Na4', substr($data, $pos, 8));
        my $head = 8;

        if ($size == 1) {
            $size = unpack('Q>', substr($data, $pos + 8, 8));
            $head = 16;
        }

        $size = length($data) - $pos if $size == 0;

        die "$in: a broken box\n" if $size < $head;

        push @found, substr($data, $pos + $head, $size - $head)
            if $name eq $type;

        $pos += $size;
    }

    return @found;
}

sub child {
    my ($data, @path) = @_;

    for (@path) {
        ($data) = boxes($data, $_);
        return unless defined $data;
    }

    return $data;
}

sub track {
    my ($trak) = @_;

    my $mdia = child($trak, 'mdia');
    my $kind = substr(child($mdia, 'hdlr'), 8, 4);
    return unless $kind eq 'vide' or $kind eq 'soun';

    my $mdhd = child($mdia, 'mdhd');
    my $scale = unpack('N', substr($mdhd, ord($mdhd) ? 20 : 12, 4));
    my $stbl = child($mdia, 'minf', 'stbl');

    my $stsd = substr(child($stbl, 'stsd'), 8);
    my $codec = substr($stsd, 4, 4);

    my $stsz = child($stbl, 'stsz');
    my ($same, $count) = unpack('x4NN', $stsz);
    my @sizes = $same ? ($same) x $count : unpack('x12N*', $stsz);

    my @dts = times_of(child($stbl, 'stts'));
    my @cts;

    if (my $ctts = child($stbl, 'ctts')) {
        my @runs = unpack('x8(Nl>)*', $ctts);

        while (my ($n, $offset) = splice @runs, 0, 2) {
            push @cts, ($offset) x $n;
        }
    }

    my %key;

    if (my $stss = child($stbl, 'stss')) {
        $key{$_ - 1} = 1 for unpack('x8N*', $stss);

    } else {
        $key{$_} = 1 for 0 .. $#sizes;
    }

    my @offsets = offsets_of($stbl, @sizes);
    my @samples;

    for my $i (0 .. $#sizes) {
        push @samples, {
            dts => ms($dts[$i], $scale),
            cts => ms($dts[$i] + ($cts[$i] || 0), $scale)
                - ms($dts[$i], $scale),
            key => $key{$i},
            data => substr($file, $offsets[$i], $sizes[$i]),
        };
    }

    return {
        kind => $kind, codec => $codec, entry => $stsd,
        samples => \@samples,
    };
}

sub times_of {
    my @runs = unpack('x8(NN)*', shift);
    my ($t, @dts) = (0);

    while (my ($n, $delta) = splice @runs, 0, 2) {
        for (1 .. $n) {
            push @dts, $t;
            $t += $delta;
        }
    }

    return @dts;
}

sub offsets_of {
    my ($stbl, @sizes) = @_;

    my $stco = child($stbl, 'stco');
    my @chunks = defined $stco ? unpack('x8N*', $stco)
        : unpack('x8(Q>)*', child($stbl, 'co64'));
    my @runs = unpack('x8(NNN)*', child($stbl, 'stsc'));
    my ($i, @offsets) = (0);

    while (my ($first, $n) = splice @runs, 0, 3) {
        my $end = @runs ? $runs[0] - 1 : @chunks;

        for my $chunk ($first .. $end) {
            my $pos = $chunks[$chunk - 1];

            for (1 .. $n) {
                last if $i > $#sizes;
                push @offsets, $pos;
                $pos += $sizes[$i++];
            }
        }
    }

    return @offsets;
}

sub ms {
    my ($t, $scale) = @_;
    return int($t * 1000 / $scale + 0.5);
}

sub video_tags {
    my ($track) = @_;

    # 8 bytes of box header, 78 of a visual sample entry
    my $boxes = substr($track->{entry}, 86);
    my ($config, $id) = $track->{codec} =~ /^hvc1|^hev1/
        ? (child($boxes, 'hvcC'), 12) : (child($boxes, 'avcC'), 7);

    die "$in: $track->{codec} is not supported\n" unless defined $config;

    my $name = $fourcc || ($id == 12 ? 'hvc1' : 'avc1');
    my $ex = $enhanced || $fourcc;

    my @tags = {
        type => 9, ts => 0, order => 0,
        body => ($ex ? pack('Ca4', 0x90, $name)
            : pack('CN', 0x10 | $id, 0)) . $config,
    };

    for my $s (@{$track->{samples}}) {
        my $frame = $s->{key} ? 1 : 2;
        my $cts = substr(pack('l>', $s->{cts}), 1);
        my $head;

        if (!$ex) {
            $head = pack('CC', $frame << 4 | $id, 1) . $cts;

        } elsif ($s->{cts}) {
            $head = pack('Ca4', 0x81 | $frame << 4, $name) . $cts;

        } else {
            $head = pack('Ca4', 0x83 | $frame << 4, $name);
        }

        push @tags, {
            type => 9, ts => $s->{dts}, order => 2,
            body => $head . $s->{data},
        };
    }

    return @tags;
}

sub audio_tags {
    my ($track) = @_;

    # 8 bytes of box header, 28 of an audio sample entry
    my $esds = substr(child(substr($track->{entry}, 36), 'esds'), 4);

    my @tags = {
        type => 8, ts => 0, order => 1,
        body => pack('CC', 0xaf, 0) . specific_config($esds),
    };

    for my $s (@{$track->{samples}}) {
        push @tags, {
            type => 8, ts => $s->{dts}, order => 3,
            body => pack('CC', 0xaf, 1) . $s->{data},
        };
    }

    return @tags;
}

# DecoderSpecificInfo out of ES_Descriptor (ISO/IEC 14496-1, 7.2.6)

sub specific_config {
    my ($data) = @_;
    my %skip = (3 => 3, 4 => 13);

    while (length $data) {
        my ($tag, $size) = (ord $data, 0);
        my $pos = 1;

        while (1) {
            my $byte = ord substr($data, $pos++, 1);
            $size = $size << 7 | $byte & 0x7f;
            last unless $byte & 0x80;
        }

        return substr($data, $pos, $size) if $tag == 5;

        $data = substr($data, $pos + ($skip{$tag} || $size));
    }

    die "$in: no AudioSpecificConfig\n";
}

###############################################################################
