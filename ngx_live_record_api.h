
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The control API: what takes a call from its request to its answer, and
 * what the actions stand on.
 */


#ifndef _NGX_LIVE_RECORD_API_H_INCLUDED_
#define _NGX_LIVE_RECORD_API_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <jansson.h>

#include "lr_keys.h"
#include "lr_rpc.h"
#include "ngx_live_record.h"


#define NGX_LIVE_RECORD_API_VERSION  "2016-11-01"

/* an action that needs longer is given up */
#define NGX_LIVE_RECORD_API_TIMEOUT  60000

/* bytes of a call's query and form together, at most */
#define NGX_LIVE_RECORD_API_BODY     65536


typedef struct ngx_live_record_api_s   ngx_live_record_api_t;
typedef struct ngx_live_record_keys_s  ngx_live_record_keys_t;


typedef struct {
    ngx_shm_zone_t           *nonces;        /* NULL without an API */
} ngx_live_record_http_conf_t;


typedef struct {
    ngx_uint_t                api;           /* live_record_api is there */
    ngx_live_record_keys_t   *keys;          /* live_record_api_keys */
} ngx_live_record_loc_conf_t;


typedef struct {
    const char               *name;          /* "RealTimeRecordCommand" */

    /* answers now or later, exactly once */
    void                    (*handler)(ngx_live_record_api_t *api);
} ngx_live_record_action_t;


/* a call; in the request's pool */

struct ngx_live_record_api_s {
    ngx_http_request_t       *request;

    lr_rpc_t                  params;
    ngx_str_t                 body;
    const char               *name;          /* of the action */
    char                      id[37];        /* RequestId */
    unsigned                  acs3:1;
    unsigned                  xml:1;
    unsigned                  answered:1;

    /* the answer */

    ngx_uint_t                status;        /* of HTTP */
    ngx_str_t                 text;
    ngx_event_t               event;

    ngx_queue_t               queue;
    unsigned                  waiting:1;     /* in it: keys are read */

    /* of ngx_live_record_api_names() */
    const char               *domain;
    const char               *app;
    const char               *stream;

    ngx_event_t               timer;         /* while an action is at work */

    /* the action's own */

    void                     *data;

    /*
     * The client has gone before there was an answer: what is under way is
     * freed, and the api must not be touched any more after this.
     */
    void                    (*cancel)(ngx_live_record_api_t *api);
};


extern ngx_module_t  ngx_live_record_http_module;

/* the actions, each table ends with a name that is NULL */

extern const ngx_live_record_action_t  ngx_live_record_config_actions[];
extern const ngx_live_record_action_t  ngx_live_record_command_actions[];
extern const ngx_live_record_action_t  ngx_live_record_notify_actions[];
extern const ngx_live_record_action_t  ngx_live_record_index_actions[];
extern const ngx_live_record_action_t  ngx_live_record_index_info_actions[];


/* ngx_live_record_api.c */

/* the content handler of a location */
ngx_int_t ngx_live_record_api_handler(ngx_http_request_t *r);

/* goes on with a call that had to wait for the keys */
void ngx_live_record_api_continue(ngx_live_record_api_t *api);


/* ngx_live_record_api_auth.c */

/*
 * Who calls, and whether the call is theirs, of this time and new.  Sets
 * the name of the action that is asked for.  NGX_ERROR after an answer.
 */
ngx_int_t ngx_live_record_api_auth(ngx_live_record_api_t *api,
    const lr_keys_t *keys, const char **action);

/* the shared memory for what calls cannot be used twice; for a setting */
ngx_shm_zone_t *ngx_live_record_api_nonces(ngx_conf_t *cf);


/* ngx_live_record_api_keys.c */

/* reads the file of the setting live_record_api_keys */
ngx_live_record_keys_t *ngx_live_record_keys_create(ngx_conf_t *cf,
    ngx_str_t *file);

/*
 * Looks after the file, at most once a second.  NGX_OK when the keys are as
 * in the file; NGX_AGAIN when a thread reads it: the call is continued when
 * it has.  NGX_ERROR if there is no thread.
 */
ngx_int_t ngx_live_record_keys_look(ngx_live_record_keys_t *k,
    ngx_live_record_api_t *api);

/* the keys; none if the file could not be read */
const lr_keys_t *ngx_live_record_keys_get(ngx_live_record_keys_t *k);


/* ngx_live_record_api_param.c */

/*
 * The value of a parameter, which ends with a zero byte and lives as long
 * as the request; NULL if it is missing or empty.
 */
const char *ngx_live_record_api_param(ngx_live_record_api_t *api,
    const char *name);

/*
 * The same for one that has to be there: gives NULL after it has answered
 * with the error Missing...
 */
const char *ngx_live_record_api_needs(ngx_live_record_api_t *api,
    const char *name);

/* answers Invalid...Malformed */
void ngx_live_record_api_invalid(ngx_live_record_api_t *api,
    const char *name);

/*
 * DomainName: there, and one that is recorded here.  AppName and StreamName
 * too: there, and names that a stream can have.  All three are in api then.
 * NGX_ERROR after it has answered with an error.
 */
ngx_int_t ngx_live_record_api_domain(ngx_live_record_api_t *api);
ngx_int_t ngx_live_record_api_names(ngx_live_record_api_t *api);

/*
 * A whole number from min to max, def if it is missing; a time, in
 * milliseconds, that has to be there.  NGX_ERROR after an answer of
 * Invalid...Malformed.
 */
ngx_int_t ngx_live_record_api_number(ngx_live_record_api_t *api,
    const char *name, ngx_int_t min, ngx_int_t max, ngx_int_t def,
    ngx_int_t *value);
ngx_int_t ngx_live_record_api_time(ngx_live_record_api_t *api,
    const char *name, int64_t *ms);

/*
 * Which page of a list is asked for: the page from 1 on, by the name that
 * the action has for it, its size, and the order, "asc" or "desc", unless
 * that is NULL.  NGX_ERROR after an answer of Invalid...Malformed.
 */
ngx_int_t ngx_live_record_api_page(ngx_live_record_api_t *api,
    const char *name, ngx_int_t min, ngx_int_t max, ngx_int_t def,
    ngx_int_t *page, ngx_int_t *size, const char **order);

/*
 * What answers call OssBucket and OssEndpoint of a bucket: the name in the
 * store and the host of its endpoint, with a port if there is one; for a
 * directory the name of its block and "localhost".
 */
const char *ngx_live_record_api_bucket(ngx_live_record_bucket_t *b);
void ngx_live_record_api_endpoint(ngx_live_record_bucket_t *b,
    ngx_str_t *endpoint);

/*
 * The template that applies to the stream of ngx_live_record_api_names(),
 * or NULL.
 */
ngx_live_record_template_t *ngx_live_record_api_template(
    ngx_live_record_api_t *api);


/* ngx_live_record_api_answer.c */

/*
 * The answer: a JSON object, whose reference is taken; NULL stands for one
 * that there was no memory for.  RequestId is added.  It is sent as JSON or
 * XML, as the call wants it, when the event loop goes on: until then the
 * call is still there.
 */
void ngx_live_record_api_answer(ngx_live_record_api_t *api, json_t *o);

/* an error: status of HTTP, Code and Message of the API */
void ngx_live_record_api_error(ngx_live_record_api_t *api,
    ngx_uint_t status, const char *code, const char *fmt, ...)
    __attribute__ ((format (printf, 4, 5)));

/* InternalError */
void ngx_live_record_api_failed(ngx_live_record_api_t *api);


#endif /* _NGX_LIVE_RECORD_API_H_INCLUDED_ */
