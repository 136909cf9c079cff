
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Actions about indexes that were made: what is known of them, and how they
 * are removed.
 */


#include "ngx_live_record_api_index.h"


/* as many are removed by one call at most */
#define NGX_LIVE_RECORD_REMOVE_MAX  20


/* a list of infos that are read one after another */

typedef struct {
    ngx_live_record_api_t      *api;
    ngx_live_record_request_t  *request;
    lr_range_t                  range;
    ngx_int_t                   page;
    ngx_int_t                   size;
    const char                 *order;
    size_t                      total;
    lr_buf_t                    keys;      /* "key\0" ... */
    size_t                      pos;
    json_t                     *list;
} ngx_live_record_infos_t;


typedef struct {
    ngx_live_record_api_t      *api;
    ngx_live_record_request_t  *request;
} ngx_live_record_info_t;


typedef struct {
    ngx_live_record_api_t      *api;
    ngx_live_record_bucket_t   *home;
    ngx_live_record_request_t  *request;
    const char                 *ids[NGX_LIVE_RECORD_REMOVE_MAX];
    ngx_uint_t                  n;
    ngx_uint_t                  next;      /* behind the one at work */
    ngx_uint_t                  files;     /* the indexes too */
    lr_index_info_t             info;
    json_t                     *list;
} ngx_live_record_remove_t;


static void ngx_live_record_infos(ngx_live_record_api_t *api);
static ngx_int_t ngx_live_record_infos_list(ngx_live_record_infos_t *d);
static void ngx_live_record_infos_listed(ngx_live_record_request_t *req);
static void ngx_live_record_infos_next(ngx_live_record_infos_t *d);
static void ngx_live_record_infos_read(ngx_live_record_request_t *req);
static void ngx_live_record_infos_done(ngx_live_record_infos_t *d);
static void ngx_live_record_infos_fail(ngx_live_record_infos_t *d);
static void ngx_live_record_infos_cancel(ngx_live_record_api_t *api);

static void ngx_live_record_info(ngx_live_record_api_t *api);
static void ngx_live_record_info_read(ngx_live_record_request_t *req);
static void ngx_live_record_info_cancel(ngx_live_record_api_t *api);
static void ngx_live_record_info_unknown(ngx_live_record_api_t *api);

static void ngx_live_record_remove(ngx_live_record_api_t *api);
static ngx_int_t ngx_live_record_remove_ids(ngx_live_record_api_t *api,
    ngx_live_record_remove_t *d);
static void ngx_live_record_remove_next(ngx_live_record_remove_t *d);
static ngx_int_t ngx_live_record_remove_ask(ngx_live_record_remove_t *d);
static void ngx_live_record_remove_read(ngx_live_record_request_t *req);
static void ngx_live_record_remove_looked(ngx_live_record_request_t *req);
static void ngx_live_record_remove_file(ngx_live_record_request_t *req);
static void ngx_live_record_remove_info(ngx_live_record_remove_t *d);
static void ngx_live_record_remove_done(ngx_live_record_request_t *req);
static void ngx_live_record_remove_tell(ngx_live_record_remove_t *d,
    const char *text);
static void ngx_live_record_remove_fail(ngx_live_record_remove_t *d,
    const char *err);
static void ngx_live_record_remove_cancel(ngx_live_record_api_t *api);

static ngx_int_t ngx_live_record_info_of(ngx_live_record_api_t *api,
    ngx_live_record_request_t *req, lr_index_info_t *info);
static ngx_int_t ngx_live_record_info_key(ngx_live_record_api_t *api,
    const char *id, lr_buf_t *key);
static json_t *ngx_live_record_info_json(const lr_index_info_t *info);
static void ngx_live_record_info_failed(ngx_live_record_api_t *api,
    ngx_live_record_request_t *req);


const ngx_live_record_action_t  ngx_live_record_index_info_actions[] = {
    { "DescribeLiveStreamRecordIndexFiles", ngx_live_record_infos },
    { "DescribeLiveStreamRecordIndexFile", ngx_live_record_info },
    { "DeleteLiveStreamRecordIndexFiles", ngx_live_record_remove },
    { NULL, NULL }
};


static void
ngx_live_record_infos(ngx_live_record_api_t *api)
{
    ngx_live_record_infos_t     *d;
    ngx_live_record_bucket_t    *home;
    ngx_live_record_template_t  *t;

    d = ngx_pcalloc(api->request->pool, sizeof(ngx_live_record_infos_t));
    if (d == NULL) {
        ngx_live_record_api_failed(api);
        return;
    }

    if (ngx_live_record_api_names(api) != NGX_OK
        || ngx_live_record_index_range(api, &d->range) != NGX_OK
        || ngx_live_record_api_page(api, "PageNum", 5, 30, 10, &d->page,
                                    &d->size, &d->order)
           != NGX_OK)
    {
        return;
    }

    d->api = api;
    d->list = json_array();

    home = ngx_live_record_index_home(api, &t);

    if (home == NULL) {
        ngx_live_record_infos_done(d);
        return;
    }

    d->request = ngx_live_record_index_request(home, "",
                                               ngx_live_record_infos_listed,
                                               d);

    if (d->request == NULL || ngx_live_record_infos_list(d) != NGX_OK) {
        ngx_live_record_infos_fail(d);
        return;
    }

    api->data = d;
    api->cancel = ngx_live_record_infos_cancel;

    ngx_live_record_request_start(d->request);
}


/* a range that touches another begins at most as long before as one is */

static ngx_int_t
ngx_live_record_infos_list(ngx_live_record_infos_t *d)
{
    ngx_int_t                   rc;
    lr_buf_t                    prefix, after, until;
    ngx_live_record_api_t      *api;
    ngx_live_record_request_t  *req;

    api = d->api;
    req = d->request;

    ngx_memzero(&prefix, sizeof(lr_buf_t));
    ngx_memzero(&after, sizeof(lr_buf_t));
    ngx_memzero(&until, sizeof(lr_buf_t));

    rc = NGX_ERROR;

    if (lr_manifest_prefix(LR_INDEX_PREFIX, api->app, api->stream, &prefix)
        == LR_OK
        && lr_manifest_start_after(LR_INDEX_PREFIX, api->app, api->stream,
                                   ngx_max(d->range.start - LR_RANGE_MAX, 0),
                                   &after)
           == LR_OK
        && lr_manifest_start_after(LR_INDEX_PREFIX, api->app, api->stream,
                                   d->range.end, &until)
           == LR_OK)
    {
        req->op = NGX_LIVE_RECORD_LIST;
        req->after = strdup((char *) after.data);
        req->until = strdup((char *) until.data);

        if (req->after && req->until) {
            rc = ngx_live_record_index_rekey(req, (char *) prefix.data);
        }
    }

    lr_buf_free(&prefix);
    lr_buf_free(&after);
    lr_buf_free(&until);

    return rc;
}


static void
ngx_live_record_infos_listed(ngx_live_record_request_t *req)
{
    ngx_live_record_infos_t  *d;

    d = req->data;

    if (req->result != LR_RETRY_OK
        || lr_index_page(&d->range, d->api->domain, req->answer.data,
                         req->answer.len, d->order[0] == 'd',
                         (d->page - 1) * d->size, d->size, &d->keys,
                         &d->total)
           != LR_OK)
    {
        ngx_live_record_infos_fail(d);
        return;
    }

    req->op = NGX_LIVE_RECORD_GET;
    req->handler = ngx_live_record_infos_read;

    ngx_live_record_infos_next(d);
}


static void
ngx_live_record_infos_next(ngx_live_record_infos_t *d)
{
    char  *key;

    if (d->pos == d->keys.len) {
        ngx_live_record_infos_done(d);
        return;
    }

    key = (char *) d->keys.data + d->pos;
    d->pos += strlen(key) + 1;

    if (ngx_live_record_index_rekey(d->request, key) != NGX_OK) {
        ngx_live_record_infos_fail(d);
        return;
    }

    ngx_live_record_request_start(d->request);
}


static void
ngx_live_record_infos_read(ngx_live_record_request_t *req)
{
    ngx_int_t                 rc;
    lr_index_info_t           info;
    ngx_live_record_infos_t  *d;

    d = req->data;

    rc = ngx_live_record_info_of(d->api, req, &info);

    if (rc == NGX_ERROR) {
        ngx_live_record_infos_fail(d);
        return;
    }

    /* one that was removed in between, or is of another domain, is left out */

    if (rc == NGX_OK) {
        (void) json_array_append_new(d->list,
                                     ngx_live_record_info_json(&info));
        lr_index_info_free(&info);
    }

    ngx_live_record_infos_next(d);
}


static void
ngx_live_record_infos_done(ngx_live_record_infos_t *d)
{
    json_t                 *o;
    ngx_live_record_api_t  *api;

    api = d->api;

    o = json_pack("{s:I, s:I, s:I, s:I, s:s, s:{s:O}}",
                  "PageNum", (json_int_t) d->page,
                  "PageSize", (json_int_t) d->size,
                  "TotalNum", (json_int_t) d->total,
                  "TotalPage",
                  ((json_int_t) d->total + d->size - 1) / d->size,
                  "Order", d->order, "RecordIndexInfoList",
                  "RecordIndexInfo", d->list);

    api->data = d;
    ngx_live_record_infos_cancel(api);
    ngx_live_record_api_answer(api, o);
}


static void
ngx_live_record_infos_fail(ngx_live_record_infos_t *d)
{
    ngx_live_record_api_t  *api;

    api = d->api;
    api->data = d;

    if (d->request) {
        ngx_live_record_info_failed(api, d->request);
    }

    ngx_live_record_infos_cancel(api);
    ngx_live_record_api_failed(api);
}


static void
ngx_live_record_infos_cancel(ngx_live_record_api_t *api)
{
    ngx_live_record_infos_t  *d;

    d = api->data;
    api->cancel = NULL;

    ngx_live_record_request_free(d->request);
    lr_buf_free(&d->keys);
    json_decref(d->list);
}


static void
ngx_live_record_info(ngx_live_record_api_t *api)
{
    lr_buf_t                     key;
    const char                  *id;
    ngx_live_record_info_t      *d;
    ngx_live_record_bucket_t    *home;
    ngx_live_record_template_t  *t;

    if (ngx_live_record_api_names(api) != NGX_OK) {
        return;
    }

    id = ngx_live_record_api_needs(api, "RecordId");
    if (id == NULL) {
        return;
    }

    home = ngx_live_record_index_home(api, &t);
    ngx_memzero(&key, sizeof(lr_buf_t));

    if (home == NULL
        || ngx_live_record_info_key(api, id, &key) != NGX_OK)
    {
        ngx_live_record_info_unknown(api);
        return;
    }

    d = ngx_pcalloc(api->request->pool, sizeof(ngx_live_record_info_t));

    if (d) {
        d->api = api;
        d->request = ngx_live_record_index_request(home, (char *) key.data,
                                                   ngx_live_record_info_read,
                                                   d);
    }

    lr_buf_free(&key);

    if (d == NULL || d->request == NULL) {
        ngx_live_record_api_failed(api);
        return;
    }

    api->data = d;
    api->cancel = ngx_live_record_info_cancel;

    d->request->op = NGX_LIVE_RECORD_GET;

    ngx_live_record_request_start(d->request);
}


static void
ngx_live_record_info_read(ngx_live_record_request_t *req)
{
    json_t                  *o;
    ngx_int_t                rc;
    lr_index_info_t          info;
    ngx_live_record_api_t   *api;
    ngx_live_record_info_t  *d;

    d = req->data;
    api = d->api;
    o = NULL;

    rc = ngx_live_record_info_of(api, req, &info);

    if (rc == NGX_ERROR) {
        ngx_live_record_info_failed(api, req);

    } else if (rc == NGX_OK) {
        o = json_pack("{s:o}", "RecordIndexInfo",
                      ngx_live_record_info_json(&info));
        lr_index_info_free(&info);
    }

    ngx_live_record_info_cancel(api);

    if (rc == NGX_DECLINED) {
        ngx_live_record_info_unknown(api);
        return;
    }

    ngx_live_record_api_answer(api, o);
}


static void
ngx_live_record_info_cancel(ngx_live_record_api_t *api)
{
    ngx_live_record_info_t  *d;

    d = api->data;
    api->cancel = NULL;

    ngx_live_record_request_free(d->request);
}


static void
ngx_live_record_info_unknown(ngx_live_record_api_t *api)
{
    ngx_live_record_api_error(api, NGX_HTTP_NOT_FOUND,
                              "InvalidRecordId.NotFound",
                              "Specified RecordId does not exist.");
}


static void
ngx_live_record_remove(ngx_live_record_api_t *api)
{
    ngx_live_record_remove_t    *d;
    ngx_live_record_template_t  *t;

    d = ngx_pcalloc(api->request->pool, sizeof(ngx_live_record_remove_t));
    if (d == NULL) {
        ngx_live_record_api_failed(api);
        return;
    }

    if (ngx_live_record_api_names(api) != NGX_OK
        || ngx_live_record_remove_ids(api, d) != NGX_OK)
    {
        return;
    }

    d->api = api;
    d->list = json_array();
    d->home = ngx_live_record_index_home(api, &t);

    api->data = d;
    api->cancel = ngx_live_record_remove_cancel;

    ngx_live_record_remove_next(d);
}


static ngx_int_t
ngx_live_record_remove_ids(ngx_live_record_api_t *api,
    ngx_live_record_remove_t *d)
{
    u_char       name[sizeof("RecordId.") + NGX_INT_T_LEN];
    const char  *id, *files;

    for (d->n = 0; d->n <= NGX_LIVE_RECORD_REMOVE_MAX; d->n++) {
        ngx_sprintf(name, "RecordId.%ui%Z", d->n + 1);

        id = ngx_live_record_api_param(api, (char *) name);
        if (id == NULL) {
            break;
        }

        if (d->n == NGX_LIVE_RECORD_REMOVE_MAX) {
            ngx_live_record_api_invalid(api, "RecordId");
            return NGX_ERROR;
        }

        d->ids[d->n] = id;
    }

    if (d->n == 0) {
        (void) ngx_live_record_api_needs(api, "RecordId");
        return NGX_ERROR;
    }

    files = ngx_live_record_api_needs(api, "RemoveFile");
    if (files == NULL) {
        return NGX_ERROR;
    }

    if (ngx_strcasecmp((u_char *) files, (u_char *) "true") == 0) {
        d->files = 1;

    } else if (ngx_strcasecmp((u_char *) files, (u_char *) "false") != 0) {
        ngx_live_record_api_invalid(api, "RemoveFile");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* the ids one after another, and at last the answer */

static void
ngx_live_record_remove_next(ngx_live_record_remove_t *d)
{
    json_t                 *o;
    ngx_live_record_api_t  *api;

    while (d->next < d->n) {
        d->next++;

        if (ngx_live_record_remove_ask(d) == NGX_OK) {
            return;
        }

        ngx_live_record_remove_tell(d, "Specified RecordId does not exist.");
    }

    api = d->api;

    o = json_pack("{s:s, s:s, s:{s:O}}", "Code", "OK", "Message", "OK",
                  "RecordDeleteInfoList", "RecordDeleteInfo", d->list);

    ngx_live_record_remove_cancel(api);
    ngx_live_record_api_answer(api, o);
}


static ngx_int_t
ngx_live_record_remove_ask(ngx_live_record_remove_t *d)
{
    lr_buf_t  key;

    ngx_memzero(&key, sizeof(lr_buf_t));

    if (d->home == NULL
        || ngx_live_record_info_key(d->api, d->ids[d->next - 1], &key)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    ngx_live_record_request_free(d->request);

    d->request = ngx_live_record_index_request(d->home, (char *) key.data,
                                               ngx_live_record_remove_read,
                                               d);
    lr_buf_free(&key);

    if (d->request == NULL) {
        return NGX_DECLINED;
    }

    d->request->op = NGX_LIVE_RECORD_GET;

    ngx_live_record_request_start(d->request);

    return NGX_OK;
}


static void
ngx_live_record_remove_read(ngx_live_record_request_t *req)
{
    ngx_int_t                  rc;
    ngx_live_record_bucket_t  *b;
    ngx_live_record_remove_t  *d;

    d = req->data;

    lr_index_info_free(&d->info);

    rc = ngx_live_record_info_of(d->api, req, &d->info);

    if (rc == NGX_DECLINED) {
        ngx_live_record_remove_tell(d, "Specified RecordId does not exist.");
        ngx_live_record_remove_next(d);
        return;
    }

    if (rc == NGX_ERROR) {
        ngx_live_record_remove_fail(d, req->err);
        return;
    }

    if (!d->files) {
        ngx_live_record_remove_info(d);
        return;
    }

    b = ngx_live_record_index_bucket(d->info.endpoint, d->info.bucket);

    if (b == NULL) {
        ngx_live_record_remove_fail(d, "its bucket is not configured");
        return;
    }

    if (ngx_live_record_index_rekey(req, d->info.key) != NGX_OK) {
        ngx_live_record_remove_fail(d, "no memory");
        return;
    }

    req->bucket = b;
    req->first = LR_RANGE_FIRST;
    req->handler = ngx_live_record_remove_looked;

    ngx_live_record_request_start(req);
}


/* what has taken the place of the index is not removed */

static void
ngx_live_record_remove_looked(ngx_live_record_request_t *req)
{
    ngx_live_record_remove_t  *d;

    d = req->data;

    if (req->result == LR_RETRY_GONE
        || (req->result == LR_RETRY_OK
            && !lr_range_index_ours(req->answer.data, req->answer.len,
                                    d->info.id)))
    {
        ngx_live_record_remove_info(d);
        return;
    }

    if (req->result != LR_RETRY_OK) {
        ngx_live_record_remove_fail(d, req->err);
        return;
    }

    req->op = NGX_LIVE_RECORD_DELETE;
    req->handler = ngx_live_record_remove_file;

    ngx_live_record_request_start(req);
}


static void
ngx_live_record_remove_file(ngx_live_record_request_t *req)
{
    ngx_live_record_remove_t  *d;

    d = req->data;

    if (req->result != LR_RETRY_OK) {
        ngx_live_record_remove_fail(d, req->err);
        return;
    }

    ngx_live_record_remove_info(d);
}


/* what is known of it goes last, so that it can be tried again */

static void
ngx_live_record_remove_info(ngx_live_record_remove_t *d)
{
    lr_buf_t                    key;
    ngx_int_t                   rc;
    ngx_live_record_request_t  *req;

    req = d->request;

    ngx_memzero(&key, sizeof(lr_buf_t));

    rc = ngx_live_record_info_key(d->api, d->info.id, &key);

    if (rc == NGX_OK) {
        rc = ngx_live_record_index_rekey(req, (char *) key.data);
    }

    lr_buf_free(&key);

    if (rc != NGX_OK) {
        ngx_live_record_remove_fail(d, "no memory");
        return;
    }

    req->bucket = d->home;
    req->op = NGX_LIVE_RECORD_DELETE;
    req->handler = ngx_live_record_remove_done;

    ngx_live_record_request_start(req);
}


static void
ngx_live_record_remove_done(ngx_live_record_request_t *req)
{
    ngx_live_record_remove_t  *d;

    d = req->data;

    if (req->result != LR_RETRY_OK) {
        ngx_live_record_remove_fail(d, req->err);
        return;
    }

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                  "live record: removed index \"%s\" of \"%s/%s\"%s",
                  d->info.key, d->info.app, d->info.stream,
                  d->files ? "" : ", but not its object");

    ngx_live_record_remove_tell(d, "OK");
    ngx_live_record_remove_next(d);
}


static void
ngx_live_record_remove_tell(ngx_live_record_remove_t *d, const char *text)
{
    (void) json_array_append_new(d->list,
                                 json_pack("{s:s, s:s}", "RecordId",
                                           d->ids[d->next - 1],
                                           "Message", text));
}


static void
ngx_live_record_remove_fail(ngx_live_record_remove_t *d, const char *err)
{
    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "live record: index \"%s\" of \"%s/%s\" could not be "
                  "removed: %s", d->ids[d->next - 1], d->api->app,
                  d->api->stream, err);

    ngx_live_record_remove_tell(d, "The request processing has failed due to "
                                   "some unknown error.");
    ngx_live_record_remove_next(d);
}


static void
ngx_live_record_remove_cancel(ngx_live_record_api_t *api)
{
    ngx_live_record_remove_t  *d;

    d = api->data;
    api->cancel = NULL;

    ngx_live_record_request_free(d->request);
    lr_index_info_free(&d->info);
    json_decref(d->list);
}


/*
 * The info that a request has read.  NGX_DECLINED: there is none, or not of
 * this stream and domain; NGX_ERROR: it could not be read.
 */

static ngx_int_t
ngx_live_record_info_of(ngx_live_record_api_t *api,
    ngx_live_record_request_t *req, lr_index_info_t *info)
{
    if (req->result == LR_RETRY_GONE) {
        return NGX_DECLINED;
    }

    if (req->result != LR_RETRY_OK) {
        return NGX_ERROR;
    }

    switch (lr_index_info_read(info, req->answer.data, req->answer.len)) {

    case LR_OK:
        break;

    case LR_DECLINED:
        return NGX_DECLINED;

    default:
        return NGX_ERROR;
    }

    if (strcmp(info->app, api->app) != 0
        || strcmp(info->stream, api->stream) != 0
        || ngx_strcasecmp((u_char *) info->domain, (u_char *) api->domain)
           != 0)
    {
        lr_index_info_free(info);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_live_record_info_key(ngx_live_record_api_t *api, const char *id,
    lr_buf_t *key)
{
    if (lr_index_key(api->app, api->stream, id, key) != LR_OK) {
        lr_buf_free(key);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static json_t *
ngx_live_record_info_json(const lr_index_info_t *info)
{
    json_t  *o;

    o = ngx_live_record_index_json(info);

    (void) json_object_set_new(o, "Format", json_string("m3u8"));

    return o;
}


static void
ngx_live_record_info_failed(ngx_live_record_api_t *api,
    ngx_live_record_request_t *req)
{
    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "live record: indexes of \"%s/%s\" could not be read from "
                  "bucket \"%V\": %s", api->app, api->stream,
                  &req->bucket->name, req->err[0] ? req->err : "no memory");
}
