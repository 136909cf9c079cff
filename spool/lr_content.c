
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <errno.h>
#include "lr_content.h"
#include "lr_flv.h"
#include "lr_flv_file.h"
#include "lr_fragment.h"
#include "lr_mp4.h"


/* FNV-1a */

#define LR_CONTENT_BASIS  0xcbf29ce484222325u
#define LR_CONTENT_PRIME  0x100000001b3u


/* of a track, while the rows are walked */

typedef struct {
    lr_codec_e      codec;            /* of the sequence header */
    uint32_t        id;
    unsigned        pending:1;        /* no frame was seen behind it */
    unsigned        frames:1;         /* one was seen at all */
    unsigned        settled:1;
} lr_content_track_t;


static int lr_content_walk(lr_content_t *c, lr_fragment_reader_t *r);
static int lr_content_config(lr_content_t *c, lr_content_track_t *track,
    unsigned t, const lr_flv_body_t *b, const lr_sample_t *s);
static void lr_content_frame(lr_content_t *c, lr_content_track_t *track,
    unsigned t, const lr_flv_body_t *b, const lr_sample_t *s);
static void lr_content_rest(lr_content_t *c, lr_content_track_t *track,
    unsigned t);
static int lr_content_parse(lr_content_t *c);
static uint64_t lr_content_digest(const lr_content_t *c, unsigned t);
static uint64_t lr_content_hash(uint64_t hash, const void *data, size_t n);
static uint64_t lr_content_hash_int(uint64_t hash, uint32_t v);


int
lr_content_read(lr_content_t *c, const char *dir, uint32_t number,
    int64_t base)
{
    int                   rc, err;
    lr_fragment_reader_t  r;

    memset(c, 0, sizeof(lr_content_t));
    memset(&r, 0, sizeof(lr_fragment_reader_t));

    if (lr_fragment_open(&r, dir, number, base) != LR_OK) {
        return LR_ERROR;
    }

    rc = lr_content_walk(c, &r);

    if (rc == LR_OK && c->tracks == 0) {
        errno = ENODATA;
        rc = LR_ERROR;
    }

    if (rc == LR_OK) {
        rc = lr_content_parse(c);
    }

    if (rc == LR_OK) {
        c->mp4 = lr_mp4_media_size(r.rows, r.nrows, lr_content_mp4(c));
        c->flv = lr_flv_media_size(r.rows, r.nrows, lr_content_flv(c));
        c->origin = lr_flv_origin(r.rows, r.nrows, base, lr_content_flv(c));
    }

    err = errno;

    lr_fragment_close(&r);
    lr_buf_free(&r.buf);

    if (rc != LR_OK) {
        lr_content_free(c);
    }

    errno = err;

    return rc;
}


static int
lr_content_walk(lr_content_t *c, lr_fragment_reader_t *r)
{
    uint32_t             i;
    unsigned             t, type;
    lr_row_t            *row;
    lr_sample_t          s;
    lr_flv_body_t        b;
    lr_content_track_t  *track, tracks[2];

    memset(tracks, 0, sizeof(tracks));

    for (i = 0; i < r->nrows; i++) {
        row = &r->rows[i];

        t = row->flags & LR_SAMPLE_VIDEO ? LR_CONTENT_VIDEO
                                         : LR_CONTENT_AUDIO;
        type = row->flags & LR_SAMPLE_VIDEO ? LR_FLV_VIDEO : LR_FLV_AUDIO;
        track = &tracks[t];

        if (track->settled) {
            continue;
        }

        /* frames without a sequence header are all the same */

        if (!(row->flags & LR_SAMPLE_CONFIG)
            && track->frames && !track->pending)
        {
            continue;
        }

        r->next = i;

        if (lr_fragment_next(r, &s) != LR_OK) {
            return LR_ERROR;
        }

        lr_flv_parse(type, s.data, s.size, &b);

        /* rows of a build that knew no audio of Enhanced RTMP stay its rows */

        if (type == LR_FLV_AUDIO && b.header == 5
            && LR_SAMPLE_HEADER(row->flags) != b.header)
        {
            b.codec = LR_CODEC_OTHER;
            b.id = s.data[0] >> 4;
            b.kind = LR_FLV_FRAME;
        }

        if (b.kind == LR_FLV_CONFIG) {

            if (lr_content_config(c, track, t, &b, &s) != LR_OK) {
                return LR_ERROR;
            }

        } else if (b.kind == LR_FLV_FRAME
                   && !(row->flags & LR_SAMPLE_CONFIG))
        {
            lr_content_frame(c, track, t, &b, &s);
        }
    }

    lr_content_rest(c, &tracks[LR_CONTENT_VIDEO], LR_CONTENT_VIDEO);
    lr_content_rest(c, &tracks[LR_CONTENT_AUDIO], LR_CONTENT_AUDIO);

    return LR_OK;
}


static int
lr_content_config(lr_content_t *c, lr_content_track_t *track, unsigned t,
    const lr_flv_body_t *b, const lr_sample_t *s)
{
    c->conf[t].len = 0;
    lr_buf_append(&c->conf[t], s->data, s->size);

    if (c->conf[t].failed) {
        errno = ENOMEM;
        return LR_ERROR;
    }

    track->codec = b->codec;
    track->id = b->id;
    track->pending = 1;

    return LR_OK;
}


static void
lr_content_frame(lr_content_t *c, lr_content_track_t *track, unsigned t,
    const lr_flv_body_t *b, const lr_sample_t *s)
{
    c->tracks |= t == LR_CONTENT_VIDEO ? LR_TRACK_VIDEO : LR_TRACK_AUDIO;

    if (track->pending) {
        track->pending = 0;

        if (track->codec == b->codec
            && (b->codec != LR_CODEC_OTHER || track->id == b->id))
        {
            track->frames = 1;
            track->settled = 1;
            c->codec[t] = track->codec;
            c->id[t] = track->id;
            return;
        }

        /* of a codec that was there before */

        c->conf[t].len = 0;
    }

    if (track->frames) {
        return;
    }

    track->frames = 1;
    c->codec[t] = b->codec;
    c->id[t] = b->id;

    if (b->codec == LR_CODEC_MP3) {
        track->settled = 1;
        (void) lr_audio_config(&c->audio, LR_CODEC_MP3, s->data + b->header,
                               s->size - b->header);
    }
}


/* a track that has no frames behind its sequence header */

static void
lr_content_rest(lr_content_t *c, lr_content_track_t *track, unsigned t)
{
    if (!track->pending) {
        return;
    }

    if (track->frames) {
        c->conf[t].len = 0;
        return;
    }

    c->codec[t] = track->codec;
    c->id[t] = track->id;
}


static int
lr_content_parse(lr_content_t *c)
{
    unsigned       t;
    lr_buf_t      *conf;
    lr_flv_body_t  b;

    for (t = 0; t < 2; t++) {
        conf = &c->conf[t];

        if (conf->len) {
            lr_flv_parse(t == LR_CONTENT_VIDEO ? LR_FLV_VIDEO : LR_FLV_AUDIO,
                         conf->data, conf->len, &b);

            if (t == LR_CONTENT_VIDEO) {
                (void) lr_video_config(&c->video, b.codec,
                                       conf->data + b.header,
                                       conf->len - b.header);
            } else {
                (void) lr_audio_config(&c->audio, b.codec,
                                       conf->data + b.header,
                                       conf->len - b.header);
            }
        }

        c->digest[t] = lr_content_digest(c, t);
    }

    if (c->video.params.failed) {
        errno = ENOMEM;
        return LR_ERROR;
    }

    return LR_OK;
}


static uint64_t
lr_content_digest(const lr_content_t *c, unsigned t)
{
    uint64_t           hash;
    const lr_audio_t  *a;

    if (c->codec[t] == LR_CODEC_NONE) {
        return 0;
    }

    hash = lr_content_hash_int(LR_CONTENT_BASIS, c->codec[t]);

    if (c->codec[t] == LR_CODEC_MP3 && c->audio.codec == LR_CODEC_MP3) {

        /* bitrate and joint stereo change from frame to frame */

        a = &c->audio;
        hash = lr_content_hash_int(hash, a->version);
        hash = lr_content_hash_int(hash, a->layer);
        hash = lr_content_hash_int(hash, a->rate);
        hash = lr_content_hash_int(hash, a->channels);

    } else {
        hash = lr_content_hash_int(hash, c->id[t]);
        hash = lr_content_hash(hash, c->conf[t].data, c->conf[t].len);
    }

    return hash ? hash : 1;
}


static uint64_t
lr_content_hash(uint64_t hash, const void *data, size_t n)
{
    const u_char  *p;

    for (p = data; n; n--) {
        hash = (hash ^ *p++) * LR_CONTENT_PRIME;
    }

    return hash;
}


static uint64_t
lr_content_hash_int(uint64_t hash, uint32_t v)
{
    u_char  buf[4];

    (void) lr_put_be32(buf, v);

    return lr_content_hash(hash, buf, 4);
}


void
lr_content_tracks(const lr_content_t *c, lr_tracks_t *t)
{
    const lr_audio_t  *a;

    memset(t, 0, sizeof(lr_tracks_t));

    if (c->tracks & LR_TRACK_VIDEO && c->video.codec != LR_CODEC_NONE) {
        strcpy(t->video, c->video.codec == LR_CODEC_HEVC ? "hevc" : "h264");
        t->width = c->video.width;
        t->height = c->video.height;
    }

    a = &c->audio;

    if (c->tracks & LR_TRACK_AUDIO && a->codec != LR_CODEC_NONE) {
        strcpy(t->audio, a->codec == LR_CODEC_AAC ? "aac" : "mp3");
        t->rate = a->out_rate ? a->out_rate : a->rate;
        t->channels = a->channels;
    }
}


unsigned
lr_content_mp4(const lr_content_t *c)
{
    unsigned  tracks;

    /* only those codecs have come out of a parser */

    tracks = 0;

    if (c->video.codec != LR_CODEC_NONE) {
        tracks |= LR_TRACK_VIDEO;
    }

    if (c->audio.codec != LR_CODEC_NONE) {
        tracks |= LR_TRACK_AUDIO;
    }

    return tracks;
}


unsigned
lr_content_flv(const lr_content_t *c)
{
    unsigned  tracks;

    /* whatever came in FLV tags */

    tracks = 0;

    if (c->codec[LR_CONTENT_VIDEO] != LR_CODEC_NONE) {
        tracks |= LR_TRACK_VIDEO;
    }

    if (c->codec[LR_CONTENT_AUDIO] != LR_CODEC_NONE) {
        tracks |= LR_TRACK_AUDIO;
    }

    return tracks;
}


void
lr_content_free(lr_content_t *c)
{
    lr_buf_free(&c->conf[LR_CONTENT_VIDEO]);
    lr_buf_free(&c->conf[LR_CONTENT_AUDIO]);
    lr_video_free(&c->video);

    memset(c, 0, sizeof(lr_content_t));
}
