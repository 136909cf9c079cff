
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "../../../spool/lr_survey.c"
#include "spool_check.h"


#define WALL  1772366400000LL


/* app/stream and an id of its own; the path below the spool */

static void
make(const char *spool, const char *path, unsigned formats)
{
    char           dir[CHECK_PATH];
    char          *p;
    lr_buf_t       b;
    lr_settings_t  st;

    snprintf(dir, sizeof(dir), "%s/%s", spool, path);

    for (p = dir + strlen(spool) + 1; *p; p++) {
        if (*p == '/') {
            *p = '\0';
            (void) mkdir(dir, 0700);
            *p = '/';
        }
    }

    (void) mkdir(dir, 0700);

    check_settings(&st);
    st.formats = formats;
    st.notify = LR_NOTIFY_FILES;

    memset(&b, 0, sizeof(lr_buf_t));
    lr_settings_write(&st, &b);
    check_write(dir, "template.json", b.data, b.len);
    lr_buf_free(&b);
}


/* appends lines to a journal of a recording */

static void
say(const char *spool, const char *path, const char *log, const char *fmt,
    ...)
{
    FILE     *f;
    char      name[CHECK_PATH * 2];
    va_list   args;

    snprintf(name, sizeof(name), "%s/%s/%s", spool, path, log);

    f = fopen(name, "a");
    assert_non_null(f);

    va_start(args, fmt);
    vfprintf(f, fmt, args);
    va_end(args);

    fclose(f);
}


static void
begin(const char *spool, const char *path)
{
    say(spool, path, "record.log",
        "{\"event\":\"start\",\"version\":1,\"id\":\"%s\",\"time\":%lld}\n"
        "{\"event\":\"publish\",\"time\":%lld,\"media\":0}\n",
        strrchr(path, '/') + 1, WALL, WALL);
    say(spool, path, "ship.log", "{\"event\":\"start\",\"version\":1}\n");
}


/* a fragment of 5 s and 1000 bytes, the first is number 1 */

static void
open_one(const char *spool, const char *path, unsigned number,
    unsigned cycle)
{
    say(spool, path, "record.log",
        "{\"event\":\"open\",\"file\":%u,\"cycle\":%u,\"base\":0,"
        "\"media\":%u,\"wall\":%lld,\"discontinuity\":false}\n",
        number, cycle, (number - 1) * 5000, WALL + (number - 1) * 5000);
}


static void
fragment(const char *spool, const char *path, unsigned number,
    unsigned cycle)
{
    open_one(spool, path, number, cycle);
    say(spool, path, "record.log",
        "{\"event\":\"close\",\"file\":%u,\"duration\":5000,\"bytes\":1000,"
        "\"rows\":10,\"independent\":true}\n", number);
}


static void
shipped(const char *spool, const char *path, unsigned number)
{
    say(spool, path, "ship.log",
        "{\"event\":\"fragment\",\"file\":%u,\"key\":\"k\",\"bytes\":9,"
        "\"mp4\":5}\n", number);
}


static void
look(lr_survey_t *s, const char *spool)
{
    assert_int_equal(lr_survey_look(s, spool, 10, WALL, 60000), LR_OK);
}


static void
m3u8(void **state)
{
    char                    name[CHECK_PATH * 2];
    struct stat             st;
    lr_survey_t             s;
    lr_survey_recording_t  *r;

    static const char  path[] = "live/cam/20260301-120000-0";

    memset(&s, 0, sizeof(s));

    look(&s, *state);
    assert_int_equal(s.n, 0);
    assert_int_equal(s.sum.due, 0);

    make(*state, path, LR_FORMAT_M3U8);
    begin(*state, path);
    fragment(*state, path, 1, 0);
    fragment(*state, path, 2, 0);
    open_one(*state, path, 3, 0);

    snprintf(name, sizeof(name), "%s/%s", (char *) *state, path);
    check_write(name, "000003.flv", "12345", 5);

    assert_int_equal(lr_survey_look(&s, *state, 10, WALL + 5000, 60000),
                     LR_OK);

    assert_int_equal(s.n, 1);
    r = &s.recordings[0];

    assert_string_equal(r->path, path);
    assert_string_equal(r->rec.id, "20260301-120000-0");
    assert_string_equal(r->settings.app, "live");
    assert_int_equal(r->rec.state, LR_RECORDING_LIVE);
    assert_int_equal(r->rec.spans, 1);
    assert_int_equal(r->rec.fragments, 2);
    assert_int_equal(r->bytes, 2000);
    assert_int_equal(r->open, 5);
    assert_int_equal(r->n, 2);
    assert_int_equal(r->backlog, 2000);
    assert_int_equal(r->due, WALL + 5000);

    strcat(name, "/000003.flv");
    assert_int_equal(stat(name, &st), 0);
    assert_int_equal(r->last / 1000, st.st_mtim.tv_sec);

    assert_int_equal(s.sum.states[LR_RECORDING_LIVE], 1);
    assert_int_equal(s.sum.fragments, 2);
    assert_int_equal(s.sum.bytes, 2000);
    assert_int_equal(s.sum.due, WALL + 5000);
    assert_true(s.usage > 0);
    assert_true(s.free > 0);

    /* the rest of it, from where it was */

    shipped(*state, path, 1);
    say(*state, path, "record.log",
        "{\"event\":\"drop\",\"file\":3}\n"
        "{\"event\":\"lost\",\"time\":%lld,\"frames\":7,\"bytes\":70,"
        "\"why\":\"x\"}\n"
        "{\"event\":\"lost\",\"time\":%lld,\"frames\":1,\"bytes\":5,"
        "\"why\":\"x\"}\n"
        "{\"event\":\"unpublish\",\"time\":%lld,\"why\":\"x\"}\n",
        WALL, WALL, WALL + 15000);

    look(&s, *state);
    r = &s.recordings[0];

    assert_int_equal(r->rec.state, LR_RECORDING_PAUSED);
    assert_int_equal(r->rec.time, WALL + 15000);
    assert_int_equal(r->rec.lost_frames, 8);
    assert_int_equal(r->rec.lost_bytes, 75);
    assert_int_equal(r->open, 0);
    assert_int_equal(r->n, 1);
    assert_int_equal(r->backlog, 1000);
    assert_int_equal(r->due, WALL + 10000);
    assert_int_equal(s.sum.states[LR_RECORDING_PAUSED], 1);
    assert_int_equal(s.sum.states[LR_RECORDING_LIVE], 0);

    say(*state, path, "ship.log",
        "{\"event\":\"skip\",\"file\":2,\"why\":\"x\"}\n");
    say(*state, path, "record.log", "{\"event\":\"end\",\"time\":%lld}\n",
        WALL + 20000);

    look(&s, *state);
    r = &s.recordings[0];

    assert_int_equal(r->rec.state, LR_RECORDING_ENDED);
    assert_int_equal(r->n, 0);
    assert_int_equal(r->due, 0);
    assert_int_equal(s.sum.due, 0);

    /* and it is gone */

    snprintf(name, sizeof(name), "%s/live", (char *) *state);
    check_rm(name);

    look(&s, *state);
    assert_int_equal(s.n, 0);
    assert_int_equal(s.sum.states[LR_RECORDING_ENDED], 0);

    lr_survey_free(&s);
}


/* what was shipped may have ended after record.log was read */

static void
ahead(void **state)
{
    lr_survey_t             s;
    lr_survey_recording_t  *r;

    static const char  path[] = "live/cam/a";

    memset(&s, 0, sizeof(s));

    make(*state, path, LR_FORMAT_M3U8);
    begin(*state, path);
    fragment(*state, path, 1, 0);
    open_one(*state, path, 2, 0);
    shipped(*state, path, 1);
    shipped(*state, path, 2);
    shipped(*state, path, 3);

    look(&s, *state);
    r = &s.recordings[0];
    assert_int_equal(r->n, 0);
    assert_int_equal(r->rec.fragments, 1);

    say(*state, path, "record.log",
        "{\"event\":\"close\",\"file\":2,\"duration\":5000,\"bytes\":1000,"
        "\"rows\":10,\"independent\":true}\n");

    look(&s, *state);
    r = &s.recordings[0];
    assert_int_equal(r->rec.fragments, 2);
    assert_int_equal(r->n, 0);

    fragment(*state, path, 3, 0);
    fragment(*state, path, 4, 0);

    look(&s, *state);
    r = &s.recordings[0];
    assert_int_equal(r->rec.fragments, 4);
    assert_int_equal(r->n, 1);
    assert_int_equal(r->waiting[0].number, 4);

    lr_survey_free(&s);
}


/* an mp4 file takes its fragments by and by */

static void
files(void **state)
{
    unsigned                i;
    lr_survey_t             s;
    lr_survey_recording_t  *r;

    static const char  path[] = "live/cam/f";

    memset(&s, 0, sizeof(s));

    make(*state, path, LR_FORMAT_M3U8|LR_FORMAT_MP4);
    begin(*state, path);

    for (i = 1; i <= 6; i++) {
        fragment(*state, path, i, 0);
    }

    for (i = 1; i <= 4; i++) {
        shipped(*state, path, i);
    }

    look(&s, *state);
    r = &s.recordings[0];

    /* all wait for the file, but only two should be stored by now */

    assert_int_equal(r->n, 6);
    assert_int_equal(r->backlog, 6000);
    assert_int_equal(r->due, WALL + 25000);

    shipped(*state, path, 5);
    shipped(*state, path, 6);

    say(*state, path, "ship.log",
        "{\"event\":\"begin\",\"format\":\"mp4\",\"first\":1,\"lead\":2,"
        "\"key\":\"k\"}\n"
        "{\"event\":\"part\",\"format\":\"mp4\",\"number\":2,\"last\":4,"
        "\"bytes\":9,\"crc\":\"1\",\"etag\":\"\"}\n"
        "{\"event\":\"without\",\"format\":\"mp4\",\"file\":5,"
        "\"why\":\"x\"}\n");

    look(&s, *state);
    r = &s.recordings[0];

    assert_int_equal(r->n, 3);
    assert_int_equal(r->waiting[0].number, 1);
    assert_int_equal(r->waiting[1].number, 2);
    assert_int_equal(r->waiting[2].number, 6);
    assert_int_equal(r->due, 0);

    /* the cycle is over */

    fragment(*state, path, 7, 1);
    shipped(*state, path, 7);
    look(&s, *state);
    r = &s.recordings[0];

    assert_int_equal(r->n, 4);
    assert_int_equal(r->due, WALL + 30000);

    /* part 1 says nothing of its fragments before the file is there */

    say(*state, path, "ship.log",
        "{\"event\":\"part\",\"format\":\"mp4\",\"number\":3,\"last\":6,"
        "\"bytes\":9,\"crc\":\"1\",\"etag\":\"\"}\n"
        "{\"event\":\"part\",\"format\":\"mp4\",\"number\":1,\"last\":2,"
        "\"bytes\":9,\"crc\":\"1\",\"etag\":\"\"}\n");

    look(&s, *state);
    r = &s.recordings[0];
    assert_int_equal(r->n, 3);
    assert_int_equal(r->due, WALL + 30000);

    say(*state, path, "ship.log",
        "{\"event\":\"stored\",\"format\":\"mp4\",\"key\":\"k\","
        "\"bytes\":9,\"last\":6}\n");

    look(&s, *state);
    r = &s.recordings[0];
    assert_int_equal(r->n, 1);
    assert_int_equal(r->waiting[0].number, 7);
    assert_int_equal(r->due, 0);

    say(*state, path, "record.log", "{\"event\":\"end\",\"time\":%lld}\n",
        WALL + 40000);

    look(&s, *state);
    r = &s.recordings[0];
    assert_int_equal(r->due, WALL + 35000);

    lr_survey_free(&s);
}


static void
callbacks(void **state)
{
    lr_survey_t  s;

    static const char  path[] = "live/cam/c";

    memset(&s, 0, sizeof(s));

    make(*state, path, LR_FORMAT_M3U8);
    begin(*state, path);
    say(*state, path, "notify.log",
        "{\"event\":\"start\",\"version\":1}\n"
        "{\"event\":\"notice\",\"number\":1,\"what\":\"x\"}\n"
        "{\"event\":\"notice\",\"number\":2,\"what\":\"x\"}\n"
        "{\"event\":\"notice\",\"number\":3,\"what\":\"x\"}\n"
        "{\"event\":\"noticed\",\"number\":1}\n");

    look(&s, *state);
    assert_int_equal(s.sum.callbacks, 2);

    say(*state, path, "notify.log",
        "{\"event\":\"given\",\"number\":2}\n"
        "{\"event\":\"noticed\",\"number\":3}\n");

    look(&s, *state);
    assert_int_equal(s.sum.callbacks, 0);

    lr_survey_free(&s);
}


/* what is not read is counted, and the rest is as it was */

static void
bounds(void **state)
{
    char         path[CHECK_PATH];
    unsigned     i;
    lr_survey_t  s;

    memset(&s, 0, sizeof(s));

    for (i = 0; i < 5; i++) {
        snprintf(path, sizeof(path), "live/cam_%u/id", i);
        make(*state, path, LR_FORMAT_M3U8);
        begin(*state, path);
        fragment(*state, path, 1, 0);
    }

    assert_int_equal(lr_survey_look(&s, *state, 3, WALL, 60000), LR_OK);
    assert_int_equal(s.n, 3);
    assert_string_equal(s.recordings[0].path, "live/cam_0/id");
    assert_string_equal(s.recordings[2].path, "live/cam_2/id");
    assert_int_equal(s.sum.states[LR_RECORDING_LIVE], 3);
    assert_int_equal(s.sum.others, 2);

    /* there is no time for what is new */

    assert_int_equal(lr_survey_look(&s, *state, 9, WALL, -1), LR_OK);
    assert_int_equal(s.n, 5);
    assert_int_equal(s.sum.states[LR_RECORDING_LIVE], 3);
    assert_int_equal(s.sum.fragments, 3);
    assert_int_equal(s.sum.others, 2);

    /* one that is damaged, one that is half there, one that is gone */

    say(*state, "live/cam_3/id", "record.log", "nonsense\n");
    snprintf(path, sizeof(path), "%s/live/cam_4/id/template.json",
             (char *) *state);
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof(path), "%s/live/cam_0", (char *) *state);
    check_rm(path);
    snprintf(path, sizeof(path), "%s/quarantine", (char *) *state);
    assert_int_equal(mkdir(path, 0700), 0);
    check_write(path, "one", "", 0);
    check_write(path, "two", "", 0);

    assert_int_equal(lr_survey_look(&s, *state, 9, WALL + 5000, 60000),
                     LR_OK);
    assert_int_equal(s.n, 4);
    assert_string_equal(s.recordings[0].path, "live/cam_1/id");
    assert_int_equal(s.sum.states[LR_RECORDING_LIVE], 2);
    assert_int_equal(s.sum.others, 2);
    assert_int_equal(s.quarantine, 2);

    /* a spool that is not there */

    assert_int_equal(lr_survey_look(&s, "/nonexistent", 9, WALL, 60000),
                     LR_ERROR);
    assert_int_equal(s.n, 4);

    lr_survey_free(&s);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(m3u8, check_setup, check_teardown),
        cmocka_unit_test_setup_teardown(ahead, check_setup, check_teardown),
        cmocka_unit_test_setup_teardown(files, check_setup, check_teardown),
        cmocka_unit_test_setup_teardown(callbacks, check_setup,
                                        check_teardown),
        cmocka_unit_test_setup_teardown(bounds, check_setup, check_teardown)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
