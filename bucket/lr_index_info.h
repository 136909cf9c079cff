
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What is kept about an index of a range of time: a JSON object in the
 * bucket, beside the manifests but not among them,
 *
 *     <prefix>/.index/<app>/<stream>/<time>_<id>.json
 *
 * with the time the range starts at, as in the names of manifests.  The id
 * is a UUID of version 8 (RFC 9562, 5.8), which holds start and length of
 * the range: with the id alone the object is found, and a listing tells
 * which indexes touch other times, and those of other domains.
 *
 *     ssssssss-llll-8lrr-vrrr-rrrrdddddddd
 *
 * s: start, in seconds since 1970; l: length in seconds, v: 8 to b, r:
 * random, d: FNV-1a of the domain in lower case.  docs/format.md describes
 * the members.
 */


#ifndef _LR_INDEX_INFO_H_INCLUDED_
#define _LR_INDEX_INFO_H_INCLUDED_


#include "lr_core.h"
#include "lr_name.h"
#include "lr_range.h"


#define LR_INDEX_PREFIX   LR_NAME_RESERVED "/.index"

#define LR_INDEX_VERSION  1
#define LR_INDEX_BYTES    65536
#define LR_INDEX_ID_LEN   36
#define LR_INDEX_RANDOM   5           /* bytes */


/* the strings are its own; times in unix ms, whole seconds, but "created" */

typedef struct {
    char            id[LR_INDEX_ID_LEN + 1];
    char           *domain;
    char           *app;
    char           *stream;
    char           *endpoint;         /* as it was asked for */
    char           *bucket;
    char           *key;
    char           *url;
    int64_t         start;
    int64_t         end;
    int64_t         created;
    int64_t         duration;         /* of the media, ms */
    uint32_t        width;
    uint32_t        height;
} lr_index_info_t;


/*
 * An id for a range of a domain, in LR_INDEX_ID_LEN + 1 bytes.  LR_ERROR: the
 * times are not whole seconds, not in 32 bits of them, or more than
 * LR_RANGE_MAX apart.
 */
int lr_index_id(char *id, int64_t start, int64_t end, const char *domain,
    const u_char random[LR_INDEX_RANDOM]);

/* the other way; LR_DECLINED: the n bytes are no such id */
int lr_index_id_parse(const char *p, size_t n, int64_t *start, int64_t *end);

/*
 * Appends the key of the object, and a zero byte that "len" does not count.
 * LR_ERROR: no memory, or a name or an id that cannot be.
 */
int lr_index_key(const char *app, const char *stream, const char *id,
    lr_buf_t *out);

/*
 * From a listing of those objects, "key\0version\0" ... of n bytes in order,
 * appends to "keys", as "key\0" ..., those of the domain whose ranges touch
 * "r": of these, from the last one on if "desc", "size" from number "from" on.
 * *total is how many there are in all.  LR_ERROR: no memory.
 */
int lr_index_page(const lr_range_t *r, const char *domain,
    const u_char *list, size_t n, unsigned desc, size_t from, size_t size,
    lr_buf_t *keys, size_t *total);

/* appends the object's JSON; LR_ERROR: no memory, or not valid UTF-8 */
int lr_index_info_write(const lr_index_info_t *info, lr_buf_t *out);

/*
 * Reads it from n bytes that nobody has to trust.  LR_DECLINED: it is not
 * such an object, or of a later version; LR_ERROR: no memory.  *info is to
 * be freed after LR_OK.
 */
int lr_index_info_read(lr_index_info_t *info, const u_char *p, size_t n);

/* what it holds, not the structure, which is empty again */
void lr_index_info_free(lr_index_info_t *info);


#endif /* _LR_INDEX_INFO_H_INCLUDED_ */
