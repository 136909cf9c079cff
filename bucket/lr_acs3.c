
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <openssl/crypto.h>
#include <openssl/sha.h>
#include "lr_acs3.h"
#include "lr_sign_dialect.h"


#define LR_ACS3_ALGORITHM  "ACS3-HMAC-SHA256"
#define LR_ACS3_PREFIX     "x-acs-"


static int lr_acs3_part(lr_acs3_t *a, const char *p, size_t n);
static int lr_acs3_names(lr_acs3_t *a);
static int lr_acs3_name(const lr_str_t *name);
static int lr_acs3_check(const lr_acs3_t *a, const lr_acs3_request_t *r);
static const lr_acs3_header_t *lr_acs3_find(const lr_acs3_request_t *r,
    const lr_str_t *name);
static int lr_acs3_listed(const lr_acs3_t *a, const lr_str_t *name);
static int lr_acs3_same(const lr_str_t *one, const lr_str_t *two);
static void lr_acs3_put(lr_buf_t *b, const lr_str_t *s);
static int lr_acs3_hex(const u_char *p, char *hex);


int
lr_acs3_is(const char *p, size_t n)
{
    size_t  len;

    len = sizeof(LR_ACS3_ALGORITHM) - 1;

    return n > len && memcmp(p, LR_ACS3_ALGORITHM " ", len + 1) == 0;
}


int
lr_acs3_parse(lr_acs3_t *a, const char *p, size_t n)
{
    size_t       len;
    const char  *end, *comma;

    memset(a, 0, sizeof(lr_acs3_t));

    if (!lr_acs3_is(p, n)) {
        return LR_ERROR;
    }

    end = p + n;
    p += sizeof(LR_ACS3_ALGORITHM);

    while (p != end) {

        while (p != end && *p == ' ') {
            p++;
        }

        comma = memchr(p, ',', (size_t) (end - p));
        len = (size_t) ((comma != NULL ? comma : end) - p);

        if (lr_acs3_part(a, p, len) != LR_OK) {
            return LR_ERROR;
        }

        p += len + (comma != NULL);
    }

    if (a->id.len == 0 || a->list.len == 0
        || a->signature.len != LR_ACS3_SIGNATURE_LEN)
    {
        return LR_ERROR;
    }

    return lr_acs3_names(a);
}


int
lr_acs3_string(lr_buf_t *b, const lr_acs3_t *a, const lr_acs3_request_t *r)
{
    int                      rc;
    char                     hex[LR_ACS3_SIGNATURE_LEN + 1];
    size_t                   i;
    lr_buf_t                 c;
    const lr_acs3_header_t  *h;

    if (lr_acs3_check(a, r) != LR_OK) {
        return LR_DECLINED;
    }

    memset(&c, 0, sizeof(lr_buf_t));

    lr_buf_printf(&c, "%s\n", r->method);
    lr_acs3_put(&c, &r->path);
    lr_buf_puts(&c, "\n");
    lr_rpc_canonical(&c, r->params, NULL, 0);
    lr_buf_puts(&c, "\n");

    for (i = 0; i < a->n; i++) {
        h = lr_acs3_find(r, &a->names[i]);

        lr_acs3_put(&c, &h->name);
        lr_buf_puts(&c, ":");
        lr_acs3_put(&c, &h->value);
        lr_buf_puts(&c, "\n");
    }

    lr_buf_puts(&c, "\n");
    lr_acs3_put(&c, &a->list);
    lr_buf_printf(&c, "\n%s", r->payload);

    rc = c.failed ? LR_ERROR : lr_acs3_digest(c.data, c.len, hex);

    lr_buf_free(&c);

    if (rc == LR_OK) {
        lr_buf_printf(b, LR_ACS3_ALGORITHM "\n%s", hex);
    }

    return b->failed ? LR_ERROR : rc;
}


int
lr_acs3_sign(const char *string, const char *secret, char *signature)
{
    int     rc;
    u_char  mac[LR_SIGN_SHA256];

    rc = lr_sign_hmac((const u_char *) secret, strlen(secret), string, mac);

    if (rc == LR_OK) {
        rc = lr_acs3_hex(mac, signature);
    }

    OPENSSL_cleanse(mac, sizeof(mac));

    return rc;
}


int
lr_acs3_digest(const u_char *p, size_t n, char *hex)
{
    u_char  hash[LR_SIGN_SHA256];

    if (SHA256(n ? p : (const u_char *) "", n, hash) == NULL) {
        return LR_ERROR;
    }

    return lr_acs3_hex(hash, hex);
}


static int
lr_acs3_part(lr_acs3_t *a, const char *p, size_t n)
{
    size_t     len;
    lr_str_t  *s;

    while (n != 0 && p[n - 1] == ' ') {
        n--;
    }

    if (n > 11 && memcmp(p, "Credential=", 11) == 0) {
        s = &a->id;
        len = 11;

    } else if (n > 14 && memcmp(p, "SignedHeaders=", 14) == 0) {
        s = &a->list;
        len = 14;

    } else if (n > 10 && memcmp(p, "Signature=", 10) == 0) {
        s = &a->signature;
        len = 10;

    } else {
        return LR_ERROR;
    }

    if (s->len != 0) {
        return LR_ERROR;
    }

    s->data = (char *) p + len;
    s->len = n - len;

    return LR_OK;
}


static int
lr_acs3_names(lr_acs3_t *a)
{
    lr_str_t     name;
    const char  *p, *end, *stop;

    p = a->list.data;
    end = p + a->list.len;

    for ( ;; ) {

        stop = memchr(p, ';', (size_t) (end - p));

        name.data = (char *) p;
        name.len = (size_t) ((stop != NULL ? stop : end) - p);

        if (a->n == LR_ACS3_MAX_HEADERS || lr_acs3_name(&name) != LR_OK
            || lr_acs3_listed(a, &name))
        {
            return LR_ERROR;
        }

        a->names[a->n++] = name;

        if (stop == NULL) {
            return LR_OK;
        }

        p = stop + 1;
    }
}


static int
lr_acs3_name(const lr_str_t *name)
{
    char    c;
    size_t  i;

    for (i = 0; i < name->len; i++) {
        c = name->data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'
              || c == '_' || c == '.'))
        {
            return LR_ERROR;
        }
    }

    return i != 0 ? LR_OK : LR_ERROR;
}


/*
 * What is signed has to be there, and only once: otherwise it would be open
 * which one counts.  And what the API goes by has to be signed.
 */

static int
lr_acs3_check(const lr_acs3_t *a, const lr_acs3_request_t *r)
{
    size_t           i;
    const lr_str_t  *name;

    static const lr_str_t  host = { 4, (char *) "host" };

    for (i = 0; i < a->n; i++) {
        if (lr_acs3_find(r, &a->names[i]) == NULL) {
            return LR_ERROR;
        }
    }

    for (i = 0; i < r->nheaders; i++) {
        name = &r->headers[i].name;

        if (!lr_acs3_listed(a, name)) {

            if (name->len >= sizeof(LR_ACS3_PREFIX) - 1
                && memcmp(name->data, LR_ACS3_PREFIX,
                          sizeof(LR_ACS3_PREFIX) - 1)
                   == 0)
            {
                return LR_ERROR;
            }

        } else if (lr_acs3_find(r, name) != &r->headers[i]) {
            return LR_ERROR;
        }
    }

    return lr_acs3_listed(a, &host) ? LR_OK : LR_ERROR;
}


/* the first one of the name */

static const lr_acs3_header_t *
lr_acs3_find(const lr_acs3_request_t *r, const lr_str_t *name)
{
    size_t  i;

    for (i = 0; i < r->nheaders; i++) {
        if (lr_acs3_same(&r->headers[i].name, name)) {
            return &r->headers[i];
        }
    }

    return NULL;
}


static int
lr_acs3_listed(const lr_acs3_t *a, const lr_str_t *name)
{
    size_t  i;

    for (i = 0; i < a->n; i++) {
        if (lr_acs3_same(&a->names[i], name)) {
            return 1;
        }
    }

    return 0;
}


static int
lr_acs3_same(const lr_str_t *one, const lr_str_t *two)
{
    return one->len == two->len
           && memcmp(one->data, two->data, one->len) == 0;
}


static void
lr_acs3_put(lr_buf_t *b, const lr_str_t *s)
{
    lr_buf_append(b, s->data, s->len);
}


/* LR_SIGN_SHA256 bytes, and a zero byte behind */

static int
lr_acs3_hex(const u_char *p, char *hex)
{
    lr_buf_t  b;

    memset(&b, 0, sizeof(lr_buf_t));

    lr_sign_hex(&b, p, LR_SIGN_SHA256);

    if (!b.failed) {
        memcpy(hex, b.data, LR_ACS3_SIGNATURE_LEN);
        hex[LR_ACS3_SIGNATURE_LEN] = '\0';
    }

    lr_sign_wipe(&b);

    return b.failed ? LR_ERROR : LR_OK;
}
