#!/bin/sh

# Copyright (C) the ngx_live_record authors
#
# style.sh [FILE...]: whether C files are in nginx's style, as far as a
# script can tell.  Without files, all of the project's.

set -eu

if [ $# -eq 0 ]; then
    cd "$(dirname "$0")/../.."

    # no name of ours holds a blank
    # shellcheck disable=SC2046
    set -- $(find . \( -name build -o -name node_modules -o -name .git \) \
        -prune -o -name '*.[ch]' -print | sed 's,^\./,,' | LC_ALL=C sort)
fi

LC_ALL=C awk '

function bad(text, line) {
    printf "%s:%d: %s\n", FILENAME, line, text
    errors++
}

function finish() {
    if (lines && blank) {
        bad("blank lines at the end", lines)
    }

    if (lines && in_comment) {
        bad("a comment does not end", lines)
    }
}

# the code of a line: strings emptied, comments left out, "//" told

function code_of(s,    out, c, i, quoted) {
    out = ""

    while (s != "") {

        if (in_comment) {
            i = index(s, "*/")

            if (i == 0) {
                return out
            }

            in_comment = 0
            s = substr(s, i + 2)
            continue
        }

        c = substr(s, 1, 1)

        if (c == "\"" || c == "\047") {
            quoted = "^\"([^\"\\\\]|\\\\.)*\""

            if (c != "\"") {
                quoted = "^\047([^\047\\\\]|\\\\.)*\047"
            }

            if (match(s, quoted)) {
                out = out c c
                s = substr(s, RLENGTH + 1)
                continue
            }
        }

        if (substr(s, 1, 2) == "/*") {
            in_comment = 1
            s = substr(s, 3)
            continue
        }

        if (substr(s, 1, 2) == "//") {
            bad("a \"//\" comment", FNR)
            return out
        }

        out = out c
        s = substr(s, 2)
    }

    return out
}

FNR == 1 {
    finish()
    files++
    blank = 0
    in_comment = 0
    ended = 0
    copyright = 0

    if ($0 != "") {
        bad("does not begin with an empty line", 1)
    }
}

{
    lines = FNR
    total++
}

/\t/                    { bad("a tab", FNR) }
/\r/                    { bad("a carriage return", FNR) }
/[ \t]$/                { bad("blanks at the end", FNR) }
/TODO|FIXME|HACK/       { bad("something to be done", FNR) }
/(^|[^X])XXX([^X]|$)/   { bad("something to be done", FNR) }
/[^ -~\t\r]/            { bad("not ASCII", FNR) }

length($0) > 80 {
    bad("longer than 80 columns", FNR)
}

FNR < 5 && /Copyright \(C\)/ {
    copyright = 1
}

FNR == 5 && !copyright {
    bad("no copyright in the first lines", 1)
}

$0 == "" {
    blank++
    next
}

{
    # two blank lines between functions, and nowhere more

    if (blank > 2) {
        bad(blank " blank lines", FNR)
    }

    if (ended && blank != 2 && $0 !~ /^#/) {
        bad("a function ended " blank " blank lines before", FNR)
    }

    blank = 0
    commented = in_comment
    code = code_of($0)

    ended = !commented && $0 == "}"

    if (commented) {
        next
    }

    if (code ~ /(^|[^a-z_])(if|for|while|switch)\(/) {
        bad("no blank before \"(\"", FNR)
    }

    if (code ~ /\)\{/) {
        bad("no blank before \"{\"", FNR)
    }

    # a function: type, name and brace stand on lines of their own

    if (code ~ /^(static |void |int |ngx_int_t |char |unsigned )[a-z_0-9 *]+\(.*[^;]*\{ *$/)
    {
        bad("the brace of a function is not on its own line", FNR)
    }

    if (code == "{" && previous ~ /^[a-z].*[a-z_0-9*] \**[a-z_0-9]+\(.*\)$/) {
        bad("the type of a function is not on its own line", FNR - 1)
    }

    # else in the line of the brace

    if (code ~ /^ *else/ && previous ~ /^ *\}$/) {
        bad("\"else\" is not in the line of \"}\"", FNR)
    }

    previous = code
}

END {
    finish()

    printf "%d files, %d lines, %d errors\n", files, total, errors
    exit errors != 0
}
' "$@"
