#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# Memory that is not there at the worst moment, the end of a publish: nothing
# is left that would keep the stream, or the worker.

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

system($ENV{CC} || 'cc', '-std=gnu99', '-O2', '-fPIC', '-shared', '-o', $so,
    "$FindBin::Bin/lib/nomemory.c") == 0
    or die "nomemory.so could not be built\n";

memory(1);

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
        }
    }
}
EOF_CONF

$t->start(env => { LD_PRELOAD => join(':', grep { $_ }
    $ENV{TEST_NGINX_PRELOAD}, $so), NOMEMORY => $control });

my $file = media('short');
my @video = frames($file, 'v');

# one that has fallen silent, so that nothing of it waits to be written

my $p = $t->start_publish($file, seconds => 4, speed => 4, end => 'hold');

wait_for(sub { $t->fragments() }, 20, 'the fragment to be closed');

memory(0);
$p->kill('TERM')->wait();
wait_for(sub { $t->log(qr/"live\/test" pauses: /) }, 10,
    'the end of the publish');
memory(1);

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

$t->allow(qr/\[emerg\].*(?:malloc|memalign)\(.*12: Cannot allocate memory/);
$t->done();

###############################################################################

# the file is mapped, and stays the same one

sub memory {
    my ($there) = @_;

    sysopen my $fh, $control, O_WRONLY | O_CREAT or die "$control: $!\n";
    syswrite $fh, $there ? "\0" : '1';
    close $fh;
}

###############################################################################
