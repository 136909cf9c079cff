#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# An mp4 that is sent in parts while it is recorded, completed, copied to its
# name and deleted under the old one: whatever fails on the way, in the end
# it is in the store once, whole, and no upload is open.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;

use lib "$FindBin::Bin/lib";
use LiveRecord;
use LiveRecord::OSS;

###############################################################################

# what the store does, by the kind of request

my $work = '/\.part-';
my $name = '/[^./][^/]*\.mp4$';

my %list = (method => 'GET', query => '^(?=.*uploads)');
my %initiate = (method => 'POST', query => 'uploads', key => $work);
my %part = (method => 'PUT', query => 'partNumber');
my %complete = (method => 'POST', query => 'uploadId', key => $work);
my %abort = (method => 'DELETE', query => 'uploadId');
my %copy = (method => 'PUT', header => 'x-oss-copy-source',
    noheader => 'x-oss-copy-source-range');
my %copy_part = (method => 'PUT', header => 'x-oss-copy-source-range');
my %to_initiate = (%initiate, key => $name);
my %to_complete = (%complete, key => $name);
my %delete = (method => 'DELETE', query => '^$', key => $work);
my %head = (method => 'HEAD');

my @e500 = (fault => 'status', status => 500, code => 'InternalError');
my @e403 = (fault => 'status', status => 403, code => 'AccessDenied');
my @bare404 = (fault => 'status', status => 404, bare => 1);
my @too_large = (fault => 'status', status => 400, code => 'EntityTooLarge',
    times => 0);

# an error in an answer of 200, before anything is done
my @said200 = (fault => 'status', status => 200, code => 'InternalError');

my $direct = 'record/{AppName}/{StreamName}/{EscapedStartTime}';

# faults: one after another for requests of a kind, not too many, as each is
# waited for twice as long; like: what was asked for,
# in order; log: what is told; left: what is in the bucket besides

my %cases = (
    none => { like => qr/^I(P[2-9])+P1 C c D$/ },

    direct => { path => $direct,
        like => qr/^i(p[2-9])+p1 m$/ },

    vhostone => { like => qr/^I(P[2-9])+P1 C c D$/,
        settings => 'signature v1; path_style off;', host => 'localhost' },

    # what the lost one has begun is found and aborted
    begin => { faults => [ { @e500, %initiate },
        { fault => 'lost-reply', %initiate },
        { fault => 'half-reply', %initiate },
        { fault => '200-error-body', %initiate } ] },

    sweep => { faults => [ { fault => 'lost-reply', %initiate },
        { @e500, %list }, { fault => 'half-reply', %list },
        { @e500, %abort }, { fault => 'lost-reply', %abort } ] },

    # no listing is gone, whatever answers
    suploads => { worse => 1, faults => [ { fault => 'lost-reply', %initiate },
        { @bare404, %list } ],
        log => qr/bucket "suploads" refuses .*: LIST UPLOADS .* 404/ },

    sparts => { worse => 1, path => $direct, faults => [
        { fault => 'lost-reply', %to_initiate },
        { @bare404, method => 'GET', query => 'max-parts' } ],
        log => qr/bucket "sparts" refuses .*: LIST PARTS .* 404/ },

    beginone => { faults => [ { fault => 'lost-reply', %initiate } ],
        settings => 'signature v1;', like => qr/^I L A L I(P[2-9])+P1 C c D$/
    },

    part => { faults => [ { @e500, %part },
        { fault => 'reset-after-bytes', bytes => 50000, %part },
        { fault => 'wrong-crc', %part } ] },

    panswer => { faults => [ { fault => 'lost-reply', %part },
        { fault => 'half-reply', %part },
        { fault => '200-error-body', %part }, { fault => '203', %part } ] },

    slow => { faults => [ { fault => 'stall', %part },
        { fault => 'stall-answer', %part },
        { fault => 'stall-answer', %complete } ],
        settings => 'timeout 1s;' },

    complete => { faults => [ { @e500, %complete },
        { @said200, %complete },
        { fault => 'reset-after-bytes', bytes => 0, %complete },
        { fault => 'status', status => 409, code => 'FileAlreadyExists',
            %complete } ], like => qr/H C c D$/ },

    clost => { faults => [ { fault => 'lost-reply', %complete } ],
        like => qr/C C H c D$/ },

    chalf => { faults => [ { fault => 'half-reply', %complete },
        { @e500, %head } ], like => qr/C C H C H c D$/ },

    # who answers does not know, or says what cannot be: nothing is lost by it
    cstrange => { faults => [ { fault => 'lost-reply', %complete },
        { fault => 'stranger', %head }, { fault => 'no-length', %head },
        { fault => 'zero-length', %head } ],
        like => qr/C C H C H C H C H c D$/,
        log => qr/HEAD .*: the answer has no CRC-64/ },

    cstray => { faults => [ { fault => 'lost-reply', %complete },
        { @bare404, %head, times => 2 }, { @bare404, method => 'GET',
            key => $work } ], like => qr/C C H L C H L C H c D$/,
        log => qr/bucket "cstray" refuses .*: GET .* 404/ },

    # Debian's libcurl takes such a line for one of the answer before
    cfolded => { faults => [ { fault => 'wrong-crc', %complete },
        { fault => 'folded', %head } ], like => qr/C H C H c D$/ },

    cerror => { faults => [ { fault => '200-error-body', %complete } ],
        like => qr/C C H c D$/ },

    ccrc => { faults => [ { fault => 'wrong-crc', %complete } ],
        like => qr/C H c D$/ },

    copy => { faults => [ { @e500, %copy }, { @said200, %copy },
        { fault => 'reset-after-bytes', bytes => 0, %copy } ],
        path => 'record/{AppName}/{StreamName}/a b+c&%41/'
            . '{EscapedStartTime}_{EscapedEndTime}' },

    mlost => { faults => [ { fault => 'lost-reply', %copy } ],
        like => qr/C c c H D$/ },

    merror => { faults => [ { fault => '200-error-body', %copy },
        { fault => 'half-reply', %head } ] },

    # it is looked at where it came from, and where it is
    mcrc => { faults => [ { fault => 'wrong-crc', %copy } ],
        like => qr/C c H H D$/ },

    # what was copied is wrong: it stays, and another name is taken
    mbad => { faults => [ { fault => 'wrong-crc', %copy },
        { fault => 'wrong-crc', %head, key => $name } ], files => 2,
        like => qr/C c H H c D$/, log => qr/another name is taken/ },

    # copies need not have a CRC-64
    msumless => { like => qr/C c H H D$/ },
    mslost => { faults => [ { fault => 'lost-reply', %copy } ],
        like => qr/C c c H D$/ },

    mdenied => { faults => [ { @e403, %copy, times => 0 } ],
        left => 1, log => qr/the copy is not allowed: COPY .* AccessDenied/ },

    delete => { faults => [ { @e500, %delete } ], like => qr/c D c H D$/ },

    # requests are told at their ends, and that of the half reply may be late
    dhalf => { faults => [ { fault => 'half-reply', %delete } ],
        like => qr/c(?=.* D)(?=.* c).* H/ },

    ddenied => { faults => [ { @e403, %delete } ], left => 2,
        log => qr/could not be removed: DELETE .* AccessDenied/ },

    large => { faults => [ { @too_large, %copy } ],
        like => qr/C c H L i(p\d)+ m D$/, parts => 1 },

    # it takes longer than anybody waits, and is told of at its end
    lslow => { faults => [ { fault => 'stall', %copy, times => 0 } ],
        settings => 'timeout 2s;', like => qr/C (c H|H c) L i(p\d)+ m D$/,
        parts => 1 },

    lfails => { faults => [ { @too_large, %copy }, { @e500, %copy_part },
        { fault => 'reset-after-bytes', bytes => 0, %copy_part },
        { fault => '200-error-body', %copy_part } ], parts => 1,
        settings => 'signature v1;' },

    lsumless => { faults => [ { @too_large, %copy } ], parts => 1,
        like => qr/C c H L i(p\d)+ m H D$/ },

    lgone => { faults => [ { @too_large, %copy },
        { fault => 'abort-upload', %copy_part },
        { fault => 'half-reply', %copy_part } ], parts => 1 },

    # what was begun is found again, or was given up
    lbegin => { faults => [ { @too_large, %copy },
        { fault => 'lost-reply', %to_initiate },
        { fault => 'half-reply', %to_initiate }, { @e500, %list } ],
        parts => 1 },

    labort => { faults => [ { @too_large, %copy }, { @e500, %copy_part },
        { @e500, %abort } ], parts => 1 },

    llost => { faults => [ { @too_large, %copy },
        { fault => 'lost-reply', %to_complete } ], parts => 1,
        like => qr/ m A? ?.*i H D$/ },

    lcrc => { faults => [ { @too_large, %copy },
        { @said200, %to_complete },
        { fault => 'wrong-crc', %to_complete, nth => 1 } ], parts => 1,
        like => qr/ m H D$/ },

    # the second PART, which is part 3
    pgone => { faults => [ { fault => 'abort-upload', %part, nth => 2 } ],
        lost => 1, log => qr/loses what was sent of .* NoSuchUpload/ },

    cgone => { faults => [ { fault => 'abort-upload', %complete } ],
        lost => 1, log => qr/loses what was sent of .* NoSuchUpload/ },

    cbad => { faults => [ { fault => 'wrong-crc', %complete },
        { fault => 'wrong-crc', %head } ], lost => 1, left => 1,
        log => qr/loses what was sent of .* is not what was sent/ },
);

my @cases = sort keys %cases;
my @others = qw/ same other taken killed /;

# requests that are done but not answered when a worker goes away

my %steps = (
    sbegin => [ { %initiate } ],
    slist => [ { %initiate, fault => 'lost-reply' }, { %list } ],
    sabort => [ { %initiate, fault => 'lost-reply' }, { %abort } ],
    spart => [ { %part, nth => 2 } ],
    scomplete => [ { %complete } ],
    slook => [ { %complete, fault => 'lost-reply' }, { %head } ],
    scopy => [ { %copy } ],
    sdelete => [ { %delete } ],
    ssecond => [ { @too_large, %copy }, { %copy_part, nth => 2 } ],
    smake => [ { @too_large, %copy }, { %to_complete } ],
);

###############################################################################

my $t = LiveRecord->new();
my $dir = $t->dir();

my $oss = LiveRecord::OSS->new($t, keys => [ 'the.id:the.secret' ],
    args => [ map { ('--sumless', $_) } qw/ msumless mslost lsumless / ]);

my $path = 'record/{AppName}/{StreamName}/'
    . '{EscapedStartTime}_{EscapedEndTime}';

$t->write_conf(conf());

# light to decode, but with fragments that are large enough for parts
my $media = media('multipart', seconds => 32, size => '160x90', fps => 10,
    bitrate => '500k');

$t->allow(qr/bucket "(?:cstrange|cstray|mdenied|suploads|sparts)" refuses/,
    qr/(?:mdenied).* cannot be moved to/, qr/ddenied.* could not be removed/,
    qr/(?:pgone|cgone|cbad).* loses what was sent/,
    qr/other.* waits in the spool: there is another object/);

# what is used after it was given back does not go on as if nothing were wrong

$t->start(env => { MALLOC_PERTURB_ => 165 });

$oss->faults(map { my $case = $_;
    map { { %$_, bucket => $case } } @{$cases{$case}{faults} || []} }
    @cases);

# not all at once: two cores have to do it all

my @queue = @cases;

while (my @some = splice @queue, 0, 10) {
    my @pubs = map { $t->start_publish($media, app => $_, speed => 8) }
        @some;
    is((grep { $_->wait(120) != 0 } @pubs), 0, "published @some");
}

for my $case (@cases) {
    my $c = $cases{$case};

    subtest $case => sub {
        stored($case);

        my @mp4 = mp4s($case);
        my @left = grep { m!$work! } files_in($oss->bucket($case));
        my $asked = asked($case);

        note("$case: $asked");

        if ($c->{lost}) {

            # nothing but what was lost is missing

            cmp_ok(scalar @mp4, '<=', 1, 'no more than one');

        } elsif ($case eq 'mdenied') {
            whole("$dir/oss/$case/$left[0]", $media, 'under its old name');
            is(scalar @mp4, 0, 'and no other');

        } else {
            is(scalar @mp4, $c->{files} || 1, 'one file');
            whole($mp4[-1], $media, 'the file');
        }

        is(scalar @left, $c->{left} ? 1 : 0, 'what is left');
        is(join(' ', $oss->uploads($case)), '', 'no upload is open');

        like($asked, $c->{like}, 'what was asked for') if $c->{like};
        like($asked, qr/p2/, 'copied in parts') if $c->{parts};

        is((grep { !$_ } $oss->seen($case)), 0, 'each fault was met');

        ok(scalar $t->log($c->{log}), 'the log tells') if $c->{log};

        # for each failure that was told there is an end that was, but for
        # one that became a refusal

        my @down = $t->log(qr/bucket "$case" (?:fails|refuses)/);
        my @up = $t->log(qr/bucket "$case" works again/);

        is(scalar @up, $c->{lost} && @up < @down ? scalar @up
            : @down - ($c->{worse} || 0), 'works again');

        is($_->{type}, 'video/mp4', 'its type')
            for grep { $_->{key} =~ /\.mp4$/ }
                $oss->client($case, 'the.id:the.secret');
    };
}

###############################################################################

# what is under the key when an upload is completed, which is that of the
# file itself: the same, made of its parts, or another

for my $case (qw/ same other /) {
    subtest "$case object" => sub {
        $oss->faults({ @e500, %to_complete, bucket => $case, times => 0 });

        is($t->publish($media, app => $case, speed => 8), 0, 'published');
        wait_for(sub { ($oss->seen($case))[0] }, 30, 'an attempt');

        my ($meta) = grep { decode_json(read_file($_))->{bucket} eq $case }
            glob($oss->root() . '/.uploads/*/meta.json');
        my $up = decode_json(read_file($meta));
        my $file = $oss->bucket($case) . "/$up->{key}";
        my ($folder) = $file =~ m!^(.*)/!;

        system('mkdir', '-p', $folder) == 0 or die;
        write_file($file, $case eq 'other' ? 'not ours' : join '',
            map { read_file($meta =~ s/meta\.json$/$_/r) }
            sort { $a <=> $b } keys %{$up->{parts}});

        $oss->faults();

        if ($case eq 'other') {
            wait_for(sub { $t->log(qr/other.* there is another object/) },
                20, 'the log to tell');
            is(read_file($file), 'not ours', 'is left alone');
            unlink $file;
        }

        stored($case);
        whole((mp4s($case))[0], $media, 'the file');
        is(join(' ', $oss->uploads($case)), '', 'no upload is open');
        like(asked($case), $case eq 'same' ? qr/m H A$/ : qr/m H( m H)* m$/,
            'what was asked for');
    };
}

###############################################################################

# other objects have all of its names

subtest 'names that are taken' => sub {
    my $now = time();
    my $folder = $oss->bucket('taken') . '/record/taken/test';
    my %foreign;

    system('mkdir', '-p', $folder) == 0 or die;

    for my $start ($now .. $now + 30) {
        for my $long (30 .. 34) {
            my $file = "$folder/" . join('_', map {
                my @d = gmtime $_;
                sprintf '%04d-%02d-%02d-%02d-%02d-%02d', $d[5] + 1900,
                    $d[4] + 1, @d[3, 2, 1, 0]
            } $start, $start + $long) . '.mp4';

            write_file($file, "not ours $start $long");
            $foreign{$file} = "not ours $start $long";
        }
    }

    is($t->publish($media, app => 'taken', speed => 8), 0, 'published');
    stored('taken');

    my @changed = grep { read_file($_) ne $foreign{$_} } keys %foreign;
    is(scalar @changed, 0, 'what was there is as it was');

    my @ours = grep { !$foreign{$_} } mp4s('taken');
    is(scalar @ours, 1, 'one file');
    like($ours[0], qr/-1\.mp4$/, 'under another name');
    whole($ours[0], $media, 'the file');
    like(asked('taken'), qr/C c H c D$/, 'what was asked for');
    is(scalar $t->log(qr/taken.* another name is taken/), 1,
        'the log tells');
};

###############################################################################

# a worker dies in a copy in parts; the next one ends what it has begun, and
# what others have begun before is theirs

subtest 'killed while it copies' => sub {
    $oss->faults({ @too_large, %copy, bucket => 'killed' },
        { fault => 'stall', %copy_part, bucket => 'killed', nth => 2 });

    is($t->publish($media, app => 'killed', speed => 8), 0, 'published');
    wait_for(sub { ($oss->seen('killed'))[1] == 2 }, 30, 'the second part');

    my @open = grep { !m!$work! } $oss->uploads('killed');
    is(scalar @open, 1, 'an upload of the new name');

    # another one, of an hour ago

    my ($meta) = grep { decode_json(read_file($_))->{bucket} eq 'killed' }
        glob($oss->root() . '/.uploads/*/meta.json');
    my $id = 'F' x 32;
    my $up = decode_json(read_file($meta));

    mkdir $oss->root() . "/.uploads/$id" or die;
    write_file($oss->root() . "/.uploads/$id/meta.json", encode_json({
        %$up, id => $id, parts => {},
        initiated => '2001-01-01T00:00:00.000Z' }));

    $t->kill_workers();
    $oss->faults({ @too_large, %copy, bucket => 'killed' });

    stored('killed');

    is(join(' ', $oss->uploads('killed')), $open[0],
        'what is not ours is there still');
    ok(-e $oss->root() . "/.uploads/$id/meta.json", 'that one');

    my @mp4 = mp4s('killed');
    is(scalar @mp4, 1, 'one file');
    whole($mp4[0], $media, 'the file');
};

###############################################################################

for my $how (qw/ reload kill /) {
    subtest "$how in the middle of each step" => sub {
        my @steps = sort keys %steps;

        $oss->faults(map { my $step = $_;
            map { { fault => 'stall-answer', %$_, bucket => $step } }
            @{$steps{$step}} } @steps);

        my @pubs = map { $t->start_publish($media, app => $_, name => $how,
            speed => 6) } @steps;
        is((grep { $_->wait(120) != 0 } @pubs), 0, 'published');

        for my $step (@steps) {
            my $nth = $steps{$step}[-1]{nth} || 1;

            ok(eval { wait_for(sub { ($oss->seen($step))[-1] == $nth }, 40) },
                "$step: the step");
        }

        if ($how eq 'reload') {
            my ($old) = $t->workers();
            my $began = time();

            $t->reload();
            wait_for(sub { !grep { $_ == $old } $t->workers(all => 1) }, 20,
                'the old worker to leave');
            cmp_ok(time() - $began, '<', 10, 'the old worker leaves');

        } else {
            $t->kill_workers();
        }

        for my $step (@steps) {
            stored($step, $how);

            my @mp4 = mp4s($step, $how);
            is(scalar @mp4, 1, "$step: one file");
            whole($mp4[0], $media, $step);

            is(join(' ', $oss->uploads($step)), '', "$step: no upload");
            is((grep { m!$work! } files_in($oss->bucket($step))), 0,
                "$step: nothing is left");
        }
    };
}

###############################################################################

$oss->check('FileAlreadyExists');

$t->done();

###############################################################################

sub conf {
    my $port = $oss->port();

    my $blocks = join '', map {
        my $c = $cases{$_} || {};
        my $host = $c->{host} || '127.0.0.1';
        "    live_record_bucket $_ { type oss; bucket $_;"
            . " region cn-hangzhou;\n"
            . "        endpoint http://$host:$port;"
            . " credentials key the.id the.secret;\n        "
            . ($c->{settings} || '') . " }\n"
    } @cases, @others, sort keys %steps;

    my $applications = join '', map {
        my $p = ($cases{$_} || {})->{path}
            || (/^(?:same|other)$/ ? $direct : $path);
        "        application $_ { live on; live_record * {\n"
            . "            bucket $_; fragment 5s; grace 1s; format mp4;\n"
            . "            path \"$p\"; } }\n"
    } @cases, @others, sort keys %steps;

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

sub stored {
    my ($case, $stream) = @_;

    wait_for(sub { !$t->spooled($stream || 'test', $case) }, 90,
        "all of $case to be stored");
}

sub mp4s {
    my ($case, $stream) = @_;
    my $bucket = $oss->bucket($case) . "/record/$case/"
        . ($stream || 'test');

    return map { "$bucket/$_" } grep { "/$_" =~ m!$name! }
        files_in($bucket);
}

# the requests for mp4 files, a letter for each

sub asked {
    my ($case) = @_;
    my $text = '';

    for ($oss->requests($case)) {
        my $to = ($_->{key} || '') =~ /$name/;
        my $q = $_->{query} || '';
        my ($n) = $q =~ /partNumber=(\d+)/;

        next if ($_->{key} || '') =~ /\.(?:json|m3u8)$/;
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
