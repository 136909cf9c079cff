
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include "lr_confirmed.h"
#include "lr_journal.h"
#include "lr_ship.h"


/* a shipper that is faster than this has nothing that waits for long */
#define LR_CONFIRMED_TRIES  8


static int lr_confirmed_add(lr_confirmed_t *list, const char *dir);
static int lr_confirmed_replay(lr_ship_t *s);


int
lr_confirmed_read(lr_confirmed_t *list, const char *spool, const char *app,
    const char *stream)
{
    int             rc;
    DIR            *d;
    char            path[LR_PATH_MAX], dir[LR_PATH_MAX];
    struct dirent  *de;

    memset(list, 0, sizeof(lr_confirmed_t));

    snprintf(path, sizeof(path), "%s/%s/%s", spool, app, stream);

    d = opendir(path);

    if (d == NULL) {
        return LR_OK;
    }

    rc = LR_OK;

    while (rc == LR_OK && (de = readdir(d)) != NULL) {

        if (!lr_manifest_id_valid(de->d_name, strlen(de->d_name))) {
            continue;
        }

        snprintf(dir, sizeof(dir), "%s/%s", path, de->d_name);

        rc = lr_confirmed_add(list, dir);
    }

    closedir(d);

    return rc;
}


static int
lr_confirmed_add(lr_confirmed_t *list, const char *dir)
{
    int                   rc;
    char                  err[512];
    lr_ship_t            *s;
    lr_confirmed_part_t  *more;

    s = calloc(1, sizeof(lr_ship_t));
    if (s == NULL) {
        return LR_ERROR;
    }

    s->fd = -1;
    snprintf(s->dir, sizeof(s->dir), "%s", dir);
    lr_ship_files_init(s);

    if (lr_settings_read(&s->settings, dir, err, sizeof(err)) != LR_OK
        || lr_confirmed_replay(s) != LR_OK || s->part == NULL)
    {
        rc = LR_OK;
        goto done;
    }

    more = realloc(list->parts,
                   (list->n + 1) * sizeof(lr_confirmed_part_t));

    if (more == NULL) {
        rc = LR_ERROR;
        goto done;
    }

    list->parts = more;
    more = &more[list->n++];

    more->part = s->part;
    more->bucket = s->settings.bucket;

    s->part = NULL;
    s->settings.bucket = NULL;

    rc = LR_OK;

done:

    lr_ship_close(s);
    free(s);

    return rc;
}


/*
 * The shipper tells of fragments that the recorder has closed after its
 * journal was read here: then that is read on, and the line again.
 */

static int
lr_confirmed_replay(lr_ship_t *s)
{
    int         rc;
    char        err[512], path[LR_PATH_MAX + 16];
    uint64_t    offset;
    unsigned    i;

    snprintf(path, sizeof(path), "%s/ship.log", s->dir);

    rc = LR_ERROR;

    for (i = 0; i < LR_CONFIRMED_TRIES; i++) {

        offset = s->rec.offset;

        if (lr_ship_read(s, err, sizeof(err)) != LR_OK) {
            return LR_ERROR;
        }

        if (i && offset == s->rec.offset) {
            break;
        }

        rc = lr_journal_read(path, &s->offset, lr_ship_event, s, err,
                             sizeof(err));

        if (rc != LR_DECLINED) {
            break;
        }
    }

    return rc;
}


void
lr_confirmed_free(lr_confirmed_t *list)
{
    size_t  i;

    for (i = 0; i < list->n; i++) {
        lr_manifest_free(list->parts[i].part);
        free(list->parts[i].bucket);
    }

    free(list->parts);

    memset(list, 0, sizeof(lr_confirmed_t));
}
