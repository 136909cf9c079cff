
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include "../../../bucket/lr_url.c"


static void
test_encode(void **state)
{
    lr_buf_t           b = { 0 };

    static const char  in[] = "aZ09-._~ +/:?#[]@!$&'()*,;=%\"\\|\xe4\xbd\xa0";

    (void) state;

    lr_url_encode(&b, in, sizeof(in) - 1);
    lr_url_end(&b);
    assert_string_equal((char *) b.data,
        "aZ09-._~%20%2B%2F%3A%3F%23%5B%5D%40%21%24%26%27%28%29%2A%2C%3B%3D"
        "%25%22%5C%7C%E4%BD%A0");

    b.len = 0;
    lr_url_encode_path(&b, "a b/c+\0d", 8);
    lr_url_end(&b);
    assert_string_equal((char *) b.data, "a%20b/c%2B%00d");

    b.len = 0;
    assert_int_equal(lr_url_decode_query(&b, "a+b%2b%E4%bd%a0%2F", 18),
                     LR_OK);
    lr_url_end(&b);
    assert_string_equal((char *) b.data, "a b+\xe4\xbd\xa0/");

    assert_int_equal(lr_url_decode_query(&b, "a%2", 3), LR_ERROR);
    assert_int_equal(lr_url_decode_query(&b, "a%", 2), LR_ERROR);
    assert_int_equal(lr_url_decode_query(&b, "%g1", 3), LR_ERROR);
    assert_int_equal(lr_url_decode_query(&b, "%1/", 3), LR_ERROR);

    lr_buf_free(&b);
}


static void
build(const char *endpoint, lr_url_style_e style, const char *bucket,
    const char *key, const char *want)
{
    lr_buf_t                 b = { 0 };
    const char              *err;
    lr_url_endpoint_t        ep;

    static const lr_param_t  query[] = {
        { "list-type", "2" }, { "prefix", "a/b c" }, { "uploads", NULL },
        { "x", "" }
    };

    if (lr_url_endpoint(&ep, endpoint, &err) != LR_OK) {
        fail_msg("%s: %s", endpoint, err);
    }

    assert_int_equal(lr_url_build(&b, &ep, style, bucket, key, query,
                                  key == NULL ? 4 : 0), LR_OK);
    assert_string_equal((char *) b.data, want);
    assert_int_equal(b.len, strlen(want));

    lr_buf_free(&b);
}


static void
test_build(void **state)
{
    lr_buf_t           b = { 0 };
    const char        *err;
    lr_url_endpoint_t  ep;

    (void) state;

    build("https://oss-cn-hangzhou.aliyuncs.com", LR_URL_AUTO, "my-bucket",
          "record/live/s 1.ts",
          "https://my-bucket.oss-cn-hangzhou.aliyuncs.com"
          "/record/live/s%201.ts");
    build("oss-cn-hangzhou.aliyuncs.com", LR_URL_AUTO, "bkt", NULL,
          "https://bkt.oss-cn-hangzhou.aliyuncs.com"
          "/?list-type=2&prefix=a%2Fb%20c&uploads&x");
    build("HTTP://oss.example.com:8080/", LR_URL_PATH, "bkt", "a",
          "http://oss.example.com:8080/bkt/a");
    build("http://media.example.com", LR_URL_CNAME, "bkt", "a/b",
          "http://media.example.com/a/b");

    build("http://127.0.0.1:9000", LR_URL_AUTO, "bkt", "a",
          "http://127.0.0.1:9000/bkt/a");
    build("http://[::1]:9000", LR_URL_AUTO, "bkt", "a",
          "http://[::1]:9000/bkt/a");
    build("https://[fe80::1]", LR_URL_AUTO, "bkt", "a",
          "https://[fe80::1]/bkt/a");
    build("http://localhost:9000", LR_URL_AUTO, "bkt", "a",
          "http://localhost:9000/bkt/a");
    build("http://localhost:9000", LR_URL_VHOST, "bkt", "a",
          "http://bkt.localhost:9000/a");

    build("http://localhost", LR_URL_VHOST, NULL, NULL,
          "http://localhost/?list-type=2&prefix=a%2Fb%20c&uploads&x");
    build("http://localhost", LR_URL_PATH, "bkt", NULL,
          "http://localhost/bkt/?list-type=2&prefix=a%2Fb%20c&uploads&x");

    assert_int_equal(lr_url_endpoint(&ep, "http://127.0.0.1", &err), LR_OK);
    assert_int_equal(lr_url_build(&b, &ep, LR_URL_VHOST, "bkt", "a", NULL, 0),
                     LR_ERROR);
    lr_buf_free(&b);
}


static void
authority(const char *endpoint, lr_url_style_e style, const char *bucket,
    const char *want)
{
    lr_buf_t           b = { 0 };
    const char        *err;
    lr_url_endpoint_t  ep;

    assert_int_equal(lr_url_endpoint(&ep, endpoint, &err), LR_OK);

    lr_buf_puts(&b, "A");
    lr_url_authority(&b, &ep, style, bucket);
    lr_url_end(&b);
    assert_int_equal(b.data[0], 'A');
    assert_string_equal((char *) b.data + 1, want);

    lr_buf_free(&b);
}


static void
test_authority(void **state)
{
    (void) state;

    authority("https://S3.Example.Com/", LR_URL_AUTO, "bkt",
              "bkt.s3.example.com");
    authority("https://s3.example.com:443", LR_URL_PATH, "bkt",
              "s3.example.com");
    authority("https://s3.example.com:0080", LR_URL_PATH, "bkt",
              "s3.example.com:80");
    authority("http://s3.example.com:80", LR_URL_VHOST, "bkt",
              "bkt.s3.example.com");
    authority("http://s3.example.com:0443", LR_URL_CNAME, "bkt",
              "s3.example.com:443");
    authority("http://s3.example.com", LR_URL_VHOST, NULL, "s3.example.com");
    authority("http://[FE80::1]:9000", LR_URL_AUTO, "bkt", "[fe80::1]:9000");
}


static void
test_path(void **state)
{
    size_t             i;
    lr_buf_t           b = { 0 };
    const char        *err;
    lr_url_endpoint_t  ep;

    static const struct {
        lr_url_style_e  style;
        const char     *bucket;
        const char     *key;
        const char     *want;
    } t[] = {
        { LR_URL_AUTO, "bkt", "a/b c", "/a/b%20c" },
        { LR_URL_CNAME, "bkt", "a", "/a" },
        { LR_URL_PATH, "bkt", "a+b", "/bkt/a%2Bb" },
        { LR_URL_PATH, "bkt", NULL, "/bkt/" },
        { LR_URL_VHOST, "bkt", NULL, "/" },
        { LR_URL_PATH, NULL, NULL, "/" }
    };

    (void) state;

    assert_int_equal(lr_url_endpoint(&ep, "s3.example.com", &err), LR_OK);

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        b.len = 0;
        lr_url_path(&b, &ep, t[i].style, t[i].bucket, t[i].key);
        lr_url_end(&b);
        assert_string_equal((char *) b.data, t[i].want);
    }

    lr_buf_free(&b);
}


static void
test_endpoint(void **state)
{
    size_t                    i;
    const char               *err;
    lr_url_endpoint_t         ep;

    static const char *const  wrong[] = {
        "", "https://", "/", "ftp://a.b", "a b.c", "a.b/c", "a.b?c",
        "user@a.b", "a..b", ".a.b", "a.b.", "a.b:", "a.b:0", "a.b:65536",
        "a.b:99999999999999999999", "a.b:8x", "a.b:80/x", "a.b//",
        "300.1.1.1", "1.2.3", "12345", "[::1", "[::g]", "[]", "[127.0.0.1]",
        "[::1]x", "::1", "http://\xc3\xa4.b", "a.b\n"
    };

    (void) state;

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {

        err = NULL;

        if (lr_url_endpoint(&ep, wrong[i], &err) != LR_ERROR) {
            fail_msg("\"%s\" was taken", wrong[i]);
        }

        assert_non_null(err);
    }

    assert_int_equal(lr_url_endpoint(&ep, "http://a-1.b_c.D:65535", &err),
                     LR_OK);
    assert_int_equal(ep.https, 0);
    assert_int_equal(ep.ip, 0);
    assert_int_equal(ep.dotless, 0);
    assert_int_equal(ep.port.len, 5);

    assert_int_equal(lr_url_endpoint(&ep, "store", &err), LR_OK);
    assert_int_equal(ep.https, 1);
    assert_int_equal(ep.dotless, 1);
}


static void
test_bucket(void **state)
{
    char         name[65];
    const char  *err;

    (void) state;

    memset(name, 'a', 64);
    name[64] = '\0';

    assert_int_equal(lr_url_check_bucket("abc", &err), LR_OK);
    assert_int_equal(lr_url_check_bucket("0-9", &err), LR_OK);
    assert_int_equal(lr_url_check_bucket(name + 1, &err), LR_OK);
    assert_int_equal(lr_url_check_bucket(name, &err), LR_ERROR);
    assert_int_equal(lr_url_check_bucket("ab", &err), LR_ERROR);
    assert_int_equal(lr_url_check_bucket("", &err), LR_ERROR);
    assert_int_equal(lr_url_check_bucket("-ab", &err), LR_ERROR);
    assert_int_equal(lr_url_check_bucket("ab-", &err), LR_ERROR);
    assert_int_equal(lr_url_check_bucket("aBc", &err), LR_ERROR);
    assert_int_equal(lr_url_check_bucket("a.c", &err), LR_ERROR);
    assert_int_equal(lr_url_check_bucket("a/c", &err), LR_ERROR);
}


static void
test_utf8(void **state)
{
    size_t  i;

    static const char *const  right[] = {
        "", "a/b.ts", "\xe4\xbd\xa0", "\xf0\x9f\x98\x80/", "\xdf\xbf",
        "a b\t?#%"
    };
    static const char *const  wrong[] = {
        "\xe4\xbd", "\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
        "\x80", "a\xe4\xbdz", "\xe0\x80\x80"
    };

    (void) state;

    for (i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        if (lr_url_utf8(right[i], strlen(right[i])) != LR_OK) {
            fail_msg("\"%s\" was not taken", right[i]);
        }
    }

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (lr_url_utf8(wrong[i], strlen(wrong[i])) == LR_OK) {
            fail_msg("\"%s\" was taken", wrong[i]);
        }
    }
}


static void
relative(const char *from, const char *to, const char *want)
{
    lr_buf_t  b = { 0 };

    lr_url_relative(&b, from, to);
    assert_string_equal((char *) b.data, want);
    assert_int_equal(b.len, strlen(want));

    lr_buf_free(&b);
}


static void
test_relative(void **state)
{
    (void) state;

    relative("live/s/2026-11-22.m3u8", "record/live/s/1700000000_0.ts",
             "../../record/live/s/1700000000_0.ts");
    relative("record/live/s/a_b.m3u8", "record/live/s/1_0.ts", "1_0.ts");
    relative("record/live/s/a.m3u8", "record/live/t/1.ts", "../t/1.ts");
    relative("record/live/s.m3u8", "record/live/s/1.ts", "s/1.ts");
    relative("a.m3u8", "b.ts", "b.ts");
    relative("a/b/c", "a", "../../a");
    relative("a/b/c", "a/b", "../b");
    relative("a/b", "a/b/c", "b/c");
    relative("a/b", "a/b", "b");
    relative("ab/x", "ac/y", "../ac/y");
    relative("a/x", "a/y z+\xe4\xbd\xa0.ts", "y%20z%2B%E4%BD%A0.ts");

    /* what must not look like a scheme, a path or the document itself */

    relative("a/x", "a/10:20.ts", "./10:20.ts");
    relative("a/x", "a/b/10:20.ts", "b/10:20.ts");
    relative("a/x", "b:c/d", "../b:c/d");
    relative("a/x", "a//b", ".//b");
    relative("a/x", "a/", "./");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_encode),
        cmocka_unit_test(test_build),
        cmocka_unit_test(test_authority),
        cmocka_unit_test(test_path),
        cmocka_unit_test(test_endpoint),
        cmocka_unit_test(test_bucket),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_relative)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
