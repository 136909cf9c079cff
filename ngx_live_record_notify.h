
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Callbacks: what has become of a recording is told to a receiver.
 */


#ifndef _NGX_LIVE_RECORD_NOTIFY_H_INCLUDED_
#define _NGX_LIVE_RECORD_NOTIFY_H_INCLUDED_


#include "ngx_live_record.h"
#include "ngx_live_record_ship.h"


ngx_int_t ngx_live_record_notify_init(ngx_cycle_t *cycle);

/* when no thread runs any more and all recordings have been let go */
void ngx_live_record_notify_exit(void);

/*
 * The journals of a recording that the shipper has open may have grown, or
 * its record.log to s->size.  Begins with the first call.
 */
void ngx_live_record_notify_tell(ngx_live_record_ship_t *s);
void ngx_live_record_notify_see(ngx_live_record_ship_t *s);

/*
 * All of a recording is in its bucket.  0: something has to be told still;
 * the shipper is told when it has been.
 */
ngx_uint_t ngx_live_record_notify_finished(ngx_live_record_ship_t *s);

/* the shipper lets go of the recording */
void ngx_live_record_notify_forget(ngx_live_record_ship_t *s);


#endif /* _NGX_LIVE_RECORD_NOTIFY_H_INCLUDED_ */
