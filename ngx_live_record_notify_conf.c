
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The directive "live_record_notify".
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_rtmp.h>
#include <curl/curl.h>

#include "ngx_live_record_block.h"


#define NGX_LIVE_RECORD_NOTIFY_URL    1024
#define NGX_LIVE_RECORD_NOTIFY_RETRY  86400
#define NGX_LIVE_RECORD_NOTIFY_MAX    (7 * 86400)


static char *ngx_live_record_notify_param(ngx_conf_t *cf,
    ngx_live_record_notify_conf_t *nc, ngx_str_t *value);
static ngx_int_t ngx_live_record_notify_flag(ngx_str_t *value, size_t len,
    ngx_uint_t *set, ngx_uint_t flag);
static char *ngx_live_record_notify_url(ngx_conf_t *cf,
    ngx_live_record_notify_conf_t *nc, ngx_str_t *url, const char *what);
static ngx_int_t ngx_live_record_notify_key(ngx_str_t *key);


char *
ngx_live_record_notify(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_live_record_srv_conf_t *lscf = conf;

    ngx_str_t                      *value;
    ngx_uint_t                      i;
    ngx_live_record_notify_conf_t  *nc;

    if (lscf->notify) {
        return "is duplicate";
    }

    nc = ngx_pcalloc(cf->pool, sizeof(ngx_live_record_notify_conf_t));
    if (nc == NULL) {
        return NGX_CONF_ERROR;
    }

    nc->want = LR_NOTIFY_FILES;
    nc->retry = NGX_LIVE_RECORD_NOTIFY_RETRY;

    value = cf->args->elts;
    nc->url = value[1];

    if (ngx_live_record_notify_url(cf, nc, &nc->url, "URL") != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {
        if (ngx_live_record_once(cf, i) != NGX_CONF_OK
            || ngx_live_record_notify_param(cf, nc, &value[i])
               != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    lscf->notify = nc;

    return NGX_CONF_OK;
}


static char *
ngx_live_record_notify_param(ngx_conf_t *cf,
    ngx_live_record_notify_conf_t *nc, ngx_str_t *value)
{
    ngx_int_t  n;
    ngx_str_t  s;

    if (ngx_strncmp(value->data, "status=", 7) == 0
        && ngx_live_record_notify_flag(value, 7, &nc->want,
                                       LR_NOTIFY_STATUS)
           == NGX_OK)
    {
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "fragments=", 10) == 0
        && ngx_live_record_notify_flag(value, 10, &nc->want,
                                       LR_NOTIFY_FRAGMENTS)
           == NGX_OK)
    {
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "key=", 4) == 0) {
        nc->key.data = value->data + 4;
        nc->key.len = value->len - 4;

        if (ngx_live_record_notify_key(&nc->key) == NGX_OK) {
            return NGX_CONF_OK;
        }

        /* it is a secret, and not told */

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value of \"key\" in "
                           "\"live_record_notify\", it must be 16 to 32 of "
                           "A-Z a-z 0-9");
        return NGX_CONF_ERROR;
    }

    if (ngx_strncmp(value->data, "retry=", 6) == 0) {
        s.data = value->data + 6;
        s.len = value->len - 6;

        n = ngx_parse_time(&s, 1);

        if (n == NGX_ERROR || n < 1 || n > NGX_LIVE_RECORD_NOTIFY_MAX) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid value \"%V\" of \"retry\" in "
                               "\"live_record_notify\", it must be a time "
                               "between 1s and 7d", &s);
            return NGX_CONF_ERROR;
        }

        nc->retry = n;

        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "ca_file=", 8) == 0 && value->len > 8) {
        nc->ca_file.data = value->data + 8;
        nc->ca_file.len = value->len - 8;

        return ngx_conf_full_name(cf->cycle, &nc->ca_file, 1) == NGX_OK
               ? ngx_live_record_ca_check(cf, &nc->ca_file,
                                          "live_record_notify")
               : NGX_CONF_ERROR;
    }

    if (ngx_strncmp(value->data, "on_demand=", 10) == 0) {
        nc->on_demand.data = value->data + 10;
        nc->on_demand.len = value->len - 10;

        return ngx_live_record_notify_url(cf, NULL, &nc->on_demand,
                                          "on_demand");
    }

    /* what stands there may be a key: only the name of it is told */

    s.data = value->data;

    for (s.len = 0; s.len < value->len && value->data[s.len] != '='; s.len++)
    {
        /* void */
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" of \"live_record_notify\", "
                       "it takes \"status=on|off\", \"fragments=on|off\", "
                       "\"key=\", \"retry=\", \"ca_file=\" and "
                       "\"on_demand=\"", &s);

    return NGX_CONF_ERROR;
}


static ngx_int_t
ngx_live_record_notify_flag(ngx_str_t *value, size_t len, ngx_uint_t *set,
    ngx_uint_t flag)
{
    if (ngx_strcmp(value->data + len, "on") == 0) {
        *set |= flag;
        return NGX_OK;
    }

    if (ngx_strcmp(value->data + len, "off") == 0) {
        *set &= ~flag;
        return NGX_OK;
    }

    return NGX_ERROR;
}


/* a user in it would be sent and logged: a key or a query does that better */

static char *
ngx_live_record_notify_url(ngx_conf_t *cf, ngx_live_record_notify_conf_t *nc,
    ngx_str_t *url, const char *what)
{
    char   *scheme, *host, *user;
    CURLU  *u;
    size_t  len;

    scheme = NULL;
    host = NULL;
    user = NULL;

    u = curl_url();
    if (u == NULL) {
        return NGX_CONF_ERROR;
    }

    if (url->len <= NGX_LIVE_RECORD_NOTIFY_URL
        && curl_url_set(u, CURLUPART_URL, (char *) url->data, 0) == CURLUE_OK
        && curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK
        && (ngx_strcmp(scheme, "http") == 0
            || ngx_strcmp(scheme, "https") == 0)
        && curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK
        && curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_NO_USER)
    {
        len = ngx_strlen(host);
    } else {
        len = 0;
    }

    if (len && nc) {
        nc->host.len = len;
        nc->host.data = ngx_pnalloc(cf->pool, len + 1);

        if (nc->host.data) {
            ngx_cpystrn(nc->host.data, (u_char *) host, len + 1);
        }

        nc->name.len = strcspn((char *) url->data, "?#");
        nc->name.data = url->data;
    }

    curl_free(scheme);
    curl_free(host);
    curl_free(user);
    curl_url_cleanup(u);

    if (len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid %s in \"live_record_notify\", it must "
                           "begin with \"http://\" or \"https://\", name a "
                           "host and no user, and be up to %d bytes long",
                           what, NGX_LIVE_RECORD_NOTIFY_URL);
        return NGX_CONF_ERROR;
    }

    return nc && nc->host.data == NULL ? NGX_CONF_ERROR : NGX_CONF_OK;
}


static ngx_int_t
ngx_live_record_notify_key(ngx_str_t *key)
{
    u_char      c;
    ngx_uint_t  i;

    for (i = 0; i < key->len; i++) {
        c = key->data[i];

        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z')
              || (c >= 'a' && c <= 'z')))
        {
            return NGX_ERROR;
        }
    }

    return key->len >= 16 && key->len <= 32 ? NGX_OK : NGX_ERROR;
}


char *
ngx_live_record_check_notify(ngx_conf_t *cf,
    ngx_live_record_main_conf_t *lmcf, ngx_live_record_srv_conf_t *lscf)
{
    if (lscf->notify
        && ngx_live_record_find_notify(lmcf, (char *) lscf->domain.data))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"live_record_notify\" is in another server "
                           "of the same \"live_record_domain\", or without "
                           "one, already: it is for all of them");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


ngx_live_record_notify_conf_t *
ngx_live_record_find_notify(ngx_live_record_main_conf_t *lmcf,
    const char *scope)
{
    ngx_uint_t                    i;
    ngx_live_record_srv_conf_t  **lscf;

    lscf = lmcf->servers.elts;

    for (i = 0; i < lmcf->servers.nelts; i++) {
        if (lscf[i]->notify
            && ngx_strcasecmp(lscf[i]->domain.data, (u_char *) scope) == 0)
        {
            return lscf[i]->notify;
        }
    }

    return NULL;
}
