
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <isa-l/crc64.h>
#include <openssl/evp.h>
#include "lr_crc64.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define LR_CRC64_FOLD  1
#endif


/* reflected: the highest bit is the coefficient of x^0 */

#define LR_CRC64_XZ    0xc96c5795d7870f42ull
#define LR_CRC64_NVME  0x9a6c9329ac4bc9b5ull
#define LR_CRC64_ONE   0x8000000000000000ull

/* powers of x modulo the polynomial of NVME */

#define LR_CRC64_K575  0x0c32cdb31e18a84aull
#define LR_CRC64_K511  0x62242240ace5045aull
#define LR_CRC64_K191  0xeadc41fd2ba3d420ull
#define LR_CRC64_K127  0x21e9761e252621acull


static uint64_t lr_crc64_mul(uint64_t a, uint64_t b);
static uint64_t lr_crc64_bytes(uint64_t crc, const u_char *p, size_t n);
#if (LR_CRC64_FOLD)
static uint64_t lr_crc64_fold(uint64_t crc, const u_char *p, size_t n)
    __attribute__ ((target ("sse2,pclmul")));
static inline __m128i lr_crc64_step(__m128i x, __m128i k, __m128i next)
    __attribute__ ((target ("sse2,pclmul")));
#endif


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

    /* x^8 */

    for (x = LR_CRC64_ONE >> 8; len2 != 0; len2 >>= 1) {

        if (len2 & 1) {
            shift = lr_crc64_mul(shift, x);
        }

        x = lr_crc64_mul(x, x);
    }

    return lr_crc64_mul(crc1, shift) ^ crc2;
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

        b = (b & 1) ? (b >> 1) ^ LR_CRC64_XZ : b >> 1;
    }

    return sum;
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


uint64_t
lr_crc64_nvme_update(uint64_t crc, const void *p, size_t n)
{
    crc = ~crc;

#if (LR_CRC64_FOLD)

    if (n >= 64 && __builtin_cpu_supports("pclmul")) {
        return ~lr_crc64_fold(crc, p, n);
    }

#endif

    return ~lr_crc64_bytes(crc, p, n);
}


void
lr_crc64_nvme_text(char *buf, uint64_t crc)
{
    u_char  b[8];

    lr_put_be64(b, crc);

    EVP_EncodeBlock((u_char *) buf, b, 8);
}


int
lr_crc64_nvme_parse(const char *p, size_t n, uint64_t *crc)
{
    char    text[LR_CRC64_NVME_TEXT];
    u_char  b[9];

    if (n != LR_CRC64_NVME_TEXT - 1
        || EVP_DecodeBlock(b, (const u_char *) p, (int) n) != 9)
    {
        return LR_ERROR;
    }

    *crc = lr_get_be64(b);

    /* the decoder is content with more than is written here */

    lr_crc64_nvme_text(text, *crc);

    return memcmp(text, p, n) == 0 ? LR_OK : LR_ERROR;
}


/* without the ones; a table pays from a few hundred bytes on */

static uint64_t
lr_crc64_bytes(uint64_t crc, const u_char *p, size_t n)
{
    unsigned  i, k;
    uint64_t  table[256], v;

    if (n < 512) {

        for ( /* void */ ; n != 0; n--) {
            crc ^= *p++;

            for (k = 0; k < 8; k++) {
                crc = (crc & 1) ? (crc >> 1) ^ LR_CRC64_NVME : crc >> 1;
            }
        }

        return crc;
    }

    for (i = 0; i < 256; i++) {
        v = i;

        for (k = 0; k < 8; k++) {
            v = (v & 1) ? (v >> 1) ^ LR_CRC64_NVME : v >> 1;
        }

        table[i] = v;
    }

    for ( /* void */ ; n != 0; n--) {
        crc = (crc >> 8) ^ table[(crc ^ *p++) & 0xff];
    }

    return crc;
}


#if (LR_CRC64_FOLD)

/*
 * Each 16 bytes are replaced by what is congruent to them further on: 16
 * bytes later, the first 8 of them times x^192, the others times x^128; as
 * long as it can, 64 bytes later, so that no product waits for the one
 * before.  A product of reflected numbers is one bit off, and so are the
 * powers.  ISA-L has this for NVME only since its version 2.31.
 */

static uint64_t
lr_crc64_fold(uint64_t crc, const u_char *p, size_t n)
{
    size_t          i;
    u_char          rest[16];
    __m128i         x[4], k;
    const __m128i  *b;

    b = (const __m128i *) p;

    for (i = 0; i < 4; i++) {
        x[i] = _mm_loadu_si128(b++);
    }

    x[0] = _mm_xor_si128(x[0], _mm_set_epi64x(0, (int64_t) crc));

    k = _mm_set_epi64x((int64_t) LR_CRC64_K511, (int64_t) LR_CRC64_K575);

    for (n -= 64; n >= 64; n -= 64) {
        x[0] = lr_crc64_step(x[0], k, _mm_loadu_si128(b++));
        x[1] = lr_crc64_step(x[1], k, _mm_loadu_si128(b++));
        x[2] = lr_crc64_step(x[2], k, _mm_loadu_si128(b++));
        x[3] = lr_crc64_step(x[3], k, _mm_loadu_si128(b++));
    }

    k = _mm_set_epi64x((int64_t) LR_CRC64_K127, (int64_t) LR_CRC64_K191);

    for (i = 1; i < 4; i++) {
        x[0] = lr_crc64_step(x[0], k, x[i]);
    }

    for ( /* void */ ; n >= 16; n -= 16) {
        x[0] = lr_crc64_step(x[0], k, _mm_loadu_si128(b++));
    }

    _mm_storeu_si128((__m128i *) rest, x[0]);

    return lr_crc64_bytes(lr_crc64_bytes(0, rest, 16), (const u_char *) b, n);
}


static inline __m128i
lr_crc64_step(__m128i x, __m128i k, __m128i next)
{
    x = _mm_xor_si128(_mm_clmulepi64_si128(x, k, 0x00),
                      _mm_clmulepi64_si128(x, k, 0x11));

    return _mm_xor_si128(x, next);
}

#endif
