
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What can be had of a fragment of which the disk does not give back all.
 */


#ifndef _LR_SALVAGE_H_INCLUDED_
#define _LR_SALVAGE_H_INCLUDED_


#include "lr_core.h"


/*
 * Reads all of a fragment's FLV file.  Where that fails with EIO, moves it to
 * the quarantine of the spool, under "name", and puts one in its place that
 * has zeros for what cannot be read, *lost bytes of media, and is as long:
 * what was reckoned with the old one stays right.  Without a table of its
 * rows it ends before the first of them.  LR_DECLINED: all of it can be read;
 * LR_ERROR with errno.
 */
int lr_salvage(const char *spool, const char *dir, uint32_t number,
    const char *name, uint64_t *lost);


#endif /* _LR_SALVAGE_H_INCLUDED_ */
