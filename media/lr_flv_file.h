
/*
 * Copyright (C) the ngx_live_record authors
 *
 * An FLV file made of fragments: a head with all that a player wants to
 * know at once, and the fragments' tags with timestamps from the file's
 * start.  As with lr_mp4.h, what is behind the head does not depend on it.
 */


#ifndef _LR_FLV_FILE_H_INCLUDED_
#define _LR_FLV_FILE_H_INCLUDED_


#include "lr_codec.h"
#include "lr_core.h"
#include "lr_flv.h"
#include "lr_sample.h"


/* keyframes in the table of a head; of more, every n-th is in it */
#define LR_FLV_KEYFRAMES  65536


typedef struct {
    unsigned            tracks;       /* LR_TRACK_... that the file holds */

    /* what is known of them; NULL if nothing */

    const lr_video_t   *video;
    const lr_audio_t   *audio;

    /* whole bodies of the sequence headers' tags; len 0 for none */

    const u_char       *vconf;
    size_t              vlen;
    const u_char       *aconf;
    size_t              alen;

    uint32_t            video_id;     /* for the metadata: codec id, FourCC */
    uint32_t            audio_id;

    int64_t             origin;       /* media time that becomes 0, ms */
    int64_t             created;      /* unix ms */

    /*
     * The head and as many bytes of media become a multiple of "align" long
     * by a filling in the metadata; 0 for any length.
     */

    uint64_t            lead;
    uint32_t            align;
} lr_flv_conf_t;


typedef struct lr_flv_head_s  lr_flv_head_t;


/* as of lr_mp4_head_create() and so on */
lr_flv_head_t *lr_flv_head_create(const lr_flv_conf_t *conf,
    const lr_table_t *table, uint64_t *size, uint64_t *media);
int lr_flv_head_next(lr_flv_head_t *h, lr_buf_t *out);
void lr_flv_head_destroy(lr_flv_head_t *h);


/* the earliest decoding time of a frame of these tracks; INT64_MAX: none */
int64_t lr_flv_origin(const lr_row_t *rows, uint32_t n, int64_t base,
    unsigned tracks);

/* bytes that a fragment's tags will take; sequence headers take none */
uint64_t lr_flv_media_size(const lr_row_t *rows, uint32_t n,
    unsigned tracks);

/* appends a sample's tag, or nothing for what is not in the file;
   LR_ERROR: no memory */
int lr_flv_media_sample(lr_buf_t *out, unsigned tracks, int64_t origin,
    const lr_sample_t *s);


#endif /* _LR_FLV_FILE_H_INCLUDED_ */
