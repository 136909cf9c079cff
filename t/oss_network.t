#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# What lies between us and a store: names that are not known yet, a resolver
# that hangs, a certificate that has expired, redirections, connections that
# are never kept.  Recordings arrive when it is over, and while it lasts the
# worker answers to others.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;
use Time::HiRes qw/ time sleep /;

use lib "$FindBin::Bin/lib";
use LiveRecord;
use LiveRecord::OSS;

###############################################################################

my $t = LiveRecord->new();
my $dir = $t->dir();
my $so = "$dir/resolver.so";

system($ENV{CC} || 'cc', '-std=gnu99', '-O2', '-fPIC', '-shared', '-o', $so,
    "$FindBin::Bin/lib/resolver.c", '-ldl') == 0
    or die "resolver.so could not be built\n";

$ENV{TEST_NGINX_PRELOAD} = join ':', $ENV{TEST_NGINX_PRELOAD} || (), $so;
$ENV{RESOLVER} = "$dir/control";

expired_certificate();

my $oss = LiveRecord::OSS->new($t, https => 1);

my $http = 'http://127.0.0.1:' . $oss->port();
my $named = 'http://%s.example.com:' . $oss->port() . '; path_style on';
my $https = 'https://127.0.0.1:' . $oss->https_port() . '; ca_file '
    . $oss->ca();

# libcurl remembers a name: each has its own

my %endpoints = (unknown => sprintf($named, 'unknown'),
    hangs => sprintf("$named; connect_timeout 2s", 'hangs'),
    expired => $https, redirect => $http, close => $http);

my $buckets = join '', map {
    "    live_record_bucket $_ { type oss; bucket $_; region cn-hangzhou;\n"
        . "        credentials key ak sk; endpoint $endpoints{$_}; }\n"
} sort keys %endpoints;

my $applications = join '', map {
    "        application $_ { live on; live_record * {\n"
        . "            bucket $_; fragment 5s; grace 1s; } }\n"
} sort keys %endpoints;

$t->write_conf(<<"EOF_CONF");
%%GLOBALS%%

worker_processes 1;

events {
    worker_connections 256;
}

http {
    %%GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:%%PORT_HTTP%%;
        location / { return 204; }
    }
}

rtmp {
    live_record_spool %%TESTDIR%%/spool;

$buckets
    server {
        listen 127.0.0.1:%%PORT%%;

$applications
    }
}
EOF_CONF

my $file = media('faults', seconds => 13);
my @video = frames($file, 'v');
my @audio = packets($file, 'a');

resolver(unknown => 0, '-');

$t->start();

###############################################################################

subtest 'a name that is not known yet' => sub {
    is($t->publish($file, app => 'unknown', speed => 8), 0, 'published');

    wait_for(sub { $t->log(qr/"unknown" fails.*Could not resolve host/) }, 20,
        'the log to tell');

    resolver(unknown => 0, '127.0.0.1');
    all_of('unknown');
    told('unknown', 'fails');
};

subtest 'a resolver that hangs' => sub {
    resolver(hangs => 8000, '127.0.0.1');

    is($t->publish($file, app => 'hangs', speed => 8), 0, 'published');

    # as long as it takes to find that out

    my @took;

    wait_for(sub {
        my $asked = time();
        my $answer = http_get($t->port('HTTP'), '/');

        push @took, time() - $asked if $answer && $answer =~ / 204 /;
        sleep 0.05;

        return $t->log(qr/"hangs" fails.*[Rr]esolving timed out/);
    }, 30, 'the log to tell');

    @took = sort { $a <=> $b } @took;
    cmp_ok($took[@took / 2], '<', 0.1, 'others are answered at once');

    my $began = time();
    ok($t->stop(), 'nginx stops');
    cmp_ok(time() - $began, '<', 10, 'and does not wait for it');

    resolver(hangs => 0, '127.0.0.1');
    $t->start();

    all_of('hangs');
};

###############################################################################

subtest 'a certificate that has expired' => sub {
    my $before = () = $t->log(qr/"expired" refuses/);

    is($t->publish($file, app => 'expired', speed => 8), 0, 'published');

    wait_for(sub { $t->log(qr/"expired" refuses.*certificate has expired/) },
        20, 'the log to tell');
    sleep 2;

    is($oss->stop(), 0, 'the store gets');
    certificate();
    $oss->start();

    all_of('expired');
    told('expired', 'refuses');
};

###############################################################################

subtest 'redirections' => sub {
    $oss->faults({ fault => 'status', status => 307, code =>
        'TemporaryRedirect', bucket => 'redirect', times => 2 });

    is($t->publish($file, app => 'redirect', speed => 8), 0, 'published');

    all_of('redirect');
    told('redirect', 'fails');
};

subtest 'connections that are never kept' => sub {
    $oss->faults({ fault => 'close', bucket => 'close', times => 0 });

    is($t->publish($file, app => 'close', speed => 8), 0, 'published');

    all_of('close');

    my @r = $oss->requests('close');
    my %conns = map { $_->{conn} => 1 } @r;

    is(scalar keys %conns, scalar @r, 'one for each request');
    is(scalar $t->log(qr/"close" (?:fails|refuses)/), 0, 'nothing fails');
};

###############################################################################

$oss->check();

$t->allow(qr/bucket "expired" refuses/);
$t->done();

###############################################################################

sub resolver {
    my ($name, $delay, $address) = @_;

    write_file("$dir/control.new", "$delay $name.example.com $address\n");
    chmod 0644, "$dir/control.new";
    rename "$dir/control.new", "$dir/control";
}

# what the fake OSS finds in place of its own

sub expired_certificate { return certificate('20200101000000Z',
    '20200102000000Z') }

sub certificate {
    my ($from, $to) = @_;
    my $ca = "$dir/ca";

    if (!-e $ca) {
        mkdir $ca;
        write_file("$ca/ext", "subjectAltName=IP:127.0.0.1\n");
        write_file("$ca/ca.conf", "[ca]\ndefault_ca=d\n[d]\n"
            . "database=$ca/index\nnew_certs_dir=$ca\ncertificate=$ca/ca.pem\n"
            . "private_key=$ca/ca.key\nrand_serial=yes\npolicy=p\n"
            . "default_md=sha256\ndefault_days=30\nunique_subject=no\n"
            . "[p]\ncommonName=supplied\n");
        write_file("$ca/index", '');
        openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
            . " -keyout $ca/ca.key -out $ca/ca.pem -days 30 -subj '/CN=CA'");
        openssl("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
            . " -keyout $ca/server.key -out $ca/csr -subj '/CN=store'");
    }

    openssl("ca -batch -config $ca/ca.conf -in $ca/csr -out $ca/server.pem"
        . " -notext -extfile $ca/ext"
        . ($from ? " -startdate $from -enddate $to" : ''));
}

sub openssl {
    my ($args) = @_;
    system("openssl $args >$dir/openssl.out 2>&1") == 0
        or die "openssl $args: " . read_file("$dir/openssl.out");
}

sub all_of {
    my ($app) = @_;

    $t->bucket($oss->bucket($app));

    my @cycles = $t->wait_recorded(1, app => $app, seconds => 60);
    my @segments = segments_of($cycles[0]);

    is(scalar @cycles, 1, 'one cycle');
    same_frames([ frames(\@segments, 'v') ], \@video, 'video');
    same_frames([ packets(\@segments, 'a') ], \@audio, 'audio packets');
}

sub told {
    my ($name, $what) = @_;

    is(scalar $t->log(qr/bucket "$name" (?:fails|refuses)/), 1,
        'the log tells once');
    is(scalar $t->log(qr/bucket "$name" $what/), 1, "that it $what");
    is(scalar $t->log(qr/bucket "$name" works again/), 1,
        'and that it works again');
}

###############################################################################
