
/*
 * Copyright (C) the ngx_live_record authors
 *
 * A recording in the spool, <spool>/<app>/<stream>/<id>/, and its journal
 * record.log.  Whoever holds that journal's lock is the recorder.  The
 * events, all times in ms, "time" and "wall" since 1970, "media" since the
 * recording's first frame (less than 0 where the other track begins before
 * it):
 *
 *   start      version, id, time
 *   publish    time, media, args            a span begins
 *   open       file, cycle, base, media, wall, discontinuity
 *   close      file, duration, bytes, rows, independent
 *   drop       file                         nothing of it was usable
 *   lost       time, frames, bytes, why     media that could not be kept
 *   error      time, text
 *   unpublish  time, why                    the span ended, grace begins
 *   grace      time, grace                  no grace is longer from now on
 *   end        time                         the grace is over
 */


#ifndef _LR_RECORDING_H_INCLUDED_
#define _LR_RECORDING_H_INCLUDED_


#include <jansson.h>
#include "lr_core.h"
#include "lr_fragment.h"
#include "lr_settings.h"


#define LR_PATH_MAX         4096
#define LR_ID_MAX           64

#define LR_TMP_DIR          ".tmp"
#define LR_QUARANTINE_DIR   "quarantine"


typedef enum {
    LR_RECORDING_LIVE = 0,
    LR_RECORDING_PAUSED,
    LR_RECORDING_ENDED
} lr_recording_state_e;


typedef struct {
    char                id[LR_ID_MAX + 1];
    int64_t             started;
    int64_t             time;         /* of the last change of state */
    int64_t             media;        /* where all fragments have ended */
    int64_t             cycle_start;
    int64_t             grace;        /* of a "grace" event */
    uint32_t            cycle;        /* number of the one under way */
    uint32_t            next;         /* number of the next file */
    uint32_t            fragments;    /* closed */
    uint32_t            spans;
    uint64_t            offset;       /* of record.log, read so far */
    uint64_t            lost_frames;  /* as far as it was journalled */
    uint64_t            lost_bytes;
    lr_fragment_t       open;
    unsigned            has_open:1;
    unsigned            state:2;      /* lr_recording_state_e */
    unsigned            limited:1;    /* by the grace above */
} lr_recording_t;


/*
 * Called for each closed fragment and each begun span as they are read; args
 * are the span's as of lr_push_args(), or NULL.
 */
typedef struct {
    int               (*fragment)(void *data, const lr_fragment_t *f);
    int               (*span)(void *data, int64_t wall, int64_t media,
                              json_t *args);
    void               *data;
} lr_recording_reader_t;


/*
 * Reads what is new in record.log since the last call; a zeroed structure
 * begins at the start.  reader may be NULL.  Results as of
 * lr_journal_read().
 */
int lr_recording_read(lr_recording_t *rec, const char *dir,
    const lr_recording_reader_t *reader, char *err, size_t size);

/*
 * These append one event to record.log; LR_ERROR with errno.  args is JSON
 * as of lr_push_args(), or NULL or empty for none.
 */
int lr_recording_publish(int fd, int64_t time, int64_t media,
    const char *args);
int lr_recording_open(int fd, const lr_fragment_t *f);
int lr_recording_close(int fd, const lr_fragment_t *f);
int lr_recording_drop(int fd, uint32_t number);
int lr_recording_lost(int fd, int64_t time, uint64_t frames, uint64_t bytes,
    const char *why);
int lr_recording_error(int fd, int64_t time, const char *text);
int lr_recording_unpublish(int fd, int64_t time, const char *why);
int lr_recording_grace(int fd, int64_t time, int64_t grace);

/* how long the recording waits for a return, ms: "grace" is its setting */
int64_t lr_recording_grace_of(const lr_recording_t *rec, int64_t grace);

/*
 * Whether that runs still if it counts from "since".  A clock that was set
 * back by more than it is long has ended it: nobody knows when it is over.
 */
int lr_recording_grace_runs(int64_t since, int64_t grace, int64_t now);


typedef struct {
    char                dir[LR_PATH_MAX];
    int                 fd;           /* record.log, locked */
    lr_recording_t      rec;
    lr_settings_t       settings;     /* the recording's own */
    unsigned            resumed:1;
    unsigned            fsync:1;      /* set by the caller beforehand: a new
                                         recording is synced to the disk */
} lr_claim_t;


/*
 * Becomes the recorder of a stream: goes on with the recording of the same
 * app, stream and scope whose grace still runs at "now", or creates one
 * with the id given ([0-9a-z-]{1,64}).  Mends what a dead recorder left,
 * and writes the publish event.  Where that fails, one is created as well.
 *
 * LR_AGAIN: a recording that might be gone on with is locked; unless
 * "final" is set, when a new one is made beside it.  LR_ERROR with a
 * reason in err.  On LR_OK the caller owns the descriptor and settings.
 */
int lr_recording_claim(lr_claim_t *claim, const char *spool,
    const lr_settings_t *settings, const char *id, int64_t now,
    unsigned final, char *err, size_t size);

/*
 * Ends a recording whose grace is over at "now", after mending it.  The
 * grace given is its setting, or a shorter one.
 * LR_OK: it is ended.  LR_AGAIN: it has a recorder or its grace runs;
 * *until is then when to look again, if known, or 0.  LR_DECLINED or
 * LR_ERROR with a reason.
 */
int lr_recording_end(const char *dir, int64_t grace, int64_t now,
    int64_t *until, char *err, size_t size);


#endif /* _LR_RECORDING_H_INCLUDED_ */
