
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The notifier of each recording that wants callbacks: a thread looks at
 * the journals and says what is to be told next, libcurl tells it, and a
 * thread journals that it has been taken.  It runs beside the shipper, which
 * only says when a journal may have grown, and does not remove a recording
 * before all of it has been told.  What receivers bear is counted for each
 * of them in a worker.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "lr_history.h"
#include "lr_notice.h"
#include "ngx_live_record_counters.h"
#include "ngx_live_record_curl.h"
#include "ngx_live_record_notify.h"
#include "ngx_live_record_thread.h"


/* callbacks under way to a receiver, of a worker */
#define NGX_LIVE_RECORD_NOTIFY_ACTIVE   4

/* until an answer is there, ms */
#define NGX_LIVE_RECORD_NOTIFY_TIMEOUT  5000

/* between tries of one callback: at first, and at most, ms */
#define NGX_LIVE_RECORD_NOTIFY_DELAY    5000
#define NGX_LIVE_RECORD_NOTIFY_REST     60000

/*
 * A receiver that has not taken so many in a row is taken to be down: it is
 * asked once in a while, for all that wait.
 */
#define NGX_LIVE_RECORD_NOTIFY_DOWN     3

/* how often it is looked whether an earlier recording has told its own, ms */
#define NGX_LIVE_RECORD_NOTIFY_WAIT     1000
#define NGX_LIVE_RECORD_NOTIFY_WAITS    5

/* of an answer, whose body does not matter */
#define NGX_LIVE_RECORD_NOTIFY_ANSWER   65536


/* what became of a callback: for a thread to be journalled */

typedef enum {
    NGX_LIVE_RECORD_NOTIFY_NOTHING = 0,
    NGX_LIVE_RECORD_NOTIFY_FAILED,         /* it will be tried again */
    NGX_LIVE_RECORD_NOTIFY_TAKEN,
    NGX_LIVE_RECORD_NOTIFY_GIVEN           /* given up */
} ngx_live_record_notify_result_e;


typedef struct {
    ngx_live_record_notify_result_e  result;
    unsigned                         status;   /* of HTTP, 0: no answer */
    char                             why[256];
    char                             to[1025]; /* the receiver */
} ngx_live_record_notify_outcome_t;


/* where a notifier is, but for what a thread does */

typedef enum {
    NGX_LIVE_RECORD_NOTIFY_IDLE = 0,
    NGX_LIVE_RECORD_NOTIFY_WAITING,        /* for its receiver */
    NGX_LIVE_RECORD_NOTIFY_SENDING,
    NGX_LIVE_RECORD_NOTIFY_RESTING         /* after a failure */
} ngx_live_record_notify_state_e;


/* the receiver of a live_record_notify, for this worker */

typedef struct {
    ngx_live_record_notify_conf_t   *conf;
    ngx_queue_t                      waiting;
    ngx_queue_t                      resting;
    ngx_uint_t                       active;
    ngx_uint_t                       fails;    /* in a row */
    ngx_msec_t                       next;     /* not before, if it is down */
    ngx_event_t                      timer;
    unsigned                         told:1;
} ngx_live_record_receiver_t;


typedef struct {
    ngx_queue_t                      all;
    ngx_queue_t                      queue;    /* of its receiver */
    ngx_live_record_receiver_t      *receiver;
    ngx_live_record_ship_t          *ship;     /* NULL: it has let go */
    ngx_str_t                        path;     /* app/stream/id */

    ngx_live_record_notify_state_e   state;
    ngx_uint_t                       tries;
    ngx_uint_t                       waits;
    ngx_event_t                      timer;
    uint64_t                         size;     /* of record.log, last seen */
    ngx_uint_t                       refusals; /* of the bucket, taken in */

    CURL                            *easy;
    struct curl_slist               *headers;
    ngx_live_record_curl_t           transfer;
    size_t                           answered;
    char                             curl_err[CURL_ERROR_SIZE];

    ngx_live_record_notify_outcome_t  outcome;  /* to be journalled */

    /* the thread's while it is at it */

    ngx_thread_task_t                task;
    ngx_live_record_notify_outcome_t  work;
    lr_notice_t                      notice;
    ngx_uint_t                       open;
    lr_notice_head_t                 head;     /* number 0: none */
    lr_buf_t                         body;
    int                              rc;
    int                              next;     /* of lr_notice_next() */
    const char                      *refusal;  /* of the bucket, or NULL */
    char                             refused[128];
    char                             err[512];

    unsigned                         busy:1;   /* a thread is at it */
    unsigned                         news:1;
    unsigned                         last:1;   /* no more news will come */
    unsigned                         ending:1; /* the thread knows that */
    unsigned                         done:1;
    unsigned                         told:1;
    unsigned                         homeless:1;
} ngx_live_record_notifier_t;


static void ngx_live_record_notify_bucket(ngx_live_record_ship_t *s,
    ngx_live_record_notifier_t *n);
static ngx_live_record_notifier_t *ngx_live_record_notifier(
    ngx_live_record_ship_t *s);
static void ngx_live_record_notify_run(ngx_live_record_notifier_t *n);
static void ngx_live_record_notify_thread(void *data, ngx_log_t *log);
static void ngx_live_record_notify_unwritten(ngx_live_record_notifier_t *n);
static int ngx_live_record_notify_journal(ngx_live_record_notifier_t *n);
static void ngx_live_record_notify_history(ngx_live_record_notifier_t *n);
static void ngx_live_record_notify_ran(ngx_event_t *ev);
static void ngx_live_record_notify_failed(ngx_live_record_notifier_t *n);
static void ngx_live_record_notify_advance(ngx_live_record_notifier_t *n);
static void ngx_live_record_notify_done(ngx_live_record_notifier_t *n);
static void ngx_live_record_notify_follow(ngx_live_record_notifier_t *n);
static void ngx_live_record_notify_timer(ngx_event_t *ev);
static void ngx_live_record_receiver_timer(ngx_event_t *ev);
static void ngx_live_record_receiver_run(ngx_live_record_receiver_t *r);
static void ngx_live_record_receiver_expire(ngx_live_record_receiver_t *r);
static void ngx_live_record_receiver_well(ngx_live_record_receiver_t *r);
static void ngx_live_record_notify_send(ngx_live_record_notifier_t *n);
static ngx_int_t ngx_live_record_notify_setup(ngx_live_record_notifier_t *n);
static ngx_int_t ngx_live_record_notify_header(ngx_live_record_notifier_t *n,
    const char *fmt, ...);
static size_t ngx_live_record_notify_read(char *p, size_t size, size_t n,
    void *data);
static void ngx_live_record_notify_sent(void *data, CURLcode rc);
static void ngx_live_record_notify_refused(ngx_live_record_notifier_t *n);
static ngx_uint_t ngx_live_record_notify_late(ngx_live_record_notifier_t *n);
static void ngx_live_record_notify_give_up(ngx_live_record_notifier_t *n);
static void ngx_live_record_notify_clear(ngx_live_record_notifier_t *n);
static void ngx_live_record_notify_free(ngx_live_record_notifier_t *n);
static ngx_msec_t ngx_live_record_notify_delay(ngx_uint_t tries);


static ngx_queue_t  ngx_live_record_notifiers;


ngx_int_t
ngx_live_record_notify_init(ngx_cycle_t *cycle)
{
    ngx_uint_t                       i, n;
    ngx_live_record_receiver_t      *r;
    ngx_live_record_srv_conf_t     **lscf;
    ngx_live_record_notify_conf_t   *nc;

    ngx_queue_init(&ngx_live_record_notifiers);

    lscf = ngx_live_record_conf->servers.elts;
    n = 0;

    for (i = 0; i < ngx_live_record_conf->servers.nelts; i++) {

        nc = lscf[i]->notify;

        if (nc == NULL) {
            continue;
        }

        r = ngx_pcalloc(cycle->pool, sizeof(ngx_live_record_receiver_t));
        if (r == NULL) {
            return NGX_ERROR;
        }

        r->conf = nc;
        r->timer.handler = ngx_live_record_receiver_timer;
        r->timer.data = r;
        r->timer.log = cycle->log;
        r->timer.cancelable = 1;

        ngx_queue_init(&r->waiting);
        ngx_queue_init(&r->resting);

        nc->receiver = r;
        n += NGX_LIVE_RECORD_NOTIFY_ACTIVE;
    }

    return n ? ngx_live_record_curl_init(cycle, n) : NGX_OK;
}


void
ngx_live_record_notify_exit(void)
{
    ngx_queue_t                 *q;
    ngx_live_record_notifier_t  *n;

    while (!ngx_queue_empty(&ngx_live_record_notifiers)) {
        q = ngx_queue_head(&ngx_live_record_notifiers);
        n = ngx_queue_data(q, ngx_live_record_notifier_t, all);

        ngx_live_record_notify_free(n);
    }
}


void
ngx_live_record_notify_tell(ngx_live_record_ship_t *s)
{
    ngx_live_record_notifier_t  *n;

    n = s->notify ? s->notify : ngx_live_record_notifier(s);

    if (n && !n->done) {
        n->news = 1;
        ngx_live_record_notify_run(n);
    }
}


void
ngx_live_record_notify_see(ngx_live_record_ship_t *s)
{
    ngx_live_record_notifier_t  *n;

    n = s->notify;

    if (n == NULL) {
        return;
    }

    if (n->size != s->size) {
        n->size = s->size;
        ngx_live_record_notify_tell(s);
    }

    ngx_live_record_notify_bucket(s, n);
}


/*
 * One asks a bucket that refuses, but all that wait for it are concerned; not
 * so while only some objects are refused.
 */

static void
ngx_live_record_notify_bucket(ngx_live_record_ship_t *s,
    ngx_live_record_notifier_t *n)
{
    ngx_live_record_bucket_t  *b;

    if (s->request == NULL || (!s->busy && !s->timer.timer_set) || n->busy) {
        return;
    }

    b = s->request->bucket;

    if (b->refusal == NULL || n->refusals == b->refusals
        || (!b->gate.down && !(s->refused && s->timer.timer_set)))
    {
        return;
    }

    n->refusals = b->refusals;
    n->refusal = b->refusal;
    ngx_memcpy(n->refused, b->refused, sizeof(n->refused));

    ngx_live_record_notify_tell(s);
}


ngx_uint_t
ngx_live_record_notify_finished(ngx_live_record_ship_t *s)
{
    ngx_live_record_notifier_t  *n;

    n = s->notify;

    if (n == NULL) {

        /* there was no memory for it when it was opened */

        if (s->ship.settings.notify == 0) {
            return 1;
        }

        n = ngx_live_record_notifier(s);

        if (n == NULL) {
            return 0;
        }
    }

    if (n->done) {
        return 1;
    }

    if (!n->last) {
        n->last = 1;
        ngx_live_record_notify_tell(s);
    }

    return 0;
}


static ngx_live_record_notifier_t *
ngx_live_record_notifier(ngx_live_record_ship_t *s)
{
    ngx_live_record_notifier_t  *n;

    /* its settings are not the loop's to read while it is being opened */

    if (!s->open || s->busy || s->ship.settings.notify == 0) {
        return NULL;
    }

    n = ngx_calloc(sizeof(ngx_live_record_notifier_t) + s->sn.str.len + 1,
                   ngx_cycle->log);
    if (n == NULL) {
        return NULL;
    }

    n->path.len = s->sn.str.len;
    n->path.data = (u_char *) n + sizeof(ngx_live_record_notifier_t);
    ngx_cpystrn(n->path.data, s->sn.str.data, n->path.len + 1);

    n->ship = s;
    n->size = s->size;
    n->notice.fd = -1;

    n->timer.handler = ngx_live_record_notify_timer;
    n->timer.data = n;
    n->timer.log = ngx_cycle->log;
    n->timer.cancelable = 1;

    n->transfer.handler = ngx_live_record_notify_sent;
    n->transfer.data = n;

    ngx_queue_insert_tail(&ngx_live_record_notifiers, &n->all);
    s->notify = n;

    return n;
}


void
ngx_live_record_notify_forget(ngx_live_record_ship_t *s)
{
    ngx_live_record_notifier_t  *n;
    ngx_live_record_receiver_t  *r;

    n = s->notify;

    if (n == NULL) {
        return;
    }

    s->notify = NULL;
    n->ship = NULL;

    /* others may wait for its turn to end */

    r = n->state == NGX_LIVE_RECORD_NOTIFY_SENDING ? n->receiver : NULL;

    ngx_live_record_notify_clear(n);

    if (!n->busy) {
        ngx_live_record_notify_free(n);
    }

    if (r) {
        ngx_live_record_receiver_run(r);
    }
}


static void
ngx_live_record_notify_run(ngx_live_record_notifier_t *n)
{
    if (n->busy || n->done
        || (ngx_exiting && n->outcome.result
                           == NGX_LIVE_RECORD_NOTIFY_NOTHING))
    {
        return;
    }

    if (n->outcome.result != NGX_LIVE_RECORD_NOTIFY_NOTHING) {
        n->work = n->outcome;
        n->outcome.result = NGX_LIVE_RECORD_NOTIFY_NOTHING;
    }

    n->news = 0;
    n->ending = n->last;

    if (ngx_live_record_thread_post(&n->task, ngx_live_record_notify_thread,
                                    ngx_live_record_notify_ran, n)
        != NGX_OK)
    {
        n->ending = 0;

        if (!n->timer.timer_set) {
            ngx_add_timer(&n->timer, NGX_LIVE_RECORD_NOTIFY_WAIT);
        }

        return;
    }

    n->busy = 1;
}


static void
ngx_live_record_notify_thread(void *data, ngx_log_t *log)
{
    ngx_live_record_notifier_t *n = data;

    char  dir[LR_PATH_MAX];

    n->err[0] = '\0';
    n->rc = LR_OK;

    if (!n->open) {

        (void) snprintf(dir, sizeof(dir), "%s/%s",
                        (char *) ngx_live_record_conf->spool.data,
                        (char *) n->path.data);

        n->rc = lr_notice_open(&n->notice, dir, n->err, sizeof(n->err));

        if (n->rc != LR_OK) {
            return;
        }

        n->open = 1;
        n->notice.fsync = ngx_live_record_conf->fsync;
    }

    if (n->work.result != NGX_LIVE_RECORD_NOTIFY_NOTHING) {

        n->rc = ngx_live_record_notify_journal(n);

        if (n->rc != LR_OK) {
            ngx_live_record_notify_unwritten(n);
            return;
        }
    }

    n->rc = lr_notice_take(&n->notice, ngx_live_record_now(), n->err,
                           sizeof(n->err));

    if (n->rc == LR_OK && n->refusal) {
        n->rc = lr_notice_refused(&n->notice, n->refusal, n->refused,
                                  ngx_live_record_now());

        if (n->rc != LR_OK) {
            ngx_live_record_notify_unwritten(n);
            return;
        }

        n->refusal = NULL;
    }

    if (n->rc != LR_OK || n->head.number) {
        return;
    }

    n->next = lr_notice_next(&n->notice, &n->head, n->err, sizeof(n->err));

    if (n->next == LR_OK) {
        n->body.len = 0;

        if (lr_notice_body(&n->notice, &n->head, &n->body) != LR_OK) {
            lr_buf_free(&n->body);
            json_decref(n->head.facts);
            n->head.number = 0;
            (void) snprintf(n->err, sizeof(n->err), "no memory");
            n->next = LR_ERROR;
        }
    }

    if (n->next == LR_ERROR) {
        n->rc = LR_ERROR;
    }
}


static void
ngx_live_record_notify_unwritten(ngx_live_record_notifier_t *n)
{
    (void) snprintf(n->err, sizeof(n->err), "writing to notify.log failed "
                    "(%d: %s)", ngx_errno, strerror(ngx_errno));
}


/* once more after a failure: it is journalled before it is in the history */

static int
ngx_live_record_notify_journal(ngx_live_record_notifier_t *n)
{
    unsigned  status;

    if (n->work.result != NGX_LIVE_RECORD_NOTIFY_FAILED) {

        status = n->work.result == NGX_LIVE_RECORD_NOTIFY_TAKEN
                 ? n->work.status : 0;

        if (lr_notice_done(&n->notice, status, n->work.why,
                           ngx_live_record_now())
            != LR_OK)
        {
            return LR_ERROR;
        }
    }

    ngx_live_record_notify_history(n);

    if (n->work.result != NGX_LIVE_RECORD_NOTIFY_FAILED) {
        json_decref(n->head.facts);
        ngx_memzero(&n->head, sizeof(lr_notice_head_t));
    }

    n->work.result = NGX_LIVE_RECORD_NOTIFY_NOTHING;

    return LR_OK;
}


/* a spool that is full has to do without it */

static void
ngx_live_record_notify_history(ngx_live_record_notifier_t *n)
{
    char          id[LR_ID_MAX + 16];
    int64_t       now;
    lr_notice_t  *notice;

    now = ngx_live_record_now();
    notice = &n->notice;

    (void) snprintf(id, sizeof(id), "%s-%u",
                    strrchr((char *) n->path.data, '/') + 1, n->head.number);

    (void) lr_history_append((char *) ngx_live_record_conf->spool.data, now,
               json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:s%, s:i,"
                         " s:s, s:s}",
                         "time", (json_int_t) now,
                         "domain", notice->settings.domain,
                         "app", notice->settings.app,
                         "stream", notice->settings.stream,
                         "type", lr_notice_type(&n->head),
                         "id", id,
                         "url", n->work.to,
                         "content", (char *) n->body.data, n->body.len,
                         "status", (int) n->work.status,
                         "result",
                         n->work.result == NGX_LIVE_RECORD_NOTIFY_TAKEN
                         ? "success" : "failed",
                         "why", n->work.why));
}


static void
ngx_live_record_notify_ran(ngx_event_t *ev)
{
    ngx_live_record_notifier_t  *n;

    n = ev->data;
    n->busy = 0;

    if (n->ship == NULL) {
        ngx_live_record_notify_free(n);
        return;
    }

    if (ngx_exiting) {
        return;
    }

    if (n->rc != LR_OK) {
        ngx_live_record_notify_failed(n);
        return;
    }

    n->told = 0;

    /* what has been sent in the meantime is journalled first */

    if (n->state == NGX_LIVE_RECORD_NOTIFY_IDLE
        && n->outcome.result == NGX_LIVE_RECORD_NOTIFY_NOTHING)
    {
        ngx_live_record_notify_advance(n);
    }

    if (n->news) {
        ngx_live_record_notify_run(n);
    }
}


static void
ngx_live_record_notify_failed(ngx_live_record_notifier_t *n)
{
    if (n->rc == LR_DECLINED) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "live record: callbacks of \"%V\" are given up, its "
                      "journals cannot be understood: %s", &n->path, n->err);
        ngx_live_record_notify_clear(n);
        ngx_live_record_notify_done(n);
        return;
    }

    if (n->rc == LR_ERROR && !n->told) {
        n->told = 1;
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "live record: callbacks of \"%V\" wait: %s", &n->path,
                      n->err);
    }

    if (!n->timer.timer_set) {
        ngx_add_timer(&n->timer, n->rc == LR_AGAIN
                                 ? NGX_LIVE_RECORD_NOTIFY_WAIT
                                 : NGX_LIVE_RECORD_NOTIFY_DELAY);
    }
}


/* what comes after a thread has looked */

static void
ngx_live_record_notify_advance(ngx_live_record_notifier_t *n)
{
    ngx_live_record_receiver_t     *r;
    ngx_live_record_notify_conf_t  *nc;

    if (n->head.number == 0) {

        if (n->next == LR_AGAIN) {

            /* an earlier recording of the stream has to go first */

            if (n->waits < NGX_LIVE_RECORD_NOTIFY_WAITS) {
                n->waits++;
            }

            if (!n->timer.timer_set) {
                ngx_add_timer(&n->timer,
                              n->waits * NGX_LIVE_RECORD_NOTIFY_WAIT);
            }

            return;
        }

        if (n->ending && !n->news) {
            ngx_live_record_notify_done(n);
        }

        return;
    }

    n->waits = 0;

    /* the configuration of today says where to */

    nc = ngx_live_record_find_notify(ngx_live_record_conf,
                                     n->notice.settings.scope);

    if (nc == NULL) {

        if (!n->homeless) {
            n->homeless = 1;
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "live record: callbacks of \"%V\" are given up: "
                          "there is no \"live_record_notify\" for them any "
                          "more", &n->path);
        }

        ngx_live_record_count(ngx_live_record_counts->callbacks[
                                         NGX_LIVE_RECORD_CALLBACK_GIVEN], 1);

        n->outcome.result = NGX_LIVE_RECORD_NOTIFY_GIVEN;
        n->outcome.status = 0;
        n->outcome.to[0] = '\0';
        (void) snprintf(n->outcome.why, sizeof(n->outcome.why),
                        "no live_record_notify");

        ngx_live_record_notify_run(n);
        return;
    }

    r = nc->receiver;

    n->receiver = r;
    n->state = NGX_LIVE_RECORD_NOTIFY_WAITING;

    ngx_queue_insert_tail(&r->waiting, &n->queue);
    ngx_live_record_receiver_run(r);
}


static void
ngx_live_record_notify_done(ngx_live_record_notifier_t *n)
{
    ngx_live_record_ship_t  *s;

    n->done = 1;

    if (n->open) {
        n->open = 0;
        lr_notice_close(&n->notice);
    }

    ngx_live_record_notify_follow(n);

    s = n->ship;
    s->news = 1;
    ngx_live_record_ship_see(s);
}


/*
 * The next recording of the stream may have waited for this one, and would not
 * look again for seconds: of a camera that comes and goes there may be
 * thousands.  What is in another worker looks by itself.
 */

static void
ngx_live_record_notify_follow(ngx_live_record_notifier_t *n)
{
    ngx_live_record_ship_t      *s;
    ngx_live_record_notifier_t  *next;

    s = n->ship;

    do {
        s = ngx_live_record_ship_after(s);
        next = s ? s->notify : NULL;
    } while (s && (next == NULL || next->done));

    if (next == NULL || next->waits == 0) {
        return;
    }

    next->news = 1;

    if (next->timer.timer_set && next->state == NGX_LIVE_RECORD_NOTIFY_IDLE) {
        ngx_del_timer(&next->timer);
        ngx_live_record_notify_run(next);
    }
}


static void
ngx_live_record_notify_timer(ngx_event_t *ev)
{
    ngx_live_record_notifier_t  *n;

    n = ev->data;

    if (ngx_exiting) {
        return;
    }

    if (n->state == NGX_LIVE_RECORD_NOTIFY_RESTING) {
        n->state = NGX_LIVE_RECORD_NOTIFY_WAITING;
        ngx_queue_remove(&n->queue);
        ngx_queue_insert_tail(&n->receiver->waiting, &n->queue);
        ngx_live_record_receiver_run(n->receiver);
        return;
    }

    ngx_live_record_notify_run(n);
}


static void
ngx_live_record_receiver_timer(ngx_event_t *ev)
{
    ngx_live_record_receiver_run(ev->data);
}


static void
ngx_live_record_receiver_run(ngx_live_record_receiver_t *r)
{
    ngx_uint_t                   down;
    ngx_queue_t                 *q;
    ngx_msec_int_t               wait;
    ngx_live_record_notifier_t  *n;

    if (ngx_live_record_leaving()) {
        return;
    }

    while (!ngx_queue_empty(&r->waiting)) {

        down = r->fails >= NGX_LIVE_RECORD_NOTIFY_DOWN;

        if (r->active >= (down ? 1 : NGX_LIVE_RECORD_NOTIFY_ACTIVE)) {
            return;
        }

        wait = (ngx_msec_int_t) (r->next - ngx_current_msec);

        if (down && wait > 0) {
            ngx_live_record_receiver_expire(r);

            if (!r->timer.timer_set) {
                ngx_add_timer(&r->timer, (ngx_msec_t) wait);
            }

            return;
        }

        q = ngx_queue_head(&r->waiting);
        n = ngx_queue_data(q, ngx_live_record_notifier_t, queue);

        ngx_queue_remove(q);
        r->active++;

        ngx_live_record_notify_send(n);
    }
}


/* what is too old does not wait for its turn at one that is down */

static void
ngx_live_record_receiver_expire(ngx_live_record_receiver_t *r)
{
    ngx_queue_t                 *q, *next;
    ngx_live_record_notifier_t  *n;

    for (q = ngx_queue_head(&r->waiting);
         q != ngx_queue_sentinel(&r->waiting);
         q = next)
    {
        next = ngx_queue_next(q);
        n = ngx_queue_data(q, ngx_live_record_notifier_t, queue);

        if (!ngx_live_record_notify_late(n)) {
            continue;
        }

        ngx_queue_remove(q);
        n->state = NGX_LIVE_RECORD_NOTIFY_IDLE;

        n->outcome.status = 0;
        (void) snprintf(n->outcome.why, sizeof(n->outcome.why),
                        "the receiver does not answer");
        ngx_cpystrn((u_char *) n->outcome.to, r->conf->name.data,
                    ngx_min(r->conf->name.len + 1, sizeof(n->outcome.to)));

        ngx_live_record_notify_give_up(n);

        n->news = 1;
        ngx_live_record_notify_run(n);
    }
}


/* a receiver that is back is told at once what it has missed */

static void
ngx_live_record_receiver_well(ngx_live_record_receiver_t *r)
{
    ngx_queue_t                 *q;
    ngx_live_record_notifier_t  *n;

    if (r->told) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "live record: callbacks to \"%V\" are taken again",
                      &r->conf->name);
    }

    r->told = 0;

    if (r->fails >= NGX_LIVE_RECORD_NOTIFY_DOWN) {

        while (!ngx_queue_empty(&r->resting)) {
            q = ngx_queue_head(&r->resting);
            n = ngx_queue_data(q, ngx_live_record_notifier_t, queue);

            ngx_queue_remove(q);
            ngx_queue_insert_tail(&r->waiting, q);

            n->state = NGX_LIVE_RECORD_NOTIFY_WAITING;

            if (n->timer.timer_set) {
                ngx_del_timer(&n->timer);
            }
        }
    }

    r->fails = 0;
}


static void
ngx_live_record_notify_send(ngx_live_record_notifier_t *n)
{
    n->state = NGX_LIVE_RECORD_NOTIFY_SENDING;
    n->answered = 0;
    n->curl_err[0] = '\0';

    if (ngx_live_record_notify_setup(n) == NGX_OK
        && ngx_live_record_curl_start(n->easy, &n->transfer) == NGX_OK)
    {
        return;
    }

    ngx_live_record_notify_sent(n, CURLE_OUT_OF_MEMORY);
}


static ngx_int_t
ngx_live_record_notify_setup(ngx_live_record_notifier_t *n)
{
    CURL                           *e;
    char                            sign[33];
    time_t                          now;
    ngx_live_record_notify_conf_t  *nc;

    nc = n->receiver->conf;

    e = curl_easy_init();
    n->easy = e;

    if (e == NULL
        || ngx_live_record_notify_header(n, "Content-Type: application/json")
           != NGX_OK
        || ngx_live_record_notify_header(n, "Expect:") != NGX_OK
        || ngx_live_record_notify_header(n, "X-Live-Record-Id: %s-%u",
                                strrchr((char *) n->path.data, '/') + 1,
                                n->head.number)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (nc->key.len) {

        now = ngx_time();

        if (lr_notice_sign((char *) nc->host.data, now, (char *) nc->key.data,
                           sign)
            != LR_OK
            || ngx_live_record_notify_header(n, "ALI-LIVE-TIMESTAMP: %lld",
                                             (long long) now)
               != NGX_OK
            || ngx_live_record_notify_header(n, "ALI-LIVE-SIGNATURE: %s",
                                             sign)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, n->curl_err);
    curl_easy_setopt(e, CURLOPT_URL, (char *) nc->url.data);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, n->headers);
    curl_easy_setopt(e, CURLOPT_USERAGENT, "ngx_live_record");
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_PROXY, "");
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS,
                     (long) NGX_LIVE_RECORD_NOTIFY_TIMEOUT);
    curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE,
                     (curl_off_t) n->body.len);
    curl_easy_setopt(e, CURLOPT_POSTFIELDS, (char *) n->body.data);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, ngx_live_record_notify_read);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, (void *) n);

    if (nc->ca_file.len) {
        curl_easy_setopt(e, CURLOPT_CAINFO, (char *) nc->ca_file.data);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_live_record_notify_header(ngx_live_record_notifier_t *n, const char *fmt,
    ...)
{
    char                line[LR_ID_MAX + 128];
    va_list             args;
    struct curl_slist  *headers;

    va_start(args, fmt);
    (void) vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);

    headers = curl_slist_append(n->headers, line);
    if (headers == NULL) {
        return NGX_ERROR;
    }

    n->headers = headers;

    return NGX_OK;
}


static size_t
ngx_live_record_notify_read(char *p, size_t size, size_t n, void *data)
{
    ngx_live_record_notifier_t *notifier = data;

    notifier->answered += size * n;

    return notifier->answered > NGX_LIVE_RECORD_NOTIFY_ANSWER ? 0 : size * n;
}


static void
ngx_live_record_notify_sent(void *data, CURLcode rc)
{
    ngx_live_record_notifier_t *n = data;

    long                         status;
    ngx_live_record_receiver_t  *r;

    r = n->receiver;
    status = 0;

    if (n->easy) {
        curl_easy_getinfo(n->easy, CURLINFO_RESPONSE_CODE, &status);
        curl_easy_cleanup(n->easy);
        n->easy = NULL;
    }

    curl_slist_free_all(n->headers);
    n->headers = NULL;

    /* whoever says 200 and then too much has taken it all the same */

    if (rc == CURLE_WRITE_ERROR
        && n->answered > NGX_LIVE_RECORD_NOTIFY_ANSWER)
    {
        rc = CURLE_OK;
    }

    r->active--;
    n->state = NGX_LIVE_RECORD_NOTIFY_IDLE;
    n->outcome.status = (unsigned) status;
    n->tries++;

    ngx_cpystrn((u_char *) n->outcome.to, r->conf->name.data,
                ngx_min(r->conf->name.len + 1, sizeof(n->outcome.to)));

    if (rc == CURLE_OK && status == 200) {
        n->outcome.why[0] = '\0';
        n->tries = 0;
        n->outcome.result = NGX_LIVE_RECORD_NOTIFY_TAKEN;
        ngx_live_record_count(ngx_live_record_counts->callbacks[
                                         NGX_LIVE_RECORD_CALLBACK_TAKEN], 1);
        ngx_live_record_receiver_well(r);

    } else {

        if (rc == CURLE_OK) {
            (void) snprintf(n->outcome.why, sizeof(n->outcome.why),
                            "HTTP status %ld", status);
        } else {
            (void) snprintf(n->outcome.why, sizeof(n->outcome.why), "%s",
                            n->curl_err[0] ? n->curl_err
                                           : curl_easy_strerror(rc));
        }

        ngx_live_record_notify_refused(n);
    }

    if (n->outcome.result != NGX_LIVE_RECORD_NOTIFY_NOTHING) {
        n->news = 1;
        ngx_live_record_notify_run(n);
    }

    ngx_live_record_receiver_run(r);
}


static void
ngx_live_record_notify_refused(ngx_live_record_notifier_t *n)
{
    ngx_live_record_receiver_t  *r;

    r = n->receiver;

    r->fails++;

    if (r->fails >= NGX_LIVE_RECORD_NOTIFY_DOWN) {
        r->next = ngx_current_msec
                  + ngx_live_record_notify_delay(r->fails + 1
                                             - NGX_LIVE_RECORD_NOTIFY_DOWN);
    }

    if (!r->told && n->tries == 1) {
        r->told = 1;
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "live record: a callback of \"%V\" to \"%V\" was not "
                      "taken: %s; it is tried again", &n->path,
                      &r->conf->name, n->outcome.why);
    }

    if (ngx_live_record_notify_late(n)) {
        ngx_live_record_notify_give_up(n);
        return;
    }

    ngx_live_record_count(ngx_live_record_counts->callbacks[
                                        NGX_LIVE_RECORD_CALLBACK_FAILED], 1);

    if (n->tries == 1) {
        n->outcome.result = NGX_LIVE_RECORD_NOTIFY_FAILED;
    }

    n->state = NGX_LIVE_RECORD_NOTIFY_RESTING;
    ngx_queue_insert_tail(&r->resting, &n->queue);

    if (n->timer.timer_set) {
        ngx_del_timer(&n->timer);
    }

    ngx_add_timer(&n->timer, ngx_live_record_notify_delay(n->tries));
}


static ngx_uint_t
ngx_live_record_notify_late(ngx_live_record_notifier_t *n)
{
    return ngx_live_record_now() - n->head.time
           >= (int64_t) n->receiver->conf->retry * 1000;
}


static void
ngx_live_record_notify_give_up(ngx_live_record_notifier_t *n)
{
    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "live record: callback %uD of \"%V\" to \"%V\" is given "
                  "up after %L seconds: %s", n->head.number, &n->path,
                  &n->receiver->conf->name,
                  (ngx_live_record_now() - n->head.time) / 1000,
                  n->outcome.why);

    n->tries = 0;
    n->outcome.result = NGX_LIVE_RECORD_NOTIFY_GIVEN;

    ngx_live_record_count(ngx_live_record_counts->callbacks[
                                         NGX_LIVE_RECORD_CALLBACK_GIVEN], 1);
}


/* takes it out of its receiver's hands */

static void
ngx_live_record_notify_clear(ngx_live_record_notifier_t *n)
{
    if (n->timer.timer_set) {
        ngx_del_timer(&n->timer);
    }

    switch (n->state) {

    case NGX_LIVE_RECORD_NOTIFY_WAITING:
    case NGX_LIVE_RECORD_NOTIFY_RESTING:
        ngx_queue_remove(&n->queue);
        break;

    case NGX_LIVE_RECORD_NOTIFY_SENDING:
        ngx_live_record_curl_stop(n->easy);
        curl_easy_cleanup(n->easy);
        curl_slist_free_all(n->headers);
        n->easy = NULL;
        n->headers = NULL;
        n->receiver->active--;
        break;

    case NGX_LIVE_RECORD_NOTIFY_IDLE:
        break;
    }

    n->state = NGX_LIVE_RECORD_NOTIFY_IDLE;
}


static void
ngx_live_record_notify_free(ngx_live_record_notifier_t *n)
{
    ngx_queue_remove(&n->all);

    if (n->timer.timer_set) {
        ngx_del_timer(&n->timer);
    }

    if (n->open) {
        lr_notice_close(&n->notice);
    }

    json_decref(n->head.facts);
    lr_buf_free(&n->body);
    ngx_free(n);
}


static ngx_msec_t
ngx_live_record_notify_delay(ngx_uint_t tries)
{
    ngx_msec_t  delay;

    for (delay = NGX_LIVE_RECORD_NOTIFY_DELAY;
         tries > 1 && delay < NGX_LIVE_RECORD_NOTIFY_REST;
         tries--)
    {
        delay *= 2;
    }

    return ngx_min(delay, NGX_LIVE_RECORD_NOTIFY_REST);
}
