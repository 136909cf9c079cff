
/*
 * Copyright (C) the ngx_live_record authors
 *
 * A disk that does not answer, for nginx to be started with:
 *
 *     LD_PRELOAD=stuckdisk.so STUCKDISK=/path/of/control nginx ...
 *
 * As long as the control file is there, what asks for the state of files whose
 * path has the text in it that it holds, waits.
 */


#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>


static void stuckdisk_init(void) __attribute__((constructor));
static void stuckdisk_wait(int fd);
static int stuckdisk_holds(const char *path);


static char  stuckdisk_control[4096];

static int (*stuckdisk_fstat)(int, struct stat *);


/* nginx takes the environment away from its workers, but not the memory */

static void
stuckdisk_init(void)
{
    char  *s;

    s = getenv("STUCKDISK");

    if (s) {
        snprintf(stuckdisk_control, sizeof(stuckdisk_control), "%s", s);
    }

    stuckdisk_fstat = (int (*)(int, struct stat *)) dlsym(RTLD_NEXT, "fstat");
}


static void
stuckdisk_wait(int fd)
{
    int      err;
    char     link[64], path[4096];
    ssize_t  n;

    err = errno;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);

    n = readlink(link, path, sizeof(path) - 1);
    path[n > 0 ? n : 0] = '\0';

    while (stuckdisk_holds(path)) {
        usleep(10000);
    }

    errno = err;
}


static int
stuckdisk_holds(const char *path)
{
    FILE  *f;
    char   text[4096];
    int    rc;

    f = fopen(stuckdisk_control, "r");

    if (f == NULL) {
        return 0;
    }

    rc = fscanf(f, "%4095s", text) == 1 && strstr(path, text) != NULL;

    fclose(f);

    return rc;
}


int
fstat(int fd, struct stat *st)
{
    stuckdisk_wait(fd);

    return stuckdisk_fstat(fd, st);
}
