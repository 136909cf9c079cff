
/*
 * Copyright (C) the ngx_live_record authors
 */


#include "lr_push_args.h"
#include "lr_url.h"


#define LR_PUSH_ARGS_PREFIX  "callback_"


static size_t lr_push_args_add(json_t *args, const char *p, size_t n);
static int lr_push_args_decode(lr_buf_t *b, const char *p, size_t n);


json_t *
lr_push_args(const char *p, size_t n)
{
    size_t       len, room;
    json_t      *args;
    const char  *end, *last;

    args = json_object();

    if (args == NULL) {
        return NULL;
    }

    room = LR_PUSH_ARGS_MAX;

    for (last = p + n; p < last; p = end + 1) {
        end = memchr(p, '&', (size_t) (last - p));

        if (end == NULL) {
            end = last;
        }

        /* decoding makes nothing longer */

        if ((size_t) (end - p) <= room) {
            len = lr_push_args_add(args, p, (size_t) (end - p));
            room -= len;
        }
    }

    if (json_object_size(args) == 0) {
        json_decref(args);
        return NULL;
    }

    return args;
}


/* gives the bytes it takes, 0 if it is left out */

static size_t
lr_push_args_add(json_t *args, const char *p, size_t n)
{
    size_t       len, taken;
    json_t      *v;
    lr_buf_t     name, value;
    const char  *eq;

    eq = memchr(p, '=', n);
    len = eq ? (size_t) (eq - p) : n;

    memset(&name, 0, sizeof(lr_buf_t));
    memset(&value, 0, sizeof(lr_buf_t));

    taken = 0;

    if (lr_push_args_decode(&name, p, len) == LR_OK
        && strncmp((char *) name.data, LR_PUSH_ARGS_PREFIX,
                   sizeof(LR_PUSH_ARGS_PREFIX) - 1)
           == 0
        && json_object_get(args, (char *) name.data) == NULL
        && lr_push_args_decode(&value, eq ? eq + 1 : "",
                               eq ? n - len - 1 : 0)
           == LR_OK)
    {
        v = json_string((char *) value.data);

        /* UTF-8 is checked for both; the reference is taken in any case */

        if (v && json_object_set_new(args, (char *) name.data, v) == 0) {
            taken = name.len + value.len;
        }
    }

    lr_buf_free(&name);
    lr_buf_free(&value);

    return taken;
}


/* a zero byte follows, which is not counted */

static int
lr_push_args_decode(lr_buf_t *b, const char *p, size_t n)
{
    size_t  i;

    if (lr_url_decode_query(b, p, n) != LR_OK) {
        return LR_ERROR;
    }

    lr_buf_append(b, "", 1);

    if (b->failed) {
        return LR_ERROR;
    }

    b->len--;

    for (i = 0; i < b->len; i++) {
        if (b->data[i] < 0x20 || b->data[i] == 0x7f) {
            return LR_ERROR;
        }
    }

    return LR_OK;
}
