
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Tasks of threads that no recording waits for.
 */


#ifndef _NGX_LIVE_RECORD_ASIDE_H_INCLUDED_
#define _NGX_LIVE_RECORD_ASIDE_H_INCLUDED_


#include "ngx_live_record_thread.h"


/*
 * As ngx_live_record_thread_post(), but only a few of these are in the pool at
 * a time, so that recordings find a thread however many there are; the others
 * begin when one of them has ended.  NGX_ERROR: no memory.
 */
ngx_int_t ngx_live_record_aside_post(ngx_thread_task_t *task,
    ngx_live_record_thread_pt handler, ngx_event_handler_pt done, void *data);

/* NGX_OK: it had not begun, and will not; else its end will be told */
ngx_int_t ngx_live_record_aside_cancel(ngx_thread_task_t *task);


#endif /* _NGX_LIVE_RECORD_ASIDE_H_INCLUDED_ */
