
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include "lr_journal.h"
#include "lr_manifest.h"
#include "lr_spool.h"
#include "lr_survey.h"


/* what asks for a stat of each file is not done at each look, ms */
#define LR_SURVEY_MEASURE  5000


static int lr_survey_merge(lr_survey_t *s, lr_spool_list_t *list,
    size_t max);
static int lr_survey_compare(const void *one, const void *two);
static int lr_survey_read(lr_survey_recording_t *r, const char *spool);
static int lr_survey_on_fragment(void *data, const lr_fragment_t *f);
static int lr_survey_cycle(lr_survey_recording_t *r, uint32_t number,
    int64_t end);
static int64_t lr_survey_cycle_end(const lr_survey_recording_t *r,
    uint32_t number);
static int lr_survey_ship_event(void *data, const char *event, json_t *o);
static void lr_survey_file_event(lr_survey_recording_t *r,
    const char *event, json_t *o);
static void lr_survey_clear(lr_survey_recording_t *r, uint32_t after,
    uint32_t last, unsigned formats);
static void lr_survey_compact(lr_survey_recording_t *r);
static int lr_survey_notify_event(void *data, const char *event, json_t *o);
static uint32_t lr_survey_number(json_t *o, const char *key);
static void lr_survey_open(lr_survey_recording_t *r, const char *dir);
static void lr_survey_due(lr_survey_recording_t *r);
static void lr_survey_count(lr_survey_sum_t *sum,
    const lr_survey_recording_t *r);
static void lr_survey_measure(lr_survey_t *s, const char *spool);
static void lr_survey_recording_free(lr_survey_recording_t *r);
static int64_t lr_survey_clock(void);


int
lr_survey_look(lr_survey_t *s, const char *spool, size_t max, int64_t now,
    int64_t ms)
{
    int                     rc;
    size_t                  i;
    int64_t                 until;
    lr_spool_list_t         list;
    lr_survey_recording_t  *r;

    memset(&list, 0, sizeof(lr_spool_list_t));

    rc = lr_spool_scan(&list, spool, 0, 1);

    if (rc == LR_OK) {
        memset(&s->sum, 0, sizeof(lr_survey_sum_t));
        s->sum.others = list.n > max ? list.n - max : 0;
        s->sum.others += list.shut;

        rc = lr_survey_merge(s, &list, max);
    }

    lr_spool_free(&list);

    if (rc != LR_OK) {
        return LR_ERROR;
    }

    until = lr_survey_clock() + ms;

    for (i = 0; i < s->n; i++) {
        r = &s->recordings[i];

        if (lr_survey_clock() <= until && lr_survey_read(r, spool) != LR_OK)
        {
            return LR_ERROR;
        }

        if (!r->read) {
            s->sum.others++;
            continue;
        }

        lr_survey_due(r);
        lr_survey_count(&s->sum, r);
    }

    if (s->measured == 0 || now - s->measured >= LR_SURVEY_MEASURE) {
        s->measured = now;
        lr_survey_measure(s, spool);
    }

    return LR_OK;
}


/* what is known of recordings that are still there is kept */

static int
lr_survey_merge(lr_survey_t *s, lr_spool_list_t *list, size_t max)
{
    int                     cmp;
    size_t                  i, k, n;
    lr_survey_recording_t  *all;

    if (list->n) {
        qsort(list->entries, list->n, sizeof(lr_spool_entry_t),
              lr_survey_compare);
    }

    n = list->n < max ? list->n : max;

    all = calloc(n + 1, sizeof(lr_survey_recording_t));

    if (all == NULL) {
        return LR_ERROR;
    }

    k = 0;

    for (i = 0; i < n; i++) {

        cmp = 1;

        while (k < s->n) {
            cmp = strcmp(s->recordings[k].path, list->entries[i].path);

            if (cmp >= 0) {
                break;
            }

            lr_survey_recording_free(&s->recordings[k++]);
        }

        if (k < s->n && cmp == 0) {
            all[i] = s->recordings[k++];

        } else {
            all[i].path = list->entries[i].path;
            list->entries[i].path = NULL;
        }

        all[i].size = list->entries[i].size;
    }

    while (k < s->n) {
        lr_survey_recording_free(&s->recordings[k++]);
    }

    free(s->recordings);

    s->recordings = all;
    s->n = n;

    return LR_OK;
}


static int
lr_survey_compare(const void *one, const void *two)
{
    const lr_spool_entry_t *a = one;
    const lr_spool_entry_t *b = two;

    return strcmp(a->path, b->path);
}


/*
 * What is new in the files of a recording.  It may be removed meanwhile, and
 * what cannot be understood is for the shipper to tell.
 */

static int
lr_survey_read(lr_survey_recording_t *r, const char *spool)
{
    int                    rc;
    char                   dir[LR_PATH_MAX], path[LR_PATH_MAX + 32], why[256];
    lr_recording_reader_t  reader;

    if (r->unread) {
        return LR_OK;
    }

    snprintf(dir, sizeof(dir), "%s/%s", spool, r->path);

    if (!r->read) {
        rc = lr_settings_read(&r->settings, dir, why, sizeof(why));

        if (rc != LR_OK) {
            r->unread = rc == LR_DECLINED;
            return LR_OK;
        }

        r->read = 1;
    }

    if (r->size > r->rec.offset) {
        reader.fragment = lr_survey_on_fragment;
        reader.span = NULL;
        reader.data = r;

        rc = lr_recording_read(&r->rec, dir, &reader, why, sizeof(why));

        if (rc == LR_ERROR && errno == ENOMEM) {
            return LR_ERROR;
        }

        if (rc == LR_DECLINED) {
            r->unread = 1;
            r->read = 0;
            return LR_OK;
        }
    }

    snprintf(path, sizeof(path), "%s/ship.log", dir);
    (void) lr_journal_read(path, &r->ship, lr_survey_ship_event, r, why,
                           sizeof(why));
    lr_survey_compact(r);

    if (r->settings.notify) {
        snprintf(path, sizeof(path), "%s/notify.log", dir);
        (void) lr_journal_read(path, &r->notify, lr_survey_notify_event, r,
                               why, sizeof(why));
    }

    lr_survey_open(r, dir);

    return LR_OK;
}


static int
lr_survey_on_fragment(void *data, const lr_fragment_t *f)
{
    lr_survey_recording_t *r = data;

    size_t                 nalloc;
    lr_survey_fragment_t  *w;

    r->bytes += f->bytes;
    r->last = f->wall + f->duration;

    if (lr_survey_cycle(r, f->cycle, r->last) != LR_OK) {
        errno = ENOMEM;
        return LR_ERROR;
    }

    if (r->n == r->nalloc) {
        nalloc = r->nalloc ? r->nalloc * 2 : 16;
        w = realloc(r->waiting, nalloc * sizeof(lr_survey_fragment_t));

        if (w == NULL) {
            errno = ENOMEM;
            return LR_ERROR;
        }

        r->waiting = w;
        r->nalloc = nalloc;
    }

    w = &r->waiting[r->n++];
    w->number = f->number;
    w->cycle = f->cycle;
    w->bytes = f->bytes;
    w->end = r->last;
    w->need = LR_FORMAT_M3U8
              | (r->settings.formats & (LR_FORMAT_MP4|LR_FORMAT_FLV));

    return LR_OK;
}


/* their numbers never fall */

static int
lr_survey_cycle(lr_survey_recording_t *r, uint32_t number, int64_t end)
{
    lr_survey_cycle_t  *cycles;

    if (r->ncycles == 0 || r->cycles[r->ncycles - 1].number != number) {

        cycles = realloc(r->cycles,
                         (r->ncycles + 1) * sizeof(lr_survey_cycle_t));

        if (cycles == NULL) {
            return LR_ERROR;
        }

        r->cycles = cycles;
        r->cycles[r->ncycles++].number = number;
    }

    r->cycles[r->ncycles - 1].end = end;

    return LR_OK;
}


/* of one that has fragments */

static int64_t
lr_survey_cycle_end(const lr_survey_recording_t *r, uint32_t number)
{
    size_t  i, low, high;

    low = 0;
    high = r->ncycles;

    while (high - low > 1) {
        i = low + (high - low) / 2;

        if (r->cycles[i].number <= number) {
            low = i;

        } else {
            high = i;
        }
    }

    return r->cycles[low].end;
}


static int
lr_survey_ship_event(void *data, const char *event, json_t *o)
{
    lr_survey_recording_t *r = data;

    uint32_t  number;
    unsigned  formats;

    if (strcmp(event, "fragment") == 0 || strcmp(event, "skip") == 0) {

        number = lr_survey_number(o, "file");

        /* its end may have come after record.log was read */

        if (number == 0 || number >= r->rec.next
            || (r->rec.has_open && number >= r->rec.open.number))
        {
            errno = EAGAIN;
            return LR_ERROR;
        }

        formats = LR_FORMAT_M3U8;

        if (event[0] == 's' || lr_survey_number(o, "mp4") == 0) {
            formats |= LR_FORMAT_MP4;
        }

        if (event[0] == 's' || lr_survey_number(o, "flv") == 0) {
            formats |= LR_FORMAT_FLV;
        }

        lr_survey_clear(r, number - 1, number, formats);

        return LR_OK;
    }

    lr_survey_file_event(r, event, o);

    return LR_OK;
}


/* of mp4 and flv files: their fragments are in a part, but for part 1 */

static void
lr_survey_file_event(lr_survey_recording_t *r, const char *event, json_t *o)
{
    unsigned     i, format;
    uint32_t     last;
    const char  *name;

    name = json_string_value(json_object_get(o, "format"));

    if (name == NULL) {
        return;
    }

    i = strcmp(name, "flv") == 0;
    format = i ? LR_FORMAT_FLV : LR_FORMAT_MP4;
    last = lr_survey_number(o, "last");

    if (strcmp(event, "begin") == 0) {
        r->lead[i] = lr_survey_number(o, "lead");

    } else if (strcmp(event, "part") == 0) {

        if (lr_survey_number(o, "number") > 1) {
            lr_survey_clear(r, r->lead[i], last, format);
        }

    } else if (strcmp(event, "stored") == 0) {
        lr_survey_clear(r, 0, last, format);

    } else if (strcmp(event, "without") == 0) {
        last = lr_survey_number(o, "file");
        lr_survey_clear(r, last ? last - 1 : 0, last, format);
    }
}


/* the bucket has these formats of fragments behind "after" up to "last" */

static void
lr_survey_clear(lr_survey_recording_t *r, uint32_t after, uint32_t last,
    unsigned formats)
{
    size_t                 i, low, high;
    lr_survey_fragment_t  *w;

    low = 0;
    high = r->n;

    while (low < high) {
        i = low + (high - low) / 2;

        if (r->waiting[i].number <= after) {
            low = i + 1;

        } else {
            high = i;
        }
    }

    for (i = low; i < r->n && r->waiting[i].number <= last; i++) {
        w = &r->waiting[i];

        if (w->need) {
            w->need &= ~formats;
            r->cleared += w->need == 0;
        }
    }

    /* not each time: a journal that is read anew may have a million */

    if (r->cleared > r->n / 2) {
        lr_survey_compact(r);
    }
}


static void
lr_survey_compact(lr_survey_recording_t *r)
{
    size_t  i, k;

    if (r->cleared == 0) {
        return;
    }

    k = 0;

    for (i = 0; i < r->n; i++) {
        if (r->waiting[i].need) {
            r->waiting[k++] = r->waiting[i];
        }
    }

    r->n = k;
    r->cleared = 0;
}


static int
lr_survey_notify_event(void *data, const char *event, json_t *o)
{
    lr_survey_recording_t *r = data;

    if (strcmp(event, "notice") == 0) {
        r->notice = lr_survey_number(o, "number");

    } else if (strcmp(event, "noticed") == 0 || strcmp(event, "given") == 0)
    {
        r->told = lr_survey_number(o, "number");
    }

    return LR_OK;
}


/* a member as a number from 0, which stands for others, too */

static uint32_t
lr_survey_number(json_t *o, const char *key)
{
    json_int_t  v;

    v = json_integer_value(json_object_get(o, key));

    return v <= 0 ? 0 : v > UINT32_MAX ? UINT32_MAX : (uint32_t) v;
}


static void
lr_survey_open(lr_survey_recording_t *r, const char *dir)
{
    char         path[LR_PATH_MAX + 32];
    int64_t      ms;
    struct stat  st;

    r->open = 0;

    if (!r->rec.has_open
        || lr_fragment_path(path, sizeof(path), dir, r->rec.open.number,
                            "flv")
           != LR_OK
        || stat(path, &st) == -1)
    {
        return;
    }

    ms = (int64_t) st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;

    r->open = (uint64_t) st.st_size;
    r->last = ms;
}


/*
 * A fragment's object can be stored when the fragment has ended, a file only
 * when its cycle has.
 */

static void
lr_survey_due(lr_survey_recording_t *r)
{
    size_t                 i;
    int64_t                due;
    lr_survey_fragment_t  *w;

    r->backlog = 0;
    r->due = 0;

    for (i = 0; i < r->n; i++) {
        w = &r->waiting[i];
        r->backlog += w->bytes;

        if (w->need & LR_FORMAT_M3U8) {
            due = w->end;

        } else if (w->cycle < r->rec.cycle
                   || r->rec.state == LR_RECORDING_ENDED)
        {
            due = lr_survey_cycle_end(r, w->cycle);

        } else {
            continue;
        }

        if (r->due == 0 || due < r->due) {
            r->due = due;
        }
    }
}


static void
lr_survey_count(lr_survey_sum_t *sum, const lr_survey_recording_t *r)
{
    sum->states[r->rec.state]++;
    sum->fragments += r->n;
    sum->bytes += r->backlog;
    sum->callbacks += r->notice - r->told;

    if (r->due && (sum->due == 0 || r->due < sum->due)) {
        sum->due = r->due;
    }
}


static void
lr_survey_measure(lr_survey_t *s, const char *spool)
{
    DIR             *d;
    char             path[LR_PATH_MAX];
    struct dirent   *de;
    struct statvfs   fs;

    s->usage = lr_spool_usage(spool);
    s->free = statvfs(spool, &fs) == 0
              ? (uint64_t) fs.f_bavail * fs.f_frsize : 0;
    s->quarantine = 0;

    snprintf(path, sizeof(path), "%s/" LR_QUARANTINE_DIR, spool);

    d = opendir(path);

    while (d && (de = readdir(d)) != NULL) {
        s->quarantine += de->d_name[0] != '.';
    }

    if (d) {
        closedir(d);
    }
}


static void
lr_survey_recording_free(lr_survey_recording_t *r)
{
    free(r->path);
    free(r->waiting);
    free(r->cycles);
    lr_settings_free(&r->settings);
}


void
lr_survey_free(lr_survey_t *s)
{
    size_t  i;

    for (i = 0; i < s->n; i++) {
        lr_survey_recording_free(&s->recordings[i]);
    }

    free(s->recordings);
    memset(s, 0, sizeof(lr_survey_t));
}


const char *
lr_survey_state(unsigned state)
{
    return state == LR_RECORDING_LIVE ? "live"
           : state == LR_RECORDING_PAUSED ? "paused" : "ended";
}


static int64_t
lr_survey_clock(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}
