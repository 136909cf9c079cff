
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The settings a recording started with, kept in its template.json: a
 * recording in progress or in its grace goes on with these, whatever the
 * configuration says by then.  Buckets are named, never described, so
 * that no secret is in the spool.
 */


#ifndef _LR_SETTINGS_H_INCLUDED_
#define _LR_SETTINGS_H_INCLUDED_


#include "lr_core.h"


#define LR_SPOOL_VERSION    1

#define LR_FORMAT_M3U8      0x01
#define LR_FORMAT_MP4       0x02
#define LR_FORMAT_FLV       0x04

#define LR_NOTIFY_FILES     0x01
#define LR_NOTIFY_STATUS    0x02
#define LR_NOTIFY_FRAGMENTS 0x04

#define LR_NAME_MAX         255

/* of template.json, in bytes */
#define LR_SETTINGS_MAX     65536


typedef struct {
    char        app[LR_NAME_MAX + 1];
    char        stream[LR_NAME_MAX + 1];
    char       *domain;
    char       *scope;            /* live_record_domain, "" when not set:
                                     only equal scopes share a recording */
    char       *bucket;
    char       *path;
    char       *fragment_path;
    char       *index_path;       /* "" for none */
    char       *timezone;
    char       *push_args;        /* of this publish, as JSON, "" for none;
                                     not in template.json */
    unsigned    formats;          /* LR_FORMAT_... */
    unsigned    notify;           /* LR_NOTIFY_..., 0: no callbacks */
    int64_t     cycle;            /* ms, as the next three */
    int64_t     fragment;
    int64_t     grace;
} lr_settings_t;


/* a copy with strings of its own; LR_ERROR when there is no memory */
int lr_settings_copy(lr_settings_t *dst, const lr_settings_t *src);
void lr_settings_free(lr_settings_t *st);

/* writes JSON text, or marks the buffer as failed */
void lr_settings_write(const lr_settings_t *st, lr_buf_t *out);

/*
 * Reads template.json of a recording's directory.  A reason is in err:
 * LR_DECLINED when it is missing or not understood, LR_ERROR with errno
 * when it could not be read now.
 */
int lr_settings_read(lr_settings_t *st, const char *dir, char *err,
    size_t size);


#endif /* _LR_SETTINGS_H_INCLUDED_ */
