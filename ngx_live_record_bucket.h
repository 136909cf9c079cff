
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Requests to a bucket, whatever its type.  Nothing here waits: a request
 * is handed over, and its handler is called when it is done or has failed.
 */


#ifndef _NGX_LIVE_RECORD_BUCKET_H_INCLUDED_
#define _NGX_LIVE_RECORD_BUCKET_H_INCLUDED_


#include "lr_body.h"
#include "lr_part.h"
#include "lr_recording.h"
#include "ngx_live_record.h"


typedef enum {
    NGX_LIVE_RECORD_PUT = 0,
    NGX_LIVE_RECORD_GET,
    NGX_LIVE_RECORD_LIST,
    NGX_LIVE_RECORD_DELETE,       /* one that is not there is success */

    /* an object in parts, which may come in any order */

    NGX_LIVE_RECORD_BEGIN,        /* gives the id of an upload */
    NGX_LIVE_RECORD_PART,
    NGX_LIVE_RECORD_COMPLETE,     /* makes the object of the parts */
    NGX_LIVE_RECORD_ABORT,

    NGX_LIVE_RECORD_MOVE          /* gives an object another key */
} ngx_live_record_op_e;


typedef struct ngx_live_record_request_s  ngx_live_record_request_t;

struct ngx_live_record_request_s {
    ngx_queue_t                queue;
    ngx_live_record_bucket_t  *bucket;
    ngx_live_record_op_e       op;

    /* set by the caller, and valid until the handler is called */

    char                      *key;        /* of LIST: the prefix */
    char                      *after;      /* of LIST: keys behind this */
    char                      *until;      /* of LIST: what is behind this
                                              need not be listed; or NULL */
    size_t                     first;      /* of GET: so many bytes of its
                                              beginning are wanted; 0: all */
    const char                *type;       /* of PUT, BEGIN: Content-Type */
    const char                *tag;        /* the recording's id, or NULL;
                                              copied by the start */
    lr_object_kind_e           kind;       /* of PUT; of others it is media */
    lr_body_t                  body;       /* of PUT, PART */
    unsigned                   backlog:1;  /* there is much more to come */
    unsigned                   keep:1;     /* of PUT, BEGIN, COMPLETE, MOVE:
                                              never overwrite what is not
                                              the same */
    unsigned                   aside:1;    /* no recording waits for it, and
                                              its failure is told by who
                                              asked */

    const char                *upload;     /* of PART, COMPLETE, ABORT: what
                                              BEGIN has given */
    unsigned                   again:1;    /* of BEGIN: uploads of this key
                                              may have been left open, and
                                              are aborted first */
    unsigned                   work:1;     /* of BEGIN: the object will be
                                              moved away from its key */
    uint32_t                   number;     /* of PART: from 1 */
    uint64_t                   offset;     /* of PART: of its bytes, counted
                                              from the start of part 2; of
                                              part 1: how long all the others
                                              are */
    const lr_part_t           *parts;      /* of COMPLETE: in order */
    size_t                     nparts;
    const char                *to;         /* of MOVE */
    uint64_t                   size;       /* of COMPLETE, MOVE: what the */
    uint64_t                   crc;        /* object is known to be */

    void                     (*handler)(ngx_live_record_request_t *req);
    void                      *data;

    /* set before the handler is called */

    lr_retry_e                 result;
    lr_gate_verdict_e          verdict;    /* on the bucket */
    int                        local;      /* errno, if it failed here: the
                                              body, or no thread was had */
    ngx_uint_t                 retry_after;
    uint64_t                   bytes;      /* of PUT: of the object; of PART:
                                              of the part */
    uint64_t                   sum;        /* of PUT, PART: CRC-64, or 0 */
    uint32_t                   align;      /* of BEGIN: part 1 has to be a
                                              multiple of this; 0: any */
    const char                *refusal;    /* of LR_RETRY_ADMIN, for callbacks:
                                              their code, and why, without a
                                              name of anything */
    char                       refused[128];
    unsigned                   denied:1;   /* of MOVE: it is not allowed */
    unsigned                   unfit:1;    /* a directory cannot have this
                                              name, err says why */
    unsigned                   left:1;     /* of MOVE: done, but the object
                                              is under its old key as well,
                                              err says why */
    lr_buf_t                   answer;     /* of GET: the object; of LIST:
                                              "key\0version\0" ...; of
                                              BEGIN: the upload's id, of
                                              PART: its ETag, as strings */
    char                       err[512];

    /* the bucket's own */

    char                       id[LR_ID_MAX + 1];    /* the tag: a thread
                                              may outlive whose it is */
    ngx_thread_task_t         *task;
    void                      *transfer;
    uint32_t                   era;        /* of the bucket's gate */
    unsigned                   active:1;
    unsigned                   cancelled:1;
};


/* the worker has left its event loop: no thread will tell of its end */
extern ngx_uint_t  ngx_live_record_threads_gone;

/* the largest object that is read into memory */
#define NGX_LIVE_RECORD_GET_MAX  (8 * 1024 * 1024)


/* before there is any request */
ngx_int_t ngx_live_record_buckets_init(ngx_cycle_t *cycle,
    ngx_uint_t workers);

/* the least bytes that a part may have */
uint64_t ngx_live_record_bucket_part_min(ngx_live_record_bucket_t *b);

ngx_live_record_request_t *ngx_live_record_request_create(void);

/*
 * Begins a request, or lets it wait for its turn: for one of those under
 * way to end, and, if the bucket is down, until it is back.
 */
void ngx_live_record_request_start(ngx_live_record_request_t *req);

/* frees a request; one under way is given up, its handler is not called */
void ngx_live_record_request_free(ngx_live_record_request_t *req);

/* while the worker exits: requests that wait fail without having begun */
void ngx_live_record_requests_let_go(void);

void ngx_live_record_engines_free(void);

/* for the types of buckets: a request is over */
void ngx_live_record_request_done(ngx_live_record_request_t *req);


/* ngx_live_record_dir.c */

void ngx_live_record_dir_start(ngx_live_record_request_t *req);


/* ngx_live_record_oss.c: buckets of type oss and s3 */

ngx_int_t ngx_live_record_oss_init(ngx_cycle_t *cycle);
void ngx_live_record_oss_exit(void);
void ngx_live_record_oss_start(ngx_live_record_request_t *req);

/* gives up a request under way; LR_AGAIN: a thread is at it still */
int ngx_live_record_oss_cancel(ngx_live_record_request_t *req);


#endif /* _NGX_LIVE_RECORD_BUCKET_H_INCLUDED_ */
