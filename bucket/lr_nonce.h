
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Which nonces have been used, so that a call cannot be replayed.  The
 * table has a fixed size and no pointers: it can be in memory that several
 * processes share, and one that dies in the middle of a change leaves
 * nothing to repair.
 */


#ifndef _LR_NONCE_H_INCLUDED_
#define _LR_NONCE_H_INCLUDED_


#include <time.h>
#include "lr_core.h"


#define LR_NONCE_WAYS  16       /* places that a nonce may be in */


typedef struct {
    u_char        hash[12];
    uint32_t      until;        /* seconds; 0: free */
} lr_nonce_slot_t;


typedef struct {
    size_t           sets;
    lr_nonce_slot_t  slots[];
} lr_nonce_t;


/* makes an empty table in size bytes; NULL if they are too few for any */
lr_nonce_t *lr_nonce_init(void *p, size_t size);

/*
 * Takes a nonce of an access key, to be remembered until that time.
 * LR_DECLINED if it is in use, LR_AGAIN if one that is still in use was
 * forgotten for it: of those in its set, the one with the least time left.
 * LR_ERROR if the library of digests fails.
 */
int lr_nonce_take(lr_nonce_t *t, const char *id, const char *nonce,
    time_t now, time_t until);


#endif /* _LR_NONCE_H_INCLUDED_ */
