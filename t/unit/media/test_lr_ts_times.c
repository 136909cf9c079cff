
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What a transport stream says of time, and how its packets are filled.
 */


#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#include "ts_make.h"


static void
test_times(void **state)
{
    test_t  *t;

    t = *state;
    avc_config(t, 0, 4);

    /* negative cts, equal and backward dts */

    frame(t, 0, 0, 1, 10);
    frame(t, 100, -80, 0, 10);
    frame(t, 100, 40, 0, 10);
    frame(t, 100, 0, 0, 10);
    frame(t, 90, 200, 0, 10);
    frame(t, 140, -20, 0, 10);
    run(t);

    assert_int_equal(pes(t, VIDEO, 0)->pts, 900000);
    assert_int_equal(pes(t, VIDEO, 0)->dts, 900000);
    assert_int_equal(pes(t, VIDEO, 1)->pts, 900000 + 1800);
    assert_int_equal(pes(t, VIDEO, 1)->dts, 900000 + 1800);
    assert_int_equal(pes(t, VIDEO, 2)->pts, 900000 + 12600);
    assert_int_equal(pes(t, VIDEO, 2)->dts, 900000 + 8100 - 2);
    assert_int_equal(pes(t, VIDEO, 3)->pts, 900000 + 9000);
    assert_int_equal(pes(t, VIDEO, 3)->dts, 900000 + 8100 - 1);
    assert_int_equal(pes(t, VIDEO, 4)->pts, 900000 + 26100);
    assert_int_equal(pes(t, VIDEO, 4)->dts, 900000 + 8100);
    assert_int_equal(pes(t, VIDEO, 5)->pts, 900000 + 10800);
    assert_int_equal(pes(t, VIDEO, 5)->dts, 900000 + 10800);
}


static void
test_wrap(void **state)
{
    test_t  *t;

    t = *state;

    /* PTS, DTS and PCR wrap one after the other in the fragment */

    fill(t);
    t->base = (((int64_t) 1 << 33) - 900000) / 90 - 1500;
    run(t);

    assert_true(t->c->max_pcr_gap <= 9000);
    assert_true(t->c->first_pcr > ((int64_t) 1 << 33) - 90000 * 3);
    assert_true(t->c->pcr > (int64_t) 1 << 33);
    assert_true(pes(t, VIDEO, 99)->dts > (int64_t) 1 << 33);
}


static void
test_negative_base(void **state)
{
    test_t  *t;

    t = *state;
    fill(t);
    t->base = -11000;
    run(t);
    reset(t);

    fill(t);
    t->base = INT64_MIN;
    run(t);
}


static void
test_tiny(void **state)
{
    test_t    *t;
    size_t     n, i, packets;
    ts_pes_t  *p;

    t = *state;

    /* one sample, video without parameter sets and audio, of small sizes */

    for (n = 1; n < 600; n += n < 30 ? 1 : 37) {
        hevc_config(t, 0);
        nal(add(t, 0, 0, V, "\xa1hvc1\0\0\0", 8), 4, "\x02\x01",
            n < 2 ? n : 2, n);
        run(t);

        assert_int_equal(t->c->payloads[VIDEO], 16);
        assert_int_equal(count(t, VIDEO), 1);
        p = pes(t, VIDEO, 0);
        assert_int_equal(p->len, 7 + 3 + n);
        assert_int_equal(p->packets, n < 5 ? 11 + n : 16);
        assert_int_equal(t->c->npes, 1 + 16 - p->packets);
        reset(t);

        aac_config(t, 0);
        aac(t, 0, n);
        run(t);

        packets = 0;

        for (i = 0; i < t->c->npes; i++) {
            packets += t->c->pes[i].packets;
        }

        assert_int_equal(packets, 16);
        assert_int_equal(count(t, AUDIO), 1);
        assert_int_equal(pes(t, AUDIO, 0)->len, 7 + n);
        assert_int_equal(t->c->types[VIDEO], 0);
        assert_int_equal(t->c->pcr_pid, AUDIO);
        reset(t);
    }
}


static void
test_lengths(void **state)
{
    size_t   n;
    test_t  *t;

    t = *state;

    /* around every boundary of a packet, and of PES_packet_length */

    for (n = 1; n < 800; n++) {
        avc_config(t, 0, 4);
        frame(t, 0, 0, 1, n);
        frame(t, 40, 40, 0, n);
        frame(t, 80, 0, 0, n);
        frame(t, 120, 0, 0, 65535 - 8 - 9 - 3 + (n % 8));
        frame(t, 160, 0, 0, 100);
        run(t);
        assert_int_equal(pes(t, VIDEO, 3)->declared == 0,
                         8 + 9 + 65535 - 20 + (n % 8) > 65535);
        reset(t);
    }
}


static void
test_gather(void **state)
{
    test_t    *t;
    unsigned   i;

    t = *state;
    avc_config(t, 0, 4);
    aac_config(t, 0);
    frame(t, 0, 0, 1, 100);

    /* 8 together, a hole of 3 ms, 2 more; equal times; too many bytes */

    for (i = 0; i < 8; i++) {
        aac(t, (int32_t) (i * 64 / 3), 100);
    }

    aac(t, 174, 100);
    aac(t, 195, 100);
    aac(t, 195, 100);
    aac(t, 300, 5000);
    aac(t, 321, 5000);

    /* goes before a picture that is 200 ms later */

    frame(t, 520, 0, 0, 100);
    frame(t, 521, 0, 0, 100);
    aac(t, 530, 100);
    run(t);

    assert_int_equal(t->skipped, 0);
    assert_int_equal(count(t, AUDIO), 6);
    assert_int_equal(pes(t, AUDIO, 0)->len, 8 * 107);
    assert_int_equal(pes(t, AUDIO, 1)->len, 2 * 107);
    assert_int_equal(pes(t, AUDIO, 1)->pts, 900000 + 174 * 90);
    assert_int_equal(pes(t, AUDIO, 2)->len, 107);
    assert_int_equal(pes(t, AUDIO, 3)->len, 5007);
    assert_int_equal(pes(t, AUDIO, 4)->len, 5007);
    assert_true(pes(t, AUDIO, 4) < pes(t, VIDEO, 2));
    assert_true(pes(t, AUDIO, 5) > pes(t, VIDEO, 2));
}


static void
test_clock(void **state)
{
    test_t    *t;
    unsigned   v, a;

    t = *state;

    /* two pictures a second, then none; audio a second ahead in the log */

    avc_config(t, 0, 4);
    aac_config(t, 0);

    for (v = 0, a = 0; v < 20; v++) {

        while (a * 64 / 3 < v * 500 + 1000) {
            aac(t, (int32_t) (a * 64 / 3), 100);
            a++;
        }

        frame(t, (int32_t) v * 500, 0, v == 0, 100);
    }

    for (/* void */; a < 1000; a++) {
        aac(t, (int32_t) (a * 64 / 3), 100);
    }

    run(t);
    assert_true(t->c->max_pcr_gap <= 9000);
    assert_int_equal(t->c->first_pcr, 810000 - 1);

    /* the clock has followed the audio, but for the second it is ahead */

    assert_true(t->c->pcr > 810000 + 90 * (21300 - 1400));
    assert_true(t->c->pcr < 810000 + 90 * (21300 - 950));
    reset(t);

    /* a hole of hours is not filled */

    avc_config(t, 0, 4);
    frame(t, 0, 0, 1, 100);
    frame(t, INT32_MAX, 0, 0, 100);
    run(t);
    assert_true(t->len < 188 * 60);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        lr_test(test_times),
        lr_test(test_wrap),
        lr_test(test_negative_base),
        lr_test(test_tiny),
        lr_test(test_lengths),
        lr_test(test_gather),
        lr_test(test_clock)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
