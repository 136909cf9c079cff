
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The bytes of an object on their way to a bucket: either a text in memory,
 * or a fragment rendered piece by piece.  The same source always gives the
 * same bytes, so that a request can be tried again from the start.
 *
 * Opening and reading may block.  A body may be opened again after it was
 * closed; the memory for rendering is an engine's, which the caller lends.
 */


#ifndef _LR_BODY_H_INCLUDED_
#define _LR_BODY_H_INCLUDED_


#include "lr_core.h"
#include "lr_fragment.h"
#include "lr_ts.h"


/* what is in a rendered fragment; a codec is "" where there is none */

typedef struct {
    char                  video[8];
    uint32_t              width;
    uint32_t              height;
    char                  audio[8];
    uint32_t              rate;
    uint32_t              channels;
} lr_tracks_t;


/* what rendering needs, to be lent to one body at a time */

typedef struct {
    lr_ts_t              *ts;
    lr_buf_t              window;
} lr_engine_t;


typedef struct {

    /* the source: a text if text.data is set, else a fragment */

    lr_buf_t              text;
    const char           *dir;
    uint32_t              number;
    int64_t               base;

    /* set by lr_body_open() and lr_body_next() */

    uint64_t              size;       /* in all, if it was asked for */
    uint64_t              done;       /* given out so far */
    size_t                given;      /* by the last call */
    lr_tracks_t           tracks;     /* known at the end */

    lr_engine_t          *engine;     /* lent by the caller */
    lr_fragment_reader_t  reader;
    unsigned              opened:1;
    unsigned              ended:1;
} lr_body_t;


/*
 * Begins to read; with "size" set, the size is known afterwards, for which
 * the media is walked once more.  LR_ERROR with errno: ENOENT and ENODATA
 * say that there is no such fragment any more, or nothing in it.
 */
int lr_body_open(lr_body_t *b, unsigned size);

/*
 * Gives the next piece, good until the next call.  LR_DECLINED at the end,
 * LR_ERROR with errno.
 */
int lr_body_next(lr_body_t *b, u_char **p, size_t *n);

void lr_body_close(lr_body_t *b);

/* a zeroed engine is valid; its memory comes with its first use */
void lr_engine_free(lr_engine_t *e);


#endif /* _LR_BODY_H_INCLUDED_ */
