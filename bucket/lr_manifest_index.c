
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdlib.h>
#include "lr_manifest.h"
#include "lr_url.h"


typedef struct {
    const lr_manifest_t           *m;
    const lr_manifest_fragment_t  *f;
    int64_t                        started;
    size_t                         order;
} lr_manifest_ref_t;


/* FNV-1a */

#define LR_MANIFEST_BASIS  0x811c9dc5u
#define LR_MANIFEST_PRIME  0x01000193u


static uint32_t lr_manifest_hash(uint32_t hash, const char *codec,
    uint32_t one, uint32_t two);
static int lr_manifest_by_id(const void *one, const void *two);
static int lr_manifest_by_time(const void *one, const void *two);
static int lr_manifest_segments(const lr_manifest_ref_t *refs, size_t n,
    const char *index_key, const char *base, lr_segments_t *list);
static void lr_manifest_uri(lr_buf_t *out, const char *index_key,
    const char *base, const char *key);


uint32_t
lr_manifest_tracks(const lr_manifest_fragment_t *f)
{
    uint32_t                    hash;
    const lr_manifest_video_t  *v;
    const lr_manifest_audio_t  *a;

    v = &f->video;
    a = &f->audio;

    if (v->codec[0] == '\0' && a->codec[0] == '\0') {
        return 0;
    }

    hash = lr_manifest_hash(LR_MANIFEST_BASIS, v->codec, v->width, v->height);
    hash = lr_manifest_hash(hash, a->codec, a->rate, a->channels);

    return hash ? hash : 1;
}


/* the codec with its zero byte, and two numbers */

static uint32_t
lr_manifest_hash(uint32_t hash, const char *codec, uint32_t one,
    uint32_t two)
{
    size_t  i;
    u_char  buf[8];

    (void) lr_put_be32(lr_put_be32(buf, one), two);

    for (i = 0; i <= strlen(codec); i++) {
        hash = (hash ^ (u_char) codec[i]) * LR_MANIFEST_PRIME;
    }

    for (i = 0; i < sizeof(buf); i++) {
        hash = (hash ^ buf[i]) * LR_MANIFEST_PRIME;
    }

    return hash;
}


static int
lr_manifest_by_id(const void *one, const void *two)
{
    int                       rc;
    const lr_manifest_ref_t  *a, *b;

    a = one;
    b = two;

    rc = strcmp(a->m->id, b->m->id);
    if (rc != 0) {
        return rc;
    }

    return (a->order > b->order) - (a->order < b->order);
}


static int
lr_manifest_by_time(const void *one, const void *two)
{
    int                       rc;
    const lr_manifest_ref_t  *a, *b;

    a = one;
    b = two;

    if (a->started != b->started) {
        return (a->started > b->started) ? 1 : -1;
    }

    rc = strcmp(a->m->id, b->m->id);
    if (rc != 0) {
        return rc;
    }

    if (a->f->seq != b->f->seq) {
        return (a->f->seq > b->f->seq) ? 1 : -1;
    }

    return (a->order > b->order) - (a->order < b->order);
}


int
lr_manifest_index(lr_manifest_t *const *m, size_t n, const char *index_key,
    const char *base, lr_segments_t *list)
{
    int                            rc;
    size_t                         i, j, count;
    lr_manifest_ref_t             *parts, *refs;
    const lr_manifest_fragment_t  *f;

    memset(list, 0, sizeof(lr_segments_t));

    rc = LR_ERROR;
    refs = NULL;
    count = 0;

    parts = calloc(n + 1, sizeof(lr_manifest_ref_t));
    if (parts == NULL) {
        goto done;
    }

    for (i = 0; i < n; i++) {
        parts[i].m = m[i];
        parts[i].started = m[i]->started;
        parts[i].order = i;
        count += m[i]->nfragments;
    }

    refs = calloc(count + 1, sizeof(lr_manifest_ref_t));
    if (refs == NULL) {
        goto done;
    }

    /* parts that do not agree about the start must not tear a recording */

    qsort(parts, n, sizeof(lr_manifest_ref_t), lr_manifest_by_id);

    for (i = 1; i < n; i++) {
        if (strcmp(parts[i].m->id, parts[i - 1].m->id) == 0
            && parts[i].started > parts[i - 1].started)
        {
            parts[i].started = parts[i - 1].started;
        }
    }

    for (i = n; i > 1; i--) {
        if (strcmp(parts[i - 1].m->id, parts[i - 2].m->id) == 0) {
            parts[i - 2].started = parts[i - 1].started;
        }
    }

    count = 0;

    for (i = 0; i < n; i++) {
        for (j = 0; j < parts[i].m->nfragments; j++) {
            f = &parts[i].m->fragments[j];

            if (f->key == NULL) {
                continue;
            }

            refs[count] = parts[i];
            refs[count++].f = f;
        }
    }

    qsort(refs, count, sizeof(lr_manifest_ref_t), lr_manifest_by_time);

    rc = lr_manifest_segments(refs, count, index_key, base, list);

done:

    free(parts);
    free(refs);

    if (rc != LR_OK) {
        lr_segments_free(list);
    }

    return rc;
}


static int
lr_manifest_segments(const lr_manifest_ref_t *refs, size_t n,
    const char *index_key, const char *base, lr_segments_t *list)
{
    size_t                    i;
    uint32_t                  tracks, last;
    unsigned                  same;
    const char               *uri;
    lr_segment_t             *s;
    const lr_manifest_ref_t  *ref, *prev;

    list->segs = calloc(n + 1, sizeof(lr_segment_t));
    if (list->segs == NULL) {
        return LR_ERROR;
    }

    prev = NULL;
    last = 0;

    for (i = 0; i < n; i++) {
        ref = &refs[i];
        same = (prev != NULL && strcmp(prev->m->id, ref->m->id) == 0);

        if (same && prev->f->seq == ref->f->seq) {
            continue;
        }

        s = &list->segs[list->n++];
        s->duration = ref->f->duration;
        s->wall = ref->f->wall;
        s->independent = ref->f->independent;

        s->discontinuity = prev != NULL
                           && (!same || ref->f->discontinuity
                               || ref->f->seq != prev->f->seq + 1);

        /* one of which nothing is known is like the one before */

        tracks = lr_manifest_tracks(ref->f);

        if (tracks) {
            s->discontinuity |= (last && tracks != last);
            last = tracks;
        }

        lr_manifest_uri(&list->text, index_key, base, ref->f->key);
        prev = ref;
    }

    if (list->text.failed) {
        return LR_ERROR;
    }

    uri = (const char *) list->text.data;

    for (i = 0; i < list->n; i++) {
        list->segs[i].uri = uri;
        uri += strlen(uri) + 1;
    }

    return LR_OK;
}


/* and a zero byte, which is counted */

static void
lr_manifest_uri(lr_buf_t *out, const char *index_key, const char *base,
    const char *key)
{
    if (base) {
        lr_buf_puts(out, base);
        lr_url_encode_path(out, key, strlen(key));

    } else {
        lr_url_relative(out, index_key, key);
    }

    lr_buf_append(out, "", 1);
}


void
lr_segments_free(lr_segments_t *list)
{
    free(list->segs);
    lr_buf_free(&list->text);

    list->segs = NULL;
    list->n = 0;
}
