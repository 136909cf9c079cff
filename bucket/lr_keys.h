
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The access keys that may call the API: a file with a line "ID SECRET" for
 * each.  Nothing here ever puts a value into an error text.
 */


#ifndef _LR_KEYS_H_INCLUDED_
#define _LR_KEYS_H_INCLUDED_


#include <sys/stat.h>
#include "lr_core.h"
#include "lr_cred.h"


#define LR_KEYS_MAX_FILE  65536
#define LR_KEYS_ERR_LEN   256


/* a zeroed one is empty and valid */

typedef struct {
    size_t       n;
    lr_cred_t   *keys;

    struct stat  st;         /* of the file that they were read from */
    time_t       read;       /* when; 0: they were not */
} lr_keys_t;


/*
 * Reads lines of an id and a secret with blanks between them; what begins
 * with "#" is a comment.  LR_ERROR with a text in err (LR_KEYS_ERR_LEN
 * bytes) if a line is anything else, an id is there twice, or there is no
 * memory: keys are empty then.
 */
int lr_keys_parse(lr_keys_t *keys, const char *p, size_t n, char *err);

/*
 * Reads a file into keys.  LR_DECLINED if it is the one that "was" has been
 * read from and has not changed since: then it does not have to be one that
 * may be read.  was may be NULL.  LR_ERROR as above.  May block.
 */
int lr_keys_read(lr_keys_t *keys, const lr_keys_t *was, const char *path,
    char *err);

/* whether anybody may read that file */
int lr_keys_public(const lr_keys_t *keys);

/* the key of an id, or NULL */
const lr_cred_t *lr_keys_find(const lr_keys_t *keys, const char *id);

/* the secrets are overwritten; keys are empty again */
void lr_keys_free(lr_keys_t *keys);


#endif /* _LR_KEYS_H_INCLUDED_ */
