
/*
 * Copyright (C) the ngx_live_record authors
 *
 * A sample as renderers see it, and the row of a sample table that
 * describes it without its bytes.
 */


#ifndef _LR_SAMPLE_H_INCLUDED_
#define _LR_SAMPLE_H_INCLUDED_


#include "lr_core.h"


#define LR_SAMPLE_VIDEO     0x01
#define LR_SAMPLE_KEY       0x02
#define LR_SAMPLE_CONFIG    0x04      /* a sequence header, not a frame */
#define LR_SAMPLE_FIRST     0x08      /* of a publish connection */


/*
 * One row of a fragment's sample table, in the order of the log: 16 bytes.
 * dts is relative to the fragment's base; cts is signed and 24 bits wide.
 */

typedef struct {
    int32_t         dts;              /* ms */
    uint32_t        offset;           /* of the tag's body in the file */
    uint32_t        size;             /* of the tag's body */
    int32_t         cts:24;           /* ms; pts = dts + cts */
    uint32_t        flags:8;
} lr_row_t;


typedef struct {
    int64_t         dts;              /* ms of the recording's media time */
    int32_t         cts;              /* ms */
    uint32_t        flags;
    const u_char   *data;             /* the tag's body, whole */
    size_t          size;
} lr_sample_t;


#endif /* _LR_SAMPLE_H_INCLUDED_ */
