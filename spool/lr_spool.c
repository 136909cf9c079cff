
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>
#include "lr_journal.h"
#include "lr_name.h"
#include "lr_recording.h"
#include "lr_spool.h"


/* a recorder makes its directory in .tmp, which takes it no time at all */

#define LR_SPOOL_TMP_AGE  60


typedef struct {
    void      (*told)(void *data, const char *path);
    void       *data;
    const char *spool;
} lr_spool_tidy_t;


static int lr_spool_level(lr_spool_list_t *list, const char *spool,
    const char *path, unsigned level, uint32_t index, uint32_t workers);
static int lr_spool_shut(lr_spool_list_t *list, const char *path);
static int lr_spool_add(lr_spool_list_t *list, const char *spool,
    const char *path);
static void lr_spool_usage_level(const char *spool, const char *path,
    unsigned level, uint64_t *bytes);
static void lr_spool_tidy_level(lr_spool_tidy_t *t, const char *path,
    unsigned level);
static void lr_spool_tidy_tmp(const char *spool);
static int lr_spool_is_dir(const char *path);


int
lr_spool_scan(lr_spool_list_t *list, const char *spool, uint32_t index,
    uint32_t workers)
{
    size_t  i;

    for (i = 0; i < list->n; i++) {
        free(list->entries[i].path);
    }

    list->n = 0;
    list->shut = 0;

    return lr_spool_level(list, spool, "", 0, index, workers);
}


static int
lr_spool_level(lr_spool_list_t *list, const char *spool, const char *path,
    unsigned level, uint32_t index, uint32_t workers)
{
    int             rc;
    DIR            *d;
    char            dir[LR_PATH_MAX], next[LR_PATH_MAX];
    struct dirent  *de;

    snprintf(dir, sizeof(dir), "%s/%s", spool, path);

    d = opendir(dir);

    if (d == NULL && level == 1 && strcmp(path, LR_QUARANTINE_DIR) == 0) {

        /* an application may be called so, but mostly it is root's */

        return LR_OK;
    }

    if (d == NULL) {
        return level ? lr_spool_shut(list, path) : LR_ERROR;
    }

    rc = LR_OK;

    while (rc == LR_OK && (de = readdir(d)) != NULL) {

        if (!lr_name_valid(de->d_name, strlen(de->d_name))
            || (de->d_type != DT_DIR && de->d_type != DT_UNKNOWN))
        {
            continue;
        }

        snprintf(next, sizeof(next), "%s%s%s", path, level ? "/" : "",
                 de->d_name);

        if (level < 2) {
            rc = lr_spool_level(list, spool, next, level + 1, index,
                                workers);

        } else if (strlen(de->d_name) <= LR_ID_MAX
                   && lr_spool_worker(de->d_name, workers) == index)
        {
            rc = lr_spool_add(list, spool, next);
        }
    }

    closedir(d);

    return rc;
}


/*
 * What has just been removed, or is no directory, is not shut.  Without
 * descriptors or memory nothing is known: what is not found is not gone.
 */

static int
lr_spool_shut(lr_spool_list_t *list, const char *path)
{
    switch (errno) {

    case ENOENT:
    case ENOTDIR:
        return LR_OK;

    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return LR_ERROR;
    }

    if (list->shut++ == 0) {
        list->shut_error = errno;
        snprintf(list->shut_path, LR_PATH_MAX, "%s", path);
    }

    return LR_OK;
}


static int
lr_spool_add(lr_spool_list_t *list, const char *spool, const char *path)
{
    char               log[LR_PATH_MAX + 16];
    size_t             nalloc;
    struct stat        st;
    lr_spool_entry_t  *more;

    if (list->n == list->nalloc) {
        nalloc = list->nalloc ? list->nalloc * 2 : 32;
        more = realloc(list->entries, nalloc * sizeof(lr_spool_entry_t));

        if (more == NULL) {
            return LR_ERROR;
        }

        list->entries = more;
        list->nalloc = nalloc;
    }

    snprintf(log, sizeof(log), "%s/%s/record.log", spool, path);

    list->entries[list->n].size = stat(log, &st) == 0
                                  ? (uint64_t) st.st_size : 0;
    list->entries[list->n].path = strdup(path);

    if (list->entries[list->n].path == NULL) {
        return LR_ERROR;
    }

    list->n++;

    return LR_OK;
}


/* FNV-1a: the same in every process and of every version */

uint32_t
lr_spool_worker(const char *id, uint32_t workers)
{
    uint32_t  h;

    for (h = 2166136261u; *id; id++) {
        h = (h ^ (u_char) *id) * 16777619u;
    }

    return h % workers;
}


uint64_t
lr_spool_usage(const char *spool)
{
    uint64_t  bytes;

    bytes = 0;

    lr_spool_usage_level(spool, "", 0, &bytes);

    return bytes;
}


static void
lr_spool_usage_level(const char *spool, const char *path, unsigned level,
    uint64_t *bytes)
{
    int             n;
    DIR            *d;
    char            dir[LR_PATH_MAX], next[LR_PATH_MAX];
    struct stat     st;
    struct dirent  *de;

    snprintf(dir, sizeof(dir), "%s/%s", spool, path);

    d = opendir(dir);

    while (d && (de = readdir(d)) != NULL) {

        if (de->d_name[0] == '.') {
            continue;
        }

        n = snprintf(next, sizeof(next), "%s/%s", path, de->d_name);

        if (n < 0 || (size_t) n >= sizeof(next)) {
            continue;
        }

        if (level < 3) {
            if (lr_name_valid(de->d_name, strlen(de->d_name))) {
                lr_spool_usage_level(spool, next, level + 1, bytes);
            }

            continue;
        }

        if (fstatat(dirfd(d), de->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
            *bytes += (uint64_t) st.st_blocks * 512;
        }
    }

    if (d) {
        closedir(d);
    }
}


int
lr_spool_disk(const char *spool, unsigned usage, lr_quota_disk_t *disk)
{
    struct statvfs  st;

    if (statvfs(spool, &st) == -1) {
        return LR_ERROR;
    }

    disk->avail = (uint64_t) st.f_bavail * st.f_frsize;
    disk->total = (uint64_t) st.f_blocks * st.f_frsize;
    disk->used = usage ? lr_spool_usage(spool) : 0;

    return LR_OK;
}


void
lr_spool_free(lr_spool_list_t *list)
{
    size_t  i;

    for (i = 0; i < list->n; i++) {
        free(list->entries[i].path);
    }

    free(list->entries);
    memset(list, 0, sizeof(lr_spool_list_t));
}


void
lr_spool_tidy(const char *spool, void (*told)(void *data, const char *path),
    void *data)
{
    lr_spool_tidy_t  t;

    t.told = told;
    t.data = data;
    t.spool = spool;

    lr_spool_tidy_level(&t, "", 0);
    lr_spool_tidy_tmp(spool);
}


static void
lr_spool_tidy_level(lr_spool_tidy_t *t, const char *path, unsigned level)
{
    DIR            *d;
    char           *p;
    char            dir[LR_PATH_MAX], next[LR_PATH_MAX], name[LR_PATH_MAX];
    struct dirent  *de;

    snprintf(dir, sizeof(dir), "%s/%s", t->spool, path);

    d = opendir(dir);

    while (d && (de = readdir(d)) != NULL) {

        if (de->d_name[0] == '.'
            || (level == 0
                && (strcmp(de->d_name, LR_QUARANTINE_DIR) == 0
                    || strcmp(de->d_name, "lost+found") == 0)))
        {
            continue;
        }

        snprintf(next, sizeof(next), "%s%s%s", path, level ? "/" : "",
                 de->d_name);
        snprintf(dir, sizeof(dir), "%s/%s", t->spool, next);

        if (lr_name_valid(de->d_name, strlen(de->d_name))
            && (level < 2 || strlen(de->d_name) <= LR_ID_MAX)
            && lr_spool_is_dir(dir))
        {
            if (level < 2) {
                lr_spool_tidy_level(t, next, level + 1);
            }

            continue;
        }

        snprintf(name, sizeof(name), "%s", next);

        for (p = name; *p; p++) {
            if (*p == '/') {
                *p = '.';
            }
        }

        if (lr_spool_quarantine(t->spool, next, name) == LR_OK) {
            t->told(t->data, dir);
        }
    }

    if (d) {
        closedir(d);
    }
}


static void
lr_spool_tidy_tmp(const char *spool)
{
    int             fd;
    DIR            *d;
    char            dir[LR_PATH_MAX], log[LR_PATH_MAX + 16];
    struct stat     st;
    struct dirent  *de;

    snprintf(dir, sizeof(dir), "%s/" LR_TMP_DIR, spool);

    d = opendir(dir);

    while (d && (de = readdir(d)) != NULL) {

        if (de->d_name[0] == '.') {
            continue;
        }

        snprintf(dir, sizeof(dir), "%s/" LR_TMP_DIR "/%s", spool,
                 de->d_name);

        if (stat(dir, &st) == -1 || !S_ISDIR(st.st_mode)
            || time(NULL) - st.st_mtime < LR_SPOOL_TMP_AGE)
        {
            continue;
        }

        snprintf(log, sizeof(log), "%s/record.log", dir);

        fd = lr_journal_open(log, 0);

        if (fd == -1 && errno == EWOULDBLOCK) {
            continue;
        }

        lr_spool_sweep(dir);

        if (fd != -1) {
            close(fd);
        }
    }

    if (d) {
        closedir(d);
    }
}


static int
lr_spool_is_dir(const char *path)
{
    struct stat  st;

    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}


int
lr_spool_quarantine(const char *spool, const char *path, const char *name)
{
    int          fd, n, rc, err;
    char         from[LR_PATH_MAX + 16], to[LR_PATH_MAX + 1024];
    unsigned     i;
    struct stat  st;

    snprintf(from, sizeof(from), "%s/%s/record.log", spool, path);

    fd = lr_journal_open(from, 0);

    if (fd == -1 && errno == EWOULDBLOCK) {
        return LR_AGAIN;
    }

    snprintf(from, sizeof(from), "%s/" LR_QUARANTINE_DIR, spool);
    (void) mkdir(from, 0700);

    snprintf(from, sizeof(from), "%s/%s", spool, path);

    rc = LR_ERROR;
    errno = EEXIST;

    for (i = 0; i < 1000; i++) {

        n = i ? snprintf(to, sizeof(to), "%s/" LR_QUARANTINE_DIR
                         "/%.200s.%u", spool, name, i)
              : snprintf(to, sizeof(to), "%s/" LR_QUARANTINE_DIR "/%.200s",
                         spool, name);

        if (n < 0 || (size_t) n >= sizeof(to)) {
            errno = ENAMETOOLONG;
            break;
        }

        if (lstat(to, &st) == 0) {
            errno = EEXIST;
            continue;
        }

        rc = rename(from, to) == 0 ? LR_OK : LR_ERROR;
        break;
    }

    err = errno;

    if (fd != -1) {
        close(fd);
    }

    errno = err;

    return rc;
}


void
lr_spool_sweep(const char *dir)
{
    DIR            *d;
    char            path[LR_PATH_MAX + 300];
    struct dirent  *de;

    d = opendir(dir);

    while (d && (de = readdir(d)) != NULL) {
        snprintf(path, sizeof(path), "%s/%s", dir, de->d_name);

        if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0) {
            (void) unlink(path);
        }
    }

    if (d) {
        closedir(d);
    }

    (void) rmdir(dir);
}
