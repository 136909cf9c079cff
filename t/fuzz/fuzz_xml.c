
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The first byte chooses what the rest is read as.
 */


#include <stdlib.h>
#include "lr_xml.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                rc;
    char              *s;
    size_t             i;
    const char        *p;
    lr_xml_list_t      l;
    lr_xml_error_t     e;
    lr_xml_uploads_t   u;

    if (size == 0) {
        return 0;
    }

    p = (const char *) data + 1;
    size--;

    switch (data[0] % 8) {

    case 0:
        if ((lr_xml_error(&e, p, size) == LR_OK) != (e.code[0] != '\0')) {
            abort();
        }

        break;

    case 1:
        if (lr_xml_list(&l, p, size) == LR_OK) {

            if (l.truncated && l.next == NULL) {
                abort();
            }

            for (i = 0; i < l.n; i++) {
                if (l.objects[i].key == NULL || l.objects[i].key[0] == '\0') {
                    abort();
                }
            }
        }

        lr_xml_list_free(&l);

        rc = lr_xml_list_s3(&l, p, size);

        if (rc == LR_OK && l.truncated && l.next == NULL) {
            abort();
        }

        lr_xml_list_free(&l);
        break;

    case 2:
        if ((lr_xml_initiate(&s, p, size) == LR_OK) != (s != NULL)) {
            abort();
        }

        free(s);
        break;

    case 3:
        if (lr_xml_uploads(&u, p, size) == LR_OK) {

            if (u.truncated && u.next_key == NULL) {
                abort();
            }

            for (i = 0; i < u.n; i++) {
                if (u.uploads[i].key[0] == '\0'
                    || u.uploads[i].id[0] == '\0')
                {
                    abort();
                }
            }
        }

        lr_xml_uploads_free(&u);
        break;

    case 4:
        if ((lr_xml_copy_part(&s, p, size) == LR_OK) != (s != NULL)) {
            abort();
        }

        free(s);
        break;

    default:
        if ((lr_xml_complete(&s, p, size) == LR_OK) != (s != NULL)) {
            abort();
        }

        free(s);
    }

    return 0;
}
