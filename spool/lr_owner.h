
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Whose a spool is.  All processes of the owner hold a shared flock() on
 * <spool>/.owner by a descriptor that they inherit, so that it lasts until
 * the last one has gone, however that ends.  The file says who they are.
 */


#ifndef _LR_OWNER_H_INCLUDED_
#define _LR_OWNER_H_INCLUDED_


#include "lr_core.h"


#define LR_OWNER_FILE  ".owner"


/*
 * Takes the spool for "name", the path of a pid file, which is the same for
 * all generations of a service.  A successor takes it whoever has it.  The
 * file is given to uid, unless that is (uid_t) -1.  *fd has to be kept open
 * as long as the spool is used, and is closed by exec().
 *
 * LR_DECLINED: it belongs to another, whose name is in "other", at least
 * LR_PATH_MAX bytes, empty if it is not known.  LR_ERROR with errno.
 */
int lr_owner_take(const char *spool, const char *name, unsigned successor,
    uid_t uid, int *fd, char *other);

/* the number in a pid file; 0 if there is none */
long lr_owner_pid(const char *path);


#endif /* _LR_OWNER_H_INCLUDED_ */
