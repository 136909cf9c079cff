
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "../../../spool/lr_content.c"
#include "spool_check.h"


#define A      LR_FLV_AUDIO
#define V      LR_FLV_VIDEO

#define VIDEO  LR_CONTENT_VIDEO
#define AUDIO  LR_CONTENT_AUDIO

#define BOTH   (LR_TRACK_VIDEO|LR_TRACK_AUDIO)

#define TAG    (LR_FLV_TAG_HEADER + LR_FLV_TAG_TRAILER)


/* H.264 with another level, the same in Enhanced RTMP, HEVC, AAC 48 kHz */

#define AVCC_2                                                                \
    "\x17\0\0\0\0\x01\x42\xc0\x1f\xff\xe1\0\x0a"                              \
    "\x67\x42\xc0\x1e\xda\x02\x80\xf6\xc0\x44\x01\0\x04\x68\xce\x3c\x80"
#define HVCC                                                                  \
    "\x90hvc1\1\1\x60\0\0\0\x90\0\0\0\0\0\x3c\xf0\0\xfc\xfd\xf8\xf8\0\0\x0f"  \
    "\0"
#define ASC_2   "\xaf\0\x11\x90"

/* a key frame and another one; AAC; MP3 in its kinds */

#define KEY     "\x17\1\0\0\0\0\0\0\2\x65\x88"
#define INTER   "\x27\1\0\0\0\0\0\0\2\x41\x9a"
#define HKEY    "\x91hvc1\0\0\1\0\0\0\3\x26\1\xaf"
#define AAC     "\xaf\1\x21\x10\x05"
#define MP3     "\x2f\xff\xfb\x90\x44"        /* 44100, 128 kbit/s, joint */
#define MP3_B   "\x2f\xff\xfb\xa0\x04"        /* 160 kbit/s, stereo */
#define MP3_M   "\x2f\xff\xfb\x90\xc4"        /* mono */
#define MP3_48  "\x2f\xff\xfb\x94\x44"        /* 48000 */
#define MP2     "\x2f\xff\xfd\x90\x44"        /* layer II */
#define LSF     "\x2f\xff\xf3\x90\x44"        /* 22050 */
#define SPEEX   "\xb2\1\2\3"

#define tag(type, ts, body)  put(type, ts, body, sizeof(body) - 1)


static lr_buf_t      flv, rows;
static lr_content_t  c;


static void
put(unsigned type, int32_t ts, const char *body, size_t n)
{
    check_tag(&flv, &rows, type, ts, body, n);
}


/* the tags so far as a fragment, with the table or without */

static void
read_it(void **state)
{
    char          path[CHECK_PATH];
    lr_content_t  other;

    check_write(*state, "000001.flv", flv.data, flv.len);

    assert_int_equal(lr_fragment_write_rows(*state, 1,
                                            (lr_row_t *) rows.data,
                                            rows.len / sizeof(lr_row_t)),
                     LR_OK);
    memset(&c, 0xff, sizeof(c));
    assert_int_equal(lr_content_read(&c, *state, 1, 5000), LR_OK);

    unlink(check_path(path, *state, "000001.idx"));
    memset(&other, 0xff, sizeof(other));
    assert_int_equal(lr_content_read(&other, *state, 1, 5000), LR_OK);

    assert_memory_equal(c.digest, other.digest, sizeof(c.digest));
    assert_int_equal(c.mp4, other.mp4);
    assert_int_equal(c.flv, other.flv);
    assert_int_equal(c.origin, other.origin);
    lr_content_free(&other);

    flv.len = 0;
    rows.len = 0;
}


static void
conf_is(unsigned t, const char *body, size_t n)
{
    assert_int_equal(c.conf[t].len, n);

    if (n) {
        assert_memory_equal(c.conf[t].data, body, n);
    }
}


#define conf_is(t, body)  conf_is(t, body, sizeof(body) - 1)


static void
usual(void **state)
{
    uint64_t     digest[2];
    lr_tracks_t  t;

    tag(V, 0, CHECK_AVCC);
    tag(A, 0, CHECK_ASC);
    tag(V, 40, KEY);
    tag(A, 33, AAC);
    tag(V, 80, INTER);
    read_it(state);

    assert_int_equal(c.tracks, BOTH);
    assert_int_equal(c.codec[VIDEO], LR_CODEC_AVC);
    assert_int_equal(c.codec[AUDIO], LR_CODEC_AAC);
    assert_int_equal(c.id[VIDEO], 7);
    assert_int_equal(c.id[AUDIO], 10);
    conf_is(VIDEO, CHECK_AVCC);
    conf_is(AUDIO, CHECK_ASC);
    assert_int_equal(c.video.codec, LR_CODEC_AVC);
    assert_int_equal(c.video.width, 640);
    assert_int_equal(c.audio.codec, LR_CODEC_AAC);
    assert_int_equal(c.audio.rate, 44100);
    assert_int_equal(c.mp4, 6 + 3 + 6);
    assert_int_equal(c.flv, 3 * TAG + 11 + 5 + 11);
    assert_int_equal(c.origin, 5033);
    assert_int_equal(lr_content_mp4(&c), BOTH);
    assert_int_equal(lr_content_flv(&c), BOTH);

    lr_content_tracks(&c, &t);
    assert_string_equal(t.video, "h264");
    assert_int_equal(t.width, 640);
    assert_int_equal(t.height, 480);
    assert_string_equal(t.audio, "aac");
    assert_int_equal(t.rate, 44100);
    assert_int_equal(t.channels, 2);

    assert_true(c.digest[VIDEO] && c.digest[AUDIO]);
    assert_true(c.digest[VIDEO] != c.digest[AUDIO]);
    memcpy(digest, c.digest, sizeof(digest));
    lr_content_free(&c);
    assert_null(c.conf[VIDEO].data);
    lr_content_free(&c);

    /* the same of other frames; sound without a frame yet is a track */

    tag(V, 0, CHECK_AVCC);
    tag(A, 0, CHECK_ASC);
    tag(V, 7, KEY);
    read_it(state);

    assert_int_equal(c.tracks, LR_TRACK_VIDEO);
    assert_int_equal(lr_content_mp4(&c), BOTH);
    assert_int_equal(lr_content_flv(&c), BOTH);
    assert_memory_equal(digest, c.digest, sizeof(digest));
    conf_is(AUDIO, CHECK_ASC);
    assert_int_equal(c.audio.rate, 44100);
    assert_int_equal(c.origin, 5007);

    lr_content_tracks(&c, &t);
    assert_string_equal(t.video, "h264");
    assert_string_equal(t.audio, "");
    lr_content_free(&c);

    /* the other way round */

    tag(V, 0, CHECK_AVCC);
    tag(A, 0, CHECK_ASC);
    tag(A, -9, AAC);
    read_it(state);

    assert_int_equal(c.tracks, LR_TRACK_AUDIO);
    assert_memory_equal(digest, c.digest, sizeof(digest));
    assert_int_equal(c.mp4, 3);
    assert_int_equal(c.origin, 4991);
    lr_content_tracks(&c, &t);
    assert_string_equal(t.video, "");
    assert_string_equal(t.audio, "aac");
    lr_content_free(&c);

    /* one track alone */

    tag(A, 0, ASC_2);
    tag(A, 0, AAC);
    read_it(state);

    assert_int_equal(c.digest[VIDEO], 0);
    assert_int_equal(c.codec[VIDEO], LR_CODEC_NONE);
    assert_true(c.digest[AUDIO] != digest[AUDIO]);
    assert_int_equal(lr_content_mp4(&c), LR_TRACK_AUDIO);
    lr_content_free(&c);

    /* HEVC, and one byte of the sequence header is another one */

    tag(V, 0, HVCC);
    tag(V, 0, HKEY);
    read_it(state);

    assert_int_equal(c.codec[VIDEO], LR_CODEC_HEVC);
    assert_int_equal(c.id[VIDEO], 0x68766331);
    assert_int_equal(c.mp4, 7);
    assert_int_equal(lr_content_mp4(&c), LR_TRACK_VIDEO);
    lr_content_tracks(&c, &t);
    assert_string_equal(t.video, "hevc");
    assert_true(c.digest[VIDEO] != digest[VIDEO]);
    lr_content_free(&c);

    tag(V, 0, AVCC_2);
    tag(V, 0, KEY);
    read_it(state);
    assert_true(c.digest[VIDEO] != digest[VIDEO]);
    lr_content_free(&c);
}


/* which of several sequence headers counts */

static void
changes(void **state)
{
    uint64_t  digest;

    /* the first one with frames behind it */

    tag(V, 0, CHECK_AVCC);
    tag(A, 0, CHECK_ASC);
    tag(A, 5, AAC);
    tag(V, 0, AVCC_2);
    tag(V, 0, KEY);
    tag(A, 9, ASC_2);
    tag(A, 9, AAC);
    tag(V, 40, CHECK_AVCC);
    tag(V, 40, KEY);
    read_it(state);

    conf_is(VIDEO, AVCC_2);
    conf_is(AUDIO, CHECK_ASC);
    assert_int_equal(c.video.level, 0x1f);
    assert_int_equal(c.audio.rate, 44100);
    digest = c.digest[VIDEO];
    lr_content_free(&c);

    /* without frames, the one that the next fragment will have */

    tag(V, 0, CHECK_AVCC);
    tag(A, 5, AAC);
    tag(V, 0, AVCC_2);
    read_it(state);

    conf_is(VIDEO, AVCC_2);
    assert_int_equal(c.digest[VIDEO], digest);

    /* frames that came without one are not helped by one at the end */

    conf_is(AUDIO, "");
    assert_int_equal(c.codec[AUDIO], LR_CODEC_AAC);
    assert_int_equal(c.audio.codec, LR_CODEC_NONE);
    assert_int_equal(lr_content_mp4(&c), LR_TRACK_VIDEO);
    assert_int_equal(lr_content_flv(&c), BOTH);
    assert_int_equal(c.tracks, LR_TRACK_AUDIO);
    assert_int_equal(c.mp4, 0);
    lr_content_free(&c);

    tag(V, 0, INTER);
    tag(A, 0, AAC);
    tag(A, 30, AAC);
    tag(V, 50, AVCC_2);
    read_it(state);

    conf_is(VIDEO, "");
    assert_true(c.digest[VIDEO] && c.digest[VIDEO] != digest);
    assert_int_equal(lr_content_mp4(&c), 0);
    assert_int_equal(c.flv, 11 + 5 + 5 + 3 * TAG);
    lr_content_free(&c);

    tag(V, 0, INTER);
    tag(V, 50, AVCC_2);
    tag(V, 60, KEY);
    read_it(state);

    conf_is(VIDEO, AVCC_2);
    assert_int_equal(c.digest[VIDEO], digest);
    assert_int_equal(c.mp4, 12);
    lr_content_free(&c);

    /* of a codec that the frames do not have any more */

    tag(V, 0, CHECK_AVCC);
    tag(A, 0, CHECK_ASC);
    tag(V, 0, HKEY);
    tag(A, 0, MP3);
    tag(V, 10, HVCC);
    tag(V, 20, HKEY);
    tag(A, 20, CHECK_ASC);
    tag(A, 20, AAC);
    read_it(state);

    conf_is(VIDEO, HVCC);
    conf_is(AUDIO, "");
    assert_int_equal(c.codec[VIDEO], LR_CODEC_HEVC);
    assert_int_equal(c.codec[AUDIO], LR_CODEC_MP3);
    assert_int_equal(c.audio.codec, LR_CODEC_MP3);
    lr_content_free(&c);
}


/* what a digest of MP3 is of, and what not */

static void
mp3(void **state)
{
    size_t       i;
    uint64_t     digest[8];
    lr_tracks_t  t;
    static const struct {
        size_t       n;
        const char  *body;
    } body[] = {
        { 5, MP3 }, { 5, MP3_B }, { 5, MP3_M }, { 5, MP3_48 }, { 5, MP2 },
        { 5, LSF }, { 5, "\x2fnone" }, { 5, "\xe2none" }
    };

    for (i = 0; i < 8; i++) {
        put(A, 0, body[i].body, body[i].n);
        tag(A, 26, MP3_M);
        read_it(state);

        digest[i] = c.digest[AUDIO];
        assert_int_equal(c.codec[AUDIO], LR_CODEC_MP3);
        assert_int_equal(lr_content_mp4(&c), i < 6 ? LR_TRACK_AUDIO : 0);
        assert_int_equal(lr_content_flv(&c), LR_TRACK_AUDIO);
        assert_int_equal(c.mp4, i < 6 ? 8 : 0);
        lr_content_tracks(&c, &t);
        assert_string_equal(t.audio, i < 6 ? "mp3" : "");
        assert_int_equal(t.rate, i == 3 ? 48000 : i == 5 ? 22050
                                 : i < 6 ? 44100 : 0);
        lr_content_free(&c);
    }

    assert_int_equal(digest[0], digest[1]);

    for (i = 2; i < 8; i++) {
        assert_true(digest[i] && digest[i] != digest[i - 1]);
        assert_true(digest[i] != digest[0]);
    }
}


static void
others(void **state)
{
    uint64_t  digest;

    /* kept in flv, with the sequence header if there is one */

    tag(V, 0, "\x90" "av01\x81\0\0\0");
    tag(V, 0, "\x91" "av01\1\2\3");
    tag(A, 0, SPEEX);
    read_it(state);

    assert_int_equal(c.codec[VIDEO], LR_CODEC_OTHER);
    assert_int_equal(c.codec[AUDIO], LR_CODEC_OTHER);
    assert_int_equal(c.id[AUDIO], 11);
    conf_is(VIDEO, "\x90" "av01\x81\0\0\0");
    assert_int_equal(lr_content_mp4(&c), 0);
    assert_int_equal(lr_content_flv(&c), BOTH);
    assert_int_equal(c.mp4, 0);
    assert_int_equal(c.flv, 2 * TAG + 8 + 4);
    digest = c.digest[VIDEO];
    lr_content_free(&c);

    tag(V, 0, "\x90" "vp09\x81\0\0\0");
    tag(V, 0, "\x91" "av01\1\2\3");
    read_it(state);
    conf_is(VIDEO, "");
    assert_int_equal(c.id[VIDEO], 0x61763031);
    assert_true(c.digest[VIDEO] != digest);
    lr_content_free(&c);

    /* sequence headers that are not understood */

    tag(V, 0, "\x17\0\0\0\0\2\x42\xc0\x1e\xff\xe1\0\0");
    tag(A, 0, "\xaf\0\x16");
    tag(V, 0, KEY);
    tag(A, 0, AAC);
    read_it(state);
    assert_int_equal(c.conf[VIDEO].len, 13);
    assert_int_equal(c.video.codec, LR_CODEC_NONE);
    assert_int_equal(c.audio.codec, LR_CODEC_NONE);
    assert_true(c.digest[VIDEO] && c.digest[AUDIO]);
    assert_int_equal(lr_content_mp4(&c), 0);
    assert_int_equal(lr_content_flv(&c), BOTH);
    lr_content_free(&c);
}


static void
nothing(void **state)
{
    assert_int_equal(lr_content_read(&c, *state, 1, 0), LR_ERROR);
    assert_int_equal(errno, ENOENT);

    tag(V, 0, CHECK_AVCC);
    tag(A, 0, CHECK_ASC);
    check_write(*state, "000001.flv", flv.data, flv.len);
    assert_int_equal(lr_content_read(&c, *state, 1, 0), LR_ERROR);
    assert_int_equal(errno, ENODATA);
    assert_null(c.conf[VIDEO].data);
    assert_null(c.video.params.data);

    check_write(*state, "000001.flv", flv.data, 13);
    assert_int_equal(lr_content_read(&c, *state, 1, 0), LR_ERROR);
    assert_int_equal(errno, ENODATA);

    /* tags that are no frames, which no recorder writes */

    tag(V, 0, "\x17\2\0\0\0");
    tag(V, 0, "\x57\1");
    tag(A, 0, "");
    check_write(*state, "000001.flv", flv.data, flv.len);
    assert_int_equal(lr_content_read(&c, *state, 1, 0), LR_ERROR);
    assert_int_equal(errno, ENODATA);
    assert_null(c.conf[VIDEO].data);

    flv.len = 0;
    rows.len = 0;
}


/* a long fragment is not read for what its first tags say */

static void
cheap(void **state)
{
    lr_fragment_reader_t  r;

    check_fragment(&flv, &rows, 100, 20000);
    check_write(*state, "000001.flv", flv.data, flv.len);
    assert_int_equal(lr_fragment_write_rows(*state, 1,
                                            (lr_row_t *) rows.data,
                                            rows.len / sizeof(lr_row_t)),
                     LR_OK);

    memset(&r, 0, sizeof(r));
    memset(&c, 0, sizeof(c));
    assert_int_equal(lr_fragment_open(&r, *state, 1, 0), LR_OK);
    assert_int_equal(lr_content_walk(&c, &r), LR_OK);
    assert_int_equal(r.start, 0 + LR_FLV_FILE_HEADER + LR_FLV_TAG_HEADER);
    assert_int_equal(c.tracks, BOTH);
    lr_fragment_close(&r);
    lr_content_free(&c);

    /* nor for a sequence header that is not there */

    assert_int_equal(lr_fragment_open(&r, *state, 1, 0), LR_OK);
    r.nrows -= 2;
    memmove(r.rows, r.rows + 2, r.nrows * sizeof(lr_row_t));
    assert_int_equal(lr_content_walk(&c, &r), LR_OK);
    assert_true(r.start < r.rows[4].offset);
    assert_int_equal(c.tracks, BOTH);
    lr_fragment_close(&r);

    lr_buf_free(&r.buf);
    lr_content_free(&c);

    lr_buf_free(&flv);
    lr_buf_free(&rows);
}


/*
 * AAC of Enhanced RTMP is a track, but for rows of a build that did not know
 * it: what it had sent of a file has none.
 */

static void
old_rows(void **state)
{
    size_t     i;
    unsigned   old;
    lr_row_t  *row;

    for (old = 0; old < 2; old++) {
        tag(LR_FLV_VIDEO, 0, CHECK_AVCC);
        tag(LR_FLV_VIDEO, 0, KEY);
        tag(LR_FLV_AUDIO, 0, "\x90mp4a\x12\x10");
        tag(LR_FLV_AUDIO, 23, "\x91mp4a\x21\x10\x05");
        row = (lr_row_t *) rows.data;

        for (i = 2; old && i < 4; i++) {
            row[i].flags = LR_SAMPLE_FLAGS(1);
        }

        check_write(*state, "000001.flv", flv.data, flv.len);
        assert_int_equal(lr_fragment_write_rows(*state, 1, row, 4), LR_OK);
        assert_int_equal(lr_content_read(&c, *state, 1, 5000), LR_OK);
        assert_int_equal(lr_content_mp4(&c), old ? LR_TRACK_VIDEO : BOTH);
        assert_int_equal(lr_content_flv(&c), BOTH);

        lr_content_free(&c);
        check_rm(*state);
        mkdir(*state, 0700);
        flv.len = 0;
        rows.len = 0;
    }
}


int
main(void)
{
#define t(f)  cmocka_unit_test_setup_teardown(f, check_setup, check_teardown)
    const struct CMUnitTest  tests[] = {
        t(usual),
        t(changes),
        t(mp3),
        t(others),
        t(old_rows),
        t(nothing),
        t(cheap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
