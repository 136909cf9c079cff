
/*
 * Copyright (C) the ngx_live_record authors
 *
 * A directory as a bucket: every request is one task of the thread pool.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "lr_dir.h"
#include "lr_dir_parts.h"
#include "ngx_live_record_limit.h"
#include "ngx_live_record_thread.h"


static void ngx_live_record_dir_thread(void *data, ngx_log_t *log);
static void ngx_live_record_dir_put(ngx_live_record_request_t *req);
static void ngx_live_record_dir_upload(ngx_live_record_request_t *req);
static int ngx_live_record_dir_part(ngx_live_record_request_t *req,
    lr_dir_upload_t *u);
static ngx_int_t ngx_live_record_dir_open(ngx_live_record_request_t *req,
    ngx_uint_t size);
static void ngx_live_record_dir_done(ngx_event_t *ev);
static void ngx_live_record_dir_fail(ngx_live_record_request_t *req,
    ngx_err_t err);


void
ngx_live_record_dir_start(ngx_live_record_request_t *req)
{
    if (ngx_live_record_thread_post(req->task, ngx_live_record_dir_thread,
                                    ngx_live_record_dir_done, req)
        != NGX_OK)
    {
        ngx_snprintf((u_char *) req->err, sizeof(req->err),
                     "the thread pool takes no more%Z");
        req->result = LR_RETRY_AGAIN;
        req->local = NGX_EAGAIN;
        ngx_live_record_request_done(req);
    }
}


static void
ngx_live_record_dir_thread(void *data, ngx_log_t *log)
{
    ngx_live_record_request_t *req = data;

    int   rc;
    char *root;

    root = (char *) req->bucket->root.data;

    switch (req->op) {

    case NGX_LIVE_RECORD_PUT:
        ngx_live_record_dir_put(req);
        return;

    case NGX_LIVE_RECORD_GET:
        rc = lr_dir_get(root, req->key, req->first, NGX_LIVE_RECORD_GET_MAX,
                        &req->answer, req->err, sizeof(req->err));
        break;

    case NGX_LIVE_RECORD_DELETE:
        rc = lr_dir_delete(root, req->key, req->bucket->fsync, req->err,
                           sizeof(req->err));
        break;

    case NGX_LIVE_RECORD_BEGIN:
    case NGX_LIVE_RECORD_PART:
    case NGX_LIVE_RECORD_COMPLETE:
    case NGX_LIVE_RECORD_ABORT:
    case NGX_LIVE_RECORD_MOVE:
        ngx_live_record_dir_upload(req);
        return;

    default: /* NGX_LIVE_RECORD_LIST */
        rc = lr_dir_list(root, req->key, req->after ? req->after : "",
                         &req->answer, req->err, sizeof(req->err));
    }

    if (rc == LR_ERROR) {
        ngx_live_record_dir_fail(req, ngx_errno);
        return;
    }

    req->result = rc == LR_OK ? LR_RETRY_OK : LR_RETRY_GONE;
    req->verdict = LR_GATE_WELL;
}


static void
ngx_live_record_dir_put(ngx_live_record_request_t *req)
{
    int                        rc;
    ngx_live_record_bucket_t  *b;

    b = req->bucket;

    if (ngx_live_record_dir_open(req, 0) != NGX_OK) {
        return;
    }

    rc = lr_dir_put((char *) b->root.data, req->key, req->tag, &req->body,
                    req->keep, b->fsync, &req->bytes, req->err,
                    sizeof(req->err));

    if (rc == LR_ERROR || rc == LR_AGAIN) {

        if (rc == LR_AGAIN) {
            req->local = ngx_errno;
        }

        ngx_live_record_dir_fail(req, ngx_errno);

    } else {
        req->result = rc == LR_OK ? LR_RETRY_OK : LR_RETRY_EXISTS;
        req->verdict = LR_GATE_WELL;
    }

    lr_body_close(&req->body);
}


static void
ngx_live_record_dir_upload(ngx_live_record_request_t *req)
{
    int              rc;
    unsigned         left;
    lr_dir_upload_t  u;

    ngx_memzero(&u, sizeof(lr_dir_upload_t));

    u.root = (char *) req->bucket->root.data;
    u.key = req->key;
    u.upload = req->upload;
    u.keep = req->keep;
    u.fsync = req->bucket->fsync;
    u.err = req->err;
    u.size = sizeof(req->err);

    switch (req->op) {

    case NGX_LIVE_RECORD_BEGIN:
        rc = lr_dir_begin(&u, req->tag, &req->answer, &req->align);
        break;

    case NGX_LIVE_RECORD_PART:
        rc = ngx_live_record_dir_part(req, &u);
        break;

    case NGX_LIVE_RECORD_COMPLETE:
        rc = lr_dir_complete(&u, req->size);
        break;

    case NGX_LIVE_RECORD_ABORT:
        rc = lr_dir_abort(&u);
        break;

    default: /* NGX_LIVE_RECORD_MOVE */
        rc = lr_dir_move(&u, req->to, req->size, &left);
        req->left = left;
    }

    req->verdict = LR_GATE_WELL;

    switch (rc) {

    case LR_OK:
        req->result = LR_RETRY_OK;
        break;

    case LR_DECLINED:
        req->result = LR_RETRY_EXISTS;
        break;

    case LR_AGAIN:
        req->result = LR_RETRY_GONE;
        break;

    default:
        ngx_live_record_dir_fail(req, u.error);
        req->denied = req->op == NGX_LIVE_RECORD_MOVE
                      && (u.error == NGX_EACCES || u.error == NGX_EPERM
                          || u.error == NGX_EXDEV);
    }
}


static int
ngx_live_record_dir_part(ngx_live_record_request_t *req, lr_dir_upload_t *u)
{
    int  rc;

    if (ngx_live_record_dir_open(req, 1) != NGX_OK) {
        return LR_ERROR;
    }

    rc = lr_dir_part(u, req->number, req->offset, &req->body);

    req->bytes = req->body.size;
    req->local = u->local;

    lr_body_close(&req->body);

    return rc;
}


static ngx_int_t
ngx_live_record_dir_open(ngx_live_record_request_t *req, ngx_uint_t size)
{
    req->body.direct = req->bucket->directio;

    if (req->bucket->limit_rate) {
        req->body.pace = ngx_live_record_limit_pace;
        req->body.pace_data = req->bucket;
    }

    if (lr_body_open(&req->body, size) == LR_OK) {
        return NGX_OK;
    }

    req->local = ngx_errno ? ngx_errno : NGX_ENOMEM;
    req->result = LR_RETRY_AGAIN;
    (void) snprintf(req->err, sizeof(req->err),
                    "the fragment could not be read (%d: %s)", req->local,
                    strerror(req->local));

    return NGX_ERROR;
}


static void
ngx_live_record_dir_fail(ngx_live_record_request_t *req, ngx_err_t err)
{
    switch (err) {

    case NGX_EACCES:
    case NGX_EPERM:
    case EROFS:
        (void) snprintf(req->refused, sizeof(req->refused), "%d: %s", err,
                        strerror(err));
        req->result = LR_RETRY_ADMIN;
        req->verdict = LR_GATE_REFUSES;
        return;

    /* of one name only */

    case NGX_ENOTDIR:
    case NGX_ENAMETOOLONG:
    case NGX_EXDEV:
    case ESTALE:
        req->unfit = 1;
        req->result = LR_RETRY_ADMIN;
        req->verdict = LR_GATE_NONE;
        return;

    default:
        req->result = LR_RETRY_AGAIN;
        req->verdict = LR_GATE_AWAY;
    }
}


static void
ngx_live_record_dir_done(ngx_event_t *ev)
{
    ngx_live_record_request_done(ev->data);
}
