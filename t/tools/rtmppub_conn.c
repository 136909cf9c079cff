
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The connection, and the ways to end it.
 */


#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <linux/sockios.h>
#include <unistd.h>
#include "rtmppub.h"


static int pub_drain(pub_t *pub);


void
pub_connect(pub_t *pub)
{
    int               rc, one;
    struct addrinfo  *res, hints;

    memset(&hints, 0, sizeof(struct addrinfo));
    hints.ai_socktype = SOCK_STREAM;

    rc = getaddrinfo(pub->host, pub->port, &hints, &res);

    if (rc != 0) {
        exit(pub_lost(pub, gai_strerror(rc)));
    }

    pub->fd = socket(res->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (pub->fd == -1
        || connect(pub->fd, res->ai_addr, res->ai_addrlen) == -1)
    {
        exit(pub_lost(pub, strerror(errno)));
    }

    freeaddrinfo(res);

    one = 1;
    setsockopt(pub->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(int));
    fcntl(pub->fd, F_SETFL, O_NONBLOCK);

    pub_event(pub, "connected", NULL);

    pub->client.app = pub->app;
    pub->client.tcurl = pub->tcurl;
    pub->client.name = pub->names[0];
    pub->client.chunk = pub->chunk;

    pub->answer = pub_now() + PUB_TIMEOUT;

    rtmp_client_start(&pub->client, (unsigned) getpid());
}


int
pub_read(pub_t *pub)
{
    u_char   buf[16384];
    ssize_t  n;

    for ( ;; ) {
        n = recv(pub->fd, buf, sizeof(buf), 0);

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n == -1 && errno == EAGAIN) {
            return PUB_OK;
        }

        if (n <= 0) {

            if (pub->done) {
                return PUB_OK;
            }

            if (pub->client.state == RTMP_PUBLISHING) {
                printf("refused: closed\n");
                pub_event(pub, "refused", "closed");
                return PUB_REFUSED;
            }

            return pub_lost(pub, n ? strerror(errno) : "closed");
        }

        if (rtmp_client_input(&pub->client, buf, (size_t) n) == LR_OK) {
            continue;
        }

        if (pub->client.state < RTMP_CREATING) {
            return pub_lost(pub, pub->client.error);
        }

        printf("refused: %s\n", pub->client.status[0] ? pub->client.status
                                                      : pub->client.error);
        pub_event(pub, "refused", pub->client.status);

        return PUB_REFUSED;
    }
}


int
pub_write(pub_t *pub)
{
    ssize_t    n;
    lr_buf_t  *out;

    out = &pub->client.out;

    while (out->len) {
        n = send(pub->fd, out->data, out->len, MSG_NOSIGNAL);

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n == -1 && errno == EAGAIN) {
            return PUB_OK;
        }

        if (n == -1) {
            /* what the server said before it closed tells more */
            return pub_read(pub) == PUB_REFUSED
                   ? PUB_REFUSED : pub_lost(pub, strerror(errno));
        }

        pub->bytes += (uint64_t) n;

        rtmp_buf_shift(out, (size_t) n);
    }

    return PUB_OK;
}


int
pub_finish(pub_t *pub)
{
    int            rc;
    u_char         b[4096];
    double         until;
    ssize_t        n;
    struct pollfd  pfd;
    struct linger  linger;

    pfd.fd = pub->fd;
    pfd.events = POLLIN;

    switch (pub->end) {

    case PUB_HOLD:
        pub_event(pub, "holding", NULL);

        while (!pub_terminate) {

            /* pings stay without an answer, too: the publisher is gone */

            pfd.events = POLLRDHUP;

            if (poll(&pfd, 1, 100) > 0) {
                return pub_lost(pub, "closed");
            }
        }

        break;

    case PUB_KILL:
        rc = pub_drain(pub);

        if (rc != PUB_OK) {
            return rc;
        }

        pub_event(pub, "ended", "kill");
        kill(getpid(), SIGKILL);
        break;

    case PUB_RST:
        /* an RST throws away what is still on its way, so nothing may be */
        rc = pub_drain(pub);

        if (rc != PUB_OK) {
            return rc;
        }

        linger.l_onoff = 1;
        linger.l_linger = 0;
        setsockopt(pub->fd, SOL_SOCKET, SO_LINGER, &linger,
                   sizeof(struct linger));
        break;

    case PUB_CLEAN:
        rtmp_client_unpublish(&pub->client);
        pub->done = 1;

        until = pub_now() + PUB_TIMEOUT;

        while (pub->client.out.len && pub_now() < until) {
            rc = pub_write(pub);

            if (rc != PUB_OK) {
                return rc;
            }

            usleep(1000);
        }

        /* fall through */

    case PUB_FIN:
        shutdown(pub->fd, SHUT_WR);

        /* the end of the server's side says that it has read everything */

        until = pub_now() + PUB_TIMEOUT;

        while (pub_now() < until) {

            if (poll(&pfd, 1, 100) <= 0) {
                continue;
            }

            n = recv(pub->fd, b, sizeof(b), 0);

            if (n == -1 && errno == ECONNRESET) {
                /* closed before everything was read */
                return pub_lost(pub, strerror(errno));
            }

            if (n == 0 || (n == -1 && errno != EAGAIN)) {
                break;
            }
        }

        break;
    }

    close(pub->fd);

    pub_event(pub, "ended", NULL);

    return PUB_OK;
}


/* waits until the other side has acknowledged every byte, not for ever */

static int
pub_drain(pub_t *pub)
{
    int            left;
    double         until;
    struct pollfd  pfd;

    pfd.fd = pub->fd;
    pfd.events = 0;

    until = pub_now() + PUB_TIMEOUT;

    while (pub_now() < until) {

        if (ioctl(pub->fd, SIOCOUTQ, &left) == -1 || left == 0) {
            return PUB_OK;
        }

        if (poll(&pfd, 1, 2) > 0) {
            return pub_lost(pub, "closed");
        }
    }

    return PUB_OK;
}


int
pub_lost(pub_t *pub, const char *text)
{
    fprintf(stderr, "rtmppub: connection lost: %s\n", text);
    pub_event(pub, "lost", text);

    return PUB_LOST;
}
