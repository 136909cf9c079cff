#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# The whole path under valgrind: no errors, and no leaks of ours.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;

# the harness looks at it when it is loaded

BEGIN {
    plan(skip_all => 'valgrind is not installed')
        if system('valgrind --version >/dev/null 2>&1') != 0;

    $ENV{TEST_VALGRIND} = 1;
}

use lib "$FindBin::Bin/lib";
use LiveRecord;

###############################################################################

my $t = LiveRecord->new();

$t->configure('fragment 5s; grace 5s;');

my $file = media('short');
my @video = frames($file, 'v');
my @audio = packets($file, 'a');

$t->start();

# three parts: a clean end, a torn connection, and one that is there when
# nginx is told to stop

is($t->publish($file, seconds => 8, speed => 4), 0, 'published');
is($t->publish($file, start => 8000, seconds => 4, speed => 4, end => 'rst'),
    0, 'back, and torn');

my @cycles = $t->wait_recorded(1);

is(scalar @cycles, 1, 'one recording');
playlist_ok($_) for @cycles, $t->days();
same_frames([ frames([ segments_of(@cycles) ], 'v') ], [ @video[0 .. 299] ],
    'video');
is((grep { $_->{discontinuity} } @{parse_m3u8($cycles[0])->{segments}}), 1,
    'a discontinuity');

# what is under way when nginx stops is given back, too: a recording in its
# grace, and one that has a publisher

is($t->publish($file, seconds => 4, speed => 4, name => 'grace'), 0,
    'published');

my $p = $t->start_publish($file, seconds => 6, speed => 2, name => 'live');
$p->wait_media(2000);

ok($t->stop('QUIT'), 'nginx stops');
is($p->wait(), 0, 'after its publisher');

# the same without a delay

$t->start();

$p = $t->start_publish($file, seconds => 6, speed => 2, name => 'cut');
$p->wait_media(2000);

ok($t->stop('TERM'), 'nginx stops at once');
is($p->wait(), 4, 'before its publisher');

my @logs = glob $t->dir() . '/valgrind.*.log';

cmp_ok(scalar @logs, '>=', 4, 'masters and workers were looked at');

$t->done();

###############################################################################
