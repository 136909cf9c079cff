
/*
 * Copyright (C) the ngx_live_record authors
 */


#include "lr_rate.h"


#define LR_RATE_SECOND  1000000
#define LR_RATE_KEPT    (LR_RATE_SECOND / 10)


static uint64_t lr_rate_time(const lr_rate_t *r, uint64_t n);


uint64_t
lr_rate_take(lr_rate_t *r, uint64_t n, uint64_t now)
{
    uint64_t  wait;

    wait = lr_rate_wait(r, now);

    if (r->next + LR_RATE_KEPT < now) {
        r->next = now - LR_RATE_KEPT;
    }

    r->next += lr_rate_time(r, n);

    return wait;
}


void
lr_rate_give(lr_rate_t *r, uint64_t n)
{
    r->next -= lr_rate_time(r, n);
}


uint64_t
lr_rate_wait(const lr_rate_t *r, uint64_t now)
{
    return r->next > now ? r->next - now : 0;
}


/* an object has less than 2^43 bytes */

static uint64_t
lr_rate_time(const lr_rate_t *r, uint64_t n)
{
    return n * LR_RATE_SECOND / r->rate;
}


size_t
lr_rate_turn(const lr_rate_t *r, unsigned n)
{
    uint64_t  turn;

    turn = r->rate / 2 / (n ? n : 1);

    return turn == 0 ? 1 : turn < LR_RATE_TURN ? turn : LR_RATE_TURN;
}
