
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "../../../bucket/lr_index_info.c"


/* 2026-03-01T12:00:00Z */
#define T_WALL  1772366400000LL


#define DOMAIN  "live.example.com"


static const u_char  bytes[LR_INDEX_RANDOM] = {
    0x12, 0xff, 0x34, 0x56, 0x78
};


static void
ids(void **state)
{
    char     id[LR_INDEX_ID_LEN + 1], bad[LR_INDEX_ID_LEN + 1];
    size_t   i;
    int64_t  start, end;

    (void) state;

    assert_int_equal(lr_index_id(id, T_WALL, T_WALL + 50000, DOMAIN, bytes),
                     LR_OK);
    assert_string_equal(id, "69a42a40-0003-8212-bf34-56785809659c");

    assert_int_equal(lr_index_id_parse(id, 36, &start, &end), LR_OK);
    assert_int_equal(start, T_WALL);
    assert_int_equal(end, T_WALL + 50000);

    assert_int_equal(lr_index_id(id, 0, LR_RANGE_MAX, DOMAIN, bytes), LR_OK);
    assert_int_equal(lr_index_id_parse(id, 36, &start, &end), LR_OK);
    assert_int_equal(start, 0);
    assert_int_equal(end, LR_RANGE_MAX);

    assert_int_equal(lr_index_id(id, 0, LR_RANGE_MAX + 1000, DOMAIN, bytes),
                     LR_ERROR);
    assert_int_equal(lr_index_id(id, -1000, 0, DOMAIN, bytes), LR_ERROR);
    assert_int_equal(lr_index_id(id, 1, 1000, DOMAIN, bytes), LR_ERROR);
    assert_int_equal(lr_index_id(id, 0, 1001, DOMAIN, bytes), LR_ERROR);
    assert_int_equal(lr_index_id(id, 2000, 1000, DOMAIN, bytes), LR_ERROR);
    assert_int_equal(lr_index_id(id, 0x100000000000LL, 0x100000000000LL,
                                 DOMAIN, bytes),
                     LR_ERROR);

    /* a domain has no case */

    assert_int_equal(lr_index_id(bad, 0, LR_RANGE_MAX, "Live.EXAMPLE.com",
                                 bytes), LR_OK);
    assert_string_equal(bad, id);
    assert_int_equal(lr_index_id(bad, 0, LR_RANGE_MAX, "two.example.com",
                                 bytes), LR_OK);
    assert_string_not_equal(bad, id);

    /* any byte that is another makes no id, or another one */

    for (i = 0; i < LR_INDEX_ID_LEN; i++) {
        strcpy(bad, id);
        bad[i] = 'G';
        assert_int_equal(lr_index_id_parse(bad, 36, &start, &end),
                         LR_DECLINED);
        bad[i] = '/';
        assert_int_equal(lr_index_id_parse(bad, 36, &start, &end),
                         LR_DECLINED);
    }

    assert_int_equal(lr_index_id_parse(id, 35, &start, &end), LR_DECLINED);
    assert_int_equal(lr_index_id_parse("", 0, &start, &end), LR_DECLINED);
    assert_int_equal(lr_index_id_parse("69a42a40-0003-4212-bf34-56789abcdef0",
                                       36, &start, &end), LR_DECLINED);
    assert_int_equal(lr_index_id_parse("69a42a40-0003-8212-cf34-56789abcdef0",
                                       36, &start, &end), LR_DECLINED);
    assert_int_equal(lr_index_id_parse("69a42a40-ffff-8212-bf34-56789abcdef0",
                                       36, &start, &end), LR_DECLINED);
}


static void
keys(void **state)
{
    lr_buf_t  b;

    (void) state;

    memset(&b, 0, sizeof(lr_buf_t));

    assert_int_equal(lr_index_key("live", "cam",
                                  "69a42a40-0003-8212-bf34-56785809659c",
                                  &b), LR_OK);
    assert_string_equal((char *) b.data, ".live_record/.index/live/cam/"
                        "20260301T120000Z_"
                        "69a42a40-0003-8212-bf34-56785809659c.json");
    assert_int_equal(b.len, strlen((char *) b.data));

    b.len = 0;
    assert_int_equal(lr_index_key("live", "../x",
                                  "69a42a40-0003-8212-bf34-56785809659c",
                                  &b), LR_ERROR);
    assert_int_equal(lr_index_key("live", "cam", "x", &b), LR_ERROR);
    assert_int_equal(b.len, 0);

    lr_buf_free(&b);
}


static void
add(lr_buf_t *list, int64_t start, int64_t end, const char *domain)
{
    char  id[LR_INDEX_ID_LEN + 1];

    assert_int_equal(lr_index_id(id, T_WALL + start, T_WALL + end, domain,
                                 bytes),
                     LR_OK);
    assert_int_equal(lr_index_key("live", "cam", id, list), LR_OK);
    lr_buf_append(list, "\0v", 3);
}


/* the seconds the listed ranges start at */

static void
page_is(lr_buf_t *list, int64_t start, int64_t end, unsigned desc,
    size_t from, size_t size, size_t all, const char *expected)
{
    size_t       total;
    int64_t      s, e;
    lr_buf_t     keys, text;
    lr_range_t   r;
    const char  *p;

    memset(&keys, 0, sizeof(lr_buf_t));
    memset(&text, 0, sizeof(lr_buf_t));

    r.start = T_WALL + start;
    r.end = T_WALL + end;

    assert_int_equal(lr_index_page(&r, DOMAIN, list->data, list->len,
                                   desc, from, size, &keys, &total), LR_OK);
    assert_int_equal(total, all);

    for (p = (char *) keys.data; p < (char *) keys.data + keys.len;
         p += strlen(p) + 1)
    {
        assert_int_equal(lr_index_id_parse(strrchr(p, '_') + 1,
                                           LR_INDEX_ID_LEN, &s, &e), LR_OK);
        lr_buf_printf(&text, "%d ", (int) ((s - T_WALL) / 1000));
    }

    lr_buf_append(&text, "", 1);
    assert_string_equal((char *) text.data, expected);

    lr_buf_free(&keys);
    lr_buf_free(&text);
}


static void
pages(void **state)
{
    lr_buf_t  list;

    (void) state;

    memset(&list, 0, sizeof(lr_buf_t));

    page_is(&list, 0, 1000, 0, 0, 10, 0, "");

    add(&list, 0, 10000, DOMAIN);
    add(&list, 5000, 90000, DOMAIN);
    add(&list, 6000, 90000, "two.example.com");
    lr_buf_append(&list, "x/y_z.json\0v", 13);
    add(&list, 20000, 30000, DOMAIN);
    add(&list, 30000, 40000, DOMAIN);

    page_is(&list, 0, 100000, 0, 0, 10, 4, "0 5 20 30 ");
    page_is(&list, 0, 100000, 1, 0, 10, 4, "30 20 5 0 ");
    page_is(&list, 0, 100000, 0, 1, 2, 4, "5 20 ");
    page_is(&list, 0, 100000, 1, 3, 2, 4, "0 ");
    page_is(&list, 0, 100000, 0, 4, 5, 4, "");
    page_is(&list, 0, 100000, 0, SIZE_MAX, 5, 4, "");

    page_is(&list, 10000, 20000, 0, 0, 10, 1, "5 ");
    page_is(&list, 9000, 21000, 0, 0, 10, 3, "0 5 20 ");
    page_is(&list, 90000, 95000, 0, 0, 10, 0, "");

    lr_buf_free(&list);
}


static void
infos(void **state)
{
    size_t           i;
    lr_buf_t         one, two;
    lr_index_info_t  info, back;

    (void) state;

    memset(&info, 0, sizeof(lr_index_info_t));
    memset(&one, 0, sizeof(lr_buf_t));
    memset(&two, 0, sizeof(lr_buf_t));

    info.start = T_WALL;
    info.end = T_WALL + 50000;
    assert_int_equal(lr_index_id(info.id, info.start, info.end, DOMAIN,
                                 bytes),
                     LR_OK);
    info.domain = "live.example.com";
    info.app = "live";
    info.stream = "cam";
    info.endpoint = "oss-cn-hangzhou.aliyuncs.com";
    info.bucket = "media";
    info.key = "a/\"b\"\\.m3u8";
    info.url = "";
    info.created = T_WALL + 60123;
    info.duration = 49999;
    info.width = 1920;
    info.height = 1080;

    assert_int_equal(lr_index_info_write(&info, &one), LR_OK);
    assert_int_equal(lr_index_info_read(&back, one.data, one.len), LR_OK);

    assert_string_equal(back.id, info.id);
    assert_string_equal(back.key, info.key);
    assert_string_equal(back.endpoint, info.endpoint);
    assert_string_equal(back.bucket, info.bucket);
    assert_int_equal(back.end, info.end);
    assert_int_equal(back.created, info.created);
    assert_int_equal(back.duration, 49999);
    assert_int_equal(back.width, 1920);
    assert_int_equal(back.height, 1080);

    assert_int_equal(lr_index_info_write(&back, &two), LR_OK);
    assert_int_equal(one.len, two.len);
    assert_memory_equal(one.data, two.data, one.len);

    /* a part of it is nothing */

    for (i = 0; i + 1 < one.len; i++) {
        lr_index_info_free(&back);
        assert_int_equal(lr_index_info_read(&back, one.data, i),
                         LR_DECLINED);
    }

    /* what is not UTF-8 cannot be written */

    info.endpoint = "\xff";
    two.len = 0;
    assert_int_equal(lr_index_info_write(&info, &two), LR_ERROR);
    assert_int_equal(two.len, 0);

    lr_index_info_free(&back);
    lr_buf_free(&one);
    lr_buf_free(&two);
}


static void
others_are_declined(void **state)
{
    size_t           i;
    lr_buf_t         b;
    lr_index_info_t  info;

    static const struct {
        const char  *version, *id, *app, *key, *start, *width;
    } t[] = {
        { "2", "69a42a40-0003-8212-bf34-56785809659c", "live", "a.m3u8",
          "1772366400000", "1" },
        { "1", "69a42a40-0003-8212-bf34-56789abcdef", "live", "a.m3u8",
          "1772366400000", "1" },
        { "1", "69a42a40-0003-8212-bf34-56785809659c1", "live", "a.m3u8",
          "1772366400000", "1" },
        { "1", "69a42a40-0003-8212-bf34-56785809659c", "li/ve", "a.m3u8",
          "1772366400000", "1" },
        { "1", "69a42a40-0003-8212-bf34-56785809659c", "live", "a.ts",
          "1772366400000", "1" },
        { "1", "69a42a40-0003-8212-bf34-56785809659c", "live",
          ".live_record/a.m3u8", "1772366400000", "1" },
        { "1", "69a42a40-0003-8212-bf34-56785809659c", "live", "a.m3u8",
          "1772366401000", "1" },
        { "1", "69a42a40-0003-8212-bf34-56785809659c", "live", "a.m3u8",
          "1772366400000", "-1" },
        { "1", "69a42a40-0003-8212-bf34-56785809659c", "live", "a.m3u8",
          "1772366400000", "4294967296" },
        { "1", "69a42a40-0003-8212-bf34-56785809659c", "live", "a.m3u8",
          "1772366400000", "\"1\"" },
        { "1", "69a42a40-0003-8212-bf34-56785809659c", "live", "a.m3u8",
          "1772366400000", "1" }
    };

    (void) state;

    memset(&b, 0, sizeof(lr_buf_t));

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        b.len = 0;
        lr_buf_printf(&b, "{\"version\":%s,\"id\":\"%s\",\"domain\":\"\","
                      "\"app\":\"%s\",\"stream\":\"s\",\"endpoint\":\"\","
                      "\"bucket\":\"\",\"key\":\"%s\",\"url\":\"\","
                      "\"start\":%s,\"end\":1772366450000,\"created\":1,"
                      "\"duration\":1,\"width\":%s,\"height\":0}",
                      t[i].version, t[i].id, t[i].app, t[i].key, t[i].start,
                      t[i].width);

        /* the last one is right, so that the others are wrong in one thing */

        assert_int_equal(lr_index_info_read(&info, b.data, b.len),
                         i + 1 == sizeof(t) / sizeof(t[0]) ? LR_OK
                                                           : LR_DECLINED);
        lr_index_info_free(&info);
    }

    b.len = 0;

    while (b.len <= LR_INDEX_BYTES) {
        lr_buf_puts(&b, " ");
    }

    assert_int_equal(lr_index_info_read(&info, b.data, b.len), LR_DECLINED);

    lr_buf_free(&b);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(ids),
        cmocka_unit_test(keys),
        cmocka_unit_test(pages),
        cmocka_unit_test(infos),
        cmocka_unit_test(others_are_declined)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
