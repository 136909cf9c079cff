
/*
 * Copyright (C) the ngx_live_record authors
 *
 * A call of the API in the RPC style of Alibaba Cloud: its parameters, as
 * a query or a form says them, and its signature in version 1.  Source:
 * "Request signatures" of the ApsaraVideo Live API reference.
 */


#ifndef _LR_RPC_H_INCLUDED_
#define _LR_RPC_H_INCLUDED_


#include "lr_core.h"


#define LR_RPC_MAX_PARAMS     512
#define LR_RPC_MAX_NAME       128
#define LR_RPC_ERR_LEN        192

#define LR_RPC_SIGNATURE_LEN  28      /* base64 of an HMAC-SHA1 */


/* decoded; both end with a zero byte and are UTF-8 without further ones */

typedef struct {
    const char        *name;
    const char        *value;
    unsigned           form:1;       /* of the body, not of the query */
} lr_rpc_param_t;


/* a zeroed one is empty and valid; sorted by the bytes of the names */

typedef struct {
    size_t             n;
    lr_rpc_param_t    *params;
    char              *text;         /* where they are */
} lr_rpc_t;


/*
 * Takes the parameters of a query and of a form, either of which may be
 * empty.  Each is decoded once, "+" is a space.  A name is made of
 * A-Z a-z 0-9 . _ - and stands there only once, in the query and the form
 * together: which of two would count is a question that signer and reader
 * may answer differently.  LR_DECLINED with a text in err (LR_RPC_ERR_LEN
 * bytes) if it is malformed or too much, LR_ERROR without memory; rpc is
 * empty then.
 */
int lr_rpc_parse(lr_rpc_t *rpc, const lr_str_t *query, const lr_str_t *form,
    char *err);

void lr_rpc_free(lr_rpc_t *rpc);

/* a parameter's value; NULL if it is missing, or empty */
const char *lr_rpc_get(const lr_rpc_t *rpc, const char *name);

/*
 * Appends the parameters encoded, "name=value" with "&" between them; but
 * the one of the name "without", if that is no NULL, and those of the form,
 * unless "form" is set.  No zero byte.
 */
void lr_rpc_canonical(lr_buf_t *b, const lr_rpc_t *rpc, const char *without,
    unsigned form);

/* appends what version 1 signs, and a zero byte that is not counted */
int lr_rpc_string(lr_buf_t *b, const lr_rpc_t *rpc, const char *method);

/* draws version 1's signature of that into LR_RPC_SIGNATURE_LEN + 1 bytes */
int lr_rpc_sign(const char *string, const char *secret, char *signature);

/* whether two texts are equal, in a time that does not tell where not */
int lr_rpc_equal(const char *one, const char *two);


#endif /* _LR_RPC_H_INCLUDED_ */
