
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Tables of a fixed size in memory that the workers share.  A worker that
 * is killed in the middle leaves an entry with its pid, or half of one that
 * is still free: what makes an entry count is written last.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_rtmp.h>

#include "ngx_live_record_streams.h"
#include "ngx_live_record_shared.h"


#define NGX_LIVE_RECORD_STREAMS  4096
#define NGX_LIVE_RECORD_ORDERS   64

/* after so long nobody waits for a result any more, ms */
#define NGX_LIVE_RECORD_ORDER_OLD  60000


typedef enum {
    NGX_LIVE_RECORD_ORDER_SENT = 0,
    NGX_LIVE_RECORD_ORDER_TAKEN,
    NGX_LIVE_RECORD_ORDER_DONE
} ngx_live_record_order_e;


typedef struct {
    uint64_t                     serial;
    ngx_pid_t                    pid;
    ngx_live_record_published_t  name;
} ngx_live_record_streams_entry_t;


typedef struct {
    uint64_t                  serial;         /* 0: free */
    uint64_t                  stream;
    ngx_pid_t                 pid;
    ngx_uint_t                what;
    ngx_uint_t                state;          /* ngx_live_record_order_e */
    ngx_uint_t                result;
    ngx_msec_t                sent;           /* by a clock never set back */
} ngx_live_record_orders_entry_t;


/* the hashes are apart, so that a look at all of them is short; 0: free */

typedef struct {
    ngx_atomic_t                     sent;    /* commands, of all times */
    uint64_t                         serial;
    uint32_t                         hash[NGX_LIVE_RECORD_STREAMS];
    ngx_live_record_streams_entry_t  streams[NGX_LIVE_RECORD_STREAMS];
    ngx_live_record_orders_entry_t   orders[NGX_LIVE_RECORD_ORDERS];
} ngx_live_record_streams_t;


static ngx_live_record_streams_t *ngx_live_record_streams_lock(void);
static void ngx_live_record_streams_unlock(void);
static int ngx_live_record_streams_compare(const void *one,
    const void *two);
static uint32_t ngx_live_record_streams_hash(const char *app,
    const char *stream);
static ngx_uint_t ngx_live_record_streams_place(
    ngx_live_record_streams_t *t);
static void ngx_live_record_streams_sweep(ngx_live_record_streams_t *t,
    ngx_pid_t pid);
static ngx_live_record_orders_entry_t *ngx_live_record_streams_order(
    ngx_live_record_streams_t *t, ngx_live_record_order_t *order);


static ngx_atomic_uint_t  ngx_live_record_streams_seen;
static ngx_uint_t         ngx_live_record_streams_told;


ngx_int_t
ngx_live_record_streams_add(ngx_conf_t *cf,
    ngx_live_record_main_conf_t *lmcf)
{
    lmcf->streams = ngx_live_record_shared_add(cf, "live_record_streams",
                                          sizeof(ngx_live_record_streams_t));

    return lmcf->streams ? NGX_OK : NGX_ERROR;
}


static ngx_live_record_streams_t *
ngx_live_record_streams_lock(void)
{
    return ngx_live_record_shared_lock(ngx_live_record_conf->streams);
}


static void
ngx_live_record_streams_unlock(void)
{
    ngx_live_record_shared_unlock(ngx_live_record_conf->streams);
}


void
ngx_live_record_streams_init(void)
{
    ngx_live_record_streams_t  *t;

    ngx_live_record_streams_told = 0;

    t = ngx_live_record_streams_lock();

    /* what bears our own pid is of a worker that had it before */

    ngx_live_record_streams_sweep(t, ngx_pid);

    ngx_live_record_streams_seen = t->sent;

    ngx_live_record_streams_unlock();
}


void
ngx_live_record_streams_exit(void)
{
    ngx_live_record_streams_sweep(ngx_live_record_streams_lock(), ngx_pid);
    ngx_live_record_streams_unlock();
}


void
ngx_live_record_streams_enter(ngx_live_record_stream_t *s,
    const char *scope, const char *app, const char *stream)
{
    ngx_uint_t                        i;
    ngx_live_record_streams_t        *t;
    ngx_live_record_streams_entry_t  *e;

    ngx_memzero(s, sizeof(ngx_live_record_stream_t));

    t = ngx_live_record_streams_lock();

    i = ngx_live_record_streams_place(t);

    if (i == NGX_LIVE_RECORD_STREAMS) {
        ngx_live_record_streams_sweep(t, NGX_INVALID_PID);
        i = ngx_live_record_streams_place(t);
    }

    if (i < NGX_LIVE_RECORD_STREAMS) {
        e = &t->streams[i];

        e->serial = ++t->serial;
        e->pid = ngx_pid;
        e->name.why = NGX_LIVE_RECORD_WHY_WAITS;
        ngx_cpystrn((u_char *) e->name.scope, (u_char *) scope,
                    sizeof(e->name.scope));
        ngx_cpystrn((u_char *) e->name.app, (u_char *) app,
                    sizeof(e->name.app));
        ngx_cpystrn((u_char *) e->name.stream, (u_char *) stream,
                    sizeof(e->name.stream));

        ngx_memory_barrier();
        t->hash[i] = ngx_live_record_streams_hash(app, stream);

        s->place = i;
        s->serial = e->serial;
        s->pid = ngx_pid;
    }

    ngx_live_record_streams_unlock();

    if (s->serial == 0 && !ngx_live_record_streams_told) {
        ngx_live_record_streams_told = 1;
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "live record: more than %d streams are published, "
                      "commands do not reach all of them",
                      NGX_LIVE_RECORD_STREAMS);
    }
}


void
ngx_live_record_streams_leave(ngx_live_record_stream_t *s)
{
    ngx_live_record_streams_t  *t;

    if (s->serial == 0) {
        return;
    }

    t = ngx_live_record_streams_lock();

    if (t->streams[s->place].serial == s->serial) {
        t->hash[s->place] = 0;
    }

    ngx_live_record_streams_unlock();

    s->serial = 0;
}


ngx_int_t
ngx_live_record_streams_find(ngx_live_record_stream_t *s,
    const char *domain, const char *app, const char *stream)
{
    uint32_t                          hash;
    ngx_uint_t                        i, rank, best;
    ngx_live_record_streams_t        *t;
    ngx_live_record_streams_entry_t  *e;

    hash = ngx_live_record_streams_hash(app, stream);

    best = 0;
    s->serial = 0;

    t = ngx_live_record_streams_lock();

    for (i = 0; i < NGX_LIVE_RECORD_STREAMS; i++) {

        if (t->hash[i] != hash) {
            continue;
        }

        e = &t->streams[i];

        if (ngx_strcmp(e->name.app, app) != 0
            || ngx_strcmp(e->name.stream, stream) != 0)
        {
            continue;
        }

        rank = e->name.scope[0] == '\0' ? 1
               : ngx_strcasecmp((u_char *) e->name.scope, (u_char *) domain)
                 == 0 ? 2 : 0;

        if (rank == 0 || rank < best
            || (rank == best && e->serial < s->serial))
        {
            continue;
        }

        if (ngx_live_record_gone(e->pid)) {
            t->hash[i] = 0;
            continue;
        }

        best = rank;
        s->place = i;
        s->serial = e->serial;
        s->pid = e->pid;
    }

    ngx_live_record_streams_unlock();

    return s->serial ? NGX_OK : NGX_DECLINED;
}


void
ngx_live_record_streams_why(ngx_live_record_stream_t *s,
    ngx_live_record_why_e why)
{
    ngx_live_record_streams_t  *t;

    if (s->serial == 0) {
        return;
    }

    t = ngx_live_record_streams_lock();

    if (t->streams[s->place].serial == s->serial) {
        t->streams[s->place].name.why = why;
    }

    ngx_live_record_streams_unlock();
}


ngx_int_t
ngx_live_record_streams_list(ngx_live_record_published_t **list, size_t *n)
{
    size_t                       count;
    ngx_int_t                    rc;
    ngx_uint_t                   i;
    ngx_live_record_streams_t   *t;

    rc = NGX_OK;
    count = 0;
    *n = 0;
    *list = NULL;

    t = ngx_live_record_streams_lock();

    ngx_live_record_streams_sweep(t, NGX_INVALID_PID);

    for (i = 0; i < NGX_LIVE_RECORD_STREAMS; i++) {
        count += t->hash[i] != 0;
    }

    if (count) {
        *list = malloc(count * sizeof(ngx_live_record_published_t));

        if (*list == NULL) {
            rc = NGX_ERROR;
            count = 0;
        }
    }

    for (i = 0; *n < count; i++) {
        if (t->hash[i]) {
            (*list)[(*n)++] = t->streams[i].name;
        }
    }

    ngx_live_record_streams_unlock();

    if (count) {
        qsort(*list, count, sizeof(ngx_live_record_published_t),
              ngx_live_record_streams_compare);
    }

    return rc;
}


static int
ngx_live_record_streams_compare(const void *one, const void *two)
{
    const ngx_live_record_published_t *a = one;
    const ngx_live_record_published_t *b = two;

    int  rc;

    rc = ngx_strcmp(a->scope, b->scope);
    rc = rc ? rc : ngx_strcmp(a->app, b->app);

    return rc ? rc : ngx_strcmp(a->stream, b->stream);
}


/* of app and stream, never 0 */

static uint32_t
ngx_live_record_streams_hash(const char *app, const char *stream)
{
    uint32_t  crc;

    ngx_crc32_init(crc);
    ngx_crc32_update(&crc, (u_char *) app, ngx_strlen(app) + 1);
    ngx_crc32_update(&crc, (u_char *) stream, ngx_strlen(stream));
    ngx_crc32_final(crc);

    return crc | 1;
}


/* a free one, or their number */

static ngx_uint_t
ngx_live_record_streams_place(ngx_live_record_streams_t *t)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_LIVE_RECORD_STREAMS; i++) {
        if (t->hash[i] == 0) {
            break;
        }
    }

    return i;
}


/* frees entries of workers that are gone, and of this pid */

static void
ngx_live_record_streams_sweep(ngx_live_record_streams_t *t, ngx_pid_t pid)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_LIVE_RECORD_STREAMS; i++) {
        if (t->hash[i]
            && (t->streams[i].pid == pid
                || ngx_live_record_gone(t->streams[i].pid)))
        {
            t->hash[i] = 0;
        }
    }
}


ngx_int_t
ngx_live_record_streams_send(ngx_live_record_stream_t *s, ngx_uint_t what,
    ngx_live_record_order_t *order)
{
    ngx_int_t                        rc;
    ngx_uint_t                       i;
    ngx_live_record_streams_t       *t;
    ngx_live_record_orders_entry_t  *e;

    rc = NGX_ERROR;

    t = ngx_live_record_streams_lock();

    for (i = 0; i < NGX_LIVE_RECORD_ORDERS; i++) {
        e = &t->orders[i];

        if (e->serial
            && (ngx_msec_int_t) (ngx_current_msec - e->sent)
               < NGX_LIVE_RECORD_ORDER_OLD)
        {
            continue;
        }

        e->serial = 0;
        e->stream = s->serial;
        e->pid = s->pid;
        e->what = what;
        e->state = NGX_LIVE_RECORD_ORDER_SENT;
        e->sent = ngx_current_msec;

        order->place = i;
        order->serial = ++t->serial;
        order->pid = s->pid;
        order->stream = s->serial;
        order->what = what;

        ngx_memory_barrier();
        e->serial = order->serial;

        (void) ngx_atomic_fetch_add(&t->sent, 1);

        rc = NGX_OK;
        break;
    }

    ngx_live_record_streams_unlock();

    return rc;
}


ngx_int_t
ngx_live_record_streams_result(ngx_live_record_order_t *order,
    ngx_uint_t *result)
{
    ngx_int_t                        rc;
    ngx_live_record_streams_t       *t;
    ngx_live_record_orders_entry_t  *e;

    rc = NGX_AGAIN;

    t = ngx_live_record_streams_lock();

    e = ngx_live_record_streams_order(t, order);

    if (e == NULL) {
        rc = NGX_DECLINED;

    } else if (e->state == NGX_LIVE_RECORD_ORDER_DONE) {
        *result = e->result;
        e->serial = 0;
        rc = NGX_OK;

    } else if (ngx_live_record_gone(order->pid)) {
        e->serial = 0;
        rc = NGX_DECLINED;
    }

    ngx_live_record_streams_unlock();

    return rc;
}


void
ngx_live_record_streams_withdraw(ngx_live_record_order_t *order)
{
    ngx_live_record_streams_t       *t;
    ngx_live_record_orders_entry_t  *e;

    t = ngx_live_record_streams_lock();

    e = ngx_live_record_streams_order(t, order);

    if (e) {
        e->serial = 0;
    }

    ngx_live_record_streams_unlock();
}


ngx_int_t
ngx_live_record_streams_next(ngx_live_record_order_t *order)
{
    ngx_int_t                        rc;
    ngx_uint_t                       i;
    ngx_atomic_uint_t                sent;
    ngx_live_record_streams_t       *t;
    ngx_live_record_orders_entry_t  *e;

    t = ngx_live_record_conf->streams->data;

    if (t->sent == ngx_live_record_streams_seen) {
        return NGX_DECLINED;
    }

    rc = NGX_DECLINED;

    t = ngx_live_record_streams_lock();

    sent = t->sent;

    for (i = 0; i < NGX_LIVE_RECORD_ORDERS; i++) {
        e = &t->orders[i];

        if (e->serial && e->pid == ngx_pid
            && e->state == NGX_LIVE_RECORD_ORDER_SENT)
        {
            e->state = NGX_LIVE_RECORD_ORDER_TAKEN;

            order->place = i;
            order->serial = e->serial;
            order->pid = ngx_pid;
            order->stream = e->stream;
            order->what = e->what;

            rc = NGX_OK;
            break;
        }
    }

    /* when there is none left it is not looked again before the next */

    if (rc == NGX_DECLINED) {
        ngx_live_record_streams_seen = sent;
    }

    ngx_live_record_streams_unlock();

    return rc;
}


void
ngx_live_record_streams_done(ngx_live_record_order_t *order,
    ngx_uint_t result)
{
    ngx_live_record_streams_t       *t;
    ngx_live_record_orders_entry_t  *e;

    t = ngx_live_record_streams_lock();

    e = ngx_live_record_streams_order(t, order);

    if (e) {
        e->result = result;
        e->state = NGX_LIVE_RECORD_ORDER_DONE;
    }

    ngx_live_record_streams_unlock();
}


/* NULL: its place has been given to another one */

static ngx_live_record_orders_entry_t *
ngx_live_record_streams_order(ngx_live_record_streams_t *t,
    ngx_live_record_order_t *order)
{
    ngx_live_record_orders_entry_t  *e;

    e = &t->orders[order->place];

    return e->serial == order->serial ? e : NULL;
}
