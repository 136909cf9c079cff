
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_live_record_shared.h"


/* the slab pool itself takes one for some hundred of the others */

#define NGX_LIVE_RECORD_SHARED_POOL(size)                                     \
    (16 * ngx_pagesize + (size) / ngx_pagesize * sizeof(ngx_slab_page_t))


static ngx_int_t ngx_live_record_shared_init(ngx_shm_zone_t *zone, void *data);


ngx_shm_zone_t *
ngx_live_record_shared_add(ngx_conf_t *cf, const char *name, size_t size)
{
    ngx_str_t        s;
    ngx_shm_zone_t  *zone;

    s.data = (u_char *) name;
    s.len = ngx_strlen(name);

    size = ngx_align(size + NGX_LIVE_RECORD_SHARED_POOL(size), ngx_pagesize);

    zone = ngx_shared_memory_add(cf, &s, size, &ngx_live_record_module);

    if (zone) {
        zone->init = ngx_live_record_shared_init;
    }

    return zone;
}


/* at a reload the workers of before go on with it */

static ngx_int_t
ngx_live_record_shared_init(ngx_shm_zone_t *zone, void *data)
{
    size_t  size;

    zone->data = data ? data : ngx_live_record_shared_all(zone, &size);

    return zone->data ? NGX_OK : NGX_ERROR;
}


void *
ngx_live_record_shared_all(ngx_shm_zone_t *zone, size_t *size)
{
    ngx_slab_pool_t  *pool;

    /* fresh pages are zero, and those never used are not touched */

    pool = (ngx_slab_pool_t *) zone->shm.addr;

    *size = pool->pfree * ngx_pagesize;

    return ngx_slab_alloc(pool, *size);
}


void *
ngx_live_record_shared_lock(ngx_shm_zone_t *zone)
{
    ngx_shmtx_lock(&((ngx_slab_pool_t *) zone->shm.addr)->mutex);

    return zone->data;
}


void
ngx_live_record_shared_unlock(ngx_shm_zone_t *zone)
{
    ngx_shmtx_unlock(&((ngx_slab_pool_t *) zone->shm.addr)->mutex);
}


ngx_uint_t
ngx_live_record_gone(ngx_pid_t pid)
{
    return kill(pid, 0) == -1 && ngx_errno == ESRCH;
}
