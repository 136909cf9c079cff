
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What an answer of the store means.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_live_record_oss.h"


/* a listing or an object that is longer is no error */
#define NGX_LIVE_RECORD_OSS_ERROR  4096

/* a clock that differs by less seconds is as good as another */
#define NGX_LIVE_RECORD_OSS_SKEW   60

/* and one by as many is refused */
#define NGX_LIVE_RECORD_OSS_REFUSED  (15 * 60)

/* no clock is as wrong; with some times nothing can be signed */
#define NGX_LIVE_RECORD_OSS_AGES  ((int64_t) 100 * 366 * 24 * 60 * 60)


static lr_net_e ngx_live_record_oss_net(ngx_live_record_oss_t *t,
    CURLcode rc);
static ngx_uint_t ngx_live_record_oss_elsewhere(ngx_live_record_oss_t *t,
    lr_xml_error_t *e, char *buf, size_t size);
static void ngx_live_record_oss_tell(ngx_live_record_oss_t *t, CURLcode rc,
    lr_net_e net, lr_xml_error_t *e);
static void ngx_live_record_oss_clock(ngx_live_record_oss_t *t);
static void ngx_live_record_oss_region(ngx_live_record_oss_t *t,
    lr_xml_error_t *e);
static ngx_uint_t ngx_live_record_oss_wants(ngx_live_record_oss_t *t,
    lr_xml_error_t *e);


void
ngx_live_record_oss_sort(ngx_live_record_oss_t *t, CURLcode rc)
{
    long                        asked;
    lr_net_e                    net;
    ngx_uint_t                  reading, error, beginning, wants;
    lr_xml_error_t              e;
    ngx_live_record_cred_t     *cred;
    ngx_live_record_request_t  *req;

    req = t->req;

    ngx_memzero(&e, sizeof(lr_xml_error_t));

    net = ngx_live_record_oss_net(t, rc);

    /*
     * A store that refuses may answer and close before it has read all of
     * an object: what it said counts, not that the sending broke.
     */

    if (net == LR_NET_BROKEN && t->status >= 300) {
        net = LR_NET_OK;
    }

    /* else there was not even a connection */

    if (net == LR_NET_TIMEOUT
        && curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &asked)
           == CURLE_OK)
    {
        t->late = asked > 0;
    }

    /* libcurl is content with headers that are cut off */

    if (net == LR_NET_OK && !t->whole) {
        net = LR_NET_BROKEN;
        rc = CURLE_PARTIAL_FILE;
    }

    beginning = t->sum == NGX_LIVE_RECORD_OSS_GOT && t->req->first;

    /* one that is empty has none */

    if (beginning && t->status == 416) {
        t->answer.len = 0;
        t->status = 206;
    }

    beginning &= t->status == 206;

    reading = t->method[0] == 'G';

    error = t->status >= 300 || !reading
            || t->answer.len < NGX_LIVE_RECORD_OSS_ERROR;

    if (t->sum == NGX_LIVE_RECORD_OSS_GOT && (t->status == 200 || beginning)
        && (t->has_crc || t->etag[0]))
    {
        error = 0;                   /* it is the object */
    }

    if (net == LR_NET_OK && error && t->answer.len
        && lr_xml_error(&e, (char *) t->answer.data, t->answer.len) == LR_OK)
    {
        ngx_memcpy(t->code, e.code, sizeof(t->code));
    }

    if (net == LR_NET_OK && t->status == 200 && t->code[0] == '\0') {
        net = t->dialect->compare(t);
    }

    req->result = lr_retry_sort(net, (unsigned) t->status,
                                t->code[0] ? t->code : NULL);

    /* a 203 is looked at by those that send an object */

    if (req->result == LR_RETRY_OK && t->status != 200 && !beginning
        && t->sum != NGX_LIVE_RECORD_OSS_SENT
        && !(t->method[0] == 'D' && t->status == 204))
    {
        req->result = LR_RETRY_AGAIN;
    }

    /* what was to go away has done so */

    if (req->result == LR_RETRY_GONE && t->method[0] == 'D'
        && t->code[0])
    {
        req->result = LR_RETRY_OK;
    }

    /*
     * Only of an object that is read a bare 404 says that it is not there.
     * Of a bucket that is listed nothing does: it is not where it is asked
     * for, or somebody else has answered.
     */

    if (req->result == LR_RETRY_GONE
        && (t->key == NULL
            || (t->code[0] == '\0' && t->sum != NGX_LIVE_RECORD_OSS_GOT
                && t->method[0] != 'H')))
    {
        req->result = LR_RETRY_ADMIN;
    }

    /* what a HEAD is refused for is not told */

    if (t->method[0] == 'H' && t->status == 403 && t->code[0] == '\0'
        && t->date > 0
        && ngx_abs((int64_t) t->date - ngx_time() - t->skew)
           >= NGX_LIVE_RECORD_OSS_REFUSED)
    {
        req->result = LR_RETRY_CLOCK;
    }

    wants = req->result == LR_RETRY_ADMIN && ngx_live_record_oss_wants(t, &e);

    if (wants) {
        req->result = LR_RETRY_REGION;
    }

    /* perhaps it is the key; where no code tells, as of a HEAD, nobody knows */

    cred = req->bucket->cred;

    if (req->result == LR_RETRY_CREDENTIALS) {
        req->result = ngx_live_record_cred_refused(cred, t->serial);

    } else if (req->result == LR_RETRY_ADMIN
               && (t->status == 400 || t->status == 403))
    {
        req->result = ngx_live_record_cred_doubted(cred, t->serial);
    }

    if (req->result == LR_RETRY_CLOCK) {
        ngx_live_record_oss_clock(t);
    }

    if (req->result == LR_RETRY_REGION && !wants) {
        ngx_live_record_oss_region(t, &e);
    }

    req->refusal = lr_retry_refusal(t->code[0] ? t->code : NULL);

    if (net == LR_NET_OK) {
        (void) snprintf(req->refused, sizeof(req->refused), "%ld%s%s",
                        t->status, t->code[0] ? " " : "", t->code);

    } else {
        (void) snprintf(req->refused, sizeof(req->refused), "%s",
                        curl_easy_strerror(rc));
    }

    req->verdict = lr_gate_sort(net, (unsigned) t->status,
                                t->code[0] ? t->code : NULL, req->result);

    ngx_live_record_oss_tell(t, rc, net, &e);
}


ngx_uint_t
ngx_live_record_oss_code(ngx_live_record_oss_t *t, const char *code)
{
    return strcmp(t->code, code) == 0;
}


static lr_net_e
ngx_live_record_oss_net(ngx_live_record_oss_t *t, CURLcode rc)
{
    long  status;

    switch (rc) {

    case CURLE_OK:
        return LR_NET_OK;

    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
        return LR_NET_CONNECT;

    case CURLE_OPERATION_TIMEDOUT:
        return LR_NET_TIMEOUT;

    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
        return LR_NET_TLS;

    case CURLE_URL_MALFORMAT:
    case CURLE_OUT_OF_MEMORY:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return LR_NET_LOCAL;

    default:
        break;
    }

    /* a proxy that does not let us through will not do so later */

    status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_HTTP_CONNECTCODE, &status);

    return status >= 400 && status < 500 ? LR_NET_LOCAL : LR_NET_BROKEN;
}


/*
 * Where the store wants to be asked, for "endpoint": a signed request is not
 * sent to anybody else because an answer says so.
 */

static ngx_uint_t
ngx_live_record_oss_elsewhere(ngx_live_record_oss_t *t, lr_xml_error_t *e,
    char *buf, size_t size)
{
    char        *url, *scheme, *host, *port, *p;
    CURLU       *u;
    size_t       n;
    const char  *bucket;

    buf[0] = '\0';
    url = NULL;

    if (e->endpoint[0]) {
        (void) snprintf(buf, size, "%s", e->endpoint);

    } else if (curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_URL, &url)
               == CURLE_OK
               && url)
    {
        /* there may be anything behind the host, and before it */

        u = curl_url();
        scheme = NULL;
        host = NULL;
        port = NULL;

        if (u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK
            && curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK
            && curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK)
        {
            (void) curl_url_get(u, CURLUPART_PORT, &port, 0);
            (void) snprintf(buf, size, "%s://%s%s%s", scheme, host,
                            port ? ":" : "", port ? port : "");
        }

        curl_free(scheme);
        curl_free(host);
        curl_free(port);
        curl_url_cleanup(u);
    }

    /* the bucket's name is not a part of it */

    bucket = (char *) t->req->bucket->bucket.data;
    n = t->req->bucket->bucket.len;

    p = strstr(buf, "://");
    p = p ? p + 3 : buf;

    if (strncmp(p, bucket, n) == 0 && p[n] == '.') {
        memmove(p, p + n + 1, strlen(p + n + 1) + 1);
    }

    return buf[0] != '\0';
}


/* a text for the log */

static void
ngx_live_record_oss_tell(ngx_live_record_oss_t *t, CURLcode rc, lr_net_e net,
    lr_xml_error_t *e)
{
    int          n;
    char        *p, to[256];
    size_t       size;
    const char  *key;

    p = t->req->err;
    size = sizeof(t->req->err);
    key = t->key ? t->key : t->req->key;

    n = snprintf(p, size, "%s \"%s\": ", t->what, key);

    if (n < 0 || (size_t) n >= size) {
        return;
    }

    p += n;
    size -= n;

    if (net == LR_NET_SUM) {
        (void) snprintf(p, size, "the %s of the answer is %s",
                        t->sum == NGX_LIVE_RECORD_OSS_SENT
                        && t->req->op == NGX_LIVE_RECORD_PUT
                        && t->req->bucket->checksum
                           == NGX_LIVE_RECORD_CRC64NVME
                        ? "CRC-64/NVME" : t->dialect->sum,
                        t->unsure ? "missing"
                                  : "not that of what was sent");

    } else if (net != LR_NET_OK) {
        (void) snprintf(p, size, "%s",
                        t->curl_err[0] ? t->curl_err
                                       : curl_easy_strerror(rc));

    } else if (t->code[0] && e->region[0]) {
        (void) snprintf(p, size, "%ld %s \"%s\", request id %s, the bucket's "
                        "region is \"%s\", its endpoint \"%s\"", t->status,
                        e->code, e->message,
                        e->request_id[0] ? e->request_id : "unknown",
                        e->region, e->endpoint[0] ? e->endpoint : "the same");

    } else if ((t->status / 100 == 3 || e->endpoint[0])
               && t->status != 304
               && ngx_live_record_oss_elsewhere(t, e, to, sizeof(to)))
    {
        (void) snprintf(p, size, "%ld%s%s, the store wants to be asked at "
                        "\"%s\", which is not followed: mend \"endpoint\"",
                        t->status, t->code[0] ? " " : "", e->code, to);

    } else if (t->code[0]) {
        (void) snprintf(p, size, "%ld %s \"%s\", request id %s%s",
                        t->status, e->code, e->message,
                        e->request_id[0] ? e->request_id : "unknown",
                        t->req->keep
                        && ngx_live_record_oss_code(t, "NotImplemented")
                        ? "; perhaps it needs \"conditional_put off\"" : "");

    } else {
        (void) snprintf(p, size, "the answer's status is %ld", t->status);
    }
}


/* takes over the store's time, unless that was what it has refused */

static void
ngx_live_record_oss_clock(ngx_live_record_oss_t *t)
{
    int64_t                    skew;
    ngx_live_record_bucket_t  *b;

    b = t->req->bucket;

    skew = (int64_t) t->date - ngx_time();

    if (t->date <= 0 || ngx_abs(skew) > NGX_LIVE_RECORD_OSS_AGES
        || ngx_abs(skew - t->skew) <= NGX_LIVE_RECORD_OSS_SKEW)
    {
        t->req->result = LR_RETRY_AGAIN;
        return;
    }

    /* others that were under way have found the same */

    if (ngx_abs(skew - b->skew) > NGX_LIVE_RECORD_OSS_SKEW) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "live record: the clock of bucket \"%V\" differs from "
                      "this machine's by %L seconds: requests are signed "
                      "with its time, mend the machine's clock", &b->name,
                      skew);
    }

    b->skew = skew;
}


/* takes over the region, if only the signature was for another one */

static void
ngx_live_record_oss_region(ngx_live_record_oss_t *t, lr_xml_error_t *e)
{
    ngx_live_record_bucket_t  *b;

    b = t->req->bucket;

    if (!ngx_live_record_oss_code(t, "AuthorizationHeaderMalformed")
        || e->region[0] == '\0')
    {
        t->req->result = LR_RETRY_ADMIN;
        return;
    }

    /* another request may have been told the same before */

    if (strcmp(e->region, t->region) == 0) {
        t->req->result = LR_RETRY_ADMIN;
        return;
    }

    if (strcmp(e->region, b->told) != 0) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "live record: the region of bucket \"%V\" is \"%s\" "
                      "and not \"%V\": requests are signed for it, mend "
                      "\"region\"", &b->name, e->region, &b->region);
    }

    ngx_memcpy(b->told, e->region, sizeof(b->told));
}


/*
 * Whether the store only wants to know the sum of what it is sent before, as
 * S3 does in a bucket that locks its objects; from now on it is told.
 */

static ngx_uint_t
ngx_live_record_oss_wants(ngx_live_record_oss_t *t, lr_xml_error_t *e)
{
    ngx_live_record_bucket_t  *b;

    b = t->req->bucket;

    if (b->type != NGX_LIVE_RECORD_S3 || !t->send || t->digests
        || !ngx_live_record_oss_code(t, "InvalidRequest")
        || strstr(e->message, "Content-MD5") == NULL)
    {
        return 0;
    }

    if (!b->digest) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "live record: bucket \"%V\" wants an MD5 with what it "
                      "is sent: that is rendered once more for it",
                      &b->name);
    }

    b->digest = 1;

    return 1;
}
