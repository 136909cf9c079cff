#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# Memory that is not there at the worst moments: for the table of a fragment,
# which grows; for frames that wait for an answer on demand; and for the end of
# a publish, of which nothing may be left that would keep the stream, or the
# worker.

###############################################################################

use warnings;
use strict;

use Fcntl;
use Test::More;
use FindBin;

use lib "$FindBin::Bin/lib";
use LiveRecord;

###############################################################################

my $t = LiveRecord->new();
my $so = $t->dir() . '/nomemory.so';
my $control = $t->dir() . '/control';
my $answer = $t->dir() . '/answer';

system($ENV{CC} || 'cc', '-std=gnu99', '-O2', '-fPIC', '-shared', '-o', $so,
    "$FindBin::Bin/lib/nomemory.c") == 0
    or die "nomemory.so could not be built\n";

memory();

$t->start_http('ASK', sub {
    select undef, undef, undef, 0.05 while !-e $answer;
    return (200, [ 'Content-Type', 'application/json' ],
        '{"NeedRecord":true}');
});

$t->start_http('NOTIFY', sub { return 200 });

$t->write_conf(<<'EOF_CONF');
%%GLOBALS%%

worker_processes 1;

events {
    worker_connections 64;
}

rtmp {
    live_record_spool %%TESTDIR%%/spool;
    live_record_bucket local { type dir; root %%TESTDIR%%/bucket; }

    server {
        listen 127.0.0.1:%%PORT%%;

        application live {
            live on;

            live_record * {
                bucket local;
                fragment 5s;
                grace 2s;
            }

            live_record table {
                bucket local;
                fragment 30s;
                grace 2s;
            }
        }
    }

    server {
        listen 127.0.0.1:%%PORT_ASKED%%;
        live_record_domain ask.example.com;
        live_record_notify http://127.0.0.1:%%PORT_NOTIFY%%/
                           on_demand=http://127.0.0.1:%%PORT_ASK%%/;

        application asked {
            live on;

            live_record * {
                bucket local;
                fragment 5s;
                grace 2s;
                on_demand callback;
            }
        }
    }
}
EOF_CONF

$t->start(env => { LD_PRELOAD => join(':', grep { $_ }
    $ENV{TEST_NGINX_PRELOAD}, $so), NOMEMORY => $control });

# a table of 1024 rows, those of some 15 s, cannot be made longer

my $file = media('heavy', seconds => 60, gop => 1, size => '640x360',
    bitrate => '3000k', x264 => 'nal-hrd=cbr');
my @video = frames($file, 'v');
my @audio = packets($file, 'a');

my $p = $t->start_publish($file, name => 'table', speed => 3);

$p->wait_media(3000);
memory(16384);
wait_for(sub { $t->log(qr/"live\/table" loses frames: no memory/) }, 20,
    'frames to be lost');
memory();

is($p->wait(), 0, 'table: the publisher is not dropped');

my ($list) = $t->wait_recorded(1, name => 'table');
my @segments = @{parse_m3u8($list)->{segments}};
my ($lost) = map { /"live\/table" goes on, (\d+) frames/ } $t->log();

playlist_ok($list, 'table: playlist');
is((grep { $_->{discontinuity} } @segments), 1, 'table: one gap');
is_subsequence([ map { frames($_->{file}, 'v') } @segments ], \@video,
    'table: video', runs => 1, missing => @video - 1);

my $found = map { (frames($_->{file}, 'v'), packets($_->{file}, 'a')) }
    @segments;

is($found + ($lost || 0), @video + @audio, 'table: all that is lost is told');

# of frames that are kept some are missing: those after them are of no use

$p = $t->start_publish($file, app => 'asked', name => 'early',
    port => $t->port('ASKED'), seconds => 8, speed => 1);

$p->wait_media(1500);
memory(8192);
$p->wait_media(2100);
memory();
$p->wait_media(2300);
write_file($answer, '');

is($p->wait(), 0, 'early: published');

($list) = $t->wait_recorded(1, app => 'asked', name => 'early');
@segments = @{parse_m3u8($list)->{segments}};

playlist_ok($list, 'early: playlist');
is((grep { $_->{discontinuity} } @segments), 1, 'early: one gap');

# pictures that were sent before the gap may be shown in it

my $gap = is_subsequence([ map { frames($_->{file}, 'v') } @segments ],
    [ @video[0 .. 199] ], 'early: video', runs => 3, missing => 60);

cmp_ok($gap->{missing}, '>', 10, 'early: frames are lost');

# one that has fallen silent, so that nothing of it waits to be written

$file = media('short');
@video = frames($file, 'v');

$p = $t->start_publish($file, seconds => 4, speed => 4, end => 'hold');

wait_for(sub { $t->log(qr/stored "record\/live\/test\//) }, 20,
    'the fragment to be closed');

memory(0);
$p->kill('TERM')->wait();
wait_for(sub { $t->log(qr/"live\/test" pauses: /) }, 10,
    'the end of the publish');
memory();

# it may come back, and is recorded

is($t->publish($file, start => 4000, seconds => 4, speed => 4), 0,
    'published again');

my @cycles = $t->wait_recorded(1);

is(scalar @cycles, 1, 'one recording');
playlist_ok($cycles[0]);
same_frames([ frames([ segments_of(@cycles) ], 'v') ], [ @video[0 .. 199] ],
    'video');

my ($old) = $t->workers();

$t->reload();
wait_for(sub { !LiveRecord::alive($old) }, 10, 'the old worker to leave');

$t->allow(qr/\[emerg\].*(?:malloc|memalign)\(.*12: Cannot allocate memory/,
    qr/"live\/table" loses frames: no memory/,
    qr/the spool "[^"]*" cannot be read/);
$t->done();

###############################################################################

# how much of it there is at a time; the file is mapped, and stays the same one

sub memory {
    my ($bytes) = @_;
    $bytes = 0xffffffff unless defined $bytes;

    sysopen my $fh, $control, O_WRONLY | O_CREAT or die "$control: $!\n";
    syswrite $fh, pack 'L', $bytes;
    close $fh;
}

###############################################################################
