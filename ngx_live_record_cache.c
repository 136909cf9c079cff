
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_live_record_cache.h"


/* of all texts of a worker, and of one that is worth it */
#define NGX_LIVE_RECORD_CACHE_MAX   (4 * 1024 * 1024)
#define NGX_LIVE_RECORD_CACHE_TEXT  (64 * 1024)


typedef struct {
    ngx_str_node_t               sn;          /* str: "bucket/key" */
    ngx_queue_t                  queue;       /* the last used one first */
    size_t                       size;        /* of all of it */
    char                        *version;
    u_char                      *text;
    size_t                       len;
} ngx_live_record_cached_t;


static ngx_live_record_cached_t *ngx_live_record_cache_find(
    ngx_live_record_bucket_t *bucket, const char *key);
static ngx_int_t ngx_live_record_cache_name(ngx_str_t *name, u_char *buf,
    size_t size, ngx_live_record_bucket_t *bucket, const char *key);
static void ngx_live_record_cache_drop(ngx_live_record_cached_t *c);


static ngx_rbtree_t       ngx_live_record_cache_tree;
static ngx_rbtree_node_t  ngx_live_record_cache_sentinel;
static ngx_queue_t        ngx_live_record_cache_used;
static size_t             ngx_live_record_cache_size;


void
ngx_live_record_cache_init(void)
{
    ngx_queue_init(&ngx_live_record_cache_used);
    ngx_rbtree_init(&ngx_live_record_cache_tree,
                    &ngx_live_record_cache_sentinel,
                    ngx_str_rbtree_insert_value);

    ngx_live_record_cache_size = 0;
}


void
ngx_live_record_cache_exit(void)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&ngx_live_record_cache_used)) {
        q = ngx_queue_last(&ngx_live_record_cache_used);

        ngx_live_record_cache_drop(
                        ngx_queue_data(q, ngx_live_record_cached_t, queue));
    }
}


ngx_int_t
ngx_live_record_cache_get(ngx_live_record_bucket_t *bucket, const char *key,
    const char *version, lr_buf_t *text)
{
    ngx_live_record_cached_t  *c;

    c = ngx_live_record_cache_find(bucket, key);

    if (c == NULL || ngx_strcmp(c->version, version) != 0) {
        return NGX_DECLINED;
    }

    lr_buf_append(text, c->text, c->len);

    if (text->failed) {
        lr_buf_free(text);
        return NGX_DECLINED;
    }

    ngx_queue_remove(&c->queue);
    ngx_queue_insert_head(&ngx_live_record_cache_used, &c->queue);

    return NGX_OK;
}


void
ngx_live_record_cache_put(ngx_live_record_bucket_t *bucket, const char *key,
    const char *version, const lr_buf_t *text)
{
    size_t                     size, len;
    u_char                    *p, buf[LR_NAME_LEN + LR_NAME_KEY_LEN + 2];
    ngx_str_t                  name;
    ngx_queue_t               *q;
    ngx_live_record_cached_t  *c;

    c = ngx_live_record_cache_find(bucket, key);

    if (c) {
        ngx_live_record_cache_drop(c);
    }

    /* a store that lists no ETag does not tell versions apart */

    if (version[0] == '-' || text->len > NGX_LIVE_RECORD_CACHE_TEXT
        || ngx_live_record_cache_name(&name, buf, sizeof(buf), bucket, key)
           != NGX_OK)
    {
        return;
    }

    len = ngx_strlen(version) + 1;
    size = sizeof(ngx_live_record_cached_t) + name.len + len + text->len;

    c = ngx_alloc(size, ngx_cycle->log);
    if (c == NULL) {
        return;
    }

    p = (u_char *) c + sizeof(ngx_live_record_cached_t);

    c->size = size;
    c->sn.node.key = ngx_crc32_long(name.data, name.len);
    c->sn.str.len = name.len;
    c->sn.str.data = p;
    p = ngx_cpymem(p, name.data, name.len);

    c->version = (char *) p;
    p = ngx_cpymem(p, version, len);

    c->text = p;
    c->len = text->len;
    ngx_memcpy(p, text->data, text->len);

    ngx_rbtree_insert(&ngx_live_record_cache_tree, &c->sn.node);
    ngx_queue_insert_head(&ngx_live_record_cache_used, &c->queue);
    ngx_live_record_cache_size += size;

    while (ngx_live_record_cache_size > NGX_LIVE_RECORD_CACHE_MAX) {
        q = ngx_queue_last(&ngx_live_record_cache_used);

        ngx_live_record_cache_drop(
                        ngx_queue_data(q, ngx_live_record_cached_t, queue));
    }
}


static ngx_live_record_cached_t *
ngx_live_record_cache_find(ngx_live_record_bucket_t *bucket, const char *key)
{
    u_char     buf[LR_NAME_LEN + LR_NAME_KEY_LEN + 2];
    ngx_str_t  name;

    if (ngx_live_record_cache_name(&name, buf, sizeof(buf), bucket, key)
        != NGX_OK)
    {
        return NULL;
    }

    return (ngx_live_record_cached_t *)
           ngx_str_rbtree_lookup(&ngx_live_record_cache_tree, &name,
                                 ngx_crc32_long(name.data, name.len));
}


static ngx_int_t
ngx_live_record_cache_name(ngx_str_t *name, u_char *buf, size_t size,
    ngx_live_record_bucket_t *bucket, const char *key)
{
    if (bucket->name.len + 1 + ngx_strlen(key) > size) {
        return NGX_ERROR;
    }

    name->data = buf;
    name->len = ngx_snprintf(buf, size, "%V/%s", &bucket->name, key) - buf;

    return NGX_OK;
}


static void
ngx_live_record_cache_drop(ngx_live_record_cached_t *c)
{
    ngx_rbtree_delete(&ngx_live_record_cache_tree, &c->sn.node);
    ngx_queue_remove(&c->queue);
    ngx_live_record_cache_size -= c->size;
    ngx_free(c);
}
