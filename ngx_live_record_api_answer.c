
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Answers of the API: JSON or XML, with the RequestId, once.
 */


#include "lr_rpc_xml.h"
#include "lr_url.h"
#include "ngx_live_record_api.h"


/* 588.849 shall not be 588.84900000000005 */
#define NGX_LIVE_RECORD_API_DIGITS  15


static void ngx_live_record_api_send(ngx_live_record_api_t *api,
    ngx_uint_t status, const char *root, json_t *o);
static void ngx_live_record_api_finish(ngx_event_t *ev);
static ngx_int_t ngx_live_record_api_text(ngx_live_record_api_t *api,
    const char *root, json_t *o);
static ngx_int_t ngx_live_record_api_out(ngx_live_record_api_t *api);


void
ngx_live_record_api_answer(ngx_live_record_api_t *api, json_t *o)
{
    json_t  *whole;
    u_char  *root;

    whole = json_pack("{s:s}", "RequestId", api->id);

    root = ngx_pnalloc(api->request->pool,
                       ngx_strlen(api->name) + sizeof("Response"));

    if (o == NULL || whole == NULL || root == NULL
        || json_object_update(whole, o) != 0)
    {
        json_decref(whole);
        json_decref(o);
        ngx_live_record_api_failed(api);
        return;
    }

    json_decref(o);

    ngx_sprintf(root, "%sResponse%Z", api->name);

    ngx_live_record_api_send(api, NGX_HTTP_OK, (char *) root, whole);
}


void
ngx_live_record_api_error(ngx_live_record_api_t *api, ngx_uint_t status,
    const char *code, const char *fmt, ...)
{
    json_t     *o, *text;
    va_list     args;
    ngx_str_t   host;

    host = api->request->headers_in.server;

    /* nginx takes any bytes, JSON and XML do not */

    if (host.len == 0 || lr_url_utf8((char *) host.data, host.len) != LR_OK) {
        ngx_str_set(&host, "");
    }

    va_start(args, fmt);
    text = json_vsprintf(fmt, args);
    va_end(args);

    o = json_pack("{s:s, s:s%, s:s, s:o}", "RequestId", api->id,
                  "HostId", (char *) host.data, host.len,
                  "Code", code, "Message", text);

    ngx_log_error(NGX_LOG_INFO, api->request->connection->log, 0,
                  "live record: API: %s is refused: %s",
                  api->name ? api->name : "a call", code);

    ngx_live_record_api_send(api, status, "Error", o);
}


void
ngx_live_record_api_failed(ngx_live_record_api_t *api)
{
    ngx_live_record_api_error(api, NGX_HTTP_INTERNAL_SERVER_ERROR,
                              "InternalError",
                              "The request processing has failed due to "
                              "some unknown error.");
}


/*
 * What is sent may be the end of the request, with all its memory.  So it
 * is sent from the event loop: who answers may look at the call after that.
 */

static void
ngx_live_record_api_send(ngx_live_record_api_t *api, ngx_uint_t status,
    const char *root, json_t *o)
{
    ngx_event_t  *ev;

    if (api->answered) {
        json_decref(o);
        ngx_log_error(NGX_LOG_ALERT, api->request->connection->log, 0,
                      "live record: API: %s answers twice",
                      api->name ? api->name : "a call");
        return;
    }

    api->answered = 1;
    api->status = status;

    if (api->timer.timer_set) {
        ngx_del_timer(&api->timer);
    }

    if (o == NULL || ngx_live_record_api_text(api, root, o) != NGX_OK) {
        api->text.len = 0;
    }

    json_decref(o);

    ev = &api->event;
    ev->data = api;
    ev->handler = ngx_live_record_api_finish;
    ev->log = api->request->connection->log;

    ngx_post_event(ev, &ngx_posted_events);
}


static void
ngx_live_record_api_finish(ngx_event_t *ev)
{
    ngx_int_t               rc;
    ngx_connection_t       *c;
    ngx_http_request_t     *r;
    ngx_live_record_api_t  *api;

    api = ev->data;
    r = api->request;
    c = r->connection;

    rc = api->text.len ? ngx_live_record_api_out(api)
                       : NGX_HTTP_INTERNAL_SERVER_ERROR;

    ngx_http_finalize_request(r, rc);

    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_live_record_api_text(ngx_live_record_api_t *api, const char *root,
    json_t *o)
{
    size_t     flags, n;
    lr_buf_t   b;
    ngx_int_t  rc;

    ngx_memzero(&b, sizeof(lr_buf_t));

    rc = NGX_ERROR;
    flags = JSON_COMPACT|JSON_REAL_PRECISION(NGX_LIVE_RECORD_API_DIGITS);

    if (api->xml) {
        (void) lr_rpc_xml(&b, root, o);

    } else {
        n = json_dumpb(o, NULL, 0, flags);

        if (n != 0 && lr_buf_reserve(&b, n) == LR_OK) {
            b.len = json_dumpb(o, (char *) b.data, n, flags);
        }
    }

    api->text.data = ngx_pnalloc(api->request->pool, b.len + 1);

    if (!b.failed && api->text.data != NULL) {
        ngx_memcpy(api->text.data, b.data, b.len);
        api->text.len = b.len;
        rc = NGX_OK;
    }

    lr_buf_free(&b);

    return rc;
}


static ngx_int_t
ngx_live_record_api_out(ngx_live_record_api_t *api)
{
    ngx_buf_t           *b;
    ngx_int_t            rc;
    ngx_chain_t          out;
    ngx_http_request_t  *r;

    r = api->request;

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->pos = api->text.data;
    b->last = api->text.data + api->text.len;
    b->memory = 1;
    b->last_buf = r == r->main;
    b->last_in_chain = 1;

    ngx_str_set(&r->headers_out.content_type,
                "application/json;charset=utf-8");

    if (api->xml) {
        ngx_str_set(&r->headers_out.content_type, "text/xml;charset=utf-8");
    }

    r->headers_out.status = api->status;
    r->headers_out.content_length_n = (off_t) api->text.len;
    r->headers_out.content_type_len = r->headers_out.content_type.len;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}
