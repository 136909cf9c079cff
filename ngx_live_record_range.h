
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What was recorded of a stream between two times: what the manifests in
 * its bucket say, and of recordings in this node's spool what the bucket has
 * confirmed and no manifest may list yet.
 */


#ifndef _NGX_LIVE_RECORD_RANGE_H_INCLUDED_
#define _NGX_LIVE_RECORD_RANGE_H_INCLUDED_


#include "lr_range.h"
#include "ngx_live_record_bucket.h"


typedef enum {
    NGX_LIVE_RECORD_RANGE_OK = 0,
    NGX_LIVE_RECORD_RANGE_EMPTY,      /* nothing in the range */
    NGX_LIVE_RECORD_RANGE_UNKNOWN,    /* nothing of the stream at all */
    NGX_LIVE_RECORD_RANGE_MOVED,      /* some goes to another bucket */
    NGX_LIVE_RECORD_RANGE_FAILED      /* told in the log */
} ngx_live_record_range_e;


typedef struct ngx_live_record_range_s  ngx_live_record_range_t;

/* what was found; the parts hold what is in the range and nothing else, for
   lr_range_index(), until the range is freed */

typedef struct {
    ngx_live_record_range_e    rc;
    lr_manifest_t            **parts;
    size_t                     n;
} ngx_live_record_found_t;

typedef void (*ngx_live_record_range_pt)(void *data,
    ngx_live_record_found_t *found);


/*
 * Of the recordings of a domain, an app and a stream that go to the bucket
 * of a template, with the template's settings for how long a part of a
 * manifest may be.  The names are copied.  NULL: no memory.
 */
ngx_live_record_range_t *ngx_live_record_range_create(
    ngx_live_record_bucket_t *bucket, const lr_settings_t *settings,
    const char *domain, const char *app, const char *stream,
    const lr_range_t *range, ngx_live_record_range_pt handler, void *data);

/* the handler may be called before this returns, and may free the range */
void ngx_live_record_range_start(ngx_live_record_range_t *r);

/* what is under way is given up, and the handler not called; NULL is
   allowed */
void ngx_live_record_range_free(ngx_live_record_range_t *r);


#endif /* _NGX_LIVE_RECORD_RANGE_H_INCLUDED_ */
