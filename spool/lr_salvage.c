
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "lr_flv.h"
#include "lr_fragment.h"
#include "lr_plain.h"
#include "lr_recording.h"
#include "lr_salvage.h"
#include "lr_sample.h"
#include "lr_spool.h"


/* as much as a page cache gives up for one bad sector */
#define LR_SALVAGE_BLOCK  4096

#define LR_SALVAGE_FILE   "salvage.flv"


static int lr_salvage_copy(int from, int to, uint64_t *size, uint64_t *lost);
static int lr_salvage_tags(int fd, const lr_row_t *rows, uint32_t n);


int
lr_salvage(const char *spool, const char *dir, uint32_t number,
    const char *name, uint64_t *lost)
{
    int        fd, out, rc, err;
    char       path[LR_PATH_MAX + 16], temp[LR_PATH_MAX + 16];
    uint32_t   n;
    uint64_t   size;
    lr_row_t  *rows;

    if (lr_fragment_path(path, sizeof(path), dir, number, "flv") != LR_OK) {
        return LR_ERROR;
    }

    fd = lr_plain_open(path, O_RDONLY);

    if (fd == -1) {
        return LR_ERROR;
    }

    (void) snprintf(temp, sizeof(temp), "%s/" LR_SALVAGE_FILE, dir);

    out = lr_plain_open(temp, O_RDWR|O_CREAT|O_TRUNC);
    rc = out == -1 ? LR_ERROR : lr_salvage_copy(fd, out, &size, lost);

    if (rc == LR_OK && *lost == 0) {
        rc = LR_DECLINED;
    }

    if (rc == LR_OK
        && lr_fragment_saved_rows(dir, number, size, &rows, &n) == LR_OK)
    {
        rc = lr_salvage_tags(out, rows, n);
        free(rows);
    }

    if (rc == LR_OK && fdatasync(out) == -1) {
        rc = LR_ERROR;
    }

    if (rc == LR_OK) {
        rc = lr_spool_quarantine(spool, path + strlen(spool) + 1, name);
    }

    if (rc == LR_OK && rename(temp, path) == -1) {
        rc = LR_ERROR;
    }

    err = errno;

    if (rc != LR_OK && out != -1) {
        (void) unlink(temp);
    }

    if (out != -1) {
        close(out);
    }

    close(fd);

    errno = err;

    return rc;
}


/* blocks that cannot be read are left as a hole, which reads as zeros */

static int
lr_salvage_copy(int from, int to, uint64_t *size, uint64_t *lost)
{
    off_t     end;
    u_char    block[LR_SALVAGE_BLOCK];
    ssize_t   got;
    uint64_t  n, pos;

    *lost = 0;

    end = lseek(from, 0, SEEK_END);

    if (end == -1) {
        return LR_ERROR;
    }

    *size = (uint64_t) end;

    if (ftruncate(to, end) == -1) {
        return LR_ERROR;
    }

    for (pos = 0; pos < *size; pos += n) {

        /* to the end of the block, which goes as a whole if it does */

        n = LR_SALVAGE_BLOCK - pos % LR_SALVAGE_BLOCK;

        if (n > *size - pos) {
            n = *size - pos;
        }

        got = pread(from, block, (size_t) n, (off_t) pos);

        if (got == -1 && errno == EINTR) {
            n = 0;
            continue;
        }

        if (got == -1 && errno == EIO) {
            *lost += n;
            continue;
        }

        if (got < 1) {
            return LR_ERROR;
        }

        n = (uint64_t) got;
        errno = ENOSPC;

        if (pwrite(to, block, (size_t) n, (off_t) pos) != got) {
            return LR_ERROR;
        }
    }

    return LR_OK;
}


/* the framing is known from the rows, so it may be an FLV file still */

static int
lr_salvage_tags(int fd, const lr_row_t *rows, uint32_t n)
{
    u_char    head[LR_FLV_FILE_HEADER], tag[LR_FLV_TAG_HEADER];
    u_char    trailer[LR_FLV_TAG_TRAILER];
    uint32_t  i;

    lr_flv_file_header(head, 1, 1);

    errno = ENOSPC;

    if (pwrite(fd, head, sizeof(head), 0) != (ssize_t) sizeof(head)) {
        return LR_ERROR;
    }

    for (i = 0; i < n; i++) {

        lr_flv_tag_header(tag, rows[i].flags & LR_SAMPLE_VIDEO ? LR_FLV_VIDEO
                                                               : LR_FLV_AUDIO,
                          rows[i].size, rows[i].dts);
        lr_put_be32(trailer, rows[i].size + LR_FLV_TAG_HEADER);

        if (pwrite(fd, tag, sizeof(tag),
                   (off_t) rows[i].offset - LR_FLV_TAG_HEADER)
            != (ssize_t) sizeof(tag)
            || pwrite(fd, trailer, sizeof(trailer),
                      (off_t) rows[i].offset + rows[i].size)
               != (ssize_t) sizeof(trailer))
        {
            return LR_ERROR;
        }
    }

    return LR_OK;
}
