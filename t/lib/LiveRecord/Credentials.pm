package LiveRecord::Credentials;

# Copyright (C) the ngx_live_record authors

# Buckets whose keys are given by roles and by files: for each a bucket of
# OSS or S3 with fragments of 5 seconds, and an application of its name.
#
#     my $b = LiveRecord::Credentials->new($t,
#         keys => [ { id => 'old.id', secret => 'old.secret' } ],
#         roles => { one => { service => { ttl => 10, renew => 4 } },
#             two => { service => { kind => 'aws', role => 'mine' },
#                 credentials => 'ecs_role mine' } },
#         files => { three => 'file three.key' });
#
#     $b->write_conf();
#     $b->publish('one', $file, 'name');
#     $b->all_of('one', $file, 'name');
#
# Keys are those that OSS knows from the start; a service is as of
# LiveRecord::Metadata; of kind "aws" the bucket is one of S3.

###############################################################################

use warnings;
use strict;

use Test::More;

use LiveRecord;
use LiveRecord::Metadata;
use LiveRecord::OSS;

###############################################################################

sub new {
    my ($class, $t, %opt) = @_;
    my $self = bless { t => $t, roles => {}, files => {}, keys => [], %opt },
        $class;

    my @nobody = 'nobody:nothing';
    my @keys = map { "$_->{id}:$_->{secret}" } @{$self->{keys}};

    $self->{oss} = LiveRecord::OSS->new($t, keys => [ @keys ? @keys
        : @nobody ]);
    $self->{s3} = LiveRecord::OSS->new($t, s3 => 1, name => 's3',
        keys => \@nobody);

    my $roles = $self->{roles};

    $self->{metadata} = LiveRecord::Metadata->new($t, map { $_ => {
        store => $self->store($_)->control_url(), %{$roles->{$_}{service}}
    } } keys %$roles);

    return $self;
}

sub metadata { return $_[0]{metadata} }
sub oss { return $_[0]{oss} }
sub s3 { return $_[0]{s3} }

# the store of a bucket

sub store {
    my ($self, $name) = @_;
    my $service = ($self->{roles}{$name} || {})->{service} || {};

    return $self->{($service->{kind} || 'ecs') eq 'aws' ? 's3' : 'oss'};
}

# a file that the workers can read, who are another user, and nobody else

sub key_file {
    my ($self, $name, @lines) = @_;
    my $file = $self->{t}->dir() . "/$name";

    write_file($file, join '', map { "$_\n" } @lines);
    chmod 0600, $file;
    chown scalar(getpwnam 'www-data'), -1, $file if $> == 0;
}

sub write_conf {
    my ($self) = @_;
    my ($blocks, $applications) = ('', '');
    my ($roles, $files) = @$self{qw/ roles files /};

    for my $name (sort(keys %$roles), sort keys %$files) {
        my $role = $roles->{$name};
        my $store = $self->store($name);
        my ($type, $region) = $store == $self->{s3} ? ('s3', 'us-east-1')
            : ('oss', 'cn-hangzhou');
        my $credentials = $files->{$name} || $role->{credentials}
            || 'ecs_role';

        $credentials .= '; metadata_endpoint http://127.0.0.1:'
            . $self->{metadata}->port($name) if $role;

        $blocks .= "    live_record_bucket $name { type $type;"
            . " bucket $name; region $region;\n        endpoint"
            . ' http://127.0.0.1:' . $store->port()
            . "; credentials $credentials; }\n";

        $applications .= "        application $name { live on;"
            . " live_record * {\n            bucket $name; fragment 5s;"
            . " grace 1s; } }\n";
    }

    $self->{t}->write_conf(<<"EOF_CONF");
%%GLOBALS%%

worker_processes 1;

events {
    worker_connections 512;
}

rtmp {
    live_record_spool %%TESTDIR%%/spool;

$blocks
    server {
        listen 127.0.0.1:%%PORT%%;

$applications
    }
}
EOF_CONF
}

sub publish {
    my ($self, $app, $file, $name) = @_;

    return $self->{t}->publish($file, app => $app, name => $name, speed => 8);
}

# one recording, and the day of it

sub all_of {
    my ($self, $app, $file, $name) = @_;
    my $t = $self->{t};

    $name = 'test' unless defined $name;
    $t->bucket($self->store($app)->bucket($app));

    my @cycles = $t->wait_recorded(1, app => $app, name => $name,
        seconds => 60);
    my @days = $t->days($name, $app);

    is(scalar @cycles, 1, 'a cycle');
    is(scalar @days, 1, 'a day');

    playlist_ok($_) for @cycles, @days;
    is(join(' ', names_of($days[0])), join(' ', names_of($cycles[0])),
        'the same fragments');

    $self->{$file} ||= { video => [ frames($file, 'v') ],
        audio => [ packets($file, 'a') ] };

    same_frames([ frames($days[0], 'v') ], $self->{$file}{video}, 'video');
    same_frames([ packets($days[0], 'a') ], $self->{$file}{audio},
        'audio packets');
}

sub names_of {
    my ($list) = @_;
    return map { s!.*/!!r } segments_of($list);
}

# no key that there was is in the log; so many of them there were at least

sub no_secrets {
    my ($self, $least, @more) = @_;
    my $log = $self->{t}->log();
    my @secrets = (@more, map { $_->{secret} } @{$self->{keys}});

    push @secrets, grep { defined } map {
        @{$self->{metadata}->get($_)->{key} || {}}{qw/ secret token /}
    } keys %{$self->{roles}};

    cmp_ok(scalar @secrets, '>=', $least, 'there are secrets');
    is((grep { index($log, $_) != -1 } @secrets), 0, 'none in the log');
}

1;
