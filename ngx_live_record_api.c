
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The front of the control API: from a request to the action that it asks
 * for.
 */


#include "lr_acs3.h"
#include "ngx_live_record_api.h"


static void ngx_live_record_api_id(char *id);
static void ngx_live_record_api_body(ngx_http_request_t *r);
static ngx_int_t ngx_live_record_api_read(ngx_live_record_api_t *api);
static ngx_int_t ngx_live_record_api_form(ngx_live_record_api_t *api,
    lr_str_t *form);
static ngx_int_t ngx_live_record_api_is_form(ngx_http_request_t *r);
static void ngx_live_record_api_too_large(ngx_live_record_api_t *api);
static void ngx_live_record_api_hold(ngx_live_record_api_t *api);
static void ngx_live_record_api_late(ngx_event_t *ev);
static void ngx_live_record_api_cleanup(void *data);


static const ngx_live_record_action_t  *ngx_live_record_api_actions[] = {
    ngx_live_record_config_actions,
    ngx_live_record_index_actions,
    ngx_live_record_index_info_actions,
    ngx_live_record_command_actions,
    ngx_live_record_notify_actions,
    NULL
};


ngx_int_t
ngx_live_record_api_handler(ngx_http_request_t *r)
{
    ngx_int_t               rc;
    ngx_http_cleanup_t     *cln;
    ngx_live_record_api_t  *api;

    cln = ngx_http_cleanup_add(r, sizeof(ngx_live_record_api_t));
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    api = cln->data;
    ngx_memzero(api, sizeof(ngx_live_record_api_t));

    api->request = r;
    ngx_live_record_api_id(api->id);
    cln->handler = ngx_live_record_api_cleanup;

    ngx_http_set_ctx(r, api, ngx_live_record_http_module);

    /* an answer may come later: nothing may begin the request again */

    r->write_event_handler = ngx_http_request_empty_handler;

    if (r->headers_in.content_length_n > NGX_LIVE_RECORD_API_BODY) {

        rc = ngx_http_discard_request_body(r);
        if (rc != NGX_OK) {
            return rc;
        }

        r->main->count++;
        ngx_live_record_api_too_large(api);

        return NGX_DONE;
    }

    /* what is sent is small: it is never written to a file */

    r->request_body_in_single_buf = 1;
    r->request_body_in_file_only = 0;

    rc = ngx_http_read_client_request_body(r, ngx_live_record_api_body);

    return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}


/* a random UUID, RFC 9562, as the cloud writes them */

static void
ngx_live_record_api_id(char *id)
{
    u_char      b[16], *p;
    uint32_t    v;
    ngx_uint_t  i;

    for (i = 0; i < sizeof(b); i += 2) {
        v = (uint32_t) ngx_random() >> 8;
        b[i] = (u_char) v;
        b[i + 1] = (u_char) (v >> 8);
    }

    b[6] = (b[6] & 0x0f) | 0x40;
    b[8] = (b[8] & 0x3f) | 0x80;

    p = (u_char *) id;

    for (i = 0; i < sizeof(b); i++) {
        p = ngx_sprintf(p, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02Xi"
                                                                  : "%02Xi",
                        (ngx_int_t) b[i]);
    }

    *p = '\0';
}


static void
ngx_live_record_api_body(ngx_http_request_t *r)
{
    ngx_live_record_api_t       *api;
    ngx_live_record_loc_conf_t  *llcf;

    api = ngx_http_get_module_ctx(r, ngx_live_record_http_module);

    /* tells when the client goes */

    r->read_event_handler = ngx_http_test_reading;

    if (ngx_live_record_api_read(api) != NGX_OK) {
        return;
    }

    llcf = ngx_http_get_module_loc_conf(r, ngx_live_record_http_module);

    if (llcf->keys) {

        switch (ngx_live_record_keys_look(llcf->keys, api)) {

        case NGX_OK:
            break;

        case NGX_AGAIN:
            return;

        default:
            ngx_live_record_api_failed(api);
            return;
        }
    }

    ngx_live_record_api_continue(api);
}


/* the parameters; NGX_ERROR after an answer */

static ngx_int_t
ngx_live_record_api_read(ngx_live_record_api_t *api)
{
    char                 err[LR_RPC_ERR_LEN];
    lr_str_t             query, form;
    const char          *format;
    ngx_http_request_t  *r;

    r = api->request;

    api->acs3 = r->headers_in.authorization
                && lr_acs3_is((char *) r->headers_in.authorization->value.data,
                              r->headers_in.authorization->value.len);

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_POST))) {
        ngx_live_record_api_error(api, NGX_HTTP_NOT_ALLOWED,
                                  "UnsupportedHTTPMethod",
                                  "This http method is not supported.");
        return NGX_ERROR;
    }

    query.data = (char *) r->args.data;
    query.len = r->args.len;

    if (ngx_live_record_api_form(api, &form) != NGX_OK) {
        return NGX_ERROR;
    }

    switch (lr_rpc_parse(&api->params, &query, &form, err)) {

    case LR_OK:
        break;

    case LR_DECLINED:
        ngx_live_record_api_error(api, NGX_HTTP_BAD_REQUEST,
                                  "InvalidParameter", "The request is not "
                                  "well formed: %s.", err);
        return NGX_ERROR;

    default:
        ngx_live_record_api_failed(api);
        return NGX_ERROR;
    }

    format = ngx_live_record_api_param(api, "Format");

    if (format == NULL) {
        api->xml = !api->acs3;

    } else if (ngx_strcasecmp((u_char *) format, (u_char *) "xml") == 0) {
        api->xml = 1;

    } else if (ngx_strcasecmp((u_char *) format, (u_char *) "json") != 0) {
        ngx_live_record_api_error(api, NGX_HTTP_BAD_REQUEST,
                                  "InvalidParameter.Format",
                                  "Specified parameter Format is not "
                                  "valid.");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* what the body says; it is in memory, or is too long */

static ngx_int_t
ngx_live_record_api_form(ngx_live_record_api_t *api, lr_str_t *form)
{
    off_t                size;
    u_char              *p;
    ngx_chain_t         *cl;
    ngx_http_request_t  *r;

    r = api->request;

    form->data = NULL;
    form->len = 0;

    if (r->request_body == NULL || r->request_body->bufs == NULL) {
        return NGX_OK;
    }

    size = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        size += ngx_buf_size(cl->buf);

        if (cl->buf->in_file || size > NGX_LIVE_RECORD_API_BODY) {
            ngx_live_record_api_too_large(api);
            return NGX_ERROR;
        }
    }

    if (size == 0) {
        return NGX_OK;
    }

    if (!ngx_live_record_api_is_form(r)) {
        ngx_live_record_api_error(api, NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                  "UnsupportedMediaType", "A body has to be "
                                  "application/x-www-form-urlencoded.");
        return NGX_ERROR;
    }

    p = ngx_pnalloc(r->pool, (size_t) size);
    if (p == NULL) {
        ngx_live_record_api_failed(api);
        return NGX_ERROR;
    }

    api->body.data = p;
    api->body.len = (size_t) size;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        p = ngx_cpymem(p, cl->buf->pos, cl->buf->last - cl->buf->pos);
    }

    form->data = (char *) api->body.data;
    form->len = api->body.len;

    return NGX_OK;
}


static ngx_int_t
ngx_live_record_api_is_form(ngx_http_request_t *r)
{
    ngx_str_t  *type;

    static ngx_str_t  form = ngx_string("application/x-www-form-urlencoded");

    if (r->headers_in.content_type == NULL) {
        return 0;
    }

    type = &r->headers_in.content_type->value;

    return type->len >= form.len
           && ngx_strncasecmp(type->data, form.data, form.len) == 0
           && (type->len == form.len || type->data[form.len] == ';'
               || type->data[form.len] == ' ');
}


static void
ngx_live_record_api_too_large(ngx_live_record_api_t *api)
{
    ngx_live_record_api_error(api, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                              "RequestTooLarge", "The body is larger than "
                              "%d bytes.", NGX_LIVE_RECORD_API_BODY);
}


void
ngx_live_record_api_continue(ngx_live_record_api_t *api)
{
    ngx_uint_t                       i;
    const char                      *action;
    const lr_keys_t                 *keys;
    ngx_live_record_loc_conf_t      *llcf;
    const ngx_live_record_action_t  *a;

    static const lr_keys_t  none;

    llcf = ngx_http_get_module_loc_conf(api->request,
                                        ngx_live_record_http_module);

    keys = llcf->keys ? ngx_live_record_keys_get(llcf->keys) : &none;

    if (ngx_live_record_api_auth(api, keys, &action) != NGX_OK) {
        return;
    }

    for (i = 0; ngx_live_record_api_actions[i]; i++) {

        for (a = ngx_live_record_api_actions[i]; a->name; a++) {

            if (ngx_strcmp(a->name, action) == 0) {
                api->name = a->name;
                ngx_live_record_api_hold(api);
                a->handler(api);
                return;
            }
        }
    }

    ngx_live_record_api_error(api, NGX_HTTP_NOT_FOUND,
                              "InvalidAction.NotFound",
                              "Specified api is not found, please check your "
                              "url and method");
}


/*
 * A worker that exits has to see that there is something to be waited for,
 * and what a bucket is asked for may take as long as it is away.
 */

static void
ngx_live_record_api_hold(ngx_live_record_api_t *api)
{
    ngx_event_t  *ev;

    ev = &api->timer;

    ev->handler = ngx_live_record_api_late;
    ev->data = api;
    ev->log = ngx_cycle->log;

    ngx_add_timer(ev, NGX_LIVE_RECORD_API_TIMEOUT);
}


static void
ngx_live_record_api_late(ngx_event_t *ev)
{
    ngx_live_record_api_t  *api;

    api = ev->data;

    if (api->cancel == NULL) {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, api->request->connection->log, 0,
                  "live record: API: %s takes too long and is given up",
                  api->name);

    api->cancel(api);
    api->cancel = NULL;

    ngx_live_record_api_failed(api);
}


/* the request ends: answered, or as the client has gone */

static void
ngx_live_record_api_cleanup(void *data)
{
    ngx_live_record_api_t *api = data;

    if (api->waiting) {
        ngx_queue_remove(&api->queue);
    }

    if (api->event.posted) {
        ngx_delete_posted_event(&api->event);
    }

    if (api->timer.timer_set) {
        ngx_del_timer(&api->timer);
    }

    if (!api->answered && api->cancel) {
        api->cancel(api);
    }

    lr_rpc_free(&api->params);
}
