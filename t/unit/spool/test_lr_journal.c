
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "../../../spool/lr_journal.c"
#include "spool_check.h"


typedef struct {
    unsigned    n;
    unsigned    refuse;               /* the n-th line */
    int         err;                  /* with this errno */
    char        last[64];
    json_int_t  sum;
} seen_t;


static int
on_line(void *data, const char *event, json_t *o)
{
    seen_t  *s = data;

    if (s->refuse && s->n + 1 == s->refuse) {
        errno = s->err;
        return LR_ERROR;
    }

    s->n++;
    s->sum += json_integer_value(json_object_get(o, "v"));
    snprintf(s->last, sizeof(s->last), "%s", event);

    return LR_OK;
}


static int
read_all(const char *dir, seen_t *s, uint64_t *offset, char *err)
{
    char  path[CHECK_PATH];

    return lr_journal_read(check_path(path, dir, "log"), offset, on_line, s,
                           err, 256);
}


static void
round_trip(void **state)
{
    int       fd;
    char      path[CHECK_PATH], err[256];
    seen_t    s;
    unsigned  i;
    uint64_t  offset;

    memset(&s, 0, sizeof(s));
    offset = 0;
    check_path(path, *state, "log");

    assert_int_equal(lr_journal_open(path, 0), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(read_all(*state, &s, &offset, err), LR_ERROR);
    assert_int_equal(errno, ENOENT);

    fd = lr_journal_open(path, 1);
    assert_true(fd != -1);

    assert_int_equal(read_all(*state, &s, &offset, err), LR_OK);
    assert_int_equal(s.n, 0);

    for (i = 1; i <= 3000; i++) {
        assert_int_equal(lr_journal_write(fd, "tick",
                                          json_pack("{s:i}", "v", (int) i)),
                         LR_OK);

        if (i % 7 == 0) {
            assert_int_equal(read_all(*state, &s, &offset, err), LR_OK);
            assert_int_equal(s.n, i);
        }
    }

    assert_int_equal(read_all(*state, &s, &offset, err), LR_OK);
    assert_int_equal(s.n, 3000);
    assert_int_equal(s.sum, 3000 * 3001 / 2);
    assert_int_equal(offset, check_size(*state, "log"));

    /* no memory for the object */

    assert_int_equal(lr_journal_write(fd, "tick", NULL), LR_ERROR);
    assert_int_equal(errno, ENOMEM);
    assert_int_equal(offset, check_size(*state, "log"));

    close(fd);
}


/* the file cut at every byte: whole lines stay, and it goes on */

static void
torn(void **state)
{
    int                    fd;
    char                   path[CHECK_PATH], err[256];
    long                   n, whole, i, lines;
    seen_t                 s;
    uint64_t               offset;
    struct stat            st;
    struct timespec        times[2];
    static const char      text[] = "{\"event\":\"a\",\"v\":1}\n"
                                    "{\"event\":\"bb\",\"v\":2}\n"
                                    "{\"event\":\"c\",\"v\":3}\n";

    check_path(path, *state, "log");

    for (n = 0; n < (long) sizeof(text); n++) {
        check_write(*state, "log", text, (size_t) n);

        for (i = 0, whole = 0, lines = 0; i < n; i++) {
            if (text[i] == '\n') {
                whole = i + 1;
                lines++;
            }
        }

        times[0].tv_sec = times[1].tv_sec = 1000000000;
        times[0].tv_nsec = times[1].tv_nsec = 5000000;
        utimensat(AT_FDCWD, path, times, 0);

        /* a reader sees whole lines only */

        memset(&s, 0, sizeof(s));
        offset = 0;
        assert_int_equal(read_all(*state, &s, &offset, err), LR_OK);
        assert_int_equal(s.n, lines);
        assert_int_equal(offset, whole);

        fd = lr_journal_open(path, 0);
        assert_true(fd != -1);
        assert_int_equal(check_size(*state, "log"), whole);

        /* the time of the last write tells when the writer died */

        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mtim.tv_sec, 1000000000);

        assert_int_equal(lr_journal_write(fd, "new",
                                          json_pack("{s:i}", "v", 9)),
                         LR_OK);
        close(fd);

        assert_int_equal(read_all(*state, &s, &offset, err), LR_OK);
        assert_int_equal(s.n, lines + 1);
        assert_string_equal(s.last, "new");
    }

    /* a torn line longer than what is looked at in one piece */

    fd = open(path, O_WRONLY|O_CREAT|O_TRUNC, 0600);
    assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);

    for (i = 0; i < 10000; i++) {
        assert_int_equal(write(fd, "\0", 1), 1);
    }

    close(fd);
    fd = lr_journal_open(path, 0);
    assert_true(fd != -1);
    assert_int_equal(check_size(*state, "log"), sizeof(text) - 1);
    close(fd);
}


static void
locks(void **state)
{
    int    fd, other;
    char   path[CHECK_PATH], moved[CHECK_PATH];
    pid_t  pid;

    check_path(path, *state, "log");
    check_path(moved, *state, "moved");

    fd = lr_journal_open(path, 1);
    assert_true(fd != -1);
    assert_int_equal(lr_journal_open(path, 0), -1);
    assert_int_equal(errno, EWOULDBLOCK);
    assert_int_equal(lr_journal_open(path, 1), -1);
    assert_int_equal(errno, EWOULDBLOCK);

    /* a process that dies gives it back */

    close(fd);
    pid = fork();

    if (pid == 0) {
        _exit(lr_journal_open(path, 0) == -1);
    }

    assert_int_equal(waitpid(pid, &other, 0), pid);
    assert_int_equal(other, 0);

    fd = lr_journal_open(path, 0);
    assert_true(fd != -1);

    /* another name for the same file is the same lock */

    assert_int_equal(link(path, moved), 0);
    assert_int_equal(lr_journal_open(moved, 0), -1);
    assert_int_equal(errno, EWOULDBLOCK);

    close(fd);
}


/* what was opened is not what has the name when the lock is there */

static void
removed(void **state)
{
    int    fd, held, status;
    char   path[CHECK_PATH], moved[CHECK_PATH];
    pid_t  pid;

    check_path(path, *state, "log");
    check_path(moved, *state, "moved");

    /*
     * As fast as it can, one removes the file under its lock and another
     * opens it: a descriptor that is given out is the file of that name.
     */

    pid = fork();

    if (pid == 0) {
        for (status = 0; status < 20000; status++) {
            fd = lr_journal_open(path, 1);

            if (fd != -1) {
                if (status & 1) {
                    rename(path, moved);

                } else {
                    unlink(path);
                }

                close(fd);
            }
        }

        _exit(0);
    }

    while (waitpid(pid, &status, WNOHANG) == 0) {
        struct stat  a, b;

        fd = lr_journal_open(path, 1);

        if (fd == -1) {
            assert_true(errno == EWOULDBLOCK || errno == ENOENT);
            continue;
        }

        held = stat(path, &a) == 0 && fstat(fd, &b) == 0;
        assert_true(held);
        assert_int_equal(a.st_ino, b.st_ino);
        close(fd);
    }
}


static void
garbage(void **state)
{
    static const struct {
        const char  *line;
        size_t       len;
        unsigned     good;
    } cases[] = {
        { "{\"event\":\"x\"}", 0, 1 },
        { "{\"event\":\"x\",\"v\":1,\"w\":[1,{}]}", 0, 1 },
        { "", 0, 0 },
        { " ", 0, 0 },
        { "x", 0, 0 },
        { "[]", 0, 0 },
        { "\"event\"", 0, 0 },
        { "{}", 0, 0 },
        { "{\"event\":1}", 0, 0 },
        { "{\"event\":null}", 0, 0 },
        { "{\"event\":\"x\"", 0, 0 },
        { "{\"event\":\"x\"}}", 0, 0 },
        { "{\"event\":\"x\"} {\"event\":\"x\"}", 0, 0 },
        { "{\"event\":\"\xff\"}", 0, 0 },
        { "{\"event\":\"x\",\"v\":99999999999999999999}", 0, 0 },
        { "\0\0\0\0", 4, 0 },
        { "{\"event\":\"x\"}\0", 14, 0 }
    };

    char      err[256];
    size_t    i, len;
    seen_t    s;
    uint64_t  offset;
    lr_buf_t  b;

    memset(&b, 0, sizeof(b));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        b.len = 0;
        len = cases[i].len ? cases[i].len : strlen(cases[i].line);
        lr_buf_puts(&b, "{\"event\":\"first\"}\n");
        lr_buf_append(&b, cases[i].line, len);
        lr_buf_puts(&b, "\n{\"event\":\"last\"}\n");
        check_write(*state, "log", b.data, b.len);

        memset(&s, 0, sizeof(s));
        offset = 0;
        err[0] = '\0';

        if (cases[i].good) {
            assert_int_equal(read_all(*state, &s, &offset, err), LR_OK);
            assert_int_equal(s.n, 3);
            assert_int_equal(offset, b.len);
            continue;
        }

        assert_int_equal(read_all(*state, &s, &offset, err), LR_DECLINED);
        assert_int_equal(s.n, 1);
        assert_int_equal(offset, 18);
        assert_true(err[0] != '\0');

        /* and again the same */

        assert_int_equal(read_all(*state, &s, &offset, err), LR_DECLINED);
        assert_int_equal(offset, 18);
    }

    lr_buf_free(&b);
}


static void
refusals(void **state)
{
    char               err[256];
    seen_t             s;
    uint64_t           offset;
    static const char  text[] = "{\"event\":\"a\"}\n{\"event\":\"b\"}\n";

    check_write(*state, "log", text, sizeof(text) - 1);

    memset(&s, 0, sizeof(s));
    s.refuse = 2;
    offset = 0;
    assert_int_equal(read_all(*state, &s, &offset, err), LR_DECLINED);
    assert_non_null(strstr(err, "\"b\""));
    assert_int_equal(offset, 14);

    /* a lack of memory says nothing about the line */

    s.refuse = 2;
    s.err = ENOMEM;
    assert_int_equal(read_all(*state, &s, &offset, err), LR_ERROR);
    assert_int_equal(errno, ENOMEM);
    assert_int_equal(offset, 14);

    s.refuse = 0;
    assert_int_equal(read_all(*state, &s, &offset, err), LR_OK);
    assert_int_equal(s.n, 2);
}


static void
long_lines(void **state)
{
    int       fd;
    char      path[CHECK_PATH], err[256];
    char     *text;
    size_t    n, over;
    seen_t    s;
    uint64_t  offset;

    check_path(path, *state, "log");
    text = malloc(LR_JOURNAL_LINE_MAX + 16);
    memset(text, 'x', LR_JOURNAL_LINE_MAX + 16);

    /* around the limit, behind lines that put it anywhere in the buffer */

    over = strlen("{\"event\":\"long\",\"t\":\"\"}\n");

    for (n = LR_JOURNAL_LINE_MAX - 3; n <= LR_JOURNAL_LINE_MAX + 3; n++) {

        (void) unlink(path);
        fd = lr_journal_open(path, 1);
        assert_int_equal(lr_journal_write(fd, "short", json_object()),
                         LR_OK);

        text[n - over] = '\0';

        if (n <= LR_JOURNAL_LINE_MAX) {
            assert_int_equal(lr_journal_write(fd, "long",
                                         json_pack("{s:s}", "t", text)),
                             LR_OK);

        } else {

            /* what could not be read is not written */

            assert_int_equal(lr_journal_write(fd, "long",
                                         json_pack("{s:s}", "t", text)),
                             LR_ERROR);
            assert_int_equal(errno, EMSGSIZE);
        }

        text[n - over] = 'x';

        assert_int_equal(lr_journal_write(fd, "short", json_object()),
                         LR_OK);
        close(fd);

        memset(&s, 0, sizeof(s));
        offset = 0;
        assert_int_equal(read_all(*state, &s, &offset, err), LR_OK);
        assert_int_equal(s.n, n <= LR_JOURNAL_LINE_MAX ? 3 : 2);
    }

    /* a line that never ends is an error, unless it may still be written */

    for (n = LR_JOURNAL_LINE_MAX - 1; n <= LR_JOURNAL_LINE_MAX; n++) {
        check_write(*state, "log", text, n);
        offset = 0;
        assert_int_equal(read_all(*state, &s, &offset, err),
                         n < LR_JOURNAL_LINE_MAX ? LR_OK : LR_DECLINED);
        assert_int_equal(offset, 0);
    }

    free(text);
}


/* the disk is full at every byte of a line */

static void
full_disk(void **state)
{
    int        fd;
    char       path[CHECK_PATH], err[256];
    seen_t     s;
    rlim_t     n;
    uint64_t   offset;
    long long  size;

    check_path(path, *state, "log");
    fd = lr_journal_open(path, 1);
    assert_int_equal(lr_journal_write(fd, "first", json_object()), LR_OK);
    size = check_size(*state, "log");

    for (n = (rlim_t) size; n < (rlim_t) size + 17; n++) {
        check_limit(n);
        assert_int_equal(lr_journal_write(fd, "second", json_object()),
                         LR_ERROR);
        assert_true(errno == EFBIG || errno == ENOSPC);
        check_limit(RLIM_INFINITY);
        assert_int_equal(check_size(*state, "log"), size);
    }

    assert_int_equal(lr_journal_write(fd, "third", json_object()), LR_OK);
    close(fd);

    memset(&s, 0, sizeof(s));
    offset = 0;
    assert_int_equal(read_all(*state, &s, &offset, err), LR_OK);
    assert_int_equal(s.n, 2);
    assert_string_equal(s.last, "third");
}


/* what has no end of a line is not read through to find one */

static void
endless(void **state)
{
    int       fd;
    char      path[CHECK_PATH], err[256];
    seen_t    s;
    uint64_t  offset;

    memset(&s, 0, sizeof(s));
    offset = 0;

    check_write(*state, "log", "{\"event\":\"a\"}\n", 14);
    assert_int_equal(truncate(check_path(path, *state, "log"),
                              (off_t) 1 << 40), 0);
    assert_int_equal(lr_journal_open(path, 0), -1);
    assert_int_equal(errno, ENODATA);
    assert_int_equal(read_all(*state, &s, &offset, err), LR_DECLINED);

    /* one that was not written to its end is as long as a line at most */

    assert_int_equal(truncate(path, 14 + LR_JOURNAL_LINE_MAX), 0);
    fd = lr_journal_open(path, 0);
    assert_true(fd != -1);
    assert_int_equal(check_size(*state, "log"), 14);
    close(fd);

    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(lr_journal_open(path, 1), -1);
    assert_int_equal(errno, ENODATA);
    offset = 0;
    assert_int_equal(read_all(*state, &s, &offset, err), LR_DECLINED);
}


int
main(void)
{
#define t(f)  cmocka_unit_test_setup_teardown(f, check_setup, check_teardown)
    const struct CMUnitTest  tests[] = {
        t(round_trip),
        t(torn),
        t(locks),
        t(removed),
        t(garbage),
        t(refusals),
        t(long_lines),
        t(full_disk),
        t(endless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
