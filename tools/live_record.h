
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The command live-record: what a recording's directory says, read without
 * locks and without writing, so that nginx may be at work on it.
 */


#ifndef _LIVE_RECORD_H_INCLUDED_
#define _LIVE_RECORD_H_INCLUDED_


#include "lr_content.h"
#include "lr_core.h"
#include "lr_fragment.h"
#include "lr_recording.h"
#include "lr_settings.h"


#define LR_TOOL_OK      0
#define LR_TOOL_FAILED  1
#define LR_TOOL_USAGE   2

/* of texts that the functions below write */
#define LR_TOOL_TEXT    64


typedef struct {
    lr_fragment_t         f;
    uint64_t              size;       /* of the file, if it is here */
    char                 *key;        /* of its ts object; "" for none */
    uint64_t              object;     /* bytes of it */
    char                 *why;        /* there can be none */
    lr_tracks_t           tracks;

    /* sets of LR_FORMAT_... */

    unsigned              sent:3;
    unsigned              stored:3;
    unsigned              without:3;

    unsigned              open:1;     /* the journal has no end of it */
    unsigned              here:1;
    unsigned              known:1;    /* tracks */
} lr_tool_fragment_t;


typedef struct {
    int64_t               from;       /* unix ms */
    int64_t               to;         /* 0: has not ended */
    int64_t               media;
    char                 *why;        /* it ended */
} lr_tool_span_t;


typedef struct {
    int64_t               time;       /* unix ms */
    char                 *text;
} lr_tool_note_t;


/* a file or a playlist that is in the bucket */

typedef struct {
    unsigned              format;     /* LR_FORMAT_... */
    uint32_t              cycle;      /* of a playlist */
    uint32_t              first;      /* of a file: fragments */
    uint32_t              last;
    char                 *key;
    uint64_t              bytes;
} lr_tool_object_t;


/* an mp4 or flv file on its way there; first is 0 without one */

typedef struct {
    unsigned              format;
    uint32_t              first;
    uint32_t              lead;
    uint32_t              sent;
    uint32_t              parts;
    uint64_t              bytes;
    char                 *key;
    char                 *upload;
    unsigned              head:1;     /* part 1 */
    unsigned              complete:1;
    unsigned              lost:1;
} lr_tool_upload_t;


typedef struct {
    char                  dir[LR_PATH_MAX];
    lr_settings_t         settings;
    lr_recording_t        rec;
    int64_t               touched;    /* unix ms of the last write */

    lr_tool_fragment_t   *fragments;
    size_t                n;
    lr_tool_span_t       *spans;
    size_t                nspans;
    lr_tool_note_t       *notes;      /* losses and errors */
    size_t                nnotes;

    /* of ship.log */

    lr_tool_object_t     *objects;
    size_t                nobjects;
    lr_tool_upload_t      uploads[2];
    uint64_t              confirmed;  /* fragments */
    uint64_t              listed;     /* of these, in manifests */
    uint32_t              indexed;    /* cycles that have a playlist */
    unsigned              closed:1;   /* the last manifest */
    unsigned              day:1;      /* the index of the day was put */
} lr_tool_t;


typedef struct {
    char                **paths;
    size_t                n;
    unsigned              shut:1;     /* a directory cannot be read */
} lr_tool_list_t;


/*
 * Reads record.log: state, fragments, spans, notes; which files are here.
 * LR_ERROR: err says why.  What was read until then is there.
 */
int lr_tool_read(lr_tool_t *t, const char *dir, char *err, size_t size);

/* the same of template.json and ship.log, which need not be there yet */
int lr_tool_read_settings(lr_tool_t *t, char *err, size_t size);
int lr_tool_read_ship(lr_tool_t *t, char *err, size_t size);

void lr_tool_free(lr_tool_t *t);


/* 1 if it is the directory of a recording */
int lr_tool_is_recording(const char *dir);

/*
 * All recordings below a directory, in order; LR_ERROR with errno.  Of what
 * cannot be read below it stderr is told.
 */
int lr_tool_find(lr_tool_list_t *list, const char *dir);

void lr_tool_list_free(lr_tool_list_t *list);


/* the commands; these give an exit code */

int lr_tool_inspect(const char *dir);
int lr_tool_inspect_all(const char *dir, const lr_tool_list_t *list);
int lr_tool_render(const char *dir, const char *format, const char *file,
    unsigned force);


/* says something on stderr, with the command's name before it */
void lr_tool_say(const char *fmt, ...)
    __attribute__ ((format (printf, 1, 2)));

/* these end the program if there is no memory */

void *lr_tool_grow(void *p, size_t n, size_t size);
char *lr_tool_copy(const char *s);

/* "2026-03-01T12:00:00.123Z", "1:02:03.456" into LR_TOOL_TEXT bytes */
char *lr_tool_time(char *buf, int64_t ms);
char *lr_tool_length(char *buf, int64_t ms);

/* what may not go to a terminal becomes "?"; s may be NULL, which is "" */
const char *lr_tool_safe(char *s);


#endif /* _LIVE_RECORD_H_INCLUDED_ */
