
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Actions about callbacks: where they go, and what has become of them.
 */


#include "lr_history.h"
#include "lr_time.h"
#include "ngx_live_record_api.h"
#include "ngx_live_record_thread.h"


/* a question to the history, which a thread answers */

typedef struct {
    ngx_queue_t             queue;
    ngx_live_record_api_t  *api;             /* NULL: the client has gone */
    lr_history_query_t      query;
    char                    domain[256];
    char                    app[LR_NAME_MAX + 1];
    char                    stream[LR_NAME_MAX + 1];
    char                    result[16];
    ngx_int_t               page;
    ngx_int_t               size;
    ngx_thread_task_t       task;

    int                     rc;              /* by the thread, as the rest */
    size_t                  total;
    json_t                 *list;
} ngx_live_record_notify_query_t;


static void ngx_live_record_notify_describe(ngx_live_record_api_t *api);
static ngx_live_record_notify_conf_t *ngx_live_record_notify_of(
    ngx_live_record_api_t *api);
static void ngx_live_record_notify_records(ngx_live_record_api_t *api);
static ngx_int_t ngx_live_record_notify_times(ngx_live_record_api_t *api,
    lr_history_query_t *query);
static ngx_int_t ngx_live_record_notify_filter(ngx_live_record_api_t *api,
    const char *name, char *buf, size_t size, const char **value);
static void ngx_live_record_notify_ask(void);
static void ngx_live_record_notify_query(void *data, ngx_log_t *log);
static void ngx_live_record_notify_queried(ngx_event_t *ev);
static json_t *ngx_live_record_notify_record(json_t *line);
static void ngx_live_record_notify_cancel(ngx_live_record_api_t *api);


/*
 * Threads are there for recordings: a history of days takes one for seconds,
 * so it is read for one call at a time.
 */

static ngx_live_record_notify_query_t  *ngx_live_record_notify_asking;
static ngx_queue_t                      ngx_live_record_notify_waiting;


const ngx_live_record_action_t  ngx_live_record_notify_actions[] = {
    { "DescribeLiveRecordNotifyConfig", ngx_live_record_notify_describe },
    { "DescribeLiveRecordNotifyRecords", ngx_live_record_notify_records },
    { NULL, NULL }
};


/* the key is not told: whoever knows it can make callbacks */

static void
ngx_live_record_notify_describe(ngx_live_record_api_t *api)
{
    ngx_live_record_notify_conf_t  *nc;

    if (ngx_live_record_api_domain(api) != NGX_OK) {
        return;
    }

    nc = ngx_live_record_notify_of(api);

    if (nc == NULL) {
        ngx_live_record_api_error(api, NGX_HTTP_NOT_FOUND,
                                  "InvalidConfig.NotFound",
                                  "Config does not exist.");
        return;
    }

    ngx_live_record_api_answer(api,
               json_pack("{s:{s:s, s:s, s:s, s:b, s:b, s:s}}",
                         "LiveRecordNotifyConfig",
                         "DomainName", api->domain,
                         "NotifyUrl", (char *) nc->url.data,
                         "OnDemandUrl", nc->on_demand.len
                                        ? (char *) nc->on_demand.data : "",
                         "NeedStatusNotify",
                         nc->want & LR_NOTIFY_STATUS ? 1 : 0,
                         "NotifyReqAuth", nc->key.len ? 1 : 0,
                         "NotifyAuthKey", ""));
}


/*
 * Of the domain, or else of servers that have none; names have no case.  It
 * may stand in a server that has no template itself.
 */

static ngx_live_record_notify_conf_t *
ngx_live_record_notify_of(ngx_live_record_api_t *api)
{
    ngx_uint_t                    i;
    ngx_live_record_srv_conf_t  **s;

    s = ngx_live_record_conf->servers.elts;

    for (i = 0; i < ngx_live_record_conf->servers.nelts; i++) {
        if (s[i]->notify && s[i]->domain.len
            && ngx_strcasecmp(s[i]->domain.data, (u_char *) api->domain) == 0)
        {
            return s[i]->notify;
        }
    }

    return ngx_live_record_find_notify(ngx_live_record_conf, "");
}


static void
ngx_live_record_notify_records(ngx_live_record_api_t *api)
{
    ngx_live_record_notify_query_t  *q;

    if (ngx_live_record_api_domain(api) != NGX_OK) {
        return;
    }

    q = ngx_calloc(sizeof(ngx_live_record_notify_query_t), ngx_cycle->log);
    if (q == NULL) {
        ngx_live_record_api_failed(api);
        return;
    }

    if (ngx_live_record_notify_times(api, &q->query) != NGX_OK
        || ngx_live_record_notify_filter(api, "DomainName", q->domain,
                                         sizeof(q->domain),
                                         &q->query.domain)
           != NGX_OK
        || ngx_live_record_notify_filter(api, "AppName", q->app,
                                         sizeof(q->app), &q->query.app)
           != NGX_OK
        || ngx_live_record_notify_filter(api, "StreamName", q->stream,
                                         sizeof(q->stream), &q->query.stream)
           != NGX_OK
        || ngx_live_record_notify_filter(api, "Status", q->result,
                                         sizeof(q->result), &q->query.result)
           != NGX_OK
        || ngx_live_record_api_page(api, "PageNumber", 1, 500, 20, &q->page,
                                    &q->size, NULL)
           != NGX_OK)
    {
        ngx_free(q);
        return;
    }

    if (q->query.result && ngx_strcmp(q->query.result, "success") != 0
        && ngx_strcmp(q->query.result, "failed") != 0)
    {
        ngx_free(q);
        ngx_live_record_api_invalid(api, "Status");
        return;
    }

    q->query.skip = (size_t) ((q->page - 1) * q->size);
    q->query.limit = (size_t) q->size;

    q->api = api;
    api->data = q;
    api->cancel = ngx_live_record_notify_cancel;

    if (ngx_live_record_notify_waiting.next == NULL) {
        ngx_queue_init(&ngx_live_record_notify_waiting);
    }

    ngx_queue_insert_tail(&ngx_live_record_notify_waiting, &q->queue);
    ngx_live_record_notify_ask();
}


/* what is older than the history is not there, and not an error */

static ngx_int_t
ngx_live_record_notify_times(ngx_live_record_api_t *api,
    lr_history_query_t *query)
{
    int64_t  now, first;

    if (ngx_live_record_api_time(api, "StartTime", &query->from) != NGX_OK
        || ngx_live_record_api_time(api, "EndTime", &query->to) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (query->to <= query->from) {
        ngx_live_record_api_error(api, NGX_HTTP_BAD_REQUEST,
                                  "InvalidEndTime.Mismatch",
                                  "Specified end time does not math the "
                                  "specified start time.");
        return NGX_ERROR;
    }

    now = ngx_live_record_now();
    first = now - LR_HISTORY_DAYS * (int64_t) 86400000;

    query->from = ngx_max(query->from, first);
    query->to = ngx_min(query->to, now);

    return NGX_OK;
}


/* a thread has to have its own, as the client may go */

static ngx_int_t
ngx_live_record_notify_filter(ngx_live_record_api_t *api, const char *name,
    char *buf, size_t size, const char **value)
{
    const char  *p;

    p = ngx_live_record_api_param(api, name);

    if (p == NULL) {
        *value = NULL;
        return NGX_OK;
    }

    if (ngx_strlen(p) >= size) {
        ngx_live_record_api_invalid(api, name);
        return NGX_ERROR;
    }

    ngx_cpystrn((u_char *) buf, (u_char *) p, size);
    *value = buf;

    return NGX_OK;
}


static void
ngx_live_record_notify_ask(void)
{
    ngx_queue_t                     *head;
    ngx_live_record_api_t           *api;
    ngx_live_record_notify_query_t  *q;

    while (ngx_live_record_notify_asking == NULL
           && !ngx_queue_empty(&ngx_live_record_notify_waiting))
    {
        head = ngx_queue_head(&ngx_live_record_notify_waiting);
        q = ngx_queue_data(head, ngx_live_record_notify_query_t, queue);

        ngx_queue_remove(head);

        if (ngx_live_record_thread_post(&q->task,
                                        ngx_live_record_notify_query,
                                        ngx_live_record_notify_queried, q)
            == NGX_OK)
        {
            ngx_live_record_notify_asking = q;
            return;
        }

        api = q->api;
        api->cancel = NULL;
        ngx_free(q);
        ngx_live_record_api_failed(api);
    }
}


static void
ngx_live_record_notify_query(void *data, ngx_log_t *log)
{
    ngx_live_record_notify_query_t *q = data;

    q->rc = LR_ERROR;
    q->list = json_array();

    if (q->list) {
        q->rc = lr_history_read((char *) ngx_live_record_conf->spool.data,
                                &q->query, q->list, &q->total);
    }
}


static void
ngx_live_record_notify_queried(ngx_event_t *ev)
{
    size_t                           i;
    json_t                          *list;
    ngx_live_record_api_t           *api;
    ngx_live_record_notify_query_t  *q;

    q = ev->data;
    api = q->api;

    ngx_live_record_notify_asking = NULL;

    if (api == NULL) {
        goto done;
    }

    api->cancel = NULL;

    if (q->rc != LR_OK) {
        ngx_live_record_api_failed(api);
        goto done;
    }

    list = json_array();

    for (i = 0; i < json_array_size(q->list); i++) {
        (void) json_array_append_new(list,
                     ngx_live_record_notify_record(json_array_get(q->list,
                                                                  i)));
    }

    ngx_live_record_api_answer(api,
               json_pack("{s:i, s:s, s:I, s:I, s:I, s:I, s:o}",
                         "Code", 0, "Msg", "ok",
                         "PageNum", (json_int_t) q->page,
                         "PageSize", (json_int_t) q->size,
                         "TotalNum", (json_int_t) q->total,
                         "TotalPage",
                         (json_int_t) ((q->total + (size_t) q->size - 1)
                                       / (size_t) q->size),
                         "CallbackList", list));

done:

    json_decref(q->list);
    ngx_free(q);

    ngx_live_record_notify_ask();
}


static json_t *
ngx_live_record_notify_record(json_t *line)
{
    char         time[LR_TIME_LEN + 1], status[16];
    json_t      *o;
    json_int_t   code;
    ngx_uint_t   i;
    const char  *id;

    static const char *const  names[][2] = {
        { "DomainName", "domain" },
        { "AppName", "app" },
        { "StreamName", "stream" },
        { "NotifyType", "type" },
        { "NotifyUrl", "url" },
        { "NotifyContent", "content" },
        { "NotifyResult", "result" },
        { "Description", "why" }
    };

    code = json_integer_value(json_object_get(line, "status"));
    id = json_string_value(json_object_get(line, "id"));

    lr_time_format(time, json_integer_value(json_object_get(line, "time")));
    (void) snprintf(status, sizeof(status), "%d", (int) code);

    o = json_pack("{s:s, s:o, s:s, s:s}", "NotifyTime", time,
                  "NotifyHeader",
                  json_sprintf("X-Live-Record-Id: %s", id ? id : ""),
                  "NotifyResponse", code ? status : "",
                  "StorageType", "oss");

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void) json_object_set(o, names[i][0],
                               json_object_get(line, names[i][1]));
    }

    return o;
}


static void
ngx_live_record_notify_cancel(ngx_live_record_api_t *api)
{
    ngx_live_record_notify_query_t  *q;

    q = api->data;
    q->api = NULL;

    /* a thread tells when it has finished */

    if (q != ngx_live_record_notify_asking) {
        ngx_queue_remove(&q->queue);
        ngx_free(q);
    }
}
