
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Access keys: what signs the requests to a store, and where it is read
 * from.  Nothing here ever puts a value into an error text.
 */


#ifndef _LR_CRED_H_INCLUDED_
#define _LR_CRED_H_INCLUDED_


#include <time.h>
#include "lr_core.h"


#define LR_CRED_MAX_FILE    65536
#define LR_CRED_ERR_LEN     160


/* a zeroed one is empty and valid; the strings are owned */

typedef struct {
    char       *id;
    char       *secret;
    char       *token;        /* of STS; NULL for a permanent key */
    time_t      expires;      /* 0: not known, or never */
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
 * Reads the n bytes of a credentials file into c: either an INI file, of
 * which the section "profile" or "profile NAME" is taken ("default" if
 * NULL), or two or three lines of id, secret and token, which are no
 * profile.  The INI file is
 * that of the Alibaba Cloud SDKs (access_key_id, access_key_secret,
 * security_token; types access_key and sts) or that of AWS
 * (aws_access_key_id, aws_secret_access_key, aws_session_token).  What
 * begins with "#" or ";" is a comment, in INI files behind a value too.
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

/* the same with AWS's variables, AWS_ACCESS_KEY_ID and so on */
int lr_cred_env_aws(lr_cred_t *c, lr_cred_getenv_pt get, void *data,
    char *err);

/*
 * Reads what a metadata service answers for a role: JSON with AccessKeyId,
 * AccessKeySecret and SecurityToken (Alibaba Cloud) or SecretAccessKey and
 * Token (AWS), Expiration and Code, which has to be "Success" if it is
 * there.  Errors as of lr_cred_set().
 */
int lr_cred_json(lr_cred_t *c, const char *p, size_t n, char *err);

/*
 * When to fetch a key anew that is there since now: at four fifths of the
 * time it has left, and not more than 15 minutes before its end, for the
 * services have its successor only shortly before; but never at once.  0
 * if it does not expire.
 */
time_t lr_cred_refresh_at(const lr_cred_t *c, time_t now);

/* the secret and the token are overwritten first; c is empty again */
void lr_cred_free(lr_cred_t *c);


#endif /* _LR_CRED_H_INCLUDED_ */
