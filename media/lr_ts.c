
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdlib.h>
#include "lr_avc.h"
#include "lr_hevc.h"
#include "lr_mp3.h"
#include "lr_ts.h"


#define LR_TS_GATHER_TIME  LR_TS_MS(200)
#define LR_TS_GATHER_SLACK LR_TS_MS(2)

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
    const u_char   *slices;   /* where they begin */
    const u_char   *last;     /* and those of the last field or picture */
    size_t          len;      /* as Annex B, with AUDs between these only */
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
static void lr_ts_audio_config(lr_ts_t *ts, const lr_flv_body_t *b,
    const u_char *p, size_t n);
static void lr_ts_video_config(lr_ts_t *ts, const lr_flv_body_t *b,
    const u_char *p, size_t n);
static unsigned lr_ts_video_type(const lr_video_t *v);
static void lr_ts_drop_held(lr_ts_t *ts);
static void lr_ts_video(lr_ts_t *ts, const lr_flv_body_t *b,
    const u_char *p, size_t n);
static void lr_ts_picture(lr_ts_t *ts, const lr_ts_nals_t *nals,
    unsigned key);
static unsigned lr_ts_sets(lr_ts_t *ts, const lr_ts_nals_t *nals);
static void lr_ts_slices(lr_ts_t *ts, const lr_ts_nals_t *nals);
static void lr_ts_hold(lr_ts_t *ts, const lr_ts_nals_t *nals);
static void lr_ts_scan(lr_ts_t *ts, const u_char *p, size_t n,
    lr_ts_nals_t *nals);
static lr_ts_nal_e lr_ts_nal(unsigned hevc, unsigned type);
static unsigned lr_ts_first(unsigned hevc, unsigned type, const u_char *p,
    size_t len);
static size_t lr_ts_nal_len(const u_char *p, unsigned size);
static void lr_ts_put_nals(lr_ts_t *ts, const lr_ts_nals_t *nals);
static void lr_ts_audio(lr_ts_t *ts, const lr_flv_body_t *b,
    const u_char *p, size_t n);
static int64_t lr_ts_mpeg_duration(const lr_audio_t *first, const u_char *p,
    size_t n);
static void lr_ts_flush(lr_ts_t *ts, unsigned last);
static int64_t lr_ts_limit(lr_ts_t *ts, int64_t t);


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
    lr_ts_mux_free(&ts->mux);
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

    lr_ts_mux_begin(&ts->mux, LR_TS_MS((uint64_t) base_ms) + LR_TS_OFFSET,
                    count);

    ts->skipped = 0;

    ts->rows = rows;
    ts->nrows = n;
    ts->row = 0;
    ts->next_video = 0;

    /* nothing of the fragment before may be seen in this one */

    ts->vconf.codec = LR_CODEC_NONE;
    ts->aconf.codec = LR_CODEC_NONE;
    ts->mp3.codec = LR_CODEC_NONE;
    ts->shown = LR_CODEC_NONE;
    ts->heard.codec = LR_CODEC_NONE;

    ts->held.len = 0;
    ts->held.failed = 0;
    ts->held_sets = 0;
    ts->held_count = 0;

    ts->frames = 0;
    ts->len = 0;

    ts->open = 0;
    ts->told = 0;

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

    ts->last_video = SIZE_MAX;
    ts->last_audio = SIZE_MAX;
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

            if (ts->last_video == SIZE_MAX) {
                ts->last_video = i;
            }

        } else {
            next = &audio;

            if (ts->last_audio == SIZE_MAX) {
                ts->last_audio = i;
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

    lr_ts_mux_span(&ts->mux, from, to);

    return LR_OK;
}


static unsigned
lr_ts_is_frame(const lr_row_t *row)
{
    return (row->flags & LR_SAMPLE_CONFIG) == 0;
}


ssize_t
lr_ts_hint_row(lr_ts_t *ts, unsigned video)
{
    size_t           i;
    unsigned         other;
    const lr_row_t  *row;

    other = 0;

    for (i = 0; i < ts->nrows; i++) {
        row = &ts->rows[i];

        if (!video == !(row->flags & LR_SAMPLE_VIDEO)) {

            if (lr_ts_is_frame(row)) {
                return video ? -1 : (ssize_t) i;
            }

            return other ? (ssize_t) i : -1;
        }

        /* tables come before it */

        other |= lr_ts_is_frame(row);
    }

    return -1;
}


void
lr_ts_hint(lr_ts_t *ts, unsigned video, const u_char *p, size_t size)
{
    lr_audio_t     a;
    lr_video_t     v;
    lr_flv_body_t  b;

    lr_flv_parse(video ? LR_FLV_VIDEO : LR_FLV_AUDIO, p, size, &b);

    /* what is ignored may be shorter than its header */

    if (b.kind != LR_FLV_CONFIG && b.kind != LR_FLV_FRAME) {
        return;
    }

    p += b.header;
    size -= b.header;

    if (video) {
        memset(&v, 0, sizeof(lr_video_t));

        if (ts->last_video != SIZE_MAX && b.kind == LR_FLV_CONFIG
            && lr_video_config(&v, b.codec, p, size) == LR_OK)
        {
            ts->mux.video.type = lr_ts_video_type(&v);
        }

        lr_video_free(&v);
        return;
    }

    if (ts->last_audio == SIZE_MAX
        || lr_audio_config(&a, b.codec, p, size) != LR_OK)
    {
        return;
    }

    if (b.codec == LR_CODEC_MP3 && b.kind == LR_FLV_FRAME) {
        ts->mux.audio.type = lr_ts_mpeg_type(&a);

    } else if (b.codec == LR_CODEC_AAC && b.kind == LR_FLV_CONFIG
               && lr_aac_adts_check(&a) == LR_OK)
    {
        ts->mux.audio.type = LR_TS_TYPE_AAC;
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

        if (type == LR_FLV_VIDEO) {
            lr_ts_video_config(ts, &b, s->data + b.header,
                               s->size - b.header);

        } else {
            lr_ts_audio_config(ts, &b, s->data + b.header,
                               s->size - b.header);
        }

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

    if (ts->row == ts->last_audio) {
        lr_ts_flush(ts, 1);
    }

    ts->row++;

    return ts->mux.out.failed || ts->held.failed || ts->vconf.params.failed
           ? LR_ERROR : LR_OK;
}


static void
lr_ts_audio_config(lr_ts_t *ts, const lr_flv_body_t *b, const u_char *p,
    size_t n)
{
    /* a track that cannot be held has a sequence header all the same */

    if (b->codec != LR_CODEC_AAC) {
        ts->skipped++;
        return;
    }

    lr_ts_flush(ts, 0);

    if (lr_audio_config(&ts->aconf, b->codec, p, n) != LR_OK
        || lr_aac_adts_check(&ts->aconf) != LR_OK)
    {
        ts->skipped++;
        return;
    }

    /* later, it is the type of the frames to come, if there are any */

    if (ts->last_audio != SIZE_MAX && ts->heard.codec == LR_CODEC_NONE) {
        ts->mux.audio.type = LR_TS_TYPE_AAC;
    }
}


static void
lr_ts_video_config(lr_ts_t *ts, const lr_flv_body_t *b, const u_char *p,
    size_t n)
{
    lr_ts_drop_held(ts);

    if (lr_video_config(&ts->vconf, b->codec, p, n) != LR_OK) {
        ts->skipped++;
        return;
    }

    ts->open = 0;
    ts->told = 0;

    if (ts->last_video != SIZE_MAX && ts->shown == LR_CODEC_NONE) {
        ts->mux.video.type = lr_ts_video_type(&ts->vconf);
    }
}


static unsigned
lr_ts_video_type(const lr_video_t *v)
{
    return v->codec == LR_CODEC_AVC ? LR_TS_TYPE_AVC : LR_TS_TYPE_HEVC;
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
    size_t           len;
    int64_t          dts, pts;
    unsigned         hevc, sets;
    lr_ts_mux_t     *m;
    const lr_row_t  *row;

    m = &ts->mux;
    row = &ts->rows[ts->row];
    dts = ts->dts[ts->row];
    pts = LR_TS_MS((int64_t) row->dts + row->cts);
    hevc = ts->vconf.codec == LR_CODEC_HEVC;

    if (ts->frames && dts >= ts->first + LR_TS_GATHER_TIME) {
        lr_ts_flush(ts, 0);
    }

    m->video.type = lr_ts_video_type(&ts->vconf);

    /* a fragment may begin without a key picture, or have none at all */

    sets = (key || ts->shown == LR_CODEC_NONE) && lr_ts_sets(ts, nals);

    if (ts->shown == LR_CODEC_NONE) {
        ts->shown = ts->vconf.codec;
        ts->width = ts->vconf.width;
        ts->height = ts->vconf.height;
    }

    len = hevc ? 7 : 6;
    len += ts->held.len + nals->len;
    len += sets ? ts->vconf.params.len : 0;

    lr_ts_mux_tables(m, dts);
    lr_ts_mux_clock(m, &m->video, dts);

    if (lr_ts_mux_pes(m, &m->video, len, pts, dts, dts, key,
                      ts->row == ts->last_video))
    {
        lr_ts_mux_put(m, hevc ? "\0\0\0\1\x46\1\x50" : "\0\0\0\1\x09\xf0",
                      hevc ? 7 : 6);

        if (sets) {
            lr_ts_mux_put(m, ts->vconf.params.data, ts->vconf.params.len);
        }

        lr_ts_mux_put(m, ts->held.data, ts->held.len);
        lr_ts_put_nals(ts, nals);
    }

    ts->held.len = 0;
    ts->held_sets = 0;
    ts->held_count = 0;
    ts->told |= sets;
    ts->open = 1;
}


/* whether the sequence header's parameter sets have to go before a picture */

static unsigned
lr_ts_sets(lr_ts_t *ts, const lr_ts_nals_t *nals)
{
    size_t    len;
    unsigned  need;

    /* in HEVC an SPS is of no use without its VPS */

    need = LR_TS_SPS | LR_TS_PPS
           | (ts->vconf.codec == LR_CODEC_HEVC ? LR_TS_VPS : 0);

    if (((ts->held_sets | nals->sets) & need) == need) {
        return 0;
    }

    len = ts->vconf.params.len;

    return !ts->told || len <= LR_TS_SETS
           || len / LR_TS_SETS_RATIO <= ts->held.len + nals->len;
}


/* more of the same access unit: no times, since none begins here */

static void
lr_ts_slices(lr_ts_t *ts, const lr_ts_nals_t *nals)
{
    lr_ts_mux_t  *m;

    m = &ts->mux;

    if (lr_ts_mux_pes(m, &m->video, nals->len, LR_TS_UNSET, LR_TS_UNSET,
                      LR_TS_UNSET, 0, ts->row == ts->last_video))
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

    lr_ts_mux_into(&ts->mux, ts->held.data + ts->held.len, nals->len);
    lr_ts_put_nals(ts, nals);

    ts->held.len += nals->len;
    ts->held_sets |= nals->sets;
    ts->held_count++;
}


static void
lr_ts_scan(lr_ts_t *ts, const u_char *p, size_t n, lr_ts_nals_t *nals)
{
    size_t         len, auds;
    unsigned       size, hevc, type, any, first;
    const u_char  *end;

    memset(nals, 0, sizeof(lr_ts_nals_t));

    hevc = ts->vconf.codec == LR_CODEC_HEVC;
    size = ts->vconf.length_size;
    nals->start = p;
    end = p + n;
    auds = 0;
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
            auds += nals->vcl ? 4 + len : 0;
            p += len;
            continue;

        case LR_TS_VCL:
            first = lr_ts_first(hevc, type, p, len);

            if (!nals->vcl) {
                nals->vcl = 1;
                nals->first = first;
                nals->irap = hevc ? type >= LR_HEVC_IRAP_FIRST
                                    && type <= LR_HEVC_IRAP_LAST
                                  : type == LR_AVC_IDR;
                nals->slices = p;
            }

            if (first) {
                nals->last = p;
                nals->len += auds;
                auds = 0;
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


/* whether a slice is the first one of a field or picture */

static unsigned
lr_ts_first(unsigned hevc, unsigned type, const u_char *p, size_t len)
{
    if (hevc) {
        return len > 2 && (p[2] & 0x80);
    }

    /* first_mb_in_slice is ue(v): one bit if it is 0 */

    return len > 1 && (p[1] & 0x80)
           && (type <= LR_AVC_PART_A || type == LR_AVC_IDR);
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

        /* of two fields in a message each is an access unit, H.264 7.4.1.2.3 */

        if (kind == LR_TS_AUD
            && !(nals->vcl && p > nals->slices && p < nals->last))
        {
            continue;
        }

        /* these need the longer start code, H.264 B.1.2 */

        if (kind == LR_TS_SET || kind == LR_TS_AUD) {
            lr_ts_mux_put(&ts->mux, "\0\0\0\1", 4);

        } else {
            lr_ts_mux_put(&ts->mux, "\0\0\1", 3);
        }

        lr_ts_mux_put(&ts->mux, p, len);
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

    limit = ts->mux.video.type ? LR_TS_GATHER_TIME : LR_TS_PCR_STEP;

    if (ts->frames
        && (ts->frames == LR_TS_GATHER
            || type != ts->mux.audio.type
            || ts->len + len + n > LR_TS_GATHER_LEN
            || t < ts->expect - LR_TS_GATHER_SLACK
            || t > ts->expect + LR_TS_GATHER_SLACK
            || ts->expect + duration > ts->first + limit))
    {
        lr_ts_flush(ts, 0);
    }

    ts->mux.audio.type = type;

    if (ts->heard.codec == LR_CODEC_NONE) {
        ts->heard = b->codec == LR_CODEC_AAC ? ts->aconf : ts->mp3;
    }

    if (ts->frames == 0) {
        ts->first = t;
        ts->expect = t;
        ts->len = 0;
    }

    if (!ts->mux.count) {
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
    size_t        len;
    int64_t       t, clock;
    lr_ts_mux_t  *m;

    if (ts->frames == 0) {
        return;
    }

    m = &ts->mux;
    t = ts->first;
    len = ts->len;
    ts->frames = 0;
    ts->len = 0;

    lr_ts_mux_tables(m, t);
    clock = lr_ts_limit(ts, t);
    lr_ts_mux_clock(m, &m->audio, clock);

    if (lr_ts_mux_pes(m, &m->audio, len, t, t, clock, m->video.type == 0,
                      last))
    {
        lr_ts_mux_put(m, ts->gather, len);
    }
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


int
lr_ts_end(lr_ts_t *ts)
{
    lr_ts_flush(ts, 1);
    lr_ts_drop_held(ts);

    lr_ts_mux_end(&ts->mux);

    ts->rows = NULL;
    ts->nrows = 0;
    ts->row = 0;

    return ts->mux.out.failed ? LR_ERROR : LR_OK;
}
