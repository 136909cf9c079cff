
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The vectors are from Alibaba Cloud's page, and made with its client.
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <cmocka.h>
#include "../../../bucket/lr_acs3.c"


#define S(text)      { sizeof(text) - 1, (char *) text }
#define H(name, v)   { S(name), S(v) }

#define EMPTY                                                                 \
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

#define ALL                                                                   \
    "host;x-acs-action;x-acs-content-sha256;x-acs-date;"                      \
    "x-acs-signature-nonce;x-acs-version"

#define ZEROS                                                                 \
    "0000000000000000000000000000000000000000000000000000000000000000"


static int
parse(lr_acs3_t *a, char **copy, const char *text)
{
    size_t  n;

    n = strlen(text);
    *copy = malloc(n ? n : 1);
    memcpy(*copy, text, n);

    return lr_acs3_parse(a, *copy, n);
}


static void
vector(const char *query, const lr_acs3_header_t *headers, const char *id,
    const char *secret, const char *hash, const char *want)
{
    char               *copy, text[512], signature[LR_ACS3_SIGNATURE_LEN + 1];
    lr_str_t            q, none = { 0, NULL };
    lr_buf_t            b;
    lr_rpc_t            rpc;
    lr_acs3_t           a;
    lr_acs3_request_t   r;

    memset(&b, 0, sizeof(lr_buf_t));
    memset(&r, 0, sizeof(lr_acs3_request_t));

    q.data = (char *) query;
    q.len = strlen(query);

    assert_int_equal(lr_rpc_parse(&rpc, &q, &none, text), LR_OK);

    snprintf(text, sizeof(text), "ACS3-HMAC-SHA256 Credential=%s,"
             "SignedHeaders=" ALL ",Signature=%s", id, want);

    assert_int_equal(parse(&a, &copy, text), LR_OK);
    assert_int_equal(a.n, 6);

    r.method = "POST";
    r.path.data = (char *) "/";
    r.path.len = 1;
    r.params = &rpc;
    r.headers = headers;
    r.nheaders = 7;
    r.payload = EMPTY;

    assert_int_equal(lr_acs3_string(&b, &a, &r), LR_OK);

    snprintf(text, sizeof(text), "ACS3-HMAC-SHA256\n%s", hash);
    assert_string_equal((char *) b.data, text);

    assert_int_equal(lr_acs3_sign((char *) b.data, secret, signature), LR_OK);
    assert_string_equal(signature, want);

    lr_rpc_free(&rpc);
    lr_buf_free(&b);
    free(copy);
}


static void
test_vectors(void **state)
{
    char  hex[LR_ACS3_SIGNATURE_LEN + 1];

    static const lr_acs3_header_t  one[] = {
        H("x-acs-version", "2014-05-26"),
        H("host", "ecs.cn-shanghai.aliyuncs.com"),
        H("user-agent", "not signed"),
        H("x-acs-action", "RunInstances"),
        H("x-acs-date", "2023-10-26T10:22:32Z"),
        H("x-acs-signature-nonce", "3156853299f313e23d1673dc12e1703d"),
        H("x-acs-content-sha256", EMPTY)
    };

    static const lr_acs3_header_t  two[] = {
        H("accept", "application/json"),
        H("host", "live.aliyuncs.com"),
        H("x-acs-action", "RealTimeRecordCommand"),
        H("x-acs-version", "2016-11-01"),
        H("x-acs-date", "2026-01-02T03:04:05Z"),
        H("x-acs-signature-nonce", "9e8d7c6b5a4f3e2d1c0b"),
        H("x-acs-content-sha256", EMPTY)
    };

    (void) state;

    assert_int_equal(lr_acs3_digest(NULL, 0, hex), LR_OK);
    assert_string_equal(hex, EMPTY);

    vector("RegionId=cn-shanghai&ImageId=win2019_1809_x64_dtc_zh-cn_40G_"
           "alibase_20230811.vhd", one, "YourAccessKeyId",
           "YourAccessKeySecret",
           "7ea06492da5221eba5297e897ce16e55f964061054b7695beedaac1145b1e259",
           "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0");

    vector("StreamName=s%201%2A~%28%E4%B8%AD%29&AppName=live&Command=start&"
           "DomainName=play.example.com", two, "testid", "testsecret",
           "be626342e2f74cdc1b3cb6c7da8d40e861748140bc318d1264390cfb274295b7",
           "59b397b7e4893e3629f339faffaef14f17b3f034758c7907ac5716bcdd968f92");
}


static void
test_parse(void **state)
{
    char       *copy;
    size_t      i;
    lr_acs3_t   a;

    static const char *const  wrong[] = {
        "", "ACS3-HMAC-SHA256", "ACS3-HMAC-SHA256 ", "ACS3-HMAC-SHA1 x",
        "ACS3-HMAC-SHA256 ,", "ACS3-HMAC-SHA256 x",
        "ACS3-HMAC-SHA256 Credential=a,SignedHeaders=host",
        "ACS3-HMAC-SHA256 Credential=a,Signature=" ZEROS,
        "ACS3-HMAC-SHA256 SignedHeaders=host,Signature=" ZEROS,
        "ACS3-HMAC-SHA256 Credential=,SignedHeaders=host,Signature=" ZEROS,
        "ACS3-HMAC-SHA256 Credential=a,SignedHeaders=,Signature=" ZEROS,
        "ACS3-HMAC-SHA256 Credential=a,SignedHeaders=host,Signature=0",
        "ACS3-HMAC-SHA256 Credential=a,SignedHeaders=host,Signature=" ZEROS
        "0",
        "ACS3-HMAC-SHA256 Credential=a,Credential=a,SignedHeaders=host,"
        "Signature=" ZEROS,
        "ACS3-HMAC-SHA256 Credential=a,SignedHeaders=host,Signature=" ZEROS
        ",x=y",
        "ACS3-HMAC-SHA256 Credential=a,SignedHeaders=host;,Signature=" ZEROS,
        "ACS3-HMAC-SHA256 Credential=a,SignedHeaders=;host,Signature=" ZEROS,
        "ACS3-HMAC-SHA256 Credential=a,SignedHeaders=Host,Signature=" ZEROS,
        "ACS3-HMAC-SHA256 Credential=a,SignedHeaders=a b,Signature=" ZEROS,
        "ACS3-HMAC-SHA256 Credential=a,SignedHeaders=host;x;host,Signature="
        ZEROS
    };

    (void) state;

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {

        if (parse(&a, &copy, wrong[i]) != LR_ERROR) {
            fail_msg("%s", wrong[i]);
        }

        free(copy);
    }

    assert_int_equal(parse(&a, &copy, "ACS3-HMAC-SHA256 Signature=" ZEROS
                           " , SignedHeaders=host;x-y_z.1,  Credential=a/b "),
                     LR_OK);
    assert_int_equal(a.n, 2);
    assert_int_equal(a.id.len, 3);
    assert_memory_equal(a.names[1].data, "x-y_z.1", 7);
    assert_int_equal(a.list.len, 12);
    free(copy);
}


/* what has to be there, be signed, and be there once */

static void
test_check(void **state)
{
    char               *copy;
    size_t              i;
    lr_buf_t            b;
    lr_rpc_t            rpc;
    lr_acs3_t           a;
    lr_acs3_request_t   r;

    static const lr_acs3_header_t  h[] = {
        H("host", "h"), H("x-acs-a", "1"), H("other", "2"), H("other", "3"),
        H("x-acs-a", "4")
    };

    static const struct {
        const char  *list;
        size_t       n;
        int          want;
    } t[] = {
        { "host;x-acs-a", 2, LR_OK },
        { "x-acs-a;host", 2, LR_OK },
        { "host;other;x-acs-a", 3, LR_OK },
        { "host;x-acs-a", 4, LR_OK },
        { "host;other;x-acs-a", 4, LR_DECLINED },
        { "host;x-acs-a", 5, LR_DECLINED },
        { "host", 2, LR_DECLINED },
        { "x-acs-a", 2, LR_DECLINED },
        { "host;x-acs-a;x-none", 2, LR_DECLINED },
        { "host", 1, LR_OK },
        { "host", 0, LR_DECLINED }
    };

    (void) state;

    memset(&rpc, 0, sizeof(lr_rpc_t));
    memset(&r, 0, sizeof(lr_acs3_request_t));

    r.method = "GET";
    r.params = &rpc;
    r.headers = h;
    r.payload = EMPTY;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {

        memset(&b, 0, sizeof(lr_buf_t));

        lr_buf_printf(&b, "ACS3-HMAC-SHA256 Credential=a,SignedHeaders=%s,"
                      "Signature=" ZEROS "%c", t[i].list, 0);

        assert_int_equal(parse(&a, &copy, (char *) b.data), LR_OK);
        lr_buf_free(&b);

        r.nheaders = t[i].n;

        if (lr_acs3_string(&b, &a, &r) != t[i].want) {
            fail_msg("%s of %d", t[i].list, (int) t[i].n);
        }

        lr_buf_free(&b);
        free(copy);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_check)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
