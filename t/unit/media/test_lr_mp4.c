
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../../media/lr_mp4.c"
#include "mp4_golden.h"
#include "mp4_make.h"


#define V       LR_SAMPLE_VIDEO
#define K       LR_SAMPLE_KEY
#define C       LR_SAMPLE_CONFIG
#define NEXT    LR_SAMPLE_NEXT
#define PREV    LR_SAMPLE_PREV

/* headers of H.264 and AAC */
#define HV      0x80
#define HA      0x40


static const u_char  avcc[] = {
    1, 0x42, 0xc0, 0x1e, 0xff, 0xe1, 0, 10,
    0x67, 0x42, 0xc0, 0x1e, 0xda, 0x02, 0x80, 0xf6, 0xc0, 0x44,
    1, 0, 4, 0x68, 0xce, 0x3c, 0x80
};

static const u_char  asc[] = { 0x12, 0x10 };

static lr_video_t  avc = {
    .codec = LR_CODEC_AVC, .width = 640, .height = 480, .sar_num = 1,
    .sar_den = 1
};

static lr_audio_t  aac = {
    .codec = LR_CODEC_AAC, .rate = 44100, .channels = 2, .samples = 1024
};


static int
setup(void **state)
{
    mp4_make_t  *m;

    m = calloc(1, sizeof(mp4_make_t));
    if (m == NULL) {
        return -1;
    }

    m->conf.video = &avc;
    m->conf.vconf = avcc;
    m->conf.vlen = sizeof(avcc);
    m->conf.audio = &aac;
    m->conf.aconf = asc;
    m->conf.alen = sizeof(asc);

    *state = m;

    return 0;
}


static int
teardown(void **state)
{
    mp4_make_clear(*state);
    free(*state);

    return 0;
}


static void
run(mp4_make_t *m, unsigned strict)
{
    (void) mp4_make_head(m);

    if (m->error == NULL) {
        mp4_make_media(m);
    }

    if (m->error == NULL) {
        mp4_make_verify(m, strict);
    }

    if (m->error) {
        fail_msg("%s", m->error);
    }
}


/* 25 pictures and about 43 frames of audio a second */

static void
second(mp4_make_t *m, unsigned n)
{
    unsigned  v, a;

    v = 0;
    a = 0;

    while (v < 25 * n || a * 1024 / 44100 < n) {

        if (v * 40 <= a * 1024 * 1000 / 44100) {
            (void) mp4_row(m, (int32_t) v * 40, 0, HV|V|(v % 25 ? 0 : K),
                           100 + v % 7);
            v++;

        } else {
            (void) mp4_row(m, (int32_t) (a * 1024 * 1000 / 44100), 0, HA|K,
                           20 + a % 5);
            a++;
        }
    }
}


static void
test_golden(void **state)
{
    FILE        *fp;
    mp4_make_t  *m;

    m = *state;
    m->conf.created = 1700000000123;
    m->conf.align = 50;
    m->conf.lead = 7;

    /* a delay of pictures, a part of one, audio that comes later */

    mp4_fragment(m, 5000);
    (void) mp4_row(m, 0, 0, HV|V|K|C, 5 + sizeof(avcc));
    (void) mp4_row(m, 0, 0, HA|C, 2 + sizeof(asc));
    (void) mp4_row(m, 0, 80, HV|V|K, 25);
    (void) mp4_row(m, 40, 120, HV|V, 15);
    (void) mp4_row(m, 80, 0, HV|V|NEXT, 9);
    (void) mp4_row(m, 80, 40, HV|V, 12);
    (void) mp4_row(m, 90, 0, HA|K, 8);
    mp4_fragment(m, 5120);
    (void) mp4_row(m, 0, 80, HV|V, 11);
    (void) mp4_row(m, -7, 0, HA|K, 9);

    run(m, 1);

    if (getenv("LR_GOLDEN")) {
        fp = fopen(getenv("LR_GOLDEN"), "wb");
        assert_non_null(fp);
        fwrite(m->head.data, 1, m->head.len, fp);
        fclose(fp);
    }

    assert_int_equal(m->head.len, sizeof(mp4_golden));
    assert_memory_equal(m->head.data, mp4_golden, sizeof(mp4_golden));
}


static void
test_plain(void **state)
{
    unsigned      i, other;
    mp4_make_t   *m;
    mp4_track_t  *v, *a;

    m = *state;
    mp4_fragment(m, 1000);
    second(m, 4);
    mp4_fragment(m, 5000);
    second(m, 3);

    run(m, 1);

    assert_int_equal(m->c->n, 2);
    v = &m->c->tracks[0];
    a = &m->c->tracks[1];

    assert_int_equal(v->n, 175);
    assert_int_equal(v->timescale, 90000);
    assert_int_equal(v->media_duration, 7 * 90000);
    assert_int_equal(v->edits, 1);
    assert_int_equal(v->media_time, 0);
    assert_int_equal(v->shown, 7000);
    assert_int_equal(v->duration, 7000);
    assert_int_equal(lr_get_be32(v->stts), 1);
    assert_null(v->ctts);
    assert_int_equal(lr_get_be32(v->stss), 7);
    assert_int_equal(v->chunks, 7);
    assert_false(v->wide);

    /* but for where the fragments meet, frames are of one length */

    assert_int_equal(a->timescale, 44100);
    assert_true(lr_get_be32(a->stts) <= 3);
    assert_null(a->stss);
    assert_true(a->chunks >= 7 && a->chunks <= 9);

    other = 0;

    for (i = 0; i < a->n; i++) {
        other += a->samples[i].duration != 1024;
    }

    assert_int_equal(other, 1);

    assert_int_equal(m->c->filling, 0);
}


static void
test_one_track(void **state)
{
    unsigned     i;
    mp4_make_t  *m;

    m = *state;

    for (i = 0; i < 4; i++) {
        mp4_make_clear(m);
        mp4_fragment(m, 1000);

        /* not in the configuration, or not in the rows */

        m->conf.video = i == 0 ? NULL : &avc;
        m->conf.audio = i == 1 ? NULL : &aac;

        if (i < 2) {
            second(m, 3);

        } else if (i == 2) {
            (void) mp4_row(m, 7, 0, HA|K, 30);
            (void) mp4_row(m, 30, 0, HA|K, 30);

        } else {
            (void) mp4_row(m, 9, 0, HV|V, 30);
        }

        run(m, 1);

        assert_int_equal(m->c->n, 1);
        assert_int_equal(m->c->next_id, 2);
        assert_int_equal(m->c->tracks[0].id, 1);
        assert_int_equal(m->c->tracks[0].handler,
                         i % 2 ? MP4_TYPE('v', 'i', 'd', 'e')
                               : MP4_TYPE('s', 'o', 'u', 'n'));
    }

    /* a single picture lasts 40 ms, and this one is not a key frame */

    assert_int_equal(m->c->tracks[0].shown, 40);
    assert_int_equal(lr_get_be32(m->c->tracks[0].stss), 0);
}


static void
test_offset(void **state)
{
    unsigned      i;
    mp4_make_t   *m;
    mp4_track_t  *v, *a;

    m = *state;

    /* reordered pictures: 0 is shown first, 80 ms after it is decoded */

    static const int32_t  cts[] = { 80, 200, 80, 0, 40, 200, 80, 0, 40 };

    mp4_fragment(m, 1000);

    for (i = 0; i < 9; i++) {
        (void) mp4_row(m, (int32_t) i * 40, cts[i], HV|V|(i ? 0 : K), 50);
    }

    (void) mp4_row(m, 333, 0, HA|K, 30);
    run(m, 1);

    v = &m->c->tracks[0];
    a = &m->c->tracks[1];

    assert_int_equal(v->media_time, 80 * 90);
    assert_int_equal(v->edits, 1);
    assert_int_equal(v->ctts_version, 1);
    assert_int_equal(v->shown, 360);
    assert_int_equal(a->edits, 2);
    assert_int_equal(a->delay, 333 - 80);
    assert_int_equal(a->media_time, 0);
    assert_int_equal(a->shown, 24);
    assert_int_equal(a->duration, 333 - 80 + 24);
    assert_int_equal(m->c->duration, 360);

    /* the picture is later than the audio */

    mp4_make_clear(m);
    mp4_fragment(m, -50);
    (void) mp4_row(m, 0, 0, HA|K, 30);
    (void) mp4_row(m, 100, 60, HV|V|K, 30);
    (void) mp4_row(m, 140, 60, HV|V|K, 30);
    run(m, 1);

    v = &m->c->tracks[0];
    assert_int_equal(v->delay, 160);
    assert_int_equal(v->media_time, 60 * 90);
    assert_null(v->stss);
}


/* a picture that is shown before it should be decoded */

static void
test_negative(void **state)
{
    unsigned      i;
    mp4_make_t   *m;
    mp4_track_t  *v;

    m = *state;
    mp4_fragment(m, 0);
    (void) mp4_row(m, 0, 0, HV|V|K, 50);
    (void) mp4_row(m, 40, -30, HV|V, 50);
    (void) mp4_row(m, 40, 0, HV|V, 50);
    (void) mp4_row(m, 40, 40, HV|V, 50);
    (void) mp4_row(m, 120, 0, HV|V, 50);
    run(m, 1);

    v = &m->c->tracks[0];
    assert_int_equal(v->media_time, 30 * 90);

    for (i = 0; i < v->n; i++) {
        assert_true(v->samples[i].cts >= 0);
        assert_true(v->samples[i].duration > 0);
    }
}


static void
test_joins(void **state)
{
    mp4_make_t   *m;
    mp4_track_t  *v;

    m = *state;
    mp4_fragment(m, 0);
    (void) mp4_row(m, 0, 0, HV|V|NEXT, 8);
    (void) mp4_row(m, 0, 0, HV|V|NEXT, 8);
    (void) mp4_row(m, 0, 40, HV|V|K, 50);
    (void) mp4_row(m, 0, 0, HA|K, 9);
    (void) mp4_row(m, 0, 0, HV|V|PREV, 20);

    /* a second goes by between the parts of a picture */

    (void) mp4_row(m, 1990, 0, HV|V|NEXT, 8);
    (void) mp4_row(m, 1995, 0, HA|K, 9);
    (void) mp4_row(m, 2000, 40, HV|V, 51);
    (void) mp4_row(m, 2000, 0, HA|K, 9);
    (void) mp4_row(m, 3500, 0, HA|K, 9);
    (void) mp4_row(m, 3500, 0, HV|V|PREV, 20);
    (void) mp4_row(m, 3500, 40, HV|V, 52);
    run(m, 1);

    v = &m->c->tracks[0];
    assert_int_equal(v->n, 3);
    assert_int_equal(v->samples[0].size, 3 + 3 + 45 + 15);
    assert_int_equal(v->samples[1].size, 3 + 46 + 15);
    assert_int_equal(v->samples[2].size, 47);
    assert_int_equal(v->samples[1].dts, 2000 * 90);

    /* leftovers at the end of a fragment, without and with a picture */

    mp4_make_clear(m);
    mp4_fragment(m, 0);
    (void) mp4_row(m, 10, 0, HV|V|NEXT, 8);
    (void) mp4_row(m, 15, 0, HV|V|PREV, 9);
    mp4_fragment(m, 1000);
    (void) mp4_row(m, 0, 0, HV|V|K, 50);
    (void) mp4_row(m, 40, 0, HV|V|NEXT, 9);
    (void) mp4_row(m, 40, 0, HV|V|NEXT, 10);
    mp4_fragment(m, 1080);
    (void) mp4_row(m, 0, 0, HV|V|K, 50);
    run(m, 0);

    v = &m->c->tracks[0];
    assert_int_equal(v->n, 3);
    assert_int_equal(v->samples[0].size, 3 + 4);
    assert_int_equal(v->samples[0].key, 0);
    assert_int_equal(v->samples[1].size, 45 + 4 + 5);
    assert_int_equal(v->samples[1].dts, 990 * 90);
    assert_int_equal(v->samples[2].size, 45);

    /* what waits between two parts of a picture is a part of it */

    mp4_make_clear(m);
    mp4_fragment(m, 0);
    (void) mp4_row(m, 0, 0, HV|V|K, 50);
    (void) mp4_row(m, 0, 0, HV|V|NEXT, 9);
    (void) mp4_row(m, 0, 0, HV|V|PREV, 10);
    (void) mp4_row(m, 40, 0, HV|V, 50);
    run(m, 0);

    v = &m->c->tracks[0];
    assert_int_equal(v->n, 2);
    assert_int_equal(v->samples[0].size, 45 + 4 + 5);
}


static void
test_large(void **state)
{
    unsigned      i, k;
    uint64_t      end, sum;
    mp4_make_t   *m;
    mp4_track_t  *v;

    m = *state;

    /* just under and over 4 GiB */

    for (i = 0; i < 2; i++) {
        mp4_make_clear(m);
        sum = 0;

        for (k = 0; k < 9; k++) {
            mp4_fragment(m, (int64_t) k * 1000);

            if (k == 0) {
                (void) mp4_row(m, 0, 0, HA|K, 2 + 1);
                sum++;
            }

            (void) mp4_row(m, 0, 0, HV|V|K, 477218580 + 16 * i);
            sum += 477218580 + 16 * i - 5;
        }

        assert_true(mp4_make_head(m));
        assert_int_equal(m->media_size, sum);
        assert_int_equal(m->c->media, sum);

        v = &m->c->tracks[0];
        end = v->samples[8].offset + v->samples[8].size;
        assert_int_equal(end, m->size + sum);
        assert_false(v->wide);
    }

    /* two more: the last chunk begins beyond */

    for (k = 9; k < 11; k++) {
        mp4_fragment(m, (int64_t) k * 1000);
        (void) mp4_row(m, 0, 0, HV|V|K, 477218580);
    }

    lr_buf_free(&m->head);
    mp4_check_free(m->c);
    m->c = NULL;

    assert_true(mp4_make_head(m));
    v = &m->c->tracks[0];
    assert_true(v->wide);
    assert_true(m->c->tracks[1].wide);
    assert_int_equal(v->samples[10].offset + v->samples[10].size,
                     m->size + m->media_size);

    /* a sample of over 4 GiB is not one */

    mp4_make_clear(m);
    mp4_fragment(m, 0);

    for (k = 0; k < 3; k++) {
        (void) mp4_row(m, 0, 0, HV|V|NEXT, 0x7fffffff);
    }

    assert_false(mp4_make_head(m));
    assert_null(m->error);
    assert_int_equal(errno, EFBIG);
}


/* where the chunks of both end: the smallest 64-bit mdat, co64 or not */

static void
test_limits(void **state)
{
    uint32_t     size;
    unsigned     wide;
    mp4_make_t  *m;

    m = *state;
    m->conf.audio = NULL;

    /* mdat of 2^32 - 1 bytes, and one more */

    for (size = 0xffffffff - 8; size <= 0xffffffff - 7; size++) {
        mp4_make_clear(m);
        mp4_fragment(m, 0);
        (void) mp4_row(m, 0, 0, HV|V|K, 0x40000000);
        mp4_fragment(m, 40);
        (void) mp4_row(m, 0, 0, HV|V|K, size - 0x40000000 + 10);

        assert_true(mp4_make_head(m));
        assert_int_equal(m->media_size, size);
        assert_int_equal(lr_get_be32(m->head.data + m->head.len
                                     - (size == 0xffffffff - 7 ? 16 : 8)),
                         size == 0xffffffff - 7 ? 1 : 0xffffffff);
        assert_false(m->c->tracks[0].wide);
    }

    /* the last chunk at 2^32 - 1, and at 2^32 */

    for (wide = 0; wide < 2; wide++) {
        size = (uint32_t) (0xffffffff - m->size + wide);

        mp4_make_clear(m);
        mp4_fragment(m, 0);
        (void) mp4_row(m, 0, 0, HV|V|K, size + 5);
        mp4_fragment(m, 40);
        (void) mp4_row(m, 0, 0, HV|V|K, 0x40000000);

        assert_true(mp4_make_head(m));
        assert_int_equal(m->c->tracks[0].wide, wide);

        if (!wide) {
            assert_int_equal(m->c->tracks[0].samples[1].offset, 0xffffffff);
        }
    }
}


static void
test_align(void **state)
{
    uint32_t     i;
    uint64_t     plain;
    mp4_make_t  *m;

    m = *state;
    mp4_fragment(m, 0);
    second(m, 1);
    assert_true(mp4_make_head(m));
    plain = m->size;

    /* every rest: never a free box of 1 to 7 bytes */

    for (i = 0; i < 40; i++) {
        lr_buf_free(&m->head);
        mp4_check_free(m->c);
        m->c = NULL;
        m->conf.align = 20;
        m->conf.lead = i;

        assert_true(mp4_make_head(m));
        assert_int_equal((m->size + i) % 20, 0);
        assert_int_equal(m->c->filling, m->size - plain);
        assert_true(m->c->filling < 28);
    }

    m->conf.align = 1000000;
    m->conf.lead = 300;
    lr_buf_free(&m->head);
    mp4_check_free(m->c);
    m->c = NULL;
    run(m, 1);

    assert_int_equal(m->size, 1000000 - 300);
    assert_true(m->largest <= 65536 + 16);
}


static void
test_many(void **state)
{
    unsigned     i;
    mp4_make_t  *m;

    m = *state;

    for (i = 0; i < MP4_FRAGMENTS; i++) {
        mp4_fragment(m, (int64_t) i * 5000);

        /* in steps that no two neighbours share */

        while (m->n < (i + 1) * (MP4_ROWS / MP4_FRAGMENTS)) {
            (void) mp4_row(m, (int32_t) (m->n % 64 * (40 + m->n % 3)),
                           (int32_t) (m->n % 5) * 40,
                           m->n % 2 ? HA|K : HV|V|(m->n % 10 ? 0 : K), 20);
        }
    }

    run(m, 1);

    /* a table of 2048 entries of 8 bytes, a fragment's at a time */

    assert_int_equal(m->c->tracks[0].n, 2048);
    assert_true(m->size > 4 * 2048 * 8);
    assert_true(m->largest < 1024);
}


static void
test_random(void **state)
{
    int32_t      v, a;
    unsigned     i, k, n, flags, seed, next, picture;
    mp4_make_t  *m;

    m = *state;

    for (seed = 1; seed < 120; seed++) {
        mp4_make_clear(m);
        srand(seed);
        m->conf.align = seed % 3 ? 0 : 4096;
        aac.rate = seed % 2 ? 44100 : 48000;
        v = rand() % 500;
        a = rand() % 500;

        for (i = 0; i < 3; i++) {
            mp4_fragment(m, 10000);
            next = 0;
            picture = 0;
            n = 100 + (unsigned) rand() % 200;

            for (k = 0; k < n || next; k++) {

                if (rand() % 2 && k < n) {

                    /* tracks that part, and audio that fills pairs */

                    if (seed % 5 == 0) {
                        a += 21 + rand() % 4 + (rand() % 50 ? 0 : 700);
                        (void) mp4_row(m, a, 0, HA|K,
                                       (uint32_t) rand() % 20000);
                        continue;
                    }

                    a = a > v ? a : v + rand() % 50;
                    (void) mp4_row(m, a, 0, HA|K, (uint32_t) rand() % 500);
                    continue;
                }

                flags = HV|V;

                if (!next && picture && rand() % 6 == 0) {
                    flags |= PREV;

                } else if (rand() % 6 == 0 && k < n) {
                    flags |= NEXT;

                } else if (rand() % 10 == 0) {
                    flags |= K;
                }

                next = flags & NEXT ? 1 : 0;

                if (!next && !(flags & PREV)) {
                    v += rand() % 60 + (rand() % 50 ? 0 : 900);
                    picture = 1;
                }

                (void) mp4_row(m, v, rand() % 200 - (seed % 4 ? 0 : 50),
                               flags, 6 + (uint32_t) rand() % 1000);

                if (rand() % 30 == 0) {
                    (void) mp4_row(m, v, 0, HV|V|C, 30);
                }
            }
        }

        run(m, seed % 5);
    }

    aac.rate = 44100;
}


static int
failing_rows(void *data, size_t i, const lr_row_t **rows, uint32_t *n,
    int64_t *base)
{
    mp4_make_t  *m;

    m = data;

    if (i == 1) {
        errno = EACCES;
        return LR_ERROR;
    }

    return mp4_rows(m, i, rows, n, base);
}


static void
test_errors(void **state)
{
    int             rc;
    lr_buf_t        out;
    uint64_t        size, media;
    mp4_make_t     *m;
    lr_table_t      table;
    lr_mp4_head_t  *h;

    m = *state;
    table.rows = mp4_rows;
    table.data = m;
    table.n = 0;

    assert_null(lr_mp4_head_create(&m->conf, &table, &size, &media));
    assert_int_equal(errno, ENODATA);

    mp4_fragment(m, 0);
    (void) mp4_row(m, 0, 0, HV|V|K|C, 30);
    (void) mp4_row(m, 0, 0, HV|V|K, 5);
    table.n = 1;
    assert_null(lr_mp4_head_create(&m->conf, &table, &size, &media));
    assert_int_equal(errno, ENODATA);

    mp4_fragment(m, 0);
    second(m, 1);
    table.n = 2;
    table.rows = failing_rows;
    assert_null(lr_mp4_head_create(&m->conf, &table, &size, &media));
    assert_int_equal(errno, EACCES);

    /* rows that are not what they were */

    table.rows = mp4_rows;
    h = lr_mp4_head_create(&m->conf, &table, &size, &media);
    assert_non_null(h);

    (void) mp4_row(m, 5000, 0, HV|V|K, 50);
    memset(&out, 0, sizeof(lr_buf_t));

    while ((rc = lr_mp4_head_next(h, &out)) == LR_OK) {
        /* void */
    }

    assert_int_equal(rc, LR_ERROR);
    assert_int_equal(errno, EIO);

    lr_mp4_head_destroy(h);
    lr_mp4_head_destroy(NULL);
    lr_buf_free(&out);
}


static void
test_tracks(void **state)
{
    lr_audio_t     a;
    lr_video_t     v;
    lr_mp4_conf_t  conf;

    (void) state;

    memset(&conf, 0, sizeof(lr_mp4_conf_t));
    memset(&a, 0, sizeof(lr_audio_t));
    memset(&v, 0, sizeof(lr_video_t));

    assert_int_equal(lr_mp4_tracks(&conf), 0);

    conf.video = &v;
    conf.audio = &a;
    conf.vlen = 1;
    assert_int_equal(lr_mp4_tracks(&conf), 0);

    v.codec = LR_CODEC_HEVC;
    a.codec = LR_CODEC_AAC;
    assert_int_equal(lr_mp4_tracks(&conf), LR_TRACK_VIDEO);

    conf.vlen = 0;
    a.codec = LR_CODEC_MP3;
    assert_int_equal(lr_mp4_tracks(&conf), LR_TRACK_AUDIO);

    conf.vlen = 1;
    assert_int_equal(lr_mp4_tracks(&conf), LR_TRACK_VIDEO|LR_TRACK_AUDIO);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_golden, setup, teardown),
        cmocka_unit_test_setup_teardown(test_plain, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_track, setup, teardown),
        cmocka_unit_test_setup_teardown(test_offset, setup, teardown),
        cmocka_unit_test_setup_teardown(test_negative, setup, teardown),
        cmocka_unit_test_setup_teardown(test_joins, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_align, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random, setup, teardown),
        cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
        cmocka_unit_test(test_tracks)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
