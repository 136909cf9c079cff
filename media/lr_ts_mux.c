
/*
 * Copyright (C) the ngx_live_record authors
 */


#include "lr_ts_mux.h"


#define LR_TS_SID_AUDIO    0xc0
#define LR_TS_SID_VIDEO    0xe0

/* payload of a packet without an adaptation field */
#define LR_TS_PAYLOAD      (LR_TS_PACKET - 4)

/* an adaptation field with PCR, and with flags only */
#define LR_TS_AF_PCR       8
#define LR_TS_AF_FLAGS     2

#define LR_TS_RANDOM       0x40
#define LR_TS_PCR          0x10

/* PES header with PTS and DTS, 2.4.3.6 */
#define LR_TS_PES_HEADER   19

/* the counters of a PID wrap at 16 */
#define LR_TS_TABLES       16

/* a longer hole in the media time is not filled with PCR */
#define LR_TS_PCR_HOLE     LR_TS_MS(10000)


static unsigned lr_ts_mux_version(lr_ts_mux_t *m);
static void lr_ts_mux_put_tables(lr_ts_mux_t *m);
static void lr_ts_mux_section(lr_ts_mux_t *m, lr_ts_pid_t *pid, u_char *s,
    size_t n);
static uint32_t lr_ts_mux_crc(const u_char *p, size_t n);
static lr_ts_pid_t *lr_ts_mux_pcr_pid(lr_ts_mux_t *m);
static void lr_ts_mux_put_clock(lr_ts_mux_t *m, int64_t t);
static u_char *lr_ts_mux_pcr(lr_ts_mux_t *m, u_char *p, int64_t t);
static size_t lr_ts_mux_pes_header(lr_ts_mux_t *m, u_char *head, unsigned sid,
    size_t n, int64_t pts, int64_t dts);
static u_char *lr_ts_mux_stamp(u_char *p, unsigned mark, uint64_t t);
static void lr_ts_mux_packet(lr_ts_mux_t *m, unsigned af, unsigned flags,
    int64_t t, unsigned start);
static void lr_ts_mux_pad(lr_ts_mux_t *m, lr_ts_pid_t *pid);


void
lr_ts_mux_begin(lr_ts_mux_t *m, uint64_t base, unsigned count)
{
    m->out.failed = 0;
    m->bytes = 0;
    m->base = base;

    memset(&m->pat, 0, sizeof(lr_ts_pid_t));
    memset(&m->pmt, 0, sizeof(lr_ts_pid_t));
    memset(&m->video, 0, sizeof(lr_ts_pid_t));
    memset(&m->audio, 0, sizeof(lr_ts_pid_t));

    m->pmt.pid = LR_TS_PID_PMT;
    m->video.pid = LR_TS_PID_VIDEO;
    m->video.sid = LR_TS_SID_VIDEO;
    m->audio.pid = LR_TS_PID_AUDIO;
    m->audio.sid = LR_TS_SID_AUDIO;

    m->psi_from = 0;
    m->psi_len = 0;
    m->psi_count = 0;
    m->pcr = 0;

    m->left = 0;
    m->packets = 0;
    m->room = 0;

    m->count = count ? 1 : 0;
    m->psi = 0;
    m->clock = 0;
}


void
lr_ts_mux_span(lr_ts_mux_t *m, int64_t from, int64_t to)
{
    m->psi_from = from;
    m->psi_len = to - from;
}


void
lr_ts_mux_tables(lr_ts_mux_t *m, int64_t t)
{
    if (m->psi && lr_ts_mux_version(m) == m->psi_version
        && (m->psi_count >= LR_TS_TABLES
            || t - m->psi_from
               < m->psi_len / LR_TS_TABLES * (int64_t) m->psi_count))
    {
        return;
    }

    lr_ts_mux_put_tables(m);
}


/*
 * Drawn from what the PMT says, so that of neighbouring fragments only those
 * of the same tracks have the same version.
 */

static unsigned
lr_ts_mux_version(lr_ts_mux_t *m)
{
    unsigned  version;

    version = m->video.type == LR_TS_TYPE_AVC ? 4
              : m->video.type == LR_TS_TYPE_HEVC ? 8 : 0;
    version += m->audio.type == LR_TS_TYPE_AAC ? 1
               : m->audio.type == LR_TS_TYPE_MPEG1 ? 2
               : m->audio.type == LR_TS_TYPE_MPEG2 ? 3 : 0;

    return version;
}


static void
lr_ts_mux_put_tables(lr_ts_mux_t *m)
{
    u_char   *p, buf[64];
    unsigned  i;

    m->psi = 1;
    m->psi_count++;
    m->psi_version = lr_ts_mux_version(m);

    if (m->count) {
        m->bytes += 2 * LR_TS_PACKET;
        return;
    }

    /* 2.4.4.3: transport stream 1, program 1 */

    p = buf;
    *p++ = 0x00;
    p = lr_put_be16(p, 0xb000 | 13);
    p = lr_put_be16(p, 1);
    *p++ = 0xc1;
    p = lr_put_be16(p, 0);
    p = lr_put_be16(p, 1);
    p = lr_put_be16(p, 0xe000 | LR_TS_PID_PMT);

    lr_ts_mux_section(m, &m->pat, buf, p - buf);

    /* 2.4.4.8 */

    i = (m->video.type != 0) + (m->audio.type != 0);

    p = buf;
    *p++ = 0x02;
    p = lr_put_be16(p, 0xb000 | (13 + 5 * i));
    p = lr_put_be16(p, 1);
    *p++ = (u_char) (0xc1 | m->psi_version << 1);
    p = lr_put_be16(p, 0);
    p = lr_put_be16(p, 0xe000 | lr_ts_mux_pcr_pid(m)->pid);
    p = lr_put_be16(p, 0xf000);

    if (m->video.type) {
        *p++ = (u_char) m->video.type;
        p = lr_put_be16(p, 0xe000 | LR_TS_PID_VIDEO);
        p = lr_put_be16(p, 0xf000);
    }

    if (m->audio.type) {
        *p++ = (u_char) m->audio.type;
        p = lr_put_be16(p, 0xe000 | LR_TS_PID_AUDIO);
        p = lr_put_be16(p, 0xf000);
    }

    lr_ts_mux_section(m, &m->pmt, buf, p - buf);
}


static void
lr_ts_mux_section(lr_ts_mux_t *m, lr_ts_pid_t *pid, u_char *s, size_t n)
{
    u_char  *p;

    m->bytes += LR_TS_PACKET;

    if (lr_buf_reserve(&m->out, LR_TS_PACKET) != LR_OK) {
        return;
    }

    lr_put_be32(s + n, lr_ts_mux_crc(s, n));
    n += 4;

    p = m->out.data + m->out.len;

    *p++ = 0x47;
    p = lr_put_be16(p, 0x4000 | pid->pid);
    *p++ = (u_char) (0x10 | (pid->cc++ & 15));
    *p++ = 0;                                 /* pointer_field */

    memcpy(p, s, n);
    memset(p + n, 0xff, LR_TS_PACKET - 5 - n);

    m->out.len += LR_TS_PACKET;
}


static uint32_t
lr_ts_mux_crc(const u_char *p, size_t n)
{
    uint32_t  crc;
    unsigned  i;

    /* CRC-32/MPEG-2, annex A; a table would not be worth its bytes here */

    crc = 0xffffffff;

    while (n--) {
        crc ^= (uint32_t) *p++ << 24;

        for (i = 0; i < 8; i++) {
            crc = crc & 0x80000000 ? crc << 1 ^ 0x04c11db7 : crc << 1;
        }
    }

    return crc;
}


static lr_ts_pid_t *
lr_ts_mux_pcr_pid(lr_ts_mux_t *m)
{
    return m->video.type ? &m->video : &m->audio;
}


void
lr_ts_mux_clock(lr_ts_mux_t *m, lr_ts_pid_t *pid, int64_t t)
{
    if (!m->clock) {

        if (pid != lr_ts_mux_pcr_pid(m)) {
            lr_ts_mux_put_clock(m, t);
        }

        return;
    }

    if (t - m->pcr > LR_TS_PCR_HOLE) {
        lr_ts_mux_put_clock(m, t - 1);
        return;
    }

    while (t - m->pcr > LR_TS_PCR_STEP) {
        lr_ts_mux_put_clock(m, m->pcr + LR_TS_PCR_STEP);
    }
}


static void
lr_ts_mux_put_clock(lr_ts_mux_t *m, int64_t t)
{
    u_char       *p;
    lr_ts_pid_t  *pid;

    m->pcr = t;
    m->clock = 1;
    m->bytes += LR_TS_PACKET;

    if (m->count || lr_buf_reserve(&m->out, LR_TS_PACKET) != LR_OK) {
        return;
    }

    pid = lr_ts_mux_pcr_pid(m);
    p = m->out.data + m->out.len;

    /* without payload the counter is that of the packet before */

    *p++ = 0x47;
    p = lr_put_be16(p, pid->pid);
    *p++ = (u_char) (0x20 | ((pid->cc - 1) & 15));
    *p++ = LR_TS_PACKET - 5;
    *p++ = LR_TS_PCR;
    p = lr_ts_mux_pcr(m, p, t);

    memset(p, 0xff, m->out.data + m->out.len + LR_TS_PACKET - p);

    m->out.len += LR_TS_PACKET;
}


static u_char *
lr_ts_mux_pcr(lr_ts_mux_t *m, u_char *p, int64_t t)
{
    uint64_t  pcr;

    pcr = (m->base + (uint64_t) t - LR_TS_PCR_DELAY) & 0x1ffffffff;

    p = lr_put_be32(p, (uint32_t) (pcr >> 1));
    *p++ = (u_char) ((pcr & 1) << 7 | 0x7e);
    *p++ = 0;

    return p;
}


/*
 * The last PES packet of a track takes as many packets more as make their
 * number a multiple of 16: all but the first need one byte only, so 15 more
 * are found when there are 15 bytes after the header, which no packet of
 * video is short of by more than a few, nor audio but for frames of silence.
 * What is still missing, or all when the last sample turns out not to fit
 * in, is left to lr_ts_mux_pad().
 */

unsigned
lr_ts_mux_pes(lr_ts_mux_t *m, lr_ts_pid_t *pid, size_t n, int64_t pts,
    int64_t dts, int64_t t, unsigned random, unsigned last)
{
    size_t    len, size, packets, most;
    u_char    head[LR_TS_PES_HEADER];
    unsigned  flags, af;

    len = lr_ts_mux_pes_header(m, head, pid->sid, n, pts, dts);
    size = len + n;
    flags = random ? LR_TS_RANDOM : 0;

    if (t != LR_TS_UNSET && pid == lr_ts_mux_pcr_pid(m)
        && (!m->clock || t > m->pcr))
    {
        m->clock = 1;
        m->pcr = t;
        flags |= LR_TS_PCR;
        af = LR_TS_AF_PCR;

    } else {

        /* what marks the random access points of audio is its clock */

        if (pid == &m->audio) {
            flags = 0;
        }

        af = flags ? LR_TS_AF_FLAGS : 0;
    }

    packets = (size + af + LR_TS_PAYLOAD - 1) / LR_TS_PAYLOAD;

    if (last) {
        most = 1 + size - len;
        packets += -(pid->cc + packets) & 15;

        if (packets > most) {
            packets = most;
        }
    }

    m->bytes += packets * LR_TS_PACKET;

    if (m->count) {
        pid->cc += (unsigned) packets;
        return 0;
    }

    if (lr_buf_reserve(&m->out, packets * LR_TS_PACKET) != LR_OK) {
        return 0;
    }

    m->to = pid;
    m->pos = m->out.data + m->out.len;
    m->left = size;
    m->packets = packets;
    m->out.len += packets * LR_TS_PACKET;

    lr_ts_mux_packet(m, af, flags, t, 1);
    lr_ts_mux_put(m, head, len);

    return 1;
}


static size_t
lr_ts_mux_pes_header(lr_ts_mux_t *m, u_char *head, unsigned sid, size_t n,
    int64_t pts, int64_t dts)
{
    size_t    len;
    u_char   *p;
    unsigned  stamps;

    stamps = pts == LR_TS_UNSET ? 0 : pts == dts ? 1 : 2;
    len = 3 + stamps * 5 + n;

    p = head;
    *p++ = 0;
    *p++ = 0;
    *p++ = 1;
    *p++ = (u_char) sid;

    /* only video may be without a length */

    p = lr_put_be16(p, len > 0xffff ? 0 : (uint32_t) len);

    /* data_alignment_indicator: an access unit begins */

    *p++ = stamps ? 0x84 : 0x80;
    *p++ = stamps == 0 ? 0 : stamps == 1 ? 0x80 : 0xc0;
    *p++ = (u_char) (stamps * 5);

    if (stamps) {
        p = lr_ts_mux_stamp(p, stamps == 1 ? 2 : 3, m->base + (uint64_t) pts);
    }

    if (stamps == 2) {
        p = lr_ts_mux_stamp(p, 1, m->base + (uint64_t) dts);
    }

    return p - head;
}


static u_char *
lr_ts_mux_stamp(u_char *p, unsigned mark, uint64_t t)
{
    *p++ = (u_char) (mark << 4 | ((t >> 30) & 7) << 1 | 1);
    p = lr_put_be16(p, (uint32_t) (((t >> 15) & 0x7fff) << 1 | 1));

    return lr_put_be16(p, (uint32_t) ((t & 0x7fff) << 1 | 1));
}


/*
 * Begins a packet: its payload is as long as leaves a byte for each of the
 * others, stuffing is what remains.
 */

static void
lr_ts_mux_packet(lr_ts_mux_t *m, unsigned af, unsigned flags, int64_t t,
    unsigned start)
{
    u_char    *p, *field;
    size_t     room;
    unsigned   n;

    m->packets--;

    room = m->left - m->packets;

    if (room > LR_TS_PAYLOAD - af) {
        room = LR_TS_PAYLOAD - af;
    }

    n = LR_TS_PAYLOAD - (unsigned) room;

    p = m->pos;
    *p++ = 0x47;
    p = lr_put_be16(p, start << 14 | m->to->pid);
    *p++ = (u_char) ((n ? 0x30 : 0x10) | (m->to->cc++ & 15));

    if (n) {
        field = p;
        *p++ = (u_char) (n - 1);

        if (n > 1) {
            *p++ = (u_char) flags;
        }

        if (flags & LR_TS_PCR) {
            p = lr_ts_mux_pcr(m, p, t);
        }

        memset(p, 0xff, n - (p - field));
        p = field + n;
    }

    m->pos = p;
    m->room = room;
}


void
lr_ts_mux_put(lr_ts_mux_t *m, const void *data, size_t n)
{
    size_t         len;
    u_char        *pos;
    unsigned       cc, pid;
    const u_char  *p;

    p = data;

    for ( ;; ) {
        len = n < m->room ? n : m->room;

        if (len) {
            memcpy(m->pos, p, len);
            m->pos += len;
            m->room -= len;
            m->left -= len;
            p += len;
            n -= len;
        }

        if (n == 0) {
            return;
        }

        /* whole packets, which is nearly all there is */

        pos = m->pos;
        pid = m->to->pid;
        cc = m->to->cc;

        while (n >= LR_TS_PAYLOAD
               && m->left - (m->packets - 1) >= LR_TS_PAYLOAD)
        {
            lr_put_be32(pos, 0x47000010 | pid << 8 | (cc++ & 15));
            memcpy(pos + 4, p, LR_TS_PAYLOAD);

            pos += LR_TS_PACKET;
            p += LR_TS_PAYLOAD;
            n -= LR_TS_PAYLOAD;
            m->left -= LR_TS_PAYLOAD;
            m->packets--;
        }

        m->pos = pos;
        m->to->cc = cc;

        if (n == 0) {
            return;
        }

        lr_ts_mux_packet(m, 0, 0, 0, 0);
    }
}


void
lr_ts_mux_into(lr_ts_mux_t *m, u_char *p, size_t n)
{
    /* as into one packet with room for all */

    m->pos = p;
    m->left = n;
    m->room = n;
}


void
lr_ts_mux_end(lr_ts_mux_t *m)
{
    if (!m->psi) {
        return;
    }

    lr_ts_mux_pad(m, &m->video);
    lr_ts_mux_pad(m, &m->audio);

    while (m->psi_count % LR_TS_TABLES) {
        lr_ts_mux_put_tables(m);
    }
}


/*
 * PES packets without a byte in them, each in a packet of its own: they are
 * legal in any stream, any number of them can be had, and nothing has to be
 * known of the last sample.
 */

static void
lr_ts_mux_pad(lr_ts_mux_t *m, lr_ts_pid_t *pid)
{
    while (pid->cc & 15) {
        (void) lr_ts_mux_pes(m, pid, 0, LR_TS_UNSET, LR_TS_UNSET, LR_TS_UNSET,
                             0, 0);

        if (m->out.failed) {
            return;
        }
    }
}


void
lr_ts_mux_free(lr_ts_mux_t *m)
{
    lr_buf_free(&m->out);
}
