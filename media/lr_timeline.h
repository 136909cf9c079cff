
/*
 * Copyright (C) the ngx_live_record authors
 *
 * From a publisher's 32-bit timestamps to the media time of a recording,
 * and from media time to cuts.  All times are milliseconds.
 *
 *   - each track's timestamps are unwrapped to 64 bits;
 *   - a step of more than LR_TIMELINE_JUMP forward or more than
 *     LR_TIMELINE_BACK backward is a jump: media time goes on where the
 *     track stood, and the wall clock is anchored anew.  The other track
 *     is moved by as much when its own jump comes; a track that jumps back
 *     to where it was before that is moved back;
 *   - a track that was silent and comes back where the other one is by now
 *     has not jumped;
 *   - where nothing has come for LR_TIMELINE_PAUSE and the timestamps go on
 *     as if nothing was, or where the wall clock was set, it is anchored
 *     anew, too;
 *   - an encoder's clock runs a little fast or slow: in the long run wall
 *     times follow what arrives, by a small part of each fragment's length;
 *   - a smaller step back, or one to between the last two frames of no more
 *     than LR_TIMELINE_JUMP, is made monotonic, the composition offset of
 *     video takes up the difference, so that the presentation time is kept;
 *   - a fragment is cut at the first key frame at or after its length, or
 *     the cycle's; without video, at the first audio frame;
 *   - the first one of a span is to have all tracks, as players take what it
 *     has for all that there is: it is not cut before they have come, for
 *     LR_TIMELINE_WAIT.  Audio is waited for if its sequence header has come,
 *     two frames of video always.
 */


#ifndef _LR_TIMELINE_H_INCLUDED_
#define _LR_TIMELINE_H_INCLUDED_


#include "lr_core.h"


#define LR_TIMELINE_JUMP        10000
#define LR_TIMELINE_BACK        100

/* a stall of the network, after which all comes at once, is no longer: by
   then nginx-rtmp has had no answer to its pings */
#define LR_TIMELINE_PAUSE       120000

/*
 * Of a publish that has gone on for LR_TIMELINE_DRIFT_FROM, wall times are
 * moved at each fragment by at most 1/LR_TIMELINE_DRIFT_PART of its length if
 * they are more than LR_TIMELINE_DRIFT_MIN off.  What is ahead by more than
 * LR_TIMELINE_DRIFT_MAX is sent faster than it was taken.
 */
#define LR_TIMELINE_DRIFT_FROM  300000
#define LR_TIMELINE_DRIFT_PART  50
#define LR_TIMELINE_DRIFT_MIN   1000
#define LR_TIMELINE_DRIFT_MAX   60000

/*
 * Video that has been silent for so long, and twice as long as between its
 * last two frames, no longer decides on cuts.
 */
#define LR_TIMELINE_NO_VIDEO    5000

/* a track that a span does not begin with is waited for so long */
#define LR_TIMELINE_WAIT        20000

/* without a key frame a fragment ends all the same after three times its
   length, but not before this */
#define LR_TIMELINE_MAX_GOP     60000


#define LR_CUT_NONE             0
#define LR_CUT_FRAGMENT         1
#define LR_CUT_CYCLE            2     /* and a new cycle begins */


typedef struct {
    int64_t         raw;              /* unwrapped timestamp */
    int64_t         offset;           /* media = raw + offset */
    int64_t         next;             /* offset after the other's jump */
    int64_t         until;            /* media time up to which it is due */
    int64_t         last;             /* media time of the last frame */
    int64_t         floor;            /* the same, before it last rose */
    int64_t         back;             /* the same, of its last step back */
    int64_t         duration;         /* of a frame, estimated */
    unsigned        seen:1;           /* in this span */
    unsigned        pending:1;        /* next is not taken yet */
    unsigned        stepped:1;        /* back is valid */
} lr_timeline_track_t;


typedef struct {
    lr_timeline_track_t  audio;
    lr_timeline_track_t  video;

    int64_t         fragment;         /* settings */
    int64_t         cycle;

    int64_t         anchor_media;     /* the wall clock at a media time */
    int64_t         anchor_wall;
    int64_t         anchored;         /* when that was */
    int64_t         arrived;          /* wall time of the last frame */
    int64_t         late;             /* of the frames of the open fragment, how
                                         late the one came that came best */

    int64_t         start;            /* where the next span begins */
    int64_t         cycle_start;      /* media time of the cycle's start */
    int64_t         fragment_start;
    int64_t         fragment_video;   /* its first video frame, or -1 */

    unsigned        span:1;           /* a frame of this span was seen */
    unsigned        open:1;           /* a fragment is open */
    unsigned        jumped:1;         /* the next fragment is a discontinuity */
    unsigned        cut:1;            /* cut as soon as it can be */
    unsigned        restart:1;        /* and a new cycle begins there */
    unsigned        force:1;          /* cut before the next frame: set by
                                         the caller */
    unsigned        audio_due:1;      /* audio has a sequence header */
} lr_timeline_t;


typedef struct {
    int64_t         dts;              /* media time */
    int64_t         wall;             /* unix time of the frame */
    int32_t         cts;
    unsigned        cut:2;            /* before this frame: LR_CUT_... */
    unsigned        open:1;           /* this frame begins a fragment */
    unsigned        discontinuity:1;  /* that fragment is one */
    unsigned        jump:1;           /* the timestamps jumped here */
} lr_timeline_frame_t;


/*
 * Begins with a recording's first span, or goes on with a later one:
 * start is the media time at which the span begins (0, or the end of the
 * span before it), cycle_start that of the cycle which is under way.
 */
void lr_timeline_init(lr_timeline_t *tl, int64_t fragment, int64_t cycle,
    int64_t start, int64_t cycle_start);

/*
 * Places a frame.  ts is the message's timestamp, wall the unix time of its
 * arrival.  Fills f; when f->open is set the caller begins a fragment with
 * this frame, after ending the one before it if f->cut is.
 */
void lr_timeline_frame(lr_timeline_t *tl, unsigned video, unsigned key,
    uint32_t ts, int32_t cts, int64_t wall, lr_timeline_frame_t *f);

/* a sequence header of audio has come: frames will, probably */
void lr_timeline_audio_due(lr_timeline_t *tl);

/* the codec's parameters changed: cut at the next key frame */
void lr_timeline_changed(lr_timeline_t *tl);

/* the cycle ends at the next key frame, unless there is nothing in it */
void lr_timeline_restart(lr_timeline_t *tl);

/* frames were left out: the next fragment is a discontinuity; the open
   one, if any, has been ended by the caller */
void lr_timeline_lost(lr_timeline_t *tl);

/* the open fragment was ended by the caller, with nothing missing */
void lr_timeline_ended(lr_timeline_t *tl);

/* media time at which the last frame of all ends */
int64_t lr_timeline_end(lr_timeline_t *tl);

/*
 * A time that no frame still to come will be before, and not far before
 * dts: what a fragment's rows are counted from, so that they stay small
 * and do not go below zero where the tracks are not in step.
 */
int64_t lr_timeline_base(lr_timeline_t *tl, int64_t dts);


#endif /* _LR_TIMELINE_H_INCLUDED_ */
