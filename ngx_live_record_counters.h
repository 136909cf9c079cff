
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What the workers count, in memory that they share.  Each has a place of
 * its own there, to which nobody else writes, so that counting takes no
 * lock; who wants to know adds up all places.  The place of a worker that
 * has ended is the next one's, with what was counted there, so that no sum
 * ever falls while nginx runs.
 */


#ifndef _NGX_LIVE_RECORD_COUNTERS_H_INCLUDED_
#define _NGX_LIVE_RECORD_COUNTERS_H_INCLUDED_


#include "ngx_live_record.h"


/* buckets of different names that can be counted between two restarts */
#define NGX_LIVE_RECORD_COUNTED  64

/* bytes of the last error, with its end */
#define NGX_LIVE_RECORD_ERR_MAX  256

/* sent in the last minute, by parts of it, s; one is being filled */
#define NGX_LIVE_RECORD_RATE_STEP  5
#define NGX_LIVE_RECORD_RATE_STEPS 13


/* what has come of a request to a bucket */

typedef enum {
    NGX_LIVE_RECORD_RESULT_OK = 0,
    NGX_LIVE_RECORD_RESULT_EXISTS,    /* another object has the name */
    NGX_LIVE_RECORD_RESULT_GONE,      /* what it was about is not there */
    NGX_LIVE_RECORD_RESULT_FAILED,    /* it may work when tried again */
    NGX_LIVE_RECORD_RESULT_REFUSED,   /* somebody has to help */
    NGX_LIVE_RECORD_RESULT_LOCAL,     /* the spool could not be read */
    NGX_LIVE_RECORD_RESULTS
} ngx_live_record_count_result_e;


/* what is stored */

typedef enum {
    NGX_LIVE_RECORD_KIND_TS = 0,
    NGX_LIVE_RECORD_KIND_MP4,
    NGX_LIVE_RECORD_KIND_FLV,
    NGX_LIVE_RECORD_KIND_PLAYLIST,    /* and indexes of a day */
    NGX_LIVE_RECORD_KIND_MANIFEST,
    NGX_LIVE_RECORD_KINDS
} ngx_live_record_count_kind_e;


/* callbacks: taken, not taken and to be tried again, given up */

typedef enum {
    NGX_LIVE_RECORD_CALLBACK_TAKEN = 0,
    NGX_LIVE_RECORD_CALLBACK_FAILED,
    NGX_LIVE_RECORD_CALLBACK_GIVEN,
    NGX_LIVE_RECORD_CALLBACK_RESULTS
} ngx_live_record_count_callback_e;


/* calls of the API: answered, refused, failed here */

typedef enum {
    NGX_LIVE_RECORD_CALL_OK = 0,
    NGX_LIVE_RECORD_CALL_REFUSED,
    NGX_LIVE_RECORD_CALL_FAILED,
    NGX_LIVE_RECORD_CALL_RESULTS
} ngx_live_record_count_call_e;


struct ngx_live_record_bucket_counts_s {
    uint64_t     requests[NGX_LIVE_RECORD_RESULTS];
    uint64_t     objects[NGX_LIVE_RECORD_KINDS];
    uint64_t     bytes[NGX_LIVE_RECORD_KINDS];
    uint64_t     retries;
    uint64_t     sent;              /* bytes that the bucket has taken */

    /* not for the next worker */

    uint64_t     active;            /* requests */
    uint64_t     waiting;

    uint64_t     state;             /* lr_retry_e: as of "failing" */
    uint64_t     success;           /* unix ms of the last, or 0 */
    uint64_t     failure;

    uint64_t     steps[NGX_LIVE_RECORD_RATE_STEPS];   /* bytes */
    uint64_t     stamps[NGX_LIVE_RECORD_RATE_STEPS];  /* unix time / STEP */

    uint64_t     serial;            /* of err; odd: it is being written */
    char         err[NGX_LIVE_RECORD_ERR_MAX];
};


typedef struct {
    uint64_t     frames;            /* in fragments that have ended */
    uint64_t     received;          /* bytes that were written */
    uint64_t     fragments;         /* ended */
    uint64_t     lost_frames;
    uint64_t     lost_bytes;
    uint64_t     callbacks[NGX_LIVE_RECORD_CALLBACK_RESULTS];
    uint64_t     calls[NGX_LIVE_RECORD_CALL_RESULTS];

    ngx_live_record_bucket_counts_t  buckets[NGX_LIVE_RECORD_COUNTED];
} ngx_live_record_counts_t;


/* this worker's; there is always something to count in */
extern ngx_live_record_counts_t  *ngx_live_record_counts;

/*
 * Adds to a counter of this worker, from the event loop.  Others may read it
 * at any time and find it whole.
 */
#define ngx_live_record_count(counter, n)                                     \
    __atomic_store_n(&(counter), (counter) + (uint64_t) (n), __ATOMIC_RELAXED)


/* while the configuration is read: lmcf->counters */
ngx_int_t ngx_live_record_counters_add(ngx_conf_t *cf,
    ngx_live_record_main_conf_t *lmcf);

/* a worker begins: takes a place, for itself and its buckets */
void ngx_live_record_counters_init(ngx_cycle_t *cycle);

/* and ends: what it had under way is so no more */
void ngx_live_record_counters_exit(void);

/* so many bytes were taken by the bucket just now */
void ngx_live_record_count_sent(ngx_live_record_bucket_counts_t *c,
    uint64_t bytes);

/* the bucket is well; or it is not, and why: state as b->failing */
void ngx_live_record_count_success(ngx_live_record_bucket_counts_t *c);
void ngx_live_record_count_failure(ngx_live_record_bucket_counts_t *c,
    lr_retry_e state, const char *err);

/*
 * Adds up what all workers have counted, of a bucket by the pointer that
 * it has to its counters; may be called in a thread.  What is under way is
 * that of workers that run.  Of state, failure and err those of the last
 * failure count; state is LR_RETRY_OK if any worker had a success since.
 */
void ngx_live_record_counters_sum(ngx_live_record_counts_t *sum,
    ngx_uint_t *workers);

/* its place among sum->buckets, or NGX_ERROR if it has none */
ngx_int_t ngx_live_record_counted(ngx_live_record_bucket_t *b);

/* bytes a second, of the last minute before unix time "now" */
uint64_t ngx_live_record_counted_rate(
    const ngx_live_record_bucket_counts_t *c, time_t now);


#endif /* _NGX_LIVE_RECORD_COUNTERS_H_INCLUDED_ */
