#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# A real player goes through recordings with a gap in them, and a change.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;

use lib "$FindBin::Bin/lib";
use LiveRecord;

###############################################################################

my $t = LiveRecord->new();

$t->configure('fragment 5s; grace 3s;');

my $file = media('short');

$t->start();

is($t->publish($file, seconds => 16, speed => 10), 0, 'before the gap');
sleep 1;
is($t->publish($file, start => 16000, speed => 10), 0, 'after the gap');

my @cycles = $t->wait_recorded(1);

# another recording of the same day

is($t->publish($file, seconds => 10, speed => 10), 0, 'once more');

$t->wait_recorded(2);

my ($day) = $t->days();

is((grep { $_->{discontinuity} } @{parse_m3u8($day)->{segments}}), 2,
    'two discontinuities');

plays($day, 30 + 10, 1000, 2);
plays($cycles[0], 30, 750, 1);

# another size and another rate of sampling, with nothing missing

my $other = media('player_other', size => '480x270', channels => 1,
    rate => 48000, seconds => 12);

is($t->publish([ media('player_first', seconds => 12), $other ],
    name => 'changes', speed => 10), 0, 'changes: published');

my ($changes) = $t->wait_recorded(1, name => 'changes');

plays($changes, 24, 600, 1);

# as a relay of nginx-rtmp sends it: audio at once, and video from the next key
# frame on, its sequence header with it, after more than a fragment

my ($config, @late);

for my $tag (flv_tags($file)) {
    next if $tag->{type} == 9 && ($tag->{ts} < 7000 || flv_is_config($tag))
        and (flv_is_config($tag) ? $config = $tag : 1);

    next if $tag->{type} == 9 && !grep { $_->{type} == 9 } @late
        and ord($tag->{body}) >> 4 != 1;

    push @late, { %$config, ts => $tag->{ts} }
        if $tag->{type} == 9 && !grep { $_->{type} == 9 } @late;

    push @late, $tag if $tag->{type} != 18;
}

my $late = flv_write($t->dir() . '/late.flv', @late);
my @shown = frames($late, 'v');

is($t->publish($late, name => 'late', speed => 10), 0, 'late: published');

my ($relayed) = $t->wait_recorded(1, name => 'late');

same_frames([ frames($relayed, 'v') ], \@shown, 'late: video of the playlist');
plays($relayed, 30, scalar @shown, 0);

$t->done();

###############################################################################

sub plays {
    my ($list, $seconds, $frames, $discontinuities) = @_;
    my $name = substr $list, 1 + length $t->bucket();

    my $p = $t->run('node', "$FindBin::Bin/lib/play.mjs", $t->bucket(),
        $name, '--rate', 4, '--timeout', 100);

    is($p->wait(120), 0, "$name: played");

    my $r = decode_json($p->out() || '{}');

    ok($r->{ended}, "$name: to its end");
    # a machine that is busy may let the player wait, which is no error

    is(join('; ', grep { !/bufferStalledError/ || /fatal/ }
        @{$r->{errors} || [ 'no answer' ]}), '', "$name: no errors");

    # the player may decode a few pictures twice until it has settled where
    # the first one is shown; that none is lost is what other tests compare

    my $shown = $r->{totalVideoFrames} || 0;

    cmp_ok($shown, '>=', $frames, "$name: frames");
    cmp_ok($shown, '<=', $frames + 10, "$name: no more frames");

    is($r->{discontinuities}, $discontinuities, "$name: discontinuities");
    cmp_ok(abs(($r->{duration} || 0) - $seconds), '<', 1,
        "$name: duration");

    diag($p->err()) unless $r->{ended};
}

###############################################################################
