
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The recorder: puts a publisher's messages into blocks of FLV tags, says
 * where fragments begin and end, and has a thread carry all that to the
 * spool, in order.  The event loop never waits for the disk.
 *
 * What is to be done is a queue of steps.  One task at a time takes the
 * whole queue, so that the order is kept and the writer needs no locks.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "lr_flv.h"
#include "lr_recording.h"
#include "lr_timeline.h"
#include "lr_writer.h"
#include "ngx_live_record.h"


#define NGX_LIVE_RECORD_BLOCK        65536
#define NGX_LIVE_RECORD_FREE_BLOCKS  64

/* so much makes a write worth while before its time */
#define NGX_LIVE_RECORD_BATCH        262144

/* what a killed worker may lose */
#define NGX_LIVE_RECORD_FLUSH        750

/* how long a publisher waits for the one before it to let go, ms */
#define NGX_LIVE_RECORD_HANDOVER     1000
#define NGX_LIVE_RECORD_CLAIM_RETRY  100

/* between attempts to write after an error */
#define NGX_LIVE_RECORD_DISK_RETRY   5000

/* rows' offsets are 32 bits wide, and a store takes no larger object */
#define NGX_LIVE_RECORD_FILE_MAX     (1024 * 1024 * 1024)

#define NGX_LIVE_RECORD_IOV          64

/* recorders that one task of a tick writes for */
#define NGX_LIVE_RECORD_GROUP        16


typedef enum {
    NGX_LIVE_RECORD_STEP_DATA = 0,
    NGX_LIVE_RECORD_STEP_OPEN,
    NGX_LIVE_RECORD_STEP_CLOSE,
    NGX_LIVE_RECORD_STEP_LOST,
    NGX_LIVE_RECORD_STEP_ERROR,
    NGX_LIVE_RECORD_STEP_UNPUBLISH
} ngx_live_record_step_e;


typedef struct ngx_live_record_step_s  ngx_live_record_step_t;

struct ngx_live_record_step_s {
    ngx_live_record_step_t      *next;
    ngx_uint_t                   type;

    size_t                       start;       /* data: in block */
    size_t                       len;
    u_char                      *block;

    lr_fragment_t                fragment;    /* open */

    lr_buf_t                     rows;        /* close */
    int64_t                      duration;

    uint64_t                     frames;      /* lost */
    uint64_t                     bytes;
    int64_t                      time;
    const char                  *why;         /* lost, unpublish: constant */
    char                        *text;        /* error: owned */
};


/* a message kept while the recording is being claimed */

typedef struct ngx_live_record_early_s  ngx_live_record_early_t;

struct ngx_live_record_early_s {
    ngx_live_record_early_t     *next;
    ngx_uint_t                   type;
    uint32_t                     timestamp;
    int64_t                      wall;
    size_t                       size;
    u_char                       data[1];
};


typedef enum {
    NGX_LIVE_RECORD_CLAIMING = 0,
    NGX_LIVE_RECORD_RUNNING,
    NGX_LIVE_RECORD_FAILED
} ngx_live_record_state_e;


typedef struct {
    ngx_uint_t                   type;        /* LR_FLV_AUDIO, _VIDEO */
    lr_buf_t                     config;      /* the sequence header */
    uint32_t                     refused;     /* codec id that was told */
    unsigned                     told:1;
} ngx_live_record_track_t;


struct ngx_live_record_recorder_s {
    ngx_queue_t                  queue;
    ngx_live_record_state_e      state;

    lr_settings_t                settings;
    char                         id[LR_ID_MAX + 1];

    ngx_thread_task_t           *task;
    ngx_event_t                  claim_event;
    ngx_msec_t                   claim_until;
    lr_claim_t                  *claim;
    char                         err[512];
    int                          rc;
    ngx_err_t                    errnum;

    ngx_live_record_early_t     *early;
    ngx_live_record_early_t    **early_last;

    lr_timeline_t                timeline;
    ngx_live_record_track_t      audio;
    ngx_live_record_track_t      video;

    lr_fragment_t                fragment;    /* the open one */
    uint32_t                     number;      /* of the last one */
    uint32_t                     cycle;
    uint64_t                     pos;         /* in the open one */
    lr_buf_t                     rows;
    size_t                       nrows;       /* of the one before */

    ngx_live_record_step_t      *steps;
    ngx_live_record_step_t     **steps_last;
    ngx_live_record_step_t      *block;       /* being filled */
    size_t                       room;

    size_t                       queued;      /* bytes in steps */
    size_t                       memory;      /* all bytes held */

    ngx_msec_t                   last;        /* frame, ngx_current_msec */
    ngx_msec_t                   retry;       /* not before */
    uint64_t                     lost_frames;
    uint64_t                     lost_bytes;
    const char                  *lost_why;

    /* the task's own while it runs */

    lr_writer_t                  writer;
    ngx_live_record_step_t      *work;
    ngx_live_record_step_t     **work_end;
    size_t                       work_queued;
    uint64_t                     work_lost;
    ngx_err_t                    work_err;

    unsigned                     open:1;
    unsigned                     busy:1;      /* a task is under way */
    unsigned                     stopped:1;
    unsigned                     unpublished:1;
    unsigned                     suspended:1; /* takes no frames */
    unsigned                     disk_error:1;
    const char                  *why;
};


/* what a tick has a thread write for several recorders in turn */

typedef struct {
    ngx_live_record_recorder_t  *recorders[NGX_LIVE_RECORD_GROUP];
    ngx_uint_t                   n;
    ngx_thread_task_t            task;
} ngx_live_record_group_t;


static ngx_int_t ngx_live_record_claim(ngx_live_record_recorder_t *r);
static void ngx_live_record_claim_again(ngx_event_t *ev);
static void ngx_live_record_claim_thread(void *data, ngx_log_t *log);
static void ngx_live_record_claim_done(ngx_event_t *ev);
static ngx_live_record_recorder_t *ngx_live_record_predecessor(
    ngx_live_record_recorder_t *r);
static void ngx_live_record_started(ngx_live_record_recorder_t *r);
static void ngx_live_record_keep(ngx_live_record_recorder_t *r,
    ngx_uint_t type, uint32_t timestamp, ngx_chain_t *in, size_t size);
static void ngx_live_record_replay(ngx_live_record_recorder_t *r);
static void ngx_live_record_drop_early(ngx_live_record_recorder_t *r);

static void ngx_live_record_message(ngx_live_record_recorder_t *r,
    ngx_uint_t type, uint32_t timestamp, int64_t wall, ngx_chain_t *in,
    size_t size);
static ngx_uint_t ngx_live_record_config(ngx_live_record_recorder_t *r,
    ngx_live_record_track_t *track, ngx_chain_t *in, size_t size);
static void ngx_live_record_check_codec(ngx_live_record_recorder_t *r,
    ngx_live_record_track_t *track, lr_flv_body_t *body);
static ngx_uint_t ngx_live_record_accept(ngx_live_record_recorder_t *r,
    lr_flv_body_t *body, ngx_uint_t video, size_t size);
static void ngx_live_record_suspend(ngx_live_record_recorder_t *r);
static void ngx_live_record_lose(ngx_live_record_recorder_t *r,
    size_t size, const char *why);
static void ngx_live_record_open(ngx_live_record_recorder_t *r,
    lr_timeline_frame_t *f);
static void ngx_live_record_end_fragment(ngx_live_record_recorder_t *r,
    int64_t duration);
static void ngx_live_record_tag(ngx_live_record_recorder_t *r,
    ngx_uint_t type, lr_row_t *row, u_char *head, size_t len,
    ngx_chain_t *in, size_t size);
static ngx_int_t ngx_live_record_append(ngx_live_record_recorder_t *r,
    const u_char *p, size_t n);

static ngx_live_record_step_t *ngx_live_record_step(
    ngx_live_record_recorder_t *r, ngx_uint_t type);
static void ngx_live_record_push(ngx_live_record_recorder_t *r,
    ngx_live_record_step_t *step);
static void ngx_live_record_seal(ngx_live_record_recorder_t *r);
static u_char *ngx_live_record_get_block(void);
static void ngx_live_record_free_step(ngx_live_record_step_t *step);
static void ngx_live_record_flush(ngx_live_record_recorder_t *r);
static ngx_uint_t ngx_live_record_take(ngx_live_record_recorder_t *r);
static void ngx_live_record_give_back(ngx_live_record_recorder_t *r);
static void ngx_live_record_write_thread(void *data, ngx_log_t *log);
static void ngx_live_record_write(ngx_live_record_recorder_t *r);
static void ngx_live_record_write_done(ngx_event_t *ev);
static void ngx_live_record_written(ngx_live_record_recorder_t *r);
static void ngx_live_record_wrote(ngx_live_record_recorder_t *r);
static void ngx_live_record_tick(ngx_event_t *ev);
static ngx_live_record_group_t *ngx_live_record_group_add(
    ngx_live_record_group_t *g, ngx_live_record_recorder_t *r);
static void ngx_live_record_group_post(ngx_live_record_group_t *g);
static void ngx_live_record_group_thread(void *data, ngx_log_t *log);
static void ngx_live_record_group_done(ngx_event_t *ev);
static void ngx_live_record_arm(void);
static void ngx_live_record_free(ngx_live_record_recorder_t *r);
static int64_t ngx_live_record_now(void);
static size_t ngx_live_record_peek(ngx_chain_t *in, u_char *p, size_t n);


static ngx_queue_t   ngx_live_record_recorders;
static size_t        ngx_live_record_bytes;
static ngx_event_t   ngx_live_record_timer;
static ngx_connection_t  ngx_live_record_dummy;
static u_char       *ngx_live_record_blocks[NGX_LIVE_RECORD_FREE_BLOCKS];
static ngx_uint_t    ngx_live_record_nblocks;
static ngx_uint_t    ngx_live_record_serial;


ngx_int_t
ngx_live_record_recorder_init(ngx_cycle_t *cycle)
{
    ngx_queue_init(&ngx_live_record_recorders);

    ngx_live_record_nblocks = 0;
    ngx_live_record_serial = 0;

    ngx_live_record_dummy.fd = (ngx_socket_t) -1;

    ngx_memzero(&ngx_live_record_timer, sizeof(ngx_event_t));
    ngx_live_record_timer.handler = ngx_live_record_tick;
    ngx_live_record_timer.log = cycle->log;
    ngx_live_record_timer.data = &ngx_live_record_dummy;

    return NGX_OK;
}


ngx_live_record_recorder_t *
ngx_live_record_recorder_start(const lr_settings_t *settings)
{
    ngx_live_record_recorder_t  *r;

    r = ngx_calloc(sizeof(ngx_live_record_recorder_t), ngx_cycle->log);
    if (r == NULL) {
        return NULL;
    }

    if (lr_settings_copy(&r->settings, settings) != LR_OK) {
        ngx_free(r);
        return NULL;
    }

    r->task = ngx_calloc(sizeof(ngx_thread_task_t), ngx_cycle->log);
    r->claim = ngx_calloc(sizeof(lr_claim_t), ngx_cycle->log);

    r->audio.type = LR_FLV_AUDIO;
    r->video.type = LR_FLV_VIDEO;
    r->early_last = &r->early;
    r->steps_last = &r->steps;
    r->writer.log = -1;
    r->writer.fd = -1;
    r->last = ngx_current_msec;
    r->claim_until = ngx_current_msec + NGX_LIVE_RECORD_HANDOVER;

    r->claim_event.handler = ngx_live_record_claim_again;
    r->claim_event.data = r;
    r->claim_event.log = ngx_cycle->log;

    ngx_queue_insert_tail(&ngx_live_record_recorders, &r->queue);

    if (r->task == NULL || r->claim == NULL
        || ngx_live_record_claim(r) != NGX_OK)
    {
        ngx_live_record_free(r);
        return NULL;
    }

    ngx_live_record_arm();

    return r;
}


static ngx_int_t
ngx_live_record_claim(ngx_live_record_recorder_t *r)
{
    struct tm           tm;
    ngx_thread_task_t  *task;

    /*
     * The publisher before this one may still be writing its last bytes:
     * here, or in another worker, where its lock is seen.
     */

    if (ngx_live_record_predecessor(r)) {
        ngx_add_timer(&r->claim_event, NGX_LIVE_RECORD_CLAIM_RETRY);
        return NGX_OK;
    }

    ngx_libc_gmtime(ngx_time(), &tm);

    (void) snprintf(r->id, sizeof(r->id),
                    "%04d%02d%02d-%02d%02d%02d-%04x%04x%02x",
                    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
                    tm.tm_min, tm.tm_sec, (unsigned) ngx_pid & 0xffff,
                    (unsigned) ngx_random() & 0xffff,
                    (unsigned) ngx_live_record_serial++ & 0xff);

    task = r->task;
    task->ctx = r;
    task->handler = ngx_live_record_claim_thread;
    task->event.handler = ngx_live_record_claim_done;
    task->event.data = r;

    r->busy = 1;

    if (ngx_thread_task_post(ngx_live_record_conf->thread_pool, task)
        != NGX_OK)
    {
        r->busy = 0;
        return NGX_ERROR;
    }

    return NGX_OK;
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

    if (ngx_live_record_claim(r) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, ev->log, 0,
                      "live record: \"%s/%s\" is not recorded: "
                      "the thread pool takes no more", r->settings.app,
                      r->settings.stream);
        r->state = NGX_LIVE_RECORD_FAILED;
        ngx_live_record_drop_early(r);
    }
}


static void
ngx_live_record_claim_thread(void *data, ngx_log_t *log)
{
    ngx_live_record_recorder_t *r = data;

    r->rc = lr_recording_claim(r->claim,
                               (char *) ngx_live_record_conf->spool.data,
                               &r->settings, r->id, ngx_live_record_now(),
                               ngx_current_msec >= r->claim_until,
                               r->err, sizeof(r->err));
}


static void
ngx_live_record_claim_done(ngx_event_t *ev)
{
    ngx_live_record_recorder_t  *r;

    r = ev->data;
    r->busy = 0;

    if (r->rc == LR_AGAIN) {
        ngx_add_timer(&r->claim_event, NGX_LIVE_RECORD_CLAIM_RETRY);
        return;
    }

    if (r->rc != LR_OK) {
        if (!r->disk_error) {
            r->disk_error = 1;
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "live record: \"%s/%s\" is not recorded for now: "
                          "%s", r->settings.app, r->settings.stream, r->err);
        }

        ngx_live_record_drop_early(r);
        r->suspended = 1;

        if (r->stopped) {
            ngx_live_record_free(r);
            return;
        }

        ngx_add_timer(&r->claim_event, NGX_LIVE_RECORD_DISK_RETRY);
        return;
    }

    ngx_live_record_started(r);
}


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

    lr_writer_init(&r->writer, claim, ngx_live_record_conf->fsync);

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "live record: \"%s/%s\" %s, id %s", r->settings.app,
                  r->settings.stream,
                  claim->resumed ? "resumes" : "starts", r->id);

    ngx_free(r->claim);
    r->claim = NULL;

    r->state = NGX_LIVE_RECORD_RUNNING;
    r->disk_error = 0;
    r->suspended = 0;

    ngx_live_record_replay(r);

    if (r->stopped) {
        r->stopped = 0;
        ngx_live_record_recorder_stop(r, r->why);
    }
}


void
ngx_live_record_recorder_frame(ngx_live_record_recorder_t *r, ngx_uint_t type,
    uint32_t timestamp, ngx_chain_t *in)
{
    size_t        size;
    ngx_chain_t  *cl;

    size = 0;

    for (cl = in; cl; cl = cl->next) {
        size += cl->buf->last - cl->buf->pos;
    }

    if (r->state == NGX_LIVE_RECORD_RUNNING) {
        ngx_live_record_message(r, type, timestamp, ngx_live_record_now(),
                                in, size);

    } else if (r->state == NGX_LIVE_RECORD_CLAIMING) {
        ngx_live_record_keep(r, type, timestamp, in, size);
    }
}


static void
ngx_live_record_keep(ngx_live_record_recorder_t *r, ngx_uint_t type,
    uint32_t timestamp, ngx_chain_t *in, size_t size)
{
    u_char                   *p;
    ngx_chain_t              *cl;
    lr_flv_body_t             body;
    ngx_live_record_early_t  *e;
    u_char                    peek[LR_FLV_PEEK];

    ngx_live_record_peek(in, peek, sizeof(peek));
    lr_flv_parse(type, peek, size, &body);

    /* sequence headers are needed whatever else has to go */

    if (body.kind != LR_FLV_CONFIG
        && (r->suspended
            || r->memory + size > ngx_live_record_conf->buffer))
    {
        ngx_live_record_lose(r, size, r->suspended ? "the spool failed"
                                                   : "the disk is too slow");
        return;
    }

    e = ngx_alloc(sizeof(ngx_live_record_early_t) + size, ngx_cycle->log);
    if (e == NULL) {
        ngx_live_record_lose(r, size, "no memory");
        return;
    }

    e->next = NULL;
    e->type = type;
    e->timestamp = timestamp;
    e->wall = ngx_live_record_now();
    e->size = size;

    p = e->data;

    for (cl = in; cl; cl = cl->next) {
        p = ngx_cpymem(p, cl->buf->pos, cl->buf->last - cl->buf->pos);
    }

    *r->early_last = e;
    r->early_last = &e->next;
    r->memory += size;
}


static void
ngx_live_record_replay(ngx_live_record_recorder_t *r)
{
    ngx_buf_t                 b;
    ngx_chain_t               cl;
    ngx_live_record_early_t  *e;

    ngx_memzero(&b, sizeof(ngx_buf_t));
    cl.buf = &b;
    cl.next = NULL;

    while (r->early) {
        e = r->early;
        r->early = e->next;
        r->memory -= e->size;

        b.pos = e->data;
        b.last = e->data + e->size;

        ngx_live_record_message(r, e->type, e->timestamp, e->wall, &cl,
                                e->size);
        ngx_free(e);
    }

    r->early_last = &r->early;
}


static void
ngx_live_record_drop_early(ngx_live_record_recorder_t *r)
{
    lr_flv_body_t              body;
    ngx_live_record_early_t   *e, **p;

    p = &r->early;

    while (*p) {
        e = *p;

        lr_flv_parse(e->type, e->data, e->size, &body);

        if (body.kind == LR_FLV_CONFIG
            && r->state != NGX_LIVE_RECORD_FAILED && !r->stopped)
        {
            p = &e->next;
            continue;
        }

        *p = e->next;
        r->memory -= e->size;
        ngx_live_record_lose(r, e->size, "the spool failed");
        ngx_free(e);
    }

    r->early_last = p;
}


static void
ngx_live_record_message(ngx_live_record_recorder_t *r, ngx_uint_t type,
    uint32_t timestamp, int64_t wall, ngx_chain_t *in, size_t size)
{
    size_t                    n;
    lr_row_t                  row;
    ngx_uint_t                video;
    lr_flv_body_t             body;
    lr_timeline_frame_t       f;
    ngx_live_record_track_t  *track;
    u_char                    peek[LR_FLV_PEEK];

    if (size > 0xffffff) {
        return;
    }

    n = ngx_live_record_peek(in, peek, sizeof(peek));

    lr_flv_parse(type, peek, size, &body);

    if (body.kind == LR_FLV_IGNORE || body.kind == LR_FLV_END) {
        return;
    }

    video = type == LR_FLV_VIDEO;
    track = video ? &r->video : &r->audio;
    r->last = ngx_current_msec;

    ngx_live_record_check_codec(r, track, &body);

    if (body.kind == LR_FLV_CONFIG) {

        if (!ngx_live_record_config(r, track, in, size)) {
            return;
        }

        /* it takes effect at its place, and a new fragment begins soon */

        if (r->open) {
            row.dts = (int32_t) ((video ? r->timeline.video.last
                                        : r->timeline.audio.last)
                                 - r->fragment.base);
            row.dts = ngx_max(row.dts, 0);
            row.cts = 0;
            row.flags = LR_SAMPLE_CONFIG | (video ? LR_SAMPLE_VIDEO : 0);

            ngx_live_record_tag(r, type, &row, peek, n, in, size);
        }

        return;
    }

    if (!ngx_live_record_accept(r, &body, video, size)) {
        return;
    }

    r->timeline.force = r->pos + size > NGX_LIVE_RECORD_FILE_MAX;

    lr_timeline_frame(&r->timeline, video, body.key, timestamp, body.cts,
                      wall, &f);

    if (f.jump) {
        ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                      "live record: \"%s/%s\" %s timestamps jump to %uD",
                      r->settings.app, r->settings.stream,
                      video ? "video" : "audio", timestamp);
    }

    if (f.open) {
        if (r->open) {
            ngx_live_record_end_fragment(r, f.dts - r->fragment.media);
        }

        if (f.cut == LR_CUT_CYCLE) {
            r->cycle++;
        }

        ngx_live_record_open(r, &f);
    }

    row.dts = (int32_t) (f.dts - r->fragment.base);
    row.cts = f.cts;
    row.flags = (video ? LR_SAMPLE_VIDEO : 0)
                | (body.key ? LR_SAMPLE_KEY : 0);

    /* the file says the same as the table */

    if (f.cts != body.cts && n >= body.header
        && (body.header == 8 || (body.header == 5 && !(peek[0] & 0x80))))
    {
        lr_put_be24(peek + body.header - 3, (uint32_t) f.cts);
    }

    ngx_live_record_tag(r, type, &row, peek, n, in, size);
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
        lr_timeline_changed(&r->timeline);
    }

    return 1;
}


/* a codec that a format of the template cannot hold is told once */

static void
ngx_live_record_check_codec(ngx_live_record_recorder_t *r,
    ngx_live_record_track_t *track, lr_flv_body_t *body)
{
    char                     buf[32];
    const char              *name;
    ngx_live_record_step_t  *step;

    if (body->codec != LR_CODEC_OTHER
        || (track->told && track->refused == body->id))
    {
        return;
    }

    track->told = 1;
    track->refused = body->id;

    name = lr_codec_name(body, track->type, buf);

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "live record: \"%s/%s\" has %s %s, which m3u8 cannot hold: "
                  "the rest is recorded", r->settings.app,
                  r->settings.stream, name,
                  track->type == LR_FLV_VIDEO ? "video" : "audio");

    step = ngx_live_record_step(r, NGX_LIVE_RECORD_STEP_ERROR);
    if (step == NULL) {
        return;
    }

    step->time = ngx_live_record_now();
    step->text = malloc(128);

    if (step->text) {
        (void) snprintf(step->text, 128, "codec %s cannot be held by m3u8",
                        name);
    }

    ngx_live_record_push(r, step);
}


/*
 * Whether a frame is taken.  When the disk fails or does not follow, frames
 * are left out, from now to a key frame after things are well again: the
 * publisher and its viewers never notice.
 */

static ngx_uint_t
ngx_live_record_accept(ngx_live_record_recorder_t *r, lr_flv_body_t *body,
    ngx_uint_t video, size_t size)
{
    ngx_live_record_step_t  *step;

    if (!r->suspended) {

        if (r->memory + size <= ngx_live_record_conf->buffer) {
            return 1;
        }

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "live record: \"%s/%s\" loses frames: the disk of "
                      "\"%V\" does not follow, %uz bytes wait for it",
                      r->settings.app, r->settings.stream,
                      &ngx_live_record_conf->spool, r->memory);

        ngx_live_record_suspend(r);
        ngx_live_record_lose(r, size, "the disk is too slow");

        return 0;
    }

    if (r->memory > ngx_live_record_conf->buffer / 4
        || (ngx_msec_int_t) (ngx_current_msec - r->retry) < 0
        || (video ? !body->key : r->video.config.len != 0))
    {
        ngx_live_record_lose(r, size, "the disk is too slow");
        return 0;
    }

    r->suspended = 0;

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "live record: \"%s/%s\" goes on, %uL frames of %uL bytes "
                  "were lost", r->settings.app, r->settings.stream,
                  r->lost_frames, r->lost_bytes);

    step = ngx_live_record_step(r, NGX_LIVE_RECORD_STEP_LOST);

    if (step) {
        step->time = ngx_live_record_now();
        step->frames = r->lost_frames;
        step->bytes = r->lost_bytes;
        step->why = r->lost_why;
        ngx_live_record_push(r, step);
    }

    r->lost_frames = 0;
    r->lost_bytes = 0;

    return 1;
}


static void
ngx_live_record_suspend(ngx_live_record_recorder_t *r)
{
    if (r->open) {
        ngx_live_record_end_fragment(r, -1);
    }

    r->suspended = 1;
    lr_timeline_lost(&r->timeline);
}


static void
ngx_live_record_lose(ngx_live_record_recorder_t *r, size_t size,
    const char *why)
{
    if (r->lost_frames == 0) {
        r->lost_why = r->disk_error ? "the spool failed" : why;
    }

    r->lost_frames++;
    r->lost_bytes += size;
}


static void
ngx_live_record_open(ngx_live_record_recorder_t *r, lr_timeline_frame_t *f)
{
    lr_row_t                  row;
    ngx_buf_t                 b;
    ngx_uint_t                i;
    ngx_chain_t               cl;
    ngx_live_record_step_t   *step;
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

    step = ngx_live_record_step(r, NGX_LIVE_RECORD_STEP_OPEN);

    if (step == NULL) {
        return;
    }

    step->fragment = r->fragment;
    ngx_live_record_push(r, step);

    (void) lr_buf_reserve(&r->rows, r->nrows * sizeof(lr_row_t));

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

        row.dts = (int32_t) (f->dts - r->fragment.base);
        row.cts = 0;
        row.flags = LR_SAMPLE_CONFIG | (i ? 0 : LR_SAMPLE_VIDEO);

        ngx_live_record_tag(r, track->type, &row, NULL, 0, &cl,
                            track->config.len);
    }
}


static void
ngx_live_record_end_fragment(ngx_live_record_recorder_t *r, int64_t duration)
{
    ngx_live_record_step_t  *step;

    r->open = 0;
    r->nrows = r->rows.len / sizeof(lr_row_t);

    step = ngx_live_record_step(r, NGX_LIVE_RECORD_STEP_CLOSE);

    if (step == NULL) {
        r->rows.len = 0;
        return;
    }

    step->duration = duration;
    step->rows = r->rows;
    ngx_memzero(&r->rows, sizeof(lr_buf_t));

    ngx_live_record_push(r, step);
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

    lr_flv_tag_header(b, type, size, row->dts);
    ngx_memcpy(b + LR_FLV_TAG_HEADER, head, len);
    rc = ngx_live_record_append(r, b, LR_FLV_TAG_HEADER + len);

    skip = len;

    for ( /* void */ ; in && rc == NGX_OK; in = in->next) {
        n = in->buf->last - in->buf->pos;

        if (skip >= n) {
            skip -= n;
            continue;
        }

        rc = ngx_live_record_append(r, in->buf->pos + skip, n - skip);
        skip = 0;
    }

    if (rc == NGX_OK) {
        lr_put_be32(b, (uint32_t) (size + LR_FLV_TAG_HEADER));
        rc = ngx_live_record_append(r, b, LR_FLV_TAG_TRAILER);
    }

    if (rc != NGX_OK) {

        /* the close leaves out the row whose bytes are not there */

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "live record: \"%s/%s\" loses frames: no memory",
                      r->settings.app, r->settings.stream);

        ngx_live_record_suspend(r);
        r->retry = ngx_current_msec + NGX_LIVE_RECORD_DISK_RETRY;
        return;
    }

    r->pos += LR_FLV_TAG_HEADER + size + LR_FLV_TAG_TRAILER;

    if (r->queued >= NGX_LIVE_RECORD_BATCH && !r->busy) {
        ngx_live_record_flush(r);
    }
}


static ngx_int_t
ngx_live_record_append(ngx_live_record_recorder_t *r, const u_char *p,
    size_t n)
{
    size_t                   len;
    ngx_live_record_step_t  *step;

    while (n) {

        if (r->block == NULL) {
            step = ngx_live_record_step(r, NGX_LIVE_RECORD_STEP_DATA);

            if (step == NULL) {
                return NGX_ERROR;
            }

            step->block = ngx_live_record_get_block();

            if (step->block == NULL) {
                ngx_free(step);
                return NGX_ERROR;
            }

            r->block = step;
            r->memory += NGX_LIVE_RECORD_BLOCK;
            ngx_live_record_bytes += NGX_LIVE_RECORD_BLOCK;
        }

        step = r->block;
        len = ngx_min(n, NGX_LIVE_RECORD_BLOCK - step->len);

        ngx_memcpy(step->block + step->len, p, len);

        step->len += len;
        r->queued += len;
        p += len;
        n -= len;

        if (step->len == NGX_LIVE_RECORD_BLOCK) {
            ngx_live_record_seal(r);
        }
    }

    return NGX_OK;
}


static ngx_live_record_step_t *
ngx_live_record_step(ngx_live_record_recorder_t *r, ngx_uint_t type)
{
    ngx_live_record_step_t  *step;

    step = ngx_calloc(sizeof(ngx_live_record_step_t), ngx_cycle->log);

    if (step) {
        step->type = type;
    }

    return step;
}


/* puts a step behind what was appended so far */

static void
ngx_live_record_push(ngx_live_record_recorder_t *r,
    ngx_live_record_step_t *step)
{
    ngx_live_record_seal(r);

    *r->steps_last = step;
    r->steps_last = &step->next;
}


static void
ngx_live_record_seal(ngx_live_record_recorder_t *r)
{
    if (r->block) {
        *r->steps_last = r->block;
        r->steps_last = &r->block->next;
        r->block = NULL;
    }
}


static u_char *
ngx_live_record_get_block(void)
{
    if (ngx_live_record_nblocks) {
        return ngx_live_record_blocks[--ngx_live_record_nblocks];
    }

    return ngx_alloc(NGX_LIVE_RECORD_BLOCK, ngx_cycle->log);
}


static void
ngx_live_record_free_step(ngx_live_record_step_t *step)
{
    if (step->block) {
        ngx_live_record_bytes -= NGX_LIVE_RECORD_BLOCK;

        if (ngx_live_record_nblocks < NGX_LIVE_RECORD_FREE_BLOCKS) {
            ngx_live_record_blocks[ngx_live_record_nblocks++] = step->block;

        } else {
            ngx_free(step->block);
        }
    }

    lr_buf_free(&step->rows);
    free(step->text);
    ngx_free(step);
}


static void
ngx_live_record_flush(ngx_live_record_recorder_t *r)
{
    ngx_thread_task_t  *task;

    if (!ngx_live_record_take(r)) {
        return;
    }

    task = r->task;
    task->ctx = r;
    task->handler = ngx_live_record_write_thread;
    task->event.handler = ngx_live_record_write_done;
    task->event.data = r;

    if (ngx_thread_task_post(ngx_live_record_conf->thread_pool, task)
        != NGX_OK)
    {
        ngx_live_record_give_back(r);
    }
}


/* moves the queue to where the thread takes it from; 0 if there is nothing
   to be written, or a thread is at it */

static ngx_uint_t
ngx_live_record_take(ngx_live_record_recorder_t *r)
{
    ngx_live_record_seal(r);

    if (r->busy || r->steps == NULL
        || r->state != NGX_LIVE_RECORD_RUNNING)
    {
        return 0;
    }

    r->busy = 1;
    r->work = r->steps;
    r->work_end = r->steps_last;
    r->work_queued = r->queued;
    r->work_lost = 0;
    r->work_err = 0;

    r->steps = NULL;
    r->steps_last = &r->steps;
    r->queued = 0;

    return 1;
}


/* the thread pool's queue is full: the next tick tries again */

static void
ngx_live_record_give_back(ngx_live_record_recorder_t *r)
{
    r->steps = r->work;
    r->steps_last = r->work_end;
    r->queued = r->work_queued;
    r->work = NULL;
    r->busy = 0;
}


static void
ngx_live_record_write_thread(void *data, ngx_log_t *log)
{
    ngx_live_record_write(data);
}


/* takes the steps in r->work; in a thread, or while the worker exits */

static void
ngx_live_record_write(ngx_live_record_recorder_t *r)
{
    int                      n, rc;
    uint32_t                 lost;
    lr_writer_t             *w;
    ngx_live_record_step_t  *step;
    struct iovec             iov[NGX_LIVE_RECORD_IOV];

    w = &r->writer;

    for (step = r->work; step; step = step->next) {

        rc = LR_OK;

        switch (step->type) {

        case NGX_LIVE_RECORD_STEP_DATA:

            n = 0;

            for ( ;; ) {
                iov[n].iov_base = step->block + step->start;
                iov[n].iov_len = step->len;
                n++;

                if (n == NGX_LIVE_RECORD_IOV
                    || step->next == NULL
                    || step->next->type != NGX_LIVE_RECORD_STEP_DATA)
                {
                    break;
                }

                step = step->next;
            }

            if (w->fd == -1 || w->broken) {
                continue;
            }

            rc = lr_writer_append(w, iov, n);
            break;

        case NGX_LIVE_RECORD_STEP_OPEN:
            rc = lr_writer_open(w, &step->fragment);
            break;

        case NGX_LIVE_RECORD_STEP_CLOSE:
            rc = lr_writer_close(w, (lr_row_t *) step->rows.data,
                                 (uint32_t) (step->rows.len
                                             / sizeof(lr_row_t)),
                                 step->duration, &lost);
            r->work_lost += lost;
            break;

        case NGX_LIVE_RECORD_STEP_LOST:
            rc = lr_recording_lost(w->log, step->time, step->frames,
                                   step->bytes, step->why);
            break;

        case NGX_LIVE_RECORD_STEP_ERROR:
            rc = lr_recording_error(w->log, step->time,
                                    step->text ? step->text : "no memory");
            break;

        case NGX_LIVE_RECORD_STEP_UNPUBLISH:
            rc = lr_writer_unpublish(w, step->time, step->why);
            break;
        }

        if (rc != LR_OK && r->work_err == 0) {
            r->work_err = ngx_errno ? ngx_errno : NGX_EINVAL;
        }
    }
}


static void
ngx_live_record_write_done(ngx_event_t *ev)
{
    ngx_live_record_wrote(ev->data);
}


static void
ngx_live_record_wrote(ngx_live_record_recorder_t *r)
{
    r->busy = 0;

    ngx_live_record_written(r);

    if (r->stopped && r->steps == NULL && r->unpublished) {
        ngx_live_record_free(r);
        return;
    }

    if (r->queued >= NGX_LIVE_RECORD_BATCH || (r->stopped && r->steps)) {
        ngx_live_record_flush(r);
    }
}


static void
ngx_live_record_written(ngx_live_record_recorder_t *r)
{
    ngx_live_record_step_t  *step;

    while (r->work) {
        step = r->work;
        r->work = step->next;

        if (step->block) {
            r->memory -= NGX_LIVE_RECORD_BLOCK;
        }

        if (step->type == NGX_LIVE_RECORD_STEP_UNPUBLISH) {
            r->unpublished = 1;
        }

        ngx_live_record_free_step(step);
    }

    if (r->work_lost) {
        if (r->lost_frames == 0) {
            r->lost_why = "the spool failed";
        }

        r->lost_frames += r->work_lost;
    }

    if (r->work_err == 0) {
        r->disk_error = 0;
        return;
    }

    if (!r->disk_error) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, r->work_err,
                      "live record: \"%s/%s\" loses frames: writing to "
                      "\"%s\" failed", r->settings.app, r->settings.stream,
                      r->writer.dir);
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
    ngx_live_record_step_t  *step;

    if (r->stopped) {
        return;
    }

    r->stopped = 1;
    r->why = why;

    if (r->state != NGX_LIVE_RECORD_RUNNING) {

        /* what came before a claim is written once it is made */

        if (!r->busy && (r->suspended || r->early == NULL
                         || r->state == NGX_LIVE_RECORD_FAILED))
        {
            ngx_live_record_free(r);
        }

        return;
    }

    if (r->open) {
        ngx_live_record_end_fragment(r, -1);
    }

    if (r->lost_frames) {
        step = ngx_live_record_step(r, NGX_LIVE_RECORD_STEP_LOST);

        if (step) {
            step->time = ngx_live_record_now();
            step->frames = r->lost_frames;
            step->bytes = r->lost_bytes;
            step->why = r->lost_why;
            ngx_live_record_push(r, step);
        }
    }

    step = ngx_live_record_step(r, NGX_LIVE_RECORD_STEP_UNPUBLISH);

    if (step == NULL) {
        r->unpublished = 1;

    } else {
        step->time = ngx_live_record_now();
        step->why = why;
        ngx_live_record_push(r, step);
    }

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "live record: \"%s/%s\" pauses: %s, id %s",
                  r->settings.app, r->settings.stream, why, r->id);

    ngx_live_record_flush(r);
}


/*
 * One timer for all: it writes what waits, and keeps an exiting worker
 * alive for as long as it has a publisher to record.
 */

static void
ngx_live_record_tick(ngx_event_t *ev)
{
    ngx_queue_t                 *q;
    ngx_live_record_group_t     *g;
    ngx_live_record_recorder_t  *r;

    g = NULL;

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

        g = ngx_live_record_group_add(g, r);
    }

    ngx_live_record_group_post(g);
    ngx_live_record_arm();
}


/* many small writes share a task, and so the costs of waking a thread */

static ngx_live_record_group_t *
ngx_live_record_group_add(ngx_live_record_group_t *g,
    ngx_live_record_recorder_t *r)
{
    if (g == NULL) {
        g = ngx_calloc(sizeof(ngx_live_record_group_t), ngx_cycle->log);

        if (g == NULL) {
            ngx_live_record_flush(r);
            return NULL;
        }
    }

    if (ngx_live_record_take(r)) {
        g->recorders[g->n++] = r;

        if (g->n == NGX_LIVE_RECORD_GROUP) {
            ngx_live_record_group_post(g);
            return NULL;
        }
    }

    return g;
}


static void
ngx_live_record_group_post(ngx_live_record_group_t *g)
{
    ngx_uint_t  i;

    if (g == NULL) {
        return;
    }

    g->task.ctx = g;
    g->task.handler = ngx_live_record_group_thread;
    g->task.event.handler = ngx_live_record_group_done;
    g->task.event.data = g;

    if (g->n == 0) {
        ngx_free(g);
        return;
    }

    if (ngx_thread_task_post(ngx_live_record_conf->thread_pool, &g->task)
        != NGX_OK)
    {
        for (i = 0; i < g->n; i++) {
            ngx_live_record_give_back(g->recorders[i]);
        }

        ngx_free(g);
    }
}


static void
ngx_live_record_group_thread(void *data, ngx_log_t *log)
{
    ngx_live_record_group_t *g = data;

    ngx_uint_t  i;

    for (i = 0; i < g->n; i++) {
        ngx_live_record_write(g->recorders[i]);
    }
}


static void
ngx_live_record_group_done(ngx_event_t *ev)
{
    ngx_uint_t                i;
    ngx_live_record_group_t  *g;

    g = ev->data;

    for (i = 0; i < g->n; i++) {
        ngx_live_record_wrote(g->recorders[i]);
    }

    ngx_free(g);
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


/* the thread pool has ended its tasks by now, but nobody was told */

void
ngx_live_record_recorder_exit(ngx_cycle_t *cycle)
{
    ngx_queue_t                 *q;
    ngx_live_record_recorder_t  *r;

    while (!ngx_queue_empty(&ngx_live_record_recorders)) {

        q = ngx_queue_head(&ngx_live_record_recorders);
        r = ngx_queue_data(q, ngx_live_record_recorder_t, queue);

        if (r->state == NGX_LIVE_RECORD_RUNNING) {

            if (r->busy) {
                r->busy = 0;
                ngx_live_record_written(r);
            }

        } else if (r->state == NGX_LIVE_RECORD_CLAIMING
                   && (r->early || r->busy))
        {
            if (!r->busy || r->rc != LR_OK || r->claim->fd == -1) {
                r->rc = lr_recording_claim(r->claim,
                            (char *) ngx_live_record_conf->spool.data,
                            &r->settings, r->id, ngx_live_record_now(), 1,
                            r->err, sizeof(r->err));
            }

            r->busy = 1;          /* no more tasks are posted */

            if (r->rc == LR_OK) {
                ngx_live_record_started(r);
            }
        }

        if (r->state == NGX_LIVE_RECORD_RUNNING) {

            r->busy = 1;

            if (!r->stopped) {
                ngx_live_record_recorder_stop(r, "worker exit");
            }

            ngx_live_record_seal(r);

            r->work = r->steps;
            r->work_err = 0;
            r->work_lost = 0;
            r->steps = NULL;
            r->steps_last = &r->steps;

            ngx_live_record_write(r);
            ngx_live_record_written(r);
        }

        ngx_live_record_free(r);
    }
}


static void
ngx_live_record_free(ngx_live_record_recorder_t *r)
{
    ngx_live_record_step_t   *step;
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

    ngx_live_record_seal(r);

    while (r->steps) {
        step = r->steps;
        r->steps = step->next;
        ngx_live_record_free_step(step);
    }

    if (r->writer.fd != -1) {
        close(r->writer.fd);
    }

    if (r->writer.log != -1) {
        close(r->writer.log);
    }

    lr_settings_free(&r->settings);
    lr_buf_free(&r->audio.config);
    lr_buf_free(&r->video.config);
    lr_buf_free(&r->rows);
    ngx_free(r->claim);
    ngx_free(r->task);
    ngx_free(r);
}


size_t
ngx_live_record_recorder_backlog(void)
{
    return ngx_live_record_bytes;
}


static int64_t
ngx_live_record_now(void)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return (int64_t) tp->sec * 1000 + tp->msec;
}


static size_t
ngx_live_record_peek(ngx_chain_t *in, u_char *p, size_t n)
{
    size_t  len, have;

    for (have = 0; in && have < n; in = in->next) {
        len = ngx_min((size_t) (in->buf->last - in->buf->pos), n - have);
        ngx_memcpy(p + have, in->buf->pos, len);
        have += len;
    }

    return have;
}
