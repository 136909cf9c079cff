
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

/*
 * Has a thread of "live_record_thread_pool" call task->handler, and the event
 * loop task->event.handler after that, as ngx_thread_task_post() does, whose
 * result it gives where it can be known at once.  Does not wait.  Only the
 * event loop may call it.  Tasks begin in the order they are posted in.
 */
ngx_int_t ngx_live_record_thread_post(ngx_thread_task_t *task);


#endif /* _NGX_LIVE_RECORD_THREAD_H_INCLUDED_ */
