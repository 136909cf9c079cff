
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The access key of a bucket: where it comes from, and that it is there and
 * valid when a request is signed.  Each worker renews it by itself, before
 * it ends; never twice at a time, and all at once for all requests.
 */


#ifndef _NGX_LIVE_RECORD_CRED_H_INCLUDED_
#define _NGX_LIVE_RECORD_CRED_H_INCLUDED_


#include "lr_metadata.h"
#include "ngx_live_record_block.h"
#include "ngx_live_record_curl.h"


#define NGX_LIVE_RECORD_CRED_NONE    0
#define NGX_LIVE_RECORD_CRED_ENV     1
#define NGX_LIVE_RECORD_CRED_FILE    2
#define NGX_LIVE_RECORD_CRED_KEY     3
#define NGX_LIVE_RECORD_CRED_ROLE    4


/* what was told of it last */

typedef enum {
    NGX_LIVE_RECORD_CRED_WELL = 0,
    NGX_LIVE_RECORD_CRED_OLD,         /* not renewed, but still valid */
    NGX_LIVE_RECORD_CRED_MISSING
} ngx_live_record_cred_state_e;


/* a file that was read; a zeroed one was not yet */

typedef struct {
    lr_cred_t                      key;       /* the caller takes it */
    struct timespec                mtime;
    off_t                          size;
    ino_t                          inode;
    ngx_uint_t                     others;    /* they can read it */
    char                           err[512];
} ngx_live_record_cred_file_t;


struct ngx_live_record_cred_s {
    ngx_live_record_bucket_t      *bucket;
    ngx_uint_t                     type;
    ngx_str_t                      path;      /* of a file */
    ngx_str_t                      profile;   /* in it, or NULL */
    ngx_str_t                      role;      /* NULL: the machine's */
    ngx_str_t                      endpoint;  /* of the metadata service */

    lr_cred_t                      key;       /* what is signed with */
    ngx_uint_t                     serial;    /* of that key */

    /* of this worker */

    ngx_event_t                    timer;
    ngx_queue_t                    waiting;
    ngx_uint_t                     tries;     /* failed, since it was well */
    time_t                         renewed;   /* this serial */
    time_t                         doubted;
    ngx_live_record_cred_state_e   state;
    ngx_uint_t                     others;    /* that was told */
    unsigned                       busy:1;    /* it is being renewed */
    unsigned                       refused:1; /* not to be used any more */
    unsigned                       fresh:1;   /* renewed for a refusal */

    /* of a thread while busy */

    ngx_thread_task_t             *task;
    ngx_live_record_cred_file_t    file;
    int                            rc;
    ngx_uint_t                     again;     /* even if it has not changed */

    /* of the metadata service */

    ngx_live_record_curl_t         curl;
    CURL                          *easy;
    ngx_uint_t                     started;
    struct curl_slist             *headers;
    lr_metadata_t                  metadata;
    lr_buf_t                       answer;

    char                           err[640];  /* why it was not renewed */
};


/* a request that may have to wait for a key; a zeroed one does not */

typedef struct {
    ngx_queue_t                    queue;

    /* err is NULL when there is a key, else why there is none */
    void                         (*handler)(void *data, const char *err);
    void                          *data;
} ngx_live_record_cred_wait_t;


/* begins to see to the key of a bucket in this worker, and ends it */
ngx_int_t ngx_live_record_cred_init(ngx_live_record_cred_t *cred);
void ngx_live_record_cred_exit(ngx_live_record_cred_t *cred);

/*
 * NGX_OK: cred->key is valid.  NGX_AGAIN: the handler will be called when
 * it has been renewed, or could not be; that takes a minute and a quarter
 * at most.
 */
ngx_int_t ngx_live_record_cred_wait(ngx_live_record_cred_t *cred,
    ngx_live_record_cred_wait_t *wait);

/* waits no longer */
void ngx_live_record_cred_leave(ngx_live_record_cred_wait_t *wait);

/* lets all that wait do so no longer, and tells them why; NULL: go on */
void ngx_live_record_cred_let_go(ngx_live_record_cred_t *cred,
    const char *err);

/*
 * A request that was signed with the key of that serial was refused for it.
 * LR_RETRY_CREDENTIALS: it may be tried again without delay, as the key has
 * been renewed since or is being so.  LR_RETRY_ADMIN: a key that is fresh
 * was refused, or it cannot be renewed.
 */
lr_retry_e ngx_live_record_cred_refused(ngx_live_record_cred_t *cred,
    ngx_uint_t serial);

/*
 * The same for what was refused without a reason: the key is looked at
 * again, and used on.
 */
lr_retry_e ngx_live_record_cred_doubted(ngx_live_record_cred_t *cred,
    ngx_uint_t serial);

/*
 * Reads a file of credentials; blocks.  profile may be NULL.  LR_OK: the
 * key is in f->key.  LR_DECLINED: it has not changed since f was filled;
 * never with "again".  LR_ERROR: f->err says why.
 */
int ngx_live_record_cred_read(ngx_live_record_cred_file_t *f,
    const char *path, const char *profile, ngx_uint_t again);


/* ngx_live_record_cred_conf.c */

/* makes b->cred, whose key goes with the configuration */
char *ngx_live_record_cred_create(ngx_conf_t *cf,
    ngx_live_record_bucket_t *b);

/* the setting "credentials" */
char *ngx_live_record_set_credentials(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data);

/* what can be checked when the type of the bucket is known */
char *ngx_live_record_check_credentials(ngx_conf_t *cf,
    ngx_live_record_bucket_t *b);


#endif /* _NGX_LIVE_RECORD_CRED_H_INCLUDED_ */
