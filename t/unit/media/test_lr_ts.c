
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../../media/lr_ts.c"
#include "ts_make.h"


static void
test_whole(void **state)
{
    size_t   i;
    test_t  *t;

    t = *state;
    fill(t);
    run(t);

    assert_int_equal(t->skipped, 0);
    assert_int_equal(t->c->types[VIDEO], 0x1b);
    assert_int_equal(t->c->types[AUDIO], 0x0f);
    assert_int_equal(t->c->pcr_pid, VIDEO);
    assert_int_equal(t->c->pmts, 1);
    assert_int_equal(t->c->payloads[0], 16);
    assert_int_equal(t->c->payloads[LR_TS_PID_PMT], 16);
    assert_true(t->c->max_pcr_gap <= 9000);
    assert_int_equal(count(t, VIDEO), 100);

    for (i = 0; i < 100; i++) {
        assert_int_equal(pes(t, VIDEO, i)->dts, 900000 + i * 3600);
        assert_int_equal(pes(t, VIDEO, i)->pts,
                         900000 + i * 3600 + (i % 3 ? 7200 : 0));
        assert_int_equal(pes(t, VIDEO, i)->random, i % 50 == 0);
    }

    /* up to 8 frames of audio together */

    assert_true(count(t, AUDIO) <= 187 / 8 + 2);

    /* the tables are spread */

    for (i = 0; i < t->len / 188; i++) {
        if (lr_get_be16(t->out + i * 188 + 1) == 0x4000) {
            assert_true(i < t->len / 188 - 32);
        }
    }
}


static void
test_access_unit(void **state)
{
    u_char    buf[64];
    test_t   *t;
    lr_buf_t *b;

    t = *state;
    avc_config(t, 0, 4);

    /* a keyframe without parameter sets, with an AUD of its own */

    b = video(t, 0, 0, 1);
    nal(b, 4, "\x09\x10", 2, 2);
    nal(b, 4, "\x06\x05\x01\x00\x80", 5, 5);
    nal(b, 4, "\x65\x88", 2, 2);

    /* with them */

    b = video(t, 40, 0, 1);
    nal(b, 4, "\x67\x01", 2, 2);
    nal(b, 4, "\x68\x02", 2, 2);
    nal(b, 4, "\x65\x88", 2, 2);

    /* with one of them */

    b = video(t, 80, 0, 1);
    nal(b, 4, "\x68\x02", 2, 2);
    nal(b, 4, "\x65\x88", 2, 2);

    /* a NAL unit of no bytes */

    b = video(t, 120, 0, 0);
    nal(b, 4, "", 0, 0);
    nal(b, 4, "\x41\x88", 2, 2);

    /* two fields, each with an AUD; one for nothing */

    b = video(t, 160, 0, 0);
    nal(b, 4, "\x09\x30", 2, 2);
    nal(b, 4, "\x41\x88", 2, 2);
    nal(b, 4, "\x41\x42", 2, 2);
    nal(b, 4, "\x09\x30", 2, 2);
    nal(b, 4, "\x06\x05", 2, 2);
    nal(b, 4, "\x41\x89", 2, 2);
    nal(b, 4, "\x09\x30", 2, 2);

    /* an encoder that knows no better puts one before each slice */

    b = video(t, 200, 0, 0);
    nal(b, 4, "\x41\x88", 2, 2);
    nal(b, 4, "\x09\x30", 2, 2);
    nal(b, 4, "\x41\x42", 2, 2);

    run(t);
    assert_int_equal(t->skipped, 0);
    assert_int_equal(count(t, VIDEO), 6);

    memcpy(buf, aud, 6);
    memcpy(buf + 6, annexb, 22);
    memcpy(buf + 28, "\0\0\1\x06\x05\x01\x00\x80\0\0\1\x65\x88", 13);
    payload(t, pes(t, VIDEO, 0), buf, 41);

    memcpy(buf + 6, "\0\0\0\1\x67\x01\0\0\0\1\x68\x02\0\0\1\x65\x88", 17);
    payload(t, pes(t, VIDEO, 1), buf, 23);

    memcpy(buf + 6, annexb, 22);
    memcpy(buf + 28, "\0\0\0\1\x68\x02\0\0\1\x65\x88", 11);
    payload(t, pes(t, VIDEO, 2), buf, 39);

    memcpy(buf + 6, "\0\0\1\x41\x88", 5);
    payload(t, pes(t, VIDEO, 3), buf, 11);

    memcpy(buf + 11, "\0\0\1\x41\x42\0\0\0\1\x09\x30", 11);
    memcpy(buf + 22, "\0\0\1\x06\x05\0\0\1\x41\x89", 10);
    payload(t, pes(t, VIDEO, 4), buf, 32);
    payload(t, pes(t, VIDEO, 5), buf, 16);
}


static void
test_length_sizes(void **state)
{
    test_t    *t;
    unsigned   size;
    lr_buf_t  *b;

    t = *state;

    for (size = 1; size <= 4; size++) {
        avc_config(t, 0, size);
        b = video(t, 0, 0, 0);
        nal(b, size, "\x41\x88", 2, 200);
        nal(b, size, "\x41\x12", 2, 255);

        run(t);
        assert_int_equal(t->skipped, 0);
        assert_int_equal(pes(t, VIDEO, 0)->len,
                         6 + sizeof(annexb) + 3 + 200 + 3 + 255);
        reset(t);
    }
}


static void
test_messages(void **state)
{
    u_char     buf[64];
    test_t    *t;
    lr_buf_t  *b;

    t = *state;
    avc_config(t, 0, 4);

    /* AUD, then parameter sets and SEI, then two slices: four messages */

    nal(video(t, 0, 0, 1), 4, "\x09\x10", 2, 2);
    b = video(t, 0, 0, 1);
    nal(b, 4, "\x67\x01", 2, 2);
    nal(b, 4, "\x68\x02", 2, 2);
    nal(b, 4, "\x06\x05", 2, 2);
    nal(video(t, 0, 80, 1), 4, "\x65\x88", 2, 2);
    nal(video(t, 0, 80, 1), 4, "\x65\x42", 2, 2);

    /* end of sequence, which can only follow */

    nal(video(t, 1, 0, 0), 4, "\x0a", 1, 1);

    /* the next; and an SEI for a picture that does not come */

    nal(video(t, 40, 0, 0), 4, "\x41\x88", 2, 2);
    nal(video(t, 41, 0, 0), 4, "\x06\x05", 2, 2);

    run(t);
    assert_int_equal(t->skipped, 1);
    assert_int_equal(count(t, VIDEO), 4);

    memcpy(buf, aud, 6);
    memcpy(buf + 6, "\0\0\0\1\x67\x01\0\0\0\1\x68\x02\0\0\1\x06\x05", 17);
    memcpy(buf + 23, "\0\0\1\x65\x88", 5);
    payload(t, pes(t, VIDEO, 0), buf, 28);
    assert_int_equal(pes(t, VIDEO, 0)->pts, 900000 + 7200);
    assert_int_equal(pes(t, VIDEO, 0)->random, 1);

    payload(t, pes(t, VIDEO, 1), "\0\0\1\x65\x42", 5);
    assert_true(pes(t, VIDEO, 1)->pts == TS_NO_STAMP);

    payload(t, pes(t, VIDEO, 2), "\0\0\1\x0a", 4);

    memcpy(buf + 6, "\0\0\1\x41\x88", 5);
    payload(t, pes(t, VIDEO, 3), buf, 11);
    reset(t);

    /* an SEI begins a picture whose first slice was lost */

    avc_config(t, 0, 4);
    frame(t, 0, 0, 1, 10);
    nal(video(t, 40, 0, 0), 4, "\x06\x05", 2, 2);
    nal(video(t, 40, 0, 0), 4, "\x41\x42", 2, 2);
    run(t);
    assert_int_equal(pes(t, VIDEO, 1)->pts, 900000 + 3600);
    memcpy(buf + 6, "\0\0\1\x06\x05\0\0\1\x41\x42", 10);
    payload(t, pes(t, VIDEO, 1), buf, 16);
    reset(t);

    /* a sequence header of audio that is not taken is nothing to video */

    avc_config(t, 0, 4);
    nal(video(t, 0, 0, 0), 4, "\x06\x05", 2, 2);
    (void) add(t, 0, 0, C, "\x90OpusOpusHead", 13);
    nal(video(t, 0, 0, 0), 4, "\x41\x88", 2, 2);
    run(t);
    assert_int_equal(t->skipped, 1);
    memcpy(buf + 6, annexb, 22);
    memcpy(buf + 28, "\0\0\1\x06\x05\0\0\1\x41\x88", 10);
    payload(t, pes(t, VIDEO, 0), buf, 38);
}


/* no key picture: an intra refresh can be entered all the same */

static void
test_no_key(void **state)
{
    u_char    buf[64];
    test_t   *t;

    t = *state;

    avc_config(t, 0, 4);
    nal(video(t, 0, 0, 0), 4, "\x41\x88", 2, 2);
    nal(video(t, 40, 0, 0), 4, "\x41\x88", 2, 2);

    /* what changes is for the next key picture, those before are of the old */

    avc_config(t, 80, 4);
    nal(video(t, 80, 0, 0), 4, "\x41\x88", 2, 2);
    nal(video(t, 120, 0, 1), 4, "\x65\x88", 2, 2);

    run(t);
    assert_int_equal(count(t, VIDEO), 4);

    memcpy(buf, aud, 6);
    memcpy(buf + 6, annexb, 22);
    memcpy(buf + 28, "\0\0\1\x41\x88", 5);
    payload(t, pes(t, VIDEO, 0), buf, 33);
    assert_int_equal(pes(t, VIDEO, 0)->random, 0);

    memcpy(buf + 28, "\0\0\1\x65\x88", 5);
    payload(t, pes(t, VIDEO, 3), buf, 33);

    memcpy(buf + 6, "\0\0\1\x41\x88", 5);
    payload(t, pes(t, VIDEO, 1), buf, 11);
    payload(t, pes(t, VIDEO, 2), buf, 11);
    reset(t);

    /* they are there already */

    avc_config(t, 0, 4);
    nal(video(t, 0, 0, 0), 4, "\x67\x01", 2, 2);
    nal(video(t, 0, 0, 0), 4, "\x68\x02", 2, 2);
    nal(video(t, 0, 0, 0), 4, "\x41\x88", 2, 2);
    nal(video(t, 40, 0, 0), 4, "\x41\x88", 2, 2);

    run(t);
    assert_int_equal(count(t, VIDEO), 2);
    memcpy(buf + 6, "\0\0\0\1\x67\x01\0\0\0\1\x68\x02\0\0\1\x41\x88",
           17);
    payload(t, pes(t, VIDEO, 0), buf, 23);
    memcpy(buf + 6, "\0\0\1\x41\x88", 5);
    payload(t, pes(t, VIDEO, 1), buf, 11);
}


static void
test_held_bound(void **state)
{
    test_t    *t;
    unsigned   i;

    t = *state;
    avc_config(t, 0, 4);

    for (i = 0; i < 20; i++) {
        nal(video(t, (int32_t) i, 0, 0), 4, "\x06\x05", 2, 10000);
    }

    frame(t, 40, 0, 0, 10);
    run(t);

    assert_int_equal(t->skipped, 14);
    assert_int_equal(pes(t, VIDEO, 0)->len,
                     6 + sizeof(annexb) + 6 * 10003 + 13);
    assert_true(t->ts->held.size <= LR_TS_HELD_MAX);
}


static void
test_broken(void **state)
{
    test_t    *t;
    lr_buf_t  *b;

    t = *state;

    /* before any configuration */

    frame(t, 0, 0, 1, 100);
    aac(t, 0, 100);
    run(t);
    assert_int_equal(t->len, 0);
    assert_int_equal(t->skipped, 2);
    reset(t);

    /* no rows at all, and configurations only */

    run(t);
    assert_int_equal(t->len, 0);
    reset(t);

    avc_config(t, 0, 4);
    aac_config(t, 0);
    run(t);
    assert_int_equal(t->len, 0);
    assert_int_equal(t->skipped, 0);
    reset(t);

    /* the last samples do not parse: the counters are made full */

    avc_config(t, 0, 4);
    aac_config(t, 0);
    frame(t, 0, 0, 1, 3000);
    aac(t, 0, 100);
    aac(t, 300, 9000);
    lr_buf_append(video(t, 40, 0, 0), "\0\0\1\0\x41", 5);
    (void) add(t, 41, 0, V, NULL, 0);
    run(t);
    assert_int_equal(t->skipped, 2);
    assert_int_equal(count(t, VIDEO), 1);
    assert_int_equal(count(t, AUDIO), 1);
    reset(t);

    /* what comes before the damage is kept */

    avc_config(t, 0, 4);
    b = video(t, 0, 0, 1);
    nal(b, 4, "\x65\x88", 2, 50);
    lr_buf_append(b, "\0\0\1", 3);
    run(t);
    assert_int_equal(t->skipped, 1);
    assert_int_equal(pes(t, VIDEO, 0)->len, 6 + 22 + 53);
    reset(t);

    /* a bad configuration changes nothing; other codecs are left out */

    avc_config(t, 0, 4);
    (void) add(t, 0, 0, V | C, "\x17\0\0\0\0\1\1", 7);
    frame(t, 0, 0, 1, 100);
    (void) add(t, 10, 0, V, "\x22\1\1\1", 4);
    (void) add(t, 10, 0, K, "\xb2\1\1\1", 4);
    run(t);
    assert_int_equal(t->skipped, 3);
    assert_int_equal(count(t, VIDEO), 1);
    assert_int_equal(t->c->types[AUDIO], 0);
    reset(t);

    /* the configuration of the fragment before is not this one's */

    frame(t, 0, 0, 1, 100);
    aac(t, 0, 100);
    run(t);
    assert_int_equal(t->len, 0);
    assert_int_equal(t->skipped, 2);
}


static void
test_config_change(void **state)
{
    test_t    *t;
    ts_pes_t  *p;

    t = *state;
    avc_config(t, 0, 4);
    frame(t, 0, 0, 1, 10);
    avc_config(t, 40, 2);
    t->data[t->n - 1].data[5 + 8 + 3] = 0x28;
    nal(video(t, 40, 0, 1), 2, "\x65\x88", 2, 10);
    run(t);

    assert_int_equal(t->skipped, 0);
    p = pes(t, VIDEO, 0);
    assert_int_equal(t->c->es[p->off + 13], 0x1e);
    p = pes(t, VIDEO, 1);
    assert_int_equal(p->len, 6 + 22 + 13);
    assert_int_equal(t->c->es[p->off + 13], 0x28);
    reset(t);

    /* from AAC of 48 to 44.1 kHz to MP3 */

    aac_config(t, 0);
    aac(t, 0, 10);
    (void) add(t, 21, 0, C, "\xaf\0\x12\x10", 4);
    aac(t, 21, 10);
    (void) add(t, 43, 0, K, "\x2f\xff\xfb\x90\x44\1\2\3\4", 9);
    run(t);

    assert_int_equal(t->skipped, 0);
    assert_int_equal(t->c->pmts, 2);
    assert_int_equal(count(t, AUDIO), 3);
    p = pes(t, AUDIO, 0);
    assert_int_equal(t->c->es[p->off + 2], 0x4c);
    p = pes(t, AUDIO, 1);
    assert_int_equal(t->c->es[p->off + 2], 0x50);
    reset(t);

    /* sequence headers of frames that come in the next fragment */

    avc_config(t, 0, 4);
    frame(t, 0, 0, 1, 10);
    (void) add(t, 0, 0, K, "\x2f\xff\xfb\x90\x44\1\2\3\4", 9);
    hevc_config(t, 40);
    aac_config(t, 40);
    (void) add(t, 400, 0, K, "\x2f\xff\xfb\x90\x44\1\2\3\4", 9);
    run(t);

    assert_int_equal(t->skipped, 0);
    assert_int_equal(t->c->types[VIDEO], LR_TS_TYPE_AVC);
    assert_int_equal(t->c->types[AUDIO], LR_TS_TYPE_MPEG1);
    assert_int_equal(t->c->pmts, 1);
    assert_int_equal(t->ts->shown, LR_CODEC_AVC);
    assert_int_equal(t->ts->heard.codec, LR_CODEC_MP3);
    reset(t);

    /* and where some do come */

    avc_config(t, 0, 4);
    frame(t, 0, 0, 1, 10);
    hevc_config(t, 40);
    nal(add(t, 40, 0, V | K, "\x93hvc1", 5), 4, "\x26\1\xaf", 3, 3);
    run(t);

    assert_int_equal(t->skipped, 0);
    assert_int_equal(t->c->types[VIDEO], LR_TS_TYPE_HEVC);
    assert_int_equal(t->c->pmts, 2);
    assert_int_equal(t->ts->shown, LR_CODEC_AVC);
}


/* long parameter sets, short key pictures */

static void
test_long_sets(void **state)
{
    size_t     i, len;
    test_t    *t;
    lr_buf_t  *b;
    unsigned   n;

    static const size_t  sizes[] = { 502, 503, 4000, 65000 };

    t = *state;

    for (n = 0; n < 4; n++) {

        for (i = 0; i < 2; i++) {
            b = add(t, (int32_t) i * 4000, 0, V | C, "\x17\0\0\0\0", 5);
            lr_buf_append(b, "\1\x42\xc0\x1e\xff\xe1", 6);
            nal(b, 2, "\x67\x42\xc0\x1e", 4, sizes[n]);
            lr_buf_append(b, "\1\0\2\x68\xce", 5);

            /* the last one is longer, half of it in a message before */

            for (len = 0; len < 98; len++) {
                frame(t, (int32_t) (i * 4000 + len * 40), 0, 1, 10);
            }

            nal(video(t, (int32_t) i * 4000 + 3920, 0, 1), 4, "\x06\x05", 2,
                sizes[n] / 16);
            frame(t, (int32_t) i * 4000 + 3920, 0, 1, sizes[n] / 16);
        }

        run(t);
        assert_int_equal(t->skipped, 0);
        assert_int_equal(count(t, VIDEO), 198);

        /* Annex B, with start codes and both sets */

        len = 4 + sizes[n] + 4 + 2;

        for (i = 0; i < 198; i++) {
            assert_int_equal(pes(t, VIDEO, i)->len,
                             6 + (i % 99 == 98 ? 2 * (sizes[n] / 16 + 3)
                                               : 10 + 3)
                             + (n < 1 || i % 99 == 0 || i % 99 == 98
                                ? len : 0));
        }

        /* of what was published */

        for (i = 0, len = 0; i < t->n; i++) {
            len += t->data[i].len + LR_FLV_TAG_HEADER + LR_FLV_TAG_TRAILER;
        }

        assert_true(t->len < 20 * len);
        reset(t);
    }
}


static void
test_hevc(void **state)
{
    static const u_char  hvcc[] = {
        1, 1, 0x60, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 60, 0xf0, 0, 0xfc, 0xfd,
        0xf8, 0xf8, 0, 0, 0x0f, 3,
        0xa0, 0, 1, 0, 3, 0x40, 1, 1, 0xa1, 0, 1, 0, 3, 0x42, 1, 2,
        0xa2, 0, 1, 0, 3, 0x44, 1, 3
    };
    u_char      buf[64];
    test_t     *t;
    lr_buf_t   *b;

    t = *state;

    b = add(t, 0, 0, V | C, "\x90hvc1", 5);
    lr_buf_append(b, hvcc, sizeof(hvcc));

    b = add(t, 0, 80, V | K, "\x91hvc1\0\0\x50", 8);
    nal(b, 4, "\x46\1\x10", 3, 3);
    nal(b, 4, "\x26\1\xaf", 3, 3);

    /* the second slice segment, a suffix SEI, the next picture */

    nal(add(t, 0, 80, V | K, "\x91hvc1\0\0\x50", 8), 4, "\x26\1\x2f", 3, 3);
    nal(add(t, 1, 0, V, "\xa3hvc1", 5), 4, "\x50\1\5", 3, 3);
    nal(add(t, 40, 0, V, "\x2c\1\0\0\0", 5), 4, "\2\1\xd0", 3, 3);
    run(t);

    assert_int_equal(t->skipped, 0);
    assert_int_equal(t->c->types[VIDEO], 0x24);
    assert_int_equal(count(t, VIDEO), 4);

    memcpy(buf, "\0\0\0\1\x46\1\x50\0\0\0\1\x40\1\1\0\0\0\1\x42\1\2", 21);
    memcpy(buf + 21, "\0\0\0\1\x44\1\3\0\0\1\x26\1\xaf", 13);
    payload(t, pes(t, VIDEO, 0), buf, 34);
    assert_int_equal(pes(t, VIDEO, 0)->pts, 900000 + 7200);
    assert_int_equal(pes(t, VIDEO, 0)->random, 1);

    payload(t, pes(t, VIDEO, 1), "\0\0\1\x26\1\x2f", 6);
    payload(t, pes(t, VIDEO, 2), "\0\0\1\x50\1\5", 6);
    payload(t, pes(t, VIDEO, 3), "\0\0\0\1\x46\1\x50\0\0\1\2\1\xd0", 13);
}


static void
test_reuse(void **state)
{
    size_t   i, size;
    test_t  *t;

    t = *state;
    fill(t);
    run_once(t, 1);
    run_once(t, 0);
    size = t->ts->mux.out.size;

    for (i = 0; i < 20; i++) {
        free(t->out);
        run_once(t, 1);
        run_once(t, 0);
        assert_int_equal(t->ts->mux.out.size, size);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        lr_test(test_whole),
        lr_test(test_access_unit),
        lr_test(test_length_sizes),
        lr_test(test_messages),
        lr_test(test_no_key),
        lr_test(test_held_bound),
        lr_test(test_broken),
        lr_test(test_config_change),
        lr_test(test_long_sets),
        lr_test(test_hevc),
        lr_test(test_reuse)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
