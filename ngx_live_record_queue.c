
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "lr_flv.h"
#include "ngx_live_record_counters.h"
#include "ngx_live_record_queue.h"
#include "ngx_live_record_thread.h"


/*
 * Blocks end at multiples of their size in a file, as far as time allows: a
 * block that is younger than this, in ms, is not written before it is full,
 * as the page cache takes whole pages, and several at a time, for much less.
 */
#define NGX_LIVE_RECORD_BLOCK        16384
#define NGX_LIVE_RECORD_HOLD         250

/* of the blocks that were not needed for a tick, one in so many is freed */
#define NGX_LIVE_RECORD_TRIM         8

/*
 * So much is written by a task before its memory is free again: a queue that
 * is far behind is not to count as full what is on the disk already.
 */
#define NGX_LIVE_RECORD_TASK         (4 * 1024 * 1024)

#define NGX_LIVE_RECORD_IOV          64

/* queues that one task of a group writes for */
#define NGX_LIVE_RECORD_GROUP        32

/* between looks whether a thread has written, while the worker exits, us */
#define NGX_LIVE_RECORD_NAP          1000


typedef enum {
    NGX_LIVE_RECORD_STEP_DATA = 0,
    NGX_LIVE_RECORD_STEP_OPEN,
    NGX_LIVE_RECORD_STEP_CLOSE,
    NGX_LIVE_RECORD_STEP_LOST,
    NGX_LIVE_RECORD_STEP_ERROR,
    NGX_LIVE_RECORD_STEP_GRACE,
    NGX_LIVE_RECORD_STEP_UNPUBLISH
} ngx_live_record_step_e;


struct ngx_live_record_step_s {
    ngx_live_record_step_t     *next;
    ngx_live_record_step_e      type;

    u_char                     *block;        /* data */
    size_t                      len;

    lr_fragment_t               fragment;     /* open */

    lr_buf_t                    rows;         /* close */
    int64_t                     duration;

    uint64_t                    frames;       /* lost */
    uint64_t                    bytes;
    const char                 *why;          /* lost, unpublish: constant */
    char                       *text;         /* error: owned */
    int64_t                     grace;        /* grace */
    int64_t                     time;
};


typedef struct {
    ngx_live_record_queue_t    *queues[NGX_LIVE_RECORD_GROUP];
    ngx_uint_t                  n;
    ngx_thread_task_t           task;
} ngx_live_record_group_t;


static ngx_live_record_step_t *ngx_live_record_queue_step(
    ngx_live_record_queue_t *q, ngx_live_record_step_e type);
static void ngx_live_record_queue_push(ngx_live_record_queue_t *q,
    ngx_live_record_step_t *step);
static void ngx_live_record_queue_seal(ngx_live_record_queue_t *q);
static ngx_uint_t ngx_live_record_queue_take(ngx_live_record_queue_t *q);
static void ngx_live_record_queue_reset(ngx_live_record_queue_t *q);
static void ngx_live_record_queue_give_back(ngx_live_record_queue_t *q);
static void ngx_live_record_queue_thread(void *data, ngx_log_t *log);
static void ngx_live_record_queue_work(ngx_live_record_queue_t *q);
static void ngx_live_record_queue_write(ngx_live_record_queue_t *q);
static uint64_t ngx_live_record_queue_samples(lr_buf_t *rows, uint32_t n);
static ngx_live_record_step_t *ngx_live_record_queue_data(
    ngx_live_record_queue_t *q, ngx_live_record_step_t *step, int *rc);
static void ngx_live_record_queue_done(ngx_event_t *ev);
static void ngx_live_record_queue_written(ngx_live_record_queue_t *q);
static void ngx_live_record_group_thread(void *data, ngx_log_t *log);
static void ngx_live_record_group_done(ngx_event_t *ev);
static ngx_live_record_step_t *ngx_live_record_get_data(
    ngx_live_record_queue_t *q);
static void ngx_live_record_free_step(ngx_live_record_step_t *step);


/* steps with a block, for later, and the least number of them since the tick */
static ngx_live_record_step_t   *ngx_live_record_spare;
static ngx_uint_t                ngx_live_record_nspare;
static ngx_uint_t                ngx_live_record_unused;
static size_t                    ngx_live_record_bytes;
static ngx_live_record_group_t  *ngx_live_record_group;


ngx_int_t
ngx_live_record_queue_init(ngx_live_record_queue_t *q,
    void (*handler)(ngx_live_record_queue_t *q), void *data)
{
    ngx_memzero(q, sizeof(ngx_live_record_queue_t));

    q->handler = handler;
    q->data = data;
    q->last = &q->steps;
    q->writer.log = -1;
    q->writer.fd = -1;

    q->task = ngx_calloc(sizeof(ngx_thread_task_t), ngx_cycle->log);

    return q->task ? NGX_OK : NGX_ERROR;
}


void
ngx_live_record_queue_run(ngx_live_record_queue_t *q,
    const lr_claim_t *claim)
{
    lr_writer_init(&q->writer, claim, ngx_live_record_conf->fsync);

    q->running = 1;
}


ngx_int_t
ngx_live_record_queue_append(ngx_live_record_queue_t *q, const u_char *p,
    size_t n)
{
    size_t                   len;
    ngx_live_record_step_t  *step;

    while (n) {

        if (q->block == NULL) {
            step = ngx_live_record_get_data(q);

            if (step == NULL) {
                return NGX_ERROR;
            }

            q->block = step;
            q->pos = step->block;
            q->left = NGX_LIVE_RECORD_BLOCK
                      - (size_t) (q->offset % NGX_LIVE_RECORD_BLOCK);
            q->since = ngx_current_msec;
            q->memory += NGX_LIVE_RECORD_BLOCK;
        }

        len = ngx_min(n, q->left);

        q->pos = ngx_cpymem(q->pos, p, len);
        q->left -= len;
        q->offset += len;
        q->queued += len;
        p += len;
        n -= len;

        lr_quota_take(&ngx_live_record_quota, len);

        if (q->left == 0) {
            ngx_live_record_queue_seal(q);
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_live_record_queue_open(ngx_live_record_queue_t *q,
    const lr_fragment_t *f)
{
    ngx_live_record_step_t  *step;

    /* the close, which always comes, gives it back */

    lr_quota_take(&ngx_live_record_quota, NGX_LIVE_RECORD_FRAGMENT);

    step = ngx_live_record_queue_step(q, NGX_LIVE_RECORD_STEP_OPEN);

    if (step == NULL) {
        return NGX_ERROR;
    }

    step->fragment = *f;
    ngx_live_record_queue_push(q, step);

    q->offset = LR_FLV_FILE_HEADER;

    return NGX_OK;
}


void
ngx_live_record_queue_close(ngx_live_record_queue_t *q, lr_buf_t *rows,
    int64_t duration)
{
    ngx_live_record_step_t  *step;

    step = ngx_live_record_queue_step(q, NGX_LIVE_RECORD_STEP_CLOSE);

    if (step == NULL) {

        /* the next open closes what is open by its file alone */

        lr_quota_done(&ngx_live_record_quota,
                      rows->len + NGX_LIVE_RECORD_FRAGMENT);
        rows->len = 0;
        return;
    }

    step->duration = duration;
    step->rows = *rows;
    ngx_memzero(rows, sizeof(lr_buf_t));

    ngx_live_record_queue_push(q, step);
}


void
ngx_live_record_queue_lost(ngx_live_record_queue_t *q, uint64_t frames,
    uint64_t bytes, const char *why)
{
    ngx_live_record_step_t  *step;

    step = ngx_live_record_queue_step(q, NGX_LIVE_RECORD_STEP_LOST);

    if (step) {
        step->frames = frames;
        step->bytes = bytes;
        step->why = why;
        ngx_live_record_queue_push(q, step);
    }
}


void
ngx_live_record_queue_error(ngx_live_record_queue_t *q, const char *text)
{
    ngx_live_record_step_t  *step;

    step = ngx_live_record_queue_step(q, NGX_LIVE_RECORD_STEP_ERROR);

    if (step) {
        step->text = strdup(text);
        ngx_live_record_queue_push(q, step);
    }
}


void
ngx_live_record_queue_grace(ngx_live_record_queue_t *q, int64_t grace)
{
    ngx_live_record_step_t  *step;

    step = ngx_live_record_queue_step(q, NGX_LIVE_RECORD_STEP_GRACE);

    if (step) {
        step->grace = grace;
        ngx_live_record_queue_push(q, step);
    }
}


void
ngx_live_record_queue_unpublish(ngx_live_record_queue_t *q, const char *why)
{
    ngx_live_record_step_t  *step;

    step = ngx_live_record_queue_step(q, NGX_LIVE_RECORD_STEP_UNPUBLISH);

    if (step == NULL) {

        /* as after a crash: whoever takes the lock next finds it so */

        q->ended = 1;
        return;
    }

    step->why = why;
    ngx_live_record_queue_push(q, step);
}


static ngx_live_record_step_t *
ngx_live_record_queue_step(ngx_live_record_queue_t *q,
    ngx_live_record_step_e type)
{
    ngx_live_record_step_t  *step;

    step = ngx_calloc(sizeof(ngx_live_record_step_t), ngx_cycle->log);

    if (step) {
        step->type = type;
        step->time = ngx_live_record_now();
    }

    return step;
}


/* puts a step behind what was appended so far */

static void
ngx_live_record_queue_push(ngx_live_record_queue_t *q,
    ngx_live_record_step_t *step)
{
    ngx_live_record_queue_seal(q);

    *q->last = step;
    q->last = &step->next;
}


static void
ngx_live_record_queue_seal(ngx_live_record_queue_t *q)
{
    if (q->block) {
        q->block->len = q->pos - q->block->block;
        *q->last = q->block;
        q->last = &q->block->next;
        q->block = NULL;
    }
}


void
ngx_live_record_queue_flush(ngx_live_record_queue_t *q)
{
    if (!ngx_live_record_queue_take(q)) {
        return;
    }

    if (ngx_live_record_thread_post(q->task, ngx_live_record_queue_thread,
                                    ngx_live_record_queue_done, q)
        != NGX_OK)
    {
        ngx_live_record_queue_give_back(q);
    }
}


void
ngx_live_record_queue_flush_all(ngx_live_record_queue_t *q)
{
    ngx_live_record_queue_seal(q);
    ngx_live_record_queue_flush(q);
}


/*
 * Moves what waits to where the thread takes it from, before the task is
 * posted: from then on all of that is the thread's.
 */

static ngx_uint_t
ngx_live_record_queue_take(ngx_live_record_queue_t *q)
{
    size_t                   bytes;
    ngx_live_record_step_t  *step, **last;

    if (!q->running || q->busy || q->held) {
        return 0;
    }

    if (q->block
        && ngx_current_msec - q->since >= NGX_LIVE_RECORD_HOLD)
    {
        ngx_live_record_queue_seal(q);
    }

    if (q->steps == NULL) {
        return 0;
    }

    bytes = 0;
    last = &q->steps;

    for (step = q->steps; step && bytes < NGX_LIVE_RECORD_TASK;
         step = step->next)
    {
        bytes += step->len;
        last = &step->next;
    }

    q->busy = 1;
    q->written = 0;
    q->work = q->steps;
    q->work_last = last;
    q->work_queued = bytes;

    ngx_live_record_queue_reset(q);

    q->steps = *last;
    *last = NULL;
    q->queued -= bytes;
    q->more = q->steps != NULL;

    if (q->steps == NULL) {
        q->last = &q->steps;
    }

    return 1;
}


/* nothing is known yet of what a task will do */

static void
ngx_live_record_queue_reset(ngx_live_record_queue_t *q)
{
    q->lost = 0;
    q->lost_bytes = 0;
    q->unwritten = 0;
    q->frames = 0;
    q->fragments = 0;
    q->err = 0;
}


/* the thread pool's queue is full: the next tick tries again */

static void
ngx_live_record_queue_give_back(ngx_live_record_queue_t *q)
{
    *q->work_last = q->steps;

    if (q->steps == NULL) {
        q->last = q->work_last;
    }

    q->steps = q->work;
    q->queued += q->work_queued;
    q->work = NULL;
    q->busy = 0;
}


static void
ngx_live_record_queue_thread(void *data, ngx_log_t *log)
{
    ngx_live_record_queue_work(data);
}


/* a worker that exits does not hear of the end of a task, and looks for it */

static void
ngx_live_record_queue_work(ngx_live_record_queue_t *q)
{
    ngx_live_record_queue_write(q);

    __atomic_store_n(&q->written, 1, __ATOMIC_RELEASE);
}


/* takes the steps in q->work; in a thread, or while the worker exits */

static void
ngx_live_record_queue_write(ngx_live_record_queue_t *q)
{
    int                      rc;
    uint32_t                 n, lost;
    lr_writer_t             *w;
    ngx_live_record_step_t  *step;

    w = &q->writer;

    for (step = q->work; step; step = step->next) {

        rc = LR_OK;

        switch (step->type) {

        case NGX_LIVE_RECORD_STEP_DATA:
            step = ngx_live_record_queue_data(q, step, &rc);
            break;

        case NGX_LIVE_RECORD_STEP_OPEN:
            rc = lr_writer_open(w, &step->fragment);
            break;

        case NGX_LIVE_RECORD_STEP_CLOSE:
            n = (uint32_t) (step->rows.len / sizeof(lr_row_t));

            rc = lr_writer_close(w, (lr_row_t *) step->rows.data, n,
                                 step->duration, &lost);

            n = (uint32_t) ngx_live_record_queue_samples(&step->rows, n);
            lost = (uint32_t) ngx_live_record_queue_samples(&step->rows,
                                                            lost);
            q->lost += lost;
            q->unwritten += lost;
            q->frames += n - lost;
            q->fragments += n > lost;
            break;

        case NGX_LIVE_RECORD_STEP_LOST:
            rc = lr_recording_lost(w->log, step->time, step->frames,
                                   step->bytes, step->why);

            if (rc != LR_OK) {

                /* it is told again when the disk is well */

                q->lost += step->frames;
                q->lost_bytes += step->bytes;
            }

            break;

        case NGX_LIVE_RECORD_STEP_ERROR:
            rc = lr_recording_error(w->log, step->time,
                                    step->text ? step->text : "no memory");
            break;

        case NGX_LIVE_RECORD_STEP_GRACE:
            rc = lr_recording_grace(w->log, step->time, step->grace);
            break;

        case NGX_LIVE_RECORD_STEP_UNPUBLISH:
            rc = lr_writer_unpublish(w, step->time, step->why);
            break;
        }

        if (rc != LR_OK && q->err == 0) {
            q->err = ngx_errno ? ngx_errno : NGX_EINVAL;
        }
    }
}


/* how many of the last rows are frames, and not sequence headers */

static uint64_t
ngx_live_record_queue_samples(lr_buf_t *rows, uint32_t n)
{
    uint64_t   count;
    lr_row_t  *row;

    count = 0;
    row = (lr_row_t *) (rows->data + rows->len);

    while (n--) {
        row--;

        if (!(row->flags & LR_SAMPLE_CONFIG)) {
            count++;
        }
    }

    return count;
}


/* writes neighbouring blocks in one go; gives the last of them */

static ngx_live_record_step_t *
ngx_live_record_queue_data(ngx_live_record_queue_t *q,
    ngx_live_record_step_t *step, int *rc)
{
    int           n;
    struct iovec  iov[NGX_LIVE_RECORD_IOV];

    for (n = 0; /* void */ ; step = step->next) {
        iov[n].iov_base = step->block;
        iov[n++].iov_len = step->len;

        if (n == NGX_LIVE_RECORD_IOV || step->next == NULL
            || step->next->type != NGX_LIVE_RECORD_STEP_DATA)
        {
            break;
        }
    }

    /* after an error the rest of a fragment is left out */

    if (q->writer.fd != -1 && !q->writer.broken) {
        *rc = lr_writer_append(&q->writer, iov, n);
    }

    return step;
}


static void
ngx_live_record_queue_done(ngx_event_t *ev)
{
    ngx_live_record_queue_written(ev->data);
}


static void
ngx_live_record_queue_written(ngx_live_record_queue_t *q)
{
    ngx_live_record_step_t  *step;

    q->busy = 0;
    q->news = 0;

    /* once for all of a task, and not for each frame */

    if (q->err == 0) {
        ngx_live_record_count(ngx_live_record_counts->received,
                              q->work_queued);
    }

    ngx_live_record_count(ngx_live_record_counts->frames, q->frames);
    ngx_live_record_count(ngx_live_record_counts->fragments, q->fragments);
    ngx_live_record_count(ngx_live_record_counts->lost_frames, q->unwritten);

    while (q->work) {
        step = q->work;
        q->work = step->next;

        if (step->block) {
            q->memory -= NGX_LIVE_RECORD_BLOCK;
        }

        if (step->type == NGX_LIVE_RECORD_STEP_UNPUBLISH) {
            q->ended = 1;
        }

        if (step->type == NGX_LIVE_RECORD_STEP_OPEN
            || step->type == NGX_LIVE_RECORD_STEP_CLOSE
            || step->type == NGX_LIVE_RECORD_STEP_UNPUBLISH)
        {
            q->news = 1;
        }

        ngx_live_record_free_step(step);
    }

    q->handler(q);
}


void
ngx_live_record_queue_flush_grouped(ngx_live_record_queue_t *q)
{
    ngx_live_record_group_t  *g;

    if (ngx_live_record_group == NULL) {
        ngx_live_record_group = ngx_calloc(sizeof(ngx_live_record_group_t),
                                           ngx_cycle->log);

        if (ngx_live_record_group == NULL) {
            ngx_live_record_queue_flush(q);
            return;
        }
    }

    g = ngx_live_record_group;

    if (ngx_live_record_queue_take(q)) {
        g->queues[g->n++] = q;

        if (g->n == NGX_LIVE_RECORD_GROUP) {
            ngx_live_record_queue_flush_group();
        }
    }
}


void
ngx_live_record_queue_flush_group(void)
{
    ngx_uint_t                i;
    ngx_live_record_group_t  *g;

    g = ngx_live_record_group;

    if (g == NULL || g->n == 0) {
        return;
    }

    ngx_live_record_group = NULL;

    if (ngx_live_record_thread_post(&g->task, ngx_live_record_group_thread,
                                    ngx_live_record_group_done, g)
        == NGX_OK)
    {
        return;
    }

    for (i = 0; i < g->n; i++) {
        ngx_live_record_queue_give_back(g->queues[i]);
    }

    ngx_free(g);
}


static void
ngx_live_record_group_thread(void *data, ngx_log_t *log)
{
    ngx_live_record_group_t *g = data;

    ngx_uint_t  i;

    for (i = 0; i < g->n; i++) {
        ngx_live_record_queue_work(g->queues[i]);
    }
}


static void
ngx_live_record_group_done(ngx_event_t *ev)
{
    ngx_uint_t                i;
    ngx_live_record_group_t  *g;

    g = ev->data;

    for (i = 0; i < g->n; i++) {
        ngx_live_record_queue_written(g->queues[i]);
    }

    ngx_free(g);
}


void
ngx_live_record_queue_drain(ngx_live_record_queue_t *q)
{
    q->held = 1;

    if (q->busy) {

        while (!__atomic_load_n(&q->written, __ATOMIC_ACQUIRE)) {
            usleep(NGX_LIVE_RECORD_NAP);
        }

        ngx_live_record_queue_written(q);
    }

    ngx_live_record_queue_seal(q);

    if (!q->running || q->steps == NULL) {
        return;
    }

    q->work = q->steps;
    q->work_queued = q->queued;
    q->steps = NULL;
    q->last = &q->steps;
    q->queued = 0;

    ngx_live_record_queue_reset(q);

    ngx_live_record_queue_write(q);
    ngx_live_record_queue_written(q);
}


void
ngx_live_record_queue_free(ngx_live_record_queue_t *q)
{
    ngx_live_record_step_t  *step;

    ngx_live_record_queue_seal(q);

    while (q->steps) {
        step = q->steps;
        q->steps = step->next;
        ngx_live_record_free_step(step);
    }

    if (q->writer.fd != -1) {
        close(q->writer.fd);
    }

    if (q->writer.log != -1) {
        close(q->writer.log);
    }

    ngx_free(q->task);
}


static ngx_live_record_step_t *
ngx_live_record_get_data(ngx_live_record_queue_t *q)
{
    ngx_live_record_step_t  *step;

    step = ngx_live_record_spare;

    if (step) {
        ngx_live_record_spare = step->next;
        ngx_live_record_nspare--;
        step->next = NULL;

        if (ngx_live_record_unused > ngx_live_record_nspare) {
            ngx_live_record_unused = ngx_live_record_nspare;
        }

    } else {
        step = ngx_live_record_queue_step(q, NGX_LIVE_RECORD_STEP_DATA);

        if (step == NULL) {
            return NULL;
        }

        step->block = ngx_alloc(NGX_LIVE_RECORD_BLOCK, ngx_cycle->log);

        if (step->block == NULL) {
            ngx_free(step);
            return NULL;
        }
    }

    ngx_live_record_bytes += NGX_LIVE_RECORD_BLOCK;

    return step;
}


/* of a step that is on the disk, or will never be */

static void
ngx_live_record_free_step(ngx_live_record_step_t *step)
{
    if (step->type == NGX_LIVE_RECORD_STEP_CLOSE) {
        lr_quota_done(&ngx_live_record_quota,
                      step->rows.len + NGX_LIVE_RECORD_FRAGMENT);
    }

    if (step->block) {
        lr_quota_done(&ngx_live_record_quota, step->len);

        ngx_live_record_bytes -= NGX_LIVE_RECORD_BLOCK;

        step->next = ngx_live_record_spare;
        ngx_live_record_spare = step;
        ngx_live_record_nspare++;

        return;
    }

    lr_buf_free(&step->rows);
    free(step->text);
    ngx_free(step);
}


size_t
ngx_live_record_queue_backlog(void)
{
    return ngx_live_record_bytes;
}


/*
 * With many streams most blocks are written, and asked for again, within a
 * tick: giving them back would have the kernel clear their pages each time.
 */

void
ngx_live_record_queue_trim(ngx_uint_t all)
{
    ngx_uint_t               n;
    ngx_live_record_step_t  *step;

    n = all ? ngx_live_record_nspare
            : (ngx_live_record_unused + NGX_LIVE_RECORD_TRIM - 1)
              / NGX_LIVE_RECORD_TRIM;

    while (n--) {
        step = ngx_live_record_spare;
        ngx_live_record_spare = step->next;
        ngx_live_record_nspare--;

        ngx_free(step->block);
        ngx_free(step);
    }

    ngx_live_record_unused = ngx_live_record_nspare;
}


void
ngx_live_record_queue_exit(void)
{
    ngx_live_record_queue_trim(1);

    ngx_free(ngx_live_record_group);
    ngx_live_record_group = NULL;
}
