package LiveRecord::API;

# Copyright (C) the ngx_live_record authors

# Calls of the control API, by Alibaba's clients and by hand; what a call is
# and what comes of it is said in api-calls.mjs.
#
#     my $api = LiveRecord::API->new($t, endpoint => 'http://127.0.0.1:80',
#         id => 'testid', secret => 'testsecret', client => 'pop');
#
#     my ($a, $b) = $api->calls({ action => 'X', params => { A => 1 } },
#         { client => 'openapi', ... });

###############################################################################

use warnings;
use strict;

use FindBin;

use LiveRecord;

my $calls = "$FindBin::Bin/lib/api-calls.mjs";
my $n = 0;

# what all calls have, unless they say otherwise

sub new {
    my ($class, $t, %call) = @_;
    return bless { t => $t, call => \%call }, $class;
}

# one after another

sub calls {
    my ($self, @calls) = @_;
    return $self->end($self->start(@calls));
}

# the same beside what a test does; gives a process, which end() wants

sub start {
    my ($self, @calls) = @_;
    my $file = $self->{t}->dir() . "/calls." . ++$n;

    write_file($file,
        encode_json([ map { { %{$self->{call}}, %$_ } } @calls ]));

    return $self->{t}->run('sh', '-c', 'exec node "$0" <"$1"', $calls,
        $file);
}

sub end {
    my ($self, $p) = @_;

    $p->wait(120) == 0 or die 'api-calls.mjs: ', $p->err(), "\n";

    return @{decode_json($p->out())};
}

###############################################################################

1;
