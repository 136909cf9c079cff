
/*
 * Copyright (C) the ngx_live_record authors
 *
 * rtmppub - an RTMP publisher that sends the tags of FLV files exactly as
 * it is told, for the cases which other publishers put right by themselves.
 */


#define _GNU_SOURCE
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "rtmppub.h"


static void pub_signal(int signo);
static void *pub_alloc(size_t n);
static int pub_run(pub_t *pub);


volatile sig_atomic_t  pub_terminate;


int
main(int argc, char **argv)
{
    int               i, rc;
    pub_t            *pub;
    struct sigaction  sa;

    pub = pub_alloc(sizeof(pub_t));

    pub_options(pub, argc, argv);

    for (i = optind; i < argc; i++) {
        pub_add_file(pub, argv[i]);
    }

    if (pub->ntags == 0) {
        pub_die("no tags to send");
    }

    pub_shift_times(pub);

    if (pub->equal_dts) {
        pub_equal_dts(pub);
    }

    memset(&sa, 0, sizeof(struct sigaction));
    sa.sa_handler = pub_signal;
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGINT, &sa, NULL);

    signal(SIGPIPE, SIG_IGN);

    pub_connect(pub);

    rc = pub_run(pub);

    rtmp_client_free(&pub->client);

    return rc;
}


static void
pub_signal(int signo)
{
    (void) signo;

    pub_terminate = 1;
}


void
pub_die(const char *text)
{
    fprintf(stderr, "rtmppub: %s\n", text);
    exit(PUB_USAGE);
}


static void *
pub_alloc(size_t n)
{
    void  *p;

    p = calloc(1, n);
    if (p == NULL) {
        pub_die("out of memory");
    }

    return p;
}


double
pub_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec + ts.tv_nsec / 1e9;
}


void
pub_event(pub_t *pub, const char *name, const char *text)
{
    struct timespec  now;

    if (!pub->events) {
        return;
    }

    clock_gettime(CLOCK_REALTIME, &now);

    printf("{\"event\":\"%s\",\"time\":%ld.%03ld,\"name\":\"%s\",\"ts\":%lu,"
           "\"media_ms\":%ld,\"audio\":%llu,\"video\":%llu,\"bytes\":%llu",
           name, (long) now.tv_sec, now.tv_nsec / 1000000,
           pub->names[pub->name], (unsigned long) pub->sent_ts,
           (long) pub->sent_time, (unsigned long long) pub->audio,
           (unsigned long long) pub->video,
           (unsigned long long) pub->bytes);

    if (text != NULL) {
        printf(",\"text\":\"%s\"", text);
    }

    printf("}\n");
    fflush(stdout);
}


static int
pub_run(pub_t *pub)
{
    int            rc, timeout;
    double         now, wait;
    struct pollfd  pfd;

    for ( ;; ) {
        now = pub_now();

        if (pub->client.state == RTMP_PUBLISHED && !pub->started) {
            pub->started = 1;
            pub->t0 = now;
            pub->tick = now + pub->progress;
            pub_event(pub, "published", NULL);
        }

        if (pub->started) {

            if (pub_terminate) {
                pub->ended = 1;
            }

            pub_fill(pub, now);

            if (now >= pub->tick) {
                pub->tick += pub->progress;
                pub_event(pub, "progress", NULL);
            }

        } else if (now > pub->answer) {
            return pub_lost(pub, "no answer");

        } else if (pub_terminate) {
            return PUB_FAILED;
        }

        rc = pub_write(pub);

        if (rc != PUB_OK) {
            return rc;
        }

        if (pub->ended && pub->client.out.len == 0) {

            if (pub->name + 1 == pub->nnames || pub_terminate) {
                return pub_finish(pub);
            }

            rtmp_client_unpublish(&pub->client);

            pub->client.name = pub->names[++pub->name];
            pub->next = 0;
            pub->looped = 0;
            pub->started = 0;
            pub->ended = 0;
            pub->answer = now + PUB_TIMEOUT;
            memset(pub->seen, 0, sizeof(pub->seen));

            rtmp_client_publish(&pub->client);
            continue;
        }

        timeout = 100;

        if (pub->started && !pub->ended && pub->client.out.len == 0) {

            if (pub_due(pub, pub_now(), &wait)) {
                timeout = 0;

            } else if (wait < 0.1) {
                timeout = (int) (wait * 1000) + 1;
            }
        }

        pfd.fd = pub->fd;
        pfd.events = POLLIN | (pub->client.out.len ? POLLOUT : 0);

        if (poll(&pfd, 1, timeout) > 0
            && (pfd.revents & (POLLIN | POLLHUP | POLLERR)))
        {
            rc = pub_read(pub);

            if (rc != PUB_OK) {
                return rc;
            }
        }
    }
}
