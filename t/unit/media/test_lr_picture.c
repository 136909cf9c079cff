
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../../media/lr_picture.c"
#include "../core/random_check.h"
#include "picture_check.h"


#define AVC    LR_CODEC_AVC
#define HEVC   LR_CODEC_HEVC
#define NEXT   LR_SAMPLE_NEXT
#define PREV   LR_SAMPLE_PREV
#define TIED   LR_SAMPLE_TIED

#define MAX    64


static const u_char  avc[] = {
    0x17, 0, 0, 0, 0, 1, 0x42, 0xc0, 0x1e, 0xff, 0xe1, 0, 10,
    0x67, 0x42, 0xc0, 0x1e, 0xda, 0x02, 0x80, 0xf6, 0xc0, 0x44,
    1, 0, 4, 0x68, 0xce, 0x3c, 0x80
};

static const u_char  hevc[] = {
    0x90, 'h', 'v', 'c', '1', 1, 1, 0x60, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 0x3c,
    0xf0, 0, 0xfc, 0xfd, 0xf8, 0xf8, 0, 0, 0x0f, 0
};


typedef struct {
    lr_ts_t         *ts;
    lr_picture_t     picture;
    lr_row_t         rows[MAX];
    size_t           n;
    unsigned         codec;
    unsigned         size;            /* of lengths */
    lr_buf_t         body;
} test_t;


static uint64_t  seed = 1;


static unsigned
number(unsigned n)
{
    return random_to(&seed, n);
}


static int
setup(void **state)
{
    test_t  *t;

    t = calloc(1, sizeof(test_t));
    if (t == NULL) {
        return -1;
    }

    t->ts = lr_ts_create();
    *state = t;

    return t->ts ? 0 : -1;
}


static int
teardown(void **state)
{
    test_t  *t;

    t = *state;
    lr_ts_destroy(t->ts);
    lr_buf_free(&t->body);
    free(t);

    return 0;
}


/* in pieces of "step" bytes, 0: in random ones, some of them empty */

static unsigned
feed(lr_picture_t *p, const u_char *data, size_t n, size_t step)
{
    int            rc;
    size_t         i, len;
    u_char        *copy;
    lr_flv_body_t  b;

    lr_flv_parse(LR_FLV_VIDEO, data, n, &b);
    lr_picture_begin(p, &b, n);
    i = 0;

    do {
        len = step ? step : number(9);
        len = len < n - i ? len : n - i;

        /* not a byte beyond it */

        copy = malloc(len + 1);
        assert_non_null(copy);
        memcpy(copy + 1, data + i, len);
        rc = lr_picture_feed(p, copy + 1, len);
        free(copy);
        i += len;
    } while (rc == LR_AGAIN && i < n);

    assert_int_equal(rc, LR_OK);

    return lr_picture_end(p);
}


/* the body as a message: what all ways to feed it, and lr_ts.c, say of it */

static unsigned
message(test_t *t)
{
    size_t        i;
    unsigned      flags;
    lr_sample_t   s;
    lr_picture_t  p[4];

    for (i = 0; i < 4; i++) {
        p[i] = t->picture;
    }

    flags = feed(&t->picture, t->body.data, t->body.len, t->body.len);

    for (i = 0; i < 4; i++) {
        assert_int_equal(feed(&p[i], t->body.data, t->body.len, i), flags);
        assert_int_equal(p[i].open, t->picture.open);
        assert_int_equal(p[i].held, t->picture.held);
    }

    s.dts = t->rows[t->n].dts;
    s.cts = 0;
    s.flags = LR_SAMPLE_VIDEO;
    s.data = t->body.data;
    s.size = t->body.len;
    t->n++;

    assert_int_equal(picture_check_ts(t->ts, &s), flags & ~TIED);

    return flags;
}


static void
begin(test_t *t, unsigned codec, unsigned size)
{
    size_t       i, n, at;
    lr_sample_t  s;
    u_char       config[64];

    n = codec == AVC ? sizeof(avc) : sizeof(hevc);
    at = codec == AVC ? 9 : 26;

    memcpy(config, codec == AVC ? avc : hevc, n);
    config[at] = (u_char) ((config[at] & 0xfc) | (size - 1));

    for (i = 0; i < MAX; i++) {
        memset(&t->rows[i], 0, sizeof(lr_row_t));
        t->rows[i].dts = (int32_t) i * 40;
        t->rows[i].flags = LR_SAMPLE_VIDEO | (i ? 0 : LR_SAMPLE_CONFIG);
    }

    assert_int_equal(lr_ts_begin(t->ts, t->rows, MAX, 0, 0), LR_OK);

    s.dts = 0;
    s.cts = 0;
    s.flags = LR_SAMPLE_VIDEO | LR_SAMPLE_CONFIG;
    s.data = config;
    s.size = n;
    assert_int_equal(lr_ts_sample(t->ts, &s), LR_OK);

    memset(&t->picture, 0xff, sizeof(lr_picture_t));
    lr_picture_config(&t->picture, config, n);

    t->n = 1;
    t->codec = codec;
    t->size = size;
}


static void
start(test_t *t)
{
    t->body.len = 0;

    if (t->codec == AVC) {
        lr_buf_append(&t->body, "\x27\1\0\0\0", 5);

    } else if (number(2)) {
        lr_buf_append(&t->body, "\xa3hvc1", 5);

    } else {
        lr_buf_append(&t->body, "\xa1hvc1\0\0\0", 8);
    }
}


/* a NAL unit; "first" is the bit that tells the first slice */

static void
nal(test_t *t, unsigned type, unsigned first, size_t len)
{
    size_t  i;
    u_char  buf[4];

    (void) lr_put_be32(buf, (uint32_t) len);
    lr_buf_append(&t->body, buf + 4 - t->size, t->size);

    for (i = 0; i < len; i++) {
        buf[0] = (u_char) number(256);

        if (t->codec == AVC) {
            buf[0] = i == 0 ? (u_char) (0x60 | type)
                     : i == 1 ? (u_char) (first ? 0x88 : 0x4a) : buf[0];

        } else {
            buf[0] = i == 0 ? (u_char) (type << 1) : i == 1 ? 1
                     : i == 2 ? (u_char) (first ? 0xaf : 0x5a) : buf[0];
        }

        lr_buf_append(&t->body, buf, 1);
    }
}


static unsigned
one(test_t *t, unsigned type, unsigned first)
{
    start(t);
    nal(t, type, first, 20);

    return message(t);
}


static void
messages(void **state)
{
    unsigned  size;
    test_t   *t;

    t = *state;

    for (size = 1; size <= 4; size++) {
        begin(t, AVC, size);

        assert_int_equal(one(t, 5, 0), 0);       /* none before it */
        assert_int_equal(one(t, 5, 0), PREV);
        assert_int_equal(one(t, 1, 0), PREV);
        assert_int_equal(one(t, 1, 1), 0);
        assert_int_equal(one(t, 3, 1), PREV);    /* data partition B */
        assert_int_equal(one(t, 6, 0), NEXT);
        assert_int_equal(one(t, 7, 0), NEXT);
        assert_int_equal(one(t, 10, 0), NEXT);   /* the next has begun */
        assert_int_equal(one(t, 1, 0), 0);
        assert_int_equal(one(t, 10, 0), PREV);
        assert_int_equal(one(t, 9, 0), NEXT);
        assert_int_equal(one(t, 5, 1), 0);

        start(t);                             /* all in one */
        nal(t, 9, 0, 2);
        nal(t, 7, 0, 12);
        nal(t, 8, 0, 4);
        nal(t, 6, 0, 200);
        nal(t, 5, 1, 250);
        nal(t, 5, 0, 250);
        assert_int_equal(message(t), 0);

        start(t);
        nal(t, 6, 0, 30);
        nal(t, 1, 0, 30);
        assert_int_equal(message(t), PREV);

        start(t);
        nal(t, 0, 0, 0);
        nal(t, 0, 0, 0);
        assert_int_equal(message(t), NEXT);

        start(t);                             /* one that is cut short */
        nal(t, 6, 0, 30);
        nal(t, 1, 0, 30);
        t->body.len--;
        assert_int_equal(message(t), 0);

        start(t);
        nal(t, 6, 0, 30);
        nal(t, 1, 0, 30);
        t->body.len -= 30;
        assert_int_equal(message(t), 0);

        start(t);                             /* so short as to say nothing */
        nal(t, 1, 1, 1);
        assert_int_equal(message(t), PREV);

        begin(t, HEVC, size);

        assert_int_equal(one(t, 19, 0), 0);
        assert_int_equal(one(t, 19, 0), PREV);
        assert_int_equal(one(t, 40, 0), PREV);
        assert_int_equal(one(t, 39, 0), NEXT);
        assert_int_equal(one(t, 40, 0), NEXT);
        assert_int_equal(one(t, 1, 1), 0);
        assert_int_equal(one(t, 32, 0), NEXT);
        assert_int_equal(one(t, 35, 0), NEXT);
        assert_int_equal(one(t, 1, 0), 0);
        assert_int_equal(one(t, 36, 0), PREV);
        assert_int_equal(one(t, 38, 0), PREV);
    }
}


/* every type of NAL unit, in every state */

static void
types(void **state)
{
    unsigned  type, before, first;
    test_t   *t;

    t = *state;

    for (type = 0; type < 128; type++) {
        for (before = 0; before < 3; before++) {
            for (first = 0; first < 2; first++) {
                begin(t, type < 64 ? HEVC : AVC, 4);

                if (before) {
                    (void) one(t, 1, 1);
                }

                if (before == 2) {
                    (void) one(t, t->codec == AVC ? 6 : 39, 0);
                }

                (void) one(t, type & (t->codec == AVC ? 31 : 63), first);
                (void) one(t, 1, 0);
                (void) one(t, 1, 1);
            }
        }
    }
}


/* whether decoding can begin with a picture */

static void
entries(void **state)
{
    unsigned  type, key;
    test_t   *t;

    t = *state;

    for (type = 1; type <= 5; type++) {
        for (key = 0; key < 2; key++) {
            begin(t, AVC, 4);
            start(t);
            t->body.data[0] = key ? 0x17 : 0x27;
            nal(t, 9, 0, 2);
            nal(t, 6, 0, 30);
            nal(t, type, 1, 20);
            nal(t, 5, 0, 20);
            assert_int_equal(message(t), key && type != 5 ? TIED : 0);

            /* the first slice has told it */

            start(t);
            t->body.data[0] = key ? 0x17 : 0x27;
            nal(t, type, 0, 20);
            assert_int_equal(message(t), PREV);

            start(t);
            t->body.data[0] = key ? 0x17 : 0x27;
            nal(t, 6, 0, 20);
            assert_int_equal(message(t), NEXT);
        }
    }

    for (type = 0; type < 32; type++) {
        for (key = 0; key < 2; key++) {
            begin(t, HEVC, 4);
            start(t);
            t->body.data[0] ^= (u_char) (key ? 0x30 : 0);
            nal(t, 35, 0, 3);
            nal(t, type, 1, 20);
            assert_int_equal(message(t), type == 8 || type == 9
                                         || (key && (type < 16 || type > 23))
                                         ? TIED : 0);
        }
    }
}


static void
random_streams(void **state)
{
    static const unsigned  common[2][8] = {
        { 1, 1, 5, 6, 7, 8, 9, 10 }, { 1, 1, 19, 39, 33, 34, 35, 40 }
    };

    size_t    k;
    unsigned  round, i, n, type, seen[256];
    test_t   *t;

    t = *state;
    memset(seen, 0, sizeof(seen));

    for (round = 0; round < 3000; round++) {
        begin(t, round & 1 ? AVC : HEVC, 1 + number(4));

        while (t->n < MAX) {
            start(t);
            n = 1 + number(4);

            for (i = 0; i < n; i++) {
                type = number(8) ? common[t->codec == HEVC][number(8)]
                                 : number(64);
                nal(t, type & (t->codec == AVC ? 31 : 63), number(2),
                    number(6) ? 2 + number(40) : number(4));
            }

            if (number(10) == 0) {            /* a byte is wrong */
                k = 8 + number((unsigned) t->body.len);

                if (k < t->body.len) {
                    t->body.data[k] ^= (u_char) (1 << number(8));
                }
            }

            if (number(10) == 0) {
                k = number(4);
                t->body.len -= k + 9 < t->body.len ? k : 0;
            }

            seen[message(t)]++;
        }
    }

    assert_true(seen[0] > 1000 && seen[NEXT] > 1000 && seen[PREV] > 1000);
}


/* what cannot be walked is a picture */

static void
unknown(void **state)
{
    size_t        i, n;
    u_char        config[sizeof(hevc)];
    lr_picture_t  p;
    static const struct {
        size_t       n;
        const char  *data;
    } sei[] = {
        { 14, "\x27\1\0\0\0\0\0\0\5\6\1\1\1\1" },
        { 14, "\x2c\1\0\0\0\0\0\0\5\x4e\1\1\1\1" },
        { 14, "\xa3" "avc1\0\0\0\5\6\1\1\1\1" },
        { 14, "\xa3" "av01\0\0\0\5\6\1\1\1\1" },
        { 14, "\x22\1\0\0\0\0\0\0\5\6\1\1\1\1" },
        { 5, "\x27\1\0\0\0" },
        { 0, "" }
    };

    (void) state;

    memset(&p, 0, sizeof(p));

    for (i = 0; i < sizeof(sei) / sizeof(sei[0]); i++) {
        assert_int_equal(feed(&p, (u_char *) sei[i].data, sei[i].n, 1), 0);
        lr_picture_config(&p, avc, sizeof(avc));
        assert_int_equal(feed(&p, (u_char *) sei[i].data, sei[i].n, 1),
                         i == 0 || i == 2 ? NEXT : 0);
        lr_picture_config(&p, hevc, sizeof(hevc));
        assert_int_equal(feed(&p, (u_char *) sei[i].data, sei[i].n, 1),
                         i == 1 ? NEXT : 0);
        memset(&p, 0, sizeof(p));
    }

    /* a record that ends before the size of lengths says none */

    for (n = 0; n <= sizeof(avc); n++) {
        lr_picture_config(&p, avc, n);
        assert_int_equal(p.length_size, n > 9 ? 4 : 0);
        assert_int_equal(p.codec, n > 9 ? AVC : LR_CODEC_NONE);
    }

    for (n = 0; n <= sizeof(hevc); n++) {
        lr_picture_config(&p, hevc, n);
        assert_int_equal(p.length_size, n > 26 ? 4 : 0);
    }

    memcpy(config, hevc, sizeof(hevc));
    config[4] = '2';
    lr_picture_config(&p, config, sizeof(hevc));
    assert_int_equal(p.length_size, 0);

    lr_picture_config(&p, (u_char *) sei[0].data, sei[0].n);
    assert_int_equal(p.length_size, 0);
}


int
main(void)
{
#define t(f)  cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest  tests[] = {
        t(messages),
        t(types),
        t(entries),
        t(random_streams),
        t(unknown)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
