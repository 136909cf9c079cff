#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# nginx -t takes good settings and says what is wrong with bad ones.

###############################################################################

use warnings;
use strict;

use Test::More;
use File::Path qw/ make_path /;
use FindBin;

use lib "$FindBin::Bin/lib";
use LiveRecord;

###############################################################################

my $t = LiveRecord->new();

my $spool = 'live_record_spool %%TESTDIR%%/spool;';
my $bucket = 'live_record_bucket local { type dir; '
    . 'root %%TESTDIR%%/bucket; }';
my $oss = 'type oss; endpoint https://oss-cn-hangzhou.aliyuncs.com; '
    . 'region cn-hangzhou; bucket my-recordings;';

$ENV{OSS_ACCESS_KEY_ID} = 'ID';
$ENV{OSS_ACCESS_KEY_SECRET} = 'SECRET';
delete @ENV{qw/ ALIBABA_CLOUD_ACCESS_KEY_ID
    ALIBABA_CLOUD_ACCESS_KEY_SECRET /};

# good: in rtmp, in server, in application

good('the least', $spool . $bucket, '', 'live_record * { bucket local; }');

good('in server', $spool . $bucket,
    'live_record app stream { bucket local; }
     live_record app * { bucket local; }
     live_record * stream { bucket local; }
     live_record * * { bucket local; }');

good('on demand', $spool . $bucket,
    'live_record_notify http://127.0.0.1/ on_demand=http://127.0.0.1/ask;
     live_record * * { bucket local; on_demand callback; }');
good('on demand, in another server of the domain', $spool . $bucket,
    'live_record_notify http://127.0.0.1/ on_demand=http://127.0.0.1/ask;
     }
     server {
     listen 127.0.0.1:%%PORT_2%%;
     live_record * * { bucket local; on_demand callback; }');

good('everything in a template', $spool . $bucket,
    'live_record_domain live.example.com;
     live_record app stream {
         bucket local;
         format m3u8;
         cycle 60m;
         fragment 10s;
         grace 180s;
         path record/{AppName}/{StreamName}/{EscapedStartTime}'
    . '_{EscapedEndTime};
         fragment_path record/{AppName}/{StreamName}/{UnixTimestamp}'
    . '_{Sequence};
         index_path {AppName}/{StreamName}/{Date}.m3u8;
     }');

for (
    'cycle 15m;', 'cycle 6h;', 'fragment 5s;', 'fragment 30s;',
    'grace 1s;', 'grace 6h;', 'index_path off;', 'format m3u8;',
    'format mp4;', 'format flv;', 'format flv m3u8 mp4;',
    'on_demand off;', 'on_demand push_args;', 'on_demand command;',
    'on_demand push_args; on_demand_fail record;', 'on_demand_fail skip;',
    'path {StreamName}/{Sequence}_{UnixTimestamp};',
) {
    good($_, $spool . $bucket, "live_record * * { bucket local; $_ }");
}

good("timezone $_", "$spool $bucket live_record_timezone $_;")
    for qw/ utc local +08:00 -03:30 /;

good('size of the spool',
    "live_record_spool %%TESTDIR%%/spool max_size=50g min_free=1g; $bucket");
good('nothing of its disk is left',
    "live_record_spool %%TESTDIR%%/spool min_free=0; $bucket");

good("oss: $_", "$spool live_record_bucket b { $oss $_ }")
    for 'credentials env;', 'credentials key ID SECRET;',
    'credentials key ID SECRET TOKEN;',
    'credentials env; signature v1;', 'credentials env; signature v4;',
    'credentials ecs_role;', 'credentials ecs_role a.role+of=mine_1;',
    'credentials ecs_role; metadata_endpoint http://127.0.0.1:8080/;';

good("s3: $_", "$spool live_record_bucket b { type s3; bucket recs; $_ }")
    for 'region eu-central-1; credentials key ID SECRET;',
    'region cn-north-1; credentials key ID SECRET TOKEN;',
    'region us-east-1; credentials key ID SECRET; conditional_put off;',
    'region x; endpoint http://127.0.0.1:7480; credentials key ID SECRET;',
    'region x; endpoint https://s3.example.com; credentials key ID SECRET;
        path_style on;',
    'region x; credentials ecs_role; metadata_endpoint https://[::1]:8080;';

# what objects are like, and the way to a store

my $key = 'credentials key ID SECRET;';
my $s3 = "type s3; region us-east-1; bucket recs; $key";

good("oss: $_", "$spool live_record_bucket b { $oss $key $_ }") for
    'storage_class IA;', 'storage_class DeepColdArchive;', 'acl default;',
    'encryption SM4;', 'encryption KMS;', 'encryption KMS key-1;',
    'tagging a=b "c=d e" f=;', 'metadata a b; metadata c "d e";',
    'cache_control media off; cache_control index "max-age=5, private";',
    'part_size 100k;', 'part_size 1g;', 'min_speed 1;', 'min_speed 100m;',
    'proxy off;', 'proxy env;', 'proxy http://10.0.0.1:3128;',
    'proxy "https://user:pass@proxy.example.com";',
    'proxy socks5h://proxy:1080;', 'interface eth0;',
    'interface 127.0.0.2;', 'interface ::1;';

good("s3: $_", "$spool live_record_bucket b { $s3 $_ }") for
    'storage_class ANY_OF-theirs;', 'acl bucket-owner-full-control;',
    'checksum crc64nvme;', 'encryption AES256;', 'tagging mail=a@b.example;', 'part_size 5m;';

good('no recording at all', '');

# bad: the message names the directive and the value

bad('no name of a bucket', 'live_record_bucket',
    "$spool live_record_bucket { type dir; root %%TESTDIR%%/b; }");
bad('a bucket twice', 'local', "$spool $bucket $bucket");
bad('no type', 'type',
    "$spool live_record_bucket b { root %%TESTDIR%%/b; }");
bad('unknown type', 'ftp', "$spool live_record_bucket b { type ftp; }");
bad('no root', 'root', "$spool live_record_bucket b { type dir; }");
bad('unknown in a bucket', 'colour',
    "$spool live_record_bucket b { type dir; root %%TESTDIR%%/b;
        colour red; }");
bad('oss without endpoint', 'endpoint',
    "$spool live_record_bucket b { type oss; bucket x; region y;
        credentials env; }");
bad('oss without bucket', 'bucket',
    "$spool live_record_bucket b { type oss; credentials env;
        endpoint https://oss-cn-hangzhou.aliyuncs.com; }");
bad('endpoint without a scheme', 'ftp://x',
    "$spool live_record_bucket b { type oss; endpoint ftp://x; bucket b;
        region y; credentials env; }");
bad('signature', 'v9',
    "$spool live_record_bucket b { $oss credentials env; signature v9; }");
bad('s3 without region', '"region"',
    "$spool live_record_bucket b { type s3; bucket recs;
        credentials env; }");
bad("endpoint $_", 'only a port may follow the host', "$spool
    live_record_bucket b { type oss; endpoint $_; bucket my-recordings;
        region y; credentials env; }")
    for qw! https://h.example.com/path h.example.com:80/a h.example.com?x !;
for my $name ("MY-recordings.oss-cn-hangzhou.aliyuncs.com",
    'my-recordings.s3.eu-central-1.amazonaws.com')
{
    bad("endpoint $name", 'leave out the bucket\'s name, "my-recordings."',
        "$spool live_record_bucket b { type oss; endpoint $name;
            bucket my-recordings; credentials env; }");
}
good("endpoint $_", "$spool live_record_bucket b { type oss; region r;
    endpoint $_; bucket my-recordings; credentials env; }") for
    'my-recordings.example.com', 'my-recordings-2.a.example.com',
    'my-recordings.a.example.com; path_style on';
bad('s3 with a region that is none', 'eu/west" of "region" in '
    . '"live_record_bucket" "b", it must be of printable ASCII',
    "$spool live_record_bucket b { type s3; bucket recs; region eu/west;
        credentials key ID SECRET; }");
bad('s3 without bucket', '"bucket"',
    "$spool live_record_bucket b { type s3; region r; credentials env; }");
bad('s3 without credentials', '"credentials"',
    "$spool live_record_bucket b { type s3; region r; bucket recs; }");
bad('s3 with a signature', '"signature" has no meaning for "type s3"',
    "$spool live_record_bucket b { type s3; region r; bucket recs;
        credentials key ID SECRET; signature v4; }");
bad('oss with a condition', '"conditional_put" has no meaning for "type oss"',
    "$spool live_record_bucket b { $oss credentials env;
        conditional_put on; }");
bad('conditional_put', 'maybe',
    "$spool live_record_bucket b { type s3; region r; bucket recs;
        credentials key ID SECRET; conditional_put maybe; }");
# each with what the message has to say

for (
    [ oss => 'storage_class STANDARD;', '"STANDARD"', '"ColdArchive"' ],
    [ s3 => 'storage_class "a b";', '"a b"', 'A-Z a-z 0-9 _ -' ],
    [ oss => 'acl authenticated-read;', '"authenticated-read"',
        '"public-read-write"' ],
    [ s3 => 'acl default;', '"default"', '"aws-exec-read"' ],
    [ s3 => 'encryption SM4;', '"SM4"', '"AES256" or "KMS"' ],
    [ s3 => 'encryption AES256 key-1;', '"key-1"', 'only "KMS"' ],
    [ oss => 'tagging team;', '"team"', 'KEY=VALUE' ],
    [ oss => 'tagging team;', '_ : /, for "type s3" also @', 'KEY=VALUE' ],
    [ oss => 'encryption None;', '"live_record_bucket" "b": invalid value '
        . '"None"', '"AES256", "KMS" or "SM4"' ],
    [ oss => 'limit_rate 1g;', '"1g"', 'at least 16k, in k or m' ],
    [ oss => 'tagging a=b&c=d;', '"a=b&c=d"', 'KEY=VALUE' ],
    [ oss => 'tagging a=b a=c;', '"a=c"', 'two tags' ],
    [ oss => 'tagging a=b; tagging c=d;', '"tagging" is duplicate', '' ],
    [ oss => 'tagging mail=a@b;', '"@"', '"type oss"' ],
    [ oss => 'metadata a_b c;', '"a_b"', 'A-Z a-z 0-9 -' ],
    [ oss => 'metadata live-record-id c;', '"live-record-id"', 'own' ],
    [ oss => 'metadata a b; metadata A c;', '"metadata" "A"', 'duplicate' ],
    [ oss => 'metadata a;', '"metadata"', 'number of arguments' ],
    [ oss => 'cache_control video off;', '"video"', '"manifest"' ],
    [ s3 => 'cache_control media "";', '"media"', '"off"' ],
    [ oss => 'part_size 99k;', '101376 bytes', 'between 100k and 1g' ],
    [ s3 => 'part_size 4m;', '4194304 bytes', 'between 5m and 1g' ],
    [ s3 => 'part_size 2g;', '2147483648 bytes', 'between 5m and 1g' ],
    [ s3 => 'part_size x;', '"x"', 'for "type s3" from 5m, to 1g' ],
    [ s3 => 'checksum sha1;', '"sha1"', '"md5" or "crc64nvme"' ],
    [ oss => 'checksum md5;', '"checksum"', 'no meaning for "type oss"' ],
    [ oss => 'min_speed 0;', '"0"', 'between 1 and 100m' ],
    [ oss => 'min_speed 101m;', '"101m"', 'between 1 and 100m' ],
    [ oss => 'proxy on;', '"proxy"', '"env"' ],
    [ oss => 'proxy ftp://x:y@host;', '"proxy"', '"socks5"' ],
    [ oss => 'proxy http://host/path;', '"proxy"', '"env"' ],
    [ oss => 'interface "a b";', '"a b"', 'IP address' ],
    [ oss => 'interface a_name_too_long_;', '"a_name_too_long_"',
        'interface' ],
    [ s3 => 'ssl_certificate_key x;', '"ssl_certificate_key"',
        'needs "ssl_certificate"' ],
    [ s3 => 'ssl_certificate none.pem;', 'none.pem', 'No such file' ],
) {
    my ($type, $setting, @parts) = @$_;
    my $block = $type eq 'oss' ? "$oss $key" : $s3;
    my $out = bad("$type: $setting", $parts[0],
        "$spool live_record_bucket b { $block $setting }");

    like($out, qr/\[emerg\].*\Q$parts[1]\E/, '... and what it may be');
    unlike($out, qr/x:y/, '... and no secret') if $setting =~ /x:y/;
}

for ('storage_class IA;', 'acl private;', 'encryption KMS;', 'tagging a=b;',
    'metadata a b;', 'cache_control media off;', 'part_size 5m;',
    'min_speed 1;', 'proxy off;', 'interface lo;', 'ssl_certificate a;')
{
    my ($name) = /^(\w+)/;

    bad("dir: $_", "\"$name\" has no meaning for \"type dir\"",
        "$spool live_record_bucket b { type dir; root %%TESTDIR%%/b; $_ }");
}

# a certificate and a key that do not go together

{
    my $dir = $t->dir();

    for my $name (qw/ one two /) {
        system("openssl req -x509 -newkey ec -pkeyopt "
            . "ec_paramgen_curve:P-256 -nodes -keyout $dir/$name.key "
            . "-out $dir/$name.pem -subj /CN=$name 2>/dev/null") == 0 or die;
    }

    system("openssl ec -aes128 -passout pass:x -in $dir/one.key "
        . "-out $dir/sealed.key 2>/dev/null") == 0 or die;

    my $block = sub { "$spool live_record_bucket b { $s3
        ssl_certificate $dir/one.pem; ssl_certificate_key $dir/$_[0].key; }" };

    good('a certificate and its key', $block->('one'));
    bad('the key of another', 'is not that of the certificate',
        $block->('two'));

    for ([ 'one.pem' ], [ none => 'cannot be read (2: No such file' ],
        [ 'one.key' => 'no PEM of a certificate' ])
    {
        my ($ca, $why) = @$_;
        my @bucket = "$spool live_record_bucket b { $s3 ca_file $dir/$ca; }";
        my @notify = ($spool . $bucket,
            "live_record_notify https://h/ ca_file=$dir/$ca;");

        if (!$why) {
            good('authorities of a bucket', @bucket);
            good('authorities of a receiver', @notify);
            next;
        }

        like(bad("$ca of a bucket", $why, @bucket),
            qr/"ca_file" "[^"]+" of "live_record_bucket"/, '... and which');
        like(bad("$ca of a receiver", $why, @notify),
            qr/"ca_file" "[^"]+" of "live_record_notify"/, '... and which');
    }

    bad('a key with a password', 'a key without a password',
        $block->('sealed'));
    bad('no key', 'a key without a password', "$spool live_record_bucket b {
        $s3 ssl_certificate $dir/one.pem; }");
    bad('no certificate', 'no PEM of a certificate',
        "$spool live_record_bucket b { $s3 ssl_certificate $dir/one.key; }");
}

{
    local $ENV{http_proxy} = 'gopher://x:y@host';

    my $out = bad('no proxy in the environment', '"http_proxy"',
        "$spool live_record_bucket b { $s3 endpoint http://127.0.0.1;
            proxy env; }");
    unlike($out, qr/x:y/, 'no secret in the message');
}

# as curl takes them, without a scheme

for my $proxy ('10.0.0.1:3128', 'proxy.example:3128', 'a:b@proxy.example') {
    local $ENV{http_proxy} = $proxy;

    my ($ok, $out) = $t->test_conf(conf("$spool live_record_bucket b { $s3
        endpoint http://127.0.0.1; proxy env; }"));
    ok($ok, "good: $proxy in the environment") or diag($out);
}

bad('path_style off with an address', '127.0.0.1',
    "$spool live_record_bucket b { type s3; region r; bucket recs;
        endpoint http://127.0.0.1; credentials key ID SECRET;
        path_style off; }");
bad('credentials', 'credentials',
    "$spool live_record_bucket b { $oss credentials sealed; }");

{
    local $ENV{OSS_ACCESS_KEY_SECRET};
    delete $ENV{OSS_ACCESS_KEY_SECRET};

    # a command that only checks is not nginx itself: it warns, nginx refuses

    my ($ok, $out) = $t->test_conf(
        conf("$spool live_record_bucket b { $oss credentials env; }"));

    ok($ok, 'nothing in the environment of nginx -t');
    like($out, qr/\[warn\].*credentials env.*none in the environment/,
        '... and says so');

    $t->write_conf(
        conf("$spool live_record_bucket b { $oss credentials env; }"));

    my $said = join ' ', $t->command, '2>&1';
    $said = `$said`;

    $t->allow(qr/OSS_ACCESS_KEY_SECRET/);

    isnt($?, 0, 'nginx does not start without its credentials');
    like($said, qr/\[emerg\].*OSS_ACCESS_KEY_SECRET/, '... and says why');
}

{
    # AWS's variables, and not those of OSS

    delete local @ENV{qw/ AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY /};

    my $s3 = "$spool live_record_bucket b { type s3; region r; bucket recs;
        credentials env; }";
    my ($ok, $out) = $t->test_conf(conf($s3));

    ok($ok, 'nothing of S3 in the environment of nginx -t');
    like($out, qr/\[warn\].*credentials env.*none in the environment/,
        '... and says so');

    $t->write_conf(conf($s3));

    my $said = join ' ', $t->command, '2>&1';
    $said = `$said`;

    $t->allow(qr/AWS_SECRET_ACCESS_KEY/);

    isnt($?, 0, 'nginx does not start without its credentials for S3');
    like($said, qr/\[emerg\].*AWS_SECRET_ACCESS_KEY/, '... and says why');

    local @ENV{qw/ AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY /} = qw/ I S /;

    ($ok, $out) = $t->test_conf(conf($s3));
    unlike($out, qr/warn/, 'what is there is found');
}

# roles and files

for (
    [ 'credentials ecs_role a/b;', '"a/b"' ],
    [ 'credentials ecs_role "";', 'ecs_role' ],
    [ 'credentials ecs_role ' . 'r' x 65 . ';', 'ecs_role' ],
    [ 'credentials ecs_role one two;', 'ecs_role [NAME]' ],
    [ 'credentials ecs_role; metadata_endpoint ftp://x;', '"ftp://x"' ],
    [ 'credentials ecs_role; metadata_endpoint 127.0.0.1;', 'http://' ],
    [ 'credentials ecs_role; metadata_endpoint http://x/latest;',
        'http://x/latest' ],
    [ 'credentials env; metadata_endpoint http://x;',
        '"metadata_endpoint" of "live_record_bucket" "b" has no meaning' ],
    [ 'credentials file %%TESTDIR%%/none;', 'none" cannot be read (2: ' ],
    [ 'credentials file %%TESTDIR%%/lines work;', 'no profiles' ],
    [ 'credentials file %%TESTDIR%%/ini work;', 'no such profile' ],
    [ 'credentials file %%TESTDIR%%/ini default more;', 'file PATH [PROF' ],
) {
    my ($setting, $part) = @$_;

    write_file($t->dir() . '/lines', "id\nTOPSECRET\n");
    write_file($t->dir() . '/ini', "[default]\naccess_key_id = id\n"
        . "access_key_secret = TOPSECRET\n[play]\naccess_key_id = p\n"
        . "access_key_secret = TOPSECRET\n");
    chmod 0640, map { $t->dir() . "/$_" } qw/ lines ini /;

    unlike(bad(substr($setting, 0, 60), $part,
        "$spool live_record_bucket b { $oss $setting }"), qr/TOPSECRET/,
        '... and no secret');
}

for (
    [ 'file %%TESTDIR%%/lines', 0640, 0 ],
    [ 'file %%TESTDIR%%/ini', 0600, 0 ],
    [ 'file %%TESTDIR%%/ini play', 0644, 1 ],
) {
    my ($credentials, $mode, $warned) = @$_;

    chmod $mode, map { $t->dir() . "/$_" } qw/ lines ini /;

    my ($ok, $out) = $t->test_conf(conf(
        "$spool live_record_bucket b { $oss credentials $credentials; }"));

    ok($ok, "good: $credentials") or diag($out);
    is($out =~ /\[warn\].*can be read by others/ ? 1 : 0, $warned,
        sprintf '... and may be read with mode %o, or not', $mode);
}

# what root can read the workers may not be able to

SKIP: {
    skip 'not root', 4 if $> != 0;

    for ([ 0, 1 ], [ (getpwnam 'www-data')[2], 0 ]) {
        my ($owner, $warned) = @$_;

        chmod 0600, $t->dir() . '/lines';
        chown $owner, -1, $t->dir() . '/lines';

        my ($ok, $out) = $t->test_conf(conf("$spool live_record_bucket b {
            $oss credentials file %%TESTDIR%%/lines; }"));

        ok($ok, "good: credentials of user $owner") or diag($out);
        my $re = qr/\[warn\] .*lines" of "credentials file" cannot be read /
            . 'by the user of the workers, "www-data"';
        is($out =~ $re ? 1 : 0, $warned,
            '... whom the workers are, or not');
    }
}

bad('credentials without a secret', 'credentials',
    "$spool live_record_bucket b { $oss credentials key ONLYTHEID; }");

my $out = bad('too many credentials', 'credentials',
    "$spool live_record_bucket b { $oss
        credentials key ID TOPSECRET TOKEN MORE; }");
unlike($out, qr/TOPSECRET|TOKEN/, 'no secret in the message');

# callbacks

my $hook = 'live_record_notify';

good("$hook $_", $spool . $bucket, "$hook $_;") for
    'http://hook.example.com', 'https://127.0.0.1:8443/a?token=b status=on'
    . ' fragments=on key=0123456789abcdefABCDEFGHIJKLMNOP retry=7d'
    . ' ca_file=one.pem on_demand=http://[::1]/ask',
    'http://h/ status=off fragments=off retry=1s';

bad("$hook to $_", $hook, $spool . $bucket, "$hook $_;") for
    'hook.example.com', 'ftp://hook.example.com', 'http://',
    'http://h/' . 'x' x 1024, 'http://h on_demand=file:///etc/passwd';

for (
    [ 'status=yes', 'status' ], [ 'fragments=1', 'fragments' ],
    [ 'retry=0', 'retry' ], [ 'retry=8d', 'retry' ], [ 'retry=x', 'retry' ],
    [ 'ca_file=', 'ca_file' ], [ 'unknown=SECRETSECRET', 'unknown' ],
    [ 'key=SECRET', 'key' ], [ 'key=SECRETSECRET/SECRET', 'key' ],
    [ 'key=' . 'SECRET' x 6, 'key' ]
) {
    $out = bad("$hook with $_->[0]", $_->[1], $spool . $bucket,
        "$hook http://h $_->[0];");
    unlike($out, qr/SECRET/, 'no secret in the message');
}

$out = bad('a user of a receiver', $hook, $spool . $bucket,
    "$hook http://user:SECRET\@h/;");
unlike($out, qr/SECRET/, 'no secret in the message');

bad('two receivers', $hook, $spool . $bucket,
    "$hook http://h/; $hook http://h/;");
bad('two receivers in servers without a domain', $hook, $spool . $bucket,
    "$hook http://h/; } server { listen 127.0.0.1:%%PORT_other%%;"
    . " $hook http://h/;");
bad('two receivers of a domain', $hook, $spool . $bucket,
    "live_record_domain a.b; $hook http://h/; }"
    . " server { listen 127.0.0.1:%%PORT_other%%;"
    . " live_record_domain a.b; $hook http://h/;");
bad('two receivers of a domain in two cases', $hook, $spool . $bucket,
    "live_record_domain a.b; $hook http://h/; }"
    . " server { listen 127.0.0.1:%%PORT_other%%;"
    . " live_record_domain A.b; $hook http://h/;");
good('two receivers of two domains', $spool . $bucket,
    "live_record_domain a.b; $hook http://h/; }"
    . " server { listen 127.0.0.1:%%PORT_other%%;"
    . " live_record_domain c.b; $hook http://h/;");
for ([ 'connections', qw/ 0 257 x / ],
    [ 'limit_rate', qw/ 16383 1x -1 15k off / ])
{
    my ($name, @values) = @$_;

    like(bad("$name $_", "\"$_\"",
        "$spool live_record_bucket b { $oss $name $_; }"),
        qr/of "$name", it must be /, '... and says what it may be') for @values;
}

good("limit_rate $_",
    "$spool live_record_bucket b { type dir; root %%TESTDIR%%/b;
        limit_rate $_; }") for qw/ 0 16k 100m /;

bad('a spool without a name', '"live_record_spool" directive is empty',
    "live_record_spool ''; $bucket");
bad('spool twice', 'live_record_spool', "$spool $spool $bucket");
bad("max_size=$_", $_,
    "live_record_spool %%TESTDIR%%/spool max_size=$_; $bucket")
    for qw/ abc 0 -1 /;
bad("min_free=$_", 'min_free',
    "live_record_spool %%TESTDIR%%/spool min_free=$_; $bucket")
    for 'abc', '-1', '1x', '';
bad("$_ twice", '"' . s/=.*//r . '" is duplicate in "live_record_spool"',
    "live_record_spool %%TESTDIR%%/spool $_; $bucket") for
    'fsync=on fsync=off', 'max_size=1g buffer=1m max_size=2g';
unlike(bad("$_ twice", '"' . s/=.*//r . "\" is duplicate in \"$hook\"",
    $spool . $bucket, "$hook http://h/?key=a $_;"), qr/SECRET/,
    '... without a secret') for
    'on_demand=http://a/ on_demand=http://b/',
    'key=SECRETSECRETSECRET key=SECRETSECRETSECRET';
bad('unknown parameter of the spool', 'size=1g',
    "live_record_spool %%TESTDIR%%/spool size=1g; $bucket");

bad("timezone $_", $_, "$spool $bucket live_record_timezone $_;")
    for 'nowhere', '+25:00', '+08:61', '8';

bad('a template without a spool', 'live_record_spool', $bucket,
    'live_record * * { bucket local; }');
bad('unknown bucket', 'nobody', $spool . $bucket,
    'live_record * * { bucket nobody; }');
bad('no bucket', 'bucket', $spool . $bucket, 'live_record * * { }');
bad('the same template twice', 'live_record', $spool . $bucket,
    'live_record a b { bucket local; } live_record a b { bucket local; }');
bad('one name in server', 'live_record', $spool . $bucket,
    'live_record a { bucket local; }');
bad('two names in application', 'live_record', $spool . $bucket, '',
    'live_record a b { bucket local; }');
bad("the name $_", $_, $spool . $bucket, "live_record a $_ { bucket local; }")
    for 'a.b', 'a*', 'a/b', 'n' x 256;

bad_conf("in the application $_", "\"application\" \"$_\": AppName must be",
    conf($spool . $bucket, '', 'live_record * { bucket local; }')
        =~ s/application live/application $_/r)
    for 'a.b', '*', 'n' x 256;

# each with the directive that it begins with

for (
    [ 'cycle 14m;', '14m' ], [ 'cycle 7h;', '7h' ], [ 'cycle x;', 'x' ],
    [ 'fragment 4s;', '4s' ], [ 'fragment 31s;', '31s' ],
    [ 'on_demand on;', 'off", "callback", "push_args" or "command"' ],
    [ 'on_demand_fail retry;', '"record" or "skip"' ],
    [ 'on_demand callback;', 'on_demand=' ],
    [ 'grace 0;', '0' ], [ 'grace 7h;', '7h' ], [ 'grace -1s;', '-1s' ],
    [ 'format avi;', 'avi' ], [ 'format m3u8 m3u8;', 'm3u8' ],
    [ 'format mp4 flv mp4;', '"mp4" is duplicate' ],
    [ 'format mp4 ts;', '"ts"' ],
    [ 'path {AppName}/{StreamName};', '{AppName}/{StreamName}' ],
    [ 'path {Nothing}_{EscapedStartTime};', '{Nothing}' ],
    [ 'path {EscapedStartTime;', '{EscapedStartTime' ],
    [ 'path ../{EscapedStartTime};', '..' ],
    [ 'path a//{EscapedStartTime};', '//' ],
    [ 'path /{EscapedStartTime};', '/{EscapedStartTime}' ],
    [ 'path ' . 'a' x 256 . '{EscapedStartTime};', 'aaaa' ],
    [ 'fragment_path {UnixTimestamp};', '{Sequence}' ],
    [ 'fragment_path {Sequence};', '{UnixTimestamp}' ],
    [ 'index_path {Hour}.m3u8;', '{Hour}' ],
    [ 'bucket local other;', 'bucket' ],
    [ 'include;', 'number of arguments in "include" of "live_record"' ],
    [ 'include a b;', 'number of arguments in "include" of "live_record"' ],
    [ 'colour red;', 'colour' ],
) {
    my ($setting, $part) = @$_;
    my ($directive) = $setting =~ /^(\w+)/;

    my $said = bad(substr($setting, 0, 60), $part, $spool . $bucket,
        "live_record * * { bucket local; $setting }");

    like($said, qr/\b$directive\b/, "... and names $directive");
}


# the API, in http

my $keys = $t->dir() . '/api-keys';

write_file($keys, "id s3cret\n");
chmod 0600, $keys;

my $file = 'live_record_api_keys %%TESTDIR%%/api-keys;';

unlike(good_conf("api: $_->[0]", http(@$_[1 .. $#$_])), qr/warn/,
    '... without a warning') for (
    [ 'keys in location', "live_record_api; $file" ],
    [ 'keys in http', 'live_record_api;', $file ],
    [ 'a path from the prefix', 'live_record_api;
        live_record_api_keys api-keys;' ],
    [ 'keys alone', $file ],
);

like(good_conf('api: no keys', http('live_record_api;')),
    qr/\[warn\] "live_record_api" refuses every call, as there is no /,
    '... which is told');

for (
    [ 'missing', 'none', qr/cannot be opened \(2: / ],
    [ 'a directory', 'spool', qr/is not a file/, mkdir $t->dir() . '/spool' ],
    [ 'malformed', 'broken', qr/line 2: the access key secret is missing/,
        write_file($t->dir() . '/broken', "id s3cret\ns3cret\n") ],
) {
    my ($name, $path, $say) = @$_;
    my $said = good_conf("api: keys are $name",
        http("live_record_api; live_record_api_keys %%TESTDIR%%/$path;"));

    like($said, qr/\[warn\].*no call is allowed, as .*\/$path".*: $say/,
        '... and nobody may call');
    unlike($said, qr/s3cret/, '... no secret in the message');
}

chmod 0644, $keys;
like(good_conf('api: keys that all can read', http("live_record_api; $file")),
    qr/\[warn\].*anybody on this machine may read the keys/, '... are told');

bad_conf('api twice', '"live_record_api" directive is duplicate',
    http("$file live_record_api; live_record_api;"));
bad_conf('api with a value', '"live_record_api"',
    http("$file live_record_api on;"));
bad_conf('keys twice', '"live_record_api_keys" directive is duplicate',
    http("$file $file"));
bad_conf('keys without a file', '"live_record_api_keys"',
    http('live_record_api_keys "";'));
for my $name (qw/ live_record_status live_record_metrics /) {
    good_conf($name, http("$name;"));
    good_conf("$name in if",
        http("$name; if (\$arg_a) { return 403; } limit_except GET "
            . '{ deny all; }'));
    bad_conf("$name twice", "\"$name\" directive is duplicate",
        http("$name; $name;"));
    bad_conf("$name with a value", "\"$name\"", http("$name on;"));
    bad_conf("$name in server", "\"$name\" directive is not allowed",
        http('', "server { $name; }"));
    bad_conf("$name and the API", 'has another content handler',
        http("$file $name; live_record_api;"));
    bad_conf("the API and $name", 'has another content handler',
        http("$file live_record_api; $name;"));
}

# one that comes later does not ask

for my $ours (qw/ live_record_api live_record_status live_record_metrics /) {
    bad_conf("$ours and $_", "\"$ours\" has another content handler in its "
        . 'location "/"', http("$file $ours; $_"))
        for 'proxy_pass http://127.0.0.1;', 'empty_gif;';
    bad_conf("empty_gif and $ours", "\"$ours\" directive has another content "
        . 'handler', http("$file empty_gif; $ours;"));
    good_conf("$ours but for some requests", http("$file $ours;
        if (\$arg_a) { proxy_pass http://127.0.0.1; }
        limit_except GET { proxy_pass http://127.0.0.1; }"));
}

bad_conf('status and metrics', '"live_record_metrics" directive has another '
    . 'content handler', http('live_record_status; live_record_metrics;'));

bad_conf('api in server', '"live_record_api" directive is not allowed',
    http('', "$file server { live_record_api; }"));
bad('api in rtmp', '"live_record_api" directive is not allowed',
    'live_record_api;');

# one of the two blocks, or none

good_conf('no rtmp', http("live_record_api; $file")
    =~ s/^rtmp \{.*?^\}\n//msr);
good_conf('no rtmp, no http', "%%GLOBALS%%\nevents { }\n");

# a place that cannot be used

write_file($t->dir() . '/file', '');

bad('a spool that is a file', 'file',
    "live_record_spool %%TESTDIR%%/file; $bucket", '',
    'live_record * { bucket local; }');
bad('a bucket that is a file', 'file',
    "$spool live_record_bucket local { type dir; root %%TESTDIR%%/file; }",
    '', 'live_record * { bucket local; }');

# somebody's directory is no spool, one that was a spool before is

{
    my $dir = $t->dir() . '/theirs';
    my @conf = ("live_record_spool %%TESTDIR%%/theirs; $bucket", '',
        'live_record * { bucket local; }');

    make_path("$dir/lost+found", "$dir/.hidden");
    chown +(getpwnam 'www-data')[2], -1, $dir if $> == 0;
    good('a spool with nothing that is somebody\'s', @conf);

    make_path("$dir/app/stream");
    bad('a spool with other files', 'theirs" holds files that are not of a '
        . 'spool', @conf);

    for my $ours (qw/ .owner .tmp quarantine /) {
        mkdir "$dir/$ours";
        good("a spool with $ours", @conf);
        rmdir "$dir/$ours";
    }
}

# one in the other, also if it is the root of all

SKIP: {
    skip 'not root', 2 if $> != 0;

    (my $conf = $t->expand(conf("$spool live_record_bucket local
        { type dir; root /; }", '', 'live_record * { bucket local; }')))
        =~ s/user www-data/user root/;

    bad_conf('a bucket above the spool', 'must not be one in the other',
        $conf);
}

# directories are made with their rights, whatever the umask is

{
    my $mask = umask 077;

    good('a umask', "live_record_spool %%TESTDIR%%/a/spool;
        live_record_bucket local { type dir; root %%TESTDIR%%/b/c; }", '',
        'live_record * { bucket local; }');
    umask $mask;

    is(sprintf('%o', (stat $t->dir() . "/$_->[0]")[2] & 07777), $_->[1],
        "... and the rights of $_->[0]")
        for [ 'a', 755 ], [ 'a/spool', 700 ], [ 'b', 755 ], [ 'b/c', 755 ];
}

# these are found after the log is opened

$t->allow(qr/\[emerg\].*\/file/, qr/\[emerg\].*theirs/,
    qr/must not be one in the other/);

$t->done();

###############################################################################

sub conf {
    my ($rtmp, $server, $app) = (@_, '', '');

    # {AppName} and the like would begin a block
    s/((?:index_|fragment_)?path) ([^\s";]*\{[^\s";]*);/$1 "$2";/g
        for $rtmp, $server, $app;

    return <<"EOF_CONF";
%%GLOBALS%%

events {
}

rtmp {
    $rtmp

    server {
        listen 127.0.0.1:%%PORT%%;
        $server

        application live {
            live on;
            $app
        }
    }
}
EOF_CONF
}

# the same in http, beside an rtmp that records

sub http {
    my ($location, $http) = (@_, '', '');

    return conf("$spool $bucket", '', 'live_record * { bucket local; }')
        . <<"EOF_CONF";
http {
    %%GLOBALS_HTTP%%
    $http

    server {
        listen 127.0.0.1:%%PORT_HTTP%%;

        location / {
            $location
        }
    }
}
EOF_CONF
}

sub good {
    my ($name, @conf) = @_;
    return good_conf($name, conf(@conf));
}

sub good_conf {
    my ($name, $conf) = @_;
    my ($ok, $out) = $t->test_conf($conf);

    ok($ok, "good: $name") or diag($out);

    return $out;
}

sub bad {
    my ($name, $part, @conf) = @_;
    return bad_conf($name, $part, conf(@conf));
}

sub bad_conf {
    my ($name, $part, $conf) = @_;
    my ($ok, $out) = $t->test_conf($conf);

    ok(!$ok, "bad: $name");

    my ($message) = $out =~ /(\[emerg\][^\n]*)/;
    $message = '' unless defined $message;

    # the file's own name says nothing
    $message =~ s/ in \S+:\d+$//;

    like($message, qr/\Q$part\E/, '... and says why');

    return $out;
}

###############################################################################
