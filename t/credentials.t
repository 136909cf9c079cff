#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# Keys of a role and of a file: they are renewed before they end, while what
# gives them fails, and when the store refuses them.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;
use Time::HiRes qw/ sleep time /;

use lib "$FindBin::Bin/lib";
use LiveRecord;
use LiveRecord::Metadata;
use LiveRecord::OSS;

###############################################################################

my $ecs = '/latest/meta-data/ram/security-credentials/';
my $aws = '/latest/meta-data/iam/security-credentials/';

# roles: settings of the service; credentials, if not those of any role;
# heals: the fault ends when the log has told of it

my @short = (ttl => 10, renew => 4);

my %roles = (

    # recorded in real time, while their keys end
    ecs => { service => { @short }, runs => 1 },
    ec2 => { service => { kind => 'aws', @short }, runs => 1 },
    gap => { service => { @short }, runs => 1 },

    # versions of the service
    old => { service => { token => 'none' } },
    both => { service => { token => 'known' } },
    awsv1 => { service => { kind => 'aws', token => 'none' } },
    hop => { service => { token => 'known', fault => 'hang-token' } },
    named => { service => { role => 'my.role' },
        credentials => 'ecs_role my.role' },

    # ways to fail
    e500 => { service => { fault => 500 }, heals => qr/status 500/ },
    e429 => { service => { kind => 'aws', fault => 429 },
        heals => qr/status 429/ },
    hang => { service => { fault => 'hang' },
        heals => qr/no metadata service answers/ },
    malformed => { service => { fault => 'malformed' },
        heals => qr/not a JSON object/ },
    failed => { service => { fault => 'failed' },
        heals => qr/code is "AssumeRoleUnauthorizedAccess"/ },
    large => { service => { kind => 'aws', fault => 'large' },
        heals => qr/no metadata service answers/ },
    none => { service => { role => undef },
        heals => qr/the instance has no RAM role/ },
    other => { service => { kind => 'aws', role => 'theirs' },
        credentials => 'ecs_role mine',
        heals => qr/the instance has no IAM role "mine"/,
        role => 'mine' },

    # keys that the store refuses before their end
    revoked => { service => {} },
    twice => { service => { kind => 'aws' } },
);

my @runs = grep { $roles{$_}{runs} } sort keys %roles;
my @fails = grep { $roles{$_}{heals} } sort keys %roles;
my @others = grep { !/^(?:revoked|twice)$/ && !$roles{$_}{runs}
    && !$roles{$_}{heals} } sort keys %roles;

my %files = (
    rotated => 'file rotated.key',
    profile => 'file profiles.conf recorder',
    torn => 'file torn.key',
);

###############################################################################

my $t = LiveRecord->new();
my $dir = $t->dir();

my @fixed = ({ id => 'old.id', secret => 'old.secret' },
    { id => 'profile.id', secret => 'profile.secret' },
    { id => 'torn.id', secret => 'torn.secret' });

my %store = (
    oss => LiveRecord::OSS->new($t, keys =>
        [ map { "$_->{id}:$_->{secret}" } @fixed ]),
    s3 => LiveRecord::OSS->new($t, s3 => 1, name => 's3', keys =>
        [ 'nobody:nothing' ]),
);

my $m = LiveRecord::Metadata->new($t, map { $_ => {
    store => store($_)->control_url(), %{$roles{$_}{service}} } }
    keys %roles);

key_file('rotated.key', 'old.id', 'old.secret');
key_file('torn.key', 'torn.id', 'torn.secret');
key_file('profiles.conf', '[default]', 'access_key_id = other.id',
    'access_key_secret = other.secret', '[recorder]',
    'access_key_id = profile.id', 'access_key_secret = profile.secret');
chmod 0644, "$dir/profiles.conf";

$t->write_conf(conf());

my $media = media('credentials', seconds => 8);
my $long = media('credentials', seconds => 26);

my %video = map { $_ => [ frames($_, 'v') ] } $media, $long;
my %audio = map { $_ => [ packets($_, 'a') ] } $media, $long;

$t->allow(qr/bucket "(?:gap|@{[join '|', @fails]})" has no valid access key/,
    qr/bucket "(?:rotated|twice)" refuses/);
$t->start();

like(read_file("$dir/error.log"),
    qr/\[warn\] .*profiles\.conf" of "credentials file" can be read by others/,
    'others can read a file: told at the start');

###############################################################################
# all at once: those that run, and those that begin without a key

my %pubs = map { $_ => $t->start_publish($long, app => $_, speed => 1) }
    @runs;
my %short = map { $_ => $t->start_publish($media, app => $_, speed => 8) }
    @others, @fails, 'profile';

is((grep { $_->wait(120) != 0 } values %short), 0,
    keys(%short) . ' published');

subtest 'the service fails before there is a key' => sub {
    for my $name (@fails) {
        my $c = $roles{$name};

        wait_for(sub { $t->log(qr/bucket "$name" has no valid/) }, 40,
            "the log to tell of $name");

        like(($t->log(qr/bucket "$name" has no valid/))[0], $c->{heals},
            "$name: the log says why");
        is(scalar store($name)->requests($name), 0,
            "$name: nothing was asked without a key");

        $m->set($name, fault => undef, role => $c->{role} || 'the-role');
    }
};

# the service fails from now on, until the key has ended

subtest 'gap: the service fails while a stream runs' => sub {
    wait_for(sub { $m->keys_of('gap') >= 1 }, 20, 'a key');
    $m->set('gap', fault => 500);

    wait_for(sub { $t->log(qr/bucket "gap" has no valid access key/) }, 40,
        'the log to tell of the end');

    my @old = $t->log(qr/key of bucket "gap" cannot be renewed, the last/);
    my @none = $t->log(qr/bucket "gap" has no valid access key/);

    is(scalar @old, 1, 'first it was used on: told once');
    like($old[0], qr/\[warn\].*status 500/, 'with the reason');
    is(scalar @none, 1, 'then it was not: told once');

    sleep 2;
    $m->set('gap', fault => undef);

    wait_for(sub { $t->log(qr/key of bucket "gap" is renewed again/) }, 60,
        'the key to be renewed');
};

###############################################################################

for my $name (@others, 'profile') {
    subtest $name => sub { all_of($name, $media) };
}

for my $name (@fails) {
    subtest $name => sub {
        all_of($name, $media);

        is(scalar $t->log(qr/bucket "$name" has no valid/), 1,
            'told once');
        is(scalar $t->log(qr/key of bucket "$name" is renewed again/), 1,
            'and that it is well');
        is(scalar $t->log(qr/bucket "$name" (?:refuses|fails)/), 0,
            'the bucket itself was never asked in vain');
    };
}

subtest 'how the services were asked' => sub {
    my %urls = (
        old => "PUT token 404 none, GET list 200 none, GET key 200 none",
        both => "PUT token 200 none, GET list 200 good, GET key 200 good",
        hop => "GET list 200 none, GET key 200 none",
        named => "PUT token 200 none, GET key 200 good",
        awsv1 => "PUT token 404 none, GET list 200 none, GET key 200 none",
    );

    for my $name (sort keys %urls) {
        my @asked = grep { $_->{status} && $_->{at} } $m->requests($name);

        # one that got no answer
        shift @asked if $name eq 'hop';

        is(join(', ', map { join ' ', $_->{method},
            $_->{url} =~ /token$/ ? 'token' : $_->{url} =~ m!/$! ? 'list'
            : 'key', $_->{status}, $_->{token} } @asked), $urls{$name},
            $name);
    }

    for my $name (sort keys %roles) {
        is($m->get($name)->{most}, 1, "$name: never two at a time");
    }
};

###############################################################################

subtest 'revoked: renewed at once' => sub {
    is(publish('revoked', 'before'), 0, 'published');
    all_of('revoked', $media, 'before');

    my ($id) = $m->keys_of('revoked');
    my $from = my @before = store('revoked')->requests('revoked');

    $store{oss}->add_keys({ %{$m->get('revoked')->{key}},
        expired => JSON::PP::true() });
    $m->rotate('revoked');

    is(publish('revoked', 'after'), 0, 'published');
    all_of('revoked', $media, 'after');

    my @r = store('revoked')->requests('revoked');
    @r = @r[$from .. $#r];

    my ($refused) = grep { $r[$_]{code} } 0 .. $#r;

    is((grep { $_->{code} } @r), 1, 'refused once');
    is($r[$refused]{code}, 'SecurityTokenExpired', 'as it had expired');
    cmp_ok(clock($r[$refused + 1]) - clock($r[$refused]), '<', 2,
        'and tried again at once');
    is(scalar $m->keys_of('revoked'), 2, 'two keys');
    is(scalar $t->log(qr/bucket "revoked" (?:refuses|fails)/), 0,
        'the log is silent');
};

subtest 'twice: a fresh key is refused, too' => sub {
    is(publish('twice', 'before'), 0, 'published');
    all_of('twice', $media, 'before');

    my $key = $m->get('twice')->{key};
    my $from = my @before = store('twice')->requests('twice');
    my $asked = my @asked = $m->requests('twice');

    $store{s3}->add_keys({ %$key, expired => JSON::PP::true() });

    is(publish('twice', 'after'), 0, 'published');
    wait_for(sub { $t->log(qr/bucket "twice" refuses.*ExpiredToken/) }, 20,
        'the log to tell');

    my @r;

    wait_for(sub {
        @r = store('twice')->requests('twice');
        @r = @r[$from .. $#r];
        return @r >= 2;
    }, 10, 'the log of the store');

    is(join(' ', map { $_->{code} || 'good' } @r[0, 1]),
        'ExpiredToken ExpiredToken', 'refused twice');
    cmp_ok(clock($r[1]) - clock($r[0]), '<', 2, 'the second time at once');
    cmp_ok(scalar $m->requests('twice'), '>', $asked,
        'it was asked for another one');

    # slowly from now on
    sleep 2;
    cmp_ok(scalar store('twice')->requests('twice') - $from, '<=', 5,
        'it is tried slowly');

    $store{s3}->add_keys({ %$key, expired => JSON::PP::false() });
    all_of('twice', $media, 'after');

    is(scalar $t->log(qr/bucket "twice" refuses/), 1, 'told once');
    is(scalar $t->log(qr/bucket "twice" works again/), 1, 'and the end');
};

###############################################################################

subtest 'rotated: a file that is replaced is used at once' => sub {
    is(publish('rotated', 'before'), 0, 'published');
    all_of('rotated', $media, 'before');

    $store{oss}->add_keys({ id => 'old.id' });

    is(publish('rotated', 'after'), 0, 'published with a key that is gone');
    wait_for(sub { $t->log(qr/bucket "rotated" refuses.*InvalidAccessKey/) },
        20, 'the log to tell');

    # until it is tried every some seconds only
    wait_for(sub {
        return 5 <= grep { $_->{code} } $store{oss}->requests('rotated');
    }, 30, 'it to be refused often');

    # as an admin would do it: others can read it by mistake
    $store{oss}->add_keys({ id => 'new.id', secret => 'new.secret' });
    key_file('rotated.new', 'new.id', 'new.secret');
    chmod 0644, "$dir/rotated.new";

    my $began = time();
    rename "$dir/rotated.new", "$dir/rotated.key" or die;

    wait_for(sub { $t->log(qr/bucket "rotated" works again/) }, 20,
        'it to work again');
    cmp_ok(time() - $began, '<', 3, 'soon');

    all_of('rotated', $media, 'after');

    is(scalar $t->log(qr/bucket "rotated" refuses/), 1, 'told once');

    my $warned = qr/rotated\.key".* of bucket "rotated", can be read by oth/;

    is(scalar $t->log($warned), 1, 'others can read it: told');
    is(scalar $t->log(qr/profiles\.conf", the file/), 0,
        'what was told at the start is not told again');

    chmod 0600, "$dir/rotated.key";
    sleep 2.5;
    is(scalar $t->log($warned), 1, 'once');
    chmod 0604, "$dir/rotated.key";
    wait_for(sub { $t->log($warned) == 2 }, 10, 'it to be told again');
};

subtest 'torn: a file that is broken for a while' => sub {
    write_file("$dir/torn.key", "only.the.id\n");
    wait_for(sub { $t->log(qr/bucket "torn" cannot be renewed, the last/) },
        10, 'the log to tell');

    is(publish('torn', 'test'), 0, 'published');
    all_of('torn', $media, 'test');

    unlink "$dir/torn.key";
    sleep 1.5;
    key_file('torn.key', 'torn.id', 'torn.secret');
    wait_for(sub { $t->log(qr/key of bucket "torn" is renewed again/) }, 10,
        'it to be well');

    is(scalar $t->log(qr/bucket "torn" cannot be renewed/), 1, 'told once');
};

###############################################################################

for my $name (@runs) {
    subtest "$name: keys ended while it ran" => sub {
        is($pubs{$name}->wait(60), 0, 'published');
        all_of($name, $long);

        my %used = map { $_ => 1 } $m->keys_of($name);

        cmp_ok(scalar keys %used, '>=', 3, 'keys: ' . keys %used)
            if $name ne 'gap';
        is((grep { $_->{code} } store($name)->requests($name)), 0,
            'none was refused') if $name ne 'gap';
        is(scalar $t->log(qr/bucket "$name" (?:refuses|fails)/), 0,
            'the log is silent');
    };
}

# no request waits for a key while nginx leaves

subtest 'a reload and an end without a key' => sub {
    $t->allow(qr/bucket "hang" has no valid access key/);

    my $told = $t->log(qr/bucket "hang" has no valid/);
    $m->set('hang', fault => 'hang');

    $t->reload();
    is(publish('hang', 'late'), 0, 'published');
    wait_for(sub { $t->log(qr/bucket "hang" has no valid/) > $told }, 40,
        'the log to tell');

    my $began = time();

    $t->reload();
    wait_for(sub { $t->workers(all => 1) == 1 }, 20, 'the old one to leave');
    ok($t->stop(), 'nginx stops');
    cmp_ok(time() - $began, '<', 10, 'soon');

    $m->set('hang', fault => undef);
    $t->start();
    all_of('hang', $media, 'late');
};

###############################################################################

subtest 'no secrets' => sub {
    my @secrets = (map { $_->{secret} } @fixed);
    push @secrets, grep { defined } map { @{$m->get($_)->{key} || {}}
        {qw/ secret token /} } keys %roles;

    my $log = $t->log();

    cmp_ok(scalar @secrets, '>', 20, 'there are some');
    is((grep { index($log, $_) != -1 } @secrets, 'new.secret'), 0,
        'none in the log');
};

$store{oss}->check('SecurityTokenExpired', 'InvalidAccessKeyId');
$store{s3}->check('ExpiredToken');
ok($m->content(), 'the metadata service is content');

# before what it asks goes away
ok($t->stop(), 'nginx stops');

$t->done();

###############################################################################

sub kind { return ($roles{$_[0]} || {})->{service}{kind} || 'ecs' }
sub store { return $store{kind($_[0]) eq 'aws' ? 's3' : 'oss'} }

sub key_file {
    my ($name, @lines) = @_;

    write_file("$dir/$name", join '', map { "$_\n" } @lines);
    chmod 0600, "$dir/$name";

    # the workers are another user
    chown scalar(getpwnam 'www-data'), -1, "$dir/$name" if $> == 0;
}

sub conf {
    my ($blocks, $applications) = ('', '');

    for my $name (sort(keys %roles), sort keys %files) {
        my $c = $roles{$name};
        my $type = kind($name) eq 'aws' ? 's3' : 'oss';
        my $region = $type eq 's3' ? 'us-east-1' : 'cn-hangzhou';
        my $credentials = $files{$name} || $c->{credentials} || 'ecs_role';

        $credentials .= '; metadata_endpoint http://127.0.0.1:'
            . $m->port($name) if $c;

        $blocks .= "    live_record_bucket $name { type $type;"
            . " bucket $name; region $region;\n        endpoint"
            . ' http://127.0.0.1:' . store($name)->port()
            . "; credentials $credentials; }\n";

        $applications .= "        application $name { live on;"
            . " live_record * {\n            bucket $name; fragment 5s;"
            . " grace 1s; } }\n";
    }

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

sub publish {
    my ($app, $name) = @_;
    return $t->publish($media, app => $app, name => $name, speed => 8);
}

# one recording, and the day of it

sub all_of {
    my ($app, $file, $name) = @_;
    $name = 'test' unless defined $name;

    $t->bucket(store($app)->bucket($app));

    my @cycles = $t->wait_recorded(1, app => $app, name => $name,
        seconds => 60);
    my @days = $t->days($name, $app);

    is(scalar @cycles, 1, 'a cycle');
    is(scalar @days, 1, 'a day');

    playlist_ok($_) for @cycles, @days;
    is(join(' ', names_of($days[0])), join(' ', names_of($cycles[0])),
        'the same fragments');

    same_frames([ frames($days[0], 'v') ], $video{$file}, 'video');
    same_frames([ packets($days[0], 'a') ], $audio{$file}, 'audio packets');
}

sub names_of {
    my ($list) = @_;
    return map { s!.*/!!r } segments_of($list);
}

# seconds of the day, when a request ended

sub clock {
    my ($r) = @_;
    $r->{time} =~ /T(\d\d):(\d\d):([\d.]+)Z/;
    return ($1 * 60 + $2) * 60 + $3;
}

###############################################################################
