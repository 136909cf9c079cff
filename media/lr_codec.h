
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What a sequence header says about a track, whatever its codec.
 */


#ifndef _LR_CODEC_H_INCLUDED_
#define _LR_CODEC_H_INCLUDED_


#include "lr_flv.h"


/* a program config element without its comment, in whole bytes */
#define LR_PCE_MAX  56


typedef struct {
    lr_codec_e      codec;            /* LR_CODEC_NONE: never configured */
    unsigned        length_size;      /* bytes before each NAL unit, 1..4 */
    unsigned        width;            /* after cropping; 0 if unknown */
    unsigned        height;
    unsigned        sar_num;          /* 1:1 if it does not say */
    unsigned        sar_den;
    unsigned        profile;
    unsigned        level;
    uint32_t        compat;           /* constraint or compatibility flags */

    /* VPS, SPS and PPS, each after 00 00 00 01, in the order of the record */
    lr_buf_t        params;

    const char     *why;
} lr_video_t;


typedef struct {
    lr_codec_e      codec;            /* LR_CODEC_NONE: never configured */
    unsigned        aot;              /* of the core: 2 for LC and HE-AAC */
    unsigned        rate;             /* of the core, Hz */
    unsigned        rate_index;       /* of the core, 0..12 */
    unsigned        out_rate;         /* with explicit SBR: what is heard */
    unsigned        channels;         /* of the core; 0 if unknown */
    unsigned        channel_config;
    unsigned        samples;          /* a frame's, at "rate" */

    /*
     * MPEG audio's version (1, 2; 3 is 2.5), layer and whole frame in
     * bytes (0 in free format)
     */
    unsigned        version;
    unsigned        layer;
    size_t          frame;

    /* ID_PCE and the element, ready to stand before a raw data block */
    unsigned        pce_len;
    u_char          pce[LR_PCE_MAX];

    unsigned        sbr:1;            /* signalled explicitly */
    unsigned        ps:1;

    const char     *why;
} lr_audio_t;


/*
 * Takes what follows the FLV header of a sequence header: avcC for
 * LR_CODEC_AVC, hvcC for LR_CODEC_HEVC.  A zeroed *v is empty and valid.
 * LR_ERROR: v->why says why, the rest of *v is as it was (without memory,
 * which v->params.failed tells, it is empty).  A record whose parameter
 * sets are whole but whose SPS is not understood is LR_OK with no width and
 * v->why set.
 */
int lr_video_config(lr_video_t *v, lr_codec_e codec, const u_char *p,
    size_t n);

/* frees what *v owns; *v is empty and valid again */
void lr_video_free(lr_video_t *v);

/*
 * Takes an AudioSpecificConfig for LR_CODEC_AAC; for LR_CODEC_MP3, which
 * has no sequence header, the start of any frame.  Owns nothing.
 * LR_ERROR: a->why says why, the rest of *a is as it was.
 */
int lr_audio_config(lr_audio_t *a, lr_codec_e codec, const u_char *p,
    size_t n);


#endif /* _LR_CODEC_H_INCLUDED_ */
