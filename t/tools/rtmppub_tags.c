
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What is sent: tags of the files, changed as the options say.
 */


#include <stdlib.h>
#include "rtmppub.h"


static void pub_add_tag(pub_t *pub, const flv_tag_t *tag, int64_t time);
static void pub_add_media(pub_t *pub, const flv_tag_t *tag, int64_t time,
    const u_char *p, size_t n);
static void pub_push(pub_t *pub, unsigned type, int64_t time, lr_buf_t *b);
static void pub_set_header_nal(pub_t *pub, const flv_tag_t *tag, lr_buf_t *b);
static void pub_copy_nals(pub_t *pub, lr_buf_t *b, const u_char *p, size_t n);
static size_t pub_sei_size(pub_t *pub, const flv_tag_t *tag);
static int32_t pub_get_cts(const u_char *p);
static void pub_add_cts(u_char *p, int64_t shift);


void
pub_add_file(pub_t *pub, const char *path)
{
    int64_t          base, first, last, delta, end;
    unsigned         i, k;
    flv_tag_t       *tag, *head[FLV_VIDEO];
    flv_file_t       file;
    const char      *error;

    if (flv_file_read(&file, path, &error) != LR_OK) {
        pub_die(error);
    }

    memset(head, 0, sizeof(head));

    for (i = 0; i < file.ntags; i++) {
        tag = &file.tags[i];

        if (tag->kind < FLV_VIDEO) {
            head[tag->kind] = tag;
            continue;
        }

        if (tag->ts < pub->start) {
            continue;
        }

        if (tag->key || pub->start == 0) {
            break;
        }

        if (pub->no_video || head[FLV_VIDEO_HEADER] == NULL) {
            break;
        }
    }

    if (i == file.ntags) {
        pub_die("no media after --start");
    }

    base = pub->duration;
    first = file.tags[i].ts;
    end = pub->length == INT64_MAX ? INT64_MAX : first + pub->length;
    last = first;
    delta = 40;

    for (k = 0; k < FLV_VIDEO; k++) {
        if (head[k]) {
            pub_add_tag(pub, head[k], base);
        }
    }

    for ( /* void */ ; i < file.ntags; i++) {
        tag = &file.tags[i];

        if (tag->ts >= end || tag->ts < first) {
            continue;
        }

        pub_add_tag(pub, tag, base + tag->ts - first);

        if (tag->kind == FLV_VIDEO || tag->kind == FLV_AUDIO) {

            if (tag->kind == FLV_VIDEO && tag->ts > last) {
                delta = tag->ts - last;
            }

            last = tag->ts > last ? tag->ts : last;
        }
    }

    pub->duration = base + last - first + (delta < 1000 ? delta : 40);

    flv_file_free(&file);
}


static void
pub_add_tag(pub_t *pub, const flv_tag_t *tag, int64_t time)
{
    size_t    n;
    u_char   *p;
    lr_buf_t  b;

    static const char  set[] = "\x02\x00\x0d@setDataFrame";

    switch (tag->kind) {

    case FLV_META:
        memset(&b, 0, sizeof(lr_buf_t));
        lr_buf_append(&b, set, sizeof(set) - 1);
        lr_buf_append(&b, tag->data, tag->len);
        pub_push(pub, RTMP_DATA, time, &b);
        return;

    case FLV_AUDIO:
    case FLV_AUDIO_HEADER:
        if (!pub->no_audio) {
            memset(&b, 0, sizeof(lr_buf_t));
            lr_buf_append(&b, tag->data, tag->len);
            pub_push(pub, RTMP_AUDIO, time, &b);
        }

        return;

    case FLV_VIDEO_HEADER:
        if (!pub->no_video) {
            memset(&b, 0, sizeof(lr_buf_t));
            pub_set_header_nal(pub, tag, &b);
            pub_push(pub, RTMP_VIDEO, time, &b);
        }

        return;

    default:
        break;
    }

    if (pub->no_video) {
        return;
    }

    p = tag->data + tag->header;
    n = pub->split_sei ? pub_sei_size(pub, tag) : 0;

    if (n) {
        pub_add_media(pub, tag, time, p, n);
    }

    pub_add_media(pub, tag, time, p + n, tag->len - tag->header - n);
}


static void
pub_add_media(pub_t *pub, const flv_tag_t *tag, int64_t time,
    const u_char *p, size_t n)
{
    lr_buf_t  b;

    memset(&b, 0, sizeof(lr_buf_t));

    lr_buf_append(&b, tag->data, tag->header);

    if (pub->nal_length && tag->nal) {
        pub_copy_nals(pub, &b, p, n);

    } else {
        lr_buf_append(&b, p, n);
    }

    if (tag->cts && tag->nal && !b.failed) {
        pub_add_cts(b.data + tag->header - 3, pub->cts_shift);
    }

    pub_push(pub, RTMP_VIDEO, time, &b);
}


/* the tag takes the bytes of b over */

static void
pub_push(pub_t *pub, unsigned type, int64_t time, lr_buf_t *b)
{
    pub_tag_t  *tag;

    if (b->failed) {
        pub_die("out of memory");
    }

    if (pub->ntags == pub->max) {
        pub->max = pub->max ? pub->max * 2 : 4096;
        pub->tags = realloc(pub->tags, pub->max * sizeof(pub_tag_t));

        if (pub->tags == NULL) {
            pub_die("out of memory");
        }
    }

    tag = &pub->tags[pub->ntags++];

    tag->time = time;
    tag->ts = time;
    tag->data = b->data;
    tag->len = (uint32_t) b->len;
    tag->type = (uint8_t) type;
}


/*
 * avcC has lengthSizeMinusOne in its fifth byte, hvcC in its 22nd
 * (ISO/IEC 14496-15, 5.3.3.1.2 and 8.3.3.1.2).
 */

static void
pub_set_header_nal(pub_t *pub, const flv_tag_t *tag, lr_buf_t *b)
{
    size_t    pos;
    unsigned  codec;

    lr_buf_append(b, tag->data, tag->len);

    codec = tag->data[0] & 0x0f;

    if (tag->data[0] & 0x80) {
        codec = memcmp(tag->data + 1, "avc1", 4) == 0 ? 7 : 12;
    }

    pos = tag->header + (codec == 7 ? 4 : 21);

    if (b->failed || pos >= b->len) {
        return;
    }

    pub->in_nal = (b->data[pos] & 0x03) + 1;

    if (pub->nal_length) {
        b->data[pos] = (u_char) ((b->data[pos] & 0xfc)
                                 | (pub->nal_length - 1));
    }
}


static void
pub_copy_nals(pub_t *pub, lr_buf_t *b, const u_char *p, size_t n)
{
    u_char    out[4];
    size_t    len;
    unsigned  i;

    if (pub->in_nal == 0) {
        pub_die("--nal-length needs a sequence header");
    }

    while (n > pub->in_nal) {

        for (len = 0, i = 0; i < pub->in_nal; i++) {
            len = len << 8 | p[i];
        }

        p += i;
        n -= i;

        if (len > n
            || (pub->nal_length < 4 && len >> (8 * pub->nal_length)))
        {
            pub_die("a NAL unit does not fit into --nal-length");
        }

        lr_put_be32(out, (uint32_t) len);
        lr_buf_append(b, out + 4 - pub->nal_length, pub->nal_length);
        lr_buf_append(b, p, len);

        p += len;
        n -= len;
    }
}


/* how many bytes of AUD, SEI and parameter sets lie before the slices */

static size_t
pub_sei_size(pub_t *pub, const flv_tag_t *tag)
{
    size_t         len, size, n;
    u_char         type;
    unsigned       i;
    const u_char  *p;

    if (!tag->nal || (tag->data[0] & 0x8f) != 7 || pub->in_nal == 0) {
        return 0;
    }

    p = tag->data + tag->header;
    n = tag->len - tag->header;

    for (size = 0; size + pub->in_nal < n; size += i + len) {

        for (len = 0, i = 0; i < pub->in_nal; i++) {
            len = len << 8 | p[size + i];
        }

        type = p[size + i] & 0x1f;

        if (type >= 1 && type <= 5) {
            return size;
        }
    }

    return 0;
}


void
pub_shift_times(pub_t *pub)
{
    int64_t     audio, video;
    unsigned    i, k;
    pub_tag_t  *tag;

    /* what is sent before zero would be wrapped: the other track moves */

    audio = pub->audio_shift > 0 ? pub->audio_shift : 0;
    video = pub->audio_shift < 0 ? -pub->audio_shift : 0;

    for (i = 0; i < pub->ntags; i++) {
        tag = &pub->tags[i];

        tag->ts += tag->type == RTMP_AUDIO ? audio : video;

        for (k = 0; k < pub->njumps; k++) {
            if (tag->time >= pub->jumps[k].at) {
                tag->ts += pub->jumps[k].delta;
            }
        }
    }
}


/* the presentation times stay as they were */

void
pub_equal_dts(pub_t *pub)
{
    unsigned    i, n;
    pub_tag_t  *tag, *prev;

    n = 0;
    prev = NULL;

    for (i = 0; i < pub->ntags; i++) {
        tag = &pub->tags[i];

        if (tag->type != RTMP_VIDEO || tag->len < 5
            || (tag->data[0] & 0x80) || tag->data[1] != 1)
        {
            continue;
        }

        if (++n % pub->equal_dts == 0 && prev != NULL) {
            pub_add_cts(tag->data + 2, tag->ts - prev->ts);
            tag->ts = prev->ts;
        }

        prev = tag;
    }
}


static int32_t
pub_get_cts(const u_char *p)
{
    return ((int32_t) lr_get_be24(p) ^ 0x800000) - 0x800000;
}


static void
pub_add_cts(u_char *p, int64_t shift)
{
    lr_put_be24(p, (uint32_t) (pub_get_cts(p) + shift) & 0xffffff);
}
