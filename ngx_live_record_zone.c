
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The memory that workers share, to know how much the spool still takes, and
 * the looks at its disk.  It is made when a configuration is read: what is
 * wrong with the directories then leaves the old configuration in place.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "lr_spool.h"
#include "ngx_live_record.h"
#include "ngx_live_record_thread.h"


/* how often it is asked whether it is this worker's turn to look, ms */
#define NGX_LIVE_RECORD_TURN  (LR_QUOTA_LOOK / 4)

/* with what a pool of slabs needs for itself */
#define NGX_LIVE_RECORD_ZONE                                                  \
    (ngx_align(sizeof(lr_quota_zone_t), 4096) + 16 * ngx_pagesize)


typedef struct {
    ngx_event_t                  timer;
    ngx_thread_task_t            task;
    lr_quota_look_t              look;
    lr_quota_disk_t              disk;
    int                          rc;
    ngx_err_t                    err;
    unsigned                     usage:1;
    unsigned                     busy:1;
    unsigned                     told:1;
} ngx_live_record_look_t;


static ngx_int_t ngx_live_record_zone_made(ngx_shm_zone_t *shm_zone,
    void *data);
static void ngx_live_record_look(ngx_event_t *ev);
static void ngx_live_record_look_thread(void *data, ngx_log_t *log);
static void ngx_live_record_look_done(ngx_event_t *ev);


static ngx_live_record_look_t  ngx_live_record_look_state;


lr_quota_t  ngx_live_record_quota;


/* a spool has one zone, also over reloads that change other things */

ngx_int_t
ngx_live_record_zone_add(ngx_conf_t *cf, ngx_live_record_main_conf_t *lmcf)
{
    u_char          *p;
    ngx_str_t        name;
    ngx_shm_zone_t  *shm_zone;

    static ngx_str_t  prefix = ngx_string("live_record:");

    name.len = prefix.len + lmcf->spool.len;
    name.data = ngx_pnalloc(cf->pool, name.len);
    if (name.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(name.data, prefix.data, prefix.len);
    ngx_memcpy(p, lmcf->spool.data, lmcf->spool.len);

    shm_zone = ngx_shared_memory_add(cf, &name, NGX_LIVE_RECORD_ZONE,
                                     &ngx_live_record_module);
    if (shm_zone == NULL) {
        return NGX_ERROR;
    }

    lmcf->cycle = cf->cycle;

    shm_zone->init = ngx_live_record_zone_made;
    shm_zone->data = lmcf;

    return NGX_OK;
}


static ngx_int_t
ngx_live_record_zone_made(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_slab_pool_t              *shpool;
    ngx_live_record_main_conf_t  *lmcf;

    lmcf = shm_zone->data;
    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (ngx_live_record_init_paths(lmcf->cycle, lmcf) != NGX_OK
        || ngx_live_record_own(lmcf->cycle, lmcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (data == NULL) {
        shpool->data = ngx_slab_calloc(shpool, sizeof(lr_quota_zone_t));
        if (shpool->data == NULL) {
            return NGX_ERROR;
        }
    }

    lmcf->zone_addr = shpool->data;

    lr_quota_limits(lmcf->zone_addr, lmcf->max_size, lmcf->min_free);

    return NGX_OK;
}


ngx_int_t
ngx_live_record_zone_init(ngx_cycle_t *cycle)
{
    ngx_live_record_look_t  *look;

    if (lr_quota_join(&ngx_live_record_quota, ngx_live_record_conf->zone_addr,
                      (int32_t) ngx_pid)
        != LR_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "live record: more than %d workers use one spool",
                      LR_QUOTA_MEMBERS);
        return NGX_ERROR;
    }

    look = &ngx_live_record_look_state;
    ngx_memzero(look, sizeof(ngx_live_record_look_t));

    ngx_live_record_timer_init(&look->timer, ngx_live_record_look);
    ngx_add_timer(&look->timer, 1);

    return NGX_OK;
}


void
ngx_live_record_zone_exit(void)
{
    ngx_live_record_look_t  *look;

    look = &ngx_live_record_look_state;

    if (look->busy) {
        lr_quota_seen(&look->look, NULL, ngx_current_msec);
    }

    lr_quota_leave(&ngx_live_record_quota);
}


static void
ngx_live_record_look(ngx_event_t *ev)
{
    ngx_live_record_look_t  *look;

    look = &ngx_live_record_look_state;

    ngx_add_timer(ev, NGX_LIVE_RECORD_TURN);

    if (look->busy
        || !lr_quota_due(ngx_live_record_conf->zone_addr, ngx_current_msec))
    {
        return;
    }

    lr_quota_look(&look->look, ngx_live_record_conf->zone_addr,
                  ngx_current_msec);

    /* of whatever generation of the configuration the limit is */

    look->usage = ngx_live_record_conf->zone_addr->max_size != 0;

    /* before the thread reads what is in the same word */

    look->busy = 1;

    if (ngx_live_record_thread_post(&look->task, ngx_live_record_look_thread,
                                    ngx_live_record_look_done, look)
        != NGX_OK)
    {
        look->busy = 0;
        lr_quota_seen(&look->look, NULL, ngx_current_msec);
    }
}


static void
ngx_live_record_look_thread(void *data, ngx_log_t *log)
{
    ngx_live_record_look_t *look = data;

    look->rc = lr_spool_disk((char *) ngx_live_record_conf->spool.data,
                             look->usage, &look->disk);
    look->err = ngx_errno;
}


static void
ngx_live_record_look_done(ngx_event_t *ev)
{
    ngx_live_record_look_t  *look;

    look = ev->data;
    look->busy = 0;

    if (look->rc != LR_OK) {
        lr_quota_seen(&look->look, NULL, ngx_current_msec);

        if (!look->told) {
            look->told = 1;
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, look->err,
                          "live record: statvfs(\"%V\") failed, it is not "
                          "known how much room the spool has",
                          &ngx_live_record_conf->spool);
        }

        return;
    }

    look->told = 0;

    lr_quota_seen(&look->look, &look->disk, ngx_current_msec);
}


const char *
ngx_live_record_zone_why(void)
{
    return ngx_live_record_quota.zone->by_disk
           ? "the disk of the spool has reached its min_free"
           : "the spool has reached its max_size";
}


void
ngx_live_record_zone_text(char *text, size_t size)
{
    lr_quota_state_t  state;

    lr_quota_state(ngx_live_record_quota.zone, &state);

    if (state.by_disk) {
        (void) snprintf(text, size, "the disk of the spool has reached its "
                        "min_free: %lld bytes are free for \"%s\", %lld have "
                        "to be left", (long long) state.is,
                        (char *) ngx_live_record_conf->spool.data,
                        (long long) state.limit);
        return;
    }

    (void) snprintf(text, size, "the spool has reached its max_size: \"%s\" "
                    "takes %lld bytes of %lld",
                    (char *) ngx_live_record_conf->spool.data,
                    (long long) state.is, (long long) state.limit);
}
