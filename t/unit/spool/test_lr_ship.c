
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "../../../spool/lr_ship.c"
#include "spool_check.h"


/*
 * A model of the whole: a recorder writes what a script says, a bucket in
 * memory refuses whatever breaks the order of commitment, and a shipper is
 * killed at each of its steps in each way there is.
 */


#define NOW       1772366400000LL
#define LENGTH    5000
#define OBJECTS   8000
#define PARTS     100


static char  err[512];


typedef struct {
    char       *key;
    u_char     *data;
    size_t      len;
    unsigned    foreign:1;
} object_t;


/* what a recorder does: a letter each
 *
 *   P  publish        F  a fragment         M  one whose file is missing
 *   U  unpublish      C  the next fragment begins a cycle
 *   D  one that is dropped                  T  time passes, within the grace
 *   K  killed with a fragment open, of which two tags are whole
 *   E  the grace is over
 */

typedef enum {
    ALIVE = 0,
    PREPARED,                         /* killed before the bucket has it */
    STORED,                           /* before it is journalled */
    TORN,                             /* while it is journalled */
    JOURNALLED,                       /* before files are removed */
    CONFIRMED,
    MODES
} mode_e;


typedef struct {
    const char  *spool;
    char         dir[CHECK_PATH];
    const char  *script;

    object_t    *objects;
    size_t       nobjects;

    /* the recorder */

    lr_claim_t  *claim;
    lr_fragment_t  f;
    int64_t      now;
    int64_t      media;
    uint32_t     number;
    uint32_t     cycle;
    unsigned     spans;
    unsigned     closed;              /* fragments */
    unsigned     missing;
    unsigned     live:1;
    u_char       gone[OBJECTS];       /* missing or dropped, by number */
    uint32_t     known;

    /* the shipper */

    lr_ship_t    ship;
    unsigned     open:1;
    unsigned     done:1;
    unsigned     steps;
    unsigned     kill_at;
    mode_e       mode;
    unsigned     check;               /* all that is slow as well */
    size_t       most;                /* fragments in memory */
    unsigned     manifests;
    uint64_t     written;             /* bytes of manifests */
} model_t;


static object_t *
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


static int
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


static void
forget(model_t *m)
{
    while (m->nobjects) {
        m->nobjects--;
        free(m->objects[m->nobjects].key);
        free(m->objects[m->nobjects].data);
    }
}


/* each URI of an index leads to an object */

static unsigned
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


static lr_manifest_t *
manifest_holds(model_t *m, const void *p, size_t n)
{
    size_t          i;
    lr_manifest_t  *part;

    if (lr_manifest_read(p, n, &part, err, sizeof(err)) != LR_OK) {
        print_error("%s\n", err);
        fail();
    }

    for (i = 0; i < part->nfragments; i++) {
        assert_non_null(part->fragments[i].key);
        assert_non_null(find(m, part->fragments[i].key));
    }

    for (i = 0; i < part->nfiles; i++) {
        assert_non_null(find(m, part->files[i].key));
    }

    return part;
}


static void
flv_of(lr_buf_t *flv, uint32_t number, unsigned tags)
{
    unsigned  i;

    flv->len = 0;

    for (i = 0; i < tags; i++) {
        check_frame(flv, NULL, 1, i == 0, (int32_t) i * 40, 5 + number % 11);
    }
}


static void
record_open(model_t *m, unsigned tags)
{
    char      name[32];
    lr_buf_t  flv;

    memset(&flv, 0, sizeof(flv));
    memset(&m->f, 0, sizeof(lr_fragment_t));

    m->f.number = ++m->number;
    m->f.cycle = m->cycle;
    m->f.media = m->media;
    m->f.base = m->media;
    m->f.wall = m->now;
    m->f.discontinuity = m->closed == 0 && m->spans > 1;
    m->f.independent = 1;
    m->f.duration = LENGTH;

    assert_int_equal(lr_recording_open(m->claim->fd, &m->f), LR_OK);

    flv_of(&flv, m->number, tags);
    snprintf(name, sizeof(name), "%06u.flv", m->number);
    check_write(m->dir, name, flv.data, flv.len);

    m->f.bytes = flv.len;
    m->f.rows = tags;

    lr_buf_free(&flv);
}


static void
record_publish(model_t *m)
{
    lr_settings_t  st;

    check_settings(&st);

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


static void
record_stop(model_t *m)
{
    close(m->claim->fd);
    lr_settings_free(&m->claim->settings);
    m->live = 0;
}


static void
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

    case 'F':
    case 'M':
    case 'D':
        record_open(m, 1);
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
            m->gone[m->number] = 1;
        }

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

    case 'K':
        record_open(m, 2);
        m->known = m->number;
        assert_int_equal(write(m->claim->fd, "{\"ev", 4), 4);
        snprintf(name, sizeof(name), "%06u.flv", m->number);

        {
            int              fd;
            struct timespec  ts[2];

            fd = open(check_path(path, m->dir, name), O_WRONLY|O_APPEND);
            assert_int_equal(write(fd, "\x09\0", 2), 2);
            ts[0].tv_sec = ts[1].tv_sec = m->now / 1000;
            ts[0].tv_nsec = ts[1].tv_nsec = m->now % 1000 * 1000000;
            futimens(fd, ts);
            close(fd);
            futimens(m->claim->fd, ts);
        }

        record_stop(m);
        break;

    case 'T':
        m->now += 60000;
        break;

    case 'E':
        m->now += 180001;
        break;
    }
}


/* nothing has left the spool that is not in the bucket */

static void
nothing_lost(model_t *m)
{
    char      name[64], seq[64];
    char     *p;
    size_t    i, n;
    uint32_t  number;

    for (number = 1; number <= m->known; number++) {
        snprintf(name, sizeof(name), "%06u.flv", number);

        if (m->gone[number] || check_size(m->dir, name) != -1) {
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


static void
ship_kill(model_t *m)
{
    lr_ship_close(&m->ship);
    m->open = 0;
}


/* one step; 0 when there is none to be taken now */

static unsigned
ship_step(model_t *m)
{
    int              rc, prepared;
    char             name[32];
    mode_e           mode;
    unsigned         other, bytes, n;
    lr_buf_t         key, text, flv;
    lr_ship_t       *s;
    lr_tracks_t      tracks;
    lr_manifest_t   *part;
    lr_ship_step_e   step;

    s = &m->ship;

    if (!m->open) {
        rc = lr_ship_open(s, m->dir, err, sizeof(err));

        if (rc != LR_OK) {
            print_error("open: %d %s\n", rc, err);
            fail();
        }

        m->open = 1;
    }

    rc = lr_ship_look(s, m->now, err, sizeof(err));

    if (rc != LR_OK) {
        print_error("look: %d %s\n", rc, err);
        fail();
    }

    m->most = s->n > m->most ? s->n : m->most;
    assert_true(s->part == NULL
                || s->part->nfragments - s->listed <= LR_SHIP_UNLISTED);
    step = lr_ship_next(s);

    if (step == LR_SHIP_WAIT) {
        return 0;
    }

    mode = m->steps++ == m->kill_at ? m->mode : ALIVE;

    if (step == LR_SHIP_DONE) {

        if (mode == TORN) {

            /* out of the tree, and killed before it was removed */

            ship_kill(m);
            return 1;
        }

        rc = lr_ship_remove(s);
        assert_int_equal(rc, LR_OK);
        m->open = 0;
        m->done = 1;

        return 0;
    }

    memset(&key, 0, sizeof(key));
    memset(&text, 0, sizeof(text));
    memset(&flv, 0, sizeof(flv));
    memset(&tracks, 0, sizeof(tracks));
    strcpy(tracks.video, "h264");
    strcpy(tracks.audio, "aac");
    tracks.width = 640;
    tracks.height = 480;
    tracks.rate = 44100;
    tracks.channels = 2;
    name[0] = '\0';

    for (other = 0; ; other++) {
        key.len = text.len = 0;
        prepared = LR_OK;

        if (step == LR_SHIP_DAY) {
            lr_buf_puts(&key, "day");
            lr_buf_puts(&text, "day");
            lr_buf_append(&key, "", 1);

        } else {
            prepared = lr_ship_prepare(s, step, other, &key, &text);
            assert_int_not_equal(prepared, LR_ERROR);
            assert_true(prepared == LR_DECLINED
                        || strlen((char *) key.data) == key.len);
        }

        if (mode == PREPARED) {
            ship_kill(m);
            goto done;
        }

        if (prepared == LR_DECLINED) {
            key.len = 0;
            lr_buf_append(&key, "", 1);
            bytes = 0;
            break;
        }

        if (step == LR_SHIP_FRAGMENT) {
            snprintf(name, sizeof(name), "%06u.flv",
                     s->fragments[s->next].f.number);

            if (check_read(m->dir, name, &flv) != LR_OK) {
                assert_int_equal(m->gone[s->fragments[s->next].f.number], 1);

                if (mode != STORED) {
                    assert_int_equal(lr_ship_skip(s, "its file is gone"),
                                     LR_OK);
                }

                if (mode != ALIVE) {
                    ship_kill(m);
                }

                goto done;
            }

            rc = put(m, (char *) key.data, flv.data, flv.len, 1);
            bytes = (unsigned) flv.len;

        } else {
            if (step == LR_SHIP_INDEX) {
                n = index_holds(m, (char *) key.data,
                                (lr_buf_append(&text, "", 1),
                                 (char *) text.data));
                text.len--;
                assert_true(n != 0);

                /* manifests know of all of it */

                assert_int_equal(s->part->nfragments, s->listed);

            } else if (step == LR_SHIP_MANIFEST) {
                m->manifests++;
                m->written += text.len;

                if (m->check) {
                    part = manifest_holds(m, text.data, text.len);
                    lr_manifest_free(part);
                }
            }

            rc = put(m, (char *) key.data, text.data, text.len,
                     step != LR_SHIP_MANIFEST);
            bytes = (unsigned) text.len;
        }

        if (rc == LR_OK) {
            break;
        }

        /* only another recording's object may stand in the way */

        assert_int_equal(find(m, (char *) key.data)->foreign, 1);
    }

    if (mode == STORED || mode == TORN) {
        if (mode == TORN) {
            assert_int_equal(write(s->fd, "{\"event\":\"frag", 14), 14);
        }

        ship_kill(m);
        goto done;
    }

    rc = lr_ship_confirm(s, step, (char *) key.data, bytes, &tracks);
    assert_int_equal(rc, LR_OK);

    if (mode == JOURNALLED && step == LR_SHIP_FRAGMENT) {
        check_write(m->dir, name, flv.data, flv.len);
        ship_kill(m);

        /* the next one removes what this one could not */

        assert_int_equal(lr_ship_open(s, m->dir, err, sizeof(err)), LR_OK);
        m->open = 1;
        assert_int_equal(check_size(m->dir, name), -1);
    }

    if (mode == CONFIRMED) {
        ship_kill(m);
    }

done:

    lr_buf_free(&key);
    lr_buf_free(&text);
    lr_buf_free(&flv);

    if (m->check) {
        nothing_lost(m);
    }

    return 1;
}


static void
run(model_t *m)
{
    const char  *p;

    for (p = m->script; *p; p++) {
        record(m, *p);

        /* a shipper that has nothing to do is looked at now and then only */

        while (*p != 'C' && ship_step(m)) { /* void */ }
    }

    assert_int_equal(m->done, 1);
}


static void
model_init(model_t *m, const char *spool, const char *script)
{
    memset(m, 0, sizeof(model_t));

    m->spool = spool;
    m->script = script;
    m->objects = calloc(OBJECTS, sizeof(object_t));
    m->claim = malloc(sizeof(lr_claim_t));
    m->now = NOW;
    m->kill_at = UINT32_MAX;
    m->check = 1;
}


static void
model_free(model_t *m)
{
    forget(m);
    free(m->objects);
    free(m->claim);
}


/* what has to be in the bucket in the end, and nothing in the spool */

static void
complete(model_t *m)
{
    char             path[CHECK_PATH];
    size_t           i, j, nparts, spans, files, total;
    u_char          *seen;
    uint32_t         n;
    object_t        *o;
    lr_manifest_t   *parts[PARTS];

    assert_int_equal(check_entries(check_path(path, m->spool, "live")), 0);
    assert_int_equal(check_entries(check_path(path, m->spool, ".tmp")), 0);

    nparts = 0;
    seen = calloc(OBJECTS, 1);

    for (i = 0; i < m->nobjects; i++) {
        o = &m->objects[i];

        if (strncmp(o->key, ".live_record/", 13) == 0) {
            assert_true(nparts < PARTS);
            parts[nparts++] = manifest_holds(m, o->data, o->len);
        }
    }

    spans = 0;
    files = 0;
    total = 0;

    for (i = 0; i < nparts; i++) {
        assert_int_equal(parts[i]->part, i);
        assert_int_equal(parts[i]->closed, i == nparts - 1);
        assert_true(i == nparts - 1
                    || parts[i]->nfragments == LR_MANIFEST_FRAGMENTS);

        spans += parts[i]->nspans;
        files += parts[i]->nfiles;

        for (j = 0; j < parts[i]->nfragments; j++) {
            n = (uint32_t) parts[i]->fragments[j].seq + 1;
            assert_true(n <= m->number);
            assert_int_equal(seen[n]++, 0);
            assert_string_equal(parts[i]->fragments[j].video.codec, "h264");
            total++;
        }

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
            }
        }

        assert_int_equal(files, j);
        assert_int_equal(n, total);
        assert_non_null(find(m, "day"));

    } else {
        assert_int_equal(m->nobjects, 0);
    }

    free(seen);
}


/* the same objects whatever has happened on the way */

static void
same(model_t *a, model_t *b)
{
    size_t     i;
    object_t  *o;

    assert_int_equal(a->nobjects, b->nobjects);

    for (i = 0; i < a->nobjects; i++) {
        o = find(b, a->objects[i].key);
        assert_non_null(o);
        assert_int_equal(o->len, a->objects[i].len);
        assert_memory_equal(o->data, a->objects[i].data, o->len);
    }
}


/* kills at every n-th step, in every mode */

static void
all_kills(const char *spool, const char *script, unsigned every)
{
    mode_e    mode;
    unsigned  at;
    model_t   plain, m;

    model_init(&plain, spool, script);
    run(&plain);
    complete(&plain);

    for (mode = PREPARED; mode < MODES; mode++) {
        for (at = mode % every; at < plain.steps; at += every) {
            check_rm(spool);
            mkdir(spool, 0700);
            model_init(&m, spool, script);
            m.check = every < 5;
            m.mode = mode;
            m.kill_at = at;
            run(&m);
            complete(&m);
            same(&plain, &m);
            model_free(&m);
        }
    }

    model_free(&plain);
    check_rm(spool);
    mkdir(spool, 0700);
}


static void
killed_anywhere(void **state)
{
    all_kills(*state, "PFFFFFUE", 1);
    all_kills(*state, "PFFMFFCFFUTPUTPFDFCFFKTPFFUTE", 1);
    all_kills(*state, "PFCFCCFUE", 1);
}


/* no fragment, only such as are lost, a recorder that dies and not returns */

static void
little(void **state)
{
    static const char *const  scripts[] = {
        "PUE", "PUTPUE", "PDUE", "PMUE", "PMMCMUE", "PMCFCMUE", "PKTE",
        "PKE", "PFKE", "PFUTPKTTE", "PFMMMMMMUE", "PMMMMMFUE"
    };

    size_t  i;

    for (i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        all_kills(*state, scripts[i], 1);
    }
}


/* parts of a manifest that are full at every sort of moment */

static void
many_parts(void **state)
{
    char      script[1000];
    size_t    n;
    unsigned  i, j;
    static const unsigned  cycles[] = { 100, 50, 99, 37, 1000 };
    static const unsigned  lengths[] = { 100, 201 };

    for (i = 0; i < sizeof(cycles) / sizeof(cycles[0]); i++) {
        for (j = 0; j < sizeof(lengths) / sizeof(lengths[0]); j++) {
            unsigned  k;

            n = 0;
            script[n++] = 'P';

            for (k = 0; k < lengths[j]; k++) {
                if (k && k % cycles[i] == 0) {
                    script[n++] = 'C';
                }

                script[n++] = 'F';

                /* a span that ends where a part does, and others */

                if (k % 100 == 99 || k % 77 == 5) {
                    script[n++] = 'U';
                    script[n++] = 'T';
                    script[n++] = 'P';

                    /* what comes first then is lost */

                    if (k == 99) {
                        script[n++] = 'D';
                        script[n++] = 'M';
                    }
                }
            }

            script[n++] = 'U';
            script[n++] = 'E';
            script[n] = '\0';

            all_kills(*state, script, 397);
        }
    }
}


/* a day and more in one recording */

static void
long_recording(void **state)
{
    char      *script, path[CHECK_PATH];
    size_t     n;
    model_t    m;
    unsigned   i;
    lr_ship_t  s;

    script = malloc(20000);
    n = 0;
    script[n++] = 'P';

    for (i = 0; i < 5000; i++) {
        if (i && i % 120 == 0) {
            script[n++] = 'C';
        }

        script[n++] = 'F';
    }

    script[n] = '\0';

    model_init(&m, *state, script);
    m.check = 0;

    for (i = 0; script[i]; i++) {
        record(&m, script[i]);

        while (script[i] != 'C' && ship_step(&m)) { /* void */ }
    }

    /* no more than a cycle is in memory, and 4 fragments in no manifest */

    assert_true(m.most <= 121);
    assert_true(m.ship.nalloc <= 256);
    assert_int_equal(m.ship.parts, 50);
    assert_true(m.manifests <= 5000 / LR_SHIP_UNLISTED + 41 * 2 + 50);

    /* nothing but the journals is left in the spool: no file of a fragment */

    assert_int_equal(check_entries(m.dir), 3);

    /* and so it is for one that begins to look at it now */

    ship_kill(&m);
    assert_int_equal(lr_ship_open(&s, m.dir, err, sizeof(err)), LR_OK);
    assert_true(s.n <= 121);
    assert_true(s.nalloc <= 512);
    assert_int_equal(s.next, s.n);
    assert_int_equal(s.parts, 50);
    lr_ship_close(&s);

    /* the cost of manifests does not grow with the recording's length */

    assert_true(m.written / 5000 < 20000);

    m.script = "UE";
    run(&m);
    complete(&m);
    assert_int_equal(check_entries(check_path(path, m.spool, "live")), 0);

    model_free(&m);
    free(script);
}


/* other recordings' objects have the names already */

static void
taken_names(void **state)
{
    char        key[1024];
    size_t      i, n;
    mode_e      mode;
    model_t     plain, m;
    unsigned    at;

    model_init(&plain, *state, "PFFFUE");
    run(&plain);

    for (mode = ALIVE; mode < MODES; mode++) {
        for (at = 0; at < plain.steps; at++) {
            check_rm(*state);
            mkdir(*state, 0700);
            model_init(&m, *state, "PFFFUE");
            m.mode = mode;
            m.kill_at = at;

            for (i = 0, n = 0; i < plain.nobjects; i++) {
                snprintf(key, sizeof(key), "%s", plain.objects[i].key);

                if (strstr(key, "_1.ts") || strstr(key, ".m3u8")) {
                    put(&m, key, "other", 5, 0);
                    find(&m, key)->foreign = 1;
                    n++;
                }
            }

            assert_int_equal(n, 2);
            run(&m);
            complete(&m);

            for (i = 0, n = 0; i < m.nobjects; i++) {
                n += strstr(m.objects[i].key, "_1-1.ts") != NULL;
                n += strstr(m.objects[i].key, "-1.m3u8") != NULL;
                assert_true(!m.objects[i].foreign
                            || memcmp(m.objects[i].data, "other", 5) == 0);
            }

            assert_int_equal(n, 2);
            model_free(&m);
        }
    }

    model_free(&plain);
}


/* the journal cannot be written, at each of its bytes */

static void
full_disk(void **state)
{
    int          rc;
    rlim_t       size, n;
    model_t      m;
    lr_tracks_t  tracks;

    memset(&tracks, 0, sizeof(tracks));

    for (n = 0; n < 55; n++) {
        model_init(&m, *state, "UE");
        record(&m, 'P');
        record(&m, 'F');
        record(&m, 'F');

        assert_int_equal(lr_ship_open(&m.ship, m.dir, err, sizeof(err)),
                         LR_OK);
        m.open = 1;
        assert_int_equal(lr_ship_next(&m.ship), LR_SHIP_FRAGMENT);
        size = (rlim_t) check_size(m.dir, "ship.log");

        check_limit(size + n);
        rc = lr_ship_confirm(&m.ship, LR_SHIP_FRAGMENT, "a/b/c_0.ts", 5,
                             &tracks);

        if (n < 30) {
            assert_int_equal(lr_ship_skip(&m.ship, "x"), LR_ERROR);
        }

        check_limit(RLIM_INFINITY);

        if (rc == LR_OK) {
            fail();
        }

        assert_int_equal(check_size(m.dir, "000001.flv") > 0, 1);
        assert_int_equal(lr_ship_next(&m.ship), LR_SHIP_FRAGMENT);
        assert_int_equal(m.ship.next, 0);

        run(&m);
        complete(&m);
        model_free(&m);
        check_rm(*state);
        mkdir(*state, 0700);
    }

    /* nor its first line */

    model_init(&m, *state, "UE");
    record(&m, 'P');
    record(&m, 'F');
    check_limit(10);
    assert_int_equal(lr_ship_open(&m.ship, m.dir, err, sizeof(err)),
                     LR_ERROR);
    check_limit(RLIM_INFINITY);
    run(&m);
    complete(&m);
    model_free(&m);
}


static void
opens(void **state)
{
    static const char *const  logs[] = {
        "x\n",
        "{\"event\":\"start\",\"version\":2}\n",
        "{\"event\":\"fragment\",\"file\":2,\"key\":\"a\"}\n",
        "{\"event\":\"fragment\",\"file\":1}\n",
        "{\"event\":\"skip\",\"file\":9}\n",
        "{\"event\":\"manifest\",\"fragments\":1}\n",
        "{\"event\":\"index\",\"cycle\":1,\"key\":\"a\"}\n",
        "{\"event\":\"index\",\"cycle\":0}\n"
    };

    char           path[CHECK_PATH];
    size_t         i;
    model_t        m;
    lr_ship_t      s;
    struct rlimit  rl, old;

    model_init(&m, *state, "UE");
    record(&m, 'P');
    record(&m, 'F');

    assert_int_equal(lr_ship_open(&m.ship, m.dir, err, sizeof(err)), LR_OK);
    m.open = 1;
    assert_int_equal(lr_ship_open(&s, m.dir, err, sizeof(err)), LR_AGAIN);

    /* it is at work: no removal */

    assert_int_equal(lr_ship_remove(&m.ship), LR_AGAIN);
    ship_kill(&m);

    assert_int_equal(lr_ship_open(&s, check_path(path, *state, "live/x/y"),
                                  err, sizeof(err)), LR_AGAIN);

    for (i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
        check_write(m.dir, "ship.log", logs[i], strlen(logs[i]));
        err[0] = '\0';
        assert_int_equal(lr_ship_open(&s, m.dir, err, sizeof(err)),
                         LR_DECLINED);
        assert_true(err[0] != '\0');
    }

    /* torn at birth */

    check_write(m.dir, "ship.log", "{\"event\":\"start\"", 16);

    /* settings that cannot be read now, or never */

    rename(check_path(path, m.dir, "template.json"),
           check_path(err, m.dir, "aside"));
    assert_int_equal(lr_ship_open(&s, m.dir, path, 256), LR_DECLINED);
    rename(check_path(err, m.dir, "aside"),
           check_path(path, m.dir, "template.json"));

    getrlimit(RLIMIT_NOFILE, &old);
    rl = old;
    rl.rlim_cur = (rlim_t) dup(0);
    close((int) rl.rlim_cur);
    rl.rlim_cur++;
    setrlimit(RLIMIT_NOFILE, &rl);
    assert_int_equal(lr_ship_open(&s, m.dir, err, sizeof(err)), LR_ERROR);
    setrlimit(RLIMIT_NOFILE, &old);

    run(&m);
    complete(&m);

    /* no record.log, an empty one, one of a later version */

    check_rm(*state);
    mkdir(*state, 0700);
    model_free(&m);
    model_init(&m, *state, "");
    record(&m, 'P');
    record(&m, 'U');

    check_write(m.dir, "record.log", "", 0);
    assert_int_equal(lr_ship_open(&s, m.dir, err, sizeof(err)), LR_DECLINED);
    check_write(m.dir, "record.log", "{\"event\":\"start\",\"version\":7,"
                "\"id\":\"a\",\"time\":0}\n", 49);
    assert_int_equal(lr_ship_open(&s, m.dir, err, sizeof(err)), LR_DECLINED);
    assert_non_null(strstr(err, "version 7"));
    unlink(check_path(path, m.dir, "record.log"));
    assert_int_equal(lr_ship_open(&s, m.dir, err, sizeof(err)), LR_DECLINED);

    model_free(&m);
}


/* what is missing is a discontinuity, and so is a new span */

static void
gaps(void **state)
{
    char       *p;
    size_t      i, n;
    model_t     m;

    model_init(&m, *state, "PFMFFUTPFFUE");
    run(&m);
    complete(&m);

    for (i = 0, n = 0; i < m.nobjects; i++) {
        if (strstr(m.objects[i].key, ".m3u8") == NULL) {
            continue;
        }

        p = (char *) m.objects[i].data;

        while ((p = strstr(p, "#EXT-X-DISCONTINUITY\n")) != NULL) {
            p++;
            p = strstr(p, ".ts\n");
            assert_non_null(p);
            assert_true(strncmp(p - 2, "_2", 2) == 0
                        || strncmp(p - 2, "_4", 2) == 0);
            n++;
        }
    }

    assert_int_equal(n, 2);
    model_free(&m);
}


/* the grace, and what the shipper waits for */

static void
waits(void **state)
{
    model_t  m;

    model_init(&m, *state, "");
    record(&m, 'P');
    assert_int_equal(ship_step(&m), 0);
    assert_int_equal(m.ship.until, 0);

    record(&m, 'F');
    assert_int_equal(ship_step(&m), 1);

    /* one fragment alone is in no manifest while it runs */

    assert_int_equal(ship_step(&m), 0);
    assert_int_equal(m.manifests, 0);

    record(&m, 'U');
    assert_int_equal(ship_step(&m), 1);
    assert_int_equal(m.manifests, 1);
    assert_int_equal(ship_step(&m), 0);
    assert_int_equal(m.ship.until, m.now + 180001);

    m.now += 180000;
    assert_int_equal(ship_step(&m), 0);
    m.now++;
    m.script = "T";
    run(&m);
    complete(&m);
    assert_int_equal(m.manifests, 2);

    model_free(&m);
}


int
main(void)
{
#define t(f)  cmocka_unit_test_setup_teardown(f, check_setup, check_teardown)
    const struct CMUnitTest  tests[] = {
        t(gaps),
        t(waits),
        t(little),
        t(killed_anywhere),
        t(many_parts),
        t(long_recording),
        t(taken_names),
        t(full_disk),
        t(opens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
