
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "../../../spool/lr_file.c"
#include "../media/mp4_check.h"
#include "spool_check.h"


#define N       5
#define FRAMES  200
#define BASE    70000

#define BOTH    (LR_TRACK_VIDEO|LR_TRACK_AUDIO)

#define SPEEX   "\xb2\1\2\3"


/* what was recorded, for the judge */

typedef struct {
    unsigned    video;
    int64_t     ts;                   /* from the first frame */
    size_t      size;                 /* of the tag's body */
    u_char      data[700];
} frame_t;


static lr_file_fragment_t  list[N];
static frame_t             frames[N * FRAMES * 2];
static size_t              nframes;

static const unsigned      formats[] = { LR_FORMAT_MP4, LR_FORMAT_FLV };


static void
frame(lr_buf_t *flv, lr_buf_t *rows, unsigned video, unsigned fragment,
    unsigned i, size_t n)
{
    int32_t   ts;
    u_char   *p;
    frame_t  *f;

    ts = (int32_t) i * 50 + (video ? 0 : 10);

    f = &frames[nframes++];
    f->video = video;
    f->ts = (int64_t) fragment * 10000 + ts;
    p = f->data;

    if (video) {
        memcpy(p, i ? "\x27\1\0\0\0" : "\x17\1\0\0\0", 5);
        lr_put_be32(p + 5, (uint32_t) n + 2);
        p[9] = i ? 0x41 : 0x65;
        p[10] = 0x80;
        f->size = 11 + n;
        p += 11;

    } else {
        memcpy(p, "\xaf\1", 2);
        f->size = 2 + n;
        p += 2;
    }

    for ( /* void */ ; n; n--) {
        *p++ = (u_char) (nframes * 31 + n * 7);
    }

    check_tag(flv, rows, video ? LR_FLV_VIDEO : LR_FLV_AUDIO, ts + 100,
              f->data, f->size);
}


/*
 * Fragments of 10 s: the third has no audio, the fourth no video.  The
 * times of a fragment count from a little before its first frame.
 */

static void
record(const char *dir)
{
    char      name[32];
    lr_buf_t  flv, rows;
    unsigned  i, k;

    memset(&flv, 0, sizeof(flv));
    memset(&rows, 0, sizeof(rows));
    nframes = 0;

    for (i = 0; i < N; i++) {
        flv.len = rows.len = 0;

        check_tag(&flv, &rows, LR_FLV_VIDEO, 100, CHECK_AVCC,
                  sizeof(CHECK_AVCC) - 1);
        check_tag(&flv, &rows, LR_FLV_AUDIO, 100, CHECK_ASC,
                  sizeof(CHECK_ASC) - 1);

        for (k = 0; k < FRAMES; k++) {
            if (i != 3) {
                frame(&flv, &rows, 1, i, k, 100 + (k * 37 + i) % 500);
            }

            if (i != 2) {
                frame(&flv, &rows, 0, i, k, 1 + (k * 11 + i) % 60);
            }
        }

        snprintf(name, sizeof(name), "%06u.flv", i + 1);
        check_write(dir, name, flv.data, flv.len);
        assert_int_equal(lr_fragment_write_rows(dir, i + 1,
                                                (lr_row_t *) rows.data,
                                                rows.len / sizeof(lr_row_t)),
                         LR_OK);

        list[i].number = i + 1;
        list[i].base = BASE + (int64_t) i * 10000;
        list[i].bytes = flv.len;
    }

    lr_buf_free(&flv);
    lr_buf_free(&rows);
}


static void
source(lr_file_t *f, const char *dir, unsigned format,
    const lr_file_fragment_t *fragments, size_t n, unsigned head)
{
    f->format = format;
    f->dir = dir;
    f->fragments = fragments;
    f->n = n;
    f->from = head ? 0 : 1;
    f->to = n;
    f->created = 1772366400000LL;
    f->align = 0;
    f->head = head;
}


/* the pieces are taken from two buffers in turn */

static void
render(lr_file_t *f, lr_buf_t *window, lr_buf_t *out)
{
    int       rc;
    size_t    n;
    lr_buf_t  bufs[2];
    unsigned  i;

    memset(bufs, 0, sizeof(bufs));

    assert_int_equal(lr_file_open(f, window), LR_OK);
    assert_null(window->data);
    n = 0;

    for (i = 0; ; i ^= 1) {
        rc = lr_file_next(f, &bufs[i]);

        if (rc != LR_OK) {
            break;
        }

        n += bufs[i].len;
        assert_true(bufs[i].len < 100000);
        lr_buf_append(out, bufs[i].data, bufs[i].len);
        bufs[i].len = 0;
    }

    assert_int_equal(rc, LR_DECLINED);
    assert_int_equal(f->size, n);
    assert_int_equal(bufs[0].len + bufs[1].len, 0);

    lr_file_close(f, window);

    lr_buf_free(&bufs[0]);
    lr_buf_free(&bufs[1]);
}


/* each frame where the tables say that it is, and nothing else */

static void
judge_mp4(const lr_buf_t *b)
{
    size_t        i, k, n, head;
    unsigned      t;
    uint64_t      bytes;
    mp4_track_t  *track;
    mp4_check_t  *c;
    mp4_sample_t *s;

    for (head = 0; lr_get_be32(b->data + head + 4) != 0x6d646174; /* void */ )
    {
        head += lr_get_be32(b->data + head);
        assert_true(head + 8 < b->len);
    }

    c = mp4_check(b->data, head + 8);

    if (c->error) {
        print_error("%s\n", c->error);
        fail();
    }

    assert_int_equal(c->n, 2);
    assert_int_equal(c->media, b->len - head - 8);
    bytes = 0;

    for (t = 0; t < 2; t++) {
        track = &c->tracks[t];
        k = 0;

        for (i = 0; i < nframes; i++) {

            if (frames[i].video != (track->handler
                                    == MP4_TYPE('v', 'i', 'd', 'e')))
            {
                continue;
            }

            assert_true(k < track->n);
            s = &track->samples[k++];
            n = frames[i].video ? 5 : 2;
            assert_int_equal(s->size, frames[i].size - n);
            assert_true(s->offset >= head + 8);
            assert_true(s->offset + s->size <= b->len);
            assert_memory_equal(b->data + s->offset, frames[i].data + n,
                                s->size);
            bytes += s->size;

            if (frames[i].video) {
                assert_int_equal(s->dts * 1000 / track->timescale,
                                 frames[i].ts);
            }
        }

        assert_int_equal(k, track->n);
    }

    assert_int_equal(bytes, c->media);
    mp4_check_free(c);
}


static void
judge_flv(const lr_buf_t *b)
{
    size_t    i, n, pos;
    int32_t   ts;
    unsigned  type;
    u_char   *p;

    union {
        uint64_t  n;
        double    v;
    } size;

    p = memmem(b->data, b->len, "\0\x08" "filesize\0", 11);
    assert_non_null(p);
    size.n = lr_get_be64(p + 11);
    assert_true(size.v == (double) b->len);

    pos = LR_FLV_FILE_HEADER;
    i = 0;

    for (n = 0; pos < b->len; n++) {
        p = b->data + pos;
        type = p[0];
        ts = (int32_t) (lr_get_be24(p + 4) | (uint32_t) p[7] << 24);
        pos += LR_FLV_TAG_HEADER + lr_get_be24(p + 1);
        assert_int_equal(lr_get_be32(b->data + pos),
                         LR_FLV_TAG_HEADER + lr_get_be24(p + 1));
        pos += LR_FLV_TAG_TRAILER;

        if (n < 3) {
            assert_int_equal(type, n == 0 ? LR_FLV_SCRIPT
                                          : n == 1 ? LR_FLV_VIDEO
                                                   : LR_FLV_AUDIO);
            continue;
        }

        assert_true(i < nframes);
        assert_int_equal(type, frames[i].video ? LR_FLV_VIDEO
                                               : LR_FLV_AUDIO);
        assert_int_equal(ts, frames[i].ts);
        assert_int_equal(lr_get_be24(p + 1), frames[i].size);
        assert_memory_equal(p + LR_FLV_TAG_HEADER, frames[i].data,
                            frames[i].size);
        i++;
    }

    assert_int_equal(pos, b->len);
    assert_int_equal(i, nframes);
}


static void
judge(unsigned format, const lr_buf_t *b)
{
    if (format == LR_FORMAT_MP4) {
        judge_mp4(b);
    } else {
        judge_flv(b);
    }
}


/*
 * The tail in parts of one or more fragments, whose files are removed then,
 * and the head with the lead last of all: together the file.
 */

static void
parts(void **state)
{
    char                path[CHECK_PATH], name[32];
    size_t              lead, i, k, at, len, step;
    lr_buf_t            window, whole, head, tail;
    unsigned            a, t;
    lr_file_t           f;
    lr_file_fragment_t  some[N + 1];

    static const uint32_t  aligns[] = { 0, 1, 64, 4096, 102400 };

    memset(&f, 0, sizeof(f));
    memset(&window, 0, sizeof(window));
    memset(&whole, 0, sizeof(whole));
    memset(&head, 0, sizeof(head));
    memset(&tail, 0, sizeof(tail));

    for (t = 0; t < 2; t++) {
        record(*state);

        whole.len = 0;
        source(&f, *state, formats[t], list, N, 1);
        render(&f, &window, &whole);
        judge(formats[t], &whole);

        for (lead = 1; lead < N; lead++) {
            step = 1 + lead % 2;
            tail.len = 0;
            record(*state);

            for (i = lead; i < N; i += k) {
                some[0] = list[0];

                for (k = 0; k < step && i + k < N; k++) {
                    some[k + 1] = list[i + k];
                }

                len = tail.len;
                source(&f, *state, formats[t], some, k + 1, 0);
                render(&f, &window, &tail);
                assert_true(tail.len > len);

                for (at = i; at < i + k; at++) {
                    snprintf(name, sizeof(name), "%06u.flv",
                             list[at].number);
                    unlink(check_path(path, *state, name));
                }
            }

            for (a = 0; a < sizeof(aligns) / sizeof(aligns[0]); a++) {
                head.len = 0;
                source(&f, *state, formats[t], list, N, 1);
                f.to = lead;
                f.align = aligns[a];
                render(&f, &window, &head);

                if (aligns[a]) {
                    assert_int_equal(head.len % aligns[a], 0);
                }

                lr_buf_append(&head, tail.data, tail.len);

                if (aligns[a] < 2) {
                    assert_int_equal(head.len, whole.len);
                    assert_memory_equal(head.data, whole.data, whole.len);

                } else {
                    judge(formats[t], &head);
                }
            }
        }

        /* the tables of what is there may be gone */

        record(*state);
        head.len = 0;
        unlink(check_path(path, *state, "000001.idx"));
        source(&f, *state, formats[t], list, N, 1);
        render(&f, &window, &head);
        assert_int_equal(head.len, whole.len);
        assert_memory_equal(head.data, whole.data, whole.len);
    }

    lr_file_free(&f);
    lr_file_free(&f);
    lr_buf_free(&window);
    lr_buf_free(&whole);
    lr_buf_free(&head);
    lr_buf_free(&tail);
}


static void
fails(lr_file_t *f, lr_buf_t *window, int e)
{
    assert_int_equal(lr_file_open(f, window), LR_ERROR);
    assert_int_equal(errno, e);
}


static void
missing(void **state)
{
    int        rc;
    char       path[CHECK_PATH];
    lr_buf_t   window, out;
    unsigned   t;
    lr_file_t  f;

    memset(&f, 0, sizeof(f));
    memset(&window, 0, sizeof(window));
    memset(&out, 0, sizeof(out));

    for (t = 0; t < 2; t++) {

        /* its rows are there, but not its media */

        record(*state);
        unlink(check_path(path, *state, "000003.flv"));
        source(&f, *state, formats[t], list, N, 1);
        assert_int_equal(lr_file_open(&f, &window), LR_OK);

        while ((rc = lr_file_next(&f, &out)) == LR_OK) { /* void */ }

        assert_int_equal(rc, LR_ERROR);
        assert_int_equal(errno, ENOENT);
        lr_file_close(&f, &window);

        /* of other media */

        list[2].bytes++;
        fails(&f, &window, ENOENT);
        list[2].bytes--;

        /* nor its rows; a part without it can be made */

        unlink(check_path(path, *state, "000001.idx"));
        fails(&f, &window, ENOENT);

        source(&f, *state, formats[t], list, 2, 0);
        out.len = 0;
        render(&f, &window, &out);

        /* the first is needed for everything */

        record(*state);
        unlink(check_path(path, *state, "000001.flv"));
        fails(&f, &window, ENOENT);
    }

    lr_file_free(&f);
    lr_buf_free(&window);
    lr_buf_free(&out);
}


static void
one(const char *dir, lr_file_fragment_t *ff, lr_buf_t *flv)
{
    check_write(dir, "000001.flv", flv->data, flv->len);
    ff->number = 1;
    ff->base = 5;
    ff->bytes = flv->len;
}


static void
nothing(void **state)
{
    lr_buf_t            window, flv, out;
    lr_file_t           f;
    lr_file_fragment_t  ff;

    memset(&f, 0, sizeof(f));
    memset(&window, 0, sizeof(window));
    memset(&flv, 0, sizeof(flv));
    memset(&out, 0, sizeof(out));

    check_write(*state, "000001.flv", "FLV", 3);
    ff.number = 1;
    ff.base = 0;
    ff.bytes = 3;
    source(&f, *state, LR_FORMAT_MP4, &ff, 1, 1);
    fails(&f, &window, ENODATA);

    /* a header without frames */

    check_tag(&flv, NULL, LR_FLV_VIDEO, 0, CHECK_AVCC,
              sizeof(CHECK_AVCC) - 1);
    one(*state, &ff, &flv);
    fails(&f, &window, ENODATA);
    f.format = LR_FORMAT_FLV;
    fails(&f, &window, ENODATA);

    /* what only flv can hold */

    flv.len = 0;
    check_tag(&flv, NULL, LR_FLV_AUDIO, 0, SPEEX, sizeof(SPEEX) - 1);
    one(*state, &ff, &flv);
    f.format = LR_FORMAT_MP4;
    fails(&f, &window, ENODATA);

    f.format = LR_FORMAT_FLV;
    render(&f, &window, &out);
    assert_int_equal(f.tracks, LR_TRACK_AUDIO);
    assert_non_null(memmem(out.data, out.len, SPEEX, sizeof(SPEEX) - 1));

    /* mp4 takes the other track of such a fragment */

    check_tag(&flv, NULL, LR_FLV_VIDEO, 0, CHECK_AVCC,
              sizeof(CHECK_AVCC) - 1);
    check_frame(&flv, NULL, 1, 1, 0, 50);
    one(*state, &ff, &flv);
    out.len = 0;
    f.format = LR_FORMAT_MP4;
    render(&f, &window, &out);
    assert_int_equal(f.tracks, LR_TRACK_VIDEO);
    assert_null(memmem(out.data, out.len, SPEEX, sizeof(SPEEX) - 1));
    assert_null(memmem(out.data, out.len, "soun", 4));

    out.len = 0;
    f.format = LR_FORMAT_FLV;
    render(&f, &window, &out);
    assert_int_equal(f.tracks, BOTH);

    lr_file_free(&f);
    lr_buf_free(&window);
    lr_buf_free(&flv);
    lr_buf_free(&out);
}


int
main(void)
{
#define t(f)  cmocka_unit_test_setup_teardown(f, check_setup, check_teardown)
    const struct CMUnitTest  tests[] = {
        t(parts),
        t(missing),
        t(nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
