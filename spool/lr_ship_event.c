
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The events of ship.log that are about fragments, manifests and indexes.
 */


#include <errno.h>
#include <stdlib.h>
#include "lr_journal.h"
#include "lr_ship.h"


/* of a part of the manifest, from its first fragment to its last, ms */
#define LR_SHIP_PART_SPAN  86400000LL


static int lr_ship_event_fragment(lr_ship_t *s, json_t *o);
static int lr_ship_event_skip(lr_ship_t *s, json_t *o);
static int lr_ship_event_manifest(lr_ship_t *s, json_t *o);
static int lr_ship_event_index(lr_ship_t *s, json_t *o);
static lr_ship_fragment_t *lr_ship_head(lr_ship_t *s, json_t *o);
static void lr_ship_content(lr_ship_fragment_t *sf, json_t *o);
static int lr_ship_list(lr_ship_t *s, lr_ship_fragment_t *sf, json_t *o);
static void lr_ship_trim(lr_ship_t *s);


int
lr_ship_event(void *data, const char *event, json_t *o)
{
    lr_ship_t *s = data;

    int  rc;

    if (strcmp(event, "start") == 0) {
        return json_integer_value(json_object_get(o, "version"))
               == LR_SPOOL_VERSION ? LR_OK : LR_ERROR;
    }

    if (strcmp(event, "fragment") == 0) {
        return lr_ship_event_fragment(s, o);
    }

    if (strcmp(event, "skip") == 0) {
        return lr_ship_event_skip(s, o);
    }

    if (strcmp(event, "manifest") == 0) {
        return lr_ship_event_manifest(s, o);
    }

    if (strcmp(event, "index") == 0) {
        return lr_ship_event_index(s, o);
    }

    if (strcmp(event, "day") == 0) {
        s->day = 1;
        s->due = 0;
        return LR_OK;
    }

    /* what a later version may add does not matter to this one */

    rc = lr_ship_file_event(s, event, o);

    return rc == LR_DECLINED ? LR_OK : rc;
}


/* the events are about the fragments in their order */

static lr_ship_fragment_t *
lr_ship_head(lr_ship_t *s, json_t *o)
{
    lr_ship_fragment_t  *sf;

    if (s->next == s->n) {
        return NULL;
    }

    sf = &s->fragments[s->next];

    if (json_integer_value(json_object_get(o, "file"))
        != (json_int_t) sf->f.number)
    {
        return NULL;
    }

    return sf;
}


static int
lr_ship_event_fragment(lr_ship_t *s, json_t *o)
{
    const char          *key;
    lr_ship_fragment_t  *sf;

    sf = lr_ship_head(s, o);
    key = json_string_value(json_object_get(o, "key"));

    if (sf == NULL || key == NULL) {
        return LR_ERROR;
    }

    if (key[0]) {
        sf->key = strdup(key);

        if (sf->key == NULL) {
            return LR_ERROR;
        }
    }

    if (lr_ship_list(s, sf, o) != LR_OK) {
        return LR_ERROR;
    }

    lr_ship_content(sf, o);

    sf->stored |= LR_FORMAT_M3U8;
    s->next++;

    return LR_OK;
}


static int
lr_ship_event_skip(lr_ship_t *s, json_t *o)
{
    lr_ship_fragment_t  *sf;

    sf = lr_ship_head(s, o);

    if (sf == NULL) {
        return LR_ERROR;
    }

    sf->skipped = 1;
    sf->stored |= LR_FORMAT_M3U8;
    sf->without |= LR_FORMAT_MP4 | LR_FORMAT_FLV;
    s->next++;

    /* it starts with what there is of it, as the first part's name says */

    if (s->parts == 0) {
        s->started = s->next < s->n ? s->fragments[s->next].f.wall : 0;
    }

    return LR_OK;
}


static int
lr_ship_event_manifest(lr_ship_t *s, json_t *o)
{
    int64_t  n;

    n = json_integer_value(json_object_get(o, "fragments"));

    if (s->part == NULL || n < 0 || (size_t) n > s->part->nfragments) {
        return LR_ERROR;
    }

    s->listed = (size_t) n;
    s->dirty = 0;
    s->sealed = json_is_true(json_object_get(o, "full"));
    s->closed = json_is_true(json_object_get(o, "closed"));

    return LR_OK;
}


static int
lr_ship_event_index(lr_ship_t *s, json_t *o)
{
    const char          *key;
    lr_manifest_file_t   file;

    key = json_string_value(json_object_get(o, "key"));

    if (key == NULL
        || json_integer_value(json_object_get(o, "cycle"))
           != (json_int_t) s->cycle)
    {
        return LR_ERROR;
    }

    if (key[0] && s->part) {
        memset(&file, 0, sizeof(lr_manifest_file_t));

        file.format = LR_MANIFEST_M3U8;
        file.cycle = s->cycle;
        file.key = (char *) key;
        file.bytes = json_integer_value(json_object_get(o, "bytes"));

        lr_ship_cycle_range(s, &file.start, &file.end, &file.duration);

        if (lr_manifest_add_file(s->part, &file) == LR_ERROR) {
            return LR_ERROR;
        }

        s->dirty = 1;
        s->closed = 0;
        s->due = 1;
    }

    s->cycle++;
    lr_ship_trim(s);

    return LR_OK;
}


/* what files need to know of a fragment */

static void
lr_ship_content(lr_ship_fragment_t *sf, json_t *o)
{
    unsigned     i;
    json_t      *list;
    const char  *p;

    list = json_object_get(o, "digests");

    for (i = 0; i < 2; i++) {
        p = json_string_value(json_array_get(list, i));
        sf->digest[i] = p ? strtoull(p, NULL, 16) : 0;
    }

    sf->size[0] = (uint64_t) json_integer_value(json_object_get(o, "mp4"));
    sf->size[1] = (uint64_t) json_integer_value(json_object_get(o, "flv"));

    if (sf->size[0] == 0) {
        sf->without |= LR_FORMAT_MP4;
    }

    if (sf->size[1] == 0) {
        sf->without |= LR_FORMAT_FLV;
    }
}


/* a confirmed fragment goes to the newest part of the manifest */

static int
lr_ship_list(lr_ship_t *s, lr_ship_fragment_t *sf, json_t *o)
{
    json_t                  *v, *a;
    const char              *codec;
    lr_manifest_fragment_t   mf;

    if (s->part && (s->part->nfragments == LR_MANIFEST_FRAGMENTS
                    || json_is_true(json_object_get(o, "part"))))
    {
        /* a number is left out where the next one does not tell by its time
           how far this one got */

        if (sf->f.wall < s->part->fragments[s->part->nfragments - 1].wall) {
            s->parts++;
        }

        s->from = lr_ship_part_end(s->part);
        lr_manifest_free(s->part);
        s->part = NULL;
    }

    if (s->part == NULL) {
        s->part = lr_manifest_create(s->rec.id, s->parts, s->settings.domain,
                                     s->settings.app, s->settings.stream,
                                     s->started, s->settings.fragment_path);
        if (s->part == NULL) {
            return LR_ERROR;
        }

        s->parts++;
        s->listed = 0;
        s->dirty = 0;
        s->sealed = 0;
    }

    memset(&mf, 0, sizeof(lr_manifest_fragment_t));

    mf.seq = sf->f.number - 1;
    mf.key = sf->key;
    mf.wall = sf->f.wall;
    mf.media = sf->f.media;
    mf.duration = sf->f.duration;
    mf.bytes = json_integer_value(json_object_get(o, "bytes"));
    mf.cycle = sf->f.cycle;
    mf.discontinuity = sf->f.discontinuity;
    mf.independent = sf->f.independent;

    v = json_object_get(o, "video");
    codec = json_string_value(json_object_get(v, "codec"));

    if (codec && strlen(codec) < sizeof(mf.video.codec)) {
        strcpy(mf.video.codec, codec);
        mf.video.width = (uint32_t)
                         json_integer_value(json_object_get(v, "width"));
        mf.video.height = (uint32_t)
                          json_integer_value(json_object_get(v, "height"));
    }

    a = json_object_get(o, "audio");
    codec = json_string_value(json_object_get(a, "codec"));

    if (codec && strlen(codec) < sizeof(mf.audio.codec)) {
        strcpy(mf.audio.codec, codec);
        mf.audio.rate = (uint32_t)
                        json_integer_value(json_object_get(a, "rate"));
        mf.audio.channels = (uint32_t)
                            json_integer_value(json_object_get(a,
                                                               "channels"));
    }

    sf->tracks = lr_manifest_tracks(&mf);
    s->closed = 0;

    return lr_manifest_add_fragment(s->part, &mf) == LR_OK ? LR_OK
                                                           : LR_ERROR;
}


/* what lies before the first cycle without an index is not needed */

static void
lr_ship_trim(lr_ship_t *s)
{
    size_t               i, n, nalloc;
    lr_ship_fragment_t  *less;

    for (n = 0; n < s->next && s->fragments[n].f.cycle < s->cycle; n++) {
        /* void */
    }

    for (i = 0; i < n; i++) {
        free(s->fragments[i].key);
    }

    if (n == 0) {
        return;
    }

    s->n -= n;
    s->next -= n;

    memmove(s->fragments, s->fragments + n,
            s->n * sizeof(lr_ship_fragment_t));

    /* a long recording that was opened anew had all of its fragments here */

    if (s->n * 4 < s->nalloc && s->nalloc > 64) {
        nalloc = s->n * 2 > 16 ? s->n * 2 : 16;
        less = realloc(s->fragments, nalloc * sizeof(lr_ship_fragment_t));

        if (less) {
            s->fragments = less;
            s->nalloc = nalloc;
        }
    }
}


/* what is journalled and what is held in memory come from one place */

int
lr_ship_journal(lr_ship_t *s, const char *event, json_t *o)
{
    int  rc;

    if (o == NULL) {
        errno = ENOMEM;
        return LR_ERROR;
    }

    rc = lr_journal_write(s->fd, event, json_incref(o));

    if (rc == LR_OK && lr_ship_event(s, event, o) != LR_OK) {
        errno = ENOMEM;
        rc = LR_ERROR;
    }

    json_decref(o);

    return rc;
}


int
lr_ship_part_full(const lr_ship_t *s)
{
    int64_t                        wall;
    const lr_manifest_fragment_t  *f;

    if (s->part == NULL || s->part->nfragments == 0) {
        return 0;
    }

    if (s->part->nfragments == LR_MANIFEST_FRAGMENTS) {
        return 1;
    }

    if (s->next == s->n) {
        return 0;
    }

    f = s->part->fragments;
    wall = s->fragments[s->next].f.wall;

    return wall < f[s->part->nfragments - 1].wall
           || wall - f[0].wall > LR_SHIP_PART_SPAN;
}


int64_t
lr_ship_part_end(const lr_manifest_t *part)
{
    lr_manifest_fragment_t  *last;

    last = &part->fragments[part->nfragments - 1];

    return last->media + last->duration;
}
