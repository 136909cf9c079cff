
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What has become of callbacks, for DescribeLiveRecordNotifyRecords: a JSON
 * object a line in <spool>/.notify/yyyymmdd.log, a file for each day in UTC.
 * Several processes append to it, each line with one write; a line that is
 * not whole is left out by readers.  All of this may block.
 */


#ifndef _LR_HISTORY_H_INCLUDED_
#define _LR_HISTORY_H_INCLUDED_


#include <jansson.h>
#include "lr_core.h"


#define LR_HISTORY_DIR   ".notify"
#define LR_HISTORY_DAYS  7

/* of a day, in bytes; what comes then is not kept */
#define LR_HISTORY_MAX   (16 * 1024 * 1024)


/* the lines that are wanted; strings may be NULL for any */

typedef struct {
    int64_t         from;         /* ms, of "time" */
    int64_t         to;
    const char     *domain;
    const char     *app;
    const char     *stream;
    const char     *result;
    size_t          skip;
    size_t          limit;
} lr_history_query_t;


/*
 * Appends a line to the file of the day that now, in ms, is in; removes the
 * files of days that are over for LR_HISTORY_DAYS.  Takes the reference.
 * LR_DECLINED: the day is full.  LR_ERROR with errno.
 */
int lr_history_append(const char *spool, int64_t now, json_t *line);

/*
 * Lines in the order of their days and as they were written: limit of them,
 * from the skip-th on, are appended to list; *total is how many there are.
 */
int lr_history_read(const char *spool, const lr_history_query_t *query,
    json_t *list, size_t *total);


#endif /* _LR_HISTORY_H_INCLUDED_ */
