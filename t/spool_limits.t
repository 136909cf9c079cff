#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# The spool has reached its max_size, or its disk its min_free: it never takes
# more, publishers do not notice, and it goes on by itself.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;
use JSON::PP qw/ decode_json /;
use List::Util qw/ sum0 max /;
use Time::HiRes qw/ sleep time /;

use lib "$FindBin::Bin/lib";
use LiveRecord;
use LiveRecord::Parts;

###############################################################################

plan(skip_all => 'only root can shut a bucket and mount a disk') if $> != 0;

my @mounts;

END {
    system("umount -l $_ 2>/dev/null") for @mounts;
}

# 3 Mbit/s

my $heavy = media('heavy', seconds => 60, gop => 1, size => '640x360',
    bitrate => '3000k', x264 => 'nal-hrd=cbr');
my $m = 1024 * 1024;

side_by_side(
    many => \&many,
    start => \&start,
    disk => \&disk,
    others => \&others,
);

###############################################################################

# 20 streams of two workers, of two generations in the end; nothing can be
# stored until all of them have reached the limit twice

sub many {
    my $t = LiveRecord->new();
    my $n = 20;

    configure($t, spool => 'max_size=64m', workers => 2)->start();
    shut($t);

    my $p = $t->run(LiveRecord::tool('rtmpload'), '-f', $heavy, '-n', $n,
        '-t', 20, '-p', $t->port(), '--name', 's%d', '--no-stagger',
        '--ramp-ms', 500);

    my $most = most($t, sub { lost($t, 'max_size') >= $n });

    cmp_ok($most, '<=', 64 * $m, 'not more than the limit is in the spool');
    cmp_ok($most, '>=', 60 * $m, '... and not much less');
    numbers($t, 'max_size', 64 * $m, 64 * $m);

    # a new limit counts for the workers of before, which have the publishers

    configure($t, spool => 'max_size=96m', workers => 2);
    $t->reload();

    $most = most($t, sub { lost($t, 'max_size') >= 2 * $n });

    is(scalar went_on($t), $n, 'a new limit counts at once');
    cmp_ok($most, '<=', 96 * $m, 'not more than the new limit');
    cmp_ok($most, '>=', 90 * $m, '... and not much less');

    unshut($t);
    is($p->wait(), 0, 'no publisher is dropped');

    # what was taken is there, and what was not is told

    my @files = map { my $i = $_; eval {
        ($t->wait_recorded(1, name => "s$i", seconds => 60))[0]
    } || () } 0 .. $n - 1;

    is(scalar @files, $n, 'a recording of each');
    is(scalar went_on($t) + lost_at_end($t), 2 * $n,
        'each error, and each end of it');

    my @sent = packets($heavy, 'a');

    for my $i (0 .. $#files) {
        my @got = packets([ segments_of($files[$i]) ], 'a');
        my $missing = is_subsequence(\@got, \@sent, "s$i: audio", runs => 3);

        playlist_ok($files[$i]) if $i < 3;
        cmp_ok($missing->{missing}, '>', 10, "s$i: some is missing");
    }

    finish($t, qr/loses frames: the spool has reached its max_size: /,
        qr/has lost \d+ frames at its end: the spool has reached its max/,
        qr/bucket "local" refuses/);
}

# what is in the spool at the start counts, and who comes then is recorded
# when there is room

sub start {
    my $t = LiveRecord->new();

    configure($t, spool => 'max_size=70m', grace => '1s')->start();
    shut($t);

    my $p = $t->start_publish([ ($heavy) x 4 ], speed => 40);

    wait_for(sub { lost($t, 'max_size') }, 30, 'the spool to be full');
    is($p->wait(), 0, 'the publisher is not dropped');

    my ($error) = journal($t, 'test', 'error');

    like($error->{text}, qr/^the spool has reached its max_size$/,
        'the journal says why');

    $t->stop('TERM');
    configure($t, spool => 'max_size=64m', grace => '1s')->start();

    $p = $t->start_publish($heavy, name => 'late', speed => 4);

    wait_for(sub { $t->log(qr/"live\/late" is not recorded for now: the /
        . qr/spool has reached its max_size: "[^"]+" takes \d+ bytes of /) },
        10, 'the refusal');
    cmp_ok(used($t), '<=', 70 * $m, 'nothing more is taken');
    is(scalar $t->spooled('late'), 0, 'nothing is made of it');

    unshut($t);
    wait_for(sub { $t->log(qr/"live\/late" goes on/) }, 40, 'the late one');
    is($p->wait(), 0, 'the late one is not dropped');

    my ($list) = $t->wait_recorded(1, name => 'late', seconds => 40);
    my @got = frames([ segments_of($list) ], 'v');
    my @sent = frames($heavy, 'v');

    playlist_ok($list);
    cmp_ok(scalar @got, '>', 250, 'a good part of it is recorded');
    same_frames(\@got, [ @sent[-@got .. -1] ], 'the rest of it');

    $t->wait_recorded(1, seconds => 40);

    finish($t, qr/loses frames: the spool has reached its max_size: /,
        qr/has lost \d+ frames at its end: the spool has reached its max/,
        qr/is not recorded for now: the spool has reached its max_size: /,
        qr/bucket "local" refuses/);
}

# a disk of 16 MB, of which a sixteenth is to be left

sub disk {
    my $t = LiveRecord->new();

    mount($t, '16m');
    configure($t)->start();
    shut($t);

    my $began = time();
    my $p = $t->start_publish($heavy, speed => 3);

    my $least = 16 * $m - most($t, sub { lost($t, 'min_free') });

    cmp_ok($least, '>=', $m, 'not less is free than is to be left');
    cmp_ok($least, '<=', 2 * $m, '... and not much more');
    numbers($t, 'min_free', $m, $m);

    unshut($t);
    wait_for(sub { went_on($t) }, 20, 'it to go on');

    is($p->wait(), 0, 'the publisher is not dropped');
    cmp_ok(abs(time() - $began - 20), '<', 3, 'nor slowed');

    my @lost = journal($t, 'test', 'lost');
    my ($list, @more) = $t->wait_recorded(1, seconds => 60);

    playlist_ok($list);
    is(scalar @more, 0, 'one recording');
    counted($list, \@lost);

    is(scalar $t->log(qr/No space left/), 0, 'the disk was never full');

    finish($t, qr/loses frames: the disk of the spool has reached its min_/,
        qr/bucket "local" refuses/);
}

# somebody else fills the disk, to the last byte, and makes room again

sub others {
    my $t = LiveRecord->new();
    my $dir = mount($t, '16m');

    configure($t, spool => 'min_free=4m')->start();

    my $p = $t->start_publish($heavy, speed => 3);

    $p->wait_media(6000);
    system("dd if=/dev/zero of='$dir/.filler' bs=64k 2>/dev/null");
    wait_for(sub { lost($t, '.*') }, 10, 'frames to be lost');
    sleep 1;
    unlink "$dir/.filler";
    wait_for(sub { went_on($t) }, 15, 'it to go on');

    is($p->wait(), 0, 'the publisher is not dropped');

    my @lost = journal($t, 'test', 'lost');
    my ($list, @more) = $t->wait_recorded(1, seconds => 60);

    playlist_ok($list);
    is(scalar @more, 0, 'one recording');
    counted($list, \@lost);

    finish($t, qr/"live\/test" loses frames: /,
        qr/in the spool: .*No space left.*; it is tried again/);
}

###############################################################################

sub configure {
    my ($t, %opt) = @_;
    my $spool = $opt{spool} || '';
    my $workers = $opt{workers} || 1;
    my $grace = $opt{grace} || '4s';

    return $t->write_conf(<<"EOF_CONF");
%%GLOBALS%%

worker_processes $workers;

events {
    worker_connections 64;
}

rtmp {
    live_record_spool %%TESTDIR%%/spool $spool;
    live_record_bucket local { type dir; root %%TESTDIR%%/bucket; }

    server {
        listen 127.0.0.1:%%PORT%%;
        ping 0;

        application live {
            live on;

            live_record * {
                bucket local;
                fragment 5s;
                grace $grace;
            }
        }
    }
}
EOF_CONF
}

# no fragment can be written to the bucket

sub shut {
    my ($t) = @_;
    my $dir = $t->bucket() . '/record';

    mkdir $dir or die "$dir: $!\n";
    chmod 0500, $dir;
}

# a reload has it tried at once

sub unshut {
    my ($t) = @_;
    my (undef, undef, $uid, $gid) = getpwnam 'www-data';
    my $dir = $t->bucket() . '/record';

    chown $uid, $gid, $dir;
    chmod 0755, $dir;
    $t->reload();
}

sub mount {
    my ($t, $size) = @_;
    my $dir = $t->spool();

    mkdir $dir or die "$dir: $!\n";

    if (system("mount -t tmpfs -o size=$size,uid=\$(id -u www-data),"
        . "gid=\$(id -g www-data),mode=0700 tmpfs '$dir'") != 0)
    {
        plan(skip_all => 'nothing can be mounted here');
    }

    push @mounts, $dir;

    return $dir;
}

sub finish {
    my ($t, @allow) = @_;

    ok($t->stop(), 'nginx stops');

    while (@mounts) {
        my $dir = pop @mounts;
        system("umount '$dir' 2>/dev/null || umount -l '$dir'");
    }

    $t->allow(@allow);
    $t->done();
}

# what files take on the disk

sub used {
    my ($t) = @_;
    my $spool = $t->spool();

    return sum0 map { 512 * ((lstat "$spool/$_")[12] || 0) }
        files_in($spool);
}

# the most they take until something is so, and a second more

sub most {
    my ($t, $sub) = @_;
    my ($most, $until) = (0, time() + 40);
    my $since;

    while (!$since || time() - $since < 1) {
        $since ||= time() if $sub->();
        $most = max($most, used($t));
        sleep 0.02;
        die "waited in vain for a full spool\n" if time() > $until;
    }

    return $most;
}

sub lost {
    my ($t, $why) = @_;
    my @lines = $t->log(qr/\[error\].*loses frames: .*$why/);
    return @lines;
}

sub went_on { return shift->log(qr/\[notice\].*" goes on, /) }
sub lost_at_end { return shift->log(qr/\[error\].*frames at its end/) }

# the log tells what is there, with all that waits, and the limit

sub numbers {
    my ($t, $what, $limit, $is) = @_;
    my ($line) = lost($t, $what);
    my $re = $what eq 'max_size'
        ? qr/max_size: "[^"]+" takes (\d+) bytes of (\d+)/
        : qr/min_free: (\d+) bytes are free for "[^"]+", (\d+) have/;
    my ($n, $of) = $line =~ $re;

    is($of, $limit, 'the log tells the limit');
    cmp_ok(abs($n - $is), '<', $m / 4, 'and how near it is');
}

sub journal {
    my ($t, $name, $event) = @_;
    my $dir = $t->spool() . "/live/$name";

    my $text = wait_for(sub {
        my ($file) = files_in($dir, qr/record\.log$/) or return;
        my $read = eval { read_file("$dir/$file") } || '';
        return $read =~ /"unpublish"/ && $read;
    }, 10, 'the end of the publish');

    return grep { $_->{event} eq $event } map { decode_json($_) }
        split /\n/, $text;
}

# what is missing is what was counted

sub counted {
    my ($list, $lost) = @_;
    my @segments = segments_of($list);
    my $video = is_subsequence([ map { frames($_, 'v') } @segments ],
        [ frames($heavy, 'v') ], 'video', runs => 3 * @$lost);
    my $audio = is_subsequence([ packets(\@segments, 'a') ],
        [ packets($heavy, 'a') ], 'audio', runs => scalar @$lost);

    cmp_ok($video->{missing}, '>', 10, 'some is missing');
    is(sum0(map { $_->{frames} } @$lost),
        $video->{missing} + $audio->{missing}, 'it is counted');
}

###############################################################################
