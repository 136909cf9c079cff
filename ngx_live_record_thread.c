
/*
 * Copyright (C) the ngx_live_record authors
 *
 * ngx_thread_task_post() may have its caller wait: for the pool's mutex, and
 * in pthread_cond_signal(), which in glibc before 2.41 waits now and then
 * until all threads that were woken up before have had a processor.  On a
 * busy machine that is tens of milliseconds.  So the event loop only puts
 * tasks into a list, and a thread of its own posts them.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <semaphore.h>

#include "ngx_live_record_thread.h"


/* between tries to post to a pool whose queue is full, us */
#define NGX_LIVE_RECORD_THREAD_RETRY  100000


static void *ngx_live_record_thread_cycle(void *data);
static void ngx_live_record_thread_hand_over(void);
static void ngx_live_record_threads_exit(ngx_cycle_t *cycle);


extern ngx_module_t  ngx_thread_pool_module;


static sem_t               ngx_live_record_thread_sem;
static pthread_t           ngx_live_record_thread;
static ngx_uint_t          ngx_live_record_thread_runs;

/* what was posted, the last one first; both are shared with the thread */

static ngx_thread_task_t  *ngx_live_record_thread_tasks;
static ngx_uint_t          ngx_live_record_thread_stop;

static void              (*ngx_live_record_thread_pool_exit)(
                                                         ngx_cycle_t *cycle);


ngx_int_t
ngx_live_record_threads_init(ngx_cycle_t *cycle)
{
    int  err;

    if (ngx_live_record_thread_runs) {
        return NGX_OK;
    }

    if (sem_init(&ngx_live_record_thread_sem, 0, 0) == -1) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "live record: sem_init() failed");
        return NGX_ERROR;
    }

    ngx_live_record_thread_stop = 0;

    err = pthread_create(&ngx_live_record_thread, NULL,
                         ngx_live_record_thread_cycle, NULL);
    if (err) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, err,
                      "live record: pthread_create() failed");
        (void) sem_destroy(&ngx_live_record_thread_sem);
        return NGX_ERROR;
    }

    ngx_live_record_thread_runs = 1;

    /*
     * The pools are destroyed before this module hears of the exit, and they
     * are to have all tasks by then.
     */

    ngx_live_record_thread_pool_exit = ngx_thread_pool_module.exit_process;
    ngx_thread_pool_module.exit_process = ngx_live_record_threads_exit;

    return NGX_OK;
}


ngx_int_t
ngx_live_record_thread_post(ngx_thread_task_t *task,
    ngx_live_record_thread_pt handler, ngx_event_handler_pt done, void *data)
{
    ngx_thread_task_t  *last;

    task->ctx = data;
    task->handler = handler;
    task->event.handler = done;
    task->event.data = data;

    if (!ngx_live_record_thread_runs) {
        return ngx_thread_task_post(ngx_live_record_conf->thread_pool, task);
    }

    last = __atomic_load_n(&ngx_live_record_thread_tasks, __ATOMIC_RELAXED);

    do {
        task->next = last;

    } while (!__atomic_compare_exchange_n(&ngx_live_record_thread_tasks,
                                          &last, task, 0, __ATOMIC_RELEASE,
                                          __ATOMIC_RELAXED));

    /* where there was something, the thread is on its way */

    if (last == NULL) {
        (void) sem_post(&ngx_live_record_thread_sem);
    }

    return NGX_OK;
}


static void *
ngx_live_record_thread_cycle(void *data)
{
    sigset_t  set;

    /* signals are the event loop's, as in the threads of a pool */

    sigfillset(&set);

    sigdelset(&set, SIGILL);
    sigdelset(&set, SIGFPE);
    sigdelset(&set, SIGSEGV);
    sigdelset(&set, SIGBUS);

    (void) pthread_sigmask(SIG_BLOCK, &set, NULL);

    do {
        while (sem_wait(&ngx_live_record_thread_sem) == -1
               && ngx_errno == NGX_EINTR)
        {
            /* void */
        }

        ngx_live_record_thread_hand_over();

    } while (!__atomic_load_n(&ngx_live_record_thread_stop,
                              __ATOMIC_ACQUIRE));

    /* nothing is posted any more */

    ngx_live_record_thread_hand_over();

    return NULL;
}


static void
ngx_live_record_thread_hand_over(void)
{
    ngx_thread_task_t  *task, *next, *first;

    task = __atomic_exchange_n(&ngx_live_record_thread_tasks, NULL,
                               __ATOMIC_ACQUIRE);

    for (first = NULL; task; task = next) {
        next = task->next;
        task->next = first;
        first = task;
    }

    for (task = first; task; task = next) {
        next = task->next;

        while (ngx_thread_task_post(ngx_live_record_conf->thread_pool, task)
               != NGX_OK)
        {
            usleep(NGX_LIVE_RECORD_THREAD_RETRY);
        }
    }
}


static void
ngx_live_record_threads_exit(ngx_cycle_t *cycle)
{
    __atomic_store_n(&ngx_live_record_thread_stop, 1, __ATOMIC_RELEASE);

    (void) sem_post(&ngx_live_record_thread_sem);
    (void) pthread_join(ngx_live_record_thread, NULL);
    (void) sem_destroy(&ngx_live_record_thread_sem);

    ngx_live_record_thread_runs = 0;

    ngx_thread_pool_module.exit_process = ngx_live_record_thread_pool_exit;

    /* what can be lost comes first */

    ngx_live_record_recorder_save();

    ngx_live_record_thread_pool_exit(cycle);
}
