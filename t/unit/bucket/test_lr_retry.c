
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include "../../../bucket/lr_retry.c"


typedef struct {
    lr_net_e     net;
    unsigned     status;
    const char  *code;
    lr_retry_e   want;
} sort_t;


static const sort_t  table[] = {
    { LR_NET_OK, 200, NULL, LR_RETRY_OK },
    { LR_NET_OK, 204, NULL, LR_RETRY_OK },
    { LR_NET_OK, 206, NULL, LR_RETRY_OK },
    { LR_NET_OK, 203, "CallbackFailed", LR_RETRY_OK },
    { LR_NET_OK, 203, NULL, LR_RETRY_OK },
    { LR_NET_OK, 200, "InternalError", LR_RETRY_AGAIN },
    { LR_NET_OK, 200, "SomethingNew", LR_RETRY_AGAIN },
    { LR_NET_OK, 200, "AccessDenied", LR_RETRY_ADMIN },

    { LR_NET_OK, 0, NULL, LR_RETRY_AGAIN },
    { LR_NET_CONNECT, 0, NULL, LR_RETRY_AGAIN },
    { LR_NET_TIMEOUT, 0, NULL, LR_RETRY_AGAIN },
    { LR_NET_BROKEN, 200, NULL, LR_RETRY_AGAIN },
    { LR_NET_SUM, 200, NULL, LR_RETRY_AGAIN },
    { LR_NET_TLS, 0, NULL, LR_RETRY_ADMIN },
    { LR_NET_LOCAL, 0, NULL, LR_RETRY_ADMIN },

    { LR_NET_OK, 500, "InternalError", LR_RETRY_AGAIN },
    { LR_NET_OK, 500, NULL, LR_RETRY_AGAIN },
    { LR_NET_OK, 502, NULL, LR_RETRY_AGAIN },
    { LR_NET_OK, 503, "ServiceUnavailable", LR_RETRY_AGAIN },
    { LR_NET_OK, 503, "AccessDenied", LR_RETRY_AGAIN },
    { LR_NET_OK, 400, "RequestTimeout", LR_RETRY_AGAIN },
    { LR_NET_OK, 400, "BadRequest", LR_RETRY_AGAIN },
    { LR_NET_OK, 401, NULL, LR_RETRY_AGAIN },
    { LR_NET_OK, 408, NULL, LR_RETRY_AGAIN },
    { LR_NET_OK, 429, "TooManyRequests", LR_RETRY_AGAIN },

    { LR_NET_OK, 403, "RequestTimeTooSkewed", LR_RETRY_CLOCK },
    { LR_NET_OK, 403, "SecurityTokenExpired", LR_RETRY_CREDENTIALS },
    { LR_NET_OK, 403, "InvalidSecurityToken", LR_RETRY_CREDENTIALS },

    { LR_NET_OK, 403, "AccessDenied", LR_RETRY_ADMIN },
    { LR_NET_OK, 403, "InvalidAccessKeyId", LR_RETRY_CREDENTIALS },
    { LR_NET_OK, 403, "SignatureDoesNotMatch", LR_RETRY_ADMIN },
    { LR_NET_OK, 403, "UserDisable", LR_RETRY_ADMIN },
    { LR_NET_OK, 403, NULL, LR_RETRY_ADMIN },
    { LR_NET_OK, 404, "NoSuchBucket", LR_RETRY_ADMIN },
    { LR_NET_OK, 404, "NotKnown", LR_RETRY_ADMIN },
    { LR_NET_OK, 400, "InvalidArgument", LR_RETRY_ADMIN },
    { LR_NET_OK, 400, "InvalidDigest", LR_RETRY_ADMIN },
    { LR_NET_OK, 400, "InvalidObjectName", LR_RETRY_ADMIN },
    { LR_NET_OK, 400, "InvalidBucketName", LR_RETRY_ADMIN },
    { LR_NET_OK, 400, "InvalidPart", LR_RETRY_ADMIN },
    { LR_NET_OK, 400, "InvalidPartOrder", LR_RETRY_ADMIN },
    { LR_NET_OK, 400, "MalformedXML", LR_RETRY_ADMIN },
    { LR_NET_OK, 400, "EntityTooSmall", LR_RETRY_ADMIN },
    { LR_NET_OK, 400, "EntityTooLarge", LR_RETRY_ADMIN },
    { LR_NET_OK, 405, "MethodNotAllowed", LR_RETRY_ADMIN },
    { LR_NET_OK, 411, "MissingContentLength", LR_RETRY_ADMIN },
    { LR_NET_OK, 301, NULL, LR_RETRY_ADMIN },

    { LR_NET_OK, 409, "FileAlreadyExists", LR_RETRY_EXISTS },
    { LR_NET_OK, 409, NULL, LR_RETRY_ADMIN },
    { LR_NET_OK, 404, "NoSuchKey", LR_RETRY_GONE },
    { LR_NET_OK, 404, "NoSuchUpload", LR_RETRY_GONE },
    { LR_NET_OK, 404, NULL, LR_RETRY_GONE },

    /* of S3 */

    { LR_NET_OK, 503, "SlowDown", LR_RETRY_AGAIN },
    { LR_NET_OK, 429, "SlowDown", LR_RETRY_AGAIN },
    { LR_NET_OK, 200, "SlowDown", LR_RETRY_AGAIN },
    { LR_NET_OK, 429, NULL, LR_RETRY_AGAIN },
    { LR_NET_OK, 400, "TooManyRequests", LR_RETRY_AGAIN },
    { LR_NET_OK, 400, "KMS.ThrottlingException", LR_RETRY_AGAIN },
    { LR_NET_OK, 400, "IncompleteBody", LR_RETRY_AGAIN },
    { LR_NET_OK, 400, "BadDigest", LR_RETRY_AGAIN },
    { LR_NET_OK, 400, "XAmzContentSHA256Mismatch", LR_RETRY_AGAIN },
    { LR_NET_OK, 409, "OperationAborted", LR_RETRY_AGAIN },
    { LR_NET_OK, 409, "ConditionalRequestConflict", LR_RETRY_AGAIN },
    { LR_NET_OK, 307, "TemporaryRedirect", LR_RETRY_AGAIN },
    { LR_NET_OK, 307, NULL, LR_RETRY_ADMIN },

    { LR_NET_OK, 412, "PreconditionFailed", LR_RETRY_EXISTS },
    { LR_NET_OK, 412, NULL, LR_RETRY_EXISTS },
    { LR_NET_OK, 304, NULL, LR_RETRY_EXISTS },

    { LR_NET_OK, 400, "ExpiredToken", LR_RETRY_CREDENTIALS },
    { LR_NET_OK, 400, "InvalidToken", LR_RETRY_CREDENTIALS },
    { LR_NET_OK, 400, "TokenRefreshRequired", LR_RETRY_CREDENTIALS },

    { LR_NET_OK, 301, "PermanentRedirect", LR_RETRY_REGION },
    { LR_NET_OK, 400, "AuthorizationHeaderMalformed", LR_RETRY_REGION },
    { LR_NET_OK, 400, "IllegalLocationConstraintException",
      LR_RETRY_REGION },

    { LR_NET_OK, 501, "NotImplemented", LR_RETRY_ADMIN },
    { LR_NET_OK, 501, NULL, LR_RETRY_ADMIN },
    { LR_NET_OK, 403, "QuotaExceeded", LR_RETRY_ADMIN },
    { LR_NET_OK, 400, "InvalidRequest", LR_RETRY_ADMIN },
    { LR_NET_OK, 507, "XMinioStorageFull", LR_RETRY_AGAIN }
};


static void
test_sort(void **state)
{
    size_t         i;
    lr_retry_e     got;
    const sort_t  *t;

    (void) state;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {

        t = &table[i];
        got = lr_retry_sort(t->net, t->status, t->code);

        if (got != t->want) {
            fail_msg("%d %u %s: %d, not %d", (int) t->net, t->status,
                     t->code ? t->code : "-", (int) got, (int) t->want);
        }
    }
}


static void
test_delay(void **state)
{
    unsigned                n;

    static const uint32_t   again[] = {
        1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000
    };

    (void) state;

    for (n = 0; n < 8; n++) {
        assert_int_equal(lr_retry_delay(LR_RETRY_AGAIN, n, 0, 0), again[n]);
        assert_int_equal(lr_retry_delay(LR_RETRY_AGAIN, n, 0, again[n] / 2),
                         again[n] / 2);
        assert_in_range(lr_retry_delay(LR_RETRY_AGAIN, n, 0, 0xdeadbeef),
                        again[n] / 2, again[n]);
    }

    assert_int_equal(lr_retry_delay(LR_RETRY_AGAIN, UINT32_MAX, 0, 0), 60000);
    assert_int_equal(lr_retry_delay(LR_RETRY_ADMIN, 6, 0, 0), 64000);
    assert_int_equal(lr_retry_delay(LR_RETRY_ADMIN, 8, 0, 0), 256000);
    assert_int_equal(lr_retry_delay(LR_RETRY_ADMIN, 9, 0, 0), 300000);
    assert_int_equal(lr_retry_delay(LR_RETRY_ADMIN, 1000, 0, 0), 300000);

    /* once at once, then as any other */

    assert_int_equal(lr_retry_delay(LR_RETRY_CLOCK, 0, 0, 5), 0);
    assert_int_equal(lr_retry_delay(LR_RETRY_CREDENTIALS, 0, 0, 5), 0);
    assert_int_equal(lr_retry_delay(LR_RETRY_REGION, 0, 0, 5), 0);
    assert_int_equal(lr_retry_delay(LR_RETRY_REGION, 2, 0, 0), 2000);
    assert_int_equal(lr_retry_delay(LR_RETRY_CREDENTIALS, 1, 0, 0), 1000);
    assert_int_equal(lr_retry_delay(LR_RETRY_CLOCK, 3, 0, 0), 4000);

    /* what the server asks for */

    assert_int_equal(lr_retry_delay(LR_RETRY_AGAIN, 0, 5, 0), 5000);
    assert_int_equal(lr_retry_delay(LR_RETRY_AGAIN, 4, 5, 0), 16000);
    assert_int_equal(lr_retry_delay(LR_RETRY_AGAIN, 0, UINT32_MAX, 0), 60000);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_sort),
        cmocka_unit_test(test_delay)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
