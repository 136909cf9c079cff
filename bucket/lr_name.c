
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdio.h>
#include "lr_name.h"


#define LR_VAR_LITERAL  -1
#define LR_VAR_UNKNOWN  -2
#define LR_VAR_BROKEN   -3

#define LR_FOR_PATH     (1 << LR_NAME_PATH)
#define LR_FOR_TS       (1 << LR_NAME_FRAGMENT)
#define LR_FOR_FILES    (LR_FOR_PATH|LR_FOR_TS)
#define LR_FOR_RANGE    (1 << LR_NAME_RANGE)
#define LR_FOR_ALL      (LR_FOR_FILES|LR_FOR_RANGE|1 << LR_NAME_INDEX)

#define LR_HAS(var)     (1u << (var))


typedef enum {
    LR_VAR_APP = 0,
    LR_VAR_STREAM,
    LR_VAR_SEQUENCE,
    LR_VAR_START,
    LR_VAR_END,
    LR_VAR_ESCAPED_START,
    LR_VAR_ESCAPED_END,
    LR_VAR_UNIX,
    LR_VAR_DATE,
    LR_VAR_HOUR,
    LR_VAR_MINUTE,
    LR_VAR_SECOND,
    LR_VAR_N
} lr_var_e;


typedef struct {
    const char     *name;
    unsigned        kinds;
} lr_var_t;


typedef struct {
    int             var;          /* lr_var_e, or one of LR_VAR_* above */
    size_t          len;
    const char     *start;
} lr_name_token_t;


static size_t lr_name_utf8(const u_char *p, size_t n);
static const char *lr_name_wrong(const char *p, size_t n);
static const char *lr_name_next(const char *p, lr_name_token_t *t);
static int lr_name_value(int var, const lr_name_vars_t *vars,
    const lr_zone_t *zone, lr_buf_t *out);
static int lr_name_finish(lr_buf_t *out, size_t before);


static const lr_var_t  lr_vars[LR_VAR_N] = {
    { "{AppName}",          LR_FOR_ALL },
    { "{StreamName}",       LR_FOR_ALL },
    { "{Sequence}",         LR_FOR_FILES },
    { "{StartTime}",        LR_FOR_FILES },
    { "{EndTime}",          LR_FOR_FILES },
    { "{EscapedStartTime}", LR_FOR_FILES },
    { "{EscapedEndTime}",   LR_FOR_FILES },
    { "{UnixTimestamp}",    LR_FOR_FILES },
    { "{Date}",             LR_FOR_ALL },
    { "{Hour}",             LR_FOR_FILES|LR_FOR_RANGE },
    { "{Minute}",           LR_FOR_FILES|LR_FOR_RANGE },
    { "{Second}",           LR_FOR_FILES|LR_FOR_RANGE }
};


int
lr_zone_parse(const char *p, size_t n, lr_zone_t *zone)
{
    int  i, minutes;

    if (n == 3 && memcmp(p, "utc", 3) == 0) {
        zone->kind = LR_ZONE_UTC;
        zone->offset = 0;
        return LR_OK;
    }

    if (n == 5 && memcmp(p, "local", 5) == 0) {
        zone->kind = LR_ZONE_LOCAL;
        zone->offset = 0;
        return LR_OK;
    }

    if (n != 6 || (p[0] != '+' && p[0] != '-') || p[3] != ':') {
        return LR_ERROR;
    }

    for (i = 1; i < 6; i++) {
        if (i != 3 && (p[i] < '0' || p[i] > '9')) {
            return LR_ERROR;
        }
    }

    if (p[4] > '5') {
        return LR_ERROR;
    }

    minutes = ((p[1] - '0') * 10 + p[2] - '0') * 60
              + (p[4] - '0') * 10 + p[5] - '0';

    if (minutes > 14 * 60) {
        return LR_ERROR;
    }

    zone->kind = LR_ZONE_FIXED;
    zone->offset = (p[0] == '-') ? -minutes : minutes;

    return LR_OK;
}


int
lr_zone_tm(const lr_zone_t *zone, int64_t ms, struct tm *tm, int *offset)
{
    int     minutes;
    time_t  t;

    if (ms < 0 || ms > LR_TIME_MAX) {
        return LR_ERROR;
    }

    t = (time_t) (ms / 1000);
    minutes = 0;

    if (zone->kind == LR_ZONE_FIXED) {
        minutes = zone->offset;

    } else if (zone->kind == LR_ZONE_LOCAL) {

        if (localtime_r(&t, tm) == NULL) {
            return LR_ERROR;
        }

        minutes = (int) (tm->tm_gmtoff / 60);
    }

    t += minutes * 60;

    if (gmtime_r(&t, tm) == NULL) {
        return LR_ERROR;
    }

    if (offset != NULL) {
        *offset = minutes;
    }

    return LR_OK;
}


int
lr_name_valid(const char *p, size_t n)
{
    char    c;
    size_t  i;

    if (n == 0 || n > LR_NAME_LEN) {
        return 0;
    }

    for (i = 0; i < n; i++) {
        c = p[i];

        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')
              || (c >= '0' && c <= '9') || c == '-' || c == '_'))
        {
            return 0;
        }
    }

    return 1;
}


/* the length of the character at p, 0 if there is none */

static size_t
lr_name_utf8(const u_char *p, size_t n)
{
    size_t    i, len;
    uint32_t  c, least;

    if (p[0] < 0x80) {
        return 1;
    }

    if ((p[0] & 0xe0) == 0xc0) {
        len = 2;
        least = 0x80;
        c = p[0] & 0x1f;

    } else if ((p[0] & 0xf0) == 0xe0) {
        len = 3;
        least = 0x800;
        c = p[0] & 0x0f;

    } else if ((p[0] & 0xf8) == 0xf0) {
        len = 4;
        least = 0x10000;
        c = p[0] & 0x07;

    } else {
        return 0;
    }

    if (len > n) {
        return 0;
    }

    for (i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }

        c = c << 6 | (p[i] & 0x3f);
    }

    if (c < least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
        return 0;
    }

    return len;
}


int
lr_name_text(const char *p, size_t n)
{
    size_t         len;
    const u_char  *c, *last;

    c = (const u_char *) p;
    last = c + n;

    while (c < last) {
        if (*c < 0x20 || *c == 0x7f) {
            return 0;
        }

        len = lr_name_utf8(c, (size_t) (last - c));
        if (len == 0) {
            return 0;
        }

        c += len;
    }

    return 1;
}


/* what keeps the bytes from being a path in a bucket, NULL if nothing */

static const char *
lr_name_wrong(const char *p, size_t n)
{
    size_t  i, len, start;

    if (n == 0) {
        return "is empty";
    }

    for (i = 0; i < n; i++) {
        if ((u_char) p[i] < 0x20 || p[i] == 0x7f) {
            return "holds a control character";
        }
    }

    if (!lr_name_text(p, n)) {
        return "is not UTF-8";
    }

    if (p[0] == '/' || p[0] == '\\') {
        return "must not begin with \"/\" or \"\\\"";
    }

    start = 0;

    for (i = 0; i <= n; i++) {
        if (i < n && p[i] != '/') {
            continue;
        }

        len = i - start;

        if (len == 0) {
            return "must not hold \"//\" or end with \"/\"";
        }

        if (p[start] == '.' && (len == 1 || (len == 2 && p[start + 1] == '.')))
        {
            return "must not hold a \".\" or \"..\" segment";
        }

        start = i + 1;
    }

    return NULL;
}


int
lr_name_key_valid(const char *p, size_t n)
{
    return n <= LR_NAME_KEY_LEN && lr_name_wrong(p, n) == NULL;
}


/* the next literal or variable; NULL at the end */

static const char *
lr_name_next(const char *p, lr_name_token_t *t)
{
    size_t  len;

    if (*p == '\0') {
        return NULL;
    }

    t->start = p;

    if (*p != '{' && *p != '}') {
        t->var = LR_VAR_LITERAL;
        t->len = strcspn(p, "{}");
        return p + t->len;
    }

    len = (*p == '{') ? strcspn(p + 1, "{}") + 1 : 0;

    if (len == 0 || p[len] != '}') {
        t->var = LR_VAR_BROKEN;
        t->len = len ? len : 1;
        return p + t->len;
    }

    t->len = len + 1;

    for (t->var = 0; t->var < LR_VAR_N; t->var++) {
        if (strlen(lr_vars[t->var].name) == t->len
            && memcmp(lr_vars[t->var].name, p, t->len) == 0)
        {
            return p + t->len;
        }
    }

    t->var = LR_VAR_UNKNOWN;

    return p + t->len;
}


int
lr_name_check(lr_name_kind_e kind, const char *tpl, char *err, size_t size)
{
    int               i;
    size_t            n, max;
    unsigned          has;
    lr_buf_t          list;
    const char       *p, *text;
    lr_name_token_t   t;

    n = strlen(tpl);
    max = (kind == LR_NAME_RANGE) ? LR_NAME_KEY_LEN : LR_NAME_TEMPLATE_LEN;

    if (n > max) {
        snprintf(err, size, "is longer than %d bytes", (int) max);
        return LR_ERROR;
    }

    text = lr_name_wrong(tpl, n);
    if (text != NULL) {
        snprintf(err, size, "%s", text);
        return LR_ERROR;
    }

    if (strncmp(tpl, LR_NAME_RESERVED "/", sizeof(LR_NAME_RESERVED)) == 0) {
        snprintf(err, size, "must not begin with \"%s/\", which is where "
                 "manifests are", LR_NAME_RESERVED);
        return LR_ERROR;
    }

    has = 0;

    for (p = lr_name_next(tpl, &t); p != NULL; p = lr_name_next(p, &t)) {

        if (t.var == LR_VAR_LITERAL) {
            continue;
        }

        if (t.var == LR_VAR_BROKEN) {
            snprintf(err, size, "has an unbalanced \"%c\" at byte %d",
                     *t.start, (int) (t.start - tpl) + 1);
            return LR_ERROR;
        }

        if (t.var == LR_VAR_UNKNOWN
            || !(lr_vars[t.var].kinds & 1u << kind))
        {
            memset(&list, 0, sizeof(lr_buf_t));

            for (i = 0; i < LR_VAR_N; i++) {
                if (lr_vars[i].kinds & 1u << kind) {
                    lr_buf_printf(&list, " %s", lr_vars[i].name);
                }
            }

            snprintf(err, size, "%s \"%.*s\", allowed are%.*s",
                     t.var == LR_VAR_UNKNOWN ? "has the unknown variable"
                                             : "must not hold",
                     (int) t.len, t.start, (int) list.len,
                     list.data ? (char *) list.data : "");

            lr_buf_free(&list);
            return LR_ERROR;
        }

        has |= LR_HAS(t.var);
    }

    if (kind == LR_NAME_PATH
        && !(has & (LR_HAS(LR_VAR_START)|LR_HAS(LR_VAR_ESCAPED_START)))
        && (~has & (LR_HAS(LR_VAR_SEQUENCE)|LR_HAS(LR_VAR_UNIX))))
    {
        snprintf(err, size, "must hold {StartTime} or {EscapedStartTime}, "
                 "or both {UnixTimestamp} and {Sequence}, so that no name "
                 "comes twice");
        return LR_ERROR;
    }

    if (kind == LR_NAME_FRAGMENT
        && (~has & (LR_HAS(LR_VAR_SEQUENCE)|LR_HAS(LR_VAR_UNIX))))
    {
        snprintf(err, size, "must hold {UnixTimestamp} and {Sequence}, so "
                 "that no name comes twice");
        return LR_ERROR;
    }

    return LR_OK;
}


int
lr_name_uses_end(const char *tpl)
{
    const char       *p;
    lr_name_token_t   t;

    for (p = lr_name_next(tpl, &t); p != NULL; p = lr_name_next(p, &t)) {
        if (t.var == LR_VAR_END || t.var == LR_VAR_ESCAPED_END) {
            return 1;
        }
    }

    return 0;
}


static int
lr_name_value(int var, const lr_name_vars_t *vars, const lr_zone_t *zone,
    lr_buf_t *out)
{
    char         text[32];
    int64_t      ms;
    struct tm    tm;
    const char  *fmt;

    ms = vars->start;

    switch (var) {

    case LR_VAR_APP:
        lr_buf_puts(out, vars->app);
        return LR_OK;

    case LR_VAR_STREAM:
        lr_buf_puts(out, vars->stream);
        return LR_OK;

    case LR_VAR_SEQUENCE:
        lr_buf_printf(out, "%lld", (long long) vars->sequence);
        return LR_OK;

    case LR_VAR_UNIX:
        lr_buf_printf(out, "%lld", (long long) (ms / 1000));
        return LR_OK;

    case LR_VAR_END:
        ms = vars->end;
        /* fall through */

    case LR_VAR_START:
        fmt = "%Y-%m-%d-%H:%M:%S";
        break;

    case LR_VAR_ESCAPED_END:
        ms = vars->end;
        /* fall through */

    case LR_VAR_ESCAPED_START:
        fmt = "%Y-%m-%d-%H-%M-%S";
        break;

    case LR_VAR_DATE:
        if (vars->recorded != 0) {
            ms = vars->recorded;
        }

        fmt = "%Y-%m-%d";
        break;

    case LR_VAR_HOUR:
        fmt = "%H";
        break;

    case LR_VAR_MINUTE:
        fmt = "%M";
        break;

    case LR_VAR_SECOND:
        fmt = "%S";
        break;

    default:
        return LR_ERROR;
    }

    if (lr_zone_tm(zone, ms, &tm, NULL) != LR_OK) {
        return LR_ERROR;
    }

    lr_buf_append(out, text, strftime(text, sizeof(text), fmt, &tm));

    return LR_OK;
}


int
lr_name_expand(const char *tpl, const lr_name_vars_t *vars,
    const lr_zone_t *zone, const char *suffix, lr_buf_t *out)
{
    size_t            n, before;
    const char       *p;
    lr_name_token_t   t;

    before = out->len;

    if (vars->start < 0 || vars->start > LR_TIME_MAX || vars->sequence < 0
        || !lr_name_valid(vars->app, strlen(vars->app))
        || !lr_name_valid(vars->stream, strlen(vars->stream)))
    {
        return LR_ERROR;
    }

    for (p = lr_name_next(tpl, &t); p != NULL; p = lr_name_next(p, &t)) {

        if (t.var == LR_VAR_LITERAL) {
            lr_buf_append(out, t.start, t.len);

        } else if (lr_name_value(t.var, vars, zone, out) != LR_OK) {
            out->len = before;
            return LR_ERROR;
        }
    }

    n = (suffix == NULL) ? 0 : strlen(suffix);

    if (n != 0) {
        if (out->len - before < n
            || memcmp(out->data + out->len - n, suffix, n) != 0)
        {
            lr_buf_append(out, suffix, n);
        }
    }

    return lr_name_finish(out, before);
}


int
lr_name_alternative(const char *key, unsigned n, lr_buf_t *out)
{
    size_t       before;
    const char  *dot, *file;

    if (n == 0) {
        return LR_ERROR;
    }

    before = out->len;

    file = strrchr(key, '/');
    file = (file == NULL) ? key : file + 1;

    dot = strrchr(file, '.');

    if (dot == NULL || dot == file) {
        dot = key + strlen(key);
    }

    lr_buf_append(out, key, (size_t) (dot - key));
    lr_buf_printf(out, "-%u", n);
    lr_buf_puts(out, dot);

    return lr_name_finish(out, before);
}


static int
lr_name_finish(lr_buf_t *out, size_t before)
{
    lr_buf_append(out, "", 1);

    if (out->failed || out->len - before == 1
        || out->len - before - 1 > LR_NAME_KEY_LEN)
    {
        out->len = before;
        return LR_ERROR;
    }

    out->len--;

    return LR_OK;
}
