
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Manifests: the objects that say what has been recorded.  The manifest of
 * a recording is a chain of parts, each a JSON object in the bucket, of
 * which only the newest is ever written again.  docs/format.md describes
 * the members.
 *
 * All times are in ms; "wall" and what begins and ends are unix times,
 * "media" is the time of the recording's own clock.
 */


#ifndef _LR_MANIFEST_H_INCLUDED_
#define _LR_MANIFEST_H_INCLUDED_


#include "lr_core.h"
#include "lr_m3u8.h"
#include "lr_name.h"


#define LR_MANIFEST_VERSION       1

/* as much as a part may hold */
#define LR_MANIFEST_FRAGMENTS     100
#define LR_MANIFEST_SPANS         1000
#define LR_MANIFEST_FILES         1000
#define LR_MANIFEST_BYTES         (4 * 1024 * 1024)

#define LR_MANIFEST_ID_LEN        64
#define LR_MANIFEST_PART_MAX      99999
#define LR_MANIFEST_COUNT_MAX     0x7fffffff      /* seq, cycle */
#define LR_MANIFEST_SIZE_MAX      0x1fffffffffffffLL  /* exact in JSON */
#define LR_MANIFEST_DURATION_MAX  LR_M3U8_DURATION_MAX

/* of a text that says what is wrong with a manifest, with its zero byte */
#define LR_MANIFEST_ERR           160


typedef enum {
    LR_MANIFEST_M3U8 = 0,
    LR_MANIFEST_MP4,
    LR_MANIFEST_FLV,
    LR_MANIFEST_FORMATS
} lr_manifest_format_e;


typedef struct {
    int64_t         wall;
    int64_t         media;
} lr_manifest_span_t;


/* codec: lower case, digits, "-" and "."; empty: there is no such track */

typedef struct {
    char            codec[16];
    uint32_t        width;
    uint32_t        height;
} lr_manifest_video_t;


typedef struct {
    char            codec[16];
    uint32_t        rate;
    uint32_t        channels;
} lr_manifest_audio_t;


typedef struct {
    int64_t              seq;
    char                *key;     /* NULL: there is no object (yet) */
    int64_t              wall;    /* of the first frame */
    int64_t              media;
    int64_t              duration;
    int64_t              bytes;
    int64_t              cycle;
    lr_manifest_video_t  video;
    lr_manifest_audio_t  audio;
    unsigned             discontinuity:1;
    unsigned             independent:1;
} lr_manifest_fragment_t;


typedef struct {
    int                  format;  /* lr_manifest_format_e */
    int64_t              cycle;
    char                *key;
    int64_t              start;
    int64_t              end;
    int64_t              duration;
    int64_t              bytes;
} lr_manifest_file_t;


/*
 * A part.  Everything it points to is its own and from malloc(): it is
 * filled by lr_manifest_create() and lr_manifest_add_*(), or by
 * lr_manifest_read().
 */

typedef struct {
    char                    *id;
    char                    *domain;
    char                    *app;
    char                    *stream;
    char                    *fragment_path;   /* NULL: not known */
    int64_t                  started;         /* of the recording */
    uint32_t                 part;
    unsigned                 closed:1;

    size_t                   nspans;
    size_t                   nfragments;
    size_t                   nfiles;
    lr_manifest_span_t      *spans;
    lr_manifest_fragment_t  *fragments;       /* by seq, which rises */
    lr_manifest_file_t      *files;
} lr_manifest_t;


/* what the name of a part says */

typedef struct {
    int64_t         time;         /* unix ms, whole seconds */
    uint32_t        part;
    char            id[LR_MANIFEST_ID_LEN + 1];
} lr_manifest_name_t;


/* what an index is made of; segs point into text */

typedef struct {
    lr_segment_t   *segs;
    size_t          n;
    lr_buf_t        text;
} lr_segments_t;


/* 1 if the n bytes may be the id of a recording: [0-9a-z-]{1,64} */
int lr_manifest_id_valid(const char *p, size_t n);

/*
 * Appends "<prefix>/<app>/<stream>/<yyyyMMddTHHmmssZ>_<id>_<part>.json" and
 * a zero byte that "len" does not count; "wall" is the unix ms of the first
 * fragment of the part, "prefix" NULL is LR_NAME_RESERVED.  The order of
 * keys is the order of time.  LR_ERROR: no memory, a name, id, part or time
 * out of range, or a prefix that cannot begin a key; "out" is as it was.
 */
int lr_manifest_key(const char *prefix, const char *app, const char *stream,
    int64_t wall, const char *id, unsigned part, lr_buf_t *out);

/* the same, up to and with the slash before the time: what to list by */
int lr_manifest_prefix(const char *prefix, const char *app,
    const char *stream, lr_buf_t *out);

/*
 * The same, up to and with the time: a listing that starts after it gives
 * every part that begins in that second or later.  A part that began before
 * may reach into that time: start earlier by as long as a part may be.
 */
int lr_manifest_start_after(const char *prefix, const char *app,
    const char *stream, int64_t wall, lr_buf_t *out);

/* reads the last segment of a key; LR_DECLINED: it is not a manifest's */
int lr_manifest_key_parse(const char *key, lr_manifest_name_t *name);

/*
 * An empty part, with copies of the strings; fragment_path may be NULL.
 * NULL: no memory.  To be freed by lr_manifest_free().
 */
lr_manifest_t *lr_manifest_create(const char *id, unsigned part,
    const char *domain, const char *app, const char *stream, int64_t started,
    const char *fragment_path);

/*
 * These copy what they are given, its key too.  A fragment goes to its
 * place by seq, and replaces one of the same seq.  LR_ERROR: no memory;
 * LR_DECLINED: the part is full.
 */
int lr_manifest_add_span(lr_manifest_t *m, int64_t wall, int64_t media);
int lr_manifest_add_fragment(lr_manifest_t *m,
    const lr_manifest_fragment_t *f);
int lr_manifest_add_file(lr_manifest_t *m, const lr_manifest_file_t *f);

/* NULL is allowed */
void lr_manifest_free(lr_manifest_t *m);

/*
 * The rules of the format, for what is written and for what is read.
 * LR_ERROR: "err", of "size" bytes, names the member that breaks one.
 */
int lr_manifest_check(const lr_manifest_t *m, char *err, size_t size);

/*
 * Appends the part as JSON, one span, fragment or file a line; the same
 * part always gives the same bytes.  LR_ERROR: no memory, or something that
 * lr_manifest_read() would not take back; "out" is as it was.
 */
int lr_manifest_write(const lr_manifest_t *m, lr_buf_t *out);

/*
 * Reads a part from n bytes that nobody has to trust.  Members that are not
 * known are skipped.  LR_DECLINED: written by a later version; LR_ERROR: no
 * memory, or not a manifest.  Both leave the reason in "err", of "size"
 * bytes, and *m NULL.
 */
int lr_manifest_read(const u_char *p, size_t n, lr_manifest_t **m, char *err,
    size_t size);

/* a name for LR_MANIFEST_M3U8 and so on: "m3u8" */
const char *lr_manifest_format_name(int format);

/*
 * A digest of the fragment's tracks: of which there are, their codecs, size,
 * rate and channels.  0: nothing is known of any.  Where it changes, a
 * playlist needs a discontinuity (RFC 8216 4.3.2.3).
 */
uint32_t lr_manifest_tracks(const lr_manifest_fragment_t *f);

/*
 * The segments of an index that is to lie at "index_key", from n parts of
 * any recordings in any order: by the recording's start, id and seq.
 * Fragments without a key are left out.  Of a fragment that comes twice,
 * the one of the earlier part in the array is taken: give the fresher
 * first.  A discontinuity stands where another recording begins, where a
 * fragment says so, where one is missing, and where the tracks are not those
 * of the one before; never at the first segment.
 *
 * URIs are relative to the index; with "base", which may be NULL, they are
 * that and the key, with its bytes escaped.
 *
 * *list need not be set; it is to be freed by lr_segments_free() after
 * LR_OK.  LR_ERROR: no memory, or a key that cannot be referred to.
 */
int lr_manifest_index(lr_manifest_t *const *m, size_t n,
    const char *index_key, const char *base, lr_segments_t *list);

void lr_segments_free(lr_segments_t *list);


#endif /* _LR_MANIFEST_H_INCLUDED_ */
