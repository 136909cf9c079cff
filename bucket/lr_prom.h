
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Text exposition format 0.0.4 of Prometheus, see "Exposition formats" of its
 * documentation.  All numbers are integers, or milliseconds that are written
 * as seconds, so that no locale and no rounding is in the way.
 */


#ifndef _LR_PROM_H_INCLUDED_
#define _LR_PROM_H_INCLUDED_


#include "lr_core.h"


#define LR_PROM_CONTENT_TYPE  "text/plain; version=0.0.4; charset=utf-8"


/* value: any bytes; what is not UTF-8 in it becomes "?" */

typedef struct {
    const char  *name;
    const char  *value;
} lr_prom_label_t;


/*
 * The lines HELP and TYPE of a metric, before its samples: type is "counter"
 * or "gauge".
 */
void lr_prom_metric(lr_buf_t *out, const char *name, const char *type,
    const char *help);

/* a sample with n labels, which may be NULL if n is 0 */
void lr_prom_count(lr_buf_t *out, const char *name,
    const lr_prom_label_t *labels, size_t n, uint64_t value);
void lr_prom_seconds(lr_buf_t *out, const char *name,
    const lr_prom_label_t *labels, size_t n, int64_t ms);

/*
 * Appends len bytes of text, in which each that is not part of well-formed
 * UTF-8, or is a zero byte, has become "?".
 */
void lr_prom_utf8(lr_buf_t *out, const char *text, size_t len);


#endif /* _LR_PROM_H_INCLUDED_ */
