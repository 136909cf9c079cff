package LiveRecord::OSS;

# Copyright (C) the ngx_live_record authors

# The fake OSS beside the nginx of a test.
#
#     my $oss = LiveRecord::OSS->new($t, keys => [ 'ak:sk' ]);
#
#     $t->bucket($oss->bucket('media'));
#     $oss->faults({ fault => 'status', status => 503, method => 'PUT' });
#     ...
#     $oss->check();
#     $t->done();

###############################################################################

use warnings;
use strict;

use Exporter qw/ import /;
use File::Basename qw/ dirname /;
use IO::Socket::INET;
use Test::More;

use LiveRecord;

our @EXPORT = qw/ began ended /;

my $lib = dirname(__FILE__) . '/..';

###############################################################################

# options: keys => [ 'id:secret[:token]' ... ], buckets => [ names ] (any if
# there are none), https => 1, s3 => 1 for one that speaks S3, args => [ ... ]
# of t/lib/oss-server.mjs; name, of its directory, for the second of a test

sub new {
    my ($class, $t, %opt) = @_;

    my $name = $opt{name} || 'oss';
    my $self = bless {
        t => $t, dir => $t->dir(), opt => \%opt, name => $name,
        port => $t->port($name),
    }, $class;

    # its port is asked for only when there is a use for it
    $self->{https_port} = $t->port("${name}_https") if $opt{https};

    return $self->start();
}

# also after a stop(), on the same ports

sub start {
    my ($self) = @_;
    my $opt = $self->{opt};

    my @cmd = ('node', "$lib/oss-server.mjs", '--root', $self->root(),
        '--port', $self->{port}, '--log', $self->log_file());

    push @cmd, '--key', $_ for @{$opt->{keys} || []};
    push @cmd, '--bucket', $_ for @{$opt->{buckets} || []};
    push @cmd, '--https-port', $self->{https_port}, '--ca-dir',
        "$self->{dir}/ca" if $opt->{https};
    push @cmd, '--s3' if $opt->{s3};
    push @cmd, @{$opt->{args} || []};

    my $p = $self->{process} = $self->{t}->run(@cmd);

    $self->{ready} = LiveRecord::wait_for(sub {
        die 'the fake OSS does not start: ', $p->err(), "\n"
            unless $p->alive();
        return $p->out() =~ /^(\{.*\})\n/ && decode_json($1);
    }, 20, 'the fake OSS to start');

    return $self;
}

sub stop {
    my ($self) = @_;
    return $self->{process}->kill('TERM')->wait(10);
}

sub root { my ($self) = @_; return "$self->{dir}/$self->{name}" }
sub log_file { my ($self) = @_; return "$self->{dir}/$self->{name}.log" }

# the directory of a bucket

sub bucket {
    my ($self, $name) = @_;
    return $self->root() . "/$name";
}

sub control_url { return "http://127.0.0.1:" . shift->{ready}{control} }
sub port { return shift->{port} }
sub https_port { return shift->{https_port} }
sub ca { return shift->{ready}{ca} }

###############################################################################
# the control port

sub control {
    my ($self, $method, $uri, $value) = @_;
    my $body = defined $value
        ? JSON::PP->new()->allow_nonref()->encode($value) : '';

    my $s = IO::Socket::INET->new(
        PeerAddr => "127.0.0.1:$self->{ready}{control}", Proto => 'tcp',
        Timeout => 10) or die "the fake OSS is not there: $!\n";

    print $s "$method $uri HTTP/1.0\r\nContent-Length: " . length($body)
        . "\r\n\r\n$body";

    local $/;
    my ($head, $answer) = split /\r\n\r\n/, <$s>, 2;

    die "the fake OSS: $method $uri: $answer\n" if $head !~ m!^\S+ 200!;

    return decode_json($answer);
}

# the table of faults, instead of what there was; see oss-server.mjs

sub faults {
    my ($self, @faults) = @_;
    return $self->control('PUT', '/faults', \@faults);
}

sub add_faults {
    my ($self, @faults) = @_;
    return $self->control('POST', '/faults', \@faults);
}

# how many requests each fault of a bucket has met

sub seen {
    my ($self, $bucket) = @_;
    my $faults = $self->control('GET', '/faults');

    return map { $_->{seen} || 0 }
        grep { ($_->{bucket} || '') eq $bucket } @$faults;
}

# seconds by which its clock is wrong

sub skew {
    my ($self, $seconds) = @_;
    return $self->control('PUT', '/skew', $seconds);
}

# instead of what there was: { id, secret, token, expired, expires } ...

sub set_keys {
    my ($self, @keys) = @_;
    return $self->control('PUT', '/keys', \@keys);
}

# beside what there was, or instead of one of that id; { id } removes it

sub add_keys {
    my ($self, @keys) = @_;
    return $self->control('POST', '/keys', \@keys);
}

sub stats { return shift->control('GET', '/stats') }

###############################################################################
# its log

# requests in the order of their ends; with a name, those of that bucket

sub requests {
    my ($self, $bucket) = @_;
    my $log = eval { read_file($self->log_file()) };

    # the last line may be half written
    my @all = map { decode_json($_) } grep { /\}$/ }
        split /\n/, defined $log ? $log : '';

    @all = grep { !$_->{tls} || $_->{method} } @all;
    @all = grep { defined $_->{bucket} && $_->{bucket} eq $bucket } @all
        if defined $bucket;

    return @all;
}

# when one of them did, in seconds of the day

sub ended {
    my ($r) = @_;
    $r->{time} =~ /T(\d\d):(\d\d):([\d.]+)Z/;
    return ($1 * 60 + $2) * 60 + $3;
}

sub began { return ended($_[0]) - $_[0]{ms} / 1000 }

# uploads of a bucket that are neither completed nor aborted: their keys

sub uploads {
    my ($self, $bucket) = @_;

    return map { $_->{key} }
        grep { !defined $bucket || $_->{bucket} eq $bucket }
        map { decode_json(read_file($_)) }
        glob($self->root() . '/.uploads/*/meta.json');
}

# TLS connections that were not made

sub tls_errors {
    my ($self) = @_;
    my $log = eval { read_file($self->log_file()) };
    return map { $_->{error} } grep { $_->{error} }
        map { decode_json($_) } grep { /\}$/ }
        split /\n/, defined $log ? $log : '';
}

# how many requests of a bucket were there at a time, at most

sub most_at_a_time {
    my ($self, $bucket) = @_;
    my (@edges, $max);
    my $now = 0;

    for ($self->requests($bucket)) {
        # what begins when another ends is not beside it
        push @edges, [ began($_) + 0.002, 1 ], [ ended($_), -1 ]
            if $_->{ms} > 2;
    }

    for (sort { $a->[0] <=> $b->[0] || $a->[1] <=> $b->[1] } @edges) {
        $now += $_->[1];
        $max = $now if !defined $max || $now > $max;
    }

    return $max || 0;
}

# every request had a right signature, but those with a fault and those that
# were refused with one of the codes

sub check {
    my ($self, @codes) = @_;
    my %codes = map { $_ => 1 } @codes;
    my @all = $self->requests();

    my @bad = grep {
        $_->{signature} !~ /\+ok(?:\+signed)?$/ && !$_->{fault}
            && !($_->{code} && $codes{$_->{code}})
    } @all;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is(@all ? scalar @bad : 'none', 0, 'signatures of ' . @all . ' requests')
        or diag(join "\n", map { encode_json($_) }
            @bad[0 .. ($#bad < 9 ? $#bad : 9)]);

    my $err = $self->{process}->err();
    is($err, '', 'the fake OSS is content');
}

# reads all of a bucket with Alibaba's own client, which compares CRC-64: a
# list of { key, size, type, md5, crc, ok, set }, in the order of keys; of a
# store that speaks S3, with AWS's: { key, type, set }

sub client {
    my ($self, $bucket, $key) = @_;
    my ($id, $secret, $token) = split /:/, $key || 'ak:sk';

    my @cmd = $self->{opt}{s3} ? ('/usr/bin/python3', "$lib/s3-read.py")
        : ('node', "$lib/oss-read.mjs");

    local $ENV{HOME} = $self->{dir};
    my $p = $self->{t}->run(@cmd, $self->{port}, $bucket, $id, $secret,
        $token || ());

    $p->wait(60) == 0 or die 'the client: ', $p->err(), "\n";

    return @{decode_json($p->out())};
}

# runs Debian's awscli with a key against a store that speaks S3; gives what
# it prints

sub aws {
    my ($self, $key, @args) = @_;
    my ($id, $secret, $token) = split /:/, $key;

    local @ENV{qw/ AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
        AWS_DEFAULT_REGION AWS_EC2_METADATA_DISABLED HOME /}
        = ($id, $secret, 'us-east-1', 'true', $self->{dir});
    local $ENV{AWS_SESSION_TOKEN} = $token;
    delete $ENV{AWS_SESSION_TOKEN} unless defined $token;

    my $p = $self->{t}->run('/usr/bin/aws', '--endpoint-url',
        "http://127.0.0.1:$self->{port}", @args);

    $p->wait(60) == 0 or die "aws @args: ", $p->err(), "\n";

    return $p->out();
}

# what awscli lists of a bucket: { Key, Size, ETag } in the order of keys

sub aws_list {
    my ($self, $bucket, $key) = @_;
    my $out = $self->aws($key, 's3api', 'list-objects-v2', '--bucket',
        $bucket, '--page-size', 5, '--output', 'json');

    return @{decode_json($out || '{}')->{Contents} || []};
}

###############################################################################

1;
