#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# Recordings in Ceph's RADOS gateway, read back by awscli.  Run with TEST_RGW=1
# where Debian's ceph-mon, ceph-osd, ceph-common and radosgw are installed.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;
use Digest::MD5 qw/ md5_hex /;

use lib "$FindBin::Bin/lib";
use LiveRecord;

###############################################################################

plan(skip_all => 'TEST_RGW is not set') unless $ENV{TEST_RGW};
plan(skip_all => 'radosgw is not installed')
    if grep { !-x "/usr/bin/$_" } qw/ radosgw ceph-mon ceph-osd ceph /;

my $t = LiveRecord->new();
my $dir = $t->dir();
my $port = $t->port('rgw');

mkdir "$dir/rgw" or die;

my $rgw = $t->run('sh', "$FindBin::Bin/lib/rgw.sh", "$dir/rgw", $port,
    'rgw.id', 'rgw.secret');

wait_for(sub {
    die 'the gateway does not start: ', read_file("$dir/rgw/out")
        unless $rgw->alive();
    return $rgw->out() =~ /^ready/;
}, 120, 'the gateway to start');

my @apps = qw/ files taken off /;

aws('s3api', 'create-bucket', '--bucket', "bucket-$_") for @apps;

my $blocks = join '', map {
    "    live_record_bucket $_ { type s3; bucket bucket-$_;"
        . " region us-east-1;\n        endpoint http://127.0.0.1:$port;"
        . " credentials key rgw.id rgw.secret;\n"
        . ($_ eq 'off' ? "        conditional_put off;\n" : '')
        . ($_ eq 'files' ? "        storage_class STANDARD; acl public-read;\n"
            . "        tagging team=live \"show=News at 8\";\n"
            . "        metadata source studio-1;\n"
            . "        cache_control media max-age=60;\n" : '') . "    }\n"
} @apps;

my $applications = join '', map {
    my $path = $_ eq 'files' ? 'record/{AppName}/{StreamName}/a b+c&%41/'
        . '{EscapedStartTime}_{EscapedEndTime}'
        : 'record/{AppName}/{StreamName}/{EscapedStartTime}';

    "        application $_ { live on; live_record * { bucket $_;\n"
        . "            fragment 5s; grace 1s; format "
        . ($_ eq 'files' ? 'm3u8 mp4 flv' : 'mp4')
        . "; path \"$path\"; } }\n"
} @apps;

$t->write_conf(<<"EOF_CONF");
%%GLOBALS%%

events {
    worker_connections 64;
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

my $media = media('s3-parts', seconds => 32, size => '160x90', fps => 10,
    bitrate => '4M', x264 => 'nal-hrd=cbr');

$t->start();

###############################################################################

is($t->publish($media, app => 'files', speed => 8), 0, 'published');
wait_for(sub { !$t->spooled('test', 'files') }, 60, 'all to be stored');

my @objects = listed('files');
my $copy = read_back('files');

is(join(' ', sort map { $_->{Key} } @objects),
    join(' ', sort(files_in($copy))), 'awscli lists and reads ' . @objects);

my @wrong = grep {
    my $data = read_file("$copy/$_->{Key}");
    $_->{Size} != length $data
        || ($_->{ETag} !~ /-/ && $_->{ETag} ne '"' . md5_hex($data) . '"')
} @objects;

is(scalar @wrong, 0, 'sizes and MD5');

my @files = files_in($copy);

is((grep { m!/\.part-! } @files), 0, 'no working files');

for my $ext (qw/ mp4 flv /) {
    my @made = grep { m![^./]+\.$ext$! } @files;
    is(scalar @made, 1, "one $ext");
    whole("$copy/$made[0]", $media, $ext);
}

$t->bucket($copy);

my ($cycle) = grep { m!^record/.*\.m3u8$! } @files;
my ($day) = grep { m!^files/.*\.m3u8$! } @files;

playlist_ok("$copy/$_") for $cycle, $day;
same_frames([ frames("$copy/$cycle", 'v') ], [ frames($media, 'v') ],
    'playlist: video');

# what objects are like, moved by a copy or not; a copy with metadata of its own
# has no tags in this gateway, and awscli prints nothing then

for my $key ((grep { m![^./]+\.mp4$! } @files), (grep { /\.ts$/ } @files)[0],
    $day)
{
    my ($head, $tags, $acl) = map { decode_json(aws('s3api', $_, '--bucket',
        'bucket-files', '--key', $key) || '{}') }
        qw/ head-object get-object-tagging get-object-acl /;

    is($head->{CacheControl}, $key eq $day ? 'no-cache' : 'max-age=60',
        "$key: Cache-Control");
    is($head->{Metadata}{source}, 'studio-1', '... metadata');
    like($head->{Metadata}{'live-record-id'}, qr/^\d{8}-/, '... id');
    is(join(' ', sort map { "$_->{Key}=$_->{Value}" } @{$tags->{TagSet}}),
        $key =~ /\.mp4$/ ? '' : 'show=News at 8 team=live', '... tags');
    ok((grep { ($_->{Grantee}{URI} || '') =~ /AllUsers/ } @{$acl->{Grants}}),
        '... ACL');
}

is(aws('s3api', 'list-multipart-uploads', '--bucket', 'bucket-files')
    =~ /"Uploads"/ ? 1 : 0, 0, 'no upload is open');

###############################################################################

# names that are taken: the gateway refuses, or is asked before

for my $case (qw/ taken off /) {
    subtest $case => sub {
        my $now = time();
        my $foreign = "$dir/foreign-$case/record/$case/test";

        system('mkdir', '-p', $foreign) == 0 or die;

        for my $start ($now .. $now + 40) {
            my @d = gmtime $start;
            write_file(sprintf('%s/%04d-%02d-%02d-%02d-%02d-%02d.mp4',
                $foreign, $d[5] + 1900, $d[4] + 1, @d[3, 2, 1, 0]),
                "not ours $start");
        }

        aws('s3', 'sync', '--quiet', "$dir/foreign-$case",
            "s3://bucket-$case");

        is($t->publish($media, app => $case, speed => 8), 0, 'published');
        wait_for(sub { !$t->spooled('test', $case) }, 60, 'it to be stored');

        my $copy = read_back($case);
        my @names = files_in($foreign);

        is((grep { read_file("$copy/record/$case/test/$_")
            ne read_file("$foreign/$_") } @names), 0, 'what was there');

        my ($ours) = grep { /-1\.mp4$/ } files_in($copy);
        whole("$copy/$ours", $media, 'another name');
    };
}

$rgw->kill('TERM')->wait(30);

$t->done();

###############################################################################

sub aws {
    local @ENV{qw/ AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
        AWS_DEFAULT_REGION AWS_EC2_METADATA_DISABLED HOME /}
        = ('rgw.id', 'rgw.secret', 'us-east-1', 'true', $dir);

    my $p = $t->run('/usr/bin/aws', '--endpoint-url',
        "http://127.0.0.1:$port", '--output', 'json', @_);

    $p->wait(120) == 0 or die "aws @_: ", $p->err(), "\n";

    return $p->out();
}

sub listed {
    my ($app) = @_;
    my $out = aws('s3api', 'list-objects-v2', '--bucket', "bucket-$app");
    return @{decode_json($out)->{Contents}};
}

sub read_back {
    my ($app) = @_;
    aws('s3', 'sync', '--quiet', "s3://bucket-$app", "$dir/copy-$app");
    return "$dir/copy-$app";
}

###############################################################################
