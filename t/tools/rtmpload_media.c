
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What is sent: the tags of the file, cut into chunks once for all
 * connections.
 */


#include "rtmpload.h"


static void load_wire(load_t *load, load_tag_t *tag, const u_char *p);


void
load_flv(load_t *load)
{
    size_t        n;
    u_char       *meta;
    unsigned      i, k;
    uint32_t      last[2];
    flv_tag_t    *from;
    load_tag_t    tag;
    const char   *error;

    static const char  set[] = "\x02\x00\x0d@setDataFrame";

    if (flv_file_read(&load->flv, load->file, &error) != LR_OK) {
        load_die(error);
    }

    load->tags = load_alloc((load->flv.ntags + 1) * sizeof(load_tag_t));
    last[0] = 0;
    last[1] = 0;

    for (i = 0; i < load->flv.ntags; i++) {
        from = &load->flv.tags[i];

        memset(&tag, 0, sizeof(load_tag_t));

        tag.len = from->len;

        if (from->kind == FLV_META) {

            if (load->nheads) {
                continue;
            }

            n = sizeof(set) - 1;
            meta = load_alloc(n + from->len);
            memcpy(meta, set, n);
            memcpy(meta + n, from->data, from->len);

            tag.type = RTMP_DATA;
            tag.csid = RTMP_CS_DATA;
            tag.len += (uint32_t) n;

            load_wire(load, &tag, meta);
            load->heads[load->nheads++] = tag;
            continue;
        }

        k = from->kind == FLV_VIDEO || from->kind == FLV_VIDEO_HEADER;

        tag.type = k ? RTMP_VIDEO : RTMP_AUDIO;
        tag.csid = k ? RTMP_CS_VIDEO : RTMP_CS_AUDIO;

        if (from->kind == FLV_VIDEO_HEADER || from->kind == FLV_AUDIO_HEADER)
        {
            if (load->nheads < LOAD_MAX_HEADS) {
                load_wire(load, &tag, from->data);
                load->heads[load->nheads++] = tag;
            }

            continue;
        }

        if (from->ts < last[k]) {
            load_die("timestamps go back in the file");
        }

        last[k] = from->ts;

        tag.ts = from->ts;
        tag.key = from->key;

        load_wire(load, &tag, from->data);
        load->tags[load->ntags++] = tag;
    }

    if (load->ntags < 2) {
        load_die("no audio or video tags");
    }

    load->duration = (last[0] > last[1] ? last[0] : last[1])
                     - load->tags[0].ts + 40;
}


/* puts a one-byte type-3 header before every chunk but the first */

static void
load_wire(load_t *load, load_tag_t *tag, const u_char *p)
{
    u_char    *w;
    uint32_t   off, n;

    n = (tag->len - 1) / load->chunk;

    if (n == 0) {
        tag->wire = p;
        tag->wlen = tag->len;
        return;
    }

    tag->wlen = tag->len + n;
    w = load_alloc(tag->wlen);
    tag->wire = w;

    for (off = 0; off < tag->len; off += n) {

        if (off) {
            *w++ = (u_char) (0xc0 | tag->csid);
        }

        n = tag->len - off < load->chunk ? tag->len - off : load->chunk;

        memcpy(w, p + off, n);
        w += n;
    }
}


const load_tag_t *
load_tag_at(load_t *load, load_conn_t *c, const load_pos_t *pos,
    uint32_t *ts)
{
    load_tag_t  *tag;

    if (pos->head < load->nheads) {
        *ts = 0;
        return &load->heads[pos->head];
    }

    tag = &load->tags[pos->tag];
    *ts = tag->ts + pos->loop_ts - load->tags[c->first].ts;

    if (*ts > load->seconds * 1000 || *ts > LOAD_MAX_TS) {
        return NULL;
    }

    return tag;
}


void
load_next(load_t *load, load_pos_t *pos)
{
    if (pos->head < load->nheads) {
        pos->head++;
        return;
    }

    if (++pos->tag == load->ntags) {
        pos->tag = 0;
        pos->loop_ts += load->duration;
    }
}
