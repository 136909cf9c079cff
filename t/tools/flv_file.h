
/*
 * Copyright (C) the ngx_live_record authors
 *
 * An FLV file in memory, cut into its tags.  The tools do not use the
 * project's own reader, so that one mistake cannot hide in both.
 */


#ifndef _FLV_FILE_H_INCLUDED_
#define _FLV_FILE_H_INCLUDED_


#include "lr_core.h"


typedef enum {
    FLV_META = 0,
    FLV_VIDEO_HEADER,         /* a sequence header */
    FLV_AUDIO_HEADER,
    FLV_VIDEO,
    FLV_AUDIO
} flv_kind_e;


typedef struct {
    u_char       *data;
    uint32_t      len;
    uint32_t      ts;         /* ms */
    flv_kind_e    kind;
    unsigned      key:1;      /* a video keyframe */
    unsigned      nal:1;      /* the payload is H.264 or HEVC */
    unsigned      cts:1;      /* a composition time lies before the payload */
    uint8_t       header;     /* bytes before the payload */
} flv_tag_t;


typedef struct {
    u_char       *bytes;
    flv_tag_t    *tags;
    unsigned      ntags;
} flv_file_t;


/*
 * Reads a file; a torn tag at its end is left out.  LR_ERROR with a text in
 * *error.  The data of the tags lies in file->bytes.
 */
int flv_file_read(flv_file_t *file, const char *path, const char **error);

void flv_file_free(flv_file_t *file);


#endif /* _FLV_FILE_H_INCLUDED_ */
