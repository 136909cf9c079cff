
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What callbacks tell of an object: it is written together with what the
 * bucket has confirmed, so that whoever reads ship.log needs nothing else.
 */


#include <errno.h>
#include <stdlib.h>
#include "lr_ship.h"


static json_t *lr_ship_notice_args(const lr_ship_t *s, int64_t media);


/* called for a span that is being added */

int
lr_ship_notice_span(lr_ship_t *s, int64_t media, json_t *args)
{
    size_t           n;
    lr_ship_args_t  *more;

    if (s->settings.notify == 0) {
        return LR_OK;
    }

    /* doubled at each power of two */

    n = s->nspans;

    if ((n & (n - 1)) == 0) {
        more = realloc(s->args, (n ? n * 2 : 1) * sizeof(lr_ship_args_t));

        if (more == NULL) {
            errno = ENOMEM;
            return LR_ERROR;
        }

        s->args = more;
    }

    s->args[n].media = media;
    s->args[n].args = json_incref(args);

    return LR_OK;
}


void
lr_ship_notice_fragment(lr_ship_t *s, json_t *o)
{
    const lr_fragment_t  *f;

    if (!(s->settings.notify & LR_NOTIFY_FRAGMENTS)) {
        return;
    }

    f = &s->fragments[s->next].f;

    lr_ship_notice(s, o, f->wall, f->wall + f->duration, f->duration,
                   f->media);
}


void
lr_ship_notice_index(lr_ship_t *s, json_t *o)
{
    size_t   i;
    int64_t  start, end, duration, media;

    lr_ship_cycle_range(s, &start, &end, &duration);

    media = 0;

    for (i = 0; i < s->next; i++) {
        if (s->fragments[i].f.cycle == s->cycle && s->fragments[i].key) {
            media = s->fragments[i].f.media;
        }
    }

    lr_ship_notice(s, o, start, end, duration, media);
}


void
lr_ship_notice(lr_ship_t *s, json_t *o, int64_t start, int64_t end,
    int64_t duration, int64_t media)
{
    json_t  *notice, *args;

    if (o == NULL || !(s->settings.notify & LR_NOTIFY_FILES)) {
        return;
    }

    notice = json_pack("{s:I, s:I, s:I}", "start", (json_int_t) start,
                       "end", (json_int_t) end,
                       "duration", (json_int_t) duration);

    args = lr_ship_notice_args(s, media);

    if (args) {
        json_object_set(notice, "push_args", args);
    }

    json_object_set_new(o, "notice", notice);
}


/* those of the publish that brought what is at this media time */

static json_t *
lr_ship_notice_args(const lr_ship_t *s, int64_t media)
{
    size_t  i;

    for (i = s->nspans; i > 1; i--) {
        if (s->args[i - 1].media <= media) {
            break;
        }
    }

    return i ? s->args[i - 1].args : NULL;
}


void
lr_ship_notice_free(lr_ship_t *s)
{
    size_t  i;

    for (i = 0; s->args && i < s->nspans; i++) {
        json_decref(s->args[i].args);
    }

    free(s->args);
    s->args = NULL;
}
