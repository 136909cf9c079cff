
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Shared memory that holds one struct of a fixed size, which is zero at
 * first and outlives a reload.
 */


#ifndef _NGX_LIVE_RECORD_SHARED_H_INCLUDED_
#define _NGX_LIVE_RECORD_SHARED_H_INCLUDED_


#include "ngx_live_record.h"


/* while the configuration is read: a zone for a struct of so many bytes */
ngx_shm_zone_t *ngx_live_record_shared_add(ngx_conf_t *cf, const char *name,
    size_t size);

/*
 * For the init handler of other zones: all the memory that a new one has,
 * or NULL.
 */
void *ngx_live_record_shared_all(ngx_shm_zone_t *zone, size_t *size);

/*
 * The struct, locked: the lock is that of nginx's slab pool, which the master
 * takes away from dead workers.
 */
void *ngx_live_record_shared_lock(ngx_shm_zone_t *zone);
void ngx_live_record_shared_unlock(ngx_shm_zone_t *zone);

/* whether the process that has left something in a zone has ended */
ngx_uint_t ngx_live_record_gone(ngx_pid_t pid);


#endif /* _NGX_LIVE_RECORD_SHARED_H_INCLUDED_ */
