
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include "lr_sign.h"


#define LR_SIGN_DATE      9       /* "20231216" and zero */
#define LR_SIGN_STAMP     17      /* "20231216T162057Z" and zero */
#define LR_SIGN_RFC1123   30      /* "Wed, 28 Dec 2022 10:27:41 GMT", zero */

#define LR_SIGN_UNSIGNED  "UNSIGNED-PAYLOAD"


/* a name and a value on their way into a canonical form */

typedef struct {
    lr_str_t     name;
    lr_str_t     value;
} lr_sign_pair_t;


/* what tells the dialects of the signature with a chain of keys apart */

typedef struct {
    const char  *algorithm;
    const char  *prefix;      /* before the secret */
    const char  *service;
    const char  *terminator;
} lr_sign_dialect_t;


static int lr_sign_v4_canonical(lr_buf_t *b, const lr_sign_t *r,
    const lr_header_t *own, size_t nown);
static int lr_sign_v4_query(lr_buf_t *b, const lr_sign_t *r);
static int lr_sign_v1_string(lr_buf_t *b, const lr_sign_t *r,
    const lr_header_t *own, size_t nown, const char *date);
static int lr_sign_v1_resource(lr_buf_t *b, const lr_sign_t *r);
static int lr_sign_v1_param(const char *name);
static int lr_sign_headers(lr_buf_t *b, const lr_sign_t *r,
    const lr_header_t *own, size_t nown, unsigned v4);
static const char *lr_sign_header(const lr_sign_t *r, const char *name);
static int lr_sign_additional(const lr_sign_t *r, const lr_str_t *name);
static int lr_sign_string(lr_buf_t *b, const lr_sign_dialect_t *d,
    const lr_buf_t *canonical, const char *stamp, const char *region);
static int lr_sign_key(const lr_sign_dialect_t *d, const char *secret,
    const char *date, const char *region, lr_sign_cache_t *cache,
    u_char *key);
static int lr_sign_hmac(const u_char *key, size_t n, const char *text,
    u_char *out);
static void lr_sign_hex(lr_buf_t *b, const u_char *p, size_t n);
static void lr_sign_sort(lr_sign_pair_t *p, size_t n);
static int lr_sign_compare(const void *one, const void *two);
static void lr_sign_lower(lr_str_t *s, u_char *p);
static void lr_sign_value(lr_str_t *s, const char *value);
static int lr_sign_stamp(time_t t, char *buf);
static int lr_sign_rfc1123(time_t t, char *buf);
static void lr_sign_line(lr_buf_t *b, const char *name, const char *value);
static int lr_sign_finish(lr_signed_t *out);
static void lr_sign_wipe(lr_buf_t *b);


static const lr_sign_dialect_t  lr_sign_oss = {
    "OSS4-HMAC-SHA256", "aliyun_v4", "oss", "aliyun_v4_request"
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
    int          rc;
    char         stamp[LR_SIGN_STAMP], date[LR_SIGN_DATE];
    size_t       i, n;
    u_char       key[SHA256_DIGEST_LENGTH], sig[SHA256_DIGEST_LENGTH];
    lr_buf_t     canonical, string, *b;
    lr_header_t  own[3];

    lr_signed_free(out);

    memset(&canonical, 0, sizeof(lr_buf_t));
    memset(&string, 0, sizeof(lr_buf_t));

    if (lr_sign_stamp(r->time, stamp) != LR_OK) {
        return LR_ERROR;
    }

    memcpy(date, stamp, LR_SIGN_DATE - 1);
    date[LR_SIGN_DATE - 1] = '\0';

    n = 0;

    own[n].name = "x-oss-content-sha256";
    own[n++].value = LR_SIGN_UNSIGNED;

    own[n].name = "x-oss-date";
    own[n++].value = stamp;

    if (r->cred->token != NULL) {
        own[n].name = "x-oss-security-token";
        own[n++].value = r->cred->token;
    }

    rc = LR_ERROR;

    if (lr_sign_v4_canonical(&canonical, r, own, n) != LR_OK
        || lr_sign_string(&string, &lr_sign_oss, &canonical, stamp,
                          r->region) != LR_OK
        || lr_sign_key(&lr_sign_oss, r->cred->secret, date, r->region,
                       cache, key) != LR_OK
        || lr_sign_hmac(key, sizeof(key), (char *) string.data, sig)
           != LR_OK)
    {
        goto done;
    }

    b = &out->buf;

    lr_buf_printf(b, "Authorization: %s Credential=%s/%s/%s/%s/%s",
                  lr_sign_oss.algorithm, r->cred->id, date, r->region,
                  lr_sign_oss.service, lr_sign_oss.terminator);

    for (i = 0; i < r->nadditional; i++) {
        lr_buf_puts(b, i == 0 ? ",AdditionalHeaders=" : ";");
        lr_buf_puts(b, r->additional[i]);
    }

    lr_buf_puts(b, ",Signature=");
    lr_sign_hex(b, sig, sizeof(sig));
    lr_buf_append(b, "", 1);

    for (i = 0; i < n; i++) {
        lr_sign_line(b, own[i].name, own[i].value);
    }

    rc = lr_sign_finish(out);

done:

    OPENSSL_cleanse(key, sizeof(key));
    lr_sign_wipe(&canonical);
    lr_sign_wipe(&string);

    return rc;
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


void
lr_sign_cache_clear(lr_sign_cache_t *cache)
{
    OPENSSL_cleanse(cache, sizeof(lr_sign_cache_t));
}


void
lr_signed_free(lr_signed_t *out)
{
    lr_sign_wipe(&out->buf);
    memset(out, 0, sizeof(lr_signed_t));
}


static int
lr_sign_v4_canonical(lr_buf_t *b, const lr_sign_t *r, const lr_header_t *own,
    size_t nown)
{
    size_t  i;

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

    if (lr_sign_v4_query(b, r) != LR_OK) {
        return LR_ERROR;
    }

    lr_buf_puts(b, "\n");

    if (lr_sign_headers(b, r, own, nown, 1) != LR_OK) {
        return LR_ERROR;
    }

    lr_buf_puts(b, "\n");

    for (i = 0; i < r->nadditional; i++) {

        if (lr_sign_header(r, r->additional[i]) == NULL) {
            return LR_ERROR;
        }

        if (i != 0) {
            lr_buf_puts(b, ";");
        }

        lr_buf_puts(b, r->additional[i]);
    }

    lr_buf_puts(b, "\n" LR_SIGN_UNSIGNED);

    return b->failed ? LR_ERROR : LR_OK;
}


/* sorted by what the names are when encoded */

static int
lr_sign_v4_query(lr_buf_t *b, const lr_sign_t *r)
{
    size_t           i, *end;
    lr_buf_t         text;
    lr_sign_pair_t  *p;

    if (r->nquery == 0) {
        return LR_OK;
    }

    memset(&text, 0, sizeof(lr_buf_t));

    p = calloc(r->nquery, sizeof(lr_sign_pair_t));
    end = calloc(r->nquery, 2 * sizeof(size_t));

    if (p == NULL || end == NULL) {
        b->failed = 1;
        goto done;
    }

    for (i = 0; i < r->nquery; i++) {

        lr_url_encode(&text, r->query[i].name, strlen(r->query[i].name));
        end[2 * i] = text.len;

        if (r->query[i].value != NULL) {
            lr_url_encode(&text, r->query[i].value,
                          strlen(r->query[i].value));
        }

        end[2 * i + 1] = text.len;
    }

    if (text.failed) {
        b->failed = 1;
        goto done;
    }

    /* the text does not move any more */

    for (i = 0; i < r->nquery; i++) {
        p[i].name.data = (char *) text.data + (i ? end[2 * i - 1] : 0);
        p[i].name.len = end[2 * i] - (i ? end[2 * i - 1] : 0);
        p[i].value.data = (char *) text.data + end[2 * i];
        p[i].value.len = end[2 * i + 1] - end[2 * i];
    }

    lr_sign_sort(p, r->nquery);

    for (i = 0; i < r->nquery; i++) {

        if (i != 0) {
            lr_buf_puts(b, "&");
        }

        lr_buf_append(b, p[i].name.data, p[i].name.len);

        if (p[i].value.len != 0) {
            lr_buf_puts(b, "=");
            lr_buf_append(b, p[i].value.data, p[i].value.len);
        }
    }

done:

    lr_sign_wipe(&text);
    free(end);
    free(p);

    return b->failed ? LR_ERROR : LR_OK;
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

    if (lr_sign_headers(b, r, own, nown, 0) != LR_OK
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

    lr_sign_sort(p, n);

    for (i = 0; i < n; i++) {
        lr_buf_puts(b, i == 0 ? "?" : "&");
        lr_buf_append(b, p[i].name.data, p[i].name.len);

        if (p[i].value.len != 0) {
            lr_buf_puts(b, "=");
            lr_buf_append(b, p[i].value.data, p[i].value.len);
        }
    }

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


/* the canonical headers: V4 has a few more than V1 */

static int
lr_sign_headers(lr_buf_t *b, const lr_sign_t *r, const lr_header_t *own,
    size_t nown, unsigned v4)
{
    u_char             *names, *name;
    size_t              i, n, len;
    lr_str_t            s;
    lr_sign_pair_t     *p;
    const lr_header_t  *h;

    len = 0;

    for (i = 0; i < r->nheaders; i++) {
        len += strlen(r->headers[i].name);
    }

    for (i = 0; i < nown; i++) {
        len += strlen(own[i].name);
    }

    if (len == 0) {
        return LR_OK;
    }

    p = calloc(r->nheaders + nown, sizeof(lr_sign_pair_t));
    names = malloc(len);

    if (p == NULL || names == NULL) {
        free(p);
        free(names);
        return LR_ERROR;
    }

    n = 0;
    name = names;

    for (i = 0; i < r->nheaders + nown; i++) {

        h = i < r->nheaders ? &r->headers[i] : &own[i - r->nheaders];

        s.data = (char *) h->name;
        s.len = strlen(h->name);

        lr_sign_lower(&s, name);

        if ((s.len > 6 && memcmp(s.data, "x-oss-", 6) == 0)
            || (v4 && s.len == 11 && memcmp(s.data, "content-md5", 11) == 0)
            || (v4 && s.len == 12 && memcmp(s.data, "content-type", 12) == 0)
            || (v4 && lr_sign_additional(r, &s)))
        {
            p[n].name = s;
            lr_sign_value(&p[n++].value, h->value);
            name += s.len;
        }
    }

    lr_sign_sort(p, n);

    for (i = 0; i < n; i++) {
        lr_buf_append(b, p[i].name.data, p[i].name.len);
        lr_buf_puts(b, ":");
        lr_buf_append(b, p[i].value.data, p[i].value.len);
        lr_buf_puts(b, "\n");
    }

    free(p);
    free(names);

    return LR_OK;
}


static const char *
lr_sign_header(const lr_sign_t *r, const char *name)
{
    size_t  i;

    for (i = 0; i < r->nheaders; i++) {
        if (strcasecmp(r->headers[i].name, name) == 0) {
            return r->headers[i].value;
        }
    }

    return NULL;
}


static int
lr_sign_additional(const lr_sign_t *r, const lr_str_t *name)
{
    size_t  i;

    for (i = 0; i < r->nadditional; i++) {
        if (strlen(r->additional[i]) == name->len
            && memcmp(r->additional[i], name->data, name->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* the zero byte at the end is not counted */

static int
lr_sign_string(lr_buf_t *b, const lr_sign_dialect_t *d,
    const lr_buf_t *canonical, const char *stamp, const char *region)
{
    u_char  hash[SHA256_DIGEST_LENGTH];

    if (SHA256(canonical->data, canonical->len, hash) == NULL) {
        return LR_ERROR;
    }

    lr_buf_printf(b, "%s\n%s\n%.8s/%s/%s/%s\n", d->algorithm, stamp, stamp,
                  region, d->service, d->terminator);
    lr_sign_hex(b, hash, sizeof(hash));

    if (lr_buf_reserve(b, 1) != LR_OK) {
        return LR_ERROR;
    }

    b->data[b->len] = '\0';

    return LR_OK;
}


/*
 * The key is drawn from the secret by a chain of digests.  What the cache
 * holds is recognized by a digest too, so that it keeps no secret.
 */

static int
lr_sign_key(const lr_sign_dialect_t *d, const char *secret, const char *date,
    const char *region, lr_sign_cache_t *cache, u_char *key)
{
    int       rc;
    size_t    len;
    u_char    tag[SHA256_DIGEST_LENGTH];
    lr_buf_t  b;

    memset(&b, 0, sizeof(lr_buf_t));

    rc = LR_ERROR;
    len = strlen(d->prefix) + strlen(secret);

    /* all at once: a buffer that grows leaves its old bytes behind */

    if (lr_buf_reserve(&b, len + strlen(date) + strlen(region) + 3)
        != LR_OK)
    {
        return LR_ERROR;
    }

    lr_buf_puts(&b, d->prefix);
    lr_buf_puts(&b, secret);

    if (cache != NULL) {
        lr_buf_append(&b, "", 1);
        lr_buf_append(&b, date, strlen(date) + 1);
        lr_buf_append(&b, region, strlen(region) + 1);

        if (SHA256(b.data, b.len, tag) == NULL) {
            goto done;
        }

        if (cache->valid
            && CRYPTO_memcmp(tag, cache->tag, sizeof(tag)) == 0)
        {
            memcpy(key, cache->key, sizeof(cache->key));
            rc = LR_OK;
            goto done;
        }
    }

    if (lr_sign_hmac(b.data, len, date, key) != LR_OK
        || lr_sign_hmac(key, SHA256_DIGEST_LENGTH, region, key) != LR_OK
        || lr_sign_hmac(key, SHA256_DIGEST_LENGTH, d->service, key) != LR_OK
        || lr_sign_hmac(key, SHA256_DIGEST_LENGTH, d->terminator, key)
           != LR_OK)
    {
        goto done;
    }

    if (cache != NULL) {
        memcpy(cache->tag, tag, sizeof(cache->tag));
        memcpy(cache->key, key, sizeof(cache->key));
        cache->valid = 1;
    }

    rc = LR_OK;

done:

    OPENSSL_cleanse(tag, sizeof(tag));
    lr_sign_wipe(&b);

    return rc;
}


/* out may be the key */

static int
lr_sign_hmac(const u_char *key, size_t n, const char *text, u_char *out)
{
    u_char    mac[EVP_MAX_MD_SIZE];
    unsigned  len;

    if (HMAC(EVP_sha256(), key, (int) n, (const u_char *) text, strlen(text),
             mac, &len)
        == NULL)
    {
        return LR_ERROR;
    }

    memcpy(out, mac, SHA256_DIGEST_LENGTH);
    OPENSSL_cleanse(mac, sizeof(mac));

    return LR_OK;
}


static void
lr_sign_hex(lr_buf_t *b, const u_char *p, size_t n)
{
    char               c[2];
    size_t             i;

    static const char  hex[] = "0123456789abcdef";

    for (i = 0; i < n; i++) {
        c[0] = hex[p[i] >> 4];
        c[1] = hex[p[i] & 0xf];
        lr_buf_append(b, c, 2);
    }
}


static void
lr_sign_sort(lr_sign_pair_t *p, size_t n)
{
    if (n > 1) {
        qsort(p, n, sizeof(lr_sign_pair_t), lr_sign_compare);
    }
}


static int
lr_sign_compare(const void *one, const void *two)
{
    int              rc;
    const lr_str_t  *a, *b;

    a = &((const lr_sign_pair_t *) one)->name;
    b = &((const lr_sign_pair_t *) two)->name;

    rc = memcmp(a->data, b->data, a->len < b->len ? a->len : b->len);

    if (rc != 0) {
        return rc;
    }

    return a->len < b->len ? -1 : a->len > b->len;
}


static void
lr_sign_lower(lr_str_t *s, u_char *p)
{
    char    c;
    size_t  i;

    for (i = 0; i < s->len; i++) {
        c = s->data[i];
        p[i] = (u_char) ((c >= 'A' && c <= 'Z') ? (c | 0x20) : c);
    }

    s->data = (char *) p;
}


static void
lr_sign_value(lr_str_t *s, const char *value)
{
    while (*value == ' ' || *value == '\t') {
        value++;
    }

    s->data = (char *) value;
    s->len = strlen(value);

    while (s->len != 0 && (value[s->len - 1] == ' '
                           || value[s->len - 1] == '\t'))
    {
        s->len--;
    }
}


static int
lr_sign_stamp(time_t t, char *buf)
{
    struct tm  tm;

    if (gmtime_r(&t, &tm) == NULL
        || strftime(buf, LR_SIGN_STAMP, "%Y%m%dT%H%M%SZ", &tm)
           != LR_SIGN_STAMP - 1)
    {
        return LR_ERROR;
    }

    return LR_OK;
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


static void
lr_sign_line(lr_buf_t *b, const char *name, const char *value)
{
    lr_buf_puts(b, name);
    lr_buf_puts(b, ": ");
    lr_buf_append(b, value, strlen(value) + 1);
}


/* the lines are known by their places only when the buffer moves no more */

static int
lr_sign_finish(lr_signed_t *out)
{
    char  *p, *end;

    if (out->buf.failed) {
        lr_signed_free(out);
        return LR_ERROR;
    }

    p = (char *) out->buf.data;
    end = p + out->buf.len;

    while (p != end) {
        out->line[out->n++] = p;
        p += strlen(p) + 1;
    }

    return LR_OK;
}


static void
lr_sign_wipe(lr_buf_t *b)
{
    if (b->data != NULL) {
        OPENSSL_cleanse(b->data, b->size);
    }

    lr_buf_free(b);
}
