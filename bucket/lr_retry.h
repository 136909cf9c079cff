
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What a store's answer means for the request, and when to try again.
 */


#ifndef _LR_RETRY_H_INCLUDED_
#define _LR_RETRY_H_INCLUDED_


#include "lr_core.h"


/* how the transfer itself went */

typedef enum {
    LR_NET_OK = 0,            /* an answer is there, whole */
    LR_NET_CONNECT,           /* no name, no route, refused */
    LR_NET_TIMEOUT,
    LR_NET_BROKEN,            /* torn while sending or receiving */
    LR_NET_SUM,               /* the store's checksum is not ours */
    LR_NET_TLS,               /* the certificate is not trusted */
    LR_NET_LOCAL              /* our side: bad URL, no memory, no CA file */
} lr_net_e;


typedef enum {
    LR_RETRY_OK = 0,
    LR_RETRY_AGAIN,           /* the same again, later */
    LR_RETRY_CLOCK,           /* again, with the store's time */
    LR_RETRY_CREDENTIALS,     /* again, with fresh credentials */
    LR_RETRY_EXISTS,          /* forbidden overwrite: the name is taken */
    LR_RETRY_GONE,            /* no such object or upload */
    LR_RETRY_ADMIN,           /* somebody has to mend it; try slowly */
    LR_RETRY_REGION           /* again, for the region the store has told,
                                 or whatever else it wants to have */
} lr_retry_e;


/*
 * Sorts an answer.  status is HTTP's, 0 if there was none; code is that of
 * the error's body or x-oss-err, NULL if unknown.  A code overrules a
 * status of 200, which may go with an error's body.  LR_RETRY_GONE of a
 * 404 without a code is an answer to HEAD or GET; a PUT's is the admin's.
 * LR_RETRY_REGION is for where a region was told that was not tried yet;
 * else it is the admin's too.  A 304 or 412 is taken as an answer to
 * "If-None-Match: *", the only condition that is ever sent.
 * Source: retry rules of the OSS SDKs, error pages of OSS; "Error
 * responses" of the Amazon S3 API Reference.
 */
lr_retry_e lr_retry_sort(lr_net_e net, unsigned status, const char *code);

/*
 * Milliseconds to wait after the failed try n (from 0): 1 s doubling to
 * 60 s, for LR_RETRY_ADMIN to 300 s, of which the random number takes away
 * up to a half.  after is the Retry-After of the answer in seconds or 0;
 * it makes the wait longer, within the same cap.  The first try with a
 * corrected clock, fresh credentials or another region does not wait.
 */
uint32_t lr_retry_delay(lr_retry_e why, unsigned n, unsigned after,
    uint32_t random);

/*
 * What a callback calls a refusal that somebody has to mend, by the code of
 * the store's answer or NULL: docs/callbacks.md, "A state".
 */
const char *lr_retry_refusal(const char *code);


#endif /* _LR_RETRY_H_INCLUDED_ */
