#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# Indexes of a range of time in a store: beside the media, and in another
# bucket; a store that fails, and callers that do not wait.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;

use lib "$FindBin::Bin/lib";
use LiveRecord;
use LiveRecord::OSS;
use LiveRecord::Range;

###############################################################################

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

    live_record_bucket store {
        type TYPE;
        bucket media;
        endpoint http://127.0.0.1:OSS;
        region cn-hangzhou;
        credentials key id secret;
        timeout 2s;
    }

    live_record_bucket indexes {
        type TYPE;
        bucket indexes;
        endpoint http://127.0.0.1:OSS;
        region cn-hangzhou;
        credentials key id secret;
    }

    live_record_bucket local { type dir; root LOCAL/bucket; }

    server {
        listen 127.0.0.1:%%PORT%%;

        application live {
            live on;

            live_record * { bucket store; fragment 5s; grace 2s; }
        }
    }
}
EOF_CONF

my $file = media('basic');
my ($last, $api);

for my $type (qw/ oss s3 /) {
    my $t = LiveRecord->new();
    my $oss = LiveRecord::OSS->new($t, keys => [ 'id:secret' ],
        s3 => $type eq 's3', buckets => [ qw/ media indexes / ],
        args => [ '--public-read', '--region', 'cn-hangzhou',
            '--page', 2 ]);

    configure($t, $type, $oss, $t->dir());
    $t->start();
    $t->bucket($oss->bucket('media'));

    # what is known of another node is what its manifests tell

    my $t2 = LiveRecord->new();
    configure($t2, $type, $oss, $t->dir());
    $t2->start();

    my %params = (OssBucket => 'media',
        OssEndpoint => '127.0.0.1:' . $oss->port(),
        DomainName => '127.0.0.1', AppName => 'live', StreamName => 'test');

    $api = LiveRecord::Range->new($t, %params);
    my $there = LiveRecord::Range->new($t2, %params);

    my $p = $t->start_publish($file, speed => 1, burst => 20000,
        seconds => 20, end => 'hold');

    wait_for(sub { $t->fragments() == 3 }, 30, 'fragments');

    my $now = time();
    my %range = (StartTime => $now - 60, EndTime => $now + 60);
    my $url = 'http://127.0.0.1:' . $oss->port();

    my $r = $api->create(%range, OssObject => 'a/test.m3u8');
    is($r->{code}, undef, "$type: index of a running stream");
    is($r->{body}{RecordInfo}{RecordUrl}, "$url/media/a/test.m3u8",
        "$type: its address");

    my $list = $t->bucket() . '/a/test.m3u8';
    my @got = frames($list, 'v');
    cmp_ok(scalar @got, '>=', 450, "$type: all that the bucket has");
    same_frames(\@got, [ (frames($file, 'v'))[0 .. $#got] ],
        "$type: its frames");
    playlist_ok($list, "$type: of a running stream");

    $r = $there->create(%range, OssObject => 'there.m3u8');
    is($r->{code}, $t->manifests() ? undef : 'InvalidStream.NotFound',
        "$type: another node knows of it by its manifests");

    $p->kill('TERM')->wait(10);
    $t->publish($file, speed => 20);
    $t->wait_recorded(1);

    # by a node that did not record, into another bucket, and with the name
    # of a live_record_bucket

    my @all = $api->fragments($t);
    my $start = int($all[4]{wall} / 1000) + 1;

    %range = (StartTime => $start, EndTime => $start + 30);

    my @expected = grep {
        $_->{wall} <= 1000 * ($start + 30)
            && $_->{wall} + $_->{duration} > 1000 * $start
    } @all;

    $r = $there->create(%range, OssObject => 'there.m3u8');
    is($r->{code}, undef, "$type: another node");
    $list = $t->bucket() . '/there.m3u8';
    is_deeply([ map { $_->{uri} } @{parse_m3u8($list)->{segments}} ],
        [ map { $_->{key} } @expected ], "$type: there: fragments");
    same_frames([ frames($list, 'v') ],
        [ map { frames($t->bucket() . "/$_->{key}", 'v') } @expected ],
        "$type: there: frames");

    $r = $api->create(%range, OssBucket => 'indexes',
        OssObject => 'b/test.m3u8');
    is($r->{code}, undef, "$type: another bucket");
    $list = $oss->bucket('indexes') . '/b/test.m3u8';

    my @uris = map { $_->{uri} } @{parse_m3u8($list)->{segments}};

    is_deeply(\@uris, [ map { "$url/media/$_->{key}" } @expected ],
        "$type: another bucket: addresses");

    $r = $api->create(%range, OssBucket => 'local', OssObject => 'c.m3u8');
    is($r->{code}, undef, "$type: a directory");
    is_deeply([ map { $_->{uri} }
            @{parse_m3u8($t->dir() . '/bucket/c.m3u8')->{segments}} ],
        \@uris, "$type: with the same addresses");

    $r = $api->create(%range, OssBucket => 'store', OssObject => 'd.m3u8');
    is($r->{code}, undef, "$type: the name of the block");

    for my $wrong ([ OssEndpoint => 'other.example.com' ],
        [ OssEndpoint => '127.0.0.1:1' ], [ OssBucket => 'nothing' ]) {
        $r = $api->create(%range, @$wrong, OssObject => 'd.m3u8');
        is($r->{code}, 'InvalidOssBucket.Malformed', "$type: @$wrong");
    }

    # nothing of the recording is overwritten

    my ($cycle) = map { substr $_, 1 + length $t->bucket() } $t->cycles();
    my $text = read_file($t->bucket() . "/$cycle");

    $r = $api->create(%range, OssObject => $cycle);
    is($r->{code}, 'InvalidOssObject.Malformed', "$type: a name taken");
    is(read_file($t->bucket() . "/$cycle"), $text, "$type: is left alone");

    # nor is what is empty taken for an index

    write_file($t->bucket() . '/empty.m3u8', '');
    $r = $api->create(%range, OssObject => 'empty.m3u8');
    is($r->{code}, 'InvalidOssObject.Malformed', "$type: what is empty");

    # of one that is there only the beginning is read, whatever its length

    my $long = $t->bucket() . '/d.m3u8';
    my $made = read_file($long);

    write_file($long, $made . "#\n" x (5 * 1024 * 1024));
    $r = $api->create(%range, OssObject => 'd.m3u8');
    is($r->{code}, undef, "$type: a long one is made again");
    isnt(read_file($long), $made, "$type: with an id of its own");
    cmp_ok(-s $long, '<', 1024 * 1024, "$type: and no longer");

    $made = read_file($long);
    write_file($long, $made . "#\n" x (5 * 1024 * 1024));

    # what is known, and removed

    my @infos = $there->indexes(%range, PageSize => 30);
    my $n = map { $_->log(qr/stored index/) } $t, $t2;
    is(scalar @infos, $n, "$type: indexes");
    cmp_ok($n, '>', 2, "$type: more than a page of a listing");

    # a listing that does not go on

    $oss->faults({ fault => 'same-token', query => 'continuation-token',
        times => 4 });
    $r = $there->call('DescribeLiveStreamRecordIndexFiles', %range);
    is($r->{code}, 'InternalError', "$type: a page that is its own next");
    is(scalar $t2->log(qr/LIST .* the answer is not a listing/), 1,
        "$type: is not asked for again");
    $oss->faults();

    $r = $there->call('DeleteLiveStreamRecordIndexFiles',
        RemoveFile => 'true', map { ("RecordId." . ($_ + 1)
            => $infos[$_]{RecordId}) } 0 .. $#infos);
    is(scalar(grep { $_->{Message} eq 'OK' }
        @{$r->{body}{RecordDeleteInfoList}{RecordDeleteInfo}}), $n,
        "$type: removed");

    is(join(' ', grep { -e } map { $oss->bucket('media') . "/$_" }
        qw! a/test.m3u8 there.m3u8 d.m3u8 !), '', "$type: are gone");
    ok(!-e $oss->bucket('indexes') . '/b/test.m3u8',
        "$type: from the other bucket");
    ok(!-e $t->dir() . '/bucket/c.m3u8', "$type: and from a directory");
    is(scalar $api->indexes(%range), 0, "$type: and not known");

    # a store that fails, and one that does not answer, while callers leave

    $oss->faults({ fault => 'status', status => 503, method => 'GET' });
    $r = $api->create(%range, OssObject => 'e.m3u8');
    is($r->{code}, 'InternalError', "$type: a store that fails");
    is(scalar $t->log(qr/works again|recordings wait/), 0,
        "$type: no recording has waited for that");

    $oss->faults({ fault => 'status', status => 503, method => 'PUT' });
    $r = $api->create(%range, OssObject => 'e.m3u8');
    is($r->{code}, 'InternalError', "$type: a store that takes nothing");

    $oss->faults({ fault => 'stall', method => 'GET' });
    $api->leave($_ / 20, %range, OssObject => 'e.m3u8') for 0 .. 4;

    # a worker that exits stays until it has answered

    my $late = $api->begin(%range, OssObject => 'late.m3u8');
    wait_for(sub { ($oss->seen(''))[0] > 5 }, 10, 'a request that stalls');
    $t->reload();
    like($api->leave(30, $late), qr/^HTTP\S+ [25]00 /,
        "$type: an answer after a reload");

    $oss->faults();
    $r = $api->create(%range, OssObject => 'e.m3u8');
    is($r->{code}, undef, "$type: it works again");
    $api->leave($_ / 200, %range, OssObject => 'e.m3u8') for 0 .. 19;

    is($api->create(%range, OssObject => 'e.m3u8')->{code}, undef,
        "$type: and is there for others");

    $oss->check(qw/ NoSuchKey /);

    # what an address leads to, for somebody who may read there

    my ($path) = $uris[0] =~ m!^http://[^/]+(/.*)!;
    my ($head, $body) = split /\r\n\r\n/, LiveRecord::http_get($oss->port(),
        $path), 2;

    like($head, qr/^HTTP\S+ 200/, "$type: which are there");
    is(length $body, -s $t->bucket() . "/$expected[0]{key}",
        "$type: with a fragment");

    ok($t->stop(), "$type: nginx stopped");

    is(join("\n", $t2->bad_lines()), '', "$type: the other log");

    $last = $t;
}

$last->done();

sub configure {
    my ($nginx, $type, $oss, $local) = @_;
    my $port = $oss->port();

    $nginx->write_conf($conf =~ s/TYPE/$type/gr =~ s/OSS/$port/gr
        =~ s/LOCAL/$local/r);
    write_file($nginx->dir() . '/keys', "testid testsecret\n");
    chmod 0644, $nginx->dir() . '/keys';
}

###############################################################################
