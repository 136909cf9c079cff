
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Any text as the query of a publish: what comes of it is small, and can be
 * written to a journal and read again.
 */


#include <stdlib.h>
#include "lr_push_args.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char        *text;
    size_t       len;
    json_t      *args, *back, *v;
    const char  *name;

    args = lr_push_args((const char *) data, size);

    if (args == NULL) {
        return 0;
    }

    len = 0;

    json_object_foreach(args, name, v) {
        if (strncmp(name, "callback_", 9) != 0 || !json_is_string(v)) {
            abort();
        }

        len += strlen(name) + json_string_length(v);
    }

    text = json_dumps(args, JSON_COMPACT|JSON_PRESERVE_ORDER);
    back = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;

    if (len == 0 || len > LR_PUSH_ARGS_MAX || !json_equal(args, back)) {
        abort();
    }

    free(text);
    json_decref(back);
    json_decref(args);

    return 0;
}
