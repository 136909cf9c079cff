
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "flv_file.h"


static int flv_file_load(flv_file_t *file, const char *path, size_t *size);
static void flv_tag_parse(flv_tag_t *tag, unsigned type);
static void flv_tag_parse_video(flv_tag_t *tag);


int
flv_file_read(flv_file_t *file, const char *path, const char **error)
{
    size_t      pos, size;
    u_char     *p;
    uint32_t    len;
    unsigned    type, max;
    flv_tag_t  *tags, *tag;

    memset(file, 0, sizeof(flv_file_t));

    if (flv_file_load(file, path, &size) != LR_OK) {
        *error = "cannot read the FLV file";
        return LR_ERROR;
    }

    if (size < 13 || memcmp(file->bytes, "FLV", 3) != 0) {
        *error = "not an FLV file";
        flv_file_free(file);
        return LR_ERROR;
    }

    max = 0;

    for (pos = lr_get_be32(file->bytes + 5) + 4; pos + 15 <= size; ) {

        p = file->bytes + pos;
        type = p[0] & 0x1f;
        len = lr_get_be24(p + 1);

        if (pos + 15 + len > size) {
            break;
        }

        pos += 15 + len;

        if (len < 2 || (type != 8 && type != 9 && type != 18)) {
            continue;
        }

        if (file->ntags == max) {
            max = max ? max * 2 : 4096;
            tags = realloc(file->tags, max * sizeof(flv_tag_t));

            if (tags == NULL) {
                *error = "out of memory";
                flv_file_free(file);
                return LR_ERROR;
            }

            file->tags = tags;
        }

        tag = &file->tags[file->ntags++];

        memset(tag, 0, sizeof(flv_tag_t));

        tag->data = p + 11;
        tag->len = len;
        tag->ts = lr_get_be24(p + 4) | (uint32_t) p[7] << 24;

        flv_tag_parse(tag, type);
    }

    return LR_OK;
}


void
flv_file_free(flv_file_t *file)
{
    free(file->tags);
    free(file->bytes);
    memset(file, 0, sizeof(flv_file_t));
}


static int
flv_file_load(flv_file_t *file, const char *path, size_t *size)
{
    int          rc;
    FILE        *f;
    struct stat  st;

    f = fopen(path, "rb");
    if (f == NULL) {
        return LR_ERROR;
    }

    rc = LR_ERROR;

    if (fstat(fileno(f), &st) == 0) {
        *size = (size_t) st.st_size;
        file->bytes = malloc(*size + 1);

        if (file->bytes != NULL
            && fread(file->bytes, 1, *size, f) == *size)
        {
            rc = LR_OK;
        }
    }

    fclose(f);

    if (rc != LR_OK) {
        flv_file_free(file);
    }

    return rc;
}


static void
flv_tag_parse(flv_tag_t *tag, unsigned type)
{
    switch (type) {

    case 18:
        tag->kind = FLV_META;
        break;

    case 8:
        tag->kind = FLV_AUDIO;
        tag->header = 1;

        if (tag->data[0] >> 4 == 10) {
            tag->header = 2;

            if (tag->data[1] == 0) {
                tag->kind = FLV_AUDIO_HEADER;
            }
        }

        break;

    default:
        flv_tag_parse_video(tag);
    }
}


static void
flv_tag_parse_video(flv_tag_t *tag)
{
    u_char    *p;
    unsigned   packet;

    p = tag->data;

    tag->kind = FLV_VIDEO;
    tag->key = ((p[0] >> 4) & 0x07) == 1;
    tag->header = 1;

    if (p[0] & 0x80) {
        packet = p[0] & 0x0f;
        tag->header = 5;

        if (packet == 0) {
            tag->kind = FLV_VIDEO_HEADER;
        }

        if (tag->len >= 5
            && (memcmp(p + 1, "hvc1", 4) == 0
                || memcmp(p + 1, "avc1", 4) == 0))
        {
            tag->nal = (packet == 1 || packet == 3);

            if (packet == 1 && tag->len >= 8) {
                tag->cts = 1;
                tag->header = 8;
            }
        }

        return;
    }

    if (((p[0] & 0x0f) == 7 || (p[0] & 0x0f) == 12) && tag->len >= 5) {
        tag->cts = 1;
        tag->header = 5;
        tag->nal = (p[1] == 1);

        if (p[1] == 0) {
            tag->kind = FLV_VIDEO_HEADER;
        }
    }
}
