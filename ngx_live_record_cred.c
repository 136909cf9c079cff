
/*
 * Copyright (C) the ngx_live_record authors
 *
 * A file is looked at every second by a thread.  A role's key is asked of
 * the metadata service, over libcurl, well before the last one ends.  Keys
 * of the environment and of nginx.conf stay as they are.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_live_record_cred.h"
#include "ngx_live_record_thread.h"


/* how often a file is looked at, ms */
#define NGX_LIVE_RECORD_CRED_LOOK     1000

/* the times of a file may be coarse: it may have changed again within, s */
#define NGX_LIVE_RECORD_CRED_COARSE   2

/*
 * How long a key is not renewed again for being refused, s; and not asked
 * for of a service whose keys have ended already, by our clock.
 */
#define NGX_LIVE_RECORD_CRED_AGAIN    60

/* when a role's key is renewed at the latest, s: the clock may be set */
#define NGX_LIVE_RECORD_CRED_LATEST   3600

/* the service is in the machine, or next to it; ms */
#define NGX_LIVE_RECORD_CRED_CONNECT  1000L
#define NGX_LIVE_RECORD_CRED_TIMEOUT  5000L


static void ngx_live_record_cred_timer(ngx_event_t *ev);
static void ngx_live_record_cred_renew(ngx_live_record_cred_t *cred);
static void ngx_live_record_cred_thread(void *data, ngx_log_t *log);
static void ngx_live_record_cred_looked(ngx_event_t *ev);
static void ngx_live_record_cred_ask(ngx_live_record_cred_t *cred);
static ngx_int_t ngx_live_record_cred_request(ngx_live_record_cred_t *cred);
static ngx_int_t ngx_live_record_cred_header(ngx_live_record_cred_t *cred,
    const char *line);
static size_t ngx_live_record_cred_write(char *p, size_t size, size_t n,
    void *data);
static void ngx_live_record_cred_answered(void *data, CURLcode rc);
static void ngx_live_record_cred_clear(ngx_live_record_cred_t *cred);
static void ngx_live_record_cred_fail(ngx_live_record_cred_t *cred,
    const char *from, const char *why);
static void ngx_live_record_cred_take(ngx_live_record_cred_t *cred,
    lr_cred_t *key);
static void ngx_live_record_cred_done(ngx_live_record_cred_t *cred,
    ngx_msec_t next);
static ngx_msec_t ngx_live_record_cred_next(ngx_live_record_cred_t *cred);
static ngx_uint_t ngx_live_record_cred_same(const char *a, const char *b);
static ngx_uint_t ngx_live_record_cred_valid(ngx_live_record_cred_t *cred);
static void ngx_live_record_cred_tell(ngx_live_record_cred_t *cred);


ngx_int_t
ngx_live_record_cred_init(ngx_live_record_cred_t *cred)
{
    if (cred->type != NGX_LIVE_RECORD_CRED_FILE
        && cred->type != NGX_LIVE_RECORD_CRED_ROLE)
    {
        return NGX_OK;
    }

    cred->task = ngx_calloc(sizeof(ngx_thread_task_t), ngx_cycle->log);
    if (cred->task == NULL) {
        return NGX_ERROR;
    }

    cred->timer.handler = ngx_live_record_cred_timer;
    cred->timer.data = cred;
    cred->timer.log = ngx_cycle->log;
    cred->timer.cancelable = 1;

    ngx_add_timer(&cred->timer, 1);

    return NGX_OK;
}


void
ngx_live_record_cred_exit(ngx_live_record_cred_t *cred)
{
    if (cred->timer.timer_set) {
        ngx_del_timer(&cred->timer);
    }

    if (cred->started) {
        ngx_live_record_curl_stop(cred->easy);
    }

    ngx_live_record_cred_clear(cred);
    lr_metadata_free(&cred->metadata);
    lr_cred_free(&cred->file.key);
    lr_cred_free(&cred->key);
    ngx_free(cred->task);
}


ngx_int_t
ngx_live_record_cred_wait(ngx_live_record_cred_t *cred,
    ngx_live_record_cred_wait_t *wait)
{
    if (ngx_live_record_cred_valid(cred)) {
        return NGX_OK;
    }

    ngx_queue_insert_tail(&cred->waiting, &wait->queue);

    return NGX_AGAIN;
}


void
ngx_live_record_cred_leave(ngx_live_record_cred_wait_t *wait)
{
    if (wait->queue.next) {
        ngx_queue_remove(&wait->queue);
        wait->queue.next = NULL;
    }
}


void
ngx_live_record_cred_let_go(ngx_live_record_cred_t *cred, const char *err)
{
    ngx_queue_t                  *q, waiting;
    ngx_live_record_cred_wait_t  *wait;

    if (ngx_queue_empty(&cred->waiting)) {
        return;
    }

    /* a handler may begin a request that waits, too: not in this round */

    ngx_queue_init(&waiting);
    ngx_queue_add(&waiting, &cred->waiting);
    ngx_queue_init(&cred->waiting);

    while (!ngx_queue_empty(&waiting)) {
        q = ngx_queue_head(&waiting);
        wait = ngx_queue_data(q, ngx_live_record_cred_wait_t, queue);

        ngx_live_record_cred_leave(wait);
        wait->handler(wait->data, err);
    }
}


lr_retry_e
ngx_live_record_cred_refused(ngx_live_record_cred_t *cred, ngx_uint_t serial)
{
    if (cred->type != NGX_LIVE_RECORD_CRED_FILE
        && cred->type != NGX_LIVE_RECORD_CRED_ROLE)
    {
        return LR_RETRY_ADMIN;
    }

    /* others that were under way have found the same */

    if (serial != cred->serial || cred->refused) {
        return LR_RETRY_CREDENTIALS;
    }

    if (cred->fresh
        && ngx_time() - cred->renewed < NGX_LIVE_RECORD_CRED_AGAIN)
    {
        return LR_RETRY_ADMIN;
    }

    cred->refused = 1;

    ngx_live_record_cred_renew(cred);

    return LR_RETRY_CREDENTIALS;
}


lr_retry_e
ngx_live_record_cred_doubted(ngx_live_record_cred_t *cred, ngx_uint_t serial)
{
    if (cred->refused || serial != cred->serial) {
        return LR_RETRY_CREDENTIALS;
    }

    /* files are looked at anyway */

    if (cred->type == NGX_LIVE_RECORD_CRED_ROLE
        && ngx_time() - cred->doubted >= NGX_LIVE_RECORD_CRED_AGAIN)
    {
        cred->doubted = ngx_time();
        ngx_live_record_cred_renew(cred);
    }

    return LR_RETRY_ADMIN;
}


int
ngx_live_record_cred_read(ngx_live_record_cred_file_t *f, const char *path,
    const char *profile, ngx_uint_t again)
{
    int          fd, rc;
    char         why[LR_CRED_ERR_LEN];
    ssize_t      n;
    lr_buf_t     b;
    struct stat  st;

    ngx_memzero(&b, sizeof(lr_buf_t));

    n = -1;
    fd = open(path, O_RDONLY|O_CLOEXEC|O_NONBLOCK);

    if (fd == -1 || fstat(fd, &st) == -1) {
        goto failed;
    }

    f->others = (st.st_mode & S_IROTH) != 0;

    if (!again && st.st_ino == f->inode && st.st_size == f->size
        && st.st_mtim.tv_sec == f->mtime.tv_sec
        && st.st_mtim.tv_nsec == f->mtime.tv_nsec
        && ngx_abs(time(NULL) - st.st_mtim.tv_sec)
           > NGX_LIVE_RECORD_CRED_COARSE)
    {
        close(fd);
        return LR_DECLINED;
    }

    /* one byte more than it may have */

    if (lr_buf_reserve(&b, LR_CRED_MAX_FILE + 1) != LR_OK) {
        ngx_set_errno(NGX_ENOMEM);
        goto failed;
    }

    n = read(fd, b.data, LR_CRED_MAX_FILE + 1);

    if (n == -1) {
        goto failed;
    }

    close(fd);

    rc = lr_cred_parse(&f->key, (char *) b.data, (size_t) n, profile, why);

    ngx_explicit_memzero(b.data, (size_t) n);
    lr_buf_free(&b);

    if (rc != LR_OK) {
        (void) snprintf(f->err, sizeof(f->err), "\"%s\": %s", path, why);
        return LR_ERROR;
    }

    f->inode = st.st_ino;
    f->size = st.st_size;
    f->mtime = st.st_mtim;

    return LR_OK;

failed:

    (void) snprintf(f->err, sizeof(f->err),
                    "\"%s\" cannot be read (%d: %s)", path, ngx_errno,
                    strerror(ngx_errno));

    if (fd != -1) {
        close(fd);
    }

    lr_buf_free(&b);

    return LR_ERROR;
}


static void
ngx_live_record_cred_timer(ngx_event_t *ev)
{
    if (!ngx_exiting) {
        ngx_live_record_cred_renew(ev->data);
    }
}


static void
ngx_live_record_cred_renew(ngx_live_record_cred_t *cred)
{
    int   rc;
    char  why[LR_CRED_ERR_LEN];

    if (cred->busy) {
        return;
    }

    if (cred->timer.timer_set) {
        ngx_del_timer(&cred->timer);
    }

    cred->busy = 1;

    if (cred->type == NGX_LIVE_RECORD_CRED_ROLE) {

        rc = lr_metadata_begin(&cred->metadata,
                               cred->bucket->type == NGX_LIVE_RECORD_S3
                               ? LR_METADATA_AWS : LR_METADATA_ECS,
                               (char *) cred->role.data, why);
        if (rc != LR_OK) {
            ngx_live_record_cred_fail(cred, (char *) cred->endpoint.data,
                                      why);
            return;
        }

        ngx_live_record_cred_ask(cred);
        return;
    }

    cred->again = cred->refused;

    if (ngx_live_record_thread_post(cred->task, ngx_live_record_cred_thread,
                                    ngx_live_record_cred_looked, cred)
        != NGX_OK)
    {
        ngx_live_record_cred_fail(cred, NULL,
                                  "the thread pool takes no more");
    }
}


static void
ngx_live_record_cred_thread(void *data, ngx_log_t *log)
{
    ngx_live_record_cred_t *cred = data;

    cred->rc = ngx_live_record_cred_read(&cred->file,
                                         (char *) cred->path.data,
                                         (char *) cred->profile.data,
                                         cred->again);
}


static void
ngx_live_record_cred_looked(ngx_event_t *ev)
{
    ngx_live_record_cred_t  *cred;

    cred = ev->data;

    if (cred->file.others && !cred->others) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "live record: \"%V\", the file of credentials of "
                      "bucket \"%V\", can be read by others: \"chmod o-r\" "
                      "it", &cred->path, &cred->bucket->name);
    }

    cred->others = cred->file.others;

    switch (cred->rc) {

    case LR_OK:
        ngx_live_record_cred_take(cred, &cred->file.key);
        break;

    case LR_DECLINED:

        /* it is as it was when it was read; refused meanwhile it is again */

        if (cred->refused) {
            cred->busy = 0;
            ngx_live_record_cred_renew(cred);
            return;
        }

        cred->tries = 0;
        ngx_live_record_cred_done(cred, NGX_LIVE_RECORD_CRED_LOOK);
        break;

    default:
        ngx_live_record_cred_fail(cred, NULL, cred->file.err);
    }
}


/* sends the request that is in cred->metadata */

static void
ngx_live_record_cred_ask(ngx_live_record_cred_t *cred)
{
    ngx_live_record_cred_clear(cred);

    if (ngx_live_record_cred_request(cred) != NGX_OK) {
        ngx_live_record_cred_clear(cred);
        ngx_live_record_cred_fail(cred, NULL, "no memory");
        return;
    }

    cred->started = 1;
}


static ngx_int_t
ngx_live_record_cred_request(ngx_live_record_cred_t *cred)
{
    CURL           *e;
    lr_buf_t        url;
    lr_metadata_t  *m;

    m = &cred->metadata;

    /* room for all of it: no copies of a secret are left behind by growing */

    if (lr_buf_reserve(&cred->answer, LR_CRED_MAX_FILE) != LR_OK
        || (m->header
            && ngx_live_record_cred_header(cred, m->header) != NGX_OK))
    {
        return NGX_ERROR;
    }

    e = curl_easy_init();
    if (e == NULL) {
        return NGX_ERROR;
    }

    cred->easy = e;

    ngx_memzero(&url, sizeof(lr_buf_t));
    lr_buf_printf(&url, "%s%s%c", (char *) cred->endpoint.data, m->path, 0);

    if (url.failed
        || curl_easy_setopt(e, CURLOPT_URL, (char *) url.data) != CURLE_OK)
    {
        lr_buf_free(&url);
        return NGX_ERROR;
    }

    lr_buf_free(&url);

    if (m->method[0] == 'P') {

        if (ngx_live_record_cred_header(cred, "Content-Type:") != NGX_OK) {
            return NGX_ERROR;
        }

        curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE, 0L);
        curl_easy_setopt(e, CURLOPT_POSTFIELDS, "");
        curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, m->method);
    }

    curl_easy_setopt(e, CURLOPT_HTTPHEADER, cred->headers);
    curl_easy_setopt(e, CURLOPT_USERAGENT, "ngx_live_record");
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_PROXY, "");
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS,
                     NGX_LIVE_RECORD_CRED_CONNECT);
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, NGX_LIVE_RECORD_CRED_TIMEOUT);

    /* it would be kept for hours */

    curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L);

    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, ngx_live_record_cred_write);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, (void *) cred);

    cred->curl.handler = ngx_live_record_cred_answered;
    cred->curl.data = cred;

    return ngx_live_record_curl_start(e, &cred->curl);
}


static ngx_int_t
ngx_live_record_cred_header(ngx_live_record_cred_t *cred, const char *line)
{
    struct curl_slist  *list;

    list = curl_slist_append(cred->headers, line);
    if (list == NULL) {
        return NGX_ERROR;
    }

    cred->headers = list;

    return NGX_OK;
}


static size_t
ngx_live_record_cred_write(char *p, size_t size, size_t n, void *data)
{
    ngx_live_record_cred_t *cred = data;

    if (cred->answer.len + size * n > LR_CRED_MAX_FILE) {
        return 0;
    }

    lr_buf_append(&cred->answer, p, size * n);

    return size * n;
}


static void
ngx_live_record_cred_answered(void *data, CURLcode rc)
{
    ngx_live_record_cred_t *cred = data;

    int        answer;
    char       why[LR_CRED_ERR_LEN];
    long       status;
    lr_cred_t  key;

    cred->started = 0;
    status = 0;

    if (rc == CURLE_OK) {
        curl_easy_getinfo(cred->easy, CURLINFO_RESPONSE_CODE, &status);
    }

    ngx_memzero(&key, sizeof(lr_cred_t));

    answer = lr_metadata_answer(&cred->metadata, (unsigned) status,
                                (char *) cred->answer.data, cred->answer.len,
                                &key, why);

    if (answer == LR_AGAIN) {
        ngx_live_record_cred_ask(cred);
        return;
    }

    ngx_live_record_cred_clear(cred);
    lr_metadata_free(&cred->metadata);

    if (answer == LR_OK) {
        ngx_live_record_cred_take(cred, &key);
        return;
    }

    ngx_live_record_cred_fail(cred, (char *) cred->endpoint.data, why);
}


/* forgets a request to the metadata service, and what is secret in it */

static void
ngx_live_record_cred_clear(ngx_live_record_cred_t *cred)
{
    struct curl_slist  *line;

    for (line = cred->headers; line; line = line->next) {
        ngx_explicit_memzero(line->data, ngx_strlen(line->data));
    }

    curl_slist_free_all(cred->headers);
    cred->headers = NULL;

    if (cred->easy) {
        curl_easy_cleanup(cred->easy);
        cred->easy = NULL;
    }

    if (cred->answer.data) {
        ngx_explicit_memzero(cred->answer.data, cred->answer.len);
    }

    lr_buf_free(&cred->answer);
}


/* from may be NULL; what is valid of the last key stays */

static void
ngx_live_record_cred_fail(ngx_live_record_cred_t *cred, const char *from,
    const char *why)
{
    time_t      left;
    ngx_msec_t  next;

    (void) snprintf(cred->err, sizeof(cred->err), "%s%s%s", from ? from : "",
                    from ? ": " : "", why);

    next = lr_retry_delay(LR_RETRY_AGAIN, (unsigned) cred->tries++, 0,
                          (uint32_t) ngx_random());

    if (cred->type == NGX_LIVE_RECORD_CRED_FILE) {
        next = NGX_LIVE_RECORD_CRED_LOOK;

    } else if (ngx_live_record_cred_valid(cred)) {

        /* its end is not missed */

        left = cred->key.expires - ngx_time();
        next = ngx_min(next, (ngx_msec_t) left * 1000);
    }

    ngx_live_record_cred_done(cred, next);
}


/* takes over a key that has come, perhaps the same again */

static void
ngx_live_record_cred_take(ngx_live_record_cred_t *cred, lr_cred_t *key)
{
    ngx_uint_t  changed;

    changed = !ngx_live_record_cred_same(cred->key.id, key->id)
              || !ngx_live_record_cred_same(cred->key.secret, key->secret)
              || !ngx_live_record_cred_same(cred->key.token, key->token);

    if (changed || cred->refused) {
        cred->serial++;
        cred->renewed = ngx_time();
        cred->fresh = cred->refused;
    }

    lr_cred_free(&cred->key);
    cred->key = *key;
    ngx_memzero(key, sizeof(lr_cred_t));

    cred->tries = 0;
    cred->refused = 0;

    if (changed) {
        ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                      "live record: bucket \"%V\" has a new access key",
                      &cred->bucket->name);

        /* what was refused with the last one */

        ngx_live_record_bucket_renewed(cred->bucket);
        ngx_live_record_shipper_renewed(cred->bucket);
    }

    ngx_live_record_cred_done(cred, ngx_live_record_cred_next(cred));
}


static void
ngx_live_record_cred_done(ngx_live_record_cred_t *cred, ngx_msec_t next)
{
    cred->busy = 0;

    ngx_live_record_cred_tell(cred);

    if (!ngx_exiting) {
        ngx_add_timer(&cred->timer, next);
    }

    ngx_live_record_cred_let_go(cred, ngx_live_record_cred_valid(cred)
                                      ? NULL : cred->err);
}


/* when to look after a key that is there, ms from now */

static ngx_msec_t
ngx_live_record_cred_next(ngx_live_record_cred_t *cred)
{
    time_t  now, left;

    if (cred->type == NGX_LIVE_RECORD_CRED_FILE) {
        return NGX_LIVE_RECORD_CRED_LOOK;
    }

    now = ngx_time();

    /* our clock is wrong, and the store will tell whether the key is */

    if (cred->key.expires <= now) {
        return NGX_LIVE_RECORD_CRED_AGAIN * 1000;
    }

    left = lr_cred_refresh_at(&cred->key, now) - now;

    return (ngx_msec_t) ngx_min(left, NGX_LIVE_RECORD_CRED_LATEST) * 1000;
}


static ngx_uint_t
ngx_live_record_cred_same(const char *a, const char *b)
{
    if (a == NULL || b == NULL) {
        return a == b;
    }

    return strcmp(a, b) == 0;
}


/*
 * A key whose end has passed is used on as long as nothing says that it
 * could not be renewed: rather the clock is wrong than the service.
 */

static ngx_uint_t
ngx_live_record_cred_valid(ngx_live_record_cred_t *cred)
{
    if (cred->key.id == NULL || cred->refused) {
        return 0;
    }

    return cred->tries == 0 || cred->key.expires == 0
           || cred->key.expires > ngx_time();
}


/* told when it changes, not at each try */

static void
ngx_live_record_cred_tell(ngx_live_record_cred_t *cred)
{
    ngx_live_record_cred_state_e  state;

    state = !ngx_live_record_cred_valid(cred) ? NGX_LIVE_RECORD_CRED_MISSING
            : cred->tries ? NGX_LIVE_RECORD_CRED_OLD
            : NGX_LIVE_RECORD_CRED_WELL;

    if (state == cred->state) {
        return;
    }

    cred->state = state;

    switch (state) {

    case NGX_LIVE_RECORD_CRED_WELL:
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "live record: the access key of bucket \"%V\" is "
                      "renewed again", &cred->bucket->name);
        break;

    case NGX_LIVE_RECORD_CRED_OLD:
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "live record: the access key of bucket \"%V\" cannot "
                      "be renewed, the last one is used on: %s",
                      &cred->bucket->name, cred->err);
        break;

    case NGX_LIVE_RECORD_CRED_MISSING:
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "live record: bucket \"%V\" has no valid access key, "
                      "recordings wait in the spool: %s",
                      &cred->bucket->name, cred->err);

        ngx_live_record_bucket_refuses(cred->bucket, lr_retry_refusal(NULL),
                                       "there is no valid access key");
        break;
    }
}
