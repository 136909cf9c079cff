
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
#include "lr_owner.h"
#include "lr_recording.h"


/* another one may just be taking it: so often, in ms, it is tried again */

#define LR_OWNER_TRIES  100
#define LR_OWNER_WAIT   20


static int lr_owner_open(const char *spool, uid_t uid);
static int lr_owner_try(int fd, const char *name, unsigned successor,
    char *other);
static int lr_owner_lock(int fd, int how);
static void lr_owner_read(int fd, char *name);
static void lr_owner_write(int fd, const char *name);


int
lr_owner_take(const char *spool, const char *name, unsigned successor,
    uid_t uid, int *fd, char *other)
{
    int       rc, err;
    unsigned  i;

    if (strlen(name) >= LR_PATH_MAX) {
        errno = ENAMETOOLONG;
        return LR_ERROR;
    }

    *fd = lr_owner_open(spool, uid);

    if (*fd == -1) {
        return LR_ERROR;
    }

    rc = LR_AGAIN;
    errno = EWOULDBLOCK;

    for (i = 0; i < LR_OWNER_TRIES && rc == LR_AGAIN; i++) {

        if (i) {
            usleep(LR_OWNER_WAIT * 1000);
        }

        rc = lr_owner_try(*fd, name, successor, other);
    }

    if (rc == LR_OK) {
        return LR_OK;
    }

    err = errno;
    close(*fd);
    *fd = -1;
    errno = err;

    return rc == LR_DECLINED ? LR_DECLINED : LR_ERROR;
}


static int
lr_owner_open(const char *spool, uid_t uid)
{
    int          fd;
    char         path[LR_PATH_MAX];
    struct stat  st;

    snprintf(path, sizeof(path), "%s/" LR_OWNER_FILE, spool);

    fd = open(path, O_RDWR|O_CREAT|O_CLOEXEC|O_NOFOLLOW|O_NONBLOCK, 0644);

    if (fd == -1) {
        return -1;
    }

    if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
        close(fd);
        errno = EINVAL;
        return -1;
    }

    /* who cannot give it away is that user */

    if (uid != (uid_t) -1 && st.st_uid != uid
        && fchown(fd, uid, (gid_t) -1) == -1 && errno != EPERM)
    {
        close(fd);
        return -1;
    }

    return fd;
}


/*
 * The file is written by who holds it alone: who shares it reads it whole.
 * Turning one kind of lock into the other gives up the first one, also if
 * it fails.  LR_AGAIN: another one is just at it.
 */

static int
lr_owner_try(int fd, const char *name, unsigned successor, char *other)
{
    int       rc;
    unsigned  shared;

    shared = 0;

    rc = lr_owner_lock(fd, LOCK_EX);

    if (rc == LR_AGAIN) {
        rc = lr_owner_lock(fd, LOCK_SH);
        shared = 1;
    }

    if (rc != LR_OK) {
        return rc;
    }

    lr_owner_read(fd, other);

    if (strcmp(other, name) != 0) {

        if (shared && !successor) {
            return LR_DECLINED;
        }

        lr_owner_write(fd, name);
    }

    return shared ? LR_OK : lr_owner_lock(fd, LOCK_SH);
}


static int
lr_owner_lock(int fd, int how)
{
    if (flock(fd, how|LOCK_NB) == 0) {
        return LR_OK;
    }

    return errno == EWOULDBLOCK ? LR_AGAIN : LR_ERROR;
}


static void
lr_owner_read(int fd, char *name)
{
    ssize_t  n;

    n = pread(fd, name, LR_PATH_MAX - 1, 0);

    name[n > 0 ? n : 0] = '\0';
    name[strcspn(name, "\n")] = '\0';
}


/* a full disk must not stop a start: who shares the file is not known then */

static void
lr_owner_write(int fd, const char *name)
{
    int   n;
    char  line[LR_PATH_MAX + 1];

    n = snprintf(line, sizeof(line), "%s\n", name);

    if (pwrite(fd, line, (size_t) n, 0) != n || ftruncate(fd, n) == -1) {
        (void) ftruncate(fd, 0);
    }
}


long
lr_owner_pid(const char *path)
{
    int      fd;
    char     text[32];
    long     pid;
    ssize_t  n;

    fd = open(path, O_RDONLY|O_CLOEXEC|O_NONBLOCK);

    if (fd == -1) {
        return 0;
    }

    n = read(fd, text, sizeof(text) - 1);
    close(fd);

    text[n > 0 ? n : 0] = '\0';
    pid = strtol(text, NULL, 10);

    return pid > 0 ? pid : 0;
}
