
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Which name the object of an upload gets in a directory, and moves.
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
names(void **state)
{
    char   path[CHECK_PATH], name[300], key[600];
    char  *root;
    char   tag[65];

    each_root(root) {

        /* another object has the name, from the start or later */

        assert_int_equal(begin(root, KEY, 1), LR_OK);
        check_write(root, KEY, "x", 1);
        assert_int_equal(begin(root, KEY, 1), LR_DECLINED);
        assert_int_equal(part(root, 2, 0, MEDIA), LR_OK);
        assert_int_equal(part(root, 3, MEDIA, MEDIA), LR_OK);
        assert_int_equal(head(root), LR_OK);
        assert_int_equal(complete(root, HEAD + 2 * MEDIA), LR_DECLINED);
        assert_non_null(strstr(err, KEY));
        assert_int_equal(check_size(root, KEY), 1);

        unlink(check_path(path, root, KEY));
        assert_int_equal(symlink("nowhere", path), 0);
        assert_int_equal(begin(root, KEY, 1), LR_DECLINED);
        assert_int_equal(complete(root, HEAD + 2 * MEDIA), LR_DECLINED);
        unlink(path);
        assert_int_equal(complete(root, HEAD + 2 * MEDIA), LR_OK);
        object_is_whole(root);

        /* the same bytes under the name; others of the same length */

        set(root, KEY, 0);
        assert_int_equal(begin(root, KEY, 0), LR_OK);
        assert_int_equal(part(root, 2, 0, MEDIA), LR_OK);
        assert_int_equal(part(root, 3, MEDIA, MEDIA), LR_OK);
        assert_int_equal(head(root), LR_OK);
        assert_int_equal(complete(root, HEAD + 2 * MEDIA), LR_OK);
        object_is_whole(root);

        set(root, KEY, 0);
        assert_int_equal(begin(root, KEY, 0), LR_OK);
        assert_int_equal(part(root, 3, 0, MEDIA), LR_OK);
        assert_int_equal(part(root, 2, MEDIA, MEDIA), LR_OK);
        assert_int_equal(head(root), LR_OK);
        assert_int_equal(complete(root, HEAD + 2 * MEDIA), LR_DECLINED);
        file_is(root, KEY, 1, 2);

        set(root, KEY, 0);
        assert_int_equal(lr_dir_complete(&up, HEAD + 2 * MEDIA), LR_OK);
        assert_int_equal(check_entries(check_path(path, root, "a/b")), 1);
        unlink(check_path(path, root, KEY));

        /* the name is not made to last, whoever has seen it */

        media(root);
        assert_int_equal(head(root), LR_OK);
        no_sync = 1;
        assert_int_equal(complete(root, HEAD + 2 * MEDIA), LR_ERROR);
        assert_int_equal(complete(root, HEAD + 2 * MEDIA), LR_ERROR);
        assert_int_equal(up.error, EIO);
        no_sync = 0;
        assert_int_equal(complete(root, HEAD + 2 * MEDIA), LR_OK);
        unlink(check_path(path, root, KEY));

        /* no links */

        no_link = 1;
        media(root);
        finish(root);
        media(root);
        assert_int_equal(head(root), LR_OK);
        check_write(root, KEY, "x", 1);
        assert_int_equal(complete(root, HEAD + 2 * MEDIA), LR_DECLINED);
        no_link = 0;

        /* as long as names can be, and longer */

        memset(tag, 't', 64);
        tag[64] = '\0';
        memset(name, 'n', sizeof(name));
        name[255] = '\0';
        snprintf(key, sizeof(key), "%s/%s", name, name);

        {
            lr_buf_t   b;
            uint32_t   align;
            lr_body_t  body;

            memset(&b, 0, sizeof(b));
            memset(&body, 0, sizeof(body));
            fill(&body.text, HEAD, 1);
            set(root, key, 1);
            assert_int_equal(lr_dir_begin(&up, tag, &b, &align), LR_OK);
            up.upload = (char *) b.data;
            assert_int_equal(lr_body_open(&body, 1), LR_OK);
            assert_int_equal(lr_dir_part(&up, 1, 0, &body), LR_OK);
            lr_body_close(&body);
            assert_int_equal(lr_dir_complete(&up, HEAD), LR_OK);
            file_is(root, key, 1, 0);
            lr_body_free(&body);
            lr_buf_free(&b);
        }

        name[255] = 'n';
        name[256] = '\0';
        assert_int_equal(begin(root, name, 1), LR_ERROR);
        assert_int_equal(up.error, ENAMETOOLONG);
        snprintf(key, sizeof(key), "%s/x", name);
        assert_int_equal(begin(root, key, 0), LR_ERROR);
        assert_int_equal(up.error, ENAMETOOLONG);

        /* a file where a directory should be; ids that are no names */

        assert_int_equal(begin(root, KEY "/d", 0), LR_ERROR);
        assert_int_equal(up.error, ENOTDIR);
        set(root, KEY, 0);
        up.upload = "../x";
        assert_int_equal(lr_dir_abort(&up), LR_ERROR);
        up.upload = ".x/../y";
        assert_int_equal(lr_dir_complete(&up, 1), LR_ERROR);
        assert_int_equal(up.error, EINVAL);
        up.upload = "";
        assert_int_equal(lr_dir_abort(&up), LR_ERROR);
    }
}


static int
move(const char *root, const char *key, const char *to, unsigned keep,
    uint64_t size)
{
    int       rc;
    unsigned  left;

    set(root, key, keep);
    up.upload = NULL;
    left = 7;
    rc = lr_dir_move(&up, to, size, &left);
    assert_int_equal(left, 0);

    return rc;
}


/* what is in a file system that is not mounted now is not gone */

static void
another_root(void **state)
{
    char    mounted[CHECK_PATH], empty[CHECK_PATH], aside[CHECK_PATH];
    char   *root;

    each_root(root) {
        check_path(mounted, root, "m");
        check_path(empty, root, "e");
        check_path(aside, root, "aside");
        assert_int_equal(mkdir(mounted, 0700), 0);
        assert_int_equal(mkdir(empty, 0700), 0);

        media(mounted);

        assert_int_equal(rename(mounted, aside), 0);
        assert_int_equal(rename(empty, mounted), 0);

        assert_int_equal(part(mounted, 4, 2 * MEDIA, MEDIA), LR_ERROR);
        assert_int_equal(up.error, ESTALE);
        assert_int_equal(part(mounted, 1, 2 * MEDIA, HEAD), LR_ERROR);
        assert_int_equal(complete(mounted, HEAD + 2 * MEDIA), LR_ERROR);
        assert_int_equal(up.error, ESTALE);

        assert_int_equal(rename(mounted, empty), 0);
        assert_int_equal(rename(aside, mounted), 0);
        finish(mounted);

        /* and there it is gone */

        media(mounted);
        assert_int_equal(lr_dir_abort(&up), LR_OK);
        assert_int_equal(part(mounted, 4, 2 * MEDIA, MEDIA), LR_AGAIN);
    }
}


static void
moves(void **state)
{
    char      path[CHECK_PATH], other[CHECK_PATH];
    char     *root;
    unsigned  left;

    each_root(root) {
        check_write(root, "w", "12345", 5);
        assert_int_equal(move(root, "w", "x/y/z", 1, 5), LR_OK);
        assert_int_equal(check_size(root, "x/y/z"), 5);
        assert_int_equal(check_size(root, "w"), -1);

        /* that was not heard of; neither is there; another length */

        assert_int_equal(move(root, "w", "x/y/z", 1, 5), LR_OK);
        assert_int_equal(move(root, "w", "x/y/z", 1, 6), LR_AGAIN);
        assert_int_equal(move(root, "w", "x/y/u", 1, 5), LR_AGAIN);
        assert_int_equal(move(root, "w", "no/u", 1, 5), LR_AGAIN);
        assert_int_equal(move(root, "x/y/z", "u", 1, 6), LR_AGAIN);
        assert_int_equal(check_size(root, "x/y/z"), 5);

        /* killed between the two names */

        assert_int_equal(linkat(AT_FDCWD, check_path(path, root, "x/y/z"),
                                AT_FDCWD, check_path(other, root, "w"), 0),
                         0);
        assert_int_equal(move(root, "w", "x/y/z", 1, 5), LR_OK);
        assert_int_equal(check_size(root, "w"), -1);
        assert_int_equal(linkat(AT_FDCWD, path, AT_FDCWD, other, 0), 0);
        assert_int_equal(move(root, "w", "x/y/z", 0, 5), LR_OK);
        assert_int_equal(check_size(root, "w"), -1);
        assert_int_equal(check_size(root, "x/y/z"), 5);

        /* the same key; the same bytes; others */

        assert_int_equal(move(root, "x/y/z", "x/y/z", 1, 5), LR_OK);
        assert_int_equal(check_size(root, "x/y/z"), 5);

        check_write(root, "w", "12345", 5);
        assert_int_equal(move(root, "w", "x/y/z", 1, 5), LR_OK);
        assert_int_equal(check_size(root, "w"), -1);

        check_write(root, "w", "54321", 5);
        assert_int_equal(move(root, "w", "x/y/z", 1, 5), LR_DECLINED);
        assert_non_null(strstr(err, "x/y/z"));
        assert_int_equal(move(root, "w", "x", 1, 5), LR_DECLINED);
        assert_int_equal(check_size(root, "w"), 5);
        no_link = 1;
        assert_int_equal(move(root, "w", "x/y/z", 1, 5), LR_DECLINED);
        assert_int_equal(move(root, "w", "v/w", 1, 5), LR_OK);
        assert_int_equal(check_size(root, "v/w"), 5);
        no_link = 0;
        no_sync = 1;
        assert_int_equal(move(root, "v/w", "v/v", 1, 5), LR_ERROR);
        assert_int_equal(move(root, "v/w", "v/v", 1, 5), LR_ERROR);
        no_sync = 0;
        assert_int_equal(move(root, "v/w", "v/v", 1, 5), LR_OK);
        assert_int_equal(move(root, "v/v", "v/w", 1, 5), LR_OK);
        assert_int_equal(move(root, "v/w", "x/y/z", 0, 5), LR_OK);
        assert_int_equal(check_size(root, "v/w"), -1);

        /* a file in the way, and no bucket */

        assert_int_equal(move(root, "x/y/z", "x/y/z/u", 1, 5), LR_ERROR);
        assert_int_equal(up.error, ENOTDIR);
        assert_int_equal(move(check_path(path, root, "none"), "a", "b", 1,
                              5), LR_ERROR);
        assert_int_equal(up.error, ENOENT);

        /* the old name cannot be taken away */

        if (geteuid() != 0) {
            chmod(check_path(path, root, "x/y"), 0500);
            set(root, "x/y/z", 1);
            assert_int_equal(lr_dir_move(&up, "new", 5, &left), LR_OK);
            assert_int_equal(left, 1);
            assert_non_null(strstr(err, "x/y/z"));
            assert_int_equal(lr_dir_move(&up, "x/y/new", 5, &left),
                             LR_ERROR);
            assert_int_equal(up.error, EACCES);
            chmod(path, 0700);
        }
    }
}


int
main(void)
{
#define t(f)  cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest  tests[] = {
        t(names),
        t(another_root),
        t(moves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
