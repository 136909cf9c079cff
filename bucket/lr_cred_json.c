
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdio.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include "lr_cred.h"


#define LR_CRED_EARLY  900


static int lr_cred_answer(lr_cred_t *c, json_t *root, char *err);
static const char *lr_cred_member(json_t *root, const char *one,
    const char *two);
static void lr_cred_wipe_json(json_t *root);
static int lr_cred_number(const char **p, const char *end, unsigned digits,
    int *n);
static int lr_cred_offset(const char **p, const char *end, int *offset);


int
lr_cred_json(lr_cred_t *c, const char *p, size_t n, char *err)
{
    int           rc;
    json_t       *root;
    json_error_t  error;

    root = n > LR_CRED_MAX_FILE ? NULL : json_loadb(p, n, 0, &error);

    /* the error's text of the library may quote a part of a secret */

    OPENSSL_cleanse(&error, sizeof(json_error_t));

    if (!json_is_object(root)) {
        snprintf(err, LR_CRED_ERR_LEN, "the answer is not a JSON object");
        rc = LR_ERROR;

    } else {
        rc = lr_cred_answer(c, root, err);
    }

    if (root != NULL) {
        lr_cred_wipe_json(root);
        json_decref(root);
    }

    return rc;
}


static int
lr_cred_answer(lr_cred_t *c, json_t *root, char *err)
{
    char         word[48];
    size_t       i;
    time_t       expires;
    const char  *code, *id, *secret, *text;

    code = lr_cred_member(root, "Code", NULL);

    if (code != NULL && strcmp(code, "Success") != 0) {

        for (i = 0; code[i] != '\0' && i < sizeof(word) - 1; i++) {
            word[i] = (code[i] < 0x20 || code[i] >= 0x7f) ? '?' : code[i];
        }

        word[i] = '\0';

        snprintf(err, LR_CRED_ERR_LEN, "the answer's code is \"%s\"", word);
        return LR_ERROR;
    }

    expires = 0;
    text = lr_cred_member(root, "Expiration", NULL);

    if (text != NULL && lr_cred_time(&expires, text, strlen(text)) != LR_OK) {
        snprintf(err, LR_CRED_ERR_LEN, "the answer's Expiration is no time");
        return LR_ERROR;
    }

    id = lr_cred_member(root, "AccessKeyId", NULL);
    secret = lr_cred_member(root, "AccessKeySecret", "SecretAccessKey");

    if (lr_cred_set(c, id ? id : "", secret ? secret : "",
                    lr_cred_member(root, "SecurityToken", "Token"), err)
        != LR_OK)
    {
        return LR_ERROR;
    }

    c->expires = expires;

    return LR_OK;
}


int
lr_cred_time(time_t *t, const char *p, size_t n)
{
    int          offset, month;
    time_t       v;
    struct tm    tm;
    const char  *end;

    end = p + n;

    memset(&tm, 0, sizeof(struct tm));

    if (lr_cred_number(&p, end, 4, &tm.tm_year) != LR_OK
        || p == end || *p++ != '-'
        || lr_cred_number(&p, end, 2, &tm.tm_mon) != LR_OK
        || p == end || *p++ != '-'
        || lr_cred_number(&p, end, 2, &tm.tm_mday) != LR_OK
        || p == end || (*p != 'T' && *p != 't' && *p != ' ')
        || (p++, lr_cred_number(&p, end, 2, &tm.tm_hour)) != LR_OK
        || p == end || *p++ != ':'
        || lr_cred_number(&p, end, 2, &tm.tm_min) != LR_OK
        || p == end || *p++ != ':'
        || lr_cred_number(&p, end, 2, &tm.tm_sec) != LR_OK
        || lr_cred_offset(&p, end, &offset) != LR_OK
        || p != end)
    {
        return LR_ERROR;
    }

    tm.tm_year -= 1900;
    tm.tm_mon -= 1;

    if (tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60) {
        return LR_ERROR;
    }

    if (tm.tm_sec == 60) {
        tm.tm_sec = 59;
    }

    /* what is no day of the month becomes one of another */

    month = tm.tm_mon;
    v = timegm(&tm);

    if (tm.tm_mon != month) {
        return LR_ERROR;
    }

    *t = v - offset;

    return LR_OK;
}


time_t
lr_cred_refresh_at(const lr_cred_t *c, time_t now)
{
    time_t  left, early;

    if (c->expires == 0) {
        return 0;
    }

    left = c->expires - now;
    early = left / 5;

    if (early > LR_CRED_EARLY) {
        early = LR_CRED_EARLY;
    }

    return left - early < 1 ? now + 1 : c->expires - early;
}


static const char *
lr_cred_member(json_t *root, const char *one, const char *two)
{
    json_t  *value;

    value = json_object_get(root, one);

    if (value == NULL && two != NULL) {
        value = json_object_get(root, two);
    }

    return json_string_value(value);
}


/* the library does not do it */

static void
lr_cred_wipe_json(json_t *root)
{
    size_t       n;
    json_t      *value;
    const char  *key;

    json_object_foreach(root, key, value) {

        n = json_string_length(value);

        if (n != 0) {
            OPENSSL_cleanse((char *) json_string_value(value), n);
        }
    }
}


static int
lr_cred_number(const char **p, const char *end, unsigned digits, int *n)
{
    const char  *s;

    s = *p;

    if ((size_t) (end - s) < digits) {
        return LR_ERROR;
    }

    for (*n = 0; digits != 0; digits--, s++) {

        if (*s < '0' || *s > '9') {
            return LR_ERROR;
        }

        *n = *n * 10 + (*s - '0');
    }

    *p = s;

    return LR_OK;
}


/* what may follow the seconds: a fraction, "Z" or "+08:00" */

static int
lr_cred_offset(const char **p, const char *end, int *offset)
{
    int          hours, minutes;
    char         sign;
    const char  *s;

    s = *p;
    *offset = 0;

    if (s != end && (*s == '.' || *s == ',')) {

        for (s++; s != end && *s >= '0' && *s <= '9'; s++) { /* void */ }

        if (s - *p < 2) {
            return LR_ERROR;
        }
    }

    if (s != end && (*s == 'Z' || *s == 'z')) {
        s++;

    } else if (s != end && (*s == '+' || *s == '-')) {

        sign = *s++;

        if (lr_cred_number(&s, end, 2, &hours) != LR_OK) {
            return LR_ERROR;
        }

        if (s != end && *s == ':') {
            s++;
        }

        if (lr_cred_number(&s, end, 2, &minutes) != LR_OK || minutes > 59) {
            return LR_ERROR;
        }

        *offset = hours * 3600 + minutes * 60;

        if (sign == '-') {
            *offset = -*offset;
        }
    }

    *p = s;

    return LR_OK;
}
