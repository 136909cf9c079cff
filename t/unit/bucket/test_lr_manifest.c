
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "../../../bucket/lr_manifest.c"


/* 2026-03-01T12:00:00.123Z */
#define T_WALL  1772366400123LL


static lr_manifest_fragment_t
fragment(int64_t seq, char *key)
{
    lr_manifest_fragment_t  f;

    memset(&f, 0, sizeof(lr_manifest_fragment_t));

    f.seq = seq;
    f.key = key;
    f.wall = T_WALL + seq * 30000;
    f.media = seq * 30000;
    f.duration = 30000;
    f.bytes = 1000 + seq;
    f.independent = 1;

    return f;
}


static void
keys_are_made(void **state)
{
    lr_buf_t  b;

    (void) state;

    memset(&b, 0, sizeof(lr_buf_t));

    assert_int_equal(lr_manifest_key(NULL, "live", "cam", T_WALL, "k3-x", 12,
                                     &b), LR_OK);
    assert_string_equal((char *) b.data,
                        ".live_record/live/cam/"
                        "20260301T120000Z_k3-x_00012.json");
    assert_int_equal(b.len, strlen((char *) b.data));

    b.len = 0;
    assert_int_equal(lr_manifest_key("a/b", "live", "cam", 0, "0", 99999,
                                     &b), LR_OK);
    assert_string_equal((char *) b.data,
                        "a/b/live/cam/19700101T000000Z_0_99999.json");

    b.len = 0;
    assert_int_equal(lr_manifest_prefix(NULL, "live", "cam", &b), LR_OK);
    lr_buf_append(&b, "", 1);
    assert_string_equal((char *) b.data, ".live_record/live/cam/");

    b.len = 0;
    assert_int_equal(lr_manifest_start_after("m", "live", "cam", T_WALL,
                                             &b), LR_OK);
    assert_string_equal((char *) b.data, "m/live/cam/20260301T120000Z");

    lr_buf_free(&b);
}


static void
keys_are_refused(void **state)
{
    char      prefix[1024];
    lr_buf_t  b;

    (void) state;

    memset(&b, 0, sizeof(lr_buf_t));

    assert_int_equal(lr_manifest_key("/a", "l", "c", T_WALL, "i", 0, &b),
                     LR_ERROR);
    assert_int_equal(lr_manifest_key("a/", "l", "c", T_WALL, "i", 0, &b),
                     LR_ERROR);
    assert_int_equal(lr_manifest_key("", "l", "c", T_WALL, "i", 0, &b),
                     LR_ERROR);
    assert_int_equal(lr_manifest_key("a", "l/", "c", T_WALL, "i", 0, &b),
                     LR_ERROR);
    assert_int_equal(lr_manifest_key("a", "l", "c.", T_WALL, "i", 0, &b),
                     LR_ERROR);
    assert_int_equal(lr_manifest_key("a", "l", "c", -1, "i", 0, &b),
                     LR_ERROR);
    assert_int_equal(lr_manifest_key("a", "l", "c", T_WALL, "I", 0, &b),
                     LR_ERROR);
    assert_int_equal(lr_manifest_key("a", "l", "c", T_WALL, "", 0, &b),
                     LR_ERROR);
    assert_int_equal(lr_manifest_key("a", "l", "c", T_WALL, "i", 100000,
                                     &b), LR_ERROR);

    memset(prefix, 'p', 1023);
    prefix[1023] = '\0';

    /* "/l/c/", 16 of the time, "_i_00000.json" */

    prefix[1023 - 5 - 16 - 13 + 1] = '\0';
    assert_int_equal(lr_manifest_key(prefix, "l", "c", T_WALL, "i", 0, &b),
                     LR_ERROR);
    assert_int_equal(b.len, 0);

    prefix[1023 - 5 - 16 - 13] = '\0';
    assert_int_equal(lr_manifest_key(prefix, "l", "c", T_WALL, "i", 0, &b),
                     LR_OK);
    assert_int_equal(b.len, 1023);

    lr_buf_free(&b);
}


static void
keys_are_parsed(void **state)
{
    size_t              i;
    lr_manifest_name_t  name;

    static const char *const  bad[] = {
        "", "/", "a.json", "20260301T120000Z", "20260301T120000Z_a",
        "20260301T120000Z_a_00000", "20260301T120000Z_a_0000.json",
        "20260301T120000Z_a_000000.json", "20260301T120000Z_A_00000.json",
        "20260301T120000Z__00000.json", "20260301T120000Z_a_b_00000.json",
        "20260301T120000_a_00000.json", "20260230T120000Z_a_00000.json",
        "20261301T120000Z_a_00000.json", "20260301T240000Z_a_00000.json",
        "20260301T126000Z_a_00000.json", "20260301T120060Z_a_00000.json",
        "19691231T235959Z_a_00000.json", "99990101T000001Z_a_00000.json",
        "20260301T120000Z_a_0000x.json", "20260301T120000Z_a_00000.jsonx",
        "20260300T120000Z_a_00000.json", "20260301t120000Z_a_00000.json",
        "20260301T120000Z_a_00000.json/"
    };

    (void) state;

    assert_int_equal(lr_manifest_key_parse(
                         "p/live/cam/20260301T120000Z_k3-x_00012.json",
                         &name), LR_OK);
    assert_int_equal(name.time, T_WALL / 1000 * 1000);
    assert_int_equal(name.part, 12);
    assert_string_equal(name.id, "k3-x");

    assert_int_equal(lr_manifest_key_parse(
                         "20240229T235959Z_0_99999.json", &name), LR_OK);
    assert_int_equal(name.time, 1709251199000LL);
    assert_int_equal(name.part, 99999);

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (lr_manifest_key_parse(bad[i], &name) != LR_DECLINED) {
            fail_msg("\"%s\" was taken", bad[i]);
        }
    }
}


static void
keys_rise_with_time(void **state)
{
    size_t              i;
    int64_t             wall;
    lr_buf_t            one, two, after;
    lr_manifest_name_t  name;

    (void) state;

    memset(&one, 0, sizeof(lr_buf_t));
    memset(&two, 0, sizeof(lr_buf_t));
    memset(&after, 0, sizeof(lr_buf_t));

    lr_buf_append(&one, "", 1);
    wall = 1;

    for (i = 0; i < 4000; i++) {
        two.len = 0;
        after.len = 0;

        assert_int_equal(lr_manifest_key(NULL, "l", "c", wall, "i", i, &two),
                         LR_OK);
        assert_int_equal(lr_manifest_start_after(NULL, "l", "c", wall,
                                                 &after), LR_OK);
        assert_true(strcmp((char *) one.data, (char *) two.data) < 0);
        assert_true(strcmp((char *) one.data, (char *) after.data) < 0);
        assert_true(strcmp((char *) after.data, (char *) two.data) < 0);

        assert_int_equal(lr_manifest_key_parse((char *) two.data, &name),
                         LR_OK);
        assert_int_equal(name.time, wall / 1000 * 1000);

        one.len = 0;
        lr_buf_append(&one, two.data, two.len + 1);

        wall += 1000 + (int64_t) i * i * 977;
    }

    lr_buf_free(&one);
    lr_buf_free(&two);
    lr_buf_free(&after);
}


static void
parts_are_written(void **state)
{
    lr_buf_t                 b;
    lr_manifest_t           *m;
    lr_manifest_file_t       file;
    lr_manifest_fragment_t   f;

    static const char  expected[] =
        "{\"version\":1,\n"
        "\"id\":\"k3\",\n"
        "\"part\":2,\n"
        "\"domain\":\"a\\\"b\\\\c\",\n"
        "\"app\":\"live\",\n"
        "\"stream\":\"cam\",\n"
        "\"started\":1772366400123,\n"
        "\"closed\":true,\n"
        "\"fragment_path\":\"{UnixTimestamp}_{Sequence}\",\n"
        "\"spans\":[\n"
        "{\"wall\":1772366400123,\"media\":0},\n"
        "{\"wall\":1772366500123,\"media\":30000}],\n"
        "\"fragments\":[\n"
        "{\"seq\":0,\"key\":\"a/0.ts\",\"wall\":1772366400123,\"media\":0,"
        "\"duration\":30000,\"bytes\":1000,\"cycle\":0,"
        "\"discontinuity\":false,\"independent\":true,"
        "\"video\":{\"codec\":\"h264\",\"width\":1920,\"height\":1080},"
        "\"audio\":{\"codec\":\"aac\",\"rate\":48000,\"channels\":2}},\n"
        "{\"seq\":1,\"wall\":1772366430123,\"media\":30000,"
        "\"duration\":30000,\"bytes\":1001,\"cycle\":0,"
        "\"discontinuity\":true,\"independent\":true}],\n"
        "\"files\":[\n"
        "{\"format\":\"m3u8\",\"cycle\":0,\"key\":\"a/x.m3u8\","
        "\"start\":1772366400123,\"end\":1772366460123,\"duration\":60000,"
        "\"bytes\":300}]}\n";

    (void) state;

    memset(&b, 0, sizeof(lr_buf_t));

    m = lr_manifest_create("k3", 2, "a\"b\\c", "live", "cam", T_WALL,
                           "{UnixTimestamp}_{Sequence}");
    assert_non_null(m);

    m->closed = 1;
    assert_int_equal(lr_manifest_add_span(m, T_WALL, 0), LR_OK);
    assert_int_equal(lr_manifest_add_span(m, T_WALL + 100000, 30000), LR_OK);

    /* out of order, and once twice */

    f = fragment(1, NULL);
    f.discontinuity = 1;
    assert_int_equal(lr_manifest_add_fragment(m, &f), LR_OK);

    f = fragment(0, "no.ts");
    assert_int_equal(lr_manifest_add_fragment(m, &f), LR_OK);

    f = fragment(0, "a/0.ts");
    strcpy(f.video.codec, "h264");
    f.video.width = 1920;
    f.video.height = 1080;
    strcpy(f.audio.codec, "aac");
    f.audio.rate = 48000;
    f.audio.channels = 2;
    assert_int_equal(lr_manifest_add_fragment(m, &f), LR_OK);

    memset(&file, 0, sizeof(lr_manifest_file_t));
    file.format = LR_MANIFEST_M3U8;
    file.key = "a/x.m3u8";
    file.start = T_WALL;
    file.end = T_WALL + 60000;
    file.duration = 60000;
    file.bytes = 300;
    assert_int_equal(lr_manifest_add_file(m, &file), LR_OK);

    assert_int_equal(lr_manifest_write(m, &b), LR_OK);
    lr_buf_append(&b, "", 1);
    assert_string_equal((char *) b.data, expected);

    lr_buf_free(&b);
    lr_manifest_free(m);
}


static void
a_part_has_an_end(void **state)
{
    int64_t                  i;
    lr_manifest_t           *m;
    lr_manifest_file_t       file;
    lr_manifest_fragment_t   f;

    (void) state;

    m = lr_manifest_create("k3", 0, "", "live", "cam", T_WALL, NULL);
    assert_non_null(m);

    for (i = 0; i < LR_MANIFEST_FRAGMENTS; i++) {
        f = fragment(LR_MANIFEST_FRAGMENTS - i, "a/0.ts");
        assert_int_equal(lr_manifest_add_fragment(m, &f), LR_OK);
    }

    f = fragment(i + 1, "a/0.ts");
    assert_int_equal(lr_manifest_add_fragment(m, &f), LR_DECLINED);

    f = fragment(50, "b/0.ts");
    assert_int_equal(lr_manifest_add_fragment(m, &f), LR_OK);
    assert_int_equal(m->nfragments, LR_MANIFEST_FRAGMENTS);
    assert_string_equal(m->fragments[49].key, "b/0.ts");

    for (i = 0; i < LR_MANIFEST_FRAGMENTS; i++) {
        assert_int_equal(m->fragments[i].seq, i + 1);
    }

    for (i = 0; i < LR_MANIFEST_SPANS; i++) {
        assert_int_equal(lr_manifest_add_span(m, T_WALL, 0), LR_OK);
    }

    assert_int_equal(lr_manifest_add_span(m, T_WALL, 0), LR_DECLINED);

    memset(&file, 0, sizeof(lr_manifest_file_t));
    file.key = "k";

    for (i = 0; i < LR_MANIFEST_FILES; i++) {
        assert_int_equal(lr_manifest_add_file(m, &file), LR_OK);
    }

    assert_int_equal(lr_manifest_add_file(m, &file), LR_DECLINED);

    lr_manifest_free(m);
}


/* writes a part after one of its members was set, and sets it back */

#define refused_with(member, value, text)                                     \
    do {                                                                      \
        __typeof__(member)  saved = member;                                   \
                                                                              \
        member = value;                                                       \
        assert_int_equal(lr_manifest_write(m, &b), LR_ERROR);                 \
        assert_int_equal(b.len, 0);                                           \
        assert_int_equal(lr_manifest_check(m, err, sizeof(err)), LR_ERROR);   \
        assert_string_equal(err, "\"" text "\" is out of range");             \
        member = saved;                                                       \
    } while (0)


static void
wrong_parts_are_not_written(void **state)
{
    char                     err[LR_MANIFEST_ERR], text[257];
    lr_buf_t                 b;
    lr_manifest_t           *m;
    lr_manifest_file_t       file;
    lr_manifest_fragment_t   f;

    (void) state;

    memset(&b, 0, sizeof(lr_buf_t));
    memset(text, 'a', 256);
    text[256] = '\0';

    m = lr_manifest_create("k3", 0, "d", "live", "cam", T_WALL, "x");
    assert_non_null(m);

    f = fragment(0, "a/0.ts");
    assert_int_equal(lr_manifest_add_fragment(m, &f), LR_OK);
    f = fragment(1, "a/1.ts");
    assert_int_equal(lr_manifest_add_fragment(m, &f), LR_OK);
    assert_int_equal(lr_manifest_add_span(m, T_WALL, 0), LR_OK);

    memset(&file, 0, sizeof(lr_manifest_file_t));
    file.key = "k";
    assert_int_equal(lr_manifest_add_file(m, &file), LR_OK);

    refused_with(m->id, "K", "id");
    refused_with(m->part, LR_MANIFEST_PART_MAX + 1, "part");
    refused_with(m->domain, text, "domain");
    refused_with(m->domain, "a\nb", "domain");
    refused_with(m->app, "", "app");
    refused_with(m->stream, "a/b", "stream");
    refused_with(m->started, -1, "started");
    refused_with(m->fragment_path, "", "fragment_path");
    refused_with(m->fragment_path, text, "fragment_path");
    refused_with(m->spans[0].wall, -1, "spans[0].wall");
    refused_with(m->spans[0].media, INT64_MIN, "spans[0].media");
    refused_with(m->fragments[1].seq, 0, "fragments[1].seq");
    refused_with(m->fragments[1].seq, 1LL << 31, "fragments[1].seq");
    refused_with(m->fragments[1].key, "/a", "fragments[1].key");
    refused_with(m->fragments[1].key, "a\xff", "fragments[1].key");
    refused_with(m->fragments[1].wall, LR_TIME_MAX + 1, "fragments[1].wall");
    refused_with(m->fragments[1].media, INT64_MAX, "fragments[1].media");
    refused_with(m->fragments[1].duration, -1, "fragments[1].duration");
    refused_with(m->fragments[1].bytes, -1, "fragments[1].bytes");
    refused_with(m->fragments[1].cycle, -1, "fragments[1].cycle");
    refused_with(m->fragments[1].video.codec[0], 'H', "fragments[1].video");
    refused_with(m->fragments[1].audio.codec[0], '"', "fragments[1].audio");
    refused_with(m->files[0].format, 3, "files[0].format");
    refused_with(m->files[0].cycle, -1, "files[0].cycle");
    refused_with(m->files[0].key, "a/../b", "files[0].key");
    refused_with(m->files[0].start, 1, "files[0].end");
    refused_with(m->files[0].start, -1, "files[0].start");
    refused_with(m->files[0].duration, -1, "files[0].duration");
    refused_with(m->files[0].bytes, 1LL << 53, "files[0].bytes");

    assert_int_equal(lr_manifest_write(m, &b), LR_OK);

    lr_buf_free(&b);
    lr_manifest_free(m);
}


static void
formats_have_names(void **state)
{
    (void) state;

    assert_string_equal(lr_manifest_format_name(LR_MANIFEST_M3U8), "m3u8");
    assert_string_equal(lr_manifest_format_name(LR_MANIFEST_MP4), "mp4");
    assert_string_equal(lr_manifest_format_name(LR_MANIFEST_FLV), "flv");
    assert_string_equal(lr_manifest_format_name(-1), "unknown");
    assert_string_equal(lr_manifest_format_name(3), "unknown");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(keys_are_made),
        cmocka_unit_test(keys_are_refused),
        cmocka_unit_test(keys_are_parsed),
        cmocka_unit_test(keys_rise_with_time),
        cmocka_unit_test(parts_are_written),
        cmocka_unit_test(a_part_has_an_end),
        cmocka_unit_test(wrong_parts_are_not_written),
        cmocka_unit_test(formats_have_names)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
