
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The way of tasks from the event loop to the threads of a pool.
 */


#ifndef _NGX_LIVE_RECORD_THREAD_H_INCLUDED_
#define _NGX_LIVE_RECORD_THREAD_H_INCLUDED_


#include "ngx_live_record.h"


/* of a worker, before anything is posted */
ngx_int_t ngx_live_record_threads_init(ngx_cycle_t *cycle);

typedef void (*ngx_live_record_thread_pt)(void *data, ngx_log_t *log);

/*
 * Has a thread of "live_record_thread_pool" call the handler with data, and
 * the event loop "done" after that, with data in ev->data.  NGX_ERROR, where
 * it can be known at once: the pool takes no more, none of both is called.
 * Does not wait.  Only the event loop may call it.  Tasks begin in the order
 * they are posted in.  The task is the caller's, and has to be there until
 * done is called.
 */
ngx_int_t ngx_live_record_thread_post(ngx_thread_task_t *task,
    ngx_live_record_thread_pt handler, ngx_event_handler_pt done, void *data);


#endif /* _NGX_LIVE_RECORD_THREAD_H_INCLUDED_ */
