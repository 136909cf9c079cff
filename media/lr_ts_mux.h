
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The packets of an MPEG-TS segment (ISO/IEC 13818-1): one program of at
 * most two tracks.  Program tables, clock and PES packets, but nothing of
 * what is in them: that is lr_ts.
 *
 *     lr_ts_mux_begin(m, base, count);
 *     for each PES packet:
 *         lr_ts_mux_tables(m, t);
 *         lr_ts_mux_clock(m, pid, t);
 *         if (lr_ts_mux_pes(m, pid, ...)) {
 *             lr_ts_mux_put(m, ...);      as often as is needed
 *         }
 *     lr_ts_mux_end(m);
 *
 * Times are in 90 kHz since "base", and may be negative.
 */


#ifndef _LR_TS_MUX_H_INCLUDED_
#define _LR_TS_MUX_H_INCLUDED_


#include "lr_core.h"


#define LR_TS_PACKET      188

#define LR_TS_PID_PMT     0x1000
#define LR_TS_PID_VIDEO   0x100
#define LR_TS_PID_AUDIO   0x101

/* media time 0 in 90 kHz, and how far PCR is before DTS */
#define LR_TS_OFFSET      (10 * 90000)
#define LR_TS_PCR_DELAY   90000

/* stream types, 2.4.4.9 */
#define LR_TS_TYPE_MPEG1  0x03
#define LR_TS_TYPE_MPEG2  0x04
#define LR_TS_TYPE_AAC    0x0f
#define LR_TS_TYPE_AVC    0x1b
#define LR_TS_TYPE_HEVC   0x24

#define LR_TS_MS(n)       ((n) * 90)

/* the longest allowed interval of PCR, 2.7.2 */
#define LR_TS_PCR_STEP    LR_TS_MS(100)

#define LR_TS_UNSET       INT64_MAX


typedef struct {
    unsigned        pid;
    unsigned        sid;              /* stream_id of its PES packets */
    unsigned        cc;               /* of the next packet with payload */
    unsigned        type;             /* stream_type, 0 if not known yet */
} lr_ts_pid_t;


typedef struct {
    lr_buf_t        out;              /* whole packets */
    size_t          bytes;            /* put out since the begin */

    uint64_t        base;

    lr_ts_pid_t     pat;
    lr_ts_pid_t     pmt;
    lr_ts_pid_t     video;            /* the caller sets their types */
    lr_ts_pid_t     audio;

    /* program tables and clock */

    int64_t         psi_from;         /* what they are spread over */
    int64_t         psi_len;
    unsigned        psi_count;
    unsigned        psi_version;
    int64_t         pcr;

    /* the PES packet being written */

    lr_ts_pid_t    *to;
    u_char         *pos;
    size_t          left;             /* bytes of it */
    size_t          packets;          /* for them */
    size_t          room;             /* in the packet begun */

    unsigned        count:1;
    unsigned        psi:1;            /* program tables were written */
    unsigned        clock:1;          /* pcr is valid */
} lr_ts_mux_t;


/*
 * Begins a segment; "base" is in 90 kHz, with LR_TS_OFFSET.  What is in
 * m->out stays there.  With "count" nothing is written, but m->bytes is what
 * a run without it gives.
 */
void lr_ts_mux_begin(lr_ts_mux_t *m, uint64_t base, unsigned count);

/* the time from the first to the last PES packet, for lr_ts_mux_tables() */
void lr_ts_mux_span(lr_ts_mux_t *m, int64_t from, int64_t to);

/*
 * PAT and PMT, if they are due at time t: before anything else, when a
 * track's type has changed, and as time goes on
 */
void lr_ts_mux_tables(lr_ts_mux_t *m, int64_t t);

/*
 * Packets with nothing but PCR, as many as are needed for a PES packet of
 * the PID and the clock t to be the next.
 */
void lr_ts_mux_clock(lr_ts_mux_t *m, lr_ts_pid_t *pid, int64_t t);

/*
 * Begins a PES packet of n bytes after its header; 0 if nothing is to be put
 * into it (count, or no memory: m->out.failed).  LR_TS_UNSET as "pts" (and
 * "dts"): no access unit begins in it.  t is the clock, or LR_TS_UNSET.
 * "last" is for the last one of a track, whose packets make the number of
 * all the track's a multiple of 16 as far as it can.
 */
unsigned lr_ts_mux_pes(lr_ts_mux_t *m, lr_ts_pid_t *pid, size_t n,
    int64_t pts, int64_t dts, int64_t t, unsigned random, unsigned last);

/* the next n bytes of the PES packet */
void lr_ts_mux_put(lr_ts_mux_t *m, const void *data, size_t n);

/*
 * Makes lr_ts_mux_put() write the next n bytes to p as they are, until the
 * next lr_ts_mux_pes().
 */
void lr_ts_mux_into(lr_ts_mux_t *m, u_char *p, size_t n);

/*
 * Brings the number of packets with payload of each PID to a multiple of 16,
 * so that the counters of any segments put one after another go on.
 */
void lr_ts_mux_end(lr_ts_mux_t *m);

void lr_ts_mux_free(lr_ts_mux_t *m);


#endif /* _LR_TS_MUX_H_INCLUDED_ */
