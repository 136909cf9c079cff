#!/usr/bin/perl

# (C) the ngx_live_record authors

# The fake OSS of the tests, driven by Alibaba's own client.

###############################################################################

use warnings;
use strict;

use Test::More;

use File::Temp qw/ tempdir /;
use FindBin;

###############################################################################

my $lib = "$FindBin::Bin/lib";
my $dir = tempdir(CLEANUP => 1);

my $pid = open my $server, '-|', 'node', "$lib/oss-server.mjs",
	'--root', "$dir/objects", '--ca-dir', "$dir/ca", '--log', "$dir/log",
	'--key', 'ak:sk', '--key', 'STS.x:y:token', '--bucket', 'bucket',
	'--cname', 'media.example.com=bucket', '--public-read'
	or die "Can't start node: $!\n";

END { kill 'TERM', $pid if $pid; }

my $ready = <$server>;
BAIL_OUT('the fake OSS did not start') unless $ready;

open my $client, '-|', 'node', "$lib/oss-client.mjs", $ready, "$dir/log"
	or die "Can't start node: $!\n";

while (<$client>) {
	if (/^(not )?ok - ([^\n]*)/) {
		ok(!$1, $2);

	} else {
		diag($_);
	}
}

close $client;
is($?, 0, 'the client came to its end');

# nothing is left, not even of what was refused or torn

is(join(' ', glob("$dir/objects/.tmp/* $dir/objects/.uploads/*")), '',
	'nothing left behind');

kill 'TERM', $pid;
close $server;
is($?, 0, 'exit on TERM');
undef $pid;

done_testing();

###############################################################################
