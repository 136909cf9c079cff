
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Files of what is in a recording's directory.  A fragment that may still
 * be written to is copied first, as far as its tags are whole, so that what
 * is read twice is the same; the others are then read by links beside it.
 */


#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lr_body.h"
#include "lr_plain.h"
#include "live_record.h"


typedef struct {
    lr_tool_t             t;
    char                  temp[LR_PATH_MAX];  /* "" without a copy */
    const char           *dir;        /* that is read from */
    lr_engine_t           engine;
    unsigned              format;     /* LR_FORMAT_...; M3U8 means ts */
    const char           *name;       /* of the format */

    const char           *file;
    unsigned              force:1;
    unsigned              told:1;     /* why it has failed */
    unsigned              files;      /* made */
    int                   fd;
    char                  path[LR_PATH_MAX];
    char                  part[LR_PATH_MAX];

    lr_file_fragment_t   *group;      /* of the file under way */
    size_t                n;
    int64_t               created;
    uint64_t              digest[2];
} lr_tool_render_t;


static volatile sig_atomic_t  lr_tool_stop;


static int lr_tool_render_all(lr_tool_render_t *r);
static int lr_tool_place(const lr_tool_render_t *r);
static int lr_tool_snapshot(lr_tool_render_t *r);
static int lr_tool_copy_open(lr_tool_render_t *r, lr_tool_fragment_t *tf);
static int lr_tool_copy_bytes(int from, int to, uint64_t size);
static void lr_tool_link(lr_tool_render_t *r, const char *dir,
    uint32_t number, const char *ext);
static void lr_tool_remove_temp(lr_tool_render_t *r);
static int lr_tool_render_ts(lr_tool_render_t *r);
static int lr_tool_render_files(lr_tool_render_t *r);
static int lr_tool_add(lr_tool_render_t *r, lr_tool_fragment_t *tf);
static int lr_tool_flush(lr_tool_render_t *r);
static int lr_tool_body(lr_tool_render_t *r, lr_body_t *b);
static int lr_tool_put(lr_tool_render_t *r, const u_char *p, size_t n);
static int lr_tool_create(lr_tool_render_t *r);
static int lr_tool_finish(lr_tool_render_t *r);
static void lr_tool_give_up(lr_tool_render_t *r);
static int lr_tool_write(int fd, const u_char *p, size_t n);
static void lr_tool_on_signal(int signo);


int
lr_tool_render(const char *dir, const char *format, const char *file,
    unsigned force)
{
    int               rc;
    char              err[512];
    struct sigaction  sa;
    lr_tool_render_t  r;

    memset(&r, 0, sizeof(lr_tool_render_t));

    r.fd = -1;
    r.name = format;
    r.file = file;
    r.force = force;
    r.format = strcmp(format, "mp4") == 0 ? LR_FORMAT_MP4
               : strcmp(format, "flv") == 0 ? LR_FORMAT_FLV : LR_FORMAT_M3U8;

    if (lr_tool_read(&r.t, dir, err, sizeof(err)) != LR_OK) {
        lr_tool_say("\"%s\": %s", dir, err);
        lr_tool_free(&r.t);
        return LR_TOOL_FAILED;
    }

    memset(&sa, 0, sizeof(struct sigaction));
    sa.sa_handler = lr_tool_on_signal;
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);

    rc = lr_tool_render_all(&r);

    lr_tool_give_up(&r);
    lr_tool_remove_temp(&r);
    lr_engine_free(&r.engine);
    lr_tool_free(&r.t);
    free(r.group);

    return rc == LR_OK ? LR_TOOL_OK : LR_TOOL_FAILED;
}


static int
lr_tool_render_all(lr_tool_render_t *r)
{
    int     rc;
    size_t  i;

    if (lr_tool_place(r) != LR_OK) {
        return LR_ERROR;
    }

    for (i = 0; i < r->t.n; i++) {
        if (!r->t.fragments[i].here) {
            lr_tool_say("fragment %06u is left out: it is not in the spool"
                        " any more", r->t.fragments[i].f.number);
        }
    }

    r->dir = r->t.dir;

    if (r->t.rec.has_open && lr_tool_snapshot(r) != LR_OK) {
        return LR_ERROR;
    }

    rc = r->format == LR_FORMAT_M3U8 ? lr_tool_render_ts(r)
                                     : lr_tool_render_files(r);

    if (rc == LR_OK && r->files == 0) {
        lr_tool_say("there is nothing in \"%s\" to make a file of",
                    r->t.dir);
        return LR_ERROR;
    }

    return rc;
}


/* what is put into a recording's directory would be in the module's way */

static int
lr_tool_place(const lr_tool_render_t *r)
{
    char         path[LR_PATH_MAX + 4], *slash;
    struct stat  there, here;

    if (snprintf(path, sizeof(path), "%s", r->file) >= LR_PATH_MAX - 32) {
        lr_tool_say("\"%s\" is too long", r->file);
        return LR_ERROR;
    }

    if (stat(path, &here) == 0 && S_ISDIR(here.st_mode)) {
        lr_tool_say("\"%s\" is a directory", r->file);
        return LR_ERROR;
    }

    slash = strrchr(path, '/');

    if (slash) {
        slash[1] = '\0';

    } else {
        strcpy(path, ".");
    }

    if (stat(path, &there) == -1 || stat(r->t.dir, &here) == -1) {
        lr_tool_say("\"%s\": %s", path, strerror(errno));
        return LR_ERROR;
    }

    if (there.st_dev == here.st_dev && there.st_ino == here.st_ino) {
        lr_tool_say("\"%s\" is in the recording itself", r->file);
        return LR_ERROR;
    }

    return LR_OK;
}


static int
lr_tool_snapshot(lr_tool_render_t *r)
{
    int                  rc;
    char                *dir;
    size_t               i;
    const char          *base;
    lr_tool_fragment_t  *tf;

    tf = &r->t.fragments[r->t.n - 1];

    if (!tf->here) {
        return LR_OK;
    }

    base = getenv("TMPDIR");

    snprintf(r->temp, sizeof(r->temp), "%s/live-record-XXXXXX",
             base && base[0] ? base : "/tmp");

    if (mkdtemp(r->temp) == NULL) {
        lr_tool_say("mkdtemp() \"%s\" failed: %s", r->temp, strerror(errno));
        r->temp[0] = '\0';
        return LR_ERROR;
    }

    dir = realpath(r->t.dir, NULL);

    if (dir == NULL) {
        lr_tool_say("\"%s\": %s", r->t.dir, strerror(errno));
        return LR_ERROR;
    }

    for (i = 0; i < r->t.n - 1; i++) {
        lr_tool_link(r, dir, r->t.fragments[i].f.number, "flv");
        lr_tool_link(r, dir, r->t.fragments[i].f.number, "idx");
    }

    free(dir);

    rc = lr_tool_copy_open(r, tf);
    r->dir = r->temp;

    return rc;
}


/* the file is left as it is, the copy ends with its last whole tag */

static int
lr_tool_copy_open(lr_tool_render_t *r, lr_tool_fragment_t *tf)
{
    int        from, to, rc;
    char       path[LR_PATH_MAX + 32];
    uint32_t   n;
    uint64_t   good;
    lr_row_t  *rows;

    rc = LR_ERROR;
    to = -1;

    (void) lr_fragment_path(path, sizeof(path), r->t.dir, tf->f.number,
                            "flv");
    from = lr_plain_open(path, O_RDONLY);

    if (from == -1 || lr_fragment_scan(from, &rows, &n, &good) != LR_OK) {
        goto done;
    }

    free(rows);

    if (n == 0) {
        lr_tool_say("fragment %06u is left out: there is nothing whole in"
                    " it", tf->f.number);
        tf->here = 0;
        rc = LR_OK;
        goto done;
    }

    lr_tool_say("fragment %06u has no end yet: it is taken as far as it"
                " goes", tf->f.number);

    tf->f.bytes = good;

    (void) lr_fragment_path(path, sizeof(path), r->temp, tf->f.number, "flv");
    to = open(path, O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0600);

    if (to != -1) {
        rc = lr_tool_copy_bytes(from, to, good);
    }

done:

    if (rc != LR_OK) {
        lr_tool_say("\"%s\": %s", path, strerror(errno));
    }

    if (to != -1) {
        close(to);
    }

    if (from != -1) {
        close(from);
    }

    return rc;
}


static int
lr_tool_copy_bytes(int from, int to, uint64_t size)
{
    u_char    buf[65536];
    ssize_t   n;
    uint64_t  offset;

    for (offset = 0; offset < size; offset += (uint64_t) n) {
        n = pread(from, buf, size - offset < sizeof(buf) ? size - offset
                                                         : sizeof(buf),
                  (off_t) offset);

        if (n == 0) {
            errno = EIO;
        }

        if (n <= 0 || lr_tool_write(to, buf, (size_t) n) != LR_OK) {
            return LR_ERROR;
        }
    }

    return LR_OK;
}


/* neighbours share their tables, and files may be gone: none is missed */

static void
lr_tool_link(lr_tool_render_t *r, const char *dir, uint32_t number,
    const char *ext)
{
    char  from[LR_PATH_MAX + 32], to[LR_PATH_MAX + 32];

    if (lr_fragment_path(from, sizeof(from), dir, number, ext) == LR_OK
        && lr_fragment_path(to, sizeof(to), r->temp, number, ext) == LR_OK
        && access(from, F_OK) == 0)
    {
        (void) symlink(from, to);
    }
}


static void
lr_tool_remove_temp(lr_tool_render_t *r)
{
    char         path[LR_PATH_MAX + 32];
    size_t       i;
    unsigned     n;
    const char  *ext[] = { "flv", "idx" };

    if (r->temp[0] == '\0') {
        return;
    }

    for (i = 0; i < r->t.n; i++) {
        for (n = 0; n < 2; n++) {
            if (lr_fragment_path(path, sizeof(path), r->temp,
                                 r->t.fragments[i].f.number, ext[n])
                == LR_OK)
            {
                (void) unlink(path);
            }
        }
    }

    (void) rmdir(r->temp);
}


static int
lr_tool_render_ts(lr_tool_render_t *r)
{
    size_t               i;
    lr_body_t            b;
    lr_tool_fragment_t  *tf;

    for (i = 0; i < r->t.n; i++) {
        tf = &r->t.fragments[i];

        if (!tf->here) {
            continue;
        }

        memset(&b, 0, sizeof(lr_body_t));

        b.kind = LR_BODY_TS;
        b.dir = r->dir;
        b.fragments = lr_tool_grow(NULL, 0, sizeof(lr_file_fragment_t));
        b.fragments[0].number = tf->f.number;
        b.fragments[0].base = tf->f.base;
        b.fragments[0].bytes = tf->f.bytes;
        b.n = 1;
        b.to = 1;

        if (lr_tool_body(r, &b) != LR_OK) {

            if (r->told) {
                return LR_ERROR;
            }

            if (errno != ENODATA) {
                lr_tool_say("fragment %06u: %s", tf->f.number,
                            strerror(errno));
                return LR_ERROR;
            }

            lr_tool_say("fragment %06u is left out: there is nothing in it"
                        " that ts can hold", tf->f.number);
        }
    }

    return r->fd == -1 ? LR_OK : lr_tool_finish(r);
}


static int
lr_tool_render_files(lr_tool_render_t *r)
{
    size_t               i;
    lr_tool_fragment_t  *tf;

    for (i = 0; i < r->t.n; i++) {
        tf = &r->t.fragments[i];

        if (tf->here && lr_tool_add(r, tf) != LR_OK) {
            return LR_ERROR;
        }
    }

    return lr_tool_flush(r);
}


/* where the parameters of a codec change, a file ends */

static int
lr_tool_add(lr_tool_render_t *r, lr_tool_fragment_t *tf)
{
    unsigned             i, fits;
    uint64_t             size;
    lr_content_t         c;
    lr_file_fragment_t  *ff;

    if (lr_content_read(&c, r->dir, tf->f.number, tf->f.base) != LR_OK) {

        if (errno == ENODATA) {
            size = 0;
            goto empty;
        }

        lr_tool_say("fragment %06u: %s", tf->f.number, strerror(errno));

        return LR_ERROR;
    }

    size = r->format == LR_FORMAT_MP4 ? c.mp4 : c.flv;
    fits = 1;

    for (i = 0; i < 2; i++) {
        fits &= c.digest[i] == 0 || c.digest[i] == r->digest[i];
    }

    if (size && r->n && !fits && lr_tool_flush(r) != LR_OK) {
        lr_content_free(&c);
        return LR_ERROR;
    }

    if (size && r->n == 0) {
        r->digest[0] = c.digest[0];
        r->digest[1] = c.digest[1];
        r->created = tf->f.wall;
    }

    lr_content_free(&c);

empty:

    if (size == 0) {
        lr_tool_say("fragment %06u is left out: there is nothing in it that"
                    " %s can hold", tf->f.number, r->name);
        return LR_OK;
    }

    r->group = lr_tool_grow(r->group, r->n, sizeof(lr_file_fragment_t));

    ff = &r->group[r->n++];
    ff->number = tf->f.number;
    ff->base = tf->f.base;
    ff->bytes = tf->f.bytes;

    return LR_OK;
}


static int
lr_tool_flush(lr_tool_render_t *r)
{
    lr_body_t  b;

    if (r->n == 0) {
        return LR_OK;
    }

    memset(&b, 0, sizeof(lr_body_t));

    b.kind = LR_BODY_FILE;
    b.format = r->format;
    b.dir = r->dir;
    b.fragments = r->group;
    b.n = r->n;
    b.to = r->n;
    b.created = r->created;
    b.head = 1;

    r->group = NULL;
    r->n = 0;

    if (lr_tool_body(r, &b) != LR_OK) {

        if (!r->told) {
            lr_tool_say("\"%s\" cannot be read: %s", r->t.dir,
                        strerror(errno));
        }

        return LR_ERROR;
    }

    return lr_tool_finish(r);
}


/* appends what a body gives, which is freed, to the file under way */

static int
lr_tool_body(lr_tool_render_t *r, lr_body_t *b)
{
    int      rc, err;
    size_t   n;
    u_char  *p;

    b->engine = &r->engine;

    rc = lr_body_open(b, 0);

    while (rc == LR_OK) {

        rc = lr_body_next(b, &p, &n);

        if (rc == LR_OK) {
            rc = lr_tool_put(r, p, n);
        }
    }

    err = errno;
    lr_body_close(b);
    lr_body_free(b);
    errno = err;

    if (rc == LR_DECLINED && b->done == 0) {
        errno = ENODATA;
        return LR_ERROR;
    }

    return rc == LR_DECLINED ? LR_OK : LR_ERROR;
}


static int
lr_tool_put(lr_tool_render_t *r, const u_char *p, size_t n)
{
    if (r->fd == -1 && lr_tool_create(r) != LR_OK) {
        r->told = 1;
        return LR_ERROR;
    }

    if (lr_tool_stop) {
        errno = EINTR;

    } else if (lr_tool_write(r->fd, p, n) == LR_OK) {
        return LR_OK;
    }

    lr_tool_say("\"%s\" is not finished: %s", r->path, strerror(errno));
    r->told = 1;

    return LR_ERROR;
}


/* FILE, and then FILE with -2, -3 and so on before its suffix */

static int
lr_tool_create(lr_tool_render_t *r)
{
    size_t       len;
    const char  *dot, *slash;
    struct stat  st;

    dot = strrchr(r->file, '.');
    slash = strrchr(r->file, '/');

    len = dot && dot != r->file && (slash == NULL || dot > slash + 1)
          ? (size_t) (dot - r->file) : strlen(r->file);

    if (r->files) {
        snprintf(r->path, sizeof(r->path), "%.*s-%u%s", (int) len, r->file,
                 r->files + 1, r->file + len);

    } else {
        snprintf(r->path, sizeof(r->path), "%s", r->file);
    }

    snprintf(r->part, sizeof(r->part), "%.4000s.part", r->path);

    if (!r->force && lstat(r->path, &st) == 0) {
        lr_tool_say("\"%s\" is there already, --force replaces it", r->path);
        return LR_ERROR;
    }

    r->fd = open(r->part, O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC
                          |(r->force ? 0 : O_EXCL), 0666);

    if (r->fd == -1) {
        lr_tool_say("open() \"%s\" failed: %s", r->part, strerror(errno));
        return LR_ERROR;
    }

    return LR_OK;
}


static int
lr_tool_finish(lr_tool_render_t *r)
{
    int  rc;

    rc = fsync(r->fd);

    if (close(r->fd) == -1) {
        rc = -1;
    }

    r->fd = -1;

    if (rc == -1 || rename(r->part, r->path) == -1) {
        lr_tool_say("\"%s\": %s", r->path, strerror(errno));
        (void) unlink(r->part);
        return LR_ERROR;
    }

    r->files++;
    printf("%s\n", r->path);

    return LR_OK;
}


static void
lr_tool_give_up(lr_tool_render_t *r)
{
    if (r->fd != -1) {
        close(r->fd);
        (void) unlink(r->part);
        r->fd = -1;
    }
}


static int
lr_tool_write(int fd, const u_char *p, size_t n)
{
    ssize_t  done;

    while (n) {
        done = write(fd, p, n);

        if (done == -1) {
            if (errno == EINTR && !lr_tool_stop) {
                continue;
            }

            return LR_ERROR;
        }

        p += done;
        n -= (size_t) done;
    }

    return LR_OK;
}


static void
lr_tool_on_signal(int signo)
{
    lr_tool_stop = signo;
}
