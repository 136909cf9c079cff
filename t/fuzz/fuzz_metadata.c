
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The first byte chooses kind and role; the rest are answers, each of two
 * bytes of status, one of length, and a body.
 */


#include <stdlib.h>
#include "lr_metadata.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int            rc;
    char           err[LR_CRED_ERR_LEN];
    size_t         n;
    lr_cred_t      c;
    const char    *p;
    lr_metadata_t  m;

    if (size == 0) {
        return 0;
    }

    memset(&c, 0, sizeof(lr_cred_t));
    memset(&m, 0, sizeof(lr_metadata_t));

    if (lr_metadata_begin(&m, data[0] & 1, (data[0] & 2) ? "role" : NULL, err)
        != LR_OK)
    {
        abort();
    }

    data++;
    size--;

    for (rc = LR_AGAIN; rc == LR_AGAIN && size > 3; /* void */ ) {

        n = data[2] < size - 3 ? data[2] : size - 3;

        memset(err, 0, sizeof(err));

        rc = lr_metadata_answer(&m, data[0] * 256u + data[1],
                                (const char *) data + 3, n, &c, err);

        data += 3 + n;
        size -= 3 + n;

        if (rc == LR_ERROR && err[0] == '\0') {
            abort();
        }

        if ((rc == LR_OK) != (c.id != NULL)) {
            abort();
        }

        /* nothing of an answer may end a line of the next request */

        for (p = m.path; *p != '\0'; p++) {
            if (*p <= 0x20 || *p >= 0x7f) {
                abort();
            }
        }

        for (p = m.header; p != NULL && *p != '\0'; p++) {
            if (*p < 0x20 || *p >= 0x7f) {
                abort();
            }
        }
    }

    lr_cred_free(&c);
    lr_metadata_free(&m);

    return 0;
}
