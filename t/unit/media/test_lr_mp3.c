
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../../media/lr_mp3.c"


static void
check(const char *p, unsigned version, unsigned layer, unsigned rate,
    unsigned channels, unsigned samples, size_t frame)
{
    lr_audio_t  a;

    memset(&a, 0, sizeof(a));

    assert_int_equal(lr_mp3_config(&a, (const u_char *) p, 4), LR_OK);
    assert_int_equal(a.codec, LR_CODEC_MP3);
    assert_int_equal(a.version, version);
    assert_int_equal(a.layer, layer);
    assert_int_equal(a.rate, rate);
    assert_int_equal(a.channels, channels);
    assert_int_equal(a.samples, samples);
    assert_int_equal(a.frame, frame);
}


static void
test_frames(void **state)
{
    (void) state;

    /* version 1, layer III: 128 kbit/s at 44100, then padded and mono */
    check("\xff\xfb\x90\x44", 1, 3, 44100, 2, 1152, 417);
    check("\xff\xfb\x92\xc4", 1, 3, 44100, 1, 1152, 418);
    check("\xff\xfb\xe4\x00", 1, 3, 48000, 2, 1152, 960);

    /* version 2: 64 kbit/s at 22050; version 2.5 at 8000 */
    check("\xff\xf3\x80\x00", 2, 3, 22050, 2, 576, 208);
    check("\xff\xe3\x88\xc0", 3, 3, 8000, 1, 576, 576);

    /* layers II and I */
    check("\xff\xfd\x84\x00", 1, 2, 48000, 2, 1152, 384);
    check("\xff\xff\x42\x00", 1, 1, 44100, 2, 384, 140);

    /* free format */
    check("\xff\xfb\x00\x44", 1, 3, 44100, 2, 1152, 0);
}


static void
test_bad(void **state)
{
    static const char  *bad[] = {
        "\xff\xeb\x90\x44", "\xff\xf9\x90\x44", "\xff\xfb\xf0\x44",
        "\xff\xfb\x9c\x44", "\xff\x1b\x90\x44", "\xfe\xfb\x90\x44"
    };
    size_t      i;
    lr_audio_t  a;

    (void) state;

    memset(&a, 0, sizeof(a));

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(lr_mp3_config(&a, (const u_char *) bad[i], 4),
                         LR_ERROR);
        assert_non_null(a.why);
        assert_int_equal(a.codec, LR_CODEC_NONE);
    }

    assert_int_equal(lr_mp3_config(&a, (u_char *) "\xff\xfb\x90", 3),
                     LR_ERROR);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_bad)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
