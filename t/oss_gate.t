#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# A bucket that many recordings share: while it is away they do not storm it,
# it is asked no more than it can take when it is back, and those that are up
# to date do not wait for the backlog of others.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;
use List::Util qw/ max sum /;
use POSIX qw/ strftime /;

use lib "$FindBin::Bin/lib";
use LiveRecord;
use LiveRecord::OSS;

###############################################################################

my $mass = 30;
my @mass = map { "mass$_" } 1 .. $mass;

my $t = LiveRecord->new();
my $oss = LiveRecord::OSS->new($t);

my $port = $oss->port();

my $buckets = join '', map {
    "    live_record_bucket $_ { type oss; bucket $_; region cn-hangzhou;\n"
        . "        endpoint http://127.0.0.1:$port;"
        . " credentials key ak sk; connections 8; }\n"
} qw/ away after crowd denied refused /;

my $applications = join '', map {
    "        application $_ { live on; live_record * {\n"
        . "            bucket $_; fragment 5s; grace 1s; } }\n"
} qw/ away after crowd denied refused /;

$t->write_conf(<<"EOF_CONF");
%%GLOBALS%%

worker_processes 1;

events {
    worker_connections 512;
}

rtmp {
    live_record_spool %%TESTDIR%%/spool;

$buckets
    server {
        listen 127.0.0.1:%%PORT%%;

$applications
    }
}
EOF_CONF

my $small = media('gate', seconds => 46, size => '96x64', gop => 5,
    audio_bitrate => '24k');
my $short = media('faults', seconds => 13);

my %packets = map { my $file = $_;
    ($file => { map { $_ => [ packets($file, $_) ] } qw/ v a / }) }
    $small, $short;

$t->start();

###############################################################################

subtest 'away while many record, and over a restart' => sub {
    $oss->faults({ fault => 'status', status => 500, code =>
        'InternalError', early => 1, bucket => 'away', times => 0 });

    my @p = map { $t->start_publish($small, app => 'away', name => $_,
        speed => 16) } @mass;
    is((grep { $_->wait(120) != 0 } @p), 0, "$mass streams published");

    # beyond the grace
    sleep 3;

    my @while = $oss->requests('away');
    calm(\@while, 'away');

    ok($t->stop(), 'nginx stops');
    my $n = () = $oss->requests('away');
    $t->start();

    my @again;

    wait_for(sub {
        @again = $oss->requests('away');
        @again = @again[$n .. $#again];
        return @again && ended($again[-1]) > ended($again[0]) + 3;
    }, 30, 'it to be tried again');

    calm(\@again, 'after a restart');

    is(scalar $t->log(qr/bucket "away" fails/), 2,
        'told once by each nginx');
    is(scalar $t->log(qr/bucket "away" works again/), 0, 'and not well');
};

###############################################################################

# it is back, but far away.  What is recorded now has no more than a fragment
# to wait for, the others have a dozen each.

subtest 'it comes back' => sub {
    my $before = () = $oss->requests('away');

    $oss->faults({ fault => 'late', ms => 160, bucket => 'away',
        times => 0 });

    wait_for(sub { $oss->requests('away') > $before + 20 }, 70,
        'it to be found');

    is($t->publish($short, app => 'away', name => 'fresh', speed => 8), 0,
        'another one published');

    all_of('away', 'fresh', $short);

    my $left = () = map { $t->spooled($_, 'away') } @mass;
    cmp_ok($left, '>', $mass, 'while the others are not through');

    all_of('away', $_, $small) for @mass;

    # in the order of their beginnings

    my @all = $oss->requests('away');
    my @r = grep { $_->{status} == 200 || $_->{status} == 404 } @all;
    @r = sort { began($a) <=> began($b) } @r;

    is((grep { $_->{status} >= 400 && $_->{status} != 404 }
        @all[$before .. $#all]), 0, 'none was refused');

    # 1, 2, 4 ...: how many are there when one begins

    my @beside = map { beside($_, \@r) } 0 .. 12;

    is($beside[0], 0, 'one at first');
    cmp_ok(max(@beside[1 .. 2]), '<=', 1, 'then two');
    cmp_ok(max(@beside[3 .. 6]), '<=', 4, 'and more of them');

    is(max(map { beside($_, \@r) } 12 .. $#r), 7, 'eight, as configured');

    # the end of a recording is one request after another: how many others
    # begin until the next one does

    my @fresh = grep { my $r = $r[$_];
        (($r->{key} || '') . ($r->{query} || '')) =~ /fresh/ } 0 .. $#r;
    my ($end) = grep { ($r[$fresh[$_]]{key} || '') =~ m!^record/.*\.m3u8$! }
        0 .. $#fresh;

    cmp_ok($#fresh - $end, '>=', 4, 'requests of its end');

    my @between = map { $fresh[$_ + 1] - $fresh[$_] - 1 }
        $end .. $#fresh - 1;

    cmp_ok(max(@between), '<', $mass, 'it does not wait for all others');

    # a busy machine takes its time to journal one before the next is asked for

    cmp_ok(sum(@between) / @between, '<', 0.8 * $mass,
        "and mostly for much less: @between");

    # and the backlogs are in turn

    my %first;
    my @media = grep { ($_->{key} || '') =~ /\.ts$/ } @r;

    for my $i (0 .. $#media) {
        my ($name) = $media[$i]{key} =~ m!/(mass\d+)/! or next;
        $first{$name} = $i unless defined $first{$name};
    }

    cmp_ok(max(values %first), '<', 2 * $mass + 8,
        'each has had its first turn before others their third');

    is(scalar $t->log(qr/bucket "away" works again/), 1, 'told once');
};

###############################################################################

# four more buckets at the same time: one is told to wait, one takes only so
# many requests at a time, one refuses all streams, and one refuses one stream

my %names = map { my $app = $_->[0];
    ($app => [ map { "$app$_" } 1 .. $_->[1] ]) }
    [ after => 8 ], [ crowd => 8 ], [ refused => 8 ], [ denied => 5 ];

my %refuse = (fault => 'status', status => 403, code => 'AccessDenied',
    early => 1, times => 0);

$oss->faults(
    { fault => 'status', status => 429, code => 'TooManyRequests',
        retryAfter => 3, bucket => 'after', method => 'PUT', nth => 3 },
    { fault => 'late', ms => 50, bucket => 'after', times => 0 },
    { fault => 'crowded', most => 3, ms => 60, bucket => 'crowd',
        times => 0 },
    { %refuse, bucket => 'refused' },
    { %refuse, bucket => 'denied', key => '/denied1/' });

my @p = map { my $app = $_; map { $t->start_publish($short, app => $app,
    name => $_, speed => 8) } @{$names{$app}} } sort keys %names;

is((grep { $_->wait(60) != 0 } @p), 0, @p . ' more streams published');

subtest 'Retry-After counts for the whole bucket' => sub {
    all_of('after', $_, $short) for @{$names{after}};

    my @r = $oss->requests('after');
    my ($told) = grep { $_->{fault} && $_->{fault} eq 'status' } @r;

    # what the answer crosses on its way is not meant

    my @early = grep { began($_) > ended($told) + 0.5
        && began($_) < ended($told) + 2.8 } @r;

    is(scalar @early, 0, 'none within 3 s');
    is((grep { $_->{status} == 429 } @r), 1, 'one was refused');
};

subtest 'a store that takes few requests at a time' => sub {
    all_of('crowd', $_, $short) for @{$names{crowd}};

    my @r = $oss->requests('crowd');
    my $refused = grep { $_->{status} == 503 } @r;

    cmp_ok($refused, '>=', 1, 'some were refused');
    cmp_ok($refused / @r, '<', 0.3, "$refused of " . @r);
};

subtest 'all streams are refused' => sub {
    calm([ $oss->requests('refused') ], 'refused');
    is(scalar $t->log(qr/bucket "refused" refuses/), 1, 'told once');
};

# what is refused for one of many is no reason for the others to wait

subtest 'one stream is refused' => sub {
    my ($one, @others) = @{$names{denied}};

    all_of('denied', $_, $short) for @others;

    my @refused = grep { $_->{status} == 403 } $oss->requests('denied');

    cmp_ok(scalar @refused, '<=', 14, 'it is tried less and less often');
    ok(scalar $t->spooled($one, 'denied'), 'and waits');
};

subtest 'Retry-After is a date' => sub {
    my $until = int(time()) + 8;
    my $n = () = $oss->requests('after');

    $oss->faults({ fault => 'status', status => 503, bucket => 'after',
        retryAfter => strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime $until) });

    is($t->publish($short, app => 'after', name => 'date1', speed => 8), 0,
        'published');
    all_of('after', 'date1', $short);

    my @r = $oss->requests('after');
    cmp_ok(began($r[$n + 1]), '>=', $until % 86400 - 1, 'it is waited for');
};

subtest 'nothing is refused any more' => sub {
    for my $app (qw/ refused denied /) {
        all_of($app, $_, $short) for @{$names{$app}};
    }
};

###############################################################################

$oss->check();

$t->allow(qr/bucket "(?:denied|refused)" refuses/);
$t->done();

###############################################################################

sub all_of {
    my ($app, $name, $file) = @_;

    $t->bucket($oss->bucket($app));

    my @cycles = $t->wait_recorded(1, app => $app, name => $name,
        seconds => 90);
    my @segments = segments_of($cycles[0]);

    is(scalar @cycles, 1, "$name: one cycle");
    same_frames([ packets(\@segments, $_) ], $packets{$file}{$_},
        "$name: packets $_") for 'v', $name =~ /1$|fresh/ ? 'a' : ();
}

# requests while a store is away: those that find it out, and then one at a
# time, less and less often

sub calm {
    my ($requests, $name) = @_;
    my %second;

    $second{int began($_)}++ for @$requests;

    my $seconds = ended($requests->[-1]) - began($requests->[0]);

    cmp_ok(scalar @$requests, '<=', 8 + log(1 + 2 * $seconds) / log(2),
        "$name: " . @$requests . ' requests');
    cmp_ok(max(values %second), '<=', 7, "$name: in no second many");

    # four at first, and one more for each of two that have failed already

    my @late = sort { $a <=> $b } map { began($_) } @$requests;

    cmp_ok($late[-1] - $late[0], '>', 0.4, "$name: it is tried again");

    splice @late, 0, 6;
    is((grep { $late[$_] - $late[$_ - 1] < 0.3 } 1 .. $#late), 0,
        "$name: one at a time");
}

# how many are there already when the n-th begins; the store may notice the
# end of one a moment later than we do

sub beside {
    my ($n, $requests) = @_;
    my $began = began($requests->[$n]);

    return scalar grep { ended($_) > $began + 0.05 }
        @$requests[0 .. $n - 1];
}

###############################################################################
