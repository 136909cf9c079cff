
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include "../../../bucket/lr_metadata.c"


#define RAM  "/latest/meta-data/ram/security-credentials/"
#define IAM  "/latest/meta-data/iam/security-credentials/"

#define KEY                                                                   \
    "{\"AccessKeyId\":\"STS.a\",\"AccessKeySecret\":\"SECRET\","              \
    "\"SecurityToken\":\"TOKEN\",\"Expiration\":\"2026-11-23T06:47:40Z\","    \
    "\"Code\":\"Success\"}"


static lr_metadata_t  m;
static lr_cred_t      cred;
static char           err[LR_CRED_ERR_LEN];


static void
request(const char *method, const char *path, const char *header)
{
    assert_string_equal(m.method, method);
    assert_string_equal(m.path, path);

    if (header == NULL) {
        assert_null(m.header);

    } else {
        assert_non_null(m.header);
        assert_string_equal(m.header, header);
    }
}


static int
answer(unsigned status, const char *body)
{
    int    rc;
    char  *copy;

    copy = malloc(strlen(body) ? strlen(body) : 1);
    memcpy(copy, body, strlen(body));

    err[0] = '\0';
    rc = lr_metadata_answer(&m, status, copy, strlen(body), &cred, err);

    free(copy);

    return rc;
}


static void
refused(unsigned status, const char *body, const char *why)
{
    assert_int_equal(answer(status, body), LR_ERROR);

    if (strstr(err, why) == NULL || strstr(err, "SECRET") != NULL) {
        fail_msg("\"%s\" is not in \"%s\"", why, err);
    }

    assert_null(cred.id);
}


static int
teardown(void **state)
{
    (void) state;

    lr_metadata_free(&m);
    lr_cred_free(&cred);

    return 0;
}


static void
test_ecs(void **state)
{
    (void) state;

    assert_string_equal(lr_metadata_endpoint(LR_METADATA_ECS),
                        "http://100.100.100.200");

    assert_int_equal(lr_metadata_begin(&m, LR_METADATA_ECS, NULL, err),
                     LR_OK);
    request("PUT", "/latest/api/token",
            "X-aliyun-ecs-metadata-token-ttl-seconds: 300");

    assert_int_equal(answer(200, "AQAAABo=\n"), LR_AGAIN);
    request("GET", RAM, "X-aliyun-ecs-metadata-token: AQAAABo=");

    assert_int_equal(answer(200, "EcsRamRole-1"), LR_AGAIN);
    request("GET", RAM "EcsRamRole-1",
            "X-aliyun-ecs-metadata-token: AQAAABo=");

    assert_int_equal(answer(200, KEY), LR_OK);
    assert_string_equal(cred.id, "STS.a");
    assert_string_equal(cred.secret, "SECRET");
    assert_string_equal(cred.token, "TOKEN");
    assert_true(cred.expires == 1795416460);
}


static void
test_aws(void **state)
{
    (void) state;

    assert_string_equal(lr_metadata_endpoint(LR_METADATA_AWS),
                        "http://169.254.169.254");

    assert_int_equal(lr_metadata_begin(&m, LR_METADATA_AWS, "a+=,.@_-Z9",
                                       err), LR_OK);
    request("PUT", "/latest/api/token",
            "X-aws-ec2-metadata-token-ttl-seconds: 300");

    /* the name is known: straight to the key */

    assert_int_equal(answer(200, "AQ=="), LR_AGAIN);
    request("GET", IAM "a+=,.@_-Z9", "X-aws-ec2-metadata-token: AQ==");

    assert_int_equal(answer(200, KEY), LR_OK);
    assert_string_equal(cred.id, "STS.a");
}


/* no tokens there, or they do not come through */

static void
test_fallback(void **state)
{
    size_t                 i;

    static const unsigned  status[] = { 0, 403, 404, 405, 501 };

    (void) state;

    for (i = 0; i < sizeof(status) / sizeof(status[0]); i++) {

        assert_int_equal(lr_metadata_begin(&m, LR_METADATA_ECS, NULL, err),
                         LR_OK);
        assert_int_equal(answer(status[i], "<html>"), LR_AGAIN);
        request("GET", RAM, NULL);
        assert_int_equal(answer(200, "one\r\ntwo\n"), LR_AGAIN);
        request("GET", RAM "one", NULL);
        assert_int_equal(answer(200, KEY), LR_OK);
        lr_cred_free(&cred);
    }
}


static void
begin(const char *role, unsigned token)
{
    assert_int_equal(lr_metadata_begin(&m, LR_METADATA_ECS, role, err),
                     LR_OK);
    assert_int_equal(answer(token, "t"), LR_AGAIN);
}


static void
test_refused(void **state)
{
    char  big[LR_METADATA_MAX_TOKEN + 2];

    (void) state;

    memset(big, 'a', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';

    /* the token */

    assert_int_equal(lr_metadata_begin(&m, LR_METADATA_ECS, NULL, err),
                     LR_OK);
    refused(400, "", "status 400");
    refused(500, "", "status 500");
    refused(200, "", "a token is none");
    refused(200, "a\r\nX: y", "a token is none");
    refused(200, "a b", "a token is none");
    refused(200, big, "a token is none");

    big[sizeof(big) - 2] = '\0';
    assert_int_equal(answer(200, big), LR_AGAIN);

    /* the name */

    begin(NULL, 200);
    refused(404, "<html>", "the instance has no RAM role");
    refused(200, "", "the instance has no RAM role");
    refused(200, "\n", "the instance has no RAM role");
    refused(200, "<html>", "the name of a role is none");
    refused(200, "../../user-data", "the name of a role is none");
    refused(200, "..", "the name of a role is none");
    refused(401, "", "answers with status 401");
    refused(503, "", "status 503");

    begin(NULL, 0);
    refused(0, "", "an instance of ECS?");
    refused(401, "", "only with a token (status 401)");
    refused(403, "", "only with a token (status 403)");

    /* the key */

    begin("r", 200);
    refused(404, "", "no RAM role \"r\"");
    refused(403, "", "answers with status 403");
    refused(200, "", "not a JSON object");
    refused(200, "{\"Code\":\"Failed\"}", "\"Failed\"");
    refused(200, "{\"AccessKeyId\":\"a\",\"AccessKeySecret\":\"SECRET\","
            "\"Expiration\":\"2026-11-23T06:47:40Z\"}", "no token or no end");
    refused(200, "{\"AccessKeyId\":\"a\",\"AccessKeySecret\":\"SECRET\","
            "\"SecurityToken\":\"t\"}", "no token or no end");

    begin("r", 404);
    refused(403, "", "only with a token");
}


static void
test_role(void **state)
{
    size_t                    i;
    char                      name[LR_METADATA_MAX_ROLE + 2];

    static const char *const  wrong[] = {
        "", ".", "..", ".a", "a/b", "a b", "a?b", "a%2fb", "\xc3\xa4", "a\n"
    };

    (void) state;

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(lr_metadata_begin(&m, LR_METADATA_AWS, wrong[i],
                                           err), LR_ERROR);
        assert_string_equal(err, "the name of the role is not one");
    }

    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(lr_metadata_begin(&m, LR_METADATA_AWS, name, err),
                     LR_ERROR);
    assert_int_equal(lr_metadata_begin(&m, LR_METADATA_AWS, name + 1, err),
                     LR_OK);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(test_ecs, teardown),
        cmocka_unit_test_teardown(test_aws, teardown),
        cmocka_unit_test_teardown(test_fallback, teardown),
        cmocka_unit_test_teardown(test_refused, teardown),
        cmocka_unit_test_teardown(test_role, teardown)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
