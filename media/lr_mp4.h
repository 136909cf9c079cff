
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Progressive mp4 with its tables in front (ISO/IEC 14496-12, -14, -15),
 * made of fragments.  What is behind the head is the payload of the
 * fragments' messages, fragment by fragment, and does not depend on what
 * else is in the file: it can be sent long before the head is known.  The
 * head is drawn from the sample tables alone.
 *
 * In a fragment, a chunk of video and a chunk of audio take turns: about a
 * second of the log each, the messages of a track in their order.
 */


#ifndef _LR_MP4_H_INCLUDED_
#define _LR_MP4_H_INCLUDED_


#include "lr_codec.h"
#include "lr_core.h"
#include "lr_sample.h"


typedef struct {
    const lr_video_t   *video;        /* NULL: there is no such track */
    const u_char       *vconf;        /* avcC's or hvcC's content */
    size_t              vlen;

    const lr_audio_t   *audio;        /* NULL: there is no such track */
    const u_char       *aconf;        /* AudioSpecificConfig, of AAC */
    size_t              alen;

    int64_t             created;      /* unix ms */

    /*
     * The head and as many bytes of media become a multiple of "align" long
     * by a free box; 0 for any length.
     */

    uint64_t            lead;
    uint32_t            align;
} lr_mp4_conf_t;


typedef struct lr_mp4_head_s  lr_mp4_head_t;


/*
 * The tracks that the file may hold: LR_TRACK_...; not those of a codec that
 * mp4 has no entry for, nor without the configuration that it needs.  Of
 * these a track without a frame is not in the head.
 */
unsigned lr_mp4_tracks(const lr_mp4_conf_t *conf);

/*
 * Measures a head; *size is its length in bytes, and *media that of all
 * that is behind it.  NULL with errno: a row could not be read, or there
 * is no memory; ENODATA: there is not a frame in it; EFBIG: a sample, a
 * table or the filling does not fit into 32 bits.  conf, and what it and the
 * table point to, have to stay until the end.
 */
lr_mp4_head_t *lr_mp4_head_create(const lr_mp4_conf_t *conf,
    const lr_table_t *table, uint64_t *size, uint64_t *media);

/*
 * Appends the next piece of the head, of a bounded length: about what the
 * rows of a fragment take.  LR_DECLINED when there is no more, LR_ERROR with
 * errno (EIO: the rows are not what they were).
 */
int lr_mp4_head_next(lr_mp4_head_t *h, lr_buf_t *out);

/* NULL is allowed */
void lr_mp4_head_destroy(lr_mp4_head_t *h);


/* a chunk of video and the chunk of audio behind it, while rows are added */

typedef struct {
    int64_t             start;        /* dts of the first row, ms */
    size_t              audio;        /* bytes */
    unsigned            began:1;
    unsigned            picture:1;    /* there is one */
    unsigned            next:1;       /* the last of video waits for one */
} lr_mp4_pair_t;


/* the media of one fragment, sample by sample in the order of the log */

typedef struct {
    unsigned            tracks;       /* LR_TRACK_... that are taken */
    lr_buf_t           *out;
    lr_buf_t            audio;        /* of the pair under way */
    lr_mp4_pair_t       pair;
} lr_mp4_media_t;


/* bytes that a fragment's media will take */
uint64_t lr_mp4_media_size(const lr_row_t *rows, uint32_t n,
    unsigned tracks);

/*
 * Begins a fragment; a zeroed m is valid, its memory is kept for the next
 * one until lr_mp4_media_free().  Bytes are appended to out, which the
 * caller may empty between calls.  LR_ERROR: no memory.
 */
void lr_mp4_media_begin(lr_mp4_media_t *m, unsigned tracks, lr_buf_t *out);
int lr_mp4_media_sample(lr_mp4_media_t *m, const lr_sample_t *s);
int lr_mp4_media_end(lr_mp4_media_t *m);
void lr_mp4_media_free(lr_mp4_media_t *m);


#endif /* _LR_MP4_H_INCLUDED_ */
