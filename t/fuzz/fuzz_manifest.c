
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Any bytes as a manifest: what is read can be written, is read back the
 * same, and makes an index that makes a playlist.
 */


#include <stdlib.h>
#include "lr_manifest.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char                err[LR_MANIFEST_ERR], *key;
    lr_buf_t            one, two, list;
    lr_zone_t           zone;
    lr_segments_t       segs;
    lr_manifest_t      *m, *back;
    lr_manifest_name_t  name;

    memset(&one, 0, sizeof(lr_buf_t));
    memset(&two, 0, sizeof(lr_buf_t));
    memset(&list, 0, sizeof(lr_buf_t));
    memset(&zone, 0, sizeof(lr_zone_t));

    key = malloc(size + 1);
    if (key == NULL) {
        return 0;
    }

    memcpy(key, data, size);
    key[size] = '\0';

    if (lr_manifest_key_parse(key, &name) == LR_OK) {
        if (lr_manifest_key(NULL, "a", "s", name.time, name.id, name.part,
                            &one)
            != LR_OK)
        {
            abort();
        }
    }

    free(key);

    if (lr_manifest_read(data, size, &m, err, sizeof(err)) != LR_OK) {
        if (m != NULL || memchr(err, '\0', sizeof(err)) == NULL) {
            abort();
        }

        lr_buf_free(&one);
        return 0;
    }

    one.len = 0;

    if (lr_manifest_write(m, &one) != LR_OK
        || lr_manifest_read(one.data, one.len, &back, err, sizeof(err))
           != LR_OK
        || lr_manifest_write(back, &two) != LR_OK
        || one.len != two.len || memcmp(one.data, two.data, one.len) != 0)
    {
        abort();
    }

    if (lr_manifest_index(&m, 1, "a/b/c.m3u8", NULL, &segs) != LR_OK
        || lr_m3u8_write(segs.segs, segs.n, &zone, &list) != LR_OK)
    {
        abort();
    }

    lr_segments_free(&segs);
    lr_manifest_free(m);
    lr_manifest_free(back);
    lr_buf_free(&one);
    lr_buf_free(&two);
    lr_buf_free(&list);

    return 0;
}
