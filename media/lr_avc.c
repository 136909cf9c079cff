
/*
 * Copyright (C) the ngx_live_record authors
 */


#include "lr_avc.h"


/* an SPS with every list and VUI is far below this */
#define LR_AVC_SPS_MAX  1024


static int lr_avc_record(lr_buf_t *out, const u_char *p, size_t n,
    const u_char **sps, size_t *sps_len);
static unsigned lr_avc_is_high(unsigned profile);
static void lr_avc_skip_scaling(lr_bits_t *b, unsigned n);


int
lr_avc_config(lr_video_t *v, const u_char *p, size_t n)
{
    size_t         sps_len;
    const u_char  *sps;

    if (n < 6) {
        v->why = "avcC is too short";
        return LR_ERROR;
    }

    if (p[0] != 1) {
        v->why = "unknown version of avcC";
        return LR_ERROR;
    }

    if (lr_avc_record(NULL, p, n, &sps, &sps_len) != LR_OK) {
        v->why = "a parameter set exceeds avcC";
        return LR_ERROR;
    }

    v->params.len = 0;
    (void) lr_avc_record(&v->params, p, n, &sps, &sps_len);

    if (v->params.failed) {
        v->codec = LR_CODEC_NONE;
        v->why = "no memory";
        return LR_ERROR;
    }

    v->codec = LR_CODEC_AVC;
    v->profile = p[1];
    v->compat = p[2];
    v->level = p[3];
    v->length_size = (p[4] & 3) + 1;
    v->width = 0;
    v->height = 0;
    v->sar_num = 1;
    v->sar_den = 1;
    v->why = NULL;

    if (sps == NULL) {
        v->why = "no SPS in avcC";

    } else if (lr_avc_sps(v, sps, sps_len) != LR_OK) {
        v->why = "SPS is not understood";
    }

    return LR_OK;
}


/* walks the two lists; with "out" copies them as Annex B */

static int
lr_avc_record(lr_buf_t *out, const u_char *p, size_t n, const u_char **sps,
    size_t *sps_len)
{
    size_t         len;
    unsigned       i, list, count;
    const u_char  *end;

    end = p + n;
    p += 5;
    *sps = NULL;
    *sps_len = 0;

    for (list = 0; list < 2; list++) {

        if (p == end) {
            return LR_ERROR;
        }

        count = *p++ & (list == 0 ? 0x1f : 0xff);

        for (i = 0; i < count; i++) {

            if (end - p < 2) {
                return LR_ERROR;
            }

            len = lr_get_be16(p);
            p += 2;

            if ((size_t) (end - p) < len) {
                return LR_ERROR;
            }

            if (len == 0) {
                continue;
            }

            if (list == 0 && *sps == NULL) {
                *sps = p;
                *sps_len = len;
            }

            if (out) {
                lr_buf_append(out, "\0\0\0\1", 4);
                lr_buf_append(out, p, len);
            }

            p += len;
        }
    }

    return LR_OK;
}


int
lr_avc_sps(lr_video_t *v, const u_char *p, size_t n)
{
    u_char     rbsp[LR_AVC_SPS_MAX];
    uint64_t   width, height, cx, cy, crop[4];
    unsigned   i, profile, chroma, frames, ux, uy, num, den;
    lr_bits_t  b;

    if (n < 4 || LR_AVC_NAL(p[0]) != LR_AVC_SPS) {
        return LR_ERROR;
    }

    n = lr_bits_unescape(rbsp, sizeof(rbsp), p + 1, n - 1);
    lr_bits_init(&b, rbsp, n);

    profile = lr_bits_get(&b, 8);
    lr_bits_skip(&b, 16);
    (void) lr_bits_ue(&b);                    /* seq_parameter_set_id */

    chroma = 1;

    if (lr_avc_is_high(profile)) {
        chroma = lr_bits_ue(&b);

        if (chroma > 3) {
            return LR_ERROR;
        }

        if (chroma == 3) {
            lr_bits_skip(&b, 1);              /* separate_colour_plane */
        }

        (void) lr_bits_ue(&b);                /* bit_depth_luma_minus8 */
        (void) lr_bits_ue(&b);                /* bit_depth_chroma_minus8 */
        lr_bits_skip(&b, 1);

        if (lr_bits_get(&b, 1)) {
            for (i = 0; i < (chroma == 3 ? 12 : 8); i++) {
                if (lr_bits_get(&b, 1)) {
                    lr_avc_skip_scaling(&b, i < 6 ? 16 : 64);
                }
            }
        }
    }

    (void) lr_bits_ue(&b);                    /* log2_max_frame_num_minus4 */

    switch (lr_bits_ue(&b)) {                 /* pic_order_cnt_type */

    case 0:
        (void) lr_bits_ue(&b);
        break;

    case 1:
        lr_bits_skip(&b, 1);
        (void) lr_bits_se(&b);
        (void) lr_bits_se(&b);
        i = lr_bits_ue(&b);

        if (i > 255) {
            return LR_ERROR;
        }

        while (i--) {
            (void) lr_bits_se(&b);
        }

        break;

    case 2:
        break;

    default:
        return LR_ERROR;
    }

    (void) lr_bits_ue(&b);                    /* max_num_ref_frames */
    lr_bits_skip(&b, 1);

    width = ((uint64_t) lr_bits_ue(&b) + 1) * 16;
    height = ((uint64_t) lr_bits_ue(&b) + 1) * 16;
    frames = lr_bits_get(&b, 1);              /* frame_mbs_only_flag */

    if (!frames) {
        lr_bits_skip(&b, 1);
        height *= 2;
    }

    lr_bits_skip(&b, 1);                      /* direct_8x8_inference_flag */

    if (lr_bits_get(&b, 1)) {

        /* 7.4.2.1.1: the units are by chroma; three planes are as 4:4:4 */

        ux = chroma == 1 || chroma == 2 ? 2 : 1;
        uy = (chroma == 1 ? 2 : 1) * (frames ? 1 : 2);

        for (i = 0; i < 4; i++) {
            crop[i] = lr_bits_ue(&b);
        }

        cx = (crop[0] + crop[1]) * ux;
        cy = (crop[2] + crop[3]) * uy;

        if (cx >= width || cy >= height) {
            return LR_ERROR;
        }

        width -= cx;
        height -= cy;
    }

    if (b.over || width > 65535 || height > 65535) {
        return LR_ERROR;
    }

    num = 1;
    den = 1;

    if (lr_bits_get(&b, 1) && lr_bits_get(&b, 1)) {
        lr_avc_aspect(&b, &num, &den);
    }

    v->width = (unsigned) width;
    v->height = (unsigned) height;
    v->sar_num = num;
    v->sar_den = den;

    return LR_OK;
}


static unsigned
lr_avc_is_high(unsigned profile)
{
    switch (profile) {

    case 44:
    case 83:
    case 86:
    case 100:
    case 110:
    case 118:
    case 122:
    case 128:
    case 134:
    case 135:
    case 138:
    case 139:
    case 244:
        return 1;

    default:
        return 0;
    }
}


static void
lr_avc_skip_scaling(lr_bits_t *b, unsigned n)
{
    uint32_t  last, next;

    /* 7.3.2.1.1.1: after a next scale of 0 the rest is not coded */

    last = 8;
    next = 8;

    while (n-- && next) {
        next = (last + (uint32_t) lr_bits_se(b)) & 0xff;

        if (next) {
            last = next;
        }
    }
}


void
lr_avc_aspect(lr_bits_t *b, unsigned *num, unsigned *den)
{
    /* table E-1 of both */

    static const u_char  sar[][2] = {
        { 1, 1 }, { 1, 1 }, { 12, 11 }, { 10, 11 }, { 16, 11 }, { 40, 33 },
        { 24, 11 }, { 20, 11 }, { 32, 11 }, { 80, 33 }, { 18, 11 },
        { 15, 11 }, { 64, 33 }, { 160, 99 }, { 4, 3 }, { 3, 2 }, { 2, 1 }
    };
    unsigned  i, x, y;

    i = lr_bits_get(b, 8);

    if (i < sizeof(sar) / sizeof(sar[0])) {
        x = sar[i][0];
        y = sar[i][1];

    } else if (i == 255) {
        x = lr_bits_get(b, 16);
        y = lr_bits_get(b, 16);

    } else {
        return;
    }

    if (!b->over && x && y) {
        *num = x;
        *den = y;
    }
}
