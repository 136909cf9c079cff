
/*
 * Copyright (C) the ngx_live_record authors
 *
 * A resolver that is slow, or fails, for nginx to be started with:
 *
 *     LD_PRELOAD=resolver.so RESOLVER=/path/of/control nginx ...
 *
 * The control file holds "DELAY NAME ADDRESS": a question after NAME takes
 * DELAY ms, and is answered with ADDRESS, or, if that is "-", as unknown.
 * It is read anew for each question; other names are not touched.
 */


#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>


static void resolver_init(void) __attribute__((constructor));


static char  resolver_control[4096];

static int (*resolver_getaddrinfo)(const char *, const char *,
    const struct addrinfo *, struct addrinfo **);


/* nginx takes the environment away from its workers, but not the memory */

static void
resolver_init(void)
{
    char  *s;

    s = getenv("RESOLVER");

    if (s) {
        snprintf(resolver_control, sizeof(resolver_control), "%s", s);
    }

    resolver_getaddrinfo = (int (*)(const char *, const char *,
                                    const struct addrinfo *,
                                    struct addrinfo **))
                           dlsym(RTLD_NEXT, "getaddrinfo");
}


int
getaddrinfo(const char *name, const char *service,
    const struct addrinfo *hints, struct addrinfo **result)
{
    int              n;
    char             known[256], address[64];
    FILE            *f;
    unsigned         delay;
    struct timespec  ts;

    f = name ? fopen(resolver_control, "r") : NULL;

    if (f) {
        n = fscanf(f, "%u %255s %63s", &delay, known, address);
        fclose(f);

        if (n == 3 && strcmp(name, known) == 0) {

            ts.tv_sec = delay / 1000;
            ts.tv_nsec = (long) (delay % 1000) * 1000000;
            nanosleep(&ts, NULL);

            if (strcmp(address, "-") == 0) {
                return EAI_NONAME;
            }

            return resolver_getaddrinfo(address, service, hints, result);
        }
    }

    return resolver_getaddrinfo(name, service, hints, result);
}
