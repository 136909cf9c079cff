
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/magic.h>
#include <sys/vfs.h>
#endif
#include "lr_direct.h"


/* younger than the other in <linux/magic.h> */

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC  0x58465342
#endif


#ifdef O_DIRECT
#define LR_DIRECT_FLAG  O_DIRECT
#else
#define LR_DIRECT_FLAG  0
#endif


static unsigned lr_direct_able(int fd);
static int lr_direct_set(lr_direct_t *d, unsigned on);


int
lr_direct_begin(lr_direct_t *d, int fd, unsigned direct)
{
    off_t  offset;

    offset = lseek(fd, 0, SEEK_CUR);

    if (offset == -1) {
        return LR_ERROR;
    }

    d->fd = fd;
    d->offset = (uint64_t) offset;
    d->able = direct && lr_direct_able(fd);
    d->on = 0;

    return LR_OK;
}


/*
 * Others say that they can, and copy all the same (ZFS), send each write to
 * a server and wait (NFS), or keep all of it in memory anyway (tmpfs).
 */

static unsigned
lr_direct_able(int fd)
{
#ifdef __linux__

    struct statfs  fs;

    return LR_DIRECT_FLAG && fstatfs(fd, &fs) == 0
           && (fs.f_type == EXT4_SUPER_MAGIC || fs.f_type == XFS_SUPER_MAGIC);

#else

    return 0;

#endif
}


int
lr_direct_write(lr_direct_t *d, const u_char *p, size_t n)
{
    size_t    len;
    ssize_t   got;
    unsigned  on;

    while (n) {
        len = n & ~(size_t) (LR_DIRECT_ALIGN - 1);

        on = d->able && len >= LR_DIRECT_MIN
             && d->offset % LR_DIRECT_ALIGN == 0
             && (uintptr_t) p % LR_DIRECT_ALIGN == 0;

        if (on != d->on && lr_direct_set(d, on) != LR_OK) {
            return LR_ERROR;
        }

        /*
         * Linux 6.1.64 left the position where it was after a direct write,
         * so nothing is asked of it here.
         */

        got = pwrite(d->fd, p, d->on ? len : n, (off_t) d->offset);

        if (got == -1) {
            if (errno == EINTR) {
                continue;
            }

            /* a device with larger blocks, or a mapping in between */

            if (errno == EINVAL && d->on) {
                d->able = 0;
                continue;
            }

            return LR_ERROR;
        }

        p += got;
        n -= (size_t) got;
        d->offset += (uint64_t) got;
    }

    return LR_OK;
}


static int
lr_direct_set(lr_direct_t *d, unsigned on)
{
    int  flags;

    flags = fcntl(d->fd, F_GETFL);

    if (flags == -1) {
        return LR_ERROR;
    }

    flags = on ? flags | LR_DIRECT_FLAG : flags & ~LR_DIRECT_FLAG;

    if (fcntl(d->fd, F_SETFL, flags) == -1) {

        if (on && errno == EINVAL) {
            d->able = 0;
            return LR_OK;
        }

        return LR_ERROR;
    }

    d->on = on;

    return LR_OK;
}


int
lr_direct_end(lr_direct_t *d)
{
    if (d->on && lr_direct_set(d, 0) != LR_OK) {
        return LR_ERROR;
    }

    return lseek(d->fd, (off_t) d->offset, SEEK_SET) == -1 ? LR_ERROR : LR_OK;
}
