
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The publishing side of RTMP without any input or output of its own: bytes
 * from the server go in, bytes for the server come out.  What the load
 * generator and the publisher of the tests share.
 */


#ifndef _RTMP_CLIENT_H_INCLUDED_
#define _RTMP_CLIENT_H_INCLUDED_


#include "lr_core.h"


#define RTMP_HS_SIZE    1536
#define RTMP_MAX_CSID   64

#define RTMP_CS_CTRL    2
#define RTMP_CS_CMD     3
#define RTMP_CS_AUDIO   4
#define RTMP_CS_VIDEO   6
#define RTMP_CS_DATA    8

#define RTMP_CHUNK_SIZE 1
#define RTMP_USER       4
#define RTMP_AUDIO      8
#define RTMP_VIDEO      9
#define RTMP_AMF3_CMD   17
#define RTMP_DATA       18
#define RTMP_CMD        20
#define RTMP_AGGREGATE  22

/* from this value on a timestamp takes four bytes more */
#define RTMP_EXT_TS     0xffffff


typedef enum {
    RTMP_HANDSHAKE = 0,
    RTMP_CONNECTING,          /* connect is sent */
    RTMP_CREATING,            /* createStream is sent */
    RTMP_PUBLISHING,          /* publish is sent */
    RTMP_PUBLISHED
} rtmp_state_e;


typedef struct {
    u_char         *data;
    uint32_t        len;
    uint32_t        got;
    uint8_t         type;
} rtmp_in_t;


typedef struct {
    const char     *app;
    const char     *tcurl;
    const char     *name;

    lr_buf_t        in;
    lr_buf_t        out;

    rtmp_state_e    state;
    uint32_t        chunk;    /* chunk size of what is sent */
    uint32_t        in_chunk;
    uint32_t        msid;
    unsigned        txn;
    unsigned        create;   /* transaction of the last createStream */

    char            status[64];
    char            error[128];

    rtmp_in_t       msg[RTMP_MAX_CSID];
} rtmp_client_t;


/* one message as it stands in the stream of chunks */
typedef struct {
    uint32_t        ts;
    uint32_t        delta;
    uint32_t        len;
    uint32_t        msid;
    uint8_t         csid;
    uint8_t         type;
    unsigned        full:1;   /* 12-byte header with ts, else 8 with delta */
    unsigned        no_ext:1; /* type-3 chunks leave the extended ts out */
} rtmp_header_t;


/*
 * Begins a session: puts C0 and C1 into c->out.  "app", "tcurl", "name" and
 * "chunk" are set by the caller in a zeroed structure, the strings stay
 * his.  "seed" makes the bytes of C1 differ between sessions.
 */
void rtmp_client_start(rtmp_client_t *c, unsigned seed);

/*
 * Takes n bytes from the server, puts the answers into c->out and moves
 * c->state on.  LR_ERROR with a text in c->error when the server refused or
 * is not understood; c->status then holds the code of its onStatus, if any.
 */
int rtmp_client_input(rtmp_client_t *c, const u_char *p, size_t n);

/* FCUnpublish and deleteStream into c->out */
void rtmp_client_unpublish(rtmp_client_t *c);

/* createStream, then publish of c->name, on a session that is connected */
void rtmp_client_publish(rtmp_client_t *c);

void rtmp_client_free(rtmp_client_t *c);

/* the header of the message's first chunk, at most 16 bytes; gives its size */
size_t rtmp_put_header(u_char *p, const rtmp_header_t *h);

/* a whole message cut into chunks (RTMP 1.0, 5.3.1) */
void rtmp_put_message(lr_buf_t *out, uint32_t chunk, const rtmp_header_t *h,
    const u_char *p);

/* drops n bytes from the buffer's start */
void rtmp_buf_shift(lr_buf_t *b, size_t n);


#endif /* _RTMP_CLIENT_H_INCLUDED_ */
