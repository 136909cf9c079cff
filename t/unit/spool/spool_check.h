
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Directories, files and media for the tests of the spool.
 */


#ifndef _SPOOL_CHECK_H_INCLUDED_
#define _SPOOL_CHECK_H_INCLUDED_


#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lr_core.h"
#include "lr_flv.h"
#include "lr_sample.h"
#include "lr_settings.h"


#define CHECK_PATH  4096


/* H.264 640x480 and AAC LC 44100 stereo */

#define CHECK_AVCC                                                            \
    "\x17\0\0\0\0\x01\x42\xc0\x1e\xff\xe1\0\x0a"                              \
    "\x67\x42\xc0\x1e\xda\x02\x80\xf6\xc0\x44\x01\0\x04\x68\xce\x3c\x80"
#define CHECK_ASC   "\xaf\0\x12\x10"


static inline int
check_remove(const char *path, const struct stat *st, int flag,
    struct FTW *ftw)
{
    (void) st;
    (void) flag;
    (void) ftw;

    return remove(path);
}


static inline void
check_rm(const char *path)
{
    (void) nftw(path, check_remove, 16, FTW_DEPTH|FTW_PHYS);
}


/* a directory of the test's own, in memory where there is such a place */

static inline int
check_setup(void **state)
{
    char  *path;

    path = strdup("/dev/shm/lr_test.XXXXXX");

    if (path && mkdtemp(path) == NULL) {
        free(path);
        path = strdup("/tmp/lr_test.XXXXXX");

        if (path && mkdtemp(path) == NULL) {
            return -1;
        }
    }

    *state = path;

    return path ? 0 : -1;
}


static inline int
check_teardown(void **state)
{
    check_rm(*state);
    free(*state);

    return 0;
}


static inline const char *
check_path(char *path, const char *dir, const char *name)
{
    snprintf(path, CHECK_PATH, "%s/%s", dir, name);

    return path;
}


static inline void
check_write(const char *dir, const char *name, const void *p, size_t n)
{
    int   fd;
    char  path[CHECK_PATH];

    fd = open(check_path(path, dir, name), O_WRONLY|O_CREAT|O_TRUNC, 0600);

    if (fd == -1 || write(fd, p, n) != (ssize_t) n) {
        perror(path);
        abort();
    }

    close(fd);
}


/* a zero byte follows that is not counted; LR_ERROR: no such file */

static inline int
check_read(const char *dir, const char *name, lr_buf_t *b)
{
    int      fd;
    char     path[CHECK_PATH];
    ssize_t  n;

    b->len = 0;
    fd = open(check_path(path, dir, name), O_RDONLY);

    if (fd == -1) {
        return LR_ERROR;
    }

    do {
        if (lr_buf_reserve(b, 65536) != LR_OK) {
            abort();
        }

        n = read(fd, b->data + b->len, 65535);
        b->len += n > 0 ? (size_t) n : 0;
    } while (n > 0);

    b->data[b->len] = '\0';
    close(fd);

    return n == 0 ? LR_OK : LR_ERROR;
}


static inline long long
check_size(const char *dir, const char *name)
{
    char         path[CHECK_PATH];
    struct stat  st;

    return stat(check_path(path, dir, name), &st) == 0
           ? (long long) st.st_size : -1;
}


static inline size_t
check_entries(const char *path)
{
    DIR            *d;
    size_t          n;
    struct dirent  *de;

    d = opendir(path);

    if (d == NULL) {
        return 0;
    }

    for (n = 0; (de = readdir(d)) != NULL; /* void */ ) {
        n += strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0;
    }

    closedir(d);

    return n;
}


/* no file may grow beyond n bytes: a write beyond gives EFBIG */

static inline void
check_limit(rlim_t n)
{
    struct rlimit  rl;

    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &rl);
    rl.rlim_cur = n < rl.rlim_max ? n : rl.rlim_max;
    setrlimit(RLIMIT_FSIZE, &rl);
}


static inline void
check_settings(lr_settings_t *st)
{
    memset(st, 0, sizeof(lr_settings_t));

    strcpy(st->app, "live");
    strcpy(st->stream, "cam_1");

    st->domain = (char *) "live.example.com";
    st->scope = (char *) "";
    st->bucket = (char *) "local";
    st->path = (char *) "r/{AppName}/{StreamName}/"
                        "{EscapedStartTime}_{EscapedEndTime}";
    st->fragment_path = (char *) "r/{AppName}/{StreamName}/"
                                 "{UnixTimestamp}_{Sequence}";
    st->index_path = (char *) "{AppName}/{StreamName}/{Date}.m3u8";
    st->timezone = (char *) "utc";
    st->formats = LR_FORMAT_M3U8;
    st->cycle = 900000;
    st->fragment = 5000;
    st->grace = 180000;
}


/*
 * Appends a tag to an FLV file and its row to a table, as a recorder does;
 * returns the number of the tag's bytes.
 */

static inline size_t
check_tag(lr_buf_t *flv, lr_buf_t *rows, unsigned type, int32_t ts,
    const void *body, size_t n)
{
    u_char         head[LR_FLV_TAG_HEADER], tail[LR_FLV_TAG_TRAILER];
    lr_row_t       row;
    lr_flv_body_t  b;

    if (flv->len == 0) {
        u_char  file[LR_FLV_FILE_HEADER];

        lr_flv_file_header(file, 1, 1);
        lr_buf_append(flv, file, sizeof(file));
    }

    lr_flv_parse(type, body, n, &b);

    row.dts = ts;
    row.offset = (uint32_t) flv->len + LR_FLV_TAG_HEADER;
    row.size = (uint32_t) n;
    row.cts = b.cts;
    row.flags = (type == LR_FLV_VIDEO ? LR_SAMPLE_VIDEO : 0)
                | (b.kind == LR_FLV_CONFIG ? LR_SAMPLE_CONFIG
                                           : b.key ? LR_SAMPLE_KEY : 0)
                | LR_SAMPLE_FLAGS(b.header);

    if (rows) {
        lr_buf_append(rows, &row, sizeof(lr_row_t));
    }

    lr_flv_tag_header(head, type, n, ts);
    lr_buf_append(flv, head, sizeof(head));
    lr_buf_append(flv, body, n);
    lr_put_be32(tail, (uint32_t) n + LR_FLV_TAG_HEADER);
    lr_buf_append(flv, tail, sizeof(tail));

    return sizeof(head) + n + sizeof(tail);
}


/* the same of a frame of about n bytes, with one NAL unit if it is video */

static inline size_t
check_frame(lr_buf_t *flv, lr_buf_t *rows, unsigned video, unsigned key,
    int32_t ts, size_t n)
{
    size_t   i, done;
    u_char  *p;

    p = malloc(n + 16);

    if (p == NULL) {
        abort();
    }

    if (video) {
        p[0] = key ? 0x17 : 0x27;
        p[1] = 1;
        lr_put_be24(p + 2, 0);
        lr_put_be32(p + 5, (uint32_t) n + 1);
        p[9] = key ? 0x65 : 0x41;
        i = 10;

    } else {
        p[0] = 0xaf;
        p[1] = 1;
        i = 2;
    }

    for (done = 0; done < n; done++) {
        p[i++] = (u_char) (0x80 | (done * 7 + (size_t) ts));
    }

    done = check_tag(flv, rows, video ? LR_FLV_VIDEO : LR_FLV_AUDIO, ts, p,
                     i);
    free(p);

    return done;
}


/* a whole fragment of so many video frames of 40 ms, with audio */

static inline void
check_fragment(lr_buf_t *flv, lr_buf_t *rows, unsigned frames, size_t n)
{
    unsigned  i;

    flv->len = 0;

    if (rows) {
        rows->len = 0;
    }

    check_tag(flv, rows, LR_FLV_VIDEO, 0, CHECK_AVCC,
              sizeof(CHECK_AVCC) - 1);
    check_tag(flv, rows, LR_FLV_AUDIO, 0, CHECK_ASC, sizeof(CHECK_ASC) - 1);

    for (i = 0; i < frames; i++) {
        check_frame(flv, rows, 1, i == 0, (int32_t) i * 40, n);
        check_frame(flv, rows, 0, 1, (int32_t) i * 40 + 7, 20);
    }
}


#endif /* _SPOOL_CHECK_H_INCLUDED_ */
