
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Signatures in the headers of requests: to OSS in versions 1 and 4, to S3
 * in AWS's version 4.  Sources: "Include signatures in the Authorization
 * header" of the OSS documentation and the vectors of its Go and C SDKs;
 * "Authenticating Requests: Using the Authorization Header" of the Amazon
 * S3 API Reference and its examples.
 */


#ifndef _LR_SIGN_H_INCLUDED_
#define _LR_SIGN_H_INCLUDED_


#include <time.h>
#include "lr_core.h"
#include "lr_cred.h"
#include "lr_url.h"


#define LR_SIGN_MAX_HEADERS  5


typedef struct {
    const char               *name;       /* in any case */
    const char               *value;
} lr_header_t;


/*
 * A request to be signed.  Of the headers, those that the store wants
 * signed are picked (content-md5, content-type, x-oss-* or x-amz-*) and the
 * additional ones; so all of a request's may be given.  A name may stand
 * there only once, and the headers that signing itself makes may not.
 */

typedef struct {
    const char               *method;
    const char               *bucket;     /* NULL: of the service */
    const char               *key;        /* raw; NULL: the bucket */

    const lr_param_t         *query;
    size_t                    nquery;

    const lr_header_t        *headers;
    size_t                    nheaders;

    /* V4: names of further headers to be signed, lower case, sorted */
    const char *const        *additional;
    size_t                    nadditional;

    const lr_cred_t          *cred;
    const char               *region;     /* V4: "cn-hangzhou" */
    time_t                    time;       /* by the store's clock */

    /* S3: what lr_url_build() is given */
    const lr_url_endpoint_t  *endpoint;
    lr_url_style_e            style;

    /* S3: the body's SHA-256 in lower case hex; NULL: it is not signed */
    const char               *payload;
} lr_sign_t;


/*
 * The key of V4, which is good for a day and a region.  A zeroed one is
 * empty; it renews itself when the secret, the day, the region or the
 * dialect change.  One thread at a time.
 */

typedef struct {
    u_char                    tag[32];
    u_char                    key[32];
    unsigned                  valid:1;
} lr_sign_cache_t;


/* the headers to be added, each "Name: value"; a zeroed one is empty */

typedef struct {
    size_t                    n;
    char                     *line[LR_SIGN_MAX_HEADERS];
    lr_buf_t                  buf;        /* where they are */
} lr_signed_t;


/*
 * Each signs r into out, whatever was in out before.  LR_ERROR without
 * memory, if an additional header is not among the headers, or if the
 * library of digests fails.  cache may be NULL.
 */
int lr_sign_oss_v4(const lr_sign_t *r, lr_sign_cache_t *cache,
    lr_signed_t *out);
int lr_sign_oss_v1(const lr_sign_t *r, lr_signed_t *out);

/*
 * The same for S3.  The Host header is part of what is signed and is one
 * of the lines, so that what is sent cannot differ from it.
 */
int lr_sign_s3(const lr_sign_t *r, lr_sign_cache_t *cache, lr_signed_t *out);

/* both overwrite what they held; the structs are empty again */
void lr_sign_cache_clear(lr_sign_cache_t *cache);
void lr_signed_free(lr_signed_t *out);


#endif /* _LR_SIGN_H_INCLUDED_ */
