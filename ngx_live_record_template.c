
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Templates: the live_record block, and which one a stream is recorded by.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_rtmp.h>

#include "ngx_live_record_block.h"


#define NGX_LIVE_RECORD_PATH                                                  \
    "record/{AppName}/{StreamName}/{EscapedStartTime}_{EscapedEndTime}"

#define NGX_LIVE_RECORD_FRAGMENT_PATH                                         \
    "record/{AppName}/{StreamName}/{UnixTimestamp}_{Sequence}"

#define NGX_LIVE_RECORD_INDEX_PATH  "{AppName}/{StreamName}/{Date}.m3u8"

/* the data of the block's lines are settings; these are of the template */

#define ngx_live_record_offset(member)                                        \
    (offsetof(ngx_live_record_template_t, member)                             \
     - offsetof(ngx_live_record_template_t, settings))


static char *ngx_live_record_name(ngx_conf_t *cf, const char *what,
    ngx_str_t *value, ngx_str_t *name);
static char *ngx_live_record_add(ngx_conf_t *cf, ngx_array_t **templates,
    ngx_live_record_template_t *t);
static char *ngx_live_record_set_format(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data);
static char *ngx_live_record_set_cycle(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data);
static char *ngx_live_record_set_fragment(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data);
static char *ngx_live_record_set_grace(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data);
static char *ngx_live_record_set_path(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data);
static char *ngx_live_record_set_fragment_path(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data);
static char *ngx_live_record_set_index_path(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data);
static char *ngx_live_record_check_name(ngx_conf_t *cf, lr_name_kind_e kind,
    ngx_str_t *value);


static ngx_conf_enum_t  ngx_live_record_on_demand[] = {
    { ngx_string("off"), NGX_LIVE_RECORD_ALWAYS },
    { ngx_string("callback"), NGX_LIVE_RECORD_CALLBACK },
    { ngx_string("push_args"), NGX_LIVE_RECORD_PUSH_ARGS },
    { ngx_string("command"), NGX_LIVE_RECORD_COMMAND },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_live_record_on_demand_fail[] = {
    { ngx_string("record"), NGX_LIVE_RECORD_RECORD },
    { ngx_string("skip"), NGX_LIVE_RECORD_SKIP },
    { ngx_null_string, 0 }
};


static ngx_live_record_option_t  ngx_live_record_template_options[] = {

    { ngx_string("bucket"), 1, 1, ngx_live_record_set_string,
      offsetof(lr_settings_t, bucket), 0, NULL },

    { ngx_string("format"), 1, 3, ngx_live_record_set_format, 0, 0, NULL },

    { ngx_string("cycle"), 1, 1, ngx_live_record_set_cycle, 0, 0, NULL },

    { ngx_string("fragment"), 1, 1, ngx_live_record_set_fragment, 0, 0, NULL },

    { ngx_string("grace"), 1, 1, ngx_live_record_set_grace, 0, 0, NULL },

    { ngx_string("path"), 1, 1, ngx_live_record_set_path, 0, 0, NULL },

    { ngx_string("fragment_path"), 1, 1,
      ngx_live_record_set_fragment_path, 0, 0, NULL },

    { ngx_string("index_path"), 1, 1,
      ngx_live_record_set_index_path, 0, 0, NULL },

    { ngx_string("on_demand"), 1, 1, ngx_live_record_set_enum,
      ngx_live_record_offset(on_demand), 0, ngx_live_record_on_demand },

    { ngx_string("on_demand_fail"), 1, 1, ngx_live_record_set_enum,
      ngx_live_record_offset(on_demand_fail), 0,
      ngx_live_record_on_demand_fail },

    { ngx_null_string, 0, 0, NULL, 0, 0, NULL }
};


char *
ngx_live_record(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                        *rv;
    ngx_str_t                   *value, *app, *stream;
    ngx_live_record_block_t      block;
    ngx_live_record_template_t  *t;
    ngx_rtmp_core_app_conf_t    *cacf;
    ngx_live_record_srv_conf_t  *lscf;

    value = cf->args->elts;

    if (cf->cmd_type == NGX_RTMP_SRV_CONF) {
        if (cf->args->nelts != 3) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"live_record\" in \"server\" takes AppName "
                               "and StreamName, or \"*\"");
            return NGX_CONF_ERROR;
        }

        app = &value[1];
        stream = &value[2];

    } else {
        if (cf->args->nelts != 2) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"live_record\" in \"application\" takes "
                               "StreamName alone, or \"*\": AppName is the "
                               "application's");
            return NGX_CONF_ERROR;
        }

        app = NULL;
        stream = &value[1];
    }

    t = ngx_pcalloc(cf->pool, sizeof(ngx_live_record_template_t));
    if (t == NULL) {
        return NGX_CONF_ERROR;
    }

    if (app == NULL) {
        cacf = ngx_rtmp_conf_get_module_app_conf(cf, ngx_rtmp_core_module);
        t->app = cacf->name;
        t->application = 1;

        if (!lr_name_valid((char *) t->app.data, t->app.len)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"live_record\" cannot stand in "
                               "\"application\" \"%V\": AppName must be 1 to "
                               "%d of A-Z a-z 0-9 - _", &t->app,
                               LR_NAME_LEN);
            return NGX_CONF_ERROR;
        }

    } else if (ngx_live_record_name(cf, "AppName", app, &t->app)
               != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (ngx_live_record_name(cf, "StreamName", stream, &t->stream)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    t->settings.formats = LR_FORMAT_M3U8;
    t->settings.cycle = (int64_t) 6 * 3600 * 1000;
    t->settings.fragment = 30 * 1000;
    t->settings.grace = 180 * 1000;
    t->settings.path = (char *) NGX_LIVE_RECORD_PATH;
    t->settings.fragment_path = (char *) NGX_LIVE_RECORD_FRAGMENT_PATH;
    t->settings.index_path = (char *) NGX_LIVE_RECORD_INDEX_PATH;
    t->created = ngx_time();
    t->file = cf->conf_file->file.name.data;
    t->line = cf->conf_file->line;

    block.options = ngx_live_record_template_options;
    block.data = &t->settings;
    block.seen = 0;
    block.block = "live_record";

    rv = ngx_live_record_parse(cf, &block);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (t->settings.bucket == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"live_record\" has no \"bucket\"");
        return NGX_CONF_ERROR;
    }

    if (t->settings.fragment > t->settings.cycle) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"fragment\" is longer than \"cycle\"");
        return NGX_CONF_ERROR;
    }

    lscf = ngx_rtmp_conf_get_module_srv_conf(cf, ngx_live_record_module);

    return ngx_live_record_add(cf, &lscf->templates, t);
}


/* what can only be checked when all blocks are known */

char *
ngx_live_record_check_templates(ngx_conf_t *cf, ngx_array_t *templates)
{
    ngx_str_t                     zone;
    ngx_uint_t                    i;
    ngx_live_record_template_t  **t;
    ngx_live_record_main_conf_t  *lmcf;

    if (templates == NULL) {
        return NGX_CONF_OK;
    }

    lmcf = ngx_rtmp_conf_get_module_main_conf(cf, ngx_live_record_module);

    if (lmcf->spool.len == 0) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"live_record\" needs \"live_record_spool\" "
                      "in \"rtmp\"");
        return NGX_CONF_ERROR;
    }

    t = templates->elts;
    zone = lmcf->timezone;

    for (i = 0; i < templates->nelts; i++) {

        if (ngx_live_record_find_bucket(lmcf, t[i]->settings.bucket)
            == NULL)
        {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"bucket\" of \"live_record\" names \"%s\", which "
                          "no \"live_record_bucket\" defines in %s:%ui",
                          t[i]->settings.bucket, t[i]->file, t[i]->line);
            return NGX_CONF_ERROR;
        }

        t[i]->settings.timezone = (char *) zone.data;
        lmcf->templates++;
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_live_record_check_on_demand(ngx_conf_t *cf,
    ngx_live_record_main_conf_t *lmcf)
{
    ngx_uint_t                      i, k;
    ngx_live_record_template_t    **t;
    ngx_live_record_srv_conf_t    **s;
    ngx_live_record_notify_conf_t  *nc;

    s = lmcf->servers.elts;

    for (i = 0; i < lmcf->servers.nelts; i++) {

        if (s[i]->templates == NULL) {
            continue;
        }

        nc = ngx_live_record_find_notify(lmcf, (char *) s[i]->domain.data);

        t = s[i]->templates->elts;

        for (k = 0; k < s[i]->templates->nelts; k++) {

            if (t[k]->on_demand == NGX_LIVE_RECORD_CALLBACK
                && (nc == NULL || nc->on_demand.len == 0))
            {
                ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                              "\"on_demand callback\" of \"live_record\" "
                              "needs \"on_demand=\" of "
                              "\"live_record_notify\" in %s:%ui",
                              t[k]->file, t[k]->line);
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


ngx_live_record_template_t *
ngx_live_record_find_template(ngx_live_record_srv_conf_t *lscf,
    ngx_str_t *app, ngx_str_t *stream)
{
    ngx_uint_t                    i, rank, best;
    ngx_live_record_template_t  **t, *found;

    if (lscf->templates == NULL) {
        return NULL;
    }

    /*
     * Most specific first: app + stream, app + *, * + stream, * + *; of two
     * for the same streams the one that stands in the application.
     */

    found = NULL;
    best = 0;

    t = lscf->templates->elts;

    for (i = 0; i < lscf->templates->nelts; i++) {

        if (t[i]->stream.len
            && (t[i]->stream.len != stream->len
                || ngx_memcmp(t[i]->stream.data, stream->data, stream->len)
                   != 0))
        {
            continue;
        }

        if (t[i]->app.len
            && (t[i]->app.len != app->len
                || ngx_memcmp(t[i]->app.data, app->data, app->len) != 0))
        {
            continue;
        }

        rank = 1 + (t[i]->app.len ? 4 : 0) + (t[i]->stream.len ? 2 : 0)
               + t[i]->application;

        if (rank > best) {
            best = rank;
            found = t[i];
        }
    }

    return found;
}


static char *
ngx_live_record_name(ngx_conf_t *cf, const char *what, ngx_str_t *value,
    ngx_str_t *name)
{
    if (value->len == 1 && value->data[0] == '*') {
        return NGX_CONF_OK;
    }

    if (!lr_name_valid((char *) value->data, value->len)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid %s \"%V\" of \"live_record\", it must "
                           "be 1 to %d of A-Z a-z 0-9 - _, or \"*\"", what,
                           value, LR_NAME_LEN);
        return NGX_CONF_ERROR;
    }

    *name = *value;

    return NGX_CONF_OK;
}


static char *
ngx_live_record_add(ngx_conf_t *cf, ngx_array_t **templates,
    ngx_live_record_template_t *t)
{
    ngx_uint_t                    i;
    ngx_live_record_template_t  **tp;

    if (*templates == NULL) {
        *templates = ngx_array_create(cf->pool, 4,
                                      sizeof(ngx_live_record_template_t *));
        if (*templates == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    tp = (*templates)->elts;

    for (i = 0; i < (*templates)->nelts; i++) {
        if (tp[i]->app.len == t->app.len
            && tp[i]->stream.len == t->stream.len
            && tp[i]->application == t->application
            && ngx_strncmp(tp[i]->app.data, t->app.data, t->app.len) == 0
            && ngx_strncmp(tp[i]->stream.data, t->stream.data,
                           t->stream.len) == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "a second \"live_record\" for the same "
                               "streams, the first is in %s:%ui",
                               tp[i]->file, tp[i]->line);
            return NGX_CONF_ERROR;
        }
    }

    tp = ngx_array_push(*templates);
    if (tp == NULL) {
        return NGX_CONF_ERROR;
    }

    *tp = t;

    return NGX_CONF_OK;
}


static char *
ngx_live_record_set_format(ngx_conf_t *cf, ngx_live_record_option_t *option,
    void *data)
{
    lr_settings_t *st = data;

    unsigned     format;
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;
    st->formats = 0;

    for (i = 1; i < cf->args->nelts; i++) {

        format = ngx_strcmp(value[i].data, "m3u8") == 0 ? LR_FORMAT_M3U8
                 : ngx_strcmp(value[i].data, "mp4") == 0 ? LR_FORMAT_MP4
                 : ngx_strcmp(value[i].data, "flv") == 0 ? LR_FORMAT_FLV : 0;

        if (format == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid value \"%V\" of \"format\", it must "
                               "be \"m3u8\", \"mp4\", \"flv\", or several "
                               "of them", &value[i]);
            return NGX_CONF_ERROR;
        }

        if (st->formats & format) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" is duplicate in \"format\"",
                               &value[i]);
            return NGX_CONF_ERROR;
        }

        st->formats |= format;
    }

    return NGX_CONF_OK;
}


static char *
ngx_live_record_set_cycle(ngx_conf_t *cf, ngx_live_record_option_t *option,
    void *data)
{
    lr_settings_t *st = data;

    return ngx_live_record_range(cf, 15 * 60 * 1000, 6 * 3600 * 1000,
                                 "15m and 6h", &st->cycle);
}


static char *
ngx_live_record_set_fragment(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data)
{
    lr_settings_t *st = data;

    return ngx_live_record_range(cf, 5 * 1000, 30 * 1000, "5s and 30s",
                                 &st->fragment);
}


static char *
ngx_live_record_set_grace(ngx_conf_t *cf, ngx_live_record_option_t *option,
    void *data)
{
    lr_settings_t *st = data;

    return ngx_live_record_range(cf, 1000, 6 * 3600 * 1000, "1s and 6h",
                                 &st->grace);
}


static char *
ngx_live_record_set_path(ngx_conf_t *cf, ngx_live_record_option_t *option,
    void *data)
{
    lr_settings_t *st = data;

    ngx_str_t  *value;

    value = cf->args->elts;
    st->path = (char *) value[1].data;

    return ngx_live_record_check_name(cf, LR_NAME_PATH, &value[1]);
}


static char *
ngx_live_record_set_fragment_path(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data)
{
    lr_settings_t *st = data;

    ngx_str_t  *value;

    value = cf->args->elts;
    st->fragment_path = (char *) value[1].data;

    return ngx_live_record_check_name(cf, LR_NAME_FRAGMENT, &value[1]);
}


static char *
ngx_live_record_set_index_path(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data)
{
    lr_settings_t *st = data;

    ngx_str_t  *value;

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        st->index_path = (char *) "";
        return NGX_CONF_OK;
    }

    st->index_path = (char *) value[1].data;

    return ngx_live_record_check_name(cf, LR_NAME_INDEX, &value[1]);
}


static char *
ngx_live_record_check_name(ngx_conf_t *cf, lr_name_kind_e kind,
    ngx_str_t *value)
{
    char        err[512];
    ngx_str_t  *name;

    name = cf->args->elts;

    if (ngx_strlen(value->data) != value->len
        || lr_name_check(kind, (char *) value->data, err, sizeof(err))
           != LR_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" of \"%V\": %s", value,
                           &name[0],
                           ngx_strlen(value->data) != value->len
                           ? "it has a zero byte" : err);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
