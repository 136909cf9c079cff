
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
#include <fcntl.h>
#include <unistd.h>


/*
 * What a descriptor is asked for.  The file systems of a test may be of any
 * kind: O_DIRECT is taken off before they see it, and what they would say of
 * it is said here.
 */

static int       real;                /* but in one test */
static int       direct;              /* the descriptor is set to it */
static int       refuse_set;
static int       refuse_write;        /* EINVAL, as of a large block */
static size_t    most;                /* written by one call, 0: all */
static unsigned  interrupt;           /* every so many calls */
static unsigned  calls;
static size_t    past;                /* bytes that went past the cache */


static int
test_lr_fcntl(int fd, int cmd, ...)
{
    int      was, flags;
    va_list  args;

    va_start(args, cmd);
    flags = cmd == F_SETFL ? va_arg(args, int) : 0;
    va_end(args);

    if (real) {
        return fcntl(fd, cmd, flags);
    }

    was = fcntl(fd, F_GETFL);

    if (cmd == F_GETFL) {
        return direct ? was | O_DIRECT : was;
    }

    assert_int_equal(cmd, F_SETFL);
    assert_int_equal(flags & ~O_DIRECT, was);

    if ((flags & O_DIRECT) && refuse_set) {
        errno = EINVAL;
        return -1;
    }

    direct = (flags & O_DIRECT) != 0;

    return 0;
}


static ssize_t
test_lr_pwrite(int fd, const void *p, size_t n, off_t at)
{
    ssize_t  got;

    if (real) {
        return pwrite(fd, p, n, at);
    }

    calls++;

    if (interrupt && calls % interrupt == 0) {
        errno = EINTR;
        return -1;
    }

    if (direct) {
        assert_int_equal((uintptr_t) p % 4096, 0);
        assert_int_equal(at % 4096, 0);
        assert_int_equal(n % 4096, 0);
        assert_true(n >= 65536);

        if (refuse_write) {
            errno = EINVAL;
            return -1;
        }
    }

    got = pwrite(fd, p, most && n > most ? most : n, at);

    if (direct && got > 0) {
        past += (size_t) got;
    }

    return got;
}


#define fcntl  test_lr_fcntl
#define pwrite  test_lr_pwrite
#include "../../../spool/lr_direct.c"
#undef fcntl
#undef pwrite
#include "../core/random_check.h"
#include "spool_check.h"


#define SIZE  (4 << 20)


static u_char         *data;
static uint64_t  seed = 1;


static unsigned
number(unsigned n)
{
    return random_to(&seed, n);
}


static int
setup(void **state)
{
    size_t  i;
    void   *p;

    if (posix_memalign(&p, 4096, SIZE) != 0) {
        return -1;
    }

    data = p;

    for (i = 0; i < SIZE; i++) {
        data[i] = (u_char) (i * 2654435761u >> 11);
    }

    direct = refuse_set = refuse_write = 0;
    most = 0;
    interrupt = 0;
    past = 0;

    return check_setup(state);
}


static int
teardown(void **state)
{
    free(data);

    return check_teardown(state);
}


/* writes a file from an offset on, in pieces, and reads it */

static void
store(const char *dir, size_t from, size_t to, size_t piece, unsigned able)
{
    int          fd;
    char         path[CHECK_PATH];
    size_t       at, n;
    u_char      *got;
    lr_direct_t  d;

    fd = open(check_path(path, dir, "file"), O_RDWR|O_CREAT|O_TRUNC, 0600);
    assert_true(fd != -1);
    assert_int_equal(write(fd, data, from), from);

    assert_int_equal(lr_direct_begin(&d, fd, able), LR_OK);
    assert_int_equal(d.offset, from);

    /* whatever the file system of the test is */

    d.able = able;

    for (at = from; at < to; at += n) {
        n = piece;

        if (at == from && from % 4096) {
            n = 4096 - from % 4096;
        }

        n = n < to - at ? n : to - at;

        assert_int_equal(lr_direct_write(&d, data + at, n), LR_OK);
        assert_int_equal(d.offset, at + n);
    }

    assert_int_equal(lr_direct_end(&d), LR_OK);
    assert_int_equal(direct, 0);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), to);

    got = malloc(to + 1);
    assert_non_null(got);
    assert_int_equal(pread(fd, got, to + 1, 0), to);
    assert_memory_equal(got, data, to);

    free(got);
    close(fd);
    unlink(path);
}


/* all but the ends that are no whole blocks */

static void
past_the_cache(void **state)
{
    store(*state, 0, 2 << 20, 1 << 20, 1);
    assert_int_equal(past, 2 << 20);

    past = 0;
    store(*state, 1000, (3 << 20) + 1001, 1 << 20, 1);
    assert_int_equal(past, (3 << 20) - 4096);

    /* not worth it */

    past = 0;
    store(*state, 0, 65535, 1 << 20, 1);
    store(*state, 0, 1 << 20, 61440, 1);
    assert_int_equal(past, 0);

    /* not asked for */

    store(*state, 0, 1 << 20, 1 << 20, 0);
    assert_int_equal(past, 0);
}


static void
any_pieces(void **state)
{
    size_t    from;
    unsigned  i;

    for (i = 0; i < 300; i++) {
        most = number(3) ? 0 : 1 + number(300000);
        interrupt = number(3) ? 0 : 2 + number(5);
        refuse_set = number(8) == 0;
        refuse_write = number(8) == 0;
        from = number(3) ? number(200000) : 0;

        store(*state, from, from + number(SIZE - 200000),
              1 + number(600000), number(4) != 0);
    }
}


/* who cannot do it after all does not notice */

static void
refused(void **state)
{
    refuse_set = 1;
    store(*state, 0, 3 << 20, 1 << 20, 1);
    assert_int_equal(past, 0);

    refuse_set = 0;
    refuse_write = 1;
    calls = 0;
    store(*state, 0, 3 << 20, 1 << 20, 1);
    assert_int_equal(past, 0);

    /* nor is it tried for every piece */

    assert_int_equal(calls, 4);
}


static void
full_disk(void **state)
{
    int          fd, pair[2];
    char         path[CHECK_PATH];
    unsigned     able;
    lr_direct_t  d;

    for (able = 0; able < 2; able++) {
        fd = open(check_path(path, *state, "file"),
                  O_RDWR|O_CREAT|O_TRUNC, 0600);
        assert_true(fd != -1);

        assert_int_equal(lr_direct_begin(&d, fd, able), LR_OK);
        d.able = able;

        check_limit(1 << 20);
        assert_int_equal(lr_direct_write(&d, data, 1 << 20), LR_OK);
        assert_int_equal(lr_direct_write(&d, data, 1 << 20), LR_ERROR);
        assert_int_equal(errno, EFBIG);
        check_limit(RLIM_INFINITY);

        assert_int_equal(d.offset, 1 << 20);
        assert_int_equal(lr_direct_end(&d), LR_OK);
        assert_int_equal(direct, 0);
        close(fd);
    }

    /* and what is no file */

    assert_int_equal(pipe(pair), 0);
    assert_int_equal(lr_direct_begin(&d, pair[1], 1), LR_ERROR);
    assert_int_equal(errno, ESPIPE);
    close(pair[0]);
    close(pair[1]);
}


/* with the kernel itself, whatever it can do in this directory */

static void
really(void **state)
{
    int          fd, flags;
    char         path[] = "/tmp/lr_test.XXXXXX";
    u_char      *got;
    lr_direct_t  d;

    (void) state;

    fd = mkstemp(path);
    assert_true(fd != -1);
    unlink(path);
    flags = fcntl(fd, F_GETFL);

    real = 1;
    assert_int_equal(lr_direct_begin(&d, fd, 1), LR_OK);
    assert_int_equal(lr_direct_write(&d, data, (1 << 20) + 77), LR_OK);
    assert_int_equal(lr_direct_end(&d), LR_OK);
    assert_int_equal(fcntl(fd, F_GETFL), flags);
    real = 0;

    got = malloc(SIZE);
    assert_non_null(got);
    assert_int_equal(pread(fd, got, SIZE, 0), (1 << 20) + 77);
    assert_memory_equal(got, data, (1 << 20) + 77);

    free(got);
    close(fd);
}


int
main(void)
{
#define t(f)  cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest  tests[] = {
        t(past_the_cache),
        t(any_pieces),
        t(refused),
        t(full_disk),
        t(really)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
