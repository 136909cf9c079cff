
/*
 * Copyright (C) the ngx_live_record authors
 *
 * AudioSpecificConfig (ISO/IEC 14496-3 1.6.2.1) and the ADTS header
 * (1.A.2.2) that says the same in a transport stream.
 */


#ifndef _LR_AAC_H_INCLUDED_
#define _LR_AAC_H_INCLUDED_


#include "lr_codec.h"


#define LR_ADTS_HEADER  7

/* the header's frame length has 13 bits */
#define LR_ADTS_MAX     8191


/* as lr_audio_config() */
int lr_aac_config(lr_audio_t *a, const u_char *p, size_t n);

/*
 * LR_OK if ADTS can carry such a track, else LR_DECLINED: object types
 * other than 1..4, channel configurations above 7 that no program config
 * element can stand for, frames of 960 samples.
 */
int lr_aac_adts_check(const lr_audio_t *a);

/*
 * The bytes that go before a raw data block of n bytes: header and program
 * config element; 0 if the frame would be too long for ADTS.
 */
size_t lr_aac_adts_len(const lr_audio_t *a, const u_char *p, size_t n);

/* writes them; "len" is what lr_aac_adts_len() gave */
void lr_aac_adts(const lr_audio_t *a, u_char *dst, size_t len, size_t n);


#endif /* _LR_AAC_H_INCLUDED_ */
