
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdlib.h>
#include "lr_cred.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
static void check(const char *s);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char       err[LR_CRED_ERR_LEN];
    size_t     i;
    lr_cred_t  c;

    static const char *const  profiles[] = { NULL, "p" };

    for (i = 0; i < 2; i++) {

        memset(&c, 0, sizeof(lr_cred_t));
        memset(err, 0, sizeof(err));

        if (lr_cred_parse(&c, (const char *) data, size, profiles[i], err)
            == LR_OK)
        {
            check(c.id);
            check(c.secret);

            if (c.token != NULL) {
                check(c.token);
            }

        } else if (c.id != NULL || c.secret != NULL || c.token != NULL
                   || err[0] == '\0')
        {
            abort();
        }

        lr_cred_free(&c);
    }

    return 0;
}


/* whatever is taken can stand in a header */

static void
check(const char *s)
{
    if (s == NULL || *s == '\0') {
        abort();
    }

    for ( /* void */ ; *s != '\0'; s++) {
        if (*s <= 0x20 || *s >= 0x7f) {
            abort();
        }
    }
}
