#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# mp4 and flv files beside, and without, m3u8: every frame, the times, the
# names; what is left of them in the spool.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;

use lib "$FindBin::Bin/lib";
use LiveRecord;

###############################################################################

my $t = LiveRecord->new();

$t->write_conf(<<'EOF_CONF');
%%GLOBALS%%

worker_processes 2;

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

            live_record * {
                bucket local;
                format m3u8 mp4 flv;
                grace 2s;
            }

            live_record mp4 {
                bucket local;
                format mp4;
                grace 2s;
            }

            live_record flv {
                bucket local;
                format flv;
                path "direct/{AppName}/{StreamName}/{EscapedStartTime}";
                grace 2s;
            }
        }
    }
}
EOF_CONF

my $file = media('basic');

$t->start();

my %published = map {
    $_ => $t->start_publish($file, name => $_, speed => 30)
} qw/all mp4 flv/;

is($published{$_}->wait(), 0, "published $_") for sort keys %published;

wait_for(sub { !$t->spooled($_) }, 60, "all of $_ is stored")
    for sort keys %published;

my $bucket = $t->bucket();
my $time = '\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d';

my ($mp4) = recorded('record/live/all', 'mp4');
my ($flv) = recorded('record/live/all', 'flv');
my ($m3u8) = recorded('record/live/all', 'm3u8');

whole($mp4, $file, 'mp4 of three');
whole($flv, $file, 'flv of three');

like($mp4, qr!/${time}_$time\.mp4$!, 'name of the mp4');
is($mp4 =~ s/mp4$//r, $m3u8 =~ s/m3u8$//r, 'the same as the playlist\'s');
is($flv =~ s/flv$//r, $m3u8 =~ s/m3u8$//r, 'and as the flv\'s');

($mp4) = recorded('record/live/mp4', 'mp4');
whole($mp4, $file, 'mp4 alone');

($flv) = recorded('direct/live/flv', 'flv');
whole($flv, $file, 'flv alone');
like($flv, qr!/$time\.flv$!, 'name without an end');

is(join(' ', grep { !/\.json$/ } files_in("$bucket/record/live/mp4"),
    files_in("$bucket/live/mp4")),
    $mp4 =~ s!.*/!!r, 'nothing else of mp4 alone');

is(join(' ', grep { m!(^|/)\.[^/]*part! } files_in($bucket)), '',
    'no working files');

$t->done();


###############################################################################

sub recorded {
    my ($dir, $suffix) = @_;
    my @files = files_in("$bucket/$dir", qr/(^|\/)[^.\/][^\/]*\.$suffix$/);

    is(scalar @files, 1, "one $suffix in $dir");

    return map { "$bucket/$dir/$_" } @files;
}
