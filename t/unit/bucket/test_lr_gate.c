
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>
#include "../../../bucket/lr_gate.c"


/* as many as the gate lets in, all of one era */

static unsigned
fill(lr_gate_t *g, uint64_t now, uint32_t *era)
{
    unsigned  n;

    for (n = 0; lr_gate_wait(g, now) == 0; n++) {
        *era = lr_gate_begin(g);
    }

    return n;
}


static void
end(lr_gate_t *g, unsigned n, uint32_t era, lr_gate_verdict_e verdict,
    uint64_t now)
{
    while (n--) {
        lr_gate_end(g, era, verdict, 0, now, 0);
    }
}


/* one after another until the gate is down */

static void
bring_down(lr_gate_t *g, lr_gate_verdict_e verdict, uint64_t now)
{
    unsigned  i;

    for (i = 0; i < LR_GATE_ROW; i++) {
        assert_int_equal(lr_gate_wait(g, now), 0);
        end(g, 1, lr_gate_begin(g), verdict, now);
    }

    assert_true(g->down);
}


static void
test_grows(void **state)
{
    unsigned   i, n;
    uint32_t   era;
    lr_gate_t  g;

    static const unsigned  want[] = { 4, 8, 16, 16 };

    (void) state;

    lr_gate_init(&g, 16);

    for (i = 0; i < 4; i++) {
        n = fill(&g, 0, &era);
        assert_int_equal(n, want[i]);
        assert_true(lr_gate_wait(&g, 0) == LR_GATE_BUSY);
        end(&g, n, era, LR_GATE_WELL, 0);
    }

    assert_int_equal(g.active, 0);

    for (i = 1; i <= LR_GATE_FIRST; i++) {
        lr_gate_init(&g, i);
        assert_int_equal(fill(&g, 0, &era), i);
        end(&g, i, era, LR_GATE_WELL, 0);
        assert_int_equal(fill(&g, 0, &era), i);
    }
}


static void
test_down(void **state)
{
    unsigned   i, n;
    uint32_t   era, old;
    uint64_t   now;
    lr_gate_t  g;

    static const unsigned  waits[] = {
        1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000
    };
    static const unsigned  back[] = { 2, 4, 8, 16, 16 };

    (void) state;

    now = 5000;
    lr_gate_init(&g, 16);

    n = fill(&g, now, &era);
    end(&g, n, era, LR_GATE_WELL, now);
    n = fill(&g, now, &old);
    assert_int_equal(n, 8);

    /* the first that fail close it, the others are too late to say more */

    end(&g, 2, old, LR_GATE_AWAY, now);
    assert_false(g.down);
    end(&g, 1, old, LR_GATE_AWAY, now);
    assert_true(g.down);
    end(&g, 4, old, LR_GATE_AWAY, now + 500);
    assert_int_equal(g.active, 1);

    /* one more hangs still and does not keep it from trying */

    for (i = 0; i < 9; i++) {
        assert_int_equal(lr_gate_wait(&g, now), waits[i]);
        assert_int_equal(lr_gate_wait(&g, now + waits[i] - 1), 1);
        now += waits[i];

        assert_int_equal(fill(&g, now, &era), 1);
        assert_true(lr_gate_wait(&g, now + 1000000) == LR_GATE_BUSY);

        if (i == 4) {
            end(&g, 1, old, LR_GATE_AWAY, now);
            assert_true(lr_gate_wait(&g, now) == LR_GATE_BUSY);
        }

        end(&g, 1, era, LR_GATE_AWAY, now);
    }

    now += 60000;

    assert_int_equal(fill(&g, now, &era), 1);
    end(&g, 1, era, LR_GATE_WELL, now);
    assert_false(g.down);

    for (i = 0; i < 5; i++) {
        n = fill(&g, now, &era);
        assert_int_equal(n, back[i]);
        end(&g, n, era, LR_GATE_WELL, now);
    }

    /* down again, it begins with the short waits */

    bring_down(&g, LR_GATE_AWAY, now);
    assert_int_equal(lr_gate_wait(&g, now), 1000);
}


static void
test_row(void **state)
{
    unsigned   i;
    uint32_t   era;
    lr_gate_t  g;

    (void) state;

    lr_gate_init(&g, 8);

    /* every other one fails: that is no outage */

    for (i = 0; i < 100; i++) {
        era = lr_gate_begin(&g);
        lr_gate_end(&g, era, i % LR_GATE_ROW ? LR_GATE_AWAY : LR_GATE_WELL,
                    0, 0, 0);
        assert_false(g.down);
    }

    assert_int_equal(g.window, 8);

    /* what concerns an object only neither closes nor opens */

    lr_gate_init(&g, 8);

    for (i = 0; i < 100; i++) {
        end(&g, 1, lr_gate_begin(&g), LR_GATE_NONE, 0);
    }

    assert_int_equal(g.window, LR_GATE_FIRST);
    assert_int_equal(lr_gate_wait(&g, 0), 0);

    end(&g, 1, lr_gate_begin(&g), LR_GATE_AWAY, 0);
    end(&g, 1, lr_gate_begin(&g), LR_GATE_NONE, 0);
    end(&g, 1, lr_gate_begin(&g), LR_GATE_AWAY, 0);
    assert_false(g.down);
    end(&g, 1, lr_gate_begin(&g), LR_GATE_REFUSES, 0);
    assert_true(g.down);

    end(&g, 1, lr_gate_begin(&g), LR_GATE_NONE, 1000);
    assert_true(g.down);
    assert_int_equal(lr_gate_wait(&g, 1000), 0);
}


/* one that began before the outage may end well before any probe does */

static void
test_early(void **state)
{
    uint32_t   old, era;
    lr_gate_t  g;

    (void) state;

    lr_gate_init(&g, 16);

    old = lr_gate_begin(&g);
    bring_down(&g, LR_GATE_AWAY, 0);

    assert_int_equal(lr_gate_wait(&g, 1000), 0);
    era = lr_gate_begin(&g);

    end(&g, 1, old, LR_GATE_WELL, 1500);
    assert_false(g.down);
    assert_int_equal(g.active, 1);

    /* the probe is late now */

    end(&g, 1, era, LR_GATE_AWAY, 2000);
    assert_int_equal(g.row, 0);
    assert_int_equal(g.active, 0);
    assert_int_equal(fill(&g, 2000, &era), 2);
}


static void
test_hang(void **state)
{
    uint32_t   old, era;
    lr_gate_t  g;

    (void) state;

    /* never more than max, not even with a probe */

    lr_gate_init(&g, 4);
    assert_int_equal(fill(&g, 0, &old), 4);
    end(&g, 3, old, LR_GATE_AWAY, 0);
    assert_true(g.down);

    lr_gate_init(&g, 3);
    assert_int_equal(fill(&g, 0, &old), 3);
    end(&g, 1, old, LR_GATE_REFUSES, 0);
    (void) lr_gate_begin(&g);
    end(&g, 1, old, LR_GATE_REFUSES, 0);
    (void) lr_gate_begin(&g);
    end(&g, 1, old, LR_GATE_REFUSES, 0);
    (void) lr_gate_begin(&g);
    assert_true(g.down);
    assert_true(lr_gate_wait(&g, 100000) == LR_GATE_BUSY);

    g.probe = 0;
    assert_true(lr_gate_wait(&g, 100000) == LR_GATE_BUSY);
    end(&g, 1, old, LR_GATE_AWAY, 1000);
    assert_int_equal(fill(&g, 100000, &era), 1);
}


static void
test_refuses(void **state)
{
    unsigned   i;
    uint64_t   now, wait, last;
    lr_gate_t  g;

    (void) state;

    now = 0;
    last = 0;
    lr_gate_init(&g, 16);
    bring_down(&g, LR_GATE_REFUSES, now);

    for (i = 0; i < 20; i++) {
        wait = lr_gate_wait(&g, now);
        assert_in_range(wait, last, 300000);
        last = wait;
        now += wait;
        end(&g, 1, lr_gate_begin(&g), LR_GATE_REFUSES, now);
    }

    assert_int_equal(last, 300000);

    /* it may be down for another reason meanwhile */

    now += last;
    end(&g, 1, lr_gate_begin(&g), LR_GATE_AWAY, now);
    assert_int_equal(lr_gate_wait(&g, now), 60000);
}


static void
test_slow(void **state)
{
    unsigned   i, n;
    uint32_t   era;
    lr_gate_t  g;

    (void) state;

    lr_gate_init(&g, 16);
    g.window = 16;

    /* once for all that are under way, and then again */

    n = fill(&g, 0, &era);
    end(&g, n, era, LR_GATE_SLOW, 0);
    assert_int_equal(g.window, 8);
    assert_false(g.down);

    n = fill(&g, 0, &era);
    assert_int_equal(n, 8);
    end(&g, 1, era, LR_GATE_WELL, 0);
    end(&g, 1, era, LR_GATE_SLOW, 0);
    end(&g, n - 2, era, LR_GATE_NONE, 0);
    assert_int_equal(g.window, 4);

    /* and grows by one in each round from there */

    for (i = 4; i < 16; i++) {
        n = fill(&g, 0, &era);
        assert_int_equal(n, i);
        end(&g, n, era, LR_GATE_WELL, 0);
    }

    assert_int_equal(g.window, 16);

    /* one at a time is the least, and even that may be too much */

    for (i = 0; i < 8 && !g.down; i++) {
        n = fill(&g, 0, &era);
        end(&g, n, era, LR_GATE_SLOW, 0);
    }

    assert_int_equal(i, LR_GATE_ROW);
    assert_int_equal(g.window, 1);
    assert_int_equal(lr_gate_wait(&g, 0), 1000);
}


static void
test_after(void **state)
{
    uint32_t   era;
    lr_gate_t  g;

    (void) state;

    lr_gate_init(&g, 16);

    assert_int_equal(fill(&g, 10, &era), 4);
    lr_gate_end(&g, era, LR_GATE_SLOW, 3, 10, 0);
    assert_false(g.down);
    assert_int_equal(lr_gate_wait(&g, 20), LR_GATE_BUSY);

    /* of those that are late, the longest counts */

    lr_gate_end(&g, era, LR_GATE_SLOW, 5, 20, 0);
    lr_gate_end(&g, era, LR_GATE_SLOW, 1, 20, 0);
    lr_gate_end(&g, era, LR_GATE_WELL, 0, 20, 0);
    assert_int_equal(lr_gate_wait(&g, 20), 5000);
    assert_int_equal(lr_gate_wait(&g, 5019), 1);
    assert_int_equal(fill(&g, 5020, &era), 2);

    /* not for ever */

    lr_gate_end(&g, era, LR_GATE_SLOW, UINT32_MAX, 6000, 0);
    end(&g, 1, era, LR_GATE_NONE, 6000);
    assert_int_equal(lr_gate_wait(&g, 6000), 60000);

    /* the longer of two waits */

    lr_gate_init(&g, 1);
    bring_down(&g, LR_GATE_AWAY, 0);
    lr_gate_end(&g, lr_gate_begin(&g), LR_GATE_SLOW, 30, 1000, 0);
    assert_int_equal(lr_gate_wait(&g, 1000), 30000);
}


static void
test_jitter(void **state)
{
    unsigned   i;
    uint64_t   wait, min, max;
    lr_gate_t  g;

    (void) state;

    min = UINT64_MAX;
    max = 0;

    for (i = 0; i < 1000; i++) {
        lr_gate_init(&g, 1);
        g.row = LR_GATE_ROW + 1;
        lr_gate_end(&g, lr_gate_begin(&g), LR_GATE_AWAY, 0, 0,
                    i * 2654435761u);

        wait = lr_gate_wait(&g, 0);
        min = wait < min ? wait : min;
        max = wait > max ? wait : max;
    }

    assert_in_range(min, 2000, 2100);
    assert_in_range(max, 3900, 4000);
}


static void
test_turn(void **state)
{
    unsigned         waiting, i, kind, n[LR_GATE_KINDS];
    lr_gate_t        g;
    const unsigned  *want;

    /* of 100 turns, by who waits */

    static const unsigned  wants[1 << LR_GATE_KINDS][LR_GATE_KINDS] = {
        { 0, 0, 0 },
        { 100, 0, 0 },
        { 0, 100, 0 },
        { 75, 25, 0 },
        { 0, 0, 100 },
        { 75, 0, 25 },
        { 0, 75, 25 },
        { 50, 25, 25 }
    };

    (void) state;

    lr_gate_init(&g, 1);

    for (waiting = 1; waiting < 1 << LR_GATE_KINDS; waiting++) {
        memset(n, 0, sizeof(n));

        for (i = 0; i < 100; i++) {
            n[lr_gate_turn(&g, waiting)]++;
        }

        want = wants[waiting];

        for (kind = 0; kind < LR_GATE_KINDS; kind++) {
            assert_int_equal(n[kind], want[kind]);
        }
    }

    /* whoever begins to wait has a turn of the next four */

    for (i = 0; i < 100; i++) {
        for (kind = 0; kind < i % LR_GATE_TURNS; kind++) {
            (void) lr_gate_turn(&g, 1 << LR_GATE_FRESH | 1 << LR_GATE_BACKLOG);
            (void) lr_gate_turn(&g, 1 << LR_GATE_FRESH);
        }

        for (kind = 0; kind < LR_GATE_TURNS; kind++) {
            if (lr_gate_turn(&g, 1 << LR_GATE_FRESH | 1 << LR_GATE_ASIDE)
                == LR_GATE_ASIDE)
            {
                break;
            }
        }

        assert_true(kind < LR_GATE_TURNS);
    }
}


typedef struct {
    lr_net_e            net;
    unsigned            status;
    const char         *code;
    lr_gate_verdict_e   want;
} sort_t;


static const sort_t  table[] = {
    { LR_NET_OK, 200, NULL, LR_GATE_WELL },
    { LR_NET_OK, 203, "CallbackFailed", LR_GATE_WELL },
    { LR_NET_OK, 404, "NoSuchKey", LR_GATE_WELL },
    { LR_NET_OK, 404, "NoSuchUpload", LR_GATE_WELL },
    { LR_NET_OK, 404, NULL, LR_GATE_WELL },
    { LR_NET_OK, 409, "FileAlreadyExists", LR_GATE_WELL },
    { LR_NET_OK, 412, NULL, LR_GATE_WELL },

    { LR_NET_CONNECT, 0, NULL, LR_GATE_AWAY },
    { LR_NET_TIMEOUT, 0, NULL, LR_GATE_AWAY },
    { LR_NET_BROKEN, 200, NULL, LR_GATE_AWAY },
    { LR_NET_OK, 0, NULL, LR_GATE_AWAY },
    { LR_NET_OK, 500, "InternalError", LR_GATE_AWAY },
    { LR_NET_OK, 502, NULL, LR_GATE_AWAY },
    { LR_NET_OK, 504, NULL, LR_GATE_AWAY },
    { LR_NET_OK, 507, "XMinioStorageFull", LR_GATE_AWAY },
    { LR_NET_OK, 200, "InternalError", LR_GATE_AWAY },
    { LR_NET_OK, 400, "RequestTimeout", LR_GATE_AWAY },
    { LR_NET_OK, 408, NULL, LR_GATE_AWAY },
    { LR_NET_OK, 401, NULL, LR_GATE_AWAY },

    { LR_NET_OK, 429, NULL, LR_GATE_SLOW },
    { LR_NET_OK, 429, "SlowDown", LR_GATE_SLOW },
    { LR_NET_OK, 503, NULL, LR_GATE_SLOW },
    { LR_NET_OK, 503, "ServiceUnavailable", LR_GATE_SLOW },
    { LR_NET_OK, 503, "AccessDenied", LR_GATE_SLOW },
    { LR_NET_OK, 200, "SlowDown", LR_GATE_SLOW },
    { LR_NET_OK, 400, "TooManyRequests", LR_GATE_SLOW },
    { LR_NET_OK, 400, "KMS.ThrottlingException", LR_GATE_SLOW },

    { LR_NET_SUM, 200, NULL, LR_GATE_NONE },
    { LR_NET_OK, 400, "BadDigest", LR_GATE_NONE },
    { LR_NET_OK, 400, "IncompleteBody", LR_GATE_NONE },
    { LR_NET_OK, 409, "OperationAborted", LR_GATE_NONE },
    { LR_NET_OK, 403, "RequestTimeTooSkewed", LR_GATE_NONE },
    { LR_NET_OK, 301, "PermanentRedirect", LR_GATE_NONE },
    { LR_NET_OK, 400, "InvalidObjectName", LR_GATE_NONE },
    { LR_NET_OK, 400, "EntityTooLarge", LR_GATE_NONE },
    { LR_NET_OK, 400, "InvalidPart", LR_GATE_NONE },
    { LR_NET_OK, 405, NULL, LR_GATE_NONE },

    { LR_NET_TLS, 0, NULL, LR_GATE_REFUSES },
    { LR_NET_LOCAL, 0, NULL, LR_GATE_REFUSES },
    { LR_NET_OK, 403, "AccessDenied", LR_GATE_REFUSES },
    { LR_NET_OK, 403, "SignatureDoesNotMatch", LR_GATE_REFUSES },
    { LR_NET_OK, 403, NULL, LR_GATE_REFUSES },
    { LR_NET_OK, 403, "SecurityTokenExpired", LR_GATE_NONE },
    { LR_NET_OK, 404, "NoSuchBucket", LR_GATE_REFUSES },
    { LR_NET_OK, 400, "InvalidBucketName", LR_GATE_REFUSES },
    { LR_NET_OK, 301, NULL, LR_GATE_REFUSES },
    { LR_NET_OK, 307, NULL, LR_GATE_REFUSES },
    { LR_NET_OK, 501, NULL, LR_GATE_REFUSES }
};


static void
test_sort(void **state)
{
    size_t              i;
    const sort_t       *t;
    lr_gate_verdict_e   got;

    (void) state;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {

        t = &table[i];
        got = lr_gate_sort(t->net, t->status, t->code,
                           lr_retry_sort(t->net, t->status, t->code));

        if (got != t->want) {
            fail_msg("%d %u %s: %d, not %d", (int) t->net, t->status,
                     t->code ? t->code : "-", (int) got, (int) t->want);
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_grows),
        cmocka_unit_test(test_down),
        cmocka_unit_test(test_row),
        cmocka_unit_test(test_early),
        cmocka_unit_test(test_hang),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_slow),
        cmocka_unit_test(test_after),
        cmocka_unit_test(test_jitter),
        cmocka_unit_test(test_turn),
        cmocka_unit_test(test_sort)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
