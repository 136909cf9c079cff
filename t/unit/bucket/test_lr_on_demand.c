
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>
#include "../../../bucket/lr_on_demand.c"


#define ALL   (LR_FORMAT_M3U8|LR_FORMAT_MP4|LR_FORMAT_FLV)
#define YES   "{\"NeedRecord\":true"


static char  err[256];


static void
urls(void **state)
{
    lr_buf_t                 b;
    lr_on_demand_question_t  q;

    (void) state;

    memset(&b, 0, sizeof(b));
    memset(&q, 0, sizeof(q));

    q.domain = "demo.example.com";
    q.app = "seq_all";
    q.stream = "ondemand8";
    q.vbitrate = 2000;

    lr_on_demand_url(&b, "http://127.0.0.1/ask", &q);
    assert_string_equal((char *) b.data,
                        "http://127.0.0.1/ask?app=seq_all"
                        "&domain=demo.example.com&stream=ondemand8"
                        "&vbitrate=2000&codec=h264");
    assert_int_equal(b.len, strlen((char *) b.data));

    /* a query of its own, names that have to be encoded, nothing known */

    b.len = 0;
    q.domain = "";
    q.app = "a b";
    q.stream = "x&y=1#/%";
    q.vbitrate = 0;
    q.hevc = 1;

    lr_on_demand_url(&b, "https://a.example.com/?token=1#top", &q);
    assert_string_equal((char *) b.data,
                        "https://a.example.com/?token=1&app=a%20b&domain="
                        "&stream=x%26y%3D1%23%2F%25&vbitrate=0&codec=h265");

    lr_buf_free(&b);
}


typedef struct {
    const char  *text;
    int          rc;
    unsigned     formats;
    int64_t      cycle;
    unsigned     odd;
} answer_t;


static const answer_t  answers[] = {
    { "{\"ApiVersion\":\"1.0\",\"NeedRecord\":true,\"Interval\":{\"Mp4\":300,"
      "\"Flv\":120,\"M3U8\":180},\"Format\":[\"mp4\",\"flv\"]}",
      LR_OK, LR_FORMAT_MP4|LR_FORMAT_FLV, 120000, 0 },

    { YES "}", LR_OK, ALL, 7, 0 },
    { "{\"NeedRecord\":false}", LR_OK, 0, 7, 0 },
    { "{\"NeedRecord\":false,\"Format\":1,\"Interval\":1}", LR_OK, 0, 7, 0 },
    { " " YES ",\"Format\":null,\"Interval\":null, \"x\": [1]} \n",
      LR_OK, ALL, 7, 0 },

    /* formats */

    { YES ",\"Format\":[\"m3u8\"]}", LR_OK, LR_FORMAT_M3U8, 7, 0 },
    { YES ",\"Format\":[\"MP4\",\"mp4\",\"cmaf\"]}",
      LR_OK, LR_FORMAT_MP4, 7, 0 },
    { YES ",\"Format\":[\"cmaf\"]}", LR_OK, 0, 7, 0 },
    { YES ",\"Format\":[]}", LR_OK, 0, 7, 0 },

    /* the shortest of those that count */

    { YES ",\"Interval\":{\"M3U8\":300,\"Flv\":5}}", LR_OK, ALL, 5000, 0 },
    { YES ",\"Interval\":{\"M3U8\":300,\"Flv\":5},\"Format\":[\"m3u8\"]}",
      LR_OK, LR_FORMAT_M3U8, 300000, 0 },
    { YES ",\"Interval\":{\"Mp4\":21600}}", LR_OK, ALL, 21600000, 0 },
    { YES ",\"Interval\":{\"Cmaf\":60}}", LR_OK, ALL, 7, 0 },
    { YES ",\"Interval\":{}}", LR_OK, ALL, 7, 0 },
    { YES ",\"Interval\":{\"Mp4\":4}}", LR_OK, ALL, 7, 1 },
    { YES ",\"Interval\":{\"Mp4\":21601,\"Flv\":60}}",
      LR_OK, ALL, 60000, 1 },
    { YES ",\"Interval\":{\"Mp4\":9223372036854775807}}",
      LR_OK, ALL, 7, 1 },
    { YES ",\"Interval\":{\"Mp4\":-9223372036854775808}}",
      LR_OK, ALL, 7, 1 },

    /* what is no answer */

    { "", LR_ERROR, ALL, 7, 0 },
    { "yes", LR_ERROR, ALL, 7, 0 },
    { "true", LR_ERROR, ALL, 7, 0 },
    { "[true]", LR_ERROR, ALL, 7, 0 },
    { "{}", LR_ERROR, ALL, 7, 0 },
    { "{\"NeedRecord\":1}", LR_ERROR, ALL, 7, 0 },
    { "{\"NeedRecord\":\"true\"}", LR_ERROR, ALL, 7, 0 },
    { "{\"needrecord\":true}", LR_ERROR, ALL, 7, 0 },
    { YES, LR_ERROR, ALL, 7, 0 },
    { YES "}}", LR_ERROR, ALL, 7, 0 },
    { YES ",\"Format\":\"mp4\"}", LR_ERROR, ALL, 7, 0 },
    { YES ",\"Format\":[1]}", LR_ERROR, ALL, 7, 0 },
    { YES ",\"Interval\":300}", LR_ERROR, ALL, 7, 0 },
    { YES ",\"Interval\":{\"Mp4\":\"300\"}}", LR_ERROR, ALL, 7, 0 },
    { YES ",\"Interval\":{\"Mp4\":30.5}}", LR_ERROR, ALL, 7, 0 }
};


static void
all_answers(void **state)
{
    int                    rc;
    size_t                 i;
    lr_on_demand_answer_t  a;

    (void) state;

    for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        memset(&a, 0, sizeof(a));
        a.formats = ALL;
        a.cycle = 7;
        err[0] = '\0';

        rc = lr_on_demand_answer(&a, answers[i].text,
                                 strlen(answers[i].text), err, sizeof(err));

        if (rc != answers[i].rc || a.odd != answers[i].odd
            || (rc == LR_OK && a.formats != answers[i].formats)
            || (rc == LR_OK && a.cycle != answers[i].cycle)
            || (rc != LR_OK) != (err[0] != '\0'))
        {
            print_error("%s: %d, %u, %lld, %s\n", answers[i].text, rc,
                        a.formats, (long long) a.cycle, err);
            fail();
        }
    }

    /* a format that the template lacks */

    memset(&a, 0, sizeof(a));
    a.formats = LR_FORMAT_FLV;
    assert_int_equal(lr_on_demand_answer(&a, answers[0].text,
                                         strlen(answers[0].text), err,
                                         sizeof(err)), LR_OK);
    assert_int_equal(a.formats, LR_FORMAT_FLV);
    assert_int_equal(a.cycle, 120000);
}


/* what comes behind the first 2048 bytes was never there */

static void
cut_off(void **state)
{
    char                   text[LR_ON_DEMAND_MAX * 2];
    lr_on_demand_answer_t  a;

    (void) state;

    memset(text, ' ', sizeof(text));
    memcpy(text, YES "}", sizeof(YES));
    memcpy(text + LR_ON_DEMAND_MAX, "x", 1);

    memset(&a, 0, sizeof(a));
    a.formats = ALL;
    assert_int_equal(lr_on_demand_answer(&a, text, sizeof(text), err,
                                         sizeof(err)), LR_OK);
    assert_int_equal(a.formats, ALL);

    text[LR_ON_DEMAND_MAX - 1] = 'x';
    assert_int_equal(lr_on_demand_answer(&a, text, sizeof(text), err,
                                         sizeof(err)), LR_ERROR);

    text[LR_ON_DEMAND_MAX - 1] = ' ';
    text[sizeof(YES) - 1] = ' ';
    text[LR_ON_DEMAND_MAX] = '}';
    assert_int_equal(lr_on_demand_answer(&a, text, sizeof(text), err,
                                         sizeof(err)), LR_ERROR);
}


static void
args(void **state)
{
    int     rc;
    size_t  i;

    static const struct {
        const char  *args;
        int          rc;
    } table[] = {
        { "record_config=%7B%22NeedRecord%22%3Atrue%7D", LR_OK },
        { "record_config=%7B%22NeedRecord%22%3Afalse%7D", LR_DECLINED },
        { "a=b&record_config=%7b%22NeedRecord%22:true%7d&c", LR_OK },
        { "record_config={\"NeedRecord\":true}", LR_OK },
        { "record_config=%7B%22NeedRecord%22%3Atrue%7D"
          "&record_config=%7B%22NeedRecord%22%3Afalse%7D", LR_OK },

        { "", LR_DECLINED },
        { "record_config", LR_DECLINED },
        { "xrecord_config={\"NeedRecord\":true}", LR_DECLINED },
        { "a&&b", LR_DECLINED },

        { "record_config=", LR_ERROR },
        { "record_config=true", LR_ERROR },
        { "record_config=%7", LR_ERROR },
        { "record_config=%7B%22NeedRecord%22%3A1%7D", LR_ERROR },
        { "record_config=%7B%22NeedRecord%22%3Atrue", LR_ERROR }
    };

    (void) state;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        err[0] = '\0';
        rc = lr_on_demand_args(table[i].args, strlen(table[i].args), err,
                               sizeof(err));

        if (rc != table[i].rc || (rc == LR_ERROR) != (err[0] != '\0')) {
            print_error("%s: %d %s\n", table[i].args, rc, err);
            fail();
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(urls),
        cmocka_unit_test(all_answers),
        cmocka_unit_test(cut_off),
        cmocka_unit_test(args),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
