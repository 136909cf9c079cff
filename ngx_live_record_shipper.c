
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The shipper: finds the recordings in the spool that fall to this worker.
 * It learns of recorders only by their files, so that it is all the same
 * whether they live in this worker, in another one, or not any more; those
 * of this worker only say when there is something new to be read.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "lr_spool.h"
#include "ngx_live_record_notify.h"
#include "ngx_live_record_ship.h"
#include "ngx_live_record_thread.h"


/*
 * How often it is seen to what the shipper knows of, and the spool is looked
 * through if recorders of other workers write to some of that, ms.  Those of
 * this worker tell by themselves.
 */
#define NGX_LIVE_RECORD_ROUND  1000

/* how often the spool is looked through for what is new, ms */
#define NGX_LIVE_RECORD_SCAN  5000

/* so many recordings that were found are gone through at a time */
#define NGX_LIVE_RECORD_SLICE  64

/* journals of a recording that are open: ship.log, notify.log */
#define NGX_LIVE_RECORD_JOURNALS  2

/* files that are made free at a time for older recordings */
#define NGX_LIVE_RECORD_RELIEF  128


typedef struct {
    lr_spool_list_t              list;
    int                          rc;
    ngx_err_t                    err;
    size_t                       shut;        /* directories, told of */
    uint32_t                     index;
    uint32_t                     workers;
    ngx_thread_task_t            task;
    ngx_uint_t                   number;
    lr_buf_t                     aside;       /* paths, each with a zero */
    ngx_msec_t                   next;        /* not before */
    ngx_event_t                  more;        /* goes on with the list */
    size_t                       done;        /* of it */
    unsigned                     busy:1;
    unsigned                     told:1;
} ngx_live_record_scan_t;


static void ngx_live_record_round(ngx_event_t *ev);
static void ngx_live_record_scan(void);
static void ngx_live_record_scan_thread(void *data, ngx_log_t *log);
static int ngx_live_record_scan_compare(const void *one, const void *two);
static void ngx_live_record_scan_aside(void *data, const char *path);
static void ngx_live_record_scan_done(ngx_event_t *ev);
static void ngx_live_record_scan_more(ngx_event_t *ev);
static void ngx_live_record_scan_sweep(ngx_live_record_scan_t *scan);
static void ngx_live_record_scan_relieve(void);
static ngx_uint_t ngx_live_record_ship_waiting(ngx_live_record_ship_t *s);
static const char *ngx_live_record_ship_id(ngx_live_record_ship_t *s);
static void ngx_live_record_printable(char *p);
static ngx_live_record_ship_t *ngx_live_record_ship_find(ngx_str_t *path);
static ngx_live_record_ship_t *ngx_live_record_ship_create(ngx_str_t *path);


static ngx_queue_t             ngx_live_record_ships;
static ngx_rbtree_t            ngx_live_record_ship_tree;
static ngx_rbtree_node_t       ngx_live_record_ship_sentinel;
static ngx_event_t             ngx_live_record_round_timer;
static ngx_live_record_scan_t  ngx_live_record_scan_state;

/*
 * Files that recordings have open, and may have: after a long outage there may
 * be more of them than files, and streams that find none lose media.
 */

static ngx_uint_t              ngx_live_record_files;
static ngx_uint_t              ngx_live_record_files_max;
static ngx_uint_t              ngx_live_record_files_told;

/* the oldest that has been refused since the last scan, or "" */

static char                    ngx_live_record_refused[LR_ID_MAX + 1];


void
ngx_live_record_shipper_init(ngx_cycle_t *cycle, ngx_uint_t workers)
{
    struct rlimit            rl;
    ngx_live_record_scan_t  *scan;

    ngx_live_record_files_max = getrlimit(RLIMIT_NOFILE, &rl) == 0
                                ? (ngx_uint_t) rl.rlim_cur / 2 : 512;

    ngx_queue_init(&ngx_live_record_ships);
    ngx_rbtree_init(&ngx_live_record_ship_tree,
                    &ngx_live_record_ship_sentinel,
                    ngx_str_rbtree_insert_value);

    scan = &ngx_live_record_scan_state;
    ngx_memzero(scan, sizeof(ngx_live_record_scan_t));

    scan->next = ngx_current_msec;
    scan->workers = (uint32_t) workers;

    if (ngx_process == NGX_PROCESS_WORKER) {
        scan->index = (uint32_t) ngx_worker;
    }

    scan->more.handler = ngx_live_record_scan_more;
    scan->more.data = scan;
    scan->more.log = cycle->log;
    scan->more.cancelable = 1;

    /* an exiting worker lets go, the next generation goes on */

    ngx_live_record_timer_init(&ngx_live_record_round_timer,
                               ngx_live_record_round);
    ngx_add_timer(&ngx_live_record_round_timer, 1);
}


/* the kernel gives the locks back; nothing of a request has to be kept */

void
ngx_live_record_shipper_exit(void)
{
    ngx_queue_t             *q;
    ngx_live_record_ship_t  *s;

    ngx_live_record_threads_gone = 1;

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

    lr_spool_free(&ngx_live_record_scan_state.list);
    lr_buf_free(&ngx_live_record_scan_state.aside);
}


void
ngx_live_record_shipper_renewed(ngx_live_record_bucket_t *b)
{
    ngx_queue_t             *q;
    ngx_live_record_ship_t  *s;

    for (q = ngx_queue_head(&ngx_live_record_ships);
         q != ngx_queue_sentinel(&ngx_live_record_ships);
         q = ngx_queue_next(q))
    {
        s = ngx_queue_data(q, ngx_live_record_ship_t, queue);

        if (s->refused && s->timer.timer_set && s->request
            && s->request->bucket == b)
        {
            ngx_add_timer(&s->timer, 1);
        }
    }
}


static void
ngx_live_record_round(ngx_event_t *ev)
{
    ngx_uint_t               far;
    ngx_queue_t             *q, *next;
    ngx_live_record_ship_t  *s;

    if (ngx_live_record_leaving()) {

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

        ngx_add_timer(ev, NGX_LIVE_RECORD_ROUND / 10);
        return;
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

    if (far
        || (ngx_msec_int_t) (ngx_current_msec
                             - ngx_live_record_scan_state.next) >= 0)
    {
        ngx_live_record_scan();
    }
}


static void
ngx_live_record_scan(void)
{
    ngx_live_record_scan_t  *scan;

    scan = &ngx_live_record_scan_state;

    if (scan->busy) {
        return;
    }

    scan->number++;
    scan->next = ngx_current_msec + NGX_LIVE_RECORD_SCAN;

    if (ngx_live_record_thread_post(&scan->task,
                                    ngx_live_record_scan_thread,
                                    ngx_live_record_scan_done, scan)
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
    scan->err = ngx_errno;

    /* an earlier recording of a stream is to have told its callbacks first */

    if (scan->rc == LR_OK && scan->list.n) {
        qsort(scan->list.entries, scan->list.n, sizeof(lr_spool_entry_t),
              ngx_live_record_scan_compare);
    }
}


/* their ids sort by time */

static int
ngx_live_record_scan_compare(const void *one, const void *two)
{
    const lr_spool_entry_t *a = one;
    const lr_spool_entry_t *b = two;

    return strcmp(strrchr(a->path, '/'), strrchr(b->path, '/'));
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
    ngx_live_record_scan_t  *scan;

    scan = ev->data;
    scan->busy = 0;

    for (i = 0; i < scan->aside.len; i += ngx_strlen(p) + 1) {
        p = (char *) scan->aside.data + i;
        ngx_live_record_printable(p);
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "live record: \"%s\" has no place in the spool and is "
                      "set aside in \"%V/" LR_QUARANTINE_DIR "\"", p,
                      &ngx_live_record_conf->spool);
    }

    scan->aside.len = 0;

    if (ngx_exiting) {
        return;
    }

    if (scan->rc != LR_OK) {
        if (!scan->told) {
            scan->told = 1;
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, scan->err,
                          "live record: the spool \"%V\" cannot be read",
                          &ngx_live_record_conf->spool);
        }

        return;
    }

    /* each worker sees all of them */

    if (scan->index == 0 && scan->list.shut > scan->shut) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, scan->list.shut_error,
                      "live record: %uz of the directories in the spool "
                      "cannot be read, \"%V/%s\" for one: recordings that "
                      "are there wait", scan->list.shut,
                      &ngx_live_record_conf->spool, scan->list.shut_path);
    }

    scan->shut = scan->list.shut;
    scan->told = 0;
    scan->busy = 1;
    scan->done = 0;

    ngx_live_record_scan_more(&scan->more);
}


/* after a long outage there may be thousands: others have to have their turn */

static void
ngx_live_record_scan_more(ngx_event_t *ev)
{
    size_t                   i, end;
    ngx_str_t                path;
    ngx_live_record_scan_t  *scan;
    ngx_live_record_ship_t  *s;

    scan = ev->data;
    end = ngx_min(scan->done + NGX_LIVE_RECORD_SLICE, scan->list.n);

    if (ngx_live_record_leaving()) {
        scan->busy = 0;
        return;
    }

    for (i = scan->done; i < end; i++) {
        path.data = (u_char *) scan->list.entries[i].path;
        path.len = ngx_strlen(path.data);

        s = ngx_live_record_ship_find(&path);

        if (s == NULL) {
            s = ngx_live_record_ship_create(&path);

            if (s == NULL) {
                scan->busy = 0;
                return;
            }
        }

        s->seen = scan->number;
        s->size = scan->list.entries[i].size;

        ngx_live_record_ship_see(s);
    }

    scan->done = end;

    if (end < scan->list.n) {
        ngx_add_timer(ev, 1);
        return;
    }

    scan->busy = 0;

    ngx_live_record_scan_sweep(scan);
}


/* forgets recordings that are not in the spool any more */

static void
ngx_live_record_scan_sweep(ngx_live_record_scan_t *scan)
{
    ngx_queue_t             *q, *next;
    ngx_live_record_ship_t  *s;

    for (q = ngx_queue_head(&ngx_live_record_ships);
         q != ngx_queue_sentinel(&ngx_live_record_ships);
         q = next)
    {
        next = ngx_queue_next(q);
        s = ngx_queue_data(q, ngx_live_record_ship_t, queue);

        if (!s->busy && s->seen != scan->number) {
            ngx_live_record_ship_destroy(s);
        }
    }

    ngx_live_record_scan_relieve();
}


/* lets go of the newest ones that wait, but not for their recorders */

static void
ngx_live_record_scan_relieve(void)
{
    ngx_uint_t               enough;
    ngx_queue_t             *q, *prev;
    ngx_live_record_ship_t  *s;

    enough = ngx_live_record_files_max;

    if (ngx_live_record_refused[0]) {
        enough -= ngx_min(NGX_LIVE_RECORD_RELIEF, enough / 2);
    }

    for (q = ngx_queue_last(&ngx_live_record_ships);
         q != ngx_queue_sentinel(&ngx_live_record_ships)
         && ngx_live_record_files > enough;
         q = prev)
    {
        prev = ngx_queue_prev(q);
        s = ngx_queue_data(q, ngx_live_record_ship_t, queue);

        if (s->open && !s->near && ngx_live_record_ship_waiting(s)
            && (ngx_live_record_files > ngx_live_record_files_max
                || ngx_strcmp(ngx_live_record_ship_id(s),
                              ngx_live_record_refused)
                   > 0))
        {
            ngx_live_record_ship_destroy(s);
        }
    }

    ngx_live_record_refused[0] = '\0';
}


/* for its turn at the bucket, or for its callbacks */

static ngx_uint_t
ngx_live_record_ship_waiting(ngx_live_record_ship_t *s)
{
    return !s->busy
           || (s->request && !s->request->active && s->request->queue.next);
}


static const char *
ngx_live_record_ship_id(ngx_live_record_ship_t *s)
{
    return strrchr((char *) s->sn.str.data, '/') + 1;
}


ngx_uint_t
ngx_live_record_ship_admit(ngx_live_record_ship_t *s)
{
    const char  *id;

    if (!s->near
        && ngx_live_record_files - s->journals + NGX_LIVE_RECORD_JOURNALS
           > ngx_live_record_files_max)
    {
        id = ngx_live_record_ship_id(s);

        if (ngx_live_record_refused[0] == '\0'
            || ngx_strcmp(id, ngx_live_record_refused) < 0)
        {
            ngx_cpystrn((u_char *) ngx_live_record_refused, (u_char *) id,
                        sizeof(ngx_live_record_refused));
        }

        if (!ngx_live_record_files_told) {
            ngx_live_record_files_told = 1;
            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                          "live record: recordings in the spool have %ui "
                          "files open, the others wait for these to be "
                          "stored", ngx_live_record_files);
        }

        return 0;
    }

    ngx_live_record_ship_files(s, NGX_LIVE_RECORD_JOURNALS);

    return 1;
}


void
ngx_live_record_ship_files(ngx_live_record_ship_t *s, ngx_uint_t n)
{
    ngx_live_record_files += n - s->journals;
    s->journals = n;
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

    if (ngx_live_record_leaving()
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

    ngx_live_record_notify_tell(s);
    ngx_live_record_ship_see(s);
}


/* a name of somebody else's does not make lines of the log */

static void
ngx_live_record_printable(char *p)
{
    for ( /* void */ ; *p; p++) {
        if ((u_char) *p < ' ' || *p == 0x7f) {
            *p = '?';
        }
    }
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


/* they are in the order of time, as they were found or began in here */

ngx_live_record_ship_t *
ngx_live_record_ship_after(ngx_live_record_ship_t *s)
{
    size_t                   len;
    ngx_queue_t             *q;
    ngx_live_record_ship_t  *next;

    len = (size_t) (strrchr((char *) s->sn.str.data, '/') + 1
                    - (char *) s->sn.str.data);

    for (q = ngx_queue_next(&s->queue);
         q != ngx_queue_sentinel(&ngx_live_record_ships);
         q = ngx_queue_next(q))
    {
        next = ngx_queue_data(q, ngx_live_record_ship_t, queue);

        if (ngx_strncmp(next->sn.str.data, s->sn.str.data, len) == 0) {
            return next;
        }
    }

    return NULL;
}


void
ngx_live_record_ship_destroy(ngx_live_record_ship_t *s)
{
    ngx_live_record_notify_forget(s);
    ngx_live_record_ship_files(s, 0);

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
