
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Any rows as an FLV file: the sizes foretold are those it has, its tags
 * follow one another to its end, and what the metadata calls a keyframe's
 * place is the beginning of a tag with that time.  The first bytes choose
 * the settings, and each row takes six.
 */


#include <stdlib.h>
#include "lr_flv_file.h"


#define LR_FUZZ_ROWS  4096


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


typedef struct {
    lr_row_t   *rows;
    uint32_t    n;
    uint32_t    cut;                  /* in two fragments */
    int64_t     base[2];
} fuzz_table_t;


static int
fuzz_rows(void *data, size_t i, const lr_row_t **rows, uint32_t *n,
    int64_t *base)
{
    fuzz_table_t *t = data;

    *rows = i ? t->rows + t->cut : t->rows;
    *n = i ? t->n - t->cut : t->cut;
    *base = t->base[i];

    return LR_OK;
}


static void
fuzz_media(lr_buf_t *out, const lr_flv_conf_t *conf, fuzz_table_t *t)
{
    uint32_t       i;
    lr_sample_t    s;
    static u_char  body[256];

    for (i = 0; i < t->n; i++) {
        s.dts = t->base[i >= t->cut] + t->rows[i].dts;
        s.cts = t->rows[i].cts;
        s.flags = t->rows[i].flags;
        s.data = body;
        s.size = t->rows[i].size;

        if (lr_flv_media_sample(out, conf->tracks, conf->origin, &s)
            != LR_OK)
        {
            abort();
        }
    }
}


static double
fuzz_number(const u_char *p)
{
    double    v;
    uint64_t  bits;

    if (*p != 0) {
        abort();
    }

    bits = (uint64_t) lr_get_be32(p + 1) << 32 | lr_get_be32(p + 5);
    memcpy(&v, &bits, sizeof(double));

    return v;
}


/* walks the tags; of the arrays, the entries stand at tags */

static void
fuzz_check(const lr_buf_t *b, size_t head)
{
    static const char  positions[] = "keyframes\3\0\x0d" "filepositions\x0a";
    size_t             pos, at;
    double             ms;
    u_char            *p, *q;
    uint32_t           i, n;

    for (pos = LR_FLV_FILE_HEADER; pos < b->len; pos += n + 15) {

        if (b->len - pos < 15) {
            abort();
        }

        p = b->data + pos;
        n = lr_get_be24(p + 1);

        if (b->len - pos - 15 < n || lr_get_be32(p + 11 + n) != n + 11) {
            abort();
        }
    }

    p = memmem(b->data, head, positions, sizeof(positions) - 1);
    if (p == NULL) {
        return;
    }

    p += sizeof(positions) - 1;
    n = lr_get_be32(p);
    p += 4;
    q = p + (size_t) n * 9 + 2 + 5 + 1 + 4;

    for (i = 0, pos = LR_FLV_FILE_HEADER; i < n; i++) {
        at = (size_t) fuzz_number(p + (size_t) i * 9);
        ms = fuzz_number(q + (size_t) i * 9) * 1000;

        while (pos < at) {
            pos += lr_get_be24(b->data + pos + 1) + 15;
        }

        if (pos != at || pos >= b->len
            || (lr_get_be24(b->data + pos + 4)
                | (uint32_t) b->data[pos + 7] << 24)
               != (uint32_t) ms)
        {
            abort();
        }
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                rc;
    uint64_t           head, media, sum;
    lr_buf_t           out;
    lr_row_t           rows[LR_FUZZ_ROWS];
    lr_table_t         table;
    lr_video_t         video;
    lr_audio_t         audio;
    fuzz_table_t       t;
    lr_flv_conf_t      conf;
    lr_flv_head_t     *h;
    static const char  config[32];

    if (size < 16) {
        return 0;
    }

    memset(&out, 0, sizeof(lr_buf_t));
    memset(&conf, 0, sizeof(lr_flv_conf_t));
    memset(&video, 0, sizeof(lr_video_t));
    memset(&audio, 0, sizeof(lr_audio_t));

    conf.tracks = data[0] & 3;
    conf.video = data[0] & 4 ? &video : NULL;
    conf.audio = data[0] & 8 ? &audio : NULL;
    conf.vconf = conf.aconf = (const u_char *) config;
    conf.vlen = data[1] & 31;
    conf.alen = data[1] >> 3;
    conf.video_id = data[2];
    conf.audio_id = data[2] >> 4;
    conf.align = lr_get_be16(data + 3);
    conf.lead = lr_get_be32(data + 5);
    conf.created = (int64_t) lr_get_be32(data + 9) << (data[0] >> 3);

    video.width = data[3];
    video.height = data[4];
    audio.rate = data[5];
    audio.samples = data[6];
    audio.out_rate = data[7];
    audio.channels = data[8];

    data += 13;
    size -= 13;

    t.rows = rows;
    t.base[0] = (int8_t) data[0] * 1000;
    t.base[1] = (int64_t) data[1] << (data[2] & 31);
    t.n = 0;

    for (data += 3, size -= 3; size >= 6 && t.n < LR_FUZZ_ROWS;
         data += 6, size -= 6)
    {
        rows[t.n].dts = (int16_t) lr_get_be16(data);
        rows[t.n].cts = (int8_t) data[2];
        rows[t.n].size = data[3];
        rows[t.n].flags = data[4];
        rows[t.n].offset = 0;

        if (data[5] == 0xff) {
            rows[t.n].dts *= 65536;
        }

        t.n++;
    }

    t.cut = t.n / 3;

    conf.origin = lr_flv_origin(rows, t.cut, t.base[0], conf.tracks);

    if (conf.origin == INT64_MAX) {
        conf.origin = 0;
    }

    table.n = 2;
    table.rows = fuzz_rows;
    table.data = &t;

    sum = lr_flv_media_size(rows, t.n, conf.tracks);
    h = lr_flv_head_create(&conf, &table, &head, &media);

    if (h == NULL) {

        if (sum > 15 * (uint64_t) t.n) {
            abort();
        }

        return 0;
    }

    while ((rc = lr_flv_head_next(h, &out)) == LR_OK) { /* void */ }

    if (rc != LR_DECLINED || out.len != head || media != sum
        || (conf.align && (head + conf.lead) % conf.align))
    {
        abort();
    }

    fuzz_media(&out, &conf, &t);

    if (out.len != head + media) {
        abort();
    }

    fuzz_check(&out, (size_t) head);

    lr_flv_head_destroy(h);
    lr_buf_free(&out);

    return 0;
}
