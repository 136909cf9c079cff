
/*
 * Copyright (C) the ngx_live_record authors
 */


#include "lr_retry.h"


#define LR_RETRY_BASE       1000
#define LR_RETRY_CAP        60000
#define LR_RETRY_ADMIN_CAP  300000


typedef struct {
    const char *code;
    lr_retry_e  what;
} lr_retry_code_t;


static const lr_retry_code_t  lr_retry_codes[] = {
    { "AccessDenied",                        LR_RETRY_ADMIN },
    { "AuthorizationHeaderMalformed",        LR_RETRY_REGION },
    { "BadDigest",                           LR_RETRY_AGAIN },
    { "BadRequest",                          LR_RETRY_AGAIN },
    { "CallbackFailed",                      LR_RETRY_OK },
    { "ConditionalRequestConflict",          LR_RETRY_AGAIN },
    { "ExpiredToken",                        LR_RETRY_CREDENTIALS },
    { "FileAlreadyExists",                   LR_RETRY_EXISTS },
    { "IllegalLocationConstraintException",  LR_RETRY_REGION },
    { "IncompleteBody",                      LR_RETRY_AGAIN },
    { "InternalError",                       LR_RETRY_AGAIN },
    { "InvalidAccessKeyId",                  LR_RETRY_CREDENTIALS },
    { "InvalidSecurityToken",                LR_RETRY_CREDENTIALS },
    { "InvalidToken",                        LR_RETRY_CREDENTIALS },
    { "KMS.ThrottlingException",             LR_RETRY_AGAIN },
    { "NoSuchBucket",                        LR_RETRY_ADMIN },
    { "NoSuchKey",                           LR_RETRY_GONE },
    { "NoSuchUpload",                        LR_RETRY_GONE },
    { "OperationAborted",                    LR_RETRY_AGAIN },
    { "PermanentRedirect",                   LR_RETRY_REGION },
    { "PreconditionFailed",                  LR_RETRY_EXISTS },
    { "RequestTimeTooSkewed",                LR_RETRY_CLOCK },
    { "RequestTimeout",                      LR_RETRY_AGAIN },
    { "SecurityTokenExpired",                LR_RETRY_CREDENTIALS },
    { "ServiceUnavailable",                  LR_RETRY_AGAIN },
    { "SignatureDoesNotMatch",               LR_RETRY_ADMIN },
    { "SlowDown",                            LR_RETRY_AGAIN },
    { "TemporaryRedirect",                   LR_RETRY_AGAIN },
    { "TokenRefreshRequired",                LR_RETRY_CREDENTIALS },
    { "TooManyRequests",                     LR_RETRY_AGAIN },
    { "UserDisable",                         LR_RETRY_ADMIN },
    { "XAmzContentSHA256Mismatch",           LR_RETRY_AGAIN },
    { NULL,                                  LR_RETRY_OK }
};


lr_retry_e
lr_retry_sort(lr_net_e net, unsigned status, const char *code)
{
    const lr_retry_code_t  *c;

    switch (net) {

    case LR_NET_OK:
        break;

    case LR_NET_TLS:
    case LR_NET_LOCAL:
        return LR_RETRY_ADMIN;

    default:
        return LR_RETRY_AGAIN;
    }

    /* what it does not know it will not know later */

    if (status == 501) {
        return LR_RETRY_ADMIN;
    }

    /* a server in trouble may name any reason */

    if (status == 0 || status >= 500) {
        return LR_RETRY_AGAIN;
    }

    /* the object is stored, only the callback of the store has failed */

    if (status == 203) {
        return LR_RETRY_OK;
    }

    if (code != NULL) {
        for (c = lr_retry_codes; c->code != NULL; c++) {
            if (strcmp(c->code, code) == 0) {
                return c->what;
            }
        }
    }

    if (status >= 200 && status < 300) {
        return code == NULL ? LR_RETRY_OK : LR_RETRY_AGAIN;
    }

    switch (status) {

    /* some stores answer to a PUT too as if it were a GET */

    case 304:
    case 412:
        return LR_RETRY_EXISTS;

    case 401:
    case 408:
    case 429:
        return LR_RETRY_AGAIN;

    case 404:
        return code == NULL ? LR_RETRY_GONE : LR_RETRY_ADMIN;

    default:
        return LR_RETRY_ADMIN;
    }
}


uint32_t
lr_retry_delay(lr_retry_e why, unsigned n, unsigned after, uint32_t random)
{
    uint32_t  cap, delay;

    if (why == LR_RETRY_CLOCK || why == LR_RETRY_CREDENTIALS
        || why == LR_RETRY_REGION)
    {
        if (n == 0) {
            return 0;
        }

        n--;
    }

    cap = (why == LR_RETRY_ADMIN) ? LR_RETRY_ADMIN_CAP : LR_RETRY_CAP;

    /* 2^9 seconds are beyond either cap */

    delay = LR_RETRY_BASE << (n < 9 ? n : 9);

    if (delay > cap) {
        delay = cap;
    }

    delay -= random % (delay / 2 + 1);

    if (after > cap / 1000) {
        after = cap / 1000;
    }

    return delay < after * 1000 ? after * 1000 : delay;
}


const char *
lr_retry_refusal(const char *code)
{
    if (code == NULL) {
        return "AccessDenied";
    }

    if (strcmp(code, "NoSuchBucket") == 0) {
        return "BucketNotFound";
    }

    return strcmp(code, "UserDisable") == 0 ? "UserDisable" : "AccessDenied";
}
