
/*
 * Copyright (C) the ngx_live_record authors
 *
 * A reader of mp4 heads for tests, which knows nothing of the writer:
 * checks that the boxes fill each other exactly and that the tables agree,
 * and lists the samples.
 */


#ifndef _MP4_CHECK_H_INCLUDED_
#define _MP4_CHECK_H_INCLUDED_


#include <stdio.h>
#include <stdlib.h>
#include "lr_core.h"


typedef struct {
    uint64_t        offset;           /* in the file */
    uint32_t        size;
    uint32_t        duration;
    int64_t         dts;              /* ticks, from 0 */
    int32_t         cts;
    unsigned        key:1;
    unsigned        chunk:1;          /* the first of one */
} mp4_sample_t;


typedef struct {
    unsigned        id;
    uint32_t        handler;
    uint32_t        timescale;
    uint32_t        width;            /* of the header, 16.16 */
    uint32_t        height;
    uint64_t        created;
    uint64_t        duration;         /* of the header */
    uint64_t        media_duration;

    unsigned        edits;
    uint64_t        delay;            /* of an empty edit */
    uint64_t        shown;
    int64_t         media_time;

    const u_char   *entry;            /* the sample entry's box */
    size_t          entry_len;

    const u_char   *stts;             /* bodies behind version and flags */
    const u_char   *ctts;
    const u_char   *stss;
    const u_char   *stsc;
    const u_char   *stsz;
    const u_char   *stco;
    size_t          len[6];
    unsigned        wide:1;           /* co64 */
    unsigned        ctts_version;

    mp4_sample_t   *samples;
    uint32_t        n;
    uint32_t        chunks;
} mp4_track_t;


typedef struct {
    const char     *error;            /* NULL if nothing is wrong */
    size_t          where;

    uint64_t        created;
    uint64_t        duration;
    unsigned        next_id;
    uint64_t        filling;          /* length of the free box */
    uint64_t        media;            /* bytes behind the head */

    mp4_track_t     tracks[2];
    unsigned        n;
} mp4_check_t;


#define MP4_TYPE(a, b, c, d)                                                 \
    ((uint32_t) (a) << 24 | (uint32_t) (b) << 16 | (uint32_t) (c) << 8 | (d))

#define MP4_BAD(c, text)                                                     \
    do {                                                                     \
        if ((c)->error == NULL) {                                            \
            (c)->error = text;                                               \
        }                                                                    \
        return;                                                              \
    } while (0)


static inline int64_t
mp4_wide(const u_char *p, unsigned wide)
{
    return wide ? (int64_t) lr_get_be64(p) : (int64_t) lr_get_be32(p);
}


static inline void
mp4_full(mp4_check_t *c, mp4_track_t *t, uint32_t type, const u_char *p,
    size_t n)
{
    size_t    i, k;
    uint32_t  edits;
    unsigned  wide;

    static const uint32_t  tables[] = {
        MP4_TYPE('s', 't', 't', 's'), MP4_TYPE('c', 't', 't', 's'),
        MP4_TYPE('s', 't', 's', 's'), MP4_TYPE('s', 't', 's', 'c'),
        MP4_TYPE('s', 't', 's', 'z'), MP4_TYPE('s', 't', 'c', 'o')
    };
    const u_char  **body;

    if (n < 4) {
        MP4_BAD(c, "a full box without version");
    }

    wide = p[0];
    k = wide ? 12 : 4;

    switch (type) {

    case MP4_TYPE('m', 'v', 'h', 'd'):
        if (n != (wide ? 112u : 100u)) {
            MP4_BAD(c, "length of mvhd");
        }

        c->created = (uint64_t) mp4_wide(p + 4, wide);

        if (lr_get_be32(p + (wide ? 20 : 12)) != 1000) {
            MP4_BAD(c, "timescale of the movie");
        }

        c->duration = (uint64_t) mp4_wide(p + (wide ? 24 : 16), wide);
        c->next_id = lr_get_be32(p + n - 4);
        return;

    case MP4_TYPE('t', 'k', 'h', 'd'):
        if (n != (wide ? 96u : 84u)) {
            MP4_BAD(c, "length of tkhd");
        }

        if (lr_get_be24(p + 1) != 7) {
            MP4_BAD(c, "flags of tkhd");
        }

        t->created = (uint64_t) mp4_wide(p + 4, wide);
        t->id = lr_get_be32(p + (wide ? 20 : 12));
        t->duration = (uint64_t) mp4_wide(p + (wide ? 28 : 20), wide);
        t->width = lr_get_be32(p + n - 8);
        t->height = lr_get_be32(p + n - 4);
        return;

    case MP4_TYPE('m', 'd', 'h', 'd'):
        if (n != (wide ? 36u : 24u)) {
            MP4_BAD(c, "length of mdhd");
        }

        t->timescale = lr_get_be32(p + (wide ? 20 : 12));
        t->media_duration = (uint64_t) mp4_wide(p + (wide ? 24 : 16), wide);
        return;

    case MP4_TYPE('h', 'd', 'l', 'r'):
        if (n < 25 || p[n - 1] != 0) {
            MP4_BAD(c, "hdlr");
        }

        t->handler = lr_get_be32(p + 8);
        return;

    case MP4_TYPE('e', 'l', 's', 't'):
        k = wide ? 20 : 12;
        edits = n < 8 ? 0 : lr_get_be32(p + 4);

        if (edits < 1 || edits > 2 || n != 8 + edits * k) {
            MP4_BAD(c, "length of elst");
        }

        t->edits = edits;
        p += 8;

        if (edits == 2) {
            t->delay = (uint64_t) mp4_wide(p, wide);

            if (t->delay == 0
                || (wide ? (int64_t) lr_get_be64(p + 8)
                         : (int32_t) lr_get_be32(p + 4)) != -1)
            {
                MP4_BAD(c, "the first of two edits is not empty");
            }

            p += k;
        }

        t->shown = (uint64_t) mp4_wide(p, wide);
        t->media_time = mp4_wide(p + (wide ? 8 : 4), wide);

        if (lr_get_be32(p + k - 4) != 0x10000) {
            MP4_BAD(c, "rate of an edit");
        }

        return;

    case MP4_TYPE('s', 't', 's', 'd'):
        if (n < 16 || lr_get_be32(p + 4) != 1
            || lr_get_be32(p + 8) != n - 8)
        {
            MP4_BAD(c, "stsd");
        }

        t->entry = p + 8;
        t->entry_len = n - 8;
        return;

    case MP4_TYPE('c', 'o', '6', '4'):
        t->wide = 1;
        type = tables[5];
        break;
    }

    body = &t->stts;

    for (i = 0; i < 6; i++) {
        if (type != tables[i]) {
            continue;
        }

        if (body[i]) {
            MP4_BAD(c, "a table twice");
        }

        if (n < 8) {
            MP4_BAD(c, "a table without a count");
        }

        if (i == 1) {
            t->ctts_version = p[0];
        }

        body[i] = p + 4;
        t->len[i] = n - 4;
    }
}


static inline void
mp4_boxes(mp4_check_t *c, const u_char *p, size_t n)
{
    size_t        len;
    uint32_t      type;
    mp4_track_t  *t;

    while (n && c->error == NULL) {

        if (n < 8) {
            MP4_BAD(c, "bytes after the last box");
        }

        len = lr_get_be32(p);
        type = lr_get_be32(p + 4);

        if (len < 8 || len > n) {
            MP4_BAD(c, "a box does not fit");
        }

        if (type == MP4_TYPE('t', 'r', 'a', 'k') && c->n++ == 2) {
            MP4_BAD(c, "more than two tracks");
        }

        switch (type) {

        case MP4_TYPE('t', 'r', 'a', 'k'):
        case MP4_TYPE('e', 'd', 't', 's'):
        case MP4_TYPE('m', 'd', 'i', 'a'):
        case MP4_TYPE('m', 'i', 'n', 'f'):
        case MP4_TYPE('d', 'i', 'n', 'f'):
        case MP4_TYPE('s', 't', 'b', 'l'):
            mp4_boxes(c, p + 8, len - 8);
            break;

        default:
            t = c->n ? &c->tracks[c->n - 1] : &c->tracks[0];
            mp4_full(c, t, type, p + 8, len - 8);
        }

        p += len;
        n -= len;
    }
}


static inline void
mp4_samples(mp4_check_t *c, mp4_track_t *t)
{
    int64_t         dts;
    uint32_t        i, k, n, run, in, count;
    uint64_t        offset;
    mp4_sample_t   *s;

    if (!t->stts || !t->stsc || !t->stsz || !t->stco) {
        MP4_BAD(c, "a table is missing");
    }

    if (t->len[4] < 8 || lr_get_be32(t->stsz) != 0) {
        MP4_BAD(c, "stsz");
    }

    t->n = lr_get_be32(t->stsz + 4);
    t->chunks = lr_get_be32(t->stco);

    if (t->n == 0 || t->len[4] != 8 + 4 * (size_t) t->n
        || t->len[0] != 4 + 8 * (size_t) lr_get_be32(t->stts)
        || (t->ctts && t->len[1] != 4 + 8 * (size_t) lr_get_be32(t->ctts))
        || (t->stss && t->len[2] != 4 + 4 * (size_t) lr_get_be32(t->stss))
        || t->len[3] != 4 + 12 * (size_t) lr_get_be32(t->stsc)
        || t->len[5] != 4 + (t->wide ? 8 : 4) * (size_t) t->chunks)
    {
        MP4_BAD(c, "length of a table");
    }

    s = calloc(t->n, sizeof(mp4_sample_t));
    if (s == NULL) {
        abort();
    }

    t->samples = s;

    for (i = 0; i < t->n; i++) {
        s[i].size = lr_get_be32(t->stsz + 8 + 4 * (size_t) i);
        s[i].key = t->stss == NULL;
    }

    dts = 0;
    n = 0;

    for (i = 0; i < lr_get_be32(t->stts); i++) {
        count = lr_get_be32(t->stts + 4 + 8 * (size_t) i);

        if (count == 0 || count > t->n - n) {
            MP4_BAD(c, "stts has not as many samples");
        }

        while (count--) {
            s[n].dts = dts;
            s[n].duration = lr_get_be32(t->stts + 8 + 8 * (size_t) i);
            dts += s[n++].duration;
        }
    }

    if (n != t->n || (uint64_t) dts != t->media_duration) {
        MP4_BAD(c, "stts does not add up");
    }

    n = 0;

    for (i = 0; t->ctts && i < lr_get_be32(t->ctts); i++) {
        count = lr_get_be32(t->ctts + 4 + 8 * (size_t) i);

        if (count == 0 || count > t->n - n) {
            MP4_BAD(c, "ctts has not as many samples");
        }

        while (count--) {
            s[n++].cts = (int32_t) lr_get_be32(t->ctts + 8 + 8 * (size_t) i);
        }
    }

    if (t->ctts && n != t->n) {
        MP4_BAD(c, "ctts does not add up");
    }

    for (i = 0, k = 0; t->stss && i < lr_get_be32(t->stss); i++) {
        n = lr_get_be32(t->stss + 4 + 4 * (size_t) i);

        if (n <= k || n > t->n) {
            MP4_BAD(c, "stss is not in order");
        }

        s[n - 1].key = 1;
        k = n;
    }

    n = 0;
    run = 0;
    in = 0;

    for (i = 0; i < t->chunks; i++) {

        if (run < lr_get_be32(t->stsc)
            && lr_get_be32(t->stsc + 4 + 12 * (size_t) run) == i + 1)
        {
            in = lr_get_be32(t->stsc + 8 + 12 * (size_t) run);

            if (lr_get_be32(t->stsc + 12 + 12 * (size_t) run) != 1) {
                MP4_BAD(c, "a sample description that is not there");
            }

            run++;
        }

        if (in == 0 || in > t->n - n) {
            MP4_BAD(c, "stsc has not as many samples");
        }

        offset = t->wide ? lr_get_be64(t->stco + 4 + 8 * (size_t) i)
                         : lr_get_be32(t->stco + 4 + 4 * (size_t) i);
        s[n].chunk = 1;

        for (k = 0; k < in; k++) {
            s[n].offset = offset;
            offset += s[n++].size;
        }
    }

    if (n != t->n || run != lr_get_be32(t->stsc)) {
        MP4_BAD(c, "stsc does not add up");
    }
}


/*
 * The head of a file with everything up to the first byte of its media.  It
 * must stay until mp4_check_free().
 */

static inline mp4_check_t *
mp4_check(const u_char *p, size_t n)
{
    size_t        len, pos;
    uint32_t      type, last;
    unsigned      i;
    mp4_check_t  *c;

    c = calloc(1, sizeof(mp4_check_t));
    if (c == NULL) {
        abort();
    }

    last = 0;
    pos = 0;

    while (pos < n && c->error == NULL) {
        c->where = pos;
        len = n - pos < 8 ? 0 : lr_get_be32(p + pos);
        type = n - pos < 8 ? 0 : lr_get_be32(p + pos + 4);

        if (type == MP4_TYPE('m', 'd', 'a', 't')) {

            if (n - pos == (len == 1 ? 16 : 8)) {
                c->media = len == 1 ? lr_get_be64(p + pos + 8) - 16
                                    : len - 8;
                last = type;
                pos = n;
                break;
            }

            c->error = "bytes after the head";
            break;
        }

        if (len < 8 || len > n - pos) {
            c->error = "a box does not fit";

        } else if (type == MP4_TYPE('m', 'o', 'o', 'v')) {
            mp4_boxes(c, p + pos + 8, len - 8);

        } else if (type == MP4_TYPE('f', 'r', 'e', 'e')) {
            c->filling = len;

        } else if (type != MP4_TYPE('f', 't', 'y', 'p') || pos) {
            c->error = "a box of an unknown type";
        }

        pos += len;
    }

    if (c->error == NULL && (last == 0 || pos != n || c->n == 0
                             || c->next_id != c->n + 1))
    {
        c->error = "the head is not whole";
    }

    for (i = 0; i < c->n && c->error == NULL; i++) {
        mp4_samples(c, &c->tracks[i]);
    }

    return c;
}


static inline void
mp4_check_free(mp4_check_t *c)
{
    unsigned  i;

    for (i = 0; i < 2; i++) {
        free(c->tracks[i].samples);
    }

    free(c);
}


#endif /* _MP4_CHECK_H_INCLUDED_ */
