
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Media playlists of what has been recorded (RFC 8216).
 */


#ifndef _LR_M3U8_H_INCLUDED_
#define _LR_M3U8_H_INCLUDED_


#include "lr_core.h"
#include "lr_name.h"


/* of one segment, ms */
#define LR_M3U8_DURATION_MAX  (31 * 86400000LL)


typedef struct {
    const char     *uri;          /* relative and percent-encoded */
    int64_t         duration;     /* ms */
    int64_t         wall;         /* unix ms of the first frame */
    unsigned        discontinuity:1;
    unsigned        independent:1;
} lr_segment_t;


/*
 * Appends a whole playlist of n segments, as VOD, to "out".  Dates are told
 * in "zone".
 *
 * The version is 3, for durations with a fraction; section 7 asks no more
 * for EXT-X-INDEPENDENT-SEGMENTS.  Up to version 5 EXT-X-TARGETDURATION
 * bounds the durations themselves, from 6 on the rounded ones: it is the
 * longest one rounded up, which is right for both.
 *
 * EXT-X-PROGRAM-DATE-TIME stands at the first segment, after each
 * discontinuity, and where the clock that a player runs on from the last
 * one would be more than a second wrong.
 *
 * LR_ERROR: no memory, a duration not in 0 .. LR_M3U8_DURATION_MAX, a wall
 * time not in 0 .. LR_TIME_MAX, or a URI that would not be read as one (it
 * is empty, begins with "#" or holds a space or a control character); "out"
 * is as it was.
 */
int lr_m3u8_write(const lr_segment_t *segs, size_t n, const lr_zone_t *zone,
    lr_buf_t *out);


#endif /* _LR_M3U8_H_INCLUDED_ */
