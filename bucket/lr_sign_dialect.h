
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What the dialects of signatures are made of; only for lr_sign_*.c.
 */


#ifndef _LR_SIGN_DIALECT_H_INCLUDED_
#define _LR_SIGN_DIALECT_H_INCLUDED_


#include "lr_sign.h"


#define LR_SIGN_STAMP     17      /* "20231216T162057Z" and zero */
#define LR_SIGN_SHA256    32

#define LR_SIGN_UNSIGNED  "UNSIGNED-PAYLOAD"


/* a name and a value on their way into a canonical form */

typedef struct {
    lr_str_t           name;
    lr_str_t           value;
} lr_sign_pair_t;


/* which headers are signed */

typedef struct {
    const char        *prefix;        /* of the names of the store's own */
    const char *const *names;         /* others, up to NULL */
    unsigned           additional:1;  /* and those of the request's list */
    unsigned           squeeze:1;     /* blanks in a value count as one */
} lr_sign_rule_t;


/* what tells the dialects of the signature with a chain of keys apart */

typedef struct {
    const char        *algorithm;
    const char        *prefix;        /* before the secret */
    const char        *service;
    const char        *terminator;
    const char        *separator;     /* in the Authorization header */
    const char        *list;          /* there: what names headers */
    lr_sign_rule_t     rule;
} lr_sign_dialect_t;


/* a signature with a chain of keys on its way; begins zeroed */

typedef struct {
    char               stamp[LR_SIGN_STAMP];
    lr_header_t        own[4];        /* headers that signing makes */
    size_t             nown;
    lr_buf_t           names;         /* for the list, may be empty */
    lr_buf_t           canonical;     /* the request's form to be signed */
} lr_sign_v4_t;


/*
 * Ends such a signature: out gets Authorization and own, v is freed.  rc is
 * the result up to here: if it is no LR_OK, it is returned.
 */
int lr_sign_v4(const lr_sign_dialect_t *d, const lr_sign_t *r,
    lr_sign_v4_t *v, int rc, lr_sign_cache_t *cache, lr_signed_t *out);

/* its steps: what is signed, with a zero byte not counted, and the key */
int lr_sign_string(lr_buf_t *b, const lr_sign_dialect_t *d,
    const lr_buf_t *canonical, const char *stamp, const char *region);
int lr_sign_key(const lr_sign_dialect_t *d, const char *secret,
    const char *date, const char *region, lr_sign_cache_t *cache,
    u_char *key);

/* HMAC-SHA256 of a text; out may be the key */
int lr_sign_hmac(const u_char *key, size_t n, const char *text, u_char *out);
void lr_sign_hex(lr_buf_t *b, const u_char *p, size_t n);

/*
 * Append the canonical query, sorted by what the names are when encoded,
 * with a "=" after a name without a value if always is set; and the
 * canonical headers, each with an end of line.  What names of headers these
 * are is appended to names, with ";" between them, unless that is NULL.
 */
int lr_sign_query(lr_buf_t *b, const lr_sign_t *r, unsigned always);
int lr_sign_headers(lr_buf_t *b, const lr_sign_t *r, const lr_header_t *own,
    size_t nown, const lr_sign_rule_t *rule, lr_buf_t *names);

/* sorts p and appends it as a query */
void lr_sign_pairs(lr_buf_t *b, lr_sign_pair_t *p, size_t n, unsigned always);

/* the value of a header of the request, or NULL; a value without blanks */
const char *lr_sign_header(const lr_sign_t *r, const char *name);
void lr_sign_value(lr_str_t *s, const char *value);

/* "20231216T162057Z" into LR_SIGN_STAMP bytes */
int lr_sign_stamp(time_t t, char *buf);

/* lines into out->buf; then, when all are there, lr_sign_finish() */
void lr_sign_line(lr_buf_t *b, const char *name, const char *value);
int lr_sign_finish(lr_signed_t *out);

/* overwrites and frees */
void lr_sign_wipe(lr_buf_t *b);


#endif /* _LR_SIGN_DIALECT_H_INCLUDED_ */
