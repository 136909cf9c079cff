
/*
 * Copyright (C) the ngx_live_record authors
 *
 * A recording's directory whose files hold anything: the first byte chooses
 * formats, the others are split by the first 0xff into template.json,
 * record.log, ship.log, where an empty part stands for a good one.  What can
 * be opened is then recorded into, mended, shipped, and removed.
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


#define FUZZ_STEPS  60


/* of fragments 1 and 2: H.264 and AAC with a frame each */

#define FUZZ_FLV                                                              \
    "FLV\1\5\0\0\0\x09\0\0\0\0"                                               \
    "\x09\0\0\x1e\0\0\0\0\0\0\0"                                              \
    "\x17\0\0\0\0\x01\x42\xc0\x1e\xff\xe1\0\x0a"                              \
    "\x67\x42\xc0\x1e\xda\x02\x80\xf6\xc0\x44\x01\0\x04\x68\xce\x3c\x80"      \
    "\0\0\0\x29"                                                              \
    "\x08\0\0\4\0\0\0\0\0\0\0\xaf\0\x12\x10\0\0\0\x0f"                        \
    "\x09\0\0\x0b\0\0\0\0\0\0\0\x17\1\0\0\0\0\0\0\2\x65\x88\0\0\0\x16"        \
    "\x08\0\0\5\0\0\5\0\0\0\0\xaf\1\x21\x10\5\0\0\0\x10"


static const char  good_template[] =
    "{\"version\":1,\"app\":\"a\",\"stream\":\"s\",\"domain\":\"d\","
    "\"scope\":\"\",\"bucket\":\"b\",\"path\":\"p/{StartTime}%s\","
    "\"fragment_path\":\"f/{UnixTimestamp}_{Sequence}\","
    "\"index_path\":\"i/{Date}\",\"timezone\":\"utc\",\"formats\":%c,"
    "\"cycle\":900000,\"fragment\":5000,\"grace\":1000}\n";

static const char  good_record[] =
    "{\"event\":\"start\",\"version\":1,\"id\":\"r\",\"time\":1000}\n"
    "{\"event\":\"publish\",\"time\":1000,\"media\":0}\n"
    "{\"event\":\"open\",\"file\":1,\"cycle\":0,\"base\":0,\"media\":0,"
    "\"wall\":1000,\"discontinuity\":false}\n"
    "{\"event\":\"close\",\"file\":1,\"duration\":5000,\"bytes\":123,"
    "\"rows\":4,\"independent\":true}\n"
    "{\"event\":\"open\",\"file\":2,\"cycle\":0,\"base\":5000,"
    "\"media\":5000,\"wall\":6000,\"discontinuity\":true}\n"
    "{\"event\":\"close\",\"file\":2,\"duration\":5000,\"bytes\":123,"
    "\"rows\":4,\"independent\":true}\n"
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


/* LR_OK, LR_DECLINED: something of it is gone */

static int
fuzz_render(lr_ship_order_t *order, lr_engine_t *engine, uint64_t *bytes)
{
    int        rc;
    size_t     n;
    u_char    *p;
    lr_body_t  b;

    memset(&b, 0, sizeof(lr_body_t));
    lr_body_take(&b, &order->body);
    b.engine = engine;

    rc = lr_body_open(&b, 1);

    while (rc == LR_OK) {
        rc = lr_body_next(&b, &p, &n);
    }

    if (rc == LR_DECLINED && b.done != b.size) {
        abort();
    }

    *bytes = b.done;
    rc = rc == LR_DECLINED ? LR_OK : LR_DECLINED;

    lr_body_close(&b);
    lr_body_free(&b);

    return rc;
}


/* one step; LR_DECLINED: it cannot be gone on with */

static int
fuzz_step(lr_ship_t *s, lr_ship_step_e step, unsigned i,
    lr_engine_t *engine)
{
    int               rc;
    lr_tracks_t       tracks;
    lr_ship_order_t   order;
    lr_ship_result_t  result;

    memset(&tracks, 0, sizeof(lr_tracks_t));
    memset(&order, 0, sizeof(lr_ship_order_t));
    memset(&result, 0, sizeof(lr_ship_result_t));

    rc = LR_OK;

    if (step == LR_SHIP_DAY) {
        lr_buf_append(&order.key, "day", 4);

    } else {
        rc = lr_ship_prepare(s, step, i % 2, &order);
    }

    if (step == LR_SHIP_FRAGMENT && (rc == LR_ERROR || i % 5 == 4)) {
        rc = lr_ship_skip(s, "x");
        goto done;
    }

    if (rc == LR_ERROR) {
        rc = LR_DECLINED;
        goto done;
    }

    result.key = rc == LR_DECLINED ? ""
                 : (char *) (step == LR_SHIP_MOVE ? order.to.data
                                                  : order.key.data);
    result.answer = "a";
    result.bytes = 188;
    result.tracks = &tracks;

    if (step == LR_SHIP_FILE || step == LR_SHIP_PART) {

        if (fuzz_render(&order, engine, &result.bytes) != LR_OK) {
            rc = lr_ship_without(s);
            goto done;
        }
    }

    if ((step == LR_SHIP_PART || step == LR_SHIP_COMPLETE) && i % 7 == 6) {
        rc = lr_ship_abandon(s, "x");

    } else {
        rc = lr_ship_confirm(s, step, &result);
    }

done:

    lr_ship_order_free(&order);

    return rc;
}


static void
fuzz_ship(const char *dir, uint64_t part_min)
{
    int             rc;
    char            err[512];
    unsigned        i;
    lr_ship_t      *s;
    lr_engine_t     engine;
    lr_ship_step_e  step;

    s = malloc(sizeof(lr_ship_t));

    if (s == NULL || lr_ship_open(s, dir, err, sizeof(err)) != LR_OK) {
        free(s);
        return;
    }

    memset(&engine, 0, sizeof(lr_engine_t));

    for (i = 0; i < FUZZ_STEPS; i++) {

        if (lr_ship_look(s, 5000000000000LL, err, sizeof(err)) != LR_OK) {
            break;
        }

        s->part_min = part_min;
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

        rc = fuzz_step(s, step, i, &engine);

        if (rc == LR_DECLINED) {
            break;
        }

        /* what was journalled must be understood by the one who opens it */

        if (rc != LR_OK) {
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

    lr_engine_free(&engine);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int             i, rc;
    char            err[512], dir[256], path[512];
    char            template[1024];
    size_t          n[3];
    uint64_t        seen;
    unsigned        formats;
    const void     *part[3];
    lr_claim_t     *claim;
    lr_settings_t   st;
    lr_recording_t  rec, again;
    const uint8_t  *p, *end;
    static const char *const  names[] = {
        "template.json", "record.log", "ship.log"
    };
    static const char *const  good[] = { NULL, good_record, good_ship };

    if (root[0] == '\0') {
        snprintf(root, sizeof(root), "%s/lr_fuzz.XXXXXX",
                 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");

        if (mkdtemp(root) == NULL) {
            abort();
        }

        atexit(fuzz_clean);
    }

    formats = size ? data[0] : 0;
    p = data + (size != 0);
    end = data + size;

    snprintf(template, sizeof(template), good_template,
             formats & 1 ? "_{EndTime}" : "", (int) '1' + formats % 7);

    for (i = 0; i < 3; i++) {
        part[i] = p;
        n[i] = 0;

        while (p < end && (i == 2 || *p != 0xff)) {
            p++;
            n[i]++;
        }

        p += p < end;

        if (n[i] == 0) {
            part[i] = i ? good[i] : template;
            n[i] = strlen(part[i]);
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

    fuzz_write(dir, "000001.flv", FUZZ_FLV, sizeof(FUZZ_FLV) - 1);
    fuzz_write(dir, "000002.flv", FUZZ_FLV, sizeof(FUZZ_FLV) - 1);

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

    fuzz_ship(dir, formats / 14 * 5);

    lr_spool_sweep(dir);

    return 0;
}
