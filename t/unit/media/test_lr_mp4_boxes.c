
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../../media/lr_mp4_boxes.c"


#define FIND(t, type)  find(t, type, sizeof(type) - 1)


typedef struct {
    lr_mp4_conf_t   conf;
    lr_video_t      video;
    lr_audio_t      audio;
    lr_mp4_movie_t  movie;
    lr_buf_t        out;
} test_t;


static int
setup(void **state)
{
    test_t          *t;
    lr_mp4_track_t  *k;

    t = calloc(1, sizeof(test_t));
    if (t == NULL) {
        return -1;
    }

    t->video.codec = LR_CODEC_AVC;
    t->video.width = 720;
    t->video.height = 576;
    t->video.sar_num = 1;
    t->video.sar_den = 1;

    t->audio.codec = LR_CODEC_AAC;
    t->audio.rate = 48000;
    t->audio.channels = 1;

    t->conf.video = &t->video;
    t->conf.vconf = (const u_char *) "avcc";
    t->conf.vlen = 4;
    t->conf.audio = &t->audio;
    t->conf.aconf = (const u_char *) "\x11\x88";
    t->conf.alen = 2;
    t->conf.created = 1700000000999;

    t->movie.conf = &t->conf;
    t->movie.n = 2;

    k = &t->movie.tracks[0];
    k->id = LR_TRACK_VIDEO;
    k->timescale = LR_MP4_TIMESCALE;
    k->show_end = 180000;
    k->end = 180000;
    k->bytes = 1000;
    k->busiest = 600;
    k->largest = 77;

    k = &t->movie.tracks[1];
    *k = t->movie.tracks[0];
    k->id = LR_TRACK_AUDIO;
    k->timescale = 48000;
    k->show_end = 48001;
    k->end = 48001;

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
draw(test_t *t, unsigned i)
{
    lr_buf_free(&t->out);
    lr_mp4_track(&t->movie, i, 0, &t->out);
    assert_int_equal(lr_get_be32(t->out.data), t->out.len);
}


/* behind the type of a box, or NULL */

static const u_char *
find(test_t *t, const char *type, size_t n)
{
    const u_char  *p;

    p = memmem(t->out.data, t->out.len, type, n);

    return p ? p + n : NULL;
}


static void
test_visual(void **state)
{
    test_t        *t;
    const u_char  *p;

    t = *state;
    draw(t, 0);

    p = FIND(t, "avc1");
    assert_int_equal(lr_get_be16(p + 24), 720);
    assert_int_equal(lr_get_be16(p + 26), 576);
    assert_memory_equal(p + 78, "\0\0\0\x0c" "avcCavcc", 12);
    assert_null(FIND(t, "pasp"));
    assert_non_null(FIND(t, "vmhd"));
    assert_null(FIND(t, "smhd"));

    p = FIND(t, "btrt");
    assert_int_equal(lr_get_be32(p), 77);
    assert_int_equal(lr_get_be32(p + 4), 4800);
    assert_int_equal(lr_get_be32(p + 8), 4000);

    /* a pixel that is wider than high */

    t->video.sar_num = 64;
    t->video.sar_den = 45;
    draw(t, 0);

    p = FIND(t, "pasp");
    assert_int_equal(lr_get_be32(p), 64);
    assert_int_equal(lr_get_be32(p + 4), 45);

    p = FIND(t, "tkhd");
    assert_int_equal(lr_get_be24(p + 1), 7);
    assert_int_equal(lr_get_be32(p + 76), 1024 << 16);
    assert_int_equal(lr_get_be32(p + 80), 576 << 16);
    assert_int_equal(lr_get_be16(FIND(t, "avc1") + 24), 720);

    /* nonsense */

    t->video.sar_den = 0;
    draw(t, 0);
    assert_null(FIND(t, "pasp"));
    assert_int_equal(lr_get_be32(FIND(t, "tkhd") + 76), 720 << 16);

    t->video.sar_num = UINT32_MAX;
    t->video.sar_den = 1;
    draw(t, 0);
    assert_int_equal(lr_get_be32(FIND(t, "tkhd") + 76), UINT32_MAX);
}


static void
test_hvcc(void **state)
{
    size_t         i, n;
    test_t        *t;
    u_char         hvcc[64];
    const u_char  *p;

    /* VPS, SPS, PPS and a prefix SEI, all said to be incomplete */

    static const u_char  arrays[] = {
        0x20, 0, 1, 0, 2, 0x40, 1,
        0x21, 0, 2, 0, 2, 0x42, 1, 0, 3, 0x42, 1, 2,
        0x62, 0, 1, 0, 2, 0x44, 1,
        0x27, 0, 1, 0, 1, 0x4e
    };

    t = *state;
    memset(hvcc, 0x20, sizeof(hvcc));
    hvcc[22] = 4;
    memcpy(hvcc + 23, arrays, sizeof(arrays));
    n = 23 + sizeof(arrays);

    t->video.codec = LR_CODEC_HEVC;
    t->conf.vconf = hvcc;
    t->conf.vlen = n;
    draw(t, 0);

    assert_null(FIND(t, "avc1"));
    assert_non_null(FIND(t, "hvc1"));
    p = FIND(t, "hvcC");

    for (i = 0; i < n; i++) {
        assert_int_equal(p[i], i == 23 || i == 30 ? hvcc[i] | 0x80
                               : i == 42 ? 0xe2 : hvcc[i]);
    }

    /* torn anywhere */

    for (i = 1; i < n; i++) {
        t->conf.vlen = i;
        draw(t, 0);
        assert_int_equal(lr_get_be32(FIND(t, "hvcC") - 8), i + 8);
    }

    lr_mp4_top(&t->movie, 0, &t->out);
    assert_null(FIND(t, "mp42avc1"));
    assert_non_null(FIND(t, "mp42"));
}


static void
test_sound(void **state)
{
    test_t        *t;
    const u_char  *p;

    static const u_char  esds[] = {
        0, 0, 0, 0,
        3, 0x80, 0x80, 0x80, 34, 0, 0, 0,
        4, 0x80, 0x80, 0x80, 20, 0x40, 0x15, 0, 0, 77,
        0, 0, 0x1f, 0x3f, 0, 0, 0x1f, 0x3f,
        5, 0x80, 0x80, 0x80, 2, 0x11, 0x88,
        6, 0x80, 0x80, 0x80, 1, 2
    };

    t = *state;
    draw(t, 1);

    p = FIND(t, "mp4a");
    assert_int_equal(lr_get_be16(p + 16), 1);
    assert_int_equal(lr_get_be16(p + 18), 16);
    assert_int_equal(lr_get_be32(p + 24), 48000u << 16);
    assert_int_equal(lr_get_be32(p + 28), 8 + sizeof(esds));
    assert_memory_equal(FIND(t, "esds"), esds, sizeof(esds));
    assert_non_null(FIND(t, "smhd"));
    assert_null(FIND(t, "vmhd"));
    assert_int_equal(lr_get_be16(FIND(t, "tkhd") + 36), 0x100);

    /* more than 16 bits of rate, channels that are not known */

    t->audio.rate = 96000;
    t->audio.channels = 0;
    draw(t, 1);
    p = FIND(t, "mp4a");
    assert_int_equal(lr_get_be16(p + 16), 2);
    assert_int_equal(lr_get_be32(p + 24), 0);

    t->audio.codec = LR_CODEC_MP3;
    t->audio.version = 1;
    draw(t, 1);
    p = FIND(t, "esds");
    assert_int_equal(p[8], 0x20 - 5);
    assert_int_equal(p[16], 13);
    assert_int_equal(p[17], 0x6b);
    assert_int_equal(p[30], 6);

    t->audio.version = 2;
    draw(t, 1);
    assert_int_equal(FIND(t, "esds")[17], 0x69);
}


/* what does not fit into 32 bits */

static void
test_wide(void **state)
{
    test_t          *t;
    const u_char    *p;
    lr_mp4_track_t  *k;

    t = *state;
    k = &t->movie.tracks[0];

    draw(t, 0);
    p = FIND(t, "mdhd");
    assert_int_equal(p[0], 0);
    assert_int_equal(lr_get_be32(p + 4), 3782844800);
    assert_int_equal(lr_get_be32(p + 8), 3782844800);

    /* over 13 hours in ticks, but not in ms */

    k->end = (int64_t) UINT32_MAX + 1;
    k->show_end = k->end;
    draw(t, 0);
    p = FIND(t, "mdhd");
    assert_int_equal(p[0], 1);
    assert_int_equal(lr_get_be64(p + 24), k->end);
    assert_int_equal(FIND(t, "tkhd")[0], 0);
    assert_int_equal(FIND(t, "elst")[0], 0);

    /* 50 days */

    k->end = k->end * 100;
    k->show_end = k->end;
    draw(t, 0);
    p = FIND(t, "tkhd");
    assert_int_equal(p[0], 1);
    assert_int_equal(lr_get_be64(p + 28), 4772185885);
    p = FIND(t, "elst");
    assert_int_equal(p[0], 1);
    assert_int_equal(lr_get_be64(p + 8), 4772185885);

    lr_buf_free(&t->out);
    lr_mp4_top(&t->movie, 77, &t->out);
    p = FIND(t, "mvhd");
    assert_int_equal(p[0], 1);
    assert_int_equal(lr_get_be64(p + 24), 4772185885);
    assert_int_equal(lr_get_be32(FIND(t, "moov") - 8), 8 + 120 + 77);

    /* a start that a signed number of 32 bits cannot say */

    k->show_first = (int64_t) INT32_MAX + 1;
    k->show_end = k->show_first + 90000;
    draw(t, 0);
    p = FIND(t, "elst");
    assert_int_equal(p[0], 1);
    assert_int_equal(lr_get_be64(p + 36), (int64_t) INT32_MAX + 1);
    k->show_first = 0;

    /* after 2040 */

    k->end = 90000;
    k->show_end = 90000;
    t->conf.created = 2300000000000;
    draw(t, 0);
    assert_int_equal(FIND(t, "tkhd")[0], 1);
    assert_int_equal(lr_get_be64(FIND(t, "mdhd") + 4), 4382844800);

    /* before 1904 */

    t->conf.created = -3000000000000;
    draw(t, 0);
    assert_int_equal(lr_get_be32(FIND(t, "mdhd") + 4), 0);
}


static void
test_edits(void **state)
{
    test_t          *t;
    const u_char    *p;
    lr_mp4_track_t  *v, *a;

    t = *state;
    v = &t->movie.tracks[0];
    a = &t->movie.tracks[1];

    /* video is shown 80 ms after its start, audio begins 5 ms before that */

    v->first = -900;
    v->show_first = 6300;
    v->shift = 90;
    a->first = 65 * 48;
    a->show_first = a->first;
    a->show_end = a->first + 48001;

    draw(t, 0);
    p = FIND(t, "elst");
    assert_int_equal(lr_get_be32(p + 4), 2);
    assert_int_equal(lr_get_be32(p + 8), 5);
    assert_int_equal(lr_get_be32(p + 12), UINT32_MAX);
    assert_int_equal(lr_get_be32(p + 16), 0x10000);
    assert_int_equal(lr_get_be32(p + 20), 2000 - 70);
    assert_int_equal(lr_get_be32(p + 24), 7290);
    assert_int_equal(lr_get_be32(FIND(t, "tkhd") + 20), 2000 - 70 + 5);

    /* not a tick less than what is there */

    draw(t, 1);
    p = FIND(t, "elst");
    assert_int_equal(lr_get_be32(p + 4), 1);
    assert_int_equal(lr_get_be32(p + 8), 1001);
    assert_int_equal(lr_get_be32(p + 12), 0);

    /* ms are found again, also before the base of the first fragment */

    a->timescale = 44100;
    a->first = -44;
    a->show_first = -44;
    v->show_first = 0;
    draw(t, 0);
    assert_int_equal(lr_get_be32(FIND(t, "elst") + 8), 1);

    a->first = -22;
    a->show_first = -22;
    draw(t, 0);
    assert_int_equal(lr_get_be32(FIND(t, "elst") + 4), 1);
}


static void
test_no_memory(void **state)
{
    test_t  *t;

    t = *state;
    t->out.failed = 1;
    lr_mp4_top(&t->movie, 0, &t->out);
    lr_mp4_track(&t->movie, 0, 0, &t->out);
    lr_mp4_track(&t->movie, 1, 0, &t->out);
    assert_int_equal(t->out.len, 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_visual, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hvcc, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sound, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wide, setup, teardown),
        cmocka_unit_test_setup_teardown(test_edits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
