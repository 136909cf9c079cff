#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# kill -9 of all workers, six times while a stream is published.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;
use Time::HiRes qw/ sleep /;

use lib "$FindBin::Bin/lib";
use LiveRecord;

###############################################################################

my $t = LiveRecord->new();

$t->configure('fragment 5s; grace 4s;', workers => 4);

my $file = media('short');
my @video = frames($file, 'v');
my @audio = packets($file, 'a');

$t->start();

# in real time: a part of four seconds, killed when most of it is sent

for my $i (0 .. 5) {
    my $p = $t->start_publish($file, start => 4000 * $i, seconds => 4,
        speed => 1, end => 'hold');

    $p->wait_media(3400);

    is($t->kill_workers() >= 4, 1, "kill $i");
    is($p->wait(), 4, 'the publisher lost its connection');
}

is($t->publish($file, start => 24000, speed => 1), 0, 'the rest');

my @cycles = $t->wait_recorded(1);
my ($day) = $t->days();

is(scalar @cycles, 1, 'one recording');

for my $list (@cycles, $day) {
    playlist_ok($list);

    my @segments = @{parse_m3u8($list)->{segments}};
    is((grep { $_->{discontinuity} } @segments), 6, 'discontinuities');

    # 0.6 s that were not sent when it was killed, and a second that was
    # still in memory; frames come in an order of their own, so that two
    # may be there among those that are lost

    my $lost_v = is_subsequence([ frames([ segments_of($list) ], 'v') ],
        \@video, 'video', runs => 18, missing => 6 * 50);
    my $lost_a = is_subsequence([ packets([ segments_of($list) ], 'a') ],
        \@audio, 'audio packets', runs => 6, missing => 6 * 86);

    my ($most) = sort { $b <=> $a } map { $_->[1] } @{$lost_v->{runs}};
    cmp_ok($most || 0, '<=', 50, 'frames lost by one kill');

    diag(sprintf 'lost by six kills: %.1f s of video, %.1f s of audio',
        $lost_v->{missing} / 25, $lost_a->{missing} * 1024 / 44100)
        if $ENV{TEST_VERBOSE};
}

# all of nginx, in mid-stream; a new start takes up what is in the spool

my $p = $t->start_publish($file, name => 'start', seconds => 10,
    speed => 5, end => 'hold');
$p->wait_event('holding');
sleep 2;

$t->kill_all();
is($p->wait(), 4, 'the publisher lost nginx');

$t->start();

my @start = $t->wait_recorded(1, name => 'start');

is(scalar @start, 1, 'the recording is finished by the next start');
playlist_ok($start[0]);
same_frames([ frames($start[0], 'v') ], [ @video[0 .. 249] ],
    'all of it was on disk after two seconds');

# a publisher that comes beside another one of its name waits up to a second
# for it to leave: what came meanwhile is on the disk at once when it no longer
# waits, and not a tick later

my $one = $t->start_publish($file, name => 'pair', seconds => 10, speed => 1,
    end => 'hold');
$one->wait_media(600);

my ($holder) = map { /(\d+)#/ } $t->log(qr!"live/pair" starts!);

kill 'STOP', $holder;
my $two = $t->start_publish($file, name => 'pair', start => 12000,
    seconds => 10, speed => 1, end => 'hold');
my $published = eval { $two->wait_event('published', 10) };
kill 'CONT', $holder;
die $@ unless $published;

wait_for(sub { $t->log(qr!"live/pair" starts!) == 2 }, 10,
    'the second recording');
sleep 0.1;
$t->kill_workers();

is($_->wait(), 4, 'the publisher lost its connection') for $one, $two;

my %second = map { $_ => 1 } @video[300 .. 549];
my ($n) = sort { $b <=> $a } map { scalar grep { $second{$_} }
    frames([ segments_of($_) ], 'v') } $t->wait_recorded(2, name => 'pair');

cmp_ok($n, '>=', 20, "frames of the second that it had waited with: $n");

$t->done();

###############################################################################
