
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <cmocka.h>
#include "../../../spool/lr_plain.c"
#include "spool_check.h"


static void
opens(void **state)
{
    int          fd;
    char         path[CHECK_PATH];
    struct stat  st;

    check_path(path, *state, "file");

    assert_int_equal(lr_plain_open(path, O_RDONLY), -1);
    assert_int_equal(errno, ENOENT);

    fd = lr_plain_open(path, O_RDWR|O_CREAT);
    assert_int_not_equal(fd, -1);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    close(fd);

    fd = lr_plain_open(path, O_RDONLY);
    assert_int_not_equal(fd, -1);
    close(fd);
}


/* nothing of it hangs, in whatever way it is opened */

static void
declines(void **state)
{
    int                 s;
    char                path[CHECK_PATH];
    size_t              i;
    static const int    flags[] = { O_RDONLY, O_WRONLY|O_CREAT|O_APPEND,
                                    O_RDWR };
    static const char  *names[] = { "fifo", "dir", "loop", "socket" };
    struct sockaddr_un  sun;

    assert_int_equal(mkfifo(check_path(path, *state, "fifo"), 0600), 0);
    assert_int_equal(mkdir(check_path(path, *state, "dir"), 0700), 0);
    assert_int_equal(symlink("loop", check_path(path, *state, "loop")), 0);

    memset(&sun, 0, sizeof(sun));
    sun.sun_family = AF_UNIX;
    snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/socket",
             (char *) *state);

    s = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(s, (struct sockaddr *) &sun, sizeof(sun)), 0);

    for (i = 0; i < 12; i++) {
        errno = 0;
        assert_int_equal(lr_plain_open(check_path(path, *state, names[i % 4]),
                                       flags[i / 4]), -1);
        assert_int_equal(errno, ENODATA);
    }

    close(s);
}


int
main(void)
{
#define t(f)  cmocka_unit_test_setup_teardown(f, check_setup, check_teardown)
    const struct CMUnitTest  tests[] = {
        t(opens),
        t(declines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
