
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
 * With errno and a reason in err: LR_AGAIN, the body could not be read, or
 * LR_ERROR, it could not be written.
 */
int lr_dir_put(const char *root, const char *key, const char *tag,
    lr_body_t *body, unsigned keep, unsigned fsync, uint64_t *bytes,
    char *err, size_t size);

/*
 * Reads an object of at most max bytes, or of any one its beginning, "first"
 * bytes of it or some more, if that is not 0; LR_DECLINED: there is none.
 */
int lr_dir_get(const char *root, const char *key, size_t first, size_t max,
    lr_buf_t *out, char *err, size_t size);

/* removes an object; one that is not there is no error */
int lr_dir_delete(const char *root, const char *key, unsigned fsync,
    char *err, size_t size);

/*
 * The keys that begin with prefix, which ends with "/", and sort behind
 * "after", in order; only those directly in that directory.  Appends for
 * each "key\0version\0", where version changes with the object.
 */
int lr_dir_list(const char *root, const char *prefix, const char *after,
    lr_buf_t *out, char *err, size_t size);


/* what objects in one piece and those in parts have in common */

#define LR_DIR_PATH  4096


/* the path of a key, in LR_DIR_PATH bytes; LR_ERROR with ENAMETOOLONG */
int lr_dir_path(char *path, const char *root, const char *key);

/* makes the directories on the way to a path, below its first root bytes */
int lr_dir_make(char *path, size_t root, unsigned fsync);

/* an empty file instead of what was there; -1 with errno */
int lr_dir_create(char *path, size_t root, unsigned fsync);

/*
 * Writes all of a body that was opened, from where the file stands, but not
 * more than max bytes.  LR_ERROR with errno: it cannot be written;
 * LR_DECLINED with errno: it cannot be read, or is empty.
 */
int lr_dir_body(int fd, lr_body_t *body, uint64_t max);

/*
 * Gives a finished file its name as well; who calls removes the old one,
 * which may be gone.  With "keep", LR_DECLINED when something else has the
 * name.
 */
int lr_dir_name(const char *temp, char *path, unsigned keep,
    unsigned fsync);

/* makes the names in the directory of a path last */
int lr_dir_sync(char *path);


#endif /* _LR_DIR_H_INCLUDED_ */
