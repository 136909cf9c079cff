
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The file of access keys: read with the configuration, and again by a
 * thread when it has changed.  What cannot be read allows nothing.
 */


#include "ngx_live_record_api.h"


/* milliseconds between two looks at the file */
#define NGX_LIVE_RECORD_KEYS_LOOK  1000


/* of a setting, with what the worker knows of its file */

struct ngx_live_record_keys_s {
    ngx_str_t           file;
    ngx_thread_pool_t  *pool;

    lr_keys_t           keys;
    ngx_msec_t          looked;
    ngx_queue_t         waiting;       /* calls */

    ngx_thread_task_t   task;
    lr_keys_t           fresh;         /* of the thread */
    int                 rc;
    char                err[LR_KEYS_ERR_LEN];

    unsigned            known:1;       /* looked is set */
    unsigned            reading:1;
    unsigned            failed:1;
};


static void ngx_live_record_keys_cleanup(void *data);
static void ngx_live_record_keys_thread(void *data, ngx_log_t *log);
static void ngx_live_record_keys_done(ngx_event_t *ev);
static void ngx_live_record_keys_take(ngx_live_record_keys_t *k,
    ngx_uint_t level, ngx_log_t *log);


ngx_live_record_keys_t *
ngx_live_record_keys_create(ngx_conf_t *cf, ngx_str_t *file)
{
    ngx_pool_cleanup_t      *cln;
    ngx_live_record_keys_t  *k;

    static ngx_str_t  pool = ngx_string("default");

    cln = ngx_pool_cleanup_add(cf->pool, sizeof(ngx_live_record_keys_t));
    if (cln == NULL) {
        return NULL;
    }

    k = cln->data;
    ngx_memzero(k, sizeof(ngx_live_record_keys_t));
    cln->handler = ngx_live_record_keys_cleanup;

    k->file = *file;

    if (ngx_conf_full_name(cf->cycle, &k->file, 1) != NGX_OK) {
        return NULL;
    }

    k->pool = ngx_thread_pool_add(cf, &pool);
    if (k->pool == NULL) {
        return NULL;
    }

    ngx_queue_init(&k->waiting);

    /* the file may be one that only the master can read */

    k->rc = lr_keys_read(&k->fresh, NULL, (char *) k->file.data, k->err);

    ngx_live_record_keys_take(k, NGX_LOG_WARN, cf->log);

    return k;
}


static void
ngx_live_record_keys_cleanup(void *data)
{
    ngx_live_record_keys_t *k = data;

    lr_keys_free(&k->keys);
}


const lr_keys_t *
ngx_live_record_keys_get(ngx_live_record_keys_t *k)
{
    return &k->keys;
}


ngx_int_t
ngx_live_record_keys_look(ngx_live_record_keys_t *k,
    ngx_live_record_api_t *api)
{
    ngx_thread_task_t  *task;

    if (!k->reading) {

        if (k->known
            && ngx_current_msec - k->looked < NGX_LIVE_RECORD_KEYS_LOOK)
        {
            return NGX_OK;
        }

        task = &k->task;
        task->ctx = k;
        task->handler = ngx_live_record_keys_thread;
        task->event.data = k;
        task->event.handler = ngx_live_record_keys_done;

        if (ngx_thread_task_post(k->pool, task) != NGX_OK) {
            return NGX_ERROR;
        }

        k->reading = 1;
    }

    ngx_queue_insert_tail(&k->waiting, &api->queue);
    api->waiting = 1;

    return NGX_AGAIN;
}


static void
ngx_live_record_keys_thread(void *data, ngx_log_t *log)
{
    ngx_live_record_keys_t *k = data;

    k->rc = lr_keys_read(&k->fresh, &k->keys, (char *) k->file.data, k->err);
}


static void
ngx_live_record_keys_done(ngx_event_t *ev)
{
    ngx_queue_t             *q;
    ngx_live_record_api_t   *api;
    ngx_live_record_keys_t  *k;

    k = ev->data;

    k->reading = 0;
    k->known = 1;
    k->looked = ngx_current_msec;

    if (k->rc != LR_DECLINED) {
        ngx_live_record_keys_take(k, NGX_LOG_ERR, ngx_cycle->log);
    }

    while (!ngx_queue_empty(&k->waiting)) {
        q = ngx_queue_head(&k->waiting);
        api = ngx_queue_data(q, ngx_live_record_api_t, queue);

        ngx_queue_remove(q);
        api->waiting = 0;

        ngx_live_record_api_continue(api);
    }
}


/* what was read replaces what is there; nothing, if it was not */

static void
ngx_live_record_keys_take(ngx_live_record_keys_t *k, ngx_uint_t level,
    ngx_log_t *log)
{
    lr_keys_free(&k->keys);

    if (k->rc != LR_OK) {

        if (!k->failed) {
            ngx_log_error(level, log, 0,
                          "live record: API: no call is allowed, as the keys "
                          "in \"%V\" cannot be taken: %s", &k->file, k->err);
        }

        k->failed = 1;
        return;
    }

    if (k->failed) {
        ngx_log_error(NGX_LOG_NOTICE, log, 0,
                      "live record: API: the keys in \"%V\" are there again",
                      &k->file);
    }

    k->failed = 0;

    k->keys = k->fresh;
    ngx_memzero(&k->fresh, sizeof(lr_keys_t));

    if (lr_keys_public(&k->keys)) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "live record: API: anybody on this machine may read "
                      "the keys in \"%V\"", &k->file);
    }
}
