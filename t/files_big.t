#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# mp4 and flv files above 4 GiB: places in them, and seeking to their end.
# They are made of a recording that the test puts into the spool, in files
# with holes: every picture has most of a megabyte of filler data behind it.

###############################################################################

use warnings;
use strict;

use File::Path qw/ make_path /;
use Test::More;
use Time::HiRes qw/ time /;
use FindBin;

use lib "$FindBin::Bin/lib";
use LiveRecord;

###############################################################################

use constant GIB4 => 1 << 32;

my $t = LiveRecord->new();

# one file after the other, as one is large enough

my ($free) = (split ' ', (split /\n/, LiveRecord::capture(undef, 'df', '-Pk',
    $t->dir()))[-1])[3];

plan(skip_all => 'less than 8 GB are free') if $free < 8e6;

$t->configure('format mp4 flv; grace 1s;', workers => 2);

my $short = media('short');
my @frames = frames($short, 'v');
my @tags = grep { ($_->{type} == 8 || $_->{type} == 9)
    && !LiveRecord::flv_is_end($_) && $_->{ts} < 30000 } flv_tags($short);

$t->start();

for my $format (qw/ mp4 flv /) {
    spool($format, 7);

    my ($big) = $t->wait_recorded(1, name => $format, format => $format,
        seconds => 90);

    is(scalar $t->log(qr/quarantine/), 0, "$format: it was understood");

    my $size = -s $big;

    cmp_ok($size, '>', GIB4, "$format: above 4 GiB");

    my $info = probe($big);
    my ($video) = grep { $_->{codec_type} eq 'video' } @{$info->{streams}};
    my $duration = $info->{format}{duration};

    is($info->{format}{size}, $size, "$format: size");

    # at the beginning, over the 4 GiB, and to the end

    for my $from (0.5, $duration * GIB4 / $size - 1, $duration - 4) {
        pictures($big, $video->{start_time}, $from,
            sprintf('%s: from %.1f s', $format, $from));
    }

    $format eq 'mp4' ? boxes($big) : positions($big);

    # before the disk has it
    unlink $big;
}

$t->done();

###############################################################################

# a recording of so many fragments, half a minute each, that has ended

sub spool {
    my ($format, $n) = @_;
    my $id = '20260301-120000-0123456789';
    my $making = $t->dir() . "/$format";
    my $dir = "$making/$id";
    my $start = int(time() * 1000) - 3600000;
    my @log = (
        { event => 'start', version => 1, id => $id, time => $start },
        { event => 'publish', time => $start, media => 0 },
    );

    make_path($dir);

    write_file("$dir/template.json", encode_json({
        version => 1, app => 'live', stream => $format,
        domain => '127.0.0.1', scope => '', bucket => 'local',
        path => 'record/{AppName}/{StreamName}/'
            . '{EscapedStartTime}_{EscapedEndTime}',
        fragment_path => 'record/{AppName}/{StreamName}/'
            . '{UnixTimestamp}_{Sequence}',
        index_path => '{AppName}/{StreamName}/{Date}.m3u8',
        timezone => 'utc', formats => $format eq 'mp4' ? 2 : 4,
        cycle => 21600000, fragment => 30000, grace => 1000,
    }));

    for my $i (0 .. $n - 1) {
        my $bytes = padded(sprintf('%s/%06d.flv', $dir, $i + 1), $i);

        push @log, { event => 'open', file => $i + 1, cycle => 0,
            base => $i * 30000, media => $i * 30000,
            wall => $start + $i * 30000, discontinuity => JSON::PP::false };
        push @log, { event => 'close', file => $i + 1, duration => 30000,
            bytes => $bytes, rows => scalar @tags,
            independent => JSON::PP::true };
    }

    push @log, { event => 'unpublish', time => $start + $n * 30000,
        why => 'unpublished' };
    push @log, { event => 'end', time => $start + $n * 30000 + 1000 };

    write_file("$dir/record.log", join '', map { encode_json($_) . "\n" }
        @log);

    system('chown', '-R', 'www-data:', $making) if $> == 0;

    make_path($t->spool() . '/live');
    system('chown', 'www-data:', $t->spool() . '/live') if $> == 0;

    rename $making, $t->spool() . "/live/$format" or die "rename: $!\n";
}

# writes a fragment, with holes, and gives its length

sub padded {
    my ($file, $seed) = @_;
    my $pos = 13;

    open my $fh, '>:raw', $file or die "$file: $!\n";
    print $fh 'FLV', pack('CCNN', 1, 5, 9, 0);

    for (@tags) {
        my $more = '';
        my $hole = 0;

        if ($_->{type} == 9 && !flv_is_config($_)) {
            $hole = 785000 + $seed++ * 7919 % 100000;
            $more = pack 'NC', $hole + 2, 12;
        }

        my $n = length($_->{body}) + length($more) + $hole
            + ($hole ? 1 : 0);

        print $fh pack('C', $_->{type}), substr(pack('N', $n), 1),
            substr(pack('N', $_->{ts}), 1), "\0\0\0\0", $_->{body}, $more;

        if ($hole) {
            seek $fh, $hole, 1;
            print $fh "\x80";
        }

        print $fh pack('N', $n + 11);
        $pos += 11 + $n + 4;
    }

    close $fh or die "$file: $!\n";

    return $pos;
}

# two seconds are the pictures that they have to be

sub pictures {
    my ($big, $start, $from, $name) = @_;
    my $out = LiveRecord::capture(undef, 'ffmpeg', '-nostdin', '-v', 'error',
        '-ss', $from, '-copyts', '-i', $big, '-map', '0:v:0', '-frames:v', 50,
        '-fps_mode', 'passthrough', '-f', 'framemd5', '-');

    my ($num, $den) = $out =~ m!^#tb 0: (\d+)/(\d+)!m;
    my (@got, @expected, $first);

    for (split /\n/, $out) {
        my ($pts, $md5) = /^\d+,[^,]*,\s*(\d+),.*\b([0-9a-f]{32})\b/ or next;
        my $time = $pts * $num / $den - $start;

        $first = $time unless defined $first;
        push @got, $md5;
        push @expected, $frames[int($time * 25 + 0.5) % @frames];
    }

    is(scalar @got, 50, "$name: pictures");
    cmp_ok(abs($first + $start - $from), '<', 0.15, "$name: at that time");
    same_frames(\@got, \@expected, "$name: the right ones");
}

sub boxes {
    my ($mp4) = @_;

    open my $fh, '<:raw', $mp4 or die "$mp4: $!\n";
    my ($pos, $moov, @types) = (0);

    while ($pos < -s $mp4) {
        seek $fh, $pos, 0;
        read $fh, my $head, 16;

        my ($size, $type, $large) = unpack 'Na4Q>', $head;
        push @types, $size == 1 ? "$type of 64 bits" : $type;

        if ($type eq 'moov') {
            seek $fh, $pos, 0;
            read $fh, $moov, $size;
        }

        $pos += $size == 1 ? $large : $size;
    }

    is($pos, -s $mp4, 'mp4: boxes are as long as the file');
    like("@types", qr/^ftyp moov (?:free )?mdat of 64 bits$/, 'mp4: boxes');

    my $tracks = () = $moov =~ /trak/g;
    my $wide = () = $moov =~ /co64/g;

    is($wide, $tracks, 'mp4: places of 64 bits in all tracks');
}

sub positions {
    my ($flv) = @_;
    my $meta = flv_meta($flv);
    my @at = @{$meta->{keyframes}{filepositions}};
    my @times = @{$meta->{keyframes}{times}};
    my $high = grep { $_ > GIB4 } @at;

    is($meta->{filesize}, -s $flv, 'flv: filesize');
    cmp_ok($high, '>', 1, 'flv: positions above 4 GiB');

    open my $fh, '<:raw', $flv or die "$flv: $!\n";
    my @bad;

    for (0 .. $#at) {
        seek $fh, $at[$_], 0;
        read $fh, my $head, 13;

        my ($type, $ts, $low, $high, $first) = unpack 'Cx3nCCx3C', $head;

        push @bad, $_ if $type != 9 || $first != 0x17
            || abs(($high << 24 | $ts << 8 | $low) - $times[$_] * 1000) > 0.5;
    }

    is(scalar @bad, 0, 'flv: key frames are where the table says')
        or diag("not number @bad");
    cmp_ok($times[-1], '>', $meta->{duration} - 2.5,
        'flv: the table goes to the end');
}
