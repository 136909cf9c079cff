
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Objects in parts in a directory as a bucket.  The media comes first and
 * is appended to a working file; part 1, the head, comes last and is put in
 * front of it.  Then the working file gets the object's name, so that the
 * media is written once, where the file system can make room in a file or
 * share what two files have in common.
 *
 * A working file has a hidden name in its object's directory, which is its
 * upload's own, and shows what it is:
 *
 *   <upload>.part    media, from part 2 on
 *   <upload>.head    all the media, and room for the head or the head itself
 *   <upload>.copy    head and media on their way to the next ".head"
 *
 * Each call may be killed anywhere and be made again.  All may block.
 */


#ifndef _LR_DIR_PARTS_H_INCLUDED_
#define _LR_DIR_PARTS_H_INCLUDED_


#include "lr_body.h"
#include "lr_core.h"


typedef struct {

    /* set by the caller */

    const char          *root;
    const char          *key;
    const char          *upload;      /* as lr_dir_begin() has given it */
    unsigned             keep:1;      /* what is there and is not the same
                                         is left alone: LR_DECLINED */
    unsigned             fsync:1;     /* confirmed means on the disk */

    /* set if a call fails */

    int                  error;       /* errno of LR_ERROR */
    int                  local;       /* the same, if the body failed */
    char                *err;
    size_t               size;        /* of err */
} lr_dir_upload_t;


/*
 * The calls return LR_OK; LR_DECLINED: another object has the name;
 * LR_AGAIN: what is needed is gone, and has to be made from the beginning;
 * or LR_ERROR.  All but LR_OK give a reason in err.
 */

/*
 * An empty working file, instead of any that this upload had before.  The
 * upload's id, made of the tag and the key, is appended as a string whose
 * zero is not counted.  Part 1 should be a multiple of *align bytes; 0: it
 * does not matter.  With "keep" nothing is begun if there is an object.
 */
int lr_dir_begin(lr_dir_upload_t *u, const char *tag, lr_buf_t *id,
    uint32_t *align);

/*
 * Stores a part, whose body was opened with its size.  The offset counts
 * from the start of part 2; that of part 1 is how long all others are.
 * The parts from 2 on have to come in order; what is behind a part is cut
 * off.  Once part 1 has been begun, the others are taken as they are.
 */
int lr_dir_part(lr_dir_upload_t *u, uint32_t number, uint64_t offset,
    lr_body_t *body);

/*
 * Gives a working file of so many bytes its name.  One that has it already
 * is fine.  When LR_DECLINED, the working file stays.
 */
int lr_dir_complete(lr_dir_upload_t *u, uint64_t size);

/* removes what is left of an upload, if anything */
int lr_dir_abort(lr_dir_upload_t *u);

/*
 * Gives an object of so many bytes another key.  If it could not be removed
 * from under its old one, *left is set, and err says why.
 */
int lr_dir_move(lr_dir_upload_t *u, const char *to, uint64_t size,
    unsigned *left);


#endif /* _LR_DIR_PARTS_H_INCLUDED_ */
