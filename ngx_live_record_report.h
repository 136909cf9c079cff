
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What an admin is told of all workers, by the one that happens to be asked:
 * the spool's files say what there is of recordings, and what the workers
 * have counted is in memory that they share.
 */


#ifndef _NGX_LIVE_RECORD_REPORT_H_INCLUDED_
#define _NGX_LIVE_RECORD_REPORT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "lr_survey.h"
#include "ngx_live_record_counters.h"
#include "ngx_live_record_streams.h"


typedef struct {
    int64_t                       now;         /* unix ms */
    lr_survey_t                   survey;
    ngx_live_record_counts_t      counts;      /* of all workers */
    ngx_uint_t                    workers;     /* that run */
    ngx_live_record_published_t  *streams;
    size_t                        nstreams;
    size_t                        recorded;    /* of them */
} ngx_live_record_report_t;


/* the content handlers of locations */
ngx_int_t ngx_live_record_status_handler(ngx_http_request_t *r);
ngx_int_t ngx_live_record_metrics_handler(ngx_http_request_t *r);

/* of ngx_live_record_count_result_e and ngx_live_record_count_kind_e */
extern const char  *ngx_live_record_result_names[];
extern const char  *ngx_live_record_kind_names[];

/* "dir", "oss", "s3" */
const char *ngx_live_record_bucket_type(ngx_live_record_bucket_t *b);

/* what was counted of a bucket, or NULL */
const ngx_live_record_bucket_counts_t *ngx_live_record_report_bucket(
    const ngx_live_record_report_t *rp, ngx_live_record_bucket_t *b);


/* these write all of it; in a thread.  A buffer without memory is "failed" */

/* ngx_live_record_status.c: as docs/status.schema.json */
void ngx_live_record_status_write(const ngx_live_record_report_t *rp,
    lr_buf_t *out);

/* ngx_live_record_metrics.c */
void ngx_live_record_metrics_write(const ngx_live_record_report_t *rp,
    lr_buf_t *out);


#endif /* _NGX_LIVE_RECORD_REPORT_H_INCLUDED_ */
