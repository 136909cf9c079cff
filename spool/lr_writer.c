
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "lr_flv.h"
#include "lr_writer.h"


static int lr_writer_settle(lr_writer_t *w);


void
lr_writer_init(lr_writer_t *w, const lr_claim_t *claim, unsigned fsync)
{
    memset(w, 0, sizeof(lr_writer_t));

    strcpy(w->dir, claim->dir);
    w->log = claim->fd;
    w->fd = -1;
    w->fsync = fsync;
}


int
lr_writer_open(lr_writer_t *w, const lr_fragment_t *f)
{
    lr_fragment_t  next;

    /*
     * What was lost since the last good byte may not be known yet to whoever
     * queued this fragment.
     */

    next = *f;
    next.discontinuity |= w->gap;

    w->gap = 1;

    if (lr_writer_settle(w) != LR_OK) {
        return LR_ERROR;
    }

    /*
     * The journal first: a fragment that it does not name would never be
     * found, one that has no file is dropped.
     */

    if (lr_recording_open(w->log, &next) != LR_OK) {
        return LR_ERROR;
    }

    w->f = next;
    w->opened = 1;
    w->broken = 0;
    w->offset = LR_FLV_FILE_HEADER;

    w->fd = lr_fragment_create(w->dir, f->number);

    if (w->fd == -1) {
        return LR_ERROR;
    }

    w->gap = 0;

    return LR_OK;
}


/* closes in the journal what an earlier error left open there */

static int
lr_writer_settle(lr_writer_t *w)
{
    int        rc;
    lr_row_t  *rows;

    if (w->fd != -1) {
        close(w->fd);
        w->fd = -1;
    }

    if (!w->opened) {
        return LR_OK;
    }

    rc = lr_fragment_repair(w->dir, w->f.number, &rows, &w->f.rows,
                            &w->f.bytes);

    if (rc == LR_OK) {
        lr_fragment_measure(&w->f, rows, w->f.rows);
        free(rows);
        rc = lr_recording_close(w->log, &w->f);

    } else if (rc == LR_DECLINED) {
        rc = lr_recording_drop(w->log, w->f.number);
    }

    if (rc == LR_OK) {
        w->opened = 0;
    }

    return rc;
}


int
lr_writer_append(lr_writer_t *w, const struct iovec *iov, int n)
{
    int       rc, i;
    off_t     pos;
    size_t    total, done;
    ssize_t   got;

    if (w->fd == -1 || w->broken) {
        errno = EBADF;
        return LR_ERROR;
    }

    total = 0;

    for (i = 0; i < n; i++) {
        total += iov[i].iov_len;
    }

    pos = (off_t) w->offset;

    got = pwritev(w->fd, iov, n, pos);

    if (got == (ssize_t) total) {
        w->offset += total;
        return LR_OK;
    }

    /* rare: finish a short write piece by piece */

    done = got > 0 ? (size_t) got : 0;
    rc = got == -1 && errno != EINTR ? errno : 0;

    for (i = 0; i < n && rc == 0; i++) {
        size_t  len;

        len = iov[i].iov_len;

        if (done >= len) {
            done -= len;
            pos += (off_t) len;
            continue;
        }

        while (done < len && rc == 0) {
            got = pwrite(w->fd, (char *) iov[i].iov_base + done, len - done,
                         pos + (off_t) done);

            if (got > 0) {
                done += (size_t) got;

            } else if (got == 0) {
                rc = ENOSPC;

            } else if (errno != EINTR) {
                rc = errno;
            }
        }

        pos += (off_t) len;
        done = 0;
    }

    if (rc == 0) {
        w->offset += total;
        return LR_OK;
    }

    w->broken = 1;

    if (ftruncate(w->fd, (off_t) w->offset) == -1) {
        /* the close cuts again, and the scan of a repair would */
    }

    errno = rc;

    return LR_ERROR;
}


int
lr_writer_close(lr_writer_t *w, const lr_row_t *rows, uint32_t n,
    int64_t duration, uint32_t *lost)
{
    uint32_t  good;
    uint64_t  end;

    *lost = n;
    w->gap = 1;

    if (w->fd == -1) {
        return lr_writer_settle(w);
    }

    good = n;

    while (good
           && (uint64_t) rows[good - 1].offset + rows[good - 1].size
              + LR_FLV_TAG_TRAILER > w->offset)
    {
        good--;
    }

    end = good ? (uint64_t) rows[good - 1].offset + rows[good - 1].size
                 + LR_FLV_TAG_TRAILER
               : LR_FLV_FILE_HEADER;

    if ((good == 0 || w->broken || end != w->offset)
        && ftruncate(w->fd, (off_t) end) == -1)
    {
        return lr_writer_settle(w);
    }

    *lost = n - good;
    w->gap = *lost != 0;

    if (good == 0) {
        return lr_writer_settle(w);
    }

    if (w->fsync && fdatasync(w->fd) == -1) {
        return LR_ERROR;
    }

    lr_fragment_measure(&w->f, rows, good);

    if (duration >= 0 && good == n) {
        w->f.duration = duration;
    }

    w->f.rows = good;
    w->f.bytes = end;

    if (lr_fragment_write_rows(w->dir, w->f.number, rows, good) != LR_OK
        || lr_recording_close(w->log, &w->f) != LR_OK)
    {
        return LR_ERROR;
    }

    /* journalled, and not to be closed there again, whatever comes */

    w->opened = 0;

    close(w->fd);
    w->fd = -1;

    return w->fsync && fdatasync(w->log) == -1 ? LR_ERROR : LR_OK;
}


int
lr_writer_unpublish(lr_writer_t *w, int64_t time, const char *why)
{
    int  rc, err;

    rc = lr_writer_settle(w);

    if (rc == LR_OK) {
        rc = lr_recording_unpublish(w->log, time, why);
    }

    err = errno;

    if (w->fd != -1) {
        close(w->fd);
        w->fd = -1;
    }

    close(w->log);
    w->log = -1;

    errno = err;

    return rc;
}
