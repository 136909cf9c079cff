#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# Very many streams that end in the same second: all of each is stored, over
# a few connections, and the worker keeps answering.  It was started with fewer
# open files than that takes.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;
use Time::HiRes qw/ time sleep /;

use lib "$FindBin::Bin/lib";
use LiveRecord;
use LiveRecord::OSS;

###############################################################################

my $n = 200;

system('prlimit', '--pid', $$, '--nofile=512:') == 0
    or die "prlimit: $?\n";

my $t = LiveRecord->new();
my $so = $t->dir() . '/looplag.so';

system($ENV{CC} || 'cc', '-std=gnu99', '-O2', '-fPIC', '-shared', '-o', $so,
    "$FindBin::Bin/lib/looplag.c", '-ldl') == 0
    or die "looplag.so could not be built\n";

$ENV{TEST_NGINX_PRELOAD} = join ':', $ENV{TEST_NGINX_PRELOAD} || (), $so;

my $lag = $t->dir() . '/lag';
mkdir $lag and chmod 0777, $lag or die "$lag: $!\n";
$ENV{LOOPLAG} = "$lag/loop";

my $oss = LiveRecord::OSS->new($t);
my $port = $oss->port();

$t->write_conf(<<"EOF_CONF");
%%GLOBALS%%

worker_processes 1;

events {
    worker_connections 1024;
}

http {
    %%GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:%%PORT_HTTP%%;
        location / { return 204; }
    }
}

rtmp {
    live_record_spool %%TESTDIR%%/spool;

    live_record_bucket store {
        type oss;
        bucket many;
        region cn-hangzhou;
        endpoint http://127.0.0.1:$port;
        credentials key ak sk;
        connections 16;
    }

    server {
        listen 127.0.0.1:%%PORT%%;

        application live {
            live on;

            live_record * { bucket store; fragment 5s; grace 1s; }
        }
    }
}
EOF_CONF

my $file = media('many', seconds => 9, size => '96x64', gop => 5,
    audio => 'none', video => 'h264');
my @video = packets($file, 'v');

$t->start();

# all of them end with the same frame

my $load = $t->run(tool('rtmpload'), '-f', $file, '-n', $n, '-t', 7, '-s', 7,
    '-p', $t->port(), '--no-stagger', '--gate', '--ramp-ms', 1000, '--name',
    'many%d', '--json');

is($load->wait(90), 0, "$n streams published") or diag($load->err());

# the loop is measured from here on

my ($worker) = $t->workers();
unlink "$lag/loop.$worker";

my $began = time();
$t->bucket($oss->bucket('many'));

# nothing is left in the spool of any; meanwhile it answers to others

my (@answers, $left);

wait_for(sub {
    my $asked = time();
    my $answer = http_get($t->port('HTTP'), '/');

    push @answers, time() - $asked if $answer && $answer =~ / 204 /;
    $left = grep { -e } glob $t->spool() . '/live/*/*/record.log';

    return !$left;
}, 90, 'an empty spool');

note(sprintf 'stored in %.1f s', time() - $began);

@answers = sort { $a <=> $b } @answers;
cmp_ok($answers[@answers / 2], '<', 0.1, 'it answers at once')
    or diag("answers: @answers");

# each has one recording with all of what was published

my %names = map { m!^live/(many\d+)! ? ($1 => 1) : () }
    files_in($t->bucket(), qr!^live/!);
is(scalar keys %names, $n, 'indexes of days');

my (@cycles, @other, @wrong);

for my $name (sort keys %names) {
    my @of = $t->cycles($name);

    push @other, $name unless @of == 1;
    push @cycles, $of[0];

    my $list = parse_m3u8($of[0]);
    my @segments = @{$list->{segments}};

    push @wrong, $name unless @segments == 2
        && !grep { !-e $_->{file} } @segments;
}

is(scalar @other, 0, 'one recording each') or diag("@other");
is(scalar @wrong, 0, 'two fragments each') or diag("@wrong");

# a fragment is a function of its media: with the same it has the same size

my %sizes;
$sizes{join ' ', map { -s } segments_of($_)}++ for @cycles;
is(scalar keys %sizes, 1, 'as large as the others');

for my $i (0, $n / 2, $n - 1) {
    my @got = packets([ segments_of($cycles[$i]) ], 'v');

    cmp_ok(scalar @got, '>=', 175, 'packets of 7 seconds');
    same_frames(\@got, [ @video[0 .. $#got] ], "$cycles[$i]: packets");
}

cmp_ok($oss->most_at_a_time('many'), '<=', 18, 'a few at a time');

my @r = $oss->requests('many');

is((grep { $_->{status} >= 400 } @r), 0, 'nothing was asked in vain');
cmp_ok(scalar @r, '<', 12 * $n, scalar @r . ' requests in all');

is(scalar $t->log(qr/bucket "store" fails/), 0, 'the store does not fail');

# how long the event loop was busy without a break, in microseconds of its CPU
# time, after the last stream had ended

my ($turns, undef, $longest) = split ' ', read_file("$lag/loop.$worker");
cmp_ok($turns, '>', 100, "$turns turns of the loop");

SKIP: {
    skip 'valgrind', 1 if $ENV{TEST_VALGRIND};
    cmp_ok($longest, '<', 5000, "the longest turn of the loop: $longest us");
}

$oss->check();
$t->done();

###############################################################################
