
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../../media/lr_flv_file.c"


#define VIDEO   LR_SAMPLE_VIDEO
#define KEY     (LR_SAMPLE_VIDEO|LR_SAMPLE_KEY)
#define NEXT    (LR_SAMPLE_VIDEO|LR_SAMPLE_NEXT)
#define PREV    (LR_SAMPLE_VIDEO|LR_SAMPLE_PREV)
#define AUDIO   LR_SAMPLE_KEY
#define CONFIG  LR_SAMPLE_CONFIG

#define BOTH    (LR_TRACK_VIDEO|LR_TRACK_AUDIO)

#define PROPS   40


/* fragments as a table */

typedef struct {
    const lr_row_t  *rows;
    uint32_t         n;
    int64_t          base;
} fragment_t;


typedef struct {
    fragment_t      *f;
    int              calls;
    int              fail;            /* the call that does */
    int              change;          /* the call that finds one row less */
} rows_t;


/* what an independent reader finds in the metadata */

typedef struct {
    char             name[64];
    unsigned         type;
    double           number;
    char             text[64];
} prop_t;


typedef struct {
    prop_t           props[PROPS];
    size_t           n;
    uint32_t         count;           /* as the array says */
    double          *positions;
    double          *times;
    uint32_t         npositions;
    uint32_t         ntimes;
    size_t           strings;         /* in the padding */
    size_t           media;           /* where it begins */
    const u_char    *conf[2];         /* bodies of the headers */
    size_t           len[2];
} meta_t;


static int
table_rows(void *data, size_t i, const lr_row_t **rows, uint32_t *n,
    int64_t *base)
{
    rows_t  *r = data;

    r->calls++;

    if (r->calls == r->fail) {
        errno = ESTALE;
        return LR_ERROR;
    }

    *rows = r->f[i].rows;
    *n = r->f[i].n - (r->calls == r->change);
    *base = r->f[i].base;

    return LR_OK;
}


static int
head(const lr_flv_conf_t *conf, rows_t *r, size_t n, lr_buf_t *out,
    uint64_t *media)
{
    int             rc;
    uint64_t        size;
    lr_table_t      table;
    lr_flv_head_t  *h;

    table.n = n;
    table.rows = table_rows;
    table.data = r;

    h = lr_flv_head_create(conf, &table, &size, media);
    if (h == NULL) {
        return LR_ERROR;
    }

    while ((rc = lr_flv_head_next(h, out)) == LR_OK) { /* void */ }

    if (rc == LR_DECLINED) {
        assert_int_equal(out->len, size);
        assert_int_equal(lr_flv_head_next(h, out), LR_DECLINED);
        assert_int_equal(out->len, size);
    }

    lr_flv_head_destroy(h);

    return rc == LR_DECLINED ? LR_OK : LR_ERROR;
}


/* head and media; bodies begin as those of H.264 and AAC do */

static void
render(const lr_flv_conf_t *conf, fragment_t *f, size_t n, lr_buf_t *out)
{
    size_t       i, len;
    rows_t       r;
    u_char      *body;
    uint32_t     k;
    uint64_t     media, sum;
    lr_sample_t  s;

    memset(&r, 0, sizeof(rows_t));
    r.f = f;

    assert_int_equal(head(conf, &r, n, out, &media), LR_OK);

    sum = 0;
    len = out->len;

    for (i = 0; i < n; i++) {
        sum += lr_flv_media_size(f[i].rows, f[i].n, conf->tracks);

        for (k = 0; k < f[i].n; k++) {
            body = malloc(f[i].rows[k].size + 1);
            assert_non_null(body);
            memset(body, (int) (k + 1), f[i].rows[k].size);

            if (f[i].rows[k].size) {
                body[0] = !(f[i].rows[k].flags & VIDEO) ? 0xaf
                          : f[i].rows[k].flags & LR_SAMPLE_KEY ? 0x17 : 0x27;
            }

            s.dts = f[i].base + f[i].rows[k].dts;
            s.cts = f[i].rows[k].cts;
            s.flags = f[i].rows[k].flags;
            s.size = f[i].rows[k].size;
            s.data = body;

            assert_int_equal(lr_flv_media_sample(out, conf->tracks,
                                                 conf->origin, &s),
                             LR_OK);
            free(body);
        }
    }

    assert_int_equal(sum, media);
    assert_int_equal(out->len, len + media);
}


static double
be_double(const u_char *p)
{
    double    v;
    uint64_t  bits;

    bits = (uint64_t) p[0] << 56 | (uint64_t) p[1] << 48
           | (uint64_t) p[2] << 40 | (uint64_t) p[3] << 32
           | (uint64_t) p[4] << 24 | (uint64_t) p[5] << 16
           | (uint64_t) p[6] << 8 | p[7];
    memcpy(&v, &bits, sizeof(double));

    return v;
}


static const u_char *
read_name(const u_char *p, const u_char *end, char *name)
{
    size_t  n;

    assert_true(end - p >= 2);
    n = (size_t) p[0] << 8 | p[1];
    p += 2;

    assert_true((size_t) (end - p) >= n);
    assert_true(n < 64);
    memcpy(name, p, n);
    name[n] = '\0';

    return p + n;
}


static const u_char *
read_array(const u_char *p, const u_char *end, double **values, uint32_t *n)
{
    uint32_t  i;

    assert_true(end - p >= 5);
    assert_int_equal(p[0], 10);
    *n = lr_get_be32(p + 1);
    p += 5;

    assert_true((uint64_t) (end - p) >= (uint64_t) *n * 9);
    *values = calloc(*n + 1, sizeof(double));
    assert_non_null(*values);

    for (i = 0; i < *n; i++) {
        assert_int_equal(p[0], 0);
        (*values)[i] = be_double(p + 1);
        p += 9;
    }

    return p;
}


static const u_char *
read_prop(const u_char *p, const u_char *end, meta_t *m)
{
    char       name[64];
    size_t     len;
    prop_t    *prop;
    uint32_t   n;

    assert_true(m->n < PROPS);
    prop = &m->props[m->n++];

    p = read_name(p, end, prop->name);
    assert_true(end - p >= 2);
    prop->type = *p;

    switch (prop->type) {

    case 0:
        assert_true(end - p >= 9);
        prop->number = be_double(p + 1);
        return p + 9;

    case 1:
        prop->number = p[1];
        assert_true(p[1] < 2);
        return p + 2;

    case 2:
        return read_name(p + 1, end, prop->text);

    case 3:
        assert_string_equal(prop->name, "keyframes");
        p = read_name(p + 1, end, name);
        assert_string_equal(name, "filepositions");
        p = read_array(p, end, &m->positions, &m->npositions);

        p = read_name(p, end, name);
        assert_string_equal(name, "times");
        p = read_array(p, end, &m->times, &m->ntimes);

        assert_true(end - p >= 3);
        assert_memory_equal(p, "\0\0\x09", 3);
        return p + 3;

    case 10:
        assert_string_equal(prop->name, "padding");
        n = lr_get_be32(p + 1);
        p += 5;

        while (n--) {
            assert_true(end - p >= 3);
            assert_int_equal(p[0], 2);
            len = lr_get_be16(p + 1);
            p += 3;
            assert_true(len <= 255 && (size_t) (end - p) >= len);
            p += len;
            m->strings++;
        }

        return p;

    default:
        fail_msg("type %u of \"%s\"", prop->type, prop->name);
        return NULL;
    }
}


/* reads all that stands before the media */

static void
parse(const lr_buf_t *b, meta_t *m)
{
    char           name[64];
    size_t         n;
    unsigned       i;
    const u_char  *p, *end;

    memset(m, 0, sizeof(meta_t));

    assert_true(b->len > 24);
    p = b->data;
    assert_memory_equal(p, "FLV\1", 4);
    assert_memory_equal(p + 5, "\0\0\0\x09\0\0\0\0", 8);
    p += 13;

    assert_int_equal(p[0], 18);
    n = lr_get_be24(p + 1);
    assert_memory_equal(p + 4, "\0\0\0\0\0\0\0", 7);
    p += 11;

    assert_true(b->len >= 24 + n + 4);
    end = p + n;
    assert_int_equal(lr_get_be32(end), n + 11);

    assert_int_equal(*p++, 2);
    p = read_name(p, end, name);
    assert_string_equal(name, "onMetaData");

    assert_int_equal(*p, 8);
    m->count = lr_get_be32(p + 1);
    p += 5;

    while (end - p > 3) {
        p = read_prop(p, end, m);
    }

    assert_ptr_equal(p + 3, end);
    assert_memory_equal(p, "\0\0\x09", 3);
    assert_int_equal(m->n, m->count);

    p = end + 4;
    end = b->data + b->len;

    for (i = 0; i < 2; i++) {

        if (end - p < 13 || p[0] != 9 - i || p[11 + 1] != 0) {
            continue;
        }

        n = lr_get_be24(p + 1);
        assert_memory_equal(p + 4, "\0\0\0\0\0\0\0", 7);
        assert_true((size_t) (end - p) >= n + 15);
        assert_int_equal(lr_get_be32(p + 11 + n), n + 11);

        m->conf[i] = p + 11;
        m->len[i] = n;
        p += n + 15;
    }

    m->media = (size_t) (p - b->data);
}


static void
forget(meta_t *m, lr_buf_t *b)
{
    free(m->positions);
    free(m->times);
    memset(m, 0, sizeof(meta_t));
    lr_buf_free(b);
}


static const prop_t *
prop(const meta_t *m, const char *name)
{
    size_t  i;

    for (i = 0; i < m->n; i++) {
        if (strcmp(m->props[i].name, name) == 0) {
            return &m->props[i];
        }
    }

    return NULL;
}


static double
number(const meta_t *m, const char *name)
{
    const prop_t  *p;

    p = prop(m, name);

    if (p == NULL) {
        fail_msg("no \"%s\"", name);
        return 0;
    }

    assert_true(p->type < 2);

    return p->number;
}


/* an H.264 track of 1280x720 and 48 kHz stereo */

static void
settings(lr_flv_conf_t *conf)
{
    static const lr_video_t  video = {
        .codec = LR_CODEC_AVC, .width = 1280, .height = 720
    };
    static const lr_audio_t  audio = {
        .codec = LR_CODEC_AAC, .rate = 48000, .out_rate = 48000,
        .channels = 2, .samples = 1024
    };

    memset(conf, 0, sizeof(lr_flv_conf_t));
    conf->tracks = BOTH;
    conf->video = &video;
    conf->audio = &audio;
    conf->vconf = (const u_char *) "\x17\0\0\0\0\1\x64\0\x1f";
    conf->vlen = 9;
    conf->aconf = (const u_char *) "\xaf\0\x11\x90";
    conf->alen = 4;
    conf->video_id = 7;
    conf->audio_id = 10;
    conf->origin = 5000;
    conf->created = 1714564799999;
}


/* two fragments, the first with headers, both with pictures in pieces */

static const lr_row_t  one[] = {
    { 0, 13, 9, 0, VIDEO|CONFIG },
    { 0, 33, 4, 0, CONFIG },
    { 0, 50, 100, 0, AUDIO },
    { 7, 200, 1000, 80, KEY },
    { 21, 0, 100, 0, AUDIO },
    { 47, 0, 500, 120, VIDEO },
    { 87, 0, 600, 40, VIDEO },
    { 87, 0, 30, 0, PREV },
    { 127, 0, 20, 0, NEXT },
    { 127, 0, 21, 0, NEXT },
    { 127, 0, 101, 0, AUDIO },
    { 130, 0, 2000, 80, KEY },
    { 130, 0, 40, 0, PREV|LR_SAMPLE_KEY }
};

static const lr_row_t  two[] = {
    { 0, 13, 9, 0, VIDEO|CONFIG },
    { 0, 33, 4, 0, CONFIG },
    { 0, 200, 22, 0, NEXT|LR_SAMPLE_KEY },
    { 0, 200, 1001, 80, VIDEO },
    { 40, 200, 1001, 80, KEY },
    { 44, 50, 100, 0, AUDIO },
    { 80, 50, 333, 80, VIDEO }
};

static fragment_t  fragments[] = {
    { one, sizeof(one) / sizeof(lr_row_t), 5000 },
    { two, sizeof(two) / sizeof(lr_row_t), 5170 }
};


static void
test_golden(void **state)
{
    static const struct {
        const char  *name;
        unsigned     type;
        double       number;
    } want[] = {
        { "duration", 0, 0.37 },
        { "filesize", 0, 0 },
        { "hasVideo", 1, 1 },
        { "hasAudio", 1, 1 },
        { "hasMetadata", 1, 1 },
        { "hasKeyframes", 1, 1 },
        { "canSeekToEnd", 1, 0 },
        { "width", 0, 1280 },
        { "height", 0, 720 },
        { "videocodecid", 0, 7 },
        { "videodatarate", 0, 6568. * 8 / 370 },
        { "framerate", 0, 6000. / 243 },
        { "audiocodecid", 0, 10 },
        { "audiodatarate", 0, 401. * 8 / 370 },
        { "audiosamplerate", 0, 48000 },
        { "audiosamplesize", 0, 16 },
        { "stereo", 1, 1 },
        { "lasttimestamp", 0, 0.25 },
        { "lastkeyframetimestamp", 0, 0.21 },
        { "lastkeyframelocation", 0, 0 },
        { "creationdate", 2, 0 },
        { "metadatacreator", 2, 0 },
        { "keyframes", 3, 0 }
    };
    size_t         i;
    meta_t         m;
    lr_buf_t       b;
    lr_flv_conf_t  conf;

    (void) state;

    memset(&b, 0, sizeof(lr_buf_t));
    settings(&conf);
    render(&conf, fragments, 2, &b);
    parse(&b, &m);

    assert_int_equal(b.data[4], 5);

    for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        assert_true(i < m.n);
        assert_string_equal(m.props[i].name, want[i].name);
        assert_int_equal(m.props[i].type, want[i].type);

        if (want[i].number != 0 && m.props[i].number != want[i].number) {
            fail_msg("%s: %.17g", want[i].name, m.props[i].number);
        }
    }

    assert_int_equal(m.n, i);
    assert_true(number(&m, "filesize") == (double) b.len);
    assert_string_equal(prop(&m, "creationdate")->text,
                        "2024-05-01T11:59:59Z");
    assert_string_equal(prop(&m, "metadatacreator")->text,
                        "ngx_live_record");

    assert_int_equal(m.len[0], conf.vlen);
    assert_memory_equal(m.conf[0], conf.vconf, conf.vlen);
    assert_int_equal(m.len[1], conf.alen);
    assert_memory_equal(m.conf[1], conf.aconf, conf.alen);

    /* the header's, then the messages with which the pictures begin */

    assert_int_equal(m.npositions, 4);
    assert_int_equal(m.ntimes, 4);

    assert_true(m.positions[0] == (double) (m.conf[0] - b.data - 11));
    assert_true(m.times[0] == 0);
    assert_true(m.positions[1] == (double) m.media + 115);
    assert_true(m.times[1] == 0.007);
    assert_true(m.positions[2] == (double) m.media + 6 * 15 + 2330);
    assert_true(m.times[2] == 0.127);
    assert_true(m.positions[3] == number(&m, "lastkeyframelocation"));
    assert_true(m.times[3] == 0.21);

    forget(&m, &b);
}


/* all tags, one by one */

static void
test_tags(void **state)
{
    size_t           i, n, key;
    meta_t           m;
    int32_t          ts;
    u_char          *p;
    lr_buf_t         b;
    uint32_t         k;
    lr_flv_conf_t    conf;
    const lr_row_t  *row;

    (void) state;

    memset(&b, 0, sizeof(lr_buf_t));
    settings(&conf);
    render(&conf, fragments, 2, &b);
    parse(&b, &m);

    key = 1;
    p = b.data + m.media;

    for (i = 0; i < 2; i++) {

        for (k = 0; k < fragments[i].n; k++) {
            row = &fragments[i].rows[k];

            if (row->flags & CONFIG) {
                continue;
            }

            assert_int_equal(p[0], row->flags & VIDEO ? 9 : 8);

            n = lr_get_be24(p + 1);
            assert_int_equal(n, row->size);

            ts = (int32_t) (lr_get_be24(p + 4) | (uint32_t) p[7] << 24);
            assert_int_equal(ts, fragments[i].base - 5000 + row->dts);
            assert_memory_equal(p + 8, "\0\0\0", 3);

            assert_int_equal(p[11 + n - 1], k + 1);
            assert_int_equal(lr_get_be32(p + 11 + n), n + 11);

            if (key < m.npositions
                && m.positions[key] == (double) (p - b.data))
            {
                assert_int_equal((int) (m.times[key] * 1000), ts);
                assert_true(row->flags & VIDEO);
                assert_false(row->flags & LR_SAMPLE_PREV);
                key++;
            }

            p += n + 15;
        }
    }

    assert_ptr_equal(p, b.data + b.len);
    assert_int_equal(key, m.npositions);

    forget(&m, &b);
}


static void
test_large(void **state)
{
    enum { N = 400 };

    meta_t         m;
    rows_t         r;
    uint32_t       i;
    uint64_t       media, pos;
    lr_buf_t       b;
    lr_row_t       rows[N];
    fragment_t     f[2];
    lr_flv_conf_t  conf;

    (void) state;

    memset(rows, 0, sizeof(rows));

    for (i = 0; i < N; i++) {
        rows[i].dts = (int32_t) i * 1000;
        rows[i].size = 0xffffff;
        rows[i].flags = KEY;
    }

    /* the second begins a day behind the first */

    f[0].rows = f[1].rows = rows;
    f[0].n = f[1].n = N;
    f[0].base = 0;
    f[1].base = 86400000;

    memset(&r, 0, sizeof(rows_t));
    r.f = f;
    memset(&b, 0, sizeof(lr_buf_t));
    settings(&conf);
    conf.origin = 0;
    assert_int_equal(head(&conf, &r, 2, &b, &media), LR_OK);

    assert_true(media == 2ull * N * (0xffffff + 15));
    assert_true(media == 2 * lr_flv_media_size(rows, N, BOTH));

    parse(&b, &m);
    assert_int_equal(m.media, b.len);
    assert_true(number(&m, "filesize") == (double) (b.len + media));
    assert_true(number(&m, "duration") == 86400 + N - 1 + 0.04);
    assert_true(number(&m, "videodatarate")
                == 2. * N * 0xffffff * 8 / (86400000. + N * 1000 - 960));
    assert_int_equal(m.npositions, 2 * N + 1);

    pos = b.len;

    for (i = 0; i < 2 * N; i++) {
        assert_true(m.positions[i + 1] == (double) pos);
        assert_true(m.times[i + 1] == (i < N ? i : 86400 + i - N));
        pos += 0xffffff + 15;
    }

    /* there is a track of audio in the settings, but no frame of it */

    assert_int_equal(b.data[4], 1);
    assert_true(number(&m, "hasAudio") == 0);
    assert_null(prop(&m, "audiocodecid"));
    assert_null(m.conf[1]);
    assert_true(number(&m, "canSeekToEnd") == 1);

    forget(&m, &b);
}


static void
test_audio(void **state)
{
    enum { N = 200 };

    meta_t         m;
    u_char        *p;
    uint32_t       i;
    lr_buf_t       b;
    lr_row_t       rows[N];
    fragment_t     f;
    lr_flv_conf_t  conf;

    (void) state;

    memset(rows, 0, sizeof(rows));

    for (i = 0; i < N; i++) {
        rows[i].dts = (int32_t) (i * 64 / 3);
        rows[i].size = 200;
        rows[i].flags = AUDIO;
    }

    f.rows = rows;
    f.n = N;
    f.base = 5000;

    memset(&b, 0, sizeof(lr_buf_t));
    settings(&conf);
    conf.tracks = LR_TRACK_AUDIO;
    render(&conf, &f, 1, &b);
    parse(&b, &m);

    assert_int_equal(b.data[4], 4);
    assert_true(number(&m, "hasVideo") == 0);
    assert_true(number(&m, "canSeekToEnd") == 1);
    assert_true(number(&m, "duration") == 4.266);
    assert_null(prop(&m, "width"));
    assert_null(prop(&m, "framerate"));
    assert_null(m.conf[0]);
    assert_int_equal(m.len[1], 4);

    assert_int_equal(m.npositions, 6);
    assert_true(m.positions[0] == (double) (m.conf[1] - b.data - 11));

    for (i = 1; i < 6; i++) {
        p = b.data + (size_t) m.positions[i];
        assert_int_equal(p[0], 8);
        assert_int_equal(lr_get_be24(p + 4), (int) (m.times[i] * 1000));
        assert_true(i == 1 || m.times[i] - m.times[i - 1] >= 1);
        assert_true(i == 1 || m.times[i] - m.times[i - 1] < 1.022);
    }

    forget(&m, &b);

    /* one frame, of a codec that is not known, and without a header */

    conf.audio = NULL;
    conf.audio_id = 0;
    conf.alen = 0;
    f.n = 1;

    render(&conf, &f, 1, &b);
    parse(&b, &m);

    assert_true(number(&m, "audiocodecid") == 0);
    assert_true(number(&m, "duration") == 0.023);
    assert_null(prop(&m, "audiosamplerate"));
    assert_null(prop(&m, "audiosamplesize"));
    assert_null(prop(&m, "stereo"));
    assert_int_equal(m.npositions, 1);
    assert_true(m.positions[0] == (double) m.media);

    forget(&m, &b);
}


static void
test_unknown(void **state)
{
    static const lr_row_t    rows[] = {
        { 0, 0, 100, 0, VIDEO },
        { 0, 0, 100, 0, AUDIO }
    };
    static const lr_audio_t  audio = {
        .codec = LR_CODEC_AAC, .rate = 22050, .out_rate = 44100,
        .channels = 1, .samples = 1024, .sbr = 1
    };
    meta_t                   m;
    lr_buf_t                 b;
    fragment_t               f;
    lr_flv_conf_t            conf;

    (void) state;

    f.rows = rows;
    f.n = 2;
    f.base = 7000;

    memset(&b, 0, sizeof(lr_buf_t));
    settings(&conf);
    conf.video = NULL;
    conf.audio = &audio;
    conf.vlen = 0;
    conf.video_id = 0x68766331;
    conf.origin = 7000;
    conf.created = 0;

    render(&conf, &f, 1, &b);
    parse(&b, &m);

    /* a picture alone: no rate, and it is no key frame */

    assert_null(prop(&m, "width"));
    assert_null(prop(&m, "framerate"));
    assert_null(prop(&m, "keyframes"));
    assert_null(prop(&m, "lastkeyframetimestamp"));
    assert_null(prop(&m, "creationdate"));
    assert_true(number(&m, "hasKeyframes") == 0);
    assert_true(number(&m, "canSeekToEnd") == 0);
    assert_true(number(&m, "videocodecid") == 1752589105.);
    assert_true(number(&m, "audiosamplerate") == 44100);
    assert_true(number(&m, "stereo") == 0);
    assert_true(number(&m, "duration") == 0.046);

    forget(&m, &b);

    conf.video_id = 0;
    render(&conf, &f, 1, &b);
    parse(&b, &m);
    assert_null(prop(&m, "videocodecid"));
    forget(&m, &b);
}


static void
test_many(void **state)
{
    enum { N = 150000 };

    meta_t         m;
    rows_t         r;
    uint32_t       i;
    uint64_t       media;
    lr_buf_t       b;
    lr_row_t      *rows;
    fragment_t     f[2];
    lr_flv_conf_t  conf;

    (void) state;

    rows = calloc(N, sizeof(lr_row_t));
    assert_non_null(rows);

    for (i = 0; i < N; i++) {
        rows[i].dts = (int32_t) i;
        rows[i].size = 10;
        rows[i].flags = KEY;
    }

    /* 50001 are in the first fragment */

    f[0].rows = rows;
    f[0].n = 50001;
    f[1].rows = rows + 50001;
    f[1].n = N - 50001;
    f[0].base = f[1].base = 0;

    memset(&b, 0, sizeof(lr_buf_t));
    settings(&conf);
    conf.origin = 0;
    memset(&r, 0, sizeof(rows_t));
    r.f = f;
    assert_int_equal(head(&conf, &r, 2, &b, &media), LR_OK);
    parse(&b, &m);

    assert_int_equal(m.npositions, N / 3 + 1);
    assert_int_equal(m.ntimes, N / 3 + 1);

    for (i = 0; i < N / 3; i++) {

        /* as players do it */

        assert_int_equal((int) (m.times[i + 1] * 1000), 3 * i);
        assert_true(m.positions[i + 1] == (double) (b.len + 75ull * i));
    }

    assert_true(number(&m, "lastkeyframelocation")
                == (double) (b.len + 25ull * (N - 1)));

    forget(&m, &b);

    /* as many as there is room for, and one more */

    for (i = 0; i < 2; i++) {
        f[0].n = LR_FLV_KEYFRAMES + i;
        assert_int_equal(head(&conf, &r, 1, &b, &media), LR_OK);
        parse(&b, &m);
        assert_int_equal(m.npositions,
                         i ? LR_FLV_KEYFRAMES / 2 + 2 : LR_FLV_KEYFRAMES + 1);
        forget(&m, &b);
    }

    free(rows);
}


static void
test_align(void **state)
{
    static const uint32_t  align[] = {
        1, 2, 3, 14, 17, 18, 258, 259, 260, 261, 512, 4096, 65536, 1048576
    };
    size_t         i, k;
    meta_t         m;
    rows_t         r;
    lr_buf_t       b;
    uint64_t       media;
    lr_flv_conf_t  conf;

    (void) state;

    memset(&b, 0, sizeof(lr_buf_t));
    memset(&r, 0, sizeof(rows_t));
    r.f = fragments;
    settings(&conf);

    for (i = 0; i < sizeof(align) / sizeof(align[0]); i++) {

        for (k = 0; k < 600; k++) {
            conf.align = align[i];
            conf.lead = (1ull << 33) + k;

            assert_int_equal(head(&conf, &r, 2, &b, &media), LR_OK);
            assert_int_equal((b.len + conf.lead) % align[i], 0);

            parse(&b, &m);
            assert_int_equal(m.media, b.len);
            assert_true(number(&m, "filesize") == (double) (b.len + media));
            assert_true(m.positions[1] == (double) m.media + 115);
            assert_true(prop(&m, "padding") == NULL || m.strings > 0);
            forget(&m, &b);

            if (align[i] > 4096) {
                k += 100;
            }
        }
    }

    /* the length of a tag has 24 bits */

    conf.align = 0xffffff00;
    errno = 0;
    assert_int_equal(head(&conf, &r, 2, &b, &media), LR_ERROR);
    assert_int_equal(errno, EFBIG);

    lr_buf_free(&b);
}


static void
test_timestamps(void **state)
{
    static const struct {
        int64_t      dts;
        int64_t      origin;
        const char  *ts;
    } t[] = {
        { 1000, 1000, "\0\0\0\0" },
        { 999, 1000, "\0\0\0\0" },
        { -5, -10, "\0\0\5\0" },
        { 0x1000000, 0, "\0\0\0\1" },
        { 0x123456789, 0x100000000, "\x45\x67\x89\x23" },
        { 0x7fffffff, 0, "\xff\xff\xff\x7f" },
        { 0x80000000, 0, "\xff\xff\xff\x7f" }
    };
    size_t       i;
    lr_buf_t     b;
    lr_sample_t  s;

    (void) state;

    memset(&b, 0, sizeof(lr_buf_t));
    memset(&s, 0, sizeof(lr_sample_t));
    s.flags = VIDEO;
    s.data = (const u_char *) "\x27" "abc";
    s.size = 4;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        s.dts = t[i].dts;
        b.len = 0;
        assert_int_equal(lr_flv_media_sample(&b, BOTH, t[i].origin, &s),
                         LR_OK);
        assert_int_equal(b.len, 19);
        assert_memory_equal(b.data, "\x09\0\0\4", 4);
        assert_memory_equal(b.data + 4, t[i].ts, 4);
        assert_memory_equal(b.data + 8, "\0\0\0\x27" "abc\0\0\0\x0f", 11);
    }

    /* what is not in the file */

    b.len = 0;
    assert_int_equal(lr_flv_media_sample(&b, LR_TRACK_AUDIO, 0, &s), LR_OK);
    s.flags |= CONFIG;
    assert_int_equal(lr_flv_media_sample(&b, BOTH, 0, &s), LR_OK);
    assert_int_equal(b.len, 0);

    s.flags = 0;
    s.size = 0;
    assert_int_equal(lr_flv_media_sample(&b, BOTH, 0, &s), LR_OK);
    assert_int_equal(b.len, 15);
    assert_int_equal(b.data[0], 8);

    lr_buf_free(&b);

    b.failed = 1;
    assert_int_equal(lr_flv_media_sample(&b, BOTH, 0, &s), LR_ERROR);
}


static void
test_tracks(void **state)
{
    static const lr_row_t  rows[] = {
        { 60, 0, 1, 0, KEY }, { 40, 0, 1, 0, AUDIO }, { 50, 0, 1, 0, AUDIO }
    };
    uint64_t               all, audio, video;

    (void) state;

    all = lr_flv_media_size(one, fragments[0].n, BOTH);
    video = lr_flv_media_size(one, fragments[0].n, LR_TRACK_VIDEO);
    audio = lr_flv_media_size(one, fragments[0].n, LR_TRACK_AUDIO);

    assert_int_equal(audio, 3 * 15 + 301);
    assert_int_equal(all, audio + video);
    assert_int_equal(lr_flv_media_size(one, fragments[0].n, 0), 0);
    assert_int_equal(lr_flv_media_size(one, 2, BOTH), 0);

    assert_int_equal(lr_flv_origin(one, fragments[0].n, 5000, BOTH), 5000);
    assert_int_equal(lr_flv_origin(one, fragments[0].n, 5000,
                                   LR_TRACK_VIDEO),
                     5007);
    assert_int_equal(lr_flv_origin(one + 3, 2, 5000, BOTH), 5007);
    assert_int_equal(lr_flv_origin(one + 4, 2, -9000, BOTH), -8979);
    assert_int_equal(lr_flv_origin(rows, 3, 100, BOTH), 140);
    assert_true(lr_flv_origin(one, 2, 5000, BOTH) == INT64_MAX);
    assert_true(lr_flv_origin(one, 0, 5000, BOTH) == INT64_MAX);
}


static void
test_errors(void **state)
{
    int            i;
    rows_t         r;
    lr_buf_t       b;
    uint64_t       media;
    fragment_t     f;
    lr_flv_conf_t  conf;

    (void) state;

    memset(&b, 0, sizeof(lr_buf_t));
    memset(&r, 0, sizeof(rows_t));
    settings(&conf);

    /* two fragments, three walks */

    for (i = 1; i <= 6; i++) {
        r.f = fragments;
        r.calls = 0;
        r.fail = i;
        b.len = 0;
        errno = 0;
        assert_int_equal(head(&conf, &r, 2, &b, &media), LR_ERROR);
        assert_int_equal(errno, ESTALE);
    }

    /* a row that was there when the head was measured */

    r.fail = 0;

    for (i = 3; i <= 6; i++) {
        r.calls = 0;
        r.change = i;
        b.len = 0;
        errno = 0;
        assert_int_equal(head(&conf, &r, 2, &b, &media), LR_ERROR);
        assert_int_equal(errno, EIO);
    }

    /* nothing, nothing but headers, nothing of that track */

    r.change = 0;
    errno = 0;
    assert_int_equal(head(&conf, &r, 0, &b, &media), LR_ERROR);
    assert_int_equal(errno, ENODATA);

    f.rows = one;
    f.n = 2;
    f.base = 0;
    r.f = &f;
    errno = 0;
    assert_int_equal(head(&conf, &r, 1, &b, &media), LR_ERROR);
    assert_int_equal(errno, ENODATA);

    f.n = 3;
    conf.tracks = LR_TRACK_VIDEO;
    errno = 0;
    assert_int_equal(head(&conf, &r, 1, &b, &media), LR_ERROR);
    assert_int_equal(errno, ENODATA);

    lr_buf_free(&b);

    conf.tracks = BOTH;
    b.failed = 1;
    errno = 0;
    assert_int_equal(head(&conf, &r, 1, &b, &media), LR_ERROR);
    assert_int_equal(errno, ENOMEM);

    lr_flv_head_destroy(NULL);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_audio),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_align),
        cmocka_unit_test(test_timestamps),
        cmocka_unit_test(test_tracks),
        cmocka_unit_test(test_errors)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
