
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "lr_on_demand.h"
#include "lr_settings.h"
#include "lr_url.h"


#define LR_ON_DEMAND_CONFIG  "record_config="


static void lr_on_demand_param(lr_buf_t *b, const char *name,
    const char *value);
static json_t *lr_on_demand_object(const char *p, size_t n, char *err,
    size_t size);
static int lr_on_demand_need(json_t *root, char *err, size_t size);
static int lr_on_demand_formats(json_t *root, unsigned *formats);
static int lr_on_demand_intervals(json_t *root, lr_on_demand_answer_t *a);
static unsigned lr_on_demand_format(const char *name);


void
lr_on_demand_url(lr_buf_t *b, const char *url,
    const lr_on_demand_question_t *q)
{
    char    rate[16];
    size_t  n;

    n = strcspn(url, "#");

    lr_buf_append(b, url, n);
    lr_buf_puts(b, memchr(url, '?', n) ? "&app=" : "?app=");
    lr_url_encode(b, q->app, strlen(q->app));

    snprintf(rate, sizeof(rate), "%u", q->vbitrate);

    lr_on_demand_param(b, "&domain=", q->domain);
    lr_on_demand_param(b, "&stream=", q->stream);
    lr_on_demand_param(b, "&vbitrate=", rate);
    lr_on_demand_param(b, "&codec=", q->hevc ? "h265" : "h264");

    lr_buf_append(b, "", 1);

    if (!b->failed) {
        b->len--;
    }
}


static void
lr_on_demand_param(lr_buf_t *b, const char *name, const char *value)
{
    lr_buf_puts(b, name);
    lr_url_encode(b, value, strlen(value));
}


int
lr_on_demand_answer(lr_on_demand_answer_t *a, const char *p, size_t n,
    char *err, size_t size)
{
    int      rc;
    json_t  *root;

    root = lr_on_demand_object(p, n < LR_ON_DEMAND_MAX ? n : LR_ON_DEMAND_MAX,
                               err, size);

    if (root == NULL) {
        return LR_ERROR;
    }

    rc = lr_on_demand_need(root, err, size);

    if (rc == LR_DECLINED) {
        a->formats = 0;
        rc = LR_OK;

    } else if (rc == LR_OK) {

        if (lr_on_demand_formats(root, &a->formats) != LR_OK) {
            snprintf(err, size, "\"Format\" is not an array of strings");
            rc = LR_ERROR;

        } else if (lr_on_demand_intervals(root, a) != LR_OK) {
            snprintf(err, size, "\"Interval\" is not an object of integers");
            rc = LR_ERROR;
        }
    }

    json_decref(root);

    return rc;
}


static json_t *
lr_on_demand_object(const char *p, size_t n, char *err, size_t size)
{
    json_t        *root;
    json_error_t   je;

    root = json_loadb(p, n, 0, &je);

    if (root == NULL) {

        /* je.text quotes what was received, which no log has a use for */

        snprintf(err, size, "it is not JSON, at byte %d", je.position);
        return NULL;
    }

    if (!json_is_object(root)) {
        snprintf(err, size, "it is not a JSON object");
        json_decref(root);
        return NULL;
    }

    return root;
}


static int
lr_on_demand_need(json_t *root, char *err, size_t size)
{
    json_t  *need;

    need = json_object_get(root, "NeedRecord");

    if (!json_is_boolean(need)) {
        snprintf(err, size, "it has no \"NeedRecord\" that is true or false");
        return LR_ERROR;
    }

    return json_is_true(need) ? LR_OK : LR_DECLINED;
}


/* formats that are not known, and ones that the template lacks, drop out */

static int
lr_on_demand_formats(json_t *root, unsigned *formats)
{
    size_t       i;
    json_t      *list;
    unsigned     named;
    const char  *name;

    list = json_object_get(root, "Format");

    if (list == NULL || json_is_null(list)) {
        return LR_OK;
    }

    if (!json_is_array(list)) {
        return LR_ERROR;
    }

    named = 0;

    for (i = 0; i < json_array_size(list); i++) {
        name = json_string_value(json_array_get(list, i));

        if (name == NULL) {
            return LR_ERROR;
        }

        named |= lr_on_demand_format(name);
    }

    *formats &= named;

    return LR_OK;
}


static int
lr_on_demand_intervals(json_t *root, lr_on_demand_answer_t *a)
{
    json_t      *o, *v;
    int64_t      cycle;
    const char  *name;

    o = json_object_get(root, "Interval");

    if (o == NULL || json_is_null(o)) {
        return LR_OK;
    }

    if (!json_is_object(o)) {
        return LR_ERROR;
    }

    cycle = 0;

    json_object_foreach(o, name, v) {

        if (!json_is_integer(v)) {
            return LR_ERROR;
        }

        if (!(lr_on_demand_format(name) & a->formats)) {
            continue;
        }

        if (json_integer_value(v) < LR_ON_DEMAND_SHORTEST
            || json_integer_value(v) > LR_ON_DEMAND_LONGEST)
        {
            a->odd = 1;
            continue;
        }

        if (cycle == 0 || json_integer_value(v) * 1000 < cycle) {
            cycle = json_integer_value(v) * 1000;
        }
    }

    if (cycle) {
        a->cycle = cycle;
    }

    return LR_OK;
}


/* intervals are named "Mp4", "Flv", "M3U8", formats "mp4", "flv", "m3u8" */

static unsigned
lr_on_demand_format(const char *name)
{
    return strcasecmp(name, "m3u8") == 0 ? LR_FORMAT_M3U8
           : strcasecmp(name, "mp4") == 0 ? LR_FORMAT_MP4
           : strcasecmp(name, "flv") == 0 ? LR_FORMAT_FLV : 0;
}


int
lr_on_demand_args(const char *args, size_t n, char *err, size_t size)
{
    int          rc;
    size_t       len;
    json_t      *root;
    lr_buf_t     text;
    const char  *p, *end, *last;

    len = sizeof(LR_ON_DEMAND_CONFIG) - 1;
    last = args + n;

    for (p = args; /* void */ ; p = end + 1) {
        end = memchr(p, '&', (size_t) (last - p));

        if (end == NULL) {
            end = last;
        }

        if ((size_t) (end - p) >= len
            && memcmp(p, LR_ON_DEMAND_CONFIG, len) == 0)
        {
            break;
        }

        if (end == last) {
            return LR_DECLINED;
        }
    }

    memset(&text, 0, sizeof(lr_buf_t));

    p += len;

    if (lr_url_decode_query(&text, p, (size_t) (end - p)) != LR_OK
        || text.failed)
    {
        snprintf(err, size, "it is not URL-encoded");
        lr_buf_free(&text);
        return LR_ERROR;
    }

    root = lr_on_demand_object((char *) text.data, text.len, err, size);
    lr_buf_free(&text);

    if (root == NULL) {
        return LR_ERROR;
    }

    rc = lr_on_demand_need(root, err, size);
    json_decref(root);

    return rc;
}
