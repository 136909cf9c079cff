
/*
 * Copyright (C) the ngx_live_record authors
 *
 * libcurl's multi interface on nginx's event loop: nothing here waits.
 */


#ifndef _NGX_LIVE_RECORD_CURL_H_INCLUDED_
#define _NGX_LIVE_RECORD_CURL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <curl/curl.h>


/* called once when a transfer is over; the handle is out of the loop then */
typedef void (*ngx_live_record_curl_pt)(void *data, CURLcode rc);


/* n connections are kept when nothing goes over them */
ngx_int_t ngx_live_record_curl_init(ngx_cycle_t *cycle, ngx_uint_t n);

void ngx_live_record_curl_exit(void);

/* begins the transfer of an easy handle, whose CURLOPT_PRIVATE is data */
ngx_int_t ngx_live_record_curl_start(CURL *easy,
    ngx_live_record_curl_pt handler);

/* ends it before its time, without the handler */
void ngx_live_record_curl_stop(CURL *easy);

/* lets a transfer go on whose read callback had nothing to give */
void ngx_live_record_curl_continue(CURL *easy);


#endif /* _NGX_LIVE_RECORD_CURL_H_INCLUDED_ */
