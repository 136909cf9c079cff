
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The frame header of MPEG audio, layers I to III (ISO/IEC 11172-3 2.4.1.3,
 * ISO/IEC 13818-3; version 2.5 is everybody's extension of it).
 */


#ifndef _LR_MP3_H_INCLUDED_
#define _LR_MP3_H_INCLUDED_


#include "lr_codec.h"


#define LR_MP3_HEADER  4


/* as lr_audio_config() */
int lr_mp3_config(lr_audio_t *a, const u_char *p, size_t n);


#endif /* _LR_MP3_H_INCLUDED_ */
