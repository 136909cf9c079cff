package LiveRecord;

# Copyright (C) the ngx_live_record authors

# What the integration tests stand on: an nginx of their own in a directory
# of its own, publishers, media, and questions to what lies in the bucket.
#
#     use LiveRecord;
#
#     my $t = LiveRecord->new();
#     $t->configure('fragment 5s; grace 2s;');
#     $t->start();
#     $t->publish(media('basic'), name => 'test');
#     ...
#     $t->done();
#
# The environment: TEST_NGINX_BINARY, TEST_NGINX_MODULES (a directory),
# TEST_NGINX_BUILD (where ngx_live_record_module.so lies), TEST_NGINX_PRELOAD
# (LD_PRELOAD for nginx), TEST_NGINX_LEAVE=1 keeps the directory,
# TEST_VALGRIND=1, LR_MEDIA_DIR (a cache).

###############################################################################

use warnings;
use strict;

use Cwd qw/ abs_path /;
use Digest::MD5 qw/ md5_hex /;
use Exporter qw/ import /;
use Fcntl qw/ :flock /;
use File::Basename qw/ dirname basename /;
use File::Copy qw/ copy /;
use File::Find qw/ find /;
use File::Path qw/ make_path remove_tree /;
use File::Temp qw/ tempdir /;
use IO::Socket::INET;
use JSON::PP qw/ decode_json encode_json /;
use POSIX qw/ WNOHANG strftime /;
use Test::More;
use Time::HiRes qw/ time sleep /;
use Time::Local qw/ timegm /;

our @EXPORT = qw/ media source wait_for read_file write_file append_file
    files_in frames packets times duration_of same_frames is_subsequence
    whole whole_tags read_through ahead flv_tags flv_is_config flv_cts
    flv_write flv_meta parse_m3u8 lint_m3u8 playlist_ok segments_of probe tool
    http_get encode_json decode_json /;

###############################################################################

my $root = abs_path(dirname(__FILE__) . '/../..');
my $build = $ENV{TEST_NGINX_BUILD} || "$root/build";
my $binary = $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx';
my $modules = $ENV{TEST_NGINX_MODULES} || '/usr/lib/nginx/modules';
my $cache = $ENV{LR_MEDIA_DIR} || "$root/build/media";

# valgrind takes its time
my $patience = $ENV{TEST_VALGRIND} ? 10 : 1;

my $owner = $$;
my @instances;

END {
    if ($$ == $owner) {
        local ($?, $!);
        $_->cleanup() for grep { defined } @instances;
    }
}

$SIG{TERM} = $SIG{INT} = sub { exit 1 };

###############################################################################
# nginx

# options: plain => 1 leaves our module out

sub new {
    my ($class, %opt) = @_;

    my $so = "$build/ngx_live_record_module.so";

    if (!$opt{plain} && !-e $so) {
        die "$so is not there, \"make module\" builds it\n";
    }

    my $dir = tempdir('live-record-XXXXXXXX', TMPDIR => 1);

    # the workers are another user
    chmod 0755, $dir;

    # a build that writes over the file would crash an nginx that runs
    if (!$opt{plain}) {
        copy($so, "$dir/ngx_live_record_module.so") or die "$so: $!\n";
        $so = "$dir/ngx_live_record_module.so";
    }

    my $self = bless {
        dir => $dir, plain => $opt{plain}, ports => {}, locks => [],
        procs => [], allow => [], killed => 0, so => $so,
    }, $class;

    push @instances, $self;

    return $self;
}

sub dir { return shift->{dir} }

# a free port by name; the lock keeps other tests away from it

sub port {
    my ($self, $name) = @_;
    $name = '' unless defined $name;

    return $self->{ports}{$name} if $self->{ports}{$name};

    for (1 .. 1000) {
        my $port = 20000 + int rand 10000;

        open my $lock, '>', "/tmp/live-record-port-$port.lock" or next;
        flock $lock, LOCK_EX | LOCK_NB or next;

        my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$port",
            Proto => 'tcp', Listen => 1, ReuseAddr => 1) or next;
        close $s;

        push @{$self->{locks}}, [ $lock, $port ];
        return $self->{ports}{$name} = $port;
    }

    die "no free port\n";
}

# %%GLOBALS%%, %%TESTDIR%%, %%PORT%%, %%PORT_NAME%%, %%GLOBALS_HTTP%%

sub expand {
    my ($self, $text) = @_;
    my $dir = $self->{dir};

    my $globals = "load_module $modules/ngx_rtmp_module.so;\n";
    $globals .= "load_module $self->{so};\n" unless $self->{plain};
    $globals .= "user www-data;\n" if $> == 0;
    $globals .= "pid $dir/nginx.pid;\nerror_log $dir/error.log info;\n";
    $globals .= "daemon off;\n" if $ENV{TEST_VALGRIND};

    my $http = "access_log off;\n";
    $http .= "${_}_temp_path $dir/tmp_$_;\n"
        for qw/ client_body proxy fastcgi uwsgi scgi /;

    $text =~ s/%%GLOBALS%%/$globals/g;
    $text =~ s/%%GLOBALS_HTTP%%/$http/g;
    $text =~ s/%%TESTDIR%%/$dir/g;
    $text =~ s/%%PORT(?:_(\w+))?%%/$self->port($1)/ge;

    return $text;
}

sub write_conf {
    my ($self, $text, $name) = @_;

    # nginx-rtmp's own default is a file of the machine

    $text =~ s/^(\s*rtmp\s*\{)/$1\n    access_log off;\n/m
        unless $text =~ /access_log/;

    write_file("$self->{dir}/" . ($name || 'nginx.conf'),
        $self->expand($text));

    return $self;
}

# what many tests want: streams of the application "live" are recorded to the
# directory; the lines are for the template, workers => 1

sub configure {
    my ($self, $lines, %opt) = @_;
    my $workers = $opt{workers} || 1;

    return $self->write_conf(<<"EOF_CONF");
%%GLOBALS%%

worker_processes $workers;

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
                $lines
            }
        }
    }
}
EOF_CONF
}

# nginx -t; gives success and what it said

sub test_conf {
    my ($self, $text) = @_;

    $self->write_conf($text, 'test.conf');

    my $out = `$binary -t -p $self->{dir} -c $self->{dir}/test.conf \\
        -e $self->{dir}/test.log 2>&1`;

    return ($? == 0, $out);
}

sub command {
    my ($self) = @_;
    my @cmd = ($binary, '-p', $self->{dir}, '-c', "$self->{dir}/nginx.conf",
        '-e', "$self->{dir}/error.log");

    unshift @cmd, 'valgrind', '-q', '--vgdb=no', '--trace-children=yes',
        '--leak-check=full', '--show-leak-kinds=definite,indirect',
        '--keep-debuginfo=yes', '--num-callers=30',
        "--suppressions=$root/t/lib/valgrind.supp",
        "--log-file=$self->{dir}/valgrind.%p.log" if $ENV{TEST_VALGRIND};

    return @cmd;
}

# options: env => { ... }

sub start {
    my ($self, %opt) = @_;
    my $dir = $self->{dir};

    local @ENV{keys %{$opt{env} || {}}} = values %{$opt{env} || {}};
    local $ENV{LD_PRELOAD} = $ENV{TEST_NGINX_PRELOAD}
        if $ENV{TEST_NGINX_PRELOAD};
    local $ENV{ASAN_OPTIONS} = join ':', $ENV{ASAN_OPTIONS} || (),
        "log_path=$dir/asan";
    local $ENV{UBSAN_OPTIONS} = join ':', $ENV{UBSAN_OPTIONS} || (),
        "print_stacktrace=1:log_path=$dir/ubsan";

    my $pid = fork();
    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$dir/nginx.out";
        open STDERR, '>>', "$dir/nginx.out";
        exec $self->command() or POSIX::_exit(127);
    }

    if ($ENV{TEST_VALGRIND}) {
        $self->{child} = $pid;

    } else {
        waitpid $pid, 0;
        die "nginx does not start: ", tail("$dir/nginx.out", 20), "\n" if $?;
    }

    wait_for(sub { $self->master() && $self->workers() }, 10 * $patience,
        'nginx to start');

    return $self;
}

sub master {
    my ($self) = @_;
    my $pid = eval { read_file("$self->{dir}/nginx.pid") } or return;
    chomp $pid;
    return unless $pid =~ /^\d+$/ && alive($pid);
    return $pid;
}

# the pids of the workers that take connections; all => 1 for those that are
# shutting down, too

sub workers {
    my ($self, %opt) = @_;
    my (@pids, %leaving);

    # valgrind keeps its own command line, there the log must tell
    if ($ENV{TEST_VALGRIND}) {
        %leaving = map { /(\d+)#\d+: gracefully shutting/ ? ($1, 1) : () }
            $self->log(qr/gracefully shutting down/);
    }

    for my $master ($opt{master} || $self->master() || ()) {
        for (children($master)) {
            my $cmd = eval { read_file("/proc/$_/cmdline") };
            next unless defined $cmd;

            next unless $cmd =~ /worker process/ || $ENV{TEST_VALGRIND};

            if ($cmd =~ /shutting down/ || $leaving{$_}) {
                next unless $opt{all};
            }

            push @pids, $_;
        }
    }

    # sort gives nothing in scalar context
    @pids = sort { $a <=> $b } @pids;
    return @pids;
}

sub signal {
    my ($self, $signal) = @_;
    my $pid = $self->master() or die "nginx is not running\n";
    kill $signal, $pid;
    return $pid;
}

# how => QUIT (default), TERM

sub stop {
    my ($self, $signal, $seconds) = @_;
    my $pid = $self->master() or return 1;

    kill $signal || 'QUIT', $pid;

    my $ok = eval {
        wait_for(sub { !alive($pid) }, ($seconds || 20) * $patience,
            'nginx to stop');
    };

    if (!$ok) {
        diag("nginx did not stop");
        $self->kill_all();
    }

    return $ok;
}

# returns when the new generation of workers runs

sub reload {
    my ($self) = @_;
    my %old = map { $_ => 1 } $self->workers();

    $self->signal('HUP');

    wait_for(sub {
        my @now = $self->workers();
        my @new = grep { !$old{$_} } @now;

        return @new >= keys %old && @new == @now;
    }, 10 * $patience, 'nginx to reload');

    return $self;
}

# USR2, then QUIT to the old master; returns when the new one is in charge

sub upgrade {
    my ($self) = @_;
    my $old = $self->signal('USR2');
    my $new;

    wait_for(sub {
        $new = $self->master();
        return $new && $new != $old && $self->workers();
    }, 10, 'the new binary to start');

    kill 'QUIT', $old;

    wait_for(sub { !$self->workers(master => $old) }, 10,
        'the old workers to stop');

    return $old;
}

# kill -9 of every worker; returns when the master has started new ones

sub kill_workers {
    my ($self) = @_;
    my @old = $self->workers(all => 1);
    my %old = map { $_ => 1 } @old;

    $self->{killed} = 1;
    kill 'KILL', @old;

    wait_for(sub { grep { !$old{$_} } $self->workers() }, 10 * $patience,
        'new workers');

    return scalar @old;
}

# kill -9 of the master and of all workers

sub kill_all {
    my ($self) = @_;
    my $master = $self->master() or return;
    my @pids = ($master, $self->workers(all => 1));

    $self->{killed} = 1;
    kill 'KILL', $master;
    kill 'KILL', @pids;

    wait_for(sub { !grep { alive($_) } @pids }, 10, 'nginx to die');
    unlink "$self->{dir}/nginx.pid";

    return;
}

###############################################################################
# the end of a test

# log lines that are meant to be there

sub allow {
    my ($self, @re) = @_;
    push @{$self->{allow}}, @re;
    return $self;
}

sub log {
    my ($self, $re) = @_;
    my $log = eval { read_file("$self->{dir}/error.log") };
    $log = '' unless defined $log;

    return $log unless defined $re;
    return grep { /$re/ } split /\n/, $log;
}

sub bad_lines {
    my ($self) = @_;
    my @allow = @{$self->{allow}};

    push @allow, qr/exited on signal 9/ if $self->{killed};

    # "error" of ours means that data was lost
    my @bad = $self->log(qr/\[(?:alert|crit|emerg)\]|\[error\].*live record/);

    return grep { my $line = $_; !grep { $line =~ $_ } @allow } @bad;
}

sub sanitizer_reports {
    my ($self) = @_;
    my @bad = $self->log(qr/Sanitizer:|runtime error:/);

    for my $file (glob "$self->{dir}/asan.* $self->{dir}/ubsan.*") {
        push @bad, split /\n/, read_file($file);
    }

    for my $file (glob "$self->{dir}/valgrind.*.log") {
        push @bad, valgrind_reports($file);
    }

    return @bad;
}

# what valgrind says, but of leaks only those that we are part of

sub valgrind_reports {
    my ($file) = @_;
    my (@bad, @block);

    for my $line (split(/\n/, read_file($file)), '') {
        local $_ = $line;
        s/^(?:==|--)\d+(?:==|--) ?//;

        if (length) {
            push @block, $_;
            next;
        }

        if (@block && (($block[0] !~ / lost in loss record /)
            || grep { /ngx_live_record|\blr_\w+ \(/ } @block))
        {
            push @bad, @block, '';
        }

        @block = ();
    }

    return @bad;
}

# stops everything, looks into the logs, and ends the test's plan

sub done {
    my ($self) = @_;

    $_->end() for @{$self->{procs}};
    ok($self->stop(), 'nginx stopped') if $self->master();

    my @bad = $self->bad_lines();
    is(scalar @bad, 0, 'no alerts and no errors in the log')
        or diag(join "\n", @bad[0 .. ($#bad < 19 ? $#bad : 19)]);

    my @reports = $self->sanitizer_reports();
    is(scalar @reports, 0, 'no reports of sanitizers or valgrind')
        or diag(join "\n", @reports[0 .. ($#reports < 99 ? $#reports : 99)]);

    my $builder = Test::More->builder();

    if (!$builder->is_passing()) {
        diag("the end of the error log:\n", tail("$self->{dir}/error.log",
            30));
    }

    $self->cleanup();
    done_testing();
}

sub cleanup {
    my ($self) = @_;
    return if $self->{cleaned}++;

    $_->end() for @{$self->{procs}};
    kill 'KILL', $self->{http} if $self->{http};

    eval { $self->kill_all() };
    kill 'KILL', $self->{child} if $self->{child};

    for (@{$self->{locks}}) {
        unlink "/tmp/live-record-port-$_->[1].lock";
    }

    if ($ENV{TEST_NGINX_LEAVE}) {
        diag("left: $self->{dir}");

    } else {
        remove_tree($self->{dir}, { safe => 0 });
    }
}

###############################################################################
# publishers

sub url {
    my ($self, %opt) = @_;
    my $url = 'rtmp://127.0.0.1:' . ($opt{port} || $self->port()) . '/'
        . ($opt{app} || 'live') . '/' . ($opt{name} || 'test');
    $url .= "?$opt{args}" if defined $opt{args};
    return $url;
}

# starts t/tools/rtmppub in the background.  $files is one FLV or a list;
# name, app, args, port make the url; args of the tool go as they are called,
# with "_" for "-": speed => 0, end => 'rst', no_audio => 1, and a list for
# what may come more than once: jump => [ '1000:-1', '2000:5' ].  The default
# of speed is 20.

sub start_publish {
    my ($self, $files, %opt) = @_;

    my @cmd = (tool('rtmppub'), '--events', '--progress', 100,
        '--url', $self->url(%opt));

    delete @opt{qw/ name app args port /};
    $opt{speed} = 20 unless defined $opt{speed};

    for my $key (sort keys %opt) {
        my $arg = "--$key";
        $arg =~ tr/_/-/;

        if ($key =~ /^(?:no_|absolute|aggregate|split_sei|loop)/) {
            push @cmd, $arg if $opt{$key};
            next;
        }

        push @cmd, $arg, $_
            for ref $opt{$key} ? @{$opt{$key}} : $opt{$key};
    }

    return $self->run(@cmd, ref $files ? @$files : $files);
}

# the same in the foreground; gives the exit code

sub publish {
    my ($self, $files, %opt) = @_;
    return $self->start_publish($files, %opt)->wait(300);
}

# ffmpeg as publisher; rate => N times real time, 0 as fast as taken;
# options => [ ... ] before the output

sub start_ffmpeg {
    my ($self, $file, %opt) = @_;
    my $rate = defined $opt{rate} ? $opt{rate} : 20;

    return $self->run('ffmpeg', '-nostdin', '-v', 'error',
        $rate ? ('-readrate', $rate) : (), '-i', $file,
        @{$opt{options} || [ '-map', '0', '-c', 'copy' ]},
        '-f', 'flv', $self->url(%opt));
}

sub ffmpeg {
    my ($self, $file, %opt) = @_;
    return $self->start_ffmpeg($file, %opt)->wait(300);
}

sub run {
    my ($self, @cmd) = @_;
    my $proc = LiveRecord::Process->new($self->{dir}, @cmd);
    push @{$self->{procs}}, $proc;
    return $proc;
}

###############################################################################
# an http server in a process of its own

# $handler gets { method, uri, headers, body } and gives
# ( code, [ header => value ... ], body ); what came is read by requests()

sub start_http {
    my ($self, $name, $handler) = @_;
    my $port = $self->port($name);

    my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$port",
        Proto => 'tcp', Listen => 16, ReuseAddr => 1)
        or die "http server: $!\n";

    my $pid = fork();
    die "fork: $!\n" unless defined $pid;

    if ($pid) {
        push @{$self->{procs}}, LiveRecord::Process->adopt($pid);
        return $port;
    }

    local $SIG{PIPE} = 'IGNORE';
    $SIG{TERM} = 'DEFAULT';

    while (1) {
        my $c = $s->accept() or next;
        my %r = (method => '', headers => {}, body => '');
        my $line = <$c>;
        next unless defined $line;

        @r{qw/ method uri /} = split ' ', $line;

        while (defined($line = <$c>)) {
            $line =~ s/\r?\n$//;
            last unless length $line;
            my ($key, $value) = split /:\s*/, $line, 2;
            $r{headers}{lc $key} = $value;
        }

        read $c, $r{body}, $r{headers}{'content-length'} || 0;
        append_file("$self->{dir}/http.$port.log", encode_json(\%r) . "\n");

        my ($code, $headers, $body) = $handler->(\%r);
        $body = '' unless defined $body;
        my @headers = @{$headers || []};

        print $c "HTTP/1.1 $code OK\r\nConnection: close\r\n"
            . 'Content-Length: ' . length($body) . "\r\n";
        while (my ($key, $value) = splice @headers, 0, 2) {
            print $c "$key: $value\r\n";
        }
        print $c "\r\n$body";
        close $c;
    }
}

sub requests {
    my ($self, $name) = @_;
    my $log = eval { read_file("$self->{dir}/http.$self->{ports}{$name}.log") };
    return map { decode_json($_) } split /\n/, defined $log ? $log : '';
}

sub http_get {
    my ($port, $uri) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port",
        Proto => 'tcp', Timeout => 10) or return;

    print $s "GET $uri HTTP/1.0\r\nHost: localhost\r\n\r\n";
    local $/;
    my $answer = <$s>;

    return $answer;
}

###############################################################################
# the bucket

# the directory of a dir bucket, as the tests' configurations name it, or
# another one from now on

sub bucket {
    my ($self, $dir) = @_;
    $self->{bucket} = $dir if defined $dir;
    return defined $self->{bucket} ? $self->{bucket} : "$self->{dir}/bucket";
}

sub spool { return shift->{dir} . '/spool' }

# what there is of recordings, also of those set aside

sub in_spool { return files_in(shift->spool(), qr/^[^.]/) }

# relative names of all files below a directory

sub files_in {
    my ($dir, $re) = @_;
    my @files;

    # as a list even when it is empty, for those who count
    return @files unless -d $dir;

    find({ no_chdir => 1, wanted => sub {
        return unless -f $_;
        push @files, substr $_, 1 + length $dir;
    } }, $dir);

    @files = sort grep { !defined $re || /$re/ } @files;

    return @files;
}

sub manifests {
    my ($self, $name, $app) = @_;
    my $dir = $self->bucket() . '/.live_record/' . ($app || 'live') . '/'
        . (defined $name ? $name : 'test');
    return map { "$dir/$_" } files_in($dir);
}

# full names of the cycle indexes of a stream in order of time, and of the
# indexes of its days

sub cycles {
    my ($self, $name, $app) = @_;
    my $dir = $self->bucket() . '/record/' . ($app || 'live') . '/'
        . (defined $name ? $name : 'test');
    return map { "$dir/$_" } files_in($dir, qr/\.m3u8$/);
}

sub days {
    my ($self, $name, $app) = @_;
    my $dir = $self->bucket() . '/' . ($app || 'live');
    my $re = defined $name ? $name : 'test';
    return map { "$dir/$_" } files_in($dir, qr!^\Q$re\E/[^/]+\.m3u8$!);
}

sub fragments {
    my ($self, $name, $app) = @_;
    my $dir = $self->bucket() . '/record/' . ($app || 'live') . '/'
        . (defined $name ? $name : 'test');
    return map { "$dir/$_" } files_in($dir, qr/\.ts$/);
}

# the same of mp4 and flv files, but for those that are not whole

sub mp4s { return shift->made('mp4', @_) }

sub flvs { return shift->made('flv', @_) }

sub made {
    my ($self, $suffix, $name, $app) = @_;
    my $dir = $self->bucket() . '/record/' . ($app || 'live') . '/'
        . (defined $name ? $name : 'test');
    return map { "$dir/$_" } files_in($dir, qr!^[^/.][^/]*\.$suffix$!);
}

# waits until nothing but quarantine is left in the spool of a stream: all
# of it is in the bucket and confirmed.  With format => 'mp4' or 'flv' it is
# their files that are counted and given.

sub wait_recorded {
    my ($self, $n, %opt) = @_;
    my $seconds = $opt{seconds} || 30;
    my $suffix = $opt{format} || 'm3u8';

    wait_for(sub {
        my @files = $self->made($suffix, $opt{name}, $opt{app});
        return @files >= $n && !$self->spooled($opt{name}, $opt{app});
    }, $seconds * $patience, "$n $suffix files and an empty spool");

    return $self->made($suffix, $opt{name}, $opt{app});
}

sub spooled {
    my ($self, $name, $app) = @_;
    my $dir = $self->spool() . '/' . ($app || 'live') . '/'
        . (defined $name ? $name : 'test');
    return files_in($dir);
}

# { version, target, endlist, sequence, type, lines,
#   segments => [ { uri, file, duration, discontinuity, time, gap } ] }

sub parse_m3u8 {
    my ($file) = @_;
    my @lines = split /\r?\n/, read_file($file);
    my %list = (lines => \@lines, segments => [], sequence => 0);
    my (%seg, @tail);

    for (@lines) {
        if (/^#EXT-X-VERSION:(\d+)$/) {
            $list{version} = $1;

        } elsif (/^#EXT-X-TARGETDURATION:(\d+)$/) {
            $list{target} = $1;

        } elsif (/^#EXT-X-MEDIA-SEQUENCE:(\d+)$/) {
            $list{sequence} = $1;

        } elsif (/^#EXT-X-PLAYLIST-TYPE:(\w+)$/) {
            $list{type} = $1;

        } elsif (/^#EXT-X-ENDLIST$/) {
            $list{endlist} = 1;

        } elsif (/^#EXT-X-DISCONTINUITY$/) {
            $seg{discontinuity}++;

        } elsif (/^#EXT-X-PROGRAM-DATE-TIME:(.*)$/) {
            $seg{date} = $1;
            $seg{time} = date_to_time($1);

        } elsif (/^#EXTINF:([\d.]+),/) {
            $seg{duration} = $1;

        } elsif (/^[^#]/) {
            $seg{uri} = $_;
            ($seg{path} = $_) =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ge;
            $seg{file} = dirname($file) . "/$seg{path}";
            push @{$list{segments}}, { %seg };
            %seg = ();
        }
    }

    $list{tail} = { %seg };

    return \%list;
}

sub date_to_time {
    my ($s) = @_;

    $s =~ /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d+)?
        (Z|[+-]\d\d:?\d\d)$/x or return;

    my ($fraction, $zone) = ($7 || 0, $8);
    my $t = timegm($6, $5, $4, $3, $2 - 1, $1) + $fraction;

    if ($zone =~ /([+-])(\d\d):?(\d\d)/) {
        $t -= ($1 eq '-' ? -1 : 1) * ($2 * 3600 + $3 * 60);
    }

    return $t;
}

# what is wrong with a playlist by RFC 8216, as a list of texts
# options: live => 1 (no ENDLIST wanted), tolerance of dates in seconds

sub lint_m3u8 {
    my ($file, %opt) = @_;
    my $tolerance = defined $opt{tolerance} ? $opt{tolerance} : 0.1;
    my $list = eval { parse_m3u8($file) } or return "cannot read $file";
    my @segments = @{$list->{segments}};
    my (@bad, %seen, $prev);

    push @bad, 'does not begin with #EXTM3U'
        unless @{$list->{lines}} && $list->{lines}[0] eq '#EXTM3U';
    push @bad, 'no EXT-X-TARGETDURATION' unless defined $list->{target};
    push @bad, 'EXT-X-VERSION is below 3, and durations have fractions'
        if ($list->{version} || 1) < 3
        && grep { $_->{duration} && $_->{duration} =~ /\./ } @segments;
    push @bad, 'no segments' unless @segments;
    push @bad, 'no EXT-X-ENDLIST' unless $list->{endlist} || $opt{live};
    push @bad, 'EXT-X-ENDLIST is not the last line'
        if $list->{endlist} && $list->{lines}[-1] ne '#EXT-X-ENDLIST';
    push @bad, 'tags after the last segment' if %{$list->{tail}};

    for my $tag (qw/ VERSION TARGETDURATION MEDIA-SEQUENCE PLAYLIST-TYPE
        ENDLIST /)
    {
        my $n = grep { /^#EXT-X-$tag\b/ } @{$list->{lines}};
        push @bad, "EXT-X-$tag $n times" if $n > 1;
    }

    for my $seg (@segments) {
        my $uri = $seg->{uri};

        if (!defined $seg->{duration}) {
            push @bad, "no EXTINF before $uri";
            next;
        }

        push @bad, "EXTINF of $uri is zero" if $seg->{duration} <= 0;
        push @bad, "EXTINF $seg->{duration} of $uri is above the target"
            if int($seg->{duration} + 0.5) > ($list->{target} || 0);
        push @bad, "$uri comes twice" if $seen{$uri}++;
        push @bad, "$uri is not there" unless -f $seg->{file};
        push @bad, "$uri is empty" if -f $seg->{file} && !-s $seg->{file};
        push @bad, "$uri is not a relative reference"
            if $uri =~ m!^/|^\w+:|//! || $uri =~ /[\s"\\]/;
        push @bad, "EXT-X-DISCONTINUITY twice before $uri"
            if ($seg->{discontinuity} || 0) > 1;
        push @bad, "the date $seg->{date} of $uri is not understood"
            if defined $seg->{date} && !defined $seg->{time};

        if ($seg->{discontinuity} && !defined $seg->{time}) {
            push @bad, "no new date after the discontinuity at $uri";
        }

        if ($prev && defined $prev->{end}) {

            # a date that is not written goes on from the last one
            $seg->{time} = $prev->{end} unless defined $seg->{time};

            my $step = $seg->{time} - $prev->{end};

            push @bad, sprintf('the date of %s is %.3f s off', $uri, $step)
                if !$seg->{discontinuity} && abs($step) > $tolerance;
        }

        $seg->{end} = $seg->{time} + $seg->{duration}
            if defined $seg->{time};
        $prev = $seg;
    }

    push @bad, 'the first segment has no date'
        if @segments && !defined $segments[0]{date};

    return @bad;
}

sub playlist_ok {
    my ($file, $name, %opt) = @_;
    my @bad = lint_m3u8($file, %opt);

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return is(scalar @bad, 0, $name || 'playlist ' . basename($file))
        || diag(join "\n", @bad);
}

# the files of playlists in order

sub segments_of {
    my (@playlists) = @_;
    return map { $_->{file} } map { @{parse_m3u8($_)->{segments}} }
        @playlists;
}

###############################################################################
# frames

# MD5 of every decoded frame, 'v' or 'a'; $file may be a playlist, or a list
# of ts files, which are read as one

sub frames {
    my ($file, $kind) = @_;
    return framemd5($file, 'f', $kind, '-map', "0:$kind:0",
        $kind eq 'v' ? ('-fps_mode', 'passthrough') : ());
}

# MD5 of every packet, made equal between formats: AAC without ADTS, H.264
# and HEVC with start codes and slices only

sub packets {
    my ($file, $kind) = @_;
    my @filter;

    if ($kind eq 'v') {
        my $codec = codec_of($file, 'v');

        @filter = ('-bsf:v',
            'h264_mp4toannexb,filter_units=pass_types=1-5')
            if $codec eq 'h264';
        @filter = ('-bsf:v',
            'hevc_mp4toannexb,filter_units=pass_types=0-31')
            if $codec eq 'hevc';

    } else {
        @filter = ('-bsf:a', 'aac_adtstoasc')
            if codec_of($file, 'a') eq 'aac';
    }

    return framemd5($file, 'p', $kind, '-map', "0:$kind:0", '-c', 'copy',
        '-copyts', @filter);
}

sub framemd5 {
    my ($file, $what, $kind, @args) = @_;

    # what was published is asked for by many tests
    my $saved = !ref $file && index($file, "$cache/") == 0
        ? "$file.$what$kind.md5" : undef;

    if (defined $saved && -e $saved) {
        return split /\n/, read_file($saved);
    }

    my ($in, $pid) = input_of($file);
    my $out = capture($in, 'ffmpeg', $in ? () : '-nostdin', '-v', 'quiet',
        reader_options($file), @args, '-f', 'framemd5', '-');

    waitpid $pid, 0 if $pid;

    # stream, dts, pts, duration, size, hash; side data may follow
    my @md5 = map { /^\d+,(?:[^,]*,){4}\s*([0-9a-f]{32})\b/ ? $1 : () }
        split /\n/, $out;

    if (defined $saved && @md5) {
        write_file("$saved.$$", join "\n", @md5);
        rename "$saved.$$", $saved;
    }

    return @md5;
}

# presentation times of the packets in seconds, as written in the file, in
# the file's order; 'dts' as third argument gives decoding times

sub times {
    my ($file, $kind, $which) = @_;
    $which = ($which || 'pts') . '_time';

    my ($in, $pid) = input_of($file);
    my $out = capture($in, 'ffprobe', '-v', 'quiet', reader_options($file),
        '-select_streams', "$kind:0", '-show_entries', "packet=$which",
        '-of', 'csv=p=0');

    waitpid $pid, 0 if $pid;

    return map { /^(-?[\d.]+)/ ? $1 : () } split /\n/, $out;
}

# ffprobe's streams and format as a structure

sub probe {
    my ($file) = @_;
    my ($in, $pid) = input_of($file);
    my $out = capture($in, 'ffprobe', '-v', 'quiet', reader_options($file),
        '-show_streams', '-show_format', '-of', 'json');

    waitpid $pid, 0 if $pid;

    return decode_json($out || '{}');
}

sub duration_of {
    my ($playlist) = @_;
    my $sum = 0;
    $sum += $_->{duration} for @{parse_m3u8($playlist)->{segments}};
    return $sum;
}

sub codec_of {
    my ($file, $kind) = @_;
    my $first = ref $file ? $file->[0] : $file;
    my $out = capture(undef, 'ffprobe', '-v', 'quiet',
        reader_options($first), '-select_streams', "$kind:0",
        '-show_entries', 'stream=codec_name', '-of', 'csv=p=0');

    # once per program and once per stream
    return (split /[\n,]/, $out)[0] || '';
}

sub reader_options {
    my ($file) = @_;

    return ('-f', 'mpegts', '-i', 'pipe:0') if ref $file;
    return ('-allowed_extensions', 'ALL', '-i', $file)
        if $file =~ /\.m3u8$/;
    return ('-i', $file);
}

# a list of files becomes a pipe that another process fills

sub input_of {
    my ($file) = @_;
    return unless ref $file;

    pipe my $r, my $w or die "pipe: $!\n";

    my $pid = fork();
    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        close $r;
        $SIG{PIPE} = 'DEFAULT';

        for (@$file) {
            open my $fh, '<:raw', $_ or next;
            while (sysread $fh, my $buf, 1 << 20) {
                my $off = 0;
                while ($off < length $buf) {
                    my $n = syswrite $w, $buf, length($buf) - $off, $off;
                    POSIX::_exit(1) unless defined $n;
                    $off += $n;
                }
            }
        }

        POSIX::_exit(0);
    }

    close $w;
    return ($r, $pid);
}

sub capture {
    my ($in, @cmd) = @_;

    my $pid = open my $fh, '-|';
    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        if ($in) {
            open STDIN, '<&', $in;

        } else {
            open STDIN, '<', '/dev/null';
        }

        exec @cmd or POSIX::_exit(127);
    }

    close $in if $in;

    local $/;
    my $out = <$fh>;
    close $fh;

    return defined $out ? $out : '';
}

# the two lists are the same; options: allow_missing => N of the expected
# may be missing at the end

sub same_frames {
    my ($got, $expected, $name, %opt) = @_;
    my $tb = Test::More->builder();
    my $missing = $opt{allow_missing} || 0;

    if (!@$expected) {
        $tb->ok(0, $name);
        $tb->diag('nothing is expected: the source cannot be read');
        return 0;
    }

    my $n = @$got < @$expected ? @$got : @$expected;
    my $i = 0;
    $i++ while $i < $n && $got->[$i] eq $expected->[$i];

    my $ok = $i == @$got && @$expected - @$got <= $missing;

    $tb->ok($ok, $name . ' (' . @$expected . ')');
    return 1 if $ok;

    my %at;
    push @{$at{$expected->[$_]}}, $_ for reverse 0 .. $#$expected;
    my $where = $i < @$got ? $at{$got->[$i]} : undef;

    $tb->diag('got ' . @$got . ', expected ' . @$expected
        . ", the first difference is at $i"
        . ($i >= @$got ? ': nothing more'
            : $where ? ': there is number ' . join(' or ', @$where)
            : ': there is one that was never sent'));

    return 0;
}

# $got is $expected with some left out, in at most "runs" places and at most
# "missing" in all.  Gives { missing, runs => [ [ from, count ] ... ] }

sub is_subsequence {
    my ($got, $expected, $name, %opt) = @_;
    my $tb = Test::More->builder();
    my ($i, @runs) = (0);
    my $missing = 0;

    for my $k (0 .. $#$expected) {
        if ($i < @$got && $got->[$i] eq $expected->[$k]) {
            $i++;
            next;
        }

        $missing++;

        if (@runs && $runs[-1][0] + $runs[-1][1] == $k) {
            $runs[-1][1]++;

        } else {
            push @runs, [ $k, 1 ];
        }
    }

    my $ok = @$expected && $i == @$got
        && (!defined $opt{missing} || $missing <= $opt{missing})
        && (!defined $opt{runs} || @runs <= $opt{runs});

    my $text = join ', ', map { "$_->[1] at $_->[0]" }
        @runs[0 .. ($#runs < 19 ? $#runs : 19)];

    $tb->ok($ok, "$name ($missing of " . @$expected . ' missing in '
        . @runs . ' places)');
    $tb->diag('got ' . @$got . ", the first $i in order; missing: $text")
        unless $ok;

    return { ok => $ok, missing => $missing, runs => \@runs };
}

# an mp4 or flv file, or several of them one after another, hold what was
# published: every picture and packet at its time, video against audio as it
# was, and nothing that ffprobe would warn of.  $source is a media file.
# Options: video => 0, audio => 0: there is none; shift: seconds that audio
# was sent later; times => 0: they are something else; said => 0: what
# ffprobe says does not matter; ms: how far a time may be off, otherwise 1 for
# video, 2.5 for audio, which has a clock of its own in mp4

sub whole {
    my ($got, $source, $name, %opt) = @_;
    my @files = ref $got ? @$got : $got;
    my @read = map { read_through($_) } @files;
    my %first;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    for my $kind (qw/ v a /) {
        my $what = $kind eq 'v' ? 'video' : 'audio';
        my $ms = defined $opt{ms} ? $opt{ms} : $kind eq 'v' ? 1 : 2.5;

        if (defined $opt{$what} && !$opt{$what}) {
            is((grep { @{$_->{$kind}} } @read), 0, "$name: no $what");
            next;
        }

        my @md5 = $kind eq 'v' ? map { frames($_, $kind) } @files
            : map { packets($_, $kind) } @files;

        same_frames(\@md5, [ $kind eq 'v' ? frames($source, $kind)
            : packets($source, $kind) ], "$name: $what");

        next if defined $opt{times} && !$opt{times};

        my @was = &times($source, $kind);
        my ($from, @far) = (0);

        for my $i (0 .. $#files) {
            my @is = @{$read[$i]{$kind}};

            for (0 .. $#is) {
                last if $from + $_ > $#was;
                my $off = $is[$_] - $is[0] - $was[$from + $_] + $was[$from];
                push @far, $from + $_ if abs($off) * 1000 > $ms;
            }

            $first{$kind}[$i] = $is[0] - $was[$from]
                if @is && $from <= $#was;
            $from += @is;
        }

        is($from, scalar @was, "$name: as many times of $what");
        is(scalar @far, 0, "$name: times of $what")
            or diag("the first that is off is number $far[0]");
    }

    if ($first{v} && $first{a}) {
        for (0 .. $#files) {
            my $off = $first{a}[$_] - $first{v}[$_] - ($opt{shift} || 0);

            cmp_ok(abs($off), '<', 0.0015, "$name: audio against video");
        }
    }

    return if defined $opt{said} && !$opt{said};

    is($_->{said}, '', "$name: ffprobe does not complain") for @read;
}

# decodes all of a file: presentation times of packets, "v" and "a", and
# what ffprobe had to say

sub read_through {
    my ($file) = @_;
    my %read = (v => [], a => [], said => '');

    my $out = capture(undef, 'sh', '-c', 'ffprobe -v warning -count_frames'
        . ' -show_entries packet=codec_type,pts_time -of csv "$0" 2>&1',
        $file);

    for (split /\n/, $out) {
        if (/^packet,([va])(?:ideo|udio),(-?[\d.]+)/) {
            push @{$read{$1}}, $2;

        } else {
            $read{said} .= "$_\n";
        }
    }

    return \%read;
}

# the tags of an flv file, or of several, are those of the source, byte by
# byte, at the same distances, for what ffmpeg cannot read.  Options as of
# whole()

sub whole_tags {
    my ($got, $source, $name, %opt) = @_;
    my @files = ref $got ? @$got : $got;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    for my $type (9, 8) {
        my $what = $type == 9 ? 'video' : 'audio';
        my (@md5, @far, @configs);
        my $from = 0;

        my @was = grep { $_->{type} == $type } flv_tags($source);
        my ($config) = grep { flv_is_config($_) } @was;
        @was = grep { !flv_is_config($_) && !flv_is_end($_) } @was;

        for my $file (@files) {
            my @is = grep { $_->{type} == $type } flv_tags($file);

            if (@is && flv_is_config($is[0])) {
                push @configs, shift(@is)->{body};
            }

            push @md5, map { md5_hex($_->{body}) } @is;

            for (0 .. $#is) {
                last if $from + $_ > $#was;
                my $off = $is[$_]{ts} - $is[0]{ts} - $was[$from + $_]{ts}
                    + $was[$from]{ts};
                push @far, $from + $_ if $off != 0;
            }

            $from += @is;
        }

        if (defined $opt{$what} && !$opt{$what}) {
            is(@md5 + @configs, 0, "$name: no $what");
            next;
        }

        same_frames(\@md5, [ map { md5_hex($_->{body}) } @was ],
            "$name: tags of $what");
        is(scalar @far, 0, "$name: times of $what");
        is(scalar(grep { $_ eq ($config ? $config->{body} : '') } @configs),
            $config ? @files : 0, "$name: configuration of $what");
    }
}

# how much later audio begins than video, in seconds; of an flv file as it
# says, whatever ffmpeg makes of it

sub ahead {
    my ($file) = @_;

    return (&times($file, 'a'))[0] - (&times($file, 'v'))[0]
        if $file !~ /\.flv$/;

    my ($video, $audio) = map {
        my $type = $_;
        (grep { $_->{type} == $type && !flv_is_config($_) }
            flv_tags($file))[0]
    } 9, 8;

    return ($audio->{ts} - $video->{ts} - flv_cts($video)) / 1000;
}

# [ { type, ts, body, pos } ... ] of a whole flv file in memory

sub flv_tags {
    my ($file) = @_;
    my $data = read_file($file);
    my $pos = unpack('x5N', $data) + 4;
    my @tags;

    while ($pos + 15 <= length $data) {
        my ($type, $n, $n1, $ts, $ts1, $ts3) = unpack("x${pos}CnCnCC",
            $data);
        $n = $n << 8 | $n1;

        push @tags, { pos => $pos, type => $type, ts => unpack('l',
            pack('L', $ts3 << 24 | $ts << 8 | $ts1)),
            body => substr($data, $pos + 11, $n) };

        die "$file: a wrong size behind the tag at $pos\n"
            if unpack('N', substr($data, $pos + 11 + $n, 4)) != $n + 11;

        $pos += 15 + $n;
    }

    die "$file: bytes are left over\n" if $pos != length $data;

    return @tags;
}

sub flv_is_config {
    my ($tag) = @_;
    my ($first, $second) = unpack('CC', $tag->{body});

    return $first >> 4 == 10 && $second == 0 || $first == 0x90
        if $tag->{type} == 8;
    return 0 if $tag->{type} != 9;
    return $first & 0x80 ? ($first & 15) == 0 : $second == 0;
}

# the end of a sequence is not media

sub flv_is_end {
    my ($tag) = @_;
    my ($first, $second) = unpack('CC', $tag->{body});

    return $first == 0x92 if $tag->{type} == 8;
    return 0 if $tag->{type} != 9;
    return $first & 0x80 ? ($first & 15) == 2 : $second == 2;
}

# composition offset in ms

sub flv_cts {
    my ($tag) = @_;
    my $first = ord $tag->{body};
    my $pos = !($first & 0x80) ? 2 : ($first & 15) == 1 ? 5 : return 0;

    return unpack('l>', substr($tag->{body}, $pos, 3) . "\0") >> 8
        if ord(substr $tag->{body}, $pos, 1) < 0x80;
    return (unpack('N', "\0" . substr($tag->{body}, $pos, 3))) - (1 << 24);
}

# the other way: tags of type, ts and body become an flv file

sub flv_write {
    my ($file, @tags) = @_;
    my $flags = 0;
    my @out;

    for (@tags) {
        my $n = length $_->{body};

        $flags |= { 8 => 4, 9 => 1 }->{$_->{type}} || 0;

        push @out, pack('C', $_->{type}), substr(pack('N', $n), 1),
            substr(pack('N', $_->{ts}), 1), pack('C', $_->{ts} >> 24 & 0xff),
            "\0\0\0", $_->{body}, pack('N', $n + 11);
    }

    write_file($file, join '', 'FLV', pack('CCNN', 1, $flags, 9, 0), @out);

    return $file;
}

# onMetaData, which has to be the first tag, as a structure

sub flv_meta {
    my ($file) = @_;

    open my $fh, '<:raw', $file or die "$file: $!\n";
    read $fh, my $head, 24;

    my ($type, $n, $n1) = unpack('x13CnC', $head);
    die "$file: it does not begin with metadata\n" if $type != 18;

    read $fh, my $body, $n << 8 | $n1;
    close $fh;

    my $pos = 0;
    die "$file: no onMetaData\n" if amf(\$body, \$pos) ne 'onMetaData';

    my $meta = amf(\$body, \$pos);
    die "$file: bytes are left over in the metadata\n"
        if $pos != length $body;

    return $meta;
}

# a value of AMF 0

sub amf {
    my ($data, $pos) = @_;
    my $type = ord substr $$data, $$pos++, 1;
    my $take = sub {
        my ($n) = @_;
        die "metadata: too short\n" if $$pos + $n > length $$data;
        $$pos += $n;
        return substr $$data, $$pos - $n, $n;
    };

    return unpack('d>', $take->(8)) if $type == 0;
    return ord $take->(1) if $type == 1;
    return $take->(unpack('n', $take->(2))) if $type == 2;

    if ($type == 3 || $type == 8) {
        my %object;
        $take->(4) if $type == 8;

        while (1) {
            my $name = $take->(unpack('n', $take->(2)));

            if ($name eq '' && ord substr($$data, $$pos, 1) == 9) {
                $$pos++;
                return \%object;
            }

            $object{$name} = amf($data, $pos);
        }
    }

    return [ map { amf($data, $pos) } 1 .. unpack('N', $take->(4)) ]
        if $type == 10;

    die "metadata: type $type\n";
}

###############################################################################
# media and tools

my %recipes = (

    # 100 s with B-frames
    basic => { seconds => 100 },

    # half a minute for everything that needs no cut
    short => { seconds => 30 },

    # long and light, to be pushed many times faster than real time
    long => { seconds => 1980, size => '160x90', fps => 10, audio_bitrate =>
        '32k', channels => 1 },
);

# gives the name of an FLV file; it is made when it is asked for the first
# time.  Options: seconds, size, fps, gop (seconds), bframes, bitrate,
# video => h264 | hevc | none, audio => aac | mp3 | none, channels,
# audio_bitrate, rate, enhanced => 1 (hevc only), x264 => 'key=value:...'

sub media {
    my ($name, %opt) = @_;

    my %o = (seconds => 30, size => '320x180', fps => 25, gop => 2,
        bframes => 3, video => 'h264', audio => 'aac', channels => 2,
        rate => 44100, audio_bitrate => '64k',
        %{$recipes{$name} || {}}, %opt);

    my $key = substr md5_hex(join ',', 1, map { "$_=$o{$_}" } sort keys %o),
        0, 8;
    my $file = "$cache/$name-$key.flv";

    return $file if -e $file;

    make_path($cache);
    open my $lock, '>', "$cache/.$name-$key.lock" or die "$cache: $!\n";
    flock $lock, LOCK_EX;

    return $file if -e $file;

    my $hevc = $o{video} eq 'hevc';
    my $tmp = "$cache/.$name-$key." . ($hevc ? 'mp4' : 'flv');

    run_quiet('ffmpeg', '-nostdin', '-v', 'error', '-y', inputs(%o),
        '-t', $o{seconds}, encoders(%o), $tmp);

    if ($hevc) {
        (my $mp4 = $file) =~ s/flv$/mp4/;
        rename $tmp, $mp4;
        run_quiet($^X, "$root/t/tools/mp4toflv.pl",
            $o{enhanced} ? '--enhanced' : (), $mp4, "$tmp.flv");
        $tmp .= '.flv';
    }

    rename $tmp, $file or die "$file: $!\n";

    return $file;
}

# what ffmpeg can read of a media file: it does not know HEVC in FLV

sub source {
    my ($file) = @_;
    (my $mp4 = $file) =~ s/flv$/mp4/;
    return -e $mp4 ? $mp4 : $file;
}

sub inputs {
    my (%o) = @_;
    my @args;

    push @args, '-f', 'lavfi', '-i', "testsrc2=s=$o{size}:r=$o{fps}"
        if $o{video} ne 'none';

    # a tone that rises for ever, so that no two frames are the same
    push @args, '-f', 'lavfi', '-i', 'aevalsrc=' . join('|',
        map { "0.4*sin(2*PI*t*(" . (200 + 50 * $_) . "+t/4))" }
        1 .. $o{channels}) . ":s=$o{rate}"
        . ($o{channels} == 6 ? ':c=5.1' : '') if $o{audio} ne 'none';

    return @args;
}

sub encoders {
    my (%o) = @_;
    my @args;
    my $gop = $o{gop} * $o{fps};

    if ($o{video} eq 'h264') {
        push @args, '-c:v', 'libx264', '-preset', 'ultrafast',
            '-pix_fmt', 'yuv420p', '-bf', $o{bframes}, '-g', $gop,
            '-keyint_min', $gop, '-sc_threshold', 0;
        push @args, '-x264-params', $o{x264} if $o{x264};

    } elsif ($o{video} eq 'hevc') {
        push @args, '-c:v', 'libx265', '-preset', 'ultrafast',
            '-pix_fmt', 'yuv420p', '-tag:v', 'hvc1', '-x265-params',
            "log-level=none:keyint=$gop:min-keyint=$gop:scenecut=0:"
            . "bframes=$o{bframes}:" . ($o{x265} || 'open-gop=0');
    }

    push @args, '-b:v', $o{bitrate}, '-minrate', $o{bitrate}, '-maxrate',
        $o{bitrate}, '-bufsize', $o{bitrate} if $o{bitrate};

    push @args, '-c:a', $o{audio} eq 'mp3' ? 'libmp3lame' : 'aac',
        '-b:a', $o{audio_bitrate} if $o{audio} ne 'none';

    return (@args, '-fflags', '+bitexact');
}

# the program of t/tools, compiled when it is not there or older than its
# source

sub tool {
    my ($name) = @_;
    my $file = "$build/tools/$name";

    make_path("$build/tools");
    open my $lock, '>', "$build/tools/.lock" or die "$build/tools: $!\n";
    flock $lock, LOCK_EX;

    # "make test" would have it share its jobs
    local @ENV{qw/ MAKEFLAGS MAKELEVEL /};

    run_quiet('make', '-s', '-C', $root, "BUILD=$build", $file);

    return $file;
}

sub run_quiet {
    my (@cmd) = @_;
    system(@cmd) == 0 or die "failed: @cmd\n";
}

###############################################################################
# small things

# polls until the sub gives something true, and gives that; dies after three
# times the seconds that it takes at most on a machine with nothing else to do:
# this is to end a test that hangs, and measures nothing

sub wait_for {
    my ($sub, $seconds, $what) = @_;
    my $until = time() + 3 * (defined $seconds ? $seconds : 10);
    my $result;

    while (1) {
        return $result if $result = $sub->();
        last if time() > $until;
        sleep 0.05;
    }

    die 'waited in vain for ' . ($what || 'something') . "\n";
}

sub read_file {
    my ($file) = @_;
    open my $fh, '<:raw', $file or die "$file: $!\n";
    local $/;
    my $data = <$fh>;
    close $fh;
    return $data;
}

sub write_file {
    my ($file, $data) = @_;
    open my $fh, '>:raw', $file or die "$file: $!\n";
    print $fh $data;
    close $fh or die "$file: $!\n";
}

sub append_file {
    my ($file, $data) = @_;
    open my $fh, '>>:raw', $file or die "$file: $!\n";
    print $fh $data;
    close $fh or die "$file: $!\n";
}

sub tail {
    my ($file, $n) = @_;
    my @lines = split /\n/, eval { read_file($file) } || '';
    splice @lines, 0, @lines - $n if @lines > $n;
    return join "\n", @lines;
}

# a zombie is dead

sub alive {
    my ($pid) = @_;
    waitpid $pid, WNOHANG;
    my $stat = eval { read_file("/proc/$pid/stat") } or return 0;
    return $stat !~ /\) [ZX] /;
}

sub children {
    my ($parent) = @_;
    my @pids;

    opendir my $dh, '/proc' or return;

    for (grep { /^\d+$/ } readdir $dh) {
        my $stat = eval { read_file("/proc/$_/stat") } or next;
        push @pids, $_ if $stat =~ /\) [^ZX] (\d+) / && $1 == $parent;
    }

    return @pids;
}

###############################################################################

package LiveRecord::Process;

# a process in the background, with its output in files

use warnings;
use strict;

use JSON::PP qw/ decode_json /;
use POSIX qw/ WNOHANG /;
use Time::HiRes qw/ time sleep /;

my $count = 0;

sub new {
    my ($class, $dir, @cmd) = @_;
    my $base = "$dir/process." . $count++;

    my $pid = fork();
    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$base.out";
        open STDERR, '>', "$base.err";
        exec @cmd or POSIX::_exit(127);
    }

    return bless { pid => $pid, base => $base, cmd => \@cmd }, $class;
}

# a process that is there already

sub adopt {
    my ($class, $pid) = @_;
    return bless { pid => $pid }, $class;
}

sub pid { return shift->{pid} }

sub alive {
    my ($self) = @_;
    return 0 if defined $self->{status};

    my $pid = waitpid $self->{pid}, WNOHANG;
    return 1 if $pid == 0;

    $self->{status} = $pid == $self->{pid} ? $? : -1;
    return 0;
}

# the exit code, 128 and the signal if it was killed

sub wait {
    my ($self, $seconds) = @_;

    LiveRecord::wait_for(sub { !$self->alive() }, $seconds || 60,
        "@{$self->{cmd} || ['a process']}");

    my $status = $self->{status};
    return $status & 127 ? 128 + ($status & 127) : $status >> 8;
}

sub kill {
    my ($self, $signal) = @_;
    CORE::kill $signal || 'TERM', $self->{pid} if $self->alive();
    return $self;
}

# kills without a question

sub end {
    my ($self) = @_;
    return unless $self->alive();
    CORE::kill 'KILL', $self->{pid};
    waitpid $self->{pid}, 0;
    $self->{status} = 9;
}

sub out {
    my ($self) = @_;
    return eval { LiveRecord::read_file("$self->{base}.out") } || '';
}

sub err {
    my ($self) = @_;
    return eval { LiveRecord::read_file("$self->{base}.err") } || '';
}

# what rtmppub told with --events, of one kind or all

sub events {
    my ($self, $kind) = @_;
    my @events = map { eval { decode_json($_) } || () }
        grep { /^\{.*\}$/ } split /\n/, $self->out();

    @events = grep { $_->{event} eq $kind } @events if defined $kind;
    return @events;
}

sub wait_event {
    my ($self, $kind, $seconds) = @_;

    return LiveRecord::wait_for(sub {
        my ($event) = $self->events($kind);
        return $event if $event;
        die "the publisher ended without \"$kind\": " . $self->err() . "\n"
            unless $self->alive() || $self->events($kind);
        return;
    }, $seconds || 20, "the publisher's \"$kind\"");
}

# waits until so many milliseconds of media are sent

sub wait_media {
    my ($self, $ms, $seconds) = @_;

    return LiveRecord::wait_for(sub {
        my @events = $self->events();
        return @events && $events[-1]{media_ms} >= $ms;
    }, $seconds || 60, "$ms ms of media to be sent");
}

###############################################################################

1;
