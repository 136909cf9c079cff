
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The media that is due on a connection, with one sendmsg().
 */


#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include "rtmpload.h"


#define LOAD_MAX_BATCH  256


typedef struct {
    const load_tag_t  *tag;
    uint32_t           ts;
    size_t             hlen;
    u_char             head[16];
} load_item_t;


static unsigned load_collect(load_t *load, load_conn_t *c, double now,
    unsigned *niov, size_t *total, unsigned *ended);
static unsigned load_account(load_t *load, load_conn_t *c, unsigned n,
    size_t sent);


/* of one call */

static load_item_t   load_items[LOAD_MAX_BATCH];
static struct iovec  load_iov[LOAD_MAX_BATCH * 2 + 1];


void
load_send_media(load_t *load, load_conn_t *c, double now)
{
    size_t         total, ctl;
    ssize_t        n;
    unsigned       niov, nitems, ended, sent;
    struct msghdr  msg;

    niov = 0;
    total = 0;
    ctl = 0;

    /* answers to the server go between two messages */

    if (c->client.out.len && c->sent == 0) {
        ctl = c->client.out.len;
        load_iov[niov].iov_base = c->client.out.data;
        load_iov[niov++].iov_len = ctl;
        total = ctl;
    }

    nitems = load_collect(load, c, now, &niov, &total, &ended);

    if (niov == 0) {
        c->blocked = 0;

        if (ended) {
            load_finish(load, c);

        } else if (load->speed > 0) {
            load_want(load, c, EPOLLIN);
        }

        return;
    }

    memset(&msg, 0, sizeof(struct msghdr));
    msg.msg_iov = load_iov;
    msg.msg_iovlen = niov;

    n = sendmsg(c->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);

    load->writes++;

    if (n == -1) {

        if (errno == EAGAIN) {
            c->blocked = 1;
            load_want(load, c, EPOLLIN | EPOLLOUT);

        } else {
            load_fail(load, c, strerror(errno));
        }

        return;
    }

    load->wire_bytes += (uint64_t) n;
    c->blocked = (size_t) n < total;

    if (ctl) {
        ctl = (size_t) n < ctl ? (size_t) n : ctl;
        rtmp_buf_shift(&c->client.out, ctl);
        n -= (ssize_t) ctl;
    }

    sent = load_account(load, c, nitems, (size_t) n);

    if (ended && sent == nitems && c->client.out.len == 0) {
        load_finish(load, c);

    } else if (c->blocked || load->speed <= 0) {
        load_want(load, c, EPOLLIN | EPOLLOUT);

    } else {
        load_want(load, c, EPOLLIN);
    }
}


/* puts what is due into load_items and load_iov; gives the items */

static unsigned
load_collect(load_t *load, load_conn_t *c, double now, unsigned *niov,
    size_t *total, unsigned *ended)
{
    size_t             skip;
    uint8_t            seen[RTMP_MAX_CSID];
    uint32_t           ts, last[RTMP_MAX_CSID];
    unsigned           n;
    load_pos_t         pos;
    load_item_t       *item;
    struct iovec      *iov;
    rtmp_header_t      h;
    const load_tag_t  *tag;

    *ended = 0;

    pos = c->pos;
    memcpy(last, c->last_ts, sizeof(last));
    memcpy(seen, c->seen, sizeof(seen));
    memset(&h, 0, sizeof(rtmp_header_t));

    for (n = 0; n < LOAD_MAX_BATCH && *total < load->batch; n++) {

        tag = load_tag_at(load, c, &pos, &ts);

        if (tag == NULL) {
            *ended = 1;
            break;
        }

        if (load->speed > 0 && c->t0 + ts / 1000.0 / load->speed > now) {
            break;
        }

        item = &load_items[n];
        item->tag = tag;
        item->ts = ts;
        skip = n == 0 ? c->sent : 0;

        if (skip) {
            memcpy(item->head, c->head, sizeof(c->head));
            item->hlen = c->hlen;

        } else {
            h.full = !seen[tag->csid];
            h.ts = ts;
            h.delta = ts - last[tag->csid];
            h.len = tag->len;
            h.type = tag->type;
            h.csid = tag->csid;
            h.msid = c->client.msid;

            item->hlen = rtmp_put_header(item->head, &h);
        }

        last[tag->csid] = ts;
        seen[tag->csid] = 1;

        *total += item->hlen + tag->wlen - skip;

        if (skip < item->hlen) {
            iov = &load_iov[(*niov)++];
            iov->iov_base = item->head + skip;
            iov->iov_len = item->hlen - skip;
            skip = 0;

        } else {
            skip -= item->hlen;
        }

        iov = &load_iov[(*niov)++];
        iov->iov_base = (void *) (tag->wire + skip);
        iov->iov_len = tag->wlen - skip;

        load_next(load, &pos);
    }

    return n;
}


/* moves the connection past the bytes that are out; gives the items sent */

static unsigned
load_account(load_t *load, load_conn_t *c, unsigned n, size_t sent)
{
    size_t        left;
    double        now, lag;
    unsigned      i;
    load_item_t  *item;

    now = load_now();
    load->t_last = now;

    for (i = 0; i < n; i++) {
        item = &load_items[i];
        left = item->hlen + item->tag->wlen - c->sent;

        if (sent < left) {

            if (sent) {
                memcpy(c->head, item->head, sizeof(c->head));
                c->hlen = item->hlen;
                c->sent += sent;
            }

            break;
        }

        sent -= left;

        c->sent = 0;
        c->last_ts[item->tag->csid] = item->ts;
        c->seen[item->tag->csid] = 1;

        load_next(load, &c->pos);

        load->sent_tags++;
        load->media_bytes += item->tag->len;

        if (load->speed <= 0) {
            continue;
        }

        lag = now - (c->t0 + item->ts / 1000.0 / load->speed);
        load->lag_sum += lag;

        if (lag > load->lag_max) {
            load->lag_max = lag;
        }

        load->late_10ms += lag > 0.01;
        load->late_100ms += lag > 0.1;
        load->late_1s += lag > 1;
    }

    return i;
}
