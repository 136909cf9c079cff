
/*
 * Copyright (C) the ngx_live_record authors
 *
 * A machine without memory, for nginx to be started with:
 *
 *     LD_PRELOAD=nomemory.so NOMEMORY=/path/of/control nginx ...
 *
 * The control file, which has to be there at the start, holds the number of
 * bytes that may be allocated at a time: 32 bits, in the order of the machine.
 */


#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>


extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void *__libc_memalign(size_t align, size_t size);


static void nomemory_init(void) __attribute__((constructor));
static int nomemory(size_t size);


static volatile uint32_t  *nomemory_control;


/* nginx takes the environment away from its workers, but not the memory */

static void
nomemory_init(void)
{
    int    fd;
    char  *s;
    void  *p;

    s = getenv("NOMEMORY");

    if (s == NULL) {
        return;
    }

    fd = open(s, O_RDONLY|O_CLOEXEC);

    if (fd == -1) {
        return;
    }

    p = mmap(NULL, sizeof(uint32_t), PROT_READ, MAP_SHARED, fd, 0);
    close(fd);

    if (p != MAP_FAILED) {
        nomemory_control = p;
    }
}


static int
nomemory(size_t size)
{
    if (nomemory_control == NULL || size <= *nomemory_control) {
        return 0;
    }

    errno = ENOMEM;

    return 1;
}


void *
malloc(size_t size)
{
    return nomemory(size) ? NULL : __libc_malloc(size);
}


void *
calloc(size_t n, size_t size)
{
    return nomemory(n * size) ? NULL : __libc_calloc(n, size);
}


void *
realloc(void *p, size_t size)
{
    return nomemory(size) ? NULL : __libc_realloc(p, size);
}


int
posix_memalign(void **p, size_t align, size_t size)
{
    *p = nomemory(size) ? NULL : __libc_memalign(align, size);

    return *p ? 0 : ENOMEM;
}
