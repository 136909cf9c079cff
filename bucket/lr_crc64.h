
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The sums that stores give for an object, both reflected, with all ones
 * before and after: CRC-64/XZ of OSS, with ECMA-182's polynomial
 * 0x42f0e1eba9ea3693, and CRC-64/NVME of S3, with 0xad93d23594c93659 (the
 * "64b CRC" of the NVM Express NVM Command Set Specification).
 */


#ifndef _LR_CRC64_H_INCLUDED_
#define _LR_CRC64_H_INCLUDED_


#include "lr_core.h"


/* the base64 of 8 bytes, and a zero */
#define LR_CRC64_NVME_TEXT  13


/* the sum of what crc is the sum of and n more bytes; begins with 0 */
uint64_t lr_crc64_update(uint64_t crc, const void *p, size_t n);

/* the sum of A and B in one from theirs, B being len2 bytes long */
uint64_t lr_crc64_combine(uint64_t crc1, uint64_t crc2, uint64_t len2);

/* reads the decimal number of an x-oss-hash-crc64ecma header */
int lr_crc64_parse(const char *p, size_t n, uint64_t *crc);

/* the same of CRC-64/NVME */
uint64_t lr_crc64_nvme_update(uint64_t crc, const void *p, size_t n);

/*
 * Writes and reads an x-amz-checksum-crc64nvme header: the base64 of the
 * eight bytes, the highest first.  LR_ERROR if it is not that, as the sum
 * of sums of an upload in parts, "...-3", is not.
 */
void lr_crc64_nvme_text(char *buf, uint64_t crc);
int lr_crc64_nvme_parse(const char *p, size_t n, uint64_t *crc);


#endif /* _LR_CRC64_H_INCLUDED_ */
