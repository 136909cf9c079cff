
/*
 * Copyright (C) the ngx_live_record authors
 *
 * The directories that are made at the start, and what the workers may do
 * with them, and whose the spool is.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <dirent.h>
#include <grp.h>

#include "lr_owner.h"
#include "lr_recording.h"
#include "ngx_live_record_cred.h"


static ngx_int_t ngx_live_record_make_dir(ngx_cycle_t *cycle, ngx_str_t *path,
    const char *directive, ngx_uint_t mode);
static void ngx_live_record_try_key(ngx_cycle_t *cycle,
    ngx_live_record_bucket_t *b);
static ngx_int_t ngx_live_record_try(ngx_cycle_t *cycle,
    ngx_core_conf_t *ccf, const char *path, int rights, ngx_err_t *err);
static void ngx_live_record_not_own(ngx_cycle_t *cycle, ngx_str_t *spool,
    char *pid_path);
static ngx_uint_t ngx_live_record_within(ngx_str_t *path, ngx_str_t *dir);
static ngx_uint_t ngx_live_record_empty_dir(const char *path);
static ngx_uint_t ngx_live_record_foreign(const char *spool);


/* of the master's last configuration */

static u_char  ngx_live_record_last_spool[1025];

/* descriptors: of the spool in use, and of a new configuration's */

static int  ngx_live_record_owner = -1;
static int  ngx_live_record_owner_next = -1;


/*
 * As nginx makes its temporary paths: by the master, which may be root,
 * for the user of the workers.  Called in "nginx -t" as well.
 */

ngx_int_t
ngx_live_record_init_paths(ngx_cycle_t *cycle,
    ngx_live_record_main_conf_t *lmcf)
{
    ngx_uint_t                  i;
    ngx_live_record_bucket_t  **b;

    if (ngx_live_record_foreign((char *) lmcf->spool.data)) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "\"live_record_spool\" \"%V\" holds files that are not "
                      "of a spool: name a directory that is empty, or that "
                      "is still to be made", &lmcf->spool);
        return NGX_ERROR;
    }

    if (ngx_live_record_make_dir(cycle, &lmcf->spool, "live_record_spool",
                                 0700)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    b = lmcf->buckets.elts;

    for (i = 0; i < lmcf->buckets.nelts; i++) {

        if (b[i]->type != NGX_LIVE_RECORD_DIR) {
            ngx_live_record_try_key(cycle, b[i]);
            continue;
        }

        if (ngx_live_record_make_dir(cycle, &b[i]->root, "root", 0755)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (ngx_live_record_within(&b[i]->root, &lmcf->spool)
            || ngx_live_record_within(&lmcf->spool, &b[i]->root))
        {
            ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                          "\"root\" \"%V\" of \"live_record_bucket\" \"%V\" "
                          "and \"live_record_spool\" \"%V\" must not be one "
                          "in the other", &b[i]->root, &b[i]->name,
                          &lmcf->spool);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * The next generation of the same service, which is told by its pid file or
 * because it was started by the one before, shares the spool with what is
 * left of that.
 */

ngx_int_t
ngx_live_record_own(ngx_cycle_t *cycle, ngx_live_record_main_conf_t *lmcf)
{
    int               rc;
    uid_t             uid;
    char              other[LR_PATH_MAX];
    unsigned          successor;
    ngx_core_conf_t  *ccf;

    if (ngx_test_config) {
        return NGX_OK;
    }

    /* of a configuration that was not taken in the end */

    if (ngx_live_record_owner_next != -1) {
        close(ngx_live_record_owner_next);
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    uid = geteuid() == 0 && ccf->user != (ngx_uid_t) NGX_CONF_UNSET_UINT
          ? (uid_t) ccf->user : (uid_t) -1;

    /* what it was started by counts for the start, not for reloads */

    successor = ngx_is_init_cycle(cycle->old_cycle)
                ? ngx_inherited
                : ngx_strcmp(ngx_live_record_last_spool, lmcf->spool.data)
                  == 0;

    rc = lr_owner_take((char *) lmcf->spool.data, (char *) ccf->pid.data,
                       successor, uid, &ngx_live_record_owner_next, other);

    if (rc == LR_OK) {
        return NGX_OK;
    }

    if (rc == LR_DECLINED) {
        ngx_live_record_not_own(cycle, &lmcf->spool, other);
        return NGX_ERROR;
    }

    if (ngx_errno == NGX_ENOSPC) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, ngx_errno,
                      "live record: \"%V/" LR_OWNER_FILE "\" cannot be made: "
                      "that another nginx uses the spool is not noticed",
                      &lmcf->spool);
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                  "\"%V/" LR_OWNER_FILE "\" of \"live_record_spool\" cannot "
                  "be opened and locked", &lmcf->spool);

    return NGX_ERROR;
}


static void
ngx_live_record_not_own(ngx_cycle_t *cycle, ngx_str_t *spool, char *pid_path)
{
    long  pid;
    char  process[64];

    pid = lr_owner_pid(pid_path);

    if (pid) {
        (void) snprintf(process, sizeof(process), "process %ld", pid);

    } else {
        (void) snprintf(process, sizeof(process), "what is left of it");
    }

    ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                  "\"live_record_spool\" \"%V\" is in use by another nginx, "
                  "with \"pid\" \"%s\" (%s): give each nginx a spool of its "
                  "own", spool, pid_path, process);
}


/* the spool may be empty: there is none any more */

void
ngx_live_record_paths_taken(ngx_cycle_t *cycle, ngx_str_t *spool)
{
    u_char  *last;

    if (ngx_test_config) {
        return;
    }

    /* of a configuration that was not taken in the end */

    if (spool->len == 0 && ngx_live_record_owner_next != -1) {
        close(ngx_live_record_owner_next);
        ngx_live_record_owner_next = -1;
    }

    /* old workers go on with their own descriptors */

    if (ngx_live_record_owner != -1) {
        close(ngx_live_record_owner);
    }

    ngx_live_record_owner = ngx_live_record_owner_next;
    ngx_live_record_owner_next = -1;

    last = ngx_live_record_last_spool;

    /* they go on in the old spool, and nobody looks after it then */

    if (*last && spool->len == 0) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "live record: \"live_record_spool\" was \"%s\" and is "
                      "not set now: what is in it waits there until it is "
                      "configured again", last);

    } else if (*last && ngx_strcmp(last, spool->data) != 0) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "live record: \"live_record_spool\" was \"%s\" and is "
                      "\"%V\" now: what is in the old one waits there until "
                      "it is configured again", last, spool);
    }

    ngx_cpystrn(last, spool->len ? spool->data : (u_char *) "",
                sizeof(ngx_live_record_last_spool));
}


/* whether one existing directory is another one, or below it */

static ngx_uint_t
ngx_live_record_within(ngx_str_t *path, ngx_str_t *dir)
{
    char        *a, *b;
    size_t       len;
    ngx_uint_t   rc;

    a = realpath((char *) path->data, NULL);
    b = realpath((char *) dir->data, NULL);

    rc = 0;

    if (a && b) {
        /* only "/" ends with one */

        len = ngx_strlen(b);
        len -= b[len - 1] == '/';

        rc = ngx_strncmp(a, b, len) == 0 && (a[len] == '/' || a[len] == '\0');
    }

    free(a);
    free(b);

    return rc;
}


static ngx_int_t
ngx_live_record_make_dir(ngx_cycle_t *cycle, ngx_str_t *path,
    const char *directive, ngx_uint_t mode)
{
    u_char           *p, *last;
    mode_t            mask;
    ngx_int_t         rc;
    ngx_err_t         err;
    ngx_file_info_t   fi;
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    last = path->data + path->len;

    for (p = path->data + 1; p <= last; p++) {

        if (p != last && *p != '/') {
            continue;
        }

        *p = '\0';

        /* the workers have to get through, whatever root's umask is */

        mask = umask(0);

        err = ngx_create_dir(path->data, p == last ? mode : 0755)
              == NGX_FILE_ERROR ? ngx_errno : 0;

        (void) umask(mask);

        if (err && err != NGX_EEXIST) {
            ngx_log_error(NGX_LOG_EMERG, cycle->log, err,
                          ngx_create_dir_n " \"%s\" of \"%s\" failed",
                          path->data, directive);
            return NGX_ERROR;
        }

        if (p != last) {
            *p = '/';
        }
    }

    if (ngx_file_info(path->data, &fi) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      ngx_file_info_n " \"%V\" of \"%s\" failed", path,
                      directive);
        return NGX_ERROR;
    }

    if (!ngx_is_dir(&fi)) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "\"%V\" of \"%s\" is not a directory", path,
                      directive);
        return NGX_ERROR;
    }

    if (geteuid() != 0) {
        if (access((char *) path->data, R_OK|W_OK|X_OK) == 0) {
            return NGX_OK;
        }

        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "\"%V\" of \"%s\" cannot be written to by nginx",
                      path, directive);
        return NGX_ERROR;
    }

    if (ccf->user == (ngx_uid_t) NGX_CONF_UNSET_UINT || ccf->user == 0) {
        return NGX_OK;
    }

    rc = ngx_live_record_try(cycle, ccf, (char *) path->data,
                             R_OK|W_OK|X_OK, &err);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    /* no rights would help */

    if (err == EROFS) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, err,
                      "\"%V\" of \"%s\" cannot be written to", path,
                      directive);
        return NGX_ERROR;
    }

    /*
     * An empty directory, which may be our own new one, is given to the
     * user of the workers; one that holds somebody's files is not.
     */

    if (fi.st_uid != ccf->user
        && ngx_live_record_empty_dir((char *) path->data))
    {
        if (chown((char *) path->data, ccf->user, (gid_t) -1) == -1) {
            ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                          "chown(\"%V\", %d) of \"%s\" failed", path,
                          ccf->user, directive);
            return NGX_ERROR;
        }

        fi.st_uid = ccf->user;

        rc = ngx_live_record_try(cycle, ccf, (char *) path->data,
                                 R_OK|W_OK|X_OK, &err);

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    if (fi.st_uid == ccf->user && (fi.st_mode & 0700) == 0700) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "\"%V\" of \"%s\" cannot be reached by the user of "
                      "the workers, \"%s\": a directory above it is shut "
                      "to that user", path, directive, ccf->username);
        return NGX_ERROR;
    }

    ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                  "\"%V\" of \"%s\" cannot be written to by the user of "
                  "the workers, \"%s\": give it to that user with chown",
                  path, directive, ccf->username);

    return NGX_ERROR;
}


/* root has read it, but it is not root who has to read it again */

static void
ngx_live_record_try_key(ngx_cycle_t *cycle, ngx_live_record_bucket_t *b)
{
    ngx_err_t         err;
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    if (b->cred->type != NGX_LIVE_RECORD_CRED_FILE || geteuid() != 0
        || ccf->user == (ngx_uid_t) NGX_CONF_UNSET_UINT || ccf->user == 0)
    {
        return;
    }

    if (ngx_live_record_try(cycle, ccf, (char *) b->cred->path.data, R_OK,
                            &err)
        == NGX_DECLINED)
    {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "\"%V\" of \"credentials file\" cannot be read by the "
                      "user of the workers, \"%s\": recordings for "
                      "\"live_record_bucket\" \"%V\" will wait in the spool",
                      &b->cred->path, ccf->username, &b->name);
    }
}


/*
 * Whether the user of the workers has these rights on a file or directory:
 * only the kernel knows, with the directories above, the user's other groups
 * and ACLs, so it is asked as that user.  NGX_DECLINED: there are not all,
 * for what *err says.
 */

static ngx_int_t
ngx_live_record_try(ngx_cycle_t *cycle, ngx_core_conf_t *ccf,
    const char *path, int rights, ngx_err_t *err)
{
    int        n;
    gid_t      gid, *groups;
    ngx_int_t  rc;

    n = getgroups(0, NULL);

    if (n == -1) {
        n = 0;
    }

    groups = ngx_alloc((n + 1) * sizeof(gid_t), cycle->log);
    if (groups == NULL) {
        return NGX_ERROR;
    }

    n = getgroups(n, groups);
    gid = getegid();

    if (n == -1
        || initgroups(ccf->username, ccf->group) == -1
        || setegid(ccf->group) == -1
        || seteuid(ccf->user) == -1)
    {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "the rights of the user \"%s\" could not be taken",
                      ccf->username);
        rc = NGX_ERROR;

    } else {
        rc = faccessat(AT_FDCWD, path, rights, AT_EACCESS) == 0
             ? NGX_OK : NGX_DECLINED;
        *err = ngx_errno;
    }

    if (seteuid(0) == -1 || setegid(gid) == -1
        || (n != -1 && setgroups(n, groups) == -1))
    {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "the rights of root could not be taken again");
        rc = NGX_ERROR;
    }

    ngx_free(groups);

    return rc;
}


static ngx_uint_t
ngx_live_record_empty_dir(const char *path)
{
    DIR         *d;
    ngx_uint_t   n;

    d = opendir(path);

    if (d == NULL) {
        return 0;
    }

    for (n = 0; n < 3 && readdir(d); n++) { /* void */ }

    closedir(d);

    return n < 3;
}


/*
 * Whether a directory is somebody's own: all that is not the module's would
 * be set aside.  A spool that was in use has one of the names below; hidden
 * files and lost+found are left alone, and mean nothing.
 */

static ngx_uint_t
ngx_live_record_foreign(const char *spool)
{
    DIR            *d;
    ngx_uint_t      rc;
    struct dirent  *de;

    d = opendir(spool);
    rc = 0;

    while (d && (de = readdir(d)) != NULL) {

        if (ngx_strcmp(de->d_name, LR_OWNER_FILE) == 0
            || ngx_strcmp(de->d_name, LR_TMP_DIR) == 0
            || ngx_strcmp(de->d_name, LR_QUARANTINE_DIR) == 0)
        {
            rc = 0;
            break;
        }

        if (de->d_name[0] != '.'
            && ngx_strcmp(de->d_name, "lost+found") != 0)
        {
            rc = 1;
        }
    }

    if (d) {
        closedir(d);
    }

    return rc;
}
