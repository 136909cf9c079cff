#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# What is no file where there should be one, cannot be opened, or has no end:
# nginx starts, sets it aside, and goes on with the rest.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;
use IO::Socket::UNIX;
use POSIX qw/ mkfifo /;
use Time::HiRes qw/ sleep time /;

use lib "$FindBin::Bin/lib";
use LiveRecord;

###############################################################################

plan(skip_all => 'only root can shut a bucket') if $> != 0;

my $file = media('short');
my @video = frames($file, 'v');

my $t = LiveRecord->new();
my $spool = $t->spool();
my $shut = $t->bucket() . '/record';

# a thread that hangs would be missed

$t->write_conf(<<'EOF_CONF')->start();
%%GLOBALS%%

worker_processes 1;
thread_pool default threads=2;

events {
    worker_connections 64;
}

rtmp {
    live_record_spool %%TESTDIR%%/spool max_size=1g;
    live_record_bucket local { type dir; root %%TESTDIR%%/bucket; }

    server {
        listen 127.0.0.1:%%PORT%%;

        application live {
            live on;

            live_record * {
                bucket local;
                format m3u8 mp4;
                fragment 5s;
                grace 2s;
            }
        }
    }
}
EOF_CONF

mkdir $shut;
chmod 0500, $shut;

# each of the files of a recording, as each of these

my @kinds = qw/ fifo socket dir loop shut huge /;
my @files = qw/ record.log ship.log template.json 000001.flv 000001.idx /;

my @names = ('fine', map { my $kind = $_; map { name_of($kind, $_) } @files }
    @kinds);

my @pubs = map { $t->start_publish($file, name => $_, seconds => 6,
    speed => 8, end => 'hold') } @names;

$_->wait_event('holding') for @pubs;
sleep 1;
$t->kill_all();
$_->wait() for @pubs;

my %dir = map { /^live\/([\w-]+)\/([^\/]+)\/record\.log$/
    ? ($1, "$spool/live/$1/$2") : () } files_in($spool);

is(scalar keys %dir, scalar @names, 'all of them are in the spool');

for my $kind (@kinds) {
    make($kind, $dir{name_of($kind, $_)} . "/$_") for @files;
}

# and at each level of the tree, with names that nobody expects

my @places = ('', 'live/', 'live/fine/');
my @odd = ("new\nline", "quo\"te", "\xff\xfe", 'x' x 255);

for my $place (@places) {
    make($_, "$spool/$place$_") for qw/ fifo socket loop /;
    write_file("$spool/$place$_", 'foreign') for @odd;
}

# what is ours by name, and cannot be looked into

make('shut', "$spool/closed");
make('shut', "$spool/live/closed");
make('shut', "$spool/live/fine/closed");

system("chown -hR www-data: '$spool'");

my (undef, undef, $uid, $gid) = getpwnam 'www-data';
chown $uid, $gid, $shut;
chmod 0755, $shut;

my $began = time();
$t->start();
cmp_ok(time() - $began, '<', 5, 'nginx starts');

my ($list) = $t->wait_recorded(1, name => 'fine', seconds => 20);

playlist_ok($list);
same_frames([ frames([ segments_of($list) ], 'v') ], [ @video[0 .. 149] ],
    'fine: video');

# the two journals and the template are needed, and what was being written; a
# table is not

for my $kind (@kinds) {
    for my $what (qw/ record ship template /) {
        my $name = "$kind-$what";

        # rights may be mended

        if ($kind eq 'shut') {
            ok(told($name), "$name is told");
            next;
        }

        (my $id = $dir{$name}) =~ s/.*\///;

        ok(eval { wait_for(sub { -d "$spool/quarantine/live.$name.$id" }, 20,
            $name) }, "$name is set aside")
            or diag(join "\n", $t->log(qr/\[error\].*live\/$name/));
    }

    ok(eval { $t->wait_recorded(1, name => "$kind-idx") },
        "$kind-idx is recorded")
        or diag(join "\n", $t->log(qr/live\/$kind-idx/));

    ok($kind eq 'huge' ? eval { wait_for(sub { !$t->spooled("$kind-flv") },
        20, $kind) } : told("$kind-flv"), "$kind-flv is told, or left out");
}

for my $place (@places) {
    for my $name (qw/ fifo socket loop /, @odd) {
        (my $flat = substr "$place$name", 0, 200) =~ s/\//./g;

        ok(eval { wait_for(sub { lstat "$spool/quarantine/$flat" }, 10,
            $flat) }, "$place, a name of " . length($name)
            . " bytes: it is set aside");
    }
}

is(scalar grep({ !/^\d{4}\/\d\d\/\d\d / } $t->log(qr/./)), 0,
    'no line of the log is not one of nginx');

# of those that are shut, the last one is a recording

my $closed = qr/2 of the directories .* "[^"]+\/closed" for one: .*\(13: Perm/;

is(scalar $t->log(qr/\[error\] .*$closed/), 1,
    'what may be in a directory that is shut is told');

# and it goes on as ever

is($t->publish($file, seconds => 4, name => 'after'), 0, 'published');

($list) = $t->wait_recorded(1, name => 'after');
same_frames([ frames([ segments_of($list) ], 'v') ], [ @video[0 .. 99] ],
    'after: video');

system("chmod -R u+rwX '$spool'");

$t->allow(qr/set aside/, qr/has no object of fragment 1/,
    qr/is tried again/, qr/waits in the spool/, qr/are gone or empty/,
    qr/bucket "local" refuses/, $closed);
$t->done();

###############################################################################

sub told {
    my ($name) = @_;

    return eval { wait_for(sub { $t->log(
        qr/live\/$name\/.*(?:tried again|set aside)/) }, 10, $name) };
}

sub name_of {
    my ($kind, $file) = @_;
    return "$kind-" . ($file =~ /\.(flv|idx)$/ ? $1 : $file =~ s/\..*//r);
}

sub make {
    my ($kind, $path) = @_;

    unlink $path;

    if ($kind eq 'fifo') {
        mkfifo($path, 0600) or die "$path: $!\n";

    } elsif ($kind eq 'socket') {

        # a path of its own kind is shorter than those of the spool

        my $dir = $t->dir();
        IO::Socket::UNIX->new(Local => "$dir/s", Listen => 1)
            or die "$path: $!\n";
        rename "$dir/s", $path;

    } elsif ($kind eq 'dir') {
        mkdir $path;

    } elsif ($kind eq 'loop') {
        (my $name = $path) =~ s/.*\///;
        symlink $name, $path or die "$path: $!\n";

    } elsif ($kind eq 'shut') {
        mkdir $path;
        chmod 0, $path;

    } elsif ($kind eq 'huge') {
        write_file($path, '');
        truncate $path, 64 << 30;
    }
}

###############################################################################
