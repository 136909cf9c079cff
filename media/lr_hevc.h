
/*
 * Copyright (C) the ngx_live_record authors
 *
 * HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 8.3.3.1) and the sequence
 * parameter set (H.265 7.3.2.2).
 */


#ifndef _LR_HEVC_H_INCLUDED_
#define _LR_HEVC_H_INCLUDED_


#include "lr_codec.h"


#define LR_HEVC_NAL(b)      (((b) >> 1) & 0x3f)

#define LR_HEVC_RASL_N      8
#define LR_HEVC_RASL_R      9
#define LR_HEVC_VCL_LAST    31
#define LR_HEVC_IRAP_FIRST  16
#define LR_HEVC_IRAP_LAST   23
#define LR_HEVC_VPS         32
#define LR_HEVC_SPS         33
#define LR_HEVC_PPS         34
#define LR_HEVC_AUD         35
#define LR_HEVC_EOS         36
#define LR_HEVC_FILLER      38
#define LR_HEVC_SUFFIX_SEI  40


/* as lr_video_config() */
int lr_hevc_config(lr_video_t *v, const u_char *p, size_t n);

/*
 * Takes the size and the sample aspect ratio from an SPS, which begins with
 * its NAL header; LR_ERROR if the size cannot be right: *v is as it was then.
 */
int lr_hevc_sps(lr_video_t *v, const u_char *p, size_t n);


#endif /* _LR_HEVC_H_INCLUDED_ */
