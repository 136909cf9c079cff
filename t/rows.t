#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# What the tables of fragments say of each message, judged by its NAL units:
# an mp4's tables are drawn from these rows when the media is gone.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;

use lib "$FindBin::Bin/lib";
use LiveRecord;

###############################################################################

my $t = LiveRecord->new();

$t->configure('fragment 5s; grace 1s;');

my @small = (seconds => 12, size => '160x90');
my $slices = media('rows_slices', @small, x264 => 'slices=4:aud=1');
my $mp3 = media('rows_mp3', @small, audio => 'mp3');
my $hevc = media('rows_hevc', @small, video => 'hevc');
my $hvc1 = media('rows_hvc1', @small, video => 'hevc', enhanced => 1);
my $open = media('rows_open', @small, x264 => 'open-gop=1:b-adapt=0');
my $hevc_open = media('rows_hevc_open', @small, video => 'hevc',
    x265 => 'open-gop=1:b-adapt=0');
my $apart = $t->dir() . '/apart.flv';

write_file($apart, take_apart(read_file(source($slices))));

# name, file, how it is sent, flags that there have to be

my @cases = (
    [ 'slices', $slices, {}, 0x40, 0x80 ],
    [ 'nal_2', $slices, { nal_length => 2, no_audio => 1 }, 0x80 ],
    [ 'split_sei', $slices, { split_sei => 1 }, 0x10, 0x80 ],
    [ 'apart', $apart, { chunk => 128 }, 0x10, 0x20, 0x80 ],
    [ 'mp3', $mp3, {}, 0x00, 0x80 ],
    [ 'hevc', $hevc, {}, 0x80 ],
    [ 'hvc1', $hvc1, {}, 0x80, 0xc0 ],
    [ 'open', $open, {}, 0x08, 0x80 ],
    [ 'hevc_open', $hevc_open, {}, 0x08, 0x80 ],
);

# the bucket takes nothing, so all stays in the spool

mkdir $t->bucket();
chmod 0777, $t->bucket();
write_file($t->bucket() . '/record', '');
$t->allow(qr/bucket "local"/, qr/record/);
$t->start();

my @pubs = map {
    my ($name, $file, $opt) = @$_;
    [ $name, $t->start_publish($file, name => $name, %$opt) ];
} @cases;

is($_->[1]->wait(), 0, "$_->[0]: published") for @pubs;

for my $case (@cases) {
    my ($name, undef, undef, @flags) = @$case;

    wait_for(sub { journal($name) =~ /"unpublish"/ }, 10, "$name: its end");
    rows_ok($name, 2, @flags);
}

# a fragment whose recorder was killed gets the same rows

my $p = $t->start_publish($apart, name => 'killed', speed => 5,
    end => 'hold');
$p->wait_media(8);
sleep 2;
$t->kill_all();
$p->end();
$t->start();

wait_for(sub { journal('killed') =~ /"unpublish"/ }, 20, 'killed: mended');
rows_ok('killed', 2, 0x10, 0x20);

$t->done();

###############################################################################

# all rows of a recording's tables are what its messages say

sub rows_ok {
    my ($name, $least, @flags) = @_;
    my $dir = directory($name);
    my %table = tables(read_file("$dir/000001.idx"));
    my ($rows, %seen, @bad) = (0);

    for my $number (sort { $a <=> $b } keys %table) {
        my $flv = read_file(sprintf '%s/%06d.flv', $dir, $number);
        my $want = judge($flv);
        my $got = $table{$number};

        push @bad, "$number: " . @$got . ' rows, ' . @$want . ' tags'
            if @$got != @$want;

        for my $i (0 .. $#$want) {
            my ($flags, $header) = @{$want->[$i]};
            my $is = $got->[$i];

            $rows++;
            $seen{$_}++ for grep { $_ < 0x40 ? $is & $_ : ($is & 0xc0) == $_ }
                0x08, 0x10, 0x20, 0x40, 0x80, 0xc0;
            $seen{0}++ if ($is & 0xc0) == 0;

            push @bad, sprintf '%d: row %d is %#x, not %#x', $number, $i,
                $is, $flags if $is != $flags;
            push @bad, "$number: row $i, header"
                if (1, 2, 5, 8)[$is >> 6] != $header;
        }
    }

    is(scalar @bad, 0, "$name: $rows rows")
        or diag(join "\n", @bad[0 .. ($#bad < 9 ? $#bad : 9)]);
    cmp_ok(scalar keys %table, '>=', $least, "$name: of all fragments");
    ok($seen{$_}, sprintf '%s: some with %#x', $name, $_) for @flags;
}

sub directory {
    my ($name) = @_;
    my ($dir) = glob $t->spool() . "/live/$name/*";
    return $dir;
}

sub journal {
    my ($name) = @_;
    return read_file(directory($name) . '/record.log');
}

# number => flags of its rows, from a file of tables

sub tables {
    my ($p) = @_;
    my %table;

    while (length $p) {
        my ($magic, $version, $size, $number, $n)
            = unpack 'a4 S S L L', substr $p, 0, 16, '';

        die "table of version $version\n"
            if $magic ne 'LRIX' || $version != 2 || $size != 16;

        $table{$number} = [ map { (unpack 'l L L L', $_)[3] >> 24 }
            unpack "(a16)$n", substr $p, 0, $n * 16, '' ];
    }

    return %table;
}

# [ flags, bytes before the payload ] of each tag

sub judge {
    my ($p) = @_;
    my ($size, $hevc, $picture, $waits);
    my @rows;

    for my $tag (tags($p)) {
        my ($type, $body) = @$tag;
        my ($b0, $b1) = unpack 'C C', $body;

        if ($type == 8) {
            my $aac = $b0 >> 4 == 10;
            push @rows, [ ($aac ? 0x40 : 0) | ($aac && $b1 == 0 ? 4 : 2),
                $aac ? 2 : 1 ];
            next;
        }

        my $ex = $b0 & 0x80;
        my $header = $ex && ($b0 & 15) == 1 ? 8 : 5;
        my $flags = 1 | ($header == 8 ? 0xc0 : 0x80);
        my $payload = substr $body, $header;

        if ($ex ? ($b0 & 15) == 0 : $b1 == 0) {
            $hevc = $ex || ($b0 & 15) == 12;
            $size = 1 + (3 & ord substr $payload, $hevc ? 21 : 4, 1);
            ($picture, $waits) = ();
            push @rows, [ $flags | 4, $header ];
            next;
        }

        $flags |= 2 if ($b0 >> 4 & 7) == 1;

        my @nals = nals($payload, $size);
        my @types = map { $hevc ? ord($_) >> 1 & 63 : ord($_) & 31 } @nals;
        my ($slice) = grep { $hevc ? $types[$_] < 32
            : $types[$_] >= 1 && $types[$_] <= 5 } 0 .. $#nals;

        if (!defined $slice) {
            $flags |= 0x10;
            $waits = 1 if grep { $_ != ($hevc ? 35 : 9) } @types;

        } elsif (!$picture || $waits
            || ord(substr $nals[$slice], $hevc ? 2 : 1, 1) & 0x80)
        {
            my $n = $types[$slice];

            ($picture, $waits) = (1);
            $flags |= 8 if $hevc ? $n == 8 || $n == 9
                || ($flags & 2 && ($n < 16 || $n > 23))
                : $flags & 2 && $n != 5;

        } else {
            $flags |= 0x20;
        }

        push @rows, [ $flags, $header ];
    }

    return \@rows;
}

# [ type, body, time ] of each tag of audio and video

sub tags {
    my ($p) = @_;
    my ($pos, @tags) = 13;

    while ($pos + 15 <= length $p) {
        my ($type, $high, $low, $t, $ext)
            = unpack 'C C n a3 C', substr $p, $pos, 8;
        my $size = $high << 16 | $low;

        push @tags, [ $type, substr($p, $pos + 11, $size),
            $ext << 24 | unpack 'N', "\0$t" ] if $type != 18;
        $pos += 15 + $size;
    }

    return @tags;
}

sub nals {
    my ($p, $size) = @_;
    my @nals;

    while (length $p) {
        my $n = unpack 'N', "\0" x (4 - $size) . substr $p, 0, $size, '';
        push @nals, substr $p, 0, $n, '';
    }

    return @nals;
}

# an FLV file whose messages hold one NAL unit each

sub take_apart {
    my ($p) = @_;
    my $out = substr $p, 0, 13;

    for my $tag (tags($p)) {
        my ($type, $body, $time) = @$tag;
        my @bodies = ($body);

        @bodies = map { substr($body, 0, 5) . pack 'N/a*', $_ }
            nals(substr($body, 5), 4)
            if $type == 9 && ord(substr $body, 1, 1) == 1;

        $out .= pack('C', $type) . substr(pack('N', length $_), 1)
            . substr(pack('N', $time), 1) . pack('C', $time >> 24) . "\0\0\0"
            . $_ . pack('N', 11 + length $_) for @bodies;
    }

    return $out;
}
