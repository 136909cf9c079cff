
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/magic.h>
#include <sys/vfs.h>
#endif

#include "lr_flv.h"
#include "lr_fragment.h"
#include "lr_picture.h"
#include "lr_plain.h"


#define LR_FRAGMENT_MAGIC   0x5849524c        /* "LRIX", in host order */
#define LR_FRAGMENT_VERSION 2
#define LR_FRAGMENT_WINDOW  262144

/* a file without tags that becomes the next fragment's */
#define LR_FRAGMENT_SPARE   "spare.flv"


/* before the rows of each fragment in a file of tables */

typedef struct {
    uint32_t    magic;
    uint16_t    version;
    uint16_t    row_size;
    uint32_t    number;
    uint32_t    nrows;
} lr_fragment_head_t;


static int lr_fragment_spare_path(char *path, size_t size, const char *dir);
static int lr_fragment_spare_pays(const char *dir);
static int lr_fragment_load_rows(const char *dir, uint32_t number,
    uint64_t size, lr_row_t **rows, uint32_t *n);
static int lr_fragment_load_table(int fd, uint64_t offset, uint32_t n,
    uint64_t size, lr_row_t **rows);
static int lr_fragment_rows(int fd, const char *dir, uint32_t number,
    uint64_t size, lr_row_t **rows, uint32_t *n);
static uint32_t lr_fragment_table(uint32_t number);
static int lr_fragment_add_row(lr_buf_t *table, lr_picture_t *picture,
    unsigned type, int32_t ts, uint64_t offset, uint32_t size,
    const u_char *p);
static int lr_fragment_window(lr_fragment_reader_t *r, uint64_t offset,
    size_t n);
static ssize_t lr_fragment_pread(int fd, void *p, size_t n, uint64_t offset);


int
lr_fragment_path(char *path, size_t size, const char *dir, uint32_t number,
    const char *ext)
{
    int  n;

    n = snprintf(path, size, "%s/%06u.%s", dir, number, ext);

    if (n < 0 || (size_t) n >= size) {
        errno = ENAMETOOLONG;
        return LR_ERROR;
    }

    return LR_OK;
}


static int
lr_fragment_spare_path(char *path, size_t size, const char *dir)
{
    int  n;

    n = snprintf(path, size, "%s/" LR_FRAGMENT_SPARE, dir);

    if (n < 0 || (size_t) n >= size) {
        errno = ENAMETOOLONG;
        return LR_ERROR;
    }

    return LR_OK;
}


int
lr_fragment_create(const char *dir, uint32_t number)
{
    int          fd, rc;
    char         path[4096], spare[4096];
    u_char       head[LR_FLV_FILE_HEADER];
    struct stat  st;

    if (lr_fragment_path(path, sizeof(path), dir, number, "flv") != LR_OK
        || lr_fragment_spare_path(spare, sizeof(spare), dir) != LR_OK)
    {
        return -1;
    }

    if (rename(spare, path) == -1) {
        /* there is none, mostly: the file is a new one */
    }

    fd = lr_plain_open(path, O_RDWR|O_CREAT);

    if (fd == -1) {
        return -1;
    }

    lr_flv_file_header(head, 1, 1);

    errno = ENOSPC;

    if (pwrite(fd, head, sizeof(head), 0) != (ssize_t) sizeof(head)
        || fstat(fd, &st) == -1
        || (st.st_size > (off_t) sizeof(head)
            && ftruncate(fd, sizeof(head)) == -1))
    {
        rc = errno;
        close(fd);
        unlink(path);
        errno = rc;
        return -1;
    }

    return fd;
}


int
lr_fragment_write_rows(const char *dir, uint32_t number, const lr_row_t *rows,
    size_t n)
{
    int                 fd, rc;
    char                path[4096], aside[4096 + 16];
    off_t               end;
    ssize_t             size, got;
    struct iovec        iov[2];
    lr_fragment_head_t  head;

    if (lr_fragment_path(path, sizeof(path), dir, lr_fragment_table(number),
                         "idx")
        != LR_OK)
    {
        return LR_ERROR;
    }

    fd = lr_plain_open(path, O_WRONLY|O_CREAT|O_APPEND);

    if (fd == -1 && errno == ENODATA) {

        /* somebody has put something else in its place */

        (void) snprintf(aside, sizeof(aside), "%s.foreign", path);

        if (rename(path, aside) == 0) {
            fd = lr_plain_open(path, O_WRONLY|O_CREAT|O_APPEND);
        }
    }

    if (fd == -1) {
        return LR_ERROR;
    }

    head.magic = LR_FRAGMENT_MAGIC;
    head.version = LR_FRAGMENT_VERSION;
    head.row_size = sizeof(lr_row_t);
    head.number = number;
    head.nrows = (uint32_t) n;

    iov[0].iov_base = &head;
    iov[0].iov_len = sizeof(head);
    iov[1].iov_base = (void *) rows;
    iov[1].iov_len = n * sizeof(lr_row_t);

    size = (ssize_t) (iov[0].iov_len + iov[1].iov_len);
    end = lseek(fd, 0, SEEK_END);
    errno = ENOSPC;
    got = end == -1 ? -1 : writev(fd, iov, 2);
    rc = errno;

    if (got != size && end > 0 && ftruncate(fd, end) == -1) {
        /* what stands behind it is not found, and made from the FLV files */
    }

    if (got != size && end == 0) {
        (void) unlink(path);
    }

    if (close(fd) == -1 && got == size) {
        got = -1;
        rc = errno;
    }

    errno = rc;

    return got == size ? LR_OK : LR_ERROR;
}


/* the number of the first fragment whose table is in the same file */

static uint32_t
lr_fragment_table(uint32_t number)
{
    return (number - 1) / LR_FRAGMENT_TABLES * LR_FRAGMENT_TABLES + 1;
}


int
lr_fragment_read_rows(const char *dir, uint32_t number, lr_row_t **rows,
    uint32_t *n)
{
    int          fd, rc;
    char         path[4096];
    struct stat  st;

    *rows = NULL;

    if (lr_fragment_path(path, sizeof(path), dir, number, "flv") != LR_OK) {
        return LR_ERROR;
    }

    fd = lr_plain_open(path, O_RDONLY);

    if (fd == -1) {
        return LR_ERROR;
    }

    rc = fstat(fd, &st) == -1
         ? LR_ERROR
         : lr_fragment_rows(fd, dir, number, (uint64_t) st.st_size, rows, n);

    close(fd);

    return rc;
}


static int
lr_fragment_rows(int fd, const char *dir, uint32_t number, uint64_t size,
    lr_row_t **rows, uint32_t *n)
{
    int       rc;
    uint64_t  good;

    rc = lr_fragment_load_rows(dir, number, size, rows, n);

    if (rc != LR_OK) {
        rc = lr_fragment_scan(fd, rows, n, &good);
    }

    if (rc == LR_OK && *n == 0) {
        free(*rows);
        *rows = NULL;
        errno = ENODATA;
        return LR_ERROR;
    }

    return rc;
}


int
lr_fragment_saved_rows(const char *dir, uint32_t number, uint64_t bytes,
    lr_row_t **rows, uint32_t *n)
{
    *rows = NULL;
    errno = ENOENT;

    return lr_fragment_load_rows(dir, number, bytes, rows, n);
}


static int
lr_fragment_load_rows(const char *dir, uint32_t number, uint64_t size,
    lr_row_t **rows, uint32_t *n)
{
    int                 fd;
    char                path[4096];
    uint64_t            pos;
    lr_fragment_head_t  head;

    if (lr_fragment_path(path, sizeof(path), dir, lr_fragment_table(number),
                         "idx")
        != LR_OK)
    {
        return LR_ERROR;
    }

    fd = lr_plain_open(path, O_RDONLY);

    if (fd == -1) {
        return LR_ERROR;
    }

    pos = 0;

    while (pread(fd, &head, sizeof(head), (off_t) pos)
           == (ssize_t) sizeof(head)
           && head.magic == LR_FRAGMENT_MAGIC
           && head.row_size == sizeof(lr_row_t) && head.nrows != 0)
    {
        pos += sizeof(head);

        /* one that is older or was mended may have another one before */

        if (head.number == number && head.version == LR_FRAGMENT_VERSION
            && lr_fragment_load_table(fd, pos, head.nrows, size, rows)
               == LR_OK)
        {
            close(fd);
            *n = head.nrows;
            return LR_OK;
        }

        pos += (uint64_t) head.nrows * sizeof(lr_row_t);
    }

    close(fd);

    return LR_ERROR;
}


static int
lr_fragment_load_table(int fd, uint64_t offset, uint32_t n, uint64_t size,
    lr_row_t **rows)
{
    size_t       len;
    uint32_t     i;
    uint64_t     pos;
    struct stat  st;

    len = (size_t) n * sizeof(lr_row_t);

    if (fstat(fd, &st) == -1 || (uint64_t) st.st_size < offset + len) {
        return LR_ERROR;
    }

    *rows = malloc(len);

    if (*rows == NULL
        || lr_fragment_pread(fd, *rows, len, offset) != (ssize_t) len)
    {
        goto failed;
    }

    /* the rows are of this file if they cover it, tag by tag */

    pos = LR_FLV_FILE_HEADER;

    for (i = 0; i < n; i++) {
        if ((*rows)[i].offset != pos + LR_FLV_TAG_HEADER) {
            goto failed;
        }

        pos = (uint64_t) (*rows)[i].offset + (*rows)[i].size
              + LR_FLV_TAG_TRAILER;
    }

    if (pos == size) {
        return LR_OK;
    }

failed:

    free(*rows);
    *rows = NULL;

    return LR_ERROR;
}


int
lr_fragment_scan(int fd, lr_row_t **rows, uint32_t *n, uint64_t *good)
{
    ssize_t               got;
    int32_t               ts;
    uint32_t              size;
    uint64_t              pos;
    unsigned              type;
    const u_char         *p;
    lr_buf_t              table;
    struct stat           st;
    lr_picture_t          picture;
    lr_fragment_reader_t  r;

    *rows = NULL;
    *n = 0;
    *good = 0;

    memset(&table, 0, sizeof(lr_buf_t));
    memset(&picture, 0, sizeof(lr_picture_t));
    memset(&r, 0, sizeof(lr_fragment_reader_t));

    if (fstat(fd, &st) == -1) {
        return LR_ERROR;
    }

    r.fd = fd;
    r.size = (uint64_t) st.st_size;

    if (r.size < LR_FLV_FILE_HEADER) {
        return LR_OK;
    }

    pos = LR_FLV_FILE_HEADER;
    got = 0;

    while (pos + LR_FLV_TAG_HEADER + LR_FLV_TAG_TRAILER <= r.size
           && pos <= UINT32_MAX - 0x2000000)
    {
        if (lr_fragment_window(&r, pos, LR_FLV_TAG_HEADER) != LR_OK) {
            goto failed;
        }

        p = r.buf.data + (pos - r.start);
        type = p[0];
        size = lr_get_be24(p + 1);
        ts = (int32_t) (lr_get_be24(p + 4) | (uint32_t) p[7] << 24);

        if ((type != LR_FLV_AUDIO && type != LR_FLV_VIDEO)
            || pos + LR_FLV_TAG_HEADER + size + LR_FLV_TAG_TRAILER > r.size)
        {
            break;
        }

        if (lr_fragment_window(&r, pos + LR_FLV_TAG_HEADER,
                               size + LR_FLV_TAG_TRAILER)
            != LR_OK)
        {
            goto failed;
        }

        p = r.buf.data + (pos + LR_FLV_TAG_HEADER - r.start);

        if (lr_get_be32(p + size) != size + LR_FLV_TAG_HEADER) {
            break;
        }

        if (lr_fragment_add_row(&table, &picture, type, ts,
                                pos + LR_FLV_TAG_HEADER, size, p)
            != LR_OK)
        {
            goto failed;
        }

        pos += LR_FLV_TAG_HEADER + size + LR_FLV_TAG_TRAILER;
        got++;
    }

    lr_buf_free(&r.buf);

    *good = pos;
    *n = (uint32_t) got;
    *rows = (lr_row_t *) table.data;

    return LR_OK;

failed:

    lr_buf_free(&r.buf);
    lr_buf_free(&table);

    return LR_ERROR;
}


static int
lr_fragment_add_row(lr_buf_t *table, lr_picture_t *picture, unsigned type,
    int32_t ts, uint64_t offset, uint32_t size, const u_char *p)
{
    lr_row_t       row;
    lr_flv_body_t  body;

    lr_flv_parse(type, p, size, &body);

    row.dts = ts;
    row.offset = (uint32_t) offset;
    row.size = size;
    row.cts = body.cts;
    row.flags = LR_SAMPLE_FLAGS(body.header);

    if (body.kind == LR_FLV_CONFIG) {
        row.flags |= LR_SAMPLE_CONFIG;

    } else if (body.key) {
        row.flags |= LR_SAMPLE_KEY;
    }

    if (type == LR_FLV_VIDEO) {
        row.flags |= LR_SAMPLE_VIDEO;

        if (body.kind == LR_FLV_CONFIG) {
            lr_picture_config(picture, p, size);

        } else {
            lr_picture_begin(picture, &body, size);
            (void) lr_picture_feed(picture, p, size);
            row.flags |= lr_picture_end(picture);
        }
    }

    lr_buf_append(table, &row, sizeof(lr_row_t));

    if (table->failed) {
        errno = ENOMEM;
        return LR_ERROR;
    }

    return LR_OK;
}


int
lr_fragment_repair(const char *dir, uint32_t number, lr_row_t **rows,
    uint32_t *n, uint64_t *bytes)
{
    int   fd, rc;
    char  path[4096];

    *rows = NULL;
    *n = 0;

    if (lr_fragment_path(path, sizeof(path), dir, number, "flv") != LR_OK) {
        return LR_ERROR;
    }

    fd = lr_plain_open(path, O_RDWR);

    if (fd == -1) {
        return errno == ENOENT ? LR_DECLINED : LR_ERROR;
    }

    rc = lr_fragment_scan(fd, rows, n, bytes);

    /* its time of change, from which a grace may count, is kept if it can */

    if (rc == LR_OK && *n && lseek(fd, 0, SEEK_END) != (off_t) *bytes
        && ftruncate(fd, (off_t) *bytes) == -1)
    {
        rc = LR_ERROR;
    }

    close(fd);

    if (rc == LR_OK && *n == 0) {
        lr_fragment_remove(dir, number);
        rc = LR_DECLINED;
    }

    if (rc == LR_OK
        && lr_fragment_write_rows(dir, number, *rows, *n) != LR_OK)
    {
        /* on a full disk, maybe: what it says can be had from the file */
    }

    if (rc != LR_OK) {
        free(*rows);
        *rows = NULL;
    }

    return rc;
}


void
lr_fragment_measure(lr_fragment_t *f, const lr_row_t *rows, uint32_t n)
{
    int64_t   end, first, last[2], step[2];
    uint32_t  i;
    unsigned  t, keys, flags, seen[2];

    end = 0;
    first = f->media - f->base;
    last[0] = last[1] = 0;
    seen[0] = seen[1] = 0;
    step[0] = 23;
    step[1] = 40;

    f->independent = 1;
    keys = 0;

    for (i = 0; i < n; i++) {
        flags = rows[i].flags;

        if (flags & LR_SAMPLE_CONFIG) {
            continue;
        }

        t = flags & LR_SAMPLE_VIDEO ? 1 : 0;

        /* up to the second key frame: what is tied later has all it needs */

        if (t && keys < 2 && !(flags & LR_SAMPLE_PREV)) {

            if ((flags & (LR_SAMPLE_KEY|LR_SAMPLE_NEXT)) == LR_SAMPLE_KEY) {
                keys++;
            }

            if ((keys == 0 && !(flags & LR_SAMPLE_KEY))
                || (keys < 2 && flags & LR_SAMPLE_TIED))
            {
                f->independent = 0;
            }
        }

        if (!seen[t]) {
            seen[t] = 1;

        } else if (rows[i].dts > last[t] && rows[i].dts - last[t] < 1000) {
            step[t] = rows[i].dts - last[t];
        }

        last[t] = rows[i].dts;

        if (last[t] + step[t] - first > end) {
            end = last[t] + step[t] - first;
        }
    }

    /* a damaged timestamp must not make the journal unreadable */

    f->duration = end > INT32_MAX ? INT32_MAX : end;
}


int
lr_fragment_sync_table(const char *dir, uint32_t number)
{
    int   fd, rc;
    char  path[4096];

    if (lr_fragment_path(path, sizeof(path), dir, lr_fragment_table(number),
                         "idx")
        != LR_OK)
    {
        return LR_ERROR;
    }

    fd = lr_plain_open(path, O_RDONLY);

    if (fd == -1) {
        return LR_ERROR;
    }

    rc = fdatasync(fd);

    close(fd);

    return rc == 0 ? LR_OK : LR_ERROR;
}


void
lr_fragment_remove(const char *dir, uint32_t number)
{
    char  path[4096];

    if (lr_fragment_path(path, sizeof(path), dir, number, "flv") == LR_OK) {
        (void) unlink(path);
    }
}


/*
 * ext4 looks at each inode that was freed within the last minutes before it
 * takes one for a new file.  Of the old one its header is left: what was cut
 * to nothing before is written to the disk by ext4 as soon as it is closed,
 * and most fragments are shipped and need not be written at all.  XFS does
 * so with what was cut anywhere, and others do not need it.
 */

void
lr_fragment_spare(const char *dir, uint32_t number)
{
    char  path[4096], spare[4096];

    if (lr_fragment_spare_pays(dir)
        && lr_fragment_path(path, sizeof(path), dir, number, "flv") == LR_OK
        && lr_fragment_spare_path(spare, sizeof(spare), dir) == LR_OK
        && truncate(path, LR_FLV_FILE_HEADER) == 0
        && rename(path, spare) == 0)
    {
        return;
    }

    lr_fragment_remove(dir, number);
}


static int
lr_fragment_spare_pays(const char *dir)
{
#ifdef __linux__

    struct statfs  fs;

    return statfs(dir, &fs) == 0 && fs.f_type == EXT4_SUPER_MAGIC;

#else

    return 0;

#endif
}


void
lr_fragment_remove_tables(const char *dir, uint32_t from, uint32_t to)
{
    char  path[4096];

    for (from = lr_fragment_table(from); from + LR_FRAGMENT_TABLES <= to;
         from += LR_FRAGMENT_TABLES)
    {
        if (lr_fragment_path(path, sizeof(path), dir, from, "idx") == LR_OK)
        {
            (void) unlink(path);
        }
    }
}


int
lr_fragment_open(lr_fragment_reader_t *r, const char *dir, uint32_t number,
    int64_t base)
{
    int          rc;
    char         path[4096];
    struct stat  st;

    r->fd = -1;
    r->rows = NULL;
    r->base = base;

    if (lr_fragment_path(path, sizeof(path), dir, number, "flv") != LR_OK) {
        return LR_ERROR;
    }

    r->fd = lr_plain_open(path, O_RDONLY);

    if (r->fd == -1
        || fstat(r->fd, &st) == -1
        || lr_fragment_rows(r->fd, dir, number, (uint64_t) st.st_size,
                            &r->rows, &r->nrows)
           != LR_OK)
    {
        rc = errno;
        lr_fragment_close(r);
        errno = rc;
        return LR_ERROR;
    }

    (void) posix_fadvise(r->fd, 0, 0, POSIX_FADV_SEQUENTIAL);

    r->size = (uint64_t) st.st_size;
    lr_fragment_rewind(r);

    return LR_OK;
}


void
lr_fragment_rewind(lr_fragment_reader_t *r)
{
    r->next = 0;
    r->start = 0;
    r->buf.len = 0;
}


int
lr_fragment_next(lr_fragment_reader_t *r, lr_sample_t *s)
{
    lr_row_t  *row;

    if (r->next == r->nrows) {
        return LR_DECLINED;
    }

    row = &r->rows[r->next];

    if (lr_fragment_window(r, row->offset, row->size) != LR_OK) {
        return LR_ERROR;
    }

    s->dts = r->base + row->dts;
    s->cts = row->cts;
    s->flags = row->flags;
    s->data = r->buf.data + (row->offset - r->start);
    s->size = row->size;

    r->next++;

    return LR_OK;
}


/* makes sure that n bytes at the offset are in the window */

static int
lr_fragment_window(lr_fragment_reader_t *r, uint64_t offset, size_t n)
{
    size_t   keep, want;
    ssize_t  got;

    if (offset >= r->start && offset + n <= r->start + r->buf.len) {
        return LR_OK;
    }

    if (offset + n > r->size) {
        errno = EIO;
        return LR_ERROR;
    }

    keep = 0;

    if (offset >= r->start && offset < r->start + r->buf.len) {
        keep = (size_t) (r->start + r->buf.len - offset);
        memmove(r->buf.data, r->buf.data + r->buf.len - keep, keep);
    }

    r->buf.len = keep;
    r->start = offset;

    want = n > LR_FRAGMENT_WINDOW ? n : LR_FRAGMENT_WINDOW;

    if (want > r->size - offset) {
        want = (size_t) (r->size - offset);
    }

    if (lr_buf_reserve(&r->buf, want - keep) != LR_OK) {
        errno = ENOMEM;
        return LR_ERROR;
    }

    got = lr_fragment_pread(r->fd, r->buf.data + keep, want - keep,
                            offset + keep);

    if (got == -1) {
        return LR_ERROR;
    }

    r->buf.len = keep + (size_t) got;

    if (r->buf.len < n) {
        errno = EIO;
        return LR_ERROR;
    }

    return LR_OK;
}


static ssize_t
lr_fragment_pread(int fd, void *p, size_t n, uint64_t offset)
{
    size_t   have;
    ssize_t  got;

    for (have = 0; have < n; have += (size_t) got) {
        got = pread(fd, (char *) p + have, n - have, (off_t) (offset + have));

        if (got == -1 && errno == EINTR) {
            got = 0;
            continue;
        }

        if (got == -1) {
            return -1;
        }

        if (got == 0) {
            break;
        }
    }

    return (ssize_t) have;
}


void
lr_fragment_close(lr_fragment_reader_t *r)
{
    if (r->fd != -1) {
        close(r->fd);
        r->fd = -1;
    }

    free(r->rows);
    r->rows = NULL;
    r->nrows = 0;
    r->next = 0;
    r->buf.len = 0;
    r->start = 0;

    /* a lack of memory does not last for ever */

    if (r->buf.failed) {
        lr_buf_free(&r->buf);
    }
}
