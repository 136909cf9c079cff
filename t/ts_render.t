#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# Rendered fragments against their source: what is decoded from the
# fragments, put together and alone, is what is decoded from the FLV file,
# frame by frame, and ffmpeg has nothing to say about them.

###############################################################################

use warnings;
use strict;

use Test::More;

use File::Temp qw/ tempdir /;
use FindBin;

###############################################################################

my $root = "$FindBin::Bin/..";
my $dir = tempdir(CLEANUP => !$ENV{TEST_NGINX_LEAVE});
my $cc = $ENV{CC} || 'cc';
my $tool = "$dir/flv2ts";

plan(skip_all => 'no ffmpeg') if system('ffmpeg -version >/dev/null 2>&1');

system("$cc -std=gnu99 -Wall -Wextra -g -O1 -fsanitize=address,undefined "
	. "-fno-sanitize-recover=all -I$root/core -I$root/media -o $tool "
	. "$root/t/tools/flv2ts.c $root/core/lr_buf.c "
	. join(' ', glob "$root/media/*.c")) == 0
	or die "cannot build flv2ts\n";

my $video = '-f lavfi -i testsrc2=s=320x240:r=25:d=7';
my $audio = '-f lavfi -i sine=440:d=7:r=44100';
my $x264 = '-c:v libx264 -preset veryfast -threads 1 -b:v 300k -g 50';
my $aac = '-c:a aac -b:a 64k';

my @cases = (
	[ 'h264 with b-frames and aac',
		"$video $audio $x264 -bf 3 $aac", 'va' ],
	[ 'h264 without b-frames, mono 22050',
		"$video $audio $x264 -bf 0 $aac -ac 1 -ar 22050", 'va' ],
	[ 'h264 with slices, open gop and aud',
		"$video $audio $x264 -bf 3 -slices 4 -x264-params "
		. "open-gop=1:aud=1:repeat-headers=1 $aac -ac 2 -ar 48000",
		'va' ],
	[ 'h264 at 5 frames a second',
		"-f lavfi -i testsrc2=s=320x240:r=5:d=7 $audio $x264 -g 10 $aac",
		'va' ],
	[ 'h264 of large frames',
		"-f lavfi -i testsrc2=s=1280x720:r=25:d=3 $x264 -g 25 "
		. "-b:v 30000k", 'v' ],
	[ 'video only', "$video $x264 -bf 2", 'v' ],
	[ 'aac only', "$audio $aac -ac 2", 'a' ],
	[ 'silence', "-f lavfi -i anullsrc=r=48000:cl=mono -t 5 $aac", 'a' ],
	[ 'mp3 44100', "$video $audio $x264 -c:a libmp3lame", 'va' ],
	[ 'mp3 22050 only', "$audio -c:a libmp3lame -ar 22050", 'a' ],
);

# the encoder writes a program config element for most of these

for my $layout (qw/ 3.0 4.0 5.0 5.1 6.1 7.1 7.1(wide) 2.1 quad hexagonal /) {
	push @cases, [ "aac $layout", "-f lavfi -i "
		. "\"aevalsrc=exprs="
		. join('|', map { "sin($_*440*t)/4" } (1 .. channels($layout)))
		. ":c=$layout:s=48000:d=5\" $aac -b:a 256k", 'a' ];
}

for my $case (@cases) {
	my ($name, $args, $tracks) = @$case;

	run("ffmpeg -nostdin -v error -y $args -f flv $dir/a.flv");
	check($name, $tracks);
}

for my $ex (0, 1) {
	run("ffmpeg -nostdin -v error -y $video -c:v libx265 -preset ultrafast "
		. "-x265-params log-level=error:bframes=3:keyint=50:open-gop=0:"
		. "pools=1 "
		. "-tag:v hvc1 $dir/h.mp4");
	hevc("$dir/h.mp4", "$dir/a.flv", $ex);
	check('hevc as ' . ($ex ? 'hvc1' : 'codec id 12'), 'v', "$dir/h.mp4");
}

# the last picture of all does not parse: packets without payload make the
# counters full, and nobody minds them

run("ffmpeg -nostdin -v error -y $video $audio $x264 -bf 0 $aac -f flv "
	. "$dir/a.flv");
my ($source) = decode("$dir/a.flv", 'v');
damage("$dir/a.flv");
unlink glob("$dir/p*.ts");
run("$tool $dir/a.flv 2 $dir/p 2>/dev/null");
run("cat $dir/p*.ts $dir/p000.ts > $dir/all.ts");
my ($all, $warnings) = decode("$dir/all.ts", 'v');
is_deeply([@{$all}[0 .. @$source - 2]], [@{$source}[0 .. @$source - 2]],
	'damaged: frames');
is(join("\n", grep { !/out of order/ }
	split /\n/, $warnings), '', 'damaged: no warnings');

done_testing();

###############################################################################

sub check {
	my ($name, $tracks, $from) = @_;
	my ($source, $all, @parts, $warnings, $said);

	$from ||= "$dir/a.flv";

	unlink glob("$dir/p*.ts");
	run("$tool $dir/a.flv 2 $dir/p");
	run("cat $dir/p*.ts > $dir/all.ts");

	for my $track (split //, $tracks) {
		($source, $said) = decode($from, $track);
		($all, $warnings) = decode("$dir/all.ts", $track);

		cmp_ok(scalar @$source, '>', 20, "$name: $track: frames");
		is_deeply($all, $source, "$name: $track: same frames");
		is($warnings, $said, "$name: $track: no warnings");
	}

	# alone: pictures of an open gop and the overlap of audio windows need
	# the fragment before, so that only what is closed is compared

	@parts = map { decode($_, substr($tracks, 0, 1)) }
		glob("$dir/p*.ts");
	$warnings = '';
	my $count = 0;

	while (my ($frames, $text) = splice(@parts, 0, 2)) {
		$count += @$frames;
		$warnings .= $text unless $text eq $said;
	}

	return if $name =~ /open gop/;

	is($warnings, '', "$name: fragments alone");
	is($count, scalar @{(decode($from, substr($tracks, 0, 1)))[0]},
		"$name: frames of fragments alone");
}

sub decode {
	my ($file, $track) = @_;
	my (@frames, $warnings);

	@frames = map { (split /,\s*/)[5] } grep { !/^#/ }
		split /\n/, `ffmpeg -nostdin -v warning -i $file -map 0:$track:0 \\
			-fps_mode passthrough -f framemd5 - 2>$dir/err`;

	open my $fh, '<', "$dir/err" or die;
	local $/;
	$warnings = <$fh>;
	close $fh;

	return (\@frames, $warnings);
}

sub run {
	my ($cmd) = @_;

	system($cmd) == 0 or die "failed: $cmd\n";
}

sub channels {
	my ($layout) = @_;

	return { quad => 4, hexagonal => 6 }->{$layout}
		|| eval { my ($a, $b) = $layout =~ /(\d)\.(\d)/; $a + $b };
}

# makes the length of the last NAL unit too large

sub damage {
	my ($file) = @_;
	my ($data, $off, $last);

	open my $fh, '+<', $file or die;
	binmode $fh;
	local $/;
	$data = <$fh>;

	for ($off = 13; $off + 11 < length($data);) {
		my ($type, $hi, $lo) = unpack('CCn', substr($data, $off));
		my $size = $hi << 16 | $lo;

		$last = $off if $type == 9 && $size > 20;
		$off += 11 + $size + 4;
	}

	seek $fh, $last + 11 + 5, 0;
	print $fh "\x7f";
	close $fh;
}

# ffmpeg of these days cannot put HEVC into FLV

sub hevc {
	my ($from, $to, $ex) = @_;
	my ($extra, @packets, $p, $tag, $pts);

	$tag = sub {
		my ($ts, $body) = @_;

		return pack('Ca3a3Ca3', 9, substr(pack('N', length($body)), 1),
			substr(pack('N', $ts), 1), $ts >> 24, "\0\0\0")
			. $body . pack('N', 11 + length($body));
	};

	for (`ffprobe -v error -select_streams v -show_streams -show_packets \\
		-show_data $from`)
	{
		if (/^\[(PACKET|STREAM)\]/) {
			$p = { data => '' };

		} elsif (/^\[\/PACKET\]/) {
			push @packets, $p;

		} elsif (/^\[\/STREAM\]/) {
			$extra = $p->{data};

		} elsif (/^[0-9a-f]{8}: ((?:[0-9a-f]{2,4} )+)/) {
			(my $hex = $1) =~ s/ //g;
			$p->{data} .= pack('H*', $hex);

		} elsif (/^(\w+)=(.*)/) {
			$p->{$1} = $2;
		}
	}

	my $first = $packets[0]->{dts_time};

	open my $fh, '>', $to or die;
	binmode $fh;

	print $fh "FLV\1\1\0\0\0\x09\0\0\0\0";
	print $fh $tag->(0, ($ex ? "\x90hvc1" : "\x1c\0\0\0\0") . $extra);

	for (@packets) {
		my $dts = int(($_->{dts_time} - $first) * 1000 + 0.5);
		my $cts = int(($_->{pts_time} - $_->{dts_time}) * 1000 + 0.5);
		my $key = $_->{flags} =~ /K/ ? 1 : 2;

		print $fh $tag->($dts, ($ex ? pack('C', 0x81 | $key << 4) . 'hvc1'
			: pack('CC', $key << 4 | 12, 1))
			. substr(pack('N', $cts), 1) . $_->{data});
	}

	close $fh;
}
