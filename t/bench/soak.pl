#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# Streams that come and go while workers are killed, nginx is reloaded and
# restarted; then every frame that was sent is looked for in the bucket.
#
# Every frame carries the number of its stream, of its publish, and its own:
# video in an SEI message, audio in a data stream element.  So what has
# arrived tells where it came from.
#
# "make soak" runs it.  See --help.

###############################################################################

use warnings;
use strict;

use File::Basename qw/ basename dirname /;
use FindBin;
use Getopt::Long;
use JSON::PP qw/ decode_json /;
use List::Util qw/ max min sum0 /;
use POSIX qw/ strftime /;
use Time::HiRes qw/ time sleep /;

use lib "$FindBin::Bin/../lib";
use LiveRecord;
use LiveRecord::OSS ();

###############################################################################

my $usage = <<'EOF_USAGE';
usage: soak.pl [--oss] [--files]
  --oss    the bucket is a store, which is away or fails now and then
  --files  mp4 and flv files as well

Environment:
  SOAK_SECONDS   how long there are publishers and kills (1800)
  SOAK_STREAMS   how many names there are (12 to 50, by the seed)
  SOAK_INTERVAL  seconds between two kills, reloads, ... (12, on average)
  SEED           of what is random; printed at the start.  When things
                 happen depends on the machine, too.

Exit status: 0 all is as it should be, 1 it is not: what was recorded and the
log are left for a look at them, 2 bad arguments.
EOF_USAGE

my %opt;

GetOptions(\%opt, 'oss', 'files', 'help') && !@ARGV
    or do { print STDERR $usage; exit 2 };

if ($opt{help}) {
    print $usage;
    exit 0;
}

$| = 1;

# what makes names and ports takes random numbers, too

my $t = LiveRecord->new();
my $oss;

$t->port();

if ($opt{oss}) {
    $oss = LiveRecord::OSS->new($t, keys => [ 'ak:sk' ],
        buckets => [ 'media' ]);
    $t->bucket($oss->bucket('media'));
}

my $seed = $ENV{SEED} || time() * 1000 % 1000000;
srand $seed;

my $seconds = $ENV{SOAK_SECONDS} || 1800;
my $streams = $ENV{SOAK_STREAMS} || 12 + int rand 39;
my $interval = $ENV{SOAK_INTERVAL} || 12;

# of the media

my $fps = 10;
my $rate = 22050;

my $workers = 4;
my $grace = 6;

# seconds of wall time that a kill may cost a stream: what waits to be
# written is a second old at most

my $limit = 1.2;

# what happens, and how often of a hundred

my %chaos = (
    worker => 40, workers => 15, reload => 20, term => 10, nginx => 10,
    $opt{oss} ? (away => 10, faults => 15) : (),
);

my (@wrong, %wrong);
my (@pubs, %pubs, @events, %count);

###############################################################################

my $bucket = $oss ? 'type oss; bucket media; region cn-hangzhou;'
    . ' endpoint http://127.0.0.1:' . $oss->port() . '; credentials key ak sk;'
    : 'type dir; root %%TESTDIR%%/bucket;';
my $format = $opt{files} ? 'm3u8 mp4 flv' : 'm3u8';

$t->write_conf(<<"EOF_CONF");
%%GLOBALS%%

worker_processes $workers;

events {
    worker_connections 512;
}

rtmp {
    live_record_spool %%TESTDIR%%/spool;
    live_record_bucket local { $bucket }

    server {
        listen 127.0.0.1:%%PORT%%;

        application live {
            live on;

            live_record * {
                bucket local;
                format $format;
                cycle 15m;
                fragment 5s;
                grace ${grace}s;
            }
        }
    }
}
EOF_CONF

my $media = read_flv(media('soak', seconds => 60, size => '160x90',
    fps => $fps, gop => 2, bframes => 2, channels => 1, rate => $rate,
    audio_bitrate => '24k'));

$t->{killed} = 1;
$t->start();
LiveRecord::wait_for(sub { $t->workers() == $workers }, 10, 'all workers');

printf "seed %d, %d s, %d streams, %d workers, %s to %s\n", $seed, $seconds,
    $streams, $workers, $format, $oss ? 'a store' : 'a directory';

print_workers('start');
my %start = worker_sizes();

run();

my $drained = drain();

print_workers('end');
check_workers();

my $found = look();

check_frames();
check_graces();
check_decoding();
check_log();
summary();

if (@wrong) {
    printf "\n%d things are wrong:\n", scalar @wrong;
    print map { "  $_" . ($wrong{$_} > 1 ? " ($wrong{$_} times)" : '') . "\n" }
        @wrong[0 .. min(199, $#wrong)];

    $ENV{TEST_NGINX_LEAVE} = 1;
}

$t->stop() or wrong('nginx does not stop');
$t->cleanup();

exit(@wrong ? 1 : 0);

###############################################################################
# the time of publishers and kills

sub run {
    my $until = time() + $seconds;
    my $half = time() + $seconds / 2;
    my $next = time() + $interval * (0.2 + rand);
    my $back;

    my @names = map { {
        name => sprintf('s%02d', $_), number => $_, at => time() + rand(5),
        count => \(my $count = 0),
    } } 0 .. $streams - 1;

    # each has somebody who takes its name now and then: on another worker
    # that is a recording of its own, on the same it is refused

    push @names, map { { %$_, second => 1, at => time() + 10 + rand(60) } }
        @names;

    # all that are there end by themselves, or by a kill

    while (time() < $until || grep { $_->{proc} } @names) {
        my $now = time();

        for my $s (@names) {

            if ($s->{proc}) {
                ended($s) unless $s->{proc}->alive();

            } elsif ($now >= $s->{at} && $now < $until) {
                publish($s, $until - $now);
            }
        }

        if ($back && $now >= $back) {
            $oss->start();
            undef $back;
        }

        if ($half && $now >= $half) {
            print_workers('middle');
            undef $half;
        }

        if ($now >= $next && $now < $until - 3) {
            my $what = choose(%chaos);

            # the store is away already
            $what = 'worker' if $back && $what =~ /^(?:away|faults)$/;

            $back = happen($what) || $back;
            $next = time() + $interval * (0.2 + 1.6 * rand);
        }

        sleep 0.02;
    }

    $oss->start() if $back;
}

sub publish {
    my ($s, $left) = @_;

    my %pub = (
        name => $s->{name}, stream => $s->{number}, n => ++${$s->{count}},
        speed => 1 + rand 3,
        end => choose(clean => 40, fin => 20, rst => 20, kill => 20),
    );

    my $length = $left * $pub{speed};
    $length = 2 if $length < 2;
    $length = min($length, $s->{second} ? 8 : 40);

    my $file = $pub{file} = $t->dir() . "/$s->{name}.$pub{n}.flv";
    write_marked($file, \%pub, rand() < 0.3 ? 2 : 3 + rand($length - 2));

    $pub{asked} = time();
    $s->{pub} = \%pub;

    $s->{proc} = $t->start_publish($file, name => $s->{name},
        speed => sprintf('%.2f', $pub{speed}), end => $pub{end},
        progress => 1000);
}

# what the publisher itself says of its end

sub ended {
    my ($s) = @_;
    my $pub = $s->{pub};
    my $proc = delete $s->{proc};

    $pub->{code} = $proc->wait();
    $pub->{ended} = time();

    for (split /\n/, $proc->out()) {
        my $e = eval { decode_json($_) } or next;

        $pub->{began} = $e->{time} if $e->{event} eq 'published';

        if ($e->{event} =~ /^(?:lost|ended)$/) {
            $pub->{ended} = $e->{time};
            $pub->{why} = $e->{text} || '';

            # without the sequence headers
            $pub->{sent}{v} = max(0, $e->{video} - 1);
            $pub->{sent}{a} = max(0, $e->{audio} - 1);
        }
    }

    unlink $pub->{file}, map { "$proc->{base}.$_" } qw/ out err /;
    $t->{procs} = [ grep { $_ != $proc } @{$t->{procs}} ];

    # soon again if there was no nginx, or the name was taken

    $s->{at} = time() + ($s->{second} ? 5 + rand(20) : 0.3);

    if (!defined $pub->{began} || !$pub->{sent}) {
        $count{$pub->{code} == 3 ? 'refused' : 'not connected'}++;
        wrong("$pub->{name} $pub->{n}: rtmppub exits with $pub->{code}")
            unless $pub->{code} == 3 || $pub->{code} == 4;

        # it may have begun, who knows
        $pub->{sent} ||= { v => 0, a => 0 };
        $pub->{unknown} = 1;
        push @pubs, $pub;
        return;
    }

    $count{"end $pub->{end}"}++;
    push @pubs, $pub;

    # within the grace, or well after it
    $s->{at} = time() + (rand() < 0.65 ? 0.1 + rand($grace * 0.6)
        : $grace + 2.5 + rand($grace)) unless $s->{second};
    $s->{at} = time() + 20 + rand(80) if $s->{second};
}

# gives the time when the store has to come back, if it went away

sub happen {
    my ($what) = @_;
    my %event = (what => $what, from => time());

    $count{$what}++;

    eval {
        if ($what eq 'worker') {
            my @pids = $t->workers(all => 1);
            kill 'KILL', $pids[rand @pids];

        } elsif ($what eq 'workers') {
            $t->kill_workers();

        } elsif ($what eq 'reload') {
            $t->reload();

        } elsif ($what eq 'term') {
            $t->stop('TERM', 30) or wrong('nginx did not stop on TERM');
            $t->start();

        } elsif ($what eq 'nginx') {
            $t->kill_all();
            $t->start();

        } elsif ($what eq 'away') {
            $oss->stop();

        } else {
            $oss->faults(map { { bucket => 'media', nth => 1 + int rand 5,
                times => 1 + int rand 5, %$_ } }
                { fault => 'status', status => 503 },
                { fault => 'reset-after-bytes', method => 'PUT',
                    bytes => int rand 20000 },
                { fault => 'lost-reply', method => 'PUT' });
        }
    };

    wrong("at $what: $@") if $@;

    $event{to} = time();
    push @events, \%event;

    return $what eq 'away' ? time() + 1 + rand 8 : undef;
}

# waits until everything that can be is in the bucket; gives the seconds

sub drain {
    my $from = time();

    # directories are removed while they are read
    local $SIG{__WARN__} = sub { };

    my $left = sub { grep { !m!^quarantine/! } $t->in_spool() };

    $oss->faults() if $oss;

    eval { wait_for(sub { !$left->() }, $grace + ($oss ? 200 : 60)) };

    wrong("is left in the spool: $_") for $left->();
    wrong("is set aside: $_") for grep { m!^quarantine/! }
        $t->in_spool();

    return time() - $from;
}

sub choose {
    my (%weight) = @_;
    my $x = rand sum0(values %weight);

    for (sort keys %weight) {
        return $_ if ($x -= $weight{$_}) < 0;
    }

    return (sort keys %weight)[0];
}

###############################################################################
# the workers' sizes

# of those that take connections: pid => { fds, kb }

sub worker_sizes {
    my %sizes;

    for ($t->workers()) {
        my $status = eval { read_file("/proc/$_/smaps_rollup") } or next;

        # sockets of connections, files, all
        my @fds = glob "/proc/$_/fd/*";

        $sizes{$_} = {
            fds => scalar @fds, kb => $status =~ /^Rss:\s+(\d+)/m ? $1 : 0,
        };
    }

    return %sizes;
}

sub print_workers {
    my ($when) = @_;
    my %sizes = worker_sizes();

    printf "%-6s  %s\n", $when, join ', ', map { sprintf '%d fds %.1f MB',
        $sizes{$_}{fds}, $sizes{$_}{kb} / 1024 } sort keys %sizes;
}

# now that nothing goes on.  Not all memory goes back to the system, and
# connections to a store are kept

sub check_workers {
    my %sizes = worker_sizes();
    my $fds = max(map { $_->{fds} } values %start);
    my $kb = max(map { $_->{kb} } values %start);

    for (values %sizes) {
        wrong("$_->{fds} fds of an idle worker, $fds at the start")
            if $_->{fds} > $fds + ($oss ? 8 + 16 : 8);
        wrong("$_->{kb} KB of an idle worker, $kb at the start")
            if $_->{kb} > $kb + 32 * 1024;
    }
}

###############################################################################
# media with numbers

# { video, audio (sequence headers), tags => [ [ type, ts, body, key ] ] }

sub read_flv {
    my ($file) = @_;
    my $data = read_file($file);
    my %flv = (tags => []);
    my $pos = 13;

    while ($pos + 15 <= length $data) {
        my ($type, $h, $l, $t0, $t1, $t2) = unpack 'CCnCnC',
            substr $data, $pos, 8;
        my $size = $h << 16 | $l;
        my $ts = $t2 << 24 | $t0 << 16 | $t1;
        my $body = substr $data, $pos + 11, $size;

        $pos += 11 + $size + 4;

        if ($type == 9 && ord(substr $body, 1, 1) == 0) {
            $flv{video} = $body;

        } elsif ($type == 8 && ord(substr $body, 1, 1) == 0) {
            $flv{audio} = $body;

        } elsif ($type == 8) {
            push @{$flv{tags}}, [ $type, $ts, $body, 0 ];

        # not the end of sequence
        } elsif ($type == 9 && ord(substr $body, 1, 1) == 1) {
            push @{$flv{tags}}, [ $type, $ts, $body,
                ord($body) >> 4 == 1 ];
        }
    }

    die "$file: no media\n" unless $flv{video} && $flv{audio};

    return \%flv;
}

# some seconds from some keyframe on

sub write_marked {
    my ($file, $pub, $length) = @_;
    my @tags = @{$media->{tags}};

    my @keys = grep { $tags[$_][3] && $tags[$_][1] + $length * 1000
        <= $tags[-1][1] } 0 .. $#tags;
    my $from = @keys ? $keys[rand @keys] : 0;
    my $base = $tags[$from][1];
    my %n = (v => 0, a => 0);

    my $out = pack('A3CCNN', 'FLV', 1, 5, 9, 0) . tag(9, 0, $media->{video})
        . tag(8, 0, $media->{audio});

    for my $tag (@tags[$from .. $#tags]) {
        my ($type, $ts, $body, $key) = @$tag;
        my $kind = $type == 9 ? 'v' : 'a';

        last if $ts - $base >= $length * 1000;

        my $mark = sprintf 'lr%s:%04x:%06x:%06x%s', $kind, $pub->{stream},
            $pub->{n}, $n{$kind}++, $key ? 'k' : '.';

        if ($kind eq 'v') {

            # an SEI message: user data, 16 bytes of which are a UUID; its
            # length is of four bytes, as ffmpeg writes them
            my $sei = "\6\5" . chr(16 + length $mark) . 'ngx_live_record:'
                . $mark . "\x80";
            substr $body, 5, 0, pack('N', length $sei) . $sei;

        } else {

            # a data_stream_element: ID_DSE, tag 0, not aligned, a count;
            # these are two whole bytes, so the rest need not be shifted
            substr $body, 2, 0, "\x80" . chr(length $mark) . $mark;
        }

        $out .= tag($type, max(0, $ts - $base), $body);
    }

    $pub->{has} = \%n;
    write_file($file, $out);
}

sub tag {
    my ($type, $ts, $body) = @_;
    my $size = length $body;

    return pack('CCnCnCxxx', $type, $size >> 16, $size & 0xffff,
        $ts >> 16 & 0xff, $ts & 0xffff, $ts >> 24) . $body
        . pack('N', 11 + $size);
}

# the time of decoding that a PES packet begins with, in seconds

sub dts_of {
    my ($pes) = @_;
    my $flags = ord substr $pes, 7, 1;
    my @b = unpack 'C5', substr $pes, $flags & 0x40 ? 14 : 9, 5;

    return (($b[0] >> 1 & 7) * 2 ** 30 + ($b[1] << 22) + ($b[2] >> 1 << 15)
        + ($b[3] << 7) + ($b[4] >> 1)) / 90000;
}

# whether a frame may come so many seconds after another; many frames of audio
# may be in a packet

sub steady {
    my ($kind, $step) = @_;

    return abs($step - 1 / $fps) < 0.005 if $kind eq 'v';
    return $step > 0 && $step < 0.5;
}

# what a ts file holds, in its order: { v => [ [ stream, publish, number,
# key ] ... ], a => ..., and the times of the first and last of each:
# from => { v, a }, to => { v, a } }

sub read_ts {
    my ($file) = @_;
    my $data = read_file($file);
    my (%es, %cc, %units, %marks, %dts);
    my $name = substr $file, 1 + length $t->bucket();

    wrong("$name has " . length($data) . ' bytes')
        if length($data) % 188 || !length $data;

    for (my $pos = 0; $pos + 188 <= length $data; $pos += 188) {
        my ($sync, $pid, $flags, $skip) = unpack 'CnCC', substr $data, $pos, 5;
        my $start = $pid & 0x4000;

        $pid &= 0x1fff;

        if ($sync != 0x47) {
            wrong("$name: no ts packet at $pos");
            last;
        }

        next unless $flags & 0x10;

        wrong("$name: pid $pid does not go on at $pos")
            if defined $cc{$pid} && (($cc{$pid} + 1) & 15) != ($flags & 15);
        $cc{$pid} = $flags & 15;

        my $payload = substr $data, $pos + 4, 184;
        substr($payload, 0, $skip + 1) = '' if $flags & 0x20;

        if ($start) {
            next if substr($payload, 0, 3) ne "\0\0\1";

            my $kind = ord(substr $payload, 3, 1) >= 0xe0 ? 'v' : 'a';

            $units{$kind}++;
            push @{$dts{$kind}}, dts_of($payload);
            substr($payload, 0, 9 + ord substr $payload, 8, 1) = '';
            $es{$pid} = '' unless defined $es{$pid};
        }

        $es{$pid} .= $payload if defined $es{$pid};
    }

    for my $es (values %es) {
        while ($es =~ /lr([va]):([0-9a-f]{4}):([0-9a-f]{6}):
            ([0-9a-f]{6})([k.])/gx)
        {
            push @{$marks{$1}}, [ hex $2, hex $3, hex $4, $5 eq 'k' ];
        }
    }

    my $v = $marks{v} || [];

    for my $kind (sort keys %dts) {
        my @dts = @{$dts{$kind}};

        for (1 .. $#dts) {
            wrong(sprintf '%s: %s goes on by %.3f s at %d', $name, $kind,
                $dts[$_] - $dts[$_ - 1], $_)
                if !steady($kind, $dts[$_] - $dts[$_ - 1]);
        }

        $marks{from}{$kind} = $dts[0];
        $marks{to}{$kind} = $dts[-1];
    }

    wrong("$name: " . ($units{v} || 0) . ' video frames, ' . @$v
        . ' with a number') if ($units{v} || 0) != @$v;
    wrong("$name does not begin with a keyframe") if @$v && !$v->[0][3];
    wrong("$name holds nothing") if !@$v && !@{$marks{a} || []};

    return \%marks;
}

###############################################################################
# what has arrived

# Goes from manifests to indexes to objects, and back.  Gives { recordings =>
# { id => { name, marks => { v, a } } }, of => { publish => { id => 1 } } }

sub look {
    my $dir = $t->bucket();
    my %found = (recordings => {}, of => {});
    my (%objects, %files, %in_manifest, %in_cycle, %in_day);

    for (files_in($dir)) {
        next if m!^\.live_record/[^/]+/[^/]+/[^/]+\.json$! || /\.m3u8$/;

        if ($opt{files} && /\.(?:mp4|flv)$/) {
            $files{$_} = 1;
            next;
        }

        wrong("has no business in the bucket: $_") unless /\.ts$/;
        $objects{$_} = 1;
    }

    for my $name (map { sprintf 's%02d', $_ } 0 .. $streams - 1) {
        my (%parts, %order);

        for my $file ($t->manifests($name)) {
            my $m = eval { decode_json(read_file($file)) };

            if (!$m) {
                wrong("$file is not understood");
                next;
            }

            wrong("$file is of $m->{stream}") if $m->{stream} ne $name;
            $parts{$m->{id}}[$m->{part}] = $m;
        }

        for my $id (sort keys %parts) {
            my @parts = @{$parts{$id}};
            my (@keys, $last);

            # one number is left out where the clock goes back

            for my $i (grep { !defined $parts[$_] } 0 .. $#parts) {
                my ($one, $two) = $i ? @parts[$i - 1, $i + 1] : ();

                wrong("$name/$id: a part of the manifest is missing")
                    unless $one && $two && $two->{fragments}[0]{wall}
                        < $one->{fragments}[-1]{wall};
            }

            @parts = grep { defined } @parts;

            wrong("$name/$id is not closed") unless $parts[-1]{closed};

            for my $f (map { @{$_->{fragments}} } @parts) {
                wrong("$name/$id: $f->{seq} follows $last")
                    if defined $last && $f->{seq} <= $last;
                $last = $f->{seq};

                if (!defined $f->{key}) {
                    $count{'fragments without an object'}++;
                    wrong("$name/$id: no object of $f->{seq}");
                    next;
                }

                wrong("$f->{key} is in two manifests")
                    if $in_manifest{$f->{key}}++;
                push @keys, $f->{key};
            }

            my %made;

            for my $f (map { @{$_->{files}} } @parts) {
                push @{$made{$f->{format}}}, $f->{key};
            }

            $order{$id} = \@keys;
            $found{recordings}{$id} = { name => $name, keys => \@keys,
                files => \%made };
        }

        lists($name, \%in_cycle, 'cycle', $t->cycles($name));
        lists($name, \%in_day, 'day', $t->days($name));
    }

    for my $key (sort keys %objects) {
        wrong("no manifest has $key") unless $in_manifest{$key};
        wrong("no cycle has $key") unless defined $in_cycle{$key};
        wrong("no day has $key") unless defined $in_day{$key};
    }

    for my $key (sort keys %in_manifest) {
        wrong("there is no $key") unless $objects{$key};
    }

    $count{fragments} = keys %objects;

    for my $id (sort keys %{$found{recordings}}) {
        my $r = $found{recordings}{$id};
        my ($before, $last);

        $count{recordings}++;

        for my $key (@{$r->{keys}}) {
            next unless $objects{$key};

            my $marks = read_ts("$dir/$key");
            my %in;

            for my $kind (qw/ v a /) {
                for my $m (@{$marks->{$kind} || []}) {
                    my ($stream, $n, $i) = @$m;

                    if ($stream != substr $r->{name}, 1) {
                        wrong("$key holds frames of s$stream");
                        next;
                    }

                    $in{$n} = 1;
                    $found{of}{"$r->{name} $n"}{$id} = 1;
                    push @{$r->{marks}{$kind}}, [ $n, $i ];
                }
            }

            my @in = sort { $a <=> $b } keys %in;

            wrong("$key holds the publishes @in") if @in > 1;

            # one that does not go on where the last one ended

            wrong("$key has no discontinuity") if @in && defined $before
                && $in[0] != $before && grep { exists $_->{$key}
                && !$_->{$key} } \%in_cycle, \%in_day;

            $before = $in[-1] if @in;

            # no playlist says that it does not go on, so it has to

            for my $kind ($last && !$in_day{$key} ? qw/ v a / : ()) {
                my $from = $marks->{from}{$kind};
                my $to = $last->{$kind};

                wrong(sprintf '%s: %s goes on by %.3f s', $key, $kind,
                    $from - $to) if defined $from && defined $to
                    && !steady($kind, $from - $to);
            }

            $last = $marks->{to};
        }

        check_files($id, $r, \%files) if $opt{files};
    }

    wrong("no manifest has $_") for sort keys %files;

    return \%found;
}

# mp4 and flv files hold the very frames of the fragments, in their order

sub check_files {
    my ($id, $r, $files) = @_;

    for my $format (qw/ mp4 flv /) {
        my %marks = (v => [], a => []);

        for my $key (@{$r->{files}{$format} || []}) {

            if (!delete $files->{$key}) {
                wrong("there is no $key, or it is in two manifests");
                next;
            }

            $count{"$format files"}++;

            my $data = read_file($t->bucket() . "/$key");

            while ($data =~ /lr([va]):([0-9a-f]{4}):([0-9a-f]{6}):
                ([0-9a-f]{6})[k.]/gx)
            {
                push @{$marks{$1}}, [ hex $3, hex $4 ];
                wrong("$key holds frames of s" . hex $2)
                    if hex $2 != substr $r->{name}, 1;
            }
        }

        for my $kind (qw/ v a /) {
            my ($want, $got) = map { join ' ', map { "$_->[0]:$_->[1]" } @$_ }
                $r->{marks}{$kind} || [], $marks{$kind};

            wrong("$r->{name}/$id: other $kind frames in $format than in ts")
                if $want ne $got;
        }
    }
}

# the segments of playlists, key => whether there is a discontinuity

sub lists {
    my ($name, $in, $what, @lists) = @_;
    my $dir = $t->bucket();

    for my $list (@lists) {
        my $short = substr $list, 1 + length $dir;

        $count{"$what indexes"}++;
        wrong("$short: $_") for lint_m3u8($list);

        for my $seg (@{parse_m3u8($list)->{segments}}) {
            my $key = dirname($short) . "/$seg->{path}";

            1 while $key =~ s!(^|/)[^/.][^/]*/\.\./!$1!;
            $key =~ s!^\./!!;

            wrong("$key is in two ${what}s") if defined $in->{$key};
            wrong("$short names $key") if $key !~ m!/\Q$name\E/!;
            $in->{$key} = $seg->{discontinuity} ? 1 : 0;
        }
    }
}

# every frame of every publish once, in its order, in one recording

sub check_frames {
    my (%got, @lost);

    for my $id (sort keys %{$found->{recordings}}) {
        my $r = $found->{recordings}{$id};

        for my $kind (qw/ v a /) {
            my ($n, $next, $again) = (0, 0, 0);

            for my $m (@{$r->{marks}{$kind} || []}) {

                if ($m->[0] < $n || ($m->[0] == $n && $m->[1] < $next)) {
                    wrong("$r->{name}/$id: after $kind " . ($next - 1)
                        . " of publish $n comes $m->[1] of $m->[0]")
                        unless $again++;
                    next;
                }

                $next = 0 if $m->[0] != $n;

                wrong("$r->{name}/$id: of publish $m->[0], $kind $next to "
                    . ($m->[1] - 1) . ' are missing')
                    if $m->[1] != $next;

                ($n, $next) = ($m->[0], $m->[1] + 1);
                $got{$r->{name}}{$n}{$kind}++;
            }

            wrong("$r->{name}/$id: $again $kind frames come twice or too"
                . ' late') if $again;
        }
    }

    for my $pub (@pubs) {
        my $got = $got{$pub->{name}}{$pub->{n}} || {};
        my $who = sprintf '%s publish %d (%s, speed %.1f, ended %s%s)',
            @$pub{qw/ name n end speed /}, clock($pub->{ended}),
            $pub->{code} == 4 ? ", $pub->{why}" : '';

        $pub->{got} = $got;

        next if $pub->{unknown};

        my @near = grep { $pub->{ended} > $_->{from} - 1.3
            && $pub->{ended} < $_->{to} + 1.5 && $_->{what}
            =~ /^(?:worker|workers|nginx|term)$/ } @events;

        $count{'frames sent'} += $pub->{sent}{v} + $pub->{sent}{a};

        wrong("$who lost its connection") if $pub->{code} == 4 && !@near;
        my %missing = map { $_ => $pub->{sent}{$_} - ($got->{$_} || 0) }
            qw/ v a /;

        my ($v, $a) = ($missing{v} / $fps, $missing{a} * 1024 / $rate);
        my $most = max($v, $a) / $pub->{speed};

        # less than nothing: sent, but not yet counted
        next if $missing{v} <= 0 && $missing{a} <= 0;

        $count{'frames missing'} += $missing{v} + $missing{a};

        # an RST throws away what the other side has not yet read

        if (!@near) {
            wrong(sprintf '%s: %d video and %d audio frames are missing',
                $who, @missing{qw/ v a /})
                if $pub->{end} !~ /^(?:rst|kill)$/ || $most > 0.3;
            next;
        }

        push @lost, $most;

        wrong(sprintf '%s, at %s: %.1f s of video, %.1f s of audio missing',
            $who, join(' and ', map { "$_->{what} " . clock($_->{from}) }
            @near), $v, $a) if $most > $limit;
    }

    $count{'streams hit'} = @lost;
    $count{'most lost'} = sprintf '%.2f s', max(0, @lost);
    $count{'mean lost'} = sprintf '%.2f s', sum0(@lost) / (@lost || 1);
}

# who comes back within the grace goes on in the same recording, who does
# not begins another one

sub check_graces {
    my (%last, %quiet, %of);

    push @{$of{$_->{name}}}, $_ for @pubs;

    for my $pub (sort { $a->{name} cmp $b->{name} || $a->{n} <=> $b->{n} }
        @pubs)
    {
        my @ids = keys %{$found->{of}{"$pub->{name} $pub->{n}"} || {}};
        my $who = "$pub->{name} publish $pub->{n}";
        my $last = $last{$pub->{name}};

        wrong("$who is in " . @ids . ' recordings') if @ids > 1;

        # after two at a time, two recordings may wait for the next one

        if (grep { $_ != $pub && $_->{asked} < $pub->{ended} + 0.3
            && $pub->{asked} < $_->{ended} + 0.3 } @{$of{$pub->{name}}})
        {
            $quiet{$pub->{name}} = max($quiet{$pub->{name}} || 0,
                $pub->{ended} + 3 * $grace);
        }

        if ($pub->{asked} < ($quiet{$pub->{name}} || 0)) {
            $count{'at a time'}++;
            $last{$pub->{name}} = undef;
            next;
        }

        # one that left nothing may have begun the grace anew

        if (!@ids || !defined $pub->{began}) {
            $last{$pub->{name}} = undef if defined $pub->{began}
                || $pub->{unknown} && $pub->{code} != 3;
            next;
        }

        if ($last) {
            my $gap = $pub->{began} - $last->{pub}{ended};
            my $same = $ids[0] eq $last->{id};
            my $about = sprintf '%s came back after %.1f s, at %s (%s, exit'
                . ' status %d)', $who, $gap, clock($pub->{began}),
                $last->{pub}{end}, $last->{pub}{code};

            $count{$same ? 'returns' : 'not returned'}++;

            wrong("$about: a new recording $ids[0] after $last->{id}")
                if !$same && $gap < $grace - 2;
            wrong("$about: the same recording $ids[0]")
                if $same && $gap > $grace + 2;
        }

        $last{$pub->{name}} = { pub => $pub, id => $ids[0] };
    }
}

# all days, by ffmpeg; two at a time

sub check_decoding {
    my @lists = map { $t->days(sprintf 's%02d', $_) } 0 .. $streams - 1;
    my (@running, $from);

    $from = time();

    while (@lists || @running) {

        if (@lists && @running < 2) {
            my $list = shift @lists;

            push @running, { list => $list, proc => $t->run('ffmpeg',
                '-nostdin', '-v', 'repeat+error', '-threads', 1,
                '-allowed_extensions', 'ALL', '-i', $list, '-map', '0',
                '-fps_mode', 'passthrough', '-f', 'null', '-') };
            next;
        }

        for my $r (grep { !$_->{proc}->alive() } @running) {
            my $name = basename(dirname($r->{list}));

            # its output does not like times that go back at discontinuities;
            # read_ts() has looked at those of the packets
            my @err = grep { !/^\[null @/ } split /\n/, $r->{proc}->err();

            wrong("ffmpeg of $name exits with " . $r->{proc}->wait())
                if $r->{proc}->wait();
            wrong("ffmpeg of $name: $_") for @err[0 .. min(2, $#err)];
        }

        @running = grep { $_->{proc}->alive() } @running;
        sleep 0.05;
    }

    $count{decoding} = sprintf '%.0f s', time() - $from;
}

sub check_log {

    # nginx itself: a worker that has been told to shut down gracefully, and
    # then to exit at once, complains of the connections that it still has
    my %leaving = map { /(\d+)#\d+: gracefully shutting/ ? ($1, 1) : () }
        $t->log(qr/gracefully shutting down/);
    my $pids = join '|', sort keys %leaving;

    $t->allow(qr/\[alert\] (?:$pids)#\d+: aborting$/,
        qr/\[alert\] (?:$pids)#\d+: \*\d+ open socket #\d+ left in conn/)
        if $pids && $count{term};

    wrong("log: $_") for $t->bad_lines(), $t->sanitizer_reports();
}

###############################################################################

sub summary {
    my $killed = sum0(map { $count{$_} || 0 } qw/ worker workers nginx /);

    print "\n";
    printf "%-28s%s\n", @$_ for
        [ 'kill -9', sprintf '%d: of one worker %d, of all %d, of nginx %d',
            $killed, map { $count{$_} || 0 } qw/ worker workers nginx / ],
        [ 'reloads', $count{reload} || 0 ],
        [ 'restarts', $count{term} || 0 ],
        $oss ? [ 'store away, faulty', join ', ', map { $_ || 0 }
            @count{qw/ away faults /} ] : (),
        [ 'publishes', sprintf '%d; ends: %s', scalar(grep { !$_->{unknown} }
            @pubs), join ', ', map { "$_ " . ($count{"end $_"} || 0) }
            qw/ clean fin rst kill / ],
        [ 'not connected, refused', join ', ', map { $_ || 0 }
            @count{'not connected', 'refused'} ],
        [ 'recordings', sprintf '%d of %d fragments', map { $_ || 0 }
            @count{qw/ recordings fragments /} ],
        [ 'indexes', sprintf '%d cycles, %d days', map { $_ || 0 }
            @count{'cycle indexes', 'day indexes'} ],
        $opt{files} ? [ 'files', sprintf '%d mp4, %d flv', map { $_ || 0 }
            @count{'mp4 files', 'flv files'} ] : (),
        [ 'two at a time, or after', $count{'at a time'} || 0 ],
        [ 'returns, not returned', join ', ', map { $_ || 0 }
            @count{'returns', 'not returned'} ],
        [ 'frames', sprintf '%d sent, %d missing', map { $_ || 0 }
            @count{'frames sent', 'frames missing'} ],
        [ 'lost by kills', "$count{'streams hit'} times, mean"
            . " $count{'mean lost'}, most $count{'most lost'}" ],
        [ 'spool empty after', sprintf '%.1f s', $drained ],
        [ 'decoding took', $count{decoding} ],
        [ 'seed', $seed ];
}

sub wrong {
    my ($text) = @_;
    chomp $text;
    push @wrong, $text unless $wrong{$text}++;
}

# as in the log

sub clock {
    my ($time) = @_;
    return strftime('%H:%M:%S', localtime $time)
        . sprintf '.%01d', 10 * ($time - int $time);
}

###############################################################################
