
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Any bytes as a codec configuration: the first byte picks the parser.
 */


#include <stdlib.h>
#include "lr_aac.h"
#include "lr_avc.h"
#include "lr_hevc.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char      dst[LR_ADTS_HEADER + LR_PCE_MAX];
    size_t      len;
    lr_video_t  v;
    lr_audio_t  a;

    if (size == 0) {
        return 0;
    }

    memset(&v, 0, sizeof(lr_video_t));
    memset(&a, 0, sizeof(lr_audio_t));

    switch (data[0] % 6) {

    case 0:
        (void) lr_video_config(&v, LR_CODEC_AVC, data + 1, size - 1);
        break;

    case 1:
        (void) lr_video_config(&v, LR_CODEC_HEVC, data + 1, size - 1);
        break;

    case 2:
        (void) lr_avc_sps(&v, data + 1, size - 1);
        break;

    case 3:
        (void) lr_hevc_sps(&v, data + 1, size - 1);
        break;

    case 4:
        if (lr_audio_config(&a, LR_CODEC_AAC, data + 1, size - 1) != LR_OK) {
            break;
        }

        if (a.rate == 0 || a.rate_index > 12 || a.pce_len > LR_PCE_MAX) {
            abort();
        }

        if (lr_aac_adts_check(&a) == LR_OK) {
            len = lr_aac_adts_len(&a, data, size);

            if (len) {
                lr_aac_adts(&a, dst, len, size);
            }
        }

        break;

    case 5:
        if (lr_audio_config(&a, LR_CODEC_MP3, data + 1, size - 1) == LR_OK
            && (a.rate == 0 || a.samples == 0))
        {
            abort();
        }

        break;
    }

    if (v.width > 65535 || v.height > 65535) {
        abort();
    }

    lr_video_free(&v);

    return 0;
}
