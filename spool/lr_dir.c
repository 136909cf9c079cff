
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lr_dir.h"
#include "lr_direct.h"
#include "lr_plain.h"


/* of what goes past the page cache: each is waited for */
#define LR_DIR_PIECE  524288


static int lr_dir_link(const char *temp, const char *path);
static int lr_dir_same(const char *a, const char *b);
static int lr_dir_compare(const void *a, const void *b);


int
lr_dir_put(const char *root, const char *key, const char *tag,
    lr_body_t *body, unsigned keep, unsigned fsync, uint64_t *bytes,
    char *err, size_t size)
{
    int          fd, rc, n, result;
    char         path[LR_DIR_PATH], temp[LR_DIR_PATH];
    char        *name;
    struct stat  st;

    fd = -1;
    temp[0] = '\0';
    result = LR_ERROR;

    if (lr_dir_path(path, root, key) != LR_OK) {
        goto failed;
    }

    name = strrchr(path, '/');

    n = snprintf(temp, sizeof(temp), "%.*s/.%s.part", (int) (name - path),
                 path, tag);

    /* the name itself may be as long as a name can be */

    if (n < 0 || (size_t) n >= sizeof(temp)) {
        errno = ENAMETOOLONG;
        temp[0] = '\0';
        goto failed;
    }

    fd = lr_dir_create(temp, strlen(root), fsync);

    if (fd == -1) {
        goto failed;
    }

    rc = lr_dir_body(fd, body, UINT64_MAX);

    /* its head says where everything is */

    if (rc == LR_OK && body->kind == LR_BODY_FILE && body->done != body->size)
    {
        errno = EIO;
        rc = LR_DECLINED;
    }

    if (rc != LR_OK) {
        result = rc == LR_DECLINED ? LR_AGAIN : LR_ERROR;
        goto failed;
    }

    *bytes = body->done;

    if (fstat(fd, &st) == -1) {
        goto failed;
    }

    if ((uint64_t) st.st_size != body->done) {
        errno = EIO;
        goto failed;
    }

    if (fsync && fdatasync(fd) == -1) {
        goto failed;
    }

    rc = close(fd);
    fd = -1;

    if (rc == -1) {
        goto failed;
    }

    rc = lr_dir_name(temp, path, keep, fsync);

    if (rc == LR_ERROR) {
        goto failed;
    }

    (void) unlink(temp);

    return rc;

failed:

    rc = errno;

    if (result == LR_AGAIN) {
        snprintf(err, size, "the media of \"%s\" could not be read (%d: %s)",
                 key, errno, strerror(errno));

    } else {
        snprintf(err, size, "\"%s\" could not be stored in \"%s\" (%d: %s)",
                 key, root, errno, strerror(errno));
    }

    if (fd != -1) {
        close(fd);
    }

    if (temp[0]) {
        (void) unlink(temp);
    }

    errno = rc;

    return result;
}


int
lr_dir_path(char *path, const char *root, const char *key)
{
    int  n;

    n = snprintf(path, LR_DIR_PATH, "%s/%s", root, key);

    if (n < 0 || n >= LR_DIR_PATH) {
        errno = ENAMETOOLONG;
        return LR_ERROR;
    }

    return LR_OK;
}


int
lr_dir_create(char *path, size_t root, unsigned fsync)
{
    int  fd;

    fd = open(path, O_RDWR|O_CREAT|O_EXCL|O_CLOEXEC, 0644);

    if (fd == -1 && errno == EEXIST) {

        /* one that was left behind may be an object by another name */

        (void) unlink(path);

        fd = open(path, O_RDWR|O_CREAT|O_EXCL|O_CLOEXEC, 0644);
    }

    if (fd == -1 && errno == ENOENT
        && lr_dir_make(path, root, fsync) == LR_OK)
    {
        fd = open(path, O_RDWR|O_CREAT|O_EXCL|O_CLOEXEC, 0644);
    }

    return fd;
}


int
lr_dir_make(char *path, size_t root, unsigned fsync)
{
    int    rc;
    char  *p;

    for (p = path + root + 1; *p; p++) {

        if (*p != '/') {
            continue;
        }

        *p = '\0';

        rc = mkdir(path, 0755);

        if (rc == 0 && fsync) {
            rc = lr_dir_sync(path);

        } else if (rc == -1 && errno == EEXIST) {
            rc = 0;
        }

        *p = '/';

        if (rc != 0) {
            return LR_ERROR;
        }
    }

    return LR_OK;
}


int
lr_dir_body(int fd, lr_body_t *body, uint64_t max)
{
    int          rc, media;
    size_t       len;
    u_char      *p;
    lr_direct_t  direct;

    media = body->kind != LR_BODY_TEXT;

    if (lr_direct_begin(&direct, fd, media && body->direct) != LR_OK) {
        return LR_ERROR;
    }

    /* the first piece ends with a block of the file, so the others fit */

    if (direct.able
        && lr_body_pieces(body,
                          -(size_t) direct.offset & (LR_DIRECT_ALIGN - 1),
                          body->pace ? LR_BODY_PIECE : LR_DIR_PIECE,
                          LR_DIRECT_ALIGN)
           != LR_OK)
    {
        return LR_DECLINED;
    }

    for ( ;; ) {
        rc = lr_body_next(body, &p, &len);

        if (rc == LR_DECLINED) {
            break;
        }

        if (rc != LR_OK) {
            return LR_DECLINED;
        }

        if (body->done > max) {
            errno = EIO;
            return LR_ERROR;
        }

        if (body->pace && media) {
            body->pace(body->pace_data, len);
        }

        if (lr_direct_write(&direct, p, len) != LR_OK) {
            return LR_ERROR;
        }
    }

    if (body->done == 0) {
        errno = ENODATA;
        return LR_DECLINED;
    }

    return lr_direct_end(&direct);
}


int
lr_dir_name(const char *temp, char *path, unsigned keep, unsigned fsync)
{
    int  rc;

    if (keep) {
        rc = lr_dir_link(temp, path);

    } else {
        rc = rename(temp, path) == 0 ? LR_OK : LR_ERROR;
    }

    if (rc == LR_OK && fsync) {
        rc = lr_dir_sync(path);
    }

    return rc;
}


/*
 * Gives a file its name where there is none, or one with the same bytes.
 * Not every kernel and file system has a rename() that takes no name from
 * another file; link() takes none either, and is a change of the directory
 * more.
 */

static int
lr_dir_link(const char *temp, const char *path)
{
    struct stat  st;

#ifdef RENAME_NOREPLACE

    if (renameat2(AT_FDCWD, temp, AT_FDCWD, path, RENAME_NOREPLACE) == 0) {
        return LR_OK;
    }

    if (errno == EEXIST) {
        return lr_dir_same(temp, path);
    }

#endif

    if (link(temp, path) == 0) {
        return LR_OK;
    }

    if (errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS) {

        /* a file system without links */

        if (lstat(path, &st) == -1) {
            return errno == ENOENT && rename(temp, path) == 0 ? LR_OK
                                                              : LR_ERROR;
        }

        errno = EEXIST;
    }

    return errno == EEXIST ? lr_dir_same(temp, path) : LR_ERROR;
}


/*
 * LR_OK when two files hold the same bytes, LR_DECLINED when not, or b is
 * no file; LR_ERROR with errno when that could not be seen.
 */

static int
lr_dir_same(const char *a, const char *b)
{
    int          fa, fb, rc, err;
    u_char      *buf;
    ssize_t      n, m;
    struct stat  sa, sb;

    if (stat(a, &sa) == -1 || lstat(b, &sb) == -1) {
        return LR_ERROR;
    }

    if (!S_ISREG(sb.st_mode) || sa.st_size != sb.st_size) {
        return LR_DECLINED;
    }

    if (sa.st_ino == sb.st_ino && sa.st_dev == sb.st_dev) {
        return LR_OK;
    }

    rc = LR_ERROR;
    fa = open(a, O_RDONLY|O_CLOEXEC);
    fb = open(b, O_RDONLY|O_CLOEXEC);
    buf = malloc(131072);

    if (fa == -1 || fb == -1 || buf == NULL) {
        goto done;
    }

    for ( ;; ) {
        n = read(fa, buf, 65536);
        m = read(fb, buf + 65536, 65536);

        if (n < 0 || m < 0) {
            break;
        }

        if (n != m || memcmp(buf, buf + 65536, (size_t) n) != 0) {
            rc = LR_DECLINED;
            break;
        }

        if (n == 0) {
            rc = LR_OK;
            break;
        }
    }

done:

    err = errno;

    if (fa != -1) {
        close(fa);
    }

    if (fb != -1) {
        close(fb);
    }

    free(buf);
    errno = err;

    return rc;
}


int
lr_dir_sync(char *path)
{
    int    fd, rc;
    char  *p;

    p = strrchr(path, '/');
    *p = '\0';

    fd = open(path, O_RDONLY|O_DIRECTORY|O_CLOEXEC);
    *p = '/';

    if (fd == -1) {
        return LR_ERROR;
    }

    rc = fsync(fd);
    close(fd);

    return rc == 0 ? LR_OK : LR_ERROR;
}


int
lr_dir_get(const char *root, const char *key, size_t first, size_t max,
    lr_buf_t *out, char *err, size_t size)
{
    int          fd;
    char         path[LR_DIR_PATH];
    size_t       len;
    ssize_t      n;
    struct stat  st;

    fd = -1;

    if (lr_dir_path(path, root, key) != LR_OK) {
        goto failed;
    }

    fd = lr_plain_open(path, O_RDONLY);

    if (fd == -1) {
        if (errno == ENOENT || errno == ENOTDIR) {
            return LR_DECLINED;
        }

        goto failed;
    }

    if (fstat(fd, &st) == -1) {
        goto failed;
    }

    if (first == 0 && (uint64_t) st.st_size > max) {
        errno = EFBIG;
        goto failed;
    }

    len = first ? first : (size_t) st.st_size;

    if (lr_buf_reserve(out, len + 1) != LR_OK) {
        errno = ENOMEM;
        goto failed;
    }

    for ( ;; ) {
        n = read(fd, out->data + out->len, out->size - out->len);

        if (n == -1) {
            goto failed;
        }

        if (n == 0 || (out->len += (size_t) n) == out->size) {
            break;
        }
    }

    close(fd);

    return LR_OK;

failed:

    snprintf(err, size, "\"%s\" could not be read from \"%s\" (%d: %s)", key,
             root, errno, strerror(errno));

    if (fd != -1) {
        close(fd);
    }

    return LR_ERROR;
}


int
lr_dir_delete(const char *root, const char *key, unsigned fsync, char *err,
    size_t size)
{
    int   rc;
    char  path[LR_DIR_PATH];

    rc = lr_dir_path(path, root, key);

    if (rc == LR_OK && unlink(path) == -1) {
        if (errno == ENOENT || errno == ENOTDIR) {
            return LR_OK;
        }

        rc = LR_ERROR;
    }

    if (rc == LR_OK && fsync) {
        rc = lr_dir_sync(path);
    }

    if (rc != LR_OK) {
        snprintf(err, size, "\"%s\" could not be removed from \"%s\" "
                 "(%d: %s)", key, root, errno, strerror(errno));
    }

    return rc;
}


int
lr_dir_list(const char *root, const char *prefix, const char *after,
    lr_buf_t *out, char *err, size_t size)
{
    int              rc, err_no;
    DIR             *d;
    char             path[LR_DIR_PATH];
    char           **names, **more;
    size_t           n, i, nalloc, len;
    struct stat      st;
    struct dirent   *de;

    if (lr_dir_path(path, root, prefix) != LR_OK) {
        snprintf(err, size, "the key \"%s\" is too long", prefix);
        return LR_ERROR;
    }

    d = opendir(path);

    if (d == NULL) {
        if (errno == ENOENT || errno == ENOTDIR) {
            return LR_OK;
        }

        snprintf(err, size, "\"%s\" could not be listed (%d: %s)", path,
                 errno, strerror(errno));
        return LR_ERROR;
    }

    len = strlen(prefix);
    names = NULL;
    n = 0;
    nalloc = 0;

    rc = strncmp(after, prefix, len);

    for ( ;; ) {
        errno = 0;
        de = readdir(d);

        if (de == NULL) {
            break;
        }

        if (de->d_name[0] == '.' || rc > 0
            || (rc == 0 && strcmp(de->d_name, after + len) <= 0))
        {
            continue;
        }

        if (n == nalloc) {
            nalloc = nalloc ? nalloc * 2 : 64;
            more = realloc(names, nalloc * sizeof(char *));

            if (more == NULL) {
                out->failed = 1;
                break;
            }

            names = more;
        }

        names[n] = strdup(de->d_name);

        if (names[n] == NULL) {
            out->failed = 1;
            break;
        }

        n++;
    }

    err_no = out->failed ? ENOMEM : errno;

    closedir(d);

    if (n) {
        qsort(names, n, sizeof(char *), lr_dir_compare);
    }

    for (i = 0; i < n; i++) {

        rc = snprintf(path, sizeof(path), "%s/%s%s", root, prefix, names[i]);

        if (rc > 0 && (size_t) rc < sizeof(path) && stat(path, &st) == 0
            && S_ISREG(st.st_mode))
        {
            lr_buf_printf(out, "%s%s%c%lld-%lld.%09ld-%llu%c", prefix,
                          names[i], 0, (long long) st.st_size,
                          (long long) st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
                          (unsigned long long) st.st_ino, 0);
        }

        free(names[i]);
    }

    free(names);

    if (out->failed) {
        err_no = ENOMEM;
    }

    if (err_no) {
        snprintf(err, size, "\"%s/%s\" could not be listed (%d: %s)", root,
                 prefix, err_no, strerror(err_no));
        errno = err_no;
        return LR_ERROR;
    }

    return LR_OK;
}


static int
lr_dir_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}
