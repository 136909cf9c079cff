
/*
 * Copyright (C) the ngx_live_record authors
 */


#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include "rtmp_client.h"


#define RTMP_MAX_MESSAGE  (1 << 20)


static void rtmp_amf_utf8(lr_buf_t *b, const char *s);
static void rtmp_amf_string(lr_buf_t *b, const char *s);
static void rtmp_amf_number(lr_buf_t *b, double d);
static void rtmp_amf_property(lr_buf_t *b, const char *name, const char *s);
static double rtmp_amf_get_number(const u_char *p);
static void rtmp_amf_command(lr_buf_t *b, const char *name, unsigned txn);
static void rtmp_send(rtmp_client_t *c, int csid, int type, uint32_t msid,
    const u_char *p, size_t n);
static void rtmp_send_command(rtmp_client_t *c, uint32_t msid, lr_buf_t *b);
static void rtmp_send_connect(rtmp_client_t *c);
static void rtmp_send_publish(rtmp_client_t *c);
static int rtmp_error(rtmp_client_t *c, const char *text);
static int rtmp_on_command(rtmp_client_t *c, const u_char *p, size_t n);
static int rtmp_on_status(rtmp_client_t *c, const u_char *p, size_t n);
static int rtmp_on_message(rtmp_client_t *c, rtmp_in_t *m);
static ssize_t rtmp_parse_chunk(rtmp_client_t *c, const u_char *p, size_t n);


void
rtmp_client_start(rtmp_client_t *c, unsigned seed)
{
    int     i;
    u_char  b[1 + RTMP_HS_SIZE];

    c->state = RTMP_HANDSHAKE;
    c->in_chunk = 128;
    c->msid = 1;

    memset(b, 0, 9);
    b[0] = 3;

    for (i = 9; i < 1 + RTMP_HS_SIZE; i++) {
        b[i] = (u_char) (i * 31 + seed);
    }

    lr_buf_append(&c->out, b, sizeof(b));
}


int
rtmp_client_input(rtmp_client_t *c, const u_char *p, size_t n)
{
    size_t   off;
    ssize_t  k;

    lr_buf_append(&c->in, p, n);

    if (c->in.failed) {
        return rtmp_error(c, "out of memory");
    }

    off = 0;

    if (c->state == RTMP_HANDSHAKE) {

        if (c->in.len < 1 + 2 * RTMP_HS_SIZE) {
            return LR_OK;
        }

        if (c->in.data[0] != 3) {
            return rtmp_error(c, "handshake version");
        }

        /* C2 echoes S1 */
        lr_buf_append(&c->out, c->in.data + 1, RTMP_HS_SIZE);

        off = 1 + 2 * RTMP_HS_SIZE;
        c->state = RTMP_CONNECTING;

        rtmp_send_connect(c);
    }

    while (off < c->in.len) {
        k = rtmp_parse_chunk(c, c->in.data + off, c->in.len - off);

        if (k < 0) {
            return LR_ERROR;
        }

        if (k == 0) {
            break;
        }

        off += (size_t) k;
    }

    rtmp_buf_shift(&c->in, off);

    if (c->out.failed) {
        return rtmp_error(c, "out of memory");
    }

    return LR_OK;
}


void
rtmp_client_publish(rtmp_client_t *c)
{
    lr_buf_t  b;

    memset(&b, 0, sizeof(lr_buf_t));

    rtmp_amf_command(&b, "releaseStream", ++c->txn);
    rtmp_amf_string(&b, c->name);
    rtmp_send_command(c, 0, &b);

    rtmp_amf_command(&b, "FCPublish", ++c->txn);
    rtmp_amf_string(&b, c->name);
    rtmp_send_command(c, 0, &b);

    c->create = ++c->txn;
    c->state = RTMP_CREATING;

    rtmp_amf_command(&b, "createStream", c->create);
    rtmp_send_command(c, 0, &b);

    lr_buf_free(&b);
}


void
rtmp_client_unpublish(rtmp_client_t *c)
{
    lr_buf_t  b;

    memset(&b, 0, sizeof(lr_buf_t));

    rtmp_amf_command(&b, "FCUnpublish", ++c->txn);
    rtmp_amf_string(&b, c->name);
    rtmp_send_command(c, 0, &b);

    rtmp_amf_command(&b, "deleteStream", ++c->txn);
    rtmp_amf_number(&b, c->msid);
    rtmp_send_command(c, 0, &b);

    lr_buf_free(&b);
}


void
rtmp_client_free(rtmp_client_t *c)
{
    int  i;

    for (i = 0; i < RTMP_MAX_CSID; i++) {
        free(c->msg[i].data);
        c->msg[i].data = NULL;
    }

    lr_buf_free(&c->in);
    lr_buf_free(&c->out);
}


size_t
rtmp_put_header(u_char *p, const rtmp_header_t *h)
{
    u_char    *s;
    uint32_t   ts;

    s = p;
    ts = h->full ? h->ts : h->delta;

    *p++ = (u_char) ((h->full ? 0 : 0x40) | h->csid);
    p = lr_put_be24(p, ts < RTMP_EXT_TS ? ts : RTMP_EXT_TS);
    p = lr_put_be24(p, h->len);
    *p++ = h->type;

    if (h->full) {
        /* the one little-endian number of the protocol */
        *p++ = (u_char) h->msid;
        *p++ = (u_char) (h->msid >> 8);
        *p++ = (u_char) (h->msid >> 16);
        *p++ = (u_char) (h->msid >> 24);
    }

    if (ts >= RTMP_EXT_TS) {
        p = lr_put_be32(p, ts);
    }

    return (size_t) (p - s);
}


void
rtmp_put_message(lr_buf_t *out, uint32_t chunk, const rtmp_header_t *h,
    const u_char *p)
{
    u_char    head[16], cont[5];
    size_t    n, clen;
    uint32_t  off, ts;

    lr_buf_append(out, head, rtmp_put_header(head, h));

    ts = h->full ? h->ts : h->delta;
    clen = 1;
    cont[0] = (u_char) (0xc0 | h->csid);

    if (ts >= RTMP_EXT_TS && !h->no_ext) {
        lr_put_be32(cont + 1, ts);
        clen = 5;
    }

    for (off = 0; off < h->len; off += n) {

        if (off) {
            lr_buf_append(out, cont, clen);
        }

        n = h->len - off < chunk ? h->len - off : chunk;
        lr_buf_append(out, p + off, n);
    }
}


void
rtmp_buf_shift(lr_buf_t *b, size_t n)
{
    if (n == 0) {
        return;
    }

    memmove(b->data, b->data + n, b->len - n);
    b->len -= n;
}


static void
rtmp_amf_utf8(lr_buf_t *b, const char *s)
{
    u_char  len[2];
    size_t  n;

    n = strlen(s);

    lr_put_be16(len, (uint32_t) n);
    lr_buf_append(b, len, 2);
    lr_buf_append(b, s, n);
}


static void
rtmp_amf_string(lr_buf_t *b, const char *s)
{
    lr_buf_append(b, "\x02", 1);
    rtmp_amf_utf8(b, s);
}


static void
rtmp_amf_number(lr_buf_t *b, double d)
{
    u_char    p[9];
    uint64_t  u;

    memcpy(&u, &d, 8);

    p[0] = 0;
    lr_put_be64(p + 1, u);
    lr_buf_append(b, p, 9);
}


static void
rtmp_amf_property(lr_buf_t *b, const char *name, const char *s)
{
    rtmp_amf_utf8(b, name);
    rtmp_amf_string(b, s);
}


static double
rtmp_amf_get_number(const u_char *p)
{
    double    d;
    uint64_t  u;

    u = lr_get_be64(p);
    memcpy(&d, &u, 8);

    return d;
}


/* name, transaction and the null that stands for the command's object */

static void
rtmp_amf_command(lr_buf_t *b, const char *name, unsigned txn)
{
    rtmp_amf_string(b, name);
    rtmp_amf_number(b, txn);
    lr_buf_append(b, "\x05", 1);
}


static void
rtmp_send(rtmp_client_t *c, int csid, int type, uint32_t msid,
    const u_char *p, size_t n)
{
    rtmp_header_t  h;

    memset(&h, 0, sizeof(rtmp_header_t));

    h.csid = (uint8_t) csid;
    h.type = (uint8_t) type;
    h.msid = msid;
    h.len = (uint32_t) n;
    h.full = 1;

    rtmp_put_message(&c->out, c->chunk, &h, p);
}


static void
rtmp_send_command(rtmp_client_t *c, uint32_t msid, lr_buf_t *b)
{
    if (b->failed) {
        c->out.failed = 1;
        return;
    }

    rtmp_send(c, RTMP_CS_CMD, RTMP_CMD, msid, b->data, b->len);
    b->len = 0;
}


static void
rtmp_send_connect(rtmp_client_t *c)
{
    u_char         size[4];
    lr_buf_t       b;
    rtmp_header_t  h;

    /* the new size counts only after the message that tells it */

    memset(&h, 0, sizeof(rtmp_header_t));

    h.csid = RTMP_CS_CTRL;
    h.type = RTMP_CHUNK_SIZE;
    h.len = 4;
    h.full = 1;

    lr_put_be32(size, c->chunk);
    rtmp_put_message(&c->out, 128, &h, size);

    memset(&b, 0, sizeof(lr_buf_t));

    c->txn = 1;

    rtmp_amf_string(&b, "connect");
    rtmp_amf_number(&b, c->txn);
    lr_buf_append(&b, "\x03", 1);
    rtmp_amf_property(&b, "app", c->app);
    rtmp_amf_property(&b, "type", "nonprivate");
    rtmp_amf_property(&b, "flashVer", "FMLE/3.0 (compatible; live record)");
    rtmp_amf_property(&b, "tcUrl", c->tcurl);
    lr_buf_append(&b, "\x00\x00\x09", 3);

    rtmp_send_command(c, 0, &b);

    lr_buf_free(&b);
}


static void
rtmp_send_publish(rtmp_client_t *c)
{
    lr_buf_t  b;

    memset(&b, 0, sizeof(lr_buf_t));

    c->state = RTMP_PUBLISHING;

    rtmp_amf_command(&b, "publish", ++c->txn);
    rtmp_amf_string(&b, c->name);
    rtmp_amf_string(&b, "live");
    rtmp_send_command(c, c->msid, &b);

    lr_buf_free(&b);
}


static int
rtmp_error(rtmp_client_t *c, const char *text)
{
    snprintf(c->error, sizeof(c->error), "%s", text);

    return LR_ERROR;
}


static int
rtmp_on_command(rtmp_client_t *c, const u_char *p, size_t n)
{
    double       txn;
    size_t       len;
    const char  *name;

    if (n < 12 || p[0] != 2) {
        return LR_OK;
    }

    len = lr_get_be16(p + 1);

    if (n < 3 + len + 9) {
        return LR_OK;
    }

    name = (const char *) p + 3;
    p += 3 + len;
    n -= 3 + len;

    txn = p[0] == 0 ? rtmp_amf_get_number(p + 1) : -1;
    p += 9;
    n -= 9;

    if (len == 7 && memcmp(name, "_result", 7) == 0) {

        if (txn == 1) {
            rtmp_client_publish(c);

        } else if (txn == c->create && c->state == RTMP_CREATING) {
            c->msid = 1;

            if (n >= 10 && p[0] == 5 && p[1] == 0) {
                c->msid = (uint32_t) rtmp_amf_get_number(p + 2);
            }

            rtmp_send_publish(c);
        }

        return LR_OK;
    }

    if (len == 6 && memcmp(name, "_error", 6) == 0) {

        if (txn == 1 || txn == c->create) {
            return rtmp_error(c, "the server answered _error");
        }

        return LR_OK;
    }

    if (len == 8 && memcmp(name, "onStatus", 8) == 0) {
        return rtmp_on_status(c, p, n);
    }

    return LR_OK;
}


static int
rtmp_on_status(rtmp_client_t *c, const u_char *p, size_t n)
{
    size_t         len;
    const u_char  *code;

    c->status[0] = '\0';

    code = memmem(p, n, "\x00\x04" "code\x02", 7);

    if (code != NULL && (size_t) (code - p) + 9 <= n) {
        len = lr_get_be16(code + 7);
        code += 9;

        if (len < sizeof(c->status) && (size_t) (code - p) + len <= n) {
            memcpy(c->status, code, len);
            c->status[len] = '\0';
        }
    }

    if (memmem(p, n, "NetStream.Publish.Start", 23)) {
        c->state = RTMP_PUBLISHED;
        return LR_OK;
    }

    if (memmem(p, n, "error", 5)) {
        return rtmp_error(c, "onStatus with an error");
    }

    return LR_OK;
}


static int
rtmp_on_message(rtmp_client_t *c, rtmp_in_t *m)
{
    u_char   b[6];
    u_char  *p;

    p = m->data;

    switch (m->type) {

    case RTMP_CHUNK_SIZE:

        if (m->len >= 4) {
            c->in_chunk = lr_get_be32(p) & 0x7fffffff;

            if (c->in_chunk == 0) {
                return rtmp_error(c, "chunk size 0");
            }
        }

        return LR_OK;

    case RTMP_USER:

        /* a ping is answered with its own timestamp */

        if (m->len >= 6 && lr_get_be16(p) == 6) {
            lr_put_be16(b, 7);
            memcpy(b + 2, p + 2, 4);
            rtmp_send(c, RTMP_CS_CTRL, RTMP_USER, 0, b, 6);
        }

        return LR_OK;

    case RTMP_CMD:
        return rtmp_on_command(c, p, m->len);

    case RTMP_AMF3_CMD:

        if (m->len > 1) {
            return rtmp_on_command(c, p + 1, m->len - 1);
        }

        return LR_OK;

    default:
        return LR_OK;
    }
}


/*
 * Takes one chunk; gives its size, 0 when it is not whole yet, or LR_ERROR.
 */

static ssize_t
rtmp_parse_chunk(rtmp_client_t *c, const u_char *p, size_t n)
{
    size_t      head, take;
    uint8_t     type;
    uint32_t    len;
    unsigned    fmt, csid;
    rtmp_in_t  *m;

    static const size_t  sizes[4] = { 12, 8, 4, 1 };

    fmt = p[0] >> 6;
    csid = p[0] & 0x3f;

    if (csid < 2) {
        return rtmp_error(c, "chunk stream id above 63");
    }

    m = &c->msg[csid];
    head = sizes[fmt];

    if (n < head) {
        return 0;
    }

    len = m->len;
    type = m->type;

    if (fmt < 2) {
        len = lr_get_be24(p + 4);
        type = p[7];
    }

    if (fmt < 3 && lr_get_be24(p + 1) == RTMP_EXT_TS) {
        head += 4;
    }

    if (len > RTMP_MAX_MESSAGE) {
        return rtmp_error(c, "a message over 1 MiB");
    }

    take = len - m->got;

    if (take > c->in_chunk) {
        take = c->in_chunk;
    }

    if (n < head + take) {
        return 0;
    }

    m->len = len;
    m->type = type;

    if (m->got == 0) {
        free(m->data);
        m->data = malloc(len + 1);

        if (m->data == NULL) {
            return rtmp_error(c, "out of memory");
        }
    }

    memcpy(m->data + m->got, p + head, take);
    m->got += (uint32_t) take;

    if (m->got == m->len) {
        m->got = 0;

        if (rtmp_on_message(c, m) != LR_OK) {
            return LR_ERROR;
        }
    }

    return (ssize_t) (head + take);
}
