
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../../media/lr_flv.c"


typedef struct {
    unsigned        type;
    size_t          size;
    u_char          data[12];
    unsigned        codec, kind, key, header;
    int32_t         cts;
} case_t;


#define AUDIO  LR_FLV_AUDIO
#define VIDEO  LR_FLV_VIDEO

#define AVC    LR_CODEC_AVC
#define HEVC   LR_CODEC_HEVC
#define AAC    LR_CODEC_AAC
#define MP3    LR_CODEC_MP3
#define OTHER  LR_CODEC_OTHER
#define NONE   LR_CODEC_NONE

#define FRAME  LR_FLV_FRAME
#define CONFIG LR_FLV_CONFIG
#define END    LR_FLV_END
#define EXTRA  LR_FLV_EXTRA
#define IGNORE LR_FLV_IGNORE


static void
test_parse(void **state)
{
    static const case_t  t[] = {
        { VIDEO, 0, { 0 }, NONE, IGNORE, 0, 0, 0 },
        { AUDIO, 0, { 0 }, NONE, IGNORE, 0, 0, 0 },

        { VIDEO, 9, { 0x17, 1, 0, 0, 80 }, AVC, FRAME, 1, 5, 80 },
        { VIDEO, 9, { 0x27, 1, 0xff, 0xff, 0xfe }, AVC, FRAME, 0, 5, -2 },
        { VIDEO, 9, { 0x27, 1, 0x80, 0, 0 }, AVC, FRAME, 0, 5, -8388608 },
        { VIDEO, 9, { 0x27, 1, 0x7f, 0xff, 0xff }, AVC, FRAME, 0, 5,
          8388607 },
        { VIDEO, 9, { 0x17, 0, 0, 0, 0, 1 }, AVC, CONFIG, 0, 5, 0 },
        { VIDEO, 5, { 0x17, 0, 0, 0, 0 }, AVC, IGNORE, 0, 5, 0 },
        { VIDEO, 5, { 0x17, 1, 0, 0, 0 }, AVC, IGNORE, 1, 5, 0 },
        { VIDEO, 5, { 0x17, 2, 0, 0, 0 }, AVC, END, 0, 5, 0 },
        { VIDEO, 4, { 0x17, 2, 0, 0 }, AVC, IGNORE, 1, 5, 0 },
        { VIDEO, 9, { 0x17, 3, 0, 0, 0 }, AVC, IGNORE, 1, 5, 0 },
        { VIDEO, 1, { 0x17 }, AVC, IGNORE, 1, 5, 0 },
        { VIDEO, 9, { 0x1c, 1, 0, 0, 1 }, HEVC, FRAME, 1, 5, 1 },
        { VIDEO, 9, { 0x1c, 0, 0, 0, 0 }, HEVC, CONFIG, 0, 5, 0 },

        /* a video info frame, of any codec; a generated keyframe */
        { VIDEO, 9, { 0x57, 0 }, AVC, IGNORE, 0, 5, 0 },
        { VIDEO, 9, { 0x5c, 1 }, HEVC, IGNORE, 0, 5, 0 },
        { VIDEO, 9, { 0x52, 0 }, OTHER, IGNORE, 0, 1, 0 },
        { VIDEO, 9, { 0x47, 1 }, AVC, FRAME, 1, 5, 0 },

        { VIDEO, 9, { 0x12, 1 }, OTHER, FRAME, 1, 1, 0 },
        { VIDEO, 9, { 0x24, 1 }, OTHER, FRAME, 0, 1, 0 },
        { VIDEO, 1, { 0x24 }, OTHER, IGNORE, 0, 1, 0 },

        /* Enhanced RTMP */
        { VIDEO, 10, { 0x90, 'h', 'v', 'c', '1', 1 }, HEVC, CONFIG, 0, 5, 0 },
        { VIDEO, 5, { 0x90, 'h', 'v', 'c', '1' }, HEVC, IGNORE, 0, 5, 0 },
        { VIDEO, 10, { 0x91, 'h', 'v', 'c', '1', 0, 0, 40 }, HEVC, FRAME, 1,
          8, 40 },
        { VIDEO, 10, { 0xa1, 'a', 'v', 'c', '1', 0xff, 0xff, 0xff }, AVC,
          FRAME, 0, 8, -1 },
        { VIDEO, 8, { 0xa1, 'a', 'v', 'c', '1', 0, 0, 1 }, AVC, IGNORE, 0, 5,
          0 },
        { VIDEO, 10, { 0xa3, 'h', 'v', 'c', '1', 9 }, HEVC, FRAME, 0, 5, 0 },
        { VIDEO, 10, { 0x93, 'h', 'v', 'c', '1', 9 }, HEVC, FRAME, 1, 5, 0 },
        { VIDEO, 5, { 0x93, 'h', 'v', 'c', '1' }, HEVC, IGNORE, 1, 5, 0 },
        { VIDEO, 5, { 0x92, 'h', 'v', 'c', '1' }, HEVC, END, 0, 5, 0 },
        { VIDEO, 9, { 0x94, 'h', 'v', 'c', '1' }, HEVC, IGNORE, 0, 5, 0 },
        { VIDEO, 9, { 0xd1, 'h', 'v', 'c', '1' }, HEVC, IGNORE, 0, 5, 0 },
        { VIDEO, 10, { 0x91, 'a', 'v', '0', '1' }, OTHER, FRAME, 1, 5, 0 },
        { VIDEO, 10, { 0x90, 'a', 'v', '0', '1' }, OTHER, CONFIG, 0, 5, 0 },
        { VIDEO, 4, { 0x91, 'a', 'v', '0' }, OTHER, IGNORE, 0, 0, 0 },

        { AUDIO, 4, { 0xaf, 0, 0x12, 0x10 }, AAC, CONFIG, 1, 2, 0 },
        { AUDIO, 4, { 0xaf, 1, 0x21, 0x10 }, AAC, FRAME, 1, 2, 0 },
        { AUDIO, 2, { 0xaf, 1 }, AAC, IGNORE, 1, 2, 0 },
        { AUDIO, 1, { 0xaf }, AAC, IGNORE, 1, 2, 0 },
        { AUDIO, 4, { 0x2f, 0xff }, MP3, FRAME, 1, 1, 0 },
        { AUDIO, 4, { 0xef, 0xff }, MP3, FRAME, 1, 1, 0 },
        { AUDIO, 1, { 0x2f }, MP3, IGNORE, 1, 1, 0 },
        { AUDIO, 4, { 0xb2, 1 }, OTHER, FRAME, 1, 1, 0 },
        { AUDIO, 1, { 0xb2 }, OTHER, IGNORE, 1, 1, 0 },

        /* Enhanced RTMP v2 */
        { AUDIO, 7, { 0x90, 'm', 'p', '4', 'a', 0x12, 0x10 }, AAC, CONFIG, 1,
          5, 0 },
        { AUDIO, 5, { 0x90, 'm', 'p', '4', 'a' }, AAC, IGNORE, 1, 5, 0 },
        { AUDIO, 6, { 0x91, 'm', 'p', '4', 'a', 0x21 }, AAC, FRAME, 1, 5, 0 },
        { AUDIO, 5, { 0x91, 'm', 'p', '4', 'a' }, AAC, IGNORE, 1, 5, 0 },
        { AUDIO, 5, { 0x92, 'm', 'p', '4', 'a' }, AAC, END, 1, 5, 0 },
        { AUDIO, 9, { 0x93, 'm', 'p', '4', 'a' }, AAC, IGNORE, 1, 5, 0 },
        { AUDIO, 11, { 0x94, 'm', 'p', '4', 'a', 1, 6, 0 }, AAC, IGNORE, 1,
          5, 0 },
        { AUDIO, 9, { 0x91, '.', 'm', 'p', '3', 0xff, 0xfb }, MP3, FRAME, 1,
          5, 0 },
        { AUDIO, 9, { 0x90, '.', 'm', 'p', '3', 0xff, 0xfb }, MP3, IGNORE, 1,
          5, 0 },
        { AUDIO, 9, { 0x90, 'O', 'p', 'u', 's', 'O' }, OTHER, CONFIG, 1, 5,
          0 },
        { AUDIO, 9, { 0x91, 'O', 'p', 'u', 's', 1 }, OTHER, FRAME, 1, 5, 0 },

        /* of one further track, and of many; with a nanosecond offset */
        { AUDIO, 9, { 0x95, 1, 'm', 'p', '4', 'a', 1, 0x21 }, OTHER, EXTRA,
          1, 5, 0 },
        { AUDIO, 9, { 0x95, 0x21, 'm', 'p', '4', 'a', 1, 0 }, OTHER, EXTRA,
          1, 5, 0 },
        { AUDIO, 12, { 0x97, 2, 0, 0, 1, 1, 'm', 'p', '4', 'a', 0x21 }, OTHER,
          EXTRA, 1, 5, 0 },
        { AUDIO, 4, { 0x91, 'm', 'p', '4' }, OTHER, IGNORE, 1, 1, 0 },
        { AUDIO, 1, { 0x91 }, OTHER, IGNORE, 1, 1, 0 },

        { VIDEO, 10, { 0x96, 1, 'h', 'v', 'c', '1', 1 }, OTHER, EXTRA, 0, 5,
          0 },
        { VIDEO, 12, { 0x97, 2, 0, 0, 1, 1, 'h', 'v', 'c', '1', 0 }, OTHER,
          EXTRA, 0, 5, 0 }
    };
    size_t         i, n;
    u_char        *p;
    lr_flv_body_t  b;

    (void) state;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {

        /* no more than LR_FLV_PEEK bytes may be looked at */

        n = t[i].size < LR_FLV_PEEK ? t[i].size : LR_FLV_PEEK;
        p = malloc(n + 1);
        assert_non_null(p);
        memcpy(p + 1, t[i].data, n);

        memset(&b, 0xee, sizeof(b));
        lr_flv_parse(t[i].type, p + 1, t[i].size, &b);

        if (b.codec != t[i].codec || b.kind != t[i].kind
            || b.key != t[i].key || b.header != t[i].header
            || b.cts != t[i].cts)
        {
            fail_msg("case %zu: codec %d, kind %d, key %d, header %d, cts %d",
                     i, b.codec, b.kind, b.key, b.header, b.cts);
        }

        free(p);
    }
}


static void
test_headers(void **state)
{
    u_char  buf[16];

    (void) state;

    assert_ptr_equal(lr_flv_file_header(buf, 1, 1),
                     buf + LR_FLV_FILE_HEADER);
    assert_memory_equal(buf, "FLV\1\5\0\0\0\x09\0\0\0\0", 13);

    (void) lr_flv_file_header(buf, 0, 1);
    assert_int_equal(buf[4], 1);

    (void) lr_flv_file_header(buf, 1, 0);
    assert_int_equal(buf[4], 4);

    assert_ptr_equal(lr_flv_tag_header(buf, 9, 0x123456, 0x789abcde),
                     buf + LR_FLV_TAG_HEADER);
    assert_memory_equal(buf, "\x09\x12\x34\x56\x9a\xbc\xde\x78\0\0\0", 11);

    (void) lr_flv_tag_header(buf, 8, 1, -1);
    assert_memory_equal(buf, "\x08\0\0\1\xff\xff\xff\xff\0\0\0", 11);
}


static void
test_names(void **state)
{
    static const struct {
        unsigned     type;
        u_char       data[9];
        const char  *name;
    } t[] = {
        { VIDEO, { 0x17, 1 }, "H.264" },
        { VIDEO, { 0x1c, 1 }, "HEVC" },
        { VIDEO, { 0x91, 'h', 'v', 'c', '1' }, "HEVC" },
        { VIDEO, { 0x91, 'a', 'v', '0', '1' }, "av01" },
        { VIDEO, { 0x91, 'a', '\n', 0, 0xff }, "a???" },
        { VIDEO, { 0x1d, 1 }, "AV1" },
        { VIDEO, { 0x12, 1 }, "Sorenson H.263" },
        { VIDEO, { 0x1f, 1 }, "unknown 15" },
        { AUDIO, { 0xaf, 1 }, "AAC" },
        { AUDIO, { 0x2f, 1 }, "MP3" },
        { AUDIO, { 0xef, 1 }, "MP3" },
        { AUDIO, { 0xb2, 1 }, "Speex" },
        { AUDIO, { 0x0f, 1 }, "linear PCM" },
        { AUDIO, { 0x91, 'm', 'p', '4', 'a' }, "AAC" },
        { AUDIO, { 0x91, '.', 'm', 'p', '3' }, "MP3" },
        { AUDIO, { 0x91, 'O', 'p', 'u', 's' }, "Opus" },
        { AUDIO, { 0xff, 1 }, "device-specific sound" }
    };
    char           buf[32];
    size_t         i;
    lr_flv_body_t  b;

    (void) state;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        lr_flv_parse(t[i].type, t[i].data, sizeof(t[i].data), &b);
        assert_string_equal(lr_codec_name(&b, t[i].type, buf), t[i].name);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_names)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
