
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdio.h>
#include <stdlib.h>
#include <jansson.h>
#include "lr_index_info.h"


#define LR_INDEX_SUFFIX  ".json"

/* where the hash of the domain is in an id */
#define LR_INDEX_HASH    28


static uint32_t lr_index_hash(const char *domain);
static int lr_index_hex(const char *p, size_t n, uint64_t *v);
static int lr_index_touches(const lr_range_t *r, uint32_t hash,
    const char *key);
static int lr_index_info_valid(const lr_index_info_t *info);


int
lr_index_id(char *id, int64_t start, int64_t end, const char *domain,
    const u_char random[LR_INDEX_RANDOM])
{
    uint32_t  s, l;

    if (start < 0 || start / 1000 > UINT32_MAX || start % 1000 || end % 1000
        || end < start || end - start > LR_RANGE_MAX)
    {
        return LR_ERROR;
    }

    s = (uint32_t) (start / 1000);
    l = (uint32_t) ((end - start) / 1000);

    snprintf(id, LR_INDEX_ID_LEN + 1,
             "%08x-%04x-8%x%02x-%02x%02x-%02x%02x%08x",
             s, l >> 4, l & 15, random[0], (random[1] & 0x3f) | 0x80,
             random[2], random[3], random[4], lr_index_hash(domain));

    return LR_OK;
}


/* FNV-1a; domains have no case */

static uint32_t
lr_index_hash(const char *domain)
{
    uint32_t  hash;

    hash = 0x811c9dc5u;

    for ( /* void */ ; *domain; domain++) {
        hash ^= (u_char) *domain;

        if (*domain >= 'A' && *domain <= 'Z') {
            hash ^= 0x20;
        }

        hash *= 0x01000193u;
    }

    return hash;
}


int
lr_index_id_parse(const char *p, size_t n, int64_t *start, int64_t *end)
{
    size_t    i;
    uint64_t  s, l, low, rest;

    static const size_t  dashes[] = { 8, 13, 18, 23 };

    if (n != LR_INDEX_ID_LEN) {
        return LR_DECLINED;
    }

    for (i = 0; i < 4; i++) {
        if (p[dashes[i]] != '-') {
            return LR_DECLINED;
        }
    }

    if (lr_index_hex(p, 8, &s) != LR_OK
        || lr_index_hex(p + 9, 4, &l) != LR_OK || p[14] != '8'
        || lr_index_hex(p + 15, 1, &low) != LR_OK
        || lr_index_hex(p + 16, 2, &rest) != LR_OK
        || lr_index_hex(p + 19, 4, &rest) != LR_OK || rest >> 14 != 2
        || lr_index_hex(p + 24, 12, &rest) != LR_OK)
    {
        return LR_DECLINED;
    }

    l = l << 4 | low;

    if ((int64_t) l * 1000 > LR_RANGE_MAX) {
        return LR_DECLINED;
    }

    *start = (int64_t) s * 1000;
    *end = *start + (int64_t) l * 1000;

    return LR_OK;
}


/* lower case, as they are written, so that each id has one form */

static int
lr_index_hex(const char *p, size_t n, uint64_t *v)
{
    size_t  i;

    *v = 0;

    for (i = 0; i < n; i++) {

        if (p[i] >= '0' && p[i] <= '9') {
            *v = *v << 4 | (uint64_t) (p[i] - '0');

        } else if (p[i] >= 'a' && p[i] <= 'f') {
            *v = *v << 4 | (uint64_t) (p[i] - 'a' + 10);

        } else {
            return LR_ERROR;
        }
    }

    return LR_OK;
}


int
lr_index_key(const char *app, const char *stream, const char *id,
    lr_buf_t *out)
{
    size_t   before;
    int64_t  start, end;

    if (lr_index_id_parse(id, strlen(id), &start, &end) != LR_OK) {
        return LR_ERROR;
    }

    before = out->len;

    if (lr_manifest_start_after(LR_INDEX_PREFIX, app, stream, start, out)
        != LR_OK)
    {
        return LR_ERROR;
    }

    lr_buf_printf(out, "_%s" LR_INDEX_SUFFIX, id);

    if (out->failed || out->len - before > LR_NAME_KEY_LEN) {
        out->len = before;
        return LR_ERROR;
    }

    return LR_OK;
}


int
lr_index_page(const lr_range_t *r, const char *domain, const u_char *list,
    size_t n, unsigned desc, size_t from, size_t size, lr_buf_t *keys,
    size_t *total)
{
    size_t       i, count, *found;
    lr_buf_t     all;
    uint32_t     hash;
    const char  *p, *end;

    memset(&all, 0, sizeof(lr_buf_t));

    hash = lr_index_hash(domain);

    p = (const char *) list;
    end = p + n;

    for ( /* void */ ; p < end; p += strlen(p) + 1, p += strlen(p) + 1) {
        if (lr_index_touches(r, hash, p)) {
            i = (size_t) (p - (const char *) list);
            lr_buf_append(&all, &i, sizeof(size_t));
        }
    }

    found = (size_t *) all.data;
    count = all.len / sizeof(size_t);
    *total = count;

    for (i = from; i < count && i - from < size; i++) {
        p = (const char *) list + found[desc ? count - 1 - i : i];
        lr_buf_append(keys, p, strlen(p) + 1);
    }

    if (all.failed) {
        keys->failed = 1;
    }

    lr_buf_free(&all);

    return keys->failed ? LR_ERROR : LR_OK;
}


static int
lr_index_touches(const lr_range_t *r, uint32_t hash, const char *key)
{
    size_t       n;
    int64_t      start, end;
    uint64_t     of;
    const char  *p;

    p = strrchr(key, '_');
    n = p ? strlen(++p) : 0;

    if (n != LR_INDEX_ID_LEN + sizeof(LR_INDEX_SUFFIX) - 1
        || strcmp(p + LR_INDEX_ID_LEN, LR_INDEX_SUFFIX) != 0
        || lr_index_id_parse(p, LR_INDEX_ID_LEN, &start, &end) != LR_OK
        || lr_index_hex(p + LR_INDEX_HASH, 8, &of) != LR_OK || of != hash)
    {
        return 0;
    }

    return start < r->end && end > r->start;
}


int
lr_index_info_write(const lr_index_info_t *info, lr_buf_t *out)
{
    char    *text;
    json_t  *o;

    o = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s,"
                  " s:I, s:I, s:I, s:I, s:I, s:I}",
                  "version", LR_INDEX_VERSION, "id", info->id,
                  "domain", info->domain, "app", info->app,
                  "stream", info->stream, "endpoint", info->endpoint,
                  "bucket", info->bucket, "key", info->key,
                  "url", info->url, "start", (json_int_t) info->start,
                  "end", (json_int_t) info->end,
                  "created", (json_int_t) info->created,
                  "duration", (json_int_t) info->duration,
                  "width", (json_int_t) info->width,
                  "height", (json_int_t) info->height);

    if (o == NULL) {
        return LR_ERROR;
    }

    text = json_dumps(o, JSON_COMPACT);
    json_decref(o);

    if (text == NULL) {
        return LR_ERROR;
    }

    lr_buf_puts(out, text);
    lr_buf_puts(out, "\n");
    free(text);

    return out->failed ? LR_ERROR : LR_OK;
}


int
lr_index_info_read(lr_index_info_t *info, const u_char *p, size_t n)
{
    int           rc, version;
    size_t        i;
    json_t       *o;
    json_int_t    start, end, created, duration, width, height;
    const char   *id, *s[7];
    char        **copy[7];

    memset(info, 0, sizeof(lr_index_info_t));

    /* jansson's memory is a multiple of what it reads */

    if (n > LR_INDEX_BYTES) {
        return LR_DECLINED;
    }

    o = json_loadb((const char *) p, n, JSON_REJECT_DUPLICATES, NULL);

    if (o == NULL
        || json_unpack(o, "{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s,"
                       " s:I, s:I, s:I, s:I, s:I, s:I}",
                       "version", &version, "id", &id, "domain", &s[0],
                       "app", &s[1], "stream", &s[2], "endpoint", &s[3],
                       "bucket", &s[4], "key", &s[5], "url", &s[6],
                       "start", &start, "end", &end, "created", &created,
                       "duration", &duration, "width", &width,
                       "height", &height)
           != 0
        || version != LR_INDEX_VERSION || strlen(id) > LR_INDEX_ID_LEN
        || width < 0 || width > UINT32_MAX || height < 0
        || height > UINT32_MAX)
    {
        json_decref(o);
        return LR_DECLINED;
    }

    strcpy(info->id, id);
    info->start = start;
    info->end = end;
    info->created = created;
    info->duration = duration;
    info->width = (uint32_t) width;
    info->height = (uint32_t) height;

    copy[0] = &info->domain;
    copy[1] = &info->app;
    copy[2] = &info->stream;
    copy[3] = &info->endpoint;
    copy[4] = &info->bucket;
    copy[5] = &info->key;
    copy[6] = &info->url;

    rc = LR_OK;

    for (i = 0; i < 7; i++) {
        *copy[i] = strdup(s[i]);

        if (*copy[i] == NULL) {
            rc = LR_ERROR;
        }
    }

    json_decref(o);

    if (rc == LR_OK && !lr_index_info_valid(info)) {
        rc = LR_DECLINED;
    }

    if (rc != LR_OK) {
        lr_index_info_free(info);
    }

    return rc;
}


static int
lr_index_info_valid(const lr_index_info_t *info)
{
    int64_t  start, end;

    return lr_index_id_parse(info->id, strlen(info->id), &start, &end)
           == LR_OK
           && info->start == start && info->end == end
           && info->created >= 0 && info->created <= LR_TIME_MAX
           && info->duration >= 0 && info->duration <= LR_TIME_MAX
           && lr_name_valid(info->app, strlen(info->app))
           && lr_name_valid(info->stream, strlen(info->stream))
           && lr_range_key_valid(info->key);
}


void
lr_index_info_free(lr_index_info_t *info)
{
    free(info->domain);
    free(info->app);
    free(info->stream);
    free(info->endpoint);
    free(info->bucket);
    free(info->key);
    free(info->url);

    memset(info, 0, sizeof(lr_index_info_t));
}
