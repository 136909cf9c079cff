
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <sys/vfs.h>


/* what file system there is */

static long  fs_type;


static int
test_lr_statfs(const char *path, struct statfs *fs)
{
    int  rc;

    rc = statfs(path, fs);
    fs->f_type = fs_type;

    return rc;
}


#define statfs(path, fs)  test_lr_statfs(path, fs)
#include "../../../spool/lr_fragment.c"
#undef statfs
#include "spool_check.h"


static void
scan_is(const char *dir, const lr_buf_t *rows, uint32_t n, uint64_t good)
{
    int        fd;
    char       path[CHECK_PATH];
    uint32_t   got;
    uint64_t   pos;
    lr_row_t  *table;

    fd = open(check_path(path, dir, "000001.flv"), O_RDONLY);
    assert_true(fd != -1);
    assert_int_equal(lr_fragment_scan(fd, &table, &got, &pos), LR_OK);
    close(fd);

    assert_int_equal(got, n);
    assert_int_equal(pos, good);

    if (n) {
        assert_memory_equal(table, rows->data, n * sizeof(lr_row_t));
    }

    free(table);
}


/* how many tags lie whole in the first n bytes, and where they end */

static uint32_t
whole_tags(const lr_buf_t *rows, size_t n, uint64_t *end)
{
    uint32_t   i;
    uint64_t   pos;
    lr_row_t  *row;

    *end = LR_FLV_FILE_HEADER;

    for (i = 0; i < rows->len / sizeof(lr_row_t); i++) {
        row = (lr_row_t *) rows->data + i;
        pos = (uint64_t) row->offset + row->size + LR_FLV_TAG_TRAILER;

        if (pos > n) {
            break;
        }

        *end = pos;
    }

    return i;
}


static void
cut_anywhere(void **state)
{
    int        rc;
    size_t     n;
    uint32_t   whole, got;
    uint64_t   end, bytes;
    lr_buf_t   flv, rows, left;
    lr_row_t  *table;

    memset(&flv, 0, sizeof(flv));
    memset(&rows, 0, sizeof(rows));
    memset(&left, 0, sizeof(left));
    check_fragment(&flv, &rows, 12, 90);

    for (n = 0; n <= flv.len; n++) {
        check_write(*state, "000001.flv", flv.data, n);
        whole = whole_tags(&rows, n, &end);

        if (n >= LR_FLV_FILE_HEADER) {
            scan_is(*state, &rows, whole, end);
        }

        rc = lr_fragment_repair(*state, 1, &table, &got, &bytes);

        if (whole == 0) {
            assert_int_equal(rc, LR_DECLINED);
            assert_null(table);
            assert_int_equal(check_entries(*state), 0);
            continue;
        }

        assert_int_equal(rc, LR_OK);
        assert_int_equal(got, whole);
        assert_int_equal(bytes, end);
        assert_memory_equal(table, rows.data, whole * sizeof(lr_row_t));
        free(table);

        assert_int_equal(check_read(*state, "000001.flv", &left), LR_OK);
        assert_int_equal(left.len, end);
        assert_memory_equal(left.data, flv.data, end);

        /* the table on disk is the same, and a second repair changes it not */

        assert_int_equal(lr_fragment_read_rows(*state, 1, &table, &got),
                         LR_OK);
        assert_int_equal(got, whole);
        assert_memory_equal(table, rows.data, whole * sizeof(lr_row_t));
        free(table);

        assert_int_equal(lr_fragment_repair(*state, 1, &table, &got, &bytes),
                         LR_OK);
        assert_int_equal(got, whole);
        assert_int_equal(bytes, end);
        free(table);
        assert_int_equal(check_entries(*state), 2);

        /* the tables go with the last of the neighbours */

        lr_fragment_remove(*state, 1);
        assert_int_equal(check_entries(*state), 1);
        lr_fragment_remove_tables(*state, 1, LR_FRAGMENT_TABLES + 1);
        assert_int_equal(check_entries(*state), 0);
    }

    /* garbage, zeros and another file's tags behind a whole tag */

    for (n = 0; n < 3; n++) {
        static const char  junk[3][20] = {
            "\x08\xff\xff\xff", "\0\0\0\0\0", "\x12\0\0\x01\0\0\0\0\0\0\0\1"
        };

        check_write(*state, "000001.flv", flv.data, flv.len);
        lr_buf_append(&flv, junk[n], 20);
        check_write(*state, "000001.flv", flv.data, flv.len);
        flv.len -= 20;

        assert_int_equal(lr_fragment_repair(*state, 1, &table, &got, &bytes),
                         LR_OK);
        assert_int_equal(bytes, flv.len);
        assert_int_equal(got, rows.len / sizeof(lr_row_t));
        free(table);
    }

    /* any byte of a tag's length or of what follows it is wrong */

    for (n = 0; n < 7; n++) {
        size_t  at;

        at = ((lr_row_t *) rows.data)[9].offset;
        at = n < 3 ? at - LR_FLV_TAG_HEADER + 1 + n
                   : at + ((lr_row_t *) rows.data)[9].size + n - 3;

        flv.data[at] ^= 1;
        check_write(*state, "000001.flv", flv.data, flv.len);
        flv.data[at] ^= 1;

        assert_int_equal(lr_fragment_repair(*state, 1, &table, &got, &bytes),
                         LR_OK);
        assert_int_equal(got, 9);
        assert_memory_equal(table, rows.data, 9 * sizeof(lr_row_t));
        free(table);
    }

    assert_int_equal(lr_fragment_repair(*state, 2, &table, &got, &bytes),
                     LR_DECLINED);
    assert_null(table);

    lr_buf_free(&flv);
    lr_buf_free(&rows);
    lr_buf_free(&left);
}


static void
rows_are(const char *dir, const lr_buf_t *rows)
{
    uint32_t   n;
    lr_row_t  *table;

    assert_int_equal(lr_fragment_read_rows(dir, 1, &table, &n), LR_OK);
    assert_int_equal(n, rows->len / sizeof(lr_row_t));
    assert_memory_equal(table, rows->data, rows->len);
    free(table);
}


/* whatever is wrong with the table, the file is the truth */

static void
bad_tables(void **state)
{
    char                 path[CHECK_PATH];
    size_t               i, n;
    uint32_t             v;
    lr_buf_t             flv, rows, idx, other, bad;
    lr_row_t            *table;
    lr_fragment_head_t   head;
    static const size_t  at[] = {
        offsetof(lr_row_t, offset), offsetof(lr_row_t, size)
    };
    static const uint32_t  hostile[] = {
        0, 1, 12, 13, 23, 25, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff
    };

    memset(&flv, 0, sizeof(flv));
    memset(&rows, 0, sizeof(rows));
    memset(&idx, 0, sizeof(idx));
    memset(&other, 0, sizeof(other));
    memset(&bad, 0, sizeof(bad));

    check_fragment(&other, &rows, 5, 300);
    assert_int_equal(lr_fragment_write_rows(*state, 1,
                                            (lr_row_t *) rows.data,
                                            rows.len / sizeof(lr_row_t)),
                     LR_OK);
    assert_int_equal(check_read(*state, "000001.idx", &other), LR_OK);
    unlink(check_path(path, *state, "000001.idx"));

    check_fragment(&flv, &rows, 12, 90);
    n = rows.len / sizeof(lr_row_t);
    check_write(*state, "000001.flv", flv.data, flv.len);

    rows_are(*state, &rows);                  /* missing */

    assert_int_equal(lr_fragment_write_rows(*state, 1,
                                            (lr_row_t *) rows.data, n),
                     LR_OK);
    assert_int_equal(check_entries(*state), 2);
    rows_are(*state, &rows);
    assert_int_equal(check_read(*state, "000001.idx", &idx), LR_OK);
    assert_int_equal(idx.len, sizeof(head) + rows.len);

    for (i = 0; i < idx.len; i++) {           /* truncated */
        check_write(*state, "000001.idx", idx.data, i);
        rows_are(*state, &rows);
    }

    lr_buf_append(&bad, idx.data, idx.len);   /* too long */
    lr_buf_append(&bad, idx.data, sizeof(lr_row_t));
    check_write(*state, "000001.idx", bad.data, bad.len);
    rows_are(*state, &rows);

    check_write(*state, "000001.idx", other.data, other.len);
    rows_are(*state, &rows);

    for (i = 0; i < sizeof(head) * 8; i++) {  /* another head */
        bad.len = 0;
        lr_buf_append(&bad, idx.data, idx.len);
        bad.data[i / 8] ^= (u_char) (1 << i % 8);
        check_write(*state, "000001.idx", bad.data, bad.len);
        rows_are(*state, &rows);
    }

    for (i = 0; i < n * 2 * sizeof(hostile) / sizeof(hostile[0]); i++) {
        v = hostile[i / 2 / n];
        bad.len = 0;
        lr_buf_append(&bad, idx.data, idx.len);
        memcpy(bad.data + sizeof(head) + i / 2 % n * sizeof(lr_row_t)
               + at[i % 2], &v, 4);
        check_write(*state, "000001.idx", bad.data, bad.len);
        rows_are(*state, &rows);
    }

    /* fewer rows than the file has tags: those at the end were not lost */

    memcpy(&head, idx.data, sizeof(head));
    head.nrows--;
    bad.len = 0;
    lr_buf_append(&bad, &head, sizeof(head));
    lr_buf_append(&bad, rows.data, rows.len - sizeof(lr_row_t));
    check_write(*state, "000001.idx", bad.data, bad.len);
    rows_are(*state, &rows);

    /* a table alone, and a file with nothing in it */

    unlink(check_path(path, *state, "000001.flv"));
    check_write(*state, "000001.idx", idx.data, idx.len);
    assert_int_equal(lr_fragment_read_rows(*state, 1, &table, &v), LR_ERROR);
    assert_int_equal(errno, ENOENT);
    assert_null(table);

    for (i = 0; i < 24; i++) {
        check_write(*state, "000001.flv", flv.data, i);
        assert_int_equal(lr_fragment_read_rows(*state, 1, &table, &v),
                         LR_ERROR);
        assert_int_equal(errno, ENODATA);
        assert_null(table);
    }

    lr_buf_free(&flv);
    lr_buf_free(&rows);
    lr_buf_free(&idx);
    lr_buf_free(&other);
    lr_buf_free(&bad);
}


/* a table of another version is not taken, but walked over */

static void
versions(void **state)
{
    char                 path[CHECK_PATH];
    uint32_t             n;
    uint64_t             bytes;
    lr_buf_t             flv, rows, idx;
    lr_row_t            *table;
    lr_fragment_head_t  *head;

    memset(&flv, 0, sizeof(flv));
    memset(&rows, 0, sizeof(rows));
    memset(&idx, 0, sizeof(idx));

    check_fragment(&flv, &rows, 12, 90);
    n = (uint32_t) (rows.len / sizeof(lr_row_t));
    bytes = flv.len;

    assert_int_equal(lr_fragment_write_rows(*state, 1,
                                            (lr_row_t *) rows.data, n),
                     LR_OK);
    assert_int_equal(lr_fragment_saved_rows(*state, 1, bytes, &table, &n),
                     LR_OK);
    assert_memory_equal(table, rows.data, rows.len);
    free(table);

    assert_int_equal(check_read(*state, "000001.idx", &idx), LR_OK);
    head = (lr_fragment_head_t *) idx.data;
    assert_int_equal(head->version, 2);

    head->version = 1;
    ((lr_row_t *) (head + 1))->flags ^= 1;
    check_write(*state, "000001.idx", idx.data, idx.len);
    assert_int_equal(lr_fragment_saved_rows(*state, 1, bytes, &table, &n),
                     LR_ERROR);
    assert_null(table);

    check_write(*state, "000001.flv", flv.data, flv.len);
    rows_are(*state, &rows);
    assert_int_equal(lr_fragment_repair(*state, 1, &table, &n, &bytes),
                     LR_OK);
    free(table);

    /* behind it, of the same fragment and of its neighbour */

    assert_int_equal(lr_fragment_write_rows(*state, 2,
                                            (lr_row_t *) rows.data, n),
                     LR_OK);
    unlink(check_path(path, *state, "000001.flv"));

    for (n = 1; n <= 2; n++) {
        uint32_t  got;

        assert_int_equal(lr_fragment_saved_rows(*state, n, bytes, &table,
                                                &got),
                         LR_OK);
        assert_int_equal(got, rows.len / sizeof(lr_row_t));
        assert_memory_equal(table, rows.data, rows.len);
        free(table);
    }

    lr_buf_free(&flv);
    lr_buf_free(&rows);
    lr_buf_free(&idx);
}


/* what a row says of the message, which a scan finds out again */

static void
flags(void **state)
{
    static const struct {
        unsigned     type;
        size_t       n;
        const char  *body;
        unsigned     flags;
    } t[] = {

        /* before the sequence header, SEI is like any frame */

        { LR_FLV_VIDEO, 11, "\x27\1\0\0\0\0\0\0\2\6\1",
          LR_SAMPLE_VIDEO|0x80 },
        { LR_FLV_VIDEO, sizeof(CHECK_AVCC) - 1, CHECK_AVCC,
          LR_SAMPLE_VIDEO|LR_SAMPLE_CONFIG|0x80 },
        { LR_FLV_AUDIO, 4, CHECK_ASC, LR_SAMPLE_CONFIG|0x40 },
        { LR_FLV_VIDEO, 11, "\x17\1\0\0\0\0\0\0\2\6\1",
          LR_SAMPLE_VIDEO|LR_SAMPLE_KEY|LR_SAMPLE_NEXT|0x80 },
        { LR_FLV_VIDEO, 11, "\x17\1\0\0\0\0\0\0\2\x65\x88",
          LR_SAMPLE_VIDEO|LR_SAMPLE_KEY|0x80 },
        { LR_FLV_VIDEO, 11, "\x17\1\0\0\0\0\0\0\2\x65\x48",
          LR_SAMPLE_VIDEO|LR_SAMPLE_KEY|LR_SAMPLE_PREV|0x80 },
        { LR_FLV_AUDIO, 5, "\xaf\1\2\3\4", LR_SAMPLE_KEY|0x40 },
        { LR_FLV_AUDIO, 5, "\x2f\xff\xfb\x90\x44", LR_SAMPLE_KEY },
        { LR_FLV_VIDEO, 14, "\xa1" "avc1\0\0\1\0\0\0\2\x41\x4a",
          LR_SAMPLE_VIDEO|LR_SAMPLE_PREV|0xc0 },
        { LR_FLV_VIDEO, 10, "\xa3" "avc1\0\0\0\1\xa",
          LR_SAMPLE_VIDEO|LR_SAMPLE_PREV|0x80 },
        { LR_FLV_VIDEO, 6, "\x22\1\2\3\4\5", LR_SAMPLE_VIDEO },

        /* another one: no picture stands before it any more */

        { LR_FLV_VIDEO, sizeof(CHECK_AVCC) - 1, CHECK_AVCC,
          LR_SAMPLE_VIDEO|LR_SAMPLE_CONFIG|0x80 },
        { LR_FLV_VIDEO, 10, "\xa3" "avc1\0\0\0\1\xa",
          LR_SAMPLE_VIDEO|LR_SAMPLE_NEXT|0x80 },
        { LR_FLV_VIDEO, 11, "\x27\1\0\0\0\0\0\0\2\x65\x48",
          LR_SAMPLE_VIDEO|0x80 },

        /* a key frame of an open GOP */

        { LR_FLV_VIDEO, 11, "\x17\1\0\0\0\0\0\0\2\x61\x88",
          LR_SAMPLE_VIDEO|LR_SAMPLE_KEY|LR_SAMPLE_TIED|0x80 }
    };
    static const unsigned  header[] = {
        5, 5, 2, 5, 5, 5, 2, 1, 8, 5, 1, 5, 5, 5, 5
    };

    int        fd;
    char       path[CHECK_PATH];
    size_t     i;
    uint32_t   n;
    uint64_t   good;
    lr_buf_t   flv;
    lr_row_t  *rows;

    memset(&flv, 0, sizeof(flv));

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        check_tag(&flv, NULL, t[i].type, (int32_t) i, t[i].body, t[i].n);
    }

    check_write(*state, "000001.flv", flv.data, flv.len);
    fd = open(check_path(path, *state, "000001.flv"), O_RDONLY);
    assert_true(fd != -1);
    assert_int_equal(lr_fragment_scan(fd, &rows, &n, &good), LR_OK);
    close(fd);

    assert_int_equal(n, i);

    for (i = 0; i < n; i++) {
        assert_int_equal(rows[i].flags, t[i].flags);
        assert_int_equal(LR_SAMPLE_HEADER(rows[i].flags), header[i]);
    }

    free(rows);
    lr_buf_free(&flv);
}


/* samples of all sizes about those of the window */

static void
windows(void **state)
{
    static const size_t  sizes[] = {
        1, LR_FRAGMENT_WINDOW - 60, LR_FRAGMENT_WINDOW - 13, 7,
        LR_FRAGMENT_WINDOW, LR_FRAGMENT_WINDOW + 1, 3 * LR_FRAGMENT_WINDOW,
        0, 100, 65536, 65536, 65536, 65536, 65536, 1000000, 5
    };

    size_t                i, pass;
    lr_buf_t              flv, rows;
    lr_row_t             *row;
    lr_sample_t           s;
    lr_fragment_reader_t  r;

    memset(&flv, 0, sizeof(flv));
    memset(&rows, 0, sizeof(rows));
    memset(&r, 0, sizeof(r));

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        check_frame(&flv, &rows, i & 1, i == 1, (int32_t) i * 10 - 20,
                    sizes[i]);
    }

    check_tag(&flv, &rows, LR_FLV_AUDIO, 5000, "", 0);
    check_tag(&flv, &rows, LR_FLV_AUDIO, 5000, "", 0);

    check_write(*state, "000001.flv", flv.data, flv.len);

    for (pass = 0; pass < 4; pass++) {

        if (pass % 2 == 0) {
            assert_int_equal(lr_fragment_open(&r, *state, 1, -7), LR_OK);

        } else {
            lr_fragment_rewind(&r);
        }

        row = (lr_row_t *) rows.data;

        for (i = 0; i < rows.len / sizeof(lr_row_t); i++, row++) {
            assert_int_equal(lr_fragment_next(&r, &s), LR_OK);
            assert_int_equal(s.dts, row->dts - 7);
            assert_int_equal(s.cts, row->cts);
            assert_int_equal(s.flags, row->flags);
            assert_int_equal(s.size, row->size);
            assert_memory_equal(s.data, flv.data + row->offset, s.size);

            /* read out of order, as a hint does */

            if (i == 5 && pass == 1) {
                r.next = 0;
                assert_int_equal(lr_fragment_next(&r, &s), LR_OK);
                assert_memory_equal(s.data, flv.data + s.size - s.size
                                    + ((lr_row_t *) rows.data)->offset,
                                    s.size);
                r.next = 6;
            }
        }

        assert_int_equal(lr_fragment_next(&r, &s), LR_DECLINED);
        assert_int_equal(lr_fragment_next(&r, &s), LR_DECLINED);

        if (pass % 2) {
            lr_fragment_close(&r);
            lr_fragment_close(&r);
        }
    }

    /* one that is cut under the reader's hands */

    assert_int_equal(lr_fragment_open(&r, *state, 1, 0), LR_OK);
    assert_int_equal(lr_fragment_next(&r, &s), LR_OK);
    check_write(*state, "000001.flv", flv.data, 300000);

    while (lr_fragment_next(&r, &s) == LR_OK) { /* void */ }

    assert_int_equal(lr_fragment_next(&r, &s), LR_ERROR);
    assert_int_equal(errno, EIO);
    lr_fragment_close(&r);

    /* a lack of memory is over with the next open */

    r.buf.failed = 1;
    lr_fragment_close(&r);
    check_write(*state, "000001.flv", flv.data, flv.len);
    assert_int_equal(lr_fragment_open(&r, *state, 1, 0), LR_OK);
    assert_int_equal(lr_fragment_next(&r, &s), LR_OK);
    lr_fragment_close(&r);

    assert_int_equal(lr_fragment_open(&r, *state, 9, 0), LR_ERROR);
    assert_int_equal(errno, ENOENT);
    lr_fragment_close(&r);

    lr_buf_free(&r.buf);
    lr_buf_free(&flv);
    lr_buf_free(&rows);
}


static void
measures(void **state)
{
    lr_buf_t       flv, rows;
    lr_row_t       row;
    lr_fragment_t  f;

    (void) state;

    memset(&flv, 0, sizeof(flv));
    memset(&rows, 0, sizeof(rows));
    memset(&f, 0, sizeof(f));

    check_fragment(&flv, &rows, 50, 10);
    f.base = 1000;
    f.media = 1000;
    lr_fragment_measure(&f, (lr_row_t *) rows.data,
                        (uint32_t) (rows.len / sizeof(lr_row_t)));
    assert_int_equal(f.duration, 49 * 40 + 7 + 40);
    assert_int_equal(f.independent, 1);

    /* base lies before the first frame; the first picture is no key */

    f.base = 600;
    rows.len = 0;
    flv.len = 0;
    check_frame(&flv, &rows, 0, 1, 400, 3);
    check_frame(&flv, &rows, 1, 0, 400, 3);
    lr_fragment_measure(&f, (lr_row_t *) rows.data, 2);
    assert_int_equal(f.duration, 40);
    assert_int_equal(f.independent, 0);

    /* nothing but configuration */

    rows.len = 0;
    flv.len = 0;
    check_tag(&flv, &rows, LR_FLV_AUDIO, 0, CHECK_ASC, 4);
    lr_fragment_measure(&f, (lr_row_t *) rows.data, 1);
    assert_int_equal(f.duration, 0);
    assert_int_equal(f.independent, 1);

    /* a damaged timestamp is no reason to lose the rest */

    memset(&row, 0, sizeof(row));
    row.dts = INT32_MAX;
    f.base = 0;
    f.media = -1000;
    lr_fragment_measure(&f, &row, 1);
    assert_int_equal(f.duration, INT32_MAX);

    row.dts = INT32_MIN;
    lr_fragment_measure(&f, &row, 1);
    assert_int_equal(f.duration, 0);

    lr_buf_free(&flv);
    lr_buf_free(&rows);
}


/* which pictures are tied to those of the fragment before */

static void
independence(void **state)
{
    static const struct {
        unsigned    independent;
        unsigned    flags[6];
    } t[] = {
#define V     LR_SAMPLE_VIDEO
#define K     (V|LR_SAMPLE_KEY)
#define T     LR_SAMPLE_TIED
#define NEXT  LR_SAMPLE_NEXT
#define PREV  LR_SAMPLE_PREV
        { 1, { K, V, V, K, V, V } },
        { 0, { K|T, V, V, K, V, V } },
        { 0, { V, K, V, V, V, V } },
        { 0, { LR_SAMPLE_KEY, K|T, V, V, V, V } },

        /* what is needed is in the fragment itself */

        { 1, { K, V, K|T, V, K|T, V } },
        { 1, { K, K|T, V|T, V|T, V, V } },

        /* RASL pictures, maybe with RADL ones among them */

        { 0, { K, V|T, V|T, V, K, V } },
        { 0, { K, V, V|T, V, V, V } },
        { 1, { K, V, K, V|T, V|T, V } },

        /* the picture is in a message to come, and in more than one */

        { 1, { K|NEXT, K, K|PREV, V, V, K|T } },
        { 0, { K|NEXT, K|NEXT, K|T, V, V, V } },
        { 0, { K|NEXT, V, V, V, V, V } },
        { 0, { V|NEXT, K, V, V, V, V } },
        { 0, { K, K|PREV, K|PREV, V|T, V, K } },

        /* without video */

        { 1, { LR_SAMPLE_KEY, LR_SAMPLE_KEY, LR_SAMPLE_KEY, LR_SAMPLE_KEY,
               LR_SAMPLE_KEY, LR_SAMPLE_KEY } },
        { 1, { V|LR_SAMPLE_CONFIG, LR_SAMPLE_KEY, K, V, V, V } }
#undef V
#undef K
#undef T
#undef NEXT
#undef PREV
    };

    size_t         i, k;
    lr_row_t       rows[6];
    lr_fragment_t  f;

    (void) state;

    memset(&f, 0, sizeof(f));
    memset(rows, 0, sizeof(rows));

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {

        for (k = 0; k < 6; k++) {
            rows[k].dts = (int32_t) k * 40;
            rows[k].flags = t[i].flags[k];
        }

        lr_fragment_measure(&f, rows, 6);
        assert_int_equal(f.independent, t[i].independent);
    }
}


static void
failing_disk(void **state)
{
    int        fd, n;
    char       path[CHECK_PATH], dir[8192];
    lr_buf_t   flv, rows, left;
    uint32_t   got;
    uint64_t   bytes;
    lr_row_t  *table;

    memset(&flv, 0, sizeof(flv));
    memset(&rows, 0, sizeof(rows));
    memset(&left, 0, sizeof(left));
    check_fragment(&flv, &rows, 12, 90);

    for (n = 0; n < LR_FLV_FILE_HEADER; n++) {
        check_limit((rlim_t) n);
        assert_int_equal(lr_fragment_create(*state, 1), -1);
        assert_true(errno == EFBIG || errno == ENOSPC);
        assert_int_equal(check_entries(*state), 0);
    }

    check_limit(RLIM_INFINITY);

    check_write(*state, "000001.flv", flv.data, flv.len);

    for (n = 0; n < (int) (rows.len + sizeof(lr_fragment_head_t)); n += 5) {
        check_limit((rlim_t) n);
        assert_int_equal(lr_fragment_write_rows(*state, 1,
                             (lr_row_t *) rows.data,
                             rows.len / sizeof(lr_row_t)), LR_ERROR);
        assert_true(errno == EFBIG || errno == ENOSPC);
        assert_int_equal(check_entries(*state), 1);

        /* a file is whole without it, too */

        assert_int_equal(lr_fragment_repair(*state, 1, &table, &got, &bytes),
                         LR_OK);
        assert_int_equal(got, rows.len / sizeof(lr_row_t));
        assert_int_equal(bytes, flv.len);
        free(table);
    }

    check_limit(RLIM_INFINITY);

    assert_int_equal(check_read(*state, "000001.flv", &left), LR_OK);
    assert_int_equal(left.len, flv.len);
    assert_memory_equal(left.data, flv.data, flv.len);

    /* one that is there already is begun anew */

    fd = lr_fragment_create(*state, 1);
    assert_true(fd != -1);
    assert_int_equal(check_size(*state, "000001.flv"), LR_FLV_FILE_HEADER);
    close(fd);

    memset(dir, 'd', sizeof(dir));
    dir[sizeof(dir) - 1] = '\0';
    assert_int_equal(lr_fragment_create(dir, 1), -1);
    assert_int_equal(errno, ENAMETOOLONG);
    assert_int_equal(lr_fragment_path(path, 10, "d", 1, "flv"), LR_ERROR);
    assert_int_equal(lr_fragment_path(path, 13, "d", 1, "flv"), LR_OK);
    assert_string_equal(path, "d/000001.flv");
    assert_int_equal(lr_fragment_path(path, 99, "d", 4294967295u, "idx"),
                     LR_OK);
    assert_string_equal(path, "d/4294967295.idx");

    lr_buf_free(&flv);
    lr_buf_free(&rows);
    lr_buf_free(&left);
}


/* an unneeded file becomes the next one, with nothing of what was in it */

static void
spare_file(void **state)
{
    int          fd;
    char         path[4096];
    lr_buf_t     flv, rows, left;
    struct stat  before, after;

    memset(&flv, 0, sizeof(flv));
    memset(&rows, 0, sizeof(rows));
    memset(&left, 0, sizeof(left));
    check_fragment(&flv, &rows, 12, 90);

    /* it does not pay everywhere */

    fs_type = XFS_SUPER_MAGIC;
    check_write(*state, "000001.flv", flv.data, flv.len);
    lr_fragment_spare(*state, 1);
    assert_int_equal(check_entries(*state), 0);

    /* there is none: it is no error, and the file is removed all the same */

    fs_type = EXT4_SUPER_MAGIC;
    lr_fragment_spare(*state, 7);
    assert_int_equal(check_entries(*state), 0);

    check_write(*state, "000001.flv", flv.data, flv.len);
    check_write(*state, "000002.flv", flv.data, flv.len);

    assert_int_equal(lr_fragment_path(path, sizeof(path), *state, 2, "flv"),
                     LR_OK);
    assert_int_equal(stat(path, &before), 0);

    /* one is kept, which is the last */

    lr_fragment_spare(*state, 1);
    lr_fragment_spare(*state, 2);
    assert_int_equal(check_entries(*state), 1);
    assert_int_equal(check_size(*state, "spare.flv"), LR_FLV_FILE_HEADER);

    fd = lr_fragment_create(*state, 3);
    assert_int_not_equal(fd, -1);
    assert_int_equal(fstat(fd, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(after.st_size, LR_FLV_FILE_HEADER);
    assert_int_equal(after.st_mode & 0777, before.st_mode & 0777);
    close(fd);

    assert_int_equal(check_entries(*state), 1);
    assert_int_equal(check_read(*state, "000003.flv", &left), LR_OK);
    assert_int_equal(left.len, LR_FLV_FILE_HEADER);
    assert_memory_equal(left.data, flv.data, LR_FLV_FILE_HEADER);

    /* and the one after that is new */

    fd = lr_fragment_create(*state, 4);
    assert_int_not_equal(fd, -1);
    assert_int_equal(fstat(fd, &after), 0);
    assert_int_not_equal(before.st_ino, after.st_ino);
    close(fd);

    /* what is in one that was not emptied, or emptied too much, is gone */

    for (fd = 0; fd < 2; fd++) {
        check_write(*state, "spare.flv", flv.data + 1, fd ? flv.len - 1 : 5);
        close(lr_fragment_create(*state, 5));
        left.len = 0;
        assert_int_equal(check_read(*state, "000005.flv", &left), LR_OK);
        assert_int_equal(left.len, LR_FLV_FILE_HEADER);
        assert_memory_equal(left.data, flv.data, LR_FLV_FILE_HEADER);
    }

    assert_int_equal(check_entries(*state), 3);

    lr_buf_free(&flv);
    lr_buf_free(&rows);
    lr_buf_free(&left);
}


int
main(void)
{
#define t(f)  cmocka_unit_test_setup_teardown(f, check_setup, check_teardown)
    const struct CMUnitTest  tests[] = {
        t(cut_anywhere),
        t(spare_file),
        t(bad_tables),
        t(versions),
        t(flags),
        t(windows),
        t(measures),
        t(independence),
        t(failing_disk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
