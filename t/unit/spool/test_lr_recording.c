
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "../../../spool/lr_recording.c"
#include "spool_check.h"


#define NOW    1772366400000LL
#define GRACE  180000
#define LOG    "live/cam_1/"


static char  err[512];


static int
claim_at(lr_claim_t *c, const char *spool, const char *id, int64_t now,
    unsigned final)
{
    lr_settings_t  st;

    check_settings(&st);

    return lr_recording_claim(c, spool, &st, id, now, final, err,
                              sizeof(err));
}


static void
let_go(lr_claim_t *c)
{
    close(c->fd);
    lr_settings_free(&c->settings);
}


/* the time of the last write, which the kernel sets from its own clock */

static void
touch(const char *spool, const char *name, int64_t ms)
{
    char             path[CHECK_PATH];
    struct timespec  ts[2];

    ts[0].tv_sec = ts[1].tv_sec = ms / 1000;
    ts[0].tv_nsec = ts[1].tv_nsec = ms % 1000 * 1000000;
    assert_int_equal(utimensat(AT_FDCWD, check_path(path, spool, name), ts,
                               0), 0);
}


static void
claims(void **state)
{
    char            path[CHECK_PATH];
    lr_claim_t      a, b;
    lr_settings_t   st;

    assert_int_equal(claim_at(&a, *state, "a", NOW, 0), LR_OK);
    assert_int_equal(a.resumed, 0);
    assert_string_equal(a.rec.id, "a");
    assert_int_equal(a.rec.started, NOW);
    assert_int_equal(a.rec.next, 1);
    assert_int_equal(a.rec.spans, 1);
    assert_int_equal(a.rec.state, LR_RECORDING_LIVE);
    assert_string_equal(a.settings.stream, "cam_1");
    assert_string_equal(a.dir, check_path(path, *state, LOG "a"));
    assert_int_equal(check_entries(a.dir), 2);
    assert_int_equal(check_entries(check_path(path, *state, ".tmp")), 0);

    /* it is locked: wait for it, or begin another one */

    assert_int_equal(claim_at(&b, *state, "b", NOW + 1, 0), LR_AGAIN);
    assert_int_equal(b.fd, -1);
    assert_int_equal(check_entries(check_path(path, *state, LOG)), 1);
    assert_int_equal(claim_at(&b, *state, "b", NOW + 1, 1), LR_OK);
    assert_int_equal(b.resumed, 0);
    assert_string_equal(b.rec.id, "b");

    /* another scope does not care; nor does another name */

    check_settings(&st);
    st.scope = (char *) "other.example.com";
    let_go(&b);

    {
        lr_claim_t  c = { .fsync = 1 };

        assert_int_equal(lr_recording_claim(&c, *state, &st, "c", NOW, 0,
                                            err, sizeof(err)), LR_OK);
        assert_int_equal(c.resumed, 0);
        let_go(&c);

        st.scope = (char *) "";
        strcpy(st.stream, "cam_2");
        assert_int_equal(lr_recording_claim(&c, *state, &st, "c", NOW, 0,
                                            err, sizeof(err)), LR_OK);
        assert_int_equal(c.resumed, 0);
        let_go(&c);
    }

    /* of two that may be gone on with, the later one */

    assert_int_equal(lr_recording_unpublish(a.fd, NOW + 1000, "x"), LR_OK);
    let_go(&a);
    touch(*state, LOG "b/record.log", NOW + 1000);

    assert_int_equal(claim_at(&b, *state, "d", NOW + 2000, 0), LR_OK);
    assert_int_equal(b.resumed, 1);
    assert_string_equal(b.rec.id, "b");

    /* and the one that is free, though the later one is locked */

    assert_int_equal(claim_at(&a, *state, "d", NOW + 2000, 0), LR_OK);
    assert_string_equal(a.rec.id, "a");
    assert_int_equal(a.resumed, 1);

    let_go(&a);
    let_go(&b);
}


static void
graces(void **state)
{
    int            i;
    int64_t        t;
    lr_claim_t     c = { .fsync = 1 };
    lr_settings_t  st;

    t = NOW;
    assert_int_equal(claim_at(&c, *state, "a", t, 0), LR_OK);

    /* the window begins anew at each loss */

    for (i = 1; i <= 5; i++) {
        assert_int_equal(lr_recording_unpublish(c.fd, t, "x"), LR_OK);
        let_go(&c);

        t += GRACE;
        assert_int_equal(claim_at(&c, *state, "z", t, 0), LR_OK);
        assert_int_equal(c.resumed, 1);
        assert_string_equal(c.rec.id, "a");
    }

    /* it goes on with what it started with, whatever is configured now */

    assert_int_equal(lr_recording_unpublish(c.fd, t, "x"), LR_OK);
    let_go(&c);
    check_settings(&st);
    st.grace = 1;
    st.bucket = (char *) "new";
    assert_int_equal(lr_recording_claim(&c, *state, &st, "z", t + GRACE, 0,
                                        err, sizeof(err)), LR_OK);
    assert_int_equal(c.resumed, 1);
    assert_string_equal(c.settings.bucket, "local");

    assert_int_equal(lr_recording_unpublish(c.fd, t, "x"), LR_OK);
    let_go(&c);
    assert_int_equal(claim_at(&c, *state, "b", t + GRACE + 1, 0), LR_OK);
    assert_int_equal(c.resumed, 0);
    assert_string_equal(c.rec.id, "b");
    let_go(&c);
}


/* a clock that is set back by more than the grace ends it, by less does not */

static void
clock_back(void **state)
{
    char        path[CHECK_PATH];
    int64_t     until;
    lr_claim_t  c = { .fsync = 1 };

    assert_int_equal(claim_at(&c, *state, "a", NOW, 0), LR_OK);
    assert_int_equal(lr_recording_unpublish(c.fd, NOW, "x"), LR_OK);
    let_go(&c);

    assert_int_equal(lr_recording_end(check_path(path, *state, LOG "a"),
                                      GRACE, NOW - GRACE, &until, err,
                                      sizeof(err)), LR_AGAIN);
    assert_true(until == NOW + GRACE + 1);
    assert_int_equal(claim_at(&c, *state, "b", NOW - GRACE, 0), LR_OK);
    assert_string_equal(c.rec.id, "a");
    assert_int_equal(lr_recording_unpublish(c.fd, NOW, "x"), LR_OK);
    let_go(&c);

    assert_int_equal(claim_at(&c, *state, "b", NOW - GRACE - 1, 0), LR_OK);
    assert_string_equal(c.rec.id, "b");
    let_go(&c);

    assert_int_equal(lr_recording_end(path, GRACE, NOW - GRACE - 1, &until,
                                      err, sizeof(err)), LR_OK);
}


/* a recorder that died says nothing; its files' times do */

static void
crashes(void **state)
{
    int             fd;
    char            dir[CHECK_PATH], name[CHECK_PATH];
    int64_t         until;
    lr_buf_t        flv;
    lr_claim_t      c = { .fsync = 1 };
    lr_fragment_t   f;
    lr_recording_t  rec;

    memset(&flv, 0, sizeof(flv));
    check_fragment(&flv, NULL, 10, 50);

    assert_int_equal(claim_at(&c, *state, "a", NOW, 0), LR_OK);
    snprintf(dir, sizeof(dir), "%s", c.dir);

    memset(&f, 0, sizeof(f));
    f.number = 1;
    f.wall = NOW;
    assert_int_equal(lr_recording_open(c.fd, &f), LR_OK);
    check_write(dir, "000001.flv", flv.data, flv.len - 1);

    /* it lives */

    until = 5;
    assert_int_equal(lr_recording_end(dir, GRACE, NOW, &until, err,
                                      sizeof(err)), LR_AGAIN);
    assert_int_equal(until, 0);

    assert_int_equal(write(c.fd, "{\"event\"", 8), 8);
    let_go(&c);

    /* the later of the two counts */

    touch(*state, LOG "a/record.log", NOW + 1000);
    touch(*state, LOG "a/000001.flv", NOW + 5000);

    assert_int_equal(lr_recording_end(dir, GRACE, NOW + 6000, &until, err,
                                      sizeof(err)), LR_AGAIN);
    assert_int_equal(until, NOW + 5000 + GRACE + 1);

    /* it is mended by now, though it may come back */

    memset(&rec, 0, sizeof(rec));
    assert_int_equal(lr_recording_read(&rec, dir, NULL, err, sizeof(err)),
                     LR_OK);
    assert_int_equal(rec.has_open, 0);
    assert_int_equal(rec.fragments, 1);
    assert_int_equal(rec.state, LR_RECORDING_PAUSED);
    assert_int_equal(rec.time, NOW + 5000);
    assert_int_equal(rec.open.rows, 2 + 19);
    assert_int_equal(rec.open.duration, 400);
    assert_int_equal(rec.media, 400);

    /* and nothing is written again */

    fd = (int) check_size(dir, "record.log");
    assert_int_equal(lr_recording_end(dir, GRACE, NOW + 7000, &until, err,
                                      sizeof(err)), LR_AGAIN);
    assert_int_equal(until, NOW + 5000 + GRACE + 1);
    assert_int_equal(check_size(dir, "record.log"), fd);

    assert_int_equal(claim_at(&c, *state, "z", NOW + 5000 + GRACE, 0),
                     LR_OK);
    assert_int_equal(c.resumed, 1);
    assert_int_equal(c.rec.media, 400);

    /* one dies with a fragment of which nothing is usable, and one without */

    f.number = 2;
    f.media = 400;
    assert_int_equal(lr_recording_open(c.fd, &f), LR_OK);
    check_write(dir, "000002.flv", flv.data, 20);
    let_go(&c);
    touch(*state, LOG "a/record.log", NOW + 200000);
    touch(*state, LOG "a/000002.flv", NOW + 200000);

    assert_int_equal(claim_at(&c, *state, "z", NOW + 200000 + GRACE, 0),
                     LR_OK);
    assert_int_equal(c.resumed, 1);
    assert_int_equal(c.rec.next, 3);
    assert_int_equal(c.rec.media, 400);
    assert_int_equal(c.rec.fragments, 1);

    f.number = 3;
    assert_int_equal(lr_recording_open(c.fd, &f), LR_OK);
    let_go(&c);
    touch(*state, LOG "a/record.log", NOW + 400000);

    assert_int_equal(claim_at(&c, *state, "b", NOW + 400000 + GRACE + 1, 0),
                     LR_OK);
    assert_int_equal(c.resumed, 0);
    let_go(&c);

    assert_int_equal(lr_recording_end(dir, GRACE, NOW + 400000 + GRACE + 1,
                                      &until, err, sizeof(err)), LR_OK);
    assert_int_equal(lr_recording_end(dir, GRACE, NOW, &until, err,
                                      sizeof(err)), LR_OK);
    assert_int_equal(lr_recording_read(&rec, dir, NULL, err, sizeof(err)),
                     LR_OK);
    assert_int_equal(rec.state, LR_RECORDING_ENDED);
    assert_int_equal(rec.fragments, 1);
    assert_int_equal(rec.has_open, 0);

    /* what has ended is not gone on with */

    assert_int_equal(claim_at(&c, *state, "c", NOW + 400000, 1), LR_OK);
    assert_string_not_equal(c.rec.id, "a");
    let_go(&c);

    assert_int_equal(lr_recording_end(check_path(name, dir, "no"), GRACE,
                                      NOW, &until, err, sizeof(err)),
                     LR_ERROR);
    lr_buf_free(&flv);
}


/* a grace that was made shorter, or ended, while it was recorded */

static void
limits(void **state)
{
    char            dir[CHECK_PATH];
    int64_t         until;
    lr_claim_t      c = { .fsync = 0 };
    lr_recording_t  rec;

    assert_int_equal(claim_at(&c, *state, "a", NOW, 0), LR_OK);
    check_path(dir, *state, LOG "a");

    assert_int_equal(lr_recording_grace(c.fd, NOW, GRACE * 2), LR_OK);
    assert_int_equal(lr_recording_unpublish(c.fd, NOW, "test"), LR_OK);

    memset(&rec, 0, sizeof(rec));
    assert_int_equal(lr_recording_read(&rec, dir, NULL, err, sizeof(err)),
                     LR_OK);
    assert_int_equal(rec.state, LR_RECORDING_PAUSED);
    assert_int_equal(lr_recording_grace_of(&rec, GRACE), GRACE);

    /* a shorter one holds for a return, and for the end */

    assert_int_equal(lr_recording_grace(c.fd, NOW + 1, 5000), LR_OK);
    let_go(&c);

    assert_int_equal(lr_recording_read(&rec, dir, NULL, err, sizeof(err)),
                     LR_OK);
    assert_int_equal(rec.time, NOW);
    assert_int_equal(lr_recording_grace_of(&rec, GRACE), 5000);

    assert_int_equal(lr_recording_end(dir, GRACE, NOW + 5000, &until, err,
                                      sizeof(err)), LR_AGAIN);
    assert_int_equal(until, NOW + 5001);

    assert_int_equal(claim_at(&c, *state, "b", NOW + 5000, 0), LR_OK);
    assert_string_equal(c.rec.id, "a");
    assert_int_equal(c.resumed, 1);

    /* none: it is not gone on with, not even at once */

    assert_int_equal(lr_recording_grace(c.fd, NOW + 6000, 0), LR_OK);
    assert_int_equal(lr_recording_unpublish(c.fd, NOW + 6000, "test"),
                     LR_OK);
    let_go(&c);

    assert_int_equal(claim_at(&c, *state, "c", NOW + 6000, 0), LR_OK);
    assert_string_equal(c.rec.id, "c");
    assert_int_equal(c.resumed, 0);
    let_go(&c);

    assert_int_equal(lr_recording_end(dir, GRACE, NOW + 6001, &until, err,
                                      sizeof(err)), LR_OK);
    assert_int_equal(lr_recording_read(&rec, dir, NULL, err, sizeof(err)),
                     LR_OK);
    assert_int_equal(rec.state, LR_RECORDING_ENDED);

    /* one that is not understood is no journal */

    check_write(*state, LOG "c/record.log",
                "{\"event\":\"start\",\"version\":1,\"id\":\"c\","
                "\"time\":5}\n"
                "{\"event\":\"grace\",\"time\":5,\"grace\":-1}\n", 86);
    memset(&rec, 0, sizeof(rec));
    assert_int_equal(lr_recording_read(&rec, check_path(dir, *state,
                                                        LOG "c"),
                                       NULL, err, sizeof(err)),
                     LR_DECLINED);
}


/* what cannot be gone on with does not keep its stream from being recorded */

static void
unfit(void **state)
{
    static const char *const  logs[] = {
        "", "{", "\n", "{\"event\":\"end\",\"time\":5}\n",
        "{\"event\":\"start\",\"version\":2,\"id\":\"a\",\"time\":5}\n",
        "{\"event\":\"start\",\"version\":1,\"id\":\"../x\",\"time\":5}\n",
        "{\"event\":\"start\",\"version\":1,\"id\":\"\",\"time\":5}\n",
        "{\"event\":\"start\",\"version\":1,\"id\":\"a\",\"time\":-1}\n",
        "{\"event\":\"start\",\"version\":1,\"id\":\"a\",\"time\":1e9}\n"
    };

    char            dir[CHECK_PATH];
    size_t          i;
    int64_t         until;
    lr_claim_t      c = { .fsync = 1 };
    lr_fragment_t   f;
    lr_recording_t  rec;

    for (i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
        assert_int_equal(claim_at(&c, *state, "a", NOW, 0), LR_OK);
        snprintf(dir, sizeof(dir), "%s", c.dir);
        let_go(&c);
        check_write(dir, "record.log", logs[i], strlen(logs[i]));

        assert_int_equal(lr_recording_end(dir, GRACE, NOW, &until, err,
                                          sizeof(err)), LR_DECLINED);
        assert_true(err[0] != '\0');

        assert_int_equal(claim_at(&c, *state, "b", NOW, 0), LR_OK);
        assert_int_equal(c.resumed, 0);
        let_go(&c);
        check_rm(*state);
        mkdir(*state, 0700);
    }

    /* so is a fragment that cannot be read */

    assert_int_equal(claim_at(&c, *state, "a", NOW, 0), LR_OK);
    snprintf(dir, sizeof(dir), "%s", c.dir);
    memset(&f, 0, sizeof(f));
    f.number = 1;
    f.wall = NOW;
    assert_int_equal(lr_recording_open(c.fd, &f), LR_OK);
    let_go(&c);
    mkdir(check_path(err, dir, "000001.flv"), 0700);
    touch(*state, LOG "a/record.log", NOW);
    touch(*state, LOG "a/000001.flv", NOW);
    err[0] = '\0';

    assert_int_equal(claim_at(&c, *state, "b", NOW, 0), LR_OK);
    assert_int_equal(c.resumed, 0);
    assert_string_equal(c.rec.id, "b");
    let_go(&c);

    assert_int_equal(lr_recording_end(dir, GRACE, NOW, &until, err,
                                      sizeof(err)), LR_ERROR);
    assert_true(err[0] != '\0');
    memset(&rec, 0, sizeof(rec));
    assert_int_equal(lr_recording_read(&rec, dir, NULL, err, sizeof(err)),
                     LR_OK);
    assert_int_equal(rec.has_open, 1);

    /* an id that nothing could be made of; a spool that is not there */

    check_rm(*state);
    mkdir(*state, 0700);
    assert_int_equal(claim_at(&c, *state, "A_b", NOW, 0), LR_ERROR);
    assert_int_equal(c.fd, -1);
    assert_int_equal(check_entries(*state), 0);
    check_rm(*state);
    assert_int_equal(claim_at(&c, *state, "b", NOW, 0), LR_ERROR);
    mkdir(*state, 0700);
}


/* the disk is full at every byte of what a claim writes */

static void
full_disk(void **state)
{
    int            rc;
    char           dir[CHECK_PATH], path[CHECK_PATH];
    rlim_t         n;
    long long      size;
    lr_buf_t       flv;
    lr_claim_t     c = { .fsync = 1 };
    lr_fragment_t  f;

    memset(&flv, 0, sizeof(flv));
    check_fragment(&flv, NULL, 10, 50);

    for (n = 0; ; n += 3) {
        check_limit(n);
        rc = claim_at(&c, *state, "a", NOW, 0);
        check_limit(RLIM_INFINITY);

        if (rc == LR_OK) {
            break;
        }

        assert_int_equal(rc, LR_ERROR);
        assert_int_equal(c.fd, -1);
        assert_int_equal(c.fsync, 1);
        assert_true(err[0] != '\0');
        assert_int_equal(check_entries(check_path(path, *state, ".tmp")), 0);
        assert_int_equal(check_entries(check_path(path, *state, "live")), 0);
    }

    /* and of what a mend writes: then it is mended another time */

    snprintf(dir, sizeof(dir), "%s", c.dir);
    memset(&f, 0, sizeof(f));
    f.number = 1;
    f.wall = NOW;
    assert_int_equal(lr_recording_open(c.fd, &f), LR_OK);
    check_write(dir, "000001.flv", flv.data, flv.len - 1);
    size = check_size(dir, "record.log");
    let_go(&c);

    for (n = (rlim_t) size; ; n += 3) {
        touch(*state, LOG "a/record.log", NOW);
        touch(*state, LOG "a/000001.flv", NOW);
        check_limit(n);
        rc = claim_at(&c, *state, "b", NOW, 0);
        check_limit(RLIM_INFINITY);

        if (rc == LR_OK && c.resumed) {
            break;
        }

        if (rc == LR_OK) {
            let_go(&c);
            check_rm(c.dir);
        }
    }

    assert_string_equal(c.rec.id, "a");
    assert_int_equal(c.rec.fragments, 1);
    assert_int_equal(c.rec.open.rows, 2 + 19);
    assert_int_equal(c.rec.spans, 1);

    let_go(&c);
    lr_buf_free(&flv);
}


typedef struct {
    unsigned    fragments;
    unsigned    spans;
    int64_t     sum;
} count_t;


static int
on_fragment(void *data, const lr_fragment_t *f)
{
    count_t  *n = data;

    n->fragments++;
    n->sum += f->duration;

    return LR_OK;
}


static int
on_span(void *data, int64_t wall, int64_t media, json_t *args)
{
    count_t  *n = data;

    (void) media;
    assert_null(args);
    n->spans += wall >= NOW;

    return LR_OK;
}


/* read in bits and pieces it comes to the same */

static void
replays(void **state)
{
    char                   dir[CHECK_PATH];
    size_t                 i;
    count_t                n;
    lr_buf_t               log;
    lr_claim_t             c = { .fsync = 1 };
    lr_fragment_t          f;
    lr_recording_t         rec;
    lr_recording_reader_t  reader;

    memset(&log, 0, sizeof(log));
    memset(&n, 0, sizeof(n));
    memset(&rec, 0, sizeof(rec));
    memset(&f, 0, sizeof(f));

    reader.fragment = on_fragment;
    reader.span = on_span;
    reader.data = &n;

    assert_int_equal(claim_at(&c, *state, "a", NOW, 0), LR_OK);
    snprintf(dir, sizeof(dir), "%s", c.dir);

    /* audio of 2 s ahead lies in the first one, before the second begins */

    f.number = 1;
    f.media = -500;
    f.wall = NOW;
    f.duration = 8000;
    f.rows = 7;
    f.bytes = 1000;
    assert_int_equal(lr_recording_open(c.fd, &f), LR_OK);
    assert_int_equal(lr_recording_close(c.fd, &f), LR_OK);

    f.number = 4;
    f.cycle = 2;
    f.media = 5500;
    f.duration = 40;
    f.independent = 1;
    assert_int_equal(lr_recording_open(c.fd, &f), LR_OK);
    assert_int_equal(lr_recording_lost(c.fd, NOW, 5, 6, "why"), LR_OK);
    assert_int_equal(lr_recording_error(c.fd, NOW, "text"), LR_OK);
    assert_int_equal(lr_recording_close(c.fd, &f), LR_OK);
    assert_int_equal(lr_journal_write(c.fd, "later",
                                      json_pack("{s:i}", "time", 5)), LR_OK);
    assert_int_equal(lr_recording_unpublish(c.fd, NOW + 8, "x"), LR_OK);
    let_go(&c);

    assert_int_equal(check_read(dir, "record.log", &log), LR_OK);

    for (i = 0; i <= log.len; i++) {
        check_write(dir, "record.log", log.data, i);
        assert_int_equal(lr_recording_read(&rec, dir, &reader, err,
                                           sizeof(err)), LR_OK);
    }

    assert_int_equal(n.fragments, 2);
    assert_int_equal(n.spans, 1);
    assert_int_equal(n.sum, 8040);
    assert_int_equal(rec.fragments, 2);
    assert_int_equal(rec.next, 5);
    assert_int_equal(rec.cycle, 2);
    assert_int_equal(rec.cycle_start, 5500);
    assert_int_equal(rec.media, 7500);
    assert_int_equal(rec.open.independent, 1);
    assert_int_equal(rec.state, LR_RECORDING_PAUSED);
    assert_int_equal(rec.time, NOW + 8);
    assert_int_equal(rec.offset, log.len);

    /* and can be gone on with */

    assert_int_equal(claim_at(&c, *state, "b", NOW + 9, 0), LR_OK);
    assert_int_equal(c.resumed, 1);
    assert_int_equal(c.rec.media, 7500);
    let_go(&c);

    lr_buf_free(&log);
}


/* an event that breaks the rules makes the journal unreadable, and no more */

static void
hostile(void **state)
{
    static const char *const  lines[] = {
        "\"open\",\"file\":0,\"cycle\":0,\"base\":0,\"media\":0,\"wall\":0",
        "\"open\",\"file\":4294967296,\"cycle\":0,\"base\":0,\"media\":0,"
            "\"wall\":0",
        "\"open\",\"file\":1,\"cycle\":-1,\"base\":0,\"media\":0,\"wall\":0",
        "\"open\",\"file\":1,\"cycle\":0,\"base\":-9223372036854775808,"
            "\"media\":0,\"wall\":0",
        "\"open\",\"file\":1,\"cycle\":0,\"base\":0,"
            "\"media\":9223372036854775807,\"wall\":0",
        "\"open\",\"file\":1,\"cycle\":0,\"base\":0,\"media\":0,"
            "\"wall\":9223372036854775807",
        "\"open\",\"file\":1,\"cycle\":0,\"base\":0,\"media\":0,"
            "\"wall\":\"0\"",
        "\"open\",\"file\":1,\"cycle\":0,\"base\":0,\"wall\":0",
        "\"close\",\"file\":1,\"duration\":5,\"bytes\":9,\"rows\":1",
        "\"publish\",\"time\":5,\"media\":-1",
        "\"publish\",\"time\":5",
        "\"publish\",\"time\":9223372036854775807,\"media\":0",
        "\"unpublish\",\"time\":1.5",
        "\"end\",\"time\":\"x\"",
        "\"end\""
    };
    static const char *const  closes[] = {
        "\"close\",\"file\":2,\"duration\":5,\"bytes\":9,\"rows\":1",
        "\"close\",\"file\":1,\"duration\":-5,\"bytes\":9,\"rows\":1",
        "\"close\",\"file\":1,\"duration\":2147483648,\"bytes\":9,"
            "\"rows\":1",
        "\"close\",\"file\":1,\"duration\":5,\"bytes\":-9,\"rows\":1",
        "\"close\",\"file\":1,\"duration\":5,\"bytes\":9,\"rows\":0",
        "\"close\",\"file\":1,\"duration\":5,\"bytes\":9",
        "\"close\",\"file\":1,\"duration\":5,\"bytes\":9,\"rows\":1}\n"
            "{\"event\":\"close\",\"file\":1,\"duration\":5,\"bytes\":9,"
            "\"rows\":1"
    };

    size_t          i;
    lr_buf_t        b;
    lr_recording_t  rec;

    memset(&b, 0, sizeof(b));

    for (i = 0; i < sizeof(lines) / sizeof(lines[0])
                    + sizeof(closes) / sizeof(closes[0]); i++)
    {
        b.len = 0;
        lr_buf_puts(&b, "{\"event\":\"start\",\"version\":1,\"id\":\"a\","
                    "\"time\":0}\n");

        if (i < sizeof(lines) / sizeof(lines[0])) {
            lr_buf_printf(&b, "{\"event\":%s}\n", lines[i]);

        } else {
            lr_buf_puts(&b, "{\"event\":\"open\",\"file\":1,\"cycle\":0,"
                        "\"base\":0,\"media\":0,\"wall\":0}\n");
            lr_buf_printf(&b, "{\"event\":%s}\n",
                          closes[i - sizeof(lines) / sizeof(lines[0])]);
        }

        check_write(*state, "record.log", b.data, b.len);
        memset(&rec, 0, sizeof(rec));
        err[0] = '\0';

        if (lr_recording_read(&rec, *state, NULL, err, sizeof(err))
            != LR_DECLINED || err[0] == '\0')
        {
            print_error("%.*s\n", (int) b.len, b.data);
            fail();
        }
    }

    lr_buf_free(&b);
}


int
main(void)
{
#define t(f)  cmocka_unit_test_setup_teardown(f, check_setup, check_teardown)
    const struct CMUnitTest  tests[] = {
        t(claims),
        t(graces),
        t(clock_back),
        t(crashes),
        t(limits),
        t(unfit),
        t(full_disk),
        t(replays),
        t(hostile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
