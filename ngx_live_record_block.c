
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_live_record_block.h"


static char *ngx_live_record_line(ngx_conf_t *cf, ngx_command_t *dummy,
    void *conf);
static char *ngx_live_record_arguments(ngx_conf_t *cf,
    ngx_live_record_block_t *block);
static char *ngx_live_record_full_name(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data, ngx_uint_t conf_prefix);


char *
ngx_live_record_parse(ngx_conf_t *cf, ngx_live_record_block_t *block)
{
    char        *rv;
    ngx_conf_t   save;

    save = *cf;
    cf->handler = ngx_live_record_line;
    cf->handler_conf = (void *) block;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    return rv;
}


static char *
ngx_live_record_line(ngx_conf_t *cf, ngx_command_t *dummy, void *conf)
{
    ngx_live_record_block_t *block = conf;

    ngx_str_t                 *value;
    ngx_uint_t                 i, n;
    ngx_live_record_option_t  *o;

    value = cf->args->elts;
    n = cf->args->nelts - 1;
    o = block->options;

    if (ngx_strcmp(value[0].data, "include") == 0) {
        return n == 1 ? ngx_conf_include(cf, NULL, NULL)
                      : ngx_live_record_arguments(cf, block);
    }

    for (i = 0; o[i].name.len; i++) {

        if (o[i].name.len != value[0].len
            || ngx_strcmp(o[i].name.data, value[0].data) != 0)
        {
            continue;
        }

        if (n < o[i].min || n > o[i].max) {
            return ngx_live_record_arguments(cf, block);
        }

        if ((block->seen & ((uint64_t) 1 << i))
            && !(o[i].types & NGX_LIVE_RECORD_MANY))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" is duplicate in \"%s\"", &value[0],
                               block->block);
            return NGX_CONF_ERROR;
        }

        block->seen |= (uint64_t) 1 << i;

        return o[i].set(cf, &o[i], block->data);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown setting \"%V\" in \"%s\"", &value[0],
                       block->block);

    return NGX_CONF_ERROR;
}


static char *
ngx_live_record_arguments(ngx_conf_t *cf, ngx_live_record_block_t *block)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid number of arguments in \"%V\" of \"%s\"",
                       &value[0], block->block);

    return NGX_CONF_ERROR;
}


char *
ngx_live_record_once(ngx_conf_t *cf, ngx_uint_t i)
{
    u_char      *p;
    ngx_str_t   *value, name;
    ngx_uint_t   k;

    value = cf->args->elts;

    p = ngx_strlchr(value[i].data, value[i].data + value[i].len, '=');

    if (p == NULL) {
        return NGX_CONF_OK;
    }

    /* the value may be a secret */

    name.data = value[i].data;
    name.len = p - value[i].data;

    for (k = 2; k < i; k++) {

        if (ngx_strncmp(value[k].data, name.data, name.len + 1) == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" is duplicate in \"%V\"", &name,
                               &value[0]);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_live_record_set_enum(ngx_conf_t *cf, ngx_live_record_option_t *option,
    void *data)
{
    u_char           *p, *last;
    ngx_str_t        *value;
    ngx_uint_t        i, *field;
    ngx_conf_enum_t  *e;
    u_char            words[128];

    value = cf->args->elts;
    field = (ngx_uint_t *) ((char *) data + option->offset);
    e = option->post;

    p = words;
    last = words + sizeof(words);

    for (i = 0; e[i].name.len; i++) {

        if (e[i].name.len == value[1].len
            && ngx_strcmp(e[i].name.data, value[1].data) == 0)
        {
            *field = e[i].value;
            return NGX_CONF_OK;
        }

        p = ngx_slprintf(p, last, "%s\"%V\"",
                         i == 0 ? "" : e[i + 1].name.len ? ", " : " or ",
                         &e[i].name);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid value \"%V\" of \"%V\", it must be %*s",
                       &value[1], &option->name, (size_t) (p - words),
                       words);

    return NGX_CONF_ERROR;
}


char *
ngx_live_record_set_str(ngx_conf_t *cf, ngx_live_record_option_t *option,
    void *data)
{
    ngx_str_t  *value, *field;

    value = cf->args->elts;
    field = (ngx_str_t *) ((char *) data + option->offset);

    if (value[1].len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" is empty",
                           &option->name);
        return NGX_CONF_ERROR;
    }

    *field = value[1];

    return NGX_CONF_OK;
}


char *
ngx_live_record_set_string(ngx_conf_t *cf, ngx_live_record_option_t *option,
    void *data)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    *(char **) ((char *) data + option->offset) = (char *) value[1].data;

    return NGX_CONF_OK;
}


char *
ngx_live_record_set_flag(ngx_conf_t *cf, ngx_live_record_option_t *option,
    void *data)
{
    ngx_str_t   *value;
    ngx_flag_t  *flag;

    value = cf->args->elts;
    flag = (ngx_flag_t *) ((char *) data + option->offset);

    if (ngx_strcmp(value[1].data, "on") == 0) {
        *flag = 1;

    } else if (ngx_strcmp(value[1].data, "off") == 0) {
        *flag = 0;

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" of \"%V\", it must be "
                           "\"on\" or \"off\"", &value[1], &option->name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_live_record_set_file(ngx_conf_t *cf, ngx_live_record_option_t *option,
    void *data)
{
    return ngx_live_record_full_name(cf, option, data, 0);
}


char *
ngx_live_record_set_conf_file(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data)
{
    return ngx_live_record_full_name(cf, option, data, 1);
}


static char *
ngx_live_record_full_name(ngx_conf_t *cf, ngx_live_record_option_t *option,
    void *data, ngx_uint_t conf_prefix)
{
    char       *rv;
    ngx_str_t  *field;

    rv = ngx_live_record_set_str(cf, option, data);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    field = (ngx_str_t *) ((char *) data + option->offset);

    if (ngx_conf_full_name(cf->cycle, field, conf_prefix) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_live_record_set_msec(ngx_conf_t *cf, ngx_live_record_option_t *option,
    void *data)
{
    char        *rv;
    int64_t      ms;
    ngx_msec_t  *field;

    rv = ngx_live_record_range(cf, 1000, 3600 * 1000, "1s and 1h", &ms);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    field = (ngx_msec_t *) ((char *) data + option->offset);
    *field = (ngx_msec_t) ms;

    return NGX_CONF_OK;
}


char *
ngx_live_record_range(ngx_conf_t *cf, int64_t min, int64_t max,
    const char *range, int64_t *ms)
{
    ngx_int_t   v;
    ngx_str_t  *value;

    value = cf->args->elts;
    v = ngx_parse_time(&value[1], 0);

    if (v == NGX_ERROR || v < min || v > max) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" of \"%V\", it must be "
                           "between %s", &value[1], &value[0], range);
        return NGX_CONF_ERROR;
    }

    *ms = v;

    return NGX_CONF_OK;
}
