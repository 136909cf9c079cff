
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <errno.h>
#include "lr_mp4_tables.h"


/* longer than a file can be: its ticks fit into 64 bits at any rate */
#define LR_MP4_MS_MAX     ((int64_t) 1 << 36)

/* a composition offset and a shift together fit into 31 bits */
#define LR_MP4_CTS_MAX    ((1 << 30) - 1)

/* how far audio may be from its timestamp, which is rounded to ms */
#define LR_MP4_SLACK      2

/* the last picture's duration if no other is known, ms */
#define LR_MP4_STEP       40
#define LR_MP4_STEP_MAX   1000


static void lr_mp4_walk_video(lr_mp4_walk_t *w, const lr_row_t *row,
    int64_t ms, size_t n);
static void lr_mp4_walk_pair(lr_mp4_walk_t *w);
static void lr_mp4_walk_sample(lr_mp4_walk_t *w, int64_t ms, int32_t cts,
    unsigned key, uint64_t size);
static int64_t lr_mp4_walk_time(lr_mp4_walk_t *w, int64_t ms);
static int64_t lr_mp4_ticks(const lr_mp4_track_t *t, int64_t ms);
static void lr_mp4_walk_measure(lr_mp4_walk_t *w, int64_t cts, unsigned key,
    uint64_t size);
static void lr_mp4_walk_run(lr_mp4_walk_t *w, lr_mp4_run_t *run,
    lr_mp4_table_e table, uint32_t value);
static void lr_mp4_walk_end_run(lr_mp4_walk_t *w, lr_mp4_run_t *run,
    lr_mp4_table_e table);
static void lr_mp4_walk_put(lr_mp4_walk_t *w, uint32_t value);


void
lr_mp4_walk_begin(lr_mp4_walk_t *w, lr_mp4_track_t *track, unsigned tracks,
    lr_mp4_table_e table, uint64_t pos, unsigned wide, lr_buf_t *out)
{
    memset(w, 0, sizeof(lr_mp4_walk_t));

    w->track = track;
    w->tracks = tracks;
    w->table = table;
    w->pos = pos;
    w->wide = wide;
    w->out = out;
}


int
lr_mp4_walk_rows(lr_mp4_walk_t *w, const lr_row_t *rows, uint32_t n,
    int64_t base)
{
    size_t           len;
    int64_t          ms;
    uint32_t         i;
    unsigned         video;
    const lr_row_t  *row;

    if (!w->began) {
        w->began = 1;
        w->origin = base;
    }

    base -= w->origin;
    video = w->track->id == LR_TRACK_VIDEO;

    memset(&w->pair, 0, sizeof(lr_mp4_pair_t));

    for (i = 0; i < n; i++) {
        row = &rows[i];
        len = lr_mp4_payload(w->tracks, row->flags, row->size);

        if (len == 0) {
            continue;
        }

        ms = base + row->dts;

        if (lr_mp4_pair(&w->pair, row->flags, ms, len)) {
            lr_mp4_walk_pair(w);
        }

        if (row->flags & LR_SAMPLE_VIDEO) {
            w->video += len;

            if (video) {
                lr_mp4_walk_video(w, row, ms, len);
            }

        } else {
            w->audio += len;

            if (!video) {
                lr_mp4_walk_sample(w, ms, 0, 1, len);
            }
        }
    }

    lr_mp4_walk_pair(w);

    if (w->failed) {
        errno = EFBIG;
        return LR_ERROR;
    }

    if (w->out && w->out->failed) {
        errno = ENOMEM;
        return LR_ERROR;
    }

    return LR_OK;
}


static void
lr_mp4_walk_video(lr_mp4_walk_t *w, const lr_row_t *row, int64_t ms,
    size_t n)
{
    if (row->flags & LR_SAMPLE_PREV && w->open) {

        /* what waited is between the two */

        w->size += w->waiting + n;
        w->waiting = 0;
        return;
    }

    if (row->flags & (LR_SAMPLE_NEXT|LR_SAMPLE_PREV)) {

        if (!w->open && w->waiting == 0) {
            w->ms = ms;
            w->cts = row->cts;
            w->key = 0;
        }

        w->waiting += n;
        return;
    }

    if (w->open) {
        lr_mp4_walk_sample(w, w->ms, w->cts, w->key, w->size);
    }

    w->open = 1;
    w->ms = ms;
    w->cts = row->cts;
    w->key = row->flags & LR_SAMPLE_KEY ? 1 : 0;
    w->size = w->waiting + n;
    w->waiting = 0;
}


static void
lr_mp4_walk_pair(lr_mp4_walk_t *w)
{
    uint64_t         pos;
    lr_mp4_track_t  *t;

    t = w->track;

    /* parts whose picture never came */

    if (w->open || w->waiting) {
        lr_mp4_walk_sample(w, w->ms, w->cts, w->key, w->size + w->waiting);
    }

    w->open = 0;
    w->size = 0;
    w->waiting = 0;

    if (w->samples) {
        pos = w->pos + (t->id == LR_TRACK_VIDEO ? 0 : w->video);

        if (w->table == LR_MP4_MEASURE) {
            t->last_chunk = pos;
            t->entries[LR_MP4_STCO]++;
        }

        if (w->table == LR_MP4_STCO) {

            if (w->wide) {
                lr_mp4_walk_put(w, (uint32_t) (pos >> 32));
            }

            lr_mp4_walk_put(w, (uint32_t) pos);
        }

        if (w->table == LR_MP4_MEASURE || w->table == LR_MP4_STSC) {
            lr_mp4_walk_run(w, &w->stsc, LR_MP4_STSC, w->samples);
        }

        w->chunks++;
        w->samples = 0;
    }

    w->pos += w->video + w->audio;
    w->video = 0;
    w->audio = 0;
}


static void
lr_mp4_walk_sample(lr_mp4_walk_t *w, int64_t ms, int32_t cts, unsigned key,
    uint64_t size)
{
    int64_t          time, step, offset;
    lr_mp4_track_t  *t;

    t = w->track;

    if (size > UINT32_MAX || w->count == UINT32_MAX) {
        w->failed = 1;
        return;
    }

    w->count++;
    w->samples++;

    switch (w->table) {

    case LR_MP4_STSS:
        if (key) {
            lr_mp4_walk_put(w, (uint32_t) w->count);
        }

        return;

    case LR_MP4_STSZ:
        lr_mp4_walk_put(w, (uint32_t) size);
        return;

    case LR_MP4_STSC:
    case LR_MP4_STCO:
        return;

    default:
        break;
    }

    time = lr_mp4_walk_time(w, ms);

    if (w->count > 1) {
        step = time - w->time;

        if (step >= t->timescale / 1000
            && step < LR_MP4_STEP_MAX * (int64_t) t->timescale / 1000)
        {
            w->step = step;
        }

        if (w->table != LR_MP4_CTTS) {
            lr_mp4_walk_run(w, &w->stts, LR_MP4_STTS, (uint32_t) step);
        }
    }

    w->time = time;

    if (w->table == LR_MP4_STTS) {
        return;
    }

    /* a picture is shown when it says, whatever became of its decoding */

    offset = 0;

    if (!t->frame) {
        offset = lr_mp4_ticks(t, ms) + (int64_t) cts * (t->timescale / 1000)
                 - time;
    }

    if (offset < 0 && offset > -(int64_t) (t->timescale / 1000)) {
        offset = 0;
    }

    if (offset > LR_MP4_CTS_MAX) {
        offset = LR_MP4_CTS_MAX;
    }

    if (offset < -LR_MP4_CTS_MAX) {
        offset = -LR_MP4_CTS_MAX;
    }

    if (w->table == LR_MP4_MEASURE) {
        lr_mp4_walk_measure(w, offset, key, size);

    } else {
        offset += t->shift;
    }

    lr_mp4_walk_run(w, &w->ctts, LR_MP4_CTTS, (uint32_t) offset);
}


/*
 * The decoding time of the next sample.  Frames of audio follow each other
 * without a gap as long as their timestamps allow it.
 */

static int64_t
lr_mp4_walk_time(lr_mp4_walk_t *w, int64_t ms)
{
    int64_t          time, ideal, slack;
    lr_mp4_track_t  *t;

    t = w->track;
    time = lr_mp4_ticks(t, ms);

    if (w->count == 1) {
        return time;
    }

    if (t->frame) {
        ideal = w->time + t->frame;
        slack = LR_MP4_SLACK * (int64_t) t->timescale / 1000;

        if (ideal - time <= slack && time - ideal <= slack) {
            return ideal;
        }
    }

    if (time <= w->time) {
        return w->time + 1;
    }

    /* further than a duration can say: comes nearer with each sample */

    if (time - w->time > INT32_MAX) {
        return w->time + INT32_MAX;
    }

    return time;
}


static int64_t
lr_mp4_ticks(const lr_mp4_track_t *t, int64_t ms)
{
    if (ms > LR_MP4_MS_MAX) {
        ms = LR_MP4_MS_MAX;
    }

    if (ms < -LR_MP4_MS_MAX) {
        ms = -LR_MP4_MS_MAX;
    }

    return (ms * t->timescale + (ms < 0 ? -500 : 500)) / 1000;
}


static void
lr_mp4_walk_measure(lr_mp4_walk_t *w, int64_t cts, unsigned key,
    uint64_t size)
{
    int64_t          show, second;
    lr_mp4_track_t  *t;

    t = w->track;
    show = w->time + cts;

    if (w->count == 1) {
        t->first = w->time;
        t->show_first = show;
        t->show_end = show;
    }

    if (show < t->show_first) {
        t->show_first = show;
    }

    if (show > t->show_end) {
        t->show_end = show;
    }

    if (cts) {
        t->composed = 1;
    }

    if (cts < 0 && t->shift < -cts) {
        t->shift = (int32_t) -cts;
    }

    t->entries[LR_MP4_STSZ]++;
    t->entries[LR_MP4_STSS] += key;
    t->bytes += size;

    if (size > t->largest) {
        t->largest = (uint32_t) size;
    }

    second = (w->time - t->first) / t->timescale;

    if (second != w->second) {
        w->second = second;
        w->second_bytes = 0;
    }

    w->second_bytes += size;

    if (w->second_bytes > t->busiest) {
        t->busiest = w->second_bytes;
    }
}


static void
lr_mp4_walk_run(lr_mp4_walk_t *w, lr_mp4_run_t *run, lr_mp4_table_e table,
    uint32_t value)
{
    if (run->count && run->value != value) {
        lr_mp4_walk_end_run(w, run, table);
    }

    /* chunks are not counted but named by the first of each run */

    if (run->count == 0 && w->table == LR_MP4_STSC) {
        lr_mp4_walk_put(w, w->chunks + 1);
        lr_mp4_walk_put(w, value);
        lr_mp4_walk_put(w, 1);
    }

    run->count++;
    run->value = value;
}


static void
lr_mp4_walk_end_run(lr_mp4_walk_t *w, lr_mp4_run_t *run,
    lr_mp4_table_e table)
{
    if (run->count == 0) {
        return;
    }

    if (w->table == LR_MP4_MEASURE) {
        w->track->entries[table]++;

    } else if (w->table == table && table != LR_MP4_STSC) {
        lr_mp4_walk_put(w, run->count);
        lr_mp4_walk_put(w, run->value);
    }

    run->count = 0;
}


static void
lr_mp4_walk_put(lr_mp4_walk_t *w, uint32_t value)
{
    u_char  buf[4];

    (void) lr_put_be32(buf, value);
    lr_buf_append(w->out, buf, 4);
}


int
lr_mp4_walk_end(lr_mp4_walk_t *w)
{
    int64_t          step;
    lr_mp4_track_t  *t;

    t = w->track;

    if (w->count) {
        step = w->step;

        if (t->frame) {
            step = t->frame;

        } else if (step == 0) {
            step = LR_MP4_STEP * (int64_t) t->timescale / 1000;
        }

        if (w->table == LR_MP4_MEASURE) {
            t->end = w->time + step;
            t->show_end += step;
        }

        if (w->table == LR_MP4_MEASURE || w->table == LR_MP4_STTS) {
            lr_mp4_walk_run(w, &w->stts, LR_MP4_STTS, (uint32_t) step);
        }
    }

    lr_mp4_walk_end_run(w, &w->stts, LR_MP4_STTS);
    lr_mp4_walk_end_run(w, &w->ctts, LR_MP4_CTTS);
    lr_mp4_walk_end_run(w, &w->stsc, LR_MP4_STSC);

    if (w->out && w->out->failed) {
        errno = ENOMEM;
        return LR_ERROR;
    }

    return LR_OK;
}
