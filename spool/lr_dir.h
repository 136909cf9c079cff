
/*
 * Copyright (C) the ngx_live_record authors
 *
 * A directory as a bucket: keys are paths below its root.  Objects appear
 * whole, under their names, or not at all.  All calls may block.
 */


#ifndef _LR_DIR_H_INCLUDED_
#define _LR_DIR_H_INCLUDED_


#include "lr_body.h"
#include "lr_core.h"


/*
 * Stores a body that was opened.  tag makes the temporary name the storing
 * recording's own.  With "keep", an object that is there already and is not
 * the same is left alone: LR_DECLINED.  *bytes is the object's size.
 * LR_ERROR with errno and a reason in err.
 */
int lr_dir_put(const char *root, const char *key, const char *tag,
    lr_body_t *body, unsigned keep, unsigned fsync, uint64_t *bytes,
    char *err, size_t size);

/* reads an object of at most max bytes; LR_DECLINED: there is none */
int lr_dir_get(const char *root, const char *key, size_t max, lr_buf_t *out,
    char *err, size_t size);

/*
 * The keys that begin with prefix, which ends with "/", and sort behind
 * "after", in order; only those directly in that directory.  Appends for
 * each "key\0version\0", where version changes with the object.
 */
int lr_dir_list(const char *root, const char *prefix, const char *after,
    lr_buf_t *out, char *err, size_t size);


#endif /* _LR_DIR_H_INCLUDED_ */
