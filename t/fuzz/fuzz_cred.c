
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdlib.h>
#include "lr_cred.h"
#include "lr_time.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
static void check_key(lr_cred_t *c, int rc, const char *err);
static void check(const char *s);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char        err[LR_CRED_ERR_LEN];
    size_t      i;
    time_t      t;
    lr_cred_t   c;
    const char  *p;

    static const char *const  profiles[] = { NULL, "p" };

    p = (const char *) data;

    for (i = 0; i < 2; i++) {
        memset(&c, 0, sizeof(lr_cred_t));
        memset(err, 0, sizeof(err));
        check_key(&c, lr_cred_parse(&c, p, size, profiles[i], err), err);
    }

    memset(err, 0, sizeof(err));
    check_key(&c, lr_cred_json(&c, p, size, err), err);

    (void) lr_time_iso(&t, p, size);

    return 0;
}


static void
check_key(lr_cred_t *c, int rc, const char *err)
{
    if (rc == LR_OK) {
        check(c->id);
        check(c->secret);

        if (c->token != NULL) {
            check(c->token);
        }

        if (lr_cred_refresh_at(c, 1000) == 1000) {
            abort();
        }

    } else if (c->id != NULL || c->secret != NULL || c->token != NULL
               || err[0] == '\0')
    {
        abort();
    }

    lr_cred_free(c);
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
