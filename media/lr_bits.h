
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Reading single bits and Exp-Golomb codes.  Reading past the end gives
 * zeroes and sets "over", so that a parser checks once, at its end.
 */


#ifndef _LR_BITS_H_INCLUDED_
#define _LR_BITS_H_INCLUDED_


#include "lr_core.h"


typedef struct {
    const u_char   *data;
    size_t          pos;              /* bits */
    size_t          size;             /* bits */
    unsigned        over:1;
} lr_bits_t;


static inline void
lr_bits_init(lr_bits_t *b, const u_char *p, size_t n)
{
    b->data = p;
    b->pos = 0;
    b->size = n * 8;
    b->over = 0;
}


static inline size_t
lr_bits_left(const lr_bits_t *b)
{
    return b->size - b->pos;
}


static inline void
lr_bits_skip(lr_bits_t *b, size_t n)
{
    if (n > lr_bits_left(b)) {
        b->over = 1;
        b->pos = b->size;
        return;
    }

    b->pos += n;
}


/* n is at most 32 */

static inline uint32_t
lr_bits_get(lr_bits_t *b, unsigned n)
{
    uint32_t  v;

    if (n > lr_bits_left(b)) {
        b->over = 1;
        b->pos = b->size;
        return 0;
    }

    for (v = 0; n; n--) {
        v = v << 1 | ((b->data[b->pos >> 3] >> (7 - (b->pos & 7))) & 1);
        b->pos++;
    }

    return v;
}


/* ue(v), H.264 9.1; a code of more than 32 bits sets "over" */

static inline uint32_t
lr_bits_ue(lr_bits_t *b)
{
    unsigned  n;

    n = 0;

    while (lr_bits_get(b, 1) == 0) {
        if (b->over || ++n == 32) {
            b->over = 1;
            return 0;
        }
    }

    return ((uint32_t) 1 << n) - 1 + lr_bits_get(b, n);
}


/* se(v) */

static inline int32_t
lr_bits_se(lr_bits_t *b)
{
    uint32_t  v;

    v = lr_bits_ue(b);

    return v & 1 ? (int32_t) (v / 2 + 1) : - (int32_t) (v / 2);
}


/*
 * Copies a NAL unit without its emulation prevention bytes (H.264 7.3.1),
 * at most "size" bytes; returns how many were written.
 */

static inline size_t
lr_bits_unescape(u_char *dst, size_t size, const u_char *p, size_t n)
{
    size_t    i, k;
    unsigned  zeros;

    k = 0;
    zeros = 0;

    for (i = 0; i < n && k < size; i++) {

        if (zeros >= 2 && p[i] == 3) {
            zeros = 0;
            continue;
        }

        zeros = p[i] ? 0 : zeros + 1;
        dst[k++] = p[i];
    }

    return k;
}


#endif /* _LR_BITS_H_INCLUDED_ */
