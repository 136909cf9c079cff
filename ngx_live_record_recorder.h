
/*
 * Copyright (C) the ngx_live_record authors
 *
 * A recorder, for the two files that it is made of: _recorder.c has what
 * goes on while it runs, _claim.c how it comes to its recording.
 */


#ifndef _NGX_LIVE_RECORD_RECORDER_H_INCLUDED_
#define _NGX_LIVE_RECORD_RECORDER_H_INCLUDED_


#include "lr_picture.h"
#include "lr_recording.h"
#include "lr_timeline.h"
#include "ngx_live_record_queue.h"


/* between attempts to write after an error */
#define NGX_LIVE_RECORD_DISK_RETRY   5000

/* of a reason, with the path of the spool */
#define NGX_LIVE_RECORD_TEXT         1280


/* a message kept while the recording is being claimed */

typedef struct ngx_live_record_early_s  ngx_live_record_early_t;

struct ngx_live_record_early_s {
    ngx_live_record_early_t     *next;
    ngx_uint_t                   type;
    uint32_t                     timestamp;
    int64_t                      wall;
    size_t                       size;
    u_char                       data[1];
};


typedef struct {
    ngx_uint_t                   type;        /* LR_FLV_AUDIO, _VIDEO */
    lr_buf_t                     config;      /* the sequence header */
    uint32_t                     refused;     /* codec id that was told */
    lr_codec_e                   codec;       /* of the last frame */
    unsigned                     changed:1;   /* since the fragment began */
    unsigned                     told:3;      /* how many of them */
} ngx_live_record_track_t;


struct ngx_live_record_recorder_s {

    /* what each message touches, close together: with many streams all of
       it has left the caches since the message before */

    unsigned                     running:1;   /* it has its recording */
    unsigned                     open:1;
    unsigned                     claiming:1;  /* a thread is at it */
    unsigned                     has_video:1;
    unsigned                     stopped:1;
    unsigned                     suspended:1; /* takes no frames */
    unsigned                     disk_error:1;
    unsigned                     restart:1;   /* was said while claiming */
    unsigned                     no_grace:1;
    unsigned                     extra:1;     /* left out, and told */
    unsigned                     hold:2;      /* ngx_live_record_hold_e */

    ngx_msec_t                   last;        /* frame, ngx_current_msec */
    ngx_msec_t                   last_video;
    uint64_t                     pos;         /* in the open fragment */
    lr_buf_t                     rows;
    lr_picture_t                 picture;

    lr_timeline_t                timeline;
    lr_fragment_t                fragment;    /* the open one */
    ngx_live_record_track_t      audio;
    ngx_live_record_track_t      video;
    ngx_live_record_queue_t      out;

    ngx_queue_t                  queue;

    uint32_t                     number;      /* of the last one */
    uint32_t                     cycle;
    size_t                       nrows;       /* of the one before */
    size_t                       kept;        /* bytes of early messages */

    ngx_msec_t                   retry;       /* not before */
    uint64_t                     lost_frames;
    uint64_t                     lost_bytes;
    const char                  *lost_why;
    const char                  *why;

    lr_settings_t                settings;
    char                         id[LR_ID_MAX + 1];

    ngx_thread_task_t           *task;
    ngx_event_t                  claim_event;
    ngx_msec_t                   claim_until;
    lr_claim_t                  *claim;
    char                         err[NGX_LIVE_RECORD_TEXT];
    int                          rc;

    ngx_live_record_early_t     *early;
    ngx_live_record_early_t    **early_last;
};


/* of this worker, in the order in which they began */
extern ngx_queue_t  ngx_live_record_recorders;


/* ngx_live_record_recorder.c */

/* takes a message; wall is when it came, in unix ms; m->peek may be changed */
void ngx_live_record_take(ngx_live_record_recorder_t *r,
    ngx_live_record_message_t *m, int64_t wall);

/* a message of "size" bytes is not recorded; why is a literal, or NULL */
void ngx_live_record_lose(ngx_live_record_recorder_t *r, size_t size,
    const char *why);

/* takes no frames until it can go on */
void ngx_live_record_suspend(ngx_live_record_recorder_t *r);

void ngx_live_record_free(ngx_live_record_recorder_t *r);


/* ngx_live_record_claim.c */

/* of a new recorder: draws its id */
void ngx_live_record_claim_init(ngx_live_record_recorder_t *r);

/* begins to claim; until it runs, messages are kept */
void ngx_live_record_claim_begin(ngx_live_record_recorder_t *r);

/* the worker exits: claims by itself, if no thread has, and starts */
void ngx_live_record_claim_now(ngx_live_record_recorder_t *r);

/* keeps a message, or loses it */
void ngx_live_record_keep(ngx_live_record_recorder_t *r,
    const ngx_live_record_message_t *m);


#endif /* _NGX_LIVE_RECORD_RECORDER_H_INCLUDED_ */
