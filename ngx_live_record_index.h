
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The index of a day: a view of the manifests that lie in the bucket, so
 * that it holds what other nodes recorded as well.
 */


#ifndef _NGX_LIVE_RECORD_INDEX_H_INCLUDED_
#define _NGX_LIVE_RECORD_INDEX_H_INCLUDED_


#include "lr_ship.h"
#include "ngx_live_record_bucket.h"


typedef struct ngx_live_record_day_s  ngx_live_record_day_t;

typedef void (*ngx_live_record_day_pt)(void *data, lr_retry_e result,
    ngx_uint_t after);


/* the index of the day on which a recording started; NULL: no memory */
ngx_live_record_day_t *ngx_live_record_day_create(
    ngx_live_record_bucket_t *bucket, const lr_ship_t *ship,
    ngx_live_record_day_pt handler, void *data);

/*
 * Begins to write it.  The shipping state has to stay as it is until the
 * handler is called, perhaps before this returns, which is to free the day.
 */
void ngx_live_record_day_start(ngx_live_record_day_t *day);

/* the key that was written */
const char *ngx_live_record_day_key(ngx_live_record_day_t *day);

/* why its bucket is not to blame if it failed, else NULL */
const char *ngx_live_record_day_error(ngx_live_record_day_t *day);

void ngx_live_record_day_free(ngx_live_record_day_t *day);


#endif /* _NGX_LIVE_RECORD_INDEX_H_INCLUDED_ */
