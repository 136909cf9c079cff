
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What a notifier does that is killed at any step is tested by the model of
 * the shipper.
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "../../../spool/lr_notice.c"
#include "spool_check.h"


#define NOW  1772366400000LL
#define ALL  (LR_NOTIFY_FILES|LR_NOTIFY_STATUS|LR_NOTIFY_FRAGMENTS)


static void make_at(lr_claim_t *c, const char *spool, const char *id,
    const char *scope, unsigned notify, int64_t now);


static void tells_at(lr_notice_t *n, int64_t time, const char *type,
    const char *body);


static char  err[512];


/* a recording with an id and its record.log, of which the lock is kept */

static void
make(lr_claim_t *c, const char *spool, const char *id, const char *scope,
    unsigned notify)
{
    make_at(c, spool, id, scope, notify, NOW);
}


static void
make_at(lr_claim_t *c, const char *spool, const char *id, const char *scope,
    unsigned notify, int64_t now)
{
    lr_settings_t  st;

    check_settings(&st);
    st.notify = notify;
    st.scope = (char *) scope;

    memset(c, 0, sizeof(lr_claim_t));
    assert_int_equal(lr_recording_claim(c, spool, &st, id, now, 1, err,
                                        sizeof(err)), LR_OK);
    assert_string_equal(c->rec.id, id);
}


static void
let_go(lr_claim_t *c)
{
    close(c->fd);
    lr_settings_free(&c->settings);
}


static void
is_open(lr_notice_t *n, const char *dir)
{
    int  rc;

    rc = lr_notice_open(n, dir, err, sizeof(err));

    if (rc == LR_OK) {
        rc = lr_notice_take(n, NOW, err, sizeof(err));
    }

    if (rc != LR_OK) {
        print_error("%s\n", err);
        fail();
    }
}


/* the body of the first that is due, which is then told */

static void
tells(lr_notice_t *n, const char *type, const char *body)
{
    tells_at(n, NOW, type, body);
}


static void
tells_at(lr_notice_t *n, int64_t time, const char *type, const char *body)
{
    lr_buf_t          b;
    lr_notice_head_t  head;

    memset(&b, 0, sizeof(b));

    assert_int_equal(lr_notice_next(n, &head, err, sizeof(err)), LR_OK);
    assert_string_equal(lr_notice_type(&head), type);
    assert_int_equal(head.time, time);
    assert_int_equal(lr_notice_body(n, &head, &b), LR_OK);
    lr_buf_append(&b, "", 1);
    assert_string_equal((char *) b.data, body);
    assert_int_equal(lr_notice_done(n, 200, NULL, NOW), LR_OK);

    lr_buf_free(&b);
    json_decref(head.facts);
}


#define STREAM  "{\"domain\":\"live.example.com\",\"app\":\"live\","          \
                "\"stream\":\"cam_1\","


static void
bodies(void **state)
{
    int               fd;
    char              path[CHECK_PATH];
    lr_claim_t        c;
    lr_notice_t       n, second;
    lr_notice_head_t  head;

    make(&c, *state, "a", "", ALL);
    fd = lr_journal_open(check_path(path, c.dir, "ship.log"), 1);

    /* what has no key or no facts is not told */

    lr_journal_write(fd, "index", json_pack("{s:s, s:{s:i, s:i, s:i}}",
                     "key", "", "notice", "start", 1, "end", 2, "duration",
                     3));
    lr_journal_write(fd, "index", json_pack("{s:s}", "key", "a"));
    lr_journal_write(fd, "stored", json_pack(
                     "{s:s, s:{s:I, s:I, s:i, s:{s:s}}}", "key", "a/b.mp4",
                     "notice", "start", (json_int_t) 1488985786999, "end",
                     (json_int_t) 1488985840001, "duration", 69403,
                     "push_args", "callback_a", "1"));

    is_open(&n, c.dir);
    tells(&n, "record_started", STREAM "\"event\":\"record_started\"}");
    tells(&n, "file_created", STREAM "\"uri\":\"a/b.mp4\","
          "\"duration\":69.403,\"start_time\":1488985786,"
          "\"stop_time\":1488985840,\"push_args\":{\"callback_a\":\"1\"}}");
    assert_int_equal(lr_notice_next(&n, &head, err, sizeof(err)),
                     LR_DECLINED);

    /* errors of a kind: one a minute, whatever is read when */

    lr_recording_lost(c.fd, NOW, 1, 2, "no memory");
    lr_recording_lost(c.fd, NOW + 59999, 1, 2, "no memory");
    assert_int_equal(lr_notice_take(&n, NOW, err, sizeof(err)), LR_OK);
    lr_notice_close(&n);

    lr_recording_error(c.fd, NOW, "codec x");
    lr_recording_lost(c.fd, NOW + 60000, 1, 2, "the spool failed");

    is_open(&n, c.dir);
    assert_int_equal(n.number, 5);
    tells(&n, "record_error", STREAM "\"event\":\"record_error\","
          "\"error_info\":{\"code\":\"MediaLost\",\"message\":\"no "
          "memory\"}}");
    tells(&n, "record_error", STREAM "\"event\":\"record_error\","
          "\"error_info\":{\"code\":\"StreamFormatError\",\"message\":"
          "\"codec x\"}}");
    assert_int_equal(n.ended, 0);
    lr_notice_close(&n);

    /* somebody else is at it */

    is_open(&n, c.dir);
    assert_int_equal(lr_notice_open(&second, c.dir, err, sizeof(err)),
                     LR_AGAIN);

    lr_notice_close(&n);
    close(fd);
    let_go(&c);
}


static void
without_status(void **state)
{
    lr_claim_t   c;
    lr_notice_t  n;

    make(&c, *state, "a", "", LR_NOTIFY_FILES);
    lr_recording_unpublish(c.fd, NOW, "x");
    is_open(&n, c.dir);
    assert_int_equal(n.number, 0);
    lr_notice_close(&n);
    let_go(&c);
}


/* of two recordings of a stream, the earlier one goes first */

static void
order(void **state)
{
    lr_claim_t        a, b, other, quiet;
    lr_notice_t       n, m;
    lr_notice_head_t  head;

    make(&a, *state, "a", "", ALL);
    make(&b, *state, "c", "", ALL);
    make(&quiet, *state, "b", "", 0);
    make(&other, *state, "d", "other.example.com", ALL);

    /* nobody has looked at the earlier one yet */

    is_open(&n, b.dir);
    assert_int_equal(lr_notice_next(&n, &head, err, sizeof(err)), LR_AGAIN);

    is_open(&m, a.dir);
    assert_int_equal(lr_notice_next(&n, &head, err, sizeof(err)), LR_AGAIN);
    assert_int_equal(lr_notice_done(&m, 0, "given up", NOW), LR_OK);
    tells(&n, "record_started", STREAM "\"event\":\"record_started\"}");

    /* more of it, which is not in its notify.log */

    lr_recording_unpublish(b.fd, NOW, "x");
    assert_int_equal(lr_notice_take(&n, NOW, err, sizeof(err)), LR_OK);
    lr_recording_unpublish(a.fd, NOW, "x");
    assert_int_equal(lr_notice_next(&n, &head, err, sizeof(err)), LR_AGAIN);
    assert_int_equal(lr_notice_take(&m, NOW, err, sizeof(err)), LR_OK);
    tells(&m, "record_paused", STREAM "\"event\":\"record_paused\"}");
    tells(&n, "record_paused", STREAM "\"event\":\"record_paused\"}");
    lr_notice_close(&n);

    /* another domain's stream waits for neither */

    lr_recording_publish(a.fd, NOW, 0, NULL);
    is_open(&n, other.dir);
    tells(&n, "record_started", STREAM "\"event\":\"record_started\"}");

    lr_notice_close(&n);
    lr_notice_close(&m);
    let_go(&a);
    let_go(&b);
    let_go(&quiet);
    let_go(&other);
}


/* within a second the rest of an id is chance */

static void
order_of_ms(void **state)
{
    lr_claim_t        first, second, third;
    lr_notice_t       n, m;
    lr_notice_head_t  head;

    make_at(&first, *state, "20260301-120000-ff", "", ALL, NOW + 1);
    make_at(&second, *state, "20260301-120000-00", "", ALL, NOW + 700);
    make_at(&third, *state, "20260301-120000-01", "", ALL, NOW + 700);

    is_open(&n, second.dir);
    assert_int_equal(lr_notice_next(&n, &head, err, sizeof(err)), LR_AGAIN);

    is_open(&m, first.dir);
    tells(&m, "record_started", STREAM "\"event\":\"record_started\"}");
    lr_notice_close(&m);

    /* of one millisecond, any order will do, as long as it is one */

    is_open(&m, third.dir);
    assert_int_equal(lr_notice_next(&m, &head, err, sizeof(err)), LR_AGAIN);
    tells(&n, "record_started", STREAM "\"event\":\"record_started\"}");
    tells(&m, "record_started", STREAM "\"event\":\"record_started\"}");

    lr_notice_close(&n);
    lr_notice_close(&m);
    let_go(&first);
    let_go(&second);
    let_go(&third);
}


static void
failures(void **state)
{
    char              path[CHECK_PATH];
    long long         size;
    lr_claim_t        c;
    lr_notice_t       n;
    lr_notice_head_t  head;

    make(&c, *state, "a", "", ALL);
    is_open(&n, c.dir);
    lr_recording_unpublish(c.fd, NOW, "x");

    /* no room: it is taken in later, once */

    size = check_size(c.dir, "notify.log");
    check_limit((rlim_t) size + 9);
    assert_int_equal(lr_notice_take(&n, NOW, err, sizeof(err)), LR_ERROR);
    assert_int_equal(n.number, 1);
    assert_int_equal(lr_notice_done(&n, 200, NULL, NOW), LR_ERROR);
    assert_int_equal(n.noticed, 0);
    check_limit(RLIM_INFINITY);
    assert_int_equal(check_size(c.dir, "notify.log"), size);

    n.fsync = 1;
    assert_int_equal(lr_notice_take(&n, NOW, err, sizeof(err)), LR_OK);
    assert_int_equal(n.number, 2);
    tells(&n, "record_started", STREAM "\"event\":\"record_started\"}");
    tells(&n, "record_paused", STREAM "\"event\":\"record_paused\"}");
    assert_int_equal(lr_notice_next(&n, &head, err, sizeof(err)),
                     LR_DECLINED);
    lr_notice_close(&n);

    /* what is not understood */

    check_write(c.dir, "notify.log", "{\"event\":\"start\",\"version\":2}\n",
                30);
    assert_int_equal(lr_notice_open(&n, c.dir, err, sizeof(err)),
                     LR_DECLINED);
    check_write(c.dir, "notify.log", "{\"event\":\"noticed\",\"number\":1}\n",
                31);
    assert_int_equal(lr_notice_open(&n, c.dir, err, sizeof(err)),
                     LR_DECLINED);
    check_write(c.dir, "notify.log", "{\"event\":\"notice\",\"number\":2,"
                "\"what\":\"x\"}\n", 42);
    assert_int_equal(lr_notice_open(&n, c.dir, err, sizeof(err)),
                     LR_DECLINED);

    unlink(check_path(path, c.dir, "notify.log"));
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(lr_notice_open(&n, c.dir, err, sizeof(err)),
                     LR_DECLINED);

    let_go(&c);
}


/*
 * A bucket that refuses: it is not in the journals that others write, whose
 * notices are counted, and comes once a minute, also after a restart.
 */

static void
refused(void **state)
{
    lr_claim_t        c;
    lr_notice_t       n;
    lr_notice_head_t  head;

    make(&c, *state, "a", "", ALL);
    is_open(&n, c.dir);

    assert_int_equal(lr_notice_refused(&n, "BucketNotFound", "no bucket",
                                       NOW), LR_OK);
    assert_int_equal(lr_notice_refused(&n, "AccessDenied", "no", NOW + 59999),
                     LR_OK);
    tells(&n, "record_started", STREAM "\"event\":\"record_started\"}");
    tells(&n, "record_error", STREAM "\"event\":\"record_error\","
          "\"error_info\":{\"code\":\"BucketNotFound\","
          "\"message\":\"no bucket\"}}");
    lr_notice_close(&n);

    is_open(&n, c.dir);
    assert_int_equal(lr_notice_refused(&n, "AccessDenied", "no", NOW + 59999),
                     LR_OK);
    assert_int_equal(lr_notice_next(&n, &head, err, sizeof(err)),
                     LR_DECLINED);

    /* a store need not write UTF-8 */

    assert_int_equal(lr_notice_refused(&n, "AccessDenied", "\xff\xfe",
                                       NOW + 60000), LR_OK);
    tells_at(&n, NOW + 60000, "record_error", STREAM
             "\"event\":\"record_error\",\"error_info\":{"
             "\"code\":\"AccessDenied\",\"message\":\"\"}}");

    /* nor need a clock go forwards */

    assert_int_equal(lr_notice_refused(&n, "AccessDenied", "", NOW), LR_OK);
    tells(&n, "record_error", STREAM "\"event\":\"record_error\","
          "\"error_info\":{\"code\":\"AccessDenied\",\"message\":\"\"}}");

    /* what the recorder wrote meanwhile is not counted off for it */

    lr_recording_unpublish(c.fd, NOW, "x");
    assert_int_equal(lr_notice_take(&n, NOW, err, sizeof(err)), LR_OK);
    tells(&n, "record_paused", STREAM "\"event\":\"record_paused\"}");
    lr_notice_close(&n);
    let_go(&c);
}


static void
refused_of_files(void **state)
{
    lr_claim_t   c;
    lr_notice_t  n;

    make(&c, *state, "a", "", LR_NOTIFY_FILES);
    is_open(&n, c.dir);
    assert_int_equal(lr_notice_refused(&n, "AccessDenied", "no", NOW), LR_OK);
    assert_int_equal(n.number, 0);
    lr_notice_close(&n);
    let_go(&c);
}


/* printf '127.0.0.1|1488985786|NotifyKey0123456' | md5sum */

static void
signature(void **state)
{
    char  sign[33];

    (void) state;

    assert_int_equal(lr_notice_sign("127.0.0.1", 1488985786,
                                    "NotifyKey0123456", sign), LR_OK);
    assert_string_equal(sign, "ceed24c07209042ecd83d97c970c31f2");
}


int
main(void)
{
#define t(f)  cmocka_unit_test_setup_teardown(f, check_setup, check_teardown)
    const struct CMUnitTest  tests[] = {
        t(bodies),
        t(without_status),
        t(order),
        t(order_of_ms),
        t(failures),
        t(refused),
        t(refused_of_files),
        t(signature),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
