
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Takes one recording through its steps, until all of it is in its bucket:
 * a thread looks at its journals and says what is next, the bucket is asked
 * for that, and a thread journals what the bucket has confirmed.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "lr_spool.h"
#include "ngx_live_record_counters.h"
#include "ngx_live_record_notify.h"
#include "ngx_live_record_ship.h"
#include "ngx_live_record_thread.h"


/* how often it is asked whether another worker's recorder is alive, ms */
#define NGX_LIVE_RECORD_PROBE  5000

/* while recorders have so many bytes to write, fragments wait */
#define NGX_LIVE_RECORD_BACKLOG  (32 * 1024 * 1024)
#define NGX_LIVE_RECORD_BACKLOG_WAIT  200

/* a taken name is tried with so many others */
#define NGX_LIVE_RECORD_NAMES  100

/* more fragments than that are a backlog */
#define NGX_LIVE_RECORD_FRESH  4

/* tries of a move that is not allowed, before the file stays where it is */
#define NGX_LIVE_RECORD_MOVES  5

/*
 * Tries of a file in the spool that cannot be read, one or two minutes in all:
 * a disk in the network may be back by then.
 */
#define NGX_LIVE_RECORD_READS  8


static void ngx_live_record_ship_open(ngx_live_record_ship_t *s);
static void ngx_live_record_ship_run(ngx_live_record_ship_t *s,
    ngx_live_record_ship_op_e op);
static void ngx_live_record_ship_thread(void *data, ngx_log_t *log);
static void ngx_live_record_ship_prepare(ngx_live_record_ship_t *s);
static void ngx_live_record_ship_done(ngx_event_t *ev);
static void ngx_live_record_ship_failed(ngx_live_record_ship_t *s);
static void ngx_live_record_ship_step(ngx_live_record_ship_t *s);
static void ngx_live_record_ship_unprepared(ngx_live_record_ship_t *s);
static void ngx_live_record_ship_ask(ngx_live_record_ship_t *s);
static ngx_int_t ngx_live_record_ship_fill(ngx_live_record_ship_t *s);
static void ngx_live_record_ship_asked(ngx_live_record_request_t *req);
static void ngx_live_record_ship_waits(ngx_live_record_ship_t *s,
    const char *why);
static void ngx_live_record_ship_log(ngx_live_record_ship_t *s);
static void ngx_live_record_ship_confirm(ngx_live_record_ship_t *s,
    const char *key);
static void ngx_live_record_ship_skip(ngx_live_record_ship_t *s,
    ngx_err_t err);
static ngx_uint_t ngx_live_record_ship_unread(ngx_live_record_ship_t *s,
    ngx_err_t err);
static void ngx_live_record_ship_salvaged(ngx_live_record_ship_t *s);
static void ngx_live_record_ship_gone(ngx_live_record_ship_t *s);
static ngx_uint_t ngx_live_record_ship_retry(ngx_live_record_ship_t *s);
static void ngx_live_record_ship_day_done(void *data, lr_retry_e result,
    ngx_uint_t after);
static void ngx_live_record_ship_bucket_failed(ngx_live_record_ship_t *s,
    lr_retry_e why, ngx_uint_t after);
static void ngx_live_record_ship_again(ngx_live_record_ship_t *s,
    lr_retry_e why, ngx_uint_t after);


void
ngx_live_record_ship_see(ngx_live_record_ship_t *s)
{
    ngx_live_record_notify_see(s);

    if (s->busy || s->timer.timer_set) {
        return;
    }

    if (!s->open) {
        ngx_live_record_ship_open(s);
        return;
    }

    if (s->news
        || s->looked < s->size
        || (s->ship.rec.state == LR_RECORDING_LIVE && !s->near
            && ngx_current_msec - s->probed >= NGX_LIVE_RECORD_PROBE)
        || lr_ship_due(&s->ship, ngx_live_record_now()))
    {
        s->news = 0;
        ngx_live_record_ship_run(s, NGX_LIVE_RECORD_SHIP_LOOK);
    }
}


static void
ngx_live_record_ship_open(ngx_live_record_ship_t *s)
{
    if (ngx_live_record_ship_admit(s)) {
        s->news = 0;
        ngx_live_record_ship_run(s, NGX_LIVE_RECORD_SHIP_OPEN);
    }
}


/* has a thread do something about the recording, and find the next step */

static void
ngx_live_record_ship_run(ngx_live_record_ship_t *s,
    ngx_live_record_ship_op_e op)
{
    s->op = op;
    s->busy = 1;

    if (ngx_live_record_thread_post(&s->task, ngx_live_record_ship_thread,
                                    ngx_live_record_ship_done, s)
        != NGX_OK)
    {
        ngx_live_record_ship_again(s, LR_RETRY_AGAIN, 0);
    }
}


static void
ngx_live_record_ship_thread(void *data, ngx_log_t *log)
{
    ngx_live_record_ship_t *s = data;

    char                        dir[LR_PATH_MAX];
    ngx_uint_t                  i;
    lr_ship_result_t            result;
    ngx_live_record_request_t  *req;

    req = s->request;

    if (s->op != NGX_LIVE_RECORD_SHIP_QUARANTINE) {
        s->err[0] = '\0';
    }

    switch (s->op) {

    case NGX_LIVE_RECORD_SHIP_OPEN:

        (void) snprintf(dir, sizeof(dir), "%s/%s",
                        (char *) ngx_live_record_conf->spool.data,
                        (char *) s->sn.str.data);

        s->rc = lr_ship_open(&s->ship, dir, s->err, sizeof(s->err));

        if (s->rc != LR_OK) {
            break;
        }

        s->open = 1;

        /* fall through */

    case NGX_LIVE_RECORD_SHIP_LOOK:
        s->rc = lr_ship_look(&s->ship, ngx_live_record_now(), s->err,
                             sizeof(s->err));
        break;

    case NGX_LIVE_RECORD_SHIP_NAME:
        s->rc = LR_OK;
        break;

    case NGX_LIVE_RECORD_SHIP_CONFIRM:

        result.key = (char *) s->result.data;
        result.answer = req->answer.len ? (char *) req->answer.data : "";
        result.bytes = req->bytes;
        result.crc = req->sum;
        result.align = req->align;
        result.tracks = s->step == LR_SHIP_FRAGMENT ? &req->body.tracks
                                                    : NULL;

        s->rc = lr_ship_confirm(&s->ship, s->step, &result);
        s->other = 0;
        break;

    case NGX_LIVE_RECORD_SHIP_SKIP:
        s->rc = lr_ship_skip(&s->ship, s->why);
        s->other = 0;
        break;

    case NGX_LIVE_RECORD_SHIP_WITHOUT:

        s->rc = lr_ship_without(&s->ship);
        s->other = 0;

        if (s->rc == LR_DECLINED) {
            (void) snprintf(s->err, sizeof(s->err), "a file of it could not "
                            "be read");
            s->rc = LR_ERROR;
        }

        break;

    case NGX_LIVE_RECORD_SHIP_ABANDON:
        s->rc = lr_ship_abandon(&s->ship, s->why);
        s->other = 0;
        break;

    case NGX_LIVE_RECORD_SHIP_SALVAGE:

        s->rc = lr_ship_salvage(&s->ship, s->step, &s->files, &s->lost);

        if (s->rc == LR_DECLINED) {
            s->rc = LR_OK;
        }

        break;

    case NGX_LIVE_RECORD_SHIP_REMOVE:

        s->rc = lr_ship_remove(&s->ship);

        if (s->rc == LR_OK) {
            s->open = 0;
            s->gone = 1;
            return;
        }

        break;

    case NGX_LIVE_RECORD_SHIP_QUARANTINE:

        (void) snprintf(dir, sizeof(dir), "%s", (char *) s->sn.str.data);

        for (i = 0; dir[i]; i++) {
            if (dir[i] == '/') {
                dir[i] = '.';
            }
        }

        s->rc = lr_spool_quarantine((char *) ngx_live_record_conf->spool.data,
                                    (char *) s->sn.str.data, dir);
        s->gone = s->rc == LR_OK;
        return;
    }

    if (s->rc == LR_OK) {
        ngx_live_record_ship_prepare(s);
    }

    if (s->rc == LR_ERROR && s->err[0] == '\0') {
        (void) snprintf(s->err, sizeof(s->err), "writing to it failed "
                        "(%d: %s)", ngx_errno, strerror(ngx_errno));
    }
}


static void
ngx_live_record_ship_prepare(ngx_live_record_ship_t *s)
{
    ngx_live_record_bucket_t  *b;

    b = ngx_live_record_find_bucket(ngx_live_record_conf,
                                    s->ship.settings.bucket);

    if (b) {
        s->ship.part_min = ngx_live_record_bucket_part_min(b);
        s->ship.direct = b->type != NGX_LIVE_RECORD_DIR;
    }

    s->ship.fsync = ngx_live_record_conf->fsync;
    s->step = lr_ship_next(&s->ship);
    s->prepared = LR_OK;

    lr_ship_order_free(&s->order);

    if (b == NULL) {

        /* what is to be asked of it depends on it, too */

        return;
    }

    switch (s->step) {

    case LR_SHIP_WAIT:
    case LR_SHIP_DAY:
    case LR_SHIP_DONE:
        break;

    default:
        s->prepared = lr_ship_prepare(&s->ship, s->step, s->other,
                                      &s->order);
        s->local = s->prepared == LR_ERROR ? ngx_errno : 0;

        /* some steps are journalled before they are asked for */

        if (s->local
            && (s->step == LR_SHIP_BEGIN || s->step == LR_SHIP_MOVE))
        {
            s->rc = LR_ERROR;
        }

        if (s->order.key.failed || s->order.to.failed
            || s->order.body.text.failed)
        {
            s->prepared = LR_ERROR;
        }
    }
}


static void
ngx_live_record_ship_done(ngx_event_t *ev)
{
    ngx_live_record_ship_t  *s;

    s = ev->data;
    s->busy = 0;

    ngx_live_record_ship_files(s, !s->open ? 0
                                  : s->ship.settings.notify ? 2 : 1);

    if (s->gone) {

        if (s->op == NGX_LIVE_RECORD_SHIP_REMOVE) {
            ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                          "live record: \"%V\" ends, all of it is stored",
                          &s->sn.str);

        } else {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "live record: \"%V\" in the spool cannot be "
                          "understood and is set aside in \"%V/"
                          LR_QUARANTINE_DIR "\": %s", &s->sn.str,
                          &ngx_live_record_conf->spool, s->err);
        }

        ngx_live_record_ship_destroy(s);
        return;
    }

    if (ngx_exiting) {
        ngx_live_record_ship_destroy(s);
        return;
    }

    if (s->rc != LR_OK) {
        ngx_live_record_ship_failed(s);
        return;
    }

    if (s->op == NGX_LIVE_RECORD_SHIP_OPEN
        || s->op == NGX_LIVE_RECORD_SHIP_LOOK)
    {
        s->looked = s->ship.rec.offset;
        s->probed = ngx_current_msec;
    }

    /* what the bucket has taken may still fail to be journalled */

    if (s->op == NGX_LIVE_RECORD_SHIP_CONFIRM
        || s->op == NGX_LIVE_RECORD_SHIP_SKIP
        || s->op == NGX_LIVE_RECORD_SHIP_WITHOUT
        || s->op == NGX_LIVE_RECORD_SHIP_ABANDON)
    {
        s->tries = 0;
        s->unread = 0;
        s->told = 0;
    }

    if (s->op == NGX_LIVE_RECORD_SHIP_SALVAGE) {
        ngx_live_record_ship_salvaged(s);
    }

    ngx_live_record_notify_tell(s);
    ngx_live_record_ship_step(s);
}


static void
ngx_live_record_ship_failed(ngx_live_record_ship_t *s)
{
    if (s->op == NGX_LIVE_RECORD_SHIP_QUARANTINE) {

        /* it has a recorder, which goes on writing */

        if (!s->told) {
            s->told = 1;
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "live record: \"%V\" in the spool cannot be "
                          "understood, and cannot be set aside yet: %s",
                          &s->sn.str, s->err);
        }

        ngx_live_record_ship_again(s, LR_RETRY_ADMIN, 0);
        return;
    }

    if (s->rc == LR_AGAIN) {

        /* another has it; a scan will show when that changes */

        if (s->op == NGX_LIVE_RECORD_SHIP_REMOVE) {
            ngx_live_record_ship_again(s, LR_RETRY_AGAIN, 0);
        }

        return;
    }

    /* what is held in memory may not be what was journalled */

    if (s->open) {
        lr_ship_close(&s->ship);
        s->open = 0;
    }

    ngx_live_record_ship_files(s, 0);

    if (s->rc == LR_DECLINED) {
        ngx_live_record_ship_run(s, NGX_LIVE_RECORD_SHIP_QUARANTINE);
        return;
    }

    if (!s->told) {
        s->told = 1;
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "live record: \"%V\" in the spool: %s; it is tried "
                      "again", &s->sn.str, s->err);
    }

    ngx_live_record_ship_again(s, LR_RETRY_AGAIN, 0);
}


static void
ngx_live_record_ship_step(ngx_live_record_ship_t *s)
{
    ngx_live_record_bucket_t  *b;

    if (s->step == LR_SHIP_WAIT) {
        s->tries = 0;
        return;
    }

    if (s->step == LR_SHIP_DONE) {

        /* callbacks may have to be kept for longer */

        if (!ngx_live_record_notify_finished(s)) {
            return;
        }

        ngx_live_record_ship_run(s, NGX_LIVE_RECORD_SHIP_REMOVE);
        return;
    }

    b = ngx_live_record_find_bucket(ngx_live_record_conf,
                                    s->ship.settings.bucket);

    if (b == NULL) {
        if (!s->told) {
            s->told = 1;
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "live record: \"%V\" waits in the spool: its "
                          "\"live_record_bucket\" \"%s\" is not configured "
                          "any more", &s->sn.str, s->ship.settings.bucket);
        }

        ngx_live_record_ship_again(s, LR_RETRY_ADMIN, 0);
        return;
    }

    if (s->request == NULL) {
        s->request = ngx_live_record_request_create();

        if (s->request == NULL) {
            ngx_live_record_ship_again(s, LR_RETRY_AGAIN, 0);
            return;
        }

        s->request->handler = ngx_live_record_ship_asked;
        s->request->data = s;
    }

    s->request->bucket = b;

    if (s->step == LR_SHIP_DAY) {

        s->day = ngx_live_record_day_create(b, &s->ship,
                                            ngx_live_record_ship_day_done,
                                            s);

        if (s->day == NULL) {
            ngx_live_record_ship_again(s, LR_RETRY_AGAIN, 0);
            return;
        }

        s->busy = 1;
        ngx_live_record_day_start(s->day);
        return;
    }

    if (s->prepared == LR_DECLINED) {
        s->request->bytes = 0;
        ngx_live_record_ship_confirm(s, "");
        return;
    }

    if (s->prepared != LR_OK) {
        ngx_live_record_ship_unprepared(s);
        return;
    }

    ngx_live_record_ship_ask(s);
}


static void
ngx_live_record_ship_unprepared(ngx_live_record_ship_t *s)
{
    if (s->step == LR_SHIP_FRAGMENT
        && (s->local == NGX_ENOENT || s->local == ENODATA))
    {
        ngx_live_record_ship_skip(s, s->local);
        return;
    }

    if (ngx_live_record_ship_unread(s, s->local)) {
        return;
    }

    if (s->local == EIO) {
        (void) snprintf(s->err, sizeof(s->err), "the fragment could not be "
                        "read (%d: %s)", s->local, strerror(s->local));
        ngx_live_record_ship_waits(s, s->err);
        ngx_live_record_ship_again(s, LR_RETRY_AGAIN, 0);
        return;
    }

    if (!s->told) {
        s->told = 1;
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, s->local,
                      "live record: \"%V\" waits in the spool: no "
                      "name of up to %d bytes can be made for it, or "
                      "there is no memory", &s->sn.str, LR_NAME_KEY_LEN);
    }

    ngx_live_record_ship_again(s, LR_RETRY_ADMIN, 0);
}


/* puts the order of a step to the bucket */

static void
ngx_live_record_ship_ask(ngx_live_record_ship_t *s)
{
    /* what is not on the disk yet goes before what is safe there */

    if (s->order.body.kind != LR_BODY_TEXT
        && ngx_live_record_queue_backlog() > NGX_LIVE_RECORD_BACKLOG)
    {
        ngx_add_timer(&s->timer, NGX_LIVE_RECORD_BACKLOG_WAIT);
        return;
    }

    if (s->step == LR_SHIP_ABORT && s->ship.file->upload == NULL) {
        ngx_live_record_ship_confirm(s, "");
        return;
    }

    if (ngx_live_record_ship_fill(s) != NGX_OK) {
        ngx_live_record_ship_again(s, LR_RETRY_AGAIN, 0);
        return;
    }

    s->busy = 1;

    ngx_live_record_request_start(s->request);
}


static ngx_int_t
ngx_live_record_ship_fill(ngx_live_record_ship_t *s)
{
    lr_ship_file_t             *file;
    lr_ship_order_t            *order;
    ngx_live_record_request_t  *req;

    req = s->request;
    order = &s->order;
    file = s->ship.file;

    ngx_free(req->key);

    req->key = ngx_alloc(order->key.len + 1, ngx_cycle->log);
    if (req->key == NULL) {
        return NGX_ERROR;
    }

    ngx_cpystrn((u_char *) req->key, order->key.data, order->key.len + 1);

    req->op = NGX_LIVE_RECORD_PUT;
    req->kind = LR_OBJECT_MEDIA;
    req->tag = s->ship.rec.id;
    req->to = (char *) order->to.data;
    req->keep = order->keep;
    req->again = order->again;
    req->number = order->number;
    req->offset = order->offset;
    req->size = order->size;
    req->crc = order->crc;

    req->backlog = s->ship.n - s->ship.next > NGX_LIVE_RECORD_FRESH;

    lr_body_take(&req->body, &order->body);

    switch (s->step) {

    case LR_SHIP_FRAGMENT:
        req->type = "video/mp2t";
        return NGX_OK;

    case LR_SHIP_MANIFEST:
        req->type = "application/json";
        req->kind = LR_OBJECT_MANIFEST;
        return NGX_OK;

    case LR_SHIP_INDEX:
        req->type = "application/vnd.apple.mpegurl";
        req->kind = LR_OBJECT_PLAYLIST;
        return NGX_OK;

    case LR_SHIP_BEGIN:
        req->op = NGX_LIVE_RECORD_BEGIN;

        /* only a working name is sure to be nobody else's */

        req->work = !order->keep;
        break;

    case LR_SHIP_PART:
        req->op = NGX_LIVE_RECORD_PART;
        break;

    case LR_SHIP_COMPLETE:
        req->op = NGX_LIVE_RECORD_COMPLETE;
        break;

    case LR_SHIP_MOVE:
        req->op = NGX_LIVE_RECORD_MOVE;
        break;

    case LR_SHIP_ABORT:
        req->op = NGX_LIVE_RECORD_ABORT;
        break;

    default: /* LR_SHIP_FILE */
        break;
    }

    req->type = file->format == LR_FORMAT_MP4 ? "video/mp4" : "video/x-flv";
    req->upload = file->upload;
    req->parts = file->parts;
    req->nparts = file->nparts;

    return NGX_OK;
}


static void
ngx_live_record_ship_asked(ngx_live_record_request_t *req)
{
    ngx_live_record_ship_t  *s;

    s = req->data;
    s->busy = 0;

    if (req->result == LR_RETRY_OK) {
        ngx_live_record_ship_log(s);
        ngx_live_record_ship_confirm(s, s->step == LR_SHIP_MOVE ? req->to
                                                                : req->key);
        return;
    }

    if (ngx_exiting) {
        ngx_live_record_ship_destroy(s);
        return;
    }

    if (req->local == NGX_ENOENT || req->local == ENODATA) {
        ngx_live_record_ship_skip(s, req->local);
        return;
    }

    if (ngx_live_record_ship_unread(s, req->local)
        || !ngx_live_record_ship_retry(s))
    {
        return;
    }

    if (req->local || req->unfit) {
        ngx_live_record_ship_waits(s, req->err);
    }

    ngx_live_record_ship_bucket_failed(s, req->result, req->retry_after);
}


/* what is no fault of the bucket, which would have told of it */

static void
ngx_live_record_ship_waits(ngx_live_record_ship_t *s, const char *why)
{
    if (s->told) {
        return;
    }

    s->told = 1;
    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "live record: \"%V\" waits in the spool: %s", &s->sn.str,
                  why);
}


static void
ngx_live_record_ship_log(ngx_live_record_ship_t *s)
{
    ngx_live_record_request_t  *req;

    req = s->request;

    switch (req->op) {

    case NGX_LIVE_RECORD_PUT:
        ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                      "live record: \"%V\" stored \"%s\", %uL bytes",
                      &s->sn.str, req->key, req->bytes);
        break;

    case NGX_LIVE_RECORD_PART:
        ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                      "live record: \"%V\" stored part %uD of \"%s\", %uL "
                      "bytes", &s->sn.str, req->number, req->key, req->bytes);
        break;

    case NGX_LIVE_RECORD_COMPLETE:
        ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                      "live record: \"%V\" stored \"%s\" of %uz parts, %uL "
                      "bytes", &s->sn.str, req->key, req->nparts, req->size);
        break;

    case NGX_LIVE_RECORD_MOVE:
        ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                      "live record: \"%V\" moved \"%s\" to \"%s\"",
                      &s->sn.str, req->key, req->to);

        if (req->left) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "live record: \"%V\" is stored as \"%s\", but "
                          "\"%s\" could not be removed: %s", &s->sn.str,
                          req->to, req->key, req->err);
        }

        break;

    default:
        break;
    }
}


/* has a thread journal that the step is done; the key may be the order's */

static void
ngx_live_record_ship_confirm(ngx_live_record_ship_t *s, const char *key)
{
    s->result.len = 0;
    lr_buf_append(&s->result, key, ngx_strlen(key) + 1);

    if (s->result.failed) {
        lr_buf_free(&s->result);
        ngx_live_record_ship_again(s, LR_RETRY_AGAIN, 0);
        return;
    }

    ngx_live_record_ship_run(s, NGX_LIVE_RECORD_SHIP_CONFIRM);
}


/* what the step was to be made of is gone, or there is nothing in it */

static void
ngx_live_record_ship_skip(ngx_live_record_ship_t *s, ngx_err_t err)
{
    uint32_t  number;

    if (s->step != LR_SHIP_FRAGMENT) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "live record: \"%V\": fragments of \"%s\" are gone or "
                      "empty, it is made without them", &s->sn.str,
                      s->request->key);

        ngx_live_record_ship_run(s, NGX_LIVE_RECORD_SHIP_WITHOUT);
        return;
    }

    /* what m3u8 cannot hold may be held by another format */

    if (err == ENODATA && s->prepared == LR_OK
        && s->ship.settings.formats != LR_FORMAT_M3U8)
    {
        s->request->bytes = 0;
        ngx_live_record_ship_confirm(s, "");
        return;
    }

    number = s->ship.fragments[s->ship.next].f.number;

    s->why = err == NGX_ENOENT ? "its file is gone"
                               : "there is nothing in it that m3u8 can hold";

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "live record: \"%V\" has no object of fragment %uD: "
                  "%s", &s->sn.str, number, s->why);

    ngx_live_record_ship_run(s, NGX_LIVE_RECORD_SHIP_SKIP);
}


/* 1: the disk has failed so often that it is done without what is lost */

static ngx_uint_t
ngx_live_record_ship_unread(ngx_live_record_ship_t *s, ngx_err_t err)
{
    if (err != EIO || ++s->unread < NGX_LIVE_RECORD_READS) {
        return 0;
    }

    s->unread = 0;
    ngx_live_record_ship_run(s, NGX_LIVE_RECORD_SHIP_SALVAGE);

    return 1;
}


static void
ngx_live_record_ship_salvaged(ngx_live_record_ship_t *s)
{
    if (s->files == 0) {
        return;
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "live record: \"%V\" goes on with zeros in place of %uL "
                  "bytes that the disk does not give back; %ui of its files "
                  "are kept in \"%V/" LR_QUARANTINE_DIR "\"", &s->sn.str,
                  s->lost, (ngx_uint_t) s->files,
                  &ngx_live_record_conf->spool);
}


/* whether it is to be tried again: 0 if another thing is done about it */

static ngx_uint_t
ngx_live_record_ship_retry(ngx_live_record_ship_t *s)
{
    ngx_live_record_request_t  *req;

    req = s->request;

    if (req->result == LR_RETRY_EXISTS && s->step != LR_SHIP_COMPLETE
        && s->other < NGX_LIVE_RECORD_NAMES)
    {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "live record: \"%V\": there is another object \"%s\" "
                      "already, another name is taken", &s->sn.str,
                      s->step == LR_SHIP_MOVE ? req->to : req->key);

        s->other++;
        ngx_live_record_ship_run(s, NGX_LIVE_RECORD_SHIP_NAME);
        return 0;
    }

    /* an upload's key is fixed: somebody has to make room for it */

    if (req->result == LR_RETRY_EXISTS && !s->told) {
        s->told = 1;
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "live record: \"%V\" waits in the spool: there is "
                      "another object \"%s\", which has come while the file "
                      "was sent; move it away", &s->sn.str, req->key);
    }

    if (req->result == LR_RETRY_GONE
        && (s->step == LR_SHIP_PART || s->step == LR_SHIP_COMPLETE
            || s->step == LR_SHIP_MOVE))
    {
        ngx_live_record_ship_gone(s);
        return 0;
    }

    if (req->denied && s->step == LR_SHIP_MOVE
        && s->tries >= NGX_LIVE_RECORD_MOVES)
    {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "live record: \"%V\": \"%s\" is stored, but cannot be "
                      "moved to \"%s\" and keeps its name: %s", &s->sn.str,
                      req->key, req->to, req->err);

        ngx_live_record_ship_confirm(s, req->key);
        return 0;
    }

    return 1;
}


/* an upload was aborted by somebody, or by a rule of the bucket */

static void
ngx_live_record_ship_gone(ngx_live_record_ship_t *s)
{
    s->why = "the bucket does not know it any more";

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "live record: \"%V\" loses what was sent of \"%s\": the "
                  "upload is not in the bucket any more: %s", &s->sn.str,
                  s->request->key, s->request->err);

    ngx_live_record_ship_run(s, NGX_LIVE_RECORD_SHIP_ABANDON);
}


static void
ngx_live_record_ship_day_done(void *data, lr_retry_e result,
    ngx_uint_t after)
{
    ngx_live_record_ship_t *s = data;

    const char  *key, *err;

    s->busy = 0;

    err = ngx_live_record_day_error(s->day);

    if (err) {
        ngx_live_record_ship_waits(s, err);
    }

    if (result == LR_RETRY_OK) {
        key = ngx_live_record_day_key(s->day);

        s->request->bytes = 0;

        ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                      "live record: \"%V\" stored \"%s\", the index of the "
                      "day", &s->sn.str, key);

        ngx_live_record_ship_confirm(s, key);
    }

    ngx_live_record_day_free(s->day);
    s->day = NULL;

    if (result == LR_RETRY_OK) {
        return;
    }

    if (ngx_exiting) {
        ngx_live_record_ship_destroy(s);
        return;
    }

    if (s->ship.rec.state != LR_RECORDING_ENDED) {

        /* fragments do not wait for it: the next cycle brings it again */

        s->ship.due = 0;
        return;
    }

    ngx_live_record_ship_bucket_failed(s, result, after);
}


/* tries again what a bucket has failed at */

static void
ngx_live_record_ship_bucket_failed(ngx_live_record_ship_t *s, lr_retry_e why,
    ngx_uint_t after)
{
    ngx_live_record_count(s->request->bucket->counts->retries, 1);

    /* for one that is down all wait together: it goes back to its queue */

    if (s->request->bucket->gate.down && !s->request->denied) {
        why = LR_RETRY_AGAIN;
        after = 0;
        s->tries = 0;
    }

    ngx_live_record_ship_again(s, why, after);
}


static void
ngx_live_record_ship_again(ngx_live_record_ship_t *s, lr_retry_e why,
    ngx_uint_t after)
{
    ngx_uint_t  n;

    s->busy = 0;

    if (why == LR_RETRY_OK) {
        why = LR_RETRY_AGAIN;
    }

    s->refused = why == LR_RETRY_ADMIN || why == LR_RETRY_CREDENTIALS;

    /* a fresh key is tried at once, whatever there was before */

    n = why == LR_RETRY_CREDENTIALS ? 0 : s->tries++;

    ngx_add_timer(&s->timer, lr_retry_delay(why, (unsigned) n,
                                            (unsigned) after,
                                            (uint32_t) ngx_random()));
}


void
ngx_live_record_ship_timer(ngx_event_t *ev)
{
    ngx_live_record_ship_t  *s;

    s = ev->data;

    if (s->busy || ngx_exiting) {
        return;
    }

    if (!s->open) {
        ngx_live_record_ship_open(s);
        return;
    }

    ngx_live_record_ship_run(s, NGX_LIVE_RECORD_SHIP_LOOK);
}
