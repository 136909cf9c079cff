
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lr_journal.h"
#include "lr_m3u8.h"
#include "lr_salvage.h"
#include "lr_ship.h"
#include "lr_spool.h"
#include "lr_url.h"


static int lr_ship_on_fragment(void *data, const lr_fragment_t *f);
static int lr_ship_on_span(void *data, int64_t wall, int64_t media,
    json_t *args);
static int lr_ship_add_spans(lr_ship_t *s);
static int lr_ship_prepare_fragment(lr_ship_t *s, lr_ship_order_t *order);
static int lr_ship_name(lr_ship_t *s, lr_ship_step_e step, lr_buf_t *key);
static int lr_ship_index(lr_ship_t *s, const char *key, lr_buf_t *text);
static void lr_ship_drop(lr_ship_t *s, uint32_t number);
static int lr_ship_sync(lr_ship_t *s, const lr_ship_fragment_t *sf,
    unsigned need, unsigned *synced);
static int lr_ship_confirm_fragment(lr_ship_t *s,
    const lr_ship_result_t *result);
static unsigned lr_ship_has_table(lr_ship_t *s,
    const lr_ship_fragment_t *sf);
static void lr_ship_spool(const lr_ship_t *s, char *path);


int
lr_ship_open(lr_ship_t *s, const char *dir, char *err, size_t size)
{
    int   rc;
    char  path[LR_PATH_MAX + 16];

    memset(s, 0, sizeof(lr_ship_t));

    snprintf(s->dir, sizeof(s->dir), "%s", dir);
    snprintf(path, sizeof(path), "%s/ship.log", dir);

    s->fd = lr_journal_open(path, 1);

    if (s->fd == -1) {
        if (errno == EWOULDBLOCK || errno == ENOENT) {
            return LR_AGAIN;
        }

        snprintf(err, size, "open() \"%s\" failed (%d: %s)", path, errno,
                 strerror(errno));
        return errno == ENODATA ? LR_DECLINED : LR_ERROR;
    }

    rc = lr_settings_read(&s->settings, dir, err, size);

    if (rc != LR_OK) {
        goto failed;
    }

    lr_ship_files_init(s);
    s->low = 1;

    /* what is found may have been written by one who had no time for it */

    s->fsync = 1;

    if (lr_zone_parse(s->settings.timezone, strlen(s->settings.timezone),
                      &s->zone)
        != LR_OK)
    {
        snprintf(err, size, "template.json has an unknown timezone");
        rc = LR_DECLINED;
        goto failed;
    }

    /* the fragments first, which the shipper's events are about */

    rc = lr_ship_read(s, err, size);

    if (rc != LR_OK) {
        goto failed;
    }

    rc = lr_journal_read(path, &s->offset, lr_ship_event, s, err, size);

    if (rc != LR_OK) {
        goto failed;
    }

    if (s->offset == 0
        && lr_journal_write(s->fd, "start",
                            json_pack("{s:i}", "version", LR_SPOOL_VERSION))
           != LR_OK)
    {
        snprintf(err, size, "write() \"%s\" failed (%d: %s)", path, errno,
                 strerror(errno));
        rc = LR_ERROR;
        goto failed;
    }

    /* the one before may have died before it removed what it confirmed */

    lr_ship_sweep(s);

    return LR_OK;

failed:

    lr_ship_close(s);

    return rc;
}


int
lr_ship_read(lr_ship_t *s, char *err, size_t size)
{
    int                    rc;
    lr_recording_reader_t  reader;

    reader.fragment = lr_ship_on_fragment;
    reader.span = lr_ship_on_span;
    reader.data = s;

    rc = lr_recording_read(&s->rec, s->dir, &reader, err, size);

    /* a journal without its first line may have been torn at birth */

    if (rc == LR_OK && s->rec.id[0] == '\0') {
        snprintf(err, size, "record.log is empty");
        return LR_DECLINED;
    }

    if (rc == LR_ERROR && errno == ENOENT) {
        snprintf(err, size, "there is no record.log");
        return LR_DECLINED;
    }

    return rc;
}


static int
lr_ship_on_fragment(void *data, const lr_fragment_t *f)
{
    lr_ship_t *s = data;

    size_t               nalloc;
    lr_ship_fragment_t  *more;

    if (s->n == s->nalloc) {
        nalloc = s->nalloc ? s->nalloc * 2 : 16;
        more = realloc(s->fragments, nalloc * sizeof(lr_ship_fragment_t));

        if (more == NULL) {
            return LR_ERROR;
        }

        s->fragments = more;
        s->nalloc = nalloc;
    }

    memset(&s->fragments[s->n], 0, sizeof(lr_ship_fragment_t));
    s->fragments[s->n++].f = *f;

    if (s->started == 0) {
        s->started = f->wall;
        s->earliest = f->wall;
    }

    if (f->wall < s->earliest) {
        s->earliest = f->wall;
    }

    /* headers may come long before the first frame, which is what counts */

    if (s->nspans && !s->timed) {
        s->timed = 1;
        s->spans[s->nspans - 1].wall = f->wall
                                - (f->media - s->spans[s->nspans - 1].media);
    }

    return LR_OK;
}


static int
lr_ship_on_span(void *data, int64_t wall, int64_t media, json_t *args)
{
    lr_ship_t *s = data;

    lr_manifest_span_t  *more;

    /* doubled at each power of two */

    if ((s->nspans & (s->nspans - 1)) == 0) {
        more = realloc(s->spans, (s->nspans ? s->nspans * 2 : 1)
                                 * sizeof(lr_manifest_span_t));

        if (more == NULL) {
            return LR_ERROR;
        }

        s->spans = more;
    }

    if (lr_ship_notice_span(s, media, args) != LR_OK) {
        return LR_ERROR;
    }

    s->spans[s->nspans].wall = wall;
    s->spans[s->nspans].media = media;
    s->nspans++;
    s->timed = 0;

    return LR_OK;
}


int
lr_ship_look(lr_ship_t *s, int64_t now, char *err, size_t size)
{
    int       rc;
    int64_t   grace;
    uint64_t  offset;

    offset = s->rec.offset;

    rc = lr_ship_read(s, err, size);

    if (rc != LR_OK || s->rec.state == LR_RECORDING_ENDED) {
        return rc;
    }

    /* a recorder that has just written is alive */

    if (s->rec.state == LR_RECORDING_LIVE && offset
        && offset != s->rec.offset)
    {
        return LR_OK;
    }

    grace = lr_recording_grace_of(&s->rec, s->settings.grace);

    if (s->rec.state == LR_RECORDING_PAUSED && !s->rec.has_open
        && lr_recording_grace_runs(s->rec.time, grace, now))
    {
        s->until = s->rec.time + grace + 1;
        return LR_OK;
    }

    rc = lr_recording_end(s->dir, s->settings.grace, now, &s->until, err,
                          size);

    if (rc == LR_DECLINED || (rc == LR_ERROR && s->next == s->n)) {
        return rc;
    }

    /*
     * What is whole can be shipped all the same, and on a full disk that is
     * what makes room.  Then it is tried again.
     */

    if (rc == LR_ERROR) {
        s->until = now + 1;
    }

    return lr_ship_read(s, err, size);
}


int
lr_ship_due(const lr_ship_t *s, int64_t now)
{
    int64_t  grace;

    if (s->rec.state == LR_RECORDING_ENDED || s->until == 0) {
        return 0;
    }

    grace = lr_recording_grace_of(&s->rec, s->settings.grace);

    return !lr_recording_grace_runs(s->until - grace - 1, grace, now);
}


lr_ship_step_e
lr_ship_next(lr_ship_t *s)
{
    int             ended;
    size_t          unlisted;
    lr_ship_step_e  step;

    ended = s->rec.state == LR_RECORDING_ENDED;
    unlisted = s->part ? s->part->nfragments - s->listed : 0;

    if (unlisted >= LR_SHIP_UNLISTED) {
        return LR_SHIP_MANIFEST;
    }

    step = lr_ship_file_next(s);

    if (step != LR_SHIP_WAIT) {
        return step;
    }

    if (lr_ship_cycle_done(s)) {
        return unlisted ? LR_SHIP_MANIFEST : LR_SHIP_INDEX;
    }

    /*
     * A full part has to be in the bucket, with all that belongs to it,
     * before the next one is begun.
     */

    if (lr_ship_part_full(s) && (unlisted || s->dirty || !s->sealed)) {
        return LR_SHIP_MANIFEST;
    }

    if (s->next < s->n) {
        return LR_SHIP_FRAGMENT;
    }

    if (s->part == NULL) {
        return ended ? LR_SHIP_DONE : LR_SHIP_WAIT;
    }

    if (ended && !s->closed) {
        return LR_SHIP_MANIFEST;
    }

    if (s->rec.state != LR_RECORDING_LIVE && (unlisted || s->dirty)) {
        return LR_SHIP_MANIFEST;
    }

    /* a long recording is not to be looked for until it ends */

    if ((s->due || (ended && !s->day)) && s->settings.index_path[0]
        && s->settings.formats & LR_FORMAT_M3U8)
    {
        return LR_SHIP_DAY;
    }

    return ended ? LR_SHIP_DONE : LR_SHIP_WAIT;
}


int
lr_ship_cycle_done(const lr_ship_t *s)
{
    size_t  i;

    if (s->rec.state != LR_RECORDING_ENDED && s->rec.cycle <= s->cycle) {
        return 0;
    }

    if (s->rec.state == LR_RECORDING_ENDED && s->cycle > s->rec.cycle) {
        return 0;
    }

    if (s->rec.has_open && s->rec.open.cycle <= s->cycle) {
        return 0;
    }

    for (i = s->next; i < s->n; i++) {
        if (s->fragments[i].f.cycle <= s->cycle) {
            return 0;
        }
    }

    return s->rec.fragments != 0;
}


int
lr_ship_prepare(lr_ship_t *s, lr_ship_step_e step, unsigned other,
    lr_ship_order_t *order)
{
    int       rc;
    lr_buf_t  first;

    errno = 0;

    switch (step) {

    case LR_SHIP_MANIFEST:

        s->part->closed = s->rec.state == LR_RECORDING_ENDED
                          && s->next == s->n;

        if (lr_ship_add_spans(s) != LR_OK
            || lr_manifest_key(NULL, s->settings.app, s->settings.stream,
                               s->part->fragments[0].wall, s->rec.id,
                               s->part->part, &order->key)
               != LR_OK)
        {
            return LR_ERROR;
        }

        return lr_manifest_write(s->part, &order->body.text);

    case LR_SHIP_FRAGMENT:

        rc = lr_ship_prepare_fragment(s, order);

        if (rc != LR_OK) {
            return rc;
        }

        /* fall through */

    case LR_SHIP_INDEX:

        memset(&first, 0, sizeof(lr_buf_t));

        order->keep = 1;

        rc = lr_ship_name(s, step, &first);

        if (rc == LR_OK) {
            rc = lr_ship_other_name(&first, other, &order->key);
        }

        lr_buf_free(&first);

        if (rc == LR_OK && step == LR_SHIP_INDEX) {
            rc = lr_ship_index(s, (char *) order->key.data,
                               &order->body.text);
        }

        return rc;

    default:
        return lr_ship_file_prepare(s, step, other, order);
    }
}


static int
lr_ship_prepare_fragment(lr_ship_t *s, lr_ship_order_t *order)
{
    lr_fragment_t  *f;

    f = &s->fragments[s->next].f;

    if (s->settings.formats & ~LR_FORMAT_M3U8) {

        lr_content_free(&s->content);

        if (lr_content_read(&s->content, s->dir, f->number, f->base)
            != LR_OK)
        {
            return LR_ERROR;
        }

        if (!(s->settings.formats & LR_FORMAT_M3U8)) {
            return LR_DECLINED;
        }
    }

    order->body.fragments = calloc(1, sizeof(lr_file_fragment_t));

    if (order->body.fragments == NULL) {
        errno = ENOMEM;
        return LR_ERROR;
    }

    order->body.kind = LR_BODY_TS;
    order->body.dir = s->dir;
    order->body.n = 1;
    order->body.to = 1;
    order->body.fragments[0].number = f->number;
    order->body.fragments[0].base = f->base;
    order->body.fragments[0].bytes = f->bytes;

    return LR_OK;
}


int
lr_ship_other_name(const lr_buf_t *first, unsigned other, lr_buf_t *key)
{
    if (other) {
        return lr_name_alternative((char *) first->data, other, key);
    }

    lr_buf_append(key, first->data, first->len + 1);

    if (key->failed) {
        return LR_ERROR;
    }

    key->len--;

    return LR_OK;
}


void
lr_ship_order_free(lr_ship_order_t *order)
{
    lr_buf_free(&order->key);
    lr_buf_free(&order->to);
    lr_body_free(&order->body);

    memset(order, 0, sizeof(lr_ship_order_t));
}


/* the spans that begin in the part, drawn anew each time */

static int
lr_ship_add_spans(lr_ship_t *s)
{
    size_t   i;
    int64_t  to;

    to = lr_ship_part_full(s) && !s->part->closed
         ? lr_ship_part_end(s->part) : INT64_MAX;

    s->part->nspans = 0;

    for (i = 0; i < s->nspans; i++) {
        if (s->spans[i].media >= s->from && s->spans[i].media < to
            && lr_manifest_add_span(s->part, s->spans[i].wall,
                                    s->spans[i].media)
               == LR_ERROR)
        {
            return LR_ERROR;
        }
    }

    return LR_OK;
}


static int
lr_ship_name(lr_ship_t *s, lr_ship_step_e step, lr_buf_t *key)
{
    int64_t         duration;
    lr_fragment_t  *f;
    lr_name_vars_t  vars;

    memset(&vars, 0, sizeof(lr_name_vars_t));

    vars.app = s->settings.app;
    vars.stream = s->settings.stream;
    vars.recorded = s->started;

    if (step == LR_SHIP_FRAGMENT) {
        f = &s->fragments[s->next].f;

        vars.start = f->wall;
        vars.end = f->wall + f->duration;
        vars.sequence = f->number - 1;

        return lr_name_expand(s->settings.fragment_path, &vars, &s->zone,
                              ".ts", key);
    }

    lr_ship_cycle_range(s, &vars.start, &vars.end, &duration);

    if (vars.start == -1) {
        return LR_DECLINED;
    }

    vars.sequence = s->cycle;

    return lr_name_expand(s->settings.path, &vars, &s->zone, ".m3u8", key);
}


void
lr_ship_cycle_range(const lr_ship_t *s, int64_t *start, int64_t *end,
    int64_t *duration)
{
    size_t               i;
    lr_ship_fragment_t  *sf;

    *start = -1;
    *end = -1;
    *duration = 0;

    for (i = 0; i < s->next; i++) {
        sf = &s->fragments[i];

        if (sf->f.cycle != s->cycle || sf->key == NULL) {
            continue;
        }

        if (*start == -1) {
            *start = sf->f.wall;
        }

        *end = sf->f.wall + sf->f.duration;
        *duration += sf->f.duration;
    }

    *end = lr_ship_end(*start, *end, *duration);
}


int64_t
lr_ship_end(int64_t start, int64_t end, int64_t duration)
{
    return end < start ? start + duration : end;
}


static int
lr_ship_index(lr_ship_t *s, const char *key, lr_buf_t *text)
{
    int                  rc, gap;
    size_t               i, n;
    lr_buf_t            *uris;
    uint32_t             last;
    lr_segment_t        *segs;
    lr_ship_fragment_t  *sf;

    segs = calloc(s->next + 1, sizeof(lr_segment_t));
    uris = calloc(s->next + 1, sizeof(lr_buf_t));

    rc = LR_ERROR;
    gap = 0;
    last = 0;
    n = 0;

    for (i = 0; segs && uris && i < s->next; i++) {
        sf = &s->fragments[i];

        if (sf->f.cycle != s->cycle) {
            continue;
        }

        gap |= sf->f.discontinuity;

        if (sf->key == NULL) {
            gap = 1;
            continue;
        }

        /* one of which nothing is known is like the one before */

        if (sf->tracks) {
            gap |= last && sf->tracks != last;
            last = sf->tracks;
        }

        lr_url_relative(&uris[n], key, sf->key);

        if (uris[n].failed) {
            goto done;
        }

        segs[n].uri = (char *) uris[n].data;
        segs[n].duration = sf->f.duration;
        segs[n].wall = sf->f.wall;
        segs[n].discontinuity = gap;
        segs[n].independent = sf->f.independent;

        gap = 0;
        n++;
    }

    if (segs && uris) {
        rc = lr_m3u8_write(segs, n, &s->zone, text);
    }

done:

    for (i = 0; uris && i <= n && i < s->next + 1; i++) {
        lr_buf_free(&uris[i]);
    }

    free(uris);
    free(segs);

    return rc;
}


int
lr_ship_confirm(lr_ship_t *s, lr_ship_step_e step,
    const lr_ship_result_t *result)
{
    json_t  *o;

    switch (step) {

    case LR_SHIP_FRAGMENT:
        return lr_ship_confirm_fragment(s, result);

    case LR_SHIP_MANIFEST:
        return lr_ship_journal(s, "manifest",
                               json_pack("{s:I, s:I, s:b, s:b}",
                                         "part", (json_int_t) s->part->part,
                                         "fragments",
                                         (json_int_t) s->part->nfragments,
                                         "closed", (int) s->part->closed,
                                         "full", lr_ship_part_full(s)));

    case LR_SHIP_INDEX:

        o = json_pack("{s:I, s:s, s:I}", "cycle", (json_int_t) s->cycle,
                      "key", result->key, "bytes",
                      (json_int_t) result->bytes);

        if (result->key[0]) {
            lr_ship_notice_index(s, o);
        }

        return lr_ship_journal(s, "index", o);

    case LR_SHIP_DAY:
        return lr_ship_journal(s, "day",
                               json_pack("{s:s}", "key", result->key));

    default:
        return lr_ship_file_confirm(s, step, result);
    }
}


static int
lr_ship_confirm_fragment(lr_ship_t *s, const lr_ship_result_t *result)
{
    int           rc;
    char          digests[2][20];
    json_t       *o;
    unsigned      i;
    lr_tracks_t   tracks;

    if (result->key[0] && result->tracks) {
        tracks = *result->tracks;

    } else {
        lr_content_tracks(&s->content, &tracks);
    }

    o = json_pack("{s:I, s:s, s:I}", "file",
                  (json_int_t) s->fragments[s->next].f.number,
                  "key", result->key, "bytes", (json_int_t) result->bytes);

    if (tracks.video[0]) {
        json_object_set_new(o, "video",
                            json_pack("{s:s, s:I, s:I}", "codec",
                                      tracks.video, "width",
                                      (json_int_t) tracks.width, "height",
                                      (json_int_t) tracks.height));
    }

    if (tracks.audio[0]) {
        json_object_set_new(o, "audio",
                            json_pack("{s:s, s:I, s:I}", "codec",
                                      tracks.audio, "rate",
                                      (json_int_t) tracks.rate, "channels",
                                      (json_int_t) tracks.channels));
    }

    if (s->settings.formats & ~LR_FORMAT_M3U8) {

        for (i = 0; i < 2; i++) {
            snprintf(digests[i], sizeof(digests[i]), "%llx",
                     (unsigned long long) s->content.digest[i]);
        }

        json_object_set_new(o, "digests", json_pack("[s, s]", digests[0],
                                                    digests[1]));
        json_object_set_new(o, "mp4",
                            json_integer((json_int_t) s->content.mp4));
        json_object_set_new(o, "flv",
                            json_integer((json_int_t) s->content.flv));
    }

    if (lr_ship_part_full(s)) {
        json_object_set_new(o, "part", json_true());
    }

    if (result->key[0]) {
        lr_ship_notice_fragment(s, o);
    }

    rc = lr_ship_journal(s, "fragment", o);

    if (rc == LR_OK) {
        lr_content_free(&s->content);
        lr_ship_sweep(s);
    }

    return rc;
}


int
lr_ship_skip(lr_ship_t *s, const char *why)
{
    int  rc;

    if (lr_ship_here(s) != LR_OK) {
        return LR_ERROR;
    }

    rc = lr_ship_journal(s, "skip",
                         json_pack("{s:I, s:s}", "file", (json_int_t)
                                   s->fragments[s->next].f.number, "why",
                                   why));

    if (rc == LR_OK) {
        lr_ship_sweep(s);
    }

    return rc;
}


int
lr_ship_salvage(lr_ship_t *s, lr_ship_step_e step, unsigned *files,
    uint64_t *lost)
{
    int       rc;
    char      spool[LR_PATH_MAX], name[LR_PATH_MAX + 16], *p;
    size_t    i, end;
    uint64_t  n;

    *files = 0;
    *lost = 0;

    if (lr_ship_here(s) != LR_OK) {
        return LR_ERROR;
    }

    lr_ship_spool(s, spool);

    i = step == LR_SHIP_FRAGMENT ? s->next : 0;
    end = step == LR_SHIP_FRAGMENT ? s->next + 1 : s->next;

    for ( /* void */ ; i < end; i++) {

        if (s->fragments[i].removed) {
            continue;
        }

        snprintf(name, sizeof(name), "%s.%06u.flv", s->dir + strlen(spool) + 1,
                 s->fragments[i].f.number);

        while ((p = strchr(name, '/')) != NULL) {
            *p = '.';
        }

        rc = lr_salvage(spool, s->dir, s->fragments[i].f.number, name, &n);

        if (rc == LR_ERROR && errno != ENOENT) {
            return LR_ERROR;
        }

        if (rc == LR_OK) {
            (*files)++;
            *lost += n;
        }
    }

    return *files ? LR_OK : LR_DECLINED;
}


int
lr_ship_here(const lr_ship_t *s)
{
    char         path[LR_PATH_MAX + 16];
    struct stat  one, two;

    snprintf(path, sizeof(path), "%s/ship.log", s->dir);

    if (stat(path, &one) == -1 || fstat(s->fd, &two) == -1) {
        return LR_ERROR;
    }

    if (one.st_ino != two.st_ino || one.st_dev != two.st_dev) {
        errno = ESTALE;
        return LR_ERROR;
    }

    return LR_OK;
}


void
lr_ship_sweep(lr_ship_t *s)
{
    size_t               i;
    uint32_t             low;
    unsigned             files, need, synced;
    lr_ship_fragment_t  *sf;

    files = s->settings.formats & ~LR_FORMAT_M3U8;
    low = 0;
    synced = 0;

    for (i = 0; i < s->next; i++) {
        sf = &s->fragments[i];

        need = files & ~(sf->stored | sf->without);

        /* the tables are needed for as long as a file is not whole */

        if (low == 0 && need) {
            low = sf->f.number;
        }

        if (!sf->removed && (need & ~sf->sent) == 0
            && (need == 0 || lr_ship_has_table(s, sf))
            && lr_ship_sync(s, sf, need, &synced) == LR_OK)
        {
            lr_ship_drop(s, sf->f.number);
            sf->removed = 1;
        }
    }

    if (low == 0 && s->next) {
        low = s->fragments[s->next - 1].f.number + 1;
    }

    if (low) {
        lr_fragment_remove_tables(s->dir, s->low, low);
        s->low = low;
    }
}


/*
 * The file becomes that of a fragment to come, if there can be one.  Not
 * with fsync: after a power failure it might be under both names.
 */

static void
lr_ship_drop(lr_ship_t *s, uint32_t number)
{
    if (s->rec.state == LR_RECORDING_LIVE && !s->fsync) {
        lr_fragment_spare(s->dir, number);

    } else {
        lr_fragment_remove(s->dir, number);
    }
}


/*
 * A file may be gone for good sooner than what was written before is on the
 * disk: what says that it is not needed, and what is needed in its place.
 */

static int
lr_ship_sync(lr_ship_t *s, const lr_ship_fragment_t *sf, unsigned need,
    unsigned *synced)
{
    char  path[LR_PATH_MAX + 16];

    if (!s->fsync
        || lr_fragment_path(path, sizeof(path), s->dir, sf->f.number, "flv")
           != LR_OK
        || access(path, F_OK) == -1)
    {
        return LR_OK;
    }

    if (need && lr_fragment_sync_table(s->dir, sf->f.number) != LR_OK) {
        return LR_ERROR;
    }

    if (!*synced && fdatasync(s->fd) == -1) {
        return LR_ERROR;
    }

    *synced = 1;

    return LR_OK;
}


/*
 * Without it, or if the file turned out to be shorter than it says, the rows
 * can be had from the FLV file only.
 */

static unsigned
lr_ship_has_table(lr_ship_t *s, const lr_ship_fragment_t *sf)
{
    int          rc;
    char         path[LR_PATH_MAX + 16];
    uint32_t     n;
    lr_row_t    *rows;
    struct stat  st;

    if (lr_fragment_path(path, sizeof(path), s->dir, sf->f.number, "flv")
        == LR_OK
        && stat(path, &st) == 0 && (uint64_t) st.st_size != sf->f.bytes)
    {
        return 0;
    }

    rc = lr_fragment_saved_rows(s->dir, sf->f.number, sf->f.bytes, &rows,
                                &n);
    free(rows);

    return rc == LR_OK;
}


int
lr_ship_remove(lr_ship_t *s)
{
    int   fd, rc, i;
    char  path[LR_PATH_MAX + 16], to[LR_PATH_MAX + 128], *slash;

    snprintf(path, sizeof(path), "%s/record.log", s->dir);

    fd = lr_journal_open(path, 0);

    if (fd == -1) {
        return LR_AGAIN;
    }

    /* out of the tree in one step, and then piece by piece */

    lr_ship_spool(s, path);

    snprintf(to, sizeof(to), "%s/" LR_TMP_DIR, path);
    (void) mkdir(to, 0700);

    snprintf(to, sizeof(to), "%s/" LR_TMP_DIR "/%s", path, s->rec.id);

    rc = rename(s->dir, to);

    close(fd);

    if (rc == -1) {
        return LR_AGAIN;
    }

    lr_spool_sweep(to);

    /* the stream's and the app's directories, if they are empty */

    snprintf(path, sizeof(path), "%s", s->dir);

    for (i = 0; i < 2; i++) {
        slash = strrchr(path, '/');
        *slash = '\0';

        if (rmdir(path) == -1) {
            break;
        }
    }

    lr_ship_close(s);

    return LR_OK;
}


/* the spool's own path, of that of a recording in it */

static void
lr_ship_spool(const lr_ship_t *s, char *path)
{
    int  i;

    snprintf(path, LR_PATH_MAX, "%s", s->dir);

    for (i = 0; i < 3; i++) {
        *strrchr(path, '/') = '\0';
    }
}


void
lr_ship_close(lr_ship_t *s)
{
    size_t  i;

    for (i = 0; i < s->n; i++) {
        free(s->fragments[i].key);
    }

    free(s->fragments);
    s->fragments = NULL;
    s->n = 0;

    lr_ship_notice_free(s);
    free(s->spans);
    s->spans = NULL;
    s->nspans = 0;

    lr_manifest_free(s->part);
    s->part = NULL;

    lr_ship_files_free(s);
    lr_content_free(&s->content);
    lr_settings_free(&s->settings);

    if (s->fd != -1) {
        close(s->fd);
        s->fd = -1;
    }
}
