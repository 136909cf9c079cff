
/*
 * Copyright (C) the ngx_live_record authors
 *
 * A connection, from its socket to the end of its stream.
 */


#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "rtmpload.h"


static void load_connected(load_t *load, load_conn_t *c);
static void load_read(load_t *load, load_conn_t *c);
static void load_closed(load_t *load, load_conn_t *c, ssize_t n);
static void load_published(load_t *load, load_conn_t *c);
static void load_send(load_t *load, load_conn_t *c, double now);
static void load_send_control(load_t *load, load_conn_t *c);


void
load_conns(load_t *load)
{
    int           rc;
    char          num[16];
    unsigned      i, n, *keys;
    const char   *p;
    load_conn_t  *c;

    n = 0;
    keys = load_alloc(load->ntags * sizeof(unsigned));

    for (i = 0; i < load->ntags; i++) {
        if (load->tags[i].key) {
            keys[n++] = i;
        }
    }

    load->conns = load_alloc(load->n * sizeof(load_conn_t));

    for (i = 0; i < load->n; i++) {
        c = &load->conns[i];

        c->idx = i;

        if (load->stagger && n) {
            c->first = keys[(uint64_t) i * n / load->n];
        }

        c->pos.tag = c->first;

        sprintf(num, "%u", i);
        p = strstr(load->name, "%d");

        if (p != NULL) {
            rc = asprintf(&c->name, "%.*s%s%s", (int) (p - load->name),
                          load->name, num, p + 2);

        } else {
            rc = asprintf(&c->name, "%s%s", load->name,
                          load->n > 1 ? num : "");
        }

        if (rc < 0
            || asprintf(&c->url, "rtmp://%s:%u/%s", load->host,
                        load->port + i * load->port_step, load->app)
               < 0)
        {
            load_die("out of memory");
        }

        c->client.app = load->app;
        c->client.name = c->name;
        c->client.tcurl = c->url;
        c->client.chunk = load->chunk;
        c->client.msid = 1;
    }

    free(keys);

    load->ep = epoll_create1(EPOLL_CLOEXEC);
}


void
load_open(load_t *load, load_conn_t *c)
{
    int                 one;
    struct sockaddr_in  sin;
    struct epoll_event  ev;

    memset(&sin, 0, sizeof(struct sockaddr_in));
    sin.sin_family = AF_INET;
    sin.sin_port = htons((uint16_t) (load->port
                                     + c->idx * load->port_step));

    if (inet_pton(AF_INET, load->host, &sin.sin_addr) != 1) {
        load_die("--host takes an IPv4 address");
    }

    c->opened = load_now();

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd == -1) {
        load_fail(load, c, strerror(errno));
        return;
    }

    c->state = LOAD_CONNECT;

    one = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(int));

    if (load->sndbuf) {
        setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &load->sndbuf,
                   sizeof(int));
    }

    if (connect(c->fd, (struct sockaddr *) &sin, sizeof(sin)) == -1
        && errno != EINPROGRESS)
    {
        load_fail(load, c, strerror(errno));
        return;
    }

    c->events = EPOLLIN | EPOLLOUT;

    ev.events = c->events;
    ev.data.ptr = c;

    if (epoll_ctl(load->ep, EPOLL_CTL_ADD, c->fd, &ev) == -1) {
        load_fail(load, c, strerror(errno));
    }
}


void
load_check(load_t *load, load_conn_t *c, double now)
{
    switch (c->state) {

    case LOAD_CONNECT:
    case LOAD_HAND:
    case LOAD_SETUP:

        if (now - c->opened > load->timeout) {
            load_fail(load, c, c->state == LOAD_CONNECT
                               ? "connecting timed out"
                               : c->state == LOAD_HAND
                               ? "handshake timed out"
                               : "publishing timed out");
        }

        break;

    case LOAD_READY:

        if (load->gate && load->published + load->failed < load->n) {
            break;
        }

        c->state = LOAD_STREAM;
        c->t0 = now;

        if (load->t_first == 0) {
            load->t_first = now;
        }

        load_send_media(load, c, now);
        break;

    case LOAD_STREAM:

        if (load->speed > 0 && !c->blocked) {
            load_send_media(load, c, now);
        }

        break;

    case LOAD_CLOSE:

        if (now - c->end > load->timeout) {
            load_fail(load, c, "the server did not close");
        }

        break;

    default:
        break;
    }
}


void
load_event(load_t *load, load_conn_t *c, uint32_t events, double now)
{
    if (c->state == LOAD_DONE) {
        return;
    }

    if (c->state == LOAD_CONNECT) {

        if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) {
            load_connected(load, c);
        }

        if (c->state == LOAD_HAND) {
            load_send(load, c, now);
        }

        return;
    }

    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) {
        load_read(load, c);

        if (c->state == LOAD_DONE) {
            return;
        }

        if (c->client.out.len && c->state != LOAD_STREAM) {
            load_send(load, c, now);
        }
    }

    if ((events & EPOLLOUT) && c->state != LOAD_DONE) {
        load_send(load, c, now);
    }
}


static void
load_connected(load_t *load, load_conn_t *c)
{
    int        err;
    socklen_t  len;

    err = 0;
    len = sizeof(int);
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len);

    if (err) {
        load_fail(load, c, strerror(err));
        return;
    }

    if (load->raw) {
        load_published(load, c);
        load_want(load, c, EPOLLIN);
        return;
    }

    rtmp_client_start(&c->client, c->idx);
    c->state = LOAD_HAND;
}


static void
load_read(load_t *load, load_conn_t *c)
{
    u_char   buf[8192];
    ssize_t  n;

    while (c->state != LOAD_DONE) {
        n = recv(c->fd, buf, sizeof(buf), 0);

        if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }

        if (n <= 0) {
            load_closed(load, c, n);
            return;
        }

        if (load->raw) {
            continue;
        }

        if (rtmp_client_input(&c->client, buf, (size_t) n) != LR_OK) {
            load_fail(load, c, c->client.error);
            return;
        }

        if (c->state == LOAD_HAND && c->client.state > RTMP_HANDSHAKE) {
            c->state = LOAD_SETUP;
        }

        if (c->state == LOAD_SETUP && c->client.state == RTMP_PUBLISHED) {
            load_published(load, c);
        }
    }
}


static void
load_closed(load_t *load, load_conn_t *c, ssize_t n)
{
    double  drain;

    if (c->state != LOAD_CLOSE || (n == -1 && errno != ECONNRESET)) {
        load_fail(load, c, n == 0 ? "closed by the server"
                                  : strerror(errno));
        return;
    }

    drain = load_now() - c->end;

    if (drain > load->drain_max) {
        load->drain_max = drain;
    }

    close(c->fd);

    c->state = LOAD_DONE;
    load->done++;

    rtmp_client_free(&c->client);
}


static void
load_published(load_t *load, load_conn_t *c)
{
    if (c->state >= LOAD_READY) {
        return;
    }

    c->state = LOAD_READY;
    load->ok++;
    load->published++;
}


static void
load_send(load_t *load, load_conn_t *c, double now)
{
    switch (c->state) {

    case LOAD_STREAM:
        load_send_media(load, c, now);
        return;

    case LOAD_HAND:
    case LOAD_SETUP:
    case LOAD_READY:
    case LOAD_CLOSE:

        if (c->client.out.len) {
            load_send_control(load, c);
            return;
        }

        break;

    default:
        break;
    }

    load_want(load, c, EPOLLIN);
}


static void
load_send_control(load_t *load, load_conn_t *c)
{
    ssize_t    n;
    lr_buf_t  *out;

    out = &c->client.out;

    n = send(c->fd, out->data, out->len, MSG_NOSIGNAL);

    if (n == -1) {

        if (errno != EAGAIN) {
            load_fail(load, c, strerror(errno));

        } else {
            load_want(load, c, EPOLLIN | EPOLLOUT);
        }

        return;
    }

    rtmp_buf_shift(out, (size_t) n);

    if (out->len) {
        load_want(load, c, EPOLLIN | EPOLLOUT);
        return;
    }

    load_want(load, c, EPOLLIN);

    if (c->state == LOAD_CLOSE) {
        c->end = load_now();
        shutdown(c->fd, SHUT_WR);
    }
}


void
load_finish(load_t *load, load_conn_t *c)
{
    c->state = LOAD_CLOSE;
    c->end = load_now();

    if (!load->raw && !load->abrupt) {
        rtmp_client_unpublish(&c->client);
        load_send_control(load, c);
        return;
    }

    load_want(load, c, EPOLLIN);
    shutdown(c->fd, SHUT_WR);
}


void
load_want(load_t *load, load_conn_t *c, uint32_t events)
{
    struct epoll_event  ev;

    if (c->events == events) {
        return;
    }

    c->events = events;

    ev.events = events;
    ev.data.ptr = c;
    epoll_ctl(load->ep, EPOLL_CTL_MOD, c->fd, &ev);
}


void
load_fail(load_t *load, load_conn_t *c, const char *text)
{
    if (c->state == LOAD_DONE) {
        return;
    }

    if (load->error[0] == '\0') {
        snprintf(load->error, sizeof(load->error), "stream %u: %s", c->idx,
                 text);
    }

    if (c->state != LOAD_WAIT) {
        close(c->fd);
    }

    if (c->state >= LOAD_READY) {
        load->ok--;
    }

    c->state = LOAD_DONE;
    load->failed++;
    load->done++;

    rtmp_client_free(&c->client);
}
