
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The access key of the role of a machine in the cloud, from the metadata
 * service: which requests lead to it.  Alibaba Cloud's ECS and AWS's EC2
 * are alike but for names; a token is asked for first ("hardened mode",
 * "IMDSv2"), and where that is not known it is done without.
 * Sources: "Obtain an STS token" and "Instance metadata" of the ECS
 * documentation, "Use IMDSv2" and "Retrieve security credentials" of the
 * EC2 User Guide.
 */


#ifndef _LR_METADATA_H_INCLUDED_
#define _LR_METADATA_H_INCLUDED_


#include "lr_core.h"
#include "lr_cred.h"


#define LR_METADATA_MAX_ROLE   64
#define LR_METADATA_MAX_TOKEN  2048


typedef enum {
    LR_METADATA_ECS = 0,
    LR_METADATA_AWS
} lr_metadata_kind_e;


typedef enum {
    LR_METADATA_TOKEN = 0,
    LR_METADATA_ROLE,
    LR_METADATA_KEY
} lr_metadata_step_e;


/*
 * The request to be sent is method, path and header; a PUT has an empty
 * body.  A zeroed one is empty and valid.
 */

typedef struct {
    const char          *method;
    char                *path;
    char                *header;      /* "Name: value", or NULL */

    lr_metadata_kind_e   kind;
    lr_metadata_step_e   step;
    char                *role;        /* NULL until it is known */
    unsigned             asked:1;     /* the role is the admin's */
    unsigned             token:1;     /* there is one */
} lr_metadata_t;


/* where the service of a kind is, "http://100.100.100.200" */
const char *lr_metadata_endpoint(lr_metadata_kind_e kind);

/*
 * Makes the first request, whatever was in m before.  role is NULL for the
 * one that the machine has.  LR_ERROR with a text in err (LR_CRED_ERR_LEN
 * bytes) if the name cannot be a role's, or without memory.
 */
int lr_metadata_begin(lr_metadata_t *m, lr_metadata_kind_e kind,
    const char *role, char *err);

/*
 * Takes the answer: HTTP's status, or 0 if there was none, and the body.
 * LR_AGAIN: the next request is in m.  LR_OK: the key is in c, with its
 * token and its end.  LR_ERROR: err says why, c is as it was.
 */
int lr_metadata_answer(lr_metadata_t *m, unsigned status, const char *p,
    size_t n, lr_cred_t *c, char *err);

/* overwrites the token; m is empty again */
void lr_metadata_free(lr_metadata_t *m);


#endif /* _LR_METADATA_H_INCLUDED_ */
