
/*
 * Copyright (C) the ngx_live_record authors
 *
 * CRC-64/XZ, the sum that OSS gives for an object: ECMA-182's polynomial
 * 0x42f0e1eba9ea3693 reflected, all ones before and after.
 */


#ifndef _LR_CRC64_H_INCLUDED_
#define _LR_CRC64_H_INCLUDED_


#include "lr_core.h"


/* the sum of what crc is the sum of and n more bytes; begins with 0 */
uint64_t lr_crc64_update(uint64_t crc, const void *p, size_t n);

/* the sum of A and B in one from theirs, B being len2 bytes long */
uint64_t lr_crc64_combine(uint64_t crc1, uint64_t crc2, uint64_t len2);

/* reads the decimal number of an x-oss-hash-crc64ecma header */
int lr_crc64_parse(const char *p, size_t n, uint64_t *crc);


#endif /* _LR_CRC64_H_INCLUDED_ */
