#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# nginx is told to reload, to stop, to be upgraded, and is killed, while
# there are publishers; and it is given other settings.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;
use Time::HiRes qw/ sleep time /;

use lib "$FindBin::Bin/lib";
use LiveRecord;
use LiveRecord::Parts;

###############################################################################

my $file = media('short');
my @video = frames($file, 'v');
my @audio = packets($file, 'a');

side_by_side(
    stop => \&stop,
    late => \&late,
    upgrade => \&upgrade,
    killed => \&killed,
    template => \&template,
    bucket => \&bucket,
    workers => \&workers,
);

###############################################################################

# stopped within the grace, by each of the signals: one recording

sub stop {
    my $t = nginx(grace => '5s', ping => 'ping 0;');

    # all that was received by a publisher that is cut off

    my $i = 0;

    for my $signal (qw/ TERM INT /) {
        my $p = $t->start_publish($file, part($i++), speed => 4,
            end => 'hold');

        $p->wait_event('holding');

        # it is told when all is in the socket, not when nginx has it
        sleep 0.2;

        ok($t->stop($signal), "$signal: nginx stops");
        is($p->wait(), 4, "$signal: the publisher is cut off");

        $t->start();
    }

    # a publisher that is let finish; nobody listens meanwhile

    my $p = $t->start_publish($file, part($i++), speed => 2);
    $p->wait_media(800);

    my $master = $t->signal('QUIT');
    my $port = $t->port();

    wait_for(sub { !IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") },
        5, 'nginx to stop listening');

    is($p->wait(), 0, 'QUIT: the publisher ends by itself');
    wait_for(sub { !LiveRecord::alive($master) }, 10, 'nginx to stop');

    $t->start();

    # a reload, with ping 0: the old worker goes on with its publisher

    $p = $t->start_publish($file, part($i++), speed => 2);
    $p->wait_media(800);

    my ($old) = $t->workers();

    $t->reload();
    is($p->wait(), 0, 'HUP: the publisher is not disturbed');
    is($t->publish($file, part($i++)), 0, 'HUP: back in a new worker');

    wait_for(sub { !LiveRecord::alive($old) }, 10, 'the old worker to leave');

    one_recording($t, 'test', frames => [ frames_of(0 .. 4) ], gaps => 4);

    is(scalar $t->log(qr/"live\/test" starts/), 1, 'started once');
    is(scalar $t->log(qr/"live\/test" resumes/), 4, 'resumed four times');
    is(scalar $t->log(qr/"live\/test" pauses: worker exit/), 2,
        'ended by the exit of the worker twice');

    $t->done();
}

# stopped for longer than the grace: two recordings; the first one is whole

sub late {
    my $t = nginx(grace => '1s');

    my $p = $t->start_publish($file, part(0), speed => 4, end => 'hold');
    $p->wait_event('holding');
    sleep 0.2;

    $t->stop('TERM');
    sleep 2;
    $t->start();

    is($t->publish($file, part(1)), 0, 'published after the grace');

    my @cycles = $t->wait_recorded(2);

    is(scalar @cycles, 2, 'two recordings');

    for my $i (0, 1) {
        playlist_ok($cycles[$i]);
        same_frames([ frames([ segments_of($cycles[$i]) ], 'v') ],
            [ frames_of($i) ], "video $i");
    }

    stored_once($t);
    $t->done();
}

# USR2, WINCH, QUIT, with a publisher that lives through all of it

sub upgrade {
    my $t = nginx(grace => '4s', ping => 'ping 0;', workers => 2);

    my $p = $t->start_publish($file, seconds => 16, speed => 2,
        name => 'long');
    $p->wait_media(1500);

    my $old = $t->signal('USR2');

    wait_for(sub {
        my $new = $t->master();
        return $new && $new != $old && $t->workers() == 2;
    }, 10, 'the new binary to start');

    # both take connections, and both look after the spool

    is($t->publish($file, part($_), speed => 4, name => 'short'), 0,
        "published $_ beside two masters") for 0, 1;

    kill 'WINCH', $old;
    wait_for(sub { !$t->workers(master => $old) }, 10, 'old workers');

    is($t->publish($file, part(2), name => 'short'), 0,
        'published after WINCH');

    kill 'QUIT', $old;

    is($p->wait(), 0, 'the publisher ends by itself');
    wait_for(sub { !LiveRecord::alive($old) }, 10, 'the old master to leave');

    is(scalar $t->workers(), 2, 'the new workers are there');
    is($t->publish($file, part(4), name => 'long'), 0, 'back in a new one');

    one_recording($t, 'short', frames => [ frames_of(0 .. 2) ],
        gaps => 2);
    one_recording($t, 'long', frames => [ frames_of(0 .. 4) ],
        gaps => 1);

    $t->done();
}

# kill -9 of the master and of all workers while a stream is published,
# twice; and once while nobody is there and the grace runs

sub killed {
    my $t = nginx(grace => '5s', workers => 2);
    my $p;

    for my $i (0, 1) {
        $p = $t->start_publish($file, start => 8000 * $i, seconds => 8,
            speed => 1, end => 'hold');

        # a fragment is in the bucket, another one is open

        $p->wait_media(7000);
        $t->kill_all();
        is($p->wait(), 4, 'the publisher lost nginx');
        $t->start();
    }

    is($t->publish($file, part(4)), 0, 'the rest');
    sleep 1;
    $t->kill_all();
    $t->start();

    my @cycles = $t->wait_recorded(1);
    my @days = $t->days();

    is(scalar @cycles, 1, 'one recording');
    is(scalar @days, 1, 'one index of the day');

    for my $list (@cycles, @days) {
        playlist_ok($list);
        is((grep { $_->{discontinuity} } @{parse_m3u8($list)->{segments}}),
            2, 'discontinuities');

        my $lost = is_subsequence([ frames([ segments_of($list) ], 'v') ],
            [ frames_of(0 .. 4) ], 'video', runs => 8, missing => 2 * 52);
        my ($most) = sort { $b <=> $a } map { $_->[1] } @{$lost->{runs}};

        # one second that was not sent, and one that was in memory
        cmp_ok($most || 0, '<=', 51, 'frames lost by one kill');
    }

    stored_once($t);
    $t->done();
}

# a template that is changed: a recording keeps what it began with, through
# its grace; the next one is by the new settings

sub template {
    my $t = nginx(grace => '3s');

    my $p = $t->start_publish($file, part(0), speed => 2);
    $p->wait_media(800);

    configure($t, grace => '1s', fragment => '10s', workers => 1, template =>
        'fragment_path "new/{UnixTimestamp}_{Sequence}";');
    $t->reload();

    is($p->wait(), 0, 'published through the reload');

    # by the new grace it would be over

    sleep 1.4;
    is($t->publish($file, start => 4000, seconds => 8), 0,
        'back in the old grace');

    one_recording($t, 'test', frames => [ frames_of(0 .. 2) ], gaps => 1);

    is(scalar(@{parse_m3u8(($t->cycles())[0])->{segments}}), 3,
        'fragments of the old length');
    is(scalar files_in($t->bucket() . '/new'), 0, 'under the old names');

    is($t->publish($file, seconds => 8), 0, 'a new recording');

    my @cycles = $t->wait_recorded(2);

    is(scalar(@{parse_m3u8($cycles[1])->{segments}}), 1,
        'a fragment of the new length');
    is(scalar files_in($t->bucket() . '/new'), 1, 'under the new name');

    $t->done();
}

# a bucket that is taken out of the configuration while a recording waits
# for it, and is put back

sub bucket {
    my $t = nginx(grace => '1s');
    my $said = qr/"live_record_bucket" "local" is not configured any more/;

    my $p = $t->start_publish($file, part(0), speed => 2);
    $p->wait_media(800);

    configure($t, bucket => 'other', grace => '1s');
    $t->reload();

    is($p->wait(), 0, 'published');
    is($t->publish($file, name => 'new', part(1)), 0,
        'published to the other bucket');

    wait_for(sub { $t->log($said) }, 10, 'the line in the log');

    # it is tried again meanwhile, and does not stand in the way of others

    my @cycles = $t->wait_recorded(1, name => 'new');

    same_frames([ frames([ segments_of(@cycles) ], 'v') ], [ frames_of(1) ],
        'the other bucket works');

    sleep 2;

    is(scalar $t->log($said), 1, 'it is said once');
    like(($t->log($said))[0], qr/\[error\].*"live\/test\/[^"]+" waits/,
        'with the name of the recording');
    is(scalar $t->cycles(), 0, 'nothing is in the bucket');
    cmp_ok(scalar $t->spooled(), '>', 2, 'all of it is in the spool');

    configure($t, grace => '1s');
    $t->reload();

    one_recording($t, 'test', frames => [ frames_of(0) ], gaps => 0);

    $t->allow($said);
    $t->done();
}

# worker_processes is changed: what waits in the spool is shared out anew

sub workers {
    my $t = nginx(grace => '4s', ping => 'ping 0;');

    my $long = $t->start_publish($file, seconds => 20, speed => 2,
        name => 'long');
    $long->wait_event('published');

    my @names = map { "s$_" } 0 .. 7;
    my $i = 0;

    for my $n (1, 4, 2) {

        if ($i) {
            configure($t, grace => '4s', ping => 'ping 0;', workers => $n);

            my %old = map { ($_, 1) } $t->workers();

            $t->signal('HUP');
            wait_for(sub {
                my @now = $t->workers();
                return @now == $n && !grep { $old{$_} } @now;
            }, 10, "$n workers");
        }

        my @pubs = map { $t->start_publish($file, name => $_, part($i)) }
            @names;
        is((grep { $_->wait() != 0 } @pubs), 0,
            "published with $n workers");

        $i++;
    }

    is($long->wait(), 0, 'published through all of it');

    one_recording($t, $_, frames => [ frames_of(0 .. 2) ], gaps => 2)
        for @names;
    one_recording($t, 'long', frames => [ frames_of(0 .. 4) ],
        gaps => 0);

    $t->done();
}

###############################################################################

# the n-th 4 s

sub part {
    my ($n) = @_;
    return (start => 4000 * $n, seconds => 4);
}

sub frames_of {
    my (@parts) = @_;
    return map { @video[100 * $_ .. 100 * $_ + 99] } @parts;
}

sub nginx {
    my (%opt) = @_;
    return configure(LiveRecord->new(), %opt)->start();
}

sub configure {
    my ($t, %opt) = @_;
    my $workers = $opt{workers} || 1;
    my $bucket = $opt{bucket} || 'local';
    my $fragment = $opt{fragment} || '5s';
    my $ping = $opt{ping} || '';
    my $template = $opt{template} || '';

    return $t->write_conf(<<"EOF_CONF");
%%GLOBALS%%

worker_processes $workers;

events {
    worker_connections 64;
}

rtmp {
    live_record_spool %%TESTDIR%%/spool;
    live_record_bucket $bucket { type dir; root %%TESTDIR%%/bucket; }

    server {
        listen 127.0.0.1:%%PORT%%;
        $ping

        application live {
            live on;

            live_record * {
                bucket $bucket;
                fragment $fragment;
                grace $opt{grace};
                $template
            }
        }
    }
}
EOF_CONF
}

sub one_recording {
    my ($t, $name, %opt) = @_;
    my @cycles = $t->wait_recorded(1, name => $name);
    my @days = $t->days($name);

    is(scalar @cycles, 1, "$name: one recording");
    is(scalar @days, 1, "$name: one index of the day");

    for my $list (@cycles, @days) {
        playlist_ok($list, "$name: playlist");
        same_frames([ frames([ segments_of($list) ], 'v') ], $opt{frames},
            "$name: video");
        is((grep { $_->{discontinuity} } @{parse_m3u8($list)->{segments}}),
            $opt{gaps}, "$name: discontinuities");
    }

    stored_once($t, $name);
}

# nothing has another name because there was something under its own, and
# each fragment in the bucket is one of a playlist's

sub stored_once {
    my ($t, $name) = @_;
    $name = 'test' unless defined $name;

    my %listed = map { ($_, 1) } segments_of($t->cycles($name));
    my @fragments = $t->fragments($name);

    is((grep { !$listed{$_} } @fragments), 0,
        "$name: no fragment is in no playlist");
    is(scalar $t->log(qr/another name is taken/), 0,
        "$name: nothing was stored twice");
    is(scalar files_in($t->bucket(), qr!(^|/)\.[^/]*\.part$!), 0,
        "$name: nothing is half written");
}

###############################################################################
