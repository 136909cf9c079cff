#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# Keys that a store refuses before their end, of a role and of a file, and
# files that are replaced or broken.

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

my $t = LiveRecord->new();
my $dir = $t->dir();

my $buckets = LiveRecord::Credentials->new($t,
    keys => [ map { { id => "$_.id", secret => "$_.secret" } }
        qw/ old profile torn / ],
    roles => { revoked => { service => {} },
        twice => { service => { kind => 'aws' } } },
    files => { rotated => 'file rotated.key',
        profile => 'file profiles.conf recorder', torn => 'file torn.key' });

my $m = $buckets->metadata();

$buckets->key_file('rotated.key', 'old.id', 'old.secret');
$buckets->key_file('torn.key', 'torn.id', 'torn.secret');
$buckets->key_file('profiles.conf', '[default]', 'access_key_id = other.id',
    'access_key_secret = other.secret', '[recorder]',
    'access_key_id = profile.id', 'access_key_secret = profile.secret');
chmod 0644, "$dir/profiles.conf";

$buckets->write_conf();

my $media = media('credentials', seconds => 8);

$t->allow(qr/bucket "(?:rotated|twice)" refuses/);
$t->start();

like(read_file("$dir/error.log"),
    qr/\[warn\] .*profiles\.conf" of "credentials file" can be read by others/,
    'others can read a file: told at the start');

###############################################################################

subtest 'profile: of a section' => sub {
    is($buckets->publish('profile', $media, 'test'), 0, 'published');
    $buckets->all_of('profile', $media);
};

###############################################################################

subtest 'revoked: renewed at once' => sub {
    is($buckets->publish('revoked', $media, 'before'), 0, 'published');
    $buckets->all_of('revoked', $media, 'before');

    my ($id) = $m->keys_of('revoked');
    my $from = my @before = $buckets->store('revoked')->requests('revoked');

    $buckets->oss()->add_keys({ %{$m->get('revoked')->{key}},
        expired => JSON::PP::true() });
    $m->rotate('revoked');

    is($buckets->publish('revoked', $media, 'after'), 0, 'published');
    $buckets->all_of('revoked', $media, 'after');

    my @r = $buckets->store('revoked')->requests('revoked');
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
    is($buckets->publish('twice', $media, 'before'), 0, 'published');
    $buckets->all_of('twice', $media, 'before');

    my $key = $m->get('twice')->{key};
    my $from = my @before = $buckets->store('twice')->requests('twice');
    my $asked = my @asked = $m->requests('twice');

    $buckets->s3()->add_keys({ %$key, expired => JSON::PP::true() });

    is($buckets->publish('twice', $media, 'after'), 0, 'published');
    wait_for(sub { $t->log(qr/bucket "twice" refuses.*ExpiredToken/) }, 20,
        'the log to tell');

    my @r;

    wait_for(sub {
        @r = $buckets->store('twice')->requests('twice');
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
    cmp_ok(scalar $buckets->store('twice')->requests('twice') - $from, '<=', 5,
        'it is tried slowly');

    $buckets->s3()->add_keys({ %$key, expired => JSON::PP::false() });
    $buckets->all_of('twice', $media, 'after');

    is(scalar $t->log(qr/bucket "twice" refuses/), 1, 'told once');
    is(scalar $t->log(qr/bucket "twice" works again/), 1, 'and the end');
};

###############################################################################

subtest 'rotated: a file that is replaced is used at once' => sub {
    is($buckets->publish('rotated', $media, 'before'), 0, 'published');
    $buckets->all_of('rotated', $media, 'before');

    $buckets->oss()->add_keys({ id => 'old.id' });

    is($buckets->publish('rotated', $media, 'after'), 0,
        'published with a key that is gone');
    wait_for(sub { $t->log(qr/bucket "rotated" refuses.*InvalidAccessKey/) },
        20, 'the log to tell');

    # until it is tried every some seconds only
    wait_for(sub {
        return 5 <= grep { $_->{code} } $buckets->oss()->requests('rotated');
    }, 30, 'it to be refused often');

    # as an admin would do it: others can read it by mistake
    $buckets->oss()->add_keys({ id => 'new.id', secret => 'new.secret' });
    $buckets->key_file('rotated.new', 'new.id', 'new.secret');
    chmod 0644, "$dir/rotated.new";

    my $began = time();
    rename "$dir/rotated.new", "$dir/rotated.key" or die;

    wait_for(sub { $t->log(qr/bucket "rotated" works again/) }, 20,
        'it to work again');
    cmp_ok(time() - $began, '<', 3, 'soon');

    $buckets->all_of('rotated', $media, 'after');

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

    is($buckets->publish('torn', $media, 'test'), 0, 'published');
    $buckets->all_of('torn', $media, 'test');

    unlink "$dir/torn.key";
    sleep 1.5;
    $buckets->key_file('torn.key', 'torn.id', 'torn.secret');
    wait_for(sub { $t->log(qr/key of bucket "torn" is renewed again/) }, 10,
        'it to be well');

    is(scalar $t->log(qr/bucket "torn" cannot be renewed/), 1, 'told once');
};

###############################################################################

subtest 'no secrets' => sub { $buckets->no_secrets(8, 'new.secret') };

$buckets->oss()->check('SecurityTokenExpired', 'InvalidAccessKeyId');
$buckets->s3()->check('ExpiredToken');
ok($m->content(), 'the metadata service is content');

# before what it asks goes away
ok($t->stop(), 'nginx stops');

$t->done();

###############################################################################

# seconds of the day, when a request ended

sub clock {
    my ($r) = @_;
    $r->{time} =~ /T(\d\d):(\d\d):([\d.]+)Z/;
    return ($1 * 60 + $2) * 60 + $3;
}

###############################################################################
