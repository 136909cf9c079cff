
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Which tracks a transport stream has, and from where on.
 */


#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#include "ts_make.h"


/* audio with a FourCC is what it is with a codec id */

static void
test_fourcc(void **state)
{
    size_t     i, len;
    test_t    *t;
    u_char    *p;
    lr_buf_t  *b;

    t = *state;

    aac_config(t, 0);
    aac(t, 0, 300);
    run(t);

    len = t->len;
    p = t->out;
    t->out = NULL;
    reset(t);

    (void) add(t, 0, 0, C, "\x90mp4a\x11\x90", 7);

    b = add(t, 0, 0, K, "\x91mp4a", 5);

    for (i = 0; i < 300; i++) {
        lr_buf_append(b, "\x21", 1);
    }

    run(t);
    assert_int_equal(t->skipped, 0);
    assert_int_equal(t->len, len);
    assert_memory_equal(t->out, p, len);
    free(p);
    reset(t);

    /* the type of the first PMT is known before the first frame */

    (void) add(t, 0, 0, K, "\x91.mp3\xff\xfb\x90\x44", 9);
    run(t);
    assert_int_equal(t->skipped, 0);
    assert_int_equal(t->c->types[AUDIO], LR_TS_TYPE_MPEG1);
    assert_int_equal(t->c->pmts, 1);
}


static void
test_audio_only(void **state)
{
    test_t    *t;
    unsigned   i;

    t = *state;
    aac_config(t, 0);

    for (i = 0; i < 1000; i++) {
        aac(t, (int32_t) (i * 64 / 3), 200);
    }

    run(t);
    assert_int_equal(t->c->pcr_pid, AUDIO);
    assert_true(t->c->max_pcr_gap <= 9000);
    assert_int_equal(count(t, AUDIO), 250);
    assert_int_equal(pes(t, AUDIO, 0)->len, 4 * 207);
    assert_int_equal(pes(t, AUDIO, 0)->random, 1);
    assert_int_equal(t->skipped, 0);
}


static void
test_late_tracks(void **state)
{
    test_t    *t;
    unsigned   i;

    t = *state;

    /* audio only at the end, but told of from the start */

    avc_config(t, 0, 4);
    aac_config(t, 0);
    frame(t, 0, 0, 1, 100);
    frame(t, 40, 0, 0, 100);
    aac(t, 40, 100);
    run(t);
    assert_int_equal(t->c->pmts, 1);
    assert_int_equal(t->c->types[AUDIO], 0x0f);
    reset(t);

    /* a configuration without samples is no track */

    avc_config(t, 0, 4);
    aac_config(t, 0);
    frame(t, 0, 0, 1, 100);
    run(t);
    assert_int_equal(t->c->types[AUDIO], 0);
    reset(t);

    /* MPEG audio by the hint, and without one */

    for (i = 0; i < 4; i++) {
        avc_config(t, 0, 4);
        frame(t, 0, 0, 1, 100);
        (void) add(t, 40, 0, K, i & 1 ? "\x2f\xff\xf3\x80\x00\1\2\3\4"
                                      : "\x2f\xff\xfb\x90\x44\1\2\3\4", 9);
        t->no_hint = i > 1;
        run(t);
        assert_int_equal(t->c->types[AUDIO], i & 1 ? 0x04 : 0x03);
        assert_int_equal(t->c->pmts, i > 1 ? 2 : 1);
        assert_int_equal(t->c->payloads[0], 16);
        payload(t, pes(t, AUDIO, 0),
                i & 1 ? "\xff\xf3\x80\x00\1\2\3\4"
                      : "\xff\xfb\x90\x44\1\2\3\4", 8);
        reset(t);
    }

    /* what stands where a sequence header should may be shorter than one */

    for (i = 0; i < 3; i++) {
        avc_config(t, 0, 4);
        frame(t, 0, 0, 1, 100);
        (void) add(t, 20, 0, C, "\xaf\0\x12", i);
        aac(t, 40, 100);
        run(t);
        assert_int_equal(t->c->types[AUDIO], 0);
        reset(t);
    }

    /* in the middle, with the next tables far away */

    avc_config(t, 0, 4);

    for (i = 0; i < 100; i++) {
        frame(t, (int32_t) i * 400, 0, 1, 100);

        if (i > 48) {
            (void) add(t, (int32_t) i * 400, 0, K,
                       "\x2f\xff\xfb\x90\x44\1\2\3\4", 9);
        }
    }

    t->no_hint = 1;
    run(t);
    t->no_hint = 0;
    assert_int_equal(t->c->types[AUDIO], 0x03);
    assert_int_equal(t->c->payloads[0], 16);
    reset(t);

    /* audio that ends early: its last packet is spread nevertheless */

    avc_config(t, 0, 4);
    aac_config(t, 0);
    aac(t, 0, 300);
    aac(t, 21, 300);

    for (i = 0; i < 50; i++) {
        frame(t, (int32_t) i * 40, 0, i == 0, 2000);
    }

    run(t);
    assert_int_equal(t->c->npes, 51);
    assert_int_equal(pes(t, AUDIO, 0)->packets, 16);
    assert_true(pes(t, AUDIO, 0) < pes(t, VIDEO, 0));
    reset(t);

    /*
     * Video that begins after audio is told of from the start; without a hint
     * it takes the clock over.
     */

    for (i = 0; i < 2; i++) {
        unsigned  k;

        aac_config(t, 0);

        for (k = 0; k < 20; k++) {
            aac(t, (int32_t) k * 64 / 3, 100);
        }

        avc_config(t, 400, 4);
        frame(t, 400, 0, 1, 100);
        frame(t, 440, 0, 0, 100);
        t->no_hint = i;
        run(t);
        t->no_hint = 0;
        assert_int_equal(t->skipped, 0);
        assert_int_equal(t->c->pmts, 1 + i);
        assert_int_equal(t->c->pcr_pid, VIDEO);
        assert_int_equal(t->c->types[VIDEO], 0x1b);
        assert_int_equal(t->c->types[AUDIO], 0x0f);
        reset(t);
    }

    /* and audio that begins after video; not if it has no frames */

    for (i = 0; i < 2; i++) {
        avc_config(t, 0, 4);
        frame(t, 0, 0, 1, 100);
        frame(t, 400, 0, 0, 100);
        aac_config(t, 400);

        if (i == 0) {
            aac(t, 400, 100);
        }

        run(t);
        assert_int_equal(t->c->pmts, 1);
        assert_int_equal(t->c->types[AUDIO], i == 0 ? 0x0f : 0);
        reset(t);
    }

    /* also when the audio was far ahead of it in the log */

    aac_config(t, 0);

    for (i = 0; i < 300; i++) {
        aac(t, (int32_t) i * 64 / 3, 100);
    }

    avc_config(t, 3000, 4);
    frame(t, 3000, 0, 1, 100);
    frame(t, 3040, 0, 0, 100);
    run(t);
    assert_int_equal(t->skipped, 0);
    assert_true(t->c->max_pcr_gap <= 9000);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        lr_test(test_fourcc),
        lr_test(test_audio_only),
        lr_test(test_late_tracks)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
