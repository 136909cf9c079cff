
/*
 * Copyright (C) the ngx_live_record authors
 */


#include "ngx_live_record_message.h"


void
ngx_live_record_message_init(ngx_live_record_message_t *m, ngx_uint_t type,
    uint32_t timestamp, ngx_chain_t *in)
{
    size_t  len, rest;

    m->type = type;
    m->timestamp = timestamp;
    m->in = in;
    m->size = 0;
    m->n = 0;

    for ( /* void */ ; in; in = in->next) {
        len = in->buf->last - in->buf->pos;
        m->size += len;

        rest = LR_FLV_PEEK - m->n;

        if (rest) {
            len = ngx_min(len, rest);
            ngx_memcpy(m->peek + m->n, in->buf->pos, len);
            m->n += len;
        }
    }

    lr_flv_parse(type, m->peek, m->size, &m->body);
}
