
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The mp4 and flv files of a recording.  A file is made of the fragments
 * of a cycle, as long as their codecs stay the same.  While it is being
 * recorded its media goes to the bucket as parts of an upload, each of one
 * or more whole fragments; the first fragments, the lead, wait for the head
 * and are sent with it as part 1, last of all.  A file that has ended
 * before that was worth while is put as a whole.
 */


#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "lr_crc64.h"
#include "lr_ship.h"


/* of parts in an upload: stores take 10000 */
#define LR_SHIP_PARTS_STEP   1000

/* how the names of working keys begin */
#define LR_SHIP_WORK         ".part-"


/* the fragments of a file: those of [begin, end) that are not left out */

typedef struct {
    size_t      begin;
    size_t      end;
    size_t      n;
    int64_t     start;                /* wall times of their first and last */
    int64_t     over;
    int64_t     duration;
    unsigned    closed:1;             /* no other will follow */
} lr_ship_members_t;


static lr_ship_step_e lr_ship_file_step(lr_ship_t *s, lr_ship_file_t *f);
static void lr_ship_members(const lr_ship_t *s, const lr_ship_file_t *f,
    lr_ship_members_t *m);
static void lr_ship_members_to(const lr_ship_t *s, const lr_ship_file_t *f,
    uint32_t last, lr_ship_members_t *m);
static unsigned lr_ship_is_member(const lr_ship_fragment_t *sf,
    const lr_ship_file_t *f);
static unsigned lr_ship_fits(const lr_ship_fragment_t *first,
    const lr_ship_fragment_t *sf);
static uint64_t lr_ship_part_min(const lr_ship_t *s,
    const lr_ship_file_t *f);
static uint32_t lr_ship_lead(const lr_ship_t *s, const lr_ship_file_t *f,
    const lr_ship_members_t *m, uint64_t *rest);
static uint64_t lr_ship_unsent(const lr_ship_t *s, const lr_ship_file_t *f,
    const lr_ship_members_t *m);
static int lr_ship_file_begin(lr_ship_t *s, const lr_ship_members_t *m,
    unsigned other, lr_ship_order_t *order);
static int lr_ship_file_move(lr_ship_t *s, const lr_ship_members_t *m,
    unsigned other, lr_ship_order_t *order);
static unsigned lr_ship_is_direct(const lr_ship_file_t *f);
static int lr_ship_file_body(lr_ship_t *s, lr_ship_step_e step,
    const lr_ship_members_t *m, lr_ship_order_t *order);
static int lr_ship_file_key(lr_ship_t *s, const lr_ship_members_t *m,
    unsigned other, lr_buf_t *key);
static int lr_ship_work_key(lr_ship_t *s, const lr_ship_members_t *m,
    lr_buf_t *key);
static void lr_ship_file_vars(const lr_ship_t *s,
    const lr_ship_members_t *m, lr_name_vars_t *vars);
static int lr_ship_file_set_key(const lr_ship_file_t *f, lr_buf_t *key);
static const char *lr_ship_file_suffix(const lr_ship_file_t *f);
static unsigned lr_ship_readable(const lr_ship_t *s,
    const lr_ship_fragment_t *sf);
static int lr_ship_file_journal(lr_ship_t *s, const char *event, json_t *o);
static int lr_ship_file_store(lr_ship_t *s, const char *key, uint64_t bytes);
static uint64_t lr_ship_file_bytes(const lr_ship_file_t *f, size_t from,
    uint64_t *crc);
static int lr_ship_event_begin(lr_ship_file_t *f, json_t *o);
static int lr_ship_event_upload(lr_ship_file_t *f, json_t *o);
static int lr_ship_event_part(lr_ship_t *s, lr_ship_file_t *f, json_t *o);
static int lr_ship_event_move(lr_ship_file_t *f, json_t *o);
static int lr_ship_event_stored(lr_ship_t *s, lr_ship_file_t *f, json_t *o);
static int lr_ship_event_without(lr_ship_t *s, lr_ship_file_t *f,
    json_t *o);
static int lr_ship_event_abandon(lr_ship_t *s, lr_ship_file_t *f);
static void lr_ship_file_reset(lr_ship_file_t *f);


void
lr_ship_files_init(lr_ship_t *s)
{
    s->files[0].format = LR_FORMAT_MP4;
    s->files[1].format = LR_FORMAT_FLV;
}


void
lr_ship_files_free(lr_ship_t *s)
{
    unsigned  i;

    for (i = 0; i < LR_SHIP_FILES; i++) {
        lr_ship_file_reset(&s->files[i]);
    }
}


lr_ship_step_e
lr_ship_file_next(lr_ship_t *s)
{
    unsigned        i;
    lr_ship_step_e  step;

    for (i = 0; i < LR_SHIP_FILES; i++) {

        s->file = &s->files[i];

        if (!(s->settings.formats & s->file->format)) {
            continue;
        }

        step = lr_ship_file_step(s, s->file);

        if (step != LR_SHIP_WAIT) {
            return step;
        }
    }

    return LR_SHIP_WAIT;
}


static lr_ship_step_e
lr_ship_file_step(lr_ship_t *s, lr_ship_file_t *f)
{
    uint64_t           rest;
    lr_ship_members_t  m;

    if (f->lost) {
        return LR_SHIP_ABORT;
    }

    lr_ship_members(s, f, &m);

    if (m.n == 0) {
        return LR_SHIP_WAIT;
    }

    if (f->first == 0) {

        (void) lr_ship_lead(s, f, &m, &rest);

        /* it is all the same whether the end has been seen already */

        if (rest >= lr_ship_part_min(s, f)) {
            return LR_SHIP_BEGIN;
        }

        return m.closed ? LR_SHIP_FILE : LR_SHIP_WAIT;
    }

    if (f->upload == NULL) {
        return LR_SHIP_BEGIN;
    }

    rest = lr_ship_unsent(s, f, &m);

    if (rest && (m.closed || rest >= lr_ship_part_min(s, f))) {
        return LR_SHIP_PART;
    }

    if (!m.closed) {
        return LR_SHIP_WAIT;
    }

    if (f->parts[0].number == 0) {
        return LR_SHIP_PART;
    }

    return f->complete ? LR_SHIP_MOVE : LR_SHIP_COMPLETE;
}


static void
lr_ship_members(const lr_ship_t *s, const lr_ship_file_t *f,
    lr_ship_members_t *m)
{
    lr_ship_members_to(s, f, UINT32_MAX, m);
}


/* of them, up to the fragment of number "last" */

static void
lr_ship_members_to(const lr_ship_t *s, const lr_ship_file_t *f,
    uint32_t last, lr_ship_members_t *m)
{
    size_t                     i;
    const lr_ship_fragment_t  *sf, *first;

    memset(m, 0, sizeof(lr_ship_members_t));

    first = NULL;

    for (i = 0; i < s->next && s->fragments[i].f.number <= last; i++) {
        sf = &s->fragments[i];

        if (!lr_ship_is_member(sf, f)) {
            continue;
        }

        if (first == NULL) {
            first = sf;
            m->begin = i;
            m->start = sf->f.wall;

        } else if (!lr_ship_fits(first, sf)) {
            m->closed = 1;
            break;
        }

        m->end = i + 1;
        m->over = sf->f.wall + sf->f.duration;
        m->duration += sf->f.duration;
        m->n++;
    }

    m->over = lr_ship_end(m->start, m->over, m->duration);

    if (m->n && lr_ship_cycle_done(s)) {
        m->closed = 1;
    }
}


static unsigned
lr_ship_is_member(const lr_ship_fragment_t *sf, const lr_ship_file_t *f)
{
    return !((sf->stored | sf->without) & f->format);
}


/* a track that is not in a fragment does not disturb the file */

static unsigned
lr_ship_fits(const lr_ship_fragment_t *first, const lr_ship_fragment_t *sf)
{
    unsigned  i;

    if (sf->f.cycle != first->f.cycle) {
        return 0;
    }

    for (i = 0; i < 2; i++) {
        if (sf->digest[i] && sf->digest[i] != first->digest[i]) {
            return 0;
        }
    }

    return 1;
}


/* an upload of very many parts takes larger ones, to get to its end */

static uint64_t
lr_ship_part_min(const lr_ship_t *s, const lr_ship_file_t *f)
{
    return (s->part_min ? s->part_min : 1)
           << (f->nparts / LR_SHIP_PARTS_STEP);
}


/* the number of the last fragment in part 1, and how much is behind it */

static uint32_t
lr_ship_lead(const lr_ship_t *s, const lr_ship_file_t *f,
    const lr_ship_members_t *m, uint64_t *rest)
{
    size_t     i;
    uint32_t   lead;
    uint64_t   size;
    unsigned   n;

    n = (unsigned) (f - s->files);
    size = 0;
    lead = 0;
    *rest = 0;

    for (i = m->begin; i < m->end; i++) {

        if (!lr_ship_is_member(&s->fragments[i], f)) {
            continue;
        }

        if (size < lr_ship_part_min(s, f)) {
            size += s->fragments[i].size[n];
            lead = s->fragments[i].f.number;

        } else {
            *rest += s->fragments[i].size[n];
        }
    }

    return lead;
}


/* bytes of media behind the last part */

static uint64_t
lr_ship_unsent(const lr_ship_t *s, const lr_ship_file_t *f,
    const lr_ship_members_t *m)
{
    size_t    i;
    uint64_t  size;
    unsigned  n;

    n = (unsigned) (f - s->files);
    size = 0;

    for (i = m->begin; i < m->end; i++) {
        if (lr_ship_is_member(&s->fragments[i], f)
            && s->fragments[i].f.number > f->sent)
        {
            size += s->fragments[i].size[n];
        }
    }

    return size;
}


int
lr_ship_file_prepare(lr_ship_t *s, lr_ship_step_e step, unsigned other,
    lr_ship_order_t *order)
{
    lr_ship_file_t     *f;
    lr_ship_members_t   m;

    f = s->file;

    lr_ship_members(s, f, &m);

    switch (step) {

    case LR_SHIP_FILE:
        order->keep = 1;

        if (lr_ship_file_key(s, &m, other, &order->key) != LR_OK) {
            return LR_ERROR;
        }

        return lr_ship_file_body(s, step, &m, order);

    case LR_SHIP_BEGIN:
        return lr_ship_file_begin(s, &m, other, order);

    case LR_SHIP_PART:
        if (lr_ship_file_set_key(f, &order->key) != LR_OK) {
            return LR_ERROR;
        }

        return lr_ship_file_body(s, step, &m, order);

    case LR_SHIP_COMPLETE:
        order->size = lr_ship_file_bytes(f, 0, &order->crc);
        order->keep = lr_ship_is_direct(f);

        return lr_ship_file_set_key(f, &order->key);

    case LR_SHIP_MOVE:
        return lr_ship_file_move(s, &m, other, order);

    default: /* LR_SHIP_ABORT */
        return lr_ship_file_set_key(f, &order->key);
    }
}


/*
 * That an upload will be asked for is journalled before, so that one whose
 * id was lost is looked for.
 */

static int
lr_ship_file_begin(lr_ship_t *s, const lr_ship_members_t *m, unsigned other,
    lr_ship_order_t *order)
{
    int              rc;
    uint64_t         rest;
    uint32_t         lead;
    unsigned         direct;
    lr_ship_file_t  *f;

    f = s->file;
    direct = s->direct && !lr_name_uses_end(s->settings.path);

    order->keep = direct;

    if (f->first && other == 0) {
        order->keep = lr_ship_is_direct(f);
        order->again = 1;
        return lr_ship_file_set_key(f, &order->key);
    }

    rc = direct ? lr_ship_file_key(s, m, other, &order->key)
                : lr_ship_work_key(s, m, &order->key);

    if (rc != LR_OK) {
        return LR_ERROR;
    }

    if (f->first && strcmp(f->key, (char *) order->key.data) == 0) {
        order->again = 1;
        return LR_OK;
    }

    lead = lr_ship_lead(s, f, m, &rest);

    return lr_ship_file_journal(s, "begin",
                       json_pack("{s:I, s:I, s:s}", "first",
                                 (json_int_t) s->fragments[m->begin].f.number,
                                 "lead", (json_int_t) lead,
                                 "key", (char *) order->key.data));
}


/*
 * The name is journalled before, so that it is known where to look for an
 * object that was moved without that having been told.
 */

static int
lr_ship_file_move(lr_ship_t *s, const lr_ship_members_t *m, unsigned other,
    lr_ship_order_t *order)
{
    lr_ship_file_t  *f;

    f = s->file;

    order->size = lr_ship_file_bytes(f, 0, &order->crc);
    order->keep = 1;

    if (lr_ship_file_set_key(f, &order->key) != LR_OK) {
        return LR_ERROR;
    }

    if (f->to && other == 0) {
        lr_buf_append(&order->to, f->to, strlen(f->to) + 1);
        return order->to.failed ? LR_ERROR : LR_OK;
    }

    if (lr_ship_file_key(s, m, other, &order->to) != LR_OK) {
        return LR_ERROR;
    }

    if (f->to && strcmp(f->to, (char *) order->to.data) == 0) {
        return LR_OK;
    }

    return lr_ship_file_journal(s, "move",
                                json_pack("{s:s}", "to",
                                          (char *) order->to.data));
}


/* an upload under the name that the file is to have */

static unsigned
lr_ship_is_direct(const lr_ship_file_t *f)
{
    const char  *name;

    name = strrchr(f->key, '/');
    name = name ? name + 1 : f->key;

    return strncmp(name, LR_SHIP_WORK, sizeof(LR_SHIP_WORK) - 1) != 0;
}


static int
lr_ship_file_body(lr_ship_t *s, lr_ship_step_e step,
    const lr_ship_members_t *m, lr_ship_order_t *order)
{
    size_t               i;
    unsigned             tail;
    lr_body_t           *b;
    lr_ship_file_t      *f;
    lr_file_fragment_t  *ff;
    lr_ship_fragment_t  *sf;

    f = s->file;
    b = &order->body;

    b->fragments = calloc(m->n, sizeof(lr_file_fragment_t));

    if (b->fragments == NULL) {
        errno = ENOMEM;
        return LR_ERROR;
    }

    b->kind = LR_BODY_FILE;
    b->format = f->format;
    b->dir = s->dir;
    b->created = s->fragments[m->begin].f.wall;

    /* media of the tail, which begins behind the first, or a head */

    tail = step == LR_SHIP_PART && lr_ship_unsent(s, f, m) != 0;

    b->head = !tail;
    b->from = tail;

    for (i = m->begin; i < m->end; i++) {
        sf = &s->fragments[i];

        if (!lr_ship_is_member(sf, f)
            || (tail && i != m->begin && sf->f.number <= f->sent))
        {
            continue;
        }

        ff = &b->fragments[b->n++];

        ff->number = sf->f.number;
        ff->base = sf->f.base;
        ff->bytes = sf->f.bytes;

        if (tail || step == LR_SHIP_FILE || sf->f.number <= f->lead) {
            b->to = b->n;
        }
    }

    if (step == LR_SHIP_PART) {
        order->number = tail ? (uint32_t) f->nparts + 1 : 1;
        order->offset = lr_ship_file_bytes(f, 1, NULL);

        if (!tail) {
            b->align = f->align;
        }
    }

    return LR_OK;
}


/* the name that a file is to have in the end */

static int
lr_ship_file_key(lr_ship_t *s, const lr_ship_members_t *m, unsigned other,
    lr_buf_t *key)
{
    int             rc;
    lr_buf_t        first;
    lr_name_vars_t  vars;

    lr_ship_file_vars(s, m, &vars);
    memset(&first, 0, sizeof(lr_buf_t));

    rc = lr_name_expand(s->settings.path, &vars, &s->zone,
                        lr_ship_file_suffix(s->file), &first);

    if (rc == LR_OK) {
        rc = lr_ship_other_name(&first, other, key);
    }

    lr_buf_free(&first);

    return rc;
}


/* one until then, in the same folder, which nobody else can have */

static int
lr_ship_work_key(lr_ship_t *s, const lr_ship_members_t *m, lr_buf_t *key)
{
    char            *slash;
    lr_name_vars_t   vars;

    lr_ship_file_vars(s, m, &vars);
    vars.end = vars.start;

    if (lr_name_expand(s->settings.path, &vars, &s->zone, NULL, key)
        != LR_OK)
    {
        return LR_ERROR;
    }

    slash = strrchr((char *) key->data, '/');
    key->len = slash ? (size_t) (slash + 1 - (char *) key->data) : 0;

    lr_buf_printf(key, LR_SHIP_WORK "%s-%u%s", s->rec.id, s->file->sequence,
                  lr_ship_file_suffix(s->file));

    return key->failed || key->len > LR_NAME_KEY_LEN ? LR_ERROR : LR_OK;
}


static void
lr_ship_file_vars(const lr_ship_t *s, const lr_ship_members_t *m,
    lr_name_vars_t *vars)
{
    memset(vars, 0, sizeof(lr_name_vars_t));

    vars->app = s->settings.app;
    vars->stream = s->settings.stream;
    vars->recorded = s->started;
    vars->start = m->start;
    vars->end = m->over;
    vars->sequence = s->file->sequence;
}


static int
lr_ship_file_set_key(const lr_ship_file_t *f, lr_buf_t *key)
{
    lr_buf_append(key, f->key, strlen(f->key) + 1);

    if (key->failed) {
        return LR_ERROR;
    }

    key->len--;

    return LR_OK;
}


static const char *
lr_ship_file_suffix(const lr_ship_file_t *f)
{
    return f->format == LR_FORMAT_MP4 ? ".mp4" : ".flv";
}


/* bytes of the parts from the n-th, and their sum as one */

static uint64_t
lr_ship_file_bytes(const lr_ship_file_t *f, size_t n, uint64_t *crc)
{
    uint64_t  bytes;

    bytes = 0;

    if (crc) {
        *crc = 0;
    }

    for ( /* void */ ; n < f->nparts; n++) {
        bytes += f->parts[n].bytes;

        if (crc) {
            *crc = lr_crc64_combine(*crc, f->parts[n].crc,
                                    f->parts[n].bytes);
        }
    }

    return bytes;
}


int
lr_ship_file_confirm(lr_ship_t *s, lr_ship_step_e step,
    const lr_ship_result_t *result)
{
    int                 rc;
    char                crc[24];
    uint64_t            rest;
    uint32_t            last;
    lr_ship_file_t     *f;
    lr_ship_members_t   m;

    f = s->file;

    lr_ship_members(s, f, &m);

    switch (step) {

    case LR_SHIP_FILE:
        return lr_ship_file_store(s, result->key, result->bytes);

    case LR_SHIP_BEGIN:
        return lr_ship_file_journal(s, "upload",
                            json_pack("{s:s, s:I}", "upload", result->answer,
                                      "align", (json_int_t) result->align));

    case LR_SHIP_PART:

        rest = lr_ship_unsent(s, f, &m);
        last = rest ? s->fragments[m.end - 1].f.number : f->lead;

        snprintf(crc, sizeof(crc), "%llx", (unsigned long long) result->crc);

        rc = lr_ship_file_journal(s, "part",
                            json_pack("{s:I, s:I, s:I, s:s, s:s}",
                                      "number", (json_int_t)
                                      (rest ? f->nparts + 1 : 1),
                                      "last", (json_int_t) last,
                                      "bytes", (json_int_t) result->bytes,
                                      "crc", crc, "etag", result->answer));
        if (rc == LR_OK) {
            lr_ship_sweep(s);
        }

        return rc;

    case LR_SHIP_COMPLETE:

        if (lr_ship_is_direct(f)) {
            return lr_ship_file_store(s, f->key,
                                      lr_ship_file_bytes(f, 0, NULL));
        }

        return lr_ship_file_journal(s, "complete", json_object());

    case LR_SHIP_MOVE:
        return lr_ship_file_store(s, result->key,
                                  lr_ship_file_bytes(f, 0, NULL));

    case LR_SHIP_ABORT:
        return lr_ship_file_journal(s, "abort", json_object());

    default:
        return LR_OK;
    }
}


static int
lr_ship_file_store(lr_ship_t *s, const char *key, uint64_t bytes)
{
    int                   rc;
    json_t               *o;
    lr_ship_members_t     m;
    const lr_fragment_t  *last;

    lr_ship_members(s, s->file, &m);

    last = &s->fragments[m.end - 1].f;

    o = json_pack("{s:s, s:I, s:I}", "key", key, "bytes",
                  (json_int_t) bytes, "last", (json_int_t) last->number);

    lr_ship_notice(s, o, m.start, m.over, m.duration, last->media);

    rc = lr_ship_file_journal(s, "stored", o);

    if (rc == LR_OK) {
        lr_ship_sweep(s);
    }

    return rc;
}


int
lr_ship_abandon(lr_ship_t *s, const char *why)
{
    return lr_ship_file_journal(s, "abandon", json_pack("{s:s}", "why", why));
}


int
lr_ship_without(lr_ship_t *s)
{
    size_t               i;
    unsigned             left;
    lr_ship_file_t      *f;
    lr_ship_members_t    m;
    lr_ship_fragment_t  *sf;

    if (lr_ship_here(s) != LR_OK) {
        return LR_ERROR;
    }

    f = s->file;
    left = 0;

    lr_ship_members(s, f, &m);

    /*
     * First of all the upload, if it is lost by that: else it would be gone
     * on with by the next one, without some of what is in its parts.
     */

    for (i = m.begin; i < m.end; i++) {
        sf = &s->fragments[i];

        if (!f->lost && f->first && lr_ship_is_member(sf, f)
            && (sf->sent & f->format || sf->f.number <= f->lead)
            && !lr_ship_readable(s, sf))
        {
            left = 1;

            if (lr_ship_abandon(s, "its start or its tables are gone")
                != LR_OK)
            {
                return LR_ERROR;
            }
        }
    }

    for (i = m.begin; i < m.end; i++) {
        sf = &s->fragments[i];

        if (!lr_ship_is_member(sf, f) || lr_ship_readable(s, sf)) {
            continue;
        }

        left = 1;

        if (lr_ship_file_journal(s, "without",
                                 json_pack("{s:I, s:s}", "file",
                                           (json_int_t) sf->f.number, "why",
                                           "it cannot be read"))
            != LR_OK)
        {
            return LR_ERROR;
        }
    }

    lr_ship_sweep(s);

    return left ? LR_OK : LR_DECLINED;
}


/* what was sent has to have its rows only */

static unsigned
lr_ship_readable(const lr_ship_t *s, const lr_ship_fragment_t *sf)
{
    int        rc;
    uint32_t   n;
    lr_row_t  *rows;

    rc = LR_ERROR;
    rows = NULL;

    if (sf->sent & s->file->format) {
        rc = lr_fragment_saved_rows(s->dir, sf->f.number, sf->f.bytes, &rows,
                                    &n);
    }

    if (rc != LR_OK) {
        rc = lr_fragment_read_rows(s->dir, sf->f.number, &rows, &n);
    }

    free(rows);

    return rc == LR_OK;
}


static int
lr_ship_file_journal(lr_ship_t *s, const char *event, json_t *o)
{
    if (o) {
        json_object_set_new(o, "format",
                            json_string(lr_ship_file_suffix(s->file) + 1));
    }

    return lr_ship_journal(s, event, o);
}


int
lr_ship_file_event(lr_ship_t *s, const char *event, json_t *o)
{
    unsigned         i;
    const char      *format;
    lr_ship_file_t  *f;

    format = json_string_value(json_object_get(o, "format"));

    if (format == NULL) {
        return LR_DECLINED;
    }

    f = NULL;

    for (i = 0; i < LR_SHIP_FILES; i++) {
        if (strcmp(format, lr_ship_file_suffix(&s->files[i]) + 1) == 0) {
            f = &s->files[i];
        }
    }

    if (f == NULL) {
        return LR_DECLINED;
    }

    if (strcmp(event, "begin") == 0) {
        return lr_ship_event_begin(f, o);
    }

    if (strcmp(event, "upload") == 0) {
        return lr_ship_event_upload(f, o);
    }

    if (strcmp(event, "part") == 0) {
        return lr_ship_event_part(s, f, o);
    }

    if (strcmp(event, "complete") == 0) {
        f->complete = 1;
        return LR_OK;
    }

    if (strcmp(event, "move") == 0) {
        return lr_ship_event_move(f, o);
    }

    if (strcmp(event, "stored") == 0) {
        return lr_ship_event_stored(s, f, o);
    }

    if (strcmp(event, "without") == 0) {
        return lr_ship_event_without(s, f, o);
    }

    if (strcmp(event, "abandon") == 0) {
        return lr_ship_event_abandon(s, f);
    }

    if (strcmp(event, "abort") == 0) {
        lr_ship_file_reset(f);
        return LR_OK;
    }

    return LR_DECLINED;
}


static int
lr_ship_event_begin(lr_ship_file_t *f, json_t *o)
{
    const char  *key;

    key = json_string_value(json_object_get(o, "key"));

    lr_ship_file_reset(f);

    f->first = (uint32_t) json_integer_value(json_object_get(o, "first"));
    f->lead = (uint32_t) json_integer_value(json_object_get(o, "lead"));
    f->sent = f->lead;
    f->key = key ? strdup(key) : NULL;
    f->parts = calloc(1, sizeof(lr_part_t));
    f->nparts = 1;

    return f->first && f->lead >= f->first && f->key && f->parts ? LR_OK
                                                                 : LR_ERROR;
}


static int
lr_ship_event_upload(lr_ship_file_t *f, json_t *o)
{
    const char  *upload;

    upload = json_string_value(json_object_get(o, "upload"));

    if (f->first == 0 || upload == NULL) {
        return LR_ERROR;
    }

    free(f->upload);
    f->upload = strdup(upload);
    f->align = (uint32_t) json_integer_value(json_object_get(o, "align"));

    return f->upload ? LR_OK : LR_ERROR;
}


static int
lr_ship_event_part(lr_ship_t *s, lr_ship_file_t *f, json_t *o)
{
    size_t               i, number;
    uint32_t             last;
    lr_part_t           *part;
    const char          *crc, *etag;
    lr_ship_members_t    m;
    lr_ship_fragment_t  *sf;

    number = (size_t) json_integer_value(json_object_get(o, "number"));
    last = (uint32_t) json_integer_value(json_object_get(o, "last"));
    crc = json_string_value(json_object_get(o, "crc"));
    etag = json_string_value(json_object_get(o, "etag"));

    if (f->upload == NULL || crc == NULL || etag == NULL
        || (number != 1 && number != f->nparts + 1))
    {
        return LR_ERROR;
    }

    if (number == f->nparts + 1) {

        /* doubled at each power of two */

        if ((f->nparts & (f->nparts - 1)) == 0) {
            part = realloc(f->parts, f->nparts * 2 * sizeof(lr_part_t));

            if (part == NULL) {
                return LR_ERROR;
            }

            f->parts = part;
        }

        memset(&f->parts[f->nparts++], 0, sizeof(lr_part_t));

        lr_ship_members(s, f, &m);

        for (i = m.begin; i < m.end; i++) {
            sf = &s->fragments[i];

            if (sf->f.number > f->sent && sf->f.number <= last) {
                sf->sent |= f->format;
            }
        }

        f->sent = last;
    }

    part = &f->parts[number - 1];

    free(part->etag);

    part->number = (uint32_t) number;
    part->bytes = (uint64_t) json_integer_value(json_object_get(o, "bytes"));
    part->crc = strtoull(crc, NULL, 16);
    part->etag = strdup(etag);

    return part->etag ? LR_OK : LR_ERROR;
}


static int
lr_ship_event_move(lr_ship_file_t *f, json_t *o)
{
    const char  *to;

    to = json_string_value(json_object_get(o, "to"));

    if (f->upload == NULL || to == NULL) {
        return LR_ERROR;
    }

    free(f->to);
    f->to = strdup(to);

    return f->to ? LR_OK : LR_ERROR;
}


static int
lr_ship_event_stored(lr_ship_t *s, lr_ship_file_t *f, json_t *o)
{
    size_t               i;
    const char          *key;
    lr_ship_members_t    m;
    lr_manifest_file_t   file;
    lr_ship_fragment_t  *sf;

    key = json_string_value(json_object_get(o, "key"));

    lr_ship_members_to(s, f, (uint32_t)
                       json_integer_value(json_object_get(o, "last")), &m);

    if (key == NULL || m.n == 0) {
        return LR_ERROR;
    }

    for (i = m.begin; i < m.end; i++) {
        sf = &s->fragments[i];

        if (lr_ship_is_member(sf, f)) {
            sf->stored |= f->format;
        }
    }

    f->sequence++;
    lr_ship_file_reset(f);

    if (key[0] == '\0' || s->part == NULL) {
        return LR_OK;
    }

    memset(&file, 0, sizeof(lr_manifest_file_t));

    file.format = f->format == LR_FORMAT_MP4 ? LR_MANIFEST_MP4
                                             : LR_MANIFEST_FLV;
    file.start = m.start;
    file.end = m.over;
    file.duration = m.duration;
    file.cycle = s->fragments[m.begin].f.cycle;
    file.key = (char *) key;
    file.bytes = json_integer_value(json_object_get(o, "bytes"));

    if (lr_manifest_add_file(s->part, &file) == LR_ERROR) {
        return LR_ERROR;
    }

    s->dirty = 1;
    s->closed = 0;

    return LR_OK;
}


static int
lr_ship_event_without(lr_ship_t *s, lr_ship_file_t *f, json_t *o)
{
    size_t      i;
    json_int_t  number;

    number = json_integer_value(json_object_get(o, "file"));

    for (i = 0; i < s->next; i++) {
        if (s->fragments[i].f.number == number) {
            s->fragments[i].without |= f->format;
        }
    }

    return LR_OK;
}


/* what was only in the upload is in none of this format's files */

static int
lr_ship_event_abandon(lr_ship_t *s, lr_ship_file_t *f)
{
    size_t               i;
    lr_ship_fragment_t  *sf;

    if (f->first == 0) {
        return LR_ERROR;
    }

    for (i = 0; i < s->next; i++) {
        sf = &s->fragments[i];

        if (lr_ship_is_member(sf, f) && sf->sent & f->format) {
            sf->without |= f->format;
        }
    }

    f->lost = 1;

    return LR_OK;
}


static void
lr_ship_file_reset(lr_ship_file_t *f)
{
    size_t  i;

    for (i = 0; i < f->nparts; i++) {
        free(f->parts[i].etag);
    }

    free(f->parts);
    free(f->key);
    free(f->upload);
    free(f->to);

    f->to = NULL;
    f->parts = NULL;
    f->nparts = 0;
    f->key = NULL;
    f->upload = NULL;
    f->first = 0;
    f->lead = 0;
    f->sent = 0;
    f->align = 0;
    f->complete = 0;
    f->lost = 0;
}
