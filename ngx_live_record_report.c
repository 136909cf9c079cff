
/*
 * Copyright (C) the ngx_live_record authors
 *
 * From a request for the status or for metrics to its answer.  A thread
 * looks at the spool and writes both; they are kept for a second, so that
 * whoever asks all the time costs no more than that.
 */


#include "lr_prom.h"
#include "ngx_live_record_report.h"
#include "ngx_live_record_thread.h"


/* for so long an answer is given again, ms */
#define NGX_LIVE_RECORD_REPORT_KEEP  1000

/* and for so long a look reads journals that it has not read before, ms */
#define NGX_LIVE_RECORD_REPORT_TIME  2000


typedef enum {
    NGX_LIVE_RECORD_REPORT_STATUS = 0,
    NGX_LIVE_RECORD_REPORT_METRICS,
    NGX_LIVE_RECORD_REPORTS
} ngx_live_record_report_e;


/* a request that waits for the thread */

typedef struct {
    ngx_queue_t                queue;
    ngx_http_request_t        *request;
    ngx_live_record_report_e   what;
    unsigned                   waiting:1;
} ngx_live_record_asked_t;


static ngx_int_t ngx_live_record_report_ask(ngx_http_request_t *r,
    ngx_live_record_report_e what);
static ngx_int_t ngx_live_record_report_wait(ngx_http_request_t *r,
    ngx_live_record_report_e what);
static void ngx_live_record_report_cleanup(void *data);
static ngx_int_t ngx_live_record_report_look(void);
static void ngx_live_record_report_thread(void *data, ngx_log_t *log);
static void ngx_live_record_report_done(ngx_event_t *ev);
static ngx_int_t ngx_live_record_report_send(ngx_http_request_t *r,
    ngx_live_record_report_e what);


const char  *ngx_live_record_result_names[] = {
    "ok", "exists", "gone", "failed", "refused", "local"
};

const char  *ngx_live_record_kind_names[] = {
    "ts", "mp4", "flv", "playlist", "manifest"
};


/* of this worker */

static ngx_queue_t                ngx_live_record_asked;
static ngx_thread_task_t          ngx_live_record_report_task;
static ngx_uint_t                 ngx_live_record_report_busy;
static ngx_uint_t                 ngx_live_record_report_known;
static ngx_msec_t                 ngx_live_record_report_made;

/* the thread's while busy */

static ngx_live_record_report_t   ngx_live_record_reported;
static lr_buf_t                   ngx_live_record_report_texts[
                                                    NGX_LIVE_RECORD_REPORTS];


ngx_int_t
ngx_live_record_status_handler(ngx_http_request_t *r)
{
    return ngx_live_record_report_ask(r, NGX_LIVE_RECORD_REPORT_STATUS);
}


ngx_int_t
ngx_live_record_metrics_handler(ngx_http_request_t *r)
{
    return ngx_live_record_report_ask(r, NGX_LIVE_RECORD_REPORT_METRICS);
}


static ngx_int_t
ngx_live_record_report_ask(ngx_http_request_t *r,
    ngx_live_record_report_e what)
{
    ngx_int_t  rc;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    /* there is nothing here to be told of */

    if (ngx_live_record_conf == NULL) {
        return NGX_HTTP_NOT_FOUND;
    }

    if (ngx_live_record_report_known && !ngx_live_record_report_busy
        && ngx_current_msec - ngx_live_record_report_made
           < NGX_LIVE_RECORD_REPORT_KEEP)
    {
        return ngx_live_record_report_send(r, what);
    }

    return ngx_live_record_report_wait(r, what);
}


static ngx_int_t
ngx_live_record_report_wait(ngx_http_request_t *r,
    ngx_live_record_report_e what)
{
    ngx_http_cleanup_t       *cln;
    ngx_live_record_asked_t  *asked;

    cln = ngx_http_cleanup_add(r, sizeof(ngx_live_record_asked_t));
    if (cln == NULL || ngx_live_record_report_look() != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    asked = cln->data;
    asked->request = r;
    asked->what = what;
    asked->waiting = 1;

    cln->handler = ngx_live_record_report_cleanup;

    ngx_queue_insert_tail(&ngx_live_record_asked, &asked->queue);

    r->main->count++;

    if (!r->discard_body) {
        r->read_event_handler = ngx_http_test_reading;
    }

    r->write_event_handler = ngx_http_request_empty_handler;

    return NGX_DONE;
}


/* the client did not wait for it */

static void
ngx_live_record_report_cleanup(void *data)
{
    ngx_live_record_asked_t *asked = data;

    if (asked->waiting) {
        ngx_queue_remove(&asked->queue);
    }
}


static ngx_int_t
ngx_live_record_report_look(void)
{
    if (ngx_live_record_report_busy) {
        return NGX_OK;
    }

    if (ngx_live_record_asked.next == NULL) {
        ngx_queue_init(&ngx_live_record_asked);
    }

    if (ngx_live_record_thread_post(&ngx_live_record_report_task,
                                    ngx_live_record_report_thread,
                                    ngx_live_record_report_done,
                                    &ngx_live_record_reported)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_live_record_report_busy = 1;

    return NGX_OK;
}


static void
ngx_live_record_report_thread(void *data, ngx_log_t *log)
{
    size_t                     i;
    lr_buf_t                  *texts;
    ngx_live_record_report_t  *rp;

    rp = data;
    texts = ngx_live_record_report_texts;

    for (i = 0; i < NGX_LIVE_RECORD_REPORTS; i++) {
        texts[i].len = 0;
    }

    rp->now = ngx_live_record_now();

    /* after a failure there is no answer rather than an old one */

    if (lr_survey_look(&rp->survey, (char *) ngx_live_record_conf->spool.data,
                       LR_SURVEY_MAX, rp->now, NGX_LIVE_RECORD_REPORT_TIME)
        != LR_OK
        || ngx_live_record_streams_list(&rp->streams, &rp->nstreams)
           != NGX_OK)
    {
        return;
    }

    rp->recorded = 0;

    for (i = 0; i < rp->nstreams; i++) {
        rp->recorded += rp->streams[i].why == NGX_LIVE_RECORD_WHY_NONE;
    }

    ngx_live_record_counters_sum(&rp->counts, &rp->workers);

    ngx_live_record_status_write(rp, &texts[NGX_LIVE_RECORD_REPORT_STATUS]);
    ngx_live_record_metrics_write(rp, &texts[NGX_LIVE_RECORD_REPORT_METRICS]);

    for (i = 0; i < NGX_LIVE_RECORD_REPORTS; i++) {
        if (texts[i].failed) {
            lr_buf_free(&texts[i]);
        }
    }

    free(rp->streams);
    rp->streams = NULL;
}


static void
ngx_live_record_report_done(ngx_event_t *ev)
{
    ngx_int_t                 rc;
    ngx_queue_t              *q;
    ngx_connection_t         *c;
    ngx_http_request_t       *r;
    ngx_live_record_asked_t  *asked;

    ngx_live_record_report_busy = 0;
    ngx_live_record_report_known = 1;
    ngx_live_record_report_made = ngx_current_msec;

    while (!ngx_queue_empty(&ngx_live_record_asked)
           && !ngx_live_record_report_busy)
    {
        q = ngx_queue_head(&ngx_live_record_asked);
        ngx_queue_remove(q);

        asked = ngx_queue_data(q, ngx_live_record_asked_t, queue);
        asked->waiting = 0;

        r = asked->request;
        c = r->connection;

        rc = ngx_live_record_report_send(r, asked->what);

        ngx_http_finalize_request(r, rc);
        ngx_http_run_posted_requests(c);
    }
}


static ngx_int_t
ngx_live_record_report_send(ngx_http_request_t *r,
    ngx_live_record_report_e what)
{
    lr_buf_t     *text;
    ngx_buf_t    *b;
    ngx_int_t     rc;
    ngx_chain_t   out;

    text = &ngx_live_record_report_texts[what];

    if (text->len == 0) {
        ngx_live_record_report_known = 0;
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    if (what == NGX_LIVE_RECORD_REPORT_STATUS) {
        ngx_str_set(&r->headers_out.content_type, "application/json");

    } else {
        ngx_str_set(&r->headers_out.content_type, LR_PROM_CONTENT_TYPE);
    }

    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = (off_t) text->len;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    /* the text may be written anew while this one is being sent */

    b = ngx_create_temp_buf(r->pool, text->len);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->last = ngx_cpymem(b->last, text->data, text->len);
    b->last_buf = r == r->main;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


const char *
ngx_live_record_bucket_type(ngx_live_record_bucket_t *b)
{
    return b->type == NGX_LIVE_RECORD_DIR ? "dir"
           : b->type == NGX_LIVE_RECORD_OSS ? "oss" : "s3";
}


const ngx_live_record_bucket_counts_t *
ngx_live_record_report_bucket(const ngx_live_record_report_t *rp,
    ngx_live_record_bucket_t *b)
{
    ngx_int_t  i;

    i = ngx_live_record_counted(b);

    return i == NGX_ERROR ? NULL : &rp->counts.buckets[i];
}
