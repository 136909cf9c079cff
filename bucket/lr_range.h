
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What was recorded of a stream between two times, whatever recordings it
 * is in: the choice of manifests by their names, and of fragments by their
 * own wall time.
 *
 * A fragment holds the times from its first frame up to, but without, the
 * end of its last.  All times are in unix ms.
 */


#ifndef _LR_RANGE_H_INCLUDED_
#define _LR_RANGE_H_INCLUDED_


#include "lr_core.h"
#include "lr_manifest.h"
#include "lr_name.h"


/* the longest range, ms */
#define LR_RANGE_MAX  (4 * 86400000LL)

/*
 * What the second line of each index of a range begins with, before its id.
 * It tells those from playlists of anybody else, which are not to be
 * overwritten.
 */
#define LR_RANGE_MARK  "# an index of ngx_live_record, id "

/* bytes of a playlist that tell whose it is */
#define LR_RANGE_FIRST  128


typedef struct {
    int64_t         start;
    int64_t         end;
    unsigned        inside:1;     /* without the fragment that holds "end" */
} lr_range_t;


/* one recording, as far as it is in the range; the strings are a part's */

typedef struct {
    const char     *id;
    const char     *fragment_path;    /* NULL: not known */
    int64_t         start;
    int64_t         end;
} lr_range_recording_t;


/* of all segments of an index */

typedef struct {
    size_t          n;
    int64_t         duration;     /* ms */
    uint32_t        width;        /* of the first picture; 0: not known */
    uint32_t        height;
} lr_range_total_t;


/*
 * From a listing of manifests, "key\0version\0" ... of n bytes, appends to
 * "keys", in the same form, those of parts that may reach into the range: the
 * ones that begin in it, and of those that begin before the ones that no next
 * one tells the end of.  Those of a recording are in their order.  LR_ERROR:
 * no memory.
 */
int lr_range_select(const lr_range_t *r, const u_char *list, size_t n,
    lr_buf_t *keys);

/* takes out of a part all fragments that are not in the range or have no
   object; gives how many are left */
size_t lr_range_cut(const lr_range_t *r, lr_manifest_t *m);

/*
 * Appends a playlist of all fragments in n parts that were cut, with the id
 * of the index; the parts as of lr_manifest_index().  It is to lie at
 * "key"; with "base", the URL of the bucket the media is in and up to and with
 * a slash, URIs are absolute.  Of "total" all is set.  LR_ERROR: no memory, or
 * something that cannot be told; "out" is as it was.
 */
int lr_range_index(lr_manifest_t *const *m, size_t n, const char *id,
    const char *key, const char *base, const lr_zone_t *zone, lr_buf_t *out,
    lr_range_total_t *total);

/* 1 if the n bytes begin as such a playlist: that of the id, or any if it is
   NULL */
int lr_range_index_ours(const u_char *p, size_t n, const char *id);

/*
 * The recordings in n parts that were cut, by their start: an array to be
 * freed by the caller, as long as the parts are there.  LR_ERROR: no memory.
 */
int lr_range_recordings(lr_manifest_t *const *m, size_t n,
    lr_range_recording_t **list, size_t *count);

/*
 * 1 if an index may be put under this key: it can be a key, ends with
 * ".m3u8", and no segment begins with "." or is longer than 255 bytes, so
 * that manifests and objects that are being made are out of its reach.
 */
int lr_range_key_valid(const char *key);


#endif /* _LR_RANGE_H_INCLUDED_ */
