
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What S3 gives as the ETag of an object: the MD5 of one that was put at
 * once; of one made of parts, the MD5 of the parts' MD5s, "-" and how many
 * they were.  Of objects encrypted with keys of KMS or of the customer, and
 * in some stores, it is neither.
 * Source: "Checking object integrity" of the Amazon S3 User Guide.
 */


#ifndef _LR_ETAG_H_INCLUDED_
#define _LR_ETAG_H_INCLUDED_


#include "lr_core.h"


#define LR_ETAG_SUM  16


/* an MD5 on its way; a zeroed one is empty and valid */

typedef struct {
    void       *ctx;
} lr_md5_t;


/*
 * LR_ERROR without memory, and where the library is not allowed to do MD5.
 * lr_md5_begin() begins anew whatever was there, lr_md5_end() leaves m
 * empty.
 */
int lr_md5_begin(lr_md5_t *m);
int lr_md5_update(lr_md5_t *m, const void *p, size_t n);
int lr_md5_end(lr_md5_t *m, u_char *sum);
void lr_md5_free(lr_md5_t *m);

/* the sum of n parts from theirs, each of LR_ETAG_SUM bytes */
int lr_etag_parts(u_char *sum, const u_char *sums, size_t n);

/*
 * Reads an ETag that is an MD5, with or without quotes, in either case.
 * LR_DECLINED if it is another thing.
 */
int lr_etag_sum(u_char *sum, const char *p, size_t n);

/*
 * Compares an ETag with ours.  encryption is what the answer says in
 * x-amz-server-side-encryption, or in the customer's header, or NULL.
 * LR_OK: the same.  LR_ERROR: another.  LR_DECLINED: the ETag is not of a
 * kind that tells.
 */
int lr_etag_compare(const char *p, size_t n, const u_char *sum,
    unsigned parts, const char *encryption);


#endif /* _LR_ETAG_H_INCLUDED_ */
