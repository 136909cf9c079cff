
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Bytes as messages of video: what lr_picture.c says of one does not depend
 * on how it is cut into pieces, and is what lr_ts.c makes of it.  The first
 * byte picks codec and size of lengths; a message is
 *
 *     header, size, length of the first piece, payload
 */


#include <stdlib.h>
#include "lr_picture.h"
#include "../unit/media/picture_check.h"


#define FUZZ_ROWS  512


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static const u_char  avc[] = {
    0x17, 0, 0, 0, 0, 1, 0x42, 0xc0, 0x1e, 0xff, 0xe1, 0, 10,
    0x67, 0x42, 0xc0, 0x1e, 0xda, 0x02, 0x80, 0xf6, 0xc0, 0x44,
    1, 0, 4, 0x68, 0xce, 0x3c, 0x80
};

static const u_char  hevc[] = {
    0x90, 'h', 'v', 'c', '1', 1, 1, 0x60, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 0x3c,
    0xf0, 0, 0xfc, 0xfd, 0xf8, 0xf8, 0, 0, 0x0f, 0
};

static const struct {
    size_t       n;
    const char  *data;
} heads[] = {
    { 5, "\x27\1\0\0\0" },
    { 5, "\x2c\1\0\0\0" },
    { 8, "\xa1hvc1\0\0\0" },
    { 5, "\xa3hvc1" },
    { 8, "\xa1" "avc1\0\0\0" },
    { 5, "\xa3" "av01" },
    { 0, "" }
};


/* in pieces that grow from "step" bytes */

static unsigned
fuzz_feed(lr_picture_t *p, const u_char *data, size_t n, size_t step)
{
    size_t         i, len;
    u_char        *copy;
    lr_flv_body_t  b;

    lr_flv_parse(LR_FLV_VIDEO, data, n, &b);
    lr_picture_begin(p, &b, n);

    for (i = 0; i < n; i += len, step++) {
        len = step < n - i ? step : n - i;
        copy = malloc(len + 1);

        if (copy == NULL) {
            abort();
        }

        memcpy(copy + 1, data + i, len);

        if (lr_picture_feed(p, copy + 1, len) == LR_OK) {
            i = n;
            len = 0;
        }

        free(copy);
    }

    return lr_picture_end(p);
}


static void
fuzz_config(lr_ts_t *ts, lr_picture_t *p, lr_sample_t *s, unsigned which)
{
    size_t  n, at;
    u_char  config[64];

    n = which & 4 ? sizeof(hevc) : sizeof(avc);
    at = which & 4 ? 26 : 9;

    memcpy(config, which & 4 ? hevc : avc, n);
    config[at] = (u_char) ((config[at] & 0xfc) | (which & 3));

    s->data = config;
    s->size = n;
    (void) picture_check_ts(ts, s);

    lr_picture_config(p, config, n);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t           n, head, step;
    u_char           body[8 + 256];
    lr_ts_t         *ts;
    unsigned         i, flags;
    lr_sample_t      s;
    lr_flv_body_t    b;
    lr_picture_t     whole, pieces;
    static lr_row_t  rows[FUZZ_ROWS];

    if (size == 0) {
        return 0;
    }

    for (i = 0; i < FUZZ_ROWS; i++) {
        rows[i].dts = (int32_t) i * 40;
        rows[i].flags = LR_SAMPLE_VIDEO;
    }

    memset(&s, 0, sizeof(lr_sample_t));

    ts = lr_ts_create();

    if (ts == NULL || lr_ts_begin(ts, rows, FUZZ_ROWS, 0, 0) != LR_OK) {
        abort();
    }

    fuzz_config(ts, &whole, &s, data[0]);

    data++;
    size--;

    for (i = 1; i < FUZZ_ROWS && size >= 3; i++) {
        head = data[0] % (sizeof(heads) / sizeof(heads[0]));
        n = data[1] < size - 3 ? data[1] : size - 3;
        step = data[2];

        memcpy(body, heads[head].data, heads[head].n);
        memcpy(body + heads[head].n, data + 3, n);

        data += 3 + n;
        size -= 3 + n;
        n += heads[head].n;

        /* sequence headers would change what is known of the lengths */

        lr_flv_parse(LR_FLV_VIDEO, body, n, &b);

        if (b.kind != LR_FLV_FRAME) {
            continue;
        }

        pieces = whole;
        flags = fuzz_feed(&whole, body, n, n);

        if (fuzz_feed(&pieces, body, n, step) != flags
            || pieces.open != whole.open || pieces.held != whole.held)
        {
            abort();
        }

        s.data = body;
        s.size = n;

        if (picture_check_ts(ts, &s) != (flags & ~LR_SAMPLE_TIED)) {
            abort();
        }
    }

    lr_ts_destroy(ts);

    return 0;
}
