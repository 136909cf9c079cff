
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What blocks, and is done by a thread: opening what is to be sent, looking
 * after the credentials, rendering piece by piece.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_live_record_oss.h"


/* seconds between two looks at a file of credentials */
#define NGX_LIVE_RECORD_OSS_LOOK  1


static ngx_int_t ngx_live_record_oss_post(ngx_live_record_oss_t *t,
    void (*handler)(void *data, ngx_log_t *log),
    void (*done)(ngx_event_t *ev));
static void ngx_live_record_oss_open_thread(void *data, ngx_log_t *log);
static void ngx_live_record_oss_opened(ngx_event_t *ev);
static void ngx_live_record_oss_cred_thread(ngx_live_record_oss_t *t);
static ngx_int_t ngx_live_record_oss_cred(ngx_live_record_oss_t *t);
static int ngx_live_record_oss_piece(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_piece_thread(void *data, ngx_log_t *log);
static void ngx_live_record_oss_piece_done(ngx_event_t *ev);
static void ngx_live_record_oss_sum_thread(void *data, ngx_log_t *log);
static void ngx_live_record_oss_summed(ngx_event_t *ev);


void
ngx_live_record_oss_open(ngx_live_record_oss_t *t,
    ngx_live_record_oss_pt handler)
{
    t->handler = handler;

    if (ngx_live_record_oss_post(t, ngx_live_record_oss_open_thread,
                                 ngx_live_record_oss_opened)
        != NGX_OK)
    {
        ngx_live_record_oss_fail(t, LR_RETRY_AGAIN,
                                 "the thread pool takes no more");
    }
}


static ngx_int_t
ngx_live_record_oss_post(ngx_live_record_oss_t *t,
    void (*handler)(void *data, ngx_log_t *log),
    void (*done)(ngx_event_t *ev))
{
    ngx_thread_task_t  *task;

    task = t->req->task;
    task->ctx = t;
    task->handler = handler;
    task->event.handler = done;
    task->event.data = t;

    t->thread = 1;

    if (ngx_thread_task_post(ngx_live_record_conf->thread_pool, task)
        != NGX_OK)
    {
        t->thread = 0;
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_live_record_oss_open_thread(void *data, ngx_log_t *log)
{
    ngx_live_record_oss_t *t = data;

    t->cred_rc = LR_DECLINED;
    t->rc = LR_OK;

    if (t->req->bucket->cred_type == NGX_LIVE_RECORD_CRED_FILE) {
        ngx_live_record_oss_cred_thread(t);
    }

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


/* a file of credentials is read again when it changes */

static void
ngx_live_record_oss_cred_thread(ngx_live_record_oss_t *t)
{
    ngx_fd_t                   fd;
    ssize_t                    n;
    lr_buf_t                   b;
    struct stat                st;
    ngx_live_record_bucket_t  *bucket;

    bucket = t->req->bucket;

    fd = open((char *) bucket->cred_file.data, O_RDONLY|O_CLOEXEC);

    if (fd == -1 || fstat(fd, &st) == -1) {
        (void) snprintf(t->cred_err, sizeof(t->cred_err),
                        "the file of credentials cannot be read (%d: %s)",
                        ngx_errno, strerror(ngx_errno));
        t->cred_rc = LR_ERROR;
        goto done;
    }

    if (st.st_mtime == bucket->cred_mtime && st.st_size == bucket->cred_size
        && time(NULL) - st.st_mtime > NGX_LIVE_RECORD_OSS_LOOK)
    {
        goto done;
    }

    ngx_memzero(&b, sizeof(lr_buf_t));

    n = -1;

    if (lr_buf_reserve(&b, LR_CRED_MAX_FILE) == LR_OK) {
        n = read(fd, b.data, LR_CRED_MAX_FILE);
    }

    if (n < 0) {
        (void) snprintf(t->cred_err, sizeof(t->cred_err),
                        "the file of credentials cannot be read");
        t->cred_rc = LR_ERROR;

    } else {
        t->cred_rc = lr_cred_parse(&t->cred, (char *) b.data, (size_t) n,
                                   NULL, t->cred_err);
        t->cred_mtime = st.st_mtime;
        t->cred_size = st.st_size;
        ngx_explicit_memzero(b.data, (size_t) n);
    }

    lr_buf_free(&b);

done:

    if (fd != -1) {
        close(fd);
    }
}


static void
ngx_live_record_oss_opened(ngx_event_t *ev)
{
    ngx_live_record_oss_t      *t;
    ngx_live_record_request_t  *req;

    t = ev->data;
    req = t->req;
    t->thread = 0;

    if (ngx_live_record_oss_cred(t) != NGX_OK || req->cancelled) {
        ngx_live_record_oss_finish(t);
        return;
    }

    if (t->rc != LR_OK) {
        req->local = t->errnum ? t->errnum : NGX_ENOMEM;
        req->result = LR_RETRY_AGAIN;
        (void) snprintf(req->err, sizeof(req->err),
                        "the fragment could not be read (%d: %s)",
                        req->local, strerror(req->local));
        ngx_live_record_oss_finish(t);
        return;
    }

    t->handler(t);
}


/* takes over what the thread has read; all at once, for all requests */

static ngx_int_t
ngx_live_record_oss_cred(ngx_live_record_oss_t *t)
{
    ngx_live_record_bucket_t  *b;

    b = t->req->bucket;

    if (t->cred_rc == LR_OK) {
        lr_cred_free(&b->cred);
        b->cred = t->cred;
        b->cred_mtime = t->cred_mtime;
        b->cred_size = t->cred_size;
        ngx_memzero(&t->cred, sizeof(lr_cred_t));
    }

    if (b->cred.id) {

        /* what there was may still be good while a file is being replaced */

        return NGX_OK;
    }

    t->req->result = LR_RETRY_ADMIN;
    (void) snprintf(t->req->err, sizeof(t->req->err), "\"%s\": %s",
                    (char *) b->cred_file.data, t->cred_err);

    return NGX_ERROR;
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

    t = ev->data;
    t->thread = 0;

    /* the transfer may be over, or not be wanted any more */

    if (t->req->cancelled) {
        ngx_live_record_oss_finish(t);
        return;
    }

    if (t->rc != LR_OK) {
        t->req->local = t->errnum ? t->errnum : NGX_ENOMEM;
    }

    t->paused = 0;

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
    t->handler = handler;

    if (ngx_live_record_oss_post(t, ngx_live_record_oss_sum_thread,
                                 ngx_live_record_oss_summed)
        != NGX_OK)
    {
        ngx_live_record_oss_fail(t, LR_RETRY_AGAIN,
                                 "the thread pool takes no more");
    }
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


static void
ngx_live_record_oss_summed(ngx_event_t *ev)
{
    ngx_live_record_oss_t  *t;

    t = ev->data;
    t->thread = 0;

    if (t->req->cancelled) {
        ngx_live_record_oss_finish(t);
        return;
    }

    if (t->rc != LR_OK) {
        t->req->local = t->errnum ? t->errnum : NGX_ENOMEM;
        ngx_live_record_oss_fail(t, LR_RETRY_AGAIN,
                                 "the fragment could not be read");
        return;
    }

    t->handler(t);
}
