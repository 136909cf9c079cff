
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../../media/lr_aac.c"


/* made by ffmpeg's encoder for 6.1: a program config element */

static const u_char  asc_61[] = {
    0x11, 0x80, 0x04, 0xc8, 0x48, 0x00, 0x20, 0x00, 0xc4, 0x40, 0x0d, 0x4c,
    0x61, 0x76, 0x63, 0x35, 0x39, 0x2e, 0x33, 0x37, 0x2e, 0x31, 0x30, 0x30,
    0x56, 0xe5, 0x00
};


typedef struct {
    size_t          n;
    u_char          asc[16];
    unsigned        aot, rate, index, out_rate, channels, config, samples;
    unsigned        sbr, ps;
    int             adts;
} case_t;


static void
test_config(void **state)
{
    static const case_t  t[] = {

        /* ffmpeg's, with and without the signalling that there is no SBR */
        { 5, { 0x12, 0x10, 0x56, 0xe5, 0x00 },
          2, 44100, 4, 44100, 2, 2, 1024, 0, 0, LR_OK },
        { 2, { 0x12, 0x10 },
          2, 44100, 4, 44100, 2, 2, 1024, 0, 0, LR_OK },
        { 2, { 0x11, 0x88 },
          2, 48000, 3, 48000, 1, 1, 1024, 0, 0, LR_OK },
        { 2, { 0x11, 0xb0 },
          2, 48000, 3, 48000, 6, 6, 1024, 0, 0, LR_OK },
        { 2, { 0x11, 0xb8 },
          2, 48000, 3, 48000, 8, 7, 1024, 0, 0, LR_OK },
        { 2, { 0x11, 0xd8 },
          2, 48000, 3, 48000, 7, 11, 1024, 0, 0, LR_OK },
        { 2, { 0x11, 0xe0 },
          2, 48000, 3, 48000, 8, 12, 1024, 0, 0, LR_OK },
        { 2, { 0x11, 0xf0 },
          2, 48000, 3, 48000, 8, 14, 1024, 0, 0, LR_DECLINED },
        { 2, { 0x11, 0xc8 },
          2, 48000, 3, 48000, 0, 9, 1024, 0, 0, LR_DECLINED },

        /* AAC Main */
        { 2, { 0x0a, 0x10 },
          1, 44100, 4, 44100, 2, 2, 1024, 0, 0, LR_OK },

        /* HE-AAC, explicit: 24 kHz core, heard at 48 kHz; then with PS */
        { 4, { 0x2b, 0x11, 0x88, 0x00 },
          2, 24000, 6, 48000, 2, 2, 1024, 1, 0, LR_OK },
        { 4, { 0xeb, 0x09, 0x88, 0x00 },
          2, 24000, 6, 48000, 1, 1, 1024, 1, 1, LR_OK },

        /* HE-AAC, backward compatible, and with PS */
        { 5, { 0x13, 0x10, 0x56, 0xe5, 0x98 },
          2, 24000, 6, 48000, 2, 2, 1024, 1, 0, LR_OK },
        { 7, { 0x13, 0x08, 0x56, 0xe5, 0x9d, 0x48, 0x80 },
          2, 24000, 6, 48000, 1, 1, 1024, 1, 1, LR_OK },

        /* 960 samples a frame */
        { 2, { 0x12, 0x14 },
          2, 44100, 4, 44100, 2, 2, 960, 0, 0, LR_DECLINED },

        /* the rate in words: 44100, 44056, 16777215, 1 */
        { 5, { 0x17, 0x80, 0x56, 0x22, 0x10 },
          2, 44100, 4, 44100, 2, 2, 1024, 0, 0, LR_OK },
        { 5, { 0x17, 0x80, 0x56, 0x0c, 0x10 },
          2, 44056, 4, 44056, 2, 2, 1024, 0, 0, LR_OK },
        { 5, { 0x17, 0xff, 0xff, 0xff, 0x90 },
          2, 16777215, 0, 16777215, 2, 2, 1024, 0, 0, LR_OK },
        { 5, { 0x17, 0x80, 0x00, 0x00, 0x90 },
          2, 1, 11, 1, 2, 2, 1024, 0, 0, LR_OK },

        /* escape: ER AAC ELD (39), USAC (42); ER AAC LD (23) */
        { 4, { 0xf8, 0xe6, 0x40, 0x00 },
          39, 48000, 3, 48000, 2, 2, 512, 0, 0, LR_DECLINED },
        { 4, { 0xf9, 0x46, 0x40, 0x00 },
          42, 48000, 3, 48000, 2, 2, 1024, 0, 0, LR_DECLINED },
        { 3, { 0xb9, 0x90, 0x00 },
          23, 48000, 3, 48000, 2, 2, 512, 0, 0, LR_DECLINED }
    };
    size_t      i, k;
    u_char     *copy;
    lr_audio_t  a;

    (void) state;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {

        for (k = 0; k <= t[i].n; k++) {
            copy = malloc(k + 1);
            assert_non_null(copy);
            memcpy(copy, t[i].asc, k);
            memset(&a, 0, sizeof(a));

            if (lr_aac_config(&a, copy, k) != LR_OK) {
                assert_non_null(a.why);
                assert_int_equal(a.codec, LR_CODEC_NONE);
                assert_true(k < t[i].n);
            }

            free(copy);
        }

        assert_int_equal(a.codec, LR_CODEC_AAC);
        assert_int_equal(a.aot, t[i].aot);
        assert_int_equal(a.rate, t[i].rate);
        assert_int_equal(a.rate_index, t[i].index);
        assert_int_equal(a.out_rate, t[i].out_rate);
        assert_int_equal(a.channels, t[i].channels);
        assert_int_equal(a.channel_config, t[i].config);
        assert_int_equal(a.samples, t[i].samples);
        assert_int_equal(a.sbr, t[i].sbr);
        assert_int_equal(a.ps, t[i].ps);
        assert_int_equal(lr_aac_adts_check(&a), t[i].adts);
    }
}


static void
test_bad(void **state)
{
    lr_audio_t  a;

    (void) state;

    memset(&a, 0, sizeof(a));
    assert_int_equal(lr_aac_config(&a, (u_char *) "\x12\x10", 2), LR_OK);

    /* rate index 13, rate 0, object type 0, nothing */

    assert_int_equal(lr_aac_config(&a, (u_char *) "\x16\x90", 2), LR_ERROR);
    assert_string_equal(a.why, "bad sampling rate in AudioSpecificConfig");
    assert_int_equal(lr_aac_config(&a, (u_char *) "\x17\x80\0\0\x10", 5),
                     LR_ERROR);
    assert_int_equal(lr_aac_config(&a, (u_char *) "\x02\x10", 2), LR_ERROR);
    assert_int_equal(lr_aac_config(&a, NULL, 0), LR_ERROR);
    assert_int_equal(a.rate, 44100);
}


static void
test_pce(void **state)
{
    u_char      dst[128], asc[sizeof(asc_61)];
    size_t      i, len;
    lr_audio_t  a;

    (void) state;

    memset(&a, 0, sizeof(a));
    assert_int_equal(lr_aac_config(&a, asc_61, sizeof(asc_61)), LR_OK);
    assert_int_equal(a.channels, 7);
    assert_int_equal(a.channel_config, 0);

    /*
     * ID_PCE; tag 0, LC, 48000; 2 front, 1 side, 2 back, no LFE; nothing
     * mixed down; SCE 0, CPE 0, CPE 1, SCE, SCE; no comment
     */

    assert_int_equal(a.pce_len, 9);
    assert_memory_equal(a.pce,
                        "\xa0\x99\x09\x00\x04\x00\x18\x88\x00", 9);

    len = lr_aac_adts_len(&a, (u_char *) "\x21", 100);
    assert_int_equal(len, 7 + 9);
    lr_aac_adts(&a, dst, len, 100);
    assert_memory_equal(dst, "\xff\xf1\x4c\x00\x0e\x9f\xfc", 7);
    assert_memory_equal(dst + 7, a.pce, 9);

    /* what follows the comment is found */

    assert_int_equal(a.sbr, 0);
    memcpy(asc, asc_61, sizeof(asc));
    asc[sizeof(asc) - 1] = 0x98;
    assert_int_equal(lr_aac_config(&a, asc, sizeof(asc)), LR_OK);
    assert_int_equal(a.sbr, 1);

    /* a block that brings its own */

    assert_int_equal(lr_aac_adts_len(&a, (u_char *) "\xa1", 100), 7);

    for (i = 0; i < 20; i++) {
        assert_int_equal(lr_aac_config(&a, asc_61, i > 10 ? 10 : i),
                         LR_ERROR);
    }
}


static void
test_pce_longest(void **state)
{
    u_char      asc[512];
    lr_audio_t  a;

    (void) state;

    memset(asc, 0xff, sizeof(asc));
    asc[0] = 0x11;
    asc[1] = 0x80;
    memset(&a, 0, sizeof(a));

    assert_int_equal(lr_aac_config(&a, asc, sizeof(asc)), LR_OK);
    assert_int_equal(a.channels, 45 * 2 + 3);
    assert_true(a.pce_len <= LR_PCE_MAX);
    assert_int_equal(a.pce_len, 50);
    assert_int_equal(lr_aac_config(&a, asc, 200), LR_ERROR);
}


static void
test_made_pce(void **state)
{
    lr_audio_t  a, b;
    u_char      asc[2 + LR_PCE_MAX + 1];
    size_t      i;

    (void) state;

    /* what stands for configuration 12 reads as 8 channels */

    memset(&a, 0, sizeof(a));
    assert_int_equal(lr_aac_config(&a, (u_char *) "\x11\xe0", 2), LR_OK);
    assert_int_equal(a.pce_len, 9);
    assert_int_equal(a.pce[0] >> 5, LR_AAC_ID_PCE);

    /* after 16 bits of configuration the element starts on a byte */

    memset(asc, 0, sizeof(asc));
    asc[0] = 0x11;
    asc[1] = 0x80;

    for (i = 0; i < a.pce_len - 1; i++) {
        asc[2 + i] = (u_char) (a.pce[i] << 3 | a.pce[i + 1] >> 5);
    }

    asc[2 + i] = 0;

    memset(&b, 0, sizeof(b));
    assert_int_equal(lr_aac_config(&b, asc, 2 + a.pce_len), LR_OK);
    assert_int_equal(b.channels, 8);

    assert_int_equal(lr_aac_config(&a, (u_char *) "\x11\xd8", 2), LR_OK);
    assert_true(a.pce_len > 0);
}


static void
test_adts(void **state)
{
    u_char      dst[7];
    lr_audio_t  a;

    (void) state;

    memset(&a, 0, sizeof(a));
    assert_int_equal(lr_aac_config(&a, (u_char *) "\x12\x10", 2), LR_OK);

    assert_int_equal(lr_aac_adts_len(&a, (u_char *) "", 8184), 7);
    assert_int_equal(lr_aac_adts_len(&a, (u_char *) "", 8185), 0);
    assert_int_equal(lr_aac_adts_len(&a, (u_char *) "", SIZE_MAX), 0);

    lr_aac_adts(&a, dst, 7, 8184);
    assert_memory_equal(dst, "\xff\xf1\x50\x83\xff\xff\xfc", 7);

    lr_aac_adts(&a, dst, 7, 1);
    assert_memory_equal(dst, "\xff\xf1\x50\x80\x01\x1f\xfc", 7);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_config),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_pce),
        cmocka_unit_test(test_pce_longest),
        cmocka_unit_test(test_made_pce),
        cmocka_unit_test(test_adts)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
