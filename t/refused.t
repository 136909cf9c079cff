#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# Publishers that are refused leave nothing behind, nor do bad names.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;

use lib "$FindBin::Bin/lib";
use LiveRecord;

###############################################################################

my $t = LiveRecord->new();

$t->start_http('HOOK', sub {
    my ($r) = @_;

    return 200 unless $r->{body} =~ /\bname=(\w+)/;

    # a rewritten name is the name that counts
    return (302, [ Location => 'right_name' ]) if $1 eq 'secret_key';
    return $1 eq 'good' ? 200 : 403;
});

$t->write_conf(<<'EOF_CONF');
%%GLOBALS%%

events {
    worker_connections 64;
}

rtmp {
    live_record_spool %%TESTDIR%%/spool;
    live_record_bucket local { type dir; root %%TESTDIR%%/bucket; }

    server {
        listen 127.0.0.1:%%PORT%%;

        live_record * * { bucket local; grace 1s; }

        application live {
            live on;
        }

        application closed {
            live on;
            deny publish all;
        }

        application asked {
            live on;
            on_publish http://127.0.0.1:%%PORT_HOOK%%/publish;
        }

        application off {
            live off;
        }
    }
}
EOF_CONF

my $file = media('short');
my @video = frames($file, 'v');
my @audio = packets($file, 'a');

$t->start();

# refused

like($t->publish($file, app => 'closed', speed => 0), qr/^[34]$/,
    'deny publish');
like($t->publish($file, app => 'asked', name => 'bad', speed => 0),
    qr/^[34]$/, 'on_publish says 403');

$t->publish($file, app => 'off', speed => 0);

# names that are no names of streams

my @names = ('a.b', 'a b', '..', '.', 'a%2fb', "\xc3\xa9", 'a~b', 'a:b',
    '-a.', 'a*', "a\nb\x7f");

for my $name (@names) {
    is($t->publish($file, name => $name, speed => 0), 0,
        "published as \"$name\"");
}

my @long = ('n' x 255, 'A-Z_a-z-0-9');

is($t->publish($file, name => $_, speed => 0), 0, 'published as ' .
    substr $_, 0, 12) for @long;

# what may be published while others are refused

my $p = $t->start_publish($file, name => 'taken', speed => 20,
    end => 'hold');
$p->wait_media(2000);

my $second = $t->start_publish($file, name => 'taken', speed => 0);

is($second->wait(), 3, 'a second publisher is refused');
like($second->out(), qr/BadName/, 'and told why');

$p->wait_event('holding');
$p->kill('TERM');
is($p->wait(), 0, 'the first one is not disturbed');

is($t->publish($file, app => 'asked', name => 'good', speed => 0), 0,
    'on_publish says 200');
is($t->publish($file, app => 'asked', name => 'secret_key', speed => 0), 0,
    'on_publish says 302');

cmp_ok(scalar $t->requests('HOOK'), '>=', 3, 'on_publish was asked');

# what is there, is whole

for (map { [ @$_ ] } [ 'live', 'taken' ], [ 'asked', 'good' ],
    [ 'asked', 'right_name' ], map { [ 'live', $_ ] } @long)
{
    my ($app, $name) = @$_;
    my $what = "$app/" . substr $name, 0, 12;
    my @cycles = $t->wait_recorded(1, app => $app, name => $name);

    is(scalar @cycles, 1, "$what: one recording");
    same_frames([ frames($cycles[0], 'v') ], \@video, "$what: video");
    same_frames([ packets($cycles[0], 'a') ], \@audio, "$what: audio");
}

# and nothing else is there

my $names = join '|', 'live/taken', 'asked/good', 'asked/right_name',
    map { "live/$_" } @long;

my @else = grep { !m!^(?:record/|\.live_record/)?(?:$names)/! }
    files_in($t->bucket());

is(join(' ', @else), '', 'nothing of the others in the bucket');

# the spool's own files lie at its top

@else = grep { m!/! && !m!^(?:$names)/! } files_in($t->spool());

is(join(' ', @else), '', 'nothing of the others in the spool');

for my $name ('a.b', 'a b', 'a:b') {
    cmp_ok(scalar $t->log(qr/live record:.*\Q$name\E/), '>=', 1,
        "the log says that \"$name\" is not recorded");
}

is(scalar $t->log(qr/live record:.*secret_key/), 0,
    'the key of the publisher is not in our lines');

is(scalar $t->log(qr/"off\/test" is not recorded: "live" is off in its/), 1,
    'the log says that it is not live');

is(scalar $t->log(qr/"live\/a\?b\?" is not recorded: AppName/), 1,
    'a name with a line break is told in one line');

$t->allow(qr/\[error\].*is not recorded: (?:AppName and StreamName|"live")/);

$t->done();

###############################################################################
