
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Bytes as a sequence of samples: what is counted is what is written, and
 * what is written is a legal transport stream.  A sample is
 *
 *     flags, delta of dts (2), cts (1), size (2), body
 *
 * with bit 7 of the flags to put a good configuration or a common header
 * before the body.
 */


#include <stdio.h>
#include <stdlib.h>
#include "lr_ts.h"
#include "../unit/media/ts_check.h"


#define LR_MAX_ROWS  512


typedef struct {
    lr_row_t        rows[LR_MAX_ROWS];
    u_char         *body[LR_MAX_ROWS];
    size_t          n;
    lr_buf_t        out;
} lr_input_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
static void lr_input(lr_input_t *in, const uint8_t *data, size_t size);
static size_t lr_head(u_char *p, unsigned which);
static size_t lr_run(lr_ts_t *ts, lr_input_t *in, unsigned hint,
    unsigned count);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t       i, bytes;
    lr_ts_t     *ts;
    ts_check_t  *c;
    lr_input_t  *in;

    if (size < 1) {
        return 0;
    }

    ts = lr_ts_create();
    in = calloc(1, sizeof(lr_input_t));

    if (ts == NULL || in == NULL) {
        abort();
    }

    lr_input(in, data + 1, size - 1);

    bytes = lr_run(ts, in, data[0] & 1, 1);

    if (in->out.len || bytes != lr_run(ts, in, data[0] & 1, 0)
        || bytes != in->out.len)
    {
        abort();
    }

    c = ts_check(in->out.data, in->out.len);

    if (c->error) {
        fprintf(stderr, "%s, at packet %zu\n", c->error, c->where);
        abort();
    }

    ts_check_free(c);

    for (i = 0; i < in->n; i++) {
        free(in->body[i]);
    }

    lr_buf_free(&in->out);
    lr_ts_destroy(ts);
    free(in);

    return 0;
}


static void
lr_input(lr_input_t *in, const uint8_t *data, size_t size)
{
    size_t     n, k;
    u_char     head[64];
    int32_t    dts;
    unsigned   flags;
    lr_row_t  *row;

    dts = 0;

    while (size >= 6 && in->n < LR_MAX_ROWS) {
        flags = data[0];

        /* mostly forward, with rare long jumps */

        dts += (int16_t) lr_get_be16(data + 1) >> (flags & 0x40 ? 0 : 8);

        row = &in->rows[in->n];
        row->dts = dts;
        row->cts = (int8_t) data[3] * (flags & 0x20 ? 1000 : 1);
        row->flags = flags & 7;

        n = lr_get_be16(data + 4);
        data += 6;
        size -= 6;
        n = n > size ? size : n;

        k = 0;

        if (flags & 0x80 && n) {
            k = lr_head(head, data[0]);
            data++;
            size--;
            n--;
        }

        row->size = (uint32_t) (k + n);
        in->body[in->n] = malloc(k + n + 1);

        if (in->body[in->n] == NULL) {
            abort();
        }

        memcpy(in->body[in->n], head, k);
        memcpy(in->body[in->n] + k, data, n);

        data += n;
        size -= n;
        in->n++;
    }
}


static size_t
lr_head(u_char *p, unsigned which)
{
    static const struct {
        size_t       n;
        const char  *data;
    } t[] = {
        { 30, "\x17\0\0\0\0\1\x42\xc0\x1e\xff\xe1\0\x0a\x67\x42\xc0\x1e\xda"
              "\x02\x80\xf6\xc0\x44\1\0\4\x68\xce\x3c\x80" },
        { 30, "\x17\0\0\0\0\1\x42\xc0\x1e\xfc\xe1\0\x0a\x67\x42\xc0\x1e\xda"
              "\x02\x80\xf6\xc0\x44\1\0\4\x68\xce\x3c\x80" },
        { 28, "\x90hvc1\1\1\x60\0\0\0\x90\0\0\0\0\0\x3c\xf0\0\xfc\xfd\xf8"
              "\xf8\0\0\x0f\0" },
        { 4, "\xaf\0\x12\x10" },
        { 4, "\xaf\0\x11\xe0" },
        { 2, "\xaf\1" },
        { 9, "\x27\1\0\0\0\0\0\0\2" },
        { 9, "\x17\1\0\0\0\0\0\0\3" },
        { 5, "\x27\1\0\0\0" },
        { 5, "\x93hvc1" },
        { 8, "\x91hvc1\0\0\1" },
        { 5, "\x2f\xff\xfb\x90\x44" },
        { 5, "\x2f\xff\xf3\x80\xc0" },
        { 7, "\x90mp4a\x12\x10" },
        { 5, "\x91mp4a" },
        { 9, "\x91.mp3\xff\xfb\x90\x44" },
        { 6, "\x90OpusO" }
    };
    unsigned  i;

    i = which % (sizeof(t) / sizeof(t[0]));
    memcpy(p, t[i].data, t[i].n);

    return t[i].n;
}


static size_t
lr_run(lr_ts_t *ts, lr_input_t *in, unsigned hint, unsigned count)
{
    size_t       i;
    ssize_t      row;
    unsigned     video;
    lr_sample_t  s;

    if (lr_ts_begin(ts, in->rows, in->n, 1000, count) != LR_OK) {
        abort();
    }

    for (video = 0; video < 2; video++) {
        row = lr_ts_hint_row(ts, video);

        if (row != -1 && hint) {
            lr_ts_hint(ts, video, in->body[row], in->rows[row].size);
        }
    }

    for (i = 0; i <= in->n; i++) {

        if (i < in->n) {
            s.dts = 1000 + in->rows[i].dts;
            s.cts = in->rows[i].cts;
            s.flags = in->rows[i].flags;
            s.data = in->body[i];
            s.size = in->rows[i].size;

            if (lr_ts_sample(ts, &s) != LR_OK) {
                abort();
            }

        } else if (lr_ts_end(ts) != LR_OK) {
            abort();
        }

        lr_buf_append(&in->out, ts->mux.out.data, ts->mux.out.len);
        ts->mux.out.len = 0;
    }

    return ts->mux.bytes;
}
