
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Calls of the API may be many, and a long recording's journals take a while
 * to be read.  In the one queue of the thread pool they would stand before
 * what recorders write.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_live_record_aside.h"


/* in the pool at a time, of a worker */
#define NGX_LIVE_RECORD_ASIDE_TASKS  2

/* until a pool that was full is tried again, ms */
#define NGX_LIVE_RECORD_ASIDE_RETRY  100


typedef struct {
    ngx_queue_t                 queue;
    ngx_thread_task_t          *task;
    ngx_live_record_thread_pt   handler;    /* the caller's, as the rest */
    ngx_event_handler_pt        done;
    void                       *data;
} ngx_live_record_aside_t;


static void ngx_live_record_aside_run(void);
static void ngx_live_record_aside_thread(void *data, ngx_log_t *log);
static void ngx_live_record_aside_done(ngx_event_t *ev);
static void ngx_live_record_aside_again(ngx_event_t *ev);


static ngx_queue_t  ngx_live_record_aside_waiting;
static ngx_uint_t   ngx_live_record_aside_active;
static ngx_event_t  ngx_live_record_aside_timer;


ngx_int_t
ngx_live_record_aside_post(ngx_thread_task_t *task,
    ngx_live_record_thread_pt handler, ngx_event_handler_pt done, void *data)
{
    ngx_live_record_aside_t  *a;

    a = ngx_alloc(sizeof(ngx_live_record_aside_t), ngx_cycle->log);
    if (a == NULL) {
        return NGX_ERROR;
    }

    a->task = task;
    a->handler = handler;
    a->done = done;
    a->data = data;

    /* for ngx_live_record_aside_cancel() */

    task->ctx = a;

    if (ngx_live_record_aside_waiting.next == NULL) {
        ngx_queue_init(&ngx_live_record_aside_waiting);
        ngx_live_record_timer_init(&ngx_live_record_aside_timer,
                                   ngx_live_record_aside_again);
    }

    ngx_queue_insert_tail(&ngx_live_record_aside_waiting, &a->queue);
    ngx_live_record_aside_run();

    return NGX_OK;
}


static void
ngx_live_record_aside_run(void)
{
    ngx_queue_t              *q;
    ngx_live_record_aside_t  *a;

    while (ngx_live_record_aside_active < NGX_LIVE_RECORD_ASIDE_TASKS
           && !ngx_queue_empty(&ngx_live_record_aside_waiting))
    {
        q = ngx_queue_head(&ngx_live_record_aside_waiting);
        a = ngx_queue_data(q, ngx_live_record_aside_t, queue);

        if (ngx_live_record_thread_post(a->task, ngx_live_record_aside_thread,
                                        ngx_live_record_aside_done, a)
            != NGX_OK)
        {
            if (!ngx_live_record_aside_timer.timer_set) {
                ngx_add_timer(&ngx_live_record_aside_timer,
                              NGX_LIVE_RECORD_ASIDE_RETRY);
            }

            return;
        }

        ngx_queue_remove(q);
        a->queue.next = NULL;

        ngx_live_record_aside_active++;
    }
}


ngx_int_t
ngx_live_record_aside_cancel(ngx_thread_task_t *task)
{
    ngx_live_record_aside_t  *a;

    a = task->ctx;

    if (a->queue.next == NULL) {
        return NGX_DECLINED;
    }

    ngx_queue_remove(&a->queue);
    ngx_free(a);

    return NGX_OK;
}


static void
ngx_live_record_aside_thread(void *data, ngx_log_t *log)
{
    ngx_live_record_aside_t *a = data;

    a->handler(a->data, log);
}


static void
ngx_live_record_aside_done(ngx_event_t *ev)
{
    ngx_event_handler_pt      done;
    ngx_live_record_aside_t  *a;

    a = ev->data;
    done = a->done;

    ev->data = a->data;
    ngx_free(a);

    ngx_live_record_aside_active--;

    /* the task may be gone after this */

    done(ev);

    ngx_live_record_aside_run();
}


static void
ngx_live_record_aside_again(ngx_event_t *ev)
{
    ngx_live_record_aside_run();
}
