
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <errno.h>
#include <stdlib.h>
#include "lr_mp4_boxes.h"


/* a piece of the free box */
#define LR_MP4_PIECE      65536


struct lr_mp4_head_s {
    lr_mp4_movie_t         movie;
    const lr_table_t      *table;
    unsigned               taken;     /* LR_TRACK_... that the media holds */

    lr_buf_t               top;
    lr_buf_t               fixed[2];  /* all of a track but its tables */

    uint64_t               size;
    uint64_t               media;
    uint64_t               filling;   /* the free box */
    unsigned               wide:1;    /* 64-bit chunk offsets */

    /* what comes next */

    unsigned               track;
    lr_mp4_table_e         which;     /* LR_MP4_MEASURE: the fixed part */
    size_t                 fragment;
    lr_mp4_walk_t          walk;
    uint64_t               left;      /* of the table or the free box */
    uint64_t               given;
    unsigned               began:1;   /* the table or the free box */
    unsigned               top_given:1;
    unsigned               done:1;
};


static int lr_mp4_head_measure(lr_mp4_head_t *h);
static int lr_mp4_head_rows(lr_mp4_head_t *h, lr_mp4_walk_t *w, size_t i);
static int lr_mp4_head_layout(lr_mp4_head_t *h);
static uint64_t lr_mp4_table_size(lr_mp4_head_t *h, lr_mp4_track_t *t,
    lr_mp4_table_e table);
static uint64_t lr_mp4_tables_size(lr_mp4_head_t *h, lr_mp4_track_t *t);
static uint32_t lr_mp4_entry_size(lr_mp4_head_t *h, lr_mp4_table_e table);
static int lr_mp4_head_step(lr_mp4_head_t *h, lr_buf_t *out);
static int lr_mp4_head_table(lr_mp4_head_t *h, lr_buf_t *out);
static int lr_mp4_head_tail(lr_mp4_head_t *h, lr_buf_t *out);


unsigned
lr_mp4_tracks(const lr_mp4_conf_t *conf)
{
    unsigned           tracks;
    const lr_audio_t  *a;
    const lr_video_t  *v;

    tracks = 0;
    v = conf->video;
    a = conf->audio;

    if (v && conf->vlen
        && (v->codec == LR_CODEC_AVC || v->codec == LR_CODEC_HEVC))
    {
        tracks |= LR_TRACK_VIDEO;
    }

    if (a && (a->codec == LR_CODEC_MP3
              || (a->codec == LR_CODEC_AAC && conf->alen)))
    {
        tracks |= LR_TRACK_AUDIO;
    }

    return tracks;
}


lr_mp4_head_t *
lr_mp4_head_create(const lr_mp4_conf_t *conf, const lr_table_t *table,
    uint64_t *size, uint64_t *media)
{
    int             err;
    lr_mp4_head_t  *h;

    h = calloc(1, sizeof(lr_mp4_head_t));
    if (h == NULL) {
        return NULL;
    }

    h->movie.conf = conf;
    h->table = table;
    h->taken = lr_mp4_tracks(conf);

    if (lr_mp4_head_measure(h) != LR_OK || lr_mp4_head_layout(h) != LR_OK) {
        err = errno;
        lr_mp4_head_destroy(h);
        errno = err;
        return NULL;
    }

    *size = h->size;
    *media = h->media;

    return h;
}


void
lr_mp4_head_destroy(lr_mp4_head_t *h)
{
    if (h == NULL) {
        return;
    }

    lr_buf_free(&h->top);
    lr_buf_free(&h->fixed[0]);
    lr_buf_free(&h->fixed[1]);
    free(h);
}


static int
lr_mp4_head_measure(lr_mp4_head_t *h)
{
    size_t             i;
    unsigned           id;
    lr_mp4_walk_t      w;
    lr_mp4_track_t    *t;
    const lr_audio_t  *a;

    a = h->movie.conf->audio;

    for (id = LR_TRACK_VIDEO; id <= LR_TRACK_AUDIO; id <<= 1) {

        if (!(h->taken & id)) {
            continue;
        }

        t = &h->movie.tracks[h->movie.n];
        memset(t, 0, sizeof(lr_mp4_track_t));
        t->id = id;
        t->timescale = LR_MP4_TIMESCALE;

        if (id == LR_TRACK_AUDIO) {
            t->timescale = a->rate >= 1000 && a->rate <= 0xffffff
                           ? a->rate : 1000;
            t->frame = a->samples ? a->samples : 1;
        }

        lr_mp4_walk_begin(&w, t, h->taken, LR_MP4_MEASURE, 0, 0, NULL);

        for (i = 0; i < h->table->n; i++) {
            if (lr_mp4_head_rows(h, &w, i) != LR_OK) {
                return LR_ERROR;
            }
        }

        if (lr_mp4_walk_end(&w) != LR_OK) {
            return LR_ERROR;
        }

        if (t->bytes) {
            h->media += t->bytes;
            h->movie.n++;
        }
    }

    if (h->movie.n == 0) {
        errno = ENODATA;
        return LR_ERROR;
    }

    return LR_OK;
}


static int
lr_mp4_head_rows(lr_mp4_head_t *h, lr_mp4_walk_t *w, size_t i)
{
    int64_t          base;
    uint32_t         n;
    const lr_row_t  *rows;

    if (h->table->rows(h->table->data, i, &rows, &n, &base) != LR_OK) {
        return LR_ERROR;
    }

    return lr_mp4_walk_rows(w, rows, n, base);
}


static int
lr_mp4_head_layout(lr_mp4_head_t *h)
{
    unsigned         i;
    uint64_t         tables, moov, last, pad;
    lr_mp4_track_t  *t;

    last = 0;

    for (i = 0; i < h->movie.n; i++) {
        if (h->movie.tracks[i].last_chunk > last) {
            last = h->movie.tracks[i].last_chunk;
        }
    }

    for ( ;; ) {
        moov = 0;

        for (i = 0; i < h->movie.n; i++) {
            t = &h->movie.tracks[i];
            tables = lr_mp4_tables_size(h, t);
            h->fixed[i].len = 0;
            lr_mp4_track(&h->movie, i, tables, &h->fixed[i]);
            moov += h->fixed[i].len + tables;
        }

        h->top.len = 0;
        lr_mp4_top(&h->movie, moov, &h->top);

        if (h->top.failed || h->fixed[0].failed || h->fixed[1].failed) {
            errno = ENOMEM;
            return LR_ERROR;
        }

        h->size = h->top.len + moov + (h->media + 8 > UINT32_MAX ? 16 : 8);
        h->filling = 0;

        if (h->movie.conf->align) {
            pad = (h->size + h->movie.conf->lead) % h->movie.conf->align;
            pad = pad ? h->movie.conf->align - pad : 0;

            while (pad && pad < 8) {
                pad += h->movie.conf->align;
            }

            h->filling = pad;
            h->size += pad;
        }

        if (h->top.len + moov > UINT32_MAX || h->filling > UINT32_MAX) {
            errno = EFBIG;
            return LR_ERROR;
        }

        if (h->wide || h->size + last <= UINT32_MAX) {
            return LR_OK;
        }

        h->wide = 1;
    }
}


/* of a table's box; 0 if there is no need of it */

static uint64_t
lr_mp4_table_size(lr_mp4_head_t *h, lr_mp4_track_t *t, lr_mp4_table_e table)
{
    uint64_t  n;

    n = t->entries[table];

    if (table == LR_MP4_CTTS && !t->composed) {
        return 0;
    }

    if (table == LR_MP4_STSS && n == t->entries[LR_MP4_STSZ]) {
        return 0;
    }

    return (table == LR_MP4_STSZ ? 20 : 16) + n * lr_mp4_entry_size(h, table);
}


static uint64_t
lr_mp4_tables_size(lr_mp4_head_t *h, lr_mp4_track_t *t)
{
    uint64_t        size;
    lr_mp4_table_e  table;

    size = 0;

    for (table = LR_MP4_STTS; table < LR_MP4_TABLES; table++) {
        size += lr_mp4_table_size(h, t, table);
    }

    return size;
}


static uint32_t
lr_mp4_entry_size(lr_mp4_head_t *h, lr_mp4_table_e table)
{
    switch (table) {

    case LR_MP4_STTS:
    case LR_MP4_CTTS:
        return 8;

    case LR_MP4_STSC:
        return 12;

    case LR_MP4_STCO:
        return h->wide ? 8 : 4;

    default:
        return 4;
    }
}


int
lr_mp4_head_next(lr_mp4_head_t *h, lr_buf_t *out)
{
    int     rc;
    size_t  before;

    before = out->len;

    do {
        if (h->done) {
            return LR_DECLINED;
        }

        rc = lr_mp4_head_step(h, out);

        if (out->failed) {
            errno = ENOMEM;
            return LR_ERROR;
        }

    } while (rc == LR_OK && out->len == before);

    if (rc != LR_OK) {
        return LR_ERROR;
    }

    h->given += out->len - before;

    if (h->given > h->size || (h->done && h->given != h->size)) {
        errno = EIO;
        return LR_ERROR;
    }

    return LR_OK;
}


static int
lr_mp4_head_step(lr_mp4_head_t *h, lr_buf_t *out)
{
    lr_buf_t  *b;

    if (!h->top_given) {
        h->top_given = 1;
        lr_buf_append(out, h->top.data, h->top.len);
        return LR_OK;
    }

    if (h->track == h->movie.n) {
        return lr_mp4_head_tail(h, out);
    }

    if (h->which == LR_MP4_MEASURE) {
        b = &h->fixed[h->track];
        lr_buf_append(out, b->data, b->len);
        h->which = LR_MP4_STTS;
        return LR_OK;
    }

    if (h->which < LR_MP4_TABLES) {
        return lr_mp4_head_table(h, out);
    }

    h->which = LR_MP4_MEASURE;
    h->track++;

    return LR_OK;
}


/* the head of a table's box, or its entries from one fragment */

static int
lr_mp4_head_table(lr_mp4_head_t *h, lr_buf_t *out)
{
    int              rc;
    size_t           before;
    lr_mp4_track_t  *t;

    static const char  *types[] = {
        "", "stts", "ctts", "stss", "stsc", "stsz", "stco"
    };

    t = &h->movie.tracks[h->track];
    before = out->len;

    if (!h->began) {
        h->left = lr_mp4_table_size(h, t, h->which);

        if (h->left == 0) {
            h->which++;
            return LR_OK;
        }

        h->began = 1;
        h->fragment = 0;

        lr_mp4_put(out, 4, h->left);
        lr_buf_append(out, h->which == LR_MP4_STCO && h->wide
                           ? "co64" : types[h->which], 4);
        lr_mp4_put(out, 4, h->which == LR_MP4_CTTS ? 1 << 24 : 0);

        if (h->which == LR_MP4_STSZ) {
            lr_mp4_put(out, 4, 0);
        }

        lr_mp4_put(out, 4, t->entries[h->which]);
        h->left -= out->failed ? 0 : out->len - before;

        lr_mp4_walk_begin(&h->walk, t, h->taken, h->which, h->size, h->wide,
                          out);
        return LR_OK;
    }

    /* the caller may take turns with its buffers */

    h->walk.out = out;

    if (h->fragment < h->table->n) {
        rc = lr_mp4_head_rows(h, &h->walk, h->fragment++);

    } else {
        rc = lr_mp4_walk_end(&h->walk);
        h->began = 0;
        h->which++;
    }

    if (rc != LR_OK) {
        return LR_ERROR;
    }

    if (out->len - before > h->left
        || (!h->began && out->len - before != h->left))
    {
        errno = EIO;
        return LR_ERROR;
    }

    h->left -= out->len - before;

    return LR_OK;
}


static int
lr_mp4_head_tail(lr_mp4_head_t *h, lr_buf_t *out)
{
    size_t  n;

    if (!h->began) {
        h->began = 1;
        h->left = h->filling;

        if (h->left) {
            lr_mp4_put(out, 4, h->left);
            lr_buf_append(out, "free", 4);
            h->left -= 8;
        }
    }

    if (h->left) {
        n = h->left > LR_MP4_PIECE ? LR_MP4_PIECE : (size_t) h->left;

        if (lr_buf_reserve(out, n) != LR_OK) {
            return LR_ERROR;
        }

        memset(out->data + out->len, 0, n);
        out->len += n;
        h->left -= n;

        return LR_OK;
    }

    if (h->media + 8 > UINT32_MAX) {
        lr_mp4_put(out, 4, 1);
        lr_buf_append(out, "mdat", 4);
        lr_mp4_put(out, 8, h->media + 16);

    } else {
        lr_mp4_put(out, 4, h->media + 8);
        lr_buf_append(out, "mdat", 4);
    }

    h->done = 1;

    return LR_OK;
}
