
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What is in a recording's directory, in words.
 */


#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "live_record.h"


static void lr_tool_show_settings(lr_tool_t *t);
static void lr_tool_show_state(lr_tool_t *t);
static void lr_tool_show_spans(lr_tool_t *t);
static void lr_tool_show_fragments(lr_tool_t *t);
static void lr_tool_show_fragment(lr_tool_t *t, lr_tool_fragment_t *tf);
static void lr_tool_show_tracks(lr_tool_t *t, lr_tool_fragment_t *tf);
static void lr_tool_show_object(lr_tool_t *t, lr_tool_fragment_t *tf);
static void lr_tool_show_files(lr_tool_t *t);
static void lr_tool_show_upload(const lr_tool_upload_t *u);
static void lr_tool_show_rest(lr_tool_t *t);
static unsigned lr_tool_show_rest_of(lr_tool_t *t, unsigned format,
    const char *what);
static unsigned lr_tool_waits(lr_tool_t *t, lr_tool_fragment_t *tf,
    unsigned format);
static int lr_tool_line(const char *dir, const char *path);
static const char *lr_tool_formats(char *buf, unsigned formats);
static const char *lr_tool_state(lr_tool_t *t);
static int64_t lr_tool_now(void);


int
lr_tool_inspect(const char *dir)
{
    int        rc, settings;
    char       err[512];
    lr_tool_t  t;

    rc = LR_TOOL_OK;

    if (lr_tool_read(&t, dir, err, sizeof(err)) != LR_OK) {
        lr_tool_say("\"%s\": %s", dir, err);
        rc = LR_TOOL_FAILED;
    }

    /* of a damaged one, as much as there is */

    if (t.rec.id[0] == '\0') {
        lr_tool_free(&t);
        return rc;
    }

    settings = lr_tool_read_settings(&t, err, sizeof(err));

    if (settings != LR_OK) {
        lr_tool_say("\"%s\": %s", dir, err);
        rc = LR_TOOL_FAILED;
    }

    if (lr_tool_read_ship(&t, err, sizeof(err)) != LR_OK) {
        lr_tool_say("\"%s\": %s", dir, err);
        rc = LR_TOOL_FAILED;
    }

    printf("recording %s\n", t.rec.id);

    if (settings == LR_OK) {
        lr_tool_show_settings(&t);
    }

    lr_tool_show_state(&t);
    lr_tool_show_spans(&t);
    lr_tool_show_fragments(&t);
    lr_tool_show_files(&t);

    if (settings == LR_OK && rc == LR_TOOL_OK) {
        lr_tool_show_rest(&t);
    }

    lr_tool_free(&t);

    return rc;
}


static void
lr_tool_show_settings(lr_tool_t *t)
{
    char                  buf[3][LR_TOOL_TEXT];
    const lr_settings_t  *s;

    s = &t->settings;

    printf("  stream         %s/%s\n", s->app, s->stream);
    printf("  domain         %s\n", s->domain);
    printf("  bucket         %s\n", s->bucket);
    printf("  formats        %s\n", lr_tool_formats(buf[0], s->formats));
    printf("  lengths        fragment %s, cycle %s, grace %s\n",
           lr_tool_length(buf[0], s->fragment),
           lr_tool_length(buf[1], s->cycle),
           lr_tool_length(buf[2], s->grace));
    printf("  path           %s\n", s->path);
    printf("  fragment_path  %s\n", s->fragment_path);
    printf("  index_path     %s\n", s->index_path[0] ? s->index_path : "off");
    printf("  timezone       %s\n", s->timezone);
}


static void
lr_tool_show_state(lr_tool_t *t)
{
    char     buf[2][LR_TOOL_TEXT];
    int64_t  until;

    printf("  state          %s", lr_tool_state(t));

    switch (t->rec.state) {

    case LR_RECORDING_LIVE:
        printf(", last written %s", lr_tool_time(buf[0], t->touched));
        break;

    case LR_RECORDING_PAUSED:
        printf(" since %s", lr_tool_time(buf[0], t->rec.time));

        if (t->settings.grace) {
            until = t->rec.time
                    + lr_recording_grace_of(&t->rec, t->settings.grace);
            printf(lr_tool_now() <= until ? ", may come back until %s"
                                          : ", could come back until %s",
                   lr_tool_time(buf[1], until));
        }

        break;

    default:
        printf(" %s", lr_tool_time(buf[0], t->rec.time));
    }

    printf("\n");
}


static void
lr_tool_show_spans(lr_tool_t *t)
{
    char             buf[3][LR_TOOL_TEXT];
    size_t           i;
    lr_tool_span_t  *span;

    printf("\nspans, %zu\n", t->nspans);

    for (i = 0; i < t->nspans; i++) {
        span = &t->spans[i];

        printf("  %zu  media time %s, published %s, ", i + 1,
               lr_tool_length(buf[0], span->media),
               lr_tool_time(buf[1], span->from));

        if (span->to) {
            printf("ended %s: %s\n", lr_tool_time(buf[2], span->to),
                   span->why);

        } else {
            printf("not ended\n");
        }
    }

    if (t->nnotes) {
        printf("\nlosses and errors, %zu\n", t->nnotes);
    }

    for (i = 0; i < t->nnotes; i++) {
        printf("  %s  %s\n", lr_tool_time(buf[0], t->notes[i].time),
               t->notes[i].text);
    }
}


static void
lr_tool_show_fragments(lr_tool_t *t)
{
    size_t  i;

    printf("\nfragments, %zu\n", t->n);

    for (i = 0; i < t->n; i++) {
        lr_tool_show_fragment(t, &t->fragments[i]);
    }
}


static void
lr_tool_show_fragment(lr_tool_t *t, lr_tool_fragment_t *tf)
{
    char  buf[2][LR_TOOL_TEXT];

    printf("  %06u  cycle %u, %s, length %s, %llu bytes, ", tf->f.number,
           tf->f.cycle, lr_tool_time(buf[0], tf->f.wall),
           lr_tool_length(buf[1], tf->f.duration),
           (unsigned long long) tf->f.bytes);

    lr_tool_show_tracks(t, tf);

    if (tf->f.discontinuity) {
        printf(", discontinuity");
    }

    if (!tf->f.independent && (tf->here || !tf->open)) {
        printf(", not independent");
    }

    if (tf->open) {
        printf(", open");
    }

    printf("; %s", tf->here ? "in the spool" : "not in the spool");

    lr_tool_show_object(t, tf);

    printf("\n");
}


static void
lr_tool_show_tracks(lr_tool_t *t, lr_tool_fragment_t *tf)
{
    lr_tracks_t   *tracks;
    lr_content_t   content;

    tracks = &tf->tracks;

    if (!tf->known && tf->here
        && lr_content_read(&content, t->dir, tf->f.number, tf->f.base)
           == LR_OK)
    {
        lr_content_tracks(&content, tracks);
        lr_content_free(&content);
        tf->known = 1;
    }

    if (!tf->known) {
        printf("contents not known");
        return;
    }

    if (tracks->video[0]) {
        printf("%s %ux%u", tracks->video, tracks->width, tracks->height);
    }

    if (tracks->audio[0]) {
        printf("%s%s %u Hz %u ch", tracks->video[0] ? ", " : "",
               tracks->audio, tracks->rate, tracks->channels);
    }

    if (!tracks->video[0] && !tracks->audio[0]) {
        printf("codecs not known");
    }
}


static void
lr_tool_show_object(lr_tool_t *t, lr_tool_fragment_t *tf)
{
    char      buf[LR_TOOL_TEXT];
    unsigned  sent;

    if (tf->why) {
        printf(", no object: %s", tf->why);
        return;
    }

    if (tf->key == NULL) {
        printf(", not confirmed");
        return;
    }

    if (tf->key[0]) {
        printf(", confirmed as \"%s\", %llu bytes", tf->key,
               (unsigned long long) tf->object);
    }

    if (tf->stored) {
        printf(", stored in %s", lr_tool_formats(buf, tf->stored));
    }

    sent = tf->sent & ~(tf->stored | tf->without);

    if (sent) {
        printf(", sent for %s", lr_tool_formats(buf, sent));
    }

    if (tf->without & t->settings.formats) {
        printf(", not in %s",
               lr_tool_formats(buf, tf->without & t->settings.formats));
    }
}


static void
lr_tool_show_files(lr_tool_t *t)
{
    char               buf[LR_TOOL_TEXT];
    size_t             i;
    lr_tool_object_t  *o;

    if (t->nobjects) {
        printf("\nstored, %zu\n", t->nobjects);
    }

    for (i = 0; i < t->nobjects; i++) {
        o = &t->objects[i];

        printf("  %s  \"%s\", %llu bytes, ",
               lr_tool_formats(buf, o->format), o->key,
               (unsigned long long) o->bytes);

        if (o->format == LR_FORMAT_M3U8) {
            printf("cycle %u\n", o->cycle);

        } else {
            printf("fragments %06u to %06u\n", o->first, o->last);
        }
    }

    if (t->uploads[0].first || t->uploads[1].first) {
        printf("\nunder way\n");
    }

    for (i = 0; i < 2; i++) {
        if (t->uploads[i].first) {
            lr_tool_show_upload(&t->uploads[i]);
        }
    }
}


static void
lr_tool_show_upload(const lr_tool_upload_t *u)
{
    char  buf[LR_TOOL_TEXT];

    printf("  %s  \"%s\", from fragment %06u, ",
           lr_tool_formats(buf, u->format), u->key, u->first);

    if (u->upload) {
        printf("upload \"%s\"", u->upload);

    } else {
        printf("upload asked for");
    }

    printf(", %u part%s with %llu bytes sent", u->parts,
           u->parts == 1 ? "" : "s", (unsigned long long) u->bytes);

    if (u->sent > u->lead) {
        printf(", up to fragment %06u", u->sent);
    }

    if (!u->head) {
        printf(", fragments up to %06u wait for the head", u->lead);
    }

    if (u->complete) {
        printf(", complete, to be given its name");
    }

    if (u->lost) {
        printf(", lost, to be aborted");
    }

    printf("\n");
}


static void
lr_tool_show_rest(lr_tool_t *t)
{
    uint32_t  cycles;
    uint64_t  n;
    unsigned  rest;

    printf("\nto be shipped\n");

    rest = lr_tool_show_rest_of(t, LR_FORMAT_M3U8, "in no object");
    rest |= lr_tool_show_rest_of(t, LR_FORMAT_MP4, "in no mp4 file");
    rest |= lr_tool_show_rest_of(t, LR_FORMAT_FLV, "in no flv file");

    if (t->confirmed > t->listed) {
        n = t->confirmed - t->listed;
        printf("  %llu fragment%s in no manifest\n", (unsigned long long) n,
               n == 1 ? "" : "s");
        rest = 1;

    } else if (t->confirmed && t->rec.state == LR_RECORDING_ENDED
               && !t->closed)
    {
        printf("  the manifest is not closed\n");
        rest = 1;
    }

    cycles = t->rec.cycle + 1;

    if (t->settings.formats & LR_FORMAT_M3U8 && t->n
        && t->indexed < cycles)
    {
        printf("  no playlist of cycle %u", t->indexed);

        if (t->indexed + 1 < cycles) {
            printf(" to %u", t->rec.cycle);
        }

        printf("\n");
        rest = 1;
    }

    if (t->settings.formats & LR_FORMAT_M3U8 && t->settings.index_path[0]
        && t->confirmed && !t->day)
    {
        printf("  the index of the day\n");
        rest = 1;
    }

    if (!rest) {
        printf("  nothing\n");
    }
}


static unsigned
lr_tool_show_rest_of(lr_tool_t *t, unsigned format, const char *what)
{
    size_t               i, n;
    uint32_t             first, last;
    uint64_t             bytes;
    lr_tool_fragment_t  *tf;

    n = 0;
    first = 0;
    last = 0;
    bytes = 0;

    for (i = 0; i < t->n; i++) {
        tf = &t->fragments[i];

        if (!lr_tool_waits(t, tf, format)) {
            continue;
        }

        if (n++ == 0) {
            first = tf->f.number;
        }

        last = tf->f.number;
        bytes += tf->f.bytes;
    }

    if (n == 0) {
        return 0;
    }

    printf("  %zu fragment%s %s, %06u to %06u, %llu bytes\n", n,
           n == 1 ? "" : "s", what, first, last, (unsigned long long) bytes);

    return 1;
}


static unsigned
lr_tool_waits(lr_tool_t *t, lr_tool_fragment_t *tf, unsigned format)
{
    if (!(t->settings.formats & format)) {
        return 0;
    }

    if (format == LR_FORMAT_M3U8) {
        return tf->key == NULL && tf->why == NULL;
    }

    return !((tf->stored | tf->without) & format);
}


int
lr_tool_inspect_all(const char *dir, const lr_tool_list_t *list)
{
    int     rc;
    size_t  i;

    rc = list->shut ? LR_TOOL_FAILED : LR_TOOL_OK;

    if (list->n == 0 && !list->shut) {
        printf("there is no recording below \"%s\"\n", dir);
    }

    for (i = 0; i < list->n; i++) {
        if (lr_tool_line(dir, list->paths[i]) != LR_OK) {
            rc = LR_TOOL_FAILED;
        }
    }

    return rc;
}


static int
lr_tool_line(const char *dir, const char *path)
{
    char                 err[512], buf[2][LR_TOOL_TEXT];
    size_t               i, here, wait;
    int64_t              length;
    uint64_t             bytes;
    lr_tool_t            t;
    const char          *name;
    lr_tool_fragment_t  *tf;

    for (name = path + strlen(dir); *name == '/'; name++) { /* void */ }

    if (lr_tool_read(&t, path, err, sizeof(err)) != LR_OK
        || lr_tool_read_settings(&t, err, sizeof(err)) != LR_OK
        || lr_tool_read_ship(&t, err, sizeof(err)) != LR_OK)
    {
        lr_tool_free(&t);

        /* stored and removed while the others were looked at */

        if (!lr_tool_is_recording(path)) {
            return LR_OK;
        }

        lr_tool_say("\"%s\": %s", path, err);

        return LR_ERROR;
    }

    here = 0;
    wait = 0;
    bytes = 0;
    length = 0;

    for (i = 0; i < t.n; i++) {
        tf = &t.fragments[i];

        length += tf->f.duration;
        here += tf->here;
        bytes += tf->size;
        wait += lr_tool_waits(&t, tf, LR_FORMAT_M3U8)
                || lr_tool_waits(&t, tf, LR_FORMAT_MP4)
                || lr_tool_waits(&t, tf, LR_FORMAT_FLV);
    }

    printf("%s  %s, started %s, %zu fragment%s of %s, %zu in the spool with"
           " %llu bytes, %zu to be shipped\n",
           name, lr_tool_state(&t), lr_tool_time(buf[0], t.rec.started), t.n,
           t.n == 1 ? "" : "s", lr_tool_length(buf[1], length), here,
           (unsigned long long) bytes, wait);

    lr_tool_free(&t);

    return LR_OK;
}


static const char *
lr_tool_formats(char *buf, unsigned formats)
{
    snprintf(buf, LR_TOOL_TEXT, "%s%s%s",
             formats & LR_FORMAT_M3U8 ? " m3u8" : "",
             formats & LR_FORMAT_MP4 ? " mp4" : "",
             formats & LR_FORMAT_FLV ? " flv" : "");

    return buf[0] ? buf + 1 : "none";
}


static const char *
lr_tool_state(lr_tool_t *t)
{
    switch (t->rec.state) {

    case LR_RECORDING_LIVE:
        return "live";

    case LR_RECORDING_PAUSED:
        return "paused";

    default:
        return "ended";
    }
}


static int64_t
lr_tool_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_REALTIME, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}
