
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The bytes of an mp4 or flv file that is made of fragments, or of a part
 * of it: the head, which is drawn from the sample tables of all of them,
 * and the media of some.  The media of a fragment is the same whatever else
 * is in the file, so it can go to a bucket while the rest is still being
 * recorded; the head comes last, when the fragments whose media has gone
 * may not be there any more.  Only the first is: its sequence headers say
 * what is in the file.
 *
 * All calls may block.
 */


#ifndef _LR_FILE_H_INCLUDED_
#define _LR_FILE_H_INCLUDED_


#include "lr_content.h"
#include "lr_core.h"
#include "lr_flv_file.h"
#include "lr_fragment.h"
#include "lr_mp4.h"
#include "lr_settings.h"


/* a fragment in the spool, as its journal has it */

typedef struct {
    uint32_t              number;
    int64_t               base;
    uint64_t              bytes;      /* of the .flv file */
} lr_file_fragment_t;


typedef struct {

    /* the source; fragments[0] is the first of the file in any case */

    unsigned                   format;    /* LR_FORMAT_MP4 or _FLV */
    const char                *dir;
    const lr_file_fragment_t  *fragments;
    size_t                     n;
    size_t                     from;      /* media of [from, to) */
    size_t                     to;
    int64_t                    created;   /* unix ms */
    uint32_t                   align;     /* of the length, with a head */
    unsigned                   head:1;    /* behind the head of all n */

    /* set by lr_file_open() */

    uint64_t                   size;      /* of head and media */
    lr_content_t               content;   /* of the first fragment */

    unsigned                   tracks;    /* that are in the file */
    lr_table_t                 table;
    lr_row_t                  *rows;      /* the table's last answer */
    lr_mp4_conf_t              mp4;
    lr_mp4_head_t             *mp4_head;
    lr_mp4_media_t             media;
    lr_flv_conf_t              flv;
    lr_flv_head_t             *flv_head;
    lr_fragment_reader_t       reader;
    size_t                     next;      /* fragment to be opened */
    unsigned                   reading:1; /* one is open */
    unsigned                   heading:1; /* the head is being given out */
} lr_file_t;


/*
 * Begins to read; with the head, all tables are walked, and else those of
 * the fragments in question.  buf is memory for reading, lent until
 * lr_file_close().  LR_ERROR with errno: ENOENT, a file is gone; ENODATA,
 * there is nothing in it that the format can hold.
 */
int lr_file_open(lr_file_t *f, lr_buf_t *buf);

/*
 * Appends some more bytes to out, of a bounded length.  LR_DECLINED at the
 * end, LR_ERROR with errno.
 */
int lr_file_next(lr_file_t *f, lr_buf_t *out);

/* gives buf back; f may be opened again */
void lr_file_close(lr_file_t *f, lr_buf_t *buf);

/* frees what f keeps for the next file */
void lr_file_free(lr_file_t *f);


#endif /* _LR_FILE_H_INCLUDED_ */
