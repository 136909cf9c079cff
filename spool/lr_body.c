
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <errno.h>
#include "lr_body.h"


/* a piece is at least so long, unless it is the last */

#define LR_BODY_PIECE  262144


static int lr_body_begin(lr_body_t *b, unsigned count);
static int lr_body_hint(lr_body_t *b);


int
lr_body_open(lr_body_t *b, unsigned size)
{
    int          rc;
    lr_sample_t  s;

    b->done = 0;
    b->ended = 0;
    b->size = b->text.len;

    if (b->text.data) {
        return LR_OK;
    }

    if (b->ts == NULL) {
        b->ts = lr_ts_create();

        if (b->ts == NULL) {
            errno = ENOMEM;
            return LR_ERROR;
        }
    }

    if (lr_fragment_open(&b->reader, b->dir, b->number, b->base) != LR_OK) {
        return LR_ERROR;
    }

    b->opened = 1;

    if (size) {
        if (lr_body_begin(b, 1) != LR_OK) {
            goto failed;
        }

        for ( ;; ) {
            rc = lr_fragment_next(&b->reader, &s);

            if (rc == LR_DECLINED) {
                break;
            }

            if (rc == LR_ERROR || lr_ts_sample(b->ts, &s) != LR_OK) {
                goto failed;
            }
        }

        if (lr_ts_end(b->ts) != LR_OK) {
            goto failed;
        }

        b->size = b->ts->bytes;
    }

    if (lr_body_begin(b, 0) == LR_OK) {
        return LR_OK;
    }

failed:

    lr_body_close(b);

    return LR_ERROR;
}


static int
lr_body_begin(lr_body_t *b, unsigned count)
{
    lr_fragment_rewind(&b->reader);

    b->ts->out.len = 0;

    if (lr_ts_begin(b->ts, b->reader.rows, b->reader.nrows, b->base, count)
        != LR_OK)
    {
        errno = ENOMEM;
        return LR_ERROR;
    }

    return lr_body_hint(b);
}


/* shows the first frame of a track whose stream type only a frame tells */

static int
lr_body_hint(lr_body_t *b)
{
    ssize_t      row;
    lr_sample_t  s;

    row = lr_ts_hint_row(b->ts);

    if (row == -1) {
        return LR_OK;
    }

    b->reader.next = (uint32_t) row;

    if (lr_fragment_next(&b->reader, &s) != LR_OK) {
        return LR_ERROR;
    }

    lr_ts_hint(b->ts, s.data, s.size);
    lr_fragment_rewind(&b->reader);

    return LR_OK;
}


int
lr_body_next(lr_body_t *b, u_char **p, size_t *n)
{
    int          rc;
    lr_sample_t  s;

    if (b->ended) {
        return LR_DECLINED;
    }

    if (b->text.data) {
        b->ended = 1;
        b->done = b->text.len;
        *p = b->text.data;
        *n = b->text.len;

        return *n ? LR_OK : LR_DECLINED;
    }

    b->ts->out.len = 0;

    while (b->ts->out.len < LR_BODY_PIECE) {

        rc = lr_fragment_next(&b->reader, &s);

        if (rc == LR_ERROR) {
            return LR_ERROR;
        }

        if (rc == LR_DECLINED) {
            b->ended = 1;
            rc = lr_ts_end(b->ts);

        } else {
            rc = lr_ts_sample(b->ts, &s);
        }

        if (rc != LR_OK) {
            errno = ENOMEM;
            return LR_ERROR;
        }

        if (b->ended) {
            break;
        }
    }

    *p = b->ts->out.data;
    *n = b->ts->out.len;
    b->done += *n;

    return *n ? LR_OK : LR_DECLINED;
}


void
lr_body_close(lr_body_t *b)
{
    if (b->opened) {
        lr_fragment_close(&b->reader);
        b->opened = 0;
    }
}


void
lr_body_destroy(lr_body_t *b)
{
    lr_body_close(b);
    lr_buf_free(&b->text);
    lr_buf_free(&b->reader.buf);

    if (b->ts) {
        lr_ts_destroy(b->ts);
        b->ts = NULL;
    }
}
