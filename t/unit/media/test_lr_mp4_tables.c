
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../../media/lr_mp4_tables.c"


#define V    LR_SAMPLE_VIDEO
#define K    LR_SAMPLE_KEY
#define ALL  (LR_TRACK_VIDEO|LR_TRACK_AUDIO)
#define MAX  600


typedef struct {
    lr_row_t        rows[MAX];
    uint32_t        n;
    lr_mp4_track_t  track;
    lr_buf_t        out;
} test_t;


static int
setup(void **state)
{
    test_t  *t;

    t = calloc(1, sizeof(test_t));
    if (t == NULL) {
        return -1;
    }

    t->track.id = LR_TRACK_AUDIO;
    t->track.timescale = 44100;
    t->track.frame = 1024;
    *state = t;

    return 0;
}


static int
teardown(void **state)
{
    test_t  *t;

    t = *state;
    lr_buf_free(&t->out);
    free(t);

    return 0;
}


static void
add(test_t *t, int32_t dts, int32_t cts, unsigned flags)
{
    assert_true(t->n < MAX);

    t->rows[t->n].dts = dts;
    t->rows[t->n].cts = cts;
    t->rows[t->n].flags = (flags & V ? 0x80 : 0x40) | flags;
    t->rows[t->n++].size = 20;
}


static void
video(test_t *t)
{
    t->track.id = LR_TRACK_VIDEO;
    t->track.timescale = LR_MP4_TIMESCALE;
    t->track.frame = 0;
}


/* the table's entries as 32-bit words; it is measured before */

static void
check(test_t *t, lr_mp4_table_e table, const uint32_t *words, size_t n)
{
    size_t         i;
    lr_mp4_walk_t  w;

    memset(t->track.entries, 0, sizeof(t->track.entries));
    t->track.bytes = 0;
    t->track.shift = 0;
    t->track.composed = 0;

    lr_mp4_walk_begin(&w, &t->track, ALL, LR_MP4_MEASURE, 0, 0, NULL);
    assert_int_equal(lr_mp4_walk_rows(&w, t->rows, t->n, 7000), LR_OK);
    assert_int_equal(lr_mp4_walk_end(&w), LR_OK);

    t->out.len = 0;
    lr_mp4_walk_begin(&w, &t->track, ALL, table, 1000, 0, &t->out);
    assert_int_equal(lr_mp4_walk_rows(&w, t->rows, t->n, 7000), LR_OK);
    assert_int_equal(lr_mp4_walk_end(&w), LR_OK);

    assert_int_equal(t->out.len, n * 4);

    for (i = 0; i < n; i++) {
        assert_int_equal(lr_get_be32(t->out.data + i * 4), words[i]);
    }
}


#define CHECK(t, table, ...)                                                 \
    do {                                                                     \
        const uint32_t  words[] = { __VA_ARGS__ };                           \
        check(t, table, words, sizeof(words) / 4);                           \
    } while (0)


static void
test_rounding(void **state)
{
    unsigned   i;
    test_t    *t;

    t = *state;

    /* a clean stream is one run, however its times are rounded */

    for (i = 0; i < 500; i++) {
        add(t, (int32_t) ((int64_t) i * 1024 * 1000 / 44100), 0, K);
    }

    CHECK(t, LR_MP4_STTS, 500, 1024);

    for (i = 0; i < 500; i++) {
        t->rows[i].dts = (int32_t) (((int64_t) i * 1024 * 1000 + 44099)
                                    / 44100) + (int32_t) (i & 1);
    }

    CHECK(t, LR_MP4_STTS, 500, 1024);
    assert_int_equal(t->track.end - t->track.first, 500 * 1024);
    assert_int_equal(t->track.entries[LR_MP4_STTS], 1);
}


static void
test_drift(void **state)
{
    int64_t         time, off;
    uint32_t        n;
    unsigned        i, k;
    test_t         *t;
    lr_mp4_walk_t   w;

    t = *state;

    /* 23 ms for each frame, which are 23.22: never 2 ms apart */

    for (i = 0; i < 500; i++) {
        add(t, (int32_t) i * 23, 0, K);
    }

    lr_mp4_walk_begin(&w, &t->track, ALL, LR_MP4_STTS, 0, 0, &t->out);
    assert_int_equal(lr_mp4_walk_rows(&w, t->rows, t->n, 0), LR_OK);
    assert_int_equal(lr_mp4_walk_end(&w), LR_OK);

    time = 0;
    i = 0;

    for (k = 0; k < t->out.len; k += 8) {
        n = lr_get_be32(t->out.data + k);

        while (n--) {
            off = time * 1000 - (int64_t) i++ * 23 * 44100;
            assert_true(off <= 2 * 44100 && off >= -2 * 44100);
            time += lr_get_be32(t->out.data + k + 4);
        }
    }

    assert_int_equal(i, 500);
    assert_true(t->out.len < 500 * 8 / 4);
}


static void
test_gap(void **state)
{
    test_t  *t;

    t = *state;

    /* a gap is the duration before it; times that go back stay */

    add(t, 0, 0, K);
    add(t, 23, 0, K);
    add(t, 1000, 0, K);
    add(t, 900, 0, K);
    add(t, 1023, 0, K);
    CHECK(t, LR_MP4_STTS, 1, 1024, 1, 43076, 1, 1, 2, 1024);
}


/* earlier than the base of the first fragment */

static void
test_early(void **state)
{
    test_t  *t;

    t = *state;

    add(t, -1, 0, K);
    CHECK(t, LR_MP4_STTS, 1, 1024);
    assert_int_equal(t->track.first, -44);
    assert_int_equal(t->track.show_first, -44);
    assert_int_equal(t->track.end, 980);
}


static void
test_video(void **state)
{
    test_t  *t;

    t = *state;
    video(t);

    /* equal times, and a step back: a tick, and the presentation stays */

    add(t, 0, 0, V|K);
    add(t, 40, 0, V);
    add(t, 40, 0, V);
    add(t, 40, 80, V);
    add(t, 39, 41, V);
    add(t, 80, 0, V);

    CHECK(t, LR_MP4_STTS, 1, 3600, 3, 1, 2, 3597);
    CHECK(t, LR_MP4_CTTS, 3, 0, 1, 7198, 1, 3597, 1, 0);
    assert_int_equal(t->track.entries[LR_MP4_CTTS], 4);
    CHECK(t, LR_MP4_STSS, 1);
    CHECK(t, LR_MP4_STSZ, 15, 15, 15, 15, 15, 15);
    CHECK(t, LR_MP4_STSC, 1, 6, 1);
    CHECK(t, LR_MP4_STCO, 1000);

    /* before its decoding: all are moved */

    t->rows[2].cts = -20;
    CHECK(t, LR_MP4_CTTS, 2, 1801, 1, 0, 1, 8999, 1, 5398, 1, 1801);
    assert_int_equal(t->track.shift, 1801);
    assert_int_equal(t->track.show_first, 0);
}


static void
test_extremes(void **state)
{
    test_t  *t;

    t = *state;
    video(t);

    add(t, INT32_MIN, 0x7fffff, V|K);
    add(t, INT32_MAX, -0x800000, V|K);
    add(t, INT32_MIN, 0x7fffff, V|K);
    add(t, INT32_MAX, 0, V|K);

    /* far apart: what does not fit is nearer, and goes forward still */

    CHECK(t, LR_MP4_STTS, 1, INT32_MAX, 1, 1, 1, INT32_MAX, 1, 3600);
    assert_true(t->track.shift > 0);
    assert_true(t->track.show_end > t->track.show_first);
}


static void
test_last(void **state)
{
    test_t  *t;

    t = *state;
    video(t);

    add(t, 0, 0, V|K);
    CHECK(t, LR_MP4_STTS, 1, 3600);

    /* as the one before, but for a gap and a tick */

    add(t, 20, 0, V);
    CHECK(t, LR_MP4_STTS, 2, 1800);
    add(t, 1020, 0, V);
    add(t, 1020, 0, V);
    CHECK(t, LR_MP4_STTS, 1, 1800, 1, 90000, 1, 1, 1, 1800);
    assert_int_equal(t->track.largest, 15);
    assert_int_equal(t->track.busiest, 30);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_rounding, setup, teardown),
        cmocka_unit_test_setup_teardown(test_drift, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gap, setup, teardown),
        cmocka_unit_test_setup_teardown(test_early, setup, teardown),
        cmocka_unit_test_setup_teardown(test_video, setup, teardown),
        cmocka_unit_test_setup_teardown(test_extremes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_last, setup, teardown)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
