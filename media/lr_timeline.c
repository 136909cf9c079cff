
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdlib.h>
#include "lr_timeline.h"


static int64_t lr_timeline_place(lr_timeline_t *tl, lr_timeline_track_t *t,
    lr_timeline_track_t *other, uint32_t ts, int64_t wall, unsigned *jump);
static unsigned lr_timeline_paused(lr_timeline_t *tl, int64_t dts,
    int64_t wall);
static void lr_timeline_anchor(lr_timeline_t *tl, int64_t media,
    int64_t wall);
static void lr_timeline_drift(lr_timeline_t *tl, int64_t dts);
static unsigned lr_timeline_near(const lr_timeline_track_t *t,
    const lr_timeline_track_t *other, int64_t step);
static unsigned lr_timeline_in_step(const lr_timeline_track_t *t,
    const lr_timeline_track_t *other);
static unsigned lr_timeline_waits(const lr_timeline_t *tl, unsigned video,
    int64_t dts);
static unsigned lr_timeline_cut(lr_timeline_t *tl, unsigned video,
    unsigned key, int64_t dts);


void
lr_timeline_init(lr_timeline_t *tl, int64_t fragment, int64_t cycle,
    int64_t start, int64_t cycle_start)
{
    memset(tl, 0, sizeof(lr_timeline_t));

    tl->fragment = fragment;
    tl->cycle = cycle;
    tl->start = start;
    tl->cycle_start = cycle_start;
    tl->fragment_video = -1;
    tl->late = INT64_MAX;

    tl->audio.duration = 23;
    tl->video.duration = 40;
}


void
lr_timeline_frame(lr_timeline_t *tl, unsigned video, unsigned key,
    uint32_t ts, int32_t cts, int64_t wall, lr_timeline_frame_t *f)
{
    int64_t               dts, pts, late;
    unsigned              jump;
    lr_timeline_track_t  *t, *other;

    t = video ? &tl->video : &tl->audio;
    other = video ? &tl->audio : &tl->video;
    jump = 0;

    dts = lr_timeline_place(tl, t, other, ts, wall, &jump);
    pts = dts + cts;

    if (t->seen) {
        if (dts < t->last) {
            dts = t->last;

        } else if (dts > t->last && dts - t->last < 1000) {
            t->duration = dts - t->last;
        }
    }

    if (tl->arrived && !jump && lr_timeline_paused(tl, dts, wall)) {
        tl->jumped = 1;
        tl->cut = tl->open;
    }

    late = wall - tl->anchor_wall - (dts - tl->anchor_media);

    if (late < tl->late) {
        tl->late = late;
    }

    tl->arrived = wall;

    f->cut = LR_CUT_NONE;
    f->open = 0;
    f->discontinuity = 0;
    f->jump = jump;
    f->dts = dts;
    f->wall = tl->anchor_wall + (dts - tl->anchor_media);

    /* an audio frame has no place for an offset */

    cts = video ? (int32_t) (pts - dts) : 0;
    f->cts = cts < -0x800000 ? -0x800000 : cts > 0x7fffff ? 0x7fffff : cts;

    /* of a silent publisher there may be none that is open */

    if (jump) {
        tl->jumped = 1;
        tl->cut = tl->open;
    }

    if (tl->open) {
        f->cut = lr_timeline_cut(tl, video, key, dts);
    }

    if (!tl->open || f->cut) {

        if (f->cut && tl->anchored + LR_TIMELINE_DRIFT_FROM < wall) {
            lr_timeline_drift(tl, dts);
            f->wall = tl->anchor_wall + (dts - tl->anchor_media);
        }

        tl->late = INT64_MAX;

        /* a cycle that ended while no fragment was open */

        if (!tl->open
            && (tl->restart || dts - tl->cycle_start >= tl->cycle))
        {
            f->cut = LR_CUT_CYCLE;
        }

        if (f->cut == LR_CUT_CYCLE) {
            tl->cycle_start = dts;
            tl->restart = 0;
        }

        f->open = 1;
        f->discontinuity = tl->jumped;

        tl->open = 1;
        tl->jumped = 0;
        tl->cut = 0;
        tl->force = 0;
        tl->fragment_start = dts;
        tl->fragment_video = -1;
    }

    if (video && tl->fragment_video == -1) {
        tl->fragment_video = dts;
    }

    if (!t->seen) {
        t->floor = dts;

    } else if (dts > t->last) {
        t->floor = t->last;
    }

    t->last = dts;
    t->seen = 1;
}


static int64_t
lr_timeline_place(lr_timeline_t *tl, lr_timeline_track_t *t,
    lr_timeline_track_t *other, uint32_t ts, int64_t wall, unsigned *jump)
{
    int64_t   target, step, moved, shift;
    unsigned  near, between;

    if (!tl->span) {
        tl->span = 1;
        t->raw = ts;
        t->offset = tl->start - t->raw;
        lr_timeline_anchor(tl, tl->start, wall);

        /* the first fragment after a gap, but not the recording's first */

        tl->jumped = tl->start != 0;

        return tl->start;
    }

    if (!t->seen) {

        /* unwrapped beside the other track, which is under way */

        t->raw = other->raw + (int32_t) (ts - (uint32_t) other->raw);
        t->offset = other->offset;
        target = t->raw + t->offset;

        if (target - other->last > LR_TIMELINE_JUMP
            || target - other->last < -LR_TIMELINE_JUMP)
        {
            /* a clock of its own: it begins where the other track is */

            t->offset = other->last - t->raw;
        }

        return t->raw + t->offset;
    }

    t->raw += (int32_t) (ts - (uint32_t) t->raw);

    step = t->raw + t->offset - t->last;

    /*
     * What falls between the last two has not jumped: some encoders send a
     * picture's presentation time, or that of the last one was wrong.
     */

    between = step < 0 && step >= -LR_TIMELINE_JUMP
              && t->last + step >= t->floor;
    near = between || lr_timeline_near(t, other, step);

    if (t->pending) {
        moved = t->raw + t->next - t->last;

        if (lr_timeline_near(t, other, moved)
            && (!near || llabs(moved - t->duration)
                         < llabs(step - t->duration)))
        {
            t->offset = t->next;
            t->pending = 0;

            return t->raw + t->offset;
        }
    }

    /*
     * It had jumped alone, and is back: a few frames had wrong timestamps.
     * To keep what it was moved by would put it out of step for good.
     */

    if (other->pending) {
        shift = other->next - other->offset;
        moved = step - shift;

        if (lr_timeline_near(t, other, moved)
            && llabs(moved - t->duration) < llabs(step - t->duration))
        {
            t->offset -= shift;
            other->pending = 0;

            return t->raw + t->offset;
        }
    }

    if (near || lr_timeline_in_step(t, other)) {

        if (step < 0 && !between) {
            t->back = t->last;
            t->stepped = 1;
        }

        if (t->last > t->until) {
            t->pending = 0;
        }

        return t->raw + t->offset;
    }

    target = t->last + t->duration;

    /* the other track is to be moved by as much, so that both stay in step */

    if (!other->pending) {
        other->next = other->offset;
    }

    other->next += target - t->raw - t->offset;
    other->until = target + LR_TIMELINE_JUMP;
    other->pending = other->seen;

    t->offset = target - t->raw;
    t->pending = 0;

    lr_timeline_anchor(tl, target, wall);
    *jump = 1;

    return target;
}


/* whether the wall clock had to be anchored anew, while timestamps went on */

static unsigned
lr_timeline_paused(lr_timeline_t *tl, int64_t dts, int64_t wall)
{
    int64_t  step, late;

    step = wall - tl->arrived;
    late = wall - tl->anchor_wall - (dts - tl->anchor_media);

    /* what is ahead of the clock remains so where that is set back */

    if (step < -LR_TIMELINE_JUMP) {
        tl->anchor_wall += step;
        tl->anchored += step;
        return 1;
    }

    if (step > LR_TIMELINE_PAUSE && late > LR_TIMELINE_PAUSE) {
        lr_timeline_anchor(tl, dts, wall);
        return 1;
    }

    return 0;
}


static void
lr_timeline_anchor(lr_timeline_t *tl, int64_t media, int64_t wall)
{
    tl->anchor_media = media;
    tl->anchor_wall = wall;
    tl->anchored = wall;
    tl->late = INT64_MAX;
}


/*
 * A fragment ends at this media time.  That a frame comes late may be due to
 * the way that it took, but of many one took no longer than those before.
 */

static void
lr_timeline_drift(lr_timeline_t *tl, int64_t dts)
{
    int64_t  late, most;

    late = tl->late;

    if (llabs(late) < LR_TIMELINE_DRIFT_MIN || late < -LR_TIMELINE_DRIFT_MAX
        || late == INT64_MAX)
    {
        return;
    }

    most = (dts - tl->fragment_start) / LR_TIMELINE_DRIFT_PART;

    tl->anchor_wall += late > most ? most : late < -most ? -most : late;
}


static unsigned
lr_timeline_near(const lr_timeline_track_t *t,
    const lr_timeline_track_t *other, int64_t step)
{
    int64_t  back;

    back = LR_TIMELINE_BACK;

    /*
     * The same step is longer on the track whose frames are shorter: where
     * one did not jump, the other must not.
     */

    if (other->stepped && llabs(t->last - other->back) <= LR_TIMELINE_JUMP) {
        back += other->duration;
    }

    return step >= -back && step <= LR_TIMELINE_JUMP;
}


/* whether a track that was silent comes back where the other one is */

static unsigned
lr_timeline_in_step(const lr_timeline_track_t *t,
    const lr_timeline_track_t *other)
{
    int64_t  media;

    media = t->raw + t->offset;

    return other->seen
           && media > t->last
           && media >= other->last - LR_TIMELINE_JUMP
           && media <= other->last + LR_TIMELINE_JUMP / 2;
}


static unsigned
lr_timeline_cut(lr_timeline_t *tl, unsigned video, unsigned key, int64_t dts)
{
    int64_t   length, max, start, silent;
    unsigned  may, due;

    if (video) {
        may = key;

    } else {

        /* of a screen that is shared a picture comes now and then */

        silent = 2 * (tl->video.last - tl->video.floor);

        if (silent < LR_TIMELINE_NO_VIDEO) {
            silent = LR_TIMELINE_NO_VIDEO;
        }

        may = !tl->video.seen || dts - tl->video.last > silent;
    }

    if (lr_timeline_waits(tl, video, dts)) {
        may = 0;
    }

    start = tl->fragment_start;

    if (video && tl->fragment_video != -1) {
        start = tl->fragment_video;
    }

    length = dts - start;

    /* fragments follow one another, also where the tracks do not */

    if (dts < tl->fragment_start) {
        return LR_CUT_NONE;
    }

    max = tl->fragment * 3;

    if (max < LR_TIMELINE_MAX_GOP) {
        max = LR_TIMELINE_MAX_GOP;
    }

    due = length >= tl->fragment
          || tl->cut
          || tl->restart
          || dts - tl->cycle_start >= tl->cycle;

    if (!(may && due) && length < max && !tl->force) {
        return LR_CUT_NONE;
    }

    if (tl->restart || dts - tl->cycle_start >= tl->cycle) {
        return LR_CUT_CYCLE;
    }

    return LR_CUT_FRAGMENT;
}


/* whether the first fragment of a span lacks a track that may still come */

static unsigned
lr_timeline_waits(const lr_timeline_t *tl, unsigned video, int64_t dts)
{
    if (tl->fragment_start != tl->start || dts - tl->start >= LR_TIMELINE_WAIT
        || tl->cut || tl->restart)
    {
        return 0;
    }

    /*
     * The first frame of video is to be in it, too; and a second one, which
     * tells how often they come, and without which players do not begin.
     */

    return !tl->video.seen
           || tl->video.last == tl->video.floor
           || (video && tl->audio_due && !tl->audio.seen);
}


void
lr_timeline_audio_due(lr_timeline_t *tl)
{
    tl->audio_due = 1;
}


void
lr_timeline_changed(lr_timeline_t *tl)
{
    tl->cut = 1;
}


void
lr_timeline_restart(lr_timeline_t *tl)
{
    if (tl->span || tl->start != tl->cycle_start) {
        tl->restart = 1;
    }
}


void
lr_timeline_lost(lr_timeline_t *tl)
{
    tl->open = 0;
    tl->jumped = 1;
}


void
lr_timeline_ended(lr_timeline_t *tl)
{
    tl->open = 0;
}


int64_t
lr_timeline_end(lr_timeline_t *tl)
{
    int64_t  a, v;

    if (!tl->span) {
        return tl->start;
    }

    a = tl->audio.seen ? tl->audio.last + tl->audio.duration : tl->start;
    v = tl->video.seen ? tl->video.last + tl->video.duration : tl->start;

    return a > v ? a : v;
}


int64_t
lr_timeline_base(lr_timeline_t *tl, int64_t dts)
{
    int64_t               base, last;
    unsigned              i;
    lr_timeline_track_t  *t;

    base = dts;

    for (i = 0; i < 2; i++) {
        t = i ? &tl->video : &tl->audio;

        /* a silent track may begin so far behind the other one */

        last = t->seen ? t->last : dts - LR_TIMELINE_JUMP;

        if (last < dts - LR_TIMELINE_JUMP) {
            last = dts - LR_TIMELINE_JUMP;
        }

        if (last < base) {
            base = last;
        }
    }

    return base;
}
