
/*
 * Copyright (C) the ngx_live_record authors
 */


#include "lr_time.h"


static int lr_time_number(const char **p, const char *end, unsigned digits,
    int *n);
static int lr_time_offset(const char **p, const char *end, int *offset);


int
lr_time_parse(int64_t *ms, const char *p, size_t n)
{
    time_t  t;

    if (n != LR_TIME_LEN || p[10] != 'T' || p[n - 1] != 'Z'
        || lr_time_iso(&t, p, n) != LR_OK)
    {
        return LR_ERROR;
    }

    *ms = (int64_t) t * 1000;

    return LR_OK;
}


void
lr_time_format(char *buf, int64_t ms)
{
    time_t     t;
    struct tm  tm;

    t = (time_t) (ms / 1000 - (ms % 1000 < 0));

    if (gmtime_r(&t, &tm) == NULL
        || strftime(buf, LR_TIME_LEN + 1, "%Y-%m-%dT%H:%M:%SZ", &tm)
           != LR_TIME_LEN)
    {
        memcpy(buf, "1970-01-01T00:00:00Z", LR_TIME_LEN + 1);
    }
}


int
lr_time_iso(time_t *t, const char *p, size_t n)
{
    int          offset, month;
    time_t       v;
    struct tm    tm;
    const char  *end;

    end = p + n;

    memset(&tm, 0, sizeof(struct tm));

    if (lr_time_number(&p, end, 4, &tm.tm_year) != LR_OK
        || p == end || *p++ != '-'
        || lr_time_number(&p, end, 2, &tm.tm_mon) != LR_OK
        || p == end || *p++ != '-'
        || lr_time_number(&p, end, 2, &tm.tm_mday) != LR_OK
        || p == end || (*p != 'T' && *p != 't' && *p != ' ')
        || (p++, lr_time_number(&p, end, 2, &tm.tm_hour)) != LR_OK
        || p == end || *p++ != ':'
        || lr_time_number(&p, end, 2, &tm.tm_min) != LR_OK
        || p == end || *p++ != ':'
        || lr_time_number(&p, end, 2, &tm.tm_sec) != LR_OK
        || lr_time_offset(&p, end, &offset) != LR_OK
        || p != end)
    {
        return LR_ERROR;
    }

    tm.tm_year -= 1900;
    tm.tm_mon -= 1;

    if (tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60) {
        return LR_ERROR;
    }

    if (tm.tm_sec == 60) {
        tm.tm_sec = 59;
    }

    /* what is no day of the month becomes one of another */

    month = tm.tm_mon;
    v = timegm(&tm);

    if (tm.tm_mon != month) {
        return LR_ERROR;
    }

    *t = v - offset;

    return LR_OK;
}


static int
lr_time_number(const char **p, const char *end, unsigned digits, int *n)
{
    const char  *s;

    s = *p;

    if ((size_t) (end - s) < digits) {
        return LR_ERROR;
    }

    for (*n = 0; digits != 0; digits--, s++) {

        if (*s < '0' || *s > '9') {
            return LR_ERROR;
        }

        *n = *n * 10 + (*s - '0');
    }

    *p = s;

    return LR_OK;
}


/* what may follow the seconds: a fraction, "Z" or "+08:00" */

static int
lr_time_offset(const char **p, const char *end, int *offset)
{
    int          hours, minutes;
    char         sign;
    const char  *s;

    s = *p;
    *offset = 0;

    if (s != end && (*s == '.' || *s == ',')) {

        for (s++; s != end && *s >= '0' && *s <= '9'; s++) { /* void */ }

        if (s - *p < 2) {
            return LR_ERROR;
        }
    }

    if (s != end && (*s == 'Z' || *s == 'z')) {
        s++;

    } else if (s != end && (*s == '+' || *s == '-')) {

        sign = *s++;

        if (lr_time_number(&s, end, 2, &hours) != LR_OK) {
            return LR_ERROR;
        }

        if (s != end && *s == ':') {
            s++;
        }

        if (lr_time_number(&s, end, 2, &minutes) != LR_OK || minutes > 59) {
            return LR_ERROR;
        }

        *offset = hours * 3600 + minutes * 60;

        if (sign == '-') {
            *offset = -*offset;
        }
    }

    *p = s;

    return LR_OK;
}
