#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# mp4 files whose names are taken, or wanted by two: nothing of anybody is
# overwritten, aborted or told to be lost.

###############################################################################

use warnings;
use strict;

use Test::More;
use File::Path qw/ make_path /;
use FindBin;
use POSIX qw/ strftime /;
use Time::HiRes qw/ sleep /;

use lib "$FindBin::Bin/lib";
use LiveRecord;
use LiveRecord::OSS;

###############################################################################

my @t = map { LiveRecord->new() } 0, 1;
my $oss = LiveRecord::OSS->new($t[0]);
my $port = $oss->port();
my $file = media('kill', seconds => 31);

for my $t (@t) {
    $t->allow(qr/live record: bucket "twice" fails/);
    $t->allow(qr/there is another object/);

    $t->write_conf(<<"EOF_CONF");
%%GLOBALS%%

worker_processes 1;

events {
    worker_connections 64;
}

rtmp {
    live_record_spool %%TESTDIR%%/spool;

    live_record_bucket taken {
        type oss;
        endpoint http://127.0.0.1:$port;
        bucket taken;
        region cn-hangzhou;
        credentials key ak sk;
    }

    live_record_bucket twice {
        type oss;
        endpoint http://127.0.0.1:$port;
        bucket twice;
        region cn-hangzhou;
        credentials key ak sk;
    }

    server {
        listen 127.0.0.1:%%PORT%%;

        application live {
            live on;

            live_record taken {
                bucket taken;
                format mp4;
                fragment 5s;
                grace 1s;
                path "{StreamName}/{EscapedStartTime}_{EscapedEndTime}";
            }

            live_record twice {
                bucket twice;
                format mp4;
                fragment 5s;
                grace 1s;
                path "{StreamName}/{EscapedStartTime}";
            }
        }
    }
}
EOF_CONF

    $t->start();
}

###############################################################################
# a move to another name, of which nobody is told: killed in between

my $dir = $oss->bucket('taken');
my $now = time();

for my $start ($now .. $now + 20) {
    for my $length (30 .. 33) {
        my $name = join '_', map { strftime('%Y-%m-%d-%H-%M-%S', gmtime $_) }
            $start, $start + $length;

        write_other("$dir/taken/$name.mp4");
    }
}

$oss->faults({ bucket => 'taken', method => 'DELETE',
    fault => 'stall-answer' });

is($t[0]->publish($file, name => 'taken', speed => 30), 0, 'published');
wait_for(sub { ($oss->seen('taken'))[0] }, 30, 'the move');

$t[0]->kill_all();
$oss->faults();
$t[0]->start();

wait_for(sub { !$t[0]->spooled('taken') }, 30, 'the end');

my @mine = grep { -s "$dir/taken/$_" > 5 } files_in("$dir/taken");

is(scalar @mine, 1, 'one file');
like($mine[0], qr/-1\.mp4$/, 'under another name');
whole("$dir/taken/$mine[0]", $file, 'it');

my ($manifest) = files_in("$dir/.live_record/live/taken");
my $files = decode_json(read_file(
    "$dir/.live_record/live/taken/$manifest"))->{files};

is(join(' ', map { $_->{key} } @$files), "taken/$mine[0]",
    'the manifest names it, and nothing else');
is(scalar $t[0]->log(qr/loses what was sent/), 0, 'nothing was lost');

###############################################################################
# two nodes that want one name; one of them does not hear of its upload

$oss->faults({ bucket => 'twice', method => 'POST', query => '^\??uploads',
    fault => 'lost-reply' });

sleep 1.05 - Time::HiRes::time() + int Time::HiRes::time();

my @p = map { $_->start_publish($file, name => 'twice', speed => 5) } @t;

is((grep { $_->wait() != 0 } @p), 0, 'published twice');

for my $t (@t) {
    wait_for(sub { !$t->spooled('twice') }, 30, 'the end');
    is(scalar $t->log(qr/loses what was sent/), 0, 'nothing was lost');
}

$dir = $oss->bucket('twice');

# of the very same stream at the very same time: they are one object

for my $name (files_in("$dir/twice")) {
    whole("$dir/twice/$name", $file, $name);
}

cmp_ok(scalar files_in("$dir/twice"), '>=', 1, 'files');
is(join(' ', $oss->uploads()), '', 'no uploads are left');

$oss->check();
is(join("\n", $t[1]->bad_lines()), '', 'no errors in the log of the other');
$t[1]->stop();
$t[1]->cleanup();
$t[0]->done();

###############################################################################

sub write_other {
    my ($name) = @_;

    make_path($name =~ s!/[^/]*$!!r);
    write_file($name, 'other');
}
