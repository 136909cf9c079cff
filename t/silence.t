#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# Publishers that are connected and silent for longer than the grace and a
# fragment: timers take over, and it goes on afterwards.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;
use Time::HiRes qw/ time /;

use lib "$FindBin::Bin/lib";
use LiveRecord;

###############################################################################

my $t = LiveRecord->new();

$t->configure('fragment 5s; grace 2s;', workers => 2);

my $file = media('short');
my @video = frames($file, 'v');
my @audio = packets($file, 'a');

$t->start();

# one that is frozen and goes on where it was, one whose timestamps went on
# meanwhile, one that says no more; and one that is frozen in an old worker

my %opt = (
    frozen => { seconds => 18 },
    jump => { seconds => 18, jump => '4000:12000' },
    over => { seconds => 4, end => 'hold' },
    old => { seconds => 18 },
);

my @names = sort keys %opt;
my %p = map { ($_, $t->start_publish($file, name => $_, speed => 1,
    %{$opt{$_}})) } @names;

# the jump lies in the silence

$_->wait_media(3600) for values %p;
$_->kill('STOP') for @p{qw/ frozen jump old /};

my $began = time();

my ($old) = map { /(\d+)#/ } $t->log(qr!"live/old" starts!);
$t->reload();

# neither has anything happened before the time of a fragment is over, nor
# after the grace

wait_for(sub { time() - $began >= 8 }, 10, 'the middle of the silence');

is(join(' ', map { scalar $t->fragments($_) } @names), '0 0 0 0',
    'no fragment is closed after 8 s');
is(scalar $t->log(qr/ pauses: /), 0, 'and no recording pauses');

wait_for(sub { !grep { $t->fragments($_) != 1 } @names }, 6,
    'the fragments to be closed');

cmp_ok(time() - $began, '>', 9, 'after ten seconds they are');

# what was sent before is in them

for (@names) {
    my @got = frames([ $t->fragments($_) ], 'v');
    cmp_ok(scalar @got, '>=', 80, "$_: video before the silence");

    # without the next one, those that refer to it are not as they were

    $#got -= 3;
    same_frames(\@got, [ @video[0 .. $#got] ], "$_: frames");
}

wait_for(sub { time() - $began >= 12.5 }, 20, 'the end of the silence');

is(scalar $t->log(qr/ pauses: /), 0, 'no recording pauses');

$_->kill('CONT') for @p{qw/ frozen jump old /};
$p{over}->kill('TERM');

is($p{$_}->wait(), 0, "$_: published") for @names;

for my $name (@names) {
    my @cycles = $t->wait_recorded(1, name => $name);

    is(scalar @cycles, 1, "$name: one recording");

    my @segments = @{parse_m3u8($cycles[0])->{segments}};
    my $last = $name eq 'over' ? 99 : 449;

    playlist_ok($cycles[0], "$name: playlist");
    same_frames([ frames([ segments_of($cycles[0]) ], 'v') ],
        [ @video[0 .. $last] ], "$name: video");

    my @a = packets([ segments_of($cycles[0]) ], 'a');
    same_frames(\@a, [ @audio[0 .. $#a] ], "$name: audio");
    cmp_ok(scalar @a, '>=', ($last + 1) / 25 * 44100 / 1024 - 3,
        "$name: all of the audio");

    is((grep { $_->{discontinuity} } @segments), $name eq 'jump' ? 1 : 0,
        "$name: discontinuities");
    cmp_ok(scalar @segments, '>', $name eq 'over' ? 0 : 2,
        "$name: it goes on in new fragments");

    is(scalar $t->log(qr!"live/$name" (?:starts|resumes)!), 1,
        "$name: all of it in one span");
}

like(join(' ', $t->log(qr!"live/old" pauses!)), qr/ $old#/,
    'a publisher keeps its worker for as long as it is silent');

wait_for(sub { $t->workers(all => 1) == 2 }, 10, 'the old workers to leave');

$t->done();

###############################################################################
