
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The boxes of an mp4 file's head (ISO/IEC 14496-12, -14, -15) but for the
 * sample tables, of tracks that have been measured.
 */


#ifndef _LR_MP4_BOXES_H_INCLUDED_
#define _LR_MP4_BOXES_H_INCLUDED_


#include "lr_mp4_tables.h"


typedef struct {
    const lr_mp4_conf_t  *conf;
    unsigned              n;
    lr_mp4_track_t        tracks[2];
} lr_mp4_movie_t;


/*
 * Appends ftyp and moov up to its first track; "tracks" is how many bytes
 * of tracks follow.
 */
void lr_mp4_top(lr_mp4_movie_t *m, uint64_t tracks, lr_buf_t *b);

/*
 * Appends track i up to its tables, which are the last in all boxes that
 * they are in; "tables" is how many bytes they take.
 */
void lr_mp4_track(lr_mp4_movie_t *m, unsigned i, uint64_t tables,
    lr_buf_t *b);

/* appends the lowest 1 to 8 bytes of v, big endian */
void lr_mp4_put(lr_buf_t *b, unsigned bytes, uint64_t v);


#endif /* _LR_MP4_BOXES_H_INCLUDED_ */
