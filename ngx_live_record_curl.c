
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

#include "ngx_live_record.h"
#include "ngx_live_record_curl.h"


static int ngx_live_record_curl_socket(CURL *easy, curl_socket_t fd,
    int what, void *data, void *socket);
static ngx_int_t ngx_live_record_curl_event(ngx_event_t *ev, ngx_uint_t on,
    ngx_int_t event);
static uintptr_t ngx_live_record_curl_inode(curl_socket_t fd);
static int ngx_live_record_curl_timeout(CURLM *multi, long ms, void *data);
static void ngx_live_record_curl_handler(ngx_event_t *ev);
static void ngx_live_record_curl_timer(ngx_event_t *ev);
static void ngx_live_record_curl_drain(void);


static CURLM             *ngx_live_record_multi;
static ngx_uint_t         ngx_live_record_curl_kept;
static ngx_event_t        ngx_live_record_curl_event_timer;


ngx_int_t
ngx_live_record_curl_init(ngx_cycle_t *cycle, ngx_uint_t n)
{
    ngx_live_record_curl_kept += n;

    if (ngx_live_record_multi) {
        curl_multi_setopt(ngx_live_record_multi, CURLMOPT_MAXCONNECTS,
                          (long) ngx_live_record_curl_kept);
        return NGX_OK;
    }

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

    curl_multi_setopt(ngx_live_record_multi, CURLMOPT_MAXCONNECTS,
                      (long) ngx_live_record_curl_kept);

    ngx_live_record_timer_init(&ngx_live_record_curl_event_timer,
                               ngx_live_record_curl_timer);

    return NGX_OK;
}


void
ngx_live_record_curl_exit(void)
{
    if (ngx_live_record_multi) {
        curl_multi_cleanup(ngx_live_record_multi);
        ngx_live_record_multi = NULL;
        ngx_live_record_curl_kept = 0;
        curl_global_cleanup();
    }
}


ngx_int_t
ngx_live_record_curl_start(CURL *easy, ngx_live_record_curl_t *c)
{
    curl_easy_setopt(easy, CURLOPT_PRIVATE, (void *) c);

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
    uintptr_t          inode;
    ngx_connection_t  *c;

    c = socket;
    inode = ngx_live_record_curl_inode(fd);

    /*
     * libcurl, since 7.88.0 and until its change 11439, closes a socket that
     * is still being connected before it tells so: the number may be another
     * file's by now, of a thread or of libcurl itself.  With the socket the
     * kernel has forgotten the events.
     */

    if (c && (uintptr_t) c->data != inode) {
        c->read->active = 0;
        c->write->active = 0;
        c->data = (void *) inode;
    }

    if (what == CURL_POLL_REMOVE) {

        if (c == NULL) {
            return 0;
        }

        (void) ngx_live_record_curl_event(c->read, 0, NGX_READ_EVENT);
        (void) ngx_live_record_curl_event(c->write, 0, NGX_WRITE_EVENT);

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
        c->data = (void *) inode;

        curl_multi_assign(ngx_live_record_multi, fd, c);
    }

    (void) ngx_live_record_curl_event(c->read, what & CURL_POLL_IN,
                                      NGX_READ_EVENT);
    (void) ngx_live_record_curl_event(c->write, what & CURL_POLL_OUT,
                                      NGX_WRITE_EVENT);

    return 0;
}


static ngx_int_t
ngx_live_record_curl_event(ngx_event_t *ev, ngx_uint_t on, ngx_int_t event)
{
    if (on) {
        return ev->active ? NGX_OK
                          : ngx_add_event(ev, event, NGX_LEVEL_EVENT);
    }

    return ev->active ? ngx_del_event(ev, event, 0) : NGX_OK;
}


/* what a socket is told apart by; 0 if it is none any more */

static uintptr_t
ngx_live_record_curl_inode(curl_socket_t fd)
{
    struct stat  st;

    return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) ? (uintptr_t) st.st_ino
                                                       : 0;
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
    int                      left;
    CURL                    *easy;
    CURLMsg                 *msg;
    CURLcode                 rc;
    ngx_live_record_curl_t  *c;

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
        c = NULL;

        curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **) &c);
        curl_multi_remove_handle(ngx_live_record_multi, easy);

        c->handler(c->data, rc);
    }
}
