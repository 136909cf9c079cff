
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "lr_name.h"
#include "lr_plain.h"
#include "lr_settings.h"


static char *lr_settings_dup(const char *s);
static int lr_settings_load(const char *path, lr_buf_t *text);
static int lr_settings_name(json_t *root, const char *key, char *name);
static int lr_settings_string(json_t *root, const char *key, char **s);
static int lr_settings_time(json_t *root, const char *key, int64_t *ms);


int
lr_settings_copy(lr_settings_t *dst, const lr_settings_t *src)
{
    *dst = *src;

    dst->domain = lr_settings_dup(src->domain);
    dst->scope = lr_settings_dup(src->scope);
    dst->bucket = lr_settings_dup(src->bucket);
    dst->path = lr_settings_dup(src->path);
    dst->fragment_path = lr_settings_dup(src->fragment_path);
    dst->index_path = lr_settings_dup(src->index_path);
    dst->timezone = lr_settings_dup(src->timezone);
    dst->push_args = lr_settings_dup(src->push_args);

    if (dst->domain == NULL || dst->scope == NULL || dst->bucket == NULL
        || dst->path == NULL || dst->fragment_path == NULL
        || dst->index_path == NULL || dst->timezone == NULL
        || dst->push_args == NULL)
    {
        lr_settings_free(dst);
        return LR_ERROR;
    }

    return LR_OK;
}


static char *
lr_settings_dup(const char *s)
{
    return strdup(s ? s : "");
}


void
lr_settings_free(lr_settings_t *st)
{
    free(st->domain);
    free(st->scope);
    free(st->bucket);
    free(st->path);
    free(st->fragment_path);
    free(st->index_path);
    free(st->timezone);
    free(st->push_args);

    memset(st, 0, sizeof(lr_settings_t));
}


void
lr_settings_write(const lr_settings_t *st, lr_buf_t *out)
{
    char    *text;
    json_t  *root;

    root = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s,"
                     " s:i, s:I, s:I, s:I, s:i}",
                     "version", LR_SPOOL_VERSION,
                     "app", st->app,
                     "stream", st->stream,
                     "domain", st->domain,
                     "scope", st->scope,
                     "bucket", st->bucket,
                     "path", st->path,
                     "fragment_path", st->fragment_path,
                     "index_path", st->index_path,
                     "timezone", st->timezone,
                     "formats", (int) st->formats,
                     "cycle", (json_int_t) st->cycle,
                     "fragment", (json_int_t) st->fragment,
                     "grace", (json_int_t) st->grace,
                     "notify", (int) st->notify);

    text = root ? json_dumps(root, JSON_INDENT(1)|JSON_PRESERVE_ORDER) : NULL;

    if (text == NULL) {
        out->failed = 1;

    } else {
        lr_buf_puts(out, text);
        lr_buf_puts(out, "\n");
    }

    free(text);
    json_decref(root);
}


int
lr_settings_read(lr_settings_t *st, const char *dir, char *err, size_t size)
{
    int           rc;
    char          path[4096];
    json_t       *root;
    lr_buf_t      text;
    json_int_t    version, formats, notify;
    json_error_t  je;

    memset(st, 0, sizeof(lr_settings_t));
    memset(&text, 0, sizeof(lr_buf_t));

    snprintf(path, sizeof(path), "%s/template.json", dir);

    rc = lr_settings_load(path, &text);

    if (rc != LR_OK) {
        snprintf(err, size, "template.json: %s", strerror(errno));
        lr_buf_free(&text);
        return rc;
    }

    root = json_loadb((char *) text.data, text.len, JSON_REJECT_DUPLICATES,
                      &je);
    lr_buf_free(&text);

    if (root == NULL) {
        snprintf(err, size, "template.json: %s", je.text);

        if (json_error_code(&je) == json_error_out_of_memory) {
            errno = ENOMEM;
            return LR_ERROR;
        }

        return LR_DECLINED;
    }

    version = json_integer_value(json_object_get(root, "version"));

    if (version != LR_SPOOL_VERSION) {
        snprintf(err, size, "template.json has format version %lld, this"
                 " module knows %d", (long long) version, LR_SPOOL_VERSION);
        json_decref(root);
        return LR_DECLINED;
    }

    formats = json_integer_value(json_object_get(root, "formats"));
    notify = json_integer_value(json_object_get(root, "notify"));
    errno = 0;

    rc = formats <= 0 || formats > 0xff || notify < 0 || notify > 0xff
         || lr_settings_name(root, "app", st->app)
         || lr_settings_name(root, "stream", st->stream)
         || lr_settings_string(root, "domain", &st->domain)
         || lr_settings_string(root, "scope", &st->scope)
         || lr_settings_string(root, "bucket", &st->bucket)
         || lr_settings_string(root, "path", &st->path)
         || lr_settings_string(root, "fragment_path", &st->fragment_path)
         || lr_settings_string(root, "index_path", &st->index_path)
         || lr_settings_string(root, "timezone", &st->timezone)
         || lr_settings_time(root, "cycle", &st->cycle)
         || lr_settings_time(root, "fragment", &st->fragment)
         || lr_settings_time(root, "grace", &st->grace);

    json_decref(root);

    if (rc == 0) {
        st->formats = (unsigned) formats;
        st->notify = (unsigned) notify;
        return LR_OK;
    }

    lr_settings_free(st);

    if (errno == ENOMEM) {
        snprintf(err, size, "no memory");
        return LR_ERROR;
    }

    snprintf(err, size, "template.json lacks a member or has one of the"
             " wrong kind");

    return LR_DECLINED;
}


static int
lr_settings_load(const char *path, lr_buf_t *text)
{
    int      fd, rc;
    ssize_t  n;

    fd = lr_plain_open(path, O_RDONLY);

    if (fd == -1) {
        return errno == ENOENT || errno == ENOTDIR || errno == ENODATA
               ? LR_DECLINED : LR_ERROR;
    }

    rc = LR_ERROR;

    if (lr_buf_reserve(text, LR_SETTINGS_MAX + 1) != LR_OK) {
        errno = ENOMEM;
        goto done;
    }

    for ( ;; ) {
        n = read(fd, text->data + text->len, text->size - text->len);

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n == -1) {
            rc = LR_ERROR;
            break;
        }

        if (n == 0) {
            rc = LR_OK;
            break;
        }

        text->len += (size_t) n;

        if (text->len > LR_SETTINGS_MAX) {
            errno = EFBIG;
            rc = LR_DECLINED;
            break;
        }
    }

done:

    close(fd);

    return rc;
}


static int
lr_settings_name(json_t *root, const char *key, char *name)
{
    const char  *s;

    s = json_string_value(json_object_get(root, key));

    if (s == NULL || !lr_name_valid(s, strlen(s))) {
        return 1;
    }

    strcpy(name, s);

    return 0;
}


static int
lr_settings_string(json_t *root, const char *key, char **s)
{
    const char  *value;

    value = json_string_value(json_object_get(root, key));

    if (value == NULL) {
        return 1;
    }

    *s = strdup(value);

    return *s == NULL;
}


static int
lr_settings_time(json_t *root, const char *key, int64_t *ms)
{
    *ms = json_integer_value(json_object_get(root, key));

    return *ms <= 0 || *ms > (int64_t) 30 * 86400 * 1000;
}
