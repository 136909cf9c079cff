
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


/* file systems that have no rename() that keeps names, and no links */

static int  no_keep;
static int  no_link;


static int
test_lr_renameat2(int from, const char *a, int to, const char *b,
    unsigned flags)
{
    if (no_keep) {
        errno = EINVAL;
        return -1;
    }

    return renameat2(from, a, to, b, flags);
}


static int
test_lr_link(const char *a, const char *b)
{
    if (no_link) {
        errno = EPERM;
        return -1;
    }

    return link(a, b);
}


#define link  test_lr_link
#define renameat2  test_lr_renameat2
#include "../../../spool/lr_dir.c"
#undef link
#undef renameat2
#include "spool_check.h"


static char  err[512];


static int
put(const char *root, const char *key, const char *text, unsigned keep)
{
    int        rc;
    uint64_t   bytes;
    lr_body_t  b;

    memset(&b, 0, sizeof(b));
    lr_buf_puts(&b.text, text);
    assert_int_equal(lr_body_open(&b, 0), LR_OK);

    bytes = 0;
    rc = lr_dir_put(root, key, "id", &b, keep, keep, &bytes, err,
                    sizeof(err));

    if (rc == LR_OK) {
        assert_int_equal(bytes, strlen(text));
    }

    lr_body_close(&b);
    lr_buf_free(&b.text);

    return rc;
}


static void
object_is(const char *root, const char *key, const char *text)
{
    lr_buf_t  b;

    memset(&b, 0, sizeof(b));
    assert_int_equal(lr_dir_get(root, key, 0, 1000000, &b, err, sizeof(err)),
                     LR_OK);
    assert_int_equal(b.len, strlen(text));
    assert_memory_equal(b.data, text, b.len);
    lr_buf_free(&b);
}


static void
puts_and_keeps(void **state)
{
    int   i;
    char  path[CHECK_PATH], other[CHECK_PATH];

    for (i = 0; i < 3; i++) {
        no_keep = i > 0;
        no_link = i > 1;

        assert_int_equal(put(*state, "a/b/c.ts", "one", 1), LR_OK);
        object_is(*state, "a/b/c.ts", "one");

        /* once more the same, and something else */

        assert_int_equal(put(*state, "a/b/c.ts", "one", 1), LR_OK);
        assert_int_equal(put(*state, "a/b/c.ts", "two", 1), LR_DECLINED);
        assert_int_equal(put(*state, "a/b/c.ts", "oneone", 1), LR_DECLINED);
        assert_int_equal(put(*state, "a/b/c.ts", "on", 1), LR_DECLINED);
        object_is(*state, "a/b/c.ts", "one");

        assert_int_equal(put(*state, "a/b/c.ts", "two", 0), LR_OK);
        object_is(*state, "a/b/c.ts", "two");
        assert_int_equal(put(*state, "plain", "three", 1), LR_OK);
        object_is(*state, "plain", "three");

        /* a directory has the name, or what is no file at all */

        assert_int_equal(put(*state, "a/b", "x", 1), LR_DECLINED);
        assert_int_equal(symlink("nowhere", check_path(path, *state, "l")),
                         0);
        assert_int_equal(put(*state, "l", "x", 1), LR_DECLINED);
        assert_int_equal(put(*state, "a/b", "x", 0), LR_ERROR);
        assert_int_equal(errno, EISDIR);

        assert_int_equal(check_entries(*state), 3);
        assert_int_equal(check_entries(check_path(path, *state, "a/b")), 1);
        check_rm(*state);
        mkdir(*state, 0700);
    }

    no_keep = 0;
    no_link = 0;

    /*
     * Killed between the two names: the temporary one is the object itself,
     * which must not be written to.
     */

    assert_int_equal(put(*state, "c.ts", "one", 1), LR_OK);
    assert_int_equal(link(check_path(path, *state, "c.ts"),
                          check_path(other, *state, ".id.part")), 0);
    assert_int_equal(put(*state, "d.ts", "another", 1), LR_OK);
    object_is(*state, "c.ts", "one");
    object_is(*state, "d.ts", "another");
    assert_int_equal(check_entries(*state), 2);

    assert_int_equal(link(path, other), 0);
    check_limit(1);
    assert_int_equal(put(*state, "c.ts", "one", 1), LR_ERROR);
    check_limit(RLIM_INFINITY);
    object_is(*state, "c.ts", "one");
    assert_int_equal(check_entries(*state), 2);
}


/* a fragment is the same whichever way it went, on a file system of any kind */

static void
direct(void **state)
{
    char         root[] = "/tmp/lr_test.XXXXXX";
    char        *roots[2];
    size_t       i, n, frames;
    lr_buf_t     flv, first, got;
    uint64_t     bytes;
    lr_body_t    b;
    lr_engine_t  e;

    assert_non_null(mkdtemp(root));
    roots[0] = *state;
    roots[1] = root;

    memset(&flv, 0, sizeof(flv));
    memset(&first, 0, sizeof(first));
    memset(&got, 0, sizeof(got));
    memset(&e, 0, sizeof(e));

    for (frames = 1; frames < 200; frames += 60) {
        check_fragment(&flv, NULL, (unsigned) frames, 20000);

        for (i = 0; i < 4; i++) {
            check_write(roots[i / 2], "000001.flv", flv.data, flv.len);

            memset(&b, 0, sizeof(b));
            b.fragments = calloc(1, sizeof(lr_file_fragment_t));
            assert_non_null(b.fragments);
            b.fragments->number = 1;
            b.kind = LR_BODY_TS;
            b.dir = roots[i / 2];
            b.n = 1;
            b.engine = &e;
            b.direct = i % 2;

            assert_int_equal(lr_body_open(&b, 0), LR_OK);
            assert_int_equal(lr_dir_put(b.dir, "a.ts", "id", &b, 0, 0, &bytes,
                                        err, sizeof(err)), LR_OK);
            assert_int_equal(b.done, bytes);
            lr_body_close(&b);

            got.len = 0;
            n = frames * 20000 * 2;
            assert_int_equal(lr_dir_get(b.dir, "a.ts", 0, n + 100000,
                                        i ? &got : &first, err, sizeof(err)),
                             LR_OK);
            assert_int_equal((i ? &got : &first)->len, bytes);
            assert_int_equal(bytes % 188, 0);

            if (i) {
                assert_int_equal(got.len, first.len);
                assert_memory_equal(got.data, first.data, got.len);
            }

            lr_body_free(&b);
        }

        first.len = 0;
    }

    lr_engine_free(&e);
    lr_buf_free(&got);
    lr_buf_free(&first);
    lr_buf_free(&flv);
    check_rm(root);
}


static void
in_the_way(void **state)
{
    char  path[CHECK_PATH], name[300], key[600];

    assert_int_equal(put(*state, "file", "x", 1), LR_OK);
    assert_int_equal(put(*state, "file/a/b.ts", "y", 1), LR_ERROR);
    assert_int_equal(errno, ENOTDIR);
    assert_non_null(strstr(err, "file/a/b.ts"));
    object_is(*state, "file", "x");

    /* names as long as they can be, and longer */

    memset(name, 'n', sizeof(name));
    name[255] = '\0';
    snprintf(key, sizeof(key), "%s/%s", name, name);
    assert_int_equal(put(*state, key, "long", 1), LR_OK);
    assert_int_equal(put(*state, key, "long", 1), LR_OK);
    assert_int_equal(put(*state, key, "other", 1), LR_DECLINED);
    object_is(*state, key, "long");
    assert_int_equal(put(*state, key, "other", 0), LR_OK);

    name[255] = 'n';
    name[256] = '\0';
    assert_int_equal(put(*state, name, "x", 1), LR_ERROR);
    assert_int_equal(errno, ENAMETOOLONG);
    assert_int_equal(put(*state, name, "x", 0), LR_ERROR);
    assert_int_equal(errno, ENAMETOOLONG);
    snprintf(key, sizeof(key), "%s/x", name);
    assert_int_equal(put(*state, key, "x", 1), LR_ERROR);
    assert_int_equal(errno, ENAMETOOLONG);
    assert_int_equal(check_entries(*state), 2);

    /* no root */

    assert_int_equal(put(check_path(path, *state, "none"), "x", "x", 1),
                     LR_ERROR);
    assert_int_equal(errno, ENOENT);

    if (geteuid() != 0) {
        chmod(*state, 0500);
        assert_int_equal(put(*state, "z", "x", 1), LR_ERROR);
        assert_int_equal(errno, EACCES);
        chmod(*state, 0700);
    }
}


/* at whatever byte the disk is full: the whole object or none */

static void
full_disk(void **state)
{
    char                path[CHECK_PATH];
    char                text[200];
    rlim_t              n;
    lr_buf_t            flv;
    uint64_t            bytes;
    lr_body_t           b;
    lr_engine_t         e;
    lr_file_fragment_t  f;

    memset(text, 'x', sizeof(text));
    text[199] = '\0';

    for (n = 0; n < 199; n++) {
        check_limit(n);
        assert_int_equal(put(*state, "a/b", text, n & 1), LR_ERROR);
        assert_true(errno == EFBIG || errno == ENOSPC);
        check_limit(RLIM_INFINITY);
        assert_int_equal(check_entries(check_path(path, *state, "a")), 0);
    }

    assert_int_equal(put(*state, "a/b", text, 1), LR_OK);

    /* what was there stays what it was */

    check_limit(3);
    assert_int_equal(put(*state, "a/b", "other", 0), LR_ERROR);
    check_limit(RLIM_INFINITY);
    object_is(*state, "a/b", text);

    /* a fragment of many pieces; one that is cut meanwhile; an empty one */

    memset(&b, 0, sizeof(b));
    memset(&e, 0, sizeof(e));
    memset(&flv, 0, sizeof(flv));
    check_fragment(&flv, NULL, 100, 20000);
    check_write(*state, "000001.flv", flv.data, flv.len);
    memset(&f, 0, sizeof(f));
    f.number = 1;
    b.kind = LR_BODY_TS;
    b.dir = *state;
    b.fragments = &f;
    b.n = 1;
    b.engine = &e;

    check_limit(1000000);
    assert_int_equal(lr_body_open(&b, 0), LR_OK);
    assert_int_equal(lr_dir_put(*state, "o.ts", "t", &b, 1, 0, &bytes, err,
                                sizeof(err)), LR_ERROR);
    lr_body_close(&b);
    check_limit(RLIM_INFINITY);
    assert_int_equal(check_size(*state, "o.ts"), -1);
    assert_int_equal(check_size(*state, ".t.part"), -1);

    assert_int_equal(lr_body_open(&b, 0), LR_OK);
    assert_int_equal(truncate(check_path(path, *state, "000001.flv"), 900000),
                     0);
    assert_int_equal(lr_dir_put(*state, "o.ts", "t", &b, 1, 0, &bytes, err,
                                sizeof(err)), LR_AGAIN);
    assert_int_equal(errno, EIO);
    lr_body_close(&b);
    assert_int_equal(check_size(*state, "o.ts"), -1);

    check_write(*state, "000001.flv", flv.data, flv.len);
    assert_int_equal(lr_body_open(&b, 1), LR_OK);
    assert_int_equal(lr_dir_put(*state, "o.ts", "t", &b, 1, 1, &bytes, err,
                                sizeof(err)), LR_OK);
    assert_int_equal(bytes, b.size);
    assert_int_equal(check_size(*state, "o.ts"), (long long) bytes);
    lr_body_close(&b);

    flv.len = 0;
    check_tag(&flv, NULL, LR_FLV_AUDIO, 0, "\x1f\1\2\3\4", 5);
    check_write(*state, "000001.flv", flv.data, flv.len);
    assert_int_equal(lr_body_open(&b, 0), LR_OK);
    assert_int_equal(lr_dir_put(*state, "p.ts", "t", &b, 1, 0, &bytes, err,
                                sizeof(err)), LR_AGAIN);
    assert_int_equal(errno, ENODATA);
    assert_int_equal(check_size(*state, "p.ts"), -1);
    lr_body_close(&b);

    lr_engine_free(&e);
    lr_buf_free(&flv);
}


/* it is known whether it was the media that failed or the bucket */

static void
media_fails(void **state)
{
    char                path[CHECK_PATH];
    lr_buf_t            flv, rows;
    uint32_t            i;
    uint64_t            bytes;
    lr_body_t           b;
    lr_engine_t         e;
    lr_file_fragment_t  f[2];

    memset(&b, 0, sizeof(b));
    memset(&e, 0, sizeof(e));
    memset(&flv, 0, sizeof(flv));
    memset(&rows, 0, sizeof(rows));
    memset(f, 0, sizeof(f));

    check_fragment(&flv, &rows, 50, 20000);

    for (i = 1; i <= 2; i++) {
        snprintf(path, sizeof(path), "%06u.flv", i);
        check_write(*state, path, flv.data, flv.len);
        assert_int_equal(lr_fragment_write_rows(*state, i,
                                                (lr_row_t *) rows.data,
                                                rows.len / sizeof(lr_row_t)),
                         LR_OK);
        f[i - 1].number = i;
        f[i - 1].bytes = flv.len;
    }

    b.kind = LR_BODY_FILE;
    b.format = LR_FORMAT_MP4;
    b.head = 1;
    b.dir = *state;
    b.fragments = f;
    b.n = 2;
    b.to = 2;
    b.engine = &e;

    /* gone before it is asked for, while its table is there */

    assert_int_equal(lr_body_open(&b, 1), LR_OK);
    unlink(check_path(path, *state, "000002.flv"));
    assert_int_equal(lr_dir_put(*state, "o.mp4", "t", &b, 1, 0, &bytes, err,
                                sizeof(err)), LR_AGAIN);
    assert_int_equal(errno, ENOENT);
    assert_non_null(strstr(err, "the media of \"o.mp4\" could not be read"));
    lr_body_close(&b);

    /* or shorter than the head says */

    check_write(*state, "000002.flv", flv.data, flv.len);
    assert_int_equal(lr_body_open(&b, 1), LR_OK);
    assert_int_equal(truncate(path, 700000), 0);
    assert_int_equal(lr_dir_put(*state, "o.mp4", "t", &b, 1, 0, &bytes, err,
                                sizeof(err)), LR_AGAIN);
    assert_int_equal(errno, EIO);
    lr_body_close(&b);

    assert_int_equal(check_size(*state, "o.mp4"), -1);
    assert_int_equal(check_size(*state, ".t.part"), -1);

    assert_int_equal(lr_body_open(&b, 1), LR_OK);
    assert_int_equal(lr_dir_put(*state, "o.mp4", "t", &b, 1, 0, &bytes, err,
                                sizeof(err)), LR_OK);
    lr_body_close(&b);

    lr_engine_free(&e);
    lr_buf_free(&flv);
    lr_buf_free(&rows);
}


static void
deletes(void **state)
{
    assert_int_equal(put(*state, "a/b", "12345", 1), LR_OK);
    assert_int_equal(put(*state, "a/c", "12345", 1), LR_OK);

    assert_int_equal(lr_dir_delete(*state, "a/b", 1, err, sizeof(err)),
                     LR_OK);
    assert_int_equal(check_size(*state, "a/b"), -1);
    assert_int_equal(check_size(*state, "a/c"), 5);

    /* what is not there is gone */

    assert_int_equal(lr_dir_delete(*state, "a/b", 1, err, sizeof(err)),
                     LR_OK);
    assert_int_equal(lr_dir_delete(*state, "x/y", 0, err, sizeof(err)),
                     LR_OK);
    assert_int_equal(lr_dir_delete(*state, "a/c/d", 0, err, sizeof(err)),
                     LR_OK);

    /* a directory is no object */

    assert_int_equal(lr_dir_delete(*state, "a", 0, err, sizeof(err)),
                     LR_ERROR);
    assert_non_null(strstr(err, "\"a\" could not be removed from"));
    assert_int_equal(check_size(*state, "a/c"), 5);
}


static void
gets(void **state)
{
    char      path[CHECK_PATH];
    lr_buf_t  b;

    memset(&b, 0, sizeof(b));

    assert_int_equal(put(*state, "a/b", "12345", 1), LR_OK);

    assert_int_equal(lr_dir_get(*state, "a/c", 0, 9, &b, err, sizeof(err)),
                     LR_DECLINED);
    assert_int_equal(lr_dir_get(*state, "x/c", 0, 9, &b, err, sizeof(err)),
                     LR_DECLINED);
    assert_int_equal(lr_dir_get(*state, "a/b/c", 0, 9, &b, err, sizeof(err)),
                     LR_DECLINED);
    assert_int_equal(lr_dir_get(*state, "a", 0, 9, &b, err, sizeof(err)),
                     LR_ERROR);

    /* a pipe that nobody writes to is not waited for */

    snprintf(path, sizeof(path), "%s/a/pipe", (char *) *state);
    assert_int_equal(mkfifo(path, 0600), 0);

    alarm(20);
    assert_int_equal(lr_dir_get(*state, "a/pipe", 0, 9, &b, err, sizeof(err)),
                     LR_ERROR);
    alarm(0);

    assert_int_equal(lr_dir_get(*state, "a/b", 0, 4, &b, err, sizeof(err)),
                     LR_ERROR);
    assert_int_equal(lr_dir_get(*state, "a/b", 0, 5, &b, err, sizeof(err)),
                     LR_OK);

    /* it appends */

    assert_int_equal(lr_dir_get(*state, "a/b", 0, 5, &b, err, sizeof(err)),
                     LR_OK);
    assert_int_equal(b.len, 10);
    assert_memory_equal(b.data, "1234512345", 10);

    /* the beginning of one that is too large, and of one that is shorter */

    b.len = 0;
    assert_int_equal(lr_dir_get(*state, "a/b", 2, 4, &b, err, sizeof(err)),
                     LR_OK);
    assert_true(b.len >= 2);
    assert_memory_equal(b.data, "12", 2);

    b.len = 0;
    assert_int_equal(lr_dir_get(*state, "a/b", 8, 4, &b, err, sizeof(err)),
                     LR_OK);
    assert_int_equal(b.len, 5);

    lr_buf_free(&b);
}


/* the names that are listed, with a blank behind each */

static void
list_is(const char *root, const char *prefix, const char *after,
    const char *names)
{
    size_t    i, n;
    lr_buf_t  b, l;

    memset(&b, 0, sizeof(b));
    memset(&l, 0, sizeof(l));

    assert_int_equal(lr_dir_list(root, prefix, after, &b, err, sizeof(err)),
                     LR_OK);

    for (i = 0, n = 0; i < b.len; n++) {
        if (n % 2 == 0) {
            lr_buf_printf(&l, "%s ", (char *) b.data + i);

        } else {
            assert_true(b.data[i] != '\0');
        }

        i += strlen((char *) b.data + i) + 1;
    }

    assert_int_equal(n % 2, 0);
    lr_buf_append(&l, "", 1);
    assert_string_equal((char *) l.data, names);

    lr_buf_free(&b);
    lr_buf_free(&l);
}


static void
lists(void **state)
{
    int       i;
    char      path[CHECK_PATH], name[32];
    lr_buf_t  a, b;

    list_is(*state, "m/s/", "", "");

    for (i = 0; i < 3; i++) {
        assert_int_equal(put(*state, i == 0 ? "m/s/b" : i == 1 ? "m/s/a"
                                                      : "m/s/B", "x", 1),
                         LR_OK);
    }

    assert_int_equal(put(*state, "m/s/sub/x", "x", 1), LR_OK);
    assert_int_equal(put(*state, "m/t", "x", 1), LR_OK);
    check_write(check_path(path, *state, "m/s"), ".id.part", "x", 1);

    list_is(*state, "m/s/", "", "m/s/B m/s/a m/s/b ");
    list_is(*state, "m/s/", "m/s/", "m/s/B m/s/a m/s/b ");
    list_is(*state, "m/s/", "m/s/B", "m/s/a m/s/b ");
    list_is(*state, "m/s/", "m/s/C", "m/s/a m/s/b ");
    list_is(*state, "m/s/", "m/s/b", "");
    list_is(*state, "m/s/", "m/s/bb", "");
    list_is(*state, "m/s/", "m/r", "m/s/B m/s/a m/s/b ");
    list_is(*state, "m/s/", "m/t", "");
    list_is(*state, "m/s/", "z", "");
    list_is(*state, "m/t/", "", "");
    list_is(*state, "m/", "", "m/t ");

    /* the version changes with the object, and only then */

    memset(&a, 0, sizeof(a));
    memset(&b, 0, sizeof(b));
    lr_dir_list(*state, "m/s/", "", &a, err, sizeof(err));
    lr_dir_list(*state, "m/s/", "", &b, err, sizeof(err));
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.data, b.data, a.len);
    assert_int_equal(put(*state, "m/s/a", "y", 0), LR_OK);
    b.len = 0;
    lr_dir_list(*state, "m/s/", "", &b, err, sizeof(err));
    assert_true(a.len != b.len || memcmp(a.data, b.data, a.len) != 0);
    lr_buf_free(&a);

    /* many */

    for (i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "n/%04d", 7 * i % 1000);
        assert_int_equal(put(*state, name, "x", 0), LR_OK);
    }

    b.len = 0;
    assert_int_equal(lr_dir_list(*state, "n/", "n/0499", &b, err,
                                 sizeof(err)), LR_OK);

    {
        size_t  p;

        for (p = 0, i = 500; p < b.len; i++) {
            snprintf(name, sizeof(name), "n/%04d", i);
            assert_string_equal((char *) b.data + p, name);
            p += strlen((char *) b.data + p) + 1;
            p += strlen((char *) b.data + p) + 1;
        }
    }

    assert_int_equal(i, 1000);
    lr_buf_free(&b);
}


int
main(void)
{
#define t(f)  cmocka_unit_test_setup_teardown(f, check_setup, check_teardown)
    const struct CMUnitTest  tests[] = {
        t(puts_and_keeps),
        t(direct),
        t(in_the_way),
        t(full_disk),
        t(media_fails),
        t(deletes),
        t(gets),
        t(lists),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
