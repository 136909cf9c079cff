
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lr_journal.h"
#include "lr_plain.h"


static int lr_journal_trim(int fd);
static int lr_journal_line(const char *line, size_t n, lr_journal_pt handler,
    void *data, char *err, size_t size);


int
lr_journal_open(const char *path, int create)
{
    int          fd, rc;
    struct stat  here, there;

    fd = lr_plain_open(path, O_RDWR|O_APPEND|(create ? O_CREAT : 0));

    if (fd == -1) {
        return -1;
    }

    if (flock(fd, LOCK_EX|LOCK_NB) == -1) {
        goto failed;
    }

    /* whoever had the lock may have removed or moved the file */

    if (fstat(fd, &here) == -1 || stat(path, &there) == -1) {
        goto failed;
    }

    if (here.st_ino != there.st_ino || here.st_dev != there.st_dev) {
        errno = ENOENT;
        goto failed;
    }

    if (lr_journal_trim(fd) == LR_OK) {
        return fd;
    }

failed:

    rc = errno;
    close(fd);
    errno = rc;

    return -1;
}


/* the time of the last write is kept: it tells when a writer died */

static int
lr_journal_trim(int fd)
{
    off_t            end, pos;
    char             buf[4096];
    size_t           len;
    ssize_t          n;
    struct stat      st;
    struct timespec  times[2];

    end = lseek(fd, 0, SEEK_END);

    if (end == -1 || fstat(fd, &st) == -1) {
        return LR_ERROR;
    }

    pos = end;

    while (pos > 0) {
        len = pos < (off_t) sizeof(buf) ? (size_t) pos : sizeof(buf);

        n = pread(fd, buf, len, pos - (off_t) len);

        if (n != (ssize_t) len) {
            errno = n == -1 ? errno : EIO;
            return LR_ERROR;
        }

        while (len && buf[len - 1] != '\n') {
            len--;
            pos--;
        }

        if (len) {
            break;
        }

        /* there is no such line, and there may be no end of it */

        if (end - pos > LR_JOURNAL_LINE_MAX) {
            errno = ENODATA;
            return LR_ERROR;
        }
    }

    if (pos == end) {
        return LR_OK;
    }

    if (ftruncate(fd, pos) == -1) {
        return LR_ERROR;
    }

    times[0] = st.st_atim;
    times[1] = st.st_mtim;
    (void) futimens(fd, times);

    return LR_OK;
}


int
lr_journal_write(int fd, const char *event, json_t *object)
{
    int      rc;
    char    *text;
    off_t    end;
    json_t  *line;
    ssize_t  n;
    size_t   len;

    line = json_pack("{s:s}", "event", event);

    if (line == NULL || object == NULL
        || json_object_update(line, object) == -1)
    {
        json_decref(line);
        json_decref(object);
        errno = ENOMEM;
        return LR_ERROR;
    }

    text = json_dumps(line, JSON_COMPACT|JSON_PRESERVE_ORDER);

    json_decref(line);
    json_decref(object);

    if (text == NULL) {
        errno = ENOMEM;
        return LR_ERROR;
    }

    len = strlen(text);
    text[len++] = '\n';

    if (len > LR_JOURNAL_LINE_MAX) {
        free(text);
        errno = EMSGSIZE;
        return LR_ERROR;
    }

    end = lseek(fd, 0, SEEK_END);
    n = end == -1 ? -1 : write(fd, text, len);
    rc = errno;

    free(text);

    if (n == (ssize_t) len) {
        return LR_OK;
    }

    if (n > 0) {
        rc = ENOSPC;

        if (ftruncate(fd, end) == -1) {
            rc = errno;
        }
    }

    errno = rc;

    return LR_ERROR;
}


int
lr_journal_read(const char *path, uint64_t *offset, lr_journal_pt handler,
    void *data, char *err, size_t size)
{
    int      fd, rc;
    char    *p, *nl;
    ssize_t  n;
    size_t   have;
    char    *buf;

    fd = lr_plain_open(path, O_RDONLY);

    if (fd == -1) {
        snprintf(err, size, "open() \"%s\" failed (%d: %s)", path, errno,
                 strerror(errno));
        return errno == ENODATA ? LR_DECLINED : LR_ERROR;
    }

    buf = malloc(LR_JOURNAL_LINE_MAX);

    if (buf == NULL) {
        close(fd);
        snprintf(err, size, "no memory");
        errno = ENOMEM;
        return LR_ERROR;
    }

    rc = LR_OK;
    have = 0;

    for ( ;; ) {
        n = pread(fd, buf + have, LR_JOURNAL_LINE_MAX - have,
                  (off_t) (*offset + have));

        if (n == -1) {
            snprintf(err, size, "read() \"%s\" failed", path);
            rc = LR_ERROR;
            break;
        }

        if (n == 0) {
            break;
        }

        have += (size_t) n;
        p = buf;

        for ( ;; ) {
            nl = memchr(p, '\n', have);

            if (nl == NULL) {
                break;
            }

            rc = lr_journal_line(p, (size_t) (nl - p), handler, data, err,
                                 size);

            if (rc != LR_OK) {
                goto done;
            }

            *offset += (size_t) (nl + 1 - p);
            have -= (size_t) (nl + 1 - p);
            p = nl + 1;
        }

        if (have == LR_JOURNAL_LINE_MAX) {
            snprintf(err, size, "a line of \"%s\" is too long", path);
            rc = LR_DECLINED;
            break;
        }

        memmove(buf, p, have);
    }

done:

    free(buf);
    close(fd);

    return rc;
}


static int
lr_journal_line(const char *line, size_t n, lr_journal_pt handler, void *data,
    char *err, size_t size)
{
    int           rc;
    json_t       *object;
    const char   *event;
    json_error_t  je;

    object = json_loadb(line, n, 0, &je);

    if (object == NULL) {
        snprintf(err, size, "a line is not JSON: %s", je.text);

        if (json_error_code(&je) == json_error_out_of_memory) {
            errno = ENOMEM;
            return LR_ERROR;
        }

        return LR_DECLINED;
    }

    event = json_string_value(json_object_get(object, "event"));

    if (event == NULL) {
        snprintf(err, size, "a line has no event");
        rc = LR_DECLINED;

    } else {
        err[0] = '\0';
        errno = 0;
        rc = handler(data, event, object);

        /* nothing is given up for a lack of memory */

        if (rc != LR_OK && errno == ENOMEM) {
            snprintf(err, size, "no memory");
            json_decref(object);
            errno = ENOMEM;
            return LR_ERROR;
        }

        if (rc != LR_OK) {
            rc = LR_DECLINED;

            if (err[0] == '\0') {
                snprintf(err, size, "event \"%.32s\" is not understood",
                         event);
            }
        }
    }

    json_decref(object);

    return rc;
}
