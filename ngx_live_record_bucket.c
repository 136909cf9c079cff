
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What buckets of all types have in common: requests begin when the gate
 * of their bucket lets them, in turn, and there is one line in the log when
 * a bucket fails and one when it is well again.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_live_record_counters.h"
#include "ngx_live_record_cred.h"
#include "ngx_live_record_limit.h"


/* as many as requests send fragments at a time, whatever the bucket */
#define NGX_LIVE_RECORD_ENGINES  8


static void ngx_live_record_lend_engine(ngx_live_record_request_t *req);
static void ngx_live_record_return_engine(ngx_live_record_request_t *req);
static void ngx_live_record_request_run(ngx_live_record_request_t *req);
static void ngx_live_record_request_destroy(ngx_live_record_request_t *req);
static void ngx_live_record_request_count(ngx_live_record_request_t *req);
static void ngx_live_record_object_count(ngx_live_record_request_t *req);
static void ngx_live_record_bucket_state(ngx_live_record_request_t *req);
static void ngx_live_record_bucket_next(ngx_live_record_bucket_t *b);
static unsigned ngx_live_record_bucket_waiting(ngx_live_record_bucket_t *b);
static ngx_live_record_request_t *ngx_live_record_bucket_turn(
    ngx_live_record_bucket_t *b, unsigned waiting);
static ngx_queue_t *ngx_live_record_bucket_probe(
    ngx_live_record_bucket_t *b);
static ngx_uint_t ngx_live_record_request_small(
    ngx_live_record_request_t *req);
static void ngx_live_record_bucket_timer(ngx_event_t *ev);


ngx_uint_t  ngx_live_record_threads_gone;


/* kept for the next fragment, so that memory follows the requests under way
   and not the recordings */

static lr_engine_t  *ngx_live_record_engines[NGX_LIVE_RECORD_ENGINES];
static ngx_uint_t    ngx_live_record_nengines;


ngx_int_t
ngx_live_record_buckets_init(ngx_cycle_t *cycle, ngx_uint_t workers)
{
    ngx_uint_t                  i, kind;
    ngx_live_record_bucket_t  **b;

    b = ngx_live_record_conf->buckets.elts;

    for (i = 0; i < ngx_live_record_conf->buckets.nelts; i++) {

        lr_gate_init(&b[i]->gate, ngx_live_record_limit_requests(b[i]));

        for (kind = 0; kind < LR_GATE_KINDS; kind++) {
            ngx_queue_init(&b[i]->waiting[kind]);
        }

        b[i]->timer.handler = ngx_live_record_bucket_timer;
        b[i]->timer.data = b[i];
        b[i]->timer.log = cycle->log;
        b[i]->timer.cancelable = 1;

        if (ngx_live_record_limit_init(b[i], workers, cycle->log) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_live_record_request_t *
ngx_live_record_request_create(void)
{
    ngx_live_record_request_t  *req;

    req = ngx_calloc(sizeof(ngx_live_record_request_t), ngx_cycle->log);
    if (req == NULL) {
        return NULL;
    }

    req->task = ngx_calloc(sizeof(ngx_thread_task_t), ngx_cycle->log);
    if (req->task == NULL) {
        ngx_free(req);
        return NULL;
    }

    return req;
}


uint64_t
ngx_live_record_bucket_part_min(ngx_live_record_bucket_t *b)
{
    return b->type == NGX_LIVE_RECORD_DIR ? 1 : (uint64_t) b->part_size;
}


void
ngx_live_record_request_start(ngx_live_record_request_t *req)
{
    lr_gate_kind_e  kind;

    req->result = LR_RETRY_AGAIN;
    req->verdict = LR_GATE_NONE;
    req->local = 0;
    req->retry_after = 0;
    req->bytes = 0;
    req->sum = 0;
    req->align = 0;
    req->refusal = lr_retry_refusal(NULL);
    req->refused[0] = '\0';
    req->denied = 0;
    req->unfit = 0;
    req->left = 0;
    req->answer.len = 0;
    req->err[0] = '\0';

    if (req->tag && req->tag != req->id) {
        (void) snprintf(req->id, sizeof(req->id), "%s", req->tag);
        req->tag = req->id;
    }

    /* texts are small, and much of what is sent already waits for them */

    kind = req->backlog && req->body.kind != LR_BODY_TEXT ? LR_GATE_BACKLOG
                                                          : LR_GATE_FRESH;

    if (req->aside) {
        kind = LR_GATE_ASIDE;
    }

    ngx_queue_insert_tail(&req->bucket->waiting[kind], &req->queue);
    ngx_live_record_count(req->bucket->counts->waiting, 1);

    ngx_live_record_bucket_next(req->bucket);
}


static void
ngx_live_record_request_run(ngx_live_record_request_t *req)
{
    req->active = 1;
    ngx_live_record_count(req->bucket->counts->active, 1);

    req->era = lr_gate_begin(&req->bucket->gate);

    if (!ngx_live_record_request_small(req)) {
        ngx_live_record_lend_engine(req);
    }

    switch (req->bucket->type) {

    case NGX_LIVE_RECORD_DIR:
        ngx_live_record_dir_start(req);
        break;

    default:
        ngx_live_record_oss_start(req);
        break;
    }
}


void
ngx_live_record_request_done(ngx_live_record_request_t *req)
{
    ngx_live_record_bucket_t  *b;

    b = req->bucket;

    req->active = 0;
    ngx_live_record_count(b->counts->active, -1);

    /* what was wrong here, or with this object, is nothing to others */

    if (req->cancelled || req->local || req->denied || req->aside) {
        req->verdict = LR_GATE_NONE;
    }

    lr_gate_end(&b->gate, req->era, req->verdict,
                (unsigned) req->retry_after, ngx_current_msec,
                (uint32_t) ngx_random());

    lr_body_close(&req->body);
    ngx_live_record_return_engine(req);

    if (req->cancelled) {
        ngx_live_record_request_destroy(req);

    } else {
        ngx_live_record_request_count(req);
        ngx_live_record_bucket_state(req);
        req->handler(req);
    }

    ngx_live_record_bucket_next(b);
}


static void
ngx_live_record_bucket_next(ngx_live_record_bucket_t *b)
{
    uint64_t                    wait;
    unsigned                    waiting;
    ngx_live_record_request_t  *req;

    /* one that fails at once, or a handler's next one, leads here again */

    if (b->going) {
        return;
    }

    b->going = 1;

    for ( ;; ) {

        waiting = ngx_live_record_bucket_waiting(b);

        if (waiting == 0) {
            break;
        }

        if (ngx_live_record_leaving()) {
            req = ngx_live_record_bucket_turn(b, waiting);
            req->handler(req);
            continue;
        }

        wait = lr_gate_wait(&b->gate, ngx_current_msec);

        if (wait) {
            if (wait != LR_GATE_BUSY) {
                ngx_add_timer(&b->timer, (ngx_msec_t) wait);
            }

            break;
        }

        ngx_live_record_request_run(ngx_live_record_bucket_turn(b, waiting));
    }

    b->going = 0;
}


static unsigned
ngx_live_record_bucket_waiting(ngx_live_record_bucket_t *b)
{
    unsigned    waiting;
    ngx_uint_t  kind;

    waiting = 0;

    for (kind = 0; kind < LR_GATE_KINDS; kind++) {
        if (!ngx_queue_empty(&b->waiting[kind])) {
            waiting |= 1u << kind;
        }
    }

    return waiting;
}


/*
 * A recording has one request at a time, so that each queue is in turn by
 * recordings.
 */

static ngx_live_record_request_t *
ngx_live_record_bucket_turn(ngx_live_record_bucket_t *b, unsigned waiting)
{
    ngx_queue_t                *q;
    ngx_live_record_request_t  *req;

    q = NULL;

    /* every other one: it may be the only one, and fail for its own reason */

    if (b->gate.down && !b->probed) {
        q = ngx_live_record_bucket_probe(b);
    }

    b->probed = q != NULL;

    if (q == NULL) {
        q = ngx_queue_head(&b->waiting[lr_gate_turn(&b->gate, waiting)]);
    }

    ngx_queue_remove(q);
    ngx_live_record_count(b->counts->waiting, -1);

    req = ngx_queue_data(q, ngx_live_record_request_t, queue);
    req->queue.next = NULL;

    return req;
}


/*
 * Something small, if it waits, to try whether the bucket is back: all others
 * wait for that, and media may take long on a slow line.  What is aside would
 * tell nothing, see ngx_live_record_request_done().
 */

static ngx_queue_t *
ngx_live_record_bucket_probe(ngx_live_record_bucket_t *b)
{
    ngx_queue_t                *q, *fresh;
    ngx_live_record_request_t  *req;

    fresh = &b->waiting[LR_GATE_FRESH];

    for (q = ngx_queue_head(fresh);
         q != ngx_queue_sentinel(fresh);
         q = ngx_queue_next(q))
    {
        req = ngx_queue_data(q, ngx_live_record_request_t, queue);

        if (ngx_live_record_request_small(req)) {
            return q;
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_live_record_request_small(ngx_live_record_request_t *req)
{
    return (req->op != NGX_LIVE_RECORD_PUT && req->op != NGX_LIVE_RECORD_PART)
           || req->body.kind == LR_BODY_TEXT;
}


static void
ngx_live_record_bucket_timer(ngx_event_t *ev)
{
    ngx_live_record_bucket_next(ev->data);
}


void
ngx_live_record_bucket_renewed(ngx_live_record_bucket_t *b)
{
    lr_gate_again(&b->gate);
    ngx_live_record_bucket_next(b);
}


void
ngx_live_record_requests_let_go(void)
{
    ngx_uint_t                  i;
    ngx_live_record_bucket_t  **b;

    b = ngx_live_record_conf->buckets.elts;

    for (i = 0; i < ngx_live_record_conf->buckets.nelts; i++) {
        ngx_live_record_bucket_next(b[i]);
        ngx_live_record_cred_let_go(b[i]->cred, "the worker exits");
    }
}


static void
ngx_live_record_request_count(ngx_live_record_request_t *req)
{
    ngx_uint_t                        result;
    ngx_live_record_bucket_counts_t  *c;

    c = req->bucket->counts;

    switch (req->result) {

    case LR_RETRY_OK:
        result = NGX_LIVE_RECORD_RESULT_OK;
        ngx_live_record_count_sent(c, req->bytes);
        ngx_live_record_object_count(req);
        break;

    case LR_RETRY_EXISTS:
        result = NGX_LIVE_RECORD_RESULT_EXISTS;
        break;

    case LR_RETRY_GONE:
        result = NGX_LIVE_RECORD_RESULT_GONE;
        break;

    case LR_RETRY_ADMIN:
    case LR_RETRY_CREDENTIALS:
        result = NGX_LIVE_RECORD_RESULT_REFUSED;
        break;

    default:
        result = NGX_LIVE_RECORD_RESULT_FAILED;
    }

    if (req->local) {
        result = NGX_LIVE_RECORD_RESULT_LOCAL;
    }

    ngx_live_record_count(c->requests[result], 1);
}


/* what has got its name in the bucket */

static void
ngx_live_record_object_count(ngx_live_record_request_t *req)
{
    uint64_t                          bytes;
    ngx_live_record_count_kind_e      kind;
    ngx_live_record_bucket_counts_t  *c;

    bytes = req->bytes;

    switch (req->op) {

    case NGX_LIVE_RECORD_PUT:
        break;

    case NGX_LIVE_RECORD_COMPLETE:

        /* under a working name it will be moved */

        if (!req->keep) {
            return;
        }

        /* fall through */

    case NGX_LIVE_RECORD_MOVE:
        bytes = req->size;
        break;

    default:
        return;
    }

    if (req->kind == LR_OBJECT_MANIFEST) {
        kind = NGX_LIVE_RECORD_KIND_MANIFEST;

    } else if (req->kind != LR_OBJECT_MEDIA) {
        kind = NGX_LIVE_RECORD_KIND_PLAYLIST;

    } else if (ngx_strcmp(req->type, "video/mp2t") == 0) {
        kind = NGX_LIVE_RECORD_KIND_TS;

    } else if (ngx_strcmp(req->type, "video/mp4") == 0) {
        kind = NGX_LIVE_RECORD_KIND_MP4;

    } else {
        kind = NGX_LIVE_RECORD_KIND_FLV;
    }

    c = req->bucket->counts;

    ngx_live_record_count(c->objects[kind], 1);
    ngx_live_record_count(c->bytes[kind], bytes);
}


/* told when it changes, not at each try */

static void
ngx_live_record_bucket_state(ngx_live_record_request_t *req)
{
    ngx_live_record_bucket_t  *b;

    b = req->bucket;

    /* what has no good name is told by its recording */

    if (req->aside || req->unfit) {
        return;
    }

    switch (req->result) {

    case LR_RETRY_GONE:

        /* that something has vanished is no sign of health */

        if (req->op >= NGX_LIVE_RECORD_BEGIN) {
            return;
        }

        /* fall through */

    case LR_RETRY_OK:
    case LR_RETRY_EXISTS:

        if (b->failing) {
            ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                          "live record: bucket \"%V\" works again",
                          &b->name);
        }

        b->failing = LR_RETRY_OK;
        b->refusal = NULL;
        ngx_live_record_count_success(b->counts);
        return;

    case LR_RETRY_CLOCK:
    case LR_RETRY_CREDENTIALS:
    case LR_RETRY_REGION:

        /* that was told, and the next try will do */

        return;

    case LR_RETRY_ADMIN:

        if (b->failing != LR_RETRY_ADMIN) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "live record: bucket \"%V\" refuses and needs "
                          "your help, recordings wait in the spool: %s",
                          &b->name, req->err);

            ngx_live_record_bucket_refuses(b, req->refusal, req->refused);
        }

        b->failing = LR_RETRY_ADMIN;
        ngx_live_record_count_failure(b->counts, LR_RETRY_ADMIN, req->err);
        return;

    default:

        if (req->local) {
            return;
        }

        if (!b->failing) {
            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                          "live record: bucket \"%V\" fails, recordings "
                          "wait in the spool and are tried again: %s",
                          &b->name, req->err);
            b->failing = LR_RETRY_AGAIN;
        }

        ngx_live_record_count_failure(b->counts, b->failing, req->err);
    }
}


void
ngx_live_record_bucket_refuses(ngx_live_record_bucket_t *b,
    const char *refusal, const char *why)
{
    b->refusals++;
    b->refusal = refusal;
    (void) snprintf(b->refused, sizeof(b->refused), "%s", why);
}


void
ngx_live_record_request_free(ngx_live_record_request_t *req)
{
    int                        rc;
    ngx_live_record_bucket_t  *b;

    if (req == NULL) {
        return;
    }

    if (!req->active) {
        if (req->queue.next) {
            ngx_queue_remove(&req->queue);
            ngx_live_record_count(req->bucket->counts->waiting, -1);
        }

        ngx_live_record_request_destroy(req);
        return;
    }

    req->cancelled = 1;
    b = req->bucket;

    rc = LR_AGAIN;

    if (b->type != NGX_LIVE_RECORD_DIR) {
        rc = ngx_live_record_oss_cancel(req);
    }

    /* else a thread is at work, and its end frees the request */

    if (rc == LR_OK) {
        ngx_live_record_request_done(req);
    }
}


static void
ngx_live_record_lend_engine(ngx_live_record_request_t *req)
{
    if (ngx_live_record_nengines) {
        req->body.engine =
                        ngx_live_record_engines[--ngx_live_record_nengines];
        return;
    }

    req->body.engine = ngx_calloc(sizeof(lr_engine_t), ngx_cycle->log);
}


static void
ngx_live_record_return_engine(ngx_live_record_request_t *req)
{
    lr_engine_t  *e;

    e = req->body.engine;
    req->body.engine = NULL;

    if (e == NULL) {
        return;
    }

    if (ngx_live_record_nengines < NGX_LIVE_RECORD_ENGINES) {
        ngx_live_record_engines[ngx_live_record_nengines++] = e;
        return;
    }

    lr_engine_free(e);
    ngx_free(e);
}


void
ngx_live_record_engines_free(void)
{
    while (ngx_live_record_nengines) {
        lr_engine_free(ngx_live_record_engines[--ngx_live_record_nengines]);
        ngx_free(ngx_live_record_engines[ngx_live_record_nengines]);
    }
}


static void
ngx_live_record_request_destroy(ngx_live_record_request_t *req)
{
    lr_body_close(&req->body);
    ngx_live_record_return_engine(req);
    lr_body_free(&req->body);
    lr_buf_free(&req->answer);
    ngx_free(req->key);
    ngx_free(req->after);
    ngx_free(req->until);
    ngx_free(req->task);
    ngx_free(req);
}
