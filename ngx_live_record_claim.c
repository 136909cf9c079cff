
/*
 * Copyright (C) the ngx_live_record authors
 *
 * How a recorder comes to its recording: a thread claims one in the spool,
 * which the publisher of before may still hold.  Messages are kept meanwhile.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "lr_flv.h"
#include "ngx_live_record_recorder.h"
#include "ngx_live_record_thread.h"


/* how long a publisher waits for the one before it to let go, ms */
#define NGX_LIVE_RECORD_HANDOVER     1000
#define NGX_LIVE_RECORD_CLAIM_RETRY  100

/* what a recording takes before there is a fragment: files of a block */
#define NGX_LIVE_RECORD_EMPTY        16384

/* so many go on at a time with what was kept: others come a moment later */
#define NGX_LIVE_RECORD_CLAIMS       8

/* ids that are drawn to find one that falls to this worker */
#define NGX_LIVE_RECORD_IDS          128


static void ngx_live_record_make_id(ngx_live_record_recorder_t *r);
static void ngx_live_record_claim(ngx_live_record_recorder_t *r);
static ngx_live_record_recorder_t *ngx_live_record_predecessor(
    ngx_live_record_recorder_t *r);
static void ngx_live_record_claim_again(ngx_event_t *ev);
static void ngx_live_record_claim_thread(void *data, ngx_log_t *log);
static void ngx_live_record_claim_try(ngx_live_record_recorder_t *r,
    ngx_uint_t last);
static void ngx_live_record_claim_done(ngx_event_t *ev);
static void ngx_live_record_claimed(ngx_live_record_recorder_t *r);
static void ngx_live_record_claim_failed(ngx_live_record_recorder_t *r,
    const char *why);
static void ngx_live_record_drop_early(ngx_live_record_recorder_t *r,
    const char *why);
static void ngx_live_record_started(ngx_live_record_recorder_t *r);
static void ngx_live_record_replay(ngx_live_record_recorder_t *r);


static ngx_uint_t  ngx_live_record_serial;

/* claims that have gone on since this time */
static ngx_msec_t  ngx_live_record_claims_at;
static ngx_uint_t  ngx_live_record_claims;


void
ngx_live_record_claim_init(ngx_live_record_recorder_t *r)
{
    r->claim_event.handler = ngx_live_record_claim_again;
    r->claim_event.data = r;
    r->claim_event.log = ngx_cycle->log;

    ngx_live_record_make_id(r);
}


/*
 * A name for the recording, if it is to be a new one: they sort by time.  If
 * possible it is one that falls to this worker, which then need not look for
 * what its own recorders write.
 */

static void
ngx_live_record_make_id(ngx_live_record_recorder_t *r)
{
    struct tm   tm;
    ngx_uint_t  tries;

    ngx_libc_gmtime(ngx_time(), &tm);

    for (tries = 0; tries < NGX_LIVE_RECORD_IDS; tries++) {

        (void) snprintf(r->id, sizeof(r->id),
                        "%04d%02d%02d-%02d%02d%02d-%04x%04x%02x",
                        tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                        tm.tm_hour, tm.tm_min, tm.tm_sec,
                        (unsigned) ngx_pid & 0xffff,
                        (unsigned) ngx_random() & 0xffff,
                        (unsigned) ngx_live_record_serial & 0xff);

        if (ngx_live_record_shipper_owns(r->id)) {
            break;
        }
    }

    ngx_live_record_serial++;
}


void
ngx_live_record_claim_begin(ngx_live_record_recorder_t *r)
{
    r->claim_until = ngx_current_msec + NGX_LIVE_RECORD_HANDOVER;
    ngx_live_record_claim(r);
}


static void
ngx_live_record_claim(ngx_live_record_recorder_t *r)
{
    /*
     * The publisher before this one may still be writing its last bytes:
     * here, or in another worker, where its lock is seen.
     */

    if (ngx_live_record_predecessor(r)
        || !lr_quota_known(ngx_live_record_quota.zone))
    {
        ngx_add_timer(&r->claim_event, NGX_LIVE_RECORD_CLAIM_RETRY);
        return;
    }

    if (lr_quota_ask(&ngx_live_record_quota, NGX_LIVE_RECORD_EMPTY)
        != LR_OK)
    {
        ngx_live_record_zone_text(r->err, sizeof(r->err));
        ngx_live_record_claim_failed(r, ngx_live_record_zone_why());
        return;
    }

    r->claiming = 1;
    lr_quota_take(&ngx_live_record_quota, NGX_LIVE_RECORD_EMPTY);

    if (ngx_live_record_thread_post(r->task, ngx_live_record_claim_thread,
                                    ngx_live_record_claim_done, r)
        != NGX_OK)
    {
        /* its queue is full; frames are kept until it is not */

        r->claiming = 0;
        lr_quota_done(&ngx_live_record_quota, NGX_LIVE_RECORD_EMPTY);
        ngx_add_timer(&r->claim_event, NGX_LIVE_RECORD_CLAIM_RETRY);
    }
}


static ngx_live_record_recorder_t *
ngx_live_record_predecessor(ngx_live_record_recorder_t *r)
{
    ngx_queue_t                 *q;
    ngx_live_record_recorder_t  *p;

    for (q = ngx_queue_head(&ngx_live_record_recorders);
         q != &r->queue;
         q = ngx_queue_next(q))
    {
        p = ngx_queue_data(q, ngx_live_record_recorder_t, queue);

        if (p->stopped
            && ngx_strcmp(p->settings.stream, r->settings.stream) == 0
            && ngx_strcmp(p->settings.app, r->settings.app) == 0
            && ngx_strcmp(p->settings.scope, r->settings.scope) == 0)
        {
            return p;
        }
    }

    return NULL;
}


static void
ngx_live_record_claim_again(ngx_event_t *ev)
{
    ngx_live_record_recorder_t  *r;

    r = ev->data;

    if (r->claiming) {
        ngx_live_record_claim_done(ev);
        return;
    }

    ngx_live_record_claim(r);
}


static void
ngx_live_record_claim_thread(void *data, ngx_log_t *log)
{
    ngx_live_record_recorder_t *r = data;

    ngx_live_record_claim_try(r, ngx_current_msec >= r->claim_until);
}


/* "last": what another holds is not waited for, a new one is made beside it */

static void
ngx_live_record_claim_try(ngx_live_record_recorder_t *r, ngx_uint_t last)
{
    r->rc = lr_recording_claim(r->claim,
                               (char *) ngx_live_record_conf->spool.data,
                               &r->settings, r->id, ngx_live_record_now(),
                               last, r->err, sizeof(r->err));
}


/*
 * A disk that was slow lets all of them go at once, each with seconds of
 * media: the event loop takes them by and by.
 */

static void
ngx_live_record_claim_done(ngx_event_t *ev)
{
    ngx_live_record_recorder_t  *r;

    r = ev->data;

    if (ngx_live_record_claims_at != ngx_current_msec) {
        ngx_live_record_claims_at = ngx_current_msec;
        ngx_live_record_claims = 0;
    }

    if (ngx_live_record_claims++ >= NGX_LIVE_RECORD_CLAIMS) {
        ngx_add_timer(&r->claim_event,
                      ngx_live_record_claims / NGX_LIVE_RECORD_CLAIMS);
        return;
    }

    ngx_live_record_claimed(r);
}


static void
ngx_live_record_claimed(ngx_live_record_recorder_t *r)
{
    r->claiming = 0;
    lr_quota_done(&ngx_live_record_quota, NGX_LIVE_RECORD_EMPTY);

    if (r->rc == LR_AGAIN) {
        ngx_add_timer(&r->claim_event, NGX_LIVE_RECORD_CLAIM_RETRY);
        return;
    }

    if (r->rc != LR_OK) {
        ngx_live_record_claim_failed(r, "the spool failed");
        return;
    }

    ngx_live_record_started(r);
}


static void
ngx_live_record_claim_failed(ngx_live_record_recorder_t *r, const char *why)
{
    if (!r->disk_error) {
        r->disk_error = 1;
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "live record: \"%s/%s\" is not recorded for now: %s",
                      r->settings.app, r->settings.stream, r->err);
    }

    ngx_live_record_drop_early(r, why);
    r->suspended = 1;

    if (r->stopped) {
        ngx_live_record_free(r);
        return;
    }

    ngx_add_timer(&r->claim_event, NGX_LIVE_RECORD_DISK_RETRY);
}


/* loses what was kept, but for sequence headers that are needed still */

static void
ngx_live_record_drop_early(ngx_live_record_recorder_t *r, const char *why)
{
    lr_flv_body_t              body;
    ngx_live_record_early_t   *e, **p;

    p = &r->early;

    while (*p) {
        e = *p;

        lr_flv_parse(e->type, e->data, e->size, &body);

        if (body.kind == LR_FLV_CONFIG && !r->stopped) {
            p = &e->next;
            continue;
        }

        *p = e->next;
        r->kept -= e->size;
        ngx_live_record_lose(r, e->size, why);
        ngx_free(e);
    }

    r->early_last = p;
}


void
ngx_live_record_claim_now(ngx_live_record_recorder_t *r)
{
    /* a thread may have, and could not tell any more */

    if (!r->claiming || r->rc != LR_OK || r->claim->fd == -1) {
        ngx_live_record_claim_try(r, 1);
    }

    if (r->rc == LR_OK) {
        ngx_live_record_started(r);
    }
}


/* the claim has succeeded: goes on with what was kept */

static void
ngx_live_record_started(ngx_live_record_recorder_t *r)
{
    lr_claim_t  *claim;

    claim = r->claim;

    /* a recording in its grace goes on with the settings it began with */

    lr_settings_free(&r->settings);
    r->settings = claim->settings;

    ngx_memcpy(r->id, claim->rec.id, sizeof(r->id));

    r->number = claim->rec.next - 1;
    r->cycle = claim->rec.cycle;

    lr_timeline_init(&r->timeline, r->settings.fragment, r->settings.cycle,
                     claim->rec.media, claim->rec.cycle_start);

    ngx_live_record_queue_run(&r->out, claim);

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "live record: \"%s/%s\" %s, id %s", r->settings.app,
                  r->settings.stream,
                  claim->resumed ? "resumes" : "starts", r->id);

    ngx_free(r->claim);
    r->claim = NULL;

    r->running = 1;
    r->disk_error = 0;
    r->suspended = 0;

    if (r->restart) {
        lr_timeline_restart(&r->timeline);
    }

    if (r->no_grace) {
        ngx_live_record_queue_grace(&r->out, 0);
    }

    /* what has waited for the claim waits no longer */

    ngx_live_record_replay(r);
    ngx_live_record_queue_flush_all(&r->out);

    /* what comes now does not follow on what was lost */

    if (r->lost_frames) {
        ngx_live_record_suspend(r);
    }

    if (r->stopped) {
        r->stopped = 0;
        ngx_live_record_recorder_stop(r, r->why);
    }
}


void
ngx_live_record_keep(ngx_live_record_recorder_t *r,
    const ngx_live_record_message_t *m)
{
    size_t                    size;
    u_char                   *p;
    ngx_chain_t              *cl;
    ngx_live_record_early_t  *e;

    size = m->size;

    /* sequence headers are needed whatever else has to go */

    if (m->body.kind == LR_FLV_CONFIG) {
        if (size > NGX_LIVE_RECORD_CONFIG_MAX
            || r->kept > ngx_live_record_conf->buffer * 2)
        {
            return;
        }

    } else if (r->suspended
               || (r->kept > ngx_live_record_conf->buffer / 4
                   && r->kept + size > ngx_live_record_conf->buffer))
    {
        /* from the first one that has to go, up to a key frame */

        ngx_live_record_lose(r, size,
                             r->hold ? "the answer on demand was late"
                             : r->suspended ? "the spool failed"
                                            : "the disk is too slow");
        r->suspended = 1;
        return;
    }

    e = ngx_alloc(sizeof(ngx_live_record_early_t) + size, ngx_cycle->log);
    if (e == NULL) {
        ngx_live_record_lose(r, size, "no memory");
        r->suspended = 1;
        return;
    }

    e->next = NULL;
    e->type = m->type;
    e->timestamp = m->timestamp;
    e->wall = ngx_live_record_now();
    e->size = size;

    p = e->data;

    for (cl = m->in; cl; cl = cl->next) {
        p = ngx_cpymem(p, cl->buf->pos, cl->buf->last - cl->buf->pos);
    }

    *r->early_last = e;
    r->early_last = &e->next;
    r->kept += size;
}


static void
ngx_live_record_replay(ngx_live_record_recorder_t *r)
{
    ngx_buf_t                   b;
    ngx_chain_t                 cl;
    ngx_live_record_early_t    *e;
    ngx_live_record_message_t   m;

    ngx_memzero(&b, sizeof(ngx_buf_t));
    cl.buf = &b;
    cl.next = NULL;

    while (r->early) {
        e = r->early;
        r->early = e->next;
        r->kept -= e->size;

        b.pos = e->data;
        b.last = e->data + e->size;

        ngx_live_record_message_init(&m, e->type, e->timestamp, &cl);
        ngx_live_record_take(r, &m, e->wall);
        ngx_free(e);
    }

    r->early_last = &r->early;
}
