#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# A disk that stands still for seconds, in writes and in fsync: those who
# publish and those who watch on the same worker do not notice.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;
use List::Util qw/ sum0 /;
use Time::HiRes qw/ sleep time /;

use lib "$FindBin::Bin/lib";
use LiveRecord;

###############################################################################

my $file = media('short');
my @video = frames($file, 'v');

my $t = LiveRecord->new();
my $so = $t->dir() . '/slowdisk.so';
my $control = $t->dir() . '/control';

system($ENV{CC} || 'cc', '-std=gnu99', '-O2', '-fPIC', '-shared', '-o', $so,
    "$FindBin::Bin/lib/slowdisk.c", '-ldl') == 0
    or die "slowdisk.so could not be built\n";

$ENV{TEST_NGINX_PRELOAD} = join ':', $ENV{TEST_NGINX_PRELOAD} || (), $so;
$ENV{SLOWDISK} = $control;

# one thread is all there is

$t->write_conf(<<'EOF_CONF')->start();
%%GLOBALS%%

worker_processes 1;
thread_pool default threads=1;

events {
    worker_connections 64;
}

rtmp {
    live_record_spool %%TESTDIR%%/spool fsync=on max_size=64m;
    live_record_bucket local { type dir; root %%TESTDIR%%/bucket; }

    server {
        listen 127.0.0.1:%%PORT%%;

        application live {
            live on;
            wait_key on;

            live_record * {
                bucket local;
                fragment 5s;
                grace 2s;
            }
        }
    }
}
EOF_CONF

my @names = qw/ one two /;
my $began = time();
my @pubs = map { $t->start_publish($file, name => $_, speed => 1) } @names;

$_->wait_event('published') for @pubs;

my @viewers = map { watch($_) } @names;

wait_for(sub { !grep { $_->out() !~ /\n/ } @viewers }, 20, 'the viewers');

# two times 4 s for each write, in the midst of fragments and at their ends

$pubs[0]->wait_media(8000);

for (1 .. 2) {
    write_file("$control.new", '4000 0 ' . $t->spool() . "\n");
    rename "$control.new", $control;

    sleep 1;
    my $size = size();
    sleep 2;
    is(size(), $size, 'the disk stands still');

    sleep 2;
    unlink $control;

    # what has begun by then takes its 4 s all the same

    sleep 4;
}

is((grep { $_->wait() != 0 } @pubs), 0, 'no publisher is dropped');
cmp_ok(time() - $began, '<', 30 + 3, 'nor slowed');

for my $v (@viewers) {
    $v->wait(20);

    my @at = split /\n/, $v->out();
    my ($most) = sort { $b <=> $a } map { $at[$_] - $at[$_ - 1] } 1 .. $#at;

    cmp_ok($at[-1] - $at[0], '>', 15, 'a viewer saw the whole of it');
    cmp_ok($most, '<', 1.5, 'without a gap');
}

for my $name (@names) {
    my ($list) = $t->wait_recorded(1, name => $name, seconds => 40);

    playlist_ok($list);
    same_frames([ frames([ segments_of($list) ], 'v') ], \@video,
        "$name: video");
}

is(scalar $t->log(qr/loses frames/), 0, 'nothing is lost');

$t->done();

###############################################################################

sub size {
    return sum0 map { -s $t->spool() . "/$_" || 0 } files_in($t->spool());
}

# tells when something has come, in lines

sub watch {
    my ($name) = @_;
    my $url = $t->url(name => $name);

    return $t->run($^X, '-MTime::HiRes=time', '-e', '$| = 1;'
        . ' open my $fh, "-|", @ARGV or die; my $last = 0;'
        . ' while (sysread $fh, my $data, 65536) {'
        . ' my $now = time(); print "$now\n" if $now - $last > 0.02;'
        . ' $last = $now; }', 'ffmpeg', '-nostdin', '-v', 'error',
        '-fflags', 'nobuffer', '-probesize', 100000, '-i', $url, '-t', 20,
        '-c', 'copy', '-flush_packets', 1, '-f', 'flv', 'pipe:1');
}

###############################################################################
