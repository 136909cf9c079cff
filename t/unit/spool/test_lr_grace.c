
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "../../../spool/lr_grace.c"
#include "spool_check.h"


#define NOW    1772366400000LL
#define LOG    "live/cam_1/"
#define DOMAIN "Live.example.com"


static char  err[512];


static void
begin(lr_claim_t *c, const char *spool, const char *scope, const char *id)
{
    lr_settings_t  st;

    check_settings(&st);
    st.scope = (char *) scope;
    c->fsync = 0;

    assert_int_equal(lr_recording_claim(c, spool, &st, id, NOW, 1, err,
                                        sizeof(err)), LR_OK);
    assert_string_equal(c->rec.id, id);
}


static void
let_go(lr_claim_t *c)
{
    close(c->fd);
    lr_settings_free(&c->settings);
}


static int
cancel(const char *spool, const char *domain, unsigned *n)
{
    err[0] = '\0';

    return lr_grace_cancel(spool, domain, "live", "cam_1", NOW + 1000, n,
                           err, sizeof(err));
}


static unsigned
state_of(const char *spool, const char *name)
{
    char            dir[CHECK_PATH];
    lr_recording_t  rec;

    memset(&rec, 0, sizeof(rec));
    assert_int_equal(lr_recording_read(&rec, check_path(dir, spool, name),
                                       NULL, err, sizeof(err)), LR_OK);

    return rec.state;
}


static void
ends(void **state)
{
    unsigned    n;
    lr_claim_t  a, b;

    /* no such stream */

    assert_int_equal(cancel(*state, DOMAIN, &n), LR_OK);
    assert_int_equal(n, 0);

    begin(&a, *state, "live.example.com", "a");
    begin(&b, *state, "live.example.com", "b");
    assert_int_equal(lr_recording_unpublish(a.fd, NOW, "test"), LR_OK);
    let_go(&a);

    /* one is paused, the other one has its recorder */

    assert_int_equal(cancel(*state, "other.example.com", &n), LR_OK);
    assert_int_equal(n, 0);
    assert_int_equal(state_of(*state, LOG "a"), LR_RECORDING_PAUSED);

    assert_int_equal(cancel(*state, DOMAIN, &n), LR_AGAIN);
    assert_int_equal(n, 1);
    assert_int_equal(state_of(*state, LOG "a"), LR_RECORDING_ENDED);
    assert_int_equal(state_of(*state, LOG "b"), LR_RECORDING_LIVE);

    assert_int_equal(lr_recording_unpublish(b.fd, NOW, "test"), LR_OK);
    let_go(&b);

    assert_int_equal(cancel(*state, DOMAIN, &n), LR_OK);
    assert_int_equal(n, 1);
    assert_int_equal(state_of(*state, LOG "b"), LR_RECORDING_ENDED);

    /* twice is once */

    assert_int_equal(cancel(*state, DOMAIN, &n), LR_OK);
    assert_int_equal(n, 0);

    /* and nobody returns to it */

    begin(&a, *state, "live.example.com", "c");
    assert_int_equal(a.resumed, 0);
    let_go(&a);

    /* a server without a domain has any */

    begin(&b, *state, "", "d");
    assert_int_equal(lr_recording_unpublish(b.fd, NOW, "test"), LR_OK);
    let_go(&b);
    assert_int_equal(cancel(*state, "other.example.com", &n), LR_OK);
    assert_int_equal(n, 1);
    assert_int_equal(state_of(*state, LOG "d"), LR_RECORDING_ENDED);
    assert_int_equal(state_of(*state, LOG "c"), LR_RECORDING_LIVE);
}


/* what is not a recording is somebody else's to deal with */

static void
others(void **state)
{
    char           path[CHECK_PATH];
    unsigned    n;
    lr_claim_t  a;

    begin(&a, *state, "live.example.com", "a");
    assert_int_equal(lr_recording_unpublish(a.fd, NOW, "test"), LR_OK);
    let_go(&a);

    check_write(*state, LOG "file", "x", 1);
    assert_int_equal(mkdir(check_path(path, *state, LOG "empty"), 0700), 0);
    assert_int_equal(mkdir(check_path(path, *state, LOG "0"), 0700), 0);
    check_write(*state, LOG "0/template.json", "{}", 2);
    check_write(*state, LOG "0/record.log", "{}\n", 3);

    assert_int_equal(cancel(*state, DOMAIN, &n), LR_OK);
    assert_int_equal(n, 1);
    assert_int_equal(state_of(*state, LOG "a"), LR_RECORDING_ENDED);

    /* the settings are whole, the journal is not */

    begin(&a, *state, "live.example.com", "b");
    let_go(&a);
    check_write(*state, LOG "b/record.log", "{}\n", 3);

    assert_int_equal(cancel(*state, DOMAIN, &n), LR_OK);
    assert_int_equal(n, 0);

    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(cancel(path, DOMAIN, &n), LR_ERROR);
    assert_string_not_equal(err, "");
}


int
main(void)
{
#define t(f)  cmocka_unit_test_setup_teardown(f, check_setup, check_teardown)
    const struct CMUnitTest  tests[] = {
        t(ends),
        t(others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
