
/*
 * Copyright (C) the ngx_live_record authors
 */


#include "lr_avc.h"
#include "lr_hevc.h"
#include "lr_picture.h"


/* where a record has the size of lengths, less one, in its last two bits */

#define LR_PICTURE_AVCC  4
#define LR_PICTURE_HVCC  21


static void lr_picture_length(lr_picture_t *p);
static void lr_picture_avc(lr_picture_t *p, size_t len);
static void lr_picture_hevc(lr_picture_t *p, size_t len);
static void lr_picture_other(lr_picture_t *p, unsigned trailing);


void
lr_picture_config(lr_picture_t *p, const u_char *body, size_t n)
{
    size_t         at;
    lr_flv_body_t  b;

    memset(p, 0, sizeof(lr_picture_t));

    lr_flv_parse(LR_FLV_VIDEO, body, n, &b);

    if (b.kind != LR_FLV_CONFIG
        || (b.codec != LR_CODEC_AVC && b.codec != LR_CODEC_HEVC))
    {
        return;
    }

    at = b.header + (b.codec == LR_CODEC_AVC ? LR_PICTURE_AVCC
                                             : LR_PICTURE_HVCC);

    if (n > at) {
        p->codec = b.codec;
        p->length_size = (body[at] & 3) + 1;
    }
}


void
lr_picture_begin(lr_picture_t *p, const lr_flv_body_t *b, size_t size)
{
    p->have = 0;
    p->want = p->length_size;
    p->broken = 0;
    p->slice = 0;
    p->first = 0;
    p->tied = 0;
    p->any = 0;
    p->trailing = 0;
    p->skip = b->header;
    p->left = size;
    p->key = b->key;

    p->known = p->length_size == 0 || b->codec != p->codec
               || b->kind != LR_FLV_FRAME;
    p->broken = p->known;
}


int
lr_picture_feed(lr_picture_t *p, const u_char *data, size_t n)
{
    size_t  len;

    while (!p->known) {

        len = p->skip < n ? p->skip : n;
        p->skip -= len;
        p->left -= len;
        data += len;
        n -= len;

        if (p->left == 0) {

            /* a length that is not whole */

            p->broken = p->have != 0;
            p->known = 1;
            break;
        }

        if (n == 0) {
            return LR_AGAIN;
        }

        p->head[p->have++] = *data++;
        p->left--;
        n--;

        if (p->have == p->want) {
            lr_picture_length(p);
        }
    }

    return LR_OK;
}


/* the length of a NAL unit, or the start of the unit too, is in head */

static void
lr_picture_length(lr_picture_t *p)
{
    size_t    len;
    unsigned  i;

    len = 0;

    for (i = 0; i < p->length_size; i++) {
        len = len << 8 | p->head[i];
    }

    if (p->want == p->length_size) {

        if (len > p->left) {
            p->broken = 1;
            p->known = 1;
            return;
        }

        if (len) {
            p->want += len < 3 ? len : 3;
            return;
        }

    } else {

        if (p->codec == LR_CODEC_AVC) {
            lr_picture_avc(p, len);

        } else {
            lr_picture_hevc(p, len);
        }

        p->skip = len - (p->want - p->length_size);
    }

    p->have = 0;
    p->want = p->length_size;
}


static void
lr_picture_avc(lr_picture_t *p, size_t len)
{
    unsigned       type;
    const u_char  *nal;

    nal = p->head + p->length_size;
    type = LR_AVC_NAL(nal[0]);

    if (type >= LR_AVC_SLICE && type <= LR_AVC_IDR) {

        /* first_mb_in_slice is ue(v), H.264 7.3.3: one bit if it is 0 */

        p->first = len > 1 && (nal[1] & 0x80)
                   && (type <= LR_AVC_PART_A || type == LR_AVC_IDR);
        p->tied = p->key && type != LR_AVC_IDR;
        p->slice = 1;
        p->known = 1;

    } else if (type != LR_AVC_AUD) {
        lr_picture_other(p, type >= LR_AVC_END_SEQ && type <= LR_AVC_FILLER);
    }
}


static void
lr_picture_hevc(lr_picture_t *p, size_t len)
{
    unsigned       type;
    const u_char  *nal;

    nal = p->head + p->length_size;
    type = LR_HEVC_NAL(nal[0]);

    if (type <= LR_HEVC_VCL_LAST) {

        /* first_slice_segment_in_pic_flag, H.265 7.3.6.1 */

        p->first = len > 2 && (nal[2] & 0x80);

        /* a CRA picture is an entry as good as any, but for its RASL ones */

        p->tied = type == LR_HEVC_RASL_N || type == LR_HEVC_RASL_R
                  || (p->key && (type < LR_HEVC_IRAP_FIRST
                                 || type > LR_HEVC_IRAP_LAST));
        p->slice = 1;
        p->known = 1;

    } else if (type != LR_HEVC_AUD) {
        lr_picture_other(p, (type >= LR_HEVC_EOS && type <= LR_HEVC_FILLER)
                            || type == LR_HEVC_SUFFIX_SEI);
    }
}


static void
lr_picture_other(lr_picture_t *p, unsigned trailing)
{
    if (!p->any) {
        p->any = 1;
        p->trailing = trailing != 0;
    }
}


unsigned
lr_picture_end(lr_picture_t *p)
{
    if (p->broken || !p->known) {
        return 0;
    }

    if (p->slice) {

        if (!p->first && p->open && !p->held) {
            return LR_SAMPLE_PREV;
        }

        p->open = 1;
        p->held = 0;

        return p->tied ? LR_SAMPLE_TIED : 0;
    }

    if (p->trailing && p->open && !p->held) {
        return LR_SAMPLE_PREV;
    }

    /* an AUD alone does not stand between slices of a picture */

    p->held |= p->any;

    return LR_SAMPLE_NEXT;
}
