
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The names of objects: what AppName and StreamName may be, templates of
 * names and their variables, and the zone that times in names are told in.
 *
 * A template is bytes of UTF-8 with variables in braces:
 *
 *     {AppName} {StreamName}               as published
 *     {Sequence}                           from 0, no padding
 *     {StartTime} {EndTime}                yyyy-MM-dd-HH:mm:ss
 *     {EscapedStartTime} {EscapedEndTime}  yyyy-MM-dd-HH-mm-ss
 *     {UnixTimestamp}                      of the start, in seconds
 *     {Date}                               yyyy-MM-dd of the recording
 *     {Hour} {Minute} {Second}             of the start, two digits
 */


#ifndef _LR_NAME_H_INCLUDED_
#define _LR_NAME_H_INCLUDED_


#include <time.h>
#include "lr_core.h"


/* of an AppName or a StreamName, in bytes */
#define LR_NAME_LEN           255

/* of a template, in bytes */
#define LR_NAME_TEMPLATE_LEN  255

/* of a key: the limit of OSS; S3 takes one byte more */
#define LR_NAME_KEY_LEN       1023

/* the prefix of manifests, which no template may use */
#define LR_NAME_RESERVED      ".live_record"

/* unix ms: 9999-01-01T00:00:00Z, so that a year has four digits anywhere */
#define LR_TIME_MAX           253370764800000LL


typedef enum {
    LR_ZONE_UTC = 0,
    LR_ZONE_LOCAL,
    LR_ZONE_FIXED
} lr_zone_kind_e;


/* a zeroed one is UTC */

typedef struct {
    int             kind;         /* lr_zone_kind_e */
    int             offset;       /* minutes east of UTC, if fixed */
} lr_zone_t;


typedef enum {
    LR_NAME_PATH = 0,             /* a playlist or file of a cycle */
    LR_NAME_FRAGMENT,
    LR_NAME_INDEX,                /* the index of a day */
    LR_NAME_RANGE                 /* the index of a range of time */
} lr_name_kind_e;


typedef struct {
    const char     *app;
    const char     *stream;
    int64_t         start;        /* unix ms of what is named */
    int64_t         end;          /* unix ms; -1 if not known yet */
    int64_t         recorded;     /* unix ms for {Date}; 0: as start */
    int64_t         sequence;
} lr_name_vars_t;


/*
 * Understands "utc", "local", "+08:00" or "-03:30", as far as 14 hours.
 * LR_ERROR: something else, *zone is left alone.
 */
int lr_zone_parse(const char *p, size_t n, lr_zone_t *zone);

/*
 * The calendar time of unix ms in a zone, and that zone's offset then, in
 * minutes, if "offset" is not NULL.  LR_ERROR: not in 0 .. LR_TIME_MAX.
 */
int lr_zone_tm(const lr_zone_t *zone, int64_t ms, struct tm *tm,
    int *offset);

/* 1 if the n bytes may be an AppName or a StreamName */
int lr_name_valid(const char *p, size_t n);

/* 1 if the n bytes are UTF-8 (RFC 3629) without control characters */
int lr_name_text(const char *p, size_t n);

/*
 * 1 if the n bytes may be the key of an object of ours: 1 to 1023 bytes of
 * text, and a relative path without empty, "." and ".." segments.
 */
int lr_name_key_valid(const char *p, size_t n);

/*
 * What "nginx -t" asks of a template, and the API of one for a range, which
 * may be as long as a key.  LR_ERROR: "err", of "size" bytes
 * (512 hold any message), says what is wrong and what is allowed; it is to
 * be read after the name of the directive and the value.
 */
int lr_name_check(lr_name_kind_e kind, const char *tpl, char *err,
    size_t size);

/* 1 if the name holds an end time, so is not known until the end */
int lr_name_uses_end(const char *tpl);

/*
 * Appends the name to "out", and a zero byte that "len" does not count.
 * "suffix" (".ts"), if not NULL, is added unless the name ends with it.
 * LR_ERROR: no memory, a key over 1023 bytes, a template that would fail
 * lr_name_check() for its braces or variables, a time out of range or an
 * end that is not known; "out" is as it was.
 */
int lr_name_expand(const char *tpl, const lr_name_vars_t *vars,
    const lr_zone_t *zone, const char *suffix, lr_buf_t *out);

/*
 * The n-th name, from 1, to try for a key that another recording has taken:
 * "-n" before the suffix, "a/b.ts" is "a/b-1.ts".  Always drawn from the
 * first key.  Appends as lr_name_expand() does; LR_ERROR: n is 0, no
 * memory, a key over 1023 bytes.
 */
int lr_name_alternative(const char *key, unsigned n, lr_buf_t *out);


#endif /* _LR_NAME_H_INCLUDED_ */
