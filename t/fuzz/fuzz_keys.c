
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdlib.h>
#include "lr_keys.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char              err[LR_KEYS_ERR_LEN];
    size_t            i;
    lr_keys_t         keys;
    const lr_cred_t  *key;

    memset(err, 0, sizeof(err));

    if (lr_keys_parse(&keys, (const char *) data, size, err) != LR_OK) {

        if (keys.n != 0 || keys.keys != NULL || strlen(err) < 3) {
            abort();
        }

        return 0;
    }

    for (i = 0; i < keys.n; i++) {
        key = lr_keys_find(&keys, keys.keys[i].id);

        if (key != &keys.keys[i] || key->secret[0] == '\0') {
            abort();
        }
    }

    lr_keys_free(&keys);

    return 0;
}
