
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <strings.h>
#include <arpa/inet.h>
#include "lr_url.h"


#define LR_URL_MAX_HOST  253


static void lr_url_put_host(lr_buf_t *b, const lr_url_endpoint_t *ep,
    lr_url_style_e style, const char *bucket);
static int lr_url_host(lr_url_endpoint_t *ep, const char **err);
static int lr_url_name(const lr_str_t *host);
static void lr_url_escape(lr_buf_t *b, const char *p, size_t n,
    const char *keep);
static int lr_url_hex(char c);
static void lr_url_end(lr_buf_t *b);


int
lr_url_endpoint(lr_url_endpoint_t *ep, const char *s, const char **err)
{
    size_t       i, n;
    unsigned     port;
    const char  *end;

    memset(ep, 0, sizeof(lr_url_endpoint_t));

    ep->https = 1;

    if (strncasecmp(s, "https://", 8) == 0) {
        s += 8;

    } else if (strncasecmp(s, "http://", 7) == 0) {
        s += 7;
        ep->https = 0;

    } else if (strstr(s, "://") != NULL) {
        *err = "the scheme is neither \"http\" nor \"https\"";
        return LR_ERROR;
    }

    n = strlen(s);

    if (n != 0 && s[n - 1] == '/') {
        n--;
    }

    end = s + n;

    if (strcspn(s, "/?#") < n) {
        *err = "only a port may follow the host, and no path";
        return LR_ERROR;
    }

    if (n != 0 && s[0] == '[') {

        for (i = 1; i < n && s[i] != ']'; i++) { /* void */ }

        if (i == n) {
            *err = "a \"]\" is missing";
            return LR_ERROR;
        }

        i++;

    } else {
        for (i = 0; i < n && s[i] != ':'; i++) { /* void */ }
    }

    ep->host.data = (char *) s;
    ep->host.len = i;

    s += i;

    if (s != end) {

        if (*s != ':') {
            *err = "only a port may follow the host";
            return LR_ERROR;
        }

        s++;

        ep->port.data = (char *) s;
        ep->port.len = (size_t) (end - s);

        port = 0;

        for ( /* void */ ; s != end; s++) {

            if (*s < '0' || *s > '9') {
                port = 0;
                break;
            }

            port = port * 10 + (unsigned) (*s - '0');

            if (port > 65535) {
                break;
            }
        }

        if (port == 0 || port > 65535) {
            *err = "the port is not one of 1 to 65535";
            return LR_ERROR;
        }
    }

    return lr_url_host(ep, err);
}


lr_url_style_e
lr_url_style(const lr_url_endpoint_t *ep, lr_url_style_e style)
{
    if (style != LR_URL_AUTO) {
        return style;
    }

    return (ep->ip || ep->dotless) ? LR_URL_PATH : LR_URL_VHOST;
}


int
lr_url_check_bucket(const char *s, const char **err)
{
    size_t  i, n;

    n = strlen(s);

    if (n < 3 || n > LR_URL_MAX_BUCKET) {
        *err = "a bucket's name has 3 to 63 characters";
        return LR_ERROR;
    }

    for (i = 0; i < n; i++) {

        if ((s[i] < 'a' || s[i] > 'z') && (s[i] < '0' || s[i] > '9')
            && s[i] != '-')
        {
            *err = "a bucket's name consists of a-z, 0-9 and \"-\"";
            return LR_ERROR;
        }
    }

    if (s[0] == '-' || s[n - 1] == '-') {
        *err = "a bucket's name neither begins nor ends with \"-\"";
        return LR_ERROR;
    }

    return LR_OK;
}


int
lr_url_build(lr_buf_t *b, const lr_url_endpoint_t *ep, lr_url_style_e style,
    const char *bucket, const char *key, const lr_param_t *query, size_t n)
{
    size_t  i;

    if (bucket != NULL && ep->ip && lr_url_style(ep, style) == LR_URL_VHOST) {
        return LR_ERROR;
    }

    lr_buf_puts(b, ep->https ? "https://" : "http://");

    lr_url_put_host(b, ep, style, bucket);

    if (ep->port.len != 0) {
        lr_buf_puts(b, ":");
        lr_buf_append(b, ep->port.data, ep->port.len);
    }

    lr_url_path(b, ep, style, bucket, key);

    for (i = 0; i < n; i++) {
        lr_buf_puts(b, i == 0 ? "?" : "&");
        lr_url_encode(b, query[i].name, strlen(query[i].name));

        if (query[i].value != NULL && query[i].value[0] != '\0') {
            lr_buf_puts(b, "=");
            lr_url_encode(b, query[i].value, strlen(query[i].value));
        }
    }

    lr_url_end(b);

    return b->failed ? LR_ERROR : LR_OK;
}


void
lr_url_authority(lr_buf_t *b, const lr_url_endpoint_t *ep,
    lr_url_style_e style, const char *bucket)
{
    char      c;
    size_t    i;
    unsigned  port;

    i = b->len;

    lr_url_put_host(b, ep, style, bucket);

    for ( /* void */ ; i < b->len; i++) {
        c = (char) b->data[i];
        b->data[i] = (u_char) ((c >= 'A' && c <= 'Z') ? (c | 0x20) : c);
    }

    port = 0;

    for (i = 0; i < ep->port.len; i++) {
        port = port * 10 + (unsigned) (ep->port.data[i] - '0');
    }

    if (port != 0 && port != (ep->https ? 443 : 80)) {
        lr_buf_printf(b, ":%u", port);
    }
}


void
lr_url_path(lr_buf_t *b, const lr_url_endpoint_t *ep, lr_url_style_e style,
    const char *bucket, const char *key)
{
    lr_buf_puts(b, "/");

    if (bucket == NULL) {
        return;
    }

    if (lr_url_style(ep, style) == LR_URL_PATH) {
        lr_buf_puts(b, bucket);
        lr_buf_puts(b, "/");
    }

    if (key != NULL) {
        lr_url_encode_path(b, key, strlen(key));
    }
}


void
lr_url_encode(lr_buf_t *b, const char *p, size_t n)
{
    lr_url_escape(b, p, n, "");
}


void
lr_url_encode_path(lr_buf_t *b, const char *p, size_t n)
{
    lr_url_escape(b, p, n, "/");
}


int
lr_url_decode_query(lr_buf_t *b, const char *p, size_t n)
{
    int     hi, lo;
    char    c;
    size_t  i;

    for (i = 0; i < n; i++) {

        c = p[i];

        if (c == '+') {
            c = ' ';

        } else if (c == '%') {

            if (n - i < 3) {
                return LR_ERROR;
            }

            hi = lr_url_hex(p[i + 1]);
            lo = lr_url_hex(p[i + 2]);

            if (hi < 0 || lo < 0) {
                return LR_ERROR;
            }

            c = (char) (hi << 4 | lo);
            i += 2;
        }

        lr_buf_append(b, &c, 1);
    }

    return b->failed ? LR_ERROR : LR_OK;
}


void
lr_url_relative(lr_buf_t *b, const char *from, const char *to)
{
    size_t       i, common, first;
    const char  *p;

    /* the directories that both are in */

    common = 0;

    for (i = 0; from[i] != '\0' && from[i] == to[i]; i++) {
        if (from[i] == '/') {
            common = i + 1;
        }
    }

    from += common;
    to += common;

    p = strchr(from, '/');

    if (p == NULL) {

        /*
         * what is alone would be read as an absolute path, as a scheme or
         * as the document itself
         */

        first = strcspn(to, "/");

        if (first == 0 || memchr(to, ':', first) != NULL) {
            lr_buf_puts(b, "./");
        }
    }

    for ( /* void */ ; p != NULL; p = strchr(p + 1, '/')) {
        lr_buf_puts(b, "../");
    }

    lr_url_escape(b, to, strlen(to), "/:");
    lr_url_end(b);
}


static void
lr_url_put_host(lr_buf_t *b, const lr_url_endpoint_t *ep,
    lr_url_style_e style, const char *bucket)
{
    if (bucket != NULL && lr_url_style(ep, style) == LR_URL_VHOST) {
        lr_buf_puts(b, bucket);
        lr_buf_puts(b, ".");
    }

    lr_buf_append(b, ep->host.data, ep->host.len);
}


static int
lr_url_host(lr_url_endpoint_t *ep, const char **err)
{
    char             buf[LR_URL_MAX_HOST + 1];
    size_t           n;
    lr_str_t        *host;
    const char      *last;
    struct in_addr   in;
    struct in6_addr  in6;

    host = &ep->host;
    n = host->len;

    if (n == 0 || n > LR_URL_MAX_HOST) {
        *err = "there is no host";
        return LR_ERROR;
    }

    if (host->data[0] == '[') {
        memcpy(buf, host->data + 1, n - 2);
        buf[n - 2] = '\0';

        if (inet_pton(AF_INET6, buf, &in6) != 1) {
            *err = "the host is not an IPv6 address";
            return LR_ERROR;
        }

        ep->ip = 1;

        return LR_OK;
    }

    if (lr_url_name(host) != LR_OK) {
        *err = "the host is not a name of letters, digits, \"-\" and \".\"";
        return LR_ERROR;
    }

    memcpy(buf, host->data, n);
    buf[n] = '\0';

    last = strrchr(buf, '.');
    ep->dotless = (last == NULL);

    last = last ? last + 1 : buf;

    /* a name whose last label is a number can only be an address */

    if (strspn(last, "0123456789") == strlen(last)) {

        if (inet_pton(AF_INET, buf, &in) != 1) {
            *err = "the host is not an IPv4 address";
            return LR_ERROR;
        }

        ep->ip = 1;
    }

    return LR_OK;
}


static int
lr_url_name(const lr_str_t *host)
{
    char    c;
    size_t  i, label;

    label = 0;

    for (i = 0; i < host->len; i++) {

        c = host->data[i];

        if (c == '.') {
            if (label == 0) {
                return LR_ERROR;
            }

            label = 0;
            continue;
        }

        if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z')
            && (c < '0' || c > '9') && c != '-' && c != '_')
        {
            return LR_ERROR;
        }

        if (++label > 63) {
            return LR_ERROR;
        }
    }

    return label ? LR_OK : LR_ERROR;
}


int
lr_url_utf8(const char *s, size_t n)
{
    size_t    i, k;
    u_char    c;
    uint32_t  v, min;

    for (i = 0; i < n; i += k + 1) {

        c = (u_char) s[i];

        if (c < 0x80) {
            k = 0;
            continue;
        }

        if (c >= 0xc0 && c < 0xe0) {
            k = 1;
            v = c & 0x1f;
            min = 0x80;

        } else if (c >= 0xe0 && c < 0xf0) {
            k = 2;
            v = c & 0x0f;
            min = 0x800;

        } else if (c >= 0xf0 && c < 0xf8) {
            k = 3;
            v = c & 0x07;
            min = 0x10000;

        } else {
            return LR_ERROR;
        }

        if (n - i <= k) {
            return LR_ERROR;
        }

        for (c = 1; c <= k; c++) {

            if (((u_char) s[i + c] & 0xc0) != 0x80) {
                return LR_ERROR;
            }

            v = v << 6 | ((u_char) s[i + c] & 0x3f);
        }

        if (v < min || v > 0x10ffff || (v >= 0xd800 && v < 0xe000)) {
            return LR_ERROR;
        }
    }

    return LR_OK;
}


static void
lr_url_escape(lr_buf_t *b, const char *p, size_t n, const char *keep)
{
    char               c, esc[3];
    size_t             i, start;

    static const char  hex[] = "0123456789ABCDEF";

    esc[0] = '%';
    start = 0;

    for (i = 0; i < n; i++) {

        c = p[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
            || (c >= '0' && c <= '9')
            || c == '-' || c == '.' || c == '_' || c == '~'
            || (c != '\0' && strchr(keep, c) != NULL))
        {
            continue;
        }

        esc[1] = hex[(u_char) c >> 4];
        esc[2] = hex[(u_char) c & 0xf];

        lr_buf_append(b, p + start, i - start);
        lr_buf_append(b, esc, 3);

        start = i + 1;
    }

    lr_buf_append(b, p + start, n - start);
}


static int
lr_url_hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }

    return -1;
}


static void
lr_url_end(lr_buf_t *b)
{
    if (lr_buf_reserve(b, 1) == LR_OK) {
        b->data[b->len] = '\0';
    }
}
