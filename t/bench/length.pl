#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# Whether the length of a cycle costs anything: memory of the worker after one
# of 15 minutes and after one of 6 hours, of one stream that is sent
# many times as fast as it was made, and the time from the last part of a
# file's media to the whole file.
#
# usage: length.pl [--rate 4] [--format mp4] [--minutes 15,360] [--speed 150]

###############################################################################

use warnings;
use strict;

use FindBin;
use Getopt::Long;
use JSON::PP qw/ decode_json /;
use Time::HiRes qw/ time sleep /;

use lib "$FindBin::Bin/../lib";
use LiveRecord;

###############################################################################

my %opt = (rate => 4, format => 'mp4', minutes => '15,360', speed => 150);

GetOptions(\%opt, 'rate=f', 'format=s', 'minutes=s', 'speed=f') && !@ARGV
    or die "usage: length.pl [--rate MBIT] [--format NAME] "
        . "[--minutes N,N ...] [--speed N]\n";

my $file = media('bench_length', seconds => 40, fps => 30, bframes => 2,
    size => $opt{rate} < 2 ? '320x180' : '1280x720',
    bitrate => $opt{rate} * 1000 . 'k', audio_bitrate => '64k',
    x264 => 'nal-hrd=cbr:force-cfr=1');

printf "%-10s %-12s %-12s %-12s %-14s %s\n", 'minutes', 'file, GB',
    'after, MB', 'peak, MB', 'spool, MB', 'end, s';

run_one($_) for split /,/, $opt{minutes};

###############################################################################

sub run_one {
    my ($minutes) = @_;
    my $t = LiveRecord->new();

    $t->write_conf(<<"EOF_CONF");
%%GLOBALS%%
worker_processes 1;
events { }
rtmp {
    live_record_spool %%TESTDIR%%/spool;
    live_record_bucket local { type dir; root %%TESTDIR%%/bucket; }
    server {
        listen 127.0.0.1:%%PORT%%;
        application live {
            live on;
            live_record * {
                bucket local;
                format $opt{format};
                cycle ${minutes}m;
                grace 3s;
            }
        }
    }
}
EOF_CONF

    $t->start();

    my ($worker) = $t->workers();
    my $left = $minutes * 60 + 60;
    my $load = publish($t, \$left);

    # the log has no finer times than seconds

    open my $log, '<', $t->dir() . '/error.log' or die "error.log: $!\n";

    my ($part, $end, $spool, $rss) = (0, 0, 0);
    my $until = time() + 1800;

    until ($end) {
        $load = publish($t, \$left) if $left > 0 && !$load->alive();

        die 'rtmpload: ' . $load->err() . "\n"
            if time() > $until || $load->err();

        while (my $line = <$log>) {
            $part = time() if !$end && $line =~ /stored part (?!1 )\d+ of /;
            $end ||= time() if $line =~ / moved "/;
            die $line if $line =~ /loses frames/;
        }

        seek $log, 0, 1;

        my $now = 0;
        $now += -s $_ || 0 for glob $t->spool() . '/live/*/*/*';
        $spool = $now if $now > $spool;

        sleep 0.02;
    }

    $rss = status($worker, 'VmRSS');
    $load->wait(10);
    LiveRecord::wait_for(sub { !$t->in_spool() }, 30, 'the end');

    my ($made) = $opt{format} eq 'mp4' ? $t->mp4s('s0') : $t->flvs('s0');

    printf "%-10d %-12.2f %-12.1f %-12.1f %-14.1f %.2f\n", $minutes,
        (-s $made) / 1e9, $rss, status($worker, 'VmHWM'),
        $spool / 1e6, $end - $part;

    $t->stop('TERM');
    $t->cleanup();
}

# timestamps of the load generator go as far as 4 hours and a half: a longer
# stream comes back within its grace

sub publish {
    my ($t, $left) = @_;
    my $seconds = $$left > 14400 ? 14400 : $$left;

    $$left -= $seconds;

    return $t->run(LiveRecord::tool('rtmpload'), '-f', $file, '-n', 1, '-t',
        $seconds, '-s', $opt{speed}, '--host', '127.0.0.1', '-p', $t->port(),
        '--json');
}

sub status {
    my ($pid, $what) = @_;
    return read_file("/proc/$pid/status") =~ /^$what:\s*(\d+)/m ? $1 / 1024
        : 0;
}
