
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Actions about configurations: templates can be looked at; what changes
 * them is nginx.conf, and the refusals say where.
 */


#include "lr_time.h"
#include "ngx_live_record_api.h"


static void ngx_live_record_api_describe(ngx_live_record_api_t *api);
static ngx_int_t ngx_live_record_api_select(ngx_live_record_api_t *api,
    ngx_array_t *found);
static ngx_uint_t ngx_live_record_api_selected(ngx_live_record_api_t *api,
    const char *name, ngx_str_t *value);
static ngx_uint_t ngx_live_record_api_hidden(ngx_live_record_srv_conf_t *lscf,
    ngx_live_record_template_t *t);
static json_t *ngx_live_record_api_record(ngx_live_record_api_t *api,
    ngx_live_record_template_t *t);
static json_t *ngx_live_record_api_formats(lr_settings_t *st);
static void ngx_live_record_api_templates_only(ngx_live_record_api_t *api);
static void ngx_live_record_api_notify_only(ngx_live_record_api_t *api);


const ngx_live_record_action_t  ngx_live_record_config_actions[] = {
    { "DescribeLiveRecordConfig", ngx_live_record_api_describe },
    { "AddLiveAppRecordConfig", ngx_live_record_api_templates_only },
    { "UpdateLiveAppRecordConfig", ngx_live_record_api_templates_only },
    { "DeleteLiveAppRecordConfig", ngx_live_record_api_templates_only },
    { "AddLiveRecordNotifyConfig", ngx_live_record_api_notify_only },
    { "UpdateLiveRecordNotifyConfig", ngx_live_record_api_notify_only },
    { "DeleteLiveRecordNotifyConfig", ngx_live_record_api_notify_only },
    { NULL, NULL }
};


static void
ngx_live_record_api_describe(ngx_live_record_api_t *api)
{
    json_t                       *o, *list;
    ngx_int_t                     i, k, n, page, size;
    const char                   *order;
    ngx_array_t                   found;
    ngx_live_record_template_t  **t;

    if (ngx_live_record_api_domain(api) != NGX_OK
        || ngx_live_record_api_page(api, "PageNum", 5, 30, 10, &page, &size,
                                    &order)
           != NGX_OK)
    {
        return;
    }

    if (ngx_live_record_api_select(api, &found) != NGX_OK) {
        ngx_live_record_api_failed(api);
        return;
    }

    t = found.elts;
    n = (ngx_int_t) found.nelts;

    list = json_array();

    for (i = (page - 1) * size; i < n && i < page * size; i++) {
        k = order[0] == 'd' ? n - 1 - i : i;
        (void) json_array_append_new(list,
                                     ngx_live_record_api_record(api, t[k]));
    }

    o = json_pack("{s:I, s:I, s:I, s:I, s:s, s:{s:o}}",
                  "PageNum", (json_int_t) page,
                  "PageSize", (json_int_t) size,
                  "TotalNum", (json_int_t) n,
                  "TotalPage", (json_int_t) ((n + size - 1) / size),
                  "Order", order,
                  "LiveAppRecordList", "LiveAppRecord", list);

    ngx_live_record_api_answer(api, o);
}


/* the templates that are asked for, in the order of nginx.conf */

static ngx_int_t
ngx_live_record_api_select(ngx_live_record_api_t *api, ngx_array_t *found)
{
    ngx_uint_t                    i, k;
    ngx_live_record_template_t  **t, **one;
    ngx_live_record_srv_conf_t  **s;

    if (ngx_array_init(found, api->request->pool, 8,
                       sizeof(ngx_live_record_template_t *))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    s = ngx_live_record_conf->servers.elts;

    for (i = 0; i < ngx_live_record_conf->servers.nelts; i++) {

        if (!ngx_live_record_serves(s[i], api->domain)) {
            continue;
        }

        t = s[i]->templates->elts;

        for (k = 0; k < s[i]->templates->nelts; k++) {

            if (!ngx_live_record_api_selected(api, "AppName", &t[k]->app)
                || !ngx_live_record_api_selected(api, "StreamName",
                                                 &t[k]->stream)
                || ngx_live_record_api_hidden(s[i], t[k]))
            {
                continue;
            }

            one = ngx_array_push(found);
            if (one == NULL) {
                return NGX_ERROR;
            }

            *one = t[k];
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_live_record_api_selected(ngx_live_record_api_t *api, const char *name,
    ngx_str_t *value)
{
    const char  *want;

    want = ngx_live_record_api_param(api, name);

    if (want == NULL) {
        return 1;
    }

    if (value->len == 0) {
        return ngx_strcmp(want, "*") == 0;
    }

    return ngx_strlen(want) == value->len
           && ngx_memcmp(want, value->data, value->len) == 0;
}


/* whether another one is always taken instead, from the application */

static ngx_uint_t
ngx_live_record_api_hidden(ngx_live_record_srv_conf_t *lscf,
    ngx_live_record_template_t *t)
{
    ngx_uint_t                    i;
    ngx_live_record_template_t  **other;

    if (t->application) {
        return 0;
    }

    other = lscf->templates->elts;

    for (i = 0; i < lscf->templates->nelts; i++) {
        if (other[i]->application
            && other[i]->app.len == t->app.len
            && other[i]->stream.len == t->stream.len
            && ngx_strncmp(other[i]->app.data, t->app.data, t->app.len) == 0
            && ngx_strncmp(other[i]->stream.data, t->stream.data,
                           t->stream.len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* names of members as they are in the cloud's answers, with "OnDemond" */

static json_t *
ngx_live_record_api_record(ngx_live_record_api_t *api,
    ngx_live_record_template_t *t)
{
    char                       created[LR_TIME_LEN + 1];
    ngx_str_t                  endpoint;
    ngx_live_record_bucket_t  *b;

    b = ngx_live_record_find_bucket(ngx_live_record_conf,
                                    t->settings.bucket);
    if (b == NULL) {
        return NULL;
    }

    ngx_live_record_api_endpoint(b, &endpoint);
    lr_time_format(created, (int64_t) t->created * 1000);

    return json_pack("{s:s, s:s%, s:s%, s:s, s:s%, s:s, s:i, s:I, s:{s:o}, "
                     "s:{s:[]}, s:{s:[]}}",
                     "DomainName", api->domain,
                     "AppName", t->app.len ? (char *) t->app.data : "*",
                     t->app.len ? t->app.len : 1,
                     "StreamName", t->stream.len ? (char *) t->stream.data
                                                 : "*",
                     t->stream.len ? t->stream.len : 1,
                     "OssBucket", ngx_live_record_api_bucket(b),
                     "OssEndpoint", endpoint.data, endpoint.len,
                     "CreateTime", created,
                     "OnDemond", 0,
                     "DelayTime", (json_int_t) t->settings.grace / 1000,
                     "RecordFormatList", "RecordFormat",
                     ngx_live_record_api_formats(&t->settings),
                     "TranscodeRecordFormatList", "RecordFormat",
                     "TranscodeTemplates", "Templates");
}


static json_t *
ngx_live_record_api_formats(lr_settings_t *st)
{
    json_t      *list, *o;
    ngx_uint_t   i;

    static const struct {
        unsigned     format;
        const char  *name;
    } f[] = {
        { LR_FORMAT_M3U8, "m3u8" },
        { LR_FORMAT_MP4, "mp4" },
        { LR_FORMAT_FLV, "flv" }
    };

    list = json_array();

    for (i = 0; i < sizeof(f) / sizeof(f[0]); i++) {

        if (!(st->formats & f[i].format)) {
            continue;
        }

        o = json_pack("{s:s, s:I, s:s}", "Format", f[i].name,
                      "CycleDuration", (json_int_t) st->cycle / 1000,
                      "OssObjectPrefix", st->path);

        if (f[i].format == LR_FORMAT_M3U8) {
            (void) json_object_set_new(o, "SliceDuration",
                               json_integer((json_int_t) st->fragment / 1000));
            (void) json_object_set_new(o, "SliceOssObjectPrefix",
                                       json_string(st->fragment_path));
        }

        (void) json_array_append_new(list, o);
    }

    return list;
}


static void
ngx_live_record_api_templates_only(ngx_live_record_api_t *api)
{
    ngx_live_record_api_error(api, NGX_HTTP_FORBIDDEN, "IllegalOperation",
                              "Templates are set in nginx.conf: use the "
                              "directive \"live_record\" in \"server\" or "
                              "\"application\" of \"rtmp\", and reload "
                              "nginx.");
}


static void
ngx_live_record_api_notify_only(ngx_live_record_api_t *api)
{
    ngx_live_record_api_error(api, NGX_HTTP_FORBIDDEN, "IllegalOperation",
                              "Callbacks are set in nginx.conf: use the "
                              "directive \"live_record_notify\" in "
                              "\"server\" of \"rtmp\", and reload nginx.");
}
