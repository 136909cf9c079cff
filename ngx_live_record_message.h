
/*
 * Copyright (C) the ngx_live_record authors
 *
 * A message of audio or video as nginx-rtmp gives it, with what its first
 * bytes say.
 */


#ifndef _NGX_LIVE_RECORD_MESSAGE_H_INCLUDED_
#define _NGX_LIVE_RECORD_MESSAGE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "lr_flv.h"


/* no sequence header is larger */
#define NGX_LIVE_RECORD_CONFIG_MAX  65536


typedef struct {
    ngx_uint_t      type;               /* LR_FLV_AUDIO or LR_FLV_VIDEO */
    uint32_t        timestamp;          /* ms */
    ngx_chain_t    *in;                 /* the caller's */
    size_t          size;               /* of all of it */
    size_t          n;                  /* bytes in peek */
    u_char          peek[LR_FLV_PEEK];  /* the first of them */
    lr_flv_body_t   body;               /* what they say */
} ngx_live_record_message_t;


void ngx_live_record_message_init(ngx_live_record_message_t *m,
    ngx_uint_t type, uint32_t timestamp, ngx_chain_t *in);


#endif /* _NGX_LIVE_RECORD_MESSAGE_H_INCLUDED_ */
