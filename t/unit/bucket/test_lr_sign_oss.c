
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include "../../../bucket/lr_sign_oss.c"


/* the requests and signatures of the SDKs' own tests */

static const lr_param_t  v4_query[] = {
    { "param1", "value1" }, { "+param1", "value3" }, { "|param1", "value4" },
    { "+param2", "" }, { "|param2", NULL }, { "param2", "" }
};

static const lr_header_t  v4_headers[] = {
    { "X-Oss-Head1", "value" }, { "abc", "value" }, { "ZAbc", " value\t" },
    { "XYZ", "value" }, { "Content-Type", "text/plain" }
};

static const lr_cred_t  cred = { "ak", "sk", NULL, 0 };
static const lr_cred_t  cred_sts = { "ak", "sk", "token", 0 };


static lr_sign_t
v4_request(time_t t)
{
    lr_sign_t  r;

    memset(&r, 0, sizeof(lr_sign_t));

    r.method = "PUT";
    r.bucket = "bucket";
    r.key = "1234+-/123/1.txt";
    r.query = v4_query;
    r.nquery = 6;
    r.headers = v4_headers;
    r.nheaders = 5;
    r.cred = &cred;
    r.region = "cn-hangzhou";
    r.time = t;

    return r;
}


static void
test_v4_canonical(void **state)
{
    u_char             hash[SHA256_DIGEST_LENGTH];
    lr_buf_t           hex = { 0 };
    lr_sign_t          r = v4_request(1702743657);
    lr_sign_v4_t       v = {
        .own = { { "x-oss-content-sha256", LR_SIGN_UNSIGNED },
                 { "x-oss-date", "20231216T162057Z" } },
        .nown = 2
    };

    static const char  want[] =
        "PUT\n"
        "/bucket/1234%2B-/123/1.txt\n"
        "%2Bparam1=value3&%2Bparam2&%7Cparam1=value4&%7Cparam2"
        "&param1=value1&param2\n"
        "content-type:text/plain\n"
        "x-oss-content-sha256:UNSIGNED-PAYLOAD\n"
        "x-oss-date:20231216T162057Z\n"
        "x-oss-head1:value\n"
        "\n"
        "\n"
        "UNSIGNED-PAYLOAD";

    (void) state;

    assert_int_equal(lr_sign_v4_canonical(&v, &r), LR_OK);
    assert_int_equal(v.canonical.len, sizeof(want) - 1);
    assert_memory_equal(v.canonical.data, want, v.canonical.len);

    SHA256(v.canonical.data, v.canonical.len, hash);
    lr_sign_hex(&hex, hash, 32);
    assert_memory_equal(hex.data, "f4613657f1b108998e8dbd10a1aa5da6"
                        "21dc2c6e02c9ddec0f163664848704c4", 64);

    lr_buf_free(&v.canonical);
    lr_buf_free(&hex);
}


static void
test_v4_vectors(void **state)
{
    lr_sign_t                 r;
    lr_signed_t               out = { 0 };
    lr_sign_cache_t           cache = { 0 };

    static const lr_header_t  e[] = {
        { "content-type", "application/octet-stream" },
        { "x-oss-head1", "value" }
    };
    static const char *const  additional[] = { "abc", "zabc" };

    (void) state;

    /* A */

    r = v4_request(1702743657);
    assert_int_equal(lr_sign_oss_v4(&r, &cache, &out), LR_OK);
    assert_int_equal(out.n, 3);
    assert_string_equal(out.line[0],
        "Authorization: OSS4-HMAC-SHA256 Credential=ak/20231216/cn-hangzhou"
        "/oss/aliyun_v4_request,Signature=e21d18daa82167720f9b1047ae7e7f1c"
        "e7cb77a31e8203a7d5f4624fa0284afe");
    assert_string_equal(out.line[1],
                        "x-oss-content-sha256: UNSIGNED-PAYLOAD");
    assert_string_equal(out.line[2], "x-oss-date: 20231216T162057Z");

    /* B, on another day with the same cache */

    r = v4_request(1702784856);
    r.cred = &cred_sts;
    assert_int_equal(lr_sign_oss_v4(&r, &cache, &out), LR_OK);
    assert_int_equal(out.n, 4);
    assert_string_equal(out.line[0],
        "Authorization: OSS4-HMAC-SHA256 Credential=ak/20231217/cn-hangzhou"
        "/oss/aliyun_v4_request,Signature=b94a3f999cf85bcdc00d332fbd3734ba"
        "03e48382c36fa4d5af5df817395bd9ea");
    assert_string_equal(out.line[2], "x-oss-date: 20231217T034736Z");
    assert_string_equal(out.line[3], "x-oss-security-token: token");

    /* C */

    r = v4_request(1702747512);
    r.additional = additional;
    r.nadditional = 2;
    assert_int_equal(lr_sign_oss_v4(&r, &cache, &out), LR_OK);
    assert_string_equal(out.line[0],
        "Authorization: OSS4-HMAC-SHA256 Credential=ak/20231216/cn-hangzhou"
        "/oss/aliyun_v4_request,AdditionalHeaders=abc;zabc,Signature="
        "4a4183c187c07c8947db7620deb0a6b38d9fbdd34187b6dbaccb316fa251212f");

    /* one of them is not there */

    r.nheaders = 2;
    assert_int_equal(lr_sign_oss_v4(&r, &cache, &out), LR_ERROR);
    assert_int_equal(out.n, 0);

    /* E */

    r = v4_request(1665911671);
    r.bucket = "oss-bucket-test";
    r.key = "test-sign-V4/-!@#$%^&*()/abcdefjhijklmnoqprstuvwxyz/123456789";
    r.nquery = 0;
    r.headers = e;
    r.nheaders = 2;
    assert_int_equal(lr_sign_oss_v4(&r, NULL, &out), LR_OK);
    assert_string_equal(out.line[2], "x-oss-date: 20221016T091431Z");
    assert_non_null(strstr(out.line[0], "Signature=5028172a0a3806285979896982"
                           "bee6e36e915cbf428ee7100a809e1f0ff43b64"));

    lr_signed_free(&out);
    lr_sign_cache_clear(&cache);
    assert_false(cache.valid);
}


/* D: what is signed is in the query; the same canonical form and key */

static void
test_v4_presigned(void **state)
{
    u_char             key[32], sig[32];
    lr_buf_t           s = { 0 }, hex = { 0 };
    lr_sign_t          r = v4_request(1702781677);
    lr_param_t         query[10];
    lr_sign_v4_t       v = { .nown = 0 };

    const lr_header_t  headers[] = {
        { "content-type", "application/octet-stream" },
        { "x-oss-head1", "value" }
    };

    (void) state;

    memcpy(query, v4_query, sizeof(v4_query));
    query[6].name = "x-oss-signature-version";
    query[6].value = "OSS4-HMAC-SHA256";
    query[7].name = "x-oss-date";
    query[7].value = "20231217T025437Z";
    query[8].name = "x-oss-expires";
    query[8].value = "599";
    query[9].name = "x-oss-credential";
    query[9].value = "ak/20231217/cn-hangzhou/oss/aliyun_v4_request";

    r.query = query;
    r.nquery = 10;
    r.headers = headers;
    r.nheaders = 2;

    assert_int_equal(lr_sign_v4_canonical(&v, &r), LR_OK);
    assert_int_equal(lr_sign_string(&s, &lr_sign_oss, &v.canonical,
                                    "20231217T025437Z", "cn-hangzhou"),
                     LR_OK);
    assert_int_equal(lr_sign_key(&lr_sign_oss, "sk", "20231217",
                                 "cn-hangzhou", NULL, key), LR_OK);
    assert_int_equal(lr_sign_hmac(key, 32, (char *) s.data, sig), LR_OK);

    lr_sign_hex(&hex, sig, 32);
    assert_memory_equal(hex.data, "a39966c61718be0d5b14e668088b3fa0"
                        "7601033f6518ac7b523100014269c0fe", 64);

    lr_buf_free(&v.canonical);
    lr_buf_free(&s);
    lr_buf_free(&hex);
}


static void
v1_check(const lr_sign_t *r, const char *want)
{
    char         line[256];
    lr_signed_t  out = { 0 };

    assert_int_equal(lr_sign_oss_v1(r, &out), LR_OK);

    snprintf(line, sizeof(line), "Authorization: OSS %s:%s", r->cred->id,
             want);
    assert_string_equal(out.line[0], line);

    lr_signed_free(&out);
}


static void
test_v1_vectors(void **state)
{
    lr_sign_t                 r;
    lr_signed_t               out = { 0 };
    const lr_cred_t           z = { "44CF9590006BF252F707",
                                    "OtxrzxIsfpFjA7SwPzILwy8Bw21TLhquhboDYROV",
                                    NULL, 0 };

    static const lr_header_t  h[] = {
        { "x-oss-date", "Wed, 28 Dec 2022 10:27:41 GMT" },
        { "Content-MD5", "eB5eJF1ptWaXm4bijSPyxw==" },
        { "Content-Type", "text/html" },
        { "X-Oss-Meta-Magic", "abracadabra" },
        { "x-oss-meta-author", "alice" }
    };
    static const lr_header_t  zh[] = {
        { "Content-Md5", "ODBGOERFMDMzQTczRUY3NUE3NzA5QzdFNUYzMDQxNEM=" },
        { "Content-Type", "text/html" },
        { "X-OSS-Meta-Author", "foo@bar.com" },
        { "X-OSS-Magic", "abracadabra" }
    };
    static const lr_param_t   acl[] = { { "acl", NULL } };
    static const lr_param_t   group[] = {
        { "resourceGroup", "" }, { "non-resource", "null" },
        { "list-type", "2" }, { "acl", "" }
    };

    (void) state;

    memset(&r, 0, sizeof(lr_sign_t));
    r.method = "PUT";
    r.bucket = "examplebucket";
    r.key = "nelson";
    r.headers = h;
    r.nheaders = 5;
    r.cred = &cred;
    r.time = 1672223261;
    v1_check(&r, "kSHKmLxlyEAKtZPkJhG9bZb5k7M=");

    r.query = acl;
    r.nquery = 1;
    v1_check(&r, "/afkugFbmWDQ967j1vr6zygBLQk=");

    r.method = "GET";
    r.key = NULL;
    r.query = group;
    r.nquery = 4;
    r.nheaders = 1;
    v1_check(&r, "x3E5TgOvl/i7PN618s5mEvpJDYk=");

    r.nquery = 3;
    v1_check(&r, "vkQmfuUDyi1uDi3bKt67oemssIs=");

    /* a header with the date is what is signed */

    r.time = 0;
    v1_check(&r, "vkQmfuUDyi1uDi3bKt67oemssIs=");

    /* the time of the call stands in the header that goes with it */

    memset(&r, 0, sizeof(lr_sign_t));
    r.method = "PUT";
    r.bucket = "oss-example";
    r.key = "nelson";
    r.headers = zh;
    r.nheaders = 4;
    r.cred = &z;
    r.time = 1132253398;
    v1_check(&r, "26NBxoKdsyly4EDv6inkoDft/yA=");

    assert_int_equal(lr_sign_oss_v1(&r, &out), LR_OK);
    assert_int_equal(out.n, 2);
    assert_string_equal(out.line[1], "Date: Thu, 17 Nov 2005 18:49:58 GMT");

    r.cred = &cred_sts;
    assert_int_equal(lr_sign_oss_v1(&r, &out), LR_OK);
    assert_int_equal(out.n, 3);
    assert_string_equal(out.line[2], "x-oss-security-token: token");

    lr_signed_free(&out);
}


static void
v1_query_check(const lr_sign_t *r, const char *expires, const char *text,
    const char *want)
{
    u_char     mac[20], sig[64];
    unsigned   len;
    lr_buf_t   b = { 0 };

    assert_int_equal(lr_sign_v1_string(&b, r, NULL, 0, expires), LR_OK);
    assert_int_equal(b.len, strlen(text));
    assert_memory_equal(b.data, text, b.len);

    HMAC(EVP_sha1(), "sk", 2, b.data, b.len, mac, &len);
    EVP_EncodeBlock(sig, mac, 20);
    assert_string_equal((char *) sig, want);

    lr_buf_free(&b);
}


static void
test_v1_query(void **state)
{
    lr_sign_t                r;

    static const lr_param_t  query[] = {
        { "versionId", "versionId" }, { "security-token", "token" }
    };

    (void) state;

    memset(&r, 0, sizeof(lr_sign_t));
    r.method = "GET";
    r.bucket = "bucket";
    r.key = "key";
    r.query = query;
    r.nquery = 1;
    v1_query_check(&r, "1699807420",
                   "GET\n\n\n1699807420\n/bucket/key?versionId=versionId",
                   "dcLTea+Yh9ApirQ8o8dOPqtvJXQ=");

    r.key = "key+123";
    r.nquery = 2;
    v1_query_check(&r, "1699808204",
                   "GET\n\n\n1699808204\n/bucket/key+123"
                   "?security-token=token&versionId=versionId",
                   "jzKYRrM5y6Br0dRFPaTGOsbrDhY=");
}


static void
test_v1_resource(void **state)
{
    lr_buf_t                 b = { 0 };
    lr_sign_t                r;

    static const lr_param_t  query[] = {
        { "uploadId", "A/+=" }, { "max-keys", "2" }, { "partNumber", "10" },
        { "x-oss-process", "p" }, { "callback-var", "v" },
        { "response-expires", "a b" }, { "callback", "c" }, { "uploads", "" },
        { "continuation-token", "t" }, { "prefix", "p" }, { "append", NULL }
    };

    static const char        want[] =
        "/b/k/\xe4\xbd\xa0?append&callback=c&callback-var=v"
        "&continuation-token=t&partNumber=10&response-expires=a b"
        "&uploadId=A/+=&uploads&x-oss-process=p";

    (void) state;

    memset(&r, 0, sizeof(lr_sign_t));
    r.bucket = "b";
    r.key = "k/\xe4\xbd\xa0";
    r.query = query;
    r.nquery = 11;

    assert_int_equal(lr_sign_v1_resource(&b, &r), LR_OK);
    assert_int_equal(b.len, sizeof(want) - 1);
    assert_memory_equal(b.data, want, b.len);

    lr_buf_free(&b);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_v4_canonical),
        cmocka_unit_test(test_v4_vectors),
        cmocka_unit_test(test_v4_presigned),
        cmocka_unit_test(test_v1_vectors),
        cmocka_unit_test(test_v1_query),
        cmocka_unit_test(test_v1_resource)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
