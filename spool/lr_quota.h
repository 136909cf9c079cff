
/*
 * Copyright (C) the ngx_live_record authors
 *
 * How much the spool still takes: bytes are reserved before they are
 * accepted, by all workers from one zone of shared memory, and no system
 * call is made for that.  From time to time somebody looks at the disk and
 * tells what is there; what is reserved after that is counted against it.
 * What was removed counts from the next look on.
 */


#ifndef _LR_QUOTA_H_INCLUDED_
#define _LR_QUOTA_H_INCLUDED_


#include "lr_core.h"


/* processes that may be members of a zone at a time: as many as of an nginx */
#define LR_QUOTA_MEMBERS  1024

/* so much is reserved at a time, if there is so much */
#define LR_QUOTA_CHUNK    (1024 * 1024)

/* min_free: LR_QUOTA_SPARE of the disk */
#define LR_QUOTA_AUTO     (-1)

/* kept free, and made free before it goes on: at most, and this part */
#define LR_QUOTA_SPARE       ((int64_t) 256 * 1024 * 1024)
#define LR_QUOTA_SPARE_PART  16

/* what is made free is at most this part of all that min_free leaves */
#define LR_QUOTA_SPARE_LEFT  4

/* between two looks, ms; a look that takes longer comes not as often */
#define LR_QUOTA_LOOK     1000


/* what has stopped it */

typedef enum {
    LR_QUOTA_OPEN = 0,
    LR_QUOTA_BY_SIZE,
    LR_QUOTA_BY_DISK
} lr_quota_full_e;


typedef struct {
    int32_t               pid;        /* 0: free */
    int64_t               held;       /* reserved, and not on the disk yet */
} lr_quota_member_t;


/* what a look at the disk has found; all in bytes */

typedef struct {
    uint64_t              used;       /* by the spool; with a max_size only */
    uint64_t              avail;      /* free on its disk */
    uint64_t              total;      /* size of its disk */
} lr_quota_disk_t;


/* in shared memory, zeroed before its first use */

typedef struct {
    int64_t               max_size;   /* 0: there is none */
    int64_t               min_free;   /* or LR_QUOTA_AUTO */

    int64_t               granted;    /* of all time */
    int64_t               rested;     /* given back unused, of all time */
    int64_t               ceiling;    /* what granted may grow to */
    int64_t               min;        /* min_free of the last look */
    uint64_t              next;       /* look, ms */
    uint32_t              known;      /* there was a look */
    uint32_t              full;       /* somebody was refused: by what */
    uint32_t              by_disk;    /* min_free is nearer than max_size */

    lr_quota_member_t     members[LR_QUOTA_MEMBERS];
} lr_quota_zone_t;


/* of a process */

typedef struct {
    lr_quota_zone_t      *zone;
    lr_quota_member_t    *member;
    int64_t               left;       /* reserved, and not taken */
} lr_quota_t;


/* of a look that is under way */

typedef struct {
    lr_quota_zone_t      *zone;
    uint64_t              began;
    int64_t               mark;
} lr_quota_look_t;


/* what the log says of a full spool; in bytes */

typedef struct {
    unsigned              by_disk;    /* it is min_free that is reached */
    int64_t               limit;      /* max_size, or min_free */
    int64_t               is;         /* what the spool takes with all that is
                                         reserved, or what is left free */
} lr_quota_state_t;


/*
 * The limits, which may change at any time: they count from the next look
 * on, which is due at once.  max_size is 0 where there is none.
 */
void lr_quota_limits(lr_quota_zone_t *zone, int64_t max_size,
    int64_t min_free);

/* makes the process of this pid a member; LR_ERROR: there are too many */
int lr_quota_join(lr_quota_t *q, lr_quota_zone_t *zone, int32_t pid);

/* gives back what the process holds, whatever is left to be written */
void lr_quota_leave(lr_quota_t *q);

/* whether there was a look at the disk */
unsigned lr_quota_known(const lr_quota_zone_t *zone);

/*
 * Whether n bytes may be taken now; all may before the first look.
 * LR_DECLINED: the spool is full, and remains so until a look finds that room
 * was made.
 */
int lr_quota_ask(lr_quota_t *q, size_t n);

/* n bytes were accepted: after lr_quota_ask(), or if it cannot be helped */
void lr_quota_take(lr_quota_t *q, size_t n);

/* n of the bytes taken are on the disk now, or will never be */
void lr_quota_done(lr_quota_t *q, size_t n);

/* what was asked for and not taken can be had by others */
void lr_quota_rest(lr_quota_t *q);

/* whether this process is to look now; "now" is ms of a steady clock */
unsigned lr_quota_due(lr_quota_zone_t *zone, uint64_t now);

/*
 * Around a look: what is on the disk is looked at between the two, in any
 * thread.  disk is NULL if that failed.  If the end is never told, another
 * process looks a while later.
 */
void lr_quota_look(lr_quota_look_t *look, lr_quota_zone_t *zone,
    uint64_t now);
void lr_quota_seen(lr_quota_look_t *look, const lr_quota_disk_t *disk,
    uint64_t now);

void lr_quota_state(const lr_quota_zone_t *zone, lr_quota_state_t *state);


#endif /* _LR_QUOTA_H_INCLUDED_ */
