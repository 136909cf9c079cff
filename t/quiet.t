#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# Publishers without media leave nothing behind, and media that m3u8 cannot
# hold does not keep the rest from being recorded.

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

my $file = media('short');
my @video = frames($file, 'v');
my @audio = packets($file, 'a');

$t->start();

# nothing but metadata, and then the end of each kind

my %code = (clean => 0, fin => 0, rst => 0, kill => 137);

for my $end (sort keys %code) {
    is($t->publish($file, name => "none_$end", no_audio => 1, no_video => 1,
        seconds => 1, end => $end), $code{$end}, "published nothing: $end");
}

# video of a codec that nobody knows, sound that m3u8 cannot hold, and sequence
# headers that say so

my %other = (
    av01 => rewritten('av01', 9, sub {

        # Enhanced RTMP: packet type, then a FourCC
        my $kind = ord($_[0]) & 0xf0;
        my $packet = ord(substr $_[0], 1) == 0 ? 0 : 1;

        return chr($kind | 0x80 | $packet) . 'av01' . substr $_[0], 5;
    }),
    vp6 => rewritten('vp6', 9, sub {
        return chr(ord($_[0]) & 0xf0 | 4) . substr $_[0], 1;
    }),
    speex => rewritten('speex', 8, sub {
        return chr(0xb2) . substr $_[0], 2;
    }),
    aac960 => rewritten('aac960', 8, sub {
        return ord(substr $_[0], 1) ? $_[0] : "\xaf\0\x12\x14";
    }),
    avcc => rewritten('avcc', 9, sub {
        return ord(substr $_[0], 1) ? $_[0]
            : substr($_[0], 0, 5) . chr(2) . substr($_[0], 6);
    }),
);

my %p = map { $_ => $t->start_publish($other{$_}, name => $_, seconds => 12,
    speed => 4) } sort keys %other;

for my $name (sort keys %other) {
    my $log = wait_for(sub {
        my ($file) = files_in($t->spool() . "/live/$name",
            qr/record\.log$/);
        return $file && $t->spool() . "/live/$name/$file";
    }, 10, 'a recording');

    is($p{$name}->wait(), 0, "$name: published");

    # the grace keeps it here for a while

    my @errors = grep { $_->{event} eq 'error' } map { decode_json($_) }
        split /\n/, read_file($log);

    is(scalar @errors, 1, "$name: one error event");
    like($errors[0]{text}, $name eq 'aac960' ? qr/AAC \(.* of 960\)/
        : $name eq 'avcc' ? qr/H\.264 \(unknown version of avcC\)/
        : qr/$name/i, "$name: it names it");
}

for my $name (sort keys %other) {
    my @cycles = $t->wait_recorded(1, name => $name);
    my ($kind, @had) = $name =~ /speex|aac/ ? ('v', @video[0 .. 299])
        : ('a', @audio);
    my @segments = segments_of($cycles[0]);
    my @got = $kind eq 'v' ? frames(\@segments, 'v')
        : packets(\@segments, 'a');

    is(scalar @cycles, 1, "$name: one recording");
    playlist_ok($cycles[0], "$name: playlist");

    cmp_ok(scalar @got, '>=', $kind eq 'v' ? 300 : 515, "$name: the rest");
    same_frames(\@got, [ @had[0 .. $#got] ], "$name: as it was published");

    my %kinds = map { ($_->{codec_type}, 1) }
        @{probe($segments[0])->{streams}};

    is(join(' ', sort keys %kinds), $kind eq 'v' ? 'video' : 'audio',
        "$name: and nothing else");

    my $what = $kind eq 'v' ? 'audio' : 'video';

    is(scalar $t->log(qr/\[error\].*"live\/$name" has \S+ $what.*, which m3u8/),
        1, "$name: told once");
}

# nothing of those without media

is(join(' ', files_in($t->bucket(), qr/none_/)), '', 'nothing in the bucket');
is(join(' ', grep { /none_/ } glob $t->spool() . '/*/*'), '',
    'nothing in the spool');
is(scalar $t->log(qr/live record: .*none_/), 0, 'nothing in the log');

# only tracks that cannot be held: told, and no objects

is($t->publish($other{speex}, name => 'mute', seconds => 4, no_video => 1), 0,
    'published sound that cannot be held');

wait_for(sub { $t->log(qr/"live\/mute" starts/) && !$t->spooled('mute') },
    20, 'the end of the recording');

is(scalar $t->fragments('mute'), 0, 'no fragments of it');
is(scalar $t->cycles('mute'), 0, 'no playlist of it');
is(scalar $t->log(qr/\[error\].*"live\/mute\/[^"]+" has no object of fr/),
    1, 'the log says so');

$t->allow(qr/which m3u8 cannot hold/, qr/"live\/mute\/[^"]+" has no object/);
$t->done();

###############################################################################

# the same file with the bodies of one kind of tags changed

sub rewritten {
    my ($name, $type, $sub) = @_;
    my $in = read_file($file);
    my $out = substr $in, 0, 13;
    my $pos = 13;

    while ($pos + 15 <= length $in) {
        my ($t, $size) = (ord substr($in, $pos, 1),
            unpack('N', "\0" . substr $in, $pos + 1, 3));
        my $head = substr $in, $pos, 11;
        my $body = substr $in, $pos + 11, $size;

        $body = $sub->($body) if $t == $type;
        substr($head, 1, 3) = substr pack('N', length $body), 1;
        $out .= $head . $body . pack('N', 11 + length $body);
        $pos += 15 + $size;
    }

    write_file($t->dir() . "/$name.flv", $out);

    return $t->dir() . "/$name.flv";
}

###############################################################################
