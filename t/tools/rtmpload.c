
/*
 * Copyright (C) the ngx_live_record authors
 *
 * rtmpload - a cheap RTMP publisher: replays one FLV file over N connections
 * from a single epoll loop, in real time, at a chosen speed-up, or as fast
 * as the server reads.
 *
 * The file is read once and its tags are cut into RTMP chunks once; a
 * connection only adds the 8- or 12-byte message header, so the cost per
 * stream is one sendmsg() per due group of tags.
 */


#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include "rtmpload.h"


#define LOAD_EVENTS  512


static void load_run(load_t *load);


int
main(int argc, char **argv)
{
    double         start;
    load_t        *load;
    struct rlimit  rl;

    load = load_alloc(sizeof(load_t));

    load_options(load, argc, argv);

    signal(SIGPIPE, SIG_IGN);

    if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
        rl.rlim_cur = rl.rlim_max;
        setrlimit(RLIMIT_NOFILE, &rl);
    }

    load_flv(load);
    load_conns(load);

    start = load_now();

    load_run(load);
    load_report(load, start);

    return load->failed ? 1 : 0;
}


void
load_die(const char *text)
{
    fprintf(stderr, "rtmpload: %s\n", text);
    exit(2);
}


void *
load_alloc(size_t n)
{
    void  *p;

    p = calloc(1, n);
    if (p == NULL) {
        load_die("out of memory");
    }

    return p;
}


double
load_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec + ts.tv_nsec / 1e9;
}


static void
load_run(load_t *load)
{
    int                 i, n;
    double              start, now;
    unsigned            k, busy;
    struct timespec     wait;
    struct epoll_event  ev[LOAD_EVENTS];

    start = load_now();

    while (load->done < load->n) {
        now = load_now();

        while (load->opened < load->n
               && now >= start + load->ramp * load->opened / load->n)
        {
            load_open(load, &load->conns[load->opened++]);
        }

        busy = 0;

        for (k = 0; k < load->opened; k++) {
            busy |= load->conns[k].state == LOAD_STREAM && load->speed <= 0;
            load_check(load, &load->conns[k], now);
        }

        /* as fast as the server reads: its events set the pace */

        wait.tv_sec = 0;
        wait.tv_nsec = busy ? 20 * 1000000 : load->tick_us * 1000;

        n = epoll_pwait2(load->ep, ev, LOAD_EVENTS, &wait, NULL);

        for (i = 0; i < n; i++) {
            load_event(load, ev[i].data.ptr, ev[i].events, now);
        }
    }
}
