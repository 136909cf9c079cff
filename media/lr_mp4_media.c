
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdlib.h>
#include "lr_mp4_tables.h"


/* how long a pair is, ms, and how much audio may wait for its end */
#define LR_MP4_PAIR       1000
#define LR_MP4_AUDIO      65536


static int lr_mp4_media_flush(lr_mp4_media_t *m);


unsigned
lr_mp4_pair(lr_mp4_pair_t *p, unsigned flags, int64_t dts, size_t n)
{
    unsigned  due, end;

    due = p->began && (dts - p->start >= LR_MP4_PAIR
                       || p->audio >= LR_MP4_AUDIO);

    /*
     * Parts of an access unit may not be parted: a pair ends before a
     * message of video that begins one, or before audio where video is
     * silent.
     */

    if (flags & LR_SAMPLE_VIDEO) {
        end = due && !p->next && !(flags & LR_SAMPLE_PREV);

    } else {
        end = due && !p->next
              && (!p->picture || dts - p->start >= 2 * LR_MP4_PAIR);

        if (p->audio && p->audio + n > 2 * LR_MP4_AUDIO) {
            end = 1;
        }
    }

    if (end || !p->began) {
        memset(p, 0, sizeof(lr_mp4_pair_t));
        p->began = 1;
        p->start = dts;
    }

    if (!(flags & LR_SAMPLE_VIDEO)) {
        p->audio += n;

    } else if (flags & LR_SAMPLE_NEXT) {
        p->next = 1;

    } else if (flags & LR_SAMPLE_PREV) {
        p->next = !p->picture;

    } else {
        p->picture = 1;
        p->next = 0;
    }

    return end;
}


size_t
lr_mp4_payload(unsigned tracks, unsigned flags, size_t size)
{
    size_t    header;
    unsigned  track;

    track = flags & LR_SAMPLE_VIDEO ? LR_TRACK_VIDEO : LR_TRACK_AUDIO;
    header = LR_SAMPLE_HEADER(flags & 0xff);

    if (flags & LR_SAMPLE_CONFIG || !(tracks & track) || size <= header) {
        return 0;
    }

    return size - header;
}


uint64_t
lr_mp4_media_size(const lr_row_t *rows, uint32_t n, unsigned tracks)
{
    uint32_t  i;
    uint64_t  size;

    size = 0;

    for (i = 0; i < n; i++) {
        size += lr_mp4_payload(tracks, rows[i].flags, rows[i].size);
    }

    return size;
}


void
lr_mp4_media_begin(lr_mp4_media_t *m, unsigned tracks, lr_buf_t *out)
{
    m->tracks = tracks;
    m->out = out;
    m->audio.len = 0;
    m->audio.failed = 0;

    memset(&m->pair, 0, sizeof(lr_mp4_pair_t));
}


int
lr_mp4_media_sample(lr_mp4_media_t *m, const lr_sample_t *s)
{
    size_t         n;
    const u_char  *p;

    n = lr_mp4_payload(m->tracks, s->flags, s->size);

    if (n == 0) {
        return LR_OK;
    }

    p = s->data + s->size - n;

    if (lr_mp4_pair(&m->pair, s->flags, s->dts, n)
        && lr_mp4_media_flush(m) != LR_OK)
    {
        return LR_ERROR;
    }

    if (s->flags & LR_SAMPLE_VIDEO) {
        lr_buf_append(m->out, p, n);
        return m->out->failed ? LR_ERROR : LR_OK;
    }

    lr_buf_append(&m->audio, p, n);

    return m->audio.failed ? LR_ERROR : LR_OK;
}


static int
lr_mp4_media_flush(lr_mp4_media_t *m)
{
    lr_buf_append(m->out, m->audio.data, m->audio.len);
    m->audio.len = 0;

    return m->out->failed || m->audio.failed ? LR_ERROR : LR_OK;
}


int
lr_mp4_media_end(lr_mp4_media_t *m)
{
    return lr_mp4_media_flush(m);
}


void
lr_mp4_media_free(lr_mp4_media_t *m)
{
    lr_buf_free(&m->audio);
}
