
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Any bytes as a fragment: what lr_content.c says is in it holds together,
 * and is the same with a table and without.  Bytes are tags: kind, size,
 * body; the kind may put something good before the body.
 */


#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "lr_content.h"
#include "lr_flv.h"
#include "lr_fragment.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static char  root[64];


static const struct {
    unsigned     type;
    size_t       n;
    const char  *data;
} heads[] = {
    { LR_FLV_VIDEO, 0, "" },
    { LR_FLV_AUDIO, 0, "" },
    { LR_FLV_VIDEO, 30, "\x17\0\0\0\0\1\x42\xc0\x1e\xff\xe1\0\x0a\x67\x42\xc0"
                        "\x1e\xda\x02\x80\xf6\xc0\x44\1\0\4\x68\xce\x3c"
                        "\x80" },
    { LR_FLV_VIDEO, 28, "\x90hvc1\1\1\x60\0\0\0\x90\0\0\0\0\0\x3c\xf0\0\xfc"
                        "\xfd\xf8\xf8\0\0\x0f\0" },
    { LR_FLV_VIDEO, 6, "\x90" "av01\x81" },
    { LR_FLV_VIDEO, 5, "\x27\1\0\0\0" },
    { LR_FLV_VIDEO, 8, "\x91hvc1\0\0\0" },
    { LR_FLV_VIDEO, 5, "\x91" "av01" },
    { LR_FLV_AUDIO, 4, "\xaf\0\x12\x10" },
    { LR_FLV_AUDIO, 2, "\xaf\1" },
    { LR_FLV_AUDIO, 5, "\x2f\xff\xfb\x90\x44" },
    { LR_FLV_AUDIO, 1, "\x2f" },
    { LR_FLV_AUDIO, 7, "\x90mp4a\x12\x10" },
    { LR_FLV_AUDIO, 5, "\x91mp4a" },
    { LR_FLV_AUDIO, 6, "\x90OpusO" },
    { LR_FLV_AUDIO, 5, "\x91Opus" },
    { LR_FLV_AUDIO, 5, "\x90.mp3" },
    { LR_FLV_AUDIO, 9, "\x91.mp3\xff\xfb\x90\x44" }
};


static void
fuzz_clean(void)
{
    lr_fragment_remove(root, 1);
    lr_fragment_remove_tables(root, 1, LR_FRAGMENT_TABLES + 1);
    (void) rmdir(root);
}


static void
fuzz_write(const uint8_t *p, size_t size)
{
    int       fd;
    size_t    n, i;
    u_char    head[LR_FLV_TAG_HEADER], tail[LR_FLV_TAG_TRAILER];
    int32_t   ts;
    lr_buf_t  flv;

    memset(&flv, 0, sizeof(lr_buf_t));
    ts = 0;

    while (size >= 2) {
        i = p[0] % (sizeof(heads) / sizeof(heads[0]));
        n = p[1] < size - 2 ? p[1] : size - 2;
        ts += p[0] >> 4;

        lr_flv_tag_header(head, heads[i].type, heads[i].n + n, ts);
        lr_buf_append(&flv, head, LR_FLV_TAG_HEADER);
        lr_buf_append(&flv, heads[i].data, heads[i].n);
        lr_buf_append(&flv, p + 2, n);
        lr_put_be32(tail, (uint32_t) (heads[i].n + n) + LR_FLV_TAG_HEADER);
        lr_buf_append(&flv, tail, LR_FLV_TAG_TRAILER);

        p += 2 + n;
        size -= 2 + n;
    }

    fd = lr_fragment_create(root, 1);

    if (fd == -1 || flv.failed
        || pwrite(fd, flv.data, flv.len, LR_FLV_FILE_HEADER)
           != (ssize_t) flv.len)
    {
        abort();
    }

    close(fd);
    lr_buf_free(&flv);
}


/* what has to be so in any fragment */

static void
fuzz_check(const lr_content_t *c)
{
    unsigned     t, bit, mp4, flv;
    lr_tracks_t  tracks;

    mp4 = lr_content_mp4(c);
    flv = lr_content_flv(c);

    lr_content_tracks(c, &tracks);

    if (c->tracks == 0 || (c->tracks & ~flv) || (mp4 & ~flv)
        || c->mp4 > c->flv || c->flv == 0 || c->origin == INT64_MAX
        || (tracks.video[0] && !(mp4 & c->tracks & LR_TRACK_VIDEO))
        || (tracks.audio[0] && !(mp4 & c->tracks & LR_TRACK_AUDIO)))
    {
        abort();
    }

    for (t = 0; t < 2; t++) {
        bit = t == LR_CONTENT_VIDEO ? LR_TRACK_VIDEO : LR_TRACK_AUDIO;

        if ((c->digest[t] != 0) != (c->codec[t] != LR_CODEC_NONE)
            || (c->conf[t].len && !(flv & bit))
            || (c->codec[t] == LR_CODEC_MP3 && c->conf[t].len)
            || (mp4 & bit && c->codec[t] != LR_CODEC_MP3
                && c->conf[t].len == 0))
        {
            abort();
        }
    }

    if ((mp4 & LR_TRACK_VIDEO && c->video.codec != c->codec[0])
        || (mp4 & LR_TRACK_AUDIO && c->audio.codec != c->codec[1]))
    {
        abort();
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int           rc, err;
    uint32_t      n;
    uint64_t      bytes;
    lr_row_t     *rows;
    lr_content_t  c, again;

    if (root[0] == '\0') {
        snprintf(root, sizeof(root), "%s/lr_fuzz.XXXXXX",
                 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");

        if (mkdtemp(root) == NULL) {
            abort();
        }

        atexit(fuzz_clean);
    }

    lr_fragment_remove_tables(root, 1, LR_FRAGMENT_TABLES + 1);
    fuzz_write(data, size);

    rc = lr_content_read(&c, root, 1, 1000);
    err = errno;

    if (rc != LR_OK && err != ENODATA) {
        abort();
    }

    if (lr_fragment_repair(root, 1, &rows, &n, &bytes) != LR_OK) {

        if (rc == LR_OK) {
            abort();
        }

        return 0;
    }

    free(rows);

    if (lr_content_read(&again, root, 1, 1000) != rc
        || (rc != LR_OK && errno != err))
    {
        abort();
    }

    if (rc != LR_OK) {
        return 0;
    }

    fuzz_check(&c);

    if (memcmp(c.digest, again.digest, sizeof(c.digest)) != 0
        || c.tracks != again.tracks || c.mp4 != again.mp4
        || c.flv != again.flv || c.origin != again.origin)
    {
        abort();
    }

    lr_content_free(&c);
    lr_content_free(&again);

    return 0;
}
