#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# Whatever a store does: in the end all of a recording is in it, once.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;
use IO::Socket::INET;

use lib "$FindBin::Bin/lib";
use LiveRecord;
use LiveRecord::OSS;

###############################################################################

# a bucket, an application and a stream for each kind of fault, all at the
# same time.  faults: what the store does; hits: how often; fails, refuses:
# how often the log tells of the bucket, each time also that it works again

my %put = (method => 'PUT');
my %ts = (%put, key => '\.ts$');
my %json = (%put, key => '\.json$');
my %cycle = (%put, key => '^record/.*\.m3u8$');
my %day = (%put, key => '^(?!record/).*\.m3u8$');
my %head = (method => 'HEAD');
my %get = (method => 'GET', key => '.');
my %list = (method => 'GET', query => 'list-type');

my %cases = (
    none => { faults => [], hits => 0, fails => 0 },

    e500 => { faults => [ { fault => 'status', status => 500,
        code => 'InternalError', %put, times => 2 } ], hits => 2,
        text => qr/500 InternalError "A fault of the test\."/ },

    e503 => { faults => [ { fault => 'status', status => 503,
        retryAfter => 3, %put } ], hits => 1, text => qr/503 Service/ },

    e403 => { faults => [ { fault => 'status', status => 403,
        code => 'AccessDenied', early => 1, %put, times => 2 } ], hits => 2,
        fails => 0, refuses => 1, text => qr/403 AccessDenied/ },

    # a listing is never gone; what is behind a wrong address may say so
    e404 => { faults => [ { fault => 'status', status => 404, bare => 1,
        %list } ], hits => 1, fails => 0, refuses => 1,
        text => qr/refuses .*: LIST .*: the answer's status is 404/ },

    reset => { faults => [ { fault => 'reset-after-bytes', bytes => 20000,
        %ts, times => 2 } ], hits => 2 },

    # libcurl itself tries it again on a new connection, or we do; so do
    # those of "lost"
    kept => { faults => [ { fault => 'reset-after-bytes', bytes => 0, %put,
        nth => 2 }, { fault => 'reset-after-bytes', bytes => 0, %list } ],
        hits => 2, fails => undef },

    unread => { faults => [ { fault => 'stall', %ts } ], hits => undef,
        settings => 'timeout 1s;', media => 'large',
        text => qr/too slow/ },

    unanswered => { faults => [ { fault => 'stall-answer', %ts },
        { fault => 'stall-answer', %list } ], hits => 2, fails => 2,
        settings => 'timeout 1s;', text => qr/too slow/ },

    half => { faults => [ map { { fault => 'half-reply', %$_ } }
        \%ts, \%head, \%cycle, \%list, \%get ], hits => 5, fails => 4 },

    crc => { faults => [ map { { fault => 'wrong-crc', %$_ } }
        \%ts, \%json, \%day, \%get ], hits => 4, fails => 4,
        text => qr/CRC-64 of the answer is not that of what was sent/ },

    lost => { faults => [ map { { fault => 'lost-reply', %$_ } }
        \%ts, \%head, \%json, \%cycle, \%list, \%get, \%day ], hits => 7,
        fails => undef },

    error200 => { faults => [ map { { fault => '200-error-body', %$_ } }
        \%ts, \%json, \%cycle, \%list, \%get, \%day ], hits => 6,
        fails => 6, text => qr/200 InternalError/ },

    # what a PUT has stored is looked at; it is no answer to others
    e203 => { faults => [ { fault => '203', %put, times => 3 },
        map { { fault => '203', %$_ } } \%list, \%get ], hits => 5,
        fails => 2 },

    clock => { faults => [ { fault => 'skew', seconds => 1200,
        times => 0 } ], hits => undef, streams => 3, fails => 0,
        text => qr/differs from this machine's by (?:1199|120[01]) seconds/ },

    clockone => { faults => [ { fault => 'skew', seconds => -1200,
        times => 0 } ], hits => undef, settings => 'signature v1;',
        fails => 0, text => qr/by -(?:1199|120[01]) seconds/ },

    # a time that is not right either
    clockbad => { faults => [ { fault => 'status', status => 403,
        code => 'RequestTimeTooSkewed', %put, times => 2 } ], hits => 2,
        text => qr/403 RequestTimeTooSkewed/ },

    # after which no request can be signed
    clockfar => { faults => [ { fault => 'status', status => 403,
        code => 'RequestTimeTooSkewed', %put, times => 2,
        date => 'Fri, 31 Dec 9999 23:59:59 GMT' } ], hits => 2,
        text => qr/403 RequestTimeTooSkewed/ },

    slow => { faults => [ { fault => 'slow', rate => 400000, %ts,
        times => 0 } ], hits => undef, fails => 0, streams => 5,
        settings => 'connections 2;' },
);

my @cases = sort keys %cases;
my @others = qw/ foreign refused away expired stuck hold /;

my %other = (
    expired => 'credentials file sts.conf;',
    stuck => 'connections 1;',
);

###############################################################################

my $t = LiveRecord->new();
my $dir = $t->dir();

my @keys = ({ id => 'the.id', secret => 'the.secret' });
my $oss = LiveRecord::OSS->new($t, keys => [ 'the.id:the.secret' ]);

my %names = map { $_ => 'record/{AppName}/{StreamName}/'
    . '{EscapedStartTime}_{EscapedEndTime}' } @cases, @others;

$names{foreign} = 'record/{AppName}/{StreamName}/{UnixTimestamp}_{Sequence}';

$t->write_conf(conf(map {
    my $more = ($cases{$_} || {})->{settings} || $other{$_} || '';
    $more .= ' credentials key the.id the.secret;'
        unless $more =~ /credentials/;
    [ $_, $more, $names{$_} ]
} @cases, @others));

write_file("$dir/sts.conf", "old.id\nold.secret\nold.token\n");

my %media = (
    '' => media('faults', seconds => 13),
    large => media('large', seconds => 6, size => '1280x720', gop => 6,
        audio => 'none', x264 => 'qp=1'),
);

my (%video, %audio);

for (keys %media) {
    $video{$_} = [ frames($media{$_}, 'v') ];
    $audio{$_} = [ packets($media{$_}, 'a') ];
}

$t->allow(qr/bucket "(?:e403|e404|expired)" refuses/);
$t->start();

# all at once, and then each by itself

$oss->faults(map { my $name = $_;
    map { { %$_, bucket => $name } } @{$cases{$name}{faults}} } @cases);

my @pubs;

for my $name (@cases) {
    my $c = $cases{$name};

    push @pubs, $t->start_publish($media{$c->{media} || ''}, app => $name,
        name => $_, speed => 8) for streams($name);
}

is((grep { $_->wait(120) != 0 } @pubs), 0, @pubs . ' published');

for my $name (@cases) {
    my $c = $cases{$name};
    my @streams = streams($name);

    subtest $name => sub {
        all_of($name, $_, 1, $c->{media} || '') for @streams;

        # objects are there once, under the names they were meant to have

        my $n = @streams * @{parse_m3u8(($t->days($streams[0], $name))[0])
            ->{segments}};
        my @files = files_in($oss->bucket($name));

        is((grep { /\.ts$/ } @files), $n, 'fragments');
        is((grep { /\.m3u8$/ } @files), 2 * @streams, 'indexes');
        is((grep { /\.json$/ } @files), @streams, 'manifests');
        is((grep { /-\d+\.(?:ts|m3u8)$/ && m!^record/! && !/_\d{4}-/ }
            @files), 0, 'no other names');

        my @hits = grep { $_->{fault} } $oss->requests($name);

        is(scalar @hits, $c->{hits}, 'faults') if defined $c->{hits};
        is((grep { !$_ } $oss->seen($name)), 0, 'each of them was met');

        told($name, exists $c->{fails} ? $c->{fails} : 1, $c->{refuses});

        cmp_ok(scalar $t->log(qr/bucket "$name" .*$c->{text}/), '>=', 1,
            'the log says what it was') if $c->{text};

        $c->{also}->() if $c->{also};
    };
}

###############################################################################
# some more of them

subtest 'e503: Retry-After' => sub {
    my @r = $oss->requests('e503');
    my ($i) = grep { $r[$_]{fault} } 0 .. $#r;

    cmp_ok(ended($r[$i + 1]) - ended($r[$i]), '>=', 2.9, 'waits so long');
};

subtest 'unread: it was being sent' => sub {
    my ($size) = map { -s } $t->bucket($oss->bucket('unread'))
        && $t->fragments('test', 'unread');

    cmp_ok($size, '>', 8e6, 'a large one');
};

subtest 'half, lost: what lies there is compared' => sub {
    for my $name (qw/ half lost crc unanswered error200 /) {
        my @r = $oss->requests($name);
        my @exists = grep { ($_->{code} || '') eq 'FileAlreadyExists' } @r;
        my @heads = grep { $_->{method} eq 'HEAD' } @r;

        cmp_ok(scalar @exists, '>=', 1, "$name: was there already");
        cmp_ok(scalar @heads, '>=', 1, "$name: was asked for");
    }

    is((grep { $_->{method} eq 'HEAD' } $oss->requests('e203')), 3,
        'e203: was asked for');
};

subtest 'clock: told once' => sub {
    is(scalar $t->log(qr/the clock of bucket "clockbad"/), 0,
        'a clock that is right');

    for my $name (qw/ clock clockone /) {
        my @r = grep { $_->{code} } $oss->requests($name);

        is(scalar $t->log(qr/the clock of bucket "$name" differs/), 1,
            "$name: told");

        # those that were under way at the same time, and none later
        my $n = () = streams($name);
        cmp_ok(scalar @r, '>=', 1, "$name: in vain: " . @r);
        cmp_ok(scalar @r, '<=', $n, "$name: no more than streams");
    }
};

subtest 'slow: two at a time' => sub {
    is($oss->most_at_a_time('slow'), 2, 'as configured');
};

###############################################################################

subtest 'names that are taken' => sub {
    my $base = $oss->bucket('foreign');
    my $now = time();
    my %foreign;

    for my $time ($now .. $now + 60) {
        my $name = "record/foreign/test/$time";

        $foreign{"${name}_$_.ts"} = "not ours $time $_" for 0 .. 2;
        $foreign{"${name}_1-1.ts"} = "not ours, too $time";
        $foreign{"${name}_0.m3u8"} = "not ours $time";
    }

    system('mkdir', '-p', "$base/record/foreign/test") == 0 or die;
    write_file("$base/$_", $foreign{$_}) for keys %foreign;
    chmod 0777, "$base/record/foreign/test";

    is($t->publish($media{''}, app => 'foreign', speed => 8), 0,
        'published');

    $t->bucket($base);
    $t->wait_recorded(1, app => 'foreign', seconds => 60);

    my @changed = grep { read_file("$base/$_") ne $foreign{$_} }
        keys %foreign;
    is(scalar @changed, 0, 'what was there is as it was');

    my ($cycle) = grep { /_0-1\.m3u8$/ } $t->cycles('test', 'foreign');
    my ($day) = $t->days('test', 'foreign');

    for ($cycle, $day) {
        playlist_ok($_);
        same_frames([ frames($_, 'v') ], $video{''}, 'video');
        same_frames([ packets($_, 'a') ], $audio{''}, 'audio packets');

        is(join(' ', map { /_(\d+(?:-\d+)?)\.ts$/ } segments_of($_)),
            '0-1 1-2 2-1', 'the names that were taken instead');
    }

    cmp_ok(scalar $t->log(qr/there is another object .*another name/), '==',
        5, 'the log tells of each');
    told('foreign', 0);
};

###############################################################################

subtest 'connection refused' => sub {
    is($oss->stop(), 0, 'the store goes away');
    is($t->publish($media{''}, app => 'refused', speed => 8), 0,
        'published');

    wait_for(sub { $t->log(qr/bucket "refused" fails/) }, 20,
        'the log to tell');
    sleep 2;

    $oss->start();

    all_of('refused', 'test', 1);
    told('refused', 1);
};

subtest 'away for two recordings and a restart' => sub {
    is($oss->stop(), 0, 'the store goes away');

    is($t->publish($media{''}, app => 'away', speed => 8), 0, 'published');
    wait_for(sub { $t->log(qr/bucket "away" fails/) }, 20,
        'the log to tell');

    # beyond the grace
    sleep 2;

    is($t->publish($media{''}, app => 'away', speed => 8), 0,
        'published again');

    my @spooled = $t->spooled('test', 'away');
    cmp_ok((grep { /\.log$/ } @spooled), '>=', 2, 'two are in the spool');

    # no secrets there
    my $secrets = join '|', map { quotemeta } secrets();
    my @leaks = grep {
        my $text = eval { read_file($t->spool() . "/away/test/$_") };
        defined $text && $text =~ /$secrets/
    } @spooled;
    is(scalar @leaks, 0, 'no secrets in the spool');

    ok($t->stop(), 'nginx stops');
    $t->start();

    wait_for(sub { $t->log(qr/bucket "away" fails/) == 2 }, 20,
        'the log to tell again');

    $oss->start();

    all_of('away', 'test', 2);

    is(scalar $t->log(qr/bucket "away" fails/), 2,
        'told once by each nginx');
    is(scalar $t->log(qr/bucket "away" works again/), 1, 'works again');
};

###############################################################################

subtest 'a temporary key expires' => sub {
    my %old = (id => 'old.id', secret => 'old.secret', token => 'old.token');

    $oss->set_keys(@keys, { %old });

    is($t->publish($media{''}, app => 'expired', name => 'before',
        speed => 8), 0, 'published');
    all_of('expired', 'before', 1);

    $oss->set_keys(@keys, { %old, expired => JSON::PP::true() });

    is($t->publish($media{''}, app => 'expired', speed => 8), 0,
        'published with an expired one');

    wait_for(sub { $t->log(qr/bucket "expired" .*SecurityTokenExpired/) },
        20, 'the log to tell');

    # the store knows it before it is used
    $oss->add_keys({ id => 'new.id', secret => 'new.secret',
        token => 'new.token' });
    write_file("$dir/sts.new", "new.id\nnew.secret\nnew.token\n");
    rename "$dir/sts.new", "$dir/sts.conf";

    all_of('expired', 'test', 1);
    told('expired', 0, 1);
};

###############################################################################

# uploads that stall: those under way are given up, and those that wait

subtest 'a reload does not wait' => sub {
    stall();

    is($t->publish($media{''}, app => 'stuck', name => $_, speed => 8), 0,
        "published $_") for qw/ one two three /;
    wait_for(sub { ($oss->seen('stuck'))[0] == 1 }, 20, 'an upload');

    # one worker leaves at once, the next has a publisher and has to stay

    my ($old) = $t->workers();
    my $began = time();

    $t->reload();
    wait_for(sub { !grep { $_ == $old } $t->workers(all => 1) }, 20,
        'the old worker to leave');
    cmp_ok(time() - $began, '<', 10, 'the old worker leaves');

    my $hold = $t->start_publish($media{''}, app => 'hold', speed => 0.5);
    $hold->wait_event('published');
    wait_for(sub { ($oss->seen('stuck'))[0] == 2 }, 20, 'an upload');

    # what has waited in the old worker is the new one's at once

    $t->reload();
    is(scalar $t->workers(all => 1), 2, 'two workers');

    ok(eval { wait_for(sub { ($oss->seen('stuck'))[0] == 3 }, 10 ) },
        'the new one goes on');

    flow();
    all_of('stuck', $_, 1) for qw/ one two three /;

    $hold->kill('KILL')->wait();
    wait_for(sub { $t->workers(all => 1) == 1 }, 20, 'one worker');
};

subtest 'QUIT and TERM do not wait' => sub {
    for my $signal (qw/ QUIT TERM /) {
        stall();

        my @names = map { "$signal$_" } 0 .. 2;

        is($t->publish($media{''}, app => 'stuck', name => $_, speed => 8),
            0, "published $_") for @names;
        wait_for(sub { ($oss->seen('stuck'))[0] }, 20, 'an upload');

        my $began = time();
        ok($t->stop($signal), "$signal: stops");
        cmp_ok(time() - $began, '<', 10, "$signal: soon");

        flow();
        $t->start();

        all_of('stuck', $_, 1) for @names;
    }
};

# manifests of a day that are read, and those that wait for that

subtest 'a reload while the index of the day is drawn' => sub {
    for my $n (1 .. 3) {
        is($t->publish($media{''}, app => 'stuck', name => 'day',
            speed => 8), 0, "published $n");
        $t->bucket($oss->bucket('stuck'));
        $t->wait_recorded($n, app => 'stuck', name => 'day');
    }

    # a new worker has none of them in its memory

    $t->reload();
    $oss->faults({ fault => 'stall', method => 'GET', key => '\.json$',
        bucket => 'stuck', times => 0 });

    is($t->publish($media{''}, app => 'stuck', name => 'day', speed => 8),
        0, 'published');
    wait_for(sub { ($oss->seen('stuck'))[0] }, 20, 'a manifest to be read');

    my ($old) = $t->workers();

    $t->reload();
    wait_for(sub { $t->log(qr/process $old exited/) }, 20,
        'the old worker to leave');
    is(scalar $t->log(qr/process $old exited with code 0/), 1,
        'it exits well');

    flow();
    all_of('stuck', 'day', 4);
};

###############################################################################

is((grep { index($t->log(), $_) != -1 } secrets()), 0,
    'no secrets in the log');

$oss->check('RequestTimeTooSkewed', 'SecurityTokenExpired');

###############################################################################

# all of worker_connections are taken: it waits

subtest 'no connections left' => sub {
    ok($t->stop(), 'nginx stops');

    $t->allow(qr/worker_connections are not enough/,
        qr/bucket "away" fails/);
    $t->write_conf(conf([ 'away', 'credentials key the.id the.secret;'
        . ' connect_timeout 2s;', $names{away} ]) =~ s/256/24/r);
    $t->start();

    my @p = map { $t->start_publish($media{''}, app => 'away',
        name => "left$_", speed => 4) } 0 .. 3;
    $_->wait_event('published') for @p;

    my @idle;

    wait_for(sub {
        push @idle, IO::Socket::INET->new(PeerAddr => '127.0.0.1',
            PeerPort => $t->port(), Proto => 'tcp');
        return $t->log(qr/24 worker_connections are not enough/);
    }, 20, 'connections to be used up');

    is((grep { $_->wait(60) != 0 } @p), 0, 'published');

    @idle = ();

    all_of('away', "left$_", 1) for 0 .. 3;
};

$t->done();

###############################################################################

sub conf {
    my (@buckets) = @_;
    my $port = $oss->port();

    my $blocks = join '', map {
        "    live_record_bucket $_->[0] { type oss; bucket $_->[0];"
            . " region cn-hangzhou;\n"
            . "        endpoint http://127.0.0.1:$port; $_->[1] }\n"
    } @buckets;

    my $applications = join '', map {
        "        application $_->[0] { live on; live_record * {\n"
            . "            bucket $_->[0]; fragment 5s; grace 1s;\n"
            . "            path \"$_->[2]\"; } }\n"
    } @buckets;

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

sub secrets {
    return map { ("$_.secret", "$_.token") } qw/ the old new /;
}

sub streams {
    my ($name) = @_;
    my $n = $cases{$name}{streams} or return 'test';
    return map { "test$_" } 1 .. $n;
}

# the last of $n recordings, and the day of all

sub all_of {
    my ($app, $name, $n, $what) = @_;
    $what = '' unless defined $what;

    $t->bucket($oss->bucket($app));

    my @cycles = $t->wait_recorded($n, app => $app, name => $name,
        seconds => 60);
    my @days = $t->days($name, $app);

    is(scalar @cycles, $n, "$name: cycles");
    is(scalar @days, 1, "$name: days");
    playlist_ok($_, "$name: playlist") for @cycles, @days;

    for ([ $cycles[-1], 1 ], [ $days[0], $n ]) {
        my ($list, $times) = @$_;

        same_frames([ frames([ segments_of($list) ], 'v') ],
            [ (@{$video{$what}}) x $times ], "$name: video");
        same_frames([ packets([ segments_of($list) ], 'a') ],
            [ (@{$audio{$what}}) x $times ], "$name: audio packets")
            if @{$audio{$what}};
    }
}

# a line for each change, and not one more

sub told {
    my ($name, $fails, $refuses) = @_;
    $refuses ||= 0;

    my @fails = $t->log(qr/bucket "$name" fails/);
    my @refuses = $t->log(qr/bucket "$name" refuses/);
    my @works = $t->log(qr/bucket "$name" works again/);

    is(scalar @refuses, $refuses, 'the log tells that it refuses');

    if (!defined $fails) {
        is(scalar @works, scalar @fails, 'the log tells of each change');
        return;
    }

    is(scalar @fails, $fails, 'the log tells that it fails');
    is(scalar @works, $fails + $refuses, 'the log tells that it works again')
        or diag(join "\n", @fails, @refuses, @works);
}

# from now on nothing is read; until now

sub stall {
    $oss->faults({ fault => 'stall', method => 'PUT', bucket => 'stuck',
        times => 0 });
}

sub flow {
    $oss->faults();
    $oss->control('POST', '/drop');
}

###############################################################################
