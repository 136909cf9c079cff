
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The way from a recorder to the disk: a queue of bytes and of events, that
 * a thread takes whole, one task at a time, so that the order is kept and
 * the event loop never waits.
 */


#ifndef _NGX_LIVE_RECORD_QUEUE_H_INCLUDED_
#define _NGX_LIVE_RECORD_QUEUE_H_INCLUDED_


#include "lr_writer.h"
#include "ngx_live_record.h"


/* so many bytes make a write worth while before its time */
#define NGX_LIVE_RECORD_BATCH  524288

/*
 * What a fragment takes of the spool beside its bytes and rows: the ends of
 * the last blocks of its files, and lines in both journals.
 */
#define NGX_LIVE_RECORD_FRAGMENT  16384


typedef struct ngx_live_record_queue_s  ngx_live_record_queue_t;
typedef struct ngx_live_record_step_s  ngx_live_record_step_t;

struct ngx_live_record_queue_s {

    /* what each message touches, close together */

    u_char                    *pos;        /* in the block being filled */
    size_t                     left;       /* room in it */
    size_t                     queued;     /* bytes in steps */
    size_t                     memory;     /* of blocks, the thread's too */
    ngx_live_record_step_t    *block;      /* being filled */
    ngx_msec_t                 since;      /* its first byte came */
    uint64_t                   offset;     /* in the fragment's file */

    unsigned                   running:1;
    unsigned                   busy:1;     /* a thread is at it */
    unsigned                   held:1;     /* no task is posted any more */
    unsigned                   more:1;     /* the thread did not get all */
    unsigned                   ended:1;    /* unpublish was written */
    unsigned                   news:1;     /* for the handler: fragments were
                                              opened or closed */

    ngx_live_record_step_t    *steps;
    ngx_live_record_step_t   **last;

    void                     (*handler)(ngx_live_record_queue_t *q);
    void                      *data;

    /* what the thread has */

    ngx_live_record_step_t    *work;
    ngx_live_record_step_t   **work_last;
    size_t                     work_queued;
    ngx_uint_t                 written;    /* it has finished with that */
    ngx_thread_task_t         *task;

    /* for the handler: what became of it */

    uint64_t                   lost;       /* frames not written, or whose
                                              loss was not journalled */
    uint64_t                   lost_bytes; /* of the latter */
    uint64_t                   unwritten;  /* of the former */

    /* and to be counted */

    uint64_t                   frames;     /* of fragments that have ended */
    uint64_t                   fragments;
    ngx_err_t                  err;        /* the first error, or 0 */

    lr_writer_t                writer;     /* the thread's while busy */
};


/* an empty queue; the handler is called after each task */
ngx_int_t ngx_live_record_queue_init(ngx_live_record_queue_t *q,
    void (*handler)(ngx_live_record_queue_t *q), void *data);

/* from here on the queue writes, into what was claimed */
void ngx_live_record_queue_run(ngx_live_record_queue_t *q,
    const lr_claim_t *claim);

/* bytes of the open fragment; NGX_ERROR: some of them are missing */
ngx_int_t ngx_live_record_queue_append(ngx_live_record_queue_t *q,
    const u_char *p, size_t n);

/* events, in order with the bytes; close takes the rows over */
ngx_int_t ngx_live_record_queue_open(ngx_live_record_queue_t *q,
    const lr_fragment_t *f);
void ngx_live_record_queue_close(ngx_live_record_queue_t *q, lr_buf_t *rows,
    int64_t duration);
void ngx_live_record_queue_lost(ngx_live_record_queue_t *q, uint64_t frames,
    uint64_t bytes, const char *why);
void ngx_live_record_queue_error(ngx_live_record_queue_t *q,
    const char *text);
void ngx_live_record_queue_grace(ngx_live_record_queue_t *q, int64_t grace);
void ngx_live_record_queue_unpublish(ngx_live_record_queue_t *q,
    const char *why);

/* hands what waits to a thread, if none is at it */
void ngx_live_record_queue_flush(ngx_live_record_queue_t *q);

/* the same, and nothing is held back until there is more of it */
void ngx_live_record_queue_flush_all(ngx_live_record_queue_t *q);

/* as the first, for many: small writes share a task; flush ends it */
void ngx_live_record_queue_flush_grouped(ngx_live_record_queue_t *q);
void ngx_live_record_queue_flush_group(void);

/*
 * Writes all that waits, while the worker exits, without the event loop; waits
 * for a thread that is at it.
 */
void ngx_live_record_queue_drain(ngx_live_record_queue_t *q);

void ngx_live_record_queue_free(ngx_live_record_queue_t *q);

/*
 * Blocks that are kept for later: gives back all, or at each tick a few of
 * those that were not needed since the one before.
 */
void ngx_live_record_queue_trim(ngx_uint_t all);

void ngx_live_record_queue_exit(void);


#endif /* _NGX_LIVE_RECORD_QUEUE_H_INCLUDED_ */
