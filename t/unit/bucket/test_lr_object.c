
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include "../../../bucket/lr_object.c"


static char  err[LR_OBJECT_ERR_LEN];


/* all that can be set */

static void
fill(lr_object_t *o, lr_object_store_e store)
{
    memset(o, 0, sizeof(lr_object_t));

    o->storage_class = store == LR_OBJECT_OSS ? "Archive" : "GLACIER_IR";
    o->acl = "public-read";
    o->encryption = "KMS";
    o->key_id = "key-1";

    assert_int_equal(lr_object_tag(o, "team=live & co", err), LR_ERROR);
    assert_int_equal(lr_object_tag(o, "team=a b", err), LR_OK);
    assert_int_equal(lr_object_tag(o, "x/y=1=2", err), LR_OK);
    assert_int_equal(lr_object_meta(o, "Show", "News at 8", err), LR_OK);
    assert_int_equal(lr_object_cache(o, "media", "max-age=60", err), LR_OK);
    assert_int_equal(lr_object_check(o, store, err), LR_OK);
}


/* the headers as a text */

static const char *
headers(const lr_object_t *o, lr_object_store_e store, lr_object_op_e op,
    lr_object_kind_e kind)
{
    size_t       i, n;
    lr_header_t  h[LR_OBJECT_HEADERS];

    static char  text[4096];

    text[0] = '\0';
    n = lr_object_headers(o, store, op, kind, h);

    assert_true(n <= LR_OBJECT_HEADERS);

    for (i = 0; i < n; i++) {
        strcat(text, h[i].name);
        strcat(text, ": ");
        strcat(text, h[i].value);
        strcat(text, "\n");
    }

    return text;
}


#define OSS_ACL    "x-oss-object-acl: public-read\n"
#define OSS_CLASS  "x-oss-storage-class: Archive\n"
#define OSS_SSE    "x-oss-server-side-encryption: KMS\n"                     \
                   "x-oss-server-side-encryption-key-id: key-1\n"
#define OSS_TAGS   "x-oss-tagging: team=a%20b&x%2Fy=1%3D2\n"
#define OSS_META   "x-oss-meta-show: News at 8\n"

#define S3_ACL     "x-amz-acl: public-read\n"
#define S3_CLASS   "x-amz-storage-class: GLACIER_IR\n"
#define S3_SSE     "x-amz-server-side-encryption: aws:kms\n"                 \
                   "x-amz-server-side-encryption-aws-kms-key-id: key-1\n"
#define S3_TAGS    "x-amz-tagging: team=a%20b&x%2Fy=1%3D2\n"
#define S3_META    "x-amz-meta-show: News at 8\n"

#define MEDIA      "Cache-Control: max-age=60\n"
#define NO_CACHE   "Cache-Control: no-cache\n"


static void
test_oss(void **state)
{
    lr_object_t  o;

    (void) state;

    fill(&o, LR_OBJECT_OSS);

    assert_string_equal(headers(&o, LR_OBJECT_OSS, LR_OBJECT_PUT,
                                LR_OBJECT_MEDIA),
                        OSS_ACL OSS_CLASS OSS_SSE OSS_TAGS MEDIA OSS_META);
    assert_string_equal(headers(&o, LR_OBJECT_OSS, LR_OBJECT_PUT,
                                LR_OBJECT_PLAYLIST),
                        OSS_ACL OSS_SSE OSS_TAGS OSS_META);
    assert_string_equal(headers(&o, LR_OBJECT_OSS, LR_OBJECT_PUT,
                                LR_OBJECT_INDEX),
                        OSS_ACL OSS_SSE OSS_TAGS NO_CACHE OSS_META);
    assert_string_equal(headers(&o, LR_OBJECT_OSS, LR_OBJECT_PUT,
                                LR_OBJECT_MANIFEST),
                        OSS_ACL OSS_SSE OSS_TAGS NO_CACHE OSS_META);
    assert_string_equal(headers(&o, LR_OBJECT_OSS, LR_OBJECT_INITIATE,
                                LR_OBJECT_MEDIA),
                        OSS_CLASS OSS_SSE OSS_TAGS MEDIA OSS_META);
    assert_string_equal(headers(&o, LR_OBJECT_OSS, LR_OBJECT_WORK,
                                LR_OBJECT_MEDIA),
                        OSS_SSE OSS_TAGS MEDIA OSS_META);
    assert_string_equal(headers(&o, LR_OBJECT_OSS, LR_OBJECT_COMPLETE,
                                LR_OBJECT_MEDIA), OSS_ACL);
    assert_string_equal(headers(&o, LR_OBJECT_OSS, LR_OBJECT_COPY,
                                LR_OBJECT_MEDIA),
                        OSS_ACL OSS_CLASS OSS_SSE OSS_TAGS
                        "x-oss-tagging-directive: Replace\n");

    lr_object_free(&o);

    assert_int_equal(o.ntags, 0);
}


static void
test_s3(void **state)
{
    lr_object_t  o;

    (void) state;

    fill(&o, LR_OBJECT_S3);

    assert_string_equal(headers(&o, LR_OBJECT_S3, LR_OBJECT_PUT,
                                LR_OBJECT_MEDIA),
                        S3_ACL S3_CLASS S3_SSE S3_TAGS MEDIA S3_META);
    assert_string_equal(headers(&o, LR_OBJECT_S3, LR_OBJECT_INITIATE,
                                LR_OBJECT_MEDIA),
                        S3_ACL S3_CLASS S3_SSE S3_TAGS MEDIA S3_META);
    assert_string_equal(headers(&o, LR_OBJECT_S3, LR_OBJECT_WORK,
                                LR_OBJECT_MEDIA),
                        S3_ACL S3_SSE S3_TAGS MEDIA S3_META);
    assert_string_equal(headers(&o, LR_OBJECT_S3, LR_OBJECT_COMPLETE,
                                LR_OBJECT_MEDIA), "");
    assert_string_equal(headers(&o, LR_OBJECT_S3, LR_OBJECT_COPY,
                                LR_OBJECT_MEDIA),
                        S3_ACL S3_CLASS S3_SSE S3_TAGS
                        "x-amz-tagging-directive: REPLACE\n" MEDIA S3_META);

    lr_object_free(&o);
}


/* what was not set is not told */

static void
test_defaults(void **state)
{
    lr_object_t  o;

    (void) state;

    memset(&o, 0, sizeof(lr_object_t));

    assert_int_equal(lr_object_check(&o, LR_OBJECT_S3, err), LR_OK);

    assert_string_equal(headers(&o, LR_OBJECT_S3, LR_OBJECT_PUT,
                                LR_OBJECT_MEDIA), "");
    assert_string_equal(headers(&o, LR_OBJECT_S3, LR_OBJECT_COPY,
                                LR_OBJECT_MEDIA), "");
    assert_string_equal(headers(&o, LR_OBJECT_S3, LR_OBJECT_PUT,
                                LR_OBJECT_INDEX), NO_CACHE);

    lr_object_free(&o);

    assert_int_equal(lr_object_cache(&o, "index", "off", err), LR_OK);
    assert_int_equal(lr_object_check(&o, LR_OBJECT_OSS, err), LR_OK);
    assert_string_equal(headers(&o, LR_OBJECT_OSS, LR_OBJECT_PUT,
                                LR_OBJECT_INDEX), "");

    lr_object_free(&o);
}


static void
test_most(void **state)
{
    char         name[8], value[64];
    size_t       i;
    lr_object_t  o;
    lr_header_t  h[LR_OBJECT_HEADERS];

    (void) state;

    fill(&o, LR_OBJECT_S3);

    /* values have to stay */

    memset(value, 'v', sizeof(value) - 1);
    value[63] = '\0';

    for (i = o.nmeta; i < LR_OBJECT_META; i++) {
        (void) snprintf(name, sizeof(name), "n%u", (unsigned) i);
        assert_int_equal(lr_object_meta(&o, name, value + 10, err), LR_OK);
    }

    assert_int_equal(lr_object_meta(&o, "more", "1", err), LR_ERROR);
    assert_non_null(strstr(err, "\"metadata\" \"more\" is too much"));

    assert_int_equal(lr_object_headers(&o, LR_OBJECT_S3, LR_OBJECT_COPY,
                                       LR_OBJECT_MEDIA, h),
                     LR_OBJECT_HEADERS);

    lr_object_free(&o);
}


static void
test_tags(void **state)
{
    char         tag[LR_OBJECT_TAG_KEY + LR_OBJECT_TAG_LEN + 3], *p;
    size_t       i;
    lr_object_t  o;

    static const char *const  bad[] = {
        "", "=", "=b", "a", "a&=b", "a=b&", "a=\n", "a=\xc3\xa4", NULL
    };

    (void) state;

    memset(&o, 0, sizeof(lr_object_t));

    for (i = 0; bad[i] != NULL; i++) {
        assert_int_equal(lr_object_tag(&o, bad[i], err), LR_ERROR);
        assert_non_null(strstr(err, "of \"tagging\", it must be KEY=VALUE"));
    }

    /* the longest key and value, and one more byte of either */

    memset(tag, 'a', sizeof(tag));
    tag[LR_OBJECT_TAG_KEY] = '=';
    p = tag + LR_OBJECT_TAG_KEY + 1 + LR_OBJECT_TAG_LEN;
    p[0] = 'a';
    p[1] = '\0';
    assert_int_equal(lr_object_tag(&o, tag, err), LR_ERROR);
    p[0] = '\0';
    assert_int_equal(lr_object_tag(&o, tag, err), LR_OK);

    memset(tag, 'b', sizeof(tag));
    tag[LR_OBJECT_TAG_KEY + 1] = '=';
    tag[LR_OBJECT_TAG_KEY + 2] = '\0';
    assert_int_equal(lr_object_tag(&o, tag, err), LR_ERROR);

    /* one key is the begin of another */

    assert_int_equal(lr_object_tag(&o, "ab=", err), LR_OK);
    assert_int_equal(lr_object_tag(&o, "a=b", err), LR_OK);
    assert_int_equal(lr_object_tag(&o, "b=ab", err), LR_OK);
    assert_int_equal(lr_object_tag(&o, "c=x@y", err), LR_OK);

    assert_int_equal(lr_object_check(&o, LR_OBJECT_S3, err), LR_OK);
    assert_int_equal(lr_object_check(&o, LR_OBJECT_OSS, err), LR_ERROR);
    assert_non_null(strstr(err, "\"@\""));

    assert_int_equal(lr_object_tag(&o, "a=", err), LR_ERROR);
    assert_non_null(strstr(err, "two tags of the key"));

    lr_object_free(&o);

    for (i = 0; i < LR_OBJECT_TAGS; i++) {
        (void) snprintf(tag, sizeof(tag), "k%u=v", (unsigned) i);
        assert_int_equal(lr_object_tag(&o, tag, err), LR_OK);
    }

    assert_int_equal(lr_object_tag(&o, "more=1", err), LR_ERROR);
    assert_non_null(strstr(err, "more than 10 tags"));

    lr_object_free(&o);
}


static void
test_metadata(void **state)
{
    char         big[LR_OBJECT_VALUE + 2];
    size_t       i;
    lr_object_t  o;

    static const char *const  names[] = {
        "", "a_b", "a b", "a:b", "\xc3\xa4", NULL
    };
    static const char *const  values[] = {
        "", " a", "a ", "a\nb", "a\x7f", "\xc3\xa4", NULL
    };

    (void) state;

    memset(&o, 0, sizeof(lr_object_t));

    for (i = 0; names[i] != NULL; i++) {
        assert_int_equal(lr_object_meta(&o, names[i], "v", err), LR_ERROR);
        assert_non_null(strstr(err, "invalid name"));
    }

    for (i = 0; values[i] != NULL; i++) {
        assert_int_equal(lr_object_meta(&o, "n", values[i], err), LR_ERROR);
        assert_non_null(strstr(err, "invalid value"));
    }

    assert_int_equal(lr_object_meta(&o, "Live-Record-ID", "v", err),
                     LR_ERROR);
    assert_non_null(strstr(err, "are the module's own"));

    assert_int_equal(lr_object_meta(&o, "a", "1", err), LR_OK);
    assert_int_equal(lr_object_meta(&o, "A", "2", err), LR_ERROR);
    assert_non_null(strstr(err, "duplicate \"metadata\" \"A\""));

    lr_object_free(&o);

    memset(big, 'x', sizeof(big));
    big[LR_OBJECT_VALUE + 1] = '\0';
    assert_int_equal(lr_object_meta(&o, "a", big, err), LR_ERROR);
    big[LR_OBJECT_VALUE] = '\0';

    for (i = 0; i < 3; i++) {
        (void) snprintf(err, sizeof(err), "n%u", (unsigned) i);
        assert_int_equal(lr_object_meta(&o, err, big, err), LR_OK);
    }

    assert_int_equal(lr_object_meta(&o, "n3", big, err), LR_ERROR);
    assert_non_null(strstr(err, "1024 bytes in all"));

    lr_object_free(&o);
}


static void
test_check(void **state)
{
    lr_object_t  o;

    (void) state;

    memset(&o, 0, sizeof(lr_object_t));

    o.storage_class = "STANDARD_IA";
    assert_int_equal(lr_object_check(&o, LR_OBJECT_S3, err), LR_OK);
    assert_int_equal(lr_object_check(&o, LR_OBJECT_OSS, err), LR_ERROR);
    assert_string_equal(err, "invalid value \"STANDARD_IA\" of "
                        "\"storage_class\", it must be \"Standard\", \"IA\", "
                        "\"Archive\", \"ColdArchive\" or "
                        "\"DeepColdArchive\"");

    o.storage_class = "a b";
    assert_int_equal(lr_object_check(&o, LR_OBJECT_S3, err), LR_ERROR);
    o.storage_class = "";
    assert_int_equal(lr_object_check(&o, LR_OBJECT_S3, err), LR_ERROR);
    o.storage_class = NULL;

    o.acl = "default";
    assert_int_equal(lr_object_check(&o, LR_OBJECT_OSS, err), LR_OK);
    assert_int_equal(lr_object_check(&o, LR_OBJECT_S3, err), LR_ERROR);
    assert_non_null(strstr(err, "\"bucket-owner-full-control\""));
    o.acl = NULL;

    o.encryption = "SM4";
    assert_int_equal(lr_object_check(&o, LR_OBJECT_OSS, err), LR_OK);
    assert_int_equal(lr_object_check(&o, LR_OBJECT_S3, err), LR_ERROR);
    assert_non_null(strstr(err, "\"AES256\" or \"KMS\""));

    o.key_id = "k";
    assert_int_equal(lr_object_check(&o, LR_OBJECT_OSS, err), LR_ERROR);
    o.encryption = "KMS";
    assert_int_equal(lr_object_check(&o, LR_OBJECT_OSS, err), LR_OK);
    o.key_id = "a b";
    assert_int_equal(lr_object_check(&o, LR_OBJECT_OSS, err), LR_ERROR);
    assert_non_null(strstr(err, "only \"KMS\" takes the id of a key"));

    assert_int_equal(lr_object_cache(&o, "video", "x", err), LR_ERROR);
    assert_non_null(strstr(err, "\"media\", \"playlist\", \"index\" or "
                           "\"manifest\""));
    assert_int_equal(lr_object_cache(&o, "media", "a\nb", err), LR_ERROR);
    assert_int_equal(lr_object_cache(&o, "media", "off", err), LR_OK);
    assert_int_equal(lr_object_cache(&o, "media", "x", err), LR_ERROR);
    assert_non_null(strstr(err, "duplicate"));

    lr_object_free(&o);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_oss),
        cmocka_unit_test(test_s3),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_most),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_metadata),
        cmocka_unit_test(test_check),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
