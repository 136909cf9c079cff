
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
 *   fragment  file, key, bytes, video, audio     confirmed by the bucket
 *   skip      file, why                          no object can be made of it
 *   manifest  part, fragments, closed            of the part, confirmed
 *   index     cycle, key, bytes ...              confirmed; key "" for none
 *   day                                          the index of the day is
 *
 * Everything here may block and runs off the event loop, except for
 * lr_ship_next().
 */


#ifndef _LR_SHIP_H_INCLUDED_
#define _LR_SHIP_H_INCLUDED_


#include "lr_body.h"
#include "lr_core.h"
#include "lr_manifest.h"
#include "lr_name.h"
#include "lr_recording.h"
#include "lr_settings.h"


/* so many confirmed fragments at most are not in the manifest yet */
#define LR_SHIP_UNLISTED  4


typedef enum {
    LR_SHIP_WAIT = 0,
    LR_SHIP_FRAGMENT,
    LR_SHIP_MANIFEST,
    LR_SHIP_INDEX,
    LR_SHIP_DAY,
    LR_SHIP_DONE
} lr_ship_step_e;


/* a fragment of a cycle whose index has not been written */

typedef struct {
    lr_fragment_t       f;
    char               *key;          /* NULL: not confirmed */
    unsigned            skipped:1;
} lr_ship_fragment_t;


typedef struct {
    char                 dir[LR_PATH_MAX];
    int                  fd;          /* ship.log, locked */
    uint64_t             offset;      /* of ship.log, at the opening */

    lr_settings_t        settings;
    lr_zone_t            zone;
    lr_recording_t       rec;
    int64_t              started;     /* wall time of the first frame */
    int64_t              until;       /* when the grace is over, if known */

    lr_ship_fragment_t  *fragments;   /* in order */
    size_t               n;
    size_t               nalloc;
    size_t               next;        /* the first not shipped or skipped */

    lr_manifest_span_t  *spans;       /* of all publishes */
    size_t               nspans;

    lr_manifest_t       *part;        /* the newest, with what is confirmed */
    size_t               listed;      /* fragments of it in the bucket */
    uint32_t             parts;       /* begun */
    int64_t              from;        /* media time the newest begins at */
    uint32_t             cycle;       /* the first without an index */
    unsigned             dirty:1;     /* the part changed otherwise */
    unsigned             closed:1;    /* the last manifest is in the bucket */
    unsigned             any:1;       /* some fragment was confirmed */
    unsigned             day:1;       /* the index of the day was written */
    unsigned             due:1;       /* a cycle has come since */
    unsigned             timed:1;     /* the last span has its wall time */
} lr_ship_t;


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

/* what is to be done next */
lr_ship_step_e lr_ship_next(const lr_ship_t *s);

/*
 * For LR_SHIP_FRAGMENT, _MANIFEST and _INDEX: the key, and but for a
 * fragment the text.  "other" is 0, or n to draw the n-th other name for a
 * key that is taken.  LR_DECLINED: there is nothing to be put, the step is
 * to be confirmed with an empty key.  LR_ERROR: no memory, or a key that is
 * too long.
 */
int lr_ship_prepare(lr_ship_t *s, lr_ship_step_e step, unsigned other,
    lr_buf_t *key, lr_buf_t *text);

/*
 * The bucket has confirmed a step: journals it, and frees what nobody needs
 * any more.  tracks tells of a fragment's codecs.  LR_ERROR with errno when it
 * could not be journalled; the step is then done again.
 */
int lr_ship_confirm(lr_ship_t *s, lr_ship_step_e step, const char *key,
    uint64_t bytes, const lr_tracks_t *tracks);

/* no object can be made of the next fragment */
int lr_ship_skip(lr_ship_t *s, const char *why);

/*
 * Everything is in the bucket: removes the recording from the spool.
 * LR_AGAIN: somebody is at it still.
 */
int lr_ship_remove(lr_ship_t *s);

/* gives back the lock */
void lr_ship_close(lr_ship_t *s);


#endif /* _LR_SHIP_H_INCLUDED_ */
