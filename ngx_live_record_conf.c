
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The directives but for their blocks, and their defaults.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_rtmp.h>

#include "ngx_live_record_block.h"
#include "ngx_live_record_counters.h"
#include "ngx_live_record_streams.h"


#define NGX_LIVE_RECORD_BUFFER    (64 * 1024 * 1024)


static char *ngx_live_record_spool(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_live_record_thread_pool(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_live_record_timezone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_live_record_domain(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


ngx_command_t  ngx_live_record_commands[] = {

    { ngx_string("live_record_spool"),
      NGX_RTMP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_live_record_spool,
      NGX_RTMP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("live_record_thread_pool"),
      NGX_RTMP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_live_record_thread_pool,
      NGX_RTMP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("live_record_timezone"),
      NGX_RTMP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_live_record_timezone,
      NGX_RTMP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("live_record_bucket"),
      NGX_RTMP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_live_record_bucket,
      NGX_RTMP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("live_record_domain"),
      NGX_RTMP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_live_record_domain,
      NGX_RTMP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("live_record_notify"),
      NGX_RTMP_SRV_CONF|NGX_CONF_1MORE,
      ngx_live_record_notify,
      NGX_RTMP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("live_record"),
      NGX_RTMP_SRV_CONF|NGX_RTMP_APP_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE12,
      ngx_live_record,
      0,
      0,
      NULL },

      ngx_null_command
};


void *
ngx_live_record_create_main_conf(ngx_conf_t *cf)
{
    ngx_live_record_main_conf_t  *lmcf;

    lmcf = ngx_pcalloc(cf->pool, sizeof(ngx_live_record_main_conf_t));
    if (lmcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     lmcf->spool = { 0, NULL };
     *     lmcf->max_size = 0;
     *     lmcf->thread_pool = NULL;
     *     lmcf->timezone = { 0, NULL };
     *     lmcf->zone = utc;
     *     lmcf->templates = 0;
     */

    lmcf->min_free = LR_QUOTA_AUTO;
    lmcf->fsync = NGX_CONF_UNSET;
    lmcf->buffer = NGX_CONF_UNSET_SIZE;

    if (ngx_array_init(&lmcf->buckets, cf->pool, 4,
                       sizeof(ngx_live_record_bucket_t *))
        != NGX_OK
        || ngx_array_init(&lmcf->servers, cf->pool, 4,
                          sizeof(ngx_live_record_srv_conf_t *))
           != NGX_OK)
    {
        return NULL;
    }

    return lmcf;
}


char *
ngx_live_record_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_live_record_main_conf_t *lmcf = conf;

    ngx_str_t  pool = ngx_string("default");

    ngx_conf_init_value(lmcf->fsync, 0);
    ngx_conf_init_size_value(lmcf->buffer, NGX_LIVE_RECORD_BUFFER);

    if (lmcf->timezone.len == 0) {
        ngx_str_set(&lmcf->timezone, "utc");
    }

    if (lmcf->spool.len == 0) {
        return NGX_CONF_OK;
    }

    if (lmcf->thread_pool == NULL) {
        lmcf->thread_pool = ngx_thread_pool_add(cf, &pool);
        if (lmcf->thread_pool == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (ngx_live_record_zone_add(cf, lmcf) != NGX_OK
        || ngx_live_record_streams_add(cf, lmcf) != NGX_OK
        || ngx_live_record_counters_add(cf, lmcf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


void *
ngx_live_record_create_srv_conf(ngx_conf_t *cf)
{
    ngx_live_record_srv_conf_t  *lscf;

    lscf = ngx_pcalloc(cf->pool, sizeof(ngx_live_record_srv_conf_t));
    if (lscf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     lscf->domain = { 0, NULL };
     *     lscf->templates = NULL;
     *     lscf->notify = NULL;
     */

    return lscf;
}


char *
ngx_live_record_merge_srv_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_live_record_srv_conf_t *conf = child;

    ngx_live_record_srv_conf_t   **lscf;
    ngx_live_record_main_conf_t   *lmcf;

    lmcf = ngx_rtmp_conf_get_module_main_conf(cf, ngx_live_record_module);

    if (conf->domain.data == NULL) {
        conf->domain.data = (u_char *) "";
    }

    if (ngx_live_record_check_notify(cf, lmcf, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    lscf = ngx_array_push(&lmcf->servers);
    if (lscf == NULL) {
        return NGX_CONF_ERROR;
    }

    *lscf = conf;

    return ngx_live_record_check_templates(cf, conf->templates);
}


ngx_live_record_bucket_t *
ngx_live_record_find_bucket(ngx_live_record_main_conf_t *lmcf,
    const char *name)
{
    ngx_uint_t                  i;
    ngx_live_record_bucket_t  **b;

    b = lmcf->buckets.elts;

    for (i = 0; i < lmcf->buckets.nelts; i++) {
        if (ngx_strcmp(b[i]->name.data, name) == 0) {
            return b[i];
        }
    }

    return NULL;
}


ngx_uint_t
ngx_live_record_serves(ngx_live_record_srv_conf_t *lscf, const char *domain)
{
    if (lscf->templates == NULL) {
        return 0;
    }

    return lscf->domain.len == 0
           || ngx_strcasecmp(lscf->domain.data, (u_char *) domain) == 0;
}


static char *
ngx_live_record_spool(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_live_record_main_conf_t *lmcf = conf;

    ssize_t     size;
    ngx_str_t  *value, s;
    ngx_uint_t  i;

    if (lmcf->spool.len) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        return "is empty";
    }

    lmcf->spool = value[1];

    while (lmcf->spool.len > 1
           && lmcf->spool.data[lmcf->spool.len - 1] == '/')
    {
        lmcf->spool.data[--lmcf->spool.len] = '\0';
    }

    if (ngx_conf_full_name(cf->cycle, &lmcf->spool, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (lmcf->spool.len > 1024) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the path of \"live_record_spool\" is longer "
                           "than 1024 bytes");
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_live_record_once(cf, i) != NGX_CONF_OK) {
            return NGX_CONF_ERROR;
        }

        if (ngx_strncmp(value[i].data, "buffer=", 7) == 0) {
            s.data = value[i].data + 7;
            s.len = value[i].len - 7;

            size = ngx_parse_size(&s);

            if (size == NGX_ERROR || size < 1024 * 1024
                || size > 1024 * 1024 * 1024)
            {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "invalid value \"%V\" of \"buffer\" in "
                                   "\"live_record_spool\", it must be "
                                   "between 1m and 1024m", &s);
                return NGX_CONF_ERROR;
            }

            lmcf->buffer = (size_t) size;
            continue;
        }

        if (ngx_strcmp(value[i].data, "fsync=on") == 0) {
            lmcf->fsync = 1;
            continue;
        }

        if (ngx_strcmp(value[i].data, "fsync=off") == 0) {
            lmcf->fsync = 0;
            continue;
        }

        if (ngx_strncmp(value[i].data, "max_size=", 9) == 0) {
            s.data = value[i].data + 9;
            s.len = value[i].len - 9;

            lmcf->max_size = ngx_parse_offset(&s);

            if (lmcf->max_size == NGX_ERROR
                || lmcf->max_size < 64 * 1024 * 1024)
            {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "invalid value \"%V\" of \"max_size\" in "
                                   "\"live_record_spool\", it must be a "
                                   "size of at least 64m", &s);
                return NGX_CONF_ERROR;
            }

            continue;
        }

        if (ngx_strncmp(value[i].data, "min_free=", 9) == 0) {
            s.data = value[i].data + 9;
            s.len = value[i].len - 9;

            lmcf->min_free = ngx_parse_offset(&s);

            if (lmcf->min_free == NGX_ERROR) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "invalid value \"%V\" of \"min_free\" in "
                                   "\"live_record_spool\", it must be a "
                                   "size, 0 or more", &s);
                return NGX_CONF_ERROR;
            }

            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" of "
                           "\"live_record_spool\", it takes \"max_size=\", "
                           "\"min_free=\", \"buffer=\" and "
                           "\"fsync=on|off\"", &value[i]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_live_record_thread_pool(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_live_record_main_conf_t *lmcf = conf;

    ngx_str_t  *value;

    if (lmcf->thread_pool) {
        return "is duplicate";
    }

    value = cf->args->elts;

    lmcf->thread_pool = ngx_thread_pool_add(cf, &value[1]);

    return lmcf->thread_pool ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_live_record_timezone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_live_record_main_conf_t *lmcf = conf;

    ngx_str_t  *value;

    if (lmcf->timezone.len) {
        return "is duplicate";
    }

    value = cf->args->elts;
    lmcf->timezone = value[1];

    if (lr_zone_parse((char *) value[1].data, value[1].len, &lmcf->zone)
        != LR_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" of "
                           "\"live_record_timezone\", it must be \"utc\", "
                           "\"local\" or an offset from \"-14:00\" to "
                           "\"+14:00\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_live_record_domain(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_live_record_srv_conf_t *lscf = conf;

    u_char     *p;
    ngx_str_t  *value;

    if (lscf->domain.len) {
        return "is duplicate";
    }

    value = cf->args->elts;
    p = value[1].data;

    while ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')
           || (*p >= '0' && *p <= '9') || *p == '.' || *p == '-')
    {
        p++;
    }

    if (value[1].len == 0 || value[1].len > 253 || *p != '\0') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" of \"live_record_domain\", "
                           "it must be a host name of up to 253 of "
                           "A-Z a-z 0-9 - .", &value[1]);
        return NGX_CONF_ERROR;
    }

    lscf->domain = value[1];

    return NGX_CONF_OK;
}
