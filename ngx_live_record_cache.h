
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Manifests that this worker has read, by what the listing says of their
 * version.  Each index of a day is drawn from all manifests of the day, and
 * of these only the newest have changed since the one before.
 */


#ifndef _NGX_LIVE_RECORD_CACHE_H_INCLUDED_
#define _NGX_LIVE_RECORD_CACHE_H_INCLUDED_


#include "ngx_live_record.h"


void ngx_live_record_cache_init(void);
void ngx_live_record_cache_exit(void);

/*
 * Puts the text of that version into an empty buffer; NGX_DECLINED if it is
 * not there, or there is no memory.
 */
ngx_int_t ngx_live_record_cache_get(ngx_live_record_bucket_t *bucket,
    const char *key, const char *version, lr_buf_t *text);

/* copies a text, in place of one of another version */
void ngx_live_record_cache_put(ngx_live_record_bucket_t *bucket,
    const char *key, const char *version, const lr_buf_t *text);


#endif /* _NGX_LIVE_RECORD_CACHE_H_INCLUDED_ */
