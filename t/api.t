#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# The control API: driven by Alibaba's own clients, and by requests that are
# signed wrongly, late, twice, or are no requests at all.  Nothing but the
# documented error comes back, and a recording does not notice.

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

my $keys = $t->dir() . '/keys';
my $http = 'http://127.0.0.1:' . $t->port('HTTP');

write_file($keys, "# who may call\n\ntestid testsecret\n\tother\tsecret2 \n");
chmod 0644, $keys;

write_file($t->dir() . '/broken', "one two three\n");

$t->write_conf(<<'EOF_CONF');
%%GLOBALS%%

worker_processes 4;

events {
    worker_connections 256;
}

http {
    %%GLOBALS_HTTP%%

    live_record_api_keys keys;

    server {
        listen 127.0.0.1:%%PORT_HTTP%% reuseport;

        location / {
            live_record_api;
        }

        location /deep/path {
            live_record_api;
        }

        location /none {
            live_record_api;
            live_record_api_keys %%TESTDIR%%/broken;
        }

        location /denied {
            deny all;
            live_record_api;
        }

        location /limited {
            live_record_api;

            limit_except GET {
                deny all;
            }

            if ($arg_AppName = app) {
                set $app 1;
            }

            if ($arg_AppName = other) {
                proxy_pass http://127.0.0.1:%%PORT_OTHER%%;
            }
        }

        location /page {
            default_type text/html;
            root html;
            ssi on;
        }

        location /small {
            client_body_buffer_size 1k;
            client_body_in_file_only on;
            live_record_api;
        }
    }

    server {
        listen 127.0.0.1:%%PORT_OTHER%%;

        location / {
            return 200 other;
        }
    }
}

rtmp {
    live_record_spool %%TESTDIR%%/spool;

    live_record_bucket local {
        type dir;
        root %%TESTDIR%%/bucket;
    }

    live_record_bucket store {
        type oss;
        endpoint http://127.0.0.1:%%PORT_OSS%%;
        region cn-hangzhou;
        bucket my-recordings;
        credentials key id secret;
    }

    server {
        listen 127.0.0.1:%%PORT%%;
        live_record_domain live.example.com;

        live_record app cam_1 {
            bucket store;
            format mp4 m3u8;
            cycle 20m;
            fragment 10s;
            grace 90s;
            path "a/{StreamName}/{StartTime}_{EndTime}";
            fragment_path "b/{UnixTimestamp}_{Sequence}";
        }

        live_record * * { bucket local; fragment 5s; grace 2s; }
        live_record live * { bucket store; }

        application live {
            live on;
            live_record * { bucket local; fragment 5s; grace 2s; }
        }

        application app {
            live on;
            live_record cam_2 { bucket local; format flv; }
        }
    }

    server {
        listen 127.0.0.1:%%PORT_2%%;
        live_record_domain many.example.com;

        MANY
    }
}
EOF_CONF

my $many = join "\n", map { "live_record app s$_ { bucket local; }" }
    1 .. 37;

write_file($t->dir() . '/nginx.conf',
    read_file($t->dir() . '/nginx.conf') =~ s/MANY/$many/r);

$t->start();

$t->allow(qr/no call is allowed, as the keys/);

###############################################################################
# the official clients

my $api = LiveRecord::API->new($t, endpoint => $http, id => 'testid',
    secret => 'testsecret');
my %config = (action => 'DescribeLiveRecordConfig',
    params => { DomainName => 'live.example.com' });

my %clients = (
    'pop-core, GET' => { client => 'pop', method => 'GET' },
    'pop-core, POST' => { client => 'pop', method => 'POST' },
    'openapi-client, POST' => { client => 'openapi', method => 'POST' },
    'openapi-client, GET' => { client => 'openapi', method => 'GET' },
    'openapi-client, version 1' => { client => 'openapi',
        config => { signatureAlgorithm => 'v2' } },
);

for my $name (sort keys %clients) {
    my %c = %{$clients{$name}};
    my %deep = (%c, endpoint => "$http/deep/path");

    my ($all, $deep, $odd, $add, $unknown, $secret, $id, $missing, $domain)
        = calls({ %c, %config }, { %deep, %config },
        { %c, %config, params => { DomainName => 'live.example.com',
            AppName => "s 1*~(\x{4e2d})'!+&=%2F", StreamName => '*' } },
        { %c, %config, action => 'AddLiveAppRecordConfig' },
        { %c, %config, action => 'MakeCoffee' },
        { %c, %config, secret => 'wrong' },
        { %c, %config, id => 'nobody' },
        { %c, %config, params => {} },
        { %c, %config, params => { DomainName => 'else.example.com' } });

    ok(!$all->{code}, "$name: a call") or diag(encode_json($all));
    is(scalar @{list($all)}, 4, "$name: what it gives");
    like($all->{body}{RequestId}, qr/^[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$/,
        "$name: RequestId");

    # its calls in the older way go to "/"
    ok(!$deep->{code}, "$name: at a path") or diag(encode_json($deep))
        unless $name =~ /^openapi.*version 1/;

    ok(!$odd->{code}, "$name: odd characters") or diag(encode_json($odd));
    is($odd->{body}{TotalNum}, 0, "$name: nothing of that name");

    is($add->{code}, 'IllegalOperation', "$name: what nginx.conf is for");
    like($add->{text}, qr/"live_record"/, "$name: ... and where");
    is($unknown->{code}, 'InvalidAction.NotFound', "$name: unknown action");
    is($secret->{code}, 'SignatureDoesNotMatch', "$name: wrong secret");
    is($id->{code}, 'InvalidAccessKeyId.NotFound', "$name: unknown key");
    is($missing->{code}, 'MissingDomainName', "$name: no DomainName");
    is($domain->{code}, 'InvalidDomain.NotFound', "$name: other domain");
    isnt($all->{body}{RequestId}, $odd->{body}{RequestId},
        "$name: each has its own RequestId");
}

###############################################################################
# what a template says

my ($four) = calls({ %config, client => 'pop' });
my ($cam) = grep { $_->{StreamName} eq 'cam_1' } @{list($four)};

like(delete $cam->{CreateTime}, qr/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
    'CreateTime');

my %m3u8 = (CycleDuration => 1200,
    OssObjectPrefix => 'a/{StreamName}/{StartTime}_{EndTime}');

is_deeply($cam, {
    DomainName => 'live.example.com', AppName => 'app',
    StreamName => 'cam_1', OssBucket => 'my-recordings',
    OssEndpoint => '127.0.0.1:' . $t->port('OSS'), OnDemond => 0,
    DelayTime => 90,
    RecordFormatList => { RecordFormat => [
        { Format => 'm3u8', %m3u8, SliceDuration => 10,
            SliceOssObjectPrefix => 'b/{UnixTimestamp}_{Sequence}' },
        { Format => 'mp4', %m3u8 } ] },
    TranscodeRecordFormatList => { RecordFormat => [] },
    TranscodeTemplates => { Templates => [] },
}, 'a template');

is_deeply([ map { "$_->{AppName} $_->{StreamName} $_->{OssBucket}" }
    @{list($four)} ], [ 'app cam_1 my-recordings', '* * local',
        'live * local', 'app cam_2 local' ],
    'templates in their order, with those of applications');

# pages, order, filters

my @asked = calls(map { { %config, client => 'pop', params =>
    { DomainName => 'many.example.com', %$_ } } }
    {}, { PageNum => 4 }, { PageNum => 5 }, { PageSize => 30 },
    { PageSize => 30, PageNum => 2 }, { Order => 'desc', PageSize => 5 },
    { AppName => 'app', StreamName => 's7' }, { StreamName => '*' },
    { AppName => 'App' });

is_deeply([ map { join ' ', scalar @{list($_)},
    @{$_->{body}}{qw/ PageNum PageSize TotalNum TotalPage Order /} } @asked ],
    [ '10 1 10 37 4 asc', '7 4 10 37 4 asc', '0 5 10 37 4 asc',
      '30 1 30 37 2 asc', '7 2 30 37 2 asc', '5 1 5 37 8 desc',
      '1 1 10 1 1 asc', '0 1 10 0 0 asc', '0 1 10 0 0 asc' ], 'pages');

is(list($asked[5])->[0]{StreamName}, 's37', 'descending');

my %wrong = (PageNum => [ qw/ 0 -1 x 100001 1.5 99999999999999999999 / ],
    PageSize => [ qw/ 4 31 0 x / ], Order => [ qw/ up ASC / ]);

for my $param (sort keys %wrong) {
    my @values = @{$wrong{$param}};
    my @said = calls(map { { %config, client => 'pop', params =>
        { DomainName => 'many.example.com', $param => $_ } } } @values);

    is($said[$_]{code}, "Invalid$param.Malformed", "$param: $values[$_]")
        for 0 .. $#values;
}

my @refused = qw/ AddLiveAppRecordConfig UpdateLiveAppRecordConfig
    DeleteLiveAppRecordConfig AddLiveRecordNotifyConfig
    UpdateLiveRecordNotifyConfig DeleteLiveRecordNotifyConfig /;
my @illegal = calls(map { { client => 'pop', action => $_,
    params => { DomainName => 'live.example.com' } } } @refused);

for (0 .. $#refused) {
    my $directive = $refused[$_] =~ /Notify/ ? 'live_record_notify'
        : 'live_record';

    is($illegal[$_]{code}, 'IllegalOperation', "$refused[$_]: refused");
    like($illegal[$_]{body}{Message}, qr/"$directive"/, '... says where');
}

###############################################################################
# requests that no client makes: what is wrong, the request, status and code

my %v1 = (client => 'raw', endpoint => $http, id => 'testid',
    secret => 'testsecret', %config);
my %acs3 = (%v1, acs3 => 1, method => 'POST');
my $window = 900;

my @bad = (
    [ 'good', { %v1 }, 200 ],
    [ 'good by POST', { %v1, method => 'POST', all => 1 }, 200 ],
    [ 'query and form together', { %v1, method => 'POST', params => {},
        form => $config{params} }, 200 ],
    [ 'a form with a charset', { %v1, method => 'POST', all => 1,
        type => 'application/x-www-form-urlencoded; charset=UTF-8' }, 200 ],
    [ 'a body in chunks', { %v1, method => 'POST', all => 1, chunked => 1 },
        200 ],
    [ 'a body that would go to a file', { %v1, method => 'POST', all => 1,
        endpoint => "$http/small", set => { X => 'x' x 30000 } }, 200 ],
    [ 'POST without a body', { %v1, method => 'POST' }, 200 ],

    [ 'late', { %v1, late => -$window - 10 }, 400,
        'InvalidTimeStamp.Expired' ],
    [ 'early', { %v1, late => $window + 10 }, 400,
        'InvalidTimeStamp.Expired' ],
    [ 'a little late', { %v1, late => 30 - $window }, 200 ],
    [ 'a little early', { %v1, late => $window - 30 }, 200 ],
    ( map { [ "Timestamp $_", { %v1, set => { Timestamp => $_ } }, 400,
        'InvalidTimeStamp.Format' ] } 'now', '2026-01-02 03:04:05',
        '2026-01-02T03:04:05', '2026-13-02T03:04:05Z', '1767323045',
        'x' x 1000 ),

    ( map { [ "no $_", { %v1, lacks => [ $_ ] }, 400, 'MissingParameter' ] }
        qw/ Action Version AccessKeyId SignatureMethod Timestamp
        SignatureVersion SignatureNonce Signature / ),
    [ 'empty nonce', { %v1, set => { SignatureNonce => '' } }, 400,
        'MissingParameter' ],
    [ 'other method', { %v1, set => { SignatureMethod => 'HMAC-SHA256' } },
        400, 'InvalidSignatureMethod' ],
    [ 'other version of signatures', { %v1,
        set => { SignatureVersion => '2.0' } }, 400,
        'InvalidSignatureVersion' ],
    [ 'other version', { %v1, version => '2014-01-01' }, 400,
        'InvalidVersion' ],
    [ 'other format', { %v1, set => { Format => 'yaml' } }, 400,
        'InvalidParameter.Format' ],

    [ 'signed for another method', { %v1, method => 'POST',
        signedAs => 'GET' }, 400, 'SignatureDoesNotMatch' ],
    [ 'added behind', { %v1, query => '&AppName=live' }, 400,
        'SignatureDoesNotMatch' ],
    [ 'added to the body', { %v1, method => 'POST', all => 1,
        body => '&AppName=live' }, 400, 'SignatureDoesNotMatch' ],
    [ 'no signature worth the name', { %v1, signature => 'x' }, 400,
        'SignatureDoesNotMatch' ],
    [ 'the secret of another', { %v1, id => 'other' }, 400,
        'SignatureDoesNotMatch' ],
    [ 'the other key', { %v1, id => 'other', secret => 'secret2' }, 200 ],
    [ 'an empty secret', { %v1, id => '#', secret => '' }, 404,
        'InvalidAccessKeyId.NotFound' ],
    [ 'the action does not tell who asks', { %v1, action => 'MakeCoffee',
        secret => 'wrong' }, 400, 'SignatureDoesNotMatch' ],

    [ 'twice', { %v1, query => '&DomainName=live.example.com' }, 400,
        'InvalidParameter' ],
    [ 'in query and form', { %v1, method => 'POST',
        body => 'DomainName=live.example.com' }, 400, 'InvalidParameter' ],
    ( map { [ "encoded: $_", { %v1, query => "&A=$_" }, 400,
        'InvalidParameter' ] } '%', '%4', '%zz', '%00', 'a%00b', '%ff',
        '%c0%80', '%ed%a0%80' ),
    ( map { [ "a name: $_", { %v1, query => "&$_" }, 400,
        'InvalidParameter' ] } '=x', '%3d=x', 'a%20b=x', 'a%00=x',
        'n' x 129 . '=x', 'a[0]=x' ),
    [ 'too many', { %v1, method => 'POST', all => 1,
        body => join '', map { "&p$_=" } 1 .. 510 }, 400,
        'InvalidParameter' ],
    [ 'encoded twice is decoded once', { %v1,
        params => { DomainName => 'live%2Eexample.com' } }, 404,
        'InvalidDomain.NotFound' ],
    [ 'too large', { %v1, method => 'POST', all => 1, long => 70000 }, 413,
        'RequestTooLarge' ],
    [ 'too large in chunks', { %v1, method => 'POST', all => 1,
        long => 70000, chunked => 1 }, 413, 'RequestTooLarge' ],
    [ 'JSON', { %v1, method => 'POST', type => 'application/json',
        body => '{}' }, 415, 'UnsupportedMediaType' ],
    [ 'a form of another kind', { %v1, method => 'POST',
        type => 'application/x-www-form-urlencodedx', all => 1 }, 415,
        'UnsupportedMediaType' ],
    ( map { [ $_, { %v1, method => $_ }, 405, 'UnsupportedHTTPMethod' ] }
        qw/ PUT DELETE PATCH OPTIONS / ),

    [ 'a host of odd bytes', { %v1, secret => 'wrong',
        headers => { Host => "a\xff" } }, 400, 'SignatureDoesNotMatch' ],
    [ 'keys that cannot be taken', { %v1, endpoint => "$http/none" }, 404,
        'InvalidAccessKeyId.NotFound' ],

    [ 'ACS3: good', { %acs3 }, 200 ],
    [ 'ACS3: GET', { %acs3, method => 'GET' }, 200 ],
    [ 'ACS3: parameters in a form', { %acs3, params => {},
        form => $config{params}, }, 200 ],
    [ 'ACS3: another path', { %acs3, endpoint => "$http/a%20b/c" }, 200 ],
    [ 'ACS3: more headers signed', { %acs3, set => { 'x-other' => 'y',
        'x-acs-security-token' => 'z' } }, 200 ],
    [ 'ACS3: late', { %acs3, late => -$window - 10 }, 400,
        'InvalidTimeStamp.Expired' ],
    [ 'ACS3: early', { %acs3, late => $window + 10 }, 400,
        'InvalidTimeStamp.Expired' ],
    [ 'ACS3: a date of another form', { %acs3,
        set => { 'x-acs-date' => '20260102T030405Z' } }, 400,
        'InvalidTimeStamp.Format' ],
    [ 'ACS3: wrong secret', { %acs3, secret => 'wrong' }, 400,
        'SignatureDoesNotMatch' ],
    [ 'ACS3: unknown key', { %acs3, id => 'nobody' }, 404,
        'InvalidAccessKeyId.NotFound' ],
    [ 'ACS3: other version', { %acs3, version => '2014-01-01' }, 400,
        'InvalidVersion' ],
    [ 'ACS3: unknown action', { %acs3, action => 'MakeCoffee' }, 404,
        'InvalidAction.NotFound' ],
    ( map { [ "ACS3: no $_", { %acs3, lacks => [ $_ ] }, 400,
        'MissingParameter' ] } qw/ x-acs-action x-acs-version x-acs-date
        x-acs-signature-nonce / ),
    ( map { [ "ACS3: $_ is not signed", { %acs3, unsigned => [ $_ ] }, 400,
        'IncompleteSignature' ] } qw/ host x-acs-action x-acs-version
        x-acs-date x-acs-signature-nonce x-acs-content-sha256 / ),
    [ 'ACS3: one more of the headers', { %acs3,
        headers => { 'x-acs-other' => 'y' } }, 400, 'IncompleteSignature' ],
    [ 'ACS3: a header twice', { %acs3,
        set => { 'x-other' => 'y' }, headers => { 'X-Other' => [ 'y', 'z' ] } },
        400, 'IncompleteSignature' ],
    [ 'ACS3: added to the query', { %acs3, query => '&AppName=live' }, 400,
        'SignatureDoesNotMatch' ],
    [ 'ACS3: added to the body', { %acs3, params => {},
        form => $config{params}, body => '&AppName=live' }, 400,
        'SignatureDoesNotMatch' ],
    ( map { [ "ACS3: Authorization $_", { %acs3,
        authorization => "ACS3-HMAC-SHA256 $_" }, 400,
        'IncompleteSignature' ] } 'x', ',', 'Credential=testid',
        'Credential=testid,SignedHeaders=host,Signature=00',
        'Credential=,SignedHeaders=host,Signature=' . '0' x 64,
        'Credential=a,Credential=b,SignedHeaders=host,Signature=' . '0' x 64,
        'Credential=a,SignedHeaders=host;host,Signature=' . '0' x 64,
        'Credential=a,SignedHeaders=;,Signature=' . '0' x 64,
        'Credential=a,SignedHeaders=HOST,Signature=' . '0' x 64,
        'Credential=a,SignedHeaders=nothere;host,Signature=' . '0' x 64 ),
    [ 'another kind of Authorization', { %v1,
        headers => { Authorization => 'Basic eDp5' } }, 200 ],
);

my @got = calls(map { $_->[1] } @bad);

for my $i (0 .. $#bad) {
    my ($name, undef, $status, $code) = @{$bad[$i]};
    my $a = $got[$i];

    is(join(' ', map { defined $_ ? $_ : '-' } $a->{status}, $a->{code}),
        join(' ', $status, defined $code ? $code : '-'), $name)
        or diag(encode_json($a));

    next unless defined $code;

    is_deeply([ sort keys %{$a->{body}} ],
        [ qw/ Code HostId Message RequestId / ], "$name: what an error has");
    unlike($a->{text}, qr/testsecret|secret2/, "$name: no secret");
}

# HEAD has no body to say it in

my ($head) = calls({ %v1, method => 'HEAD' });
is($head->{status}, 405, 'HEAD');

my ($denied) = calls({ %v1, endpoint => "$http/denied" });
is($denied->{status}, 403, 'nginx lets nobody in');
unlike($denied->{text}, qr/RequestId/, 'and the API does not see it');

my %app = (%v1, endpoint => "$http/limited", params => { AppName => 'app',
    DomainName => 'live.example.com' });

is_deeply([ map { $_->{status} } calls(\%app, { %app, method => 'POST' }) ],
    [ 200, 403 ], '"if" and "limit_except" in a location');

my ($handed) = calls({ %app, params => { AppName => 'other' } });
is($handed->{text}, 'other', 'what an "if" hands to another server');

# in a page the answer is a part

mkdir $t->dir() . '/html';
chmod 0755, $t->dir() . '/html';
write_file($t->dir() . '/html/page', join '-', 'begin',
    ('<!--# include virtual="/?Format=JSON" -->') x 2, 'end');

my ($page) = calls({ client => 'raw', id => '', secret => '', action => '',
    endpoint => "$http/page" });
like($page->{text}, qr/^begin-(\{.*MissingParameter.*\}-){2}end$/,
    'in a subrequest');

# XML is what version 1 gives if nothing else is asked for

my @xml = calls({ %v1, lacks => [ 'Format' ] },
    { %v1, set => { Format => 'xml' }, secret => 'wrong' },
    { %acs3, params => { %{$config{params}}, Format => 'XML' } },
    { %v1, lacks => [ 'Format' ], params => { DomainName => '<&>"' } });

is($xml[0]{root}, 'DescribeLiveRecordConfigResponse', 'XML: root');
is($xml[0]{body}{TotalNum}, 4, 'XML: a number');
is(scalar @{list($xml[0])}, 4, 'XML: a list');
is(list($xml[0])->[0]{RecordFormatList}{RecordFormat}[1]{Format}, 'mp4',
    'XML: a list in it');
is($xml[1]{root}, 'Error', 'XML: an error');
is_deeply([ sort keys %{$xml[1]{body}} ],
    [ qw/ Code HostId Message RequestId / ], 'XML: what it has');
is($xml[2]{root}, 'DescribeLiveRecordConfigResponse', 'XML: asked for, ACS3');
is($xml[3]{code}, 'InvalidDomain.NotFound', 'XML: an error of an action');

###############################################################################
# the same request again, which other workers get, and after a reload

my @twice = calls(map { { %$_, same => 24 } } \%v1, \%acs3,
    { %v1, nonce => 'once' }, { %acs3, nonce => 'another' });

for (@twice) {
    my @codes = map { defined $_ ? $_ : 'OK' } @{$_->{codes}};

    is(scalar(grep { $_ eq 'OK' } @codes), 1, 'a call is good once');
    is(scalar(grep { $_ eq 'SignatureNonceUsed' } @codes), 23, 'and no more');
}

my ($not_ours) = calls({ %v1, nonce => 'bad', secret => 'wrong' });
my @after = calls({ %v1, nonce => 'bad' },
    { %v1, nonce => 'once', id => 'other', secret => 'secret2' });

is($not_ours->{code}, 'SignatureDoesNotMatch', 'a nonce that is not signed');
is_deeply([ map { $_->{status} } @after ], [ 200, 200 ],
    'is not taken, nor is that of another key');

$t->reload();

my ($later) = calls({ %v1, nonce => 'once' });
is($later->{code}, 'SignatureNonceUsed', 'remembered over a reload');

###############################################################################
# the file of keys changes

like($t->log(), qr/\[warn\].*anybody on this machine may read the keys in/,
    'a file that all can read is told');

my $new = "$keys.new";
write_file($new, "testid changed\n");
chmod 0640, $new;
chown 0, scalar getgrnam('www-data'), $new if $> == 0;
rename $new, $keys;

# each worker looks by itself, within a second

wait_for(sub {
    my @a = calls(map { { %v1, secret => 'changed' } } 1 .. 12);
    return !grep { $_->{code} } @a;
}, 10, 'the new secret');

my @old = calls({ %v1 }, { %v1, id => 'other', secret => 'secret2' });
is_deeply([ map { $_->{code} } @old ],
    [ 'SignatureDoesNotMatch', 'InvalidAccessKeyId.NotFound' ],
    'the old keys are gone');

my $from = length $t->log();
my @states = (
    [ 'a line too long', sub { write_file($keys, "a b c\n") },
        qr/line 1: more than an id and a secret/ ],
    [ 'good', sub { write_file($keys, "testid changed\n") } ],
    [ 'removed', sub { unlink $keys }, qr/cannot be opened \(2: / ],
    [ 'there again', sub { write_file($keys, "testid changed\n") },
        qr/are there again/ ],
);

push @states, [ 'unreadable', sub { chmod 0600, $keys; chown 0, 0, $keys; },
    qr/cannot be opened \(13: / ] if $> == 0;

for (@states) {
    my ($name, $change, $line) = @$_;
    my $good = $name =~ /good|again/;

    $change->();

    wait_for(sub {
        my @a = calls(map { { %v1, secret => 'changed' } } 1 .. 12);
        my $n = grep { $good ? !$_->{code}
            : ($_->{code} || '') eq 'InvalidAccessKeyId.NotFound' } @a;
        return $n == 12;
    }, 10, "keys: $name");

    pass("keys: $name");
    like(substr($t->log(), $from), $line, '... and the log says so') if $line;

    $from = length $t->log();
}

# what the master could read is good, though no worker can

$t->reload();

wait_for(sub {
    my @a = calls(map { { %v1, secret => 'changed' } } 1 .. 8);
    return !grep { $_->{code} } @a;
}, 10, 'keys after a reload');

sleep 4;

my @kept = calls(map { { %v1, secret => 'changed' } } 1 .. 8);
is_deeply([ map { $_->{code} } @kept ], [ (undef) x 8 ],
    'keys that only the master can read');

unlike($t->log(), qr/testsecret|secret2|changed/, 'no secret in the log');

###############################################################################
# a server without a domain takes any, a server with one comes before it

($_) = calls({ client => 'pop', action => $config{action}, secret => 'changed',
    params => { DomainName => 'LIVE.Example.COM' } });
is($_->{body}{TotalNum}, 4, 'upper and lower case are the same');

my $conf = read_file($t->dir() . '/nginx.conf');

$t->write_conf($conf =~ s/live_record_domain many.*//r);
$t->reload();

my @any = map { $_->{body}{TotalNum} } calls(map { { client => 'pop',
    action => $config{action}, secret => 'changed',
    params => { DomainName => $_ } } } 'live.example.com', 'a', '127.0.0.1');

is_deeply(\@any, [ 41, 37, 37 ], 'a server without a domain');

# a fresh one: a reload that takes rtmp away leaves nginx-rtmp with pointers
# to what it had

$t->stop();
$t->write_conf($conf =~ s/^rtmp.*//msr);
$t->start();

my ($no_rtmp) = calls({ %config, client => 'pop', secret => 'changed' });
is($no_rtmp->{code}, 'InvalidDomain.NotFound', 'an nginx without rtmp');

$t->stop();
$t->write_conf($conf);
$t->start();

###############################################################################
# a thousand calls a second, and a recording beside them

my $file = media('short');
my $p = $t->start_publish($file, name => 'busy', seconds => 10);

my ($rate) = calls({ %v1, secret => 'changed', seconds => 7,
    rate => $ENV{TEST_VALGRIND} ? 20 : 1000 });

is($p->wait(), 0, 'published');
is_deeply($rate->{codes}, { OK => $rate->{n} }, 'all calls are answered');
note(sprintf '%d calls a second', $rate->{n} / $rate->{seconds});

my @cycles = $t->wait_recorded(1, name => 'busy');
my @segments = segments_of($cycles[0]);
my @video = frames($file, 'v');
my @recorded = frames(\@segments, 'v');

cmp_ok(scalar @recorded, '>=', 200, 'recorded');
same_frames(\@recorded, [ @video[0 .. $#recorded] ], 'and untouched');

$t->done();

###############################################################################

sub calls { return $api->calls(@_) }

sub list {
    my ($answer) = @_;
    my $list = ($answer->{body}{LiveAppRecordList} || {})->{LiveAppRecord};

    return ref $list eq 'ARRAY' ? $list : [];
}

###############################################################################
