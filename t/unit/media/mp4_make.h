
/*
 * Copyright (C) the ngx_live_record authors
 *
 * For tests: makes an mp4 file of rows whose bytes are a pattern, and holds
 * what a reader finds in it against the rows.
 */


#ifndef _MP4_MAKE_H_INCLUDED_
#define _MP4_MAKE_H_INCLUDED_


#include "lr_mp4.h"
#include "mp4_check.h"


#define MP4_ROWS       4096
#define MP4_FRAGMENTS  64
#define MP4_HEADER(f)  ((f) >> 6 == 3 ? 8u : (f) >> 6 == 2 ? 5u             \
                        : (f) >> 6 == 1 ? 2u : 1u)


typedef struct {
    lr_row_t        rows[MP4_ROWS];
    uint32_t        n;
    uint32_t        from[MP4_FRAGMENTS + 1];
    int64_t         base[MP4_FRAGMENTS];
    size_t          fragments;
    lr_mp4_conf_t   conf;

    uint64_t        size;
    uint64_t        media_size;
    lr_buf_t        head;
    lr_buf_t        media;
    mp4_check_t    *c;
    size_t          largest;          /* piece of the head */
    const char     *error;
} mp4_make_t;


static inline void
mp4_fragment(mp4_make_t *m, int64_t base)
{
    m->base[m->fragments] = base;
    m->from[m->fragments++] = m->n;
    m->from[m->fragments] = m->n;
}


static inline lr_row_t *
mp4_row(mp4_make_t *m, int32_t dts, int32_t cts, unsigned flags,
    uint32_t size)
{
    lr_row_t  *row;

    if (m->n == MP4_ROWS) {
        abort();
    }

    row = &m->rows[m->n++];
    memset(row, 0, sizeof(lr_row_t));
    row->dts = dts;
    row->cts = cts;
    row->flags = flags;
    row->size = size;

    m->from[m->fragments] = m->n;

    return row;
}


static inline int
mp4_rows(void *data, size_t i, const lr_row_t **rows, uint32_t *n,
    int64_t *base)
{
    mp4_make_t  *m;

    m = data;
    *rows = m->rows + m->from[i];
    *n = m->from[i + 1] - m->from[i];
    *base = m->base[i];

    return LR_OK;
}


static inline u_char
mp4_byte(uint32_t row, size_t i)
{
    return (u_char) (row * 37 + (row >> 8) * 11 + i * 7 + (i >> 8));
}


static inline uint32_t
mp4_taken(mp4_make_t *m, uint32_t i, unsigned tracks)
{
    lr_row_t  *row;

    row = &m->rows[i];

    if (row->flags & LR_SAMPLE_CONFIG
        || row->size <= MP4_HEADER(row->flags)
        || !(tracks & (row->flags & LR_SAMPLE_VIDEO ? LR_TRACK_VIDEO
                                                    : LR_TRACK_AUDIO)))
    {
        return 0;
    }

    return row->size - MP4_HEADER(row->flags);
}


/* the head alone; false with errno if there is none */

static inline int
mp4_make_head(mp4_make_t *m)
{
    int             rc;
    lr_buf_t        out;
    lr_table_t      table;
    lr_mp4_head_t  *h;

    table.n = m->fragments;
    table.rows = mp4_rows;
    table.data = m;

    h = lr_mp4_head_create(&m->conf, &table, &m->size, &m->media_size);
    if (h == NULL) {
        return 0;
    }

    memset(&out, 0, sizeof(lr_buf_t));

    while ((rc = lr_mp4_head_next(h, &out)) == LR_OK) {

        if (out.len > m->largest) {
            m->largest = out.len;
        }

        lr_buf_append(&m->head, out.data, out.len);
        out.len = 0;
    }

    lr_buf_free(&out);
    lr_mp4_head_destroy(h);

    if (rc != LR_DECLINED || m->head.len != m->size) {
        m->error = "the head is not as long as it was said to be";
        return 0;
    }

    m->c = mp4_check(m->head.data, m->head.len);
    m->error = m->c->error;

    if (m->error == NULL && m->c->media != m->media_size) {
        m->error = "mdat is not as long as the media";
    }

    return m->error == NULL;
}


static inline void
mp4_make_media(mp4_make_t *m)
{
    size_t          i, k, head, before;
    u_char         *body;
    uint32_t        r, len;
    unsigned        tracks;
    lr_buf_t        out;
    lr_sample_t     s;
    lr_mp4_media_t  media;

    tracks = lr_mp4_tracks(&m->conf);
    memset(&media, 0, sizeof(lr_mp4_media_t));
    memset(&out, 0, sizeof(lr_buf_t));

    for (i = 0; i < m->fragments; i++) {
        before = m->media.len;
        lr_mp4_media_begin(&media, tracks, &out);

        for (r = m->from[i]; r <= m->from[i + 1]; r++) {

            if (r == m->from[i + 1]) {

                if (lr_mp4_media_end(&media) != LR_OK) {
                    abort();
                }

            } else {
                len = mp4_taken(m, r, tracks);
                head = m->rows[r].size - len;

                /* of what is not taken not a byte may be looked at */

                body = len ? calloc(1, head + len) : NULL;

                for (k = 0; k < len; k++) {
                    body[head + k] = mp4_byte(r, k);
                }

                s.dts = m->base[i] + m->rows[r].dts;
                s.cts = m->rows[r].cts;
                s.flags = m->rows[r].flags;
                s.data = body;
                s.size = m->rows[r].size;

                if (lr_mp4_media_sample(&media, &s) != LR_OK) {
                    abort();
                }

                free(body);
            }

            lr_buf_append(&m->media, out.data, out.len);
            out.len = 0;
        }

        if (m->media.len - before
            != lr_mp4_media_size(m->rows + m->from[i],
                                 m->from[i + 1] - m->from[i], tracks))
        {
            m->error = "a fragment's media is not as long as it should be";
        }
    }

    if (m->media.len != m->media_size) {
        m->error = "the media is not as long as it should be";
    }

    lr_buf_free(&out);
    lr_mp4_media_free(&media);
}


/*
 * Each sample of a track has to be whole messages of one fragment, in their
 * order, around one picture; and each byte of the media is one sample's.
 */

static inline void
mp4_make_verify_track(mp4_make_t *m, mp4_track_t *t, u_char *used,
    unsigned strict)
{
    size_t         f, k, chunk_f;
    int64_t        at, ms, shown, first;
    uint32_t       i, r, len, left, picture, pictures, before, after;
    unsigned       id, v;
    uint64_t       off;
    mp4_sample_t  *s;

    v = t->handler == MP4_TYPE('v', 'i', 'd', 'e');
    id = v ? LR_TRACK_VIDEO : LR_TRACK_AUDIO;
    r = 0;
    f = 0;
    chunk_f = 0;
    first = INT64_MAX;

    /* what the file shows first, in ms */

    for (k = 0; k < m->fragments; k++) {
        for (i = m->from[k]; i < m->from[k + 1]; i++) {
            if (mp4_taken(m, i, lr_mp4_tracks(&m->conf))
                && !(m->rows[i].flags & (LR_SAMPLE_NEXT|LR_SAMPLE_PREV)))
            {
                ms = m->base[k] + m->rows[i].dts;
                ms += m->rows[i].flags & LR_SAMPLE_VIDEO ? m->rows[i].cts : 0;
                first = ms < first ? ms : first;
            }
        }
    }

    for (i = 0; i < t->n; i++) {
        s = &t->samples[i];
        off = s->offset - m->size;

        if (s->offset < m->size || off + s->size > m->media.len) {
            m->error = "a sample is outside of the media";
            return;
        }

        left = s->size;
        pictures = 0;
        picture = 0;
        before = 0;
        after = 0;

        while (left) {

            while (r < m->n && mp4_taken(m, r, id) == 0) {
                r++;
            }

            while (f + 1 < m->fragments && r >= m->from[f + 1]) {

                if (left != s->size) {
                    m->error = "a sample of two fragments";
                    return;
                }

                f++;
            }

            len = r < m->n ? mp4_taken(m, r, id) : 0;

            if (len == 0 || len > left) {
                m->error = "a sample is not whole messages";
                return;
            }

            for (k = 0; k < len; k++, off++) {
                if (m->media.data[off] != mp4_byte(r, k) || used[off]++) {
                    m->error = "wrong bytes";
                    return;
                }
            }

            if (!v || !(m->rows[r].flags & (LR_SAMPLE_NEXT|LR_SAMPLE_PREV)))
            {
                pictures++;
                picture = r;

            } else if (pictures) {
                after += m->rows[r].flags & LR_SAMPLE_PREV ? 0 : 1;

            } else {
                before++;
            }

            left -= len;
            r++;
        }

        if (s->chunk) {
            chunk_f = f;
        }

        if (chunk_f != f) {
            m->error = "a chunk of two fragments";
            return;
        }

        if (pictures > 1) {
            m->error = "two frames in one sample";
            return;
        }

        if (pictures == 0 && i + 1 < t->n && !t->samples[i + 1].chunk) {
            m->error = "a sample without a frame";
            return;
        }

        if (v && s->key != (pictures && m->rows[picture].flags
                                        & LR_SAMPLE_KEY ? 1 : 0))
        {
            m->error = "a sample is a key frame or is none";
            return;
        }

        if (!strict) {
            continue;
        }

        if (pictures == 0 || after) {
            m->error = "a part of another picture";
            return;
        }

        ms = m->base[f] + m->rows[picture].dts - first;
        ms += v ? m->rows[picture].cts : 0;
        at = s->dts + s->cts - t->media_time;
        shown = ms - (int64_t) t->delay;

        /* 1 ms of video and 3 of audio, in ticks */

        at = at * 1000 - shown * t->timescale;
        at = at < 0 ? -at : at;

        if (at >= (v ? 1 : 3) * (int64_t) t->timescale) {
            m->error = "a sample is shown at another time";
            return;
        }
    }

    while (r < m->n) {
        if (mp4_taken(m, r++, id)) {
            m->error = "a message is in no sample";
            return;
        }
    }
}


static inline void
mp4_make_verify(mp4_make_t *m, unsigned strict)
{
    size_t      k;
    u_char     *used;
    unsigned    i;

    used = calloc(1, m->media.len + 1);
    if (used == NULL) {
        abort();
    }

    for (i = 0; i < m->c->n && m->error == NULL; i++) {
        mp4_make_verify_track(m, &m->c->tracks[i], used, strict);
    }

    for (k = 0; k < m->media.len && m->error == NULL; k++) {
        if (!used[k]) {
            m->error = "a byte is in no sample";
        }
    }

    free(used);
}


static inline void
mp4_make_clear(mp4_make_t *m)
{
    lr_buf_free(&m->head);
    lr_buf_free(&m->media);

    if (m->c) {
        mp4_check_free(m->c);
    }

    m->c = NULL;
    m->error = NULL;
    m->n = 0;
    m->fragments = 0;
    m->largest = 0;
}


#endif /* _MP4_MAKE_H_INCLUDED_ */
