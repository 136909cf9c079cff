
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The spool's tree: <spool>/<app>/<stream>/<id>/, and beside it .tmp for
 * what comes and goes, and quarantine for what was not understood.
 */


#ifndef _LR_SPOOL_H_INCLUDED_
#define _LR_SPOOL_H_INCLUDED_


#include "lr_core.h"
#include "lr_quota.h"
#include "lr_recording.h"


typedef struct {
    char           *path;             /* below the spool: app/stream/id */
    uint64_t        size;             /* of its record.log */
} lr_spool_entry_t;


typedef struct {
    lr_spool_entry_t   *entries;
    size_t              n;
    size_t              nalloc;
    size_t              shut;         /* directories that cannot be read */
    char                shut_path[LR_PATH_MAX];  /* the first of them */
    int                 shut_error;
} lr_spool_list_t;


/*
 * Lists the recordings in the spool that fall to worker number "index" of
 * "workers": hash(id) mod workers.  A list can be used again.  LR_ERROR with
 * errno: the spool cannot be read, or no memory.  Where a directory below it
 * cannot be read, the list has the others.
 */
int lr_spool_scan(lr_spool_list_t *list, const char *spool, uint32_t index,
    uint32_t workers);

/* the worker of so many that a recording falls to, by its id */
uint32_t lr_spool_worker(const char *id, uint32_t workers);

void lr_spool_free(lr_spool_list_t *list);

/* what all recordings in the spool take on the disk, in bytes */
uint64_t lr_spool_usage(const char *spool);

/*
 * What there is of the spool's disk, and if "usage" is set, what the spool
 * takes of it: that costs a stat() of each file.  LR_ERROR with errno.
 */
int lr_spool_disk(const char *spool, unsigned usage, lr_quota_disk_t *disk);

/*
 * Once, at the start: sets aside what has no place in the tree, and removes
 * what an earlier run left in .tmp.  Calls told() for each entry set aside.
 */
void lr_spool_tidy(const char *spool,
    void (*told)(void *data, const char *path), void *data);

/*
 * Moves a recording, or any other entry, to <spool>/quarantine/<name>, or
 * <name>.<n>.  LR_AGAIN: it has a recorder; LR_ERROR with errno.
 */
int lr_spool_quarantine(const char *spool, const char *path,
    const char *name);

/* removes a directory of files */
void lr_spool_sweep(const char *dir);


#endif /* _LR_SPOOL_H_INCLUDED_ */
