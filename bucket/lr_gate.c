
/*
 * Copyright (C) the ngx_live_record authors
 */


#include "lr_gate.h"


/* the longest Retry-After that is heeded, s */
#define LR_GATE_AFTER  60


typedef struct {
    const char         *code;
    lr_gate_verdict_e   what;
} lr_gate_code_t;


static void lr_gate_well(lr_gate_t *g);
static void lr_gate_less(lr_gate_t *g);


/* codes that say more than the status that they come with */

static const lr_gate_code_t  lr_gate_codes[] = {
    { "BadDigest",                   LR_GATE_NONE },
    { "BadRequest",                  LR_GATE_NONE },
    { "ConditionalRequestConflict",  LR_GATE_NONE },
    { "IncompleteBody",              LR_GATE_NONE },
    { "InvalidBucketName",           LR_GATE_REFUSES },
    { "KMS.ThrottlingException",     LR_GATE_SLOW },
    { "NotImplemented",              LR_GATE_REFUSES },
    { "OperationAborted",            LR_GATE_NONE },
    { "ServiceUnavailable",          LR_GATE_SLOW },
    { "SlowDown",                    LR_GATE_SLOW },
    { "TooManyRequests",             LR_GATE_SLOW },
    { "XAmzContentSHA256Mismatch",   LR_GATE_NONE },
    { NULL,                          LR_GATE_NONE }
};


/* what nobody waits for is the turn of the first kind that does */

static const lr_gate_kind_e  lr_gate_turns[LR_GATE_TURNS] = {
    LR_GATE_FRESH,
    LR_GATE_ASIDE,
    LR_GATE_FRESH,
    LR_GATE_BACKLOG
};


void
lr_gate_init(lr_gate_t *g, unsigned max)
{
    memset(g, 0, sizeof(lr_gate_t));

    g->max = max;
    g->window = max < LR_GATE_FIRST ? max : LR_GATE_FIRST;
    g->threshold = max;
}


uint64_t
lr_gate_wait(const lr_gate_t *g, uint64_t now)
{
    if (g->down) {

        /* those that hang since before are not to keep it from trying */

        if (g->probe || g->active >= g->max) {
            return LR_GATE_BUSY;
        }

    } else if (g->active >= g->window) {
        return LR_GATE_BUSY;
    }

    return g->until > now ? g->until - now : 0;
}


uint32_t
lr_gate_begin(lr_gate_t *g)
{
    g->active++;

    if (g->down) {
        g->probe = 1;
    }

    return g->era;
}


void
lr_gate_end(lr_gate_t *g, uint32_t era, lr_gate_verdict_e verdict,
    unsigned after, uint64_t now, uint32_t random)
{
    uint64_t    until;
    lr_retry_e  why;

    g->active--;

    if (era == g->era) {
        g->probe = 0;
    }

    switch (verdict) {

    case LR_GATE_NONE:
        return;

    case LR_GATE_WELL:
        lr_gate_well(g);
        return;

    default:
        break;
    }

    if (after) {
        until = now + (after < LR_GATE_AFTER ? after : LR_GATE_AFTER) * 1000;

        if (until > g->until) {
            g->until = until;
        }
    }

    /* what began before it was known says nothing new */

    if (era != g->era) {
        return;
    }

    g->row++;

    if (verdict == LR_GATE_SLOW) {
        lr_gate_less(g);
    }

    if (g->row < LR_GATE_ROW) {
        return;
    }

    why = verdict == LR_GATE_REFUSES ? LR_RETRY_ADMIN : LR_RETRY_AGAIN;
    until = now + lr_retry_delay(why, g->row - LR_GATE_ROW, after, random);

    if (until > g->until) {
        g->until = until;
    }

    g->down = 1;
    g->window = 1;
    g->grown = 0;
    g->era++;
}


void
lr_gate_again(lr_gate_t *g)
{
    g->until = 0;
}


static void
lr_gate_well(lr_gate_t *g)
{
    g->row = 0;

    if (g->down) {
        g->down = 0;
        g->probe = 0;
        g->until = 0;
        g->era++;
    }

    if (g->window >= g->max) {
        return;
    }

    /* one more for each success is twice as many in each round */

    if (g->window >= g->threshold && ++g->grown < g->window) {
        return;
    }

    g->window++;
    g->grown = 0;
}


static void
lr_gate_less(lr_gate_t *g)
{
    g->window = g->window > 1 ? g->window / 2 : 1;
    g->threshold = g->window;
    g->grown = 0;
    g->era++;
}


lr_gate_kind_e
lr_gate_turn(lr_gate_t *g, unsigned waiting)
{
    unsigned  kind, first;

    for (first = 0; !(waiting & 1u << first); first++) { /* void */ }

    /* where there is no choice no turn is used up */

    if (waiting == 1u << first) {
        return first;
    }

    kind = lr_gate_turns[g->turn++ % LR_GATE_TURNS];

    return waiting & 1u << kind ? kind : first;
}


lr_gate_verdict_e
lr_gate_sort(lr_net_e net, unsigned status, const char *code,
    lr_retry_e result)
{
    const lr_gate_code_t  *c;

    switch (result) {

    case LR_RETRY_OK:
    case LR_RETRY_EXISTS:
    case LR_RETRY_GONE:
        return LR_GATE_WELL;

    /* these are tried again at once, in another way */

    case LR_RETRY_CLOCK:
    case LR_RETRY_CREDENTIALS:
    case LR_RETRY_REGION:
        return LR_GATE_NONE;

    default:
        break;
    }

    switch (net) {

    case LR_NET_OK:
        break;

    case LR_NET_SUM:
        return LR_GATE_NONE;

    case LR_NET_TLS:
    case LR_NET_LOCAL:
        return LR_GATE_REFUSES;

    default:
        return LR_GATE_AWAY;
    }

    if (status == 429 || status == 503) {
        return LR_GATE_SLOW;
    }

    if (code != NULL) {
        for (c = lr_gate_codes; c->code != NULL; c++) {
            if (strcmp(c->code, code) == 0) {
                return c->what;
            }
        }
    }

    if (result == LR_RETRY_AGAIN) {
        return LR_GATE_AWAY;
    }

    /* of the rest, these are about rights, keys and the bucket itself */

    switch (status) {

    case 301:
    case 302:
    case 307:
    case 308:
    case 401:
    case 403:
    case 404:
    case 501:
        return LR_GATE_REFUSES;

    default:
        return LR_GATE_NONE;
    }
}
