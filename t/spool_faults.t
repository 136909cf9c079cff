#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# The spool's and the bucket's disks are full, slow, or fail; the spool holds
# what it should not, or is no spool at all.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;
use Time::HiRes qw/ sleep time /;

use lib "$FindBin::Bin/lib";
use LiveRecord;
use LiveRecord::Parts;

###############################################################################

plan(skip_all => 'only root can mount a small disk') if $> != 0;

my @mounts;

END {
    system("umount -l $_ 2>/dev/null") for @mounts;
}

my $preload = $ENV{TEST_NGINX_PRELOAD};

# 3 Mbit/s: a disk of some MB is full soon

my $heavy = media('heavy', seconds => 60, gop => 1, size => '640x360',
    bitrate => '3000k', x264 => 'nal-hrd=cbr');
my $short = media('short');

my @heavy_v = frames($heavy, 'v');
my @heavy_a = packets($heavy, 'a');
my @short_v = frames($short, 'v');
my @short_a = packets($short, 'a');

side_by_side(
    spool_full => \&spool_full,
    bucket_full => \&bucket_full,
    bucket_short => \&bucket_short,
    past_the_cache => \&past_the_cache,
    slow => \&slow,
    too_slow => \&too_slow,
    stopped => \&stopped,
    failing => \&failing,
    no_recording => \&no_recording,
    corrupt => \&corrupt,
    refused => \&refused,
);

###############################################################################

# the spool's disk fills up, of which nothing is to be left, because the bucket
# takes nothing; then it does

sub spool_full {
    my $t = LiveRecord->new();
    my $bucket = disk($t, 'bucket', '48m');
    my $filler = fill($bucket);

    disk($t, 'spool', '8m');
    configure($t, spool => 'min_free=0')->start();

    my $began = time();
    my $p = $t->start_publish($heavy, speed => 3);

    wait_for(sub { $t->log(qr/\[error\].*loses frames/) }, 20,
        'the spool to be full');

    unlink $filler;

    is($p->wait(), 0, 'the publisher is not dropped');
    in_time($began, 60 / 3, 'nor slowed');

    my @lost = lost_events($t);
    my @cycles = $t->wait_recorded(1, seconds => 60);

    is(scalar @cycles, 1, 'one recording');

    # it may have gone on before the bucket did, and failed again

    my @errors = $t->log(qr/\[error\].*loses frames/);
    my @well = $t->log(qr/"live\/test" goes on, /);

    is(scalar @errors, scalar @well, 'each error, and each end of it');
    is((grep { /min_free: \d+ bytes are free for "[^"]+", 0 have/ } @errors),
        scalar @errors, 'and why');
    cmp_ok(scalar @errors, '<=', 2, 'in at most two turns');

    gap($cycles[0], \@lost, 'the disk of the spool has reached its min_free',
        scalar @well);

    $t->allow(qr/"live\/test" loses frames/);
    finish($t);
}

# the bucket's disk is full, and the spool keeps all

sub bucket_full {
    my $t = LiveRecord->new();
    my $bucket = disk($t, 'bucket', '16m');
    my $filler = fill($bucket);

    configure($t)->start();

    is($t->publish($short, seconds => 16), 0, 'published');
    wait_for(sub { $t->log(qr/bucket "local" fails/) }, 10, 'the bucket');
    sleep 3;

    is(scalar $t->fragments(), 0, 'nothing is in the bucket');
    is(scalar files_in($bucket, qr/\.part$/), 0, 'nor any part of it');

    unlink $filler;
    my @cycles = $t->wait_recorded(1, seconds => 40);

    all_there($cycles[0], \@short_v, 16 * 25);

    is(scalar $t->log(qr/\[warn\].*bucket "local" fails.*No space left/), 1,
        'that it fails is told once');
    is(scalar $t->log(qr/\[notice\].*bucket "local" works again/), 1,
        'that it works again, too');
    is(scalar $t->log(qr/loses frames/), 0, 'nothing is lost');

    finish($t);
}

# what goes past the page cache of an ext4 finds no more room in the middle, in
# one fragment after another and in the parts of an mp4 file, until it has some

sub bucket_short {
    my $t = LiveRecord->new();
    my $bucket = image($t, 'bucket', '24m');
    my $filler = fill($bucket);

    system('truncate', '-s', '-1200k', $filler) == 0 or die "truncate: $?\n";

    configure($t, format => 'm3u8 mp4')->start();

    is($t->publish($heavy, seconds => 16, speed => 4), 0, 'published');

    wait_for(sub { $t->log(qr/bucket "local" fails.*No space/) }, 20,
        'the bucket to be full');
    is((grep { !/mp4/ } files_in($bucket, qr/\.part$/)), 0,
        'of a fragment that has failed nothing is left');

    for (1 .. 3) {
        sleep 1.5;
        system('truncate', '-s', '-1200k', $filler) == 0
            or die "truncate: $?\n";
    }

    unlink $filler;

    my @cycles = $t->wait_recorded(1, seconds => 60);

    all_there($cycles[0], \@heavy_v, 16 * 25);

    my ($mp4) = $t->mp4s();
    same_frames([ frames($mp4, 'v') ], [ @heavy_v[0 .. 16 * 25 - 1] ], 'mp4');

    is(scalar $t->log(qr/loses frames/), 0, 'nothing is lost');

    finish($t);
}

# what is in the page cache of a fragment that nobody has read yet: its end, and
# with directio off all of it

sub past_the_cache {
    my $t = LiveRecord->new();
    my %name = (on => 'default', off => 'cached');

    image($t, 'bucket', '48m');

    $t->write_conf(<<'EOF_CONF');
%%GLOBALS%%

events {
    worker_connections 64;
}

rtmp {
    live_record_spool %%TESTDIR%%/spool;
    live_record_bucket default { type dir; root %%TESTDIR%%/bucket; }
    live_record_bucket cached {
        type dir;
        root %%TESTDIR%%/bucket;
        directio off;
    }

    server {
        listen 127.0.0.1:%%PORT%%;

        application live {
            live on;

            live_record default { bucket default; fragment 5s; grace 2s; }
            live_record cached { bucket cached; fragment 5s; grace 2s; }
        }
    }
}
EOF_CONF

    $t->start();

    for my $set (qw/ on off /) {
        my $name = $name{$set};

        is($t->publish($heavy, name => $name, seconds => 10, speed => 4), 0,
            "$set: published");

        my ($list) = $t->wait_recorded(1, name => $name, seconds => 30);

        for my $file ($t->fragments($name)) {
            my ($cached) = `fincore --bytes --noheadings -o RES '$file'` =~
                /(\d+)/;

            cmp_ok(-s $file, '>', 1 << 20, "$set: a fragment");

            if ($set eq 'on') {
                cmp_ok($cached, '<=', 17 * 4096, 'its end is cached');

            } else {
                cmp_ok($cached, '>', 0.9 * -s $file, 'all of it is cached');
            }
        }

        all_there($list, \@heavy_v, 250, $set);
    }

    finish($t);
}

# each write takes 0.2 and then 2 s, and buffer is what it is

sub slow {
    my $t = slow_disk();
    configure($t)->start();

    control($t, 200, 0);

    my $began = time();
    my $p = $t->start_publish($heavy, seconds => 24, speed => 2);

    $p->wait_media(8000);
    control($t, 2000, 0);
    $p->wait_media(20000);
    control($t, 500, 0);

    is($p->wait(), 0, 'the publisher is not dropped');
    in_time($began, 24 / 2, 'nor slowed');

    my @cycles = $t->wait_recorded(1, seconds => 60);

    all_there($cycles[0], \@heavy_v, 24 * 25);
    is((grep { $_->{discontinuity} } @{parse_m3u8($cycles[0])->{segments}}),
        0, 'no discontinuity');

    finish($t);
}

# the same disk, and less memory than it needs

sub too_slow {
    my $t = slow_disk();
    configure($t, spool => 'buffer=1m')->start();

    my $began = time();
    my $p = $t->start_publish($heavy, seconds => 40, speed => 4);

    $p->wait_media(6000);
    control($t, 2000, 0);

    wait_for(sub { $t->log(qr/\[error\].*loses frames: the disk is too/) },
        10, 'frames to be lost');

    # 100 KB more than the buffer is still one frame

    my ($line) = $t->log(qr/loses frames/);
    my ($bytes) = $line =~ /(\d+) bytes wait/;

    cmp_ok($bytes, '<=', 1 << 20, 'not more than the buffer is in memory');
    cmp_ok($bytes, '>=', 1 << 19, 'and not much less');

    sleep 1;
    unlink control_file($t);

    wait_for(sub { $t->log(qr/"live\/test" goes on, /) }, 10,
        'the recording to go on');

    is($p->wait(), 0, 'the publisher is not dropped');
    in_time($began, 40 / 4, 'nor slowed');

    my @lost = lost_events($t);
    my @cycles = $t->wait_recorded(1, seconds => 60);

    is(scalar @cycles, 1, 'one recording');
    gap($cycles[0], \@lost, 'the disk is too slow', 1);

    $t->allow(qr/"live\/test" loses frames: the disk is too slow/);
    finish($t);
}

# stopped while a directory does not take what is stored, for longer than the
# master waits: what was in memory is in the spool by then

sub stopped {
    my $t = slow_disk();
    configure($t)->start();

    my $p = $t->start_publish($heavy, seconds => 10, speed => 2,
        end => 'hold');

    control($t, 60000, 0, $t->bucket());

    $p->wait_event('holding');
    sleep 0.1;

    ok($t->stop('TERM'), 'nginx stops');
    is($p->wait(), 4, 'the publisher is cut off');

    is(scalar $t->log(qr/exited on signal 9/), 1, 'a thread was stuck');
    is(scalar $t->log(qr/"live\/test" pauses: worker exit/), 1,
        'the recorder had its end');

    unlink control_file($t);
    $t->start();

    my @cycles = $t->wait_recorded(1, seconds => 60);

    all_there($cycles[0], \@heavy_v, 10 * 25);

    $t->allow(qr/exited on signal 9/);
    finish($t);
}

# writes fail for a while, and so does the first attempt to go on

sub failing {
    my $t = slow_disk();
    configure($t)->start();

    my $began = time();
    my $p = $t->start_publish($heavy, speed => 3);

    # what is in the bucket cannot be journalled, and then nothing can

    my $journal = qr/in the spool: writing to it failed \(5: /;

    $p->wait_media(6000);
    control($t, 0, 5, glob $t->spool() . '/live/test/*/ship.log');
    wait_for(sub { $t->log($journal) }, 10, 'the error of the shipper');
    control($t, 0, 5);

    wait_for(sub { $t->log(qr/"live\/test" goes on, /) }, 10,
        'an attempt to go on');
    sleep 1;
    unlink control_file($t);

    is($p->wait(), 0, 'the publisher is not dropped');
    in_time($began, 60 / 3, 'nor slowed');

    my @lost = lost_events($t);
    my @cycles = $t->wait_recorded(1, seconds => 60);

    is(scalar @cycles, 1, 'one recording');
    is(scalar $t->log(qr/"live\/test" goes on, /), 2, 'two attempts');
    is(scalar $t->log(qr/loses frames/), 1, 'the error is told once');
    like(($t->log(qr/loses frames/))[0], qr/5: Input\/output error/,
        'and why');

    gap($cycles[0], \@lost, 'the spool failed', 1);

    is(scalar $t->log($journal), 1, 'the error of the shipper is told once');

    $t->allow(qr/"live\/test" loses frames/, $journal);
    finish($t);
}

# no recording can be made when a publisher comes, but a while later

sub no_recording {
    my $t = slow_disk();
    configure($t)->start();
    control($t, 0, 28);

    my $began = time();
    my $p = $t->start_publish($short, speed => 3);

    wait_for(sub { $t->log(qr/is not recorded for now: .*No space left/) },
        10, 'the error');
    unlink control_file($t);

    is($p->wait(), 0, 'the publisher is not dropped');
    in_time($began, 30 / 3, 'nor slowed');

    my @lost = lost_events($t);
    my @cycles = $t->wait_recorded(1);
    my @got = frames([ segments_of($cycles[0]) ], 'v');

    cmp_ok(scalar @got, '>', 200, 'the rest is recorded');
    same_frames(\@got, [ @short_v[-@got .. -1] ], 'from a key frame on');
    is(scalar $t->log(qr/is not recorded for now/), 1, 'told once');

    is(scalar @lost, 1, 'a lost event');
    cmp_ok($lost[0]{frames}, '>', 750 - @got, 'with the frames before it');
    is(scalar $t->log(qr/"live\/test" goes on, $lost[0]{frames} frames/), 1,
        'and the log tells how many');

    $t->allow(qr/"live\/test" is not recorded for now/);
    finish($t);
}

# the spool as somebody may find it

sub corrupt {
    my $t = LiveRecord->new();
    my $bucket = $t->bucket();
    my $spool = $t->spool();

    configure($t, grace => '3s')->start();

    # nothing can be stored: two whole fragments and an open one of each

    chown 0, 0, $bucket;
    chmod 0500, $bucket;

    my @names = qw/ fine garbage later template no_template no_log half torn
        idx no_idx gone ship empty foreign late_ship /;
    my @pubs = map { $t->start_publish($short, name => $_, seconds => 13,
        speed => 4, end => 'hold') } @names;

    $_->wait_event('holding') for @pubs;
    sleep 1;
    $t->kill_all();
    $_->wait() for @pubs;

    my %dir = map { /^live\/(\w+)\/([^\/]+)\/record\.log$/
        ? ($1, "$spool/live/$1/$2") : () } files_in($spool);

    is(scalar keys %dir, scalar @names, 'all of them are in the spool');
    ok(-s "$dir{fine}/000003.flv", 'and have three fragments')
        or diag(join "\n", files_in($dir{fine}));

    write_file("$dir{garbage}/record.log", "\x{1}no journal\n");
    change("$dir{later}/record.log", sub { s/"version":\d+/"version":99/ });
    write_file("$dir{template}/template.json", '{ "version": ');
    unlink "$dir{no_template}/template.json";
    unlink "$dir{no_log}/record.log";
    append_file("$dir{half}/record.log", '{"event":"clo');
    truncate "$dir{torn}/000003.flv", (-s "$dir{torn}/000003.flv") - 1000;
    write_file("$dir{idx}/000001.idx", 'x' x 1000);
    unlink glob "$dir{no_idx}/*.idx";
    unlink "$dir{gone}/000002.flv";
    write_file("$dir{ship}/ship.log", "no journal\n");
    write_file("$dir{empty}/record.log", '');
    change("$dir{late_ship}/ship.log",
        sub { s/"version":\d+/"version":99/ });

    # and what somebody else may have left there

    my @foreign = ('file', 'live/file', 'live/fine/file', 'a dir',
        'live/a.dir', 'live/fine/a dir', 'live/fine/nothing', 'link');

    mkdir "$spool/$_" for grep { /dir|nothing/ } @foreign;
    symlink '/etc', "$spool/link";
    write_file("$spool/$_", 'foreign') for grep { /file/ } @foreign;
    write_file("$spool/a dir/file", 'foreign');
    mkdir "$spool/lost+found";
    mkdir "$spool/none";
    mkdir "$spool/none/none";
    write_file("$spool/.hidden", 'foreign');
    write_file("$dir{foreign}/notes.txt", 'foreign');
    mkdir "$dir{foreign}/sub";
    write_file("$dir{foreign}/sub/notes.txt", 'foreign');

    system("chown -R www-data: '$spool'");

    my (undef, undef, $uid, $gid) = getpwnam 'www-data';
    chown $uid, $gid, $bucket;
    chmod 0755, $bucket;

    # the grace is over

    sleep 3;
    configure($t, grace => '3s')->start();

    for my $name (qw/ fine half idx no_idx foreign /) {
        my @cycles = $t->wait_recorded(1, name => $name, foreign => 1);

        is(scalar @cycles, 1, "$name: one recording");
        all_there($cycles[0], \@short_v, 13 * 25, $name);
    }

    # what is there of the others

    my @torn = $t->wait_recorded(1, name => 'torn');
    my @got = frames([ segments_of(@torn) ], 'v');

    # without the last one, those that refer to it are not as they were

    cmp_ok(scalar @got, '>=', 13 * 25 - 12, 'torn: most is there');
    $#got -= 4;
    same_frames(\@got, [ @short_v[0 .. $#got] ], 'torn: video');

    my @gone = $t->wait_recorded(1, name => 'gone');

    playlist_ok($gone[0], 'gone: playlist');
    is_subsequence([ frames([ segments_of($gone[0]) ], 'v') ],
        [ @short_v[0 .. 324] ], 'gone: video', missing => 175, runs => 3);
    is((grep { $_->{discontinuity} } @{parse_m3u8($gone[0])->{segments}}),
        1, 'gone: a discontinuity');
    is(scalar $t->log(qr/"live\/gone\/[^"]+" has no object of fragment 2/),
        1, 'gone: the log says so');

    my %why = (
        garbage => qr/not JSON/, later => qr/version 99/,
        template => qr/template\.json/, no_template => qr/template\.json/,
        no_log => qr/record\.log/, ship => qr/not JSON/,
        empty => qr/record\.log is empty/, late_ship => qr/version|start/,
    );

    for my $name (sort keys %why) {
        (my $id = $dir{$name}) =~ s/.*\///;

        wait_for(sub { -d "$spool/quarantine/live.$name.$id" }, 10,
            "$name to be set aside");
        ok(-s "$spool/quarantine/live.$name.$id/000001.flv",
            "$name: its media is there");

        my @lines = $t->log(qr/"live\/$name\/$id" in the spool cannot be/);
        is(scalar @lines, 1, "$name: the log says so");
        like($lines[0] || '', $why{$name}, "$name: and why");
    }

    for my $name (@foreign) {
        (my $flat = $name) =~ s/\//./g;

        wait_for(sub { lstat "$spool/quarantine/$flat" }, 10,
            "\"$name\" to be set aside");
        cmp_ok(scalar $t->log(qr/"[^"]*\Q$name\E" .*set aside/), '>=', 1,
            "\"$name\": the log says so");
    }

    ok(-e "$spool/.hidden" && -d "$spool/lost+found",
        'what is hidden is left alone');
    is(read_file("$spool/quarantine/a dir/file"), 'foreign',
        'nothing is removed');

    # and it goes on as ever

    is($t->publish($short, seconds => 4, name => 'fine'), 0, 'published');

    my @fine = $t->wait_recorded(2, name => 'fine');
    all_there($fine[1], \@short_v, 100, 'a new one');

    $t->allow(qr/set aside/, qr/has no object of fragment 2/,
        qr/bucket "local" refuses/);
    finish($t);
}

# nginx -t tells of a spool and a root that cannot be used, and makes those
# that are not there

sub refused {
    my $t = LiveRecord->new();
    my $dir = $t->dir();

    write_file("$dir/file", '');
    make_dir("$dir/roots", 0755);
    write_file("$dir/roots/file", '');
    make_dir("$dir/roots/.tmp", 0700);
    make_dir("$dir/shut", 0700);

    for (
        [ 'file', qr/file" of "%s" is not a directory/ ],
        [ 'file/below', qr/mkdir\(\) "[^"]*file\/below" of "%s" failed/ ],
        [ 'roots', qr/roots" of "%s" cannot be written to by the user of /
            . 'the workers, "www-data"' ],
        [ 'shut/below', qr/shut\/below" of "%s" cannot be reached by the /
            . 'user of the workers, "www-data"' ],
    ) {
        my ($path, $re) = @$_;

        for my $kind ([ 'live_record_spool', $path, 'bucket' ],
            [ 'root', 'spool', $path ])
        {
            my ($ok, $out) = $t->test_conf(conf(spool_path => $kind->[1],
                root => $kind->[2]));
            (my $wanted = $re) =~ s/%s/$kind->[0]/;

            ok(!$ok, "$kind->[0] $path is refused");
            like($out, qr/\[emerg\].*$wanted/, '... and says why');
        }
    }

    is((stat "$dir/roots")[4], 0, 'what is there is not given away');

    # as a service is shut in by systemd

    disk($t, 'ro', '4m');
    make_dir("$dir/ro/theirs", 0755);
    system("chown www-data '$dir/ro/theirs'"
        . " && mount -o remount,ro '$dir/ro'") == 0 or die;

    for my $kind ([ 'live_record_spool', 'ro/theirs', 'bucket' ],
        [ 'root', 'spool', 'ro/theirs' ])
    {
        my ($ok, $out) = $t->test_conf(conf(spool_path => $kind->[1],
            root => $kind->[2]));

        ok(!$ok, "$kind->[0]: a file system that is read-only");
        like($out, qr/ of "$kind->[0]" cannot .* \(30: Read-only file /,
            '... and says so');
    }

    system('umount', pop @mounts);

    my ($ok, $out) = $t->test_conf(conf(spool_path => 'a/b/spool',
        root => 'a/c/root'));

    ok($ok, 'what is not there is made') or diag($out);

    my $uid = getpwnam 'www-data';

    is((stat "$dir/a/b/spool")[4], $uid, 'the spool is the workers\'');
    is((stat _)[2] & 07777, 0700, '... and theirs alone');
    is((stat "$dir/a/c/root")[4], $uid, 'the root is the workers\'');
    is((stat _)[2] & 07777, 0755, '... and can be read by others');
    is((stat "$dir/a/b")[4], 0, 'the directories above are not');

    done_testing();
}

###############################################################################

sub conf {
    my (%opt) = @_;
    my $spool = $opt{spool_path} || 'spool';
    my $root = $opt{root} || 'bucket';
    my $grace = $opt{grace} || '2s';
    my $args = $opt{spool} || '';
    my $format = $opt{format} || 'm3u8';

    return <<"EOF_CONF";
%%GLOBALS%%

events {
    worker_connections 64;
}

rtmp {
    live_record_spool %%TESTDIR%%/$spool $args;
    live_record_bucket local { type dir; root %%TESTDIR%%/$root; }

    server {
        listen 127.0.0.1:%%PORT%%;

        application live {
            live on;

            live_record * {
                bucket local;
                format $format;
                fragment 5s;
                grace $grace;
            }
        }
    }
}
EOF_CONF
}

sub configure {
    my ($t, %opt) = @_;
    return $t->write_conf(conf(%opt));
}

# a disk of its own

sub disk {
    my ($t, $name, $size) = @_;
    my $dir = $t->dir() . "/$name";

    make_dir($dir, 0755);

    if (system("mount -t tmpfs -o size=$size,uid=\$(id -u www-data),"
        . "gid=\$(id -g www-data),mode=0755 tmpfs '$dir'") != 0)
    {
        plan(skip_all => 'nothing can be mounted here');
    }

    push @mounts, $dir;

    return $dir;
}

# the same, with a file system that knows O_DIRECT

sub image {
    my ($t, $name, $size) = @_;
    my $dir = $t->dir() . "/$name";
    my $file = "$dir.image";

    make_dir($dir, 0755);

    if (system("truncate -s $size '$file' && mkfs.ext4 -q -F -m 0 -O"
        . " ^has_journal '$file' && mount -o loop '$file' '$dir'") != 0)
    {
        plan(skip_all => 'no file system can be mounted from a file here');
    }

    push @mounts, $dir;
    system("rmdir '$dir/lost+found'; chown www-data:www-data '$dir'");

    return $dir;
}

# takes all the room there is

sub fill {
    my ($dir) = @_;

    system("dd if=/dev/zero of='$dir/filler' bs=64k 2>/dev/null");

    return "$dir/filler";
}

sub make_dir {
    my ($dir, $mode) = @_;
    mkdir $dir or die "$dir: $!\n";
    chmod $mode, $dir;
}

sub finish {
    my ($t) = @_;

    ok($t->stop(), 'nginx stops');

    while (@mounts) {
        my $dir = pop @mounts;
        system("umount '$dir' 2>/dev/null || umount -l '$dir'");
    }

    $t->done();
}

# an nginx whose writes to the spool are as control() says

sub slow_disk {
    my $t = LiveRecord->new();
    my $so = $t->dir() . '/slowdisk.so';

    system($ENV{CC} || 'cc', '-std=gnu99', '-O2', '-fPIC', '-shared', '-o',
        $so, "$FindBin::Bin/lib/slowdisk.c", '-ldl') == 0
        or die "slowdisk.so could not be built\n";

    $ENV{TEST_NGINX_PRELOAD} = join ':', $preload || (), $so;
    $ENV{SLOWDISK} = control_file($t);

    return $t;
}

sub control_file { return shift->dir() . '/control' }

sub control {
    my ($t, $delay, $errno, $prefix) = @_;

    $prefix = $t->spool() unless defined $prefix;
    write_file(control_file($t) . '.new', "$delay $errno $prefix\n");
    rename control_file($t) . '.new', control_file($t);
}

sub in_time {
    my ($began, $seconds, $name) = @_;
    cmp_ok(abs(time() - $began - $seconds), '<', 3, $name);
}

sub all_there {
    my ($list, $video, $n, $name) = @_;
    $name = defined $name ? "$name: " : '';

    playlist_ok($list, "${name}playlist");
    same_frames([ frames([ segments_of($list) ], 'v') ],
        [ @$video[0 .. $n - 1] ], "${name}video");
}

sub change {
    my ($file, $sub) = @_;

    local $_ = read_file($file);
    my $old = $_;

    $sub->();
    isnt($_, $old, "$file is changed");
    write_file($file, $_);
}

# from record.log, while the grace runs

sub lost_events {
    my ($t) = @_;
    my @logs = wait_for(sub {
        my @files = map { $t->spool() . "/live/test/$_" }
            files_in($t->spool() . '/live/test', qr/record\.log$/);
        return unless @files && read_file($files[0]) =~ /"unpublish"/;
        return \@files;
    }, 10, 'the end of the publish');

    return grep { $_->{event} eq 'lost' } map { decode_json($_) }
        map { split /\n/, read_file($_) } @{$logs[0]};
}

# what was recorded of the heavy stream can be decoded; what is missing is in n
# places, and each is told by an event and is a discontinuity

sub gap {
    my ($list, $lost, $why, $n) = @_;
    my @segments = @{parse_m3u8($list)->{segments}};

    playlist_ok($list);

    # each fragment by itself

    my @v = map { frames($_->{file}, 'v') } @segments;
    my @a = packets([ map { $_->{file} } @segments ], 'a');
    my @sent_v = @heavy_v;
    my @sent_a = @heavy_a;

    # what was published may have been a part of it

    $#sent_v-- while @sent_v && $sent_v[-1] ne $v[-1];
    $#sent_a-- while @sent_a && $sent_a[-1] ne $a[-1];

    # the last frames before it in order of time are not the last in order
    # of decoding

    my $missing_v = is_subsequence(\@v, \@sent_v, 'video', runs => 3 * $n);
    my $missing_a = is_subsequence(\@a, \@sent_a, 'audio', runs => $n);

    cmp_ok($missing_v->{missing}, '>', 10, 'some is missing');
    is((grep { $_->{discontinuity} } @segments), $n, 'a discontinuity');

    is(scalar @$lost, $n, 'a lost event');

    my $frames = 0;
    $frames += $_->{frames} for @$lost;

    is($frames, $missing_v->{missing} + $missing_a->{missing},
        'it counts what is missing');
    is((grep { $_->{why} eq $why } @$lost), $n, 'and says why');
}

###############################################################################
