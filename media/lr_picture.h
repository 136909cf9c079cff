
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Whether a message of video is a picture, and where decoding can begin:
 * LR_SAMPLE_NEXT, _PREV and _TIED of its row.  Walks the lengths before NAL
 * units (ISO/IEC 14496-15 5.3.4.2, 8.3.4) as far as the first slice, and says
 * of each message what lr_ts.c makes of it: where this one begins a picture,
 * a PES packet with times does.
 */


#ifndef _LR_PICTURE_H_INCLUDED_
#define _LR_PICTURE_H_INCLUDED_


#include "lr_core.h"
#include "lr_flv.h"
#include "lr_sample.h"


/* a length and as much of a NAL unit as is looked at */
#define LR_PICTURE_HEAD  (4 + 3)


/* zeroed at the start of a fragment: each stands for itself */

typedef struct {
    uint8_t         codec;            /* of the sequence header */
    uint8_t         length_size;      /* bytes before each NAL unit */

    /* of the message under way */

    uint8_t         have;             /* bytes in head */
    uint8_t         want;
    u_char          head[LR_PICTURE_HEAD];
    unsigned        key:1;            /* as the publisher says */
    unsigned        known:1;          /* no more of it is needed */
    unsigned        broken:1;
    unsigned        slice:1;          /* one was found */
    unsigned        first:1;          /* of a picture */
    unsigned        tied:1;           /* its picture is */
    unsigned        any:1;            /* a NAL unit that is not an AUD */
    unsigned        trailing:1;       /* it is one that ends a picture */

    /* of those before */

    unsigned        open:1;           /* there was a picture */
    unsigned        held:1;           /* something waits for the next */

    size_t          skip;             /* bytes that tell nothing */
    size_t          left;             /* bytes not fed yet */
} lr_picture_t;


/* takes the whole body of a sequence header's tag */
void lr_picture_config(lr_picture_t *p, const u_char *body, size_t n);

/* begins a message, b being what lr_flv_parse() says of its "size" bytes */
void lr_picture_begin(lr_picture_t *p, const lr_flv_body_t *b, size_t size);

/*
 * Takes the message, from its first byte on, in pieces of any length.
 * LR_AGAIN: more is needed; LR_OK: the rest need not come.
 */
int lr_picture_feed(lr_picture_t *p, const u_char *data, size_t n);

/*
 * Ends the message: 0 or LR_SAMPLE_TIED for a picture, LR_SAMPLE_NEXT or
 * LR_SAMPLE_PREV.  What is broken, has no sequence header or is of another
 * codec is a picture, and not tied.
 */
unsigned lr_picture_end(lr_picture_t *p);


#endif /* _LR_PICTURE_H_INCLUDED_ */
