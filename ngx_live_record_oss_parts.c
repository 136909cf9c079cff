
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Objects in parts: an upload is begun, given its parts in any order, and
 * completed or aborted.  The store keeps an upload, and asks money for it,
 * until one of both has happened.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_live_record_oss.h"


/* parts that were on their way bring an aborted upload back */
#define NGX_LIVE_RECORD_OSS_ROUNDS  4


static void ngx_live_record_oss_begin_vacant(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_begin_swept(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_begin_done(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_part_done(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_complete_vacant(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_complete_done(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_complete_taken(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_complete_same(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_sweep_list(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_sweep_page(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_sweep_listed(ngx_live_record_oss_t *t);
static ngx_int_t ngx_live_record_oss_sweep_take(
    ngx_live_record_oss_sweep_t *s, lr_xml_uploads_t *list);
static void ngx_live_record_oss_sweep_one(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_sweep_looked(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_sweep_drop(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_sweep_next(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_sweep_dropped(ngx_live_record_oss_t *t);


void
ngx_live_record_oss_begin(ngx_live_record_oss_t *t)
{
    ngx_live_record_oss_vacant(t, NGX_LIVE_RECORD_OSS_KEEP_INITIATE,
                               t->req->key,
                               ngx_live_record_oss_begin_vacant);
}


static void
ngx_live_record_oss_begin_vacant(ngx_live_record_oss_t *t)
{
    if (t->req->result == LR_RETRY_EXISTS) {
        ngx_live_record_oss_finish(t);
        return;
    }

    if (t->req->again) {

        /*
         * A name that is not the recording's own may be that of somebody
         * else's upload.  One of ours whose id is not known has no parts;
         * and who has not sent any loses nothing.
         */

        t->sweep.empty = t->req->keep;

        ngx_live_record_oss_sweep(t, t->req->key, NULL,
                                  ngx_live_record_oss_begin_swept);
        return;
    }

    ngx_live_record_oss_begin_swept(t);
}


static void
ngx_live_record_oss_begin_swept(ngx_live_record_oss_t *t)
{
    ngx_live_record_oss_initiate(t, t->req->key, t->req->type,
                                 ngx_live_record_oss_begin_done);
}


static void
ngx_live_record_oss_begin_done(ngx_live_record_oss_t *t)
{
    char  *id;

    id = ngx_live_record_oss_initiated(t);

    if (id == NULL) {
        ngx_live_record_oss_finish(t);
        return;
    }

    ngx_live_record_oss_give(t, id);

    free(id);
}


void
ngx_live_record_oss_part(ngx_live_record_oss_t *t)
{
    char                        number[sizeof("4294967295")];
    ngx_live_record_request_t  *req;

    req = t->req;

    (void) snprintf(number, sizeof(number), "%u", (unsigned) req->number);

    ngx_live_record_oss_ask(t, "PUT", "PART", req->key,
                            ngx_live_record_oss_part_done);

    ngx_live_record_oss_param(t, "partNumber", number);
    ngx_live_record_oss_param(t, "uploadId", req->upload);

    ngx_live_record_oss_body(t);

    ngx_live_record_oss_send(t);
}


static void
ngx_live_record_oss_part_done(ngx_live_record_oss_t *t)
{
    ngx_live_record_request_t  *req;

    req = t->req;

    if (req->result == LR_RETRY_OK) {

        if (t->status == 200 && t->etag[0]) {
            req->bytes = req->body.size;
            req->sum = t->crc;

            ngx_live_record_oss_give(t, t->etag);
            return;
        }

        req->result = LR_RETRY_AGAIN;
        (void) snprintf(req->err, sizeof(req->err),
                        "PART \"%s\": the answer's status is %ld, without "
                        "an ETag", req->key, t->status);

    } else if (req->result == LR_RETRY_GONE
               && !ngx_live_record_oss_code(t, "NoSuchUpload"))
    {
        req->result = LR_RETRY_ADMIN;
    }

    ngx_live_record_oss_finish(t);
}


void
ngx_live_record_oss_complete(ngx_live_record_oss_t *t)
{
    if (t->dialect->parts) {
        t->dialect->parts(t);
    }

    ngx_live_record_oss_vacant(t, NGX_LIVE_RECORD_OSS_KEEP_COMPLETE,
                               t->req->key,
                               ngx_live_record_oss_complete_vacant);
}


static void
ngx_live_record_oss_complete_vacant(ngx_live_record_oss_t *t)
{
    size_t                      i;
    ngx_live_record_request_t  *req;

    req = t->req;

    if (req->result == LR_RETRY_EXISTS) {
        ngx_live_record_oss_complete_done(t);
        return;
    }

    for (i = 0; i < req->nparts; i++) {
        ngx_live_record_oss_list_part(t, req->parts[i].number,
                                      req->parts[i].etag);
    }

    ngx_live_record_oss_make(t, req->key, req->upload,
                             ngx_live_record_oss_complete_done);
}


static void
ngx_live_record_oss_complete_done(ngx_live_record_oss_t *t)
{
    lr_retry_e                  other, none;
    ngx_live_record_oss_pt      same;
    ngx_live_record_request_t  *req;

    req = t->req;
    same = ngx_live_record_oss_complete_same;

    switch (req->result) {

    case LR_RETRY_OK:

        if (ngx_live_record_oss_made(t, req->crc)) {
            ngx_live_record_oss_complete_same(t);
            return;
        }

        /*
         * There is no upload any more that could be completed again.  What
         * was made of it is left where it is, even if it is wrong.
         */

        other = LR_RETRY_GONE;
        none = LR_RETRY_AGAIN;
        break;

    case LR_RETRY_GONE:

        if (!ngx_live_record_oss_code(t, "NoSuchUpload")) {
            req->result = LR_RETRY_ADMIN;
            ngx_live_record_oss_finish(t);
            return;
        }

        /* perhaps completed by a try whose answer was lost */

        other = LR_RETRY_GONE;
        none = LR_RETRY_GONE;
        break;

    case LR_RETRY_EXISTS:
        other = LR_RETRY_EXISTS;
        none = LR_RETRY_AGAIN;
        same = ngx_live_record_oss_complete_taken;
        break;

    default:
        ngx_live_record_oss_finish(t);
        return;
    }

    ngx_live_record_oss_look(t, req->key, req->size, req->crc, other, none,
                             same);
}


/* the object is there, but not from this upload */

static void
ngx_live_record_oss_complete_taken(ngx_live_record_oss_t *t)
{
    ngx_live_record_oss_drop(t, t->req->key, t->req->upload,
                             ngx_live_record_oss_complete_same);
}


static void
ngx_live_record_oss_complete_same(ngx_live_record_oss_t *t)
{
    t->req->bytes = t->req->size;

    ngx_live_record_oss_finish(t);
}


void
ngx_live_record_oss_abort(ngx_live_record_oss_t *t)
{
    ngx_live_record_oss_drop(t, t->req->key, t->req->upload,
                             ngx_live_record_oss_finish);
}


void
ngx_live_record_oss_sweep(ngx_live_record_oss_t *t, const char *key,
    const char *since, ngx_live_record_oss_pt handler)
{
    t->sweep.key = key;
    t->sweep.since = since;
    t->sweep.handler = handler;
    t->sweep.rounds = 0;

    ngx_live_record_oss_sweep_list(t);
}


static void
ngx_live_record_oss_sweep_list(ngx_live_record_oss_t *t)
{
    ngx_live_record_oss_sweep_t  *s;

    s = &t->sweep;

    s->ids.len = 0;
    s->next = 0;
    s->dropped = 0;

    free(s->key_marker);
    s->key_marker = NULL;

    free(s->id_marker);
    s->id_marker = NULL;

    ngx_live_record_oss_sweep_page(t);
}


static void
ngx_live_record_oss_sweep_page(ngx_live_record_oss_t *t)
{
    ngx_live_record_oss_ask(t, "GET", "LIST UPLOADS", NULL,
                            ngx_live_record_oss_sweep_listed);

    ngx_live_record_oss_param(t, "uploads", NULL);
    ngx_live_record_oss_param(t, "prefix", t->sweep.key);
    ngx_live_record_oss_param(t, "max-uploads", "1000");
    ngx_live_record_oss_param(t, "encoding-type", "url");

    if (t->sweep.key_marker) {
        ngx_live_record_oss_param(t, "key-marker", t->sweep.key_marker);

        if (t->sweep.id_marker) {
            ngx_live_record_oss_param(t, "upload-id-marker",
                                      t->sweep.id_marker);
        }
    }

    ngx_live_record_oss_send(t);
}


static void
ngx_live_record_oss_sweep_listed(ngx_live_record_oss_t *t)
{
    ngx_int_t                     rc;
    lr_xml_uploads_t              list;
    ngx_live_record_request_t    *req;
    ngx_live_record_oss_sweep_t  *s;

    req = t->req;
    s = &t->sweep;

    if (req->result != LR_RETRY_OK) {
        ngx_live_record_oss_finish(t);
        return;
    }

    if (lr_xml_uploads(&list, (char *) t->answer.data, t->answer.len)
        == LR_OK)
    {
        rc = ngx_live_record_oss_sweep_take(s, &list);

    } else {
        rc = NGX_ERROR;
    }

    lr_xml_uploads_free(&list);

    if (rc == NGX_ERROR) {
        req->result = LR_RETRY_AGAIN;
        (void) snprintf(req->err, sizeof(req->err),
                        "LIST UPLOADS \"%s\": the answer is not a listing",
                        s->key);
        ngx_live_record_oss_finish(t);
        return;
    }

    if (rc == NGX_AGAIN) {
        ngx_live_record_oss_sweep_page(t);
        return;
    }

    if (s->ids.len == 0) {
        s->handler(t);
        return;
    }

    if (s->rounds++ == NGX_LIVE_RECORD_OSS_ROUNDS) {
        req->result = LR_RETRY_AGAIN;
        (void) snprintf(req->err, sizeof(req->err),
                        "LIST UPLOADS \"%s\": what was aborted is there "
                        "still", s->key);
        ngx_live_record_oss_finish(t);
        return;
    }

    ngx_live_record_oss_sweep_one(t);
}


static void
ngx_live_record_oss_sweep_one(ngx_live_record_oss_t *t)
{
    ngx_live_record_oss_sweep_t  *s;

    s = &t->sweep;

    if (!s->empty) {
        ngx_live_record_oss_sweep_drop(t);
        return;
    }

    ngx_live_record_oss_ask(t, "GET", "LIST PARTS", s->key,
                            ngx_live_record_oss_sweep_looked);

    ngx_live_record_oss_param(t, "uploadId", (char *) s->ids.data + s->next);
    ngx_live_record_oss_param(t, "max-parts", "1");

    ngx_live_record_oss_send(t);
}


static void
ngx_live_record_oss_sweep_looked(ngx_live_record_oss_t *t)
{
    size_t                      n;
    ngx_live_record_request_t  *req;

    req = t->req;

    if (req->result == LR_RETRY_GONE
        && ngx_live_record_oss_code(t, "NoSuchUpload"))
    {
        ngx_live_record_oss_sweep_next(t);
        return;
    }

    if (req->result != LR_RETRY_OK) {
        ngx_live_record_oss_finish(t);
        return;
    }

    if (lr_xml_parts(&n, (char *) t->answer.data, t->answer.len) != LR_OK) {
        req->result = LR_RETRY_AGAIN;
        (void) snprintf(req->err, sizeof(req->err),
                        "LIST PARTS \"%s\": the answer is not a listing",
                        t->sweep.key);
        ngx_live_record_oss_finish(t);
        return;
    }

    if (n) {
        ngx_live_record_oss_sweep_next(t);
        return;
    }

    ngx_live_record_oss_sweep_drop(t);
}


/* NGX_AGAIN: there is another page */

static ngx_int_t
ngx_live_record_oss_sweep_take(ngx_live_record_oss_sweep_t *s,
    lr_xml_uploads_t *list)
{
    size_t            i;
    ngx_uint_t        same;
    lr_xml_upload_t  *u;

    for (i = 0; i < list->n; i++) {
        u = &list->uploads[i];

        if (strcmp(u->key, s->key) != 0) {
            continue;
        }

        /* times of one form: their order is that of their texts */

        if (s->since
            && (u->initiated == NULL
                || strncmp(u->initiated, s->since, strlen(s->since)) < 0))
        {
            continue;
        }

        lr_buf_append(&s->ids, u->id, strlen(u->id) + 1);
    }

    if (s->ids.failed) {
        lr_buf_free(&s->ids);
        return NGX_ERROR;
    }

    if (!list->truncated) {
        return NGX_OK;
    }

    same = s->key_marker && strcmp(s->key_marker, list->next_key) == 0
           && s->id_marker && list->next_id
           && strcmp(s->id_marker, list->next_id) == 0;

    free(s->key_marker);
    s->key_marker = list->next_key;
    list->next_key = NULL;

    free(s->id_marker);
    s->id_marker = list->next_id;
    list->next_id = NULL;

    /* a listing that does not go on would be listed for ever */

    return same ? NGX_ERROR : NGX_AGAIN;
}


static void
ngx_live_record_oss_sweep_drop(ngx_live_record_oss_t *t)
{
    ngx_live_record_oss_drop(t, t->sweep.key,
                             (char *) t->sweep.ids.data + t->sweep.next,
                             ngx_live_record_oss_sweep_dropped);
}


static void
ngx_live_record_oss_sweep_dropped(ngx_live_record_oss_t *t)
{
    if (t->req->result != LR_RETRY_OK) {
        ngx_live_record_oss_finish(t);
        return;
    }

    t->sweep.dropped++;

    ngx_live_record_oss_sweep_next(t);
}


static void
ngx_live_record_oss_sweep_next(ngx_live_record_oss_t *t)
{
    ngx_live_record_oss_sweep_t  *s;

    s = &t->sweep;

    s->next += strlen((char *) s->ids.data + s->next) + 1;

    if (s->next < s->ids.len) {
        ngx_live_record_oss_sweep_one(t);

    } else if (s->dropped) {
        ngx_live_record_oss_sweep_list(t);

    } else {
        s->handler(t);
    }
}


void
ngx_live_record_oss_initiate(ngx_live_record_oss_t *t, const char *key,
    const char *type, ngx_live_record_oss_pt handler)
{
    ngx_live_record_oss_ask(t, "POST", "INITIATE", key, handler);

    ngx_live_record_oss_param(t, "uploads", NULL);
    ngx_live_record_oss_set_header(t, "Content-Type", type);
    ngx_live_record_oss_keep(t, NGX_LIVE_RECORD_OSS_KEEP_INITIATE);

    ngx_live_record_oss_mark(t);
    ngx_live_record_oss_object(t, t->req->op == NGX_LIVE_RECORD_BEGIN
                                  && t->req->work ? LR_OBJECT_WORK
                                                  : LR_OBJECT_INITIATE);

    /* sent twice, it would leave an upload that nobody knows of */

    t->fresh = 1;

    ngx_live_record_oss_send(t);
}


char *
ngx_live_record_oss_initiated(ngx_live_record_oss_t *t)
{
    char                       *id, *p;
    ngx_live_record_request_t  *req;

    req = t->req;

    if (req->result == LR_RETRY_GONE) {
        req->result = LR_RETRY_ADMIN;
    }

    if (req->result != LR_RETRY_OK) {
        return NULL;
    }

    if (lr_xml_initiate(&id, (char *) t->answer.data, t->answer.len)
        == LR_OK)
    {
        for (p = id; *p > ' ' && *p <= '~'; p++) { /* void */ }

        if (*p == '\0') {
            return id;
        }

        free(id);
    }

    req->result = LR_RETRY_AGAIN;
    (void) snprintf(req->err, sizeof(req->err),
                    "INITIATE \"%s\": the answer has no id of an upload",
                    t->key);

    return NULL;
}


void
ngx_live_record_oss_list_part(ngx_live_record_oss_t *t, uint32_t number,
    const char *etag)
{
    if (t->text.len == 0) {
        lr_buf_puts(&t->text, "<CompleteMultipartUpload>\n");
    }

    lr_buf_printf(&t->text, "<Part><PartNumber>%u</PartNumber>"
                  "<ETag>\"%s\"</ETag></Part>\n", (unsigned) number, etag);
}


void
ngx_live_record_oss_make(ngx_live_record_oss_t *t, const char *key,
    const char *upload, ngx_live_record_oss_pt handler)
{
    lr_buf_puts(&t->text, "</CompleteMultipartUpload>\n");

    ngx_live_record_oss_ask(t, "POST", "COMPLETE", key, handler);

    ngx_live_record_oss_param(t, "uploadId", upload);
    ngx_live_record_oss_set_header(t, "Content-Type", "application/xml");
    ngx_live_record_oss_keep(t, NGX_LIVE_RECORD_OSS_KEEP_COMPLETE);
    ngx_live_record_oss_object(t, LR_OBJECT_COMPLETE);

    ngx_live_record_oss_send(t);
}


ngx_uint_t
ngx_live_record_oss_made(ngx_live_record_oss_t *t, uint64_t crc)
{
    char  *etag;

    if (!t->has_crc || t->answer_crc != crc
        || lr_xml_complete(&etag, (char *) t->answer.data, t->answer.len)
           != LR_OK)
    {
        (void) snprintf(t->req->err, sizeof(t->req->err),
                        "COMPLETE \"%s\": the answer does not tell of the "
                        "object that was sent", t->key);
        return 0;
    }

    free(etag);

    return 1;
}


void
ngx_live_record_oss_drop(ngx_live_record_oss_t *t, const char *key,
    const char *upload, ngx_live_record_oss_pt handler)
{
    ngx_live_record_oss_ask(t, "DELETE", "ABORT", key, handler);

    ngx_live_record_oss_param(t, "uploadId", upload);

    ngx_live_record_oss_send(t);
}
