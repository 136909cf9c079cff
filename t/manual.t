#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# RealTimeRecordCommand: start in mid-stream, stop, restart, cancel_delay, of
# streams in any of four workers, also of one that is killed, that does not
# answer, or that is of an earlier configuration.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;

use lib "$FindBin::Bin/lib";
use LiveRecord;
use LiveRecord::API;

###############################################################################

my $t = LiveRecord->new();

write_file($t->dir() . '/keys', "testid testsecret\n");
chmod 0644, $t->dir() . '/keys';

$t->write_conf(<<'EOF_CONF');
%%GLOBALS%%

worker_processes 4;

events {
    worker_connections 64;
}

http {
    %%GLOBALS_HTTP%%

    live_record_api_keys %%TESTDIR%%/keys;

    server {
        listen 127.0.0.1:%%PORT_HTTP%%;
        location / { live_record_api; }
    }
}

rtmp {
    live_record_spool %%TESTDIR%%/spool;
    live_record_bucket local { type dir; root %%TESTDIR%%/bucket; }

    server {
        listen 127.0.0.1:%%PORT%%;
        live_record_domain live.example.com;

        live_record hand * {
            bucket local; fragment 5s; grace 60s; on_demand command;
        }
        live_record auto * {
            bucket local; fragment 5s; grace 3s; format m3u8 mp4 flv;
        }
        live_record long * { bucket local; fragment 5s; grace 60s; }

        application hand { live on; }
        application auto { live on; }
        application long { live on; }
    }
}
EOF_CONF

# a worker that is killed, and one that sleeps, by the test

$t->allow(qr/exited on signal 9/);

my $file = media('short');
my @video = frames($file, 'v');
my @audio = packets($file, 'a');
my $gop = 50;

# where a stop cuts is a place in the order of decoding

my @sent = packets($file, 'v');
my %number = map { $sent[$_] => $_ } 0 .. $#sent;

$t->start();

wait_for(sub { $t->workers() == 4 }, 10, 'four workers');

my @workers = $t->workers();

my $api = LiveRecord::API->new($t, client => 'pop', method => 'POST',
    id => 'testid', secret => 'testsecret', action => 'RealTimeRecordCommand',
    endpoint => 'http://127.0.0.1:' . $t->port('HTTP'));

###############################################################################
# what is not there

my $no_stream = 'InvalidStream.NotFound';

is(codes(map { [ $_, 'hand', 'cam' ] } qw/ start stop restart cancel_delay /),
    join(' ', ($no_stream) x 4), 'no such stream');
is(codes([ 'start', 'nothing', 'cam' ]), 'InvalidConfig.NotFound',
    'no such template');
is(codes([ 'start', 'hand', 'cam', DomainName => 'a.example.com' ]),
    'InvalidDomain.NotFound', 'no such domain');
is(codes(map { [ $_->[0], 'hand', 'cam', $_->[1] => '' ] }
    [ '', 'RegionId' ], [ 'start', 'DomainName' ], [ 'start', 'AppName' ],
    [ 'start', 'StreamName' ]), 'MissingCommand MissingDomainName '
    . 'MissingAppName MissingStreamName', 'something is missing');
is(codes([ 'begin', 'hand', 'cam' ]), 'InvalidCommand.Malformed',
    'no such command');

###############################################################################
# streams in all workers

my $cam = on_worker($workers[0], app => 'hand', name => 'cam');
my $halt = on_worker($workers[1], app => 'auto', name => 'halt');
my $files = on_worker($workers[1], app => 'auto', name => 'files');
my $brief = on_worker($workers[2], app => 'long', name => 'brief',
    seconds => 12);
my $killed = on_worker($workers[3], app => 'hand', name => 'killed');

$killed->wait_media(2500);

my $from = sent($cam);

is(codes([ qw/ start hand cam / ], [ qw/ start hand cam / ],
    [ qw/ start hand killed / ], [ qw/ start auto halt / ],
    [ qw/ restart auto files / ], [ qw/ cancel_delay long brief / ]),
    'OK TaskAlreadyStarted OK TaskAlreadyStarted OK OK',
    'started by hand, once');

my $started = sent($cam);

$killed->wait_media(10000);

# before the file's end and its next key frame there is a cut at once

is(codes([ qw/ restart hand cam / ], [ qw/ restart hand cam / ],
    [ qw/ stop auto halt / ], [ qw/ stop auto halt / ],
    [ qw/ restart auto halt / ]), "OK OK OK $no_stream $no_stream",
    'restarted and stopped by hand');

my $halted = sent($halt);

kill 'KILL', $workers[3];
isnt($killed->wait(), 0, 'a publisher whose worker is killed');

is(codes([ qw/ start hand killed / ], [ qw/ cancel_delay hand killed / ],
    [ qw/ cancel_delay hand killed / ]), "$no_stream OK $no_stream",
    'its recording is ended by command, once');

# the worker that has the stream sleeps while the call is taken

$cam->wait_media(17000);

my $before = sent($cam);

kill 'STOP', $workers[0];
my $call = call([ qw/ stop hand cam / ]);
select undef, undef, undef, 1.5;
kill 'CONT', $workers[0];

is(result($call), 'OK', 'stopped from another worker');

my $stopped = sent($cam);

is(codes([ qw/ stop hand cam / ], [ qw/ start hand cam / ]),
    "$no_stream OK", 'and started again, within the grace');

# for later

my $deaf = on_worker($workers[1], app => 'hand', name => 'deaf');

is($_->wait(), 0, 'published to the end') for $cam, $halt, $files, $brief;

is(codes([ qw/ start hand cam / ], [ qw/ cancel_delay hand cam / ],
    [ qw/ cancel_delay hand cam / ]), "$no_stream OK $no_stream",
    'the end of the grace by command');

kill 'STOP', $workers[1];
$call = call([ qw/ start hand deaf / ]);
my $failed = result($call);
kill 'CONT', $workers[1];

is($failed, 'InternalError', 'no answer');

$t->reload();

is(codes([ qw/ start hand deaf / ]), 'OK',
    'was not started then, and is now, in a worker of before');

# cancel_delay while it was live: a return is another recording

is($t->publish($file, app => 'long', name => 'brief', start => 12000), 0,
    'came back');
is(codes([ qw/ cancel_delay long brief / ]), 'OK', 'and ended');

is($deaf->wait(), 0, 'deaf: published');
is(codes([ qw/ cancel_delay hand deaf / ]), 'OK', 'deaf: ended');

###############################################################################
# what came of it

my @cycles = $t->wait_recorded(2, app => 'hand', name => 'cam');
my @segments = segments_of(@cycles);
my @runs = runs(\@segments);

cmp_ok(scalar @cycles, '<=', 3, 'a restart is a new playlist');
playlist_ok($_) for @cycles;

is(scalar @runs, 2, 'stopped once, nothing else is missing');
is(join(' ', map { $_->[0] % $gop } @runs), '0 0', 'from key frames on');
between($runs[0][0], $from, $started + 40 * $gop, 'the first of them');
between($runs[0][1], $before, $stopped, 'up to the stop');
is($runs[1][1], $#sent, 'and from there to the end');

my $heard = is_subsequence([ packets(\@segments, 'a') ], \@audio, 'audio',
    runs => 2);

is(scalar @{$heard->{runs}}, 2, 'audio is missing where video is');
is(scalar $t->log(qr!"hand/cam" starts!), 1, 'one recording');
is(scalar $t->log(qr!"hand/cam" resumes!), 1, 'that was gone on with');

# restart keeps all of every format

my @mp4 = $t->wait_recorded(2, app => 'auto', name => 'files',
    format => 'mp4');

is(scalar @mp4, 2, 'restart: two files');
is(scalar $t->flvs('files', 'auto'), 2, 'of each format');
is(scalar $t->cycles('files', 'auto'), 2, 'and two playlists');
whole(\@mp4, $file, 'restart: mp4');
whole([ $t->flvs('files', 'auto') ], $file, 'restart: flv');
same_frames([ frames([ segments_of($t->cycles('files', 'auto')) ], 'v') ],
    \@video, 'restart: ts');

# stop of what was not begun by hand

@cycles = $t->wait_recorded(1, app => 'auto', name => 'halt');
@runs = runs([ segments_of(@cycles) ]);

is(scalar @runs, 1, 'stopped: one piece');
is($runs[0][0], 0, 'from the beginning');
between($runs[0][1], 10000, $halted, 'to the stop');

# no grace

@cycles = $t->wait_recorded(2, app => 'long', name => 'brief');

is(scalar @cycles, 2, 'two recordings');
is(scalar $t->log(qr!"long/brief" resumes!), 0, 'none was gone on with');

for my $i (0, 1) {
    same_frames([ frames([ segments_of($cycles[$i]) ], 'v') ],
        [ $i ? @video[300 .. $#video] : @video[0 .. 299] ],
        "recording $i of two");
}

# killed: what was on its way to the disk is lost

@cycles = $t->wait_recorded(1, app => 'hand', name => 'killed');
@runs = runs([ segments_of(@cycles) ]);

is(scalar @runs, 1, 'killed: one piece');
is($runs[0][0] % $gop, 0, 'from a key frame on');
cmp_ok(40 * $runs[0][1], '>', 8000, 'almost to the end');

###############################################################################
# a worker that does not answer; one of an earlier configuration

@cycles = $t->wait_recorded(1, app => 'hand', name => 'deaf');
@runs = runs([ segments_of(@cycles) ]);

is(scalar @runs, 1, 'one piece');
is($runs[0][0] % $gop, 0, 'from a key frame on');
is($runs[0][1], $#sent, 'to the end');

$t->done();

###############################################################################

# a publisher that is connected to this worker: the others sleep meanwhile

sub on_worker {
    my ($pid, %opt) = @_;
    my @others = grep { $_ != $pid } $t->workers();

    kill 'STOP', @others;

    my $p = $t->start_publish($file, speed => 1, %opt);
    my $ok = eval { $p->wait_event('published', 10) };

    kill 'CONT', @others;
    die $@ unless $ok;

    return $p;
}

# ms of media that are on their way

sub sent {
    my ($p) = @_;
    my @events = $p->events();
    return $events[-1]{media_ms};
}

# commands by the official client, one after another: [ command, application,
# stream, and other parameters ]

sub call {
    return $api->start(map {
        my ($command, $app, $stream, %more) = @$_;

        { params => { Command => $command, AppName => $app,
            StreamName => $stream, DomainName => 'live.example.com',
            %more } };
    } @_);
}

# the client gives up after 3 seconds, with no code

sub result {
    return join ' ', map { $_->{code} || ($_->{body} ? 'OK' : $_->{text}) }
        $api->end(@_);
}

sub codes { return result(call(@_)) }

# [ first, last ] of the pictures in ts files that follow one another

sub runs {
    my ($files) = @_;
    my @runs;

    for (map { $number{$_} } packets($files, 'v')) {
        if (@runs && $_ == $runs[-1][1] + 1) {
            $runs[-1][1]++;

        } else {
            push @runs, [ $_, $_ ];
        }
    }

    return @runs;
}

# a frame against what had been sent before and after a command, which may be
# on its way for a moment

sub between {
    my ($frame, $from, $to, $name) = @_;

    cmp_ok(40 * $frame, '>=', $from - 1000, "$name: not before");
    cmp_ok(40 * $frame, '<=', $to + 1000, "$name: not after");
}

###############################################################################
