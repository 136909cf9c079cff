
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "../../../bucket/lr_range.c"


/* 2026-03-01T12:00:00Z */
#define T_WALL  1772366400000LL

#define KEY     "index/cam.m3u8"
#define ID      "69a42a40-0003-8212-bf34-56789abcdef0"


static lr_manifest_t *
part(const char *id, unsigned n, int64_t started)
{
    lr_manifest_t  *m;

    m = lr_manifest_create(id, n, "", "live", "cam", started,
                           "r/{UnixTimestamp}_{Sequence}");
    assert_non_null(m);

    return m;
}


/* ten seconds at so many after T_WALL */

static lr_manifest_fragment_t *
add(lr_manifest_t *m, int64_t seq, int64_t at)
{
    char                    key[64];
    lr_manifest_fragment_t  f;

    memset(&f, 0, sizeof(lr_manifest_fragment_t));

    snprintf(key, sizeof(key), "r/%s%d.ts", m->id, (int) seq);

    f.seq = seq;
    f.key = key;
    f.wall = T_WALL + at * 1000;
    f.media = seq * 10000;
    f.duration = 10000;
    f.independent = 1;

    assert_int_equal(lr_manifest_add_fragment(m, &f), LR_OK);

    return &m->fragments[m->nfragments - 1];
}


static lr_range_t
range(int64_t start, int64_t end, unsigned inside)
{
    lr_range_t  r;

    r.start = T_WALL + start;
    r.end = T_WALL + end;
    r.inside = inside;

    return r;
}


/* the numbers that are left of six fragments of ten seconds */

static void
cut_is(int64_t start, int64_t end, unsigned inside, const char *expected)
{
    char            text[64];
    size_t          i, n;
    lr_range_t      r;
    lr_manifest_t  *m;

    m = part("a", 0, T_WALL);

    for (i = 0; i < 6; i++) {
        add(m, (int64_t) i, (int64_t) i * 10);
    }

    r = range(start, end, inside);
    n = lr_range_cut(&r, m);
    assert_int_equal(n, m->nfragments);

    text[0] = '\0';

    for (i = 0; i < n; i++) {
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%d",
                 (int) m->fragments[i].seq);
    }

    assert_string_equal(text, expected);
    lr_manifest_free(m);
}


static void
fragments_touch(void **state)
{
    (void) state;

    cut_is(15000, 35000, 0, "123");
    cut_is(15000, 35000, 1, "12");

    /* edges: a fragment holds its first moment, and not its end */

    cut_is(10000, 30000, 0, "123");
    cut_is(10000, 29999, 0, "12");
    cut_is(9999, 30000, 0, "0123");
    cut_is(10000, 30000, 1, "12");
    cut_is(10000, 29999, 1, "1");

    /* within one fragment, all, around all, before and behind */

    cut_is(12000, 13000, 0, "1");
    cut_is(12000, 13000, 1, "");
    cut_is(0, 60000, 0, "012345");
    cut_is(-90000, 90000, 1, "012345");
    cut_is(-90000, -1, 0, "");
    cut_is(-90000, 0, 0, "0");
    cut_is(60000, 90000, 0, "");
    cut_is(59999, 90000, 0, "5");
}


static void
without_object_or_length(void **state)
{
    lr_range_t               r;
    lr_manifest_t           *m;
    lr_manifest_fragment_t  *f;

    (void) state;

    m = part("a", 0, T_WALL);

    f = add(m, 0, 0);
    free(f->key);
    f->key = NULL;

    f = add(m, 1, 10);
    f->duration = 0;

    add(m, 2, 10);

    r = range(10000, 20000, 1);
    assert_int_equal(lr_range_cut(&r, m), 2);
    assert_int_equal(m->fragments[0].seq, 1);
    assert_string_equal(m->fragments[1].key, "r/a2.ts");

    r = range(0, 60000, 0);
    assert_int_equal(lr_range_cut(&r, m), 2);

    r = range(10001, 60000, 0);
    assert_int_equal(lr_range_cut(&r, m), 1);

    r = range(60000, 90000, 0);
    assert_int_equal(lr_range_cut(&r, m), 0);

    lr_manifest_free(m);
}


static void
index_is(lr_manifest_t **m, size_t n, const char *base, int64_t duration,
    const char *expected)
{
    size_t            i, count;
    lr_buf_t          out, uris;
    const char       *p, *end;
    lr_range_total_t  total;

    static const lr_zone_t  utc;

    memset(&out, 0, sizeof(lr_buf_t));
    memset(&uris, 0, sizeof(lr_buf_t));

    assert_int_equal(lr_range_index(m, n, ID, KEY, base, &utc, &out,
                                    &total),
                     LR_OK);
    assert_true(lr_range_index_ours(out.data, out.len, NULL));
    assert_true(lr_range_index_ours(out.data, out.len, ID));
    assert_false(lr_range_index_ours(out.data, out.len, "69a42a40"));
    assert_int_equal(total.duration, duration);

    lr_buf_append(&out, "", 1);
    count = 0;

    for (p = (char *) out.data; *p; p = end + 1) {
        end = strchr(p, '\n');
        i = (size_t) (end - p);

        if (*p != '#') {
            lr_buf_append(&uris, p, i + 1);
            count++;

        } else if (strncmp(p, "#EXT-X-DISCONTINUITY\n", i + 1) == 0) {
            lr_buf_puts(&uris, "!");
        }
    }

    lr_buf_append(&uris, "", 1);
    assert_string_equal((char *) uris.data, expected);
    assert_int_equal(total.n, count);

    lr_buf_free(&out);
    lr_buf_free(&uris);
}


static void
indexes(void **state)
{
    lr_range_t               r;
    lr_manifest_t           *m[4];
    lr_manifest_fragment_t  *f;

    (void) state;

    /* from the spool, fresher than the part of the bucket */

    m[0] = part("a", 1, T_WALL);
    add(m[0], 100, 1000);
    add(m[0], 101, 1010);

    /* another recording, begun before, that has a gap */

    m[1] = part("b", 0, T_WALL - 1000);
    add(m[1], 0, 900)->video.width = 320;
    m[1]->fragments[0].video.height = 240;
    add(m[1], 1, 910);
    add(m[1], 2, 990)->discontinuity = 1;

    m[2] = part("a", 1, T_WALL);
    f = add(m[2], 100, 1000);
    strcpy(f->key, "r/old.t");
    f->video.width = 640;
    f->video.height = 480;

    m[3] = part("a", 0, T_WALL);
    add(m[3], 98, 970);
    add(m[3], 99, 980)->cycle = 1;

    r = range(905000, 2000000, 0);

    lr_range_cut(&r, m[0]);
    lr_range_cut(&r, m[1]);
    lr_range_cut(&r, m[2]);
    lr_range_cut(&r, m[3]);

    index_is(m, 4, NULL, 70000,
             "../r/b0.ts\n../r/b1.ts\n!../r/b2.ts\n"
             "!../r/a98.ts\n../r/a99.ts\n../r/a100.ts\n../r/a101.ts\n");

    /* what was cut off in the middle is missing */

    r = range(920000, 985000, 0);
    assert_int_equal(lr_range_cut(&r, m[0]), 0);
    assert_int_equal(lr_range_cut(&r, m[1]), 0);
    assert_int_equal(lr_range_cut(&r, m[3]), 2);

    strcpy(m[3]->fragments[0].key, "r/ .ts");

    index_is(m + 3, 1, "https://b.example.com/", 20000,
             "https://b.example.com/r/%20.ts\n"
             "https://b.example.com/r/a99.ts\n");

    index_is(m, 0, NULL, 0, "");

    lr_manifest_free(m[0]);
    lr_manifest_free(m[1]);
    lr_manifest_free(m[2]);
    lr_manifest_free(m[3]);
}


static void
totals(void **state)
{
    lr_buf_t           out;
    lr_manifest_t     *m[2];
    lr_range_total_t   total;

    static const lr_zone_t  utc;

    (void) state;

    memset(&out, 0, sizeof(lr_buf_t));

    m[0] = part("a", 0, T_WALL);
    add(m[0], 1, 10)->video.width = 640;
    m[0]->fragments[0].video.height = 360;

    m[1] = part("a", 0, T_WALL);
    add(m[1], 0, 0);
    add(m[1], 1, 10)->independent = 0;

    assert_int_equal(lr_range_index(m, 2, ID, KEY, NULL, &utc, &out,
                                    &total),
                     LR_OK);
    lr_buf_append(&out, "", 1);

    assert_int_equal(total.n, 2);
    assert_int_equal(total.duration, 20000);
    assert_int_equal(total.width, 640);
    assert_int_equal(total.height, 360);

    /* all that are listed are independent: the second one was not taken */

    assert_non_null(strstr((char *) out.data,
                           "#EXT-X-INDEPENDENT-SEGMENTS\n"));
    assert_non_null(strstr((char *) out.data, "#EXT-X-PROGRAM-DATE-TIME:"
                           "2026-03-01T12:00:00.000Z\n#EXTINF:10.000,\n"));

    m[0]->fragments[0].independent = 0;

    out.len = 0;
    assert_int_equal(lr_range_index(m, 2, ID, KEY, NULL, &utc, &out,
                                    &total),
                     LR_OK);
    lr_buf_append(&out, "", 1);
    assert_null(strstr((char *) out.data, "INDEPENDENT"));

    /* nothing is left of one that cannot be told */

    m[0]->fragments[0].wall = -1;
    out.len = 5;
    assert_int_equal(lr_range_index(m, 2, ID, KEY, NULL, &utc, &out,
                                    &total),
                     LR_ERROR);
    assert_int_equal(out.len, 5);

    assert_false(lr_range_index_ours((u_char *) "#EXTM3U\n#EXT-X", 14,
                                     NULL));
    assert_false(lr_range_index_ours((u_char *) "", 0, NULL));

    lr_buf_free(&out);
    lr_manifest_free(m[0]);
    lr_manifest_free(m[1]);
}


static void
name(lr_buf_t *list, int64_t at, const char *id, unsigned n)
{
    assert_int_equal(lr_manifest_key(NULL, "live", "cam",
                                     T_WALL + at * 1000, id, n, list),
                     LR_OK);
    lr_buf_append(list, "", 1);
    lr_buf_append(list, "v", 2);
}


/* the ids and parts chosen of a list */

static void
select_is(lr_buf_t *list, int64_t start, int64_t end, const char *expected)
{
    lr_buf_t             keys, text;
    lr_range_t           r;
    const char          *p, *last;
    lr_manifest_name_t   found;

    memset(&keys, 0, sizeof(lr_buf_t));
    memset(&text, 0, sizeof(lr_buf_t));

    r = range(start, end, 0);
    assert_int_equal(lr_range_select(&r, list->data, list->len, &keys),
                     LR_OK);

    p = (char *) keys.data;
    last = p + keys.len;

    while (p < last) {
        assert_int_equal(lr_manifest_key_parse(p, &found), LR_OK);
        lr_buf_printf(&text, "%s%u ", found.id, found.part);
        p += strlen(p) + 1;
        assert_string_equal(p, "v");
        p += 2;
    }

    lr_buf_append(&text, "", 1);
    assert_string_equal((char *) text.data, expected);

    lr_buf_free(&keys);
    lr_buf_free(&text);
}


static void
parts_are_chosen(void **state)
{
    lr_buf_t  list;

    (void) state;

    memset(&list, 0, sizeof(lr_buf_t));

    select_is(&list, 0, 1000, "");

    name(&list, 0, "a", 0);
    name(&list, 500, "b", 0);
    name(&list, 1000, "a", 1);
    name(&list, 2000, "a", 2);
    lr_buf_append(&list, "x/y.json\0v", 11);
    name(&list, 3000, "a", 3);
    name(&list, 4000, "a", 4);

    /* those that begin in it, and of those before the last, and the one that
       may last longer than its next one's name says */

    select_is(&list, 2500000, 3500000, "a2 a3 b0 ");
    select_is(&list, 2050000, 2999900, "a1 a2 b0 ");
    select_is(&list, 2119999, 2999900, "a1 a2 b0 ");
    select_is(&list, 2120000, 2999900, "a2 b0 ");
    select_is(&list, 0, 1000, "a0 ");
    select_is(&list, 3000000, 4000000, "a2 a3 a4 b0 ");
    select_is(&list, -5000, -1, "");
    select_is(&list, 10000000, 20000000, "a4 b0 ");

    /* where the clock went back: it is not known how far the one before got;
       nor where a part is missing */

    list.len = 0;
    name(&list, 0, "a", 0);
    name(&list, 400, "a", 3);
    name(&list, 700, "a", 6);
    name(&list, 1000, "a", 1);
    name(&list, 2000, "a", 2);
    name(&list, 2500, "a", 4);

    select_is(&list, 3000000, 3500000, "a2 a4 a6 ");
    select_is(&list, 2200000, 2400000, "a2 a3 a6 ");
    select_is(&list, 600000, 650000, "a0 a3 ");

    lr_buf_free(&list);
}


static void
recordings(void **state)
{
    size_t                 n;
    lr_manifest_t         *m[4];
    lr_range_recording_t  *list;

    (void) state;

    m[0] = part("a", 1, T_WALL);
    add(m[0], 2, 50);
    m[1] = part("b", 0, T_WALL);
    add(m[1], 0, 20);
    m[2] = part("c", 0, T_WALL);
    m[3] = part("a", 0, T_WALL);
    add(m[3], 0, 30);
    add(m[3], 1, 40);

    assert_int_equal(lr_range_recordings(m, 4, &list, &n), LR_OK);
    assert_int_equal(n, 2);
    assert_string_equal(list[0].id, "b");
    assert_string_equal(list[1].id, "a");
    assert_string_equal(list[1].fragment_path,
                        "r/{UnixTimestamp}_{Sequence}");
    assert_int_equal(list[1].start, T_WALL + 30000);
    assert_int_equal(list[1].end, T_WALL + 60000);
    assert_int_equal(list[0].end, T_WALL + 30000);

    free(list);

    assert_int_equal(lr_range_recordings(m, 0, &list, &n), LR_OK);
    assert_int_equal(n, 0);
    free(list);

    lr_manifest_free(m[0]);
    lr_manifest_free(m[1]);
    lr_manifest_free(m[2]);
    lr_manifest_free(m[3]);
}


static void
keys(void **state)
{
    char  key[400];

    (void) state;

    assert_true(lr_range_key_valid("a.m3u8"));
    assert_true(lr_range_key_valid("a/b c/d.ts.m3u8"));

    assert_false(lr_range_key_valid(""));
    assert_false(lr_range_key_valid(".m3u8"));
    assert_false(lr_range_key_valid("a.m3u"));
    assert_false(lr_range_key_valid("a.ts"));
    assert_false(lr_range_key_valid("a.m3u8/b"));
    assert_false(lr_range_key_valid("/a.m3u8"));
    assert_false(lr_range_key_valid("a//b.m3u8"));
    assert_false(lr_range_key_valid("../a.m3u8"));
    assert_false(lr_range_key_valid("a/../a.m3u8"));
    assert_false(lr_range_key_valid(".live_record/live/cam/a.m3u8"));
    assert_false(lr_range_key_valid("a/.1-2.part/b.m3u8"));
    assert_false(lr_range_key_valid("a/.part-1-0.m3u8"));
    assert_false(lr_range_key_valid("a\n.m3u8"));

    memset(key, 'a', 250);
    strcpy(key + 250, ".m3u8");
    assert_true(lr_range_key_valid(key));
    strcpy(key + 250, "a.m3u8");
    assert_false(lr_range_key_valid(key));
    key[100] = '/';
    assert_true(lr_range_key_valid(key));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(fragments_touch),
        cmocka_unit_test(without_object_or_length),
        cmocka_unit_test(indexes),
        cmocka_unit_test(totals),
        cmocka_unit_test(parts_are_chosen),
        cmocka_unit_test(recordings),
        cmocka_unit_test(keys)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
