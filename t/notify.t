#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# Callbacks: what they tell, their order, and a receiver in trouble.

###############################################################################

use warnings;
use strict;

use Encode;
use JSON::PP;
use POSIX qw/ strftime /;
use Test::More;
use FindBin;

use lib "$FindBin::Bin/lib";
use LiveRecord;
use LiveRecord::API;

###############################################################################

my $t = LiveRecord->new();
my $dir = $t->dir();
my $key = 'NotifyKey0123456';
my $so = "$dir/slowdisk.so";
my $slow = "$dir/control";

system($ENV{CC} || 'cc', '-std=gnu99', '-O2', '-fPIC', '-shared', '-o', $so,
    "$FindBin::Bin/lib/slowdisk.c", '-ldl') == 0
    or die "slowdisk.so could not be built\n";

my $conf = <<'EOF_CONF';
%%GLOBALS%%

worker_processes 4;

events {
    worker_connections 64;
}

http {
    %%GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:%%PORT_http%%;

        location / {
            live_record_api;
            live_record_api_keys %%TESTDIR%%/keys;
        }
    }
}

rtmp {
    live_record_spool %%TESTDIR%%/spool;
    live_record_bucket local { type dir; root %%TESTDIR%%/bucket; }

    server {
        listen 127.0.0.1:%%PORT%%;
        live_record_domain live.example.com;
        live_record_notify http://127.0.0.1:%%PORT_hook%%/hook?token=secret
            status=on key=NotifyKey0123456;

        application live {
            live on;

            live_record * {
                bucket local;
                format m3u8 mp4 flv;
                fragment 5s;
                grace 4s;
            }
        }
    }

    server {
        listen 127.0.0.1:%%PORT_other%%;
        live_record_domain other.example.com;

        application other {
            live on;

            live_record * {
                bucket local;
                fragment 5s;
                grace 1s;
            }
        }
    }

    # the receiver of a domain may stand in any of its servers

    server {
        listen 127.0.0.1:%%PORT_third%%;
        live_record_domain Other.Example.com;
        live_record_notify https://127.0.0.1:%%PORT_tls%%/ fragments=on
            ca_file=%%TESTDIR%%/tls/cert.pem;
    }
}
EOF_CONF

my $file = media('short');
my @video = frames($file, 'v');

LiveRecord::write_file("$dir/keys", "id secret\n");
chmod 0644, "$dir/keys";

$t->allow(qr/callbacks? .* given up/);
$t->write_conf($conf);

# its certificate is one of the configuration

mkdir "$dir/tls";
my $tls = receiver('tls', '--cert', "$dir/tls", '--bucket', "$dir/bucket");

$t->start(env => { LD_PRELOAD => join(':', grep { $_ }
    $ENV{TEST_NGINX_PRELOAD}, $so), SLOWDISK => $slow });

my $receiver = receiver('hook', '--key', $key, '--bucket', "$dir/bucket");

# a stream that comes back: what is told, in which order, and with what

is($t->publish($file, seconds => 6, args => 'callback_a=1'), 0, 'publish');
is($t->publish($file, start => 6000, seconds => 6, args => 'callback_b=2'), 0,
    'publish again');

$t->wait_recorded(1);

my @got = told();

is_deeply([ map { $_->{json}{event} || suffix($_) } @got[0 .. 3] ],
    [ qw/ record_started record_paused record_resumed record_paused / ],
    'the life of a stream in order');
is_deeply([ sort map { suffix($_) } @got[4 .. $#got] ],
    [ qw/ flv m3u8 mp4 / ], 'a callback for each file');

is("$got[0]{method} $got[0]{url}", 'POST /hook?token=secret',
    'where it goes');
is($got[0]{headers}{'content-type'}, 'application/json', 'a type');
is($got[0]{body}, '{"domain":"live.example.com","app":"live",'
    . '"stream":"test","event":"record_started"}', 'the body of a status');

my ($manifest) = map { decode_json(LiveRecord::read_file($_)) }
    $t->manifests();
my %files = map { $_->{key} => $_ } @{$manifest->{files}};

for my $hook (@got[4 .. 6]) {
    my $made = $files{$hook->{json}{uri}};

    is($hook->{body}, sprintf('{"domain":"live.example.com","app":"live",'
        . '"stream":"test","uri":"%s","duration":%s,"start_time":%d,'
        . '"stop_time":%d,"push_args":{"callback_b":"2"}}', $made->{key},
        number($made->{duration} / 1000), int($made->{start} / 1000),
        int($made->{end} / 1000)), 'the body of a ' . suffix($hook));
    cmp_ok($made->{duration}, '>', 11000, 'its length');
}

my ($id) = $manifest->{id};

is_deeply([ map { $_->{headers}{'x-live-record-id'} } @got ],
    [ map { "$id-$_" } 1 .. 7 ], 'ids');

# what a publisher says about itself: only the last publish counts for a file

is($t->publish($file, name => 'args', seconds => 3, args =>
    'callback_a=1&callback_a=2&x=3&callback_%E4%BD%A0=b+%26&callback_c=%00'
    . '&callback_%ff=1&callback_d=%zz&callback_e&callback_f=%22%5C'), 0,
    'hostile arguments');

$t->wait_recorded(1, name => 'args');

@got = grep { $_->{json}{uri} } told('args');

is_deeply($got[0]{json}{push_args}, { callback_a => 1,
    "callback_\x{4f60}" => 'b &', callback_e => '', callback_f => "\"\\" },
    'push_args');

# a bucket that refuses, which all that wait for it tell, once

$t->allow(qr/bucket "local" refuses/);

my $bucket = $t->bucket();
my (undef, undef, $uid, $gid) = (stat $bucket)[2 .. 5];

chown 0, 0, $bucket;
chmod 0500, $bucket, map { "$bucket/$_" } qw/ record record\/live live /;

my @pubs = map { $t->start_publish($file, name => $_, seconds => 12) }
    qw/ refused also /;

is($_->wait(60), 0, 'to a bucket that refuses') for @pubs;

for my $name (qw/ refused also /) {
    LiveRecord::wait_for(sub {
        grep { ($_->{json}{event} || '') eq 'record_error' } told($name)
    }, 30, "a callback of $name");
}

chown $uid, $gid, $bucket;
chmod 0755, $bucket, map { "$bucket/$_" } qw/ record record\/live live /;

for my $name (qw/ refused also /) {
    $t->wait_recorded(1, name => $name, seconds => 100);

    my ($error, @more) = grep { ($_->{json}{event} || '') eq 'record_error' }
        told($name);

    is(scalar @more, 0, "$name: once");
    is($error->{json}{error_info}{code}, 'AccessDenied', "$name: its code");
    like($error->{json}{error_info}{message}, qr/13: Permission denied/,
        "$name: and why");
    is((grep { $_->{json}{uri} } told($name)), 3, "$name: then its files");
}

# one object that is refused is nothing to those of others

my $shut = "$bucket/record/live/shut";

mkdir $shut;
chmod 0500, $shut;

# they are on their way for as long as that
LiveRecord::write_file($slow, "700 0 $bucket/record/live/open\n");

@pubs = map { $t->start_publish($file, name => $_, seconds => 12, speed => 4) }
    qw/ shut open /;

LiveRecord::wait_for(sub {
    grep { ($_->{json}{event} || '') eq 'record_error' } told('shut')
}, 30, 'a callback of shut');

unlink $slow;

is($_->wait(60), 0, 'beside one that is refused') for @pubs;

$t->wait_recorded(1, name => 'open');
chown $uid, $gid, $shut;
chmod 0755, $shut;
$t->wait_recorded(1, name => 'shut', seconds => 100);

is((grep { ($_->{json}{event} || '') eq 'record_error' } told('open')), 0,
    'nothing is told of it');

my ($said) = map { $_->{json}{error_info} }
    grep { ($_->{json}{event} || '') eq 'record_error' } told('shut');

is_deeply($said, { code => 'AccessDenied',
    message => '13: Permission denied' }, 'what is told has no names in it');

# TLS, verified; fragments on request; no status, no key

is($t->publish($file, name => 'tls', app => 'other',
    port => $t->port('other'), seconds => 8), 0, 'to the other server');

$t->wait_recorded(1, name => 'tls', app => 'other');

@got = told('tls', 'tls');

is_deeply([ map { suffix($_) } @got ], [ qw/ ts ts m3u8 / ],
    'fragments by TLS');
is($got[0]{headers}{'ali-live-signature'}, undef, 'no signature');

# a receiver in trouble, over restarts; nothing else waits for it

trouble('500');

is($t->publish($file, name => 'trouble', seconds => 4), 0, 'in trouble');
is($t->publish($file, name => 'trouble', start => 4000, seconds => 4), 0,
    'and again');

LiveRecord::wait_for(sub { $t->mp4s('trouble') && $t->flvs('trouble') }, 60,
    'the files of a stream in trouble');

same_frames([ frames(($t->mp4s('trouble'))[0], 'v') ], [ @video[0 .. 199] ],
    'its file is whole');
is((grep { /trouble.*\.flv$/ } LiveRecord::files_in($t->spool())), 0,
    'its media is gone from the spool');

# a later recording of the stream has to wait for its turn

is($t->publish($file, name => 'trouble', seconds => 2), 0, 'a later one');

attempts('500');

$t->kill_all();
trouble('close');
$t->start();
attempts('close');

trouble('slow');
$t->reload();
attempts('slow');

# a redirect is not followed, and too long an answer is one

trouble('redirect');
$t->kill_workers();
attempts('redirect');
is((grep { $_->{url} eq '/elsewhere' } told('trouble', 'hook', 1)), 0,
    'a redirect is not followed');

$receiver->kill('KILL')->wait(10);
$t->stop();
$t->start();

LiveRecord::wait_for(sub { $t->log(qr/was not taken: .*connect/i) }, 30,
    'a refused connection');

trouble('long trouble');
$receiver = receiver('hook', '--key', $key, '--bucket', "$dir/bucket");

$t->wait_recorded(2, name => 'trouble', seconds => 100);

@got = told('trouble');

is_deeply([ map { $_->{json}{event} || suffix($_) } @got[0 .. 3] ],
    [ qw/ record_started record_paused record_resumed record_paused / ],
    'all of it is told in order');
is_deeply([ map { $_->{headers}{'x-live-record-id'} =~ /-(\d+)$/ } @got ],
    [ 1 .. 7, 1 .. 5 ], 'nothing is left out, the later one comes later');
is($got[7]{json}{event}, 'record_started', 'and begins anew');

my @all = told('trouble', 'hook', 1);
my %bodies;

push @{$bodies{$_->{headers}{'x-live-record-id'}}}, $_->{body} for @all;

is((grep { my %b = map { $_ => 1 } @$_; keys %b > 1 } values %bodies), 0,
    'the same id has the same body');
cmp_ok(@all, '>=', @got + 4, 'some were sent more than once');

# everything that was ever sent

my @every = map { told($_, 'hook', 1) } qw/ test args trouble /;

is((grep { !$_->{signed} } @every), 0, 'signatures');
is((grep { defined $_->{exists} && !$_->{exists} } @every,
    told('tls', 'tls', 1)), 0, 'objects exist when they are told');

# no secret is in the log or in the spool

is(`grep -rlE 'token=|$key' '$dir/error.log' '$dir/spool'`, '', 'no secrets');
like(scalar `cat '$dir'/spool/.notify/*.log`,
    qr/"app":"live","stream":"trouble","type":"file_created"/, 'a history');

# what the API tells of it

my %domain = (DomainName => 'live.example.com');
my %time = (StartTime => stamp(-3600), EndTime => stamp(60));

my ($config, $elsewhere, $unknown, $records, $failed, $page, @wrong) = calls(
    [ DescribeLiveRecordNotifyConfig => { %domain } ],
    [ DescribeLiveRecordNotifyConfig => {
        DomainName => 'other.example.com' } ],
    [ DescribeLiveRecordNotifyConfig => { DomainName => 'x.example.com' } ],
    [ DescribeLiveRecordNotifyRecords => { %domain, %time,
        AppName => 'live', StreamName => 'trouble', Status => 'success',
        PageNumber => 1, PageSize => 500 } ],
    [ DescribeLiveRecordNotifyRecords => { %domain, %time,
        Status => 'failed', PageSize => 500 } ],
    [ DescribeLiveRecordNotifyRecords => { %domain, %time,
        PageNumber => 2, PageSize => 5 } ],
    [ DescribeLiveRecordNotifyRecords => { %domain, %time,
        Status => 'perhaps' } ],
    [ DescribeLiveRecordNotifyRecords => { %domain,
        StartTime => $time{EndTime}, EndTime => $time{StartTime} } ],
    [ DescribeLiveRecordNotifyRecords => { %domain, %time,
        PageSize => 501 } ],
    [ DescribeLiveRecordNotifyRecords => { %domain,
        StartTime => $time{StartTime} } ]);

delete $config->{body}{RequestId};

is_deeply($config->{body}, { LiveRecordNotifyConfig => {
    DomainName => 'live.example.com', OnDemandUrl => '',
    NotifyUrl => "http://127.0.0.1:" . $t->port('hook')
        . '/hook?token=secret', NeedStatusNotify => JSON::PP::true(),
    NotifyReqAuth => JSON::PP::true(), NotifyAuthKey => '' } },
    'the configuration, without its key');
is($elsewhere->{body}{LiveRecordNotifyConfig}{NotifyUrl}, 'https://127.0.0.1:'
    . $t->port('tls') . '/', 'one in a server without a template');
is($unknown->{code}, 'InvalidDomain.NotFound', 'of an unknown domain');

my @records = @{$records->{body}{CallbackList}};

is_deeply([ map { $_->{NotifyContent} } @records ],
    [ map { $_->{body} } @got ], 'the records of a stream');
is($records->{body}{TotalNum}, scalar @got, 'their number');
is_deeply([ @{$records[0]}{qw/ AppName StreamName NotifyType NotifyUrl
    NotifyHeader NotifyResponse NotifyResult Description /} ],
    [ 'live', 'trouble', 'record_started', 'http://127.0.0.1:'
    . $t->port('hook') . '/hook', "X-Live-Record-Id: "
    . $got[0]{headers}{'x-live-record-id'}, '200', 'success', '' ],
    'one of them');
like($records[0]{NotifyTime}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
    'its time');
is((grep { $_->{NotifyResult} ne 'failed' || !$_->{Description} }
    @{$failed->{body}{CallbackList}}), 0, 'failures');
cmp_ok($failed->{body}{TotalNum}, '>=', 3, 'there were some');
is(scalar @{$page->{body}{CallbackList}}, 5, 'a page');

is_deeply([ map { $_->{code} } @wrong ], [ qw/ InvalidStatus.Malformed
    InvalidEndTime.Mismatch InvalidPageSize.Malformed MissingEndTime / ],
    'calls that are wrong');

# a receiver that is not configured any more, and one that is given up

trouble('500');

is($t->publish($file, name => 'gone', seconds => 2), 0, 'to be given up');
attempts('500', 'gone');

$conf =~ s/live_record_notify http:.*?;//s;
$t->write_conf($conf);
$t->reload();
$t->wait_recorded(1, name => 'gone');

is($t->log(qr/\[error\].*callbacks of "live\/gone.*given up/), 1,
    'given up without a receiver');

$conf =~ s!\Qcom;\E\n!com;
        live_record_notify http://127.0.0.1:%%PORT_hook%%/ retry=3s;\n!;
$t->write_conf($conf);
$t->reload();

trouble('404');
is($t->publish($file, name => 'late', seconds => 2), 0, 'to be late');
$t->wait_recorded(1, name => 'late');

like(($t->log(qr/callback 1 of "live\/late/))[0],
    qr/\[error\].* given up after \d+ seconds: HTTP status 404/,
    'given up after its time');
like(($t->log(qr/callback 3 of "live\/late/))[0],
    qr/ given up after \d+ seconds: the receiver does not answer/,
    'what is late does not wait for a receiver that is down');

$t->done();

###############################################################################

# calls of the API by Alibaba's own client

sub calls {
    my $api = LiveRecord::API->new($t, client => 'pop', id => 'id',
        secret => 'secret',
        endpoint => 'http://127.0.0.1:' . $t->port('http'));

    return $api->calls(map { { action => $_->[0], params => $_->[1] } } @_);
}

sub stamp { strftime('%Y-%m-%dT%H:%M:%SZ', gmtime(time() + shift)) }

sub receiver {
    my ($name, @args) = @_;

    my $p = $t->run('node', "$FindBin::Bin/lib/notify-server.mjs",
        $t->port($name), "$dir/$name.log", @args);

    LiveRecord::wait_for(sub { $p->out() =~ /ready/ }, 20, 'a receiver');

    return $p;
}

sub trouble {
    LiveRecord::write_file("$dir/hook.log.mode", shift);
}

# what a receiver has taken of a stream, without doubles, or all of it

sub told {
    my ($stream, $name, $all) = @_;
    my $log = eval { LiveRecord::read_file("$dir/" . ($name || 'hook')
        . '.log') } || '';
    my %seen;

    my @lines = map { decode_json($_) } split /\n/, $log;
    $_->{json} = decode_json(Encode::encode_utf8($_->{body})) for @lines;

    return grep { $_->{json}{stream} eq ($stream || 'test')
        && ($all || ($_->{status} == 200
            && !$seen{$_->{headers}{'x-live-record-id'}}++)) } @lines;
}

# waits for one that meets this kind of trouble

sub attempts {
    my ($mode, $stream) = @_;
    LiveRecord::wait_for(sub {
        grep { $_->{mode} eq $mode } told($stream || 'trouble', 'hook', 1)
    }, 60, "a callback that meets \"$mode\"");
}

sub suffix { return (shift->{json}{uri} || '') =~ /\.(\w+)$/ ? $1 : '' }

sub number {
    my ($n) = @_;
    $n = sprintf '%.3f', $n;
    $n =~ s/0+$//;
    $n =~ s/\.$/.0/;
    return $n;
}

###############################################################################
