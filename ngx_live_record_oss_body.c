
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What blocks or takes long, and is done by a thread: opening what is to be
 * sent, rendering it piece by piece, and reading a page of a listing, which
 * is some milliseconds of work for 1000 keys.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_live_record_oss.h"
#include "ngx_live_record_thread.h"


static void ngx_live_record_oss_aside(ngx_live_record_oss_t *t,
    ngx_live_record_thread_pt thread, ngx_event_handler_pt done,
    ngx_live_record_oss_pt handler);
static ngx_int_t ngx_live_record_oss_post(ngx_live_record_oss_t *t,
    ngx_live_record_thread_pt thread, ngx_event_handler_pt done);
static ngx_live_record_oss_t *ngx_live_record_oss_back(ngx_event_t *ev);
static void ngx_live_record_oss_unread(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_open_thread(void *data, ngx_log_t *log);
static void ngx_live_record_oss_body_read(ngx_event_t *ev);
static int ngx_live_record_oss_piece(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_piece_thread(void *data, ngx_log_t *log);
static void ngx_live_record_oss_piece_done(ngx_event_t *ev);
static void ngx_live_record_oss_sum_thread(void *data, ngx_log_t *log);
static void ngx_live_record_oss_list_thread(void *data, ngx_log_t *log);
static void ngx_live_record_oss_list_read(ngx_event_t *ev);


void
ngx_live_record_oss_open(ngx_live_record_oss_t *t,
    ngx_live_record_oss_pt handler)
{
    ngx_live_record_oss_aside(t, ngx_live_record_oss_open_thread,
                              ngx_live_record_oss_body_read, handler);
}


/* the handler is for the end of it, if that is a good one */

static void
ngx_live_record_oss_aside(ngx_live_record_oss_t *t,
    ngx_live_record_thread_pt thread, ngx_event_handler_pt done,
    ngx_live_record_oss_pt handler)
{
    t->handler = handler;

    if (ngx_live_record_oss_post(t, thread, done) != NGX_OK) {
        ngx_live_record_oss_fail(t, LR_RETRY_AGAIN,
                                 "the thread pool takes no more");
    }
}


static ngx_int_t
ngx_live_record_oss_post(ngx_live_record_oss_t *t,
    ngx_live_record_thread_pt thread, ngx_event_handler_pt done)
{
    t->thread = 1;

    if (ngx_live_record_thread_post(t->req->task, thread, done, t) != NGX_OK) {

        /* the bucket has no part in it, whatever becomes of the transfer */

        t->thread = 0;
        t->req->local = NGX_EAGAIN;
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* a thread has ended: NULL if its work is not wanted any more */

static ngx_live_record_oss_t *
ngx_live_record_oss_back(ngx_event_t *ev)
{
    ngx_live_record_oss_t  *t;

    t = ev->data;
    t->thread = 0;

    if (t->req->cancelled) {
        ngx_live_record_oss_finish(t);
        return NULL;
    }

    return t;
}


/* the bucket has no part in it that the body could not be had */

static void
ngx_live_record_oss_unread(ngx_live_record_oss_t *t)
{
    ngx_live_record_request_t  *req;

    req = t->req;

    req->local = t->errnum ? t->errnum : NGX_ENOMEM;
    req->result = LR_RETRY_AGAIN;
    (void) snprintf(req->err, sizeof(req->err),
                    "the fragment could not be read (%d: %s)", req->local,
                    strerror(req->local));

    ngx_live_record_oss_finish(t);
}


static void
ngx_live_record_oss_open_thread(void *data, ngx_log_t *log)
{
    ngx_live_record_oss_t *t = data;

    t->rc = LR_OK;

    if (t->req->op != NGX_LIVE_RECORD_PUT
        && t->req->op != NGX_LIVE_RECORD_PART)
    {
        return;
    }

    t->rc = lr_body_open(&t->req->body, 1);

    if (t->rc == LR_OK) {

        if (t->req->body.size == 0) {
            ngx_set_errno(ENODATA);
            t->rc = LR_ERROR;

        } else {
            t->rc = t->dialect->prepare ? t->dialect->prepare(t) : LR_OK;
        }

        if (t->rc == LR_OK) {
            t->rc = ngx_live_record_oss_piece(t);
        }
    }

    t->errnum = t->rc == LR_OK ? 0 : ngx_errno;
}


/* what was read of it, the first piece or all, was read well or not */

static void
ngx_live_record_oss_body_read(ngx_event_t *ev)
{
    ngx_live_record_oss_t  *t;

    t = ngx_live_record_oss_back(ev);

    if (t == NULL) {
        return;
    }

    if (t->rc != LR_OK) {
        ngx_live_record_oss_unread(t);
        return;
    }

    t->handler(t);
}


static int
ngx_live_record_oss_piece(ngx_live_record_oss_t *t)
{
    int         rc;
    lr_body_t  *body;

    body = &t->req->body;

    rc = lr_body_next(body, &t->piece, &t->len);

    t->pos = 0;

    if (rc == LR_DECLINED) {
        t->len = 0;
        t->end = 1;
        return LR_OK;
    }

    if (rc == LR_OK) {
        t->crc = lr_crc64_update(t->crc, t->piece, t->len);
        t->end = body->done == body->size;

        if (t->dialect->piece) {
            t->dialect->piece(t);
        }
    }

    return rc;
}


ngx_int_t
ngx_live_record_oss_next(ngx_live_record_oss_t *t)
{
    if (ngx_live_record_oss_post(t, ngx_live_record_oss_piece_thread,
                                 ngx_live_record_oss_piece_done)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    t->paused = 1;

    return NGX_OK;
}


static void
ngx_live_record_oss_piece_thread(void *data, ngx_log_t *log)
{
    ngx_live_record_oss_t *t = data;

    t->rc = ngx_live_record_oss_piece(t);
    t->errnum = t->rc == LR_OK ? 0 : ngx_errno;
}


static void
ngx_live_record_oss_piece_done(ngx_event_t *ev)
{
    ngx_live_record_oss_t  *t;

    t = ngx_live_record_oss_back(ev);

    if (t == NULL) {
        return;
    }

    if (t->rc != LR_OK) {
        t->req->local = t->errnum ? t->errnum : NGX_ENOMEM;
    }

    t->paused = 0;

    /* the transfer may be over */

    if (!t->started) {
        t->handler(t);
        return;
    }

    ngx_live_record_curl_continue(t->easy);
}


void
ngx_live_record_oss_sum(ngx_live_record_oss_t *t,
    ngx_live_record_oss_pt handler)
{
    ngx_live_record_oss_aside(t, ngx_live_record_oss_sum_thread,
                              ngx_live_record_oss_body_read, handler);
}


static void
ngx_live_record_oss_sum_thread(void *data, ngx_log_t *log)
{
    ngx_live_record_oss_t *t = data;

    while (t->rc == LR_OK && !t->end) {
        t->rc = ngx_live_record_oss_piece(t);

        if (t->rc != LR_OK) {
            t->errnum = ngx_errno;
        }
    }
}


void
ngx_live_record_oss_read_list(ngx_live_record_oss_t *t,
    ngx_live_record_oss_pt handler)
{
    ngx_live_record_oss_aside(t, ngx_live_record_oss_list_thread,
                              ngx_live_record_oss_list_read, handler);
}


static void
ngx_live_record_oss_list_thread(void *data, ngx_log_t *log)
{
    ngx_live_record_oss_t *t = data;

    size_t                      i;
    lr_xml_list_t               list;
    ngx_live_record_request_t  *req;

    req = t->req;

    t->rc = t->dialect->list(&list, (char *) t->answer.data, t->answer.len);

    /* a listing that does not go on would be listed for ever */

    if (t->rc == LR_OK && list.truncated && t->token
        && strcmp(list.next, t->token) == 0)
    {
        t->rc = LR_DECLINED;
    }

    free(t->token);
    t->token = NULL;

    if (t->rc != LR_OK) {
        lr_xml_list_free(&list);
        return;
    }

    for (i = 0; i < list.n; i++) {
        lr_buf_printf(&req->answer, "%s%c%s-%llu%c", list.objects[i].key, 0,
                      list.objects[i].etag ? list.objects[i].etag : "",
                      (unsigned long long) list.objects[i].size, 0);
    }

    /* keys come in order */

    if (list.truncated
        && !(req->until && list.n
             && strcmp(list.objects[list.n - 1].key, req->until) > 0))
    {
        t->token = list.next;
        list.next = NULL;
    }

    lr_xml_list_free(&list);
}


static void
ngx_live_record_oss_list_read(ngx_event_t *ev)
{
    ngx_live_record_oss_t      *t;
    ngx_live_record_request_t  *req;

    t = ngx_live_record_oss_back(ev);

    if (t == NULL) {
        return;
    }

    req = t->req;

    if (t->rc != LR_OK) {
        req->result = LR_RETRY_AGAIN;
        (void) snprintf(req->err, sizeof(req->err),
                        "LIST \"%s\": the answer is not a listing",
                        req->key);
        ngx_live_record_oss_finish(t);
        return;
    }

    if (req->answer.failed) {
        lr_buf_free(&req->answer);
        ngx_live_record_oss_fail(t, LR_RETRY_AGAIN, "no memory");
        return;
    }

    t->handler(t);
}
