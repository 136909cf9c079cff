
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Parts are read several at a time, parsed by one thread as many as there
 * are, and then their places are free for the next ones: what is in memory
 * as text is bounded, whatever there is to be read.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_live_record_aside.h"
#include "ngx_live_record_cache.h"
#include "ngx_live_record_manifests.h"


typedef enum {
    NGX_LIVE_RECORD_MANIFESTS_IDLE = 0,
    NGX_LIVE_RECORD_MANIFESTS_ASKED,
    NGX_LIVE_RECORD_MANIFESTS_GOT,
    NGX_LIVE_RECORD_MANIFESTS_PARSED
} ngx_live_record_manifests_state_e;


static char *ngx_live_record_manifests_dup(const char *s);
static ngx_int_t ngx_live_record_manifests_ask(
    ngx_live_record_manifests_t *m, int64_t from, int64_t to);
static void ngx_live_record_manifests_answer(
    ngx_live_record_request_t *req);
static void ngx_live_record_manifests_fail(ngx_live_record_manifests_t *m,
    lr_retry_e result, ngx_uint_t after, const char *err);
static void ngx_live_record_manifests_run(ngx_live_record_manifests_t *m);
static void ngx_live_record_manifests_get(ngx_live_record_manifests_t *m,
    ngx_live_record_manifests_read_t *r);
static void ngx_live_record_manifests_post(ngx_live_record_manifests_t *m);
static void ngx_live_record_manifests_thread(void *data, ngx_log_t *log);
static void ngx_live_record_manifests_parse(
    ngx_live_record_manifests_read_t *r);
static void ngx_live_record_manifests_parsed(ngx_event_t *ev);
static void ngx_live_record_manifests_finish(
    ngx_live_record_manifests_t *m);
static void ngx_live_record_manifests_stop(ngx_live_record_manifests_t *m);


ngx_live_record_manifests_t *
ngx_live_record_manifests_create(ngx_live_record_bucket_t *bucket,
    const char *app, const char *stream)
{
    ngx_uint_t                         i;
    ngx_live_record_manifests_t       *m;
    ngx_live_record_manifests_read_t  *r;

    m = ngx_calloc(sizeof(ngx_live_record_manifests_t), ngx_cycle->log);
    if (m == NULL) {
        return NULL;
    }

    m->app = ngx_live_record_manifests_dup(app);
    m->stream = ngx_live_record_manifests_dup(stream);
    m->task = ngx_calloc(sizeof(ngx_thread_task_t), ngx_cycle->log);

    if (m->app == NULL || m->stream == NULL || m->task == NULL) {
        ngx_live_record_manifests_free(m);
        return NULL;
    }

    for (i = 0; i < NGX_LIVE_RECORD_MANIFESTS_READS; i++) {
        r = &m->reads[i];

        r->manifests = m;
        r->request = ngx_live_record_request_create();

        if (r->request == NULL) {
            ngx_live_record_manifests_free(m);
            return NULL;
        }

        r->request->bucket = bucket;
        r->request->handler = ngx_live_record_manifests_answer;
        r->request->data = r;
    }

    return m;
}


static char *
ngx_live_record_manifests_dup(const char *s)
{
    char    *p;
    size_t   len;

    len = strlen(s) + 1;

    p = ngx_alloc(len, ngx_cycle->log);

    return p ? memcpy(p, s, len) : NULL;
}


void
ngx_live_record_manifests_list(ngx_live_record_manifests_t *m, int64_t from,
    int64_t to)
{
    m->listing = 1;

    if (ngx_live_record_manifests_ask(m, from, to) != NGX_OK) {
        ngx_live_record_manifests_fail(m, LR_RETRY_AGAIN, 0, "no memory");
        return;
    }

    m->reads[0].state = NGX_LIVE_RECORD_MANIFESTS_ASKED;

    ngx_live_record_request_start(m->reads[0].request);
}


static ngx_int_t
ngx_live_record_manifests_ask(ngx_live_record_manifests_t *m, int64_t from,
    int64_t to)
{
    ngx_int_t                   rc;
    lr_buf_t                    prefix, after, until;
    ngx_live_record_request_t  *req;

    req = m->reads[0].request;

    ngx_memzero(&prefix, sizeof(lr_buf_t));
    ngx_memzero(&after, sizeof(lr_buf_t));
    ngx_memzero(&until, sizeof(lr_buf_t));

    ngx_free(req->key);
    ngx_free(req->after);
    ngx_free(req->until);
    req->key = NULL;
    req->after = NULL;
    req->until = NULL;

    rc = NGX_ERROR;

    if (lr_manifest_prefix(NULL, m->app, m->stream, &prefix) != LR_OK
        || lr_manifest_start_after(NULL, m->app, m->stream,
                                   ngx_max(from, 0), &after)
           != LR_OK)
    {
        goto done;
    }

    req->key = ngx_live_record_manifests_dup((char *) prefix.data);
    req->after = ngx_live_record_manifests_dup((char *) after.data);

    if (req->key == NULL || req->after == NULL) {
        goto done;
    }

    if (to != -1) {

        /* all keys of a second are behind the second itself */

        if (lr_manifest_start_after(NULL, m->app, m->stream, to + 1000,
                                    &until)
            != LR_OK)
        {
            goto done;
        }

        req->until = ngx_live_record_manifests_dup((char *) until.data);

        if (req->until == NULL) {
            goto done;
        }
    }

    req->op = NGX_LIVE_RECORD_LIST;
    req->aside = m->aside;

    rc = NGX_OK;

done:

    lr_buf_free(&prefix);
    lr_buf_free(&after);
    lr_buf_free(&until);

    return rc;
}


void
ngx_live_record_manifests_read(ngx_live_record_manifests_t *m)
{
    char    *p, *end;
    size_t   n;

    ngx_live_record_manifests_drop(m);

    p = (char *) m->keys.data;
    end = p + m->keys.len;

    for (n = 0; p < end; n++) {
        p += strlen(p) + 1;
        p += strlen(p) + 1;
    }

    m->parts = calloc(n + 1, sizeof(lr_manifest_t *));

    if (m->parts == NULL) {
        ngx_live_record_manifests_fail(m, LR_RETRY_AGAIN, 0, "no memory");
        return;
    }

    m->n = n;
    m->pos = 0;
    m->next = 0;
    m->listing = 0;

    ngx_live_record_manifests_run(m);
}


static void
ngx_live_record_manifests_answer(ngx_live_record_request_t *req)
{
    ngx_live_record_manifests_t       *m;
    ngx_live_record_manifests_read_t  *r;

    r = req->data;
    m = r->manifests;

    if (req->result == LR_RETRY_GONE && !m->listing) {

        /* removed since it was listed */

        req->result = LR_RETRY_OK;
        req->answer.len = 0;
    }

    r->state = NGX_LIVE_RECORD_MANIFESTS_GOT;

    if (req->result != LR_RETRY_OK) {
        ngx_live_record_manifests_fail(m, req->result, req->retry_after,
                                       req->err);
        return;
    }

    if (m->listing) {
        ngx_live_record_manifests_post(m);
        return;
    }

    if (req->answer.len && !m->aside) {
        ngx_live_record_cache_put(req->bucket, req->key, r->version,
                                  &req->answer);
    }

    if (!m->asking) {
        ngx_live_record_manifests_run(m);
    }
}


/* the first failure is told when nothing of it is under way any more */

static void
ngx_live_record_manifests_fail(ngx_live_record_manifests_t *m,
    lr_retry_e result, ngx_uint_t after, const char *err)
{
    if (!m->failed) {
        m->failed = 1;
        m->result = result;
        m->after = after;
        (void) snprintf(m->err, sizeof(m->err), "%s", err);
    }

    if (!m->asking && !m->thread) {
        ngx_live_record_manifests_finish(m);
    }
}


static void
ngx_live_record_manifests_run(ngx_live_record_manifests_t *m)
{
    ngx_uint_t                         i, asked, got;
    ngx_live_record_manifests_read_t  *r;

    /* an answer may come before a request's start has returned */

    m->asking = 1;

    for (i = 0; i < NGX_LIVE_RECORD_MANIFESTS_READS; i++) {
        r = &m->reads[i];

        if (r->state == NGX_LIVE_RECORD_MANIFESTS_IDLE
            && m->pos < m->keys.len && !m->failed)
        {
            ngx_live_record_manifests_get(m, r);
        }
    }

    m->asking = 0;

    if (m->thread) {
        return;
    }

    if (m->failed) {
        ngx_live_record_manifests_finish(m);
        return;
    }

    asked = 0;
    got = 0;

    for (i = 0; i < NGX_LIVE_RECORD_MANIFESTS_READS; i++) {
        asked += m->reads[i].state == NGX_LIVE_RECORD_MANIFESTS_ASKED;
        got += m->reads[i].state == NGX_LIVE_RECORD_MANIFESTS_GOT;
    }

    if (got) {
        ngx_live_record_manifests_post(m);

    } else if (asked == 0) {
        ngx_live_record_manifests_finish(m);
    }
}


static void
ngx_live_record_manifests_get(ngx_live_record_manifests_t *m,
    ngx_live_record_manifests_read_t *r)
{
    char                       *key;
    ngx_live_record_request_t  *req;

    req = r->request;
    key = (char *) m->keys.data + m->pos;

    ngx_free(req->key);
    req->key = ngx_live_record_manifests_dup(key);

    if (req->key == NULL) {
        ngx_live_record_manifests_fail(m, LR_RETRY_AGAIN, 0, "no memory");
        return;
    }

    key += strlen(key) + 1;
    r->version = key;
    key += strlen(key) + 1;

    m->pos = key - (char *) m->keys.data;
    r->place = m->next++;

    /* many of one call would drive out what is needed again and again */

    if (!m->aside) {
        req->answer.len = 0;

        if (ngx_live_record_cache_get(req->bucket, req->key, r->version,
                                      &req->answer)
            == NGX_OK)
        {
            r->state = NGX_LIVE_RECORD_MANIFESTS_GOT;
            return;
        }
    }

    r->state = NGX_LIVE_RECORD_MANIFESTS_ASKED;

    req->op = NGX_LIVE_RECORD_GET;
    req->aside = m->aside;

    ngx_live_record_request_start(req);
}


static void
ngx_live_record_manifests_post(ngx_live_record_manifests_t *m)
{
    ngx_int_t   rc;
    ngx_uint_t  i;

    m->work = 0;

    for (i = 0; i < NGX_LIVE_RECORD_MANIFESTS_READS; i++) {
        if (m->reads[i].state == NGX_LIVE_RECORD_MANIFESTS_GOT) {
            m->reads[i].state = NGX_LIVE_RECORD_MANIFESTS_PARSED;
            m->work |= (ngx_uint_t) 1 << i;
        }
    }

    m->thread = 1;

    if (m->aside) {
        rc = ngx_live_record_aside_post(m->task,
                                        ngx_live_record_manifests_thread,
                                        ngx_live_record_manifests_parsed, m);

    } else {
        rc = ngx_live_record_thread_post(m->task,
                                         ngx_live_record_manifests_thread,
                                         ngx_live_record_manifests_parsed, m);
    }

    if (rc != NGX_OK) {
        m->thread = 0;
        ngx_live_record_manifests_fail(m, LR_RETRY_AGAIN, 0,
                                       "the thread pool takes no more");
    }
}


static void
ngx_live_record_manifests_thread(void *data, ngx_log_t *log)
{
    ngx_live_record_manifests_t *m = data;

    ngx_uint_t  i;

    if (m->listing) {
        m->keys.len = 0;
        m->rc = m->select(m->context, &m->reads[0].request->answer, &m->keys);
        return;
    }

    for (i = 0; i < NGX_LIVE_RECORD_MANIFESTS_READS; i++) {
        if (m->work & (ngx_uint_t) 1 << i) {
            ngx_live_record_manifests_parse(&m->reads[i]);
        }
    }
}


static void
ngx_live_record_manifests_parse(ngx_live_record_manifests_read_t *r)
{
    char                          err[LR_MANIFEST_ERR];
    lr_buf_t                     *text;
    lr_manifest_t                *part;
    ngx_live_record_manifests_t  *m;

    m = r->manifests;
    text = &r->request->answer;
    r->bad = 0;

    if (text->len == 0) {
        return;
    }

    if (lr_manifest_read(text->data, text->len, &part, err, sizeof(err))
        != LR_OK)
    {
        r->bad = 1;

    } else if (m->wanted && !m->wanted(m->context, part)) {
        lr_manifest_free(part);

    } else {
        m->parts[r->place] = part;
    }

    lr_buf_free(text);
}


static void
ngx_live_record_manifests_parsed(ngx_event_t *ev)
{
    ngx_uint_t                         i;
    ngx_live_record_manifests_t       *m;
    ngx_live_record_manifests_read_t  *r;

    m = ev->data;
    m->thread = 0;

    if (m->freed) {
        ngx_live_record_manifests_free(m);
        return;
    }

    for (i = 0; i < NGX_LIVE_RECORD_MANIFESTS_READS; i++) {
        r = &m->reads[i];

        if (r->state == NGX_LIVE_RECORD_MANIFESTS_PARSED) {
            r->state = NGX_LIVE_RECORD_MANIFESTS_IDLE;
            m->bad += r->bad;
            r->bad = 0;
        }
    }

    if (!m->listing) {
        ngx_live_record_manifests_run(m);
        return;
    }

    if (m->rc != LR_OK) {
        ngx_live_record_manifests_fail(m, LR_RETRY_AGAIN, 0, "no memory");
        return;
    }

    ngx_live_record_manifests_finish(m);
}


static void
ngx_live_record_manifests_finish(ngx_live_record_manifests_t *m)
{
    size_t      i, n;
    lr_retry_e  result;

    result = LR_RETRY_OK;

    if (m->failed) {
        result = m->result;
        m->failed = 0;
        ngx_live_record_manifests_stop(m);

    } else if (!m->listing) {

        for (i = 0, n = 0; i < m->n; i++) {
            if (m->parts[i]) {
                m->parts[n++] = m->parts[i];
            }
        }

        m->n = n;
    }

    m->handler(m->data, result, m->after);
}


/*
 * Gives up what has been asked for.  The end of what is under way lets the
 * bucket go on with what waits, or fail it while the worker exits: nothing of
 * ours may wait any more by then, as its handler would lead here again.
 */

static void
ngx_live_record_manifests_stop(ngx_live_record_manifests_t *m)
{
    ngx_uint_t                         i, active;
    ngx_live_record_request_t         *req;
    ngx_live_record_manifests_read_t  *r;

    for (active = 0; active < 2; active++) {

        for (i = 0; i < NGX_LIVE_RECORD_MANIFESTS_READS; i++) {
            r = &m->reads[i];
            req = r->request;

            if (req && req->active == active
                && r->state == NGX_LIVE_RECORD_MANIFESTS_ASKED)
            {
                r->request = NULL;
                ngx_live_record_request_free(req);
            }
        }
    }
}


void
ngx_live_record_manifests_drop(ngx_live_record_manifests_t *m)
{
    size_t  i;

    for (i = 0; i < m->n; i++) {
        lr_manifest_free(m->parts[i]);
    }

    free(m->parts);
    m->parts = NULL;
    m->n = 0;
    m->bad = 0;
}


void
ngx_live_record_manifests_free(ngx_live_record_manifests_t *m)
{
    ngx_uint_t  i;

    if (m == NULL) {
        return;
    }

    if (m->thread && m->aside
        && ngx_live_record_aside_cancel(m->task) == NGX_OK)
    {
        m->thread = 0;
    }

    ngx_live_record_manifests_stop(m);

    /* a thread reads the answers of others: its end frees the rest */

    if (m->thread) {
        m->freed = 1;
        return;
    }

    for (i = 0; i < NGX_LIVE_RECORD_MANIFESTS_READS; i++) {
        ngx_live_record_request_free(m->reads[i].request);
    }

    ngx_live_record_manifests_drop(m);
    lr_buf_free(&m->keys);
    ngx_free(m->context);
    ngx_free(m->app);
    ngx_free(m->stream);
    ngx_free(m->task);
    ngx_free(m);
}
