
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Tasks of threads that no recording waits for.
 */


#ifndef _NGX_LIVE_RECORD_ASIDE_H_INCLUDED_
#define _NGX_LIVE_RECORD_ASIDE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * As ngx_thread_task_post() to the pool of the spool, but only a few of these
 * are in it at a time, so that recordings find a thread however many there
 * are; the others begin when one of them has ended.  The task, its handler
 * and that of its event are the caller's, and have to be there until then.
 */
ngx_int_t ngx_live_record_aside_post(ngx_thread_task_t *task);

/* NGX_OK: it had not begun, and will not; else its end will be told */
ngx_int_t ngx_live_record_aside_cancel(ngx_thread_task_t *task);


#endif /* _NGX_LIVE_RECORD_ASIDE_H_INCLUDED_ */
