
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Numbers for tests: an LCG, so that a failure comes again.
 */


#ifndef _RANDOM_CHECK_H_INCLUDED_
#define _RANDOM_CHECK_H_INCLUDED_


#include "lr_core.h"


/* from 0 to n - 1 */

static inline unsigned
random_to(uint64_t *seed, unsigned n)
{
    *seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;

    return (unsigned) (*seed >> 33) % n;
}


#endif /* _RANDOM_CHECK_H_INCLUDED_ */
