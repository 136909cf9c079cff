
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdlib.h>
#include <strings.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include "lr_sign_dialect.h"


#define LR_SIGN_DATE  9       /* "20231216" and zero */


static int lr_sign_picked(const lr_sign_t *r, const lr_sign_rule_t *rule,
    const lr_str_t *name);
static int lr_sign_additional(const lr_sign_t *r, const lr_str_t *name);
static void lr_sign_squeeze(lr_buf_t *b, const lr_str_t *s);
static int lr_sign_compare(const void *one, const void *two);
static void lr_sign_lower(lr_str_t *s, u_char *p);


int
lr_sign_v4(const lr_sign_dialect_t *d, const lr_sign_t *r, lr_sign_v4_t *v,
    int rc, lr_sign_cache_t *cache, lr_signed_t *out)
{
    char       date[LR_SIGN_DATE];
    size_t     i;
    u_char     key[LR_SIGN_SHA256], sig[LR_SIGN_SHA256];
    lr_buf_t   string, *b;

    memset(&string, 0, sizeof(lr_buf_t));

    if (rc != LR_OK) {
        goto done;
    }

    rc = LR_ERROR;

    memcpy(date, v->stamp, LR_SIGN_DATE - 1);
    date[LR_SIGN_DATE - 1] = '\0';

    if (lr_sign_string(&string, d, &v->canonical, v->stamp, r->region)
        != LR_OK
        || lr_sign_key(d, r->cred->secret, date, r->region, cache, key)
           != LR_OK
        || lr_sign_hmac(key, sizeof(key), (char *) string.data, sig)
           != LR_OK)
    {
        goto done;
    }

    b = &out->buf;

    lr_buf_printf(b, "Authorization: %s Credential=%s/%s/%s/%s/%s",
                  d->algorithm, r->cred->id, date, r->region, d->service,
                  d->terminator);

    if (v->names.len != 0) {
        lr_buf_printf(b, "%s%s=", d->separator, d->list);
        lr_buf_append(b, v->names.data, v->names.len);
    }

    lr_buf_printf(b, "%sSignature=", d->separator);
    lr_sign_hex(b, sig, sizeof(sig));
    lr_buf_append(b, "", 1);

    for (i = 0; i < v->nown; i++) {
        lr_sign_line(b, v->own[i].name, v->own[i].value);
    }

    rc = lr_sign_finish(out);

done:

    OPENSSL_cleanse(key, sizeof(key));
    lr_sign_wipe(&string);
    lr_sign_wipe(&v->canonical);
    lr_sign_wipe(&v->names);

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


int
lr_sign_string(lr_buf_t *b, const lr_sign_dialect_t *d,
    const lr_buf_t *canonical, const char *stamp, const char *region)
{
    u_char  hash[LR_SIGN_SHA256];

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

int
lr_sign_key(const lr_sign_dialect_t *d, const char *secret, const char *date,
    const char *region, lr_sign_cache_t *cache, u_char *key)
{
    int       rc;
    size_t    len;
    u_char    tag[LR_SIGN_SHA256];
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
        || lr_sign_hmac(key, LR_SIGN_SHA256, region, key) != LR_OK
        || lr_sign_hmac(key, LR_SIGN_SHA256, d->service, key) != LR_OK
        || lr_sign_hmac(key, LR_SIGN_SHA256, d->terminator, key)
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


int
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

    memcpy(out, mac, LR_SIGN_SHA256);
    OPENSSL_cleanse(mac, sizeof(mac));

    return LR_OK;
}


void
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


int
lr_sign_query(lr_buf_t *b, const lr_sign_t *r, unsigned always)
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

    lr_sign_pairs(b, p, r->nquery, always);

done:

    lr_sign_wipe(&text);
    free(end);
    free(p);

    return b->failed ? LR_ERROR : LR_OK;
}


int
lr_sign_headers(lr_buf_t *b, const lr_sign_t *r, const lr_header_t *own,
    size_t nown, const lr_sign_rule_t *rule, lr_buf_t *names)
{
    u_char             *text, *name;
    size_t              i, n, len;
    lr_str_t            s;
    lr_sign_pair_t     *p;
    const lr_header_t  *h;

    if (rule->additional) {
        for (i = 0; i < r->nadditional; i++) {
            if (lr_sign_header(r, r->additional[i]) == NULL) {
                return LR_ERROR;
            }
        }
    }

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
    text = malloc(len);

    if (p == NULL || text == NULL) {
        free(p);
        free(text);
        return LR_ERROR;
    }

    n = 0;
    name = text;

    for (i = 0; i < r->nheaders + nown; i++) {

        h = i < r->nheaders ? &r->headers[i] : &own[i - r->nheaders];

        s.data = (char *) h->name;
        s.len = strlen(h->name);

        lr_sign_lower(&s, name);

        if (lr_sign_picked(r, rule, &s)) {
            p[n].name = s;
            lr_sign_value(&p[n++].value, h->value);
            name += s.len;
        }
    }

    if (n > 1) {
        qsort(p, n, sizeof(lr_sign_pair_t), lr_sign_compare);
    }

    for (i = 0; i < n; i++) {
        lr_buf_append(b, p[i].name.data, p[i].name.len);
        lr_buf_puts(b, ":");

        if (rule->squeeze) {
            lr_sign_squeeze(b, &p[i].value);

        } else {
            lr_buf_append(b, p[i].value.data, p[i].value.len);
        }

        lr_buf_puts(b, "\n");

        if (names != NULL) {
            lr_buf_puts(names, i == 0 ? "" : ";");
            lr_buf_append(names, p[i].name.data, p[i].name.len);
        }
    }

    free(p);
    free(text);

    return LR_OK;
}


void
lr_sign_pairs(lr_buf_t *b, lr_sign_pair_t *p, size_t n, unsigned always)
{
    size_t  i;

    if (n > 1) {
        qsort(p, n, sizeof(lr_sign_pair_t), lr_sign_compare);
    }

    for (i = 0; i < n; i++) {

        if (i != 0) {
            lr_buf_puts(b, "&");
        }

        lr_buf_append(b, p[i].name.data, p[i].name.len);

        if (p[i].value.len != 0 || always) {
            lr_buf_puts(b, "=");
            lr_buf_append(b, p[i].value.data, p[i].value.len);
        }
    }
}


const char *
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


void
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


int
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


void
lr_sign_line(lr_buf_t *b, const char *name, const char *value)
{
    lr_buf_puts(b, name);
    lr_buf_puts(b, ": ");
    lr_buf_append(b, value, strlen(value) + 1);
}


/* the lines are known by their places only when the buffer moves no more */

int
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


void
lr_sign_wipe(lr_buf_t *b)
{
    if (b->data != NULL) {
        OPENSSL_cleanse(b->data, b->size);
    }

    lr_buf_free(b);
}


static int
lr_sign_picked(const lr_sign_t *r, const lr_sign_rule_t *rule,
    const lr_str_t *name)
{
    size_t              n;
    const char *const  *p;

    n = strlen(rule->prefix);

    if (name->len > n && memcmp(name->data, rule->prefix, n) == 0) {
        return 1;
    }

    for (p = rule->names; *p != NULL; p++) {
        if (strlen(*p) == name->len && memcmp(*p, name->data, name->len) == 0)
        {
            return 1;
        }
    }

    return rule->additional && lr_sign_additional(r, name);
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


static void
lr_sign_squeeze(lr_buf_t *b, const lr_str_t *s)
{
    size_t    i;
    unsigned  blank;

    blank = 0;

    for (i = 0; i < s->len; i++) {

        if (s->data[i] == ' ' || s->data[i] == '\t') {
            blank = 1;
            continue;
        }

        if (blank) {
            lr_buf_puts(b, " ");
            blank = 0;
        }

        lr_buf_append(b, &s->data[i], 1);
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
