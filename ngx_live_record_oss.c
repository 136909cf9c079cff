
/*
 * Copyright (C) the ngx_live_record authors
 *
 * A bucket of Alibaba Cloud OSS.  A request begins in a thread, which opens
 * what is to be sent and looks after the credentials; then libcurl carries
 * it on the event loop, and whenever it has sent a piece a thread renders
 * the next one.  At the end the answer is sorted.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "lr_crc64.h"
#include "lr_sign.h"
#include "lr_xml.h"
#include "ngx_live_record_bucket.h"
#include "ngx_live_record_curl.h"


/* an answer that is not an object */
#define NGX_LIVE_RECORD_OSS_ANSWER  (4 * 1024 * 1024)

#define NGX_LIVE_RECORD_OSS_PARAMS  6

/* seconds between two looks at a file of credentials */
#define NGX_LIVE_RECORD_OSS_LOOK    1

/* a clock that differs by less seconds is as good as another */
#define NGX_LIVE_RECORD_OSS_SKEW    60


typedef enum {
    NGX_LIVE_RECORD_OSS_OPEN = 0,       /* a thread opens the body */
    NGX_LIVE_RECORD_OSS_SEND,           /* libcurl is at it */
    NGX_LIVE_RECORD_OSS_SUM,            /* a thread sums the rest up */
    NGX_LIVE_RECORD_OSS_HEAD            /* what lies there is asked for */
} ngx_live_record_oss_state_e;


typedef struct {
    ngx_live_record_request_t    *req;
    ngx_live_record_oss_state_e   state;

    CURL                         *easy;
    struct curl_slist            *headers;
    lr_buf_t                      url;
    lr_signed_t                   sig;
    char                          curl_err[CURL_ERROR_SIZE];

    /* of the thread */

    int                           rc;
    ngx_err_t                     errnum;
    lr_cred_t                     cred;
    int                           cred_rc;    /* LR_DECLINED: as before */
    time_t                        cred_mtime;
    off_t                         cred_size;
    char                          cred_err[LR_CRED_ERR_LEN];

    /* the piece that is being sent */

    u_char                       *piece;
    size_t                        len;
    size_t                        pos;
    uint64_t                      crc;        /* of all pieces so far */
    unsigned                      end:1;      /* it is the last */
    unsigned                      thread:1;
    unsigned                      paused:1;
    unsigned                      started:1;  /* in libcurl's loop */

    char                         *token;      /* of a long listing */

    /* the answer */

    long                          status;
    lr_buf_t                      answer;
    uint64_t                      answer_crc;
    uint64_t                      length;
    time_t                        date;
    int64_t                       skew;       /* it was signed with */
    unsigned                      whole:1;    /* its headers */
    unsigned                      has_crc:1;
    unsigned                      has_length:1;
    unsigned                      too_long:1;
    unsigned                      unsure:1;   /* stored, but without a sum */
} ngx_live_record_oss_t;


typedef struct {
    lr_sign_cache_t               cache;
} ngx_live_record_oss_client_t;


static ngx_int_t ngx_live_record_oss_post(ngx_live_record_oss_t *t,
    void (*handler)(void *data, ngx_log_t *log),
    void (*done)(ngx_event_t *ev));
static void ngx_live_record_oss_open_thread(void *data, ngx_log_t *log);
static void ngx_live_record_oss_opened(ngx_event_t *ev);
static void ngx_live_record_oss_cred_thread(ngx_live_record_oss_t *t);
static ngx_int_t ngx_live_record_oss_cred(ngx_live_record_oss_t *t);
static int ngx_live_record_oss_piece(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_piece_thread(void *data, ngx_log_t *log);
static void ngx_live_record_oss_piece_done(ngx_event_t *ev);
static void ngx_live_record_oss_sum(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_sum_thread(void *data, ngx_log_t *log);
static void ngx_live_record_oss_summed(ngx_event_t *ev);

static void ngx_live_record_oss_send(ngx_live_record_oss_t *t,
    const char *method);
static ngx_int_t ngx_live_record_oss_sign(ngx_live_record_oss_t *t,
    const char *method, const char *key, lr_param_t *params, size_t n);
static ngx_int_t ngx_live_record_oss_setup(ngx_live_record_oss_t *t,
    const char *method);
static size_t ngx_live_record_oss_read(char *p, size_t size, size_t n,
    void *data);
static int ngx_live_record_oss_seek(void *data, curl_off_t offset,
    int origin);
static size_t ngx_live_record_oss_write(char *p, size_t size, size_t n,
    void *data);
static size_t ngx_live_record_oss_header(char *p, size_t size, size_t n,
    void *data);
static ngx_uint_t ngx_live_record_oss_is(const char *p, size_t n,
    const char *name, const char **value, size_t *len);

static void ngx_live_record_oss_done(void *data, CURLcode rc);
static lr_net_e ngx_live_record_oss_net(CURLcode rc);
static void ngx_live_record_oss_sort(ngx_live_record_oss_t *t, CURLcode rc,
    const char *method);
static void ngx_live_record_oss_clock(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_compare(ngx_live_record_oss_t *t);
static ngx_int_t ngx_live_record_oss_page(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_fail(ngx_live_record_oss_t *t,
    lr_retry_e result, const char *text);
static void ngx_live_record_oss_finish(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_destroy(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_clear(ngx_live_record_oss_t *t);


ngx_int_t
ngx_live_record_oss_init(ngx_cycle_t *cycle)
{
    ngx_uint_t                  i, n;
    ngx_live_record_bucket_t  **b;

    b = ngx_live_record_conf->buckets.elts;
    n = 0;

    for (i = 0; i < ngx_live_record_conf->buckets.nelts; i++) {

        if (b[i]->type != NGX_LIVE_RECORD_OSS) {
            continue;
        }

        b[i]->client = ngx_pcalloc(cycle->pool,
                                   sizeof(ngx_live_record_oss_client_t));
        if (b[i]->client == NULL) {
            return NGX_ERROR;
        }

        n += b[i]->connections;
    }

    return n ? ngx_live_record_curl_init(cycle, n) : NGX_OK;
}


void
ngx_live_record_oss_exit(ngx_cycle_t *cycle)
{
    ngx_uint_t                     i;
    ngx_live_record_bucket_t     **b;
    ngx_live_record_oss_client_t  *client;

    b = ngx_live_record_conf->buckets.elts;

    for (i = 0; i < ngx_live_record_conf->buckets.nelts; i++) {

        client = b[i]->client;

        if (client) {
            lr_sign_cache_clear(&client->cache);
            lr_cred_free(&b[i]->cred);
        }
    }

    ngx_live_record_curl_exit();
}


void
ngx_live_record_oss_start(ngx_live_record_request_t *req)
{
    ngx_live_record_oss_t  *t;

    t = ngx_calloc(sizeof(ngx_live_record_oss_t), ngx_cycle->log);
    if (t == NULL) {
        req->result = LR_RETRY_AGAIN;
        (void) snprintf(req->err, sizeof(req->err), "no memory");
        ngx_live_record_request_done(req);
        return;
    }

    t->req = req;
    req->transfer = t;

    if (ngx_live_record_oss_post(t, ngx_live_record_oss_open_thread,
                                 ngx_live_record_oss_opened)
        != NGX_OK)
    {
        ngx_live_record_oss_fail(t, LR_RETRY_AGAIN,
                                 "the thread pool takes no more");
    }
}


static ngx_int_t
ngx_live_record_oss_post(ngx_live_record_oss_t *t,
    void (*handler)(void *data, ngx_log_t *log),
    void (*done)(ngx_event_t *ev))
{
    ngx_thread_task_t  *task;

    task = t->req->task;
    task->ctx = t;
    task->handler = handler;
    task->event.handler = done;
    task->event.data = t;

    t->thread = 1;

    if (ngx_thread_task_post(ngx_live_record_conf->thread_pool, task)
        != NGX_OK)
    {
        t->thread = 0;
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_live_record_oss_open_thread(void *data, ngx_log_t *log)
{
    ngx_live_record_oss_t *t = data;

    t->cred_rc = LR_DECLINED;
    t->rc = LR_OK;

    if (t->req->bucket->cred_type == NGX_LIVE_RECORD_CRED_FILE) {
        ngx_live_record_oss_cred_thread(t);
    }

    if (t->req->op != NGX_LIVE_RECORD_PUT) {
        return;
    }

    t->rc = lr_body_open(&t->req->body, 1);

    if (t->rc == LR_OK) {

        if (t->req->body.size == 0) {
            ngx_set_errno(ENODATA);
            t->rc = LR_ERROR;

        } else {
            t->rc = ngx_live_record_oss_piece(t);
        }
    }

    t->errnum = t->rc == LR_OK ? 0 : ngx_errno;
}


/* a file of credentials is read again when it changes */

static void
ngx_live_record_oss_cred_thread(ngx_live_record_oss_t *t)
{
    ngx_fd_t                   fd;
    ssize_t                    n;
    lr_buf_t                   b;
    struct stat                st;
    ngx_live_record_bucket_t  *bucket;

    bucket = t->req->bucket;

    fd = open((char *) bucket->cred_file.data, O_RDONLY|O_CLOEXEC);

    if (fd == -1 || fstat(fd, &st) == -1) {
        (void) snprintf(t->cred_err, sizeof(t->cred_err),
                        "the file of credentials cannot be read (%d: %s)",
                        ngx_errno, strerror(ngx_errno));
        t->cred_rc = LR_ERROR;
        goto done;
    }

    if (st.st_mtime == bucket->cred_mtime && st.st_size == bucket->cred_size
        && time(NULL) - st.st_mtime > NGX_LIVE_RECORD_OSS_LOOK)
    {
        goto done;
    }

    ngx_memzero(&b, sizeof(lr_buf_t));

    n = -1;

    if (lr_buf_reserve(&b, LR_CRED_MAX_FILE) == LR_OK) {
        n = read(fd, b.data, LR_CRED_MAX_FILE);
    }

    if (n < 0) {
        (void) snprintf(t->cred_err, sizeof(t->cred_err),
                        "the file of credentials cannot be read");
        t->cred_rc = LR_ERROR;

    } else {
        t->cred_rc = lr_cred_parse(&t->cred, (char *) b.data, (size_t) n,
                                   NULL, t->cred_err);
        t->cred_mtime = st.st_mtime;
        t->cred_size = st.st_size;
        ngx_explicit_memzero(b.data, (size_t) n);
    }

    lr_buf_free(&b);

done:

    if (fd != -1) {
        close(fd);
    }
}


static void
ngx_live_record_oss_opened(ngx_event_t *ev)
{
    ngx_live_record_oss_t      *t;
    ngx_live_record_request_t  *req;

    t = ev->data;
    req = t->req;
    t->thread = 0;

    if (ngx_live_record_oss_cred(t) != NGX_OK || req->cancelled) {
        ngx_live_record_oss_finish(t);
        return;
    }

    if (t->rc != LR_OK) {
        req->local = t->errnum ? t->errnum : NGX_ENOMEM;
        req->result = LR_RETRY_AGAIN;
        (void) snprintf(req->err, sizeof(req->err),
                        "the fragment could not be read (%d: %s)",
                        req->local, strerror(req->local));
        ngx_live_record_oss_finish(t);
        return;
    }

    t->state = NGX_LIVE_RECORD_OSS_SEND;

    ngx_live_record_oss_send(t, req->op == NGX_LIVE_RECORD_PUT ? "PUT"
                                                               : "GET");
}


/* takes over what the thread has read; all at once, for all requests */

static ngx_int_t
ngx_live_record_oss_cred(ngx_live_record_oss_t *t)
{
    ngx_live_record_bucket_t  *b;

    b = t->req->bucket;

    if (t->cred_rc == LR_OK) {
        lr_cred_free(&b->cred);
        b->cred = t->cred;
        b->cred_mtime = t->cred_mtime;
        b->cred_size = t->cred_size;
        ngx_memzero(&t->cred, sizeof(lr_cred_t));
    }

    if (b->cred.id) {

        /* what there was may still be good while a file is being replaced */

        return NGX_OK;
    }

    t->req->result = LR_RETRY_ADMIN;
    (void) snprintf(t->req->err, sizeof(t->req->err), "\"%s\": %s",
                    (char *) b->cred_file.data, t->cred_err);

    return NGX_ERROR;
}


static int
ngx_live_record_oss_piece(ngx_live_record_oss_t *t)
{
    int         rc;
    lr_body_t  *body;

    body = &t->req->body;

    rc = lr_body_next(body, &t->piece, &t->len);

    t->pos = 0;

    if (rc == LR_DECLINED) {
        t->len = 0;
        t->end = 1;
        return LR_OK;
    }

    if (rc == LR_OK) {
        t->crc = lr_crc64_update(t->crc, t->piece, t->len);
        t->end = body->done == body->size;
    }

    return rc;
}


static void
ngx_live_record_oss_piece_thread(void *data, ngx_log_t *log)
{
    ngx_live_record_oss_t *t = data;

    t->rc = ngx_live_record_oss_piece(t);
    t->errnum = t->rc == LR_OK ? 0 : ngx_errno;
}


static void
ngx_live_record_oss_piece_done(ngx_event_t *ev)
{
    ngx_live_record_oss_t  *t;

    t = ev->data;
    t->thread = 0;

    /* the transfer may be over, or not be wanted any more */

    if (t->req->cancelled) {
        ngx_live_record_oss_finish(t);
        return;
    }

    if (t->rc != LR_OK) {
        t->req->local = t->errnum ? t->errnum : NGX_ENOMEM;
    }

    if (t->state == NGX_LIVE_RECORD_OSS_SUM) {
        ngx_live_record_oss_sum(t);
        return;
    }

    if (!t->started) {
        ngx_live_record_oss_finish(t);
        return;
    }

    t->paused = 0;

    ngx_live_record_curl_continue(t->easy);
}


/* sums up what was not sent, to compare with what lies there already */

static void
ngx_live_record_oss_sum(ngx_live_record_oss_t *t)
{
    if (ngx_live_record_oss_post(t, ngx_live_record_oss_sum_thread,
                                 ngx_live_record_oss_summed)
        != NGX_OK)
    {
        ngx_live_record_oss_fail(t, LR_RETRY_AGAIN,
                                 "the thread pool takes no more");
    }
}


static void
ngx_live_record_oss_sum_thread(void *data, ngx_log_t *log)
{
    ngx_live_record_oss_t *t = data;

    while (t->rc == LR_OK && !t->end) {
        t->rc = ngx_live_record_oss_piece(t);

        if (t->rc != LR_OK) {
            t->errnum = ngx_errno;
        }
    }
}


static void
ngx_live_record_oss_summed(ngx_event_t *ev)
{
    ngx_live_record_oss_t  *t;

    t = ev->data;
    t->thread = 0;

    if (t->req->cancelled) {
        ngx_live_record_oss_finish(t);
        return;
    }

    if (t->rc != LR_OK) {
        t->req->local = t->errnum ? t->errnum : NGX_ENOMEM;
        ngx_live_record_oss_fail(t, LR_RETRY_AGAIN,
                                 "the fragment could not be read");
        return;
    }

    t->state = NGX_LIVE_RECORD_OSS_HEAD;
    ngx_live_record_oss_send(t, "HEAD");
}


static void
ngx_live_record_oss_send(ngx_live_record_oss_t *t, const char *method)
{
    size_t                      n;
    const char                 *key;
    lr_param_t                  params[NGX_LIVE_RECORD_OSS_PARAMS];
    ngx_live_record_bucket_t   *b;
    ngx_live_record_request_t  *req;

    req = t->req;
    b = req->bucket;
    key = req->key;
    n = 0;

    ngx_live_record_oss_clear(t);

    if (req->op == NGX_LIVE_RECORD_LIST) {
        key = NULL;

        params[n].name = "list-type";
        params[n++].value = "2";
        params[n].name = "prefix";
        params[n++].value = req->key;
        params[n].name = "max-keys";
        params[n++].value = "1000";
        params[n].name = "encoding-type";
        params[n++].value = "url";

        if (t->token) {
            params[n].name = "continuation-token";
            params[n++].value = t->token;

        } else if (req->after && req->after[0]) {
            params[n].name = "start-after";
            params[n++].value = req->after;
        }
    }

    if (lr_url_build(&t->url, &b->ep, b->style, (char *) b->bucket.data, key,
                     params, n)
        != LR_OK
        || ngx_live_record_oss_sign(t, method, key, params, n) != NGX_OK
        || ngx_live_record_oss_setup(t, method) != NGX_OK
        || ngx_live_record_curl_start(t->easy, ngx_live_record_oss_done)
           != NGX_OK)
    {
        ngx_live_record_oss_fail(t, LR_RETRY_AGAIN, "no memory");
        return;
    }

    t->started = 1;
}


static ngx_int_t
ngx_live_record_oss_sign(ngx_live_record_oss_t *t, const char *method,
    const char *key, lr_param_t *params, size_t n)
{
    int                            rc;
    char                           line[256];
    size_t                         i;
    lr_sign_t                      sign;
    lr_header_t                    headers[2];
    struct curl_slist             *list;
    ngx_live_record_bucket_t      *b;
    ngx_live_record_oss_client_t  *client;

    b = t->req->bucket;
    client = b->client;

    ngx_memzero(&sign, sizeof(lr_sign_t));

    sign.method = method;
    sign.bucket = (char *) b->bucket.data;
    sign.key = key;
    sign.query = params;
    sign.nquery = n;
    sign.headers = headers;
    sign.cred = &b->cred;
    sign.region = (char *) b->region.data;
    sign.time = ngx_time() + (time_t) b->skew;
    t->skew = b->skew;

    if (method[0] == 'P') {
        headers[sign.nheaders].name = "Content-Type";
        headers[sign.nheaders++].value = t->req->type;

        if (t->req->keep) {
            headers[sign.nheaders].name = "x-oss-forbid-overwrite";
            headers[sign.nheaders++].value = "true";
        }
    }

    rc = b->signature == 4 ? lr_sign_oss_v4(&sign, &client->cache, &t->sig)
                           : lr_sign_oss_v1(&sign, &t->sig);

    if (rc != LR_OK) {
        return NGX_ERROR;
    }

    /* no 100-continue: a refusal is rare, a round trip is not */

    t->headers = curl_slist_append(NULL, "Expect:");

    for (i = 0; t->headers && i < sign.nheaders; i++) {
        (void) snprintf(line, sizeof(line), "%s: %s", headers[i].name,
                        headers[i].value);

        list = curl_slist_append(t->headers, line);
        if (list == NULL) {
            return NGX_ERROR;
        }
    }

    for (i = 0; t->headers && i < t->sig.n; i++) {
        list = curl_slist_append(t->headers, t->sig.line[i]);
        if (list == NULL) {
            return NGX_ERROR;
        }
    }

    return t->headers ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_live_record_oss_setup(ngx_live_record_oss_t *t, const char *method)
{
    CURL                      *e;
    ngx_live_record_bucket_t  *b;

    b = t->req->bucket;

    if (t->easy == NULL) {
        t->easy = curl_easy_init();

        if (t->easy == NULL) {
            return NGX_ERROR;
        }

    } else {
        curl_easy_reset(t->easy);
    }

    e = t->easy;

    curl_easy_setopt(e, CURLOPT_PRIVATE, (void *) t);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->curl_err);
    curl_easy_setopt(e, CURLOPT_URL, (char *) t->url.data);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, t->headers);
    curl_easy_setopt(e, CURLOPT_USERAGENT, "ngx_live_record");
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(e, CURLOPT_PROXY, "");
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);

    /* else a transfer's end waits for a resolver that does not answer */

    curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS,
                     (long) b->connect_timeout);

    /* a time without a byte, not a time for the whole */

    curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, (long) (b->timeout / 1000));

    curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, b->ssl_verify ? 1L : 0L);
    curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, b->ssl_verify ? 2L : 0L);

    if (b->ca_file.len) {
        curl_easy_setopt(e, CURLOPT_CAINFO, (char *) b->ca_file.data);
    }

    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, ngx_live_record_oss_write);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, (void *) t);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, ngx_live_record_oss_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, (void *) t);

    if (method[0] == 'H') {
        curl_easy_setopt(e, CURLOPT_NOBODY, 1L);

    } else if (method[0] == 'P') {
        curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE, 131072L);
        curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE,
                         (curl_off_t) t->req->body.size);
        curl_easy_setopt(e, CURLOPT_READFUNCTION, ngx_live_record_oss_read);
        curl_easy_setopt(e, CURLOPT_READDATA, (void *) t);
        curl_easy_setopt(e, CURLOPT_SEEKFUNCTION, ngx_live_record_oss_seek);
        curl_easy_setopt(e, CURLOPT_SEEKDATA, (void *) t);
    }

    return NGX_OK;
}


static size_t
ngx_live_record_oss_read(char *p, size_t size, size_t n, void *data)
{
    ngx_live_record_oss_t *t = data;

    size_t  len;

    if (t->thread || t->paused) {
        return CURL_READFUNC_PAUSE;
    }

    if (t->rc != LR_OK) {
        return CURL_READFUNC_ABORT;
    }

    if (t->pos < t->len) {
        len = ngx_min(size * n, t->len - t->pos);
        ngx_memcpy(p, t->piece + t->pos, len);
        t->pos += len;
        return len;
    }

    if (t->end) {
        return 0;
    }

    if (ngx_live_record_oss_post(t, ngx_live_record_oss_piece_thread,
                                 ngx_live_record_oss_piece_done)
        != NGX_OK)
    {
        return CURL_READFUNC_ABORT;
    }

    t->paused = 1;

    return CURL_READFUNC_PAUSE;
}


/* a kept connection that turned out dead is replaced by a new one */

static int
ngx_live_record_oss_seek(void *data, curl_off_t offset, int origin)
{
    ngx_live_record_oss_t *t = data;

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
        t->too_long = 1;
        return 0;
    }

    lr_buf_append(&t->answer, p, size * n);

    return t->answer.failed ? 0 : size * n;
}


static size_t
ngx_live_record_oss_header(char *p, size_t size, size_t n, void *data)
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
        t->has_length = 0;

    } else if (p[0] == '\r' || p[0] == '\n') {
        t->whole = 1;

    } else if (ngx_live_record_oss_is(p, n, "x-oss-hash-crc64ecma", &value,
                                      &len))
    {
        t->has_crc = lr_crc64_parse(value, len, &t->answer_crc) == LR_OK;

    } else if (ngx_live_record_oss_is(p, n, "content-length", &value, &len))
    {
        v = ngx_atoof((u_char *) value, len);

        if (v != NGX_ERROR) {
            t->length = (uint64_t) v;
            t->has_length = 1;
        }

    } else if (ngx_live_record_oss_is(p, n, "date", &value, &len)) {
        t->date = ngx_parse_http_time((u_char *) value, len);

    } else if (ngx_live_record_oss_is(p, n, "retry-after", &value, &len)) {
        v = ngx_atoi((u_char *) value, len);
        t->req->retry_after = v == NGX_ERROR ? 0 : (ngx_uint_t) v;
    }

    return n;
}


static ngx_uint_t
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


static void
ngx_live_record_oss_done(void *data, CURLcode rc)
{
    ngx_live_record_oss_t *t = data;

    ngx_live_record_request_t  *req;

    req = t->req;
    t->started = 0;

    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &t->status);

    if (t->state == NGX_LIVE_RECORD_OSS_HEAD) {
        ngx_live_record_oss_sort(t, rc, "HEAD");

        if (req->result == LR_RETRY_OK) {
            ngx_live_record_oss_compare(t);

        } else if (req->result == LR_RETRY_GONE) {

            /* taken away meanwhile: the name is free */

            req->result = LR_RETRY_AGAIN;
        }

        ngx_live_record_oss_finish(t);
        return;
    }

    ngx_live_record_oss_sort(t, rc, req->op == NGX_LIVE_RECORD_PUT ? "PUT"
                                    : req->op == NGX_LIVE_RECORD_GET
                                      ? "GET" : "LIST");

    if (req->op == NGX_LIVE_RECORD_PUT) {

        /* there is no object to be missing: it is the bucket, or worse */

        if (req->result == LR_RETRY_GONE) {
            req->result = LR_RETRY_ADMIN;
        }

        /* e.g. a 203 says that it is stored, but not what */

        t->unsure = req->result == LR_RETRY_OK && t->status != 200;

        if (req->result == LR_RETRY_EXISTS || t->unsure) {

            /* perhaps our own, of a try whose answer was lost */

            t->state = NGX_LIVE_RECORD_OSS_SUM;

            if (!t->thread) {
                ngx_live_record_oss_sum(t);
            }

            return;
        }

    } else if (req->result == LR_RETRY_OK) {

        if (req->op == NGX_LIVE_RECORD_LIST) {

            if (ngx_live_record_oss_page(t) == NGX_AGAIN) {
                return;
            }

        } else {
            lr_buf_free(&req->answer);
            req->answer = t->answer;
            ngx_memzero(&t->answer, sizeof(lr_buf_t));
        }
    }

    if (t->thread) {

        /* a piece is being rendered for nothing: its end is waited for */

        return;
    }

    ngx_live_record_oss_finish(t);
}


static lr_net_e
ngx_live_record_oss_net(CURLcode rc)
{
    switch (rc) {

    case CURLE_OK:
        return LR_NET_OK;

    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
        return LR_NET_CONNECT;

    case CURLE_OPERATION_TIMEDOUT:
        return LR_NET_TIMEOUT;

    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
        return LR_NET_TLS;

    case CURLE_URL_MALFORMAT:
    case CURLE_OUT_OF_MEMORY:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return LR_NET_LOCAL;

    default:
        return LR_NET_BROKEN;
    }
}


/* what the answer means, and a text for the log */

static void
ngx_live_record_oss_sort(ngx_live_record_oss_t *t, CURLcode rc,
    const char *method)
{
    lr_net_e                    net;
    const char                 *code;
    lr_xml_error_t              e;
    ngx_live_record_request_t  *req;

    req = t->req;

    ngx_memzero(&e, sizeof(lr_xml_error_t));

    net = ngx_live_record_oss_net(rc);
    code = NULL;

    /*
     * A store that refuses may answer and close before it has read all of
     * an object: what it said counts, not that the sending broke.
     */

    if (net == LR_NET_BROKEN && t->status >= 300) {
        net = LR_NET_OK;
    }

    /* libcurl is content with headers that are cut off */

    if (net == LR_NET_OK && !t->whole) {
        net = LR_NET_BROKEN;
        rc = CURLE_PARTIAL_FILE;
    }

    if (net == LR_NET_OK
        && (t->status >= 300 || req->op == NGX_LIVE_RECORD_PUT
            || t->answer.len < 4096)
        && t->answer.len
        && lr_xml_error(&e, (char *) t->answer.data, t->answer.len) == LR_OK)
    {
        code = e.code;
    }

    if (req->op == NGX_LIVE_RECORD_GET && t->status == 200 && t->has_crc) {
        code = NULL;                 /* it is the object */
    }

    if (net == LR_NET_OK && t->status == 200 && code == NULL
        && req->op != NGX_LIVE_RECORD_LIST
        && t->state != NGX_LIVE_RECORD_OSS_HEAD)
    {
        if (req->op == NGX_LIVE_RECORD_GET && t->has_crc) {
            t->crc = lr_crc64_update(0, t->answer.data, t->answer.len);
        }

        if (req->op == NGX_LIVE_RECORD_PUT
            ? !t->has_crc || t->answer_crc != t->crc
            : t->has_crc && t->answer_crc != t->crc)
        {
            net = LR_NET_SUM;
        }
    }

    req->result = lr_retry_sort(net, (unsigned) t->status, code);
    req->bytes = req->body.size;

    if (req->result == LR_RETRY_OK && t->status != 200
        && req->op != NGX_LIVE_RECORD_PUT)
    {
        req->result = LR_RETRY_AGAIN;
    }

    if (req->result == LR_RETRY_CLOCK) {
        ngx_live_record_oss_clock(t);
    }

    if (net == LR_NET_SUM) {
        (void) snprintf(req->err, sizeof(req->err),
                        "%s \"%s\": the CRC-64 of the answer is %s", method,
                        req->key, t->has_crc ? "not that of what was sent"
                                             : "missing");

    } else if (net != LR_NET_OK) {
        (void) snprintf(req->err, sizeof(req->err), "%s \"%s\": %s", method,
                        req->key, t->curl_err[0] ? t->curl_err
                                                 : curl_easy_strerror(rc));

    } else if (code) {
        (void) snprintf(req->err, sizeof(req->err),
                        "%s \"%s\": %ld %s \"%s\", request id %s", method,
                        req->key, t->status, e.code, e.message,
                        e.request_id[0] ? e.request_id : "unknown");

    } else {
        (void) snprintf(req->err, sizeof(req->err),
                        "%s \"%s\": the answer's status is %ld", method,
                        req->key, t->status);
    }
}


/* takes over the store's time, unless that was what it has refused */

static void
ngx_live_record_oss_clock(ngx_live_record_oss_t *t)
{
    int64_t                    skew;
    ngx_live_record_bucket_t  *b;

    b = t->req->bucket;

    if (t->date == 0 || t->date == (time_t) NGX_ERROR) {
        t->req->result = LR_RETRY_AGAIN;
        return;
    }

    skew = (int64_t) t->date - ngx_time();

    if (ngx_abs(skew - t->skew) <= NGX_LIVE_RECORD_OSS_SKEW) {
        t->req->result = LR_RETRY_AGAIN;
        return;
    }

    /* others that were under way have found the same */

    if (ngx_abs(skew - b->skew) > NGX_LIVE_RECORD_OSS_SKEW) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "live record: the clock of bucket \"%V\" differs from "
                      "this machine's by %L seconds: requests are signed "
                      "with its time, mend the machine's clock", &b->name,
                      skew);
    }

    b->skew = skew;
}


static void
ngx_live_record_oss_compare(ngx_live_record_oss_t *t)
{
    ngx_live_record_request_t  *req;

    req = t->req;

    if (t->has_crc && t->answer_crc == t->crc && t->has_length
        && t->length == req->body.size)
    {
        req->bytes = req->body.size;
        return;
    }

    req->result = t->unsure ? LR_RETRY_AGAIN : LR_RETRY_EXISTS;

    (void) snprintf(req->err, sizeof(req->err),
                    "HEAD \"%s\": it is not what was sent", req->key);
}


/* NGX_AGAIN: there is another page, and it is asked for */

static ngx_int_t
ngx_live_record_oss_page(ngx_live_record_oss_t *t)
{
    size_t                      i;
    lr_xml_list_t               list;
    ngx_live_record_request_t  *req;

    req = t->req;

    ngx_memzero(&list, sizeof(lr_xml_list_t));

    if (lr_xml_list(&list, (char *) t->answer.data, t->answer.len)
        != LR_OK)
    {
        req->result = LR_RETRY_AGAIN;
        (void) snprintf(req->err, sizeof(req->err),
                        "LIST \"%s\": the answer is not a listing",
                        req->key);
        lr_xml_list_free(&list);
        return NGX_OK;
    }

    for (i = 0; i < list.n; i++) {
        lr_buf_printf(&req->answer, "%s%c%s-%llu%c", list.objects[i].key, 0,
                      list.objects[i].etag ? list.objects[i].etag : "",
                      (unsigned long long) list.objects[i].size, 0);
    }

    free(t->token);
    t->token = list.truncated && list.next ? strdup(list.next) : NULL;

    lr_xml_list_free(&list);

    if (req->answer.failed) {
        lr_buf_free(&req->answer);
        req->result = LR_RETRY_AGAIN;
        (void) snprintf(req->err, sizeof(req->err), "no memory");
        return NGX_OK;
    }

    if (t->token == NULL) {
        return NGX_OK;
    }

    ngx_live_record_oss_send(t, "GET");

    return NGX_AGAIN;
}


int
ngx_live_record_oss_cancel(ngx_live_record_request_t *req)
{
    ngx_live_record_oss_t  *t;

    t = req->transfer;

    if (t->started) {
        ngx_live_record_curl_stop(t->easy);
        t->started = 0;
    }

    if (t->thread && !ngx_exiting && !ngx_terminate) {
        return LR_AGAIN;
    }

    ngx_live_record_oss_destroy(t);

    return LR_OK;
}


static void
ngx_live_record_oss_fail(ngx_live_record_oss_t *t, lr_retry_e result,
    const char *text)
{
    t->req->result = result;
    (void) snprintf(t->req->err, sizeof(t->req->err), "%s", text);

    ngx_live_record_oss_finish(t);
}


static void
ngx_live_record_oss_finish(ngx_live_record_oss_t *t)
{
    ngx_live_record_request_t  *req;

    req = t->req;

    ngx_live_record_oss_destroy(t);
    ngx_live_record_request_done(req);
}


static void
ngx_live_record_oss_destroy(ngx_live_record_oss_t *t)
{
    t->req->transfer = NULL;

    ngx_live_record_oss_clear(t);

    if (t->easy) {
        curl_easy_cleanup(t->easy);
    }

    lr_cred_free(&t->cred);
    free(t->token);
    ngx_free(t);
}


static void
ngx_live_record_oss_clear(ngx_live_record_oss_t *t)
{
    curl_slist_free_all(t->headers);
    t->headers = NULL;

    lr_signed_free(&t->sig);
    lr_buf_free(&t->url);
    lr_buf_free(&t->answer);

    t->status = 0;
    t->date = 0;
    t->whole = 0;
    t->has_crc = 0;
    t->has_length = 0;
    t->too_long = 0;
    t->curl_err[0] = '\0';
}
