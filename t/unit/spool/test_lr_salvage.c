
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <unistd.h>


/*
 * The bytes [bad, good) of what is salvaged cannot be read; those before them
 * can be, if it is a disk of small sectors.
 */

static off_t  bad, good;
static int    small;


static ssize_t
test_lr_pread(int fd, void *p, size_t n, off_t offset)
{
    if (offset < good && offset + (off_t) n > bad) {

        if (small && offset < bad) {
            return pread(fd, p, (size_t) (bad - offset), offset);
        }

        errno = EIO;
        return -1;
    }

    return pread(fd, p, n, offset);
}


#define pread(fd, p, n, offset)  test_lr_pread(fd, p, n, offset)
#include "../../../spool/lr_salvage.c"
#undef pread
#include "spool_check.h"


/* a recording with one fragment in the spool; gives its directory */

static void
prepare(const char *spool, char *dir, lr_buf_t *flv, lr_buf_t *rows,
    int table)
{
    char  path[CHECK_PATH];

    check_path(path, spool, "live");
    (void) mkdir(path, 0700);
    check_path(path, spool, "live/cam_1");
    (void) mkdir(path, 0700);
    check_path(dir, spool, "live/cam_1/id");
    (void) mkdir(dir, 0700);

    memset(flv, 0, sizeof(lr_buf_t));
    memset(rows, 0, sizeof(lr_buf_t));

    check_fragment(flv, rows, 50, 2000);
    check_write(dir, "000001.flv", flv->data, flv->len);
    (void) unlink(check_path(path, dir, "000001.idx"));

    if (table) {
        assert_int_equal(lr_fragment_write_rows(dir, 1,
                                                (lr_row_t *) rows->data,
                                                rows->len / sizeof(lr_row_t)),
                         LR_OK);
    }
}


static void
all_can_be_read(void **state)
{
    char      dir[CHECK_PATH];
    lr_buf_t  flv, rows;
    uint64_t  lost;

    bad = good = 0;
    prepare(*state, dir, &flv, &rows, 1);

    assert_int_equal(lr_salvage(*state, dir, 1, "q.flv", &lost), LR_DECLINED);
    assert_int_equal(check_size(dir, "000001.flv"), flv.len);
    assert_int_equal(check_entries(dir), 2);

    assert_int_equal(lr_salvage(*state, dir, 2, "q.flv", &lost), LR_ERROR);
    assert_int_equal(errno, ENOENT);

    lr_buf_free(&flv);
    lr_buf_free(&rows);
}


/* what was read of the disk is the same, the framing is whole */

static void
is_salvaged(void **state)
{
    char                   dir[CHECK_PATH], path[CHECK_PATH];
    size_t                 i, n, same, other;
    uint64_t               lost, end;
    uint32_t               got;
    lr_buf_t               flv, rows, now;
    lr_row_t              *row, *found;
    lr_sample_t            s;
    lr_fragment_reader_t   r;

    prepare(*state, dir, &flv, &rows, 1);

    n = rows.len / sizeof(lr_row_t);
    row = (lr_row_t *) rows.data;

    /* from the middle of a message on, over others and their headers */

    bad = (off_t) (row[20].offset + row[20].size / 2);
    good = (off_t) (row[23].offset + row[23].size / 2);

    assert_int_equal(lr_salvage(*state, dir, 1, "q.flv", &lost), LR_OK);

    end = ((uint64_t) good + LR_SALVAGE_BLOCK - 1) / LR_SALVAGE_BLOCK
          * LR_SALVAGE_BLOCK;
    assert_int_equal(lost, (end < flv.len ? end : flv.len)
                           - (uint64_t) bad / LR_SALVAGE_BLOCK
                             * LR_SALVAGE_BLOCK);

    memset(&now, 0, sizeof(now));
    memset(&r, 0, sizeof(r));

    assert_int_equal(check_read(*state, "quarantine/q.flv", &now), LR_OK);
    assert_int_equal(now.len, flv.len);
    assert_memory_equal(now.data, flv.data, flv.len);
    assert_int_equal(check_size(dir, "000001.flv"), flv.len);
    assert_int_equal(check_entries(dir), 2);

    same = other = 0;
    assert_int_equal(lr_fragment_open(&r, dir, 1, 0), LR_OK);
    assert_int_equal(r.nrows, n);

    for (i = 0; i < n; i++) {
        assert_int_equal(lr_fragment_next(&r, &s), LR_OK);
        assert_int_equal(s.size, row[i].size);

        if (memcmp(s.data, flv.data + row[i].offset, s.size) == 0) {
            same++;

        } else {
            other++;
            assert_true(row[i].offset + row[i].size > (uint64_t) bad
                                                      / LR_SALVAGE_BLOCK
                                                      * LR_SALVAGE_BLOCK);
            assert_true(row[i].offset < end);
        }
    }

    lr_fragment_close(&r);
    lr_buf_free(&r.buf);
    assert_true(other >= 4 && same > n / 2);

    /* and walks as an FLV file that has all of its tags */

    r.fd = open(check_path(path, dir, "000001.flv"), O_RDONLY);
    assert_int_equal(lr_fragment_scan(r.fd, &found, &got, &end), LR_OK);
    assert_int_equal(got, n);
    assert_int_equal(end, flv.len);
    close(r.fd);
    free(found);

    lr_buf_free(&now);
    lr_buf_free(&flv);
    lr_buf_free(&rows);
}


static void
small_sectors(void **state)
{
    char      dir[CHECK_PATH];
    lr_buf_t  flv, rows, now;
    uint64_t  lost;

    prepare(*state, dir, &flv, &rows, 1);

    bad = LR_SALVAGE_BLOCK + 512;
    good = LR_SALVAGE_BLOCK + 1024;
    small = 1;

    assert_int_equal(lr_salvage(*state, dir, 1, "q.flv", &lost), LR_OK);
    assert_int_equal(lost, LR_SALVAGE_BLOCK - 512);
    small = 0;

    memset(&now, 0, sizeof(now));
    assert_int_equal(check_read(dir, "000001.flv", &now), LR_OK);
    assert_int_equal(now.len, flv.len);
    assert_memory_equal(now.data, flv.data, bad);
    assert_memory_not_equal(now.data + bad, flv.data + bad, 512);

    lr_buf_free(&now);
    lr_buf_free(&flv);
    lr_buf_free(&rows);
}


static void
without_a_table(void **state)
{
    char       dir[CHECK_PATH];
    uint64_t   lost;
    uint32_t   n;
    lr_buf_t   flv, rows;
    lr_row_t  *row, *found;

    prepare(*state, dir, &flv, &rows, 0);

    row = (lr_row_t *) rows.data;
    bad = (off_t) row[20].offset;
    good = bad + 1;

    assert_int_equal(lr_salvage(*state, dir, 1, "q.flv", &lost), LR_OK);
    assert_int_equal(lost, LR_SALVAGE_BLOCK);

    /* up to the hole */

    assert_int_equal(lr_fragment_read_rows(dir, 1, &found, &n), LR_OK);
    assert_in_range(n, 1, 20);
    assert_memory_equal(found, row, n * sizeof(lr_row_t));
    free(found);

    lr_buf_free(&flv);
    lr_buf_free(&rows);
}


/* nothing is moved away when there is no room for what takes its place */

static void
no_room(void **state)
{
    char      dir[CHECK_PATH];
    uint64_t  lost;
    lr_buf_t  flv, rows;

    prepare(*state, dir, &flv, &rows, 1);

    bad = 5000;
    good = 5001;

    check_limit(4096);
    assert_int_equal(lr_salvage(*state, dir, 1, "q.flv", &lost), LR_ERROR);
    assert_int_equal(errno, EFBIG);
    check_limit(RLIM_INFINITY);

    assert_int_equal(check_size(dir, "000001.flv"), flv.len);
    assert_int_equal(check_entries(dir), 2);

    lr_buf_free(&flv);
    lr_buf_free(&rows);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(all_can_be_read, check_setup,
                                        check_teardown),
        cmocka_unit_test_setup_teardown(is_salvaged, check_setup,
                                        check_teardown),
        cmocka_unit_test_setup_teardown(small_sectors, check_setup,
                                        check_teardown),
        cmocka_unit_test_setup_teardown(without_a_table, check_setup,
                                        check_teardown),
        cmocka_unit_test_setup_teardown(no_room, check_setup,
                                        check_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
