
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdlib.h>
#include "lr_on_demand.h"
#include "lr_settings.h"


#define ALL  (LR_FORMAT_M3U8|LR_FORMAT_MP4|LR_FORMAT_FLV)


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                    rc;
    char                   err[256];
    const char            *p;
    lr_on_demand_answer_t  a;

    p = (const char *) data;

    memset(&a, 0, sizeof(a));
    a.formats = ALL;
    a.cycle = 1;
    err[0] = '\0';

    rc = lr_on_demand_answer(&a, p, size, err, sizeof(err));

    if (rc == LR_OK) {
        if ((a.formats & ~ALL)
            || (a.cycle != 1 && (a.cycle < LR_ON_DEMAND_SHORTEST * 1000
                                 || a.cycle > LR_ON_DEMAND_LONGEST * 1000)))
        {
            abort();
        }

    } else if (rc != LR_ERROR || err[0] == '\0') {
        abort();
    }

    err[0] = '\0';
    rc = lr_on_demand_args(p, size, err, sizeof(err));

    if (rc == LR_ERROR && err[0] == '\0') {
        abort();
    }

    return 0;
}
