
/*
 * Copyright (C) the ngx_live_record authors
 */


#include "lr_aac.h"
#include "lr_avc.h"
#include "lr_codec.h"
#include "lr_hevc.h"
#include "lr_mp3.h"


int
lr_video_config(lr_video_t *v, lr_codec_e codec, const u_char *p, size_t n)
{
    switch (codec) {

    case LR_CODEC_AVC:
        return lr_avc_config(v, p, n);

    case LR_CODEC_HEVC:
        return lr_hevc_config(v, p, n);

    default:
        v->why = "unsupported video codec";
        return LR_ERROR;
    }
}


void
lr_video_free(lr_video_t *v)
{
    lr_buf_free(&v->params);
    memset(v, 0, sizeof(lr_video_t));
}


int
lr_audio_config(lr_audio_t *a, lr_codec_e codec, const u_char *p, size_t n)
{
    switch (codec) {

    case LR_CODEC_AAC:
        return lr_aac_config(a, p, n);

    case LR_CODEC_MP3:
        return lr_mp3_config(a, p, n);

    default:
        a->why = "unsupported audio codec";
        return LR_ERROR;
    }
}
