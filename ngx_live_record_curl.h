
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


/*
 * A transfer of whatever kind.  The handler is called once when it is over,
 * on the event loop; the handle is out of libcurl's loop then.
 */

typedef struct {
    void    (*handler)(void *data, CURLcode rc);
    void     *data;
} ngx_live_record_curl_t;


/*
 * For each part of the module that transfers something: n more connections
 * are kept when nothing goes over them.
 */
ngx_int_t ngx_live_record_curl_init(ngx_cycle_t *cycle, ngx_uint_t n);

/* once, when no transfer is under way any more */
void ngx_live_record_curl_exit(void);

/*
 * Begins the transfer of an easy handle; its CURLOPT_PRIVATE becomes c,
 * which has to stay until the handler is called or the transfer stopped.
 */
ngx_int_t ngx_live_record_curl_start(CURL *easy, ngx_live_record_curl_t *c);

/* ends it before its time, without the handler */
void ngx_live_record_curl_stop(CURL *easy);

/* lets a transfer go on whose read callback had nothing to give */
void ngx_live_record_curl_continue(CURL *easy);


#endif /* _NGX_LIVE_RECORD_CURL_H_INCLUDED_ */
