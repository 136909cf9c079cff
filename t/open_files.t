#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# After an outage there are more recordings in the spool than a worker may have
# files open: streams find files all the same, those that are live and those to
# come, and all is stored when the bucket is back.

###############################################################################

use warnings;
use strict;

use Test::More;
use File::Basename qw/ basename /;
use FindBin;

use lib "$FindBin::Bin/lib";
use LiveRecord;
use LiveRecord::OSS;

###############################################################################

my ($files, $waiting, $n) = (256, 300, 8);

my $t = LiveRecord->new();
my $oss = LiveRecord::OSS->new($t);
my $port = $oss->port();

$t->write_conf(<<"EOF_CONF");
%%GLOBALS%%

worker_processes 1;
worker_rlimit_nofile $files;

events {
    worker_connections 64;
}

rtmp {
    live_record_spool %%TESTDIR%%/spool;

    live_record_bucket store {
        type oss;
        bucket waiting;
        region cn-hangzhou;
        endpoint http://127.0.0.1:$port;
        credentials key ak sk;
    }

    server {
        listen 127.0.0.1:%%PORT%%;

        live_record_notify http://127.0.0.1:%%PORT_hook%%/ status=on;

        application live {
            live on;

            live_record * {
                bucket store;
                fragment 5s;
                grace 1s;
                index_path off;
            }
        }
    }
}
EOF_CONF

my $file = media('many', seconds => 9, size => '96x64', gop => 5,
    audio => 'none', video => 'h264');

$oss->faults({ fault => 'status', status => 503, times => 0 });
$t->allow(qr/\[warn\] .*(bucket "store" (fails|is back)|files open|was not taken)/);
$t->start();

sub publish_all {
    my ($name, $n) = @_;
    my $load = $t->run(tool('rtmpload'), '-f', $file, '-n', $n, '-t', 7, '-s',
        2, '-p', $t->port(), '--name', "$name%d", '--json');

    is($load->wait(60), 0, "$n streams published") or diag($load->err());
}

sub open_files {
    my ($worker) = $t->workers();
    return scalar(() = glob "/proc/$worker/fd/*");
}

# one that has ended becomes many, of some streams: an earlier one of a stream
# tells its callbacks first

publish_all('first', 1);

wait_for(sub {
    grep { read_file($_) =~ /"end"/ } glob $t->spool() . '/live/*/*/record.log'
}, 20, 'the end of the grace');

ok($t->stop('TERM'), 'stopped');

my ($dir) = glob $t->spool() . '/live/first0/*';
my $id = basename($dir);

for my $i (1 .. $waiting - 1) {
    my $new = sprintf '%s%05x', substr($id, 0, -5), $i;
    my $stream = 'first' . $i % 10;
    my $to = $t->spool() . "/live/$stream";

    system("mkdir -p '$to' && cp -a '$dir' '$to/$new'"
        . " && chown --reference='$dir' '$to'") == 0 or die "cp: $?\n";

    for (qw/ record.log template.json /) {
        write_file("$to/$new/$_", read_file("$dir/$_")
            =~ s/\Q$id\E/$new/r =~ s/"first0"/"$stream"/r);
    }
}

$t->start();

wait_for(sub { $t->log(qr/recordings in the spool have \d+ files open/) }, 20,
    'more recordings than files');

cmp_ok(open_files(), '<=', $files / 2 + 40, 'half of its files');

publish_all('second', $n);
publish_all('third', $n);

# those that have ended are more by now, but have not more open

wait_for(sub { open_files() <= $files / 2 + 40 }, 20, 'the same again');

is(scalar $t->log(qr/Too many open files/), 0, 'files for all');
is(scalar $t->log(qr/is not recorded|loses frames/), 0, 'nothing is lost');

# the old worker lets go of the oldest ones, when the new one has others

my ($old) = $t->workers();

kill STOP => $old;
$t->signal('HUP');
wait_for(sub { $t->workers(all => 1) == 2 }, 20, 'a new worker');
sleep 3;
kill CONT => $old;
wait_for(sub { $t->workers(all => 1) == 1 }, 20, 'the old one to leave');

my $receiver = $t->run('node', "$FindBin::Bin/lib/notify-server.mjs",
    $t->port('hook'), $t->dir() . '/hook.log');

wait_for(sub { $receiver->out() =~ /ready/ }, 20, 'a receiver');

$oss->faults();

wait_for(sub { !grep { -e } glob $t->spool() . '/live/*/*/record.log' }, 90,
    'an empty spool');
$t->bucket($oss->bucket('waiting'));

my %keys;
$keys{m!^\.live_record/live/(first|second|third)\d+/! ? $1 : ''}++
    for files_in($t->bucket());

is($keys{first}, $waiting, 'all that have waited');
is($keys{second}, $n, 'those that came meanwhile');
is($keys{third}, $n, 'and after these');

$oss->check();
$t->done();

###############################################################################
