
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Uploads to a directory that were killed, whose files are gone, and on disks
 * that are full or fail.
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "dir_parts_fail.h"
#include "../../../spool/lr_dir_parts.c"
#undef fallocate
#undef copy_file_range
#include "dir_parts_make.h"


static void
room_at(const char *root, off_t at, size_t n)
{
    int   fd;
    char  path[CHECK_PATH];

    fd = open(work(path, root, "head"), O_RDWR);
    assert_int_equal(fallocate(fd, FALLOC_FL_INSERT_RANGE, at, (off_t) n),
                     0);
    close(fd);
}


static void
renamed(const char *root)
{
    char  path[CHECK_PATH], other[CHECK_PATH];

    media(root);
    assert_int_equal(rename(work(path, root, "part"),
                            work(other, root, "head")), 0);
}


static void
killed(void **state)
{
    int        fd;
    char       path[CHECK_PATH], other[CHECK_PATH];
    char      *root;
    off_t      at;
    unsigned   i;
    lr_buf_t   b;

    memset(&b, 0, sizeof(b));
    fill(&b, HEAD, 1);

    each_root(root) {

        /* before the room was made */

        renamed(root);
        assert_int_equal(part(root, 3, MEDIA, MEDIA), LR_OK);
        finish(root);

        /* while a second file was written, and when it was whole */

        renamed(root);
        check_write(root, work(path, "", "copy") + 1, b.data, 100);
        no_room = EOPNOTSUPP;
        finish(root);

        media(root);
        assert_int_equal(head(root), LR_OK);
        no_room = 0;
        finish(root);

        /* it grew, and that was all, or it could not be moved */

        renamed(root);
        assert_int_equal(truncate(work(path, root, "head"),
                                  2 * MEDIA + HEAD), 0);
        finish(root);

        media(root);
        no_room = ENOSPC;
        grows = 1;
        assert_int_equal(head(root), LR_ERROR);
        assert_int_equal(up.error, ENOSPC);
        assert_int_equal(check_size(root, work(path, "", "head") + 1),
                         2 * MEDIA + HEAD);
        assert_int_equal(part(root, 3, MEDIA, MEDIA), LR_OK);
        assert_int_equal(head(root), LR_ERROR);
        no_room = 0;
        grows = 0;
        finish(root);

        /* between the two names */

        media(root);
        assert_int_equal(head(root), LR_OK);
        assert_int_equal(linkat(AT_FDCWD, work(path, root, "head"), AT_FDCWD,
                                check_path(other, root, KEY), 0), 0);
        assert_int_equal(part(root, 2, 0, MEDIA), LR_OK);
        assert_int_equal(part(root, 3, MEDIA, MEDIA), LR_OK);
        file_is(root, KEY, 1, 2);
        assert_int_equal(head(root), LR_OK);
        file_is(root, KEY, 1, 2);
        assert_int_equal(complete(root, HEAD + 2 * MEDIA), LR_OK);
        object_is_whole(root);

        assert_int_equal(linkat(AT_FDCWD, other, AT_FDCWD, path, 0), 0);
        set(root, KEY, 0);
        assert_int_equal(lr_dir_complete(&up, HEAD + 2 * MEDIA), LR_OK);
        object_is_whole(root);

        assert_int_equal(linkat(AT_FDCWD, other, AT_FDCWD, path, 0), 0);
        assert_int_equal(begin(root, KEY, 1), LR_DECLINED);
        assert_int_equal(begin(root, KEY, 0), LR_OK);
        assert_int_equal(part(root, 2, 0, MEDIA), LR_OK);
        file_is(root, KEY, 1, 2);
        set(root, KEY, 0);
        assert_int_equal(lr_dir_abort(&up), LR_OK);
        object_is_whole(root);
        unlink(other);

        if (!makes_room(root)) {
            continue;
        }

        /* the room is made; some of the head is written */

        for (i = 0; i <= HEAD; i += HEAD / 4) {
            renamed(root);
            room_at(root, 0, HEAD);
            fd = open(work(path, root, "head"), O_WRONLY);
            assert_int_equal(pwrite(fd, b.data, i, 0), i);
            close(fd);
            assert_int_equal(part(root, 3, MEDIA, MEDIA), LR_OK);
            rooms = 0;
            finish(root);
            assert_int_equal(rooms, 0);
        }

        /* the power was lost while extents were moved */

        for (at = 4096; at < 2 * MEDIA; at += 147456) {
            renamed(root);
            room_at(root, at, HEAD);
            rooms = 0;
            finish(root);
            assert_int_equal(rooms, 1);
        }

        /* a file of less than a block behind a half-written head */

        assert_int_equal(begin(root, KEY, 0), LR_OK);
        assert_int_equal(part(root, 2, 0, 1000), LR_OK);
        assert_int_equal(rename(work(path, root, "part"),
                                work(other, root, "head")), 0);
        room_at(root, 0, HEAD);
        fd = open(other, O_WRONLY);
        assert_int_equal(pwrite(fd, b.data, HEAD / 2, 0), HEAD / 2);
        close(fd);
        assert_int_equal(part(root, 1, 1000, HEAD), LR_OK);
        assert_int_equal(complete(root, HEAD + 1000), LR_OK);
        b.len = 0;
        fill(&b, HEAD, 1);
        fill(&b, 1000, 2);
        {
            lr_buf_t  got;

            memset(&got, 0, sizeof(got));
            assert_int_equal(check_read(root, KEY, &got), LR_OK);
            assert_int_equal(got.len, b.len);
            assert_memory_equal(got.data, b.data, b.len);
            lr_buf_free(&got);
        }
        unlink(check_path(path, root, KEY));

        /* the end of the media was lost: it is not as if it was there */

        renamed(root);
        assert_int_equal(truncate(work(path, root, "head"), MEDIA), 0);
        assert_int_equal(truncate(path, 2 * MEDIA + HEAD), 0);
        assert_int_equal(head(root), LR_AGAIN);
    }

    lr_buf_free(&b);
}


static void
gone(void **state)
{
    char   path[CHECK_PATH], none[CHECK_PATH];
    char  *root;

    each_root(root) {
        media(root);

        /* lengths */

        assert_int_equal(part(root, 4, 2 * MEDIA + 1, 10), LR_AGAIN);
        assert_int_equal(part(root, 1, 2 * MEDIA + 1, HEAD), LR_AGAIN);
        assert_int_equal(complete(root, 2 * MEDIA), LR_AGAIN);
        assert_true(is_there(root, "part"));
        assert_int_equal(head(root), LR_OK);
        assert_int_equal(part(root, 1, 2 * MEDIA, 2 * HEAD), LR_AGAIN);
        assert_int_equal(part(root, 1, MEDIA, HEAD), LR_AGAIN);
        assert_int_equal(part(root, 1, 0, HEAD), LR_AGAIN);
        assert_int_equal(complete(root, 2 * MEDIA + HEAD - 1), LR_AGAIN);
        assert_int_equal(complete(root, 2 * MEDIA + HEAD + 1), LR_AGAIN);
        assert_int_equal(check_size(root, KEY), -1);
        finish(root);

        /* files */

        assert_int_equal(part(root, 2, 0, 10), LR_AGAIN);
        assert_non_null(strstr(err, KEY));
        assert_int_equal(head(root), LR_AGAIN);
        assert_int_equal(complete(root, 10), LR_AGAIN);
        check_rm(check_path(path, root, "a"));
        assert_int_equal(part(root, 2, 0, 10), LR_AGAIN);
        assert_int_equal(head(root), LR_AGAIN);
        assert_int_equal(complete(root, 10), LR_AGAIN);

        assert_int_equal(begin(root, KEY, 1), LR_OK);
        check_write(root, KEY, "1234567890", 10);
        assert_int_equal(part(root, 2, 0, 10), LR_OK);
        unlink(work(path, root, "part"));
        assert_int_equal(complete(root, 10), LR_OK);
        assert_int_equal(complete(root, 11), LR_AGAIN);
        unlink(check_path(path, root, KEY));
        mkdir(path, 0700);
        assert_int_equal(complete((root), 4096), LR_AGAIN);
        rmdir(path);
        mkdir(work(path, root, "head"), 0700);
        assert_int_equal(complete(root, 4096), LR_AGAIN);
        assert_int_equal(head(root), LR_AGAIN);

        /* the whole bucket is not there: that tells nothing */

        check_path(none, root, "none");
        assert_int_equal(begin(none, KEY, 0), LR_ERROR);
        assert_int_equal(up.error, ENOENT);
        assert_int_equal(part(none, 2, 0, 10), LR_ERROR);
        assert_int_equal(up.error, ENOENT);
        assert_int_equal(head(none), LR_ERROR);
        assert_int_equal(complete(none, 10), LR_ERROR);
        set(none, KEY, 0);
        assert_int_equal(lr_dir_abort(&up), LR_ERROR);
    }
}


/* at whatever byte the disk is full: what was confirmed stays as it was */

static void
full_disk(void **state)
{
    char    path[CHECK_PATH];
    char   *root;
    rlim_t  n;

    each_root(root) {
        assert_int_equal(begin(root, KEY, 1), LR_OK);
        assert_int_equal(part(root, 2, 0, MEDIA), LR_OK);

        for (n = MEDIA; n < 2 * MEDIA; n += 33333) {
            check_limit(n);
            assert_int_equal(part(root, 3, MEDIA, MEDIA), LR_ERROR);
            check_limit(RLIM_INFINITY);
            assert_true(up.error == EFBIG || up.error == ENOSPC);
            file_is(root, work(path, "", "part") + 1, 0, 1);
        }

        assert_int_equal(part(root, 3, MEDIA, MEDIA), LR_OK);

        for (n = 5000; n < HEAD + 2 * MEDIA; n += 50000) {
            check_limit(n);
            no_room = EOPNOTSUPP;
            assert_int_equal(head(root), LR_ERROR);
            assert_true(up.error == EFBIG || up.error == ENOSPC);
            no_share = 1;
            assert_int_equal(head(root), LR_ERROR);
            no_room = 0;
            no_share = 0;
            check_limit(RLIM_INFINITY);
            file_is(root, work(path, "", "head") + 1, 0, 2);
            assert_false(is_there(root, "copy"));
        }

        check_limit(5000);
        assert_int_equal(head(root), LR_ERROR);
        assert_int_equal(up.error, EFBIG);
        check_limit(RLIM_INFINITY);

        finish(root);
    }
}


/* the fault is the body's */

static void
unread(void **state)
{
    char                 path[CHECK_PATH];
    char                *root;
    unsigned             i;
    lr_buf_t             flv;
    lr_body_t            b;
    lr_engine_t          e;
    lr_file_fragment_t  *f;

    memset(&flv, 0, sizeof(flv));
    check_fragment(&flv, NULL, 100, 20000);

    each_root(root) {
        media(root);

        for (i = 1; i <= 5; i++) {
            no_room = i == 5 ? EOPNOTSUPP : 0;

            /* there is nothing in it, or it turns out to be so */

            set(root, KEY, 1);
            memset(&b, 0, sizeof(b));
            assert_int_equal(lr_body_open(&b, 1), LR_OK);
            assert_int_equal(lr_dir_part(&up, 1 + i % 3, 2 * MEDIA, &b),
                             LR_ERROR);
            assert_int_equal(up.local, ENODATA);

            if (i == 1) {
                assert_int_equal(lr_body_open(&b, 1), LR_OK);
                b.size = HEAD;
                assert_int_equal(lr_dir_part(&up, 2, 2 * MEDIA, &b),
                                 LR_ERROR);
                assert_int_equal(up.local, ENODATA);
                assert_int_equal(up.error, ENODATA);
            }

            lr_body_close(&b);

            /* its length was another */

            fill(&b.text, HEAD, 1);
            set(root, KEY, 1);
            assert_int_equal(lr_body_open(&b, 1), LR_OK);
            b.size = i % 2 && i < 5 ? HEAD - 4096 : HEAD + 4096;
            assert_int_equal(lr_dir_part(&up, i > 2 ? 1 : 2, 2 * MEDIA, &b),
                             LR_ERROR);
            assert_int_equal(up.local, 0);
            assert_int_equal(up.error, EIO);
            lr_body_close(&b);
            lr_body_free(&b);

            if (i == 2) {
                file_is(root, work(path, "", "part") + 1, 0, 2);
            }

            if (i > 2) {
                set(root, KEY, 0);
                assert_int_equal(lr_dir_abort(&up), LR_OK);
                media(root);
            }
        }

        no_room = 0;

        /* its file is cut meanwhile */

        media(root);

        for (i = 2; i; i--) {
            memset(&b, 0, sizeof(b));
            memset(&e, 0, sizeof(e));
            f = calloc(1, sizeof(lr_file_fragment_t));
            f->number = 1;
            b.kind = LR_BODY_TS;
            b.dir = root;
            b.fragments = f;
            b.n = 1;
            b.engine = &e;

            check_write(root, "000001.flv", flv.data, flv.len);
            set(root, KEY, 1);
            assert_int_equal(lr_body_open(&b, 1), LR_OK);
            assert_int_equal(truncate(check_path(path, root, "000001.flv"),
                                      900000), 0);
            assert_int_equal(lr_dir_part(&up, i, 2 * MEDIA, &b), LR_ERROR);
            assert_int_equal(up.local, EIO);
            assert_int_equal(up.error, EIO);
            lr_body_close(&b);
            lr_body_free(&b);
            lr_engine_free(&e);
            unlink(path);

            if (i == 2) {
                file_is(root, work(path, "", "part") + 1, 0, 2);
            }
        }

        assert_int_equal(check_size(root, KEY), -1);
    }

    lr_buf_free(&flv);
}


int
main(void)
{
#define t(f)  cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest  tests[] = {
        t(killed),
        t(gone),
        t(full_disk),
        t(unread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
