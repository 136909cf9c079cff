#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# Recordings in a store that speaks S3: addresses, credentials, payloads that
# are signed and not, ETags that are sums and not, names that are taken, and
# what fails on the way.  The signatures are verified by another
# implementation, and what is stored is read back by awscli.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;
use Digest::MD5 qw/ md5 md5_hex /;

use lib "$FindBin::Bin/lib";
use LiveRecord;
use LiveRecord::OSS;

###############################################################################

my $work = '/\.part-';
my $name = '/[^./][^/]*\.mp4$';

# kinds of requests

my %put = (method => 'PUT', noheader => 'x-amz-copy-source');
my %ts = (%put, key => '\.ts$');
my %json = (%put, key => '\.json$');
my %day = (%put, key => '^(?!record/).*\.m3u8$');
my %get = (method => 'GET', key => '.');
my %head = (method => 'HEAD');
my %list = (method => 'GET', query => 'list-type');
my %uploads = (method => 'GET', query => '^(?=.*uploads)');
my %initiate = (method => 'POST', query => 'uploads', key => $work);
my %part = (method => 'PUT', query => 'partNumber', key => $work);
my %complete = (method => 'POST', query => 'uploadId', key => $work);
my %abort = (method => 'DELETE', query => 'uploadId');
my %copy = (method => 'PUT', header => 'x-amz-copy-source',
    noheader => 'x-amz-copy-source-range');
my %copy_part = (method => 'PUT', header => 'x-amz-copy-source-range');
my %to_initiate = (%initiate, key => $name);
my %to_complete = (%complete, key => $name);
my %delete = (method => 'DELETE', query => '^$', key => $work);

my @e500 = (fault => 'status', status => 500, code => 'InternalError');
my @slow = (fault => 'status', status => 503, code => 'SlowDown');
my @e403 = (fault => 'status', status => 403, code => 'AccessDenied');
my @too_large = (fault => 'status', status => 400, code => 'InvalidRequest',
    times => 0);
my @unknown = (fault => 'status', status => 501, code => 'NotImplemented',
    header => 'if-none-match', times => 0);

my $direct = 'record/{AppName}/{StreamName}/{EscapedStartTime}';

# playlists: endpoint and style by name, credentials, and faults; asked: what
# the requests are made of

my %lists = (
    path => {},
    host => { endpoint => 'name', style => 'vhost',
        settings => 'path_style off;' },
    tls => { endpoint => 'tls', signed => 0 },
    sts => { credentials => 'key sts.id sts.secret sts/token+x==' },
    ini => { credentials => 'file ini.conf' },
    env => { credentials => 'env' },
    kms => {},
    lock => { log => qr/bucket "lock" wants an MD5/ },
    off => { settings => 'conditional_put off;' },
    fails => { faults => [ { @e500, %ts }, { @slow, %json },
        { fault => 'reset-after-bytes', bytes => 20000, %ts },
        { fault => 'half-reply', %list }, { @slow, %day },
        { fault => '200-error-body', %ts } ],
        log => qr/bucket "fails" fails/ },
    lost => { faults => [ map { { fault => 'lost-reply', %$_ } }
        \%ts, \%json, \%list, \%get, \%day ] },
    etag => { faults => [ map { { fault => 'wrong-crc', %$_ } }
        \%ts, \%json, \%get ],
        log => qr/the ETag of the answer is not that of what was sent/ },
    region => { region => 'eu-west-9',
        log => qr/region of bucket "region" is "us-east-1" and not "eu-/ },
    clock => { faults => [ { fault => 'skew', seconds => 1200,
        times => 0 } ], log => qr/differs from this machine's by/ },
    headclock => { faults => [ { fault => 'skew', seconds => 1200,
        times => 0 } ], settings => 'conditional_put off;',
        log => qr/differs from this machine's by/ },
);

# mp4 files: faults, one after another for requests of a kind; like: what
# was asked for, in order, as asked() tells it

my %files = (
    none => { formats => 'm3u8 mp4 flv',
        like => qr/^I(P[2-9])+P1 C H H H c H D$/ },

    direct => { path => $direct, like => qr/^H i(p[2-9])+p1 m H$/ },

    mtls => { endpoint => 'tls', signed => 0,
        like => qr/^I(P[2-9])+P1 C H H H c H D$/ },

    mlock => { endpoint => 'tls', signed => 0, log => qr/"mlock" wants/,
        like => qr/^I(P[2-9])+P1 C H H H c H D$/ },

    mkms => { like => qr/^I(P[2-9])+P1 C H H H c H D$/ },

    # an ETag of parts that is made in another way
    mdigits => { like => qr/^I(P[2-9])+P1 C H H H c H D$/ },

    moff => { settings => 'conditional_put off;',
        like => qr/^I(P[2-9])+P1( H)? C H H H c H D$/ },

    begin => { faults => [ { @slow, %initiate },
        { fault => 'lost-reply', %initiate }, { @e500, %uploads },
        { @e500, %abort } ] },

    part => { faults => [ { @slow, %part },
        { fault => 'reset-after-bytes', bytes => 50000, %part },
        { fault => 'wrong-crc', %part },
        { fault => 'lost-reply', %part },
        { fault => '200-error-body', %part } ] },

    complete => { faults => [ { @slow, %complete },
        { fault => 'reset-after-bytes', bytes => 0, %complete },
        { fault => '200-error-body', %complete, nth => 2 } ],
        like => qr/C H H H c H D$/ },

    clost => { faults => [ { fault => 'lost-reply', %complete } ],
        like => qr/C C H H H c H D$/ },

    # done, but only a HEAD tells
    clook => { faults => [ { @e500, %head } ],
        like => qr/C H C H H H c H D$/ },

    copy => { faults => [ { @slow, %copy },
        { fault => 'status', status => 200, code => 'InternalError',
            %copy } ], path => 'record/{AppName}/{StreamName}/a b+c&%41/'
            . '{EscapedStartTime}_{EscapedEndTime}' },

    mlost => { faults => [ { fault => 'lost-reply', %copy } ],
        like => qr/C H H H c( c)?( H)+ D$/ },

    # who answers for the store says that there is nothing
    mstrange => { faults => [ { fault => 'status', status => 404, bare => 1,
        %head, nth => 2, times => 2 } ], like => qr/C H H L H L H H c H D$/ },

    mdelete => { faults => [ { @slow, %delete },
        { fault => 'lost-reply', %delete } ] },

    # moved, and nobody was told
    mdgone => { faults => [ { fault => 'stall-answer', %delete } ],
        settings => 'timeout 1s;', like => qr/D H L H$/ },

    mdenied => { faults => [ { @e403, %delete } ], left => 2,
        log => qr/could not be removed: DELETE .* AccessDenied/ },

    large => { faults => [ { @too_large, %copy } ], parts => 1,
        like => qr/c H H L i(p\d)+ m H D$/ },

    # it takes longer than anybody waits, and is told of at its end
    lslow => { faults => [ { fault => 'stall', %copy, times => 0 } ],
        settings => 'timeout 2s;', parts => 1,
        like => qr/C H H H (c H H|H c H|H H c) L i(p\d)+ m H D$/ },

    lfails => { faults => [ { @too_large, %copy }, { @slow, %copy_part },
        { fault => '200-error-body', %copy_part },
        { fault => 'lost-reply', %to_initiate },
        { fault => 'lost-reply', %to_complete } ], parts => 1 },

    # S3 does not know of the upload any more
    cgone => { faults => [ { fault => 'abort-upload', %complete } ],
        lost => 1, log => qr/loses what was sent of .* NoSuchUpload/ },
);

my @lists = sort keys %lists;
my @files = sort keys %files;
my @others = qw/ taken mtaken moftaken other unknown /;

my %settings = (
    moftaken => 'conditional_put off;',
    unknown => '',
);

###############################################################################

my $t = LiveRecord->new();
my $dir = $t->dir();

my @kms = map { ('--kms', $_) } qw/ kms mkms /;
my @heedless = map { ('--unconditional', $_) } qw/ off moff moftaken /;

my $s3 = LiveRecord::OSS->new($t, s3 => 1, https => 1,
    args => [ @kms, '--digits', 'mdigits',
        map({ ('--lock', $_) } qw/ lock mlock /), @heedless ],
    keys => [ 'the.id:the.secret', 'sts.id:sts.secret:sts/token+x==',
        'ini.id:ini.secret', 'env.id:env.secret:env.token' ]);

my %endpoints = (
    path => 'http://127.0.0.1:' . $s3->port(),
    name => 'http://localhost:' . $s3->port(),
    tls => 'https://127.0.0.1:' . $s3->https_port(),
);

$t->write_conf(conf());

write_file("$dir/ini.conf", <<'EOF_INI');
[other]
aws_access_key_id = other.id
aws_secret_access_key = other.secret

[default]
region = us-east-1
aws_access_key_id = ini.id
aws_secret_access_key = ini.secret
EOF_INI

my $short = media('short');
my @video = frames($short, 'v');
my @audio = packets($short, 'a');

# light to decode, but with fragments that are large enough for parts
my $media = media('s3-parts', seconds => 32, size => '160x90', fps => 10,
    bitrate => '4M', x264 => 'nal-hrd=cbr');

$t->allow(qr/mdenied.* could not be removed/,
    qr/cgone.* loses what was sent/, qr/bucket "unknown" refuses/,
    qr/other.* waits in the spool: there is another object/);

$t->start(env => { AWS_ACCESS_KEY_ID => 'env.id',
    AWS_SECRET_ACCESS_KEY => 'env.secret',
    AWS_SESSION_TOKEN => 'env.token' });

$s3->faults(map { my $case = $_;
    map { { %$_, bucket => $case } }
        @{($lists{$case} || $files{$case})->{faults} || []} }
    @lists, @files);

###############################################################################

my @pubs = map { $t->start_publish($short, app => $_, speed => 10) } @lists;
is((grep { $_->wait(120) != 0 } @pubs), 0, 'published playlists');

for my $case (@lists) {
    my $c = $lists{$case};

    subtest $case => sub {
        $t->bucket($s3->bucket($case));

        my @cycles = $t->wait_recorded(1, app => $case, name => 'test',
            seconds => 90);
        my @days = $t->days('test', $case);

        is(scalar @days, 1, 'the index of the day');
        playlist_ok($_, 'playlist') for @cycles, @days;
        same_frames([ frames($cycles[0], 'v') ], \@video, 'video');
        same_frames([ packets($cycles[0], 'a') ], \@audio, 'audio');

        asked_well($case, $c);
        marked($case, grep { /\.ts$/ } files_in($s3->bucket($case)));
    };
}

###############################################################################

# not all at once: two cores have to do it all

my @queue = @files;

while (my @some = splice @queue, 0, 6) {
    @pubs = map { $t->start_publish($media, app => $_, speed => 8) } @some;
    is((grep { $_->wait(120) != 0 } @pubs), 0, "published @some");
}

for my $case (@files) {
    my $c = $files{$case};

    subtest $case => sub {
        stored($case);

        my @mp4 = mp4s($case);
        my @left = grep { m!$work! } files_in($s3->bucket($case));
        my $asked = asked($case);

        note("$case: $asked");

        if ($c->{lost}) {
            cmp_ok(scalar @mp4, '<=', 1, 'no more than one');

        } else {
            is(scalar @mp4, 1, 'one file');
            whole($mp4[0], $media, 'the file') if @mp4;
        }

        if (($c->{formats} || '') =~ /flv/) {
            my ($flv) = grep { m!/[^./]+\.flv$! }
                map { $s3->bucket($case) . "/$_" }
                files_in($s3->bucket($case));

            whole($flv, $media, 'the flv file');
        }

        is(scalar @left, $c->{left} ? 1 : 0, 'what is left');
        is(join(' ', $s3->uploads($case)), '', 'no upload is open');

        like($asked, $c->{like}, 'what was asked for') if $c->{like};
        like($asked, qr/p2/, 'copied in parts') if $c->{parts};

        asked_well($case, $c);

        if (@mp4 && !$c->{lost}) {
            my ($o) = grep { $_->{Key} =~ /$name/ }
                $s3->aws_list($case, 'the.id:the.secret');
            my $out = decode_json($s3->aws('the.id:the.secret', 's3api',
                'head-object', '--bucket', $case, '--key', $o->{Key}));

            is($out->{ContentLength}, -s $mp4[0], 'its length');
            is($out->{ContentType}, 'video/mp4', 'its type');
            like($out->{Metadata}{'live-record-id'}, qr/^\d{8}-/, 'its id');
        }
    };
}

###############################################################################

subtest 'awscli reads what was written' => sub {
    for my $case (qw/ path none direct /) {
        my $copy = "$dir/copy-$case";
        my %md5;

        $s3->aws('the.id:the.secret', 's3', 'sync', '--quiet', "s3://$case",
            $copy);

        my @objects = $s3->aws_list($case, 'the.id:the.secret');

        is(join(' ', map { $_->{Key} } @objects), join(' ', sort
            (files_in($s3->bucket($case)))), "$case: lists " . @objects);
        is(join(' ', files_in($copy)), join(' ',
            files_in($s3->bucket($case))), "$case: reads them");

        for (@objects) {
            my $data = read_file("$copy/$_->{Key}");
            my ($sum, $parts) = $_->{ETag} =~ /^"([0-9a-f]{32})(-\d+)?"$/;

            $md5{other}++ if $_->{Size} != length $data
                || (!$parts && $sum ne md5_hex($data));
        }

        is($md5{other} || 0, 0, "$case: sizes and MD5");
    }
};

###############################################################################

# other objects have all of its names: with a store that refuses to overwrite
# them, and one that does not

for my $case (qw/ mtaken moftaken /) {
    subtest "$case: names that are taken" => sub {
        my %foreign = take($case, 'mp4');

        is($t->publish($media, app => $case, speed => 8), 0, 'published');
        stored($case);

        my @changed = grep { read_file($_) ne $foreign{$_} } keys %foreign;
        is(scalar @changed, 0, 'what was there is as it was');

        my @ours = grep { !$foreign{$_} } mp4s($case);
        is(scalar @ours, 1, 'one file');
        like($ours[0], qr/-1\.mp4$/, 'under another name');
        whole($ours[0], $media, 'the file');
        is(scalar $t->log(qr/$case\/.* another name is taken/), 1,
            'the log tells');
    };
}

subtest 'names of playlists that are taken' => sub {
    my %foreign = take('taken', 'm3u8');

    is($t->publish($short, app => 'taken', speed => 10), 0, 'published');
    stored('taken');

    my @changed = grep { read_file($_) ne $foreign{$_} } keys %foreign;
    is(scalar @changed, 0, 'what was there is as it was');

    my @refused = grep { ($_->{code} || '') eq 'PreconditionFailed' }
        $s3->requests('taken');
    cmp_ok(scalar @refused, '>=', 1, 'the store has refused');
};

# what is under the key when an upload is completed

subtest 'an object that came before the end of an upload' => sub {
    $s3->faults({ @slow, %to_complete, bucket => 'other', times => 0 });

    is($t->publish($media, app => 'other', speed => 8), 0, 'published');
    wait_for(sub { ($s3->seen('other'))[0] }, 30, 'an attempt');

    my ($key) = $s3->uploads('other');
    my $file = $s3->bucket('other') . "/$key";
    my ($folder) = $file =~ m!^(.*)/!;

    system('mkdir', '-p', $folder) == 0 or die;
    write_file($file, 'not ours');

    $s3->faults();

    wait_for(sub { $t->log(qr/other.* there is another object/) }, 90,
        'the log to tell');
    is(read_file($file), 'not ours', 'is left alone');
    unlink $file;

    stored('other');
    whole((mp4s('other'))[0], $media, 'the file');
    is(join(' ', $s3->uploads('other')), '', 'no upload is open');
};

# a store that does not know the condition: the admin is told of the setting

subtest 'a store without conditions' => sub {
    $s3->faults({ @unknown, bucket => 'unknown' });

    is($t->publish($short, app => 'unknown', speed => 10), 0, 'published');
    wait_for(sub { grep { /NotImplemented.*"conditional_put off"/ }
        $t->log(qr/bucket "unknown" refuses/) }, 30, 'the log to tell');

    $settings{unknown} = 'conditional_put off;';
    $t->write_conf(conf());
    $t->reload();

    stored('unknown');
};

###############################################################################

my $log = $t->log();
my @told = grep { index($log, $_) != -1 } map { ("$_.secret", "$_.token") }
    qw/ the sts ini env other /;

is(join(' ', @told), '', 'no secrets in the log');
unlike($log, qr!sts/token!, 'no token in the log');

$s3->check('PreconditionFailed', 'RequestTimeTooSkewed',
    'AuthorizationHeaderMalformed');

# those that verify are no yes-men

for (map { [ split ] } 'the.id:wrong SignatureDoesNotMatch',
    'no.id:the.secret InvalidAccessKeyId', 'sts.id:sts.secret InvalidToken')
{
    my ($key, $code) = @$_;
    ok(!eval { $s3->aws_list('path', $key); 1 }, "$key is refused");
    like($@, qr/\($code\)/, "... with $code");
}

$t->done();

###############################################################################

sub conf {
    my @all = (@lists, @files, @others);

    my $blocks = join '', map {
        my $c = $lists{$_} || $files{$_} || {};
        my $endpoint = $endpoints{$c->{endpoint} || 'path'};
        my $ca = $endpoint =~ /^https/ ? 'ca_file ' . $s3->ca() . ';' : '';
        my $settings = $c->{settings} || $settings{$_} || '';
        my $region = $c->{region} || 'us-east-1';
        my $credentials = $c->{credentials} || 'key the.id the.secret';

        "    live_record_bucket $_ { type s3; bucket $_; region $region;\n"
            . "        endpoint $endpoint; credentials $credentials;\n"
            . "        $ca $settings }\n"
    } @all;

    my $applications = join '', map {
        my $c = $files{$_} || {};
        my $formats = $c->{formats}
            || ($files{$_} || /^(?:mtaken|moftaken|other)$/ ? 'mp4' : 'm3u8');
        my $p = $c->{path} || ($_ eq 'other' ? $direct
            : 'record/{AppName}/{StreamName}/'
                . '{EscapedStartTime}_{EscapedEndTime}');

        "        application $_ { live on; live_record * {\n"
            . "            bucket $_; fragment 5s; grace 1s;"
            . " format $formats;\n            path \"$p\"; } }\n"
    } @all;

    return <<"EOF_CONF";
%%GLOBALS%%

worker_processes 1;

events {
    worker_connections 256;
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

# how a bucket was asked: style, signature, conditions, faults

sub asked_well {
    my ($case, $c) = @_;
    my @r = $s3->requests($case);
    my $style = $c->{style} || 'path';
    my $sig = defined $c->{signed} && !$c->{signed} ? 's3+ok'
        : 's3+ok+signed';

    is((grep { $_->{style} ne $style } @r), 0, "$style style");
    is((grep { $_->{signature} ne $sig && !$_->{fault}
        && ($_->{code} || '') !~ /^RequestTimeT|^AuthorizationH/ } @r), 0,
        $sig);

    my @heeded = grep { $_->{oss} && $_->{oss}{'x-oss-if-none-match'} } @r;

    # what has a working name is sure to be ours

    if (($c->{settings} || '') =~ /conditional_put off/) {
        is(scalar @heeded, 0, 'no conditions');

    } elsif ($lists{$case} || $c->{formats} || $c->{parts}
        || ($c->{path} || '') eq $direct)
    {
        cmp_ok(scalar @heeded, '>=', 1, 'conditions');
    }

    is((grep { !$_ && !($c->{faults}[0]{times}) } $s3->seen($case)), 0,
        'each fault was met');

    ok(scalar $t->log($c->{log}), 'the log tells') if $c->{log};

    my @down = $t->log(qr/bucket "$case" (?:fails|refuses)/);
    my @up = $t->log(qr/bucket "$case" works again/);

    is(scalar @up, $c->{lost} && @up < @down ? scalar @up : scalar @down,
        'works again');
}

# objects carry the id of their recording

sub marked {
    my ($case, @keys) = @_;

    my ($r) = grep { $_->{method} eq 'PUT' && $_->{key} eq $keys[0] }
        $s3->requests($case);

    like($r->{oss}{'x-oss-meta-live-record-id'}, qr/^\d{8}-\d{6}-/,
        'its id');
}

sub take {
    my ($case, $ext) = @_;
    my $now = time();
    my $folder = $s3->bucket($case) . "/record/$case/test";
    my %foreign;

    system('mkdir', '-p', $folder) == 0 or die;

    for my $start ($now .. $now + 30) {
        for my $long (8 .. 12, 28 .. 34) {
            my $file = "$folder/" . join('_', map {
                my @d = gmtime $_;
                sprintf '%04d-%02d-%02d-%02d-%02d-%02d', $d[5] + 1900,
                    $d[4] + 1, @d[3, 2, 1, 0]
            } $start, $start + $long) . ".$ext";

            write_file($file, "not ours $start $long");
            $foreign{$file} = "not ours $start $long";
        }
    }

    return %foreign;
}

sub stored {
    my ($case) = @_;

    wait_for(sub { !$t->spooled('test', $case) }, 90,
        "all of $case to be stored");
}

sub mp4s {
    my ($case) = @_;
    my $bucket = $s3->bucket($case) . "/record/$case/test";

    return map { "$bucket/$_" } grep { "/$_" =~ m!$name! }
        files_in($bucket);
}

# the requests for mp4 files, a letter for each

sub asked {
    my ($case) = @_;
    my $text = '';

    for ($s3->requests($case)) {
        my $to = ($_->{key} || '') =~ /$name/;
        my $q = $_->{query} || '';
        my ($n) = $q =~ /partNumber=(\d+)/;

        next if ($_->{key} || '') =~ /\.(?:json|m3u8|ts|flv)$/;
        next if ($_->{key} || '') =~ /flv[^\/]*$/;
        next if $q =~ /list-type/;

        $text .= $_->{method} eq 'HEAD' ? ' H'
            : $_->{method} eq 'GET' ? ' L'
            : $_->{method} eq 'DELETE' ? $q =~ /uploadId/ ? ' A' : ' D'
            : $_->{method} eq 'POST' ? $q =~ /uploadId/ ? $to ? ' m' : ' C'
                : $to ? ' i' : ' I'
            : $n ? $to ? "p$n" : "P$n" : ' c';
    }

    return $text =~ s/^ //r;
}

###############################################################################
