
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "../../../bucket/lr_rpc_xml.c"


#define HEAD  "<?xml version='1.0' encoding='UTF-8'?>"


static void
render(const char *json, const char *want)
{
    json_t    *o;
    lr_buf_t   b;

    memset(&b, 0, sizeof(lr_buf_t));

    o = json_loads(json, JSON_ALLOW_NUL, NULL);
    assert_non_null(o);

    assert_int_equal(lr_rpc_xml(&b, "R", o), LR_OK);
    lr_buf_append(&b, "", 1);
    assert_string_equal((char *) b.data, want);

    lr_buf_free(&b);
    json_decref(o);
}


static void
test_xml(void **state)
{
    (void) state;

    render("{}", HEAD "<R></R>");

    render("{\"RequestId\":\"x\",\"Duration\":588.849,\"Height\":480,"
           "\"Big\":9007199254740993,\"Ok\":true,\"No\":false,"
           "\"Nothing\":null,\"E\":\"\"}",
           HEAD "<R><RequestId>x</RequestId><Duration>588.849</Duration>"
           "<Height>480</Height><Big>9007199254740993</Big><Ok>true</Ok>"
           "<No>false</No><Nothing></Nothing><E></E></R>");

    render("{\"List\":{\"Item\":[{\"A\":1},{\"A\":2}],\"None\":[]},"
           "\"Plain\":[\"a\",\"b\"]}",
           HEAD "<R><List><Item><A>1</A></Item><Item><A>2</A></Item></List>"
           "<Plain>a</Plain><Plain>b</Plain></R>");
}


static void
test_text(void **state)
{
    (void) state;

    render("{\"A\":\"<a href='x'>&\\\"]]>\"}",
           HEAD "<R><A>&lt;a href='x'&gt;&amp;\"]]&gt;</A></R>");

    render("{\"A\":\"\\u0001\\u0000x\\t\\n\\r\\u001f\"}",
           HEAD "<R><A>??x\t\n&#13;?</A></R>");

    render("{\"A\":\"\xe4\xb8\xad\"}", HEAD "<R><A>\xe4\xb8\xad</A></R>");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_xml),
        cmocka_unit_test(test_text)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
