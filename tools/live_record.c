
/*
 * Copyright (C) the ngx_live_record authors
 *
 * live-record: looks into the spool, and makes files of what is there.
 */


#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "live_record.h"


/* app, stream and id are below a spool */
#define LR_TOOL_DEPTH  3


static int lr_tool_usage(FILE *out, int rc);
static int lr_tool_walk(lr_tool_list_t *list, const char *dir,
    unsigned depth);
static int lr_tool_compare(const void *one, const void *two);


int
main(int argc, char **argv)
{
    int                         c, rc, render;
    char                       *dir;
    size_t                      i, n;
    unsigned                    force;
    const char                 *format, *file;
    lr_tool_list_t              list;
    static const struct option  options[] = {
        { "format", required_argument, NULL, 'f' },
        { "output", required_argument, NULL, 'o' },
        { "force", no_argument, NULL, 'F' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 }
    };

    format = NULL;
    file = NULL;
    force = 0;

    for ( ;; ) {
        c = getopt_long(argc, argv, "f:o:h", options, NULL);

        if (c == -1) {
            break;
        }

        switch (c) {

        case 'f':
            format = optarg;
            break;

        case 'o':
            file = optarg;
            break;

        case 'F':
            force = 1;
            break;

        case 'h':
            return lr_tool_usage(stdout, LR_TOOL_OK);

        default:
            return lr_tool_usage(stderr, LR_TOOL_USAGE);
        }
    }

    if (argc - optind != 2) {
        return lr_tool_usage(stderr, LR_TOOL_USAGE);
    }

    dir = argv[optind + 1];

    for (n = strlen(dir); n > 1 && dir[n - 1] == '/'; n--) {
        dir[n - 1] = '\0';
    }

    if (strcmp(argv[optind], "inspect") == 0 && !format && !file && !force) {
        render = 0;

    } else if (strcmp(argv[optind], "render") == 0 && format && file
               && (strcmp(format, "ts") == 0 || strcmp(format, "mp4") == 0
                   || strcmp(format, "flv") == 0))
    {
        render = 1;

    } else {
        return lr_tool_usage(stderr, LR_TOOL_USAGE);
    }

    if (lr_tool_is_recording(dir)) {
        return render ? lr_tool_render(dir, format, file, force)
                      : lr_tool_inspect(dir);
    }

    memset(&list, 0, sizeof(lr_tool_list_t));

    if (lr_tool_find(&list, dir) != LR_OK) {
        lr_tool_say("\"%s\" cannot be read: %s", dir, strerror(errno));
        rc = LR_TOOL_FAILED;

    } else if (!render) {
        rc = lr_tool_inspect_all(dir, &list);

    } else if (list.n == 0) {
        lr_tool_say("\"%s\" is not a recording, and there is none below it",
                    dir);
        rc = LR_TOOL_FAILED;

    } else {
        lr_tool_say("\"%s\" is not a recording; below it are:", dir);

        for (i = 0; i < list.n; i++) {
            fprintf(stderr, "%s\n", list.paths[i]);
        }

        rc = LR_TOOL_FAILED;
    }

    lr_tool_list_free(&list);

    return rc;
}


static int
lr_tool_usage(FILE *out, int rc)
{
    fprintf(out,
            "usage: live-record inspect DIR\n"
            "       live-record render DIR --format ts|mp4|flv -o FILE"
            " [--force]\n"
            "\n"
            "DIR is a recording in the spool, SPOOL/APP/STREAM/ID; for"
            " inspect also what is\nabove it.  See live-record(1).\n");

    return rc;
}


int
lr_tool_is_recording(const char *dir)
{
    char         path[LR_PATH_MAX + 32];
    struct stat  st;

    snprintf(path, sizeof(path), "%s/record.log", dir);

    if (stat(path, &st) == 0) {
        return 1;
    }

    snprintf(path, sizeof(path), "%s/template.json", dir);

    return stat(path, &st) == 0;
}


int
lr_tool_find(lr_tool_list_t *list, const char *dir)
{
    if (lr_tool_walk(list, dir, LR_TOOL_DEPTH) != LR_OK) {
        return LR_ERROR;
    }

    if (list->n) {
        qsort(list->paths, list->n, sizeof(char *), lr_tool_compare);
    }

    return LR_OK;
}


/* what has gone in between is no error */

static int
lr_tool_walk(lr_tool_list_t *list, const char *dir, unsigned depth)
{
    DIR            *d;
    char            path[LR_PATH_MAX];
    struct stat     st;
    struct dirent  *de;

    d = opendir(dir);
    if (d == NULL) {
        return LR_ERROR;
    }

    for ( ;; ) {
        de = readdir(d);
        if (de == NULL) {
            break;
        }

        if (de->d_name[0] == '.'
            || snprintf(path, sizeof(path), "%s/%s", dir, de->d_name)
               >= (int) sizeof(path)
            || stat(path, &st) == -1 || !S_ISDIR(st.st_mode))
        {
            continue;
        }

        if (lr_tool_is_recording(path)) {
            list->paths = lr_tool_grow(list->paths, list->n, sizeof(char *));
            list->paths[list->n++] = lr_tool_copy(path);

        } else if ((depth > 1 ? lr_tool_walk(list, path, depth - 1) != LR_OK
                              : access(path, X_OK) == -1)
                   && errno != ENOENT)
        {
            list->shut = 1;
            lr_tool_say("\"%s\" cannot be read: %s", path, strerror(errno));
        }
    }

    closedir(d);

    return LR_OK;
}


static int
lr_tool_compare(const void *one, const void *two)
{
    return strcmp(*(char *const *) one, *(char *const *) two);
}


void
lr_tool_list_free(lr_tool_list_t *list)
{
    size_t  i;

    for (i = 0; i < list->n; i++) {
        free(list->paths[i]);
    }

    free(list->paths);
}


void
lr_tool_say(const char *fmt, ...)
{
    va_list  args;

    /* what was said on stdout until now is to stand before it */

    fflush(stdout);
    fprintf(stderr, "live-record: ");

    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);

    fprintf(stderr, "\n");
}


/* room for one more than n, doubled at each power of two */

void *
lr_tool_grow(void *p, size_t n, size_t size)
{
    if (n & (n - 1)) {
        return p;
    }

    p = realloc(p, (n ? n * 2 : 1) * size);

    if (p == NULL) {
        lr_tool_say("no memory");
        exit(LR_TOOL_FAILED);
    }

    memset((char *) p + n * size, 0, (n ? n : 1) * size);

    return p;
}


char *
lr_tool_copy(const char *s)
{
    char  *p;

    p = strdup(s ? s : "");

    if (p == NULL) {
        lr_tool_say("no memory");
        exit(LR_TOOL_FAILED);
    }

    return p;
}


char *
lr_tool_time(char *buf, int64_t ms)
{
    int        n;
    time_t     sec;
    struct tm  tm;

    sec = (time_t) (ms / 1000);

    if (ms < 0 || gmtime_r(&sec, &tm) == NULL) {
        strcpy(buf, "?");
        return buf;
    }

    n = (int) strftime(buf, LR_TOOL_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(buf + n, LR_TOOL_TEXT - (size_t) n, ".%03dZ",
             (int) (ms % 1000));

    return buf;
}


char *
lr_tool_length(char *buf, int64_t ms)
{
    snprintf(buf, LR_TOOL_TEXT, "%s%lld:%02d:%02d.%03d", ms < 0 ? "-" : "",
             llabs(ms / 3600000), abs((int) (ms / 60000 % 60)),
             abs((int) (ms / 1000 % 60)), abs((int) (ms % 1000)));

    return buf;
}


const char *
lr_tool_safe(char *s)
{
    char  *p;

    if (s == NULL) {
        return "";
    }

    for (p = s; *p; p++) {
        if ((u_char) *p < 0x20 || (u_char) *p == 0x7f) {
            *p = '?';
        }
    }

    return s;
}
