#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# What the API tells of recordings and of indexes of ranges of time, how
# those are removed, what is refused, and an index over thousands of
# fragments.

###############################################################################

use warnings;
use strict;

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
    live_record_bucket local { type dir; root BUCKET/bucket; }
    live_record_bucket other { type dir; root BUCKET/other; }
    live_record_bucket again { type dir; root BUCKET/bucket; }

    server {
        listen 127.0.0.1:%%PORT%%;
        live_record_domain live.example.com;

        application live {
            live on;

            live_record * { bucket local; fragment 5s; grace 3s; }
        }
    }

    server {
        listen 127.0.0.1:%%PORT_2%%;
        live_record_domain two.example.com;

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

my $t2 = LiveRecord->new();
configure($t2);
$t2->start();

my $api2 = LiveRecord::Range->new($t2, $api->params());

for (1, 2) {
    is($t->publish(media('basic'), speed => 20), 0, "recording $_");
    $t->wait_recorded($_);
}

my @all = $api->fragments($t);
my ($first, $last) = @all[0, -1];

sub at { return int($_[0]{wall} / 1000) + $_[1] }

# indexes of both nodes; their media is looked at by index_range.t

my @ranges = (
    [ 'of everything', at($first, -1000), at($last, 1000) ],
    [ 'from before', at($first, -100), at($first, 1) ],
    [ 'up to behind', at($last, 1), at($last, 3600) ],
    [ 'of a second', at($first, 7), at($first, 8) ],
);

my @answers = ($api->create_all($api->wanted(@ranges)),
    $api2->create_all($api->wanted([ 'there', at($first, 7),
        at($first, 23) ])));

is(join(' ', map { $_->{code} || 'OK' } @answers), 'OK OK OK OK OK '
    . 'NoRecordContent OK OK OK OK OK NoRecordContent OK OK OK',
    'indexes, but of no whole fragment');

my $info = $answers[0]{body}{RecordInfo};
my $r;

###############################################################################
# what there is

$r = $api->call('DescribeLiveStreamRecordContent',
    StartTime => at($first, -10), EndTime => at($last, 100));

my @content = @{$r->{body}{RecordContentInfoList}{RecordContentInfo}};

is(scalar @content, 2, 'two recordings');
is($content[0]{OssBucket}, 'local', 'their bucket');
is($content[1]{OssObjectPrefix},
    'record/{AppName}/{StreamName}/{UnixTimestamp}_{Sequence}',
    'the template of their fragments');
is($content[0]{StartTime}, iso(at($first, 0)), 'start of the first one');
is($content[0]{Duration}, seconds($content[0]{EndTime})
    - seconds($content[0]{StartTime}), 'its duration');
cmp_ok(seconds($content[1]{EndTime}), '>=',
    ($last->{wall} + $last->{duration}) / 1000, 'end of the second one');

$r = $api->call('DescribeLiveStreamRecordContent',
    StartTime => at($last, 20000), EndTime => at($last, 30000));
is_deeply($r->{body}{RecordContentInfoList}{RecordContentInfo}, [],
    'nothing later');

###############################################################################
# what is known of indexes

my %window = (StartTime => at($first, -2000), EndTime => at($last, 4000));

my @infos = $api->indexes(%window, PageSize => 30);
my $n = @infos;

is($n, scalar(map { $_->log(qr!stored index .* of "live/test"!) } $t, $t2),
    'all indexes that were made are listed');
is($infos[0]{Format}, 'm3u8', 'their format');
is_deeply([ map { $_->{StartTime} } @infos ],
    [ sort map { $_->{StartTime} } @infos ], 'in order of time');

is_deeply([ map { $_->{RecordId} } $api->indexes(%window, PageSize => 30,
    Order => 'desc') ], [ reverse map { $_->{RecordId} } @infos ],
    'the other way');
is_deeply([ map { $_->{RecordId} } $api->indexes(%window, PageSize => 5,
    PageNum => 2) ], [ map { $_->{RecordId} } @infos[5 .. 9] ], 'a page');

$r = $api2->call('DescribeLiveStreamRecordIndexFiles', %window,
    PageSize => 5, PageNum => 3);
is($r->{body}{TotalNum}, $n, 'how many there are, for another node');
is($r->{body}{TotalPage}, int(($n + 4) / 5), 'how many pages');

is_deeply([ $api->indexes(StartTime => at($last, 5000),
    EndTime => at($last, 6000)) ], [], 'none of another time');
is_deeply([ $api->indexes(%window, StreamName => 'no') ], [],
    'none of another stream');
is_deeply([ $api->indexes(%window, DomainName => 'two.example.com') ], [],
    'none of another domain');

# they do not stand in the way of each other's pages

my $other = LiveRecord::Range->new($t, $api->params(),
    DomainName => 'Two.example.com');

$other->manifest($t->bucket(), 'live', 'test', 'two-1', 0, at($first, -500),
    { %$first, wall => $first->{wall} - 500000 });

my %before = (StartTime => at($first, -501), EndTime => at($first, -490));
my @others = map { $other->create(%before, OssObject => "two$_.m3u8")->{body}
    {RecordInfo}{RecordId} } 1 .. 6;

$r = $other->call('DescribeLiveStreamRecordIndexFiles', %window,
    DomainName => 'two.example.com', PageSize => 5);
is($r->{body}{TotalNum}, 6, 'all of the other domain');
is(scalar @{$r->{body}{RecordIndexInfoList}{RecordIndexInfo}}, 5,
    'a page of them');

$r = $api->call('DescribeLiveStreamRecordIndexFiles', %window, PageSize => 5);
is($r->{body}{TotalNum}, $n, 'and none of them is counted for this one');
is_deeply([ map { $_->{RecordId} }
    @{$r->{body}{RecordIndexInfoList}{RecordIndexInfo}} ],
    [ map { $_->{RecordId} } @infos[0 .. 4] ], 'or is in its pages');

$other->call('DeleteLiveStreamRecordIndexFiles', RemoveFile => 'true',
    map { ('RecordId.' . ($_ + 1) => $others[$_]) } 0 .. $#others);
is(scalar $other->indexes(%window), 0, 'removed');

$r = $api2->call('DescribeLiveStreamRecordIndexFile',
    RecordId => $info->{RecordId});
is_deeply($r->{body}{RecordIndexInfo}, { %$info, Format => 'm3u8' },
    'one of them');

for my $id (undef, 'x', '../../x', $info->{RecordId} =~ s/.$/x/r,
    $info->{RecordId} =~ s/^./0/r, uc $info->{RecordId}) {
    $r = $api->call('DescribeLiveStreamRecordIndexFile', RecordId => $id);
    is($r->{code}, defined $id ? 'InvalidRecordId.NotFound'
        : 'MissingRecordId', 'no such index');
}

$r = $api->call('DescribeLiveStreamRecordIndexFile', AppName => 'live',
    DomainName => 'two.example.com', RecordId => $info->{RecordId});
is($r->{code}, 'InvalidRecordId.NotFound', 'not of another domain');

# removed, with and without its object

my ($keep, $gone) = map { my $k = $_;
    grep { $_->{OssObject} eq "r/$k.m3u8" } @infos } 'of a second1',
    'of everything';

$r = $api->call('DeleteLiveStreamRecordIndexFiles', RemoveFile => 'false',
    'RecordId.1' => $keep->{RecordId}, 'RecordId.2' => 'nothing');
is($r->{body}{Code}, 'OK', 'removed');
is_deeply($r->{body}{RecordDeleteInfoList}{RecordDeleteInfo},
    [ { RecordId => $keep->{RecordId}, Message => 'OK' },
      { RecordId => 'nothing',
        Message => 'Specified RecordId does not exist.' } ], 'each is told');
ok(-e $t->bucket() . "/$keep->{OssObject}", 'the object is left');

$r = $api2->call('DeleteLiveStreamRecordIndexFiles', RemoveFile => 'true',
    'RecordId.1' => $gone->{RecordId});
is($r->{body}{RecordDeleteInfoList}{RecordDeleteInfo}[0]{Message}, 'OK',
    'removed with its object');
ok(!-e $t->bucket() . "/$gone->{OssObject}", 'the object is gone');

# something else has taken its place

my ($taken) = grep { $_->{OssObject} eq 'r/of everything1.m3u8' } @infos;
write_file($t->bucket() . "/$taken->{OssObject}", "#EXTM3U\nmine\n");

$r = $api->call('DeleteLiveStreamRecordIndexFiles', RemoveFile => 'true',
    'RecordId.1' => $taken->{RecordId});
is($r->{body}{RecordDeleteInfoList}{RecordDeleteInfo}[0]{Message}, 'OK',
    'removed what is known of an index');
ok(-e $t->bucket() . "/$taken->{OssObject}",
    'but not what is in its place');

# so has a later index

my %later = (StartTime => $keep->{StartTime}, EndTime => $keep->{EndTime},
    OssObject => 'later.m3u8');
my ($one, $two) = map { $api->create(%later)->{body}{RecordInfo}{RecordId} }
    1, 2;

for ([ $one, 1 ], [ $two, 0 ]) {
    my ($id, $left) = @$_;

    $r = $api->call('DeleteLiveStreamRecordIndexFiles', RemoveFile => 'true',
        'RecordId.1' => $id);
    is($r->{body}{RecordDeleteInfoList}{RecordDeleteInfo}[0]{Message}, 'OK',
        'removed an index of a key that has had two');
    is(-e $t->bucket() . '/later.m3u8' ? 1 : 0, $left,
        $left ? 'the later one is left' : 'and that too');
}

is(scalar $api->indexes(%window, PageSize => 30), $n - 3, 'three less');

for my $wrong ([ 'MissingRecordId' ],
    [ 'MissingRemoveFile', 'RecordId.1' => 'x' ],
    [ 'InvalidRemoveFile.Malformed', 'RecordId.1' => 'x',
        RemoveFile => 'perhaps' ],
    [ 'InvalidRecordId.Malformed', RemoveFile => 'true',
        map { ("RecordId.$_" => 'x') } 1 .. 21 ]) {
    my ($code, @params) = @$wrong;

    $r = $api->call('DeleteLiveStreamRecordIndexFiles', @params);
    is($r->{code}, $code, $code);
}

###############################################################################
# errors

my %good = (StartTime => at($first, 0), EndTime => at($first, 20),
    OssObject => 'e.m3u8');

my ($ts, $cycle) = map { substr $_, 1 + length $t->bucket() }
    ($t->fragments())[0], ($t->cycles())[0];
my ($day) = map { substr $_, 1 + length $t->bucket() } $t->days();
my $media = read_file($t->bucket() . "/$cycle");
my $days = read_file($t->bucket() . "/$day");

my $time = 'Specified StartTime is malformed.';
my $object = 'Specified parameter OssObject is not valid.';

my @wrong = (
    [ 'InvalidEndTime.Mismatch', 'Specified end time does not math the '
        . 'specified start time.', EndTime => at($first, 0) ],
    [ 'InvalidEndTime.Mismatch', undef, EndTime => at($first, -1) ],
    [ 'InvalidEndTime.Mismatch', undef, EndTime => at($first,
        4 * 86400 + 1) ],
    [ 'InvalidStartTime.Malformed', $time, StartTime => 'yesterday' ],
    [ 'InvalidStartTime.Malformed', $time,
        StartTime => '2026-03-01T12:00:00+08:00' ],
    [ 'InvalidEndTime.Malformed', 'Specified EndTime is malformed.',
        EndTime => '2026-02-30T12:00:00Z' ],
    [ 'InvalidStartTime.Malformed', $time,
        StartTime => '1969-12-31T23:59:59Z' ],
    [ 'InvalidEndTime.Malformed', undef, EndTime => '2107-01-01T00:00:00Z' ],
    [ 'MissingStartTime', undef, StartTime => undef ],
    [ 'MissingOssObject', undef, OssObject => undef ],
    [ 'MissingOssBucket', undef, OssBucket => undef ],
    [ 'MissingOssEndpoint', undef, OssEndpoint => undef ],
    [ 'MissingStreamName', 'StreamName is mandatory for this action.',
        StreamName => undef ],
    [ 'InvalidDomain.NotFound', undef, DomainName => 'no.example.com' ],
    [ 'InvalidStream.NotFound', 'Speicified stream does not exist.',
        StreamName => 'never' ],
    [ 'InvalidStream.NotFound', undef, AppName => 'never' ],
    [ 'NoRecordContent', 'The record content between StartTime and EndTime '
        . 'is empty.', StartTime => at($first, -500),
        EndTime => at($first, -400) ],
    [ 'NoRecordContent', undef, StartTime => at($last, 50000),
        EndTime => at($last, 50001) ],
    [ 'NoRecordContent', undef, DomainName => 'two.example.com' ],
    [ 'InvalidOssBucket.Malformed', 'Specified parameter OssBucket is not '
        . 'valid.', OssBucket => 'nowhere' ],
    [ 'InvalidOssBucket.Malformed', undef, OssBucket => 'other' ],
    [ 'InvalidEndTimeIncluded.Malformed', undef, EndTimeIncluded => 'no' ],
    map({ [ 'InvalidOssObject.Malformed', $object, OssObject => $_ ] }
        'a', 'a.ts', '.m3u8', '/a.m3u8', '../a.m3u8', 'a/../a.m3u8',
        'a//b.m3u8', "a\n.m3u8", '{Sequence}.m3u8', '{a.m3u8', 'a/{b}.m3u8',
        '.live_record/live/test/a.m3u8', 'a/.b.part/c.m3u8',
        'x' x 256 . '.m3u8', 'x/' x 520 . '.m3u8', $ts, $cycle, $day,
        "$taken->{OssObject}", "$ts.m3u8/../$cycle"),
);

@answers = $api->create_all(map { my ($code, $text, @params) = @$_;
    +{ %good, @params } } @wrong);

for (@wrong) {
    my ($code, $text, %params) = @$_;
    my $answer = shift @answers;
    my $what = join ' ', map { substr defined $_ ? $_ : '-', 0, 40 } %params;

    $what =~ s/\n/\\n/g;
    is($answer->{code}, $code, "$what: $code");
    like($answer->{text}, qr/\Q$text\E/, "$what: text") if defined $text;
}

# in the way of a directory, or of what is one

$r = $api->create(%good, OssObject => "$ts/x.m3u8");
is($r->{code}, 'InternalError', 'below a fragment');
ok(-f $t->bucket() . "/$ts", 'which is still there');

is(read_file($t->bucket() . "/$cycle"), $media, 'a playlist is left alone');
is(read_file($t->bucket() . "/$day"), $days, 'the index of a day, too');

$r = $api->create(%good, OssBucket => 'again', OssObject => 'again.m3u8');
is($r->{code}, undef, 'the same directory by another name');
like(read_file($t->bucket() . '/again.m3u8'), qr!^record/live/test/!m,
    'has relative names');

is(scalar(files_in("$dir/other")), 0, 'nothing in another bucket');
is(scalar(grep { /\.part$/ } files_in($t->bucket())), 0,
    'nothing is left over');
is(scalar $t->log(qr/refuses and needs/), 0,
    'callers do not make a bucket look ill');

###############################################################################
# an index over thousands of fragments

my $base = int time() - 10 * 86400;
my $key = substr $ts, 0;

for my $part (0 .. 599) {
    $api->manifest($t->bucket(), 'live', 'long', 'long-1', $part, $base,
        map { my $i = 100 * $part + $_;
            { key => $key, duration => 5000, wall => 1000 * $base
                + 5000 * $i, seq => $i } } 0 .. 99);
}

for my $window ([ 'an hour', 86400, 90000, 721 ],
    [ 'all', 0, 300000, 60000 ]) {
    my ($name, $from, $to, $count) = @$window;
    my $began = cpu();

    $r = $api->create(StreamName => 'long', StartTime => $base + $from,
        EndTime => $base + $to, OssObject => "long/$name.m3u8");
    is($r->{code}, undef, "$name of 60000 fragments");

    my $m3u8 = parse_m3u8($t->bucket() . "/long/$name.m3u8");
    is(scalar @{$m3u8->{segments}}, $count, "$name: fragments");
    is($r->{body}{RecordInfo}{Duration}, 5 * $count, "$name: duration");

    # of the worker's time, as the machine's may be for others

    my $took = cpu() - $began;

    note("$name: $took CPU-seconds");
    cmp_ok($took, '<', 2, "$name: soon");
}

$t->done();

# seconds that the workers have computed

sub cpu {
    my $ticks = 0;

    for my $pid ($t->workers()) {
        my @stat = split ' ', read_file("/proc/$pid/stat") =~ s/^.*\) //r;
        $ticks += $stat[11] + $stat[12];
    }

    return $ticks / 100;
}

###############################################################################
