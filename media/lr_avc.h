
/*
 * Copyright (C) the ngx_live_record authors
 *
 * AVCDecoderConfigurationRecord (ISO/IEC 14496-15 5.3.3.1) and the sequence
 * parameter set (H.264 7.3.2.1.1).
 */


#ifndef _LR_AVC_H_INCLUDED_
#define _LR_AVC_H_INCLUDED_


#include "lr_bits.h"
#include "lr_codec.h"


#define LR_AVC_NAL(b)    ((b) & 0x1f)

#define LR_AVC_SLICE     1
#define LR_AVC_PART_A    2
#define LR_AVC_IDR       5
#define LR_AVC_SPS       7
#define LR_AVC_PPS       8
#define LR_AVC_AUD       9
#define LR_AVC_END_SEQ   10
#define LR_AVC_FILLER    12


/* as lr_video_config() */
int lr_avc_config(lr_video_t *v, const u_char *p, size_t n);

/*
 * Takes the size and the sample aspect ratio from an SPS, which begins with
 * its NAL header; LR_ERROR if it cannot be right: *v is as it was then.
 */
int lr_avc_sps(lr_video_t *v, const u_char *p, size_t n);

/*
 * Reads aspect_ratio_idc and what follows it, which are the same in HEVC's
 * VUI; *num and *den stay as they are if it does not say.
 */
void lr_avc_aspect(lr_bits_t *b, unsigned *num, unsigned *den);


#endif /* _LR_AVC_H_INCLUDED_ */
