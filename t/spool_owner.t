#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# One spool belongs to one nginx: another one is refused, and the next
# generation of the same one never is.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;

use lib "$FindBin::Bin/lib";
use LiveRecord;
use LiveRecord::Parts;

###############################################################################

my $file = media('short');
my @video = frames($file, 'v');

side_by_side(
    another => \&another,
    reloaded => \&reloaded,
    without => \&without,
    generations => \&generations,
    left => \&left,
);

###############################################################################

# an nginx with another pid file

sub another {
    my $t = nginx()->start();
    my $other = nginx($t->spool());
    my $p = $t->start_publish($file, seconds => 8, speed => 2);

    $p->wait_media(800);

    like(refused($other), refusal($t), 'another nginx is refused');
    ok($other->test_conf($other->{text}), 'but "nginx -t" says nothing');
    ok($t->test_conf($t->{text}), '... and nothing of the one that runs');
    is(scalar $t->workers(), 2, 'that one has not noticed');

    is($p->wait(), 0, 'published meanwhile');
    recorded($t, 0 .. 199);

    ok($t->stop(), 'the first one stops');
    $other->start();
    like(refused($t), refusal($other), 'now it is the other one\'s');

    $other->stop();
    $other->cleanup();
    $t->allow(qr/is in use by another nginx/);
    $t->done();
}

# by a reload to the spool of another one: nothing changes; and to one of its
# own, after which the old spool is free

sub reloaded {
    my $t = nginx();
    my $other = nginx()->start();

    # workers of before hold it as long as they have publishers

    $t->start();
    my $p = $t->start_publish($file, seconds => 4, speed => 4,
        end => 'hold');
    $p->wait_event('holding');

    my @workers = $t->workers();

    $t->write_conf(conf($other->spool()));
    $t->signal('HUP');
    wait_for(sub { $t->log(refusal($other)) }, 10, 'the refusal');

    is_deeply([ $t->workers() ], \@workers, 'a reload that is refused changes '
        . 'nothing');

    $t->write_conf(conf($t->dir() . '/own'));
    $t->reload();

    my $third = nginx($t->spool(), $t->bucket());

    like(refused($third), refusal($t), 'an old worker holds the old spool');

    $p->kill();
    wait_for(sub { $t->workers(all => 1) == 2 }, 20, 'the old workers');

    $third->start();
    ok($third->stop(), 'the old spool is free');
    $third->cleanup();

    # and this one goes back, after it was another's

    $t->write_conf($t->{text});
    $t->reload();
    recorded($t, 0 .. 99);

    $other->stop();
    $other->cleanup();
    $t->allow(qr/is in use by another nginx/);
    $t->done();
}

# by a reload to none at all, which is told, and back, if nobody has taken it
# meanwhile; also of one that was started by another

sub without {
    my $t = nginx()->start();
    my $other = nginx($t->spool());
    my @none = map { s/^ +live_record(_\w+)? [^;{]*(;|\{(?:[^{}]*)\}).*\n//mgr }
        $t->{text};

    $t->upgrade();
    $t->write_conf($none[0]);
    $t->reload();

    is(scalar $t->log(qr/\[warn\].*"live_record_spool" was "[^"]+" and is /
        . 'not set now'), 1, 'what may wait in it is told');

    $t->reload();
    is(scalar $t->log(qr/not set now/), 1, '... once');

    $other->start();
    pass('another one may have it');

    $t->write_conf($t->{text});
    $t->signal('HUP');
    wait_for(sub { $t->log(refusal($other)) }, 10, 'the refusal');

    $other->stop();
    $other->cleanup();
    $t->reload();
    is($t->publish($file, seconds => 4, speed => 8), 0, 'published');
    recorded($t, 0 .. 99);

    $t->allow(qr/is in use by another nginx/);
    $t->done();
}

# reloads, upgrades of the binary, the way back from one, restarts

sub generations {
    my $t = nginx()->start();
    my $other = nginx($t->spool());

    $t->reload();
    like(refused($other), refusal($t), 'after a reload it is refused');

    is($t->publish($file, seconds => 4, speed => 8), 0, 'published');

    my $old = $t->signal('USR2');

    wait_for(sub {
        my $new = $t->master();
        return $new && $new != $old && $t->workers() == 2;
    }, 10, 'the new binary to start');

    my $new = $t->master();

    is($t->publish($file, start => 4000, seconds => 4, speed => 8), 0,
        'published beside two masters');

    # the way back

    kill 'QUIT', $new;
    wait_for(sub { !LiveRecord::alive($new) }, 10, 'the new one to leave');
    wait_for(sub { ($t->master() || 0) == $old }, 10, 'the old pid file');
    $t->reload();
    like(refused($other), refusal($t), 'after the way back it is refused');

    $t->upgrade();
    wait_for(sub { !LiveRecord::alive($old) }, 10, 'the old one to leave');
    like(refused($other), refusal($t), 'after an upgrade it is refused');

    # nor does it get the spool of another one then, by a reload

    my $third = nginx()->start();

    $t->write_conf(conf($third->spool()));
    $t->signal('HUP');
    wait_for(sub { $t->log(refusal($third)) }, 10, 'the refusal');

    $t->write_conf($t->{text});
    $t->reload();
    $third->stop();
    $third->cleanup();

    $t->stop('TERM');
    $t->start();
    is($t->publish($file, start => 8000, seconds => 4, speed => 8), 0,
        'published after a restart');

    recorded($t, 0 .. 299);

    $other->cleanup();
    $t->allow(qr/is in use by another nginx/);
    $t->done();
}

# started again while workers are left: of a master that was killed, and of
# one that has let them finish

sub left {
    my $t = nginx()->start();
    my $other = nginx($t->spool());
    my $p = $t->start_publish($file, seconds => 20, speed => 2);

    $p->wait_media(800);

    my $master = $t->master();
    my @workers = $t->workers();

    $t->{killed} = 1;
    kill 'KILL', $master;
    wait_for(sub { !LiveRecord::alive($master) }, 5, 'the master to die');
    unlink $t->dir() . '/nginx.pid';

    # they listen on, so that the next one cannot before they are told

    like(refused($other), refusal($t), 'what a master left holds the spool');

    kill 'QUIT', @workers;
    $t->start();

    is($p->wait(), 0, 'published to the old worker');
    wait_for(sub { !grep { LiveRecord::alive($_) } @workers }, 10,
        'the workers that were left');

    # a master that waits for its last publisher

    $p = $t->start_publish($file, start => 20000, seconds => 4, speed => 1);
    $p->wait_media(800);

    $master = $t->signal('QUIT');
    my $port = $t->port();

    wait_for(sub { !IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") },
        5, 'nginx to stop listening');
    $t->start();
    my $new = $t->master();
    ok(LiveRecord::alive($master), 'the old one is still there');
    is($p->wait(), 0, 'published to it');
    wait_for(sub { !LiveRecord::alive($master) }, 10, 'it to leave');

    # which takes the pid file with it, that of the new one

    like(refused($other), used_by($t, 'what is left of it'),
        'another one is refused all the same');

    recorded($t, 0 .. 599);

    $t->allow(qr/unlink\(\) "[^"]+nginx\.pid" failed/);
    kill 'QUIT', $new;
    wait_for(sub { !LiveRecord::alive($new) }, 10, 'the new one to stop');

    $other->cleanup();
    $t->done();
}

###############################################################################

sub nginx {
    my ($spool, $root) = @_;
    my $t = LiveRecord->new();

    $t->{text} = conf($spool || $t->spool(), $root);

    return $t->write_conf($t->{text});
}

sub conf {
    my ($spool, $root) = @_;

    $root ||= '%%TESTDIR%%/bucket';

    return <<"EOF_CONF";
%%GLOBALS%%

worker_processes 2;

events {
    worker_connections 64;
}

rtmp {
    live_record_spool $spool;
    live_record_bucket local { type dir; root $root; }

    server {
        listen 127.0.0.1:%%PORT%%;
        ping 0;

        application live {
            live on;

            live_record * {
                bucket local;
                fragment 5s;
                grace 6s;
            }
        }
    }
}
EOF_CONF
}

# what an nginx says that does not start

sub refused {
    my ($t) = @_;
    my @cmd = $t->command();

    return 'it starts' if system("@cmd >/dev/null 2>&1") == 0;

    return ($t->log(qr/\[emerg\]/))[-1] || '';
}

sub refusal {
    my ($t) = @_;
    my $pid = $t->master();

    return used_by($t, $pid ? "process $pid" : 'what is left of it');
}

sub used_by {
    my ($t, $who) = @_;
    my $text = 'is in use by another nginx, with "pid" "' . $t->dir()
        . "/nginx.pid\" ($who)";

    return qr/\[emerg\].*"live_record_spool" "[^"]+" \Q$text\E/;
}

# one recording, of these frames

sub recorded {
    my ($t, @wanted) = @_;
    my ($list, @more) = $t->wait_recorded(1, seconds => 40);

    playlist_ok($list);
    is(scalar @more, 0, 'one recording');
    same_frames([ frames([ segments_of($list) ], 'v') ], [ @video[@wanted] ],
        'video');
}

###############################################################################
