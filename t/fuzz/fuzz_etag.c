
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The headers that tell the sum of an object.
 */


#include <stdlib.h>
#include "lr_crc64.h"
#include "lr_etag.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char         text[LR_CRC64_NVME_TEXT];
    u_char       sum[LR_ETAG_SUM], other[LR_ETAG_SUM];
    uint64_t     crc;
    const char  *p;

    p = (const char *) data;

    if (lr_etag_sum(sum, p, size) == LR_OK) {

        if (lr_etag_compare(p, size, sum, 0, NULL) != LR_OK) {
            abort();
        }

        memcpy(other, sum, LR_ETAG_SUM);
        other[LR_ETAG_SUM - 1] ^= 1;

        if (lr_etag_compare(p, size, other, 0, NULL) != LR_ERROR) {
            abort();
        }
    }

    memset(other, 0, LR_ETAG_SUM);
    (void) lr_etag_compare(p, size, other, 3, NULL);

    if (lr_crc64_nvme_parse(p, size, &crc) == LR_OK) {

        lr_crc64_nvme_text(text, crc);

        if (size != sizeof(text) - 1 || memcmp(text, p, size) != 0) {
            abort();
        }
    }

    return 0;
}
