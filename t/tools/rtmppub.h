
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What the files of rtmppub share.
 */


#ifndef _RTMPPUB_H_INCLUDED_
#define _RTMPPUB_H_INCLUDED_


#include <signal.h>
#include "flv_file.h"
#include "rtmp_client.h"


/* exit statuses, and what functions give */

#define PUB_OK           0
#define PUB_FAILED       1
#define PUB_USAGE        2
#define PUB_REFUSED      3
#define PUB_LOST         4

#define PUB_MAX_LIST     32

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


/* rtmppub.c */

/* SIGTERM or SIGINT has come */
extern volatile sig_atomic_t  pub_terminate;

void pub_die(const char *text);

/* s, of a clock that is never set */
double pub_now(void);

/* a line of --events; the text may be NULL */
void pub_event(pub_t *pub, const char *name, const char *text);


/* rtmppub_options.c */

void pub_options(pub_t *pub, int argc, char **argv);


/* rtmppub_tags.c */

/*
 * Cuts the wanted part out of a file and puts it behind what is there
 * already.  Sequence headers seen before the part go first.
 */
void pub_add_file(pub_t *pub, const char *path);

/* --jump and --audio-shift; --equal-dts */
void pub_shift_times(pub_t *pub);
void pub_equal_dts(pub_t *pub);


/* rtmppub_send.c */

/* puts the tags that are due into the client's buffer, while it has room */
void pub_fill(pub_t *pub, double now);

/* whether the next tag is, or for how long it is to be waited, in s */
int pub_due(pub_t *pub, double now, double *wait);


/* rtmppub_conn.c */

/* connects, or exits */
void pub_connect(pub_t *pub);

/* without waiting */
int pub_read(pub_t *pub);
int pub_write(pub_t *pub);

/* all is sent: --end */
int pub_finish(pub_t *pub);

/* tells of it, and gives PUB_LOST */
int pub_lost(pub_t *pub, const char *text);


#endif /* _RTMPPUB_H_INCLUDED_ */
