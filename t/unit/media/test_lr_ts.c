
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../../media/lr_ts.c"
#include "ts_check.h"


#define MAX    4096
#define V      LR_SAMPLE_VIDEO
#define K      LR_SAMPLE_KEY
#define C      LR_SAMPLE_CONFIG

#define VIDEO  LR_TS_PID_VIDEO
#define AUDIO  LR_TS_PID_AUDIO


typedef struct {
    lr_row_t        rows[MAX];
    lr_buf_t        data[MAX];
    size_t          n;
    int64_t         base;
    unsigned        no_hint:1;

    /* after run() */

    lr_ts_t        *ts;
    u_char         *out;
    size_t          len;
    size_t          skipped;
    ts_check_t     *c;
} test_t;


static const u_char  avcc[] = {
    1, 0x42, 0xc0, 0x1e, 0xff, 0xe1, 0, 10,
    0x67, 0x42, 0xc0, 0x1e, 0xda, 0x02, 0x80, 0xf6, 0xc0, 0x44,
    1, 0, 4, 0x68, 0xce, 0x3c, 0x80
};

static const u_char  annexb[] = {
    0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1e, 0xda, 0x02, 0x80, 0xf6, 0xc0, 0x44,
    0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80
};

static const u_char  aud[] = { 0, 0, 0, 1, 9, 0xf0 };


static int
setup(void **state)
{
    test_t  *t;

    t = calloc(1, sizeof(test_t));
    if (t == NULL) {
        return -1;
    }

    t->ts = lr_ts_create();
    *state = t;

    return t->ts ? 0 : -1;
}


static void
reset(test_t *t)
{
    size_t  i;

    for (i = 0; i < t->n; i++) {
        lr_buf_free(&t->data[i]);
    }

    if (t->c) {
        ts_check_free(t->c);
        t->c = NULL;
    }

    free(t->out);
    t->out = NULL;
    t->n = 0;
    t->base = 0;
}


static int
teardown(void **state)
{
    test_t  *t;

    t = *state;
    reset(t);
    lr_ts_destroy(t->ts);
    free(t);

    return 0;
}


static lr_buf_t *
add(test_t *t, int32_t dts, int32_t cts, unsigned flags, const void *head,
    size_t n)
{
    lr_row_t  *row;

    assert_true(t->n < MAX);

    row = &t->rows[t->n];
    memset(row, 0, sizeof(lr_row_t));
    row->dts = dts;
    row->cts = cts;
    row->flags = flags;

    lr_buf_append(&t->data[t->n], head, n);

    return &t->data[t->n++];
}


static void
nal(lr_buf_t *b, unsigned size, const void *head, size_t n, size_t len)
{
    size_t  i;
    u_char  buf[4];

    (void) lr_put_be32(buf, (uint32_t) len);
    lr_buf_append(b, buf + 4 - size, size);
    lr_buf_append(b, head, n);

    for (i = n; i < len; i++) {
        lr_buf_append(b, "\x5a", 1);
    }
}


static lr_buf_t *
video(test_t *t, int32_t dts, int32_t cts, unsigned key)
{
    u_char  head[5];

    head[0] = key ? 0x17 : 0x27;
    head[1] = 1;
    (void) lr_put_be24(head + 2, (uint32_t) cts);

    return add(t, dts, cts, V | (key ? K : 0), head, 5);
}


static void
frame(test_t *t, int32_t dts, int32_t cts, unsigned key, size_t len)
{
    nal(video(t, dts, cts, key), 4, key ? "\x65\x88" : "\x41\x9a", 2, len);
}


static void
avc_config(test_t *t, int32_t dts, unsigned length_size)
{
    lr_buf_t  *b;

    b = add(t, dts, 0, V | C, "\x17\0\0\0\0", 5);
    lr_buf_append(b, avcc, sizeof(avcc));
    b->data[9] = (u_char) (0xfc | (length_size - 1));
}


/* without any parameter sets */

static void
hevc_config(test_t *t, int32_t dts)
{
    (void) add(t, dts, 0, V | C,
               "\x90hvc1\1\1\x60\0\0\0\x90\0\0\0\0\0\x3c\xf0\0\xfc\xfd\xf8"
               "\xf8\0\0\x0f\0", 28);
}


static void
aac_config(test_t *t, int32_t dts)
{
    (void) add(t, dts, 0, C, "\xaf\0\x11\x90", 4);
}


static void
aac(test_t *t, int32_t dts, size_t len)
{
    lr_buf_t  *b;

    b = add(t, dts, 0, K, "\xaf\1", 2);

    while (len--) {
        lr_buf_append(b, "\x21", 1);
    }
}


static void
run_once(test_t *t, unsigned count)
{
    size_t       i;
    u_char      *copy;
    ssize_t      hint;
    unsigned     video;
    lr_buf_t     all;
    lr_sample_t  s;

    memset(&all, 0, sizeof(all));

    assert_int_equal(lr_ts_begin(t->ts, t->rows, t->n, t->base, count),
                     LR_OK);

    for (video = 0; video < 2; video++) {
        hint = lr_ts_hint_row(t->ts, video);

        if (hint != -1 && !t->no_hint) {
            lr_ts_hint(t->ts, video, t->data[hint].data, t->data[hint].len);
        }
    }

    for (i = 0; i < t->n; i++) {
        s.dts = t->base + t->rows[i].dts;
        s.cts = t->rows[i].cts;
        s.flags = t->rows[i].flags;
        s.size = t->data[i].len;

        /* gone after the call */

        copy = malloc(s.size + 1);
        assert_non_null(copy);
        s.data = copy;

        if (s.size) {
            memcpy(copy, t->data[i].data, s.size);
        }

        assert_int_equal(lr_ts_sample(t->ts, &s), LR_OK);
        free(copy);

        lr_buf_append(&all, t->ts->mux.out.data, t->ts->mux.out.len);
        t->ts->mux.out.len = 0;
    }

    s.size = 0;
    assert_int_equal(lr_ts_sample(t->ts, &s), LR_ERROR);

    assert_int_equal(lr_ts_end(t->ts), LR_OK);
    lr_buf_append(&all, t->ts->mux.out.data, t->ts->mux.out.len);
    t->ts->mux.out.len = 0;

    if (count) {
        assert_int_equal(all.len, 0);
        t->len = t->ts->mux.bytes;
        t->skipped = t->ts->skipped;
        return;
    }

    assert_int_equal(all.len, t->ts->mux.bytes);
    assert_int_equal(t->len, t->ts->mux.bytes);
    assert_int_equal(t->skipped, t->ts->skipped);
    t->out = all.data;
}


static void
run(test_t *t)
{
    run_once(t, 1);
    run_once(t, 0);

    t->c = ts_check(t->out, t->len);

    if (t->c->error) {
        fail_msg("%s, at packet %zu", t->c->error, t->c->where);
    }
}


/* the n-th PES packet of a PID that has payload */

static ts_pes_t *
pes(test_t *t, unsigned pid, size_t n)
{
    size_t  i;

    for (i = 0; i < t->c->npes; i++) {
        if (t->c->pes[i].pid == pid && t->c->pes[i].len && n-- == 0) {
            return &t->c->pes[i];
        }
    }

    return NULL;
}


static size_t
count(test_t *t, unsigned pid)
{
    size_t  n;

    for (n = 0; pes(t, pid, n); n++) { /* void */ }

    return n;
}


static void
payload(test_t *t, ts_pes_t *p, const void *data, size_t n)
{
    assert_non_null(p);
    assert_int_equal(p->len, n);
    assert_memory_equal(t->c->es + p->off, data, n);
}


/* a fragment with everything in it, of 4 s */

static void
fill(test_t *t)
{
    unsigned  v, a;

    avc_config(t, 0, 4);
    aac_config(t, 0);

    for (v = 0, a = 0; v < 100; v++) {

        while (a * 64 / 3 < v * 40) {
            aac(t, (int32_t) (a * 64 / 3), 100 + a % 200);
            a++;
        }

        frame(t, (int32_t) v * 40, v % 3 ? 80 : 0, v % 50 == 0,
              200 + (v * 977) % 9000);
    }
}


static void
test_whole(void **state)
{
    size_t   i;
    test_t  *t;

    t = *state;
    fill(t);
    run(t);

    assert_int_equal(t->skipped, 0);
    assert_int_equal(t->c->types[VIDEO], 0x1b);
    assert_int_equal(t->c->types[AUDIO], 0x0f);
    assert_int_equal(t->c->pcr_pid, VIDEO);
    assert_int_equal(t->c->pmts, 1);
    assert_int_equal(t->c->payloads[0], 16);
    assert_int_equal(t->c->payloads[LR_TS_PID_PMT], 16);
    assert_true(t->c->max_pcr_gap <= 9000);
    assert_int_equal(count(t, VIDEO), 100);

    for (i = 0; i < 100; i++) {
        assert_int_equal(pes(t, VIDEO, i)->dts, 900000 + i * 3600);
        assert_int_equal(pes(t, VIDEO, i)->pts,
                         900000 + i * 3600 + (i % 3 ? 7200 : 0));
        assert_int_equal(pes(t, VIDEO, i)->random, i % 50 == 0);
    }

    /* up to 8 frames of audio together */

    assert_true(count(t, AUDIO) <= 187 / 8 + 2);

    /* the tables are spread */

    for (i = 0; i < t->len / 188; i++) {
        if (lr_get_be16(t->out + i * 188 + 1) == 0x4000) {
            assert_true(i < t->len / 188 - 32);
        }
    }
}


static void
test_access_unit(void **state)
{
    u_char    buf[64];
    test_t   *t;
    lr_buf_t *b;

    t = *state;
    avc_config(t, 0, 4);

    /* a keyframe without parameter sets, with an AUD of its own */

    b = video(t, 0, 0, 1);
    nal(b, 4, "\x09\x10", 2, 2);
    nal(b, 4, "\x06\x05\x01\x00\x80", 5, 5);
    nal(b, 4, "\x65\x88", 2, 2);

    /* with them */

    b = video(t, 40, 0, 1);
    nal(b, 4, "\x67\x01", 2, 2);
    nal(b, 4, "\x68\x02", 2, 2);
    nal(b, 4, "\x65\x88", 2, 2);

    /* with one of them */

    b = video(t, 80, 0, 1);
    nal(b, 4, "\x68\x02", 2, 2);
    nal(b, 4, "\x65\x88", 2, 2);

    /* a NAL unit of no bytes */

    b = video(t, 120, 0, 0);
    nal(b, 4, "", 0, 0);
    nal(b, 4, "\x41\x88", 2, 2);

    /* two fields, each with an AUD; one for nothing */

    b = video(t, 160, 0, 0);
    nal(b, 4, "\x09\x30", 2, 2);
    nal(b, 4, "\x41\x88", 2, 2);
    nal(b, 4, "\x41\x42", 2, 2);
    nal(b, 4, "\x09\x30", 2, 2);
    nal(b, 4, "\x06\x05", 2, 2);
    nal(b, 4, "\x41\x89", 2, 2);
    nal(b, 4, "\x09\x30", 2, 2);

    /* an encoder that knows no better puts one before each slice */

    b = video(t, 200, 0, 0);
    nal(b, 4, "\x41\x88", 2, 2);
    nal(b, 4, "\x09\x30", 2, 2);
    nal(b, 4, "\x41\x42", 2, 2);

    run(t);
    assert_int_equal(t->skipped, 0);
    assert_int_equal(count(t, VIDEO), 6);

    memcpy(buf, aud, 6);
    memcpy(buf + 6, annexb, 22);
    memcpy(buf + 28, "\0\0\1\x06\x05\x01\x00\x80\0\0\1\x65\x88", 13);
    payload(t, pes(t, VIDEO, 0), buf, 41);

    memcpy(buf + 6, "\0\0\0\1\x67\x01\0\0\0\1\x68\x02\0\0\1\x65\x88", 17);
    payload(t, pes(t, VIDEO, 1), buf, 23);

    memcpy(buf + 6, annexb, 22);
    memcpy(buf + 28, "\0\0\0\1\x68\x02\0\0\1\x65\x88", 11);
    payload(t, pes(t, VIDEO, 2), buf, 39);

    memcpy(buf + 6, "\0\0\1\x41\x88", 5);
    payload(t, pes(t, VIDEO, 3), buf, 11);

    memcpy(buf + 11, "\0\0\1\x41\x42\0\0\0\1\x09\x30", 11);
    memcpy(buf + 22, "\0\0\1\x06\x05\0\0\1\x41\x89", 10);
    payload(t, pes(t, VIDEO, 4), buf, 32);
    payload(t, pes(t, VIDEO, 5), buf, 16);
}


static void
test_length_sizes(void **state)
{
    test_t    *t;
    unsigned   size;
    lr_buf_t  *b;

    t = *state;

    for (size = 1; size <= 4; size++) {
        avc_config(t, 0, size);
        b = video(t, 0, 0, 0);
        nal(b, size, "\x41\x88", 2, 200);
        nal(b, size, "\x41\x12", 2, 255);

        run(t);
        assert_int_equal(t->skipped, 0);
        assert_int_equal(pes(t, VIDEO, 0)->len,
                         6 + sizeof(annexb) + 3 + 200 + 3 + 255);
        reset(t);
    }
}


static void
test_messages(void **state)
{
    u_char     buf[64];
    test_t    *t;
    lr_buf_t  *b;

    t = *state;
    avc_config(t, 0, 4);

    /* AUD, then parameter sets and SEI, then two slices: four messages */

    nal(video(t, 0, 0, 1), 4, "\x09\x10", 2, 2);
    b = video(t, 0, 0, 1);
    nal(b, 4, "\x67\x01", 2, 2);
    nal(b, 4, "\x68\x02", 2, 2);
    nal(b, 4, "\x06\x05", 2, 2);
    nal(video(t, 0, 80, 1), 4, "\x65\x88", 2, 2);
    nal(video(t, 0, 80, 1), 4, "\x65\x42", 2, 2);

    /* end of sequence, which can only follow */

    nal(video(t, 1, 0, 0), 4, "\x0a", 1, 1);

    /* the next; and an SEI for a picture that does not come */

    nal(video(t, 40, 0, 0), 4, "\x41\x88", 2, 2);
    nal(video(t, 41, 0, 0), 4, "\x06\x05", 2, 2);

    run(t);
    assert_int_equal(t->skipped, 1);
    assert_int_equal(count(t, VIDEO), 4);

    memcpy(buf, aud, 6);
    memcpy(buf + 6, "\0\0\0\1\x67\x01\0\0\0\1\x68\x02\0\0\1\x06\x05", 17);
    memcpy(buf + 23, "\0\0\1\x65\x88", 5);
    payload(t, pes(t, VIDEO, 0), buf, 28);
    assert_int_equal(pes(t, VIDEO, 0)->pts, 900000 + 7200);
    assert_int_equal(pes(t, VIDEO, 0)->random, 1);

    payload(t, pes(t, VIDEO, 1), "\0\0\1\x65\x42", 5);
    assert_true(pes(t, VIDEO, 1)->pts == TS_NO_STAMP);

    payload(t, pes(t, VIDEO, 2), "\0\0\1\x0a", 4);

    memcpy(buf + 6, "\0\0\1\x41\x88", 5);
    payload(t, pes(t, VIDEO, 3), buf, 11);
    reset(t);

    /* an SEI begins a picture whose first slice was lost */

    avc_config(t, 0, 4);
    frame(t, 0, 0, 1, 10);
    nal(video(t, 40, 0, 0), 4, "\x06\x05", 2, 2);
    nal(video(t, 40, 0, 0), 4, "\x41\x42", 2, 2);
    run(t);
    assert_int_equal(pes(t, VIDEO, 1)->pts, 900000 + 3600);
    memcpy(buf + 6, "\0\0\1\x06\x05\0\0\1\x41\x42", 10);
    payload(t, pes(t, VIDEO, 1), buf, 16);
    reset(t);

    /* a sequence header of audio that is not taken is nothing to video */

    avc_config(t, 0, 4);
    nal(video(t, 0, 0, 0), 4, "\x06\x05", 2, 2);
    (void) add(t, 0, 0, C, "\x90OpusOpusHead", 13);
    nal(video(t, 0, 0, 0), 4, "\x41\x88", 2, 2);
    run(t);
    assert_int_equal(t->skipped, 1);
    memcpy(buf + 6, annexb, 22);
    memcpy(buf + 28, "\0\0\1\x06\x05\0\0\1\x41\x88", 10);
    payload(t, pes(t, VIDEO, 0), buf, 38);
}


/* no key picture: an intra refresh can be entered all the same */

static void
test_no_key(void **state)
{
    u_char    buf[64];
    test_t   *t;

    t = *state;

    avc_config(t, 0, 4);
    nal(video(t, 0, 0, 0), 4, "\x41\x88", 2, 2);
    nal(video(t, 40, 0, 0), 4, "\x41\x88", 2, 2);

    /* what changes is for the next key picture, those before are of the old */

    avc_config(t, 80, 4);
    nal(video(t, 80, 0, 0), 4, "\x41\x88", 2, 2);
    nal(video(t, 120, 0, 1), 4, "\x65\x88", 2, 2);

    run(t);
    assert_int_equal(count(t, VIDEO), 4);

    memcpy(buf, aud, 6);
    memcpy(buf + 6, annexb, 22);
    memcpy(buf + 28, "\0\0\1\x41\x88", 5);
    payload(t, pes(t, VIDEO, 0), buf, 33);
    assert_int_equal(pes(t, VIDEO, 0)->random, 0);

    memcpy(buf + 28, "\0\0\1\x65\x88", 5);
    payload(t, pes(t, VIDEO, 3), buf, 33);

    memcpy(buf + 6, "\0\0\1\x41\x88", 5);
    payload(t, pes(t, VIDEO, 1), buf, 11);
    payload(t, pes(t, VIDEO, 2), buf, 11);
    reset(t);

    /* they are there already */

    avc_config(t, 0, 4);
    nal(video(t, 0, 0, 0), 4, "\x67\x01", 2, 2);
    nal(video(t, 0, 0, 0), 4, "\x68\x02", 2, 2);
    nal(video(t, 0, 0, 0), 4, "\x41\x88", 2, 2);
    nal(video(t, 40, 0, 0), 4, "\x41\x88", 2, 2);

    run(t);
    assert_int_equal(count(t, VIDEO), 2);
    memcpy(buf + 6, "\0\0\0\1\x67\x01\0\0\0\1\x68\x02\0\0\1\x41\x88",
           17);
    payload(t, pes(t, VIDEO, 0), buf, 23);
    memcpy(buf + 6, "\0\0\1\x41\x88", 5);
    payload(t, pes(t, VIDEO, 1), buf, 11);
}


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
test_held_bound(void **state)
{
    test_t    *t;
    unsigned   i;

    t = *state;
    avc_config(t, 0, 4);

    for (i = 0; i < 20; i++) {
        nal(video(t, (int32_t) i, 0, 0), 4, "\x06\x05", 2, 10000);
    }

    frame(t, 40, 0, 0, 10);
    run(t);

    assert_int_equal(t->skipped, 14);
    assert_int_equal(pes(t, VIDEO, 0)->len,
                     6 + sizeof(annexb) + 6 * 10003 + 13);
    assert_true(t->ts->held.size <= LR_TS_HELD_MAX);
}


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
test_broken(void **state)
{
    test_t    *t;
    lr_buf_t  *b;

    t = *state;

    /* before any configuration */

    frame(t, 0, 0, 1, 100);
    aac(t, 0, 100);
    run(t);
    assert_int_equal(t->len, 0);
    assert_int_equal(t->skipped, 2);
    reset(t);

    /* no rows at all, and configurations only */

    run(t);
    assert_int_equal(t->len, 0);
    reset(t);

    avc_config(t, 0, 4);
    aac_config(t, 0);
    run(t);
    assert_int_equal(t->len, 0);
    assert_int_equal(t->skipped, 0);
    reset(t);

    /* the last samples do not parse: the counters are made full */

    avc_config(t, 0, 4);
    aac_config(t, 0);
    frame(t, 0, 0, 1, 3000);
    aac(t, 0, 100);
    aac(t, 300, 9000);
    lr_buf_append(video(t, 40, 0, 0), "\0\0\1\0\x41", 5);
    (void) add(t, 41, 0, V, NULL, 0);
    run(t);
    assert_int_equal(t->skipped, 2);
    assert_int_equal(count(t, VIDEO), 1);
    assert_int_equal(count(t, AUDIO), 1);
    reset(t);

    /* what comes before the damage is kept */

    avc_config(t, 0, 4);
    b = video(t, 0, 0, 1);
    nal(b, 4, "\x65\x88", 2, 50);
    lr_buf_append(b, "\0\0\1", 3);
    run(t);
    assert_int_equal(t->skipped, 1);
    assert_int_equal(pes(t, VIDEO, 0)->len, 6 + 22 + 53);
    reset(t);

    /* a bad configuration changes nothing; other codecs are left out */

    avc_config(t, 0, 4);
    (void) add(t, 0, 0, V | C, "\x17\0\0\0\0\1\1", 7);
    frame(t, 0, 0, 1, 100);
    (void) add(t, 10, 0, V, "\x22\1\1\1", 4);
    (void) add(t, 10, 0, K, "\xb2\1\1\1", 4);
    run(t);
    assert_int_equal(t->skipped, 3);
    assert_int_equal(count(t, VIDEO), 1);
    assert_int_equal(t->c->types[AUDIO], 0);
    reset(t);

    /* the configuration of the fragment before is not this one's */

    frame(t, 0, 0, 1, 100);
    aac(t, 0, 100);
    run(t);
    assert_int_equal(t->len, 0);
    assert_int_equal(t->skipped, 2);
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


static void
test_config_change(void **state)
{
    test_t    *t;
    ts_pes_t  *p;

    t = *state;
    avc_config(t, 0, 4);
    frame(t, 0, 0, 1, 10);
    avc_config(t, 40, 2);
    t->data[t->n - 1].data[5 + 8 + 3] = 0x28;
    nal(video(t, 40, 0, 1), 2, "\x65\x88", 2, 10);
    run(t);

    assert_int_equal(t->skipped, 0);
    p = pes(t, VIDEO, 0);
    assert_int_equal(t->c->es[p->off + 13], 0x1e);
    p = pes(t, VIDEO, 1);
    assert_int_equal(p->len, 6 + 22 + 13);
    assert_int_equal(t->c->es[p->off + 13], 0x28);
    reset(t);

    /* from AAC of 48 to 44.1 kHz to MP3 */

    aac_config(t, 0);
    aac(t, 0, 10);
    (void) add(t, 21, 0, C, "\xaf\0\x12\x10", 4);
    aac(t, 21, 10);
    (void) add(t, 43, 0, K, "\x2f\xff\xfb\x90\x44\1\2\3\4", 9);
    run(t);

    assert_int_equal(t->skipped, 0);
    assert_int_equal(t->c->pmts, 2);
    assert_int_equal(count(t, AUDIO), 3);
    p = pes(t, AUDIO, 0);
    assert_int_equal(t->c->es[p->off + 2], 0x4c);
    p = pes(t, AUDIO, 1);
    assert_int_equal(t->c->es[p->off + 2], 0x50);
    reset(t);

    /* sequence headers of frames that come in the next fragment */

    avc_config(t, 0, 4);
    frame(t, 0, 0, 1, 10);
    (void) add(t, 0, 0, K, "\x2f\xff\xfb\x90\x44\1\2\3\4", 9);
    hevc_config(t, 40);
    aac_config(t, 40);
    (void) add(t, 400, 0, K, "\x2f\xff\xfb\x90\x44\1\2\3\4", 9);
    run(t);

    assert_int_equal(t->skipped, 0);
    assert_int_equal(t->c->types[VIDEO], LR_TS_TYPE_AVC);
    assert_int_equal(t->c->types[AUDIO], LR_TS_TYPE_MPEG1);
    assert_int_equal(t->c->pmts, 1);
    assert_int_equal(t->ts->shown, LR_CODEC_AVC);
    assert_int_equal(t->ts->heard.codec, LR_CODEC_MP3);
    reset(t);

    /* and where some do come */

    avc_config(t, 0, 4);
    frame(t, 0, 0, 1, 10);
    hevc_config(t, 40);
    nal(add(t, 40, 0, V | K, "\x93hvc1", 5), 4, "\x26\1\xaf", 3, 3);
    run(t);

    assert_int_equal(t->skipped, 0);
    assert_int_equal(t->c->types[VIDEO], LR_TS_TYPE_HEVC);
    assert_int_equal(t->c->pmts, 2);
    assert_int_equal(t->ts->shown, LR_CODEC_AVC);
}


/* long parameter sets, short key pictures */

static void
test_long_sets(void **state)
{
    size_t     i, len;
    test_t    *t;
    lr_buf_t  *b;
    unsigned   n;

    static const size_t  sizes[] = { 502, 503, 4000, 65000 };

    t = *state;

    for (n = 0; n < 4; n++) {

        for (i = 0; i < 2; i++) {
            b = add(t, (int32_t) i * 4000, 0, V | C, "\x17\0\0\0\0", 5);
            lr_buf_append(b, "\1\x42\xc0\x1e\xff\xe1", 6);
            nal(b, 2, "\x67\x42\xc0\x1e", 4, sizes[n]);
            lr_buf_append(b, "\1\0\2\x68\xce", 5);

            /* the last one is longer, half of it in a message before */

            for (len = 0; len < 98; len++) {
                frame(t, (int32_t) (i * 4000 + len * 40), 0, 1, 10);
            }

            nal(video(t, (int32_t) i * 4000 + 3920, 0, 1), 4, "\x06\x05", 2,
                sizes[n] / 16);
            frame(t, (int32_t) i * 4000 + 3920, 0, 1, sizes[n] / 16);
        }

        run(t);
        assert_int_equal(t->skipped, 0);
        assert_int_equal(count(t, VIDEO), 198);

        /* Annex B, with start codes and both sets */

        len = 4 + sizes[n] + 4 + 2;

        for (i = 0; i < 198; i++) {
            assert_int_equal(pes(t, VIDEO, i)->len,
                             6 + (i % 99 == 98 ? 2 * (sizes[n] / 16 + 3)
                                               : 10 + 3)
                             + (n < 1 || i % 99 == 0 || i % 99 == 98
                                ? len : 0));
        }

        /* of what was published */

        for (i = 0, len = 0; i < t->n; i++) {
            len += t->data[i].len + LR_FLV_TAG_HEADER + LR_FLV_TAG_TRAILER;
        }

        assert_true(t->len < 20 * len);
        reset(t);
    }
}


static void
test_hevc(void **state)
{
    static const u_char  hvcc[] = {
        1, 1, 0x60, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 60, 0xf0, 0, 0xfc, 0xfd,
        0xf8, 0xf8, 0, 0, 0x0f, 3,
        0xa0, 0, 1, 0, 3, 0x40, 1, 1, 0xa1, 0, 1, 0, 3, 0x42, 1, 2,
        0xa2, 0, 1, 0, 3, 0x44, 1, 3
    };
    u_char      buf[64];
    test_t     *t;
    lr_buf_t   *b;

    t = *state;

    b = add(t, 0, 0, V | C, "\x90hvc1", 5);
    lr_buf_append(b, hvcc, sizeof(hvcc));

    b = add(t, 0, 80, V | K, "\x91hvc1\0\0\x50", 8);
    nal(b, 4, "\x46\1\x10", 3, 3);
    nal(b, 4, "\x26\1\xaf", 3, 3);

    /* the second slice segment, a suffix SEI, the next picture */

    nal(add(t, 0, 80, V | K, "\x91hvc1\0\0\x50", 8), 4, "\x26\1\x2f", 3, 3);
    nal(add(t, 1, 0, V, "\xa3hvc1", 5), 4, "\x50\1\5", 3, 3);
    nal(add(t, 40, 0, V, "\x2c\1\0\0\0", 5), 4, "\2\1\xd0", 3, 3);
    run(t);

    assert_int_equal(t->skipped, 0);
    assert_int_equal(t->c->types[VIDEO], 0x24);
    assert_int_equal(count(t, VIDEO), 4);

    memcpy(buf, "\0\0\0\1\x46\1\x50\0\0\0\1\x40\1\1\0\0\0\1\x42\1\2", 21);
    memcpy(buf + 21, "\0\0\0\1\x44\1\3\0\0\1\x26\1\xaf", 13);
    payload(t, pes(t, VIDEO, 0), buf, 34);
    assert_int_equal(pes(t, VIDEO, 0)->pts, 900000 + 7200);
    assert_int_equal(pes(t, VIDEO, 0)->random, 1);

    payload(t, pes(t, VIDEO, 1), "\0\0\1\x26\1\x2f", 6);
    payload(t, pes(t, VIDEO, 2), "\0\0\1\x50\1\5", 6);
    payload(t, pes(t, VIDEO, 3), "\0\0\0\1\x46\1\x50\0\0\1\2\1\xd0", 13);
}


static void
test_reuse(void **state)
{
    size_t   i, size;
    test_t  *t;

    t = *state;
    fill(t);
    run_once(t, 1);
    run_once(t, 0);
    size = t->ts->mux.out.size;

    for (i = 0; i < 20; i++) {
        free(t->out);
        run_once(t, 1);
        run_once(t, 0);
        assert_int_equal(t->ts->mux.out.size, size);
    }
}


#define lr_test(f)  cmocka_unit_test_setup_teardown(f, setup, teardown)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        lr_test(test_whole),
        lr_test(test_access_unit),
        lr_test(test_length_sizes),
        lr_test(test_messages),
        lr_test(test_no_key),
        lr_test(test_fourcc),
        lr_test(test_held_bound),
        lr_test(test_times),
        lr_test(test_wrap),
        lr_test(test_negative_base),
        lr_test(test_tiny),
        lr_test(test_lengths),
        lr_test(test_broken),
        lr_test(test_audio_only),
        lr_test(test_gather),
        lr_test(test_clock),
        lr_test(test_late_tracks),
        lr_test(test_config_change),
        lr_test(test_long_sets),
        lr_test(test_hevc),
        lr_test(test_reuse)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
