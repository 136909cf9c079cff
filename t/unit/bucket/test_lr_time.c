
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "../../../bucket/lr_time.c"


static void
test_iso(void **state)
{
    size_t                    i;
    time_t                    v;

    static const struct {
        const char  *text;
        time_t       want;
    } t[] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "2026-11-23T06:47:40Z", 1795416460 },
        { "2026-11-23T06:47:40.999Z", 1795416460 },
        { "2026-11-23t06:47:40,5z", 1795416460 },
        { "2026-11-23 06:47:40", 1795416460 },
        { "2026-11-23T14:47:40+08:00", 1795416460 },
        { "2026-11-23T01:17:40-0530", 1795416460 },
        { "2024-02-29T23:59:60Z", 1709251199 },
        { "2100-01-01T00:00:00Z", 4102444800 }
    };

    static const char *const  wrong[] = {
        "", "2026", "2026-11-23", "2026-11-23T06:47Z", "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z",
        "2025-02-29T00:00:00Z", "2026-01-32T00:00:00Z",
        "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:61Z", "2026-01-01T00:00:00ZZ",
        "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00+8",
        "2026-01-01T00:00:00+08:60", "26-01-01T00:00:00Z",
        "2026/01/01T00:00:00Z", "-026-01-01T00:00:00Z",
        "2026-01-01T00:00:0", "2026-01-01x00:00:00Z"
    };

    (void) state;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {

        v = -1;

        if (lr_time_iso(&v, t[i].text, strlen(t[i].text)) != LR_OK
            || v != t[i].want)
        {
            fail_msg("%s: %lld", t[i].text, (long long) v);
        }
    }

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (lr_time_iso(&v, wrong[i], strlen(wrong[i])) != LR_ERROR) {
            fail_msg("%s: %lld", wrong[i], (long long) v);
        }
    }
}


static void
test_parse(void **state)
{
    size_t   i;
    int64_t  ms;

    static const char *const  wrong[] = {
        "", "2017-12-08T03:34:56", "2017-12-08T03:34:56z",
        "2017-12-08t03:34:56Z", "2017-12-08 03:34:56Z",
        "2017-12-08T03:34:56.5Z", "2017-12-08T11:34:56+08:00",
        "2017-12-08T03:34Z", "2017-12-08", "2017-13-08T03:34:56Z",
        "2017-02-29T03:34:56Z", "2017-12-08T03:34:56ZZ",
        " 2017-12-08T03:34:56"
    };

    (void) state;

    assert_int_equal(lr_time_parse(&ms, "2017-12-08T03:34:56Z", 20), LR_OK);
    assert_int_equal(ms, 1512704096000);

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (lr_time_parse(&ms, wrong[i], strlen(wrong[i])) != LR_ERROR) {
            fail_msg("%s", wrong[i]);
        }
    }
}


static void
test_format(void **state)
{
    char     buf[LR_TIME_LEN + 1];
    int64_t  ms;

    (void) state;

    lr_time_format(buf, 1512704096999);
    assert_string_equal(buf, "2017-12-08T03:34:56Z");

    assert_int_equal(lr_time_parse(&ms, buf, LR_TIME_LEN), LR_OK);
    assert_int_equal(ms, 1512704096000);

    lr_time_format(buf, -1);
    assert_string_equal(buf, "1969-12-31T23:59:59Z");

    lr_time_format(buf, INT64_MAX);
    assert_string_equal(buf, "1970-01-01T00:00:00Z");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_iso),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_format)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
