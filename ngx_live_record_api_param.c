
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What actions ask of a call's parameters, with the errors that the API
 * has for them.
 */


#include "lr_time.h"
#include "ngx_live_record_api.h"


/* "Invalid", a parameter's name and ".Malformed" */
#define NGX_LIVE_RECORD_API_CODE   64

#define NGX_LIVE_RECORD_API_PAGES  100000


static const char *ngx_live_record_api_stream_name(
    ngx_live_record_api_t *api, const char *name);
static ngx_live_record_template_t *ngx_live_record_api_search(
    ngx_live_record_api_t *api, ngx_uint_t any);


const char *
ngx_live_record_api_param(ngx_live_record_api_t *api, const char *name)
{
    return lr_rpc_get(&api->params, name);
}


const char *
ngx_live_record_api_needs(ngx_live_record_api_t *api, const char *name)
{
    u_char       code[NGX_LIVE_RECORD_API_CODE];
    const char  *value;

    value = lr_rpc_get(&api->params, name);

    if (value == NULL) {
        ngx_snprintf(code, sizeof(code), "Missing%s%Z", name);
        ngx_live_record_api_error(api, NGX_HTTP_BAD_REQUEST, (char *) code,
                                  "%s is mandatory for this action.", name);
    }

    return value;
}


void
ngx_live_record_api_invalid(ngx_live_record_api_t *api, const char *name)
{
    u_char  code[NGX_LIVE_RECORD_API_CODE];

    ngx_snprintf(code, sizeof(code), "Invalid%s.Malformed%Z", name);
    ngx_live_record_api_error(api, NGX_HTTP_BAD_REQUEST, (char *) code,
                              "Specified parameter %s is not valid.", name);
}


ngx_int_t
ngx_live_record_api_domain(ngx_live_record_api_t *api)
{
    ngx_uint_t                    i;
    ngx_live_record_srv_conf_t  **s;

    api->domain = ngx_live_record_api_needs(api, "DomainName");

    if (api->domain == NULL) {
        return NGX_ERROR;
    }

    if (ngx_live_record_conf) {
        s = ngx_live_record_conf->servers.elts;

        for (i = 0; i < ngx_live_record_conf->servers.nelts; i++) {
            if (ngx_live_record_serves(s[i], api->domain)) {
                return NGX_OK;
            }
        }
    }

    ngx_live_record_api_error(api, NGX_HTTP_NOT_FOUND,
                              "InvalidDomain.NotFound",
                              "The domain provided does not exist in our "
                              "records.");
    return NGX_ERROR;
}


ngx_int_t
ngx_live_record_api_names(ngx_live_record_api_t *api)
{
    if (ngx_live_record_api_domain(api) != NGX_OK) {
        return NGX_ERROR;
    }

    api->app = ngx_live_record_api_stream_name(api, "AppName");

    if (api->app == NULL) {
        return NGX_ERROR;
    }

    api->stream = ngx_live_record_api_stream_name(api, "StreamName");

    return api->stream ? NGX_OK : NGX_ERROR;
}


static const char *
ngx_live_record_api_stream_name(ngx_live_record_api_t *api, const char *name)
{
    const char  *value;

    value = ngx_live_record_api_needs(api, name);

    if (value && !lr_name_valid(value, ngx_strlen(value))) {
        ngx_live_record_api_invalid(api, name);
        return NULL;
    }

    return value;
}


ngx_int_t
ngx_live_record_api_number(ngx_live_record_api_t *api, const char *name,
    ngx_int_t min, ngx_int_t max, ngx_int_t def, ngx_int_t *value)
{
    const char  *text;

    text = ngx_live_record_api_param(api, name);

    if (text == NULL) {
        *value = def;
        return NGX_OK;
    }

    *value = ngx_atoi((u_char *) text, ngx_strlen(text));

    if (*value == NGX_ERROR || *value < min || *value > max) {
        ngx_live_record_api_invalid(api, name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_live_record_api_time(ngx_live_record_api_t *api, const char *name,
    int64_t *ms)
{
    u_char       code[NGX_LIVE_RECORD_API_CODE];
    const char  *text;

    text = ngx_live_record_api_needs(api, name);

    if (text == NULL) {
        return NGX_ERROR;
    }

    /* ids and the names of manifests hold the seconds in 32 bits */

    if (lr_time_parse(ms, text, ngx_strlen(text)) != LR_OK
        || *ms < 0 || *ms / 1000 > UINT32_MAX)
    {
        ngx_snprintf(code, sizeof(code), "Invalid%s.Malformed%Z", name);
        ngx_live_record_api_error(api, NGX_HTTP_BAD_REQUEST, (char *) code,
                                  "Specified %s is malformed.", name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_live_record_api_page(ngx_live_record_api_t *api, const char *name,
    ngx_int_t min, ngx_int_t max, ngx_int_t def, ngx_int_t *page,
    ngx_int_t *size, const char **order)
{
    if (ngx_live_record_api_number(api, name, 1,
                                   NGX_LIVE_RECORD_API_PAGES, 1, page)
        != NGX_OK
        || ngx_live_record_api_number(api, "PageSize", min, max, def, size)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (order == NULL) {
        return NGX_OK;
    }

    *order = ngx_live_record_api_param(api, "Order");

    if (*order == NULL) {
        *order = "asc";
    }

    if (ngx_strcmp(*order, "asc") != 0 && ngx_strcmp(*order, "desc") != 0) {
        ngx_live_record_api_invalid(api, "Order");
        return NGX_ERROR;
    }

    return NGX_OK;
}


const char *
ngx_live_record_api_bucket(ngx_live_record_bucket_t *b)
{
    return (char *) (b->type == NGX_LIVE_RECORD_DIR ? b->name.data
                                                    : b->bucket.data);
}


void
ngx_live_record_api_endpoint(ngx_live_record_bucket_t *b,
    ngx_str_t *endpoint)
{
    if (b->type == NGX_LIVE_RECORD_DIR) {
        ngx_str_set(endpoint, "localhost");
        return;
    }

    /* both are parts of the setting's text */

    endpoint->data = (u_char *) b->ep.host.data;
    endpoint->len = b->ep.host.len;

    if (b->ep.port.len) {
        endpoint->len = (size_t) (b->ep.port.data + b->ep.port.len
                                  - b->ep.host.data);
    }
}


/* of servers that have the domain first, then of those that have none */

ngx_live_record_template_t *
ngx_live_record_api_template(ngx_live_record_api_t *api)
{
    ngx_live_record_template_t  *t;

    t = ngx_live_record_api_search(api, 0);

    return t ? t : ngx_live_record_api_search(api, 1);
}


static ngx_live_record_template_t *
ngx_live_record_api_search(ngx_live_record_api_t *api, ngx_uint_t any)
{
    ngx_str_t                     app, stream;
    ngx_uint_t                    i;
    ngx_live_record_template_t   *t;
    ngx_live_record_srv_conf_t  **s;

    app.data = (u_char *) api->app;
    app.len = ngx_strlen(api->app);
    stream.data = (u_char *) api->stream;
    stream.len = ngx_strlen(api->stream);

    s = ngx_live_record_conf->servers.elts;

    for (i = 0; i < ngx_live_record_conf->servers.nelts; i++) {

        if ((s[i]->domain.len == 0) != any
            || !ngx_live_record_serves(s[i], api->domain))
        {
            continue;
        }

        t = ngx_live_record_find_template(s[i], &app, &stream);
        if (t) {
            return t;
        }
    }

    return NULL;
}
