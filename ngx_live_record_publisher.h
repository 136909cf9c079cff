
/*
 * Copyright (C) the ngx_live_record authors
 *
 * A publisher that a template fits, whether it is recorded or not.
 */


#ifndef _NGX_LIVE_RECORD_PUBLISHER_H_INCLUDED_
#define _NGX_LIVE_RECORD_PUBLISHER_H_INCLUDED_


#include "ngx_live_record_streams.h"


typedef struct ngx_live_record_question_s  ngx_live_record_question_t;


typedef enum {
    NGX_LIVE_RECORD_OFF = 0,
    NGX_LIVE_RECORD_AT_ONCE,          /* with the next message */
    NGX_LIVE_RECORD_AT_KEY,           /* with the next key frame */
    NGX_LIVE_RECORD_ON
} ngx_live_record_mode_e;


/* what RealTimeRecordCommand may say, and what becomes of it */

typedef enum {
    NGX_LIVE_RECORD_START = 0,
    NGX_LIVE_RECORD_STOP,
    NGX_LIVE_RECORD_CANCEL_DELAY,
    NGX_LIVE_RECORD_RESTART
} ngx_live_record_command_e;


typedef enum {
    NGX_LIVE_RECORD_DONE = 0,
    NGX_LIVE_RECORD_ALREADY,
    NGX_LIVE_RECORD_NOT_RECORDED,
    NGX_LIVE_RECORD_NO_STREAM
} ngx_live_record_result_e;


typedef struct {
    ngx_live_record_mode_e       mode;
    ngx_live_record_recorder_t  *recorder;    /* of ON */

    unsigned                     publishing:1;
    unsigned                     has_video:1;
    unsigned                     to_ask:1;    /* nobody was asked yet */
    unsigned                     no_grace:1;  /* said before it began */

    ngx_msec_t                   last_video;

    ngx_queue_t                  queue;
    ngx_live_record_stream_t     stream;

    lr_buf_t                     audio;       /* the last sequence headers */
    lr_buf_t                     video;

    lr_settings_t                settings;
    ngx_uint_t                   on_demand_fail;
    ngx_uint_t                   vbitrate;    /* kbit/s, of its metadata */
    ngx_live_record_question_t  *question;    /* waits for its answer */
} ngx_live_record_publisher_t;


/*
 * Begins a publish.  p is zeroed or one that has ended, with its settings,
 * which like t have to stay until the end; args is the publish's query.
 */
void ngx_live_record_publisher_begin(ngx_live_record_publisher_t *p,
    ngx_live_record_template_t *t, ngx_str_t *args);

/* a message of audio or video, as nginx-rtmp gives it; type as of FLV */
void ngx_live_record_publisher_message(ngx_live_record_publisher_t *p,
    ngx_uint_t type, uint32_t timestamp, ngx_chain_t *in);

/* ends it; nothing happens if it has not begun */
void ngx_live_record_publisher_end(ngx_live_record_publisher_t *p,
    const char *why);

/* carries out a command for the publisher of this stream in this worker */
ngx_live_record_result_e ngx_live_record_publisher_command(uint64_t serial,
    ngx_live_record_command_e what);

/* whether there are any in this worker */
ngx_uint_t ngx_live_record_publishers(void);

void ngx_live_record_publisher_init(void);

/* their recorders have ended: gives back what those that are left have kept */
void ngx_live_record_publisher_exit(void);


/* ngx_live_record_command.c */

void ngx_live_record_command_init(void);

/* there is a publisher: commands may come */
void ngx_live_record_command_watch(void);


/* ngx_live_record_demand.c */

/*
 * Asks whether to record what the publisher's recorder holds, and sees to
 * the recorder when it is known; p->question stands until then.  If it
 * cannot be asked that is at once.
 */
void ngx_live_record_ask(ngx_live_record_publisher_t *p, ngx_uint_t hevc);

/* somebody else has decided */
void ngx_live_record_question_settle(ngx_live_record_question_t *q,
    ngx_uint_t record);

/* the publisher is gone, its recorder was stopped */
void ngx_live_record_question_leave(ngx_live_record_question_t *q);

/* what publish arguments say: whether to record */
ngx_uint_t ngx_live_record_push_args(ngx_live_record_publisher_t *p,
    ngx_str_t *args);

ngx_int_t ngx_live_record_demand_init(ngx_cycle_t *cycle);
void ngx_live_record_demand_exit(void);


#endif /* _NGX_LIVE_RECORD_PUBLISHER_H_INCLUDED_ */
