
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
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include "flv_file.h"
#include "rtmp_client.h"


#define LOAD_MAX_BATCH  256
#define LOAD_MAX_HEADS  3
#define LOAD_EVENTS     512

/* no extended timestamps: 4.66 hours */
#define LOAD_MAX_TS     (RTMP_EXT_TS - 1)


typedef enum {
    LOAD_WAIT = 0,
    LOAD_CONNECT,
    LOAD_HAND,
    LOAD_SETUP,
    LOAD_READY,
    LOAD_STREAM,
    LOAD_CLOSE,
    LOAD_DONE
} load_state_e;


typedef struct {
    uint8_t          type;
    uint8_t          csid;
    unsigned         key:1;
    uint32_t         ts;
    uint32_t         len;
    const u_char    *wire;    /* the payload with type-3 headers inside */
    uint32_t         wlen;
} load_tag_t;


/* a place in the stream of tags */
typedef struct {
    unsigned         head;
    unsigned         tag;
    uint32_t         loop_ts;
} load_pos_t;


typedef struct {
    int              fd;
    unsigned         idx;
    load_state_e     state;
    uint32_t         events;  /* what epoll is asked for */
    unsigned         blocked:1;
    double           opened;
    double           t0;      /* the first media */
    double           end;     /* the last write */

    rtmp_client_t    client;
    char            *name;
    char            *url;

    load_pos_t       pos;
    unsigned         first;
    uint32_t         last_ts[RTMP_MAX_CSID];
    uint8_t          seen[RTMP_MAX_CSID];

    /* a tag of which "sent" bytes are out already */
    u_char           head[16];
    size_t           hlen;
    size_t           sent;
} load_conn_t;


typedef struct {
    const load_tag_t  *tag;
    uint32_t           ts;
    size_t             hlen;
    u_char             head[16];
} load_item_t;


typedef struct {
    /* options */
    const char      *host;
    const char      *file;
    const char      *app;
    const char      *name;
    unsigned         port;
    unsigned         port_step;
    unsigned         n;
    uint32_t         chunk;
    int              sndbuf;
    long             tick_us;
    double           ramp;
    double           timeout;
    double           speed;
    double           seconds;
    size_t           batch;
    unsigned         stagger:1;
    unsigned         raw:1;
    unsigned         json:1;
    unsigned         abrupt:1;
    unsigned         gate:1;

    /* the file */
    flv_file_t       flv;
    load_tag_t      *tags;
    unsigned         ntags;
    load_tag_t       heads[LOAD_MAX_HEADS];
    unsigned         nheads;
    uint32_t         duration;

    /* the connections */
    int              ep;
    load_conn_t     *conns;
    unsigned         opened;
    unsigned         ok;
    unsigned         failed;
    unsigned         done;
    unsigned         published;

    /* what is reported */
    uint64_t         sent_tags;
    uint64_t         media_bytes;
    uint64_t         wire_bytes;
    uint64_t         writes;
    uint64_t         late_10ms;
    uint64_t         late_100ms;
    uint64_t         late_1s;
    double           lag_max;
    double           lag_sum;
    double           drain_max;
    double           t_first;
    double           t_last;
    char             error[160];

    struct iovec     iov[LOAD_MAX_BATCH * 2 + 1];
    load_item_t      items[LOAD_MAX_BATCH];
} load_t;


static void load_die(const char *text);
static void *load_alloc(size_t n);
static double load_now(void);
static double load_number(const char *s, double min, double max,
    const char *what);
static void load_options(load_t *load, int argc, char **argv);
static void load_usage(void);
static void load_flv(load_t *load);
static void load_wire(load_t *load, load_tag_t *tag, const u_char *p);
static void load_conns(load_t *load);
static void load_fail(load_t *load, load_conn_t *c, const char *text);
static void load_want(load_t *load, load_conn_t *c, uint32_t events);
static void load_published(load_t *load, load_conn_t *c);
static void load_open(load_t *load, load_conn_t *c);
static void load_connected(load_t *load, load_conn_t *c);
static void load_read(load_t *load, load_conn_t *c);
static void load_closed(load_t *load, load_conn_t *c, ssize_t n);
static void load_send(load_t *load, load_conn_t *c, double now);
static void load_send_control(load_t *load, load_conn_t *c);
static void load_send_media(load_t *load, load_conn_t *c, double now);
static unsigned load_collect(load_t *load, load_conn_t *c, double now,
    unsigned *niov, size_t *total, unsigned *ended);
static unsigned load_account(load_t *load, load_conn_t *c, unsigned n,
    size_t sent);
static const load_tag_t *load_tag_at(load_t *load, load_conn_t *c,
    const load_pos_t *pos, uint32_t *ts);
static void load_next(load_t *load, load_pos_t *pos);
static void load_finish(load_t *load, load_conn_t *c);
static void load_check(load_t *load, load_conn_t *c, double now);
static void load_event(load_t *load, struct epoll_event *ev, double now);
static void load_run(load_t *load);
static void load_report(load_t *load, double start);


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


static void
load_die(const char *text)
{
    fprintf(stderr, "rtmpload: %s\n", text);
    exit(2);
}


static void *
load_alloc(size_t n)
{
    void  *p;

    p = calloc(1, n);
    if (p == NULL) {
        load_die("out of memory");
    }

    return p;
}


static double
load_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec + ts.tv_nsec / 1e9;
}


static double
load_number(const char *s, double min, double max, const char *what)
{
    char    *end;
    double   d;

    d = strtod(s, &end);

    if (*s == '\0' || *end || !(d >= min && d <= max)) {
        fprintf(stderr, "rtmpload: bad value for %s: %s\n", what, s);
        exit(2);
    }

    return d;
}


static void
load_options(load_t *load, int argc, char **argv)
{
    int  ch;

    static const struct option  list[] = {
        { "host", 1, 0, 1 }, { "port", 1, 0, 'p' }, { "port-step", 1, 0, 2 },
        { "app", 1, 0, 3 }, { "name", 1, 0, 4 }, { "chunk", 1, 0, 5 },
        { "ramp-ms", 1, 0, 6 }, { "no-stagger", 0, 0, 7 },
        { "gate", 0, 0, 8 }, { "tick-us", 1, 0, 9 }, { "batch", 1, 0, 10 },
        { "sndbuf", 1, 0, 11 }, { "timeout-ms", 1, 0, 12 },
        { "raw", 0, 0, 13 }, { "abrupt", 0, 0, 14 }, { "json", 0, 0, 15 },
        { "help", 0, 0, 'h' }, { NULL, 0, NULL, 0 }
    };

    load->host = "127.0.0.1";
    load->app = "live";
    load->name = "s%d";
    load->port = 1935;
    load->n = 1;
    load->chunk = 4096;
    load->ramp = 2;
    load->timeout = 15;
    load->tick_us = 1000;
    load->speed = 1;
    load->seconds = 60;
    load->stagger = 1;
    load->batch = 256 * 1024;

    while ((ch = getopt_long(argc, argv, "f:n:t:s:p:h", list, NULL)) != -1) {

        switch (ch) {

        case 'f':
            load->file = optarg;
            break;

        case 'n':
            load->n = (unsigned) load_number(optarg, 1, 100000, "-n");
            break;

        case 't':
            load->seconds = load_number(optarg, 0, LOAD_MAX_TS / 1000.0,
                                        "-t");
            break;

        case 's':
            load->speed = load_number(optarg, 0, 10000, "-s");
            break;

        case 'p':
            load->port = (unsigned) load_number(optarg, 1, 65535, "--port");
            break;

        case 1:
            load->host = optarg;
            break;

        case 2:
            load->port_step = (unsigned) load_number(optarg, 0, 1000,
                                                     "--port-step");
            break;

        case 3:
            load->app = optarg;
            break;

        case 4:
            load->name = optarg;
            break;

        case 5:
            load->chunk = (uint32_t) load_number(optarg, 128, 1 << 23,
                                                 "--chunk");
            break;

        case 6:
            load->ramp = load_number(optarg, 0, 1e7, "--ramp-ms") / 1000;
            break;

        case 7:
            load->stagger = 0;
            break;

        case 8:
            load->gate = 1;
            break;

        case 9:
            load->tick_us = (long) load_number(optarg, 50, 999999,
                                               "--tick-us");
            break;

        case 10:
            load->batch = (size_t) load_number(optarg, 1, 1 << 30,
                                               "--batch");
            break;

        case 11:
            load->sndbuf = (int) load_number(optarg, 1, 1 << 30,
                                             "--sndbuf");
            break;

        case 12:
            load->timeout = load_number(optarg, 1, 1e7, "--timeout-ms")
                            / 1000;
            break;

        case 13:
            load->raw = 1;
            break;

        case 14:
            load->abrupt = 1;
            break;

        case 15:
            load->json = 1;
            break;

        case 'h':
            load_usage();
            exit(0);

        default:
            load_die("--help lists the options");
        }
    }

    if (load->file == NULL || optind != argc) {
        load_usage();
        exit(2);
    }
}


static void
load_usage(void)
{
    printf(
"usage: rtmpload -f FILE.flv [options]\n"
"Publishes FILE over N RTMP connections from one process and one epoll\n"
"loop.\n\n"
"  -f FILE          FLV file (H.264/AAC); it is looped\n"
"  -n N             connections, one stream each (default 1)\n"
"  -t SECONDS       media seconds sent per stream (default 60; at most\n"
"                   16777)\n"
"  -s SPEED         1 real time (default), 4 four times as fast,\n"
"                   0 as fast as the server reads\n"
"  --host IP        default 127.0.0.1\n"
"  -p, --port PORT  default 1935\n"
"  --port-step K    stream i goes to PORT + i*K (default 0)\n"
"  --app APP        default live\n"
"  --name NAME      stream name, %%d is the stream's number (default s%%d)\n"
"  --chunk BYTES    outgoing RTMP chunk size (default 4096)\n"
"  --ramp-ms MS     the connections open evenly over this time (default\n"
"                   2000)\n"
"  --no-stagger     every stream starts at the file's first tag; otherwise\n"
"                   stream i starts at another keyframe\n"
"  --gate           send no media before every stream is published\n"
"  --tick-us US     real time: how often due tags are sent (default 1000)\n"
"  --batch BYTES    at most about this much in one sendmsg (default\n"
"                   262144)\n"
"  --sndbuf BYTES   SO_SNDBUF (default: the system's)\n"
"  --timeout-ms MS  for connecting and publishing, and for the server to\n"
"                   close after the last byte (default 15000)\n"
"  --raw            no handshake and no commands: the same chunks over\n"
"                   bare TCP (for measuring a plain socket reader)\n"
"  --abrupt         end with a TCP close, without FCUnpublish and\n"
"                   deleteStream\n"
"  --json           report as one JSON object\n\n"
"Report: connections ok and failed, tags and bytes sent, the rate, how\n"
"late tags left compared with their time (max, mean, how many over 10 ms,\n"
"100 ms, 1 s), how long the server took to read the rest and close, own\n"
"CPU and RSS.\n"
"Exit status: 0 every stream ran to its end, 1 some failed, 2 bad\n"
"arguments.\n");
}


static void
load_flv(load_t *load)
{
    size_t        n;
    u_char       *meta;
    unsigned      i, k;
    uint32_t      last[2];
    flv_tag_t    *from;
    load_tag_t    tag;
    const char   *error;

    static const char  set[] = "\x02\x00\x0d@setDataFrame";

    if (flv_file_read(&load->flv, load->file, &error) != LR_OK) {
        load_die(error);
    }

    load->tags = load_alloc((load->flv.ntags + 1) * sizeof(load_tag_t));
    last[0] = 0;
    last[1] = 0;

    for (i = 0; i < load->flv.ntags; i++) {
        from = &load->flv.tags[i];

        memset(&tag, 0, sizeof(load_tag_t));

        tag.len = from->len;

        if (from->kind == FLV_META) {

            if (load->nheads) {
                continue;
            }

            n = sizeof(set) - 1;
            meta = load_alloc(n + from->len);
            memcpy(meta, set, n);
            memcpy(meta + n, from->data, from->len);

            tag.type = RTMP_DATA;
            tag.csid = RTMP_CS_DATA;
            tag.len += (uint32_t) n;

            load_wire(load, &tag, meta);
            load->heads[load->nheads++] = tag;
            continue;
        }

        k = from->kind == FLV_VIDEO || from->kind == FLV_VIDEO_HEADER;

        tag.type = k ? RTMP_VIDEO : RTMP_AUDIO;
        tag.csid = k ? RTMP_CS_VIDEO : RTMP_CS_AUDIO;

        if (from->kind == FLV_VIDEO_HEADER || from->kind == FLV_AUDIO_HEADER)
        {
            if (load->nheads < LOAD_MAX_HEADS) {
                load_wire(load, &tag, from->data);
                load->heads[load->nheads++] = tag;
            }

            continue;
        }

        if (from->ts < last[k]) {
            load_die("timestamps go back in the file");
        }

        last[k] = from->ts;

        tag.ts = from->ts;
        tag.key = from->key;

        load_wire(load, &tag, from->data);
        load->tags[load->ntags++] = tag;
    }

    if (load->ntags < 2) {
        load_die("no audio or video tags");
    }

    load->duration = (last[0] > last[1] ? last[0] : last[1])
                     - load->tags[0].ts + 40;
}


/* puts a one-byte type-3 header before every chunk but the first */

static void
load_wire(load_t *load, load_tag_t *tag, const u_char *p)
{
    u_char    *w;
    uint32_t   off, n;

    n = (tag->len - 1) / load->chunk;

    if (n == 0) {
        tag->wire = p;
        tag->wlen = tag->len;
        return;
    }

    tag->wlen = tag->len + n;
    w = load_alloc(tag->wlen);
    tag->wire = w;

    for (off = 0; off < tag->len; off += n) {

        if (off) {
            *w++ = (u_char) (0xc0 | tag->csid);
        }

        n = tag->len - off < load->chunk ? tag->len - off : load->chunk;

        memcpy(w, p + off, n);
        w += n;
    }
}


static void
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


static void
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


static void
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


static void
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
        load->iov[niov].iov_base = c->client.out.data;
        load->iov[niov++].iov_len = ctl;
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
    msg.msg_iov = load->iov;
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


/* puts what is due into load->items and load->iov; gives the items */

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

        item = &load->items[n];
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
            iov = &load->iov[(*niov)++];
            iov->iov_base = item->head + skip;
            iov->iov_len = item->hlen - skip;
            skip = 0;

        } else {
            skip -= item->hlen;
        }

        iov = &load->iov[(*niov)++];
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
        item = &load->items[i];
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


static const load_tag_t *
load_tag_at(load_t *load, load_conn_t *c, const load_pos_t *pos,
    uint32_t *ts)
{
    load_tag_t  *tag;

    if (pos->head < load->nheads) {
        *ts = 0;
        return &load->heads[pos->head];
    }

    tag = &load->tags[pos->tag];
    *ts = tag->ts + pos->loop_ts - load->tags[c->first].ts;

    if (*ts > load->seconds * 1000 || *ts > LOAD_MAX_TS) {
        return NULL;
    }

    return tag;
}


static void
load_next(load_t *load, load_pos_t *pos)
{
    if (pos->head < load->nheads) {
        pos->head++;
        return;
    }

    if (++pos->tag == load->ntags) {
        pos->tag = 0;
        pos->loop_ts += load->duration;
    }
}


static void
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


static void
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


static void
load_event(load_t *load, struct epoll_event *ev, double now)
{
    load_conn_t  *c;

    c = ev->data.ptr;

    if (c->state == LOAD_DONE) {
        return;
    }

    if (c->state == LOAD_CONNECT) {

        if (ev->events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) {
            load_connected(load, c);
        }

        if (c->state == LOAD_HAND) {
            load_send(load, c, now);
        }

        return;
    }

    if (ev->events & (EPOLLIN | EPOLLERR | EPOLLHUP)) {
        load_read(load, c);

        if (c->state == LOAD_DONE) {
            return;
        }

        if (c->client.out.len && c->state != LOAD_STREAM) {
            load_send(load, c, now);
        }
    }

    if ((ev->events & EPOLLOUT) && c->state != LOAD_DONE) {
        load_send(load, c, now);
    }
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
            load_event(load, &ev[i], now);
        }
    }
}


static void
load_report(load_t *load, double start)
{
    double         user, sys, wall, media, mean;
    struct rusage  ru;

    getrusage(RUSAGE_SELF, &ru);

    user = ru.ru_utime.tv_sec + ru.ru_utime.tv_usec / 1e6;
    sys = ru.ru_stime.tv_sec + ru.ru_stime.tv_usec / 1e6;
    wall = load_now() - start;
    media = load->t_last > load->t_first ? load->t_last - load->t_first : 0;
    mean = load->sent_tags ? load->lag_sum / load->sent_tags : 0;

    if (load->json) {
        printf("{\"streams\":%u,\"ok\":%u,\"failed\":%u,\"tags\":%llu,"
               "\"media_bytes\":%llu,\"wire_bytes\":%llu,\"writes\":%llu,"
               "\"wall_s\":%.3f,\"media_s\":%.3f,\"speed\":%g,"
               "\"lag_max_s\":%.4f,\"lag_mean_s\":%.5f,\"late_10ms\":%llu,"
               "\"late_100ms\":%llu,\"late_1s\":%llu,\"drain_max_s\":%.3f,"
               "\"user_s\":%.3f,\"sys_s\":%.3f,\"maxrss_kb\":%ld,"
               "\"error\":\"%s\"}\n",
               load->n, load->ok, load->failed,
               (unsigned long long) load->sent_tags,
               (unsigned long long) load->media_bytes,
               (unsigned long long) load->wire_bytes,
               (unsigned long long) load->writes, wall, media, load->speed,
               load->lag_max, mean, (unsigned long long) load->late_10ms,
               (unsigned long long) load->late_100ms,
               (unsigned long long) load->late_1s, load->drain_max, user,
               sys, ru.ru_maxrss, load->error);
        return;
    }

    printf("connections: %u ok, %u failed of %u%s%s\n", load->ok,
           load->failed, load->n,
           load->error[0] ? "; first failure: " : "", load->error);
    printf("sent: %llu tags, %.1f MB of media, %.1f MB on the wire,"
           " %llu writes\n", (unsigned long long) load->sent_tags,
           load->media_bytes / 1e6, load->wire_bytes / 1e6,
           (unsigned long long) load->writes);
    printf("time: %.2f s sending, %.2f s in all; %.1f MB/s\n", media, wall,
           media > 0 ? load->media_bytes / 1e6 / media : 0);

    if (load->speed > 0) {
        printf("behind real time: max %.1f ms, mean %.2f ms; tags later than"
               " 10 ms %llu, 100 ms %llu, 1 s %llu\n", load->lag_max * 1e3,
               mean * 1e3, (unsigned long long) load->late_10ms,
               (unsigned long long) load->late_100ms,
               (unsigned long long) load->late_1s);
    }

    printf("server read the rest and closed within %.1f ms\n",
           load->drain_max * 1e3);
    printf("own cost: user %.2f s, sys %.2f s, %ld KiB\n", user, sys,
           ru.ru_maxrss);
}
