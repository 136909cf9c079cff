
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "lr_crc64.h"
#include "lr_dir.h"
#include "lr_dir_parts.h"
#include "lr_direct.h"


/* no file system that could use it has larger blocks */
#define LR_DIR_ALIGN_MAX  65536

#define LR_DIR_COPY       (1024 * 1024 * 1024)


typedef struct {
    char        path[LR_DIR_PATH];
    char        part[LR_DIR_PATH];
    char        head[LR_DIR_PATH];
    char        copy[LR_DIR_PATH];
} lr_dir_names_t;


static int lr_dir_media(lr_dir_upload_t *u, lr_dir_names_t *names,
    uint64_t offset, lr_body_t *body);
static int lr_dir_head(lr_dir_upload_t *u, lr_dir_names_t *names,
    uint64_t offset, lr_body_t *body);
static int lr_dir_head_open(lr_dir_upload_t *u, lr_dir_names_t *names,
    uint64_t offset, uint64_t length);
static int lr_dir_room(int fd, uint64_t offset, uint64_t length);
static int lr_dir_room_mend(int fd, uint64_t offset, uint64_t length);
static int lr_dir_front(lr_dir_upload_t *u, lr_dir_names_t *names, int from,
    uint64_t offset, lr_body_t *body);
static int lr_dir_copy(int to, int from, uint64_t n);
static int lr_dir_end(lr_dir_upload_t *u, int fd, lr_body_t *body,
    uint64_t size);
static int lr_dir_named(lr_dir_upload_t *u, char *path);
static int lr_dir_names(lr_dir_upload_t *u, const char *upload,
    lr_dir_names_t *names);
static int lr_dir_remove(lr_dir_upload_t *u, const lr_dir_names_t *names);
static int lr_dir_size(const char *path, uint64_t *size);
static int lr_dir_missing(lr_dir_upload_t *u);
static int lr_dir_gone(lr_dir_upload_t *u, const char *why);
static int lr_dir_exists(lr_dir_upload_t *u, const char *key);
static int lr_dir_unread(lr_dir_upload_t *u);
static int lr_dir_failed(lr_dir_upload_t *u);


int
lr_dir_begin(lr_dir_upload_t *u, const char *tag, lr_buf_t *id,
    uint32_t *align)
{
    int             fd;
    size_t          len;
    const char     *name;
    struct stat     st;
    struct statfs   fs;
    lr_dir_names_t  names;

    name = strrchr(u->key, '/');
    name = name ? name + 1 : u->key;
    len = id->len;

    u->local = 0;

    if (stat(u->root, &st) == -1) {
        return lr_dir_failed(u);
    }

    /*
     * The name itself may be as long as a name can be.  The root is in it
     * so that what waits in a file system which is not mounted for a while
     * is not taken for gone.
     */

    lr_buf_printf(id, ".%s.%016llx.%llx", tag,
                  (unsigned long long) lr_crc64_update(0, name,
                                                       strlen(name)),
                  (unsigned long long) st.st_ino);
    lr_buf_append(id, "", 1);

    if (id->failed) {
        errno = ENOMEM;
        return lr_dir_failed(u);
    }

    id->len--;

    if (lr_dir_names(u, (char *) id->data + len, &names) != LR_OK) {
        return lr_dir_failed(u);
    }

    if (u->keep) {
        if (lstat(names.path, &st) == 0) {
            return lr_dir_exists(u, u->key);
        }

        if (errno != ENOENT) {
            return lr_dir_failed(u);
        }
    }

    if (lr_dir_remove(u, &names) != LR_OK) {
        return lr_dir_failed(u);
    }

    fd = lr_dir_create(names.part, strlen(u->root), u->fsync);

    if (fd == -1) {
        return lr_dir_failed(u);
    }

    *align = 0;

    if (fstatfs(fd, &fs) == 0 && fs.f_bsize > 0
        && fs.f_bsize <= LR_DIR_ALIGN_MAX)
    {
        *align = (uint32_t) fs.f_bsize;
    }

    close(fd);

    if (u->fsync && lr_dir_sync(names.part) != LR_OK) {
        return lr_dir_failed(u);
    }

    return LR_OK;
}


int
lr_dir_part(lr_dir_upload_t *u, uint32_t number, uint64_t offset,
    lr_body_t *body)
{
    lr_dir_names_t  names;

    if (lr_dir_names(u, u->upload, &names) != LR_OK) {
        return lr_dir_failed(u);
    }

    if (body->size == 0) {
        errno = ENODATA;
        return lr_dir_unread(u);
    }

    return number == 1 ? lr_dir_head(u, &names, offset, body)
                       : lr_dir_media(u, &names, offset, body);
}


static int
lr_dir_media(lr_dir_upload_t *u, lr_dir_names_t *names, uint64_t offset,
    lr_body_t *body)
{
    int          fd, rc;
    uint64_t     size;
    struct stat  st;

    fd = open(names->part, O_WRONLY|O_CLOEXEC);

    if (fd == -1) {
        if (errno != ENOENT) {
            return lr_dir_failed(u);
        }

        /*
         * All parts had come when the head was begun.  What says so may
         * have been lost with the power, while the file was not.
         */

        rc = lr_dir_size(names->head, &size);

        if (rc != LR_OK) {
            return rc == LR_DECLINED ? lr_dir_missing(u) : lr_dir_failed(u);
        }

        return size >= offset + body->size
               ? LR_OK : lr_dir_gone(u, "its working file is too short");
    }

    if (fstat(fd, &st) == -1) {
        rc = lr_dir_failed(u);
        goto done;
    }

    if ((uint64_t) st.st_size < offset) {
        rc = lr_dir_gone(u, "its working file is too short");
        goto done;
    }

    /* what a dead try has left */

    if (ftruncate(fd, (off_t) offset) == -1
        || lseek(fd, (off_t) offset, SEEK_SET) == -1)
    {
        rc = lr_dir_failed(u);
        goto done;
    }

    rc = lr_dir_body(fd, body, body->size);

    if (rc == LR_OK) {
        rc = lr_dir_end(u, fd, body, offset + body->size);
    }

    if (rc != LR_OK) {
        rc = rc == LR_DECLINED ? lr_dir_unread(u) : lr_dir_failed(u);

        /* a full disk gets its room back */

        if (ftruncate(fd, (off_t) offset) == -1) {
            rc = LR_ERROR;
        }
    }

done:

    if (close(fd) == -1 && rc == LR_OK) {
        rc = lr_dir_failed(u);
    }

    return rc;
}


static int
lr_dir_head(lr_dir_upload_t *u, lr_dir_names_t *names, uint64_t offset,
    lr_body_t *body)
{
    int  fd, rc;

    fd = lr_dir_head_open(u, names, offset, body->size);

    if (fd < 0) {
        return fd;
    }

    rc = lr_dir_room(fd, offset, body->size);

    if (rc == LR_DECLINED) {
        rc = lr_dir_front(u, names, fd, offset, body);
        goto done;
    }

    if (rc == LR_AGAIN) {
        rc = lr_dir_gone(u, "its working file has lost its end");
        goto done;
    }

    if (rc != LR_OK || lseek(fd, 0, SEEK_SET) == -1) {
        rc = lr_dir_failed(u);
        goto done;
    }

    rc = lr_dir_body(fd, body, body->size);

    if (rc == LR_DECLINED) {
        rc = lr_dir_unread(u);

    } else if (rc != LR_OK
               || lr_dir_end(u, fd, body, offset + body->size) != LR_OK
               || (u->fsync && lr_dir_sync(names->head) != LR_OK))
    {
        rc = lr_dir_failed(u);
    }

done:

    if (close(fd) == -1 && rc == LR_OK) {
        rc = lr_dir_failed(u);
    }

    return rc;
}


/*
 * Renamed before it is changed: from then on, what is at an offset of the
 * media is known from the length only, and no part may be written any more.
 */

static int
lr_dir_head_open(lr_dir_upload_t *u, lr_dir_names_t *names, uint64_t offset,
    uint64_t length)
{
    int       fd, rc;
    uint64_t  size;

    rc = lr_dir_size(names->part, &size);

    if (rc == LR_OK) {
        if (size < offset) {
            return lr_dir_gone(u, "its working file is too short");
        }

        if ((size > offset && truncate(names->part, (off_t) offset) == -1)
            || rename(names->part, names->head) == -1)
        {
            return lr_dir_failed(u);
        }
    }

    if (rc != LR_ERROR) {
        rc = lr_dir_size(names->head, &size);
    }

    if (rc != LR_OK) {
        return rc == LR_DECLINED ? lr_dir_missing(u) : lr_dir_failed(u);
    }

    if (offset ? size != offset && size != offset + length : size > length) {
        return lr_dir_gone(u, "its working file has another length");
    }

    fd = open(names->head, O_RDWR|O_CLOEXEC);

    return fd != -1 ? fd : lr_dir_failed(u);
}


/*
 * Makes room in front of the media, which the file's length tells.  LR_AGAIN
 * when the media is not there; LR_DECLINED when the file system cannot, or
 * not for this length.
 */

static int
lr_dir_room(int fd, uint64_t offset, uint64_t length)
{
    int          rc;
    struct stat  st;

    if (offset == 0) {
        return LR_OK;
    }

    if (fstat(fd, &st) == -1) {
        return LR_ERROR;
    }

    if ((uint64_t) st.st_size != offset) {

        rc = lr_dir_room_mend(fd, offset, length);

        if (rc != LR_DECLINED) {
            return rc;
        }
    }

    if (fallocate(fd, FALLOC_FL_INSERT_RANGE, 0, (off_t) length) == 0) {
        return LR_OK;
    }

    switch (errno) {

    case EOPNOTSUPP:
    case ENOSYS:
    case EINVAL:
    case EPERM:
        return LR_DECLINED;

    default:
        return LR_ERROR;
    }
}


/*
 * File systems make a file longer first and then move its extents, the last
 * one first.  If that fails or the power is lost, the room is somewhere else
 * in the file: there is a hole of its length, which is taken out.  LR_OK:
 * the room is in front; LR_DECLINED: now there is none.
 */

static int
lr_dir_room_mend(int fd, uint64_t offset, uint64_t length)
{
    off_t  hole, data;

    hole = lseek(fd, 0, SEEK_HOLE);

    /* one in front is the head's, or some of it is written */

    if (hole <= 0 || (uint64_t) hole == offset + length) {
        return LR_OK;
    }

    data = lseek(fd, hole, SEEK_DATA);

    if (data == -1) {
        if (errno != ENXIO) {
            return LR_OK;
        }

        if ((uint64_t) hole < offset) {
            return LR_AGAIN;
        }

        return ftruncate(fd, (off_t) offset) == 0 ? LR_DECLINED : LR_ERROR;
    }

    if ((uint64_t) (data - hole) != length) {
        return LR_OK;
    }

    return fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, hole, (off_t) length) == 0
           ? LR_DECLINED : LR_ERROR;
}


/* another file with the head in front of the media, instead of the first */

static int
lr_dir_front(lr_dir_upload_t *u, lr_dir_names_t *names, int from,
    uint64_t offset, lr_body_t *body)
{
    int  fd, rc;

    fd = lr_dir_create(names->copy, strlen(u->root), u->fsync);

    if (fd == -1) {
        return lr_dir_failed(u);
    }

    rc = lr_dir_body(fd, body, body->size);

    if (rc == LR_DECLINED) {
        rc = lr_dir_unread(u);
        goto failed;
    }

    if (rc != LR_OK
        || lr_dir_copy(fd, from, offset) != LR_OK
        || lr_dir_end(u, fd, body, offset + body->size) != LR_OK)
    {
        rc = lr_dir_failed(u);
        goto failed;
    }

    rc = close(fd);
    fd = -1;

    if (rc == -1 || rename(names->copy, names->head) == -1
        || (u->fsync && lr_dir_sync(names->head) != LR_OK))
    {
        rc = lr_dir_failed(u);
        goto failed;
    }

    return LR_OK;

failed:

    if (fd != -1) {
        close(fd);
    }

    (void) unlink(names->copy);

    return rc;
}


/* appends the first n bytes of another file, by sharing them if possible */

static int
lr_dir_copy(int to, int from, uint64_t n)
{
    int          err;
    off_t        at;
    u_char      *buf;
    ssize_t      got;
    lr_direct_t  plain;

    at = 0;

    while (n) {
        got = copy_file_range(from, &at, to, NULL,
                              n < LR_DIR_COPY ? (size_t) n : LR_DIR_COPY, 0);

        if (got <= 0) {
            break;
        }

        n -= (uint64_t) got;
    }

    if (n == 0) {
        return LR_OK;
    }

    /* whatever it was, reading and writing will tell */

    if (lr_direct_begin(&plain, to, 0) != LR_OK) {
        return LR_ERROR;
    }

    buf = malloc(LR_DIR_ALIGN_MAX);

    if (buf == NULL) {
        errno = ENOMEM;
        return LR_ERROR;
    }

    while (n) {
        got = pread(from, buf,
                    n < LR_DIR_ALIGN_MAX ? (size_t) n : LR_DIR_ALIGN_MAX, at);

        if (got == 0) {
            errno = EIO;
        }

        if (got <= 0 || lr_direct_write(&plain, buf, (size_t) got) != LR_OK) {
            break;
        }

        at += got;
        n -= (uint64_t) got;
    }

    err = errno;
    free(buf);
    errno = err;

    return n == 0 ? LR_OK : LR_ERROR;
}


/* all of a part, no more and no less, is at the end of a file or its front */

static int
lr_dir_end(lr_dir_upload_t *u, int fd, lr_body_t *body, uint64_t size)
{
    struct stat  st;

    if (fstat(fd, &st) == -1) {
        return LR_ERROR;
    }

    if (body->done != body->size || (uint64_t) st.st_size != size) {
        errno = EIO;
        return LR_ERROR;
    }

    return u->fsync && fdatasync(fd) == -1 ? LR_ERROR : LR_OK;
}


int
lr_dir_complete(lr_dir_upload_t *u, uint64_t size)
{
    int             fd, rc;
    uint64_t        n;
    lr_dir_names_t  names;

    if (lr_dir_names(u, u->upload, &names) != LR_OK) {
        return lr_dir_failed(u);
    }

    rc = lr_dir_size(names.head, &n);

    if (rc == LR_DECLINED) {

        /* it was given its name, and that was not heard of */

        rc = lr_dir_size(names.path, &n);

        if (rc == LR_OK && n == size) {
            return lr_dir_named(u, names.path);
        }

        if (rc != LR_ERROR) {
            return lr_dir_missing(u);
        }
    }

    if (rc != LR_OK) {
        return lr_dir_failed(u);
    }

    if (n != size) {
        return lr_dir_gone(u, "its working file has another length");
    }

    if (u->fsync) {
        fd = open(names.head, O_RDONLY|O_CLOEXEC);

        if (fd == -1) {
            return lr_dir_failed(u);
        }

        if (fdatasync(fd) == -1) {
            rc = lr_dir_failed(u);
        }

        close(fd);

        if (rc != LR_OK) {
            return rc;
        }
    }

    rc = lr_dir_name(names.head, names.path, u->keep, u->fsync);

    if (rc != LR_OK) {
        return rc == LR_DECLINED ? lr_dir_exists(u, u->key)
                                 : lr_dir_failed(u);
    }

    (void) unlink(names.head);

    return LR_OK;
}


/* a file has got its name before, which may not have been made to last */

static int
lr_dir_named(lr_dir_upload_t *u, char *path)
{
    return u->fsync && lr_dir_sync(path) != LR_OK ? lr_dir_failed(u) : LR_OK;
}


int
lr_dir_abort(lr_dir_upload_t *u)
{
    lr_dir_names_t  names;

    if (lr_dir_names(u, u->upload, &names) != LR_OK
        || lr_dir_remove(u, &names) != LR_OK)
    {
        return lr_dir_failed(u);
    }

    return LR_OK;
}


int
lr_dir_move(lr_dir_upload_t *u, const char *to, uint64_t size,
    unsigned *left)
{
    int       rc;
    char      path[LR_DIR_PATH], other[LR_DIR_PATH];
    uint64_t  n;

    u->error = 0;
    u->local = 0;
    *left = 0;

    if (lr_dir_path(path, u->root, u->key) != LR_OK
        || lr_dir_path(other, u->root, to) != LR_OK)
    {
        return lr_dir_failed(u);
    }

    rc = lr_dir_size(path, &n);

    if (rc == LR_DECLINED) {

        rc = lr_dir_size(other, &n);

        if (rc == LR_OK && n == size) {
            return lr_dir_named(u, other);
        }

        if (rc != LR_ERROR) {
            return lr_dir_missing(u);
        }
    }

    if (rc != LR_OK) {
        return lr_dir_failed(u);
    }

    if (n != size) {
        return lr_dir_gone(u, "it has another length");
    }

    if (strcmp(path, other) == 0) {
        return LR_OK;
    }

    if (lr_dir_make(other, strlen(u->root), u->fsync) != LR_OK) {
        return lr_dir_failed(u);
    }

    rc = lr_dir_name(path, other, u->keep, u->fsync);

    if (rc != LR_OK) {
        return rc == LR_DECLINED ? lr_dir_exists(u, to) : lr_dir_failed(u);
    }

    if (unlink(path) == -1 && errno != ENOENT) {
        *left = 1;
        snprintf(u->err, u->size, "\"%s\" could not be removed from \"%s\" "
                 "(%d: %s)", u->key, u->root, errno, strerror(errno));
    }

    return LR_OK;
}


static int
lr_dir_names(lr_dir_upload_t *u, const char *upload, lr_dir_names_t *names)
{
    int  n, len;

    u->error = 0;
    u->local = 0;

    if (lr_dir_path(names->path, u->root, u->key) != LR_OK) {
        return LR_ERROR;
    }

    if (upload[0] != '.' || strchr(upload, '/') != NULL) {
        errno = EINVAL;
        return LR_ERROR;
    }

    len = (int) (strrchr(names->path, '/') + 1 - names->path);

    (void) snprintf(names->part, LR_DIR_PATH, "%.*s%s.part", len,
                    names->path, upload);
    (void) snprintf(names->head, LR_DIR_PATH, "%.*s%s.head", len,
                    names->path, upload);

    n = snprintf(names->copy, LR_DIR_PATH, "%.*s%s.copy", len, names->path,
                 upload);

    if (n < 0 || n >= LR_DIR_PATH) {
        errno = ENAMETOOLONG;
        return LR_ERROR;
    }

    return LR_OK;
}


static int
lr_dir_remove(lr_dir_upload_t *u, const lr_dir_names_t *names)
{
    unsigned     i;
    const char  *path;
    struct stat  st;

    for (i = 0; i < 3; i++) {
        path = i == 0 ? names->copy : i == 1 ? names->head : names->part;

        if (unlink(path) == -1 && errno != ENOENT && errno != ENOTDIR) {
            return LR_ERROR;
        }
    }

    return stat(u->root, &st) == 0 ? LR_OK : LR_ERROR;
}


/* LR_DECLINED: there is no such file */

static int
lr_dir_size(const char *path, uint64_t *size)
{
    struct stat  st;

    if (lstat(path, &st) == -1) {
        return errno == ENOENT || errno == ENOTDIR ? LR_DECLINED : LR_ERROR;
    }

    if (!S_ISREG(st.st_mode)) {
        return LR_DECLINED;
    }

    *size = (uint64_t) st.st_size;

    return LR_OK;
}


/* where there is no root, nothing is known to be gone */

static int
lr_dir_missing(lr_dir_upload_t *u)
{
    const char   *ino;
    struct stat   st;

    if (stat(u->root, &st) == -1) {
        return lr_dir_failed(u);
    }

    ino = u->upload ? strrchr(u->upload, '.') : NULL;

    if (ino && strtoull(ino + 1, NULL, 16) != st.st_ino) {
        u->error = ESTALE;
        snprintf(u->err, u->size, "\"%s\" was begun in another directory than "
                 "what is \"%s\" now: put that back, or mount it", u->key,
                 u->root);
        return LR_ERROR;
    }

    return lr_dir_gone(u, "there is no such file");
}


static int
lr_dir_gone(lr_dir_upload_t *u, const char *why)
{
    snprintf(u->err, u->size, "\"%s\" is gone from \"%s\": %s", u->key,
             u->root, why);

    return LR_AGAIN;
}


static int
lr_dir_exists(lr_dir_upload_t *u, const char *key)
{
    snprintf(u->err, u->size, "there is another \"%s\" in \"%s\"", key,
             u->root);

    return LR_DECLINED;
}


static int
lr_dir_unread(lr_dir_upload_t *u)
{
    u->error = errno;
    u->local = errno;

    snprintf(u->err, u->size, "the media of \"%s\" could not be read "
             "(%d: %s)", u->key, u->error, strerror(u->error));

    return LR_ERROR;
}


static int
lr_dir_failed(lr_dir_upload_t *u)
{
    u->error = errno;

    snprintf(u->err, u->size, "\"%s\" could not be stored in \"%s\" "
             "(%d: %s)", u->key, u->root, u->error, strerror(u->error));

    return LR_ERROR;
}
