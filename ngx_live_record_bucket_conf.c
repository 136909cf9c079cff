
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The live_record_bucket block.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_live_record_cred.h"


/* the least "limit_rate" */
#define NGX_LIVE_RECORD_RATE  (16 * 1024)


static void ngx_live_record_bucket_cleanup(void *data);
static char *ngx_live_record_bucket_check(ngx_conf_t *cf,
    ngx_live_record_bucket_t *b, uint64_t seen);
static char *ngx_live_record_bucket_store(ngx_conf_t *cf,
    ngx_live_record_bucket_t *b);
static ngx_uint_t ngx_live_record_bucket_named(ngx_live_record_bucket_t *b);
static char *ngx_live_record_bucket_endpoint(ngx_conf_t *cf,
    ngx_live_record_bucket_t *b);
static char *ngx_live_record_bucket_region(ngx_conf_t *cf,
    ngx_live_record_bucket_t *b);
static char *ngx_live_record_set_connections(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data);
static char *ngx_live_record_set_limit_rate(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data);


static ngx_conf_enum_t  ngx_live_record_types[] = {
    { ngx_string("dir"), NGX_LIVE_RECORD_DIR },
    { ngx_string("oss"), NGX_LIVE_RECORD_OSS },
    { ngx_string("s3"), NGX_LIVE_RECORD_S3 },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_live_record_signatures[] = {
    { ngx_string("v4"), 4 },
    { ngx_string("v1"), 1 },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_live_record_checksums[] = {
    { ngx_string("md5"), NGX_LIVE_RECORD_MD5 },
    { ngx_string("crc64nvme"), NGX_LIVE_RECORD_CRC64NVME },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_live_record_styles[] = {
    { ngx_string("auto"), LR_URL_AUTO },
    { ngx_string("on"), LR_URL_PATH },
    { ngx_string("off"), LR_URL_VHOST },
    { ngx_string("cname"), LR_URL_CNAME },
    { ngx_null_string, 0 }
};


#define NGX_LIVE_RECORD_IN_DIR    (1 << NGX_LIVE_RECORD_DIR)
#define NGX_LIVE_RECORD_IN_OSS    (1 << NGX_LIVE_RECORD_OSS)
#define NGX_LIVE_RECORD_IN_S3     (1 << NGX_LIVE_RECORD_S3)
#define NGX_LIVE_RECORD_IN_STORE  (NGX_LIVE_RECORD_IN_OSS                    \
                                   |NGX_LIVE_RECORD_IN_S3)
#define NGX_LIVE_RECORD_IN_ALL    (NGX_LIVE_RECORD_IN_DIR                    \
                                   |NGX_LIVE_RECORD_IN_STORE)


static ngx_live_record_option_t  ngx_live_record_bucket_options[] = {

    { ngx_string("type"), 1, 1, ngx_live_record_set_enum,
      offsetof(ngx_live_record_bucket_t, type),
      NGX_LIVE_RECORD_IN_ALL, ngx_live_record_types },

    { ngx_string("root"), 1, 1, ngx_live_record_set_file,
      offsetof(ngx_live_record_bucket_t, root), NGX_LIVE_RECORD_IN_DIR, NULL },

    { ngx_string("fsync"), 1, 1, ngx_live_record_set_flag,
      offsetof(ngx_live_record_bucket_t, fsync), NGX_LIVE_RECORD_IN_DIR, NULL },

    { ngx_string("directio"), 1, 1, ngx_live_record_set_flag,
      offsetof(ngx_live_record_bucket_t, directio),
      NGX_LIVE_RECORD_IN_DIR, NULL },

    { ngx_string("endpoint"), 1, 1, ngx_live_record_set_str,
      offsetof(ngx_live_record_bucket_t, endpoint),
      NGX_LIVE_RECORD_IN_STORE, NULL },

    { ngx_string("region"), 1, 1, ngx_live_record_set_str,
      offsetof(ngx_live_record_bucket_t, region),
      NGX_LIVE_RECORD_IN_STORE, NULL },

    { ngx_string("bucket"), 1, 1, ngx_live_record_set_str,
      offsetof(ngx_live_record_bucket_t, bucket),
      NGX_LIVE_RECORD_IN_STORE, NULL },

    { ngx_string("credentials"), 1, 4, ngx_live_record_set_credentials, 0,
      NGX_LIVE_RECORD_IN_STORE, NULL },

    { ngx_string("metadata_endpoint"), 1, 1, ngx_live_record_set_str,
      offsetof(ngx_live_record_bucket_t, metadata_endpoint),
      NGX_LIVE_RECORD_IN_STORE, NULL },

    { ngx_string("signature"), 1, 1, ngx_live_record_set_enum,
      offsetof(ngx_live_record_bucket_t, signature),
      NGX_LIVE_RECORD_IN_OSS, ngx_live_record_signatures },

    { ngx_string("conditional_put"), 1, 1, ngx_live_record_set_flag,
      offsetof(ngx_live_record_bucket_t, conditional_put),
      NGX_LIVE_RECORD_IN_S3, NULL },

    { ngx_string("checksum"), 1, 1, ngx_live_record_set_enum,
      offsetof(ngx_live_record_bucket_t, checksum),
      NGX_LIVE_RECORD_IN_S3, ngx_live_record_checksums },

    { ngx_string("path_style"), 1, 1, ngx_live_record_set_enum,
      offsetof(ngx_live_record_bucket_t, style),
      NGX_LIVE_RECORD_IN_STORE, ngx_live_record_styles },

    { ngx_string("ca_file"), 1, 1, ngx_live_record_set_ca_file,
      offsetof(ngx_live_record_bucket_t, ca_file),
      NGX_LIVE_RECORD_IN_STORE, NULL },

    { ngx_string("ssl_verify"), 1, 1, ngx_live_record_set_flag,
      offsetof(ngx_live_record_bucket_t, ssl_verify),
      NGX_LIVE_RECORD_IN_STORE, NULL },

    { ngx_string("connections"), 1, 1, ngx_live_record_set_connections, 0,
      NGX_LIVE_RECORD_IN_ALL, NULL },

    { ngx_string("limit_rate"), 1, 1, ngx_live_record_set_limit_rate, 0,
      NGX_LIVE_RECORD_IN_ALL, NULL },

    { ngx_string("connect_timeout"), 1, 1, ngx_live_record_set_msec,
      offsetof(ngx_live_record_bucket_t, connect_timeout),
      NGX_LIVE_RECORD_IN_STORE, NULL },

    { ngx_string("timeout"), 1, 1, ngx_live_record_set_msec,
      offsetof(ngx_live_record_bucket_t, timeout),
      NGX_LIVE_RECORD_IN_STORE, NULL },

    { ngx_string("min_speed"), 1, 1, ngx_live_record_set_min_speed, 0,
      NGX_LIVE_RECORD_IN_STORE, NULL },

    { ngx_string("part_size"), 1, 1, ngx_live_record_set_part_size, 0,
      NGX_LIVE_RECORD_IN_STORE, NULL },

    { ngx_string("proxy"), 1, 1, ngx_live_record_set_proxy, 0,
      NGX_LIVE_RECORD_IN_STORE, NULL },

    { ngx_string("interface"), 1, 1, ngx_live_record_set_interface, 0,
      NGX_LIVE_RECORD_IN_STORE, NULL },

    { ngx_string("ssl_certificate"), 1, 1, ngx_live_record_set_conf_file,
      offsetof(ngx_live_record_bucket_t, certificate),
      NGX_LIVE_RECORD_IN_STORE, NULL },

    { ngx_string("ssl_certificate_key"), 1, 1, ngx_live_record_set_conf_file,
      offsetof(ngx_live_record_bucket_t, certificate_key),
      NGX_LIVE_RECORD_IN_STORE, NULL },

    { ngx_string("storage_class"), 1, 1, ngx_live_record_set_string,
      offsetof(ngx_live_record_bucket_t, object.storage_class),
      NGX_LIVE_RECORD_IN_STORE, NULL },

    { ngx_string("acl"), 1, 1, ngx_live_record_set_string,
      offsetof(ngx_live_record_bucket_t, object.acl),
      NGX_LIVE_RECORD_IN_STORE, NULL },

    { ngx_string("encryption"), 1, 2, ngx_live_record_set_encryption, 0,
      NGX_LIVE_RECORD_IN_STORE, NULL },

    { ngx_string("tagging"), 1, 10, ngx_live_record_set_tagging, 0,
      NGX_LIVE_RECORD_IN_STORE, NULL },

    { ngx_string("metadata"), 2, 2, ngx_live_record_set_metadata, 0,
      NGX_LIVE_RECORD_IN_STORE|NGX_LIVE_RECORD_MANY, NULL },

    { ngx_string("cache_control"), 2, 2, ngx_live_record_set_cache_control, 0,
      NGX_LIVE_RECORD_IN_STORE|NGX_LIVE_RECORD_MANY, NULL },

    { ngx_null_string, 0, 0, NULL, 0, 0, NULL }
};


char *
ngx_live_record_bucket(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_live_record_main_conf_t *lmcf = conf;

    char                       *rv;
    ngx_str_t                  *value;
    ngx_pool_cleanup_t         *cln;
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

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_live_record_bucket_cleanup;
    cln->data = b;

    rv = ngx_live_record_cred_create(cf, b);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    b->name = value[1];
    b->type = NGX_CONF_UNSET_UINT;
    b->fsync = NGX_CONF_UNSET;
    b->directio = NGX_CONF_UNSET;
    b->ssl_verify = NGX_CONF_UNSET;
    b->signature = NGX_CONF_UNSET_UINT;
    b->conditional_put = NGX_CONF_UNSET;
    b->checksum = NGX_CONF_UNSET_UINT;
    b->style = NGX_CONF_UNSET_UINT;
    b->connections = NGX_CONF_UNSET_UINT;
    b->connect_timeout = NGX_CONF_UNSET_MSEC;
    b->timeout = NGX_CONF_UNSET_MSEC;
    b->min_speed = NGX_CONF_UNSET_SIZE;
    b->part_size = NGX_CONF_UNSET;
    b->file = cf->conf_file->file.name.data;
    b->line = cf->conf_file->line;

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


static void
ngx_live_record_bucket_cleanup(void *data)
{
    ngx_live_record_bucket_t *b = data;

    ngx_live_record_store_free(b);
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
                           "it must be \"dir\", \"oss\" or \"s3\"",
                           &b->name);
        return NGX_CONF_ERROR;
    }

    o = ngx_live_record_bucket_options;

    for (i = 0; o[i].name.len; i++) {
        if ((seen & ((uint64_t) 1 << i)) && !(o[i].types & (1 << b->type))) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" has no meaning for \"type %V\" of "
                               "\"live_record_bucket\" \"%V\"",
                               &o[i].name,
                               &ngx_live_record_types[b->type].name,
                               &b->name);
            return NGX_CONF_ERROR;
        }
    }

    ngx_conf_init_value(b->fsync, 0);
    ngx_conf_init_value(b->directio, 1);
    ngx_conf_init_value(b->ssl_verify, 1);
    ngx_conf_init_uint_value(b->signature, 4);
    ngx_conf_init_value(b->conditional_put, 1);
    ngx_conf_init_uint_value(b->checksum, NGX_LIVE_RECORD_MD5);
    ngx_conf_init_uint_value(b->style, LR_URL_AUTO);
    ngx_conf_init_uint_value(b->connections,
                             b->type == NGX_LIVE_RECORD_DIR ? 4 : 16);
    ngx_conf_init_msec_value(b->connect_timeout, 10000);
    ngx_conf_init_msec_value(b->timeout, 60000);

    if (b->type != NGX_LIVE_RECORD_DIR) {
        return ngx_live_record_bucket_store(cf, b);
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
ngx_live_record_bucket_store(ngx_conf_t *cf, ngx_live_record_bucket_t *b)
{
    char        *rv;
    const char  *why, *missing;

    missing = NULL;

    if (b->type == NGX_LIVE_RECORD_S3) {

        if (b->region.len == 0) {
            missing = "region";

        } else if (b->endpoint.len == 0) {

            /* nobody has written what would be wrong with the endpoint */

            rv = ngx_live_record_bucket_region(cf, b);

            if (rv == NGX_CONF_OK) {
                rv = ngx_live_record_bucket_endpoint(cf, b);
            }

            if (rv != NGX_CONF_OK) {
                return rv;
            }
        }

    } else if (b->endpoint.len == 0) {
        missing = "endpoint";
    }

    if (missing == NULL) {
        missing = b->bucket.len == 0 ? "bucket"
                  : b->cred->type == NGX_LIVE_RECORD_CRED_NONE
                  ? "credentials" : NULL;
    }

    if (missing) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"live_record_bucket\" \"%V\" of \"type %V\" "
                           "needs \"%s\"", &b->name,
                           &ngx_live_record_types[b->type].name, missing);
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

    if (ngx_live_record_bucket_named(b)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" of \"endpoint\" in "
                           "\"live_record_bucket\" \"%V\": leave out the "
                           "bucket's name, \"%V.\", it is put before the "
                           "host", &b->endpoint, &b->name, &b->bucket);
        return NGX_CONF_ERROR;
    }

    rv = ngx_live_record_bucket_region(cf, b);

    if (rv == NGX_CONF_OK) {
        rv = ngx_live_record_store_check(cf, b);
    }

    return rv == NGX_CONF_OK ? ngx_live_record_check_credentials(cf, b) : rv;
}


/*
 * Whether the endpoint is the domain of the bucket, as consoles show it, and
 * not that of its region.  BUCKET.example.com may be a store's own name.
 */

static ngx_uint_t
ngx_live_record_bucket_named(ngx_live_record_bucket_t *b)
{
    u_char  *p, *last;

    if (b->style != LR_URL_VHOST || b->ep.host.len <= b->bucket.len
        || ngx_strncasecmp((u_char *) b->ep.host.data, b->bucket.data,
                           b->bucket.len)
           != 0)
    {
        return 0;
    }

    p = (u_char *) b->ep.host.data + b->bucket.len;
    last = (u_char *) b->ep.host.data + b->ep.host.len;

    if (*p++ != '.') {
        return 0;
    }

    p = ngx_strlchr(p, last, '.');

    return p && ngx_strlchr(p + 1, last, '.');
}


/* that of AWS itself, whose regions in China are another partition */

static char *
ngx_live_record_bucket_endpoint(ngx_conf_t *cf, ngx_live_record_bucket_t *b)
{
    size_t   size;
    u_char  *p;

    size = sizeof("https://s3..amazonaws.com.cn") + b->region.len;

    p = ngx_pnalloc(cf->pool, size);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    b->endpoint.data = p;

    p = ngx_snprintf(p, size - 1, "https://s3.%V.amazonaws.com%s", &b->region,
                     ngx_strncmp(b->region.data, "cn-", 3) == 0 ? ".cn" : "");
    *p = '\0';

    b->endpoint.len = p - b->endpoint.data;

    return NGX_CONF_OK;
}


static char *
ngx_live_record_bucket_region(ngx_conf_t *cf, ngx_live_record_bucket_t *b)
{
    u_char      *p, *end;
    ngx_uint_t   i;

    /* it becomes a part of a header, with slashes around it */

    for (i = 0; i < b->region.len; i++) {

        p = &b->region.data[i];

        if (*p <= ' ' || *p > '~' || *p == '/' || *p == ',') {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid value \"%V\" of \"region\" in "
                               "\"live_record_bucket\" \"%V\", it must be of "
                               "printable ASCII without space, \"/\" and "
                               "\",\"", &b->region, &b->name);
            return NGX_CONF_ERROR;
        }
    }

    if (b->region.len) {
        return NGX_CONF_OK;
    }

    if (b->signature == 1) {
        b->region.data = (u_char *) "";
        return NGX_CONF_OK;
    }

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
ngx_live_record_set_limit_rate(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data)
{
    ngx_live_record_bucket_t *b = data;

    ssize_t     n;
    ngx_str_t  *value;

    value = cf->args->elts;
    n = ngx_parse_size(&value[1]);

    if (n == NGX_ERROR || (n != 0 && n < NGX_LIVE_RECORD_RATE)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" of \"limit_rate\", it "
                           "must be 0 or at least 16k, in k or m", &value[1]);
        return NGX_CONF_ERROR;
    }

    b->limit_rate = (size_t) n;

    return NGX_CONF_OK;
}
