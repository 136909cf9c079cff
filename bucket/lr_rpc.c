
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdio.h>
#include <stdlib.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include "lr_rpc.h"
#include "lr_url.h"


static int lr_rpc_part(lr_rpc_t *rpc, lr_buf_t *text, const lr_str_t *part,
    unsigned form, char *err);
static int lr_rpc_pair(lr_rpc_t *rpc, lr_buf_t *text, const char *p,
    size_t n, char *err);
static int lr_rpc_name(const char *p, size_t n);
static size_t lr_rpc_count(const lr_str_t *part);
static int lr_rpc_compare(const void *one, const void *two);


int
lr_rpc_parse(lr_rpc_t *rpc, const lr_str_t *query, const lr_str_t *form,
    char *err)
{
    int       rc;
    size_t    i, n;
    lr_buf_t  text;

    memset(rpc, 0, sizeof(lr_rpc_t));
    memset(&text, 0, sizeof(lr_buf_t));

    n = lr_rpc_count(query) + lr_rpc_count(form);

    if (n > LR_RPC_MAX_PARAMS) {
        snprintf(err, LR_RPC_ERR_LEN, "there are more than %d parameters",
                 LR_RPC_MAX_PARAMS);
        return LR_DECLINED;
    }

    if (n == 0) {
        return LR_OK;
    }

    /* decoding makes nothing longer, and the text must not move */

    rpc->params = calloc(n, sizeof(lr_rpc_param_t));

    if (rpc->params == NULL
        || lr_buf_reserve(&text, query->len + form->len + 2 * n) != LR_OK)
    {
        lr_rpc_free(rpc);
        return LR_ERROR;
    }

    rpc->text = (char *) text.data;

    rc = lr_rpc_part(rpc, &text, query, 0, err);

    if (rc == LR_OK) {
        rc = lr_rpc_part(rpc, &text, form, 1, err);
    }

    if (rc != LR_OK) {
        lr_rpc_free(rpc);
        return rc;
    }

    qsort(rpc->params, rpc->n, sizeof(lr_rpc_param_t), lr_rpc_compare);

    for (i = 1; i < rpc->n; i++) {
        if (strcmp(rpc->params[i - 1].name, rpc->params[i].name) == 0) {
            snprintf(err, LR_RPC_ERR_LEN,
                     "the parameter \"%s\" is there more than once",
                     rpc->params[i].name);
            lr_rpc_free(rpc);
            return LR_DECLINED;
        }
    }

    return LR_OK;
}


void
lr_rpc_free(lr_rpc_t *rpc)
{
    free(rpc->params);
    free(rpc->text);
    memset(rpc, 0, sizeof(lr_rpc_t));
}


const char *
lr_rpc_get(const lr_rpc_t *rpc, const char *name)
{
    lr_rpc_param_t  key, *found;

    if (rpc->n == 0) {
        return NULL;
    }

    key.name = name;

    found = bsearch(&key, rpc->params, rpc->n, sizeof(lr_rpc_param_t),
                    lr_rpc_compare);

    return found == NULL || found->value[0] == '\0' ? NULL : found->value;
}


void
lr_rpc_canonical(lr_buf_t *b, const lr_rpc_t *rpc, const char *without,
    unsigned form)
{
    size_t           i;
    unsigned         first;
    lr_rpc_param_t  *p;

    first = 1;

    for (i = 0; i < rpc->n; i++) {
        p = &rpc->params[i];

        if ((p->form && !form)
            || (without != NULL && strcmp(p->name, without) == 0))
        {
            continue;
        }

        if (!first) {
            lr_buf_puts(b, "&");
        }

        lr_url_encode(b, p->name, strlen(p->name));
        lr_buf_puts(b, "=");
        lr_url_encode(b, p->value, strlen(p->value));

        first = 0;
    }
}


int
lr_rpc_string(lr_buf_t *b, const lr_rpc_t *rpc, const char *method)
{
    lr_buf_t  query;

    memset(&query, 0, sizeof(lr_buf_t));

    lr_rpc_canonical(&query, rpc, "Signature", 1);

    lr_buf_puts(b, method);
    lr_buf_puts(b, "&%2F&");

    if (query.len != 0) {
        lr_url_encode(b, (char *) query.data, query.len);
    }

    if (query.failed || lr_buf_reserve(b, 1) != LR_OK) {
        b->failed = 1;

    } else {
        b->data[b->len] = '\0';
    }

    lr_buf_free(&query);

    return b->failed ? LR_ERROR : LR_OK;
}


int
lr_rpc_sign(const char *string, const char *secret, char *signature)
{
    int       rc;
    u_char    mac[EVP_MAX_MD_SIZE];
    lr_buf_t  key;
    unsigned  len;

    rc = LR_ERROR;

    memset(&key, 0, sizeof(lr_buf_t));

    if (lr_buf_reserve(&key, strlen(secret) + 1) != LR_OK) {
        return LR_ERROR;
    }

    lr_buf_puts(&key, secret);
    lr_buf_puts(&key, "&");

    if (HMAC(EVP_sha1(), key.data, (int) key.len, (const u_char *) string,
             strlen(string), mac, &len)
        != NULL)
    {
        EVP_EncodeBlock((u_char *) signature, mac, (int) len);
        rc = LR_OK;
    }

    OPENSSL_cleanse(mac, sizeof(mac));
    OPENSSL_cleanse(key.data, key.len);
    lr_buf_free(&key);

    return rc;
}


int
lr_rpc_equal(const char *one, const char *two)
{
    size_t  n;

    n = strlen(one);

    return n == strlen(two) && CRYPTO_memcmp(one, two, n) == 0;
}


static int
lr_rpc_part(lr_rpc_t *rpc, lr_buf_t *text, const lr_str_t *part,
    unsigned form, char *err)
{
    int          rc;
    size_t       n;
    const char  *p, *end, *amp;

    if (part->len == 0) {
        return LR_OK;
    }

    p = part->data;
    end = p + part->len;

    while (p != end) {

        amp = memchr(p, '&', (size_t) (end - p));
        n = (size_t) ((amp != NULL ? amp : end) - p);

        if (n != 0) {
            rc = lr_rpc_pair(rpc, text, p, n, err);
            if (rc != LR_OK) {
                return rc;
            }

            rpc->params[rpc->n - 1].form = form;
        }

        p += n + (amp != NULL);
    }

    return LR_OK;
}


static int
lr_rpc_pair(lr_rpc_t *rpc, lr_buf_t *text, const char *p, size_t n, char *err)
{
    char            *name, *value;
    size_t           len;
    const char      *eq;
    lr_rpc_param_t  *param;

    eq = memchr(p, '=', n);
    len = eq != NULL ? (size_t) (eq - p) : n;

    name = (char *) text->data + text->len;

    if (lr_url_decode_query(text, p, len) != LR_OK
        || lr_rpc_name(name, (size_t) ((char *) text->data + text->len
                                       - name))
           != LR_OK)
    {
        snprintf(err, LR_RPC_ERR_LEN, "the name of a parameter is malformed");
        return LR_DECLINED;
    }

    lr_buf_append(text, "", 1);

    value = (char *) text->data + text->len;
    n -= len;

    if (eq != NULL
        && lr_url_decode_query(text, eq + 1, n - 1) != LR_OK)
    {
        snprintf(err, LR_RPC_ERR_LEN,
                 "the parameter \"%s\" is not encoded as a URL has it",
                 name);
        return LR_DECLINED;
    }

    len = (size_t) ((char *) text->data + text->len - value);

    if (memchr(value, '\0', len) != NULL || lr_url_utf8(value, len) != LR_OK)
    {
        snprintf(err, LR_RPC_ERR_LEN,
                 "the parameter \"%s\" is not UTF-8, or has a zero byte",
                 name);
        return LR_DECLINED;
    }

    lr_buf_append(text, "", 1);

    param = &rpc->params[rpc->n++];
    param->name = name;
    param->value = value;

    return LR_OK;
}


static int
lr_rpc_name(const char *p, size_t n)
{
    size_t  i;

    if (n == 0 || n > LR_RPC_MAX_NAME) {
        return LR_ERROR;
    }

    for (i = 0; i < n; i++) {
        if (!((p[i] >= 'a' && p[i] <= 'z') || (p[i] >= 'A' && p[i] <= 'Z')
              || (p[i] >= '0' && p[i] <= '9') || p[i] == '.' || p[i] == '_'
              || p[i] == '-'))
        {
            return LR_ERROR;
        }
    }

    return LR_OK;
}


/* no fewer than there are */

static size_t
lr_rpc_count(const lr_str_t *part)
{
    size_t  i, n;

    n = part->len != 0;

    for (i = 0; i < part->len; i++) {
        n += part->data[i] == '&';
    }

    return n;
}


static int
lr_rpc_compare(const void *one, const void *two)
{
    const lr_rpc_param_t  *a, *b;

    a = one;
    b = two;

    return strcmp(a->name, b->name);
}
