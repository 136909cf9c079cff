
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "../../../bucket/lr_manifest_read.c"
#include "../core/random_check.h"


#define T_WALL  1772366400123LL


static int64_t
any_up_to(uint64_t *seed, int64_t max)
{
    switch (random_to(seed, 6)) {

    case 0:
        return 0;

    case 1:
        return max;

    default:
        return (int64_t) (*seed >> 11) % max;
    }
}


static char *
any_key(uint64_t *seed, char *buf)
{
    uint32_t  i, n;

    static const char *const  bits[] = {
        "a", "/b", "\"", "\\x", " ", "\xe5\xbd\x95", "_0", "{}", ":", "%2F"
    };

    n = random_to(seed, 100) ? random_to(seed, 12) : 300;

    strcpy(buf, "k");

    for (i = 0; i < n; i++) {
        strcat(buf, bits[random_to(seed, 10)]);
    }

    return buf;
}


static lr_manifest_t *
any_manifest(uint64_t *seed)
{
    char                     buf[1024];
    uint32_t                 i, n;
    lr_manifest_t           *m;
    lr_manifest_file_t       file;
    lr_manifest_fragment_t   f;

    m = lr_manifest_create("k3-x", random_to(seed, LR_MANIFEST_PART_MAX + 1),
                           random_to(seed, 4) ? "live.example.com" : "a\"\\b",
                           "live", "cam_-1", any_up_to(seed, LR_TIME_MAX),
                           random_to(seed, 2) ? any_key(seed, buf) + 0 : NULL);
    assert_non_null(m);

    if (m->fragment_path && strlen(m->fragment_path) > 255) {
        m->fragment_path[1] = '\0';
    }

    m->closed = random_to(seed, 2);

    n = random_to(seed, 50) ? random_to(seed, 5) : LR_MANIFEST_SPANS;

    for (i = 0; i < n; i++) {
        assert_int_equal(lr_manifest_add_span(m,
                             any_up_to(seed, LR_TIME_MAX),
                             -any_up_to(seed, LR_TIME_MAX)), LR_OK);
    }

    n = random_to(seed, 4) ? random_to(seed, 5) : LR_MANIFEST_FRAGMENTS;

    for (i = 0; i < n; i++) {
        memset(&f, 0, sizeof(lr_manifest_fragment_t));

        f.seq = any_up_to(seed, LR_MANIFEST_COUNT_MAX);
        f.key = random_to(seed, 4) ? any_key(seed, buf) : NULL;
        f.wall = any_up_to(seed, LR_TIME_MAX);
        f.media = any_up_to(seed, LR_TIME_MAX);
        f.duration = any_up_to(seed, LR_MANIFEST_DURATION_MAX);
        f.bytes = any_up_to(seed, LR_MANIFEST_SIZE_MAX);
        f.cycle = any_up_to(seed, LR_MANIFEST_COUNT_MAX);
        f.discontinuity = random_to(seed, 2);
        f.independent = random_to(seed, 2);

        if (random_to(seed, 2)) {
            strcpy(f.video.codec, "hevc");
            f.video.width = random_to(seed, 1 << 30);
            f.video.height = UINT32_MAX;
        }

        if (random_to(seed, 2)) {
            strcpy(f.audio.codec, "mp4a.40.2-is-15");
            f.audio.rate = random_to(seed, 96001);
            f.audio.channels = random_to(seed, 9);
        }

        assert_int_equal(lr_manifest_add_fragment(m, &f), LR_OK);
    }

    n = random_to(seed, 50) ? random_to(seed, 5) : LR_MANIFEST_FILES;

    for (i = 0; i < n; i++) {
        file.format = (int) random_to(seed, LR_MANIFEST_FORMATS);
        file.cycle = any_up_to(seed, LR_MANIFEST_COUNT_MAX);
        file.key = any_key(seed, buf);
        file.end = any_up_to(seed, LR_TIME_MAX);
        file.start = random_to(seed, 2) ? file.end : file.end / 2;
        file.duration = any_up_to(seed, LR_MANIFEST_DURATION_MAX);
        file.bytes = any_up_to(seed, LR_MANIFEST_SIZE_MAX);
        assert_int_equal(lr_manifest_add_file(m, &file), LR_OK);
    }

    return m;
}


static void
same_string(const char *one, const char *two)
{
    assert_int_equal(one == NULL, two == NULL);

    if (one != NULL) {
        assert_string_equal(one, two);
    }
}


static void
same_manifest(const lr_manifest_t *one, const lr_manifest_t *two)
{
    size_t                         i;
    const lr_manifest_file_t      *f1, *f2;
    const lr_manifest_fragment_t  *a, *b;

    same_string(one->id, two->id);
    same_string(one->domain, two->domain);
    same_string(one->app, two->app);
    same_string(one->stream, two->stream);
    same_string(one->fragment_path, two->fragment_path);
    assert_true(one->started == two->started);
    assert_int_equal(one->part, two->part);
    assert_int_equal(one->closed, two->closed);
    assert_int_equal(one->nspans, two->nspans);
    assert_int_equal(one->nfragments, two->nfragments);
    assert_int_equal(one->nfiles, two->nfiles);

    for (i = 0; i < one->nspans; i++) {
        assert_true(one->spans[i].wall == two->spans[i].wall);
        assert_true(one->spans[i].media == two->spans[i].media);
    }

    for (i = 0; i < one->nfragments; i++) {
        a = &one->fragments[i];
        b = &two->fragments[i];

        same_string(a->key, b->key);
        assert_true(a->seq == b->seq);
        assert_true(a->wall == b->wall);
        assert_true(a->media == b->media);
        assert_true(a->duration == b->duration);
        assert_true(a->bytes == b->bytes);
        assert_true(a->cycle == b->cycle);
        assert_true(a->discontinuity == b->discontinuity);
        assert_true(a->independent == b->independent);
        assert_string_equal(a->video.codec, b->video.codec);
        assert_int_equal(a->video.width, b->video.width);
        assert_int_equal(a->video.height, b->video.height);
        assert_string_equal(a->audio.codec, b->audio.codec);
        assert_int_equal(a->audio.rate, b->audio.rate);
        assert_int_equal(a->audio.channels, b->audio.channels);
    }

    for (i = 0; i < one->nfiles; i++) {
        f1 = &one->files[i];
        f2 = &two->files[i];

        same_string(f1->key, f2->key);
        assert_int_equal(f1->format, f2->format);
        assert_true(f1->cycle == f2->cycle);
        assert_true(f1->start == f2->start);
        assert_true(f1->end == f2->end);
        assert_true(f1->duration == f2->duration);
        assert_true(f1->bytes == f2->bytes);
    }
}


static void
what_is_written_is_read(void **state)
{
    int             i;
    char            err[LR_MANIFEST_ERR];
    lr_buf_t        one, two;
    uint64_t        seed;
    lr_manifest_t  *m, *back;

    (void) state;

    memset(&one, 0, sizeof(lr_buf_t));
    memset(&two, 0, sizeof(lr_buf_t));
    seed = 1;

    for (i = 0; i < 1000; i++) {
        m = any_manifest(&seed);
        one.len = 0;
        two.len = 0;
        err[0] = '\0';

        lr_manifest_check(m, err, sizeof(err));
        assert_string_equal(err, "");
        assert_int_equal(lr_manifest_write(m, &one), LR_OK);

        lr_manifest_read(one.data, one.len, &back, err, sizeof(err));
        assert_string_equal(err, "");
        assert_non_null(back);

        same_manifest(m, back);

        assert_int_equal(lr_manifest_write(back, &two), LR_OK);
        assert_int_equal(one.len, two.len);
        assert_memory_equal(one.data, two.data, one.len);

        lr_manifest_free(m);
        lr_manifest_free(back);
    }

    lr_buf_free(&one);
    lr_buf_free(&two);
}


#define HEAD    "{\"version\":1,\"id\":\"k\",\"part\":0,\"domain\":\"\","     \
                "\"app\":\"a\",\"stream\":\"s\",\"started\":5,"
#define SPANS   "\"spans\":[{\"wall\":5,\"media\":0}],"
#define FILES   "\"files\":[{\"format\":\"flv\",\"cycle\":0,\"key\":\"k\","   \
                "\"start\":1,\"end\":2,\"duration\":1,\"bytes\":1}]}"
#define FRAG(seq, more)                                                       \
                "{\"seq\":" seq ",\"wall\":5,\"media\":0,\"duration\":1,"     \
                "\"bytes\":1,\"cycle\":0,\"discontinuity\":false,"            \
                "\"independent\":true" more "}"
#define FRAGS(list)                                                           \
                HEAD "\"closed\":false," SPANS "\"fragments\":[" list "],"    \
                FILES


static void
reads(const char *text, int rc, const char *expected)
{
    char            err[LR_MANIFEST_ERR];
    lr_manifest_t  *m;

    err[0] = '\0';
    m = (lr_manifest_t *) -1;

    if (lr_manifest_read((const u_char *) text, strlen(text), &m, err,
                         sizeof(err))
        != rc)
    {
        fail_msg("%s: \"%s\"", text, err);
    }

    if (rc == LR_OK) {
        assert_string_equal(err, "");
        assert_non_null(m);
        lr_manifest_free(m);
        return;
    }

    assert_null(m);

    if (strstr(err, expected) == NULL) {
        fail_msg("%s: \"%s\"", text, err);
    }
}


static void
unknown_members_are_skipped(void **state)
{
    (void) state;

    reads(FRAGS(FRAG("0", "")), LR_OK, NULL);
    reads(FRAGS(FRAG("0", ",\"later\":[{\"x\":[1.5,null]}]")), LR_OK, NULL);
    reads(HEAD "\"closed\":true,\"later\":{\"a\":{\"b\":[]}}," SPANS
          "\"fragments\":[]," FILES, LR_OK, NULL);
}


static void
later_versions_are_declined(void **state)
{
    (void) state;

    reads("{\"version\":2}", LR_DECLINED, "is of format version 2, known are "
          "versions up to 1");
    reads("{\"version\":0}", LR_ERROR, "\"version\" is out of range");
    reads("{\"version\":-1}", LR_ERROR, "\"version\" is out of range");
    reads("{\"version\":\"1\"}", LR_ERROR, "\"version\" is not an integer");
    reads("{\"version\":1.0}", LR_ERROR, "\"version\" is not an integer");
    reads("{}", LR_ERROR, "\"version\" is not an integer");
}


static void
what_is_no_manifest_is_refused(void **state)
{
    (void) state;

    reads("", LR_ERROR, "is not JSON");
    reads("[]", LR_ERROR, "is not a JSON object");
    reads("nonsense", LR_ERROR, "is not JSON, line 1");
    reads(FRAGS("") "x", LR_ERROR, "is not JSON");
    reads("{\"version\":1,\"version\":1}", LR_ERROR, "is not JSON");
    reads("{\"version\":99999999999999999999}", LR_ERROR, "is not JSON");
    reads("{\"version\":1,\"a\":\"\\u0000\"}", LR_ERROR, "is not JSON");
    reads("{\"version\":1,\"a\":\"\xff\"}", LR_ERROR, "is not JSON");

    reads("{\"version\":1}", LR_ERROR, "\"id\" is not a string");
    reads("{\"version\":1,\"id\":\"k\"}", LR_ERROR,
          "\"part\" is not an integer");
    reads(HEAD "\"closed\":0}", LR_ERROR,
          "\"closed\" is neither true nor false");
    reads(HEAD "\"closed\":true}", LR_ERROR, "\"spans\" is not an array");
    reads(HEAD "\"closed\":true,\"spans\":[5]}", LR_ERROR,
          "\"spans[0].wall\" is not an integer");
    reads(HEAD "\"closed\":true," SPANS "\"fragments\":{}}", LR_ERROR,
          "\"fragments\" is not an array");
    reads(HEAD "\"closed\":true," SPANS "\"fragments\":[]}", LR_ERROR,
          "\"files\" is not an array");
    reads(HEAD "\"closed\":true,\"fragment_path\":null,", LR_ERROR,
          "is not JSON");
    reads(HEAD "\"closed\":true,\"fragment_path\":null}", LR_ERROR,
          "\"fragment_path\" is not a string");
    reads(HEAD "\"closed\":true," SPANS "\"fragments\":[],\"files\":["
          "{\"format\":\"avi\",\"cycle\":0,\"key\":\"k\",\"start\":1,"
          "\"end\":2,\"duration\":1,\"bytes\":1}]}", LR_ERROR,
          "\"files[0].format\" is out of range");

    reads(FRAGS("7"), LR_ERROR, "\"fragments[0].seq\" is not an integer");
    reads(FRAGS(FRAG("0", "") "," FRAG("0", "")), LR_ERROR,
          "\"fragments[1].seq\" is out of order");
    reads(FRAGS(FRAG("1", "") "," FRAG("0", "")), LR_ERROR,
          "\"fragments[1].seq\" is out of order");
    reads(FRAGS(FRAG("-1", "")), LR_ERROR,
          "\"fragments[0].seq\" is out of range");
    reads(FRAGS(FRAG("0", ",\"key\":null")), LR_ERROR,
          "\"fragments[0].key\" is not a string");
    reads(FRAGS(FRAG("0", ",\"key\":\"../../etc/passwd\"")), LR_ERROR,
          "\"fragments[0].key\" is out of range");
    reads(FRAGS(FRAG("0", ",\"key\":\"a\\nb\"")), LR_ERROR,
          "\"fragments[0].key\" is out of range");
    reads(FRAGS(FRAG("0", ",\"video\":7")), LR_ERROR,
          "\"fragments[0].video\" is not an object");
    reads(FRAGS(FRAG("0", ",\"video\":{\"codec\":\"\",\"width\":1,"
                          "\"height\":1}")), LR_ERROR,
          "\"fragments[0].codec\" is out of range");
    reads(FRAGS(FRAG("0", ",\"video\":{\"codec\":\"1234567890123456\","
                          "\"width\":1,\"height\":1}")), LR_ERROR,
          "\"fragments[0].codec\" is out of range");
    reads(FRAGS(FRAG("0", ",\"audio\":{\"codec\":\"aac\",\"rate\":-1,"
                          "\"channels\":1}")), LR_ERROR,
          "\"fragments[0].rate\" is out of range");
    reads(FRAGS(FRAG("0", ",\"audio\":{\"codec\":\"aac\",\"rate\":1,"
                          "\"channels\":4294967296}")), LR_ERROR,
          "\"fragments[0].channels\" is out of range");
}


static void
what_is_too_much_is_refused(void **state)
{
    char            err[LR_MANIFEST_ERR];
    size_t          i;
    lr_buf_t        b;
    lr_manifest_t  *m;

    (void) state;

    memset(&b, 0, sizeof(lr_buf_t));

    /* nesting that is no nesting, as it is in a string */

    reads(HEAD "\"closed\":true,\"x\":\"[[[[[\\\"[[[[[[[[[[[[[[[[[\","
          SPANS "\"fragments\":[]," FILES, LR_OK, NULL);

    reads(HEAD "\"closed\":true,\"x\":[[[[[[[[[[[[]]]]]]]]]]]]," SPANS
          "\"fragments\":[]," FILES, LR_ERROR, "too deep");

    for (i = 0; i < 100000; i++) {
        lr_buf_puts(&b, "[");
    }

    assert_int_equal(lr_manifest_read(b.data, b.len, &m, err, sizeof(err)),
                     LR_ERROR);
    assert_string_equal(err, "holds too many values or too deep ones");

    b.len = 0;
    lr_buf_puts(&b, HEAD "\"closed\":true," SPANS "\"fragments\":[");

    for (i = 0; i < LR_MANIFEST_FRAGMENTS + 1; i++) {
        lr_buf_printf(&b, "%s" FRAG("%d", ""), i ? "," : "", (int) i);
    }

    lr_buf_puts(&b, "]," FILES);
    lr_buf_append(&b, "", 1);
    reads((char *) b.data, LR_ERROR, "\"fragments\" holds too much");

    b.len = 0;
    lr_buf_puts(&b, "[0");

    for (i = 0; i < LR_MANIFEST_VALUES; i++) {
        lr_buf_puts(&b, ",0");
    }

    lr_buf_append(&b, "]", 2);
    reads((char *) b.data, LR_ERROR, "too many values");

    b.len = 0;
    lr_buf_puts(&b, "\"");

    for (i = 0; i < LR_MANIFEST_BYTES / 16; i++) {
        lr_buf_puts(&b, "0123456789abcdef");
    }

    lr_buf_append(&b, "\"", 2);
    reads((char *) b.data, LR_ERROR, "is larger than 4194304 bytes");

    lr_buf_free(&b);
}


/* every cut and every changed byte: an answer, and no fault */

static void
damage_is_survived(void **state)
{
    char            err[LR_MANIFEST_ERR];
    size_t          i, j;
    u_char          saved, *copy;
    lr_buf_t        b;
    uint64_t        seed;
    lr_manifest_t  *m, *back;

    (void) state;

    memset(&b, 0, sizeof(lr_buf_t));
    seed = 77;

    do {
        m = any_manifest(&seed);
        b.len = 0;
        assert_int_equal(lr_manifest_write(m, &b), LR_OK);
        i = (m->nfragments == 2 && m->nfiles == 1);
        lr_manifest_free(m);
    } while (i == 0);

    for (i = 0; i < b.len; i++) {
        copy = malloc(i ? i : 1);
        assert_non_null(copy);
        memcpy(copy, b.data, i);

        /* only the line feed at the end may be missing */

        assert_int_equal(lr_manifest_read(copy, i, &back, err, sizeof(err)),
                         i + 1 == b.len ? LR_OK : LR_ERROR);
        lr_manifest_free(back);
        free(copy);
    }

    for (i = 0; i < b.len; i++) {
        saved = b.data[i];

        for (j = 0; j < 8; j++) {
            b.data[i] = saved ^ (u_char) (1 << j);
            lr_manifest_read(b.data, b.len, &back, err, sizeof(err));
            lr_manifest_free(back);
        }

        b.data[i] = saved;
    }

    lr_buf_free(&b);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(unknown_members_are_skipped),
        cmocka_unit_test(later_versions_are_declined),
        cmocka_unit_test(what_is_no_manifest_is_refused),
        cmocka_unit_test(what_is_too_much_is_refused),
        cmocka_unit_test(damage_is_survived)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
