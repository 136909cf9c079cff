
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Reading the manifests of a stream from its bucket: a listing, of which
 * some are chosen, and these, several at a time.  What takes its time, the
 * choice and the parsing, is done by threads.
 */


#ifndef _NGX_LIVE_RECORD_MANIFESTS_H_INCLUDED_
#define _NGX_LIVE_RECORD_MANIFESTS_H_INCLUDED_


#include "lr_manifest.h"
#include "ngx_live_record_bucket.h"


/* so many are read at a time */
#define NGX_LIVE_RECORD_MANIFESTS_READS  8


typedef struct ngx_live_record_manifests_s  ngx_live_record_manifests_t;


/* one that is being read */

typedef struct {
    ngx_live_record_manifests_t  *manifests;
    ngx_live_record_request_t    *request;
    ngx_uint_t                    state;
    size_t                        place;    /* in parts */
    const char                   *version;  /* in keys */
    ngx_uint_t                    bad;
} ngx_live_record_manifests_read_t;


struct ngx_live_record_manifests_s {

    /* set by the caller */

    void                        *context;   /* of threads; from ngx_alloc(),
                                               and freed with the rest when
                                               no thread needs it */

    /*
     * In a thread: takes from a listing, "key\0version\0" ..., what is
     * wanted, in the same form.  LR_ERROR: no memory.
     */
    int                        (*select)(void *context,
                                         const lr_buf_t *list,
                                         lr_buf_t *keys);

    /* in a thread: 0 if a part is not wanted after all; may be NULL */
    ngx_uint_t                 (*wanted)(void *context,
                                         lr_manifest_t *part);

    /*
     * What was asked for is done, or has failed.  May be called before the
     * function that asked returns, and may free everything.  After a
     * failure, nothing else can be done.
     */
    void                       (*handler)(void *data, lr_retry_e result,
                                          ngx_uint_t after);
    void                        *data;

    /* no recording waits for it, as of a request */
    unsigned                     aside:1;

    /* what was found: keys as they were chosen, parts in their order */

    lr_buf_t                     keys;
    lr_manifest_t              **parts;
    size_t                       n;
    ngx_uint_t                   bad;       /* were not understood */
    char                         err[512];  /* why it failed */

    /* its own */

    char                        *app;
    char                        *stream;
    size_t                       pos;       /* of the next key */
    size_t                       next;      /* and its place */
    lr_retry_e                   result;
    ngx_uint_t                   after;
    ngx_thread_task_t           *task;
    unsigned                     asking:1;
    unsigned                     failed:1;
    unsigned                     thread:1;
    unsigned                     freed:1;

    /* what the thread does, and has done, in words of their own */

    ngx_uint_t                   listing;
    ngx_uint_t                   work;      /* a bit for each read */
    int                          rc;

    ngx_live_record_manifests_read_t
                                 reads[NGX_LIVE_RECORD_MANIFESTS_READS];
};


/* of a stream, whose names are copied; NULL: no memory */
ngx_live_record_manifests_t *ngx_live_record_manifests_create(
    ngx_live_record_bucket_t *bucket, const char *app, const char *stream);

/*
 * Lists the manifests that begin at unix ms "from" or later, and at "to" or
 * before, unless that is -1; more may be listed.  Sets m->keys.
 */
void ngx_live_record_manifests_list(ngx_live_record_manifests_t *m,
    int64_t from, int64_t to);

/*
 * Reads those in m->keys into m->parts.  One that has gone since it was
 * listed is left out.
 */
void ngx_live_record_manifests_read(ngx_live_record_manifests_t *m);

/* frees the parts, what was listed stays */
void ngx_live_record_manifests_drop(ngx_live_record_manifests_t *m);

/* what is under way is given up, no handler is called; NULL is allowed */
void ngx_live_record_manifests_free(ngx_live_record_manifests_t *m);


#endif /* _NGX_LIVE_RECORD_MANIFESTS_H_INCLUDED_ */
