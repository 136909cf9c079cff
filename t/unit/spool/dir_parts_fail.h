
/*
 * Copyright (C) the ngx_live_record authors
 *
 * For tests: file systems that cannot, fail, or do it in steps.  To be included
 * before the file that is tested, for which fallocate() and copy_file_range()
 * are those of here.
 */


#ifndef _DIR_PARTS_FAIL_H_INCLUDED_
#define _DIR_PARTS_FAIL_H_INCLUDED_


#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>


static int       no_link;
static int       no_room;
static int       no_sync;
static int       no_share;
static int       grows;
static size_t    past;              /* bytes past the page cache */
static size_t    share_max;
static unsigned  rooms;
static unsigned  shares;


int
link(const char *a, const char *b)
{
    if (no_link) {
        errno = EPERM;
        return -1;
    }

    return linkat(AT_FDCWD, a, AT_FDCWD, b, 0);
}


/* one without links has no rename() that keeps names either */

int
renameat2(int from, const char *a, int to, const char *b, unsigned flags)
{
    if (no_link) {
        errno = EINVAL;
        return -1;
    }

    return (int) syscall(SYS_renameat2, from, a, to, b, flags);
}


int
fsync(int fd)
{
    if (no_sync) {
        errno = EIO;
        return -1;
    }

    return (int) syscall(SYS_fsync, fd);
}


ssize_t
pwrite(int fd, const void *p, size_t n, off_t at)
{
    ssize_t  got;

    got = syscall(SYS_pwrite64, fd, p, n, at);

    if (got > 0 && (fcntl(fd, F_GETFL) & O_DIRECT)) {
        past += (size_t) got;
    }

    return got;
}


static int
test_lr_fallocate(int fd, int mode, off_t offset, off_t len)
{
    if (no_room && mode == FALLOC_FL_INSERT_RANGE) {

        if (grows && ftruncate(fd, lseek(fd, 0, SEEK_END) + len) == -1) {
            return -1;
        }

        errno = no_room;
        return -1;
    }

    if (fallocate(fd, mode, offset, len) == -1) {
        return -1;
    }

    rooms += mode == FALLOC_FL_INSERT_RANGE;

    return 0;
}


static ssize_t
test_lr_share(int from, off_t *at, int to, off_t *out, size_t n,
    unsigned flags)
{
    if (no_share) {
        errno = EXDEV;
        return -1;
    }

    shares++;

    if (share_max && shares % 3 == 0) {
        return 0;
    }

    return copy_file_range(from, at, to, out,
                           share_max && n > share_max ? share_max : n, flags);
}


#define fallocate        test_lr_fallocate
#define copy_file_range  test_lr_share


#endif /* _DIR_PARTS_FAIL_H_INCLUDED_ */
