#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# Recordings in a store: all kinds of addresses, signatures and credentials.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;

use lib "$FindBin::Bin/lib";
use LiveRecord;
use LiveRecord::OSS;

###############################################################################

my $t = LiveRecord->new();
my $dir = $t->dir();

# a bucket in the store, an application and a bucket block for each

my @apps = qw/ path pathone host hostone domain domainone tls tlshost badca
    sts ini lines env many /;

my $oss = LiveRecord::OSS->new($t, https => 1, buckets => [ @apps ],
    args => [ map { ('--cname', "$_.localhost=$_") } qw/ domain domainone / ],
    keys => [ 'plain.id:plain.secret', 'sts.id:sts.secret:sts/token+x==',
        'ini.id:ini.secret', 'lines.id:lines.secret',
        'env.id:env.secret:env.token', 'next.id:next.secret' ]);

my %plain = (credentials => 'key plain.id plain.secret');
my $http = 'http://127.0.0.1:' . $oss->port();
my $name = 'http://localhost:' . $oss->port();
my $https = 'https://127.0.0.1:' . $oss->https_port();

my %buckets = (
    path => { %plain, endpoint => $http },
    pathone => { %plain, endpoint => $http, signature => 'v1' },
    host => { %plain, endpoint => $name, path_style => 'off' },
    hostone => { %plain, endpoint => $name, path_style => 'off',
        signature => 'v1' },
    domain => { %plain, endpoint => 'http://domain.localhost:'
        . $oss->port(), path_style => 'cname' },
    domainone => { %plain, endpoint => 'http://domainone.localhost:'
        . $oss->port(), path_style => 'cname', signature => 'v1' },
    tls => { %plain, endpoint => $https, ca_file => $oss->ca() },
    tlshost => { %plain, endpoint => 'https://localhost:'
        . $oss->https_port(), path_style => 'off', ca_file => $oss->ca() },
    badca => { %plain, endpoint => $https, ca_file => "$dir/other.pem" },
    sts => { endpoint => $http,
        credentials => 'key sts.id sts.secret sts/token+x==' },
    ini => { endpoint => $http, credentials => 'file ini.conf' },
    lines => { endpoint => $http, credentials => 'file lines.conf',
        signature => 'v1' },
    env => { endpoint => $http, credentials => 'env' },
    many => { %plain, endpoint => $http, connections => 1 },
);

my $blocks = join '', map {
    my $b = $buckets{$_};
    "    live_record_bucket $_ {\n        type oss; bucket $_;"
        . " region cn-hangzhou;\n"
        . join('', map { "        $_ $b->{$_};\n" } sort keys %$b)
        . "    }\n\n"
} @apps;

my $applications = join '', map {
    "        application $_ {\n            live on;\n"
        . "            live_record * { bucket $_; fragment 5s; grace 1s; }\n"
        . "        }\n\n"
} @apps;

$t->write_conf(<<"EOF_CONF");
%%GLOBALS%%

worker_processes 4;

events {
    worker_connections 128;
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

system('openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
    . " -subj /CN=other -keyout $dir/other.key -out $dir/other.pem"
    . ' 2>/dev/null') == 0 or die "openssl failed\n";

write_file("$dir/ini.conf", <<'EOF_INI');
# not this one
[other]
type = access_key
access_key_id = other.id
access_key_secret = other.secret

[default]
enable = true
type = access_key
access_key_id = ini.id
access_key_secret = ini.secret
EOF_INI

write_file("$dir/lines.conf", "lines.id\nlines.secret\n");

my $file = media('short');
my @video = frames($file, 'v');
my @audio = packets($file, 'a');

$t->allow(qr/bucket "badca" refuses.*SSL certificate problem/);
$t->allow(qr/bucket "ini" refuses.*InvalidAccessKeyId/);

$t->start(env => { OSS_ACCESS_KEY_ID => 'env.id',
    OSS_ACCESS_KEY_SECRET => 'env.secret',
    OSS_SESSION_TOKEN => 'env.token' });

publish_all(map { [ $_, 'test' ] } @apps);

all_of($_, 'test', 1) for grep { $_ ne 'badca' } @apps;

###############################################################################

subtest 'what the requests look like' => sub {
    my %style = (host => 'vhost', hostone => 'vhost', tlshost => 'vhost',
        domain => 'cname', domainone => 'cname');

    for my $app (grep { $_ ne 'badca' } @apps) {
        my @r = $oss->requests($app);
        my @puts = grep { $_->{method} eq 'PUT' } @r;
        my $style = $style{$app} || 'path';
        my $sig = ($buckets{$app}{signature} || 'v4') . '+ok';

        is((grep { $_->{status} != 200 } @r), 0, "$app: none was refused");
        is((grep { $_->{style} ne $style } @r), 0, "$app: $style style");
        is((grep { $_->{signature} ne $sig } @r), 0, "$app: $sig");
        is((grep { $_->{tls} xor $app =~ /^tls/ } @r), 0, "$app: TLS or not");

        # fragments, the manifest, the index of the cycle and of the day

        my %puts;
        $puts{$_->{key}}++ for @puts;

        # a manifest grows
        is((grep { $puts{$_} > 1 && !/\.json$/ } keys %puts), 0,
            "$app: each was sent once");
        is(join(' ', sort keys %puts),
            join(' ', files_in($oss->bucket($app))), "$app: its objects");

        my @forbid = grep {
            ($_->{oss}{'x-oss-forbid-overwrite'} || '') eq 'true' } @puts;

        is(join(' ', sort map { $_->{key} } @forbid),
            join(' ', grep { m!^record/! } sort keys %puts),
            "$app: what must not be overwritten");
    }
};

subtest 'connections are kept' => sub {
    my @r = $oss->requests();
    my %conn = map { +"$_->{tls} $_->{conn}" => 1 } @r;

    # fourteen buckets and four workers; each a name or two, TLS or not
    cmp_ok(scalar keys %conn, '<', @r / 4,
        @r . ' requests, connections: ' . keys %conn);

    # one recording goes by one connection
    for my $app (grep { /^(?:tls|host)/ } @apps) {
        my %own = map { $_->{conn} => 1 } $oss->requests($app);
        is(scalar keys %own, 1, "$app: connections");
    }
};

subtest 'an untrusted certificate' => sub {
    my @told = wait_for(sub { $t->log(qr/bucket "badca" refuses/) }, 20,
        'a line of the log');

    is(scalar @told, 1, 'told once');
    cmp_ok(scalar $oss->tls_errors(), '>=', 1, 'the store knows');
    is(scalar files_in($oss->bucket('badca')), 0, 'nothing is stored');
    is(scalar $oss->requests('badca'), 0, 'no request was made');

    cmp_ok(scalar $t->spooled('test', 'badca'), '>=', 5,
        'all of it is in the spool');
};

subtest "Alibaba's own client" => sub {
    for my $app (qw/ path host /) {
        my @objects = $oss->client($app, 'plain.id:plain.secret');
        my @files = files_in($oss->bucket($app));

        is(join(' ', map { $_->{key} } @objects), join(' ', @files),
            "$app: lists " . @objects);
        is((grep { !$_->{ok} } @objects), 0, "$app: reads, CRC-64 is right");

        my %type = (ts => 'video/mp2t', json => 'application/json',
            m3u8 => 'application/vnd.apple.mpegurl');

        for my $ext (sort keys %type) {
            my @kind = grep { $_->{key} =~ /\.$ext$/ } @objects;
            my @wrong = grep { $_->{type} ne $type{$ext} } @kind;

            cmp_ok(scalar @kind, '>=', 1, "$app: there are .$ext");
            is(scalar @wrong, 0, "$app: Content-Type of .$ext");
        }
    }
};

###############################################################################

# a file of credentials that is replaced while nginx runs: the new key comes
# before the old one goes, nobody notices; or after it, then it waits

subtest 'a file of credentials is replaced' => sub {
    replace('lines.conf', <<'EOF_INI');
[default]
type = sts
access_key_id = fresh.id
access_key_secret = fresh.secret
security_token = fresh.token
EOF_INI

    my @keys = ({ id => 'plain.id', secret => 'plain.secret' },
        { id => 'next.id', secret => 'next.secret' },
        { id => 'fresh.id', secret => 'fresh.secret',
            token => 'fresh.token' });

    $oss->set_keys(@keys);

    publish_all([ 'lines', 'next' ], [ 'ini', 'next' ]);

    all_of('lines', 'next', 1);
    is(scalar $t->log(qr/\[(?:warn|error)\].*bucket "lines"/), 0,
        'nothing to warn of');

    wait_for(sub { $t->log(qr/bucket "ini" refuses.*InvalidAccessKeyId/) },
        20, 'the old key to be refused');
    cmp_ok(scalar $t->spooled('next', 'ini'), '>', 0, 'it waits');

    replace('ini.conf', "next.id\nnext.secret");

    all_of('ini', 'next', 1);
    is(scalar $t->log(qr/bucket "ini" works again/), 1, 'works again');
};

###############################################################################

# many streams over four workers: each is shipped by the worker that its name
# falls to, wherever it was recorded

subtest 'four workers' => sub {
    my @names = map { "s$_" } 1 .. 12;

    $oss->faults({ fault => 'slow', rate => 1000000, bucket => 'many',
        method => 'PUT', times => 0 });

    publish_all(map { [ 'many', $_ ] } @names);
    all_of('many', $_, 1) for @names;

    my (%recorder, %shipper, $elsewhere);

    for ($t->log(qr!live record:.*many/s!)) {
        my ($pid, $s) = /(\d+)#\d+:.*?"many\/(s\d+)["\/]/ or next;

        $shipper{$s}{$pid}++ if /stored "/;
        $recorder{$s}{$pid}++ if /" starts/;
    }

    for my $s (@names) {
        is(scalar keys %{$shipper{$s}}, 1, "$s: one shipper");
        $elsewhere++ if grep { !$shipper{$s}{$_} } keys %{$recorder{$s}};
    }

    my %all = map { %{$shipper{$_}} } @names;

    cmp_ok(scalar keys %all, '>', 1, 'shippers: ' . keys %all);
    is($elsewhere || 0, 0, 'each in the worker of its publisher');

    my $most = $oss->most_at_a_time('many');

    cmp_ok($most, '<=', 4, "a connection for each worker: $most at a time");
    cmp_ok($most, '>', 1, 'at the same time');
};

###############################################################################

# what is nobody's business

my $log = $t->log();
my @told = grep { index($log, $_) != -1 } map { ("$_.secret", "$_.token") }
    qw/ plain sts ini lines env next fresh other /;

is(join(' ', @told), '', 'no secrets in the log');
unlike($log, qr!sts/token!, 'no token in the log');

$oss->check('InvalidAccessKeyId');
$t->done();

###############################################################################

sub publish_all {
    my @pubs = map { $t->start_publish($file, app => $_->[0],
        name => $_->[1], speed => 10) } @_;

    is((grep { $_->wait(120) != 0 } @pubs), 0, @pubs . ' published');
}

# in place at once, as it should be done

sub replace {
    my ($name, $text) = @_;
    write_file("$dir/$name.new", $text);
    rename "$dir/$name.new", "$dir/$name" or die "rename: $!\n";
}

sub all_of {
    my ($app, $name, $n) = @_;

    $t->bucket($oss->bucket($app));

    my @cycles = $t->wait_recorded($n, app => $app, name => $name,
        seconds => 60);
    my @days = $t->days($name, $app);

    is(scalar @cycles, $n, "$app/$name: cycles");
    is(scalar @days, 1, "$app/$name: days");

    for ($cycles[-1], @days) {
        playlist_ok($_, "$app/$name: playlist");
    }

    same_frames([ frames($cycles[-1], 'v') ], \@video, "$app/$name: video");
    same_frames([ packets($cycles[-1], 'a') ], \@audio,
        "$app/$name: audio packets");
}

###############################################################################
