
/*
 * Copyright (C) the ngx_live_record authors
 */


#include "lr_mp3.h"


int
lr_mp3_config(lr_audio_t *a, const u_char *p, size_t n)
{
    static const uint16_t  rates[3] = { 44100, 48000, 32000 };

    /* kbit/s by layer: version 1, then versions 2 and 2.5 */

    static const uint16_t  bits[2][3][15] = {
        { { 0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384,
            416, 448 },
          { 0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320,
            384 },
          { 0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256,
            320 } },
        { { 0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224,
            256 },
          { 0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160 },
          { 0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160 } }
    };
    size_t    frame;
    unsigned  version, layer, rate, samples, pad, br;

    if (n < LR_MP3_HEADER) {
        a->why = "MPEG audio frame is too short";
        return LR_ERROR;
    }

    if (p[0] != 0xff || (p[1] & 0xe0) != 0xe0) {
        a->why = "no MPEG audio frame";
        return LR_ERROR;
    }

    version = (p[1] >> 3) & 3;
    layer = 4 - ((p[1] >> 1) & 3);

    if (version == 1 || layer == 4 || (p[2] >> 4) == 15
        || ((p[2] >> 2) & 3) == 3)
    {
        a->why = "reserved value in an MPEG audio frame";
        return LR_ERROR;
    }

    version = version == 3 ? 1 : version == 2 ? 2 : 3;
    rate = rates[(p[2] >> 2) & 3] >> (version - 1);
    samples = layer == 1 ? 384 : layer == 3 && version != 1 ? 576 : 1152;
    br = bits[version != 1][layer - 1][p[2] >> 4];
    pad = (p[2] >> 1) & 1;

    /* layer I counts in slots of four bytes */

    frame = layer == 1 ? (12 * br * 1000 / rate + pad) * 4
                       : samples / 8 * br * 1000 / rate + pad;

    memset(a, 0, sizeof(lr_audio_t));

    a->codec = LR_CODEC_MP3;
    a->version = version;
    a->layer = layer;
    a->rate = rate;
    a->out_rate = rate;
    a->samples = samples;
    a->channels = (p[3] >> 6) == 3 ? 1 : 2;
    a->frame = br ? frame : 0;

    return LR_OK;
}
