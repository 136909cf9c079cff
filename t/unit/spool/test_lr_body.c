
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "../../../spool/lr_body.c"
#include "spool_check.h"


static void
collect(lr_body_t *b, lr_buf_t *out, size_t *pieces)
{
    int      rc;
    size_t   n;
    u_char  *p;

    out->len = 0;
    *pieces = 0;

    while ((rc = lr_body_next(b, &p, &n)) == LR_OK) {
        assert_true(n != 0);
        lr_buf_append(out, p, n);
        ++*pieces;
    }

    assert_int_equal(rc, LR_DECLINED);
    assert_int_equal(lr_body_next(b, &p, &n), LR_DECLINED);
    assert_int_equal(b->done, out->len);
}


static void
texts(void **state)
{
    size_t     n;
    lr_buf_t   out;
    lr_body_t  b;

    (void) state;

    memset(&b, 0, sizeof(b));
    memset(&out, 0, sizeof(out));
    lr_buf_puts(&b.text, "#EXTM3U\n");

    for (n = 0; n < 3; n++) {
        size_t  pieces;

        assert_int_equal(lr_body_open(&b, n & 1), LR_OK);
        assert_int_equal(b.size, 8);
        collect(&b, &out, &pieces);
        assert_int_equal(pieces, 1);
        assert_memory_equal(out.data, "#EXTM3U\n", 8);
        lr_body_close(&b);
    }

    lr_buf_free(&b.text);
    lr_buf_free(&out);
}


/* the same bytes each time, whether their number was asked for or not */

static void
fragments(void **state)
{
    size_t       i, n, first;
    lr_buf_t     flv, out, again;
    lr_body_t    b;
    lr_engine_t  e;

    memset(&flv, 0, sizeof(flv));
    memset(&out, 0, sizeof(out));
    memset(&again, 0, sizeof(again));
    memset(&b, 0, sizeof(b));
    memset(&e, 0, sizeof(e));

    check_fragment(&flv, NULL, 100, 20000);
    check_write(*state, "000001.flv", flv.data, flv.len);
    check_fragment(&flv, NULL, 3, 100);
    check_write(*state, "000002.flv", flv.data, flv.len);

    b.dir = *state;
    b.base = 123456;

    assert_int_equal(lr_body_open(&b, 0), LR_ERROR);
    assert_int_equal(errno, ENOMEM);

    b.engine = &e;

    for (i = 0; i < 8; i++) {
        b.number = i % 2 ? 2 : 1;
        assert_int_equal(lr_body_open(&b, i & 2), LR_OK);
        collect(&b, i ? &again : &out, &n);

        assert_int_equal((i ? again.len : out.len) % 188, 0);

        if (i & 2) {
            assert_int_equal(b.size, b.done);
        }

        if (i == 0) {
            assert_true(out.len > 2000000);
            assert_true(n > 3 && n < 10);

        } else if (b.number == 1) {
            assert_int_equal(again.len, out.len);
            assert_memory_equal(again.data, out.data, out.len);
        }

        assert_string_equal(b.tracks.video, "h264");
        assert_int_equal(b.tracks.width, 640);
        assert_int_equal(b.tracks.height, 480);
        assert_string_equal(b.tracks.audio, "aac");
        assert_int_equal(b.tracks.rate, 44100);
        assert_int_equal(b.tracks.channels, 2);

        lr_body_close(&b);
        lr_body_close(&b);

        /* given up in the middle, and tried again */

        if (i == 4) {
            u_char  *p;

            assert_int_equal(lr_body_open(&b, 0), LR_OK);
            assert_int_equal(lr_body_next(&b, &p, &first), LR_OK);
            assert_true(first >= LR_BODY_PIECE);
            lr_body_close(&b);
        }
    }

    lr_engine_free(&e);
    lr_engine_free(&e);
    lr_buf_free(&flv);
    lr_buf_free(&out);
    lr_buf_free(&again);
}


static void
nothing(void **state)
{
    size_t       n;
    lr_buf_t     flv, out;
    lr_body_t    b;
    lr_engine_t  e;

    memset(&b, 0, sizeof(b));
    memset(&e, 0, sizeof(e));
    memset(&flv, 0, sizeof(flv));
    memset(&out, 0, sizeof(out));

    b.dir = *state;
    b.number = 1;
    b.engine = &e;

    assert_int_equal(lr_body_open(&b, 0), LR_ERROR);
    assert_int_equal(errno, ENOENT);

    check_write(*state, "000001.flv", "FLV", 3);
    assert_int_equal(lr_body_open(&b, 1), LR_ERROR);
    assert_int_equal(errno, ENODATA);

    /* a whole tag that no transport stream can hold */

    check_tag(&flv, NULL, LR_FLV_AUDIO, 0, "\x1f\1\2\3\4", 5);
    check_write(*state, "000001.flv", flv.data, flv.len);
    assert_int_equal(lr_body_open(&b, 1), LR_ERROR);
    assert_int_equal(errno, ENODATA);

    assert_int_equal(lr_body_open(&b, 0), LR_OK);
    collect(&b, &out, &n);
    assert_int_equal(b.done, 0);
    lr_body_close(&b);

    /* MP3, whose kind only a frame tells, behind a window of video */

    flv.len = 0;
    check_tag(&flv, NULL, LR_FLV_VIDEO, 0, CHECK_AVCC,
              sizeof(CHECK_AVCC) - 1);
    check_frame(&flv, NULL, 1, 1, 0, 400000);

    {
        u_char  mp3[418];

        memset(mp3, 0, sizeof(mp3));
        memcpy(mp3, "\x2f\xff\xfb\x90\x64", 5);
        check_tag(&flv, NULL, LR_FLV_AUDIO, 5, mp3, sizeof(mp3));
    }

    check_write(*state, "000001.flv", flv.data, flv.len);
    assert_int_equal(lr_body_open(&b, 1), LR_OK);
    collect(&b, &out, &n);
    assert_int_equal(out.len, b.size);
    assert_true(out.len > 400000);
    assert_string_equal(b.tracks.audio, "mp3");
    assert_int_equal(b.tracks.rate, 44100);
    assert_string_equal(b.tracks.video, "h264");
    lr_body_close(&b);

    lr_engine_free(&e);
    lr_engine_free(&e);
    lr_buf_free(&flv);
    lr_buf_free(&out);
}


int
main(void)
{
#define t(f)  cmocka_unit_test_setup_teardown(f, check_setup, check_teardown)
    const struct CMUnitTest  tests[] = {
        t(texts),
        t(fragments),
        t(nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
