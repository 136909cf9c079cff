#!/bin/sh

# Copyright (C) the ngx_live_record authors
#
# Sets up what the tests need and runs all of them.  Ends with what each
# part counted; the exit status is 0 only if nothing failed.  Needs no
# terminal and asks nothing.

set -u

cd "$(dirname "$0")" || exit 1

# in CI, each parser for longer

if [ "${CI:-}" = true ]; then
    fuzz_seconds=60

else
    fuzz_seconds=10
fi

logs=$(pwd)/build/test
failed=
summary=


# part NAME COMMAND...: runs it, keeps what it says in build/test/NAME.log

part() {
    name=$1
    shift

    printf '\n==== %s\n\n' "$name"

    { "$@" 2>&1; echo $? >"$logs/$name.status"; } | tee "$logs/$name.log"

    if [ "$(cat "$logs/$name.status")" = 0 ]; then
        result=ok

    else
        result=FAILED
        failed="$failed $name"
    fi
}


# count TEXT: what is said of the part that was run last

count() {
    summary="$summary$(printf '%-8s%-8s%s' "$name" "$result" "$1")
"
}


# cmocka: "[==========] tests: 12 test(s) run.", "[  PASSED  ] 12 test(s)."

count_unit() {
    count "$(awk '
        /^== build\/unit\//         { started++ }
        /test\(s\) run/             { ended++
                                      match($0, /[0-9]+ test\(s\)/)
                                      all += substr($0, RSTART) }
        /PASSED.*[0-9]+ test\(s\)/  { match($0, /[0-9]+ test\(s\)/)
                                      passed += substr($0, RSTART) }
        END {
            printf "%d programs, %d tests, %d passed", started, all, passed

            if (started > ended) {
                printf ", %d programs crashed", started - ended
            }
        }' "$logs/$name.log")"
}


count_prove() {
    count "$(sed -n -e 's/^\(Files=.*\), *[0-9]* wallclock.*/\1/p' \
        "$logs/$name.log") $(sed -n 's/^Result: /Result: /p' \
        "$logs/$name.log")"
}


count_fuzz() {
    count "$(grep -c '^== ' "$logs/$name.log") targets,$(printf \
        ' %s seconds each' "$fuzz_seconds")"
}


# failures NAME: what failed in a part, at the end of all, where the last lines
# of a long log are what is left of it

failures() {
    printf '\n==== failed in %s\n\n' "$1"

    case $1 in

    nginx)
        # what the tests said of it, and prove's own list of them
        grep -A 12 -e '^[# ]*#   Failed test' -e 'waited in vain' \
            -e '^# Looks like' "$logs/$1.log" | tail -n 150 | cut -c 1-200
        sed -n '/^Test Summary Report/,$p' "$logs/$1.log" | tail -n 100
        ;;

    unit)
        grep -i -e failed -e error -e fault -e abort -e '^make' \
            "$logs/$1.log" | tail -n 50 | cut -c 1-200
        ;;

    *)
        tail -n 50 "$logs/$1.log"
        ;;
    esac
}


sh t/lib/setup.sh || exit 1

mkdir -p "$logs" || exit 1
rm -f "$logs"/*

part style sh t/lib/style.sh
count "$(tail -n 1 "$logs/style.log")"

part unit make -k unit
count_unit

part build make module tools
count "module and tools"

part nginx prove -j2 --timer t
count_prove

part fuzz make -j2 fuzz FUZZ_SECONDS=$fuzz_seconds
count_fuzz

for name in $failed; do
    failures "$name"
done

printf '\n==== all\n\n%s' "$summary"

if [ -n "$failed" ]; then
    printf '\nfailed:%s; see build/test\n' "$failed"
    exit 1
fi
