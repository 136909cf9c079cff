
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The blocks of the module: lines of a name and values, each checked as it
 * is read.
 */


#ifndef _NGX_LIVE_RECORD_BLOCK_H_INCLUDED_
#define _NGX_LIVE_RECORD_BLOCK_H_INCLUDED_


#include "ngx_live_record.h"


/* one line of a block of ours */

/* in the mask of types: the line may come often */
#define NGX_LIVE_RECORD_MANY  0x8000

typedef struct ngx_live_record_option_s  ngx_live_record_option_t;

struct ngx_live_record_option_s {
    ngx_str_t      name;
    ngx_uint_t     min;                        /* of arguments */
    ngx_uint_t     max;
    char        *(*set)(ngx_conf_t *cf, ngx_live_record_option_t *option,
                        void *data);
    size_t         offset;
    ngx_uint_t     types;                      /* of bucket, a mask */
    void          *post;                       /* ngx_conf_enum_t of an enum */
};


typedef struct {
    ngx_live_record_option_t  *options;
    void                      *data;
    uint64_t                   seen;
    const char                *block;
} ngx_live_record_block_t;


/* reads the block that begins now */
char *ngx_live_record_parse(ngx_conf_t *cf, ngx_live_record_block_t *block);

/* these set the member at option->offset: one of the words at option->post, a
   string that is not empty, the
   same as char *, a flag, a path as of nginx's prefix, one as of nginx.conf,
   a time of 1s to 1h */
char *ngx_live_record_set_enum(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data);
char *ngx_live_record_set_str(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data);
char *ngx_live_record_set_string(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data);
char *ngx_live_record_set_flag(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data);
char *ngx_live_record_set_file(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data);
char *ngx_live_record_set_conf_file(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data);
char *ngx_live_record_set_msec(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data);

/* whether parameter i of a directive, NAME=VALUE, is its first of this name;
   they begin with the second argument */
char *ngx_live_record_once(ngx_conf_t *cf, ngx_uint_t i);

/* a time in ms of the line, which must be in the range that is told */
char *ngx_live_record_range(ngx_conf_t *cf, int64_t min, int64_t max, const
    char *range, int64_t *ms);


/* ngx_live_record_store_conf.c: of buckets of type oss and s3 */

/* the least bytes that all parts of an upload but the last have to have */
#define NGX_LIVE_RECORD_OSS_PART_MIN  (100 * 1024)
#define NGX_LIVE_RECORD_S3_PART_MIN   (5 * 1024 * 1024)

char *ngx_live_record_set_ca_file(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data);
char *ngx_live_record_set_encryption(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data);
char *ngx_live_record_set_tagging(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data);
char *ngx_live_record_set_metadata(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data);
char *ngx_live_record_set_cache_control(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data);
char *ngx_live_record_set_part_size(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data);
char *ngx_live_record_set_min_speed(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data);
char *ngx_live_record_set_proxy(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data);
char *ngx_live_record_set_interface(ngx_conf_t *cf,
    ngx_live_record_option_t *option, void *data);

/*
 * When the block is over and its endpoint is known: checks these, with
 * defaults for those that were not set, and reads files.
 */
char *ngx_live_record_store_check(ngx_conf_t *cf,
    ngx_live_record_bucket_t *b);

/* whether a file has a certificate to check others with */
char *ngx_live_record_ca_check(ngx_conf_t *cf, ngx_str_t *name,
    const char *directive);

/* what is not in the pool, and the key */
void ngx_live_record_store_free(ngx_live_record_bucket_t *b);


#endif /* _NGX_LIVE_RECORD_BLOCK_H_INCLUDED_ */
