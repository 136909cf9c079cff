
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What the bucket has of the recordings that are in the spool still: the
 * newest part of each one's manifest, with fragments of which no manifest
 * in the bucket may tell yet.  Read from the journals without a lock, while
 * a recorder and a shipper go on writing.
 */


#ifndef _LR_CONFIRMED_H_INCLUDED_
#define _LR_CONFIRMED_H_INCLUDED_


#include "lr_core.h"
#include "lr_manifest.h"


typedef struct {
    lr_manifest_t     *part;
    char              *bucket;        /* its name, as in template.json */
} lr_confirmed_part_t;


typedef struct {
    lr_confirmed_part_t  *parts;
    size_t                n;
} lr_confirmed_t;


/*
 * Reads the recordings of a stream in <spool>/<app>/<stream>/.  Those that
 * cannot be read, or are removed just then, are left out: they are in the
 * bucket, or the shipper tells of it.  Whoever reads the bucket afterwards
 * has seen all that was confirmed when this was called: older parts are in
 * the bucket before the newest is begun.
 *
 * A zeroed list need not be given.  It is to be freed in any case; may
 * block.  LR_ERROR: no memory.
 */
int lr_confirmed_read(lr_confirmed_t *list, const char *spool,
    const char *app, const char *stream);

void lr_confirmed_free(lr_confirmed_t *list);


#endif /* _LR_CONFIRMED_H_INCLUDED_ */
