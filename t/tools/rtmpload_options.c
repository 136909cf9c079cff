
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The command line.
 */


#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include "rtmpload.h"


static double load_number(const char *s, double min, double max,
    const char *what);
static void load_usage(void);


void
load_options(load_t *load, int argc, char **argv)
{
    int  ch;

    static const struct option  list[] = {
        { "host", 1, 0, 1 }, { "port", 1, 0, 'p' }, { "port-step", 1, 0, 2 },
        { "app", 1, 0, 3 }, { "name", 1, 0, 4 }, { "chunk", 1, 0, 5 },
        { "ramp-ms", 1, 0, 6 }, { "no-stagger", 0, 0, 7 },
        { "gate", 0, 0, 8 }, { "tick-us", 1, 0, 9 }, { "batch", 1, 0, 10 },
        { "sndbuf", 1, 0, 11 }, { "timeout-ms", 1, 0, 12 },
        { "raw", 0, 0, 13 }, { "abrupt", 0, 0, 14 }, { "json", 0, 0, 15 },
        { "help", 0, 0, 'h' }, { NULL, 0, NULL, 0 }
    };

    load->host = "127.0.0.1";
    load->app = "live";
    load->name = "s%d";
    load->port = 1935;
    load->n = 1;
    load->chunk = 4096;
    load->ramp = 2;
    load->timeout = 15;
    load->tick_us = 1000;
    load->speed = 1;
    load->seconds = 60;
    load->stagger = 1;
    load->batch = 256 * 1024;

    while ((ch = getopt_long(argc, argv, "f:n:t:s:p:h", list, NULL)) != -1) {

        switch (ch) {

        case 'f':
            load->file = optarg;
            break;

        case 'n':
            load->n = (unsigned) load_number(optarg, 1, 100000, "-n");
            break;

        case 't':
            load->seconds = load_number(optarg, 0, LOAD_MAX_TS / 1000.0,
                                        "-t");
            break;

        case 's':
            load->speed = load_number(optarg, 0, 10000, "-s");
            break;

        case 'p':
            load->port = (unsigned) load_number(optarg, 1, 65535, "--port");
            break;

        case 1:
            load->host = optarg;
            break;

        case 2:
            load->port_step = (unsigned) load_number(optarg, 0, 1000,
                                                     "--port-step");
            break;

        case 3:
            load->app = optarg;
            break;

        case 4:
            load->name = optarg;
            break;

        case 5:
            load->chunk = (uint32_t) load_number(optarg, 128, 1 << 23,
                                                 "--chunk");
            break;

        case 6:
            load->ramp = load_number(optarg, 0, 1e7, "--ramp-ms") / 1000;
            break;

        case 7:
            load->stagger = 0;
            break;

        case 8:
            load->gate = 1;
            break;

        case 9:
            load->tick_us = (long) load_number(optarg, 50, 999999,
                                               "--tick-us");
            break;

        case 10:
            load->batch = (size_t) load_number(optarg, 1, 1 << 30,
                                               "--batch");
            break;

        case 11:
            load->sndbuf = (int) load_number(optarg, 1, 1 << 30,
                                             "--sndbuf");
            break;

        case 12:
            load->timeout = load_number(optarg, 1, 1e7, "--timeout-ms")
                            / 1000;
            break;

        case 13:
            load->raw = 1;
            break;

        case 14:
            load->abrupt = 1;
            break;

        case 15:
            load->json = 1;
            break;

        case 'h':
            load_usage();
            exit(0);

        default:
            load_die("--help lists the options");
        }
    }

    if (load->file == NULL || optind != argc) {
        load_usage();
        exit(2);
    }
}


static double
load_number(const char *s, double min, double max, const char *what)
{
    char    *end;
    double   d;

    d = strtod(s, &end);

    if (*s == '\0' || *end || !(d >= min && d <= max)) {
        fprintf(stderr, "rtmpload: bad value for %s: %s\n", what, s);
        exit(2);
    }

    return d;
}


static void
load_usage(void)
{
    printf(
"usage: rtmpload -f FILE.flv [options]\n"
"Publishes FILE over N RTMP connections from one process and one epoll\n"
"loop.\n\n"
"  -f FILE          FLV file (H.264/AAC); it is looped\n"
"  -n N             connections, one stream each (default 1)\n"
"  -t SECONDS       media seconds sent per stream (default 60; at most\n"
"                   16777)\n"
"  -s SPEED         1 real time (default), 4 four times as fast,\n"
"                   0 as fast as the server reads\n"
"  --host IP        default 127.0.0.1\n"
"  -p, --port PORT  default 1935\n"
"  --port-step K    stream i goes to PORT + i*K (default 0)\n"
"  --app APP        default live\n"
"  --name NAME      stream name, %%d is the stream's number (default s%%d)\n"
"  --chunk BYTES    outgoing RTMP chunk size (default 4096)\n"
"  --ramp-ms MS     the connections open evenly over this time (default\n"
"                   2000)\n"
"  --no-stagger     every stream starts at the file's first tag; otherwise\n"
"                   stream i starts at another keyframe\n"
"  --gate           send no media before every stream is published\n"
"  --tick-us US     real time: how often due tags are sent (default 1000)\n"
"  --batch BYTES    at most about this much in one sendmsg (default\n"
"                   262144)\n"
"  --sndbuf BYTES   SO_SNDBUF (default: the system's)\n"
"  --timeout-ms MS  for connecting and publishing, and for the server to\n"
"                   close after the last byte (default 15000)\n"
"  --raw            no handshake and no commands: the same chunks over\n"
"                   bare TCP (for measuring a plain socket reader)\n"
"  --abrupt         end with a TCP close, without FCUnpublish and\n"
"                   deleteStream\n"
"  --json           report as one JSON object\n\n"
"Report: connections ok and failed, tags and bytes sent, the rate, how\n"
"late tags left compared with their time (max, mean, how many over 10 ms,\n"
"100 ms, 1 s), how long the server took to read the rest and close, own\n"
"CPU and RSS.\n"
"Exit status: 0 every stream ran to its end, 1 some failed, 2 bad\n"
"arguments.\n");
}
