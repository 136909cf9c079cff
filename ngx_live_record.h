
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What the parts of the module share: settings, and the seams between the
 * RTMP hooks, the recorder, the shipper and the buckets.
 */


#ifndef _NGX_LIVE_RECORD_H_INCLUDED_
#define _NGX_LIVE_RECORD_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_thread_pool.h>

#include "lr_core.h"
#include "lr_gate.h"
#include "lr_name.h"
#include "lr_object.h"
#include "lr_quota.h"
#include "lr_rate.h"
#include "lr_retry.h"
#include "lr_settings.h"
#include "lr_url.h"
#include "ngx_live_record_message.h"


#define NGX_LIVE_RECORD_VERSION      "0.1.0"

#define NGX_LIVE_RECORD_DIR          0
#define NGX_LIVE_RECORD_OSS          1
#define NGX_LIVE_RECORD_S3           2

#define NGX_LIVE_RECORD_MD5          0
#define NGX_LIVE_RECORD_CRC64NVME    1

/* who decides whether a stream is recorded */
#define NGX_LIVE_RECORD_ALWAYS       0
#define NGX_LIVE_RECORD_CALLBACK     1
#define NGX_LIVE_RECORD_PUSH_ARGS    2
#define NGX_LIVE_RECORD_COMMAND      3

/* and what to do if that cannot be told */
#define NGX_LIVE_RECORD_SKIP         0
#define NGX_LIVE_RECORD_RECORD       1


typedef struct ngx_live_record_bucket_counts_s
                                              ngx_live_record_bucket_counts_t;
typedef struct ngx_live_record_cred_s  ngx_live_record_cred_t;


/* a live_record_bucket block */

typedef struct {
    ngx_str_t                  name;
    ngx_uint_t                 type;

    ngx_str_t                  root;           /* dir */
    ngx_flag_t                 fsync;
    ngx_flag_t                 directio;

    ngx_str_t                  endpoint;       /* of stores, as the rest */
    ngx_str_t                  region;
    ngx_str_t                  bucket;
    ngx_live_record_cred_t    *cred;           /* where its key is from */
    ngx_str_t                  metadata_endpoint;
    ngx_uint_t                 signature;      /* of oss: 1 or 4 */
    ngx_flag_t                 conditional_put;
    ngx_uint_t                 checksum;       /* of s3 */
    ngx_uint_t                 style;          /* lr_url_style_e */
    lr_url_endpoint_t          ep;
    ngx_str_t                  ca_file;
    ngx_flag_t                 ssl_verify;
    ngx_uint_t                 connections;
    size_t                     limit_rate;     /* of all workers; 0: none */
    ngx_msec_t                 connect_timeout;
    ngx_msec_t                 timeout;
    size_t                     min_speed;      /* bytes/s, over timeout */
    off_t                      part_size;      /* of mp4 and flv, at least */
    lr_object_t                object;
    ngx_str_t                  proxy;          /* empty: none */
    ngx_str_t                  no_proxy;
    ngx_str_t                  certificate;    /* of ours; empty: none */
    ngx_str_t                  certificate_key;
    ngx_str_t                  certificate_pem;
    ngx_str_t                  certificate_key_pem;
    ngx_str_t                  interface;      /* as libcurl takes it */
    unsigned                   proxy_env:1;

    u_char                    *file;
    ngx_uint_t                 line;

    /* of this worker */

    lr_gate_t                  gate;
    ngx_queue_t                waiting[LR_GATE_KINDS];    /* requests */
    ngx_event_t                timer;          /* of the gate */
    unsigned                   going:1;        /* requests are begun */
    unsigned                   probed:1;       /* with something small */
    lr_rate_t                  rate;           /* if there is a limit */
    ngx_queue_t                limited;        /* transfers in turn */
    ngx_event_t                limit_timer;
    ngx_thread_mutex_t         limit_mutex;    /* of a dir's threads */
    ngx_uint_t                 failing;        /* lr_retry_e last logged */
    ngx_uint_t                 refusals;       /* how often it began to */
    const char                *refusal;        /* NULL if it does not; why,
                                                  as callbacks say it */
    char                       refused[128];
    int64_t                    skew;           /* store's clock - ours, s */
    char                       told[64];       /* by an s3: its region */
    ngx_uint_t                 digest;         /* and that it wants an MD5 */
    void                      *client;
    ngx_live_record_bucket_counts_t  *counts;
} ngx_live_record_bucket_t;


/* a live_record block; app and stream are empty for "*" */

typedef struct {
    ngx_str_t                  app;
    ngx_str_t                  stream;
    lr_settings_t              settings;       /* but names and domain */
    ngx_uint_t                 on_demand;      /* NGX_LIVE_RECORD_ALWAYS.. */
    ngx_uint_t                 on_demand_fail; /* NGX_LIVE_RECORD_SKIP.. */
    time_t                     created;        /* when it was read */
    unsigned                   application:1;  /* it stands in one */
    u_char                    *file;
    ngx_uint_t                 line;
} ngx_live_record_template_t;


typedef struct {
    ngx_str_t                  spool;
    off_t                      max_size;
    off_t                      min_free;       /* or LR_QUOTA_AUTO */
    lr_quota_zone_t           *zone_addr;
    ngx_cycle_t               *cycle;
    ngx_flag_t                 fsync;
    size_t                     buffer;         /* per stream, at most */
    ngx_thread_pool_t         *thread_pool;
    ngx_str_t                  timezone;
    lr_zone_t                  zone;
    ngx_array_t                buckets;   /* ngx_live_record_bucket_t * */
    ngx_array_t                servers;   /* ngx_live_record_srv_conf_t * */
    ngx_uint_t                 templates;      /* in all servers */
    ngx_shm_zone_t            *streams;
    ngx_shm_zone_t            *counters;
} ngx_live_record_main_conf_t;


/* live_record_notify */

typedef struct {
    ngx_str_t                  url;
    ngx_str_t                  name;           /* url without its query */
    ngx_str_t                  host;
    ngx_str_t                  key;            /* empty: not signed */
    ngx_str_t                  ca_file;
    ngx_str_t                  on_demand;      /* a URL, or empty */
    ngx_uint_t                 want;           /* LR_NOTIFY_... */
    time_t                     retry;          /* s */

    void                      *receiver;       /* of this worker */
} ngx_live_record_notify_conf_t;


/* the templates of its applications are among a server's, with AppName */

typedef struct {
    ngx_str_t                      domain;
    ngx_array_t                   *templates;
                                          /* ngx_live_record_template_t * */
    ngx_live_record_notify_conf_t *notify;
} ngx_live_record_srv_conf_t;


extern ngx_module_t  ngx_live_record_module;

/* the settings of the worker's cycle; NULL where there is no live_record */
extern ngx_live_record_main_conf_t  *ngx_live_record_conf;


/* the worker is told to exit, or does so */

#define ngx_live_record_leaving()                                             \
    (ngx_exiting || ngx_quit || ngx_terminate)


/* unix time in ms, as of the event loop */

static ngx_inline int64_t
ngx_live_record_now(void)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return (int64_t) tp->sec * 1000 + tp->msec;
}


/* ngx_live_record_module.c */

/* a timer that is none of a connection, and does not keep an exiting worker */
void ngx_live_record_timer_init(ngx_event_t *ev, ngx_event_handler_pt handler);


/* ngx_live_record_conf.c */

extern ngx_command_t  ngx_live_record_commands[];

void *ngx_live_record_create_main_conf(ngx_conf_t *cf);
char *ngx_live_record_init_main_conf(ngx_conf_t *cf, void *conf);
void *ngx_live_record_create_srv_conf(ngx_conf_t *cf);
char *ngx_live_record_merge_srv_conf(ngx_conf_t *cf, void *parent,
    void *child);

ngx_live_record_bucket_t *ngx_live_record_find_bucket(
    ngx_live_record_main_conf_t *lmcf, const char *name);

/* whether streams of the domain may be published in the server */
ngx_uint_t ngx_live_record_serves(ngx_live_record_srv_conf_t *lscf,
    const char *domain);


/* ngx_live_record_bucket_conf.c */

char *ngx_live_record_bucket(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/* ngx_live_record_notify_conf.c */

char *ngx_live_record_notify(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* before the server is added to those of main: one for each domain */
char *ngx_live_record_check_notify(ngx_conf_t *cf,
    ngx_live_record_main_conf_t *lmcf, ngx_live_record_srv_conf_t *lscf);

/* where callbacks of a scope, a live_record_domain or "", go; or NULL */
ngx_live_record_notify_conf_t *ngx_live_record_find_notify(
    ngx_live_record_main_conf_t *lmcf, const char *scope);


/* ngx_live_record_template.c */

char *ngx_live_record(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* what can be checked when all blocks are known; counts the templates */
char *ngx_live_record_check_templates(ngx_conf_t *cf,
    ngx_array_t *templates);

/* the same of all servers: whoever is to be asked has an address */
ngx_int_t ngx_live_record_check_on_demand(ngx_conf_t *cf,
    ngx_live_record_main_conf_t *lmcf);

/* the template for a stream: the most specific one, or NULL */
ngx_live_record_template_t *ngx_live_record_find_template(
    ngx_live_record_srv_conf_t *lscf, ngx_str_t *app, ngx_str_t *stream);


/* ngx_live_record_paths.c */

/* creates the spool and the roots of dir buckets for the worker's user */
ngx_int_t ngx_live_record_init_paths(ngx_cycle_t *cycle,
    ngx_live_record_main_conf_t *lmcf);

/*
 * Makes this nginx the owner of the spool; NGX_ERROR if it is another's.  The
 * spool of before is given up when the new configuration is taken.
 */
ngx_int_t ngx_live_record_own(ngx_cycle_t *cycle,
    ngx_live_record_main_conf_t *lmcf);
void ngx_live_record_paths_taken(ngx_cycle_t *cycle, ngx_str_t *spool);


/* ngx_live_record_zone.c */

/* what this worker holds of the room in the spool */
extern lr_quota_t  ngx_live_record_quota;

/* the memory that workers share; its making makes the directories, too */
ngx_int_t ngx_live_record_zone_add(ngx_conf_t *cf,
    ngx_live_record_main_conf_t *lmcf);

/* a worker begins and ends to count what is in the spool with the others */
ngx_int_t ngx_live_record_zone_init(ngx_cycle_t *cycle);
void ngx_live_record_zone_exit(void);

/* why a full spool takes no more: a constant, and a text with numbers */
const char *ngx_live_record_zone_why(void);
void ngx_live_record_zone_text(char *text, size_t size);


/* ngx_live_record_recorder.c: one per publisher that is recorded */

typedef struct ngx_live_record_recorder_s  ngx_live_record_recorder_t;

void ngx_live_record_recorder_init(void);

/* until it is known whether to record, and what to do if it never is */

typedef enum {
    NGX_LIVE_RECORD_GO = 0,                    /* it is known */
    NGX_LIVE_RECORD_HOLD_DROP,
    NGX_LIVE_RECORD_HOLD_RECORD
} ngx_live_record_hold_e;

/*
 * Begins to record; the settings are copied.  NULL when there is no memory.
 * The recorder lives until it was stopped and its last write is done.  One
 * that is held keeps messages in memory until it is released or dropped,
 * also when it was stopped.
 */
ngx_live_record_recorder_t *ngx_live_record_recorder_start(
    const lr_settings_t *settings, ngx_live_record_hold_e hold);

/* one that was held is to record after all, in these formats and cycles */
void ngx_live_record_recorder_release(ngx_live_record_recorder_t *r,
    unsigned formats, int64_t cycle);

/* one that was held is to leave nothing behind; the caller forgets it */
void ngx_live_record_recorder_drop(ngx_live_record_recorder_t *r);

/* what is recorded from the next key frame on goes into a new cycle */
void ngx_live_record_recorder_restart(ngx_live_record_recorder_t *r);

/* the recording ends with the publish */
void ngx_live_record_recorder_cancel_grace(ngx_live_record_recorder_t *r);

/* a message is about to come: has the memory fetched that it will touch */
void ngx_live_record_recorder_expect(ngx_live_record_recorder_t *r);

/* takes a message, whose bytes are copied; m->peek may be changed */
void ngx_live_record_recorder_frame(ngx_live_record_recorder_t *r,
    ngx_live_record_message_t *m);

/* the publish is over; the caller forgets the recorder */
void ngx_live_record_recorder_stop(ngx_live_record_recorder_t *r,
    const char *why);

/*
 * The worker exits: writes what is in memory, and may block.  The first may
 * be called while there still are threads; the second does the rest, and what
 * was still being claimed.
 */
void ngx_live_record_recorder_save(void);
void ngx_live_record_recorder_exit(void);


/* ngx_live_record_queue.c */

/* bytes of all recorders of the worker that are not on the disk yet */
size_t ngx_live_record_queue_backlog(void);


/* ngx_live_record_shipper.c */

void ngx_live_record_shipper_init(ngx_cycle_t *cycle, ngx_uint_t workers);
void ngx_live_record_shipper_exit(void);

/* whether the recording of this id falls to this worker */
ngx_uint_t ngx_live_record_shipper_owns(const char *id);

/*
 * A recorder of this worker has journalled something in dir, or has ended
 * there when "alive" is 0.  Spares looking for it, and does nothing if the
 * recording falls to another worker.
 */
void ngx_live_record_shipper_tell(const char *dir, const char *id,
    ngx_uint_t alive);

/* a bucket has another access key: what was refused is tried at once */
void ngx_live_record_shipper_renewed(ngx_live_record_bucket_t *b);


/* ngx_live_record_bucket.c */

/* the same: requests that wait for the bucket to be well are begun */
void ngx_live_record_bucket_renewed(ngx_live_record_bucket_t *b);

/* it begins to refuse, for all whose recordings wait for it to be told */
void ngx_live_record_bucket_refuses(ngx_live_record_bucket_t *b,
    const char *refusal, const char *why);


#endif /* _NGX_LIVE_RECORD_H_INCLUDED_ */
