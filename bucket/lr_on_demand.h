
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Recording on demand: the question whether a stream is to be recorded, the
 * answer to it, and what a publisher may say of it himself.  The wire is
 * that of ApsaraVideo Live.
 */


#ifndef _LR_ON_DEMAND_H_INCLUDED_
#define _LR_ON_DEMAND_H_INCLUDED_


#include "lr_core.h"


/* so much of an answer is read, the rest is cut off */
#define LR_ON_DEMAND_MAX       2048

/* an interval that an answer may give, s */
#define LR_ON_DEMAND_SHORTEST  5
#define LR_ON_DEMAND_LONGEST   21600


typedef struct {
    const char *domain;
    const char *app;
    const char *stream;
    unsigned    vbitrate;         /* kbit/s, 0 if it is not known */
    unsigned    hevc:1;
} lr_on_demand_question_t;


typedef struct {
    unsigned    formats;          /* LR_FORMAT_..., 0: do not record */
    int64_t     cycle;            /* ms */
    unsigned    odd:1;            /* an interval was out of range, and was
                                     not taken */
} lr_on_demand_answer_t;


/*
 * Appends the address to be asked, "url" with the question in its query,
 * and a zero byte that is not counted.
 */
void lr_on_demand_url(lr_buf_t *b, const char *url,
    const lr_on_demand_question_t *q);

/*
 * Reads the JSON of an answer, n bytes of which the first LR_ON_DEMAND_MAX
 * count.  a->formats and a->cycle are the template's before, and what is
 * to be recorded after: formats that both know, and the shortest of the
 * intervals given for them, as there is one cycle for all.  On LR_ERROR a
 * reason is in err.
 */
int lr_on_demand_answer(lr_on_demand_answer_t *a, const char *p, size_t n,
    char *err, size_t size);

/*
 * What "record_config" in the query of a publish says: LR_OK to be
 * recorded, LR_DECLINED not to be, or nothing is said; LR_ERROR with a
 * reason if it is not understood.
 */
int lr_on_demand_args(const char *args, size_t n, char *err, size_t size);


#endif /* _LR_ON_DEMAND_H_INCLUDED_ */
