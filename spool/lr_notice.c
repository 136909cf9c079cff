
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "lr_journal.h"
#include "lr_notice.h"


#define LR_NOTICE_FILE  "file_created"

/* the journals that notices come from */

#define LR_NOTICE_RECORD  0
#define LR_NOTICE_SHIP    1
#define LR_NOTICE_NONE    2

/* an id begins with the second of its recording: yyyymmdd-HHMMSS */

#define LR_NOTICE_SECOND  15


typedef struct {
    lr_notice_t       *n;
    lr_notice_head_t  *head;
    unsigned           found:1;
} lr_notice_search_t;


static int lr_notice_replay(lr_notice_t *n, char *err, size_t size);
static int lr_notice_event(void *data, const char *event, json_t *o);
static int lr_notice_read(lr_notice_t *n, const char *name, uint64_t *offset,
    lr_journal_pt handler, char *err, size_t size);
static int lr_notice_sync(const lr_notice_t *n);
static int lr_notice_on_record(void *data, const char *event, json_t *o);
static int lr_notice_on_ship(void *data, const char *event, json_t *o);
static int lr_notice_error(lr_notice_t *n, lr_notice_kind_e kind,
    const char *message, json_t *o);
static unsigned lr_notice_soon(const lr_notice_t *n, lr_notice_kind_e kind,
    int64_t time);
static int lr_notice_add(lr_notice_t *n, unsigned from, const char *what,
    json_t *facts);
static int lr_notice_on_head(void *data, const char *event, json_t *o);
static int lr_notice_earlier(const lr_notice_t *n);
static int lr_notice_compare(const char *one, const char *two);
static int64_t lr_notice_began(const char *dir);
static int lr_notice_on_began(void *data, const char *event, json_t *o);
static int lr_notice_due(const char *dir, const char *scope);
static const char *lr_notice_what(json_t *o);
static json_int_t lr_notice_integer(json_t *o, const char *key);


static const char  *lr_notice_codes[] = { "StreamFormatError", "MediaLost" };


int
lr_notice_open(lr_notice_t *n, const char *dir, char *err, size_t size)
{
    int   rc;
    char  path[LR_PATH_MAX + 16];

    memset(n, 0, sizeof(lr_notice_t));
    snprintf(n->dir, sizeof(n->dir), "%s", dir);
    snprintf(path, sizeof(path), "%s/notify.log", dir);

    n->fd = lr_journal_open(path, 1);

    if (n->fd == -1) {
        if (errno == EWOULDBLOCK || errno == ENOENT) {
            return LR_AGAIN;
        }

        snprintf(err, size, "open() \"%s\" failed (%d: %s)", path, errno,
                 strerror(errno));
        return errno == ENODATA ? LR_DECLINED : LR_ERROR;
    }

    rc = lr_settings_read(&n->settings, dir, err, size);

    if (rc == LR_OK) {
        rc = lr_notice_replay(n, err, size);
    }

    if (rc == LR_OK && lseek(n->fd, 0, SEEK_END) == 0
        && lr_journal_write(n->fd, "start",
                            json_pack("{s:i}", "version", LR_SPOOL_VERSION))
           != LR_OK)
    {
        snprintf(err, size, "write() \"%s\" failed (%d: %s)", path, errno,
                 strerror(errno));
        rc = LR_ERROR;
    }

    if (rc != LR_OK) {
        lr_notice_close(n);
    }

    return rc;
}


static int
lr_notice_replay(lr_notice_t *n, char *err, size_t size)
{
    uint64_t  offset;

    offset = 0;

    return lr_notice_read(n, "notify.log", &offset, lr_notice_event, err,
                          size);
}


static int
lr_notice_event(void *data, const char *event, json_t *o)
{
    lr_notice_t *n = data;

    json_int_t   number;
    const char  *what;

    if (strcmp(event, "start") == 0) {
        return lr_notice_integer(o, "version") == LR_SPOOL_VERSION
               ? LR_OK : LR_ERROR;
    }

    number = lr_notice_integer(o, "number");

    if (strcmp(event, "noticed") == 0 || strcmp(event, "given") == 0) {

        if (number != (json_int_t) n->noticed + 1
            || number > (json_int_t) n->number)
        {
            return LR_ERROR;
        }

        n->noticed++;

        return LR_OK;
    }

    if (strcmp(event, "notice") == 0) {

        what = lr_notice_what(o);

        if (what == NULL || number != (json_int_t) n->number + 1) {
            return LR_ERROR;
        }

        n->number++;

        if (json_is_true(json_object_get(o, "bucket"))) {
            n->told[LR_NOTICE_BUCKET] = lr_notice_integer(o, "time");

        } else if (strcmp(what, LR_NOTICE_FILE) == 0) {
            n->known[LR_NOTICE_SHIP]++;

        } else {
            n->known[LR_NOTICE_RECORD]++;
        }
    }

    return LR_OK;
}


int
lr_notice_take(lr_notice_t *n, int64_t now, char *err, size_t size)
{
    int       rc;
    uint32_t  number;

    n->now = now;
    number = n->number;

    /* what is told must not be forgotten by those who know of it */

    if (n->fsync && n->fd != -1 && lr_notice_sync(n) != LR_OK) {
        snprintf(err, size, "\"%s\" could not be brought to the disk "
                 "(%d: %s)", n->dir, errno, strerror(errno));
        return LR_ERROR;
    }

    rc = lr_notice_read(n, "record.log", &n->record, lr_notice_on_record,
                        err, size);

    if (rc == LR_OK) {
        rc = lr_notice_read(n, "ship.log", &n->ship, lr_notice_on_ship, err,
                            size);
    }

    if (n->fsync && n->number != number && n->fd != -1
        && fdatasync(n->fd) == -1 && rc == LR_OK)
    {
        snprintf(err, size, "fdatasync() \"%s/notify.log\" failed (%d: %s)",
                 n->dir, errno, strerror(errno));
        rc = LR_ERROR;
    }

    return rc;
}


/* a journal that is not there yet is an empty one */

static int
lr_notice_read(lr_notice_t *n, const char *name, uint64_t *offset,
    lr_journal_pt handler, char *err, size_t size)
{
    int   rc;
    char  path[LR_PATH_MAX + 16];

    n->failed = 0;
    snprintf(path, sizeof(path), "%s/%s", n->dir, name);

    rc = lr_journal_read(path, offset, handler, n, err, size);

    if (rc == LR_ERROR && errno == ENOENT) {
        return LR_OK;
    }

    if (rc != LR_OK && n->failed) {
        errno = n->failed;
        snprintf(err, size, "write() \"%s/notify.log\" failed (%d: %s)",
                 n->dir, errno, strerror(errno));
        return LR_ERROR;
    }

    return rc;
}


static int
lr_notice_sync(const lr_notice_t *n)
{
    int          fd, rc, i;
    char         path[LR_PATH_MAX + 16];
    const char  *names[] = { "record.log", "ship.log" };

    for (i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/%s", n->dir, names[i]);

        fd = open(path, O_RDONLY|O_CLOEXEC);

        if (fd == -1) {
            if (errno == ENOENT) {
                continue;
            }

            return LR_ERROR;
        }

        rc = fdatasync(fd);
        close(fd);

        if (rc == -1) {
            return LR_ERROR;
        }
    }

    return LR_OK;
}


static int
lr_notice_on_record(void *data, const char *event, json_t *o)
{
    lr_notice_t *n = data;

    const char  *what;

    if (strcmp(event, "end") == 0) {
        n->ended = 1;
        return LR_OK;
    }

    if (!(n->settings.notify & LR_NOTIFY_STATUS)) {
        return LR_OK;
    }

    if (strcmp(event, "publish") == 0) {
        what = n->started ? "record_resumed" : "record_started";

        if (lr_notice_add(n, LR_NOTICE_RECORD, what, json_object()) != LR_OK)
        {
            return LR_ERROR;
        }

        n->started = 1;

        return LR_OK;
    }

    if (strcmp(event, "unpublish") == 0) {
        return lr_notice_add(n, LR_NOTICE_RECORD, "record_paused",
                             json_object());
    }

    if (strcmp(event, "error") == 0) {
        return lr_notice_error(n, LR_NOTICE_FORMAT, "text", o);
    }

    if (strcmp(event, "lost") == 0) {
        return lr_notice_error(n, LR_NOTICE_LOST, "why", o);
    }

    return LR_OK;
}


static int
lr_notice_on_ship(void *data, const char *event, json_t *o)
{
    lr_notice_t *n = data;

    json_t      *notice, *facts;
    const char  *key;

    if (strcmp(event, "fragment") != 0 && strcmp(event, "index") != 0
        && strcmp(event, "stored") != 0)
    {
        return LR_OK;
    }

    notice = json_object_get(o, "notice");
    key = json_string_value(json_object_get(o, "key"));

    if (notice == NULL || key == NULL || key[0] == '\0') {
        return LR_OK;
    }

    facts = json_pack("{s:s}", "uri", key);

    if (facts && json_object_update(facts, notice) == -1) {
        json_decref(facts);
        facts = NULL;
    }

    return lr_notice_add(n, LR_NOTICE_SHIP, LR_NOTICE_FILE, facts);
}


/* the times are the journal's, so that it comes out the same each time */

static int
lr_notice_error(lr_notice_t *n, lr_notice_kind_e kind, const char *message,
    json_t *o)
{
    int64_t      time;
    const char  *text;

    time = lr_notice_integer(o, "time");
    text = json_string_value(json_object_get(o, message));

    if (lr_notice_soon(n, kind, time)) {
        return LR_OK;
    }

    if (lr_notice_add(n, LR_NOTICE_RECORD, "record_error",
                      json_pack("{s:s, s:s}", "code", lr_notice_codes[kind],
                                "message", text ? text : ""))
        != LR_OK)
    {
        return LR_ERROR;
    }

    n->told[kind] = time;

    return LR_OK;
}


int
lr_notice_refused(lr_notice_t *n, const char *code, const char *message,
    int64_t now)
{
    json_t  *text;

    if (!(n->settings.notify & LR_NOTIFY_STATUS)
        || lr_notice_soon(n, LR_NOTICE_BUCKET, now))
    {
        return LR_OK;
    }

    n->now = now;

    /* it may quote the store, which need not write UTF-8 */

    text = json_string(message);

    if (text == NULL) {
        text = json_string("");
    }

    if (lr_notice_add(n, LR_NOTICE_NONE, "record_error",
                      json_pack("{s:s, s:o, s:b}", "code", code, "message",
                                text, "bucket", 1))
        != LR_OK)
    {
        return LR_ERROR;
    }

    n->told[LR_NOTICE_BUCKET] = now;

    return n->fsync ? fdatasync(n->fd) : LR_OK;
}


/* whether one of this kind has just been told */

static unsigned
lr_notice_soon(const lr_notice_t *n, lr_notice_kind_e kind, int64_t time)
{
    return n->told[kind] && time >= n->told[kind]
           && time - n->told[kind] < LR_NOTICE_ERRORS;
}


/* takes the reference to the facts */

static int
lr_notice_add(lr_notice_t *n, unsigned from, const char *what, json_t *facts)
{
    json_t  *o;

    if (from != LR_NOTICE_NONE && n->taken[from] < n->known[from]) {
        n->taken[from]++;
        json_decref(facts);
        return LR_OK;
    }

    if (n->fd != -1) {

        o = json_pack("{s:I, s:I, s:s}", "number",
                      (json_int_t) n->number + 1, "time",
                      (json_int_t) n->now, "what", what);

        if (o && (facts == NULL || json_object_update(o, facts) == -1)) {
            json_decref(o);
            o = NULL;
        }

        if (lr_journal_write(n->fd, "notice", o) != LR_OK) {
            n->failed = errno ? errno : EIO;
            json_decref(facts);
            errno = n->failed;
            return LR_ERROR;
        }
    }

    json_decref(facts);

    n->number++;

    if (from != LR_NOTICE_NONE) {
        n->known[from]++;
        n->taken[from]++;
    }

    return LR_OK;
}


int
lr_notice_next(lr_notice_t *n, lr_notice_head_t *head, char *err,
    size_t size)
{
    int                 rc;
    char                path[LR_PATH_MAX + 16];
    lr_notice_search_t  search;

    memset(head, 0, sizeof(lr_notice_head_t));

    if (n->noticed == n->number) {
        return LR_DECLINED;
    }

    if (lr_notice_earlier(n) != LR_OK) {
        return LR_AGAIN;
    }

    search.n = n;
    search.head = head;
    search.found = 0;

    snprintf(path, sizeof(path), "%s/notify.log", n->dir);

    rc = lr_journal_read(path, &n->head, lr_notice_on_head, &search, err,
                         size);

    if (search.found) {
        return LR_OK;
    }

    if (rc != LR_ERROR) {
        snprintf(err, size, "\"%s\" has lost a notice", path);
    }

    return LR_ERROR;
}


/* ends the reading at the line that is looked for */

static int
lr_notice_on_head(void *data, const char *event, json_t *o)
{
    lr_notice_search_t *search = data;

    json_int_t  number;

    number = lr_notice_integer(o, "number");

    if (strcmp(event, "notice") != 0
        || number <= (json_int_t) search->n->noticed)
    {
        return LR_OK;
    }

    search->head->number = (uint32_t) number;
    search->head->time = lr_notice_integer(o, "time");
    search->head->facts = json_incref(o);
    search->found = 1;

    return LR_ERROR;
}


/*
 * Those beside this one that cannot be read hold nothing up: they have a
 * shipper who will see to that.
 */

static int
lr_notice_earlier(const lr_notice_t *n)
{
    int             rc;
    DIR            *d;
    char            path[LR_PATH_MAX], dir[LR_PATH_MAX + 256];
    struct dirent  *de;

    snprintf(path, sizeof(path), "%s", n->dir);

    *strrchr(path, '/') = '\0';

    d = opendir(path);

    if (d == NULL) {
        return LR_OK;
    }

    rc = LR_OK;

    while (rc == LR_OK && (de = readdir(d)) != NULL) {

        if (de->d_name[0] == '.' || strlen(de->d_name) > LR_ID_MAX) {
            continue;
        }

        snprintf(dir, sizeof(dir), "%s/%s", path, de->d_name);

        if (lr_notice_compare(dir, n->dir) >= 0) {
            continue;
        }

        rc = lr_notice_due(dir, n->settings.scope);
    }

    closedir(d);

    return rc;
}


/*
 * As strcmp(), of two recordings of a stream by their beginnings: ids sort by
 * time, but within a second what follows there is chance, and record.log has
 * the millisecond.
 */

static int
lr_notice_compare(const char *one, const char *two)
{
    int          rc;
    int64_t      a, b;
    const char  *id, *other;

    id = strrchr(one, '/') + 1;
    other = strrchr(two, '/') + 1;

    rc = strcmp(id, other);

    if (rc == 0 || strncmp(id, other, LR_NOTICE_SECOND) != 0) {
        return rc;
    }

    a = lr_notice_began(one);
    b = lr_notice_began(two);

    return a == b ? rc : a < b ? -1 : 1;
}


/* in ms; 0: record.log cannot be read */

static int64_t
lr_notice_began(const char *dir)
{
    char      path[LR_PATH_MAX + 256 + 16], err[256];
    int64_t   time;
    uint64_t  offset;

    time = 0;
    offset = 0;

    snprintf(path, sizeof(path), "%s/record.log", dir);

    (void) lr_journal_read(path, &offset, lr_notice_on_began, &time, err,
                           sizeof(err));

    return time;
}


/* ends the reading at the first line */

static int
lr_notice_on_began(void *data, const char *event, json_t *o)
{
    int64_t *time = data;

    if (strcmp(event, "start") == 0) {
        *time = lr_notice_integer(o, "time");
    }

    return LR_ERROR;
}


/* LR_AGAIN: this recording of the scope has something to be told */

static int
lr_notice_due(const char *dir, const char *scope)
{
    int           rc;
    char          err[256];
    lr_notice_t  *n;

    n = calloc(1, sizeof(lr_notice_t));

    if (n == NULL) {
        return LR_AGAIN;
    }

    n->fd = -1;
    snprintf(n->dir, sizeof(n->dir), "%s", dir);

    rc = LR_OK;

    if (lr_settings_read(&n->settings, dir, err, sizeof(err)) == LR_OK
        && n->settings.notify
        && strcmp(n->settings.scope, scope) == 0
        && lr_notice_replay(n, err, sizeof(err)) == LR_OK
        && (n->noticed < n->number
            || (lr_notice_take(n, 0, err, sizeof(err)) == LR_OK
                && n->noticed < n->number)))
    {
        rc = LR_AGAIN;
    }

    lr_settings_free(&n->settings);
    free(n);

    return rc;
}


int
lr_notice_done(lr_notice_t *n, unsigned status, const char *why, int64_t now)
{
    json_t      *o;
    const char  *event;

    if (status) {
        event = "noticed";
        o = json_pack("{s:I, s:I, s:i}", "number",
                      (json_int_t) n->noticed + 1, "time", (json_int_t) now,
                      "status", (int) status);

    } else {
        event = "given";
        o = json_pack("{s:I, s:I, s:s}", "number",
                      (json_int_t) n->noticed + 1, "time", (json_int_t) now,
                      "why", why);
    }

    if (lr_journal_write(n->fd, event, o) != LR_OK) {
        return LR_ERROR;
    }

    n->noticed++;

    return LR_OK;
}


void
lr_notice_close(lr_notice_t *n)
{
    lr_settings_free(&n->settings);

    if (n->fd != -1) {
        close(n->fd);
        n->fd = -1;
    }
}


const char *
lr_notice_type(const lr_notice_head_t *head)
{
    return lr_notice_what(head->facts);
}


int
lr_notice_body(const lr_notice_t *n, const lr_notice_head_t *head,
    lr_buf_t *body)
{
    char        *text;
    json_t      *o, *args, *info;
    const char  *what;

    what = lr_notice_what(head->facts);
    info = NULL;

    o = json_pack("{s:s, s:s, s:s}", "domain", n->settings.domain, "app",
                  n->settings.app, "stream", n->settings.stream);

    if (strcmp(what, LR_NOTICE_FILE) == 0) {

        json_object_set(o, "uri", json_object_get(head->facts, "uri"));
        json_object_set_new(o, "duration",
                json_real((double) lr_notice_integer(head->facts, "duration")
                          / 1000));
        json_object_set_new(o, "start_time",
                json_integer(lr_notice_integer(head->facts, "start")
                             / 1000));
        json_object_set_new(o, "stop_time",
                json_integer(lr_notice_integer(head->facts, "end") / 1000));

        args = json_object_get(head->facts, "push_args");

        if (args) {
            json_object_set(o, "push_args", args);
        }

    } else {
        json_object_set_new(o, "event", json_string(what));
    }

    if (json_object_get(head->facts, "code")) {

        info = json_object();

        json_object_set(info, "code", json_object_get(head->facts, "code"));
        json_object_set(info, "message",
                        json_object_get(head->facts, "message"));
        json_object_set_new(o, "error_info", info);
    }

    text = json_dumps(o, JSON_COMPACT|JSON_PRESERVE_ORDER
                         |JSON_REAL_PRECISION(15));
    json_decref(o);

    if (text == NULL) {
        return LR_ERROR;
    }

    lr_buf_puts(body, text);
    free(text);

    return body->failed ? LR_ERROR : LR_OK;
}


int
lr_notice_sign(const char *host, int64_t seconds, const char *key,
    char *sign)
{
    u_char    sum[EVP_MAX_MD_SIZE];
    lr_buf_t  text;
    unsigned  i, len;

    memset(&text, 0, sizeof(lr_buf_t));
    lr_buf_printf(&text, "%s|%lld|%s", host, (long long) seconds, key);

    if (text.failed
        || EVP_Digest(text.data, text.len, sum, &len, EVP_md5(), NULL) != 1)
    {
        lr_buf_free(&text);
        return LR_ERROR;
    }

    lr_buf_free(&text);

    for (i = 0; i < len; i++) {
        snprintf(sign + 2 * i, 3, "%02x", sum[i]);
    }

    return LR_OK;
}


static const char *
lr_notice_what(json_t *o)
{
    return json_string_value(json_object_get(o, "what"));
}


static json_int_t
lr_notice_integer(json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}
