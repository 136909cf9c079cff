
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Times as texts of ISO 8601: those of the API, and those that others
 * write.
 */


#ifndef _LR_TIME_H_INCLUDED_
#define _LR_TIME_H_INCLUDED_


#include <time.h>
#include "lr_core.h"


#define LR_TIME_LEN  20      /* "2017-11-01T05:20:01Z" */


/*
 * Reads exactly yyyy-MM-ddTHH:mm:ssZ, as the API takes times, into
 * milliseconds since 1970.
 */
int lr_time_parse(int64_t *ms, const char *p, size_t n);

/*
 * The same back, into LR_TIME_LEN + 1 bytes; milliseconds are dropped.  A
 * time without a year of four digits is written as the beginning of 1970.
 */
void lr_time_format(char *buf, int64_t ms);

/*
 * Reads "2017-11-01T05:20:01Z", with a fraction, which is dropped, or an
 * offset instead of the "Z"; without either it is UTC (ISO 8601).
 */
int lr_time_iso(time_t *t, const char *p, size_t n);


#endif /* _LR_TIME_H_INCLUDED_ */
