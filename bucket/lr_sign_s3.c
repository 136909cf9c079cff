
/*
 * Copyright (C) the ngx_live_record authors
 */


#include "lr_sign_dialect.h"


static int lr_sign_s3_canonical(lr_sign_v4_t *v, const lr_sign_t *r,
    const char *payload);


static const char *const  lr_sign_s3_names[] = {
    "content-md5", "content-type", "host", NULL
};

static const lr_sign_dialect_t  lr_sign_s3_dialect = {
    "AWS4-HMAC-SHA256", "AWS4", "s3", "aws4_request", ", ",
    "SignedHeaders", { "x-amz-", lr_sign_s3_names, 1, 1 }
};


int
lr_sign_s3(const lr_sign_t *r, lr_sign_cache_t *cache, lr_signed_t *out)
{
    int           rc;
    lr_buf_t      host;
    const char   *payload;
    lr_sign_v4_t  v;

    lr_signed_free(out);

    memset(&v, 0, sizeof(lr_sign_v4_t));
    memset(&host, 0, sizeof(lr_buf_t));

    payload = r->payload ? r->payload : LR_SIGN_UNSIGNED;

    lr_url_authority(&host, r->endpoint, r->style, r->bucket);
    lr_buf_append(&host, "", 1);

    rc = host.failed ? LR_ERROR : lr_sign_stamp(r->time, v.stamp);

    v.own[v.nown].name = "Host";
    v.own[v.nown++].value = (char *) host.data;

    v.own[v.nown].name = "x-amz-content-sha256";
    v.own[v.nown++].value = payload;

    v.own[v.nown].name = "x-amz-date";
    v.own[v.nown++].value = v.stamp;

    if (r->cred->token != NULL) {
        v.own[v.nown].name = "x-amz-security-token";
        v.own[v.nown++].value = r->cred->token;
    }

    if (rc == LR_OK) {
        rc = lr_sign_s3_canonical(&v, r, payload);
    }

    rc = lr_sign_v4(&lr_sign_s3_dialect, r, &v, rc, cache, out);

    lr_buf_free(&host);

    return rc;
}


/* unlike other services of AWS, S3 wants the path encoded once */

static int
lr_sign_s3_canonical(lr_sign_v4_t *v, const lr_sign_t *r,
    const char *payload)
{
    lr_buf_t  *b;

    b = &v->canonical;

    lr_buf_puts(b, r->method);
    lr_buf_puts(b, "\n");

    lr_url_path(b, r->endpoint, r->style, r->bucket, r->key);

    lr_buf_puts(b, "\n");

    if (lr_sign_query(b, r, 1) != LR_OK) {
        return LR_ERROR;
    }

    lr_buf_puts(b, "\n");

    if (lr_sign_headers(b, r, v->own, v->nown, &lr_sign_s3_dialect.rule,
                        &v->names)
        != LR_OK)
    {
        return LR_ERROR;
    }

    lr_buf_puts(b, "\n");
    lr_buf_append(b, v->names.data, v->names.len);
    lr_buf_puts(b, "\n");
    lr_buf_puts(b, payload);

    return b->failed || v->names.failed ? LR_ERROR : LR_OK;
}
