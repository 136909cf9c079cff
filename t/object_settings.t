#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# What objects are like in a store: class, ACL, encryption, tags, metadata
# and Cache-Control, of those that are put, made of parts, moved by a copy or
# in parts, and made by the API.  The stores refuse what they do not know, and what is told where
# it has no meaning.  What is set is read back by the stores' own clients.

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

my $work = '/\.part-';
my $name = '/[^./][^/]*\.mp4$';
my $direct = 'record/{AppName}/{StreamName}/{EscapedStartTime}';

my @too_large = (fault => 'status', status => 400, code => 'EntityTooLarge',
    method => 'PUT', times => 0, noheader => 'x-oss-copy-source-range',
    header => 'x-oss-copy-source');
my @too_large_s3 = (@too_large, header => 'x-amz-copy-source',
    noheader => 'x-amz-copy-source-range');

my $common = 'tagging team=live "show=News at 8" path=a/b=c;
    metadata Source studio-1; metadata Note "a b  c";';
my $cache = 'cache_control media max-age=86400;
    cache_control playlist "max-age=60, must-revalidate";
    cache_control manifest off;';

# store; formats; settings; path; faults; what media is to be like

my %cases = (
    ofull => { type => 'oss', formats => 'm3u8 mp4', settings => "$cache
        storage_class Archive; acl public-read; encryption KMS key-1;
        part_size 500k;",
        media => { class => 'Archive', encryption => 'KMS',
            acl => 'public-read', cache => 'max-age=86400' } },

    olarge => { type => 'oss', formats => 'mp4', settings => "$cache
        storage_class ColdArchive; acl private; encryption AES256;
        signature v1;", faults => [ { @too_large } ],
        media => { class => 'ColdArchive', encryption => 'AES256',
            acl => 'private', cache => 'max-age=86400' } },

    odirect => { type => 'oss', formats => 'mp4', path => $direct,
        settings => 'storage_class IA; acl default; encryption SM4;',
        media => { class => 'IA', encryption => 'SM4', acl => 'default' } },

    oplain => { type => 'oss', formats => 'm3u8 mp4', plain => 1,
        media => { class => 'Standard', acl => 'default' } },

    sfull => { type => 's3', formats => 'm3u8 mp4', settings => "$cache
        storage_class GLACIER; acl public-read; encryption KMS key-1;",
        media => { class => 'GLACIER', encryption => 'aws:kms',
            acl => 'public-read', cache => 'max-age=86400' } },

    slarge => { type => 's3', formats => 'mp4', settings => "$cache
        storage_class STANDARD_IA; acl private; encryption AES256;",
        faults => [ { @too_large_s3 } ],
        media => { class => 'STANDARD_IA', encryption => 'AES256',
            acl => 'private', cache => 'max-age=86400' } },

    sdirect => { type => 's3', formats => 'mp4', path => $direct,
        settings => 'storage_class DEEP_ARCHIVE;',
        media => { class => 'DEEP_ARCHIVE', acl => 'private' } },

    splain => { type => 's3', formats => 'm3u8 mp4', plain => 1,
        media => { class => 'STANDARD', acl => 'private' } },
);

my @cases = sort keys %cases;

###############################################################################

my $t = LiveRecord->new();
my $dir = $t->dir();

my %store = (
    oss => LiveRecord::OSS->new($t, keys => [ 'the.id:the.secret' ]),
    s3 => LiveRecord::OSS->new($t, name => 's3', s3 => 1,
        args => [ '--kms', 'sfull' ], keys => [ 'the.id:the.secret' ]),
);

# a class that the store does not know
my $class = 'NO_SUCH_CLASS';

$t->write_conf(conf());
write_file("$dir/keys", "testid testsecret\n");
chmod 0644, "$dir/keys";

$t->allow(qr/bucket "unknown" refuses/);

$t->start();

$store{$_->[0]}->faults(@{$_->[1]}) for map { my $type = $_;
    [ $type, [ map { my $case = $_;
        map { { %$_, bucket => $case } } @{$cases{$case}{faults} || []} }
        grep { $cases{$_}{type} eq $type } @cases ] ]
} keys %store;

# light to decode, but with fragments that are large enough for parts
my %media = (
    oss => media('multipart', seconds => 32, size => '160x90', fps => 10,
        bitrate => '500k'),
    s3 => media('s3-parts', seconds => 32, size => '160x90', fps => 10,
        bitrate => '4M', x264 => 'nal-hrd=cbr'),
);

my @queue = @cases;

while (my @some = splice @queue, 0, 4) {
    my @pubs = map { $t->start_publish($media{$cases{$_}{type}}, app => $_,
        speed => 8) } @some;
    is((grep { $_->wait(120) != 0 } @pubs), 0, "published @some");
}

for my $case (@cases) {
    my $c = $cases{$case};
    my $s = $store{$c->{type}};

    subtest $case => sub {
        wait_for(sub { !$t->spooled('test', $case) }, 90,
            "all of $case to be stored");

        my @mp4 = grep { m!$name! } files_in($s->bucket($case));

        is(scalar @mp4, 1, 'one file');
        whole($s->bucket($case) . "/$mp4[0]", $media{$c->{type}}, 'the file');
        is((grep { m!$work! } files_in($s->bucket($case))), 0,
            'nothing is left');

        create($case, $s) if $c->{formats} =~ /m3u8/;

        my %is = map { ($_->{key} => { cache => undef, encryption => undef,
            %{$_->{set}} }) } $s->client($case, 'the.id:the.secret');
        my ($ts, $list, $day, $manifest, $range, $info) = map { my $re = $_;
            (sort grep { $_ =~ $re } keys %is)[0] }
            qr/\.ts$/, qr!^record/.*\.m3u8$!,
            qr{^(?!record/|range/).*\.m3u8$},
            qr{^\.live_record/(?!\.).*\.json$}, qr!^range/!,
            qr!^\.live_record/\.index/.*\.json$!;

        like_set($is{$mp4[0]}, $c, $c->{media}, 'the mp4 file');

        # all that is no media is to be read at any time

        if ($c->{formats} =~ /m3u8/) {
            my %other = (%{$c->{media}}, class =>
                $c->{type} eq 'oss' ? 'Standard' : 'STANDARD');
            my ($for_list, $for_manifest) = $c->{plain}
                ? (undef, 'no-cache') : ('max-age=60, must-revalidate');

            like_set($is{$ts}, $c, $c->{media}, 'a fragment');
            like_set($is{$list}, $c, { %other, cache => $for_list },
                'the playlist');
            like_set($is{$day}, $c, { %other, cache => 'no-cache' },
                'the index of the day');
            like_set($is{$manifest}, $c, { %other, cache => $for_manifest },
                'a manifest');
            like_set($is{$range}, $c, { %other, cache => 'no-cache' },
                'an index of the API');
            like_set($is{$info}, $c, { %other, cache => $for_manifest },
                'what it knows of it');
        }

        # a working name has what is safe and what a copy hands on, no more

        my @r = $s->requests($case);
        my ($begin) = grep { $_->{method} eq 'POST'
            && ($_->{query} || '') =~ /uploads/ && $_->{key} =~ m!$work! }
            @r;

        if (($c->{path} || '') ne $direct) {
            is($begin->{oss}{'x-oss-storage-class'}, undef,
                'no class for what is moved');
            is($begin->{oss}{'x-oss-server-side-encryption'},
                $c->{media}{encryption}, 'but encrypted');
        }

        # what has no meaning would have been refused

        is((grep { ($_->{code} || '') =~ /^Invalid/ && !$_->{fault} } @r), 0,
            'nothing was refused');
    };
}

# all parts but the last are as large as they should be

for (map { [ split ] } 'ofull 512000', 'olarge 102400', 'sfull 5242880') {
    my ($case, $size) = @$_;
    my @parts = map { [ $_->{query} =~ /partNumber=(\d+)/, $_->{in} ] }
        grep { $_->{method} eq 'PUT' && $_->{key} =~ m!$work!
            && ($_->{query} || '') =~ /partNumber/ }
        $store{$cases{$case}{type}}->requests($case);

    @parts = sort { $a->[0] <=> $b->[0] } @parts;
    pop @parts;

    cmp_ok(scalar @parts, '>=', 2, "$case: parts");
    is((grep { $_->[1] < $size } @parts), 0, "$case: of $size bytes");
}

cmp_ok(parts('ofull'), '<', parts('olarge'), 'larger parts are less');

# a store that does not know the class: the recording waits for the admin

subtest 'a class that is not known' => sub {
    my $short = media('short');

    is($t->publish($short, app => 'unknown', speed => 10), 0, 'published');
    wait_for(sub { grep { /InvalidStorageClass/ }
        $t->log(qr/bucket "unknown" refuses/) }, 30, 'the log to tell');
    is((grep { /\.ts$/ } files_in($store{s3}->bucket('unknown'))), 0,
        'nothing is stored');

    $class = 'STANDARD_IA';
    $t->write_conf(conf());
    $t->reload();

    $t->bucket($store{s3}->bucket('unknown'));
    my ($cycle) = $t->wait_recorded(1, app => 'unknown', name => 'test',
        seconds => 60);

    same_frames([ frames($cycle, 'v') ], [ frames($short, 'v') ], 'video');
};

$store{oss}->check();
$store{s3}->check('InvalidStorageClass');

$t->done();

###############################################################################

sub conf {
    my $blocks = join '', map {
        my $c = $cases{$_} || { type => 's3',
            settings => "storage_class $class;" };
        my $port = $store{$c->{type}}->port();
        my $region = $c->{type} eq 'oss' ? 'cn-hangzhou' : 'us-east-1';
        my $settings = $c->{settings} || '';

        $settings .= " $common" unless $c->{plain};

        "    live_record_bucket $_ { type $c->{type}; bucket $_;\n"
            . "        region $region; endpoint http://127.0.0.1:$port;\n"
            . "        credentials key the.id the.secret;\n"
            . "        $settings }\n"
    } @cases, 'unknown';

    my $applications = join '', map {
        my $c = $cases{$_} || { formats => 'm3u8' };
        my $path = $c->{path} || 'record/{AppName}/{StreamName}/'
            . '{EscapedStartTime}_{EscapedEndTime}';

        "        application $_ { live on; live_record * {\n"
            . "            bucket $_; fragment 5s; grace 1s;"
            . " format $c->{formats};\n            path \"$path\"; } }\n"
    } @cases, 'unknown';

    return <<"EOF_CONF";
%%GLOBALS%%

worker_processes 1;

events {
    worker_connections 256;
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

$blocks
    server {
        listen 127.0.0.1:%%PORT%%;

$applications
    }
}
EOF_CONF
}

sub parts {
    my ($case) = @_;

    return scalar grep { $_->{method} eq 'PUT' && $_->{key} =~ m!$work!
        && ($_->{query} || '') =~ /partNumber/ }
        $store{$cases{$case}{type}}->requests($case);
}

# an index of all that was recorded, by the API

sub create {
    my ($case, $s) = @_;
    my $api = LiveRecord::Range->new($t, OssBucket => $case,
        OssEndpoint => '127.0.0.1:' . $s->port(),
        DomainName => '127.0.0.1', AppName => $case, StreamName => 'test');

    my $r = $api->create(StartTime => time() - 3600, EndTime => time() + 60,
        OssObject => 'range/test.m3u8');

    is($r->{code}, undef, 'an index of a range of time');
}

# what the store says of an object, and what it should

sub like_set {
    my ($is, $c, $want, $what) = @_;
    my %want = (encryption => undef, cache => undef, tags => {},
        meta => {}, %$want);

    unless ($c->{plain}) {
        $want{tags} = { team => 'live', show => 'News at 8',
            path => 'a/b=c' };
        $want{meta} = { source => 'studio-1', note => 'a b  c' };
    }

    my %got = %$is;
    my %meta = %{$got{meta}};
    my $id = delete $meta{'live-record-id'};

    delete $meta{'live-record-crc64'};
    $got{meta} = \%meta;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is_deeply(\%got, \%want, "$what is as it should be")
        or diag(explain(\%got));
    like($id, qr/^(?:\d{8}-\d{6}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3})-/,
        "... and has the recording's id, or its own");
}

###############################################################################
