
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdio.h>
#include "lr_object.h"
#include "lr_url.h"


#define LR_OBJECT_VALUE  256      /* of a header, at most */


typedef struct {
    const char         *storage_class;
    const char         *acl;
    const char         *encryption;
    const char         *key_id;
    const char         *tags;
    const char         *tags_directive;
    const char         *replace;       /* its value */
    const char         *meta;          /* before a name */

    /* what there is; classes NULL: stores have some of their own */
    const char *const  *classes;
    const char *const  *acls;
    const char *const  *encryptions;
} lr_object_names_t;


static void lr_object_add(lr_header_t *h, size_t *n, const char *name,
    const char *value);
static int lr_object_one_of(const char *setting, const char *value,
    const char *const *words, char *err);
static int lr_object_text(const char *s);
static int lr_object_word(const char *s, size_t n, const char *more);


static const char *const  lr_object_oss_classes[] = {
    "Standard", "IA", "Archive", "ColdArchive", "DeepColdArchive", NULL
};

static const char *const  lr_object_oss_acls[] = {
    "default", "private", "public-read", "public-read-write", NULL
};

static const char *const  lr_object_oss_encryptions[] = {
    "AES256", "KMS", "SM4", NULL
};

static const char *const  lr_object_s3_acls[] = {
    "private", "public-read", "public-read-write", "authenticated-read",
    "aws-exec-read", "bucket-owner-read", "bucket-owner-full-control", NULL
};

static const char *const  lr_object_s3_encryptions[] = {
    "AES256", "KMS", NULL
};


/* by lr_object_store_e */

static const lr_object_names_t  lr_object_names[] = {
    { "x-oss-storage-class", "x-oss-object-acl",
      "x-oss-server-side-encryption",
      "x-oss-server-side-encryption-key-id",
      "x-oss-tagging", "x-oss-tagging-directive", "Replace", "x-oss-meta-",
      lr_object_oss_classes, lr_object_oss_acls, lr_object_oss_encryptions },

    { "x-amz-storage-class", "x-amz-acl",
      "x-amz-server-side-encryption",
      "x-amz-server-side-encryption-aws-kms-key-id",
      "x-amz-tagging", "x-amz-tagging-directive", "REPLACE", "x-amz-meta-",
      NULL, lr_object_s3_acls, lr_object_s3_encryptions }
};


static const char *const  lr_object_kinds[] = {
    "media", "playlist", "index", "manifest", NULL
};


int
lr_object_tag(lr_object_t *o, const char *tag, char *err)
{
    size_t       i, len, start;
    lr_buf_t    *b;
    const char  *value;

    static const char  more[] = " +-=._:/@";

    value = strchr(tag, '=');
    len = value ? (size_t) (value - tag) : 0;

    if (len == 0 || len > LR_OBJECT_TAG_KEY
        || strlen(value + 1) > LR_OBJECT_TAG_LEN
        || !lr_object_word(tag, len, more)
        || !lr_object_word(value + 1, strlen(value + 1), more))
    {
        (void) snprintf(err, LR_OBJECT_ERR_LEN,
                        "invalid value \"%.100s\" of \"tagging\", it must be "
                        "KEY=VALUE, of up to %d and %d of A-Z a-z 0-9 space "
                        "+ - = . _ : /, for \"type s3\" also @", tag,
                        LR_OBJECT_TAG_KEY, LR_OBJECT_TAG_LEN);
        return LR_ERROR;
    }

    if (o->ntags == LR_OBJECT_TAGS) {
        (void) snprintf(err, LR_OBJECT_ERR_LEN,
                        "\"tagging\" has more than %d tags", LR_OBJECT_TAGS);
        return LR_ERROR;
    }

    b = &o->tags;

    /* the zero byte is not counted */

    if (b->len != 0) {
        lr_buf_puts(b, "&");
    }

    start = b->len;

    lr_url_encode(b, tag, len);
    lr_buf_puts(b, "=");

    if (b->failed) {
        goto failed;
    }

    /* what is encoded is told apart by its first bytes */

    len = b->len - start;

    for (i = 0; i < start; i++) {
        if ((i == 0 || b->data[i - 1] == '&') && start - i > len
            && memcmp(b->data + i, b->data + start, len) == 0)
        {
            (void) snprintf(err, LR_OBJECT_ERR_LEN,
                            "\"tagging\" has two tags of the key of "
                            "\"%.100s\"", tag);
            return LR_ERROR;
        }
    }

    lr_url_encode(b, value + 1, strlen(value + 1));
    lr_buf_append(b, "", 1);

    if (b->failed) {
        goto failed;
    }

    b->len--;
    o->ntags++;

    return LR_OK;

failed:

    (void) snprintf(err, LR_OBJECT_ERR_LEN, "no memory");

    return LR_ERROR;
}


int
lr_object_meta(lr_object_t *o, const char *name, const char *value,
    char *err)
{
    char              *p;
    size_t             i, len, prefix;
    lr_object_meta_t  *m;

    static const char  ours[] = "live-record-";

    len = strlen(name);

    if (len == 0 || len > LR_OBJECT_META_KEY
        || !lr_object_word(name, len, "-"))
    {
        (void) snprintf(err, LR_OBJECT_ERR_LEN,
                        "invalid name \"%.100s\" of \"metadata\", it must be "
                        "1 to %d of A-Z a-z 0-9 -", name,
                        LR_OBJECT_META_KEY);
        return LR_ERROR;
    }

    if (!lr_object_text(value)) {
        (void) snprintf(err, LR_OBJECT_ERR_LEN,
                        "invalid value \"%.100s\" of \"metadata\" \"%s\", it "
                        "must be 1 to %d of printable ASCII, without a space "
                        "at either end", value, name, LR_OBJECT_VALUE);
        return LR_ERROR;
    }

    o->meta_len += len + strlen(value);

    if (o->nmeta == LR_OBJECT_META || o->meta_len > LR_OBJECT_META_LEN) {
        (void) snprintf(err, LR_OBJECT_ERR_LEN,
                        "\"metadata\" \"%s\" is too much, there may be %d "
                        "of %d bytes in all", name, LR_OBJECT_META,
                        LR_OBJECT_META_LEN);
        return LR_ERROR;
    }

    m = &o->meta[o->nmeta];

    /* what stands before it follows from the store */

    prefix = strlen(lr_object_names[0].meta);
    memcpy(m->name, lr_object_names[0].meta, prefix);

    p = m->name + prefix;

    for (i = 0; i < len; i++) {
        p[i] = (char) ((name[i] >= 'A' && name[i] <= 'Z') ? (name[i] | 0x20)
                                                          : name[i]);
    }

    p[len] = '\0';

    if (strncmp(p, ours, sizeof(ours) - 1) == 0) {
        (void) snprintf(err, LR_OBJECT_ERR_LEN,
                        "invalid name \"%s\" of \"metadata\", those that "
                        "begin with \"%s\" are the module's own", name, ours);
        return LR_ERROR;
    }

    for (i = 0; i < o->nmeta; i++) {
        if (strcmp(o->meta[i].name, m->name) == 0) {
            (void) snprintf(err, LR_OBJECT_ERR_LEN,
                            "duplicate \"metadata\" \"%s\"", name);
            return LR_ERROR;
        }
    }

    m->value = value;
    o->nmeta++;

    return LR_OK;
}


int
lr_object_cache(lr_object_t *o, const char *kind, const char *value,
    char *err)
{
    size_t  i;

    if (lr_object_one_of("cache_control", kind, lr_object_kinds, err)
        != LR_OK)
    {
        return LR_ERROR;
    }

    for (i = 0; strcmp(lr_object_kinds[i], kind) != 0; i++) { /* void */ }

    if (o->cache_control[i]) {
        (void) snprintf(err, LR_OBJECT_ERR_LEN,
                        "duplicate \"cache_control\" \"%s\"", kind);
        return LR_ERROR;
    }

    if (!lr_object_text(value)) {
        (void) snprintf(err, LR_OBJECT_ERR_LEN,
                        "invalid value \"%.100s\" of \"cache_control\" "
                        "\"%s\", it must be \"off\" or 1 to %d of printable "
                        "ASCII, without a space at either end", value, kind,
                        LR_OBJECT_VALUE);
        return LR_ERROR;
    }

    o->cache_control[i] = strcmp(value, "off") == 0 ? "" : value;

    return LR_OK;
}


int
lr_object_check(lr_object_t *o, lr_object_store_e store, char *err)
{
    size_t                    i;
    const lr_object_names_t  *names;

    names = &lr_object_names[store];

    if (o->storage_class && names->classes == NULL) {

        if (!lr_object_word(o->storage_class, strlen(o->storage_class), "_-")
            || strlen(o->storage_class) > LR_OBJECT_META_KEY
            || o->storage_class[0] == '\0')
        {
            (void) snprintf(err, LR_OBJECT_ERR_LEN,
                            "invalid value \"%.100s\" of \"storage_class\", "
                            "it must be 1 to %d of A-Z a-z 0-9 _ -",
                            o->storage_class, LR_OBJECT_META_KEY);
            return LR_ERROR;
        }

    } else if (lr_object_one_of("storage_class", o->storage_class,
                                names->classes, err)
               != LR_OK)
    {
        return LR_ERROR;
    }

    if (lr_object_one_of("acl", o->acl, names->acls, err) != LR_OK
        || lr_object_one_of("encryption", o->encryption, names->encryptions,
                            err)
           != LR_OK)
    {
        return LR_ERROR;
    }

    if (o->key_id
        && (strcmp(o->encryption, "KMS") != 0
            || strchr(o->key_id, ' ') || !lr_object_text(o->key_id)))
    {
        (void) snprintf(err, LR_OBJECT_ERR_LEN,
                        "invalid value \"%.100s\" of \"encryption\", only "
                        "\"KMS\" takes the id of a key, 1 to %d of printable "
                        "ASCII without a space", o->key_id, LR_OBJECT_VALUE);
        return LR_ERROR;
    }

    if (store == LR_OBJECT_OSS && o->ntags
        && strstr((char *) o->tags.data, "%40"))
    {
        (void) snprintf(err, LR_OBJECT_ERR_LEN,
                        "\"tagging\" has an \"@\", which \"type oss\" does "
                        "not take");
        return LR_ERROR;
    }

    for (i = 0; i < o->nmeta; i++) {
        memcpy(o->meta[i].name, names->meta, strlen(names->meta));
    }

    /* what is written again must not be had from a cache */

    if (o->cache_control[LR_OBJECT_INDEX] == NULL) {
        o->cache_control[LR_OBJECT_INDEX] = "no-cache";
    }

    if (o->cache_control[LR_OBJECT_MANIFEST] == NULL) {
        o->cache_control[LR_OBJECT_MANIFEST] = "no-cache";
    }

    return LR_OK;
}


size_t
lr_object_headers(const lr_object_t *o, lr_object_store_e store,
    lr_object_op_e op, lr_object_kind_e kind, lr_header_t *h)
{
    size_t                    i, n;
    const lr_object_names_t  *names;

    names = &lr_object_names[store];
    n = 0;

    /* an upload's ACL is told at its end to OSS, at its begin to S3 */

    if (op == LR_OBJECT_COMPLETE) {
        lr_object_add(h, &n, names->acl,
                      store == LR_OBJECT_OSS ? o->acl : NULL);
        return n;
    }

    if (store == LR_OBJECT_S3
        || (op != LR_OBJECT_INITIATE && op != LR_OBJECT_WORK))
    {
        lr_object_add(h, &n, names->acl, o->acl);
    }

    if (op != LR_OBJECT_WORK && kind == LR_OBJECT_MEDIA) {
        lr_object_add(h, &n, names->storage_class, o->storage_class);
    }

    if (o->encryption) {
        lr_object_add(h, &n, names->encryption,
                      store == LR_OBJECT_S3
                      && strcmp(o->encryption, "KMS") == 0
                      ? "aws:kms" : o->encryption);
        lr_object_add(h, &n, names->key_id, o->key_id);
    }

    if (o->ntags) {
        lr_object_add(h, &n, names->tags, (char *) o->tags.data);
        lr_object_add(h, &n, names->tags_directive,
                      op == LR_OBJECT_COPY ? names->replace : NULL);
    }

    /* a copy in OSS has the metadata of its source */

    if (op == LR_OBJECT_COPY && store == LR_OBJECT_OSS) {
        return n;
    }

    lr_object_add(h, &n, "Cache-Control", o->cache_control[kind]);

    for (i = 0; i < o->nmeta; i++) {
        lr_object_add(h, &n, o->meta[i].name, o->meta[i].value);
    }

    return n;
}


void
lr_object_free(lr_object_t *o)
{
    lr_buf_free(&o->tags);
    memset(o, 0, sizeof(lr_object_t));
}


static void
lr_object_add(lr_header_t *h, size_t *n, const char *name, const char *value)
{
    if (value == NULL || value[0] == '\0') {
        return;
    }

    h[*n].name = name;
    h[*n].value = value;
    (*n)++;
}


static int
lr_object_one_of(const char *setting, const char *value,
    const char *const *words, char *err)
{
    int     k;
    size_t  i, n;

    if (value == NULL) {
        return LR_OK;
    }

    for (i = 0; words[i] != NULL; i++) {
        if (strcmp(words[i], value) == 0) {
            return LR_OK;
        }
    }

    n = 0;
    k = snprintf(err, LR_OBJECT_ERR_LEN,
                 "invalid value \"%.64s\" of \"%s\", it must be ", value,
                 setting);

    for (i = 0; words[i] != NULL && k > 0; i++) {

        n += (size_t) k;

        if (n >= LR_OBJECT_ERR_LEN) {
            break;
        }

        k = snprintf(err + n, LR_OBJECT_ERR_LEN - n, "%s\"%s\"",
                     i == 0 ? "" : words[i + 1] ? ", " : " or ", words[i]);
    }

    return LR_ERROR;
}


/* what can be a header's value, and is the same when it is read again */

static int
lr_object_text(const char *s)
{
    size_t  i, n;

    n = strlen(s);

    if (n == 0 || n > LR_OBJECT_VALUE || s[0] == ' ' || s[n - 1] == ' ') {
        return 0;
    }

    for (i = 0; i < n; i++) {
        if (s[i] < ' ' || s[i] > '~') {
            return 0;
        }
    }

    return 1;
}


static int
lr_object_word(const char *s, size_t n, const char *more)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if (!((s[i] >= 'A' && s[i] <= 'Z') || (s[i] >= 'a' && s[i] <= 'z')
              || (s[i] >= '0' && s[i] <= '9') || strchr(more, s[i])))
        {
            return 0;
        }
    }

    return 1;
}
