
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "../../../spool/lr_settings.c"
#include "spool_check.h"


static void
same(const lr_settings_t *a, const lr_settings_t *b)
{
    assert_string_equal(a->app, b->app);
    assert_string_equal(a->stream, b->stream);
    assert_string_equal(a->domain, b->domain);
    assert_string_equal(a->scope, b->scope);
    assert_string_equal(a->bucket, b->bucket);
    assert_string_equal(a->path, b->path);
    assert_string_equal(a->fragment_path, b->fragment_path);
    assert_string_equal(a->index_path, b->index_path);
    assert_string_equal(a->timezone, b->timezone);
    assert_int_equal(a->formats, b->formats);
    assert_int_equal(a->cycle, b->cycle);
    assert_int_equal(a->fragment, b->fragment);
    assert_int_equal(a->grace, b->grace);
    assert_int_equal(a->notify, b->notify);
}


static void
round_trip(void **state)
{
    char           err[256];
    lr_buf_t       b;
    lr_settings_t  st, copy, back;

    check_settings(&st);
    st.domain = (char *) "\xe4\xbd\xa0\"\\/";
    st.index_path = (char *) "";
    st.formats = LR_FORMAT_M3U8|LR_FORMAT_FLV;
    st.notify = LR_NOTIFY_FILES|LR_NOTIFY_STATUS;
    memset(st.app, 'a', LR_NAME_MAX);

    memset(&b, 0, sizeof(b));
    lr_settings_write(&st, &b);
    assert_false(b.failed);
    check_write(*state, "template.json", b.data, b.len);

    assert_int_equal(lr_settings_read(&back, *state, err, sizeof(err)),
                     LR_OK);
    same(&st, &back);

    assert_int_equal(lr_settings_copy(&copy, &back), LR_OK);
    assert_ptr_not_equal(copy.path, back.path);
    lr_settings_free(&back);
    same(&st, &copy);
    lr_settings_free(&copy);
    lr_settings_free(&copy);
    assert_null(copy.path);

    /* strings that were never set */

    st.domain = NULL;
    assert_int_equal(lr_settings_copy(&copy, &st), LR_OK);
    assert_string_equal(copy.domain, "");
    lr_settings_free(&copy);

    lr_buf_free(&b);
}


/* a file with one member replaced */

static int
with(const char *dir, const char *member, const char *value, char *err)
{
    int            rc;
    char          *p, *end, key[64];
    lr_buf_t       b, c;
    lr_settings_t  st;

    check_settings(&st);
    memset(&b, 0, sizeof(b));
    memset(&c, 0, sizeof(c));
    lr_settings_write(&st, &b);
    lr_buf_append(&b, "", 1);

    snprintf(key, sizeof(key), "\"%s\": ", member);
    p = strstr((char *) b.data, key);
    assert_non_null(p);
    p += strlen(key);
    end = strstr(p, "\n");
    end -= end[-1] == ',';

    lr_buf_append(&c, b.data, (size_t) (p - (char *) b.data));
    lr_buf_puts(&c, value);
    lr_buf_puts(&c, end);
    check_write(dir, "template.json", c.data, c.len);

    err[0] = '\0';
    rc = lr_settings_read(&st, dir, err, 256);

    if (rc == LR_OK) {
        lr_settings_free(&st);

    } else {
        assert_true(err[0] != '\0');
        assert_null(st.path);
    }

    lr_buf_free(&b);
    lr_buf_free(&c);

    return rc;
}


static void
members(void **state)
{
    static const struct {
        const char  *member;
        const char  *value;
        int          rc;
    } cases[] = {
        { "version", "1", LR_OK },
        { "version", "2", LR_DECLINED },
        { "version", "0", LR_DECLINED },
        { "version", "\"1\"", LR_DECLINED },
        { "app", "\"x\"", LR_OK },
        { "app", "\"\"", LR_DECLINED },
        { "app", "\"..\"", LR_DECLINED },
        { "app", "\"../../etc\"", LR_DECLINED },
        { "stream", "\"a b\"", LR_DECLINED },
        { "stream", "7", LR_DECLINED },
        { "domain", "null", LR_DECLINED },
        { "scope", "\"\"", LR_OK },
        { "bucket", "[]", LR_DECLINED },
        { "path", "\"a\\u0000b\"", LR_DECLINED },
        { "fragment_path", "{}", LR_DECLINED },
        { "index_path", "\"\"", LR_OK },
        { "timezone", "true", LR_DECLINED },
        { "formats", "0", LR_DECLINED },
        { "formats", "-1", LR_DECLINED },
        { "formats", "4294967296", LR_DECLINED },
        { "formats", "7", LR_OK },
        { "cycle", "0", LR_DECLINED },
        { "cycle", "-5", LR_DECLINED },
        { "cycle", "1.5", LR_DECLINED },
        { "cycle", "9223372036854775807", LR_DECLINED },
        { "fragment", "9223372036854775808", LR_DECLINED },
        { "fragment", "\"5000\"", LR_DECLINED },
        { "grace", "2592000000", LR_OK },
        { "grace", "2592000001", LR_DECLINED }
    };

    char    err[256];
    size_t  i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (with(*state, cases[i].member, cases[i].value, err)
            != cases[i].rc)
        {
            print_error("%s: %s\n", cases[i].member, cases[i].value);
            fail();
        }
    }
}


static void
files(void **state)
{
    char           path[CHECK_PATH], err[256];
    char          *big;
    size_t         i;
    lr_buf_t       b;
    lr_settings_t  st;
    struct rlimit  rl, old;

    check_path(path, *state, "template.json");

    /* missing, cut at any byte, not a file, too long: it is set aside */

    assert_int_equal(lr_settings_read(&st, *state, err, sizeof(err)),
                     LR_DECLINED);
    assert_true(err[0] != '\0');

    check_settings(&st);
    memset(&b, 0, sizeof(b));
    lr_settings_write(&st, &b);

    for (i = 0; i < b.len - 2; i++) {
        check_write(*state, "template.json", b.data, i);
        assert_int_equal(lr_settings_read(&st, *state, err, sizeof(err)),
                         LR_DECLINED);
    }

    big = calloc(1, 2 * LR_SETTINGS_MAX);
    memset(big, ' ', 2 * LR_SETTINGS_MAX);
    memcpy(big, b.data, b.len);
    check_write(*state, "template.json", big, LR_SETTINGS_MAX);
    assert_int_equal(lr_settings_read(&st, *state, err, sizeof(err)), LR_OK);
    lr_settings_free(&st);

    check_write(*state, "template.json", big, LR_SETTINGS_MAX + 1);
    assert_int_equal(lr_settings_read(&st, *state, err, sizeof(err)),
                     LR_DECLINED);
    free(big);

    /* but not because it could not be opened just now */

    getrlimit(RLIMIT_NOFILE, &old);
    rl = old;
    rl.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &rl);
    assert_int_equal(lr_settings_read(&st, *state, err, sizeof(err)),
                     LR_ERROR);
    assert_int_equal(errno, EMFILE);
    setrlimit(RLIMIT_NOFILE, &old);

    unlink(path);
    mkdir(path, 0700);
    assert_int_equal(lr_settings_read(&st, *state, err, sizeof(err)),
                     LR_DECLINED);

    lr_buf_free(&b);
}


int
main(void)
{
#define t(f)  cmocka_unit_test_setup_teardown(f, check_setup, check_teardown)
    const struct CMUnitTest  tests[] = {
        t(round_trip),
        t(members),
        t(files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
