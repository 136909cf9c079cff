
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
#include "lr_cred.h"
#include "lr_gate.h"
#include "lr_name.h"
#include "lr_object.h"
#include "lr_rate.h"
#include "lr_retry.h"
#include "lr_settings.h"
#include "lr_url.h"


#define NGX_LIVE_RECORD_DIR          0
#define NGX_LIVE_RECORD_OSS          1
#define NGX_LIVE_RECORD_S3           2

#define NGX_LIVE_RECORD_CRED_NONE    0
#define NGX_LIVE_RECORD_CRED_ENV     1
#define NGX_LIVE_RECORD_CRED_FILE    2
#define NGX_LIVE_RECORD_CRED_KEY     3


#define NGX_LIVE_RECORD_MD5          0
#define NGX_LIVE_RECORD_CRC64NVME    1


/* a live_record_bucket block */

typedef struct {
    ngx_str_t                  name;
    ngx_uint_t                 type;

    ngx_str_t                  root;           /* dir */
    ngx_flag_t                 fsync;

    ngx_str_t                  endpoint;       /* of stores, as the rest */
    ngx_str_t                  region;
    ngx_str_t                  bucket;
    ngx_uint_t                 cred_type;
    ngx_str_t                  cred_file;
    lr_cred_t                  cred;
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
    ngx_queue_t                waiting[2];     /* requests; [1]: backlog */
    ngx_event_t                timer;          /* of the gate */
    unsigned                   going:1;        /* requests are begun */
    lr_rate_t                  rate;           /* if there is a limit */
    ngx_queue_t                limited;        /* transfers in turn */
    ngx_event_t                limit_timer;
    ngx_thread_mutex_t         limit_mutex;    /* of a dir's threads */
    ngx_uint_t                 failing;        /* lr_retry_e last logged */
    time_t                     cred_mtime;
    time_t                     cred_checked;
    off_t                      cred_size;
    int64_t                    skew;           /* store's clock - ours, s */
    char                       told[64];       /* by an s3: its region */
    void                      *client;
} ngx_live_record_bucket_t;


/* a live_record block; app and stream are empty for "*" */

typedef struct {
    ngx_str_t                  app;
    ngx_str_t                  stream;
    lr_settings_t              settings;       /* but names and domain */
    time_t                     created;        /* when it was read */
    unsigned                   application:1;  /* it stands in one */
    u_char                    *file;
    ngx_uint_t                 line;
} ngx_live_record_template_t;


typedef struct {
    ngx_str_t                  spool;
    off_t                      max_size;
    ngx_flag_t                 fsync;
    size_t                     buffer;         /* per stream, at most */
    ngx_thread_pool_t         *thread_pool;
    ngx_str_t                  timezone;
    lr_zone_t                  zone;
    ngx_array_t                buckets;   /* ngx_live_record_bucket_t * */
    ngx_array_t                servers; /* ngx_live_record_srv_conf_t * */
    ngx_uint_t                 templates;      /* in all servers */
} ngx_live_record_main_conf_t;


/* the templates of its applications are among a server's, with AppName */

typedef struct {
    ngx_str_t                  domain;
    ngx_array_t               *templates; /* ngx_live_record_template_t * */
} ngx_live_record_srv_conf_t;


extern ngx_module_t  ngx_live_record_module;

/* the settings of the worker's cycle; NULL where there is no live_record */
extern ngx_live_record_main_conf_t  *ngx_live_record_conf;


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


/* ngx_live_record_template.c */

char *ngx_live_record(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* what can be checked when all blocks are known; counts the templates */
char *ngx_live_record_check_templates(ngx_conf_t *cf,
    ngx_array_t *templates);

/* the template for a stream: the most specific one, or NULL */
ngx_live_record_template_t *ngx_live_record_find_template(
    ngx_live_record_srv_conf_t *lscf, ngx_str_t *app, ngx_str_t *stream);


/* ngx_live_record_paths.c */

/* creates the spool and the roots of dir buckets for the worker's user */
ngx_int_t ngx_live_record_init_paths(ngx_cycle_t *cycle,
    ngx_live_record_main_conf_t *lmcf);


/* ngx_live_record_recorder.c: one per publisher that is recorded */

typedef struct ngx_live_record_recorder_s  ngx_live_record_recorder_t;

ngx_int_t ngx_live_record_recorder_init(ngx_cycle_t *cycle);

/*
 * Begins to record; the settings are copied.  NULL when there is no memory.
 * The recorder lives until it was stopped and its last write is done.
 */
ngx_live_record_recorder_t *ngx_live_record_recorder_start(
    const lr_settings_t *settings);

/* takes a message's bytes: they are copied; type as of FLV */
void ngx_live_record_recorder_frame(ngx_live_record_recorder_t *r,
    ngx_uint_t type, uint32_t timestamp, ngx_chain_t *in);

/* the publish is over; the caller forgets the recorder */
void ngx_live_record_recorder_stop(ngx_live_record_recorder_t *r,
    const char *why);

/* whether the spool has reached its "max_size" */
void ngx_live_record_recorder_full(ngx_uint_t full);

/* bytes of all recorders of the worker that are not on the disk yet */
size_t ngx_live_record_recorder_backlog(void);

/* writes what is in memory while the worker exits; may block */
void ngx_live_record_recorder_exit(ngx_cycle_t *cycle);


/* ngx_live_record_shipper.c */

ngx_int_t ngx_live_record_shipper_init(ngx_cycle_t *cycle);
void ngx_live_record_shipper_exit(ngx_cycle_t *cycle);

/* whether the recording of this id falls to this worker */
ngx_uint_t ngx_live_record_shipper_owns(const char *id);

/*
 * A recorder of this worker has journalled something in dir, or has ended
 * there when "alive" is 0.  Spares looking for it, and does nothing if the
 * recording falls to another worker.
 */
void ngx_live_record_shipper_tell(const char *dir, const char *id,
    ngx_uint_t alive);


#endif /* _NGX_LIVE_RECORD_H_INCLUDED_ */
