#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# live_record_status and live_record_metrics: each of four workers tells of
# all of them; counters never fall, not by a reload nor by a killed worker;
# a recording does not notice that it is looked at.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;
use Time::HiRes qw/ time sleep /;

use lib "$FindBin::Bin/lib";
use LiveRecord;
use LiveRecord::API;
use LiveRecord::OSS;

###############################################################################

my $t = LiveRecord->new();
my $oss = LiveRecord::OSS->new($t);
my $port = $oss->port();
my $secret = 'neVer-To-be-seen';

write_file($t->dir() . '/keys', "testid $secret-of-calls\n");
chmod 0644, $t->dir() . '/keys';

my $conf = <<"EOF_CONF";
%%GLOBALS%%

worker_processes 4;

events {
    worker_connections 128;
}

http {
    %%GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:%%PORT_HTTP%% reuseport;
        add_header X-Worker \$pid;

        location = /status { live_record_status; }
        location = /metrics {
            live_record_metrics;
            if (\$arg_if) { set \$a b; }
        }

        location = / {
            live_record_api;
            live_record_api_keys %%TESTDIR%%/keys;
        }
    }
}

rtmp {
    live_record_spool %%TESTDIR%%/spool max_size=10g;

    live_record_bucket local { type dir; root %%TESTDIR%%/bucket; }

    live_record_bucket away {
        type oss; bucket away; region cn-hangzhou;
        endpoint http://127.0.0.1:$port;
        credentials key ak sk;
    }

    live_record_bucket unused {
        type s3; bucket unused; region eu-west-1;
        endpoint http://127.0.0.1:$port;
        credentials key $secret-id $secret;
    }

    server {
        listen 127.0.0.1:%%PORT%%;
        live_record_domain live.example.com;

        live_record live * {
            bucket local; fragment 5s; grace 60s; format m3u8 mp4;
        }

        live_record away * { bucket away; fragment 5s; grace 1s; }
        live_record loss * { bucket local; fragment 5s; grace 60s; }
        live_record hand * { bucket local; on_demand command; }

        application live { live on; }
        application away { live on; }
        application loss { live on; }
        application hand { live on; }
    }
}
EOF_CONF

$t->write_conf($conf);

# a worker that is killed, and a disk that fails

$t->allow(qr/exited on signal 9/, qr/loses frames: writing to .* failed/,
    qr!"loss/cam/.*" in the spool: .*; it is tried again!);

my $file = media('short');
my $frames = frames_of($file);

$t->start();

wait_for(sub { $t->workers() == 4 }, 10, 'four workers');

###############################################################################
# nothing yet

my $status = status();

is_deeply([ @{$status->{recordings}}{qw/ live paused ended others /} ],
    [ 0, 0, 0, 0 ], 'nothing is recorded');
is_deeply([ map { $_->{name} } @{$status->{buckets}} ],
    [ qw/ local away unused / ], 'the buckets');
is(scalar @{$status->{templates}}, 4, 'the templates');
is($status->{workers}, 4, 'the workers');
is($status->{spool}{max_size}, 10 * 1024 ** 3, 'the size of the spool');

###############################################################################
# live, paused, waiting for a bucket that is away, and not recorded

$oss->faults({ fault => 'status', status => 500, early => 1,
    code => "Inter\"nal\\Error", bucket => 'away', times => 0 });

my $live = $t->start_publish($file, app => 'live', name => 'cam', speed => 1);
my $hand = $t->start_publish($file, app => 'hand', name => 'cam',
    speed => 1);
my $loss = $t->start_publish($file, app => 'loss', name => 'cam',
    speed => 1);
my $scraper = scrape();

is($t->publish($file, app => 'live', name => 'paused'), 0, 'paused');
is($t->publish($file, app => 'away', name => 'cam'), 0, 'away');

my %by;

wait_for(sub {
    $status = status();
    %by = map { ("$_->{app}/$_->{stream}" => $_) }
        @{$status->{recordings}{list}};

    return keys %by == 4 && $by{'away/cam'}{state} eq 'ended'
        && $by{'live/cam'}{fragments}{ended}
        && bucket('away')->{state} ne 'ok'
        && bucket('local')->{stored}{ts}{objects} >= 5;
}, 30, 'four recordings');

# another one loses frames, in the middle, which is seen while it does

my ($dir) = glob $t->spool() . '/loss/cam/*';

chmod 0, $dir;
wait_for(sub { $status = status(); return $status->{lost}{frames} > 25 }, 15,
    'frames to be lost');
chmod 0700, $dir;

%by = map { ("$_->{app}/$_->{stream}" => $_) }
    @{$status->{recordings}{list}};

is($by{'live/cam'}{state}, 'live', 'one is live');
is($by{'live/paused'}{state}, 'paused', 'one is paused');
is_deeply($by{'live/paused'}{formats}, [ qw/ m3u8 mp4 / ], 'its formats');
is($by{'live/paused'}{spans}, 1, 'its spans');
is($by{'live/paused'}{domain}, 'live.example.com', 'its domain');
cmp_ok(abs($by{'live/cam'}{last_frame} / 1000 - time()), '<', 5,
    'the last frame of the one that is live');

my $away = $by{'away/cam'};

cmp_ok($away->{fragments}{ended}, '>', 1, 'the third has fragments');
is($away->{fragments}{stored}, 0, 'and none of them is stored');
is($away->{backlog}{fragments}, $away->{fragments}{ended}, 'all wait');
is($away->{backlog}{bytes}, $away->{bytes}, 'with all their bytes');
ok($away->{backlog}{oldest}, 'since some time');

like(bucket('away')->{last_error}{text}, qr/Inter"nal\\Error/,
    'why the bucket fails');
is(bucket('away')->{last_success}, undef, 'never was well');
is(bucket('local')->{state}, 'ok', 'the other one is well');
is_deeply($status->{publishers}, { recorded => 2, unrecorded => 1,
    list => [ { domain => 'live.example.com', app => 'hand', stream => 'cam',
        why => 'command' } ] }, 'and who is not recorded');

###############################################################################
# whoever answers says the same, also as metrics

is($_->wait(), 0, 'published to the end') for $live, $hand, $loss;

wait_for(sub {
    $status = status();
    return $status->{recordings}{paused} == 3
        && $status->{received}{frames} + $status->{lost}{frames}
            == 4 * $frames;
}, 15, 'all of it to be written');

my ($lossy) = grep { $_->{app} eq 'loss' } @{$status->{recordings}{list}};
my $lost = $status->{lost}{frames};

is($lossy->{lost}{frames}, $lost, 'what its journal says was lost');
cmp_ok($lost, '<', $frames, 'not all of it was');

settled();

my (%said, %metrics, @texts);

wait_for(sub {
    my $answer = ask('/status');
    my ($worker) = $answer->{head} =~ /^X-Worker: (\d+)/m;
    push @{$said{$worker}}, $answer->{body};

    $answer = ask('/metrics');
    ($worker) = $answer->{head} =~ /^X-Worker: (\d+)/m;
    push @{$metrics{$worker}}, $answer->{body};

    return keys %said == 4 && keys %metrics == 4
        && !grep { @$_ < 3 } values %said, values %metrics;
}, 30, 'answers of each worker');

my @status = map { @$_ } values %said;
my @metrics = map { @$_ } values %metrics;
my $checked = check(\@status, \@metrics);

is(join("\n", @{$checked->{errors}}), '', 'as they should be');

my @same = map { still(decode_json($_)) } @status;

is_deeply($_, $same[0], 'the same from each') for @same[1 .. $#same];

my $m = $checked->{metrics}[0];

is($m->{'live_record_recordings{state=paused}'}, 3, 'metrics: paused');
is($m->{'live_record_recordings{state=ended}'}, 1, 'metrics: ended');
is($m->{live_record_received_frames_total}, 4 * $frames - $lost,
    'metrics: every frame but those that were lost');
is($m->{live_record_lost_frames_total}, $lost, 'metrics: and these');
is($m->{'live_record_bucket_up{bucket=away,type=oss}'}, 0,
    'metrics: the bucket is down');
is($m->{'live_record_bucket_up{bucket=local,type=dir}'}, 1,
    'metrics: and the other one up');
cmp_ok($m->{live_record_oldest_unstored_age_seconds}, '>', 1,
    'metrics: something should have been stored');
cmp_ok($m->{live_record_backlog_bytes}, '>=', $away->{bytes},
    'metrics: the backlog');

for my $name (qw/ live_record_received_bytes_total
    live_record_fragments_total /)
{
    is((grep { $_->{$name} != $m->{$name} } @{$checked->{metrics}}), 0,
        "metrics: $name is the same from each");
}

unlike(join('', @status, @metrics), qr/\Q$secret\E/, 'no secret');

SKIP: {
    skip 'promtool is not installed', 1
        if system('promtool --version >/dev/null 2>&1') != 0;

    write_file($t->dir() . '/metrics', $metrics[0]);
    is(`promtool check metrics <'${\$t->dir()}/metrics' 2>&1`, '',
        'promtool has nothing to say');
}

###############################################################################
# HTTP

my $head = ask('/status', 'HEAD');

like($head->{head}, qr/^HTTP\/1.1 200 .*^Content-Length: [1-9]/ms, 'HEAD');
is($head->{body}, '', 'without a body');
like(ask('/metrics')->{head},
    qr!^Content-Type: text/plain; version=0\.0\.4; charset=utf-8\r$!m,
    'the type of metrics');
like(ask('/status')->{head}, qr!^Content-Type: application/json\r$!m,
    'and of the status');
like(ask($_, 'POST', 'a=b')->{head}, qr/^HTTP\/1.1 405 /, "POST $_")
    for qw!/status /metrics!;
like(ask('/metrics?if=1')->{body}, qr/^# HELP /, 'in "if"');
like(http_get($t->port('HTTP'), '/status'), qr/^HTTP\/1.1 200 .*\r\n\r\n\{/s,
    'HTTP/1.0');

# some of them do not wait

for (1 .. 20) {
    sleep 0.06;
    my $s = connected();
    print $s "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";
    close $s;
}

###############################################################################
# counters

my $before = counters();

kill 'KILL', ($t->workers())[1];
wait_for(sub { $t->workers() == 4 }, 10, 'another worker');
never_less($before, 'a worker was killed');

# buckets keep what was counted of them wherever they stand

$before = counters();
$t->write_conf($conf =~ s/(live_record_bucket) local/$1 first {
        type dir; root %%TESTDIR%%\/first;
    }
    $1 local/r);
$t->reload();
never_less($before, 'a reload');

wait_for(sub { $t->workers() == 4 }, 20, 'the workers of before to go');
$before = counters();
never_less($before, 'and after it');

is(status()->{workers}, 4, 'four of them');

###############################################################################
# the bucket is back

$oss->faults();

wait_for(sub {
    $status = status();
    return $status->{recordings}{ended} == 0
        && bucket('away')->{state} eq 'ok';
}, 40, 'the bucket to be up');

cmp_ok(bucket('away')->{stored}{ts}{objects}, '>=',
    $away->{fragments}{ended}, 'its fragments are stored');
cmp_ok(bucket('away')->{rate}, '>', 0, 'at some rate');
ok(bucket('away')->{last_success}, 'and when');
is($status->{recordings}{backlog}{oldest}, undef, 'nothing is late');

###############################################################################
# a recording that is looked at all the time

$scraper->kill('TERM');
cmp_ok(length $scraper->out(), '>', 50, 'it was looked at');

my $api = LiveRecord::API->new($t, client => 'pop', id => 'testid',
    secret => "$secret-of-calls",
    endpoint => 'http://127.0.0.1:' . $t->port('HTTP'));

$api->calls({ action => 'RealTimeRecordCommand', params => {
    DomainName => 'live.example.com', AppName => 'live',
    StreamName => 'cam', Command => 'cancel_delay' } });

my @cycles = $t->wait_recorded(1, app => 'live', name => 'cam');

wait_for(sub { status()->{calls}{ok} == 1 }, 5, 'the call to be counted');

same_frames([ frames([ segments_of(@cycles) ], 'v') ],
    [ frames($file, 'v') ], 'video');
same_frames([ packets([ segments_of(@cycles) ], 'a') ],
    [ packets($file, 'a') ], 'audio');

# of what kind it is: the only one that has ended here has a playlist

sleep 1.1;
$status = status();

my $stored = bucket('local')->{stored};
my $bytes = 0;
$bytes += -s for @cycles, $t->days('cam', 'live');

is_deeply($stored->{playlist}, { objects => 2, bytes => $bytes },
    'a playlist, and the index of the day');
is($stored->{mp4}{objects}, 1, 'an mp4 file');
is($stored->{flv}{objects}, 0, 'and no other');

###############################################################################
# what the code has is documented

my $docs = read_file("$FindBin::Bin/../docs/status.md");
my $schema = decode_json(read_file(
    "$FindBin::Bin/../docs/status.schema.json"));

my %names = map { s/\{.*//r => 1 } keys %$m;

cmp_ok(scalar keys %names, '>', 25, 'the metrics are known');
like($docs, qr/`$_`/, "docs: $_") for sort keys %names;
is_deeply([ sort grep { !$names{$_} }
    $docs =~ /^\| `(live_record_\w+)`/mg ], [],
    'docs: no other metric has a row');

like($docs, qr/`$_`/, "docs: $_") for members($schema);

$t->done();

###############################################################################

sub connected {
    return IO::Socket::INET->new(PeerAddr => '127.0.0.1:'
        . $t->port('HTTP'), Timeout => 10) || die "cannot connect: $!\n";
}

sub ask {
    my ($uri, $method, $body) = @_;
    my $s = connected();

    $method ||= 'GET';
    $body = '' unless defined $body;

    print $s "$method $uri HTTP/1.1\r\nHost: localhost\r\n"
        . 'Content-Length: ' . length($body) . "\r\n"
        . "Connection: close\r\n\r\n$body";

    local $/;
    my ($head, $rest) = split /\r\n\r\n/, <$s>, 2;

    return { head => "$head\r\n", body => $rest };
}

sub status { return decode_json(ask('/status')->{body}) }

sub bucket {
    my ($name) = @_;
    my ($b) = grep { $_->{name} eq $name } @{$status->{buckets}};
    return $b;
}

sub check {
    my ($status, $metrics) = @_;
    my $input = $t->dir() . '/answers.json';

    write_file($input, encode_json({ status => $status,
        metrics => $metrics,
        schema => "$FindBin::Bin/../docs/status.schema.json" }));

    my $p = $t->run('sh', '-c', 'exec node "$0" <"$1"',
        "$FindBin::Bin/lib/status-check.mjs", $input);

    $p->wait(30) == 0 or die $p->err();

    return decode_json($p->out());
}

# whatever is asked for is at most a second old

sub counters {
    sleep 1.1;

    my $checked = check([], [ ask('/metrics')->{body} ]);
    my %counter = map { $_ => 1 } @{$checked->{counters}};
    my $all = $checked->{metrics}[0];

    return { map { $_ => $all->{$_} } grep { $counter{s/\{.*//r} }
        keys %$all };
}

sub never_less {
    my ($before, $name) = @_;
    my $now = counters();

    is(join(' ', grep { !exists $now->{$_} } sort keys %$before), '',
        "$name: the same counters");
    is(join(' ', sort grep { $now->{$_} < $before->{$_} } keys %$before), '',
        "$name: none is less");
    cmp_ok($now->{live_record_received_frames_total}, '>=', 3 * $frames,
        "$name: with all that was there");
}

# what stays while a bucket is tried again

sub still {
    my ($s) = @_;

    delete $s->{time};
    delete @{$s->{spool}}{qw/ bytes free /};

    for (@{$s->{buckets}}) {
        delete @$_{qw/ active waiting retries requests rate last_error /};
    }

    return $s;
}

# nothing happens any more but to the bucket that is away

sub settled {
    my $last = '';

    wait_for(sub {
        sleep 1.1;
        my $now = join ' ', map { @{$_->{fragments}}{qw/ ended stored /} }
            @{status()->{recordings}{list}};
        my $same = $now eq $last;
        $last = $now;
        return $same;
    }, 20, 'it to be quiet');
}

# asks for both every 100 ms, and says a dot

sub scrape {
    my $http = $t->port('HTTP');

    return $t->run($^X, '-MIO::Socket::INET', '-MTime::HiRes=sleep', '-e', <<'EOF_PERL', $http);
$| = 1;
while (1) {
    for my $uri (qw! /status /metrics !) {
        my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$ARGV[0]")
            or next;
        print $s "GET $uri HTTP/1.0\r\n\r\n";
        local $/;
        print "." if <$s> =~ m!^HTTP/1.1 200 !;
    }
    sleep 0.1;
}
EOF_PERL
}

sub frames_of {
    my ($file) = @_;
    return packets($file, 'v') + packets($file, 'a');
}

# the names of all members that the schema has

sub members {
    my ($s) = @_;
    my %all;

    if (ref $s eq 'HASH') {
        $all{$_} = 1 for ref $s->{properties} eq 'HASH'
            ? keys %{$s->{properties}} : ();
        $all{$_} = 1 for map { members($_) } values %$s;

    } elsif (ref $s eq 'ARRAY') {
        $all{$_} = 1 for map { members($_) } @$s;
    }

    return sort keys %all;
}

###############################################################################
