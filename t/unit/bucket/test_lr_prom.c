
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "../../../bucket/lr_prom.c"


static void
is(lr_buf_t *b, const char *text)
{
    lr_buf_append(b, "", 1);
    assert_false(b->failed);
    assert_string_equal((char *) b->data, text);
    b->len = 0;
}


static void
test_lines(void **state)
{
    lr_buf_t         b;
    lr_prom_label_t  l[2];

    (void) state;

    memset(&b, 0, sizeof(lr_buf_t));

    lr_prom_metric(&b, "a_total", "counter", "With \\ and\n\"more\".");
    is(&b, "# HELP a_total With \\\\ and\\n\"more\".\n"
           "# TYPE a_total counter\n");

    lr_prom_count(&b, "a_total", NULL, 0, UINT64_MAX);
    is(&b, "a_total 18446744073709551615\n");

    l[0].name = "x";
    l[0].value = "a\"b\\c\nd";
    l[1].name = "y";
    l[1].value = "";

    lr_prom_count(&b, "a", l, 1, 0);
    is(&b, "a{x=\"a\\\"b\\\\c\\nd\"} 0\n");

    lr_prom_count(&b, "a", l, 2, 1);
    is(&b, "a{x=\"a\\\"b\\\\c\\nd\",y=\"\"} 1\n");

    lr_buf_free(&b);
}


static void
test_seconds(void **state)
{
    lr_buf_t  b;

    (void) state;

    memset(&b, 0, sizeof(lr_buf_t));

    lr_prom_seconds(&b, "s", NULL, 0, 0);
    is(&b, "s 0.000\n");

    lr_prom_seconds(&b, "s", NULL, 0, 1772366400005);
    is(&b, "s 1772366400.005\n");

    lr_prom_seconds(&b, "s", NULL, 0, -1);
    is(&b, "s -0.001\n");

    lr_prom_seconds(&b, "s", NULL, 0, INT64_MIN);
    is(&b, "s -9223372036854775.808\n");

    lr_buf_free(&b);
}


static void
test_utf8(void **state)
{
    size_t    i;
    lr_buf_t  b;

    static const struct {
        const char  *text;
        size_t       len;
        const char  *result;
    } t[] = {
        { "", 0, "" },
        { "abc", 3, "abc" },
        { "a\0b", 3, "a?b" },
        { "\xc3\xa9", 2, "\xc3\xa9" },
        { "\xe4\xb8\xad\xf0\x9f\x8e\xa5", 7,
          "\xe4\xb8\xad\xf0\x9f\x8e\xa5" },

        /* cut, alone, too long, a surrogate, beyond the last */

        { "\xc3", 1, "?" },
        { "\xe4\xb8", 2, "??" },
        { "\xa9z", 2, "?z" },
        { "\xc0\x80", 2, "??" },
        { "\xc1\xbf", 2, "??" },
        { "\xe0\x9f\xbf", 3, "???" },
        { "\xed\xa0\x80", 3, "???" },
        { "\xf0\x8f\xbf\xbf", 4, "????" },
        { "\xf4\x90\x80\x80", 4, "????" },
        { "\xff\xfe", 2, "??" },
        { "\xe4z\xad", 3, "?z?" },
        { "\xf0\x9f\x8ez", 4, "???z" }
    };

    (void) state;

    memset(&b, 0, sizeof(lr_buf_t));

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        lr_prom_utf8(&b, t[i].text, t[i].len);
        is(&b, t[i].result);
    }

    lr_buf_free(&b);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_seconds),
        cmocka_unit_test(test_utf8)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
