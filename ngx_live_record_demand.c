
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Recording on demand: asks by HTTP whether a stream is to be recorded,
 * once for a publish.  Its media is held meanwhile.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "lr_on_demand.h"
#include "ngx_live_record_curl.h"
#include "ngx_live_record_publisher.h"


/* for all of it, ms */
#define NGX_LIVE_RECORD_ASK_TIMEOUT  5000

#define NGX_LIVE_RECORD_ASK_KEPT     4


struct ngx_live_record_question_s {
    ngx_queue_t                   queue;
    ngx_live_record_publisher_t  *publisher;   /* NULL: it is gone */
    ngx_live_record_recorder_t   *recorder;
    ngx_uint_t                    fail;
    lr_on_demand_answer_t         answer;      /* at first, the template's */

    CURL                         *easy;
    ngx_live_record_curl_t        curl;
    lr_buf_t                      url;
    lr_buf_t                      body;
    char                          err[CURL_ERROR_SIZE];
    char                          name[2 * LR_NAME_MAX + 2];
    unsigned                      started:1;
    unsigned                      full:1;      /* the rest was cut off */
};


static ngx_int_t ngx_live_record_ask_send(ngx_live_record_question_t *q,
    ngx_str_t *ca_file);
static size_t ngx_live_record_ask_write(char *p, size_t size, size_t n,
    void *data);
static void ngx_live_record_ask_done(void *data, CURLcode rc);
static ngx_int_t ngx_live_record_ask_read(ngx_live_record_question_t *q,
    CURLcode rc, char *err, size_t size);
static void ngx_live_record_ask_failed(ngx_live_record_question_t *q,
    const char *why);
static void ngx_live_record_question_free(ngx_live_record_question_t *q);
static void ngx_live_record_not_told(const char *name, const char *why,
    ngx_uint_t record);


static ngx_queue_t  ngx_live_record_questions;


ngx_int_t
ngx_live_record_demand_init(ngx_cycle_t *cycle)
{
    ngx_queue_init(&ngx_live_record_questions);

    return ngx_live_record_curl_init(cycle, NGX_LIVE_RECORD_ASK_KEPT);
}


/* recorders that are held know what to do if nobody releases them */

void
ngx_live_record_demand_exit(void)
{
    ngx_queue_t                 *head;
    ngx_live_record_question_t  *q;

    while (!ngx_queue_empty(&ngx_live_record_questions)) {
        head = ngx_queue_head(&ngx_live_record_questions);
        q = ngx_queue_data(head, ngx_live_record_question_t, queue);

        ngx_live_record_question_free(q);
    }
}


void
ngx_live_record_ask(ngx_live_record_publisher_t *p, ngx_uint_t hevc)
{
    lr_on_demand_question_t         ask;
    ngx_live_record_question_t     *q;
    ngx_live_record_notify_conf_t  *nc;

    q = ngx_calloc(sizeof(ngx_live_record_question_t), ngx_cycle->log);

    if (q == NULL) {

        /* the recorder is held by nobody else */

        if (p->on_demand_fail == NGX_LIVE_RECORD_RECORD) {
            ngx_live_record_recorder_release(p->recorder, p->settings.formats,
                                             p->settings.cycle);
            return;
        }

        ngx_live_record_recorder_drop(p->recorder);
        p->recorder = NULL;
        p->mode = NGX_LIVE_RECORD_OFF;
        return;
    }

    q->publisher = p;
    q->recorder = p->recorder;
    q->fail = p->on_demand_fail;
    q->answer.formats = p->settings.formats;
    q->answer.cycle = p->settings.cycle;

    (void) snprintf(q->name, sizeof(q->name), "%s/%s", p->settings.app,
                    p->settings.stream);

    ngx_queue_insert_tail(&ngx_live_record_questions, &q->queue);
    p->question = q;

    ngx_memzero(&ask, sizeof(lr_on_demand_question_t));

    ask.domain = p->settings.domain;
    ask.app = p->settings.app;
    ask.stream = p->settings.stream;
    ask.vbitrate = (unsigned) p->vbitrate;
    ask.hevc = hevc != 0;

    /* the configuration has been checked for it */

    nc = ngx_live_record_find_notify(ngx_live_record_conf,
                                     p->settings.scope);

    lr_on_demand_url(&q->url, (char *) nc->on_demand.data, &ask);

    if (ngx_live_record_ask_send(q, &nc->ca_file) != NGX_OK) {
        ngx_live_record_ask_failed(q, "no memory");
    }
}


static ngx_int_t
ngx_live_record_ask_send(ngx_live_record_question_t *q, ngx_str_t *ca_file)
{
    CURL  *e;

    e = curl_easy_init();
    q->easy = e;

    if (e == NULL || q->url.failed) {
        return NGX_ERROR;
    }

    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, q->err);
    curl_easy_setopt(e, CURLOPT_URL, (char *) q->url.data);
    curl_easy_setopt(e, CURLOPT_USERAGENT, "ngx_live_record");
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_PROXY, "");
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS,
                     (long) NGX_LIVE_RECORD_ASK_TIMEOUT);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, ngx_live_record_ask_write);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, (void *) q);

    if (ca_file->len) {
        curl_easy_setopt(e, CURLOPT_CAINFO, (char *) ca_file->data);
    }

    q->curl.handler = ngx_live_record_ask_done;
    q->curl.data = q;

    if (ngx_live_record_curl_start(e, &q->curl) != NGX_OK) {
        return NGX_ERROR;
    }

    q->started = 1;

    return NGX_OK;
}


static size_t
ngx_live_record_ask_write(char *p, size_t size, size_t n, void *data)
{
    ngx_live_record_question_t *q = data;

    n *= size;

    if (q->body.len + n > LR_ON_DEMAND_MAX) {
        n = LR_ON_DEMAND_MAX - q->body.len;
        q->full = 1;
    }

    lr_buf_append(&q->body, p, n);

    /* what is not taken ends the transfer */

    return q->full ? 0 : n;
}


static void
ngx_live_record_ask_done(void *data, CURLcode rc)
{
    ngx_live_record_question_t *q = data;

    char  err[CURL_ERROR_SIZE];

    q->started = 0;

    if (ngx_live_record_ask_read(q, rc, err, sizeof(err)) != NGX_OK) {
        ngx_live_record_ask_failed(q, err);
        return;
    }

    if (q->answer.odd) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "live record: the answer on demand for \"%s\" has an "
                      "interval that is not between %d and %d seconds, it "
                      "is not used", q->name, LR_ON_DEMAND_SHORTEST,
                      LR_ON_DEMAND_LONGEST);
    }

    if (q->answer.formats == 0) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "live record: \"%s\" is not recorded: it is not asked "
                      "for on demand", q->name);
    }

    ngx_live_record_question_settle(q, q->answer.formats != 0);
}


static ngx_int_t
ngx_live_record_ask_read(ngx_live_record_question_t *q, CURLcode rc,
    char *err, size_t size)
{
    long                   status;
    lr_on_demand_answer_t  answer;

    if (rc != CURLE_OK && !(rc == CURLE_WRITE_ERROR && q->full)) {
        (void) snprintf(err, size, "%s",
                        q->err[0] ? q->err : curl_easy_strerror(rc));
        return NGX_ERROR;
    }

    status = 0;
    curl_easy_getinfo(q->easy, CURLINFO_RESPONSE_CODE, &status);

    if (status != 200) {
        (void) snprintf(err, size, "the answer has status %ld", status);
        return NGX_ERROR;
    }

    if (q->body.failed) {
        (void) snprintf(err, size, "no memory");
        return NGX_ERROR;
    }

    /* what fails is recorded as the template says */

    answer = q->answer;

    if (lr_on_demand_answer(&answer, (char *) q->body.data, q->body.len, err,
                            size)
        != LR_OK)
    {
        return NGX_ERROR;
    }

    q->answer = answer;

    return NGX_OK;
}


static void
ngx_live_record_ask_failed(ngx_live_record_question_t *q, const char *why)
{
    ngx_uint_t  record;

    record = q->fail == NGX_LIVE_RECORD_RECORD;

    ngx_live_record_not_told(q->name, why, record);
    ngx_live_record_question_settle(q, record);
}


void
ngx_live_record_question_settle(ngx_live_record_question_t *q,
    ngx_uint_t record)
{
    ngx_live_record_recorder_t   *r;
    ngx_live_record_publisher_t  *p;

    r = q->recorder;
    p = q->publisher;

    if (p) {
        p->question = NULL;

        if (!record) {
            p->recorder = NULL;
            p->mode = NGX_LIVE_RECORD_OFF;
        }
    }

    if (record) {
        ngx_live_record_recorder_release(r, q->answer.formats,
                                         q->answer.cycle);

    } else {
        ngx_live_record_recorder_drop(r);
    }

    ngx_live_record_question_free(q);
}


void
ngx_live_record_question_leave(ngx_live_record_question_t *q)
{
    q->publisher = NULL;
}


static void
ngx_live_record_question_free(ngx_live_record_question_t *q)
{
    ngx_queue_remove(&q->queue);

    if (q->started) {
        ngx_live_record_curl_stop(q->easy);
    }

    curl_easy_cleanup(q->easy);
    lr_buf_free(&q->url);
    lr_buf_free(&q->body);
    ngx_free(q);
}


ngx_uint_t
ngx_live_record_push_args(ngx_live_record_publisher_t *p, ngx_str_t *args)
{
    int   rc;
    char  err[128], name[2 * LR_NAME_MAX + 2];

    rc = lr_on_demand_args((char *) args->data, args->len, err, sizeof(err));

    if (rc != LR_ERROR) {
        return rc == LR_OK;
    }

    (void) snprintf(name, sizeof(name), "%s/%s", p->settings.app,
                    p->settings.stream);

    ngx_live_record_not_told(name, err,
                             p->on_demand_fail == NGX_LIVE_RECORD_RECORD);

    return p->on_demand_fail == NGX_LIVE_RECORD_RECORD;
}


static void
ngx_live_record_not_told(const char *name, const char *why,
    ngx_uint_t record)
{
    if (record) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "live record: \"%s\" is recorded, it could not be told "
                      "whether it is to be: %s", name, why);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "live record: \"%s\" is not recorded, it could not be told "
                  "whether it is to be: %s", name, why);
}
