#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# Which recording a publisher belongs to: two of one name at the same time,
# a return on another worker, several names on one connection, other
# applications and servers, and which template is taken.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;

use lib "$FindBin::Bin/lib";
use LiveRecord;

###############################################################################

my $t = LiveRecord->new();

# a template shows by the first directory of its index of the day

$t->write_conf(<<'EOF_CONF');
%%GLOBALS%%

worker_processes 4;

events {
    worker_connections 64;
}

rtmp {
    live_record_spool %%TESTDIR%%/spool;
    live_record_bucket local { type dir; root %%TESTDIR%%/bucket; }

    server {
        listen 127.0.0.1:%%PORT%%;

        application live {
            live on;

            live_record * {
                bucket local;
                fragment 5s;
                grace 4s;
            }
        }
    }

    server {
        listen 127.0.0.1:%%PORT_TEMPLATES%%;

        live_record * * {
            bucket local; grace 1s;
            index_path "any_any/{AppName}/{StreamName}/{Date}.m3u8";
        }
        live_record * chosen {
            bucket local; grace 1s;
            index_path "any_stream/{AppName}/{StreamName}/{Date}.m3u8";
        }
        live_record one * {
            bucket local; grace 1s;
            index_path "app_any/{AppName}/{StreamName}/{Date}.m3u8";
        }
        live_record three * {
            bucket local; grace 1s;
            index_path "app_any/{AppName}/{StreamName}/{Date}.m3u8";
        }
        live_record one chosen {
            bucket local; grace 1s;
            index_path "app_stream/{AppName}/{StreamName}/{Date}.m3u8";
        }
        live_record inner chosen {
            bucket local; grace 1s;
            index_path "app_stream/{AppName}/{StreamName}/{Date}.m3u8";
        }

        application one { live on; }
        application two { live on; }
        application three { live on; }

        application inner {
            live on;

            live_record * {
                bucket local; grace 1s;
                index_path "inner_any/{AppName}/{StreamName}/{Date}.m3u8";
            }
            live_record mine {
                bucket local; grace 1s;
                index_path "inner_stream/{AppName}/{StreamName}/{Date}.m3u8";
            }
        }
    }

    server {
        listen 127.0.0.1:%%PORT_FEW%%;

        live_record few chosen { bucket local; grace 1s; }

        application few { live on; }
        application none { live on; }
    }

    server {
        listen 127.0.0.1:%%PORT_DOMAIN_A%%;
        live_record_domain a.example.com;
        live_record * * { bucket local; grace 4s; }
        application scope { live on; }
    }

    server {
        listen 127.0.0.1:%%PORT_DOMAIN_A2%%;
        live_record_domain a.example.com;
        live_record * * { bucket local; grace 4s; }
        application scope { live on; }
    }

    server {
        listen 127.0.0.1:%%PORT_DOMAIN_B%%;
        live_record_domain b.example.com;
        live_record * * { bucket local; grace 4s; }
        application scope { live on; }
    }
}
EOF_CONF

my $file = media('short');
my @video = frames($file, 'v');
my @audio = packets($file, 'a');

my @part = map { { start => 4000 * $_, seconds => 4 } } 0 .. 6;
my @frames = map { [ @video[100 * $_ .. 100 * $_ + 99] ] } 0 .. 6;

$t->start();

wait_for(sub { $t->workers() == 4 }, 10, 'four workers');

my @workers = $t->workers();

# two live publishers of one name on two workers: each has a recording of its
# own, and neither misses a frame

my $first = on_worker($workers[0], name => 'twice', speed => 1, %{$part[0]});
$first->wait_media(600);
my $second = on_worker($workers[1], name => 'twice', speed => 1,
    %{$part[1]});

# a return 0.1 s after the first left, on another worker; and one that is
# there before the first has left

my $quick = on_worker($workers[2], name => 'quick', speed => 4, %{$part[0]});
my $overlap = on_worker($workers[3], name => 'overlap', speed => 1,
    seconds => 4);

is($quick->wait(), 0, 'published on one worker');
select undef, undef, undef, 0.1;
$quick = on_worker($workers[1], name => 'quick', speed => 4, %{$part[1]});

# the name is held by its worker for a moment longer

$overlap->wait_media(3600);
my $over = on_worker($workers[0], name => 'overlap', speed => 4,
    %{$part[1]});

is($_->wait(), 0, 'published')
    for $first, $second, $quick, $overlap, $over;

# several names on one connection, and the same one again

is($t->publish($file, name => 'ann', seconds => 4,
    republish => [ qw/ ann ben ann / ]), 0, 'names on one connection');

# the same name in another application is another stream

my @both = map { $t->start_publish($file, port => $t->port('TEMPLATES'),
    app => $_->[0], name => 'same', %{$part[$_->[1]]}) } [ 'one', 2 ],
    [ 'two', 3 ];
is($_->wait(), 0, 'published in two applications') for @both;

# templates

my @templates = (
    [ qw/ one   chosen  app_stream   / ],
    [ qw/ one   other   app_any      / ],
    [ qw/ two   chosen  any_stream   / ],
    [ qw/ two   other   any_any      / ],
    [ qw/ three chosen  app_any      / ],
    [ qw/ inner other   inner_any    / ],
    [ qw/ inner mine    inner_stream / ],
    [ qw/ inner chosen  app_stream   / ],
);

$_->wait() for map { $t->start_publish($file, app => $_->[0],
    name => $_->[1], port => $t->port('TEMPLATES'), seconds => 2) }
    @templates;

$_->wait() for map { $t->start_publish($file, app => $_->[0],
    name => $_->[1], port => $t->port('FEW'), seconds => 2) }
    [ qw/ few chosen / ], [ qw/ few other / ], [ qw/ none chosen / ];

# servers of one domain share recordings, of two domains they do not; within
# the grace of each other

my $i = 0;

is($t->publish($file, app => 'scope', port => $t->port("DOMAIN_$_"),
    %{$part[$i++]}), 0, "published at server $_") for qw/ A B A2 /;

# what came of it

my @twice = $t->wait_recorded(2, name => 'twice');

is(scalar @twice, 2, 'two publishers at once: two recordings');
playlist_ok($_) for @twice;

my @got = map { [ frames([ segments_of($_) ], 'v') ] } @twice;
@got = reverse @got if @got && $got[0][0] ne $frames[0][0];

same_frames($got[$_], $frames[$_], "publisher $_ of two: video") for 0, 1;
day('twice', [ map { @$_ } @frames[0, 1] ], 1);

like(join(' ', workers_of('twice', 'starts')),
    qr/^$workers[0] $workers[1]$/, 'on two workers');

for my $name (qw/ quick overlap /) {
    my @cycles = $t->wait_recorded(1, name => $name);

    is(scalar @cycles, 1, "$name: one recording");
    playlist_ok($cycles[0]);
    same_frames([ frames([ segments_of($cycles[0]) ], 'v') ],
        [ @{$frames[0]}, @{$frames[1]} ], "$name: video");
    day($name, [ @{$frames[0]}, @{$frames[1]} ], 1);

    my @pids = (workers_of($name, 'starts'), workers_of($name, 'resumes'));

    is(scalar @pids, 2, "$name: starts and resumes");
    isnt($pids[0], $pids[1], "$name: on another worker");
}

for (map { [ @$_ ] } [ 'ann', 3 ], [ 'ben', 1 ]) {
    my ($name, $n) = @$_;
    my @cycles = $t->wait_recorded(1, name => $name);

    is(scalar @cycles, 1, "$name: one recording");
    same_frames([ frames([ segments_of($cycles[0]) ], 'v') ],
        [ (@{$frames[0]}) x $n ], "$name: video");
    is((grep { $_->{discontinuity} } @{parse_m3u8($cycles[0])->{segments}}),
        $n - 1, "$name: discontinuities");
}

for (map { [ @$_ ] } [ 'one', 2 ], [ 'two', 3 ]) {
    my @cycles = $t->wait_recorded(1, app => $_->[0], name => 'same');

    is(scalar @cycles, 1, "application $_->[0]: one recording");
    same_frames([ frames([ segments_of($cycles[0]) ], 'v') ],
        $frames[$_->[1]], "application $_->[0]: video");
}

for (@templates) {
    my ($app, $name, $dir) = @$_;

    $t->wait_recorded(1, app => $app, name => $name);

    my @indexes = files_in($t->bucket(), qr!^\w+/$app/$name/[^/]*\.m3u8$!);
    @indexes = map { m!^(\w+)! } grep { !/^record/ } @indexes;

    is(join(' ', @indexes), $dir, "$app/$name: the template of $dir");
}

is(scalar $t->wait_recorded(1, app => 'few', name => 'chosen'), 1,
    'a stream that a template names is recorded');
is(join(' ', files_in($t->bucket(), qr!few/other|none/!)), '',
    'streams that none names are not');
is(scalar $t->log(qr!live record: "(?:few/other|none/)!), 0,
    'and nothing is said of them');

my @scope = $t->wait_recorded(2, app => 'scope');

is(scalar @scope, 2, 'three servers, two domains: two recordings');

my %domains = map { my ($d) = read_file($_) =~ /"domain": *"([^"]*)"/;
    ($d, 1) } $t->manifests(undef, 'scope');

is(join(' ', sort keys %domains), 'a.example.com b.example.com',
    'the domains are in the manifests');

@got = map { [ frames([ segments_of($_) ], 'v') ] } @scope;
@got = reverse @got if @got && $got[0][0] ne $frames[0][0];

same_frames($got[0], [ @{$frames[0]}, @{$frames[2]} ],
    'both publishes of one domain');
same_frames($got[1], $frames[1], 'the publish of the other domain');

$t->done();

###############################################################################

# a publisher that is connected to this worker: the others sleep meanwhile

sub on_worker {
    my ($pid, %opt) = @_;
    my @others = grep { $_ != $pid } $t->workers();

    kill 'STOP', @others;

    my $p = $t->start_publish($file, %opt);
    my $ok = eval { $p->wait_event('published', 10) };

    kill 'CONT', @others;
    die $@ unless $ok;

    return $p;
}

sub workers_of {
    my ($name, $what) = @_;
    return map { /(\d+)#\d+: / ? $1 : () }
        $t->log(qr!live record: "live/$name" $what\b!);
}

sub day {
    my ($name, $frames, $gaps) = @_;
    my @days = $t->days($name);

    is(scalar @days, 1, "$name: one index of the day");
    playlist_ok($days[0]);

    my @got = frames([ segments_of($days[0]) ], 'v');

    # who came first is in the clock alone
    same_frames([ sort @got ], [ sort @$frames ], "$name: frames of the day");

    is((grep { $_->{discontinuity} } @{parse_m3u8($days[0])->{segments}}),
        $gaps, "$name: discontinuities of the day");
}

###############################################################################
