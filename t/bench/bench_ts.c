
/*
 * Copyright (C) the ngx_live_record authors
 *
 * bench_ts [GB]: CPU seconds that rendering takes per GB of media, written
 * and only counted, for synthetic streams of 4 and of 0.5 Mbit/s.
 */


#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "lr_flv.h"
#include "lr_ts.h"


/* a fragment: 30 s, 30 frames and 43 frames of audio a second */
#define LR_SECONDS  30
#define LR_ROWS     (LR_SECONDS * 74 + 2)


typedef struct {
    lr_row_t        rows[LR_ROWS];
    size_t          n;
    u_char         *data;
    size_t          len;
} lr_media_t;


static int lr_make(lr_media_t *m, size_t key, size_t frame, size_t audio);
static u_char *lr_row(lr_media_t *m, size_t size, unsigned ms,
    unsigned flags);
static void lr_bench(const char *name, lr_media_t *m, unsigned count,
    double gb);


int
main(int argc, char **argv)
{
    double      gb;
    lr_media_t  m[2];

    gb = argc > 1 ? atof(argv[1]) : 4;

    if (lr_make(&m[0], 68000, 15700, 370) != LR_OK
        || lr_make(&m[1], 8000, 1450, 370) != LR_OK)
    {
        return 1;
    }

    lr_bench("4 Mbit/s", &m[0], 0, gb);
    lr_bench("4 Mbit/s, counted", &m[0], 1, gb);
    lr_bench("0.5 Mbit/s", &m[1], 0, gb);
    lr_bench("0.5 Mbit/s, counted", &m[1], 1, gb);

    free(m[0].data);
    free(m[1].data);

    return 0;
}


static int
lr_make(lr_media_t *m, size_t key, size_t frame, size_t audio)
{
    static const u_char  avcc[] = {
        0x17, 0, 0, 0, 0,
        1, 0x42, 0xc0, 0x1e, 0xff, 0xe1, 0, 10,
        0x67, 0x42, 0xc0, 0x1e, 0xda, 0x02, 0x80, 0xf6, 0xc0, 0x44,
        1, 0, 4, 0x68, 0xce, 0x3c, 0x80
    };
    static const u_char  asc[] = { 0xaf, 0, 0x12, 0x10 };

    size_t    size;
    u_char   *p;
    unsigned  v, a, is_key;

    m->n = 0;
    m->len = 0;
    m->data = malloc((key + (frame + 512) * 30 + audio * 44) * LR_SECONDS);

    if (m->data == NULL) {
        return LR_ERROR;
    }

    memcpy(lr_row(m, sizeof(avcc), 0, LR_SAMPLE_VIDEO | LR_SAMPLE_CONFIG),
           avcc, sizeof(avcc));
    memcpy(lr_row(m, sizeof(asc), 0, LR_SAMPLE_CONFIG), asc, sizeof(asc));

    v = 0;
    a = 0;

    while (v < LR_SECONDS * 30) {

        if (a * 1024 * 30 < v * 44100) {
            p = lr_row(m, audio, a * 1024 * 10 / 441, LR_SAMPLE_KEY);
            p[0] = 0xaf;
            p[1] = 1;
            p[2] = 0x21;
            a++;
            continue;
        }

        is_key = v % 60 == 0;
        size = is_key ? key : frame + (v * 7919) % 512;
        p = lr_row(m, size, v * 1000 / 30,
                   LR_SAMPLE_VIDEO | (is_key ? LR_SAMPLE_KEY : 0));
        p[0] = is_key ? 0x17 : 0x27;
        p[1] = 1;
        p[2] = 0;
        p[3] = 0;
        p[4] = 0;
        lr_put_be32(p + 5, (uint32_t) size - 9);
        p[9] = is_key ? 0x65 : 0x41;
        p[10] = 0x9a;
        v++;
    }

    return LR_OK;
}


static u_char *
lr_row(lr_media_t *m, size_t size, unsigned ms, unsigned flags)
{
    u_char    *p;
    lr_row_t  *row;

    row = &m->rows[m->n++];
    row->dts = (int32_t) ms;
    row->cts = 0;
    row->offset = (uint32_t) m->len;
    row->size = (uint32_t) size;
    row->flags = flags;

    p = m->data + m->len;
    m->len += size;
    memset(p, 0x5a, size);

    return p;
}


static void
lr_bench(const char *name, lr_media_t *m, unsigned count, double gb)
{
    size_t       i, n, total, bytes, skipped;
    double       cpu;
    clock_t      start;
    lr_ts_t     *ts;
    lr_sample_t  s;

    ts = lr_ts_create();
    if (ts == NULL) {
        return;
    }

    n = (size_t) (gb * 1e9 / (double) m->len) + 1;
    total = n * m->len;
    bytes = 0;
    skipped = 0;

    start = clock();

    while (n--) {

        if (lr_ts_begin(ts, m->rows, m->n, 0, count) != LR_OK) {
            return;
        }

        for (i = 0; i < m->n; i++) {
            s.dts = m->rows[i].dts;
            s.cts = m->rows[i].cts;
            s.flags = m->rows[i].flags;
            s.data = m->data + m->rows[i].offset;
            s.size = m->rows[i].size;

            if (lr_ts_sample(ts, &s) != LR_OK) {
                return;
            }

            if (ts->mux.out.len > 256 * 1024) {
                ts->mux.out.len = 0;
            }
        }

        if (lr_ts_end(ts) != LR_OK) {
            return;
        }

        ts->mux.out.len = 0;
        bytes += ts->mux.bytes;
        skipped += ts->skipped;
    }

    cpu = (double) (clock() - start) / CLOCKS_PER_SEC;

    printf("%-22s %.3f CPU-s/GB, %.2f %% overhead, %zu skipped, "
           "%zu bytes of output buffer\n",
           name, cpu / ((double) total / 1e9),
           100.0 * (double) bytes / (double) total - 100, skipped,
           ts->mux.out.size);

    lr_ts_destroy(ts);
}
