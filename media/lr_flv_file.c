
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "lr_flv_file.h"


#define LR_AMF_NUMBER  0
#define LR_AMF_BOOL    1
#define LR_AMF_STRING  2
#define LR_AMF_OBJECT  3
#define LR_AMF_ECMA    8
#define LR_AMF_STRICT  10

/* of a number in an array, with its type */
#define LR_AMF_VALUE   9

/* audio alone may be entered at any frame: one in so many ms is told */
#define LR_FLV_AUDIO_STEP  1000

/* players read strings into buffers: 255 bytes fit into all of them */
#define LR_FLV_PAD_NAME    "padding"
#define LR_FLV_PAD_PROP    (2 + sizeof(LR_FLV_PAD_NAME) - 1 + 5)
#define LR_FLV_PAD_STRING  (3 + 255)
#define LR_FLV_PAD_MIN     (LR_FLV_PAD_PROP + 3)

#define LR_FLV_DATA_MAX    0xffffff


typedef enum {
    LR_FLV_HEAD_FRONT = 0,
    LR_FLV_HEAD_POSITIONS,
    LR_FLV_HEAD_MIDDLE,
    LR_FLV_HEAD_TIMES,
    LR_FLV_HEAD_BACK,
    LR_FLV_HEAD_DONE
} lr_flv_head_e;


/* what is known of a track after all its rows */

typedef struct {
    uint64_t               frames;    /* access units */
    uint64_t               bytes;     /* of bodies */
    int64_t                first;     /* ms of the file */
    int64_t                last;
    int64_t                step;      /* length of a frame */
    int64_t                end;       /* of what is shown or heard */
} lr_flv_track_t;


/* a way through the rows, in which entries of the table are found */

typedef struct {
    uint64_t               pos;       /* of the next tag, in the media */
    uint64_t               keys;      /* found so far */
    uint64_t               at;        /* position and time of the last one, */
    int64_t                time;      /* ms */
    uint64_t               first;     /* the same of the access unit that */
    int64_t                start;     /* has begun without its picture */
    unsigned               audio:1;   /* there is nothing else */
    unsigned               begun:1;
    unsigned               key:1;     /* the last access unit is one */
} lr_flv_walk_t;


/* an object under way */

typedef struct {
    lr_buf_t              *out;
    uint32_t               n;         /* properties */
} lr_amf_t;


struct lr_flv_head_s {
    const lr_flv_conf_t   *conf;
    const lr_table_t      *table;

    unsigned               tracks;    /* that have frames */
    uint64_t               size;      /* of the head */
    uint64_t               pad;
    uint64_t               data;      /* of the script tag's body */
    int64_t                duration;
    int64_t                last;      /* timestamp */

    /* 0 for audio, 1 for video */

    lr_flv_track_t         track[2];

    uint64_t               keys;
    uint64_t               every;     /* n-th is in the table */
    uint64_t               entries;   /* of keys */
    unsigned               config:1;  /* the first entry is a header's */

    lr_flv_walk_t          end;       /* of the first walk */
    lr_flv_walk_t          walk;
    size_t                 next;      /* fragment */
    uint64_t               written;   /* entries */
    lr_flv_head_e          state;
};


static int lr_flv_head_measure(lr_flv_head_t *h);
static int lr_flv_head_rows(lr_flv_head_t *h, size_t i,
    const lr_row_t **rows, uint32_t *n, int64_t *base);
static void lr_flv_head_count(lr_flv_head_t *h, const lr_row_t *row,
    int64_t base);
static int lr_flv_head_layout(lr_flv_head_t *h);
static void lr_flv_head_front(lr_flv_head_t *h, lr_buf_t *out);
static void lr_flv_head_video(lr_flv_head_t *h, lr_amf_t *a);
static void lr_flv_head_audio(lr_flv_head_t *h, lr_amf_t *a);
static void lr_flv_head_middle(lr_flv_head_t *h, lr_buf_t *out);
static void lr_flv_head_back(lr_flv_head_t *h, lr_buf_t *out);
static void lr_flv_head_pad(lr_flv_head_t *h, lr_buf_t *out);
static int lr_flv_head_entries(lr_flv_head_t *h, lr_buf_t *out);
static void lr_flv_head_entry(lr_flv_head_t *h, lr_buf_t *out, uint64_t pos,
    int64_t time);
static uint64_t lr_flv_head_config(lr_flv_head_t *h);
static unsigned lr_flv_walk(lr_flv_head_t *h, lr_flv_walk_t *w,
    const lr_row_t *row, int64_t base);
static unsigned lr_flv_in_file(unsigned flags, unsigned tracks);
static int32_t lr_flv_timestamp(int64_t dts, int64_t origin);
static void lr_flv_config_tag(lr_buf_t *out, unsigned type, const u_char *p,
    size_t n);
static void lr_amf_name(lr_buf_t *out, const char *name);
static void lr_amf_value(lr_buf_t *out, double v);
static void lr_amf_seconds(lr_buf_t *out, int64_t ms);
static void lr_amf_time(lr_amf_t *a, const char *name, int64_t ms);
static void lr_amf_number(lr_amf_t *a, const char *name, double v);
static void lr_amf_bool(lr_amf_t *a, const char *name, unsigned v);
static void lr_amf_string(lr_amf_t *a, const char *name, const char *s);
static void lr_amf_array(lr_buf_t *out, unsigned type, uint64_t n);
static void lr_amf_end(lr_buf_t *out);


lr_flv_head_t *
lr_flv_head_create(const lr_flv_conf_t *conf, const lr_table_t *table,
    uint64_t *size, uint64_t *media)
{
    int             err;
    lr_flv_head_t  *h;

    h = calloc(1, sizeof(lr_flv_head_t));
    if (h == NULL) {
        return NULL;
    }

    h->conf = conf;
    h->table = table;

    if (lr_flv_head_measure(h) != LR_OK || lr_flv_head_layout(h) != LR_OK) {
        err = errno;
        free(h);
        errno = err;
        return NULL;
    }

    *size = h->size;
    *media = h->end.pos;

    return h;
}


void
lr_flv_head_destroy(lr_flv_head_t *h)
{
    free(h);
}


static int
lr_flv_head_measure(lr_flv_head_t *h)
{
    size_t           i;
    int64_t          base;
    uint32_t         n, k;
    unsigned         t;
    lr_flv_walk_t    walk[2];
    const lr_row_t  *rows;

    h->track[0].step = 23;
    h->track[1].step = 40;

    if (h->conf->audio && h->conf->audio->rate && h->conf->audio->samples) {
        h->track[0].step = (int64_t) h->conf->audio->samples * 1000
                           / h->conf->audio->rate;
    }

    /* whether there is audio alone is known at the end */

    memset(walk, 0, sizeof(walk));
    walk[1].audio = 1;

    for (i = 0; i < h->table->n; i++) {

        if (lr_flv_head_rows(h, i, &rows, &n, &base) != LR_OK) {
            return LR_ERROR;
        }

        for (k = 0; k < n; k++) {
            lr_flv_head_count(h, &rows[k], base);
            (void) lr_flv_walk(h, &walk[0], &rows[k], base);
            (void) lr_flv_walk(h, &walk[1], &rows[k], base);
        }
    }

    for (t = 0; t < 2; t++) {

        if (h->track[t].bytes == 0 && h->track[t].frames == 0) {
            continue;
        }

        h->tracks |= t ? LR_TRACK_VIDEO : LR_TRACK_AUDIO;

        if (h->track[t].end > h->duration) {
            h->duration = h->track[t].end;
        }

        if (h->track[t].last > h->last) {
            h->last = h->track[t].last;
        }
    }

    if (h->tracks == 0) {
        errno = ENODATA;
        return LR_ERROR;
    }

    h->end = walk[h->tracks == LR_TRACK_AUDIO];
    h->keys = h->end.keys;
    h->every = (h->keys + LR_FLV_KEYFRAMES - 1) / LR_FLV_KEYFRAMES;

    if (h->keys) {
        h->entries = (h->keys + h->every - 1) / h->every;
        h->config = lr_flv_head_config(h) != 0;
    }

    return LR_OK;
}


static int
lr_flv_head_rows(lr_flv_head_t *h, size_t i, const lr_row_t **rows,
    uint32_t *n, int64_t *base)
{
    return h->table->rows(h->table->data, i, rows, n, base);
}


static void
lr_flv_head_count(lr_flv_head_t *h, const lr_row_t *row, int64_t base)
{
    int64_t          dts, end;
    unsigned         video;
    lr_flv_track_t  *t;

    if (!lr_flv_in_file(row->flags, h->conf->tracks)) {
        return;
    }

    video = row->flags & LR_SAMPLE_VIDEO ? 1 : 0;
    t = &h->track[video];
    t->bytes += row->size;

    if (video && row->flags & (LR_SAMPLE_NEXT|LR_SAMPLE_PREV)) {
        return;
    }

    dts = lr_flv_timestamp(base + row->dts, h->conf->origin);

    if (t->frames == 0) {
        t->first = dts;

    } else if (dts > t->last && dts - t->last < 1000) {
        t->step = dts - t->last;
    }

    t->frames++;

    if (dts > t->last) {
        t->last = dts;
    }

    end = dts + row->cts + t->step;

    if (end > t->end) {
        t->end = end;
    }
}


/*
 * A step on the way: whether the row makes an entry whole, which is an
 * access unit with a key picture, from its first message on.
 */

static unsigned
lr_flv_walk(lr_flv_head_t *h, lr_flv_walk_t *w, const lr_row_t *row,
    int64_t base)
{
    int64_t   ts;
    uint64_t  pos;
    unsigned  begun;

    if (!lr_flv_in_file(row->flags, h->conf->tracks)) {
        return 0;
    }

    pos = w->pos;
    w->pos += LR_FLV_TAG_HEADER + (uint64_t) row->size + LR_FLV_TAG_TRAILER;

    ts = lr_flv_timestamp(base + row->dts, h->conf->origin);

    if (w->audio) {
        w->key = 1;

        if (w->keys && ts < w->time + LR_FLV_AUDIO_STEP) {
            return 0;
        }

        w->at = pos;
        w->time = ts;
        w->keys++;

        return 1;
    }

    if (!(row->flags & LR_SAMPLE_VIDEO) || row->flags & LR_SAMPLE_PREV) {
        return 0;
    }

    begun = w->begun;

    if (!begun) {
        w->first = pos;
        w->start = ts;
    }

    w->begun = row->flags & LR_SAMPLE_NEXT ? 1 : 0;

    if (w->begun) {
        return 0;
    }

    w->key = row->flags & LR_SAMPLE_KEY ? 1 : 0;

    if (!w->key) {
        return 0;
    }

    w->at = w->first;
    w->time = w->start;
    w->keys++;

    return 1;
}


/* all lengths are known before a single value is */

static int
lr_flv_head_layout(lr_flv_head_t *h)
{
    uint64_t  table, config, rest;
    lr_buf_t  buf;

    memset(&buf, 0, sizeof(lr_buf_t));

    table = (h->entries + h->config) * LR_AMF_VALUE * 2;
    config = lr_flv_head_config(h);

    lr_flv_head_front(h, &buf);
    lr_flv_head_middle(h, &buf);
    lr_flv_head_back(h, &buf);

    h->size = buf.len + table;

    if (h->conf->align) {
        rest = (h->size + h->conf->lead) % h->conf->align;

        if (rest) {
            h->pad = h->conf->align - rest;

            while (h->pad < LR_FLV_PAD_MIN) {
                h->pad += h->conf->align;
            }

            h->size += h->pad;
        }
    }

    h->data = h->size - config - LR_FLV_FILE_HEADER - LR_FLV_TAG_HEADER
              - LR_FLV_TAG_TRAILER;

    if (buf.failed) {
        lr_buf_free(&buf);
        errno = ENOMEM;
        return LR_ERROR;
    }

    lr_buf_free(&buf);

    if (h->data > LR_FLV_DATA_MAX) {
        errno = EFBIG;
        return LR_ERROR;
    }

    return LR_OK;
}


int
lr_flv_head_next(lr_flv_head_t *h, lr_buf_t *out)
{
    int  rc;

    rc = LR_OK;

    switch (h->state) {

    case LR_FLV_HEAD_FRONT:
        lr_flv_head_front(h, out);
        h->state = h->entries ? LR_FLV_HEAD_POSITIONS : LR_FLV_HEAD_BACK;
        break;

    case LR_FLV_HEAD_POSITIONS:
        rc = lr_flv_head_entries(h, out);
        break;

    case LR_FLV_HEAD_MIDDLE:
        lr_flv_head_middle(h, out);
        h->state = LR_FLV_HEAD_TIMES;
        break;

    case LR_FLV_HEAD_TIMES:
        rc = lr_flv_head_entries(h, out);
        break;

    case LR_FLV_HEAD_BACK:
        lr_flv_head_back(h, out);
        h->state = LR_FLV_HEAD_DONE;
        break;

    default:
        return LR_DECLINED;
    }

    if (rc == LR_OK && out->failed) {
        errno = ENOMEM;
        return LR_ERROR;
    }

    return rc;
}


/* the file's header and the metadata as far as to the first array's values */

static void
lr_flv_head_front(lr_flv_head_t *h, lr_buf_t *out)
{
    char       date[32];
    size_t     count;
    time_t     sec;
    u_char     p[LR_FLV_FILE_HEADER];
    lr_amf_t   a;
    struct tm  tm;

    lr_flv_file_header(p, h->tracks & LR_TRACK_AUDIO,
                       h->tracks & LR_TRACK_VIDEO);
    lr_buf_append(out, p, LR_FLV_FILE_HEADER);

    lr_flv_tag_header(p, LR_FLV_SCRIPT, (size_t) h->data, 0);
    lr_buf_append(out, p, LR_FLV_TAG_HEADER);

    p[0] = LR_AMF_STRING;
    lr_buf_append(out, p, 1);
    lr_amf_name(out, "onMetaData");

    count = out->len + 1;
    lr_amf_array(out, LR_AMF_ECMA, 0);

    a.out = out;
    a.n = 0;

    lr_amf_time(&a, "duration", h->duration);
    lr_amf_number(&a, "filesize", (double) (h->size + h->end.pos));
    lr_amf_bool(&a, "hasVideo", h->tracks & LR_TRACK_VIDEO);
    lr_amf_bool(&a, "hasAudio", h->tracks & LR_TRACK_AUDIO);
    lr_amf_bool(&a, "hasMetadata", 1);
    lr_amf_bool(&a, "hasKeyframes", h->entries != 0);
    lr_amf_bool(&a, "canSeekToEnd", h->end.key);

    if (h->tracks & LR_TRACK_VIDEO) {
        lr_flv_head_video(h, &a);
    }

    if (h->tracks & LR_TRACK_AUDIO) {
        lr_flv_head_audio(h, &a);
    }

    lr_amf_time(&a, "lasttimestamp", h->last);

    if (h->entries) {
        lr_amf_time(&a, "lastkeyframetimestamp", h->end.time);
        lr_amf_number(&a, "lastkeyframelocation",
                      (double) (h->size + h->end.at));
    }

    sec = (time_t) (h->conf->created / 1000);

    if (h->conf->created > 0 && gmtime_r(&sec, &tm) != NULL
        && strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &tm) != 0)
    {
        lr_amf_string(&a, "creationdate", date);
    }

    lr_amf_string(&a, "metadatacreator", "ngx_live_record");

    if (h->pad) {
        a.n++;
    }

    if (h->entries) {
        a.n++;

        lr_amf_name(out, "keyframes");
        p[0] = LR_AMF_OBJECT;
        lr_buf_append(out, p, 1);

        lr_amf_name(out, "filepositions");
        lr_amf_array(out, LR_AMF_STRICT, h->entries + h->config);
    }

    if (!out->failed) {
        (void) lr_put_be32(out->data + count, a.n);
    }
}


static void
lr_flv_head_video(lr_flv_head_t *h, lr_amf_t *a)
{
    const lr_video_t      *video;
    const lr_flv_track_t  *t;

    t = &h->track[1];
    video = h->conf->video;

    if (video && video->width && video->height) {
        lr_amf_number(a, "width", video->width);
        lr_amf_number(a, "height", video->height);
    }

    if (h->conf->video_id) {
        lr_amf_number(a, "videocodecid", h->conf->video_id);
    }

    if (h->duration) {
        lr_amf_number(a, "videodatarate",
                      (double) t->bytes * 8 / (double) h->duration);
    }

    if (t->last > t->first) {
        lr_amf_number(a, "framerate", (double) (t->frames - 1) * 1000
                                      / (double) (t->last - t->first));
    }
}


static void
lr_flv_head_audio(lr_flv_head_t *h, lr_amf_t *a)
{
    const lr_audio_t      *audio;
    const lr_flv_track_t  *t;

    t = &h->track[0];
    audio = h->conf->audio;

    /* 0 is a codec, too */

    lr_amf_number(a, "audiocodecid", h->conf->audio_id);

    if (h->duration) {
        lr_amf_number(a, "audiodatarate",
                      (double) t->bytes * 8 / (double) h->duration);
    }

    if (audio && audio->out_rate) {
        lr_amf_number(a, "audiosamplerate", audio->out_rate);
        lr_amf_number(a, "audiosamplesize", 16);
    }

    if (audio && audio->channels) {
        lr_amf_bool(a, "stereo", audio->channels > 1 || audio->ps);
    }
}


static void
lr_flv_head_middle(lr_flv_head_t *h, lr_buf_t *out)
{
    if (h->entries) {
        lr_amf_name(out, "times");
        lr_amf_array(out, LR_AMF_STRICT, h->entries + h->config);
    }
}


/* the metadata's end and the sequence headers */

static void
lr_flv_head_back(lr_flv_head_t *h, lr_buf_t *out)
{
    u_char  p[LR_FLV_TAG_TRAILER];

    if (h->entries) {
        lr_amf_end(out);
    }

    if (h->pad) {
        lr_flv_head_pad(h, out);
    }

    lr_amf_end(out);

    (void) lr_put_be32(p, (uint32_t) h->data + LR_FLV_TAG_HEADER);
    lr_buf_append(out, p, LR_FLV_TAG_TRAILER);

    if (h->tracks & LR_TRACK_VIDEO) {
        lr_flv_config_tag(out, LR_FLV_VIDEO, h->conf->vconf, h->conf->vlen);
    }

    if (h->tracks & LR_TRACK_AUDIO) {
        lr_flv_config_tag(out, LR_FLV_AUDIO, h->conf->aconf, h->conf->alen);
    }
}


static void
lr_flv_head_pad(lr_flv_head_t *h, lr_buf_t *out)
{
    size_t    count;
    u_char    p[3], spaces[LR_FLV_PAD_STRING];
    uint32_t  n;
    uint64_t  rest, len;

    memset(spaces, ' ', sizeof(spaces));

    lr_amf_name(out, LR_FLV_PAD_NAME);
    count = out->len + 1;
    lr_amf_array(out, LR_AMF_STRICT, 0);
    n = 0;

    for (rest = h->pad - LR_FLV_PAD_PROP; rest; rest -= len) {
        len = rest < LR_FLV_PAD_STRING ? rest : LR_FLV_PAD_STRING;

        /* what is left has to be a string again */

        if (rest > len && rest - len < 3) {
            len -= 3;
        }

        p[0] = LR_AMF_STRING;
        (void) lr_put_be16(p + 1, (uint32_t) len - 3);
        lr_buf_append(out, p, 3);
        lr_buf_append(out, spaces, (size_t) len - 3);
        n++;
    }

    if (!out->failed) {
        (void) lr_put_be32(out->data + count, n);
    }
}


/* the values that one fragment adds to the array under way */

static int
lr_flv_head_entries(lr_flv_head_t *h, lr_buf_t *out)
{
    int64_t          base;
    uint32_t         n, k;
    const lr_row_t  *rows;

    if (h->next == 0) {
        memset(&h->walk, 0, sizeof(lr_flv_walk_t));
        h->walk.audio = h->end.audio;
        h->written = 0;

        /*
         * players take the first keyframe for a sequence header, as tools
         * have made it, and do not seek to it
         */

        if (h->config) {
            lr_flv_head_entry(h, out, h->size - lr_flv_head_config(h), 0);
        }
    }

    if (h->next < h->table->n) {

        if (lr_flv_head_rows(h, h->next, &rows, &n, &base) != LR_OK) {
            return LR_ERROR;
        }

        for (k = 0; k < n; k++) {

            if (lr_flv_walk(h, &h->walk, &rows[k], base)
                && (h->walk.keys - 1) % h->every == 0
                && h->written < h->entries)
            {
                lr_flv_head_entry(h, out, h->size + h->walk.at,
                                  h->walk.time);
                h->written++;
            }
        }

        h->next++;

        return LR_OK;
    }

    /* the rows are no longer those that were measured */

    if (h->walk.keys != h->keys || h->walk.pos != h->end.pos) {
        errno = EIO;
        return LR_ERROR;
    }

    h->next = 0;
    h->state++;

    return LR_OK;
}


static void
lr_flv_head_entry(lr_flv_head_t *h, lr_buf_t *out, uint64_t pos,
    int64_t time)
{
    if (h->state == LR_FLV_HEAD_POSITIONS) {
        lr_amf_value(out, (double) pos);

    } else {
        lr_amf_seconds(out, time);
    }
}


/* bytes that the sequence headers' tags take */

static uint64_t
lr_flv_head_config(lr_flv_head_t *h)
{
    uint64_t  n;

    n = 0;

    if (h->tracks & LR_TRACK_VIDEO && h->conf->vlen) {
        n += LR_FLV_TAG_HEADER + h->conf->vlen + LR_FLV_TAG_TRAILER;
    }

    if (h->tracks & LR_TRACK_AUDIO && h->conf->alen) {
        n += LR_FLV_TAG_HEADER + h->conf->alen + LR_FLV_TAG_TRAILER;
    }

    return n;
}


int64_t
lr_flv_origin(const lr_row_t *rows, uint32_t n, int64_t base,
    unsigned tracks)
{
    int64_t   origin;
    uint32_t  i;

    origin = INT64_MAX;

    for (i = 0; i < n; i++) {

        if (lr_flv_in_file(rows[i].flags, tracks)
            && base + rows[i].dts < origin)
        {
            origin = base + rows[i].dts;
        }
    }

    return origin;
}


uint64_t
lr_flv_media_size(const lr_row_t *rows, uint32_t n, unsigned tracks)
{
    uint32_t  i;
    uint64_t  size;

    size = 0;

    for (i = 0; i < n; i++) {

        if (lr_flv_in_file(rows[i].flags, tracks)) {
            size += LR_FLV_TAG_HEADER + (uint64_t) rows[i].size
                    + LR_FLV_TAG_TRAILER;
        }
    }

    return size;
}


int
lr_flv_media_sample(lr_buf_t *out, unsigned tracks, int64_t origin,
    const lr_sample_t *s)
{
    u_char    *p;
    unsigned   type;

    if (!lr_flv_in_file(s->flags, tracks)) {
        return LR_OK;
    }

    if (lr_buf_reserve(out, LR_FLV_TAG_HEADER + s->size + LR_FLV_TAG_TRAILER)
        != LR_OK)
    {
        return LR_ERROR;
    }

    type = s->flags & LR_SAMPLE_VIDEO ? LR_FLV_VIDEO : LR_FLV_AUDIO;

    p = out->data + out->len;
    p = lr_flv_tag_header(p, type, s->size, lr_flv_timestamp(s->dts, origin));

    if (s->size) {
        memcpy(p, s->data, s->size);
    }

    p = lr_put_be32(p + s->size, (uint32_t) s->size + LR_FLV_TAG_HEADER);
    out->len = (size_t) (p - out->data);

    return LR_OK;
}


static unsigned
lr_flv_in_file(unsigned flags, unsigned tracks)
{
    if (flags & LR_SAMPLE_CONFIG) {
        return 0;
    }

    return tracks & (flags & LR_SAMPLE_VIDEO ? LR_TRACK_VIDEO
                                             : LR_TRACK_AUDIO);
}


static int32_t
lr_flv_timestamp(int64_t dts, int64_t origin)
{
    dts -= origin;

    if (dts < 0) {
        return 0;
    }

    return dts > INT32_MAX ? INT32_MAX : (int32_t) dts;
}


static void
lr_flv_config_tag(lr_buf_t *out, unsigned type, const u_char *p, size_t n)
{
    u_char  buf[LR_FLV_TAG_HEADER];

    if (n == 0) {
        return;
    }

    lr_flv_tag_header(buf, type, n, 0);
    lr_buf_append(out, buf, LR_FLV_TAG_HEADER);

    lr_buf_append(out, p, n);

    (void) lr_put_be32(buf, (uint32_t) n + LR_FLV_TAG_HEADER);
    lr_buf_append(out, buf, LR_FLV_TAG_TRAILER);
}


static void
lr_amf_name(lr_buf_t *out, const char *name)
{
    size_t  n;
    u_char  p[2];

    n = strlen(name);

    (void) lr_put_be16(p, (uint32_t) n);
    lr_buf_append(out, p, 2);
    lr_buf_append(out, name, n);
}


static void
lr_amf_value(lr_buf_t *out, double v)
{
    u_char    p[LR_AMF_VALUE];
    uint64_t  bits;

    memcpy(&bits, &v, sizeof(bits));

    p[0] = LR_AMF_NUMBER;
    (void) lr_put_be64(p + 1, bits);
    lr_buf_append(out, p, LR_AMF_VALUE);
}


/*
 * Players multiply seconds by 1000 and cut off what is behind the point,
 * which must not make it the millisecond before.
 */

static void
lr_amf_seconds(lr_buf_t *out, int64_t ms)
{
    double    v;
    uint64_t  bits;

    v = (double) ms / 1000;

    if ((int64_t) (v * 1000) < ms) {
        memcpy(&bits, &v, sizeof(bits));
        bits++;
        memcpy(&v, &bits, sizeof(bits));
    }

    lr_amf_value(out, v);
}


static void
lr_amf_time(lr_amf_t *a, const char *name, int64_t ms)
{
    lr_amf_name(a->out, name);
    lr_amf_seconds(a->out, ms);
    a->n++;
}


static void
lr_amf_number(lr_amf_t *a, const char *name, double v)
{
    lr_amf_name(a->out, name);
    lr_amf_value(a->out, v);
    a->n++;
}


static void
lr_amf_bool(lr_amf_t *a, const char *name, unsigned v)
{
    u_char  p[2];

    lr_amf_name(a->out, name);

    p[0] = LR_AMF_BOOL;
    p[1] = v ? 1 : 0;
    lr_buf_append(a->out, p, 2);
    a->n++;
}


static void
lr_amf_string(lr_amf_t *a, const char *name, const char *s)
{
    u_char  type;

    lr_amf_name(a->out, name);

    type = LR_AMF_STRING;
    lr_buf_append(a->out, &type, 1);
    lr_amf_name(a->out, s);
    a->n++;
}


static void
lr_amf_array(lr_buf_t *out, unsigned type, uint64_t n)
{
    u_char  p[5];

    p[0] = (u_char) type;
    (void) lr_put_be32(p + 1, (uint32_t) n);
    lr_buf_append(out, p, 5);
}


static void
lr_amf_end(lr_buf_t *out)
{
    lr_buf_append(out, "\0\0\x09", 3);
}
