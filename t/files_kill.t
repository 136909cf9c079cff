#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# mp4 and flv files on their way to a store, when nginx is killed or reloaded
# at each of their steps: before the store has done it, and after.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;

use lib "$FindBin::Bin/lib";
use LiveRecord;
use LiveRecord::OSS;

###############################################################################

# "copy" and "delete" are of files whose names hold an end time, "direct" of
# one whose name does not; "short" is put as a whole

my %steps = (
    begin => { method => 'POST', query => '^\??uploads' },
    part => { method => 'PUT', query => 'partNumber=3' },
    head => { method => 'PUT', query => 'partNumber=1(&|$)' },
    complete => { method => 'POST', query => 'uploadId' },
    direct => { method => 'POST', query => 'uploadId' },
    copy => { method => 'PUT', header => 'x-oss-copy-source' },
    delete => { method => 'DELETE' },
    short => { method => 'PUT', key => '\.(mp4|flv)$' },
);

my @cases = map { ("${_}-before", "${_}-after") } sort keys %steps;
my $t = LiveRecord->new();
my $oss = LiveRecord::OSS->new($t);
my $n = 0;

# the formats take turns

my %format = map { $_ => $n++ % 4 < 2 ? 'mp4' : 'flv' } @cases;
my @all = (@cases, 'none-mp4', 'none-flv');

$format{"none-$_"} = $_ for qw/ mp4 flv /;

my $buckets = join '', map { <<"EOF_BUCKET" } @all;
    live_record_bucket $_ {
        type oss;
        endpoint http://127.0.0.1:@{[ $oss->port() ]};
        bucket $_;
        region cn-hangzhou;
        credentials key ak sk;
    }
EOF_BUCKET

my $direct = '{AppName}/{StreamName}/{EscapedStartTime}';
my $templates = join '', map { <<"EOF_TEMPLATE" } @all;
            live_record $_ {
                bucket $_;
                format $format{$_};
                fragment 5s;
                grace 1s;
@{[ /^direct/ ? "path \"$direct\";" : '' ]}
            }
EOF_TEMPLATE

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

        application live {
            live on;

$templates
        }
    }
}
EOF_CONF

# those of a killed nginx are gone for the store too

$t->allow(qr/live record: bucket "[a-z0-9-]+" fails/);

my $long = media('kill', seconds => 31);
my $short = media('killshort', seconds => 4);

for my $how ('kill -9', 'a reload') {

    $oss->faults(map {
        my ($step, $when) = split /-/;
        { bucket => $_, %{$steps{$step}},
            fault => $when eq 'before' ? 'stall' : 'stall-answer' }
    } @cases);

    $t->start() if $how eq 'kill -9';

    my @p = map {
        $t->start_publish(/^short/ ? $short : $long, name => $_, speed => 20)
    } @all;

    is((grep { $_->wait() != 0 } @p), 0, 'published');

    wait_for(sub { (grep { ($oss->seen($_))[0] } @cases) == @cases }, 60,
        'each to be at its step');

    wait_for(sub { !grep { $t->spooled($_) } qw/ none-mp4 none-flv / }, 30,
        'those without a fault');

    if ($how eq 'kill -9') {
        $t->kill_all();
        $oss->faults();
        $t->start();

    } else {
        $oss->faults();
        $t->reload();
    }

    wait_for(sub { !grep { $t->spooled($_) } @all }, 60,
        "all is stored after $how");

    for my $case (@all) {
        my $dir = $oss->bucket($case);
        my $re = qr/(^|\/)[^.\/][^\/]*\.$format{$case}$/;
        my @files = files_in($dir, $re);

        is(scalar @files, 1, "$case: one file after $how");
        next if @files != 1;

        my $file = "$dir/$files[0]";

        if ($case =~ /^none/) {
            whole($file, $long, "$case");

        } elsif ($case =~ /^short/) {
            whole($file, $short, "$case after $how");

        } else {
            my ($same) = files_in($oss->bucket("none-$format{$case}"), $re);

            is(masked($file), masked($oss->bucket("none-$format{$case}")
                . "/$same"), "$case after $how: the same as without");
        }

        is(join(' ', grep { m!(^|/)\.part-! } files_in($dir)), '',
            "$case after $how: no working file");
    }

    is(join(' ', $oss->uploads()), '', "no uploads are left after $how");

    # the same once more

    for my $case (@all) {
        my $dir = $oss->bucket($case);

        unlink map { "$dir/$_" } files_in($dir);
    }
}

$oss->check();
$t->done();

###############################################################################

# what a file holds but for when it was made

sub masked {
    my ($file) = @_;
    my $data = read_file($file);

    $data =~ s/(creationdate\x02..).{20}/$1/s;

    for my $box (qw/ mvhd tkhd mdhd /) {
        $data =~ s/($box\0...).{8}/$1/gs;
        $data =~ s/($box\1...).{16}/$1/gs;
    }

    require Digest::MD5;

    return Digest::MD5::md5_hex($data);
}
