
/*
 * Copyright (C) the ngx_live_record authors
 *
 * A recording on its way from the spool to its bucket.
 */


#ifndef _NGX_LIVE_RECORD_SHIP_H_INCLUDED_
#define _NGX_LIVE_RECORD_SHIP_H_INCLUDED_


#include "lr_ship.h"
#include "ngx_live_record_index.h"


typedef enum {
    NGX_LIVE_RECORD_SHIP_OPEN = 0,
    NGX_LIVE_RECORD_SHIP_LOOK,
    NGX_LIVE_RECORD_SHIP_NAME,
    NGX_LIVE_RECORD_SHIP_CONFIRM,
    NGX_LIVE_RECORD_SHIP_SKIP,
    NGX_LIVE_RECORD_SHIP_WITHOUT,
    NGX_LIVE_RECORD_SHIP_ABANDON,
    NGX_LIVE_RECORD_SHIP_SALVAGE,
    NGX_LIVE_RECORD_SHIP_REMOVE,
    NGX_LIVE_RECORD_SHIP_QUARANTINE
} ngx_live_record_ship_op_e;


typedef struct {
    ngx_str_node_t               sn;          /* str: app/stream/id */
    ngx_queue_t                  queue;

    lr_ship_t                    ship;
    lr_ship_step_e               step;        /* under way */
    unsigned                     other;       /* name tried */
    lr_ship_order_t              order;
    ngx_live_record_request_t   *request;
    ngx_live_record_day_t       *day;
    void                        *notify;      /* its callbacks, or NULL */

    ngx_live_record_ship_op_e    op;          /* of the thread */
    ngx_thread_task_t            task;
    int                          rc;
    int                          prepared;
    int                          local;       /* errno of that */
    const char                  *why;         /* of a skip */
    unsigned                     files;       /* salvaged */
    uint64_t                     lost;        /* bytes of them */
    lr_buf_t                     result;      /* key that is confirmed */
    char                         err[512];

    uint64_t                     size;        /* of record.log, last seen */
    uint64_t                     looked;      /* its size at the last look */
    ngx_msec_t                   probed;      /* when that was */
    ngx_event_t                  timer;
    ngx_uint_t                   tries;
    ngx_uint_t                   unread;      /* tries the disk has failed */
    ngx_uint_t                   seen;        /* in the scan of this number */
    ngx_uint_t                   journals;    /* that it is to have open */

    /* written by a thread: not to share a word with what the loop writes */

    ngx_uint_t                   open;
    ngx_uint_t                   gone;        /* removed or set aside */

    unsigned                     near:1;      /* its recorder is in here */
    unsigned                     news:1;      /* and has journalled more */
    unsigned                     busy:1;      /* a thread or request is at it */
    unsigned                     told:1;
    unsigned                     refused:1;   /* by the bucket, and waits */
} ngx_live_record_ship_t;


/* ngx_live_record_ship.c */

/* looks at a recording if it is time to, and goes on with it */
void ngx_live_record_ship_see(ngx_live_record_ship_t *s);

/* the same after a wait; ev->data is the recording */
void ngx_live_record_ship_timer(ngx_event_t *ev);


/* ngx_live_record_shipper.c */

/*
 * Whether the recording may be opened: streams need files, too.  If not, it is
 * seen again until others have been let go.
 */
ngx_uint_t ngx_live_record_ship_admit(ngx_live_record_ship_t *s);

/* so many files it has open */
void ngx_live_record_ship_files(ngx_live_record_ship_t *s, ngx_uint_t n);

/* the next one of its stream that is known, or NULL */
ngx_live_record_ship_t *ngx_live_record_ship_after(ngx_live_record_ship_t *s);

/* forgets a recording that nothing is under way for, gives back its lock */
void ngx_live_record_ship_destroy(ngx_live_record_ship_t *s);


#endif /* _NGX_LIVE_RECORD_SHIP_H_INCLUDED_ */
