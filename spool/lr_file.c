
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <errno.h>
#include <stdlib.h>
#include "lr_file.h"


static int lr_file_begin(lr_file_t *f);
static int lr_file_head(lr_file_t *f, uint64_t lead);
static int lr_file_rows(void *data, size_t i, const lr_row_t **rows,
    uint32_t *n, int64_t *base);
static int lr_file_media_size(lr_file_t *f, uint64_t *size);
static int lr_file_sample(lr_file_t *f, lr_buf_t *out);


int
lr_file_open(lr_file_t *f, lr_buf_t *buf)
{
    int  rc;

    f->reader.fd = -1;
    f->reader.buf = *buf;
    memset(buf, 0, sizeof(lr_buf_t));

    f->next = f->from;
    f->reading = 0;
    f->heading = f->head;
    f->size = 0;

    if (lr_file_begin(f) == LR_OK) {
        return LR_OK;
    }

    rc = errno;
    lr_file_close(f, buf);
    errno = rc;

    return LR_ERROR;
}


static int
lr_file_begin(lr_file_t *f)
{
    uint64_t  media;

    if (lr_content_read(&f->content, f->dir, f->fragments[0].number,
                        f->fragments[0].base)
        != LR_OK)
    {
        return LR_ERROR;
    }

    f->tracks = f->format == LR_FORMAT_MP4 ? lr_content_mp4(&f->content)
                                           : lr_content_flv(&f->content);

    if (f->tracks == 0) {
        errno = ENODATA;
        return LR_ERROR;
    }

    f->table.n = f->n;
    f->table.rows = lr_file_rows;
    f->table.data = f;

    if (lr_file_media_size(f, &media) != LR_OK) {
        return LR_ERROR;
    }

    f->size = media;

    return f->head ? lr_file_head(f, media) : LR_OK;
}


static int
lr_file_head(lr_file_t *f, uint64_t lead)
{
    uint64_t        size, media;
    lr_content_t   *c;
    lr_flv_body_t   body;

    c = &f->content;

    if (f->format == LR_FORMAT_MP4) {
        memset(&f->mp4, 0, sizeof(lr_mp4_conf_t));

        if (f->tracks & LR_TRACK_VIDEO) {
            f->mp4.video = &c->video;
            lr_flv_parse(LR_FLV_VIDEO, c->conf[0].data, c->conf[0].len,
                         &body);
            f->mp4.vconf = c->conf[0].data + body.header;
            f->mp4.vlen = c->conf[0].len - body.header;
        }

        if (f->tracks & LR_TRACK_AUDIO) {
            f->mp4.audio = &c->audio;

            if (c->conf[1].len) {
                lr_flv_parse(LR_FLV_AUDIO, c->conf[1].data, c->conf[1].len,
                             &body);
                f->mp4.aconf = c->conf[1].data + body.header;
                f->mp4.alen = c->conf[1].len - body.header;
            }
        }

        f->mp4.created = f->created;
        f->mp4.lead = lead;
        f->mp4.align = f->align;

        f->mp4_head = lr_mp4_head_create(&f->mp4, &f->table, &size, &media);

        if (f->mp4_head == NULL) {
            return LR_ERROR;
        }

    } else {
        memset(&f->flv, 0, sizeof(lr_flv_conf_t));

        f->flv.tracks = f->tracks;
        f->flv.video = c->video.codec == LR_CODEC_NONE ? NULL : &c->video;
        f->flv.audio = c->audio.codec == LR_CODEC_NONE ? NULL : &c->audio;
        f->flv.vconf = c->conf[0].data;
        f->flv.vlen = c->conf[0].len;
        f->flv.aconf = c->conf[1].data;
        f->flv.alen = c->conf[1].len;
        f->flv.video_id = c->id[0];
        f->flv.audio_id = c->id[1];
        f->flv.origin = c->origin;
        f->flv.created = f->created;
        f->flv.lead = lead;
        f->flv.align = f->align;

        f->flv_head = lr_flv_head_create(&f->flv, &f->table, &size, &media);

        if (f->flv_head == NULL) {
            return LR_ERROR;
        }
    }

    f->size += size;

    return LR_OK;
}


/*
 * The file of a fragment may be gone, its rows are there to the end.  While
 * it is there, they are those of what is in it: the end of it may be missing
 * after a power failure, and the table be whole.
 */

static int
lr_file_rows(void *data, size_t i, const lr_row_t **rows, uint32_t *n,
    int64_t *base)
{
    lr_file_t *f = data;

    const lr_file_fragment_t  *fragment;

    fragment = &f->fragments[i];

    free(f->rows);
    f->rows = NULL;

    if (lr_fragment_read_rows(f->dir, fragment->number, &f->rows, n) != LR_OK
        && (errno != ENOENT
            || lr_fragment_saved_rows(f->dir, fragment->number,
                                      fragment->bytes, &f->rows, n)
               != LR_OK))
    {
        return LR_ERROR;
    }

    *rows = f->rows;
    *base = fragment->base;

    return LR_OK;
}


static int
lr_file_media_size(lr_file_t *f, uint64_t *size)
{
    size_t           i;
    int64_t          base;
    uint32_t         n;
    const lr_row_t  *rows;

    *size = 0;

    for (i = f->from; i < f->to; i++) {

        if (lr_file_rows(f, i, &rows, &n, &base) != LR_OK) {
            return LR_ERROR;
        }

        *size += f->format == LR_FORMAT_MP4
                 ? lr_mp4_media_size(rows, n, f->tracks)
                 : lr_flv_media_size(rows, n, f->tracks);
    }

    return LR_OK;
}


int
lr_file_next(lr_file_t *f, lr_buf_t *out)
{
    int                        rc;
    const lr_file_fragment_t  *fragment;

    if (f->heading) {
        rc = f->format == LR_FORMAT_MP4 ? lr_mp4_head_next(f->mp4_head, out)
                                        : lr_flv_head_next(f->flv_head, out);

        if (rc != LR_DECLINED) {
            return rc;
        }

        f->heading = 0;
    }

    if (!f->reading) {

        if (f->next == f->to) {
            return LR_DECLINED;
        }

        fragment = &f->fragments[f->next++];

        if (lr_fragment_open(&f->reader, f->dir, fragment->number,
                             fragment->base)
            != LR_OK)
        {
            return LR_ERROR;
        }

        f->reading = 1;

        if (f->format == LR_FORMAT_MP4) {
            lr_mp4_media_begin(&f->media, f->tracks, out);
        }
    }

    return lr_file_sample(f, out);
}


static int
lr_file_sample(lr_file_t *f, lr_buf_t *out)
{
    int          rc;
    lr_sample_t  s;

    /* the caller may take turns with its buffers */

    f->media.out = out;

    rc = lr_fragment_next(&f->reader, &s);

    if (rc == LR_ERROR) {
        return LR_ERROR;
    }

    if (rc == LR_DECLINED) {
        lr_fragment_close(&f->reader);
        f->reading = 0;

        rc = f->format == LR_FORMAT_MP4 ? lr_mp4_media_end(&f->media) : LR_OK;

    } else {
        rc = f->format == LR_FORMAT_MP4
             ? lr_mp4_media_sample(&f->media, &s)
             : lr_flv_media_sample(out, f->tracks, f->content.origin, &s);
    }

    if (rc != LR_OK) {
        errno = ENOMEM;
    }

    return rc;
}


void
lr_file_close(lr_file_t *f, lr_buf_t *buf)
{
    lr_fragment_close(&f->reader);
    *buf = f->reader.buf;
    memset(&f->reader.buf, 0, sizeof(lr_buf_t));

    lr_mp4_head_destroy(f->mp4_head);
    f->mp4_head = NULL;

    if (f->flv_head) {
        lr_flv_head_destroy(f->flv_head);
        f->flv_head = NULL;
    }

    free(f->rows);
    f->rows = NULL;

    lr_content_free(&f->content);
}


void
lr_file_free(lr_file_t *f)
{
    lr_mp4_media_free(&f->media);
}
