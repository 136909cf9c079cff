
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "../../../bucket/lr_nonce.c"


#define SET  (LR_NONCE_WAYS * sizeof(lr_nonce_slot_t))


static int
take(lr_nonce_t *t, int n, time_t now, time_t until)
{
    char  nonce[32];

    snprintf(nonce, sizeof(nonce), "%d", n);

    return lr_nonce_take(t, "id", nonce, now, until);
}


static void
test_take(void **state)
{
    size_t       size;
    lr_nonce_t  *t;

    (void) state;

    size = sizeof(lr_nonce_t) + 64 * SET;
    t = lr_nonce_init(malloc(size), size);
    assert_non_null(t);
    assert_int_equal(t->sets, 64);

    assert_int_equal(lr_nonce_take(t, "id", "a", 1000, 1900), LR_OK);
    assert_int_equal(lr_nonce_take(t, "id", "a", 1000, 1900), LR_DECLINED);
    assert_int_equal(lr_nonce_take(t, "id", "a", 1900, 2800), LR_DECLINED);
    assert_int_equal(lr_nonce_take(t, "id", "b", 1000, 1900), LR_OK);
    assert_int_equal(lr_nonce_take(t, "id", "", 1000, 1900), LR_OK);

    /* another key's is another one, also where the texts run together */

    assert_int_equal(lr_nonce_take(t, "di", "a", 1000, 1900), LR_OK);
    assert_int_equal(lr_nonce_take(t, "i", "da", 1000, 1900), LR_OK);

    /* and so is one after its time */

    assert_int_equal(lr_nonce_take(t, "id", "a", 1901, 2800), LR_OK);
    assert_int_equal(lr_nonce_take(t, "id", "a", 1901, 2800), LR_DECLINED);

    free(t);
}


/* a full set forgets the one with the least time left, and says so */

static void
test_full(void **state)
{
    int          i;
    size_t       size;
    lr_nonce_t  *t;

    (void) state;

    size = sizeof(lr_nonce_t) + SET;
    t = lr_nonce_init(malloc(size), size);

    for (i = 0; i < LR_NONCE_WAYS; i++) {
        assert_int_equal(take(t, i, 1000, i == 5 ? 1500 : 1900 + i), LR_OK);
    }

    assert_int_equal(take(t, 100, 1000, 3000), LR_AGAIN);
    assert_int_equal(take(t, 100, 1000, 3000), LR_DECLINED);
    assert_int_equal(take(t, 4, 1000, 3000), LR_DECLINED);
    assert_int_equal(take(t, 5, 1000, 3000), LR_AGAIN);

    /* number 0 was the next, and 1 is; the others are there */

    assert_int_equal(take(t, 2, 1000, 3000), LR_DECLINED);

    /* all that are over make room without a word */

    assert_int_equal(take(t, 200, 2000, 3000), LR_OK);
    assert_int_equal(take(t, 100, 2000, 3000), LR_DECLINED);

    free(t);
}


static void
test_small(void **state)
{
    char  buf[sizeof(lr_nonce_t) + SET];

    (void) state;

    assert_null(lr_nonce_init(buf, sizeof(buf) - 1));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_small)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
