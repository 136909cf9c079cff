
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include "../../../bucket/lr_crc64.c"


static void
test_vectors(void **state)
{
    static const char  text[] =
        "This is a test of the emergency broadcast system.";

    (void) state;

    assert_int_equal(lr_crc64_update(0, NULL, 0), 0);
    assert_true(lr_crc64_update(0, "123456789", 9) == 0x995dc9bbdf1939faull);
    assert_true(lr_crc64_update(0, text, sizeof(text) - 1)
                == 0x27db187fc15bbc72ull);
}


static void
test_update(void **state)
{
    size_t    i;
    u_char    buf[1000];
    uint64_t  all, crc;

    (void) state;

    for (i = 0; i < sizeof(buf); i++) {
        buf[i] = (u_char) (i * 31 + i / 256);
    }

    all = lr_crc64_update(0, buf, sizeof(buf));

    for (i = 0; i <= sizeof(buf); i++) {
        crc = lr_crc64_update(0, buf, i);
        assert_true(lr_crc64_update(crc, buf + i, sizeof(buf) - i) == all);
        assert_true(lr_crc64_combine(crc, lr_crc64_update(0, buf + i,
                                                          sizeof(buf) - i),
                                     sizeof(buf) - i)
                    == all);
    }
}


/* a length that no buffer has: zeroes, doubled by combining */

static void
test_combine_long(void **state)
{
    unsigned   i;
    uint64_t   len, crc, split;

    (void) state;

    crc = lr_crc64_update(0, "\0", 1);

    for (i = 0, len = 1; i < 40; i++, len *= 2) {
        crc = lr_crc64_combine(crc, crc, len);
    }

    split = lr_crc64_update(0, "\0\0\0", 3);
    split = lr_crc64_combine(split, lr_crc64_update(0, "\0\0\0\0\0", 5), 5);
    assert_true(split == lr_crc64_update(0, "\0\0\0\0\0\0\0\0", 8));

    /* B and A-with-B are associative over 2^40 bytes */

    split = lr_crc64_update(0, "abc", 3);
    assert_true(lr_crc64_combine(lr_crc64_combine(split, crc, len), split, 3)
                == lr_crc64_combine(split, lr_crc64_combine(crc, split, 3),
                                    len + 3));
    assert_true(lr_crc64_combine(0x1234, 0, 0) == 0x1234);
}


static void
test_parse(void **state)
{
    uint64_t  v;

    (void) state;

    assert_int_equal(lr_crc64_parse("0", 1, &v), LR_OK);
    assert_true(v == 0);
    assert_int_equal(lr_crc64_parse("18446744073709551615", 20, &v), LR_OK);
    assert_true(v == UINT64_MAX);
    assert_int_equal(lr_crc64_parse("18446744073709551616", 20, &v),
                     LR_ERROR);
    assert_int_equal(lr_crc64_parse("99999999999999999999", 20, &v),
                     LR_ERROR);
    assert_int_equal(lr_crc64_parse("", 0, &v), LR_ERROR);
    assert_int_equal(lr_crc64_parse("-1", 2, &v), LR_ERROR);
    assert_int_equal(lr_crc64_parse("1 ", 2, &v), LR_ERROR);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_update),
        cmocka_unit_test(test_combine_long),
        cmocka_unit_test(test_parse)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
