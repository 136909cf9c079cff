
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What is to be done for a recording in the spool until all of it is in its
 * bucket: a state drawn from record.log and ship.log, and the next step
 * that follows from it.  Whoever holds ship.log's lock is the shipper.
 *
 * The events of ship.log, in the order in which they are committed:
 *
 *   start     version
 *   fragment  file, key, bytes, video, audio,    confirmed by the bucket, or
 *             digests, mp4, flv, part            known, where there is no ts
 *   skip      file, why                          no object can be made of it
 *   manifest  part, fragments, closed, full      of the part, confirmed
 *   index     cycle, key, bytes ...              confirmed; key "" for none
 *   day                                          the index of the day is
 *
 * and those of mp4 and flv files, which all name their format:
 *
 *   begin     first, lead, key                   an upload is asked for; part
 *                                                1 will end with "lead"
 *   upload    upload, align                      it has begun
 *   part      number, last, bytes, crc, etag     confirmed
 *   complete                                     all parts are one object
 *   move      to                                 it will be asked for
 *   stored    key, bytes, last                   it has its name
 *   without   file, why                          not in this format's files
 *   abandon   why                                the upload is lost
 *   abort                                        and is not open any more
 *
 * What callbacks need of an object is in the "notice" of the event that
 * confirms it, see lr_ship_notice.c.
 *
 * Everything here may block and runs off the event loop, except for
 * lr_ship_next().
 */


#ifndef _LR_SHIP_H_INCLUDED_
#define _LR_SHIP_H_INCLUDED_


#include <jansson.h>
#include "lr_body.h"
#include "lr_core.h"
#include "lr_manifest.h"
#include "lr_name.h"
#include "lr_part.h"
#include "lr_recording.h"
#include "lr_settings.h"


/* so many confirmed fragments at most are not in the manifest yet */
#define LR_SHIP_UNLISTED  4

/* the formats with files: mp4, flv */
#define LR_SHIP_FILES  2


typedef enum {
    LR_SHIP_WAIT = 0,
    LR_SHIP_FRAGMENT,
    LR_SHIP_MANIFEST,
    LR_SHIP_INDEX,
    LR_SHIP_DAY,
    LR_SHIP_FILE,                     /* the whole of a short one */
    LR_SHIP_BEGIN,
    LR_SHIP_PART,
    LR_SHIP_COMPLETE,
    LR_SHIP_MOVE,
    LR_SHIP_ABORT,
    LR_SHIP_DONE
} lr_ship_step_e;


/* a fragment of a cycle whose index has not been written */

typedef struct {
    lr_fragment_t       f;
    char               *key;          /* NULL: there is no object */
    uint64_t            digest[2];    /* as of lr_content_t */
    uint64_t            size[LR_SHIP_FILES];  /* what its media takes */

    /* sets of LR_FORMAT_... */

    unsigned            sent:3;       /* in a part that was confirmed */
    unsigned            stored:3;     /* in an object that was */
    unsigned            without:3;    /* not in files of this format */
    unsigned            skipped:1;
    unsigned            removed:1;    /* its FLV file */

    uint32_t            tracks;       /* as of lr_manifest_tracks() */
} lr_ship_fragment_t;


/* of a span: the media time it begins at, its push_args or NULL */

typedef struct {
    int64_t             media;
    json_t             *args;
} lr_ship_args_t;


/* the file of a format that is under way; first is 0 without an upload */

typedef struct {
    unsigned            format;       /* LR_FORMAT_MP4, _FLV */
    uint32_t            sequence;     /* from 0 */
    uint32_t            first;        /* number of its first fragment */
    uint32_t            lead;         /* and of the last in part 1 */
    uint32_t            sent;         /* of the last in any other part */
    char               *key;          /* of the upload */
    char               *upload;       /* its id; NULL: not known */
    char               *to;           /* what it is moved to, if asked */
    uint32_t            align;
    lr_part_t          *parts;        /* part 1 is all zeros at first */
    size_t              nparts;
    unsigned            complete:1;
    unsigned            lost:1;       /* to be aborted */
} lr_ship_file_t;


typedef struct {
    char                 dir[LR_PATH_MAX];
    int                  fd;          /* ship.log, locked */
    uint64_t             offset;      /* of ship.log, at the opening */

    lr_settings_t        settings;
    lr_zone_t            zone;
    lr_recording_t       rec;
    int64_t              started;     /* wall time of the first frame that
                                         there is, 0 before it has come */
    int64_t              earliest;    /* of any: a clock may be set back */
    int64_t              until;       /* when the grace is over, if known */

    lr_ship_fragment_t  *fragments;   /* in order */
    size_t               n;
    size_t               nalloc;
    size_t               next;        /* the first not shipped or skipped */
    uint32_t             low;         /* tables below are not needed */

    lr_manifest_span_t  *spans;       /* of all publishes */
    size_t               nspans;
    lr_ship_args_t      *args;        /* of the same, if callbacks want it */

    lr_manifest_t       *part;        /* the newest, with what is confirmed */
    size_t               listed;      /* fragments of it in the bucket */
    uint32_t             parts;       /* number of the next one */
    int64_t              from;        /* media time the newest begins at */
    uint32_t             cycle;       /* the first without an index */

    lr_ship_file_t       files[LR_SHIP_FILES];
    lr_ship_file_t      *file;        /* that a step is about */

    /* set by the caller */

    uint64_t             part_min;    /* bytes of a part */
    unsigned             direct:1;    /* names without an end time are those
                                         of uploads, too */
    unsigned             fsync:1;     /* what is journalled is on the disk
                                         before files are removed */

    lr_content_t         content;     /* of the fragment being shipped */

    unsigned             dirty:1;     /* the part changed otherwise */
    unsigned             sealed:1;    /* it is in the bucket as a full one */
    unsigned             closed:1;    /* the last manifest is in the bucket */
    unsigned             day:1;       /* the index of the day was written */
    unsigned             due:1;       /* a cycle has come since */
    unsigned             timed:1;     /* the last span has its wall time */
} lr_ship_t;


/* what is to be asked of the bucket for a step; a zeroed one is empty */

typedef struct {
    lr_buf_t             key;
    lr_buf_t             to;          /* of MOVE */
    lr_body_t            body;        /* the source of a body */
    uint32_t             number;      /* of PART */
    uint64_t             offset;      /* of PART, behind part 1; of part 1:
                                         bytes of all others */
    uint64_t             size;        /* of COMPLETE, MOVE: the object's */
    uint64_t             crc;
    unsigned             keep:1;      /* no other object may be replaced */
    unsigned             again:1;     /* of BEGIN: it may have begun before */
} lr_ship_order_t;


/* what the bucket has confirmed */

typedef struct {
    const char          *key;         /* the object's; "" for none */
    const char          *answer;      /* of BEGIN: the upload's id; of PART:
                                         its ETag */
    uint64_t             bytes;
    uint64_t             crc;
    uint32_t             align;       /* of BEGIN */
    const lr_tracks_t   *tracks;      /* of FRAGMENT, if a ts was made */
} lr_ship_result_t;


/*
 * Becomes the shipper of the recording in dir and reads its state.
 * LR_AGAIN: it has a shipper, or is gone.  LR_DECLINED: it cannot be
 * understood, err says why.  LR_ERROR: it could not be read now.
 */
int lr_ship_open(lr_ship_t *s, const char *dir, char *err, size_t size);

/*
 * Reads what the recorder wrote since, and ends the recording if its grace
 * is over at "now".  Results as of lr_ship_open().
 */
int lr_ship_look(lr_ship_t *s, int64_t now, char *err, size_t size);

/* whether the grace that was running then is over */
int lr_ship_due(const lr_ship_t *s, int64_t now);

/* what is to be done next; s->file is the file that it is about */
lr_ship_step_e lr_ship_next(lr_ship_t *s);

/*
 * For all steps but LR_SHIP_DAY and _DONE: what the bucket is to be asked.
 * "other" is 0, or n to draw the n-th other name for a key that is taken.
 * LR_DECLINED: there is nothing to be asked, the step is to be confirmed
 * with an empty key.  LR_ERROR with errno: ENOENT and ENODATA, a fragment
 * is gone or empty; else no memory, or a key that is too long.
 */
int lr_ship_prepare(lr_ship_t *s, lr_ship_step_e step, unsigned other,
    lr_ship_order_t *order);

/* frees what an order holds, it is empty again */
void lr_ship_order_free(lr_ship_order_t *order);

/*
 * The bucket has confirmed a step: journals it, and frees what nobody needs
 * any more.  LR_ERROR with errno when it could not be journalled; the step
 * is then done again.
 */
int lr_ship_confirm(lr_ship_t *s, lr_ship_step_e step,
    const lr_ship_result_t *result);

/* no object can be made of the next fragment */
int lr_ship_skip(lr_ship_t *s, const char *why);

/*
 * The upload of s->file is not there any more, or cannot be ended: what was
 * in its parts is not in a file of this format, and a new one begins with
 * what there still is.
 */
int lr_ship_abandon(lr_ship_t *s, const char *why);

/*
 * Something that s->file was to be made of is gone: leaves out the fragments
 * that cannot be read.  LR_DECLINED: all can be.
 */
int lr_ship_without(lr_ship_t *s);

/*
 * The disk does not give back what a step is to be made of: what can be had
 * of it takes its place, see lr_salvage().  *lost bytes of how many files it
 * is made without.  LR_DECLINED: all can be read.
 */
int lr_ship_salvage(lr_ship_t *s, lr_ship_step_e step, unsigned *files,
    uint64_t *lost);

/*
 * Everything is in the bucket: removes the recording from the spool.
 * LR_AGAIN: somebody is at it still.
 */
int lr_ship_remove(lr_ship_t *s);

/* gives back the lock */
void lr_ship_close(lr_ship_t *s);


/*
 * Between lr_ship.c, lr_ship_event.c, lr_ship_file.c and lr_confirmed.c.
 * An event is written, and then taken in by the code that replays it at an
 * opening, so that the journal and the memory cannot differ.
 */

/* what is new in record.log; results as of lr_ship_open() */
int lr_ship_read(lr_ship_t *s, char *err, size_t size);
int lr_ship_journal(lr_ship_t *s, const char *event, json_t *o);
int lr_ship_event(void *data, const char *event, json_t *o);
int64_t lr_ship_part_end(const lr_manifest_t *part);

/*
 * Whether the next fragment begins a new part of the manifest.  Whoever looks
 * for a time goes by that of a part's first fragment, so within a part time
 * does not go back, and a part is no longer than a day.
 */
int lr_ship_part_full(const lr_ship_t *s);

/*
 * LR_ERROR with errno: the recording is not where it was.  Its files are found
 * by name and its journal is not, so they are not gone: it was moved.
 */
int lr_ship_here(const lr_ship_t *s);

/* whether all of the first cycle without an index has been shipped */
int lr_ship_cycle_done(const lr_ship_t *s);

/* of what was shipped of that cycle; start -1: nothing */
void lr_ship_cycle_range(const lr_ship_t *s, int64_t *start, int64_t *end,
    int64_t *duration);

/*
 * When something ends, by the clock: a publisher that pushes faster than real
 * time and comes back, or a clock that is set, may have its last fragment seem
 * to be over before its first one began.
 */
int64_t lr_ship_end(int64_t start, int64_t end, int64_t duration);

/* the n-th other name in place of one that was drawn */
int lr_ship_other_name(const lr_buf_t *first, unsigned other, lr_buf_t *key);

/* removes files and tables that nobody needs any more */
void lr_ship_sweep(lr_ship_t *s);

void lr_ship_files_init(lr_ship_t *s);
void lr_ship_files_free(lr_ship_t *s);
lr_ship_step_e lr_ship_file_next(lr_ship_t *s);
int lr_ship_file_prepare(lr_ship_t *s, lr_ship_step_e step, unsigned other,
    lr_ship_order_t *order);
int lr_ship_file_confirm(lr_ship_t *s, lr_ship_step_e step,
    const lr_ship_result_t *result);

/*
 * lr_ship_notice.c: what a callback has to tell of an object goes with the
 * event that confirms it, as its member "notice": { start, end, duration,
 * push_args }.  They do nothing for a recording that wants no such callback.
 */
int lr_ship_notice_span(lr_ship_t *s, int64_t media, json_t *args);
void lr_ship_notice_fragment(lr_ship_t *s, json_t *o);
void lr_ship_notice_index(lr_ship_t *s, json_t *o);
void lr_ship_notice(lr_ship_t *s, json_t *o, int64_t start, int64_t end,
    int64_t duration, int64_t media);
void lr_ship_notice_free(lr_ship_t *s);

/* LR_DECLINED: the event is not about a file */
int lr_ship_file_event(lr_ship_t *s, const char *event, json_t *o);


#endif /* _LR_SHIP_H_INCLUDED_ */
