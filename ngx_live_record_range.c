
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The spool is looked at first: what is in a manifest by the time the bucket
 * is read may be there twice, but nothing is missing.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "lr_confirmed.h"
#include "ngx_live_record_aside.h"
#include "ngx_live_record_manifests.h"
#include "ngx_live_record_range.h"


/* how long before the range a part that reaches into it may begin */
#define NGX_LIVE_RECORD_RANGE_BEFORE      (2 * 86400000LL)
#define NGX_LIVE_RECORD_RANGE_BEFORE_MAX  (31 * 86400000LL)

/* a fragment without a key frame is cut after a minute at the earliest */
#define NGX_LIVE_RECORD_RANGE_FRAGMENT    60000


typedef enum {
    NGX_LIVE_RECORD_RANGE_LIST = 0,
    NGX_LIVE_RECORD_RANGE_READ,
    NGX_LIVE_RECORD_RANGE_ANY
} ngx_live_record_range_state_e;


/* what threads need to know, which may outlive the range itself */

typedef struct {
    lr_range_t                        range;
    ngx_uint_t                        any;     /* one manifest will do */
    ngx_uint_t                        named;   /* a server has the domain */
    char                             *domain;
} ngx_live_record_range_context_t;


struct ngx_live_record_range_s {
    ngx_live_record_range_state_e     state;
    ngx_live_record_range_pt          handler;
    void                             *data;
    ngx_live_record_found_t           found;

    int64_t                           from;
    ngx_live_record_bucket_t         *bucket;
    char                             *app;
    char                             *stream;
    ngx_live_record_range_context_t  *context;
    ngx_live_record_manifests_t      *manifests;
    ngx_thread_task_t                *task;

    /* of the thread */

    lr_confirmed_t                    spool;
    ngx_uint_t                        known;   /* of the stream */
    ngx_uint_t                        moved;
    int                               rc;

    /* of the event loop, in a word that no thread writes to */

    unsigned                          thread:1;
    unsigned                          freed:1;
};


static ngx_live_record_range_context_t *ngx_live_record_range_context(
    const lr_range_t *range, const char *domain);
static int64_t ngx_live_record_range_before(const lr_settings_t *st);
static void ngx_live_record_range_thread(void *data, ngx_log_t *log);
static ngx_uint_t ngx_live_record_range_serves(
    ngx_live_record_range_context_t *context, const char *domain);
static void ngx_live_record_range_spooled(ngx_event_t *ev);
static int ngx_live_record_range_select(void *data, const lr_buf_t *list,
    lr_buf_t *keys);
static ngx_uint_t ngx_live_record_range_wanted(void *data,
    lr_manifest_t *part);
static void ngx_live_record_range_answer(void *data, lr_retry_e result,
    ngx_uint_t after);
static void ngx_live_record_range_join(ngx_live_record_range_t *r);
static void ngx_live_record_range_finish(ngx_live_record_range_t *r,
    ngx_live_record_range_e rc);
static void ngx_live_record_range_fail(ngx_live_record_range_t *r,
    const char *err);


ngx_live_record_range_t *
ngx_live_record_range_create(ngx_live_record_bucket_t *bucket,
    const lr_settings_t *settings, const char *domain, const char *app,
    const char *stream, const lr_range_t *range,
    ngx_live_record_range_pt handler, void *data)
{
    ngx_live_record_range_t      *r;
    ngx_live_record_manifests_t  *m;

    r = ngx_calloc(sizeof(ngx_live_record_range_t), ngx_cycle->log);
    if (r == NULL) {
        return NULL;
    }

    r->handler = handler;
    r->data = data;
    r->bucket = bucket;
    r->from = range->start - ngx_live_record_range_before(settings);
    r->app = strdup(app);
    r->stream = strdup(stream);
    r->task = ngx_calloc(sizeof(ngx_thread_task_t), ngx_cycle->log);
    r->manifests = ngx_live_record_manifests_create(bucket, app, stream);

    if (r->app == NULL || r->stream == NULL || r->task == NULL
        || r->manifests == NULL)
    {
        ngx_live_record_range_free(r);
        return NULL;
    }

    r->context = ngx_live_record_range_context(range, domain);

    if (r->context == NULL) {
        ngx_live_record_range_free(r);
        return NULL;
    }

    m = r->manifests;
    m->context = r->context;
    m->select = ngx_live_record_range_select;
    m->wanted = ngx_live_record_range_wanted;
    m->handler = ngx_live_record_range_answer;
    m->data = r;
    m->aside = 1;

    return r;
}


static ngx_live_record_range_context_t *
ngx_live_record_range_context(const lr_range_t *range, const char *domain)
{
    size_t                             len;
    ngx_uint_t                         i;
    ngx_live_record_srv_conf_t       **s;
    ngx_live_record_range_context_t   *context;

    len = strlen(domain);

    context = ngx_calloc(sizeof(ngx_live_record_range_context_t) + len + 1,
                         ngx_cycle->log);
    if (context == NULL) {
        return NULL;
    }

    context->range = *range;
    context->domain = (char *) (context + 1);
    ngx_memcpy(context->domain, domain, len + 1);

    s = ngx_live_record_conf->servers.elts;

    for (i = 0; i < ngx_live_record_conf->servers.nelts; i++) {
        if (s[i]->domain.len == len
            && ngx_strncasecmp(s[i]->domain.data, (u_char *) domain, len)
               == 0)
        {
            context->named = 1;
        }
    }

    return context;
}


/*
 * As long as 100 fragments may take, with an interruption before each: by
 * its own settings, which may have been others when it was recorded.
 */

static int64_t
ngx_live_record_range_before(const lr_settings_t *st)
{
    int64_t  ms;

    ms = LR_MANIFEST_FRAGMENTS
         * (ngx_max(3 * st->fragment, NGX_LIVE_RECORD_RANGE_FRAGMENT)
            + st->grace);

    ms = ngx_max(ms, NGX_LIVE_RECORD_RANGE_BEFORE);

    return ngx_min(ms, NGX_LIVE_RECORD_RANGE_BEFORE_MAX);
}


void
ngx_live_record_range_start(ngx_live_record_range_t *r)
{
    r->thread = 1;

    if (ngx_live_record_aside_post(r->task, ngx_live_record_range_thread,
                                   ngx_live_record_range_spooled, r)
        != NGX_OK)
    {
        r->thread = 0;
        ngx_live_record_range_fail(r, "no memory");
    }
}


static void
ngx_live_record_range_thread(void *data, ngx_log_t *log)
{
    ngx_live_record_range_t *r = data;

    size_t                i, n;
    lr_confirmed_part_t  *p;

    r->rc = lr_confirmed_read(&r->spool,
                              (char *) ngx_live_record_conf->spool.data,
                              r->app, r->stream);

    n = 0;

    for (i = 0; i < r->spool.n; i++) {
        p = &r->spool.parts[i];

        if (ngx_live_record_range_serves(r->context, p->part->domain)) {
            r->known = 1;

            if (lr_range_cut(&r->context->range, p->part)) {
                r->moved |= strcmp(p->bucket, (char *) r->bucket->name.data)
                            != 0;
                r->spool.parts[n++] = *p;
                continue;
            }
        }

        lr_manifest_free(p->part);
        free(p->bucket);
    }

    r->spool.n = n;
}


/*
 * Recordings of a server without a name have the one that the publisher
 * used: they are those of any domain that no other server has.
 */

static ngx_uint_t
ngx_live_record_range_serves(ngx_live_record_range_context_t *context,
    const char *domain)
{
    size_t                        len;
    ngx_uint_t                    i;
    ngx_live_record_srv_conf_t  **s;

    if (context->named) {
        return ngx_strcasecmp((u_char *) context->domain, (u_char *) domain)
               == 0;
    }

    len = strlen(domain);
    s = ngx_live_record_conf->servers.elts;

    for (i = 0; i < ngx_live_record_conf->servers.nelts; i++) {
        if (s[i]->domain.len && s[i]->domain.len == len
            && ngx_strncasecmp(s[i]->domain.data, (u_char *) domain, len)
               == 0)
        {
            return 0;
        }
    }

    return 1;
}


static void
ngx_live_record_range_spooled(ngx_event_t *ev)
{
    ngx_live_record_range_t  *r;

    r = ev->data;
    r->thread = 0;

    if (r->freed) {
        ngx_live_record_range_free(r);
        return;
    }

    if (r->rc != LR_OK) {
        ngx_live_record_range_fail(r, "no memory");
        return;
    }

    if (r->moved) {
        ngx_live_record_range_finish(r, NGX_LIVE_RECORD_RANGE_MOVED);
        return;
    }

    r->state = NGX_LIVE_RECORD_RANGE_LIST;

    ngx_live_record_manifests_list(r->manifests, r->from,
                                   r->context->range.end);
}


static int
ngx_live_record_range_select(void *data, const lr_buf_t *list,
    lr_buf_t *keys)
{
    ngx_live_record_range_context_t *context = data;

    lr_range_t  range;

    if (!context->any) {
        return lr_range_select(&context->range, list->data, list->len, keys);
    }

    range.start = INT64_MIN;
    range.end = INT64_MAX;
    range.inside = 0;

    return lr_range_select(&range, list->data, list->len, keys);
}


static ngx_uint_t
ngx_live_record_range_wanted(void *data, lr_manifest_t *part)
{
    ngx_live_record_range_context_t *context = data;

    return ngx_live_record_range_serves(context, part->domain)
           && lr_range_cut(&context->range, part) != 0;
}


static void
ngx_live_record_range_answer(void *data, lr_retry_e result,
    ngx_uint_t after)
{
    ngx_live_record_range_t *r = data;

    ngx_live_record_manifests_t  *m;

    m = r->manifests;

    if (result != LR_RETRY_OK) {
        ngx_live_record_range_fail(r, m->err);
        return;
    }

    switch (r->state) {

    case NGX_LIVE_RECORD_RANGE_LIST:
        r->known |= m->keys.len != 0;
        r->state = NGX_LIVE_RECORD_RANGE_READ;
        ngx_live_record_manifests_read(m);
        return;

    case NGX_LIVE_RECORD_RANGE_READ:
        ngx_live_record_range_join(r);
        return;

    case NGX_LIVE_RECORD_RANGE_ANY:
        ngx_live_record_range_finish(r, m->keys.len
                                        ? NGX_LIVE_RECORD_RANGE_EMPTY
                                        : NGX_LIVE_RECORD_RANGE_UNKNOWN);
    }
}


/* what is from the spool comes first: it is not older */

static void
ngx_live_record_range_join(ngx_live_record_range_t *r)
{
    size_t                        i, n;
    lr_manifest_t               **parts;
    ngx_live_record_manifests_t  *m;

    m = r->manifests;

    if (m->bad) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "live record: %ui manifests of \"%s/%s\" in bucket "
                      "\"%V\" are not understood, the index goes without "
                      "them", m->bad, r->app, r->stream, &r->bucket->name);
    }

    n = r->spool.n + m->n;

    if (n == 0) {

        if (r->known) {
            ngx_live_record_range_finish(r, NGX_LIVE_RECORD_RANGE_EMPTY);
            return;
        }

        r->state = NGX_LIVE_RECORD_RANGE_ANY;
        r->context->any = 1;
        ngx_live_record_manifests_list(m, 0, 0);
        return;
    }

    parts = calloc(n, sizeof(lr_manifest_t *));
    if (parts == NULL) {
        ngx_live_record_range_fail(r, "no memory");
        return;
    }

    for (i = 0; i < r->spool.n; i++) {
        parts[i] = r->spool.parts[i].part;
    }

    for (i = 0; i < m->n; i++) {
        parts[r->spool.n + i] = m->parts[i];
    }

    r->found.parts = parts;
    r->found.n = n;

    ngx_live_record_range_finish(r, NGX_LIVE_RECORD_RANGE_OK);
}


static void
ngx_live_record_range_fail(ngx_live_record_range_t *r, const char *err)
{
    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "live record: what was recorded of \"%s/%s\" could not be "
                  "read from bucket \"%V\": %s", r->app, r->stream,
                  &r->bucket->name, err);

    ngx_live_record_range_finish(r, NGX_LIVE_RECORD_RANGE_FAILED);
}


static void
ngx_live_record_range_finish(ngx_live_record_range_t *r,
    ngx_live_record_range_e rc)
{
    r->found.rc = rc;
    r->handler(r->data, &r->found);
}


void
ngx_live_record_range_free(ngx_live_record_range_t *r)
{
    if (r == NULL) {
        return;
    }

    /* a thread reads it: its end frees */

    if (r->thread && ngx_live_record_aside_cancel(r->task) != NGX_OK) {
        r->freed = 1;
        return;
    }

    /* with the context, and the parts that it has read */

    ngx_live_record_manifests_free(r->manifests);

    lr_confirmed_free(&r->spool);
    free(r->found.parts);
    free(r->app);
    free(r->stream);
    ngx_free(r->task);
    ngx_free(r);
}
