
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What every pure file of the project stands on: results, byte order,
 * strings with a length, a growing buffer.  Nothing here knows of nginx.
 */


#ifndef _LR_CORE_H_INCLUDED_
#define _LR_CORE_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>


#define LR_OK        0
#define LR_ERROR    -1
#define LR_AGAIN    -2
#define LR_DECLINED -5


typedef struct {
    size_t      len;
    char       *data;
} lr_str_t;


/*
 * A growing array of bytes.  A zeroed one is empty and valid.  A failed
 * allocation sets "failed" and makes every later append a no-op, so that
 * a writer checks once, at its end.
 */

typedef struct {
    u_char     *data;
    size_t      len;
    size_t      size;
    unsigned    failed:1;
} lr_buf_t;


/* makes room for n more bytes; LR_ERROR when there is no memory */
int lr_buf_reserve(lr_buf_t *b, size_t n);

/*
 * Makes the size at least that, and the data begin at a multiple of "align",
 * a power of 2, until the buffer has to grow; LR_ERROR: no memory
 */
int lr_buf_align(lr_buf_t *b, size_t size, size_t align);

void lr_buf_append(lr_buf_t *b, const void *p, size_t n);
void lr_buf_puts(lr_buf_t *b, const char *s);
void lr_buf_printf(lr_buf_t *b, const char *fmt, ...)
    __attribute__ ((format (printf, 2, 3)));
/* frees the bytes; the buffer is empty and valid again */
void lr_buf_free(lr_buf_t *b);


static inline uint32_t
lr_get_be16(const u_char *p)
{
    return (uint32_t) p[0] << 8 | p[1];
}


static inline uint32_t
lr_get_be24(const u_char *p)
{
    return (uint32_t) p[0] << 16 | (uint32_t) p[1] << 8 | p[2];
}


static inline uint32_t
lr_get_be32(const u_char *p)
{
    return (uint32_t) p[0] << 24 | lr_get_be24(p + 1);
}


static inline uint64_t
lr_get_be64(const u_char *p)
{
    return (uint64_t) lr_get_be32(p) << 32 | lr_get_be32(p + 4);
}


static inline u_char *
lr_put_be16(u_char *p, uint32_t v)
{
    p[0] = (u_char) (v >> 8);
    p[1] = (u_char) v;
    return p + 2;
}


static inline u_char *
lr_put_be24(u_char *p, uint32_t v)
{
    p[0] = (u_char) (v >> 16);
    return lr_put_be16(p + 1, v);
}


static inline u_char *
lr_put_be32(u_char *p, uint32_t v)
{
    p[0] = (u_char) (v >> 24);
    return lr_put_be24(p + 1, v);
}


static inline u_char *
lr_put_be64(u_char *p, uint64_t v)
{
    return lr_put_be32(lr_put_be32(p, (uint32_t) (v >> 32)), (uint32_t) v);
}


#endif /* _LR_CORE_H_INCLUDED_ */
