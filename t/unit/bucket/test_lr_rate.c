
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include "../../../bucket/lr_rate.c"


static void
test_take(void **state)
{
    unsigned   i;
    lr_rate_t  r = { 1000, 0 };

    (void) state;

    /* what was never used is a tenth of a second's */

    assert_int_equal(lr_rate_take(&r, 100, 5000000), 0);
    assert_int_equal(lr_rate_wait(&r, 5000000), 0);
    assert_int_equal(lr_rate_take(&r, 1, 5000000), 0);
    assert_int_equal(lr_rate_wait(&r, 5000000), 1000);
    assert_int_equal(lr_rate_wait(&r, 5000999), 1);
    assert_int_equal(lr_rate_wait(&r, 5001000), 0);
    assert_int_equal(lr_rate_wait(&r, 9000000), 0);

    /* those that ask at the same time wait for each other */

    for (i = 0; i < 10; i++) {
        assert_int_equal(lr_rate_take(&r, 500, 5001000), i * 500000);
    }

    assert_int_equal(lr_rate_wait(&r, 5001000), 5000000);

    lr_rate_give(&r, 500);
    assert_int_equal(lr_rate_wait(&r, 5001000), 4500000);
}


/* whatever is asked for and when: not more than the rate, nor much less */

static void
test_rate(void **state)
{
    uint32_t   seed;
    uint64_t   now, n, all, wait;
    lr_rate_t  r = { 123457, 0 };

    (void) state;

    seed = 1;
    all = 0;
    now = 1000000000;

    while (now < 1100000000) {
        seed = seed * 1664525 + 1013904223;
        n = seed >> 20;

        wait = lr_rate_wait(&r, now);
        assert_int_equal(lr_rate_take(&r, n, now), wait);

        /* a clock of milliseconds that comes late */

        now += wait;
        now += 999 + (seed & 1023);
        now -= now % 1000;
        all += n;
    }

    assert_in_range(all, 123457 * 99, 123457 * 101);
}


static void
test_turn(void **state)
{
    lr_rate_t  r = { 1000000, 0 };

    (void) state;

    assert_int_equal(lr_rate_turn(&r, 0), LR_RATE_TURN);
    assert_int_equal(lr_rate_turn(&r, 10), 50000);
    assert_int_equal(lr_rate_turn(&r, 256), 1953);

    r.rate = 100;
    assert_int_equal(lr_rate_turn(&r, 1), 50);
    assert_int_equal(lr_rate_turn(&r, 100), 1);

    r.rate = UINT64_MAX;
    assert_int_equal(lr_rate_turn(&r, 1), LR_RATE_TURN);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_turn)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
