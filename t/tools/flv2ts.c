
/*
 * Copyright (C) the ngx_live_record authors
 *
 * flv2ts in.flv seconds prefix: cuts an FLV file at keyframes, renders each
 * fragment and writes <prefix>NNN.ts.  A negative number of seconds
 * makes one fragment of all.
 */


#include <stdio.h>
#include <stdlib.h>
#include "lr_flv.h"
#include "lr_ts.h"


#define LR_MAX_ROWS  200000


typedef struct {
    lr_row_t        rows[LR_MAX_ROWS];
    size_t          n;
    int64_t         base;
    unsigned        video:1;
} lr_fragment_t;


static u_char *lr_read(const char *name, size_t *size);
static void lr_add(lr_fragment_t *f, size_t off, size_t size, int64_t dts,
    const lr_flv_body_t *b, unsigned type);
static int lr_render(lr_ts_t *ts, lr_fragment_t *f, const u_char *data,
    const char *prefix, unsigned seq);
static int lr_run(lr_ts_t *ts, lr_fragment_t *f, const u_char *data,
    FILE *fp, unsigned count);


int
main(int argc, char **argv)
{
    long            seconds;
    size_t          off, n, size, conf[2], conf_size[2];
    u_char         *data;
    int64_t         dts;
    unsigned        type, seq, video;
    lr_ts_t        *ts;
    lr_flv_body_t   b, cb;
    lr_fragment_t  *f;

    if (argc != 4) {
        fprintf(stderr, "usage: flv2ts in.flv seconds prefix\n");
        return 2;
    }

    data = lr_read(argv[1], &n);
    ts = lr_ts_create();
    f = calloc(1, sizeof(lr_fragment_t));

    if (data == NULL || ts == NULL || f == NULL) {
        return 2;
    }

    seconds = atol(argv[2]);
    conf_size[0] = 0;
    conf_size[1] = 0;
    conf[0] = 0;
    conf[1] = 0;
    seq = 0;
    video = data[4] & 1;

    for (off = LR_FLV_FILE_HEADER; off + LR_FLV_TAG_HEADER <= n;
         off += LR_FLV_TAG_HEADER + size + LR_FLV_TAG_TRAILER)
    {
        type = data[off];
        size = lr_get_be24(data + off + 1);
        dts = (int32_t) (lr_get_be24(data + off + 4)
                         | (uint32_t) data[off + 7] << 24);

        if (off + LR_FLV_TAG_HEADER + size > n) {
            break;
        }

        if (type != LR_FLV_AUDIO && type != LR_FLV_VIDEO) {
            continue;
        }

        lr_flv_parse(type, data + off + LR_FLV_TAG_HEADER, size, &b);

        if (b.kind == LR_FLV_CONFIG) {
            conf[type == LR_FLV_VIDEO] = off + LR_FLV_TAG_HEADER;
            conf_size[type == LR_FLV_VIDEO] = size;
        }

        if (f->n && b.kind == LR_FLV_FRAME && b.key && seconds >= 0
            && dts - f->base >= seconds * 1000
            && (type == LR_FLV_VIDEO || !video))
        {
            if (lr_render(ts, f, data, argv[3], seq++) != LR_OK) {
                return 1;
            }

            f->n = 0;
        }

        if (f->n == 0) {
            f->base = dts;

            if (conf_size[1] && b.kind != LR_FLV_CONFIG) {
                lr_flv_parse(LR_FLV_VIDEO, data + conf[1], conf_size[1], &cb);
                lr_add(f, conf[1], conf_size[1], dts, &cb, LR_FLV_VIDEO);
            }

            if (conf_size[0] && b.kind != LR_FLV_CONFIG) {
                lr_flv_parse(LR_FLV_AUDIO, data + conf[0], conf_size[0], &cb);
                lr_add(f, conf[0], conf_size[0], dts, &cb, LR_FLV_AUDIO);
            }
        }

        lr_add(f, off + LR_FLV_TAG_HEADER, size, dts, &b, type);
    }

    if (f->n && lr_render(ts, f, data, argv[3], seq) != LR_OK) {
        return 1;
    }

    lr_ts_destroy(ts);
    free(data);
    free(f);

    return 0;
}


static u_char *
lr_read(const char *name, size_t *size)
{
    FILE    *fp;
    long     n;
    u_char  *p;

    fp = fopen(name, "rb");
    if (fp == NULL) {
        perror(name);
        return NULL;
    }

    fseek(fp, 0, SEEK_END);
    n = ftell(fp);
    rewind(fp);

    p = n > LR_FLV_FILE_HEADER ? malloc((size_t) n) : NULL;

    if (p && fread(p, 1, (size_t) n, fp) != (size_t) n) {
        free(p);
        p = NULL;
    }

    fclose(fp);
    *size = (size_t) n;

    return p;
}


static void
lr_add(lr_fragment_t *f, size_t off, size_t size, int64_t dts,
    const lr_flv_body_t *b, unsigned type)
{
    lr_row_t  *row;

    if (f->n == LR_MAX_ROWS) {
        return;
    }

    row = &f->rows[f->n++];
    row->dts = (int32_t) (dts - f->base);
    row->offset = (uint32_t) off;
    row->size = (uint32_t) size;
    row->cts = b->cts;
    row->flags = (type == LR_FLV_VIDEO ? LR_SAMPLE_VIDEO : 0)
                 | (b->key ? LR_SAMPLE_KEY : 0)
                 | (b->kind == LR_FLV_CONFIG ? LR_SAMPLE_CONFIG : 0);
}


static int
lr_render(lr_ts_t *ts, lr_fragment_t *f, const u_char *data,
    const char *prefix, unsigned seq)
{
    char    name[4096];
    FILE   *fp;
    size_t  bytes;

    if (lr_run(ts, f, data, NULL, 1) != LR_OK) {
        return LR_ERROR;
    }

    bytes = ts->mux.bytes;

    snprintf(name, sizeof(name), "%s%03u.ts", prefix, seq);

    fp = fopen(name, "wb");
    if (fp == NULL) {
        perror(name);
        return LR_ERROR;
    }

    if (lr_run(ts, f, data, fp, 0) != LR_OK) {
        fclose(fp);
        return LR_ERROR;
    }

    if ((size_t) ftell(fp) != bytes || ts->mux.bytes != bytes) {
        fprintf(stderr, "%s: %zu counted, %ld written\n", name, bytes,
                ftell(fp));
        fclose(fp);
        return LR_ERROR;
    }

    fclose(fp);

    if (ts->skipped) {
        fprintf(stderr, "%s: %zu samples skipped\n", name, ts->skipped);
    }

    return LR_OK;
}


static int
lr_run(lr_ts_t *ts, lr_fragment_t *f, const u_char *data, FILE *fp,
    unsigned count)
{
    size_t       i;
    ssize_t      hint;
    unsigned     video;
    lr_sample_t  s;

    if (lr_ts_begin(ts, f->rows, f->n, f->base, count) != LR_OK) {
        return LR_ERROR;
    }

    for (video = 0; video < 2; video++) {
        hint = lr_ts_hint_row(ts, video);

        if (hint != -1) {
            lr_ts_hint(ts, video, data + f->rows[hint].offset,
                       f->rows[hint].size);
        }
    }

    for (i = 0; i <= f->n; i++) {

        if (i < f->n) {
            s.dts = f->base + f->rows[i].dts;
            s.cts = f->rows[i].cts;
            s.flags = f->rows[i].flags;
            s.data = data + f->rows[i].offset;
            s.size = f->rows[i].size;

            if (lr_ts_sample(ts, &s) != LR_OK) {
                return LR_ERROR;
            }

        } else if (lr_ts_end(ts) != LR_OK) {
            return LR_ERROR;
        }

        if (fp && ts->mux.out.len) {
            fwrite(ts->mux.out.data, 1, ts->mux.out.len, fp);
            ts->mux.out.len = 0;
        }
    }

    return LR_OK;
}
