
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "../../../spool/lr_owner.c"
#include "spool_check.h"


#define NOBODY  ((uid_t) -1)


static void
takes(void **state)
{
    int   a, b, c;
    char  other[LR_PATH_MAX];

    assert_int_equal(lr_owner_take(*state, "/run/a.pid", 0, NOBODY, &a,
                                   other), LR_OK);

    /* of the same name all may, of another one none, but a successor */

    assert_int_equal(lr_owner_take(*state, "/run/a.pid", 0, NOBODY, &b,
                                   other), LR_OK);

    assert_int_equal(lr_owner_take(*state, "/run/b.pid", 0, NOBODY, &c,
                                   other), LR_DECLINED);
    assert_string_equal(other, "/run/a.pid");
    assert_int_equal(c, -1);

    close(a);
    assert_int_equal(lr_owner_take(*state, "/run/b", 0, NOBODY, &c, other),
                     LR_DECLINED);
    assert_int_equal(lr_owner_take(*state, "/run/b", 1, NOBODY, &c, other),
                     LR_OK);
    assert_int_equal(lr_owner_take(*state, "/run/a.pid", 0, NOBODY, &a,
                                   other), LR_DECLINED);
    assert_string_equal(other, "/run/b");

    /* free when all have gone, whoever they were */

    close(b);
    close(c);
    assert_int_equal(lr_owner_take(*state, "/run/c.pid", 0, NOBODY, &c,
                                   other), LR_OK);
    close(c);
}


/* a child that is left holds it as well; what it starts does not */

static void
children(void **state)
{
    int    a, b;
    char   other[LR_PATH_MAX];
    pid_t  pid;

    assert_int_equal(lr_owner_take(*state, "/run/a.pid", 0, NOBODY, &a,
                                   other), LR_OK);
    assert_true(fcntl(a, F_GETFD) & FD_CLOEXEC);

    pid = fork();

    if (pid == 0) {
        pause();
        _exit(0);
    }

    close(a);
    assert_int_equal(lr_owner_take(*state, "/run/b.pid", 0, NOBODY, &b,
                                   other), LR_DECLINED);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_true(waitpid(pid, NULL, 0) == pid);
    assert_int_equal(lr_owner_take(*state, "/run/b.pid", 0, NOBODY, &b,
                                   other), LR_OK);
    close(b);
}


/* one that is just taking it is waited for */

static void
waits(void **state)
{
    int    a, b;
    char   path[CHECK_PATH], other[LR_PATH_MAX];
    pid_t  pid;

    pid = fork();

    if (pid == 0) {
        a = open(check_path(path, *state, LR_OWNER_FILE), O_RDWR|O_CREAT,
                 0644);
        (void) flock(a, LOCK_EX);
        usleep(300000);
        (void) !write(a, "/run/a.pid\n", 11);
        (void) flock(a, LOCK_SH);
        pause();
    }

    usleep(100000);
    assert_int_equal(lr_owner_take(*state, "/run/b.pid", 0, NOBODY, &b,
                                   other), LR_DECLINED);
    assert_string_equal(other, "/run/a.pid");

    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_true(waitpid(pid, NULL, 0) == pid);
}


/* what may be there instead of the file */

static void
strange(void **state)
{
    int   a;
    char  path[CHECK_PATH], other[LR_PATH_MAX], name[LR_PATH_MAX + 1];

    check_path(path, *state, LR_OWNER_FILE);

    check_write(*state, LR_OWNER_FILE, "\0\xff no newline, and long", 24);
    assert_int_equal(lr_owner_take(*state, "/a", 0, NOBODY, &a, other),
                     LR_OK);
    assert_int_equal(check_size(*state, LR_OWNER_FILE), 3);
    close(a);

    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(lr_owner_take(*state, "/a", 0, NOBODY, &a, other),
                     LR_ERROR);
    assert_int_equal(errno, EINVAL);

    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(lr_owner_take(*state, "/a", 0, NOBODY, &a, other),
                     LR_ERROR);
    assert_int_equal(errno, ELOOP);

    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(lr_owner_take(*state, "/a", 0, NOBODY, &a, other),
                     LR_ERROR);
    assert_int_equal(errno, EISDIR);
    assert_int_equal(rmdir(path), 0);

    assert_int_equal(lr_owner_take("/nowhere", "/a", 0, NOBODY, &a, other),
                     LR_ERROR);
    assert_int_equal(a, -1);

    memset(name, 'n', sizeof(name));
    name[LR_PATH_MAX] = '\0';
    assert_int_equal(lr_owner_take(*state, name, 0, NOBODY, &a, other),
                     LR_ERROR);
    assert_int_equal(errno, ENAMETOOLONG);
}


static void
pids(void **state)
{
    char  path[CHECK_PATH];

    check_path(path, *state, "pid");

    assert_int_equal(lr_owner_pid(path), 0);
    check_write(*state, "pid", "4711\n", 5);
    assert_int_equal(lr_owner_pid(path), 4711);
    check_write(*state, "pid", "no", 2);
    assert_int_equal(lr_owner_pid(path), 0);
    assert_int_equal(lr_owner_pid(""), 0);
}


int
main(void)
{
#define t(f)  cmocka_unit_test_setup_teardown(f, check_setup, check_teardown)
    const struct CMUnitTest  tests[] = {
        t(takes),
        t(children),
        t(waits),
        t(strange),
        t(pids),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
