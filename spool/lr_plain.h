
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Opens files of the spool, where anything may lie in their place: a pipe
 * would hold up its thread for ever.
 */


#ifndef _LR_PLAIN_H_INCLUDED_
#define _LR_PLAIN_H_INCLUDED_


#include "lr_core.h"


/*
 * open() with O_CLOEXEC, of a plain file; a new one is for its owner alone.
 * -1 with errno: ENODATA if it is something else.
 */
int lr_plain_open(const char *path, int flags);


#endif /* _LR_PLAIN_H_INCLUDED_ */
