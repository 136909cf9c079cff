
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>


/* file systems that cannot, fail, or do it in steps */

static int       no_link;
static int       no_room;
static int       no_sync;

static size_t  past;
static int       no_share;
static int       grows;
static size_t    share_max;
static unsigned  rooms;
static unsigned  shares;


int
link(const char *a, const char *b)
{
    if (no_link) {
        errno = EPERM;
        return -1;
    }

    return linkat(AT_FDCWD, a, AT_FDCWD, b, 0);
}


/* one without links has no rename() that keeps names either */

int
renameat2(int from, const char *a, int to, const char *b, unsigned flags)
{
    if (no_link) {
        errno = EINVAL;
        return -1;
    }

    return (int) syscall(SYS_renameat2, from, a, to, b, flags);
}


int
fsync(int fd)
{
    if (no_sync) {
        errno = EIO;
        return -1;
    }

    return (int) syscall(SYS_fsync, fd);
}


/* counts what goes past the page cache */

ssize_t
pwrite(int fd, const void *p, size_t n, off_t at)
{
    ssize_t  got;

    got = syscall(SYS_pwrite64, fd, p, n, at);

    if (got > 0 && (fcntl(fd, F_GETFL) & O_DIRECT)) {
        past += (size_t) got;
    }

    return got;
}


static int
test_lr_fallocate(int fd, int mode, off_t offset, off_t len)
{
    if (no_room && mode == FALLOC_FL_INSERT_RANGE) {

        if (grows && ftruncate(fd, lseek(fd, 0, SEEK_END) + len) == -1) {
            return -1;
        }

        errno = no_room;
        return -1;
    }

    if (fallocate(fd, mode, offset, len) == -1) {
        return -1;
    }

    rooms += mode == FALLOC_FL_INSERT_RANGE;

    return 0;
}


static ssize_t
test_lr_share(int from, off_t *at, int to, off_t *out, size_t n,
    unsigned flags)
{
    if (no_share) {
        errno = EXDEV;
        return -1;
    }

    shares++;

    if (share_max && shares % 3 == 0) {
        return 0;
    }

    return copy_file_range(from, at, to, out,
                           share_max && n > share_max ? share_max : n, flags);
}


#define fallocate        test_lr_fallocate
#define copy_file_range  test_lr_share
#include "../../../spool/lr_dir_parts.c"
#undef fallocate
#undef copy_file_range
#include "spool_check.h"


#define MEDIA  300000
#define HEAD   8192
#define KEY    "a/b/c.mp4"


static char             err[512];
static char             id[300];
static lr_dir_upload_t  up;


/* the directories of a test, on file systems of two kinds */

typedef struct {
    char  *root[2];
} dirs_t;


static int
setup(void **state)
{
    dirs_t  *d;

    d = calloc(1, sizeof(dirs_t));

    if (d == NULL || check_setup((void **) &d->root[0]) != 0) {
        return -1;
    }

    d->root[1] = strdup("/tmp/lr_test.XXXXXX");

    if (d->root[1] == NULL || mkdtemp(d->root[1]) == NULL) {
        return -1;
    }

    *state = d;

    return 0;
}


static int
teardown(void **state)
{
    dirs_t  *d = *state;

    check_teardown((void **) &d->root[0]);
    check_teardown((void **) &d->root[1]);
    free(d);

    return 0;
}


#define each_root(root)                                                       \
    for (size_t i_ = 0;                                                       \
         i_ < 2 && (root = ((dirs_t *) *state)->root[i_]) != NULL;            \
         i_++)


static void
fill(lr_buf_t *b, size_t n, unsigned seed)
{
    size_t  i;

    assert_int_equal(lr_buf_reserve(b, n), LR_OK);

    for (i = 0; i < n; i++) {
        b->data[b->len++] = (u_char) (1 + (i * 7 + i / 251 + seed) % 251);
    }
}


static void
set(const char *root, const char *key, unsigned keep)
{
    memset(&up, 0, sizeof(up));
    err[0] = '\0';

    up.root = root;
    up.key = key;
    up.upload = id;
    up.keep = keep;
    up.fsync = keep;
    up.err = err;
    up.size = sizeof(err);
}


static int
begin(const char *root, const char *key, unsigned keep)
{
    int       rc;
    lr_buf_t  b;
    uint32_t  align;

    set(root, key, keep);
    memset(&b, 0, sizeof(b));
    align = 77;

    rc = lr_dir_begin(&up, "id-1", &b, &align);

    if (rc == LR_OK) {
        assert_int_equal(b.len, strlen((char *) b.data));
        assert_true(b.len < sizeof(id));
        strcpy(id, (char *) b.data);
        up.upload = id;
        assert_true(align && align <= 65536 && (align & (align - 1)) == 0);
    }

    lr_buf_free(&b);

    return rc;
}


static int
part(const char *root, uint32_t number, uint64_t offset, size_t n)
{
    int        rc;
    lr_body_t  b;

    set(root, KEY, 1);
    memset(&b, 0, sizeof(b));
    fill(&b.text, n, number);
    assert_int_equal(lr_body_open(&b, 1), LR_OK);
    rc = lr_dir_part(&up, number, offset, &b);
    lr_body_close(&b);
    lr_body_free(&b);

    assert_int_equal(rc == LR_OK, err[0] == '\0');
    assert_int_equal(rc == LR_ERROR, up.error != 0);
    assert_int_equal(up.local, 0);

    return rc;
}


static int
complete(const char *root, uint64_t size)
{
    set(root, KEY, 1);

    return lr_dir_complete(&up, size);
}


static int
head(const char *root)
{
    return part(root, 1, 2 * MEDIA, HEAD);
}


/* media of two parts, and no head yet */

static void
media(const char *root)
{
    assert_int_equal(begin(root, KEY, 1), LR_OK);
    assert_int_equal(part(root, 2, 0, MEDIA), LR_OK);
    assert_int_equal(part(root, 3, MEDIA, MEDIA), LR_OK);
}


static const char *
work(char *path, const char *root, const char *suffix)
{
    snprintf(path, CHECK_PATH, "%s/a/b/%s.%s", root, id, suffix);

    return path;
}


static int
is_there(const char *root, const char *suffix)
{
    char         path[CHECK_PATH];
    struct stat  st;

    return lstat(work(path, root, suffix), &st) == 0;
}


static void
file_is(const char *root, const char *name, unsigned with_head,
    unsigned parts)
{
    unsigned  i;
    lr_buf_t  a, b;

    memset(&a, 0, sizeof(a));
    memset(&b, 0, sizeof(b));

    if (with_head) {
        fill(&a, HEAD, 1);
    }

    for (i = 0; i < parts; i++) {
        fill(&a, MEDIA, 2 + i);
    }

    assert_int_equal(check_read(root, name, &b), LR_OK);
    assert_int_equal(a.len, b.len);

    if (a.len) {
        assert_memory_equal(a.data, b.data, a.len);
    }

    lr_buf_free(&a);
    lr_buf_free(&b);
}


/* the object is whole, and nothing is beside it */

static void
object_is_whole(const char *root)
{
    char  path[CHECK_PATH];

    file_is(root, KEY, 1, 2);
    assert_int_equal(check_entries(check_path(path, root, "a/b")), 1);
    assert_int_equal(check_entries(root), 1);
}


/* the rest of an upload, from some state on */

static void
finish(const char *root)
{
    char  path[CHECK_PATH];

    assert_int_equal(check_size(root, KEY), -1);
    assert_int_equal(head(root), LR_OK);
    assert_int_equal(check_size(root, KEY), -1);
    assert_int_equal(complete(root, HEAD + 2 * MEDIA), LR_OK);
    object_is_whole(root);

    /* an answer that was not heard */

    assert_int_equal(complete(root, HEAD + 2 * MEDIA), LR_OK);
    object_is_whole(root);

    assert_int_equal(unlink(check_path(path, root, KEY)), 0);
}


/* whether the file system makes room in front */

static unsigned
makes_room(const char *root)
{
    int   fd, rc;
    char  path[CHECK_PATH];

    check_write(root, "probe", "x", 1);
    fd = open(check_path(path, root, "probe"), O_RDWR);
    rc = fallocate(fd, FALLOC_FL_INSERT_RANGE, 0, HEAD);
    close(fd);
    unlink(path);

    return rc == 0;
}


/* media that goes past the page cache, from any offset on */

static void
direct(void **state)
{
    int                  fd, rc;
    char                 path[CHECK_PATH];
    char                *root;
    size_t               i, n;
    u_char              *p, *got;
    lr_buf_t             flv, want;
    lr_body_t            b;
    lr_engine_t          e;
    struct statfs        fs;

    static const size_t  offsets[] = { 0, 1, 1000, 4095, 4096, 70001 };

    memset(&flv, 0, sizeof(flv));
    memset(&want, 0, sizeof(want));
    memset(&e, 0, sizeof(e));
    check_fragment(&flv, NULL, 120, 30000);

    each_root(root) {
        check_write(root, "000001.flv", flv.data, flv.len);

        for (i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
            assert_int_equal(begin(root, KEY, 0), LR_OK);

            if (offsets[i]) {
                assert_int_equal(part(root, 2, 0, offsets[i]), LR_OK);
            }

            memset(&b, 0, sizeof(b));
            b.fragments = calloc(1, sizeof(lr_file_fragment_t));
            assert_non_null(b.fragments);
            b.fragments->number = 1;
            b.kind = LR_BODY_TS;
            b.dir = root;
            b.n = 1;
            b.engine = &e;
            b.direct = 1;

            set(root, KEY, 0);
            past = 0;
            assert_int_equal(lr_body_open(&b, 1), LR_OK);
            assert_int_equal(lr_dir_part(&up, 3, offsets[i], &b), LR_OK);
            lr_body_close(&b);

            /* all but its ends, where the file system is one of those */

            assert_int_equal(statfs(root, &fs), 0);

            if (fs.f_type == 0xef53 || fs.f_type == 0x58465342) {
                assert_true(past + 4096 + LR_DIRECT_MIN >= b.done);

            } else {
                assert_int_equal(past, 0);
            }

            want.len = 0;
            assert_int_equal(lr_body_open(&b, 1), LR_OK);

            while ((rc = lr_body_next(&b, &p, &n)) == LR_OK) {
                lr_buf_append(&want, p, n);
            }

            assert_int_equal(rc, LR_DECLINED);
            assert_int_equal(want.len, b.size);
            assert_true(want.len > 3000000);
            lr_body_close(&b);
            lr_body_free(&b);

            got = malloc(want.len + 1);
            assert_non_null(got);

            fd = open(work(path, root, "part"), O_RDONLY);
            assert_true(fd != -1);
            assert_int_equal(pread(fd, got, want.len + 1, (off_t) offsets[i]),
                             want.len);
            assert_memory_equal(got, want.data, want.len);
            close(fd);
            free(got);
        }
    }

    lr_engine_free(&e);
    lr_buf_free(&want);
    lr_buf_free(&flv);
}


static void
in_parts(void **state)
{
    int          fd;
    char         path[CHECK_PATH];
    char        *root;
    unsigned     room;
    struct stat  a, b;

    each_root(root) {
        room = makes_room(root);

        media(root);
        file_is(root, work(path, "", "part") + 1, 0, 2);
        fd = open(work(path, root, "part"), O_RDONLY);
        assert_int_equal(fsync(fd), 0);
        close(fd);
        assert_int_equal(stat(path, &a), 0);

        rooms = 0;
        shares = 0;
        assert_int_equal(head(root), LR_OK);
        assert_int_equal(rooms, room);
        assert_int_equal(shares, !room);
        assert_false(is_there(root, "part"));
        assert_false(is_there(root, "copy"));

        fd = open(work(path, root, "head"), O_RDONLY);
        assert_int_equal(fsync(fd), 0);
        close(fd);
        assert_int_equal(stat(path, &b), 0);

        if (room) {

            /* the same file, and no block more than the head takes */

            assert_int_equal(a.st_ino, b.st_ino);
            assert_int_equal(a.st_blocks + HEAD / 512, b.st_blocks);
        }

        assert_int_equal(complete(root, HEAD + 2 * MEDIA), LR_OK);
        object_is_whole(root);
        assert_int_equal(stat(check_path(path, root, KEY), &a), 0);
        assert_int_equal(a.st_ino, b.st_ino);
        unlink(path);

        /* every way, whatever the file system */

        no_room = EOPNOTSUPP;
        media(root);
        finish(root);

        share_max = 100000;
        media(root);
        finish(root);
        share_max = 0;

        no_share = 1;
        media(root);
        finish(root);
        no_share = 0;
        no_room = 0;

        /* a head whose length no block has */

        media(root);
        assert_int_equal(part(root, 1, 2 * MEDIA, HEAD + 5), LR_OK);
        assert_int_equal(complete(root, HEAD + 5 + 2 * MEDIA), LR_OK);
        unlink(path);

        /* a head, and nothing else; longer than a dead try's */

        assert_int_equal(begin(root, KEY, 0), LR_OK);
        assert_int_equal(part(root, 1, 0, HEAD), LR_OK);
        assert_int_equal(truncate(work(path, root, "head"), 5), 0);
        assert_int_equal(part(root, 1, 0, HEAD), LR_OK);
        assert_int_equal(complete(root, HEAD), LR_OK);
        file_is(root, KEY, 1, 0);
    }
}


static void
again(void **state)
{
    char         path[CHECK_PATH];
    char        *root;
    unsigned     i;
    struct stat  st;

    each_root(root) {
        media(root);

        /* begun once more: empty, and the same upload */

        strcpy(path, id);
        assert_int_equal(begin(root, KEY, 0), LR_OK);
        assert_string_equal(path, id);
        assert_int_equal(stat(work(path, root, "part"), &st), 0);
        assert_int_equal(st.st_size, 0);

        /* each part again; what was behind is cut off */

        for (i = 0; i < 2; i++) {
            assert_int_equal(part(root, 2, 0, MEDIA), LR_OK);
            file_is(root, work(path, "", "part") + 1, 0, 1);
            assert_int_equal(part(root, 3, MEDIA, MEDIA), LR_OK);
            assert_int_equal(part(root, 3, MEDIA, MEDIA), LR_OK);
            file_is(root, work(path, "", "part") + 1, 0, 2);
        }

        /* some of a part that was never confirmed */

        assert_int_equal(part(root, 4, 2 * MEDIA, 100), LR_OK);
        finish(root);

        /* a dead try stopped in the middle of part 3, and of part 2 */

        media(root);
        assert_int_equal(truncate(work(path, root, "part"), MEDIA + 999), 0);
        assert_int_equal(part(root, 3, MEDIA, MEDIA), LR_OK);
        assert_int_equal(truncate(work(path, root, "part"), 999), 0);
        assert_int_equal(part(root, 2, 0, MEDIA), LR_OK);
        assert_int_equal(part(root, 3, MEDIA, MEDIA), LR_OK);

        for (i = 0; i < 3; i++) {
            assert_int_equal(head(root), LR_OK);
            file_is(root, work(path, "", "head") + 1, 1, 2);

            /* no part may be written any more */

            assert_int_equal(part(root, 2, 0, MEDIA), LR_OK);
            assert_int_equal(part(root, 3, MEDIA, MEDIA), LR_OK);
            assert_int_equal(part(root, 4, 2 * MEDIA, MEDIA), LR_AGAIN);
            file_is(root, work(path, "", "head") + 1, 1, 2);
        }

        finish(root);

        /* two files of a recording side by side */

        media(root);
        strcpy(path, id);
        assert_int_equal(begin(root, "a/b/c.flv", 0), LR_OK);
        assert_string_not_equal(path, id);
        assert_int_equal(lr_dir_abort(&up), LR_OK);
        assert_int_equal(lr_dir_abort(&up), LR_OK);
        strcpy(id, path);
        finish(root);

        /* begun once more when the head was there */

        media(root);
        assert_int_equal(head(root), LR_OK);
        check_write(root, work(path, "", "copy") + 1, "x", 1);
        assert_int_equal(begin(root, KEY, 1), LR_OK);
        assert_int_equal(check_entries(check_path(path, root, "a/b")), 1);
        assert_int_equal(part(root, 3, MEDIA, MEDIA), LR_AGAIN);
        assert_int_equal(part(root, 2, 0, MEDIA), LR_OK);
        file_is(root, work(path, "", "part") + 1, 0, 1);

        /* aborted in each state, and when there was none */

        for (i = 0; i < 3; i++) {
            if (i) {
                media(root);
            }

            if (i == 2) {
                assert_int_equal(head(root), LR_OK);
                check_write(root, work(path, "", "copy") + 1, "x", 1);
            }

            set(root, KEY, 0);
            assert_int_equal(lr_dir_abort(&up), LR_OK);
            assert_int_equal(check_entries(check_path(path, root, "a/b")), 0);
        }

        set(root, "x/y/z", 0);
        assert_int_equal(lr_dir_abort(&up), LR_OK);
    }
}


static void
room_at(const char *root, off_t at, size_t n)
{
    int   fd;
    char  path[CHECK_PATH];

    fd = open(work(path, root, "head"), O_RDWR);
    assert_int_equal(fallocate(fd, FALLOC_FL_INSERT_RANGE, at, (off_t) n),
                     0);
    close(fd);
}


static void
renamed(const char *root)
{
    char  path[CHECK_PATH], other[CHECK_PATH];

    media(root);
    assert_int_equal(rename(work(path, root, "part"),
                            work(other, root, "head")), 0);
}


static void
killed(void **state)
{
    int        fd;
    char       path[CHECK_PATH], other[CHECK_PATH];
    char      *root;
    off_t      at;
    unsigned   i;
    lr_buf_t   b;

    memset(&b, 0, sizeof(b));
    fill(&b, HEAD, 1);

    each_root(root) {

        /* before the room was made */

        renamed(root);
        assert_int_equal(part(root, 3, MEDIA, MEDIA), LR_OK);
        finish(root);

        /* while a second file was written, and when it was whole */

        renamed(root);
        check_write(root, work(path, "", "copy") + 1, b.data, 100);
        no_room = EOPNOTSUPP;
        finish(root);

        media(root);
        assert_int_equal(head(root), LR_OK);
        no_room = 0;
        finish(root);

        /* it grew, and that was all, or it could not be moved */

        renamed(root);
        assert_int_equal(truncate(work(path, root, "head"),
                                  2 * MEDIA + HEAD), 0);
        finish(root);

        media(root);
        no_room = ENOSPC;
        grows = 1;
        assert_int_equal(head(root), LR_ERROR);
        assert_int_equal(up.error, ENOSPC);
        assert_int_equal(check_size(root, work(path, "", "head") + 1),
                         2 * MEDIA + HEAD);
        assert_int_equal(part(root, 3, MEDIA, MEDIA), LR_OK);
        assert_int_equal(head(root), LR_ERROR);
        no_room = 0;
        grows = 0;
        finish(root);

        /* between the two names */

        media(root);
        assert_int_equal(head(root), LR_OK);
        assert_int_equal(linkat(AT_FDCWD, work(path, root, "head"), AT_FDCWD,
                                check_path(other, root, KEY), 0), 0);
        assert_int_equal(part(root, 2, 0, MEDIA), LR_OK);
        assert_int_equal(part(root, 3, MEDIA, MEDIA), LR_OK);
        file_is(root, KEY, 1, 2);
        assert_int_equal(head(root), LR_OK);
        file_is(root, KEY, 1, 2);
        assert_int_equal(complete(root, HEAD + 2 * MEDIA), LR_OK);
        object_is_whole(root);

        assert_int_equal(linkat(AT_FDCWD, other, AT_FDCWD, path, 0), 0);
        set(root, KEY, 0);
        assert_int_equal(lr_dir_complete(&up, HEAD + 2 * MEDIA), LR_OK);
        object_is_whole(root);

        assert_int_equal(linkat(AT_FDCWD, other, AT_FDCWD, path, 0), 0);
        assert_int_equal(begin(root, KEY, 1), LR_DECLINED);
        assert_int_equal(begin(root, KEY, 0), LR_OK);
        assert_int_equal(part(root, 2, 0, MEDIA), LR_OK);
        file_is(root, KEY, 1, 2);
        set(root, KEY, 0);
        assert_int_equal(lr_dir_abort(&up), LR_OK);
        object_is_whole(root);
        unlink(other);

        if (!makes_room(root)) {
            continue;
        }

        /* the room is made; some of the head is written */

        for (i = 0; i <= HEAD; i += HEAD / 4) {
            renamed(root);
            room_at(root, 0, HEAD);
            fd = open(work(path, root, "head"), O_WRONLY);
            assert_int_equal(pwrite(fd, b.data, i, 0), i);
            close(fd);
            assert_int_equal(part(root, 3, MEDIA, MEDIA), LR_OK);
            rooms = 0;
            finish(root);
            assert_int_equal(rooms, 0);
        }

        /* the power was lost while extents were moved */

        for (at = 4096; at < 2 * MEDIA; at += 147456) {
            renamed(root);
            room_at(root, at, HEAD);
            rooms = 0;
            finish(root);
            assert_int_equal(rooms, 1);
        }

        /* a file of less than a block behind a half-written head */

        assert_int_equal(begin(root, KEY, 0), LR_OK);
        assert_int_equal(part(root, 2, 0, 1000), LR_OK);
        assert_int_equal(rename(work(path, root, "part"),
                                work(other, root, "head")), 0);
        room_at(root, 0, HEAD);
        fd = open(other, O_WRONLY);
        assert_int_equal(pwrite(fd, b.data, HEAD / 2, 0), HEAD / 2);
        close(fd);
        assert_int_equal(part(root, 1, 1000, HEAD), LR_OK);
        assert_int_equal(complete(root, HEAD + 1000), LR_OK);
        b.len = 0;
        fill(&b, HEAD, 1);
        fill(&b, 1000, 2);
        {
            lr_buf_t  got;

            memset(&got, 0, sizeof(got));
            assert_int_equal(check_read(root, KEY, &got), LR_OK);
            assert_int_equal(got.len, b.len);
            assert_memory_equal(got.data, b.data, b.len);
            lr_buf_free(&got);
        }
        unlink(check_path(path, root, KEY));

        /* the end of the media was lost: it is not as if it was there */

        renamed(root);
        assert_int_equal(truncate(work(path, root, "head"), MEDIA), 0);
        assert_int_equal(truncate(path, 2 * MEDIA + HEAD), 0);
        assert_int_equal(head(root), LR_AGAIN);
    }

    lr_buf_free(&b);
}


static void
gone(void **state)
{
    char   path[CHECK_PATH], none[CHECK_PATH];
    char  *root;

    each_root(root) {
        media(root);

        /* lengths */

        assert_int_equal(part(root, 4, 2 * MEDIA + 1, 10), LR_AGAIN);
        assert_int_equal(part(root, 1, 2 * MEDIA + 1, HEAD), LR_AGAIN);
        assert_int_equal(complete(root, 2 * MEDIA), LR_AGAIN);
        assert_true(is_there(root, "part"));
        assert_int_equal(head(root), LR_OK);
        assert_int_equal(part(root, 1, 2 * MEDIA, 2 * HEAD), LR_AGAIN);
        assert_int_equal(part(root, 1, MEDIA, HEAD), LR_AGAIN);
        assert_int_equal(part(root, 1, 0, HEAD), LR_AGAIN);
        assert_int_equal(complete(root, 2 * MEDIA + HEAD - 1), LR_AGAIN);
        assert_int_equal(complete(root, 2 * MEDIA + HEAD + 1), LR_AGAIN);
        assert_int_equal(check_size(root, KEY), -1);
        finish(root);

        /* files */

        assert_int_equal(part(root, 2, 0, 10), LR_AGAIN);
        assert_non_null(strstr(err, KEY));
        assert_int_equal(head(root), LR_AGAIN);
        assert_int_equal(complete(root, 10), LR_AGAIN);
        check_rm(check_path(path, root, "a"));
        assert_int_equal(part(root, 2, 0, 10), LR_AGAIN);
        assert_int_equal(head(root), LR_AGAIN);
        assert_int_equal(complete(root, 10), LR_AGAIN);

        assert_int_equal(begin(root, KEY, 1), LR_OK);
        check_write(root, KEY, "1234567890", 10);
        assert_int_equal(part(root, 2, 0, 10), LR_OK);
        unlink(work(path, root, "part"));
        assert_int_equal(complete(root, 10), LR_OK);
        assert_int_equal(complete(root, 11), LR_AGAIN);
        unlink(check_path(path, root, KEY));
        mkdir(path, 0700);
        assert_int_equal(complete((root), 4096), LR_AGAIN);
        rmdir(path);
        mkdir(work(path, root, "head"), 0700);
        assert_int_equal(complete(root, 4096), LR_AGAIN);
        assert_int_equal(head(root), LR_AGAIN);

        /* the whole bucket is not there: that tells nothing */

        check_path(none, root, "none");
        assert_int_equal(begin(none, KEY, 0), LR_ERROR);
        assert_int_equal(up.error, ENOENT);
        assert_int_equal(part(none, 2, 0, 10), LR_ERROR);
        assert_int_equal(up.error, ENOENT);
        assert_int_equal(head(none), LR_ERROR);
        assert_int_equal(complete(none, 10), LR_ERROR);
        set(none, KEY, 0);
        assert_int_equal(lr_dir_abort(&up), LR_ERROR);
    }
}


static void
names(void **state)
{
    char   path[CHECK_PATH], name[300], key[600];
    char  *root;
    char   tag[65];

    each_root(root) {

        /* another object has the name, from the start or later */

        assert_int_equal(begin(root, KEY, 1), LR_OK);
        check_write(root, KEY, "x", 1);
        assert_int_equal(begin(root, KEY, 1), LR_DECLINED);
        assert_int_equal(part(root, 2, 0, MEDIA), LR_OK);
        assert_int_equal(part(root, 3, MEDIA, MEDIA), LR_OK);
        assert_int_equal(head(root), LR_OK);
        assert_int_equal(complete(root, HEAD + 2 * MEDIA), LR_DECLINED);
        assert_non_null(strstr(err, KEY));
        assert_int_equal(check_size(root, KEY), 1);

        unlink(check_path(path, root, KEY));
        assert_int_equal(symlink("nowhere", path), 0);
        assert_int_equal(begin(root, KEY, 1), LR_DECLINED);
        assert_int_equal(complete(root, HEAD + 2 * MEDIA), LR_DECLINED);
        unlink(path);
        assert_int_equal(complete(root, HEAD + 2 * MEDIA), LR_OK);
        object_is_whole(root);

        /* the same bytes under the name; others of the same length */

        set(root, KEY, 0);
        assert_int_equal(begin(root, KEY, 0), LR_OK);
        assert_int_equal(part(root, 2, 0, MEDIA), LR_OK);
        assert_int_equal(part(root, 3, MEDIA, MEDIA), LR_OK);
        assert_int_equal(head(root), LR_OK);
        assert_int_equal(complete(root, HEAD + 2 * MEDIA), LR_OK);
        object_is_whole(root);

        set(root, KEY, 0);
        assert_int_equal(begin(root, KEY, 0), LR_OK);
        assert_int_equal(part(root, 3, 0, MEDIA), LR_OK);
        assert_int_equal(part(root, 2, MEDIA, MEDIA), LR_OK);
        assert_int_equal(head(root), LR_OK);
        assert_int_equal(complete(root, HEAD + 2 * MEDIA), LR_DECLINED);
        file_is(root, KEY, 1, 2);

        set(root, KEY, 0);
        assert_int_equal(lr_dir_complete(&up, HEAD + 2 * MEDIA), LR_OK);
        assert_int_equal(check_entries(check_path(path, root, "a/b")), 1);
        unlink(check_path(path, root, KEY));

        /* the name is not made to last, whoever has seen it */

        media(root);
        assert_int_equal(head(root), LR_OK);
        no_sync = 1;
        assert_int_equal(complete(root, HEAD + 2 * MEDIA), LR_ERROR);
        assert_int_equal(complete(root, HEAD + 2 * MEDIA), LR_ERROR);
        assert_int_equal(up.error, EIO);
        no_sync = 0;
        assert_int_equal(complete(root, HEAD + 2 * MEDIA), LR_OK);
        unlink(check_path(path, root, KEY));

        /* no links */

        no_link = 1;
        media(root);
        finish(root);
        media(root);
        assert_int_equal(head(root), LR_OK);
        check_write(root, KEY, "x", 1);
        assert_int_equal(complete(root, HEAD + 2 * MEDIA), LR_DECLINED);
        no_link = 0;

        /* as long as names can be, and longer */

        memset(tag, 't', 64);
        tag[64] = '\0';
        memset(name, 'n', sizeof(name));
        name[255] = '\0';
        snprintf(key, sizeof(key), "%s/%s", name, name);

        {
            lr_buf_t   b;
            uint32_t   align;
            lr_body_t  body;

            memset(&b, 0, sizeof(b));
            memset(&body, 0, sizeof(body));
            fill(&body.text, HEAD, 1);
            set(root, key, 1);
            assert_int_equal(lr_dir_begin(&up, tag, &b, &align), LR_OK);
            up.upload = (char *) b.data;
            assert_int_equal(lr_body_open(&body, 1), LR_OK);
            assert_int_equal(lr_dir_part(&up, 1, 0, &body), LR_OK);
            lr_body_close(&body);
            assert_int_equal(lr_dir_complete(&up, HEAD), LR_OK);
            file_is(root, key, 1, 0);
            lr_body_free(&body);
            lr_buf_free(&b);
        }

        name[255] = 'n';
        name[256] = '\0';
        assert_int_equal(begin(root, name, 1), LR_ERROR);
        assert_int_equal(up.error, ENAMETOOLONG);
        snprintf(key, sizeof(key), "%s/x", name);
        assert_int_equal(begin(root, key, 0), LR_ERROR);
        assert_int_equal(up.error, ENAMETOOLONG);

        /* a file where a directory should be; ids that are no names */

        assert_int_equal(begin(root, KEY "/d", 0), LR_ERROR);
        assert_int_equal(up.error, ENOTDIR);
        set(root, KEY, 0);
        up.upload = "../x";
        assert_int_equal(lr_dir_abort(&up), LR_ERROR);
        up.upload = ".x/../y";
        assert_int_equal(lr_dir_complete(&up, 1), LR_ERROR);
        assert_int_equal(up.error, EINVAL);
        up.upload = "";
        assert_int_equal(lr_dir_abort(&up), LR_ERROR);
    }
}


/* at whatever byte the disk is full: what was confirmed stays as it was */

static void
full_disk(void **state)
{
    char    path[CHECK_PATH];
    char   *root;
    rlim_t  n;

    each_root(root) {
        assert_int_equal(begin(root, KEY, 1), LR_OK);
        assert_int_equal(part(root, 2, 0, MEDIA), LR_OK);

        for (n = MEDIA; n < 2 * MEDIA; n += 33333) {
            check_limit(n);
            assert_int_equal(part(root, 3, MEDIA, MEDIA), LR_ERROR);
            check_limit(RLIM_INFINITY);
            assert_true(up.error == EFBIG || up.error == ENOSPC);
            file_is(root, work(path, "", "part") + 1, 0, 1);
        }

        assert_int_equal(part(root, 3, MEDIA, MEDIA), LR_OK);

        for (n = 5000; n < HEAD + 2 * MEDIA; n += 50000) {
            check_limit(n);
            no_room = EOPNOTSUPP;
            assert_int_equal(head(root), LR_ERROR);
            assert_true(up.error == EFBIG || up.error == ENOSPC);
            no_share = 1;
            assert_int_equal(head(root), LR_ERROR);
            no_room = 0;
            no_share = 0;
            check_limit(RLIM_INFINITY);
            file_is(root, work(path, "", "head") + 1, 0, 2);
            assert_false(is_there(root, "copy"));
        }

        check_limit(5000);
        assert_int_equal(head(root), LR_ERROR);
        assert_int_equal(up.error, EFBIG);
        check_limit(RLIM_INFINITY);

        finish(root);
    }
}


/* the fault is the body's */

static void
unread(void **state)
{
    char                 path[CHECK_PATH];
    char                *root;
    unsigned             i;
    lr_buf_t             flv;
    lr_body_t            b;
    lr_engine_t          e;
    lr_file_fragment_t  *f;

    memset(&flv, 0, sizeof(flv));
    check_fragment(&flv, NULL, 100, 20000);

    each_root(root) {
        media(root);

        for (i = 1; i <= 5; i++) {
            no_room = i == 5 ? EOPNOTSUPP : 0;

            /* there is nothing in it, or it turns out to be so */

            set(root, KEY, 1);
            memset(&b, 0, sizeof(b));
            assert_int_equal(lr_body_open(&b, 1), LR_OK);
            assert_int_equal(lr_dir_part(&up, 1 + i % 3, 2 * MEDIA, &b),
                             LR_ERROR);
            assert_int_equal(up.local, ENODATA);

            if (i == 1) {
                assert_int_equal(lr_body_open(&b, 1), LR_OK);
                b.size = HEAD;
                assert_int_equal(lr_dir_part(&up, 2, 2 * MEDIA, &b),
                                 LR_ERROR);
                assert_int_equal(up.local, ENODATA);
                assert_int_equal(up.error, ENODATA);
            }

            lr_body_close(&b);

            /* its length was another */

            fill(&b.text, HEAD, 1);
            set(root, KEY, 1);
            assert_int_equal(lr_body_open(&b, 1), LR_OK);
            b.size = i % 2 && i < 5 ? HEAD - 4096 : HEAD + 4096;
            assert_int_equal(lr_dir_part(&up, i > 2 ? 1 : 2, 2 * MEDIA, &b),
                             LR_ERROR);
            assert_int_equal(up.local, 0);
            assert_int_equal(up.error, EIO);
            lr_body_close(&b);
            lr_body_free(&b);

            if (i == 2) {
                file_is(root, work(path, "", "part") + 1, 0, 2);
            }

            if (i > 2) {
                set(root, KEY, 0);
                assert_int_equal(lr_dir_abort(&up), LR_OK);
                media(root);
            }
        }

        no_room = 0;

        /* its file is cut meanwhile */

        media(root);

        for (i = 2; i; i--) {
            memset(&b, 0, sizeof(b));
            memset(&e, 0, sizeof(e));
            f = calloc(1, sizeof(lr_file_fragment_t));
            f->number = 1;
            b.kind = LR_BODY_TS;
            b.dir = root;
            b.fragments = f;
            b.n = 1;
            b.engine = &e;

            check_write(root, "000001.flv", flv.data, flv.len);
            set(root, KEY, 1);
            assert_int_equal(lr_body_open(&b, 1), LR_OK);
            assert_int_equal(truncate(check_path(path, root, "000001.flv"),
                                      900000), 0);
            assert_int_equal(lr_dir_part(&up, i, 2 * MEDIA, &b), LR_ERROR);
            assert_int_equal(up.local, EIO);
            assert_int_equal(up.error, EIO);
            lr_body_close(&b);
            lr_body_free(&b);
            lr_engine_free(&e);
            unlink(path);

            if (i == 2) {
                file_is(root, work(path, "", "part") + 1, 0, 2);
            }
        }

        assert_int_equal(check_size(root, KEY), -1);
    }

    lr_buf_free(&flv);
}


static int
move(const char *root, const char *key, const char *to, unsigned keep,
    uint64_t size)
{
    int       rc;
    unsigned  left;

    set(root, key, keep);
    up.upload = NULL;
    left = 7;
    rc = lr_dir_move(&up, to, size, &left);
    assert_int_equal(left, 0);

    return rc;
}


/* what is in a file system that is not mounted now is not gone */

static void
another_root(void **state)
{
    char    mounted[CHECK_PATH], empty[CHECK_PATH], aside[CHECK_PATH];
    char   *root;

    each_root(root) {
        check_path(mounted, root, "m");
        check_path(empty, root, "e");
        check_path(aside, root, "aside");
        assert_int_equal(mkdir(mounted, 0700), 0);
        assert_int_equal(mkdir(empty, 0700), 0);

        media(mounted);

        assert_int_equal(rename(mounted, aside), 0);
        assert_int_equal(rename(empty, mounted), 0);

        assert_int_equal(part(mounted, 4, 2 * MEDIA, MEDIA), LR_ERROR);
        assert_int_equal(up.error, ESTALE);
        assert_int_equal(part(mounted, 1, 2 * MEDIA, HEAD), LR_ERROR);
        assert_int_equal(complete(mounted, HEAD + 2 * MEDIA), LR_ERROR);
        assert_int_equal(up.error, ESTALE);

        assert_int_equal(rename(mounted, empty), 0);
        assert_int_equal(rename(aside, mounted), 0);
        finish(mounted);

        /* and there it is gone */

        media(mounted);
        assert_int_equal(lr_dir_abort(&up), LR_OK);
        assert_int_equal(part(mounted, 4, 2 * MEDIA, MEDIA), LR_AGAIN);
    }
}


static void
moves(void **state)
{
    char      path[CHECK_PATH], other[CHECK_PATH];
    char     *root;
    unsigned  left;

    each_root(root) {
        check_write(root, "w", "12345", 5);
        assert_int_equal(move(root, "w", "x/y/z", 1, 5), LR_OK);
        assert_int_equal(check_size(root, "x/y/z"), 5);
        assert_int_equal(check_size(root, "w"), -1);

        /* that was not heard of; neither is there; another length */

        assert_int_equal(move(root, "w", "x/y/z", 1, 5), LR_OK);
        assert_int_equal(move(root, "w", "x/y/z", 1, 6), LR_AGAIN);
        assert_int_equal(move(root, "w", "x/y/u", 1, 5), LR_AGAIN);
        assert_int_equal(move(root, "w", "no/u", 1, 5), LR_AGAIN);
        assert_int_equal(move(root, "x/y/z", "u", 1, 6), LR_AGAIN);
        assert_int_equal(check_size(root, "x/y/z"), 5);

        /* killed between the two names */

        assert_int_equal(linkat(AT_FDCWD, check_path(path, root, "x/y/z"),
                                AT_FDCWD, check_path(other, root, "w"), 0),
                         0);
        assert_int_equal(move(root, "w", "x/y/z", 1, 5), LR_OK);
        assert_int_equal(check_size(root, "w"), -1);
        assert_int_equal(linkat(AT_FDCWD, path, AT_FDCWD, other, 0), 0);
        assert_int_equal(move(root, "w", "x/y/z", 0, 5), LR_OK);
        assert_int_equal(check_size(root, "w"), -1);
        assert_int_equal(check_size(root, "x/y/z"), 5);

        /* the same key; the same bytes; others */

        assert_int_equal(move(root, "x/y/z", "x/y/z", 1, 5), LR_OK);
        assert_int_equal(check_size(root, "x/y/z"), 5);

        check_write(root, "w", "12345", 5);
        assert_int_equal(move(root, "w", "x/y/z", 1, 5), LR_OK);
        assert_int_equal(check_size(root, "w"), -1);

        check_write(root, "w", "54321", 5);
        assert_int_equal(move(root, "w", "x/y/z", 1, 5), LR_DECLINED);
        assert_non_null(strstr(err, "x/y/z"));
        assert_int_equal(move(root, "w", "x", 1, 5), LR_DECLINED);
        assert_int_equal(check_size(root, "w"), 5);
        no_link = 1;
        assert_int_equal(move(root, "w", "x/y/z", 1, 5), LR_DECLINED);
        assert_int_equal(move(root, "w", "v/w", 1, 5), LR_OK);
        assert_int_equal(check_size(root, "v/w"), 5);
        no_link = 0;
        no_sync = 1;
        assert_int_equal(move(root, "v/w", "v/v", 1, 5), LR_ERROR);
        assert_int_equal(move(root, "v/w", "v/v", 1, 5), LR_ERROR);
        no_sync = 0;
        assert_int_equal(move(root, "v/w", "v/v", 1, 5), LR_OK);
        assert_int_equal(move(root, "v/v", "v/w", 1, 5), LR_OK);
        assert_int_equal(move(root, "v/w", "x/y/z", 0, 5), LR_OK);
        assert_int_equal(check_size(root, "v/w"), -1);

        /* a file in the way, and no bucket */

        assert_int_equal(move(root, "x/y/z", "x/y/z/u", 1, 5), LR_ERROR);
        assert_int_equal(up.error, ENOTDIR);
        assert_int_equal(move(check_path(path, root, "none"), "a", "b", 1,
                              5), LR_ERROR);
        assert_int_equal(up.error, ENOENT);

        /* the old name cannot be taken away */

        if (geteuid() != 0) {
            chmod(check_path(path, root, "x/y"), 0500);
            set(root, "x/y/z", 1);
            assert_int_equal(lr_dir_move(&up, "new", 5, &left), LR_OK);
            assert_int_equal(left, 1);
            assert_non_null(strstr(err, "x/y/z"));
            assert_int_equal(lr_dir_move(&up, "x/y/new", 5, &left),
                             LR_ERROR);
            assert_int_equal(up.error, EACCES);
            chmod(path, 0700);
        }
    }
}


int
main(void)
{
#define t(f)  cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest  tests[] = {
        t(direct),
        t(in_parts),
        t(again),
        t(killed),
        t(gone),
        t(names),
        t(full_disk),
        t(unread),
        t(another_root),
        t(moves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
