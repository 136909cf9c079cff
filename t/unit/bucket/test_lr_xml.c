
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include "../../../bucket/lr_xml.c"


#define HEAD  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"


static int
error(lr_xml_error_t *e, const char *s)
{
    return lr_xml_error(e, s, strlen(s));
}


static void
test_error(void **state)
{
    lr_xml_error_t  e;

    (void) state;

    assert_int_equal(error(&e, HEAD
        "<Error>\n  <Code>SignatureDoesNotMatch</Code>\n"
        "  <Message>The request &lt;signature&gt;\nwe \xc3\xa4</Message>\n"
        "  <RequestId>5D0</RequestId><HostId>h</HostId>\n"
        "  <StringToSign>PUT\n\n</StringToSign><EC>0002-00000040</EC>\n"
        "</Error>"), LR_OK);
    assert_string_equal(e.code, "SignatureDoesNotMatch");
    assert_string_equal(e.message, "The request <signature>?we ??");
    assert_string_equal(e.request_id, "5D0");
    assert_string_equal(e.ec, "0002-00000040");

    /* wrapped, with a namespace, cut off, without all but the code */

    assert_int_equal(error(&e, "<r xmlns:o='u'><o:Error><o:Code>A</o:Code>"
                           "</o:Error></r>"), LR_OK);
    assert_string_equal(e.code, "A");
    assert_int_equal(error(&e, "<Error><Code>B</Code><Message>C"), LR_OK);
    assert_string_equal(e.code, "B");
    assert_string_equal(e.message, "");

    assert_int_equal(error(&e, ""), LR_DECLINED);
    assert_int_equal(error(&e, "oops"), LR_DECLINED);
    assert_int_equal(error(&e, "<html><body>502</body></html>"), LR_DECLINED);
    assert_int_equal(error(&e, "<Error><Cod"), LR_DECLINED);
    assert_int_equal(error(&e, "<Error/>"), LR_DECLINED);
    assert_int_equal(error(&e, "<Error><Code></Code></Error>"), LR_DECLINED);
    assert_int_equal(error(&e, "<Error><x><Code>A</Code></x></Error>"),
                     LR_DECLINED);
    assert_int_equal(error(&e, "<Foo><Code>A</Code></Foo>"), LR_DECLINED);
}


static void
test_hostile(void **state)
{
    char            *p;
    size_t           i;
    lr_buf_t         b = { 0 };
    lr_xml_list_t    l;
    lr_xml_error_t   e;

    (void) state;

    assert_int_equal(error(&e, "<!DOCTYPE Error [<!ENTITY a \"b\">]>"
                           "<Error><Code>&a;</Code></Error>"), LR_DECLINED);
    assert_int_equal(error(&e, "<!DOCTYPE Error SYSTEM \"file:///etc/passwd\">"
                           "<Error><Code>A</Code></Error>"), LR_DECLINED);

    /* too deep, too long */

    for (i = 0; i < 100000; i++) {
        lr_buf_puts(&b, "<a>");
    }

    assert_int_equal(lr_xml_error(&e, (char *) b.data, b.len), LR_DECLINED);

    b.len = 0;
    lr_buf_puts(&b, "<Error><Code>");

    for (i = 0; i < 20000; i++) {
        lr_buf_puts(&b, "A");
    }

    lr_buf_puts(&b, "</Code><EC>1</EC></Error>");
    assert_int_equal(lr_xml_error(&e, (char *) b.data, b.len), LR_OK);
    assert_int_equal(strlen(e.code), sizeof(e.code) - 1);
    assert_string_equal(e.ec, "1");

    /* what makes work, where no store says so much, is left out */

    b.len = 0;
    lr_buf_puts(&b, "<Error>");

    for (i = 0; i < 100000; i++) {
        lr_buf_puts(&b, "<a></a>");
    }

    lr_buf_puts(&b, "<Code>A</Code></Error>");
    assert_int_equal(lr_xml_error(&e, (char *) b.data, b.len), LR_DECLINED);

    b.len = 0;
    lr_buf_puts(&b, "<Error><Code>A</Code>");

    for (i = 0; i < 100000; i++) {
        lr_buf_puts(&b, "<a></a>");
    }

    assert_int_equal(lr_xml_error(&e, (char *) b.data, b.len), LR_OK);
    assert_string_equal(e.code, "A");

    /* a key that was cut would be another key */

    b.len = 0;
    lr_buf_puts(&b, "<ListBucketResult><Contents><Key>");

    for (i = 0; i < 8193; i++) {
        lr_buf_puts(&b, "A");
    }

    lr_buf_puts(&b, "</Key></Contents></ListBucketResult>");
    assert_int_equal(lr_xml_list(&l, (char *) b.data, b.len), LR_DECLINED);
    lr_xml_list_free(&l);

    p = malloc(LR_XML_MAX_SIZE + 1);
    memset(p, ' ', LR_XML_MAX_SIZE + 1);
    memcpy(p, "<Error><Code>A</Code></Error>", 29);
    assert_int_equal(lr_xml_error(&e, p, LR_XML_MAX_SIZE + 1), LR_DECLINED);
    assert_int_equal(lr_xml_error(&e, p, LR_XML_MAX_SIZE), LR_OK);
    free(p);

    lr_buf_free(&b);
}


static int
list(lr_xml_list_t *l, const char *s)
{
    return lr_xml_list(l, s, strlen(s));
}


static void
test_list(void **state)
{
    size_t         i;
    lr_buf_t       b = { 0 };
    lr_xml_list_t  l;

    (void) state;

    assert_int_equal(list(&l, HEAD
        "<ListBucketResult xmlns=\"http://doc.oss-cn-hangzhou.aliyuncs.com\">"
        "<Name>b</Name><Prefix>a%2F</Prefix><MaxKeys>2</MaxKeys>"
        "<IsTruncated>true</IsTruncated>"
        "<Contents><Key>a%2Fb+c%2B</Key><Type>Normal</Type>"
        "<Size>1099511627776</Size><ETag>\"5B3C1A2E\"</ETag>"
        "<Owner><ID>1</ID><DisplayName>Key</DisplayName></Owner></Contents>"
        "<Contents><Key>x</Key><Size>0</Size></Contents>"
        "<CommonPrefixes><Prefix>p</Prefix></CommonPrefixes>"
        "<NextContinuationToken>CgJi%2Bw--</NextContinuationToken>"
        "<EncodingType>url</EncodingType><KeyCount>2</KeyCount>"
        "</ListBucketResult>"), LR_OK);
    assert_int_equal(l.n, 2);
    assert_int_equal(l.truncated, 1);
    assert_string_equal(l.next, "CgJi+w--");
    assert_string_equal(l.objects[0].key, "a/b c+");
    assert_true(l.objects[0].size == 1099511627776ull);
    assert_string_equal(l.objects[0].etag, "5B3C1A2E");
    assert_string_equal(l.objects[1].key, "x");
    assert_null(l.objects[1].etag);
    lr_xml_list_free(&l);

    /* nothing is decoded that is not encoded */

    assert_int_equal(list(&l, "<ListBucketResult><Contents><Key>a%2F&amp;+"
                          "</Key></Contents><IsTruncated>false</IsTruncated>"
                          "</ListBucketResult>"), LR_OK);
    assert_string_equal(l.objects[0].key, "a%2F&+");
    assert_int_equal(l.truncated, 0);
    assert_null(l.next);
    lr_xml_list_free(&l);

    assert_int_equal(list(&l, "<ListBucketResult/>"), LR_OK);
    assert_int_equal(l.n, 0);
    lr_xml_list_free(&l);

    lr_buf_puts(&b, "<ListBucketResult>");

    for (i = 0; i < 1000; i++) {
        lr_buf_printf(&b, "<Contents><Key>k%03u</Key><Size>%u</Size>"
                      "</Contents>", (unsigned) i, (unsigned) i);
    }

    lr_buf_puts(&b, "</ListBucketResult>");
    assert_int_equal(lr_xml_list(&l, (char *) b.data, b.len), LR_OK);
    assert_int_equal(l.n, 1000);
    assert_string_equal(l.objects[999].key, "k999");
    assert_true(l.objects[999].size == 999);
    lr_xml_list_free(&l);
    lr_buf_free(&b);
}


static void
test_list_bad(void **state)
{
    size_t                    i;
    lr_xml_list_t             l;

    static const char *const  wrong[] = {
        "", "x", "<Error><Code>A</Code></Error>",
        "<ListBucketResult><Contents><Key>a</Key></Contents>",
        "<ListBucketResult><Contents/></ListBucketResult>",
        "<ListBucketResult><Contents><Size>1</Size></Contents>"
            "</ListBucketResult>",
        "<ListBucketResult><Contents><Key></Key></Contents>"
            "</ListBucketResult>",
        "<ListBucketResult><Contents><Key>a</Key><Size>-1</Size></Contents>"
            "</ListBucketResult>",
        "<ListBucketResult><IsTruncated>true</IsTruncated>"
            "</ListBucketResult>",
        "<ListBucketResult><EncodingType>url</EncodingType>"
            "<Contents><Key>%zz</Key></Contents></ListBucketResult>",
        "<ListBucketResult><EncodingType>url</EncodingType>"
            "<Contents><Key>a%00b</Key></Contents></ListBucketResult>",
        "<x><ListBucketResult/></x>"
    };

    static const char         nested[] =
        "<ListBucketResult><x><Contents><Key>a</Key></Contents></x>"
        "<Contents><Key>b</Key><Owner><Contents><Key>c</Key></Contents>"
        "</Owner></Contents></ListBucketResult>";

    (void) state;

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (list(&l, wrong[i]) != LR_DECLINED) {
            fail_msg("%s was taken", wrong[i]);
        }

        lr_xml_list_free(&l);
    }

    assert_int_equal(list(&l, nested), LR_OK);
    assert_int_equal(l.n, 1);
    assert_string_equal(l.objects[0].key, "b");
    lr_xml_list_free(&l);
}


static int
uploads(lr_xml_uploads_t *l, const char *s)
{
    return lr_xml_uploads(l, s, strlen(s));
}


static void
test_uploads(void **state)
{
    size_t            i;
    lr_buf_t          b = { 0 };
    lr_xml_uploads_t  l;

    (void) state;

    assert_int_equal(uploads(&l, HEAD
        "<ListMultipartUploadsResult xmlns=\"http://doc.oss.com\">"
        "<EncodingType>url</EncodingType><Bucket>b</Bucket>"
        "<KeyMarker></KeyMarker><UploadIdMarker></UploadIdMarker>"
        "<NextKeyMarker>a%2Fb+c</NextKeyMarker>"
        "<NextUploadIdMarker>0004B99B8E707874FC2D692FA5D77D3F"
        "</NextUploadIdMarker><MaxUploads>2</MaxUploads>"
        "<IsTruncated>true</IsTruncated>"
        "<Upload><Key>a%2Fb%2B</Key><UploadId>0004B999EF5A239BB9138C6227</"
        "UploadId><StorageClass>Standard</StorageClass>"
        "<Initiated>2012-02-23T04:18:23.000Z</Initiated></Upload>"
        "<Upload><Key>a%2Fb+c</Key><UploadId>%2B1</UploadId></Upload>"
        "<CommonPrefixes><Prefix>p</Prefix></CommonPrefixes>"
        "</ListMultipartUploadsResult>"), LR_OK);
    assert_int_equal(l.n, 2);
    assert_int_equal(l.truncated, 1);
    assert_string_equal(l.next_key, "a/b c");
    assert_string_equal(l.next_id, "0004B99B8E707874FC2D692FA5D77D3F");
    assert_string_equal(l.uploads[0].key, "a/b+");
    assert_string_equal(l.uploads[0].id, "0004B999EF5A239BB9138C6227");
    assert_string_equal(l.uploads[0].initiated, "2012-02-23T04:18:23.000Z");
    assert_string_equal(l.uploads[1].key, "a/b c");
    assert_string_equal(l.uploads[1].id, "%2B1");
    assert_null(l.uploads[1].initiated);
    lr_xml_uploads_free(&l);

    assert_int_equal(uploads(&l, "<ListMultipartUploadsResult/>"), LR_OK);
    assert_int_equal(l.n, 0);
    assert_int_equal(l.truncated, 0);
    assert_null(l.next_key);
    lr_xml_uploads_free(&l);

    lr_buf_puts(&b, "<ListMultipartUploadsResult>");

    for (i = 0; i < 1000; i++) {
        lr_buf_printf(&b, "<Upload><Key>a%%2F</Key><UploadId>%u</UploadId>"
                      "</Upload>", (unsigned) i);
    }

    lr_buf_puts(&b, "</ListMultipartUploadsResult>");
    assert_int_equal(lr_xml_uploads(&l, (char *) b.data, b.len), LR_OK);
    assert_int_equal(l.n, 1000);
    assert_string_equal(l.uploads[999].key, "a%2F");
    assert_string_equal(l.uploads[999].id, "999");
    lr_xml_uploads_free(&l);
    lr_buf_free(&b);
}


static void
test_uploads_bad(void **state)
{
    size_t                    i;
    lr_xml_uploads_t          l;

    static const char *const  wrong[] = {
        "", "x", "<Error><Code>A</Code></Error>",
        "<ListBucketResult/>",
        "<x><ListMultipartUploadsResult/></x>",
        "<ListMultipartUploadsResult><Upload><Key>a</Key><UploadId>1"
            "</UploadId></Upload>",
        "<ListMultipartUploadsResult><Upload/></ListMultipartUploadsResult>",
        "<ListMultipartUploadsResult><Upload><Key>a</Key></Upload>"
            "</ListMultipartUploadsResult>",
        "<ListMultipartUploadsResult><Upload><Key>a</Key><UploadId/>"
            "</Upload></ListMultipartUploadsResult>",
        "<ListMultipartUploadsResult><Upload><UploadId>1</UploadId>"
            "</Upload></ListMultipartUploadsResult>",
        "<ListMultipartUploadsResult><x><Upload><Key>a</Key></Upload></x>"
            "<Upload><Owner><Key>a</Key></Owner><UploadId>1</UploadId>"
            "</Upload></ListMultipartUploadsResult>",
        "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated>"
            "</ListMultipartUploadsResult>",
        "<ListMultipartUploadsResult><EncodingType>url</EncodingType>"
            "<Upload><Key>%zz</Key><UploadId>1</UploadId></Upload>"
            "</ListMultipartUploadsResult>",
        "<ListMultipartUploadsResult><EncodingType>url</EncodingType>"
            "<NextKeyMarker>%00</NextKeyMarker></ListMultipartUploadsResult>"
    };

    (void) state;

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (uploads(&l, wrong[i]) != LR_DECLINED) {
            fail_msg("%s was taken", wrong[i]);
        }

        lr_xml_uploads_free(&l);
    }
}


static void
test_multipart(void **state)
{
    char               *s;

    static const char   initiate[] = HEAD
        "<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>k</Key>"
        "<UploadId>0004B9894A22E5B1888A1E29F8236E2D</UploadId>"
        "</InitiateMultipartUploadResult>";
    static const char   complete[] = HEAD
        "<CompleteMultipartUploadResult><Location>l</Location>"
        "<Bucket>b</Bucket><Key>k</Key><ETag>\"B864DB6A936D376F-3\"</ETag>"
        "</CompleteMultipartUploadResult>";
    static const char   copy[] = HEAD
        "<CopyPartResult><LastModified>2014-07-17T06:27:54.000Z"
        "</LastModified><ETag>\"5B3C1A2E053D763E\"</ETag></CopyPartResult>";
    static const char   err[] = "<Error><Code>InternalError</Code></Error>";
    static const char   nested[] =
        "<x><CompleteMultipartUploadResult><ETag>a</ETag>"
        "</CompleteMultipartUploadResult></x>";

    (void) state;

    assert_int_equal(lr_xml_initiate(&s, initiate, sizeof(initiate) - 1),
                     LR_OK);
    assert_string_equal(s, "0004B9894A22E5B1888A1E29F8236E2D");
    free(s);

    assert_int_equal(lr_xml_complete(&s, complete, sizeof(complete) - 1),
                     LR_OK);
    assert_string_equal(s, "B864DB6A936D376F-3");
    free(s);

    assert_int_equal(lr_xml_copy_part(&s, copy, sizeof(copy) - 1), LR_OK);
    assert_string_equal(s, "5B3C1A2E053D763E");
    free(s);

    assert_int_equal(lr_xml_copy_part(&s, complete, sizeof(complete) - 1),
                     LR_DECLINED);
    assert_null(s);
    assert_int_equal(lr_xml_complete(&s, err, sizeof(err) - 1), LR_DECLINED);
    assert_null(s);
    assert_int_equal(lr_xml_complete(&s, nested, sizeof(nested) - 1),
                     LR_DECLINED);
    assert_int_equal(lr_xml_complete(&s, initiate, sizeof(initiate) - 1),
                     LR_DECLINED);
    assert_int_equal(lr_xml_initiate(&s, initiate, sizeof(initiate) - 5),
                     LR_DECLINED);
    assert_null(s);
}


/* S3's answers, as its API Reference shows them */

static void
test_s3(void **state)
{
    char               *s;
    lr_xml_list_t       l;
    lr_xml_error_t      e;
    lr_xml_uploads_t    u;

    static const char   page[] = HEAD
        "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        "<Name>b</Name><Prefix>a%2F</Prefix><KeyCount>1</KeyCount>"
        "<MaxKeys>1</MaxKeys><EncodingType>url</EncodingType>"
        "<IsTruncated>true</IsTruncated>"
        "<NextContinuationToken>1ueG+x%2Fw=</NextContinuationToken>"
        "<Contents><Key>a%2Fb+c%2B.ts</Key>"
        "<LastModified>2009-10-12T17:50:30.000Z</LastModified>"
        "<ETag>&quot;fba9dede5f27731c9771645a39863328-3&quot;</ETag>"
        "<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm>"
        "<ChecksumType>FULL_OBJECT</ChecksumType>"
        "<Size>434234</Size><StorageClass>STANDARD</StorageClass></Contents>"
        "</ListBucketResult>";

    static const char   uploads[] = HEAD
        "<ListMultipartUploadsResult"
        " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        "<Bucket>b</Bucket><KeyMarker></KeyMarker>"
        "<UploadIdMarker></UploadIdMarker>"
        "<NextKeyMarker>my-movie.m2ts</NextKeyMarker>"
        "<NextUploadIdMarker>YW55IGlkZWE+</NextUploadIdMarker>"
        "<MaxUploads>1</MaxUploads><IsTruncated>true</IsTruncated>"
        "<Upload><Key>my+divisor</Key><UploadId>2~XMgbGlrZSBlbHZp</UploadId>"
        "<Initiator><ID>arn</ID><DisplayName>n</DisplayName></Initiator>"
        "<Owner><ID>1</ID></Owner><StorageClass>STANDARD</StorageClass>"
        "<Initiated>2010-11-10T20:48:33.000Z</Initiated></Upload>"
        "</ListMultipartUploadsResult>";

    static const char   complete[] = "  \n\r\n \t" HEAD "   "
        "<CompleteMultipartUploadResult"
        " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        "<Location>http://b.s3.Region.amazonaws.com/k</Location>"
        "<Bucket>b</Bucket><Key>k</Key>"
        "<ETag>\"3858f62230ac3c915f300c664312c11f-9\"</ETag>"
        "<ChecksumCRC64NVME>rosUhgp5mIg=</ChecksumCRC64NVME>"
        "<ChecksumType>FULL_OBJECT</ChecksumType>"
        "</CompleteMultipartUploadResult>";

    static const char   failed[] = HEAD "\n      \n<Error>"
        "<Code>InternalError</Code><Message>We encountered an internal error."
        " Please try again.</Message><RequestId>656c76696e6727732</RequestId>"
        "<HostId>Uuag1LuByRx9e6j5Onimru9pO4ZVKnJ2</HostId></Error>";

    (void) state;

    /* the same page: its token is given back as it was told */

    assert_int_equal(lr_xml_list_s3(&l, page, sizeof(page) - 1), LR_OK);
    assert_int_equal(l.n, 1);
    assert_true(l.truncated);
    assert_string_equal(l.next, "1ueG+x%2Fw=");
    assert_string_equal(l.objects[0].key, "a/b c+.ts");
    assert_string_equal(l.objects[0].etag,
                        "fba9dede5f27731c9771645a39863328-3");
    assert_int_equal(l.objects[0].size, 434234);
    lr_xml_list_free(&l);

    assert_int_equal(list(&l, page), LR_OK);
    assert_string_equal(l.next, "1ueG x/w=");
    lr_xml_list_free(&l);

    assert_int_equal(lr_xml_uploads(&u, uploads, sizeof(uploads) - 1), LR_OK);
    assert_int_equal(u.n, 1);
    assert_string_equal(u.uploads[0].key, "my+divisor");
    assert_string_equal(u.uploads[0].id, "2~XMgbGlrZSBlbHZp");
    assert_string_equal(u.uploads[0].initiated, "2010-11-10T20:48:33.000Z");
    assert_string_equal(u.next_key, "my-movie.m2ts");
    assert_string_equal(u.next_id, "YW55IGlkZWE+");
    lr_xml_uploads_free(&u);

    assert_int_equal(lr_xml_complete(&s, complete, sizeof(complete) - 1),
                     LR_OK);
    assert_string_equal(s, "3858f62230ac3c915f300c664312c11f-9");
    free(s);

    assert_int_equal(lr_xml_complete(&s, failed, sizeof(failed) - 1),
                     LR_DECLINED);
    assert_int_equal(error(&e, failed), LR_OK);
    assert_string_equal(e.code, "InternalError");
    assert_string_equal(e.region, "");

    assert_int_equal(lr_xml_copy_part(&s, complete, sizeof(complete) - 1),
                     LR_DECLINED);
    assert_null(s);
    assert_int_equal(lr_xml_complete(&s, "  \n", 3), LR_DECLINED);

    /* where the bucket is */

    assert_int_equal(error(&e, HEAD
        "<Error><Code>AuthorizationHeaderMalformed</Code><Message>The "
        "authorization header is malformed; the region 'us-east-1' is wrong;"
        " expecting 'eu-central-1'</Message><Region>eu-central-1</Region>"
        "<RequestId>1</RequestId></Error>"), LR_OK);
    assert_string_equal(e.code, "AuthorizationHeaderMalformed");
    assert_string_equal(e.region, "eu-central-1");
    assert_string_equal(e.endpoint, "");

    assert_int_equal(error(&e, HEAD
        "<Error><Code>PermanentRedirect</Code><Message>m</Message>"
        "<Endpoint>b.s3-eu-west-1.amazonaws.com</Endpoint>"
        "<Bucket>b</Bucket></Error>"), LR_OK);
    assert_string_equal(e.endpoint, "b.s3-eu-west-1.amazonaws.com");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_error),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_list_bad),
        cmocka_unit_test(test_uploads),
        cmocka_unit_test(test_uploads_bad),
        cmocka_unit_test(test_multipart),
        cmocka_unit_test(test_s3)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
