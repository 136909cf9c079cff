
/*
 * Copyright (C) the ngx_live_record authors
 *
 * For tests: an upload of two parts and a head, and what is to be in the
 * directory then.
 */


#ifndef _DIR_PARTS_MAKE_H_INCLUDED_
#define _DIR_PARTS_MAKE_H_INCLUDED_


#include "lr_dir_parts.h"
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


static inline int
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


static inline int
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


static inline void
fill(lr_buf_t *b, size_t n, unsigned seed)
{
    size_t  i;

    assert_int_equal(lr_buf_reserve(b, n), LR_OK);

    for (i = 0; i < n; i++) {
        b->data[b->len++] = (u_char) (1 + (i * 7 + i / 251 + seed) % 251);
    }
}


static inline void
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


static inline int
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


static inline int
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


static inline int
complete(const char *root, uint64_t size)
{
    set(root, KEY, 1);

    return lr_dir_complete(&up, size);
}


static inline int
head(const char *root)
{
    return part(root, 1, 2 * MEDIA, HEAD);
}


/* media of two parts, and no head yet */

static inline void
media(const char *root)
{
    assert_int_equal(begin(root, KEY, 1), LR_OK);
    assert_int_equal(part(root, 2, 0, MEDIA), LR_OK);
    assert_int_equal(part(root, 3, MEDIA, MEDIA), LR_OK);
}


static inline const char *
work(char *path, const char *root, const char *suffix)
{
    snprintf(path, CHECK_PATH, "%s/a/b/%s.%s", root, id, suffix);

    return path;
}


static inline int
is_there(const char *root, const char *suffix)
{
    char         path[CHECK_PATH];
    struct stat  st;

    return lstat(work(path, root, suffix), &st) == 0;
}


static inline void
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

static inline void
object_is_whole(const char *root)
{
    char  path[CHECK_PATH];

    file_is(root, KEY, 1, 2);
    assert_int_equal(check_entries(check_path(path, root, "a/b")), 1);
    assert_int_equal(check_entries(root), 1);
}


/* the rest of an upload, from some state on */

static inline void
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

static inline unsigned
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


#endif /* _DIR_PARTS_MAKE_H_INCLUDED_ */
