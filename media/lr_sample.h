
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

/*
 * A picture that cannot be decoded where decoding begins at the key frame
 * that it is, or that was last: of intra refresh or an open GOP.
 */

#define LR_SAMPLE_TIED      0x08

/*
 * A message of video need not be a picture: what has none in it is a part
 * of the access unit that comes next, further slices go on with the one
 * before.
 */

#define LR_SAMPLE_NEXT      0x10
#define LR_SAMPLE_PREV      0x20

/* bytes of a body before its payload: 1, 2, 5 or 8, in the upper bits */

#define LR_SAMPLE_HEADER(flags)   ((0x8521u >> ((flags) >> 6) * 4) & 15)
#define LR_SAMPLE_FLAGS(header)                                              \
    ((header) == 8 ? 0xc0u : (header) == 5 ? 0x80u                           \
                             : (header) == 2 ? 0x40u : 0)

/* a set of tracks */

#define LR_TRACK_VIDEO      0x01
#define LR_TRACK_AUDIO      0x02


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


/*
 * The rows of all fragments of a file, one fragment at a time and as often
 * as it takes.  rows() gives those of number i, from 0 to n - 1, good until
 * its next call, and what their times count from; LR_ERROR with errno.
 */

typedef struct {
    size_t          n;
    int           (*rows)(void *data, size_t i, const lr_row_t **rows,
                          uint32_t *nrows, int64_t *base);
    void           *data;
} lr_table_t;


typedef struct {
    int64_t         dts;              /* ms of the recording's media time */
    int32_t         cts;              /* ms */
    uint32_t        flags;
    const u_char   *data;             /* the tag's body, whole */
    size_t          size;
} lr_sample_t;


#endif /* _LR_SAMPLE_H_INCLUDED_ */
