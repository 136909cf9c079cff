
/*
 * Copyright (C) the ngx_live_record authors
 *
 * A part of an object that a bucket has confirmed.
 */


#ifndef _LR_PART_H_INCLUDED_
#define _LR_PART_H_INCLUDED_


#include "lr_core.h"


typedef struct {
    uint32_t            number;       /* from 1 */
    uint64_t            bytes;
    uint64_t            crc;          /* CRC-64, or 0 */
    char               *etag;         /* may be "" */
} lr_part_t;


#endif /* _LR_PART_H_INCLUDED_ */
