
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The status as JSON: docs/status.schema.json says what it is like.
 */


#include <jansson.h>

#include "lr_prom.h"
#include "ngx_live_record_report.h"


/* goes up when something that was there is so no more */
#define NGX_LIVE_RECORD_STATUS_VERSION  1


static json_t *ngx_live_record_status_spool(
    const ngx_live_record_report_t *rp);
static json_t *ngx_live_record_status_templates(void);
static json_t *ngx_live_record_status_template(
    ngx_live_record_srv_conf_t *lscf, ngx_live_record_template_t *t);
static json_t *ngx_live_record_status_recordings(
    const ngx_live_record_report_t *rp);
static json_t *ngx_live_record_status_recording(
    const lr_survey_recording_t *r);
static json_t *ngx_live_record_status_publishers(
    const ngx_live_record_report_t *rp);
static json_t *ngx_live_record_status_buckets(
    const ngx_live_record_report_t *rp);
static json_t *ngx_live_record_status_bucket(
    const ngx_live_record_report_t *rp, ngx_live_record_bucket_t *b);
static json_t *ngx_live_record_status_formats(unsigned formats);
static json_t *ngx_live_record_status_name(ngx_str_t *name);
static json_t *ngx_live_record_status_text(const char *text, size_t len);
static json_t *ngx_live_record_status_time(int64_t ms);


void
ngx_live_record_status_write(const ngx_live_record_report_t *rp,
    lr_buf_t *out)
{
    size_t                           n;
    json_t                          *o;
    const ngx_live_record_counts_t  *c;

    c = &rp->counts;

    o = json_pack("{s:i, s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:{s:I, s:I,"
                  " s:I}, s:{s:I, s:I}, s:{s:I, s:I, s:I, s:I}, "
                  "s:{s:I, s:I, s:I}}",
                  "version", NGX_LIVE_RECORD_STATUS_VERSION,
                  "module", NGX_LIVE_RECORD_VERSION,
                  "time", (json_int_t) rp->now,
                  "workers", (json_int_t) rp->workers,
                  "spool", ngx_live_record_status_spool(rp),
                  "templates", ngx_live_record_status_templates(),
                  "recordings", ngx_live_record_status_recordings(rp),
                  "publishers", ngx_live_record_status_publishers(rp),
                  "buckets", ngx_live_record_status_buckets(rp),
                  "received",
                  "frames", (json_int_t) c->frames,
                  "bytes", (json_int_t) c->received,
                  "fragments", (json_int_t) c->fragments,
                  "lost",
                  "frames", (json_int_t) c->lost_frames,
                  "bytes", (json_int_t) c->lost_bytes,
                  "callbacks",
                  "pending", (json_int_t) rp->survey.sum.callbacks,
                  "delivered", (json_int_t)
                      c->callbacks[NGX_LIVE_RECORD_CALLBACK_TAKEN],
                  "failed", (json_int_t)
                      c->callbacks[NGX_LIVE_RECORD_CALLBACK_FAILED],
                  "given_up", (json_int_t)
                      c->callbacks[NGX_LIVE_RECORD_CALLBACK_GIVEN],
                  "calls",
                  "ok", (json_int_t) c->calls[NGX_LIVE_RECORD_CALL_OK],
                  "refused", (json_int_t)
                      c->calls[NGX_LIVE_RECORD_CALL_REFUSED],
                  "failed", (json_int_t)
                      c->calls[NGX_LIVE_RECORD_CALL_FAILED]);

    n = o ? json_dumpb(o, NULL, 0, JSON_COMPACT) : 0;

    if (n == 0 || lr_buf_reserve(out, n + 1) != LR_OK) {
        out->failed = 1;

    } else {
        out->len = json_dumpb(o, (char *) out->data, n, JSON_COMPACT);
        lr_buf_puts(out, "\n");
    }

    json_decref(o);
}


static json_t *
ngx_live_record_status_spool(const ngx_live_record_report_t *rp)
{
    const lr_survey_t            *sv;
    ngx_live_record_main_conf_t  *lmcf;

    sv = &rp->survey;
    lmcf = ngx_live_record_conf;

    return json_pack("{s:o, s:I, s:o, s:I, s:I, s:b, s:I}",
                     "path", ngx_live_record_status_name(&lmcf->spool),
                     "bytes", (json_int_t) sv->usage,
                     "max_size", lmcf->max_size
                                 ? json_integer(lmcf->max_size)
                                 : json_null(),
                     "free", (json_int_t) sv->free,
                     "min_free", (json_int_t) lmcf->zone_addr->min,
                     "full", lmcf->zone_addr->full != 0,
                     "quarantine", (json_int_t) sv->quarantine);
}


/* in the order of nginx.conf */

static json_t *
ngx_live_record_status_templates(void)
{
    json_t                       *list;
    ngx_uint_t                    i, k;
    ngx_live_record_template_t  **t;
    ngx_live_record_srv_conf_t  **s;

    list = json_array();
    s = ngx_live_record_conf->servers.elts;

    for (i = 0; i < ngx_live_record_conf->servers.nelts; i++) {
        t = s[i]->templates->elts;

        for (k = 0; k < s[i]->templates->nelts; k++) {
            (void) json_array_append_new(list,
                            ngx_live_record_status_template(s[i], t[k]));
        }
    }

    return list;
}


static json_t *
ngx_live_record_status_template(ngx_live_record_srv_conf_t *lscf,
    ngx_live_record_template_t *t)
{
    lr_settings_t  *st;

    /* NGX_LIVE_RECORD_ALWAYS and so on */

    static const char  *on_demand[] = { "off", "callback", "push_args",
                                        "command" };
    static ngx_str_t    any = ngx_string("*");

    st = &t->settings;

    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:s}",
                     "domain", ngx_live_record_status_name(&lscf->domain),
                     "app",
                     ngx_live_record_status_name(t->app.len ? &t->app : &any),
                     "stream",
                     ngx_live_record_status_name(t->stream.len ? &t->stream
                                                               : &any),
                     "bucket",
                     ngx_live_record_status_text(st->bucket,
                                                 ngx_strlen(st->bucket)),
                     "formats", ngx_live_record_status_formats(st->formats),
                     "cycle", (json_int_t) st->cycle,
                     "fragment", (json_int_t) st->fragment,
                     "grace", (json_int_t) st->grace,
                     "on_demand", on_demand[t->on_demand]);
}


static json_t *
ngx_live_record_status_recordings(const ngx_live_record_report_t *rp)
{
    size_t              i;
    json_t             *list;
    const lr_survey_t  *sv;

    sv = &rp->survey;
    list = json_array();

    for (i = 0; i < sv->n; i++) {
        if (sv->recordings[i].read) {
            (void) json_array_append_new(list,
                     ngx_live_record_status_recording(&sv->recordings[i]));
        }
    }

    return json_pack("{s:I, s:I, s:I, s:I, s:{s:I, s:I, s:o}, s:o}",
                     "live", (json_int_t) sv->sum.states[LR_RECORDING_LIVE],
                     "paused",
                     (json_int_t) sv->sum.states[LR_RECORDING_PAUSED],
                     "ended",
                     (json_int_t) sv->sum.states[LR_RECORDING_ENDED],
                     "others", (json_int_t) sv->sum.others,
                     "backlog",
                     "fragments", (json_int_t) sv->sum.fragments,
                     "bytes", (json_int_t) sv->sum.bytes,
                     "oldest", ngx_live_record_status_time(sv->sum.due),
                     "list", list);
}


static json_t *
ngx_live_record_status_recording(const lr_survey_recording_t *r)
{
    const char  *id;

    /* before its first line is written its directory is its name */

    id = strrchr(r->path, '/') + 1;

    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:I, s:I,"
                     " s:o, s:I, s:{s:I, s:I}, s:{s:I, s:I, s:o}, "
                     "s:{s:I, s:I}, s:I}",
                     "domain", r->settings.domain,
                     "app", r->settings.app,
                     "stream", r->settings.stream,
                     "id", id,
                     "state", lr_survey_state(r->rec.state),
                     "bucket", r->settings.bucket,
                     "formats",
                     ngx_live_record_status_formats(r->settings.formats),
                     "started", ngx_live_record_status_time(r->rec.started),
                     "changed", ngx_live_record_status_time(r->rec.time),
                     "spans", (json_int_t) r->rec.spans,
                     "cycle", (json_int_t) r->rec.cycle,
                     "last_frame", ngx_live_record_status_time(r->last),
                     "bytes", (json_int_t) (r->bytes + r->open),
                     "fragments",
                     "ended", (json_int_t) r->rec.fragments,
                     "stored", (json_int_t) (r->rec.fragments - r->n),
                     "backlog",
                     "fragments", (json_int_t) r->n,
                     "bytes", (json_int_t) r->backlog,
                     "oldest", ngx_live_record_status_time(r->due),
                     "lost",
                     "frames", (json_int_t) r->rec.lost_frames,
                     "bytes", (json_int_t) r->rec.lost_bytes,
                     "callbacks", (json_int_t) (r->notice - r->told));
}


/* those that are not recorded, and why */

static json_t *
ngx_live_record_status_publishers(const ngx_live_record_report_t *rp)
{
    size_t                              i;
    json_t                             *list;
    const ngx_live_record_published_t  *p;

    /* of ngx_live_record_why_e */

    static const char  *why[] = { "", "waits", "asked", "callback",
                                  "push_args", "command", "no memory" };

    list = json_array();

    for (i = 0; i < rp->nstreams; i++) {
        p = &rp->streams[i];

        if (p->why == NGX_LIVE_RECORD_WHY_NONE) {
            continue;
        }

        (void) json_array_append_new(list,
                         json_pack("{s:o, s:s, s:s, s:s}", "domain",
                                   ngx_live_record_status_text(p->scope,
                                                     ngx_strlen(p->scope)),
                                   "app", p->app, "stream", p->stream,
                                   "why", why[p->why]));
    }

    return json_pack("{s:I, s:I, s:o}",
                     "recorded", (json_int_t) rp->recorded,
                     "unrecorded", (json_int_t) (rp->nstreams - rp->recorded),
                     "list", list);
}


static json_t *
ngx_live_record_status_buckets(const ngx_live_record_report_t *rp)
{
    json_t                     *list;
    ngx_uint_t                  i;
    ngx_live_record_bucket_t  **b;

    list = json_array();
    b = ngx_live_record_conf->buckets.elts;

    for (i = 0; i < ngx_live_record_conf->buckets.nelts; i++) {
        (void) json_array_append_new(list,
                                  ngx_live_record_status_bucket(rp, b[i]));
    }

    return list;
}


static json_t *
ngx_live_record_status_bucket(const ngx_live_record_report_t *rp,
    ngx_live_record_bucket_t *b)
{
    json_t                                 *requests, *stored, *error;
    ngx_uint_t                              i;
    const ngx_live_record_bucket_counts_t  *c;

    static const ngx_live_record_bucket_counts_t  none;

    c = ngx_live_record_report_bucket(rp, b);
    c = c ? c : &none;

    requests = json_object();

    for (i = 0; i < NGX_LIVE_RECORD_RESULTS; i++) {
        (void) json_object_set_new(requests,
                                   ngx_live_record_result_names[i],
                                   json_integer((json_int_t) c->requests[i]));
    }

    stored = json_object();

    for (i = 0; i < NGX_LIVE_RECORD_KINDS; i++) {
        (void) json_object_set_new(stored, ngx_live_record_kind_names[i],
                                   json_pack("{s:I, s:I}", "objects",
                                             (json_int_t) c->objects[i],
                                             "bytes",
                                             (json_int_t) c->bytes[i]));
    }

    error = c->failure == 0 ? json_null()
            : json_pack("{s:I, s:o}", "time", (json_int_t) c->failure, "text",
                        ngx_live_record_status_text(c->err,
                                                    ngx_strlen(c->err)));

    return json_pack("{s:o, s:s, s:s, s:o, s:o, s:I, s:I, s:o, s:I, s:I, s:I,"
                     " s:o}",
                     "name", ngx_live_record_status_name(&b->name),
                     "type", ngx_live_record_bucket_type(b),
                     "state", c->state == LR_RETRY_OK ? "ok"
                              : c->state == LR_RETRY_ADMIN ? "refusing"
                                                           : "failing",
                     "last_success",
                     ngx_live_record_status_time((int64_t) c->success),
                     "last_error", error,
                     "active", (json_int_t) c->active,
                     "waiting", (json_int_t) c->waiting,
                     "requests", requests,
                     "retries", (json_int_t) c->retries,
                     "bytes", (json_int_t) c->sent,
                     "rate", (json_int_t)
                     ngx_live_record_counted_rate(c, rp->now / 1000),
                     "stored", stored);
}


static json_t *
ngx_live_record_status_formats(unsigned formats)
{
    json_t      *list;
    ngx_uint_t   i;

    /* LR_FORMAT_M3U8 and so on, by their bits */

    static const char  *names[] = { "m3u8", "mp4", "flv" };

    list = json_array();

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (formats & (1u << i)) {
            (void) json_array_append_new(list, json_string(names[i]));
        }
    }

    return list;
}


static json_t *
ngx_live_record_status_name(ngx_str_t *name)
{
    return ngx_live_record_status_text((char *) name->data, name->len);
}


/* nginx.conf and errors may have any bytes */

static json_t *
ngx_live_record_status_text(const char *text, size_t len)
{
    json_t    *s;
    lr_buf_t   b;

    ngx_memzero(&b, sizeof(lr_buf_t));

    lr_prom_utf8(&b, text, len);

    s = b.failed ? NULL : json_stringn(b.len ? (char *) b.data : "", b.len);

    lr_buf_free(&b);

    return s;
}


static json_t *
ngx_live_record_status_time(int64_t ms)
{
    return ms ? json_integer((json_int_t) ms) : json_null();
}
