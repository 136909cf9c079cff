
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What the workers share beside files: which streams are being published,
 * and where, and commands from one worker to another.  Nothing that was
 * recorded depends on it, and it may be lost at any time.
 */


#ifndef _NGX_LIVE_RECORD_STREAMS_H_INCLUDED_
#define _NGX_LIVE_RECORD_STREAMS_H_INCLUDED_


#include "ngx_live_record.h"


/* a stream by its place and its serial, which is never used again */

typedef struct {
    ngx_uint_t                 place;
    uint64_t                   serial;         /* 0: none */
    ngx_pid_t                  pid;            /* of its worker */
} ngx_live_record_stream_t;


/* a command; one that was sent is known by its place and serial, too */

typedef struct {
    ngx_uint_t                 place;
    uint64_t                   serial;
    ngx_pid_t                  pid;            /* whom it is for */
    uint64_t                   stream;         /* serial */
    ngx_uint_t                 what;
} ngx_live_record_order_t;


/* while the configuration is read: lmcf->streams */
ngx_int_t ngx_live_record_streams_add(ngx_conf_t *cf,
    ngx_live_record_main_conf_t *lmcf);

/* a worker begins and ends: clears what earlier ones left, and its own */
void ngx_live_record_streams_init(void);
void ngx_live_record_streams_exit(void);

/*
 * A stream that is published in this worker; s->serial is 0 if the table
 * is full.
 */
void ngx_live_record_streams_enter(ngx_live_record_stream_t *s,
    const char *scope, const char *app, const char *stream);
void ngx_live_record_streams_leave(ngx_live_record_stream_t *s);

/*
 * The stream of this name that was published last, in a server of this
 * domain or else in one without a domain.  NGX_DECLINED: there is none.
 */
ngx_int_t ngx_live_record_streams_find(ngx_live_record_stream_t *s,
    const char *domain, const char *app, const char *stream);

/* sends a command to the worker of s; NGX_ERROR: there are too many */
ngx_int_t ngx_live_record_streams_send(ngx_live_record_stream_t *s,
    ngx_uint_t what, ngx_live_record_order_t *order);

/*
 * What became of it: NGX_OK with the result, NGX_AGAIN, or NGX_DECLINED if
 * its worker has gone.  It is forgotten but after NGX_AGAIN.
 */
ngx_int_t ngx_live_record_streams_result(ngx_live_record_order_t *order,
    ngx_uint_t *result);

/* the result does not matter any more; what was not begun is not done */
void ngx_live_record_streams_withdraw(ngx_live_record_order_t *order);

/* the next command for this worker, or NGX_DECLINED; cheap if there is none */
ngx_int_t ngx_live_record_streams_next(ngx_live_record_order_t *order);

/* answers it */
void ngx_live_record_streams_done(ngx_live_record_order_t *order,
    ngx_uint_t result);


#endif /* _NGX_LIVE_RECORD_STREAMS_H_INCLUDED_ */
