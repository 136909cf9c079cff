
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../../media/lr_mp4_media.c"


#define V     LR_SAMPLE_VIDEO
#define K     LR_SAMPLE_KEY
#define C     LR_SAMPLE_CONFIG
#define NEXT  LR_SAMPLE_NEXT
#define PREV  LR_SAMPLE_PREV
#define ALL   (LR_TRACK_VIDEO|LR_TRACK_AUDIO)


typedef struct {
    int64_t         dts;
    unsigned        flags;
    size_t          size;
} row_t;


/* '|' before each row that begins a pair */

static void
check_pairs(const row_t *rows, size_t n, const char *expected)
{
    char           buf[64], *p;
    size_t         i;
    lr_mp4_pair_t  pair;

    memset(&pair, 0, sizeof(lr_mp4_pair_t));
    p = buf;

    for (i = 0; i < n; i++) {

        if (lr_mp4_pair(&pair, rows[i].flags, rows[i].dts, rows[i].size)) {
            *p++ = '|';
        }

        *p++ = rows[i].flags & NEXT ? 'n' : rows[i].flags & PREV ? 'p'
               : rows[i].flags & V ? 'v' : 'a';
    }

    *p = '\0';
    assert_string_equal(buf, expected);
}


#define CHECK(rows, expected)                                                \
    check_pairs(rows, sizeof(rows) / sizeof(rows[0]), expected)


static void
test_pairs(void **state)
{
    (void) state;

    static const row_t  plain[] = {
        { 500, V, 9 }, { 500, 0, 9 }, { 1499, V, 9 }, { 1499, 0, 9 },
        { 1500, V, 9 }, { 1501, 0, 9 }, { 2499, 0, 9 }, { 2500, V, 9 }
    };

    /* where there is video, audio does not end a pair for a while */

    static const row_t  silent[] = {
        { 0, V, 9 }, { 1500, 0, 9 }, { 1999, 0, 9 }, { 2000, 0, 9 },
        { 2500, 0, 9 }, { 3000, 0, 9 }, { 3001, V, 9 }, { 3999, 0, 9 },
        { 4000, V, 9 }
    };

    static const row_t  parts[] = {
        { 0, V, 9 }, { 999, V|NEXT, 9 }, { 1000, 0, 9 }, { 2500, 0, 9 },
        { 2500, V, 9 }, { 2500, V|PREV, 9 }, { 2600, V|NEXT, 9 },
        { 2700, V|PREV, 9 }, { 5000, V|NEXT, 9 }
    };

    /* a part of a picture that has gone waits for the next one */

    static const row_t  orphan[] = {
        { 0, V|PREV, 9 }, { 4000, 0, 9 }, { 4000, V|NEXT, 9 },
        { 4000, V, 9 }, { 4001, V, 9 }
    };

    static const row_t  full[] = {
        { 0, V, 9 }, { 0, 0, 65535 }, { 1, V, 70000 }, { 1, 0, 1 },
        { 1, V|PREV, 9 }, { 2, 0, 1 }, { 2, V, 9 }, { 3, 0, 131072 },
        { 3, 0, 1 }, { 4, 0, 200000 }, { 4, 0, 1 }
    };

    /* of audio alone, and with the parts of a picture that never came */

    static const row_t  audio[] = {
        { 0, 0, 65536 }, { 1, 0, 1 }, { 1000, 0, 1 }, { 1001, 0, 1 },
        { 1001, V|NEXT, 1 }, { 3000, 0, 131071 }, { 3001, 0, 1 }
    };

    /* time goes back */

    static const row_t  back[] = {
        { 5000, V, 9 }, { 0, V, 9 }, { 5999, V, 9 }, { 6000, V, 9 }
    };

    CHECK(plain, "vava|vaa|v");
    CHECK(silent, "vaa|aa|ava|v");
    CHECK(parts, "vnaavp|npn");
    CHECK(orphan, "panv|v");
    CHECK(full, "vavapa|va|a|a|a");
    CHECK(audio, "a|aa|ana|a");
    CHECK(back, "vvv|v");
}


static void
test_payload(void **state)
{
    (void) state;

    assert_int_equal(lr_mp4_payload(ALL, V|0x80, 9), 4);
    assert_int_equal(lr_mp4_payload(ALL, V|0xc0, 9), 1);
    assert_int_equal(lr_mp4_payload(ALL, 0x40, 9), 7);
    assert_int_equal(lr_mp4_payload(ALL, 0, 9), 8);
    assert_int_equal(lr_mp4_payload(ALL, V|0x80, 5), 0);
    assert_int_equal(lr_mp4_payload(ALL, V|0x80, 0), 0);
    assert_int_equal(lr_mp4_payload(ALL, V|C|0x80, 9), 0);
    assert_int_equal(lr_mp4_payload(LR_TRACK_AUDIO, V|0x80, 9), 0);
    assert_int_equal(lr_mp4_payload(LR_TRACK_AUDIO, 0x40, 9), 7);
    assert_int_equal(lr_mp4_payload(LR_TRACK_VIDEO, 0x40, 9), 0);
}


static void
put(lr_mp4_media_t *m, int64_t dts, unsigned flags, const char *body)
{
    lr_sample_t  s;

    memset(&s, 0, sizeof(lr_sample_t));
    s.dts = dts;
    s.flags = flags;
    s.data = (const u_char *) body;
    s.size = strlen(body);

    assert_int_equal(lr_mp4_media_sample(m, &s), LR_OK);
}


static void
test_media(void **state)
{
    lr_buf_t        out;
    lr_row_t        rows[2];
    lr_mp4_media_t  m;

    (void) state;

    memset(&out, 0, sizeof(lr_buf_t));
    memset(&m, 0, sizeof(lr_mp4_media_t));

    /* a media that never began, and one that ends in the middle */

    lr_mp4_media_free(&m);
    lr_mp4_media_begin(&m, ALL, &out);
    put(&m, 0, 0x40, "..left");
    assert_int_equal(out.len, 0);

    lr_mp4_media_begin(&m, ALL, &out);
    put(&m, 0, 0x80|V|C, ".....config");
    put(&m, 0, 0x40, "..a0");
    put(&m, 0, 0x80|V, ".....V0");
    put(&m, 20, 0x40, "..a1");
    put(&m, 40, 0xc0|V, "........V1");
    put(&m, 50, 0x40, "..");
    assert_int_equal(out.len, 4);

    put(&m, 1000, 0x80|V, ".....V2");
    put(&m, 1000, 0, ".a2");
    assert_int_equal(out.len, 10);
    assert_int_equal(lr_mp4_media_end(&m), LR_OK);
    assert_int_equal(out.len, 12);
    assert_memory_equal(out.data, "V0V1a0a1V2a2", 12);

    /* a pair does not go on in another fragment */

    out.len = 0;
    lr_mp4_media_begin(&m, LR_TRACK_AUDIO, &out);
    put(&m, 1010, 0x80|V, ".....V3");
    put(&m, 1020, 0x40, "..a3");
    assert_int_equal(lr_mp4_media_end(&m), LR_OK);
    assert_int_equal(lr_mp4_media_end(&m), LR_OK);
    assert_memory_equal(out.data, "a3", 2);
    assert_int_equal(out.len, 2);

    lr_mp4_media_free(&m);
    lr_buf_free(&out);

    /* more than 32 bits */

    memset(rows, 0, sizeof(rows));
    rows[0].size = UINT32_MAX;
    rows[0].flags = 0x40;
    rows[1].size = UINT32_MAX;
    rows[1].flags = 0x80|V;

    assert_true(lr_mp4_media_size(rows, 2, ALL)
                == 2 * (uint64_t) UINT32_MAX - 7);
    assert_true(lr_mp4_media_size(rows, 2, LR_TRACK_AUDIO)
                == (uint64_t) UINT32_MAX - 2);
    assert_int_equal(lr_mp4_media_size(rows, 0, ALL), 0);
}


static void
test_no_memory(void **state)
{
    lr_buf_t        out;
    lr_sample_t     s;
    lr_mp4_media_t  m;

    (void) state;

    memset(&out, 0, sizeof(lr_buf_t));
    memset(&m, 0, sizeof(lr_mp4_media_t));
    memset(&s, 0, sizeof(lr_sample_t));
    s.data = (const u_char *) ".....x";
    s.size = 6;

    out.failed = 1;
    lr_mp4_media_begin(&m, ALL, &out);
    s.flags = 0x80|V;
    assert_int_equal(lr_mp4_media_sample(&m, &s), LR_ERROR);

    out.failed = 0;
    lr_mp4_media_begin(&m, ALL, &out);
    m.audio.failed = 1;
    s.flags = 0x40;
    assert_int_equal(lr_mp4_media_sample(&m, &s), LR_ERROR);
    assert_int_equal(lr_mp4_media_end(&m), LR_ERROR);

    /* it is as good as new then */

    lr_mp4_media_begin(&m, ALL, &out);
    assert_int_equal(lr_mp4_media_sample(&m, &s), LR_OK);
    assert_int_equal(lr_mp4_media_end(&m), LR_OK);
    assert_int_equal(out.len, 4);

    lr_mp4_media_free(&m);
    lr_buf_free(&out);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_payload),
        cmocka_unit_test(test_media),
        cmocka_unit_test(test_no_memory)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
