
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What is in the spool, for those who want to know and not to act on it:
 * the journals of all recordings are read without locks and without a word
 * written.  A survey is kept and looked at again, so that each journal is
 * read once.  All of this may block.
 */


#ifndef _LR_SURVEY_H_INCLUDED_
#define _LR_SURVEY_H_INCLUDED_


#include "lr_core.h"
#include "lr_recording.h"
#include "lr_settings.h"


/* recordings that are told of one by one, the others are only counted */
#define LR_SURVEY_MAX  1000


/* a closed fragment that the bucket has not got in all formats */

typedef struct {
    uint32_t                number;
    uint32_t                cycle;
    uint64_t                bytes;
    int64_t                 end;      /* unix ms */
    unsigned                need;     /* LR_FORMAT_...; M3U8: its "fragment"
                                         is not in ship.log */
} lr_survey_fragment_t;


typedef struct {
    uint32_t                number;
    int64_t                 end;      /* of its last fragment, unix ms */
} lr_survey_cycle_t;


typedef struct {
    char                   *path;     /* app/stream/id */
    lr_settings_t           settings;
    lr_recording_t          rec;

    uint64_t                bytes;    /* of closed fragments */
    uint64_t                open;     /* and of the open one */
    int64_t                 last;     /* unix ms of the last frame, or 0 */
    uint64_t                backlog;  /* bytes of those below */
    int64_t                 due;      /* since when the oldest could have
                                         been stored, unix ms; 0: none */

    lr_survey_fragment_t   *waiting;  /* in order */
    size_t                  n;
    size_t                  nalloc;
    size_t                  cleared;  /* in it still, while journals are read */
    lr_survey_cycle_t      *cycles;   /* in order */
    size_t                  ncycles;

    uint64_t                ship;     /* offsets of what has been read */
    uint64_t                notify;
    uint64_t                size;     /* of record.log */
    uint32_t                lead[2];  /* of the mp4, flv file under way: the
                                         last fragment in its part 1 */
    uint32_t                notice;   /* number of the last callback */
    uint32_t                told;     /* of the last that is done with */
    unsigned                read:1;   /* something is known of it */
    unsigned                unread:1; /* it cannot be understood */
} lr_survey_recording_t;


/* sums of all recordings that were read */

typedef struct {
    size_t                  states[3];         /* lr_recording_state_e */
    size_t                  others;   /* recordings that were not read */
    uint64_t                fragments;
    uint64_t                bytes;
    int64_t                 due;      /* the oldest, unix ms; 0: none */
    uint64_t                callbacks;
} lr_survey_sum_t;


typedef struct {
    lr_survey_recording_t  *recordings;        /* in order of their paths */
    size_t                  n;

    lr_survey_sum_t         sum;

    int64_t                 measured; /* ms, when these were */
    uint64_t                usage;    /* bytes that the spool takes */
    uint64_t                free;     /* bytes of its file system that
                                         others than root may take */
    size_t                  quarantine;
} lr_survey_t;


/*
 * Looks at the spool, "now" being unix ms.  What a look may take is bounded:
 * recordings beyond "max", in the order of their paths, and those that were
 * not read yet when so many ms are over, are in sum.others only.  A zeroed
 * survey begins.  LR_ERROR: the spool cannot be listed, or there is no
 * memory; what was known is still there.
 */
int lr_survey_look(lr_survey_t *s, const char *spool, size_t max,
    int64_t now, int64_t ms);

void lr_survey_free(lr_survey_t *s);

/* "live", "paused", "ended" */
const char *lr_survey_state(unsigned state);


#endif /* _LR_SURVEY_H_INCLUDED_ */
