#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# live-record: what it says of a spool that a killed nginx has left, and the
# files it makes of it, without changing anything there.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;
use POSIX qw/ mkfifo /;

use lib "$FindBin::Bin/lib";
use LiveRecord;

###############################################################################

my $build = $ENV{TEST_NGINX_BUILD} || "$FindBin::Bin/../build";
my $command = "$build/live-record";

plan(skip_all => '"make tools" builds live-record') unless -x $command;

my $t = LiveRecord->new();
my $dir = $t->dir();
my $spool = $t->spool();
my $bucket = $t->bucket();

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
        live_record_domain live.example.com;

        application live {
            live on;

            live_record * {
                bucket local;
                format m3u8 mp4 flv;
                fragment 5s;
                cycle 15m;
                grace 60s;
            }

            live_record shipped {
                bucket local;
                fragment 5s;
                grace 60s;
            }
        }
    }
}
EOF_CONF

my $file = media('short');
my $other = media('other', seconds => 4, size => '640x360', rate => 48000);
my @video = frames($file, 'v');
my @audio = packets($file, 'a');

mkdir "$dir/tmp";
$t->start();

my %part = (seconds => 13, speed => 4, end => 'hold');
my $time = '\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z';

# the first two fragments of one are stored, and then nothing is any more

my @pubs = $t->start_publish($file, name => 'shipped', %part);

wait_for(sub { $t->fragments('shipped') == 2 && $t->spooled('shipped') }, 30,
    'two fragments are stored');
wait_for(sub { !grep { /00000[12]\.flv/ } files_in($spool) }, 10,
    'and not in the spool');

my (undef, undef, $uid, $gid) = (stat $bucket)[2 .. 5];

chown 0, 0, $bucket;
chmod 0500, $bucket;
chmod 0500, map { "$bucket/$_" } qw/ record record\/live live /;

push @pubs, $t->start_publish($file, name => 'test', %part);

is($t->publish($file, name => 'change', seconds => 4), 0, 'one publish');
is($t->publish($other, name => 'change'), 0, 'one of another size');

$_->wait_event('holding') for @pubs;
sleep 2;

my %rec = map { /^(live\/(\w+)\/[^\/]+)\/record\.log$/ ? ($2, $1) : () }
    files_in($spool);
my %id = map { $_ => $rec{$_} =~ s!.*/!!r } keys %rec;

is(join(' ', sort keys %rec), 'change shipped test', 'three recordings');

# while nginx is at it

my ($rc, $out, $err) = cli('inspect', "$spool/$rec{test}");

is($rc, 0, 'inspect, live');
like($out, qr/^  state +live, last written $time$/m, 'it is live');
like($out, qr/^  1  media time 0:00:00\.000, published $time, not ended$/m,
    'its span has not ended');

($rc, $out, $err) = cli('render', "$spool/$rec{test}", '--format', 'flv',
    '-o', "$dir/live.flv");

is($rc, 0, 'render, live');
like($err, qr/fragment 000003 has no end yet/, 'as far as it goes');
frames_are("$dir/live.flv", 13, 'live');

# and when it is not there any more

$t->kill_all();
$_->wait() for @pubs;

my $before = state_of($spool);

# the command line

for my $args ([], [ 'inspect' ], [ 'delete', $spool ], [ 'render', $spool ],
    [ 'inspect', $spool, 'more' ], [ 'inspect', $spool, '-o', 'file' ],
    [ 'render', $spool, '--format', 'mp4' ],
    [ 'render', $spool, '-o', "$dir/x.mkv", '--format', 'mkv' ],
    [ 'inspect', '--unknown', $spool ])
{
    ($rc, $out, $err) = cli(@$args);
    is($rc, 2, "usage: @$args[0 .. ($#$args > 0 ? 0 : $#$args)]");
    like($err, qr/^usage: live-record inspect DIR$/m, 'it is shown');
    is($out, '', 'nothing on stdout');
}

($rc, $out, $err) = cli('--help');
is("$rc$err", '0', 'help is no error');
like($out, qr/^usage: /, 'and is shown');

# all of a spool, an application, a stream

for my $below ('', 'live', 'live/test') {
    my @names = $below =~ /test/ ? 'test' : sort keys %rec;

    ($rc, $out, $err) = cli('inspect', "$spool/$below/");

    is("$rc$err", '0', "inspect \"$below\"");
    is(join(' ', map { /^(\S+)  / } split /\n/, $out),
        join(' ', map { $rec{$_} =~ s!^\Q$below\E/?!!r } @names),
        'the recordings below it');

    ($rc, $out, $err) = cli('render', "$spool/$below/", '--format', 'ts',
        '-o', "$dir/no.ts");

    is($rc, 1, "render \"$below\" is refused");
    like($err, qr/\Q$rec{$_}\E$/m, 'with the directories there are')
        for @names;
}

($rc, $out, $err) = cli('inspect', $spool);

like($out, line("$rec{test}  live, started $time, 3 fragments of ",
    '0:00:1[23]\.\d+, 3 in the spool with \d+ bytes, 3 to be shipped'),
    'what waits');
like($out, qr/^$rec{shipped}  live.*, 3 fragments of .*, 1 in the spool with/m,
    'what has gone');
like($out, qr/^$rec{change}  paused, /m, 'what may come back');

# one of them

($rc, $out, $err) = cli('inspect', "$spool/$rec{test}");

is("$rc$err", '0', 'inspect');
like($out, qr/^recording $id{test}$/m, 'id');
like($out, qr/^  stream +live\/test$/m, 'stream');
like($out, qr/^  domain +live\.example\.com$/m, 'domain');
like($out, qr/^  bucket +local$/m, 'bucket');
like($out, qr/^  formats +m3u8 mp4 flv$/m, 'formats');
like($out, line('  lengths +fragment 0:00:05\.000, cycle 0:15:00\.000,',
    ' grace 0:01:00\.000'), 'lengths');
like($out, qr/^fragments, 3$/m, 'number of fragments');

for my $n (1 .. 3) {
    my $size = -s "$spool/$rec{test}/00000$n.flv";
    my $open = $n == 3 ? ', open' : '';

    like($out, line("  00000$n  cycle 0, $time, length 0:00:0[1-9]\\.\\d{3}, ",
        "$size bytes, h264 \\d+x\\d+, aac \\d+ Hz \\d ch$open; ",
        'in the spool, not confirmed'), "fragment $n");
}

like($out, qr/^  3 fragments in no $_, 000001 to 000003, \d+ bytes$/m,
    "in no $_ yet") for 'object', 'mp4 file', 'flv file';
like($out, qr/^  no playlist of cycle 0$/m, 'nor a playlist');

($rc, $out, $err) = cli('inspect', "$spool/$rec{shipped}");

is("$rc$err", '0', 'inspect, in part shipped');
like($out, line('  000002 .* aac .*; not in the spool, confirmed as ',
    '"record/live/shipped/\d+_1\.ts", \d+ bytes'), 'the key of its object');
like($out, qr/^  1 fragment in no object, 000003 to 000003/m, 'what waits');
like($out, qr/^  2 fragments in no manifest$/m, 'and is not listed');

($rc, $out, $err) = cli('inspect', "$spool/$rec{change}");

is("$rc$err", '0', 'inspect, paused');
like($out, qr/^  state +paused since $time, may come back until $time$/m,
    'until when it may come back');
like($out, qr/^spans, 2\n.*, ended $time: .+\n.*, ended $time: .+\n/m,
    'both spans have ended');
like($out, qr/ h264 640x360, .*, discontinuity; in the spool, /,
    'the second is a discontinuity');

# files

for my $format (qw/ ts mp4 flv /) {
    my $name = "$dir/out.$format";

    ($rc, $out, $err) = cli('render', "$spool/$rec{test}", '-o', $name,
        "--format=$format");

    is($rc, 0, "render $format");
    is($out, "$name\n", 'the name of the file');
    is($err, "live-record: fragment 000003 has no end yet:"
        . " it is taken as far as it goes\n", 'what is to be known');
    frames_are($name, 13, $format);
    same_frames([ packets($name, 'a') ],
        [ map { packets("$spool/$rec{test}/00000$_.flv", 'a') } 1 .. 3 ],
        "$format: all audio that is in the spool");
    ok(!-e "$name.part", 'nothing else');

    # never in place of another file, unless it is asked for

    write_file($name, 'precious');

    ($rc, $out, $err) = cli('render', "$spool/$rec{test}", '-o', $name,
        '-f', $format);

    is("$rc$out", '1', 'a file that is there');
    like($err, qr/"\Q$name\E" is there already, --force replaces it/,
        'is named');
    is(read_file($name), 'precious', 'and left alone');

    ($rc, $out, $err) = cli('render', '--force', "$spool/$rec{test}",
        '-o', $name, '-f', $format);

    is($rc, 0, 'force');
    cmp_ok(-s $name, '>', 100000, 'replaces it');
    ok(!-e "$name.part", 'and leaves nothing');

    # another size of picture

    $name = "$dir/change.$format";

    ($rc, $out, $err) = cli('render', "$spool/$rec{change}", '-o', $name,
        '-f', $format);

    is("$rc$err", '0', 'render a change');

    if ($format eq 'ts') {
        is($out, "$name\n", 'one file');
        next;
    }

    my $second = "$dir/change-2.$format";

    is($out, "$name\n$second\n", 'two files');
    frames_are($name, 4, 'the first');
    same_frames([ frames($second, 'v') ], [ frames($other, 'v') ],
        'the second: video');
    same_frames([ packets($second, 'a') ], [ packets($other, 'a') ],
        'the second: audio');
}

($rc, $out, $err) = cli('render', "$spool/$rec{shipped}", '-f', 'ts',
    '-o', "$dir/rest");

is($rc, 0, 'render what is left');
is($out, "$dir/rest\n", 'a name without a suffix');
like($err, qr/fragment 00000$_ is left out: it is not in the spool any more/,
    "fragment $_ is left out") for 1, 2;
same_frames([ frames("$dir/rest", 'v') ], [ @video[300 .. 324] ],
    'what is left: video');

# where it is not to be written

for my $bad ([ $dir, qr/is a directory/ ],
    [ "$spool/$rec{test}/out.ts", qr/is in the recording itself/ ],
    [ "$dir/none/out.ts", qr/No such file/ ])
{
    ($rc, $out, $err) = cli('render', "$spool/$rec{test}", '-f', 'ts',
        '-o', $bad->[0]);
    is("$rc$out", '1', "-o $bad->[0]");
    like($err, $bad->[1], 'and why');
}

# what cannot be read

for my $bad ("$dir/none", "$dir/nginx.conf") {
    for my $args ([ 'inspect' ], [ qw/ render -f ts -o /, "$dir/x.ts" ]) {
        ($rc, $out, $err) = cli(@$args, $bad);
        is("$rc$out", '1', "$args->[0] $bad");
        like($err, qr/^live-record: "\Q$bad\E" cannot be read: /, 'and why');
    }
}

# nor by the user who asks, at each level

SKIP: {
    skip 'only root is another user', 9 if $> != 0;

    my $tree = "$dir/tree";

    for my $shut ('app', 'app/cam', 'app/cam/id') {
        system("mkdir -p '$tree/app/cam/id' && chmod -R 755 '$tree'"
            . " && chmod 700 '$tree/$shut'") == 0 or die;

        ($rc, $out, $err) = cli_as('www-data', 'inspect', $tree);
        is($rc, 1, "$shut is shut");
        is($out, '', 'it is not said that there is nothing');
        is($err, "live-record: \"$tree/$shut\" cannot be read: "
            . "Permission denied\n", 'and why');
    }
}

my $copy = "$dir/copy";

damaged('record.log', sub { $_ = "\e[31mno journal\n" },
    qr/record\.log cannot be understood: a line is not JSON/);
damaged('record.log', sub { s/"version":1/"version":99/ },
    qr/record\.log has format version 99|cannot be understood: .* version 99/);
damaged('record.log', sub { $_ = '' }, qr/record\.log is empty/);
damaged('record.log', undef, qr/record\.log cannot be read: No such file/);
damaged('record.log', sub { s/^(.*"close".*)$/$1\n{"event":3}/m },
    qr/record\.log cannot be understood/, qr/^  000001 .* in the spool/m);
damaged('template.json', sub { $_ = '{' }, qr/template\.json/,
    qr/^recording $id{test}$/m, 1);
damaged('ship.log', sub { $_ = "no journal\n" },
    qr/ship\.log cannot be understood: /, qr/^  000001 .* in the spool/m, 1);

# a pipe that nobody writes to is not waited for

copy_of('test');
unlink "$copy/000003.flv";
mkfifo("$copy/000003.flv", 0600) or die "$copy: $!\n";

($rc, $out, $err) = cli('render', $copy, '-f', 'ts', '-o', "$dir/pipe.ts");
is("$rc$out", '1', 'render a pipe');
like($err, qr/000003\.flv": No data available/, 'and why');

# a torn tag, a torn line, no tables

copy_of('test');
truncate "$copy/000003.flv", (-s "$copy/000003.flv") - 100;
append_file("$copy/record.log", '{"event":"clo');
unlink glob "$copy/*.idx";

($rc, $out, $err) = cli('render', $copy, '-f', 'mp4', '-o', "$dir/torn.mp4");
is($rc, 0, 'a torn one is rendered');
is(-s "$copy/record.log", (-s "$spool/$rec{test}/record.log") + 13,
    'and is not mended');
my @torn = frames("$dir/torn.mp4", 'v');
cmp_ok(@torn, '>=', 323, 'all but what was torn');
same_frames(\@torn, [ @video[0 .. $#torn] ], 'torn: video');

# an empty spool

mkdir "$dir/empty";
($rc, $out, $err) = cli('inspect', "$dir/empty");
is("$rc$err", '0', 'an empty spool');
like($out, qr/^there is no recording below/, 'is said to be one');

# nothing has changed, and all of it comes to the bucket in the end

is(state_of($spool), $before, 'the spool is as it was');
is(join(' ', glob "$dir/tmp/*"), '', 'no copies are left');

chown $uid, $gid, $bucket;
chmod 0755, $bucket, map { "$bucket/$_" } qw/ record record\/live live /;

$t->start();
wait_for(sub { $t->log(qr!"live/test/.*" stored "\.live_record/!)
    && $t->log(qr!"live/change/.*" stored "\.live_record/!) }, 30,
    'the spool is taken up');

# files on their way

($rc, $out, $err) = cli('inspect', "$spool/$rec{test}");

is("$rc$err", '0', 'inspect, under way');
like($out, line("  $_  \"record/live/test/\\.part-$id{test}-0\\.$_\", ",
    'from fragment 000001, upload ".*", 2 parts with \d+ bytes sent, ',
    'up to fragment 000003, fragments up to 000001 wait for the head'),
    "the $_ file")
    for qw/ mp4 flv /;
like($out, qr/^  000001 .*; in the spool, confirmed as ".*", \d+ bytes$/m,
    'the first fragment waits for it');
like($out, line('  000002 .*; not in the spool, confirmed as ".*", \d+ bytes, ',
    'sent for mp4 flv'), 'the second does not');
like($out, qr/^  3 fragments in no mp4 file, 000001 to 000003/m,
    'none is stored');

($rc, $out, $err) = cli('inspect', "$spool/$rec{change}");

is("$rc$err", '0', 'inspect, one of two files is stored');
like($out, line("  $_  \"record/live/change/[-0-9_]+\\.$_\", \\d+ bytes, ",
    'fragments 000001 to 000001'), "the $_ file") for qw/ mp4 flv /;
like($out, qr/^  1 fragment in no mp4 file, 000002 to 000002/m,
    'the second waits');

$t->allow(qr/bucket "local" refuses/);
$t->done();

###############################################################################

sub cli { return cli_as(undef, @_) }

sub cli_as {
    my ($user, @args) = @_;
    my $path = $command;

    # which need not be let to where it was built

    if ($user) {
        $path = "$dir/live-record";
        system('install', '-m', '755', $command, $path) == 0 or die;
    }

    my $pid = fork();
    die "fork: $!\n" unless defined $pid;

    if (!$pid) {
        alarm 60;
        open STDOUT, '>', "$dir/cli.out" or die;
        open STDERR, '>', "$dir/cli.err" or die;
        $ENV{TMPDIR} = "$dir/tmp";

        if ($user) {
            my (undef, undef, $uid, $gid) = getpwnam $user;
            POSIX::setgid($gid);
            POSIX::setuid($uid);
        }

        exec $path, @args or POSIX::_exit(127);
    }

    waitpid $pid, 0;
    my $rc = $? & 127 ? "signal $?" : $? >> 8;

    return ($rc, read_file("$dir/cli.out"), read_file("$dir/cli.err"));
}

sub line {
    my $re = join '', @_;
    return qr/^$re$/m;
}

# the first seconds of the file that was published

sub frames_are {
    my ($got, $seconds, $name) = @_;
    my @v = frames($got, 'v');
    my @a = packets($got, 'a');
    my $n = grep { $_ < $seconds } &times($file, 'a');

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    same_frames(\@v, [ @video[0 .. $seconds * 25 - 1] ], "$name: video");
    cmp_ok(abs(@a - $n), '<=', 3, "$name: packets of audio");
    same_frames(\@a, [ @audio[0 .. $#a] ], "$name: audio");
    is(scalar `ffprobe -v warning '$got' 2>&1`, '',
        "$name: ffprobe does not complain");
}

# names, sizes, times of change and content of all files

sub state_of {
    my ($dir) = @_;

    return join "\n", map {
        my @st = stat "$dir/$_";
        "$_ $st[3] $st[7] $st[9] $st[10] "
            . Digest::MD5::md5_hex(read_file("$dir/$_"));
    } files_in($dir);
}

sub copy_of {
    my ($name) = @_;
    system('rm', '-rf', $copy);
    system('cp', '-a', "$spool/$rec{$name}", $copy);
}

# both commands say what is wrong; inspect shows what it can, and render
# needs no more than record.log

sub damaged {
    my ($name, $change, $says, $shows, $renders) = @_;

    copy_of('test');
    unlink "$dir/damaged.ts";

    if ($change) {
        local $_ = -e "$copy/$name" ? read_file("$copy/$name") : '';
        $change->();
        write_file("$copy/$name", $_);

    } else {
        unlink "$copy/$name";
    }

    ($rc, $out, $err) = cli('inspect', $copy);
    is($rc, 1, "damaged: $says");
    like($err, $says, 'inspect says it');
    unlike($err, qr/[^\x20-\x7e\n]/, 'in plain text');
    like($out, $shows || qr/^$/, 'and shows what there is');

    ($rc, $out, $err) = cli('render', $copy, '-f', 'ts',
        '-o', "$dir/damaged.ts");
    is($rc, $renders ? 0 : 1, 'render');
    like($err, $says, 'says it, too') unless $renders;
}

###############################################################################
