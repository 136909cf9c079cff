
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What the actions about indexes of a range of time share.
 */


#ifndef _NGX_LIVE_RECORD_API_INDEX_H_INCLUDED_
#define _NGX_LIVE_RECORD_API_INDEX_H_INCLUDED_


#include "lr_index_info.h"
#include "ngx_live_record_api.h"
#include "ngx_live_record_bucket.h"


/* ngx_live_record_api_index_place.c */

/*
 * StartTime and EndTime: both there, in their order, and not more than four
 * days apart.  NGX_ERROR after an answer.
 */
ngx_int_t ngx_live_record_index_range(ngx_live_record_api_t *api,
    lr_range_t *range);

/*
 * The bucket of the template that applies to the call's stream: its media
 * and what is kept about its indexes is there.  NULL: there is no template.
 */
ngx_live_record_bucket_t *ngx_live_record_index_home(
    ngx_live_record_api_t *api, ngx_live_record_template_t **t);

/*
 * The bucket that a call means: the one of this name at this endpoint, or
 * the live_record_bucket of this name.  NULL: there is none.
 */
ngx_live_record_bucket_t *ngx_live_record_index_bucket(const char *endpoint,
    const char *bucket);

/* both are the same place, perhaps under two names */
ngx_uint_t ngx_live_record_index_same(ngx_live_record_bucket_t *a,
    ngx_live_record_bucket_t *b);

/*
 * Appends the URL of a key in a bucket, or of the bucket up to and with a
 * slash if it is NULL, and a zero byte that is not counted.  LR_DECLINED:
 * a directory has none, nothing is appended.
 */
int ngx_live_record_index_url(ngx_live_record_bucket_t *b, const char *key,
    lr_buf_t *out);

/* a request that no recording waits for, with a copy of the key */
ngx_live_record_request_t *ngx_live_record_index_request(
    ngx_live_record_bucket_t *b, const char *key,
    void (*handler)(ngx_live_record_request_t *req), void *data);

/* gives it another key, or NGX_ERROR */
ngx_int_t ngx_live_record_index_rekey(ngx_live_record_request_t *req,
    const char *key);

/* the members of RecordInfo and RecordIndexInfo; NULL: no memory */
json_t *ngx_live_record_index_json(const lr_index_info_t *info);


#endif /* _NGX_LIVE_RECORD_API_INDEX_H_INCLUDED_ */
