
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include "../../../bucket/lr_cred.c"


static int
parse(lr_cred_t *c, const char *text, const char *profile, char *err)
{
    int    rc;
    char  *copy;

    /* without the zero byte, so that ASan sees a read beyond the end */

    copy = malloc(strlen(text) ? strlen(text) : 1);
    memcpy(copy, text, strlen(text));

    err[0] = '\0';
    rc = lr_cred_parse(c, copy, strlen(text), profile, err);

    free(copy);

    return rc;
}


static void
good(const char *text, const char *profile, const char *id,
    const char *secret, const char *token)
{
    char       err[LR_CRED_ERR_LEN];
    lr_cred_t  c = { NULL, NULL, NULL, 0 };

    if (parse(&c, text, profile, err) != LR_OK) {
        fail_msg("%s", err);
    }

    assert_string_equal(c.id, id);
    assert_string_equal(c.secret, secret);

    if (token == NULL) {
        assert_null(c.token);

    } else {
        assert_string_equal(c.token, token);
    }

    lr_cred_free(&c);
    assert_null(c.id);
}


static void
bad(const char *text, const char *profile, const char *why)
{
    char       err[LR_CRED_ERR_LEN];
    lr_cred_t  c = { NULL, NULL, NULL, 0 };

    assert_int_equal(parse(&c, text, profile, err), LR_ERROR);
    assert_null(c.id);
    assert_null(c.secret);

    if (strstr(err, why) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", why, err);
    }

    /* every value of these tests has it */

    assert_null(strstr(err, "XX"));
}


static void
test_plain(void **state)
{
    (void) state;

    good("LTAIid\nsecret\n", NULL, "LTAIid", "secret", NULL);
    good("LTAIid\nsecret", NULL, "LTAIid", "secret", NULL);
    good("\xef\xbb\xbf# mine\r\n\r\n LTAIid \r\n;x\r\nsecret\t\r\n", NULL,
         "LTAIid", "secret", NULL);
    good("STS.id\nsecret\nCAIStoken+/==\n\n#\n", NULL, "STS.id", "secret",
         "CAIStoken+/==");

    bad("", NULL, "no access key");
    bad("\n# c\n ; d\n", NULL, "no access key");
    bad("idXX\n", NULL, "no secret (line 1)");
    bad("idXX\nsXX\ntXX\nuXX\n", NULL, "(line 4)");
    bad("id XX\nsXX\n", NULL, "access key id");
    bad("idXX\ns\x01XX\n", NULL, "access key secret");
    bad("idXX\ns\x7fXX\n", NULL, "access key secret");
    bad("idXX\nsXX\nt\xc3\xa4XX\n", NULL, "security token");
}


static void
test_ini(void **state)
{
    static const char  file[] =
        "# keys\n"
        "[default]\n"
        "enable = true\n"
        "type=access_key\n"
        "access_key_id = foo\n"
        "access_key_secret=ba=r=\n"
        "\n"
        "[ sts ]\n"
        "type = sts\n"
        "access_key_id = STS.a\n"
        "access_key_secret = b\n"
        "security_token = c==\n"
        "[role]\n"
        "type = ecs_ram_role\n"
        "role_name = XX\n"
        "[half]\n"
        "access_key_id = XX\n"
        "[untyped]\n"
        "ACCESS_KEY_ID = 1\n"
        "access_key_secret = 2\n";

    (void) state;

    good(file, NULL, "foo", "ba=r=", NULL);
    good(file, "default", "foo", "ba=r=", NULL);
    good(file, "sts", "STS.a", "b", "c==");
    good(file, "untyped", "1", "2", NULL);
    bad(file, "role", "type");
    bad(file, "half", "secret is missing, too long or holds what a header "
        "cannot (line 16)");
    bad(file, "nobody", "no such profile");

    good("access_key_id=a\naccess_key_secret=b\n", NULL, "a", "b", NULL);
    bad("access_key_id=aXX\naccess_key_secret=bXX\n", "p", "no such profile");
    bad("idXX\nsecretXX\n", "default", "no profiles");
    bad("[default]\nfooXX\n", NULL, "(line 2)");
    bad("[default\nfoo=XX\n", NULL, "not closed (line 1)");
    bad("[", NULL, "not closed");
    bad("[]\nx=XX", NULL, "not closed");
}


/* of AWS: "credentials", and "config" with its other names of sections */

static void
test_ini_aws(void **state)
{
    static const char  file[] =
        "[default]\n"
        "aws_access_key_id = AKIA1\n"
        "aws_secret_access_key=s/+1 ; mine\n"
        "region = eu-west-1\n"
        "s3 =\n"
        "    max_concurrent_requests = 20\n"
        "[sts]\n"
        "AWS_ACCESS_KEY_ID=ASIA2\n"
        "aws_secret_access_key=s;2#\t# c\n"
        "aws_session_token = t== #\n"
        "[profile  work ]\n"
        "aws_access_key_id = AKIA3\n"
        "aws_secret_access_key = s3\n"
        "[profile assumed]\n"
        "role_arn = arn:aws:iam::123456789012:role/XX\n"
        "source_profile = default\n"
        "[sso]\n"
        "sso_session = XX\n"
        "[mixed]\n"
        "aws_access_key_id = XX\n"
        "access_key_secret = XX\n"
        "[profile-x]\n"
        "region = XX\n";

    (void) state;

    good(file, NULL, "AKIA1", "s/+1", NULL);
    good(file, "sts", "ASIA2", "s;2#", "t==");
    good(file, "work", "AKIA3", "s3", NULL);
    bad(file, "assumed", "no key of its own: a role_arn, credential_process"
        " or sso is not followed (line 14)");
    bad(file, "sso", "no key of its own");
    bad(file, "mixed", "mixes names of Alibaba Cloud and AWS (line 19)");
    bad(file, "x", "no such profile");
    bad(file, "-x", "no such profile");
    bad(file, "profile-x", "access key id is missing");
}


static void
test_bounds(void **state)
{
    char       err[LR_CRED_ERR_LEN], *p;
    lr_cred_t  c = { NULL, NULL, NULL, 0 };

    (void) state;

    p = malloc(LR_CRED_MAX_FILE + 1);
    memset(p, 'X', LR_CRED_MAX_FILE + 1);

    memcpy(p, "a\nb\n#", 5);
    assert_int_equal(lr_cred_parse(&c, p, LR_CRED_MAX_FILE + 1, NULL, err),
                     LR_ERROR);
    assert_int_equal(lr_cred_parse(&c, p, LR_CRED_MAX_FILE, NULL, err),
                     LR_OK);
    lr_cred_free(&c);

    p[4] = 'X';
    assert_int_equal(lr_cred_parse(&c, p, LR_CRED_MAX_FILE, NULL, err),
                     LR_ERROR);
    assert_int_equal(lr_cred_parse(&c, "a\n\0b\n", 5, NULL, err), LR_ERROR);

    free(p);
}


/* what is not good leaves what was there */

static void
test_set(void **state)
{
    char       err[LR_CRED_ERR_LEN];
    lr_cred_t  c = { NULL, NULL, NULL, 0 };

    (void) state;

    assert_int_equal(lr_cred_set(&c, "a", "b", "", err), LR_OK);
    assert_null(c.token);
    assert_int_equal(lr_cred_set(&c, "d", "e", "f", err), LR_OK);
    assert_int_equal(lr_cred_set(&c, "g", "", "h", err), LR_ERROR);
    assert_int_equal(lr_cred_set(&c, "g\r\n", "b", NULL, err), LR_ERROR);
    assert_string_equal(c.id, "d");
    assert_string_equal(c.secret, "e");
    assert_string_equal(c.token, "f");

    lr_cred_free(&c);
    lr_cred_free(&c);
}


static const char *
get(void *data, const char *name)
{
    const char  **v;

    for (v = data; *v != NULL; v += 2) {
        if (strcmp(*v, name) == 0) {
            return v[1];
        }
    }

    return NULL;
}


static void
test_env(void **state)
{
    char         err[LR_CRED_ERR_LEN];
    lr_cred_t    c = { NULL, NULL, NULL, 0 };

    const char  *none[] = { "HOME", "/", "OSS_ACCESS_KEY_ID", "", NULL };
    const char  *both[] = {
        "ALIBABA_CLOUD_ACCESS_KEY_ID", "1",
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "2",
        "ALIBABA_CLOUD_SECURITY_TOKEN", "3",
        "OSS_ACCESS_KEY_ID", "a", "OSS_ACCESS_KEY_SECRET", "b", NULL
    };
    const char  *aws[] = {
        "AWS_ACCESS_KEY_ID", "p", "AWS_SECRET_ACCESS_KEY", "q",
        "AWS_SESSION_TOKEN", "r", NULL
    };
    const char  *half[] = {
        "ALIBABA_CLOUD_ACCESS_KEY_ID", "1",
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "2", "OSS_ACCESS_KEY_ID", "XX",
        NULL
    };

    (void) state;

    assert_int_equal(lr_cred_env(&c, get, none, err), LR_DECLINED);

    assert_int_equal(lr_cred_env(&c, get, both, err), LR_OK);
    assert_string_equal(c.id, "a");
    assert_null(c.token);

    both[6] = "X";
    both[8] = "OSS_SESSION_TOKEN";
    assert_int_equal(lr_cred_env(&c, get, both, err), LR_OK);
    assert_string_equal(c.id, "1");
    assert_string_equal(c.token, "3");

    assert_int_equal(lr_cred_env(&c, get, half, err), LR_ERROR);
    assert_non_null(strstr(err, "OSS_ACCESS_KEY_SECRET"));
    assert_null(strstr(err, "XX"));
    assert_string_equal(c.id, "1");

    lr_cred_free(&c);

    /* each cloud has its own */

    assert_int_equal(lr_cred_env_aws(&c, get, both, err), LR_DECLINED);
    assert_int_equal(lr_cred_env(&c, get, aws, err), LR_DECLINED);
    assert_int_equal(lr_cred_env_aws(&c, get, aws, err), LR_OK);
    assert_string_equal(c.id, "p");
    assert_string_equal(c.secret, "q");
    assert_string_equal(c.token, "r");

    aws[2] = "X";
    assert_int_equal(lr_cred_env_aws(&c, get, aws, err), LR_ERROR);
    assert_non_null(strstr(err, "AWS_SECRET_ACCESS_KEY"));

    lr_cred_free(&c);

    setenv("OSS_ACCESS_KEY_ID", "x", 1);
    setenv("OSS_ACCESS_KEY_SECRET", "y", 1);
    setenv("OSS_SESSION_TOKEN", "z", 1);
    assert_int_equal(lr_cred_env(&c, NULL, NULL, err), LR_OK);
    assert_string_equal(c.token, "z");

    lr_cred_free(&c);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_ini),
        cmocka_unit_test(test_ini_aws),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_env)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
