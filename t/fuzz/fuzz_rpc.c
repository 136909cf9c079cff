
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The input is a query, up to its first end of line, and a form.
 */


#include <stdlib.h>
#include "lr_rpc.h"
#include "lr_url.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
static void check(const lr_rpc_t *rpc);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char        err[LR_RPC_ERR_LEN], signature[LR_RPC_SIGNATURE_LEN + 1];
    lr_buf_t    one, two;
    lr_rpc_t    rpc, again;
    lr_str_t    query, form;
    const char *end;

    query.data = (char *) data;
    query.len = size;
    form.data = (char *) data + size;
    form.len = 0;

    end = size ? memchr(data, '\n', size) : NULL;

    if (end != NULL) {
        query.len = (size_t) (end - query.data);
        form.data = (char *) end + 1;
        form.len = size - query.len - 1;
    }

    memset(err, 0, sizeof(err));

    if (lr_rpc_parse(&rpc, &query, &form, err) != LR_OK) {

        if (rpc.params != NULL || strlen(err) < 3) {
            abort();
        }

        return 0;
    }

    check(&rpc);

    memset(&one, 0, sizeof(lr_buf_t));
    memset(&two, 0, sizeof(lr_buf_t));

    if (lr_rpc_string(&one, &rpc, "GET") != LR_OK
        || lr_rpc_sign((char *) one.data, "secret", signature) != LR_OK
        || strlen(signature) != LR_RPC_SIGNATURE_LEN)
    {
        abort();
    }

    one.len = 0;
    lr_rpc_canonical(&one, &rpc, NULL, 1);

    /* what is canonical is a query, and its own canonical form */

    query.data = (char *) one.data;
    query.len = one.len;
    form.len = 0;

    if (lr_rpc_parse(&again, &query, &form, err) != LR_OK) {
        abort();
    }

    lr_rpc_canonical(&two, &again, NULL, 1);

    if (one.len != two.len
        || (one.len != 0 && memcmp(one.data, two.data, one.len) != 0))
    {
        abort();
    }

    lr_buf_free(&one);
    lr_buf_free(&two);
    lr_rpc_free(&again);
    lr_rpc_free(&rpc);

    return 0;
}


static void
check(const lr_rpc_t *rpc)
{
    size_t       i;
    const char  *value;

    for (i = 0; i < rpc->n; i++) {
        value = lr_rpc_get(rpc, rpc->params[i].name);

        if (i != 0
            && strcmp(rpc->params[i - 1].name, rpc->params[i].name) >= 0)
        {
            abort();
        }

        if (value == NULL ? rpc->params[i].value[0] != '\0'
                          : value != rpc->params[i].value
                            || lr_url_utf8(value, strlen(value)) != LR_OK)
        {
            abort();
        }
    }
}
