
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What is in a fragment of the spool: the tracks, how they are coded, and
 * what mp4 and flv can hold of it.  Fragments whose digests are equal can
 * share such a file.
 */


#ifndef _LR_CONTENT_H_INCLUDED_
#define _LR_CONTENT_H_INCLUDED_


#include "lr_codec.h"
#include "lr_core.h"
#include "lr_sample.h"


/* what is in a fragment, for a manifest; a codec is "" where there is none */

typedef struct {
    char            video[8];
    uint32_t        width;
    uint32_t        height;
    char            audio[8];
    uint32_t        rate;
    uint32_t        channels;
} lr_tracks_t;


/* an index of video and audio, as of the arrays below */

#define LR_CONTENT_VIDEO  0
#define LR_CONTENT_AUDIO  1


typedef struct {
    unsigned        tracks;           /* LR_TRACK_... that have frames */
    lr_codec_e      codec[2];         /* LR_CODEC_NONE: no such track */
    uint32_t        id[2];            /* codec id or FourCC */

    /*
     * The whole body of the tag of the sequence header; empty: none.  It is
     * the first one that has frames behind it, or the last if none has.
     */

    lr_buf_t        conf[2];

    lr_video_t      video;            /* codec LR_CODEC_NONE: there is none, */
    lr_audio_t      audio;            /* or it was not understood; of MP3,
                                         from the first frame */

    /*
     * Of codec and sequence header; of MP3, what does not change from frame
     * to frame.  A track with a sequence header and without frames has one.
     */

    uint64_t        digest[2];        /* 0: no such track */

    uint64_t        mp4;              /* bytes its media takes in an mp4 */
    uint64_t        flv;              /* and in an flv file */
    int64_t         origin;           /* of lr_flv_origin(), ms */
} lr_content_t;


/*
 * Looks at a closed fragment's rows and at the few tags that tell; base is
 * what its times count from, in ms of the recording.  What c held before is
 * not freed.  LR_ERROR with errno: as lr_fragment_open(); ENODATA: there is
 * not a frame in it.  c needs no lr_content_free() then.
 */
int lr_content_read(lr_content_t *c, const char *dir, uint32_t number,
    int64_t base);

/* for a manifest: the tracks that have frames and were understood */
void lr_content_tracks(const lr_content_t *c, lr_tracks_t *t);

/*
 * The tracks that an mp4 or flv file can hold, with frames in this fragment
 * or without: LR_TRACK_...  Of mp4: AVC and HEVC with a sequence header that
 * was understood, AAC with one, MP3.
 */
unsigned lr_content_mp4(const lr_content_t *c);
unsigned lr_content_flv(const lr_content_t *c);

/* *c is zeroed */
void lr_content_free(lr_content_t *c);


#endif /* _LR_CONTENT_H_INCLUDED_ */
