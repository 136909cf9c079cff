
/*
 * Copyright (C) the ngx_live_record authors
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


/* media that goes past the page cache, from any offset on */

static void
direct(void **state)
{
    int                  fd, rc;
    char                 path[CHECK_PATH];
    char                *root;
    size_t               i, n;
    u_char              *p, *got;
    lr_buf_t             flv, want;
    lr_body_t            b;
    lr_engine_t          e;
    struct statfs        fs;

    static const size_t  offsets[] = { 0, 1, 1000, 4095, 4096, 70001 };

    memset(&flv, 0, sizeof(flv));
    memset(&want, 0, sizeof(want));
    memset(&e, 0, sizeof(e));
    check_fragment(&flv, NULL, 120, 30000);

    each_root(root) {
        check_write(root, "000001.flv", flv.data, flv.len);

        for (i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
            assert_int_equal(begin(root, KEY, 0), LR_OK);

            if (offsets[i]) {
                assert_int_equal(part(root, 2, 0, offsets[i]), LR_OK);
            }

            memset(&b, 0, sizeof(b));
            b.fragments = calloc(1, sizeof(lr_file_fragment_t));
            assert_non_null(b.fragments);
            b.fragments->number = 1;
            b.kind = LR_BODY_TS;
            b.dir = root;
            b.n = 1;
            b.engine = &e;
            b.direct = 1;

            set(root, KEY, 0);
            past = 0;
            assert_int_equal(lr_body_open(&b, 1), LR_OK);
            assert_int_equal(lr_dir_part(&up, 3, offsets[i], &b), LR_OK);
            lr_body_close(&b);

            /* all but its ends, where the file system is one of those */

            assert_int_equal(statfs(root, &fs), 0);

            if (fs.f_type == 0xef53 || fs.f_type == 0x58465342) {
                assert_true(past + 4096 + LR_DIRECT_MIN >= b.done);

            } else {
                assert_int_equal(past, 0);
            }

            want.len = 0;
            assert_int_equal(lr_body_open(&b, 1), LR_OK);

            while ((rc = lr_body_next(&b, &p, &n)) == LR_OK) {
                lr_buf_append(&want, p, n);
            }

            assert_int_equal(rc, LR_DECLINED);
            assert_int_equal(want.len, b.size);
            assert_true(want.len > 3000000);
            lr_body_close(&b);
            lr_body_free(&b);

            got = malloc(want.len + 1);
            assert_non_null(got);

            fd = open(work(path, root, "part"), O_RDONLY);
            assert_true(fd != -1);
            assert_int_equal(pread(fd, got, want.len + 1, (off_t) offsets[i]),
                             want.len);
            assert_memory_equal(got, want.data, want.len);
            close(fd);
            free(got);
        }
    }

    lr_engine_free(&e);
    lr_buf_free(&want);
    lr_buf_free(&flv);
}


static void
in_parts(void **state)
{
    int          fd;
    char         path[CHECK_PATH];
    char        *root;
    unsigned     room;
    struct stat  a, b;

    each_root(root) {
        room = makes_room(root);

        media(root);
        file_is(root, work(path, "", "part") + 1, 0, 2);
        fd = open(work(path, root, "part"), O_RDONLY);
        assert_int_equal(fsync(fd), 0);
        close(fd);
        assert_int_equal(stat(path, &a), 0);

        rooms = 0;
        shares = 0;
        assert_int_equal(head(root), LR_OK);
        assert_int_equal(rooms, room);
        assert_int_equal(shares, !room);
        assert_false(is_there(root, "part"));
        assert_false(is_there(root, "copy"));

        fd = open(work(path, root, "head"), O_RDONLY);
        assert_int_equal(fsync(fd), 0);
        close(fd);
        assert_int_equal(stat(path, &b), 0);

        if (room) {

            /* the same file, and no block more than the head takes */

            assert_int_equal(a.st_ino, b.st_ino);
            assert_int_equal(a.st_blocks + HEAD / 512, b.st_blocks);
        }

        assert_int_equal(complete(root, HEAD + 2 * MEDIA), LR_OK);
        object_is_whole(root);
        assert_int_equal(stat(check_path(path, root, KEY), &a), 0);
        assert_int_equal(a.st_ino, b.st_ino);
        unlink(path);

        /* every way, whatever the file system */

        no_room = EOPNOTSUPP;
        media(root);
        finish(root);

        share_max = 100000;
        media(root);
        finish(root);
        share_max = 0;

        no_share = 1;
        media(root);
        finish(root);
        no_share = 0;
        no_room = 0;

        /* a head whose length no block has */

        media(root);
        assert_int_equal(part(root, 1, 2 * MEDIA, HEAD + 5), LR_OK);
        assert_int_equal(complete(root, HEAD + 5 + 2 * MEDIA), LR_OK);
        unlink(path);

        /* a head, and nothing else; longer than a dead try's */

        assert_int_equal(begin(root, KEY, 0), LR_OK);
        assert_int_equal(part(root, 1, 0, HEAD), LR_OK);
        assert_int_equal(truncate(work(path, root, "head"), 5), 0);
        assert_int_equal(part(root, 1, 0, HEAD), LR_OK);
        assert_int_equal(complete(root, HEAD), LR_OK);
        file_is(root, KEY, 1, 0);
    }
}


static void
again(void **state)
{
    char         path[CHECK_PATH];
    char        *root;
    unsigned     i;
    struct stat  st;

    each_root(root) {
        media(root);

        /* begun once more: empty, and the same upload */

        strcpy(path, id);
        assert_int_equal(begin(root, KEY, 0), LR_OK);
        assert_string_equal(path, id);
        assert_int_equal(stat(work(path, root, "part"), &st), 0);
        assert_int_equal(st.st_size, 0);

        /* each part again; what was behind is cut off */

        for (i = 0; i < 2; i++) {
            assert_int_equal(part(root, 2, 0, MEDIA), LR_OK);
            file_is(root, work(path, "", "part") + 1, 0, 1);
            assert_int_equal(part(root, 3, MEDIA, MEDIA), LR_OK);
            assert_int_equal(part(root, 3, MEDIA, MEDIA), LR_OK);
            file_is(root, work(path, "", "part") + 1, 0, 2);
        }

        /* some of a part that was never confirmed */

        assert_int_equal(part(root, 4, 2 * MEDIA, 100), LR_OK);
        finish(root);

        /* a dead try stopped in the middle of part 3, and of part 2 */

        media(root);
        assert_int_equal(truncate(work(path, root, "part"), MEDIA + 999), 0);
        assert_int_equal(part(root, 3, MEDIA, MEDIA), LR_OK);
        assert_int_equal(truncate(work(path, root, "part"), 999), 0);
        assert_int_equal(part(root, 2, 0, MEDIA), LR_OK);
        assert_int_equal(part(root, 3, MEDIA, MEDIA), LR_OK);

        for (i = 0; i < 3; i++) {
            assert_int_equal(head(root), LR_OK);
            file_is(root, work(path, "", "head") + 1, 1, 2);

            /* no part may be written any more */

            assert_int_equal(part(root, 2, 0, MEDIA), LR_OK);
            assert_int_equal(part(root, 3, MEDIA, MEDIA), LR_OK);
            assert_int_equal(part(root, 4, 2 * MEDIA, MEDIA), LR_AGAIN);
            file_is(root, work(path, "", "head") + 1, 1, 2);
        }

        finish(root);

        /* two files of a recording side by side */

        media(root);
        strcpy(path, id);
        assert_int_equal(begin(root, "a/b/c.flv", 0), LR_OK);
        assert_string_not_equal(path, id);
        assert_int_equal(lr_dir_abort(&up), LR_OK);
        assert_int_equal(lr_dir_abort(&up), LR_OK);
        strcpy(id, path);
        finish(root);

        /* begun once more when the head was there */

        media(root);
        assert_int_equal(head(root), LR_OK);
        check_write(root, work(path, "", "copy") + 1, "x", 1);
        assert_int_equal(begin(root, KEY, 1), LR_OK);
        assert_int_equal(check_entries(check_path(path, root, "a/b")), 1);
        assert_int_equal(part(root, 3, MEDIA, MEDIA), LR_AGAIN);
        assert_int_equal(part(root, 2, 0, MEDIA), LR_OK);
        file_is(root, work(path, "", "part") + 1, 0, 1);

        /* aborted in each state, and when there was none */

        for (i = 0; i < 3; i++) {
            if (i) {
                media(root);
            }

            if (i == 2) {
                assert_int_equal(head(root), LR_OK);
                check_write(root, work(path, "", "copy") + 1, "x", 1);
            }

            set(root, KEY, 0);
            assert_int_equal(lr_dir_abort(&up), LR_OK);
            assert_int_equal(check_entries(check_path(path, root, "a/b")), 0);
        }

        set(root, "x/y/z", 0);
        assert_int_equal(lr_dir_abort(&up), LR_OK);
    }
}


int
main(void)
{
#define t(f)  cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest  tests[] = {
        t(direct),
        t(in_parts),
        t(again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
