
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "lr_core.h"


int
lr_buf_reserve(lr_buf_t *b, size_t n)
{
    size_t   size;
    u_char  *p;

    if (b->failed) {
        return LR_ERROR;
    }

    if (b->size - b->len >= n) {
        return LR_OK;
    }

    size = b->size ? b->size : 256;

    while (size - b->len < n) {
        if (size > SIZE_MAX / 2) {
            b->failed = 1;
            return LR_ERROR;
        }

        size *= 2;
    }

    p = realloc(b->data, size);
    if (p == NULL) {
        b->failed = 1;
        return LR_ERROR;
    }

    b->data = p;
    b->size = size;

    return LR_OK;
}


int
lr_buf_align(lr_buf_t *b, size_t size, size_t align)
{
    void  *p;

    if (b->failed) {
        return LR_ERROR;
    }

    if (b->size >= size && (uintptr_t) b->data % align == 0) {
        return LR_OK;
    }

    if (size < b->size) {
        size = b->size;
    }

    if (posix_memalign(&p, align, size) != 0) {
        b->failed = 1;
        return LR_ERROR;
    }

    if (b->len) {
        memcpy(p, b->data, b->len);
    }

    free(b->data);

    b->data = p;
    b->size = size;

    return LR_OK;
}


void
lr_buf_append(lr_buf_t *b, const void *p, size_t n)
{
    if (n == 0 || lr_buf_reserve(b, n) != LR_OK) {
        return;
    }

    memcpy(b->data + b->len, p, n);
    b->len += n;
}


void
lr_buf_puts(lr_buf_t *b, const char *s)
{
    lr_buf_append(b, s, strlen(s));
}


void
lr_buf_printf(lr_buf_t *b, const char *fmt, ...)
{
    int      n;
    va_list  args;

    va_start(args, fmt);
    n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);

    if (n < 0 || lr_buf_reserve(b, (size_t) n + 1) != LR_OK) {
        b->failed = 1;
        return;
    }

    va_start(args, fmt);
    vsnprintf((char *) b->data + b->len, (size_t) n + 1, fmt, args);
    va_end(args);

    b->len += (size_t) n;
}


void
lr_buf_free(lr_buf_t *b)
{
    free(b->data);
    memset(b, 0, sizeof(lr_buf_t));
}
