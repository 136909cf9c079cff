
/*
 * Copyright (C) the ngx_live_record authors
 *
 * A disk that is slow, or fails, for nginx to be started with:
 *
 *     LD_PRELOAD=slowdisk.so SLOWDISK=/path/of/control nginx ...
 *
 * The control file holds "DELAY ERRNO PREFIX": what writes to files below
 * PREFIX, or brings them to the disk, takes DELAY ms, and fails with ERRNO if
 * that is not 0.  It is read anew each time; while it is not there, nothing is
 * done.  A second line "FROM TO SUFFIX" is of bytes that cannot be read, of
 * files whose path ends so: pread() gives those before them, and then EIO.
 */


#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>


static void slowdisk_init(void) __attribute__((constructor));
static int slowdisk_told(int fd, char *text, size_t size, char *path);
static int slowdisk_wait(int fd);
static ssize_t slowdisk_read(int fd, void *p, size_t n, off_t offset);


static char  slowdisk_control[4096];

static ssize_t (*slowdisk_pwritev)(int, const struct iovec *, int, off_t);
static ssize_t (*slowdisk_pread)(int, void *, size_t, off_t);
static ssize_t (*slowdisk_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*slowdisk_write)(int, const void *, size_t);
static int (*slowdisk_fdatasync)(int);
static int (*slowdisk_fsync)(int);


/* nginx takes the environment away from its workers, but not the memory */

static void
slowdisk_init(void)
{
    char  *s;

    s = getenv("SLOWDISK");

    if (s) {
        snprintf(slowdisk_control, sizeof(slowdisk_control), "%s", s);
    }

    slowdisk_pwritev = (ssize_t (*)(int, const struct iovec *, int, off_t))
                       dlsym(RTLD_NEXT, "pwritev");
    slowdisk_pread = (ssize_t (*)(int, void *, size_t, off_t))
                     dlsym(RTLD_NEXT, "pread");
    slowdisk_pwrite = (ssize_t (*)(int, const void *, size_t, off_t))
                      dlsym(RTLD_NEXT, "pwrite");
    slowdisk_write = (ssize_t (*)(int, const void *, size_t))
                     dlsym(RTLD_NEXT, "write");
    slowdisk_fdatasync = (int (*)(int)) dlsym(RTLD_NEXT, "fdatasync");
    slowdisk_fsync = (int (*)(int)) dlsym(RTLD_NEXT, "fsync");
}


/* what the control file says now, and the path of a file of 4096 bytes */

static int
slowdisk_told(int fd, char *text, size_t size, char *path)
{
    int      n, err;
    char     link[64];
    ssize_t  len;

    err = errno;

    n = open(slowdisk_control, O_RDONLY|O_CLOEXEC);

    if (n == -1) {
        errno = err;
        return 0;
    }

    len = read(n, text, size - 1);
    close(n);

    text[len > 0 ? len : 0] = '\0';

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    len = readlink(link, path, 4095);
    path[len > 0 ? len : 0] = '\0';

    errno = err;

    return 1;
}


/* 0, or -1 with errno when the write is to fail */

static int
slowdisk_wait(int fd)
{
    int              rc, delay, err;
    char             text[8400], prefix[4096], path[4096];
    struct timespec  ts;

    rc = errno;

    if (!slowdisk_told(fd, text, sizeof(text), path)
        || sscanf(text, "%d %d %4095s", &delay, &err, prefix) != 3
        || strncmp(path, prefix, strlen(prefix)) != 0)
    {
        return 0;
    }

    ts.tv_sec = delay / 1000;
    ts.tv_nsec = delay % 1000 * 1000000L;

    while (nanosleep(&ts, &ts) == -1 && errno == EINTR) {
        /* void */
    }

    errno = err ? err : rc;

    return err ? -1 : 0;
}


static ssize_t
slowdisk_read(int fd, void *p, size_t n, off_t offset)
{
    char    text[8400], suffix[4096], path[4096], *line;
    size_t  len;
    off_t   from, to;

    if (slowdisk_told(fd, text, sizeof(text), path)
        && (line = strchr(text, '\n')) != NULL
        && sscanf(line + 1, "%ld %ld %4095s", &from, &to, suffix) == 3
        && (len = strlen(suffix)) <= strlen(path)
        && strcmp(path + strlen(path) - len, suffix) == 0
        && offset < to && offset + (off_t) n > from)
    {
        if (offset >= from) {
            errno = EIO;
            return -1;
        }

        n = (size_t) (from - offset);
    }

    return slowdisk_pread(fd, p, n, offset);
}


ssize_t
pread(int fd, void *p, size_t n, off_t offset)
{
    return slowdisk_read(fd, p, n, offset);
}


ssize_t
pread64(int fd, void *p, size_t n, off_t offset)
{
    return slowdisk_read(fd, p, n, offset);
}


ssize_t
pwritev(int fd, const struct iovec *iov, int n, off_t offset)
{
    return slowdisk_wait(fd) == -1 ? -1
                                   : slowdisk_pwritev(fd, iov, n, offset);
}


ssize_t
pwrite(int fd, const void *p, size_t n, off_t offset)
{
    return slowdisk_wait(fd) == -1 ? -1 : slowdisk_pwrite(fd, p, n, offset);
}


ssize_t
write(int fd, const void *p, size_t n)
{
    return slowdisk_wait(fd) == -1 ? -1 : slowdisk_write(fd, p, n);
}


int
fdatasync(int fd)
{
    return slowdisk_wait(fd) == -1 ? -1 : slowdisk_fdatasync(fd);
}


int
fsync(int fd)
{
    return slowdisk_wait(fd) == -1 ? -1 : slowdisk_fsync(fd);
}
