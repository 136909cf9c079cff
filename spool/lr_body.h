
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The bytes of an object on their way to a bucket: a text in memory, or
 * something rendered piece by piece from fragments.  The same source always
 * gives the same bytes, so that a request can be tried again from the start.
 *
 * Opening and reading may block.  A body may be opened again after it was
 * closed; the memory for rendering is an engine's, which the caller lends.
 */


#ifndef _LR_BODY_H_INCLUDED_
#define _LR_BODY_H_INCLUDED_


#include "lr_core.h"
#include "lr_content.h"
#include "lr_file.h"
#include "lr_fragment.h"
#include "lr_ts.h"


/*
 * The length of all pieces but the last, unless another is asked for.  A file
 * that is written in such steps gets its memory in large parts.
 */

#define LR_BODY_PIECE  262144


typedef enum {
    LR_BODY_TEXT = 0,
    LR_BODY_TS,               /* a fragment */
    LR_BODY_FILE              /* an mp4 or flv file, or some of it */
} lr_body_kind_e;


/* what rendering needs, to be lent to one body at a time */

typedef struct {
    lr_ts_t              *ts;
    lr_file_t             file;
    lr_buf_t              window;
    lr_buf_t              out;
} lr_engine_t;


typedef struct {

    /* the source, freed by lr_body_free(); see lr_file.h */

    lr_body_kind_e        kind;
    lr_buf_t              text;
    const char           *dir;
    lr_file_fragment_t   *fragments;  /* of TS: the only one */
    size_t                n;
    size_t                from;
    size_t                to;
    int64_t               created;
    uint32_t              align;
    unsigned              format;     /* of FILE: LR_FORMAT_... */
    unsigned              head:1;

    /*
     * Set by the caller or NULL: called by lr_dir_body() with the length of
     * each piece before it is written, may block.
     */

    void                (*pace)(void *data, size_t n);
    void                 *pace_data;

    unsigned              direct:1;   /* for lr_dir_body(), see lr_direct.h */

    /* set by lr_body_open() and lr_body_next() */

    unsigned              opened:1;
    unsigned              ended:1;
    uint64_t              size;       /* in all, if it was asked for */
    uint64_t              done;       /* given out so far */
    size_t                given;      /* by the last call */
    size_t                first;      /* bytes of the first piece, 0: "piece" */
    size_t                piece;
    lr_buf_t             *out;
    lr_tracks_t           tracks;     /* of TS: known at the end */

    lr_engine_t          *engine;     /* lent by the caller */
    lr_fragment_reader_t  reader;
} lr_body_t;


/* takes over a source, and frees the one before */
void lr_body_take(lr_body_t *b, lr_body_t *source);

/* frees the source; the body must not be open */
void lr_body_free(lr_body_t *b);

/*
 * Begins to read; with "size" set, the size is known afterwards, for which
 * the media is walked once more.  LR_ERROR with errno: ENOENT and ENODATA
 * say that there is no such fragment any more, or nothing in it.
 */
int lr_body_open(lr_body_t *b, unsigned size);

/*
 * Between the open and the first piece of media: pieces of "size" bytes, but
 * for the last one, and for the first one, of "first" bytes if not 0; "size"
 * is a multiple of "align", which is a power of 2, and each piece begins in
 * memory at a multiple of it unless a sample was longer than half a piece.
 * LR_ERROR with errno: no memory.
 */
int lr_body_pieces(lr_body_t *b, size_t first, size_t size, size_t align);

/*
 * Gives the next piece, good until the next call.  LR_DECLINED at the end,
 * LR_ERROR with errno.
 */
int lr_body_next(lr_body_t *b, u_char **p, size_t *n);

void lr_body_close(lr_body_t *b);

/* a zeroed engine is valid; its memory comes with its first use */
void lr_engine_free(lr_engine_t *e);


#endif /* _LR_BODY_H_INCLUDED_ */
