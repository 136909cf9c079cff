
/*
 * Copyright (C) the ngx_live_record authors
 */


#include "lr_bits.h"
#include "lr_hevc.h"


/* the size stands at the start of an SPS */
#define LR_HEVC_SPS_MAX  256

#define LR_HEVC_RECORD   23


static int lr_hevc_record(lr_buf_t *out, const u_char *p, size_t n,
    const u_char **sps, size_t *sps_len);


int
lr_hevc_config(lr_video_t *v, const u_char *p, size_t n)
{
    size_t         sps_len;
    const u_char  *sps;

    if (n < LR_HEVC_RECORD) {
        v->why = "hvcC is too short";
        return LR_ERROR;
    }

    /* version 0 was written before the standard was out, in the same form */

    if (p[0] > 1) {
        v->why = "unknown version of hvcC";
        return LR_ERROR;
    }

    if (lr_hevc_record(NULL, p, n, &sps, &sps_len) != LR_OK) {
        v->why = "a parameter set exceeds hvcC";
        return LR_ERROR;
    }

    v->params.len = 0;
    (void) lr_hevc_record(&v->params, p, n, &sps, &sps_len);

    if (v->params.failed) {
        v->codec = LR_CODEC_NONE;
        v->why = "no memory";
        return LR_ERROR;
    }

    v->codec = LR_CODEC_HEVC;
    v->profile = p[1] & 0x1f;
    v->compat = lr_get_be32(p + 2);
    v->level = p[12];
    v->length_size = (p[21] & 3) + 1;
    v->width = 0;
    v->height = 0;
    v->sar_num = 1;
    v->sar_den = 1;
    v->why = NULL;

    if (sps == NULL) {
        v->why = "no SPS in hvcC";

    } else if (lr_hevc_sps(v, sps, sps_len) != LR_OK) {
        v->why = "SPS is not understood";
    }

    return LR_OK;
}


/* walks the arrays; with "out" copies the parameter sets as Annex B */

static int
lr_hevc_record(lr_buf_t *out, const u_char *p, size_t n, const u_char **sps,
    size_t *sps_len)
{
    size_t         len;
    unsigned       arrays, count, type;
    const u_char  *end;

    end = p + n;
    arrays = p[22];
    p += LR_HEVC_RECORD;
    *sps = NULL;
    *sps_len = 0;

    while (arrays--) {

        if (end - p < 3) {
            return LR_ERROR;
        }

        type = p[0] & 0x3f;
        count = lr_get_be16(p + 1);
        p += 3;

        while (count--) {

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

            if (type == LR_HEVC_SPS && *sps == NULL) {
                *sps = p;
                *sps_len = len;
            }

            /* a SEI in the record is not for every random access point */

            if (out && type >= LR_HEVC_VPS && type <= LR_HEVC_PPS) {
                lr_buf_append(out, "\0\0\0\1", 4);
                lr_buf_append(out, p, len);
            }

            p += len;
        }
    }

    return LR_OK;
}


int
lr_hevc_sps(lr_video_t *v, const u_char *p, size_t n)
{
    u_char     rbsp[LR_HEVC_SPS_MAX];
    uint64_t   width, height, cx, cy, crop[4];
    unsigned   i, layers, flags, chroma;
    lr_bits_t  b;

    if (n < 4 || LR_HEVC_NAL(p[0]) != LR_HEVC_SPS) {
        return LR_ERROR;
    }

    n = lr_bits_unescape(rbsp, sizeof(rbsp), p + 2, n - 2);
    lr_bits_init(&b, rbsp, n);

    lr_bits_skip(&b, 4);
    layers = lr_bits_get(&b, 3);              /* sps_max_sub_layers_minus1 */
    lr_bits_skip(&b, 1);

    /* profile_tier_level(1, layers), 7.3.3 */

    lr_bits_skip(&b, 88 + 8);

    if (layers) {
        flags = lr_bits_get(&b, 16);

        for (i = 0; i < layers; i++) {
            lr_bits_skip(&b, flags & 0x8000 ? 88 : 0);
            lr_bits_skip(&b, flags & 0x4000 ? 8 : 0);
            flags <<= 2;
        }
    }

    (void) lr_bits_ue(&b);                    /* sps_seq_parameter_set_id */
    chroma = lr_bits_ue(&b);

    if (chroma > 3) {
        return LR_ERROR;
    }

    if (chroma == 3) {
        lr_bits_skip(&b, 1);                  /* separate_colour_plane_flag */
    }

    width = lr_bits_ue(&b);
    height = lr_bits_ue(&b);

    if (lr_bits_get(&b, 1)) {                 /* conformance_window_flag */

        for (i = 0; i < 4; i++) {
            crop[i] = lr_bits_ue(&b);
        }

        cx = (crop[0] + crop[1]) * (chroma == 1 || chroma == 2 ? 2 : 1);
        cy = (crop[2] + crop[3]) * (chroma == 1 ? 2 : 1);

        if (cx >= width || cy >= height) {
            return LR_ERROR;
        }

        width -= cx;
        height -= cy;
    }

    if (b.over || width == 0 || height == 0 || width > 65535
        || height > 65535)
    {
        return LR_ERROR;
    }

    v->width = (unsigned) width;
    v->height = (unsigned) height;

    return LR_OK;
}
