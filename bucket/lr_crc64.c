
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <isa-l/crc64.h>
#include "lr_crc64.h"


#define LR_CRC64_POLY  0xc96c5795d7870f42ull
#define LR_CRC64_ONE   0x8000000000000000ull


static uint64_t lr_crc64_mul(uint64_t a, uint64_t b);


uint64_t
lr_crc64_update(uint64_t crc, const void *p, size_t n)
{
    if (n == 0) {
        return crc;
    }

    return crc64_ecma_refl(crc, p, n);
}


/*
 * The bits of A have moved on by those of B: crc1 * x^(8 * len2) modulo the
 * polynomial.  The ones before and after cancel out.
 */

uint64_t
lr_crc64_combine(uint64_t crc1, uint64_t crc2, uint64_t len2)
{
    uint64_t  x, shift;

    shift = LR_CRC64_ONE;

    /* x^8; the highest bit is the coefficient of x^0 */

    for (x = LR_CRC64_ONE >> 8; len2 != 0; len2 >>= 1) {

        if (len2 & 1) {
            shift = lr_crc64_mul(shift, x);
        }

        x = lr_crc64_mul(x, x);
    }

    return lr_crc64_mul(crc1, shift) ^ crc2;
}


int
lr_crc64_parse(const char *p, size_t n, uint64_t *crc)
{
    size_t    i;
    uint64_t  v, d;

    if (n == 0) {
        return LR_ERROR;
    }

    v = 0;

    for (i = 0; i < n; i++) {

        if (p[i] < '0' || p[i] > '9') {
            return LR_ERROR;
        }

        d = (uint64_t) (p[i] - '0');

        if (v > (UINT64_MAX - d) / 10) {
            return LR_ERROR;
        }

        v = v * 10 + d;
    }

    *crc = v;

    return LR_OK;
}


static uint64_t
lr_crc64_mul(uint64_t a, uint64_t b)
{
    uint64_t  m, sum;

    sum = 0;

    for (m = LR_CRC64_ONE; m != 0; m >>= 1) {

        if (a & m) {
            sum ^= b;
        }

        b = (b & 1) ? (b >> 1) ^ LR_CRC64_POLY : b >> 1;
    }

    return sum;
}
