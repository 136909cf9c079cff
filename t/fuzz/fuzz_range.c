
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Any bytes as what is kept about an index, as a listing, and as a manifest
 * that is cut to a range: what is read can be written and is read back the
 * same, what is chosen was listed, and what is left makes an index.
 */


#include <stdlib.h>
#include "lr_index_info.h"
#include "lr_range.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
infos(const uint8_t *data, size_t size)
{
    lr_buf_t         one, two;
    lr_index_info_t  info, back;

    if (lr_index_info_read(&info, data, size) != LR_OK) {
        return;
    }

    memset(&one, 0, sizeof(lr_buf_t));
    memset(&two, 0, sizeof(lr_buf_t));

    if (lr_index_info_write(&info, &one) != LR_OK
        || lr_index_info_read(&back, one.data, one.len) != LR_OK
        || lr_index_info_write(&back, &two) != LR_OK
        || one.len != two.len || memcmp(one.data, two.data, one.len) != 0)
    {
        abort();
    }

    one.len = 0;

    if (lr_index_key(info.app, info.stream, info.id, &one) != LR_OK) {
        abort();
    }

    lr_index_info_free(&info);
    lr_index_info_free(&back);
    lr_buf_free(&one);
    lr_buf_free(&two);
}


/* pairs of strings, the last one ended here */

static void
listing(const lr_range_t *r, const uint8_t *data, size_t size)
{
    size_t    i, n, total;
    lr_buf_t  list, keys;

    memset(&list, 0, sizeof(lr_buf_t));
    memset(&keys, 0, sizeof(lr_buf_t));

    lr_buf_append(&list, data, size);
    lr_buf_append(&list, "", 1);

    for (i = 0, n = 0; i < list.len; i++) {
        n += list.data[i] == '\0';
    }

    if (n % 2) {
        lr_buf_append(&list, "", 1);
    }

    if (lr_range_select(r, list.data, list.len, &keys) != LR_OK
        || keys.len > list.len)
    {
        abort();
    }

    keys.len = 0;

    if (lr_index_page(r, "live.example.com", list.data, list.len, size & 1, 0,
                      10, &keys, &total)
        != LR_OK
        || total > n)
    {
        abort();
    }

    lr_buf_free(&list);
    lr_buf_free(&keys);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char               err[LR_MANIFEST_ERR];
    lr_buf_t           out;
    lr_range_t         r;
    lr_manifest_t     *m;
    lr_range_total_t   total;

    static const lr_zone_t  utc;

    r.start = 1772366400000LL;
    r.end = r.start + 3600000;
    r.inside = size & 1;

    infos(data, size);
    listing(&r, data, size);

    if (lr_manifest_read(data, size, &m, err, sizeof(err)) != LR_OK) {
        return 0;
    }

    memset(&out, 0, sizeof(lr_buf_t));

    (void) lr_range_cut(&r, m);

    if (lr_range_index(&m, 1, "id", "a/b.m3u8", size & 2 ? "http://h/" : NULL,
                       &utc, &out, &total)
        != LR_OK
        || !lr_range_index_ours(out.data, out.len, "id")
        || total.n > m->nfragments)
    {
        abort();
    }

    lr_manifest_free(m);
    lr_buf_free(&out);

    return 0;
}
