
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The signature ACS3-HMAC-SHA256 of a call to the API, in its header
 * Authorization.  Source: "V3 version of the request body and signature
 * mechanism" of the Alibaba Cloud SDK documentation, and its client.
 */


#ifndef _LR_ACS3_H_INCLUDED_
#define _LR_ACS3_H_INCLUDED_


#include "lr_core.h"
#include "lr_rpc.h"


#define LR_ACS3_MAX_HEADERS    64
#define LR_ACS3_SIGNATURE_LEN  64      /* an HMAC-SHA256 in hex */


/* what the header says; the texts are parts of its value */

typedef struct {
    lr_str_t    id;                    /* of the access key */
    lr_str_t    signature;
    lr_str_t    list;                  /* of the headers that are signed */
    size_t      n;                     /* the same one by one */
    lr_str_t    names[LR_ACS3_MAX_HEADERS];
} lr_acs3_t;


/* a header of the request: its name in lower case, its value without blanks
 * around it */

typedef struct {
    lr_str_t    name;
    lr_str_t    value;
} lr_acs3_header_t;


typedef struct {
    const char              *method;
    lr_str_t                 path;     /* as it was sent, encoded */
    const lr_rpc_t          *params;   /* those of the query are signed */
    const lr_acs3_header_t  *headers;
    size_t                   nheaders;
    const char              *payload;  /* SHA-256 of the body in hex */
} lr_acs3_request_t;


/* whether a header Authorization is one of these */
int lr_acs3_is(const char *p, size_t n);

/*
 * Reads "ACS3-HMAC-SHA256 Credential=ID,SignedHeaders=a;b,Signature=HEX",
 * its parts in any order.  LR_ERROR if one is missing, malformed or there
 * twice, or if a header is named twice.
 */
int lr_acs3_parse(lr_acs3_t *a, const char *p, size_t n);

/*
 * Appends what is signed, and a zero byte that is not counted.  LR_DECLINED
 * if a header that is signed is not there or is there twice, or if "host"
 * or one that begins with "x-acs-" is not signed.
 */
int lr_acs3_string(lr_buf_t *b, const lr_acs3_t *a,
    const lr_acs3_request_t *r);

/* draws the signature of that into LR_ACS3_SIGNATURE_LEN + 1 bytes */
int lr_acs3_sign(const char *string, const char *secret, char *signature);

/* the SHA-256 of n bytes, in hex, into as many */
int lr_acs3_digest(const u_char *p, size_t n, char *hex);


#endif /* _LR_ACS3_H_INCLUDED_ */
