
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The sample tables of a track (ISO/IEC 14496-12, 8.6 and 8.7), drawn from
 * the rows of one fragment after the other; and where the chunks end, which
 * the tables and the media have to agree on.
 */


#ifndef _LR_MP4_TABLES_H_INCLUDED_
#define _LR_MP4_TABLES_H_INCLUDED_


#include "lr_core.h"
#include "lr_mp4.h"
#include "lr_sample.h"


/* what RTMP says in ms is exact, and equal times can be told apart */
#define LR_MP4_TIMESCALE  90000


typedef enum {
    LR_MP4_MEASURE = 0,
    LR_MP4_STTS,
    LR_MP4_CTTS,
    LR_MP4_STSS,
    LR_MP4_STSC,
    LR_MP4_STSZ,
    LR_MP4_STCO,
    LR_MP4_TABLES
} lr_mp4_table_e;


typedef struct {
    unsigned        id;               /* LR_TRACK_... */
    uint32_t        timescale;
    uint32_t        frame;            /* of audio: ticks of each frame */

    /*
     * What a walk with LR_MP4_MEASURE fills in.  Times are ticks since the
     * base of the first fragment; a composition time is a decoding time and
     * the offset from the rows.
     */

    uint32_t        entries[LR_MP4_TABLES];
    uint64_t        bytes;
    uint64_t        last_chunk;       /* its place in the media */
    int64_t         first;            /* decoding time */
    int64_t         end;
    int64_t         show_first;       /* composition times */
    int64_t         show_end;
    int32_t         shift;            /* to be added to each offset */
    uint32_t        largest;          /* sample, bytes */
    uint64_t        busiest;          /* second, bytes */
    unsigned        composed:1;       /* not all offsets are 0 */
} lr_mp4_track_t;


typedef struct {
    uint32_t        count;
    uint32_t        value;
} lr_mp4_run_t;


/* a pass over all rows for one table of one track */

typedef struct {
    lr_mp4_track_t *track;
    unsigned        tracks;           /* that are in the media */
    lr_mp4_table_e  table;
    uint64_t        pos;              /* of the pair */
    unsigned        wide;             /* 64-bit offsets */
    lr_buf_t       *out;

    lr_mp4_pair_t   pair;
    uint64_t        video;            /* bytes of the pair */
    uint64_t        audio;
    uint32_t        samples;          /* of the track, in the pair */

    /* the access unit under way, and what waits for the next */

    int64_t         ms;
    int32_t         cts;
    unsigned        open:1;
    unsigned        key:1;
    uint64_t        size;
    uint64_t        waiting;

    unsigned        began:1;
    unsigned        failed:1;         /* something is over 32 bits */

    int64_t         origin;           /* base of the first fragment */
    uint64_t        count;            /* samples */
    uint32_t        chunks;
    int64_t         time;             /* of the last sample */
    int64_t         step;             /* to be the last one's duration */
    int64_t         second;
    uint64_t        second_bytes;

    lr_mp4_run_t    stts;
    lr_mp4_run_t    ctts;
    lr_mp4_run_t    stsc;
} lr_mp4_walk_t;


/*
 * Adds a row that is taken, of n bytes of payload; dts in ms.  True if the
 * pair so far ends before it, and a new one begins.  Depends on nothing but
 * the rows since the fragment's begin, when *p was zeroed.
 */
unsigned lr_mp4_pair(lr_mp4_pair_t *p, unsigned flags, int64_t dts,
    size_t n);

/* bytes of a message that are in the media; 0 if it is not taken */
size_t lr_mp4_payload(unsigned tracks, unsigned flags, size_t size);

/*
 * A walk: begin, the rows of each fragment, end.  With LR_MP4_MEASURE it
 * fills in *track, else entries of the table are appended to *out.  The
 * media begin at "pos" of the file.  LR_ERROR with errno EFBIG.
 */
void lr_mp4_walk_begin(lr_mp4_walk_t *w, lr_mp4_track_t *track,
    unsigned tracks, lr_mp4_table_e table, uint64_t pos, unsigned wide,
    lr_buf_t *out);
int lr_mp4_walk_rows(lr_mp4_walk_t *w, const lr_row_t *rows, uint32_t n,
    int64_t base);
int lr_mp4_walk_end(lr_mp4_walk_t *w);


#endif /* _LR_MP4_TABLES_H_INCLUDED_ */
