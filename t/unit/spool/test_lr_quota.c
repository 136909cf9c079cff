
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <pthread.h>
#include <cmocka.h>
#include <signal.h>


/* what a look asks in its middle: somebody is at work just then */

static void  (*meanwhile)(void);


static int
test_lr_kill(pid_t pid, int sig)
{
    if (meanwhile) {
        meanwhile();
    }

    return kill(pid, sig);
}


#define kill  test_lr_kill
#include "../../../spool/lr_quota.c"
#undef kill
#include "spool_check.h"


#define MB  (1024 * 1024)


static lr_quota_zone_t  zone;


static void
start(lr_quota_t *q, int64_t max_size, int64_t min_free)
{
    memset(&zone, 0, sizeof(zone));
    lr_quota_limits(&zone, max_size, min_free);
    assert_int_equal(lr_quota_join(q, &zone, getpid()), LR_OK);
}


static void
look(uint64_t used, uint64_t avail, uint64_t now)
{
    lr_quota_disk_t  disk;
    lr_quota_look_t  l;

    disk.used = used;
    disk.avail = avail;
    disk.total = (uint64_t) 1024 * MB;

    lr_quota_look(&l, &zone, now);
    lr_quota_seen(&l, &disk, now);
}


/* takes n bytes at a time until there are no more; gives how many */

static int64_t
fill(lr_quota_t *q, size_t n)
{
    int64_t  sum;

    for (sum = 0; lr_quota_ask(q, n) == LR_OK; sum += (int64_t) n) {
        lr_quota_take(q, n);
    }

    return sum;
}


static void
sizes(void **state)
{
    lr_quota_t        q;
    lr_quota_state_t  s;

    (void) state;

    start(&q, 64 * MB, 0);

    /* before the first look all is taken, and counted by it */

    assert_false(lr_quota_known(&zone));
    assert_int_equal(lr_quota_ask(&q, 5 * MB), LR_OK);
    lr_quota_take(&q, 5 * MB);

    look(10 * MB, 1000 * MB, 1);
    assert_true(lr_quota_known(&zone));
    assert_true(fill(&q, MB) == 49 * MB);

    lr_quota_state(&zone, &s);
    assert_false(s.by_disk);
    assert_true(s.limit == 64 * MB && s.is == 64 * MB);

    /* what is on the disk counts there; what was removed counts by a look */

    lr_quota_done(&q, 54 * MB);
    assert_int_equal(lr_quota_ask(&q, 1), LR_DECLINED);
    look(61 * MB, 1000 * MB, 2);
    assert_int_equal(lr_quota_ask(&q, 1), LR_DECLINED);
    look(60 * MB, 1000 * MB, 3);
    assert_true(fill(&q, 1024) == 4 * MB);
    lr_quota_done(&q, 4 * MB);

    /* nor has what waits for the disk left any room, look or not */

    look(40 * MB, 1000 * MB, 3);
    assert_int_equal(lr_quota_ask(&q, 17 * MB), LR_OK);
    assert_int_equal(lr_quota_ask(&q, 25 * MB), LR_DECLINED);
    look(40 * MB, 1000 * MB, 3);
    assert_true(fill(&q, MB) == 24 * MB);
    look(40 * MB, 1000 * MB, 3);
    assert_int_equal(lr_quota_ask(&q, 1), LR_DECLINED);
    lr_quota_done(&q, 24 * MB);

    /* a limit that has changed */

    lr_quota_limits(&zone, 128 * MB, 0);
    assert_true(lr_quota_due(&zone, 4));
    look(60 * MB, 1000 * MB, 4);
    assert_true(fill(&q, MB) == 68 * MB);

    lr_quota_limits(&zone, 0, 0);
    look(0, 1000 * MB, 5);
    assert_true(fill(&q, MB) > 900 * MB);
}


static void
disks(void **state)
{
    lr_quota_t        q;
    lr_quota_state_t  s;

    (void) state;

    start(&q, 0, 100 * MB);
    look(0, 110 * MB, 1);

    assert_true(fill(&q, MB) == 10 * MB);

    lr_quota_state(&zone, &s);
    assert_true(s.by_disk);
    assert_true(s.limit == 100 * MB && s.is == 100 * MB);

    /* a sixteenth has to be free above it before it goes on */

    lr_quota_done(&q, 10 * MB);
    look(0, 163 * MB, 2);
    assert_int_equal(lr_quota_ask(&q, 1), LR_DECLINED);
    look(0, 164 * MB, 3);
    assert_true(fill(&q, MB) == 64 * MB);

    /* the nearer one counts */

    start(&q, 64 * MB, LR_QUOTA_AUTO);
    look(0, 70 * MB, 1);
    assert_true(fill(&q, MB) == 6 * MB);
    lr_quota_state(&zone, &s);
    assert_true(s.by_disk && s.limit == 64 * MB);

    start(&q, 64 * MB, LR_QUOTA_AUTO);
    look(60 * MB, 70 * MB, 1);
    assert_true(fill(&q, MB) == 4 * MB);
    lr_quota_state(&zone, &s);
    assert_false(s.by_disk);

    /* less than nothing */

    start(&q, 64 * MB, 0);
    look(100 * MB, 70 * MB, 1);
    assert_int_equal(lr_quota_ask(&q, 1), LR_DECLINED);
    lr_quota_state(&zone, &s);
    assert_true(s.is == 100 * MB);
}


/* what keeps it full is what has stopped it, and can be had */

static void
goes_on(void **state)
{
    lr_quota_t        q;
    lr_quota_state_t  s;

    (void) state;

    /* others leave little on the disk, and have done so all the time */

    start(&q, 64 * MB, 0);
    look(60 * MB, 40 * MB, 1);
    assert_true(fill(&q, MB) == 4 * MB);
    lr_quota_done(&q, 4 * MB);
    look(61 * MB, 39 * MB, 2);
    assert_int_equal(lr_quota_ask(&q, 1), LR_DECLINED);
    look(60 * MB, 40 * MB, 3);
    assert_true(fill(&q, MB) == 4 * MB);
    lr_quota_done(&q, 4 * MB);

    /* then they leave nothing: from there on it is the disk that counts */

    look(10 * MB, 0, 4);
    assert_int_equal(lr_quota_ask(&q, 1), LR_DECLINED);
    lr_quota_state(&zone, &s);
    assert_true(s.by_disk);
    look(10 * MB, 63 * MB, 5);
    assert_int_equal(lr_quota_ask(&q, 1), LR_DECLINED);
    look(10 * MB, 64 * MB, 6);
    assert_int_equal(lr_quota_ask(&q, 1), LR_OK);
    lr_quota_rest(&q);

    /* a min_free that leaves less than a sixteenth, and one that is all */

    start(&q, 0, 984 * MB);
    look(0, 985 * MB, 1);
    assert_true(fill(&q, MB) == MB);
    lr_quota_done(&q, MB);
    look(0, 993 * MB, 2);
    assert_int_equal(lr_quota_ask(&q, 1), LR_DECLINED);
    look(0, 994 * MB, 3);
    assert_true(fill(&q, MB) == 10 * MB);

    start(&q, 0, (int64_t) 2048 * MB);
    look(0, 1024 * MB, 1);
    assert_int_equal(lr_quota_ask(&q, 1), LR_DECLINED);
    look(0, 1024 * MB, 2);
    assert_int_equal(lr_quota_ask(&q, 1), LR_DECLINED);
}


/* the last bytes can be had, though no whole chunk is left */

static void
chunks(void **state)
{
    lr_quota_t  a, b;

    (void) state;

    start(&a, 64 * MB, 0);
    assert_int_equal(lr_quota_join(&b, &zone, getppid()), LR_OK);
    look(63 * MB, 1000 * MB, 1);

    assert_int_equal(lr_quota_ask(&a, 1000), LR_OK);
    assert_true(a.left == 1000);
    assert_int_equal(lr_quota_ask(&b, MB - 1000), LR_OK);
    assert_int_equal(lr_quota_ask(&b, MB - 999), LR_DECLINED);

    /* what is full is so for all, and what is given back is in a look */

    assert_int_equal(lr_quota_ask(&a, 1), LR_DECLINED);
    assert_true(a.left == 0 && zone.granted == MB - 1000);
    lr_quota_rest(&b);
    assert_true(zone.granted == 0);
    look(0, 1000 * MB, 2);
    assert_true(fill(&b, MB) == 64 * MB);
    lr_quota_rest(&b);
    look(0, 1000 * MB, 3);

    /* what cannot be helped is counted, without a question */

    lr_quota_take(&a, 70 * MB);
    assert_true(a.left == 0);
    assert_int_equal(lr_quota_ask(&a, 1), LR_DECLINED);
}


/* what workers have in hand when it gets full does not keep it so */

static void
rests(void **state)
{
    unsigned    i;
    lr_quota_t  q[64];

    (void) state;

    start(&q[0], 64 * MB, 0);

    for (i = 1; i < 64; i++) {
        assert_int_equal(lr_quota_join(&q[i], &zone, getpid()), LR_OK);
    }

    look(0, 1000 * MB, 1);

    for (i = 0; i < 63; i++) {
        assert_int_equal(lr_quota_ask(&q[i], 1), LR_OK);
    }

    assert_int_equal(lr_quota_ask(&q[63], 2 * MB), LR_DECLINED);

    for (i = 0; i < 64; i++) {
        assert_int_equal(lr_quota_ask(&q[i], 1), LR_DECLINED);
    }

    look(0, 1000 * MB, 2);
    assert_int_equal(lr_quota_ask(&q[63], 2 * MB), LR_OK);
}


/* what a dead member held is had by others; its place, too */

static void
deaths(void **state)
{
    pid_t       pid;
    unsigned    i;
    lr_quota_t  q, dead;

    (void) state;

    pid = fork();

    if (pid == 0) {
        _exit(0);
    }

    start(&q, 64 * MB, 0);
    assert_int_equal(lr_quota_join(&dead, &zone, pid), LR_OK);
    look(0, 1000 * MB, 1);
    assert_true(fill(&dead, MB) == 64 * MB);

    /* a zombie counts as alive */

    look(0, 1000 * MB, 2);
    assert_int_equal(lr_quota_ask(&q, 1), LR_DECLINED);

    assert_true(waitpid(pid, NULL, 0) == pid);
    look(0, 1000 * MB, 3);
    assert_true(fill(&q, MB) == 64 * MB);

    assert_int_equal(lr_quota_join(&dead, &zone, getppid()), LR_OK);
    assert_ptr_equal(dead.member, &zone.members[1]);
    assert_true(dead.member->held == 0);

    lr_quota_leave(&q);
    lr_quota_leave(&q);
    look(0, 1000 * MB, 4);
    assert_true(fill(&dead, MB) == 64 * MB);

    for (i = 0; i < LR_QUOTA_MEMBERS; i++) {
        zone.members[i].pid = getppid();
    }

    assert_int_equal(lr_quota_join(&q, &zone, getpid()), LR_ERROR);
}


static void
turns(void **state)
{
    lr_quota_t       q;
    lr_quota_disk_t  disk;
    lr_quota_look_t  l;

    (void) state;

    start(&q, 0, 0);

    assert_true(lr_quota_due(&zone, 10000));
    assert_false(lr_quota_due(&zone, 10000));

    /* one that takes long comes seldom */

    memset(&disk, 0, sizeof(disk));
    lr_quota_look(&l, &zone, 10000);
    lr_quota_seen(&l, &disk, 10500);
    assert_false(lr_quota_due(&zone, 13499));
    assert_true(lr_quota_due(&zone, 13500));

    /* one that failed says nothing of the disk, nor one that is never told */

    zone.known = 0;
    lr_quota_look(&l, &zone, 13500);
    lr_quota_seen(&l, NULL, 13500);
    assert_false(lr_quota_known(&zone));
    assert_true(lr_quota_due(&zone, 14500));
    assert_false(lr_quota_due(&zone, 14500 + LR_QUOTA_LOST - 1));
    assert_true(lr_quota_due(&zone, 14500 + LR_QUOTA_LOST));
}


/* room that is given back in the middle of a look is there once */

static lr_quota_t  other;


static void
gives_back(void)
{
    lr_quota_rest(&other);
}


static void
meanwhile_back(void **state)
{
    lr_quota_t  q;

    (void) state;

    start(&other, 64 * MB, 0);
    look(0, 1000 * MB, 1);
    assert_int_equal(lr_quota_ask(&other, 9 * MB), LR_OK);

    meanwhile = gives_back;
    look(0, 1000 * MB, 2);
    meanwhile = NULL;

    q = other;
    assert_true(fill(&q, MB) <= 64 * MB);
    look((uint64_t) 0, 1000 * MB, 3);
    assert_true(zone.granted <= 64 * MB);
}


/* four threads, each of which is a member, and a look again and again */

static int64_t  disk_used, all_taken, ended;


static void *
writes(void *data)
{
    size_t      n;
    unsigned    seed;
    lr_quota_t  q;

    seed = (unsigned) (uintptr_t) data;

    q.zone = &zone;
    q.left = 0;
    q.member = &zone.members[seed];
    q.member->pid = getpid();

    while (!lr_load(&ended)) {
        n = (size_t) rand_r(&seed) % 30000;

        if (lr_quota_ask(&q, n) == LR_OK) {
            lr_quota_take(&q, n);
            lr_add(&disk_used, (int64_t) n);
            lr_add(&all_taken, (int64_t) n);
            lr_quota_done(&q, n);
        }

        /* that it is asked for again and again */

        lr_quota_rest(&q);
    }

    return NULL;
}


static void
races(void **state)
{
    int64_t          used, most;
    unsigned         i;
    pthread_t        threads[4];
    lr_quota_disk_t  disk;
    lr_quota_look_t  l;

    (void) state;

    memset(&zone, 0, sizeof(zone));
    lr_quota_limits(&zone, 64 * MB, 0);
    look(0, 1000 * MB, 0);
    disk_used = 0;
    all_taken = 0;
    ended = 0;
    most = 0;

    for (i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, writes,
                                        (void *) (uintptr_t) (i + 1)), 0);
    }

    for (i = 0; lr_load(&all_taken) < (int64_t) 1024 * MB; i++) {
        disk.avail = (uint64_t) 1000 * MB;
        disk.total = (uint64_t) 1024 * MB;

        lr_quota_look(&l, &zone, i);
        disk.used = (uint64_t) lr_load(&disk_used);
        lr_quota_seen(&l, &disk, i);

        used = lr_load(&disk_used);
        assert_true(used <= 64 * MB);

        if (used > most) {
            most = used;
        }

        /* the shipper */

        if (used > 32 * MB) {
            lr_add(&disk_used, -32 * MB);
        }
    }

    lr_store(&ended, 1);

    for (i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }

    assert_true(most > 32 * MB);
    assert_true(zone.granted == all_taken);

    for (i = 1; i < 5; i++) {
        assert_true(zone.members[i].held == 0);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(sizes),
        cmocka_unit_test(disks),
        cmocka_unit_test(goes_on),
        cmocka_unit_test(chunks),
        cmocka_unit_test(rests),
        cmocka_unit_test(deaths),
        cmocka_unit_test(turns),
        cmocka_unit_test(meanwhile_back),
        cmocka_unit_test(races)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
