
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Bytes as a configuration and rows: the head is as long as was said, its
 * boxes and tables agree, and each sample is the bytes of its messages.
 * A row is
 *
 *     flags, delta of dts (2), cts (1), size (2)
 */


#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "lr_mp4.h"
#include "../unit/media/mp4_make.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
static void lr_conf(lr_mp4_conf_t *conf, lr_video_t *v, lr_audio_t *a,
    const uint8_t *data);
static void lr_rows(mp4_make_t *m, const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lr_audio_t   a;
    lr_video_t   v;
    mp4_make_t  *m;

    if (size < 24) {
        return 0;
    }

    m = calloc(1, sizeof(mp4_make_t));
    if (m == NULL) {
        abort();
    }

    lr_conf(&m->conf, &v, &a, data);
    lr_rows(m, data + 24, size - 24);

    if (mp4_make_head(m)) {

        if (m->media_size < 16 * 1024 * 1024) {
            mp4_make_media(m);

            if (m->error == NULL) {
                mp4_make_verify(m, 0);
            }
        }

    } else if (m->error == NULL && errno != ENODATA && errno != EFBIG) {
        m->error = "no head";
    }

    if (m->error) {
        fprintf(stderr, "%s\n", m->error);
        abort();
    }

    mp4_make_clear(m);
    free(m);

    return 0;
}


static void
lr_conf(lr_mp4_conf_t *conf, lr_video_t *v, lr_audio_t *a,
    const uint8_t *data)
{
    memset(v, 0, sizeof(lr_video_t));
    memset(a, 0, sizeof(lr_audio_t));

    v->codec = data[0] & 1 ? LR_CODEC_AVC : LR_CODEC_HEVC;
    v->width = lr_get_be16(data + 2);
    v->height = lr_get_be16(data + 4);
    v->sar_num = data[6];
    v->sar_den = data[7];

    a->codec = data[0] & 2 ? LR_CODEC_AAC : LR_CODEC_MP3;
    a->rate = data[0] & 4 ? lr_get_be32(data + 8) : 48000;
    a->samples = data[0] & 4 ? lr_get_be16(data + 12) : 1024;
    a->channels = data[1] & 7;
    a->version = data[1] >> 3 & 3;

    conf->video = data[0] & 8 ? NULL : v;
    conf->audio = data[0] & 16 ? NULL : a;
    conf->vconf = data;
    conf->vlen = data[14] % 25;
    conf->aconf = data;
    conf->alen = data[15] % 25;

    conf->created = (int64_t) lr_get_be32(data + 8) * lr_get_be16(data + 12);
    conf->align = data[0] & 32 ? lr_get_be16(data + 16) : 0;
    conf->lead = data[0] & 64 ? lr_get_be32(data + 18) : 0;
}


static void
lr_rows(mp4_make_t *m, const uint8_t *data, size_t size)
{
    int32_t    dts;
    int64_t    base;
    uint32_t   n;
    unsigned   flags;

    dts = 0;
    base = 5000;
    mp4_fragment(m, base);

    while (size >= 6 && m->n < 1024) {
        flags = data[0];

        /* bit 3 is nobody's: a new fragment */

        if (flags & 8 && m->fragments < MP4_FRAGMENTS) {
            base += (int16_t) lr_get_be16(data + 1);
            mp4_fragment(m, base);
            dts = 0;
        }

        dts += (int16_t) lr_get_be16(data + 1)
               >> (data[3] & 1 ? 8 : data[3] & 2 ? 4 : 0);
        n = lr_get_be16(data + 4);

        /* large ones are for the tables alone */

        if (n >= 0xfff0) {
            n <<= 8 + (n & 15);

        } else if (n > 0x4000) {
            n &= 0xff;
        }

        (void) mp4_row(m, dts, (int8_t) data[3] * 10, flags & ~8u, n);

        data += 6;
        size -= 6;
    }
}
