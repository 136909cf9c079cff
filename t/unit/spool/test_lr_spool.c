
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <sys/resource.h>
#include <dirent.h>
#include <errno.h>
#include <string.h>


/* the end of the path of a directory that may not be read, or NULL */

static const char  *closed;


static DIR *
test_lr_opendir(const char *path)
{
    size_t  n, len;

    n = closed ? strlen(closed) : 0;
    len = strlen(path);

    if (n && len > n && strcmp(path + len - n, closed) == 0) {
        errno = EACCES;
        return NULL;
    }

    return opendir(path);
}


#define opendir(path)  test_lr_opendir(path)
#include "../../../spool/lr_spool.c"
#undef opendir
#include "spool_check.h"


static void
make(const char *root, const char *path)
{
    char   dir[CHECK_PATH];
    char  *p;

    snprintf(dir, sizeof(dir), "%s/%s", root, path);

    for (p = dir + strlen(root) + 1; *p; p++) {
        if (*p == '/') {
            *p = '\0';
            (void) mkdir(dir, 0700);
            *p = '/';
        }
    }

    (void) mkdir(dir, 0700);
}


static int
is_there(const char *root, const char *path)
{
    char         name[CHECK_PATH];
    struct stat  st;

    return lstat(check_path(name, root, path), &st) == 0;
}


/* every id falls to exactly one worker, and all have something to do */

static void
scans(void **state)
{
    char             path[CHECK_PATH];
    size_t           i, j, all;
    unsigned         seen[300];
    lr_spool_list_t  list;
    uint32_t         workers, index;

    memset(&list, 0, sizeof(list));

    assert_int_equal(lr_spool_scan(&list, *state, 0, 1), LR_OK);
    assert_int_equal(list.n, 0);

    for (i = 0; i < 300; i++) {
        snprintf(path, sizeof(path), "app%u/s-%u/20260301-1200%02u-%04u",
                 (unsigned) i % 3, (unsigned) i % 7, (unsigned) i % 60,
                 (unsigned) i);
        make(*state, path);

        if (i % 2) {
            strcat(path, "/record.log");
            check_write(*state, path, path, i % 50);
        }
    }

    for (workers = 1; workers <= 8; workers++) {
        memset(seen, 0, sizeof(seen));
        all = 0;

        for (index = 0; index < workers; index++) {
            assert_int_equal(lr_spool_scan(&list, *state, index, workers),
                             LR_OK);
            all += list.n;
            assert_true(list.n > 300 / workers / 3);

            for (i = 0; i < list.n; i++) {
                j = strlen(list.entries[i].path);
                j = (size_t) atoi(list.entries[i].path + j - 4);
                assert_true(j < 300);
                assert_int_equal(seen[j]++, 0);
                assert_int_equal(list.entries[i].size, j % 2 ? j % 50 : 0);
            }
        }

        assert_int_equal(all, 300);
    }

    /* what is no recording is none of anybody's */

    make(*state, ".tmp/a/b");
    make(*state, "lost+found/a/b");
    make(*state, "app0/s-0/bad name");
    make(*state, "app0/bad.name/x");
    check_write(*state, "app0/s-0/file", "", 0);
    snprintf(path, sizeof(path), "app0/s-0/");
    memset(path + 9, 'i', LR_ID_MAX + 1);
    path[9 + LR_ID_MAX + 1] = '\0';
    make(*state, path);
    assert_int_equal(lr_spool_scan(&list, *state, 0, 1), LR_OK);
    assert_int_equal(list.n, 300);

    lr_spool_free(&list);
    lr_spool_free(&list);

    assert_int_equal(lr_spool_scan(&list, "/nowhere/at/all", 0, 1),
                     LR_ERROR);
    lr_spool_free(&list);
}


/* what cannot be looked into is told, and the rest is there all the same */

static void
shut(void **state)
{
    size_t           i;
    lr_spool_list_t  list;

    static const struct {
        const char  *path;
        size_t       n, shut;
    } found[] = {
        { "live", 1, 1 }, { "live/cam", 2, 1 }, { "quarantine", 2, 0 },
        { NULL, 3, 0 }
    };

    memset(&list, 0, sizeof(list));

    make(*state, "live/cam/20260301");
    make(*state, "live/other/20260301");
    make(*state, "quarantine/a/b");
    make(*state, "quarantine/a.b.c");

    for (i = 0; i < 4; i++) {
        closed = found[i].path;

        assert_int_equal(lr_spool_scan(&list, *state, 0, 1), LR_OK);

        assert_int_equal(list.n, found[i].n);
        assert_int_equal(list.shut, found[i].shut);

        if (list.shut) {
            assert_string_equal(list.shut_path, found[i].path);
            assert_int_equal(list.shut_error, EACCES);
        }
    }

    /* these are nothing to be told of */

    errno = ENOENT;
    assert_int_equal(lr_spool_shut(&list, "removed"), LR_OK);
    errno = ENOTDIR;
    assert_int_equal(lr_spool_shut(&list, "file"), LR_OK);
    assert_int_equal(list.shut, 0);

    lr_spool_free(&list);
}


/* recordings that could not be looked for are not gone */

static void
few_descriptors(void **state)
{
    int              fd, rc;
    unsigned         i;
    struct rlimit    old, rl;
    lr_spool_list_t  list;

    memset(&list, 0, sizeof(list));

    make(*state, "live/cam/20260301");

    fd = dup(0);
    assert_true(fd != -1);
    close(fd);

    getrlimit(RLIMIT_NOFILE, &old);
    rl = old;

    for (i = 0; i < 4; i++) {
        rl.rlim_cur = (rlim_t) fd + i;

        setrlimit(RLIMIT_NOFILE, &rl);
        rc = lr_spool_scan(&list, *state, 0, 1);
        setrlimit(RLIMIT_NOFILE, &old);

        assert_int_equal(rc, i < 3 ? LR_ERROR : LR_OK);
        assert_int_equal(list.n, i < 3 ? 0 : 1);
    }

    lr_spool_free(&list);
}


/* known answers: a recording falls to the same worker in every version */

static void
hashes(void **state)
{
    (void) state;

    assert_true(lr_spool_worker("", 1000) == 2166136261u % 1000);
    assert_true(lr_spool_worker("a", 0x10000) == 0x292c);
    assert_true(lr_spool_worker("foobar", 1000) == 0xbf9cf968u % 1000);
}


static void
told(void *data, const char *path)
{
    unsigned  *n = data;

    assert_true(path[0] == '/');
    ++*n;
}


static void
tidies(void **state)
{
    int              fd;
    char             path[CHECK_PATH], id[LR_ID_MAX + 2], name[CHECK_PATH];
    unsigned         n;
    struct timespec  ts[2];

    memset(id, 'i', sizeof(id));
    id[LR_ID_MAX + 1] = '\0';

    make(*state, "live/cam/20260301");
    check_write(*state, "live/cam/20260301/record.log", "x\n", 2);
    check_write(*state, "live/cam/20260301/anything at all", "x", 1);
    make(*state, "quarantine/old one");
    make(*state, "lost+found");
    make(*state, ".tmp");
    check_write(*state, ".hidden", "x", 1);

    check_write(*state, "README", "x", 1);
    make(*state, "bad name/x/y");
    check_write(*state, "live/file", "x", 1);
    make(*state, "live/bad.name");
    check_write(*state, "live/cam/file", "x", 1);
    assert_int_equal(symlink("/etc", check_path(path, *state, "link")), 0);
    snprintf(path, sizeof(path), "live/cam/%s", id);
    make(*state, path);

    n = 0;
    lr_spool_tidy(*state, told, &n);
    assert_int_equal(n, 7);

    assert_true(is_there(*state, "live/cam/20260301/anything at all"));
    assert_true(is_there(*state, "quarantine/old one"));
    assert_true(is_there(*state, "lost+found"));
    assert_true(is_there(*state, ".hidden"));

    assert_true(is_there(*state, "quarantine/README"));
    assert_true(is_there(*state, "quarantine/bad name/x/y"));
    assert_true(is_there(*state, "quarantine/live.file"));
    assert_true(is_there(*state, "quarantine/live.bad.name"));
    assert_true(is_there(*state, "quarantine/live.cam.file"));
    assert_true(is_there(*state, "quarantine/link"));
    snprintf(path, sizeof(path), "quarantine/live.cam.%s", id);
    assert_true(is_there(*state, path));
    assert_false(is_there(*state, "README"));
    assert_false(is_there(*state, "live/file"));
    assert_int_equal(check_entries(check_path(path, *state, "live/cam")), 1);

    /* again there is nothing to do, and taken names stay what they are */

    lr_spool_tidy(*state, told, &n);
    assert_int_equal(n, 7);
    check_write(*state, "README", "other", 5);
    lr_spool_tidy(*state, told, &n);
    assert_int_equal(n, 8);
    assert_int_equal(check_size(*state, "quarantine/README"), 1);
    assert_int_equal(check_size(*state, "quarantine/README.1"), 5);

    /* .tmp: what is old and nobody's goes */

    make(*state, ".tmp/old");
    check_write(*state, ".tmp/old/record.log", "x", 1);
    check_write(*state, ".tmp/old/template.json", "x", 1);
    make(*state, ".tmp/held");
    check_write(*state, ".tmp/held/record.log", "x\n", 2);
    make(*state, ".tmp/new");
    fd = lr_journal_open(check_path(path, *state, ".tmp/held/record.log"), 0);
    assert_true(fd != -1);

    ts[0].tv_nsec = ts[1].tv_nsec = 0;
    ts[0].tv_sec = ts[1].tv_sec = time(NULL) - LR_SPOOL_TMP_AGE - 1;
    utimensat(AT_FDCWD, check_path(name, *state, ".tmp/old"), ts, 0);
    utimensat(AT_FDCWD, check_path(name, *state, ".tmp/held"), ts, 0);

    lr_spool_tidy(*state, told, &n);
    assert_int_equal(n, 8);
    assert_false(is_there(*state, ".tmp/old"));
    assert_true(is_there(*state, ".tmp/held/record.log"));
    assert_true(is_there(*state, ".tmp/new"));
    close(fd);
}


static void
quarantines(void **state)
{
    int   fd, i;
    char  path[CHECK_PATH], name[400];

    make(*state, "live/cam/a");
    fd = lr_journal_open(check_path(path, *state, "live/cam/a/record.log"),
                         1);
    assert_true(fd != -1);
    assert_int_equal(lr_spool_quarantine(*state, "live/cam/a", "live.cam.a"),
                     LR_AGAIN);
    assert_true(is_there(*state, "live/cam/a/record.log"));
    close(fd);

    assert_int_equal(lr_spool_quarantine(*state, "live/cam/a", "live.cam.a"),
                     LR_OK);
    assert_true(is_there(*state, "quarantine/live.cam.a/record.log"));

    assert_int_equal(lr_spool_quarantine(*state, "live/cam/a", "live.cam.a"),
                     LR_ERROR);
    assert_int_equal(errno, ENOENT);

    /* taken by a directory, a file, a link to nowhere */

    check_write(*state, "quarantine/live.cam.a.1", "x", 1);
    assert_int_equal(symlink("no", check_path(path, *state,
                                              "quarantine/live.cam.a.2")),
                     0);
    make(*state, "live/cam/a");
    assert_int_equal(lr_spool_quarantine(*state, "live/cam/a", "live.cam.a"),
                     LR_OK);
    assert_true(is_there(*state, "quarantine/live.cam.a.3"));
    assert_int_equal(check_size(*state, "quarantine/live.cam.a.1"), 1);
    assert_true(is_there(*state, "quarantine/live.cam.a.2"));

    for (i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), i ? "quarantine/f.%d" : "quarantine/f",
                 i);
        check_write(*state, name, "x", 1);
    }

    check_write(*state, "f", "last", 4);
    assert_int_equal(lr_spool_quarantine(*state, "f", "f"), LR_ERROR);
    assert_int_equal(errno, EEXIST);
    assert_int_equal(check_size(*state, "f"), 4);

    /* names that are too long for a file */

    memset(name, 'n', sizeof(name));
    name[399] = '\0';
    assert_int_equal(lr_spool_quarantine(*state, "f", name), LR_OK);
    assert_false(is_there(*state, "f"));
}


/* what recordings take, and nothing else */

static void
usages(void **state)
{
    char      *text;
    uint64_t   n;

    assert_true(lr_spool_usage("/nowhere/at/all") == 0);
    assert_true(lr_spool_usage(*state) == 0);

    text = calloc(1, 100000);
    make(*state, "a/b/c");
    make(*state, "a/b/d");
    check_write(*state, "a/b/c/000001.flv", text, 100000);
    n = lr_spool_usage(*state);
    assert_true(n >= 100000 && n < 200000);

    check_write(*state, "a/b/d/000001.flv", text, 100000);
    assert_true(lr_spool_usage(*state) == 2 * n);

    check_write(*state, "a/b/file", text, 100000);
    make(*state, ".tmp/x/y");
    check_write(*state, ".tmp/x/y/f", text, 100000);
    assert_true(lr_spool_usage(*state) == 2 * n);

    free(text);
}


static void
disks(void **state)
{
    lr_quota_disk_t  disk;

    assert_int_equal(lr_spool_disk("/nowhere/at/all", 1, &disk), LR_ERROR);
    assert_int_equal(errno, ENOENT);

    make(*state, "a/b/c");
    check_write(*state, "a/b/c/000001.flv", "x", 1);

    assert_int_equal(lr_spool_disk(*state, 1, &disk), LR_OK);
    assert_true(disk.used == lr_spool_usage(*state) && disk.used > 0);
    assert_true(disk.avail > 0 && disk.avail <= disk.total);

    assert_int_equal(lr_spool_disk(*state, 0, &disk), LR_OK);
    assert_true(disk.used == 0);
}


static void
sweeps(void **state)
{
    char  path[CHECK_PATH];

    make(*state, "d");
    check_write(*state, "d/a", "x", 1);
    check_write(*state, "d/.b", "x", 1);
    assert_int_equal(symlink("/etc/passwd", check_path(path, *state, "d/l")),
                     0);
    lr_spool_sweep(check_path(path, *state, "d"));
    assert_false(is_there(*state, "d"));
    assert_true(is_there("/etc", "passwd"));
    lr_spool_sweep(path);

    make(*state, "d/sub");
    check_write(*state, "d/sub/x", "x", 1);
    lr_spool_sweep(path);
    assert_true(is_there(*state, "d/sub/x"));
}


int
main(void)
{
#define t(f)  cmocka_unit_test_setup_teardown(f, check_setup, check_teardown)
    const struct CMUnitTest  tests[] = {
        t(scans),
        t(shut),
        t(few_descriptors),
        t(hashes),
        t(tidies),
        t(quarantines),
        t(usages),
        t(disks),
        t(sweeps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
