
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
#include "ship_model.h"


static void
killed_anywhere(void **state)
{
    all_kills(*state, "PFFFFFUE", 1, &plain_conf);
    all_kills(*state, "PFFMFFCFFUTPUTPFDFCFFKTPFFUTE", 1, &plain_conf);
    all_kills(*state, "PFCFCCFUE", 1, &plain_conf);
    all_kills(*state, "PFFUTPGFCFUZ", 1, &plain_conf);
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
        all_kills(*state, scripts[i], 1, &plain_conf);
    }
}


/*
 * Cycles that seem to end before they begin, at their end or within; parts of
 * a manifest that end with that, at every sort of moment, or that take a day.
 */

static void
clock_back(void **state)
{
    all_kills(*state, "PFWFCFUE", 1, &plain_conf);
    all_kills(*state, "PFFUTWPFFFFFCFFFFFFWCFKTPFUE", 1, &plain_conf);
    all_kills(*state, "PFWFWFFWFFFWFFFFWFFFFFUE", 1, &plain_conf);
    all_kills(*state, "PFWMWDWFWMFUTWPWFUE", 1, &plain_conf);
    all_kills(*state, "PFFwFFCwFUTwPFFFFwFWFUE", 1, &plain_conf);

    /* less than the part had taken, which has more than what comes next */

    all_kills(*state, "PFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFbFFFFFF"
                      "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFbFFUE",
              29, &plain_conf);
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

            all_kills(*state, script, 397, &plain_conf);
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

    /*
     * Nothing but the journals is left in the spool, and the tables among
     * which the next one will be.
     */

    assert_int_equal(check_entries(m.dir), 4);
    assert_true(check_size(m.dir, "004993.idx") > 0);

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
    int               rc;
    rlim_t            size, n;
    model_t           m;
    lr_tracks_t       tracks;
    lr_ship_result_t  result;

    memset(&tracks, 0, sizeof(tracks));
    memset(&result, 0, sizeof(result));
    result.key = "a/b/c_0.ts";
    result.bytes = 5;
    result.tracks = &tracks;

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
        rc = lr_ship_confirm(&m.ship, LR_SHIP_FRAGMENT, &result);

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


/* what cannot be closed or ended holds up nothing that could, and is tried */

static void
full_end(const char *spool, const char *end, int torn)
{
    int      rc;
    rlim_t   size;
    model_t  m;

    model_init(&m, spool, "E");
    m.check = 0;

    for (rc = 0; rc < 4; rc++) {
        record(&m, "PFFF"[rc]);
    }

    for ( /* void */ ; *end; end++) {
        record(&m, *end);
    }

    /* record.log is the longest file, and may have a line to be cut off */

    size = (rlim_t) (check_size(m.dir, "record.log") - torn);

    do {
        check_limit(size);
        assert_int_equal(ship_step(&m), 1);
        assert_true(m.ship.next == 3 || m.ship.until == m.now + 1);
    } while (m.ship.next < 3);

    check_limit(size);
    rc = lr_ship_look(&m.ship, m.now, err, sizeof(err));
    check_limit(RLIM_INFINITY);

    assert_int_equal(rc, LR_ERROR);
    assert_non_null(strstr(err, "could not be ended"));

    run(&m);
    complete(&m);
    model_free(&m);
    fresh(spool);
}


static void
full_and_open(void **state)
{
    full_end(*state, "K", 4);
    full_end(*state, "UE", 0);
}


/* what is not found where it was has not gone, if all of it is not there */

static void
moved(void **state)
{
    char          from[CHECK_PATH], to[CHECK_PATH];
    model_t       m;
    unsigned      files;
    const conf_t  conf = { LR_FORMAT_MP4, NULL, 1000000, 0 };

    for (files = 0; files < 2; files++) {
        model_init(&m, *state, "E");
        m.conf = files ? &conf : &plain_conf;
        record(&m, 'P');
        record(&m, 'F');
        record(&m, 'F');
        record(&m, 'U');

        ship_open(&m);

        if (files) {
            record(&m, 'E');
        }

        while (files && lr_ship_next(&m.ship) != LR_SHIP_FILE) {
            assert_int_equal(ship_step(&m), 1);
        }

        check_path(from, *state, "live");
        check_path(to, *state, "aside");

        assert_int_equal(rename(from, to), 0);
        assert_int_equal(files ? lr_ship_without(&m.ship)
                               : lr_ship_skip(&m.ship, "its file is gone"),
                         LR_ERROR);

        assert_int_equal(rename(to, from), 0);

        ship_kill(&m);
        run(&m);
        complete(&m);
        model_free(&m);
        fresh(*state);
    }
}


/* a first fragment that is gone is none of the day the recording is of */

static void
first_gone(void **state)
{
    model_t       m;
    unsigned      known, open;
    const char   *script;

    for (known = 0; known < 2; known++) {
        model_init(&m, *state, "E");

        for (script = known ? "PMMFF" : "PMM"; *script; script++) {
            record(&m, *script);
        }

        while (ship_step(&m)) { /* void */ }

        record(&m, 'F');
        assert_int_equal(ship_step(&m), 1);
        record(&m, 'U');

        for (open = 0; open < 2; open++) {
            assert_int_equal(m.ship.part->fragments[0].seq, 2);
            assert_int_equal(m.ship.part->fragments[0].wall,
                             NOW + 2 * LENGTH);
            assert_int_equal(m.ship.part->started, NOW + 2 * LENGTH);
            assert_int_equal(m.ship.started, NOW + 2 * LENGTH);

            ship_kill(&m);
            ship_open(&m);
        }

        run(&m);
        complete(&m);
        model_free(&m);
        fresh(*state);
    }
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


/* so is a change of the tracks, whoever draws the index */

static void
changes(void **state)
{
    char      list[64], *p;
    size_t    i;
    mode_e    mode;
    model_t   plain, m;
    unsigned  at;

    static const conf_t  conf = { ALL, NULL, 0, 0 };

    /*
     * Video goes and comes, and has another level, which is no matter;
     * audio has another rate; and there is a fragment without an object.
     */

    model_init(&plain, *state, "PFFvFFvFxFyFSFUE");
    plain.conf = &conf;
    run(&plain);
    complete(&plain);

    for (mode = ALIVE; mode < MODES; mode++) {
        for (at = 0; at < plain.steps; at++) {
            check_rm(*state);
            mkdir(*state, 0700);
            model_init(&m, *state, plain.script);
            m.conf = &conf;
            m.check = 0;
            m.mode = mode;
            m.kill_at = at;
            run(&m);
            complete(&m);

            list[0] = '\0';

            for (i = 0; i < m.nobjects; i++) {
                if (strstr(m.objects[i].key, ".m3u8") == NULL) {
                    continue;
                }

                p = (char *) m.objects[i].data;

                while ((p = strstr(p, "#EXT-X-DISCONTINUITY\n")) != NULL) {
                    p = strstr(p, ".ts\n");
                    assert_non_null(p);
                    strncat(list, p - 2, 2);
                }
            }

            assert_string_equal(list, "_2_4_6_8");
            model_free(&m);
        }
    }

    model_free(&plain);
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

    /* when to look again: also if the clock was set back by more than it is */

    assert_false(lr_ship_due(&m.ship, m.now + 180000));
    assert_true(lr_ship_due(&m.ship, m.now + 180001));
    assert_false(lr_ship_due(&m.ship, m.now - 180000));
    assert_true(lr_ship_due(&m.ship, m.now - 180001));

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
        t(changes),
        t(waits),
        t(little),
        t(clock_back),
        t(killed_anywhere),
        t(many_parts),
        t(long_recording),
        t(taken_names),
        t(full_disk),
        t(full_and_open),
        t(moved),
        t(first_gone),
        t(opens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
