
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include "../../../bucket/lr_sign.c"


static const char *const  some[] = { "host", NULL };

static const lr_sign_dialect_t  dialect = {
    "OSS4-HMAC-SHA256", "aliyun_v4", "oss", "aliyun_v4_request", ",",
    "AdditionalHeaders", { "x-oss-", some, 1, 0 }
};


static void
test_key(void **state)
{
    size_t            i;
    u_char            key[32];
    lr_buf_t          hex = { 0 };

    static const char *const  steps[] = {
        "20231216", "cn-hangzhou", "oss", "aliyun_v4_request"
    };
    static const char *const  want[] = {
        "151acc75ab7203acc219c35ef7415d0c604d059c7140665fe78233ec8ae7f9ea",
        "cd7fb718a1d15d167938c1ea34698de973b43added106b102eba0973c9aad028",
        "fde9c360ae5165f5a84690330c8bc545e6bde502ba8ba4972db81e5a2ea80bec",
        "b412a03b134ebddd720f5167b5de6db66620ebb3b01cff4d49e3ccb09f8de97f"
    };

    (void) state;

    for (i = 0; i < 4; i++) {
        if (i == 0) {
            assert_int_equal(lr_sign_hmac((u_char *) "aliyun_v4sk", 11,
                                          steps[i], key), LR_OK);

        } else {
            assert_int_equal(lr_sign_hmac(key, 32, steps[i], key), LR_OK);
        }

        hex.len = 0;
        lr_sign_hex(&hex, key, 32);
        assert_memory_equal(hex.data, want[i], 64);
    }

    assert_int_equal(lr_sign_key(&dialect, "sk", "20231216",
                                 "cn-hangzhou", NULL, key), LR_OK);
    hex.len = 0;
    lr_sign_hex(&hex, key, 32);
    assert_memory_equal(hex.data, want[3], 64);

    lr_buf_free(&hex);
}


static void
test_cache(void **state)
{
    u_char             a[32], b[32];
    lr_sign_cache_t    cache = { 0 };
    lr_sign_dialect_t  other;

    (void) state;

    lr_sign_key(&dialect, "sk", "20231216", "cn-hangzhou", &cache, a);
    assert_true(cache.valid);

    /* is it used? */

    cache.key[0] ^= 1;
    lr_sign_key(&dialect, "sk", "20231216", "cn-hangzhou", &cache, b);
    assert_int_equal(a[0] ^ 1, b[0]);
    cache.key[0] ^= 1;

    /* every part of what it depends on renews it */

    lr_sign_key(&dialect, "sk2", "20231216", "cn-hangzhou", &cache, b);
    assert_memory_not_equal(a, b, 32);
    lr_sign_key(&dialect, "sk", "20231217", "cn-hangzhou", &cache, b);
    assert_memory_not_equal(a, b, 32);
    lr_sign_key(&dialect, "sk", "20231216", "cn-beijing", &cache, b);
    assert_memory_not_equal(a, b, 32);
    lr_sign_key(&dialect, "sk", "20231216", "cn-hangzhou", &cache, b);
    assert_memory_equal(a, b, 32);

    other = dialect;
    other.prefix = "AWS4";
    lr_sign_key(&other, "sk", "20231216", "cn-hangzhou", &cache, b);
    assert_memory_not_equal(a, b, 32);

    lr_sign_cache_clear(&cache);
    assert_false(cache.valid);
    assert_int_equal(cache.key[0] | cache.key[1] | cache.key[31], 0);
}


static void
test_sorting(void **state)
{
    lr_buf_t                  b = { 0 };
    lr_sign_t                 r;

    static const lr_param_t   query[] = {
        { "b", "1" }, { "a-b", "x y/z" }, { "a", "" }, { "ab", NULL },
        { "A", "\xe4\xbd\xa0" }
    };

    static const char         want[] =
        "A=%E4%BD%A0&a&a-b=x%20y%2Fz&ab&b=1";
    static const char         always[] =
        "A=%E4%BD%A0&a=&a-b=x%20y%2Fz&ab=&b=1";

    (void) state;

    memset(&r, 0, sizeof(lr_sign_t));
    r.query = query;
    r.nquery = 5;

    assert_int_equal(lr_sign_query(&b, &r, 0), LR_OK);
    assert_int_equal(b.len, sizeof(want) - 1);
    assert_memory_equal(b.data, want, b.len);

    b.len = 0;
    assert_int_equal(lr_sign_query(&b, &r, 1), LR_OK);
    assert_int_equal(b.len, sizeof(always) - 1);
    assert_memory_equal(b.data, always, b.len);

    lr_buf_free(&b);
}


static void
headers(const lr_sign_t *r, const lr_sign_rule_t *rule, const char *want,
    const char *names)
{
    lr_buf_t                  b = { 0 }, n = { 0 };

    static const lr_header_t  own[] = { { "X-A-Own", " o  wn " } };

    assert_int_equal(lr_sign_headers(&b, r, own, 1, rule, &n), LR_OK);
    lr_buf_append(&b, "", 1);
    lr_buf_append(&n, "", 1);
    assert_string_equal((char *) b.data, want);
    assert_string_equal((char *) n.data, names);

    lr_buf_free(&b);
    lr_buf_free(&n);
}


static void
test_headers(void **state)
{
    lr_sign_t                 r;
    lr_buf_t                  b = { 0 };
    lr_sign_rule_t            rule = { "x-a-", some, 1, 1 };

    static const lr_header_t  given[] = {
        { "Y", "1" }, { "X-A-B", "\t2  3 \t4 " }, { "x-a-", "5" },
        { "Host", "h" }, { "Z", "" }
    };
    static const char *const  additional[] = { "y", "z" };

    (void) state;

    memset(&r, 0, sizeof(lr_sign_t));
    r.headers = given;
    r.nheaders = 5;

    headers(&r, &rule, "host:h\nx-a-b:2 3 4\nx-a-own:o wn\n",
            "host;x-a-b;x-a-own");

    r.additional = additional;
    r.nadditional = 2;

    headers(&r, &rule, "host:h\nx-a-b:2 3 4\nx-a-own:o wn\ny:1\nz:\n",
            "host;x-a-b;x-a-own;y;z");

    rule.squeeze = 0;
    rule.additional = 0;

    headers(&r, &rule, "host:h\nx-a-b:2  3 \t4\nx-a-own:o  wn\n",
            "host;x-a-b;x-a-own");

    /* one that is to be signed is not there */

    r.nheaders = 4;
    assert_int_equal(lr_sign_headers(&b, &r, NULL, 0, &rule, NULL), LR_OK);

    rule.additional = 1;
    assert_int_equal(lr_sign_headers(&b, &r, NULL, 0, &rule, NULL),
                     LR_ERROR);

    lr_buf_free(&b);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_key),
        cmocka_unit_test(test_cache),
        cmocka_unit_test(test_sorting),
        cmocka_unit_test(test_headers)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
