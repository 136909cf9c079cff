
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The recorder: makes FLV tags of a publisher's messages and says where
 * fragments begin and end.  The queue carries all that to the disk.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "lr_aac.h"
#include "lr_flv.h"
#include "ngx_live_record_counters.h"
#include "ngx_live_record_recorder.h"


/* with NGX_LIVE_RECORD_HOLD of the queue, what a killed worker may lose */
#define NGX_LIVE_RECORD_FLUSH        650

/*
 * Of a fragment: rows' offsets are 32 bits wide, and a store takes no larger
 * object; and rows stay in memory until it ends.
 */
#define NGX_LIVE_RECORD_FILE_MAX     (1024 * 1024 * 1024)
#define NGX_LIVE_RECORD_ROWS_MAX     (1024 * 1024 * sizeof(lr_row_t))

/* of a publish: codecs of a track that a format cannot hold, at most 7 */
#define NGX_LIVE_RECORD_TOLD         4

/* of a cache, as far as it matters here */
#define NGX_LIVE_RECORD_LINE         64

/* of a message in the spool, beside its bytes */
#define NGX_LIVE_RECORD_TAG          (LR_FLV_TAG_HEADER + LR_FLV_TAG_TRAILER  \
                                      + sizeof(lr_row_t))

/* an FLV tag has 24 bits for its length */
#define NGX_LIVE_RECORD_MESSAGE_MAX  0xffffff


static void ngx_live_record_take_config(ngx_live_record_recorder_t *r,
    ngx_live_record_track_t *track, ngx_live_record_message_t *m);
static void ngx_live_record_take_frame(ngx_live_record_recorder_t *r,
    ngx_live_record_track_t *track, ngx_live_record_message_t *m,
    int64_t wall);
static ngx_uint_t ngx_live_record_config(ngx_live_record_recorder_t *r,
    ngx_live_record_track_t *track, ngx_chain_t *in, size_t size);
static ngx_uint_t ngx_live_record_picture(ngx_live_record_recorder_t *r,
    lr_flv_body_t *body, ngx_chain_t *in, size_t size);
static void ngx_live_record_extra(ngx_live_record_recorder_t *r,
    ngx_live_record_message_t *m);
static void ngx_live_record_check_config(ngx_live_record_recorder_t *r,
    ngx_live_record_track_t *track, lr_flv_body_t *body);
static void ngx_live_record_check_codec(ngx_live_record_recorder_t *r,
    ngx_live_record_track_t *track, lr_flv_body_t *body, unsigned formats,
    const char *detail);
static ngx_uint_t ngx_live_record_accept(ngx_live_record_recorder_t *r,
    lr_flv_body_t *body, ngx_uint_t video, size_t size);
static const char *ngx_live_record_obstacle(ngx_live_record_recorder_t *r,
    size_t size, ngx_uint_t *full);
static const char *ngx_live_record_slow(ngx_live_record_recorder_t *r,
    size_t size);
static void ngx_live_record_refuse(ngx_live_record_recorder_t *r,
    const char *why, ngx_uint_t full);
static void ngx_live_record_full(ngx_live_record_recorder_t *r,
    const char *why);
static void ngx_live_record_goes_on(ngx_live_record_recorder_t *r);
static void ngx_live_record_open(ngx_live_record_recorder_t *r,
    lr_timeline_frame_t *f);
static void ngx_live_record_end_fragment(ngx_live_record_recorder_t *r,
    int64_t duration);
static void ngx_live_record_tag(ngx_live_record_recorder_t *r,
    ngx_uint_t type, lr_row_t *row, u_char *head, size_t len,
    ngx_chain_t *in, size_t size);
static void ngx_live_record_no_memory(ngx_live_record_recorder_t *r);
static void ngx_live_record_written(ngx_live_record_queue_t *q);
static void ngx_live_record_lost_end(ngx_live_record_recorder_t *r);
static void ngx_live_record_disk_failed(ngx_live_record_recorder_t *r,
    ngx_err_t err);
static void ngx_live_record_tick(ngx_event_t *ev);
static void ngx_live_record_arm(void);
static void ngx_live_record_drain(ngx_live_record_recorder_t *r);


static ngx_event_t  ngx_live_record_timer;

ngx_queue_t  ngx_live_record_recorders;


void
ngx_live_record_recorder_init(void)
{
    ngx_queue_init(&ngx_live_record_recorders);

    ngx_live_record_timer_init(&ngx_live_record_timer, ngx_live_record_tick);
    ngx_live_record_timer.cancelable = 0;
}


ngx_live_record_recorder_t *
ngx_live_record_recorder_start(const lr_settings_t *settings,
    ngx_live_record_hold_e hold)
{
    ngx_int_t                    rc;
    ngx_live_record_recorder_t  *r;

    r = ngx_memalign(NGX_LIVE_RECORD_LINE, sizeof(ngx_live_record_recorder_t),
                     ngx_cycle->log);
    if (r == NULL) {
        return NULL;
    }

    ngx_memzero(r, sizeof(ngx_live_record_recorder_t));

    if (lr_settings_copy(&r->settings, settings) != LR_OK) {
        ngx_free(r);
        return NULL;
    }

    rc = ngx_live_record_queue_init(&r->out, ngx_live_record_written, r);

    r->task = ngx_calloc(sizeof(ngx_thread_task_t), ngx_cycle->log);
    r->claim = ngx_calloc(sizeof(lr_claim_t), ngx_cycle->log);

    if (r->claim) {
        r->claim->fsync = ngx_live_record_conf->fsync;
    }

    r->audio.type = LR_FLV_AUDIO;
    r->video.type = LR_FLV_VIDEO;
    r->early_last = &r->early;
    r->last = ngx_current_msec;
    r->hold = hold;

    ngx_queue_insert_tail(&ngx_live_record_recorders, &r->queue);

    if (rc != NGX_OK || r->task == NULL || r->claim == NULL) {
        ngx_live_record_free(r);
        return NULL;
    }

    ngx_live_record_claim_init(r);
    ngx_live_record_arm();

    if (hold == NGX_LIVE_RECORD_GO) {
        ngx_live_record_claim_begin(r);
    }

    return r;
}


void
ngx_live_record_recorder_release(ngx_live_record_recorder_t *r,
    unsigned formats, int64_t cycle)
{
    lr_settings_t  *st;

    st = &r->settings;
    st->formats = formats;
    st->cycle = cycle;

    r->hold = NGX_LIVE_RECORD_GO;

    if (r->stopped && r->early == NULL) {
        ngx_live_record_free(r);
        return;
    }

    ngx_live_record_claim_begin(r);
}


void
ngx_live_record_recorder_drop(ngx_live_record_recorder_t *r)
{
    ngx_live_record_free(r);
}


void
ngx_live_record_recorder_restart(ngx_live_record_recorder_t *r)
{
    if (r->running) {
        lr_timeline_restart(&r->timeline);

    } else {
        r->restart = 1;
    }
}


void
ngx_live_record_recorder_cancel_grace(ngx_live_record_recorder_t *r)
{
    if (r->no_grace) {
        return;
    }

    r->no_grace = 1;

    if (r->running) {
        ngx_live_record_queue_grace(&r->out, 0);
        ngx_live_record_queue_flush(&r->out);
    }
}


/*
 * With many streams all of it has left the caches since the message before,
 * and is to be waited for once, and not line by line.
 */

void
ngx_live_record_recorder_expect(ngx_live_record_recorder_t *r)
{
    u_char  *p;

    for (p = (u_char *) r; p < (u_char *) &r->out.steps;
         p += NGX_LIVE_RECORD_LINE)
    {
        __builtin_prefetch(p);
    }
}


void
ngx_live_record_recorder_frame(ngx_live_record_recorder_t *r,
    ngx_live_record_message_t *m)
{
    __builtin_prefetch(r->out.pos, 1);
    __builtin_prefetch(r->rows.data + r->rows.len, 1);

    if (r->running) {
        ngx_live_record_take(r, m, ngx_live_record_now());

    } else {
        ngx_live_record_keep(r, m);
    }
}


void
ngx_live_record_take(ngx_live_record_recorder_t *r,
    ngx_live_record_message_t *m, int64_t wall)
{
    lr_flv_body_t            *body;
    ngx_live_record_track_t  *track;

    body = &m->body;

    if (m->size > NGX_LIVE_RECORD_MESSAGE_MAX || body->kind == LR_FLV_IGNORE
        || body->kind == LR_FLV_END)
    {
        return;
    }

    if (body->kind == LR_FLV_EXTRA) {
        ngx_live_record_extra(r, m);
        return;
    }

    r->last = ngx_current_msec;
    track = &r->audio;

    if (m->type == LR_FLV_VIDEO) {
        r->last_video = ngx_current_msec;
        r->has_video = 1;
        track = &r->video;
    }

    if (body->codec == LR_CODEC_OTHER) {
        ngx_live_record_check_codec(r, track, body,
                                    LR_FORMAT_M3U8 | LR_FORMAT_MP4, "");
    }

    if (body->kind == LR_FLV_CONFIG) {
        ngx_live_record_take_config(r, track, m);

    } else {
        ngx_live_record_take_frame(r, track, m, wall);
    }
}


/* a sequence header takes effect at its place, and at a cut that is due then */

static void
ngx_live_record_take_config(ngx_live_record_recorder_t *r,
    ngx_live_record_track_t *track, ngx_live_record_message_t *m)
{
    size_t       size;
    lr_row_t     row;
    ngx_uint_t   video, full;
    const char  *why;

    size = m->size;
    video = m->type == LR_FLV_VIDEO;

    if (size > NGX_LIVE_RECORD_CONFIG_MAX
        || !ngx_live_record_config(r, track, m->in, size))
    {
        return;
    }

    ngx_live_record_check_config(r, track, &m->body);

    if (!video) {
        lr_timeline_audio_due(&r->timeline);
    }

    if (!r->open) {
        return;
    }

    /* one that is left out is at the head of the next fragment */

    why = ngx_live_record_obstacle(r, size, &full);

    /* a frame would have begun a new fragment well before */

    if (why == NULL
        && (r->pos > NGX_LIVE_RECORD_FILE_MAX * 2UL
            || r->rows.len > NGX_LIVE_RECORD_ROWS_MAX * 2))
    {
        why = "there are too many sequence headers";
    }

    if (why) {
        ngx_live_record_refuse(r, why, full);
        return;
    }

    row.dts = (int32_t) ((video ? r->timeline.video.last
                                : r->timeline.audio.last)
                         - r->fragment.base);
    row.dts = ngx_max(row.dts, 0);
    row.cts = 0;
    row.flags = LR_SAMPLE_CONFIG | (video ? LR_SAMPLE_VIDEO : 0)
                | LR_SAMPLE_FLAGS(m->body.header);

    if (video) {
        lr_picture_config(&r->picture, track->config.data, size);
    }

    ngx_live_record_tag(r, m->type, &row, m->peek, m->n, m->in, size);
}


static void
ngx_live_record_take_frame(ngx_live_record_recorder_t *r,
    ngx_live_record_track_t *track, ngx_live_record_message_t *m,
    int64_t wall)
{
    size_t                size;
    lr_row_t              row;
    ngx_uint_t            video;
    lr_flv_body_t        *body;
    lr_timeline_frame_t   f;

    size = m->size;
    body = &m->body;
    video = m->type == LR_FLV_VIDEO;

    if (!ngx_live_record_accept(r, body, video, size)) {
        return;
    }

    if (body->codec != track->codec) {

        /* without a sequence header nothing else tells */

        if (track->codec != LR_CODEC_NONE) {
            track->changed = 1;
            lr_timeline_changed(&r->timeline);
        }

        track->codec = body->codec;
    }

    /* a file cannot change its mind about audio until a key frame comes */

    r->timeline.force = r->pos + size > NGX_LIVE_RECORD_FILE_MAX
                        || r->rows.len >= NGX_LIVE_RECORD_ROWS_MAX
                        || (!video && track->changed
                            && r->settings.formats != LR_FORMAT_M3U8);

    lr_timeline_frame(&r->timeline, video, body->key, m->timestamp,
                      body->cts, wall, &f);

    if (f.jump) {
        ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                      "live record: \"%s/%s\" %s timestamps jump to %uD",
                      r->settings.app, r->settings.stream,
                      video ? "video" : "audio", m->timestamp);
    }

    if (f.open) {
        if (r->open) {
            ngx_live_record_end_fragment(r, f.dts - r->fragment.media);
        }

        if (f.cut == LR_CUT_CYCLE) {
            r->cycle++;
        }

        ngx_live_record_open(r, &f);

        if (!r->open) {
            ngx_live_record_lose(r, size, "no memory");
            return;
        }
    }

    row.dts = (int32_t) (f.dts - r->fragment.base);
    row.cts = f.cts;
    row.flags = (video ? LR_SAMPLE_VIDEO : 0)
                | (body->key ? LR_SAMPLE_KEY : 0)
                | LR_SAMPLE_FLAGS(body->header);

    if (video) {
        row.flags |= ngx_live_record_picture(r, body, m->in, size);
    }

    /* the file says the same as the table */

    if (f.cts != body->cts && m->n >= body->header
        && (body->header == 8 || (body->header == 5 && !(m->peek[0] & 0x80))))
    {
        lr_put_be24(m->peek + body->header - 3, (uint32_t) f.cts);
    }

    ngx_live_record_tag(r, m->type, &row, m->peek, m->n, m->in, size);
}


/* keeps a sequence header; 0 when it is the one already known */

static ngx_uint_t
ngx_live_record_config(ngx_live_record_recorder_t *r,
    ngx_live_record_track_t *track, ngx_chain_t *in, size_t size)
{
    size_t       n;
    u_char      *p;
    ngx_uint_t   same, first;

    first = track->config.len == 0;
    same = size == track->config.len;
    p = track->config.data;

    if (same) {
        ngx_chain_t  *cl;

        for (cl = in; cl && same; cl = cl->next) {
            n = cl->buf->last - cl->buf->pos;
            same = ngx_memcmp(p, cl->buf->pos, n) == 0;
            p += n;
        }

        if (same) {
            return 0;
        }
    }

    track->config.len = 0;

    for ( /* void */ ; in; in = in->next) {
        lr_buf_append(&track->config, in->buf->pos,
                      in->buf->last - in->buf->pos);
    }

    if (track->config.failed) {
        lr_buf_free(&track->config);
        return 0;
    }

    if (!first) {
        track->changed = 1;
        lr_timeline_changed(&r->timeline);
    }

    return 1;
}


/* a row has to say what its message is, for when the media is gone */

static ngx_uint_t
ngx_live_record_picture(ngx_live_record_recorder_t *r, lr_flv_body_t *body,
    ngx_chain_t *in, size_t size)
{
    lr_picture_begin(&r->picture, body, size);

    for ( /* void */ ; in; in = in->next) {

        if (lr_picture_feed(&r->picture, in->buf->pos,
                            in->buf->last - in->buf->pos)
            == LR_OK)
        {
            break;
        }
    }

    return lr_picture_end(&r->picture);
}


/* an encoder may send nothing else */

static void
ngx_live_record_extra(ngx_live_record_recorder_t *r,
    ngx_live_record_message_t *m)
{
    if (r->extra) {
        return;
    }

    r->extra = 1;

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "live record: \"%s/%s\" sends %s of more than one track, or "
                  "with extensions of Enhanced RTMP: these messages are left "
                  "out", r->settings.app, r->settings.stream,
                  m->type == LR_FLV_VIDEO ? "video" : "audio");
}


/* what a format cannot hold although it does hold the codec */

static void
ngx_live_record_check_config(ngx_live_record_recorder_t *r,
    ngx_live_record_track_t *track, lr_flv_body_t *body)
{
    int           rc;
    char          detail[80];
    size_t        n;
    u_char       *p;
    unsigned      formats;
    const char   *why;
    lr_audio_t    a;
    lr_video_t    v;

    if (body->codec == LR_CODEC_OTHER) {
        return;
    }

    p = track->config.data + body->header;
    n = track->config.len - body->header;
    formats = LR_FORMAT_M3U8 | LR_FORMAT_MP4;

    if (track->type == LR_FLV_VIDEO) {
        ngx_memzero(&v, sizeof(lr_video_t));
        rc = lr_video_config(&v, body->codec, p, n);
        why = v.why;
        lr_video_free(&v);

    } else {
        rc = lr_audio_config(&a, body->codec, p, n);
        why = a.why;
    }

    if (rc != LR_OK) {
        (void) snprintf(detail, sizeof(detail), " (%s)", why);

    } else if (track->type == LR_FLV_VIDEO
               || lr_aac_adts_check(&a) == LR_OK)
    {
        return;

    } else {
        (void) snprintf(detail, sizeof(detail),
                        " (object type %u, channel configuration %u, frames "
                        "of %u)", a.aot, a.channel_config, a.samples);

        formats = LR_FORMAT_M3U8;
    }

    ngx_live_record_check_codec(r, track, body, formats, detail);
}


/* a track that a format of the template cannot hold is told once */

static void
ngx_live_record_check_codec(ngx_live_record_recorder_t *r,
    ngx_live_record_track_t *track, lr_flv_body_t *body, unsigned formats,
    const char *detail)
{
    char         buf[32], text[256];
    const char  *name, *which;

    /* flv takes any */

    formats &= r->settings.formats;

    if (formats == 0 || track->told == NGX_LIVE_RECORD_TOLD
        || (track->told && track->refused == body->id))
    {
        return;
    }

    track->told++;
    track->refused = body->id;

    name = lr_codec_name(body, track->type, buf);
    which = formats == LR_FORMAT_M3U8 ? "m3u8"
            : formats == LR_FORMAT_MP4 ? "mp4" : "m3u8 and mp4";

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "live record: \"%s/%s\" has %s %s%s, which %s cannot hold: "
                  "the rest is recorded", r->settings.app,
                  r->settings.stream, name,
                  track->type == LR_FLV_VIDEO ? "video" : "audio", detail,
                  which);

    (void) snprintf(text, sizeof(text), "codec %s%s cannot be held by %s",
                    name, detail, which);

    ngx_live_record_queue_error(&r->out, text);
}


/*
 * Whether a frame is taken.  When the disk fails, is full or does not
 * follow, frames are left out, from now to a key frame after things are
 * well again: the publisher and its viewers never notice.
 */

static ngx_uint_t
ngx_live_record_accept(ngx_live_record_recorder_t *r, lr_flv_body_t *body,
    ngx_uint_t video, size_t size)
{
    ngx_uint_t   full;
    const char  *why;

    why = ngx_live_record_obstacle(r, size, &full);

    if (!r->suspended) {

        if (why == NULL) {
            return 1;
        }

        ngx_live_record_refuse(r, why, full);
    }

    /* audio waits for a key frame as well, while there is video */

    if (why
        || (video ? !body->key
                  : r->has_video && ngx_current_msec - r->last_video
                                    < LR_TIMELINE_NO_VIDEO))
    {
        ngx_live_record_lose(r, size, why);
        return 0;
    }

    r->suspended = 0;
    ngx_live_record_goes_on(r);

    return 1;
}


/* what stands against a message of this size, or NULL; a full spool is full */

static const char *
ngx_live_record_obstacle(ngx_live_record_recorder_t *r, size_t size,
    ngx_uint_t *full)
{
    /* with what a fragment takes that may begin with it */

    *full = lr_quota_ask(&ngx_live_record_quota,
                         size + NGX_LIVE_RECORD_TAG
                         + NGX_LIVE_RECORD_FRAGMENT)
            != LR_OK;

    return *full ? ngx_live_record_zone_why()
                 : ngx_live_record_slow(r, size);
}


/* the same, but for a full spool */

static const char *
ngx_live_record_slow(ngx_live_record_recorder_t *r, size_t size)
{
    size_t  limit;

    limit = ngx_live_record_conf->buffer;

    /* one that is larger than the buffer waits for nobody */

    if (!r->suspended) {
        return r->out.memory > limit / 4 && r->out.memory + size > limit
               ? "the disk is too slow" : NULL;
    }

    if (r->out.memory > limit / 4) {
        return "the disk is too slow";
    }

    if ((ngx_msec_int_t) (ngx_current_msec - r->retry) < 0) {
        return "the spool failed";
    }

    return NULL;
}


static void
ngx_live_record_refuse(ngx_live_record_recorder_t *r, const char *why,
    ngx_uint_t full)
{
    if (full) {
        ngx_live_record_full(r, why);

    } else {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "live record: \"%s/%s\" loses frames: %s, %uz "
                      "bytes wait for \"%V\"", r->settings.app,
                      r->settings.stream, why, r->out.memory,
                      &ngx_live_record_conf->spool);
    }

    ngx_live_record_suspend(r);
}


static void
ngx_live_record_full(ngx_live_record_recorder_t *r, const char *why)
{
    char  text[NGX_LIVE_RECORD_TEXT];

    ngx_live_record_zone_text(text, sizeof(text));

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "live record: \"%s/%s\" loses frames: %s",
                  r->settings.app, r->settings.stream, text);

    ngx_live_record_queue_error(&r->out, why);
}


void
ngx_live_record_suspend(ngx_live_record_recorder_t *r)
{
    if (r->open) {
        ngx_live_record_end_fragment(r, -1);
    }

    r->suspended = 1;
    lr_timeline_lost(&r->timeline);
}


void
ngx_live_record_lose(ngx_live_record_recorder_t *r, size_t size,
    const char *why)
{
    /* the first reason is the one that is journalled */

    if (r->lost_why == NULL) {
        r->lost_why = why ? why : "there was no key frame";
    }

    r->lost_frames++;
    r->lost_bytes += size;

    ngx_live_record_count(ngx_live_record_counts->lost_frames, 1);
    ngx_live_record_count(ngx_live_record_counts->lost_bytes, size);
}


static void
ngx_live_record_goes_on(ngx_live_record_recorder_t *r)
{
    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "live record: \"%s/%s\" goes on, %uL frames of %uL bytes "
                  "were lost", r->settings.app, r->settings.stream,
                  r->lost_frames, r->lost_bytes);

    ngx_live_record_queue_lost(&r->out, r->lost_frames, r->lost_bytes,
                               r->lost_why);
    r->lost_frames = 0;
    r->lost_bytes = 0;
    r->lost_why = NULL;
}


static void
ngx_live_record_open(ngx_live_record_recorder_t *r, lr_timeline_frame_t *f)
{
    lr_row_t                  row;
    ngx_buf_t                 b;
    ngx_uint_t                i;
    ngx_chain_t               cl;
    lr_flv_body_t             body;
    ngx_live_record_track_t  *track;

    ngx_memzero(&r->fragment, sizeof(lr_fragment_t));

    r->fragment.number = ++r->number;
    r->fragment.cycle = r->cycle;
    r->fragment.media = f->dts;
    r->fragment.base = lr_timeline_base(&r->timeline, f->dts);
    r->fragment.wall = f->wall;
    r->fragment.discontinuity = f->discontinuity;

    r->open = 1;
    r->pos = LR_FLV_FILE_HEADER;
    r->audio.changed = 0;
    r->video.changed = 0;

    if (ngx_live_record_queue_open(&r->out, &r->fragment) != NGX_OK) {
        ngx_live_record_no_memory(r);
        return;
    }

    r->rows.len = 0;

    if (lr_buf_reserve(&r->rows, r->nrows * sizeof(lr_row_t)) != LR_OK) {

        /* as far as it goes */

        r->rows.failed = 0;
    }

    ngx_memzero(&r->picture, sizeof(lr_picture_t));

    /* every fragment can be decoded alone */

    ngx_memzero(&b, sizeof(ngx_buf_t));
    cl.buf = &b;
    cl.next = NULL;

    for (i = 0; i < 2; i++) {
        track = i ? &r->audio : &r->video;

        if (track->config.len == 0) {
            continue;
        }

        b.pos = track->config.data;
        b.last = b.pos + track->config.len;

        lr_flv_parse(track->type, b.pos, track->config.len, &body);

        row.dts = (int32_t) (f->dts - r->fragment.base);
        row.cts = 0;
        row.flags = LR_SAMPLE_CONFIG | LR_SAMPLE_FLAGS(body.header);

        if (i == 0) {
            row.flags |= LR_SAMPLE_VIDEO;
            lr_picture_config(&r->picture, b.pos, track->config.len);
        }

        ngx_live_record_tag(r, track->type, &row, NULL, 0, &cl,
                            track->config.len);

        if (!r->open) {
            return;
        }
    }
}


static void
ngx_live_record_end_fragment(ngx_live_record_recorder_t *r, int64_t duration)
{
    r->open = 0;
    r->nrows = r->rows.len / sizeof(lr_row_t);

    ngx_live_record_queue_close(&r->out, &r->rows, duration);
}


/* one FLV tag: head replaces the first len bytes of the chain */

static void
ngx_live_record_tag(ngx_live_record_recorder_t *r, ngx_uint_t type,
    lr_row_t *row, u_char *head, size_t len, ngx_chain_t *in, size_t size)
{
    size_t     n, skip;
    u_char     b[LR_FLV_TAG_HEADER + LR_FLV_PEEK];
    ngx_int_t  rc;

    row->offset = (uint32_t) r->pos + LR_FLV_TAG_HEADER;
    row->size = (uint32_t) size;

    lr_buf_append(&r->rows, row, sizeof(lr_row_t));

    if (r->rows.failed) {

        /* those that are there are good still */

        r->rows.failed = 0;
        ngx_live_record_no_memory(r);

        if (!(row->flags & LR_SAMPLE_CONFIG)) {
            ngx_live_record_lose(r, size, "no memory");
        }

        return;
    }

    lr_quota_take(&ngx_live_record_quota, sizeof(lr_row_t));

    lr_flv_tag_header(b, type, size, row->dts);

    if (len) {
        ngx_memcpy(b + LR_FLV_TAG_HEADER, head, len);
    }

    rc = ngx_live_record_queue_append(&r->out, b, LR_FLV_TAG_HEADER + len);

    skip = len;

    for ( /* void */ ; in && rc == NGX_OK; in = in->next) {
        n = in->buf->last - in->buf->pos;

        if (skip >= n) {
            skip -= n;
            continue;
        }

        rc = ngx_live_record_queue_append(&r->out, in->buf->pos + skip,
                                          n - skip);
        skip = 0;
    }

    if (rc == NGX_OK) {
        lr_put_be32(b, (uint32_t) (size + LR_FLV_TAG_HEADER));
        rc = ngx_live_record_queue_append(&r->out, b, LR_FLV_TAG_TRAILER);
    }

    if (rc != NGX_OK) {

        /* the close leaves out the row whose bytes are not there */

        ngx_live_record_no_memory(r);
        return;
    }

    r->pos += LR_FLV_TAG_HEADER + size + LR_FLV_TAG_TRAILER;

    if (r->out.queued >= NGX_LIVE_RECORD_BATCH && !r->out.busy) {
        ngx_live_record_queue_flush(&r->out);
    }
}


static void
ngx_live_record_no_memory(ngx_live_record_recorder_t *r)
{
    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "live record: \"%s/%s\" loses frames: no memory",
                  r->settings.app, r->settings.stream);

    ngx_live_record_suspend(r);
    r->retry = ngx_current_msec + NGX_LIVE_RECORD_DISK_RETRY;
}


/* a thread has written, or has tried to */

static void
ngx_live_record_written(ngx_live_record_queue_t *q)
{
    ngx_live_record_recorder_t  *r;

    r = q->data;

    if (q->lost) {
        r->lost_why = "the spool failed";
        r->lost_frames += q->lost;
        r->lost_bytes += q->lost_bytes;
    }

    if (q->err) {
        ngx_live_record_disk_failed(r, q->err);

    } else {
        r->disk_error = 0;
    }

    if (q->held) {
        return;
    }

    if (q->news || q->ended) {
        ngx_live_record_shipper_tell(q->writer.dir, r->id, !q->ended);
    }

    if (r->stopped && q->ended && q->steps == NULL) {

        if (q->lost) {
            ngx_live_record_lost_end(r);
        }

        ngx_live_record_free(r);
        return;
    }

    if (q->queued >= NGX_LIVE_RECORD_BATCH || q->more || r->stopped) {
        ngx_live_record_queue_flush(q);
    }
}


static void
ngx_live_record_lost_end(ngx_live_record_recorder_t *r)
{
    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "live record: \"%s/%s\" has lost %uL frames at its end: %s",
                  r->settings.app, r->settings.stream, r->lost_frames,
                  r->lost_why);
}


static void
ngx_live_record_disk_failed(ngx_live_record_recorder_t *r, ngx_err_t err)
{
    if (!r->disk_error) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, err,
                      "live record: \"%s/%s\" loses frames: writing to "
                      "\"%s\" failed", r->settings.app, r->settings.stream,
                      r->out.writer.dir);
    }

    r->disk_error = 1;

    /* nothing more for this fragment; begin again when the disk is well */

    ngx_live_record_suspend(r);
    r->retry = ngx_current_msec + NGX_LIVE_RECORD_DISK_RETRY;
    r->lost_why = "the spool failed";
}


void
ngx_live_record_recorder_stop(ngx_live_record_recorder_t *r, const char *why)
{
    if (r->stopped) {
        return;
    }

    r->stopped = 1;
    r->why = why;

    if (!r->running) {

        /* what came before a claim is written once it is made */

        if (!r->claiming && !r->hold && (r->disk_error || r->early == NULL)) {
            ngx_live_record_free(r);
        }

        return;
    }

    if (r->open) {
        ngx_live_record_end_fragment(r, -1);
    }

    if (r->lost_frames) {
        ngx_live_record_lost_end(r);
        ngx_live_record_queue_lost(&r->out, r->lost_frames, r->lost_bytes,
                                   r->lost_why);
    }

    ngx_live_record_queue_unpublish(&r->out, why);

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "live record: \"%s/%s\" pauses: %s, id %s",
                  r->settings.app, r->settings.stream, why, r->id);

    ngx_live_record_queue_flush_all(&r->out);

    /* without memory for its end there may be no task that would tell of it */

    if (r->out.ended && !r->out.busy && r->out.steps == NULL
        && !r->out.held)
    {
        ngx_live_record_free(r);
    }
}


/*
 * One timer for all: it writes what waits, and keeps an exiting worker
 * alive for as long as it has a publisher to record.
 */

static void
ngx_live_record_tick(ngx_event_t *ev)
{
    ngx_queue_t                 *q;
    ngx_live_record_recorder_t  *r;

    for (q = ngx_queue_head(&ngx_live_record_recorders);
         q != ngx_queue_sentinel(&ngx_live_record_recorders);
         q = ngx_queue_next(q))
    {
        r = ngx_queue_data(q, ngx_live_record_recorder_t, queue);

        /* a silent publisher's last fragment does not wait for its return */

        if (r->open
            && (int64_t) (ngx_current_msec - r->last)
               >= ngx_max(r->settings.fragment, 10000))
        {
            ngx_live_record_end_fragment(r, -1);
            lr_timeline_ended(&r->timeline);
        }

        ngx_live_record_queue_flush_grouped(&r->out);
    }

    ngx_live_record_queue_flush_group();
    ngx_live_record_queue_trim(0);
    ngx_live_record_arm();
}


static void
ngx_live_record_arm(void)
{
    if (!ngx_live_record_timer.timer_set
        && !ngx_queue_empty(&ngx_live_record_recorders))
    {
        ngx_add_timer(&ngx_live_record_timer, NGX_LIVE_RECORD_FLUSH);
    }
}


/*
 * The end of the thread pools waits for all tasks, and one that stores to a
 * slow directory may take longer than the master's patience.  What is in
 * memory does not wait for that: first of those that no thread is at.
 */

void
ngx_live_record_recorder_save(void)
{
    ngx_uint_t                   busy;
    ngx_queue_t                 *q;
    ngx_live_record_recorder_t  *r;

    for (busy = 0; busy < 2; busy++) {

        for (q = ngx_queue_head(&ngx_live_record_recorders);
             q != ngx_queue_sentinel(&ngx_live_record_recorders);
             q = ngx_queue_next(q))
        {
            r = ngx_queue_data(q, ngx_live_record_recorder_t, queue);

            if (r->running
                && (busy || !r->out.busy))
            {
                ngx_live_record_drain(r);
            }
        }
    }
}


/* once more for one that was saved, there is nothing left then */

static void
ngx_live_record_drain(ngx_live_record_recorder_t *r)
{
    r->out.held = 1;

    if (!r->stopped) {
        ngx_live_record_recorder_stop(r, "worker exit");
    }

    ngx_live_record_queue_drain(&r->out);
}


/* the thread pool has ended its tasks by now, but nobody was told */

void
ngx_live_record_recorder_exit(void)
{
    ngx_queue_t                 *q;
    ngx_live_record_recorder_t  *r;

    while (!ngx_queue_empty(&ngx_live_record_recorders)) {

        q = ngx_queue_head(&ngx_live_record_recorders);
        r = ngx_queue_data(q, ngx_live_record_recorder_t, queue);

        r->out.held = 1;

        if (!r->running && r->hold != NGX_LIVE_RECORD_HOLD_DROP
            && (r->early || r->claiming))
        {
            ngx_live_record_claim_now(r);
        }

        if (r->running) {
            ngx_live_record_drain(r);
        }

        ngx_live_record_free(r);
    }

    ngx_live_record_queue_exit();
}


void
ngx_live_record_free(ngx_live_record_recorder_t *r)
{
    ngx_live_record_early_t  *e;

    ngx_queue_remove(&r->queue);

    if (r->claim_event.timer_set) {
        ngx_del_timer(&r->claim_event);
    }

    while (r->early) {
        e = r->early;
        r->early = e->next;
        ngx_free(e);
    }

    ngx_live_record_queue_free(&r->out);

    if (ngx_queue_empty(&ngx_live_record_recorders)) {
        lr_quota_rest(&ngx_live_record_quota);
        ngx_live_record_queue_trim(1);
    }

    lr_settings_free(&r->settings);
    lr_buf_free(&r->audio.config);
    lr_buf_free(&r->video.config);
    lr_buf_free(&r->rows);
    ngx_free(r->claim);
    ngx_free(r->task);
    ngx_free(r);
}
