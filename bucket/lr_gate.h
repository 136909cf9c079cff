
/*
 * Copyright (C) the ngx_live_record authors
 *
 * When the next request to a bucket may begin, for all that share it.  A
 * bucket that fails several times in a row is down: one request at a time
 * tries whether it is back, and the others wait.  Then the number of
 * requests at a time grows from one, and it is halved when the store asks
 * for less.
 *
 * Nothing here knows a clock: times are milliseconds of the caller's.
 */


#ifndef _LR_GATE_H_INCLUDED_
#define _LR_GATE_H_INCLUDED_


#include "lr_core.h"
#include "lr_retry.h"


/* failures without a success between them, after which a bucket is down */
#define LR_GATE_ROW    3

/* requests at a time before anything is known of a bucket */
#define LR_GATE_FIRST  4

/* of so many turns the kinds behind the first have one each */
#define LR_GATE_TURNS  4

/* lr_gate_wait(): until another request has ended */
#define LR_GATE_BUSY   UINT64_MAX


/* what the end of a request says about its bucket */

typedef enum {
    LR_GATE_NONE = 0,         /* nothing: it was about one object only */
    LR_GATE_WELL,
    LR_GATE_SLOW,             /* it is asked too much */
    LR_GATE_AWAY,             /* it is not there, or in trouble */
    LR_GATE_REFUSES           /* somebody has to mend it */
} lr_gate_verdict_e;


/* requests that wait, by what they are for */

typedef enum {
    LR_GATE_FRESH = 0,        /* recordings that are nearly up to date */
    LR_GATE_BACKLOG,
    LR_GATE_ASIDE,            /* no recording: somebody has asked */
    LR_GATE_KINDS
} lr_gate_kind_e;


typedef struct {
    unsigned    max;
    unsigned    window;       /* so many at a time now */
    unsigned    threshold;    /* beyond it the window grows slowly */
    unsigned    grown;        /* successes since it has */
    unsigned    active;
    unsigned    row;          /* failures */
    unsigned    turn;
    uint32_t    era;          /* between two changes for the worse */
    uint64_t    until;        /* nothing begins before */
    unsigned    down:1;
    unsigned    probe:1;      /* one is under way */
} lr_gate_t;


/* max: requests at a time, at most; a second call forgets everything */
void lr_gate_init(lr_gate_t *g, unsigned max);

/*
 * How long the next request has to wait: 0 if it may begin, a number of
 * milliseconds, or LR_GATE_BUSY.
 */
uint64_t lr_gate_wait(const lr_gate_t *g, uint64_t now);

/* one begins; gives what lr_gate_end() has to be told */
uint32_t lr_gate_begin(lr_gate_t *g);

/*
 * It has ended.  after is the answer's Retry-After in seconds, or 0: so
 * long, but a minute at most, nothing begins.  The waits of a bucket that
 * is down are those of lr_retry_delay(), from which random takes some.
 */
void lr_gate_end(lr_gate_t *g, uint32_t era, lr_gate_verdict_e verdict,
    unsigned after, uint64_t now, uint32_t random);

/*
 * Whose turn it is: waiting has a bit, 1 << kind, for each kind of which
 * requests wait, and there is one at least.  One turn in LR_GATE_TURNS is a
 * backlog's, and one is of those aside; what a kind has no use for is the
 * first one's that has.  Is to be asked once for each that begins.
 */
lr_gate_kind_e lr_gate_turn(lr_gate_t *g, unsigned waiting);

/*
 * What an answer that lr_retry_sort() has sorted as result says about the
 * bucket; arguments as there.  Refusals and failures that can only be due
 * to the object, as a checksum or a key, say nothing.
 */
lr_gate_verdict_e lr_gate_sort(lr_net_e net, unsigned status,
    const char *code, lr_retry_e result);

/* what it was closed for may be mended: the next request need not wait */
void lr_gate_again(lr_gate_t *g);


#endif /* _LR_GATE_H_INCLUDED_ */
