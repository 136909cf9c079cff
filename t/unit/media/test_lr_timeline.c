
/*
 * Copyright (C) the ngx_live_record authors
 *
 * A publisher is simulated: frames have a true time, and timestamps that
 * may be anything.  What must hold is that media time follows true time.
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "../../../media/lr_timeline.c"


#define WALL       1772366400000LL
#define VIDEO_DUR  40
#define AUDIO_DUR  23
#define NONE       INT64_MIN


/* what the timestamps do from a true time on */

typedef struct {
    int64_t         audio;            /* true time, of each track */
    int64_t         video;
    int64_t         step;
} jump_t;


typedef struct {
    lr_timeline_t   tl;

    uint32_t        origin;           /* timestamp at true time 0 */
    int64_t         length;
    int64_t         video_dur;
    int64_t         gop;              /* ms; 0: no key frame ever */
    int64_t         audio_lead;       /* audio is sent so much earlier */
    int64_t         audio_from, audio_to;
    int64_t         video_from, video_to;
    int64_t         pause_from, pause_to;     /* of the video */
    uint32_t        audio_clock;      /* added to its timestamps */
    const jump_t   *jumps;
    size_t          njumps;

    /* what came of it */

    int64_t         last[2];          /* media time, or NONE */
    int64_t         off[2];           /* media - true time of the last one */
    int64_t         worst;            /* difference of the two, from first */
    int64_t         first;
    int64_t         settle;           /* not measured before */
    unsigned        opens;
    unsigned        cycles;
    unsigned        discontinuities;
    unsigned        jumped;
    unsigned        not_key;          /* fragments that begin with no key */
    int64_t         longest;          /* from one open to the next */
    int64_t         opened;
    int64_t         base;
    int64_t         low;              /* of a row's dts */
} sim_t;


static void
sim_init(sim_t *s)
{
    memset(s, 0, sizeof(sim_t));

    lr_timeline_init(&s->tl, 5000, 900000, 0, 0);

    s->length = 60000;
    s->video_dur = VIDEO_DUR;
    s->gop = 2000;
    s->audio_to = INT64_MAX;
    s->video_to = INT64_MAX;
    s->last[0] = s->last[1] = NONE;
    s->first = NONE;
}


static void
sim_frame(sim_t *s, unsigned video, int64_t t)
{
    size_t               i;
    int64_t              ts, diff;
    unsigned             key;
    lr_timeline_frame_t  f;

    ts = (int64_t) s->origin + t + (video ? 0 : s->audio_clock);

    for (i = 0; i < s->njumps; i++) {
        if (t >= (video ? s->jumps[i].video : s->jumps[i].audio)) {
            ts += s->jumps[i].step;
        }
    }

    key = !video || (s->gop && t % s->gop == 0);

    lr_timeline_frame(&s->tl, video, key, (uint32_t) ts, 0, WALL + t, &f);

    /* what holds for every frame whatever comes */

    assert_true(s->last[video] == NONE || f.dts >= s->last[video]);
    assert_true(!f.cut || f.open);
    assert_true(video || f.cts == 0);

    s->last[video] = f.dts;
    s->off[video] = f.dts + f.cts - t;

    if (f.open) {
        assert_true(s->opens == 0 || f.dts >= s->opened);

        if (s->opens && f.dts - s->opened > s->longest) {
            s->longest = f.dts - s->opened;
        }

        s->opened = f.dts;
        s->opens++;
        s->cycles += f.cut == LR_CUT_CYCLE;
        s->discontinuities += f.discontinuity;
        s->not_key += video ? !key : s->tl.video.seen;
        s->base = lr_timeline_base(&s->tl, f.dts);
        assert_true(s->base <= f.dts);
        assert_true(s->base >= f.dts - LR_TIMELINE_JUMP);
    }

    s->jumped += f.jump;

    if (f.dts - s->base < s->low) {
        s->low = f.dts - s->base;
    }

    if (s->last[0] != NONE && s->last[1] != NONE) {
        diff = s->off[0] - s->off[1];

        if (s->first == NONE) {
            s->first = diff;
        }

        diff -= s->first;

        for (i = 0; i < s->njumps; i++) {

            /* between the jumps of the two there is no telling */

            if ((t >= s->jumps[i].audio - 200 || t >= s->jumps[i].video - 200)
                && !(t > s->jumps[i].audio + 500
                     && t > s->jumps[i].video + 500))
            {
                return;
            }
        }

        if (t >= s->settle && llabs(diff) > s->worst) {
            s->worst = llabs(diff);
        }
    }
}


static void
sim_run(sim_t *s)
{
    int64_t  a, v, va;

    a = s->audio_from;
    v = s->video_from;

    for ( ;; ) {
        va = a - s->audio_lead;

        if (v >= s->length && a >= s->length) {
            break;
        }

        if (v <= va) {
            if (v < s->video_to
                && !(v >= s->pause_from && v < s->pause_to))
            {
                sim_frame(s, 1, v);
            }

            v += s->video_dur;

        } else {
            if (a < s->audio_to) {
                sim_frame(s, 0, a);
            }

            a += AUDIO_DUR;
        }
    }
}


static void
origins(void **state)
{
    static const uint32_t  from[] = {
        0, 1, 0xffffff - 1000, 0x7fffffff - 1000, 0xffffffff - 1000, 0xffffffff
    };

    sim_t   s;
    size_t  i;

    (void) state;

    for (i = 0; i < sizeof(from) / sizeof(from[0]); i++) {
        sim_init(&s);
        s.origin = from[i];
        sim_run(&s);

        assert_int_equal(s.worst, 0);
        assert_int_equal(s.off[0], 0);
        assert_int_equal(s.off[1], 0);
        assert_int_equal(s.jumped, 0);
        assert_int_equal(s.discontinuities, 0);
        assert_int_equal(s.not_key, 0);
        assert_int_equal(s.opens, 10);          /* every 6 s */
        assert_int_equal(s.longest, 6000);
        assert_true(s.low >= 0);
        assert_in_range(lr_timeline_end(&s.tl), 59990, 60040);
    }
}


/* every step, on both tracks a few frames apart, in either order */

static void
jumps(void **state)
{
    static const int64_t  steps[] = {
        -1, -30, -59, -60, -61, -76, -77, -78, -90, -99, -100, -101, -110,
        -122, -123, -124, -130, -139, -140, -141, -150, -200, -1000, -9000,
        -3600000, -86400000, 1, 500, 5000, 9900, 9950, 9960, 9970, 9976, 9977,
        9978, 9990, 10000, 10001, 10050, 12000, 15000, 3600000, 86400000,
        0x7ff00000, -0x7ff00000
    };
    static const int64_t  apart[] = {
        0, 23, 40, 46, 80, 120, 200, 400, -23, -40, -80, -120, -200, -400
    };

    sim_t    s;
    size_t   i, j;
    jump_t   jump;
    int64_t  gain;

    (void) state;

    for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        for (j = 0; j < sizeof(apart) / sizeof(apart[0]); j++) {

            sim_init(&s);
            s.origin = 4000000000u;
            jump.step = steps[i];
            jump.video = 20000;
            jump.audio = 20000 + apart[j];
            s.jumps = &jump;
            s.njumps = 1;

            sim_run(&s);

            /* audio alone is over a gap that makes video seem to be silent */

            if (s.worst > VIDEO_DUR
                || s.not_key > (steps[i] > LR_TIMELINE_NO_VIDEO - 100
                                && apart[j] < 0))
            {
                print_error("step %d, %d apart: off by %d, %u without key\n",
                            (int) steps[i], (int) apart[j], (int) s.worst,
                            s.not_key);
                fail();
            }

            gain = s.off[1];

            if (steps[i] > LR_TIMELINE_JUMP || steps[i] < -140) {
                assert_in_range(s.jumped, 1, 2);
                assert_int_equal(s.discontinuities, 1);
                assert_in_range(gain + 200, 0, 400);

            } else {
                assert_true(gain >= -141 && gain <= LR_TIMELINE_JUMP);
            }

            assert_true(s.longest <= 6000 + LR_TIMELINE_JUMP + 2000);
        }
    }
}


/* many of them, there and back */

static void
many_jumps(void **state)
{
    static const jump_t  there[] = {
        { 10000, 10050, 3600000 }, { 12000, 11950, -3600000 },
        { 20000, 20000, -1000 }, { 22000, 22100, -1000 },
        { 24000, 24080, 20000 }, { 26000, 26000, 86400000 },
        { 28000, 27900, -86400000 }, { 30000, 30100, -150 }
    };
    static const jump_t  nested[] = {

        /* video is there and back before audio has moved */

        { 20500, 20000, 3600000 }, { 20700, 20200, -3600000 }
    };

    sim_t  s;

    (void) state;

    sim_init(&s);
    s.jumps = there;
    s.njumps = sizeof(there) / sizeof(there[0]);
    sim_run(&s);

    assert_true(s.worst <= VIDEO_DUR);
    assert_true(s.off[1] > -2000 && s.off[1] < 2000);

    sim_init(&s);
    s.jumps = nested;
    s.njumps = 2;
    s.settle = 22000;
    sim_run(&s);

    assert_true(s.worst <= VIDEO_DUR * 4);
    assert_true(s.off[1] > -1000 && s.off[1] < 1000);
}


/* some frames of one track have wrong timestamps, and the rest has not */

static void
wrong_alone(void **state)
{
    static const int64_t  steps[] = {
        -150, -500, -1000, -5000, -9000, -12000, -3600000, 12000, 3600000
    };
    static const int64_t  lengths[] = { 1, 80, 400, 3000 };

    sim_t     s;
    size_t    i, j;
    jump_t    jump[2];
    unsigned  video;

    (void) state;

    memset(jump, 0, sizeof(jump));

    for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        for (j = 0; j < sizeof(lengths) / sizeof(lengths[0]); j++) {
            for (video = 0; video < 2; video++) {

                sim_init(&s);
                s.origin = 4000000000u;
                s.settle = 24000;

                jump[0].step = steps[i];
                jump[1].step = -steps[i];

                jump[0].audio = jump[1].audio = INT32_MAX;
                jump[0].video = jump[1].video = INT32_MAX;

                /* both tracks have a frame at 20240 */

                if (video) {
                    jump[0].video = 20240;
                    jump[1].video = 20240 + lengths[j];

                } else {
                    jump[0].audio = 20240;
                    jump[1].audio = 20240 + lengths[j];
                }

                s.jumps = jump;
                s.njumps = 2;

                sim_run(&s);

                if (llabs(s.off[0] - s.off[1]) > VIDEO_DUR || s.not_key) {
                    print_error("%s, step %d for %d: off by %d, %u without "
                                "key\n", video ? "video" : "audio",
                                (int) steps[i], (int) lengths[j],
                                (int) (s.off[0] - s.off[1]), s.not_key);
                    fail();
                }

                assert_int_equal(s.jumped, 1);
                assert_int_equal(s.discontinuities, 1);
                assert_in_range(s.off[1] + 200, 0, 400);
                assert_true(s.longest <= 8000);
            }
        }
    }
}


/* one frame is ahead of its time */

static void
ahead_alone(void **state)
{
    static const int64_t  steps[] = { 120, 500, 5000, 9900 };

    sim_t     s;
    size_t    i;
    jump_t    jump[2];
    unsigned  video;

    (void) state;

    memset(jump, 0, sizeof(jump));

    for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        for (video = 0; video < 2; video++) {

            sim_init(&s);
            s.settle = 40000;

            jump[0].step = steps[i];
            jump[1].step = -steps[i];

            jump[0].audio = video ? INT32_MAX : 20240;
            jump[1].audio = video ? INT32_MAX : 20241;
            jump[0].video = video ? 20240 : INT32_MAX;
            jump[1].video = video ? 20241 : INT32_MAX;

            s.jumps = jump;
            s.njumps = 2;

            sim_run(&s);

            assert_int_equal(s.off[0], 0);
            assert_int_equal(s.off[1], 0);
            assert_int_equal(s.jumped, 0);
            assert_int_equal(s.discontinuities, 0);
        }
    }
}


/* timestamps are those of presentation, where pictures are reordered */

static void
reordered(void **state)
{
    static const int64_t  order[] = { 4, 2, 1, 3 };

    sim_t                s;
    int64_t              gop, t, audio;
    unsigned             i;
    lr_timeline_frame_t  f;

    (void) state;

    sim_init(&s);
    audio = 0;

    lr_timeline_frame(&s.tl, 1, 1, 0, 0, WALL, &f);

    for (gop = 0; gop < 60000; gop += 4 * 100) {

        for (i = 0; i < 4; i++) {
            t = gop + order[i] * 100;

            for ( /* void */ ; audio < t; audio += AUDIO_DUR) {
                lr_timeline_frame(&s.tl, 0, 1, (uint32_t) audio, 0,
                                  WALL + audio, &f);
                assert_int_equal(f.dts, audio);
                assert_int_equal(f.jump, 0);
            }

            lr_timeline_frame(&s.tl, 1, i == 0 && gop % 2000 == 0,
                              (uint32_t) t, 0, WALL + t, &f);
            assert_int_equal(f.dts + f.cts, t);
            assert_int_equal(f.dts, gop + 400);
            assert_int_equal(f.jump, 0);
            assert_int_equal(f.discontinuity, 0);
        }
    }
}


/* a camera that is muted and comes back has not jumped */

static void
silent_track(void **state)
{
    sim_t    s;
    int64_t  i;

    (void) state;

    for (i = 1000; i < 200000; i += 9000) {
        sim_init(&s);
        s.length = 300000;
        s.pause_from = 20000;
        s.pause_to = 20000 + i;
        sim_run(&s);

        assert_int_equal(s.worst, 0);
        assert_int_equal(s.jumped, 0);
        assert_int_equal(s.off[1], 0);
        assert_true(s.low >= 0);

        /* audio goes on to be cut */

        assert_true(s.longest <= 15000);
    }

    /* a stream that was silent on both tracks is another matter */

    sim_init(&s);
    sim_run(&s);
    sim_frame(&s, 1, 90000);
    assert_int_equal(s.jumped, 1);
    sim_frame(&s, 0, 90000);
    assert_int_equal(s.jumped, 1);
    assert_true(llabs(s.off[0] - s.off[1]) <= VIDEO_DUR);
    assert_true(s.last[1] < 60100);
}


static void
tracks_apart(void **state)
{
    sim_t   s;
    size_t  i;

    (void) state;

    /* audio is sent before or after the video of its time */

    for (i = 0; i < 3; i++) {
        sim_init(&s);
        s.audio_lead = i == 0 ? 2000 : i == 1 ? -2000 : 4000;
        sim_run(&s);
        assert_int_equal(s.worst, 0);
        assert_int_equal(s.jumped, 0);
        assert_true(s.low >= 0);
        assert_in_range(s.opens, 10, 11);
        assert_int_equal(s.not_key, 0);
    }

    /* one begins late, with the same clock */

    for (i = 0; i < 2; i++) {
        sim_init(&s);
        s.audio_from = i ? 0 : 25007;
        s.video_from = i ? 26000 : 0;
        sim_run(&s);
        assert_int_equal(s.worst, 0);
        assert_int_equal(s.jumped, 0);
        assert_int_equal(s.off[0], 0);
        assert_true(s.low >= 0);
    }

    /* with another one: it begins where the other is */

    for (i = 0; i < 3; i++) {
        sim_init(&s);
        s.audio_from = 1000;
        s.audio_clock = i == 0 ? 1000000 : i == 1 ? (uint32_t) -1000000
                                                  : 0x80000000;
        sim_run(&s);
        assert_int_equal(s.worst, 0);
        assert_int_equal(s.jumped, 0);
        assert_in_range(s.off[0] + VIDEO_DUR, 0, 2 * VIDEO_DUR);
    }
}


/* two clocks, and then both jump: each is moved by as much */

static void
clocks_jump(void **state)
{
    static const jump_t  jump[] = {
        { 20040, 20000, -3600000 }, { 40000, 40080, 3600000 }
    };

    sim_t  s;

    (void) state;

    sim_init(&s);
    s.origin = 100000000;
    s.audio_clock = 50000000;
    s.jumps = jump;
    s.njumps = 2;
    sim_run(&s);

    assert_true(s.worst <= VIDEO_DUR);
    assert_int_equal(s.jumped, 2);
}


/* the second track begins before the first one did */

static void
before_start(void **state)
{
    lr_timeline_t        tl;
    lr_timeline_frame_t  f;

    (void) state;

    lr_timeline_init(&tl, 5000, 900000, 0, 0);

    lr_timeline_frame(&tl, 0, 1, 5000, 0, WALL, &f);
    assert_int_equal(f.dts, 0);
    assert_int_equal(f.open, 1);
    assert_true(lr_timeline_base(&tl, f.dts) <= -4000);

    /* what is due does not open a fragment that begins before this one */

    lr_timeline_changed(&tl);
    lr_timeline_frame(&tl, 1, 1, 1000, 0, WALL, &f);
    assert_int_equal(f.dts, -4000);
    assert_int_equal(f.open, 0);
    assert_int_equal(f.wall, WALL - 4000);

    lr_timeline_frame(&tl, 1, 1, 6000, 0, WALL, &f);
    assert_int_equal(f.dts, 1000);
    assert_int_equal(f.open, 1);
    assert_int_equal(f.cut, LR_CUT_FRAGMENT);
}


static void
dts_and_cts(void **state)
{
    lr_timeline_t        tl;
    lr_timeline_frame_t  f;

    (void) state;

    lr_timeline_init(&tl, 5000, 900000, 0, 0);

    lr_timeline_frame(&tl, 1, 1, 1000, 80, WALL, &f);
    assert_int_equal(f.dts, 0);
    assert_int_equal(f.cts, 80);

    lr_timeline_frame(&tl, 1, 0, 1000, -40, WALL, &f);
    assert_int_equal(f.dts, 0);
    assert_int_equal(f.cts, -40);

    lr_timeline_frame(&tl, 1, 0, 1040, 9000, WALL, &f);
    assert_int_equal(f.dts, 40);
    assert_int_equal(f.cts, 9000);

    /* back: the presentation time is kept */

    lr_timeline_frame(&tl, 1, 0, 1039, 0, WALL, &f);
    assert_int_equal(f.dts, 40);
    assert_int_equal(f.cts, -1);
    assert_int_equal(f.jump, 0);

    lr_timeline_frame(&tl, 1, 0, 940, 0, WALL, &f);
    assert_int_equal(f.dts, 40);
    assert_int_equal(f.cts, -100);
    assert_int_equal(f.jump, 0);

    /* as far as 24 bits go */

    lr_timeline_frame(&tl, 1, 0, 1040, 0x7fffff, WALL, &f);
    assert_int_equal(f.cts, 0x7fffff);
    lr_timeline_frame(&tl, 1, 0, 1039, -0x800000, WALL, &f);
    assert_int_equal(f.cts, -0x800000);
    lr_timeline_frame(&tl, 1, 0, 1040, INT32_MAX, WALL, &f);
    assert_int_equal(f.cts, 0x7fffff);
    lr_timeline_frame(&tl, 1, 0, 1040, INT32_MIN, WALL, &f);
    assert_int_equal(f.cts, -0x800000);

    /* audio has no place for it */

    lr_timeline_frame(&tl, 0, 1, 1040, 0, WALL, &f);
    lr_timeline_frame(&tl, 0, 1, 1000, 0, WALL, &f);
    assert_int_equal(f.dts, 40);
    assert_int_equal(f.cts, 0);
}


static void
cuts(void **state)
{
    sim_t  s;

    (void) state;

    /* audio only: exactly at the length, when video is not waited for */

    sim_init(&s);
    s.video_from = INT64_MAX / 2;
    s.length = 100000;
    s.video_to = 0;
    s.audio_to = INT64_MAX;

    for (int64_t t = 0; t < 100000; t += AUDIO_DUR) {
        sim_frame(&s, 0, t);
    }

    assert_in_range(s.longest, LR_TIMELINE_WAIT,
                    LR_TIMELINE_WAIT + AUDIO_DUR);
    assert_int_equal(s.opens, 17);

    /* a video that stops: audio takes over */

    sim_init(&s);
    s.video_to = 21000;
    sim_run(&s);
    assert_true(s.longest < 12000);
    assert_true(s.opens >= 10);

    /* a picture now and then is not the end of video */

    sim_init(&s);
    s.length = 360000;
    s.video_dur = 12000;
    s.gop = 36000;
    sim_run(&s);
    assert_int_equal(s.opens, 10);
    assert_int_equal(s.longest, 36000);
    assert_int_equal(s.not_key, 0);

    /* there are two of them in the first fragment */

    sim_init(&s);
    s.video_dur = 12000;
    s.gop = 12000;
    s.length = 120000;
    sim_run(&s);
    assert_int_equal(s.opens, 9);
    assert_int_equal(s.longest, 24000);
    assert_int_equal(s.not_key, 0);

    /* a GOP longer than the fragment */

    sim_init(&s);
    s.gop = 12000;
    s.length = 120000;
    sim_run(&s);
    assert_int_equal(s.opens, 10);
    assert_int_equal(s.longest, 12000);
    assert_int_equal(s.not_key, 0);

    /* no key frame ever */

    sim_init(&s);
    s.gop = 0;
    s.length = 200000;
    sim_run(&s);
    assert_int_equal(s.opens, 4);
    assert_in_range(s.longest, LR_TIMELINE_MAX_GOP,
                    LR_TIMELINE_MAX_GOP + VIDEO_DUR);

    /* all frames are keys */

    sim_init(&s);
    s.gop = VIDEO_DUR;
    sim_run(&s);
    assert_int_equal(s.longest, 5000);
    assert_int_equal(s.opens, 12);
}


static void
cycles(void **state)
{
    sim_t                s;
    lr_timeline_t        tl;
    lr_timeline_frame_t  f;

    (void) state;

    sim_init(&s);
    lr_timeline_init(&s.tl, 30000, 900000, 0, 0);
    s.length = 33 * 60000;
    sim_run(&s);
    assert_int_equal(s.cycles, 2);
    assert_int_equal(s.opens, 66);
    assert_int_equal(s.tl.cycle_start, 1800000);

    /* a cycle ends in the middle of a fragment */

    sim_init(&s);
    lr_timeline_init(&s.tl, 30000, 100000, 0, 0);
    s.length = 210000;
    sim_run(&s);
    assert_int_equal(s.cycles, 2);
    assert_int_equal(s.tl.cycle_start, 200000);

    /* and while none is open, or between two spans */

    lr_timeline_init(&tl, 30000, 100000, 100001, 0);
    lr_timeline_frame(&tl, 1, 1, 7, 0, WALL, &f);
    assert_int_equal(f.cut, LR_CUT_CYCLE);
    assert_int_equal(f.open, 1);
    assert_int_equal(f.discontinuity, 1);
    assert_int_equal(f.dts, 100001);
    assert_int_equal(f.wall, WALL);
    assert_int_equal(tl.cycle_start, 100001);

    lr_timeline_init(&tl, 30000, 100000, 99998, 0);
    lr_timeline_frame(&tl, 1, 1, 7, 0, WALL, &f);
    assert_int_equal(f.cut, LR_CUT_NONE);
    assert_int_equal(f.open, 1);
    lr_timeline_frame(&tl, 1, 1, 8, 0, WALL, &f);
    assert_int_equal(f.cut, LR_CUT_NONE);
    lr_timeline_frame(&tl, 1, 1, 9, 0, WALL, &f);
    assert_int_equal(f.cut, LR_CUT_CYCLE);
}


static void
flags(void **state)
{
    lr_timeline_t        tl;
    lr_timeline_frame_t  f;

    (void) state;

    lr_timeline_init(&tl, 5000, 900000, 0, 0);
    assert_int_equal(lr_timeline_end(&tl), 0);

    lr_timeline_frame(&tl, 1, 1, 0, 0, WALL, &f);
    assert_int_equal(f.open, 1);
    assert_int_equal(f.cut, LR_CUT_NONE);
    assert_int_equal(f.discontinuity, 0);

    /* lost: a discontinuity; ended: none */

    lr_timeline_lost(&tl);
    lr_timeline_frame(&tl, 1, 1, 40, 0, WALL, &f);
    assert_int_equal(f.open, 1);
    assert_int_equal(f.discontinuity, 1);

    lr_timeline_ended(&tl);
    lr_timeline_frame(&tl, 1, 0, 80, 0, WALL, &f);
    assert_int_equal(f.open, 1);
    assert_int_equal(f.discontinuity, 0);

    /* changed: at the next key frame */

    lr_timeline_changed(&tl);
    lr_timeline_frame(&tl, 1, 0, 120, 0, WALL, &f);
    assert_int_equal(f.open, 0);
    lr_timeline_frame(&tl, 0, 1, 120, 0, WALL, &f);
    assert_int_equal(f.open, 0);
    lr_timeline_frame(&tl, 1, 1, 160, 0, WALL, &f);
    assert_int_equal(f.open, 1);
    assert_int_equal(f.cut, LR_CUT_FRAGMENT);

    /* forced: at once */

    tl.force = 1;
    lr_timeline_frame(&tl, 0, 1, 161, 0, WALL, &f);
    assert_int_equal(f.open, 1);
    lr_timeline_frame(&tl, 0, 1, 170, 0, WALL, &f);
    assert_int_equal(f.open, 0);

    assert_int_equal(lr_timeline_end(&tl), 200);
}


/* five seconds at once say nothing of the clock; then the wall is kept */

static void
burst(void **state)
{
    int64_t              t;
    lr_timeline_t        tl;
    lr_timeline_frame_t  f;

    (void) state;

    lr_timeline_init(&tl, 5000, 900000, 0, 0);

    for (t = 0; t < 20000; t += 40) {
        lr_timeline_frame(&tl, 1, t % 2000 == 0, (uint32_t) t, 0,
                          WALL + (t < 5000 ? 0 : t - 5000), &f);
        assert_int_equal(f.dts, t);
        assert_int_equal(f.wall, WALL + t);
    }
}


/* random steps of either track never break what holds for all frames */

static void
noise(void **state)
{
    sim_t                 s;
    int64_t               last[2];
    uint32_t              ts[2], r;
    unsigned              i, video, n;
    lr_timeline_frame_t   f;

    (void) state;

    r = 1;

    for (n = 0; n < 200; n++) {
        sim_init(&s);
        ts[0] = ts[1] = r;
        last[0] = last[1] = NONE;

        for (i = 0; i < 2000; i++) {
            r = r * 1664525 + 1013904223;
            video = r >> 31;
            ts[video] += 40;

            if ((r >> 8 & 0x3f) == 0) {
                ts[video] += (int32_t) (r * 2654435761u)
                             >> (r >> 16 & 0x1f);
            }

            lr_timeline_frame(&s.tl, video, !video || i % 50 == 0, ts[video],
                              0, WALL + i * 20, &f);

            assert_true(last[video] == NONE || f.dts >= last[video]);
            assert_true(last[video] == NONE
                        || f.dts - last[video]
                           <= (int64_t) 40 * 2000 + 2000 * LR_TIMELINE_JUMP);
            assert_true(last[video] == NONE
                        || f.dts - last[video] <= LR_TIMELINE_JUMP
                        || (last[!video] != NONE
                            && f.dts - last[!video] <= LR_TIMELINE_JUMP / 2));
            last[video] = f.dts;
        }
    }
}


/* a cycle that is to end before its time */

static void
restarts(void **state)
{
    int64_t              t;
    unsigned             i, video, opens;
    lr_timeline_t        tl;
    lr_timeline_frame_t  f;

    (void) state;

    /* nothing is in the cycle yet: there is nothing to be ended */

    lr_timeline_init(&tl, 5000, 900000, 0, 0);
    lr_timeline_restart(&tl);
    lr_timeline_frame(&tl, 1, 1, 0, 0, WALL, &f);
    assert_int_equal(f.open, 1);
    assert_int_equal(f.cut, LR_CUT_NONE);

    /* at the next key frame, once, however often it is said */

    opens = 0;

    for (i = 1; i < 200; i++) {
        t = i * 20;
        video = i % 2 == 0;

        if (t == 500 || t == 700) {
            lr_timeline_restart(&tl);
        }

        lr_timeline_frame(&tl, video, !video || t % 1000 == 0, (uint32_t) t,
                          0, WALL + t, &f);

        if (f.open) {
            opens++;
            assert_int_equal(t, 1000);
            assert_int_equal(f.cut, LR_CUT_CYCLE);
            assert_int_equal(f.discontinuity, 0);
            assert_int_equal(tl.cycle_start, 1000);
        }
    }

    assert_int_equal(opens, 1);

    /* where no fragment is open, at the next one */

    lr_timeline_ended(&tl);
    lr_timeline_restart(&tl);
    lr_timeline_frame(&tl, 1, 1, 4000, 0, WALL + 4000, &f);
    assert_int_equal(f.open, 1);
    assert_int_equal(f.cut, LR_CUT_CYCLE);
    assert_int_equal(tl.cycle_start, 4000);

    /* in a span that has just begun, behind a cycle of the one before */

    lr_timeline_init(&tl, 5000, 900000, 8000, 4000);
    lr_timeline_restart(&tl);
    lr_timeline_frame(&tl, 1, 1, 0, 0, WALL, &f);
    assert_int_equal(f.cut, LR_CUT_CYCLE);
    assert_int_equal(tl.cycle_start, 8000);

    /* without video, at the next audio frame */

    lr_timeline_init(&tl, 5000, 900000, 0, 0);
    lr_timeline_frame(&tl, 0, 1, 0, 0, WALL, &f);
    lr_timeline_restart(&tl);
    lr_timeline_frame(&tl, 0, 1, 23, 0, WALL + 23, &f);
    assert_int_equal(f.cut, LR_CUT_CYCLE);
}


/* the cuts of 30 s of a stream whose tracks begin at these times */

static void
cuts_are(int64_t audio, int64_t video, int64_t gop, unsigned announced,
    const char *expected)
{
    char                 text[128];
    int64_t              t;
    size_t               n;
    lr_timeline_t        tl;
    lr_timeline_frame_t  f;

    lr_timeline_init(&tl, 5000, 900000, 0, 0);
    n = 0;

    if (announced) {
        lr_timeline_audio_due(&tl);
    }

    for (t = 0; t < 30000; t += 20) {

        if (t >= video && (t - video) % 40 == 0) {
            lr_timeline_frame(&tl, 1, (t - video) % gop == 0, (uint32_t) t, 0,
                              WALL, &f);
            if (f.open) {
                n += (size_t) sprintf(text + n, "v%d ", (int) (t / 1000));
            }
        }

        if (t >= audio) {
            lr_timeline_frame(&tl, 0, 1, (uint32_t) t, 0, WALL, &f);

            if (f.open) {
                n += (size_t) sprintf(text + n, "a%d ", (int) (t / 1000));
            }
        }
    }

    assert_string_equal(text, expected);
}


/* the first fragment has both tracks, if they come in time */

static void
late_tracks(void **state)
{
    (void) state;

    cuts_are(0, 0, 2000, 1, "v0 v6 v12 v18 v24 ");
    cuts_are(0, 2000, 2000, 0, "a0 v8 v14 v20 v26 ");

    /* longer than a fragment: a relay that waits for a key frame */

    cuts_are(0, 10000, 10000, 0, "a0 v20 ");
    cuts_are(0, 12000, 2000, 1, "a0 v18 v24 ");
    cuts_are(0, 26000, 2000, 1, "a0 a20 a25 ");

    /* and audio that was told of; a stream without any is not held up */

    cuts_are(12000, 0, 2000, 1, "v0 v14 v20 v26 ");
    cuts_are(12000, 0, 2000, 0, "v0 v6 v12 v18 v24 ");
    cuts_are(26000, 0, 2000, 1, "v0 v20 v26 ");
}


/* what was closed in a silence goes on where it was, or it does not */

static void
silence(void **state)
{
    lr_timeline_t        tl;
    lr_timeline_frame_t  f;

    (void) state;

    lr_timeline_init(&tl, 5000, 900000, 0, 0);
    lr_timeline_frame(&tl, 1, 1, 0, 0, WALL, &f);
    lr_timeline_ended(&tl);
    lr_timeline_frame(&tl, 1, 1, 40, 0, WALL + 60000, &f);
    assert_int_equal(f.open, 1);
    assert_int_equal(f.jump, 0);
    assert_int_equal(f.discontinuity, 0);

    lr_timeline_ended(&tl);
    lr_timeline_frame(&tl, 1, 1, 3600000, 0, WALL + 3600000, &f);
    assert_int_equal(f.open, 1);
    assert_int_equal(f.jump, 1);
    assert_int_equal(f.discontinuity, 1);
    assert_true(f.wall == WALL + 3600000);

    /* and is not cut again for that */

    lr_timeline_frame(&tl, 1, 1, 3600040, 0, WALL + 3600040, &f);
    assert_int_equal(f.open, 0);
}


/*
 * Ten seconds of video that come "speed" times as fast, and ten more after
 * the clock has made a step: how far the wall times of fragments are from
 * what they are without it.  What was open goes on to the next key frame.
 */

static void
step_is(int64_t step, int64_t speed, int64_t shift, unsigned discontinuity)
{
    int64_t              t, wall;
    unsigned             opens;
    lr_timeline_t        tl;
    lr_timeline_frame_t  f;

    lr_timeline_init(&tl, 5000, 900000, 0, 0);
    opens = 0;

    for (t = 0; t < 20000; t += 40) {
        wall = WALL + t / speed + (t >= 10040 ? step : 0);

        lr_timeline_frame(&tl, 1, t % 2000 == 0, (uint32_t) t, 0, wall, &f);

        assert_int_equal(f.jump, 0);
        assert_true(f.dts == t);

        if (!f.open) {
            continue;
        }

        opens++;
        assert_true(f.wall == WALL + t + (t < 10040 ? 0 : shift));
        assert_int_equal(f.discontinuity, t == 12000 && discontinuity);
    }

    assert_int_equal(opens, 4);
}


static void
clock_steps(void **state)
{
    (void) state;

    /* a pause, or a clock that is set: forward, back, and years */

    step_is(0, 1, 0, 0);
    step_is(10800000, 1, 10800000, 1);
    step_is(1000000000000LL, 1, 1000000000000LL, 1);
    step_is(-3600000, 1, -3600000 + 40, 1);

    /* a stall is not known from that while it is short */

    step_is(110000, 1, 0, 0);
    step_is(-9000, 1, 0, 0);

    /* what is sent faster than real time is ahead of the clock */

    step_is(-60000, 20, -60000 + 2, 1);
    step_is(125000, 20, 0, 0);
}


/*
 * A day of an encoder whose clock makes "media" ms of each "real" ones: how
 * far wall times are from when their frames came, at most.  Those that wait
 * on their way, for a minute in an hour, and come all at once do no harm.
 */

static int64_t
drift_is(int64_t media, int64_t real, int64_t delay)
{
    int64_t              t, wall, before, off, most;
    lr_timeline_t        tl;
    lr_timeline_frame_t  f;

    lr_timeline_init(&tl, 30000, 900000, 0, 0);
    most = 0;
    before = 0;

    for (t = 0; t < 86400000; t += 200) {
        wall = WALL + t * real / media;

        if (t && wall % 3600000 < delay) {
            wall += delay - wall % 3600000;
        }

        lr_timeline_frame(&tl, 1, t % 2000 == 0, (uint32_t) t, 0, wall, &f);

        assert_int_equal(f.discontinuity, 0);

        if (!f.open) {
            continue;
        }

        /* time never goes back, and nothing is bent by much */

        assert_true(before == 0 || llabs(f.wall - before - 30000) <= 600);
        before = f.wall;

        off = llabs(WALL + t * real / media - f.wall);
        most = off > most ? off : most;
    }

    return most;
}


static void
drift(void **state)
{
    (void) state;

    /* none, 100 ppm, 29.97 frames a second that are sent as 30, and 1% */

    assert_int_equal(drift_is(1000, 1000, 0), 0);
    assert_in_range(drift_is(10000, 10001, 0), 900, 1100);
    assert_in_range(drift_is(10001, 10000, 0), 900, 1100);
    assert_in_range(drift_is(1000, 1001, 0), 900, 1100);
    assert_in_range(drift_is(100, 101, 0), 900, 4000);
    assert_in_range(drift_is(101, 100, 0), 900, 4000);

    /* a network that stands still */

    assert_in_range(drift_is(1000, 1000, 60000), 0, 2500);

    /* a file that is sent at twice its speed keeps the time it has */

    assert_in_range(drift_is(200, 100, 0), 43000000, 43300000);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(origins),
        cmocka_unit_test(jumps),
        cmocka_unit_test(many_jumps),
        cmocka_unit_test(wrong_alone),
        cmocka_unit_test(ahead_alone),
        cmocka_unit_test(reordered),
        cmocka_unit_test(silent_track),
        cmocka_unit_test(silence),
        cmocka_unit_test(clock_steps),
        cmocka_unit_test(drift),
        cmocka_unit_test(late_tracks),
        cmocka_unit_test(tracks_apart),
        cmocka_unit_test(clocks_jump),
        cmocka_unit_test(before_start),
        cmocka_unit_test(dts_and_cts),
        cmocka_unit_test(cuts),
        cmocka_unit_test(cycles),
        cmocka_unit_test(flags),
        cmocka_unit_test(restarts),
        cmocka_unit_test(burst),
        cmocka_unit_test(noise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
