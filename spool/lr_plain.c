
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lr_plain.h"


int
lr_plain_open(const char *path, int flags)
{
    int          fd;
    struct stat  st;

    fd = open(path, flags|O_CLOEXEC|O_NONBLOCK, 0600);

    if (fd == -1) {
        if (errno == EISDIR || errno == ENXIO || errno == ELOOP) {
            errno = ENODATA;
        }

        return -1;
    }

    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        return fd;
    }

    close(fd);
    errno = ENODATA;

    return -1;
}
