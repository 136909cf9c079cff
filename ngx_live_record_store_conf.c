
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Settings of a live_record_bucket of type oss or s3 that are not about who
 * asks for what: how objects are to be, and how the store is reached.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <curl/curl.h>
#include <net/if.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "ngx_live_record_block.h"


#define NGX_LIVE_RECORD_PART_MAX  (1024 * 1024 * 1024)

/* a certificate with all of its chain, or a key */
#define NGX_LIVE_RECORD_PEM_MAX   (256 * 1024)


static char *ngx_live_record_store_proxy(ngx_conf_t *cf,
    ngx_live_record_bucket_t *b);
static u_char *ngx_live_record_store_env(const char *name,
    const char *other);
static ngx_uint_t ngx_live_record_store_is_proxy(const char *url,
    unsigned flags);
static char *ngx_live_record_store_ssl(ngx_conf_t *cf,
    ngx_live_record_bucket_t *b);
static char *ngx_live_record_store_read(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *text);
static const char *ngx_live_record_store_pair(ngx_live_record_bucket_t *b);
static int ngx_live_record_store_password(char *buf, int size, int rw,
    void *data);
static ngx_uint_t ngx_live_record_store_is_device(ngx_str_t *name);
static char *ngx_live_record_store_wrong(ngx_conf_t *cf,
    ngx_live_record_bucket_t *b, const char *err);


char *
ngx_live_record_store_check(ngx_conf_t *cf, ngx_live_record_bucket_t *b)
{
    char         err[LR_OBJECT_ERR_LEN], *rv;
    off_t        min;
    const char  *range;

    if (lr_object_check(&b->object, b->type == NGX_LIVE_RECORD_S3
                                    ? LR_OBJECT_S3 : LR_OBJECT_OSS, err)
        != LR_OK)
    {
        return ngx_live_record_store_wrong(cf, b, err);
    }

    if (b->type == NGX_LIVE_RECORD_S3) {
        min = NGX_LIVE_RECORD_S3_PART_MIN;
        range = "between 5m and 1g for \"type s3\"";

    } else {
        min = NGX_LIVE_RECORD_OSS_PART_MIN;
        range = "between 100k and 1g for \"type oss\"";
    }

    if (b->part_size == NGX_CONF_UNSET) {
        b->part_size = min;
    }

    if (b->part_size < min || b->part_size > NGX_LIVE_RECORD_PART_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value of \"part_size\" in "
                           "\"live_record_bucket\" \"%V\": %O bytes, it must "
                           "be %s", &b->name, b->part_size, range);
        return NGX_CONF_ERROR;
    }

    ngx_conf_init_size_value(b->min_speed, 1024);

    rv = ngx_live_record_store_proxy(cf, b);

    return rv == NGX_CONF_OK ? ngx_live_record_store_ssl(cf, b) : rv;
}


void
ngx_live_record_store_free(ngx_live_record_bucket_t *b)
{
    lr_object_free(&b->object);

    if (b->certificate_key_pem.len) {
        OPENSSL_cleanse(b->certificate_key_pem.data,
                        b->certificate_key_pem.len);
    }
}


/* of the environment that nginx was started with: workers have none */

static char *
ngx_live_record_store_proxy(ngx_conf_t *cf, ngx_live_record_bucket_t *b)
{
    u_char      *p;
    ngx_str_t    s;
    const char  *name, *upper;

    if (!b->proxy_env) {
        return NGX_CONF_OK;
    }

    name = b->ep.https ? "https_proxy" : "http_proxy";

    /* HTTP_PROXY is what a header of a request to a CGI would become */

    upper = b->ep.https ? "HTTPS_PROXY" : NULL;

    p = ngx_live_record_store_env(name, upper);

    if (p == NULL) {
        name = "all_proxy";
        p = ngx_live_record_store_env(name, "ALL_PROXY");
    }

    if (p == NULL) {
        return NGX_CONF_OK;
    }

    /* where it is for curl, HOST:PORT will do */

    if (!ngx_live_record_store_is_proxy((char *) p, CURLU_GUESS_SCHEME)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"proxy env\" of \"live_record_bucket\" \"%V\": "
                           "\"%s\" of the environment is no URL of a proxy",
                           &b->name, name);
        return NGX_CONF_ERROR;
    }

    s.data = p;
    s.len = ngx_strlen(p) + 1;

    b->proxy.data = ngx_pstrdup(cf->pool, &s);
    if (b->proxy.data == NULL) {
        return NGX_CONF_ERROR;
    }

    b->proxy.len = s.len - 1;

    p = ngx_live_record_store_env("no_proxy", "NO_PROXY");

    if (p == NULL) {
        return NGX_CONF_OK;
    }

    s.data = p;
    s.len = ngx_strlen(p) + 1;

    b->no_proxy.data = ngx_pstrdup(cf->pool, &s);
    if (b->no_proxy.data == NULL) {
        return NGX_CONF_ERROR;
    }

    b->no_proxy.len = s.len - 1;

    return NGX_CONF_OK;
}


static u_char *
ngx_live_record_store_env(const char *name, const char *other)
{
    char  *p;

    p = getenv(name);

    if ((p == NULL || *p == '\0') && other) {
        p = getenv(other);
    }

    return p && *p ? (u_char *) p : NULL;
}


static ngx_uint_t
ngx_live_record_store_is_proxy(const char *url, unsigned flags)
{
    char        *scheme, *path, *query;
    CURLU       *u;
    ngx_uint_t   i, ok;

    static const char *const  schemes[] = {
        "http", "https", "socks5", "socks5h", NULL
    };

    u = curl_url();
    if (u == NULL) {
        return 0;
    }

    scheme = NULL;
    path = NULL;
    query = NULL;
    ok = 0;

    if (curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME | flags)
        == CURLUE_OK
        && curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK
        && curl_url_get(u, CURLUPART_PATH, &path, 0) == CURLUE_OK
        && strcmp(path, "/") == 0
        && curl_url_get(u, CURLUPART_QUERY, &query, 0) == CURLUE_NO_QUERY)
    {
        for (i = 0; schemes[i]; i++) {
            ok |= strcmp(schemes[i], scheme) == 0;
        }
    }

    curl_free(scheme);
    curl_free(path);
    curl_free(query);
    curl_url_cleanup(u);

    return ok;
}


/* read now, and not by each connection: as nginx itself does it */

static char *
ngx_live_record_store_ssl(ngx_conf_t *cf, ngx_live_record_bucket_t *b)
{
    char        *rv;
    const char  *why;

    if (b->certificate.len == 0) {

        if (b->certificate_key.len == 0) {
            return NGX_CONF_OK;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"ssl_certificate_key\" of "
                           "\"live_record_bucket\" \"%V\" needs "
                           "\"ssl_certificate\"", &b->name);
        return NGX_CONF_ERROR;
    }

    if (b->certificate_key.len == 0) {
        b->certificate_key = b->certificate;
    }

    rv = ngx_live_record_store_read(cf, &b->certificate, &b->certificate_pem);

    if (rv == NGX_CONF_OK) {
        rv = ngx_live_record_store_read(cf, &b->certificate_key,
                                        &b->certificate_key_pem);
    }

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    why = ngx_live_record_store_pair(b);

    if (why) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"ssl_certificate\" \"%V\" with "
                           "\"ssl_certificate_key\" \"%V\" of "
                           "\"live_record_bucket\" \"%V\": %s",
                           &b->certificate, &b->certificate_key, &b->name,
                           why);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_live_record_store_read(ngx_conf_t *cf, ngx_str_t *name, ngx_str_t *text)
{
    ssize_t          n;
    ngx_fd_t         fd;
    ngx_err_t        err;
    ngx_file_info_t  fi;

    fd = ngx_open_file(name->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", name);
        return NGX_CONF_ERROR;
    }

    n = -1;
    err = 0;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        err = ngx_errno;

    } else if (ngx_file_size(&fi) <= NGX_LIVE_RECORD_PEM_MAX) {

        text->data = ngx_pnalloc(cf->pool, NGX_LIVE_RECORD_PEM_MAX);

        if (text->data) {
            n = ngx_read_fd(fd, text->data, NGX_LIVE_RECORD_PEM_MAX);
            err = n == -1 ? ngx_errno : 0;
        }
    }

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", name);
    }

    if (n == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, err,
                           "\"%V\" cannot be read, or is larger than 256k",
                           name);
        return NGX_CONF_ERROR;
    }

    text->len = n;

    return NGX_CONF_OK;
}


/* a text if the certificate and the key do not go together */

static const char *
ngx_live_record_store_pair(ngx_live_record_bucket_t *b)
{
    BIO         *cert, *key;
    X509        *x509;
    EVP_PKEY    *pkey;
    const char  *why;

    why = NULL;
    x509 = NULL;
    pkey = NULL;

    cert = BIO_new_mem_buf(b->certificate_pem.data,
                           (int) b->certificate_pem.len);
    key = BIO_new_mem_buf(b->certificate_key_pem.data,
                          (int) b->certificate_key_pem.len);

    if (cert && key) {
        x509 = PEM_read_bio_X509(cert, NULL, NULL, NULL);
        pkey = PEM_read_bio_PrivateKey(key, NULL,
                                       ngx_live_record_store_password, NULL);
    }

    if (x509 == NULL) {
        why = "there is no PEM of a certificate in the first";

    } else if (pkey == NULL) {
        why = "there is no PEM of a key without a password in the second";

    } else if (X509_check_private_key(x509, pkey) != 1) {
        why = "the key is not that of the certificate";
    }

    X509_free(x509);
    EVP_PKEY_free(pkey);
    BIO_free(cert);
    BIO_free(key);

    /* nobody else is to find these */

    ERR_clear_error();

    return why;
}


/* nobody is there to be asked */

static int
ngx_live_record_store_password(char *buf, int size, int rw, void *data)
{
    return -1;
}


static char *
ngx_live_record_store_wrong(ngx_conf_t *cf, ngx_live_record_bucket_t *b,
    const char *err)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"live_record_bucket\" \"%V\": %s", &b->name, err);

    return NGX_CONF_ERROR;
}


char *
ngx_live_record_set_ca_file(ngx_conf_t *cf, ngx_live_record_option_t *option,
    void *data)
{
    ngx_live_record_bucket_t *b = data;

    char  *rv;

    rv = ngx_live_record_set_conf_file(cf, option, data);

    return rv == NGX_CONF_OK
           ? ngx_live_record_ca_check(cf, &b->ca_file, "live_record_bucket")
           : rv;
}


/* curl reads it by itself, and would tell of it with the first request */

char *
ngx_live_record_ca_check(ngx_conf_t *cf, ngx_str_t *name,
    const char *directive)
{
    BIO        *bio;
    X509       *x509;
    ngx_err_t   err;

    bio = BIO_new_file((char *) name->data, "r");
    err = ngx_errno;

    x509 = bio ? PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL) : NULL;

    /* nobody else is to find these */

    ERR_clear_error();

    if (bio == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, err,
                           "\"ca_file\" \"%V\" of \"%s\" cannot be read",
                           name, directive);
        return NGX_CONF_ERROR;
    }

    BIO_free(bio);

    if (x509 == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "there is no PEM of a certificate in \"ca_file\" "
                           "\"%V\" of \"%s\"", name, directive);
        return NGX_CONF_ERROR;
    }

    X509_free(x509);

    return NGX_CONF_OK;
}


char *
ngx_live_record_set_encryption(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data)
{
    ngx_live_record_bucket_t *b = data;

    ngx_str_t  *value;

    value = cf->args->elts;

    b->object.encryption = (char *) value[1].data;

    if (cf->args->nelts == 3) {
        b->object.key_id = (char *) value[2].data;
    }

    return NGX_CONF_OK;
}


char *
ngx_live_record_set_tagging(ngx_conf_t *cf, ngx_live_record_option_t *option,
    void *data)
{
    ngx_live_record_bucket_t *b = data;

    char         err[LR_OBJECT_ERR_LEN];
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        if (lr_object_tag(&b->object, (char *) value[i].data, err) != LR_OK) {
            return ngx_live_record_store_wrong(cf, b, err);
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_live_record_set_metadata(ngx_conf_t *cf, ngx_live_record_option_t *option,
    void *data)
{
    ngx_live_record_bucket_t *b = data;

    char        err[LR_OBJECT_ERR_LEN];
    ngx_str_t  *value;

    value = cf->args->elts;

    if (lr_object_meta(&b->object, (char *) value[1].data,
                       (char *) value[2].data, err)
        != LR_OK)
    {
        return ngx_live_record_store_wrong(cf, b, err);
    }

    return NGX_CONF_OK;
}


char *
ngx_live_record_set_cache_control(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data)
{
    ngx_live_record_bucket_t *b = data;

    char        err[LR_OBJECT_ERR_LEN];
    ngx_str_t  *value;

    value = cf->args->elts;

    if (lr_object_cache(&b->object, (char *) value[1].data,
                        (char *) value[2].data, err)
        != LR_OK)
    {
        return ngx_live_record_store_wrong(cf, b, err);
    }

    return NGX_CONF_OK;
}


char *
ngx_live_record_set_part_size(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data)
{
    ngx_live_record_bucket_t *b = data;

    ngx_str_t  *value;

    value = cf->args->elts;

    /* what it may be depends on the type */

    b->part_size = ngx_parse_offset(&value[1]);

    if (b->part_size == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" of \"part_size\", it must "
                           "be a size from 100k, for \"type s3\" from 5m, to "
                           "1g", &value[1]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_live_record_set_min_speed(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data)
{
    ngx_live_record_bucket_t *b = data;

    ssize_t     n;
    ngx_str_t  *value;

    value = cf->args->elts;
    n = ngx_parse_size(&value[1]);

    if (n == NGX_ERROR || n < 1 || n > 100 * 1024 * 1024) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" of \"min_speed\", it must "
                           "be between %s", &value[1], "1 and 100m");
        return NGX_CONF_ERROR;
    }

    b->min_speed = n;

    return NGX_CONF_OK;
}


char *
ngx_live_record_set_proxy(ngx_conf_t *cf, ngx_live_record_option_t *option,
    void *data)
{
    ngx_live_record_bucket_t *b = data;

    ngx_str_t  *value;

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "env") == 0) {
        b->proxy_env = 1;
        return NGX_CONF_OK;
    }

    /* there may be a password in it: it is not told */

    if (!ngx_live_record_store_is_proxy((char *) value[1].data, 0)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value of \"proxy\", it must be \"off\", "
                           "\"env\" or "
                           "\"http[s]://[USER:PASSWORD@]HOST[:PORT]\", or "
                           "with \"socks5\" or \"socks5h\"");
        return NGX_CONF_ERROR;
    }

    b->proxy = value[1];

    return NGX_CONF_OK;
}


/* becomes what libcurl takes, so that it never looks up a name of a host */

char *
ngx_live_record_set_interface(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data)
{
    ngx_live_record_bucket_t *b = data;

    ngx_str_t   *value;
    ngx_addr_t   addr;
    const char  *kind;

    value = cf->args->elts;

    if (ngx_parse_addr(cf->pool, &addr, value[1].data, value[1].len)
        == NGX_OK)
    {
        kind = "host";

    } else if (ngx_live_record_store_is_device(&value[1])) {
        kind = "if";

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" of \"interface\", it "
                           "must be an IP address of this machine or the "
                           "name of an interface", &value[1]);
        return NGX_CONF_ERROR;
    }

    b->interface.len = ngx_strlen(kind) + 1 + value[1].len;

    b->interface.data = ngx_pnalloc(cf->pool, b->interface.len + 1);
    if (b->interface.data == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_sprintf(b->interface.data, "%s!%V%Z", kind, &value[1]);

    return NGX_CONF_OK;
}


static ngx_uint_t
ngx_live_record_store_is_device(ngx_str_t *name)
{
    size_t   i;
    u_char  *p;

    p = name->data;

    for (i = 0; i < name->len; i++) {
        if (p[i] <= ' ' || p[i] > '~' || p[i] == '/' || p[i] == '!') {
            return 0;
        }
    }

    return name->len > 0 && name->len < IFNAMSIZ;
}
