
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
#include <unistd.h>


/* the n-th call from now on fails */

static int  sync_fails;


static int
test_lr_fdatasync(int fd)
{
    if (sync_fails && --sync_fails == 0) {
        errno = EIO;
        return -1;
    }

    return fdatasync(fd);
}


#define fdatasync  test_lr_fdatasync
#include "../../../spool/lr_writer.c"
#undef fdatasync
#include "spool_check.h"


#define NOW   1772366400000LL
#define TAGS  40


/* the media that is written: the same for every fragment */

typedef struct {
    lr_buf_t        flv;
    lr_buf_t        rows;
    const char     *dir;
    unsigned        closed;
    uint32_t        kept;             /* rows, of all fragments */
} media_t;


static void
media_init(media_t *m)
{
    memset(m, 0, sizeof(media_t));
    check_fragment(&m->flv, &m->rows, (TAGS - 2) / 2, 150);
}


static void
media_free(media_t *m)
{
    lr_buf_free(&m->flv);
    lr_buf_free(&m->rows);
}


static lr_row_t *
row_of(media_t *m, uint32_t i)
{
    return (lr_row_t *) m->rows.data + i;
}


/* where the n-th tag begins in the file */

static size_t
tag_start(media_t *m, uint32_t n)
{
    return n == TAGS ? m->flv.len : row_of(m, n)->offset - LR_FLV_TAG_HEADER;
}


/* whether the fragment's rows stand in its file of tables */

static int
has_table(const char *dir, const lr_fragment_t *f)
{
    int        found;
    char       name[32];
    size_t     i;
    uint32_t   head[4];
    lr_buf_t   b;

    memset(&b, 0, sizeof(b));
    snprintf(name, sizeof(name), "%06u.idx",
             (f->number - 1) / LR_FRAGMENT_TABLES * LR_FRAGMENT_TABLES + 1);

    assert_int_equal(check_read(dir, name, &b), LR_OK);

    found = 0;

    for (i = 0; i + sizeof(head) <= b.len;
         i += sizeof(head) + head[3] * sizeof(lr_row_t))
    {
        memcpy(head, b.data + i, sizeof(head));
        found |= head[2] == f->number && head[3] == f->rows;
    }

    assert_int_equal(i, b.len);
    lr_buf_free(&b);

    return found;
}


/* a closed fragment's file holds exactly its rows, all of them whole */

static int
on_fragment(void *data, const lr_fragment_t *f)
{
    media_t *m = data;

    char       name[32];
    uint32_t   n;
    lr_buf_t   b;
    lr_row_t  *rows;

    memset(&b, 0, sizeof(b));
    snprintf(name, sizeof(name), "%06u.flv", f->number);

    assert_int_equal(check_read(m->dir, name, &b), LR_OK);
    assert_int_equal(b.len, f->bytes);
    assert_true(f->rows >= 1 && f->rows <= TAGS);
    assert_int_equal(b.len, tag_start(m, f->rows));
    assert_memory_equal(b.data, m->flv.data, b.len);

    assert_int_equal(lr_fragment_read_rows(m->dir, f->number, &rows, &n),
                     LR_OK);
    assert_int_equal(n, f->rows);
    assert_memory_equal(rows, m->rows.data, n * sizeof(lr_row_t));
    free(rows);

    /* its table is found, and need not be made from the file */

    assert_true(has_table(m->dir, f));

    m->closed++;
    m->kept += f->rows;

    lr_buf_free(&b);

    return LR_OK;
}


static void
replay(media_t *m, const char *dir, lr_recording_t *rec)
{
    char                   err[256];
    lr_recording_reader_t  reader;

    memset(&reader, 0, sizeof(reader));
    memset(rec, 0, sizeof(lr_recording_t));

    reader.fragment = on_fragment;
    reader.data = m;
    m->dir = dir;
    m->closed = 0;
    m->kept = 0;

    if (lr_recording_read(rec, dir, &reader, err, sizeof(err)) != LR_OK) {
        print_error("%s\n", err);
        fail();
    }
}


static void
begin(lr_writer_t *w, const char *spool, unsigned n, unsigned fsync,
    lr_recording_t *rec)
{
    char           id[32], err[512];
    lr_claim_t    *claim;
    lr_settings_t  st;

    claim = malloc(sizeof(lr_claim_t));
    check_settings(&st);
    snprintf(id, sizeof(id), "20260301-120000-%04u", n);

    if (lr_recording_claim(claim, spool, &st, id, NOW, 1, err, sizeof(err))
        != LR_OK)
    {
        print_error("%s\n", err);
        fail();
    }

    lr_writer_init(w, claim, fsync);
    *rec = claim->rec;
    lr_settings_free(&claim->settings);
    free(claim);
}


static void
fragment(lr_fragment_t *f, uint32_t number)
{
    memset(f, 0, sizeof(lr_fragment_t));
    f->number = number;
    f->media = (int64_t) number * 1000;
    f->base = f->media;
    f->wall = NOW + f->media;
}


/* n bytes of the media from an offset on, in some pieces */

static int
append(lr_writer_t *w, media_t *m, size_t from, size_t to)
{
    struct iovec  iov[4];
    int           i;
    size_t        n, len;

    for (i = 0, n = from; i < 4; i++) {
        len = i == 3 ? to - n : (to - from) / 5;
        iov[i].iov_base = m->flv.data + n;
        iov[i].iov_len = len;
        n += len;
    }

    return lr_writer_append(w, iov, 4);
}


static void
good_days(void **state)
{
    media_t         m;
    uint32_t        lost;
    unsigned        i;
    lr_writer_t     w;
    lr_fragment_t   f;
    lr_recording_t  rec;

    media_init(&m);
    begin(&w, *state, 1, 1, &rec);
    assert_int_equal(rec.next, 1);

    for (i = 1; i <= 5; i++) {
        fragment(&f, i);
        f.discontinuity = i == 3;
        assert_int_equal(lr_writer_open(&w, &f), LR_OK);
        assert_int_equal(append(&w, &m, 13, 500), LR_OK);
        assert_int_equal(append(&w, &m, 500, m.flv.len), LR_OK);
        assert_int_equal(lr_writer_close(&w, row_of(&m, 0), TAGS,
                                         i == 5 ? -1 : 770, &lost),
                         LR_OK);
        assert_int_equal(lost, 0);

        replay(&m, w.dir, &rec);
        assert_int_equal(m.closed, i);
        assert_int_equal(rec.open.duration, i == 5 ? 18 * 40 + 47 : 770);
        assert_int_equal(rec.open.discontinuity, i == 3);
        assert_int_equal(rec.open.independent, 1);
    }

    /* closing twice, or what was never opened, loses nothing of the others */

    assert_int_equal(lr_writer_close(&w, row_of(&m, 0), TAGS, 1, &lost),
                     LR_OK);
    assert_int_equal(lost, TAGS);
    assert_int_equal(append(&w, &m, 13, 500), LR_ERROR);

    assert_int_equal(lr_writer_unpublish(&w, NOW + 9, "test"), LR_OK);
    replay(&m, w.dir, &rec);
    assert_int_equal(m.closed, 5);
    assert_int_equal(rec.state, LR_RECORDING_PAUSED);
    assert_int_equal(rec.time, NOW + 9);
    assert_int_equal(w.log, -1);

    media_free(&m);
}


/* rows whose bytes did not come, bytes whose row did not come */

static void
odd_ends(void **state)
{
    media_t         m;
    uint32_t        lost;
    lr_writer_t     w;
    lr_fragment_t   f;
    lr_recording_t  rec;

    media_init(&m);
    begin(&w, *state, 1, 0, &rec);

    fragment(&f, 1);
    assert_int_equal(lr_writer_open(&w, &f), LR_OK);
    assert_int_equal(append(&w, &m, 13, tag_start(&m, 10) + 40), LR_OK);
    assert_int_equal(lr_writer_close(&w, row_of(&m, 0), 13, 5000, &lost),
                     LR_OK);
    assert_int_equal(lost, 3);

    /* whoever queued the next one did not know of that */

    fragment(&f, 2);
    f.discontinuity = 0;
    assert_int_equal(lr_writer_open(&w, &f), LR_OK);
    assert_true(w.f.discontinuity);
    assert_int_equal(append(&w, &m, 13, m.flv.len), LR_OK);
    assert_int_equal(lr_writer_close(&w, row_of(&m, 0), 20, 5000, &lost),
                     LR_OK);
    assert_int_equal(lost, 0);

    /* the last tag's last bytes, and one of them */

    assert_int_equal(lr_writer_unpublish(&w, NOW, "test"), LR_OK);

    {
        size_t    cut;
        uint32_t  kept;

        kept = 30;

        for (cut = 0; cut < 6; cut++) {
            begin(&w, *state, 1, 0, &rec);
            fragment(&f, rec.next);
            assert_int_equal(lr_writer_open(&w, &f), LR_OK);
            assert_int_equal(append(&w, &m, 13, tag_start(&m, 10) - cut),
                             LR_OK);
            assert_int_equal(lr_writer_close(&w, row_of(&m, 0), 10, 5000,
                                             &lost), LR_OK);
            assert_int_equal(lost, cut != 0);
            assert_int_equal(lr_writer_unpublish(&w, NOW, "test"), LR_OK);

            kept += 10 - lost;
            replay(&m, w.dir, &rec);
            assert_int_equal(m.kept, kept);
        }
    }

    check_rm(*state);
    mkdir(*state, 0700);
    begin(&w, *state, 1, 0, &rec);

    fragment(&f, 1);
    assert_int_equal(lr_writer_open(&w, &f), LR_OK);
    assert_int_equal(append(&w, &m, 13, m.flv.len), LR_OK);
    assert_int_equal(lr_writer_close(&w, row_of(&m, 0), TAGS, 5000, &lost),
                     LR_OK);

    /* nothing at all */

    fragment(&f, 3);
    assert_int_equal(lr_writer_open(&w, &f), LR_OK);
    assert_int_equal(append(&w, &m, 13, 50), LR_OK);
    assert_int_equal(lr_writer_close(&w, row_of(&m, 0), 5, 5000, &lost),
                     LR_OK);
    assert_int_equal(lost, 5);

    fragment(&f, 4);
    assert_int_equal(lr_writer_open(&w, &f), LR_OK);
    assert_int_equal(lr_writer_close(&w, NULL, 0, 5000, &lost), LR_OK);
    assert_int_equal(lost, 0);

    replay(&m, w.dir, &rec);
    assert_int_equal(m.closed, 1);
    assert_int_equal(m.kept, TAGS);
    assert_int_equal(rec.has_open, 0);
    assert_int_equal(rec.next, 5);
    assert_int_equal(check_entries(w.dir), 2 + 2);

    assert_int_equal(lr_writer_unpublish(&w, NOW, "test"), LR_OK);
    media_free(&m);
}


/*
 * No file may grow beyond a limit, which takes each value in turn: the
 * journal, the fragment and its table all fail at each of their bytes.
 * Then all is well again, and it goes on.
 */

static void
full_disk(void **state)
{
    int             rc;
    long            limit, base;
    char            dir[CHECK_PATH];
    media_t         m;
    uint32_t        lost, told, expected;
    unsigned        n, number;
    lr_writer_t     w;
    lr_fragment_t   f;
    lr_recording_t  rec;

    media_init(&m);
    n = 0;

    for (limit = 0; limit < (long) m.flv.len + 50; limit += 7) {

        begin(&w, *state, ++n, limit % 2, &rec);
        snprintf(dir, sizeof(dir), "%s", w.dir);
        base = (long) check_size(dir, "record.log");

        number = 0;
        told = 0;
        expected = 0;

        fragment(&f, ++number);
        rc = lr_writer_open(&w, &f);
        assert_int_equal(rc, LR_OK);
        assert_int_equal(append(&w, &m, 13, tag_start(&m, 7)), LR_OK);

        check_limit((rlim_t) (limit < base ? base + limit / 2 : limit));

        (void) append(&w, &m, tag_start(&m, 7), tag_start(&m, 20));
        (void) append(&w, &m, tag_start(&m, 20), m.flv.len);
        expected += TAGS;
        (void) lr_writer_close(&w, row_of(&m, 0), TAGS, 770, &lost);
        told += lost;

        fragment(&f, ++number);
        expected += TAGS;

        if (lr_writer_open(&w, &f) == LR_OK) {
            (void) append(&w, &m, 13, tag_start(&m, 5));
            (void) append(&w, &m, tag_start(&m, 5), m.flv.len);
        }

        (void) lr_writer_close(&w, row_of(&m, 0), TAGS, 770, &lost);
        told += lost;

        check_limit(RLIM_INFINITY);

        fragment(&f, ++number);
        expected += TAGS;
        assert_int_equal(lr_writer_open(&w, &f), LR_OK);
        assert_int_equal(append(&w, &m, 13, m.flv.len), LR_OK);
        assert_int_equal(lr_writer_close(&w, row_of(&m, 0), TAGS, 770,
                                         &lost), LR_OK);
        assert_int_equal(lost, 0);
        assert_int_equal(lr_writer_unpublish(&w, NOW, "test"), LR_OK);

        replay(&m, dir, &rec);
        assert_int_equal(rec.has_open, 0);
        assert_int_equal(rec.state, LR_RECORDING_PAUSED);
        assert_true(m.closed >= 2);

        /* what was on disk before is there, what is not was told */

        assert_true(m.kept >= TAGS + 7);

        if (m.kept + told != expected) {
            print_error("limit %ld: %u kept and %u lost of %u\n", limit,
                        m.kept, told, expected);
            fail();
        }

        check_rm(*state);
        mkdir(*state, 0700);
    }

    media_free(&m);
}


/* the recorder is killed after each step; nothing but the torn tag is lost */

static void
killed(void **state)
{
    int             i, step, status, expected;
    pid_t           pid;
    char            err[512], path[CHECK_PATH];
    media_t         m;
    uint32_t        lost;
    lr_claim_t     *claim;
    lr_writer_t     w;
    lr_fragment_t   f;
    lr_settings_t   st;
    lr_recording_t  rec;

    media_init(&m);
    check_settings(&st);
    claim = malloc(sizeof(lr_claim_t));

    for (step = 0; step < 14; step++) {

        pid = fork();

        if (pid == 0) {
            begin(&w, *state, 1, 0, &rec);

            for (i = 0; i < step; i++) {
                switch (i) {
                case 0:
                case 5:
                    fragment(&f, rec.next + i / 5);
                    status = lr_writer_open(&w, &f);
                    break;
                case 1:
                case 6:
                    status = append(&w, &m, 13, tag_start(&m, 10));
                    break;
                case 2:
                case 7:
                    status = append(&w, &m, tag_start(&m, 10),
                                    tag_start(&m, 10) + 5);
                    break;
                case 3:
                case 8:
                    status = append(&w, &m, tag_start(&m, 10) + 5,
                                    tag_start(&m, 31) - 1);
                    break;
                case 4:
                    status = append(&w, &m, tag_start(&m, 31) - 1,
                                    m.flv.len)
                             || lr_writer_close(&w, row_of(&m, 0), TAGS,
                                                770, &lost);
                    break;
                case 9:

                    /* the table only */

                    status = append(&w, &m, tag_start(&m, 31) - 1,
                                    m.flv.len)
                             || lr_fragment_write_rows(w.dir, w.f.number,
                                                       row_of(&m, 0), TAGS);
                    break;
                case 10:

                    /* half a line of the journal */

                    status = write(w.log, "{\"event\":\"clo", 13) != 13;
                    break;
                case 11:

                    /* a table that was being written */

                    check_write(w.dir, "000002.tmp", "LRIX", 4);
                    status = 0;
                    break;
                case 12:
                    status = write(w.log, "se\",\"file\":2", 12) != 12;
                    break;
                default:
                    status = 1;
                    break;
                }

                if (status) {
                    _exit(1);
                }
            }

            _exit(0);
        }

        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);

        /* back soon: the same recording goes on */

        snprintf(path, sizeof(path), "%s/live/cam_1/20260301-120000-0001/"
                 "record.log", (char *) *state);

        {
            struct timespec  ts[2];

            ts[0].tv_sec = ts[1].tv_sec = NOW / 1000 + 100;
            ts[0].tv_nsec = ts[1].tv_nsec = 0;
            assert_int_equal(utimensat(AT_FDCWD, path, ts, 0), 0);

            strcpy(strrchr(path, '/'), "/000001.flv");
            (void) utimensat(AT_FDCWD, path, ts, 0);
            strcpy(strrchr(path, '/'), "/000002.flv");
            (void) utimensat(AT_FDCWD, path, ts, 0);
        }

        assert_int_equal(lr_recording_claim(claim, *state, &st, "other",
                                            NOW + 100000 + 180000, 0, err,
                                            sizeof(err)), LR_OK);
        assert_int_equal(claim->resumed, 1);
        assert_int_equal(claim->rec.spans, 1);
        assert_int_equal(claim->rec.has_open, 0);
        lr_writer_init(&w, claim, 0);
        lr_settings_free(&claim->settings);

        replay(&m, w.dir, &rec);
        assert_int_equal(rec.spans, 2);

        expected = step < 2 ? 0 : step < 4 ? 10 : step < 5 ? 30
                   : step < 7 ? TAGS : step < 9 ? TAGS + 10
                   : step < 10 ? TAGS + 30 : TAGS * 2;

        if ((int) m.kept != expected) {
            print_error("step %d: %u\n", step, m.kept);
            fail();
        }

        fragment(&f, rec.next);
        assert_int_equal(lr_writer_open(&w, &f), LR_OK);
        assert_int_equal(append(&w, &m, 13, m.flv.len), LR_OK);
        assert_int_equal(lr_writer_close(&w, row_of(&m, 0), TAGS, 770,
                                         &lost), LR_OK);
        assert_int_equal(lr_writer_unpublish(&w, NOW, "test"), LR_OK);
        replay(&m, w.dir, &rec);
        assert_int_equal(m.kept, expected + TAGS);

        check_rm(*state);
        mkdir(*state, 0700);
    }

    free(claim);
    media_free(&m);
}


/* a sync that fails leaves the journal readable */

static void
no_sync(void **state)
{
    int             i, n;
    media_t         m;
    uint32_t        lost;
    lr_writer_t     w;
    lr_fragment_t   f;
    lr_recording_t  rec;

    media_init(&m);

    for (n = 1; n <= 6; n++) {
        begin(&w, *state, 1, 1, &rec);
        sync_fails = n;

        for (i = 0; i < 3; i++) {
            fragment(&f, rec.next + (uint32_t) i);
            assert_int_equal(lr_writer_open(&w, &f), LR_OK);
            assert_int_equal(append(&w, &m, 13, m.flv.len), LR_OK);
            assert_int_equal(lr_writer_close(&w, row_of(&m, 0), TAGS, 770,
                                             &lost),
                             i == (n - 1) / 2 ? LR_ERROR : LR_OK);
        }

        assert_int_equal(lr_writer_unpublish(&w, NOW, "test"), LR_OK);
        replay(&m, w.dir, &rec);
        assert_int_equal(m.closed, 3 * n);
        assert_int_equal(m.kept, 3 * n * TAGS);
    }

    media_free(&m);
}


/* errors of other kinds: the fragment's name is taken, the journal is shut */

static void
no_file(void **state)
{
    char            path[CHECK_PATH];
    media_t         m;
    uint32_t        lost;
    lr_writer_t     w;
    lr_fragment_t   f;
    lr_recording_t  rec;

    media_init(&m);
    begin(&w, *state, 1, 0, &rec);

    mkdir(check_path(path, w.dir, "000001.flv"), 0700);
    fragment(&f, 1);
    assert_int_equal(lr_writer_open(&w, &f), LR_ERROR);
    assert_int_equal(append(&w, &m, 13, m.flv.len), LR_ERROR);
    assert_int_equal(lr_writer_close(&w, row_of(&m, 0), TAGS, 770, &lost),
                     LR_ERROR);
    assert_int_equal(lost, TAGS);

    /* it stands in the way, and then not */

    fragment(&f, 2);
    assert_int_equal(lr_writer_open(&w, &f), LR_ERROR);
    rmdir(path);
    fragment(&f, 3);
    assert_int_equal(lr_writer_open(&w, &f), LR_OK);
    assert_int_equal(append(&w, &m, 13, m.flv.len), LR_OK);

    /* a close that is forgotten is made up for */

    fragment(&f, 4);
    assert_int_equal(lr_writer_open(&w, &f), LR_OK);
    assert_int_equal(append(&w, &m, 13, m.flv.len), LR_OK);
    assert_int_equal(lr_writer_unpublish(&w, NOW, "test"), LR_OK);

    replay(&m, w.dir, &rec);
    assert_int_equal(m.closed, 2);
    assert_int_equal(m.kept, 2 * TAGS);
    assert_int_equal(rec.next, 5);

    /* a journal that cannot be written: the lock is given back all the same */

    begin(&w, *state, 1, 0, &rec);
    close(w.log);
    w.log = open(check_path(path, w.dir, "record.log"), O_RDONLY);
    fragment(&f, 5);
    assert_int_equal(lr_writer_open(&w, &f), LR_ERROR);
    assert_int_equal(w.fd, -1);
    assert_int_equal(lr_writer_unpublish(&w, NOW, "test"), LR_ERROR);
    assert_int_equal(errno, EBADF);
    assert_int_equal(w.log, -1);

    media_free(&m);
}


int
main(void)
{
#define t(f)  cmocka_unit_test_setup_teardown(f, check_setup, check_teardown)
    const struct CMUnitTest  tests[] = {
        t(good_days),
        t(odd_ends),
        t(full_disk),
        t(killed),
        t(no_sync),
        t(no_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
