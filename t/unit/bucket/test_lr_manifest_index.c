
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "../../../bucket/lr_manifest_index.c"


#define T_WALL  1772366400000LL

#define INDEX   "live/cam/2026-03-01.m3u8"


static lr_manifest_t *
part(const char *id, unsigned n, int64_t started)
{
    lr_manifest_t  *m;

    m = lr_manifest_create(id, n, "", "live", "cam", started, NULL);
    assert_non_null(m);

    return m;
}


/* ten seconds of a cycle of three */

static void
add(lr_manifest_t *m, int64_t seq, char *key, unsigned discontinuity)
{
    lr_manifest_fragment_t  f;

    memset(&f, 0, sizeof(lr_manifest_fragment_t));

    f.seq = seq;
    f.key = key;
    f.wall = m->started + seq * 10000;
    f.media = seq * 10000;
    f.duration = 10000;
    f.cycle = seq / 3;
    f.discontinuity = discontinuity;
    f.independent = 1;

    assert_int_equal(lr_manifest_add_fragment(m, &f), LR_OK);
}


/* a line per segment: "!" for a discontinuity, seconds, the uri */

static void
list_is(lr_segments_t *list, const char *expected)
{
    size_t    i;
    lr_buf_t  b;

    memset(&b, 0, sizeof(lr_buf_t));
    lr_buf_reserve(&b, 1);

    for (i = 0; i < list->n; i++) {
        assert_true(list->segs[i].duration == 10000);
        lr_buf_printf(&b, "%s%d %s%s\n",
                      list->segs[i].discontinuity ? "!" : "",
                      (int) ((list->segs[i].wall - T_WALL) / 1000),
                      list->segs[i].uri,
                      list->segs[i].independent ? "" : " dependent");
    }

    lr_buf_append(&b, "", 1);
    assert_string_equal((char *) b.data, expected);

    lr_buf_free(&b);
    lr_segments_free(list);
}


static void
parts_come_in_any_order(void **state)
{
    lr_manifest_t  *m[4];
    lr_segments_t   list;

    (void) state;

    m[0] = part("b", 1, T_WALL + 500000);
    add(m[0], 2, "record/live/cam/b2.ts", 0);
    add(m[0], 3, "record/live/cam/b 3.ts", 1);

    m[1] = part("z", 0, T_WALL);
    add(m[1], 0, "live/cam/z0.ts", 1);
    add(m[1], 1, "live/cam/z1.ts", 0);

    m[2] = part("b", 0, T_WALL + 500000);
    add(m[2], 0, "record/live/cam/b0.ts", 0);
    add(m[2], 1, "record/live/cam/b1.ts", 0);

    m[3] = part("a", 0, T_WALL + 500000);
    add(m[3], 0, "a0.ts", 0);

    assert_int_equal(lr_manifest_index(m, 4, INDEX, NULL, &list), LR_OK);

    list_is(&list,
            "0 z0.ts\n"
            "10 z1.ts\n"
            "!500 ../../a0.ts\n"
            "!500 ../../record/live/cam/b0.ts\n"
            "510 ../../record/live/cam/b1.ts\n"
            "520 ../../record/live/cam/b2.ts\n"
            "!530 ../../record/live/cam/b%203.ts\n");

    lr_manifest_free(m[0]);
    lr_manifest_free(m[1]);
    lr_manifest_free(m[2]);
    lr_manifest_free(m[3]);
}


static void
what_comes_twice_is_taken_once(void **state)
{
    lr_manifest_t  *m[3];
    lr_segments_t   list;

    (void) state;

    m[0] = part("a", 0, T_WALL);
    add(m[0], 0, "live/cam/new0.ts", 0);
    add(m[0], 1, NULL, 0);

    m[1] = part("a", 0, T_WALL);
    add(m[1], 0, "live/cam/old0.ts", 0);
    add(m[1], 1, "live/cam/old1.ts", 0);

    /* the same seq of another recording is another fragment */

    m[2] = part("b", 0, T_WALL);
    add(m[2], 0, "live/cam/b0.ts", 0);

    assert_int_equal(lr_manifest_index(m, 3, INDEX, NULL, &list), LR_OK);
    list_is(&list, "0 new0.ts\n10 old1.ts\n!0 b0.ts\n");

    lr_manifest_free(m[0]);
    lr_manifest_free(m[1]);
    lr_manifest_free(m[2]);
}


static void
a_missing_fragment_is_a_discontinuity(void **state)
{
    lr_manifest_t  *m[2];
    lr_segments_t   list;

    (void) state;

    m[0] = part("a", 0, T_WALL);
    add(m[0], 0, NULL, 0);
    add(m[0], 1, "live/cam/1.ts", 0);
    add(m[0], 2, NULL, 1);
    add(m[0], 3, "live/cam/3.ts", 0);
    add(m[0], 5, "live/cam/5.ts", 0);
    add(m[0], 6, "live/cam/6.ts", 0);

    /* the number that would be next, but in another recording */

    m[1] = part("b", 0, T_WALL);
    add(m[1], 7, "live/cam/b7.ts", 0);

    assert_int_equal(lr_manifest_index(m, 2, INDEX, NULL, &list), LR_OK);
    list_is(&list, "10 1.ts\n!30 3.ts\n!50 5.ts\n60 6.ts\n!70 b7.ts\n");

    lr_manifest_free(m[0]);
    lr_manifest_free(m[1]);
}


static void
other_tracks_are_a_discontinuity(void **state)
{
    size_t                   i;
    lr_manifest_t           *m[2];
    lr_segments_t            list;
    lr_manifest_fragment_t  *f;

    static const struct {
        const char          *key;
        lr_manifest_video_t  video;
        lr_manifest_audio_t  audio;
    } t[] = {
        { "live/cam/0.ts", { "h264", 640, 360 }, { "aac", 44100, 2 } },
        { "live/cam/1.ts", { "h264", 640, 360 }, { "aac", 44100, 2 } },
        { "live/cam/2.ts", { "hevc", 640, 360 }, { "aac", 44100, 2 } },
        { "live/cam/3.ts", { "hevc", 360, 640 }, { "aac", 44100, 2 } },
        { "live/cam/4.ts", { "hevc", 360, 640 }, { "", 0, 0 } },
        { "live/cam/5.ts", { "hevc", 360, 640 }, { "mp3", 44100, 2 } },
        { "live/cam/6.ts", { "hevc", 360, 640 }, { "mp3", 44100, 1 } },
        { "live/cam/7.ts", { "hevc", 360, 640 }, { "mp3", 22050, 1 } },

        /* nothing is known */

        { "live/cam/8.ts", { "", 0, 0 }, { "", 0, 0 } },
        { "live/cam/9.ts", { "hevc", 360, 640 }, { "mp3", 22050, 1 } },
        { "live/cam/10.ts", { "", 0, 0 }, { "mp3", 22050, 1 } },
        { "live/cam/11.ts", { "mp3", 22050, 1 }, { "", 0, 0 } },
        { "live/cam/12.ts", { "", 0, 0 }, { "", 0, 0 } },
        { "live/cam/13.ts", { "h264", 0, 0 }, { "", 0, 0 } }
    };

    (void) state;

    m[0] = part("a", 0, T_WALL);
    m[1] = part("a", 1, T_WALL);

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        add(m[i / 9], (int64_t) i, (char *) t[i].key, 0);
        f = &m[i / 9]->fragments[i % 9];
        f->video = t[i].video;
        f->audio = t[i].audio;
    }

    assert_int_equal(lr_manifest_index(m, 2, INDEX, NULL, &list), LR_OK);
    list_is(&list, "0 0.ts\n10 1.ts\n!20 2.ts\n!30 3.ts\n!40 4.ts\n"
                   "!50 5.ts\n!60 6.ts\n!70 7.ts\n80 8.ts\n90 9.ts\n"
                   "!100 10.ts\n!110 11.ts\n120 12.ts\n!130 13.ts\n");

    lr_manifest_free(m[0]);
    lr_manifest_free(m[1]);
}


static void
a_recording_is_not_torn(void **state)
{
    lr_manifest_t  *m[4];
    lr_segments_t   list;

    (void) state;

    m[0] = part("a", 1, T_WALL + 3000);
    add(m[0], 1, "live/cam/a1.ts", 0);

    m[1] = part("a", 0, T_WALL + 1000);
    add(m[1], 0, "live/cam/a0.ts", 0);

    m[2] = part("b", 0, T_WALL + 2000);
    add(m[2], 0, "live/cam/b0.ts", 0);

    m[3] = part("a", 2, T_WALL + 4000);
    add(m[3], 2, "live/cam/a2.ts", 0);

    assert_int_equal(lr_manifest_index(m, 4, INDEX, NULL, &list), LR_OK);
    list_is(&list, "1 a0.ts\n13 a1.ts\n24 a2.ts\n!2 b0.ts\n");

    lr_manifest_free(m[0]);
    lr_manifest_free(m[1]);
    lr_manifest_free(m[2]);
    lr_manifest_free(m[3]);
}


static void
nothing_is_an_empty_list(void **state)
{
    lr_segments_t  list;

    (void) state;

    assert_int_equal(lr_manifest_index(NULL, 0, INDEX, NULL, &list), LR_OK);
    list_is(&list, "");
}


static void
the_list_is_a_playlist(void **state)
{
    char                  key[64];
    size_t                i, j, n;
    lr_buf_t              b;
    lr_manifest_t       **m;
    lr_segments_t         list;

    static const lr_zone_t  utc;

    (void) state;

    /* 300 parts, in an order that is none */

    n = 300;
    m = calloc(n, sizeof(lr_manifest_t *));
    assert_non_null(m);

    for (i = 0; i < n; i++) {
        j = i * 7 % n;
        m[j] = part("a", (unsigned) i, T_WALL);

        for (j = 0; j < 100; j++) {
            snprintf(key, sizeof(key), "live/cam/%d.ts",
                     (int) (i * 100 + j));
            add(m[i * 7 % n], (int64_t) (i * 100 + j), key, 0);
        }
    }

    assert_int_equal(lr_manifest_index(m, n, INDEX, NULL, &list), LR_OK);
    assert_int_equal(list.n, n * 100);

    for (i = 0; i < list.n; i++) {
        snprintf(key, sizeof(key), "%d.ts", (int) i);
        assert_string_equal(list.segs[i].uri, key);
        assert_false(list.segs[i].discontinuity);
    }

    memset(&b, 0, sizeof(lr_buf_t));
    assert_int_equal(lr_m3u8_write(list.segs, list.n, &utc, &b), LR_OK);

    lr_buf_free(&b);
    lr_segments_free(&list);

    for (i = 0; i < n; i++) {
        lr_manifest_free(m[i]);
    }

    free(m);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(parts_come_in_any_order),
        cmocka_unit_test(what_comes_twice_is_taken_once),
        cmocka_unit_test(a_missing_fragment_is_a_discontinuity),
        cmocka_unit_test(other_tracks_are_a_discontinuity),
        cmocka_unit_test(a_recording_is_not_torn),
        cmocka_unit_test(nothing_is_an_empty_list),
        cmocka_unit_test(the_list_is_a_playlist)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
