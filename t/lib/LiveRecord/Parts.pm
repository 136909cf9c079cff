package LiveRecord::Parts;

# Copyright (C) the ngx_live_record authors

# Parts of a test that mostly wait run side by side, each in a process and
# with an nginx of its own:
#
#     side_by_side(
#         stops => sub { my $t = LiveRecord->new(); ...; $t->done(); },
#         kills => \&kills,
#     );
#
# "perl t/NAME.t PART" runs one of them alone.

###############################################################################

use warnings;
use strict;

use Exporter qw/ import /;
use File::Temp qw/ tempdir /;
use Test::More;

our @EXPORT = qw/ side_by_side /;

my %pids;
my $owner = $$;

END {
    if ($$ == $owner) {
        local ($?, $!);
        kill 'TERM', keys %pids;
    }
}

sub side_by_side {
    my (@list) = @_;
    my %parts = @list;
    my @names = @list[grep { $_ % 2 == 0 } 0 .. $#list];

    if (@ARGV) {
        die "there is no part \"$ARGV[0]\"\n" unless $parts{$ARGV[0]};
        return $parts{$ARGV[0]}->();
    }

    plan(tests => scalar @names);

    my $dir = tempdir('live-record-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);

    for my $name (@names) {
        my $pid = fork();
        die "fork: $!\n" unless defined $pid;

        if ($pid == 0) {
            open STDIN, '<', '/dev/null';
            open STDOUT, '>', "$dir/$name";
            open STDERR, '>&', \*STDOUT;
            exec $^X, $0, $name or POSIX::_exit(127);
        }

        $pids{$pid} = $name;
    }

    while (%pids) {
        my $pid = wait();
        my $status = $?;
        my $name = delete $pids{$pid} or next;

        open my $fh, '<', "$dir/$name" or die "$dir/$name: $!\n";
        my @lines = <$fh>;
        close $fh;

        # a subtest, as Test::More would show it
        print map { "    $_" } grep { /^(?:not )?ok \d|^1\.\./ } @lines;

        ok($status == 0, $name)
            or diag(grep { !/^ok \d|^1\.\./ } @lines);
    }
}

###############################################################################

1;
