
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The tags that are due, as messages.
 */


#include "rtmppub.h"


#define PUB_MAX_OUT      (256 * 1024)
#define PUB_MAX_GROUP    (48 * 1024)
#define PUB_GROUP_TAGS   8


static void pub_send_tag(pub_t *pub);
static void pub_send_group(pub_t *pub, double now);
static void pub_send(pub_t *pub, unsigned csid, unsigned type, uint32_t ts,
    const u_char *p, uint32_t len);
static void pub_count(pub_t *pub, const pub_tag_t *tag);


void
pub_fill(pub_t *pub, double now)
{
    double  wait;

    while (pub->client.out.len < PUB_MAX_OUT && !pub->ended
           && pub_due(pub, now, &wait))
    {
        if (pub->aggregate && pub->tags[pub->next].type != RTMP_DATA) {
            pub_send_group(pub, now);

        } else {
            pub_send_tag(pub);
        }

        if (pub->next < pub->ntags) {
            continue;
        }

        if (pub->loop && !pub_terminate) {
            pub->next = 0;
            pub->looped += pub->duration;
            continue;
        }

        pub->ended = 1;
    }
}


int
pub_due(pub_t *pub, double now, double *wait)
{
    double  at;

    *wait = 0;

    if (pub->speed <= 0) {
        return 1;
    }

    at = (double) (pub->tags[pub->next].time + pub->looped);
    at = at <= pub->burst ? 0 : (at - pub->burst) / 1000 / pub->speed;

    *wait = pub->t0 + at - now;

    return *wait <= 0;
}


static void
pub_send_tag(pub_t *pub)
{
    unsigned    csid;
    pub_tag_t  *tag;

    tag = &pub->tags[pub->next++];

    csid = tag->type == RTMP_AUDIO ? RTMP_CS_AUDIO
           : tag->type == RTMP_VIDEO ? RTMP_CS_VIDEO : RTMP_CS_DATA;

    pub_count(pub, tag);
    pub_send(pub, csid, tag->type, pub->sent_ts, tag->data, tag->len);
}


/*
 * Tags as in an FLV file, each with its trailer.  The message says when the
 * first of them is, the others are understood as differences to it.
 */

static void
pub_send_group(pub_t *pub, double now)
{
    double      wait;
    u_char      head[11], tail[4];
    lr_buf_t    b;
    unsigned    n;
    uint32_t    ts;
    pub_tag_t  *tag;

    memset(&b, 0, sizeof(lr_buf_t));

    ts = 0;

    for (n = 0; n < PUB_GROUP_TAGS && pub->next < pub->ntags; n++) {
        tag = &pub->tags[pub->next];

        if (tag->type == RTMP_DATA
            || (n && b.len + tag->len > PUB_MAX_GROUP)
            || (n && !pub_due(pub, now, &wait)))
        {
            break;
        }

        pub->next++;
        pub_count(pub, tag);

        if (n == 0) {
            ts = pub->sent_ts;
        }

        head[0] = tag->type;
        lr_put_be24(head + 1, tag->len);
        lr_put_be24(head + 4, pub->sent_ts & 0xffffff);
        head[7] = (u_char) (pub->sent_ts >> 24);
        lr_put_be24(head + 8, 0);
        lr_put_be32(tail, 11 + tag->len);

        lr_buf_append(&b, head, 11);
        lr_buf_append(&b, tag->data, tag->len);
        lr_buf_append(&b, tail, 4);
    }

    if (b.failed) {
        pub_die("out of memory");
    }

    pub_send(pub, RTMP_CS_VIDEO, RTMP_AGGREGATE, ts, b.data,
             (uint32_t) b.len);

    lr_buf_free(&b);
}


static void
pub_send(pub_t *pub, unsigned csid, unsigned type, uint32_t ts,
    const u_char *p, uint32_t len)
{
    rtmp_header_t  h;

    memset(&h, 0, sizeof(rtmp_header_t));

    h.csid = (uint8_t) csid;
    h.type = (uint8_t) type;
    h.msid = pub->client.msid;
    h.len = len;
    h.ts = ts;
    h.delta = ts - pub->last_ts[csid];
    h.no_ext = pub->no_ext;

    /* a delta cannot go back, and a long one is easier to read absolute */
    h.full = pub->absolute || !pub->seen[csid] || h.delta >= RTMP_EXT_TS;

    pub->last_ts[csid] = ts;
    pub->seen[csid] = 1;

    rtmp_put_message(&pub->client.out, pub->chunk, &h, p);

    if (pub->client.out.failed) {
        pub_die("out of memory");
    }
}


static void
pub_count(pub_t *pub, const pub_tag_t *tag)
{
    pub->sent_time = tag->time + pub->looped;
    pub->sent_ts = (uint32_t) (tag->ts + pub->looped) + pub->ts_offset;

    if (tag->type == RTMP_AUDIO) {
        pub->audio++;

    } else if (tag->type == RTMP_VIDEO) {
        pub->video++;
    }
}
