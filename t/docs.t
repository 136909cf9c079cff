#!/usr/bin/perl

# Copyright (C) the ngx_live_record authors

# docs/directives.md says of every directive and setting what the tables in
# the code say, and of nothing else; docs/operations.md has every line of the
# log; the examples of README.md are ones that work.

###############################################################################

use warnings;
use strict;

use Test::More;
use FindBin;

use lib "$FindBin::Bin/lib";
use LiveRecord;

###############################################################################

my $root = "$FindBin::Bin/..";
my $conf = join '', map { read_file($_) }
    sort glob "$root/ngx_live_record_*.c $root/ngx_live_record_*.h";
my $name_h = read_file("$root/bucket/lr_name.h");
my %docs = sections(read_file("$root/docs/directives.md"));

my @commands = commands($conf);
my %options = (
    live_record => [ options($conf, 'template') ],
    live_record_bucket => [ options($conf, 'bucket') ],
);

cmp_ok(scalar @commands, '>=', 8, 'the table of directives is understood');
cmp_ok(scalar @{$options{live_record}}, '>=', 8, 'and that of templates');
cmp_ok(scalar @{$options{live_record_bucket}}, '>=', 14, 'and of buckets');

# each is there, and no other

my %known = map { $_->{name} => 1 } @commands;

for my $block (keys %options) {
    $known{"$block/$_->{name}"} = 1 for @{$options{$block}};
}

is_deeply([ sort grep { $docs{$_}{syntax} } keys %docs ],
    [ sort keys %known ], 'what is documented is what there is');

# syntax, default and context

for my $c (@commands) {
    my $d = $docs{$c->{name}} or next;

    like($_, qr/^\Q$c->{name}\E[ ;]/, "$c->{name}: its syntax begins with it")
        for @{$d->{syntax}};

    is_deeply([ sort map { s/`//gr } map { split /, */ }
        @{$d->{context}} ], $c->{context}, "$c->{name}: context");

    is((scalar grep { /\{ \.\.\. \}$/ } @{$d->{syntax}}),
        $c->{block} ? scalar @{$d->{syntax}} : 0,
        "$c->{name}: a block or not");

    ok($d->{default}, "$c->{name}: default");
}

for my $block (sort keys %options) {
    for my $o (@{$options{$block}}) {
        my $what = "$block/$o->{name}";
        my $d = $docs{$what} or next;

        is(scalar @{$d->{syntax}}, 1, "$what: one syntax");
        like($d->{syntax}[0], qr/^\Q$o->{name}\E .*;$/, "$what: syntax");
        ok($d->{default}, "$what: default");

        my $context = "`$block`";
        $context .= ' of `type ' . join('` or `', @{$o->{types}}) . '`'
            if @{$o->{types}} && @{$o->{types}} < 3;

        is($d->{context}[0], $context, "$what: context");
    }
}

# defaults

my %defaults = (
    'live_record/fragment_path' => macro('NGX_LIVE_RECORD_FRAGMENT_PATH'),
    'live_record/index_path' => macro('NGX_LIVE_RECORD_INDEX_PATH'),
    'live_record/path' => macro('NGX_LIVE_RECORD_PATH'),
    'live_record/format' => 'm3u8',
    live_record_timezone =>
        $conf =~ /ngx_str_set\(&lmcf->timezone, "(\w+)"\)/,
    live_record_thread_pool =>
        $conf =~ /ngx_str_t\s+pool = ngx_string\("(\w+)"\)/,
);

for (qw/ cycle fragment grace /) {
    $conf =~ /\bt->settings\.$_ = ([^;]+);/ or next;
    $defaults{"live_record/$_"} = duration(calculate($1));
}

for (qw/ fsync directio ssl_verify conditional_put /) {
    $conf =~ /ngx_conf_init_value\(b->$_, (\d)\)/ or next;
    $defaults{"live_record_bucket/$_"} = $1 ? 'on' : 'off';
}

for (qw/ connect_timeout timeout /) {
    $conf =~ /ngx_conf_init_msec_value\(b->$_, (\d+)\)/ or next;
    $defaults{"live_record_bucket/$_"} = duration($1);
}

$defaults{'live_record_bucket/signature'} = "v$1"
    if $conf =~ /ngx_conf_init_uint_value\(b->signature, (\d)\)/;
$defaults{'live_record_bucket/path_style'} = lc $1
    if $conf =~ /ngx_conf_init_uint_value\(b->style, LR_URL_(\w+)\)/;

$defaults{'live_record_bucket/min_speed'} = $1 / 1024 . 'k'
    if $conf =~ /ngx_conf_init_size_value\(b->min_speed, (\d+)\)/;
$defaults{"live_record_bucket/$_"} = 'off' for qw/ proxy /;

$defaults{'live_record_bucket/checksum'} = lc $1
    if $conf =~ /init_uint_value\(b->checksum, NGX_LIVE_RECORD_(\w+)\)/;

is(scalar keys %defaults, 20, 'the defaults are understood');

for my $what (sort keys %defaults) {
    my ($name) = $what =~ /(\w+)$/;
    my ($default) = ($docs{$what}{default} || '')
        =~ /^`$name "?(.*?)"?;`/;

    # 3m and 180s are the same
    is(defined $default ? normal($default) : undef,
        normal($defaults{$what}), "$what: default $defaults{$what}");
}

my ($dir, $oss) = $conf =~ /b->connections,\s*
    b->type\ ==\ NGX_LIVE_RECORD_DIR\s*\?\s*(\d+)\s*:\s*(\d+)/x;

is($docs{'live_record_bucket/connections'}{default},
    "`connections $oss;` for `type oss` and `s3`, "
        . "`connections $dir;` for `type dir`",
    'live_record_bucket/connections: default');

my ($buffer) = $conf =~ /define NGX_LIVE_RECORD_BUFFER\s+\((.*)\)/;

has('live_record_spool', 'default `' . calculate($buffer) / 1048576 . 'm`');

# ranges

my %of = ( template => 'live_record', bucket => 'live_record_bucket' );

for my $block (sort keys %options) {
    for my $o (@{$options{$block}}) {
        my $body = function($conf, $o->{set});

        my ($range) = $body =~ /"(\w+ and \w+)"/;
        ($range) = $body =~ /must "\s*"be between (\d+ and \d+)"/
            unless defined $range;
        next unless defined $range;

        has("$block/$o->{name}", "between $range");
    }
}

# what a part may be, by the type

my %part = $conf =~ /range = "(between \w+ and \w+) for \\"type (\w+)\\""/g;

is(scalar keys %part, 2, 'the sizes of parts are understood');
has('live_record_bucket/part_size', "$_ for `type $part{$_}`")
    for sort keys %part;

# what objects may be like, of which store

my $object = read_file("$root/bucket/lr_object.c");
my %object = $object =~ /lr_object_((?:oss|s3)_\w+)\[\] = \{(.*?)\};/sg;

is(scalar keys %object, 5, 'the words of objects are understood');

for (sort keys %object) {
    my ($type, $what) = /^(\w+?)_(\w+)$/;
    my $setting = $what =~ /class/ ? 'storage_class'
        : $what =~ /acl/ ? 'acl' : 'encryption';

    like($docs{"live_record_bucket/$setting"}{text} || '', qr/`$_`/,
        "$setting of $type: $_") for $object{$_} =~ /"([\w-]+)"/g;
}

my ($ranges) = join '', $conf =~ /"between (\w+ and \w+)", &s/;

has('live_record_spool', 'Between `' . join('` and `', split / and /,
    $ranges) . '`');
has('live_record_spool', "at least `$1`")
    if $conf =~ /size of at least (\w+)"/;
has('live_record_timezone', "from `$1` to `$2`")
    if $conf =~ /offset from \\"(\S+)\\" to "\s*"\\"(\S+)\\""/;
has('live_record_domain', "up to $1 of") if $conf =~ /up to (\d+) of/;

my ($len) = $name_h =~ /define LR_NAME_LEN\s+(\d+)/;

has($_, "1 to $len of `A-Z a-z 0-9 - _`")
    for qw/ live_record live_record_bucket /;

has('names', "1 to $1 bytes")
    if $name_h =~ /define LR_NAME_TEMPLATE_LEN\s+(\d+)/;
has('names', "at most $1 bytes")
    if $name_h =~ /define LR_NAME_KEY_LEN\s+(\d+)/;

# what a setting may be told to be, where the messages name it

for my $block (sort keys %options) {
    for my $o (@{$options{$block}}) {
        my $body = function($conf, $o->{set});
        my @words = $body =~ /ngx_strcmp\(value\[\w+\]\.data, "(\w+)"\)/g;

        # refused by this version
        @words = grep { !/^(?:mp4|flv)$/ } @words;

        for (@words) {
            like($docs{"$block/$o->{name}"}{syntax}[0] || '', qr/\b$_\b/,
                "$block/$o->{name}: may be $_");
        }
    }
}

# the variables of names

my ($vars) = read_file("$root/bucket/lr_name.c")
    =~ /lr_vars\[LR_VAR_N\] = \{(.*?)\n\};/s;

is_deeply([ sort $docs{names}{text} =~ /^\|.*$/mg
    ? sort map { /`(\{\w+\})`/g } $docs{names}{text} =~ /^\| (`\{.*)$/mg
    : () ], [ sort $vars =~ /"(\{\w+\})"/g ], 'the variables of names');

# every line of the log is explained: its words are there, in order

my $operations = read_file("$root/docs/operations.md");
my %level;

$level{$1} .= $2 while $operations
    =~ /^\*\*(warn|error|notice|info|alert|emerg)\*\*(.*?)(?=^\*\*|^## )/msg;

s/\s+/ /g for $operations, values %level;
$level{err} = $level{error};

for my $file (sort glob "$root/ngx_live_record_*.c") {
    my $text = read_file($file);
    my ($name) = $file =~ m,([^/]+)$,;

    while ($text =~ /"live\ record:\ ((?:[^"\\]|\\.)*)"
        ((?:\s*(?:"(?:[^"\\]|\\.)*"|[A-Z_]{6,}))*)/xg)
    {
        my ($line, $more, $before) = ($1, $2, substr $text, 0, $-[0]);

        # the directory's name is a macro
        $more =~ s/LR_QUARANTINE_DIR/"quarantine"/g;
        $line .= join '', $more =~ /"((?:[^"\\]|\\.)*)"/g;
        $line =~ s/\\"/"/g;

        my @words = map { s/^\W+|\s+$//gr }
            split /"?%-?[0-9]*(?:u?[DLilzs]|V|ui|ud|uD|uL|uz|P|d|\*?s)"?/,
            $line;
        my $re = join '.{1,80}?', map { quotemeta } grep { length > 3 }
            @words;
        next unless length $re;

        ok($operations =~ /$re/, "$name: \"$line\" is explained");

        # where the call is given its level by name
        my ($level) = $before =~ /NGX_LOG_([A-Z]+),[^;{}]*\z/ or next;

        ok($level{lc $level} =~ /$re/, '... as ' . lc $level);
    }
}

# what stands above its sections are all of them

my $contents = read_file("$root/docs/operations.md");

is_deeply([ $contents =~ /^- \[([^\]]+)\]/mg ], [ $contents =~ /^## (.*)$/mg ],
    'operations.md: its contents');

# the functions and files that the design names are there

my $all = join '', map { read_file($_) } glob "$root/*.[ch] $root/core/*.[ch]
    $root/media/*.[ch] $root/spool/*.[ch] $root/bucket/*.[ch]";
my $design = read_file("$root/docs/design.md");

ok($all =~ /^$_\(/m, "design.md: $_() is there")
    for uniq($design =~ /`((?:ngx_live_record|lr)_\w+)\(\)`/g);
ok(-e "$root/$_", "design.md: $_ is there")
    for uniq($design =~ m,`((?:\w+/)?(?:ngx_live_record|lr)_\w+\.[ch])`,g);

# no link leads nowhere

for my $file ('README.md', map { "docs/$_" } qw/ directives.md operations.md
    api.md format.md design.md status.md callbacks.md on-demand.md
    performance.md providers.md reliability.md /)
{
    my $text = read_file("$root/$file");
    my ($dir) = $file =~ m,^(.*/),;

    for ($text =~ /\]\(([^)]+)\)/g) {
        next if /^https?:/;

        my ($to, $anchor) = /^([^#]*)(?:#(.*))?$/;
        my $path = length $to ? ($dir || '') . $to : $file;

        ok(-e "$root/$path", "$file: $_ is there") or next;
        next unless defined $anchor;

        my @anchors = map { s/[^\w\- ]//gr =~ s/ /-/gr } map { lc }
            read_file("$root/$path") =~ /^#+ (.*)$/mg;

        ok((grep { $_ eq $anchor } @anchors), "$file: so is #$anchor");
    }
}

# README's examples

my $readme = read_file("$root/README.md");
my @examples = $readme =~ /```nginx\n(.*?)```/sg;

is(scalar @examples, 2, 'README has two examples');

SKIP: {
    skip 'the module is not built', 6
        unless -e "$root/build/ngx_live_record_module.so";

    my $t = LiveRecord->new();
    write_file($t->dir() . '/key', "id\nsecret\n");

    my ($example, $oss) = map { s,/var/spool/nginx,%%TESTDIR%%/spool,gr }
        map { s,/var/lib/nginx,%%TESTDIR%%/bucket,gr }
        map { s,/etc/nginx/oss-credentials,%%TESTDIR%%/key,gr } @examples;

    $example =~ s/listen 1935/listen 127.0.0.1:%%PORT%%/;

    cmp_ok(scalar(split /\n/, $examples[0]), '<=', 30, 'a short example');

    my ($ok, $out) = $t->test_conf("%%GLOBALS%%\nevents { }\n$example");
    ok($ok, 'the example works') or diag($out);

    $example =~ s/ +live_record_bucket archive \{.*?\n    \}\n/$oss/s;

    ($ok, $out) = $t->test_conf("%%GLOBALS%%\nevents { }\n$example");
    ok($ok, 'so does that of OSS') or diag($out);
    like($example, qr/type oss/, 'which is one of OSS');

    my ($http, @more) = $contents =~ /```nginx\n(.*?)```/sg;

    is(scalar @more, 0, 'operations.md has one example');

    $http =~ s,/var/lib/nginx,%%TESTDIR%%/bucket,;
    $http =~ s/http \{\K/%%GLOBALS_HTTP%%/;
    $http =~ s/listen 80/listen 127.0.0.1:%%PORT_HTTP%%/;

    ($ok, $out) = $t->test_conf("%%GLOBALS%%\nevents { }\n$http");
    ok($ok, '... that works') or diag($out);

    $t->cleanup();
}

done_testing();

###############################################################################

# { name => { syntax => [], default, context => [], text } }; what stands
# below a heading of level two is "name", of level three "block/name"

sub sections {
    my ($text) = @_;
    my ($block, %all) = '';

    # a line that is not ended goes on
    for (split /^(?=##)/m, $text) {
        s/^(#{2,3}) (\S+).*\n// or next;

        my ($level, $name) = (length $1, lc $2);
        $block = $name if $level == 2;
        $name = "$block/$name" if $level == 3;

        my %d = ( text => $_ );

        for my $what (qw/ syntax default context /) {
            my $word = ucfirst $what;
            my @found = map { s/\s+/ /gr }
                /^\*\*$word:\*\* (.*?)(?:  )?$(?=\n\n|\n\*\*)/msg;

            if ($what eq 'default') {
                $d{default} = $found[0];

            } elsif (@found) {
                $d{$what} = \@found;
            }
        }

        if ($d{syntax}) {
            s/^`(.*)`$/$1/ for @{$d{syntax}};
        }

        $all{$name} = \%d;
    }

    return %all;
}

sub commands {
    my ($c) = @_;
    my $table = join '',
        $c =~ /ngx_live_record_(?:http_)?commands\[\] = \{(.*?)\n\};/sg;
    my @all;

    while ($table =~ /ngx_string\("(\w+)"\),\s*([^,]+),/g) {
        my ($name, $flags) = ($1, $2);
        my @context;

        push @context, 'application' if $flags =~ /NGX_RTMP_APP_CONF/;
        push @context, 'http' if $flags =~ /NGX_HTTP_MAIN_CONF/;
        push @context, 'location' if $flags =~ /NGX_HTTP_LOC_CONF/;
        push @context, 'rtmp' if $flags =~ /NGX_RTMP_MAIN_CONF/;
        push @context, 'server' if $flags =~ /NGX_(?:RTMP|HTTP)_SRV_CONF/;

        push @all, { name => $name, context => \@context,
            block => scalar($flags =~ /NGX_CONF_BLOCK/) };
    }

    return @all;
}

sub options {
    my ($c, $which) = @_;
    my ($table) = $c
        =~ /ngx_live_record_${which}_options\[\] = \{(.*?)\n\};/s;
    my @all;

    while ($table =~ /\{ ngx_string\("(\w+)"\), (\d+), (\d+),\s*(\w+),(.*?)\}/sg)
    {
        my ($name, $set, $rest) = ($1, $4, $5);
        my @types = map { lc } map { $_ eq 'STORE' ? qw/ OSS S3 /
            : $_ eq 'ALL' ? qw/ DIR OSS S3 / : $_ }
            $rest =~ /NGX_LIVE_RECORD_IN_(\w+)/g;

        push @all, { name => $name, set => $set, types => \@types };
    }

    return @all;
}

sub function {
    my ($c, $name) = @_;
    return $c =~ /^$name\((?:[^;{]*)\)\n\{\n(.*?)^\}/ms ? $1 : '';
}

sub macro {
    my ($name) = @_;
    return $conf =~ /define $name\s+(?:\\\s*)?"([^"]*)"/ ? $1 : undef;
}

sub calculate {
    my ($text) = @_;
    my $n = 1;
    $text =~ s/\(\w+\)//;
    $n *= $_ for $text =~ /\d+/g;
    return $n;
}

sub duration {
    my ($ms) = @_;
    return $ms / 1000 . 's';
}

sub normal {
    my ($v) = @_;
    my %unit = ( s => 1, m => 60, h => 3600 );
    return $v =~ /^(\d+)([smh])$/ ? $1 * $unit{$2} . 's' : $v;
}

sub uniq {
    my %seen;
    return grep { !$seen{$_}++ } @_;
}

sub has {
    my ($what, $text) = @_;
    my $doc = $docs{$what}{text} || '';
    $doc =~ s/\s+/ /g;
    ok(index($doc, $text) >= 0, "$what: $text");
}

###############################################################################
