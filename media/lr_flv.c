
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdio.h>
#include "lr_flv.h"


#define LR_FOURCC(a, b, c, d)                                                 \
    ((uint32_t) (a) << 24 | (uint32_t) (b) << 16 | (uint32_t) (c) << 8 | (d))


static void lr_flv_parse_video(const u_char *p, size_t size,
    lr_flv_body_t *b);
static void lr_flv_parse_ex_video(const u_char *p, size_t size,
    lr_flv_body_t *b);
static void lr_flv_parse_ex_audio(const u_char *p, size_t size,
    lr_flv_body_t *b);
static int32_t lr_flv_cts(const u_char *p);


void
lr_flv_parse(unsigned type, const u_char *p, size_t size, lr_flv_body_t *b)
{
    b->codec = LR_CODEC_NONE;
    b->kind = LR_FLV_IGNORE;
    b->key = 0;
    b->header = 0;
    b->cts = 0;
    b->id = 0;

    if (size == 0) {
        return;
    }

    if (type == LR_FLV_VIDEO) {
        lr_flv_parse_video(p, size, b);
        return;
    }

    b->key = 1;
    b->id = p[0] >> 4;
    b->header = 1;

    switch (b->id) {

    case 10:
        b->codec = LR_CODEC_AAC;
        b->header = 2;

        if (size > 2) {
            b->kind = p[1] == 0 ? LR_FLV_CONFIG : LR_FLV_FRAME;
        }

        break;

    case 2:
    case 14:
        b->codec = LR_CODEC_MP3;

        if (size > 1) {
            b->kind = LR_FLV_FRAME;
        }

        break;

    case 9:
        lr_flv_parse_ex_audio(p, size, b);
        break;

    default:
        b->codec = LR_CODEC_OTHER;

        if (size > 1) {
            b->kind = LR_FLV_FRAME;
        }
    }
}


static void
lr_flv_parse_video(const u_char *p, size_t size, lr_flv_body_t *b)
{
    unsigned  frame;

    if (p[0] & 0x80) {
        lr_flv_parse_ex_video(p, size, b);
        return;
    }

    frame = p[0] >> 4;
    b->id = p[0] & 0x0f;
    b->key = frame == 1 || frame == 4;
    b->header = 1;

    switch (b->id) {

    case 7:
        b->codec = LR_CODEC_AVC;
        break;

    case 12:
        b->codec = LR_CODEC_HEVC;
        break;

    default:
        b->codec = LR_CODEC_OTHER;

        if (frame != 5 && size > 1) {
            b->kind = LR_FLV_FRAME;
        }

        return;
    }

    b->header = 5;

    /* a video info frame is a command to a player, whatever its codec */

    if (frame == 5 || size < 5) {
        return;
    }

    switch (p[1]) {

    case 0:
        b->kind = size > 5 ? LR_FLV_CONFIG : LR_FLV_IGNORE;
        b->key = 0;
        break;

    case 1:
        b->kind = size > 5 ? LR_FLV_FRAME : LR_FLV_IGNORE;
        b->cts = lr_flv_cts(p + 2);
        break;

    case 2:
        b->kind = LR_FLV_END;
        b->key = 0;
        break;
    }
}


static void
lr_flv_parse_ex_video(const u_char *p, size_t size, lr_flv_body_t *b)
{
    unsigned  frame;

    frame = (p[0] >> 4) & 7;
    b->codec = LR_CODEC_OTHER;

    if (size < 5) {
        return;
    }

    b->id = lr_get_be32(p + 1);
    b->header = 5;

    if (b->id == LR_FOURCC('h', 'v', 'c', '1')) {
        b->codec = LR_CODEC_HEVC;

    } else if (b->id == LR_FOURCC('a', 'v', 'c', '1')) {
        b->codec = LR_CODEC_AVC;
    }

    if (frame == 5) {
        return;
    }

    switch (p[0] & 0x0f) {

    case 0:                                   /* SequenceStart */
        b->kind = size > 5 ? LR_FLV_CONFIG : LR_FLV_IGNORE;
        break;

    case 1:                                   /* CodedFrames */
        b->key = frame == 1 || frame == 4;

        if (b->codec == LR_CODEC_OTHER) {
            b->kind = size > 5 ? LR_FLV_FRAME : LR_FLV_IGNORE;

        } else if (size > 8) {
            b->kind = LR_FLV_FRAME;
            b->cts = lr_flv_cts(p + 5);
            b->header = 8;
        }

        break;

    case 2:                                   /* SequenceEnd */
        b->kind = LR_FLV_END;
        break;

    case 3:                                   /* CodedFramesX: no cts */
        b->key = frame == 1 || frame == 4;
        b->kind = size > 5 ? LR_FLV_FRAME : LR_FLV_IGNORE;
        break;

    case 6:                                   /* Multitrack */
    case 7:                                   /* ModEx */
        b->kind = LR_FLV_EXTRA;
        break;
    }
}


static void
lr_flv_parse_ex_audio(const u_char *p, size_t size, lr_flv_body_t *b)
{
    b->codec = LR_CODEC_OTHER;

    if (size < 5) {
        return;
    }

    b->id = lr_get_be32(p + 1);
    b->header = 5;

    if (b->id == LR_FOURCC('m', 'p', '4', 'a')) {
        b->codec = LR_CODEC_AAC;

    } else if (b->id == LR_FOURCC('.', 'm', 'p', '3')) {
        b->codec = LR_CODEC_MP3;
    }

    /*
     * The rest is left out: a MultichannelConfig says what the sequence
     * header does, a Multitrack message is of further tracks, behind the
     * one that comes without it.
     */

    switch (p[0] & 0x0f) {

    case 0:                                   /* SequenceStart */

        /* MP3 has none, and a frame is all that tells of it */

        if (b->codec != LR_CODEC_MP3 && size > 5) {
            b->kind = LR_FLV_CONFIG;
        }

        break;

    case 1:                                   /* CodedFrames */
        b->kind = size > 5 ? LR_FLV_FRAME : LR_FLV_IGNORE;
        break;

    case 2:                                   /* SequenceEnd */
        b->kind = LR_FLV_END;
        break;

    case 5:                                   /* Multitrack */
    case 7:                                   /* ModEx */
        b->kind = LR_FLV_EXTRA;
        break;
    }
}


static int32_t
lr_flv_cts(const u_char *p)
{
    uint32_t  v;

    /* SI24 */

    v = lr_get_be24(p);

    return v & 0x800000 ? (int32_t) v - 0x1000000 : (int32_t) v;
}


u_char *
lr_flv_file_header(u_char *p, unsigned audio, unsigned video)
{
    memcpy(p, "FLV\x01", 4);
    p[4] = (u_char) ((audio ? 4 : 0) | (video ? 1 : 0));
    p = lr_put_be32(p + 5, 9);

    return lr_put_be32(p, 0);
}


u_char *
lr_flv_tag_header(u_char *p, unsigned type, size_t size, int32_t ts)
{
    *p++ = (u_char) type;
    p = lr_put_be24(p, (uint32_t) size);
    p = lr_put_be24(p, (uint32_t) ts);
    *p++ = (u_char) ((uint32_t) ts >> 24);

    return lr_put_be24(p, 0);
}


const char *
lr_codec_name(const lr_flv_body_t *b, unsigned type, char *buf)
{
    static const char  *audio[] = {
        "linear PCM", "ADPCM", "MP3", "linear PCM", "Nellymoser 16 kHz",
        "Nellymoser 8 kHz", "Nellymoser", "G.711 A-law", "G.711 mu-law",
        "Enhanced RTMP audio", "AAC", "Speex", "unknown 12", "unknown 13",
        "MP3 8 kHz", "device-specific sound"
    };
    static const char  *video[] = {
        "unknown 0", "unknown 1", "Sorenson H.263", "screen video", "VP6",
        "VP6 with alpha", "screen video 2", "H.264", "H.263", "MPEG-4",
        "unknown 10", "unknown 11", "HEVC", "AV1", "VVC", "unknown 15"
    };
    unsigned  i, c;

    switch (b->codec) {

    case LR_CODEC_AVC:
        return "H.264";

    case LR_CODEC_HEVC:
        return "HEVC";

    case LR_CODEC_AAC:
        return "AAC";

    case LR_CODEC_MP3:
        return "MP3";
    }

    if (b->id < 16) {
        return type == LR_FLV_VIDEO ? video[b->id] : audio[b->id];
    }

    /* a FourCC comes from the publisher: printable bytes only */

    for (i = 0; i < 4; i++) {
        c = (b->id >> (24 - 8 * i)) & 0xff;
        buf[i] = (char) (c > 0x20 && c < 0x7f ? c : '?');
    }

    buf[4] = '\0';

    return buf;
}
