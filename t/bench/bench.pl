#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# CPU time per GB received and memory per stream: what recording adds to
# nginx-rtmp, beside what nginx-rtmp's own "record all" and "hls" add.  All of
# them take turns in one run, as machines differ from hour to hour.
#
# "make bench" runs it.  See --help.

###############################################################################

use warnings;
use strict;

use FindBin;
use Getopt::Long;
use JSON::PP qw/ decode_json /;
use Time::HiRes qw/ time sleep /;

use lib "$FindBin::Bin/../lib";
use LiveRecord;
use LiveRecord::Bench;
use LiveRecord::OSS;

###############################################################################

my @scenarios = (
    {
        name => 'a', streams => 16, rate => '4', media => 'big',
        seconds => 150, speed => 0,
    },
    {
        name => 'b', streams => 40, rate => '0.5', media => 'small',
        seconds => 300, speed => 0,
    },
    {
        name => 'c', streams => 100, rate => '0.5', media => 'small',
        seconds => 60, speed => 1,
    },
);

my %media = (
    big => {
        size => '1280x720', bitrate => '4M', audio_bitrate => '128k',
    },
    small => {
        size => '320x180', bitrate => '500k', audio_bitrate => '64k',
    },
);

my %modes = (
    plain => { title => 'nginx-rtmp', conf => '' },

    record => {
        title => 'record all',
        conf => 'record all; record_path %%TESTDIR%%/out;',
    },

    hls => {
        title => 'hls',
        conf => 'hls on; hls_path %%TESTDIR%%/out; hls_fragment 30s;'
            . ' hls_playlist_length 60s;',
    },

    module => {
        title => 'live_record',
        main => 'live_record_bucket local { type dir;'
            . ' root %%TESTDIR%%/bucket; }',
        conf => 'live_record * { bucket local; fragment 30s; grace 2s; }',
    },

    cached => {
        title => 'directio off',
        main => 'live_record_bucket local { type dir;'
            . ' root %%TESTDIR%%/bucket; directio off; }',
        conf => 'live_record * { bucket local; fragment 30s; grace 2s; }',
    },

    files => {
        title => 'm3u8 mp4 flv',
        only => 'a',
        main => 'live_record_bucket local { type dir;'
            . ' root %%TESTDIR%%/bucket; }',
        conf => 'live_record * { bucket local; fragment 30s; grace 2s;'
            . ' format m3u8 mp4 flv; }',
    },

    # what the recorder alone takes: a store whose key is not to be had

    spool => {
        title => 'spool only',
        main => 'live_record_bucket store { type oss; bucket bench;'
            . ' endpoint http://127.0.0.1:1; region cn-hangzhou;'
            . ' credentials ecs_role; metadata_endpoint http://127.0.0.1:1; }',
        conf => 'live_record * { bucket store; fragment 30s; grace 2s; }',
    },

    # a store that takes all, sums it up, and keeps nothing

    oss => {
        title => 'the same, oss',
        only => 'a',
        main => 'live_record_bucket store { type oss; bucket bench;'
            . ' endpoint http://127.0.0.1:%%PORT_oss%%; region cn-hangzhou;'
            . ' credentials key ak sk; }',
        conf => 'live_record * { bucket store; fragment 30s; grace 2s;'
            . ' format m3u8 mp4 flv; index_path off; }',
    },
);

my @modes = qw/ plain record hls module cached spool files oss /;

my $usage = <<'EOF_USAGE';
usage: bench.pl [options]
  --only NAMES     scenarios, e.g. "a" or "a,c"
  --modes NAMES    of plain,record,hls,module,cached,spool,files,oss; plain
                   is always there, files and oss are for scenario a
  --rounds N       how often each is run (BENCH_ROUNDS, or 3)
  --scale X        so much of each scenario's length (1)
  --no-fill        does not fill the free memory before each run
  --markdown       the tables in Markdown

Scenarios, each with one nginx worker:
  a  16 streams of 4 Mbit/s as fast as they are taken, 150 s of each
  b  40 streams of 0.5 Mbit/s as fast as they are taken, 300 s of each
  c  100 streams of 0.5 Mbit/s in real time, for 60 s

Exit status: 0 all was measured, whether targets are met or not, 1 a
connection failed, frames were lost, or something was not recorded, 2 bad
arguments.
EOF_USAGE

###############################################################################

my %opt = (rounds => $ENV{BENCH_ROUNDS} || 3, fill => 1, scale => 1);

GetOptions(\%opt, 'only=s', 'modes=s', 'rounds=i', 'scale=f', 'fill!',
    'markdown', 'help') && !@ARGV or do { print STDERR $usage; exit 2 };

if ($opt{help}) {
    print $usage;
    exit 0;
}

my %only = map { $_ => 1 } split /,/, $opt{only} || 'a,b,c';
my %wanted = map { $_ => 1 } 'plain',
    split /,/, $opt{modes} || join ',', @modes;

my $unknown = join ' ', grep { !/^[abc]$/ } sort keys %only;
$unknown ||= join ' ', grep { !$modes{$_} } sort keys %wanted;

if ($unknown || $opt{rounds} < 1 || $opt{scale} <= 0) {
    print STDERR $unknown ? "unknown: $unknown\n" : '', $usage;
    exit 2;
}

@scenarios = grep { $only{$_->{name}} } @scenarios;
@modes = grep { $wanted{$_} } @modes;

markdown(1) if $opt{markdown};

my @failures;
my $load_tool = LiveRecord::tool('rtmpload');

for my $s (@scenarios) {
    $s->{seconds} = int($s->{seconds} * $opt{scale} + 0.5) || 1;

    # CBR with filler, so that nobody's stream is smaller than it says
    $s->{file} = media("bench_$s->{media}", seconds => 40, fps => 30,
        bframes => 0, x264 => 'nal-hrd=cbr:force-cfr=1',
        %{$media{$s->{media}}});
}

my $machine = machine();
my $began = time();

for my $round (1 .. $opt{rounds}) {
    for my $s (@scenarios) {

        # who comes first in one round does not in the next
        my @turn = modes_of($s);
        my $shift = ($round - 1) % @turn;

        for my $mode (@turn[$shift .. $#turn], @turn[0 .. $shift - 1]) {
            my $r = run_one($s, $mode);

            push @{$s->{runs}{$mode}}, $r;
            printf STDERR "%s round %d %-7s %.2f GB, %.3f CPU-s/GB, peak"
                . " %.1f MB, %.1f s\n", $s->{name}, $round, $mode, $r->{gb},
                $r->{cpu}, $r->{peak} / 1024, $r->{wall};
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
# a run

sub modes_of {
    my ($s) = @_;
    return grep { ($modes{$_}{only} || $s->{name}) eq $s->{name} } @modes;
}

sub run_one {
    my ($s, $mode) = @_;
    my $module = $modes{$mode}{main};
    my $t = LiveRecord->new(plain => !$module);
    my $oss = $mode eq 'oss'
        ? LiveRecord::OSS->new($t, args => [ '--discard', '--crc' ]) : undef;

    my $main = $module ? "live_record_spool %%TESTDIR%%/spool; $module" : '';

    write_bench_conf($t, $main, $modes{$mode}{conf});

    mkdir $t->dir() . '/out';
    chmod 0777, $t->dir() . '/out';

    fill_memory() if $opt{fill};
    $t->start();

    my @workers = $t->workers(all => 1);
    my $before = cpu_of(@workers);
    my $from = time();

    my $load = $t->run($load_tool, '-f', $s->{file}, '-n', $s->{streams},
        '-t', $s->{seconds}, '-s', $s->{speed}, '--host', '127.0.0.1', '-p',
        $t->port(), '--json');

    my %r;

    if ($s->{speed}) {
        sleep $s->{seconds} / 2;
        $r{steady} = rss_of(@workers);
        sleep $s->{seconds} * 0.45;
        $r{growth} = rss_of(@workers) - $r{steady};
    }

    my $code = $load->wait(300 + $s->{seconds});
    my $told = eval { decode_json($load->out()) } || {};

    failed($s, $mode, 'rtmpload: ' . ($load->err() || "exit status $code"))
        if $code || !$told->{wire_bytes};
    failed($s, $mode, "$told->{failed} connections failed")
        if $told->{failed};

    # what waits for its grace, for rendering, for its index is part of the
    # work

    if ($mode eq 'spool') {
        eval {
            wait_for(sub { in_the_spool($t) >= ($told->{media_bytes} || 0) }, 10,
                'the last bytes');
        } or failed($s, $mode, 'not all is in the spool');

    } elsif ($module) {
        # directories are removed while they are read
        local $SIG{__WARN__} = sub { };

        eval {
            wait_for(sub { !$t->in_spool() }, 60 + $s->{seconds},
                'an empty spool');
        } or failed($s, $mode, "the spool did not get empty");
    }

    $r{gb} = ($told->{wire_bytes} || 1) / 1e9;
    $r{cpu} = (cpu_of(@workers) - $before) / $r{gb};
    $r{wall} = time() - $from;
    $r{peak} = hwm_of(@workers);
    $r{peak} = $r{steady} if $r{steady} && $r{steady} > $r{peak};

    failed($s, $mode, 'the worker is another one')
        if "@workers" ne join ' ', $t->workers(all => 1);

    failed($s, $mode, $_) for recorded($t, $s, $mode, $oss);

    my @bad = ($t->bad_lines(), $t->log(qr/live record.*(?:\blose|\blost)/));
    @bad = grep { !/no valid access key/ } @bad if $mode eq 'spool';
    failed($s, $mode, $_) for @bad[0 .. ($#bad < 4 ? $#bad : 4)];

    $t->stop('TERM');
    $oss->stop() if $oss;
    put_aside($t);

    return \%r;
}

sub in_the_spool {
    my ($t) = @_;
    my $sum = 0;

    $sum += -s $t->spool() . "/$_" || 0 for grep { /\.flv$/ } $t->in_spool();

    return $sum;
}

# what is wrong with the output of a run: a mode that does nothing is cheap

sub recorded {
    my ($t, $s, $mode, $oss) = @_;
    my $out = $t->dir() . '/out';
    my @bad;

    # how much is in the spool was seen before

    return if $mode eq 'plain' || $mode eq 'spool';

    if ($oss) {

        # each file got its name, behind which nothing can go wrong

        my $n = grep { $_->{method} eq 'DELETE' && $_->{ok} }
            $oss->requests();

        return $n == 2 * $s->{streams} ? () : "$n files were moved";
    }

    for my $name (map { "s$_" } 0 .. $s->{streams} - 1) {

        if ($mode eq 'record') {
            push @bad, "no recording of $name" unless -s "$out/$name.flv";
            next;
        }

        if ($mode eq 'hls') {
            push @bad, "no fragments of $name"
                unless grep { -s $_ } glob "$out/$name-*.ts";
            next;
        }

        my @cycles = $t->cycles($name);

        if (@cycles != 1) {
            push @bad, "$name has " . @cycles . ' indexes';
            next;
        }

        my $seconds = duration_of($cycles[0]);

        push @bad, "$name has $seconds s of media"
            if abs($seconds - $s->{seconds}) > 1;

        push @bad, "$name has no mp4 and flv"
            if $mode eq 'files' && $t->mp4s($name) + $t->flvs($name) != 2;

        push @bad, "$name: $_" for lint_m3u8($cycles[0]);
    }

    # one is enough to see it
    return @bad[0 .. ($#bad < 2 ? $#bad : 2)];
}

sub failed {
    my ($s, $mode, $text) = @_;

    chomp $text;
    push @failures, "$s->{name} $mode: $text";
    print STDERR "$failures[-1]\n";
}

###############################################################################
# the report

sub report {
    my @verdicts;

    printf "%s%s\n%d round%s, %.0f min; medians (min..max)\n",
        $opt{markdown} ? '' : "\n", $machine, $opt{rounds},
        $opt{rounds} == 1 ? '' : 's', (time() - $began) / 60;

    for my $s (@scenarios) {
        my $plain = $s->{runs}{plain};
        my (@rows, %adds, %peak, %steady, %growth);

        for my $mode (modes_of($s)) {
            my $runs = $s->{runs}{$mode};
            my $diff = sub {
                my ($key, $per) = @_;
                return [ map { ($runs->[$_]{$key} - $plain->[$_]{$key})
                    / $per } 0 .. $#$runs ];
            };

            my @row = ($modes{$mode}{title}, spread('%.3f',
                [ map { $_->{cpu} } @$runs ]));

            if ($mode eq 'plain') {
                push @row, '', spread('%.1f',
                    [ map { $_->{peak} / 1024 } @$runs ]), '';

                push @row, spread('%.1f',
                    [ map { $_->{steady} / 1024 } @$runs ]), ''
                    if $s->{speed};

                push @rows, \@row;
                next;
            }

            # of runs of the same round, that is under the same conditions
            $adds{$mode} = $diff->('cpu', 1);
            $peak{$mode} = $diff->('peak', $s->{streams});

            push @row, spread('%.3f', $adds{$mode}),
                spread('%.1f', [ map { $_->{peak} / 1024 } @$runs ]),
                spread('%.0f', $peak{$mode});

            if ($s->{speed}) {
                $steady{$mode} = $diff->('steady', $s->{streams});
                $growth{$mode} = [ map { $_->{growth} / $s->{streams} }
                    @$runs ];

                push @row, spread('%.1f',
                    [ map { $_->{steady} / 1024 } @$runs ]),
                    spread('%.0f', $steady{$mode});
            }

            push @rows, \@row;
        }

        my @head = ('', 'CPU-s/GB', 'adds', 'peak, MB', 'adds/stream, KB');
        push @head, 'half time, MB', 'adds/stream, KB' if $s->{speed};

        my $title = sprintf '(%s) %d streams of %s Mbit/s, %s, %d s of'
            . ' media each, %.2f GB', $s->{name}, $s->{streams}, $s->{rate},
            $s->{speed} ? 'in real time' : 'as fast as they are taken',
            $s->{seconds}, $plain->[0]{gb};

        table($title, \@head, @rows);

        push @verdicts, verdict("($s->{name}) m3u8, mp4 and flv to a"
            . ' directory add, CPU-s/GB', median($adds{files}), 2.0, '%.3f')
            if $adds{files};

        next unless $adds{module};

        my $mine = median($adds{module});

        printf "\nthe module adds %.2f times what record all adds\n",
            $mine / median($adds{record})
            if $adds{record} && median($adds{record}) > 0;

        printf "from half time to the end the memory changed by %.0f KB per"
            . " stream\n", median($growth{module}) if $s->{speed};

        if ($s->{speed} && $adds{record}) {
            my $third = median($adds{record}) / 3;
            push @verdicts, verdict("($s->{name}) adds at most a third of"
                . ' what record all adds, CPU-s/GB', $mine, $third, '%.3f');

        } elsif (!$s->{speed}) {
            push @verdicts, verdict("($s->{name}) adds, CPU-s/GB", $mine,
                $s->{name} eq 'a' ? 1.0 : 1.3, '%.3f');
        }

        push @verdicts, verdict("($s->{name}) memory per stream at half"
            . ' time, KB', median($steady{module}), 300, '%.0f')
            if $s->{speed};

        push @verdicts, verdict("($s->{name}) memory per stream, peak, KB",
            median($peak{module}), 300, '%.0f');
    }

    print "\n", table('targets', [ '', 'measured', 'at most', '' ],
        @verdicts) if @verdicts;
}

###############################################################################
