
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../../media/lr_ts_mux.c"
#include "../core/random_check.h"
#include "ts_check.h"


#define MAX    200
#define BASE   (3600 * 90000 + LR_TS_OFFSET)


typedef struct {
    unsigned        video:1;
    unsigned        more:1;           /* of the access unit before */
    unsigned        last:1;
    size_t          n;
    int64_t         pts;
    int64_t         dts;
} pes_t;


static uint64_t  seed = 1;


static unsigned
number(unsigned n)
{
    return random_to(&seed, n);
}


static u_char
byte(size_t i)
{
    return (u_char) (i * 2654435761u >> 7);
}


/* what a caller does for each PES packet; its bytes are put in pieces */

static void
put(lr_ts_mux_t *m, const pes_t *pes, size_t *off)
{
    u_char        buf[256];
    size_t        n, i, len;
    unsigned      begun;
    lr_ts_pid_t  *pid;

    pid = pes->video ? &m->video : &m->audio;

    if (pes->more) {
        begun = lr_ts_mux_pes(m, pid, pes->n, LR_TS_UNSET, LR_TS_UNSET,
                              LR_TS_UNSET, 0, pes->last);

    } else {
        lr_ts_mux_tables(m, pes->dts);
        lr_ts_mux_clock(m, pid, pes->dts);
        begun = lr_ts_mux_pes(m, pid, pes->n, pes->pts, pes->dts, pes->dts,
                              pes->video, pes->last);
    }

    assert_int_equal(begun, !m->count);

    for (n = pes->n; begun && n; n -= len) {
        len = 1 + number(sizeof(buf));
        len = len < n ? len : n;

        for (i = 0; i < len; i++) {
            buf[i] = byte((*off)++);
        }

        lr_ts_mux_put(m, buf, len);
    }
}


static void
put_all(lr_ts_mux_t *m, const pes_t *pes, unsigned n, unsigned audio)
{
    size_t    off;
    unsigned  i;

    m->video.type = LR_TS_TYPE_AVC;
    m->audio.type = audio;
    lr_ts_mux_span(m, pes[0].dts, pes[n - 1].dts);

    for (i = 0, off = 0; i < n; i++) {
        put(m, &pes[i], &off);
    }

    lr_ts_mux_end(m);
}


/* a segment is what its PES packets are, and as long as its count said */

static void
segments(void **state)
{
    size_t        at, bytes;
    int64_t       t;
    unsigned      i, k, n, run, small, types[2];
    pes_t         pes[MAX];
    ts_pes_t     *got;
    ts_check_t   *c;
    lr_ts_mux_t   m;

    (void) state;

    memset(&m, 0, sizeof(m));

    for (run = 0; run < 200; run++) {
        n = 2 + number(MAX - 2);
        t = (int64_t) number(1000) - 500;

        memset(pes, 0, sizeof(pes));

        for (i = 0; i < n; i++) {
            pes[i].video = i == 0 || number(2);
            pes[i].more = i && pes[i].video && pes[i - 1].video && !number(4);
            pes[i].n = 1 + number(number(8) ? 600 : 70000);

            if (!pes[i].video && pes[i].n > 60000) {
                pes[i].n = 60000;
            }

            if (!pes[i].more) {
                t += 1 + number(number(8) ? 3600 : 50000);
                pes[i].dts = t;
                pes[i].pts = t + (pes[i].video ? number(3) * 3600 : 0);
            }
        }

        small = 0;

        for (k = 0; k < 2; k++) {
            for (i = n; i-- > 0; /* void */ ) {
                if (pes[i].video == k) {
                    pes[i].last = 1;
                    small |= pes[i].n < 15;
                    break;
                }
            }
        }

        lr_ts_mux_begin(&m, BASE, 1);
        put_all(&m, pes, n, LR_TS_TYPE_AAC);

        assert_int_equal(m.out.len, 0);
        bytes = m.bytes;

        lr_ts_mux_begin(&m, BASE, 0);
        put_all(&m, pes, n, LR_TS_TYPE_AAC);

        assert_int_equal(m.out.len, bytes);
        assert_int_equal(m.bytes, bytes);

        c = ts_check(m.out.data, m.out.len);

        if (c->error) {
            fail_msg("run %u: %s, packet %zu", run, c->error, c->where);
        }

        for (k = 0; k < TS_PIDS; k++) {
            assert_int_equal(c->payloads[k] & 15, 0);
        }

        assert_true(c->max_pcr_gap <= 100 * 90);
        assert_int_equal(c->pmts, 1);

        types[0] = c->types[LR_TS_PID_AUDIO];
        types[1] = c->types[LR_TS_PID_VIDEO];
        assert_int_equal(types[0], LR_TS_TYPE_AAC);
        assert_int_equal(types[1], LR_TS_TYPE_AVC);

        /* the last one of a track fills up its counter if it can */

        assert_true(small ? c->npes >= n : c->npes == n);

        for (i = 0, at = 0; i < n; i++) {
            got = &c->pes[i];

            assert_int_equal(got->pid, pes[i].video ? LR_TS_PID_VIDEO
                                                    : LR_TS_PID_AUDIO);
            assert_int_equal(got->len, pes[i].n);
            assert_int_equal(got->off, at);

            if (pes[i].more) {
                assert_int_equal(got->pts, TS_NO_STAMP);
                assert_int_equal(got->random, 0);

            } else {
                assert_int_equal(got->pts, BASE + pes[i].pts);
                assert_int_equal(got->dts, BASE + pes[i].dts);
                assert_int_equal(got->random, pes[i].video);
            }

            at += pes[i].n;
        }

        /* what fills up the counters is empty */

        assert_int_equal(c->es_len, at);

        for (i = 0; i < at; i++) {
            assert_int_equal(c->es[i], byte(i));
        }

        ts_check_free(c);
        m.out.len = 0;
    }

    lr_ts_mux_free(&m);
}


/* the clock goes on in steps while nothing comes, but not over a hole */

static void
clock_steps(void **state)
{
    pes_t         pes[2];
    unsigned      i;
    ts_check_t   *c;
    lr_ts_mux_t   m;

    static const struct {
        int64_t   gap;
        size_t    pcrs;
        int64_t   step;
    } gaps[] = {
        { LR_TS_PCR_STEP, 2, LR_TS_PCR_STEP },
        { LR_TS_PCR_STEP + 1, 3, LR_TS_PCR_STEP },
        { LR_TS_PCR_HOLE, 101, LR_TS_PCR_STEP },
        { LR_TS_PCR_HOLE + 1, 3, LR_TS_PCR_HOLE }
    };

    (void) state;

    memset(&m, 0, sizeof(m));

    for (i = 0; i < sizeof(gaps) / sizeof(gaps[0]); i++) {
        memset(pes, 0, sizeof(pes));
        pes[0].video = pes[1].video = 1;
        pes[0].n = pes[1].n = 1000;
        pes[1].dts = pes[1].pts = gaps[i].gap;

        lr_ts_mux_begin(&m, BASE, 0);
        put_all(&m, pes, 2, 0);

        c = ts_check(m.out.data, m.out.len);
        assert_null(c->error);
        assert_int_equal(c->pcrs, gaps[i].pcrs);
        assert_int_equal(c->max_pcr_gap, gaps[i].step);
        assert_int_equal(c->first_pcr, BASE - LR_TS_PCR_DELAY);

        ts_check_free(c);
        m.out.len = 0;
    }

    lr_ts_mux_free(&m);
}


/* a track that shows up late: new tables, with a version of their own */

static void
versions(void **state)
{
    size_t        off;
    pes_t         pes;
    ts_check_t   *c;
    lr_ts_mux_t   m;

    (void) state;

    memset(&m, 0, sizeof(m));
    memset(&pes, 0, sizeof(pes));

    lr_ts_mux_begin(&m, BASE, 0);
    lr_ts_mux_span(&m, 0, 9000);
    m.video.type = LR_TS_TYPE_HEVC;
    off = 0;

    pes.video = 1;
    pes.n = 100;
    put(&m, &pes, &off);

    m.audio.type = LR_TS_TYPE_MPEG1;

    pes.video = 0;
    pes.dts = pes.pts = 9000;
    put(&m, &pes, &off);

    lr_ts_mux_end(&m);

    c = ts_check(m.out.data, m.out.len);
    assert_null(c->error);
    assert_int_equal(c->pmts, 2);
    assert_int_equal(c->types[LR_TS_PID_VIDEO], LR_TS_TYPE_HEVC);
    assert_int_equal(c->types[LR_TS_PID_AUDIO], LR_TS_TYPE_MPEG1);

    ts_check_free(c);
    lr_ts_mux_free(&m);
}


/* bytes put elsewhere leave no packet, and the next PES packet is whole */

static void
elsewhere(void **state)
{
    u_char        buf[1000];
    size_t        off, i;
    pes_t         pes;
    ts_check_t   *c;
    lr_ts_mux_t   m;

    (void) state;

    memset(&m, 0, sizeof(m));
    memset(&pes, 0, sizeof(pes));
    memset(buf, 0, sizeof(buf));

    lr_ts_mux_begin(&m, BASE, 0);
    m.video.type = LR_TS_TYPE_AVC;

    lr_ts_mux_into(&m, buf, 500);
    lr_ts_mux_put(&m, "abc", 3);

    for (i = 3; i < 500; i++) {
        lr_ts_mux_put(&m, "x", 1);
    }

    assert_memory_equal(buf, "abcx", 4);
    assert_int_equal(buf[499], 'x');
    assert_int_equal(buf[500], 0);
    assert_int_equal(m.bytes, 0);
    assert_int_equal(m.out.len, 0);

    pes.video = 1;
    pes.n = 5000;
    off = 0;
    put(&m, &pes, &off);
    lr_ts_mux_end(&m);

    c = ts_check(m.out.data, m.out.len);
    assert_null(c->error);
    assert_int_equal(c->pes[0].len, 5000);

    ts_check_free(c);
    lr_ts_mux_free(&m);
}


/* nothing was put: nothing is there, no tables either */

static void
nothing(void **state)
{
    lr_ts_mux_t  m;

    (void) state;

    memset(&m, 0, sizeof(m));

    lr_ts_mux_begin(&m, BASE, 0);
    lr_ts_mux_end(&m);

    assert_int_equal(m.bytes, 0);
    assert_int_equal(m.out.len, 0);

    lr_ts_mux_free(&m);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(segments),
        cmocka_unit_test(clock_steps),
        cmocka_unit_test(versions),
        cmocka_unit_test(elsewhere),
        cmocka_unit_test(nothing)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
