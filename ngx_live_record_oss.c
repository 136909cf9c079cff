
/*
 * Copyright (C) the ngx_live_record authors
 *
 * A bucket of Alibaba Cloud OSS or S3.  A request begins when there is a key
 * to sign it with, in a thread, which opens what is to be sent; then libcurl
 * carries it on the event loop, and whenever it has sent a piece a thread
 * renders the next one.  At the end the answer is sorted.  Here are whole
 * objects and listings; parts and moves have files of their own.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_live_record_limit.h"


static void ngx_live_record_oss_keyed(void *data, const char *err);
static void ngx_live_record_oss_opened(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_put(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_put_vacant(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_put_done(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_put_summed(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_put_same(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_get(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_get_done(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_list(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_list_done(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_listed(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_delete(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_vacant_done(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_looked(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_look_none(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_missing_done(ngx_live_record_oss_t *t);
static const char *ngx_live_record_oss_lacks(ngx_live_record_oss_t *t,
    uint64_t size, uint64_t crc);
static ngx_uint_t ngx_live_record_oss_keeps(ngx_live_record_oss_t *t,
    ngx_uint_t what);
static void ngx_live_record_oss_destroy(ngx_live_record_oss_t *t);


ngx_int_t
ngx_live_record_oss_init(ngx_cycle_t *cycle)
{
    ngx_uint_t                  i, n;
    ngx_live_record_bucket_t  **b;

    b = ngx_live_record_conf->buckets.elts;
    n = 0;

    for (i = 0; i < ngx_live_record_conf->buckets.nelts; i++) {

        if (b[i]->type == NGX_LIVE_RECORD_DIR) {
            continue;
        }

        b[i]->client = ngx_pcalloc(cycle->pool,
                                   sizeof(ngx_live_record_oss_client_t));
        if (b[i]->client == NULL) {
            return NGX_ERROR;
        }

        if (ngx_live_record_cred_init(b[i]->cred) != NGX_OK) {
            return NGX_ERROR;
        }

        n += b[i]->connections;
    }

    return n ? ngx_live_record_curl_init(cycle, n) : NGX_OK;
}


void
ngx_live_record_oss_exit(void)
{
    ngx_uint_t                     i;
    ngx_live_record_bucket_t     **b;
    ngx_live_record_oss_client_t  *client;

    b = ngx_live_record_conf->buckets.elts;

    for (i = 0; i < ngx_live_record_conf->buckets.nelts; i++) {

        client = b[i]->client;

        if (client) {
            lr_sign_cache_clear(&client->cache);
            ngx_live_record_cred_exit(b[i]->cred);
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
    t->dialect = req->bucket->type == NGX_LIVE_RECORD_S3
                 ? &ngx_live_record_s3_dialect
                 : &ngx_live_record_oss_dialect;
    req->transfer = t;

    t->wait.handler = ngx_live_record_oss_keyed;
    t->wait.data = t;

    if (ngx_live_record_cred_wait(req->bucket->cred, &t->wait) == NGX_OK) {
        ngx_live_record_oss_keyed(t, NULL);
    }
}


static void
ngx_live_record_oss_keyed(void *data, const char *err)
{
    ngx_live_record_oss_t *t = data;

    if (err) {
        ngx_live_record_oss_fail(t, LR_RETRY_CREDENTIALS, err);
        return;
    }

    t->digests = t->req->bucket->digest;

    ngx_live_record_oss_open(t, ngx_live_record_oss_opened);
}


static void
ngx_live_record_oss_opened(ngx_live_record_oss_t *t)
{
    switch (t->req->op) {

    case NGX_LIVE_RECORD_PUT:
        ngx_live_record_oss_put(t);
        break;

    case NGX_LIVE_RECORD_GET:
        ngx_live_record_oss_get(t);
        break;

    case NGX_LIVE_RECORD_LIST:
        ngx_live_record_oss_list(t);
        break;

    case NGX_LIVE_RECORD_DELETE:
        ngx_live_record_oss_delete(t);
        break;

    case NGX_LIVE_RECORD_BEGIN:
        ngx_live_record_oss_begin(t);
        break;

    case NGX_LIVE_RECORD_PART:
        ngx_live_record_oss_part(t);
        break;

    case NGX_LIVE_RECORD_COMPLETE:
        ngx_live_record_oss_complete(t);
        break;

    case NGX_LIVE_RECORD_ABORT:
        ngx_live_record_oss_abort(t);
        break;

    case NGX_LIVE_RECORD_MOVE:
        ngx_live_record_oss_move(t);
        break;
    }
}


static void
ngx_live_record_oss_put(ngx_live_record_oss_t *t)
{
    ngx_live_record_oss_vacant(t, NGX_LIVE_RECORD_OSS_KEEP_PUT, t->req->key,
                               ngx_live_record_oss_put_vacant);
}


static void
ngx_live_record_oss_put_vacant(ngx_live_record_oss_t *t)
{
    ngx_live_record_request_t  *req;

    req = t->req;

    if (req->result == LR_RETRY_EXISTS) {
        ngx_live_record_oss_put_done(t);
        return;
    }

    ngx_live_record_oss_ask(t, "PUT", "PUT", req->key,
                            ngx_live_record_oss_put_done);

    ngx_live_record_oss_set_header(t, "Content-Type", req->type);
    ngx_live_record_oss_keep(t, NGX_LIVE_RECORD_OSS_KEEP_PUT);

    ngx_live_record_oss_mark(t);
    ngx_live_record_oss_object(t, LR_OBJECT_PUT);
    ngx_live_record_oss_body(t);

    ngx_live_record_oss_send(t);
}


static void
ngx_live_record_oss_put_done(ngx_live_record_oss_t *t)
{
    ngx_live_record_request_t  *req;

    req = t->req;

    /* there is no object to be missing: it is the bucket, or worse */

    if (req->result == LR_RETRY_GONE) {
        req->result = LR_RETRY_ADMIN;
    }

    if (req->result == LR_RETRY_EXISTS
        || (req->result == LR_RETRY_OK && (t->status != 200 || t->unsure)))
    {
        /*
         * Perhaps our own, of a try whose answer was lost.  Or it is stored,
         * as a 203 says, or an answer without a sum, but nobody knows what.
         */

        ngx_live_record_oss_sum(t, ngx_live_record_oss_put_summed);
        return;
    }

    req->bytes = req->body.size;
    req->sum = t->crc;

    ngx_live_record_oss_finish(t);
}


static void
ngx_live_record_oss_put_summed(ngx_live_record_oss_t *t)
{
    ngx_live_record_oss_look(t, t->req->key, t->req->body.size, t->crc,
                             t->req->result == LR_RETRY_EXISTS
                             ? LR_RETRY_EXISTS : LR_RETRY_AGAIN,
                             LR_RETRY_AGAIN, ngx_live_record_oss_put_same);
}


static void
ngx_live_record_oss_put_same(ngx_live_record_oss_t *t)
{
    t->req->bytes = t->req->body.size;
    t->req->sum = t->crc;

    ngx_live_record_oss_finish(t);
}


static void
ngx_live_record_oss_get(ngx_live_record_oss_t *t)
{
    char  range[sizeof("bytes=0-") + NGX_SIZE_T_LEN];

    ngx_live_record_oss_ask(t, "GET", "GET", t->req->key,
                            ngx_live_record_oss_get_done);

    t->sum = NGX_LIVE_RECORD_OSS_GOT;

    if (t->req->first) {
        ngx_sprintf((u_char *) range, "bytes=0-%uz%Z", t->req->first - 1);
        ngx_live_record_oss_set_header(t, "Range", range);
    }

    ngx_live_record_oss_send(t);
}


static void
ngx_live_record_oss_get_done(ngx_live_record_oss_t *t)
{
    if (t->req->result == LR_RETRY_OK) {
        lr_buf_free(&t->req->answer);
        t->req->answer = t->answer;
        ngx_memzero(&t->answer, sizeof(lr_buf_t));
    }

    ngx_live_record_oss_finish(t);
}


static void
ngx_live_record_oss_list(ngx_live_record_oss_t *t)
{
    ngx_live_record_request_t  *req;

    req = t->req;

    ngx_live_record_oss_ask(t, "GET", "LIST", NULL,
                            ngx_live_record_oss_list_done);

    ngx_live_record_oss_param(t, "list-type", "2");
    ngx_live_record_oss_param(t, "prefix", req->key);
    ngx_live_record_oss_param(t, "max-keys", "1000");
    ngx_live_record_oss_param(t, "encoding-type", "url");

    if (t->token) {
        ngx_live_record_oss_param(t, "continuation-token", t->token);

    } else if (req->after && req->after[0]) {
        ngx_live_record_oss_param(t, "start-after", req->after);
    }

    ngx_live_record_oss_send(t);
}


static void
ngx_live_record_oss_list_done(ngx_live_record_oss_t *t)
{
    if (t->req->result != LR_RETRY_OK) {
        ngx_live_record_oss_finish(t);
        return;
    }

    ngx_live_record_oss_read_list(t, ngx_live_record_oss_listed);
}


static void
ngx_live_record_oss_listed(ngx_live_record_oss_t *t)
{
    if (t->token) {
        ngx_live_record_oss_list(t);
        return;
    }

    ngx_live_record_oss_finish(t);
}


static void
ngx_live_record_oss_delete(ngx_live_record_oss_t *t)
{
    ngx_live_record_oss_ask(t, "DELETE", "DELETE", t->req->key,
                            ngx_live_record_oss_finish);

    ngx_live_record_oss_send(t);
}


void
ngx_live_record_oss_vacant(ngx_live_record_oss_t *t, ngx_uint_t what,
    const char *key, ngx_live_record_oss_pt handler)
{
    if (!t->req->keep || ngx_live_record_oss_keeps(t, what)) {
        t->req->result = LR_RETRY_OK;
        handler(t);
        return;
    }

    t->vacant = handler;

    ngx_live_record_oss_ask(t, "HEAD", "HEAD", key,
                            ngx_live_record_oss_vacant_done);

    ngx_live_record_oss_send(t);
}


static void
ngx_live_record_oss_vacant_done(ngx_live_record_oss_t *t)
{
    ngx_live_record_request_t  *req;

    req = t->req;

    if (req->result == LR_RETRY_GONE) {
        req->result = LR_RETRY_OK;

    } else if (req->result == LR_RETRY_OK) {
        req->result = LR_RETRY_EXISTS;
        (void) snprintf(req->err, sizeof(req->err),
                        "HEAD \"%s\": there is an object already", t->key);

    } else {
        ngx_live_record_oss_finish(t);
        return;
    }

    t->vacant(t);
}


void
ngx_live_record_oss_keep(ngx_live_record_oss_t *t, ngx_uint_t what)
{
    const lr_header_t  *h;

    h = &t->dialect->keep;

    if (t->req->keep && ngx_live_record_oss_keeps(t, what)) {
        ngx_live_record_oss_set_header(t, h->name, h->value);
    }
}


void
ngx_live_record_oss_mark(ngx_live_record_oss_t *t)
{
    if (t->req->tag) {
        ngx_live_record_oss_set_header(t, t->dialect->id, t->req->tag);
    }

    if (t->dialect->mark) {
        t->dialect->mark(t);
    }
}


void
ngx_live_record_oss_object(ngx_live_record_oss_t *t, lr_object_op_e op)
{
    t->nasked += lr_object_headers(&t->req->bucket->object,
                                   t->dialect->store, op, t->req->kind,
                                   t->asked + t->nasked);
}


void
ngx_live_record_oss_body(ngx_live_record_oss_t *t)
{
    if (t->digest[0]) {
        ngx_live_record_oss_set_header(t, "Content-MD5", t->digest);
    }

    t->send = 1;
    t->sum = NGX_LIVE_RECORD_OSS_SENT;
}


static ngx_uint_t
ngx_live_record_oss_keeps(ngx_live_record_oss_t *t, ngx_uint_t what)
{
    return t->req->bucket->conditional_put && (t->dialect->keeps & what);
}


void
ngx_live_record_oss_look(ngx_live_record_oss_t *t, const char *key,
    uint64_t size, uint64_t crc, lr_retry_e other, lr_retry_e none,
    ngx_live_record_oss_pt same)
{
    ngx_live_record_oss_look_t  *look;

    look = &t->look;

    look->size = size;
    look->crc = crc;
    look->other = other;
    look->none = none;
    look->same = same;
    ngx_memcpy(look->err, t->req->err, sizeof(look->err));

    ngx_live_record_oss_ask(t, "HEAD", "HEAD", key,
                            ngx_live_record_oss_looked);

    if (t->dialect->look) {
        t->dialect->look(t);
    }

    ngx_live_record_oss_send(t);
}


static void
ngx_live_record_oss_looked(ngx_live_record_oss_t *t)
{
    ngx_live_record_request_t   *req;
    ngx_live_record_oss_look_t  *look;

    req = t->req;
    look = &t->look;

    switch (req->result) {

    case LR_RETRY_OK:

        if (t->dialect->same(t, look->size, look->crc)) {
            look->same(t);
            return;
        }

        ngx_live_record_oss_other(t, look->other, look->size, look->crc);
        return;

    case LR_RETRY_GONE:

        if (look->none == LR_RETRY_GONE) {
            ngx_live_record_oss_missing(t, t->key,
                                        ngx_live_record_oss_look_none);
            return;
        }

        ngx_live_record_oss_look_none(t);
        return;

    default:
        ngx_live_record_oss_finish(t);
    }
}


static void
ngx_live_record_oss_look_none(ngx_live_record_oss_t *t)
{
    t->req->result = t->look.none;
    ngx_memcpy(t->req->err, t->look.err, sizeof(t->req->err));

    ngx_live_record_oss_finish(t);
}


void
ngx_live_record_oss_missing(ngx_live_record_oss_t *t, const char *key,
    ngx_live_record_oss_pt handler)
{
    t->missing = handler;

    ngx_live_record_oss_ask(t, "GET", "GET", key,
                            ngx_live_record_oss_missing_done);

    ngx_live_record_oss_set_header(t, "Range", "bytes=0-0");

    ngx_live_record_oss_send(t);
}


static void
ngx_live_record_oss_missing_done(ngx_live_record_oss_t *t)
{
    ngx_live_record_request_t  *req;

    req = t->req;

    if (req->result == LR_RETRY_GONE) {
        t->missing(t);
        return;
    }

    /* it is there */

    if (req->result == LR_RETRY_OK) {
        req->result = LR_RETRY_AGAIN;
    }

    ngx_live_record_oss_finish(t);
}


void
ngx_live_record_oss_other(ngx_live_record_oss_t *t, lr_retry_e result,
    uint64_t size, uint64_t crc)
{
    const char                 *lacks;
    ngx_live_record_request_t  *req;

    req = t->req;

    req->result = result;
    (void) snprintf(req->err, sizeof(req->err),
                    "HEAD \"%s\": it is not what was sent", t->key);

    /* nothing is given up for lost that nobody can tell about */

    if (result == LR_RETRY_GONE) {
        lacks = ngx_live_record_oss_lacks(t, size, crc);

        if (lacks) {
            req->result = LR_RETRY_ADMIN;
            (void) snprintf(req->err, sizeof(req->err),
                            "HEAD \"%s\": the answer has no %s", t->key,
                            lacks);
        }
    }

    ngx_live_record_oss_finish(t);
}


/*
 * What an answer would need to say that there is another object, or NULL.
 * Somebody on the way may have answered instead of the store, or left out or
 * replaced the length of a body that is not there.
 */

static const char *
ngx_live_record_oss_lacks(ngx_live_record_oss_t *t, uint64_t size,
    uint64_t crc)
{
    if (!t->dialect->tells(t)
        && (!t->has_length || t->length == size || t->etag[0] == '\0'))
    {
        return t->dialect->sum;
    }

    if (!t->has_length) {
        return "Content-Length";
    }

    /* it is this one by its sum, or at least by its id */

    return t->dialect->same(t, t->length, crc) ? "right Content-Length" : NULL;
}


void
ngx_live_record_oss_give(ngx_live_record_oss_t *t, const char *s)
{
    lr_buf_t  *b;

    b = &t->req->answer;

    b->len = 0;
    lr_buf_append(b, s, strlen(s) + 1);

    if (b->failed) {
        lr_buf_free(b);
        ngx_live_record_oss_fail(t, LR_RETRY_AGAIN, "no memory");
        return;
    }

    /* the zero byte is not counted */

    b->len--;

    ngx_live_record_oss_finish(t);
}


int
ngx_live_record_oss_cancel(ngx_live_record_request_t *req)
{
    ngx_live_record_oss_t  *t;

    t = req->transfer;

    if (t->started) {
        ngx_live_record_curl_stop(t->easy);
        ngx_live_record_limit_leave(t);
        t->started = 0;
    }

    if (t->thread && !ngx_live_record_threads_gone) {
        return LR_AGAIN;
    }

    ngx_live_record_oss_destroy(t);

    return LR_OK;
}


void
ngx_live_record_oss_fail(ngx_live_record_oss_t *t, lr_retry_e result,
    const char *text)
{
    t->req->result = result;
    (void) snprintf(t->req->err, sizeof(t->req->err), "%s", text);

    ngx_live_record_oss_finish(t);
}


void
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

    ngx_live_record_cred_leave(&t->wait);
    ngx_live_record_limit_leave(t);
    ngx_live_record_oss_clear(t);

    if (t->easy) {
        curl_easy_cleanup(t->easy);
    }

    lr_md5_free(&t->md5);
    lr_buf_free(&t->text);
    lr_buf_free(&t->sweep.ids);
    free(t->sweep.key_marker);
    free(t->sweep.id_marker);
    lr_buf_free(&t->copy.source);
    free(t->copy.upload);
    free(t->token);
    ngx_free(t);
}
