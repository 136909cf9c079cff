
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The bodies of RTMP audio and video messages, which are the bodies of FLV
 * tags (Adobe FLV 10.1 E.4.2, E.4.3; Enhanced RTMP v2), and FLV framing.
 */


#ifndef _LR_FLV_H_INCLUDED_
#define _LR_FLV_H_INCLUDED_


#include "lr_core.h"


#define LR_FLV_AUDIO        8
#define LR_FLV_VIDEO        9
#define LR_FLV_SCRIPT       18

#define LR_FLV_TAG_HEADER   11
#define LR_FLV_TAG_TRAILER  4

/* "FLV" header and the first previous tag size */
#define LR_FLV_FILE_HEADER  13

/* as much of a body's start as lr_flv_parse() ever looks at */
#define LR_FLV_PEEK         8


typedef enum {
    LR_CODEC_NONE = 0,
    LR_CODEC_AVC,
    LR_CODEC_HEVC,
    LR_CODEC_AAC,
    LR_CODEC_MP3,
    LR_CODEC_OTHER
} lr_codec_e;


typedef enum {
    LR_FLV_FRAME = 0,         /* a coded frame */
    LR_FLV_CONFIG,            /* a sequence header: codec configuration */
    LR_FLV_END,               /* end of sequence, nothing to decode */
    LR_FLV_EXTRA,             /* media of more tracks than one of a kind, or
                                 with an extension */
    LR_FLV_IGNORE             /* video info frame, metadata, empty */
} lr_flv_kind_e;


typedef struct {
    uint8_t         codec;    /* lr_codec_e */
    uint8_t         kind;     /* lr_flv_kind_e */
    uint8_t         key;      /* a random access point; audio is always 1 */
    uint8_t         header;   /* bytes before the payload */
    int32_t         cts;      /* composition offset, ms */
    uint32_t        id;       /* codec id or FourCC, for messages to people */
} lr_flv_body_t;


/*
 * Understands the start of a tag's body.  p holds the first min(size,
 * LR_FLV_PEEK) bytes of a body of "size" bytes.  Never fails: what is
 * unknown is LR_CODEC_OTHER, what is too short is LR_FLV_IGNORE.
 */
void lr_flv_parse(unsigned type, const u_char *p, size_t size,
    lr_flv_body_t *b);

/* writes the 13 bytes that begin an FLV file; returns p + 13 */
u_char *lr_flv_file_header(u_char *p, unsigned audio, unsigned video);

/* writes the 11 bytes before a body; ts in ms as SI32; returns p + 11 */
u_char *lr_flv_tag_header(u_char *p, unsigned type, size_t size, int32_t ts);

/* a name for logs, e.g. "H.264"; for LR_CODEC_OTHER drawn from b->id into
   the caller's buffer of at least 32 bytes */
const char *lr_codec_name(const lr_flv_body_t *b, unsigned type, char *buf);


#endif /* _LR_FLV_H_INCLUDED_ */
