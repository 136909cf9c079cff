#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# The way to a store: through a proxy, with a certificate of the client, from
# an address; stores that are too slow, and those that send requests to
# somebody else.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;

use lib "$FindBin::Bin/lib";
use LiveRecord;
use LiveRecord::OSS;

###############################################################################

my %json = (method => 'GET', key => '\.json$');
my %ts = (method => 'PUT', key => '\.ts$');

my $t = LiveRecord->new();
my $dir = $t->dir();

my $oss = LiveRecord::OSS->new($t, https => 1,
    keys => [ 'the.id:the.secret' ]);
my $s3 = LiveRecord::OSS->new($t, name => 's3', s3 => 1, https => 1,
    args => [ '--verify-client' ], keys => [ 'the.id:the.secret' ]);

my $proxy = $t->port('proxy');
my $p = $t->run('node', "$FindBin::Bin/lib/proxy.mjs", $proxy,
    'recorder:pr0xy.secret', "$dir/proxy.log");
wait_for(sub { $p->out() =~ /ready/ }, 20, 'the proxy');

my $elsewhere = 'http://127.0.0.1:' . $oss->port();

# what is wrong at first, and mended by a reload
my ($password, $certificate) = ('wr0ng.secret', '');

# endpoint: by name; faults; log: what is told

my %cases = (
    pplain => { type => 'oss', wrong => 1, log => qr/status is 407/,
        proxy => sub { "http://recorder:$password\@127.0.0.1:$proxy" } },

    ptunnel => { type => 'oss', tls => $oss, wrong => 1,
        proxy => sub { "http://recorder:$password\@127.0.0.1:$proxy" },
        log => qr/CONNECT tunnel failed, response 407/ },

    penv => { type => 's3', settings => 'proxy env;' },

    pno => { type => 'oss', host => 'localhost', settings =>
        'proxy env; path_style on;' },

    certificate => { type => 's3', tls => $s3, settings =>
        "ssl_certificate $dir/ca/client.pem;
        ssl_certificate_key $dir/ca/client.key;" },

    nocert => { type => 's3', tls => $s3, wrong => 1,
        certificate => sub { $certificate }, log => qr/PUT/ },

    address => { type => 'oss', settings => 'interface 127.0.0.2;' },

    device => { type => 's3', settings => 'interface lo;' },

    slow => { type => 's3', settings => 'timeout 1s; min_speed 10k;',
        faults => [ { fault => 'slow', rate => 200, %json } ],
        log => qr/too slow.* Less than 10240 bytes/ },

    patient => { type => 'oss', settings => 'timeout 1s; min_speed 1;',
        faults => [ { fault => 'slow', rate => 200, %json } ] },

    moved => { type => 's3', faults => [ { fault => 'status', status => 301,
            code => 'PermanentRedirect', location => "$elsewhere/nobody/x",
            more => { Endpoint => 'moved.s3.eu-west-9.example.com' }, %ts } ],
        log => qr/301 \w+, the store wants to be asked at "s3[.]eu-west-9[.]/
    },

    passing => { type => 's3', faults => [ { fault => 'status',
            status => 307, code => 'TemporaryRedirect',
            location => "$elsewhere/nobody/x", bare => 1, %ts } ],
        log => qr/307, the store wants to be asked at "\Q$elsewhere\E", / },

    other => { type => 'oss', faults => [ { fault => 'status',
            status => 302, bare => 1, %ts, location =>
                "http://user:pass\@other.127.0.0.1.example:81/a?b=secr3t" } ],
        log => qr/302, .*asked at "http:\/\/127.0.0.1.example:81", / },

    endpoint => { type => 'oss', faults => [ { fault => 'status',
            status => 403, code => 'AccessDenied', %ts,
            more => { Endpoint => 'oss-cn-beijing.example.com' } } ],
        log => qr/403 AccessDenied, .*at "oss-cn-beijing.example.com", / },
);

my @cases = sort keys %cases;

$t->write_conf(conf());

$t->allow(qr/bucket "(?:pplain|ptunnel|moved|passing|other|endpoint)" refuses/,
    qr/bucket "nocert" refuses/);

$t->start(env => {
    http_proxy => "http://recorder:pr0xy.secret\@127.0.0.1:$proxy",
    no_proxy => 'localhost,.example.com',
});

for my $s ($oss, $s3) {
    $s->faults(map { my $case = $_;
        map { { %$_, bucket => $case } } @{$cases{$case}{faults} || []} }
        grep { store($_) == $s } @cases);
}

my $media = media('short');
my @video = frames($media, 'v');
my @audio = packets($media, 'a');

my @pubs = map { $t->start_publish($media, app => $_, speed => 10) } @cases;
is((grep { $_->wait(120) != 0 } @pubs), 0, 'published');

# nothing goes on until it is mended

for my $case (grep { $cases{$_}{wrong} } @cases) {
    wait_for(sub { grep { /$cases{$case}{log}/ }
        $t->log(qr/bucket "$case" (?:fails|refuses)/) }, 60,
        "the log to tell of $case");
    is((store($case)->requests($case)), 0, "$case: nothing has come");
}

ok((grep { /PEER_DID_NOT_RETURN_A_CERTIFICATE/ } $s3->tls_errors()),
    'a certificate was asked for');

($password, $certificate) = ('pr0xy.secret', "ssl_certificate
    $dir/ca/both.pem;");
write_file("$dir/ca/both.pem", read_file("$dir/ca/client.pem")
    . read_file("$dir/ca/client.key"));

$t->write_conf(conf());
$t->reload();

for my $case (@cases) {
    my $c = $cases{$case};

    subtest $case => sub {
        $t->bucket(store($case)->bucket($case));

        my ($cycle) = $t->wait_recorded(1, app => $case, name => 'test',
            seconds => 60);

        wait_for(sub { !$t->spooled('test', $case) }, 60, 'an empty spool');
        is(scalar $t->days('test', $case), 1, 'the index of the day');
        same_frames([ frames($cycle, 'v') ], \@video, 'video');
        same_frames([ packets($cycle, 'a') ], \@audio, 'audio');

        my @told = grep { !$c->{log} || /$c->{log}/ }
            $t->log(qr/bucket "$case" (?:fails|refuses)/);

        if ($c->{log}) {
            cmp_ok(scalar @told, '>=', 1, 'the log tells');

        } else {
            is(scalar @told, 0, 'nothing has failed');
        }
    };
}

# who came how

my %from = map { ($_->{bucket} => $_->{from}) } $oss->requests(),
    $s3->requests();
my %client = map { ($_->{bucket} => $_->{client}) } $s3->requests();

is($from{address}, '127.0.0.2', 'from an address of its own');
is($from{device}, '127.0.0.1', 'from that of a device');
is($client{$_}, 'recorder', "$_: its certificate")
    for qw/ certificate nocert /;

my @proxied = map { decode_json($_) } split /\n/,
    read_file("$dir/proxy.log");
my %whole = map { $_->{url} =~ m!^http://[^/]+/(\w+)[/?]! ? ($1 => 1) : () }
    grep { $_->{status} == 200 } @proxied;
my %tunnels = map { $_->{url} => 1 } grep { $_->{method} eq 'CONNECT' }
    @proxied;

is(join(' ', sort keys %whole), 'penv pplain', 'who went through a proxy');
is(join(' ', keys %tunnels), '127.0.0.1:' . $oss->https_port(),
    'and in a tunnel');

my ($ms) = map { $_->{ms} } grep { $_->{fault} } $oss->requests('patient');
cmp_ok($ms, '>', 1500, 'slow, but not too slow');

# nobody else was asked, and nothing is told that should not be

is((grep { $_->{bucket} eq 'nobody' } $oss->requests()), 0,
    'no redirect was followed');
unlike($t->log(), qr/pr0xy|wr0ng|secr3t|user:pass/, 'no secrets in the log');

$oss->check();
$s3->check();

$t->done();

###############################################################################

sub store {
    my ($case) = @_;
    my $c = $cases{$case};
    return $c->{tls} || ($c->{type} eq 'oss' ? $oss : $s3);
}

sub conf {
    my $blocks = join '', map {
        my $c = $cases{$_};
        my $host = $c->{host} || '127.0.0.1';
        my $endpoint = $c->{tls} ? "https://$host:" . $c->{tls}->https_port()
            : "http://$host:" . store($_)->port();
        my $region = $c->{type} eq 'oss' ? 'cn-hangzhou' : 'us-east-1';
        my $more = $c->{settings} || '';

        $more .= 'proxy "' . $c->{proxy}->() . '";' if $c->{proxy};
        $more .= $c->{certificate}->() if $c->{certificate};
        $more .= 'ca_file ' . $oss->ca() . ';' if $c->{tls};

        "    live_record_bucket $_ { type $c->{type}; bucket $_;\n"
            . "        region $region; endpoint $endpoint;\n"
            . "        credentials key the.id the.secret;\n"
            . "        $more }\n"
    } @cases;

    my $applications = join '', map {
        "        application $_ { live on; live_record * {\n"
            . "            bucket $_; fragment 5s; grace 1s; } }\n"
    } @cases;

    return <<"EOF_CONF";
%%GLOBALS%%

worker_processes 1;

events {
    worker_connections 512;
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

###############################################################################
