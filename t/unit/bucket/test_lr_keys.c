
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <utime.h>
#include <cmocka.h>
#include "../../../bucket/lr_keys.c"


static char  err[LR_KEYS_ERR_LEN];
static char  path[] = "/tmp/test_lr_keys.XXXXXX";


static int
parse(lr_keys_t *keys, const char *text)
{
    int    rc;
    char  *copy;

    copy = malloc(strlen(text) ? strlen(text) : 1);
    memcpy(copy, text, strlen(text));

    err[0] = '\0';
    rc = lr_keys_parse(keys, copy, strlen(text), err);

    free(copy);

    return rc;
}


static void
write_keys(const char *text)
{
    FILE  *f;

    f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}


static void
test_parse(void **state)
{
    lr_keys_t  keys;

    (void) state;

    assert_int_equal(parse(&keys, ""), LR_OK);
    assert_int_equal(keys.n, 0);
    assert_null(lr_keys_find(&keys, ""));

    assert_int_equal(parse(&keys, "# a comment\n\n  id\t secret \r\n"
                           "id2 #secret\n   # id3 x y z\nid4 s"),
                     LR_OK);
    assert_int_equal(keys.n, 3);
    assert_string_equal(lr_keys_find(&keys, "id")->secret, "secret");
    assert_string_equal(lr_keys_find(&keys, "id2")->secret, "#secret");
    assert_string_equal(lr_keys_find(&keys, "id4")->secret, "s");
    assert_null(lr_keys_find(&keys, "id3"));
    assert_null(lr_keys_find(&keys, "i"));

    lr_keys_free(&keys);
    assert_int_equal(keys.n, 0);
    lr_keys_free(&keys);
}


static void
test_wrong(void **state)
{
    size_t     i;
    lr_keys_t  keys;

    static const struct {
        const char  *text;
        const char  *say;
    } t[] = {
        { "one", "line 1: the access key secret is missing" },
        { "id s3cret\none \n", "line 2: the access key secret is missing" },
        { "# x\nid s3cret more\n", "line 2: more than an id and a secret" },
        { "id s3cret\nid s4cret", "line 2: the access key id is there" },
        { "id s3cr\x01t", "line 1: the access key secret" },
        { "\xc3\xa9 s3cret", "line 1: the access key id" }
    };

    (void) state;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {

        if (parse(&keys, t[i].text) != LR_ERROR
            || strstr(err, t[i].say) == NULL || strstr(err, "s3c") != NULL
            || keys.n != 0 || keys.keys != NULL)
        {
            fail_msg("%s: %s", t[i].text, err);
        }
    }

    assert_int_equal(lr_keys_parse(&keys, "a b\0c", 5, err), LR_ERROR);
}


static void
test_read(void **state)
{
    int             fd;
    lr_keys_t       keys, fresh;
    struct utimbuf  past;

    (void) state;

    fd = mkstemp(path);
    assert_true(fd != -1);
    close(fd);

    write_keys("id secret\n");

    assert_int_equal(lr_keys_read(&keys, NULL, path, err), LR_OK);
    assert_int_equal(keys.n, 1);
    assert_false(lr_keys_public(&keys));

    /* a file that has just changed may change again within its stamp */

    assert_int_equal(lr_keys_read(&fresh, &keys, path, err), LR_OK);
    lr_keys_free(&fresh);

    keys.read += 10;
    assert_int_equal(lr_keys_read(&fresh, &keys, path, err), LR_DECLINED);
    assert_int_equal(fresh.n, 0);

    /* each of its stamps tells a change */

    past.actime = past.modtime = 1000000000;
    assert_int_equal(utime(path, &past), 0);
    assert_int_equal(lr_keys_read(&fresh, &keys, path, err), LR_OK);
    lr_keys_free(&fresh);

    write_keys("id secret\nid2 secret2\n");
    assert_int_equal(lr_keys_read(&fresh, &keys, path, err), LR_OK);
    assert_int_equal(fresh.n, 2);
    lr_keys_free(&fresh);

    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(lr_keys_read(&fresh, &keys, path, err), LR_OK);
    assert_true(lr_keys_public(&fresh));
    lr_keys_free(&fresh);

    write_keys("id\n");
    assert_int_equal(lr_keys_read(&fresh, &keys, path, err), LR_ERROR);
    assert_int_equal(fresh.n, 0);
    assert_false(lr_keys_public(&fresh));

    assert_int_equal(truncate(path, LR_KEYS_MAX_FILE + 1), 0);
    assert_int_equal(lr_keys_read(&fresh, &keys, path, err), LR_ERROR);
    assert_string_equal(err, "is longer than 65536 bytes");

    assert_int_equal(unlink(path), 0);
    assert_int_equal(lr_keys_read(&fresh, &keys, path, err), LR_ERROR);
    assert_non_null(strstr(err, "cannot be opened (2: "));

    assert_int_equal(lr_keys_read(&fresh, NULL, "/tmp", err), LR_ERROR);
    assert_string_equal(err, "is not a file");

    lr_keys_free(&keys);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_read)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
