
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../../media/lr_avc.c"


/* made by libx264 through ffmpeg */

static const u_char  avc_high[] = {
    0x01, 0x64, 0x00, 0x0d, 0xff, 0xe1, 0x00, 0x19, 0x67, 0x64, 0x00,
    0x0d, 0xac, 0xd9, 0x41, 0x41, 0xfb, 0x01, 0x10, 0x00, 0x00, 0x03,
    0x00, 0x10, 0x00, 0x00, 0x03, 0x03, 0x20, 0xf1, 0x42, 0x99, 0x60,
    0x01, 0x00, 0x06, 0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0, 0xfd, 0xf8,
    0xf8, 0x00
};

static const u_char  avc_base[] = {
    0x01, 0x42, 0xc0, 0x1e, 0xff, 0xe1, 0x00, 0x18, 0x67, 0x42, 0xc0,
    0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xea, 0x6c, 0x38, 0x40, 0x00, 0x00,
    0x03, 0x00, 0x40, 0x00, 0x00, 0x0c, 0x83, 0xc5, 0x8b, 0x92, 0x01,
    0x00, 0x05, 0x68, 0xcb, 0x83, 0xcb, 0x20
};

static const u_char  avc_inter[] = {
    0x01, 0x64, 0x00, 0x28, 0xff, 0xe1, 0x00, 0x1e, 0x67, 0x64, 0x00,
    0x28, 0xac, 0xd9, 0x40, 0x78, 0x04, 0x4f, 0xdf, 0xfe, 0x00, 0x80,
    0x00, 0x5a, 0x20, 0x00, 0x00, 0x03, 0x00, 0x20, 0x00, 0x00, 0x06,
    0x43, 0xe2, 0xc5, 0xb2, 0xc0, 0x01, 0x00, 0x06, 0x68, 0xfb, 0xa3,
    0xcb, 0x22, 0xc0, 0xfd, 0xf8, 0xf8, 0x00
};

static const u_char  avc_h422[] = {
    0x01, 0x7a, 0x00, 0x20, 0xff, 0xe1, 0x00, 0x1c, 0x67, 0x7a, 0x00,
    0x20, 0xbc, 0xd9, 0x40, 0x51, 0x05, 0xde, 0x22, 0x3f, 0x01, 0x10,
    0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x03, 0x20, 0xf1,
    0x83, 0x19, 0x60, 0x01, 0x00, 0x06, 0x68, 0xeb, 0xe3, 0xcb, 0x22,
    0xc0, 0xfe, 0xf8, 0xf8, 0x00
};

static const u_char  avc_h444[] = {
    0x01, 0xf4, 0x00, 0x0d, 0xff, 0xe1, 0x00, 0x19, 0x67, 0xf4, 0x00,
    0x0d, 0x91, 0x9b, 0x28, 0x28, 0x3f, 0x60, 0x22, 0x00, 0x00, 0x03,
    0x00, 0x02, 0x00, 0x00, 0x03, 0x00, 0x64, 0x1e, 0x28, 0x53, 0x2c,
    0x01, 0x00, 0x06, 0x68, 0xeb, 0xe3, 0xc4, 0x48, 0x44, 0xff, 0xf8,
    0xf8, 0x00
};

static const u_char  avc_gray[] = {
    0x01, 0x64, 0x00, 0x0d, 0xff, 0xe1, 0x00, 0x1a, 0x67, 0x64, 0x00,
    0x0d, 0xf3, 0x65, 0x05, 0x07, 0xfb, 0xbc, 0x05, 0xb2, 0x00, 0x00,
    0x03, 0x00, 0x02, 0x00, 0x00, 0x03, 0x00, 0x64, 0x1e, 0x28, 0x53,
    0x2c, 0x01, 0x00, 0x06, 0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0, 0xfc,
    0xf8, 0xf8, 0x00
};


typedef struct {
    u_char          data[256];
    size_t          bits;
} bits_t;


static void
put(bits_t *b, uint32_t v, unsigned n)
{
    while (n--) {
        if ((v >> n) & 1) {
            b->data[b->bits / 8] |= (u_char) (0x80 >> (b->bits % 8));
        }

        b->bits++;
    }
}


static void
ue(bits_t *b, uint32_t v)
{
    unsigned  n;

    for (n = 0; (v + 1) >> (n + 1); n++) { /* void */ }

    put(b, 0, n);
    put(b, v + 1, n + 1);
}


static void
se(bits_t *b, int32_t v)
{
    ue(b, v > 0 ? (uint32_t) v * 2 - 1 : (uint32_t) -v * 2);
}


static void
check(const u_char *p, size_t n, unsigned width, unsigned height,
    unsigned num, unsigned den)
{
    u_char      *copy;
    size_t       i;
    lr_video_t   v;

    /* on the heap, so that a byte too far is seen */

    copy = malloc(n);
    assert_non_null(copy);
    memcpy(copy, p, n);
    memset(&v, 0, sizeof(v));

    assert_int_equal(lr_avc_config(&v, copy, n), LR_OK);
    assert_null(v.why);
    assert_int_equal(v.codec, LR_CODEC_AVC);
    assert_int_equal(v.length_size, 4);
    assert_int_equal(v.profile, p[1]);
    assert_int_equal(v.compat, p[2]);
    assert_int_equal(v.level, p[3]);
    assert_int_equal(v.width, width);
    assert_int_equal(v.height, height);
    assert_int_equal(v.sar_num, num);
    assert_int_equal(v.sar_den, den);

    free(copy);

    /* cut anywhere: an error, or nothing is lost but the extension */

    for (i = 0; i < n; i++) {
        copy = malloc(i + 1);
        assert_non_null(copy);
        memcpy(copy, p, i);

        if (lr_avc_config(&v, copy, i) == LR_OK) {
            assert_true(i + 4 >= n);

        } else {
            assert_non_null(v.why);
            assert_int_equal(v.width, width);
        }

        free(copy);
    }

    lr_video_free(&v);
}


static void
test_real(void **state)
{
    (void) state;

    check(avc_high, sizeof(avc_high), 320, 240, 1, 1);
    check(avc_base, sizeof(avc_base), 638, 358, 4, 3);
    check(avc_inter, sizeof(avc_inter), 1920, 1080, 64, 45);
    check(avc_h422, sizeof(avc_h422), 1282, 722, 1, 1);
    check(avc_h444, sizeof(avc_h444), 320, 240, 1, 1);
    check(avc_gray, sizeof(avc_gray), 318, 238, 1, 1);
}


static void
test_params(void **state)
{
    lr_video_t  v;

    (void) state;

    memset(&v, 0, sizeof(v));
    assert_int_equal(lr_avc_config(&v, avc_high, sizeof(avc_high)), LR_OK);

    assert_int_equal(v.params.len, 4 + 25 + 4 + 6);
    assert_memory_equal(v.params.data, "\0\0\0\1\x67\x64", 6);
    assert_memory_equal(v.params.data + 4, avc_high + 8, 25);
    assert_memory_equal(v.params.data + 29, "\0\0\0\1\x68\xeb", 6);

    /* again: nothing of the one before is left */

    assert_int_equal(lr_avc_config(&v, avc_base, sizeof(avc_base)), LR_OK);
    assert_int_equal(v.params.len, 4 + 24 + 4 + 5);

    lr_video_free(&v);
    assert_null(v.params.data);
    lr_video_free(&v);
}


static void
test_length_sizes(void **state)
{
    u_char      p[sizeof(avc_high)];
    unsigned    i;
    lr_video_t  v;

    (void) state;

    memset(&v, 0, sizeof(v));
    memcpy(p, avc_high, sizeof(p));

    for (i = 1; i <= 4; i++) {
        p[4] = (u_char) (0xfc | (i - 1));
        assert_int_equal(lr_avc_config(&v, p, sizeof(p)), LR_OK);
        assert_int_equal(v.length_size, i);
    }

    p[0] = 2;
    assert_int_equal(lr_avc_config(&v, p, sizeof(p)), LR_ERROR);
    assert_string_equal(v.why, "unknown version of avcC");
    assert_int_equal(v.length_size, 4);

    lr_video_free(&v);
}


static void
test_no_sps(void **state)
{
    static const u_char  none[] = { 1, 0x64, 0, 13, 0xff, 0xe0, 0 };
    static const u_char  odd[] = { 1, 0x64, 0, 13, 0xff, 0xe1, 0, 2, 0x67, 0,
                                   0 };
    lr_video_t           v;

    (void) state;

    memset(&v, 0, sizeof(v));

    assert_int_equal(lr_avc_config(&v, none, sizeof(none)), LR_OK);
    assert_int_equal(v.width, 0);
    assert_string_equal(v.why, "no SPS in avcC");
    assert_int_equal(v.params.len, 0);

    assert_int_equal(lr_avc_config(&v, odd, sizeof(odd)), LR_OK);
    assert_int_equal(v.width, 0);
    assert_string_equal(v.why, "SPS is not understood");
    assert_int_equal(v.params.len, 6);

    lr_video_free(&v);
}


/*
 * An SPS of scaling lists, picture order count type 1, fields, cropping and
 * a table aspect ratio.
 */

static size_t
make_sps(u_char *p, unsigned chroma, unsigned planes, unsigned fields,
    unsigned aspect)
{
    size_t    i, n, zeros;
    bits_t    b;
    unsigned  k;

    memset(&b, 0, sizeof(b));

    put(&b, 244, 8);
    put(&b, 0, 8);
    put(&b, 40, 8);
    ue(&b, 0);
    ue(&b, chroma);

    if (chroma == 3) {
        put(&b, planes, 1);
    }

    ue(&b, 0);
    ue(&b, 0);
    put(&b, 0, 1);
    put(&b, 1, 1);

    for (i = 0; i < (chroma == 3 ? 12 : 8); i++) {
        put(&b, i % 3 != 1, 1);

        if (i % 3 == 0) {

            /* all coefficients of it */

            for (k = 0; k < (i < 6 ? 16 : 64); k++) {
                se(&b, k % 2 ? 1 : -1);
            }

        } else if (i % 3 == 2) {
            se(&b, 3);
            se(&b, -11);                      /* next scale is 0: the end */
        }
    }

    ue(&b, 0);
    ue(&b, 1);                                /* picture order count */
    put(&b, 0, 1);
    se(&b, -5);
    se(&b, 5);
    ue(&b, 2);
    se(&b, 1);
    se(&b, -1);

    ue(&b, 4);
    put(&b, 0, 1);
    ue(&b, 119);
    ue(&b, fields ? 33 : 67);
    put(&b, !fields, 1);

    if (fields) {
        put(&b, 1, 1);
    }

    put(&b, 1, 1);
    put(&b, 1, 1);
    ue(&b, 1);
    ue(&b, 2);
    ue(&b, 0);
    ue(&b, 2);
    put(&b, 1, 1);
    put(&b, 1, 1);
    put(&b, aspect, 8);

    if (aspect == 255) {
        put(&b, 0, 16);
        put(&b, 7, 16);
    }

    put(&b, 1, 8);

    n = 0;
    p[n++] = 0x67;
    zeros = 0;

    for (i = 0; i < (b.bits + 7) / 8; i++) {
        if (zeros >= 2 && b.data[i] <= 3) {
            p[n++] = 3;
            zeros = 0;
        }

        p[n++] = b.data[i];
        zeros = b.data[i] ? 0 : zeros + 1;
    }

    return n;
}


static void
test_sps(void **state)
{
    static const struct {
        unsigned    chroma, planes, fields, aspect, width, height, num, den;
    } t[] = {
        { 0, 0, 0, 1, 1917, 1086, 1, 1 },
        { 1, 0, 0, 2, 1914, 1084, 12, 11 },
        { 1, 0, 1, 14, 1914, 1080, 4, 3 },
        { 2, 0, 0, 16, 1914, 1086, 2, 1 },
        { 2, 0, 1, 17, 1914, 1084, 1, 1 },
        { 3, 0, 0, 13, 1917, 1086, 160, 99 },
        { 3, 1, 1, 255, 1917, 1084, 1, 1 }
    };
    u_char      sps[512], *copy;
    size_t      i, k, n;
    lr_video_t  v;

    (void) state;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        n = make_sps(sps, t[i].chroma, t[i].planes, t[i].fields,
                     t[i].aspect);

        memset(&v, 0, sizeof(v));
        assert_int_equal(lr_avc_sps(&v, sps, n), LR_OK);
        assert_int_equal(v.width, t[i].width);
        assert_int_equal(v.height, t[i].height);
        assert_int_equal(v.sar_num, t[i].num);
        assert_int_equal(v.sar_den, t[i].den);

        for (k = 0; k < n; k++) {
            copy = malloc(k + 1);
            assert_non_null(copy);
            memcpy(copy, sps, k);
            (void) lr_avc_sps(&v, copy, k);
            free(copy);
        }
    }
}


static void
test_sps_bad(void **state)
{
    u_char      buf[512];
    lr_video_t  v;

    (void) state;

    memset(&v, 0, sizeof(v));

    memset(buf, 0xff, sizeof(buf));
    buf[0] = 0x67;
    (void) lr_avc_sps(&v, buf, sizeof(buf));

    /* exp-golomb codes without an end */

    memset(buf, 0, sizeof(buf));
    buf[0] = 0x67;
    assert_int_equal(lr_avc_sps(&v, buf, sizeof(buf)), LR_ERROR);

    buf[0] = 0x68;
    assert_int_equal(lr_avc_sps(&v, buf, sizeof(buf)), LR_ERROR);
}


static void
test_bits(void **state)
{
    static const u_char  p[] = { 0xa6, 0x42, 0x98, 0xe2, 0x04, 0x8a };
    u_char               out[8];
    lr_bits_t            b;

    (void) state;

    /* 1 010 011 00100 00101 00110 00111 0001000 0001001 0001010 */

    lr_bits_init(&b, p, sizeof(p));
    assert_int_equal(lr_bits_ue(&b), 0);
    assert_int_equal(lr_bits_ue(&b), 1);
    assert_int_equal(lr_bits_ue(&b), 2);
    assert_int_equal(lr_bits_ue(&b), 3);
    assert_int_equal(lr_bits_se(&b), -2);
    assert_int_equal(lr_bits_se(&b), 3);
    assert_int_equal(lr_bits_se(&b), -3);
    assert_int_equal(lr_bits_se(&b), 4);
    assert_int_equal(lr_bits_se(&b), -4);
    assert_int_equal(lr_bits_ue(&b), 9);
    assert_int_equal(b.over, 0);
    assert_int_equal(lr_bits_get(&b, 8), 0);
    assert_int_equal(b.over, 1);
    assert_int_equal(lr_bits_left(&b), 0);

    assert_int_equal(lr_bits_unescape(out, 8, (u_char *) "\0\0\3\1\0\0\3", 7),
                     5);
    assert_memory_equal(out, "\0\0\1\0\0", 5);
    assert_int_equal(lr_bits_unescape(out, 2, (u_char *) "\1\2\3", 3), 2);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_bits),
        cmocka_unit_test(test_real),
        cmocka_unit_test(test_params),
        cmocka_unit_test(test_length_sizes),
        cmocka_unit_test(test_no_sps),
        cmocka_unit_test(test_sps),
        cmocka_unit_test(test_sps_bad)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
