
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The shipper: finds the recordings in the spool that fall to this worker,
 * and takes each through its steps until all of it is in its bucket.  It
 * learns of recorders only by their files, so that it is all the same
 * whether they live in this worker, in another one, or not any more; those
 * of this worker only say when there is something new to be read.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "lr_ship.h"
#include "lr_spool.h"
#include "ngx_live_record_index.h"
#include "ngx_live_record_queue.h"


/*
 * How often it is seen to what the shipper knows of, and the spool is looked
 * through if recorders of other workers write to some of that, ms.  Those of
 * this worker tell by themselves.
 */
#define NGX_LIVE_RECORD_ROUND  1000

/* how often the spool is looked through for what is new, ms */
#define NGX_LIVE_RECORD_SCAN  5000

/* how often it is asked whether another worker's recorder is alive, ms */
#define NGX_LIVE_RECORD_PROBE  5000

/* while recorders have so many bytes to write, fragments wait */
#define NGX_LIVE_RECORD_BACKLOG  (32 * 1024 * 1024)
#define NGX_LIVE_RECORD_BACKLOG_WAIT  200

/* a taken name is tried with so many others */
#define NGX_LIVE_RECORD_NAMES  100

/* tries of a move that is not allowed, before the file stays where it is */
#define NGX_LIVE_RECORD_MOVES  5


typedef enum {
    NGX_LIVE_RECORD_SHIP_OPEN = 0,
    NGX_LIVE_RECORD_SHIP_LOOK,
    NGX_LIVE_RECORD_SHIP_NAME,
    NGX_LIVE_RECORD_SHIP_CONFIRM,
    NGX_LIVE_RECORD_SHIP_SKIP,
    NGX_LIVE_RECORD_SHIP_WITHOUT,
    NGX_LIVE_RECORD_SHIP_ABANDON,
    NGX_LIVE_RECORD_SHIP_REMOVE,
    NGX_LIVE_RECORD_SHIP_QUARANTINE
} ngx_live_record_ship_op_e;


typedef struct {
    ngx_str_node_t               sn;          /* str: app/stream/id */
    ngx_queue_t                  queue;

    lr_ship_t                    ship;
    lr_ship_step_e               step;        /* under way */
    unsigned                     other;       /* name tried */
    lr_ship_order_t              order;
    ngx_live_record_request_t   *request;
    ngx_live_record_day_t       *day;

    ngx_live_record_ship_op_e    op;          /* of the thread */
    ngx_thread_task_t            task;
    int                          rc;
    int                          prepared;
    int                          local;       /* errno of that */
    const char                  *why;         /* of a skip */
    lr_buf_t                     result;      /* key that is confirmed */
    char                         err[512];

    uint64_t                     size;        /* of record.log, last seen */
    uint64_t                     looked;      /* its size at the last look */
    ngx_msec_t                   probed;      /* when that was */
    ngx_event_t                  timer;
    ngx_uint_t                   tries;
    ngx_uint_t                   seen;        /* in the scan of this number */

    /* written by a thread: not to share a word with what the loop writes */

    ngx_uint_t                   open;
    ngx_uint_t                   gone;        /* removed or set aside */

    unsigned                     near:1;      /* its recorder is in here */
    unsigned                     news:1;      /* and has journalled more */
    unsigned                     busy:1;      /* a thread or request is at it */
    unsigned                     told:1;
} ngx_live_record_ship_t;


typedef struct {
    lr_spool_list_t              list;
    int                          rc;
    uint32_t                     index;
    uint32_t                     workers;
    ngx_thread_task_t            task;
    ngx_uint_t                   number;
    lr_buf_t                     aside;       /* paths, each with a zero */
    uint64_t                     usage;       /* bytes, if there is a limit */
    ngx_msec_t                   next;        /* not before */
    unsigned                     busy:1;
    unsigned                     told:1;
    unsigned                     full:1;
} ngx_live_record_scan_t;


static void ngx_live_record_round(ngx_event_t *ev);
static void ngx_live_record_scan(void);
static void ngx_live_record_scan_thread(void *data, ngx_log_t *log);
static void ngx_live_record_scan_aside(void *data, const char *path);
static void ngx_live_record_scan_done(ngx_event_t *ev);
static void ngx_live_record_ship_see(ngx_live_record_ship_t *s);
static ngx_live_record_ship_t *ngx_live_record_ship_find(ngx_str_t *path);
static ngx_live_record_ship_t *ngx_live_record_ship_create(ngx_str_t *path);
static void ngx_live_record_ship_destroy(ngx_live_record_ship_t *s);

static void ngx_live_record_ship_run(ngx_live_record_ship_t *s,
    ngx_live_record_ship_op_e op);
static void ngx_live_record_ship_thread(void *data, ngx_log_t *log);
static void ngx_live_record_ship_prepare(ngx_live_record_ship_t *s);
static void ngx_live_record_ship_done(ngx_event_t *ev);
static void ngx_live_record_ship_failed(ngx_live_record_ship_t *s);
static void ngx_live_record_ship_step(ngx_live_record_ship_t *s);
static void ngx_live_record_ship_unprepared(ngx_live_record_ship_t *s);
static void ngx_live_record_ship_ask(ngx_live_record_ship_t *s);
static ngx_uint_t ngx_live_record_ship_fill(ngx_live_record_ship_t *s);
static void ngx_live_record_ship_asked(ngx_live_record_request_t *req);
static void ngx_live_record_ship_told(ngx_live_record_ship_t *s);
static void ngx_live_record_ship_confirm(ngx_live_record_ship_t *s,
    const char *key);
static void ngx_live_record_ship_skip(ngx_live_record_ship_t *s,
    ngx_err_t err);
static void ngx_live_record_ship_gone(ngx_live_record_ship_t *s);
static ngx_uint_t ngx_live_record_ship_retry(ngx_live_record_ship_t *s);
static void ngx_live_record_ship_day_done(void *data, lr_retry_e result,
    ngx_uint_t after);
static void ngx_live_record_ship_again(ngx_live_record_ship_t *s,
    lr_retry_e why, ngx_uint_t after);
static void ngx_live_record_ship_timer(ngx_event_t *ev);


static ngx_queue_t             ngx_live_record_ships;
static ngx_rbtree_t            ngx_live_record_ship_tree;
static ngx_rbtree_node_t       ngx_live_record_ship_sentinel;
static ngx_event_t             ngx_live_record_round_timer;
static ngx_live_record_scan_t  ngx_live_record_scan_state;
static ngx_connection_t        ngx_live_record_dummy;


ngx_int_t
ngx_live_record_shipper_init(ngx_cycle_t *cycle)
{
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    ngx_queue_init(&ngx_live_record_ships);
    ngx_rbtree_init(&ngx_live_record_ship_tree,
                    &ngx_live_record_ship_sentinel,
                    ngx_str_rbtree_insert_value);

    ngx_memzero(&ngx_live_record_scan_state, sizeof(ngx_live_record_scan_t));

    ngx_live_record_scan_state.next = ngx_current_msec;

    if (ngx_process == NGX_PROCESS_WORKER) {
        ngx_live_record_scan_state.index = (uint32_t) ngx_worker;
        ngx_live_record_scan_state.workers = (uint32_t)
                                             ccf->worker_processes;
    }

    if (ngx_live_record_scan_state.workers == 0) {
        ngx_live_record_scan_state.workers = 1;
    }

    if (ngx_live_record_oss_init(cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    /* cancelable: an exiting worker lets go, the next generation goes on */

    ngx_live_record_dummy.fd = (ngx_socket_t) -1;

    ngx_memzero(&ngx_live_record_round_timer, sizeof(ngx_event_t));
    ngx_live_record_round_timer.handler = ngx_live_record_round;
    ngx_live_record_round_timer.data = &ngx_live_record_dummy;
    ngx_live_record_round_timer.log = cycle->log;
    ngx_live_record_round_timer.cancelable = 1;

    ngx_add_timer(&ngx_live_record_round_timer, 1);

    return NGX_OK;
}


/* the kernel gives the locks back; nothing of a request has to be kept */

void
ngx_live_record_shipper_exit(ngx_cycle_t *cycle)
{
    ngx_queue_t             *q;
    ngx_live_record_ship_t  *s;

    while (!ngx_queue_empty(&ngx_live_record_ships)) {
        q = ngx_queue_head(&ngx_live_record_ships);
        s = ngx_queue_data(q, ngx_live_record_ship_t, queue);

        /* no thread runs any more, and none will tell of its end */

        if (s->day) {
            ngx_live_record_day_free(s->day);
            s->day = NULL;
        }

        ngx_live_record_request_free(s->request);
        s->request = NULL;

        ngx_live_record_ship_destroy(s);
    }

    ngx_live_record_engines_free();
    lr_spool_free(&ngx_live_record_scan_state.list);
    lr_buf_free(&ngx_live_record_scan_state.aside);
    ngx_live_record_oss_exit(cycle);
}


static void
ngx_live_record_round(ngx_event_t *ev)
{
    ngx_uint_t               far;
    ngx_queue_t             *q, *next;
    ngx_live_record_ship_t  *s;

    if (ngx_exiting || ngx_quit || ngx_terminate) {

        ngx_live_record_requests_let_go();

        for (q = ngx_queue_head(&ngx_live_record_ships);
             q != ngx_queue_sentinel(&ngx_live_record_ships);
             q = next)
        {
            next = ngx_queue_next(q);
            s = ngx_queue_data(q, ngx_live_record_ship_t, queue);

            if (!s->busy) {
                ngx_live_record_ship_destroy(s);
            }
        }

        if (!ngx_queue_empty(&ngx_live_record_ships)
            || ngx_live_record_conf->max_size == 0)
        {
            ngx_add_timer(ev, NGX_LIVE_RECORD_ROUND / 10);
            return;
        }

        /* recorders that are left have to know how full the spool is */
    }

    ngx_add_timer(ev, NGX_LIVE_RECORD_ROUND);

    far = 0;

    for (q = ngx_queue_head(&ngx_live_record_ships);
         q != ngx_queue_sentinel(&ngx_live_record_ships);
         q = ngx_queue_next(q))
    {
        s = ngx_queue_data(q, ngx_live_record_ship_t, queue);

        if (!s->busy && s->open && !s->near
            && s->ship.rec.state == LR_RECORDING_LIVE)
        {
            far = 1;
        }

        ngx_live_record_ship_see(s);
    }

    if (far || ngx_live_record_conf->max_size
        || (ngx_msec_int_t) (ngx_current_msec
                             - ngx_live_record_scan_state.next) >= 0)
    {
        ngx_live_record_scan();
    }
}


static void
ngx_live_record_scan(void)
{
    ngx_thread_task_t       *task;
    ngx_live_record_scan_t  *scan;

    scan = &ngx_live_record_scan_state;

    if (scan->busy) {
        return;
    }

    task = &scan->task;
    task->ctx = scan;
    task->handler = ngx_live_record_scan_thread;
    task->event.handler = ngx_live_record_scan_done;
    task->event.data = scan;

    scan->number++;
    scan->next = ngx_current_msec + NGX_LIVE_RECORD_SCAN;

    if (ngx_thread_task_post(ngx_live_record_conf->thread_pool, task)
        == NGX_OK)
    {
        scan->busy = 1;
        return;
    }

    scan->number--;
    scan->next = ngx_current_msec;
}


static void
ngx_live_record_scan_thread(void *data, ngx_log_t *log)
{
    ngx_live_record_scan_t *scan = data;

    if (scan->number == 1 && scan->index == 0) {
        lr_spool_tidy((char *) ngx_live_record_conf->spool.data,
                      ngx_live_record_scan_aside, scan);
    }

    scan->rc = lr_spool_scan(&scan->list,
                             (char *) ngx_live_record_conf->spool.data,
                             scan->index, scan->workers);

    if (ngx_live_record_conf->max_size) {
        scan->usage = lr_spool_usage((char *)
                                     ngx_live_record_conf->spool.data);
    }
}


static void
ngx_live_record_scan_aside(void *data, const char *path)
{
    ngx_live_record_scan_t *scan = data;

    lr_buf_append(&scan->aside, path, ngx_strlen(path) + 1);
}


static void
ngx_live_record_scan_done(ngx_event_t *ev)
{
    char                    *p;
    size_t                   i;
    uint64_t                 max;
    ngx_str_t                path;
    ngx_queue_t             *q, *next;
    ngx_live_record_scan_t  *scan;
    ngx_live_record_ship_t  *s;

    scan = ev->data;
    scan->busy = 0;

    for (i = 0; i < scan->aside.len; i += ngx_strlen(p) + 1) {
        p = (char *) scan->aside.data + i;
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "live record: \"%s\" has no place in the spool and is "
                      "set aside in \"%V/" LR_QUARANTINE_DIR "\"", p,
                      &ngx_live_record_conf->spool);
    }

    scan->aside.len = 0;

    if (ngx_live_record_conf->max_size) {
        max = (uint64_t) ngx_live_record_conf->max_size;

        /* some room has to be made before it goes on */

        scan->full = scan->usage >= (scan->full ? max - max / 16 : max);
        ngx_live_record_recorder_full(scan->full);
    }

    if (ngx_exiting) {
        return;
    }

    if (scan->rc != LR_OK) {
        if (!scan->told) {
            scan->told = 1;
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "live record: the spool \"%V\" cannot be read",
                          &ngx_live_record_conf->spool);
        }

        return;
    }

    scan->told = 0;

    for (i = 0; i < scan->list.n; i++) {
        path.data = (u_char *) scan->list.entries[i].path;
        path.len = ngx_strlen(path.data);

        s = ngx_live_record_ship_find(&path);

        if (s == NULL) {
            s = ngx_live_record_ship_create(&path);

            if (s == NULL) {
                return;
            }
        }

        s->seen = scan->number;
        s->size = scan->list.entries[i].size;
    }

    for (q = ngx_queue_head(&ngx_live_record_ships);
         q != ngx_queue_sentinel(&ngx_live_record_ships);
         q = next)
    {
        next = ngx_queue_next(q);
        s = ngx_queue_data(q, ngx_live_record_ship_t, queue);

        if (s->busy) {
            continue;
        }

        if (s->seen != scan->number) {
            ngx_live_record_ship_destroy(s);
            continue;
        }

        ngx_live_record_ship_see(s);
    }
}


/* whether it is time for a look at a recording */

static void
ngx_live_record_ship_see(ngx_live_record_ship_t *s)
{
    if (s->busy || s->timer.timer_set) {
        return;
    }

    if (!s->open) {
        s->news = 0;
        ngx_live_record_ship_run(s, NGX_LIVE_RECORD_SHIP_OPEN);
        return;
    }

    if (s->news
        || s->looked < s->size
        || (s->ship.rec.state == LR_RECORDING_LIVE && !s->near
            && ngx_current_msec - s->probed >= NGX_LIVE_RECORD_PROBE)
        || (s->ship.until && ngx_live_record_now() >= s->ship.until))
    {
        s->news = 0;
        ngx_live_record_ship_run(s, NGX_LIVE_RECORD_SHIP_LOOK);
    }
}


ngx_uint_t
ngx_live_record_shipper_owns(const char *id)
{
    return lr_spool_worker(id, ngx_live_record_scan_state.workers)
           == ngx_live_record_scan_state.index;
}


void
ngx_live_record_shipper_tell(const char *dir, const char *id,
    ngx_uint_t alive)
{
    size_t                   len;
    ngx_str_t                path;
    ngx_live_record_scan_t  *scan;
    ngx_live_record_ship_t  *s;

    scan = &ngx_live_record_scan_state;

    if (ngx_exiting || ngx_quit || ngx_terminate
        || !ngx_live_record_shipper_owns(id))
    {
        return;
    }

    len = ngx_live_record_conf->spool.len + 1;

    path.data = (u_char *) dir + len;
    path.len = ngx_strlen(dir) - len;

    s = ngx_live_record_ship_find(&path);

    if (s == NULL) {
        s = ngx_live_record_ship_create(&path);

        if (s == NULL) {
            return;
        }
    }

    s->seen = scan->number;
    s->near = alive;
    s->news = 1;

    ngx_live_record_ship_see(s);
}


static ngx_live_record_ship_t *
ngx_live_record_ship_find(ngx_str_t *path)
{
    uint32_t  hash;

    hash = ngx_crc32_long(path->data, path->len);

    return (ngx_live_record_ship_t *)
           ngx_str_rbtree_lookup(&ngx_live_record_ship_tree, path, hash);
}


static ngx_live_record_ship_t *
ngx_live_record_ship_create(ngx_str_t *path)
{
    ngx_live_record_ship_t  *s;

    s = ngx_calloc(sizeof(ngx_live_record_ship_t) + path->len + 1,
                   ngx_cycle->log);
    if (s == NULL) {
        return NULL;
    }

    s->sn.str.len = path->len;
    s->sn.str.data = (u_char *) s + sizeof(ngx_live_record_ship_t);
    ngx_cpystrn(s->sn.str.data, path->data, path->len + 1);

    s->sn.node.key = ngx_crc32_long(path->data, path->len);
    s->ship.fd = -1;

    s->timer.handler = ngx_live_record_ship_timer;
    s->timer.data = s;
    s->timer.log = ngx_cycle->log;
    s->timer.cancelable = 1;

    ngx_rbtree_insert(&ngx_live_record_ship_tree, &s->sn.node);
    ngx_queue_insert_tail(&ngx_live_record_ships, &s->queue);

    return s;
}


static void
ngx_live_record_ship_destroy(ngx_live_record_ship_t *s)
{
    ngx_queue_remove(&s->queue);
    ngx_rbtree_delete(&ngx_live_record_ship_tree, &s->sn.node);

    if (s->timer.timer_set) {
        ngx_del_timer(&s->timer);
    }

    ngx_live_record_request_free(s->request);

    if (s->open) {
        lr_ship_close(&s->ship);
    }

    lr_ship_order_free(&s->order);
    lr_buf_free(&s->result);
    ngx_free(s);
}


/* has a thread do something about the recording, and find the next step */

static void
ngx_live_record_ship_run(ngx_live_record_ship_t *s,
    ngx_live_record_ship_op_e op)
{
    ngx_thread_task_t  *task;

    s->op = op;

    task = &s->task;
    task->ctx = s;
    task->handler = ngx_live_record_ship_thread;
    task->event.handler = ngx_live_record_ship_done;
    task->event.data = s;

    s->busy = 1;

    if (ngx_thread_task_post(ngx_live_record_conf->thread_pool, task)
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

        if (s->rc == LR_OK) {
            s->open = 1;
            s->rc = lr_ship_look(&s->ship, ngx_live_record_now(),
                                 s->err, sizeof(s->err));
        }

        break;

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
        s->told = 0;
    }

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

    if (s->rc == LR_DECLINED) {

        if (s->open) {
            lr_ship_close(&s->ship);
            s->open = 0;
        }

        ngx_live_record_ship_run(s, NGX_LIVE_RECORD_SHIP_QUARANTINE);
        return;
    }

    if (!s->told) {
        s->told = 1;
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "live record: \"%V\" in the spool: %s; it is tried "
                      "again", &s->sn.str, s->err);
    }

    /* what is held in memory may not be what was journalled */

    if (s->open) {
        lr_ship_close(&s->ship);
        s->open = 0;
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
        && ngx_live_record_recorder_backlog() > NGX_LIVE_RECORD_BACKLOG)
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


static ngx_uint_t
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
    req->tag = s->ship.rec.id;
    req->to = (char *) order->to.data;
    req->keep = order->keep;
    req->again = order->again;
    req->number = order->number;
    req->offset = order->offset;
    req->size = order->size;
    req->crc = order->crc;

    lr_body_take(&req->body, &order->body);

    switch (s->step) {

    case LR_SHIP_FRAGMENT:
        req->type = "video/mp2t";
        return NGX_OK;

    case LR_SHIP_MANIFEST:
        req->type = "application/json";
        return NGX_OK;

    case LR_SHIP_INDEX:
        req->type = "application/vnd.apple.mpegurl";
        return NGX_OK;

    case LR_SHIP_BEGIN:
        req->op = NGX_LIVE_RECORD_BEGIN;
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
        ngx_live_record_ship_told(s);
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

    if (!ngx_live_record_ship_retry(s)) {
        return;
    }

    if (req->local && !s->told) {
        s->told = 1;
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "live record: \"%V\" waits in the spool: %s",
                      &s->sn.str, req->err);
    }

    ngx_live_record_ship_again(s, req->result, req->retry_after);
}


static void
ngx_live_record_ship_told(ngx_live_record_ship_t *s)
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


/* what can be done about a refusal, but for trying again; 0 if it is */

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

    const char  *key;

    s->busy = 0;

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

    ngx_live_record_ship_again(s, result, after);
}


static void
ngx_live_record_ship_again(ngx_live_record_ship_t *s, lr_retry_e why,
    ngx_uint_t after)
{
    s->busy = 0;

    if (why == LR_RETRY_OK) {
        why = LR_RETRY_AGAIN;
    }

    ngx_add_timer(&s->timer, lr_retry_delay(why, (unsigned) s->tries++,
                                            (unsigned) after,
                                            (uint32_t) ngx_random()));
}


static void
ngx_live_record_ship_timer(ngx_event_t *ev)
{
    ngx_live_record_ship_t  *s;

    s = ev->data;

    if (s->busy || ngx_exiting) {
        return;
    }

    ngx_live_record_ship_run(s, s->open ? NGX_LIVE_RECORD_SHIP_LOOK
                                        : NGX_LIVE_RECORD_SHIP_OPEN);
}
