#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# The longest time that the event loop of a worker is away from its waiting,
# while many streams end at once, and while a store, a disk or a resolver
# hangs: of nginx-rtmp alone, with its "record all", and with the module.
#
# "make bench" runs it.  See --help.

###############################################################################

use warnings;
use strict;

use File::Temp qw/ tempdir /;
use FindBin;
use Getopt::Long;
use JSON::PP qw/ decode_json /;
use Time::HiRes qw/ time sleep /;

use lib "$FindBin::Bin/../lib";
use LiveRecord;
use LiveRecord::Bench;
use LiveRecord::OSS;

###############################################################################

# streams of 0.2 Mbit/s in real time, which end at the same moment

my @scenarios = (
    { name => 'end', title => '200 streams end at once', streams => 200 },
    { name => 'store', title => 'the store takes no bytes', streams => 50,
        faults => [ { fault => 'stall', method => 'PUT', times => 0 } ] },
    { name => 'disk', title => 'writes to the disk take 2 s', streams => 50,
        disk => 2000 },
    { name => 'resolver', title => 'the resolver takes 5 s', streams => 50,
        resolve => 5000 },
);

my @modes = qw/ plain record module /;
my %title = (plain => 'nginx-rtmp', record => 'record all',
    module => 'live_record');

my $usage = <<'EOF_USAGE';
usage: pause.pl [options]
  --only NAMES     of end,store,disk,resolver
  --rounds N       how often each is run (BENCH_ROUNDS, or 3)
  --seconds N      of media of each stream (12)
  --markdown       the tables in Markdown

Exit status: 0 all was measured, whether targets are met or not, 1 something
failed, 2 bad arguments.
EOF_USAGE

my %opt = (rounds => $ENV{BENCH_ROUNDS} || 3, seconds => 12,
    only => 'end,store,disk,resolver');

GetOptions(\%opt, 'only=s', 'rounds=i', 'seconds=i', 'markdown', 'help')
    && !@ARGV or do { print STDERR $usage; exit 2 };

if ($opt{help}) {
    print $usage;
    exit 0;
}

markdown(1) if $opt{markdown};

my %only = map { $_ => 1 } split /,/, $opt{only};
@scenarios = grep { $only{$_->{name}} } @scenarios;

my $tools = LiveRecord->new(plain => 1);
my %so = map { $_ => preload($_) } qw/ looplag slowdisk resolver /;
my $load_tool = LiveRecord::tool('rtmpload');
my $file = media('bench_pause', seconds => 20, fps => 15, bframes => 0,
    size => '160x90', bitrate => '150k', audio_bitrate => '48k');

my @failures;
my $machine = machine();
my $began = time();

for my $round (1 .. $opt{rounds}) {
    for my $s (@scenarios) {
        for my $mode (@modes) {

            # what hangs is not there without the module
            next if $mode ne 'module' && $s->{name} ne 'end'
                && !($mode eq 'record' && $s->{disk});

            my $r = run_one($s, $mode);

            push @{$s->{runs}{$mode}}, $r;
            printf STDERR "%s round %d %-7s %s\n", $s->{name}, $round, $mode,
                join ', ', map { sprintf '%s %.1f', $_, $r->{$_} }
                sort keys %$r;
        }
    }
}

report();

if (@failures) {
    print "\nfailed:\n", map { "  $_\n" } @failures;
    exit 1;
}

exit 0;

###############################################################################

sub preload {
    my ($name) = @_;
    my $so = $tools->dir() . "/$name.so";

    system($ENV{CC} || 'cc', '-std=gnu99', '-O2', '-fPIC', '-shared', '-o',
        $so, "$FindBin::Bin/../lib/$name.c", '-ldl') == 0
        or die "$name.so could not be built\n";

    return $so;
}

sub run_one {
    my ($s, $mode) = @_;
    my $t = LiveRecord->new(plain => $mode ne 'module');
    my $dir = $t->dir();
    my $oss = $mode eq 'module' ? LiveRecord::OSS->new($t,
        args => [ '--discard', '--crc' ]) : undef;

    my $main = !$oss ? '' : 'live_record_spool %%TESTDIR%%/spool;'
        . ' live_record_bucket store { type oss; bucket bench; region'
        . ' cn-hangzhou; path_style on; timeout 5s; credentials key ak sk;'
        . ' endpoint http://' . ($s->{resolve} ? 'store.example'
        : '127.0.0.1') . ':' . $oss->port() . '; }';

    my $conf = $mode eq 'plain' ? ''
        : $mode eq 'record' ? "record all; record_path $dir/out;"
        : 'live_record * { bucket store; fragment 5s; grace 2s;'
            . ' index_path off; }';

    write_bench_conf($t, $main, $conf);
    mkdir "$dir/out";
    chmod 0777, "$dir/out";

    my $lag = tempdir('live-record-lag-XXXXXXXX', DIR => '/dev/shm',
        CLEANUP => 1);
    chmod 0777, $lag;

    local $ENV{TEST_NGINX_PRELOAD} = join ':',
        @so{qw/ looplag slowdisk resolver /};
    local $ENV{LOOPLAG} = "$lag/loop";
    local $ENV{RESOLVER} = "$dir/names";
    local $ENV{SLOWDISK} = "$dir/control";

    $oss->faults(@{$s->{faults}}) if $oss && $s->{faults};
    write_file("$dir/names", "$s->{resolve} store.example -\n")
        if $s->{resolve};

    $t->start();

    my ($pid) = $t->workers(all => 1);

    # what the start itself takes is not of interest

    sleep 1;
    unlink "$lag/loop.$pid";

    write_file("$dir/control", "$s->{disk} 0 " . ($oss ? $t->spool()
        : "$dir/out") . "\n") if $s->{disk};

    my $load = $t->run($load_tool, '-f', $file, '-n', $s->{streams}, '-t',
        $opt{seconds}, '-s', 1, '--gate', '--ramp-ms', 1000, '--host',
        '127.0.0.1', '-p', $t->port(), '--json');

    # nor is what 200 handshakes in a second take: of the first scenario it is
    # the end that counts

    if ($s->{name} eq 'end') {
        sleep $opt{seconds} / 2;
        unlink "$lag/loop.$pid";
    }

    my $code = $load->wait(120 + $opt{seconds});
    my $told = eval { decode_json($load->out()) } || {};

    failed($s, $mode, 'rtmpload: ' . ($load->err() || "exit status $code"))
        if $code || $told->{failed};

    if ($oss) {

        # a while of what hangs, and then all that has waited

        sleep 3;
        unlink "$dir/control";
        $oss->faults() if $s->{faults};
        write_file("$dir/names", "0 store.example 127.0.0.1\n")
            if $s->{resolve};

        my $sent = sub { grep { $_->{ok} && ($_->{key} || '') =~ /\.ts$/ }
            $oss->requests() };

        # directories are removed while they are read
        local $SIG{__WARN__} = sub { };

        my $ok = eval { wait_for(sub { !$t->in_spool() }, 90,
            'an empty spool') };

        failed($s, $mode, "the spool did not get empty") unless $ok;
        failed($s, $mode, 'nothing came') unless $sent->();

    } else {
        sleep 3;
    }

    my ($rounds, $wall, $cpu, $slept, $over) = split ' ',
        eval { read_file("$lag/loop.$pid") } || '0 0 0 0 0';

    failed($s, $mode, 'no rounds of the loop were counted') unless $rounds;
    failed($s, $mode, $_) for grep { defined } ($t->bad_lines())[0 .. 2];

    $t->stop('TERM');
    $oss->stop() if $oss;
    put_aside($t);

    return { wall => $wall / 1000, cpu => $cpu / 1000,
        slept => $slept / 1000, over => $over };
}

sub failed {
    my ($s, $mode, $text) = @_;

    chomp $text;
    push @failures, "$s->{name} $mode: $text";
    print STDERR "$failures[-1]\n";
}

sub report {
    my @verdicts;

    printf "%s%s\n%d round%s, %.0f min; medians (min..max)\n",
        $opt{markdown} ? '' : "\n", $machine, $opt{rounds},
        $opt{rounds} == 1 ? '' : 's', (time() - $began) / 60;

    my @rows;

    for my $s (@scenarios) {
        for my $mode (grep { $s->{runs}{$_} } @modes) {
            my $runs = $s->{runs}{$mode};
            my $of = sub { my $k = shift; [ map { $_->{$k} } @$runs ] };

            push @rows, [ $s->{title}, $title{$mode}, map {
                spread('%.1f', $of->($_)) } qw/ cpu slept wall / ];

            next if $mode ne 'module';

            my @worst = map { $_->{cpu} > $_->{slept} ? $_->{cpu}
                : $_->{slept} } @$runs;

            push @verdicts, verdict("$s->{title}: longest pause, ms",
                median(\@worst), 5, '%.1f');
        }
    }

    table("The longest round of a worker's event loop, ms: of CPU time; of"
        . ' sleep; of the clock in all, with the time of other processes',
        [ '', '', 'CPU', 'slept', 'in all' ], @rows);

    table('targets', [ '', 'measured', 'at most', '' ], @verdicts);
}

###############################################################################
