
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <expat.h>
#include "lr_xml.h"
#include "lr_crc64.h"
#include "lr_url.h"


#define LR_XML_MAX_NAME  48


typedef struct lr_xml_s  lr_xml_t;


/* called when an element has begun or, without children, has ended */
typedef int (*lr_xml_pt)(lr_xml_t *x, const char *name, const char *parent);


struct lr_xml_s {
    XML_Parser           parser;
    lr_xml_pt            start;
    lr_xml_pt            leaf;
    void                *data;

    lr_buf_t             text;        /* ends with a zero in leaf() */
    int                  rc;

    size_t               depth;
    unsigned             parent:1;    /* the element has had children */
    unsigned             cut:1;       /* the text was longer */
    unsigned             url:1;       /* EncodingType */
    unsigned             small:1;     /* it is no list */

    char                 names[LR_XML_MAX_DEPTH][LR_XML_MAX_NAME];
};


typedef struct {
    const char          *root;
    const char          *name;
    char                *value;
} lr_xml_one_t;


static int lr_xml_parse(lr_xml_t *x, const char *p, size_t n);
static void XMLCALL lr_xml_start(void *data, const XML_Char *name,
    const XML_Char **atts);
static void XMLCALL lr_xml_end(void *data, const XML_Char *name);
static void XMLCALL lr_xml_text(void *data, const XML_Char *s, int len);
static void XMLCALL lr_xml_doctype(void *data, const XML_Char *name,
    const XML_Char *sysid, const XML_Char *pubid, int internal);
static void lr_xml_stop(lr_xml_t *x, int rc);
static int lr_xml_error_leaf(lr_xml_t *x, const char *name,
    const char *parent);
static void lr_xml_printable(char *dst, size_t size, const lr_buf_t *text);
static int lr_xml_list_start(lr_xml_t *x, const char *name,
    const char *parent);
static int lr_xml_list_leaf(lr_xml_t *x, const char *name,
    const char *parent);
static int lr_xml_list_read(lr_xml_list_t *l, const char *p, size_t n,
    unsigned next);
static int lr_xml_list_decode(lr_xml_list_t *l, unsigned next);
static int lr_xml_parts_start(lr_xml_t *x, const char *name,
    const char *parent);
static int lr_xml_parts_leaf(lr_xml_t *x, const char *name,
    const char *parent);
static int lr_xml_uploads_start(lr_xml_t *x, const char *name,
    const char *parent);
static int lr_xml_uploads_leaf(lr_xml_t *x, const char *name,
    const char *parent);
static int lr_xml_uploads_check(lr_xml_uploads_t *l, unsigned url);
static int lr_xml_yes(lr_xml_t *x, const char *word);
static int lr_xml_grow(void *array, size_t *size, size_t item);
static int lr_xml_decode(char **s);
static int lr_xml_one(lr_xml_one_t *one, char **value, const char *p,
    size_t n);
static int lr_xml_one_leaf(lr_xml_t *x, const char *name,
    const char *parent);
static int lr_xml_take(lr_xml_t *x, char **s);
static int lr_xml_keep(char **s, const lr_buf_t *text);
static void lr_xml_unquote(lr_buf_t *text);


int
lr_xml_error(lr_xml_error_t *e, const char *p, size_t n)
{
    int       rc;
    lr_xml_t  x;

    memset(e, 0, sizeof(lr_xml_error_t));
    memset(&x, 0, sizeof(lr_xml_t));

    x.leaf = lr_xml_error_leaf;
    x.data = e;
    x.small = 1;

    rc = lr_xml_parse(&x, p, n);

    if (rc == LR_ERROR) {
        return rc;
    }

    /* a body that was cut off may still have told its code */

    return e->code[0] != '\0' ? LR_OK : LR_DECLINED;
}


int
lr_xml_list(lr_xml_list_t *l, const char *p, size_t n)
{
    return lr_xml_list_read(l, p, n, 1);
}


int
lr_xml_list_s3(lr_xml_list_t *l, const char *p, size_t n)
{
    return lr_xml_list_read(l, p, n, 0);
}


void
lr_xml_list_free(lr_xml_list_t *l)
{
    size_t  i;

    for (i = 0; i < l->n; i++) {
        free(l->objects[i].key);
        free(l->objects[i].etag);
    }

    free(l->objects);
    free(l->next);

    memset(l, 0, sizeof(lr_xml_list_t));
}


int
lr_xml_parts(size_t *parts, const char *p, size_t n)
{
    lr_xml_t  x;

    *parts = 0;
    memset(&x, 0, sizeof(lr_xml_t));

    x.start = lr_xml_parts_start;
    x.leaf = lr_xml_parts_leaf;
    x.data = parts;
    x.small = 1;

    return lr_xml_parse(&x, p, n);
}


int
lr_xml_uploads(lr_xml_uploads_t *l, const char *p, size_t n)
{
    int       rc;
    lr_xml_t  x;

    memset(l, 0, sizeof(lr_xml_uploads_t));
    memset(&x, 0, sizeof(lr_xml_t));

    x.start = lr_xml_uploads_start;
    x.leaf = lr_xml_uploads_leaf;
    x.data = l;

    rc = lr_xml_parse(&x, p, n);

    return rc == LR_OK ? lr_xml_uploads_check(l, x.url) : rc;
}


void
lr_xml_uploads_free(lr_xml_uploads_t *l)
{
    size_t  i;

    for (i = 0; i < l->n; i++) {
        free(l->uploads[i].key);
        free(l->uploads[i].id);
        free(l->uploads[i].initiated);
    }

    free(l->uploads);
    free(l->next_key);
    free(l->next_id);

    memset(l, 0, sizeof(lr_xml_uploads_t));
}


int
lr_xml_initiate(char **upload_id, const char *p, size_t n)
{
    lr_xml_one_t  one;

    one.root = "InitiateMultipartUploadResult";
    one.name = "UploadId";

    return lr_xml_one(&one, upload_id, p, n);
}


int
lr_xml_complete(char **etag, const char *p, size_t n)
{
    lr_xml_one_t  one;

    one.root = "CompleteMultipartUploadResult";
    one.name = "ETag";

    return lr_xml_one(&one, etag, p, n);
}


int
lr_xml_copy_part(char **etag, const char *p, size_t n)
{
    lr_xml_one_t  one;

    one.root = "CopyPartResult";
    one.name = "ETag";

    return lr_xml_one(&one, etag, p, n);
}


static int
lr_xml_parse(lr_xml_t *x, const char *p, size_t n)
{
    /* while it puts parts together, a store keeps us waiting with blanks */

    while (n != 0 && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) {
        p++;
        n--;
    }

    if (n == 0 || n > LR_XML_MAX_SIZE) {
        return LR_DECLINED;
    }

    if (x->small && n > LR_XML_MAX_SMALL) {
        n = LR_XML_MAX_SMALL;
    }

    x->parser = XML_ParserCreate(NULL);
    if (x->parser == NULL) {
        return LR_ERROR;
    }

    XML_SetUserData(x->parser, x);
    XML_SetElementHandler(x->parser, lr_xml_start, lr_xml_end);
    XML_SetCharacterDataHandler(x->parser, lr_xml_text);
    XML_SetStartDoctypeDeclHandler(x->parser, lr_xml_doctype);

    if (XML_Parse(x->parser, p, (int) n, 1) != XML_STATUS_OK
        && x->rc == LR_OK)
    {
        x->rc = XML_GetErrorCode(x->parser) == XML_ERROR_NO_MEMORY
                ? LR_ERROR : LR_DECLINED;
    }

    XML_ParserFree(x->parser);
    lr_buf_free(&x->text);

    return x->rc;
}


static void XMLCALL
lr_xml_start(void *data, const XML_Char *name, const XML_Char **atts)
{
    lr_xml_t *x = data;

    int          rc;
    const char  *colon;

    (void) atts;

    if (x->depth == LR_XML_MAX_DEPTH) {
        lr_xml_stop(x, LR_DECLINED);
        return;
    }

    colon = strchr(name, ':');
    if (colon != NULL) {
        name = colon + 1;
    }

    /* a name that is cut is none of those that are known */

    snprintf(x->names[x->depth], LR_XML_MAX_NAME, "%s", name);

    x->depth++;
    x->parent = 0;
    x->cut = 0;
    x->text.len = 0;

    if (x->start != NULL) {
        rc = x->start(x, x->names[x->depth - 1],
                      x->depth > 1 ? x->names[x->depth - 2] : "");

        if (rc != LR_OK) {
            lr_xml_stop(x, rc);
        }
    }
}


static void XMLCALL
lr_xml_end(void *data, const XML_Char *name)
{
    lr_xml_t *x = data;

    int  rc;

    (void) name;

    /* expat still ends an empty element after it was told to stop */

    if (x->rc != LR_OK) {
        return;
    }

    x->depth--;

    if (!x->parent) {

        if (lr_buf_reserve(&x->text, 1) != LR_OK) {
            lr_xml_stop(x, LR_ERROR);
            return;
        }

        x->text.data[x->text.len] = '\0';

        rc = x->leaf(x, x->names[x->depth],
                     x->depth ? x->names[x->depth - 1] : "");

        if (rc != LR_OK) {
            lr_xml_stop(x, rc);
            return;
        }
    }

    x->parent = 1;
    x->text.len = 0;
}


static void XMLCALL
lr_xml_text(void *data, const XML_Char *s, int len)
{
    lr_xml_t *x = data;

    /* what is between the children of an element is only white space */

    if (x->parent || x->rc != LR_OK) {
        return;
    }

    /* nothing that is needed is as long, but a StringToSign may be */

    if ((size_t) len > LR_XML_MAX_TEXT - x->text.len) {
        len = (int) (LR_XML_MAX_TEXT - x->text.len);
        x->cut = 1;
    }

    lr_buf_append(&x->text, s, (size_t) len);

    if (x->text.failed) {
        lr_xml_stop(x, LR_ERROR);
    }
}


static void XMLCALL
lr_xml_doctype(void *data, const XML_Char *name, const XML_Char *sysid,
    const XML_Char *pubid, int internal)
{
    (void) name;
    (void) sysid;
    (void) pubid;
    (void) internal;

    lr_xml_stop(data, LR_DECLINED);
}


static void
lr_xml_stop(lr_xml_t *x, int rc)
{
    if (x->rc == LR_OK) {
        x->rc = rc;
    }

    XML_StopParser(x->parser, XML_FALSE);
}


static int
lr_xml_error_leaf(lr_xml_t *x, const char *name, const char *parent)
{
    lr_xml_error_t  *e;

    e = x->data;

    if (strcmp(parent, "Error") != 0) {
        return LR_OK;
    }

    if (strcmp(name, "Code") == 0) {
        lr_xml_printable(e->code, sizeof(e->code), &x->text);

    } else if (strcmp(name, "Message") == 0) {
        lr_xml_printable(e->message, sizeof(e->message), &x->text);

    } else if (strcmp(name, "RequestId") == 0) {
        lr_xml_printable(e->request_id, sizeof(e->request_id), &x->text);

    } else if (strcmp(name, "EC") == 0) {
        lr_xml_printable(e->ec, sizeof(e->ec), &x->text);

    } else if (strcmp(name, "Region") == 0) {
        lr_xml_printable(e->region, sizeof(e->region), &x->text);

    } else if (strcmp(name, "Endpoint") == 0) {
        lr_xml_printable(e->endpoint, sizeof(e->endpoint), &x->text);
    }

    return LR_OK;
}


static void
lr_xml_printable(char *dst, size_t size, const lr_buf_t *text)
{
    u_char  c;
    size_t  i;

    for (i = 0; i < text->len && i < size - 1; i++) {
        c = text->data[i];
        dst[i] = (char) ((c < 0x20 || c >= 0x7f) ? '?' : c);
    }

    dst[i] = '\0';
}


static int
lr_xml_list_read(lr_xml_list_t *l, const char *p, size_t n, unsigned next)
{
    int       rc;
    size_t    i;
    lr_xml_t  x;

    memset(l, 0, sizeof(lr_xml_list_t));
    memset(&x, 0, sizeof(lr_xml_t));

    x.start = lr_xml_list_start;
    x.leaf = lr_xml_list_leaf;
    x.data = l;

    rc = lr_xml_parse(&x, p, n);

    if (rc != LR_OK) {
        return rc;
    }

    for (i = 0; i < l->n; i++) {
        if (l->objects[i].key == NULL || l->objects[i].key[0] == '\0') {
            return LR_DECLINED;
        }
    }

    if (x.url) {
        rc = lr_xml_list_decode(l, next);
    }

    /* without a way to the rest, nobody could tell that it is missing */

    if (rc == LR_OK && l->truncated && l->next == NULL) {
        return LR_DECLINED;
    }

    return rc;
}


static int
lr_xml_list_start(lr_xml_t *x, const char *name, const char *parent)
{
    lr_xml_list_t  *l;

    if (parent[0] == '\0') {

        return strcmp(name, "ListBucketResult") == 0 ? LR_OK : LR_DECLINED;
    }

    if (x->depth != 2 || strcmp(name, "Contents") != 0) {
        return LR_OK;
    }

    l = x->data;

    if (l->n == l->size
        && lr_xml_grow(&l->objects, &l->size, sizeof(lr_xml_object_t))
           != LR_OK)
    {
        return LR_ERROR;
    }

    memset(&l->objects[l->n++], 0, sizeof(lr_xml_object_t));

    return LR_OK;
}


static int
lr_xml_list_leaf(lr_xml_t *x, const char *name, const char *parent)
{
    lr_xml_list_t    *l;
    lr_xml_object_t  *o;

    l = x->data;

    /* depth is that of the parent by now */

    if (x->depth == 1) {

        if (strcmp(name, "IsTruncated") == 0) {
            l->truncated = lr_xml_yes(x, "true");

        } else if (strcmp(name, "EncodingType") == 0) {
            x->url = lr_xml_yes(x, "url");

        } else if (strcmp(name, "NextContinuationToken") == 0
                   && x->text.len != 0)
        {
            return lr_xml_take(x, &l->next);
        }

        /* an object with nothing in it has no name either */

        return strcmp(name, "Contents") == 0 ? LR_DECLINED : LR_OK;
    }

    if (x->depth != 2 || strcmp(parent, "Contents") != 0) {
        return LR_OK;
    }

    o = &l->objects[l->n - 1];

    if (strcmp(name, "Key") == 0) {
        return lr_xml_take(x, &o->key);
    }

    if (strcmp(name, "ETag") == 0) {
        lr_xml_unquote(&x->text);
        return lr_xml_take(x, &o->etag);
    }

    if (strcmp(name, "Size") == 0
        && lr_crc64_parse((char *) x->text.data, x->text.len, &o->size)
           != LR_OK)
    {
        return LR_DECLINED;
    }

    return LR_OK;
}


static int
lr_xml_list_decode(lr_xml_list_t *l, unsigned next)
{
    int     rc;
    size_t  i;

    rc = next ? lr_xml_decode(&l->next) : LR_OK;

    for (i = 0; rc == LR_OK && i < l->n; i++) {
        rc = lr_xml_decode(&l->objects[i].key);
    }

    return rc;
}


static int
lr_xml_parts_start(lr_xml_t *x, const char *name, const char *parent)
{
    if (parent[0] == '\0') {
        return strcmp(name, "ListPartsResult") == 0 ? LR_OK : LR_DECLINED;
    }

    if (x->depth == 2 && strcmp(name, "Part") == 0) {
        (*(size_t *) x->data)++;
    }

    return LR_OK;
}


static int
lr_xml_parts_leaf(lr_xml_t *x, const char *name, const char *parent)
{
    (void) x;
    (void) name;
    (void) parent;

    return LR_OK;
}


static int
lr_xml_uploads_start(lr_xml_t *x, const char *name, const char *parent)
{
    lr_xml_uploads_t  *l;

    if (parent[0] == '\0') {

        return strcmp(name, "ListMultipartUploadsResult") == 0
               ? LR_OK : LR_DECLINED;
    }

    if (x->depth != 2 || strcmp(name, "Upload") != 0) {
        return LR_OK;
    }

    l = x->data;

    if (l->n == l->size
        && lr_xml_grow(&l->uploads, &l->size, sizeof(lr_xml_upload_t))
           != LR_OK)
    {
        return LR_ERROR;
    }

    memset(&l->uploads[l->n++], 0, sizeof(lr_xml_upload_t));

    return LR_OK;
}


static int
lr_xml_uploads_leaf(lr_xml_t *x, const char *name, const char *parent)
{
    lr_xml_upload_t   *u;
    lr_xml_uploads_t  *l;

    l = x->data;

    /* depth is that of the parent by now */

    if (x->depth == 1) {

        if (strcmp(name, "IsTruncated") == 0) {
            l->truncated = lr_xml_yes(x, "true");

        } else if (strcmp(name, "EncodingType") == 0) {
            x->url = lr_xml_yes(x, "url");

        } else if (strcmp(name, "NextKeyMarker") == 0 && x->text.len != 0) {
            return lr_xml_take(x, &l->next_key);

        } else if (strcmp(name, "NextUploadIdMarker") == 0
                   && x->text.len != 0)
        {
            return lr_xml_take(x, &l->next_id);
        }

        return LR_OK;
    }

    if (x->depth != 2 || strcmp(parent, "Upload") != 0) {
        return LR_OK;
    }

    u = &l->uploads[l->n - 1];

    if (strcmp(name, "Key") == 0) {
        return lr_xml_take(x, &u->key);
    }

    if (strcmp(name, "UploadId") == 0) {
        return lr_xml_take(x, &u->id);
    }

    if (strcmp(name, "Initiated") == 0) {
        return lr_xml_take(x, &u->initiated);
    }

    return LR_OK;
}


static int
lr_xml_uploads_check(lr_xml_uploads_t *l, unsigned url)
{
    int               rc;
    size_t            i;
    lr_xml_upload_t  *u;

    rc = url ? lr_xml_decode(&l->next_key) : LR_OK;

    for (i = 0; rc == LR_OK && i < l->n; i++) {
        u = &l->uploads[i];

        if (u->key == NULL || u->key[0] == '\0' || u->id == NULL
            || u->id[0] == '\0')
        {
            return LR_DECLINED;
        }

        if (url) {
            rc = lr_xml_decode(&u->key);
        }
    }

    /* without a way to the rest, nobody could tell that it is missing */

    if (rc == LR_OK && l->truncated && l->next_key == NULL) {
        return LR_DECLINED;
    }

    return rc;
}


static int
lr_xml_yes(lr_xml_t *x, const char *word)
{
    return strcasecmp((char *) x->text.data, word) == 0;
}


/* makes room in an array of items that is full; array is its pointer's */

static int
lr_xml_grow(void *array, size_t *size, size_t item)
{
    void    *p;
    size_t   n;

    n = *size ? *size * 2 : 64;

    memcpy(&p, array, sizeof(void *));

    p = realloc(p, n * item);
    if (p == NULL) {
        return LR_ERROR;
    }

    memcpy(array, &p, sizeof(void *));
    *size = n;

    return LR_OK;
}


static int
lr_xml_decode(char **s)
{
    int       rc;
    lr_buf_t  b;

    if (*s == NULL) {
        return LR_OK;
    }

    memset(&b, 0, sizeof(lr_buf_t));

    rc = lr_url_decode_query(&b, *s, strlen(*s));

    if (b.failed) {
        rc = LR_ERROR;

    } else if (rc != LR_OK
               || (b.len != 0 && memchr(b.data, '\0', b.len) != NULL))
    {
        rc = LR_DECLINED;

    } else {
        free(*s);
        *s = NULL;

        rc = lr_xml_keep(s, &b);
    }

    lr_buf_free(&b);

    return rc;
}


static int
lr_xml_one(lr_xml_one_t *one, char **value, const char *p, size_t n)
{
    int       rc;
    lr_xml_t  x;

    memset(&x, 0, sizeof(lr_xml_t));

    one->value = NULL;
    *value = NULL;

    x.leaf = lr_xml_one_leaf;
    x.data = one;
    x.small = 1;

    rc = lr_xml_parse(&x, p, n);

    if (rc == LR_OK && one->value == NULL) {
        rc = LR_DECLINED;
    }

    if (rc != LR_OK) {
        free(one->value);
        return rc;
    }

    *value = one->value;

    return LR_OK;
}


static int
lr_xml_one_leaf(lr_xml_t *x, const char *name, const char *parent)
{
    lr_xml_one_t  *one;

    one = x->data;

    if (x->depth != 1 || strcmp(parent, one->root) != 0
        || strcmp(name, one->name) != 0)
    {
        return LR_OK;
    }

    lr_xml_unquote(&x->text);

    if (x->text.len == 0) {
        return LR_DECLINED;
    }

    return lr_xml_take(x, &one->value);
}


static int
lr_xml_take(lr_xml_t *x, char **s)
{
    return x->cut ? LR_DECLINED : lr_xml_keep(s, &x->text);
}


static int
lr_xml_keep(char **s, const lr_buf_t *text)
{
    char  *p;

    p = malloc(text->len + 1);
    if (p == NULL) {
        return LR_ERROR;
    }

    if (text->len != 0) {
        memcpy(p, text->data, text->len);
    }

    p[text->len] = '\0';

    free(*s);
    *s = p;

    return LR_OK;
}


static void
lr_xml_unquote(lr_buf_t *text)
{
    size_t  n;

    n = text->len;

    if (n >= 2 && text->data[0] == '"' && text->data[n - 1] == '"') {
        memmove(text->data, text->data + 1, n - 2);
        text->len = n - 2;
    }
}
