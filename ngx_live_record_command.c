
/*
 * Copyright (C) the ngx_live_record authors
 *
 * RealTimeRecordCommand: finds the worker that has the stream, and waits
 * for what it answers.  Each worker carries out the commands for streams
 * that are published in it.
 */


#include "lr_grace.h"
#include "ngx_live_record_api.h"
#include "ngx_live_record_publisher.h"
#include "ngx_live_record_thread.h"


/* how often a worker with publishers looks for commands, ms */
#define NGX_LIVE_RECORD_LOOK     200

/* how often it is looked for a result, ms, and for how long: a client of
   Alibaba's gives up after 3 s by default */
#define NGX_LIVE_RECORD_WAIT     50
#define NGX_LIVE_RECORD_PATIENT  2500


typedef struct {
    ngx_live_record_api_t    *api;            /* NULL: the client has gone */
    ngx_uint_t                what;           /* ngx_live_record_command_e */
    ngx_live_record_order_t   order;
    ngx_msec_t                until;
    ngx_event_t               timer;
    ngx_thread_task_t         task;
    unsigned                  sent:1;
    unsigned                  busy:1;         /* a thread is at it */

    char                      domain[NGX_MAXHOSTNAMELEN + 1];
    char                      app[LR_NAME_MAX + 1];
    char                      stream[LR_NAME_MAX + 1];
    char                      err[512];
    int64_t                   now;
    unsigned                  ended;          /* recordings */
    int                       rc;
} ngx_live_record_call_t;


static void ngx_live_record_command(ngx_live_record_api_t *api);
static ngx_int_t ngx_live_record_command_what(const char *name,
    ngx_uint_t *what);
static void ngx_live_record_call_cancel(ngx_live_record_api_t *api);
static void ngx_live_record_call_timer(ngx_event_t *ev);
static void ngx_live_record_call_result(ngx_live_record_call_t *call,
    ngx_uint_t result);
static void ngx_live_record_call_graces(ngx_live_record_call_t *call);
static void ngx_live_record_call_thread(void *data, ngx_log_t *log);
static void ngx_live_record_call_done(ngx_event_t *ev);
static void ngx_live_record_call_no_stream(ngx_live_record_call_t *call);
static void ngx_live_record_call_failed(ngx_live_record_call_t *call);
static ngx_live_record_api_t *ngx_live_record_call_end(
    ngx_live_record_call_t *call);
static void ngx_live_record_command_look(ngx_event_t *ev);


static ngx_event_t  ngx_live_record_look_timer;


const ngx_live_record_action_t  ngx_live_record_command_actions[] = {
    { "RealTimeRecordCommand", ngx_live_record_command },
    { NULL, NULL }
};


static void
ngx_live_record_command(ngx_live_record_api_t *api)
{
    ngx_uint_t                 what;
    const char                *name;
    ngx_live_record_call_t    *call;
    ngx_live_record_stream_t   s;

    name = ngx_live_record_api_param(api, "Command");

    if (name == NULL) {
        ngx_live_record_api_error(api, NGX_HTTP_BAD_REQUEST,
                                  "MissingCommand",
                                  "Command is mandatory for this Command.");
        return;
    }

    if (ngx_live_record_command_what(name, &what) != NGX_OK) {
        ngx_live_record_api_invalid(api, "Command");
        return;
    }

    if (ngx_live_record_api_names(api) != NGX_OK) {
        return;
    }

    call = ngx_calloc(sizeof(ngx_live_record_call_t), ngx_cycle->log);
    if (call == NULL) {
        ngx_live_record_api_failed(api);
        return;
    }

    call->api = api;
    call->what = what;
    call->until = ngx_current_msec + NGX_LIVE_RECORD_PATIENT;
    ngx_cpystrn((u_char *) call->domain, (u_char *) api->domain,
                sizeof(call->domain));
    ngx_cpystrn((u_char *) call->app, (u_char *) api->app,
                sizeof(call->app));
    ngx_cpystrn((u_char *) call->stream, (u_char *) api->stream,
                sizeof(call->stream));

    call->timer.handler = ngx_live_record_call_timer;
    call->timer.data = call;
    call->timer.log = ngx_cycle->log;

    api->data = call;
    api->cancel = ngx_live_record_call_cancel;

    if (ngx_live_record_streams_find(&s, call->domain, call->app,
                                     call->stream)
        != NGX_OK)
    {
        ngx_live_record_call_result(call, NGX_LIVE_RECORD_NO_STREAM);
        return;
    }

    if (s.pid == ngx_pid) {
        ngx_live_record_call_result(call,
                            ngx_live_record_publisher_command(s.serial, what));
        return;
    }

    if (ngx_live_record_streams_send(&s, what, &call->order) != NGX_OK) {
        ngx_live_record_call_failed(call);
        return;
    }

    call->sent = 1;
    ngx_add_timer(&call->timer, NGX_LIVE_RECORD_WAIT);
}


static ngx_int_t
ngx_live_record_command_what(const char *name, ngx_uint_t *what)
{
    ngx_uint_t  i;

    static const char  *names[] = { "start", "stop", "cancel_delay",
                                    "restart" };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (ngx_strcmp(names[i], name) == 0) {
            *what = i;
            return NGX_OK;
        }
    }

    return NGX_ERROR;
}


static void
ngx_live_record_call_cancel(ngx_live_record_api_t *api)
{
    ngx_live_record_call_t  *call;

    call = api->data;
    call->api = NULL;

    /* a thread tells when it has finished */

    if (!call->busy) {
        (void) ngx_live_record_call_end(call);
    }
}


static void
ngx_live_record_call_timer(ngx_event_t *ev)
{
    ngx_int_t                rc;
    ngx_uint_t               result;
    ngx_live_record_call_t  *call;

    call = ev->data;

    if (!call->sent) {
        ngx_live_record_call_graces(call);
        return;
    }

    result = NGX_LIVE_RECORD_NO_STREAM;

    rc = ngx_live_record_streams_result(&call->order, &result);

    if (rc == NGX_AGAIN) {

        if ((ngx_msec_int_t) (ngx_current_msec - call->until) >= 0) {
            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                          "live record: worker process %P does not answer a "
                          "command for \"%s/%s\"", call->order.pid,
                          call->app, call->stream);
            ngx_live_record_call_failed(call);
            return;
        }

        ngx_add_timer(&call->timer, NGX_LIVE_RECORD_WAIT);
        return;
    }

    /* its worker has gone, and the publisher with it, or there is a result */

    call->sent = 0;
    ngx_live_record_call_result(call, result);
}


static void
ngx_live_record_call_result(ngx_live_record_call_t *call, ngx_uint_t result)
{
    ngx_live_record_api_t  *api;

    switch (result) {

    case NGX_LIVE_RECORD_DONE:
        api = ngx_live_record_call_end(call);
        ngx_live_record_api_answer(api, json_object());
        return;

    case NGX_LIVE_RECORD_ALREADY:
        api = ngx_live_record_call_end(call);
        ngx_live_record_api_error(api, NGX_HTTP_CONFLICT,
                                  "TaskAlreadyStarted",
                                  "Task has already started.");
        return;

    default: /* NGX_LIVE_RECORD_NO_STREAM, NGX_LIVE_RECORD_NOT_RECORDED */

        /* it may have been, until a moment ago */

        if (call->what == NGX_LIVE_RECORD_CANCEL_DELAY) {
            ngx_live_record_call_graces(call);
            return;
        }

        ngx_live_record_call_no_stream(call);
    }
}


/* recordings of the stream in their grace are found by their files */

static void
ngx_live_record_call_graces(ngx_live_record_call_t *call)
{
    call->now = ngx_live_record_now();

    if (ngx_live_record_thread_post(&call->task,
                                    ngx_live_record_call_thread,
                                    ngx_live_record_call_done, call)
        != NGX_OK)
    {
        ngx_live_record_call_failed(call);
        return;
    }

    call->busy = 1;
}


static void
ngx_live_record_call_thread(void *data, ngx_log_t *log)
{
    ngx_live_record_call_t *call = data;

    unsigned  n;

    call->rc = lr_grace_cancel((char *) ngx_live_record_conf->spool.data,
                               call->domain, call->app, call->stream,
                               call->now, &n, call->err, sizeof(call->err));
    call->ended += n;
}


static void
ngx_live_record_call_done(ngx_event_t *ev)
{
    ngx_live_record_api_t   *api;
    ngx_live_record_call_t  *call;

    call = ev->data;
    call->busy = 0;

    if (call->api == NULL) {
        (void) ngx_live_record_call_end(call);
        return;
    }

    if (call->rc == LR_ERROR) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "live record: the grace of \"%s/%s\" could not be "
                      "ended: %s", call->app, call->stream, call->err);
        ngx_live_record_call_failed(call);
        return;
    }

    /* somebody is just looking at one: that does not take long */

    if (call->rc == LR_AGAIN && call->ended == 0
        && (ngx_msec_int_t) (ngx_current_msec - call->until) < 0)
    {
        ngx_add_timer(&call->timer, NGX_LIVE_RECORD_WAIT);
        return;
    }

    if (call->ended == 0) {
        ngx_live_record_call_no_stream(call);
        return;
    }

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "live record: \"%s/%s\" ends before its grace is over: by "
                  "command", call->app, call->stream);

    api = ngx_live_record_call_end(call);
    ngx_live_record_api_answer(api, json_object());
}


static void
ngx_live_record_call_no_stream(ngx_live_record_call_t *call)
{
    ngx_live_record_api_t  *api;

    api = ngx_live_record_call_end(call);

    if (ngx_live_record_api_template(api) == NULL) {
        ngx_live_record_api_error(api, NGX_HTTP_NOT_FOUND,
                                  "InvalidConfig.NotFound",
                                  "Config does not exist.");
        return;
    }

    ngx_live_record_api_error(api, NGX_HTTP_NOT_FOUND,
                              "InvalidStream.NotFound",
                              "Stream does not exist.");
}


static void
ngx_live_record_call_failed(ngx_live_record_call_t *call)
{
    ngx_live_record_api_failed(ngx_live_record_call_end(call));
}


/* what is left is the request, which waits for its answer */

static ngx_live_record_api_t *
ngx_live_record_call_end(ngx_live_record_call_t *call)
{
    ngx_live_record_api_t  *api;

    api = call->api;

    if (api) {
        api->cancel = NULL;
    }

    if (call->timer.timer_set) {
        ngx_del_timer(&call->timer);
    }

    if (call->sent) {
        ngx_live_record_streams_withdraw(&call->order);
    }

    ngx_free(call);

    return api;
}


void
ngx_live_record_command_init(void)
{
    ngx_live_record_streams_init();

    ngx_live_record_timer_init(&ngx_live_record_look_timer,
                               ngx_live_record_command_look);
}


void
ngx_live_record_command_watch(void)
{
    if (!ngx_live_record_look_timer.timer_set) {
        ngx_add_timer(&ngx_live_record_look_timer, NGX_LIVE_RECORD_LOOK);
    }
}


static void
ngx_live_record_command_look(ngx_event_t *ev)
{
    ngx_live_record_order_t  order;

    while (ngx_live_record_streams_next(&order) == NGX_OK) {
        ngx_live_record_streams_done(&order,
               ngx_live_record_publisher_command(order.stream, order.what));
    }

    if (ngx_live_record_publishers()) {
        ngx_live_record_command_watch();
    }
}
