#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# Where one mp4 or flv file ends and the next begins: cycles, changes of the
# media; and where none does: gaps, jumps of the timestamps.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;

use lib "$FindBin::Bin/lib";
use LiveRecord;

###############################################################################

my $t = LiveRecord->new();

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

        application live {
            live on;

            live_record * {
                bucket local;
                format mp4 flv;
                fragment 5s;
                grace 3s;
            }

            live_record cycles {
                bucket local;
                format m3u8 mp4 flv;
                cycle 15m;
                grace 2s;
            }

            live_record sequence {
                bucket local;
                format mp4 flv;
                cycle 15m;
                path "record/{AppName}/{StreamName}/{UnixTimestamp}_{Sequence}";
                grace 2s;
            }
        }
    }
}
EOF_CONF

my $long = media('cut_long', seconds => 1920, size => '160x90', fps => 5,
    audio_bitrate => '24k', channels => 1, rate => 22050);
my $short = media('kinds', seconds => 12, size => '160x90');

# another size, another sampling rate, another codec

my $big = media('cut_size', seconds => 12, size => '480x270');
my $rate = media('cut_rate', seconds => 12, rate => 48000);
my $hevc = media('judges_hevc', seconds => 12, size => '160x90',
    video => 'hevc');

my @video = frames($short, 'v');
my @audio = packets($short, 'a');

$t->start();

# those that need nobody to look at them meanwhile

my @pubs = (
    [ 'cycles', $t->start_publish($long, name => 'cycles', speed => 200) ],
    [ 'sequence', $t->start_publish($long, name => 'sequence',
        speed => 200) ],
    [ 'size', $t->start_publish([ $short, $big, $short ], name => 'size') ],
    [ 'rate', $t->start_publish([ $short, $rate ], name => 'rate') ],
    [ 'codec', $t->start_publish([ $rate, $hevc, $rate ],
        name => 'codec') ],
    [ 'late', $t->start_publish(late($short, 7000), name => 'late') ],
    [ 'told', $t->start_publish(late($short, 7000, 1), name => 'told') ],
    [ 'leaves', $t->start_publish([ $short, silent($short) ],
        name => 'leaves') ],
    map({ [ "jump_$_", $t->start_publish($short, name => "jump_$_",
        jump => "6000:$_", ts_offset => 4000000) ] }
        -3600000, 3600000, -50, 5000),
);

# a gap, shorter than the grace

is($t->publish($short, name => 'gap', seconds => 6), 0, 'before the gap');
sleep 1;
is($t->publish($short, name => 'gap', start => 6000), 0, 'after the gap');

is($_->[1]->wait(), 0, "$_->[0]: published") for @pubs;

# cycles

for my $name (qw/ cycles sequence /) {
    for my $format (qw/ mp4 flv /) {
        my @files = $t->wait_recorded(3, name => $name, format => $format);

        is(scalar @files, 3, "$name: three $format files");
        begins_with_key($_, "$name: $format") for @files;
        whole(\@files, $long, "$name: $format") if $name eq 'cycles';

        is(join(' ', map { sprintf '%.0f', probe($_)->{format}{duration} }
            @files), '900 900 120', "$name: $format: durations");
    }
}

# names: of the playlists; one after another

is(join(' ', map { s/mp4$/m3u8/r } $t->mp4s('cycles')),
    join(' ', $t->cycles('cycles')), 'cycles: names are the playlists\'');
is(join(' ', map { s/flv$/m3u8/r } $t->flvs('cycles')),
    join(' ', $t->cycles('cycles')), 'cycles: of flv, too');
is(join(' ', map { m!/\d{10,}_(\d+)\.\w+$! } $t->mp4s('sequence')), '0 1 2',
    'sequence: names of mp4');
is(join(' ', map { m!/\d{10,}_(\d+)\.\w+$! } $t->flvs('sequence')), '0 1 2',
    'sequence: names of flv');

# the media changes, and the files with it

pieces('size', [ $short, $big, $short ]);
pieces('rate', [ $short, $rate ]);
pieces('codec', [ $rate, $hevc, $rate ]);

# audio that was not there before: frames of both, one file and another

for my $format (qw/ mp4 flv /) {
    my @files = $t->wait_recorded(2, name => 'late', format => $format);

    is(scalar @files, 2, "late: two $format files");
    begins_with_key($_, "late: $format") for @files;

    same_frames([ map { frames($_, 'v') } @files ], \@video,
        "late: $format: video");
    is(@{LiveRecord::read_through($files[0])->{a}}, 0,
        "late: $format: none in the first");

    my @is = packets($files[1], 'a');
    my $sent = grep { $_ >= 7 } times($short, 'a');

    same_frames(\@is, [ @audio[@audio - $sent .. $#audio] ],
        "late: $format: audio");
}

# audio that was announced, and came later: it has its place in one file

for my $format (qw/ mp4 flv /) {
    my @files = $t->wait_recorded(1, name => 'told', format => $format);

    is(scalar @files, 1, "told: one $format file");
    same_frames([ frames($files[0], 'v') ], \@video,
        "told: $format: video");

    my ($from) = grep { $_ >= 7 } times($short, 'a');
    my $read = LiveRecord::read_through($files[0]);

    cmp_ok(abs($read->{a}[0] - $read->{v}[0] - $from
        + (times($short, 'v'))[0]), '<', 0.0015,
        "told: $format: audio against video");
    is($read->{said}, '', "told: $format: ffprobe does not complain");
}

# audio that is no more: the file goes on

for my $format (qw/ mp4 flv /) {
    my @files = $t->wait_recorded(1, name => 'leaves', format => $format);

    is(scalar @files, 1, "leaves: one $format file");
    same_frames([ frames($files[0], 'v') ], [ (@video) x 2 ],
        "leaves: $format: video");
    same_frames([ packets($files[0], 'a') ], \@audio,
        "leaves: $format: audio");
}

# a gap: the times go on

for my $format (qw/ mp4 flv /) {
    my @files = $t->wait_recorded(1, name => 'gap', format => $format);

    is(scalar @files, 1, "gap: one $format file");
    whole($files[0], $short, "gap: $format", ms => 45);
}

# so they do over a jump

for my $jump (-3600000, 3600000, -50, 5000) {
    for my $format (qw/ mp4 flv /) {
        my $name = "jump_$jump";
        my @files = $t->wait_recorded(1, name => $name, format => $format);

        is(scalar @files, 1, "$name: one $format file");
        same_frames([ frames($files[0], 'v') ], \@video,
            "$name: $format: video");
        same_frames([ packets($files[0], 'a') ], \@audio,
            "$name: $format: audio");

        # less than 10 s may be a pause of the publisher's

        my $more = $jump == 5000 ? 5 : 0;
        my $length = probe($files[0])->{format}{duration};

        cmp_ok(abs($length - 12 - $more), '<', 0.2,
            "$name: $format: duration");

        for my $kind (qw/ v a /) {
            my @dts = times($files[0], $kind, 'dts');
            my @back = grep { $_ && $dts[$_] < $dts[$_ - 1] } 0 .. $#dts;

            is(scalar @back, 0, "$name: $format: dts of $kind rise");
        }

        is(LiveRecord::read_through($files[0])->{said}, '',
            "$name: $format: ffprobe does not complain");
    }
}

$t->done();

###############################################################################

# without audio before a time, and perhaps without its configuration

sub late {
    my ($flv, $from, $told) = @_;
    my @tags = flv_tags($flv);
    my ($config) = grep { $_->{type} == 8 && flv_is_config($_) } @tags;

    @tags = grep { $_->{type} != 8 || $_->{ts} >= $from } @tags;

    my ($i) = $told ? 1 : grep { $tags[$_]{type} == 8 } 0 .. $#tags;

    splice @tags, $i, 0, { %$config, ts => $told ? 0 : $tags[$i]{ts} };

    return flv_write($t->dir() . '/late.' . ($told || 0) . '.flv', @tags);
}

sub silent {
    my ($flv) = @_;

    return flv_write($t->dir() . '/silent.flv',
        grep { $_->{type} != 8 } flv_tags($flv));
}

sub begins_with_key {
    my ($file, $name) = @_;

    my $first = LiveRecord::capture(undef, 'ffprobe', '-v', 'quiet',
        '-select_streams', 'v:0', '-show_entries', 'packet=flags',
        '-read_intervals', '%+#1', '-of', 'csv=p=0', $file);

    like($first, qr/^K/, "$name: begins with a key frame");
}

# as many files as there were sources, one of each

sub pieces {
    my ($name, $sources) = @_;

    for my $format (qw/ mp4 flv /) {
        my @files = $t->wait_recorded(scalar @$sources, name => $name,
            format => $format);

        is(scalar @files, scalar @$sources, "$name: $format files");

        for (0 .. $#files) {

            # ffmpeg does not know HEVC in FLV

            if ($sources->[$_] eq $hevc && $format eq 'flv') {
                whole_tags($files[$_], $hevc, "$name: $format file $_");
                next;
            }

            whole($files[$_], source($sources->[$_]),
                "$name: $format file $_",
                shift => ahead($sources->[$_])
                    - ahead(source($sources->[$_])));
            begins_with_key($files[$_], "$name: $format file $_");
        }
    }
}
