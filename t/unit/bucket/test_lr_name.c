
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "../../../bucket/lr_name.c"


/* 2017-03-08T15:09:46.789Z and 54 s later, from OSS's callback example */
#define T_START  1488985786789LL
#define T_END    1488985840000LL


static void
zone_is_parsed(void **state)
{
    size_t     i;
    lr_zone_t  z;

    static const char *const  bad[] = {
        "", "UTC", "utc ", "+8:00", "+14:01", "+15:00", "-14:30", "+08:60",
        "08:00", "+08.00", "+0a:00", "+08:0", "+08:000", "locale", "+99:59"
    };

    (void) state;

    assert_int_equal(lr_zone_parse("utc", 3, &z), LR_OK);
    assert_int_equal(z.kind, LR_ZONE_UTC);

    assert_int_equal(lr_zone_parse("local", 5, &z), LR_OK);
    assert_int_equal(z.kind, LR_ZONE_LOCAL);

    assert_int_equal(lr_zone_parse("+08:00", 6, &z), LR_OK);
    assert_int_equal(z.kind, LR_ZONE_FIXED);
    assert_int_equal(z.offset, 480);

    assert_int_equal(lr_zone_parse("-03:30", 6, &z), LR_OK);
    assert_int_equal(z.offset, -210);

    assert_int_equal(lr_zone_parse("+14:00", 6, &z), LR_OK);
    assert_int_equal(lr_zone_parse("-14:00", 6, &z), LR_OK);
    assert_int_equal(z.offset, -840);

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(lr_zone_parse(bad[i], strlen(bad[i]), &z),
                         LR_ERROR);
        assert_int_equal(z.offset, -840);
    }
}


static void
zone_local_follows_summer_time(void **state)
{
    int        offset;
    lr_zone_t  z;
    struct tm  tm;

    (void) state;

    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    tzset();

    memset(&z, 0, sizeof(lr_zone_t));
    z.kind = LR_ZONE_LOCAL;

    /* 2026-01-15T12:00:00Z, 2026-07-15T12:00:00Z */

    assert_int_equal(lr_zone_tm(&z, 1768478400000LL, &tm, &offset), LR_OK);
    assert_int_equal(offset, 60);
    assert_int_equal(tm.tm_hour, 13);

    assert_int_equal(lr_zone_tm(&z, 1784116800000LL, &tm, &offset), LR_OK);
    assert_int_equal(offset, 120);
    assert_int_equal(tm.tm_hour, 14);

    assert_int_equal(lr_zone_tm(&z, -1, &tm, NULL), LR_ERROR);
    assert_int_equal(lr_zone_tm(&z, LR_TIME_MAX, &tm, NULL), LR_OK);
    assert_int_equal(lr_zone_tm(&z, LR_TIME_MAX + 1, &tm, NULL), LR_ERROR);

    unsetenv("TZ");
    tzset();
}


static void
names_have_a_charset_and_a_length(void **state)
{
    char  name[257];

    (void) state;

    memset(name, 'a', sizeof(name));

    assert_true(lr_name_valid("Az09-_", 6));
    assert_true(lr_name_valid(name, 255));
    assert_false(lr_name_valid(name, 256));
    assert_false(lr_name_valid("", 0));
    assert_false(lr_name_valid("a.b", 3));
    assert_false(lr_name_valid("a/b", 3));
    assert_false(lr_name_valid("a b", 3));
    assert_false(lr_name_valid("a\0b", 3));
    assert_false(lr_name_valid("\xc3\xa9", 2));
    assert_false(lr_name_valid("*", 1));
}


static void
text_is_utf8_without_controls(void **state)
{
    (void) state;

    assert_true(lr_name_text("", 0));
    assert_true(lr_name_text("\xe5\xbd\x95\xf0\x9f\x8e\xa5 \xc3\xa9", 10));
    assert_false(lr_name_text("\xc0\xaf", 2));              /* overlong */
    assert_false(lr_name_text("\xe0\x80\xaf", 3));
    assert_false(lr_name_text("\xf0\x80\x80\xaf", 4));
    assert_false(lr_name_text("\xed\xa0\x80", 3));          /* surrogate */
    assert_false(lr_name_text("\xf4\x90\x80\x80", 4));      /* > 10FFFF */
    assert_false(lr_name_text("\xff", 1));
    assert_false(lr_name_text("\xe5\xbd", 2));              /* cut */
    assert_false(lr_name_text("\xe5\xbdx", 3));
    assert_false(lr_name_text("a\tb", 3));
    assert_false(lr_name_text("a\x7f", 2));
}


static void
keys_are_relative_paths(void **state)
{
    char  key[1025];

    (void) state;

    memset(key, 'k', sizeof(key));

    assert_true(lr_name_key_valid(key, 1023));
    assert_false(lr_name_key_valid(key, 1024));
    assert_true(lr_name_key_valid("a/.b/..c/d..", 12));
    assert_false(lr_name_key_valid("", 0));
    assert_false(lr_name_key_valid("/a", 2));
    assert_false(lr_name_key_valid("\\a", 2));
    assert_false(lr_name_key_valid("a//b", 4));
    assert_false(lr_name_key_valid("a/", 2));
    assert_false(lr_name_key_valid("../a", 4));
    assert_false(lr_name_key_valid("a/..", 4));
    assert_false(lr_name_key_valid("a/./b", 5));
}


typedef struct {
    lr_name_kind_e   kind;
    const char      *tpl;
    const char      *err;         /* a part of the message; NULL: right */
} t_check_t;


static void
templates_are_checked(void **state)
{
    int         rc;
    char        err[512], longest[LR_NAME_TEMPLATE_LEN + 2];
    size_t      i, n;

    static const t_check_t  checks[] = {
        { LR_NAME_PATH, "record/{AppName}/{StreamName}/"
          "{EscapedStartTime}_{EscapedEndTime}", NULL },
        { LR_NAME_PATH, "{StartTime}", NULL },
        { LR_NAME_PATH, "{Date}/{Hour}-{Minute}-{Second}/{Sequence}_"
          "{UnixTimestamp}", NULL },
        { LR_NAME_PATH, "{Sequence}", "must hold {StartTime} or" },
        { LR_NAME_PATH, "{UnixTimestamp}", "must hold {StartTime} or" },
        { LR_NAME_PATH, "{EndTime}", "must hold {StartTime} or" },
        { LR_NAME_PATH, "{Date}", "must hold {StartTime} or" },

        { LR_NAME_FRAGMENT, "record/{AppName}/{StreamName}/"
          "{UnixTimestamp}_{Sequence}", NULL },
        { LR_NAME_FRAGMENT, "{StartTime}_{Sequence}",
          "must hold {UnixTimestamp} and {Sequence}" },
        { LR_NAME_FRAGMENT, "{UnixTimestamp}",
          "must hold {UnixTimestamp} and {Sequence}" },

        { LR_NAME_INDEX, "{AppName}/{StreamName}/{Date}.m3u8", NULL },
        { LR_NAME_INDEX, "all", NULL },
        { LR_NAME_INDEX, "{Sequence}", "must not hold \"{Sequence}\", "
          "allowed are {AppName} {StreamName} {Date}" },
        { LR_NAME_INDEX, "{Hour}", "must not hold \"{Hour}\"" },
        { LR_NAME_RANGE, "{AppName}/{StreamName}/{Date}/{Hour}/{Minute}_"
          "{Second}.m3u8", NULL },
        { LR_NAME_RANGE, "{Sequence}", "must not hold \"{Sequence}\"" },

        { LR_NAME_PATH, "{StartTime}{Foo}", "has the unknown variable "
          "\"{Foo}\", allowed are {AppName} {StreamName} {Sequence} " },
        { LR_NAME_PATH, "{StartTime}{}", "unknown variable \"{}\"" },
        { LR_NAME_PATH, "{StartTime}{appname}", "variable \"{appname}\"" },
        { LR_NAME_PATH, "{StartTime}{AppName", "unbalanced \"{\" at byte 12" },
        { LR_NAME_PATH, "{StartTime}AppName}", "unbalanced \"}\" at byte 19" },
        { LR_NAME_PATH, "{StartTime{AppName}}", "unbalanced \"{\" at byte 1" },
        { LR_NAME_INDEX, "", "is empty" },
        { LR_NAME_INDEX, "/a", "must not begin with \"/\"" },
        { LR_NAME_INDEX, "\\a", "must not begin with" },
        { LR_NAME_INDEX, "a//b", "must not hold \"//\"" },
        { LR_NAME_INDEX, "a/", "or end with \"/\"" },
        { LR_NAME_INDEX, "a/../b", "\"..\" segment" },
        { LR_NAME_INDEX, "./b", "\"..\" segment" },
        { LR_NAME_INDEX, "a\nb", "control character" },
        { LR_NAME_INDEX, "a\xff", "not UTF-8" },
        { LR_NAME_INDEX, "\xe5\xbd\x95/{Date}", NULL },
        { LR_NAME_INDEX, ".live_record/x", "begin with \".live_record/\"" },
        { LR_NAME_INDEX, ".live_records/x", NULL },
        { LR_NAME_INDEX, "x/.live_record/x", NULL }
    };

    (void) state;

    for (i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        err[0] = '\0';
        rc = lr_name_check(checks[i].kind, checks[i].tpl, err, sizeof(err));

        if (checks[i].err == NULL) {
            assert_string_equal(err, "");
            assert_int_equal(rc, LR_OK);
            continue;
        }

        assert_int_equal(rc, LR_ERROR);

        if (strstr(err, checks[i].err) == NULL) {
            fail_msg("\"%s\" %s", checks[i].tpl, err);
        }
    }

    n = sizeof(longest) - 1;
    memset(longest, 'a', n);
    longest[n] = '\0';

    assert_int_equal(lr_name_check(LR_NAME_INDEX, longest, err,
                                   sizeof(err)), LR_ERROR);
    assert_string_equal(err, "is longer than 255 bytes");

    longest[n - 1] = '\0';
    assert_int_equal(lr_name_check(LR_NAME_INDEX, longest, err,
                                   sizeof(err)), LR_OK);
}


static void
end_variables_are_seen(void **state)
{
    (void) state;

    assert_true(lr_name_uses_end("a/{EscapedStartTime}_{EscapedEndTime}"));
    assert_true(lr_name_uses_end("{EndTime}"));
    assert_false(lr_name_uses_end("EndTime/{StartTime}/{Sequence}"));
}


static void
expand_is(const char *tpl, const char *zone, const char *suffix,
    const char *expected)
{
    lr_buf_t        b;
    lr_zone_t       z;
    lr_name_vars_t  v;

    memset(&b, 0, sizeof(lr_buf_t));
    memset(&v, 0, sizeof(lr_name_vars_t));

    v.app = "live";
    v.stream = "cam-1_a";
    v.start = T_START;
    v.end = T_END;
    v.sequence = 7;

    assert_int_equal(lr_zone_parse(zone, strlen(zone), &z), LR_OK);
    assert_int_equal(lr_name_expand(tpl, &v, &z, suffix, &b), LR_OK);
    assert_string_equal((char *) b.data, expected);
    assert_int_equal(b.len, strlen(expected));

    lr_buf_free(&b);
}


static void
variables_are_expanded(void **state)
{
    (void) state;

    expand_is("record/{AppName}/{StreamName}/{EscapedStartTime}_"
              "{EscapedEndTime}", "utc", ".m3u8",
              "record/live/cam-1_a/2017-03-08-15-09-46_2017-03-08-15-10-40"
              ".m3u8");

    expand_is("{Sequence}_{StartTime}_{EndTime}", "+08:00", ".flv",
              "7_2017-03-08-23:09:46_2017-03-08-23:10:40.flv");

    expand_is("{UnixTimestamp}_{Sequence}", "+08:00", ".ts",
              "1488985786_7.ts");

    expand_is("{Date}/{Hour}/{Minute}/{Second}", "+08:00", NULL,
              "2017-03-08/23/09/46");
    expand_is("{Date}/{Hour}", "+14:00", NULL, "2017-03-09/05");
    expand_is("{Date}/{Hour}", "-03:30", NULL, "2017-03-08/11");
}


static void
suffix_is_added_once(void **state)
{
    (void) state;

    expand_is("{Date}.m3u8", "utc", ".m3u8", "2017-03-08.m3u8");
    expand_is("{Date}", "utc", ".m3u8", "2017-03-08.m3u8");
    expand_is("{Date}.mp4", "utc", ".m3u8", "2017-03-08.mp4.m3u8");
    expand_is("ts", "utc", ".ts", "ts.ts");
    expand_is("a", "utc", "", "a");
}


static void
date_is_that_of_the_recording(void **state)
{
    lr_buf_t        b;
    lr_zone_t       z;
    lr_name_vars_t  v;

    (void) state;

    memset(&b, 0, sizeof(lr_buf_t));
    memset(&z, 0, sizeof(lr_zone_t));
    memset(&v, 0, sizeof(lr_name_vars_t));

    v.app = "live";
    v.stream = "cam";
    v.recorded = T_START;
    v.start = T_START + 86400000;
    v.end = -1;

    assert_int_equal(lr_name_expand("{Date}/{EscapedStartTime}", &v, &z,
                                    NULL, &b), LR_OK);
    assert_string_equal((char *) b.data, "2017-03-08/2017-03-09-15-09-46");

    lr_buf_free(&b);
}


static void
expand_refuses(void **state)
{
    char            tpl[256];
    size_t          i;
    lr_buf_t        b;
    lr_zone_t       z;
    lr_name_vars_t  v;

    (void) state;

    memset(&b, 0, sizeof(lr_buf_t));
    memset(&z, 0, sizeof(lr_zone_t));
    memset(&v, 0, sizeof(lr_name_vars_t));

    lr_buf_puts(&b, "kept");

    v.app = "live";
    v.stream = "cam";
    v.start = T_START;
    v.end = -1;

    assert_int_equal(lr_name_expand("a{EndTime}", &v, &z, NULL, &b),
                     LR_ERROR);
    assert_int_equal(lr_name_expand("a{Foo}", &v, &z, NULL, &b), LR_ERROR);
    assert_int_equal(lr_name_expand("a{", &v, &z, NULL, &b), LR_ERROR);
    assert_int_equal(lr_name_expand("", &v, &z, NULL, &b), LR_ERROR);

    v.stream = "../cam";
    assert_int_equal(lr_name_expand("a", &v, &z, NULL, &b), LR_ERROR);

    v.stream = "cam";
    v.sequence = -1;
    assert_int_equal(lr_name_expand("a", &v, &z, NULL, &b), LR_ERROR);

    v.sequence = 0;
    v.start = LR_TIME_MAX + 1;
    assert_int_equal(lr_name_expand("a", &v, &z, NULL, &b), LR_ERROR);

    v.start = T_START;
    v.stream = "1234567890123456789012345678901234567890123456789";

    tpl[0] = '\0';

    for (i = 0; i < 21; i++) {
        strcat(tpl, "{StreamName}");
    }

    assert_int_equal(b.len, 4);

    /* 21 * 49 = 1029 */

    assert_int_equal(lr_name_expand(tpl, &v, &z, NULL, &b), LR_ERROR);
    assert_int_equal(b.len, 4);

    /* 20 * 49 = 980, and 43 */

    tpl[20 * 12] = '\0';
    assert_int_equal(lr_name_expand(tpl, &v, &z,
                         ".23456789012345678901234567890123456789012x", &b),
                     LR_OK);
    assert_int_equal(b.len, 4 + 1023);

    b.len = 4;
    assert_int_equal(lr_name_expand(tpl, &v, &z,
                         ".234567890123456789012345678901234567890123x", &b),
                     LR_ERROR);
    assert_memory_equal(b.data, "kept", 4);
    assert_int_equal(b.len, 4);

    lr_buf_free(&b);
}


static void
alternatives_stand_before_the_suffix(void **state)
{
    char      key[1024];
    lr_buf_t  b;

    (void) state;

    memset(&b, 0, sizeof(lr_buf_t));

    assert_int_equal(lr_name_alternative("a/b_0.ts", 1, &b), LR_OK);
    assert_string_equal((char *) b.data, "a/b_0-1.ts");

    b.len = 0;
    assert_int_equal(lr_name_alternative("a.b/c", 22, &b), LR_OK);
    assert_string_equal((char *) b.data, "a.b/c-22");

    b.len = 0;
    assert_int_equal(lr_name_alternative("c.m.mp4", 3, &b), LR_OK);
    assert_string_equal((char *) b.data, "c.m-3.mp4");

    b.len = 0;
    assert_int_equal(lr_name_alternative("a/.hidden", 1, &b), LR_OK);
    assert_string_equal((char *) b.data, "a/.hidden-1");

    b.len = 0;
    assert_int_equal(lr_name_alternative("a", 0, &b), LR_ERROR);

    memset(key, 'k', 1023);
    key[1021] = '\0';
    assert_int_equal(lr_name_alternative(key, 9, &b), LR_OK);
    assert_int_equal(b.len, 1023);

    b.len = 0;
    assert_int_equal(lr_name_alternative(key, 10, &b), LR_ERROR);
    assert_int_equal(b.len, 0);

    lr_buf_free(&b);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(zone_is_parsed),
        cmocka_unit_test(zone_local_follows_summer_time),
        cmocka_unit_test(names_have_a_charset_and_a_length),
        cmocka_unit_test(text_is_utf8_without_controls),
        cmocka_unit_test(keys_are_relative_paths),
        cmocka_unit_test(templates_are_checked),
        cmocka_unit_test(end_variables_are_seen),
        cmocka_unit_test(variables_are_expanded),
        cmocka_unit_test(suffix_is_added_once),
        cmocka_unit_test(date_is_that_of_the_recording),
        cmocka_unit_test(expand_refuses),
        cmocka_unit_test(alternatives_stand_before_the_suffix)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
