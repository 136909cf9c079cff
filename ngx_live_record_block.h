
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

/* a time in ms of the line, which must be in the range that is told */
char *ngx_live_record_range(ngx_conf_t *cf, int64_t min, int64_t max, const
    char *range, int64_t *ms);


#endif /* _NGX_LIVE_RECORD_BLOCK_H_INCLUDED_ */
