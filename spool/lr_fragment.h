
/*
 * Copyright (C) the ngx_live_record authors
 *
 * A fragment in the spool: NNNNNN.flv, a valid FLV file, and a sample
 * table.  The FLV file is the truth; the table is written when the fragment
 * is closed and can be made again from the file.
 *
 * The tables of LR_FRAGMENT_TABLES neighbours are in one file, which bears
 * the number of the first, NNNNNN.idx, one behind the other as they were
 * written: file systems do not take it kindly to have many small files made
 * and removed.
 *
 * A tag's timestamp is SI32 and counts from the fragment's base, which the
 * journal holds; so does a row's dts.
 */


#ifndef _LR_FRAGMENT_H_INCLUDED_
#define _LR_FRAGMENT_H_INCLUDED_


#include "lr_core.h"
#include "lr_sample.h"


#define LR_FRAGMENT_TABLES  64


typedef struct {
    uint32_t            number;       /* of the file, from 1 */
    uint32_t            cycle;        /* from 0 */
    uint32_t            rows;
    int64_t             base;         /* what rows count from */
    int64_t             media;        /* of the first frame */
    int64_t             wall;         /* of the first frame */
    int64_t             duration;
    uint64_t            bytes;
    unsigned            discontinuity:1;
    unsigned            independent:1;
} lr_fragment_t;


typedef struct {
    int             fd;
    uint32_t        next;             /* row */
    uint32_t        nrows;
    lr_row_t       *rows;
    int64_t         base;
    lr_buf_t        buf;              /* a window of the file */
    uint64_t        start;            /* the window's offset */
    uint64_t        size;             /* of the file */
} lr_fragment_reader_t;


/* "<dir>/<number>.<ext>"; LR_ERROR when it does not fit */
int lr_fragment_path(char *path, size_t size, const char *dir,
    uint32_t number, const char *ext);

/*
 * Creates the FLV file with its header, of the spare one if there is one;
 * descriptor or -1 with errno.
 */
int lr_fragment_create(const char *dir, uint32_t number);

/* writes the sample table; LR_ERROR with errno, and there is none then */
int lr_fragment_write_rows(const char *dir, uint32_t number,
    const lr_row_t *rows, size_t n);

/*
 * Reads the sample table into *rows, to be freed by the caller.  Where it
 * is missing, or does not fit its file, makes it from the FLV file.
 * LR_ERROR with errno (ENODATA: there is no whole tag).
 */
int lr_fragment_read_rows(const char *dir, uint32_t number, lr_row_t **rows,
    uint32_t *n);

/*
 * The same, from the table alone, of a fragment of which the journal says
 * that its file has or had so many bytes.
 */
int lr_fragment_saved_rows(const char *dir, uint32_t number, uint64_t bytes,
    lr_row_t **rows, uint32_t *n);

/*
 * Walks an FLV file: *rows (to be freed), their number and the number of
 * good bytes, up to the end of the last whole tag.
 */
int lr_fragment_scan(int fd, lr_row_t **rows, uint32_t *n, uint64_t *good);

/*
 * Makes a fragment whole whose writer died: cuts off a torn tag, writes the
 * table if there is room for it.  Fills in what a close needs: bytes, rows.
 * LR_DECLINED when nothing of it is usable and its files have been removed.
 */
int lr_fragment_repair(const char *dir, uint32_t number, lr_row_t **rows,
    uint32_t *n, uint64_t *bytes);

/*
 * Fills in f's duration and independence from its rows, where the recorder
 * could not tell: from f->media to the end of the last frame, whose length
 * is estimated.
 */
void lr_fragment_measure(lr_fragment_t *f, const lr_row_t *rows, uint32_t n);

/* has the file of its table written to the disk; LR_ERROR with errno */
int lr_fragment_sync_table(const char *dir, uint32_t number);

/* removes the FLV file; what is missing is no error */
void lr_fragment_remove(const char *dir, uint32_t number);

/* the same, but where that pays its file is kept for a fragment to come */
void lr_fragment_spare(const char *dir, uint32_t number);

/* removes the tables from that of number "from" on, as far as they hold
   only numbers below "to" */
void lr_fragment_remove_tables(const char *dir, uint32_t from, uint32_t to);

/*
 * Reads a closed fragment's samples in the order of the log.  The rows
 * belong to the reader, which may be used again after it was closed.
 * lr_fragment_next() gives LR_OK, LR_DECLINED after the last sample,
 * LR_ERROR with errno; the sample's bytes are good until the next call.
 */
int lr_fragment_open(lr_fragment_reader_t *r, const char *dir,
    uint32_t number, int64_t base);
int lr_fragment_next(lr_fragment_reader_t *r, lr_sample_t *s);
void lr_fragment_rewind(lr_fragment_reader_t *r);
void lr_fragment_close(lr_fragment_reader_t *r);


#endif /* _LR_FRAGMENT_H_INCLUDED_ */
