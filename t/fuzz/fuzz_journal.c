
/*
 * Copyright (C) the ngx_live_record authors
 *
 * A recording's directory whose files hold anything: the bytes are split
 * by the first 0xff into template.json, record.log, ship.log, where an
 * empty part stands for a good one.  What can be opened is then recorded
 * into, mended, shipped, and removed.
 */


#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lr_recording.h"
#include "lr_ship.h"
#include "lr_spool.h"


#define FUZZ_STEPS  40


static const char  good_template[] =
    "{\"version\":1,\"app\":\"a\",\"stream\":\"s\",\"domain\":\"d\","
    "\"scope\":\"\",\"bucket\":\"b\",\"path\":\"p/{StartTime}\","
    "\"fragment_path\":\"f/{UnixTimestamp}_{Sequence}\","
    "\"index_path\":\"i/{Date}\",\"timezone\":\"utc\",\"formats\":1,"
    "\"cycle\":900000,\"fragment\":5000,\"grace\":1000}\n";

static const char  good_record[] =
    "{\"event\":\"start\",\"version\":1,\"id\":\"r\",\"time\":1000}\n"
    "{\"event\":\"publish\",\"time\":1000,\"media\":0}\n"
    "{\"event\":\"open\",\"file\":1,\"cycle\":0,\"base\":0,\"media\":0,"
    "\"wall\":1000,\"discontinuity\":false}\n"
    "{\"event\":\"close\",\"file\":1,\"duration\":5000,\"bytes\":99,"
    "\"rows\":2,\"independent\":true}\n"
    "{\"event\":\"open\",\"file\":2,\"cycle\":1,\"base\":5000,"
    "\"media\":5000,\"wall\":6000,\"discontinuity\":true}\n"
    "{\"event\":\"close\",\"file\":2,\"duration\":5000,\"bytes\":99,"
    "\"rows\":2,\"independent\":true}\n"
    "{\"event\":\"unpublish\",\"time\":9000,\"why\":\"x\"}\n";

static const char  good_ship[] =
    "{\"event\":\"start\",\"version\":1}\n";


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static char  root[64];


static int
fuzz_remove(const char *path, const struct stat *st, int flag,
    struct FTW *ftw)
{
    (void) st;
    (void) flag;
    (void) ftw;

    return remove(path);
}


static void
fuzz_clean(void)
{
    (void) nftw(root, fuzz_remove, 16, FTW_DEPTH|FTW_PHYS);
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


static void
fuzz_ship(const char *dir)
{
    int             i, rc;
    char            err[512];
    lr_buf_t        key, text;
    lr_ship_t      *s;
    lr_tracks_t     tracks;
    lr_ship_step_e  step;

    s = malloc(sizeof(lr_ship_t));

    if (s == NULL || lr_ship_open(s, dir, err, sizeof(err)) != LR_OK) {
        free(s);
        return;
    }

    memset(&tracks, 0, sizeof(lr_tracks_t));
    memset(&key, 0, sizeof(lr_buf_t));
    memset(&text, 0, sizeof(lr_buf_t));

    for (i = 0; i < FUZZ_STEPS; i++) {

        if (lr_ship_look(s, 5000000000000LL, err, sizeof(err)) != LR_OK) {
            break;
        }

        step = lr_ship_next(s);

        if (step == LR_SHIP_WAIT) {
            break;
        }

        if (step == LR_SHIP_DONE) {

            if (lr_ship_remove(s) == LR_OK) {
                free(s);
                s = NULL;
            }

            break;
        }

        key.len = text.len = 0;
        rc = LR_OK;

        if (step == LR_SHIP_DAY) {
            lr_buf_append(&key, "day", 4);

        } else {
            rc = lr_ship_prepare(s, step, (unsigned) i % 2, &key, &text);
        }

        if (rc == LR_ERROR) {
            break;
        }

        if (rc == LR_DECLINED) {
            key.len = 0;
            lr_buf_append(&key, "", 1);
        }

        if (step == LR_SHIP_FRAGMENT && i % 5 == 4) {
            (void) lr_ship_skip(s, "x");
            continue;
        }

        /* what was journalled must be understood by the one who opens it */

        if (lr_ship_confirm(s, step, (char *) key.data, 188, &tracks)
            != LR_OK)
        {
            abort();
        }

        if (i % 3 == 2) {
            lr_ship_close(s);

            if (lr_ship_open(s, dir, err, sizeof(err)) != LR_OK) {
                fprintf(stderr, "%s\n", err);
                abort();
            }
        }
    }

    if (s) {
        lr_ship_close(s);
        free(s);
    }

    lr_buf_free(&key);
    lr_buf_free(&text);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int             i, rc;
    char            err[512], dir[256], path[512];
    size_t          n[3];
    uint64_t        seen;
    const void     *part[3];
    lr_claim_t     *claim;
    lr_settings_t   st;
    lr_recording_t  rec, again;
    const uint8_t  *p, *end;
    static const char *const  names[] = {
        "template.json", "record.log", "ship.log"
    };
    static const char *const  good[] = {
        good_template, good_record, good_ship
    };

    if (root[0] == '\0') {
        snprintf(root, sizeof(root), "%s/lr_fuzz.XXXXXX",
                 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");

        if (mkdtemp(root) == NULL) {
            abort();
        }

        atexit(fuzz_clean);
    }

    p = data;
    end = data + size;

    for (i = 0; i < 3; i++) {
        part[i] = p;
        n[i] = 0;

        while (p < end && (i == 2 || *p != 0xff)) {
            p++;
            n[i]++;
        }

        p += p < end;

        if (n[i] == 0) {
            part[i] = good[i];
            n[i] = strlen(good[i]);
        }
    }

    snprintf(path, sizeof(path), "%s/a", root);
    (void) mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/a/s", root);
    (void) mkdir(path, 0700);
    snprintf(dir, sizeof(dir), "%s/a/s/r", root);
    (void) mkdir(dir, 0700);

    for (i = 0; i < 3; i++) {
        fuzz_write(dir, names[i], part[i], n[i]);
    }

    /* read twice, or in one go, it is the same */

    memset(&rec, 0, sizeof(lr_recording_t));
    rc = lr_recording_read(&rec, dir, NULL, err, sizeof(err));
    seen = rec.offset;
    again = rec;

    if (lr_recording_read(&again, dir, NULL, err, sizeof(err)) != rc
        || again.offset != seen)
    {
        abort();
    }

    if (lr_settings_read(&st, dir, err, sizeof(err)) == LR_OK) {

        claim = malloc(sizeof(lr_claim_t));

        if (claim == NULL) {
            abort();
        }

        rc = lr_recording_claim(claim, root, &st, "x", 10000, 1, err,
                                sizeof(err));

        if (rc == LR_OK) {

            /* a journal that was gone on with can be read */

            memset(&rec, 0, sizeof(lr_recording_t));

            if (lr_recording_read(&rec, claim->dir, NULL, err, sizeof(err))
                != LR_OK || rec.state != LR_RECORDING_LIVE)
            {
                abort();
            }

            close(claim->fd);
            lr_settings_free(&claim->settings);

            if (!claim->resumed) {
                lr_spool_sweep(claim->dir);
            }
        }

        free(claim);
        lr_settings_free(&st);
    }

    fuzz_ship(dir);

    lr_spool_sweep(dir);

    return 0;
}
