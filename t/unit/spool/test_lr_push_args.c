
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "../../../spool/lr_push_args.c"


static void
is(const char *query, const char *json)
{
    char    *text;
    json_t  *args;

    args = lr_push_args(query, strlen(query));

    if (json == NULL) {
        assert_null(args);
        return;
    }

    text = json_dumps(args, JSON_COMPACT|JSON_PRESERVE_ORDER);
    assert_non_null(text);
    assert_string_equal(text, json);

    free(text);
    json_decref(args);
}


static void
queries(void **state)
{
    (void) state;

    is("", NULL);
    is("a=1&callbac=2&xcallback_a=3&Callback_a=4", NULL);
    is("callback_args1=value1&callback_myid=1231389741",
       "{\"callback_args1\":\"value1\",\"callback_myid\":\"1231389741\"}");

    /* the first value wins, also if the name is written otherwise */

    is("callback_a=1&x=2&callback_a=3&call%62ack_a=4",
       "{\"callback_a\":\"1\"}");

    is("callback_a&callback_b=&callback_=c&&=&callback_d==e",
       "{\"callback_a\":\"\",\"callback_b\":\"\",\"callback_\":\"c\","
       "\"callback_d\":\"=e\"}");
    is("callback_a=b+c%20d%2B%26%3d", "{\"callback_a\":\"b c d+&=\"}");
    is("callback_%E4%BD%A0=%22%5C",
       "{\"callback_\xe4\xbd\xa0\":\"\\\"\\\\\"}");
}


static void
hostile(void **state)
{
    (void) state;

    /* half a character, a zero, control characters, not UTF-8 */

    is("callback_a=%", NULL);
    is("callback_a=%4", NULL);
    is("callback_a=%zz", NULL);
    is("callback_a=%00", NULL);
    is("callback_%00=1", NULL);
    is("callback_a=%0a", NULL);
    is("callback_a=%7f", NULL);
    is("callback_a=%ff", NULL);
    is("callback_%c0%80=1", NULL);
    is("callback_a=\xed\xa0\x80", NULL);

    /* one that is left out leaves room for the next of its name */

    is("callback_a=%ff&callback_a=1", "{\"callback_a\":\"1\"}");
}


static void
bounds(void **state)
{
    char    query[3 * LR_PUSH_ARGS_MAX], *p;
    size_t  len;
    json_t  *args, *v;

    (void) state;

    len = 0;

    for (p = query; p < query + sizeof(query) - 20; p += strlen(p)) {
        sprintf(p, "callback_%zu=1&", len++);
    }

    args = lr_push_args(query, strlen(query));
    assert_non_null(args);
    len = 0;

    json_object_foreach(args, *(const char **) &p, v) {
        len += strlen(p) + json_string_length(v);
    }

    json_decref(args);
    assert_in_range(len, LR_PUSH_ARGS_MAX - 20, LR_PUSH_ARGS_MAX);

    /* what is too long is left out, what is short may follow */

    memset(query, 'x', sizeof(query));
    memcpy(query, "callback_long=", 14);
    strcpy(query + LR_PUSH_ARGS_MAX + 20, "&callback_a=1");
    is(query, "{\"callback_a\":\"1\"}");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(queries),
        cmocka_unit_test(hostile),
        cmocka_unit_test(bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
