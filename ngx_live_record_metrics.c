
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The same as metrics.  Labels name what nginx.conf names, and never a
 * stream: of these there is no end.  docs/status.md has all of them.
 */


#include "lr_prom.h"
#include "ngx_live_record_report.h"


static void ngx_live_record_metrics_recordings(
    const ngx_live_record_report_t *rp, lr_buf_t *out);
static void ngx_live_record_metrics_spool(
    const ngx_live_record_report_t *rp, lr_buf_t *out);
static void ngx_live_record_metrics_frames(
    const ngx_live_record_report_t *rp, lr_buf_t *out);
static void ngx_live_record_metrics_buckets(
    const ngx_live_record_report_t *rp, lr_buf_t *out);
static void ngx_live_record_metrics_bucket(lr_buf_t *out, ngx_uint_t what,
    ngx_live_record_bucket_t *b, const ngx_live_record_bucket_counts_t *c);
static void ngx_live_record_metrics_kinds(lr_buf_t *out, const char *metric,
    ngx_live_record_bucket_t *b, const uint64_t *values);
static void ngx_live_record_metrics_one(lr_buf_t *out, const char *name,
    const char *type, const char *help, uint64_t value);
static void ngx_live_record_metrics_labelled(lr_buf_t *out, const char *name,
    const char *label, const char *value, uint64_t n);


/* of buckets: one metric after another, each of all buckets */

typedef enum {
    NGX_LIVE_RECORD_METRIC_UP = 0,
    NGX_LIVE_RECORD_METRIC_SUCCESS,
    NGX_LIVE_RECORD_METRIC_FAILURE,
    NGX_LIVE_RECORD_METRIC_ACTIVE,
    NGX_LIVE_RECORD_METRIC_WAITING,
    NGX_LIVE_RECORD_METRIC_REQUESTS,
    NGX_LIVE_RECORD_METRIC_RETRIES,
    NGX_LIVE_RECORD_METRIC_SENT,
    NGX_LIVE_RECORD_METRIC_OBJECTS,
    NGX_LIVE_RECORD_METRIC_BYTES
} ngx_live_record_metric_e;


static const struct {
    const char  *name;
    const char  *type;
    const char  *help;
} ngx_live_record_bucket_metrics[] = {

    { "live_record_bucket_up", "gauge",
      "Whether the last word of a bucket was not a failure." },

    { "live_record_bucket_last_success_timestamp_seconds", "gauge",
      "When a request to a bucket last succeeded." },

    { "live_record_bucket_last_error_timestamp_seconds", "gauge",
      "When a bucket last failed." },

    { "live_record_bucket_requests_active", "gauge",
      "Requests to a bucket that are under way." },

    { "live_record_bucket_requests_waiting", "gauge",
      "Requests to a bucket that wait for their turn." },

    { "live_record_bucket_requests_total", "counter",
      "Requests to a bucket that have ended, by what came of them." },

    { "live_record_bucket_retries_total", "counter",
      "Steps of recordings that have to be tried again." },

    { "live_record_bucket_sent_bytes_total", "counter",
      "Bytes of objects and parts that a bucket has taken." },

    { "live_record_stored_objects_total", "counter",
      "Objects that have got their name in a bucket, by kind." },

    { "live_record_stored_bytes_total", "counter",
      "Bytes of the objects that have got their name, by kind." },

    { NULL, NULL, NULL }
};


void
ngx_live_record_metrics_write(const ngx_live_record_report_t *rp,
    lr_buf_t *out)
{
    const ngx_live_record_counts_t  *c;

    static const lr_prom_label_t  build[] = {
        { "version", NGX_LIVE_RECORD_VERSION },
        { "nginx_version", NGINX_VERSION }
    };

    c = &rp->counts;

    lr_prom_metric(out, "live_record_build_info", "gauge",
                   "The version of the module, and of nginx.");
    lr_prom_count(out, "live_record_build_info", build, 2, 1);

    ngx_live_record_metrics_one(out, "live_record_workers", "gauge",
                                "Workers of nginx that run.", rp->workers);

    ngx_live_record_metrics_recordings(rp, out);
    ngx_live_record_metrics_frames(rp, out);
    ngx_live_record_metrics_spool(rp, out);
    ngx_live_record_metrics_buckets(rp, out);

    ngx_live_record_metrics_one(out, "live_record_callbacks_pending", "gauge",
                                "Callbacks that are still to be told.",
                                rp->survey.sum.callbacks);

    lr_prom_metric(out, "live_record_callbacks_total", "counter",
                   "Callbacks by what came of a try.");
    ngx_live_record_metrics_labelled(out, "live_record_callbacks_total",
                                     "result", "delivered",
                          c->callbacks[NGX_LIVE_RECORD_CALLBACK_TAKEN]);
    ngx_live_record_metrics_labelled(out, "live_record_callbacks_total",
                                     "result", "failed",
                          c->callbacks[NGX_LIVE_RECORD_CALLBACK_FAILED]);
    ngx_live_record_metrics_labelled(out, "live_record_callbacks_total",
                                     "result", "given_up",
                          c->callbacks[NGX_LIVE_RECORD_CALLBACK_GIVEN]);

    lr_prom_metric(out, "live_record_api_calls_total", "counter",
                   "Calls of the API by what came of them.");
    ngx_live_record_metrics_labelled(out, "live_record_api_calls_total",
                                     "result", "ok",
                                     c->calls[NGX_LIVE_RECORD_CALL_OK]);
    ngx_live_record_metrics_labelled(out, "live_record_api_calls_total",
                                     "result", "refused",
                                     c->calls[NGX_LIVE_RECORD_CALL_REFUSED]);
    ngx_live_record_metrics_labelled(out, "live_record_api_calls_total",
                                     "result", "failed",
                                     c->calls[NGX_LIVE_RECORD_CALL_FAILED]);
}


static void
ngx_live_record_metrics_recordings(const ngx_live_record_report_t *rp,
    lr_buf_t *out)
{
    unsigned                i;
    const lr_survey_sum_t  *sum;

    sum = &rp->survey.sum;

    lr_prom_metric(out, "live_record_recordings", "gauge",
                   "Recordings in the spool by their state.");

    for (i = LR_RECORDING_LIVE; i <= LR_RECORDING_ENDED; i++) {
        ngx_live_record_metrics_labelled(out, "live_record_recordings",
                                         "state", lr_survey_state(i),
                                         sum->states[i]);
    }

    ngx_live_record_metrics_one(out, "live_record_recordings_unread",
                                "gauge", "Recordings in the spool that no "
                                "other metric takes account of.",
                                sum->others);

    lr_prom_metric(out, "live_record_publishers", "gauge",
                   "Streams that are published and that a template fits.");
    ngx_live_record_metrics_labelled(out, "live_record_publishers",
                                     "state", "recorded", rp->recorded);
    ngx_live_record_metrics_labelled(out, "live_record_publishers",
                                     "state", "unrecorded",
                                     rp->nstreams - rp->recorded);

    ngx_live_record_metrics_one(out, "live_record_backlog_fragments",
                                "gauge", "Ended fragments that the bucket "
                                "has not confirmed in all formats.",
                                sum->fragments);

    ngx_live_record_metrics_one(out, "live_record_backlog_bytes", "gauge",
                                "Bytes of these fragments in the spool.",
                                sum->bytes);

    lr_prom_metric(out, "live_record_oldest_unstored_age_seconds", "gauge",
                   "For how long the oldest of them could have been stored.");
    lr_prom_seconds(out, "live_record_oldest_unstored_age_seconds", NULL, 0,
                    sum->due && rp->now > sum->due ? rp->now - sum->due : 0);
}


static void
ngx_live_record_metrics_frames(const ngx_live_record_report_t *rp,
    lr_buf_t *out)
{
    const ngx_live_record_counts_t  *c;

    c = &rp->counts;

    ngx_live_record_metrics_one(out, "live_record_received_frames_total",
                                "counter", "Frames of fragments that have "
                                "ended.", c->frames);
    ngx_live_record_metrics_one(out, "live_record_received_bytes_total",
                                "counter", "Bytes of media that were written "
                                "to the spool.", c->received);
    ngx_live_record_metrics_one(out, "live_record_fragments_total",
                                "counter", "Fragments that have ended.",
                                c->fragments);
    ngx_live_record_metrics_one(out, "live_record_lost_frames_total",
                                "counter", "Frames that were published and "
                                "not recorded.", c->lost_frames);
    ngx_live_record_metrics_one(out, "live_record_lost_bytes_total",
                                "counter", "Bytes of these frames, as far as "
                                "they are known.", c->lost_bytes);
}


static void
ngx_live_record_metrics_spool(const ngx_live_record_report_t *rp,
    lr_buf_t *out)
{
    ngx_live_record_metrics_one(out, "live_record_spool_bytes", "gauge",
                                "Bytes that the spool takes on the disk.",
                                rp->survey.usage);

    if (ngx_live_record_conf->max_size) {
        ngx_live_record_metrics_one(out, "live_record_spool_limit_bytes",
                                    "gauge", "The max_size of the spool.",
                            (uint64_t) ngx_live_record_conf->max_size);
    }

    ngx_live_record_metrics_one(out, "live_record_spool_free_bytes", "gauge",
                                "Bytes that are free in the file system of "
                                "the spool.", rp->survey.free);
    ngx_live_record_metrics_one(out, "live_record_spool_min_free_bytes",
                                "gauge", "What the spool leaves free there.",
                            (uint64_t) ngx_live_record_conf->zone_addr->min);
    ngx_live_record_metrics_one(out, "live_record_spool_full", "gauge",
                                "Whether the spool takes no frames.",
                                ngx_live_record_conf->zone_addr->full != 0);
    ngx_live_record_metrics_one(out, "live_record_spool_quarantined",
                                "gauge", "Entries of the quarantine.",
                                rp->survey.quarantine);
}


static void
ngx_live_record_metrics_buckets(const ngx_live_record_report_t *rp,
    lr_buf_t *out)
{
    ngx_uint_t                              i, k;
    ngx_live_record_bucket_t              **b;
    const ngx_live_record_bucket_counts_t  *c;

    b = ngx_live_record_conf->buckets.elts;

    for (i = 0; ngx_live_record_bucket_metrics[i].name; i++) {

        lr_prom_metric(out, ngx_live_record_bucket_metrics[i].name,
                       ngx_live_record_bucket_metrics[i].type,
                       ngx_live_record_bucket_metrics[i].help);

        for (k = 0; k < ngx_live_record_conf->buckets.nelts; k++) {
            c = ngx_live_record_report_bucket(rp, b[k]);

            if (c) {
                ngx_live_record_metrics_bucket(out, i, b[k], c);
            }
        }
    }
}


static void
ngx_live_record_metrics_bucket(lr_buf_t *out, ngx_uint_t what,
    ngx_live_record_bucket_t *b, const ngx_live_record_bucket_counts_t *c)
{
    uint64_t          value;
    ngx_uint_t        i;
    const char       *name;
    lr_prom_label_t   labels[2];

    name = ngx_live_record_bucket_metrics[what].name;

    labels[0].name = "bucket";
    labels[0].value = (char *) b->name.data;

    switch (what) {

    case NGX_LIVE_RECORD_METRIC_UP:
        labels[1].name = "type";
        labels[1].value = ngx_live_record_bucket_type(b);
        lr_prom_count(out, name, labels, 2, c->state == LR_RETRY_OK);
        return;

    case NGX_LIVE_RECORD_METRIC_SUCCESS:
        lr_prom_seconds(out, name, labels, 1, (int64_t) c->success);
        return;

    case NGX_LIVE_RECORD_METRIC_FAILURE:
        lr_prom_seconds(out, name, labels, 1, (int64_t) c->failure);
        return;

    case NGX_LIVE_RECORD_METRIC_REQUESTS:

        for (i = 0; i < NGX_LIVE_RECORD_RESULTS; i++) {
            labels[1].name = "result";
            labels[1].value = ngx_live_record_result_names[i];
            lr_prom_count(out, name, labels, 2, c->requests[i]);
        }

        return;

    case NGX_LIVE_RECORD_METRIC_OBJECTS:
        ngx_live_record_metrics_kinds(out, name, b, c->objects);
        return;

    case NGX_LIVE_RECORD_METRIC_BYTES:
        ngx_live_record_metrics_kinds(out, name, b, c->bytes);
        return;

    case NGX_LIVE_RECORD_METRIC_ACTIVE:
        value = c->active;
        break;

    case NGX_LIVE_RECORD_METRIC_WAITING:
        value = c->waiting;
        break;

    case NGX_LIVE_RECORD_METRIC_RETRIES:
        value = c->retries;
        break;

    default: /* NGX_LIVE_RECORD_METRIC_SENT */
        value = c->sent;
    }

    lr_prom_count(out, name, labels, 1, value);
}


static void
ngx_live_record_metrics_kinds(lr_buf_t *out, const char *metric,
    ngx_live_record_bucket_t *b, const uint64_t *values)
{
    ngx_uint_t       i;
    lr_prom_label_t  labels[2];

    labels[0].name = "bucket";
    labels[0].value = (char *) b->name.data;
    labels[1].name = "kind";

    for (i = 0; i < NGX_LIVE_RECORD_KINDS; i++) {
        labels[1].value = ngx_live_record_kind_names[i];
        lr_prom_count(out, metric, labels, 2, values[i]);
    }
}


static void
ngx_live_record_metrics_one(lr_buf_t *out, const char *name,
    const char *type, const char *help, uint64_t value)
{
    lr_prom_metric(out, name, type, help);
    lr_prom_count(out, name, NULL, 0, value);
}


static void
ngx_live_record_metrics_labelled(lr_buf_t *out, const char *name,
    const char *label, const char *value, uint64_t n)
{
    lr_prom_label_t  l;

    l.name = label;
    l.value = value;

    lr_prom_count(out, name, &l, 1, n);
}
