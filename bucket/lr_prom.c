
/*
 * Copyright (C) the ngx_live_record authors
 */


#include "lr_prom.h"


static void lr_prom_sample(lr_buf_t *out, const char *name,
    const lr_prom_label_t *labels, size_t n);
static void lr_prom_text(lr_buf_t *out, const char *text, unsigned quoted);
static size_t lr_prom_char(const u_char *p, const u_char *end);


void
lr_prom_metric(lr_buf_t *out, const char *name, const char *type,
    const char *help)
{
    lr_buf_printf(out, "# HELP %s ", name);
    lr_prom_text(out, help, 0);
    lr_buf_printf(out, "\n# TYPE %s %s\n", name, type);
}


void
lr_prom_count(lr_buf_t *out, const char *name, const lr_prom_label_t *labels,
    size_t n, uint64_t value)
{
    lr_prom_sample(out, name, labels, n);
    lr_buf_printf(out, " %llu\n", (unsigned long long) value);
}


void
lr_prom_seconds(lr_buf_t *out, const char *name,
    const lr_prom_label_t *labels, size_t n, int64_t ms)
{
    uint64_t  v;

    v = ms < 0 ? -(uint64_t) ms : (uint64_t) ms;

    lr_prom_sample(out, name, labels, n);
    lr_buf_printf(out, " %s%llu.%03u\n", ms < 0 ? "-" : "",
                  (unsigned long long) (v / 1000), (unsigned) (v % 1000));
}


static void
lr_prom_sample(lr_buf_t *out, const char *name,
    const lr_prom_label_t *labels, size_t n)
{
    size_t  i;

    lr_buf_puts(out, name);

    for (i = 0; i < n; i++) {
        lr_buf_printf(out, "%s%s=\"", i ? "," : "{", labels[i].name);
        lr_prom_text(out, labels[i].value, 1);
        lr_buf_puts(out, "\"");
    }

    if (n) {
        lr_buf_puts(out, "}");
    }
}


/* in quotes these are escaped as well */

static void
lr_prom_text(lr_buf_t *out, const char *text, unsigned quoted)
{
    size_t  n;

    while (*text) {

        n = strcspn(text, quoted ? "\\\n\"" : "\\\n");
        lr_prom_utf8(out, text, n);
        text += n;

        if (*text) {
            lr_buf_puts(out, *text == '\n' ? "\\n"
                             : *text == '"' ? "\\\"" : "\\\\");
            text++;
        }
    }
}


void
lr_prom_utf8(lr_buf_t *out, const char *text, size_t len)
{
    size_t         n;
    const u_char  *p, *end;

    p = (const u_char *) text;
    end = p + len;

    while (p < end) {
        n = lr_prom_char(p, end);

        if (n) {
            lr_buf_append(out, p, n);
            p += n;

        } else {
            lr_buf_puts(out, "?");
            p++;
        }
    }
}


/* bytes of the character at p, 0 if it is none; RFC 3629, section 4 */

static size_t
lr_prom_char(const u_char *p, const u_char *end)
{
    size_t  i, n;
    u_char  low, high;

    if (*p < 0x80) {
        return *p != 0;
    }

    low = 0x80;
    high = 0xbf;

    if (*p >= 0xc2 && *p <= 0xdf) {
        n = 2;

    } else if ((*p & 0xf0) == 0xe0) {
        n = 3;
        low = *p == 0xe0 ? 0xa0 : low;
        high = *p == 0xed ? 0x9f : high;

    } else if (*p >= 0xf0 && *p <= 0xf4) {
        n = 4;
        low = *p == 0xf0 ? 0x90 : low;
        high = *p == 0xf4 ? 0x8f : high;

    } else {
        return 0;
    }

    if ((size_t) (end - p) < n || p[1] < low || p[1] > high) {
        return 0;
    }

    for (i = 2; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }

    return n;
}
