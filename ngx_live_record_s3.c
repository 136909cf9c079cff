
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What is S3's own among the stores.  An object is told by its ETag, which
 * is the MD5 of what was sent, or of the MD5s of its parts.  Where it is
 * not, because the store encrypts with a key of its own or is another one,
 * the object's length counts, and that it carries the id of our recording.
 * Of an object that is put at once the store may tell its CRC-64/NVME as
 * well, which takes far less time than an MD5: where the admin relies on
 * that, nothing else counts for it.
 *
 * A copy's ETag is not that of its source: what makes one says the CRC-64 of
 * the whole in its metadata, which a HEAD then tells.
 *
 * Only a PUT and the end of an upload can forbid to overwrite; whatever else
 * makes an object is preceded by a HEAD.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <openssl/evp.h>

#include "ngx_live_record_oss.h"


#define NGX_LIVE_RECORD_S3_ID   "x-amz-meta-live-record-id"
#define NGX_LIVE_RECORD_S3_CRC  "x-amz-meta-live-record-crc64"


static ngx_int_t ngx_live_record_s3_sign(ngx_live_record_oss_t *t,
    lr_sign_t *sign, lr_sign_cache_t *cache);
static int ngx_live_record_s3_prepare(ngx_live_record_oss_t *t);
static void ngx_live_record_s3_hex(char *buf, const u_char *sum);
static void ngx_live_record_s3_piece(ngx_live_record_oss_t *t);
static void ngx_live_record_s3_header(ngx_live_record_oss_t *t,
    const char *p, size_t n);
static void ngx_live_record_s3_got(ngx_live_record_oss_t *t, const char *p,
    size_t n);
static lr_net_e ngx_live_record_s3_compare(ngx_live_record_oss_t *t);
static int ngx_live_record_s3_etag(ngx_live_record_oss_t *t);
static ngx_uint_t ngx_live_record_s3_is_nvme(ngx_live_record_oss_t *t);
static ngx_uint_t ngx_live_record_s3_same(ngx_live_record_oss_t *t,
    uint64_t size, uint64_t crc);
static ngx_uint_t ngx_live_record_s3_tells(ngx_live_record_oss_t *t);
static void ngx_live_record_s3_look(ngx_live_record_oss_t *t);
static void ngx_live_record_s3_parts(ngx_live_record_oss_t *t);
static void ngx_live_record_s3_mark(ngx_live_record_oss_t *t);
static void ngx_live_record_s3_mark_copy(ngx_live_record_oss_t *t);


const ngx_live_record_oss_dialect_t  ngx_live_record_s3_dialect = {
    LR_OBJECT_S3,
    "ETag",
    { "If-None-Match", "*" },
    NGX_LIVE_RECORD_OSS_KEEP_PUT|NGX_LIVE_RECORD_OSS_KEEP_COMPLETE,
    NGX_LIVE_RECORD_S3_ID,
    "x-amz-copy-source",
    "x-amz-copy-source-range",
    (uint64_t) 5 << 30,
    (uint64_t) 5 << 20,
    1,
    ngx_live_record_s3_sign,
    ngx_live_record_s3_prepare,
    ngx_live_record_s3_piece,
    lr_xml_list_s3,
    ngx_live_record_s3_header,
    ngx_live_record_s3_got,
    ngx_live_record_s3_compare,
    ngx_live_record_s3_same,
    ngx_live_record_s3_tells,
    ngx_live_record_s3_look,
    ngx_live_record_s3_parts,
    ngx_live_record_s3_mark,
    ngx_live_record_s3_mark_copy
};


/* TLS protects a body as well as its sum would */

static ngx_int_t
ngx_live_record_s3_sign(ngx_live_record_oss_t *t, lr_sign_t *sign,
    lr_sign_cache_t *cache)
{
    char                       text[2 * 32 + 1];
    u_char                     sum[32];
    ngx_live_record_bucket_t  *b;

    b = t->req->bucket;

    sign->endpoint = &b->ep;
    sign->style = b->style;

    if (b->ep.https) {
        sign->payload = NULL;

    } else if (t->send) {
        sign->payload = t->payload;

    } else {

        if (EVP_Digest(t->text.len ? (char *) t->text.data : "",
                       t->method[1] == 'O' ? t->text.len : 0, sum, NULL,
                       EVP_sha256(), NULL)
            != 1)
        {
            return NGX_ERROR;
        }

        ngx_live_record_s3_hex(text, sum);
        sign->payload = text;
    }

    return lr_sign_s3(sign, cache, &t->sig) == LR_OK ? NGX_OK : NGX_ERROR;
}


/*
 * Without TLS the signature covers the body, and some buckets want its MD5:
 * it is rendered once before.
 */

static int
ngx_live_record_s3_prepare(ngx_live_record_oss_t *t)
{
    int          rc;
    size_t       n;
    u_char      *p, sum[32];
    uint64_t     size;
    lr_body_t   *body;
    EVP_MD_CTX  *ctx;

    if (t->req->bucket->ep.https && !t->digests) {
        return LR_OK;
    }

    body = &t->req->body;
    size = body->size;

    ctx = EVP_MD_CTX_new();

    if (ctx == NULL || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1
        || (t->digests && lr_md5_begin(&t->md5) != LR_OK))
    {
        EVP_MD_CTX_free(ctx);
        ngx_set_errno(NGX_ENOMEM);
        return LR_ERROR;
    }

    do {
        rc = lr_body_next(body, &p, &n);

        if (rc == LR_OK
            && (EVP_DigestUpdate(ctx, p, n) != 1
                || (t->digests && lr_md5_update(&t->md5, p, n) != LR_OK)))
        {
            ngx_set_errno(NGX_ENOMEM);
            rc = LR_ERROR;
        }

    } while (rc == LR_OK && body->done < size);

    if (rc == LR_DECLINED) {
        rc = LR_OK;
    }

    if (rc == LR_OK && t->digests) {
        rc = lr_md5_end(&t->md5, sum);
        EVP_EncodeBlock((u_char *) t->digest, sum, LR_ETAG_SUM);
    }

    if (rc == LR_OK && EVP_DigestFinal_ex(ctx, sum, NULL) != 1) {
        ngx_set_errno(NGX_ENOMEM);
        rc = LR_ERROR;
    }

    EVP_MD_CTX_free(ctx);

    if (rc != LR_OK) {
        return LR_ERROR;
    }

    ngx_live_record_s3_hex(t->payload, sum);

    lr_body_close(body);

    rc = lr_body_open(body, 0);
    body->size = size;

    return rc;
}


static void
ngx_live_record_s3_hex(char *buf, const u_char *sum)
{
    *ngx_hex_dump((u_char *) buf, (u_char *) sum, 32) = '\0';
}


/* without an MD5 there is the length still */

static void
ngx_live_record_s3_piece(ngx_live_record_oss_t *t)
{
    int  rc;

    if (ngx_live_record_s3_is_nvme(t)) {
        t->nvme = lr_crc64_nvme_update(t->nvme, t->piece, t->len);
        return;
    }

    rc = LR_OK;

    if (t->req->body.done == t->len) {
        rc = lr_md5_begin(&t->md5);
    }

    if (rc == LR_OK && t->md5.ctx) {
        rc = lr_md5_update(&t->md5, t->piece, t->len);

        if (rc == LR_OK && t->end) {
            t->wanted = lr_md5_end(&t->md5, t->want) == LR_OK;
        }
    }

    if (rc != LR_OK) {
        lr_md5_free(&t->md5);
    }
}


static void
ngx_live_record_s3_header(ngx_live_record_oss_t *t, const char *p, size_t n)
{
    size_t       len;
    const char  *value;

    if (ngx_live_record_oss_is(p, n, NGX_LIVE_RECORD_S3_CRC, &value, &len)) {
        t->has_crc = lr_crc64_parse(value, len, &t->answer_crc) == LR_OK;

    } else if (ngx_live_record_oss_is(p, n, NGX_LIVE_RECORD_S3_ID, &value,
                                      &len))
    {
        ngx_live_record_oss_text(t->tag, sizeof(t->tag), value, len);

    } else if (ngx_live_record_oss_is(p, n, "x-amz-checksum-crc64nvme",
                                      &value, &len))
    {
        t->has_nvme = lr_crc64_nvme_parse(value, len, &t->answer_nvme)
                      == LR_OK;

    } else if (ngx_live_record_oss_is(p, n, "x-amz-server-side-encryption",
                                      &value, &len)
               || ngx_live_record_oss_is(p, n,
                       "x-amz-server-side-encryption-customer-algorithm",
                       &value, &len))
    {
        ngx_live_record_oss_text(t->encryption, sizeof(t->encryption), value,
                                 len);
    }
}


static void
ngx_live_record_s3_got(ngx_live_record_oss_t *t, const char *p, size_t n)
{
    if (t->answer.len == 0 && lr_md5_begin(&t->md5) != LR_OK) {
        return;
    }

    if (t->md5.ctx && lr_md5_update(&t->md5, p, n) != LR_OK) {
        lr_md5_free(&t->md5);
    }
}


static lr_net_e
ngx_live_record_s3_compare(ngx_live_record_oss_t *t)
{
    switch (t->sum) {

    case NGX_LIVE_RECORD_OSS_GOT:

        t->want_parts = 0;
        t->wanted = t->md5.ctx && lr_md5_end(&t->md5, t->want) == LR_OK;

        break;

    case NGX_LIVE_RECORD_OSS_SENT:

        if (ngx_live_record_s3_is_nvme(t)) {
            t->unsure = !t->has_nvme;

            return t->has_nvme && t->answer_nvme == t->nvme ? LR_NET_OK
                                                            : LR_NET_SUM;
        }

        break;

    default:
        return LR_NET_OK;
    }

    switch (ngx_live_record_s3_etag(t)) {

    case LR_OK:
        return LR_NET_OK;

    case LR_ERROR:
        return LR_NET_SUM;

    default:
        t->unsure = 1;
        return LR_NET_OK;
    }
}


static int
ngx_live_record_s3_etag(ngx_live_record_oss_t *t)
{
    if (!t->wanted) {
        return LR_DECLINED;
    }

    return lr_etag_compare(t->etag, strlen(t->etag), t->want,
                           (unsigned) t->want_parts,
                           t->encryption[0] ? t->encryption : NULL);
}


/* ETags of parts are needed for that of the whole */

static ngx_uint_t
ngx_live_record_s3_is_nvme(ngx_live_record_oss_t *t)
{
    return t->req->bucket->checksum == NGX_LIVE_RECORD_CRC64NVME
           && t->req->op == NGX_LIVE_RECORD_PUT;
}


static ngx_uint_t
ngx_live_record_s3_same(ngx_live_record_oss_t *t, uint64_t size,
    uint64_t crc)
{
    if (!t->has_length || t->length != size) {
        return 0;
    }

    if (ngx_live_record_oss_is_copy(t)) {
        return t->has_crc && t->answer_crc == crc;
    }

    if (ngx_live_record_s3_is_nvme(t)) {
        return t->has_nvme && t->answer_nvme == t->nvme;
    }

    switch (ngx_live_record_s3_etag(t)) {

    case LR_OK:
        return 1;

    case LR_ERROR:
        return 0;

    default:
        return t->req->tag && strcmp(t->tag, t->req->tag) == 0;
    }
}


static ngx_uint_t
ngx_live_record_s3_tells(ngx_live_record_oss_t *t)
{
    if (ngx_live_record_oss_is_copy(t)) {
        return t->has_crc;
    }

    return t->tag[0] || ngx_live_record_s3_etag(t) != LR_DECLINED;
}


static void
ngx_live_record_s3_look(ngx_live_record_oss_t *t)
{
    if (ngx_live_record_s3_is_nvme(t)) {
        ngx_live_record_oss_set_header(t, "x-amz-checksum-mode", "ENABLED");
    }
}


static void
ngx_live_record_s3_parts(ngx_live_record_oss_t *t)
{
    size_t                      i;
    u_char                     *sums;
    ngx_live_record_request_t  *req;

    req = t->req;

    sums = ngx_alloc(req->nparts * LR_ETAG_SUM, ngx_cycle->log);
    if (sums == NULL) {
        return;
    }

    for (i = 0; i < req->nparts; i++) {
        if (lr_etag_sum(sums + i * LR_ETAG_SUM, req->parts[i].etag,
                        strlen(req->parts[i].etag))
            != LR_OK)
        {
            break;
        }
    }

    if (i == req->nparts
        && lr_etag_parts(t->want, sums, req->nparts) == LR_OK)
    {
        t->want_parts = req->nparts;
        t->wanted = 1;
    }

    ngx_free(sums);
}


static void
ngx_live_record_s3_mark(ngx_live_record_oss_t *t)
{
    if (t->req->op == NGX_LIVE_RECORD_MOVE) {
        ngx_live_record_oss_set_header(t, NGX_LIVE_RECORD_S3_CRC,
                                       t->copy.mark);
    }
}


/* metadata is the source's, unless all of it is told */

static void
ngx_live_record_s3_mark_copy(ngx_live_record_oss_t *t)
{
    ngx_live_record_oss_set_header(t, "x-amz-metadata-directive", "REPLACE");
    ngx_live_record_oss_set_header(t, "Content-Type", t->copy.type);

    ngx_live_record_oss_mark(t);
}
