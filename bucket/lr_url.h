
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Names in a store and the addresses made of them: endpoints, buckets,
 * keys, percent-encoding (RFC 3986), relative references.
 */


#ifndef _LR_URL_H_INCLUDED_
#define _LR_URL_H_INCLUDED_


#include "lr_core.h"


#define LR_URL_MAX_BUCKET   63


/* a parameter of a query, raw; a NULL or empty value gives the bare name */

typedef struct {
    const char *name;
    const char *value;
} lr_param_t;


typedef enum {
    LR_URL_AUTO = 0,          /* as lr_url_style() says */
    LR_URL_PATH,              /* https://endpoint/bucket/key */
    LR_URL_VHOST,             /* https://bucket.endpoint/key */
    LR_URL_CNAME              /* https://endpoint/key: a bucket's own name */
} lr_url_style_e;


/* what is in an endpoint; host and port are parts of the caller's text */

typedef struct {
    lr_str_t    host;         /* with the brackets of an IPv6 address */
    lr_str_t    port;         /* empty if not given */
    unsigned    https:1;
    unsigned    ip:1;
    unsigned    dotless:1;
} lr_url_endpoint_t;


/*
 * Reads "[http[s]://]host[:port][/]"; https is the default.  The text has
 * to outlive ep.  On LR_ERROR *err is a constant that says why.
 */
int lr_url_endpoint(lr_url_endpoint_t *ep, const char *s, const char **err);

/*
 * Resolves LR_URL_AUTO: path style for an IP address and for a name
 * without a dot, else virtual host.
 */
lr_url_style_e lr_url_style(const lr_url_endpoint_t *ep,
    lr_url_style_e style);

/* 3-63 of a-z, 0-9 and "-", which may not begin or end it */
int lr_url_check_bucket(const char *s, const char **err);

/*
 * Appends the URL of a request and a zero byte that is not counted.  key
 * and bucket may be NULL for a request of the bucket or of the service.
 * A client has to send the path as it is (CURLOPT_PATH_AS_IS).  LR_ERROR
 * if an IP address is asked to carry a virtual host, or without memory.
 */
int lr_url_build(lr_buf_t *b, const lr_url_endpoint_t *ep,
    lr_url_style_e style, const char *bucket, const char *key,
    const lr_param_t *query, size_t n);

/*
 * Appends what a Host header says of that URL: in lower case, without the
 * port that the scheme implies (RFC 9110, 7.2).  No zero byte.
 */
void lr_url_authority(lr_buf_t *b, const lr_url_endpoint_t *ep,
    lr_url_style_e style, const char *bucket);

/* appends the encoded path of that URL, from the "/" on; no zero byte */
void lr_url_path(lr_buf_t *b, const lr_url_endpoint_t *ep,
    lr_url_style_e style, const char *bucket, const char *key);

/* appends the n bytes with all but unreserved characters encoded */
void lr_url_encode(lr_buf_t *b, const char *p, size_t n);

/* the same, but "/" is kept */
void lr_url_encode_path(lr_buf_t *b, const char *p, size_t n);

/* appends the n bytes decoded, "+" as a space; LR_ERROR for a bad "%" */
int lr_url_decode_query(lr_buf_t *b, const char *p, size_t n);

/*
 * Whether the n bytes are UTF-8: no overlong forms, no surrogates, up to
 * U+10FFFF (RFC 3629).
 */
int lr_url_utf8(const char *s, size_t n);

/*
 * Appends the relative reference that leads from one key of a bucket to
 * another, e.g. "../b/c.ts", and a zero byte that is not counted.
 */
void lr_url_relative(lr_buf_t *b, const char *from, const char *to);


#endif /* _LR_URL_H_INCLUDED_ */
