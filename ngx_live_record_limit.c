
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Transfers to a store take turns on the event loop: those that have used
 * up theirs are paused and queue up for the next.  A turn is short enough
 * for each to move some bytes twice a second, so that none looks like one
 * that stalls.  What is written to a directory waits in its thread.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_live_record_limit.h"


/* how long a thread sleeps before it sees that the worker exits, us */
#define NGX_LIVE_RECORD_LIMIT_NAP  50000


static size_t ngx_live_record_limit_turn(ngx_live_record_bucket_t *b);
static void ngx_live_record_limit_timer(ngx_event_t *ev);
static void ngx_live_record_limit_wait(ngx_live_record_bucket_t *b);


ngx_int_t
ngx_live_record_limit_init(ngx_live_record_bucket_t *b, ngx_uint_t workers,
    ngx_log_t *log)
{
    if (b->limit_rate == 0) {
        return NGX_OK;
    }

    b->rate.rate = ngx_max(b->limit_rate / workers, 1);

    ngx_queue_init(&b->limited);

    b->limit_timer.handler = ngx_live_record_limit_timer;
    b->limit_timer.data = b;
    b->limit_timer.log = log;
    b->limit_timer.cancelable = 1;

    return ngx_thread_mutex_create(&b->limit_mutex, log);
}


unsigned
ngx_live_record_limit_requests(ngx_live_record_bucket_t *b)
{
    /* one thread that sleeps uses the rate up, and recorders need the rest */

    if (b->type == NGX_LIVE_RECORD_DIR && b->limit_rate) {
        return 1;
    }

    return (unsigned) b->connections;
}


size_t
ngx_live_record_limit(ngx_live_record_oss_t *t, size_t n)
{
    ngx_live_record_bucket_t  *b;

    b = t->req->bucket;

    if (b->limit_rate == 0 || t->req->body.kind == LR_BODY_TEXT) {
        return n;
    }

    if (t->limited.next) {
        return 0;
    }

    if (t->turn == 0) {

        if (!ngx_queue_empty(&b->limited)
            || lr_rate_wait(&b->rate, ngx_current_msec * 1000))
        {
            ngx_queue_insert_tail(&b->limited, &t->limited);
            ngx_live_record_limit_wait(b);
            return 0;
        }

        t->turn = ngx_live_record_limit_turn(b);
    }

    n = ngx_min(n, t->turn);
    t->turn -= n;

    return n;
}


static size_t
ngx_live_record_limit_turn(ngx_live_record_bucket_t *b)
{
    size_t  n;

    n = lr_rate_turn(&b->rate, b->gate.active);

    (void) lr_rate_take(&b->rate, n, ngx_current_msec * 1000);

    return n;
}


static void
ngx_live_record_limit_timer(ngx_event_t *ev)
{
    ngx_queue_t               *q;
    ngx_live_record_oss_t     *t;
    ngx_live_record_bucket_t  *b;

    b = ev->data;

    while (!ngx_queue_empty(&b->limited)
           && lr_rate_wait(&b->rate, ngx_current_msec * 1000) == 0)
    {
        q = ngx_queue_head(&b->limited);
        ngx_queue_remove(q);

        t = ngx_queue_data(q, ngx_live_record_oss_t, limited);
        t->limited.next = NULL;
        t->turn = ngx_live_record_limit_turn(b);

        ngx_live_record_curl_continue(t->easy);
    }

    ngx_live_record_limit_wait(b);
}


static void
ngx_live_record_limit_wait(ngx_live_record_bucket_t *b)
{
    uint64_t  wait;

    if (ngx_queue_empty(&b->limited) || b->limit_timer.timer_set) {
        return;
    }

    wait = lr_rate_wait(&b->rate, ngx_current_msec * 1000);

    ngx_add_timer(&b->limit_timer, (ngx_msec_t) (wait + 999) / 1000);
}


size_t
ngx_live_record_limit_least(ngx_live_record_bucket_t *b)
{
    size_t  share;

    if (b->rate.rate == 0) {
        return b->min_speed;
    }

    share = (size_t) b->rate.rate / b->connections / 2;

    return ngx_max(ngx_min(share, b->min_speed), 1);
}


void
ngx_live_record_limit_leave(ngx_live_record_oss_t *t)
{
    if (t->limited.next) {
        ngx_queue_remove(&t->limited);
        t->limited.next = NULL;
    }

    if (t->turn) {
        lr_rate_give(&t->req->bucket->rate, t->turn);
        t->turn = 0;
    }
}


void
ngx_live_record_limit_pace(void *data, size_t n)
{
    ngx_live_record_bucket_t *b = data;

    uint64_t         wait, nap;
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    if (ngx_thread_mutex_lock(&b->limit_mutex, ngx_cycle->log) != NGX_OK) {
        return;
    }

    wait = lr_rate_take(&b->rate, n, (uint64_t) ts.tv_sec * 1000000
                                     + ts.tv_nsec / 1000);

    (void) ngx_thread_mutex_unlock(&b->limit_mutex, ngx_cycle->log);

    /* a worker that exits waits for its threads */

    while (wait && !ngx_live_record_leaving()) {
        nap = ngx_min(wait, NGX_LIVE_RECORD_LIMIT_NAP);
        usleep((useconds_t) nap);
        wait -= nap;
    }
}
