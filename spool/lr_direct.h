
/*
 * Copyright (C) the ngx_live_record authors
 *
 * A file written past the page cache (O_DIRECT), where its file system is
 * known to do that well: ext4 and XFS.  What nobody reads soon costs a copy
 * and a page of memory less then, and drives nothing else out of the cache.
 *
 *     lr_direct_begin(&d, fd, 1);
 *     lr_direct_write(&d, p, n);           as often as is needed
 *     lr_direct_end(&d);
 *
 * Only whole blocks of LR_DIRECT_ALIGN bytes, which are aligned in memory and
 * in the file, can take that way; the rest goes through the page cache.
 */


#ifndef _LR_DIRECT_H_INCLUDED_
#define _LR_DIRECT_H_INCLUDED_


#include "lr_core.h"


#define LR_DIRECT_ALIGN  4096

/* fewer bytes are not worth waiting for the disk */
#define LR_DIRECT_MIN    65536


typedef struct {
    int            fd;
    uint64_t       offset;    /* of the next byte */
    unsigned       able:1;    /* the file system can do it */
    unsigned       on:1;      /* the descriptor is set to it */
} lr_direct_t;


/*
 * fd is open for writing, which begins where it stands; it stays the caller's.
 * With "direct" 0 all is written as by write().  LR_ERROR with errno.
 */
int lr_direct_begin(lr_direct_t *d, int fd, unsigned direct);

/* all n bytes, or LR_ERROR with errno */
int lr_direct_write(lr_direct_t *d, const u_char *p, size_t n);

/* the descriptor is as it was, behind what was written; LR_ERROR with errno */
int lr_direct_end(lr_direct_t *d);


#endif /* _LR_DIRECT_H_INCLUDED_ */
