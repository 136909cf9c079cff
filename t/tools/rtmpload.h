
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What the files of rtmpload share.
 */


#ifndef _RTMPLOAD_H_INCLUDED_
#define _RTMPLOAD_H_INCLUDED_


#include "flv_file.h"
#include "rtmp_client.h"


#define LOAD_MAX_HEADS  3

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
} load_t;


/* rtmpload.c */

void load_die(const char *text);
void *load_alloc(size_t n);

/* s, of a clock that is never set */
double load_now(void);


/* rtmpload_options.c */

void load_options(load_t *load, int argc, char **argv);


/* rtmpload_media.c */

/* reads load->file */
void load_flv(load_t *load);

/* the tag at a place and its timestamp; NULL: the stream ends before it */
const load_tag_t *load_tag_at(load_t *load, load_conn_t *c,
    const load_pos_t *pos, uint32_t *ts);

/* moves on to the next place, over the end of the file */
void load_next(load_t *load, load_pos_t *pos);


/* rtmpload_conn.c */

/* all of them, none of which is open yet */
void load_conns(load_t *load);
void load_open(load_t *load, load_conn_t *c);

/* what is due by time: media, or to give up */
void load_check(load_t *load, load_conn_t *c, double now);

/* what epoll has told, of EPOLLIN and so on */
void load_event(load_t *load, load_conn_t *c, uint32_t events, double now);

/* what epoll is to tell */
void load_want(load_t *load, load_conn_t *c, uint32_t events);

/* all media is sent: unpublishes */
void load_finish(load_t *load, load_conn_t *c);

void load_fail(load_t *load, load_conn_t *c, const char *text);


/* rtmpload_send.c */

/* sends the media that is due, as far as the socket takes it */
void load_send_media(load_t *load, load_conn_t *c, double now);


/* rtmpload_report.c */

/* start as of load_now() */
void load_report(load_t *load, double start);


#endif /* _RTMPLOAD_H_INCLUDED_ */
