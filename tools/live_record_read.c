
/*
 * Copyright (C) the ngx_live_record authors
 *
 * A recording as its files tell of it.  The journals are replayed here for
 * people: all of them is kept, also what the shipper needs no more, and
 * what contradicts itself is left out.
 */


#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lr_journal.h"
#include "lr_manifest.h"
#include "live_record.h"


static int lr_tool_on_fragment(void *data, const lr_fragment_t *f);
static void lr_tool_look(lr_tool_t *t, lr_tool_fragment_t *tf);
static void lr_tool_touch(lr_tool_t *t, const char *path, uint64_t *size);
static int lr_tool_record_event(void *data, const char *event, json_t *o);
static void lr_tool_lost(lr_tool_t *t, json_t *o);
static void lr_tool_note(lr_tool_t *t, json_t *o, const char *text);
static int lr_tool_ship_event(void *data, const char *event, json_t *o);
static void lr_tool_shipped(lr_tool_t *t, json_t *o, unsigned skipped);
static void lr_tool_tracks(lr_tool_fragment_t *tf, json_t *o);
static void lr_tool_index(lr_tool_t *t, json_t *o);
static void lr_tool_file_event(lr_tool_t *t, lr_tool_upload_t *u,
    const char *event, json_t *o);
static void lr_tool_part(lr_tool_t *t, lr_tool_upload_t *u, json_t *o);
static void lr_tool_stored(lr_tool_t *t, lr_tool_upload_t *u, json_t *o);
static void lr_tool_abandoned(lr_tool_t *t, lr_tool_upload_t *u);
static void lr_tool_reset(lr_tool_upload_t *u);
static lr_tool_object_t *lr_tool_object(lr_tool_t *t, json_t *o,
    unsigned format);
static lr_tool_fragment_t *lr_tool_fragment(lr_tool_t *t, json_t *o);
static int64_t lr_tool_integer(json_t *o, const char *key);
static char *lr_tool_string(json_t *o, const char *key);


int
lr_tool_read(lr_tool_t *t, const char *dir, char *err, size_t size)
{
    int                     rc;
    char                    path[LR_PATH_MAX + 32], why[256];
    size_t                  i;
    uint64_t                offset;
    lr_tool_fragment_t     *tf;
    lr_recording_reader_t   reader;

    memset(t, 0, sizeof(lr_tool_t));

    t->uploads[0].format = LR_FORMAT_MP4;
    t->uploads[1].format = LR_FORMAT_FLV;

    if (snprintf(t->dir, sizeof(t->dir), "%s", dir) >= (int) sizeof(t->dir))
    {
        snprintf(err, size, "its name is too long");
        return LR_ERROR;
    }

    reader.fragment = lr_tool_on_fragment;
    reader.span = NULL;
    reader.data = t;

    rc = lr_recording_read(&t->rec, dir, &reader, why, sizeof(why));

    if (rc == LR_ERROR) {
        snprintf(err, size, "record.log cannot be read: %s",
                 strerror(errno));
        return LR_ERROR;
    }

    if (rc == LR_OK && t->rec.id[0] == '\0') {
        snprintf(err, size, "record.log is empty");
        rc = LR_DECLINED;

    } else if (rc == LR_DECLINED) {
        snprintf(err, size, "record.log cannot be understood: %s",
                 lr_tool_safe(why));
    }

    snprintf(path, sizeof(path), "%s/record.log", dir);
    lr_tool_touch(t, path, NULL);

    if (t->rec.has_open) {
        t->fragments = lr_tool_grow(t->fragments, t->n,
                                    sizeof(lr_tool_fragment_t));
        tf = &t->fragments[t->n++];
        memset(tf, 0, sizeof(lr_tool_fragment_t));
        tf->f = t->rec.open;
        tf->open = 1;
    }

    for (i = 0; i < t->n; i++) {
        lr_tool_look(t, &t->fragments[i]);
    }

    /* what the module does not need to know of it, as far as it goes */

    offset = 0;

    (void) lr_journal_read(path, &offset, lr_tool_record_event, t, why,
                           sizeof(why));

    return rc == LR_OK ? LR_OK : LR_ERROR;
}


static int
lr_tool_on_fragment(void *data, const lr_fragment_t *f)
{
    lr_tool_t *t = data;

    lr_tool_fragment_t  *tf;

    t->fragments = lr_tool_grow(t->fragments, t->n,
                                sizeof(lr_tool_fragment_t));

    tf = &t->fragments[t->n++];
    memset(tf, 0, sizeof(lr_tool_fragment_t));
    tf->f = *f;

    return LR_OK;
}


/* whether its file is here; of one without an end, how much there is */

static void
lr_tool_look(lr_tool_t *t, lr_tool_fragment_t *tf)
{
    char       path[LR_PATH_MAX + 32];
    lr_row_t  *rows;

    if (lr_fragment_path(path, sizeof(path), t->dir, tf->f.number, "flv")
        != LR_OK)
    {
        return;
    }

    lr_tool_touch(t, path, &tf->size);

    tf->here = access(path, F_OK) == 0;

    if (tf->here && tf->open
        && lr_fragment_read_rows(t->dir, tf->f.number, &rows, &tf->f.rows)
           == LR_OK)
    {
        lr_fragment_measure(&tf->f, rows, tf->f.rows);
        free(rows);
    }

    if (tf->open) {
        tf->f.bytes = tf->size;
    }
}


static void
lr_tool_touch(lr_tool_t *t, const char *path, uint64_t *size)
{
    int64_t      ms;
    struct stat  st;

    if (stat(path, &st) == -1) {
        return;
    }

    ms = (int64_t) st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;

    if (ms > t->touched) {
        t->touched = ms;
    }

    if (size) {
        *size = (uint64_t) st.st_size;
    }
}


static int
lr_tool_record_event(void *data, const char *event, json_t *o)
{
    lr_tool_t *t = data;

    char            *p;
    lr_tool_span_t  *span;

    if (strcmp(event, "publish") == 0) {
        t->spans = lr_tool_grow(t->spans, t->nspans, sizeof(lr_tool_span_t));
        span = &t->spans[t->nspans++];
        memset(span, 0, sizeof(lr_tool_span_t));
        span->from = lr_tool_integer(o, "time");
        span->media = lr_tool_integer(o, "media");

    } else if (strcmp(event, "unpublish") == 0 && t->nspans) {
        span = &t->spans[t->nspans - 1];
        free(span->why);
        span->to = lr_tool_integer(o, "time");
        span->why = lr_tool_string(o, "why");

    } else if (strcmp(event, "lost") == 0) {
        lr_tool_lost(t, o);

    } else if (strcmp(event, "error") == 0) {
        p = lr_tool_string(o, "text");
        lr_tool_note(t, o, p);
        free(p);
    }

    return LR_OK;
}


static void
lr_tool_lost(lr_tool_t *t, json_t *o)
{
    char      *why;
    lr_buf_t   text;

    memset(&text, 0, sizeof(lr_buf_t));
    why = lr_tool_string(o, "why");

    lr_buf_printf(&text, "lost %lld frames, %lld bytes: %s",
                  (long long) lr_tool_integer(o, "frames"),
                  (long long) lr_tool_integer(o, "bytes"), why);

    lr_tool_note(t, o, text.failed ? "lost frames" : (char *) text.data);

    lr_buf_free(&text);
    free(why);
}


static void
lr_tool_note(lr_tool_t *t, json_t *o, const char *text)
{
    lr_tool_note_t  *note;

    t->notes = lr_tool_grow(t->notes, t->nnotes, sizeof(lr_tool_note_t));

    note = &t->notes[t->nnotes++];
    note->time = lr_tool_integer(o, "time");
    note->text = lr_tool_copy(text);
}


int
lr_tool_read_settings(lr_tool_t *t, char *err, size_t size)
{
    int   rc;
    char  why[256];

    rc = lr_settings_read(&t->settings, t->dir, why, sizeof(why));

    if (rc == LR_OK) {
        (void) lr_tool_safe(t->settings.domain);
        (void) lr_tool_safe(t->settings.bucket);
        (void) lr_tool_safe(t->settings.path);
        (void) lr_tool_safe(t->settings.fragment_path);
        (void) lr_tool_safe(t->settings.index_path);
        (void) lr_tool_safe(t->settings.timezone);

        return LR_OK;
    }

    memset(&t->settings, 0, sizeof(lr_settings_t));
    snprintf(err, size, "%s", lr_tool_safe(why));

    return LR_ERROR;
}


int
lr_tool_read_ship(lr_tool_t *t, char *err, size_t size)
{
    int       rc;
    char      path[LR_PATH_MAX + 32], why[256];
    uint64_t  offset;

    snprintf(path, sizeof(path), "%s/ship.log", t->dir);
    offset = 0;

    rc = lr_journal_read(path, &offset, lr_tool_ship_event, t, why,
                         sizeof(why));

    if (rc == LR_OK || (rc == LR_ERROR && errno == ENOENT)) {
        return LR_OK;
    }

    if (rc == LR_ERROR) {
        snprintf(err, size, "ship.log cannot be read: %s", strerror(errno));

    } else {
        snprintf(err, size, "ship.log cannot be understood: %s",
                 lr_tool_safe(why));
    }

    return LR_ERROR;
}


static int
lr_tool_ship_event(void *data, const char *event, json_t *o)
{
    lr_tool_t *t = data;

    unsigned             i;
    const char          *format;
    lr_tool_fragment_t  *tf;

    if (strcmp(event, "start") == 0) {
        return lr_tool_integer(o, "version") == LR_SPOOL_VERSION ? LR_OK
                                                                 : LR_ERROR;
    }

    if (strcmp(event, "fragment") == 0 || strcmp(event, "skip") == 0) {
        lr_tool_shipped(t, o, event[0] == 's');
        return LR_OK;
    }

    if (strcmp(event, "manifest") == 0) {
        t->listed = (uint64_t) (lr_tool_integer(o, "part")
                                * LR_MANIFEST_FRAGMENTS
                                + lr_tool_integer(o, "fragments"));
        t->closed = json_is_true(json_object_get(o, "closed"));
        return LR_OK;
    }

    if (strcmp(event, "index") == 0) {
        lr_tool_index(t, o);
        return LR_OK;
    }

    if (strcmp(event, "day") == 0) {
        t->day = 1;
        return LR_OK;
    }

    format = json_string_value(json_object_get(o, "format"));

    if (format == NULL) {
        return LR_OK;
    }

    i = strcmp(format, "flv") == 0;

    if (i == 0 && strcmp(format, "mp4") != 0) {
        return LR_OK;
    }

    if (strcmp(event, "without") == 0) {
        tf = lr_tool_fragment(t, o);

        if (tf) {
            tf->without |= t->uploads[i].format;
        }

        return LR_OK;
    }

    lr_tool_file_event(t, &t->uploads[i], event, o);

    return LR_OK;
}


static void
lr_tool_shipped(lr_tool_t *t, json_t *o, unsigned skipped)
{
    lr_tool_fragment_t  *tf;

    t->confirmed += !skipped;
    tf = lr_tool_fragment(t, o);

    if (tf == NULL || tf->key || tf->why) {
        return;
    }

    if (skipped) {
        tf->why = lr_tool_string(o, "why");
        tf->without = LR_FORMAT_MP4|LR_FORMAT_FLV;
        return;
    }

    tf->key = lr_tool_string(o, "key");
    tf->object = (uint64_t) lr_tool_integer(o, "bytes");

    /* media that takes no bytes in a file has no place there */

    if (lr_tool_integer(o, "mp4") == 0) {
        tf->without |= LR_FORMAT_MP4;
    }

    if (lr_tool_integer(o, "flv") == 0) {
        tf->without |= LR_FORMAT_FLV;
    }

    lr_tool_tracks(tf, o);
}


static void
lr_tool_tracks(lr_tool_fragment_t *tf, json_t *o)
{
    char    *codec;
    json_t  *v, *a;

    v = json_object_get(o, "video");
    a = json_object_get(o, "audio");

    if (v) {
        codec = lr_tool_string(v, "codec");
        snprintf(tf->tracks.video, sizeof(tf->tracks.video), "%s", codec);
        tf->tracks.width = (uint32_t) lr_tool_integer(v, "width");
        tf->tracks.height = (uint32_t) lr_tool_integer(v, "height");
        free(codec);
    }

    if (a) {
        codec = lr_tool_string(a, "codec");
        snprintf(tf->tracks.audio, sizeof(tf->tracks.audio), "%s", codec);
        tf->tracks.rate = (uint32_t) lr_tool_integer(a, "rate");
        tf->tracks.channels = (uint32_t) lr_tool_integer(a, "channels");
        free(codec);
    }

    tf->known = v || a;
}


static void
lr_tool_index(lr_tool_t *t, json_t *o)
{
    lr_tool_object_t  *object;

    object = lr_tool_object(t, o, LR_FORMAT_M3U8);
    object->cycle = (uint32_t) lr_tool_integer(o, "cycle");

    if (object->cycle >= t->indexed) {
        t->indexed = object->cycle + 1;
    }

    /* a cycle of which there was nothing to be put into a playlist */

    if (object->key[0] == '\0') {
        free(object->key);
        memset(object, 0, sizeof(lr_tool_object_t));
        t->nobjects--;
    }
}


static void
lr_tool_file_event(lr_tool_t *t, lr_tool_upload_t *u, const char *event,
    json_t *o)
{
    if (strcmp(event, "begin") == 0) {
        lr_tool_reset(u);
        u->first = (uint32_t) lr_tool_integer(o, "first");
        u->lead = (uint32_t) lr_tool_integer(o, "lead");
        u->sent = u->lead;
        u->key = lr_tool_string(o, "key");

    } else if (strcmp(event, "upload") == 0) {
        free(u->upload);
        u->upload = lr_tool_string(o, "upload");

    } else if (strcmp(event, "part") == 0) {
        lr_tool_part(t, u, o);

    } else if (strcmp(event, "complete") == 0) {
        u->complete = 1;

    } else if (strcmp(event, "stored") == 0) {
        lr_tool_stored(t, u, o);

    } else if (strcmp(event, "abandon") == 0) {
        lr_tool_abandoned(t, u);

    } else if (strcmp(event, "abort") == 0) {
        lr_tool_reset(u);
    }
}


static void
lr_tool_part(lr_tool_t *t, lr_tool_upload_t *u, json_t *o)
{
    size_t               i;
    uint32_t             last;
    lr_tool_fragment_t  *tf;

    u->parts++;
    u->bytes += (uint64_t) lr_tool_integer(o, "bytes");

    if (lr_tool_integer(o, "number") == 1) {
        u->head = 1;
        return;
    }

    last = (uint32_t) lr_tool_integer(o, "last");

    for (i = 0; i < t->n; i++) {
        tf = &t->fragments[i];

        if (tf->f.number > u->sent && tf->f.number <= last
            && !((tf->stored | tf->without) & u->format))
        {
            tf->sent |= u->format;
        }
    }

    u->sent = last;
}


static void
lr_tool_stored(lr_tool_t *t, lr_tool_upload_t *u, json_t *o)
{
    size_t               i;
    uint32_t             last;
    lr_tool_object_t    *object;
    lr_tool_fragment_t  *tf;

    object = lr_tool_object(t, o, u->format);
    last = (uint32_t) lr_tool_integer(o, "last");

    for (i = 0; i < t->n; i++) {
        tf = &t->fragments[i];

        if (tf->f.number > last || (tf->stored | tf->without) & u->format) {
            continue;
        }

        tf->stored |= u->format;

        if (object->first == 0) {
            object->first = tf->f.number;
        }

        object->last = tf->f.number;
    }

    lr_tool_reset(u);
}


static void
lr_tool_abandoned(lr_tool_t *t, lr_tool_upload_t *u)
{
    size_t               i;
    lr_tool_fragment_t  *tf;

    u->lost = 1;

    for (i = 0; i < t->n; i++) {
        tf = &t->fragments[i];

        if (tf->sent & u->format && !(tf->stored & u->format)) {
            tf->without |= u->format;
        }
    }
}


static void
lr_tool_reset(lr_tool_upload_t *u)
{
    unsigned  format;

    free(u->key);
    free(u->upload);

    format = u->format;
    memset(u, 0, sizeof(lr_tool_upload_t));
    u->format = format;
}


static lr_tool_object_t *
lr_tool_object(lr_tool_t *t, json_t *o, unsigned format)
{
    lr_tool_object_t  *object;

    t->objects = lr_tool_grow(t->objects, t->nobjects,
                              sizeof(lr_tool_object_t));

    object = &t->objects[t->nobjects++];
    memset(object, 0, sizeof(lr_tool_object_t));

    object->format = format;
    object->key = lr_tool_string(o, "key");
    object->bytes = (uint64_t) lr_tool_integer(o, "bytes");

    return object;
}


/* of the number in "file"; they are in order */

static lr_tool_fragment_t *
lr_tool_fragment(lr_tool_t *t, json_t *o)
{
    size_t   low, high, i;
    int64_t  number;

    number = lr_tool_integer(o, "file");
    low = 0;
    high = t->n;

    while (low < high) {
        i = low + (high - low) / 2;

        if (t->fragments[i].f.number == number) {
            return &t->fragments[i];
        }

        if (t->fragments[i].f.number < number) {
            low = i + 1;

        } else {
            high = i;
        }
    }

    return NULL;
}


static int64_t
lr_tool_integer(json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}


static char *
lr_tool_string(json_t *o, const char *key)
{
    char  *s;

    s = lr_tool_copy(json_string_value(json_object_get(o, key)));
    (void) lr_tool_safe(s);

    return s;
}


void
lr_tool_free(lr_tool_t *t)
{
    size_t  i;

    for (i = 0; i < t->n; i++) {
        free(t->fragments[i].key);
        free(t->fragments[i].why);
    }

    for (i = 0; i < t->nspans; i++) {
        free(t->spans[i].why);
    }

    for (i = 0; i < t->nnotes; i++) {
        free(t->notes[i].text);
    }

    for (i = 0; i < t->nobjects; i++) {
        free(t->objects[i].key);
    }

    for (i = 0; i < 2; i++) {
        lr_tool_reset(&t->uploads[i]);
    }

    free(t->fragments);
    free(t->spans);
    free(t->notes);
    free(t->objects);
    lr_settings_free(&t->settings);
}
