#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# Recording on demand: what is asked, what the answers do, what happens when
# there is none; frames that were held are recorded, or leave nothing.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;

use lib "$FindBin::Bin/lib";
use LiveRecord;

###############################################################################

my $t = LiveRecord->new();

# the answers are chosen by the stream's name

my %answers = (
    yes => '{"NeedRecord":true}',
    no => '{"NeedRecord":false}',
    full => '{"ApiVersion":"1.0","NeedRecord":true,'
        . '"Interval":{"Mp4":10,"Flv":300,"M3U8":3600},'
        . '"Format":["mp4","flv"]}',
    none => '{"NeedRecord":true,"Format":["cmaf"]}',
    odd => '{"NeedRecord":true,"Interval":{"M3U8":1}}',
    malformed => '{"NeedRecord":maybe}',
    padded => '{"NeedRecord":true}' . ' ' x 100000,
    huge => '{"a":"' . 'x' x 2048 . '","NeedRecord":true}',
    late => '{"NeedRecord":true}',
    left => '{"NeedRecord":true}',
);

$t->start_http('ASK', sub {
    my ($name) = $_[0]{uri} =~ /[?&]stream=(\w+)/;
    return 500 if $name eq 'error';
    return (302, [ 'Location', 'http://127.0.0.1:1/' ]) if $name eq 'moved';
    select undef, undef, undef, 2 if $name =~ /late|left/;
    return (200, [ 'Content-Type', 'application/json' ], $answers{$name});
});

$t->start_http('MUTE', sub { sleep 60; return 500 });
$t->start_http('NOTIFY', sub { return 200 });

$t->write_conf(<<'EOF_CONF');
%%GLOBALS%%

worker_processes 2;

events {
    worker_connections 64;
}

rtmp {
    live_record_spool %%TESTDIR%%/spool;
    live_record_bucket local { type dir; root %%TESTDIR%%/bucket; }

    server {
        listen 127.0.0.1:%%PORT%%;
        live_record_domain ask.example.com;
        live_record_notify http://127.0.0.1:%%PORT_NOTIFY%%/
                           on_demand=http://127.0.0.1:%%PORT_ASK%%/ask?a=b;

        live_record skip * {
            bucket local; fragment 5s; grace 1s;
            format m3u8 mp4 flv; on_demand callback;
        }
        live_record keep * {
            bucket local; fragment 5s; grace 1s;
            on_demand callback; on_demand_fail record;
        }
        live_record args * {
            bucket local; fragment 5s; grace 1s; on_demand push_args;
        }
        live_record argk * {
            bucket local; fragment 5s; grace 1s;
            on_demand push_args; on_demand_fail record;
        }
        live_record hand * {
            bucket local; fragment 5s; grace 1s; on_demand command;
        }
        live_record auto * {
            bucket local; fragment 5s; grace 1s; on_demand off;
        }

        application skip { live on; }
        application keep { live on; }
        application args { live on; }
        application argk { live on; }
        application hand { live on; }
        application auto { live on; }
    }

    server {
        listen 127.0.0.1:%%PORT_SLOW%%;
        live_record_domain mute.example.com;
        live_record_notify http://127.0.0.1:%%PORT_NOTIFY%%/
                           on_demand=http://127.0.0.1:%%PORT_MUTE%%/;

        live_record mute * {
            bucket local; fragment 5s; grace 1s; on_demand callback;
        }
        live_record mutk * {
            bucket local; fragment 5s; grace 1s;
            on_demand callback; on_demand_fail record;
        }

        application mute { live on; }
        application mutk { live on; }
    }
}
EOF_CONF

$t->allow(qr/is not recorded, it could not be told/);

my $file = media('short');
my @video = frames($file, 'v');
my @audio = packets($file, 'a');

my $config = 'record_config=%7B%22NeedRecord%22%3A';
my $garbage = 'record_config=%7B%22NeedRecord%22';

$t->start();

# application, stream, arguments; is it recorded?

my @streams = (
    [ qw/ skip yes /, undef, 1 ],
    [ qw/ skip no /, undef, 0 ],
    [ qw/ skip none /, undef, 0 ],
    [ qw/ skip odd /, undef, 1 ],
    [ qw/ skip error /, undef, 0 ],
    [ qw/ skip moved /, undef, 0 ],
    [ qw/ skip malformed /, undef, 0 ],
    [ qw/ skip padded /, undef, 1 ],
    [ qw/ skip huge /, undef, 0 ],
    [ qw/ skip late /, undef, 1 ],
    [ qw/ keep no /, undef, 0 ],
    [ qw/ keep error /, undef, 1 ],
    [ qw/ keep malformed /, undef, 1 ],

    [ qw/ args yes /, "a=b&${config}true%7D", 1 ],
    [ qw/ args no /, "${config}false%7D", 0 ],
    [ qw/ args missing /, undef, 0 ],
    [ qw/ args malformed /, $garbage, 0 ],
    [ qw/ argk yes /, "${config}true%7D", 1 ],
    [ qw/ argk no /, "${config}false%7D", 0 ],
    [ qw/ argk missing /, 'a=b', 0 ],
    [ qw/ argk malformed /, $garbage, 1 ],

    [ qw/ hand one /, "${config}true%7D", 0 ],
    [ qw/ auto one /, "${config}false%7D", 1 ],

    [ qw/ mute one /, undef, 0, 'SLOW' ],
    [ qw/ mutk one /, undef, 1, 'SLOW' ],
);

# what is held waits in memory all the time that nobody answers

my @mute = map { start($_, speed => 4) } grep { $_->[4] } @streams;

# one that has left before the answer is there

my $left = $t->start_publish($file, app => 'skip', name => 'left',
    seconds => 2);
is($left->wait(), 0, 'left before the answer');

# intervals and formats

is($t->publish($file, app => 'skip', name => 'full'), 0, 'full: published');

# the rest, a few at a time

my @rest = grep { !$_->[4] } @streams;

while (my @some = splice @rest, 0, 6) {
    my @published = map { start($_, speed => 10) } @some;

    is($published[$_]->wait(30), 0,
        "$some[$_][0]/$some[$_][1]: published") for 0 .. $#some;
}

is($_->wait(30), 0, 'published without an answer') for @mute;

# what came of it

for (@streams) {
    my ($app, $name, $args, $recorded) = @$_;

    if ($recorded) {
        my @cycles = $t->wait_recorded(1, app => $app, name => $name);

        is(scalar @cycles, 1, "$app/$name: recorded");
        playlist_ok($cycles[0], "$app/$name: playlist");

        my @segments = segments_of($cycles[0]);

        same_frames([ frames(\@segments, 'v') ], \@video,
            "$app/$name: video");
        same_frames([ packets(\@segments, 'a') ], \@audio,
            "$app/$name: audio");
        next;
    }

    is(scalar $t->log(qr!"$app/$name" (?:starts|resumes)!), 0,
        "$app/$name: not recorded");
    ok(!-e $t->spool() . "/$app/$name", "$app/$name: nothing in the spool");
    is(join(' ', files_in($t->bucket(), qr!/$app/$name/!)), '',
        "$app/$name: nothing in the bucket");
}

my @cycles = $t->wait_recorded(1, app => 'skip', name => 'left');

same_frames([ frames([ segments_of($cycles[0]) ], 'v') ],
    [ @video[0 .. 49] ], 'left: video');

my @mp4 = $t->wait_recorded(3, app => 'skip', name => 'full',
    format => 'mp4');
my @flv = $t->flvs('full', 'skip');

is(scalar $t->cycles('full', 'skip'), 0, 'full: no playlist');
is(scalar $t->fragments('full', 'skip'), 0, 'full: no ts');
is(scalar @mp4, 3, 'full: a file each 10 seconds');
is(scalar @flv, 3, 'full: in both formats');
whole(\@mp4, $file, 'full: mp4');
whole(\@flv, $file, 'full: flv');

# what was asked, and how often

my %asked;
push @{$asked{$_->{uri}}}, $_ for $t->requests('ASK');

my ($uri) = grep { /stream=yes/ } keys %asked;

like($uri, qr!^/ask\?a=b&app=skip&domain=ask\.example\.com&stream=yes
    &vbitrate=\d+&codec=h264$!x, 'the question');
is($asked{$uri}[0]{method}, 'GET', 'is a GET');

is((grep { @$_ != 1 } values %asked), 0, 'each publish is asked for once');
is(scalar keys %asked, 1 + 1 + grep({ $_->[0] =~ /skip|keep/ } @streams),
    'and all are');

# what is said of it

for ([ 'skip/error', 'is not recorded, .*: the answer has status 500' ],
    [ 'skip/moved', 'is not recorded, .*: the answer has status 302' ],
    [ 'skip/malformed', 'is not recorded, .*: it is not JSON' ],
    [ 'skip/huge', 'is not recorded, .*: it is not JSON' ],
    [ 'mute/one', 'is not recorded, .*[Tt]imed? ?out' ],
    [ 'args/malformed', 'is not recorded, .*: it is not JSON' ],
    [ 'skip/no', 'is not recorded: it is not asked for' ],
    [ 'skip/none', 'is not recorded: it is not asked for' ],
    [ 'keep/error', 'is recorded, .*: the answer has status 500' ],
    [ 'mutk/one', 'is recorded, .*[Tt]imed? ?out' ],
    [ 'argk/malformed', 'is recorded, .*: it is not JSON' ])
{
    is(scalar $t->log(qr/"$_->[0]" $_->[1]/), 1, "$_->[0]: log");
}

is(scalar $t->log(qr!for "skip/odd" has an interval!), 1, 'an odd interval');

$t->done();

###############################################################################

sub start {
    my ($s, %opt) = @_;

    return $t->start_publish($file, app => $s->[0], name => $s->[1],
        args => $s->[2], $s->[4] ? (port => $t->port($s->[4])) : (), %opt);
}

###############################################################################
