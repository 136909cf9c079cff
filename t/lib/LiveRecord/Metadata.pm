package LiveRecord::Metadata;

# Copyright (C) the ngx_live_record authors

# Fake metadata services beside the nginx of a test.
#
#     my $m = LiveRecord::Metadata->new($t,
#         one => { store => $oss->control_url(), ttl => 10, renew => 4 });
#
#     ... metadata_endpoint http://127.0.0.1:PORT with $m->port('one')
#     $m->set('one', fault => 500);
#     $m->requests('one');

###############################################################################

use warnings;
use strict;

use File::Basename qw/ dirname /;
use IO::Socket::INET;

use LiveRecord;

my $lib = dirname(__FILE__) . '/..';

###############################################################################

# settings as of t/lib/metadata-server.mjs

sub new {
    my ($class, $t, %services) = @_;
    my $self = bless { log => $t->dir() . '/metadata.log' }, $class;

    my $p = $self->{process} = $t->run('node', "$lib/metadata-server.mjs",
        '--log', $self->{log}, map { ('--service', "$_="
        . encode_json($services{$_})) } sort keys %services);

    $self->{ready} = wait_for(sub {
        die 'the metadata service does not start: ', $p->err(), "\n"
            unless $p->alive();
        return $p->out() =~ /^(\{.*\})\n/ && decode_json($1);
    }, 20, 'the metadata service to start');

    return $self;
}

sub port { my ($self, $name) = @_; return $self->{ready}{ports}{$name} }

sub set {
    my ($self, $name, %settings) = @_;
    return $self->control('PUT', "/$name", encode_json(\%settings));
}

# from now on another key is given out

sub rotate {
    my ($self, $name) = @_;
    return $self->control('POST', "/$name/rotate");
}

# settings, key, and the most requests at a time

sub get {
    my ($self, $name) = @_;
    return $self->control('GET', "/$name");
}

sub control {
    my ($self, $method, $uri, $body) = @_;
    $body = '' unless defined $body;

    my $s = IO::Socket::INET->new(
        PeerAddr => "127.0.0.1:$self->{ready}{control}", Proto => 'tcp',
        Timeout => 10) or die "the metadata service is not there: $!\n";

    print $s "$method $uri HTTP/1.0\r\nContent-Length: " . length($body)
        . "\r\n\r\n$body";

    local $/;
    my ($head, $answer) = split /\r\n\r\n/, <$s>, 2;

    die "the metadata service: $method $uri: $head\n"
        if $head !~ m!^\S+ 200!;

    return decode_json($answer);
}

# what was asked of it, in the order of its ends: { method, url, token, status,
# key, at }

sub requests {
    my ($self, $name) = @_;
    my $log = eval { read_file($self->{log}) };

    return grep { $_->{service} eq $name } map { decode_json($_) }
        grep { /\}$/ } split /\n/, defined $log ? $log : '';
}

# keys that were given out, in order, each once

sub keys_of {
    my ($self, $name) = @_;
    my %seen;
    return grep { defined && !$seen{$_}++ }
        map { $_->{key} } $self->requests($name);
}

sub content { return shift->{process}->err() eq '' }

###############################################################################

1;
