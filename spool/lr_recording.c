
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
#include "lr_fragment.h"
#include "lr_journal.h"
#include "lr_manifest.h"
#include "lr_recording.h"
#include "lr_sample.h"


typedef struct {
    lr_recording_t               *rec;
    const lr_recording_reader_t  *reader;
    char                         *err;
    size_t                        size;
} lr_recording_replay_t;


static int lr_recording_event(void *data, const char *event, json_t *o);
static int lr_recording_event_open(lr_recording_t *rec, json_t *o);
static int lr_recording_event_close(lr_recording_replay_t *r, json_t *o);
static int lr_recording_integer(json_t *o, const char *key, int64_t min,
    int64_t max, int64_t *v);
static int lr_recording_time(json_t *o, const char *key, int64_t *v);
static int lr_recording_mend(lr_recording_t *rec, const char *dir, int fd);
static int64_t lr_recording_touched(const lr_recording_t *rec,
    const char *dir);
static int64_t lr_recording_mtime(const char *path);
static void lr_recording_release(lr_claim_t *claim);
static void lr_recording_reset(lr_claim_t *claim);
static int lr_recording_adopt(lr_claim_t *claim, const char *dir,
    const lr_settings_t *settings, int64_t now);
static int lr_recording_create(lr_claim_t *claim, const char *spool,
    const lr_settings_t *settings, const char *id, int64_t now, char *err,
    size_t size);
static int lr_recording_sync(const lr_claim_t *claim);
static int lr_recording_write_file(const char *path, const lr_buf_t *b);


int
lr_recording_read(lr_recording_t *rec, const char *dir,
    const lr_recording_reader_t *reader, char *err, size_t size)
{
    char                   path[LR_PATH_MAX];
    lr_recording_replay_t  replay;

    if (rec->next == 0) {
        rec->next = 1;
    }

    replay.rec = rec;
    replay.reader = reader;
    replay.err = err;
    replay.size = size;

    snprintf(path, sizeof(path), "%s/record.log", dir);

    return lr_journal_read(path, &rec->offset, lr_recording_event, &replay,
                           err, size);
}


static int
lr_recording_event(void *data, const char *event, json_t *o)
{
    lr_recording_replay_t  *r = data;

    int64_t          v, time;
    const char      *id;
    lr_recording_t  *rec;

    rec = r->rec;

    if (strcmp(event, "start") == 0) {
        id = json_string_value(json_object_get(o, "id"));

        if (lr_recording_integer(o, "version", 1, INT32_MAX, &v) != LR_OK
            || lr_recording_time(o, "time", &time) != LR_OK
            || id == NULL || !lr_manifest_id_valid(id, strlen(id)))
        {
            return LR_ERROR;
        }

        if (v != LR_SPOOL_VERSION) {
            snprintf(r->err, r->size, "record.log has format version %lld,"
                     " this module knows %d", (long long) v,
                     LR_SPOOL_VERSION);
            return LR_ERROR;
        }

        strcpy(rec->id, id);
        rec->started = time;
        rec->time = time;

        return LR_OK;
    }

    if (rec->id[0] == '\0') {
        snprintf(r->err, r->size, "record.log does not begin with a start");
        return LR_ERROR;
    }

    if (strcmp(event, "open") == 0) {
        return lr_recording_event_open(rec, o);
    }

    if (strcmp(event, "close") == 0) {
        return lr_recording_event_close(r, o);
    }

    if (strcmp(event, "drop") == 0) {
        rec->has_open = 0;
        return LR_OK;
    }

    if (lr_recording_time(o, "time", &time) != LR_OK) {
        return LR_ERROR;
    }

    if (strcmp(event, "publish") == 0) {
        if (lr_recording_time(o, "media", &v) != LR_OK) {
            return LR_ERROR;
        }

        rec->state = LR_RECORDING_LIVE;
        rec->time = time;
        rec->spans++;

        if (r->reader && r->reader->span) {
            return r->reader->span(r->reader->data, time, v,
                                   json_object_get(o, "args"));
        }

    } else if (strcmp(event, "unpublish") == 0) {
        rec->state = LR_RECORDING_PAUSED;
        rec->time = time;

    } else if (strcmp(event, "end") == 0) {
        rec->state = LR_RECORDING_ENDED;
        rec->time = time;

    } else if (strcmp(event, "grace") == 0) {
        if (lr_recording_time(o, "grace", &rec->grace) != LR_OK) {
            return LR_ERROR;
        }

        rec->limited = 1;

    } else if (strcmp(event, "lost") == 0) {
        rec->lost_frames += (uint64_t) json_integer_value(
                                              json_object_get(o, "frames"));
        rec->lost_bytes += (uint64_t) json_integer_value(
                                               json_object_get(o, "bytes"));
    }

    /* events of a later minor kind do not stop this module */

    return LR_OK;
}


static int
lr_recording_event_open(lr_recording_t *rec, json_t *o)
{
    int64_t         number, cycle;
    lr_fragment_t  *f;

    f = &rec->open;
    memset(f, 0, sizeof(lr_fragment_t));

    if (lr_recording_integer(o, "file", rec->next, LR_MANIFEST_COUNT_MAX,
                             &number)
        != LR_OK
        || lr_recording_integer(o, "cycle", rec->cycle,
                                LR_MANIFEST_COUNT_MAX, &cycle)
           != LR_OK
        || lr_recording_integer(o, "base", -LR_TIME_MAX, LR_TIME_MAX,
                                &f->base)
           != LR_OK
        || lr_recording_integer(o, "media", -LR_TIME_MAX, LR_TIME_MAX,
                                &f->media)
           != LR_OK
        || lr_recording_time(o, "wall", &f->wall) != LR_OK)
    {
        return LR_ERROR;
    }

    f->number = (uint32_t) number;
    f->cycle = (uint32_t) cycle;
    f->discontinuity = json_is_true(json_object_get(o, "discontinuity"));

    if (cycle != rec->cycle) {
        rec->cycle = f->cycle;
        rec->cycle_start = f->media;
    }

    rec->next = f->number + 1;
    rec->has_open = 1;

    return LR_OK;
}


static int
lr_recording_event_close(lr_recording_replay_t *r, json_t *o)
{
    int64_t          number, bytes, rows;
    lr_fragment_t   *f;
    lr_recording_t  *rec;

    rec = r->rec;
    f = &rec->open;

    if (!rec->has_open
        || lr_recording_integer(o, "file", f->number, f->number, &number)
           != LR_OK
        || lr_recording_integer(o, "duration", 0, INT32_MAX, &f->duration)
           != LR_OK
        || lr_recording_integer(o, "bytes", 0, LR_MANIFEST_SIZE_MAX, &bytes)
           != LR_OK
        || lr_recording_integer(o, "rows", 1, UINT32_MAX, &rows) != LR_OK)
    {
        return LR_ERROR;
    }

    f->bytes = (uint64_t) bytes;
    f->rows = (uint32_t) rows;
    f->independent = json_is_true(json_object_get(o, "independent"));

    rec->has_open = 0;
    rec->fragments++;

    if (rec->media < f->media + f->duration) {
        rec->media = f->media + f->duration;
    }

    if (r->reader && r->reader->fragment) {
        return r->reader->fragment(r->reader->data, f);
    }

    return LR_OK;
}


static int
lr_recording_integer(json_t *o, const char *key, int64_t min, int64_t max,
    int64_t *v)
{
    json_t  *j;

    j = json_object_get(o, key);

    if (!json_is_integer(j)) {
        return LR_ERROR;
    }

    *v = json_integer_value(j);

    return *v < min || *v > max ? LR_ERROR : LR_OK;
}


static int
lr_recording_time(json_t *o, const char *key, int64_t *v)
{
    return lr_recording_integer(o, key, 0, LR_TIME_MAX, v);
}


int
lr_recording_publish(int fd, int64_t time, int64_t media, const char *args)
{
    json_t  *o;

    o = json_pack("{s:I, s:I}", "time", (json_int_t) time,
                  "media", (json_int_t) media);

    if (o && args && args[0]
        && json_object_set_new(o, "args", json_loads(args, 0, NULL)) == -1)
    {
        json_decref(o);
        o = NULL;
    }

    return lr_journal_write(fd, "publish", o);
}


int
lr_recording_open(int fd, const lr_fragment_t *f)
{
    return lr_journal_write(fd, "open",
                            json_pack("{s:I, s:I, s:I, s:I, s:I, s:b}",
                                      "file", (json_int_t) f->number,
                                      "cycle", (json_int_t) f->cycle,
                                      "base", (json_int_t) f->base,
                                      "media", (json_int_t) f->media,
                                      "wall", (json_int_t) f->wall,
                                      "discontinuity",
                                      (int) f->discontinuity));
}


int
lr_recording_close(int fd, const lr_fragment_t *f)
{
    return lr_journal_write(fd, "close",
                            json_pack("{s:I, s:I, s:I, s:I, s:b}",
                                      "file", (json_int_t) f->number,
                                      "duration", (json_int_t) f->duration,
                                      "bytes", (json_int_t) f->bytes,
                                      "rows", (json_int_t) f->rows,
                                      "independent", (int) f->independent));
}


int
lr_recording_drop(int fd, uint32_t number)
{
    return lr_journal_write(fd, "drop",
                            json_pack("{s:I}", "file", (json_int_t) number));
}


int
lr_recording_lost(int fd, int64_t time, uint64_t frames, uint64_t bytes,
    const char *why)
{
    return lr_journal_write(fd, "lost",
                            json_pack("{s:I, s:I, s:I, s:s}",
                                      "time", (json_int_t) time,
                                      "frames", (json_int_t) frames,
                                      "bytes", (json_int_t) bytes,
                                      "why", why));
}


int
lr_recording_error(int fd, int64_t time, const char *text)
{
    return lr_journal_write(fd, "error",
                            json_pack("{s:I, s:s}",
                                      "time", (json_int_t) time,
                                      "text", text));
}


int
lr_recording_unpublish(int fd, int64_t time, const char *why)
{
    return lr_journal_write(fd, "unpublish",
                            json_pack("{s:I, s:s}",
                                      "time", (json_int_t) time,
                                      "why", why));
}


int
lr_recording_grace(int fd, int64_t time, int64_t grace)
{
    return lr_journal_write(fd, "grace",
                            json_pack("{s:I, s:I}",
                                      "time", (json_int_t) time,
                                      "grace", (json_int_t) grace));
}


int64_t
lr_recording_grace_of(const lr_recording_t *rec, int64_t grace)
{
    return rec->limited && rec->grace < grace ? rec->grace : grace;
}


int
lr_recording_grace_runs(int64_t since, int64_t grace, int64_t now)
{
    return now <= since + grace && since - now <= grace;
}


/*
 * After a recorder died: the open fragment is made whole and closed, the
 * span is ended at the time of the last write.  Called under the lock.
 */

static int
lr_recording_mend(lr_recording_t *rec, const char *dir, int fd)
{
    int            rc;
    int64_t        touched;
    lr_row_t      *rows;
    lr_fragment_t  f;

    touched = lr_recording_touched(rec, dir);

    if (rec->has_open) {
        f = rec->open;

        rc = lr_fragment_repair(dir, f.number, &rows, &f.rows, &f.bytes);

        if (rc == LR_ERROR) {
            return LR_ERROR;
        }

        if (rc == LR_DECLINED) {
            rc = lr_recording_drop(fd, f.number);

        } else {
            lr_fragment_measure(&f, rows, f.rows);
            free(rows);
            rc = lr_recording_close(fd, &f);
        }

        if (rc != LR_OK) {
            return LR_ERROR;
        }
    }

    if (rec->state == LR_RECORDING_LIVE) {
        return lr_recording_unpublish(fd, touched, "crash");
    }

    return LR_OK;
}


/* when anything of the recording was last written, in ms */

static int64_t
lr_recording_touched(const lr_recording_t *rec, const char *dir)
{
    char     path[LR_PATH_MAX];
    int64_t  log, flv;

    snprintf(path, sizeof(path), "%s/record.log", dir);
    log = lr_recording_mtime(path);
    flv = 0;

    if (rec->has_open
        && lr_fragment_path(path, sizeof(path), dir, rec->open.number, "flv")
           == LR_OK)
    {
        flv = lr_recording_mtime(path);
    }

    return flv > log ? flv : log;
}


static int64_t
lr_recording_mtime(const char *path)
{
    struct stat  st;

    if (stat(path, &st) == -1) {
        return 0;
    }

    return (int64_t) st.st_mtim.tv_sec * 1000
           + st.st_mtim.tv_nsec / 1000000;
}


int
lr_recording_claim(lr_claim_t *claim, const char *spool,
    const lr_settings_t *settings, const char *id, int64_t now,
    unsigned final, char *err, size_t size)
{
    int             n, rc, locked;
    DIR            *d;
    char            path[LR_PATH_MAX], dir[LR_PATH_MAX];
    char            best[NAME_MAX + 1];
    lr_claim_t     *other;
    struct dirent  *de;

    lr_recording_reset(claim);

    n = snprintf(path, sizeof(path), "%s/%s/%s", spool, settings->app,
                 settings->stream);

    if (n < 0 || (size_t) n + LR_ID_MAX + 32 > sizeof(path)) {
        snprintf(err, size, "the spool's path is too long");
        return LR_ERROR;
    }

    locked = 0;
    best[0] = '\0';

    d = opendir(path);

    if (d == NULL && errno != ENOENT) {
        snprintf(err, size, "opendir() \"%s\" failed (%d: %s)", path, errno,
                 strerror(errno));
        return LR_ERROR;
    }

    other = calloc(1, sizeof(lr_claim_t));

    if (other) {
        other->fsync = claim->fsync;
    }

    while (d && other && (de = readdir(d)) != NULL) {

        if (de->d_name[0] == '.' || strlen(de->d_name) > LR_ID_MAX) {
            continue;
        }

        if (claim->fd != -1 && strcmp(de->d_name, best) < 0) {
            continue;
        }

        snprintf(dir, sizeof(dir), "%s/%s", path, de->d_name);

        rc = lr_recording_adopt(other, dir, settings, now);

        if (rc == LR_AGAIN) {
            locked = 1;
        }

        if (rc != LR_OK) {
            continue;
        }

        /* ids sort by time: the later one is gone on with */

        lr_recording_release(claim);
        *claim = *other;
        strcpy(best, de->d_name);
    }

    free(other);

    if (d) {
        closedir(d);
    }

    if (claim->fd == -1 && locked && !final) {
        return LR_AGAIN;
    }

    if (claim->fd != -1) {

        if (lr_recording_mend(&claim->rec, claim->dir, claim->fd) == LR_OK
            && lr_recording_read(&claim->rec, claim->dir, NULL, err, size)
               == LR_OK
            && lr_recording_publish(claim->fd, now, claim->rec.media,
                                    settings->push_args)
               == LR_OK)
        {
            claim->resumed = 1;
            return LR_OK;
        }

        /* what cannot be gone on with must not keep its stream from disk */

        lr_recording_release(claim);
    }

    return lr_recording_create(claim, spool, settings, id, now, err, size);
}


static void
lr_recording_release(lr_claim_t *claim)
{
    int  err;

    err = errno;

    if (claim->fd != -1) {
        close(claim->fd);
    }

    lr_settings_free(&claim->settings);
    lr_recording_reset(claim);

    errno = err;
}


static void
lr_recording_reset(lr_claim_t *claim)
{
    unsigned  fsync;

    fsync = claim->fsync;

    memset(claim, 0, sizeof(lr_claim_t));
    claim->fd = -1;
    claim->fsync = fsync;
}


/* LR_OK: locked and fit to go on; LR_AGAIN: it may be, but has a recorder */

static int
lr_recording_adopt(lr_claim_t *claim, const char *dir,
    const lr_settings_t *settings, int64_t now)
{
    int      rc;
    char     path[LR_PATH_MAX + 16], err[256];
    int64_t  since, grace;

    lr_recording_reset(claim);

    if (lr_settings_read(&claim->settings, dir, err, sizeof(err)) != LR_OK) {
        return LR_DECLINED;
    }

    rc = LR_DECLINED;

    if (strcmp(claim->settings.scope, settings->scope) != 0) {
        goto done;
    }

    snprintf(claim->dir, sizeof(claim->dir), "%s", dir);
    snprintf(path, sizeof(path), "%s/record.log", dir);

    claim->fd = lr_journal_open(path, 0);

    if (claim->fd == -1) {
        rc = errno == EWOULDBLOCK ? LR_AGAIN : LR_DECLINED;
        goto done;
    }

    if (lr_recording_read(&claim->rec, dir, NULL, err, sizeof(err)) != LR_OK
        || claim->rec.id[0] == '\0'
        || claim->rec.state == LR_RECORDING_ENDED)
    {
        goto done;
    }

    since = claim->rec.state == LR_RECORDING_LIVE
            ? lr_recording_touched(&claim->rec, dir) : claim->rec.time;

    grace = lr_recording_grace_of(&claim->rec, claim->settings.grace);

    if (grace && lr_recording_grace_runs(since, grace, now)) {
        return LR_OK;
    }

done:

    lr_recording_release(claim);

    return rc;
}


/* a new one is made whole beside the spool's tree and then moved into it */

static int
lr_recording_create(lr_claim_t *claim, const char *spool,
    const lr_settings_t *settings, const char *id, int64_t now, char *err,
    size_t size)
{
    int       tries;
    char      temp[LR_PATH_MAX], path[LR_PATH_MAX + 32];
    lr_buf_t  text;

    memset(&text, 0, sizeof(lr_buf_t));
    temp[0] = '\0';

    if (!lr_manifest_id_valid(id, strlen(id))) {
        errno = EINVAL;
        goto failed;
    }

    if (lr_settings_copy(&claim->settings, settings) != LR_OK) {
        errno = ENOMEM;
        goto failed;
    }

    snprintf(path, sizeof(path), "%s/" LR_TMP_DIR, spool);

    if (mkdir(path, 0700) == -1 && errno != EEXIST) {
        goto failed;
    }

    snprintf(temp, sizeof(temp), "%s/" LR_TMP_DIR "/%s", spool, id);

    if (mkdir(temp, 0700) == -1) {
        temp[0] = '\0';
        goto failed;
    }

    lr_settings_write(settings, &text);

    snprintf(path, sizeof(path), "%s/template.json", temp);

    if (lr_recording_write_file(path, &text) != LR_OK) {
        goto failed;
    }

    snprintf(path, sizeof(path), "%s/record.log", temp);

    claim->fd = lr_journal_open(path, 1);

    if (claim->fd == -1
        || lr_journal_write(claim->fd, "start",
                            json_pack("{s:i, s:s, s:I}",
                                      "version", LR_SPOOL_VERSION,
                                      "id", id,
                                      "time", (json_int_t) now))
           != LR_OK
        || lr_recording_publish(claim->fd, now, 0, settings->push_args)
           != LR_OK)
    {
        goto failed;
    }

    /* an empty directory of the stream may be removed under our hands */

    for (tries = 0; tries < 10; tries++) {
        snprintf(claim->dir, sizeof(claim->dir), "%s/%s", spool,
                 settings->app);

        if (mkdir(claim->dir, 0700) == -1 && errno != EEXIST) {
            goto failed;
        }

        snprintf(claim->dir, sizeof(claim->dir), "%s/%s/%s", spool,
                 settings->app, settings->stream);

        if (mkdir(claim->dir, 0700) == -1
            && errno != EEXIST && errno != ENOENT)
        {
            goto failed;
        }

        snprintf(claim->dir, sizeof(claim->dir), "%s/%s/%s/%s", spool,
                 settings->app, settings->stream, id);

        if (rename(temp, claim->dir) == 0) {
            lr_buf_free(&text);

            if (claim->fsync && lr_recording_sync(claim) != LR_OK) {
                snprintf(err, size, "\"%s\" could not be brought to the "
                         "disk (%d: %s)", claim->dir, errno,
                         strerror(errno));
                lr_recording_release(claim);
                return LR_ERROR;
            }

            if (lr_recording_read(&claim->rec, claim->dir, NULL, err, size)
                == LR_OK)
            {
                return LR_OK;
            }

            lr_recording_release(claim);

            return LR_ERROR;
        }

        if (errno != ENOENT) {
            goto failed;
        }
    }

failed:

    snprintf(err, size, "a recording could not be made in \"%s\" (%d: %s)",
             spool, errno, strerror(errno));

    lr_recording_release(claim);

    if (temp[0]) {
        snprintf(path, sizeof(path), "%s/template.json", temp);
        (void) unlink(path);
        snprintf(path, sizeof(path), "%s/record.log", temp);
        (void) unlink(path);
        (void) rmdir(temp);
    }

    lr_buf_free(&text);

    return LR_ERROR;
}


/* the new files, and the directories on the way to them */

static int
lr_recording_sync(const lr_claim_t *claim)
{
    int       fd, rc;
    char      path[LR_PATH_MAX + 32], *p;
    unsigned  i;

    if (fdatasync(claim->fd) == -1) {
        return LR_ERROR;
    }

    snprintf(path, sizeof(path), "%s/template.json", claim->dir);

    for (i = 0; i < 5; i++) {

        if (i) {
            p = strrchr(path, '/');
            *p = '\0';
        }

        fd = open(path, O_RDONLY|O_CLOEXEC);

        if (fd == -1) {
            return LR_ERROR;
        }

        rc = fsync(fd);
        close(fd);

        if (rc == -1) {
            return LR_ERROR;
        }
    }

    return LR_OK;
}


static int
lr_recording_write_file(const char *path, const lr_buf_t *b)
{
    int      fd;
    ssize_t  n;

    if (b->failed) {
        errno = ENOMEM;
        return LR_ERROR;
    }

    fd = open(path, O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0600);

    if (fd == -1) {
        return LR_ERROR;
    }

    errno = ENOSPC;
    n = write(fd, b->data, b->len);

    if (n != (ssize_t) b->len) {
        close(fd);
        return LR_ERROR;
    }

    return close(fd) == 0 ? LR_OK : LR_ERROR;
}


int
lr_recording_end(const char *dir, int64_t grace, int64_t now, int64_t *until,
    char *err, size_t size)
{
    int             fd, rc;
    char            path[LR_PATH_MAX + 16];
    int64_t         since;
    lr_recording_t  rec;

    *until = 0;

    snprintf(path, sizeof(path), "%s/record.log", dir);

    fd = lr_journal_open(path, 0);

    if (fd == -1) {
        if (errno == EWOULDBLOCK) {
            return LR_AGAIN;
        }

        snprintf(err, size, "open() \"%s\" failed (%d: %s)", path, errno,
                 strerror(errno));
        return errno == ENODATA ? LR_DECLINED : LR_ERROR;
    }

    memset(&rec, 0, sizeof(lr_recording_t));

    rc = lr_recording_read(&rec, dir, NULL, err, size);

    if (rc != LR_OK) {
        goto done;
    }

    if (rec.id[0] == '\0') {
        snprintf(err, size, "record.log is empty");
        rc = LR_DECLINED;
        goto done;
    }

    if (rec.state == LR_RECORDING_ENDED) {
        goto done;
    }

    since = rec.state == LR_RECORDING_LIVE
            ? lr_recording_touched(&rec, dir) : rec.time;

    grace = lr_recording_grace_of(&rec, grace);

    /*
     * A fragment left open is mended before the grace is over as well,
     * so that it can be shipped; nothing stands against a return.
     */

    if (rec.has_open || rec.state == LR_RECORDING_LIVE) {
        if (lr_recording_mend(&rec, dir, fd) != LR_OK) {
            goto failed;
        }
    }

    if (lr_recording_grace_runs(since, grace, now)) {
        *until = since + grace + 1;
        rc = LR_AGAIN;
        goto done;
    }

    if (lr_journal_write(fd, "end", json_pack("{s:I}", "time",
                                              (json_int_t) now))
        == LR_OK)
    {
        goto done;
    }

failed:

    snprintf(err, size, "\"%s\" could not be ended (%d: %s)", dir, errno,
             strerror(errno));
    rc = LR_ERROR;

done:

    close(fd);

    return rc;
}
