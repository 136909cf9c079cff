
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The command line.
 */


#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include "rtmppub.h"


static void pub_url(pub_t *pub, const char *url);
static long pub_number(const char *s, long min, long max, const char *what);
static void pub_jump(pub_t *pub, const char *s);
static void pub_usage(void);


void
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
