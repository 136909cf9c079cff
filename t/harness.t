#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# Tests of the tests' own tools: what the publishers send is what nginx-rtmp
# alone receives and writes, frame by frame.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;

use lib "$FindBin::Bin/lib";
use LiveRecord;

###############################################################################

my $t = LiveRecord->new(plain => 1);

$t->write_conf(<<'EOF_CONF');
%%GLOBALS%%

worker_processes 2;

events {
    worker_connections 64;
}

rtmp {
    server {
        listen 127.0.0.1:%%PORT%%;

        application live {
            live on;
            record all;
            record_path %%TESTDIR%%/rec;
        }

        application closed {
            live on;
            deny publish all;
        }
    }
}
EOF_CONF

my $rec = $t->dir() . '/rec';
mkdir $rec;
chmod 0777, $rec;

$t->start();

my $file = media('short');
my @video = frames($file, 'v');
my @packets = packets($file, 'a');

is(scalar @video, 750, 'frames of the source');
cmp_ok(scalar @packets, '>=', 1290, 'audio packets of the source');

my %unique = map { $_ => 1 } @video;
is(scalar keys %unique, 750, 'every frame of the source is unique');

# plain

same('as_fast', $t->publish($file, name => 'as_fast', speed => 0));
same('paced', $t->publish($file, name => 'paced', speed => 30));
same('by_ffmpeg', $t->ffmpeg($file, name => 'by_ffmpeg', rate => 30));

# the same on the wire in other ways

same('chunk128', $t->publish($file, name => 'chunk128', speed => 0,
    chunk => 128));
same('aggregate', $t->publish($file, name => 'aggregate', speed => 0,
    aggregate => 1));
same('nal2', $t->publish($file, name => 'nal2', speed => 0,
    nal_length => 2));
same('ext', $t->publish($file, name => 'ext', speed => 0, absolute => 1,
    chunk => 128, ts_offset => 0xffffff - 5000));
same('late', $t->publish($file, name => 'late', speed => 0, absolute => 1,
    ts_offset => 0x7fffffff - 60000));
same('equal', $t->publish($file, name => 'equal', speed => 0,
    equal_dts => 5));
same('split', $t->publish($file, name => 'split', speed => 0,
    split_sei => 1), av => 1);

# nginx-rtmp reads four bytes of every later chunk as a timestamp

$t->publish($file, name => 'no_ext', speed => 0, absolute => 1,
    no_type3_ext => 1, chunk => 128, ts_offset => 0x1000000);
isnt(join(',', frames(rec('no_ext'), 'v')), join(',', @video),
    'a publisher without extended timestamps in type 3 is torn');

# times

my @dts = times($file, 'v', 'dts');

$t->publish($file, name => 'jump', speed => 0,
    jump => [ '10000:-1000', '20000:7000' ]);

my @jumped = map { $_ < 10 ? $_ : $_ < 20 ? $_ - 1 : $_ + 6 } @dts;
is_deeply([ rounded(times(rec('jump'), 'v', 'dts')) ],
    [ rounded(@jumped) ], 'jumps');

$t->publish($file, name => 'shift', speed => 0, audio_shift => 2000);
my $video = (times(rec('shift'), 'v', 'dts'))[0];
my $audio = (times(rec('shift'), 'a', 'dts'))[0];
my $was = (times($file, 'a', 'dts'))[0] - $dts[0];
cmp_ok(abs($audio - $video - $was - 2), '<', 0.002, 'audio is 2 s ahead');

$t->publish($file, name => 'cts', speed => 0, cts_shift => -200);
my @pts = map { $_ - 0.2 } times($file, 'v');
is_deeply([ rounded(times(rec('cts'), 'v')) ], [ rounded(@pts) ],
    'composition times below zero');

$t->publish($file, name => 'equal_dts', speed => 0, equal_dts => 5);
my $equal = () = events_equal(times(rec('equal_dts'), 'v', 'dts'));
is($equal, 150, 'equal dts');

# parts

is($t->publish($file, name => 'a', speed => 0, seconds => 10), 0, 'part 1');
is($t->publish($file, name => 'b', speed => 0, start => 10000), 0, 'part 2');

same_frames([ frames(rec('a'), 'v'), frames(rec('b'), 'v') ], \@video,
    'two parts make the whole: video');
same_frames([ packets(rec('a'), 'a'), packets(rec('b'), 'a') ], \@packets,
    'two parts make the whole: audio');

is($t->publish($file, name => 'noaudio', speed => 0, no_audio => 1), 0,
    'no audio');
is(scalar packets(rec('noaudio'), 'a'), 0, 'no audio is sent');
same_frames([ frames(rec('noaudio'), 'v') ], \@video, 'video alone');

is($t->publish($file, name => 'novideo', speed => 0, no_video => 1), 0,
    'no video');
is(scalar frames(rec('novideo'), 'v'), 0, 'no video is sent');
same_frames([ packets(rec('novideo'), 'a') ], \@packets, 'audio alone');

is($t->publish([ $file, $file ], name => 'twice', speed => 0), 0,
    'two files');
same_frames([ frames(rec('twice'), 'v') ], [ @video, @video ],
    'two files are one stream');

# ends

same('fin', $t->publish($file, name => 'fin', speed => 0, end => 'fin'));
same('rst', $t->publish($file, name => 'rst', speed => 0, end => 'rst'));

is($t->publish($file, name => 'kill', speed => 0, end => 'kill'), 128 + 9,
    'killed');
same('kill', 0);

my $p = $t->start_publish($file, name => 'hold', speed => 0, end => 'hold');
$p->wait_event('holding');
same('hold', 0);
ok($p->alive(), 'holds');

my $second = $t->start_publish($file, name => 'hold', speed => 0);
is($second->wait(), 3, 'a second publisher is refused');
like($second->out(), qr/NetStream\.Publish\.BadName/, 'and told why');

is($p->kill('TERM')->wait(), 0, 'held until SIGTERM');

is($t->publish($file, name => 'one', speed => 0, republish => 'two'), 0,
    'another name on the same connection');
same('one', 0);
same('two', 0);

# nginx-rtmp says "Publish.Start" before its access rules are asked

like($t->publish($file, app => 'closed', speed => 0), qr/^[34]$/,
    'refused by access rules');

$p = $t->start_publish($file, name => 'loop', speed => 0, loop => 1);
$p->wait_media(90000);
is($p->kill('TERM')->wait(), 0, 'looped until SIGTERM');
same_frames([ (frames(rec('loop'), 'v'))[0 .. 2249] ],
    [ (@video) x 3 ], 'looped');

# hevc

$file = media('hevc', video => 'hevc', seconds => 6);
ok(-s $file, 'hevc in FLV');
is(scalar frames(source($file), 'v'), 150, 'hevc source');
is($t->publish($file, name => 'hevc', speed => 0), 0, 'hevc is sent');

$file = media('hevc_ex', video => 'hevc', seconds => 6, enhanced => 1);
ok(-s $file, 'hevc in Enhanced RTMP');
is($t->publish($file, name => 'hevc_ex', speed => 0), 0, 'hvc1 is sent');

# processes

$p = $t->start_publish($file, name => 'reload', speed => 1, loop => 1);
$p->wait_event('published');

my @old = $t->workers();
is(scalar @old, 2, 'two workers');

$t->reload();

my %old = map { $_ => 1 } @old;
my @new = $t->workers();

is(scalar @new, 2, 'two workers after a reload');
is((grep { $old{$_} } @new), 0, 'of a new generation');
wait_for(sub { $t->workers(all => 1) == 3 }, 10,
    'all but the one with a publisher to leave');
ok($p->alive(), 'its publisher goes on');

is($t->kill_workers(), 3, 'kill -9 of all workers');
is($p->wait(), 4, 'the connection is lost');
wait_for(sub { $t->workers() == 2 }, 10, 'new workers');

if (!$ENV{TEST_VALGRIND}) {
    my $master = $t->master();

    is($t->upgrade(), $master, 'the old master');
    isnt($t->master(), $master, 'a new binary');
}

$t->kill_all();
ok(!$t->master(), 'kill -9 of nginx');
$t->start();
is($t->publish($file, name => 'again', speed => 0), 0, 'a new start');

# the assertions themselves

my @n = map { sprintf '%032x', $_ } 1 .. 100;

ok(fails(sub { same_frames([ @n[0 .. 98] ], [ @n ], 'x') }), 'one short');
ok(fails(sub { same_frames([ @n, $n[0] ], [ @n ], 'x') }), 'one more');
ok(fails(sub { same_frames([ @n[0 .. 49], @n[51 .. 99] ], [ @n ], 'x') }),
    'one left out');
ok(fails(sub { same_frames([], [], 'x') }), 'nothing expected');
same_frames([ @n[0 .. 97] ], [ @n ], 'two may be missing',
    allow_missing => 2);

is(is_subsequence([ @n[0 .. 9], @n[20 .. 49], @n[51 .. 99] ], [ @n ],
    'two runs are missing', runs => 2, missing => 11)->{missing}, 11,
    'and counted');
ok(fails(sub { is_subsequence([ @n[10 .. 19], @n[0 .. 9] ], [ @n ], 'x') }),
    'an order of its own');
ok(fails(sub { is_subsequence([ @n[0, 0, 1] ], [ @n ], 'x') }), 'twice');

# playlists

my $good = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:5\n"
    . "#EXT-X-PROGRAM-DATE-TIME:2026-01-02T03:04:05.000Z\n"
    . "#EXTINF:5.000,\na.ts\n#EXTINF:5.000,\nb.ts\n#EXT-X-ENDLIST\n";

write_file($t->dir() . "/$_.ts", 'x') for 'a' .. 'c';

is(lint($good), '', 'a good playlist');
like(lint($good =~ s/ION:5/ION:4/r), qr/above the target/, 'target');
like(lint($good =~ s/b\.ts/d.ts/r), qr/d\.ts is not there/, 'missing');
like(lint($good =~ s/b\.ts/a.ts/r), qr/a\.ts comes twice/, 'twice');
like(lint($good =~ s/#EXT-X-ENDLIST\n//r), qr/no EXT-X-ENDLIST/, 'no end');
like(lint($good =~ s/VERSION:3/VERSION:2/r), qr/below 3/, 'version');

my $date = '#EXT-X-PROGRAM-DATE-TIME:2026-01-02T03:04:11Z';

like(lint($good =~ s/(#EXTINF[^#]*b)/$date\n$1/r), qr/1\.000 s off/,
    'date');
like(lint($good =~ s/(#EXTINF[^#]*b)/#EXT-X-DISCONTINUITY\n$1/r),
    qr/no new date/, 'discontinuity without a date');

$t->done();

###############################################################################

sub rec {
    return "$rec/$_[0].flv";
}

sub same {
    my ($name, $code, %opt) = @_;

    is($code, 0, "$name: exit code");

    my @expected = packets($file, 'v');
    my @got = $opt{av} ? () : packets(rec($name), 'v');

    same_frames(\@got, \@expected, "$name: video packets") if @got;
    same_frames([ frames(rec($name), 'v') ], \@video, "$name: video");
    same_frames([ packets(rec($name), 'a') ], \@packets, "$name: audio");
}

# runs a failing assertion without counting it

sub fails {
    my ($sub) = @_;
    my $sink = '';
    my $inner = Test::Builder->create();
    $inner->output(\$sink);
    $inner->failure_output(\$sink);
    $inner->no_ending(1);

    no warnings 'redefine';
    local *Test::More::builder = sub { return $inner };

    $sub->();
    return !($inner->summary())[0];
}

sub lint {
    my $file = $t->dir() . '/lint.m3u8';

    write_file($file, $_[0]);
    return join '; ', lint_m3u8($file);
}

sub rounded {
    return map { sprintf '%.3f', $_ } @_;
}

sub events_equal {
    return grep { $_ && $_[$_] == $_[$_ - 1] } 0 .. $#_;
}

###############################################################################
