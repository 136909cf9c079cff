
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <cmocka.h>
#include "../../../bucket/lr_etag.c"


#define ONE  "781e5e245d69b566979b86e28d23f2c7"
#define TWO  "3192ca8a7eba2efb8c52f8e48729e5f1"

#define TEXT  (2 * LR_ETAG_SUM + sizeof("-10000"))


static void
sum_of(u_char *sum, const char *text)
{
    lr_md5_t  m = { NULL };

    assert_int_equal(lr_md5_begin(&m), LR_OK);
    assert_int_equal(lr_md5_update(&m, text, strlen(text)), LR_OK);
    assert_int_equal(lr_md5_end(&m, sum), LR_OK);
    assert_null(m.ctx);
}


/* parts 0: put at once */

static void
text_of(char *buf, const u_char *sum, unsigned parts)
{
    size_t  i;

    for (i = 0; i < LR_ETAG_SUM; i++) {
        sprintf(buf + 2 * i, "%02x", sum[i]);
    }

    if (parts) {
        sprintf(buf + 2 * LR_ETAG_SUM, "-%u", parts);
    }
}


static void
test_md5(void **state)
{
    char      text[TEXT];
    size_t    i;
    u_char    sum[LR_ETAG_SUM];
    lr_md5_t  m = { NULL };

    (void) state;

    sum_of(sum, "0123456789");
    text_of(text, sum, 0);
    assert_string_equal(text, ONE);

    /* begun anew, and piece by piece */

    assert_int_equal(lr_md5_begin(&m), LR_OK);
    assert_int_equal(lr_md5_update(&m, "x", 1), LR_OK);
    assert_int_equal(lr_md5_begin(&m), LR_OK);

    for (i = 0; i < 10; i++) {
        assert_int_equal(lr_md5_update(&m, &"0123456789"[i], 1), LR_OK);
    }

    assert_int_equal(lr_md5_end(&m, sum), LR_OK);
    text_of(text, sum, 0);
    assert_string_equal(text, ONE);

    sum_of(sum, "");
    text_of(text, sum, 0);
    assert_string_equal(text, "d41d8cd98f00b204e9800998ecf8427e");

    /* not begun */

    assert_int_equal(lr_md5_update(&m, "x", 1), LR_ERROR);
    assert_int_equal(lr_md5_end(&m, sum), LR_ERROR);

    assert_int_equal(lr_md5_begin(&m), LR_OK);
    lr_md5_free(&m);
    lr_md5_free(&m);
}


static void
test_parts(void **state)
{
    char    text[TEXT];
    u_char  sum[LR_ETAG_SUM], sums[2 * LR_ETAG_SUM];

    (void) state;

    sum_of(sums, "aaaaaaaaaa");
    sum_of(sums + LR_ETAG_SUM, "b");

    assert_int_equal(lr_etag_parts(sum, sums, 2), LR_OK);
    text_of(text, sum, 2);
    assert_string_equal(text, TWO "-2");
    assert_int_equal(lr_etag_compare(text, strlen(text), sum, 2, NULL),
                     LR_OK);
}


static void
test_compare(void **state)
{
    int                  rc;
    size_t               i;
    u_char               sum[LR_ETAG_SUM], got[LR_ETAG_SUM];

    static const struct {
        const char  *etag;
        unsigned     parts;
        const char  *encryption;
        int          want;
    } t[] = {
        { ONE, 0, NULL, LR_OK },
        { "\"" ONE "\"", 0, NULL, LR_OK },
        { "W/\"" ONE "\"", 0, NULL, LR_OK },
        { "\"781E5E245D69B566979B86E28D23F2C7\"", 0, "AES256", LR_OK },
        { ONE "-3", 3, NULL, LR_OK },
        { "\"" ONE "-10000\"", 10000, "AES256", LR_OK },

        { "d41d8cd98f00b204e9800998ecf8427e", 0, NULL, LR_ERROR },

        { "d41d8cd98f00b204e9800998ecf8427e-3", 3, NULL, LR_DECLINED },
        { ONE "-3", 4, NULL, LR_DECLINED },

        { ONE, 0, "aws:kms", LR_DECLINED },
        { "d41d8cd98f00b204e9800998ecf8427e", 0, "aws:kms:dsse",
          LR_DECLINED },
        { ONE "-1", 0, NULL, LR_DECLINED },
        { ONE, 1, NULL, LR_DECLINED },
        { ONE "-0", 0, NULL, LR_DECLINED },
        { ONE "-", 0, NULL, LR_DECLINED },
        { ONE "-1x", 1, NULL, LR_DECLINED },
        { ONE "-1000000", 1000000, NULL, LR_DECLINED },
        { ONE "x1", 1, NULL, LR_DECLINED },
        { ONE "00", 0, NULL, LR_DECLINED },
        { "", 0, NULL, LR_DECLINED },
        { "\"\"", 0, NULL, LR_DECLINED },
        { "W/", 0, NULL, LR_DECLINED },
        { "\"", 0, NULL, LR_DECLINED },
        { "781e5e245d69b566979b86e28d23f2cg", 0, NULL, LR_DECLINED },
        { "781e5e245d69b566979b86e28d23f2c", 0, NULL, LR_DECLINED },
        { "0x8DCE3B5A1C2F3A0", 0, NULL, LR_DECLINED }
    };

    (void) state;

    sum_of(sum, "0123456789");

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {

        rc = lr_etag_compare(t[i].etag, strlen(t[i].etag), sum, t[i].parts,
                             t[i].encryption);

        if (rc != t[i].want) {
            fail_msg("%zu, %s: %d", i, t[i].etag, rc);
        }
    }

    assert_int_equal(lr_etag_sum(got, "\"" ONE "\"", 34), LR_OK);
    assert_memory_equal(got, sum, LR_ETAG_SUM);
    assert_int_equal(lr_etag_sum(got, ONE "-1", 34), LR_DECLINED);
    assert_int_equal(lr_etag_sum(got, "x", 1), LR_DECLINED);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_md5),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_compare)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
