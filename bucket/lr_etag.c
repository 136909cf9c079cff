
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <openssl/evp.h>
#include "lr_etag.h"


static int lr_etag_parse(u_char *sum, unsigned *parts, const char *p,
    size_t n);
static int lr_etag_digit(char c);


int
lr_md5_begin(lr_md5_t *m)
{
    lr_md5_free(m);

    m->ctx = EVP_MD_CTX_new();

    if (m->ctx == NULL || EVP_DigestInit_ex(m->ctx, EVP_md5(), NULL) != 1) {
        lr_md5_free(m);
        return LR_ERROR;
    }

    return LR_OK;
}


int
lr_md5_update(lr_md5_t *m, const void *p, size_t n)
{
    if (m->ctx == NULL || EVP_DigestUpdate(m->ctx, p, n) != 1) {
        return LR_ERROR;
    }

    return LR_OK;
}


int
lr_md5_end(lr_md5_t *m, u_char *sum)
{
    int  rc;

    rc = m->ctx != NULL && EVP_DigestFinal_ex(m->ctx, sum, NULL) == 1
         ? LR_OK : LR_ERROR;

    lr_md5_free(m);

    return rc;
}


void
lr_md5_free(lr_md5_t *m)
{
    EVP_MD_CTX_free(m->ctx);
    m->ctx = NULL;
}


int
lr_etag_parts(u_char *sum, const u_char *sums, size_t n)
{
    return EVP_Digest(sums, n * LR_ETAG_SUM, sum, NULL, EVP_md5(), NULL) == 1
           ? LR_OK : LR_ERROR;
}


int
lr_etag_sum(u_char *sum, const char *p, size_t n)
{
    unsigned  parts;

    if (lr_etag_parse(sum, &parts, p, n) != LR_OK || parts != 0) {
        return LR_DECLINED;
    }

    return LR_OK;
}


int
lr_etag_compare(const char *p, size_t n, const u_char *sum, unsigned parts,
    const char *encryption)
{
    u_char    theirs[LR_ETAG_SUM];
    unsigned  count;

    if (encryption != NULL && strcmp(encryption, "AES256") != 0) {
        return LR_DECLINED;
    }

    if (lr_etag_parse(theirs, &count, p, n) != LR_OK) {
        return LR_DECLINED;
    }

    /* some stores put parts together and sum up the whole */

    if ((count == 0) != (parts == 0)) {
        return LR_DECLINED;
    }

    if (count == parts && memcmp(theirs, sum, LR_ETAG_SUM) == 0) {
        return LR_OK;
    }

    /*
     * How an ETag of parts is made is said nowhere, and not the same in all
     * stores: Garage took the digits of theirs for long.  So another one is
     * no proof that it is another object.
     */

    return parts ? LR_DECLINED : LR_ERROR;
}


static int
lr_etag_parse(u_char *sum, unsigned *parts, const char *p, size_t n)
{
    int     hi, lo;
    size_t  i;

    /* a proxy that compresses weakens it */

    if (n > 2 && p[0] == 'W' && p[1] == '/') {
        p += 2;
        n -= 2;
    }

    if (n > 2 && p[0] == '"' && p[n - 1] == '"') {
        p++;
        n -= 2;
    }

    if (n < 2 * LR_ETAG_SUM) {
        return LR_DECLINED;
    }

    for (i = 0; i < LR_ETAG_SUM; i++) {

        hi = lr_etag_digit(p[2 * i]);
        lo = lr_etag_digit(p[2 * i + 1]);

        if (hi < 0 || lo < 0) {
            return LR_DECLINED;
        }

        sum[i] = (u_char) (hi << 4 | lo);
    }

    *parts = 0;
    p += 2 * LR_ETAG_SUM;
    n -= 2 * LR_ETAG_SUM;

    if (n == 0) {
        return LR_OK;
    }

    /* up to 10000 parts, in some stores more */

    if (n < 2 || n > 7 || p[0] != '-' || p[1] == '0') {
        return LR_DECLINED;
    }

    for (i = 1; i < n; i++) {

        if (p[i] < '0' || p[i] > '9') {
            return LR_DECLINED;
        }

        *parts = *parts * 10 + (unsigned) (p[i] - '0');
    }

    return LR_OK;
}


static int
lr_etag_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    return (c >= 'a' && c <= 'f') ? c - 'a' + 10 : -1;
}
