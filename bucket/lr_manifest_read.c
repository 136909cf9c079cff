
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdio.h>
#include <jansson.h>
#include "lr_manifest.h"


/*
 * What a manifest's text may hold at most, before it is given to jansson:
 * a full part of version 1 has less than a quarter of these values and a
 * third of this depth; the rest is for members that are not known yet.
 */
#define LR_MANIFEST_VALUES  65536
#define LR_MANIFEST_DEPTH   12


typedef struct {
    char     *err;
    size_t    size;
    char      where[32];
} lr_manifest_read_t;


static int lr_manifest_bounded(const u_char *p, size_t n);
static int lr_manifest_wrong(lr_manifest_read_t *r, const char *name,
    const char *text);
static int lr_manifest_int(lr_manifest_read_t *r, json_t *o, const char *name,
    int64_t max, int64_t *v);
static int lr_manifest_bool(lr_manifest_read_t *r, json_t *o,
    const char *name, unsigned *v);
static int lr_manifest_string(lr_manifest_read_t *r, json_t *o,
    const char *name, unsigned required, const char **v);
static int lr_manifest_codec(lr_manifest_read_t *r, json_t *o, char *codec,
    size_t size);
static int lr_manifest_array(lr_manifest_read_t *r, json_t *o,
    const char *name, size_t max, json_t **v);
static int lr_manifest_read_spans(lr_manifest_read_t *r, json_t *o,
    lr_manifest_t *m);
static int lr_manifest_read_track(lr_manifest_read_t *r, json_t *o,
    const char *name, const char *first, const char *second, char *codec,
    size_t size, uint32_t *v1, uint32_t *v2);
static int lr_manifest_read_fragment(lr_manifest_read_t *r, json_t *o,
    lr_manifest_fragment_t *f);
static int lr_manifest_read_fragments(lr_manifest_read_t *r, json_t *o,
    lr_manifest_t *m);
static int lr_manifest_read_files(lr_manifest_read_t *r, json_t *o,
    lr_manifest_t *m);
static int lr_manifest_read_object(lr_manifest_read_t *r, json_t *o,
    lr_manifest_t **mp);


/*
 * jansson takes tens of bytes of memory for each byte of a text like
 * "[{},{},", so values are counted before it sees them
 */

static int
lr_manifest_bounded(const u_char *p, size_t n)
{
    size_t    i, depth, values;
    unsigned  string;

    depth = 0;
    values = 0;
    string = 0;

    for (i = 0; i < n; i++) {

        if (string) {
            if (p[i] == '\\') {
                i++;

            } else if (p[i] == '"') {
                string = 0;
            }

            continue;
        }

        switch (p[i]) {

        case '"':
            string = 1;
            break;

        case '[':
        case '{':
            if (++depth > LR_MANIFEST_DEPTH) {
                return 0;
            }

            values++;
            break;

        case ']':
        case '}':
            if (depth > 0) {
                depth--;
            }

            break;

        case ',':
            values++;
            break;
        }

        if (values > LR_MANIFEST_VALUES) {
            return 0;
        }
    }

    return 1;
}


static int
lr_manifest_wrong(lr_manifest_read_t *r, const char *name, const char *text)
{
    snprintf(r->err, r->size, "\"%s%s\" %s", r->where, name, text);

    return LR_ERROR;
}


static int
lr_manifest_int(lr_manifest_read_t *r, json_t *o, const char *name,
    int64_t max, int64_t *v)
{
    json_t  *j;

    j = json_object_get(o, name);

    if (!json_is_integer(j)) {
        return lr_manifest_wrong(r, name, "is not an integer");
    }

    *v = json_integer_value(j);

    /* members of 64 bits are left to lr_manifest_check() */

    if (max != 0 && (*v < 0 || *v > max)) {
        return lr_manifest_wrong(r, name, "is out of range");
    }

    return LR_OK;
}


static int
lr_manifest_bool(lr_manifest_read_t *r, json_t *o, const char *name,
    unsigned *v)
{
    json_t  *j;

    j = json_object_get(o, name);

    if (!json_is_boolean(j)) {
        return lr_manifest_wrong(r, name, "is neither true nor false");
    }

    *v = json_is_true(j);

    return LR_OK;
}


/* the string is the object's; a missing one that may be missing is NULL */

static int
lr_manifest_string(lr_manifest_read_t *r, json_t *o, const char *name,
    unsigned required, const char **v)
{
    json_t  *j;

    j = json_object_get(o, name);

    if (j == NULL && !required) {
        *v = NULL;
        return LR_OK;
    }

    if (!json_is_string(j)) {
        return lr_manifest_wrong(r, name, "is not a string");
    }

    *v = json_string_value(j);

    return LR_OK;
}


static int
lr_manifest_codec(lr_manifest_read_t *r, json_t *o, char *codec, size_t size)
{
    size_t       n;
    const char  *s;

    if (lr_manifest_string(r, o, "codec", 1, &s) != LR_OK) {
        return LR_ERROR;
    }

    n = strlen(s);

    if (n == 0 || n >= size) {
        return lr_manifest_wrong(r, "codec", "is out of range");
    }

    memcpy(codec, s, n + 1);

    return LR_OK;
}


static int
lr_manifest_array(lr_manifest_read_t *r, json_t *o, const char *name,
    size_t max, json_t **v)
{
    *v = json_object_get(o, name);

    if (!json_is_array(*v)) {
        return lr_manifest_wrong(r, name, "is not an array");
    }

    if (json_array_size(*v) > max) {
        return lr_manifest_wrong(r, name, "holds too much");
    }

    return LR_OK;
}


static int
lr_manifest_read_spans(lr_manifest_read_t *r, json_t *o, lr_manifest_t *m)
{
    size_t               i;
    json_t              *a, *j;
    lr_manifest_span_t   s;

    if (lr_manifest_array(r, o, "spans", LR_MANIFEST_SPANS, &a) != LR_OK) {
        return LR_ERROR;
    }

    for (i = 0; i < json_array_size(a); i++) {
        j = json_array_get(a, i);
        snprintf(r->where, sizeof(r->where), "spans[%d].", (int) i);

        if (lr_manifest_int(r, j, "wall", 0, &s.wall) != LR_OK
            || lr_manifest_int(r, j, "media", 0, &s.media) != LR_OK)
        {
            return LR_ERROR;
        }

        if (lr_manifest_add_span(m, s.wall, s.media) != LR_OK) {
            return lr_manifest_wrong(r, "wall", "does not fit into memory");
        }
    }

    r->where[0] = '\0';

    return LR_OK;
}


static int
lr_manifest_read_track(lr_manifest_read_t *r, json_t *o, const char *name,
    const char *first, const char *second, char *codec, size_t size,
    uint32_t *v1, uint32_t *v2)
{
    json_t   *j;
    int64_t   i1, i2;

    j = json_object_get(o, name);

    if (j == NULL) {
        return LR_OK;
    }

    if (!json_is_object(j)) {
        return lr_manifest_wrong(r, name, "is not an object");
    }

    if (lr_manifest_codec(r, j, codec, size) != LR_OK
        || lr_manifest_int(r, j, first, UINT32_MAX, &i1) != LR_OK
        || lr_manifest_int(r, j, second, UINT32_MAX, &i2) != LR_OK)
    {
        return LR_ERROR;
    }

    *v1 = (uint32_t) i1;
    *v2 = (uint32_t) i2;

    return LR_OK;
}


/* the key is the object's, not the fragment's */

static int
lr_manifest_read_fragment(lr_manifest_read_t *r, json_t *o,
    lr_manifest_fragment_t *f)
{
    unsigned     discontinuity, independent;
    const char  *key;

    memset(f, 0, sizeof(lr_manifest_fragment_t));

    if (lr_manifest_int(r, o, "seq", 0, &f->seq) != LR_OK
        || lr_manifest_string(r, o, "key", 0, &key) != LR_OK
        || lr_manifest_int(r, o, "wall", 0, &f->wall) != LR_OK
        || lr_manifest_int(r, o, "media", 0, &f->media) != LR_OK
        || lr_manifest_int(r, o, "duration", 0, &f->duration) != LR_OK
        || lr_manifest_int(r, o, "bytes", 0, &f->bytes) != LR_OK
        || lr_manifest_int(r, o, "cycle", 0, &f->cycle) != LR_OK
        || lr_manifest_bool(r, o, "discontinuity", &discontinuity) != LR_OK
        || lr_manifest_bool(r, o, "independent", &independent) != LR_OK
        || lr_manifest_read_track(r, o, "video", "width", "height",
                                  f->video.codec, sizeof(f->video.codec),
                                  &f->video.width, &f->video.height)
           != LR_OK
        || lr_manifest_read_track(r, o, "audio", "rate", "channels",
                                  f->audio.codec, sizeof(f->audio.codec),
                                  &f->audio.rate, &f->audio.channels)
           != LR_OK)
    {
        return LR_ERROR;
    }

    f->key = (char *) key;
    f->discontinuity = discontinuity;
    f->independent = independent;

    return LR_OK;
}


static int
lr_manifest_read_fragments(lr_manifest_read_t *r, json_t *o,
    lr_manifest_t *m)
{
    size_t                   i;
    json_t                  *a;
    lr_manifest_fragment_t   f;

    if (lr_manifest_array(r, o, "fragments", LR_MANIFEST_FRAGMENTS, &a)
        != LR_OK)
    {
        return LR_ERROR;
    }

    for (i = 0; i < json_array_size(a); i++) {
        snprintf(r->where, sizeof(r->where), "fragments[%d].", (int) i);

        if (lr_manifest_read_fragment(r, json_array_get(a, i), &f) != LR_OK)
        {
            return LR_ERROR;
        }

        if (i != 0 && f.seq <= m->fragments[i - 1].seq) {
            return lr_manifest_wrong(r, "seq", "is out of order");
        }

        if (lr_manifest_add_fragment(m, &f) != LR_OK) {
            return lr_manifest_wrong(r, "seq", "does not fit into memory");
        }
    }

    r->where[0] = '\0';

    return LR_OK;
}


static int
lr_manifest_read_files(lr_manifest_read_t *r, json_t *o, lr_manifest_t *m)
{
    size_t               i;
    json_t              *a, *j;
    const char          *key, *format;
    lr_manifest_file_t   f;

    if (lr_manifest_array(r, o, "files", LR_MANIFEST_FILES, &a) != LR_OK) {
        return LR_ERROR;
    }

    for (i = 0; i < json_array_size(a); i++) {
        j = json_array_get(a, i);
        snprintf(r->where, sizeof(r->where), "files[%d].", (int) i);

        if (lr_manifest_string(r, j, "format", 1, &format) != LR_OK
            || lr_manifest_int(r, j, "cycle", 0, &f.cycle) != LR_OK
            || lr_manifest_string(r, j, "key", 1, &key) != LR_OK
            || lr_manifest_int(r, j, "start", 0, &f.start) != LR_OK
            || lr_manifest_int(r, j, "end", 0, &f.end) != LR_OK
            || lr_manifest_int(r, j, "duration", 0, &f.duration) != LR_OK
            || lr_manifest_int(r, j, "bytes", 0, &f.bytes) != LR_OK)
        {
            return LR_ERROR;
        }

        f.key = (char *) key;

        for (f.format = 0; f.format < LR_MANIFEST_FORMATS; f.format++) {
            if (strcmp(format, lr_manifest_format_name(f.format)) == 0) {
                break;
            }
        }

        if (lr_manifest_add_file(m, &f) != LR_OK) {
            return lr_manifest_wrong(r, "key", "does not fit into memory");
        }
    }

    r->where[0] = '\0';

    return LR_OK;
}


static int
lr_manifest_read_object(lr_manifest_read_t *r, json_t *o, lr_manifest_t **mp)
{
    int64_t         version, part, started;
    unsigned        closed;
    const char     *id, *domain, *app, *stream, *path;
    lr_manifest_t  *m;

    if (!json_is_object(o)) {
        snprintf(r->err, r->size, "is not a JSON object");
        return LR_ERROR;
    }

    if (lr_manifest_int(r, o, "version", 0, &version) != LR_OK) {
        return LR_ERROR;
    }

    if (version > LR_MANIFEST_VERSION) {
        snprintf(r->err, r->size, "is of format version %lld, known are "
                 "versions up to %d", (long long) version,
                 LR_MANIFEST_VERSION);
        return LR_DECLINED;
    }

    if (version < 1) {
        return lr_manifest_wrong(r, "version", "is out of range");
    }

    if (lr_manifest_string(r, o, "id", 1, &id) != LR_OK
        || lr_manifest_int(r, o, "part", UINT32_MAX, &part) != LR_OK
        || lr_manifest_string(r, o, "domain", 1, &domain) != LR_OK
        || lr_manifest_string(r, o, "app", 1, &app) != LR_OK
        || lr_manifest_string(r, o, "stream", 1, &stream) != LR_OK
        || lr_manifest_int(r, o, "started", 0, &started) != LR_OK
        || lr_manifest_bool(r, o, "closed", &closed) != LR_OK
        || lr_manifest_string(r, o, "fragment_path", 0, &path) != LR_OK)
    {
        return LR_ERROR;
    }

    m = lr_manifest_create(id, (unsigned) part, domain, app, stream, started,
                           path);
    if (m == NULL) {
        snprintf(r->err, r->size, "does not fit into memory");
        return LR_ERROR;
    }

    m->closed = closed;

    if (lr_manifest_read_spans(r, o, m) != LR_OK
        || lr_manifest_read_fragments(r, o, m) != LR_OK
        || lr_manifest_read_files(r, o, m) != LR_OK
        || lr_manifest_check(m, r->err, r->size) != LR_OK)
    {
        lr_manifest_free(m);
        return LR_ERROR;
    }

    *mp = m;

    return LR_OK;
}


int
lr_manifest_read(const u_char *p, size_t n, lr_manifest_t **m, char *err,
    size_t size)
{
    int                  rc;
    json_t              *o;
    json_error_t         e;
    lr_manifest_read_t   r;

    *m = NULL;

    if (n > LR_MANIFEST_BYTES) {
        snprintf(err, size, "is larger than %d bytes", LR_MANIFEST_BYTES);
        return LR_ERROR;
    }

    if (!lr_manifest_bounded(p, n)) {
        snprintf(err, size, "holds too many values or too deep ones");
        return LR_ERROR;
    }

    o = json_loadb((const char *) p, n, JSON_REJECT_DUPLICATES, &e);
    if (o == NULL) {
        snprintf(err, size, "is not JSON, line %d: %.80s", e.line, e.text);
        return LR_ERROR;
    }

    r.err = err;
    r.size = size;
    r.where[0] = '\0';

    rc = lr_manifest_read_object(&r, o, m);

    json_decref(o);

    return rc;
}
