
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Access keys: what signs the requests to a store, and where it is read
 * from.  Nothing here ever puts a value into an error text.
 */


#ifndef _LR_CRED_H_INCLUDED_
#define _LR_CRED_H_INCLUDED_


#include "lr_core.h"


#define LR_CRED_MAX_FILE    65536
#define LR_CRED_ERR_LEN     160


/* a zeroed one is empty and valid; the strings are owned */

typedef struct {
    char       *id;
    char       *secret;
    char       *token;        /* of STS; NULL for a permanent key */
} lr_cred_t;


typedef const char *(*lr_cred_getenv_pt)(void *data, const char *name);


/*
 * Copies a key into c and frees what was there.  token may be NULL or
 * empty.  LR_ERROR with a text in err (LR_CRED_ERR_LEN bytes) if a value
 * cannot stand in a header or is too long, or there is no memory; c then
 * is as it was.
 */
int lr_cred_set(lr_cred_t *c, const char *id, const char *secret,
    const char *token, char *err);

/*
 * Reads the n bytes of a credentials file into c: either the INI form of
 * the Alibaba Cloud SDKs, of which the section "profile" is taken
 * ("default" if NULL; types access_key and sts), or two or three lines of
 * id, secret and token.  Lines that begin with "#" or ";" are comments.
 * Errors as of lr_cred_set(); the text names the line.
 */
int lr_cred_parse(lr_cred_t *c, const char *p, size_t n, const char *profile,
    char *err);

/*
 * Takes the key from the environment: the variables of the OSS SDKs first,
 * then those common to Alibaba Cloud's.  get may be NULL for getenv().
 * LR_DECLINED if there are none; half a pair is LR_ERROR.
 */
int lr_cred_env(lr_cred_t *c, lr_cred_getenv_pt get, void *data, char *err);

/* the secret and the token are overwritten first; c is empty again */
void lr_cred_free(lr_cred_t *c);


#endif /* _LR_CRED_H_INCLUDED_ */
