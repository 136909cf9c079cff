
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


/* the check value of the catalogues, the vectors of the specification */

static void
test_nvme(void **state)
{
    size_t    i, k, at;
    u_char    buf[4096 + 16];
    uint64_t  all, crc;

    (void) state;

    assert_true(lr_crc64_nvme_update(0, NULL, 0) == 0);
    assert_true(lr_crc64_nvme_update(0, "123456789", 9)
                == 0xae8b14860a799888ull);

    memset(buf, 0, 4096);
    assert_true(lr_crc64_nvme_update(0, buf, 4096) == 0x6482d367eb22b64eull);
    memset(buf, 0xff, 4096);
    assert_true(lr_crc64_nvme_update(0, buf, 4096) == 0xc0ddba7302eca3acull);

    for (i = 0; i < sizeof(buf); i++) {
        buf[i] = (u_char) i;
    }

    all = lr_crc64_nvme_update(0, buf, 4096);
    assert_true(all == 0x3e729f5f6750449cull);

    /* the slow ways give the same for each length and alignment */

    assert_true(~lr_crc64_bytes(UINT64_MAX, buf, 4096) == all);

    for (at = 0; at < 16; at += 5) {
        for (i = 0; i < 1100; i++) {
            if (lr_crc64_nvme_update(0, buf + at, i)
                != ~lr_crc64_bytes(UINT64_MAX, buf + at, i))
            {
                fail_msg("%zu bytes at %zu", i, at);
            }
        }
    }

    for (i = 0; i <= 4096; i += 127) {
        k = 4096 - i;
        crc = lr_crc64_nvme_update(0, buf, i);
        assert_true(lr_crc64_nvme_update(crc, buf + i, k) == all);
    }
}


static void
test_nvme_text(void **state)
{
    char                      buf[LR_CRC64_NVME_TEXT];
    size_t                    i;
    uint64_t                  v;

    static const char *const  wrong[] = {
        "", "rosUhgp5mIg", "rosUhgp5mIg==", "rosUhgp5mI==", "rosUhgp5mIh=",
        "rosUhgp5mIg=-3", "rosUhgp5m g=", "rosUhgp5mIgA"
    };

    (void) state;

    lr_crc64_nvme_text(buf, 0xae8b14860a799888ull);
    assert_string_equal(buf, "rosUhgp5mIg=");
    lr_crc64_nvme_text(buf, 0);
    assert_string_equal(buf, "AAAAAAAAAAA=");

    assert_int_equal(lr_crc64_nvme_parse("rosUhgp5mIg=", 12, &v), LR_OK);
    assert_true(v == 0xae8b14860a799888ull);

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (lr_crc64_nvme_parse(wrong[i], strlen(wrong[i]), &v) != LR_ERROR) {
            fail_msg("%s", wrong[i]);
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_update),
        cmocka_unit_test(test_combine_long),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_nvme),
        cmocka_unit_test(test_nvme_text)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
