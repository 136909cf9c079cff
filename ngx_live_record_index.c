
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


/* manifests that change all the time end this */
#define NGX_LIVE_RECORD_DAY_ROUNDS  8

/* a recording's first part bears the time of its first fragment; its day
   begins at most so much before, whatever the zone */
#define NGX_LIVE_RECORD_DAY_BEFORE  ((int64_t) 48 * 3600 * 1000)


typedef enum {
    NGX_LIVE_RECORD_DAY_LIST = 0,
    NGX_LIVE_RECORD_DAY_GET,
    NGX_LIVE_RECORD_DAY_PUT,
    NGX_LIVE_RECORD_DAY_CHECK
} ngx_live_record_day_state_e;


struct ngx_live_record_day_s {
    ngx_live_record_day_state_e   state;
    const lr_ship_t              *ship;
    ngx_live_record_day_pt        handler;
    void                         *data;

    ngx_live_record_request_t    *request;
    ngx_thread_task_t            *task;
    ngx_uint_t                    round;

    lr_buf_t                      keys;       /* "key\0version\0" ... */
    size_t                        pos;        /* of the next to be read */
    lr_buf_t                     *texts;      /* as read */
    size_t                        ntexts;
    size_t                        nalloc;

    lr_buf_t                      key;
    lr_buf_t                      index;
    int                           rc;
    ngx_uint_t                    bad;        /* manifests not understood */
    unsigned                      thread:1;
    unsigned                      freed:1;
};


static ngx_int_t ngx_live_record_day_list(ngx_live_record_day_t *day,
    ngx_live_record_day_state_e state);
static void ngx_live_record_day_answer(ngx_live_record_request_t *req);
static int ngx_live_record_day_select(ngx_live_record_day_t *day,
    lr_buf_t *list, lr_buf_t *keys);
static int ngx_live_record_day_date(ngx_live_record_day_t *day, int64_t time,
    lr_buf_t *date);
static void ngx_live_record_day_get(ngx_live_record_day_t *day);
static void ngx_live_record_day_draw(ngx_live_record_day_t *day);
static void ngx_live_record_day_thread(void *data, ngx_log_t *log);
static void ngx_live_record_day_drawn(ngx_event_t *ev);
static char *ngx_live_record_day_dup(const char *s);
static void ngx_live_record_day_finish(ngx_live_record_day_t *day,
    lr_retry_e result, ngx_uint_t after);


ngx_live_record_day_t *
ngx_live_record_day_create(ngx_live_record_bucket_t *bucket,
    const lr_ship_t *ship, ngx_live_record_day_pt handler, void *data)
{
    ngx_live_record_day_t  *day;

    day = ngx_calloc(sizeof(ngx_live_record_day_t), ngx_cycle->log);
    if (day == NULL) {
        return NULL;
    }

    day->ship = ship;
    day->handler = handler;
    day->data = data;
    day->request = ngx_live_record_request_create();
    day->task = ngx_calloc(sizeof(ngx_thread_task_t), ngx_cycle->log);

    if (day->request == NULL || day->task == NULL) {
        ngx_live_record_day_free(day);
        return NULL;
    }

    day->request->bucket = bucket;
    day->request->handler = ngx_live_record_day_answer;
    day->request->data = day;

    return day;
}


void
ngx_live_record_day_start(ngx_live_record_day_t *day)
{
    if (ngx_live_record_day_list(day, NGX_LIVE_RECORD_DAY_LIST) != NGX_OK) {
        ngx_live_record_day_finish(day, LR_RETRY_AGAIN, 0);
    }
}


static ngx_int_t
ngx_live_record_day_list(ngx_live_record_day_t *day,
    ngx_live_record_day_state_e state)
{
    int64_t                     from;
    lr_buf_t                    prefix, after;
    const lr_ship_t            *ship;
    ngx_live_record_request_t  *req;

    ship = day->ship;
    req = day->request;

    ngx_memzero(&prefix, sizeof(lr_buf_t));
    ngx_memzero(&after, sizeof(lr_buf_t));

    from = ngx_max(ship->started - NGX_LIVE_RECORD_DAY_BEFORE, 0);

    ngx_free(req->key);
    ngx_free(req->after);
    req->key = NULL;
    req->after = NULL;

    if (lr_manifest_prefix(NULL, ship->settings.app, ship->settings.stream,
                           &prefix)
        == LR_OK
        && lr_manifest_start_after(NULL, ship->settings.app,
                                   ship->settings.stream, from, &after)
           == LR_OK)
    {
        req->key = ngx_live_record_day_dup((char *) prefix.data);
        req->after = ngx_live_record_day_dup((char *) after.data);
    }

    lr_buf_free(&prefix);
    lr_buf_free(&after);

    if (req->key == NULL || req->after == NULL) {
        return NGX_ERROR;
    }

    day->state = state;
    req->op = NGX_LIVE_RECORD_LIST;

    ngx_live_record_request_start(req);

    return NGX_OK;
}


static void
ngx_live_record_day_answer(ngx_live_record_request_t *req)
{
    int                     same;
    lr_buf_t                keys;
    ngx_live_record_day_t  *day;

    day = req->data;

    if (req->result == LR_RETRY_GONE
        && day->state == NGX_LIVE_RECORD_DAY_GET)
    {
        /* removed since it was listed: the check lists again */

        req->result = LR_RETRY_OK;
        req->answer.len = 0;
    }

    if (req->result != LR_RETRY_OK) {
        ngx_live_record_day_finish(day, req->result, req->retry_after);
        return;
    }

    switch (day->state) {

    case NGX_LIVE_RECORD_DAY_LIST:

        day->keys.len = 0;

        if (ngx_live_record_day_select(day, &req->answer, &day->keys)
            != LR_OK)
        {
            ngx_live_record_day_finish(day, LR_RETRY_AGAIN, 0);
            return;
        }

        day->pos = 0;
        ngx_live_record_day_get(day);
        return;

    case NGX_LIVE_RECORD_DAY_GET:

        day->texts[day->ntexts++] = req->answer;
        ngx_memzero(&req->answer, sizeof(lr_buf_t));
        ngx_live_record_day_get(day);
        return;

    case NGX_LIVE_RECORD_DAY_PUT:

        lr_buf_free(&req->body.text);

        if (ngx_live_record_day_list(day, NGX_LIVE_RECORD_DAY_CHECK)
            != NGX_OK)
        {
            ngx_live_record_day_finish(day, LR_RETRY_AGAIN, 0);
        }

        return;

    case NGX_LIVE_RECORD_DAY_CHECK:

        ngx_memzero(&keys, sizeof(lr_buf_t));

        if (ngx_live_record_day_select(day, &req->answer, &keys) != LR_OK) {
            lr_buf_free(&keys);
            ngx_live_record_day_finish(day, LR_RETRY_AGAIN, 0);
            return;
        }

        same = keys.len == day->keys.len
               && (keys.len == 0
                   || ngx_memcmp(keys.data, day->keys.data, keys.len) == 0);

        if (same || ++day->round == NGX_LIVE_RECORD_DAY_ROUNDS) {
            lr_buf_free(&keys);
            ngx_live_record_day_finish(day, LR_RETRY_OK, 0);
            return;
        }

        lr_buf_free(&day->keys);
        day->keys = keys;
        day->pos = 0;

        ngx_live_record_day_get(day);
    }
}


/* of a listing, the parts of the recordings that started on the day */

static int
ngx_live_record_day_select(ngx_live_record_day_t *day, lr_buf_t *list,
    lr_buf_t *keys)
{
    int                  rc, ours;
    char                *p, *end, *version, *id;
    size_t               i;
    lr_buf_t             date, other, ids;
    lr_manifest_name_t   name;

    ngx_memzero(&date, sizeof(lr_buf_t));
    ngx_memzero(&other, sizeof(lr_buf_t));
    ngx_memzero(&ids, sizeof(lr_buf_t));

    rc = ngx_live_record_day_date(day, day->ship->started, &date);

    p = (char *) list->data;
    end = p + list->len;

    for ( /* void */ ; rc == LR_OK && p < end; p = version + strlen(version)
                                                   + 1)
    {
        version = p + strlen(p) + 1;

        if (lr_manifest_key_parse(p, &name) != LR_OK) {
            continue;
        }

        ours = 0;

        if (name.part == 0) {
            other.len = 0;
            rc = ngx_live_record_day_date(day, name.time, &other);

            ours = rc == LR_OK
                   && strcmp((char *) date.data, (char *) other.data) == 0;

            if (ours) {
                lr_buf_append(&ids, name.id, strlen(name.id) + 1);
            }

        } else {

            /* its first part is before it in the order of keys */

            for (i = 0; i < ids.len; i += strlen(id) + 1) {
                id = (char *) ids.data + i;

                if (strcmp(id, name.id) == 0) {
                    ours = 1;
                    break;
                }
            }
        }

        if (ours) {
            lr_buf_append(keys, p, strlen(p) + 1);
            lr_buf_append(keys, version, strlen(version) + 1);
        }
    }

    if (keys->failed || ids.failed) {
        rc = LR_ERROR;
    }

    lr_buf_free(&date);
    lr_buf_free(&other);
    lr_buf_free(&ids);

    return rc;
}


static int
ngx_live_record_day_date(ngx_live_record_day_t *day, int64_t time,
    lr_buf_t *date)
{
    lr_name_vars_t  vars;

    ngx_memzero(&vars, sizeof(lr_name_vars_t));

    vars.app = day->ship->settings.app;
    vars.stream = day->ship->settings.stream;
    vars.start = time;
    vars.end = -1;

    return lr_name_expand("{Date}", &vars, &day->ship->zone, NULL, date);
}


static void
ngx_live_record_day_get(ngx_live_record_day_t *day)
{
    char                       *key, *version;
    size_t                      i, nalloc;
    lr_buf_t                   *more;
    ngx_live_record_request_t  *req;

    if (day->pos == 0) {
        for (i = 0; i < day->ntexts; i++) {
            lr_buf_free(&day->texts[i]);
        }

        day->ntexts = 0;
    }

    if (day->pos == day->keys.len) {
        ngx_live_record_day_draw(day);
        return;
    }

    key = (char *) day->keys.data + day->pos;
    version = key + strlen(key) + 1;
    day->pos = version + strlen(version) + 1 - (char *) day->keys.data;

    if (day->ntexts == day->nalloc) {
        nalloc = day->nalloc ? day->nalloc * 2 : 16;
        more = realloc(day->texts, nalloc * sizeof(lr_buf_t));

        if (more == NULL) {
            ngx_live_record_day_finish(day, LR_RETRY_AGAIN, 0);
            return;
        }

        day->texts = more;
        day->nalloc = nalloc;
    }

    req = day->request;

    ngx_free(req->key);
    req->key = ngx_live_record_day_dup(key);

    if (req->key == NULL) {
        ngx_live_record_day_finish(day, LR_RETRY_AGAIN, 0);
        return;
    }

    day->state = NGX_LIVE_RECORD_DAY_GET;
    req->op = NGX_LIVE_RECORD_GET;

    ngx_live_record_request_start(req);
}


static void
ngx_live_record_day_draw(ngx_live_record_day_t *day)
{
    ngx_thread_task_t  *task;

    task = day->task;
    task->ctx = day;
    task->handler = ngx_live_record_day_thread;
    task->event.handler = ngx_live_record_day_drawn;
    task->event.data = day;

    day->thread = 1;

    if (ngx_thread_task_post(ngx_live_record_conf->thread_pool, task)
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

    char              err[LR_MANIFEST_ERR];
    size_t            i, n;
    lr_manifest_t   **parts;
    lr_segments_t     list;
    lr_name_vars_t    vars;
    const lr_ship_t  *ship;

    ship = day->ship;
    day->rc = LR_ERROR;
    day->bad = 0;
    day->key.len = 0;
    day->index.len = 0;

    ngx_memzero(&vars, sizeof(lr_name_vars_t));

    vars.app = ship->settings.app;
    vars.stream = ship->settings.stream;
    vars.start = ship->started;
    vars.end = -1;

    if (lr_name_expand(ship->settings.index_path, &vars, &ship->zone,
                       ".m3u8", &day->key)
        != LR_OK)
    {
        return;
    }

    parts = calloc(day->ntexts + 1, sizeof(lr_manifest_t *));
    if (parts == NULL) {
        return;
    }

    n = 0;

    for (i = 0; i < day->ntexts; i++) {

        if (day->texts[i].len == 0) {
            continue;
        }

        if (lr_manifest_read(day->texts[i].data, day->texts[i].len,
                             &parts[n], err, sizeof(err))
            == LR_OK)
        {
            n++;

        } else {
            day->bad++;
        }
    }

    if (lr_manifest_day_index(parts, n, (char *) day->key.data, &list)
        == LR_OK)
    {
        day->rc = lr_m3u8_write(list.segs, list.n, &ship->zone,
                                &day->index);
        lr_segments_free(&list);
    }

    for (i = 0; i < n; i++) {
        lr_manifest_free(parts[i]);
    }

    free(parts);
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

    if (day->bad) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "live record: %ui manifests of \"%s/%s\" in bucket "
                      "\"%V\" are not understood, the index of the day goes "
                      "without them", day->bad, day->ship->settings.app,
                      day->ship->settings.stream,
                      &day->request->bucket->name);
    }

    if (day->rc != LR_OK) {
        ngx_live_record_day_finish(day, LR_RETRY_AGAIN, 0);
        return;
    }

    req = day->request;

    ngx_free(req->key);
    req->key = ngx_live_record_day_dup((char *) day->key.data);

    if (req->key == NULL) {
        ngx_live_record_day_finish(day, LR_RETRY_AGAIN, 0);
        return;
    }

    day->state = NGX_LIVE_RECORD_DAY_PUT;

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


static char *
ngx_live_record_day_dup(const char *s)
{
    char    *p;
    size_t   len;

    len = strlen(s) + 1;

    p = ngx_alloc(len, ngx_cycle->log);

    return p ? memcpy(p, s, len) : NULL;
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


void
ngx_live_record_day_free(ngx_live_record_day_t *day)
{
    size_t  i;

    /* a thread reads it: its end frees */

    if (day->thread && !day->freed) {
        day->freed = 1;
        return;
    }

    ngx_live_record_request_free(day->request);

    for (i = 0; i < day->ntexts; i++) {
        lr_buf_free(&day->texts[i]);
    }

    free(day->texts);
    lr_buf_free(&day->keys);
    lr_buf_free(&day->key);
    lr_buf_free(&day->index);
    ngx_free(day->task);
    ngx_free(day);
}
