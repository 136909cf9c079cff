#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# CPU time per GB received of receiving, recording and sending to a store:
# the module, beside nginx-rtmp's "record all" followed by a usual program
# that uploads what it has written.  The store is on loopback and keeps
# nothing; its own time is not counted.
#
# "make bench" runs it.  See --help.

###############################################################################

use warnings;
use strict;

use FindBin;
use Getopt::Long;
use JSON::PP qw/ decode_json /;
use List::Util qw/ min /;
use Time::HiRes qw/ time /;

use lib "$FindBin::Bin/../lib";
use LiveRecord;
use LiveRecord::Bench;
use LiveRecord::OSS;

###############################################################################

# what is sent by the module, and to what kind of store

my @ours = (
    [ 'oss', 'http', 'm3u8' ],
    [ 'oss', 'https', 'm3u8' ],
    [ 's3', 'http', 'm3u8' ],
    [ 's3', 'https', 'm3u8' ],
    [ 'oss', 'http', 'm3u8 mp4 flv' ],
);

# a program, and how it sends all files of a directory

my %theirs = (
    rclone => sub {
        my ($dir, $scheme, $endpoint, $ca) = @_;

        write_file("$dir/../rclone.conf", "[store]\ntype = s3\n"
            . "provider = Other\naccess_key_id = ak\n"
            . "secret_access_key = sk\nregion = us-east-1\n"
            . "endpoint = $scheme://$endpoint\n");

        return ('/usr/bin/rclone', '--config', "$dir/../rclone.conf",
            $ca ? ('--ca-cert', $ca) : (), 'copy', $dir, "store:bench/$scheme");
    },

    s3cmd => sub {
        my ($dir, $scheme, $endpoint, $ca) = @_;

        write_file("$dir/../s3cmd.conf", "[default]\naccess_key = ak\n"
            . "secret_key = sk\nhost_base = $endpoint\n"
            . "host_bucket = $endpoint\nuse_https = "
            . ($ca ? "True\nca_certs_file = $ca\n" : "False\n"));

        return ('/usr/bin/s3cmd', '-q', '-c', "$dir/../s3cmd.conf", 'put',
            glob("$dir/*.flv"), 's3://bench/s3cmd/');
    },

    awscli => sub {
        my ($dir, $scheme, $endpoint, $ca) = @_;

        return ('/usr/bin/aws', '--endpoint-url', "$scheme://$endpoint",
            $ca ? ('--ca-bundle', $ca) : (), 's3', 'cp', '--recursive',
            '--no-progress', $dir, 's3://bench/awscli/');
    },
);

my $usage = <<'EOF_USAGE';
usage: upload.pl [options]
  --streams N      of 4 Mbit/s each, as fast as they are taken (16)
  --seconds N      of media of each (60)
  --rounds N       how often each is run (BENCH_ROUNDS, or 3)
  --no-fill        does not fill the free memory before each run
  --markdown       the tables in Markdown

What is not installed of rclone, s3cmd and awscli is left out.

Exit status: 0 all was measured, whether the target is met or not, 1
something failed, 2 bad arguments.
EOF_USAGE

my %opt = (streams => 16, seconds => 60, fill => 1,
    rounds => $ENV{BENCH_ROUNDS} || 3);

GetOptions(\%opt, 'streams=i', 'seconds=i', 'rounds=i', 'fill!', 'markdown',
    'help') && !@ARGV or do { print STDERR $usage; exit 2 };

if ($opt{help}) {
    print $usage;
    exit 0;
}

markdown(1) if $opt{markdown};

# nobody's own settings

delete @ENV{grep { /^(?:AWS_|RCLONE_|https?_proxy$)/i } keys %ENV};
$ENV{AWS_ACCESS_KEY_ID} = 'ak';
$ENV{AWS_SECRET_ACCESS_KEY} = 'sk';
$ENV{AWS_DEFAULT_REGION} = 'us-east-1';
$ENV{AWS_EC2_METADATA_DISABLED} = 'true';

my @theirs = grep { -x { rclone => '/usr/bin/rclone',
    s3cmd => '/usr/bin/s3cmd', awscli => '/usr/bin/aws' }->{$_} }
    qw/ rclone s3cmd awscli /;

die "none of rclone, s3cmd and awscli is installed\n" unless @theirs;

my $load_tool = LiveRecord::tool('rtmpload');
my $file = media('bench_big', seconds => 40, fps => 30, bframes => 0,
    x264 => 'nal-hrd=cbr:force-cfr=1', size => '1280x720', bitrate => '4M',
    audio_bitrate => '128k');

my (%runs, @order, @failures);
my $machine = machine();
my $began = time();

for my $round (1 .. $opt{rounds}) {
    theirs();
    ours(@$_) for $round % 2 ? @ours : reverse @ours;
}

report();

if (@failures) {
    print "\nfailed:\n", map { "  $_\n" } @failures;
    exit 1;
}

exit 0;

###############################################################################

# nginx-rtmp records, then each program sends all of it; gives nothing

sub theirs {
    my $t = LiveRecord->new(plain => 1);
    my $oss = LiveRecord::OSS->new($t, s3 => 1, https => 1,
        args => [ '--discard', '--md5' ]);
    my $dir = $t->dir() . '/out';

    mkdir $dir;
    chmod 0777, $dir;
    $ENV{HOME} = $t->dir();

    my ($cpu, $gb) = receive($t, '', "record all; record_path $dir;",
        'record all', sub { });

    note_run('nginx-rtmp with record all', $cpu, 0);

    for my $program (@theirs) {
        for my $scheme (qw/ http https /) {
            my @cmd = $theirs{$program}->($dir, $scheme, $scheme eq 'http'
                ? '127.0.0.1:' . $oss->port()
                : 'localhost:' . $oss->https_port(),
                $scheme eq 'https' ? $oss->ca() : undef);

            my @before = CORE::times();
            my $proc = $t->run(@cmd);
            my $code = $proc->wait(300);
            my @after = CORE::times();

            failed("$program over $scheme: exit status $code: "
                . $proc->err()) if $code;

            note_run("and $program over $scheme", $cpu
                + ($after[2] + $after[3] - $before[2] - $before[3]) / $gb, 1);
        }
    }

    $oss->stop();
    put_aside($t);
}

sub ours {
    my ($type, $scheme, $format) = @_;
    my $t = LiveRecord->new();
    my $oss = LiveRecord::OSS->new($t, s3 => $type eq 's3',
        https => $scheme eq 'https', args => [ '--discard',
        $type eq 's3' ? '--md5' : '--crc' ]);

    my $endpoint = $scheme eq 'http' ? 'http://127.0.0.1:' . $oss->port()
        : 'https://localhost:' . $oss->https_port();

    my $bucket = "type $type; endpoint $endpoint; bucket bench; region "
        . ($type eq 's3' ? 'us-east-1' : 'cn-hangzhou') . '; path_style on;'
        . ' credentials key ak sk;'
        . ($scheme eq 'https' ? ' ca_file ' . $oss->ca() . ';' : '');

    my ($cpu) = receive($t, "live_record_spool %%TESTDIR%%/spool;"
        . " live_record_bucket store { $bucket }", 'live_record * { bucket'
        . " store; fragment 30s; grace 2s; format $format; index_path off; }",
        "$format to $type over $scheme", sub {

        # directories are removed while they are read
        local $SIG{__WARN__} = sub { };

        wait_for(sub { !$t->in_spool() }, 120, 'an empty spool');
    });

    my $sent = grep { $_->{ok} && ($_->{key} || '') =~ /\.ts$/ }
        $oss->requests();
    my $least = $opt{streams} * int($opt{seconds} / 31);

    failed("$type over $scheme: $sent fragments came") if $sent < $least;

    note_run("live_record, $format to $type over $scheme", $cpu, 0);

    $oss->stop();
    put_aside($t);
}

# CPU-s/GB of the worker until $wait comes back, and the GB

sub receive {
    my ($t, $main, $conf, $what, $wait) = @_;

    write_bench_conf($t, $main, $conf);

    fill_memory() if $opt{fill};
    $t->start();

    my @workers = $t->workers(all => 1);
    my $before = cpu_of(@workers);

    my $load = $t->run($load_tool, '-f', $file, '-n', $opt{streams}, '-t',
        $opt{seconds}, '-s', 0, '--host', '127.0.0.1', '-p', $t->port(),
        '--json');
    my $code = $load->wait(600);
    my $told = eval { decode_json($load->out()) } || {};

    failed("$what: rtmpload: " . ($load->err() || "exit status $code"))
        if $code || !$told->{wire_bytes} || $told->{failed};

    eval { $wait->(); 1 } or failed("$what: $@");

    my $gb = ($told->{wire_bytes} || 1) / 1e9;
    my $cpu = (cpu_of(@workers) - $before) / $gb;

    failed("$what: $_") for grep { defined } (sort $t->bad_lines(),
        $t->log(qr/live record.*(?:\blose|\blost)/))[0 .. 2];

    $t->stop('TERM');

    return ($cpu, $gb);
}

sub note_run {
    my ($what, $cpu, $theirs) = @_;

    push @order, { what => $what, theirs => $theirs } unless $runs{$what};
    push @{$runs{$what}}, $cpu;

    printf STDERR "%-50s %.3f CPU-s/GB\n", $what, $cpu;
}

sub failed {
    my ($text) = @_;

    chomp $text;
    push @failures, $text;
    print STDERR "$text\n";
}

sub report {
    printf "%s%s\n%d round%s, %.0f min; medians (min..max)\n",
        $opt{markdown} ? '' : "\n", $machine, $opt{rounds},
        $opt{rounds} == 1 ? '' : 's', (time() - $began) / 60;

    table("$opt{streams} streams of 4 Mbit/s, as fast as they are taken,"
        . " $opt{seconds} s of media each, to a store", [ '', 'CPU-s/GB' ],
        map { [ $_->{what}, spread('%.3f', $runs{$_->{what}}) ] } @order);

    my $theirs = min(map { median($runs{$_->{what}}) }
        grep { $_->{theirs} && $_->{what} =~ /over http$/ } @order);
    my $ours = median($runs{'live_record, m3u8 to oss over http'});

    table('target', [ '', 'measured', 'at most', '' ],
        verdict('over http, as a part of the cheapest of theirs',
            $ours / $theirs, 0.4, '%.3f'));
}

###############################################################################
