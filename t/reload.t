#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# Eight publishers of one name on four workers, four reloads between.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;

use lib "$FindBin::Bin/lib";
use LiveRecord;

###############################################################################

my $t = LiveRecord->new();

$t->configure('fragment 5s; grace 5s;', workers => 4);

my $file = media('reload', seconds => 64);
my @video = frames($file, 'v');
my @audio = packets($file, 'a');

$t->start();

# a stream that lives through all of it in a worker of the first generation

my $long = $t->start_publish($file, name => 'long', speed => 4);
$long->wait_event('published');

for my $i (0 .. 7) {
    my @part = (start => 8000 * $i);

    # audio ends a little after the last picture
    push @part, seconds => 8 if $i < 7;

    my $p = $t->start_publish($file, @part, speed => 6,
        end => $i % 2 ? 'rst' : 'clean');

    # a reload while it is there, and one while it is away

    if ($i == 1 || $i == 5) {
        $p->wait_media(3000);
        $t->reload();
    }

    is($p->wait(), 0, "published $i");

    if ($i == 2 || $i == 6) {
        $t->reload();
    }
}

is($long->wait(), 0, 'published through four reloads');

my @cycles = $t->wait_recorded(1);

is(scalar @cycles, 1, 'one recording');
all_of($_, 7) for @cycles, $t->days();

my @long = $t->wait_recorded(1, name => 'long');

is(scalar @long, 1, 'one recording of the long one');
all_of($_, 0) for @long, $t->days('long');

# the old workers leave

wait_for(sub { $t->workers(all => 1) == 4 }, 20, 'old workers to leave');
is(scalar $t->workers(), 4, 'four workers');

$t->done();

###############################################################################

sub all_of {
    my ($list, $gaps) = @_;
    my @segments = @{parse_m3u8($list)->{segments}};

    playlist_ok($list);
    is((grep { $_->{discontinuity} } @segments), $gaps, 'discontinuities');

    same_frames([ frames([ segments_of($list) ], 'v') ], \@video, 'video');
    same_frames([ packets([ segments_of($list) ], 'a') ], \@audio,
        'audio packets');
}

###############################################################################
