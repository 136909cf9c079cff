
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The grace of a stream's recordings, ended before its time.
 */


#ifndef _LR_GRACE_H_INCLUDED_
#define _LR_GRACE_H_INCLUDED_


#include "lr_core.h"


/*
 * Ends at "now", in unix ms, those recordings of a stream that nobody
 * records any more and whose grace still runs.  They have the domain as
 * their scope, or none.  *n is how many there were, and none is left.
 * LR_AGAIN: one of them is locked by somebody who is looking at it, or has a
 * recorder.  LR_ERROR with a reason in err.
 */
int lr_grace_cancel(const char *spool, const char *domain, const char *app,
    const char *stream, int64_t now, unsigned *n, char *err, size_t size);


#endif /* _LR_GRACE_H_INCLUDED_ */
