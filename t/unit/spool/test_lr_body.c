
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


/* a fragment, or some of the files made of it, as the source */

static void
source(lr_body_t *b, const char *dir, lr_body_kind_e kind, uint32_t number,
    int64_t base)
{
    lr_body_t  from;

    memset(&from, 0, sizeof(from));

    from.kind = kind;
    from.dir = dir;
    from.n = 1;
    from.to = 1;
    from.head = 1;
    from.format = LR_FORMAT_MP4;
    from.fragments = calloc(1, sizeof(lr_file_fragment_t));
    assert_non_null(from.fragments);
    from.fragments[0].number = number;
    from.fragments[0].base = base;

    lr_body_take(b, &from);
    assert_null(from.fragments);
    lr_body_free(&from);
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

    /* another takes its place */

    {
        lr_body_t  other;

        memset(&other, 0, sizeof(other));
        lr_buf_puts(&other.text, "{}");
        lr_body_take(&b, &other);
        assert_null(other.text.data);
        assert_int_equal(lr_body_open(&b, 0), LR_OK);
        assert_int_equal(b.size, 2);
        lr_body_close(&b);
    }

    lr_body_free(&b);
    lr_body_free(&b);
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

    source(&b, *state, LR_BODY_TS, 1, 123456);

    assert_int_equal(lr_body_open(&b, 0), LR_ERROR);
    assert_int_equal(errno, ENOMEM);

    b.engine = &e;

    for (i = 0; i < 8; i++) {
        source(&b, *state, LR_BODY_TS, i % 2 ? 2 : 1, 123456);
        assert_int_equal(lr_body_open(&b, i & 2), LR_OK);
        collect(&b, i ? &again : &out, &n);

        assert_int_equal((i ? again.len : out.len) % 188, 0);

        if (i & 2) {
            assert_int_equal(b.size, b.done);
        }

        if (i == 0) {
            assert_true(out.len > 2000000);
            assert_true(n > 3 && n < 10);

        } else if (b.fragments[0].number == 1) {
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

    lr_body_free(&b);
    lr_engine_free(&e);
    lr_engine_free(&e);
    lr_buf_free(&flv);
    lr_buf_free(&out);
    lr_buf_free(&again);
}


/* pieces of another length, each at a multiple of it in memory */

static void
in_pieces(void **state)
{
    int          rc;
    size_t       i, n, first, at, pieces;
    u_char      *p;
    lr_buf_t     flv, whole;
    lr_body_t    b;
    lr_engine_t  e;

    memset(&flv, 0, sizeof(flv));
    memset(&whole, 0, sizeof(whole));
    memset(&b, 0, sizeof(b));
    memset(&e, 0, sizeof(e));

    check_fragment(&flv, NULL, 300, 20000);
    check_write(*state, "000001.flv", flv.data, flv.len);

    source(&b, *state, LR_BODY_TS, 1, 123456);
    b.engine = &e;

    assert_int_equal(lr_body_open(&b, 0), LR_OK);
    collect(&b, &whole, &pieces);
    lr_body_close(&b);

    for (i = 0; i < 5; i++) {
        first = i * 1000;
        assert_int_equal(lr_body_open(&b, i % 2), LR_OK);
        assert_int_equal(lr_body_pieces(&b, first, 1048576, 4096), LR_OK);

        for (at = 0;
             (rc = lr_body_next(&b, &p, &n)) == LR_OK;
             at += n)
        {
            assert_int_equal((uintptr_t) p % 4096, 0);

            if (at == 0 && first) {
                assert_int_equal(n, first);

            } else if (at + n < whole.len) {
                assert_int_equal(n, 1048576);
            }

            assert_true(at + n <= whole.len);
            assert_memory_equal(p, whole.data + at, n);
        }

        assert_int_equal(rc, LR_DECLINED);
        assert_int_equal(at, whole.len);
        lr_body_close(&b);
    }

    /* the next one has pieces as ever */

    assert_int_equal(lr_body_open(&b, 0), LR_OK);
    assert_int_equal(lr_body_next(&b, &p, &n), LR_OK);
    assert_int_equal(n, LR_BODY_PIECE);
    lr_body_close(&b);

    lr_body_free(&b);
    lr_engine_free(&e);
    lr_buf_free(&whole);
    lr_buf_free(&flv);
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

    source(&b, *state, LR_BODY_TS, 1, 0);
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

    /* sequence headers of frames that the next fragment begins with */

    check_tag(&flv, NULL, LR_FLV_VIDEO, 5,
              "\x90hvc1\1\1\x60\0\0\0\x90\0\0\0\0\0\x3c\xf0\0\xfc\xfd\xf8"
              "\xf8\0\0\x0f\0", 28);
    check_tag(&flv, NULL, LR_FLV_AUDIO, 5, "\xaf\0\x11\x88", 4);
    check_write(*state, "000001.flv", flv.data, flv.len);
    assert_int_equal(lr_body_open(&b, 0), LR_OK);
    collect(&b, &out, &n);
    assert_string_equal(b.tracks.video, "h264");
    assert_int_equal(b.tracks.width, 640);
    assert_string_equal(b.tracks.audio, "mp3");
    assert_int_equal(b.tracks.rate, 44100);
    assert_int_equal(b.tracks.channels, 2);
    lr_body_close(&b);

    lr_body_free(&b);
    lr_engine_free(&e);
    lr_engine_free(&e);
    lr_buf_free(&flv);
    lr_buf_free(&out);
}


/* mp4 and flv, whole and in parts, in turns with a ts of the same engine */

static void
files(void **state)
{
    int                 rc;
    char                name[32], path[CHECK_PATH];
    size_t              i, n, want, pieces, round;
    u_char             *p;
    lr_buf_t            flv, rows, whole, out, joined;
    lr_body_t           b, from;
    lr_engine_t         e;
    lr_file_fragment_t  list[4];

    memset(&flv, 0, sizeof(flv));
    memset(&rows, 0, sizeof(rows));
    memset(&whole, 0, sizeof(whole));
    memset(&out, 0, sizeof(out));
    memset(&joined, 0, sizeof(joined));
    memset(&b, 0, sizeof(b));
    memset(&e, 0, sizeof(e));

    for (round = 0; round < 4; round++) {

        for (i = 0; i < 4; i++) {
            check_fragment(&flv, &rows, 20 + (unsigned) i, 9000);
            snprintf(name, sizeof(name), "%06u.flv", (unsigned) i + 1);
            check_write(*state, name, flv.data, flv.len);

            if (round < 2) {
                lr_fragment_write_rows(*state, (uint32_t) i + 1,
                                       (lr_row_t *) rows.data,
                                       rows.len / sizeof(lr_row_t));
            }

            list[i].number = (uint32_t) i + 1;
            list[i].base = (int64_t) i * 1000;
            list[i].bytes = flv.len;
        }

        memset(&from, 0, sizeof(from));
        from.kind = LR_BODY_FILE;
        from.format = round % 2 ? LR_FORMAT_FLV : LR_FORMAT_MP4;
        from.dir = *state;
        from.fragments = malloc(sizeof(list));
        memcpy(from.fragments, list, sizeof(list));
        from.n = 4;
        from.to = 4;
        from.created = 1772366400000LL;
        from.head = 1;
        lr_body_take(&b, &from);
        b.engine = NULL;

        assert_int_equal(lr_body_open(&b, 1), LR_ERROR);
        assert_int_equal(errno, ENOMEM);
        b.engine = &e;

        for (i = 0; i < 3; i++) {
            assert_int_equal(lr_body_open(&b, i & 1), LR_OK);
            want = b.size;
            collect(&b, i ? &out : &whole, &pieces);
            assert_int_equal(b.done, want);
            assert_int_equal(pieces, want / LR_BODY_PIECE + 1);
            lr_body_close(&b);
            lr_body_close(&b);

            if (i) {
                assert_int_equal(out.len, whole.len);
                assert_memory_equal(out.data, whole.data, out.len);
            }

            /* given up in the middle; a ts; without memory at the time */

            assert_int_equal(lr_body_open(&b, 1), LR_OK);
            assert_int_equal(lr_body_next(&b, &p, &n), LR_OK);
            assert_int_equal(n, LR_BODY_PIECE);
            lr_body_close(&b);

            source(&from, *state, LR_BODY_TS, 2, 0);
            from.engine = &e;
            assert_int_equal(lr_body_open(&from, 1), LR_OK);
            collect(&from, &out, &pieces);
            lr_body_close(&from);
            lr_body_free(&from);

            assert_int_equal(lr_body_open(&b, 1), LR_OK);
            e.out.failed = 1;
            assert_int_equal(lr_body_next(&b, &p, &n), LR_ERROR);
            assert_int_equal(errno, ENOMEM);
            lr_body_close(&b);

            lr_engine_free(&e);
        }

        /* two, and one that is gone then; the others last of all */

        b.n = 3;
        b.head = 0;
        b.from = 1;
        b.to = 3;
        b.fragments[1] = list[2];
        b.fragments[2] = list[3];
        assert_int_equal(lr_body_open(&b, 0), LR_OK);
        collect(&b, &joined, &pieces);
        assert_int_equal(b.size, b.done);
        lr_body_close(&b);

        unlink(check_path(path, *state, "000004.flv"));

        rc = lr_body_open(&b, 0);

        while (rc == LR_OK) {
            rc = lr_body_next(&b, &p, &n);
        }

        assert_int_equal(rc, LR_ERROR);
        assert_int_equal(errno, ENOENT);
        lr_body_close(&b);

        memcpy(b.fragments, list, sizeof(list));
        b.n = 4;
        b.head = 1;
        b.from = 0;
        b.to = 2;

        if (round < 2) {
            assert_int_equal(lr_body_open(&b, 0), LR_OK);
            collect(&b, &out, &pieces);
            assert_int_equal(b.size, out.len);
            lr_body_close(&b);
            lr_buf_append(&out, joined.data, joined.len);
            assert_int_equal(out.len, whole.len);
            assert_memory_equal(out.data, whole.data, out.len);

        } else {
            assert_int_equal(lr_body_open(&b, 0), LR_ERROR);
            assert_int_equal(errno, ENOENT);
        }

        /* nothing at all */

        b.n = 1;
        b.head = 0;
        b.from = b.to = 1;
        assert_int_equal(lr_body_open(&b, 0), LR_ERROR);
        assert_int_equal(errno, ENODATA);
        lr_body_close(&b);

        lr_body_free(&b);
        unlink(check_path(path, *state, "000001.idx"));
    }

    lr_engine_free(&e);
    lr_buf_free(&flv);
    lr_buf_free(&rows);
    lr_buf_free(&whole);
    lr_buf_free(&out);
    lr_buf_free(&joined);
}


int
main(void)
{
#define t(f)  cmocka_unit_test_setup_teardown(f, check_setup, check_teardown)
    const struct CMUnitTest  tests[] = {
        t(texts),
        t(fragments),
        t(in_pieces),
        t(nothing),
        t(files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
