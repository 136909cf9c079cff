
/*
 * Copyright (C) the ngx_live_record authors
 *
 * How long an event loop is away from its waiting, for nginx to be started
 * with:
 *
 *     LD_PRELOAD=looplag.so LOOPLAG=/path/of/prefix nginx ...
 *
 * Each process that calls epoll_wait() writes to PREFIX.PID, at most every
 * 100 ms, "ROUNDS WALL CPU SLEPT OVER": how often it came back from it; the
 * longest time until it called it again, in microseconds of the wall clock,
 * of the thread's own CPU time, and of what the thread slept, as one does that
 * waits for a disk or a lock, but not for a processor; and how many of the
 * latter two together were over 5 ms.  Removing PREFIX.PID begins anew.  It
 * should be in memory, e.g. in /dev/shm, not to be what is waited for.
 */


#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>


static void looplag_init(void) __attribute__((constructor));
static int64_t looplag_now(clockid_t clock);
static int64_t looplag_delay(void);
static long looplag_switches(void);
static void looplag_write(int64_t now);


static char  looplag_prefix[4096];

static int (*looplag_epoll_wait)(int, struct epoll_event *, int, int);

/* of the process; it is not a thread that calls epoll_wait() in nginx */

static pid_t    looplag_pid;
static int64_t  looplag_wall, looplag_cpu, looplag_wrote;
static int64_t  looplag_rounds, looplag_max_wall, looplag_max_cpu;
static int64_t  looplag_max_slept, looplag_over;
static int64_t  looplag_delayed;
static long     looplag_switched;


/* nginx takes the environment away from its workers, but not the memory */

static void
looplag_init(void)
{
    char  *s;

    s = getenv("LOOPLAG");

    if (s) {
        snprintf(looplag_prefix, sizeof(looplag_prefix), "%s", s);
    }

    looplag_epoll_wait = (int (*)(int, struct epoll_event *, int, int))
                         dlsym(RTLD_NEXT, "epoll_wait");
}


static int64_t
looplag_now(clockid_t clock)
{
    struct timespec  ts;

    clock_gettime(clock, &ts);

    return (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


/* how long the thread has waited for a processor, microseconds */

static int64_t
looplag_delay(void)
{
    char           text[100], *p;
    ssize_t        n;
    static int     fd = -1;
    static pid_t   pid;

    if (pid != getpid()) {
        pid = getpid();
        fd = open("/proc/thread-self/schedstat", O_RDONLY|O_CLOEXEC);
    }

    n = pread(fd, text, sizeof(text) - 1, 0);

    if (n <= 0) {
        return 0;
    }

    text[n] = '\0';
    (void) strtoll(text, &p, 10);

    return strtoll(p, NULL, 10) / 1000;
}


/* how often the thread has waited for something but a processor */

static long
looplag_switches(void)
{
    struct rusage  ru;

    getrusage(RUSAGE_THREAD, &ru);

    return ru.ru_nvcsw;
}


int
epoll_wait(int fd, struct epoll_event *events, int n, int timeout)
{
    int      rc;
    int64_t  wall, cpu, slept, now;

    now = looplag_now(CLOCK_MONOTONIC);

    if (looplag_prefix[0] && looplag_pid == getpid() && looplag_wall) {
        wall = now - looplag_wall;
        cpu = looplag_now(CLOCK_THREAD_CPUTIME_ID) - looplag_cpu;
        slept = 0;

        /* a virtual machine may be stopped, too, which is no sleep */

        if (looplag_switches() != looplag_switched) {
            slept = wall - cpu - (looplag_delay() - looplag_delayed);
        }

        looplag_rounds++;
        looplag_over += cpu + slept > 5000;

        if (wall > looplag_max_wall) {
            looplag_max_wall = wall;
        }

        if (cpu > looplag_max_cpu) {
            looplag_max_cpu = cpu;
        }

        if (slept > looplag_max_slept) {
            looplag_max_slept = slept;
        }

        if (now - looplag_wrote > 100000) {
            looplag_write(now);
        }
    }

    looplag_pid = getpid();

    rc = looplag_epoll_wait(fd, events, n, timeout);

    looplag_switched = looplag_switches();
    looplag_delayed = looplag_delay();
    looplag_cpu = looplag_now(CLOCK_THREAD_CPUTIME_ID);
    looplag_wall = looplag_now(CLOCK_MONOTONIC);

    return rc;
}


static void
looplag_write(int64_t now)
{
    int   fd, n;
    char  path[4200], text[200];

    snprintf(path, sizeof(path), "%s.%d", looplag_prefix, (int) looplag_pid);

    if (looplag_wrote && access(path, F_OK) == -1) {
        looplag_rounds = 0;
        looplag_max_wall = 0;
        looplag_max_cpu = 0;
        looplag_max_slept = 0;
        looplag_over = 0;
    }

    looplag_wrote = now;

    n = snprintf(text, sizeof(text), "%19lld %19lld %19lld %19lld %19lld\n",
                 (long long) looplag_rounds, (long long) looplag_max_wall,
                 (long long) looplag_max_cpu, (long long) looplag_max_slept,
                 (long long) looplag_over);

    /* to cut it would have the file system free and take a block each time */

    fd = open(path, O_WRONLY|O_CREAT|O_CLOEXEC, 0644);

    if (fd == -1 || write(fd, text, (size_t) n) != n) {
        /* it is tried again */
    }

    if (fd != -1) {
        close(fd);
    }
}
