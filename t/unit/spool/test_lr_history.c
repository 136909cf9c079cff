
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "../../../spool/lr_history.c"
#include "spool_check.h"


#define NOW  1772366400000LL          /* 2026-03-01T12:00:00Z */


static void
append(const char *spool, int64_t time, const char *stream,
    const char *result)
{
    assert_int_equal(lr_history_append(spool, time,
                         json_pack("{s:I, s:s, s:s, s:s, s:s}",
                                   "time", (json_int_t) time,
                                   "domain", "Live.example.com",
                                   "app", "live", "stream", stream,
                                   "result", result)), LR_OK);
}


static size_t
count(const char *spool, lr_history_query_t *q, size_t *total)
{
    size_t   n;
    json_t  *list;

    list = json_array();
    assert_int_equal(lr_history_read(spool, q, list, total), LR_OK);
    n = json_array_size(list);
    json_decref(list);

    return n;
}


static void
queries(void **state)
{
    size_t              total;
    json_t             *list;
    unsigned            i;
    lr_history_query_t  q;

    memset(&q, 0, sizeof(q));
    q.from = NOW - 3 * LR_HISTORY_DAY;
    q.to = NOW + LR_HISTORY_DAY;
    q.limit = 100;

    assert_int_equal(count(*state, &q, &total), 0);
    assert_int_equal(total, 0);

    for (i = 0; i < 10; i++) {
        append(*state, NOW - LR_HISTORY_DAY + i, "a", "success");
        append(*state, NOW + i, i % 2 ? "b" : "c", "failed");
    }

    assert_int_equal(count(*state, &q, &total), 20);

    q.stream = "b";
    assert_int_equal(count(*state, &q, &total), 5);
    q.domain = "live.EXAMPLE.com";
    q.app = "live";
    q.result = "failed";
    assert_int_equal(count(*state, &q, &total), 5);
    q.result = "success";
    assert_int_equal(count(*state, &q, &total), 0);
    q.result = NULL;
    q.app = "other";
    assert_int_equal(count(*state, &q, &total), 0);
    q.app = NULL;
    q.stream = NULL;

    /* both ends of the time are within it */

    q.from = NOW;
    q.to = NOW + 1;
    assert_int_equal(count(*state, &q, &total), 2);

    /* pages */

    q.from = NOW - LR_HISTORY_DAY;
    q.to = NOW + 100;
    q.skip = 8;
    q.limit = 4;
    list = json_array();
    assert_int_equal(lr_history_read(*state, &q, list, &total), LR_OK);
    assert_int_equal(total, 20);
    assert_int_equal(json_array_size(list), 4);
    assert_int_equal(json_integer_value(json_object_get(
                         json_array_get(list, 0), "time")),
                     NOW - LR_HISTORY_DAY + 8);
    assert_int_equal(json_integer_value(json_object_get(
                         json_array_get(list, 2), "time")), NOW);
    json_decref(list);

    q.skip = 20;
    assert_int_equal(count(*state, &q, &total), 0);
}


static void
damage(void **state)
{
    char                dir[CHECK_PATH];
    size_t              total;
    lr_history_query_t  q;

    memset(&q, 0, sizeof(q));
    q.from = NOW;
    q.to = NOW + 100;
    q.limit = 100;

    append(*state, NOW, "a", "success");
    check_path(dir, *state, LR_HISTORY_DIR);

    check_write(dir, "20260301.log", "{\"time\":17723\nnull\n[]\n{\"a\":1}\n",
                30);
    append(*state, NOW, "a", "success");
    assert_int_equal(count(*state, &q, &total), 1);
}


/* what is no file of ours is left out, and not waited for */

static void
foreign(void **state)
{
    char                path[CHECK_PATH];
    size_t              total;
    lr_history_query_t  q;

    memset(&q, 0, sizeof(q));
    q.from = NOW;
    q.to = NOW + 100;
    q.limit = 100;

    append(*state, NOW, "a", "success");
    check_path(path, *state, LR_HISTORY_DIR "/20260301.log");

    assert_int_equal(truncate(path, LR_HISTORY_MAX), 0);
    assert_int_equal(count(*state, &q, &total), 1);
    assert_int_equal(truncate(path, LR_HISTORY_MAX + 1), 0);
    assert_int_equal(count(*state, &q, &total), 0);

    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);

    alarm(20);
    assert_int_equal(lr_history_append(*state, NOW,
                                       json_pack("{s:s}", "a", "b")),
                     LR_ERROR);
    assert_int_equal(count(*state, &q, &total), 0);
    alarm(0);

    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(count(*state, &q, &total), 0);
}


static void
expires(void **state)
{
    char      dir[CHECK_PATH];
    unsigned  i;

    check_path(dir, *state, LR_HISTORY_DIR);

    for (i = 0; i < 12; i++) {
        append(*state, NOW + i * LR_HISTORY_DAY, "a", "success");
    }

    check_write(dir, "README", "x", 1);

    append(*state, NOW + 12 * LR_HISTORY_DAY, "a", "success");

    /* seven days and today, and what is not its own */

    assert_int_equal(check_entries(dir), 9);
    assert_true(check_size(dir, "20260306.log") > 0);
    assert_int_equal(check_size(dir, "20260305.log"), -1);
    assert_int_equal(check_size(dir, "README"), 1);
}


static void
full(void **state)
{
    char       path[CHECK_PATH];
    long long  size;

    append(*state, NOW, "a", "success");
    check_path(path, *state, LR_HISTORY_DIR "/20260301.log");
    size = check_size(*state, LR_HISTORY_DIR "/20260301.log");

    check_limit((rlim_t) size + 19);
    assert_int_equal(lr_history_append(*state, NOW,
                                       json_pack("{s:s}", "a", "b")),
                     LR_OK);
    assert_int_equal(lr_history_append(*state, NOW,
                                       json_pack("{s:s}", "a", "b")),
                     LR_ERROR);
    check_limit(RLIM_INFINITY);

    assert_int_equal(truncate(path, LR_HISTORY_MAX - 9), 0);
    assert_int_equal(lr_history_append(*state, NOW,
                                       json_pack("{s:s}", "a", "b")),
                     LR_DECLINED);
    assert_int_equal(check_size(*state, LR_HISTORY_DIR "/20260301.log"),
                     LR_HISTORY_MAX - 9);
}


int
main(void)
{
#define t(f)  cmocka_unit_test_setup_teardown(f, check_setup, check_teardown)
    const struct CMUnitTest  tests[] = {
        t(queries),
        t(damage),
        t(foreign),
        t(expires),
        t(full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
