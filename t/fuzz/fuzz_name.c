
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Any text as a template and as a zone: a template that has been checked
 * makes keys, and only keys, unless they are too long.
 */


#include <stdlib.h>
#include "lr_name.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int             ends;
    char            err[512], *tpl;
    lr_buf_t        key, other;
    lr_zone_t       zone;
    lr_name_vars_t  v;
    lr_name_kind_e  kind;

    if (size < 10) {
        return 0;
    }

    memset(&key, 0, sizeof(lr_buf_t));
    memset(&other, 0, sizeof(lr_buf_t));
    memset(&zone, 0, sizeof(lr_zone_t));
    memset(&v, 0, sizeof(lr_name_vars_t));

    kind = data[0] % 3;
    (void) lr_zone_parse((const char *) data + 1, 6, &zone);

    if (zone.offset < -840 || zone.offset > 840) {
        abort();
    }

    v.app = "App-1_";
    v.stream = "0123456789";
    v.start = (int64_t) data[7] << 38 | (int64_t) data[8] << 17;
    v.end = v.start + data[9];
    v.sequence = data[8];

    tpl = malloc(size - 10 + 1);
    if (tpl == NULL) {
        return 0;
    }

    memcpy(tpl, data + 10, size - 10);
    tpl[size - 10] = '\0';

    if (lr_name_check(kind, tpl, err, sizeof(err)) != LR_OK) {
        if (memchr(err, '\0', sizeof(err)) == NULL) {
            abort();
        }

        (void) lr_name_expand(tpl, &v, &zone, ".ts", &key);
        goto done;
    }

    ends = lr_name_uses_end(tpl);

    if (lr_name_expand(tpl, &v, &zone, ".ts", &key) != LR_OK) {

        /* eleven bytes of "{StreamName}" make ten: only others grow */

        if (key.len != 0 || strlen(tpl) * 2 + 3 < LR_NAME_KEY_LEN) {
            abort();
        }

        goto done;
    }

    if (key.len < 3 || memcmp(key.data + key.len - 3, ".ts", 3) != 0
        || !lr_name_key_valid((char *) key.data, key.len)
        || strncmp((char *) key.data, LR_NAME_RESERVED "/",
                   sizeof(LR_NAME_RESERVED))
           == 0)
    {
        abort();
    }

    if (lr_name_alternative((char *) key.data, data[9] + 1u, &other) == LR_OK
        && (!lr_name_key_valid((char *) other.data, other.len)
            || other.len <= key.len))
    {
        abort();
    }

    v.end = -1;
    key.len = 0;

    if ((lr_name_expand(tpl, &v, &zone, ".ts", &key) != LR_OK) != ends) {
        abort();
    }

done:

    free(tpl);
    lr_buf_free(&key);
    lr_buf_free(&other);

    return 0;
}
