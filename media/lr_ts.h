
/*
 * Copyright (C) the ngx_live_record authors
 *
 * A fragment as an MPEG-TS segment (ISO/IEC 13818-1): a pure function of
 * the sample table and the samples.
 *
 *     lr_ts_begin(ts, rows, n, base_ms, 0);
 *     for both tracks:  row = lr_ts_hint_row(ts, video);  if not -1:
 *                       lr_ts_hint(ts, video, that row's body, its size);
 *     for each row:  lr_ts_sample(ts, sample);  drain ts->mux.out
 *     lr_ts_end(ts);                            drain ts->mux.out
 *
 * Each fragment stands alone, and any fragments put one after another have
 * continuous counters, since each holds a multiple of 16 packets with
 * payload on each PID.  The packets are lr_ts_mux's; what is in them, frames
 * of audio and access units of video, is the work of this one.
 */


#ifndef _LR_TS_H_INCLUDED_
#define _LR_TS_H_INCLUDED_


#include "lr_aac.h"
#include "lr_codec.h"
#include "lr_sample.h"
#include "lr_ts_mux.h"


/* frames of audio in one PES packet, in all and in bytes */
#define LR_TS_GATHER      8
#define LR_TS_GATHER_LEN  8192

/* NAL units that wait for the picture they belong to */
#define LR_TS_HELD_MAX    65536


/*
 * Parameter sets from the sequence header, which may be 64 KiB of them, are
 * put before each key picture if they take no more than this, as those of
 * encoders do, and longer ones if they are no more than so many times the
 * picture; so a fragment cannot become far more than what was published.
 * The first picture of a fragment, whatever it is, and the first key picture
 * behind a sequence header have them in any case.
 */
#define LR_TS_SETS        512
#define LR_TS_SETS_RATIO  8


typedef struct {

    /* for the caller: drains mux.out, which is to set its len to 0 */

    lr_ts_mux_t     mux;
    size_t          skipped;          /* samples left out, whole or in part */

    /* the fragment */

    const lr_row_t *rows;
    size_t          nrows;
    size_t          row;              /* of the next sample */
    size_t          next_video;       /* the first frame at or after "row" */
    size_t          last_video;       /* rows of the last frames, SIZE_MAX */
    size_t          last_audio;
    int64_t        *dts;              /* of each row, 90 kHz since mux.base */
    size_t          dts_size;
    int64_t         lead;             /* audio is before video in the log */

    /* the tracks */

    lr_video_t      vconf;
    lr_audio_t      aconf;
    lr_audio_t      mp3;

    /* the same of the first frames put out; LR_CODEC_NONE: there are none */

    lr_codec_e      shown;
    unsigned        width;
    unsigned        height;
    lr_audio_t      heard;

    lr_buf_t        held;
    unsigned        held_sets;
    unsigned        held_count;

    int64_t         first;            /* dts of the gathered audio */
    int64_t         expect;           /* dts of the frame that may join */
    unsigned        frames;
    size_t          len;
    u_char         *gather;

    unsigned        open:1;           /* an access unit can be continued */
    unsigned        told:1;           /* vconf's parameter sets were put out */
} lr_ts_t;


/* NULL when there is no memory; one is used for many fragments */
lr_ts_t *lr_ts_create(void);
void lr_ts_destroy(lr_ts_t *ts);

/*
 * Begins a fragment of n rows, whose dts count from base_ms of media time.
 * The rows must stay until lr_ts_end(); what was not drained from ts->mux.out
 * stays there.  With "count" nothing is written but ts->mux.bytes is, after
 * lr_ts_end(), what a run without it gives.  LR_ERROR: no memory.
 */
int lr_ts_begin(lr_ts_t *ts, const lr_row_t *rows, size_t n,
    int64_t base_ms, unsigned count);

/*
 * The PMT that stands first must name the stream types of both tracks, as
 * players look no further; but MPEG audio has no sequence header, and that of
 * a track may come when the other one has begun.  For each track,
 * lr_ts_hint_row() gives the row whose body should be shown to lr_ts_hint()
 * before the first sample, or -1 if there is no need.
 */
ssize_t lr_ts_hint_row(lr_ts_t *ts, unsigned video);
void lr_ts_hint(lr_ts_t *ts, unsigned video, const u_char *p, size_t size);

/*
 * Takes the sample of the next row; its data is not needed after the call.
 * Times and flags are those of the row.  A sample that cannot be held is
 * counted in ts->skipped and is LR_OK.  LR_ERROR: no memory, or more
 * samples than rows.
 */
int lr_ts_sample(lr_ts_t *ts, const lr_sample_t *s);

/* ends the fragment; it is of 0 bytes if no sample could be held */
int lr_ts_end(lr_ts_t *ts);


#endif /* _LR_TS_H_INCLUDED_ */
