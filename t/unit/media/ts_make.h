
/*
 * Copyright (C) the ngx_live_record authors
 *
 * For tests: samples of a fragment, and the transport stream that is made of
 * them, counted, written and read.
 */


#ifndef _TS_MAKE_H_INCLUDED_
#define _TS_MAKE_H_INCLUDED_


#include "lr_ts.h"
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


static inline int
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


static inline void
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


static inline int
teardown(void **state)
{
    test_t  *t;

    t = *state;
    reset(t);
    lr_ts_destroy(t->ts);
    free(t);

    return 0;
}


static inline lr_buf_t *
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


static inline void
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


static inline lr_buf_t *
video(test_t *t, int32_t dts, int32_t cts, unsigned key)
{
    u_char  head[5];

    head[0] = key ? 0x17 : 0x27;
    head[1] = 1;
    (void) lr_put_be24(head + 2, (uint32_t) cts);

    return add(t, dts, cts, V | (key ? K : 0), head, 5);
}


static inline void
frame(test_t *t, int32_t dts, int32_t cts, unsigned key, size_t len)
{
    nal(video(t, dts, cts, key), 4, key ? "\x65\x88" : "\x41\x9a", 2, len);
}


static inline void
avc_config(test_t *t, int32_t dts, unsigned length_size)
{
    lr_buf_t  *b;

    b = add(t, dts, 0, V | C, "\x17\0\0\0\0", 5);
    lr_buf_append(b, avcc, sizeof(avcc));
    b->data[9] = (u_char) (0xfc | (length_size - 1));
}


/* without any parameter sets */

static inline void
hevc_config(test_t *t, int32_t dts)
{
    (void) add(t, dts, 0, V | C,
               "\x90hvc1\1\1\x60\0\0\0\x90\0\0\0\0\0\x3c\xf0\0\xfc\xfd\xf8"
               "\xf8\0\0\x0f\0", 28);
}


static inline void
aac_config(test_t *t, int32_t dts)
{
    (void) add(t, dts, 0, C, "\xaf\0\x11\x90", 4);
}


static inline void
aac(test_t *t, int32_t dts, size_t len)
{
    lr_buf_t  *b;

    b = add(t, dts, 0, K, "\xaf\1", 2);

    while (len--) {
        lr_buf_append(b, "\x21", 1);
    }
}


static inline void
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


static inline void
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

static inline ts_pes_t *
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


static inline size_t
count(test_t *t, unsigned pid)
{
    size_t  n;

    for (n = 0; pes(t, pid, n); n++) { /* void */ }

    return n;
}


static inline void
payload(test_t *t, ts_pes_t *p, const void *data, size_t n)
{
    assert_non_null(p);
    assert_int_equal(p->len, n);
    assert_memory_equal(t->c->es + p->off, data, n);
}


/* a fragment with everything in it, of 4 s */

static inline void
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


#define lr_test(f)  cmocka_unit_test_setup_teardown(f, setup, teardown)


#endif /* _TS_MAKE_H_INCLUDED_ */
