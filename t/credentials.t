#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# Keys of a role: they are renewed before they end, and while what gives them
# fails.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;
use Time::HiRes qw/ sleep time /;

use lib "$FindBin::Bin/lib";
use LiveRecord;
use LiveRecord::Credentials;

###############################################################################

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
);

my @runs = grep { $roles{$_}{runs} } sort keys %roles;
my @fails = grep { $roles{$_}{heals} } sort keys %roles;
my @others = grep { !$roles{$_}{runs} && !$roles{$_}{heals} }
    sort keys %roles;

###############################################################################

my $t = LiveRecord->new();
my $buckets = LiveRecord::Credentials->new($t, roles => \%roles);
my $m = $buckets->metadata();

$buckets->write_conf();

my $media = media('credentials', seconds => 8);
my $long = media('credentials', seconds => 26);

$t->allow(qr/bucket "(?:gap|@{[join '|', @fails]})" has no valid access key/);
$t->start();

###############################################################################
# all at once: those that run, and those that begin without a key

my %pubs = map { $_ => $t->start_publish($long, app => $_, speed => 1) }
    @runs;
my %short = map { $_ => $t->start_publish($media, app => $_, speed => 8) }
    @others, @fails;

is((grep { $_->wait(120) != 0 } values %short), 0,
    keys(%short) . ' published');

subtest 'the service fails before there is a key' => sub {
    for my $name (@fails) {
        wait_for(sub { $t->log(qr/bucket "$name" has no valid/) }, 40,
            "the log to tell of $name");

        like(($t->log(qr/bucket "$name" has no valid/))[0],
            $roles{$name}{heals}, "$name: the log says why");
        is(scalar $buckets->store($name)->requests($name), 0,
            "$name: nothing was asked without a key");

        $m->set($name, fault => undef,
            role => $roles{$name}{role} || 'the-role');
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

for my $name (@others) {
    subtest $name => sub { $buckets->all_of($name, $media) };
}

for my $name (@fails) {
    subtest $name => sub {
        $buckets->all_of($name, $media);

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

for my $name (@runs) {
    subtest "$name: keys ended while it ran" => sub {
        is($pubs{$name}->wait(60), 0, 'published');
        $buckets->all_of($name, $long);

        my %used = map { $_ => 1 } $m->keys_of($name);

        cmp_ok(scalar keys %used, '>=', 3, 'keys: ' . keys %used)
            if $name ne 'gap';
        is((grep { $_->{code} } $buckets->store($name)->requests($name)), 0,
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
    is($buckets->publish('hang', $media, 'late'), 0, 'published');
    wait_for(sub { $t->log(qr/bucket "hang" has no valid/) > $told }, 40,
        'the log to tell');

    my $began = time();

    $t->reload();
    wait_for(sub { $t->workers(all => 1) == 1 }, 20, 'the old one to leave');
    ok($t->stop(), 'nginx stops');
    cmp_ok(time() - $began, '<', 10, 'soon');

    $m->set('hang', fault => undef);
    $t->start();
    $buckets->all_of('hang', $media, 'late');
};

###############################################################################

subtest 'no secrets' => sub { $buckets->no_secrets(20) };

$buckets->oss()->check('SecurityTokenExpired');
$buckets->s3()->check();
ok($m->content(), 'the metadata service is content');

# before what it asks goes away
ok($t->stop(), 'nginx stops');

$t->done();

###############################################################################
