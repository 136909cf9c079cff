
/*
 * Copyright (C) the ngx_live_record authors
 *
 * "limit_rate" of a bucket: how fast the media goes to it, in all that this
 * worker sends there.
 */


#ifndef _NGX_LIVE_RECORD_LIMIT_H_INCLUDED_
#define _NGX_LIVE_RECORD_LIMIT_H_INCLUDED_


#include "ngx_live_record_oss.h"


ngx_int_t ngx_live_record_limit_init(ngx_live_record_bucket_t *b,
    ngx_uint_t workers, ngx_log_t *log);

/* how many requests to the bucket this worker may have at a time */
unsigned ngx_live_record_limit_requests(ngx_live_record_bucket_t *b);

/*
 * How many of the next n bytes a transfer may hand over now.  0: it is to
 * be paused, and goes on when it is its turn.
 */
size_t ngx_live_record_limit(ngx_live_record_oss_t *t, size_t n);

/*
 * What a transfer may be slow at, bytes/s: "min_speed", or less where the
 * limit does not leave as much to each.
 */
size_t ngx_live_record_limit_least(ngx_live_record_bucket_t *b);

/* a transfer is over, or waits for its turn no more */
void ngx_live_record_limit_leave(ngx_live_record_oss_t *t);

/* for lr_body_t's pace; data is a bucket */
void ngx_live_record_limit_pace(void *data, size_t n);


#endif /* _NGX_LIVE_RECORD_LIMIT_H_INCLUDED_ */
