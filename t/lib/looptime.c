
/*
 * Copyright (C) the ngx_live_record authors
 *
 * How long an event loop is busy between two waits, in CPU time of its
 * thread, for nginx to be started with:
 *
 *     LD_PRELOAD=looptime.so LOOPTIME=/path/of/log nginx ...
 *
 * The log has a line with the microseconds of each turn of 1 ms or more.
 * CPU time is taken because it is the same on a machine that others use.
 */


#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>


#define LOOPTIME_LEAST  1000


static void looptime_init(void) __attribute__((constructor));
static long looptime_now(void);


static int   looptime_fd = -1;
static long  looptime_began;

static int (*looptime_epoll_wait)(int, struct epoll_event *, int, int);


static void
looptime_init(void)
{
    char  *s;

    s = getenv("LOOPTIME");

    if (s) {
        looptime_fd = open(s, O_WRONLY|O_CREAT|O_APPEND|O_CLOEXEC, 0644);
    }

    looptime_epoll_wait = (int (*)(int, struct epoll_event *, int, int))
                          dlsym(RTLD_NEXT, "epoll_wait");
}


static long
looptime_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);

    return ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


int
epoll_wait(int fd, struct epoll_event *events, int n, int timeout)
{
    int   rc, len;
    long  took;
    char  line[32];

    took = looptime_began ? looptime_now() - looptime_began : 0;

    if (took >= LOOPTIME_LEAST && looptime_fd != -1) {
        len = snprintf(line, sizeof(line), "%ld\n", took);
        rc = (int) write(looptime_fd, line, (size_t) len);
        (void) rc;
    }

    rc = looptime_epoll_wait(fd, events, n, timeout);

    looptime_began = looptime_now();

    return rc;
}
