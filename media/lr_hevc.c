
/*
 * Copyright (C) the ngx_live_record authors
 */


#include "lr_avc.h"
#include "lr_hevc.h"


/* an SPS with every list and VUI is far below this */
#define LR_HEVC_SPS_MAX   1024

#define LR_HEVC_RECORD    23

/* of short-term reference picture sets, and of pictures in one: 7.4.3.2, */
#define LR_HEVC_SETS_MAX  64
#define LR_HEVC_DPB_MAX   16


static int lr_hevc_record(lr_buf_t *out, const u_char *p, size_t n,
    const u_char **sps, size_t *sps_len);
static void lr_hevc_aspect(lr_bits_t *b, unsigned layers, unsigned *num,
    unsigned *den);
static void lr_hevc_skip_scaling(lr_bits_t *b);
static void lr_hevc_skip_sets(lr_bits_t *b);


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
    unsigned   i, layers, flags, chroma, num, den;
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

    num = 1;
    den = 1;

    lr_hevc_aspect(&b, layers, &num, &den);

    v->width = (unsigned) width;
    v->height = (unsigned) height;
    v->sar_num = num;
    v->sar_den = den;

    return LR_OK;
}


/* what is between the size and the VUI, 7.3.2.2.1 */

static void
lr_hevc_aspect(lr_bits_t *b, unsigned layers, unsigned *num, unsigned *den)
{
    unsigned  i, poc;

    (void) lr_bits_ue(b);                     /* bit_depth_luma_minus8 */
    (void) lr_bits_ue(b);                     /* bit_depth_chroma_minus8 */
    poc = lr_bits_ue(b) + 4;                  /* bits of a picture's number */

    /* for each layer, or for the last one; then the sizes of blocks */

    for (i = lr_bits_get(b, 1) ? layers + 1 : 1; i; i--) {
        (void) lr_bits_ue(b);
        (void) lr_bits_ue(b);
        (void) lr_bits_ue(b);
    }

    for (i = 0; i < 6; i++) {
        (void) lr_bits_ue(b);
    }

    if (lr_bits_get(b, 1) && lr_bits_get(b, 1)) {
        lr_hevc_skip_scaling(b);
    }

    lr_bits_skip(b, 2);                       /* amp, sao */

    if (lr_bits_get(b, 1)) {                  /* pcm_enabled_flag */
        lr_bits_skip(b, 8);
        (void) lr_bits_ue(b);
        (void) lr_bits_ue(b);
        lr_bits_skip(b, 1);
    }

    lr_hevc_skip_sets(b);

    if (lr_bits_get(b, 1)) {                  /* long_term_ref_pics */
        for (i = lr_bits_ue(b); i && !b->over; i--) {
            lr_bits_skip(b, (size_t) poc + 1);
        }
    }

    lr_bits_skip(b, 2);                       /* motion vectors, smoothing */

    if (lr_bits_get(b, 1) && lr_bits_get(b, 1)) {
        lr_avc_aspect(b, num, den);
    }
}


/* scaling_list_data(), 7.3.4 */

static void
lr_hevc_skip_scaling(lr_bits_t *b)
{
    unsigned  size, matrix, n;

    for (size = 0; size < 4; size++) {
        for (matrix = 0; matrix < 6; matrix += size == 3 ? 3 : 1) {

            if (lr_bits_get(b, 1) == 0) {
                (void) lr_bits_ue(b);
                continue;
            }

            for (n = (size == 0 ? 16 : 64) + (size > 1); n; n--) {
                (void) lr_bits_se(b);
            }
        }
    }
}


/* st_ref_pic_set() of all numbers, 7.3.7 */

static void
lr_hevc_skip_sets(lr_bits_t *b)
{
    unsigned  i, j, n, sets, pics;

    sets = lr_bits_ue(b);
    pics = 0;

    if (sets > LR_HEVC_SETS_MAX) {
        b->over = 1;
    }

    for (i = 0; i < sets && !b->over; i++) {

        if (i && lr_bits_get(b, 1)) {

            /* as the one before, with one more, less those not used */

            lr_bits_skip(b, 1);
            (void) lr_bits_ue(b);

            for (n = 0, j = 0; j <= pics; j++) {
                n += lr_bits_get(b, 1) || lr_bits_get(b, 1);
            }

            pics = n;

        } else {
            n = lr_bits_ue(b);
            pics = lr_bits_ue(b);

            if (n > LR_HEVC_DPB_MAX || pics > LR_HEVC_DPB_MAX) {
                b->over = 1;
                return;
            }

            pics += n;

            for (j = 0; j < pics; j++) {
                (void) lr_bits_ue(b);
                lr_bits_skip(b, 1);
            }
        }
    }
}
