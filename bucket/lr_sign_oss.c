
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdio.h>
#include <stdlib.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include "lr_sign_dialect.h"


#define LR_SIGN_RFC1123   30      /* "Wed, 28 Dec 2022 10:27:41 GMT", zero */


static int lr_sign_v4_canonical(lr_sign_v4_t *v, const lr_sign_t *r);
static int lr_sign_v1_string(lr_buf_t *b, const lr_sign_t *r,
    const lr_header_t *own, size_t nown, const char *date);
static int lr_sign_v1_resource(lr_buf_t *b, const lr_sign_t *r);
static int lr_sign_v1_param(const char *name);
static int lr_sign_rfc1123(time_t t, char *buf);


static const char *const  lr_sign_v4_names[] = {
    "content-md5", "content-type", NULL
};

static const lr_sign_dialect_t  lr_sign_oss = {
    "OSS4-HMAC-SHA256", "aliyun_v4", "oss", "aliyun_v4_request", ",",
    "AdditionalHeaders", { "x-oss-", lr_sign_v4_names, 1, 0 }
};


static const char *const  lr_sign_v1_names[] = { NULL };

static const lr_sign_rule_t  lr_sign_v1_rule = {
    "x-oss-", lr_sign_v1_names, 0, 0
};


/* parameters that are part of the resource in version 1, sorted */

static const char *const  lr_sign_v1_params[] = {
    "acl", "append", "bucketInfo", "callback", "callback-var",
    "continuation-token", "delete", "location", "objectMeta", "partNumber",
    "position", "resourceGroup", "restore", "security-token", "sequential",
    "stat", "symlink", "tagging", "uploadId", "uploads", "versionId",
    "versions", NULL
};


int
lr_sign_oss_v4(const lr_sign_t *r, lr_sign_cache_t *cache, lr_signed_t *out)
{
    int           rc;
    lr_sign_v4_t  v;

    lr_signed_free(out);

    memset(&v, 0, sizeof(lr_sign_v4_t));

    rc = lr_sign_stamp(r->time, v.stamp);

    v.own[v.nown].name = "x-oss-content-sha256";
    v.own[v.nown++].value = LR_SIGN_UNSIGNED;

    v.own[v.nown].name = "x-oss-date";
    v.own[v.nown++].value = v.stamp;

    if (r->cred->token != NULL) {
        v.own[v.nown].name = "x-oss-security-token";
        v.own[v.nown++].value = r->cred->token;
    }

    if (rc == LR_OK) {
        rc = lr_sign_v4_canonical(&v, r);
    }

    return lr_sign_v4(&lr_sign_oss, r, &v, rc, cache, out);
}


int
lr_sign_oss_v1(const lr_sign_t *r, lr_signed_t *out)
{
    int          rc;
    char         date[LR_SIGN_RFC1123];
    u_char       mac[SHA_DIGEST_LENGTH], text[SHA_DIGEST_LENGTH * 2];
    size_t       n;
    unsigned     len;
    lr_buf_t     string, *b;
    lr_header_t  own[1];

    lr_signed_free(out);

    memset(&string, 0, sizeof(lr_buf_t));

    if (lr_sign_rfc1123(r->time, date) != LR_OK) {
        return LR_ERROR;
    }

    n = 0;

    if (r->cred->token != NULL) {
        own[n].name = "x-oss-security-token";
        own[n++].value = r->cred->token;
    }

    rc = LR_ERROR;

    if (lr_sign_v1_string(&string, r, own, n, date) != LR_OK
        || HMAC(EVP_sha1(), r->cred->secret, (int) strlen(r->cred->secret),
                string.data, string.len, mac, &len) == NULL)
    {
        goto done;
    }

    EVP_EncodeBlock(text, mac, (int) len);

    b = &out->buf;

    lr_buf_printf(b, "Authorization: OSS %s:%s", r->cred->id,
                  (char *) text);
    lr_buf_append(b, "", 1);

    lr_sign_line(b, "Date", date);

    if (n != 0) {
        lr_sign_line(b, own[0].name, own[0].value);
    }

    rc = lr_sign_finish(out);

done:

    lr_sign_wipe(&string);

    return rc;
}


static int
lr_sign_v4_canonical(lr_sign_v4_t *v, const lr_sign_t *r)
{
    size_t     i;
    lr_buf_t  *b;

    b = &v->canonical;

    lr_buf_puts(b, r->method);
    lr_buf_puts(b, "\n/");

    if (r->bucket != NULL) {
        lr_url_encode_path(b, r->bucket, strlen(r->bucket));
        lr_buf_puts(b, "/");

        if (r->key != NULL) {
            lr_url_encode_path(b, r->key, strlen(r->key));
        }
    }

    lr_buf_puts(b, "\n");

    if (lr_sign_query(b, r, 0) != LR_OK) {
        return LR_ERROR;
    }

    lr_buf_puts(b, "\n");

    if (lr_sign_headers(b, r, v->own, v->nown, &lr_sign_oss.rule, NULL)
        != LR_OK)
    {
        return LR_ERROR;
    }

    for (i = 0; i < r->nadditional; i++) {
        lr_buf_puts(&v->names, i == 0 ? "" : ";");
        lr_buf_puts(&v->names, r->additional[i]);
    }

    lr_buf_puts(b, "\n");

    if (v->names.len != 0) {
        lr_buf_append(b, v->names.data, v->names.len);
    }

    lr_buf_puts(b, "\n" LR_SIGN_UNSIGNED);

    return b->failed || v->names.failed ? LR_ERROR : LR_OK;
}


static int
lr_sign_v1_string(lr_buf_t *b, const lr_sign_t *r, const lr_header_t *own,
    size_t nown, const char *date)
{
    size_t       i;
    lr_str_t     s;
    const char  *value;

    static const char *const  lines[] = { "content-md5", "content-type" };

    lr_buf_puts(b, r->method);
    lr_buf_puts(b, "\n");

    for (i = 0; i < 2; i++) {

        value = lr_sign_header(r, lines[i]);

        if (value != NULL) {
            lr_sign_value(&s, value);
            lr_buf_append(b, s.data, s.len);
        }

        lr_buf_puts(b, "\n");
    }

    value = lr_sign_header(r, "x-oss-date");

    lr_buf_puts(b, value ? value : date);
    lr_buf_puts(b, "\n");

    if (lr_sign_headers(b, r, own, nown, &lr_sign_v1_rule, NULL) != LR_OK
        || lr_sign_v1_resource(b, r) != LR_OK)
    {
        return LR_ERROR;
    }

    return b->failed ? LR_ERROR : LR_OK;
}


static int
lr_sign_v1_resource(lr_buf_t *b, const lr_sign_t *r)
{
    size_t           i, n;
    lr_sign_pair_t  *p;

    lr_buf_puts(b, "/");

    if (r->bucket != NULL) {
        lr_buf_puts(b, r->bucket);
        lr_buf_puts(b, "/");

        if (r->key != NULL) {
            lr_buf_puts(b, r->key);
        }
    }

    if (r->nquery == 0) {
        return LR_OK;
    }

    p = calloc(r->nquery, sizeof(lr_sign_pair_t));
    if (p == NULL) {
        return LR_ERROR;
    }

    n = 0;

    for (i = 0; i < r->nquery; i++) {

        if (!lr_sign_v1_param(r->query[i].name)) {
            continue;
        }

        p[n].name.data = (char *) r->query[i].name;
        p[n].name.len = strlen(r->query[i].name);

        if (r->query[i].value != NULL) {
            p[n].value.data = (char *) r->query[i].value;
            p[n].value.len = strlen(r->query[i].value);
        }

        n++;
    }

    if (n != 0) {
        lr_buf_puts(b, "?");
    }

    lr_sign_pairs(b, p, n, 0);

    free(p);

    return LR_OK;
}


static int
lr_sign_v1_param(const char *name)
{
    const char *const  *p;

    if (strncmp(name, "response-", 9) == 0 || strncmp(name, "x-oss-", 6) == 0)
    {
        return 1;
    }

    for (p = lr_sign_v1_params; *p != NULL; p++) {
        if (strcmp(*p, name) == 0) {
            return 1;
        }
    }

    return 0;
}


/* strftime() would name the day in the language of the locale */

static int
lr_sign_rfc1123(time_t t, char *buf)
{
    int        n;
    struct tm  tm;

    static const char *const  days[] = {
        "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"
    };
    static const char *const  months[] = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun",
        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
    };

    if (gmtime_r(&t, &tm) == NULL) {
        return LR_ERROR;
    }

    n = snprintf(buf, LR_SIGN_RFC1123, "%s, %02d %s %04d %02d:%02d:%02d GMT",
                 days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon],
                 tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);

    return n == LR_SIGN_RFC1123 - 1 ? LR_OK : LR_ERROR;
}
