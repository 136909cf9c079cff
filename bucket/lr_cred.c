
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <openssl/crypto.h>
#include "lr_cred.h"


#define LR_CRED_MAX_ID      256
#define LR_CRED_MAX_SECRET  1024
#define LR_CRED_MAX_TOKEN   8192


typedef struct {
    unsigned    line;
    lr_str_t    id;
    lr_str_t    secret;
    lr_str_t    token;
    lr_str_t    type;
    unsigned    aliyun:1;     /* whose names there were */
    unsigned    aws:1;
    unsigned    other:1;      /* another way to a key */
} lr_cred_raw_t;


typedef struct {
    const char *id;
    const char *secret;
    const char *token;
} lr_cred_names_t;


static int lr_cred_line(lr_str_t *rest, lr_str_t *line);
static void lr_cred_trim(lr_str_t *s);
static int lr_cred_is(const lr_str_t *s, const char *word);
static int lr_cred_plain(lr_str_t rest, lr_cred_raw_t *raw, char *err);
static int lr_cred_ini(lr_str_t rest, const char *profile, lr_cred_raw_t *raw,
    char *err);
static void lr_cred_value(lr_str_t *name, lr_str_t *value,
    lr_cred_raw_t *raw);
static int lr_cred_section(const lr_str_t *name, const char *profile);
static int lr_cred_find(lr_cred_t *c, const lr_cred_names_t *v,
    lr_cred_getenv_pt get, void *data, char *err);
static int lr_cred_take(lr_cred_t *c, const lr_cred_raw_t *raw, char *err);
static int lr_cred_check(const lr_str_t *s, size_t max);
static char *lr_cred_dup(const lr_str_t *s);
static void lr_cred_wipe(char *s);
static void lr_cred_err(char *err, const char *text, unsigned line);


static const lr_cred_names_t  lr_cred_names[] = {
    { "OSS_ACCESS_KEY_ID", "OSS_ACCESS_KEY_SECRET", "OSS_SESSION_TOKEN" },
    { "ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
      "ALIBABA_CLOUD_SECURITY_TOKEN" },
    { NULL, NULL, NULL }
};

static const lr_cred_names_t  lr_cred_names_aws[] = {
    { "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN" },
    { NULL, NULL, NULL }
};


int
lr_cred_set(lr_cred_t *c, const char *id, const char *secret,
    const char *token, char *err)
{
    lr_cred_raw_t  raw;

    memset(&raw, 0, sizeof(lr_cred_raw_t));

    raw.id.data = (char *) id;
    raw.id.len = strlen(id);
    raw.secret.data = (char *) secret;
    raw.secret.len = strlen(secret);

    if (token != NULL) {
        raw.token.data = (char *) token;
        raw.token.len = strlen(token);
    }

    return lr_cred_take(c, &raw, err);
}


int
lr_cred_parse(lr_cred_t *c, const char *p, size_t n, const char *profile,
    char *err)
{
    int            rc;
    lr_str_t       text, rest, line;
    lr_cred_raw_t  raw;

    memset(&raw, 0, sizeof(lr_cred_raw_t));

    if (n > LR_CRED_MAX_FILE) {
        lr_cred_err(err, "the file is too long", 0);
        return LR_ERROR;
    }

    if (n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {
        p += 3;
        n -= 3;
    }

    text.data = (char *) p;
    text.len = n;

    rest = text;

    do {
        rc = lr_cred_line(&rest, &line);
    } while (rc == LR_OK && line.len == 0);

    if (rc != LR_OK) {
        lr_cred_err(err, "the file holds no access key", 0);
        return LR_ERROR;
    }

    /* an access key id has no "=", a token may */

    if (line.data[0] == '[' || memchr(line.data, '=', line.len) != NULL) {
        rc = lr_cred_ini(text, profile ? profile : "default", &raw, err);

    } else if (profile != NULL) {
        lr_cred_err(err, "the file has no profiles, only lines", 0);
        rc = LR_ERROR;

    } else {
        rc = lr_cred_plain(text, &raw, err);
    }

    if (rc != LR_OK) {
        return rc;
    }

    return lr_cred_take(c, &raw, err);
}


int
lr_cred_env(lr_cred_t *c, lr_cred_getenv_pt get, void *data, char *err)
{
    return lr_cred_find(c, lr_cred_names, get, data, err);
}


int
lr_cred_env_aws(lr_cred_t *c, lr_cred_getenv_pt get, void *data, char *err)
{
    return lr_cred_find(c, lr_cred_names_aws, get, data, err);
}


void
lr_cred_free(lr_cred_t *c)
{
    free(c->id);
    lr_cred_wipe(c->secret);
    lr_cred_wipe(c->token);
    memset(c, 0, sizeof(lr_cred_t));
}


/* the next line, trimmed; a comment is given as an empty line */

static int
lr_cred_line(lr_str_t *rest, lr_str_t *line)
{
    char  *end;

    if (rest->len == 0) {
        return LR_DECLINED;
    }

    *line = *rest;

    end = memchr(rest->data, '\n', rest->len);

    if (end != NULL) {
        line->len = (size_t) (end - rest->data);
        rest->data += line->len + 1;
        rest->len -= line->len + 1;

    } else {
        rest->data += rest->len;
        rest->len = 0;
    }

    lr_cred_trim(line);

    if (line->len != 0 && (line->data[0] == '#' || line->data[0] == ';')) {
        line->len = 0;
    }

    return LR_OK;
}


static void
lr_cred_trim(lr_str_t *s)
{
    while (s->len != 0 && (s->data[0] == ' ' || s->data[0] == '\t')) {
        s->data++;
        s->len--;
    }

    while (s->len != 0 && (s->data[s->len - 1] == ' '
                           || s->data[s->len - 1] == '\t'
                           || s->data[s->len - 1] == '\r'))
    {
        s->len--;
    }
}


static int
lr_cred_is(const lr_str_t *s, const char *word)
{
    return s->len == strlen(word) && strncasecmp(s->data, word, s->len) == 0;
}


static int
lr_cred_plain(lr_str_t rest, lr_cred_raw_t *raw, char *err)
{
    unsigned   n;
    lr_str_t   line;

    n = 0;

    while (lr_cred_line(&rest, &line) == LR_OK) {
        raw->line++;

        if (line.len == 0) {
            continue;
        }

        switch (n++) {

        case 0:
            raw->id = line;
            break;

        case 1:
            raw->secret = line;
            break;

        case 2:
            raw->token = line;
            break;

        default:
            lr_cred_err(err, "more than an id, a secret and a token",
                        raw->line);
            return LR_ERROR;
        }
    }

    if (n < 2) {
        lr_cred_err(err, "an id is there, but no secret", raw->line);
        return LR_ERROR;
    }

    raw->line = 0;

    return LR_OK;
}


static int
lr_cred_ini(lr_str_t rest, const char *profile, lr_cred_raw_t *raw, char *err)
{
    char      *eq;
    unsigned   n, in, seen;
    lr_str_t   line, name, value;

    n = 0;
    seen = 0;

    /* lines before any section are taken as the default one's */

    in = strcasecmp(profile, "default") == 0;

    while (lr_cred_line(&rest, &line) == LR_OK) {
        n++;

        if (line.len == 0) {
            continue;
        }

        if (line.data[0] == '[') {
            if (line.data[line.len - 1] != ']' || line.len < 3) {
                lr_cred_err(err, "a section's name is not closed", n);
                return LR_ERROR;
            }

            name.data = line.data + 1;
            name.len = line.len - 2;
            lr_cred_trim(&name);

            in = lr_cred_section(&name, profile);

            if (in) {
                seen = 1;
                raw->line = n;
            }

            continue;
        }

        eq = memchr(line.data, '=', line.len);

        if (eq == NULL) {
            lr_cred_err(err, "neither a section nor \"name = value\"", n);
            return LR_ERROR;
        }

        if (!in) {
            continue;
        }

        seen = 1;

        name.data = line.data;
        name.len = (size_t) (eq - line.data);
        lr_cred_trim(&name);

        value.data = eq + 1;
        value.len = line.len - (size_t) (eq + 1 - line.data);
        lr_cred_trim(&value);

        lr_cred_value(&name, &value, raw);
    }

    if (!seen) {
        lr_cred_err(err, "the file has no such profile", 0);
        return LR_ERROR;
    }

    if (raw->type.len != 0
        && !lr_cred_is(&raw->type, "access_key")
        && !lr_cred_is(&raw->type, "sts"))
    {
        lr_cred_err(err, "the profile's type is neither \"access_key\""
                    " nor \"sts\"", raw->line);
        return LR_ERROR;
    }

    if (raw->aliyun && raw->aws) {
        lr_cred_err(err, "the profile mixes names of Alibaba Cloud and AWS",
                    raw->line);
        return LR_ERROR;
    }

    if (raw->other && raw->id.len == 0 && raw->secret.len == 0) {
        lr_cred_err(err, "the profile has no key of its own: a role_arn,"
                    " credential_process or sso is not followed", raw->line);
        return LR_ERROR;
    }

    return LR_OK;
}


/* takes a line of the section, if it is one of those that matter */

static void
lr_cred_value(lr_str_t *name, lr_str_t *value, lr_cred_raw_t *raw)
{
    size_t  i;

    /* neither a key nor a token has blanks */

    for (i = 1; i < value->len; i++) {

        if ((value->data[i] == '#' || value->data[i] == ';')
            && (value->data[i - 1] == ' ' || value->data[i - 1] == '\t'))
        {
            value->len = i;
            lr_cred_trim(value);
            break;
        }
    }

    if (lr_cred_is(name, "access_key_id")) {
        raw->id = *value;
        raw->aliyun = 1;

    } else if (lr_cred_is(name, "access_key_secret")) {
        raw->secret = *value;
        raw->aliyun = 1;

    } else if (lr_cred_is(name, "security_token")) {
        raw->token = *value;
        raw->aliyun = 1;

    } else if (lr_cred_is(name, "aws_access_key_id")) {
        raw->id = *value;
        raw->aws = 1;

    } else if (lr_cred_is(name, "aws_secret_access_key")) {
        raw->secret = *value;
        raw->aws = 1;

    } else if (lr_cred_is(name, "aws_session_token")) {
        raw->token = *value;
        raw->aws = 1;

    } else if (lr_cred_is(name, "type")) {
        raw->type = *value;

    } else if (lr_cred_is(name, "credential_process")
               || lr_cred_is(name, "role_arn")
               || lr_cred_is(name, "sso_session")
               || lr_cred_is(name, "sso_start_url"))
    {
        raw->other = 1;
    }
}


/* AWS's second file, "config", writes "profile" before the name */

static int
lr_cred_section(const lr_str_t *name, const char *profile)
{
    lr_str_t  rest;

    if (lr_cred_is(name, profile)) {
        return 1;
    }

    if (name->len < 8 || strncasecmp(name->data, "profile", 7) != 0
        || (name->data[7] != ' ' && name->data[7] != '\t'))
    {
        return 0;
    }

    rest.data = name->data + 7;
    rest.len = name->len - 7;
    lr_cred_trim(&rest);

    return lr_cred_is(&rest, profile);
}


static int
lr_cred_find(lr_cred_t *c, const lr_cred_names_t *v, lr_cred_getenv_pt get,
    void *data, char *err)
{
    const char  *id, *secret, *token;

    for ( /* void */ ; v->id != NULL; v++) {

        id = get ? get(data, v->id) : getenv(v->id);
        secret = get ? get(data, v->secret) : getenv(v->secret);
        token = get ? get(data, v->token) : getenv(v->token);

        if ((id == NULL || *id == '\0') && (secret == NULL || *secret == '\0'))
        {
            continue;
        }

        if (id == NULL || *id == '\0' || secret == NULL || *secret == '\0') {
            snprintf(err, LR_CRED_ERR_LEN,
                     "the environment has only one of %s and %s",
                     v->id, v->secret);
            return LR_ERROR;
        }

        return lr_cred_set(c, id, secret, token, err);
    }

    lr_cred_err(err, "the environment holds no access key", 0);

    return LR_DECLINED;
}


static int
lr_cred_take(lr_cred_t *c, const lr_cred_raw_t *raw, char *err)
{
    lr_cred_t  new;

    if (lr_cred_check(&raw->id, LR_CRED_MAX_ID) != LR_OK) {
        lr_cred_err(err, "the access key id is missing, too long or holds"
                    " what a header cannot", raw->line);
        return LR_ERROR;
    }

    if (lr_cred_check(&raw->secret, LR_CRED_MAX_SECRET) != LR_OK) {
        lr_cred_err(err, "the access key secret is missing, too long or"
                    " holds what a header cannot", raw->line);
        return LR_ERROR;
    }

    if (raw->token.len != 0
        && lr_cred_check(&raw->token, LR_CRED_MAX_TOKEN) != LR_OK)
    {
        lr_cred_err(err, "the security token is too long or holds what a"
                    " header cannot", raw->line);
        return LR_ERROR;
    }

    new.id = lr_cred_dup(&raw->id);
    new.secret = lr_cred_dup(&raw->secret);
    new.token = raw->token.len ? lr_cred_dup(&raw->token) : NULL;
    new.expires = 0;

    if (new.id == NULL || new.secret == NULL
        || (raw->token.len != 0 && new.token == NULL))
    {
        lr_cred_free(&new);
        lr_cred_err(err, "no memory", 0);
        return LR_ERROR;
    }

    lr_cred_free(c);
    *c = new;

    return LR_OK;
}


static int
lr_cred_check(const lr_str_t *s, size_t max)
{
    size_t  i;

    if (s->len == 0 || s->len > max) {
        return LR_ERROR;
    }

    for (i = 0; i < s->len; i++) {
        if (s->data[i] <= 0x20 || s->data[i] >= 0x7f) {
            return LR_ERROR;
        }
    }

    return LR_OK;
}


static char *
lr_cred_dup(const lr_str_t *s)
{
    char  *p;

    p = malloc(s->len + 1);
    if (p == NULL) {
        return NULL;
    }

    memcpy(p, s->data, s->len);
    p[s->len] = '\0';

    return p;
}


static void
lr_cred_wipe(char *s)
{
    if (s == NULL) {
        return;
    }

    OPENSSL_cleanse(s, strlen(s));
    free(s);
}


static void
lr_cred_err(char *err, const char *text, unsigned line)
{
    if (line) {
        snprintf(err, LR_CRED_ERR_LEN, "%s (line %u)", text, line);

    } else {
        snprintf(err, LR_CRED_ERR_LEN, "%s", text);
    }
}
