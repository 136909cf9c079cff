
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Whose a call of the API is: the signatures of both versions, the time of
 * the call, and that there has been no such call before.
 */


#include "lr_acs3.h"
#include "lr_nonce.h"
#include "lr_time.h"
#include "ngx_live_record_api.h"


/* seconds that a call's time may differ from ours, as in the cloud */
#define NGX_LIVE_RECORD_API_WINDOW   900

/* some 260000 nonces: those of half an hour at 145 calls a second */
#define NGX_LIVE_RECORD_API_NONCES   (4 * 1024 * 1024)

/* milliseconds between two warnings of nonces that were forgotten */
#define NGX_LIVE_RECORD_API_WARN     60000

#define NGX_LIVE_RECORD_API_HEADERS  128


/* what a call says of itself, in either way */

typedef struct {
    const char  *action;
    const char  *version;
    const char  *time;
    const char  *nonce;
    const char  *id;           /* of the access key */
    const char  *signature;
    lr_buf_t     string;       /* what it is of */
} ngx_live_record_claim_t;


static ngx_int_t ngx_live_record_api_v1(ngx_live_record_api_t *api,
    ngx_live_record_claim_t *claim);
static ngx_int_t ngx_live_record_api_acs3(ngx_live_record_api_t *api,
    ngx_live_record_claim_t *claim);
static ngx_int_t ngx_live_record_api_headers(ngx_live_record_api_t *api,
    lr_acs3_request_t *req);
static const char *ngx_live_record_api_header(ngx_live_record_api_t *api,
    lr_acs3_request_t *req, const char *name);
static const char *ngx_live_record_api_copy(ngx_live_record_api_t *api,
    const lr_str_t *s);
static ngx_int_t ngx_live_record_api_missing(ngx_live_record_api_t *api,
    const char *name);
static ngx_int_t ngx_live_record_api_check(ngx_live_record_api_t *api,
    const lr_keys_t *keys, ngx_live_record_claim_t *claim);
static ngx_int_t ngx_live_record_api_signed(ngx_live_record_api_t *api,
    const lr_keys_t *keys, ngx_live_record_claim_t *claim);
static ngx_int_t ngx_live_record_api_once(ngx_live_record_api_t *api,
    ngx_live_record_claim_t *claim, int64_t ms);
static ngx_int_t ngx_live_record_api_init_zone(ngx_shm_zone_t *zone,
    void *data);


ngx_int_t
ngx_live_record_api_auth(ngx_live_record_api_t *api, const lr_keys_t *keys,
    const char **action)
{
    ngx_int_t                rc;
    ngx_live_record_claim_t  claim;

    ngx_memzero(&claim, sizeof(ngx_live_record_claim_t));

    rc = api->acs3 ? ngx_live_record_api_acs3(api, &claim)
                   : ngx_live_record_api_v1(api, &claim);

    if (rc == NGX_OK) {
        rc = ngx_live_record_api_check(api, keys, &claim);
    }

    lr_buf_free(&claim.string);

    *action = claim.action;

    return rc;
}


/* all is said by parameters */

static ngx_int_t
ngx_live_record_api_v1(ngx_live_record_api_t *api,
    ngx_live_record_claim_t *claim)
{
    u_char       code[64];
    ngx_uint_t   i;
    const char  *value[8];

    static const struct {
        const char  *name;
        const char  *want;
    } p[] = {
        { "Action", NULL },
        { "Version", NULL },
        { "AccessKeyId", NULL },
        { "Signature", NULL },
        { "Timestamp", NULL },
        { "SignatureNonce", NULL },
        { "SignatureMethod", "HMAC-SHA1" },
        { "SignatureVersion", "1.0" }
    };

    for (i = 0; i < sizeof(p) / sizeof(p[0]); i++) {

        value[i] = ngx_live_record_api_param(api, p[i].name);

        if (value[i] == NULL) {
            return ngx_live_record_api_missing(api, p[i].name);
        }

        if (p[i].want && ngx_strcmp(value[i], p[i].want) != 0) {
            ngx_snprintf(code, sizeof(code), "Invalid%s%Z", p[i].name);
            ngx_live_record_api_error(api, NGX_HTTP_BAD_REQUEST,
                                      (char *) code, "Specified parameter %s "
                                      "is not valid.", p[i].name);
            return NGX_ERROR;
        }
    }

    claim->action = value[0];
    claim->version = value[1];
    claim->id = value[2];
    claim->signature = value[3];
    claim->time = value[4];
    claim->nonce = value[5];

    if (lr_rpc_string(&claim->string, &api->params,
                      api->request->method == NGX_HTTP_GET ? "GET" : "POST")
        != LR_OK)
    {
        ngx_live_record_api_failed(api);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* all is said by headers; the parameters are the action's alone */

static ngx_int_t
ngx_live_record_api_acs3(ngx_live_record_api_t *api,
    ngx_live_record_claim_t *claim)
{
    int                  rc;
    char                 payload[LR_ACS3_SIGNATURE_LEN + 1];
    u_char              *p;
    ngx_str_t           *value;
    lr_acs3_t            a;
    ngx_uint_t           i;
    lr_acs3_request_t    req;
    ngx_http_request_t  *r;

    const struct {
        const char   *name;
        const char  **value;
    } h[] = {
        { "x-acs-action", &claim->action },
        { "x-acs-version", &claim->version },
        { "x-acs-date", &claim->time },
        { "x-acs-signature-nonce", &claim->nonce }
    };

    r = api->request;
    value = &r->headers_in.authorization->value;

    ngx_memzero(&req, sizeof(lr_acs3_request_t));

    if (ngx_live_record_api_headers(api, &req) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < sizeof(h) / sizeof(h[0]); i++) {

        *h[i].value = ngx_live_record_api_header(api, &req, h[i].name);

        if (*h[i].value == NULL) {
            return ngx_live_record_api_missing(api, h[i].name);
        }
    }

    req.method = r->method == NGX_HTTP_GET ? "GET" : "POST";
    req.params = &api->params;
    req.payload = payload;

    /* the address as it was sent, without the query */

    req.path.data = (char *) r->unparsed_uri.data;
    req.path.len = r->unparsed_uri.len;

    p = ngx_strlchr(r->unparsed_uri.data,
                    r->unparsed_uri.data + r->unparsed_uri.len, '?');
    if (p) {
        req.path.len = p - r->unparsed_uri.data;
    }

    if (lr_acs3_digest(api->body.data, api->body.len, payload) != LR_OK) {
        ngx_live_record_api_failed(api);
        return NGX_ERROR;
    }

    rc = lr_acs3_parse(&a, (char *) value->data, value->len);

    if (rc == LR_OK) {
        rc = lr_acs3_string(&claim->string, &a, &req);
    }

    if (rc != LR_OK) {
        ngx_live_record_api_error(api, NGX_HTTP_BAD_REQUEST,
                                  "IncompleteSignature",
                                  "The request signature does not conform to "
                                  "Aliyun standards.");
        return NGX_ERROR;
    }

    claim->id = ngx_live_record_api_copy(api, &a.id);
    claim->signature = ngx_live_record_api_copy(api, &a.signature);

    if (claim->id == NULL || claim->signature == NULL) {
        ngx_live_record_api_failed(api);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_live_record_api_headers(ngx_live_record_api_t *api,
    lr_acs3_request_t *req)
{
    size_t               n;
    ngx_uint_t           i;
    lr_acs3_header_t    *h;
    ngx_list_part_t     *part;
    ngx_table_elt_t     *elt;
    ngx_http_request_t  *r;

    r = api->request;
    n = 0;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        n += part->nelts;
    }

    if (n > NGX_LIVE_RECORD_API_HEADERS) {
        ngx_live_record_api_error(api, NGX_HTTP_BAD_REQUEST,
                                  "InvalidParameter", "The request is not "
                                  "well formed: there are more than %d "
                                  "headers.", NGX_LIVE_RECORD_API_HEADERS);
        return NGX_ERROR;
    }

    h = ngx_palloc(r->pool, n * sizeof(lr_acs3_header_t));
    if (h == NULL) {
        ngx_live_record_api_failed(api);
        return NGX_ERROR;
    }

    req->headers = h;
    req->nheaders = n;

    /* nginx has taken the blanks around a value away */

    for (part = &r->headers_in.headers.part; part; part = part->next) {

        elt = part->elts;

        for (i = 0; i < part->nelts; i++, h++) {
            h->name.data = (char *) elt[i].lowcase_key;
            h->name.len = elt[i].key.len;
            h->value.data = (char *) elt[i].value.data;
            h->value.len = elt[i].value.len;
        }
    }

    return NGX_OK;
}


static const char *
ngx_live_record_api_header(ngx_live_record_api_t *api,
    lr_acs3_request_t *req, const char *name)
{
    size_t           i, len;
    const lr_str_t  *s;

    len = ngx_strlen(name);

    for (i = 0; i < req->nheaders; i++) {
        s = &req->headers[i].name;

        if (s->len == len && ngx_strncmp(s->data, name, len) == 0
            && req->headers[i].value.len)
        {
            return ngx_live_record_api_copy(api, &req->headers[i].value);
        }
    }

    return NULL;
}


static const char *
ngx_live_record_api_copy(ngx_live_record_api_t *api, const lr_str_t *s)
{
    u_char  *p;

    p = ngx_pnalloc(api->request->pool, s->len + 1);

    if (p) {
        ngx_cpystrn(p, (u_char *) s->data, s->len + 1);
    }

    return (char *) p;
}


static ngx_int_t
ngx_live_record_api_missing(ngx_live_record_api_t *api, const char *name)
{
    ngx_live_record_api_error(api, NGX_HTTP_BAD_REQUEST, "MissingParameter",
                              "The input parameter \"%s\" that is mandatory "
                              "for processing this request is not supplied.",
                              name);
    return NGX_ERROR;
}


/*
 * Nothing is remembered of a call before its signature is known to be
 * right, and nothing is said of the action before that.
 */

static ngx_int_t
ngx_live_record_api_check(ngx_live_record_api_t *api, const lr_keys_t *keys,
    ngx_live_record_claim_t *claim)
{
    int64_t  ms, now;

    if (lr_time_parse(&ms, claim->time, ngx_strlen(claim->time)) != LR_OK) {
        ngx_live_record_api_error(api, NGX_HTTP_BAD_REQUEST,
                                  "InvalidTimeStamp.Format",
                                  "Specified time stamp or date value is not "
                                  "well formatted.");
        return NGX_ERROR;
    }

    now = (int64_t) ngx_time() * 1000;

    if (ms < now - NGX_LIVE_RECORD_API_WINDOW * 1000
        || ms > now + NGX_LIVE_RECORD_API_WINDOW * 1000)
    {
        ngx_live_record_api_error(api, NGX_HTTP_BAD_REQUEST,
                                  "InvalidTimeStamp.Expired",
                                  "Specified time stamp or date value is "
                                  "expired.");
        return NGX_ERROR;
    }

    if (ngx_live_record_api_signed(api, keys, claim) != NGX_OK
        || ngx_live_record_api_once(api, claim, ms) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_strcmp(claim->version, NGX_LIVE_RECORD_API_VERSION) != 0) {
        ngx_live_record_api_error(api, NGX_HTTP_BAD_REQUEST,
                                  "InvalidVersion",
                                  "Specified parameter Version is not "
                                  "valid.");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_live_record_api_signed(ngx_live_record_api_t *api, const lr_keys_t *keys,
    ngx_live_record_claim_t *claim)
{
    int               rc;
    char              signature[LR_ACS3_SIGNATURE_LEN + 1], *string;
    ngx_int_t         same;
    const lr_cred_t  *key;

    key = lr_keys_find(keys, claim->id);

    if (key == NULL) {
        ngx_live_record_api_error(api, NGX_HTTP_NOT_FOUND,
                                  "InvalidAccessKeyId.NotFound",
                                  "Specified access key is not found.");
        return NGX_ERROR;
    }

    string = (char *) claim->string.data;

    rc = api->acs3 ? lr_acs3_sign(string, key->secret, signature)
                   : lr_rpc_sign(string, key->secret, signature);

    if (rc != LR_OK) {
        ngx_live_record_api_failed(api);
        return NGX_ERROR;
    }

    same = lr_rpc_equal(signature, claim->signature);

    ngx_explicit_memzero(signature, sizeof(signature));

    if (!same) {
        ngx_live_record_api_error(api, NGX_HTTP_BAD_REQUEST,
                                  "SignatureDoesNotMatch",
                                  "Specified signature is not matched with "
                                  "our calculation. server string to sign "
                                  "is:%s", string);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_live_record_api_once(ngx_live_record_api_t *api,
    ngx_live_record_claim_t *claim, int64_t ms)
{
    int                           rc;
    ngx_slab_pool_t              *shpool;
    ngx_live_record_http_conf_t  *lhcf;

    static ngx_msec_t  warned;

    lhcf = ngx_http_get_module_main_conf(api->request,
                                         ngx_live_record_http_module);

    shpool = (ngx_slab_pool_t *) lhcf->nonces->shm.addr;

    ngx_shmtx_lock(&shpool->mutex);

    rc = lr_nonce_take(lhcf->nonces->data, claim->id, claim->nonce,
                       ngx_time(),
                       (time_t) (ms / 1000) + NGX_LIVE_RECORD_API_WINDOW);

    ngx_shmtx_unlock(&shpool->mutex);

    switch (rc) {

    case LR_OK:
        return NGX_OK;

    case LR_AGAIN:

        if (warned == 0
            || ngx_current_msec - warned > NGX_LIVE_RECORD_API_WARN)
        {
            warned = ngx_current_msec;
            ngx_log_error(NGX_LOG_WARN, api->request->connection->log, 0,
                          "live record: API: more calls than nonces can be "
                          "remembered of; the oldest could be replayed");
        }

        return NGX_OK;

    case LR_DECLINED:
        ngx_live_record_api_error(api, NGX_HTTP_BAD_REQUEST,
                                  "SignatureNonceUsed",
                                  "Specified signature nonce was used "
                                  "already.");
        return NGX_ERROR;

    default:
        ngx_live_record_api_failed(api);
        return NGX_ERROR;
    }
}


ngx_shm_zone_t *
ngx_live_record_api_nonces(ngx_conf_t *cf)
{
    ngx_shm_zone_t  *zone;

    static ngx_str_t  name = ngx_string("live_record_api");

    zone = ngx_shared_memory_add(cf, &name, NGX_LIVE_RECORD_API_NONCES,
                                 &ngx_live_record_http_module);
    if (zone) {
        zone->init = ngx_live_record_api_init_zone;
    }

    return zone;
}


/* a reload goes on with what is there */

static ngx_int_t
ngx_live_record_api_init_zone(ngx_shm_zone_t *zone, void *data)
{
    void             *p;
    size_t            size;
    ngx_slab_pool_t  *shpool;

    if (data) {
        zone->data = data;
        return NGX_OK;
    }

    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    /* all that the pool gives at once; the lock is its own */

    size = shpool->pfree * ngx_pagesize;

    p = ngx_slab_alloc(shpool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    zone->data = lr_nonce_init(p, size);

    return zone->data ? NGX_OK : NGX_ERROR;
}
