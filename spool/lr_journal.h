
/*
 * Copyright (C) the ngx_live_record authors
 *
 * A journal: a file of JSON objects, one a line, that only grows.  It has
 * one writer, the holder of its lock, which the kernel gives back when a
 * process dies.  A last line without its end is no line.
 */


#ifndef _LR_JOURNAL_H_INCLUDED_
#define _LR_JOURNAL_H_INCLUDED_


#include <jansson.h>
#include "lr_core.h"


/* one line longer than this makes the journal unreadable */
#define LR_JOURNAL_LINE_MAX  65536


/*
 * Opens a journal for writing and takes its lock; creates it if create is
 * set.  Cuts off a half-written last line.  Returns the descriptor, or -1
 * with errno: EWOULDBLOCK when another holds the lock, ENOENT when there
 * is no such file (any more), ENODATA when it is no file or its last line
 * has no end.
 */
int lr_journal_open(const char *path, int create);

/*
 * Appends {"event": event, ...}; steals the reference to the object, which
 * may be NULL (no memory).  LR_ERROR with errno when it could not be
 * written whole, what was written of it is cut off again; EMSGSIZE when
 * the line would be too long to be read.
 */
int lr_journal_write(int fd, const char *event, json_t *object);

/*
 * Calls handler for every whole line from *offset on and moves *offset
 * behind it.  A handler that does not give LR_OK ends the reading, and
 * *offset stays before its line.  Gives LR_OK; LR_DECLINED with a reason
 * in err for a line that is not a JSON object with a string "event", or
 * that the handler refused, and for what is no file; LR_ERROR with errno
 * and a reason when the file cannot be read, or there is no memory, which a
 * handler tells by errno.
 */
typedef int (*lr_journal_pt)(void *data, const char *event, json_t *object);

int lr_journal_read(const char *path, uint64_t *offset,
    lr_journal_pt handler, void *data, char *err, size_t size);


#endif /* _LR_JOURNAL_H_INCLUDED_ */
