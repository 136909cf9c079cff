
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "lr_history.h"
#include "lr_plain.h"
#include "lr_recording.h"


#define LR_HISTORY_DAY   ((int64_t) 86400000)
#define LR_HISTORY_NAME  sizeof("yyyymmdd")


static void lr_history_name(char *name, int64_t ms);
static void lr_history_expire(const char *spool, int64_t now);
static int lr_history_file(const char *path, const lr_history_query_t *query,
    json_t *list, size_t *total);
static int lr_history_fits(const lr_history_query_t *query, json_t *line);
static int lr_history_equal(json_t *line, const char *key,
    const char *value);


int
lr_history_append(const char *spool, int64_t now, json_t *line)
{
    int          fd, rc;
    char         path[LR_PATH_MAX], name[LR_HISTORY_NAME], *text, *more;
    size_t       len;
    ssize_t      n;
    struct stat  st;

    text = json_dumps(line, JSON_COMPACT|JSON_PRESERVE_ORDER);
    json_decref(line);

    if (text == NULL) {
        errno = ENOMEM;
        return LR_ERROR;
    }

    len = strlen(text);
    more = realloc(text, len + 2);

    if (more == NULL) {
        free(text);
        errno = ENOMEM;
        return LR_ERROR;
    }

    text = more;
    text[len++] = '\n';

    snprintf(path, sizeof(path), "%s/" LR_HISTORY_DIR, spool);

    if (mkdir(path, 0700) == -1 && errno != EEXIST) {
        free(text);
        return LR_ERROR;
    }

    lr_history_name(name, now);
    snprintf(path, sizeof(path), "%s/" LR_HISTORY_DIR "/%s.log", spool,
             name);

    fd = lr_plain_open(path, O_WRONLY|O_APPEND|O_CREAT);

    if (fd == -1) {
        free(text);
        return LR_ERROR;
    }

    rc = LR_ERROR;

    if (fstat(fd, &st) == -1) {
        goto done;
    }

    if (st.st_size == 0) {
        lr_history_expire(spool, now);
    }

    if (st.st_size + (off_t) len > LR_HISTORY_MAX) {
        rc = LR_DECLINED;
        goto done;
    }

    n = write(fd, text, len);

    if (n == (ssize_t) len) {
        rc = LR_OK;

    } else if (n >= 0) {
        errno = ENOSPC;
    }

done:

    free(text);
    close(fd);

    return rc;
}


static void
lr_history_name(char *name, int64_t ms)
{
    time_t     sec;
    struct tm  tm;

    sec = (time_t) (ms / 1000);
    gmtime_r(&sec, &tm);

    snprintf(name, LR_HISTORY_NAME, "%04d%02d%02d", tm.tm_year + 1900,
             tm.tm_mon + 1, tm.tm_mday);
}


static void
lr_history_expire(const char *spool, int64_t now)
{
    DIR            *d;
    char            path[LR_PATH_MAX], oldest[LR_HISTORY_NAME];
    struct dirent  *de;

    lr_history_name(oldest, now - LR_HISTORY_DAYS * LR_HISTORY_DAY);
    snprintf(path, sizeof(path), "%s/" LR_HISTORY_DIR, spool);

    d = opendir(path);

    while (d && (de = readdir(d)) != NULL) {

        if (strspn(de->d_name, "0123456789") == 8
            && strcmp(de->d_name + 8, ".log") == 0
            && strncmp(de->d_name, oldest, 8) < 0)
        {
            (void) unlinkat(dirfd(d), de->d_name, 0);
        }
    }

    if (d) {
        closedir(d);
    }
}


int
lr_history_read(const char *spool, const lr_history_query_t *query,
    json_t *list, size_t *total)
{
    char     path[LR_PATH_MAX], name[LR_HISTORY_NAME];
    int64_t  day;

    *total = 0;

    for (day = query->from / LR_HISTORY_DAY * LR_HISTORY_DAY;
         day <= query->to;
         day += LR_HISTORY_DAY)
    {
        lr_history_name(name, day);
        snprintf(path, sizeof(path), "%s/" LR_HISTORY_DIR "/%s.log", spool,
                 name);

        if (lr_history_file(path, query, list, total) != LR_OK) {
            return LR_ERROR;
        }
    }

    return LR_OK;
}


static int
lr_history_file(const char *path, const lr_history_query_t *query,
    json_t *list, size_t *total)
{
    int          fd, rc;
    char        *line;
    FILE        *f;
    size_t       size;
    json_t      *o;
    struct stat  st;

    fd = lr_plain_open(path, O_RDONLY);

    if (fd == -1) {
        return errno == ENOENT || errno == ENODATA ? LR_OK : LR_ERROR;
    }

    /* a line that does not end would be read into memory as a whole */

    if (fstat(fd, &st) == 0 && st.st_size > LR_HISTORY_MAX) {
        close(fd);
        return LR_OK;
    }

    f = fdopen(fd, "r");

    if (f == NULL) {
        close(fd);
        return LR_ERROR;
    }

    rc = LR_OK;
    line = NULL;
    size = 0;

    while (rc == LR_OK && getline(&line, &size, f) > 0) {

        o = json_loads(line, 0, NULL);

        if (o && lr_history_fits(query, o)) {

            if (*total >= query->skip
                && *total - query->skip < query->limit
                && json_array_append(list, o) == -1)
            {
                rc = LR_ERROR;
            }

            (*total)++;
        }

        json_decref(o);
    }

    free(line);
    fclose(f);

    return rc;
}


static int
lr_history_fits(const lr_history_query_t *query, json_t *line)
{
    int64_t  time;

    time = json_integer_value(json_object_get(line, "time"));

    return time >= query->from && time <= query->to
           && lr_history_equal(line, "domain", query->domain)
           && lr_history_equal(line, "app", query->app)
           && lr_history_equal(line, "stream", query->stream)
           && lr_history_equal(line, "result", query->result);
}


static int
lr_history_equal(json_t *line, const char *key, const char *value)
{
    const char  *s;

    s = json_string_value(json_object_get(line, key));

    /* domains have no case */

    return value == NULL || (s && (strcmp(key, "domain") == 0
                                   ? strcasecmp(s, value)
                                   : strcmp(s, value)) == 0);
}
