
/*
 * Copyright (C) the ngx_live_record authors
 *
 * A rate that several share: what is taken has its time, one after another,
 * and what was not used is kept for a tenth of a second.
 *
 * Nothing here knows a clock: times are microseconds of the caller's.
 */


#ifndef _LR_RATE_H_INCLUDED_
#define _LR_RATE_H_INCLUDED_


#include "lr_core.h"


/* the most bytes of a turn */
#define LR_RATE_TURN  131072


typedef struct {
    uint64_t    rate;         /* bytes a second */
    uint64_t    next;         /* when all that was taken has had its time */
} lr_rate_t;


/* takes n bytes; gives how long to wait before they go */
uint64_t lr_rate_take(lr_rate_t *r, uint64_t n, uint64_t now);

/* gives back what was taken and did not go */
void lr_rate_give(lr_rate_t *r, uint64_t n);

/* how long until something that is taken may go at once */
uint64_t lr_rate_wait(const lr_rate_t *r, uint64_t now);

/*
 * How many bytes one of n should take at a time: so few that each has its
 * turn twice a second, but at least one.
 */
size_t lr_rate_turn(const lr_rate_t *r, unsigned n);


#endif /* _LR_RATE_H_INCLUDED_ */
