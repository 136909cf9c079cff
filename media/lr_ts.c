
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdlib.h>
#include "lr_avc.h"
#include "lr_hevc.h"
#include "lr_mp3.h"
#include "lr_ts.h"


#define LR_TS_TYPE_MPEG1   0x03
#define LR_TS_TYPE_MPEG2   0x04
#define LR_TS_TYPE_AAC     0x0f
#define LR_TS_TYPE_AVC     0x1b
#define LR_TS_TYPE_HEVC    0x24

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

#define LR_TS_MS(n)        ((n) * 90)

/* the longest allowed interval of PCR, 2.7.2 */
#define LR_TS_PCR_STEP     LR_TS_MS(100)

/* a longer hole in the media time is not filled with PCR */
#define LR_TS_PCR_HOLE     LR_TS_MS(10000)

#define LR_TS_GATHER_TIME  LR_TS_MS(200)
#define LR_TS_GATHER_SLACK LR_TS_MS(2)

#define LR_TS_UNSET        INT64_MAX

/* parameter sets seen */
#define LR_TS_SPS          1
#define LR_TS_PPS          2
#define LR_TS_VPS          4


typedef enum {
    LR_TS_OTHER = 0,
    LR_TS_VCL,
    LR_TS_SET,
    LR_TS_AUD,
    LR_TS_TRAILING            /* may only follow the slices of a picture */
} lr_ts_nal_e;


typedef struct {
    const u_char   *start;
    const u_char   *end;
    size_t          len;      /* as Annex B, without AUDs */
    unsigned        sets;
    unsigned        vcl:1;
    unsigned        first:1;  /* the first slice of a picture */
    unsigned        irap:1;
    unsigned        trailing:1;
    unsigned        broken:1;
} lr_ts_nals_t;


static int lr_ts_times(lr_ts_t *ts);
static unsigned lr_ts_is_frame(const lr_row_t *row);
static unsigned lr_ts_mpeg_type(const lr_audio_t *a);
static void lr_ts_config(lr_ts_t *ts, const lr_flv_body_t *b,
    const u_char *p, size_t n);
static void lr_ts_drop_held(lr_ts_t *ts);
static void lr_ts_video(lr_ts_t *ts, const lr_flv_body_t *b,
    const u_char *p, size_t n);
static void lr_ts_picture(lr_ts_t *ts, const lr_ts_nals_t *nals,
    unsigned key);
static void lr_ts_slices(lr_ts_t *ts, const lr_ts_nals_t *nals);
static void lr_ts_hold(lr_ts_t *ts, const lr_ts_nals_t *nals);
static void lr_ts_scan(lr_ts_t *ts, const u_char *p, size_t n,
    lr_ts_nals_t *nals);
static lr_ts_nal_e lr_ts_nal(unsigned hevc, unsigned type);
static size_t lr_ts_nal_len(const u_char *p, unsigned size);
static void lr_ts_put_nals(lr_ts_t *ts, const lr_ts_nals_t *nals);
static void lr_ts_audio(lr_ts_t *ts, const lr_flv_body_t *b,
    const u_char *p, size_t n);
static int64_t lr_ts_mpeg_duration(const lr_audio_t *first, const u_char *p,
    size_t n);
static void lr_ts_flush(lr_ts_t *ts, unsigned last);
static void lr_ts_tables(lr_ts_t *ts, int64_t t);
static unsigned lr_ts_version(lr_ts_t *ts);
static void lr_ts_put_tables(lr_ts_t *ts);
static void lr_ts_section(lr_ts_t *ts, lr_ts_pid_t *pid, u_char *s,
    size_t n);
static uint32_t lr_ts_crc(const u_char *p, size_t n);
static lr_ts_pid_t *lr_ts_pcr_pid(lr_ts_t *ts);
static int64_t lr_ts_limit(lr_ts_t *ts, int64_t t);
static void lr_ts_clock(lr_ts_t *ts, lr_ts_pid_t *pid, int64_t t);
static void lr_ts_put_clock(lr_ts_t *ts, int64_t t);
static u_char *lr_ts_pcr(lr_ts_t *ts, u_char *p, int64_t t);
static u_char *lr_ts_stamp(u_char *p, unsigned mark, uint64_t t);
static size_t lr_ts_pes_header(lr_ts_t *ts, u_char *head, unsigned sid,
    size_t n, int64_t pts, int64_t dts);
static unsigned lr_ts_begin_pes(lr_ts_t *ts, lr_ts_pid_t *pid,
    const u_char *head, size_t len, size_t size, int64_t t, unsigned flags,
    unsigned last);
static void lr_ts_packet(lr_ts_t *ts, unsigned af, unsigned flags,
    int64_t t, unsigned start);
static void lr_ts_put(lr_ts_t *ts, const void *data, size_t n);
static void lr_ts_pad(lr_ts_t *ts, lr_ts_pid_t *pid, unsigned sid);


lr_ts_t *
lr_ts_create(void)
{
    lr_ts_t  *ts;

    ts = calloc(1, sizeof(lr_ts_t));
    if (ts == NULL) {
        return NULL;
    }

    ts->gather = malloc(LR_TS_GATHER_LEN);

    if (ts->gather == NULL) {
        free(ts);
        return NULL;
    }

    return ts;
}


void
lr_ts_destroy(lr_ts_t *ts)
{
    if (ts == NULL) {
        return;
    }

    lr_video_free(&ts->vconf);
    lr_buf_free(&ts->held);
    lr_buf_free(&ts->out);
    free(ts->gather);
    free(ts->dts);
    free(ts);
}


int
lr_ts_begin(lr_ts_t *ts, const lr_row_t *rows, size_t n, int64_t base_ms,
    unsigned count)
{
    int64_t  *dts;

    if (n > ts->dts_size) {

        if (n > SIZE_MAX / sizeof(int64_t)) {
            return LR_ERROR;
        }

        dts = realloc(ts->dts, n * sizeof(int64_t));
        if (dts == NULL) {
            return LR_ERROR;
        }

        ts->dts = dts;
        ts->dts_size = n;
    }

    if (ts->vconf.params.failed) {
        lr_buf_free(&ts->vconf.params);
    }

    ts->out.failed = 0;
    ts->bytes = 0;
    ts->skipped = 0;

    ts->rows = rows;
    ts->nrows = n;
    ts->row = 0;
    ts->next_video = 0;
    ts->base = LR_TS_MS((uint64_t) base_ms) + LR_TS_OFFSET;

    memset(&ts->pat, 0, sizeof(lr_ts_pid_t));
    memset(&ts->pmt, 0, sizeof(lr_ts_pid_t));
    memset(&ts->video, 0, sizeof(lr_ts_pid_t));
    memset(&ts->audio, 0, sizeof(lr_ts_pid_t));

    ts->pmt.pid = LR_TS_PID_PMT;
    ts->video.pid = LR_TS_PID_VIDEO;
    ts->audio.pid = LR_TS_PID_AUDIO;

    ts->psi_count = 0;
    ts->pcr = 0;

    /* nothing of the fragment before may be seen in this one */

    ts->vconf.codec = LR_CODEC_NONE;
    ts->aconf.codec = LR_CODEC_NONE;
    ts->mp3.codec = LR_CODEC_NONE;

    ts->held.len = 0;
    ts->held.failed = 0;
    ts->held_sets = 0;
    ts->held_count = 0;

    ts->frames = 0;
    ts->len = 0;

    ts->left = 0;
    ts->packets = 0;
    ts->room = 0;

    ts->count = count ? 1 : 0;
    ts->psi = 0;
    ts->clock = 0;
    ts->open = 0;

    return lr_ts_times(ts);
}


/*
 * Decoding times rise strictly within a track and are never after the
 * presentation: going backward, each is at most its own and a tick less
 * than the next.  Presentation times stay what they are.
 */

static int
lr_ts_times(lr_ts_t *ts)
{
    size_t           i;
    int64_t          t, from, to, video, audio, *next;
    const lr_row_t  *row;

    ts->video.last = SIZE_MAX;
    ts->audio.last = SIZE_MAX;
    ts->lead = 0;

    video = LR_TS_UNSET;
    audio = LR_TS_UNSET;
    from = 0;
    to = 0;

    for (i = ts->nrows; i-- > 0; /* void */ ) {
        row = &ts->rows[i];

        if (!lr_ts_is_frame(row)) {
            ts->dts[i] = LR_TS_MS((int64_t) row->dts);
            continue;
        }

        t = LR_TS_MS((int64_t) row->dts);

        if (video == LR_TS_UNSET && audio == LR_TS_UNSET) {
            from = t;
            to = t;
        }

        if (row->flags & LR_SAMPLE_VIDEO) {
            next = &video;

            if (row->cts < 0) {
                t += LR_TS_MS((int64_t) row->cts);
            }

            if (ts->video.last == SIZE_MAX) {
                ts->video.last = i;
            }

        } else {
            next = &audio;

            if (ts->audio.last == SIZE_MAX) {
                ts->audio.last = i;
            }

            if (video != LR_TS_UNSET && t - video > ts->lead) {
                ts->lead = t - video;
            }
        }

        if (t >= *next) {
            t = *next - 1;
        }

        *next = t;
        ts->dts[i] = t;

        if (t < from) {
            from = t;
        }

        if (t > to) {
            to = t;
        }
    }

    ts->psi_from = from;
    ts->psi_len = to - from;

    return LR_OK;
}


static unsigned
lr_ts_is_frame(const lr_row_t *row)
{
    return (row->flags & LR_SAMPLE_CONFIG) == 0;
}


ssize_t
lr_ts_hint_row(lr_ts_t *ts)
{
    size_t           i;
    const lr_row_t  *row;

    for (i = 0; i < ts->nrows; i++) {
        row = &ts->rows[i];

        if (row->flags & LR_SAMPLE_VIDEO) {
            continue;
        }

        return lr_ts_is_frame(row) ? (ssize_t) i : -1;
    }

    return -1;
}


void
lr_ts_hint(lr_ts_t *ts, const u_char *p, size_t size)
{
    lr_audio_t     a;
    lr_flv_body_t  b;

    lr_flv_parse(LR_FLV_AUDIO, p, size, &b);

    if (b.codec == LR_CODEC_MP3 && b.kind == LR_FLV_FRAME
        && lr_audio_config(&a, LR_CODEC_MP3, p + b.header, size - b.header)
           == LR_OK)
    {
        ts->audio.type = lr_ts_mpeg_type(&a);
    }
}


static unsigned
lr_ts_mpeg_type(const lr_audio_t *a)
{
    return a->version == 1 ? LR_TS_TYPE_MPEG1 : LR_TS_TYPE_MPEG2;
}


int
lr_ts_sample(lr_ts_t *ts, const lr_sample_t *s)
{
    unsigned         type;
    lr_flv_body_t    b;
    const lr_row_t  *row;

    if (ts->row >= ts->nrows) {
        return LR_ERROR;
    }

    row = &ts->rows[ts->row];

    while (ts->next_video < ts->nrows
           && (ts->next_video < ts->row
               || !(ts->rows[ts->next_video].flags & LR_SAMPLE_VIDEO)
               || !lr_ts_is_frame(&ts->rows[ts->next_video])))
    {
        ts->next_video++;
    }

    type = row->flags & LR_SAMPLE_VIDEO ? LR_FLV_VIDEO : LR_FLV_AUDIO;
    lr_flv_parse(type, s->data, s->size, &b);

    if (b.kind == LR_FLV_CONFIG) {
        lr_ts_config(ts, &b, s->data + b.header, s->size - b.header);

    } else if (b.kind == LR_FLV_FRAME) {

        if (row->flags & LR_SAMPLE_CONFIG) {
            ts->skipped++;

        } else if (type == LR_FLV_VIDEO) {
            lr_ts_video(ts, &b, s->data + b.header, s->size - b.header);

        } else {
            lr_ts_audio(ts, &b, s->data + b.header, s->size - b.header);
        }
    }

    /* whatever the last sample was, the audio gathered so far is the last */

    if (ts->row == ts->audio.last) {
        lr_ts_flush(ts, 1);
    }

    ts->row++;

    return ts->out.failed || ts->held.failed || ts->vconf.params.failed
           ? LR_ERROR : LR_OK;
}


static void
lr_ts_config(lr_ts_t *ts, const lr_flv_body_t *b, const u_char *p, size_t n)
{
    if (b->codec == LR_CODEC_AAC) {
        lr_ts_flush(ts, 0);

        if (lr_audio_config(&ts->aconf, b->codec, p, n) != LR_OK
            || lr_aac_adts_check(&ts->aconf) != LR_OK)
        {
            ts->skipped++;
            return;
        }

        if (ts->audio.last != SIZE_MAX) {
            ts->audio.type = LR_TS_TYPE_AAC;
        }

        return;
    }

    lr_ts_drop_held(ts);

    if (lr_video_config(&ts->vconf, b->codec, p, n) != LR_OK) {
        ts->skipped++;
        return;
    }

    ts->open = 0;

    if (ts->video.last != SIZE_MAX) {
        ts->video.type = b->codec == LR_CODEC_AVC ? LR_TS_TYPE_AVC
                                                  : LR_TS_TYPE_HEVC;
    }
}


static void
lr_ts_drop_held(lr_ts_t *ts)
{
    ts->skipped += ts->held_count;
    ts->held.len = 0;
    ts->held_sets = 0;
    ts->held_count = 0;
}


static void
lr_ts_video(lr_ts_t *ts, const lr_flv_body_t *b, const u_char *p, size_t n)
{
    lr_ts_nals_t  nals;

    if (b->codec != ts->vconf.codec || b->codec == LR_CODEC_OTHER) {
        ts->skipped++;
        return;
    }

    lr_ts_scan(ts, p, n, &nals);

    if (nals.broken) {
        ts->skipped++;

        if (!nals.vcl) {
            return;
        }
    }

    if (nals.len == 0) {
        return;
    }

    if (nals.vcl) {

        if (nals.first || !ts->open || ts->held.len) {
            lr_ts_picture(ts, &nals, b->key || nals.irap);

        } else {
            lr_ts_slices(ts, &nals);
        }

        return;
    }

    if (nals.trailing && ts->open && ts->held.len == 0) {
        lr_ts_slices(ts, &nals);
        return;
    }

    /*
     * The access unit begins here, but its time is that of the picture,
     * which is in a message to come.
     */

    lr_ts_hold(ts, &nals);
}


static void
lr_ts_picture(lr_ts_t *ts, const lr_ts_nals_t *nals, unsigned key)
{
    size_t           len, size, head;
    u_char           buf[LR_TS_PES_HEADER];
    int64_t          dts, pts;
    unsigned         hevc, need, sets;
    const lr_row_t  *row;

    row = &ts->rows[ts->row];
    dts = ts->dts[ts->row];
    pts = LR_TS_MS((int64_t) row->dts + row->cts);
    hevc = ts->vconf.codec == LR_CODEC_HEVC;

    if (ts->frames && dts >= ts->first + LR_TS_GATHER_TIME) {
        lr_ts_flush(ts, 0);
    }

    /* in HEVC an SPS is of no use without its VPS */

    need = LR_TS_SPS | LR_TS_PPS | (hevc ? LR_TS_VPS : 0);
    sets = key && ((ts->held_sets | nals->sets) & need) != need;

    len = hevc ? 7 : 6;
    len += ts->held.len + nals->len;
    len += sets ? ts->vconf.params.len : 0;

    lr_ts_tables(ts, dts);
    lr_ts_clock(ts, &ts->video, dts);

    head = lr_ts_pes_header(ts, buf, LR_TS_SID_VIDEO, len, pts, dts);
    size = head + len;

    if (lr_ts_begin_pes(ts, &ts->video, buf, head, size, dts,
                        key ? LR_TS_RANDOM : 0, ts->row == ts->video.last))
    {
        lr_ts_put(ts, hevc ? "\0\0\0\1\x46\1\x50" : "\0\0\0\1\x09\xf0",
                  hevc ? 7 : 6);

        if (sets) {
            lr_ts_put(ts, ts->vconf.params.data, ts->vconf.params.len);
        }

        lr_ts_put(ts, ts->held.data, ts->held.len);
        lr_ts_put_nals(ts, nals);
    }

    ts->held.len = 0;
    ts->held_sets = 0;
    ts->held_count = 0;
    ts->open = 1;
}


/* more of the same access unit: no times, since none begins here */

static void
lr_ts_slices(lr_ts_t *ts, const lr_ts_nals_t *nals)
{
    u_char  buf[LR_TS_PES_HEADER];
    size_t  head;

    head = lr_ts_pes_header(ts, buf, LR_TS_SID_VIDEO, nals->len, LR_TS_UNSET,
                            LR_TS_UNSET);

    if (lr_ts_begin_pes(ts, &ts->video, buf, head, head + nals->len,
                        LR_TS_UNSET, 0, ts->row == ts->video.last))
    {
        lr_ts_put_nals(ts, nals);
    }
}


static void
lr_ts_hold(lr_ts_t *ts, const lr_ts_nals_t *nals)
{
    if (nals->len > LR_TS_HELD_MAX - ts->held.len) {
        ts->skipped++;
        return;
    }

    if (lr_buf_reserve(&ts->held, nals->len) != LR_OK) {
        return;
    }

    /* written by lr_ts_put() as into one packet with room for all */

    ts->pos = ts->held.data + ts->held.len;
    ts->left = nals->len;
    ts->room = nals->len;

    lr_ts_put_nals(ts, nals);

    ts->held.len += nals->len;
    ts->held_sets |= nals->sets;
    ts->held_count++;
}


static void
lr_ts_scan(lr_ts_t *ts, const u_char *p, size_t n, lr_ts_nals_t *nals)
{
    size_t         len;
    unsigned       size, hevc, type, any;
    const u_char  *end;

    memset(nals, 0, sizeof(lr_ts_nals_t));

    hevc = ts->vconf.codec == LR_CODEC_HEVC;
    size = ts->vconf.length_size;
    nals->start = p;
    end = p + n;
    any = 0;

    while (p != end) {

        if ((size_t) (end - p) < size) {
            nals->broken = 1;
            break;
        }

        len = lr_ts_nal_len(p, size);

        if ((size_t) (end - p) - size < len) {
            nals->broken = 1;
            break;
        }

        p += size;

        if (len == 0) {
            continue;
        }

        type = hevc ? LR_HEVC_NAL(p[0]) : LR_AVC_NAL(p[0]);

        switch (lr_ts_nal(hevc, type)) {

        case LR_TS_AUD:
            p += len;
            continue;

        case LR_TS_VCL:
            if (!nals->vcl) {
                nals->vcl = 1;

                if (hevc) {
                    nals->first = len > 2 && (p[2] & 0x80);
                    nals->irap = type >= LR_HEVC_IRAP_FIRST
                                 && type <= LR_HEVC_IRAP_LAST;

                } else {

                    /* first_mb_in_slice is ue(v): one bit if it is 0 */

                    nals->first = len > 1 && (p[1] & 0x80)
                                  && (type <= LR_AVC_PART_A
                                      || type == LR_AVC_IDR);
                    nals->irap = type == LR_AVC_IDR;
                }
            }

            nals->len += 3;
            break;

        case LR_TS_SET:
            nals->sets |= type == (hevc ? LR_HEVC_SPS : LR_AVC_SPS) ? LR_TS_SPS
                          : type == (hevc ? LR_HEVC_PPS : LR_AVC_PPS)
                            ? LR_TS_PPS : LR_TS_VPS;
            nals->len += 4;
            break;

        case LR_TS_TRAILING:
            nals->trailing |= !any;
            nals->len += 3;
            break;

        case LR_TS_OTHER:
            nals->len += 3;
            break;
        }

        any = 1;
        nals->len += len;
        p += len;
    }

    nals->end = p;
}


static lr_ts_nal_e
lr_ts_nal(unsigned hevc, unsigned type)
{
    if (hevc) {

        if (type <= LR_HEVC_VCL_LAST) {
            return LR_TS_VCL;
        }

        if (type <= LR_HEVC_PPS) {
            return LR_TS_SET;
        }

        if (type == LR_HEVC_AUD) {
            return LR_TS_AUD;
        }

        return type <= LR_HEVC_FILLER || type == LR_HEVC_SUFFIX_SEI
               ? LR_TS_TRAILING : LR_TS_OTHER;
    }

    if (type >= LR_AVC_SLICE && type <= LR_AVC_IDR) {
        return LR_TS_VCL;
    }

    if (type == LR_AVC_SPS || type == LR_AVC_PPS) {
        return LR_TS_SET;
    }

    if (type == LR_AVC_AUD) {
        return LR_TS_AUD;
    }

    return type >= LR_AVC_END_SEQ && type <= LR_AVC_FILLER
           ? LR_TS_TRAILING : LR_TS_OTHER;
}


static size_t
lr_ts_nal_len(const u_char *p, unsigned size)
{
    switch (size) {

    case 4:
        return lr_get_be32(p);

    case 3:
        return lr_get_be24(p);

    case 2:
        return lr_get_be16(p);

    default:
        return p[0];
    }
}


/* the same walk as lr_ts_scan(), which has checked the lengths */

static void
lr_ts_put_nals(lr_ts_t *ts, const lr_ts_nals_t *nals)
{
    size_t         len;
    unsigned       size, hevc;
    lr_ts_nal_e    kind;
    const u_char  *p;

    hevc = ts->vconf.codec == LR_CODEC_HEVC;
    size = ts->vconf.length_size;

    for (p = nals->start; p != nals->end; p += len) {
        len = lr_ts_nal_len(p, size);
        p += size;

        if (len == 0) {
            continue;
        }

        kind = lr_ts_nal(hevc, hevc ? LR_HEVC_NAL(p[0]) : LR_AVC_NAL(p[0]));

        if (kind == LR_TS_AUD) {
            continue;
        }

        /* parameter sets need the longer start code, H.264 B.1.2 */

        if (kind == LR_TS_SET) {
            lr_ts_put(ts, "\0\0\0\1", 4);

        } else {
            lr_ts_put(ts, "\0\0\1", 3);
        }

        lr_ts_put(ts, p, len);
    }
}


static void
lr_ts_audio(lr_ts_t *ts, const lr_flv_body_t *b, const u_char *p, size_t n)
{
    size_t    len;
    int64_t   t, duration, limit;
    u_char   *dst;
    unsigned  type;

    t = ts->dts[ts->row];
    len = 0;

    if (b->codec == LR_CODEC_AAC) {

        if (ts->aconf.codec != LR_CODEC_AAC
            || lr_aac_adts_check(&ts->aconf) != LR_OK)
        {
            ts->skipped++;
            return;
        }

        len = lr_aac_adts_len(&ts->aconf, p, n);

        if (len == 0) {
            ts->skipped++;
            return;
        }

        type = LR_TS_TYPE_AAC;
        duration = (int64_t) ts->aconf.samples * 90000 / ts->aconf.rate;

    } else if (b->codec == LR_CODEC_MP3) {

        if (n > LR_TS_GATHER_LEN
            || lr_audio_config(&ts->mp3, LR_CODEC_MP3, p, n) != LR_OK)
        {
            ts->skipped++;
            return;
        }

        type = lr_ts_mpeg_type(&ts->mp3);
        duration = lr_ts_mpeg_duration(&ts->mp3, p, n);

    } else {
        ts->skipped++;
        return;
    }

    /* where audio carries the clock, a PES packet is no longer than a step */

    limit = ts->video.type ? LR_TS_GATHER_TIME : LR_TS_PCR_STEP;

    if (ts->frames
        && (ts->frames == LR_TS_GATHER
            || type != ts->audio.type
            || ts->len + len + n > LR_TS_GATHER_LEN
            || t < ts->expect - LR_TS_GATHER_SLACK
            || t > ts->expect + LR_TS_GATHER_SLACK
            || ts->expect + duration > ts->first + limit))
    {
        lr_ts_flush(ts, 0);
    }

    ts->audio.type = type;

    if (ts->frames == 0) {
        ts->first = t;
        ts->expect = t;
        ts->len = 0;
    }

    if (!ts->count) {
        dst = ts->gather + ts->len;

        if (len) {
            lr_aac_adts(&ts->aconf, dst, len, n);
        }

        memcpy(dst + len, p, n);
    }

    ts->len += len + n;
    ts->expect += duration;
    ts->frames++;
}


/* of all frames in a message, as far as they are whole */

static int64_t
lr_ts_mpeg_duration(const lr_audio_t *first, const u_char *p, size_t n)
{
    int64_t     duration;
    lr_audio_t  a;

    a = *first;
    duration = 0;

    for ( ;; ) {
        duration += (int64_t) a.samples * 90000 / a.rate;

        if (a.frame < LR_MP3_HEADER || a.frame >= n) {
            return duration;
        }

        p += a.frame;
        n -= a.frame;

        if (lr_audio_config(&a, LR_CODEC_MP3, p, n) != LR_OK) {
            return duration;
        }
    }
}


static void
lr_ts_flush(lr_ts_t *ts, unsigned last)
{
    u_char   buf[LR_TS_PES_HEADER];
    size_t   head, len;
    int64_t  t, clock;

    if (ts->frames == 0) {
        return;
    }

    t = ts->first;
    len = ts->len;
    ts->frames = 0;
    ts->len = 0;

    lr_ts_tables(ts, t);
    clock = lr_ts_limit(ts, t);
    lr_ts_clock(ts, &ts->audio, clock);

    head = lr_ts_pes_header(ts, buf, LR_TS_SID_AUDIO, len, t, t);

    if (lr_ts_begin_pes(ts, &ts->audio, buf, head, head + len, clock,
                        ts->video.type ? 0 : LR_TS_RANDOM, last))
    {
        lr_ts_put(ts, ts->gather, len);
    }
}


/* PAT and PMT before what they tell of, and again as time goes on */

static void
lr_ts_tables(lr_ts_t *ts, int64_t t)
{
    if (ts->psi && lr_ts_version(ts) == ts->psi_version
        && (ts->psi_count >= LR_TS_TABLES
            || t - ts->psi_from
               < ts->psi_len / LR_TS_TABLES * (int64_t) ts->psi_count))
    {
        return;
    }

    lr_ts_put_tables(ts);
}


/*
 * Drawn from what the PMT says, so that of neighbouring fragments only those
 * of the same tracks have the same version.
 */

static unsigned
lr_ts_version(lr_ts_t *ts)
{
    unsigned  version;

    version = ts->video.type == LR_TS_TYPE_AVC ? 4
              : ts->video.type == LR_TS_TYPE_HEVC ? 8 : 0;
    version += ts->audio.type == LR_TS_TYPE_AAC ? 1
               : ts->audio.type == LR_TS_TYPE_MPEG1 ? 2
               : ts->audio.type == LR_TS_TYPE_MPEG2 ? 3 : 0;

    return version;
}


static void
lr_ts_put_tables(lr_ts_t *ts)
{
    u_char   *p, buf[64];
    unsigned  i;

    ts->psi = 1;
    ts->psi_count++;
    ts->psi_version = lr_ts_version(ts);

    if (ts->count) {
        ts->bytes += 2 * LR_TS_PACKET;
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

    lr_ts_section(ts, &ts->pat, buf, p - buf);

    /* 2.4.4.8 */

    i = (ts->video.type != 0) + (ts->audio.type != 0);

    p = buf;
    *p++ = 0x02;
    p = lr_put_be16(p, 0xb000 | (13 + 5 * i));
    p = lr_put_be16(p, 1);
    *p++ = (u_char) (0xc1 | ts->psi_version << 1);
    p = lr_put_be16(p, 0);
    p = lr_put_be16(p, 0xe000 | lr_ts_pcr_pid(ts)->pid);
    p = lr_put_be16(p, 0xf000);

    if (ts->video.type) {
        *p++ = (u_char) ts->video.type;
        p = lr_put_be16(p, 0xe000 | LR_TS_PID_VIDEO);
        p = lr_put_be16(p, 0xf000);
    }

    if (ts->audio.type) {
        *p++ = (u_char) ts->audio.type;
        p = lr_put_be16(p, 0xe000 | LR_TS_PID_AUDIO);
        p = lr_put_be16(p, 0xf000);
    }

    lr_ts_section(ts, &ts->pmt, buf, p - buf);
}


static void
lr_ts_section(lr_ts_t *ts, lr_ts_pid_t *pid, u_char *s, size_t n)
{
    u_char  *p;

    ts->bytes += LR_TS_PACKET;

    if (lr_buf_reserve(&ts->out, LR_TS_PACKET) != LR_OK) {
        return;
    }

    lr_put_be32(s + n, lr_ts_crc(s, n));
    n += 4;

    p = ts->out.data + ts->out.len;

    *p++ = 0x47;
    p = lr_put_be16(p, 0x4000 | pid->pid);
    *p++ = (u_char) (0x10 | (pid->cc++ & 15));
    *p++ = 0;                                 /* pointer_field */

    memcpy(p, s, n);
    memset(p + n, 0xff, LR_TS_PACKET - 5 - n);

    ts->out.len += LR_TS_PACKET;
}


static uint32_t
lr_ts_crc(const u_char *p, size_t n)
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
lr_ts_pcr_pid(lr_ts_t *ts)
{
    return ts->video.type ? &ts->video : &ts->audio;
}


/*
 * How far audio of time t may move the clock: as far as the next picture
 * allows, which the table knows; after the last picture the clock stays
 * behind the audio as much as it did before, so that the pictures of the
 * next fragment find it where it should be.
 */

static int64_t
lr_ts_limit(lr_ts_t *ts, int64_t t)
{
    int64_t  next;

    if (ts->next_video == ts->nrows) {
        return t - ts->lead;
    }

    next = ts->dts[ts->next_video];

    return t < next ? t : next - 1;
}


/*
 * Packets with nothing but PCR, as many as are needed for a PES packet of
 * the PID and the clock t to be the next.
 */

static void
lr_ts_clock(lr_ts_t *ts, lr_ts_pid_t *pid, int64_t t)
{
    if (!ts->clock) {

        if (pid != lr_ts_pcr_pid(ts)) {
            lr_ts_put_clock(ts, t);
        }

        return;
    }

    if (t - ts->pcr > LR_TS_PCR_HOLE) {
        lr_ts_put_clock(ts, t - 1);
        return;
    }

    while (t - ts->pcr > LR_TS_PCR_STEP) {
        lr_ts_put_clock(ts, ts->pcr + LR_TS_PCR_STEP);
    }
}


static void
lr_ts_put_clock(lr_ts_t *ts, int64_t t)
{
    u_char       *p;
    lr_ts_pid_t  *pid;

    ts->pcr = t;
    ts->clock = 1;
    ts->bytes += LR_TS_PACKET;

    if (ts->count || lr_buf_reserve(&ts->out, LR_TS_PACKET) != LR_OK) {
        return;
    }

    pid = lr_ts_pcr_pid(ts);
    p = ts->out.data + ts->out.len;

    /* without payload the counter is that of the packet before */

    *p++ = 0x47;
    p = lr_put_be16(p, pid->pid);
    *p++ = (u_char) (0x20 | ((pid->cc - 1) & 15));
    *p++ = LR_TS_PACKET - 5;
    *p++ = LR_TS_PCR;
    p = lr_ts_pcr(ts, p, t);

    memset(p, 0xff, ts->out.data + ts->out.len + LR_TS_PACKET - p);

    ts->out.len += LR_TS_PACKET;
}


static u_char *
lr_ts_pcr(lr_ts_t *ts, u_char *p, int64_t t)
{
    uint64_t  pcr;

    pcr = (ts->base + (uint64_t) t - LR_TS_PCR_DELAY) & 0x1ffffffff;

    p = lr_put_be32(p, (uint32_t) (pcr >> 1));
    *p++ = (u_char) ((pcr & 1) << 7 | 0x7e);
    *p++ = 0;

    return p;
}


static u_char *
lr_ts_stamp(u_char *p, unsigned mark, uint64_t t)
{
    *p++ = (u_char) (mark << 4 | ((t >> 30) & 7) << 1 | 1);
    p = lr_put_be16(p, (uint32_t) (((t >> 15) & 0x7fff) << 1 | 1));

    return lr_put_be16(p, (uint32_t) ((t & 0x7fff) << 1 | 1));
}


static size_t
lr_ts_pes_header(lr_ts_t *ts, u_char *head, unsigned sid, size_t n,
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
        p = lr_ts_stamp(p, stamps == 1 ? 2 : 3, ts->base + (uint64_t) pts);
    }

    if (stamps == 2) {
        p = lr_ts_stamp(p, 1, ts->base + (uint64_t) dts);
    }

    return p - head;
}


/*
 * Counts the packets of a PES packet of "size" bytes, header included, and
 * writes the header; returns 0 if nothing is to be written after it.
 *
 * The last PES packet of a track takes as many packets more as make their
 * number a multiple of 16: all but the first need one byte only, so 15 more
 * are found when there are 15 bytes after the header, which no packet of
 * video is short of by more than a few, nor audio but for frames of silence.
 * What is still missing, or all when the last sample turns out not to fit
 * in, is left to lr_ts_pad().
 */

static unsigned
lr_ts_begin_pes(lr_ts_t *ts, lr_ts_pid_t *pid, const u_char *head,
    size_t len, size_t size, int64_t t, unsigned flags, unsigned last)
{
    size_t    packets, most;
    unsigned  af;

    if (t != LR_TS_UNSET && pid == lr_ts_pcr_pid(ts)
        && (!ts->clock || t > ts->pcr))
    {
        ts->clock = 1;
        ts->pcr = t;
        flags |= LR_TS_PCR;
        af = LR_TS_AF_PCR;

    } else {

        /* what marks the random access points of audio is its clock */

        if (pid == &ts->audio) {
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

    ts->bytes += packets * LR_TS_PACKET;

    if (ts->count) {
        pid->cc += (unsigned) packets;
        return 0;
    }

    if (lr_buf_reserve(&ts->out, packets * LR_TS_PACKET) != LR_OK) {
        return 0;
    }

    ts->to = pid;
    ts->pos = ts->out.data + ts->out.len;
    ts->left = size;
    ts->packets = packets;
    ts->out.len += packets * LR_TS_PACKET;

    lr_ts_packet(ts, af, flags, t, 1);
    lr_ts_put(ts, head, len);

    return 1;
}


/*
 * Begins a packet: its payload is as long as leaves a byte for each of the
 * others, stuffing is what remains.
 */

static void
lr_ts_packet(lr_ts_t *ts, unsigned af, unsigned flags, int64_t t,
    unsigned start)
{
    u_char    *p, *field;
    size_t     room;
    unsigned   n;

    ts->packets--;

    room = ts->left - ts->packets;

    if (room > LR_TS_PAYLOAD - af) {
        room = LR_TS_PAYLOAD - af;
    }

    n = LR_TS_PAYLOAD - (unsigned) room;

    p = ts->pos;
    *p++ = 0x47;
    p = lr_put_be16(p, start << 14 | ts->to->pid);
    *p++ = (u_char) ((n ? 0x30 : 0x10) | (ts->to->cc++ & 15));

    if (n) {
        field = p;
        *p++ = (u_char) (n - 1);

        if (n > 1) {
            *p++ = (u_char) flags;
        }

        if (flags & LR_TS_PCR) {
            p = lr_ts_pcr(ts, p, t);
        }

        memset(p, 0xff, n - (p - field));
        p = field + n;
    }

    ts->pos = p;
    ts->room = room;
}


static void
lr_ts_put(lr_ts_t *ts, const void *data, size_t n)
{
    size_t         len;
    u_char        *pos;
    unsigned       cc, pid;
    const u_char  *p;

    p = data;

    for ( ;; ) {
        len = n < ts->room ? n : ts->room;

        if (len) {
            memcpy(ts->pos, p, len);
            ts->pos += len;
            ts->room -= len;
            ts->left -= len;
            p += len;
            n -= len;
        }

        if (n == 0) {
            return;
        }

        /* whole packets, which is nearly all there is */

        pos = ts->pos;
        pid = ts->to->pid;
        cc = ts->to->cc;

        while (n >= LR_TS_PAYLOAD
               && ts->left - (ts->packets - 1) >= LR_TS_PAYLOAD)
        {
            lr_put_be32(pos, 0x47000010 | pid << 8 | (cc++ & 15));
            memcpy(pos + 4, p, LR_TS_PAYLOAD);

            pos += LR_TS_PACKET;
            p += LR_TS_PAYLOAD;
            n -= LR_TS_PAYLOAD;
            ts->left -= LR_TS_PAYLOAD;
            ts->packets--;
        }

        ts->pos = pos;
        ts->to->cc = cc;

        if (n == 0) {
            return;
        }

        lr_ts_packet(ts, 0, 0, 0, 0);
    }
}


/*
 * PES packets without a byte in them, each in a packet of its own: they are
 * legal in any stream, any number of them can be had, and nothing has to be
 * known of the last sample.
 */

static void
lr_ts_pad(lr_ts_t *ts, lr_ts_pid_t *pid, unsigned sid)
{
    u_char  buf[LR_TS_PES_HEADER];
    size_t  len;

    while (pid->cc & 15) {
        len = lr_ts_pes_header(ts, buf, sid, 0, LR_TS_UNSET, LR_TS_UNSET);
        lr_ts_begin_pes(ts, pid, buf, len, len, LR_TS_UNSET, 0, 0);

        if (ts->out.failed) {
            return;
        }
    }
}


int
lr_ts_end(lr_ts_t *ts)
{
    lr_ts_flush(ts, 1);
    lr_ts_drop_held(ts);

    if (ts->psi) {
        lr_ts_pad(ts, &ts->video, LR_TS_SID_VIDEO);
        lr_ts_pad(ts, &ts->audio, LR_TS_SID_AUDIO);

        while (ts->psi_count % LR_TS_TABLES) {
            lr_ts_put_tables(ts);
        }
    }

    ts->rows = NULL;
    ts->nrows = 0;
    ts->row = 0;

    return ts->out.failed ? LR_ERROR : LR_OK;
}
