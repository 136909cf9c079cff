#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# Indexes of a range of time, of a stream that runs and of one that has
# ended, over gaps and recordings, by a node that did not record: their
# frames are those of the fragments that touch the range.

###############################################################################

use warnings;
use strict;

use POSIX qw/ strftime /;
use Test::More;
use FindBin;

use lib "$FindBin::Bin/lib";
use LiveRecord;
use LiveRecord::Range;

###############################################################################

my $t = LiveRecord->new();
my $dir = $t->dir();

my $conf = <<'EOF_CONF';
%%GLOBALS%%

worker_processes 2;

events {
    worker_connections 64;
}

http {
    %%GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:%%PORT_HTTP%%;

        location / {
            live_record_api;
            live_record_api_keys %%TESTDIR%%/keys;
        }
    }
}

rtmp {
    live_record_spool %%TESTDIR%%/spool;
    live_record_timezone +08:00;
    live_record_bucket local { type dir; root BUCKET/bucket; }

    server {
        listen 127.0.0.1:%%PORT%%;
        live_record_domain live.example.com;

        application live {
            live on;

            live_record * { bucket local; fragment 5s; grace 3s; }
        }
    }
}
EOF_CONF

$conf =~ s/BUCKET/$dir/g;

sub configure {
    my ($nginx) = @_;

    $nginx->write_conf($conf);
    write_file($nginx->dir() . '/keys', "testid testsecret\n");
    chmod 0644, $nginx->dir() . '/keys';
}

configure($t);
$t->start();

my $api = LiveRecord::Range->new($t, OssBucket => 'local',
    OssEndpoint => 'localhost', DomainName => 'live.example.com',
    AppName => 'live', StreamName => 'test');

my $file = media('basic');
my %frames;

###############################################################################
# a running stream of which no manifest tells yet

my $p = $t->start_publish($file, speed => 1, burst => 20000, seconds => 20,
    end => 'hold');

wait_for(sub { $t->fragments() == 3 }, 30, 'fragments');

is(scalar $t->manifests(), 0, 'no manifest yet');

my $now = int time();
my $r = $api->create(StartTime => $now - 60, EndTime => $now + 60,
    OssObject => 'a/{AppName}/{StreamName}.m3u8');

is($r->{code}, undef, 'index of a running stream');

my $info = $r->{body}{RecordInfo};
my $list = $t->bucket() . '/a/live/test.m3u8';

is($info->{OssObject}, 'a/live/test.m3u8', 'its key');
like($info->{RecordId}, qr/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-
    [89ab][0-9a-f]{3}-[0-9a-f]{12}$/x, 'its id');
is("$info->{Width}x$info->{Height}", '320x180', 'its size');
cmp_ok($info->{Duration}, '>', 17.9, 'its duration');
is($info->{StartTime}, iso($now - 60), 'its start');
is($info->{OssEndpoint}, 'localhost', 'the endpoint that was asked for');
cmp_ok(abs(seconds($info->{CreateTime}) - $now), '<=', 10,
    'when it was made');

playlist_ok($list, 'of a running stream');

# on a slow machine the publisher's silence may have ended another one

my @got = frames($list, 'v');

is_deeply([ (files_of($list))[0 .. 2] ], [ ($t->fragments())[0 .. 2] ],
    'all fragments that the bucket has');
cmp_ok(scalar @got, '>=', 450, 'all of their frames');
same_frames(\@got, [ (frames($file, 'v'))[0 .. $#got] ], 'its frames');

# the same key again, with less in it

my @walls = map { m!/(\d+)_\d+\.ts$! } $t->fragments();

$r = $api->create(StartTime => $walls[0] - 10, EndTime => $walls[1] + 2,
    OssObject => 'a/live/test.m3u8');
is($r->{code}, undef, 'an index in place of another');
is_deeply([ files_of($list) ], [ ($t->fragments())[0, 1] ],
    'with other fragments');

$p->kill('TERM')->wait(10);

# another publish within the grace, and another recording behind it

is($t->publish($file, speed => 20), 0, 'the second span');
$t->wait_recorded(1);

is($t->publish($file, speed => 20), 0, 'the second recording');
$t->wait_recorded(2);

my @all = $api->fragments($t);

cmp_ok(scalar(grep { $_->{discontinuity} } @all), '>=', 1, 'there is a gap');
is(scalar(keys %{{ map { $_->{id} => 1 } @all }}), 2, 'two recordings');

###############################################################################
# ranges

my ($first, $last) = ($all[0], $all[-1]);
my ($gap) = grep { $_ && $all[$_]{discontinuity}
    && $all[$_]{id} eq $first->{id} } 0 .. $#all;
my ($second) = grep { $all[$_]{id} ne $first->{id} } 0 .. $#all;

my @ranges = (
    [ 'within the first span', at($first, 7), at($first, 13) ],
    [ 'over a gap', around(@all[$gap - 2, $gap + 1]) ],
    [ 'over two recordings', around(@all[$second - 3, $second + 2]) ],
    [ 'of everything', at($first, -1000), at($last, 1000) ],
    [ 'from before', at($first, -100), at($first, 1) ],
    [ 'up to behind', at($last, 1), at($last, 3600) ],
    [ 'of a second', at($all[5], 2), at($all[5], 3) ],
);

sub ranges {
    my ($nginx, $who, @ranges) = @_;

    my @calls = $nginx->wanted(@ranges);
    my @answers = $nginx->create_all(@calls);

    for my $call (@calls) {
        my $answer = shift @answers;
        my $what = "$who: $call->{OssObject}";
        my $inside = ($call->{EndTimeIncluded} || '') eq 'false';
        my @expected = touching($call->{StartTime}, $call->{EndTime},
            $inside);

        if (!@expected) {
            is($answer->{code}, 'NoRecordContent', "$what: nothing");
            next;
        }

        is($answer->{code}, undef, $what);

        my $list = $t->bucket() . "/$call->{OssObject}";
        my @files = map { $t->bucket() . "/$_->{key}" } @expected;

        is_deeply([ files_of($list) ], \@files, "$what: fragments");
        playlist_ok($list, $what);

        my $length = 0;
        $length += $_->{duration} for @expected;
        is($answer->{body}{RecordInfo}{Duration}, $length / 1000,
            "$what: duration");

        next if defined $call->{EndTimeIncluded}
            || $call->{OssObject} !~ /within|over|everything/;

        same_frames([ frames($list, 'v') ],
            [ map { frames_of($_) } @files ], "$what: frames");
    }
}

sub at { return int($_[0]{wall} / 1000) + $_[1] }

# media was sent faster than time goes, so what came later may be earlier

sub around {
    my @walls = sort { $a <=> $b } map { $_->{wall} } @_;
    return int($walls[0] / 1000) + 2, int($walls[-1] / 1000) + 3;
}

sub frames_of {
    my ($file) = @_;
    return @{$frames{$file} ||= [ frames($file, 'v') ]};
}

sub files_of {
    my ($list) = @_;

    return map { my $f = $_; 1 while $f =~ s![^/]+/\.\./!!; $f }
        segments_of($list);
}

sub touching {
    my ($start, $end, $inside) = map { $_ || 0 } @_;
    ($start, $end) = (1000 * $start, 1000 * $end);

    return grep {
        my $to = $_->{wall} + $_->{duration};
        $to > $start && ($inside ? $to <= $end : $_->{wall} <= $end)
    } @all;
}

ranges($api, 'here', @ranges);

# a node that did not record, and the same one after a restart

my $t2 = LiveRecord->new();
configure($t2);
$t2->start();

my $api2 = LiveRecord::Range->new($t2, $api->params());
ranges($api2, 'there', $ranges[2]);

$t->stop();
$t->start();
ranges($api, 'later', $ranges[1]);

# over midnight: the same media at another time, in a manifest of its own

my $midnight = 86400 * int((time() - 20 * 86400) / 86400);
my $shift = 1000 * $midnight + 500 - $all[$gap + 4]{wall};

$api->manifest($t->bucket(), 'live', 'night', 'night-1', 0, $midnight - 300,
    map { { %$_, wall => $_->{wall} + $shift } } @all[$gap .. $second - 1]);

$r = $api->create(StreamName => 'night', StartTime => $midnight - 10,
    EndTime => $midnight + 8, OssObject => 'r/{Date} {Hour}-{Minute}-'
    . '{Second}.m3u8');
is($r->{code}, undef, 'over midnight');
is($r->{body}{RecordInfo}{OssObject},
    strftime('r/%Y-%m-%d 07-59-50.m3u8', gmtime($midnight)),
    'names tell of the start, in the zone of recordings');

$list = $t->bucket() . "/$r->{body}{RecordInfo}{OssObject}";
my @night = map { $t->bucket() . "/$_->{key}" }
    grep { $_->{wall} + $shift <= 1000 * ($midnight + 8)
        && $_->{wall} + $_->{duration} + $shift > 1000 * ($midnight - 10) }
    @all[$gap .. $second - 1];

is_deeply([ files_of($list) ], \@night, 'fragments on both sides of it');
same_frames([ frames($list, 'v') ], [ map { frames_of($_) } @night ],
    'over midnight: frames');
playlist_ok($list, 'over midnight');

# a clock that was set back has a later part sort before the first one: the
# index of the day has both

my $clock = time();
my @back = @all[$gap .. $gap + 3];

for my $part (0, 1) {
    my $from = 1000 * ($clock - 1200 * $part) - $back[2 * $part]{wall};

    $api->manifest($t->bucket(), 'live', 'back', 'back-1', $part, $clock,
        map { { %$_, wall => $_->{wall} + $from } }
        @back[2 * $part, 2 * $part + 1]);
}

chmod 0777, $t->bucket() . '/.live_record/live/back';

is($t->publish($file, seconds => 4, name => 'back'), 0, 'published');

($list) = $t->wait_recorded(1, name => 'back');
my ($day) = $t->days('back');

is_deeply([ files_of($day) ], [ (map { $t->bucket() . "/$_->{key}" } @back),
    files_of($list) ], 'all parts of a recording are in the index of the day');

# so it has those of a clock that was days ahead when the recording began

my $bucket = $t->bucket();

rename $bucket, "$bucket-away" or die "rename $bucket: $!\n";

is($t->publish($file, seconds => 20, speed => 20, name => 'ahead'), 0,
    'published');

my ($log) = glob "$dir/spool/live/ahead/*/record.log";

wait_for(sub { read_file($log) =~ /"unpublish"/ }, 10, 'the end');
ok($t->stop(), 'nginx stopped');

rename "$bucket-away", $bucket or die "rename $bucket: $!\n";

write_file($log, join "\n", map {
    s/("wall":\s*)(\d+)/$1 . ($2 - 3 * 86400000)/e
        if /"open"/ && /"file":\s*(\d+)/ && $1 > 2;
    $_;
} split /\n/, read_file($log), -1);

$t->start();

($list) = $t->wait_recorded(1, name => 'ahead');
($day) = $t->days('ahead');

is(scalar(my @parts = $t->manifests('ahead')), 2, 'two parts');
cmp_ok(scalar files_of($list), '>', 3, 'of four fragments or more');
is_deeply([ files_of($day) ], [ files_of($list) ],
    'all of a recording whose clock was set right are in it, too');

$t->done();

###############################################################################
