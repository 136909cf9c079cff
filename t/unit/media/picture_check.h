
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What a transport stream makes of a message of video, told from its
 * packets: the judge of lr_picture.c.
 */


#ifndef _PICTURE_CHECK_H_INCLUDED_
#define _PICTURE_CHECK_H_INCLUDED_


#include "lr_sample.h"
#include "lr_ts.h"


/* the flags that the sample's row should have */

static inline unsigned
picture_check_ts(lr_ts_t *ts, const lr_sample_t *s)
{
    size_t    i, at, skipped;
    u_char   *p;
    unsigned  flags;

    skipped = ts->skipped;
    ts->mux.out.len = 0;

    if (lr_ts_sample(ts, s) != LR_OK) {
        abort();
    }

    flags = ts->skipped == skipped ? LR_SAMPLE_NEXT : 0;

    for (i = 0; i < ts->mux.out.len; i += LR_TS_PACKET) {
        p = ts->mux.out.data + i;

        if ((lr_get_be16(p + 1) & 0x5fff) != (0x4000 | LR_TS_PID_VIDEO)) {
            continue;
        }

        /* a PES packet with times begins a picture */

        at = p[3] & 0x20 ? 5 + p[4] : 4;
        flags = p[at + 7] ? 0 : LR_SAMPLE_PREV;
    }

    return flags;
}


#endif /* _PICTURE_CHECK_H_INCLUDED_ */
