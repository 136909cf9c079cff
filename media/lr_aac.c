
/*
 * Copyright (C) the ngx_live_record authors
 */


#include "lr_aac.h"
#include "lr_bits.h"


#define LR_AAC_ID_PCE  5

/* backward compatible signalling of SBR and of PS, 1.6.5 */
#define LR_AAC_SYNC_SBR  0x2b7
#define LR_AAC_SYNC_PS   0x548


static int lr_aac_parse(lr_audio_t *a, lr_bits_t *b);
static unsigned lr_aac_aot(lr_bits_t *b);
static int lr_aac_rate(lr_bits_t *b, unsigned *index, unsigned *rate);
static void lr_aac_pce(lr_audio_t *a, lr_bits_t *b);
static void lr_aac_make_pce(lr_audio_t *a);
static uint32_t lr_aac_copy(lr_audio_t *a, lr_bits_t *b, unsigned n);
static void lr_aac_put(lr_audio_t *a, uint32_t v, unsigned n);
static void lr_aac_extension(lr_audio_t *a, lr_bits_t *b);


int
lr_aac_config(lr_audio_t *a, const u_char *p, size_t n)
{
    lr_bits_t   b;
    lr_audio_t  t;

    memset(&t, 0, sizeof(lr_audio_t));
    lr_bits_init(&b, p, n);

    if (lr_aac_parse(&t, &b) != LR_OK) {
        a->why = t.why ? t.why : "AudioSpecificConfig is too short";
        return LR_ERROR;
    }

    *a = t;

    return LR_OK;
}


static int
lr_aac_parse(lr_audio_t *a, lr_bits_t *b)
{
    static const u_char  channels[16] = {
        0, 1, 2, 3, 4, 5, 6, 8, 0, 0, 0, 7, 8, 0, 8, 0
    };
    unsigned  index, flag;

    a->codec = LR_CODEC_AAC;
    a->aot = lr_aac_aot(b);

    if (lr_aac_rate(b, &a->rate_index, &a->rate) != LR_OK) {
        a->why = "bad sampling rate in AudioSpecificConfig";
        return LR_ERROR;
    }

    a->out_rate = a->rate;
    a->channel_config = lr_bits_get(b, 4);

    if (a->aot == 5 || a->aot == 29) {
        a->sbr = 1;
        a->ps = a->aot == 29;

        if (lr_aac_rate(b, &index, &a->out_rate) != LR_OK) {
            a->why = "bad SBR rate in AudioSpecificConfig";
            return LR_ERROR;
        }

        a->aot = lr_aac_aot(b);

        if (a->aot == 22) {
            lr_bits_skip(b, 4);
        }
    }

    if (b->over) {
        return LR_ERROR;
    }

    if (a->aot == 0) {
        a->why = "null object type in AudioSpecificConfig";
        return LR_ERROR;
    }

    a->channels = channels[a->channel_config];
    a->samples = 1024;

    switch (a->aot) {

    case 1:
    case 2:
    case 3:
    case 4:
    case 6:
    case 7:
    case 17:
    case 19:
    case 20:
    case 21:
    case 22:
    case 23:
        break;

    case 39:
        a->samples = lr_bits_get(b, 1) ? 480 : 512;
        return LR_OK;

    default:
        return LR_OK;
    }

    /* GASpecificConfig, 4.4.1 */

    flag = lr_bits_get(b, 1);                 /* frameLengthFlag */
    a->samples = a->aot == 23 ? (flag ? 480 : 512) : (flag ? 960 : 1024);

    if (lr_bits_get(b, 1)) {                  /* dependsOnCoreCoder */
        lr_bits_skip(b, 14);
    }

    flag = lr_bits_get(b, 1);                 /* extensionFlag */

    if (b->over) {
        return LR_ERROR;
    }

    if (a->channel_config == 0) {
        lr_aac_pce(a, b);

        if (b->over) {
            a->why = "program config element is cut short";
            return LR_ERROR;
        }
    }

    /* a longer configuration of another object type ends differently */

    if (a->aot <= 4 && !flag && !a->sbr) {
        lr_aac_extension(a, b);
    }

    lr_aac_make_pce(a);

    return LR_OK;
}


static unsigned
lr_aac_aot(lr_bits_t *b)
{
    unsigned  aot;

    aot = lr_bits_get(b, 5);

    return aot == 31 ? 32 + lr_bits_get(b, 6) : aot;
}


static int
lr_aac_rate(lr_bits_t *b, unsigned *index, unsigned *rate)
{
    static const uint32_t  rates[13] = {
        96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000,
        12000, 11025, 8000, 7350
    };

    /* a rate that is in no table uses the tables of one near: 4.5.1.1 */

    static const uint32_t  from[12] = {
        92017, 75132, 55426, 46009, 37566, 27713, 23004, 18783, 13856,
        11502, 9391, 0
    };
    unsigned  i;

    i = lr_bits_get(b, 4);

    if (i < 13) {
        *index = i;
        *rate = rates[i];

        return b->over ? LR_ERROR : LR_OK;
    }

    if (i != 15) {
        return LR_ERROR;
    }

    *rate = lr_bits_get(b, 24);

    if (b->over || *rate == 0) {
        return LR_ERROR;
    }

    if (*rate == rates[12]) {
        *index = 12;
        return LR_OK;
    }

    for (i = 0; *rate < from[i]; i++) { /* void */ }

    *index = i;

    return LR_OK;
}


/* 4.4.1.1; copied into a->pce as it is read, but for the comment */

static void
lr_aac_pce(lr_audio_t *a, lr_bits_t *b)
{
    unsigned  i, n, lfe, assoc, cc;

    a->pce_len = 0;

    lr_aac_put(a, LR_AAC_ID_PCE, 3);
    (void) lr_aac_copy(a, b, 10);             /* tag, profile, rate */

    n = lr_aac_copy(a, b, 4);                 /* front, side, back */
    n += lr_aac_copy(a, b, 4);
    n += lr_aac_copy(a, b, 4);
    lfe = lr_aac_copy(a, b, 2);
    assoc = lr_aac_copy(a, b, 3);
    cc = lr_aac_copy(a, b, 4);

    if (lr_aac_copy(a, b, 1)) {               /* mono mixdown */
        (void) lr_aac_copy(a, b, 4);
    }

    if (lr_aac_copy(a, b, 1)) {               /* stereo mixdown */
        (void) lr_aac_copy(a, b, 4);
    }

    if (lr_aac_copy(a, b, 1)) {               /* matrix mixdown */
        (void) lr_aac_copy(a, b, 3);
    }

    a->channels = lfe;

    for (i = 0; i < n; i++) {
        a->channels += lr_aac_copy(a, b, 1) ? 2 : 1;
        (void) lr_aac_copy(a, b, 4);
    }

    (void) lr_aac_copy(a, b, lfe * 4);
    (void) lr_aac_copy(a, b, assoc * 4);

    for (i = 0; i < cc; i++) {
        (void) lr_aac_copy(a, b, 5);
    }

    /* aligned to where the configuration began; in ADTS, to the block */

    lr_bits_skip(b, (8 - (b->pos & 7)) & 7);
    lr_bits_skip(b, (size_t) lr_bits_get(b, 8) * 8);

    a->pce_len = (a->pce_len + 7) & ~7u;
    lr_aac_put(a, 0, 8);
    a->pce_len /= 8;
}


/*
 * The three bits of ADTS end at configuration 7.  11 and 12 (6.1 and 7.1)
 * put into words of a program config element what they imply.
 */

static void
lr_aac_make_pce(lr_audio_t *a)
{
    unsigned  c;

    c = a->channel_config;

    if ((c != 11 && c != 12) || a->aot > 4) {
        return;
    }

    lr_aac_put(a, LR_AAC_ID_PCE, 3);
    lr_aac_put(a, 0, 4);
    lr_aac_put(a, a->aot - 1, 2);
    lr_aac_put(a, a->rate_index, 4);
    lr_aac_put(a, 2, 4);                      /* front: SCE 0, CPE 0 */
    lr_aac_put(a, c == 12, 4);                /* side: CPE 1 */
    lr_aac_put(a, c == 12 ? 1 : 2, 4);        /* back: CPE 2 or CPE 1, SCE 1 */
    lr_aac_put(a, 1, 2);
    lr_aac_put(a, 0, 10);
    lr_aac_put(a, 0x00, 5);
    lr_aac_put(a, 0x10, 5);
    lr_aac_put(a, 0x11, 5);
    lr_aac_put(a, c == 12 ? 0x12 : 0x01, 5);
    lr_aac_put(a, 0, 4);

    a->pce_len = (a->pce_len + 7) & ~7u;
    lr_aac_put(a, 0, 8);
    a->pce_len /= 8;
}


static uint32_t
lr_aac_copy(lr_audio_t *a, lr_bits_t *b, unsigned n)
{
    uint32_t  v;

    v = lr_bits_get(b, n);
    lr_aac_put(a, v, n);

    return v;
}


/* while an element is written its length counts bits */

static void
lr_aac_put(lr_audio_t *a, uint32_t v, unsigned n)
{
    while (n--) {

        if (a->pce_len >= LR_PCE_MAX * 8) {
            return;
        }

        if ((v >> n) & 1) {
            a->pce[a->pce_len >> 3] |= (u_char) (0x80 >> (a->pce_len & 7));
        }

        a->pce_len++;
    }
}


static void
lr_aac_extension(lr_audio_t *a, lr_bits_t *b)
{
    unsigned  index, rate;

    if (lr_bits_left(b) < 16 || lr_bits_get(b, 11) != LR_AAC_SYNC_SBR
        || lr_aac_aot(b) != 5 || lr_bits_get(b, 1) == 0
        || lr_aac_rate(b, &index, &rate) != LR_OK)
    {
        return;
    }

    a->sbr = 1;
    a->out_rate = rate;

    if (lr_bits_left(b) >= 12 && lr_bits_get(b, 11) == LR_AAC_SYNC_PS) {
        a->ps = lr_bits_get(b, 1);
    }
}


int
lr_aac_adts_check(const lr_audio_t *a)
{
    if (a->aot < 1 || a->aot > 4 || a->samples != 1024) {
        return LR_DECLINED;
    }

    if (a->channel_config <= 7 || a->pce_len) {
        return LR_OK;
    }

    return LR_DECLINED;
}


size_t
lr_aac_adts_len(const lr_audio_t *a, const u_char *p, size_t n)
{
    size_t  len;

    len = LR_ADTS_HEADER;

    /* a block may bring an element of its own */

    if (a->pce_len && n && (p[0] >> 5) != LR_AAC_ID_PCE) {
        len += a->pce_len;
    }

    return n > LR_ADTS_MAX - len ? 0 : len;
}


void
lr_aac_adts(const lr_audio_t *a, u_char *dst, size_t len, size_t n)
{
    unsigned  c;

    c = a->channel_config <= 7 ? a->channel_config : 0;

    /* MPEG-4, no CRC, one raw data block, variable rate */

    dst[0] = 0xff;
    dst[1] = 0xf1;
    dst[2] = (u_char) ((a->aot - 1) << 6 | a->rate_index << 2 | c >> 2);
    dst[3] = (u_char) ((c & 3) << 6 | (len + n) >> 11);
    dst[4] = (u_char) ((len + n) >> 3);
    dst[5] = (u_char) (((len + n) & 7) << 5 | 0x1f);
    dst[6] = 0xfc;

    if (len > LR_ADTS_HEADER) {
        memcpy(dst + LR_ADTS_HEADER, a->pce, a->pce_len);
    }
}
