
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The hooks into nginx-rtmp: which publishers are recorded, and the way of
 * their messages to the recorder.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_rtmp.h>
#include <ngx_rtmp_cmd_module.h>
#include <ngx_rtmp_codec_module.h>
#include <ngx_rtmp_live_module.h>

#include "lr_flv.h"
#include "lr_push_args.h"
#include "ngx_live_record_bucket.h"
#include "ngx_live_record_cache.h"
#include "ngx_live_record_counters.h"
#include "ngx_live_record_notify.h"
#include "ngx_live_record_publisher.h"
#include "ngx_live_record_thread.h"


static ngx_int_t ngx_live_record_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_live_record_check_order(ngx_conf_t *cf);
static ngx_int_t ngx_live_record_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_live_record_init_process(ngx_cycle_t *cycle);
static void ngx_live_record_open_files(ngx_cycle_t *cycle);
static void ngx_live_record_exit_process(ngx_cycle_t *cycle);

static ngx_int_t ngx_live_record_publish(ngx_rtmp_session_t *s,
    ngx_rtmp_publish_t *v);
static void ngx_live_record_begin(ngx_rtmp_session_t *s,
    ngx_rtmp_publish_t *v);
static void ngx_live_record_leave(ngx_rtmp_session_t *s, ngx_str_t *stream,
    const char *why);
static ngx_int_t ngx_live_record_settings(ngx_rtmp_session_t *s,
    ngx_live_record_template_t *t, ngx_str_t *stream,
    lr_settings_t *settings);
static void ngx_live_record_host(ngx_str_t *url, ngx_str_t *host);
static ngx_int_t ngx_live_record_want(ngx_rtmp_session_t *s,
    ngx_rtmp_publish_t *v, lr_settings_t *settings);
static ngx_int_t ngx_live_record_close_stream(ngx_rtmp_session_t *s,
    ngx_rtmp_close_stream_t *v);
static ngx_int_t ngx_live_record_disconnect(ngx_rtmp_session_t *s,
    ngx_rtmp_header_t *h, ngx_chain_t *in);
static void ngx_live_record_finish(ngx_rtmp_session_t *s, const char *why);
static ngx_int_t ngx_live_record_av(ngx_rtmp_session_t *s,
    ngx_rtmp_header_t *h, ngx_chain_t *in);


/* as many as any worker will have open */
#define NGX_LIVE_RECORD_FILES  65536


/* nginx-rtmp has it in no header */

extern ngx_module_t  ngx_rtmp_module;


static ngx_rtmp_publish_pt       next_publish;
static ngx_rtmp_close_stream_pt  next_close_stream;


ngx_live_record_main_conf_t  *ngx_live_record_conf;


static ngx_rtmp_module_t  ngx_live_record_module_ctx = {
    NULL,                                   /* preconfiguration */
    ngx_live_record_postconfiguration,      /* postconfiguration */
    ngx_live_record_create_main_conf,       /* create main configuration */
    ngx_live_record_init_main_conf,         /* init main configuration */
    ngx_live_record_create_srv_conf,        /* create server configuration */
    ngx_live_record_merge_srv_conf,         /* merge server configuration */
    NULL,                                   /* create app configuration */
    NULL                                    /* merge app configuration */
};


ngx_module_t  ngx_live_record_module = {
    NGX_MODULE_V1,
    &ngx_live_record_module_ctx,            /* module context */
    ngx_live_record_commands,               /* module directives */
    NGX_RTMP_MODULE,                        /* module type */
    NULL,                                   /* init master */
    ngx_live_record_init_module,            /* init module */
    NULL,                                   /* init process */
    NULL,                                   /* init thread */
    NULL,                                   /* exit thread */
    NULL,                                   /* exit process */
    NULL,                                   /* exit master */
    NGX_MODULE_V1_PADDING
};


/*
 * In a static build the module above comes before the event core, which
 * empties the timers when a worker starts.  What works with timers is begun
 * by a module of its own, which comes behind.
 */

static ngx_core_module_t  ngx_live_record_worker_module_ctx = {
    ngx_string("live_record_worker"),
    NULL,
    NULL
};


ngx_module_t  ngx_live_record_worker_module = {
    NGX_MODULE_V1,
    &ngx_live_record_worker_module_ctx,     /* module context */
    NULL,                                   /* module directives */
    NGX_CORE_MODULE,                        /* module type */
    NULL,                                   /* init master */
    NULL,                                   /* init module */
    ngx_live_record_init_process,           /* init process */
    NULL,                                   /* init thread */
    NULL,                                   /* exit thread */
    ngx_live_record_exit_process,           /* exit process */
    NULL,                                   /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_live_record_postconfiguration(ngx_conf_t *cf)
{
    ngx_rtmp_handler_pt          *h;
    ngx_rtmp_core_main_conf_t    *cmcf;
    ngx_live_record_main_conf_t  *lmcf;

    lmcf = ngx_rtmp_conf_get_module_main_conf(cf, ngx_live_record_module);

    if (lmcf->templates == 0) {
        return NGX_OK;
    }

    if (ngx_live_record_check_order(cf) != NGX_OK
        || ngx_live_record_check_on_demand(cf, lmcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    cmcf = ngx_rtmp_conf_get_module_main_conf(cf, ngx_rtmp_core_module);

    h = ngx_array_push(&cmcf->events[NGX_RTMP_MSG_AUDIO]);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_live_record_av;

    h = ngx_array_push(&cmcf->events[NGX_RTMP_MSG_VIDEO]);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_live_record_av;

    h = ngx_array_push(&cmcf->events[NGX_RTMP_DISCONNECT]);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_live_record_disconnect;

    next_publish = ngx_rtmp_publish;
    ngx_rtmp_publish = ngx_live_record_publish;

    next_close_stream = ngx_rtmp_close_stream;
    ngx_rtmp_close_stream = ngx_live_record_close_stream;

    return NGX_OK;
}


/*
 * The hooks are chained in the order of modules, and the last one in is
 * called first.  Behind cmd, whose own postconfiguration sets the chain's
 * end, and before access, we are called after everything that may refuse a
 * publisher or rewrite its name.
 */

static ngx_int_t
ngx_live_record_check_order(ngx_conf_t *cf)
{
    ngx_uint_t  i, cmd, self, access;

    cmd = 0;
    self = 0;
    access = 0;

    for (i = 0; cf->cycle->modules[i]; i++) {

        if (ngx_strcmp(cf->cycle->modules[i]->name, "ngx_rtmp_cmd_module")
            == 0)
        {
            cmd = i;

        } else if (ngx_strcmp(cf->cycle->modules[i]->name,
                              "ngx_rtmp_access_module")
                   == 0)
        {
            access = i;

        } else if (cf->cycle->modules[i] == &ngx_live_record_module) {
            self = i;
        }
    }

    if (cmd < self && self < access) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "live record: the module has to be placed between "
                  "ngx_rtmp_cmd_module and ngx_rtmp_access_module; load it "
                  "after ngx_rtmp_module.so, or in a static build add it "
                  "after nginx-rtmp-module");

    return NGX_ERROR;
}


static ngx_int_t
ngx_live_record_init_module(ngx_cycle_t *cycle)
{
    ngx_str_t                     spool;
    ngx_rtmp_conf_ctx_t          *ctx;
    ngx_live_record_main_conf_t  *lmcf;

    ctx = (ngx_rtmp_conf_ctx_t *) ngx_get_conf(cycle->conf_ctx,
                                               ngx_rtmp_module);

    ngx_str_null(&spool);

    if (ctx) {
        lmcf = ctx->main_conf[ngx_live_record_module.ctx_index];
        spool = lmcf->spool;
    }

    ngx_live_record_paths_taken(cycle, &spool);

    return NGX_OK;
}


static ngx_int_t
ngx_live_record_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t            workers;
    ngx_core_conf_t      *ccf;
    ngx_rtmp_conf_ctx_t  *ctx;

    ngx_live_record_conf = NULL;

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    ctx = (ngx_rtmp_conf_ctx_t *) ngx_get_conf(cycle->conf_ctx,
                                               ngx_rtmp_module);

    if (ctx == NULL) {
        return NGX_OK;
    }

    ngx_live_record_conf = ctx->main_conf[ngx_live_record_module.ctx_index];

    if (ngx_live_record_conf->spool.len == 0) {
        ngx_live_record_conf = NULL;
        return NGX_OK;
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    workers = ngx_process == NGX_PROCESS_WORKER
              ? ngx_max(ccf->worker_processes, 1) : 1;

    ngx_live_record_open_files(cycle);
    ngx_live_record_counters_init(cycle);
    ngx_live_record_publisher_init();
    ngx_live_record_command_init();
    ngx_live_record_recorder_init();
    ngx_live_record_cache_init();

    if (ngx_live_record_threads_init(cycle) != NGX_OK
        || ngx_live_record_zone_init(cycle) != NGX_OK
        || ngx_live_record_demand_init(cycle) != NGX_OK
        || ngx_live_record_buckets_init(cycle, workers) != NGX_OK
        || ngx_live_record_oss_init(cycle) != NGX_OK
        || ngx_live_record_notify_init(cycle) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_live_record_shipper_init(cycle, workers);

    return NGX_OK;
}


/*
 * A stream takes three or four files beside its connection, and a recording
 * that waits for its bucket one or two.  Where the admin has not said how many
 * there may be, it is not to be what a shell is given.
 */

static void
ngx_live_record_open_files(ngx_cycle_t *cycle)
{
    struct rlimit     rl;
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    if (ccf->rlimit_nofile != NGX_CONF_UNSET
        || getrlimit(RLIMIT_NOFILE, &rl) == -1)
    {
        return;
    }

    if (rl.rlim_cur >= NGX_LIVE_RECORD_FILES || rl.rlim_cur == rl.rlim_max) {
        return;
    }

    rl.rlim_cur = ngx_min(rl.rlim_max, NGX_LIVE_RECORD_FILES);

    if (setrlimit(RLIMIT_NOFILE, &rl) == -1) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, ngx_errno,
                      "live record: the number of open files could not be "
                      "raised, set \"worker_rlimit_nofile\"");
    }
}


static void
ngx_live_record_exit_process(ngx_cycle_t *cycle)
{
    if (ngx_live_record_conf == NULL) {
        return;
    }

    /* what can be lost comes first */

    ngx_live_record_recorder_exit();
    ngx_live_record_publisher_exit();
    ngx_live_record_demand_exit();
    ngx_live_record_streams_exit();
    ngx_live_record_shipper_exit();
    ngx_live_record_notify_exit();
    ngx_live_record_cache_exit();
    ngx_live_record_engines_free();
    ngx_live_record_oss_exit();
    ngx_live_record_counters_exit();
    ngx_live_record_zone_exit();
}


void
ngx_live_record_timer_init(ngx_event_t *ev, ngx_event_handler_pt handler)
{
    /* the debug log reads its descriptor */

    static ngx_connection_t  dummy;

    dummy.fd = (ngx_socket_t) -1;

    ngx_memzero(ev, sizeof(ngx_event_t));

    ev->handler = handler;
    ev->data = &dummy;
    ev->log = ngx_cycle->log;
    ev->cancelable = 1;
}


static ngx_int_t
ngx_live_record_publish(ngx_rtmp_session_t *s, ngx_rtmp_publish_t *v)
{
    if (ngx_live_record_conf) {
        ngx_live_record_begin(s, v);
    }

    return next_publish(s, v);
}


static void
ngx_live_record_begin(ngx_rtmp_session_t *s, ngx_rtmp_publish_t *v)
{
    ngx_str_t                     stream, args;
    ngx_rtmp_live_ctx_t          *lctx;
    ngx_rtmp_live_app_conf_t     *lacf;
    ngx_live_record_template_t   *t;
    ngx_live_record_srv_conf_t   *lscf;
    ngx_live_record_publisher_t  *p;

    /*
     * Copies from another worker's publisher, and streams that nginx pulls
     * by itself, are not published here.
     */

    if (s->auto_pushed || s->relay) {
        return;
    }

    /* the same connection may publish again, under this or another name */

    ngx_live_record_finish(s, "published again");

    lscf = ngx_rtmp_get_module_srv_conf(s, ngx_live_record_module);

    stream.data = v->name;
    stream.len = ngx_strlen(v->name);

    t = ngx_live_record_find_template(lscf, &s->app, &stream);

    if (t == NULL) {
        return;
    }

    lacf = ngx_rtmp_get_module_app_conf(s, ngx_rtmp_live_module);

    if (!lacf->live) {
        ngx_live_record_leave(s, &stream,
                              "\"live\" is off in its application");
        return;
    }

    /* a duplicate publisher was refused by live, and has no stream */

    lctx = ngx_rtmp_get_module_ctx(s, ngx_rtmp_live_module);

    if (lctx == NULL || lctx->stream == NULL || !lctx->publishing) {
        return;
    }

    if (!lr_name_valid((char *) s->app.data, s->app.len)
        || !lr_name_valid((char *) stream.data, stream.len))
    {
        ngx_live_record_leave(s, &stream, "AppName and StreamName take 1 to "
                              ngx_value(LR_NAME_LEN) " of A-Z a-z 0-9 - _");
        return;
    }

    p = ngx_rtmp_get_module_ctx(s, ngx_live_record_module);

    if (p == NULL) {
        p = ngx_pcalloc(s->connection->pool,
                        sizeof(ngx_live_record_publisher_t));
        if (p == NULL) {
            return;
        }

        ngx_rtmp_set_ctx(s, p, ngx_live_record_module);
    }

    if (ngx_live_record_settings(s, t, &stream, &p->settings) != NGX_OK
        || ngx_live_record_want(s, v, &p->settings) != NGX_OK)
    {
        ngx_live_record_leave(s, &stream, "no memory");
        return;
    }

    args.data = v->args;
    args.len = ngx_strlen(v->args);

    ngx_live_record_publisher_begin(p, t, &args);
}


/* a publisher may name anything, but makes no lines of the log by that */

static void
ngx_live_record_leave(ngx_rtmp_session_t *s, ngx_str_t *stream,
    const char *why)
{
    u_char      name[NGX_RTMP_MAX_NAME];
    ngx_uint_t  i;

    for (i = 0; i < stream->len; i++) {
        name[i] = stream->data[i] < ' ' || stream->data[i] == 0x7f
                  ? '?' : stream->data[i];
    }

    ngx_log_error(NGX_LOG_ERR, s->connection->log, 0,
                  "live record: \"%V/%*s\" is not recorded: %s", &s->app,
                  stream->len, name, why);
}


/* the template's settings for this very stream, in memory of the session */

static ngx_int_t
ngx_live_record_settings(ngx_rtmp_session_t *s,
    ngx_live_record_template_t *t, ngx_str_t *stream,
    lr_settings_t *settings)
{
    u_char                      *p;
    ngx_str_t                    host;
    ngx_live_record_srv_conf_t  *lscf;

    lscf = ngx_rtmp_get_module_srv_conf(s, ngx_live_record_module);

    *settings = t->settings;

    ngx_memcpy(settings->app, s->app.data, s->app.len);
    settings->app[s->app.len] = '\0';
    ngx_memcpy(settings->stream, stream->data, stream->len);
    settings->stream[stream->len] = '\0';

    settings->scope = (char *) lscf->domain.data;

    if (lscf->domain.len) {
        settings->domain = settings->scope;
        return NGX_OK;
    }

    ngx_live_record_host(&s->tc_url, &host);

    p = ngx_pnalloc(s->connection->pool, host.len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_cpystrn(p, host.data, host.len + 1);
    settings->domain = (char *) p;

    return NGX_OK;
}


/* the host of a tcUrl: what a publisher says, so only what a name may be */

static void
ngx_live_record_host(ngx_str_t *url, ngx_str_t *host)
{
    u_char  *p, *last;

    host->len = 0;
    host->data = (u_char *) "";

    p = url->data;
    last = p + url->len;

    while (p + 3 <= last && ngx_strncmp(p, "://", 3) != 0) {
        p++;
    }

    if (p + 3 > last) {
        return;
    }

    p += 3;
    host->data = p;

    while (p < last && host->len < 253
           && ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')
               || (*p >= '0' && *p <= '9') || *p == '.' || *p == '-'
               || *p == '_'))
    {
        p++;
        host->len++;
    }
}


/* what callbacks are to tell of it, and with it */

static ngx_int_t
ngx_live_record_want(ngx_rtmp_session_t *s, ngx_rtmp_publish_t *v,
    lr_settings_t *settings)
{
    char                           *text;
    u_char                         *p;
    size_t                          len;
    json_t                         *args;
    ngx_live_record_notify_conf_t  *nc;

    settings->notify = 0;
    settings->push_args = NULL;

    nc = ngx_live_record_find_notify(ngx_live_record_conf, settings->scope);

    if (nc == NULL) {
        return NGX_OK;
    }

    settings->notify = (unsigned) nc->want;

    args = lr_push_args((char *) v->args,
                        ngx_strnlen(v->args, sizeof(v->args)));

    if (args == NULL) {
        return NGX_OK;
    }

    text = json_dumps(args, JSON_COMPACT|JSON_PRESERVE_ORDER);
    json_decref(args);

    if (text == NULL) {
        return NGX_ERROR;
    }

    len = ngx_strlen(text) + 1;

    p = ngx_pnalloc(s->connection->pool, len);

    if (p) {
        ngx_cpystrn(p, (u_char *) text, len);
        settings->push_args = (char *) p;
    }

    free(text);

    return p ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_live_record_close_stream(ngx_rtmp_session_t *s,
    ngx_rtmp_close_stream_t *v)
{
    ngx_live_record_finish(s, "unpublished");

    return next_close_stream(s, v);
}


static ngx_int_t
ngx_live_record_disconnect(ngx_rtmp_session_t *s, ngx_rtmp_header_t *h,
    ngx_chain_t *in)
{
    ngx_live_record_finish(s, "disconnected");

    return NGX_OK;
}


/* called twice in many sessions, and in ones that were never ours */

static void
ngx_live_record_finish(ngx_rtmp_session_t *s, const char *why)
{
    ngx_live_record_publisher_t  *p;

    p = ngx_rtmp_get_module_ctx(s, ngx_live_record_module);

    if (p) {
        ngx_live_record_publisher_end(p, why);
    }
}


static ngx_int_t
ngx_live_record_av(ngx_rtmp_session_t *s, ngx_rtmp_header_t *h,
    ngx_chain_t *in)
{
    ngx_rtmp_codec_ctx_t         *codec;
    ngx_live_record_publisher_t  *p;

    p = ngx_rtmp_get_module_ctx(s, ngx_live_record_module);

    /* whatever happens to the recording, the session goes on: NGX_OK */

    if (p == NULL || !p->publishing || in == NULL) {
        return NGX_OK;
    }

    if (p->to_ask) {
        codec = ngx_rtmp_get_module_ctx(s, ngx_rtmp_codec_module);
        p->vbitrate = codec ? codec->video_data_rate : 0;
    }

    ngx_live_record_publisher_message(p, h->type == NGX_RTMP_MSG_VIDEO
                                         ? LR_FLV_VIDEO : LR_FLV_AUDIO,
                                      h->timestamp, in);

    return NGX_OK;
}
