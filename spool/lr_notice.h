
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The callbacks of a recording.  What is to be told follows from record.log
 * and ship.log, which others write, but for a bucket that refuses;
 * notify.log, which lies beside them, puts it in one order, numbers it, and
 * says what has been done about it.  So the notifier neither waits for the
 * shipper nor does it hold it up.  Whoever holds notify.log's lock is the
 * notifier.  Its events:
 *
 *   start    version
 *   notice   number, time, what, and       to be told
 *            of an object uri, start, end, duration, push_args,
 *            of a record_error code, message,
 *            bucket, if it comes from none of the two
 *   noticed  number, time, status          taken by the receiver
 *   given    number, time, why             given up
 *
 * The same journals give the same notices, so after an opening those that
 * notify.log has already are counted off.  All of this may block.
 */


#ifndef _LR_NOTICE_H_INCLUDED_
#define _LR_NOTICE_H_INCLUDED_


#include <jansson.h>
#include "lr_core.h"
#include "lr_recording.h"
#include "lr_settings.h"


/* a record_error of a kind is not told again within so many ms */
#define LR_NOTICE_ERRORS  60000


/* of "code" of a record_error: a codec; media that was lost; the bucket's */

typedef enum {
    LR_NOTICE_FORMAT = 0,
    LR_NOTICE_LOST,
    LR_NOTICE_BUCKET,
    LR_NOTICE_KINDS
} lr_notice_kind_e;


typedef struct {
    char            dir[LR_PATH_MAX];
    lr_settings_t   settings;
    int             fd;           /* notify.log; -1: it is only read */
    uint64_t        record;       /* offsets of what has been read */
    uint64_t        ship;
    uint64_t        head;         /* of notify.log: nothing is due before */
    uint32_t        number;       /* of the last notice, from 1 */
    uint32_t        noticed;      /* and of the last that is done with */
    uint32_t        known[2];     /* of record.log, ship.log: notices that
                                     notify.log has */
    uint32_t        taken[2];     /* and that were read there */
    int64_t         now;          /* during lr_notice_take() */
    int64_t         told[LR_NOTICE_KINDS];
    int             failed;       /* errno of a write */
    unsigned        started:1;
    unsigned        ended:1;      /* record.log has come to its end */
    unsigned        fsync:1;      /* set by the caller */
} lr_notice_t;


/* the first notice that is not done with; facts are the caller's */

typedef struct {
    uint32_t        number;
    int64_t         time;         /* when it was taken in, ms */
    json_t         *facts;
} lr_notice_head_t;


/*
 * Becomes the notifier of the recording in dir.  LR_AGAIN: it has one, or is
 * gone.  LR_DECLINED: notify.log or template.json cannot be understood, err
 * says why.  LR_ERROR: it could not be read or written now.
 */
int lr_notice_open(lr_notice_t *n, const char *dir, char *err, size_t size);

/*
 * Takes in what the recorder and the shipper have written since.  Results as
 * of lr_notice_open(); what was taken in before an error stays.
 */
int lr_notice_take(lr_notice_t *n, int64_t now, char *err, size_t size);

/*
 * The bucket refuses what is to be stored: its code and the reason.  No
 * journal but this one has that.
 */
int lr_notice_refused(lr_notice_t *n, const char *code, const char *message,
    int64_t now);

/*
 * The first one that is due, LR_DECLINED if there is none, LR_AGAIN if one
 * of an earlier recording of the same stream and scope is.
 */
int lr_notice_next(lr_notice_t *n, lr_notice_head_t *head, char *err,
    size_t size);

/*
 * The first one was accepted with that status; or, with status 0, given up
 * for a reason.  LR_ERROR with errno when it could not be journalled.
 */
int lr_notice_done(lr_notice_t *n, unsigned status, const char *why,
    int64_t now);

/* gives back the lock */
void lr_notice_close(lr_notice_t *n);

/* "file_created", "record_started" and so on, as in the facts */
const char *lr_notice_type(const lr_notice_head_t *head);

/* appends what is sent, as in section 3 of docs/callbacks.md */
int lr_notice_body(const lr_notice_t *n, const lr_notice_head_t *head,
    lr_buf_t *body);

/*
 * The signature of a callback: MD5 of "host|time|key" in 32 lower-case
 * hexadecimal digits and a zero byte.
 */
int lr_notice_sign(const char *host, int64_t seconds, const char *key,
    char *sign);


#endif /* _LR_NOTICE_H_INCLUDED_ */
