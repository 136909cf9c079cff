
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What an admin wants objects to be like in a store: storage class, ACL,
 * encryption, tags, metadata, and how long caches may keep them; and the
 * headers that tell it to OSS or to S3.  Sources: "PutObject",
 * "InitiateMultipartUpload", "CompleteMultipartUpload" and "CopyObject" of
 * the OSS documentation and of the Amazon S3 API Reference; for tags
 * "Object tagging" of both, for S3's limit of metadata "Working with object
 * metadata" of the Amazon S3 User Guide.
 */


#ifndef _LR_OBJECT_H_INCLUDED_
#define _LR_OBJECT_H_INCLUDED_


#include "lr_core.h"
#include "lr_sign.h"


#define LR_OBJECT_ERR_LEN   256

#define LR_OBJECT_TAGS      10
#define LR_OBJECT_TAG_KEY   128
#define LR_OBJECT_TAG_LEN   256

#define LR_OBJECT_META      16
#define LR_OBJECT_META_KEY  64
#define LR_OBJECT_META_LEN  1024  /* of all names and values */

/* the most that lr_object_headers() gives */
#define LR_OBJECT_HEADERS   (LR_OBJECT_META + 7)


typedef enum {
    LR_OBJECT_MEDIA = 0,          /* ts, mp4, flv */
    LR_OBJECT_PLAYLIST,           /* of a cycle: written once */
    LR_OBJECT_INDEX,              /* of a day: written again and again; of a
                                     range of time: may be, too */
    LR_OBJECT_MANIFEST,           /* the same; what is known of an index */
    LR_OBJECT_KINDS
} lr_object_kind_e;


typedef enum {
    LR_OBJECT_OSS = 0,
    LR_OBJECT_S3
} lr_object_store_e;


/* the requests that make objects */

typedef enum {
    LR_OBJECT_PUT = 0,
    LR_OBJECT_INITIATE,
    LR_OBJECT_WORK,               /* initiate one that will be moved */
    LR_OBJECT_COMPLETE,
    LR_OBJECT_COPY
} lr_object_op_e;


typedef struct {
    char               name[sizeof("x-oss-meta-") + LR_OBJECT_META_KEY];
    const char        *value;
} lr_object_meta_t;


/* a zeroed one is empty; strings are the caller's and have to stay */

typedef struct {
    const char        *storage_class;  /* of media; NULL as any other: the
                                          store decides */
    const char        *acl;
    const char        *encryption;     /* "AES256", "KMS" or "SM4" */
    const char        *key_id;         /* of KMS */
    const char        *cache_control[LR_OBJECT_KINDS];
    lr_buf_t           tags;           /* "a=b&c=d", encoded */
    size_t             ntags;
    lr_object_meta_t   meta[LR_OBJECT_META];
    size_t             nmeta;
    size_t             meta_len;
} lr_object_t;


/*
 * These add a tag "key=value", a name and its value to the metadata, and
 * the header of a kind of objects ("media", "playlist", "index" or
 * "manifest"; a value "off" stands for none).  LR_ERROR: err, of
 * LR_OBJECT_ERR_LEN bytes, says what is wrong with which setting.
 */
int lr_object_tag(lr_object_t *o, const char *tag, char *err);
int lr_object_meta(lr_object_t *o, const char *name, const char *value,
    char *err);
int lr_object_cache(lr_object_t *o, const char *kind, const char *value,
    char *err);

/*
 * When all is there: whether the store takes it, and defaults for what was
 * not set.  Results as above.
 */
int lr_object_check(lr_object_t *o, lr_object_store_e store, char *err);

/*
 * Writes the headers of a request into h, of LR_OBJECT_HEADERS, and gives
 * how many they are.  They point into o.  Only final names get a storage
 * class: an object that is moved would be charged for the least time that
 * its class has, and one of an archive cannot be copied.
 */
size_t lr_object_headers(const lr_object_t *o, lr_object_store_e store,
    lr_object_op_e op, lr_object_kind_e kind, lr_header_t *h);

void lr_object_free(lr_object_t *o);


#endif /* _LR_OBJECT_H_INCLUDED_ */
