
/*
 * Copyright (C) the ngx_live_record authors
 *
 * rtmppub - an RTMP publisher that sends the tags of FLV files exactly as
 * it is told, for the cases which other publishers put right by themselves.
 */


#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <linux/sockios.h>
#include <time.h>
#include <unistd.h>
#include "flv_file.h"
#include "rtmp_client.h"


#define PUB_OK           0
#define PUB_FAILED       1
#define PUB_USAGE        2
#define PUB_REFUSED      3
#define PUB_LOST         4

#define PUB_MAX_LIST     32
#define PUB_MAX_OUT      (256 * 1024)
#define PUB_MAX_GROUP    (48 * 1024)
#define PUB_GROUP_TAGS   8

/* how long the server may take for an answer and for its last bytes, s */
#define PUB_TIMEOUT      15


typedef enum {
    PUB_CLEAN = 0,
    PUB_FIN,
    PUB_RST,
    PUB_HOLD,
    PUB_KILL
} pub_end_e;


typedef struct {
    int64_t         at;
    int64_t         delta;
} pub_jump_t;


/* a tag as it will be sent; time counts from the first tag of all */
typedef struct {
    int64_t         time;     /* when it is due, ms */
    int64_t         ts;       /* what it says, ms, before the offset */
    u_char         *data;
    uint32_t        len;
    uint8_t         type;
} pub_tag_t;


typedef struct {
    /* options */
    double          speed;
    double          burst;
    double          progress; /* s between two events of progress */
    int64_t         start;
    int64_t         length;
    int64_t         audio_shift;
    int32_t         cts_shift;
    uint32_t        ts_offset;
    uint32_t        chunk;
    unsigned        equal_dts;
    unsigned        nal_length;
    pub_end_e       end;
    unsigned        njumps;
    unsigned        nnames;
    unsigned        name;     /* which of the names is being published */
    pub_jump_t      jumps[PUB_MAX_LIST];
    char           *names[PUB_MAX_LIST];
    char           *host;
    char           *port;
    char           *app;
    char           *tcurl;

    unsigned        no_ext:1;
    unsigned        absolute:1;
    unsigned        aggregate:1;
    unsigned        split_sei:1;
    unsigned        no_audio:1;
    unsigned        no_video:1;
    unsigned        loop:1;
    unsigned        events:1;

    /* what is sent */
    pub_tag_t      *tags;
    unsigned        ntags;
    unsigned        max;
    int64_t         duration;
    unsigned        in_nal;   /* NAL length size of the file, 0 unknown */

    /* the connection */
    rtmp_client_t   client;
    int             fd;
    double          t0;
    double          answer;   /* by when the server must have answered */
    double          tick;     /* when progress is told next */
    unsigned        next;
    int64_t         looped;
    uint32_t        last_ts[RTMP_MAX_CSID];
    unsigned        started:1;
    unsigned        ended:1;  /* all tags are in the buffer */
    unsigned        done:1;   /* deleteStream is in the buffer */
    uint8_t         seen[RTMP_MAX_CSID];
    uint64_t        audio;
    uint64_t        video;
    uint64_t        bytes;
    uint32_t        sent_ts;
    int64_t         sent_time;
} pub_t;


static void pub_die(const char *text);
static void *pub_alloc(size_t n);
static double pub_now(void);
static void pub_event(pub_t *pub, const char *name, const char *text);
static void pub_signal(int signo);
static void pub_url(pub_t *pub, const char *url);
static long pub_number(const char *s, long min, long max, const char *what);
static void pub_jump(pub_t *pub, const char *s);
static void pub_options(pub_t *pub, int argc, char **argv);
static void pub_usage(void);
static void pub_add_file(pub_t *pub, const char *path);
static void pub_add_tag(pub_t *pub, const flv_tag_t *tag, int64_t time);
static void pub_add_media(pub_t *pub, const flv_tag_t *tag, int64_t time,
    const u_char *p, size_t n);
static void pub_push(pub_t *pub, unsigned type, int64_t time, lr_buf_t *b);
static int32_t pub_get_cts(const u_char *p);
static void pub_add_cts(u_char *p, int64_t shift);
static void pub_set_header_nal(pub_t *pub, const flv_tag_t *tag, lr_buf_t *b);
static void pub_copy_nals(pub_t *pub, lr_buf_t *b, const u_char *p, size_t n);
static size_t pub_sei_size(pub_t *pub, const flv_tag_t *tag);
static void pub_shift_times(pub_t *pub);
static void pub_equal_dts(pub_t *pub);
static void pub_connect(pub_t *pub);
static int pub_read(pub_t *pub);
static int pub_write(pub_t *pub);
static void pub_fill(pub_t *pub, double now);
static int pub_due(pub_t *pub, double now, double *wait);
static void pub_send_tag(pub_t *pub);
static void pub_send_group(pub_t *pub, double now);
static void pub_send(pub_t *pub, unsigned csid, unsigned type, uint32_t ts,
    const u_char *p, uint32_t len);
static void pub_count(pub_t *pub, const pub_tag_t *tag);
static int pub_drain(pub_t *pub);
static int pub_run(pub_t *pub);
static int pub_finish(pub_t *pub);
static int pub_lost(pub_t *pub, const char *text);


static volatile sig_atomic_t  pub_terminate;


int
main(int argc, char **argv)
{
    int               i, rc;
    pub_t            *pub;
    struct sigaction  sa;

    pub = pub_alloc(sizeof(pub_t));

    pub_options(pub, argc, argv);

    for (i = optind; i < argc; i++) {
        pub_add_file(pub, argv[i]);
    }

    if (pub->ntags == 0) {
        pub_die("no tags to send");
    }

    pub_shift_times(pub);

    if (pub->equal_dts) {
        pub_equal_dts(pub);
    }

    memset(&sa, 0, sizeof(struct sigaction));
    sa.sa_handler = pub_signal;
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGINT, &sa, NULL);

    signal(SIGPIPE, SIG_IGN);

    pub_connect(pub);

    rc = pub_run(pub);

    rtmp_client_free(&pub->client);

    return rc;
}


static void
pub_die(const char *text)
{
    fprintf(stderr, "rtmppub: %s\n", text);
    exit(PUB_USAGE);
}


static void *
pub_alloc(size_t n)
{
    void  *p;

    p = calloc(1, n);
    if (p == NULL) {
        pub_die("out of memory");
    }

    return p;
}


static double
pub_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec + ts.tv_nsec / 1e9;
}


static void
pub_event(pub_t *pub, const char *name, const char *text)
{
    struct timespec  now;

    if (!pub->events) {
        return;
    }

    clock_gettime(CLOCK_REALTIME, &now);

    printf("{\"event\":\"%s\",\"time\":%ld.%03ld,\"name\":\"%s\",\"ts\":%lu,"
           "\"media_ms\":%ld,\"audio\":%llu,\"video\":%llu,\"bytes\":%llu",
           name, (long) now.tv_sec, now.tv_nsec / 1000000,
           pub->names[pub->name], (unsigned long) pub->sent_ts,
           (long) pub->sent_time, (unsigned long long) pub->audio,
           (unsigned long long) pub->video,
           (unsigned long long) pub->bytes);

    if (text != NULL) {
        printf(",\"text\":\"%s\"", text);
    }

    printf("}\n");
    fflush(stdout);
}


static void
pub_signal(int signo)
{
    (void) signo;

    pub_terminate = 1;
}


/* rtmp://host[:port]/app/name[?args]; the last part is the name */

static void
pub_url(pub_t *pub, const char *url)
{
    char  *p, *slash, *args;

    if (strncmp(url, "rtmp://", 7) != 0) {
        pub_die("--url takes rtmp://host[:port]/app/name");
    }

    pub->host = strdup(url + 7);

    slash = strchr(pub->host, '/');
    if (slash == NULL) {
        pub_die("--url has no app");
    }

    *slash++ = '\0';
    pub->app = slash;

    args = strchr(slash, '?');

    for (p = NULL; *slash && slash != args; slash++) {
        if (*slash == '/') {
            p = slash;
        }
    }

    if (p == NULL) {
        pub_die("--url has no stream name");
    }

    *p++ = '\0';
    pub->names[0] = p;
    pub->nnames = 1;

    pub->port = "1935";

    p = strchr(pub->host, ':');
    if (p != NULL) {
        *p++ = '\0';
        pub->port = p;
    }

    if (pub->tcurl == NULL
        && asprintf(&pub->tcurl, "rtmp://%s:%s/%s", pub->host, pub->port,
                    pub->app)
           < 0)
    {
        pub_die("out of memory");
    }
}


static long
pub_number(const char *s, long min, long max, const char *what)
{
    char  *end;
    long   n;

    errno = 0;
    n = strtol(s, &end, 0);

    if (*s == '\0' || *end || errno || n < min || n > max) {
        fprintf(stderr, "rtmppub: bad value for --%s: %s\n", what, s);
        exit(PUB_USAGE);
    }

    return n;
}


static void
pub_jump(pub_t *pub, const char *s)
{
    char        *end;
    pub_jump_t  *jump;

    if (pub->njumps == PUB_MAX_LIST) {
        pub_die("too many jumps");
    }

    jump = &pub->jumps[pub->njumps++];
    jump->at = strtol(s, &end, 0);

    if (end == s || *end != ':') {
        pub_die("--jump takes AT_MS:DELTA_MS");
    }

    jump->delta = pub_number(end + 1, INT32_MIN, UINT32_MAX, "jump");
}


static void
pub_options(pub_t *pub, int argc, char **argv)
{
    int  ch, n;

    static const char *const  ends[] = { "clean", "fin", "rst", "hold",
                                         "kill", NULL };

    static const struct option  list[] = {
        { "url", 1, 0, 'u' }, { "tcurl", 1, 0, 't' }, { "speed", 1, 0, 's' },
        { "burst", 1, 0, 'b' }, { "chunk", 1, 0, 'c' },
        { "ts-offset", 1, 0, 'o' }, { "no-type3-ext", 0, 0, 'x' },
        { "absolute", 0, 0, 'a' }, { "jump", 1, 0, 'j' },
        { "equal-dts", 1, 0, 'q' }, { "audio-shift", 1, 0, 'd' },
        { "cts-shift", 1, 0, 'C' }, { "aggregate", 0, 0, 'g' },
        { "split-sei", 0, 0, 'S' }, { "nal-length", 1, 0, 'n' },
        { "no-audio", 0, 0, 'A' }, { "no-video", 0, 0, 'V' },
        { "start", 1, 0, 'B' }, { "seconds", 1, 0, 'L' },
        { "loop", 0, 0, 'l' }, { "end", 1, 0, 'e' },
        { "republish", 1, 0, 'r' }, { "events", 0, 0, 'E' },
        { "progress", 1, 0, 'P' },
        { "help", 0, 0, 'h' }, { NULL, 0, NULL, 0 }
    };

    pub->speed = 1;
    pub->chunk = 4096;
    pub->length = INT64_MAX;
    pub->progress = 1;

    while ((ch = getopt_long(argc, argv, "h", list, NULL)) != -1) {

        switch (ch) {

        case 'u':
            pub_url(pub, optarg);
            break;

        case 't':
            pub->tcurl = optarg;
            break;

        case 's':
            pub->speed = atof(optarg);
            break;

        case 'b':
            pub->burst = (double) pub_number(optarg, 0, INT32_MAX, "burst");
            break;

        case 'c':
            pub->chunk = (uint32_t) pub_number(optarg, 1, 1 << 23, "chunk");
            break;

        case 'o':
            pub->ts_offset = (uint32_t) pub_number(optarg, INT32_MIN,
                                                   UINT32_MAX, "ts-offset");
            break;

        case 'x':
            pub->no_ext = 1;
            break;

        case 'a':
            pub->absolute = 1;
            break;

        case 'j':
            pub_jump(pub, optarg);
            break;

        case 'q':
            pub->equal_dts = (unsigned) pub_number(optarg, 2, INT32_MAX,
                                                   "equal-dts");
            break;

        case 'd':
            pub->audio_shift = pub_number(optarg, INT32_MIN, INT32_MAX,
                                          "audio-shift");
            break;

        case 'C':
            pub->cts_shift = (int32_t) pub_number(optarg, -8000000, 8000000,
                                                  "cts-shift");
            break;

        case 'g':
            pub->aggregate = 1;
            break;

        case 'S':
            pub->split_sei = 1;
            break;

        case 'n':
            pub->nal_length = (unsigned) pub_number(optarg, 1, 4,
                                                    "nal-length");
            break;

        case 'A':
            pub->no_audio = 1;
            break;

        case 'V':
            pub->no_video = 1;
            break;

        case 'B':
            pub->start = pub_number(optarg, 0, INT32_MAX, "start");
            break;

        case 'L':
            pub->length = (int64_t) (atof(optarg) * 1000);
            break;

        case 'l':
            pub->loop = 1;
            break;

        case 'e':
            for (n = 0; ends[n] && strcmp(ends[n], optarg) != 0; n++) {
                /* void */
            }

            if (ends[n] == NULL) {
                pub_die("--end takes clean, fin, rst, hold or kill");
            }

            pub->end = (pub_end_e) n;
            break;

        case 'r':
            if (pub->nnames == 0 || pub->nnames == PUB_MAX_LIST) {
                pub_die("--republish stands after --url, at most 31 times");
            }

            pub->names[pub->nnames++] = optarg;
            break;

        case 'E':
            pub->events = 1;
            break;

        case 'P':
            pub->progress = pub_number(optarg, 1, 60000, "progress")
                            / 1000.0;
            break;

        case 'h':
            pub_usage();
            exit(PUB_OK);

        default:
            pub_die("--help lists the options");
        }
    }

    if (pub->nnames == 0 || optind == argc) {
        pub_usage();
        exit(PUB_USAGE);
    }
}


static void
pub_usage(void)
{
    printf(
"usage: rtmppub --url rtmp://HOST[:PORT]/APP/NAME[?ARGS] [options] FLV...\n"
"Publishes the files one after another as one stream.\n\n"
"  --tcurl URL          tcUrl of connect (default from --url)\n"
"  --speed X            times real time (default 1); 0 as fast as taken\n"
"  --burst MS           the first MS of media go out at once\n"
"  --chunk N            chunk size (default 4096)\n"
"  --ts-offset MS       added to every timestamp, modulo 2^32\n"
"  --absolute           full message headers only, never a delta\n"
"  --no-type3-ext       extended timestamps are not repeated in type 3\n"
"  --jump AT_MS:DELTA   from media time AT_MS on timestamps move by DELTA\n"
"  --equal-dts N        each Nth video tag has its predecessor's dts\n"
"  --audio-shift MS     moves audio timestamps against those of video\n"
"  --cts-shift MS       added to every composition time\n"
"  --aggregate          tags are packed in aggregate messages\n"
"  --split-sei          NAL units before the slices are sent by themselves\n"
"  --nal-length N       size of NAL lengths, and what avcC says of it\n"
"  --no-audio, --no-video\n"
"  --start MS           begins at the first keyframe at MS or after\n"
"  --seconds S          this much from there\n"
"  --loop               begins again at the end, until SIGTERM\n"
"  --end HOW            clean (default), fin, rst, hold, kill\n"
"  --republish NAME     then the same files under NAME, same connection\n"
"  --events             a JSON line for each thing that happens\n"
"  --progress MS        how often one of them tells how far it is (1000)\n\n"
"Exit status: 0 all sent, 2 bad arguments, 3 publish refused (its code is\n"
"printed), 4 connection lost.\n");
}


/*
 * Cuts the wanted part out of a file and puts it behind what is there
 * already.  Sequence headers seen before the part go first.
 */

static void
pub_add_file(pub_t *pub, const char *path)
{
    int64_t          base, first, last, delta, end;
    unsigned         i, k;
    flv_tag_t       *tag, *head[FLV_VIDEO];
    flv_file_t       file;
    const char      *error;

    if (flv_file_read(&file, path, &error) != LR_OK) {
        pub_die(error);
    }

    memset(head, 0, sizeof(head));

    for (i = 0; i < file.ntags; i++) {
        tag = &file.tags[i];

        if (tag->kind < FLV_VIDEO) {
            head[tag->kind] = tag;
            continue;
        }

        if (tag->ts < pub->start) {
            continue;
        }

        if (tag->key || pub->start == 0) {
            break;
        }

        if (pub->no_video || head[FLV_VIDEO_HEADER] == NULL) {
            break;
        }
    }

    if (i == file.ntags) {
        pub_die("no media after --start");
    }

    base = pub->duration;
    first = file.tags[i].ts;
    end = pub->length == INT64_MAX ? INT64_MAX : first + pub->length;
    last = first;
    delta = 40;

    for (k = 0; k < FLV_VIDEO; k++) {
        if (head[k]) {
            pub_add_tag(pub, head[k], base);
        }
    }

    for ( /* void */ ; i < file.ntags; i++) {
        tag = &file.tags[i];

        if (tag->ts >= end || tag->ts < first) {
            continue;
        }

        pub_add_tag(pub, tag, base + tag->ts - first);

        if (tag->kind == FLV_VIDEO || tag->kind == FLV_AUDIO) {

            if (tag->kind == FLV_VIDEO && tag->ts > last) {
                delta = tag->ts - last;
            }

            last = tag->ts > last ? tag->ts : last;
        }
    }

    pub->duration = base + last - first + (delta < 1000 ? delta : 40);

    flv_file_free(&file);
}


static void
pub_add_tag(pub_t *pub, const flv_tag_t *tag, int64_t time)
{
    size_t    n;
    u_char   *p;
    lr_buf_t  b;

    static const char  set[] = "\x02\x00\x0d@setDataFrame";

    switch (tag->kind) {

    case FLV_META:
        memset(&b, 0, sizeof(lr_buf_t));
        lr_buf_append(&b, set, sizeof(set) - 1);
        lr_buf_append(&b, tag->data, tag->len);
        pub_push(pub, RTMP_DATA, time, &b);
        return;

    case FLV_AUDIO:
    case FLV_AUDIO_HEADER:
        if (!pub->no_audio) {
            memset(&b, 0, sizeof(lr_buf_t));
            lr_buf_append(&b, tag->data, tag->len);
            pub_push(pub, RTMP_AUDIO, time, &b);
        }

        return;

    case FLV_VIDEO_HEADER:
        if (!pub->no_video) {
            memset(&b, 0, sizeof(lr_buf_t));
            pub_set_header_nal(pub, tag, &b);
            pub_push(pub, RTMP_VIDEO, time, &b);
        }

        return;

    default:
        break;
    }

    if (pub->no_video) {
        return;
    }

    p = tag->data + tag->header;
    n = pub->split_sei ? pub_sei_size(pub, tag) : 0;

    if (n) {
        pub_add_media(pub, tag, time, p, n);
    }

    pub_add_media(pub, tag, time, p + n, tag->len - tag->header - n);
}


static void
pub_add_media(pub_t *pub, const flv_tag_t *tag, int64_t time,
    const u_char *p, size_t n)
{
    lr_buf_t  b;

    memset(&b, 0, sizeof(lr_buf_t));

    lr_buf_append(&b, tag->data, tag->header);

    if (pub->nal_length && tag->nal) {
        pub_copy_nals(pub, &b, p, n);

    } else {
        lr_buf_append(&b, p, n);
    }

    if (tag->cts && tag->nal && !b.failed) {
        pub_add_cts(b.data + tag->header - 3, pub->cts_shift);
    }

    pub_push(pub, RTMP_VIDEO, time, &b);
}


/* the tag takes the bytes of b over */

static void
pub_push(pub_t *pub, unsigned type, int64_t time, lr_buf_t *b)
{
    pub_tag_t  *tag;

    if (b->failed) {
        pub_die("out of memory");
    }

    if (pub->ntags == pub->max) {
        pub->max = pub->max ? pub->max * 2 : 4096;
        pub->tags = realloc(pub->tags, pub->max * sizeof(pub_tag_t));

        if (pub->tags == NULL) {
            pub_die("out of memory");
        }
    }

    tag = &pub->tags[pub->ntags++];

    tag->time = time;
    tag->ts = time;
    tag->data = b->data;
    tag->len = (uint32_t) b->len;
    tag->type = (uint8_t) type;
}


static int32_t
pub_get_cts(const u_char *p)
{
    return ((int32_t) lr_get_be24(p) ^ 0x800000) - 0x800000;
}


static void
pub_add_cts(u_char *p, int64_t shift)
{
    lr_put_be24(p, (uint32_t) (pub_get_cts(p) + shift) & 0xffffff);
}


/*
 * avcC has lengthSizeMinusOne in its fifth byte, hvcC in its 22nd
 * (ISO/IEC 14496-15, 5.3.3.1.2 and 8.3.3.1.2).
 */

static void
pub_set_header_nal(pub_t *pub, const flv_tag_t *tag, lr_buf_t *b)
{
    size_t    pos;
    unsigned  codec;

    lr_buf_append(b, tag->data, tag->len);

    codec = tag->data[0] & 0x0f;

    if (tag->data[0] & 0x80) {
        codec = memcmp(tag->data + 1, "avc1", 4) == 0 ? 7 : 12;
    }

    pos = tag->header + (codec == 7 ? 4 : 21);

    if (b->failed || pos >= b->len) {
        return;
    }

    pub->in_nal = (b->data[pos] & 0x03) + 1;

    if (pub->nal_length) {
        b->data[pos] = (u_char) ((b->data[pos] & 0xfc)
                                 | (pub->nal_length - 1));
    }
}


static void
pub_copy_nals(pub_t *pub, lr_buf_t *b, const u_char *p, size_t n)
{
    u_char    out[4];
    size_t    len;
    unsigned  i;

    if (pub->in_nal == 0) {
        pub_die("--nal-length needs a sequence header");
    }

    while (n > pub->in_nal) {

        for (len = 0, i = 0; i < pub->in_nal; i++) {
            len = len << 8 | p[i];
        }

        p += i;
        n -= i;

        if (len > n
            || (pub->nal_length < 4 && len >> (8 * pub->nal_length)))
        {
            pub_die("a NAL unit does not fit into --nal-length");
        }

        lr_put_be32(out, (uint32_t) len);
        lr_buf_append(b, out + 4 - pub->nal_length, pub->nal_length);
        lr_buf_append(b, p, len);

        p += len;
        n -= len;
    }
}


/* how many bytes of AUD, SEI and parameter sets lie before the slices */

static size_t
pub_sei_size(pub_t *pub, const flv_tag_t *tag)
{
    size_t         len, size, n;
    u_char         type;
    unsigned       i;
    const u_char  *p;

    if (!tag->nal || (tag->data[0] & 0x8f) != 7 || pub->in_nal == 0) {
        return 0;
    }

    p = tag->data + tag->header;
    n = tag->len - tag->header;

    for (size = 0; size + pub->in_nal < n; size += i + len) {

        for (len = 0, i = 0; i < pub->in_nal; i++) {
            len = len << 8 | p[size + i];
        }

        type = p[size + i] & 0x1f;

        if (type >= 1 && type <= 5) {
            return size;
        }
    }

    return 0;
}


static void
pub_shift_times(pub_t *pub)
{
    int64_t     audio, video;
    unsigned    i, k;
    pub_tag_t  *tag;

    /* what is sent before zero would be wrapped: the other track moves */

    audio = pub->audio_shift > 0 ? pub->audio_shift : 0;
    video = pub->audio_shift < 0 ? -pub->audio_shift : 0;

    for (i = 0; i < pub->ntags; i++) {
        tag = &pub->tags[i];

        tag->ts += tag->type == RTMP_AUDIO ? audio : video;

        for (k = 0; k < pub->njumps; k++) {
            if (tag->time >= pub->jumps[k].at) {
                tag->ts += pub->jumps[k].delta;
            }
        }
    }
}


/* the presentation times stay as they were */

static void
pub_equal_dts(pub_t *pub)
{
    unsigned    i, n;
    pub_tag_t  *tag, *prev;

    n = 0;
    prev = NULL;

    for (i = 0; i < pub->ntags; i++) {
        tag = &pub->tags[i];

        if (tag->type != RTMP_VIDEO || tag->len < 5
            || (tag->data[0] & 0x80) || tag->data[1] != 1)
        {
            continue;
        }

        if (++n % pub->equal_dts == 0 && prev != NULL) {
            pub_add_cts(tag->data + 2, tag->ts - prev->ts);
            tag->ts = prev->ts;
        }

        prev = tag;
    }
}


static void
pub_connect(pub_t *pub)
{
    int               rc, one;
    struct addrinfo  *res, hints;

    memset(&hints, 0, sizeof(struct addrinfo));
    hints.ai_socktype = SOCK_STREAM;

    rc = getaddrinfo(pub->host, pub->port, &hints, &res);

    if (rc != 0) {
        exit(pub_lost(pub, gai_strerror(rc)));
    }

    pub->fd = socket(res->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (pub->fd == -1
        || connect(pub->fd, res->ai_addr, res->ai_addrlen) == -1)
    {
        exit(pub_lost(pub, strerror(errno)));
    }

    freeaddrinfo(res);

    one = 1;
    setsockopt(pub->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(int));
    fcntl(pub->fd, F_SETFL, O_NONBLOCK);

    pub_event(pub, "connected", NULL);

    pub->client.app = pub->app;
    pub->client.tcurl = pub->tcurl;
    pub->client.name = pub->names[0];
    pub->client.chunk = pub->chunk;

    pub->answer = pub_now() + PUB_TIMEOUT;

    rtmp_client_start(&pub->client, (unsigned) getpid());
}


static int
pub_read(pub_t *pub)
{
    u_char   buf[16384];
    ssize_t  n;

    for ( ;; ) {
        n = recv(pub->fd, buf, sizeof(buf), 0);

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n == -1 && errno == EAGAIN) {
            return PUB_OK;
        }

        if (n <= 0) {

            if (pub->done) {
                return PUB_OK;
            }

            if (pub->client.state == RTMP_PUBLISHING) {
                printf("refused: closed\n");
                pub_event(pub, "refused", "closed");
                return PUB_REFUSED;
            }

            return pub_lost(pub, n ? strerror(errno) : "closed");
        }

        if (rtmp_client_input(&pub->client, buf, (size_t) n) == LR_OK) {
            continue;
        }

        if (pub->client.state < RTMP_CREATING) {
            return pub_lost(pub, pub->client.error);
        }

        printf("refused: %s\n", pub->client.status[0] ? pub->client.status
                                                      : pub->client.error);
        pub_event(pub, "refused", pub->client.status);

        return PUB_REFUSED;
    }
}


static int
pub_write(pub_t *pub)
{
    ssize_t    n;
    lr_buf_t  *out;

    out = &pub->client.out;

    while (out->len) {
        n = send(pub->fd, out->data, out->len, MSG_NOSIGNAL);

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n == -1 && errno == EAGAIN) {
            return PUB_OK;
        }

        if (n == -1) {
            /* what the server said before it closed tells more */
            return pub_read(pub) == PUB_REFUSED
                   ? PUB_REFUSED : pub_lost(pub, strerror(errno));
        }

        pub->bytes += (uint64_t) n;

        rtmp_buf_shift(out, (size_t) n);
    }

    return PUB_OK;
}


static void
pub_fill(pub_t *pub, double now)
{
    double  wait;

    while (pub->client.out.len < PUB_MAX_OUT && !pub->ended
           && pub_due(pub, now, &wait))
    {
        if (pub->aggregate && pub->tags[pub->next].type != RTMP_DATA) {
            pub_send_group(pub, now);

        } else {
            pub_send_tag(pub);
        }

        if (pub->next < pub->ntags) {
            continue;
        }

        if (pub->loop && !pub_terminate) {
            pub->next = 0;
            pub->looped += pub->duration;
            continue;
        }

        pub->ended = 1;
    }
}


static int
pub_due(pub_t *pub, double now, double *wait)
{
    double  at;

    *wait = 0;

    if (pub->speed <= 0) {
        return 1;
    }

    at = (double) (pub->tags[pub->next].time + pub->looped);
    at = at <= pub->burst ? 0 : (at - pub->burst) / 1000 / pub->speed;

    *wait = pub->t0 + at - now;

    return *wait <= 0;
}


static void
pub_send_tag(pub_t *pub)
{
    unsigned    csid;
    pub_tag_t  *tag;

    tag = &pub->tags[pub->next++];

    csid = tag->type == RTMP_AUDIO ? RTMP_CS_AUDIO
           : tag->type == RTMP_VIDEO ? RTMP_CS_VIDEO : RTMP_CS_DATA;

    pub_count(pub, tag);
    pub_send(pub, csid, tag->type, pub->sent_ts, tag->data, tag->len);
}


/*
 * Tags as in an FLV file, each with its trailer.  The message says when the
 * first of them is, the others are understood as differences to it.
 */

static void
pub_send_group(pub_t *pub, double now)
{
    double      wait;
    u_char      head[11], tail[4];
    lr_buf_t    b;
    unsigned    n;
    uint32_t    ts;
    pub_tag_t  *tag;

    memset(&b, 0, sizeof(lr_buf_t));

    ts = 0;

    for (n = 0; n < PUB_GROUP_TAGS && pub->next < pub->ntags; n++) {
        tag = &pub->tags[pub->next];

        if (tag->type == RTMP_DATA
            || (n && b.len + tag->len > PUB_MAX_GROUP)
            || (n && !pub_due(pub, now, &wait)))
        {
            break;
        }

        pub->next++;
        pub_count(pub, tag);

        if (n == 0) {
            ts = pub->sent_ts;
        }

        head[0] = tag->type;
        lr_put_be24(head + 1, tag->len);
        lr_put_be24(head + 4, pub->sent_ts & 0xffffff);
        head[7] = (u_char) (pub->sent_ts >> 24);
        lr_put_be24(head + 8, 0);
        lr_put_be32(tail, 11 + tag->len);

        lr_buf_append(&b, head, 11);
        lr_buf_append(&b, tag->data, tag->len);
        lr_buf_append(&b, tail, 4);
    }

    if (b.failed) {
        pub_die("out of memory");
    }

    pub_send(pub, RTMP_CS_VIDEO, RTMP_AGGREGATE, ts, b.data,
             (uint32_t) b.len);

    lr_buf_free(&b);
}


static void
pub_send(pub_t *pub, unsigned csid, unsigned type, uint32_t ts,
    const u_char *p, uint32_t len)
{
    rtmp_header_t  h;

    memset(&h, 0, sizeof(rtmp_header_t));

    h.csid = (uint8_t) csid;
    h.type = (uint8_t) type;
    h.msid = pub->client.msid;
    h.len = len;
    h.ts = ts;
    h.delta = ts - pub->last_ts[csid];
    h.no_ext = pub->no_ext;

    /* a delta cannot go back, and a long one is easier to read absolute */
    h.full = pub->absolute || !pub->seen[csid] || h.delta >= RTMP_EXT_TS;

    pub->last_ts[csid] = ts;
    pub->seen[csid] = 1;

    rtmp_put_message(&pub->client.out, pub->chunk, &h, p);

    if (pub->client.out.failed) {
        pub_die("out of memory");
    }
}


static void
pub_count(pub_t *pub, const pub_tag_t *tag)
{
    pub->sent_time = tag->time + pub->looped;
    pub->sent_ts = (uint32_t) (tag->ts + pub->looped) + pub->ts_offset;

    if (tag->type == RTMP_AUDIO) {
        pub->audio++;

    } else if (tag->type == RTMP_VIDEO) {
        pub->video++;
    }
}


/* waits until the other side has acknowledged every byte, not for ever */

static int
pub_drain(pub_t *pub)
{
    int            left;
    double         until;
    struct pollfd  pfd;

    pfd.fd = pub->fd;
    pfd.events = 0;

    until = pub_now() + PUB_TIMEOUT;

    while (pub_now() < until) {

        if (ioctl(pub->fd, SIOCOUTQ, &left) == -1 || left == 0) {
            return PUB_OK;
        }

        if (poll(&pfd, 1, 2) > 0) {
            return pub_lost(pub, "closed");
        }
    }

    return PUB_OK;
}


static int
pub_run(pub_t *pub)
{
    int            rc, timeout;
    double         now, wait;
    struct pollfd  pfd;

    for ( ;; ) {
        now = pub_now();

        if (pub->client.state == RTMP_PUBLISHED && !pub->started) {
            pub->started = 1;
            pub->t0 = now;
            pub->tick = now + pub->progress;
            pub_event(pub, "published", NULL);
        }

        if (pub->started) {

            if (pub_terminate) {
                pub->ended = 1;
            }

            pub_fill(pub, now);

            if (now >= pub->tick) {
                pub->tick += pub->progress;
                pub_event(pub, "progress", NULL);
            }

        } else if (now > pub->answer) {
            return pub_lost(pub, "no answer");

        } else if (pub_terminate) {
            return PUB_FAILED;
        }

        rc = pub_write(pub);

        if (rc != PUB_OK) {
            return rc;
        }

        if (pub->ended && pub->client.out.len == 0) {

            if (pub->name + 1 == pub->nnames || pub_terminate) {
                return pub_finish(pub);
            }

            rtmp_client_unpublish(&pub->client);

            pub->client.name = pub->names[++pub->name];
            pub->next = 0;
            pub->looped = 0;
            pub->started = 0;
            pub->ended = 0;
            pub->answer = now + PUB_TIMEOUT;
            memset(pub->seen, 0, sizeof(pub->seen));

            rtmp_client_publish(&pub->client);
            continue;
        }

        timeout = 100;

        if (pub->started && !pub->ended && pub->client.out.len == 0) {

            if (pub_due(pub, pub_now(), &wait)) {
                timeout = 0;

            } else if (wait < 0.1) {
                timeout = (int) (wait * 1000) + 1;
            }
        }

        pfd.fd = pub->fd;
        pfd.events = POLLIN | (pub->client.out.len ? POLLOUT : 0);

        if (poll(&pfd, 1, timeout) > 0
            && (pfd.revents & (POLLIN | POLLHUP | POLLERR)))
        {
            rc = pub_read(pub);

            if (rc != PUB_OK) {
                return rc;
            }
        }
    }
}


static int
pub_finish(pub_t *pub)
{
    int            rc;
    u_char         b[4096];
    double         until;
    ssize_t        n;
    struct pollfd  pfd;
    struct linger  linger;

    pfd.fd = pub->fd;
    pfd.events = POLLIN;

    switch (pub->end) {

    case PUB_HOLD:
        pub_event(pub, "holding", NULL);

        while (!pub_terminate) {

            /* pings stay without an answer, too: the publisher is gone */

            pfd.events = POLLRDHUP;

            if (poll(&pfd, 1, 100) > 0) {
                return pub_lost(pub, "closed");
            }
        }

        break;

    case PUB_KILL:
        rc = pub_drain(pub);

        if (rc != PUB_OK) {
            return rc;
        }

        pub_event(pub, "ended", "kill");
        kill(getpid(), SIGKILL);
        break;

    case PUB_RST:
        /* an RST throws away what is still on its way, so nothing may be */
        rc = pub_drain(pub);

        if (rc != PUB_OK) {
            return rc;
        }

        linger.l_onoff = 1;
        linger.l_linger = 0;
        setsockopt(pub->fd, SOL_SOCKET, SO_LINGER, &linger,
                   sizeof(struct linger));
        break;

    case PUB_CLEAN:
        rtmp_client_unpublish(&pub->client);
        pub->done = 1;

        until = pub_now() + PUB_TIMEOUT;

        while (pub->client.out.len && pub_now() < until) {
            rc = pub_write(pub);

            if (rc != PUB_OK) {
                return rc;
            }

            usleep(1000);
        }

        /* fall through */

    case PUB_FIN:
        shutdown(pub->fd, SHUT_WR);

        /* the end of the server's side says that it has read everything */

        until = pub_now() + PUB_TIMEOUT;

        while (pub_now() < until) {

            if (poll(&pfd, 1, 100) <= 0) {
                continue;
            }

            n = recv(pub->fd, b, sizeof(b), 0);

            if (n == -1 && errno == ECONNRESET) {
                /* closed before everything was read */
                return pub_lost(pub, strerror(errno));
            }

            if (n == 0 || (n == -1 && errno != EAGAIN)) {
                break;
            }
        }

        break;
    }

    close(pub->fd);

    pub_event(pub, "ended", NULL);

    return PUB_OK;
}


static int
pub_lost(pub_t *pub, const char *text)
{
    fprintf(stderr, "rtmppub: connection lost: %s\n", text);
    pub_event(pub, "lost", text);

    return PUB_LOST;
}
