
/*
 * Copyright (C) the ngx_live_record authors
 *
 * A model of the whole: a recorder writes what a script says, a bucket in
 * memory refuses whatever breaks the order of commitment, and a shipper is
 * killed at each of its steps in each way there is.
 */


#ifndef _SHIP_MODEL_H_INCLUDED_
#define _SHIP_MODEL_H_INCLUDED_


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include "lr_crc64.h"
#include "lr_notice.h"
#include "lr_range.h"
#include "lr_ship.h"
#include "spool_check.h"


#define NOW       1772366400000LL
#define LENGTH    5000
#define OBJECTS   8000
#define PARTS     100
#define UPLOADS   64
#define PIECES    200
#define FRAMES    3

#define FILES     (LR_FORMAT_MP4|LR_FORMAT_FLV)
#define ALL       (LR_FORMAT_M3U8|LR_FORMAT_MP4|LR_FORMAT_FLV)


/*
 * What a recorder does: a letter each
 *
 *   P  publish        F  a fragment         M  one whose file is missing
 *   U  unpublish      C  the next fragment begins a cycle
 *   D  one that is dropped                  T  time passes, within the grace
 *   K  killed with a fragment open, of which two tags are whole
 *   E  the grace is over
 *   G  there is no grace from here on, Z  a moment passes
 *   W  what media is dated by goes back an hour, w  forward a day,
 *   b  back three minutes
 *
 * and where there are mp4 or flv files
 *
 *   B  a large one    S  one that only flv can hold
 *   L  one whose end is lost after it was closed, but not its table
 *   H  one with sequence headers and nothing else
 *   v  from here on with or without video, a  audio
 *   x  with another configuration of video, y  of audio
 */

typedef enum {
    ALIVE = 0,
    PREPARED,                         /* killed before the bucket has it */
    BEGUN,                            /* and what that had journalled torn */
    STORED,                           /* before it is journalled */
    REPEATED,                         /* not killed, but asked once more */
    TORN,                             /* while it is journalled */
    FULL,                             /* there is no room for that */
    HALF,                             /* with one line of several */
    JOURNALLED,                       /* before files are removed */
    CONFIRMED,
    MODES
} mode_e;


/* what somebody else does to files and uploads */

typedef enum {
    NO_FAULT = 0,
    ABORTED,                          /* before PART */
    ABORTED_WHOLE,                    /* before COMPLETE */
    NO_FIRST,                         /* the FLV file of a part's first */
    NO_LAST,                          /* and last fragment */
    NO_HEAD,                          /* and of the head's first */
    NO_WHOLE,                         /* of a file that is put at once */
    NO_TABLES
} fault_e;


/* how a recording is set up */

typedef struct {
    unsigned     formats;
    const char  *path;                /* NULL: with an end time */
    uint64_t     part_min;
    uint32_t     align;
} conf_t;


typedef struct {
    char       *key;
    u_char     *data;
    size_t      len;
    unsigned    foreign:1;
    unsigned    told:1;
} object_t;


typedef enum {
    OPEN = 0,
    WHOLE,
    GONE
} upload_e;


typedef struct {
    char        *key;
    char         id[24];
    upload_e     state;
    unsigned     n;                   /* the highest number */
    lr_buf_t     parts[PIECES];       /* number 1 is [1] */
    uint64_t     crc[PIECES];
} upload_t;


typedef struct {
    const char     *spool;
    char            dir[CHECK_PATH];
    const char     *script;
    const conf_t   *conf;

    object_t       *objects;
    size_t          nobjects;
    upload_t       *uploads[UPLOADS];
    unsigned        nuploads;

    /* the recorder */

    lr_claim_t     *claim;
    lr_fragment_t   f;
    int64_t         now;
    int64_t         back;             /* of media's wall time */
    int64_t         media;
    uint32_t        number;
    uint32_t        cycle;
    unsigned        spans;
    unsigned        closed;           /* fragments */
    unsigned        missing;
    unsigned        live:1;
    unsigned        video:1;
    unsigned        audio:1;
    unsigned        avcc:1;
    unsigned        asc:1;
    u_char          gone[OBJECTS];    /* missing or dropped, by number */
    u_char          lost[OBJECTS];    /* in no file of these formats */
    char            kind[OBJECTS];
    u_char          tracks[OBJECTS];
    uint64_t        bytes[OBJECTS];
    uint32_t        known;

    /* the shipper */

    lr_ship_t       ship;
    lr_ship_order_t order;
    lr_body_t       body;
    lr_engine_t     engine;
    unsigned        open:1;
    unsigned        done:1;
    unsigned        steps;
    unsigned        kill_at;
    mode_e          mode;
    fault_e         fault;
    unsigned        fault_at;         /* n-th step of that kind */
    unsigned        faults;           /* that have been */
    unsigned        counts[LR_SHIP_DONE + 1];
    unsigned        check:1;          /* all that is slow as well */
    unsigned        stay:1;           /* nothing can be moved */
    size_t          most;             /* fragments in memory */
    unsigned        manifests;
    unsigned        told;             /* notices without an object */
    uint64_t        written;          /* bytes of manifests */
} model_t;


/* CHECK_AVCC with another level, and AAC of 48 kHz */

#define MODEL_AVCC                                                            \
    "\x17\0\0\0\0\x01\x42\xc0\x1f\xff\xe1\0\x0a"                              \
    "\x67\x42\xc0\x1f\xda\x02\x80\xf6\xc0\x44\x01\0\x04\x68\xce\x3c\x80"
#define MODEL_ASC   "\xaf\0\x11\x90"


static const conf_t  plain_conf = { LR_FORMAT_M3U8, NULL, 0, 0 };

static char  err[512];


/* the bucket */

static inline object_t *
find(model_t *m, const char *key)
{
    size_t  i;

    for (i = m->nobjects; i-- > 0; /* void */ ) {
        if (strcmp(m->objects[i].key, key) == 0) {
            return &m->objects[i];
        }
    }

    return NULL;
}


static inline int
put(model_t *m, const char *key, const void *p, size_t n, unsigned keep)
{
    object_t  *o;

    o = find(m, key);

    if (o && keep) {
        return o->len == n && memcmp(o->data, p, n) == 0 ? LR_OK
                                                         : LR_DECLINED;
    }

    if (o == NULL) {
        assert_true(m->nobjects < OBJECTS);
        o = &m->objects[m->nobjects++];
        memset(o, 0, sizeof(object_t));
        o->key = strdup(key);
    }

    free(o->data);
    o->data = malloc(n + 1);
    memcpy(o->data, p, n);
    o->data[n] = '\0';
    o->len = n;

    return LR_OK;
}


static inline void
forget(model_t *m)
{
    unsigned   i;
    upload_t  *u;

    while (m->nobjects) {
        m->nobjects--;
        free(m->objects[m->nobjects].key);
        free(m->objects[m->nobjects].data);
    }

    while (m->nuploads) {
        u = m->uploads[--m->nuploads];

        for (i = 0; i < PIECES; i++) {
            lr_buf_free(&u->parts[i]);
        }

        free(u->key);
        free(u);
    }
}


static inline upload_t *
upload_of(model_t *m, const char *id)
{
    unsigned  i;

    for (i = 0; id && i < m->nuploads; i++) {
        if (strcmp(m->uploads[i]->id, id) == 0) {
            return m->uploads[i];
        }
    }

    return NULL;
}


/* one object of all parts */

static inline void
upload_join(upload_t *u, size_t n, lr_buf_t *out, uint64_t *crc)
{
    size_t  i;

    out->len = 0;

    for (i = 1; i <= n; i++) {
        assert_true(u->parts[i].len != 0);
        lr_buf_append(out, u->parts[i].data, u->parts[i].len);
    }

    *crc = lr_crc64_update(0, out->data, out->len);
}


static inline int
bucket_begin(model_t *m, char *answer)
{
    char      *key;
    unsigned   i;
    upload_t  *u;

    key = (char *) m->order.key.data;

    for (i = 0; i < m->nuploads; i++) {
        u = m->uploads[i];

        if (u->state == OPEN && strcmp(u->key, key) == 0) {
            assert_int_equal(m->order.again, 1);
            u->state = GONE;
        }
    }

    if (m->order.keep && find(m, key)) {
        return LR_DECLINED;
    }

    assert_true(m->nuploads < UPLOADS);
    u = calloc(1, sizeof(upload_t));
    u->key = strdup(key);
    snprintf(u->id, sizeof(u->id), "up-%u", m->nuploads + 1);
    m->uploads[m->nuploads++] = u;
    strcpy(answer, u->id);

    return LR_OK;
}


static inline int
bucket_part(model_t *m, lr_buf_t *data, char *answer, uint64_t *crc)
{
    unsigned   i, number;
    uint64_t   others;
    upload_t  *u;

    u = upload_of(m, m->ship.file->upload);
    assert_non_null(u);
    assert_string_equal(u->key, (char *) m->order.key.data);

    if (u->state != OPEN) {
        return LR_AGAIN;
    }

    number = m->order.number;
    assert_true(number >= 1 && number < PIECES);
    assert_true(number == 1 || number <= u->n + 1 || u->n == 0);
    assert_true(data->len != 0);

    /* one may be there that was not journalled, and is not counted */

    others = 0;

    for (i = 2; i <= m->ship.file->nparts; i++) {
        others += u->parts[i].len;
    }

    assert_true(number == 1 || number == i);

    assert_int_equal(m->order.offset, others);

    u->parts[number].len = 0;
    lr_buf_append(&u->parts[number], data->data, data->len);
    u->crc[number] = lr_crc64_update(0, data->data, data->len);
    u->n = number > u->n ? number : u->n;

    *crc = u->crc[number];
    sprintf(answer, "etag-%u", number);

    return LR_OK;
}


static inline int
bucket_complete(model_t *m)
{
    int              rc;
    char             etag[24];
    size_t           i;
    lr_buf_t         whole;
    uint64_t         crc;
    upload_t        *u;
    object_t        *o;
    lr_ship_file_t  *f;

    f = m->ship.file;
    u = upload_of(m, f->upload);
    assert_non_null(u);
    assert_string_equal(u->key, (char *) m->order.key.data);

    if (u->state == GONE) {
        return LR_AGAIN;
    }

    memset(&whole, 0, sizeof(whole));
    upload_join(u, f->nparts, &whole, &crc);

    assert_int_equal(m->order.size, whole.len);
    assert_true(m->order.crc == crc);
    assert_true(f->nparts >= 1 && f->nparts <= u->n);

    for (i = 0; i < f->nparts; i++) {
        snprintf(etag, sizeof(etag), "etag-%u", (unsigned) i + 1);
        assert_int_equal(f->parts[i].number, i + 1);
        assert_int_equal(f->parts[i].bytes, u->parts[i + 1].len);
        assert_true(f->parts[i].crc == u->crc[i + 1]);
        assert_string_equal(f->parts[i].etag, etag);
        assert_true(i + 1 == f->nparts
                    || u->parts[i + 1].len >= m->conf->part_min);
    }

    if (m->conf->align) {
        assert_int_equal(u->parts[1].len % m->conf->align, 0);
    }

    o = find(m, u->key);

    if (u->state == WHOLE) {

        /* the answer was lost: it is looked whether it is there */

        assert_non_null(o);
        assert_int_equal(o->len, whole.len);
        assert_memory_equal(o->data, whole.data, whole.len);
        rc = LR_OK;

    } else if (o && m->order.keep) {
        rc = LR_DECLINED;

    } else {
        assert_null(o);
        rc = put(m, u->key, whole.data, whole.len, 1);
        u->state = WHOLE;
    }

    lr_buf_free(&whole);

    return rc;
}


static inline int
bucket_move(model_t *m)
{
    char      *to;
    uint64_t   crc;
    object_t  *o, *there;

    if (m->stay) {
        return LR_OK;
    }

    to = (char *) m->order.to.data;
    o = find(m, (char *) m->order.key.data);
    there = find(m, to);

    if (there) {
        crc = lr_crc64_update(0, there->data, there->len);

        if (there->len != m->order.size || crc != m->order.crc) {
            return LR_DECLINED;
        }

        /* it was copied, and killed before the other was removed */

        if (o) {
            free(o->key);
            free(o->data);
            m->nobjects--;
            memmove(o, o + 1, (size_t) (m->objects + m->nobjects - o)
                              * sizeof(object_t));
        }

        return LR_OK;
    }

    if (o == NULL) {
        return LR_AGAIN;
    }

    assert_int_equal(o->foreign, 0);
    assert_int_equal(o->len, m->order.size);
    assert_true(lr_crc64_update(0, o->data, o->len) == m->order.crc);

    if (m->mode == TORN && m->steps - 1 == m->kill_at) {
        return put(m, to, o->data, o->len, 1);
    }

    free(o->key);
    o->key = strdup(to);

    return LR_OK;
}


static inline void
bucket_abort(model_t *m)
{
    unsigned   i;
    upload_t  *u;

    for (i = 0; i < m->nuploads; i++) {
        u = m->uploads[i];

        if (u->state == OPEN
            && (m->ship.file->upload
                ? strcmp(u->id, m->ship.file->upload) == 0
                : strcmp(u->key, (char *) m->order.key.data) == 0))
        {
            u->state = GONE;
        }
    }
}


/* each URI of an index leads to an object */

static inline unsigned
index_holds(model_t *m, const char *key, const char *text)
{
    char         name[2048];
    size_t       n;
    unsigned     count;
    const char  *end;

    for (count = 0; *text; text = *end ? end + 1 : end) {
        end = text + strcspn(text, "\n");

        if (*text == '#' || text == end) {
            continue;
        }

        n = (size_t) (strrchr(key, '/') - key);

        while (strncmp(text, "../", 3) == 0) {
            text += 3;

            while (n && key[n - 1] != '/') {
                n--;
            }

            n -= n ? 1 : 0;
        }

        snprintf(name, sizeof(name), "%.*s%s%.*s", (int) n, key,
                 n ? "/" : "", (int) (end - text), text);

        if (find(m, name) == NULL) {
            print_error("index \"%s\" names \"%s\"\n", key, name);
            fail();
        }

        count++;
    }

    return count;
}


static inline lr_manifest_t *
manifest_holds(model_t *m, const void *p, size_t n)
{
    size_t          i;
    uint32_t        number;
    lr_manifest_t  *part;

    if (lr_manifest_read(p, n, &part, err, sizeof(err)) != LR_OK) {
        print_error("%s\n", err);
        fail();
    }

    for (i = 0; i < part->nfragments; i++) {
        number = (uint32_t) part->fragments[i].seq + 1;

        if (!(m->conf->formats & LR_FORMAT_M3U8) || m->kind[number] == 'S') {
            assert_null(part->fragments[i].key);
            continue;
        }

        assert_non_null(part->fragments[i].key);
        assert_non_null(find(m, part->fragments[i].key));
    }

    for (i = 0; i < part->nfiles; i++) {
        assert_non_null(find(m, part->files[i].key));
    }

    return part;
}


/* the recorder */

static inline void
flv_of(lr_buf_t *flv, lr_buf_t *rows, uint32_t number, unsigned tags)
{
    unsigned  i;

    for (i = 0; i < tags; i++) {
        check_frame(flv, rows, 1, i == 0, (int32_t) i * 40, 5 + number % 11);
    }
}


/* what no other frame holds */

static inline size_t
mark(char *p, uint32_t number, char track, unsigned i)
{
    return (size_t) sprintf(p, "LR%06u%c%02u", number, track, i);
}


static inline void
media_frame(model_t *m, lr_buf_t *flv, lr_buf_t *rows, char track,
    unsigned i, int32_t ts)
{
    size_t  n, fill;
    u_char  p[1024];

    fill = m->kind[m->number] == 'B' ? 700 : 5 + m->number % 11;

    if (track == 'v') {
        memcpy(p, i ? "\x27\1\0\0\0" : "\x17\1\0\0\0", 5);
        memset(p + 10, 0x80, 1);
        n = 11 + mark((char *) p + 11, m->number, track, i);
        memset(p + n, 0x55, fill);
        n += fill;
        p[9] = i ? 0x41 : 0x65;
        lr_put_be32(p + 5, (uint32_t) n - 9);
        check_tag(flv, rows, LR_FLV_VIDEO, ts, p, n);

    } else {
        memcpy(p, track == 'a' ? "\xaf\1" : "\xb2\2", 2);
        n = 2 + mark((char *) p + 2, m->number, track, i);
        check_tag(flv, rows, LR_FLV_AUDIO, ts, p, n);
    }
}


static inline void
media_of(model_t *m, lr_buf_t *flv, lr_buf_t *rows, unsigned frames)
{
    char      kind;
    unsigned  i;

    kind = m->kind[m->number];

    if (kind == 'S') {
        for (i = 0; i < frames; i++) {
            media_frame(m, flv, rows, 's', i, (int32_t) i * 1000);
        }

        m->tracks[m->number] = 's';
        return;
    }

    if (m->video) {
        check_tag(flv, rows, LR_FLV_VIDEO, 0,
                  m->avcc ? MODEL_AVCC : CHECK_AVCC, sizeof(CHECK_AVCC) - 1);
    }

    if (m->audio) {
        check_tag(flv, rows, LR_FLV_AUDIO, 0,
                  m->asc ? MODEL_ASC : CHECK_ASC, sizeof(CHECK_ASC) - 1);
    }

    m->tracks[m->number] = (u_char) (m->video | m->audio << 1);

    for (i = 0; i < frames && kind != 'H'; i++) {

        if (m->video) {
            media_frame(m, flv, rows, 'v', i, (int32_t) i * 1000);
        }

        if (m->audio) {
            media_frame(m, flv, rows, 'a', i, (int32_t) i * 1000 + 10);
        }
    }
}


static inline void
record_open(model_t *m, char kind, unsigned frames)
{
    char      name[32];
    size_t    n, len;
    lr_buf_t  flv, rows, less;

    memset(&flv, 0, sizeof(flv));
    memset(&rows, 0, sizeof(rows));
    memset(&m->f, 0, sizeof(lr_fragment_t));

    m->f.number = ++m->number;
    m->f.cycle = m->cycle;
    m->f.media = m->media;
    m->f.base = m->media;
    m->f.wall = m->now - m->back;
    m->f.discontinuity = m->closed == 0 && m->spans > 1;
    m->f.independent = 1;
    m->f.duration = LENGTH;
    m->kind[m->number] = kind;

    assert_int_equal(lr_recording_open(m->claim->fd, &m->f), LR_OK);

    if (m->conf->formats & FILES) {
        media_of(m, &flv, &rows, frames);

    } else {
        flv_of(&flv, &rows, m->number, frames);
    }

    len = flv.len;

    if (kind == 'L') {
        memset(&less, 0, sizeof(less));
        media_of(m, &less, NULL, frames - 1);
        len = less.len + 7;
        lr_buf_free(&less);
    }

    snprintf(name, sizeof(name), "%06u.flv", m->number);
    check_write(m->dir, name, flv.data, len);

    n = rows.len / sizeof(lr_row_t);

    if (kind != 'K') {
        assert_int_equal(lr_fragment_write_rows(m->dir, m->number,
                                                (lr_row_t *) rows.data, n),
                         LR_OK);
    }

    m->f.bytes = flv.len;
    m->f.rows = (uint32_t) n;
    m->bytes[m->number] = flv.len;

    lr_buf_free(&flv);
    lr_buf_free(&rows);
}


static inline void
record_publish(model_t *m)
{
    char           args[32];
    lr_settings_t  st;

    check_settings(&st);

    st.formats = m->conf->formats;
    st.path = m->conf->path ? (char *) m->conf->path : st.path;
    st.notify = LR_NOTIFY_FILES|LR_NOTIFY_STATUS|LR_NOTIFY_FRAGMENTS;

    snprintf(args, sizeof(args), "{\"callback_n\":\"%u\"}", m->spans);
    st.push_args = args;

    if (lr_recording_claim(m->claim, m->spool, &st, "rec-1", m->now, 0, err,
                           sizeof(err))
        != LR_OK)
    {
        print_error("claim: %s\n", err);
        fail();
    }

    assert_int_equal(m->claim->resumed, m->spans != 0);
    assert_int_equal(m->claim->rec.next, m->number + 1);
    assert_int_equal(m->claim->rec.cycle, m->cycle);

    snprintf(m->dir, sizeof(m->dir), "%s", m->claim->dir);
    m->media = m->claim->rec.media;
    m->closed = 0;
    m->spans++;
    m->live = 1;
}


static inline void
record_stop(model_t *m)
{
    close(m->claim->fd);
    lr_settings_free(&m->claim->settings);
    m->live = 0;
}


/* the recorder dies in the middle of a tag and of a line */

static inline void
record_kill(model_t *m)
{
    int              fd;
    char             name[32], path[CHECK_PATH];
    struct timespec  ts[2];

    record_open(m, 'K', 2);
    m->known = m->number;
    assert_int_equal(write(m->claim->fd, "{\"ev", 4), 4);
    snprintf(name, sizeof(name), "%06u.flv", m->number);

    fd = open(check_path(path, m->dir, name), O_WRONLY|O_APPEND);
    assert_int_equal(write(fd, "\x09\0", 2), 2);
    ts[0].tv_sec = ts[1].tv_sec = m->now / 1000;
    ts[0].tv_nsec = ts[1].tv_nsec = m->now % 1000 * 1000000;
    futimens(fd, ts);
    close(fd);
    futimens(m->claim->fd, ts);

    record_stop(m);
}


static inline void
record(model_t *m, char action)
{
    char  name[32], path[CHECK_PATH];

    switch (action) {

    case 'P':
        record_publish(m);
        break;

    case 'C':
        m->cycle++;
        break;

    case 'W':
        m->back += 3600000;
        break;

    case 'w':
        m->back -= 86400000;
        break;

    case 'b':
        m->back += 180000;
        break;

    case 'v':
        m->video ^= 1;
        break;

    case 'a':
        m->audio ^= 1;
        break;

    case 'x':
        m->avcc ^= 1;
        break;

    case 'y':
        m->asc ^= 1;
        break;

    case 'F':
    case 'B':
    case 'S':
    case 'H':
    case 'L':
    case 'M':
    case 'D':
        record_open(m, action, m->conf->formats & FILES ? FRAMES : 1);
        m->known = m->number;
        snprintf(name, sizeof(name), "%06u.flv", m->number);

        if (action == 'D') {
            unlink(check_path(path, m->dir, name));
            m->gone[m->number] = 1;
            assert_int_equal(lr_recording_drop(m->claim->fd, m->number),
                             LR_OK);
            break;
        }

        if (action == 'M') {
            unlink(check_path(path, m->dir, name));
        }

        m->gone[m->number] = action == 'M' || action == 'H';

        assert_int_equal(lr_recording_close(m->claim->fd, &m->f), LR_OK);
        m->closed++;
        m->media += LENGTH;
        m->now += LENGTH;
        break;

    case 'U':
        assert_int_equal(lr_recording_unpublish(m->claim->fd, m->now, "x"),
                         LR_OK);
        record_stop(m);
        break;

    case 'G':
        assert_int_equal(lr_recording_grace(m->claim->fd, m->now, 0), LR_OK);
        break;

    case 'K':
        record_kill(m);
        break;

    case 'Z':
        m->now++;
        break;

    case 'T':
        m->now += 60000;
        break;

    case 'E':
        m->now += 180001;
        break;
    }
}


/* the tracks of a fragment in a file of the format, and its frames */

static inline const char *
tracks_of(const model_t *m, uint32_t number, unsigned format)
{
    static const char *const  names[] = { "", "v", "a", "va" };

    if (m->gone[number]) {
        return "";
    }

    if (m->tracks[number] == 's') {
        return format == LR_FORMAT_FLV ? "s" : "";
    }

    return names[m->tracks[number]];
}


static inline unsigned
frames_of(const model_t *m, uint32_t number)
{
    return m->kind[number] == 'K' || m->kind[number] == 'L' ? 2 : FRAMES;
}


static inline unsigned
holds(const void *p, size_t n, uint32_t number, char track, unsigned i)
{
    char  text[32];

    return n && memmem(p, n, text, mark(text, number, track, i)) != NULL;
}


static inline unsigned
is_file(const object_t *o, unsigned format)
{
    size_t  n;

    n = strlen(o->key);

    return !o->foreign && n > 4
           && strcmp(o->key + n - 4, format == LR_FORMAT_MP4 ? ".mp4"
                                                             : ".flv") == 0;
}


/* whether it is in an object that has its name, or in a part but the first */

static inline unsigned
is_safe(model_t *m, uint32_t number, unsigned format)
{
    size_t       i;
    unsigned     k;
    upload_t    *u;
    object_t    *o;
    const char  *tracks;

    tracks = tracks_of(m, number, format);

    if (tracks[0] == '\0' || m->lost[number] & format) {
        return 1;
    }

    for (i = 0; i < m->nobjects; i++) {
        o = &m->objects[i];

        if (is_file(o, format)
            && (m->stay || strstr(o->key, ".part-") == NULL)
            && holds(o->data, o->len, number, tracks[0], 0))
        {
            return 2;
        }
    }

    for (i = 0; i < m->nuploads; i++) {
        u = m->uploads[i];

        if (u->state == GONE
            || strcmp(u->key + strlen(u->key) - 4,
                      format == LR_FORMAT_MP4 ? ".mp4" : ".flv") != 0)
        {
            continue;
        }

        for (k = 2; k <= u->n; k++) {
            if (holds(u->parts[k].data, u->parts[k].len, number, tracks[0],
                      0))
            {
                return 1;
            }
        }
    }

    return 0;
}


/* nothing has left the spool that is not in the bucket */

static inline void
nothing_lost(model_t *m)
{
    int        rc;
    char       name[64], seq[64];
    char      *p;
    size_t     i, n;
    uint32_t   number, nrows;
    unsigned   format, here;
    lr_row_t  *rows;

    for (number = 1; number <= m->known; number++) {
        snprintf(name, sizeof(name), "%06u.flv", number);
        here = check_size(m->dir, name) != -1;

        for (format = LR_FORMAT_MP4; format <= LR_FORMAT_FLV; format <<= 1) {

            if (!(m->conf->formats & format) || m->done
                || is_safe(m, number, format) == 2
                || m->lost[number] & format
                || tracks_of(m, number, format)[0] == '\0')
            {
                continue;
            }

            if (!here && !is_safe(m, number, format)) {
                print_error("fragment %u is lost for format %u\n", number,
                            format);
                fail();
            }

            /* its rows are there for the head; those of a table may lie */

            assert_true(here || m->kind[number] != 'L');

            if (!here
                && !(m->fault == NO_TABLES && m->faults > m->fault_at))
            {
                rc = lr_fragment_saved_rows(m->dir, number, m->bytes[number],
                                            &rows, &nrows);
                free(rows);
                assert_int_equal(rc, LR_OK);
            }
        }

        if (m->gone[number] || here || !(m->conf->formats & LR_FORMAT_M3U8)
            || m->kind[number] == 'S' || m->lost[number] & LR_FORMAT_M3U8)
        {
            continue;
        }

        n = (size_t) snprintf(seq, sizeof(seq), "_%u", number - 1);

        for (i = 0; i < m->nobjects; i++) {
            p = strrchr(m->objects[i].key, '_');

            if (!m->objects[i].foreign && p && strncmp(p, seq, n) == 0
                && (strcmp(p + n, ".ts") == 0
                    || strcmp(p + n, "-1.ts") == 0))
            {
                break;
            }
        }

        if (i == m->nobjects) {
            print_error("fragment %u is lost\n", number);
            fail();
        }
    }
}


/*
 * The notifier, which is killed after each look; every third time while it
 * writes.  Of each two notices that are due one is told.
 */

static inline void
notice_open(model_t *m, lr_notice_t *n)
{
    if (lr_notice_open(n, m->dir, err, sizeof(err)) != LR_OK
        || lr_notice_take(n, m->now, err, sizeof(err)) != LR_OK)
    {
        print_error("notices: %s\n", err);
        fail();
    }
}


/* LR_DECLINED: there is none */

static inline int
notice_tell(model_t *m, lr_notice_t *n)
{
    int               rc;
    object_t         *o;
    const char       *uri;
    lr_notice_head_t  head;

    rc = lr_notice_next(n, &head, err, sizeof(err));

    if (rc != LR_OK) {
        assert_int_equal(rc, LR_DECLINED);
        return rc;
    }

    assert_int_equal(head.number, n->noticed + 1);
    uri = json_string_value(json_object_get(head.facts, "uri"));

    if (uri) {
        o = find(m, uri);

        if (o == NULL || o->foreign || o->told) {
            print_error("\"%s\" is told %s\n", uri,
                        o ? "twice" : "and is not there");
            fail();
        }

        o->told = 1;

    } else {
        m->told++;
    }

    json_decref(head.facts);
    assert_int_equal(lr_notice_done(n, 200, NULL, m->now), LR_OK);

    return LR_OK;
}


static inline void
notice_step(model_t *m)
{
    lr_notice_t  n;

    notice_open(m, &n);

    if (n.number - n.noticed > 1) {
        notice_tell(m, &n);
    }

    if (m->steps % 3 == 0) {
        assert_int_equal(write(n.fd, "{\"event\":\"noti", 14), 14);
    }

    lr_notice_close(&n);
}


/* all of it has been told before the recording goes, and nothing else */

static inline void
notice_all(model_t *m)
{
    size_t       i;
    object_t    *o;
    lr_notice_t  n;

    notice_open(m, &n);

    while (notice_tell(m, &n) == LR_OK) { /* void */ }

    assert_int_equal(n.ended, 1);
    assert_int_equal(m->told, 2 * m->spans);
    lr_notice_close(&n);

    for (i = 0; i < m->nobjects; i++) {
        o = &m->objects[i];

        if (o->foreign || strncmp(o->key, ".live_record/", 13) == 0
            || strcmp(o->key, "day") == 0)
        {
            continue;
        }

        if (!o->told) {
            print_error("\"%s\" is not told\n", o->key);
            fail();
        }
    }
}


/* the shipper */

static inline void
ship_kill(model_t *m)
{
    lr_ship_close(&m->ship);
    m->open = 0;
}


static inline void
ship_open(model_t *m)
{
    int  rc;

    rc = lr_ship_open(&m->ship, m->dir, err, sizeof(err));

    if (rc != LR_OK) {
        print_error("open: %d %s\n", rc, err);
        fail();
    }

    m->ship.part_min = m->conf->part_min;
    m->ship.direct = 1;
    m->open = 1;
}


/* removes n bytes at the end of ship.log, or what is behind its first line
   from an offset */

static inline void
ship_cut(model_t *m, long long from, unsigned n)
{
    char       path[CHECK_PATH], *p;
    lr_buf_t   log;
    long long  size;

    size = check_size(m->dir, "ship.log");

    if (n) {
        size -= n;

    } else {
        memset(&log, 0, sizeof(log));
        assert_int_equal(check_read(m->dir, "ship.log", &log), LR_OK);
        p = strchr((char *) log.data + from, '\n');
        assert_non_null(p);
        size = p + 1 - (char *) log.data;
        lr_buf_free(&log);
    }

    assert_int_equal(truncate(check_path(path, m->dir, "ship.log"), size),
                     0);
}


/* the body of the order; LR_ERROR with errno */

static inline int
render(model_t *m, lr_buf_t *out)
{
    int         rc, e;
    size_t      n;
    u_char     *p;
    unsigned    size;
    lr_body_t  *b;

    b = &m->body;
    lr_body_take(b, &m->order.body);
    b->engine = &m->engine;
    size = m->steps & 1;
    out->len = 0;

    rc = lr_body_open(b, size);

    if (rc != LR_OK) {
        return LR_ERROR;
    }

    while ((rc = lr_body_next(b, &p, &n)) == LR_OK) {
        lr_buf_append(out, p, n);
    }

    e = errno;

    if (rc == LR_DECLINED && (size || b->kind == LR_BODY_FILE)) {
        assert_int_equal(b->size, out->len);
        assert_int_equal(b->done, out->len);
    }

    lr_body_close(b);
    errno = e;

    return rc == LR_DECLINED ? LR_OK : LR_ERROR;
}


/* all that was sent in the upload is in no file, for it is abandoned */

static inline void
fault_upload(model_t *m, lr_ship_file_t *f)
{
    size_t  i;

    for (i = 0; f->first && i < m->ship.next; i++) {
        if (m->ship.fragments[i].sent & f->format
            && !(m->ship.fragments[i].stored & f->format))
        {
            m->lost[m->ship.fragments[i].f.number] |= f->format;
        }
    }
}


static inline void
fault_flv(model_t *m, uint32_t number)
{
    char                 name[32], path[CHECK_PATH];
    size_t               i;
    unsigned             k, in;
    lr_ship_file_t      *f;
    lr_ship_fragment_t  *sf;

    snprintf(name, sizeof(name), "%06u.flv", number);
    assert_int_equal(unlink(check_path(path, m->dir, name)), 0);

    for (i = 0; m->ship.fragments[i].f.number != number; i++) { /* void */ }

    sf = &m->ship.fragments[i];

    for (k = 0; k < LR_SHIP_FILES; k++) {
        f = &m->ship.files[k];
        in = sf->sent | sf->stored;

        if (!(m->conf->formats & f->format) || in & f->format) {
            continue;
        }

        if (f->first && number <= f->lead) {
            fault_upload(m, f);
        }

        m->lost[number] |= f->format;
    }
}


/* an upload that needs them is found to be lost when its head is drawn */

static inline void
fault_tables(model_t *m)
{
    char  path[CHECK_PATH];

    (void) unlink(check_path(path, m->dir, "000001.idx"));
}


/* before the bucket is asked */

static inline void
fault(model_t *m, lr_ship_step_e step)
{
    upload_t   *u;
    unsigned    due;
    lr_body_t  *b;

    b = &m->order.body;

    switch (m->fault) {

    case ABORTED:
        due = step == LR_SHIP_PART;
        break;

    case ABORTED_WHOLE:
        due = step == LR_SHIP_COMPLETE;
        break;

    case NO_FIRST:
    case NO_LAST:
        due = step == LR_SHIP_PART && !b->head;
        break;

    case NO_HEAD:
        due = step == LR_SHIP_PART && b->head;
        break;

    case NO_WHOLE:
        due = step == LR_SHIP_FILE;
        break;

    case NO_TABLES:
        due = step == LR_SHIP_PART || step == LR_SHIP_FILE;
        break;

    default:
        return;
    }

    if (!due || m->faults++ != m->fault_at) {
        return;
    }

    switch (m->fault) {

    case ABORTED:
    case ABORTED_WHOLE:
        u = upload_of(m, m->ship.file->upload);

        if (u->state == OPEN) {
            u->state = GONE;
            fault_upload(m, m->ship.file);
        }

        break;

    case NO_FIRST:
    case NO_HEAD:
        fault_flv(m, b->fragments[0].number);
        break;

    case NO_LAST:
    case NO_WHOLE:
        fault_flv(m, b->fragments[b->n - 1].number);
        break;

    default:
        fault_tables(m);
        break;
    }
}


/* names and bytes of the fragments' files in the spool */

typedef struct {
    unsigned    n;
    char        names[64][32];
    lr_buf_t    data[64];
} files_t;


static inline void
files_save(model_t *m, files_t *f)
{
    DIR            *d;
    struct dirent  *de;

    memset(f, 0, sizeof(files_t));
    d = opendir(m->dir);
    assert_non_null(d);

    while ((de = readdir(d)) != NULL) {
        if (strstr(de->d_name, ".flv") || strstr(de->d_name, ".idx")) {
            assert_true(f->n < 64);
            strcpy(f->names[f->n], de->d_name);
            assert_int_equal(check_read(m->dir, de->d_name, &f->data[f->n]),
                             LR_OK);
            f->n++;
        }
    }

    closedir(d);
}


/* puts back what was removed since; the next shipper removes it again */

static inline void
files_removed(model_t *m, files_t *f)
{
    unsigned  i, back[64];

    for (i = 0; i < f->n; i++) {
        back[i] = check_size(m->dir, f->names[i]) == -1;

        if (back[i]) {
            check_write(m->dir, f->names[i], f->data[i].data,
                        f->data[i].len);
        }

        lr_buf_free(&f->data[i]);
    }

    ship_kill(m);
    ship_open(m);

    for (i = 0; i < f->n; i++) {
        if (back[i]) {
            assert_int_equal(check_size(m->dir, f->names[i]), -1);
        }
    }
}


/* LR_OK, LR_DECLINED: the name is taken, LR_AGAIN: the upload is gone,
   LR_ERROR with errno */

static inline int
bucket_ask(model_t *m, lr_ship_step_e step, lr_buf_t *out, char *answer,
    uint64_t *crc)
{
    int         rc;
    char       *key;
    unsigned    n;
    lr_ship_t  *s;

    s = &m->ship;
    key = (char *) m->order.key.data;
    rc = LR_OK;

    assert_true(strlen(key) == m->order.key.len);

    switch (step) {

    case LR_SHIP_DAY:
        lr_buf_puts(out, "day");
        return put(m, key, "day", 3, 0);

    case LR_SHIP_FRAGMENT: {
        char      name[32];
        uint32_t  number;

        number = s->fragments[s->next].f.number;
        snprintf(name, sizeof(name), "%06u.flv", number);

        assert_int_equal(m->order.body.kind, LR_BODY_TS);
        assert_int_equal(m->order.body.n, 1);
        assert_int_equal(m->order.body.fragments[0].number, number);
        assert_int_equal(m->order.keep, 1);

        if (check_read(m->dir, name, out) != LR_OK) {
            assert_int_equal(m->gone[number], 1);
            errno = ENOENT;
            return LR_ERROR;
        }

        if (m->kind[number] == 'S') {
            errno = ENODATA;
            return LR_ERROR;
        }

        return put(m, key, out->data, out->len, 1);
    }

    case LR_SHIP_MANIFEST:
    case LR_SHIP_INDEX:
        assert_int_equal(render(m, out), LR_OK);
        lr_buf_append(out, "", 1);
        out->len--;

        if (step == LR_SHIP_INDEX) {
            n = index_holds(m, key, (char *) out->data);
            assert_true(n != 0);

            /* manifests know of all of it */

            assert_int_equal(s->part->nfragments, s->listed);

        } else {
            m->manifests++;
            m->written += out->len;

            if (m->check) {
                lr_manifest_free(manifest_holds(m, out->data, out->len));
            }
        }

        assert_int_equal(m->order.keep, step == LR_SHIP_INDEX);

        return put(m, key, out->data, out->len, step == LR_SHIP_INDEX);

    case LR_SHIP_FILE:
        rc = render(m, out);
        assert_int_equal(m->order.keep, 1);

        return rc == LR_OK ? put(m, key, out->data, out->len, 1) : rc;

    case LR_SHIP_BEGIN:
        return bucket_begin(m, answer);

    case LR_SHIP_PART:
        rc = render(m, out);

        return rc == LR_OK ? bucket_part(m, out, answer, crc) : rc;

    case LR_SHIP_COMPLETE:
        return bucket_complete(m);

    case LR_SHIP_MOVE:
        assert_int_equal(m->order.keep, 1);

        return bucket_move(m);

    default:
        assert_int_equal(step, LR_SHIP_ABORT);
        bucket_abort(m);

        return LR_OK;
    }
}


/* journals an end that is not a success; kills on the way */

static inline void
ship_other(model_t *m, mode_e mode, int (*op)(lr_ship_t *s, const char *why),
    const char *why)
{
    int        rc;
    long long  size;

    if (mode == STORED || mode == TORN) {
        if (mode == TORN) {
            assert_int_equal(write(m->ship.fd, "{\"event\":\"ab", 12), 12);
        }

        ship_kill(m);
        return;
    }

    if (mode == REPEATED) {
        return;
    }

    size = check_size(m->dir, "ship.log");

    if (mode == FULL) {
        check_limit((rlim_t) size + 9);
    }

    rc = op ? op(&m->ship, why) : lr_ship_without(&m->ship);
    check_limit(RLIM_INFINITY);
    assert_int_equal(rc, mode == FULL ? LR_ERROR : LR_OK);

    if (mode == ALIVE) {
        return;
    }

    ship_kill(m);

    if (mode == HALF) {
        ship_cut(m, size, 0);
    }
}


/* one step; 0 when there is none to be taken now */

static inline unsigned
ship_step(model_t *m)
{
    int               rc;
    char              answer[32], *name;
    mode_e            mode;
    unsigned          other;
    uint64_t          crc;
    lr_buf_t          out;
    files_t          *saved;
    long long         size;
    lr_ship_t        *s;
    lr_tracks_t       tracks;
    lr_ship_step_e    step;
    lr_ship_result_t  result;

    s = &m->ship;

    if (!m->open) {
        ship_open(m);
    }

    rc = lr_ship_look(s, m->now, err, sizeof(err));

    if (rc != LR_OK) {
        print_error("look: %d %s\n", rc, err);
        fail();
    }

    /* it reads all anew: not for each step, nor for those of a long one */

    if (m->check && m->steps < 40 && m->steps % 8 == m->kill_at % 8) {
        notice_step(m);
    }

    m->most = s->n > m->most ? s->n : m->most;
    assert_true(s->part == NULL
                || s->part->nfragments - s->listed <= LR_SHIP_UNLISTED);
    step = lr_ship_next(s);

    if (step == LR_SHIP_WAIT) {
        return 0;
    }

    mode = m->steps++ == m->kill_at ? m->mode : ALIVE;
    m->counts[step]++;

    if (step == LR_SHIP_DONE) {

        if (mode == TORN) {

            /* out of the tree, and killed before it was removed */

            ship_kill(m);
            return 1;
        }

        notice_all(m);

        rc = lr_ship_remove(s);
        assert_int_equal(rc, LR_OK);
        m->open = 0;
        m->done = 1;

        return 0;
    }

    memset(&out, 0, sizeof(out));
    memset(&tracks, 0, sizeof(tracks));
    strcpy(tracks.video, "h264");
    strcpy(tracks.audio, "aac");
    tracks.width = 640;
    tracks.height = 480;
    tracks.rate = 44100;
    tracks.channels = 2;
    answer[0] = '\0';
    crc = 0;
    saved = NULL;

    memset(&result, 0, sizeof(result));

    for (other = 0; ; other++) {
        lr_ship_order_free(&m->order);
        out.len = 0;
        rc = LR_OK;
        size = check_size(m->dir, "ship.log");

        if (step == LR_SHIP_DAY) {
            lr_buf_puts(&m->order.key, "day");
            lr_buf_append(&m->order.key, "", 1);
            m->order.key.len--;

        } else {
            if (mode == FULL) {
                check_limit((rlim_t) size + 9);
            }

            rc = lr_ship_prepare(s, step, other, &m->order);
            check_limit(RLIM_INFINITY);
        }

        if (mode == FULL && rc == LR_ERROR
            && (step == LR_SHIP_BEGIN || step == LR_SHIP_MOVE))
        {
            assert_int_equal(check_size(m->dir, "ship.log"), size);
            ship_kill(m);
            goto done;
        }

        if (mode == PREPARED || mode == BEGUN) {
            ship_kill(m);

            if (mode == BEGUN && check_size(m->dir, "ship.log") > size) {
                ship_cut(m, 0, 5);
            }

            goto done;
        }

        if (rc == LR_DECLINED) {
            result.key = "";
            break;
        }

        if (rc == LR_OK) {
            fault(m, step);
            rc = bucket_ask(m, step, &out, answer, &crc);

        } else {
            assert_int_equal(step, LR_SHIP_FRAGMENT);
            assert_int_equal(m->gone[s->fragments[s->next].f.number], 1);
        }

        if (rc == LR_ERROR && step == LR_SHIP_FRAGMENT) {

            assert_true(errno == ENOENT || errno == ENODATA);

            if (m->kind[s->fragments[s->next].f.number] == 'S') {
                result.key = "";
                out.len = 0;
                break;
            }

            ship_other(m, mode, lr_ship_skip, "its file is gone");
            goto done;
        }

        if (rc == LR_ERROR) {
            assert_true(m->faults > m->fault_at);
            assert_int_equal(errno, ENOENT);

            if (m->fault == NO_TABLES) {
                assert_int_equal(m->body.head, 1);
                fault_upload(m, s->file);
            }

            ship_other(m, mode, NULL, NULL);
            goto done;
        }

        if (rc == LR_AGAIN) {
            assert_true(m->faults > m->fault_at);
            ship_other(m, mode, lr_ship_abandon, "it is gone");
            goto done;
        }

        name = step == LR_SHIP_MOVE && !m->stay
               ? (char *) m->order.to.data : (char *) m->order.key.data;
        result.key = name;

        if (rc == LR_OK) {
            break;
        }

        /* only another recording's object may stand in the way */

        assert_int_equal(step == LR_SHIP_COMPLETE, 0);
        assert_int_equal(find(m, name)->foreign, 1);
    }

    if (mode == REPEATED) {
        goto done;
    }

    if (mode == STORED || mode == TORN) {
        if (mode == TORN) {
            assert_int_equal(write(s->fd, "{\"event\":\"frag", 14), 14);
        }

        ship_kill(m);
        goto done;
    }

    /* what is put is not a ts, but it has the same tracks */

    if (step == LR_SHIP_FRAGMENT && m->conf->formats & FILES) {
        lr_content_tracks(&s->content, &tracks);
    }

    if (mode == JOURNALLED) {
        saved = malloc(sizeof(files_t));
        files_save(m, saved);
    }

    result.answer = answer;
    result.bytes = out.len;
    result.crc = crc;
    result.align = m->conf->align;
    result.tracks = step == LR_SHIP_FRAGMENT && result.key[0] ? &tracks
                                                              : NULL;

    if (mode == FULL) {
        check_limit((rlim_t) size + 9);
    }

    rc = lr_ship_confirm(s, step, &result);
    check_limit(RLIM_INFINITY);

    if (mode == FULL) {
        assert_int_equal(rc, LR_ERROR);
        ship_kill(m);
        goto done;
    }

    assert_int_equal(rc, LR_OK);

    if (saved) {
        files_removed(m, saved);
        free(saved);
        ship_kill(m);
    }

    if (mode == CONFIRMED || mode == HALF) {
        ship_kill(m);
    }

done:

    lr_ship_order_free(&m->order);
    lr_buf_free(&out);

    if (m->check) {
        nothing_lost(m);
    }

    return 1;
}


static inline void
run(model_t *m)
{
    const char  *p;

    for (p = m->script; *p; p++) {
        record(m, *p);

        /* a shipper that has nothing to do is looked at now and then only */

        while (strchr("CWwvaxy", *p) == NULL && ship_step(m)) { /* void */ }
    }

    assert_int_equal(m->done, 1);
}


static inline void
model_init(model_t *m, const char *spool, const char *script)
{
    memset(m, 0, sizeof(model_t));

    m->spool = spool;
    m->script = script;
    m->conf = &plain_conf;
    m->objects = calloc(OBJECTS, sizeof(object_t));
    m->claim = malloc(sizeof(lr_claim_t));
    m->now = NOW;
    m->kill_at = UINT32_MAX;
    m->check = 1;
    m->video = 1;
    m->audio = 1;
}


static inline void
model_free(model_t *m)
{
    forget(m);
    lr_ship_order_free(&m->order);
    lr_body_free(&m->body);
    lr_engine_free(&m->engine);
    free(m->objects);
    free(m->claim);
}


/* each frame is in one file of the format, and no other is */

static inline void
complete_format(model_t *m, unsigned format)
{
    size_t       i;
    uint32_t     number;
    unsigned     k, n, want;
    const char  *t;

    for (number = 1; number <= m->number; number++) {

        for (t = "vas"; *t; t++) {
            for (k = 0; k < FRAMES; k++) {
                n = 0;

                for (i = 0; i < m->nobjects; i++) {
                    n += is_file(&m->objects[i], format)
                         && holds(m->objects[i].data, m->objects[i].len,
                                  number, *t, k);
                }

                want = m->conf->formats & format
                       && strchr(tracks_of(m, number, format), *t)
                       && k < frames_of(m, number)
                       && !(m->lost[number] & format);

                if (n != want) {
                    print_error("frame %c%u of fragment %u is in %u files "
                                "of format %u, not %u\n", *t, k, number, n,
                                format, want);
                    fail();
                }
            }
        }
    }
}


/* a manifest's entry of an mp4 or flv file says what is in it */

static inline void
complete_file(model_t *m, const lr_manifest_file_t *file,
    const lr_manifest_fragment_t *fragments)
{
    int64_t                        start, end, duration, cycle;
    object_t                      *o;
    uint32_t                       number;
    unsigned                       format;
    const char                    *t;
    const lr_manifest_fragment_t  *f;

    format = file->format == LR_MANIFEST_MP4 ? LR_FORMAT_MP4 : LR_FORMAT_FLV;
    o = find(m, file->key);
    assert_non_null(o);
    assert_int_equal(is_file(o, format), 1);
    assert_int_equal(o->len, file->bytes);

    start = end = cycle = -1;
    duration = 0;

    for (number = 1; number <= m->number; number++) {
        f = &fragments[number];
        t = tracks_of(m, number, format);

        if (*t == '\0' || !holds(o->data, o->len, number, *t, 0)) {
            continue;
        }

        start = start == -1 ? f->wall : start;
        assert_true(cycle == -1 || cycle == f->cycle);
        cycle = f->cycle;
        end = f->wall + f->duration;
        duration += f->duration;
    }

    assert_int_equal(file->start, start);
    assert_int_equal(file->end, end < start ? start + duration : end);
    assert_int_equal(file->duration, duration);
    assert_int_equal(file->cycle, cycle);
}


static inline lr_manifest_fragment_t *
last_of(lr_manifest_t *part)
{
    return &part->fragments[part->nfragments - 1];
}


/* by their names, parts are chosen for the moment of each fragment */

static inline void
chosen(model_t *m, lr_manifest_t **parts, size_t n)
{
    char        *p;
    size_t       i, j;
    unsigned     is;
    lr_buf_t     list, key, keys;
    lr_range_t   r;

    memset(&list, 0, sizeof(lr_buf_t));
    memset(&key, 0, sizeof(lr_buf_t));
    memset(&keys, 0, sizeof(lr_buf_t));
    memset(&r, 0, sizeof(lr_range_t));

    for (i = 0; i < m->nobjects; i++) {
        if (strncmp(m->objects[i].key, ".live_record/", 13) == 0) {
            lr_buf_append(&list, m->objects[i].key,
                          strlen(m->objects[i].key) + 1);
            lr_buf_append(&list, "v", 2);
        }
    }

    for (i = 0; i < n; i++) {

        key.len = 0;
        assert_int_equal(lr_manifest_key(NULL, parts[i]->app,
                                         parts[i]->stream,
                                         parts[i]->fragments[0].wall,
                                         parts[i]->id, parts[i]->part, &key),
                         LR_OK);

        for (j = 0; j < parts[i]->nfragments; j++) {
            r.start = parts[i]->fragments[j].wall;
            r.end = r.start + 1;
            keys.len = 0;
            is = 0;

            assert_int_equal(lr_range_select(&r, list.data, list.len, &keys),
                             LR_OK);

            for (p = (char *) keys.data; p < (char *) keys.data + keys.len;
                 p += strlen(p) + 3)
            {
                is |= strcmp(p, (char *) key.data) == 0;
            }

            if (!is) {
                print_error("fragment %d of part %u is not found by its "
                            "time\n", (int) j, parts[i]->part);
                fail();
            }
        }
    }

    lr_buf_free(&list);
    lr_buf_free(&key);
    lr_buf_free(&keys);
}


/* what has to be in the bucket in the end, and nothing in the spool */

static inline void
complete(model_t *m)
{
    char                     path[CHECK_PATH];
    size_t                   i, j, k, l, nparts, spans, files, total;
    u_char                  *seen;
    uint32_t                 n;
    unsigned                 keys;
    object_t                *o;
    lr_manifest_t           *parts[PARTS];
    lr_manifest_fragment_t  *fragments;

    assert_int_equal(check_entries(check_path(path, m->spool, "live")), 0);
    assert_int_equal(check_entries(check_path(path, m->spool, ".tmp")), 0);

    for (i = 0; i < m->nuploads; i++) {
        if (m->uploads[i]->state == OPEN) {
            print_error("upload %s of \"%s\" is open\n", m->uploads[i]->id,
                        m->uploads[i]->key);
            fail();
        }
    }

    nparts = 0;
    seen = calloc(OBJECTS, 1);
    fragments = calloc(OBJECTS, sizeof(lr_manifest_fragment_t));

    for (i = 0; i < m->nobjects; i++) {
        o = &m->objects[i];

        assert_true(m->stay || strstr(o->key, ".part-") == NULL);

        if (strncmp(o->key, ".live_record/", 13) == 0) {
            assert_true(nparts < PARTS);
            parts[nparts++] = manifest_holds(m, o->data, o->len);
        }
    }

    spans = 0;
    files = 0;
    total = 0;
    keys = 0;

    for (i = 0, n = 0; i < nparts; i++, n++) {

        if (i && last_of(parts[i - 1])->wall > parts[i]->fragments->wall) {
            n++;
        }

        assert_int_equal(parts[i]->part, n);
        assert_int_equal(parts[i]->closed, i == nparts - 1);
        assert_true(i == nparts - 1
                    || parts[i]->nfragments == LR_MANIFEST_FRAGMENTS
                    || last_of(parts[i])->wall > parts[i + 1]->fragments->wall
                    || parts[i + 1]->fragments->wall
                       - parts[i]->fragments->wall > 86400000);

        spans += parts[i]->nspans;
        files += parts[i]->nfiles;

        for (j = 0; j < parts[i]->nfragments; j++) {
            assert_true(j == 0 || parts[i]->fragments[j].wall
                                  >= parts[i]->fragments[j - 1].wall);
            assert_true(parts[i]->fragments[j].wall
                        <= parts[i]->fragments[0].wall + 86400000);

            l = (size_t) parts[i]->fragments[j].seq + 1;
            assert_true(l <= m->number);
            assert_int_equal(seen[l]++, 0);
            assert_string_equal(parts[i]->fragments[j].video.codec,
                                m->conf->formats & FILES
                                && (m->tracks[l] == 's'
                                    || !(m->tracks[l] & 1))
                                ? "" : "h264");
            total += parts[i]->fragments[j].key != NULL;
            fragments[l] = parts[i]->fragments[j];
        }
    }

    for (i = 0; i < nparts; i++) {
        for (j = 0; j < parts[i]->nfiles; j++) {

            if (parts[i]->files[j].format != LR_MANIFEST_M3U8) {
                complete_file(m, &parts[i]->files[j], fragments);
            }

            /* each is listed once */

            for (k = i; k < nparts; k++) {
                for (l = k == i ? j + 1 : 0; l < parts[k]->nfiles; l++) {
                    assert_string_not_equal(parts[i]->files[j].key,
                                            parts[k]->files[l].key);
                }
            }
        }
    }

    chosen(m, parts, nparts);

    for (i = 0; i < nparts; i++) {
        lr_manifest_free(parts[i]);
    }

    for (n = 1; n <= m->number; n++) {
        assert_int_equal(seen[n], !m->gone[n]);
    }

    if (nparts) {
        if (spans != m->spans) {
            print_error("%d spans of %u in manifests\n", (int) spans,
                        m->spans);
            fail();
        }

        /* an index of each cycle, which names all of its fragments */

        for (i = 0, j = 0, n = 0; i < m->nobjects; i++) {
            o = &m->objects[i];

            if (!o->foreign && strstr(o->key, ".m3u8")) {
                n += index_holds(m, o->key, (char *) o->data);
                j++;

            } else if (is_file(o, LR_FORMAT_MP4) || is_file(o, LR_FORMAT_FLV))
            {
                j++;
                keys++;
            }
        }

        assert_int_equal(files, j);
        assert_int_equal(n, total);

        if (m->conf->formats & LR_FORMAT_M3U8) {
            assert_non_null(find(m, "day"));
        } else {
            assert_null(find(m, "day"));
            assert_int_equal(keys, files);
        }

    } else {
        assert_int_equal(m->nobjects, 0);
    }

    if (m->conf->formats & FILES) {
        complete_format(m, LR_FORMAT_MP4);
        complete_format(m, LR_FORMAT_FLV);
    }

    free(seen);
    free(fragments);
}


/* the same objects whatever has happened on the way */

static inline void
same(model_t *a, model_t *b)
{
    size_t     i;
    object_t  *o;

    assert_int_equal(a->nobjects, b->nobjects);

    for (i = 0; i < a->nobjects; i++) {
        o = find(b, a->objects[i].key);

        if (o == NULL) {
            print_error("there is no \"%s\"\n", a->objects[i].key);
            fail();
        }

        assert_int_equal(o->len, a->objects[i].len);
        assert_memory_equal(o->data, a->objects[i].data, o->len);
    }
}


static inline void
fresh(const char *spool)
{
    check_rm(spool);
    mkdir(spool, 0700);
}


/* kills at every n-th step, in every mode */

static inline void
all_kills(const char *spool, const char *script, unsigned every,
    const conf_t *conf)
{
    mode_e    mode;
    unsigned  at;
    model_t  *plain, *m;

    plain = malloc(sizeof(model_t));
    m = malloc(sizeof(model_t));

    model_init(plain, spool, script);
    plain->conf = conf;
    run(plain);
    complete(plain);

    for (mode = PREPARED; mode < MODES; mode++) {
        for (at = mode % every; at < plain->steps; at += every) {
            fresh(spool);
            model_init(m, spool, script);
            m->conf = conf;
            m->check = every < 5;
            m->mode = mode;
            m->kill_at = at;
            run(m);
            complete(m);
            same(plain, m);
            model_free(m);
        }
    }

    model_free(plain);
    free(plain);
    free(m);
    fresh(spool);
}


#endif /* _SHIP_MODEL_H_INCLUDED_ */
