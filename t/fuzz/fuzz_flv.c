
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Any bytes as a fragment's file: what is found in it, what a repair makes
 * of it, what it is rendered to.  The first byte says whether the bytes
 * after it are the file, or sizes and bodies of tags that are put into one,
 * and whether there is a table whose bytes are the last ones.
 */


#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lr_body.h"
#include "lr_flv.h"
#include "lr_fragment.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static char  root[64];


/* the table goes with the last of its neighbours */

static void
fuzz_remove(void)
{
    lr_fragment_remove(root, 1);
    lr_fragment_remove_tables(root, 1, LR_FRAGMENT_TABLES + 1);
}


static void
fuzz_clean(void)
{
    fuzz_remove();
    (void) rmdir(root);
}


static void
fuzz_write(const char *dir, const char *name, const void *p, size_t n)
{
    int   fd;
    char  path[512];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    fd = open(path, O_WRONLY|O_CREAT|O_TRUNC, 0600);

    if (fd == -1 || write(fd, p, n) != (ssize_t) n) {
        abort();
    }

    close(fd);
}


/* tags: type and timestamp in two bytes, size in one, the body */

static void
fuzz_tags(lr_buf_t *flv, const uint8_t *p, size_t size)
{
    size_t   n;
    int32_t  ts;
    u_char   head[LR_FLV_FILE_HEADER], tail[LR_FLV_TAG_TRAILER];

    lr_flv_file_header(head, 1, 1);
    lr_buf_append(flv, head, LR_FLV_FILE_HEADER);
    ts = 0;

    while (size >= 3) {
        ts += (int8_t) p[1] * (p[0] & 2 ? 1000 : 1);
        n = p[2] < size - 3 ? p[2] : size - 3;

        lr_flv_tag_header(head, p[0] & 1 ? LR_FLV_VIDEO : LR_FLV_AUDIO, n,
                          ts);
        lr_buf_append(flv, head, LR_FLV_TAG_HEADER);
        lr_buf_append(flv, p + 3, n);
        lr_put_be32(tail, (uint32_t) n + LR_FLV_TAG_HEADER);
        lr_buf_append(flv, tail, LR_FLV_TAG_TRAILER);

        p += 3 + n;
        size -= 3 + n;
    }
}


/* renders the fragment: the size foretold is the size it has */

static uint64_t
fuzz_render(const char *dir, lr_engine_t *e, unsigned count, unsigned format)
{
    int                 rc;
    size_t              n;
    u_char             *p;
    uint64_t            done;
    lr_body_t           b;
    lr_file_fragment_t  f;

    memset(&b, 0, sizeof(lr_body_t));
    memset(&f, 0, sizeof(lr_file_fragment_t));
    f.number = 1;
    f.base = 1000;
    b.kind = format ? LR_BODY_FILE : LR_BODY_TS;
    b.format = format;
    b.dir = dir;
    b.fragments = &f;
    b.n = 1;
    b.to = 1;
    b.head = 1;
    b.engine = e;

    if (lr_body_open(&b, count) != LR_OK) {
        return 0;
    }

    while ((rc = lr_body_next(&b, &p, &n)) == LR_OK) { /* void */ }

    if (rc != LR_DECLINED || (format == 0 && b.done % 188)
        || ((count || format) && b.done != b.size))
    {
        abort();
    }

    done = b.done;
    lr_body_close(&b);

    return done;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                 fd, rc;
    char                path[512];
    size_t              idx;
    uint32_t            n, got;
    uint64_t            good, bytes, len;
    lr_buf_t            flv;
    lr_row_t           *rows, *table;
    struct stat         st;
    lr_fragment_t       f;
    static lr_engine_t  engine;

    if (size == 0) {
        return 0;
    }

    if (root[0] == '\0') {
        snprintf(root, sizeof(root), "%s/lr_fuzz.XXXXXX",
                 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");

        if (mkdtemp(root) == NULL) {
            abort();
        }

        atexit(fuzz_clean);
    }

    fuzz_remove();

    idx = 0;

    if (data[0] & 2 && size > 64) {
        idx = size / 2;
        fuzz_write(root, "000001.idx", data + size - idx, idx);
    }

    memset(&flv, 0, sizeof(lr_buf_t));

    if (data[0] & 1) {
        fuzz_tags(&flv, data + 1, size - 1 - idx);

    } else {
        lr_buf_append(&flv, data + 1, size - 1 - idx);
    }

    fuzz_write(root, "000001.flv", flv.data, flv.len);

    (void) fuzz_render(root, &engine, 1, 0);
    (void) fuzz_render(root, &engine, 1, LR_FORMAT_MP4);
    (void) fuzz_render(root, &engine, 1, LR_FORMAT_FLV);

    snprintf(path, sizeof(path), "%s/000001.flv", root);
    fd = open(path, O_RDONLY);

    if (fd == -1 || lr_fragment_scan(fd, &rows, &n, &good) != LR_OK) {
        abort();
    }

    close(fd);

    if (good > flv.len) {
        abort();
    }

    rc = lr_fragment_repair(root, 1, &table, &got, &bytes);

    if ((rc == LR_OK) != (n != 0)) {
        abort();
    }

    if (rc == LR_OK) {

        /* what is left is what was found, and is a closed fragment */

        if (got != n || bytes != good || stat(path, &st) == -1
            || (uint64_t) st.st_size != good
            || memcmp(rows, table, n * sizeof(lr_row_t)) != 0)
        {
            abort();
        }

        free(table);

        if (lr_fragment_read_rows(root, 1, &table, &got) != LR_OK
            || got != n || memcmp(rows, table, n * sizeof(lr_row_t)) != 0)
        {
            abort();
        }

        free(table);

        memset(&f, 0, sizeof(lr_fragment_t));
        lr_fragment_measure(&f, rows, n);

        if (f.duration < 0 || f.duration > INT32_MAX) {
            abort();
        }

        len = fuzz_render(root, &engine, 0, 0);

        if (fuzz_render(root, &engine, 1, 0) != len) {
            abort();
        }

    } else if (stat(path, &st) == 0) {
        abort();
    }

    free(rows);
    lr_buf_free(&flv);

    return 0;
}
