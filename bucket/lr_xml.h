
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The XML bodies of a store's answers.  A document type is refused, so
 * there are no entities but the five of XML itself.
 */


#ifndef _LR_XML_H_INCLUDED_
#define _LR_XML_H_INCLUDED_


#include "lr_core.h"


/* of a body; a list of 1000 encoded keys is under 4 MB */
#define LR_XML_MAX_SIZE   (8 * 1024 * 1024)

/* of any other, which may be read on an event loop: the rest is left out */
#define LR_XML_MAX_SMALL  (64 * 1024)

#define LR_XML_MAX_TEXT   8192
#define LR_XML_MAX_DEPTH  16


/*
 * An error of the store.  What is too long is cut, what is not printable
 * is replaced, so that it may stand in a log.
 */

typedef struct {
    char            code[64];
    char            message[256];
    char            request_id[64];
    char            ec[32];
    char            region[64];     /* S3: where the bucket is */
    char            endpoint[256];  /* where it should be asked for */
} lr_xml_error_t;


typedef struct {
    char           *key;
    char           *etag;     /* without quotes; NULL if not given */
    uint64_t        size;
} lr_xml_object_t;


/* a page of ListObjectsV2; a zeroed one is empty and valid */

typedef struct {
    lr_xml_object_t  *objects;
    size_t            n;
    char             *next;   /* NextContinuationToken or NULL */
    unsigned          truncated:1;

    size_t            size;   /* of objects, for the parser */
} lr_xml_list_t;


typedef struct {
    char           *key;
    char           *id;
    char           *initiated;  /* "2026-11-23T05:00:00.000Z", or NULL */
} lr_xml_upload_t;


/* a page of ListMultipartUploads; a zeroed one is empty and valid */

typedef struct {
    lr_xml_upload_t  *uploads;
    size_t            n;
    char             *next_key;     /* NextKeyMarker or NULL */
    char             *next_id;      /* NextUploadIdMarker or NULL */
    unsigned          truncated:1;

    size_t            size;         /* of uploads, for the parser */
} lr_xml_uploads_t;


/*
 * Reads an <Error>, at whatever depth it stands.  LR_DECLINED if there is
 * none with a Code: not XML, a page of a proxy, another answer.
 */
int lr_xml_error(lr_xml_error_t *e, const char *p, size_t n);

/*
 * Reads a ListBucketResult; names are decoded if its EncodingType is url.
 * The caller frees l, whatever the result.  LR_DECLINED if the body is
 * another one or not well-formed, LR_ERROR without memory.
 */
int lr_xml_list(lr_xml_list_t *l, const char *p, size_t n);
void lr_xml_list_free(lr_xml_list_t *l);

/*
 * The same for S3, which leaves NextContinuationToken as it is when names
 * are encoded, and whose tokens may have a "+".
 */
int lr_xml_list_s3(lr_xml_list_t *l, const char *p, size_t n);

/* the same for a ListMultipartUploadsResult */
int lr_xml_uploads(lr_xml_uploads_t *l, const char *p, size_t n);
void lr_xml_uploads_free(lr_xml_uploads_t *l);

/*
 * Reads a ListPartsResult: how many parts are in it.  Results as above.
 */
int lr_xml_parts(size_t *parts, const char *p, size_t n);

/*
 * Read the UploadId of an InitiateMultipartUploadResult, and the ETag without
 * quotes of a CompleteMultipartUploadResult or of a CopyPartResult, into a
 * string that the caller frees.  Results as above; a 200 may well carry an
 * <Error>.
 */
int lr_xml_initiate(char **upload_id, const char *p, size_t n);
int lr_xml_complete(char **etag, const char *p, size_t n);
int lr_xml_copy_part(char **etag, const char *p, size_t n);


#endif /* _LR_XML_H_INCLUDED_ */
