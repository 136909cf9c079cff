
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdio.h>
#include <stdlib.h>
#include "lr_manifest.h"


#define LR_MANIFEST_SUFFIX  ".json"

/* yyyyMMddTHHmmssZ */
#define LR_MANIFEST_STAMP   16


static int lr_manifest_stamp(int64_t wall, char *text);
static int lr_manifest_stamp_parse(const char *p, int64_t *wall);
static int lr_manifest_number(const char *p, size_t n);
static int lr_manifest_digits(const char *p, size_t n);
static void *lr_manifest_room(void *p, size_t n, size_t size);
static int lr_manifest_range(int64_t v, int64_t min, int64_t max);
static int lr_manifest_codec_valid(const char *p);
static const char *lr_manifest_check_span(const lr_manifest_span_t *s);
static const char *lr_manifest_check_fragment(
    const lr_manifest_fragment_t *f);
static const char *lr_manifest_check_file(const lr_manifest_file_t *f);
static void lr_manifest_write_string(lr_buf_t *out, const char *s);
static void lr_manifest_write_fragment(lr_buf_t *out,
    const lr_manifest_fragment_t *f);


static const char  *lr_manifest_formats[LR_MANIFEST_FORMATS] = {
    "m3u8", "mp4", "flv"
};


int
lr_manifest_id_valid(const char *p, size_t n)
{
    size_t  i;

    if (n == 0 || n > LR_MANIFEST_ID_LEN) {
        return 0;
    }

    for (i = 0; i < n; i++) {
        if (!((p[i] >= '0' && p[i] <= '9') || (p[i] >= 'a' && p[i] <= 'z')
              || p[i] == '-'))
        {
            return 0;
        }
    }

    return 1;
}


int
lr_manifest_prefix(const char *prefix, const char *app, const char *stream,
    lr_buf_t *out)
{
    size_t  before;

    if (prefix == NULL) {
        prefix = LR_NAME_RESERVED;
    }

    if (!lr_name_key_valid(prefix, strlen(prefix))
        || !lr_name_valid(app, strlen(app))
        || !lr_name_valid(stream, strlen(stream)))
    {
        return LR_ERROR;
    }

    before = out->len;

    lr_buf_printf(out, "%s/%s/%s/", prefix, app, stream);

    if (out->failed || out->len - before > LR_NAME_KEY_LEN) {
        out->len = before;
        return LR_ERROR;
    }

    return LR_OK;
}


int
lr_manifest_start_after(const char *prefix, const char *app,
    const char *stream, int64_t wall, lr_buf_t *out)
{
    char    stamp[LR_MANIFEST_STAMP + 1];
    size_t  before;

    before = out->len;

    if (lr_manifest_stamp(wall, stamp) != LR_OK
        || lr_manifest_prefix(prefix, app, stream, out) != LR_OK)
    {
        return LR_ERROR;
    }

    lr_buf_append(out, stamp, sizeof(stamp));

    if (out->failed || out->len - before - 1 > LR_NAME_KEY_LEN) {
        out->len = before;
        return LR_ERROR;
    }

    out->len--;

    return LR_OK;
}


int
lr_manifest_key(const char *prefix, const char *app, const char *stream,
    int64_t wall, const char *id, unsigned part, lr_buf_t *out)
{
    size_t  before;

    if (!lr_manifest_id_valid(id, strlen(id)) || part > LR_MANIFEST_PART_MAX)
    {
        return LR_ERROR;
    }

    before = out->len;

    if (lr_manifest_start_after(prefix, app, stream, wall, out) != LR_OK) {
        return LR_ERROR;
    }

    lr_buf_printf(out, "_%s_%05u" LR_MANIFEST_SUFFIX, id, part);

    if (out->failed || out->len - before > LR_NAME_KEY_LEN) {
        out->len = before;
        return LR_ERROR;
    }

    return LR_OK;
}


int
lr_manifest_key_parse(const char *key, lr_manifest_name_t *name)
{
    size_t       n;
    int64_t      time;
    const char  *p, *last;

    p = strrchr(key, '/');
    p = (p == NULL) ? key : p + 1;

    if (lr_manifest_stamp_parse(p, &time) != LR_OK) {
        return LR_DECLINED;
    }

    p += LR_MANIFEST_STAMP;

    if (*p++ != '_') {
        return LR_DECLINED;
    }

    last = strchr(p, '_');
    if (last == NULL) {
        return LR_DECLINED;
    }

    n = (size_t) (last - p);

    if (!lr_manifest_id_valid(p, n) || !lr_manifest_digits(last + 1, 5)
        || strcmp(last + 6, LR_MANIFEST_SUFFIX) != 0)
    {
        return LR_DECLINED;
    }

    memcpy(name->id, p, n);
    name->id[n] = '\0';
    name->time = time;
    name->part = (uint32_t) lr_manifest_number(last + 1, 5);

    return LR_OK;
}


static int
lr_manifest_stamp(int64_t wall, char *text)
{
    lr_zone_t  utc;
    struct tm  tm;

    memset(&utc, 0, sizeof(lr_zone_t));

    if (lr_zone_tm(&utc, wall, &tm, NULL) != LR_OK) {
        return LR_ERROR;
    }

    strftime(text, LR_MANIFEST_STAMP + 1, "%Y%m%dT%H%M%SZ", &tm);

    return LR_OK;
}


static int
lr_manifest_stamp_parse(const char *p, int64_t *wall)
{
    char       text[LR_MANIFEST_STAMP + 1];
    struct tm  tm;

    if (!lr_manifest_digits(p, 8) || p[8] != 'T'
        || !lr_manifest_digits(p + 9, 6) || p[15] != 'Z')
    {
        return LR_ERROR;
    }

    memset(&tm, 0, sizeof(struct tm));

    tm.tm_year = lr_manifest_number(p, 4) - 1900;
    tm.tm_mon = lr_manifest_number(p + 4, 2) - 1;
    tm.tm_mday = lr_manifest_number(p + 6, 2);
    tm.tm_hour = lr_manifest_number(p + 9, 2);
    tm.tm_min = lr_manifest_number(p + 11, 2);
    tm.tm_sec = lr_manifest_number(p + 13, 2);

    *wall = (int64_t) timegm(&tm) * 1000;

    /* whatever is no date, as February 30, is not told as it was written */

    if (lr_manifest_stamp(*wall, text) != LR_OK
        || memcmp(text, p, LR_MANIFEST_STAMP) != 0)
    {
        return LR_ERROR;
    }

    return LR_OK;
}


static int
lr_manifest_number(const char *p, size_t n)
{
    int  v;

    for (v = 0; n > 0; n--) {
        v = v * 10 + *p++ - '0';
    }

    return v;
}


static int
lr_manifest_digits(const char *p, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9') {
            return 0;
        }
    }

    return 1;
}


const char *
lr_manifest_format_name(int format)
{
    if (format < 0 || format >= LR_MANIFEST_FORMATS) {
        return "unknown";
    }

    return lr_manifest_formats[format];
}


lr_manifest_t *
lr_manifest_create(const char *id, unsigned part, const char *domain,
    const char *app, const char *stream, int64_t started,
    const char *fragment_path)
{
    lr_manifest_t  *m;

    m = calloc(1, sizeof(lr_manifest_t));
    if (m == NULL) {
        return NULL;
    }

    m->id = strdup(id);
    m->domain = strdup(domain);
    m->app = strdup(app);
    m->stream = strdup(stream);
    m->started = started;
    m->part = part;

    if (fragment_path != NULL) {
        m->fragment_path = strdup(fragment_path);
    }

    if (m->id == NULL || m->domain == NULL || m->app == NULL
        || m->stream == NULL
        || (fragment_path != NULL && m->fragment_path == NULL))
    {
        lr_manifest_free(m);
        return NULL;
    }

    return m;
}


void
lr_manifest_free(lr_manifest_t *m)
{
    size_t  i;

    if (m == NULL) {
        return;
    }

    for (i = 0; i < m->nfragments; i++) {
        free(m->fragments[i].key);
    }

    for (i = 0; i < m->nfiles; i++) {
        free(m->files[i].key);
    }

    free(m->spans);
    free(m->fragments);
    free(m->files);
    free(m->id);
    free(m->domain);
    free(m->app);
    free(m->stream);
    free(m->fragment_path);
    free(m);
}


/* room for one more after n; the room is always the next power of two */

static void *
lr_manifest_room(void *p, size_t n, size_t size)
{
    if (n & (n - 1)) {
        return p;
    }

    return realloc(p, (n ? n * 2 : 1) * size);
}


int
lr_manifest_add_span(lr_manifest_t *m, int64_t wall, int64_t media)
{
    lr_manifest_span_t  *s;

    if (m->nspans >= LR_MANIFEST_SPANS) {
        return LR_DECLINED;
    }

    s = lr_manifest_room(m->spans, m->nspans, sizeof(lr_manifest_span_t));
    if (s == NULL) {
        return LR_ERROR;
    }

    m->spans = s;

    s += m->nspans++;
    s->wall = wall;
    s->media = media;

    return LR_OK;
}


int
lr_manifest_add_fragment(lr_manifest_t *m, const lr_manifest_fragment_t *f)
{
    char                    *key;
    size_t                   i;
    lr_manifest_fragment_t  *a;

    i = m->nfragments;

    while (i > 0 && m->fragments[i - 1].seq >= f->seq) {
        i--;
    }

    key = NULL;

    if (f->key != NULL) {
        key = strdup(f->key);
        if (key == NULL) {
            return LR_ERROR;
        }
    }

    if (i < m->nfragments && m->fragments[i].seq == f->seq) {
        a = m->fragments;
        free(a[i].key);
        goto set;
    }

    if (m->nfragments >= LR_MANIFEST_FRAGMENTS) {
        free(key);
        return LR_DECLINED;
    }

    a = lr_manifest_room(m->fragments, m->nfragments,
                         sizeof(lr_manifest_fragment_t));
    if (a == NULL) {
        free(key);
        return LR_ERROR;
    }

    m->fragments = a;

    memmove(a + i + 1, a + i,
            (m->nfragments - i) * sizeof(lr_manifest_fragment_t));

    m->nfragments++;

set:

    a[i] = *f;
    a[i].key = key;

    return LR_OK;
}


int
lr_manifest_add_file(lr_manifest_t *m, const lr_manifest_file_t *f)
{
    char                *key;
    lr_manifest_file_t  *a;

    if (m->nfiles >= LR_MANIFEST_FILES) {
        return LR_DECLINED;
    }

    a = lr_manifest_room(m->files, m->nfiles, sizeof(lr_manifest_file_t));
    if (a == NULL) {
        return LR_ERROR;
    }

    m->files = a;

    key = strdup(f->key);
    if (key == NULL) {
        return LR_ERROR;
    }

    a += m->nfiles++;
    *a = *f;
    a->key = key;

    return LR_OK;
}


static int
lr_manifest_range(int64_t v, int64_t min, int64_t max)
{
    return v >= min && v <= max;
}


static int
lr_manifest_codec_valid(const char *p)
{
    for ( /* void */ ; *p; p++) {
        if (!((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z')
              || *p == '-' || *p == '.'))
        {
            return 0;
        }
    }

    return 1;
}


/* the member that is wrong, NULL if none */

static const char *
lr_manifest_check_span(const lr_manifest_span_t *s)
{
    if (!lr_manifest_range(s->wall, 0, LR_TIME_MAX)) {
        return "wall";
    }

    if (!lr_manifest_range(s->media, -LR_TIME_MAX, LR_TIME_MAX)) {
        return "media";
    }

    return NULL;
}


static const char *
lr_manifest_check_fragment(const lr_manifest_fragment_t *f)
{
    if (!lr_manifest_range(f->seq, 0, LR_MANIFEST_COUNT_MAX)) {
        return "seq";
    }

    if (f->key != NULL && !lr_name_key_valid(f->key, strlen(f->key))) {
        return "key";
    }

    if (!lr_manifest_range(f->wall, 0, LR_TIME_MAX)) {
        return "wall";
    }

    if (!lr_manifest_range(f->media, -LR_TIME_MAX, LR_TIME_MAX)) {
        return "media";
    }

    if (!lr_manifest_range(f->duration, 0, LR_MANIFEST_DURATION_MAX)) {
        return "duration";
    }

    if (!lr_manifest_range(f->bytes, 0, LR_MANIFEST_SIZE_MAX)) {
        return "bytes";
    }

    if (!lr_manifest_range(f->cycle, 0, LR_MANIFEST_COUNT_MAX)) {
        return "cycle";
    }

    if (!lr_manifest_codec_valid(f->video.codec)) {
        return "video";
    }

    if (!lr_manifest_codec_valid(f->audio.codec)) {
        return "audio";
    }

    return NULL;
}


static const char *
lr_manifest_check_file(const lr_manifest_file_t *f)
{
    if (f->format < 0 || f->format >= LR_MANIFEST_FORMATS) {
        return "format";
    }

    if (!lr_manifest_range(f->cycle, 0, LR_MANIFEST_COUNT_MAX)) {
        return "cycle";
    }

    if (!lr_name_key_valid(f->key, strlen(f->key))) {
        return "key";
    }

    if (!lr_manifest_range(f->start, 0, LR_TIME_MAX)) {
        return "start";
    }

    if (!lr_manifest_range(f->end, f->start, LR_TIME_MAX)) {
        return "end";
    }

    if (!lr_manifest_range(f->duration, 0, LR_MANIFEST_DURATION_MAX)) {
        return "duration";
    }

    if (!lr_manifest_range(f->bytes, 0, LR_MANIFEST_SIZE_MAX)) {
        return "bytes";
    }

    return NULL;
}


int
lr_manifest_check(const lr_manifest_t *m, char *err, size_t size)
{
    size_t       i, n;
    const char  *wrong;

    wrong = NULL;
    n = strlen(m->domain);

    if (!lr_manifest_id_valid(m->id, strlen(m->id))) {
        wrong = "id";

    } else if (m->part > LR_MANIFEST_PART_MAX) {
        wrong = "part";

    } else if (n > LR_NAME_LEN || !lr_name_text(m->domain, n)) {
        wrong = "domain";

    } else if (!lr_name_valid(m->app, strlen(m->app))) {
        wrong = "app";

    } else if (!lr_name_valid(m->stream, strlen(m->stream))) {
        wrong = "stream";

    } else if (!lr_manifest_range(m->started, 0, LR_TIME_MAX)) {
        wrong = "started";

    } else if (m->fragment_path != NULL) {
        n = strlen(m->fragment_path);

        if (n == 0 || n > LR_NAME_TEMPLATE_LEN
            || !lr_name_text(m->fragment_path, n))
        {
            wrong = "fragment_path";
        }
    }

    if (wrong != NULL) {
        snprintf(err, size, "\"%s\" is out of range", wrong);
        return LR_ERROR;
    }

    for (i = 0; i < m->nspans; i++) {
        wrong = lr_manifest_check_span(&m->spans[i]);

        if (wrong != NULL) {
            snprintf(err, size, "\"spans[%d].%s\" is out of range",
                     (int) i, wrong);
            return LR_ERROR;
        }
    }

    for (i = 0; i < m->nfragments; i++) {
        wrong = lr_manifest_check_fragment(&m->fragments[i]);

        if (wrong == NULL && i != 0
            && m->fragments[i].seq <= m->fragments[i - 1].seq)
        {
            wrong = "seq";
        }

        if (wrong != NULL) {
            snprintf(err, size, "\"fragments[%d].%s\" is out of range",
                     (int) i, wrong);
            return LR_ERROR;
        }
    }

    for (i = 0; i < m->nfiles; i++) {
        wrong = lr_manifest_check_file(&m->files[i]);

        if (wrong != NULL) {
            snprintf(err, size, "\"files[%d].%s\" is out of range",
                     (int) i, wrong);
            return LR_ERROR;
        }
    }

    return LR_OK;
}


/* s holds no control characters, as lr_manifest_check() has seen */

static void
lr_manifest_write_string(lr_buf_t *out, const char *s)
{
    size_t  n;

    lr_buf_puts(out, "\"");

    for ( ;; ) {
        n = strcspn(s, "\"\\");
        lr_buf_append(out, s, n);
        s += n;

        if (*s == '\0') {
            break;
        }

        lr_buf_puts(out, "\\");
        lr_buf_append(out, s++, 1);
    }

    lr_buf_puts(out, "\"");
}


static void
lr_manifest_write_fragment(lr_buf_t *out, const lr_manifest_fragment_t *f)
{
    lr_buf_printf(out, "{\"seq\":%lld", (long long) f->seq);

    if (f->key != NULL) {
        lr_buf_puts(out, ",\"key\":");
        lr_manifest_write_string(out, f->key);
    }

    lr_buf_printf(out, ",\"wall\":%lld,\"media\":%lld,\"duration\":%lld,"
                       "\"bytes\":%lld,\"cycle\":%lld,"
                       "\"discontinuity\":%s,\"independent\":%s",
                  (long long) f->wall, (long long) f->media,
                  (long long) f->duration, (long long) f->bytes,
                  (long long) f->cycle, f->discontinuity ? "true" : "false",
                  f->independent ? "true" : "false");

    if (f->video.codec[0]) {
        lr_buf_printf(out, ",\"video\":{\"codec\":\"%s\",\"width\":%u,"
                           "\"height\":%u}",
                      f->video.codec, f->video.width, f->video.height);
    }

    if (f->audio.codec[0]) {
        lr_buf_printf(out, ",\"audio\":{\"codec\":\"%s\",\"rate\":%u,"
                           "\"channels\":%u}",
                      f->audio.codec, f->audio.rate, f->audio.channels);
    }

    lr_buf_puts(out, "}");
}


int
lr_manifest_write(const lr_manifest_t *m, lr_buf_t *out)
{
    char                       err[LR_MANIFEST_ERR];
    size_t                     i, before;
    const lr_manifest_file_t  *f;

    if (lr_manifest_check(m, err, sizeof(err)) != LR_OK) {
        return LR_ERROR;
    }

    before = out->len;

    lr_buf_printf(out, "{\"version\":%d,\n\"id\":\"%s\",\n\"part\":%u,\n"
                       "\"domain\":",
                  LR_MANIFEST_VERSION, m->id, m->part);
    lr_manifest_write_string(out, m->domain);

    lr_buf_printf(out, ",\n\"app\":\"%s\",\n\"stream\":\"%s\",\n"
                       "\"started\":%lld,\n\"closed\":%s,\n",
                  m->app, m->stream, (long long) m->started,
                  m->closed ? "true" : "false");

    if (m->fragment_path != NULL) {
        lr_buf_puts(out, "\"fragment_path\":");
        lr_manifest_write_string(out, m->fragment_path);
        lr_buf_puts(out, ",\n");
    }

    lr_buf_puts(out, "\"spans\":[");

    for (i = 0; i < m->nspans; i++) {
        lr_buf_printf(out, "%s\n{\"wall\":%lld,\"media\":%lld}",
                      i ? "," : "", (long long) m->spans[i].wall,
                      (long long) m->spans[i].media);
    }

    lr_buf_puts(out, "],\n\"fragments\":[");

    for (i = 0; i < m->nfragments; i++) {
        lr_buf_puts(out, i ? ",\n" : "\n");
        lr_manifest_write_fragment(out, &m->fragments[i]);
    }

    lr_buf_puts(out, "],\n\"files\":[");

    for (i = 0; i < m->nfiles; i++) {
        f = &m->files[i];

        lr_buf_printf(out, "%s\n{\"format\":\"%s\",\"cycle\":%lld,\"key\":",
                      i ? "," : "", lr_manifest_formats[f->format],
                      (long long) f->cycle);
        lr_manifest_write_string(out, f->key);

        lr_buf_printf(out, ",\"start\":%lld,\"end\":%lld,\"duration\":%lld,"
                           "\"bytes\":%lld}",
                      (long long) f->start, (long long) f->end,
                      (long long) f->duration, (long long) f->bytes);
    }

    lr_buf_puts(out, "]}\n");

    if (out->failed || out->len - before > LR_MANIFEST_BYTES) {
        out->len = before;
        return LR_ERROR;
    }

    return LR_OK;
}
