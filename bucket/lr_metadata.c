
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdio.h>
#include <stdlib.h>
#include <openssl/crypto.h>
#include "lr_metadata.h"


/* seconds: enough for the requests that follow it */
#define LR_METADATA_TTL  "300"


typedef struct {
    const char  *name;
    const char  *endpoint;
    const char  *ttl;         /* headers */
    const char  *token;
    const char  *path;        /* of the roles */
    const char  *role;        /* what a role is called */
} lr_metadata_names_t;


static int lr_metadata_token(lr_metadata_t *m, unsigned status,
    const char *p, size_t n, char *err);
static int lr_metadata_role(lr_metadata_t *m, unsigned status,
    const char *p, size_t n, char *err);
static int lr_metadata_key(lr_metadata_t *m, unsigned status, const char *p,
    size_t n, lr_cred_t *c, char *err);
static int lr_metadata_get(lr_metadata_t *m, char *err);
static int lr_metadata_status(lr_metadata_t *m, unsigned status, char *err);
static int lr_metadata_check_role(const char *p, size_t n);
static int lr_metadata_set(char **s, const char *a, const char *b, size_t n,
    char *err);
static int lr_metadata_err(char *err, const char *text);


static const lr_metadata_names_t  lr_metadata_names[] = {
    { "ECS", "http://100.100.100.200",
      "X-aliyun-ecs-metadata-token-ttl-seconds: " LR_METADATA_TTL,
      "X-aliyun-ecs-metadata-token: ",
      "/latest/meta-data/ram/security-credentials/", "RAM role" },
    { "EC2", "http://169.254.169.254",
      "X-aws-ec2-metadata-token-ttl-seconds: " LR_METADATA_TTL,
      "X-aws-ec2-metadata-token: ",
      "/latest/meta-data/iam/security-credentials/", "IAM role" }
};


const char *
lr_metadata_endpoint(lr_metadata_kind_e kind)
{
    return lr_metadata_names[kind].endpoint;
}


int
lr_metadata_begin(lr_metadata_t *m, lr_metadata_kind_e kind,
    const char *role, char *err)
{
    const lr_metadata_names_t  *v;

    lr_metadata_free(m);

    v = &lr_metadata_names[kind];

    m->kind = kind;

    if (role != NULL) {

        if (lr_metadata_check_role(role, strlen(role)) != LR_OK) {
            return lr_metadata_err(err, "the name of the role is not one");
        }

        if (lr_metadata_set(&m->role, "", role, strlen(role), err) != LR_OK) {
            return LR_ERROR;
        }

        m->asked = 1;
    }

    m->method = "PUT";

    if (lr_metadata_set(&m->path, "/latest/api/token", "", 0, err) != LR_OK
        || lr_metadata_set(&m->header, v->ttl, "", 0, err) != LR_OK)
    {
        lr_metadata_free(m);
        return LR_ERROR;
    }

    return LR_OK;
}


int
lr_metadata_answer(lr_metadata_t *m, unsigned status, const char *p,
    size_t n, lr_cred_t *c, char *err)
{
    switch (m->step) {

    case LR_METADATA_TOKEN:
        return lr_metadata_token(m, status, p, n, err);

    case LR_METADATA_ROLE:
        return lr_metadata_role(m, status, p, n, err);

    case LR_METADATA_KEY:
        break;
    }

    return lr_metadata_key(m, status, p, n, c, err);
}


void
lr_metadata_free(lr_metadata_t *m)
{
    if (m->header != NULL) {
        OPENSSL_cleanse(m->header, strlen(m->header));
    }

    free(m->header);
    free(m->path);
    free(m->role);

    memset(m, 0, sizeof(lr_metadata_t));
}


static int
lr_metadata_token(lr_metadata_t *m, unsigned status, const char *p,
    size_t n, char *err)
{
    size_t                      i;
    const lr_metadata_names_t  *v;

    v = &lr_metadata_names[m->kind];

    switch (status) {

    case 200:
        break;

    /*
     * Services that know no token, and those whose answer does not come
     * through: it is sent with a hop limit of 1, which a container exceeds.
     */

    case 0:
    case 403:
    case 404:
    case 405:
    case 501:
        free(m->header);
        m->header = NULL;

        return lr_metadata_get(m, err);

    default:
        return lr_metadata_status(m, status, err);
    }

    while (n != 0 && (p[n - 1] == '\n' || p[n - 1] == '\r')) {
        n--;
    }

    for (i = 0; i < n && p[i] > 0x20 && p[i] < 0x7f; i++) { /* void */ }

    if (n == 0 || n > LR_METADATA_MAX_TOKEN || i != n) {
        return lr_metadata_err(err, "what the metadata service gives as a"
                               " token is none");
    }

    if (lr_metadata_set(&m->header, v->token, p, n, err) != LR_OK) {
        return LR_ERROR;
    }

    m->token = 1;

    return lr_metadata_get(m, err);
}


/* a list of names, of which there has never been more than one */

static int
lr_metadata_role(lr_metadata_t *m, unsigned status, const char *p, size_t n,
    char *err)
{
    size_t  i;

    if (status == 404) {
        n = 0;

    } else if (status != 200) {
        return lr_metadata_status(m, status, err);
    }

    for (i = 0; i < n && p[i] != '\n' && p[i] != '\r'; i++) { /* void */ }

    if (i == 0) {
        snprintf(err, LR_CRED_ERR_LEN, "the instance has no %s",
                 lr_metadata_names[m->kind].role);
        return LR_ERROR;
    }

    if (lr_metadata_check_role(p, i) != LR_OK) {
        return lr_metadata_err(err, "what the metadata service gives as the"
                               " name of a role is none");
    }

    if (lr_metadata_set(&m->role, "", p, i, err) != LR_OK) {
        return LR_ERROR;
    }

    return lr_metadata_get(m, err);
}


static int
lr_metadata_key(lr_metadata_t *m, unsigned status, const char *p, size_t n,
    lr_cred_t *c, char *err)
{
    lr_cred_t                   new;
    const lr_metadata_names_t  *v;

    v = &lr_metadata_names[m->kind];

    if (status == 404) {
        snprintf(err, LR_CRED_ERR_LEN, "the instance has no %s \"%s\"",
                 v->role, m->role);
        return LR_ERROR;
    }

    if (status != 200) {
        return lr_metadata_status(m, status, err);
    }

    memset(&new, 0, sizeof(lr_cred_t));

    if (lr_cred_json(&new, p, n, err) != LR_OK) {
        return LR_ERROR;
    }

    if (new.token == NULL || new.expires == 0) {
        lr_cred_free(&new);
        return lr_metadata_err(err, "the key that the metadata service gives"
                               " has no token or no end");
    }

    lr_cred_free(c);
    *c = new;

    return LR_OK;
}


/* the next GET: for the name, and when that is known for the key */

static int
lr_metadata_get(lr_metadata_t *m, char *err)
{
    m->method = "GET";
    m->step = m->role ? LR_METADATA_KEY : LR_METADATA_ROLE;

    if (lr_metadata_set(&m->path, lr_metadata_names[m->kind].path,
                        m->role ? m->role : "",
                        m->role ? strlen(m->role) : 0, err)
        != LR_OK)
    {
        return LR_ERROR;
    }

    return LR_AGAIN;
}


static int
lr_metadata_status(lr_metadata_t *m, unsigned status, char *err)
{
    if (status == 0) {
        snprintf(err, LR_CRED_ERR_LEN, "no metadata service answers: is this"
                 " an instance of %s?", lr_metadata_names[m->kind].name);

    } else if ((status == 401 || status == 403)
               && m->step != LR_METADATA_TOKEN && !m->token)
    {
        snprintf(err, LR_CRED_ERR_LEN, "the metadata service answers only"
                 " with a token (status %u), and gave none: its hop limit"
                 " may be too low", status);

    } else {
        snprintf(err, LR_CRED_ERR_LEN, "the metadata service answers with"
                 " status %u", status);
    }

    return LR_ERROR;
}


/* what both clouds let the name of a role consist of */

static int
lr_metadata_check_role(const char *p, size_t n)
{
    size_t  i;

    if (n == 0 || n > LR_METADATA_MAX_ROLE || p[0] == '.') {
        return LR_ERROR;
    }

    for (i = 0; i < n; i++) {

        if ((p[i] < 'a' || p[i] > 'z') && (p[i] < 'A' || p[i] > 'Z')
            && (p[i] < '0' || p[i] > '9')
            && (p[i] == '\0' || strchr("+=,.@_-", p[i]) == NULL))
        {
            return LR_ERROR;
        }
    }

    return LR_OK;
}


/* a and n bytes of b in one */

static int
lr_metadata_set(char **s, const char *a, const char *b, size_t n, char *err)
{
    char    *p;
    size_t   len;

    len = strlen(a);

    p = malloc(len + n + 1);
    if (p == NULL) {
        return lr_metadata_err(err, "no memory");
    }

    memcpy(p, a, len);

    if (n != 0) {
        memcpy(p + len, b, n);
    }

    p[len + n] = '\0';

    free(*s);
    *s = p;

    return LR_OK;
}


static int
lr_metadata_err(char *err, const char *text)
{
    snprintf(err, LR_CRED_ERR_LEN, "%s", text);

    return LR_ERROR;
}
