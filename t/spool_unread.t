#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# A sector of the disk that cannot be read any more costs the frames that are
# in it, and does not hold up what comes after it.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;

use lib "$FindBin::Bin/lib";
use LiveRecord;

###############################################################################

my $file = media('short');
my %sent = map { $_ => [ packets($file, $_) ] } qw/ v a /;

my $t = LiveRecord->new();
my $so = $t->dir() . '/slowdisk.so';

system($ENV{CC} || 'cc', '-std=gnu99', '-O2', '-fPIC', '-shared', '-o', $so,
    "$FindBin::Bin/lib/slowdisk.c", '-ldl') == 0
    or die "slowdisk.so could not be built\n";

$ENV{TEST_NGINX_PRELOAD} = join ':', $ENV{TEST_NGINX_PRELOAD} || (), $so;
$ENV{SLOWDISK} = $t->dir() . '/control';

write_file($ENV{SLOWDISK}, "0 0 /none\n20000 20001 /000002.flv\n");

$t->write_conf(<<'EOF_CONF')->start();
%%GLOBALS%%

worker_processes 1;

events {
    worker_connections 64;
}

rtmp {
    live_record_spool %%TESTDIR%%/spool;
    live_record_bucket local { type dir; root %%TESTDIR%%/bucket; }

    server {
        listen 127.0.0.1:%%PORT%%;

        application live {
            live on;

            live_record list {
                bucket local;
                format m3u8;
                fragment 5s;
                grace 1s;
            }

            live_record file {
                bucket local;
                format mp4 flv;
                fragment 5s;
                grace 1s;
            }
        }
    }
}
EOF_CONF

$t->publish($file, name => $_, speed => 20) for qw/ list file /;

# the new file is not in that place of the disk

wait_for(sub { $t->log(qr/goes on with zeros/) == 2 }, 200,
    'what the disk has left');
write_file($ENV{SLOWDISK}, "0 0 /none\n");

my ($list) = $t->wait_recorded(1, name => 'list', seconds => 90);
my ($mp4) = $t->wait_recorded(1, name => 'file', format => 'mp4');
my ($flv) = $t->wait_recorded(1, name => 'file', format => 'flv');

for my $name (qw/ list file /) {
    my $said = qr!live record: "live/$name/[^"]+"!;

    $t->allow(qr/$said/);
    is($t->log(qr/$said waits in the spool: the \S+.* could not be read \(5:/), 1, "$name: why it waits is said, once");
    is($t->log(qr/$said\ goes\ on\ with\ zeros\ in\ place\ of\ 480\ bytes
        \ .*;\ 1\ of\ its\ files/x), 1, "$name: and what it goes on with");
}

is(files_in($t->spool() . '/quarantine', qr/\.000002\.flv$/), 2,
    'what the disk has left is kept');

# the messages in one block are all that is lost

playlist_ok($list);
few_are_lost($list, 'ts');
few_are_lost($mp4, 'mp4');
few_are_lost($flv, 'flv');

$t->done();

###############################################################################

# what there is beside what was published is no more than the block held

sub few_are_lost {
    my ($got, $name) = @_;

    my $all = 0;

    for my $kind (qw/ v a /) {
        my @got = packets($got, $kind);
        my (%left, $same);

        $left{$_}++ for @{$sent{$kind}};
        $same = grep { $left{$_} && $left{$_}-- } @got;

        my $n = @{$sent{$kind}};
        cmp_ok($n - $same, '<=', 12, "$name, $kind: few of $n are lost");
        cmp_ok(@got - $same, '<=', 12, "$name, $kind: few others");
        $all += $n - $same;
    }

    cmp_ok($all, '>', 0, "$name: the disk did fail");
}

###############################################################################
