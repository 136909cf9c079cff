
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The directives, all their checks and defaults.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_rtmp.h>
#include <dirent.h>

#include "ngx_live_record.h"


#define NGX_LIVE_RECORD_BUFFER    (32 * 1024 * 1024)

#define NGX_LIVE_RECORD_PATH                                                  \
    "record/{AppName}/{StreamName}/{EscapedStartTime}_{EscapedEndTime}"

#define NGX_LIVE_RECORD_FRAGMENT_PATH                                         \
    "record/{AppName}/{StreamName}/{UnixTimestamp}_{Sequence}"

#define NGX_LIVE_RECORD_INDEX_PATH  "{AppName}/{StreamName}/{Date}.m3u8"


/* one line of a block of ours */

typedef struct ngx_live_record_option_s  ngx_live_record_option_t;

struct ngx_live_record_option_s {
    ngx_str_t      name;
    ngx_uint_t     min;                        /* of arguments */
    ngx_uint_t     max;
    char        *(*set)(ngx_conf_t *cf, ngx_live_record_option_t *option,
                        void *data);
    size_t         offset;
    ngx_uint_t     types;                      /* of bucket, a mask */
};


typedef struct {
    ngx_live_record_option_t  *options;
    void                      *data;
    uint64_t                   seen;
    const char                *block;
} ngx_live_record_block_t;


static char *ngx_live_record_check_templates(ngx_conf_t *cf,
    ngx_array_t *templates);
static char *ngx_live_record_spool(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_live_record_thread_pool(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_live_record_timezone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_live_record_domain(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_live_record_bucket(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_live_record_bucket_check(ngx_conf_t *cf,
    ngx_live_record_bucket_t *b, uint64_t seen);
static char *ngx_live_record_bucket_oss(ngx_conf_t *cf,
    ngx_live_record_bucket_t *b);
static char *ngx_live_record_check_cred(ngx_conf_t *cf,
    ngx_live_record_bucket_t *b);
static char *ngx_live_record(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_live_record_name(ngx_conf_t *cf, const char *what,
    ngx_str_t *value, ngx_str_t *name);
static char *ngx_live_record_add(ngx_conf_t *cf, ngx_array_t **templates,
    ngx_live_record_template_t *t);

static char *ngx_live_record_parse(ngx_conf_t *cf,
    ngx_live_record_block_t *block);
static char *ngx_live_record_line(ngx_conf_t *cf, ngx_command_t *dummy,
    void *conf);

static char *ngx_live_record_set_str(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data);
static char *ngx_live_record_set_string(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data);
static char *ngx_live_record_set_flag(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data);
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
static char *ngx_live_record_set_type(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data);
static char *ngx_live_record_set_file(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data);
static char *ngx_live_record_set_credentials(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data);
static char *ngx_live_record_set_signature(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data);
static char *ngx_live_record_set_style(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data);
static char *ngx_live_record_set_connections(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data);
static char *ngx_live_record_set_msec(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data);

static char *ngx_live_record_range(ngx_conf_t *cf, int64_t min, int64_t max,
    const char *range, int64_t *ms);
static char *ngx_live_record_check_name(ngx_conf_t *cf, lr_name_kind_e kind,
    ngx_str_t *value);
static ngx_int_t ngx_live_record_make_dir(ngx_cycle_t *cycle,
    ngx_str_t *path, const char *directive, ngx_uint_t mode);
static ngx_uint_t ngx_live_record_empty_dir(const char *path);


static ngx_live_record_option_t  ngx_live_record_template_options[] = {

    { ngx_string("bucket"), 1, 1, ngx_live_record_set_string,
      offsetof(lr_settings_t, bucket), 0 },

    { ngx_string("format"), 1, 3, ngx_live_record_set_format, 0, 0 },

    { ngx_string("cycle"), 1, 1, ngx_live_record_set_cycle, 0, 0 },

    { ngx_string("fragment"), 1, 1, ngx_live_record_set_fragment, 0, 0 },

    { ngx_string("grace"), 1, 1, ngx_live_record_set_grace, 0, 0 },

    { ngx_string("path"), 1, 1, ngx_live_record_set_path, 0, 0 },

    { ngx_string("fragment_path"), 1, 1,
      ngx_live_record_set_fragment_path, 0, 0 },

    { ngx_string("index_path"), 1, 1,
      ngx_live_record_set_index_path, 0, 0 },

    { ngx_null_string, 0, 0, NULL, 0, 0 }
};


#define NGX_LIVE_RECORD_IN_DIR  (1 << NGX_LIVE_RECORD_DIR)
#define NGX_LIVE_RECORD_IN_OSS  (1 << NGX_LIVE_RECORD_OSS)


static ngx_live_record_option_t  ngx_live_record_bucket_options[] = {

    { ngx_string("type"), 1, 1, ngx_live_record_set_type, 0,
      NGX_LIVE_RECORD_IN_DIR|NGX_LIVE_RECORD_IN_OSS },

    { ngx_string("root"), 1, 1, ngx_live_record_set_file,
      offsetof(ngx_live_record_bucket_t, root), NGX_LIVE_RECORD_IN_DIR },

    { ngx_string("fsync"), 1, 1, ngx_live_record_set_flag,
      offsetof(ngx_live_record_bucket_t, fsync), NGX_LIVE_RECORD_IN_DIR },

    { ngx_string("endpoint"), 1, 1, ngx_live_record_set_str,
      offsetof(ngx_live_record_bucket_t, endpoint), NGX_LIVE_RECORD_IN_OSS },

    { ngx_string("region"), 1, 1, ngx_live_record_set_str,
      offsetof(ngx_live_record_bucket_t, region), NGX_LIVE_RECORD_IN_OSS },

    { ngx_string("bucket"), 1, 1, ngx_live_record_set_str,
      offsetof(ngx_live_record_bucket_t, bucket), NGX_LIVE_RECORD_IN_OSS },

    { ngx_string("credentials"), 1, 4, ngx_live_record_set_credentials, 0,
      NGX_LIVE_RECORD_IN_OSS },

    { ngx_string("signature"), 1, 1, ngx_live_record_set_signature, 0,
      NGX_LIVE_RECORD_IN_OSS },

    { ngx_string("path_style"), 1, 1, ngx_live_record_set_style, 0,
      NGX_LIVE_RECORD_IN_OSS },

    { ngx_string("ca_file"), 1, 1, ngx_live_record_set_file,
      offsetof(ngx_live_record_bucket_t, ca_file), NGX_LIVE_RECORD_IN_OSS },

    { ngx_string("ssl_verify"), 1, 1, ngx_live_record_set_flag,
      offsetof(ngx_live_record_bucket_t, ssl_verify),
      NGX_LIVE_RECORD_IN_OSS },

    { ngx_string("connections"), 1, 1, ngx_live_record_set_connections, 0,
      NGX_LIVE_RECORD_IN_DIR|NGX_LIVE_RECORD_IN_OSS },

    { ngx_string("connect_timeout"), 1, 1, ngx_live_record_set_msec,
      offsetof(ngx_live_record_bucket_t, connect_timeout),
      NGX_LIVE_RECORD_IN_OSS },

    { ngx_string("timeout"), 1, 1, ngx_live_record_set_msec,
      offsetof(ngx_live_record_bucket_t, timeout), NGX_LIVE_RECORD_IN_OSS },

    { ngx_null_string, 0, 0, NULL, 0, 0 }
};


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

    lmcf->fsync = NGX_CONF_UNSET;
    lmcf->buffer = NGX_CONF_UNSET_SIZE;

    if (ngx_array_init(&lmcf->buckets, cf->pool, 4,
                       sizeof(ngx_live_record_bucket_t *))
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

    if (lmcf->spool.len && lmcf->thread_pool == NULL) {
        lmcf->thread_pool = ngx_thread_pool_add(cf, &pool);
        if (lmcf->thread_pool == NULL) {
            return NGX_CONF_ERROR;
        }
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
     */

    return lscf;
}


/*
 * Templates are not inherited, they are looked up on both levels; what is
 * checked here is what can only be checked when all blocks are known.
 */

static char *
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


char *
ngx_live_record_merge_srv_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_live_record_srv_conf_t *conf = child;

    if (conf->domain.data == NULL) {
        conf->domain.data = (u_char *) "";
    }

    return ngx_live_record_check_templates(cf, conf->templates);
}


void *
ngx_live_record_create_app_conf(ngx_conf_t *cf)
{
    /* lacf->templates = NULL is set by ngx_pcalloc() */

    return ngx_pcalloc(cf->pool, sizeof(ngx_live_record_app_conf_t));
}


char *
ngx_live_record_merge_app_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_live_record_app_conf_t *conf = child;

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


ngx_live_record_template_t *
ngx_live_record_find_template(ngx_live_record_srv_conf_t *lscf,
    ngx_live_record_app_conf_t *lacf, ngx_str_t *app, ngx_str_t *stream)
{
    ngx_uint_t                    i, n, rank, best;
    ngx_array_t                  *list[2];
    ngx_live_record_template_t  **t, *found;

    /*
     * Most specific first: app + stream, app + *, * + stream, * + *; what
     * stands in the application is of that application.
     */

    list[0] = lacf ? lacf->templates : NULL;
    list[1] = lscf ? lscf->templates : NULL;

    found = NULL;
    best = 0;

    for (n = 0; n < 2; n++) {

        if (list[n] == NULL) {
            continue;
        }

        t = list[n]->elts;

        for (i = 0; i < list[n]->nelts; i++) {

            if (t[i]->stream.len
                && (t[i]->stream.len != stream->len
                    || ngx_memcmp(t[i]->stream.data, stream->data,
                                  stream->len) != 0))
            {
                continue;
            }

            if (t[i]->app.len
                && (t[i]->app.len != app->len
                    || ngx_memcmp(t[i]->app.data, app->data, app->len)
                       != 0))
            {
                continue;
            }

            rank = 1 + (n == 0 || t[i]->app.len ? 2 : 0)
                   + (t[i]->stream.len ? 1 : 0);

            if (rank > best) {
                best = rank;
                found = t[i];
            }
        }
    }

    return found;
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

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" of "
                           "\"live_record_spool\", it takes \"max_size=\", "
                           "\"buffer=\" and \"fsync=on|off\"", &value[i]);
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


static char *
ngx_live_record_bucket(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_live_record_main_conf_t *lmcf = conf;

    char                       *rv;
    ngx_str_t                  *value;
    ngx_live_record_block_t     block;
    ngx_live_record_bucket_t   *b, **bp;

    value = cf->args->elts;

    if (!lr_name_valid((char *) value[1].data, value[1].len)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid name \"%V\" of \"live_record_bucket\", "
                           "it must be 1 to %d of A-Z a-z 0-9 - _",
                           &value[1], LR_NAME_LEN);
        return NGX_CONF_ERROR;
    }

    if (ngx_live_record_find_bucket(lmcf, (char *) value[1].data)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate \"live_record_bucket\" \"%V\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    b = ngx_pcalloc(cf->pool, sizeof(ngx_live_record_bucket_t));
    if (b == NULL) {
        return NGX_CONF_ERROR;
    }

    b->name = value[1];
    b->type = NGX_CONF_UNSET_UINT;
    b->fsync = NGX_CONF_UNSET;
    b->ssl_verify = NGX_CONF_UNSET;
    b->signature = NGX_CONF_UNSET_UINT;
    b->style = NGX_CONF_UNSET_UINT;
    b->connections = NGX_CONF_UNSET_UINT;
    b->connect_timeout = NGX_CONF_UNSET_MSEC;
    b->timeout = NGX_CONF_UNSET_MSEC;
    b->file = cf->conf_file->file.name.data;
    b->line = cf->conf_file->line;

    ngx_queue_init(&b->waiting);

    block.options = ngx_live_record_bucket_options;
    block.data = b;
    block.seen = 0;
    block.block = "live_record_bucket";

    rv = ngx_live_record_parse(cf, &block);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    rv = ngx_live_record_bucket_check(cf, b, block.seen);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    bp = ngx_array_push(&lmcf->buckets);
    if (bp == NULL) {
        return NGX_CONF_ERROR;
    }

    *bp = b;

    return NGX_CONF_OK;
}


static char *
ngx_live_record_bucket_check(ngx_conf_t *cf, ngx_live_record_bucket_t *b,
    uint64_t seen)
{
    ngx_uint_t                 i;
    ngx_live_record_option_t  *o;

    if (b->type == NGX_CONF_UNSET_UINT) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"live_record_bucket\" \"%V\" has no \"type\", "
                           "it must be \"dir\" or \"oss\"", &b->name);
        return NGX_CONF_ERROR;
    }

    o = ngx_live_record_bucket_options;

    for (i = 0; o[i].name.len; i++) {
        if ((seen & ((uint64_t) 1 << i)) && !(o[i].types & (1 << b->type))) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" has no meaning for \"type %s\" of "
                               "\"live_record_bucket\" \"%V\"",
                               &o[i].name,
                               b->type == NGX_LIVE_RECORD_DIR ? "dir"
                                                              : "oss",
                               &b->name);
            return NGX_CONF_ERROR;
        }
    }

    ngx_conf_init_value(b->fsync, 0);
    ngx_conf_init_value(b->ssl_verify, 1);
    ngx_conf_init_uint_value(b->signature, 4);
    ngx_conf_init_uint_value(b->style, LR_URL_AUTO);
    ngx_conf_init_uint_value(b->connections,
                             b->type == NGX_LIVE_RECORD_DIR ? 4 : 16);
    ngx_conf_init_msec_value(b->connect_timeout, 10000);
    ngx_conf_init_msec_value(b->timeout, 60000);

    if (b->type == NGX_LIVE_RECORD_OSS) {
        return ngx_live_record_bucket_oss(cf, b);
    }

    if (b->root.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"live_record_bucket\" \"%V\" of \"type dir\" "
                           "needs \"root\"", &b->name);
        return NGX_CONF_ERROR;
    }

    while (b->root.len > 1 && b->root.data[b->root.len - 1] == '/') {
        b->root.data[--b->root.len] = '\0';
    }

    if (b->root.len > 1024) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"root\" of \"live_record_bucket\" \"%V\" is "
                           "longer than 1024 bytes", &b->name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_live_record_bucket_oss(ngx_conf_t *cf, ngx_live_record_bucket_t *b)
{
    char         err[LR_CRED_ERR_LEN];
    u_char      *p, *end;
    const char  *why;
    ngx_uint_t   missing;

    missing = b->endpoint.len == 0 || b->bucket.len == 0
              || b->cred_type == NGX_LIVE_RECORD_CRED_NONE;

    if (missing) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"live_record_bucket\" \"%V\" of \"type oss\" "
                           "needs \"%s\"", &b->name,
                           b->endpoint.len == 0 ? "endpoint"
                           : b->bucket.len == 0 ? "bucket" : "credentials");
        return NGX_CONF_ERROR;
    }

    if (lr_url_endpoint(&b->ep, (char *) b->endpoint.data, &why) != LR_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" of \"endpoint\" in "
                           "\"live_record_bucket\" \"%V\": %s",
                           &b->endpoint, &b->name, why);
        return NGX_CONF_ERROR;
    }

    if (lr_url_check_bucket((char *) b->bucket.data, &why) != LR_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" of \"bucket\" in "
                           "\"live_record_bucket\" \"%V\": %s",
                           &b->bucket, &b->name, why);
        return NGX_CONF_ERROR;
    }

    b->style = lr_url_style(&b->ep, b->style);

    if (b->style == LR_URL_VHOST && b->ep.ip) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"path_style off\" in \"live_record_bucket\" "
                           "\"%V\" needs an endpoint that is a name, "
                           "\"%V\" is an address", &b->name, &b->endpoint);
        return NGX_CONF_ERROR;
    }

    if (b->signature == 4 && b->region.len == 0) {

        /* oss-REGION[-internal].aliyuncs.com tells it */

        p = (u_char *) b->ep.host.data;
        end = ngx_strnstr(p, ".aliyuncs.com", b->ep.host.len);

        if (end == NULL || ngx_strncmp(p, "oss-", 4) != 0
            || ngx_strncmp(p, "oss-accelerate", 14) == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"live_record_bucket\" \"%V\" needs "
                               "\"region\", e.g. \"cn-hangzhou\", for "
                               "signature v4: the endpoint \"%V\" does not "
                               "tell it", &b->name, &b->endpoint);
            return NGX_CONF_ERROR;
        }

        p += 4;

        if (end - p > 9 && ngx_strncmp(end - 9, "-internal", 9) == 0) {
            end -= 9;
        }

        b->region.len = end - p;
        b->region.data = ngx_pnalloc(cf->pool, b->region.len + 1);
        if (b->region.data == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_cpystrn(b->region.data, p, b->region.len + 1);
    }

    if (b->region.len == 0) {
        b->region.data = (u_char *) "";
    }

    if (b->cred_type == NGX_LIVE_RECORD_CRED_FILE) {
        return ngx_live_record_check_cred(cf, b);
    }

    if (b->cred_type == NGX_LIVE_RECORD_CRED_ENV
        && lr_cred_env(&b->cred, NULL, NULL, err) != LR_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"credentials env\" of \"live_record_bucket\" "
                           "\"%V\": nginx was started without a pair of "
                           "OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET, or "
                           "ALIBABA_CLOUD_ACCESS_KEY_ID and "
                           "ALIBABA_CLOUD_ACCESS_KEY_SECRET", &b->name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* the workers read the file themselves, whenever it changes */

static char *
ngx_live_record_check_cred(ngx_conf_t *cf, ngx_live_record_bucket_t *b)
{
    int        rc;
    char       err[LR_CRED_ERR_LEN];
    u_char    *buf;
    ssize_t    n;
    ngx_fd_t   fd;
    lr_cred_t  cred;

    fd = ngx_open_file(b->cred_file.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" of \"credentials file\" "
                           "failed", &b->cred_file);
        return NGX_CONF_ERROR;
    }

    buf = ngx_pnalloc(cf->temp_pool, LR_CRED_MAX_FILE);
    n = buf ? read(fd, buf, LR_CRED_MAX_FILE) : -1;

    ngx_close_file(fd);

    if (n == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "read() \"%V\" of \"credentials file\" failed",
                           &b->cred_file);
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&cred, sizeof(lr_cred_t));

    rc = lr_cred_parse(&cred, (char *) buf, (size_t) n, NULL, err);

    lr_cred_free(&cred);
    ngx_explicit_memzero(buf, (size_t) n);

    if (rc != LR_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" of \"credentials file\": %s",
                           &b->cred_file, err);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_live_record(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                        *rv;
    ngx_str_t                   *value, *app, *stream;
    ngx_live_record_block_t      block;
    ngx_live_record_template_t  *t;
    ngx_live_record_app_conf_t  *lacf;
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

    if (app
        && ngx_live_record_name(cf, "AppName", app, &t->app)
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

    if (app) {
        lscf = ngx_rtmp_conf_get_module_srv_conf(cf, ngx_live_record_module);
        return ngx_live_record_add(cf, &lscf->templates, t);
    }

    lacf = ngx_rtmp_conf_get_module_app_conf(cf, ngx_live_record_module);

    return ngx_live_record_add(cf, &lacf->templates, t);
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
        return ngx_conf_include(cf, NULL, NULL);
    }

    for (i = 0; o[i].name.len; i++) {

        if (o[i].name.len != value[0].len
            || ngx_strcmp(o[i].name.data, value[0].data) != 0)
        {
            continue;
        }

        if (n < o[i].min || n > o[i].max) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid number of arguments in \"%V\" "
                               "of \"%s\"", &value[0], block->block);
            return NGX_CONF_ERROR;
        }

        if (block->seen & ((uint64_t) 1 << i)) {
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


static char *
ngx_live_record_set_string(ngx_conf_t *cf, ngx_live_record_option_t *option,
    void *data)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    *(char **) ((char *) data + option->offset) = (char *) value[1].data;

    return NGX_CONF_OK;
}


static char *
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


static char *
ngx_live_record_set_format(ngx_conf_t *cf, ngx_live_record_option_t *option,
    void *data)
{
    lr_settings_t *st = data;

    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;
    st->formats = 0;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "m3u8") == 0) {
            if (st->formats & LR_FORMAT_M3U8) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "\"m3u8\" is duplicate in \"format\"");
                return NGX_CONF_ERROR;
            }

            st->formats |= LR_FORMAT_M3U8;
            continue;
        }

        if (ngx_strcmp(value[i].data, "mp4") == 0
            || ngx_strcmp(value[i].data, "flv") == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"format %V\" is not supported by this "
                               "version, it must be \"m3u8\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" of \"format\", it must be "
                           "\"m3u8\"", &value[i]);
        return NGX_CONF_ERROR;
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
ngx_live_record_set_type(ngx_conf_t *cf, ngx_live_record_option_t *option,
    void *data)
{
    ngx_live_record_bucket_t *b = data;

    ngx_str_t  *value;

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "dir") == 0) {
        b->type = NGX_LIVE_RECORD_DIR;

    } else if (ngx_strcmp(value[1].data, "oss") == 0) {
        b->type = NGX_LIVE_RECORD_OSS;

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" of \"type\", it must be "
                           "\"dir\" or \"oss\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_live_record_set_file(ngx_conf_t *cf, ngx_live_record_option_t *option,
    void *data)
{
    char       *rv;
    ngx_str_t  *field;

    rv = ngx_live_record_set_str(cf, option, data);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    field = (ngx_str_t *) ((char *) data + option->offset);

    if (ngx_conf_full_name(cf->cycle, field, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_live_record_set_credentials(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data)
{
    ngx_live_record_bucket_t *b = data;

    char        err[LR_CRED_ERR_LEN];
    ngx_str_t  *value;
    ngx_uint_t  n;

    value = cf->args->elts;
    n = cf->args->nelts - 1;

    if (ngx_strcmp(value[1].data, "env") == 0 && n == 1) {
        b->cred_type = NGX_LIVE_RECORD_CRED_ENV;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "file") == 0 && n == 2) {
        b->cred_type = NGX_LIVE_RECORD_CRED_FILE;
        b->cred_file = value[2];

        if (ngx_conf_full_name(cf->cycle, &b->cred_file, 1) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "key") == 0 && (n == 3 || n == 4)) {
        b->cred_type = NGX_LIVE_RECORD_CRED_KEY;

        if (lr_cred_set(&b->cred, (char *) value[2].data,
                        (char *) value[3].data,
                        n == 4 ? (char *) value[4].data : NULL, err)
            != LR_OK)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"credentials key\": %s", err);
            return NGX_CONF_ERROR;
        }

        return NGX_CONF_OK;
    }

    /* what stands there may be a secret: it is not told */

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid \"credentials\", it must be \"env\", "
                       "\"file PATH\" or \"key ID SECRET [TOKEN]\"");

    return NGX_CONF_ERROR;
}


static char *
ngx_live_record_set_signature(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data)
{
    ngx_live_record_bucket_t *b = data;

    ngx_str_t  *value;

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "v4") == 0) {
        b->signature = 4;

    } else if (ngx_strcmp(value[1].data, "v1") == 0) {
        b->signature = 1;

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" of \"signature\", it must "
                           "be \"v4\" or \"v1\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_live_record_set_style(ngx_conf_t *cf, ngx_live_record_option_t *option,
    void *data)
{
    ngx_live_record_bucket_t *b = data;

    ngx_str_t  *value;

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "auto") == 0) {
        b->style = LR_URL_AUTO;

    } else if (ngx_strcmp(value[1].data, "on") == 0) {
        b->style = LR_URL_PATH;

    } else if (ngx_strcmp(value[1].data, "off") == 0) {
        b->style = LR_URL_VHOST;

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" of \"path_style\", it must "
                           "be \"auto\", \"on\" or \"off\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_live_record_set_connections(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data)
{
    ngx_live_record_bucket_t *b = data;

    ngx_int_t   n;
    ngx_str_t  *value;

    value = cf->args->elts;
    n = ngx_atoi(value[1].data, value[1].len);

    if (n == NGX_ERROR || n < 1 || n > 256) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" of \"connections\", it "
                           "must be between 1 and 256", &value[1]);
        return NGX_CONF_ERROR;
    }

    b->connections = n;

    return NGX_CONF_OK;
}


static char *
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


static char *
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


/*
 * As nginx makes its temporary paths: by the master, which may be root,
 * for the user of the workers.  Called in "nginx -t" as well.
 */

ngx_int_t
ngx_live_record_init_paths(ngx_cycle_t *cycle,
    ngx_live_record_main_conf_t *lmcf)
{
    ngx_uint_t                  i;
    ngx_live_record_bucket_t  **b;

    if (ngx_live_record_make_dir(cycle, &lmcf->spool, "live_record_spool",
                                 0700)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    b = lmcf->buckets.elts;

    for (i = 0; i < lmcf->buckets.nelts; i++) {

        if (b[i]->type == NGX_LIVE_RECORD_DIR
            && ngx_live_record_make_dir(cycle, &b[i]->root, "root", 0755)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_live_record_make_dir(ngx_cycle_t *cycle, ngx_str_t *path,
    const char *directive, ngx_uint_t mode)
{
    u_char           *p, *last;
    ngx_err_t         err;
    ngx_uint_t        bits;
    ngx_file_info_t   fi;
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    last = path->data + path->len;

    for (p = path->data + 1; p <= last; p++) {

        if (p != last && *p != '/') {
            continue;
        }

        *p = '\0';

        err = ngx_create_dir(path->data, p == last ? mode : 0755)
              == NGX_FILE_ERROR ? ngx_errno : 0;

        if (err && err != NGX_EEXIST) {
            ngx_log_error(NGX_LOG_EMERG, cycle->log, err,
                          ngx_create_dir_n " \"%s\" of \"%s\" failed",
                          path->data, directive);
            return NGX_ERROR;
        }

        if (p != last) {
            *p = '/';
        }
    }

    if (ngx_file_info(path->data, &fi) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      ngx_file_info_n " \"%V\" of \"%s\" failed", path,
                      directive);
        return NGX_ERROR;
    }

    if (!ngx_is_dir(&fi)) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "\"%V\" of \"%s\" is not a directory", path,
                      directive);
        return NGX_ERROR;
    }

    if (geteuid() != 0) {
        if (access((char *) path->data, R_OK|W_OK|X_OK) == 0) {
            return NGX_OK;
        }

        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "\"%V\" of \"%s\" cannot be written to by nginx",
                      path, directive);
        return NGX_ERROR;
    }

    if (ccf->user == (ngx_uid_t) NGX_CONF_UNSET_UINT || ccf->user == 0) {
        return NGX_OK;
    }

    bits = fi.st_mode;

    if (fi.st_uid == ccf->user) {
        bits >>= 6;

    } else if (fi.st_gid == ccf->group) {
        bits >>= 3;
    }

    if ((bits & 7) == 7) {
        return NGX_OK;
    }

    /*
     * An empty directory, which may be our own new one, is given to the
     * user of the workers; one that holds somebody's files is not.
     */

    if (fi.st_uid != ccf->user
        && ngx_live_record_empty_dir((char *) path->data))
    {
        if (chown((char *) path->data, ccf->user, (gid_t) -1) == 0) {
            return NGX_OK;
        }

        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "chown(\"%V\", %d) of \"%s\" failed", path,
                      ccf->user, directive);
        return NGX_ERROR;
    }

    ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                  "\"%V\" of \"%s\" cannot be written to by the user of "
                  "the workers, \"%s\": give it to that user with chown",
                  path, directive, ccf->username);

    return NGX_ERROR;
}


static ngx_uint_t
ngx_live_record_empty_dir(const char *path)
{
    DIR         *d;
    ngx_uint_t   n;

    d = opendir(path);

    if (d == NULL) {
        return 0;
    }

    for (n = 0; n < 3 && readdir(d); n++) { /* void */ }

    closedir(d);

    return n < 3;
}
