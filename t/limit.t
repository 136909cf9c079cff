#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# "limit_rate": media goes to a bucket no faster, each transfer gets its
# share, and none of them is taken for one that stalls.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;
use List::Util qw/ max min sum /;

use lib "$FindBin::Bin/lib";
use LiveRecord;
use LiveRecord::OSS;

###############################################################################

my $t = LiveRecord->new();
my $oss = LiveRecord::OSS->new($t, https => 1);
my $dir = $t->dir();

my $http = 'http://127.0.0.1:' . $oss->port();
my $https = 'https://127.0.0.1:' . $oss->https_port();
my $store = 'region cn-hangzhou; credentials key ak sk;';

# two workers, of which each has half; one that would notice a pause of a
# second; and one that has to be woken up while nginx leaves

my %buckets = (
    free => "type oss; $store endpoint $http;",
    plain => "type oss; $store endpoint $http; limit_rate 900k;",
    tls => "type oss; $store endpoint $https; limit_rate 600k;"
        . ' timeout 1s; ca_file ' . $oss->ca() . ';',
    dir => "type dir; root $dir/dir; limit_rate 900k;",
    leave => "type dir; root $dir/leave; limit_rate 16k;",
);

my $buckets = join '', map {
    "    live_record_bucket $_ { $buckets{$_}"
        . ($buckets{$_} =~ /oss/ ? " bucket $_;" : '') . " }\n"
} sort keys %buckets;

my $applications = join '', map {
    "        application $_ { live on; live_record * {\n"
        . "            bucket $_; fragment 30s; grace 1s; } }\n"
} sort keys %buckets;

$t->write_conf(<<"EOF_CONF");
%%GLOBALS%%

worker_processes 2;

events {
    worker_connections 256;
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

# about 600 KB in one fragment
my $file = media('limit', seconds => 6, size => '320x180', audio => 'none',
    bitrate => '800k');
my @video = frames($file, 'v');

$t->start();

###############################################################################

# six at once: the fragments of one worker's streams share its half.  It is
# not known which worker has how many

for my $app (qw/ free plain tls dir /) {
    subtest $app => sub {
        my @names = map { "$app$_" } 1 .. 6;

        my @p = map { $t->start_publish($file, app => $app, name => $_,
            speed => 6) } @names;
        is((grep { $_->wait(60) != 0 } @p), 0, 'published');

        $t->bucket($app eq 'dir' ? "$dir/dir" : $oss->bucket($app));

        for my $name (@names) {
            my @cycles = $t->wait_recorded(1, app => $app, name => $name,
                seconds => 60);

            same_frames([ frames([ segments_of($cycles[0]) ], 'v') ],
                \@video, "$name: video");
        }

        is(scalar $t->log(qr/bucket "$app" fails/), 0, 'nothing fails');
    };
}

###############################################################################

subtest 'no limit' => sub {
    my @puts = puts('free');

    is(scalar @puts, 6, 'fragments');
    cmp_ok((sort { $a <=> $b } map { $_->{ms} } @puts)[2], '<', 1000,
        'most of them take no time');
};

for ([ plain => 450 ], [ tls => 300 ]) {
    my ($app, $rate) = @$_;

    subtest "$app: the rate" => sub {
        my @puts = puts($app);
        my $bytes = sum(map { $_->{in} } @puts);
        my $from = min(map { began($_) } @puts);
        my $to = max(map { ended($_) } @puts);
        my $kbps = $bytes / 1024 / ($to - $from);

        is(scalar @puts, 6, 'fragments');
        cmp_ok($kbps, '<', 2 * $rate * 1.15, "of both workers: $kbps k");

        # a single worker is not faster than its half

        my %by = workers($app);

        for my $pid (sort keys %by) {
            my @of = grep { my $put = $_;
                grep { $put->{key} =~ m!/$_/! } @{$by{$pid}} } @puts;
            my $seconds = max(map { ended($_) } @of)
                - min(map { began($_) } @of);
            my $k = sum(map { $_->{in} } @of) / 1024 / $seconds;

            cmp_ok($k, '<', $rate * 1.2, "a worker of " . @of . ": $k k");
            cmp_ok($k, '>', $rate * 0.5, 'and not much slower');

            # those that began together end together

            next unless @of > 1;
            my @ends = sort { $a <=> $b } map { ended($_) } @of;

            cmp_ok($ends[0] - min(map { began($_) } @of), '>',
                0.5 * $seconds, 'none is served before the others');
        }
    };
}

subtest 'dir: the rate' => sub {
    my @files = map { "$dir/dir/$_" } files_in("$dir/dir", qr/\.ts$/);
    my $bytes = sum(map { -s } @files);

    # the last is there when all of them have had their time
    my @logged = map { /(\d\d):(\d\d):(\d\d) / && ($1 * 60 + $2) * 60 + $3 }
        $t->log(qr!stored "record/dir/.*\.ts"!);
    my @began = map { /(\d\d):(\d\d):(\d\d) / && ($1 * 60 + $2) * 60 + $3 }
        $t->log(qr!"dir/dir\d" pauses!);
    my $seconds = max(@logged) - min(@began) + 1;

    is(scalar @files, 6, 'fragments');
    cmp_ok($bytes / 1024 / $seconds, '<', 900 * 1.2, "$seconds s");
};

###############################################################################

# a thread that waits for its turn would hold up the end for a minute, and more
# than one of a worker would be missed by recorders

subtest 'nginx does not wait for it' => sub {
    my @names = map { "leave$_" } 1 .. 4;

    my @p = map { $t->start_publish($file, app => 'leave', name => $_,
        speed => 6) } @names;
    is((grep { $_->wait(60) != 0 } @p), 0, 'published');

    wait_for(sub { my @parts = files_in("$dir/leave", qr/\.part$/); @parts },
        20, 'something to be written');

    # all are cut by now, and each takes longer than that

    my $most = max(map { select undef, undef, undef, 0.25;
        scalar files_in("$dir/leave", qr/\.part$/) } 1 .. 10);
    cmp_ok($most, '<=', 2, 'one at a time in each worker');

    my $began = time();
    ok($t->stop(), 'stops');
    cmp_ok(time() - $began, '<', 10, 'soon');

    $t->write_conf(read_file("$dir/nginx.conf") =~ s/limit_rate 16k;//r);
    $t->start();

    $t->bucket("$dir/leave");

    for my $name (@names) {
        my @cycles = $t->wait_recorded(1, app => 'leave', name => $name);
        same_frames([ frames([ segments_of($cycles[0]) ], 'v') ], \@video,
            "$name: video");
    }
};

$oss->check();
$t->done();

###############################################################################

sub puts {
    my ($bucket) = @_;
    return grep { $_->{method} eq 'PUT' && $_->{key} =~ /\.ts$/ }
        $oss->requests($bucket);
}

# which worker has stored which streams

sub workers {
    my ($app) = @_;
    my %by;

    for ($t->log(qr!stored "record/$app/.*\.ts"!)) {
        m!\[info\] (\d+)#.*stored "record/$app/(\w+)/! or next;
        push @{$by{$1}}, $2;
    }

    return %by;
}

###############################################################################
