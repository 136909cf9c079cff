
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_live_record_counters.h"
#include "ngx_live_record_shared.h"


/* workers, those of before a reload too */
#define NGX_LIVE_RECORD_PLACES  256


/* pages of places and names that were never used are not there at all */

typedef struct {
    ngx_pid_t                    pids[NGX_LIVE_RECORD_PLACES];
    ngx_uint_t                   nnames;
    char                         names[NGX_LIVE_RECORD_COUNTED]
                                      [LR_NAME_MAX + 1];
    ngx_live_record_counts_t     counts[NGX_LIVE_RECORD_PLACES];
} ngx_live_record_counters_t;


static ngx_live_record_counts_t *ngx_live_record_counters_place(
    ngx_live_record_counters_t *t);
static ngx_live_record_bucket_counts_t *ngx_live_record_counters_bucket(
    ngx_live_record_counters_t *t, ngx_str_t *name);
static void ngx_live_record_counters_idle(ngx_live_record_counts_t *c);
static void ngx_live_record_counters_add_bucket(
    ngx_live_record_bucket_counts_t *sum,
    ngx_live_record_bucket_counts_t *c, ngx_uint_t gone);
static void ngx_live_record_counters_err(
    ngx_live_record_bucket_counts_t *sum,
    ngx_live_record_bucket_counts_t *c);
static uint64_t ngx_live_record_counter(const uint64_t *counter);


/* for who has no place in the shared memory */

static ngx_live_record_counts_t          ngx_live_record_uncounted;
static ngx_live_record_bucket_counts_t   ngx_live_record_uncounted_bucket;

ngx_live_record_counts_t  *ngx_live_record_counts =
                                                  &ngx_live_record_uncounted;


ngx_int_t
ngx_live_record_counters_add(ngx_conf_t *cf,
    ngx_live_record_main_conf_t *lmcf)
{
    lmcf->counters = ngx_live_record_shared_add(cf, "live_record_counters",
                                         sizeof(ngx_live_record_counters_t));

    return lmcf->counters ? NGX_OK : NGX_ERROR;
}


void
ngx_live_record_counters_init(ngx_cycle_t *cycle)
{
    ngx_uint_t                   i;
    ngx_live_record_counts_t    *c;
    ngx_live_record_bucket_t   **b;
    ngx_live_record_counters_t  *t;

    t = ngx_live_record_shared_lock(ngx_live_record_conf->counters);

    c = ngx_live_record_counters_place(t);

    ngx_live_record_counts = c ? c : &ngx_live_record_uncounted;

    b = ngx_live_record_conf->buckets.elts;

    for (i = 0; i < ngx_live_record_conf->buckets.nelts; i++) {
        b[i]->counts = ngx_live_record_counters_bucket(t, &b[i]->name);
    }

    ngx_live_record_shared_unlock(ngx_live_record_conf->counters);

    if (c == NULL) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "live record: there are more than %d workers, what "
                      "this one does is not counted",
                      NGX_LIVE_RECORD_PLACES);
    }

    for (i = 0; i < ngx_live_record_conf->buckets.nelts; i++) {
        if (b[i]->counts == &ngx_live_record_uncounted_bucket) {
            ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                          "live record: there were more than %d buckets "
                          "since the start of nginx, what bucket \"%V\" "
                          "does is not counted", NGX_LIVE_RECORD_COUNTED,
                          &b[i]->name);
        }
    }
}


/* one that is free, or of a worker that has ended; or NULL */

static ngx_live_record_counts_t *
ngx_live_record_counters_place(ngx_live_record_counters_t *t)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_LIVE_RECORD_PLACES; i++) {

        if (t->pids[i] == 0 || t->pids[i] == ngx_pid
            || ngx_live_record_gone(t->pids[i]))
        {
            t->pids[i] = ngx_pid;
            ngx_live_record_counters_idle(&t->counts[i]);

            return &t->counts[i];
        }
    }

    return NULL;
}


/* a bucket keeps its place for as long as nginx runs */

static ngx_live_record_bucket_counts_t *
ngx_live_record_counters_bucket(ngx_live_record_counters_t *t,
    ngx_str_t *name)
{
    ngx_uint_t  i;

    for (i = 0; i < t->nnames; i++) {
        if (ngx_strlen(t->names[i]) == name->len
            && ngx_strncmp(t->names[i], name->data, name->len) == 0)
        {
            return &ngx_live_record_counts->buckets[i];
        }
    }

    if (i == NGX_LIVE_RECORD_COUNTED || name->len > LR_NAME_MAX) {
        return &ngx_live_record_uncounted_bucket;
    }

    ngx_cpystrn((u_char *) t->names[i], name->data, name->len + 1);

    ngx_memory_barrier();
    t->nnames++;

    return &ngx_live_record_counts->buckets[i];
}


static void
ngx_live_record_counters_idle(ngx_live_record_counts_t *c)
{
    ngx_uint_t                        i;
    ngx_live_record_bucket_counts_t  *b;

    for (i = 0; i < NGX_LIVE_RECORD_COUNTED; i++) {
        b = &c->buckets[i];

        /* pages that were never used are left alone */

        if (b->active || b->waiting) {
            b->active = 0;
            b->waiting = 0;
        }

        if (b->serial & 1) {
            b->err[0] = '\0';
            b->serial++;
        }
    }
}


void
ngx_live_record_counters_exit(void)
{
    ngx_live_record_counters_idle(ngx_live_record_counts);
}


void
ngx_live_record_count_sent(ngx_live_record_bucket_counts_t *c,
    uint64_t bytes)
{
    uint64_t    stamp;
    ngx_uint_t  i;

    ngx_live_record_count(c->sent, bytes);

    stamp = (uint64_t) ngx_time() / NGX_LIVE_RECORD_RATE_STEP;
    i = stamp % NGX_LIVE_RECORD_RATE_STEPS;

    if (c->stamps[i] != stamp) {
        __atomic_store_n(&c->steps[i], 0, __ATOMIC_RELAXED);
        __atomic_store_n(&c->stamps[i], stamp, __ATOMIC_RELAXED);
    }

    ngx_live_record_count(c->steps[i], bytes);
}


void
ngx_live_record_count_success(ngx_live_record_bucket_counts_t *c)
{
    __atomic_store_n(&c->state, LR_RETRY_OK, __ATOMIC_RELAXED);
    __atomic_store_n(&c->success, (uint64_t) ngx_live_record_now(),
                     __ATOMIC_RELAXED);
}


void
ngx_live_record_count_failure(ngx_live_record_bucket_counts_t *c,
    lr_retry_e state, const char *err)
{
    ngx_live_record_count(c->serial, 1);
    ngx_memory_barrier();

    ngx_cpystrn((u_char *) c->err, (u_char *) err, sizeof(c->err));

    __atomic_store_n(&c->state, state, __ATOMIC_RELAXED);
    __atomic_store_n(&c->failure, (uint64_t) ngx_live_record_now(),
                     __ATOMIC_RELAXED);

    ngx_memory_barrier();
    ngx_live_record_count(c->serial, 1);
}


void
ngx_live_record_counters_sum(ngx_live_record_counts_t *sum,
    ngx_uint_t *workers)
{
    ngx_uint_t                   i, k, n, gone;
    ngx_live_record_counts_t    *c;
    ngx_live_record_counters_t  *t;

    ngx_memzero(sum, sizeof(ngx_live_record_counts_t));
    *workers = 0;

    t = ngx_live_record_conf->counters->data;
    n = t->nnames;

    for (i = 0; i < NGX_LIVE_RECORD_PLACES && t->pids[i]; i++) {

        c = &t->counts[i];
        gone = ngx_live_record_gone(t->pids[i]);
        *workers += !gone;

        sum->frames += ngx_live_record_counter(&c->frames);
        sum->received += ngx_live_record_counter(&c->received);
        sum->fragments += ngx_live_record_counter(&c->fragments);
        sum->lost_frames += ngx_live_record_counter(&c->lost_frames);
        sum->lost_bytes += ngx_live_record_counter(&c->lost_bytes);

        for (k = 0; k < NGX_LIVE_RECORD_CALLBACK_RESULTS; k++) {
            sum->callbacks[k] += ngx_live_record_counter(&c->callbacks[k]);
        }

        for (k = 0; k < NGX_LIVE_RECORD_CALL_RESULTS; k++) {
            sum->calls[k] += ngx_live_record_counter(&c->calls[k]);
        }

        for (k = 0; k < n; k++) {
            ngx_live_record_counters_add_bucket(&sum->buckets[k],
                                                &c->buckets[k], gone);
        }
    }

    for (k = 0; k < n; k++) {
        if (sum->buckets[k].success > sum->buckets[k].failure) {
            sum->buckets[k].state = LR_RETRY_OK;
        }
    }
}


static void
ngx_live_record_counters_add_bucket(ngx_live_record_bucket_counts_t *sum,
    ngx_live_record_bucket_counts_t *c, ngx_uint_t gone)
{
    uint64_t    v;
    ngx_uint_t  i, k;

    for (i = 0; i < NGX_LIVE_RECORD_RESULTS; i++) {
        sum->requests[i] += ngx_live_record_counter(&c->requests[i]);
    }

    for (i = 0; i < NGX_LIVE_RECORD_KINDS; i++) {
        sum->objects[i] += ngx_live_record_counter(&c->objects[i]);
        sum->bytes[i] += ngx_live_record_counter(&c->bytes[i]);
    }

    sum->retries += ngx_live_record_counter(&c->retries);
    sum->sent += ngx_live_record_counter(&c->sent);

    if (!gone) {
        sum->active += ngx_live_record_counter(&c->active);
        sum->waiting += ngx_live_record_counter(&c->waiting);
    }

    v = ngx_live_record_counter(&c->success);
    sum->success = ngx_max(sum->success, v);

    /* a worker's parts of the minute by those of the sum */

    for (i = 0; i < NGX_LIVE_RECORD_RATE_STEPS; i++) {
        v = ngx_live_record_counter(&c->stamps[i]);
        k = v % NGX_LIVE_RECORD_RATE_STEPS;

        if (v > sum->stamps[k]) {
            sum->stamps[k] = v;
            sum->steps[k] = 0;
        }

        if (v && v == sum->stamps[k]) {
            sum->steps[k] += ngx_live_record_counter(&c->steps[i]);
        }
    }

    ngx_live_record_counters_err(sum, c);
}


/* the last failure of all; what is being written is the next look's */

static void
ngx_live_record_counters_err(ngx_live_record_bucket_counts_t *sum,
    ngx_live_record_bucket_counts_t *c)
{
    uint64_t    serial, failure, state;
    ngx_uint_t  tries;
    char        err[NGX_LIVE_RECORD_ERR_MAX];

    for (tries = 0; tries < 100; tries++) {

        serial = ngx_live_record_counter(&c->serial);
        ngx_memory_barrier();

        failure = ngx_live_record_counter(&c->failure);
        state = ngx_live_record_counter(&c->state);
        ngx_memcpy(err, c->err, sizeof(err));

        ngx_memory_barrier();

        if (serial % 2 == 0
            && serial == ngx_live_record_counter(&c->serial))
        {
            if (failure > sum->failure) {
                sum->failure = failure;
                sum->state = state;
                ngx_memcpy(sum->err, err, sizeof(err));
                sum->err[sizeof(err) - 1] = '\0';
            }

            return;
        }

        ngx_cpu_pause();
    }
}


static uint64_t
ngx_live_record_counter(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}


ngx_int_t
ngx_live_record_counted(ngx_live_record_bucket_t *b)
{
    return b->counts == &ngx_live_record_uncounted_bucket
           ? NGX_ERROR : b->counts - ngx_live_record_counts->buckets;
}


uint64_t
ngx_live_record_counted_rate(const ngx_live_record_bucket_counts_t *c,
    time_t now)
{
    uint64_t    stamp, bytes;
    ngx_uint_t  i;

    stamp = (uint64_t) now / NGX_LIVE_RECORD_RATE_STEP;
    bytes = 0;

    for (i = 0; i < NGX_LIVE_RECORD_RATE_STEPS; i++) {
        if (c->stamps[i] <= stamp
            && stamp - c->stamps[i] < NGX_LIVE_RECORD_RATE_STEPS)
        {
            bytes += c->steps[i];
        }
    }

    return bytes / 60;
}
