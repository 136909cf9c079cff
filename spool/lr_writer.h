
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What a recorder does to the disk, step by step.  Every call may block and
 * runs off the event loop, one at a time for a writer, in order.
 */


#ifndef _LR_WRITER_H_INCLUDED_
#define _LR_WRITER_H_INCLUDED_


#include <sys/uio.h>
#include "lr_core.h"
#include "lr_recording.h"


typedef struct {
    char            dir[LR_PATH_MAX];
    int             log;              /* record.log, locked */
    int             fd;               /* the open fragment, or -1 */
    uint64_t        offset;           /* its good bytes */
    lr_fragment_t   f;
    unsigned        opened:1;         /* journalled and not closed */
    unsigned        broken:1;         /* a write of it failed */
    unsigned        gap:1;            /* media is missing before the next one */
    unsigned        fsync:1;          /* when a fragment is closed */
} lr_writer_t;


/* takes over a claim's directory and descriptor */
void lr_writer_init(lr_writer_t *w, const lr_claim_t *claim, unsigned fsync);

/* journals the fragment and creates its file; LR_ERROR with errno */
int lr_writer_open(lr_writer_t *w, const lr_fragment_t *f);

/*
 * Appends bytes.  On LR_ERROR, with errno, none of this call's bytes are in
 * the file, and the fragment takes no more.
 */
int lr_writer_append(lr_writer_t *w, const struct iovec *iov, int n);

/*
 * Closes the fragment with the samples that were written whole: cuts the
 * rest off, writes the table and the journal.  duration is -1 where it is
 * to be measured from the rows.  *lost is the number of rows left out.
 * LR_ERROR with errno; the next open or unpublish tries again.
 */
int lr_writer_close(lr_writer_t *w, const lr_row_t *rows, uint32_t n,
    int64_t duration, uint32_t *lost);

/* ends the span; the lock is given back whether or not this succeeds */
int lr_writer_unpublish(lr_writer_t *w, int64_t time, const char *why);


#endif /* _LR_WRITER_H_INCLUDED_ */
