
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The locations in http{}: their directives.
 */


#include "ngx_live_record_api.h"
#include "ngx_live_record_report.h"


static void *ngx_live_record_create_http_conf(ngx_conf_t *cf);
static void *ngx_live_record_create_loc_conf(ngx_conf_t *cf);
static char *ngx_live_record_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_live_record_api(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_live_record_report(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_live_record_api_keys(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/* a location has one content */

static char  ngx_live_record_other_handler[] =
    "has another content handler in its location";


static ngx_command_t  ngx_live_record_http_commands[] = {

    { ngx_string("live_record_api"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_live_record_api,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("live_record_api_keys"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_live_record_api_keys,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("live_record_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_live_record_report,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      ngx_live_record_status_handler },

    { ngx_string("live_record_metrics"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_live_record_report,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      ngx_live_record_metrics_handler },

      ngx_null_command
};


static ngx_http_module_t  ngx_live_record_http_module_ctx = {
    NULL,                                   /* preconfiguration */
    NULL,                                   /* postconfiguration */

    ngx_live_record_create_http_conf,       /* create main configuration */
    NULL,                                   /* init main configuration */

    NULL,                                   /* create server configuration */
    NULL,                                   /* merge server configuration */

    ngx_live_record_create_loc_conf,        /* create location configuration */
    ngx_live_record_merge_loc_conf          /* merge location configuration */
};


ngx_module_t  ngx_live_record_http_module = {
    NGX_MODULE_V1,
    &ngx_live_record_http_module_ctx,       /* module context */
    ngx_live_record_http_commands,          /* module directives */
    NGX_HTTP_MODULE,                        /* module type */
    NULL,                                   /* init master */
    NULL,                                   /* init module */
    NULL,                                   /* init process */
    NULL,                                   /* init thread */
    NULL,                                   /* exit thread */
    NULL,                                   /* exit process */
    NULL,                                   /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_live_record_create_http_conf(ngx_conf_t *cf)
{
    /* lhcf->nonces = NULL is set by ngx_pcalloc() */

    return ngx_pcalloc(cf->pool, sizeof(ngx_live_record_http_conf_t));
}


static void *
ngx_live_record_create_loc_conf(ngx_conf_t *cf)
{
    ngx_live_record_loc_conf_t  *llcf;

    llcf = ngx_pcalloc(cf->pool, sizeof(ngx_live_record_loc_conf_t));
    if (llcf == NULL) {
        return NULL;
    }

    /* set by ngx_pcalloc(): llcf->api = 0, llcf->report = NULL */

    llcf->keys = NGX_CONF_UNSET_PTR;

    return llcf;
}


static char *
ngx_live_record_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_live_record_loc_conf_t *prev = parent;
    ngx_live_record_loc_conf_t *conf = child;

    ngx_http_core_loc_conf_t  *clcf;

    ngx_conf_merge_ptr_value(conf->keys, prev->keys, NULL);

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* what "if" and "limit_except" make is a part of the location */

    if (clcf->noname && prev->api && clcf->handler == NULL) {
        conf->api = 1;
        clcf->handler = ngx_live_record_api_handler;
    }

    if (clcf->noname && prev->report && clcf->handler == NULL) {
        conf->report = prev->report;
        clcf->handler = conf->report;
    }

    /* most others take the location, whoever has it */

    if ((conf->api && clcf->handler != ngx_live_record_api_handler)
        || (conf->report && clcf->handler != conf->report))
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "\"%s\" %s \"%V\"",
                      conf->api ? "live_record_api"
                      : conf->report == ngx_live_record_status_handler
                      ? "live_record_status" : "live_record_metrics",
                      ngx_live_record_other_handler, &clcf->name);
        return NGX_CONF_ERROR;
    }

    if (!conf->api) {
        return NGX_CONF_OK;
    }

    if (conf->keys == NULL) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"live_record_api\" refuses every call, as there is "
                      "no \"live_record_api_keys\"");
    }

    /* a call's body has to stay in memory; the core's merge has been */

    if (clcf->client_body_buffer_size < NGX_LIVE_RECORD_API_BODY) {
        clcf->client_body_buffer_size = NGX_LIVE_RECORD_API_BODY;
    }

    return NGX_CONF_OK;
}


static char *
ngx_live_record_api(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_live_record_loc_conf_t *llcf = conf;

    ngx_http_core_loc_conf_t     *clcf;
    ngx_live_record_http_conf_t  *lhcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler) {
        return llcf->api ? "is duplicate" : ngx_live_record_other_handler;
    }

    lhcf = ngx_http_conf_get_module_main_conf(cf,
                                              ngx_live_record_http_module);

    lhcf->nonces = ngx_live_record_api_nonces(cf);
    if (lhcf->nonces == NULL) {
        return NGX_CONF_ERROR;
    }

    llcf->api = 1;
    clcf->handler = ngx_live_record_api_handler;

    return NGX_CONF_OK;
}


static char *
ngx_live_record_report(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_live_record_loc_conf_t *llcf = conf;

    ngx_http_handler_pt        handler;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    handler = (ngx_http_handler_pt) cmd->post;

    if (clcf->handler) {
        return llcf->report == handler ? "is duplicate"
                                       : ngx_live_record_other_handler;
    }

    llcf->report = handler;
    clcf->handler = handler;

    return NGX_CONF_OK;
}


static char *
ngx_live_record_api_keys(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_live_record_loc_conf_t *llcf = conf;

    ngx_str_t  *value;

    if (llcf->keys != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        return "is empty";
    }

    llcf->keys = ngx_live_record_keys_create(cf, &value[1]);

    return llcf->keys ? NGX_CONF_OK : NGX_CONF_ERROR;
}
