
/*
 * Copyright (C) the ngx_live_record authors
 *
 * One question to the store: its address, its signature, libcurl's handle,
 * and what libcurl calls to send it and to take the answer.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_live_record_limit.h"


/* an answer that is not an object */
#define NGX_LIVE_RECORD_OSS_ANSWER  (4 * 1024 * 1024)


static ngx_int_t ngx_live_record_oss_signed(ngx_live_record_oss_t *t);
static ngx_int_t ngx_live_record_oss_lines(ngx_live_record_oss_t *t);
static ngx_int_t ngx_live_record_oss_line(ngx_live_record_oss_t *t,
    const char *line);
static ngx_int_t ngx_live_record_oss_setup(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_route(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_method(ngx_live_record_oss_t *t);
static size_t ngx_live_record_oss_read(char *p, size_t size, size_t n,
    void *data);
static int ngx_live_record_oss_seek(void *data, curl_off_t offset,
    int origin);
static size_t ngx_live_record_oss_write(char *p, size_t size, size_t n,
    void *data);
static size_t ngx_live_record_oss_take(char *p, size_t size, size_t n,
    void *data);
static void ngx_live_record_oss_etag(ngx_live_record_oss_t *t,
    const char *p, size_t n);
static void ngx_live_record_oss_done(void *data, CURLcode rc);


void
ngx_live_record_oss_ask(ngx_live_record_oss_t *t, const char *method,
    const char *what, const char *key, ngx_live_record_oss_pt handler)
{
    ngx_live_record_oss_clear(t);

    t->method = method;
    t->what = what;
    t->key = key;
    t->handler = handler;
}


void
ngx_live_record_oss_param(ngx_live_record_oss_t *t, const char *name,
    const char *value)
{
    t->params[t->nparams].name = name;
    t->params[t->nparams++].value = value;
}


void
ngx_live_record_oss_set_header(ngx_live_record_oss_t *t, const char *name,
    const char *value)
{
    t->asked[t->nasked].name = name;
    t->asked[t->nasked++].value = value;
}


void
ngx_live_record_oss_send(ngx_live_record_oss_t *t)
{
    ngx_live_record_bucket_t  *b;

    b = t->req->bucket;

    t->curl.handler = ngx_live_record_oss_done;
    t->curl.data = t;

    if (t->text.failed
        || lr_url_build(&t->url, &b->ep, b->style, (char *) b->bucket.data,
                        t->key, t->params, t->nparams)
           != LR_OK
        || ngx_live_record_oss_signed(t) != NGX_OK
        || ngx_live_record_oss_lines(t) != NGX_OK
        || ngx_live_record_oss_setup(t) != NGX_OK
        || ngx_live_record_curl_start(t->easy, &t->curl) != NGX_OK)
    {
        ngx_live_record_oss_fail(t, LR_RETRY_AGAIN, "no memory");
        return;
    }

    t->started = 1;
}


static ngx_int_t
ngx_live_record_oss_signed(ngx_live_record_oss_t *t)
{
    lr_sign_t                      sign;
    ngx_live_record_bucket_t      *b;
    ngx_live_record_oss_client_t  *client;

    b = t->req->bucket;
    client = b->client;

    ngx_memzero(&sign, sizeof(lr_sign_t));

    sign.method = t->method;
    sign.bucket = (char *) b->bucket.data;
    sign.key = t->key;
    sign.query = t->params;
    sign.nquery = t->nparams;
    sign.headers = t->asked;
    sign.nheaders = t->nasked;
    sign.cred = &b->cred->key;
    sign.region = b->told[0] ? b->told : (char *) b->region.data;
    sign.time = ngx_time() + (time_t) b->skew;
    t->skew = b->skew;
    t->serial = b->cred->serial;
    ngx_cpystrn((u_char *) t->region, (u_char *) sign.region,
                sizeof(t->region));

    return t->dialect->sign(t, &sign, &client->cache);
}


static ngx_int_t
ngx_live_record_oss_lines(ngx_live_record_oss_t *t)
{
    size_t     i;
    lr_buf_t   line;
    ngx_int_t  rc;

    /* no 100-continue: a refusal is rare, a round trip is not */

    rc = ngx_live_record_oss_line(t, "Expect:");

    ngx_memzero(&line, sizeof(lr_buf_t));

    for (i = 0; rc == NGX_OK && i < t->nasked; i++) {
        line.len = 0;
        lr_buf_printf(&line, "%s: %s", t->asked[i].name, t->asked[i].value);
        lr_buf_append(&line, "", 1);

        rc = line.failed ? NGX_ERROR
                         : ngx_live_record_oss_line(t, (char *) line.data);
    }

    lr_buf_free(&line);

    for (i = 0; rc == NGX_OK && i < t->sig.n; i++) {
        rc = ngx_live_record_oss_line(t, t->sig.line[i]);
    }

    return rc;
}


static ngx_int_t
ngx_live_record_oss_line(ngx_live_record_oss_t *t, const char *line)
{
    struct curl_slist  *list;

    list = curl_slist_append(t->headers, line);
    if (list == NULL) {
        return NGX_ERROR;
    }

    t->headers = list;

    return NGX_OK;
}


static ngx_int_t
ngx_live_record_oss_setup(ngx_live_record_oss_t *t)
{
    CURL  *e;

    /*
     * Not the last one again: libcurl, since 7.83.0 and until its change
     * 11103, goes on with a header of the answer before, which it has freed,
     * if the next one begins with a line that is folded.  The connection is
     * kept in any case.
     */

    if (t->easy) {
        curl_easy_cleanup(t->easy);
    }

    t->easy = curl_easy_init();

    if (t->easy == NULL) {
        return NGX_ERROR;
    }

    e = t->easy;

    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->curl_err);
    curl_easy_setopt(e, CURLOPT_URL, (char *) t->url.data);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, t->headers);
    curl_easy_setopt(e, CURLOPT_USERAGENT, "ngx_live_record");
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);

    /* else a transfer's end waits for a resolver that does not answer */

    curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);

    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, ngx_live_record_oss_write);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, (void *) t);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, ngx_live_record_oss_take);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, (void *) t);

    if (t->fresh) {

        /* libcurl sends again what a kept connection has broken at */

        curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
    }

    ngx_live_record_oss_route(t);
    ngx_live_record_oss_method(t);

    return NGX_OK;
}


/* the way to the store, and how long it may take */

static void
ngx_live_record_oss_route(ngx_live_record_oss_t *t)
{
    CURL                      *e;
    struct curl_blob           blob;
    ngx_live_record_bucket_t  *b;

    e = t->easy;
    b = t->req->bucket;

    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS,
                     (long) b->connect_timeout);

    /*
     * A time with too few bytes, not a time for the whole.  A store that is
     * busy with what it was told may send one now and then, to show that it
     * is there still; so only what is to move bytes has to be fast.  And
     * nobody is given up for being as slow as we make him.
     */

    curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT,
                     t->send || t->sum == NGX_LIVE_RECORD_OSS_GOT
                     ? (long) ngx_live_record_limit_least(b) : 1L);
    curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, (long) (b->timeout / 1000));

    /* what the environment says counts only where it was asked for */

    curl_easy_setopt(e, CURLOPT_PROXY,
                     b->proxy.len ? (char *) b->proxy.data : "");
    curl_easy_setopt(e, CURLOPT_NOPROXY,
                     b->no_proxy.len ? (char *) b->no_proxy.data : "");
    curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);

    if (b->interface.len) {
        curl_easy_setopt(e, CURLOPT_INTERFACE, (char *) b->interface.data);
    }

    curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, b->ssl_verify ? 1L : 0L);
    curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, b->ssl_verify ? 2L : 0L);

    if (b->ca_file.len) {
        curl_easy_setopt(e, CURLOPT_CAINFO, (char *) b->ca_file.data);
    }

    if (b->certificate_pem.len) {
        blob.flags = CURL_BLOB_NOCOPY;

        blob.data = b->certificate_pem.data;
        blob.len = b->certificate_pem.len;
        curl_easy_setopt(e, CURLOPT_SSLCERT_BLOB, &blob);

        blob.data = b->certificate_key_pem.data;
        blob.len = b->certificate_key_pem.len;
        curl_easy_setopt(e, CURLOPT_SSLKEY_BLOB, &blob);
    }
}


static void
ngx_live_record_oss_method(ngx_live_record_oss_t *t)
{
    CURL  *e;

    e = t->easy;

    switch (t->method[0]) {

    case 'D':
        curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, t->method);
        break;

    case 'H':
        curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
        break;

    case 'P':

        if (t->method[1] == 'O') {

            /* libcurl takes it from there and does not copy it */

            curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE,
                             (curl_off_t) t->text.len);
            curl_easy_setopt(e, CURLOPT_POSTFIELDS,
                             t->text.len ? (char *) t->text.data : "");
            break;
        }

        curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE, 131072L);
        curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE,
                         (curl_off_t) (t->send ? t->req->body.size : 0));
        curl_easy_setopt(e, CURLOPT_READFUNCTION, ngx_live_record_oss_read);
        curl_easy_setopt(e, CURLOPT_READDATA, (void *) t);
        curl_easy_setopt(e, CURLOPT_SEEKFUNCTION, ngx_live_record_oss_seek);
        curl_easy_setopt(e, CURLOPT_SEEKDATA, (void *) t);
        break;

    default:
        break;
    }
}


static size_t
ngx_live_record_oss_read(char *p, size_t size, size_t n, void *data)
{
    ngx_live_record_oss_t *t = data;

    size_t  len;

    if (!t->send) {
        return 0;
    }

    if (t->thread || t->paused) {
        return CURL_READFUNC_PAUSE;
    }

    if (t->rc != LR_OK) {
        return CURL_READFUNC_ABORT;
    }

    if (t->pos < t->len) {
        len = ngx_min(size * n, t->len - t->pos);
        len = ngx_live_record_limit(t, len);

        if (len == 0) {
            return CURL_READFUNC_PAUSE;
        }

        ngx_memcpy(p, t->piece + t->pos, len);
        t->pos += len;
        return len;
    }

    if (t->end) {
        return 0;
    }

    return ngx_live_record_oss_next(t) == NGX_OK ? CURL_READFUNC_PAUSE
                                                 : CURL_READFUNC_ABORT;
}


/* a kept connection that turned out dead is replaced by a new one */

static int
ngx_live_record_oss_seek(void *data, curl_off_t offset, int origin)
{
    ngx_live_record_oss_t *t = data;

    if (!t->send) {
        return CURL_SEEKFUNC_OK;
    }

    if (origin != SEEK_SET || offset != 0 || t->thread
        || t->req->body.done != t->len)
    {
        return CURL_SEEKFUNC_FAIL;
    }

    t->pos = 0;

    return CURL_SEEKFUNC_OK;
}


static size_t
ngx_live_record_oss_write(char *p, size_t size, size_t n, void *data)
{
    ngx_live_record_oss_t *t = data;

    size_t  max;

    max = t->req->op == NGX_LIVE_RECORD_GET ? NGX_LIVE_RECORD_GET_MAX
                                            : NGX_LIVE_RECORD_OSS_ANSWER;

    if (t->answer.len + size * n > max) {
        return 0;
    }

    if (t->sum == NGX_LIVE_RECORD_OSS_GOT && t->dialect->got) {
        t->dialect->got(t, p, size * n);
    }

    lr_buf_append(&t->answer, p, size * n);

    return t->answer.failed ? 0 : size * n;
}


static size_t
ngx_live_record_oss_take(char *p, size_t size, size_t n, void *data)
{
    ngx_live_record_oss_t *t = data;

    size_t       len;
    ngx_int_t    v;
    const char  *value;

    n *= size;

    if (n > 5 && memcmp(p, "HTTP/", 5) == 0) {

        /* the headers of another answer, e.g. behind a 100 */

        t->whole = 0;
        t->has_crc = 0;
        t->has_nvme = 0;
        t->has_length = 0;
        t->etag[0] = '\0';
        t->type[0] = '\0';
        t->encryption[0] = '\0';
        t->tag[0] = '\0';

    } else if (p[0] == '\r' || p[0] == '\n') {
        t->whole = 1;

    } else if (ngx_live_record_oss_is(p, n, "content-length", &value, &len))
    {
        v = ngx_atoof((u_char *) value, len);

        if (v != NGX_ERROR) {
            t->length = (uint64_t) v;
            t->has_length = 1;
        }

    } else if (ngx_live_record_oss_is(p, n, "etag", &value, &len)) {
        ngx_live_record_oss_etag(t, value, len);

    } else if (ngx_live_record_oss_is(p, n, "content-type", &value, &len)) {
        if (len < sizeof(t->type)) {
            ngx_memcpy(t->type, value, len);
            t->type[len] = '\0';
        }

    } else if (ngx_live_record_oss_is(p, n, "last-modified", &value, &len)) {
        t->modified = ngx_parse_http_time((u_char *) value, len);

    } else if (ngx_live_record_oss_is(p, n, "date", &value, &len)) {
        t->date = ngx_parse_http_time((u_char *) value, len);

    } else if (ngx_live_record_oss_is(p, n, "retry-after", &value, &len)) {
        v = ngx_atoi((u_char *) value, len);

        if (v == NGX_ERROR) {

            /* a date of the store's clock, as far as that is known */

            v = (ngx_int_t) ngx_parse_http_time((u_char *) value, len)
                - ngx_time() - (ngx_int_t) t->req->bucket->skew;
        }

        t->req->retry_after = v > 0 ? (ngx_uint_t) v : 0;

    } else {
        t->dialect->header(t, p, n);
    }

    return n;
}


ngx_uint_t
ngx_live_record_oss_is(const char *p, size_t n, const char *name,
    const char **value, size_t *len)
{
    size_t  k;

    k = strlen(name);

    if (n <= k || p[k] != ':'
        || ngx_strncasecmp((u_char *) p, (u_char *) name, k) != 0)
    {
        return 0;
    }

    for (k++; k < n && (p[k] == ' ' || p[k] == '\t'); k++) { /* void */ }

    while (n > k && (p[n - 1] == '\r' || p[n - 1] == '\n'
                     || p[n - 1] == ' '))
    {
        n--;
    }

    *value = p + k;
    *len = n - k;

    return 1;
}


void
ngx_live_record_oss_text(char *buf, size_t size, const char *value,
    size_t len)
{
    len = ngx_min(len, size - 1);

    ngx_memcpy(buf, value, len);
    buf[len] = '\0';
}


/* what could not stand in a journal or in XML as it is, is no ETag */

static void
ngx_live_record_oss_etag(ngx_live_record_oss_t *t, const char *p, size_t n)
{
    size_t  i;

    if (n >= 2 && p[0] == '"' && p[n - 1] == '"') {
        p++;
        n -= 2;
    }

    if (n >= sizeof(t->etag)) {
        return;
    }

    for (i = 0; i < n; i++) {
        if (p[i] <= ' ' || p[i] > '~' || strchr("\"&<>", p[i])) {
            return;
        }
    }

    ngx_memcpy(t->etag, p, n);
    t->etag[n] = '\0';
}


static void
ngx_live_record_oss_done(void *data, CURLcode rc)
{
    ngx_live_record_oss_t *t = data;

    t->started = 0;
    ngx_live_record_limit_leave(t);

    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &t->status);

    ngx_live_record_oss_sort(t, rc);

    if (t->thread) {

        /* a piece is being rendered for nothing: its end is waited for */

        return;
    }

    t->handler(t);
}


void
ngx_live_record_oss_clear(ngx_live_record_oss_t *t)
{
    curl_slist_free_all(t->headers);
    t->headers = NULL;

    lr_signed_free(&t->sig);
    lr_buf_free(&t->url);
    lr_buf_free(&t->answer);

    t->nparams = 0;
    t->nasked = 0;
    t->sum = NGX_LIVE_RECORD_OSS_NO_SUM;
    t->send = 0;
    t->fresh = 0;

    t->status = 0;
    t->date = 0;
    t->modified = 0;
    t->whole = 0;
    t->has_crc = 0;
    t->has_nvme = 0;
    t->has_length = 0;
    t->unsure = 0;
    t->late = 0;
    t->code[0] = '\0';
    t->etag[0] = '\0';
    t->type[0] = '\0';
    t->encryption[0] = '\0';
    t->tag[0] = '\0';
    t->curl_err[0] = '\0';
}
