
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What a call about indexes names: a range of time, the bucket of a stream's
 * media and that of an index, addresses; and what an answer tells of one.
 */


#include "lr_time.h"
#include "ngx_live_record_api_index.h"


static ngx_uint_t ngx_live_record_index_is(ngx_live_record_bucket_t *b,
    const char *endpoint, const char *bucket);


ngx_int_t
ngx_live_record_index_range(ngx_live_record_api_t *api, lr_range_t *range)
{
    ngx_memzero(range, sizeof(lr_range_t));

    if (ngx_live_record_api_time(api, "StartTime", &range->start) != NGX_OK
        || ngx_live_record_api_time(api, "EndTime", &range->end) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (range->end <= range->start
        || range->end - range->start > LR_RANGE_MAX)
    {
        ngx_live_record_api_error(api, NGX_HTTP_BAD_REQUEST,
                                  "InvalidEndTime.Mismatch",
                                  "Specified end time does not math the "
                                  "specified start time.");
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_live_record_bucket_t *
ngx_live_record_index_home(ngx_live_record_api_t *api,
    ngx_live_record_template_t **t)
{
    *t = ngx_live_record_api_template(api);

    return *t ? ngx_live_record_find_bucket(ngx_live_record_conf,
                                            (*t)->settings.bucket)
              : NULL;
}


ngx_live_record_bucket_t *
ngx_live_record_index_bucket(const char *endpoint, const char *bucket)
{
    ngx_uint_t                  i;
    ngx_live_record_bucket_t  **b;

    b = ngx_live_record_conf->buckets.elts;

    for (i = 0; i < ngx_live_record_conf->buckets.nelts; i++) {
        if (ngx_live_record_index_is(b[i], endpoint, bucket)) {
            return b[i];
        }
    }

    return ngx_live_record_find_bucket(ngx_live_record_conf, bucket);
}


/* the port counts if the endpoint names one */

static ngx_uint_t
ngx_live_record_index_is(ngx_live_record_bucket_t *b, const char *endpoint,
    const char *bucket)
{
    const char         *err;
    lr_url_endpoint_t   ep;

    if (b->type == NGX_LIVE_RECORD_DIR
        || strcmp((char *) b->bucket.data, bucket) != 0
        || lr_url_endpoint(&ep, endpoint, &err) != LR_OK)
    {
        return 0;
    }

    return ep.host.len == b->ep.host.len
           && ngx_strncasecmp((u_char *) ep.host.data,
                              (u_char *) b->ep.host.data, ep.host.len)
              == 0
           && (ep.port.len == 0
               || (ep.port.len == b->ep.port.len
                   && ngx_memcmp(ep.port.data, b->ep.port.data, ep.port.len)
                      == 0));
}


ngx_uint_t
ngx_live_record_index_same(ngx_live_record_bucket_t *a,
    ngx_live_record_bucket_t *b)
{
    if (a == b) {
        return 1;
    }

    if (a->type == NGX_LIVE_RECORD_DIR || b->type == NGX_LIVE_RECORD_DIR) {
        return a->type == b->type && a->root.len == b->root.len
               && ngx_memcmp(a->root.data, b->root.data, a->root.len) == 0;
    }

    return ngx_live_record_index_is(a, (char *) b->endpoint.data,
                                    (char *) b->bucket.data);
}


int
ngx_live_record_index_url(ngx_live_record_bucket_t *b, const char *key,
    lr_buf_t *out)
{
    if (b->type == NGX_LIVE_RECORD_DIR) {
        return LR_DECLINED;
    }

    return lr_url_build(out, &b->ep, b->style, (char *) b->bucket.data, key,
                        NULL, 0);
}


ngx_live_record_request_t *
ngx_live_record_index_request(ngx_live_record_bucket_t *b, const char *key,
    void (*handler)(ngx_live_record_request_t *req), void *data)
{
    ngx_live_record_request_t  *req;

    req = ngx_live_record_request_create();
    if (req == NULL) {
        return NULL;
    }

    req->bucket = b;
    req->handler = handler;
    req->data = data;
    req->aside = 1;

    if (ngx_live_record_index_rekey(req, key) != NGX_OK) {
        ngx_live_record_request_free(req);
        return NULL;
    }

    return req;
}


ngx_int_t
ngx_live_record_index_rekey(ngx_live_record_request_t *req, const char *key)
{
    size_t   len;
    char    *copy;

    len = strlen(key) + 1;

    copy = ngx_alloc(len, ngx_cycle->log);
    if (copy == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(copy, key, len);

    ngx_free(req->key);
    req->key = copy;

    return NGX_OK;
}


json_t *
ngx_live_record_index_json(const lr_index_info_t *info)
{
    char  start[LR_TIME_LEN + 1], end[LR_TIME_LEN + 1];
    char  created[LR_TIME_LEN + 1];

    lr_time_format(start, info->start);
    lr_time_format(end, info->end);
    lr_time_format(created, info->created);

    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s,"
                     " s:s, s:f, s:I, s:I}",
                     "RecordId", info->id, "RecordUrl", info->url,
                     "DomainName", info->domain, "AppName", info->app,
                     "StreamName", info->stream,
                     "OssEndpoint", info->endpoint,
                     "OssBucket", info->bucket, "OssObject", info->key,
                     "StartTime", start, "EndTime", end,
                     "CreateTime", created,
                     "Duration", (double) info->duration / 1000,
                     "Height", (json_int_t) info->height,
                     "Width", (json_int_t) info->width);
}
