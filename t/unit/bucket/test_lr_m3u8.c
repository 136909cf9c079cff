
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "../../../bucket/lr_m3u8.c"


/* 2026-03-01T12:00:00.123Z */
#define T_WALL  1772366400123LL


static const lr_zone_t  t_utc = { LR_ZONE_UTC, 0 };
static const lr_zone_t  t_beijing = { LR_ZONE_FIXED, 480 };


static void
playlist_is(const lr_segment_t *segs, size_t n, const lr_zone_t *zone,
    const char *expected)
{
    lr_buf_t  b;

    memset(&b, 0, sizeof(lr_buf_t));

    assert_int_equal(lr_m3u8_write(segs, n, zone, &b), LR_OK);
    lr_buf_append(&b, "", 1);
    assert_string_equal((char *) b.data, expected);

    lr_buf_free(&b);
}


static void
plain(void **state)
{
    static const lr_segment_t  segs[] = {
        { "../1_0.ts", 30000, T_WALL, 0, 1 },
        { "../2_1.ts", 29960, T_WALL + 30000, 0, 1 },
        { "../3_2.ts", 7, T_WALL + 59960, 0, 1 }
    };

    (void) state;

    playlist_is(segs, 3, &t_utc,
                "#EXTM3U\n"
                "#EXT-X-VERSION:3\n"
                "#EXT-X-TARGETDURATION:30\n"
                "#EXT-X-MEDIA-SEQUENCE:0\n"
                "#EXT-X-PLAYLIST-TYPE:VOD\n"
                "#EXT-X-INDEPENDENT-SEGMENTS\n"
                "#EXT-X-PROGRAM-DATE-TIME:2026-03-01T12:00:00.123Z\n"
                "#EXTINF:30.000,\n"
                "../1_0.ts\n"
                "#EXTINF:29.960,\n"
                "../2_1.ts\n"
                "#EXTINF:0.007,\n"
                "../3_2.ts\n"
                "#EXT-X-ENDLIST\n");
}


static void
gaps(void **state)
{
    static const lr_segment_t  segs[] = {
        { "0.ts", 30000, T_WALL, 1, 1 },              /* none at the start */
        { "1.ts", 30001, T_WALL + 90000, 1, 1 },
        { "2.ts", 10000, T_WALL + 121001, 0, 0 },     /* 1 s late: as is */
        { "3.ts", 10000, T_WALL + 131002, 0, 1 },     /* 1.001 s late */
        { "4.ts", 10000, T_WALL + 139000, 0, 1 }      /* 2.002 s early */
    };

    (void) state;

    playlist_is(segs, 5, &t_beijing,
                "#EXTM3U\n"
                "#EXT-X-VERSION:3\n"
                "#EXT-X-TARGETDURATION:31\n"
                "#EXT-X-MEDIA-SEQUENCE:0\n"
                "#EXT-X-PLAYLIST-TYPE:VOD\n"
                "#EXT-X-PROGRAM-DATE-TIME:2026-03-01T20:00:00.123+08:00\n"
                "#EXTINF:30.000,\n"
                "0.ts\n"
                "#EXT-X-DISCONTINUITY\n"
                "#EXT-X-PROGRAM-DATE-TIME:2026-03-01T20:01:30.123+08:00\n"
                "#EXTINF:30.001,\n"
                "1.ts\n"
                "#EXTINF:10.000,\n"
                "2.ts\n"
                "#EXT-X-PROGRAM-DATE-TIME:2026-03-01T20:02:11.125+08:00\n"
                "#EXTINF:10.000,\n"
                "3.ts\n"
                "#EXT-X-PROGRAM-DATE-TIME:2026-03-01T20:02:19.123+08:00\n"
                "#EXTINF:10.000,\n"
                "4.ts\n"
                "#EXT-X-ENDLIST\n");
}


static void
zones(void **state)
{
    lr_zone_t  zone;

    static const lr_segment_t  segs[] = {
        { "0.ts", 1000, T_WALL, 0, 0 }
    };

    (void) state;

    assert_int_equal(lr_zone_parse("-03:30", 6, &zone), LR_OK);

    playlist_is(segs, 1, &zone,
                "#EXTM3U\n"
                "#EXT-X-VERSION:3\n"
                "#EXT-X-TARGETDURATION:1\n"
                "#EXT-X-MEDIA-SEQUENCE:0\n"
                "#EXT-X-PLAYLIST-TYPE:VOD\n"
                "#EXT-X-PROGRAM-DATE-TIME:2026-03-01T08:30:00.123-03:30\n"
                "#EXTINF:1.000,\n"
                "0.ts\n"
                "#EXT-X-ENDLIST\n");
}


static void
empty(void **state)
{
    (void) state;

    playlist_is(NULL, 0, &t_utc,
                "#EXTM3U\n"
                "#EXT-X-VERSION:3\n"
                "#EXT-X-TARGETDURATION:1\n"
                "#EXT-X-MEDIA-SEQUENCE:0\n"
                "#EXT-X-PLAYLIST-TYPE:VOD\n"
                "#EXT-X-ENDLIST\n");
}


static void
refuses(void **state)
{
    size_t    i;
    lr_buf_t  b;

    static const lr_segment_t  bad[] = {
        { "", 1000, T_WALL, 0, 0 },
        { "#a.ts", 1000, T_WALL, 0, 0 },
        { "a\nb.ts", 1000, T_WALL, 0, 0 },
        { "a b.ts", 1000, T_WALL, 0, 0 },
        { "a.ts", -1, T_WALL, 0, 0 },
        { "a.ts", LR_M3U8_DURATION_MAX + 1, T_WALL, 0, 0 },
        { "a.ts", 1000, -1, 0, 0 },
        { "a.ts", 1000, LR_TIME_MAX + 1, 0, 0 }
    };

    (void) state;

    memset(&b, 0, sizeof(lr_buf_t));
    lr_buf_puts(&b, "kept");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(lr_m3u8_write(&bad[i], 1, &t_utc, &b), LR_ERROR);
        assert_int_equal(b.len, 4);
    }

    lr_buf_free(&b);
}


/* RFC 8216 4.3.3.1, and no date that the one before says already */

static void
many(void **state)
{
    char          *p;
    size_t         i, n;
    double         d;
    int64_t        wall;
    unsigned       target, found, dates;
    lr_buf_t       b;
    lr_segment_t  *segs;

    (void) state;

    n = 100000;
    wall = T_WALL;
    segs = calloc(n, sizeof(lr_segment_t));
    assert_non_null(segs);

    for (i = 0; i < n; i++) {
        segs[i].uri = "a/1772366400_0.ts";
        segs[i].duration = (int64_t) (i * 7919 % 30500);
        segs[i].wall = wall;
        wall += segs[i].duration;
    }

    memset(&b, 0, sizeof(lr_buf_t));
    assert_int_equal(lr_m3u8_write(segs, n, &t_utc, &b), LR_OK);
    lr_buf_append(&b, "", 1);

    found = 0;
    dates = 0;
    target = 0;

    for (p = (char *) b.data; p != NULL; p = strchr(p, '\n')) {
        p += (*p == '\n');

        if (sscanf(p, "#EXT-X-TARGETDURATION:%u", &target) == 1) {
            continue;
        }

        dates += (strncmp(p, "#EXT-X-PROGRAM", 14) == 0);

        if (sscanf(p, "#EXTINF:%lf,", &d) == 1) {
            assert_true(d <= target);
            found++;
        }
    }

    assert_int_equal(found, n);
    assert_int_equal(dates, 1);
    assert_int_equal(target, 31);

    lr_buf_free(&b);
    free(segs);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(plain),
        cmocka_unit_test(gaps),
        cmocka_unit_test(zones),
        cmocka_unit_test(empty),
        cmocka_unit_test(refuses),
        cmocka_unit_test(many)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
