
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The vectors of signatures are from Alibaba Cloud's pages, or were made
 * with its clients.
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "../../../bucket/lr_rpc.c"


static char  err[LR_RPC_ERR_LEN];


static int
parse(lr_rpc_t *rpc, const char *query, const char *form)
{
    int        rc;
    char      *copy[2];
    lr_str_t   s[2];

    /* without the zero byte, so that ASan sees a read beyond the end */

    s[0].len = strlen(query);
    s[1].len = strlen(form);

    copy[0] = malloc(s[0].len + 1);
    copy[1] = malloc(s[1].len + 1);

    s[0].data = memcpy(copy[0] + 1, query, s[0].len);
    s[1].data = memcpy(copy[1] + 1, form, s[1].len);

    err[0] = '\0';
    rc = lr_rpc_parse(rpc, &s[0], &s[1], err);

    free(copy[0]);
    free(copy[1]);

    return rc;
}


static void
test_parse(void **state)
{
    lr_rpc_t  rpc;

    (void) state;

    assert_int_equal(parse(&rpc, "", ""), LR_OK);
    assert_int_equal(rpc.n, 0);
    assert_null(lr_rpc_get(&rpc, "A"));
    lr_rpc_free(&rpc);

    assert_int_equal(parse(&rpc, "&&B=2&a.1.b=%41%2b+%2541&&", "A=x=y&C&D="),
                     LR_OK);
    assert_int_equal(rpc.n, 5);
    assert_string_equal(rpc.params[0].name, "A");
    assert_string_equal(rpc.params[4].name, "a.1.b");
    assert_string_equal(lr_rpc_get(&rpc, "A"), "x=y");
    assert_string_equal(lr_rpc_get(&rpc, "B"), "2");
    assert_string_equal(lr_rpc_get(&rpc, "a.1.b"), "A+ %41");
    assert_null(lr_rpc_get(&rpc, "C"));
    assert_null(lr_rpc_get(&rpc, "D"));
    assert_null(lr_rpc_get(&rpc, "b"));
    assert_int_equal(rpc.params[0].form, 1);
    assert_int_equal(rpc.params[1].form, 0);
    lr_rpc_free(&rpc);
    lr_rpc_free(&rpc);
}


static void
test_wrong(void **state)
{
    size_t      i;
    lr_rpc_t    rpc;
    lr_buf_t    b;

    static const struct {
        const char  *query;
        const char  *form;
        const char  *say;
    } t[] = {
        { "A=1&A=1", "", "\"A\" is there more than once" },
        { "A=1", "A=2", "\"A\" is there more than once" },
        { "", "x=%", "\"x\" is not encoded" },
        { "x=%4", "", "\"x\" is not encoded" },
        { "x=%4g", "", "\"x\" is not encoded" },
        { "x=%-1", "", "\"x\" is not encoded" },
        { "x=%00", "", "\"x\" is not UTF-8, or has a zero byte" },
        { "x=a%00b", "", "\"x\" is not UTF-8, or has a zero byte" },
        { "x=\xff", "", "\"x\" is not UTF-8" },
        { "x=%C3", "", "\"x\" is not UTF-8" },
        { "x=%C3&y=%A9", "", "\"x\" is not UTF-8" },
        { "=x", "", "the name of a parameter" },
        { "%=x", "", "the name of a parameter" },
        { "a%00b=x", "", "the name of a parameter" },
        { "a b=x", "", "the name of a parameter" },
        { "a[1]=x", "", "the name of a parameter" }
    };

    (void) state;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {

        if (parse(&rpc, t[i].query, t[i].form) != LR_DECLINED
            || strstr(err, t[i].say) == NULL || rpc.n != 0
            || rpc.params != NULL)
        {
            fail_msg("%s: %s", t[i].query, err);
        }
    }

    memset(&b, 0, sizeof(lr_buf_t));

    for (i = 0; i < LR_RPC_MAX_PARAMS; i++) {
        lr_buf_printf(&b, "%sp%d=", i ? "&" : "", (int) i);
    }

    lr_buf_append(&b, "", 1);

    assert_int_equal(parse(&rpc, (char *) b.data, ""), LR_OK);
    assert_int_equal(rpc.n, LR_RPC_MAX_PARAMS);
    lr_rpc_free(&rpc);

    assert_int_equal(parse(&rpc, (char *) b.data, "x=1"), LR_DECLINED);
    assert_non_null(strstr(err, "more than 512 parameters"));

    lr_buf_free(&b);

    lr_buf_printf(&b, "%0*d=1%c", LR_RPC_MAX_NAME, 0, 0);
    assert_int_equal(parse(&rpc, (char *) b.data, ""), LR_OK);
    lr_rpc_free(&rpc);
    lr_buf_free(&b);

    lr_buf_printf(&b, "%0*d=1%c", LR_RPC_MAX_NAME + 1, 0, 0);
    assert_int_equal(parse(&rpc, (char *) b.data, ""), LR_DECLINED);
    lr_buf_free(&b);
}


#define COMMON(id)                                                            \
    "AccessKeyId=" id "&SignatureMethod=HMAC-SHA1&SignatureVersion=1.0"

static void
test_sign(void **state)
{
    char        signature[LR_RPC_SIGNATURE_LEN + 1];
    size_t      i;
    lr_buf_t    b;
    lr_rpc_t    rpc;

    static const struct {
        const char  *method;
        const char  *query;
        const char  *form;
        const char  *want;
    } t[] = {

        { "GET", COMMON("testid") "&Format=XML&"
          "Action=DescribeLiveSnapshotConfig&RegionId=cn-shanghai&"
          "ServiceCode=live&DomainName=test.com&AppName=test&"
          "SignatureNonce=c2fe8fbb-2977-4414-8d39-348d02419c1c&"
          "Version=2016-11-01&Timestamp=2017-06-14T09%3A51%3A14Z", "",
          "3I5a3myPjp8FXWT4rvxX5pKb/aw=" },

        { "GET", COMMON("testid") "&Format=XML&Action=DescribeRegions&"
          "SignatureNonce=3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf&"
          "Version=2014-05-26&Timestamp=2016-02-23T12:46:24Z", "",
          "OLeaidS1JvxuMvnyHOwuJ+uX5qY=" },

        /* what a Signature says is not signed */

        { "GET", COMMON("testid") "&Format=JSON&Signature=x%2F%3D&"
          "Action=RealTimeRecordCommand&Command=start&"
          "DomainName=play.example.com&AppName=live&"
          "StreamName=s+1*~(%E4%B8%AD)&Version=2016-11-01&"
          "SignatureNonce=9e8d7c6b5a4f3e2d1c0b&"
          "Timestamp=2026-01-02T03%3A04%3A05Z", "",
          "h82+M9/sx0BQCDT0j7sjbMt756U=" },

        /* query and form count as one */

        { "POST", COMMON("testid") "&Format=JSON",
          "Action=AddLiveAppRecordConfig&AppName=live&"
          "DomainName=play.example.com&OssBucket=b&"
          "OssEndpoint=oss-cn-shanghai.aliyuncs.com&"
          "RecordFormat.1.Format=m3u8&RecordFormat.1.CycleDuration=3600&"
          "RecordFormat.1.OssObjectPrefix=record/{AppName}/{StreamName}/"
          "{EscapedStartTime}_{EscapedEndTime}&"
          "RecordFormat.1.SliceOssObjectPrefix=record/{AppName}/"
          "{StreamName}/{UnixTimestamp}_{Sequence}&Version=2016-11-01&"
          "SignatureNonce=f732d0a29d5c142e6fcc7ec847f69fbd&"
          "Timestamp=2026-01-02T03:04:05Z",
          "yIJ9DKS3yyrOM6SDjfjCVSRdrL4=" }
    };

    (void) state;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {

        memset(&b, 0, sizeof(lr_buf_t));

        assert_int_equal(parse(&rpc, t[i].query, t[i].form), LR_OK);
        assert_int_equal(lr_rpc_string(&b, &rpc, t[i].method), LR_OK);
        assert_int_equal(strlen((char *) b.data), b.len);
        assert_int_equal(lr_rpc_sign((char *) b.data, "testsecret",
                                     signature),
                         LR_OK);
        assert_string_equal(signature, t[i].want);

        if (i == 2) {
            assert_string_equal((char *) b.data,
                "GET&%2F&AccessKeyId%3Dtestid%26Action%3DRealTimeRecord"
                "Command%26AppName%3Dlive%26Command%3Dstart%26DomainName"
                "%3Dplay.example.com%26Format%3DJSON%26SignatureMethod%3D"
                "HMAC-SHA1%26SignatureNonce%3D9e8d7c6b5a4f3e2d1c0b%26Sig"
                "natureVersion%3D1.0%26StreamName%3Ds%25201%252A~%2528%25"
                "E4%25B8%25AD%2529%26Timestamp%3D2026-01-02T03%253A04%253"
                "A05Z%26Version%3D2016-11-01");
        }

        lr_buf_free(&b);
        lr_rpc_free(&rpc);
    }
}


static void
test_canonical(void **state)
{
    lr_buf_t  b;
    lr_rpc_t  rpc;

    (void) state;

    memset(&b, 0, sizeof(lr_buf_t));

    assert_int_equal(parse(&rpc, "b=2&B=%2F&c", "a=1"), LR_OK);

    lr_rpc_canonical(&b, &rpc, NULL, 1);
    lr_buf_puts(&b, " ");
    lr_rpc_canonical(&b, &rpc, NULL, 0);
    lr_buf_puts(&b, " ");
    lr_rpc_canonical(&b, &rpc, "B", 0);
    lr_buf_append(&b, "", 1);

    assert_string_equal((char *) b.data,
                        "B=%2F&a=1&b=2&c= B=%2F&b=2&c= b=2&c=");

    lr_buf_free(&b);
    lr_rpc_free(&rpc);
}


static void
test_equal(void **state)
{
    (void) state;

    assert_true(lr_rpc_equal("abc", "abc"));
    assert_true(lr_rpc_equal("", ""));
    assert_false(lr_rpc_equal("abc", "abd"));
    assert_false(lr_rpc_equal("abc", "ab"));
    assert_false(lr_rpc_equal("", "a"));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_sign),
        cmocka_unit_test(test_canonical),
        cmocka_unit_test(test_equal)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
