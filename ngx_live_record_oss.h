
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What the files of the buckets of type oss and s3 share.  A request of the
 * caller becomes one or more questions to the store, one after another.
 * Each is described with _ask(), _param() and _set_header(), begun with
 * _send(), and has a handler, which finds req->result and req->err set and
 * either begins the next one or ends it all with _finish() or _fail().
 *
 * Both kinds of stores are asked the same questions.  The names of headers,
 * the signature and what proves that an object is there are those of a
 * dialect.
 */


#ifndef _NGX_LIVE_RECORD_OSS_H_INCLUDED_
#define _NGX_LIVE_RECORD_OSS_H_INCLUDED_


#include "lr_crc64.h"
#include "lr_etag.h"
#include "lr_sign.h"
#include "lr_xml.h"
#include "ngx_live_record_bucket.h"
#include "ngx_live_record_cred.h"
#include "ngx_live_record_curl.h"


#define NGX_LIVE_RECORD_OSS_PARAMS   6
#define NGX_LIVE_RECORD_OSS_HEADERS  (LR_OBJECT_HEADERS + 6)

/* the questions that may forbid to overwrite */
#define NGX_LIVE_RECORD_OSS_KEEP_PUT       0x1
#define NGX_LIVE_RECORD_OSS_KEEP_INITIATE  0x2
#define NGX_LIVE_RECORD_OSS_KEEP_COMPLETE  0x4
#define NGX_LIVE_RECORD_OSS_KEEP_COPY      0x8


typedef struct ngx_live_record_oss_s  ngx_live_record_oss_t;

typedef void (*ngx_live_record_oss_pt)(ngx_live_record_oss_t *t);


/* what the sum that an answer tells is compared with */

typedef enum {
    NGX_LIVE_RECORD_OSS_NO_SUM = 0,
    NGX_LIVE_RECORD_OSS_SENT,           /* the body; it must not be missing */
    NGX_LIVE_RECORD_OSS_GOT             /* the answer's own bytes */
} ngx_live_record_oss_sum_e;


/* a question after an object that may be the one that is wanted */

typedef struct {
    uint64_t                      size;
    uint64_t                      crc;
    lr_retry_e                    other;      /* result if it is another */
    lr_retry_e                    none;       /* result if there is none */
    ngx_live_record_oss_pt        same;
    char                          err[512];   /* why it is asked for */
} ngx_live_record_oss_look_t;


/* uploads of a key that nobody goes on with */

typedef struct {
    const char                   *key;
    const char                   *since;      /* as in XML, or NULL: all */
    ngx_live_record_oss_pt        handler;    /* there are none any more */
    ngx_uint_t                    rounds;
    ngx_uint_t                    dropped;    /* in this round */
    ngx_uint_t                    empty;      /* only those without parts */
    lr_buf_t                      ids;        /* "id\0" ... */
    size_t                        next;       /* in ids */
    char                         *key_marker;
    char                         *id_marker;
} ngx_live_record_oss_sweep_t;


/* a copy, perhaps in parts */

typedef struct {
    lr_buf_t                      source;     /* "/bucket/key", encoded */
    char                          mark[sizeof("18446744073709551615")];
    char                          type[128];
    char                          since[sizeof("1970-01-01T00:00:00")];
    char                         *upload;
    uint64_t                      part;       /* bytes of all but the last */
    uint64_t                      done;
    uint32_t                      number;
    unsigned                      parts:1;    /* whatever its size */
    lr_retry_e                    result;     /* after it was given up */
    char                          err[512];
} ngx_live_record_oss_copy_t;


/* what differs between the stores */

typedef struct {
    lr_object_store_e             store;
    const char                   *sum;        /* its name, for the log */
    lr_header_t                   keep;       /* forbids to overwrite */
    ngx_uint_t                    keeps;      /* where the store heeds it */
    const char                   *id;         /* whose object it is */
    const char                   *copy_source;
    const char                   *copy_range;
    uint64_t                      copy_max;   /* by one request, for sure */
    uint64_t                      copy_part;  /* at least */

    /* what was completed or copied is told of by a HEAD alone */
    unsigned                      mute:1;

    ngx_int_t                   (*sign)(ngx_live_record_oss_t *t,
                                        lr_sign_t *sign,
                                        lr_sign_cache_t *cache);

    /* in a thread: before the body is sent, and of each piece of it */
    int                         (*prepare)(ngx_live_record_oss_t *t);
    void                        (*piece)(ngx_live_record_oss_t *t);

    /* in a thread: reads a page of a listing */
    int                         (*list)(lr_xml_list_t *l, const char *p,
                                        size_t n);

    /* a header of an answer; the rest of those is common */
    void                        (*header)(ngx_live_record_oss_t *t,
                                          const char *p, size_t n);

    /* bytes of an object that is read; may be NULL */
    void                        (*got)(ngx_live_record_oss_t *t,
                                       const char *p, size_t n);

    /* the answer's sum with the one that is expected, by t->sum */
    lr_net_e                    (*compare)(ngx_live_record_oss_t *t);

    /* whether a HEAD tells of this object; whether it told a sum at all */
    ngx_uint_t                  (*same)(ngx_live_record_oss_t *t,
                                        uint64_t size, uint64_t crc);
    ngx_uint_t                  (*tells)(ngx_live_record_oss_t *t);

    /* headers of a question after what was sent; or NULL */
    void                        (*look)(ngx_live_record_oss_t *t);

    /* the sum of an object in parts from those of its parts; or NULL */
    void                        (*parts)(ngx_live_record_oss_t *t);

    /* headers of what makes an object, so that it can be told; or NULL */
    void                        (*mark)(ngx_live_record_oss_t *t);
    void                        (*mark_copy)(ngx_live_record_oss_t *t);
} ngx_live_record_oss_dialect_t;


struct ngx_live_record_oss_s {
    ngx_live_record_request_t            *req;
    const ngx_live_record_oss_dialect_t  *dialect;
    ngx_live_record_oss_pt                handler;
    ngx_live_record_cred_wait_t           wait;

    /* the question */

    const char                   *method;
    const char                   *what;       /* for the log */
    const char                   *key;        /* NULL: the bucket itself */
    lr_param_t                    params[NGX_LIVE_RECORD_OSS_PARAMS];
    size_t                        nparams;
    lr_header_t                   asked[NGX_LIVE_RECORD_OSS_HEADERS];
    size_t                        nasked;
    lr_buf_t                      text;       /* sent with a POST */
    ngx_live_record_oss_sum_e     sum;
    unsigned                      send:1;     /* the request's body */
    unsigned                      fresh:1;    /* never sent twice */
    unsigned                      digests:1;  /* what is sent has an MD5 */

    CURL                         *easy;
    ngx_live_record_curl_t        curl;
    struct curl_slist            *headers;
    lr_buf_t                      url;
    lr_signed_t                   sig;
    char                          curl_err[CURL_ERROR_SIZE];

    /* of the thread */

    int                           rc;
    ngx_err_t                     errnum;

    /* the piece that is being sent */

    u_char                       *piece;
    size_t                        len;
    size_t                        pos;
    uint64_t                      crc;        /* of all pieces so far */
    lr_md5_t                      md5;        /* S3: the same */
    ngx_uint_t                    end;        /* it is the last */

    /* of the event loop, in a word that no thread writes to */

    unsigned                      thread:1;
    unsigned                      paused:1;
    unsigned                      started:1;  /* in libcurl's loop */

    /* of "limit_rate" */

    ngx_queue_t                   limited;    /* it waits for its turn */
    size_t                        turn;       /* what is left of that */

    /* S3: what is sent, and what its ETag should be */

    char                          payload[2 * 32 + 1];  /* its SHA-256 */
    char                          digest[24 + 1];       /* its MD5 */
    u_char                        want[LR_ETAG_SUM];
    ngx_uint_t                    want_parts; /* 0: put at once */
    ngx_uint_t                    wanted;     /* it is known */
    uint64_t                      nvme;       /* its CRC-64/NVME instead */

    /* the answer */

    long                          status;
    lr_buf_t                      answer;
    char                          code[64];   /* of an error, or empty */
    char                          etag[128];  /* without quotes, or empty */
    char                          type[128];
    char                          encryption[32];
    char                          tag[64];    /* whose object it is */
    uint64_t                      answer_crc;
    uint64_t                      answer_nvme;
    uint64_t                      length;
    time_t                        date;
    time_t                        modified;
    int64_t                       skew;       /* it was signed with */
    ngx_uint_t                    serial;     /* of the key, too */
    char                          region[64]; /* it was signed for */
    unsigned                      whole:1;    /* its headers */
    unsigned                      has_crc:1;
    unsigned                      has_nvme:1;
    unsigned                      has_length:1;
    unsigned                      unsure:1;   /* it tells no sum */
    unsigned                      late:1;     /* it did not come in time */

    /* between the questions */

    char                         *token;      /* of a long listing */
    ngx_live_record_oss_look_t    look;
    ngx_live_record_oss_sweep_t   sweep;
    ngx_live_record_oss_copy_t    copy;
    ngx_live_record_oss_pt        vacant;
    ngx_live_record_oss_pt        missing;
};


typedef struct {
    lr_sign_cache_t               cache;
} ngx_live_record_oss_client_t;


/* ngx_live_record_oss.c */

/* ends the request as it is, or with another result; t is freed */
void ngx_live_record_oss_finish(ngx_live_record_oss_t *t);
void ngx_live_record_oss_fail(ngx_live_record_oss_t *t, lr_retry_e result,
    const char *text);

/* ends the request with a string for the caller in req->answer */
void ngx_live_record_oss_give(ngx_live_record_oss_t *t, const char *s);

/*
 * If nothing may be overwritten and the question that follows cannot forbid
 * it, asks whether there is an object under the key.  Then calls the handler
 * with req->result LR_RETRY_OK or LR_RETRY_EXISTS; what fails ends the
 * request.
 */
void ngx_live_record_oss_vacant(ngx_live_record_oss_t *t, ngx_uint_t what,
    const char *key, ngx_live_record_oss_pt handler);

/* lets the question forbid to overwrite, if it has to and can */
void ngx_live_record_oss_keep(ngx_live_record_oss_t *t, ngx_uint_t what);

/* headers that tell whose object it is, and what it should be like */
void ngx_live_record_oss_mark(ngx_live_record_oss_t *t);
void ngx_live_record_oss_object(ngx_live_record_oss_t *t, lr_object_op_e op);

/* the question sends the request's body */
void ngx_live_record_oss_body(ngx_live_record_oss_t *t);

/*
 * Asks whether an object of this size and sum lies under the key, and
 * goes on with "same" if so, with req->result LR_RETRY_OK.  If it is another
 * one or there is none, the request ends with the results named.  Before it
 * is called, req->err is to say why: it is what remains if there is none.
 */
void ngx_live_record_oss_look(ngx_live_record_oss_t *t, const char *key,
    uint64_t size, uint64_t crc, lr_retry_e other, lr_retry_e none,
    ngx_live_record_oss_pt same);

/*
 * A HEAD was answered with 404, which whoever answers for a store that is
 * away may do as well.  Before something is lost by it, the object is asked
 * for once more in a way that the store tells a reason for.  Calls the handler
 * if the store itself says that there is none; else the request ends.
 */
void ngx_live_record_oss_missing(ngx_live_record_oss_t *t, const char *key,
    ngx_live_record_oss_pt handler);

/* ends the request: a HEAD has told of another object than that expected */
void ngx_live_record_oss_other(ngx_live_record_oss_t *t, lr_retry_e result,
    uint64_t size, uint64_t crc);


/* ngx_live_record_oss_body.c: what a thread does */

/* opens the body; the handler may ask then */
void ngx_live_record_oss_open(ngx_live_record_oss_t *t,
    ngx_live_record_oss_pt handler);

/* gets the next piece while libcurl waits */
ngx_int_t ngx_live_record_oss_next(ngx_live_record_oss_t *t);

/* sums up what was not sent; the sums are those of the whole body then */
void ngx_live_record_oss_sum(ngx_live_record_oss_t *t,
    ngx_live_record_oss_pt handler);

/*
 * Appends what a page of a listing tells to the request's answer; token is
 * that of the next page then, or NULL.  A bad page ends the request.
 */
void ngx_live_record_oss_read_list(ngx_live_record_oss_t *t,
    ngx_live_record_oss_pt handler);


/* ngx_live_record_oss_transfer.c: one question and its answer */

void ngx_live_record_oss_ask(ngx_live_record_oss_t *t, const char *method,
    const char *what, const char *key, ngx_live_record_oss_pt handler);

/* what is given has to stay until _send() */
void ngx_live_record_oss_param(ngx_live_record_oss_t *t, const char *name,
    const char *value);
void ngx_live_record_oss_set_header(ngx_live_record_oss_t *t,
    const char *name, const char *value);

void ngx_live_record_oss_send(ngx_live_record_oss_t *t);

/* whether the line of n bytes is the header of that name, and its value */
ngx_uint_t ngx_live_record_oss_is(const char *p, size_t n, const char *name,
    const char **value, size_t *len);

/* takes over a header's value, cut to the buffer's size */
void ngx_live_record_oss_text(char *buf, size_t size, const char *value,
    size_t len);

/* forgets the last question and its answer, but for t->text */
void ngx_live_record_oss_clear(ngx_live_record_oss_t *t);


/* ngx_live_record_oss_answer.c */

/* sets req->result, req->err and t->code from what has come */
void ngx_live_record_oss_sort(ngx_live_record_oss_t *t, CURLcode rc);

/* whether the store has refused with this code */
ngx_uint_t ngx_live_record_oss_code(ngx_live_record_oss_t *t,
    const char *code);


/* ngx_live_record_oss_parts.c */

void ngx_live_record_oss_begin(ngx_live_record_oss_t *t);
void ngx_live_record_oss_part(ngx_live_record_oss_t *t);
void ngx_live_record_oss_complete(ngx_live_record_oss_t *t);
void ngx_live_record_oss_abort(ngx_live_record_oss_t *t);

/*
 * Aborts the uploads of a key that were begun at a time or later, or all
 * if it is NULL, until the store lists none; then calls the handler.  What
 * fails ends the request.
 */
void ngx_live_record_oss_sweep(ngx_live_record_oss_t *t, const char *key,
    const char *since, ngx_live_record_oss_pt handler);

/*
 * Begins an upload.  In the handler, _initiated() takes the id out of the
 * answer, or sets req->result; the id is the caller's to free.
 */
void ngx_live_record_oss_initiate(ngx_live_record_oss_t *t,
    const char *key, const char *type, ngx_live_record_oss_pt handler);
char *ngx_live_record_oss_initiated(ngx_live_record_oss_t *t);

/* adds a part to the list in t->text, which _make() sends and frees */
void ngx_live_record_oss_list_part(ngx_live_record_oss_t *t,
    uint32_t number, const char *etag);
void ngx_live_record_oss_make(ngx_live_record_oss_t *t, const char *key,
    const char *upload, ngx_live_record_oss_pt handler);

/* whether the answer itself proves that the object was made */
ngx_uint_t ngx_live_record_oss_made(ngx_live_record_oss_t *t,
    uint64_t crc);

/* aborts an upload; one that is not there any more is success */
void ngx_live_record_oss_drop(ngx_live_record_oss_t *t, const char *key,
    const char *upload, ngx_live_record_oss_pt handler);


/* ngx_live_record_oss_move.c */

void ngx_live_record_oss_move(ngx_live_record_oss_t *t);

/* whether the object that is asked about is made by copying another one */
ngx_uint_t ngx_live_record_oss_is_copy(ngx_live_record_oss_t *t);


/* ngx_live_record_oss_dialect.c */

extern const ngx_live_record_oss_dialect_t  ngx_live_record_oss_dialect;


/* ngx_live_record_s3.c */

extern const ngx_live_record_oss_dialect_t  ngx_live_record_s3_dialect;


#endif /* _NGX_LIVE_RECORD_OSS_H_INCLUDED_ */
