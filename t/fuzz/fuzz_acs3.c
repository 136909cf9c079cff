
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The input is a header Authorization, up to its first end of line, and
 * the request's other headers, a name and a value in turn.
 */


#include <stdlib.h>
#include "lr_acs3.h"


#define HEADERS  32


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
static lr_str_t line(lr_str_t *rest);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                 rc;
    char                signature[LR_ACS3_SIGNATURE_LEN + 1];
    size_t              i, k;
    lr_str_t            rest, first;
    lr_buf_t            b;
    lr_rpc_t            rpc;
    lr_acs3_t           a;
    lr_acs3_header_t    headers[HEADERS];
    lr_acs3_request_t   r;

    rest.data = (char *) data;
    rest.len = size;
    first = line(&rest);

    if (lr_acs3_parse(&a, first.data, first.len) != LR_OK) {
        return 0;
    }

    if (a.n == 0 || a.n > LR_ACS3_MAX_HEADERS || a.id.len == 0
        || a.signature.len != LR_ACS3_SIGNATURE_LEN)
    {
        abort();
    }

    memset(&b, 0, sizeof(lr_buf_t));
    memset(&r, 0, sizeof(lr_acs3_request_t));
    memset(&rpc, 0, sizeof(lr_rpc_t));

    for (i = 0; i < HEADERS && rest.len != 0; i++) {
        headers[i].name = line(&rest);
        headers[i].value = line(&rest);
    }

    r.method = "GET";
    r.path = first;
    r.params = &rpc;
    r.headers = headers;
    r.nheaders = i;
    r.payload = "";

    rc = lr_acs3_string(&b, &a, &r);

    if (rc == LR_OK) {

        /* all that begins so is among what is signed */

        for (i = 0; i < r.nheaders; i++) {

            if (headers[i].name.len < 6
                || memcmp(headers[i].name.data, "x-acs-", 6) != 0)
            {
                continue;
            }

            for (k = 0; k < a.n; k++) {
                if (a.names[k].len == headers[i].name.len
                    && memcmp(a.names[k].data, headers[i].name.data,
                              a.names[k].len)
                       == 0)
                {
                    break;
                }
            }

            if (k == a.n) {
                abort();
            }
        }

        if (lr_acs3_sign((char *) b.data, "secret", signature) != LR_OK
            || strlen(signature) != LR_ACS3_SIGNATURE_LEN)
        {
            abort();
        }

    } else if (rc != LR_DECLINED) {
        abort();
    }

    lr_buf_free(&b);

    return 0;
}


static lr_str_t
line(lr_str_t *rest)
{
    char      *end;
    lr_str_t   s;

    s = *rest;

    end = s.len ? memchr(s.data, '\n', s.len) : NULL;

    if (end == NULL) {
        rest->data += rest->len;
        rest->len = 0;
        return s;
    }

    s.len = (size_t) (end - s.data);
    rest->data += s.len + 1;
    rest->len -= s.len + 1;

    return s;
}
