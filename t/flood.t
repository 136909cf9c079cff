#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# A publisher that sends more of something than anybody would: large key
# frames, sequence headers without end, and messages without a time.

###############################################################################

use warnings;
use strict;

use Test::More;

use lib 't/lib';
use LiveRecord;

###############################################################################

my $t = LiveRecord->new();

my $conf = <<'EOF_CONF';
%%GLOBALS%%

worker_processes 1;

events {
    worker_connections 128;
}

rtmp {
    max_message 4M;

    live_record_spool %%TESTDIR%%/spool buffer=1m;
    live_record_bucket local { type dir; root %%TESTDIR%%/bucket; }

    server {
        listen 127.0.0.1:%%PORT%%;

        application live {
            live on;
            live_record * { bucket local; fragment 5s; grace 1s; }
        }
    }
}
EOF_CONF

$t->write_conf($conf);

my @tags = flv_tags(media('short'));
my @video = grep { $_->{type} == 9 } @tags;
my ($config) = grep { flv_is_config($_) } @video;

$t->start();

###############################################################################

# A frame that is larger than the buffer does not wait for anything.  What comes
# before it is written would, so there are a second and more between them.

subtest 'key frames of 1.2 MB' => sub {
    my $n = 1200000;
    my @large = map { { %$_ } } grep { $_->{ts} < 16000
        && (flv_is_config($_) || ord($_->{body}) >> 4 == 1) } @video;

    cmp_ok(scalar @large, '>', 4, 'key frames');

    for my $tag (@large) {
        next if flv_is_config($tag);
        $tag->{body} .= pack('N', $n) . chr(12) . 'x' x ($n - 1);
    }

    my $file = flv_write($t->dir() . '/large.flv', @large);

    is($t->publish($file, name => 'large', speed => 1), 0, 'published');

    my ($list) = $t->wait_recorded(1, name => 'large');

    same_frames([ frames([ segments_of($list) ], 'v') ],
        [ frames($file, 'v') ], 'all of them');
    is(scalar $t->log(qr/loses frames/), 0, 'nothing was lost');
};

# these are of no frame, and take memory and room in the spool all the same

subtest 'sequence headers without end' => sub {
    my @headers = grep { $_->{ts} <= 3000 } @video;
    my $last = $headers[-1]{ts};

    push @headers, map { {
        type => 9,
        ts => $last,
        body => $config->{body} . pack('N', $_) . 'x' x 60000,
    } } 1 .. 2000;

    my $file = flv_write($t->dir() . '/headers.flv', @headers);
    my ($worker) = $t->workers();
    my $slow = $t->start_publish($file, name => 'headers', speed => 1,
        end => 'hold');

    ok(eval { wait_for(sub { $t->log(qr/headers.* loses frames/) }, 30,
        'it to be too much') }, 'it is too much');

    # all of it has been sent by then

    sleep 3;

    my ($peak) = read_file("/proc/$worker/status") =~ /VmHWM:\s+(\d+)/;
    cmp_ok($peak, '<', 60000, 'memory, KB');

    $slow->kill('TERM')->wait(10);
};

# what m3u8 cannot hold is told, in the log, the journal and callbacks, but not
# for each message

subtest 'codecs that take turns' => sub {
    my @frames = grep { !flv_is_config($_) } @video;
    my @turns = map { {
        type => 9,
        ts => $_,
        body => pack('C', 0x20 | ($_ % 2 ? 4 : 5)) . 'x' x 20,
    } } 1 .. 2000;

    my $file = flv_write($t->dir() . '/turns.flv', @frames[0 .. 49], @turns);

    is($t->publish($file, name => 'turns', speed => 0), 0, 'published');
    ok(eval { wait_for(sub { $t->log(qr/turns\/[^"]+" ends/) }, 30,
        'its end') }, 'it ends');

    my $n = $t->log(qr/turns" has .* which m3u8 cannot hold/);
    cmp_ok($n, '>=', 2, 'both are told');
    cmp_ok($n, '<=', 8, 'and not again and again');
};

# rows are kept in memory until a fragment ends, by its time or by their
# number

$conf =~ s/buffer=1m/buffer=64m/;
$t->write_conf($conf);
$t->reload();

subtest 'messages without a time' => sub {
    my ($audio) = grep { $_->{type} == 8 && !flv_is_config($_) } @tags;
    my $body = substr $audio->{body}, 0, 3;
    my @many = map { { type => 8, ts => 0, body => $body } } 1 .. 1_100_000;

    my $file = flv_write($t->dir() . '/many.flv', @many);

    is($t->publish($file, name => 'many', speed => 0), 0, 'published');

    ok(eval { wait_for(sub { $t->log(qr/many\/[^"]+" ends/) }, 60,
        'its end') }, 'it ends');
    is(scalar $t->log(qr/many\/[^"]+" has no object of fragment 2/), 1,
        'in two fragments');
};

$t->allow(qr/loses frames/, qr/has no object of fragment/,
    qr/has lost \d+ frames/, qr/which m3u8 cannot hold/);

$t->done();

###############################################################################
