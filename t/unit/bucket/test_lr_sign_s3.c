
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <openssl/sha.h>
#include "../../../bucket/lr_sign_s3.c"


/* the SHA-256 of nothing */

#define EMPTY  "e3b0c44298fc1c149afbf4c8996fb924"                             \
               "27ae41e4649b934ca495991b7852b855"


typedef struct {
    const char   *endpoint;
    const char   *want;           /* Authorization, from Credential= on */
    const char   *host;
    lr_sign_t     r;
} vector_t;


static const lr_cred_t  aws = {
    "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    NULL, 0
};

static const lr_cred_t  sts = {
    "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "IQoJb3JpZ2luX2VjE==", 0
};

static const lr_cred_t  simple = { "id", "secret", NULL, 0 };


static const lr_header_t  get_headers[] = { { "Range", "bytes=0-9" } };
static const char *const  get_more[] = { "range" };

static const lr_header_t  put_headers[] = {
    { "x-amz-storage-class", "REDUCED_REDUNDANCY" },
    { "Date", "Fri, 24 May 2013 00:00:00 GMT" }
};
static const char *const  put_more[] = { "date" };

static const lr_param_t   lifecycle[] = { { "lifecycle", NULL } };
static const lr_param_t   list[] = { { "prefix", "J" }, { "max-keys", "2" } };


/* the examples of the S3 API Reference, with the hash of the canonical form */

static const vector_t  published[] = {
    { "https://s3.amazonaws.com",
      "host;range;x-amz-content-sha256;x-amz-date, Signature="
      "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
      "7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972",
      { .method = "GET", .key = "test.txt", .headers = get_headers,
        .nheaders = 1, .additional = get_more, .nadditional = 1 } },

    { "https://s3.amazonaws.com",
      "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class,"
      " Signature="
      "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
      "9e0e90d9c76de8fa5b200d8c849cd5b8dc7a3be3951ddb7f6a76b4158342019d",
      { .method = "PUT", .key = "test$file.text", .headers = put_headers,
        .nheaders = 2, .additional = put_more, .nadditional = 1,
        .payload = "44ce7dd67c959e0d3524ffac1771dfbb"
                   "a87d2b6b4b4e99e42034a8b803f8b072" } },

    { "https://s3.amazonaws.com",
      "host;x-amz-content-sha256;x-amz-date, Signature="
      "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
      "9766c798316ff2757b517bc739a67f6213b4ab36dd5da2f94eaebf79c77395ca",
      { .method = "GET", .query = lifecycle, .nquery = 1 } },

    { "https://s3.amazonaws.com",
      "host;x-amz-content-sha256;x-amz-date, Signature="
      "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
      "df57d21db20da04d7fa30298dd4488ba3a2b47ca3a489c74750e0f1e7df1b9b7",
      { .method = "GET", .query = list, .nquery = 2 } }
};


static const lr_header_t  b1_headers[] = {
    { "Content-Type", "video/mp2t" },
    { "X-Amz-Meta-Recording", "  a   b  c " },
    { "x-amz-storage-class", "STANDARD_IA" },
    { "If-None-Match", "*" }
};

static const lr_header_t  b2_headers[] = {
    { "Content-MD5", "eB5eJF1ptWaXm4bijSPyxw==" },
    { "Content-Type", "video/mp2t" }
};
static const lr_param_t   b2_query[] = {
    { "uploadId", "2~a/b+c=" }, { "partNumber", "3" }
};

static const lr_header_t  b3_headers[] = {
    { "x-amz-tagging", "a=b&c=d%20e" },
    { "x-amz-server-side-encryption", "aws:kms" }
};
static const lr_param_t   b3_query[] = { { "uploads", NULL } };

static const lr_param_t   b4_query[] = {
    { "list-type", "2" }, { "prefix", "live/s 1/" },
    { "encoding-type", "url" }, { "continuation-token", "1ueG/cx+=" }
};


/* what botocore 1.43.11 has signed on 2026-11-23 at 06:47:40 */

static const vector_t  botocore[] = {
    { "HTTPS://S3.eu-central-1.amazonaws.com:443",
      "AKIDEXAMPLE/20261123/eu-central-1/s3/aws4_request, SignedHeaders="
      "content-type;host;x-amz-content-sha256;x-amz-date;"
      "x-amz-meta-recording;x-amz-security-token;x-amz-storage-class,"
      " Signature="
      "3bedcf8e23e089275e6266fd3e3d4cf5f2d0e117d493d682fee4bf92725f199a",
      "rec-1.s3.eu-central-1.amazonaws.com",
      { .method = "PUT",
        .key = "live/s 1/\xc3\xa4+(b)~*'!/20261123T064740Z_0.ts",
        .headers = b1_headers, .nheaders = 4, .cred = &sts,
        .region = "eu-central-1" } },

    { "http://127.0.0.1:7480",
      "id/20261123/default/s3/aws4_request, SignedHeaders=content-md5;"
      "content-type;host;x-amz-content-sha256;x-amz-date, Signature="
      "1a74e7a14fff9b2d589cbfd3961d6d0ae20c0899982f43c4609ce4dcb7cf7539",
      "127.0.0.1:7480",
      { .method = "PUT", .key = "a/b.ts", .query = b2_query, .nquery = 2,
        .headers = b2_headers, .nheaders = 2, .cred = &simple,
        .region = "default",
        .payload = "84d89877f0d4041efb6bf91a16f0248f"
                   "2fd573e6af05c19f96bedb9f882f7882" } },

    { "https://s3.example.com:8443",
      "id/20261123/us-east-1/s3/aws4_request, SignedHeaders=host;"
      "x-amz-content-sha256;x-amz-date;x-amz-server-side-encryption;"
      "x-amz-tagging, Signature="
      "79e75ac8f4f3bfc2464080d595e5ccc1f0377c551eddee0661d6926cdee42678",
      "s3.example.com:8443",
      { .method = "POST", .key = "a/b.ts", .query = b3_query, .nquery = 1,
        .headers = b3_headers, .nheaders = 2, .cred = &simple,
        .region = "us-east-1", .style = LR_URL_PATH } },

    { "media.example.com",
      "id/20261123/auto/s3/aws4_request, SignedHeaders=host;"
      "x-amz-content-sha256;x-amz-date, Signature="
      "2ae8cd96f3a28fd32fa23b2f3020ac17260ef87f8591eee83d18dd76b0de2bbd",
      "media.example.com",
      { .method = "GET", .query = b4_query, .nquery = 4, .cred = &simple,
        .region = "auto", .style = LR_URL_CNAME } }
};


static void
endpoint(lr_url_endpoint_t *ep, const char *s)
{
    const char  *err;

    if (lr_url_endpoint(ep, s, &err) != LR_OK) {
        fail_msg("%s: %s", s, err);
    }
}


static void
test_published(void **state)
{
    size_t             i;
    u_char             hash[SHA256_DIGEST_LENGTH];
    lr_buf_t           hex = { 0 };
    lr_sign_t          r;
    lr_signed_t        out = { 0 };
    lr_sign_v4_t       v;
    lr_sign_cache_t    cache = { 0 };
    lr_url_endpoint_t  ep;

    static const char  start[] =
        "Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/"
        "20130524/us-east-1/s3/aws4_request, SignedHeaders=";

    (void) state;

    for (i = 0; i < sizeof(published) / sizeof(published[0]); i++) {

        endpoint(&ep, published[i].endpoint);

        r = published[i].r;
        r.bucket = "examplebucket";
        r.endpoint = &ep;
        r.region = "us-east-1";
        r.time = 1369353600;
        r.cred = &aws;

        if (r.payload == NULL) {
            r.payload = EMPTY;
        }

        assert_int_equal(lr_sign_s3(&r, &cache, &out), LR_OK);
        assert_int_equal(out.n, 4);
        assert_memory_equal(out.line[0], start, sizeof(start) - 1);
        assert_string_equal(out.line[0] + sizeof(start) - 1,
                            published[i].want);
        assert_string_equal(out.line[1],
                            "Host: examplebucket.s3.amazonaws.com");
        assert_string_equal(out.line[2] + 22, r.payload);
        assert_string_equal(out.line[3], "x-amz-date: 20130524T000000Z");

        memset(&v, 0, sizeof(lr_sign_v4_t));
        v.own[0].name = "host";
        v.own[0].value = "examplebucket.s3.amazonaws.com";
        v.own[1].name = "x-amz-content-sha256";
        v.own[1].value = r.payload;
        v.own[2].name = "x-amz-date";
        v.own[2].value = "20130524T000000Z";
        v.nown = 3;

        assert_int_equal(lr_sign_s3_canonical(&v, &r, r.payload), LR_OK);
        SHA256(v.canonical.data, v.canonical.len, hash);
        hex.len = 0;
        lr_sign_hex(&hex, hash, sizeof(hash));
        assert_memory_equal(hex.data, published[i].host, 64);

        lr_buf_free(&v.canonical);
        lr_buf_free(&v.names);
    }

    lr_buf_free(&hex);
    lr_signed_free(&out);
    lr_sign_cache_clear(&cache);
}


static void
test_botocore(void **state)
{
    size_t             i;
    lr_sign_t          r;
    lr_signed_t        out = { 0 };
    lr_url_endpoint_t  ep;

    static const char  start[] = "Authorization: AWS4-HMAC-SHA256 Credential=";

    (void) state;

    for (i = 0; i < sizeof(botocore) / sizeof(botocore[0]); i++) {

        endpoint(&ep, botocore[i].endpoint);

        r = botocore[i].r;
        r.bucket = "rec-1";
        r.endpoint = &ep;
        r.time = 1795416460;

        assert_int_equal(lr_sign_s3(&r, NULL, &out), LR_OK);
        assert_memory_equal(out.line[0], start, sizeof(start) - 1);
        assert_string_equal(out.line[0] + sizeof(start) - 1,
                            botocore[i].want);
        assert_memory_equal(out.line[1], "Host: ", 6);
        assert_string_equal(out.line[1] + 6, botocore[i].host);
        assert_memory_equal(out.line[2], "x-amz-content-sha256: ", 22);
        assert_string_equal(out.line[2] + 22, r.payload ? r.payload
                                                        : "UNSIGNED-PAYLOAD");
        assert_string_equal(out.line[3], "x-amz-date: 20261123T064740Z");

        assert_int_equal(out.n, r.cred->token ? 5 : 4);

        if (r.cred->token != NULL) {
            assert_string_equal(out.line[4], "x-amz-security-token: "
                                "IQoJb3JpZ2luX2VjE==");
        }
    }

    lr_signed_free(&out);
    assert_int_equal(out.n, 0);
}


static void
test_errors(void **state)
{
    lr_sign_t          r = published[0].r;
    lr_signed_t        out = { 0 };
    lr_url_endpoint_t  ep;

    (void) state;

    endpoint(&ep, "s3.amazonaws.com");
    r.bucket = "examplebucket";
    r.endpoint = &ep;
    r.region = "us-east-1";
    r.cred = &aws;

    assert_int_equal(lr_sign_s3(&r, NULL, &out), LR_OK);

    /* the additional header is not there; a time without a date */

    r.nheaders = 0;
    assert_int_equal(lr_sign_s3(&r, NULL, &out), LR_ERROR);
    assert_int_equal(out.n, 0);
    assert_null(out.buf.data);

    r.nheaders = 1;
    r.time = (time_t) 1 << 60;
    assert_int_equal(lr_sign_s3(&r, NULL, &out), LR_ERROR);
    assert_int_equal(out.n, 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_published),
        cmocka_unit_test(test_botocore),
        cmocka_unit_test(test_errors)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
