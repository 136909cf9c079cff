
/*
 * Copyright (C) the ngx_live_record authors
 *
 * With G what was granted, H what of it was not on the disk, and R the room
 * that a look has found, all at the begin of that look: what is granted
 * later may be R - H at most, so G may grow to G + R - H, the ceiling.  What
 * reaches the disk during the look counts twice, and what is removed is not
 * seen until the next one: both err on the safe side.  A ceiling stays true
 * for ever, and it does not matter which of two looks ends last.
 */


#include <errno.h>
#include <signal.h>
#include "lr_quota.h"


/* before looks of others, when the one whose turn it is may have died */
#define LR_QUOTA_LOST  5000

/* a look may take this part of the time */
#define LR_QUOTA_EFFORT  4


#define lr_load(p)           __atomic_load_n(p, __ATOMIC_SEQ_CST)
#define lr_store(p, v)       __atomic_store_n(p, v, __ATOMIC_SEQ_CST)
#define lr_add(p, n)         __atomic_add_fetch(p, n, __ATOMIC_SEQ_CST)
#define lr_swap(p, old, v)                                                    \
    __atomic_compare_exchange_n(p, old, v, 0, __ATOMIC_SEQ_CST,               \
                                __ATOMIC_SEQ_CST)


static int lr_quota_reserve(lr_quota_t *q, int64_t n);
static int64_t lr_quota_held(lr_quota_zone_t *zone);
static int lr_quota_dead(int32_t pid);
static int64_t lr_quota_spare(const lr_quota_disk_t *disk, int64_t min);


void
lr_quota_limits(lr_quota_zone_t *zone, int64_t max_size, int64_t min_free)
{
    lr_store(&zone->max_size, max_size);
    lr_store(&zone->min_free, min_free);
    lr_store(&zone->next, 0);
}


int
lr_quota_join(lr_quota_t *q, lr_quota_zone_t *zone, int32_t pid)
{
    int32_t   was;
    unsigned  i;

    q->zone = zone;
    q->member = NULL;
    q->left = 0;

    for (i = 0; i < LR_QUOTA_MEMBERS; i++) {
        was = lr_load(&zone->members[i].pid);

        /* of the same pid can only be one that has died before us */

        if (was && was != pid && !lr_quota_dead(was)) {
            continue;
        }

        if (lr_swap(&zone->members[i].pid, &was, pid)) {
            q->member = &zone->members[i];
            lr_store(&q->member->held, 0);
            return LR_OK;
        }
    }

    return LR_ERROR;
}


void
lr_quota_leave(lr_quota_t *q)
{
    if (q->member) {
        lr_store(&q->member->held, 0);
        lr_store(&q->member->pid, 0);
    }

    q->member = NULL;
}


unsigned
lr_quota_known(const lr_quota_zone_t *zone)
{
    return lr_load(&zone->known);
}


int
lr_quota_ask(lr_quota_t *q, size_t n)
{
    int64_t  need;

    /* what nobody can take now is not to keep it full for all */

    if (lr_load(&q->zone->full)) {
        lr_quota_rest(q);
        return LR_DECLINED;
    }

    need = (int64_t) n - q->left;

    if (need <= 0 || !lr_quota_known(q->zone)) {
        return LR_OK;
    }

    if (lr_quota_reserve(q, need + LR_QUOTA_CHUNK) == LR_OK
        || lr_quota_reserve(q, need) == LR_OK)
    {
        return LR_OK;
    }

    lr_store(&q->zone->full, lr_load(&q->zone->by_disk) ? LR_QUOTA_BY_DISK
                                                        : LR_QUOTA_BY_SIZE);

    return LR_DECLINED;
}


/*
 * Held before it is granted: a look that finds it granted finds it held, and
 * one that finds it held only makes the ceiling too low.
 */

static int
lr_quota_reserve(lr_quota_t *q, int64_t n)
{
    int64_t  granted;

    lr_add(&q->member->held, n);

    granted = lr_load(&q->zone->granted);

    do {
        if (granted + n > lr_load(&q->zone->ceiling)) {
            lr_add(&q->member->held, -n);
            return LR_DECLINED;
        }

    } while (!lr_swap(&q->zone->granted, &granted, granted + n));

    q->left += n;

    return LR_OK;
}


void
lr_quota_take(lr_quota_t *q, size_t n)
{
    q->left -= (int64_t) n;

    if (q->left < 0) {
        lr_add(&q->member->held, -q->left);
        lr_add(&q->zone->granted, -q->left);
        q->left = 0;
    }
}


void
lr_quota_done(lr_quota_t *q, size_t n)
{
    lr_add(&q->member->held, -(int64_t) n);
}


/*
 * A look that still finds it granted, and no more held, finds that it has been
 * given back in between.
 */

void
lr_quota_rest(lr_quota_t *q)
{
    if (q->left) {
        lr_add(&q->zone->granted, -q->left);
        lr_add(&q->zone->rested, q->left);
        lr_add(&q->member->held, -q->left);
        q->left = 0;
    }
}


unsigned
lr_quota_due(lr_quota_zone_t *zone, uint64_t now)
{
    uint64_t  next;

    next = lr_load(&zone->next);

    return now >= next && lr_swap(&zone->next, &next, now + LR_QUOTA_LOST);
}


void
lr_quota_look(lr_quota_look_t *look, lr_quota_zone_t *zone, uint64_t now)
{
    int64_t  rested;

    look->zone = zone;
    look->began = now;

    rested = lr_load(&zone->rested);

    look->mark = lr_load(&zone->granted);
    look->mark -= lr_quota_held(zone);
    look->mark -= lr_load(&zone->rested) - rested;
}


/* what dead ones have held is not going to be written */

static int64_t
lr_quota_held(lr_quota_zone_t *zone)
{
    int32_t             pid;
    int64_t             held;
    unsigned            i;
    lr_quota_member_t  *m;

    held = 0;

    for (i = 0; i < LR_QUOTA_MEMBERS; i++) {
        m = &zone->members[i];
        pid = lr_load(&m->pid);

        if (pid && !lr_quota_dead(pid)) {
            held += lr_load(&m->held);
        }
    }

    return held;
}


static int
lr_quota_dead(int32_t pid)
{
    return kill(pid, 0) == -1 && errno == ESRCH;
}


void
lr_quota_seen(lr_quota_look_t *look, const lr_quota_disk_t *disk,
    uint64_t now)
{
    int64_t           max, min, size, free, since, room;
    lr_quota_zone_t  *zone;

    zone = look->zone;

    now += (now - look->began) * LR_QUOTA_EFFORT;
    lr_store(&zone->next, now + LR_QUOTA_LOOK);

    if (disk == NULL) {
        return;
    }

    max = lr_load(&zone->max_size);
    min = lr_load(&zone->min_free);

    if (min == LR_QUOTA_AUTO) {
        min = lr_quota_spare(disk, 0);
    }

    free = (int64_t) disk->avail - min;
    size = max ? max - (int64_t) disk->used : free;
    room = size < free ? size : free;

    lr_store(&zone->min, min);
    lr_store(&zone->by_disk, !max || free < size);
    lr_store(&zone->ceiling, look->mark + room);

    /*
     * Some room has to be made before it goes on.  What others leave free on
     * the disk matters only if there was none: they may never leave more.
     */

    since = lr_load(&zone->granted) - look->mark;

    if ((lr_load(&zone->full) != LR_QUOTA_BY_DISK
         || free - since >= lr_quota_spare(disk, min))
        && (!max || size - since >= max / LR_QUOTA_SPARE_PART))
    {
        lr_store(&zone->full, LR_QUOTA_OPEN);
    }

    lr_store(&zone->known, 1);
}


/* above min, which may be nearly all that there is */

static int64_t
lr_quota_spare(const lr_quota_disk_t *disk, int64_t min)
{
    int64_t  n, left;

    n = (int64_t) (disk->total / LR_QUOTA_SPARE_PART);
    left = ((int64_t) disk->total - min) / LR_QUOTA_SPARE_LEFT;

    n = n < left ? n : left;

    return n < LR_QUOTA_SPARE ? n : LR_QUOTA_SPARE;
}


void
lr_quota_state(const lr_quota_zone_t *zone, lr_quota_state_t *state)
{
    int64_t  room;

    room = lr_load(&zone->ceiling) - lr_load(&zone->granted);

    state->by_disk = lr_load(&zone->by_disk);

    if (state->by_disk) {
        state->limit = lr_load(&zone->min);
        state->is = state->limit + room;

    } else {
        state->limit = lr_load(&zone->max_size);
        state->is = state->limit - room;
    }
}
