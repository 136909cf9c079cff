
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Actions about what was recorded between two times: an index of it, and a
 * list of it.
 *
 * An index is put where nothing is, or in place of another one, and never
 * over anything else: whoever may call the API is not to harm recordings by
 * that.
 */


#include <openssl/rand.h>

#include "lr_time.h"
#include "ngx_live_record_api_index.h"
#include "ngx_live_record_aside.h"
#include "ngx_live_record_range.h"


/* of those that write one index, somebody gets through */
#define NGX_LIVE_RECORD_CREATE_TRIES  3


typedef struct {
    ngx_live_record_api_t        *api;
    ngx_live_record_bucket_t     *home;       /* of the media */
    ngx_live_record_bucket_t     *bucket;     /* of the index */
    ngx_live_record_range_t      *range;
    ngx_live_record_found_t      *found;
    ngx_live_record_request_t    *request;
    ngx_thread_task_t            *task;
    ngx_uint_t                    tries;
    ngx_uint_t                    keep;

    lr_index_info_t               info;
    lr_buf_t                      base;       /* empty: URIs are relative */

    /* of the thread */

    lr_buf_t                      index;
    lr_range_total_t              total;
    int                           rc;

    /* of the event loop, in a word that no thread writes to */

    unsigned                      thread:1;
    unsigned                      freed:1;
} ngx_live_record_create_t;


typedef struct {
    ngx_live_record_api_t        *api;
    ngx_live_record_bucket_t     *home;
    ngx_live_record_range_t      *range;
} ngx_live_record_content_t;


static void ngx_live_record_create(ngx_live_record_api_t *api);
static ngx_int_t ngx_live_record_create_read(ngx_live_record_api_t *api,
    ngx_live_record_create_t *c, lr_range_t *range,
    ngx_live_record_template_t **t);
static ngx_int_t ngx_live_record_create_end(ngx_live_record_api_t *api,
    lr_range_t *range);
static ngx_int_t ngx_live_record_create_bucket(ngx_live_record_api_t *api,
    ngx_live_record_create_t *c);
static ngx_int_t ngx_live_record_create_key(ngx_live_record_api_t *api,
    ngx_live_record_create_t *c);
static ngx_int_t ngx_live_record_create_info(ngx_live_record_create_t *c);
static void ngx_live_record_create_found(void *data,
    ngx_live_record_found_t *found);
static void ngx_live_record_create_look(ngx_live_record_create_t *c);
static void ngx_live_record_create_looked(ngx_live_record_request_t *req);
static void ngx_live_record_create_draw(ngx_live_record_create_t *c);
static void ngx_live_record_create_thread(void *data, ngx_log_t *log);
static void ngx_live_record_create_drawn(ngx_event_t *ev);
static void ngx_live_record_create_put(ngx_live_record_create_t *c);
static void ngx_live_record_create_done(ngx_live_record_request_t *req);
static void ngx_live_record_create_told(ngx_live_record_request_t *req);
static void ngx_live_record_create_taken(ngx_live_record_create_t *c);
static void ngx_live_record_create_fail(ngx_live_record_create_t *c,
    const char *err);
static void ngx_live_record_create_cancel(ngx_live_record_api_t *api);
static void ngx_live_record_create_free(ngx_live_record_create_t *c);

static void ngx_live_record_content(ngx_live_record_api_t *api);
static void ngx_live_record_content_found(void *data,
    ngx_live_record_found_t *found);
static json_t *ngx_live_record_content_json(ngx_live_record_bucket_t *b,
    lr_range_recording_t *rec);
static void ngx_live_record_content_cancel(ngx_live_record_api_t *api);

static void ngx_live_record_refuse(ngx_live_record_api_t *api,
    ngx_live_record_range_e rc);


const ngx_live_record_action_t  ngx_live_record_index_actions[] = {
    { "CreateLiveStreamRecordIndexFiles", ngx_live_record_create },
    { "DescribeLiveStreamRecordContent", ngx_live_record_content },
    { NULL, NULL }
};


static void
ngx_live_record_create(ngx_live_record_api_t *api)
{
    lr_range_t                   range;
    ngx_live_record_create_t    *c;
    ngx_live_record_template_t  *t;

    c = ngx_calloc(sizeof(ngx_live_record_create_t), ngx_cycle->log);
    if (c == NULL) {
        ngx_live_record_api_failed(api);
        return;
    }

    c->api = api;

    if (ngx_live_record_create_read(api, c, &range, &t) != NGX_OK) {

        /* it is answered, and may be gone */

        c->api = NULL;
        ngx_live_record_create_free(c);
        return;
    }

    c->task = ngx_calloc(sizeof(ngx_thread_task_t), ngx_cycle->log);
    c->request = ngx_live_record_index_request(c->bucket, c->info.key,
                                               ngx_live_record_create_looked,
                                               c);
    c->range = ngx_live_record_range_create(c->home, &t->settings,
                                            api->domain, api->app,
                                            api->stream, &range,
                                            ngx_live_record_create_found, c);

    if (c->task == NULL || c->request == NULL || c->range == NULL) {
        ngx_live_record_create_free(c);
        ngx_live_record_api_failed(api);
        return;
    }

    api->data = c;
    api->cancel = ngx_live_record_create_cancel;

    ngx_live_record_range_start(c->range);
}


/* NGX_ERROR after an answer */

static ngx_int_t
ngx_live_record_create_read(ngx_live_record_api_t *api,
    ngx_live_record_create_t *c, lr_range_t *range,
    ngx_live_record_template_t **t)
{
    if (ngx_live_record_api_names(api) != NGX_OK
        || ngx_live_record_api_needs(api, "OssEndpoint") == NULL
        || ngx_live_record_api_needs(api, "OssBucket") == NULL
        || ngx_live_record_api_needs(api, "OssObject") == NULL
        || ngx_live_record_index_range(api, range) != NGX_OK
        || ngx_live_record_create_end(api, range) != NGX_OK)
    {
        return NGX_ERROR;
    }

    c->info.start = range->start;
    c->info.end = range->end;

    if (ngx_live_record_create_bucket(api, c) != NGX_OK
        || ngx_live_record_create_key(api, c) != NGX_OK)
    {
        return NGX_ERROR;
    }

    c->home = ngx_live_record_index_home(api, t);

    if (c->home == NULL) {
        ngx_live_record_refuse(api, NGX_LIVE_RECORD_RANGE_UNKNOWN);
        return NGX_ERROR;
    }

    /* media in a directory has no URL that another bucket could refer to */

    if (!ngx_live_record_index_same(c->home, c->bucket)
        && ngx_live_record_index_url(c->home, NULL, &c->base) != LR_OK)
    {
        ngx_live_record_api_invalid(api, "OssBucket");
        return NGX_ERROR;
    }

    if (ngx_live_record_create_info(c) != NGX_OK) {
        ngx_live_record_api_failed(api);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_live_record_create_end(ngx_live_record_api_t *api, lr_range_t *range)
{
    const char  *value;

    value = ngx_live_record_api_param(api, "EndTimeIncluded");

    if (value == NULL || ngx_strcasecmp((u_char *) value, (u_char *) "true")
                         == 0)
    {
        return NGX_OK;
    }

    if (ngx_strcasecmp((u_char *) value, (u_char *) "false") == 0) {
        range->inside = 1;
        return NGX_OK;
    }

    ngx_live_record_api_invalid(api, "EndTimeIncluded");

    return NGX_ERROR;
}


static ngx_int_t
ngx_live_record_create_bucket(ngx_live_record_api_t *api,
    ngx_live_record_create_t *c)
{
    const char  *endpoint, *bucket;

    endpoint = ngx_live_record_api_param(api, "OssEndpoint");
    bucket = ngx_live_record_api_param(api, "OssBucket");

    if (ngx_strlen(endpoint) > LR_NAME_LEN
        || !lr_name_text(endpoint, ngx_strlen(endpoint)))
    {
        ngx_live_record_api_invalid(api, "OssEndpoint");
        return NGX_ERROR;
    }

    c->bucket = ngx_live_record_index_bucket(endpoint, bucket);

    if (c->bucket == NULL) {
        ngx_live_record_api_invalid(api, "OssBucket");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_live_record_create_key(ngx_live_record_api_t *api,
    ngx_live_record_create_t *c)
{
    char             err[512];
    lr_buf_t         key;
    const char      *tpl;
    lr_name_vars_t   vars;

    tpl = ngx_live_record_api_param(api, "OssObject");

    ngx_memzero(&key, sizeof(lr_buf_t));
    ngx_memzero(&vars, sizeof(lr_name_vars_t));

    vars.app = api->app;
    vars.stream = api->stream;
    vars.start = c->info.start;
    vars.end = c->info.end;

    if (lr_name_check(LR_NAME_RANGE, tpl, err, sizeof(err)) != LR_OK
        || lr_name_expand(tpl, &vars, &ngx_live_record_conf->zone, NULL,
                          &key)
           != LR_OK
        || !lr_range_key_valid((char *) key.data))
    {
        lr_buf_free(&key);
        ngx_live_record_api_invalid(api, "OssObject");
        return NGX_ERROR;
    }

    c->info.key = (char *) key.data;

    return NGX_OK;
}


/* what is known of the index before it is drawn */

static ngx_int_t
ngx_live_record_create_info(ngx_live_record_create_t *c)
{
    int                     rc;
    u_char                  random[LR_INDEX_RANDOM];
    lr_buf_t                url;
    lr_index_info_t        *info;
    ngx_live_record_api_t  *api;

    api = c->api;
    info = &c->info;

    if (RAND_bytes(random, sizeof(random)) != 1
        || lr_index_id(info->id, info->start, info->end, api->domain, random)
           != LR_OK)
    {
        return NGX_ERROR;
    }

    info->created = ngx_live_record_now();
    info->domain = strdup(api->domain);
    info->app = strdup(api->app);
    info->stream = strdup(api->stream);
    info->endpoint = strdup(ngx_live_record_api_param(api, "OssEndpoint"));
    info->bucket = strdup(ngx_live_record_api_param(api, "OssBucket"));

    ngx_memzero(&url, sizeof(lr_buf_t));

    rc = ngx_live_record_index_url(c->bucket, info->key, &url);

    info->url = rc == LR_DECLINED ? strdup(info->key) : (char *) url.data;

    return info->domain && info->app && info->stream && info->endpoint
           && info->bucket && info->url && rc != LR_ERROR ? NGX_OK
                                                          : NGX_ERROR;
}


static void
ngx_live_record_create_found(void *data, ngx_live_record_found_t *found)
{
    ngx_live_record_create_t *c = data;

    ngx_live_record_range_e   rc;
    ngx_live_record_api_t    *api;

    if (found->rc != NGX_LIVE_RECORD_RANGE_OK) {
        rc = found->rc;
        api = c->api;
        ngx_live_record_create_free(c);
        ngx_live_record_refuse(api, rc);
        return;
    }

    c->found = found;

    ngx_live_record_create_look(c);
}


/* what is under the key now */

static void
ngx_live_record_create_look(ngx_live_record_create_t *c)
{
    c->request->op = NGX_LIVE_RECORD_GET;
    c->request->first = LR_RANGE_FIRST;
    c->request->handler = ngx_live_record_create_looked;

    ngx_live_record_request_start(c->request);
}


static void
ngx_live_record_create_looked(ngx_live_record_request_t *req)
{
    ngx_live_record_create_t  *c;

    c = req->data;

    switch (req->result) {

    case LR_RETRY_GONE:
        c->keep = 1;
        break;

    case LR_RETRY_OK:

        if (!lr_range_index_ours(req->answer.data, req->answer.len, NULL)) {
            ngx_live_record_create_taken(c);
            return;
        }

        c->keep = 0;
        break;

    default:
        ngx_live_record_create_fail(c, req->err);
        return;
    }

    lr_buf_free(&req->answer);

    if (c->index.len) {
        ngx_live_record_create_put(c);
        return;
    }

    ngx_live_record_create_draw(c);
}


static void
ngx_live_record_create_draw(ngx_live_record_create_t *c)
{
    c->thread = 1;

    if (ngx_live_record_aside_post(c->task, ngx_live_record_create_thread,
                                   ngx_live_record_create_drawn, c)
        != NGX_OK)
    {
        c->thread = 0;
        ngx_live_record_create_fail(c, "no memory");
    }
}


static void
ngx_live_record_create_thread(void *data, ngx_log_t *log)
{
    ngx_live_record_create_t *c = data;

    c->rc = lr_range_index(c->found->parts, c->found->n, c->info.id,
                           c->info.key,
                           c->base.len ? (char *) c->base.data : NULL,
                           &ngx_live_record_conf->zone, &c->index,
                           &c->total);
}


static void
ngx_live_record_create_drawn(ngx_event_t *ev)
{
    ngx_live_record_create_t  *c;

    c = ev->data;
    c->thread = 0;

    if (c->freed) {
        ngx_live_record_create_free(c);
        return;
    }

    if (c->rc != LR_OK) {
        ngx_live_record_create_fail(c, "no memory");
        return;
    }

    c->info.duration = c->total.duration;
    c->info.width = c->total.width;
    c->info.height = c->total.height;

    ngx_live_record_range_free(c->range);
    c->range = NULL;
    c->found = NULL;

    ngx_live_record_create_put(c);
}


static void
ngx_live_record_create_put(ngx_live_record_create_t *c)
{
    ngx_live_record_request_t  *req;

    req = c->request;

    req->op = NGX_LIVE_RECORD_PUT;
    req->handler = ngx_live_record_create_done;
    req->type = "application/vnd.apple.mpegurl";
    req->kind = LR_OBJECT_INDEX;
    req->tag = c->info.id;
    req->keep = c->keep;

    req->body.text.len = 0;
    lr_buf_append(&req->body.text, c->index.data, c->index.len);

    if (req->body.text.failed) {
        ngx_live_record_create_fail(c, "no memory");
        return;
    }

    ngx_live_record_request_start(req);
}


static void
ngx_live_record_create_done(ngx_live_record_request_t *req)
{
    lr_buf_t                   key;
    ngx_int_t                  rc;
    ngx_live_record_create_t  *c;

    c = req->data;

    if (req->result == LR_RETRY_EXISTS
        && ++c->tries < NGX_LIVE_RECORD_CREATE_TRIES)
    {
        /* somebody has put something there in between */

        ngx_live_record_create_look(c);
        return;
    }

    if (req->result != LR_RETRY_OK) {
        ngx_live_record_create_fail(c, req->err);
        return;
    }

    ngx_memzero(&key, sizeof(lr_buf_t));

    rc = NGX_ERROR;
    req->body.text.len = 0;

    if (lr_index_key(c->info.app, c->info.stream, c->info.id, &key) == LR_OK
        && lr_index_info_write(&c->info, &req->body.text) == LR_OK)
    {
        rc = ngx_live_record_index_rekey(req, (char *) key.data);
    }

    lr_buf_free(&key);

    if (rc != NGX_OK) {
        ngx_live_record_create_fail(c, "no memory");
        return;
    }

    req->bucket = c->home;
    req->handler = ngx_live_record_create_told;
    req->type = "application/json";
    req->kind = LR_OBJECT_MANIFEST;
    req->keep = 0;

    ngx_live_record_request_start(req);
}


static void
ngx_live_record_create_told(ngx_live_record_request_t *req)
{
    json_t                    *o;
    ngx_live_record_api_t     *api;
    ngx_live_record_create_t  *c;

    c = req->data;
    api = c->api;

    if (req->result != LR_RETRY_OK) {
        ngx_live_record_create_fail(c, req->err);
        return;
    }

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                  "live record: stored index \"%s\" of \"%s/%s\" in bucket "
                  "\"%V\", %uz fragments", c->info.key, c->info.app,
                  c->info.stream, &c->bucket->name, c->total.n);

    o = json_pack("{s:o}", "RecordInfo",
                  ngx_live_record_index_json(&c->info));

    ngx_live_record_create_free(c);
    ngx_live_record_api_answer(api, o);
}


/* something that is not ours to replace */

static void
ngx_live_record_create_taken(ngx_live_record_create_t *c)
{
    ngx_live_record_api_t  *api;

    api = c->api;

    ngx_live_record_create_free(c);
    ngx_live_record_api_invalid(api, "OssObject");
}


static void
ngx_live_record_create_fail(ngx_live_record_create_t *c, const char *err)
{
    ngx_live_record_api_t  *api;

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "live record: index \"%s\" of \"%s/%s\" could not be "
                  "stored in bucket \"%V\": %s", c->info.key, c->info.app,
                  c->info.stream, &c->bucket->name, err);

    api = c->api;

    ngx_live_record_create_free(c);
    ngx_live_record_api_failed(api);
}


static void
ngx_live_record_create_cancel(ngx_live_record_api_t *api)
{
    ngx_live_record_create_t  *c;

    c = api->data;
    c->api = NULL;

    ngx_live_record_create_free(c);
}


static void
ngx_live_record_create_free(ngx_live_record_create_t *c)
{
    if (c->api) {
        c->api->cancel = NULL;
    }

    /* a thread reads it: its end frees */

    if (c->thread && ngx_live_record_aside_cancel(c->task) != NGX_OK) {
        c->freed = 1;
        return;
    }

    ngx_live_record_range_free(c->range);
    ngx_live_record_request_free(c->request);
    lr_index_info_free(&c->info);
    lr_buf_free(&c->base);
    lr_buf_free(&c->index);
    ngx_free(c->task);
    ngx_free(c);
}


static void
ngx_live_record_content(ngx_live_record_api_t *api)
{
    lr_range_t                   range;
    ngx_live_record_content_t   *c;
    ngx_live_record_template_t  *t;

    if (ngx_live_record_api_names(api) != NGX_OK
        || ngx_live_record_index_range(api, &range) != NGX_OK)
    {
        return;
    }

    c = ngx_pcalloc(api->request->pool, sizeof(ngx_live_record_content_t));
    if (c == NULL) {
        ngx_live_record_api_failed(api);
        return;
    }

    c->api = api;
    c->home = ngx_live_record_index_home(api, &t);

    if (c->home == NULL) {
        ngx_live_record_api_answer(api,
                                   json_pack("{s:{s:[]}}",
                                             "RecordContentInfoList",
                                             "RecordContentInfo"));
        return;
    }

    c->range = ngx_live_record_range_create(c->home, &t->settings,
                                            api->domain, api->app,
                                            api->stream, &range,
                                            ngx_live_record_content_found,
                                            c);
    if (c->range == NULL) {
        ngx_live_record_api_failed(api);
        return;
    }

    api->data = c;
    api->cancel = ngx_live_record_content_cancel;

    ngx_live_record_range_start(c->range);
}


static void
ngx_live_record_content_found(void *data, ngx_live_record_found_t *found)
{
    ngx_live_record_content_t *c = data;

    json_t                   *o, *list;
    size_t                    i, n;
    ngx_live_record_api_t    *api;
    lr_range_recording_t     *recs;
    ngx_live_record_range_e   rc;

    rc = found->rc;
    api = c->api;
    api->cancel = NULL;

    if (rc == NGX_LIVE_RECORD_RANGE_MOVED
        || rc == NGX_LIVE_RECORD_RANGE_FAILED)
    {
        ngx_live_record_range_free(c->range);
        ngx_live_record_refuse(api, rc);
        return;
    }

    o = NULL;

    if (lr_range_recordings(found->parts, found->n, &recs, &n) == LR_OK) {
        list = json_array();

        for (i = 0; i < n; i++) {
            (void) json_array_append_new(list,
                             ngx_live_record_content_json(c->home, &recs[i]));
        }

        free(recs);

        o = json_pack("{s:{s:o}}", "RecordContentInfoList",
                      "RecordContentInfo", list);
    }

    ngx_live_record_range_free(c->range);
    ngx_live_record_api_answer(api, o);
}


/* whole seconds, around all that there is */

static json_t *
ngx_live_record_content_json(ngx_live_record_bucket_t *b,
    lr_range_recording_t *rec)
{
    char       start[LR_TIME_LEN + 1], end[LR_TIME_LEN + 1];
    int64_t    from, to;
    ngx_str_t  endpoint;

    from = rec->start / 1000;
    to = (rec->end + 999) / 1000;

    lr_time_format(start, from * 1000);
    lr_time_format(end, to * 1000);
    ngx_live_record_api_endpoint(b, &endpoint);

    return json_pack("{s:s, s:s, s:f, s:s%, s:s, s:s}",
                     "StartTime", start, "EndTime", end,
                     "Duration", (double) (to - from),
                     "OssEndpoint", (char *) endpoint.data, endpoint.len,
                     "OssBucket", ngx_live_record_api_bucket(b),
                     "OssObjectPrefix",
                     rec->fragment_path ? rec->fragment_path : "");
}


static void
ngx_live_record_content_cancel(ngx_live_record_api_t *api)
{
    ngx_live_record_content_t  *c;

    c = api->data;

    ngx_live_record_range_free(c->range);
}


static void
ngx_live_record_refuse(ngx_live_record_api_t *api,
    ngx_live_record_range_e rc)
{
    switch (rc) {

    case NGX_LIVE_RECORD_RANGE_EMPTY:
        ngx_live_record_api_error(api, NGX_HTTP_BAD_REQUEST,
                                  "NoRecordContent",
                                  "The record content between StartTime and "
                                  "EndTime is empty.");
        return;

    case NGX_LIVE_RECORD_RANGE_UNKNOWN:
        ngx_live_record_api_error(api, NGX_HTTP_BAD_REQUEST,
                                  "InvalidStream.NotFound",
                                  "Speicified stream does not exist.");
        return;

    case NGX_LIVE_RECORD_RANGE_MOVED:
        ngx_live_record_api_error(api, NGX_HTTP_BAD_REQUEST,
                                  "InvalidConfig.Changed",
                                  "The oss bucket info between StartTime and "
                                  "EndTime has changed.");
        return;

    default:
        ngx_live_record_api_failed(api);
    }
}
