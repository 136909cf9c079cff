
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The settings of a bucket's credentials.  What stands there may be a
 * secret: no message repeats it.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_live_record_cred.h"


static void ngx_live_record_cred_cleanup(void *data);
static char *ngx_live_record_check_role(ngx_conf_t *cf,
    ngx_live_record_bucket_t *b);
static char *ngx_live_record_check_endpoint(ngx_conf_t *cf,
    ngx_live_record_bucket_t *b);
static char *ngx_live_record_check_env(ngx_conf_t *cf,
    ngx_live_record_bucket_t *b);
static char *ngx_live_record_check_file(ngx_conf_t *cf,
    ngx_live_record_bucket_t *b);


char *
ngx_live_record_cred_create(ngx_conf_t *cf, ngx_live_record_bucket_t *b)
{
    ngx_pool_cleanup_t      *cln;
    ngx_live_record_cred_t  *cred;

    cred = ngx_pcalloc(cf->pool, sizeof(ngx_live_record_cred_t));
    if (cred == NULL) {
        return NGX_CONF_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_live_record_cred_cleanup;
    cln->data = cred;

    cred->bucket = b;
    ngx_queue_init(&cred->waiting);

    b->cred = cred;

    return NGX_CONF_OK;
}


/* keys are not left behind in memory that is given back */

static void
ngx_live_record_cred_cleanup(void *data)
{
    ngx_live_record_cred_t *cred = data;

    lr_cred_free(&cred->key);
}


char *
ngx_live_record_set_credentials(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data)
{
    ngx_live_record_bucket_t *b = data;

    char                     err[LR_CRED_ERR_LEN];
    ngx_str_t               *value;
    ngx_uint_t               n;
    ngx_live_record_cred_t  *cred;

    value = cf->args->elts;
    n = cf->args->nelts - 1;
    cred = b->cred;

    if (ngx_strcmp(value[1].data, "env") == 0 && n == 1) {
        cred->type = NGX_LIVE_RECORD_CRED_ENV;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "ecs_role") == 0 && n <= 2) {
        cred->type = NGX_LIVE_RECORD_CRED_ROLE;

        if (n == 2) {
            cred->role = value[2];
        }

        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "file") == 0 && (n == 2 || n == 3)) {
        cred->type = NGX_LIVE_RECORD_CRED_FILE;
        cred->path = value[2];

        if (ngx_conf_full_name(cf->cycle, &cred->path, 1) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

        if (n == 3) {
            cred->profile = value[3];
        }

        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "key") == 0 && (n == 3 || n == 4)) {
        cred->type = NGX_LIVE_RECORD_CRED_KEY;

        if (lr_cred_set(&cred->key, (char *) value[2].data,
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

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid \"credentials\", it must be \"env\", "
                       "\"file PATH [PROFILE]\", \"ecs_role [NAME]\" or "
                       "\"key ID SECRET [TOKEN]\"");

    return NGX_CONF_ERROR;
}


char *
ngx_live_record_check_credentials(ngx_conf_t *cf, ngx_live_record_bucket_t *b)
{
    if (b->metadata_endpoint.len
        && b->cred->type != NGX_LIVE_RECORD_CRED_ROLE)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"metadata_endpoint\" of \"live_record_bucket\" "
                           "\"%V\" has no meaning without \"credentials "
                           "ecs_role\"", &b->name);
        return NGX_CONF_ERROR;
    }

    switch (b->cred->type) {

    case NGX_LIVE_RECORD_CRED_ENV:
        return ngx_live_record_check_env(cf, b);

    case NGX_LIVE_RECORD_CRED_FILE:
        return ngx_live_record_check_file(cf, b);

    case NGX_LIVE_RECORD_CRED_ROLE:
        return ngx_live_record_check_role(cf, b);

    default:
        return NGX_CONF_OK;
    }
}


/* whether there is a role is known on the machine alone, and may change */

static char *
ngx_live_record_check_role(ngx_conf_t *cf, ngx_live_record_bucket_t *b)
{
    int                      rc;
    char                     err[LR_CRED_ERR_LEN];
    lr_metadata_t            m;
    lr_metadata_kind_e       kind;
    ngx_live_record_cred_t  *cred;

    cred = b->cred;
    kind = b->type == NGX_LIVE_RECORD_S3 ? LR_METADATA_AWS : LR_METADATA_ECS;

    if (cred->role.data) {

        ngx_memzero(&m, sizeof(lr_metadata_t));

        rc = lr_metadata_begin(&m, kind, (char *) cred->role.data, err);

        lr_metadata_free(&m);

        if (rc != LR_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid value \"%V\" of \"credentials "
                               "ecs_role\": %s", &cred->role, err);
            return NGX_CONF_ERROR;
        }
    }

    if (b->metadata_endpoint.len) {
        return ngx_live_record_check_endpoint(cf, b);
    }

    cred->endpoint.data = (u_char *) lr_metadata_endpoint(kind);
    cred->endpoint.len = ngx_strlen(cred->endpoint.data);

    return NGX_CONF_OK;
}


static char *
ngx_live_record_check_endpoint(ngx_conf_t *cf, ngx_live_record_bucket_t *b)
{
    ngx_str_t          *url;
    const char         *why;
    lr_url_endpoint_t   ep;

    url = &b->metadata_endpoint;

    if (ngx_strncmp(url->data, "http://", 7) != 0
        && ngx_strncmp(url->data, "https://", 8) != 0)
    {
        why = "it must begin with http:// or https://";

    } else if (lr_url_endpoint(&ep, (char *) url->data, &why) == LR_OK) {

        /* paths are put behind it */

        if (url->data[url->len - 1] == '/') {
            url->data[--url->len] = '\0';
        }

        b->cred->endpoint = *url;

        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid value \"%V\" of \"metadata_endpoint\" in "
                       "\"live_record_bucket\" \"%V\": %s", url, &b->name,
                       why);

    return NGX_CONF_ERROR;
}


static char *
ngx_live_record_check_env(ngx_conf_t *cf, ngx_live_record_bucket_t *b)
{
    int          rc;
    char         err[LR_CRED_ERR_LEN];
    const char  *names;

    if (b->type == NGX_LIVE_RECORD_S3) {
        rc = lr_cred_env_aws(&b->cred->key, NULL, NULL, err);
        names = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";

    } else {
        rc = lr_cred_env(&b->cred->key, NULL, NULL, err);
        names = "OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET, or "
                "ALIBABA_CLOUD_ACCESS_KEY_ID and "
                "ALIBABA_CLOUD_ACCESS_KEY_SECRET";
    }

    if (rc == LR_OK) {
        return NGX_CONF_OK;
    }

    /* what counts is the environment of nginx itself */

    if (ngx_test_config || ngx_process == NGX_PROCESS_SIGNALLER) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"credentials env\" of \"live_record_bucket\" "
                           "\"%V\": there are none in the environment of "
                           "this command", &b->name);
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"credentials env\" of \"live_record_bucket\" "
                       "\"%V\": nginx was started without a pair of %s",
                       &b->name, names);

    return NGX_CONF_ERROR;
}


/* the workers read the file themselves, whenever it changes */

static char *
ngx_live_record_check_file(ngx_conf_t *cf, ngx_live_record_bucket_t *b)
{
    int                           rc;
    ngx_live_record_cred_t       *cred;
    ngx_live_record_cred_file_t   f;

    cred = b->cred;

    ngx_memzero(&f, sizeof(ngx_live_record_cred_file_t));

    rc = ngx_live_record_cred_read(&f, (char *) cred->path.data,
                                   (char *) cred->profile.data, 1);

    lr_cred_free(&f.key);

    if (rc != LR_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"credentials file\" of \"live_record_bucket\" "
                           "\"%V\": %s", &b->name, f.err);
        return NGX_CONF_ERROR;
    }

    if (f.others) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"%V\" of \"credentials file\" can be read by "
                           "others, \"chmod o-r\" it", &cred->path);
    }

    /* the workers tell when it becomes so */

    cred->others = f.others;

    return NGX_CONF_OK;
}
