
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The manifests of the stream are listed, those of recordings that started
 * on the day are read, the index is drawn and put, and then the manifests
 * are listed again: if they are others by now, the whole is done once more.
 * So of several that write the same index, here or on other nodes, the last
 * one has seen all manifests that were there when it put its index.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "lr_m3u8.h"
#include "lr_manifest.h"
#include "ngx_live_record_index.h"
#include "ngx_live_record_manifests.h"
#include "ngx_live_record_thread.h"


/* manifests that change all the time end this */
#define NGX_LIVE_RECORD_DAY_ROUNDS  8

/* a recording's first part bears the time of its first fragment; its day
   begins at most so much before, whatever the zone, and so may the other
   parts of those of a clock that was set back later */
#define NGX_LIVE_RECORD_DAY_BEFORE  ((int64_t) 48 * 3600 * 1000)


typedef enum {
    NGX_LIVE_RECORD_DAY_LIST = 0,
    NGX_LIVE_RECORD_DAY_READ,
    NGX_LIVE_RECORD_DAY_CHECK
} ngx_live_record_day_state_e;


struct ngx_live_record_day_s {
    ngx_live_record_day_state_e   state;
    const lr_ship_t              *ship;
    ngx_live_record_day_pt        handler;
    void                         *data;

    ngx_live_record_manifests_t  *manifests;
    ngx_live_record_request_t    *request;
    ngx_thread_task_t            *task;
    ngx_uint_t                    round;

    lr_buf_t                      keys;       /* those that were read */
    lr_buf_t                      key;
    lr_buf_t                      index;
    int                           rc;

    /* of the event loop, in a word that no thread writes to */

    unsigned                      thread:1;
    unsigned                      freed:1;
};


/* what is needed to choose manifests */

typedef struct {
    const lr_ship_t              *ship;
} ngx_live_record_day_context_t;


static void ngx_live_record_day_list(ngx_live_record_day_t *day,
    ngx_live_record_day_state_e state);
static void ngx_live_record_day_answer(void *data, lr_retry_e result,
    ngx_uint_t after);
static void ngx_live_record_day_read(ngx_live_record_day_t *day);
static int ngx_live_record_day_select(void *data, const lr_buf_t *list,
    lr_buf_t *keys);
static int ngx_live_record_day_ids(const lr_ship_t *ship,
    const lr_buf_t *list, lr_buf_t *ids);
static ngx_uint_t ngx_live_record_day_has(const lr_buf_t *ids,
    const char *id);
static int ngx_live_record_day_date(const lr_ship_t *ship, int64_t time,
    lr_buf_t *date);
static void ngx_live_record_day_draw(ngx_live_record_day_t *day);
static void ngx_live_record_day_thread(void *data, ngx_log_t *log);
static void ngx_live_record_day_drawn(ngx_event_t *ev);
static void ngx_live_record_day_put(ngx_live_record_request_t *req);
static void ngx_live_record_day_finish(ngx_live_record_day_t *day,
    lr_retry_e result, ngx_uint_t after);


ngx_live_record_day_t *
ngx_live_record_day_create(ngx_live_record_bucket_t *bucket,
    const lr_ship_t *ship, ngx_live_record_day_pt handler, void *data)
{
    ngx_live_record_day_t          *day;
    ngx_live_record_manifests_t    *m;
    ngx_live_record_day_context_t  *context;

    day = ngx_calloc(sizeof(ngx_live_record_day_t), ngx_cycle->log);
    if (day == NULL) {
        return NULL;
    }

    day->ship = ship;
    day->handler = handler;
    day->data = data;
    day->request = ngx_live_record_request_create();
    day->task = ngx_calloc(sizeof(ngx_thread_task_t), ngx_cycle->log);
    day->manifests = ngx_live_record_manifests_create(bucket,
                                                      ship->settings.app,
                                                      ship->settings.stream);
    context = ngx_alloc(sizeof(ngx_live_record_day_context_t),
                        ngx_cycle->log);

    if (day->request == NULL || day->task == NULL || day->manifests == NULL
        || context == NULL)
    {
        ngx_free(context);
        ngx_live_record_day_free(day);
        return NULL;
    }

    day->request->bucket = bucket;
    day->request->handler = ngx_live_record_day_put;
    day->request->data = day;

    context->ship = ship;

    m = day->manifests;
    m->context = context;
    m->select = ngx_live_record_day_select;
    m->handler = ngx_live_record_day_answer;
    m->data = day;

    return day;
}


void
ngx_live_record_day_start(ngx_live_record_day_t *day)
{
    ngx_live_record_day_list(day, NGX_LIVE_RECORD_DAY_LIST);
}


static void
ngx_live_record_day_list(ngx_live_record_day_t *day,
    ngx_live_record_day_state_e state)
{
    day->state = state;

    ngx_live_record_manifests_list(day->manifests,
                                   day->ship->earliest
                                   - NGX_LIVE_RECORD_DAY_BEFORE, -1);
}


static void
ngx_live_record_day_answer(void *data, lr_retry_e result, ngx_uint_t after)
{
    ngx_live_record_day_t *day = data;

    ngx_live_record_manifests_t  *m;

    m = day->manifests;

    if (result != LR_RETRY_OK) {
        ngx_live_record_day_finish(day, result, after);
        return;
    }

    switch (day->state) {

    case NGX_LIVE_RECORD_DAY_LIST:
        ngx_live_record_day_read(day);
        return;

    case NGX_LIVE_RECORD_DAY_READ:

        if (m->bad) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "live record: %ui manifests of \"%s/%s\" in bucket "
                          "\"%V\" are not understood, the index of the day "
                          "goes without them", m->bad,
                          day->ship->settings.app, day->ship->settings.stream,
                          &day->request->bucket->name);
        }

        ngx_live_record_day_draw(day);
        return;

    case NGX_LIVE_RECORD_DAY_CHECK:

        if ((m->keys.len == day->keys.len
             && (m->keys.len == 0
                 || ngx_memcmp(m->keys.data, day->keys.data, m->keys.len)
                    == 0))
            || ++day->round == NGX_LIVE_RECORD_DAY_ROUNDS)
        {
            ngx_live_record_day_finish(day, LR_RETRY_OK, 0);
            return;
        }

        ngx_live_record_day_read(day);
    }
}


static void
ngx_live_record_day_read(ngx_live_record_day_t *day)
{
    lr_buf_t  *keys;

    keys = &day->manifests->keys;

    day->keys.len = 0;
    lr_buf_append(&day->keys, keys->data, keys->len);

    if (day->keys.failed) {
        ngx_live_record_day_finish(day, LR_RETRY_AGAIN, 0);
        return;
    }

    day->state = NGX_LIVE_RECORD_DAY_READ;

    ngx_live_record_manifests_read(day->manifests);
}


/* of a listing, the parts of the recordings that started on the day */

static int
ngx_live_record_day_select(void *data, const lr_buf_t *list, lr_buf_t *keys)
{
    ngx_live_record_day_context_t *context = data;

    int                  rc;
    char                *p, *end, *version;
    lr_buf_t             ids;
    lr_manifest_name_t   name;

    ngx_memzero(&ids, sizeof(lr_buf_t));

    rc = ngx_live_record_day_ids(context->ship, list, &ids);

    end = (char *) list->data + list->len;

    for (p = (char *) list->data; rc == LR_OK && p < end;
         p = version + strlen(version) + 1)
    {
        version = p + strlen(p) + 1;

        if (lr_manifest_key_parse(p, &name) == LR_OK
            && ngx_live_record_day_has(&ids, name.id))
        {
            lr_buf_append(keys, p, strlen(p) + 1);
            lr_buf_append(keys, version, strlen(version) + 1);
        }
    }

    lr_buf_free(&ids);

    return keys->failed ? LR_ERROR : rc;
}


/*
 * The recordings whose first part is of the day.  It need not come before
 * the others of its recording in the order of keys, that of their times: the
 * clock may have been set back since.
 */

static int
ngx_live_record_day_ids(const lr_ship_t *ship, const lr_buf_t *list,
    lr_buf_t *ids)
{
    int                  rc;
    char                *p, *end;
    lr_buf_t             date, other;
    lr_manifest_name_t   name;

    ngx_memzero(&date, sizeof(lr_buf_t));
    ngx_memzero(&other, sizeof(lr_buf_t));

    rc = ngx_live_record_day_date(ship, ship->started, &date);

    end = (char *) list->data + list->len;

    for (p = (char *) list->data; rc == LR_OK && p < end;
         p += strlen(p) + 1, p += strlen(p) + 1)
    {
        if (lr_manifest_key_parse(p, &name) != LR_OK || name.part != 0) {
            continue;
        }

        other.len = 0;
        rc = ngx_live_record_day_date(ship, name.time, &other);

        if (rc == LR_OK
            && strcmp((char *) date.data, (char *) other.data) == 0)
        {
            lr_buf_append(ids, name.id, strlen(name.id) + 1);
        }
    }

    lr_buf_free(&date);
    lr_buf_free(&other);

    return ids->failed ? LR_ERROR : rc;
}


static ngx_uint_t
ngx_live_record_day_has(const lr_buf_t *ids, const char *id)
{
    char    *p;
    size_t   i;

    for (i = 0; i < ids->len; i += strlen(p) + 1) {
        p = (char *) ids->data + i;

        if (strcmp(p, id) == 0) {
            return 1;
        }
    }

    return 0;
}


static int
ngx_live_record_day_date(const lr_ship_t *ship, int64_t time,
    lr_buf_t *date)
{
    lr_name_vars_t  vars;

    ngx_memzero(&vars, sizeof(lr_name_vars_t));

    vars.app = ship->settings.app;
    vars.stream = ship->settings.stream;
    vars.start = time;
    vars.end = -1;

    return lr_name_expand("{Date}", &vars, &ship->zone, NULL, date);
}


static void
ngx_live_record_day_draw(ngx_live_record_day_t *day)
{
    day->thread = 1;

    if (ngx_live_record_thread_post(day->task, ngx_live_record_day_thread,
                                    ngx_live_record_day_drawn, day)
        != NGX_OK)
    {
        day->thread = 0;
        ngx_live_record_day_finish(day, LR_RETRY_AGAIN, 0);
    }
}


static void
ngx_live_record_day_thread(void *data, ngx_log_t *log)
{
    ngx_live_record_day_t *day = data;

    lr_segments_t                 list;
    lr_name_vars_t                vars;
    const lr_ship_t              *ship;
    ngx_live_record_manifests_t  *m;

    ship = day->ship;
    m = day->manifests;

    day->rc = LR_ERROR;
    day->key.len = 0;
    day->index.len = 0;

    ngx_memzero(&vars, sizeof(lr_name_vars_t));

    vars.app = ship->settings.app;
    vars.stream = ship->settings.stream;
    vars.start = ship->started;
    vars.end = -1;

    if (lr_name_expand(ship->settings.index_path, &vars, &ship->zone,
                       ".m3u8", &day->key)
        != LR_OK
        || lr_manifest_index(m->parts, m->n, (char *) day->key.data, NULL,
                             &list)
           != LR_OK)
    {
        return;
    }

    day->rc = lr_m3u8_write(list.segs, list.n, &ship->zone, &day->index);

    lr_segments_free(&list);
}


static void
ngx_live_record_day_drawn(ngx_event_t *ev)
{
    ngx_live_record_day_t      *day;
    ngx_live_record_request_t  *req;

    day = ev->data;
    day->thread = 0;

    if (day->freed) {
        ngx_live_record_day_free(day);
        return;
    }

    ngx_live_record_manifests_drop(day->manifests);

    if (day->rc != LR_OK) {
        ngx_live_record_day_finish(day, LR_RETRY_AGAIN, 0);
        return;
    }

    req = day->request;

    ngx_free(req->key);
    req->key = ngx_alloc(day->key.len + 1, ngx_cycle->log);

    if (req->key == NULL) {
        ngx_live_record_day_finish(day, LR_RETRY_AGAIN, 0);
        return;
    }

    ngx_memcpy(req->key, day->key.data, day->key.len + 1);

    req->op = NGX_LIVE_RECORD_PUT;
    req->type = "application/vnd.apple.mpegurl";
    req->kind = LR_OBJECT_INDEX;
    req->tag = day->ship->rec.id;
    req->keep = 0;

    lr_buf_free(&req->body.text);
    req->body.text = day->index;
    ngx_memzero(&day->index, sizeof(lr_buf_t));

    ngx_live_record_request_start(req);
}


static void
ngx_live_record_day_put(ngx_live_record_request_t *req)
{
    ngx_live_record_day_t  *day;

    day = req->data;

    if (req->result != LR_RETRY_OK) {
        ngx_live_record_day_finish(day, req->result, req->retry_after);
        return;
    }

    lr_buf_free(&req->body.text);

    ngx_live_record_day_list(day, NGX_LIVE_RECORD_DAY_CHECK);
}


static void
ngx_live_record_day_finish(ngx_live_record_day_t *day, lr_retry_e result,
    ngx_uint_t after)
{
    day->handler(day->data, result, after);
}


const char *
ngx_live_record_day_key(ngx_live_record_day_t *day)
{
    return (char *) day->key.data;
}


const char *
ngx_live_record_day_error(ngx_live_record_day_t *day)
{
    ngx_live_record_request_t  *req;

    req = day->request;

    return req->local || req->unfit ? req->err : NULL;
}


void
ngx_live_record_day_free(ngx_live_record_day_t *day)
{
    /* a thread reads it: its end frees */

    if (day->thread && !day->freed) {
        day->freed = 1;
        return;
    }

    ngx_live_record_request_free(day->request);
    ngx_live_record_manifests_free(day->manifests);

    lr_buf_free(&day->keys);
    lr_buf_free(&day->key);
    lr_buf_free(&day->index);
    ngx_free(day->task);
    ngx_free(day);
}
