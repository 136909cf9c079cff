
/*
 * Copyright (C) the ngx_live_record authors
 */


#include "lr_mp4_boxes.h"


/* of the movie, which the length of edits is given in too */
#define LR_MP4_MOVIE      1000

/* seconds from 1904 to 1970 */
#define LR_MP4_EPOCH      2082844800

/* "und" in packed ISO 639-2/T */
#define LR_MP4_UND        0x55c4

/* objects: MPEG-4 audio, MPEG-1 audio, MPEG-2 audio */
#define LR_MP4_OTI_AAC    0x40
#define LR_MP4_OTI_MPEG1  0x6b
#define LR_MP4_OTI_MPEG2  0x69

/* bytes of a descriptor's tag and length */
#define LR_MP4_DESCR      5

/* hvcC before its arrays */
#define LR_MP4_HVCC       23


static void lr_mp4_edits(lr_mp4_movie_t *m, lr_mp4_track_t *t, lr_buf_t *b);
static uint64_t lr_mp4_delay(lr_mp4_movie_t *m, lr_mp4_track_t *t);
static uint64_t lr_mp4_shown(lr_mp4_track_t *t);
static void lr_mp4_media_info(lr_mp4_track_t *t, lr_buf_t *b);
static void lr_mp4_visual(lr_mp4_movie_t *m, lr_mp4_track_t *t,
    lr_buf_t *b);
static void lr_mp4_hvcc(const u_char *p, size_t n, lr_buf_t *b);
static void lr_mp4_sound(lr_mp4_movie_t *m, lr_mp4_track_t *t, lr_buf_t *b);
static void lr_mp4_esds(const lr_mp4_conf_t *conf, lr_mp4_track_t *t,
    lr_buf_t *b);
static void lr_mp4_descr(lr_buf_t *b, unsigned tag, size_t n);
static void lr_mp4_rates(lr_mp4_track_t *t, lr_buf_t *b);
static uint64_t lr_mp4_created(lr_mp4_movie_t *m);
static void lr_mp4_times(lr_buf_t *b, unsigned wide, uint64_t created);
static void lr_mp4_matrix(lr_buf_t *b);
static size_t lr_mp4_open(lr_buf_t *b, const char *type);
static size_t lr_mp4_open_full(lr_buf_t *b, const char *type,
    unsigned version, uint32_t flags);
static void lr_mp4_close(lr_buf_t *b, size_t pos, uint64_t more);


void
lr_mp4_top(lr_mp4_movie_t *m, uint64_t tracks, lr_buf_t *b)
{
    size_t    i, pos, box;
    uint64_t  d, duration, created;
    unsigned  wide;

    pos = lr_mp4_open(b, "ftyp");
    lr_buf_append(b, "isom", 4);
    lr_mp4_put(b, 4, 0x200);
    lr_buf_puts(b, "isomiso4mp41mp42");

    if (m->tracks[0].id == LR_TRACK_VIDEO
        && m->conf->video->codec == LR_CODEC_AVC)
    {
        lr_buf_append(b, "avc1", 4);
    }

    lr_mp4_close(b, pos, 0);

    duration = 0;

    for (i = 0; i < m->n; i++) {
        d = lr_mp4_delay(m, &m->tracks[i]) + lr_mp4_shown(&m->tracks[i]);

        if (d > duration) {
            duration = d;
        }
    }

    created = lr_mp4_created(m);
    wide = created > UINT32_MAX || duration > UINT32_MAX;

    pos = lr_mp4_open(b, "moov");
    box = lr_mp4_open_full(b, "mvhd", wide, 0);
    lr_mp4_times(b, wide, created);
    lr_mp4_put(b, 4, LR_MP4_MOVIE);
    lr_mp4_put(b, wide ? 8 : 4, duration);
    lr_mp4_put(b, 4, 0x00010000);
    lr_mp4_put(b, 2, 0x0100);
    lr_mp4_put(b, 2, 0);
    lr_mp4_put(b, 8, 0);
    lr_mp4_matrix(b);

    for (i = 0; i < 6; i++) {
        lr_mp4_put(b, 4, 0);
    }

    lr_mp4_put(b, 4, m->n + 1);
    lr_mp4_close(b, box, 0);
    lr_mp4_close(b, pos, tracks);
}


void
lr_mp4_track(lr_mp4_movie_t *m, unsigned i, uint64_t tables, lr_buf_t *b)
{
    size_t             trak, mdia, minf, stbl, pos;
    uint64_t           duration, created, width, height;
    unsigned           wide, video;
    lr_mp4_track_t    *t;
    const lr_video_t  *v;

    t = &m->tracks[i];
    created = lr_mp4_created(m);
    video = t->id == LR_TRACK_VIDEO;
    width = 0;
    height = 0;

    if (video) {
        v = m->conf->video;
        width = (uint64_t) v->width << 16;
        height = (uint64_t) v->height << 16;

        if (v->sar_num && v->sar_den) {
            width = (width * v->sar_num + v->sar_den / 2) / v->sar_den;
        }

        width = width > UINT32_MAX ? UINT32_MAX : width;
        height = height > UINT32_MAX ? UINT32_MAX : height;
    }

    trak = lr_mp4_open(b, "trak");

    duration = lr_mp4_delay(m, t) + lr_mp4_shown(t);
    wide = created > UINT32_MAX || duration > UINT32_MAX;

    /* enabled, in the movie, in its preview */

    pos = lr_mp4_open_full(b, "tkhd", wide, 7);
    lr_mp4_times(b, wide, created);
    lr_mp4_put(b, 4, i + 1);
    lr_mp4_put(b, 4, 0);
    lr_mp4_put(b, wide ? 8 : 4, duration);
    lr_mp4_put(b, 8, 0);
    lr_mp4_put(b, 2, 0);
    lr_mp4_put(b, 2, 0);
    lr_mp4_put(b, 2, video ? 0 : 0x0100);
    lr_mp4_put(b, 2, 0);
    lr_mp4_matrix(b);
    lr_mp4_put(b, 4, width);
    lr_mp4_put(b, 4, height);
    lr_mp4_close(b, pos, 0);

    lr_mp4_edits(m, t, b);

    mdia = lr_mp4_open(b, "mdia");

    duration = (uint64_t) (t->end - t->first);
    wide = created > UINT32_MAX || duration > UINT32_MAX;

    pos = lr_mp4_open_full(b, "mdhd", wide, 0);
    lr_mp4_times(b, wide, created);
    lr_mp4_put(b, 4, t->timescale);
    lr_mp4_put(b, wide ? 8 : 4, duration);
    lr_mp4_put(b, 2, LR_MP4_UND);
    lr_mp4_put(b, 2, 0);
    lr_mp4_close(b, pos, 0);

    pos = lr_mp4_open_full(b, "hdlr", 0, 0);
    lr_mp4_put(b, 4, 0);
    lr_buf_append(b, video ? "vide" : "soun", 4);
    lr_mp4_put(b, 8, 0);
    lr_mp4_put(b, 4, 0);
    lr_buf_puts(b, video ? "VideoHandler" : "SoundHandler");
    lr_mp4_put(b, 1, 0);
    lr_mp4_close(b, pos, 0);

    minf = lr_mp4_open(b, "minf");
    lr_mp4_media_info(t, b);

    stbl = lr_mp4_open(b, "stbl");
    pos = lr_mp4_open_full(b, "stsd", 0, 0);
    lr_mp4_put(b, 4, 1);

    if (video) {
        lr_mp4_visual(m, t, b);

    } else {
        lr_mp4_sound(m, t, b);
    }

    lr_mp4_close(b, pos, 0);
    lr_mp4_close(b, stbl, tables);
    lr_mp4_close(b, minf, tables);
    lr_mp4_close(b, mdia, tables);
    lr_mp4_close(b, trak, tables);
}


/*
 * What is shown first of a track is at media_time of its own timeline; a
 * track that begins later than another has nothing to show until then.
 */

static void
lr_mp4_edits(lr_mp4_movie_t *m, lr_mp4_track_t *t, lr_buf_t *b)
{
    size_t    pos, box;
    uint64_t  delay, shown, from;
    unsigned  wide;

    delay = lr_mp4_delay(m, t);
    shown = lr_mp4_shown(t);
    from = (uint64_t) (t->show_first - t->first + t->shift);
    wide = delay > UINT32_MAX || shown > UINT32_MAX || from > INT32_MAX;

    pos = lr_mp4_open(b, "edts");
    box = lr_mp4_open_full(b, "elst", wide, 0);
    lr_mp4_put(b, 4, delay ? 2 : 1);

    if (delay) {
        lr_mp4_put(b, wide ? 8 : 4, delay);
        lr_mp4_put(b, wide ? 8 : 4, UINT64_MAX);
        lr_mp4_put(b, 4, 0x00010000);
    }

    lr_mp4_put(b, wide ? 8 : 4, shown);
    lr_mp4_put(b, wide ? 8 : 4, from);
    lr_mp4_put(b, 4, 0x00010000);

    lr_mp4_close(b, box, 0);
    lr_mp4_close(b, pos, 0);
}


/* from the earliest frame that any track shows, in the movie's time */

static uint64_t
lr_mp4_delay(lr_mp4_movie_t *m, lr_mp4_track_t *t)
{
    int64_t   shown[2], first;
    unsigned  i;

    first = INT64_MAX;
    shown[0] = 0;
    shown[1] = 0;

    /* what the rows say is in ms: rounding finds it again */

    for (i = 0; i < m->n; i++) {
        shown[i] = m->tracks[i].show_first * 2 * LR_MP4_MOVIE;
        shown[i] += m->tracks[i].timescale;

        if (shown[i] < 0) {
            shown[i] -= 2 * (int64_t) m->tracks[i].timescale - 1;
        }

        shown[i] /= 2 * (int64_t) m->tracks[i].timescale;

        if (shown[i] < first) {
            first = shown[i];
        }
    }

    return (uint64_t) (shown[t - m->tracks] - first);
}


/* how long, in the movie's time; not a tick less */

static uint64_t
lr_mp4_shown(lr_mp4_track_t *t)
{
    uint64_t  ticks;

    ticks = (uint64_t) (t->show_end - t->show_first);

    return ticks / t->timescale * LR_MP4_MOVIE
           + (ticks % t->timescale * LR_MP4_MOVIE + t->timescale - 1)
             / t->timescale;
}


static void
lr_mp4_media_info(lr_mp4_track_t *t, lr_buf_t *b)
{
    size_t  pos, dref, url;

    if (t->id == LR_TRACK_VIDEO) {
        pos = lr_mp4_open_full(b, "vmhd", 0, 1);
        lr_mp4_put(b, 8, 0);

    } else {
        pos = lr_mp4_open_full(b, "smhd", 0, 0);
        lr_mp4_put(b, 4, 0);
    }

    lr_mp4_close(b, pos, 0);

    /* the media is in this file */

    pos = lr_mp4_open(b, "dinf");
    dref = lr_mp4_open_full(b, "dref", 0, 0);
    lr_mp4_put(b, 4, 1);
    url = lr_mp4_open_full(b, "url ", 0, 1);
    lr_mp4_close(b, url, 0);
    lr_mp4_close(b, dref, 0);
    lr_mp4_close(b, pos, 0);
}


static void
lr_mp4_visual(lr_mp4_movie_t *m, lr_mp4_track_t *t, lr_buf_t *b)
{
    size_t             i, pos, box;
    unsigned           hevc;
    const lr_video_t  *v;

    v = m->conf->video;
    hevc = v->codec == LR_CODEC_HEVC;

    pos = lr_mp4_open(b, hevc ? "hvc1" : "avc1");
    lr_mp4_put(b, 6, 0);
    lr_mp4_put(b, 2, 1);
    lr_mp4_put(b, 8, 0);
    lr_mp4_put(b, 8, 0);
    lr_mp4_put(b, 2, v->width);
    lr_mp4_put(b, 2, v->height);
    lr_mp4_put(b, 4, 0x00480000);
    lr_mp4_put(b, 4, 0x00480000);
    lr_mp4_put(b, 4, 0);
    lr_mp4_put(b, 2, 1);

    for (i = 0; i < 4; i++) {
        lr_mp4_put(b, 8, 0);
    }

    lr_mp4_put(b, 2, 0x0018);
    lr_mp4_put(b, 2, 0xffff);

    box = lr_mp4_open(b, hevc ? "hvcC" : "avcC");

    if (hevc) {
        lr_mp4_hvcc(m->conf->vconf, m->conf->vlen, b);

    } else {
        lr_buf_append(b, m->conf->vconf, m->conf->vlen);
    }

    lr_mp4_close(b, box, 0);

    if (v->sar_num && v->sar_den && v->sar_num != v->sar_den) {
        box = lr_mp4_open(b, "pasp");
        lr_mp4_put(b, 4, v->sar_num);
        lr_mp4_put(b, 4, v->sar_den);
        lr_mp4_close(b, box, 0);
    }

    box = lr_mp4_open(b, "btrt");
    lr_mp4_put(b, 4, t->largest);
    lr_mp4_rates(t, b);
    lr_mp4_close(b, box, 0);

    lr_mp4_close(b, pos, 0);
}


/* in hvc1 the arrays of parameter sets are complete, 14496-15 8.4.1.1 */

static void
lr_mp4_hvcc(const u_char *p, size_t n, lr_buf_t *b)
{
    size_t     pos;
    u_char    *q;
    unsigned   type, arrays, sets;

    pos = b->len;
    lr_buf_append(b, p, n);

    if (b->failed || n < LR_MP4_HVCC) {
        return;
    }

    arrays = p[LR_MP4_HVCC - 1];
    q = b->data + pos;
    pos = LR_MP4_HVCC;

    while (arrays-- && n - pos >= 3) {
        type = q[pos] & 0x3f;

        /* VPS, SPS, PPS */

        if (type >= 32 && type <= 34) {
            q[pos] |= 0x80;
        }

        sets = lr_get_be16(q + pos + 1);
        pos += 3;

        while (sets-- && n - pos >= 2) {

            if (n - pos - 2 < lr_get_be16(q + pos)) {
                return;
            }

            pos += 2 + lr_get_be16(q + pos);
        }
    }
}


static void
lr_mp4_sound(lr_mp4_movie_t *m, lr_mp4_track_t *t, lr_buf_t *b)
{
    size_t             pos;
    const lr_audio_t  *a;

    a = m->conf->audio;

    pos = lr_mp4_open(b, "mp4a");
    lr_mp4_put(b, 6, 0);
    lr_mp4_put(b, 2, 1);
    lr_mp4_put(b, 8, 0);
    lr_mp4_put(b, 2, a->channels ? a->channels : 2);
    lr_mp4_put(b, 2, 16);
    lr_mp4_put(b, 4, 0);
    lr_mp4_put(b, 4, a->rate <= 0xffff ? (uint32_t) a->rate << 16 : 0);
    lr_mp4_esds(m->conf, t, b);
    lr_mp4_close(b, pos, 0);
}


/* ISO/IEC 14496-1 7.2.6 */

static void
lr_mp4_esds(const lr_mp4_conf_t *conf, lr_mp4_track_t *t, lr_buf_t *b)
{
    size_t    pos, config, decoder;
    unsigned  oti;

    config = 0;
    oti = conf->audio->version == 1 ? LR_MP4_OTI_MPEG1 : LR_MP4_OTI_MPEG2;

    if (conf->audio->codec == LR_CODEC_AAC) {
        oti = LR_MP4_OTI_AAC;
        config = LR_MP4_DESCR + conf->alen;
    }

    decoder = 13 + config;
    pos = lr_mp4_open_full(b, "esds", 0, 0);

    /* an elementary stream, which in a file has no id of its own */

    lr_mp4_descr(b, 3, 3 + LR_MP4_DESCR + decoder + LR_MP4_DESCR + 1);
    lr_mp4_put(b, 3, 0);

    /* its decoder, of an audio stream */

    lr_mp4_descr(b, 4, decoder);
    lr_mp4_put(b, 1, oti);
    lr_mp4_put(b, 1, 0x15);
    lr_mp4_put(b, 3, t->largest > 0xffffff ? 0xffffff : t->largest);
    lr_mp4_rates(t, b);

    if (config) {
        lr_mp4_descr(b, 5, conf->alen);
        lr_buf_append(b, conf->aconf, conf->alen);
    }

    /* synchronization as in mp4 files */

    lr_mp4_descr(b, 6, 1);
    lr_mp4_put(b, 1, 2);

    lr_mp4_close(b, pos, 0);
}


static void
lr_mp4_descr(lr_buf_t *b, unsigned tag, size_t n)
{
    lr_mp4_put(b, 1, tag);
    lr_mp4_put(b, 1, 0x80 | (n >> 21 & 0x7f));
    lr_mp4_put(b, 1, 0x80 | (n >> 14 & 0x7f));
    lr_mp4_put(b, 1, 0x80 | (n >> 7 & 0x7f));
    lr_mp4_put(b, 1, n & 0x7f);
}


/* bits in the busiest second, and in an average one */

static void
lr_mp4_rates(lr_mp4_track_t *t, lr_buf_t *b)
{
    double  max, avg;

    avg = (double) t->bytes * 8 * t->timescale / (double) (t->end - t->first);
    max = (double) t->busiest * 8;

    avg = avg > UINT32_MAX ? UINT32_MAX : avg;
    max = max > UINT32_MAX ? UINT32_MAX : max;

    lr_mp4_put(b, 4, (uint64_t) (max > avg ? max : avg));
    lr_mp4_put(b, 4, (uint64_t) avg);
}


static uint64_t
lr_mp4_created(lr_mp4_movie_t *m)
{
    int64_t  t;

    t = m->conf->created / 1000 + LR_MP4_EPOCH;

    return t > 0 ? (uint64_t) t : 0;
}


/* of creation and modification */

static void
lr_mp4_times(lr_buf_t *b, unsigned wide, uint64_t created)
{
    lr_mp4_put(b, wide ? 8 : 4, created);
    lr_mp4_put(b, wide ? 8 : 4, created);
}


static void
lr_mp4_matrix(lr_buf_t *b)
{
    static const uint32_t  unity[] = {
        0x00010000, 0, 0, 0, 0x00010000, 0, 0, 0, 0x40000000
    };
    unsigned  i;

    for (i = 0; i < sizeof(unity) / sizeof(unity[0]); i++) {
        lr_mp4_put(b, 4, unity[i]);
    }
}


/* a box up to lr_mp4_close(), which is told what else will be in it */

static size_t
lr_mp4_open(lr_buf_t *b, const char *type)
{
    size_t  pos;

    pos = b->len;
    lr_mp4_put(b, 4, 0);
    lr_buf_append(b, type, 4);

    return pos;
}


static size_t
lr_mp4_open_full(lr_buf_t *b, const char *type, unsigned version,
    uint32_t flags)
{
    size_t  pos;

    pos = lr_mp4_open(b, type);
    lr_mp4_put(b, 1, version);
    lr_mp4_put(b, 3, flags);

    return pos;
}


static void
lr_mp4_close(lr_buf_t *b, size_t pos, uint64_t more)
{
    if (!b->failed) {
        (void) lr_put_be32(b->data + pos, (uint32_t) (b->len - pos + more));
    }
}


void
lr_mp4_put(lr_buf_t *b, unsigned bytes, uint64_t v)
{
    u_char  buf[8];

    (void) lr_put_be64(buf, v);
    lr_buf_append(b, buf + 8 - bytes, bytes);
}
