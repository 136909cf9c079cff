
/*
 * Copyright (C) the ngx_live_record authors
 *
 * libcurl names the sockets and the times that it waits for; they become
 * level-triggered events, since libcurl does not always read until there
 * is nothing left, and one timer.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_live_record_curl.h"


static int ngx_live_record_curl_socket(CURL *easy, curl_socket_t fd,
    int what, void *data, void *socket);
static ngx_int_t ngx_live_record_curl_event(ngx_event_t *ev, ngx_uint_t on,
    ngx_int_t event, ngx_uint_t flags);
static int ngx_live_record_curl_timeout(CURLM *multi, long ms, void *data);
static void ngx_live_record_curl_handler(ngx_event_t *ev);
static void ngx_live_record_curl_timer(ngx_event_t *ev);
static void ngx_live_record_curl_drain(void);


static CURLM                    *ngx_live_record_multi;
static ngx_event_t               ngx_live_record_curl_event_timer;
static ngx_connection_t          ngx_live_record_curl_dummy;
static ngx_live_record_curl_pt   ngx_live_record_curl_done;


ngx_int_t
ngx_live_record_curl_init(ngx_cycle_t *cycle, ngx_uint_t n)
{
    if (curl_global_init(CURL_GLOBAL_ALL) != CURLE_OK) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "live record: curl_global_init() failed");
        return NGX_ERROR;
    }

    ngx_live_record_multi = curl_multi_init();

    if (ngx_live_record_multi == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "live record: curl_multi_init() failed");
        return NGX_ERROR;
    }

    curl_multi_setopt(ngx_live_record_multi, CURLMOPT_SOCKETFUNCTION,
                      ngx_live_record_curl_socket);
    curl_multi_setopt(ngx_live_record_multi, CURLMOPT_TIMERFUNCTION,
                      ngx_live_record_curl_timeout);

    /* else libcurl keeps four for each transfer there is at the moment */

    curl_multi_setopt(ngx_live_record_multi, CURLMOPT_MAXCONNECTS, (long) n);

    ngx_live_record_curl_dummy.fd = (ngx_socket_t) -1;

    ngx_memzero(&ngx_live_record_curl_event_timer, sizeof(ngx_event_t));
    ngx_live_record_curl_event_timer.handler = ngx_live_record_curl_timer;
    ngx_live_record_curl_event_timer.data = &ngx_live_record_curl_dummy;
    ngx_live_record_curl_event_timer.log = cycle->log;
    ngx_live_record_curl_event_timer.cancelable = 1;

    return NGX_OK;
}


void
ngx_live_record_curl_exit(void)
{
    if (ngx_live_record_multi) {
        curl_multi_cleanup(ngx_live_record_multi);
        ngx_live_record_multi = NULL;
        curl_global_cleanup();
    }
}


ngx_int_t
ngx_live_record_curl_start(CURL *easy, ngx_live_record_curl_pt handler)
{
    ngx_live_record_curl_done = handler;

    /* the timer function is told to begin at once */

    return curl_multi_add_handle(ngx_live_record_multi, easy) == CURLM_OK
           ? NGX_OK : NGX_ERROR;
}


void
ngx_live_record_curl_stop(CURL *easy)
{
    curl_multi_remove_handle(ngx_live_record_multi, easy);
}


void
ngx_live_record_curl_continue(CURL *easy)
{
    (void) curl_easy_pause(easy, CURLPAUSE_CONT);
}


static int
ngx_live_record_curl_socket(CURL *easy, curl_socket_t fd, int what,
    void *data, void *socket)
{
    ngx_uint_t         flags;
    ngx_connection_t  *c;

    c = socket;

    if (what == CURL_POLL_REMOVE) {

        if (c == NULL) {
            return 0;
        }

        /* of a transfer that is given up while it connects, it is closed */

        flags = fcntl(fd, F_GETFD) == -1 ? NGX_CLOSE_EVENT : 0;

        (void) ngx_live_record_curl_event(c->read, 0, NGX_READ_EVENT, flags);
        (void) ngx_live_record_curl_event(c->write, 0, NGX_WRITE_EVENT,
                                          flags);

        if (c->read->posted) {
            ngx_delete_posted_event(c->read);
        }

        if (c->write->posted) {
            ngx_delete_posted_event(c->write);
        }

        /* libcurl closes the socket, or keeps it for the next transfer */

        ngx_free_connection(c);
        c->fd = (ngx_socket_t) -1;

        curl_multi_assign(ngx_live_record_multi, fd, NULL);

        return 0;
    }

    if (c == NULL) {
        c = ngx_get_connection(fd, ngx_cycle->log);

        if (c == NULL) {

            /*
             * worker_connections are not enough: the transfer times out.
             * An error here would be the end of all transfers, for ever.
             */

            return 0;
        }

        c->read->handler = ngx_live_record_curl_handler;
        c->write->handler = ngx_live_record_curl_handler;
        c->read->log = ngx_cycle->log;
        c->write->log = ngx_cycle->log;
        c->log = ngx_cycle->log;

        curl_multi_assign(ngx_live_record_multi, fd, c);
    }

    (void) ngx_live_record_curl_event(c->read, what & CURL_POLL_IN,
                                      NGX_READ_EVENT, 0);
    (void) ngx_live_record_curl_event(c->write, what & CURL_POLL_OUT,
                                      NGX_WRITE_EVENT, 0);

    return 0;
}


static ngx_int_t
ngx_live_record_curl_event(ngx_event_t *ev, ngx_uint_t on, ngx_int_t event,
    ngx_uint_t flags)
{
    if (on) {
        return ev->active ? NGX_OK
                          : ngx_add_event(ev, event, NGX_LEVEL_EVENT);
    }

    return ev->active ? ngx_del_event(ev, event, flags) : NGX_OK;
}


static int
ngx_live_record_curl_timeout(CURLM *multi, long ms, void *data)
{
    ngx_event_t  *ev;

    ev = &ngx_live_record_curl_event_timer;

    if (ev->timer_set) {
        ngx_del_timer(ev);
    }

    if (ms >= 0) {
        ngx_add_timer(ev, (ngx_msec_t) ms);
    }

    return 0;
}


static void
ngx_live_record_curl_handler(ngx_event_t *ev)
{
    int                what, running;
    ngx_connection_t  *c;

    c = ev->data;
    what = ev->write ? CURL_CSELECT_OUT : CURL_CSELECT_IN;

    (void) curl_multi_socket_action(ngx_live_record_multi, c->fd, what,
                                    &running);

    ngx_live_record_curl_drain();
}


static void
ngx_live_record_curl_timer(ngx_event_t *ev)
{
    int  running;

    (void) curl_multi_socket_action(ngx_live_record_multi,
                                    CURL_SOCKET_TIMEOUT, 0, &running);

    ngx_live_record_curl_drain();
}


static void
ngx_live_record_curl_drain(void)
{
    int       left;
    void     *data;
    CURL     *easy;
    CURLMsg  *msg;
    CURLcode  rc;

    /* a handler may begin and end other transfers */

    while (ngx_live_record_multi) {

        msg = curl_multi_info_read(ngx_live_record_multi, &left);

        if (msg == NULL) {
            break;
        }

        if (msg->msg != CURLMSG_DONE) {
            continue;
        }

        easy = msg->easy_handle;
        rc = msg->data.result;
        data = NULL;

        curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **) &data);
        curl_multi_remove_handle(ngx_live_record_multi, easy);

        ngx_live_record_curl_done(data, rc);
    }
}
