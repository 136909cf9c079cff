
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../../media/lr_codec.c"


static void
test_dispatch(void **state)
{
    static const u_char  avcc[] = { 1, 0x42, 0xc0, 0x1e, 0xff, 0xe0, 0 };
    static const u_char  hvcc[23] = { 1 };

    lr_video_t  v;
    lr_audio_t  a;

    (void) state;

    memset(&v, 0, sizeof(v));
    memset(&a, 0, sizeof(a));

    assert_int_equal(lr_video_config(&v, LR_CODEC_AVC, avcc, sizeof(avcc)),
                     LR_OK);
    assert_int_equal(v.codec, LR_CODEC_AVC);

    assert_int_equal(lr_video_config(&v, LR_CODEC_HEVC, hvcc, sizeof(hvcc)),
                     LR_OK);
    assert_int_equal(v.codec, LR_CODEC_HEVC);

    assert_int_equal(lr_video_config(&v, LR_CODEC_OTHER, avcc, sizeof(avcc)),
                     LR_ERROR);
    assert_string_equal(v.why, "unsupported video codec");
    assert_int_equal(v.codec, LR_CODEC_HEVC);

    assert_int_equal(lr_audio_config(&a, LR_CODEC_AAC, (u_char *) "\x12\x10",
                                     2),
                     LR_OK);
    assert_int_equal(a.codec, LR_CODEC_AAC);

    assert_int_equal(lr_audio_config(&a, LR_CODEC_MP3,
                                     (u_char *) "\xff\xfb\x90\x44", 4),
                     LR_OK);
    assert_int_equal(a.codec, LR_CODEC_MP3);

    assert_int_equal(lr_audio_config(&a, LR_CODEC_AVC, (u_char *) "", 0),
                     LR_ERROR);
    assert_string_equal(a.why, "unsupported audio codec");
    assert_int_equal(a.codec, LR_CODEC_MP3);

    lr_video_free(&v);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_dispatch)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
