
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "../../../spool/lr_ship_file.c"
#include "ship_model.h"


#define DIRECT  "r/{AppName}/{StreamName}/{EscapedStartTime}"


/* a run without a kill */

static void
once(model_t *m, const char *spool, const char *script, const conf_t *conf)
{
    fresh(spool);
    model_init(m, spool, script);
    m->conf = conf;
    run(m);
    complete(m);
}


/* the fragments in each file of a format: "1 2|3" */

static const char *
files_of(model_t *m, unsigned format)
{
    size_t       i, n;
    uint32_t     number, first;
    unsigned     in;
    const char  *t;

    static char  list[4096];

    n = 0;
    list[0] = '\0';

    for (first = 1; first <= m->number; first++) {
        for (i = 0; i < m->nobjects; i++) {

            if (!is_file(&m->objects[i], format)) {
                continue;
            }

            in = 0;

            for (number = 1; number <= m->number; number++) {
                t = tracks_of(m, number, format);

                if (*t == '\0' || !holds(m->objects[i].data,
                                         m->objects[i].len, number, *t, 0))
                {
                    continue;
                }

                if (!in && number != first) {
                    break;
                }

                n += (size_t) sprintf(list + n, "%s%u",
                                      in ? " " : n ? "|" : "", number);
                in = 1;
            }
        }
    }

    return list;
}


static void
killed(void **state)
{
    size_t  i;

    static const struct {
        conf_t       conf;
        const char  *script;
    } runs[] = {
        { { ALL, NULL, 0, 0 }, "PFFFFUE" },
        { { ALL, DIRECT, 0, 64 }, "PFFFCFFUE" },
        { { LR_FORMAT_MP4, NULL, 300, 1000 }, "PFFFFFFFCFFFUE" },
        { { LR_FORMAT_FLV, DIRECT, 700, 0 }, "PFFFFFFFCFFFUE" },
        { { FILES, NULL, 1, 0 }, "PFFMFCFFUTPFDFKTPFUE" },
        { { LR_FORMAT_M3U8|LR_FORMAT_FLV, NULL, 1, 100 }, "PFFUTPFKTE" },
        { { LR_FORMAT_M3U8|LR_FORMAT_MP4, DIRECT, 1, 0 }, "PFFxFFHFyFFUE" },
        { { ALL, NULL, 1000000, 7 }, "PFFFCBUE" },
        { { ALL, NULL, 2000, 0 }, "PFBFFBFBUE" },
        { { ALL, NULL, 1, 0 }, "PFSFaFFaFSUE" },
        { { ALL, NULL, 300, 0 }, "PFFUTWPFFFFCFWFUE" },
        { { ALL, NULL, 0, 0 }, "PFLFCLFUE" },
        { { FILES, NULL, 1, 16 }, "PFFLFLUTPFUE" }
    };

    for (i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
        all_kills(*state, runs[i].script, 1, &runs[i].conf);
    }
}


static void
little(void **state)
{
    size_t  i;

    static const conf_t  confs[] = {
        { ALL, NULL, 0, 0 },
        { FILES, DIRECT, 0, 16 }
    };

    static const char *const  scripts[] = {
        "PUE", "PUTPUE", "PDUE", "PMUE", "PHUE", "PHHCFCHUE", "PMCFCMUE",
        "PKTE", "PFKE", "PFUTPKTTE", "PSUE", "PvFvaFUE", "PMMMMMFUE"
    };

    for (i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        all_kills(*state, scripts[i], 1, &confs[0]);
        all_kills(*state, scripts[i], 3, &confs[1]);
    }
}


/* where a file ends and the next one begins */

static void
splits(void **state)
{
    size_t    i;
    model_t  *m;

    static const struct {
        const char  *script;
        const char  *mp4;
        const char  *flv;
    } runs[] = {
        { "PFFFUE", "1 2 3", NULL },
        { "PFFCFCFFUE", "1 2|3|4 5", NULL },

        /* of other codecs */

        { "PFFxFFUE", "1 2|3 4", NULL },
        { "PFFyFxFxyFUE", "1 2|3|4|5", NULL },
        { "PFxFxFUE", "1|2|3", NULL },

        /* without a track, and with one that was not there */

        { "PFaFaFUE", "1 2 3", NULL },
        { "PFvFvFUE", "1 2 3", NULL },
        { "PaFaFFUE", "1|2 3", NULL },
        { "PvFvFFUE", "1|2 3", NULL },
        { "PvFFvaFFUE", "1 2|3 4", NULL },
        { "PFaFyFaFUE", "1 2 3|4", NULL },

        /* gaps of all sorts */

        { "PFUTPFUE", "1 2", NULL },
        { "PFMFDFHFUE", "1 3 5 7", NULL },
        { "PFUTPKTTE", "1 2", NULL },
        { "PFKTPFUE", "1 2 3", NULL },

        /* what mp4 cannot hold */

        { "PFSFUE", "1 3", "1|2|3" },
        { "PSSUE", "", "1 2" }
    };

    static const conf_t  confs[] = {
        { FILES, NULL, 0, 0 },
        { ALL, DIRECT, 1000000, 0 }
    };

    m = malloc(sizeof(model_t));

    for (i = 0; i < 2 * sizeof(runs) / sizeof(runs[0]); i++) {
        once(m, *state, runs[i / 2].script, &confs[i % 2]);

        if (strcmp(files_of(m, LR_FORMAT_MP4), runs[i / 2].mp4) != 0) {
            print_error("%s: %s\n", runs[i / 2].script,
                        files_of(m, LR_FORMAT_MP4));
            fail();
        }

        assert_string_equal(files_of(m, LR_FORMAT_FLV),
                            runs[i / 2].flv ? runs[i / 2].flv
                                            : runs[i / 2].mp4);
        model_free(m);
    }

    free(m);
}


/* an upload for what is worth while, and one put for what is not */

static void
sizes(void **state)
{
    size_t       i;
    model_t     *m;
    unsigned     k;
    const char  *key;

    static const struct {
        uint64_t     part_min;
        const char  *script;
        unsigned     files;
        unsigned     begun;
        unsigned     parts;
    } runs[] = {

        /* one fragment is all lead, with two there is something to send */

        { 0, "PFUE", 1, 0, 0 },
        { 0, "PFFUE", 0, 1, 2 },
        { 0, "PFFFFFUE", 0, 1, 5 },
        { 0, "PFFCFUE", 1, 1, 2 },
        { 1000000, "PFFFFFBBUE", 1, 0, 0 },

        /* 2000 bytes are a large one or a great many others */

        { 2000, "PBFUE", 1, 0, 0 },
        { 2000, "PBBUE", 0, 1, 2 },
        { 2000, "PBFBUE", 0, 1, 2 },
        { 2000, "PBFBFFFUE", 0, 1, 3 },
        { 2000, "PBBFBFBUE", 0, 1, 4 },
        { 2000, "PFBBBCFFBUE", 1, 1, 3 },
        { 0, "PFFCFFFUE", 0, 2, 5 },
        { 4000, "PBBBBBFUE", 0, 1, 3 }
    };

    m = malloc(sizeof(model_t));

    for (i = 0; i < 4 * sizeof(runs) / sizeof(runs[0]); i++) {
        conf_t  conf;

        conf.formats = i % 2 ? LR_FORMAT_MP4 : LR_FORMAT_FLV;
        conf.path = i % 4 < 2 ? DIRECT : NULL;
        conf.part_min = runs[i / 4].part_min;
        conf.align = 0;

        once(m, *state, runs[i / 4].script, &conf);

        if (m->counts[LR_SHIP_FILE] != runs[i / 4].files
            || m->counts[LR_SHIP_BEGIN] != runs[i / 4].begun
            || m->counts[LR_SHIP_PART] != runs[i / 4].parts)
        {
            print_error("%s, %u: %u files, %u uploads, %u parts\n",
                        runs[i / 4].script, (unsigned) conf.part_min,
                        m->counts[LR_SHIP_FILE], m->counts[LR_SHIP_BEGIN],
                        m->counts[LR_SHIP_PART]);
            fail();
        }

        assert_int_equal(m->counts[LR_SHIP_COMPLETE], runs[i / 4].begun);
        assert_int_equal(m->counts[LR_SHIP_MOVE],
                         conf.path ? 0 : runs[i / 4].begun);
        assert_int_equal(m->counts[LR_SHIP_DAY], 0);
        assert_int_equal(m->counts[LR_SHIP_ABORT], 0);

        /* the working key lies where the file will, and tells whose it is */

        for (k = 0; k < m->nuploads; k++) {
            key = m->uploads[k]->key;

            if (conf.path) {
                assert_int_equal(strncmp(key, "r/live/cam_1/2026-", 18), 0);
            } else {
                snprintf(err, sizeof(err), "r/live/cam_1/.part-rec-1-%u.%s",
                         k, i % 2 ? "mp4" : "flv");
                assert_string_equal(key, err);
            }
        }

        model_free(m);
    }

    free(m);
}


/* an upload has room for the longest recording */

static void
growing(void **state)
{
    lr_ship_t        s;
    lr_ship_file_t  *f;

    (void) state;

    memset(&s, 0, sizeof(s));
    f = &s.files[0];

    assert_int_equal(lr_ship_part_min(&s, f), 1);

    s.part_min = 100;

    f->nparts = 999;
    assert_int_equal(lr_ship_part_min(&s, f), 100);
    f->nparts = 1000;
    assert_int_equal(lr_ship_part_min(&s, f), 200);
    f->nparts = 9999;
    assert_int_equal(lr_ship_part_min(&s, f), 51200);
}


/* other recordings' objects have the names already */

static void
taken_names(void **state)
{
    char      key[1024];
    size_t    i, k, n, foreign;
    mode_e    mode;
    model_t  *plain, *m;
    unsigned  at;

    static const struct {
        conf_t       conf;
        const char  *script;
    } runs[] = {
        { { FILES, NULL, 0, 0 }, "PFFUE" },
        { { FILES, DIRECT, 0, 0 }, "PFFUE" },
        { { ALL, NULL, 100000, 0 }, "PFFUE" }
    };

    plain = malloc(sizeof(model_t));
    m = malloc(sizeof(model_t));

    for (k = 0; k < sizeof(runs) / sizeof(runs[0]); k++) {
        once(plain, *state, runs[k].script, &runs[k].conf);

        for (mode = ALIVE; mode < MODES; mode++) {
            for (at = 0; at < plain->steps; at++) {
                fresh(*state);
                model_init(m, *state, runs[k].script);
                m->conf = &runs[k].conf;
                m->mode = mode;
                m->kill_at = at;
                foreign = 0;

                for (i = 0; i < plain->nobjects; i++) {
                    snprintf(key, sizeof(key), "%s", plain->objects[i].key);

                    if (strncmp(key, "r/", 2) == 0) {
                        put(m, key, "other", 5, 0);
                        find(m, key)->foreign = 1;
                        foreign++;
                    }
                }

                run(m);
                complete(m);

                for (i = 0, n = 0; i < m->nobjects; i++) {
                    n += strstr(m->objects[i].key, "-1.") != NULL;
                    assert_true(!m->objects[i].foreign
                                || (m->objects[i].len == 5
                                    && memcmp(m->objects[i].data, "other", 5)
                                       == 0));
                }

                assert_int_equal(n, foreign);
                assert_int_equal(m->nobjects, plain->nobjects + foreign);
                model_free(m);
            }
        }

        model_free(plain);
    }

    free(plain);
    free(m);
}


/* uploads that are aborted, files that are removed, by somebody else */

static void
faults(void **state)
{
    size_t    k;
    mode_e    mode;
    fault_e   what;
    model_t  *plain, *m;
    unsigned  at, kill, some;

    static const struct {
        conf_t       conf;
        const char  *script;
    } runs[] = {
        { { FILES, NULL, 0, 64 }, "PFFFFUE" },
        { { LR_FORMAT_MP4, DIRECT, 0, 0 }, "PFFFCFFUE" },
        { { LR_FORMAT_M3U8|LR_FORMAT_FLV, NULL, 600, 0 }, "PFFFFFFFUE" },
        { { ALL, NULL, 2000, 0 }, "PBFBBUE" },
        { { ALL, DIRECT, 1, 0 }, "PFUTPFFUE" },
        { { ALL, NULL, 1000000, 0 }, "PFFCFUE" }
    };

    plain = malloc(sizeof(model_t));
    m = malloc(sizeof(model_t));

    for (what = ABORTED; what <= NO_TABLES; what++) {
        some = 0;

        for (k = 0; k < sizeof(runs) / sizeof(runs[0]); k++) {
            for (at = 0; /* void */ ; at++) {
                fresh(*state);
                model_init(plain, *state, runs[k].script);
                plain->conf = &runs[k].conf;
                plain->fault = what;
                plain->fault_at = at;
                run(plain);
                complete(plain);

                if (plain->faults <= at) {
                    break;
                }

                some++;

                if (what == ABORTED || what == ABORTED_WHOLE) {
                    assert_int_equal(plain->counts[LR_SHIP_ABORT], 1);
                }

                /* tables that are gone before anything was sent do not count */

                if (what == NO_TABLES && at == 0) {
                    assert_int_equal(plain->counts[LR_SHIP_ABORT], 0);
                }

                for (kill = 0; kill < plain->steps; kill++) {
                    for (mode = PREPARED; mode < MODES; mode++) {

                        if ((mode + kill + at) % 7) {
                            continue;
                        }

                        /* two faults in one file: it may be there twice */

                        if (what == NO_WHOLE && mode >= STORED
                            && mode <= FULL)
                        {
                            continue;
                        }

                        fresh(*state);
                        model_init(m, *state, runs[k].script);
                        m->conf = &runs[k].conf;
                        m->fault = what;
                        m->fault_at = at;
                        m->mode = mode;
                        m->kill_at = kill;
                        run(m);
                        complete(m);
                        model_free(m);
                    }
                }

                model_free(plain);
            }

            model_free(plain);
        }

        assert_true(some != 0);
    }

    free(plain);
    free(m);
}


/* a file that cannot be moved keeps its working key, and no other gets it */

static void
stays(void **state)
{
    size_t    i, n;
    model_t  *m;

    static const conf_t  conf = { FILES, NULL, 0, 0 };

    m = malloc(sizeof(model_t));
    model_init(m, *state, "PFFCFFxFFUE");
    m->conf = &conf;
    m->stay = 1;
    run(m);
    complete(m);

    for (i = 0, n = 0; i < m->nobjects; i++) {
        n += strstr(m->objects[i].key, ".part-") != NULL;
    }

    assert_int_equal(n, 6);
    assert_int_equal(m->nuploads, 6);
    model_free(m);
    free(m);
}


/*
 * With all formats the spool holds the lead and the newest fragment, and
 * the tables of a cycle until its files are stored.
 */

static void
little_is_kept(void **state)
{
    model_t   *m;
    unsigned   i, k;

    static const conf_t  conf = { ALL, NULL, 1, 0 };

    m = malloc(sizeof(model_t));
    model_init(m, *state, "UE");
    m->conf = &conf;
    m->check = 0;
    record(m, 'P');

    for (i = 1; i <= 130; i++) {
        record(m, 'F');

        while (ship_step(m)) { /* void */ }

        /* settings, two journals, tables, the lead; no newest any more */

        assert_int_equal(check_entries(m->dir),
                         3 + (i + LR_FRAGMENT_TABLES - 1)
                             / LR_FRAGMENT_TABLES + 1);
        assert_true(check_size(m->dir, "000001.flv") > 0);

        if (i % 50 == 0) {
            ship_kill(m);
        }
    }

    nothing_lost(m);

    record(m, 'C');
    record(m, 'F');

    while (ship_step(m)) { /* void */ }

    assert_int_equal(check_entries(m->dir), 3 + 1 + 1);
    assert_true(check_size(m->dir, "000129.idx") > 0);
    assert_true(check_size(m->dir, "000131.flv") > 0);
    assert_int_equal(m->counts[LR_SHIP_MOVE], 2);

    for (i = 0, k = 0; i < m->nuploads; i++) {
        k += m->uploads[i]->n;
    }

    assert_int_equal(k, 2 * 130);

    m->script = "UE";
    run(m);
    complete(m);
    model_free(m);
    free(m);
}


/* a part of the manifest is full, and in the bucket, when a file is stored */

static void
full_part(void **state)
{
    char      script[200];
    model_t  *m;

    static const conf_t  conf = { FILES, DIRECT, 1000000, 0 };

    script[0] = 'P';
    memset(script + 1, 'F', LR_MANIFEST_FRAGMENTS);
    strcpy(script + 1 + LR_MANIFEST_FRAGMENTS, "CFFUE");

    m = malloc(sizeof(model_t));
    model_init(m, *state, script);
    m->conf = &conf;
    m->check = 0;
    run(m);
    complete(m);
    assert_int_equal(m->ship.parts, 2);
    model_free(m);
    free(m);
}


/* what the journal may hold, and what it may not */

static void
events(void **state)
{
    size_t     i;
    char       log[4096];
    model_t   *m;
    lr_ship_t  s;

    static const conf_t  conf = { FILES, NULL, 0, 0 };

#define FRAGMENT                                                              \
    "{\"event\":\"fragment\",\"file\":1,\"key\":\"\","                        \
    "\"digests\":[\"1\",\"\"],\"mp4\":5,\"flv\":6}\n"
#define BEGIN                                                                 \
    "{\"event\":\"begin\",\"format\":\"mp4\",\"first\":1,\"lead\":1,"         \
    "\"key\":\"a\"}\n"
#define UPLOAD                                                                \
    "{\"event\":\"upload\",\"format\":\"mp4\",\"upload\":\"u\","              \
    "\"align\":7}\n"
#define PART                                                                  \
    "{\"event\":\"part\",\"format\":\"mp4\",\"number\":2,\"last\":2,"         \
    "\"bytes\":9,\"crc\":\"ff\",\"etag\":\"e\"}\n"

    static const struct {
        const char  *log;
        int          rc;
    } logs[] = {
        { FRAGMENT, LR_OK },
        { FRAGMENT BEGIN UPLOAD PART, LR_OK },
        { FRAGMENT BEGIN BEGIN UPLOAD UPLOAD PART, LR_OK },
        { FRAGMENT "{\"event\":\"later\",\"format\":\"mp4\"}\n",
          LR_OK },
        { FRAGMENT "{\"event\":\"stored\",\"format\":\"mkv\"}\n",
          LR_OK },
        { FRAGMENT "{\"event\":\"stored\",\"format\":4}\n", LR_OK },
        { FRAGMENT "{\"event\":\"stored\",\"format\":\"mp4\",\"key\":\"\","
          "\"last\":1}\n", LR_OK },

        { UPLOAD, LR_DECLINED },
        { BEGIN PART, LR_DECLINED },
        { BEGIN UPLOAD PART PART, LR_DECLINED },
        { "{\"event\":\"begin\",\"format\":\"mp4\",\"first\":0,\"lead\":1,"
          "\"key\":\"a\"}\n", LR_DECLINED },
        { "{\"event\":\"begin\",\"format\":\"mp4\",\"first\":2,\"lead\":1,"
          "\"key\":\"a\"}\n", LR_DECLINED },
        { "{\"event\":\"begin\",\"format\":\"mp4\",\"first\":1,"
          "\"lead\":1}\n", LR_DECLINED },
        { BEGIN "{\"event\":\"upload\",\"format\":\"mp4\"}\n",
          LR_DECLINED },
        { BEGIN UPLOAD "{\"event\":\"part\",\"format\":\"mp4\",\"number\":2,"
          "\"crc\":\"1\"}\n", LR_DECLINED },
        { BEGIN UPLOAD "{\"event\":\"part\",\"format\":\"mp4\",\"number\":2,"
          "\"etag\":\"1\"}\n", LR_DECLINED },
        { BEGIN UPLOAD "{\"event\":\"part\",\"format\":\"mp4\",\"number\":0,"
          "\"crc\":\"1\",\"etag\":\"1\"}\n", LR_DECLINED },
        { "{\"event\":\"abandon\",\"format\":\"mp4\"}\n", LR_DECLINED },
        { "{\"event\":\"stored\",\"format\":\"mp4\",\"key\":\"a\","
          "\"last\":1}\n", LR_DECLINED },
        { FRAGMENT "{\"event\":\"stored\",\"format\":\"mp4\","
          "\"last\":1}\n", LR_DECLINED }
    };

    m = malloc(sizeof(model_t));
    model_init(m, *state, "UE");
    m->conf = &conf;
    record(m, 'P');
    record(m, 'F');
    record(m, 'F');

    for (i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
        snprintf(log, sizeof(log), "{\"event\":\"start\",\"version\":1}\n%s",
                 logs[i].log);
        check_write(m->dir, "ship.log", log, strlen(log));

        if (lr_ship_open(&s, m->dir, err, sizeof(err)) != logs[i].rc) {
            print_error("%s", log);
            fail();
        }

        if (logs[i].rc != LR_OK) {
            continue;
        }

        if (strstr(log, "\"part\"")) {
            assert_int_equal(s.files[0].first, 1);
            assert_int_equal(s.files[0].sent, 2);
            assert_string_equal(s.files[0].key, "a");
            assert_string_equal(s.files[0].upload, "u");
            assert_int_equal(s.files[0].align, 7);
            assert_int_equal(s.files[0].nparts, 2);
            assert_int_equal(s.files[0].parts[1].bytes, 9);
            assert_int_equal(s.files[0].parts[1].crc, 255);
            assert_string_equal(s.files[0].parts[1].etag, "e");
            assert_int_equal(s.files[0].parts[0].number, 0);
        }

        assert_int_equal(s.files[1].first, 0);
        assert_int_equal(s.fragments[0].size[0], 5);
        assert_int_equal(s.fragments[0].size[1], 6);
        lr_ship_close(&s);
    }

    unlink(check_path(log, m->dir, "ship.log"));
    record(m, 'U');
    record(m, 'E');
    m->script = "T";
    run(m);
    complete(m);
    model_free(m);
    free(m);
}


int
main(void)
{
#define t(f)  cmocka_unit_test_setup_teardown(f, check_setup, check_teardown)
    const struct CMUnitTest  tests[] = {
        t(splits),
        t(sizes),
        t(growing),
        t(events),
        t(stays),
        t(little_is_kept),
        t(full_part),
        t(little),
        t(killed),
        t(taken_names),
        t(faults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
