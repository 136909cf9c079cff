package LiveRecord::Range;

# Copyright (C) the ngx_live_record authors

# Indexes of ranges of time through the API, with Alibaba's own client.
#
#     my $api = LiveRecord::Range->new($t, AppName => 'live', ...);
#     my $answer = $api->create(StartTime => time() - 60, ...);
#
# Times are given in seconds since 1970; a parameter that is undef is left
# out.

###############################################################################

use warnings;
use strict;

use Digest::SHA qw/ hmac_sha1_base64 /;
use File::Path qw/ make_path /;
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use POSIX qw/ strftime /;
use Time::Local qw/ timegm /;

use base qw/ Exporter /;
our @EXPORT = qw/ iso seconds /;

use LiveRecord;
use LiveRecord::API;

###############################################################################

# an nginx whose API is at port HTTP, and parameters of every call

sub new {
    my ($class, $t, %params) = @_;

    my $api = LiveRecord::API->new($t, client => 'pop', id => 'testid',
        secret => 'testsecret',
        endpoint => 'http://127.0.0.1:' . $t->port('HTTP'));

    return bless { t => $t, api => $api, params => \%params }, $class;
}

sub params { return %{$_[0]{params}} }

sub iso { return strftime('%Y-%m-%dT%H:%M:%SZ', gmtime($_[0])) }

sub seconds {
    my ($y, $m, $d, @hms) = $_[0] =~ /(\d+)/g;
    return timegm(reverse(@hms), $d, $m - 1, $y);
}

# { code, body, text, ms } of each of a list of actions and parameters

sub calls {
    my ($self, @list) = @_;

    return $self->{api}->calls(map {
        my ($action, %params) = @$_;
        { action => $action, params => { $self->complete(%params) } }
    } @list);
}

sub complete {
    my ($self, %params) = @_;

    %params = ($self->params(), %params);

    for my $name (qw/ StartTime EndTime /) {
        $params{$name} = iso($params{$name})
            if ($params{$name} || '') =~ /^\d+$/;
    }

    delete @params{grep { !defined $params{$_} } keys %params};

    return %params;
}

# begins to make an index, and gives the connection

sub begin {
    my ($self, %params) = @_;
    my $encode = sub {
        return $_[0] =~ s/([^A-Za-z0-9_.~-])/sprintf '%%%02X', ord $1/ger;
    };

    %params = (
        Action => 'CreateLiveStreamRecordIndexFiles', Format => 'JSON',
        Version => '2016-11-01', AccessKeyId => 'testid',
        SignatureMethod => 'HMAC-SHA1', SignatureVersion => '1.0',
        SignatureNonce => rand(), Timestamp => iso(time()),
        $self->complete(%params),
    );

    my $query = join '&', map { $encode->($_) . '=' . $encode->($params{$_}) }
        sort keys %params;

    my $signature = hmac_sha1_base64('GET&%2F&' . $encode->($query),
        'testsecret&') . '=';

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1:'
        . $self->{t}->port('HTTP'), Proto => 'tcp') or die "connect: $!\n";

    print $s "GET /?$query&Signature=" . $encode->($signature)
        . " HTTP/1.0\r\nHost: localhost\r\n\r\n";
    $s->flush();

    return $s;
}

# the first line of the answer, if it comes within some seconds; otherwise
# the caller has gone

sub leave {
    my ($self, $after, @call) = @_;

    my $s = ref $call[0] ? $call[0] : $self->begin(@call);
    my $answered = IO::Select->new($s)->can_read($after);
    my $line = $answered ? <$s> : '';

    close $s;

    return $line;
}

sub call {
    my ($self, @call) = @_;
    return ($self->calls([ @call ]))[0];
}

sub create {
    my ($self, %params) = @_;
    return $self->call('CreateLiveStreamRecordIndexFiles', %params);
}

sub create_all {
    my ($self, @list) = @_;
    return $self->calls(map { [ 'CreateLiveStreamRecordIndexFiles', %$_ ] }
        @list);
}

# calls to create indexes of [ name, start, end ], each of them with every
# EndTimeIncluded that there is

sub wanted {
    my ($self, @ranges) = @_;

    return map {
        my ($name, $start, $end) = @$_;

        map { { StartTime => $start, EndTime => $end,
            OssObject => "r/$name$_.m3u8",
            EndTimeIncluded => { '' => undef, 1 => 'true',
                0 => 'false' }->{$_} } } '', 1, 0;
    } @ranges;
}

sub indexes {
    my ($self, %params) = @_;
    my $r = $self->call('DescribeLiveStreamRecordIndexFiles', %params);

    die "$r->{text}\n" if $r->{code};

    return @{$r->{body}{RecordIndexInfoList}{RecordIndexInfo}};
}

# all fragments that the manifests of a stream tell of, in order

sub fragments {
    my ($self, $t, @stream) = @_;
    my @parts = map { decode_json(read_file($_)) } $t->manifests(@stream);

    return map { my $m = $_; map { { %$_, id => $m->{id} } }
            grep { defined $_->{key} } @{$m->{fragments}} }
        sort { $a->{started} <=> $b->{started} || $a->{part} <=> $b->{part} }
        @parts;
}

# puts one part of a manifest into the directory of a bucket

sub manifest {
    my ($self, $bucket, $app, $stream, $id, $part, $started, @fragments) = @_;
    my $dir = "$bucket/.live_record/$app/$stream";

    make_path($dir);

    my $m = {
        version => 1, id => $id, part => $part, app => $app,
        domain => $self->{params}{DomainName}, stream => $stream,
        started => 1000 * $started, closed => JSON::PP::true, spans => [],
        files => [],
        fragments => [ map { my $f = $_; {
            independent => JSON::PP::true, discontinuity => JSON::PP::false,
            media => $f->{wall} - 1000 * $started, bytes => 1, cycle => 0,
            map { ($_ => $f->{$_}) } grep { $_ ne 'id' } keys %$f
        } } @fragments ],
    };

    write_file(sprintf('%s/%s_%s_%05d.json', $dir, strftime('%Y%m%dT%H%M%SZ',
        gmtime(int($fragments[0]{wall} / 1000))), $id, $part),
        encode_json($m));
}

1;
