
/*
 * Copyright (C) the ngx_live_record authors
 *
 * A reader of transport streams for tests, which knows nothing of the
 * writer: checks all that can be checked and lists the PES packets.
 */


#ifndef _TS_CHECK_H_INCLUDED_
#define _TS_CHECK_H_INCLUDED_


#include <stdio.h>
#include <stdlib.h>
#include "lr_core.h"


#define TS_PIDS      0x2000
#define TS_NO_STAMP  INT64_MIN


typedef struct {
    unsigned        pid;
    int64_t         pts;              /* TS_NO_STAMP if there is none */
    int64_t         dts;
    size_t          packets;
    size_t          len;              /* of the payload */
    size_t          off;              /* of it in es */
    long            declared;         /* PES_packet_length */
    size_t          header;
    unsigned        random:1;
    unsigned        aligned:1;
} ts_pes_t;


typedef struct {
    const char     *error;            /* NULL if nothing is wrong */
    size_t          where;            /* packet of it */

    ts_pes_t       *pes;
    size_t          npes;
    u_char         *es;
    size_t          es_len;

    size_t          payloads[TS_PIDS];
    unsigned        cc[TS_PIDS];
    unsigned        seen[TS_PIDS];
    long            open[TS_PIDS];
    int64_t         last_dts[TS_PIDS];

    unsigned        pmt_pid;
    unsigned        pcr_pid;
    unsigned        types[TS_PIDS];
    unsigned        pmts;             /* changes of the PMT's version */
    unsigned        version;

    int64_t         pcr;
    int64_t         first_pcr;
    int64_t         max_pcr_gap;
    size_t          pcrs;
    int64_t         unwrap;
} ts_check_t;


static inline uint32_t
ts_crc(const u_char *p, size_t n)
{
    size_t    i;
    uint32_t  r;

    /* bit by bit as in annex A; over a whole section it is 0 */

    r = 0xffffffff;

    for (i = 0; i < n * 8; i++) {
        r = (r << 1) ^ (((r >> 31) ^ ((p[i / 8] >> (7 - i % 8)) & 1))
                        ? 0x04c11db7 : 0);
    }

    return r;
}


static inline int64_t
ts_unwrap(int64_t t, int64_t near)
{
    int64_t  d;

    d = (t - near) & 0x1ffffffff;

    return near + (d >= 0x100000000 ? d - 0x200000000 : d);
}


static inline int64_t
ts_stamp(const u_char *p, unsigned mark)
{
    if (p[0] >> 4 != mark || !(p[0] & 1) || !(p[2] & 1) || !(p[4] & 1)) {
        return TS_NO_STAMP;
    }

    return (int64_t) (p[0] & 0x0e) << 29 | p[1] << 22 | (p[2] & 0xfe) << 14
           | p[3] << 7 | p[4] >> 1;
}


static inline const char *
ts_psi(ts_check_t *c, unsigned pid, const u_char *p, size_t n)
{
    size_t    len, i;
    unsigned  es;

    if (n < 4 || p[0] != 0) {
        return "pointer field";
    }

    p++;
    n--;
    len = (lr_get_be16(p + 1) & 0xfff) + 3;

    if (len > n || ts_crc(p, len) != 0) {
        return "crc of a section";
    }

    for (i = len; i < n; i++) {
        if (p[i] != 0xff) {
            return "stuffing of a section";
        }
    }

    if (pid == 0) {
        if (p[0] != 0 || len != 16) {
            return "pat";
        }

        c->pmt_pid = lr_get_be16(p + 10) & 0x1fff;
        return NULL;
    }

    if (p[0] != 2) {
        return "pmt";
    }

    if (!c->pmts || c->version != ((p[5] >> 1) & 31)) {
        c->pmts++;
        c->version = (p[5] >> 1) & 31;
        memset(c->types, 0, sizeof(c->types));
    }

    c->pcr_pid = lr_get_be16(p + 8) & 0x1fff;

    for (i = 12; i + 5 <= len - 4; i += 5) {
        es = lr_get_be16(p + i + 1) & 0x1fff;

        if (c->types[es] && c->types[es] != p[i]) {
            return "pmt changed without a new version";
        }

        c->types[es] = p[i];
    }

    return c->types[c->pcr_pid] ? NULL : "pcr pid is not in the pmt";
}


static inline const char *
ts_close(ts_check_t *c, unsigned pid)
{
    ts_pes_t  *pes;

    if (c->open[pid] == 0) {
        return NULL;
    }

    pes = &c->pes[c->open[pid] - 1];
    c->open[pid] = 0;

    if (pes->declared == 0) {
        return pid == 0x100 && pes->len + pes->header > 65535 ? NULL
               : "pes without a length";
    }

    return (size_t) pes->declared + 6 == pes->len + pes->header ? NULL
           : "pes length";
}


/* the writer never splits a header */

static inline const char *
ts_pes_start(ts_check_t *c, ts_pes_t *pes, const u_char *p, size_t n)
{
    if (n < 9 || n < (size_t) 9 + p[8]) {
        return "pes header is not whole in its packet";
    }

    if (p[0] || p[1] || p[2] != 1
        || p[3] != (pes->pid == 0x100 ? 0xe0 : 0xc0) || p[6] >> 6 != 2)
    {
        return "pes header";
    }

    pes->declared = (long) lr_get_be16(p + 4);
    pes->header = 9 + p[8];
    pes->aligned = (p[6] >> 2) & 1;
    pes->pts = TS_NO_STAMP;
    pes->dts = TS_NO_STAMP;

    switch (p[7]) {

    case 0x00:
        return p[8] == 0 && !pes->aligned ? NULL : "pes header without times";

    case 0x80:
        pes->pts = ts_stamp(p + 9, 2);
        pes->dts = pes->pts;

        if (p[8] != 5 || pes->pts == TS_NO_STAMP) {
            return "pts";
        }

        break;

    case 0xc0:
        pes->pts = ts_stamp(p + 9, 3);
        pes->dts = ts_stamp(p + 14, 1);

        if (p[8] != 10 || pes->pts == TS_NO_STAMP
            || pes->dts == TS_NO_STAMP || pes->pts == pes->dts)
        {
            return "pts and dts";
        }

        break;

    default:
        return "pes flags";
    }

    if (!pes->aligned) {
        return "alignment of a pes with times";
    }

    if (c->unwrap == TS_NO_STAMP) {
        c->unwrap = pes->dts;
    }

    pes->dts = ts_unwrap(pes->dts, c->unwrap);
    pes->pts = ts_unwrap(pes->pts, pes->dts);
    c->unwrap = pes->dts;

    if (pes->pts < pes->dts) {
        return "dts is after pts";
    }

    if (c->seen[pes->pid] & 2 && pes->dts <= c->last_dts[pes->pid]) {
        return "dts does not rise";
    }

    c->seen[pes->pid] |= 2;
    c->last_dts[pes->pid] = pes->dts;

    if (c->pcrs && pes->pid == c->pcr_pid
        && ts_unwrap(c->pcr, pes->dts) >= pes->dts)
    {
        return "pcr is not before dts";
    }

    return NULL;
}


static inline const char *
ts_packet(ts_check_t *c, const u_char *p)
{
    size_t         n, i;
    int64_t        pcr;
    unsigned       pid, start, af, payload, random;
    ts_pes_t      *pes;
    const char    *error;
    const u_char  *end;

    end = p + 188;

    if (p[0] != 0x47 || p[1] & 0xa0 || p[3] & 0xc0) {
        return "packet header";
    }

    pid = lr_get_be16(p + 1) & 0x1fff;
    start = p[1] & 0x40;
    af = p[3] & 0x20;
    payload = p[3] & 0x10;
    random = 0;

    if (payload) {
        if ((p[3] & 15) != (c->payloads[pid] & 15)) {
            return "continuity counter";
        }

        c->payloads[pid]++;

    } else if (((p[3] + 1) & 15) != (c->payloads[pid] & 15)) {
        return "continuity counter without payload";
    }

    if (!payload && !af) {
        return "nothing in a packet";
    }

    p += 4;

    if (af) {
        n = p[0];

        if (n > 183 - (payload != 0)) {
            return "adaptation field length";
        }

        if (n) {
            i = 2;
            random = p[1] & 0x40;

            if (p[1] & 0xaf) {
                return "adaptation field flags";
            }

            if (p[1] & 0x10) {
                if (pid != c->pcr_pid || n < 7 || (p[6] & 0x7e) != 0x7e) {
                    return "pcr";
                }

                pcr = (int64_t) lr_get_be32(p + 2) << 1 | p[6] >> 7;

                if (c->pcrs) {
                    pcr = ts_unwrap(pcr, c->pcr);

                    if (pcr <= c->pcr) {
                        return "pcr does not rise";
                    }

                    if (pcr - c->pcr > c->max_pcr_gap) {
                        c->max_pcr_gap = pcr - c->pcr;
                    }

                } else {
                    c->first_pcr = pcr;
                }

                c->pcr = pcr;
                c->pcrs++;
                i = 8;
            }

            for (/* void */; i <= n; i++) {
                if (p[i] != 0xff) {
                    return "adaptation field stuffing";
                }
            }
        }

        p += 1 + n;
    }

    if (!payload) {
        return NULL;
    }

    n = end - p;

    if (pid == 0 || pid == c->pmt_pid) {
        return start ? ts_psi(c, pid, p, n) : "section without a start";
    }

    if (!c->types[pid]) {
        return "pid is not in the pmt";
    }

    if (start) {
        error = ts_close(c, pid);
        if (error) {
            return error;
        }

        pes = &c->pes[c->npes++];
        memset(pes, 0, sizeof(ts_pes_t));
        pes->pid = pid;
        pes->random = random != 0;
        pes->off = c->es_len;
        c->open[pid] = (long) c->npes;

        error = ts_pes_start(c, pes, p, n);
        if (error) {
            return error;
        }

        p += pes->header;
        n -= pes->header;
    }

    if (c->open[pid] == 0) {
        return "pes without a start";
    }

    /* the writer ends a pes packet before it begins another */

    if (c->open[pid] != (long) c->npes) {
        return "interleaved pes packets";
    }

    pes = &c->pes[c->open[pid] - 1];
    pes->packets++;
    pes->len += n;

    memcpy(c->es + c->es_len, p, n);
    c->es_len += n;

    return NULL;
}


static inline ts_check_t *
ts_check(const u_char *p, size_t n)
{
    size_t       i;
    ts_check_t  *c;

    c = calloc(1, sizeof(ts_check_t));
    if (c == NULL) {
        abort();
    }

    c->unwrap = TS_NO_STAMP;
    c->pmt_pid = TS_PIDS;
    c->es = malloc(n + 1);
    c->pes = calloc(n / 188 + 1, sizeof(ts_pes_t));

    if (c->es == NULL || c->pes == NULL) {
        abort();
    }

    if (n % 188) {
        c->error = "size";
        return c;
    }

    for (i = 0; i < n / 188; i++) {
        c->error = ts_packet(c, p + i * 188);
        c->where = i;

        if (c->error) {
            return c;
        }

        if (i == 1 && !c->pmts) {
            c->error = "no pat and pmt at the start";
            return c;
        }
    }

    for (i = 0; i < TS_PIDS; i++) {
        c->error = ts_close(c, (unsigned) i);

        if (c->error == NULL && c->payloads[i] % 16) {
            c->error = "packets of a pid";
        }

        if (c->error) {
            c->where = i;
            return c;
        }
    }

    return c;
}


static inline void
ts_check_free(ts_check_t *c)
{
    free(c->pes);
    free(c->es);
    free(c);
}


#endif /* _TS_CHECK_H_INCLUDED_ */
