
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>
#include "lr_grace.h"
#include "lr_recording.h"


static int lr_grace_end(const char *dir, const char *domain, int64_t now,
    unsigned *n, char *err, size_t size);


int
lr_grace_cancel(const char *spool, const char *domain, const char *app,
    const char *stream, int64_t now, unsigned *n, char *err, size_t size)
{
    int             len, rc, result;
    DIR            *d;
    char            path[LR_PATH_MAX], dir[LR_PATH_MAX + NAME_MAX + 2];
    struct dirent  *de;

    *n = 0;

    len = snprintf(path, sizeof(path), "%s/%s/%s", spool, app, stream);

    if (len < 0 || (size_t) len >= sizeof(path)) {
        snprintf(err, size, "the spool's path is too long");
        return LR_ERROR;
    }

    d = opendir(path);

    if (d == NULL) {
        if (errno == ENOENT) {
            return LR_OK;
        }

        snprintf(err, size, "opendir() \"%s\" failed (%d: %s)", path, errno,
                 strerror(errno));
        return LR_ERROR;
    }

    result = LR_OK;

    while ((de = readdir(d)) != NULL) {

        if (de->d_name[0] == '.' || strlen(de->d_name) > LR_ID_MAX) {
            continue;
        }

        snprintf(dir, sizeof(dir), "%s/%s", path, de->d_name);

        rc = lr_grace_end(dir, domain, now, n, err, size);

        if (rc == LR_ERROR || (rc == LR_AGAIN && result == LR_OK)) {
            result = rc;
        }
    }

    closedir(d);

    return result;
}


static int
lr_grace_end(const char *dir, const char *domain, int64_t now, unsigned *n,
    char *err, size_t size)
{
    int             rc;
    int64_t         until;
    lr_settings_t   st;
    lr_recording_t  rec;

    /* what is not understood is the shipper's to set aside */

    rc = lr_settings_read(&st, dir, err, size);

    if (rc != LR_OK) {
        return rc == LR_DECLINED ? LR_OK : rc;
    }

    rc = st.scope[0] == '\0' || strcasecmp(st.scope, domain) == 0;
    lr_settings_free(&st);

    if (!rc) {
        return LR_OK;
    }

    memset(&rec, 0, sizeof(lr_recording_t));

    rc = lr_recording_read(&rec, dir, NULL, err, size);

    if (rc == LR_DECLINED
        || (rc == LR_OK
            && (rec.id[0] == '\0' || rec.state == LR_RECORDING_ENDED)))
    {
        return LR_OK;
    }

    if (rc == LR_OK) {
        rc = lr_recording_end(dir, 0, now, &until, err, size);
    }

    if (rc == LR_OK) {
        (*n)++;
    }

    return rc == LR_DECLINED ? LR_OK : rc;
}
