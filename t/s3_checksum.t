#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# What is put in a store that speaks S3 is proved by its CRC-64/NVME instead
# of its MD5, if the admin says so: what the store tells, tells wrongly, does
# not tell, or only when it is asked again.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;

use lib "$FindBin::Bin/lib";
use LiveRecord;
use LiveRecord::OSS;

###############################################################################

my %ts = (method => 'PUT', key => '\.ts$');
my %list = (method => 'PUT', key => '^record/.*\.m3u8$');
my %json = (method => 'PUT', key => '\.json$');

# faults; log: what is told; formats

my %cases = (
    told => {},
    wrong => { faults => [ { fault => 'wrong-crc', %ts },
            { fault => 'wrong-crc', %json } ],
        log => qr/the CRC-64\/NVME of the answer is not that of what was/ },
    lost => { faults => [ { fault => 'lost-reply', %ts },
            { fault => 'lost-reply', %list },
            { fault => 'lost-reply', %json } ] },
    half => { faults => [ { fault => '203', %list },
            { fault => 'half-reply', %ts } ] },
    parts => { formats => 'mp4' },
    silent => { wrong => 1,
        log => qr/the CRC-64\/NVME of the answer is missing/ },
);

my @cases = sort keys %cases;
my $silent = 'crc64nvme';

###############################################################################

my $t = LiveRecord->new();

my $s3 = LiveRecord::OSS->new($t, s3 => 1, keys => [ 'the.id:the.secret' ],
    args => [ map { ('--nvme', $_) } grep { $_ ne 'silent' } @cases ]);

$t->write_conf(conf());
$t->start();

$s3->faults(map { my $case = $_;
    map { { %$_, bucket => $case } } @{$cases{$case}{faults} || []} }
    @cases);

my $media = media('short');
my @video = frames($media, 'v');
my @audio = packets($media, 'a');

my @pubs = map { $t->start_publish($media, app => $_, speed => 10) } @cases;
is((grep { $_->wait(120) != 0 } @pubs), 0, 'published');

# a store that does not tell it: nothing is given up in the spool

wait_for(sub { grep { /$cases{silent}{log}/ }
    $t->log(qr/bucket "silent" fails/) }, 30, 'the log to tell');
ok($t->spooled('test', 'silent'), 'it is in the spool');
is((grep { /\.json$/ } files_in($s3->bucket('silent'))), 0,
    'and taken for stored nowhere');

$silent = 'md5';
$t->write_conf(conf());
$t->reload();

for my $case (@cases) {
    my $c = $cases{$case};

    subtest $case => sub {
        wait_for(sub { !$t->spooled('test', $case) }, 60,
            "all of $case to be stored");
        $t->bucket($s3->bucket($case));

        if ($c->{formats}) {
            my @mp4 = $t->mp4s('test', $case);

            is(scalar @mp4, 1, 'one file');
            whole($mp4[0], $media, 'the file');

        } else {
            my @cycles = $t->cycles('test', $case);

            is(scalar @cycles, 1, 'one playlist');
            same_frames([ frames($cycles[0], 'v') ], \@video, 'video');
            same_frames([ packets($cycles[0], 'a') ], \@audio, 'audio');
        }

        ok(scalar $t->log($c->{log}), 'the log tells') if $c->{log};
        is((grep { !$_ } $s3->seen($case)), 0, 'each fault was met');
    };
}

is((grep { $_->{method} eq 'PUT' && $_->{fault} } $s3->requests('told')), 0,
    'nothing was put twice');
is(scalar $t->log(qr/bucket "told" fails/), 0, 'nor has it failed');

# of what is refused, as it is there, a HEAD tells the sum

my @heads = grep { $_->{method} eq 'HEAD' } $s3->requests('lost');

cmp_ok(scalar @heads, '>=', 1, 'looked at again');
is((grep { ($_->{oss}{'x-oss-checksum-mode'} || '') ne 'ENABLED' } @heads),
    0, 'and asked for the sum');
is(scalar $t->log(qr/lost.* another name is taken/), 0, 'it is our own');

$s3->check('PreconditionFailed');

$t->done();

###############################################################################

sub conf {
    my $port = $s3->port();

    my $blocks = join '', map {
        my $sum = $_ eq 'silent' ? $silent : 'crc64nvme';

        "    live_record_bucket $_ { type s3; bucket $_; region us-east-1;\n"
            . "        endpoint http://127.0.0.1:$port; checksum $sum;\n"
            . "        credentials key the.id the.secret; }\n"
    } @cases;

    my $applications = join '', map {
        my $format = $cases{$_}{formats} || 'm3u8';

        "        application $_ { live on; live_record * {\n"
            . "            bucket $_; fragment 5s; grace 1s;"
            . " format $format; } }\n"
    } @cases;

    return <<"EOF_CONF";
%%GLOBALS%%

worker_processes 1;

events {
    worker_connections 256;
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

###############################################################################
