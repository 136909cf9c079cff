
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdio.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include "lr_cred.h"
#include "lr_time.h"


#define LR_CRED_EARLY  900


static int lr_cred_answer(lr_cred_t *c, json_t *root, char *err);
static const char *lr_cred_member(json_t *root, const char *one,
    const char *two);
static void lr_cred_wipe_json(json_t *root);


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

    if (text != NULL && lr_time_iso(&expires, text, strlen(text)) != LR_OK) {
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
