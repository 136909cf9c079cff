
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>


/* there is no memory when it is told so */

static int  no_memory;


static void *
test_lr_realloc(void *p, size_t n)
{
    return no_memory ? NULL : realloc(p, n);
}


static int
test_lr_memalign(void **p, size_t align, size_t n)
{
    return no_memory ? ENOMEM : posix_memalign(p, align, n);
}


#define realloc  test_lr_realloc
#define posix_memalign  test_lr_memalign
#include "../../../core/lr_buf.c"
#undef realloc
#undef posix_memalign


static void
grows(void **state)
{
    size_t    i;
    lr_buf_t  b;

    (void) state;

    memset(&b, 0, sizeof(lr_buf_t));

    lr_buf_append(&b, NULL, 0);
    lr_buf_puts(&b, "");
    assert_int_equal(b.len, 0);
    assert_null(b.data);
    assert_false(b.failed);

    for (i = 0; i < 100000; i++) {
        lr_buf_append(&b, &"0123456789"[i % 10], 1);
    }

    assert_int_equal(b.len, 100000);
    assert_true(b.size >= b.len && b.size < 4 * b.len);

    for (i = 0; i < b.len; i++) {
        assert_int_equal(b.data[i], '0' + i % 10);
    }

    lr_buf_free(&b);
    assert_null(b.data);
    assert_int_equal(b.len, 0);
    assert_int_equal(b.size, 0);

    lr_buf_puts(&b, "again");
    assert_memory_equal(b.data, "again", 5);
    lr_buf_free(&b);
    lr_buf_free(&b);
}


static void
reserve(void **state)
{
    u_char    *p;
    size_t     i;
    lr_buf_t   b;

    (void) state;

    memset(&b, 0, sizeof(lr_buf_t));

    for (i = 1; i < 3000; i++) {
        assert_int_equal(lr_buf_reserve(&b, i), LR_OK);
        assert_true(b.size - b.len >= i);

        p = b.data;
        memset(b.data + b.len, (int) i, i);
        b.len += i % 7;

        assert_int_equal(lr_buf_reserve(&b, b.size - b.len), LR_OK);
        assert_ptr_equal(b.data, p);
    }

    lr_buf_free(&b);
}


static void
aligned(void **state)
{
    size_t    i;
    u_char   *p;
    lr_buf_t  b;

    (void) state;

    memset(&b, 0, sizeof(lr_buf_t));

    lr_buf_puts(&b, "what was there before");

    for (i = 0; i < 4; i++) {
        assert_int_equal(lr_buf_align(&b, 10000, 4096), LR_OK);
        assert_int_equal((uintptr_t) b.data % 4096, 0);
        assert_true(b.size >= 10000);
        assert_int_equal(b.len, 21);
        assert_memory_equal(b.data, "what was there before", 21);

        /* it stays where it is while there is room */

        p = b.data;
        assert_int_equal(lr_buf_reserve(&b, 9000), LR_OK);
        assert_int_equal(lr_buf_align(&b, 5000, 4096), LR_OK);
        assert_ptr_equal(b.data, p);

        /* grown, and no longer aligned perhaps */

        assert_int_equal(lr_buf_reserve(&b, b.size + i), LR_OK);
        assert_memory_equal(b.data, "what was there before", 21);
    }

    b.len = b.size;
    memset(b.data, 'x', b.len);
    assert_int_equal(lr_buf_align(&b, b.len + 1, 4096), LR_OK);
    assert_int_equal(b.data[b.len - 1], 'x');

    /* no memory */

    no_memory = 1;
    assert_int_equal(lr_buf_align(&b, b.size + 1, 4096), LR_ERROR);
    assert_true(b.failed);
    no_memory = 0;
    assert_int_equal(lr_buf_align(&b, 1, 1), LR_ERROR);

    lr_buf_free(&b);
}


static void
formats(void **state)
{
    char      text[2000];
    size_t    i;
    lr_buf_t  b;

    (void) state;

    memset(&b, 0, sizeof(lr_buf_t));
    memset(text, 'x', sizeof(text));

    /* over every length at which it has to grow */

    for (i = 0; i < sizeof(text); i++) {
        b.len = 0;
        lr_buf_printf(&b, "%.*s", (int) i, text);
        assert_int_equal(b.len, i);
        assert_memory_equal(b.data, text, i);
    }

    b.len = 0;
    lr_buf_printf(&b, "%d%c%s", 7, 0, "z");
    assert_int_equal(b.len, 3);
    assert_memory_equal(b.data, "7\0z", 3);

    lr_buf_free(&b);
}


static void
fails(void **state)
{
    u_char    *p;
    lr_buf_t   b;

    (void) state;

    memset(&b, 0, sizeof(lr_buf_t));
    lr_buf_puts(&b, "kept");
    p = b.data;

    no_memory = 1;
    lr_buf_append(&b, "little", 6);
    assert_false(b.failed);
    assert_int_equal(lr_buf_reserve(&b, 1000), LR_ERROR);
    no_memory = 0;

    assert_true(b.failed);
    assert_ptr_equal(b.data, p);
    assert_int_equal(b.len, 10);

    /* and so it stays */

    lr_buf_append(&b, "x", 1);
    lr_buf_puts(&b, "x");
    lr_buf_printf(&b, "x");
    assert_int_equal(lr_buf_reserve(&b, 0), LR_ERROR);
    assert_int_equal(b.len, 10);
    assert_memory_equal(b.data, "keptlittle", 10);

    lr_buf_free(&b);
    assert_false(b.failed);

    /* what no size_t can count */

    lr_buf_puts(&b, "kept");
    assert_int_equal(lr_buf_reserve(&b, SIZE_MAX), LR_ERROR);
    assert_int_equal(b.len, 4);
    lr_buf_free(&b);

    assert_int_equal(lr_buf_reserve(&b, SIZE_MAX / 2 + 2), LR_ERROR);
    lr_buf_free(&b);

    no_memory = 1;
    lr_buf_printf(&b, "%s", "x");
    no_memory = 0;
    assert_true(b.failed);
    assert_int_equal(b.len, 0);
    lr_buf_free(&b);
}


static void
byte_order(void **state)
{
    u_char  b[16];

    (void) state;

    memset(b, 0xee, sizeof(b));
    assert_ptr_equal(lr_put_be16(b, 0xfff1f2), b + 2);
    assert_memory_equal(b, "\xf1\xf2\xee", 3);
    assert_int_equal(lr_get_be16(b), 0xf1f2);

    assert_ptr_equal(lr_put_be24(b, 0xfff1f2f3), b + 3);
    assert_memory_equal(b, "\xf1\xf2\xf3\xee", 4);
    assert_int_equal(lr_get_be24(b), 0xf1f2f3);

    assert_ptr_equal(lr_put_be32(b, 0xf1f2f3f4), b + 4);
    assert_memory_equal(b, "\xf1\xf2\xf3\xf4\xee", 5);
    assert_true(lr_get_be32(b) == 0xf1f2f3f4);

    assert_ptr_equal(lr_put_be64(b, 0xf1f2f3f4f5f6f7f8), b + 8);
    assert_memory_equal(b, "\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xee", 9);
    assert_true(lr_get_be64(b) == 0xf1f2f3f4f5f6f7f8);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(grows),
        cmocka_unit_test(reserve),
        cmocka_unit_test(aligned),
        cmocka_unit_test(formats),
        cmocka_unit_test(fails),
        cmocka_unit_test(byte_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
