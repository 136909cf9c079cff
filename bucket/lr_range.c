
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdlib.h>
#include "lr_range.h"


#define LR_RANGE_HEAD     "#EXTM3U\n"
#define LR_RANGE_SEGMENT  255

/* names hold seconds, and a last fragment may reach beyond the next part's
   first one: no further than a fragment is long */
#define LR_RANGE_OVERLAP  120000


/* a part of a recording; its key is within the listing */

typedef struct {
    lr_manifest_name_t   name;
    const char          *key;
} lr_range_part_t;


static int lr_range_order(const void *one, const void *two);
static int lr_range_reaches(const lr_range_t *r, const lr_range_part_t *p,
    size_t behind);
static void lr_range_take(lr_buf_t *keys, const char *key);
static int lr_range_touches(const lr_range_t *r,
    const lr_manifest_fragment_t *f);
static int lr_range_by_start(const void *one, const void *two);


int
lr_range_select(const lr_range_t *r, const u_char *list, size_t n,
    lr_buf_t *keys)
{
    size_t            i;
    lr_buf_t          all;
    const char       *p, *end;
    lr_range_part_t   part, *q;

    memset(&all, 0, sizeof(lr_buf_t));

    p = (const char *) list;
    end = p + n;

    for ( /* void */ ; p < end; p += strlen(p) + 1, p += strlen(p) + 1) {

        if (lr_manifest_key_parse(p, &part.name) == LR_OK
            && part.name.time <= r->end)
        {
            part.key = p;
            lr_buf_append(&all, &part, sizeof(lr_range_part_t));
        }
    }

    n = all.len / sizeof(lr_range_part_t);
    q = (lr_range_part_t *) all.data;

    if (n) {
        qsort(q, n, sizeof(lr_range_part_t), lr_range_order);
    }

    for (i = 0; i < n; i++) {
        if (lr_range_reaches(r, &q[i], n - i - 1)) {
            lr_range_take(keys, q[i].key);
        }
    }

    if (all.failed) {
        keys->failed = 1;
    }

    lr_buf_free(&all);

    return keys->failed ? LR_ERROR : LR_OK;
}


static int
lr_range_order(const void *one, const void *two)
{
    int                     rc;
    const lr_range_part_t  *a, *b;

    a = one;
    b = two;

    rc = strcmp(a->name.id, b->name.id);

    return rc ? rc : a->name.part < b->name.part ? -1
                                                 : a->name.part > b->name.part;
}


/*
 * So many parts are behind it.  Within a part time does not go back, so one
 * that begins before the range ends about when the next one begins.  Where
 * time goes back between them, a number is left out: then it is not known
 * when it ends, and neither is it of the last one.
 */

static int
lr_range_reaches(const lr_range_t *r, const lr_range_part_t *p,
    size_t behind)
{
    const lr_range_part_t  *next;

    next = p + 1;

    if (p->name.time > r->start || behind == 0
        || strcmp(next->name.id, p->name.id) != 0
        || next->name.part != p->name.part + 1)
    {
        return 1;
    }

    return next->name.time < p->name.time
           || next->name.time > r->start - LR_RANGE_OVERLAP;
}


static void
lr_range_take(lr_buf_t *keys, const char *key)
{
    const char  *version;

    version = key + strlen(key) + 1;

    lr_buf_append(keys, key, (size_t) (version - key) + strlen(version) + 1);
}


static int
lr_range_touches(const lr_range_t *r, const lr_manifest_fragment_t *f)
{
    int64_t  end;

    end = f->wall + f->duration;

    if (r->inside ? end > r->end : f->wall > r->end) {
        return 0;
    }

    /* one of a single frame has no length */

    return f->wall >= r->start || end > r->start;
}


size_t
lr_range_cut(const lr_range_t *r, lr_manifest_t *m)
{
    size_t                   i, n;
    lr_manifest_fragment_t  *f;

    n = 0;

    for (i = 0; i < m->nfragments; i++) {
        f = &m->fragments[i];

        if (f->key == NULL || !lr_range_touches(r, f)) {
            free(f->key);
            continue;
        }

        m->fragments[n++] = *f;
    }

    m->nfragments = n;

    return n;
}


int
lr_range_index(lr_manifest_t *const *m, size_t n, const char *id,
    const char *key, const char *base, const lr_zone_t *zone, lr_buf_t *out,
    lr_range_total_t *total)
{
    int                            rc;
    size_t                         i, j, before;
    int64_t                        first;
    lr_buf_t                       text;
    lr_segments_t                  list;
    const lr_manifest_fragment_t  *f;

    memset(total, 0, sizeof(lr_range_total_t));
    memset(&text, 0, sizeof(lr_buf_t));

    before = out->len;

    if (lr_manifest_index(m, n, key, base, &list) != LR_OK) {
        return LR_ERROR;
    }

    rc = lr_m3u8_write(list.segs, list.n, zone, &text);

    if (rc == LR_OK) {
        lr_buf_printf(out, LR_RANGE_HEAD LR_RANGE_MARK "%s\n", id);
        lr_buf_append(out, text.data + sizeof(LR_RANGE_HEAD) - 1,
                      text.len - (sizeof(LR_RANGE_HEAD) - 1));
    }

    total->n = list.n;

    for (i = 0; i < list.n; i++) {
        total->duration += list.segs[i].duration;
    }

    first = INT64_MAX;

    for (i = 0; i < n; i++) {
        for (j = 0; j < m[i]->nfragments; j++) {
            f = &m[i]->fragments[j];

            if (f->video.width && f->video.height && f->wall < first) {
                first = f->wall;
                total->width = f->video.width;
                total->height = f->video.height;
            }
        }
    }

    lr_segments_free(&list);
    lr_buf_free(&text);

    if (rc != LR_OK || out->failed) {
        out->len = before;
        return LR_ERROR;
    }

    return LR_OK;
}


int
lr_range_index_ours(const u_char *p, size_t n, const char *id)
{
    size_t  len;

    static const char  head[] = LR_RANGE_HEAD LR_RANGE_MARK;

    len = sizeof(head) - 1;

    if (n < len || memcmp(p, head, len) != 0) {
        return 0;
    }

    if (id == NULL) {
        return 1;
    }

    p += len;
    n -= len;
    len = strlen(id);

    return n > len && memcmp(p, id, len) == 0 && p[len] == '\n';
}


int
lr_range_recordings(lr_manifest_t *const *m, size_t n,
    lr_range_recording_t **list, size_t *count)
{
    size_t                         i, j, k;
    lr_range_recording_t          *r;
    const lr_manifest_fragment_t  *f;

    *count = 0;

    *list = calloc(n + 1, sizeof(lr_range_recording_t));
    if (*list == NULL) {
        return LR_ERROR;
    }

    for (i = 0; i < n; i++) {

        if (m[i]->nfragments == 0) {
            continue;
        }

        for (k = *count; k > 0; k--) {
            if (strcmp((*list)[k - 1].id, m[i]->id) == 0) {
                break;
            }
        }

        if (k == 0) {
            k = ++*count;
            r = &(*list)[k - 1];

            r->id = m[i]->id;
            r->fragment_path = m[i]->fragment_path;
            r->start = INT64_MAX;
        }

        r = &(*list)[k - 1];

        for (j = 0; j < m[i]->nfragments; j++) {
            f = &m[i]->fragments[j];

            if (f->wall < r->start) {
                r->start = f->wall;
            }

            if (f->wall + f->duration > r->end) {
                r->end = f->wall + f->duration;
            }
        }
    }

    qsort(*list, *count, sizeof(lr_range_recording_t), lr_range_by_start);

    return LR_OK;
}


static int
lr_range_by_start(const void *one, const void *two)
{
    const lr_range_recording_t  *a, *b;

    a = one;
    b = two;

    if (a->start != b->start) {
        return (a->start > b->start) ? 1 : -1;
    }

    return strcmp(a->id, b->id);
}


int
lr_range_key_valid(const char *key)
{
    size_t       n, len;
    const char  *p;

    n = strlen(key);

    if (!lr_name_key_valid(key, n) || n < sizeof(".m3u8")
        || strcmp(key + n - (sizeof(".m3u8") - 1), ".m3u8") != 0)
    {
        return 0;
    }

    for (p = key; /* void */ ; p += len + 1) {
        len = strcspn(p, "/");

        if (p[0] == '.' || len > LR_RANGE_SEGMENT) {
            return 0;
        }

        if (p[len] == '\0') {
            return 1;
        }
    }
}
