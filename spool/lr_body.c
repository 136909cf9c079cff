
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <errno.h>
#include <stdlib.h>
#include "lr_body.h"


static int lr_body_open_ts(lr_body_t *b, unsigned size);
static int lr_body_open_file(lr_body_t *b);
static int lr_body_count(lr_body_t *b);
static int lr_body_begin(lr_body_t *b, unsigned count);
static int lr_body_hint(lr_body_t *b);
static int lr_body_next_ts(lr_body_t *b);
static void lr_body_tracks(lr_body_t *b);


void
lr_body_take(lr_body_t *b, lr_body_t *source)
{
    lr_body_free(b);

    b->kind = source->kind;
    b->text = source->text;
    b->dir = source->dir;
    b->fragments = source->fragments;
    b->n = source->n;
    b->from = source->from;
    b->to = source->to;
    b->created = source->created;
    b->align = source->align;
    b->format = source->format;
    b->head = source->head;

    memset(&source->text, 0, sizeof(lr_buf_t));
    source->fragments = NULL;
    source->n = 0;
}


void
lr_body_free(lr_body_t *b)
{
    lr_buf_free(&b->text);

    free(b->fragments);
    b->fragments = NULL;
    b->n = 0;
}


int
lr_body_open(lr_body_t *b, unsigned size)
{
    int  rc;

    b->done = 0;
    b->given = 0;
    b->first = 0;
    b->piece = LR_BODY_PIECE;
    b->ended = 0;
    b->size = b->text.len;

    if (b->kind == LR_BODY_TEXT) {
        return LR_OK;
    }

    memset(&b->tracks, 0, sizeof(lr_tracks_t));

    if (b->engine == NULL) {
        errno = ENOMEM;
        return LR_ERROR;
    }

    rc = b->kind == LR_BODY_TS ? lr_body_open_ts(b, size)
                               : lr_body_open_file(b);

    if (rc != LR_OK) {
        rc = errno;
        lr_body_close(b);
        errno = rc;

        return LR_ERROR;
    }

    return LR_OK;
}


static int
lr_body_open_ts(lr_body_t *b, unsigned size)
{
    if (b->engine->ts == NULL) {
        b->engine->ts = lr_ts_create();

        if (b->engine->ts == NULL) {
            errno = ENOMEM;
            return LR_ERROR;
        }
    }

    b->out = &b->engine->ts->mux.out;
    b->reader.buf = b->engine->window;

    if (lr_fragment_open(&b->reader, b->dir, b->fragments[0].number,
                         b->fragments[0].base)
        != LR_OK)
    {
        memset(&b->reader.buf, 0, sizeof(lr_buf_t));
        return LR_ERROR;
    }

    b->opened = 1;

    if (size && lr_body_count(b) != LR_OK) {
        return LR_ERROR;
    }

    return lr_body_begin(b, 0);
}


static int
lr_body_open_file(lr_body_t *b)
{
    lr_file_t  *f;

    f = &b->engine->file;

    f->format = b->format;
    f->dir = b->dir;
    f->fragments = b->fragments;
    f->n = b->n;
    f->from = b->from;
    f->to = b->to;
    f->created = b->created;
    f->align = b->align;
    f->head = b->head;

    if (lr_file_open(f, &b->engine->window) != LR_OK) {
        return LR_ERROR;
    }

    b->opened = 1;
    b->size = f->size;
    b->out = &b->engine->out;
    b->out->len = 0;

    if (b->size == 0) {
        errno = ENODATA;
        return LR_ERROR;
    }

    return LR_OK;
}


/* renders once without bytes, to know how many there are */

static int
lr_body_count(lr_body_t *b)
{
    int          rc;
    lr_sample_t  s;

    if (lr_body_begin(b, 1) != LR_OK) {
        return LR_ERROR;
    }

    for ( ;; ) {
        rc = lr_fragment_next(&b->reader, &s);

        if (rc == LR_DECLINED) {
            break;
        }

        if (rc == LR_ERROR) {
            return LR_ERROR;
        }

        if (lr_ts_sample(b->engine->ts, &s) != LR_OK) {
            errno = ENOMEM;
            return LR_ERROR;
        }
    }

    if (lr_ts_end(b->engine->ts) != LR_OK) {
        errno = ENOMEM;
        return LR_ERROR;
    }

    b->size = b->engine->ts->mux.bytes;

    if (b->size == 0) {
        errno = ENODATA;
        return LR_ERROR;
    }

    return LR_OK;
}


static int
lr_body_begin(lr_body_t *b, unsigned count)
{
    lr_fragment_rewind(&b->reader);

    b->engine->ts->mux.out.len = 0;

    if (lr_ts_begin(b->engine->ts, b->reader.rows, b->reader.nrows,
                    b->fragments[0].base, count)
        != LR_OK)
    {
        errno = ENOMEM;
        return LR_ERROR;
    }

    return lr_body_hint(b);
}


/* shows what tells the stream type of a track, if that would come too late */

static int
lr_body_hint(lr_body_t *b)
{
    ssize_t      row;
    unsigned     video;
    lr_sample_t  s;

    for (video = 0; video < 2; video++) {
        row = lr_ts_hint_row(b->engine->ts, video);

        if (row == -1) {
            continue;
        }

        b->reader.next = (uint32_t) row;

        if (lr_fragment_next(&b->reader, &s) != LR_OK) {
            return LR_ERROR;
        }

        lr_ts_hint(b->engine->ts, video, s.data, s.size);
        lr_fragment_rewind(&b->reader);
    }

    return LR_OK;
}


int
lr_body_pieces(lr_body_t *b, size_t first, size_t size, size_t align)
{
    b->first = first;
    b->piece = size;

    /* what goes beyond a piece is a sample */

    if (lr_buf_align(b->out, size + size / 2, align) != LR_OK) {
        errno = ENOMEM;
        return LR_ERROR;
    }

    return LR_OK;
}


int
lr_body_next(lr_body_t *b, u_char **p, size_t *n)
{
    int        rc;
    size_t     want;
    lr_buf_t  *out;

    if (b->kind == LR_BODY_TEXT) {
        rc = b->ended || b->text.len == 0 ? LR_DECLINED : LR_OK;

        b->ended = 1;
        b->done = b->text.len;
        *p = b->text.data;
        *n = b->text.len;

        return rc;
    }

    /* what was rendered beyond the last piece begins the next one */

    out = b->out;

    if (b->given) {
        out->len -= b->given;
        memmove(out->data, out->data + b->given, out->len);
        b->given = 0;
    }

    want = b->first ? b->first : b->piece;

    while (out->len < want && !b->ended) {

        rc = b->kind == LR_BODY_TS ? lr_body_next_ts(b)
                                   : lr_file_next(&b->engine->file, out);

        if (rc == LR_DECLINED) {
            b->ended = 1;

        } else if (rc != LR_OK) {
            return LR_ERROR;
        }
    }

    if (out->failed) {
        lr_buf_free(out);
        errno = ENOMEM;
        return LR_ERROR;
    }

    if (out->len == 0) {
        return LR_DECLINED;
    }

    b->first = 0;
    b->given = out->len < want ? out->len : want;
    b->done += b->given;

    *p = out->data;
    *n = b->given;

    return LR_OK;
}


static int
lr_body_next_ts(lr_body_t *b)
{
    int          rc;
    lr_sample_t  s;

    rc = lr_fragment_next(&b->reader, &s);

    if (rc == LR_ERROR) {
        return LR_ERROR;
    }

    if (rc == LR_OK) {
        if (lr_ts_sample(b->engine->ts, &s) == LR_OK) {
            return LR_OK;
        }

    } else if (lr_ts_end(b->engine->ts) == LR_OK) {
        lr_body_tracks(b);
        return LR_DECLINED;
    }

    errno = ENOMEM;

    return LR_ERROR;
}


static void
lr_body_tracks(lr_body_t *b)
{
    lr_ts_t           *ts;
    const lr_audio_t  *a;

    ts = b->engine->ts;

    if (ts->shown != LR_CODEC_NONE) {
        strcpy(b->tracks.video, ts->shown == LR_CODEC_HEVC ? "hevc" : "h264");
        b->tracks.width = ts->width;
        b->tracks.height = ts->height;
    }

    a = &ts->heard;

    if (a->codec != LR_CODEC_NONE) {
        strcpy(b->tracks.audio, a->codec == LR_CODEC_AAC ? "aac" : "mp3");
        b->tracks.rate = a->out_rate ? a->out_rate : a->rate;
        b->tracks.channels = a->channels;
    }
}


void
lr_body_close(lr_body_t *b)
{
    if (!b->opened) {
        return;
    }

    if (b->kind == LR_BODY_TS) {
        lr_fragment_close(&b->reader);
        b->engine->window = b->reader.buf;
        memset(&b->reader.buf, 0, sizeof(lr_buf_t));

    } else {
        lr_file_close(&b->engine->file, &b->engine->window);

        /* a lack of memory does not last for ever */

        if (b->engine->out.failed) {
            lr_buf_free(&b->engine->out);
        }
    }

    b->opened = 0;
}


void
lr_engine_free(lr_engine_t *e)
{
    if (e->ts) {
        lr_ts_destroy(e->ts);
    }

    lr_file_free(&e->file);
    lr_buf_free(&e->window);
    lr_buf_free(&e->out);
    memset(e, 0, sizeof(lr_engine_t));
}
