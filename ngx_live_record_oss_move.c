
/*
 * Copyright (C) the ngx_live_record authors
 *
 * An object gets another key: the store copies it, the copy is compared,
 * and only then the object goes away under its old key.  Done again after
 * a crash, or after an answer that was lost, it ends in the same state.
 *
 * An object that the store does not copy at once is copied in parts, by an
 * upload of its own.  If a worker dies at that, the upload is left behind,
 * and no journal knows it; so those are looked for before each copy in
 * parts.  The new key is not ours alone: an upload of it that somebody else
 * has begun must not be aborted.  But one for this very move cannot have
 * begun before the object was there that is to be moved, so those are taken
 * for ours that the store lists as begun at or after its Last-Modified.
 * Both times are of the store's clock.  Another recorder that meant to use
 * the name in that time finds its upload gone, and begins again.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_live_record_oss.h"


/* a part is an eighth, so that no answer takes long, but not too large */
#define NGX_LIVE_RECORD_OSS_COPY_N      8
#define NGX_LIVE_RECORD_OSS_COPY_LARGE  ((uint64_t) 1 << 29)


static void ngx_live_record_oss_move_copy(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_move_copied(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_move_check(ngx_live_record_oss_t *t);
static ngx_uint_t ngx_live_record_oss_move_too_large(
    ngx_live_record_oss_t *t);
static void ngx_live_record_oss_move_denied(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_move_delete(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_move_deleted(ngx_live_record_oss_t *t);
static ngx_uint_t ngx_live_record_oss_move_kept(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_move_done(ngx_live_record_oss_t *t);

static void ngx_live_record_oss_move_parts(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_move_source(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_move_found(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_move_gone(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_move_vacant(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_move_swept(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_move_initiated(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_move_part(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_move_part_done(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_move_made(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_move_give_up(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_move_given_up(ngx_live_record_oss_t *t);


void
ngx_live_record_oss_move(ngx_live_record_oss_t *t)
{
    lr_buf_t                   *b;
    const char                 *bucket;
    ngx_live_record_request_t  *req;

    req = t->req;
    b = &t->copy.source;
    bucket = (char *) req->bucket->bucket.data;

    lr_buf_printf(b, "/%s/", bucket);
    lr_url_encode_path(b, req->key, strlen(req->key));
    lr_buf_append(b, "", 1);

    if (b->failed) {
        ngx_live_record_oss_fail(t, LR_RETRY_AGAIN, "no memory");
        return;
    }

    (void) snprintf(t->copy.mark, sizeof(t->copy.mark), "%llu",
                    (unsigned long long) req->crc);

    if (req->size > t->dialect->copy_max) {
        ngx_live_record_oss_move_parts(t);

    } else if (t->dialect->mute) {
        ngx_live_record_oss_move_source(t);

    } else {
        ngx_live_record_oss_move_copy(t);
    }
}


static void
ngx_live_record_oss_move_copy(ngx_live_record_oss_t *t)
{
    ngx_live_record_oss_ask(t, "PUT", "COPY", t->req->to,
                            ngx_live_record_oss_move_copied);

    ngx_live_record_oss_set_header(t, t->dialect->copy_source,
                                   (char *) t->copy.source.data);
    ngx_live_record_oss_keep(t, NGX_LIVE_RECORD_OSS_KEEP_COPY);

    if (t->dialect->mark_copy) {
        t->dialect->mark_copy(t);
    }

    ngx_live_record_oss_object(t, LR_OBJECT_COPY);

    ngx_live_record_oss_send(t);
}


static void
ngx_live_record_oss_move_copied(ngx_live_record_oss_t *t)
{
    ngx_live_record_request_t  *req;

    req = t->req;

    switch (req->result) {

    case LR_RETRY_OK:

        if (t->dialect->mute) {
            ngx_live_record_oss_move_check(t);
            return;
        }

        if (t->has_crc && t->answer_crc == req->crc) {
            ngx_live_record_oss_move_delete(t);
            return;
        }

        /* wrong here, or before: then no copy can be right */

        ngx_live_record_oss_look(t, req->key, req->size, req->crc,
                                 LR_RETRY_GONE, LR_RETRY_AGAIN,
                                 ngx_live_record_oss_move_check);
        return;

    case LR_RETRY_GONE:
        ngx_live_record_oss_move_gone(t);
        return;

    case LR_RETRY_EXISTS:
        ngx_live_record_oss_look(t, req->to, req->size, req->crc,
                                 LR_RETRY_EXISTS, LR_RETRY_AGAIN,
                                 ngx_live_record_oss_move_delete);
        return;

    case LR_RETRY_AGAIN:
    case LR_RETRY_ADMIN:

        if (ngx_live_record_oss_move_too_large(t)) {
            ngx_live_record_oss_move_parts(t);
            return;
        }

        ngx_live_record_oss_move_denied(t);

        /* fall through */

    default:
        ngx_live_record_oss_finish(t);
    }
}


ngx_uint_t
ngx_live_record_oss_is_copy(ngx_live_record_oss_t *t)
{
    return t->req->op == NGX_LIVE_RECORD_MOVE
           && strcmp(t->key, t->req->to) == 0;
}


/* whether what was copied is right */

static void
ngx_live_record_oss_move_check(ngx_live_record_oss_t *t)
{
    ngx_live_record_request_t  *req;

    req = t->req;

    ngx_live_record_oss_look(t, req->to, req->size, req->crc,
                             req->keep ? LR_RETRY_EXISTS : LR_RETRY_AGAIN,
                             LR_RETRY_AGAIN,
                             ngx_live_record_oss_move_delete);
}


/*
 * A store may copy less at once than it is known to, or be at it for longer
 * than it is waited for, each time again.
 */

static ngx_uint_t
ngx_live_record_oss_move_too_large(ngx_live_record_oss_t *t)
{
    if (t->late) {
        return t->req->size > t->dialect->copy_part;
    }

    return t->status == 400
           && (ngx_live_record_oss_code(t, "EntityTooLarge")
               || ngx_live_record_oss_code(t, "InvalidArgument")
               || ngx_live_record_oss_code(t, "InvalidRequest"));
}


static void
ngx_live_record_oss_move_denied(ngx_live_record_oss_t *t)
{
    char                        err[512];
    ngx_live_record_request_t  *req;

    req = t->req;

    if (t->status != 403 || !ngx_live_record_oss_code(t, "AccessDenied")) {
        return;
    }

    req->denied = 1;

    ngx_memcpy(err, req->err, sizeof(err));

    (void) snprintf(req->err, sizeof(req->err),
                    "the copy is not allowed: %s", err);
}


static void
ngx_live_record_oss_move_delete(ngx_live_record_oss_t *t)
{
    ngx_live_record_oss_ask(t, "DELETE", "DELETE", t->req->key,
                            ngx_live_record_oss_move_deleted);

    ngx_live_record_oss_send(t);
}


static void
ngx_live_record_oss_move_deleted(ngx_live_record_oss_t *t)
{
    ngx_live_record_request_t  *req;

    req = t->req;

    if (req->result == LR_RETRY_ADMIN && ngx_live_record_oss_move_kept(t)) {
        req->result = LR_RETRY_OK;
        req->left = 1;
    }

    if (req->result != LR_RETRY_OK) {
        ngx_live_record_oss_finish(t);
        return;
    }

    ngx_live_record_oss_move_done(t);
}


/* refused for this object, and not for the key that it was signed with */

static ngx_uint_t
ngx_live_record_oss_move_kept(ngx_live_record_oss_t *t)
{
    return (t->status == 403 || t->status == 409)
           && t->code[0]
           && !ngx_live_record_oss_code(t, "InvalidAccessKeyId")
           && !ngx_live_record_oss_code(t, "SignatureDoesNotMatch")
           && !ngx_live_record_oss_code(t, "UserDisable");
}


static void
ngx_live_record_oss_move_done(ngx_live_record_oss_t *t)
{
    t->req->bytes = t->req->size;

    ngx_live_record_oss_finish(t);
}


static void
ngx_live_record_oss_move_parts(ngx_live_record_oss_t *t)
{
    t->copy.parts = 1;

    ngx_live_record_oss_move_source(t);
}


static void
ngx_live_record_oss_move_source(ngx_live_record_oss_t *t)
{
    ngx_live_record_oss_ask(t, "HEAD", "HEAD", t->req->key,
                            ngx_live_record_oss_move_found);

    ngx_live_record_oss_send(t);
}


static void
ngx_live_record_oss_move_found(ngx_live_record_oss_t *t)
{
    struct tm                    tm;
    ngx_live_record_request_t   *req;
    ngx_live_record_oss_copy_t  *c;

    req = t->req;
    c = &t->copy;

    if (req->result == LR_RETRY_GONE) {
        ngx_live_record_oss_missing(t, req->key,
                                    ngx_live_record_oss_move_gone);
        return;
    }

    if (req->result != LR_RETRY_OK) {
        ngx_live_record_oss_finish(t);
        return;
    }

    if (!t->dialect->same(t, req->size, req->crc)) {
        ngx_live_record_oss_other(t, LR_RETRY_GONE, req->size, req->crc);
        return;
    }

    ngx_memcpy(c->type, t->type, sizeof(c->type));

    if (c->type[0] == '\0') {
        (void) strcpy(c->type, "application/octet-stream");
    }

    if (t->modified <= 0 || gmtime_r(&t->modified, &tm) == NULL
        || strftime(c->since, sizeof(c->since), "%Y-%m-%dT%H:%M:%S", &tm)
           == 0)
    {
        req->result = LR_RETRY_AGAIN;
        (void) snprintf(req->err, sizeof(req->err),
                        "HEAD \"%s\": the answer has no Last-Modified",
                        req->key);
        ngx_live_record_oss_finish(t);
        return;
    }

    ngx_live_record_oss_vacant(t, NGX_LIVE_RECORD_OSS_KEEP_COPY, req->to,
                               ngx_live_record_oss_move_vacant);
}


/* perhaps moved by a try whose answer was lost */

static void
ngx_live_record_oss_move_gone(ngx_live_record_oss_t *t)
{
    ngx_live_record_request_t  *req;

    req = t->req;

    ngx_live_record_oss_look(t, req->to, req->size, req->crc, LR_RETRY_GONE,
                             LR_RETRY_GONE, ngx_live_record_oss_move_done);
}


static void
ngx_live_record_oss_move_vacant(ngx_live_record_oss_t *t)
{
    ngx_live_record_request_t  *req;

    req = t->req;

    if (req->result == LR_RETRY_EXISTS) {
        ngx_live_record_oss_look(t, req->to, req->size, req->crc,
                                 LR_RETRY_EXISTS, LR_RETRY_AGAIN,
                                 ngx_live_record_oss_move_delete);
        return;
    }

    if (!t->copy.parts) {
        ngx_live_record_oss_move_copy(t);
        return;
    }

    ngx_live_record_oss_sweep(t, req->to, t->copy.since,
                              ngx_live_record_oss_move_swept);
}


static void
ngx_live_record_oss_move_swept(ngx_live_record_oss_t *t)
{
    ngx_live_record_oss_initiate(t, t->req->to, t->copy.type,
                                 ngx_live_record_oss_move_initiated);
}


static void
ngx_live_record_oss_move_initiated(ngx_live_record_oss_t *t)
{
    uint64_t                     part;
    ngx_live_record_request_t   *req;
    ngx_live_record_oss_copy_t  *c;

    req = t->req;
    c = &t->copy;

    c->upload = ngx_live_record_oss_initiated(t);

    if (c->upload == NULL) {

        if (req->result == LR_RETRY_EXISTS) {
            ngx_live_record_oss_look(t, req->to, req->size, req->crc,
                                     LR_RETRY_EXISTS, LR_RETRY_AGAIN,
                                     ngx_live_record_oss_move_delete);
            return;
        }

        ngx_live_record_oss_move_denied(t);
        ngx_live_record_oss_finish(t);
        return;
    }

    part = req->size / NGX_LIVE_RECORD_OSS_COPY_N + 1;
    part = ngx_max(part, t->dialect->copy_part);

    c->part = ngx_min(part, NGX_LIVE_RECORD_OSS_COPY_LARGE);

    ngx_live_record_oss_move_part(t);
}


static void
ngx_live_record_oss_move_part(ngx_live_record_oss_t *t)
{
    char                         number[sizeof("4294967295")], range[64];
    uint64_t                     end;
    ngx_live_record_request_t   *req;
    ngx_live_record_oss_copy_t  *c;

    req = t->req;
    c = &t->copy;

    if (c->done == req->size) {
        ngx_live_record_oss_make(t, req->to, c->upload,
                                 ngx_live_record_oss_move_made);
        return;
    }

    end = ngx_min(c->done + c->part, req->size);
    c->number++;

    (void) snprintf(number, sizeof(number), "%u", (unsigned) c->number);
    (void) snprintf(range, sizeof(range), "bytes=%llu-%llu",
                    (unsigned long long) c->done,
                    (unsigned long long) end - 1);

    ngx_live_record_oss_ask(t, "PUT", "COPY", req->to,
                            ngx_live_record_oss_move_part_done);

    ngx_live_record_oss_param(t, "partNumber", number);
    ngx_live_record_oss_param(t, "uploadId", c->upload);

    ngx_live_record_oss_set_header(t, t->dialect->copy_source,
                                   (char *) c->source.data);
    ngx_live_record_oss_set_header(t, t->dialect->copy_range, range);

    ngx_live_record_oss_send(t);
}


static void
ngx_live_record_oss_move_part_done(ngx_live_record_oss_t *t)
{
    char                        *etag;
    ngx_live_record_request_t   *req;
    ngx_live_record_oss_copy_t  *c;

    req = t->req;
    c = &t->copy;

    if (req->result != LR_RETRY_OK) {
        ngx_live_record_oss_move_denied(t);
        ngx_live_record_oss_move_give_up(t);
        return;
    }

    if (lr_xml_copy_part(&etag, (char *) t->answer.data, t->answer.len)
        != LR_OK)
    {
        req->result = LR_RETRY_AGAIN;
        (void) snprintf(req->err, sizeof(req->err),
                        "COPY \"%s\": the answer has no ETag", t->key);
        ngx_live_record_oss_move_give_up(t);
        return;
    }

    ngx_live_record_oss_list_part(t, c->number, etag);

    free(etag);

    c->done = ngx_min(c->done + c->part, req->size);

    ngx_live_record_oss_move_part(t);
}


static void
ngx_live_record_oss_move_made(ngx_live_record_oss_t *t)
{
    if (t->req->result != LR_RETRY_OK) {
        ngx_live_record_oss_move_give_up(t);
        return;
    }

    if (ngx_live_record_oss_made(t, t->req->crc)) {
        ngx_live_record_oss_move_delete(t);
        return;
    }

    ngx_live_record_oss_move_check(t);
}


/* if this fails as well, the next try aborts what is left */

static void
ngx_live_record_oss_move_give_up(ngx_live_record_oss_t *t)
{
    ngx_live_record_oss_copy_t  *c;

    c = &t->copy;

    /* what is gone is the upload, or the next try sees to it */

    c->result = t->req->result == LR_RETRY_GONE ? LR_RETRY_AGAIN
                                                : t->req->result;
    ngx_memcpy(c->err, t->req->err, sizeof(c->err));

    ngx_live_record_oss_drop(t, t->req->to, c->upload,
                             ngx_live_record_oss_move_given_up);
}


static void
ngx_live_record_oss_move_given_up(ngx_live_record_oss_t *t)
{
    ngx_live_record_request_t  *req;

    req = t->req;

    req->result = t->copy.result;
    ngx_memcpy(req->err, t->copy.err, sizeof(req->err));

    if (req->result == LR_RETRY_EXISTS) {
        ngx_live_record_oss_look(t, req->to, req->size, req->crc,
                                 LR_RETRY_EXISTS, LR_RETRY_AGAIN,
                                 ngx_live_record_oss_move_delete);
        return;
    }

    ngx_live_record_oss_finish(t);
}
