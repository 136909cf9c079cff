
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What is OSS's own among the stores: its signatures, its CRC-64, which
 * every answer about an object tells, and a header that forbids to overwrite
 * wherever an object comes into being.
 *
 * Only what was copied need not have a CRC-64.  Then its length counts, and
 * that it carries the id of our recording, which is its source's.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_live_record_oss.h"


#define NGX_LIVE_RECORD_OSS_ID  "x-oss-meta-live-record-id"


static ngx_int_t ngx_live_record_oss_sign(ngx_live_record_oss_t *t,
    lr_sign_t *sign, lr_sign_cache_t *cache);
static void ngx_live_record_oss_header(ngx_live_record_oss_t *t,
    const char *p, size_t n);
static lr_net_e ngx_live_record_oss_compare(ngx_live_record_oss_t *t);
static ngx_uint_t ngx_live_record_oss_same(ngx_live_record_oss_t *t,
    uint64_t size, uint64_t crc);
static ngx_uint_t ngx_live_record_oss_tells(ngx_live_record_oss_t *t);


const ngx_live_record_oss_dialect_t  ngx_live_record_oss_dialect = {
    LR_OBJECT_OSS,
    "CRC-64",
    { "x-oss-forbid-overwrite", "true" },
    NGX_LIVE_RECORD_OSS_KEEP_PUT
    |NGX_LIVE_RECORD_OSS_KEEP_INITIATE
    |NGX_LIVE_RECORD_OSS_KEEP_COMPLETE
    |NGX_LIVE_RECORD_OSS_KEEP_COPY,
    NGX_LIVE_RECORD_OSS_ID,
    "x-oss-copy-source",
    "x-oss-copy-source-range",
    (uint64_t) 1 << 30,
    (uint64_t) 1 << 20,
    0,
    ngx_live_record_oss_sign,
    NULL,
    NULL,
    lr_xml_list,
    ngx_live_record_oss_header,
    NULL,
    ngx_live_record_oss_compare,
    ngx_live_record_oss_same,
    ngx_live_record_oss_tells,
    NULL,
    NULL,
    NULL,
    NULL
};


static ngx_int_t
ngx_live_record_oss_sign(ngx_live_record_oss_t *t, lr_sign_t *sign,
    lr_sign_cache_t *cache)
{
    int  rc;

    rc = t->req->bucket->signature == 4
         ? lr_sign_oss_v4(sign, cache, &t->sig)
         : lr_sign_oss_v1(sign, &t->sig);

    return rc == LR_OK ? NGX_OK : NGX_ERROR;
}


static void
ngx_live_record_oss_header(ngx_live_record_oss_t *t, const char *p, size_t n)
{
    size_t       len;
    const char  *value;

    if (ngx_live_record_oss_is(p, n, "x-oss-hash-crc64ecma", &value, &len)) {
        t->has_crc = lr_crc64_parse(value, len, &t->answer_crc) == LR_OK;

    } else if (ngx_live_record_oss_is(p, n, NGX_LIVE_RECORD_OSS_ID, &value,
                                      &len))
    {
        ngx_live_record_oss_text(t->tag, sizeof(t->tag), value, len);
    }
}


static lr_net_e
ngx_live_record_oss_compare(ngx_live_record_oss_t *t)
{
    switch (t->sum) {

    case NGX_LIVE_RECORD_OSS_SENT:

        t->unsure = !t->has_crc;

        return t->has_crc && t->answer_crc == t->crc ? LR_NET_OK
                                                     : LR_NET_SUM;

    case NGX_LIVE_RECORD_OSS_GOT:

        return !t->has_crc
               || lr_crc64_update(0, t->answer.data, t->answer.len)
                  == t->answer_crc
               ? LR_NET_OK : LR_NET_SUM;

    default:
        return LR_NET_OK;
    }
}


static ngx_uint_t
ngx_live_record_oss_same(ngx_live_record_oss_t *t, uint64_t size,
    uint64_t crc)
{
    if (!t->has_length || t->length != size) {
        return 0;
    }

    if (!t->has_crc && ngx_live_record_oss_is_copy(t)) {
        return t->req->tag && strcmp(t->tag, t->req->tag) == 0;
    }

    return t->has_crc && t->answer_crc == crc;
}


static ngx_uint_t
ngx_live_record_oss_tells(ngx_live_record_oss_t *t)
{
    return t->has_crc || (t->tag[0] && ngx_live_record_oss_is_copy(t));
}
