package LiveRecord::Bench;

# Copyright (C) the ngx_live_record authors

# What the benches share: what the kernel knows of processes, and tables.

###############################################################################

use warnings;
use strict;

use Exporter qw/ import /;
use File::Find qw/ find /;
use File::Temp qw/ tempdir /;
use POSIX qw/ strftime sysconf _SC_CLK_TCK /;

use LiveRecord;

our @EXPORT = qw/ cpu_of rss_of hwm_of fill_memory machine put_aside
    write_bench_conf markdown verdict median spread table /;

###############################################################################

my ($markdown, @finished);

# ext4 looks at every inode of a block group that was removed within the last
# minutes before it takes one for a new file: what others have removed would
# slow down the making of files.  It puts the directories in one with this
# attribute far apart from each other and from the rest.

BEGIN {
    my $top = tempdir('live-record-bench-XXXXXXXX', TMPDIR => 1,
        CLEANUP => !$ENV{TEST_NGINX_LEAVE});
    chmod 0755, $top;
    system("chattr +T $top 2>/dev/null");
    $ENV{TMPDIR} = $top;
}

END { my $status = $?; $_->cleanup() for @finished; $? = $status }

sub markdown { $markdown = shift }

# one worker and an application; the log as docs/operations.md advises, and
# not what tests want to read

sub write_bench_conf {
    my ($t, $main, $application) = @_;

    my $text = $t->expand(<<"EOF_CONF");
%%GLOBALS%%

worker_processes 1;

events {
    worker_connections 1024;
}

rtmp {
    $main

    server {
        listen 127.0.0.1:%%PORT%%;

        application live {
            live on;
            $application
        }
    }
}
EOF_CONF

    $text =~ s/(error_log \S+) info;/$1 notice;/;
    write_file($t->dir() . '/nginx.conf', $text);
}

# So that those of a run do not slow down the next one either, they are only
# emptied, and removed when all is over.

sub put_aside {
    my ($t) = @_;

    find({ no_chdir => 1, wanted => sub { truncate $_, 0 if -f } },
        $t->dir());

    push @finished, $t;
}

###############################################################################
# what the kernel knows of the workers

# seconds of CPU, user and system, of all threads.  The ticks of "stat" are
# 10 ms, a tenth of what some of the runs take.

sub cpu_of {
    my (@pids) = @_;
    my $sum = 0;

    for my $pid (@pids) {
        my @tasks = glob "/proc/$pid/task/*/schedstat";
        my @ns = map { eval { read_file($_) } =~ /^(\d+)/ ? $1 : () } @tasks;

        if (@ns && @ns == @tasks) {
            $sum += $_ / 1e9 for @ns;
            next;
        }

        my $stat = read_file("/proc/$pid/stat");
        $stat =~ s/^.*\) //s;

        my @field = split ' ', $stat;
        $sum += ($field[11] + $field[12]) / sysconf(_SC_CLK_TCK);
    }

    return $sum;
}

# KB.  VmRSS is a sum that each thread adds to now and then, smaps is counted.

sub rss_of {
    my (@pids) = @_;
    my $sum = 0;

    for my $pid (@pids) {
        my $text = eval { read_file("/proc/$pid/smaps_rollup") };
        $text = read_file("/proc/$pid/status")
            unless defined $text && $text =~ /^Rss:/m;
        $sum += $1 if $text =~ /^(?:Rss|VmRSS):\s+(\d+) kB/m;
    }

    return $sum;
}

sub hwm_of {
    my (@pids) = @_;
    my $sum = 0;

    for (@pids) {
        $sum += $1 if read_file("/proc/$_/status") =~ /^VmHWM:\s+(\d+) kB/m;
    }

    return $sum;
}

# A server that has run for a day has no free memory: what is written takes the
# pages of files that nobody reads any more.  On a virtual machine that has just
# started, or that gives back to its host what is free for two seconds, free
# pages have to be had from the host one by one, at the cost of whoever uses
# them first, which is several times the cost of writing to them.  So before
# each run what is free is filled with the pages of a file that is all hole.

my $hole;

sub fill_memory {
    my $total = memory('MemTotal');

    if (!$hole) {
        open $hole, '+>', "$ENV{TMPDIR}/hole" or die "hole: $!\n";
        truncate $hole, 2 * $total or die "hole: $!\n";
    }

    # on from where it ended, since the oldest pages are the first to go

    for (my $read = 0; $read < $total; $read += 64 << 20) {
        return if memory('MemFree') < $total / 32;

        for (1 .. 64) {
            sysread $hole, my $buf, 1 << 20 or sysseek $hole, 0, 0;
        }
    }
}

sub memory {
    my ($name) = @_;
    return read_file('/proc/meminfo') =~ /^$name:\s+(\d+)/m ? $1 << 10 : 0;
}

sub machine {
    my ($cpu) = (eval { read_file('/proc/cpuinfo') } || '')
        =~ /^model name\s*:\s*(.*)$/m;
    my $cores = () = (eval { read_file('/proc/cpuinfo') } || '')
        =~ /^processor\s*:/mg;
    my ($kb) = read_file('/proc/meminfo') =~ /^MemTotal:\s+(\d+)/m;
    my ($load) = read_file('/proc/loadavg') =~ /^(\S+)/;
    my $nginx = $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx';
    my ($version) = `$nginx -v 2>&1` =~ m!nginx/(\S+)!;

    $cpu = 'CPU unknown' unless defined $cpu;

    return sprintf '%s, %d cores, %.0f GB, Linux %s, nginx %s, %s, load'
        . ' before %s', $cpu, $cores, $kb / 1e6, (POSIX::uname())[2],
        $version || 'unknown', strftime('%Y-%m-%d', gmtime), $load;
}

###############################################################################
# tables

sub verdict {
    my ($what, $value, $limit, $format) = @_;

    return [ $what, sprintf($format, $value), sprintf($format, $limit),
        $value <= $limit ? 'OK' : 'MISSED' ];
}

sub median {
    my @v = sort { $a <=> $b } @{$_[0]};
    return ($v[$#v / 2] + $v[@v / 2]) / 2;
}

sub spread {
    my ($format, $values) = @_;
    my @v = sort { $a <=> $b } @$values;

    return sprintf $format, $v[0] if @v == 1;
    return sprintf "$format ($format..$format)", median(\@v), $v[0], $v[-1];
}

# titles, cells; in Markdown if that was asked for

sub table {
    my ($title, @rows) = @_;

    print "\n$title\n\n";

    my @width;

    for my $row (@rows) {
        for (0 .. $#$row) {
            my $n = length $row->[$_];
            $width[$_] = $n if $n > ($width[$_] || 0);
        }
    }

    for my $i (0 .. $#rows) {
        my @cells = map { sprintf '%-*s', $width[$_], $rows[$i][$_] }
            0 .. $#{$rows[$i]};

        if ($markdown) {
            print '| ', join(' | ', @cells), " |\n";
            print '|', join('|', map { '-' x ($_ + 2) } @width), "|\n"
                if $i == 0;
            next;
        }

        (my $line = join '  ', @cells) =~ s/ +$//;
        print "$line\n";
    }

    return '';
}

###############################################################################

1;

###############################################################################
