
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include "lr_keys.h"


#define LR_KEYS_BLANKS  " \t\r"

/* seconds in which a second change may leave the same stamps */
#define LR_KEYS_FRESH   2


static int lr_keys_load(lr_keys_t *keys, int fd, char *err);
static int lr_keys_line(lr_keys_t *keys, char *line, char *err);
static int lr_keys_same(const lr_keys_t *was, const struct stat *st);
static void lr_keys_error(char *err, const char *what);


int
lr_keys_parse(lr_keys_t *keys, const char *p, size_t n, char *err)
{
    int       rc;
    char     *text, *line, *end, why[LR_CRED_ERR_LEN];
    unsigned  number;

    memset(keys, 0, sizeof(lr_keys_t));

    if (memchr(p, '\0', n) != NULL) {
        snprintf(err, LR_KEYS_ERR_LEN, "the file has a zero byte");
        return LR_ERROR;
    }

    text = malloc(n + 1);
    if (text == NULL) {
        snprintf(err, LR_KEYS_ERR_LEN, "no memory");
        return LR_ERROR;
    }

    memcpy(text, p, n);
    text[n] = '\0';

    rc = LR_OK;
    number = 0;

    for (line = text; rc == LR_OK && *line != '\0'; line = end) {

        end = line + strcspn(line, "\n");

        if (*end == '\n') {
            *end++ = '\0';
        }

        number++;
        rc = lr_keys_line(keys, line, why);
    }

    if (rc != LR_OK) {
        snprintf(err, LR_KEYS_ERR_LEN, "line %u: %s", number, why);
        lr_keys_free(keys);
    }

    OPENSSL_cleanse(text, n);
    free(text);

    return rc;
}


int
lr_keys_read(lr_keys_t *keys, const lr_keys_t *was, const char *path,
    char *err)
{
    int          fd, rc, same;
    struct stat  st;

    memset(keys, 0, sizeof(lr_keys_t));

    same = was != NULL && stat(path, &st) == 0 && lr_keys_same(was, &st);

    if (same && was->read - st.st_ctim.tv_sec > LR_KEYS_FRESH) {
        return LR_DECLINED;
    }

    fd = open(path, O_RDONLY|O_CLOEXEC|O_NONBLOCK);

    if (fd == -1) {

        if (same && errno == EACCES) {
            return LR_DECLINED;
        }

        lr_keys_error(err, "cannot be opened");
        return LR_ERROR;
    }

    rc = lr_keys_load(keys, fd, err);

    close(fd);

    return rc;
}


int
lr_keys_public(const lr_keys_t *keys)
{
    return keys->read != 0 && (keys->st.st_mode & S_IROTH) != 0;
}


const lr_cred_t *
lr_keys_find(const lr_keys_t *keys, const char *id)
{
    size_t  i;

    for (i = 0; i < keys->n; i++) {
        if (strcmp(keys->keys[i].id, id) == 0) {
            return &keys->keys[i];
        }
    }

    return NULL;
}


void
lr_keys_free(lr_keys_t *keys)
{
    size_t  i;

    for (i = 0; i < keys->n; i++) {
        lr_cred_free(&keys->keys[i]);
    }

    free(keys->keys);
    memset(keys, 0, sizeof(lr_keys_t));
}


static int
lr_keys_load(lr_keys_t *keys, int fd, char *err)
{
    int          rc;
    time_t       now;
    ssize_t      n;
    lr_buf_t     b;
    struct stat  st;

    memset(&b, 0, sizeof(lr_buf_t));

    rc = LR_ERROR;
    now = time(NULL);

    if (fstat(fd, &st) == -1) {
        lr_keys_error(err, "cannot be read");
        return LR_ERROR;
    }

    if (!S_ISREG(st.st_mode)) {
        snprintf(err, LR_KEYS_ERR_LEN, "is not a file");
        return LR_ERROR;
    }

    if (lr_buf_reserve(&b, LR_KEYS_MAX_FILE + 1) != LR_OK) {
        snprintf(err, LR_KEYS_ERR_LEN, "no memory");
        return LR_ERROR;
    }

    n = read(fd, b.data, LR_KEYS_MAX_FILE + 1);

    if (n < 0) {
        lr_keys_error(err, "cannot be read");

    } else if (n > LR_KEYS_MAX_FILE) {
        snprintf(err, LR_KEYS_ERR_LEN, "is longer than %d bytes",
                 LR_KEYS_MAX_FILE);

    } else {
        rc = lr_keys_parse(keys, (char *) b.data, (size_t) n, err);
    }

    if (rc == LR_OK) {
        keys->st = st;
        keys->read = now;
    }

    OPENSSL_cleanse(b.data, b.size);
    lr_buf_free(&b);

    return rc;
}


static int
lr_keys_line(lr_keys_t *keys, char *line, char *err)
{
    char       *id, *secret, *rest;
    lr_cred_t  *p;

    id = line + strspn(line, LR_KEYS_BLANKS);

    if (*id == '\0' || *id == '#') {
        return LR_OK;
    }

    secret = id + strcspn(id, LR_KEYS_BLANKS);

    if (*secret != '\0') {
        *secret++ = '\0';
        secret += strspn(secret, LR_KEYS_BLANKS);
    }

    rest = secret + strcspn(secret, LR_KEYS_BLANKS);

    if (*rest != '\0') {
        *rest++ = '\0';
        rest += strspn(rest, LR_KEYS_BLANKS);
    }

    if (*rest != '\0') {
        snprintf(err, LR_CRED_ERR_LEN, "more than an id and a secret");
        return LR_ERROR;
    }

    if (lr_keys_find(keys, id) != NULL) {
        snprintf(err, LR_CRED_ERR_LEN, "the access key id is there before");
        return LR_ERROR;
    }

    /* the secrets themselves do not move with it */

    p = realloc(keys->keys, (keys->n + 1) * sizeof(lr_cred_t));
    if (p == NULL) {
        snprintf(err, LR_CRED_ERR_LEN, "no memory");
        return LR_ERROR;
    }

    keys->keys = p;
    memset(&p[keys->n], 0, sizeof(lr_cred_t));

    if (lr_cred_set(&p[keys->n], id, secret, NULL, err) != LR_OK) {
        return LR_ERROR;
    }

    keys->n++;

    return LR_OK;
}


static int
lr_keys_same(const lr_keys_t *was, const struct stat *st)
{
    return was->read != 0
           && was->st.st_dev == st->st_dev
           && was->st.st_ino == st->st_ino
           && was->st.st_size == st->st_size
           && was->st.st_mtim.tv_sec == st->st_mtim.tv_sec
           && was->st.st_mtim.tv_nsec == st->st_mtim.tv_nsec
           && was->st.st_ctim.tv_sec == st->st_ctim.tv_sec
           && was->st.st_ctim.tv_nsec == st->st_ctim.tv_nsec;
}


static void
lr_keys_error(char *err, const char *what)
{
    snprintf(err, LR_KEYS_ERR_LEN, "%s (%d: %s)", what, errno,
             strerror(errno));
}
