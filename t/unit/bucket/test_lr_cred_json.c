
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>
#include "../../../bucket/lr_cred_json.c"


static int
read_json(lr_cred_t *c, const char *text, char *err)
{
    int    rc;
    char  *copy;

    copy = malloc(strlen(text) ? strlen(text) : 1);
    memcpy(copy, text, strlen(text));

    err[0] = '\0';
    rc = lr_cred_json(c, copy, strlen(text), err);

    free(copy);

    return rc;
}


/* the answers as both clouds' documentation shows them */

static void
test_json(void **state)
{
    char       err[LR_CRED_ERR_LEN];
    lr_cred_t  c = { NULL, NULL, NULL, 0 };

    (void) state;

    assert_int_equal(read_json(&c,
        "{\n  \"AccessKeyId\" : \"STS.a\",\n  \"AccessKeySecret\" : \"b\",\n"
        "  \"Expiration\" : \"2017-11-01T05:20:01Z\",\n"
        "  \"SecurityToken\" : \"CAIS\\/+==\",\n"
        "  \"LastUpdated\" : \"2017-10-31T23:20:01Z\",\n"
        "  \"Code\" : \"Success\"\n}", err), LR_OK);
    assert_string_equal(c.id, "STS.a");
    assert_string_equal(c.secret, "b");
    assert_string_equal(c.token, "CAIS/+==");
    assert_true(c.expires == 1509513601);

    assert_int_equal(read_json(&c,
        "{\"Code\":\"Success\",\"LastUpdated\":\"2012-04-26T16:39:16Z\","
        "\"Type\":\"AWS-HMAC\",\"AccessKeyId\":\"ASIA1\","
        "\"SecretAccessKey\":\"s/+\",\"Token\":\"t\","
        "\"Expiration\":\"2017-05-17T15:09:54Z\"}", err), LR_OK);
    assert_string_equal(c.id, "ASIA1");
    assert_string_equal(c.secret, "s/+");
    assert_string_equal(c.token, "t");
    assert_true(c.expires == 1495033794);

    /* nothing about its end, no token, no code: a key like any other */

    assert_int_equal(read_json(&c, "{\"AccessKeyId\":\"a\","
                               "\"AccessKeySecret\":\"b\"}", err), LR_OK);
    assert_null(c.token);
    assert_true(c.expires == 0);

    lr_cred_free(&c);
    assert_true(c.expires == 0);
}


static void
test_bad(void **state)
{
    char       err[LR_CRED_ERR_LEN];
    size_t     i;
    lr_cred_t  c = { NULL, NULL, NULL, 0 };

    static const struct {
        const char  *text;
        const char  *err;
    } t[] = {
        { "", "not a JSON object" },
        { "[]", "not a JSON object" },
        { "\"SECRET\"", "not a JSON object" },
        { "{\"AccessKeySecret\":\"SECRET\" SECRET", "not a JSON object" },
        { "<html>SECRET", "not a JSON object" },
        { "{}", "access key id is missing" },
        { "{\"AccessKeyId\":\"a\"}", "access key secret is missing" },
        { "{\"AccessKeyId\":1,\"AccessKeySecret\":\"SECRET\"}",
          "access key id is missing" },
        { "{\"AccessKeyId\":\"a\",\"AccessKeySecret\":\"SECRET\\n\"}",
          "access key secret is missing" },
        { "{\"AccessKeyId\":\"a\",\"AccessKeySecret\":\"SECRET\","
          "\"Token\":\"SECRET\\u00e4\"}", "security token" },
        { "{\"AccessKeyId\":\"a\",\"AccessKeySecret\":\"SECRET\","
          "\"Expiration\":\"soon\"}", "Expiration is no time" },
        { "{\"Code\":\"Failed\\nx\",\"AccessKeyId\":\"a\","
          "\"AccessKeySecret\":\"SECRET\"}", "code is \"Failed?x\"" },
        { "{\"Code\":\"0123456789012345678901234567890123456789"
          "0123456789\"}", "code is \"012345678901234567890123456789"
          "01234567890123456\"" }
    };

    (void) state;

    assert_int_equal(lr_cred_set(&c, "was", "there", NULL, err), LR_OK);

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {

        assert_int_equal(read_json(&c, t[i].text, err), LR_ERROR);

        if (strstr(err, t[i].err) == NULL || strstr(err, "SECRET") != NULL) {
            fail_msg("\"%s\": %s", t[i].text, err);
        }

        assert_string_equal(c.id, "was");
    }

    lr_cred_free(&c);
}


static void
test_refresh(void **state)
{
    time_t     now, at;
    unsigned   n;
    lr_cred_t  c = { NULL, NULL, NULL, 0 };

    (void) state;

    assert_true(lr_cred_refresh_at(&c, 1000) == 0);

    c.expires = 1000 + 21600;
    assert_true(lr_cred_refresh_at(&c, 1000) == c.expires - 900);
    c.expires = 1000 + 3600;
    assert_true(lr_cred_refresh_at(&c, 1000) == c.expires - 720);
    c.expires = 1010;
    assert_true(lr_cred_refresh_at(&c, 1000) == 1008);

    /* the end is near, or was */

    c.expires = 1001;
    assert_true(lr_cred_refresh_at(&c, 1000) == 1001);
    c.expires = 1000;
    assert_true(lr_cred_refresh_at(&c, 1000) == 1001);
    c.expires = 10;
    assert_true(lr_cred_refresh_at(&c, 1000) == 1001);

    /* a service that gives the same again until 5 minutes before its end */

    c.expires = 21600;
    n = 0;

    for (now = 0; now < c.expires - 300; now = at) {
        at = lr_cred_refresh_at(&c, now);
        assert_true(at > now);
        assert_true(at < c.expires);
        n++;
    }

    assert_int_equal(n, 2);
    assert_true(c.expires - now == 180);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_refresh)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
