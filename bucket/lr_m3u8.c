
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdlib.h>
#include "lr_m3u8.h"


/* how far the clock of a player may be off before it is set again, ms */
#define LR_M3U8_DRIFT  1000


static int lr_m3u8_segment_valid(const lr_segment_t *s);
static int lr_m3u8_date(const lr_zone_t *zone, int64_t ms, lr_buf_t *out);


int
lr_m3u8_write(const lr_segment_t *segs, size_t n, const lr_zone_t *zone,
    lr_buf_t *out)
{
    size_t               i, before;
    int64_t              clock, longest;
    unsigned             independent;
    const lr_segment_t  *s;

    longest = 1;
    independent = (n != 0);

    for (i = 0; i < n; i++) {
        s = &segs[i];

        if (!lr_m3u8_segment_valid(s)) {
            return LR_ERROR;
        }

        if (s->duration > longest) {
            longest = s->duration;
        }

        if (!s->independent) {
            independent = 0;
        }
    }

    before = out->len;

    lr_buf_printf(out, "#EXTM3U\n"
                       "#EXT-X-VERSION:3\n"
                       "#EXT-X-TARGETDURATION:%lld\n"
                       "#EXT-X-MEDIA-SEQUENCE:0\n"
                       "#EXT-X-PLAYLIST-TYPE:VOD\n",
                  (long long) ((longest + 999) / 1000));

    if (independent) {
        lr_buf_puts(out, "#EXT-X-INDEPENDENT-SEGMENTS\n");
    }

    clock = 0;

    for (i = 0; i < n; i++) {
        s = &segs[i];

        if (i != 0 && s->discontinuity) {
            lr_buf_puts(out, "#EXT-X-DISCONTINUITY\n");
        }

        if (i == 0 || s->discontinuity
            || llabs((long long) (s->wall - clock)) > LR_M3U8_DRIFT)
        {
            clock = s->wall;

            if (lr_m3u8_date(zone, clock, out) != LR_OK) {
                out->len = before;
                return LR_ERROR;
            }
        }

        lr_buf_printf(out, "#EXTINF:%lld.%03d,\n",
                      (long long) (s->duration / 1000),
                      (int) (s->duration % 1000));

        lr_buf_puts(out, s->uri);
        lr_buf_puts(out, "\n");

        clock += s->duration;
    }

    lr_buf_puts(out, "#EXT-X-ENDLIST\n");

    if (out->failed) {
        out->len = before;
        return LR_ERROR;
    }

    return LR_OK;
}


static int
lr_m3u8_segment_valid(const lr_segment_t *s)
{
    const u_char  *p;

    if (s->duration < 0 || s->duration > LR_M3U8_DURATION_MAX
        || s->wall < 0 || s->wall > LR_TIME_MAX
        || s->uri[0] == '\0' || s->uri[0] == '#')
    {
        return 0;
    }

    for (p = (const u_char *) s->uri; *p; p++) {
        if (*p <= 0x20 || *p == 0x7f) {
            return 0;
        }
    }

    return 1;
}


static int
lr_m3u8_date(const lr_zone_t *zone, int64_t ms, lr_buf_t *out)
{
    int        offset;
    struct tm  tm;

    if (lr_zone_tm(zone, ms, &tm, &offset) != LR_OK) {
        return LR_ERROR;
    }

    lr_buf_printf(out, "#EXT-X-PROGRAM-DATE-TIME:"
                       "%04d-%02d-%02dT%02d:%02d:%02d.%03d",
                  tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                  tm.tm_hour, tm.tm_min, tm.tm_sec, (int) (ms % 1000));

    if (offset == 0) {
        lr_buf_puts(out, "Z\n");
        return LR_OK;
    }

    lr_buf_printf(out, "%c%02d:%02d\n", offset < 0 ? '-' : '+',
                  abs(offset) / 60, abs(offset) % 60);

    return LR_OK;
}
