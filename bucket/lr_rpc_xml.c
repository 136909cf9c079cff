
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdlib.h>
#include "lr_rpc_xml.h"


/* digits of a real number, as in the JSON answers */
#define LR_RPC_XML_DIGITS  15


static void lr_rpc_xml_element(lr_buf_t *b, const char *name,
    const json_t *value);
static void lr_rpc_xml_scalar(lr_buf_t *b, const json_t *value);
static void lr_rpc_xml_text(lr_buf_t *b, const char *p, size_t n);


int
lr_rpc_xml(lr_buf_t *b, const char *root, const json_t *o)
{
    lr_buf_puts(b, "<?xml version='1.0' encoding='UTF-8'?>");
    lr_rpc_xml_element(b, root, o);

    return b->failed ? LR_ERROR : LR_OK;
}


static void
lr_rpc_xml_element(lr_buf_t *b, const char *name, const json_t *value)
{
    size_t       i;
    json_t      *item;
    const char  *key;

    if (json_is_array(value)) {

        json_array_foreach(value, i, item) {
            lr_rpc_xml_element(b, name, item);
        }

        return;
    }

    lr_buf_printf(b, "<%s>", name);

    if (json_is_object(value)) {

        json_object_foreach((json_t *) value, key, item) {
            lr_rpc_xml_element(b, key, item);
        }

    } else if (json_is_string(value)) {
        lr_rpc_xml_text(b, json_string_value(value),
                        json_string_length(value));

    } else if (!json_is_null(value)) {
        lr_rpc_xml_scalar(b, value);
    }

    lr_buf_printf(b, "</%s>", name);
}


static void
lr_rpc_xml_scalar(lr_buf_t *b, const json_t *value)
{
    char    text[64];
    size_t  n;

    n = json_dumpb(value, text, sizeof(text),
                   JSON_ENCODE_ANY
                   |JSON_REAL_PRECISION(LR_RPC_XML_DIGITS));

    lr_buf_append(b, text, n < sizeof(text) ? n : 0);
}


static void
lr_rpc_xml_text(lr_buf_t *b, const char *p, size_t n)
{
    size_t       i, from;
    const char  *s;

    from = 0;

    for (i = 0; i < n; i++) {

        switch (p[i]) {

        case '&':
            s = "&amp;";
            break;

        case '<':
            s = "&lt;";
            break;

        case '>':
            s = "&gt;";
            break;

        case '\r':
            s = "&#13;";
            break;

        default:

            if ((u_char) p[i] >= 0x20 || p[i] == '\t' || p[i] == '\n') {
                continue;
            }

            s = "?";
        }

        lr_buf_append(b, p + from, i - from);
        lr_buf_puts(b, s);

        from = i + 1;
    }

    lr_buf_append(b, p + from, n - from);
}
