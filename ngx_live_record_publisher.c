
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Whether a publisher is recorded, and from where on.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "lr_flv.h"
#include "lr_timeline.h"
#include "ngx_live_record_publisher.h"


static void ngx_live_record_publisher_seen(ngx_live_record_publisher_t *p,
    ngx_live_record_message_t *m);
static ngx_uint_t ngx_live_record_publisher_due(
    ngx_live_record_publisher_t *p, ngx_uint_t type, lr_flv_body_t *body);
static ngx_int_t ngx_live_record_publisher_start(
    ngx_live_record_publisher_t *p, uint32_t timestamp);
static void ngx_live_record_publisher_config(ngx_live_record_publisher_t *p,
    ngx_uint_t type, lr_buf_t *config, uint32_t timestamp);
static ngx_live_record_result_e ngx_live_record_publisher_by_hand(
    ngx_live_record_publisher_t *p);
static void ngx_live_record_publisher_halt(ngx_live_record_publisher_t *p,
    const char *why);


static ngx_queue_t  ngx_live_record_published;


void
ngx_live_record_publisher_init(void)
{
    ngx_queue_init(&ngx_live_record_published);
}


void
ngx_live_record_publisher_exit(void)
{
    ngx_queue_t                  *q;
    ngx_live_record_publisher_t  *p;

    for (q = ngx_queue_head(&ngx_live_record_published);
         q != ngx_queue_sentinel(&ngx_live_record_published);
         q = ngx_queue_next(q))
    {
        p = ngx_queue_data(q, ngx_live_record_publisher_t, queue);

        lr_buf_free(&p->audio);
        lr_buf_free(&p->video);
    }
}


ngx_uint_t
ngx_live_record_publishers(void)
{
    return !ngx_queue_empty(&ngx_live_record_published);
}


void
ngx_live_record_publisher_begin(ngx_live_record_publisher_t *p,
    ngx_live_record_template_t *t, ngx_str_t *args)
{
    p->publishing = 1;
    p->has_video = 0;
    p->to_ask = 0;
    p->no_grace = 0;
    p->vbitrate = 0;
    p->on_demand_fail = t->on_demand_fail;

    switch (t->on_demand) {

    case NGX_LIVE_RECORD_COMMAND:
        p->mode = NGX_LIVE_RECORD_OFF;
        break;

    case NGX_LIVE_RECORD_PUSH_ARGS:
        p->mode = ngx_live_record_push_args(p, args) ? NGX_LIVE_RECORD_AT_ONCE
                                                     : NGX_LIVE_RECORD_OFF;
        break;

    case NGX_LIVE_RECORD_CALLBACK:
        p->to_ask = 1;

        /* fall through */

    default:

        /* a publish without media leaves nothing behind */

        p->mode = NGX_LIVE_RECORD_AT_ONCE;
    }

    ngx_live_record_streams_enter(&p->stream, p->settings.scope,
                                  p->settings.app, p->settings.stream);

    if (p->mode == NGX_LIVE_RECORD_OFF) {
        ngx_live_record_streams_why(&p->stream,
                                    t->on_demand == NGX_LIVE_RECORD_COMMAND
                                    ? NGX_LIVE_RECORD_WHY_COMMAND
                                    : NGX_LIVE_RECORD_WHY_PUSH_ARGS);
    }

    ngx_queue_insert_tail(&ngx_live_record_published, &p->queue);
    ngx_live_record_command_watch();
}


void
ngx_live_record_publisher_message(ngx_live_record_publisher_t *p,
    ngx_uint_t type, uint32_t timestamp, ngx_chain_t *in)
{
    ngx_live_record_message_t  m;

    if (p->mode == NGX_LIVE_RECORD_ON) {
        ngx_live_record_recorder_expect(p->recorder);
    }

    ngx_live_record_message_init(&m, type, timestamp, in);

    if (p->mode != NGX_LIVE_RECORD_ON) {

        if (!ngx_live_record_publisher_due(p, type, &m.body)) {
            ngx_live_record_publisher_seen(p, &m);
            return;
        }

        if (ngx_live_record_publisher_start(p, timestamp) != NGX_OK) {
            return;
        }
    }

    ngx_live_record_publisher_seen(p, &m);
    ngx_live_record_recorder_frame(p->recorder, &m);

    /* the first message of video tells the codec; there may be none */

    if (p->to_ask
        && (m.body.kind == LR_FLV_FRAME
            || (m.body.kind == LR_FLV_CONFIG && type == LR_FLV_VIDEO)))
    {
        p->to_ask = 0;
        ngx_live_record_ask(p, m.body.codec == LR_CODEC_HEVC);
    }
}


/* what a recording that begins later has to know */

static void
ngx_live_record_publisher_seen(ngx_live_record_publisher_t *p,
    ngx_live_record_message_t *m)
{
    lr_buf_t     *config;
    ngx_chain_t  *cl;

    if (m->body.kind == LR_FLV_FRAME && m->type == LR_FLV_VIDEO) {
        p->has_video = 1;
        p->last_video = ngx_current_msec;
        return;
    }

    if (m->body.kind != LR_FLV_CONFIG
        || m->size > NGX_LIVE_RECORD_CONFIG_MAX)
    {
        return;
    }

    config = m->type == LR_FLV_VIDEO ? &p->video : &p->audio;
    config->len = 0;

    for (cl = m->in; cl; cl = cl->next) {
        lr_buf_append(config, cl->buf->pos, cl->buf->last - cl->buf->pos);
    }

    if (config->failed) {
        lr_buf_free(config);
    }
}


/* whether the recording begins with this message */

static ngx_uint_t
ngx_live_record_publisher_due(ngx_live_record_publisher_t *p,
    ngx_uint_t type, lr_flv_body_t *body)
{
    if (p->mode != NGX_LIVE_RECORD_AT_KEY) {
        return p->mode == NGX_LIVE_RECORD_AT_ONCE;
    }

    if (body->kind != LR_FLV_FRAME) {
        return 0;
    }

    if (type == LR_FLV_VIDEO) {
        return body->key;
    }

    return !p->has_video
           || ngx_current_msec - p->last_video > LR_TIMELINE_NO_VIDEO;
}


static ngx_int_t
ngx_live_record_publisher_start(ngx_live_record_publisher_t *p,
    uint32_t timestamp)
{
    ngx_live_record_hold_e  hold;

    hold = !p->to_ask ? NGX_LIVE_RECORD_GO
           : p->on_demand_fail == NGX_LIVE_RECORD_RECORD
             ? NGX_LIVE_RECORD_HOLD_RECORD : NGX_LIVE_RECORD_HOLD_DROP;

    p->recorder = ngx_live_record_recorder_start(&p->settings, hold);

    if (p->recorder == NULL) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "live record: \"%s/%s\" is not recorded: no memory",
                      p->settings.app, p->settings.stream);

        p->mode = NGX_LIVE_RECORD_OFF;
        ngx_live_record_streams_why(&p->stream, NGX_LIVE_RECORD_WHY_MEMORY);
        return NGX_ERROR;
    }

    p->mode = NGX_LIVE_RECORD_ON;

    ngx_live_record_streams_why(&p->stream,
                                p->to_ask ? NGX_LIVE_RECORD_WHY_ASKED
                                          : NGX_LIVE_RECORD_WHY_NONE);

    if (p->no_grace) {
        ngx_live_record_recorder_cancel_grace(p->recorder);
    }

    ngx_live_record_publisher_config(p, LR_FLV_VIDEO, &p->video, timestamp);
    ngx_live_record_publisher_config(p, LR_FLV_AUDIO, &p->audio, timestamp);

    return NGX_OK;
}


/* a sequence header that came before the recording began */

static void
ngx_live_record_publisher_config(ngx_live_record_publisher_t *p,
    ngx_uint_t type, lr_buf_t *config, uint32_t timestamp)
{
    ngx_buf_t                  b;
    ngx_chain_t                cl;
    ngx_live_record_message_t  m;

    if (config->len == 0) {
        return;
    }

    ngx_memzero(&b, sizeof(ngx_buf_t));

    b.pos = config->data;
    b.last = config->data + config->len;
    cl.buf = &b;
    cl.next = NULL;

    ngx_live_record_message_init(&m, type, timestamp, &cl);
    ngx_live_record_recorder_frame(p->recorder, &m);
}


void
ngx_live_record_publisher_end(ngx_live_record_publisher_t *p,
    const char *why)
{
    if (!p->publishing) {
        return;
    }

    p->publishing = 0;

    ngx_live_record_streams_leave(&p->stream);
    ngx_queue_remove(&p->queue);

    if (p->question) {
        ngx_live_record_question_leave(p->question);
        p->question = NULL;
    }

    ngx_live_record_publisher_halt(p, why);

    lr_buf_free(&p->audio);
    lr_buf_free(&p->video);
}


/* what nobody was asked about yet leaves nothing */

static void
ngx_live_record_publisher_halt(ngx_live_record_publisher_t *p,
    const char *why)
{
    if (p->recorder) {

        if (p->to_ask) {
            ngx_live_record_recorder_drop(p->recorder);

        } else {
            ngx_live_record_recorder_stop(p->recorder, why);
        }

        p->recorder = NULL;
    }

    p->to_ask = 0;
    p->mode = NGX_LIVE_RECORD_OFF;
}


ngx_live_record_result_e
ngx_live_record_publisher_command(uint64_t serial,
    ngx_live_record_command_e what)
{
    ngx_queue_t                  *q;
    ngx_live_record_publisher_t  *p;

    p = NULL;

    for (q = ngx_queue_head(&ngx_live_record_published);
         q != ngx_queue_sentinel(&ngx_live_record_published);
         q = ngx_queue_next(q))
    {
        p = ngx_queue_data(q, ngx_live_record_publisher_t, queue);

        if (p->stream.serial == serial) {
            break;
        }
    }

    if (q == ngx_queue_sentinel(&ngx_live_record_published)) {
        return NGX_LIVE_RECORD_NO_STREAM;
    }

    if (what == NGX_LIVE_RECORD_START) {
        return ngx_live_record_publisher_by_hand(p);
    }

    if (p->mode == NGX_LIVE_RECORD_OFF) {
        return NGX_LIVE_RECORD_NOT_RECORDED;
    }

    switch (what) {

    case NGX_LIVE_RECORD_STOP:

        if (p->question) {
            ngx_live_record_question_settle(p->question, 0);

        } else {
            ngx_live_record_publisher_halt(p, "stopped by command");
        }

        ngx_live_record_streams_why(&p->stream, NGX_LIVE_RECORD_WHY_COMMAND);

        break;

    case NGX_LIVE_RECORD_CANCEL_DELAY:
        p->no_grace = 1;

        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "live record: \"%s/%s\" has no grace any more: by "
                      "command", p->settings.app, p->settings.stream);

        if (p->recorder) {
            ngx_live_record_recorder_cancel_grace(p->recorder);
        }

        break;

    default: /* NGX_LIVE_RECORD_RESTART */

        /* what has not begun need not begin anew */

        if (p->recorder) {
            ngx_live_record_recorder_restart(p->recorder);
        }

        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "live record: \"%s/%s\" begins a new cycle at the next "
                      "key frame: by command", p->settings.app,
                      p->settings.stream);
    }

    return NGX_LIVE_RECORD_DONE;
}


static ngx_live_record_result_e
ngx_live_record_publisher_by_hand(ngx_live_record_publisher_t *p)
{
    if (p->mode == NGX_LIVE_RECORD_OFF) {
        p->mode = NGX_LIVE_RECORD_AT_KEY;
        p->no_grace = 0;

        ngx_live_record_streams_why(&p->stream, NGX_LIVE_RECORD_WHY_WAITS);

        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "live record: \"%s/%s\" is recorded from the next key "
                      "frame on: by command", p->settings.app,
                      p->settings.stream);

        return NGX_LIVE_RECORD_DONE;
    }

    /* nobody has to be asked any more */

    if (p->question) {
        ngx_live_record_question_settle(p->question, 1);
        return NGX_LIVE_RECORD_DONE;
    }

    if (!p->to_ask) {
        return NGX_LIVE_RECORD_ALREADY;
    }

    p->to_ask = 0;

    if (p->recorder) {
        ngx_live_record_recorder_release(p->recorder, p->settings.formats,
                                         p->settings.cycle);
        ngx_live_record_streams_why(&p->stream, NGX_LIVE_RECORD_WHY_NONE);
    }

    return NGX_LIVE_RECORD_DONE;
}
