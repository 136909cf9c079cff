
/*
 * Copyright (C) the ngx_live_record authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "../../../spool/lr_confirmed.c"
#include "ship_model.h"


/* what is known of a recording by its spool, and then by its bucket */

static size_t
known(model_t *m, lr_confirmed_t *list)
{
    char            seen[OBJECTS];
    size_t          i, j, n;
    lr_manifest_t  *part;

    memset(seen, 0, sizeof(seen));

    for (i = 0; i < list->n; i++) {
        assert_string_equal(list->parts[i].bucket, "local");
        part = list->parts[i].part;

        for (j = 0; j < part->nfragments; j++) {
            seen[part->fragments[j].seq] = 1;
        }
    }

    for (i = 0; i < m->nobjects; i++) {
        if (lr_manifest_read(m->objects[i].data, m->objects[i].len, &part,
                             err, sizeof(err))
            != LR_OK)
        {
            continue;
        }

        for (j = 0; j < part->nfragments; j++) {
            seen[part->fragments[j].seq] = 1;
        }

        lr_manifest_free(part);
    }

    n = 0;

    for (i = 0; i < OBJECTS; i++) {
        n += (size_t) seen[i];
    }

    return n;
}


/*
 * At each moment everything that was confirmed is known, whatever happens
 * between the look at the spool and the one at the bucket.
 */

static void
nothing_is_missed(void **state)
{
    char             script[400];
    size_t           n, confirmed;
    model_t          m;
    unsigned         i, more;
    lr_confirmed_t   list;

    n = 0;
    script[n++] = 'P';

    for (i = 0; i < 215; i++) {
        if (i && i % 37 == 0) {
            script[n++] = 'C';
        }

        script[n++] = 'F';
    }

    script[n++] = 'U';
    script[n++] = 'E';
    script[n] = '\0';

    model_init(&m, *state, script);
    m.check = 0;
    confirmed = 0;

    for (i = 0; script[i]; i++) {
        record(&m, script[i]);

        if (script[i] == 'C') {
            continue;
        }

        do {
            assert_int_equal(lr_confirmed_read(&list, m.spool, "live",
                                               "cam_1"), LR_OK);

            more = ship_step(&m);

            assert_int_equal(known(&m, &list), confirmed);
            lr_confirmed_free(&list);

            if (m.open && m.ship.part) {
                confirmed = (m.ship.parts - 1) * LR_MANIFEST_FRAGMENTS
                            + m.ship.part->nfragments;
            }
        } while (more);
    }

    assert_int_equal(m.done, 1);
    assert_int_equal(confirmed, 215);

    assert_int_equal(lr_confirmed_read(&list, m.spool, "live", "cam_1"),
                     LR_OK);
    assert_int_equal(list.n, 0);
    assert_int_equal(known(&m, &list), 215);
    lr_confirmed_free(&list);

    model_free(&m);
}


/* a journal that ends in the middle of a line, or tells of what is not
   there yet, is read as far as it goes */

static void
half_written(void **state)
{
    char            name[CHECK_PATH];
    model_t         m;
    lr_buf_t        log, ship;
    const char     *p;
    lr_confirmed_t  list;

    memset(&log, 0, sizeof(lr_buf_t));
    memset(&ship, 0, sizeof(lr_buf_t));

    model_init(&m, *state, "");
    m.check = 0;

    for (p = "PFFF"; *p; p++) {
        record(&m, *p);
        while (ship_step(&m)) { /* void */ }
    }

    assert_int_equal(check_read(m.dir, "record.log", &log), LR_OK);
    assert_int_equal(check_read(m.dir, "ship.log", &ship), LR_OK);

    assert_int_equal(lr_confirmed_read(&list, m.spool, "live", "cam_1"),
                     LR_OK);
    assert_int_equal(list.n, 1);
    assert_int_equal(list.parts[0].part->nfragments, 3);
    lr_confirmed_free(&list);

    check_write(m.dir, "ship.log", ship.data, ship.len - 2);
    assert_int_equal(lr_confirmed_read(&list, m.spool, "live", "cam_1"),
                     LR_OK);
    assert_int_equal(list.parts[0].part->nfragments, 2);
    lr_confirmed_free(&list);

    /* record.log was read before, and says no more */

    check_write(m.dir, "ship.log", ship.data, ship.len);
    check_write(m.dir, "record.log", log.data, log.len - 2);
    assert_int_equal(lr_confirmed_read(&list, m.spool, "live", "cam_1"),
                     LR_OK);
    assert_int_equal(list.n, 0);
    lr_confirmed_free(&list);

    /* damaged, half removed, gone */

    check_write(m.dir, "record.log", log.data, log.len);
    check_write(m.dir, "ship.log", "x\n", 2);
    assert_int_equal(lr_confirmed_read(&list, m.spool, "live", "cam_1"),
                     LR_OK);
    assert_int_equal(list.n, 0);
    lr_confirmed_free(&list);

    (void) unlink(check_path(name, m.dir, "ship.log"));
    assert_int_equal(lr_confirmed_read(&list, m.spool, "live", "cam_1"),
                     LR_OK);
    assert_int_equal(list.n, 0);
    lr_confirmed_free(&list);

    (void) unlink(check_path(name, m.dir, "template.json"));
    assert_int_equal(lr_confirmed_read(&list, m.spool, "live", "cam_1"),
                     LR_OK);
    assert_int_equal(list.n, 0);
    lr_confirmed_free(&list);

    assert_int_equal(lr_confirmed_read(&list, m.spool, "live", "none"),
                     LR_OK);
    assert_int_equal(list.n, 0);
    lr_confirmed_free(&list);

    ship_kill(&m);
    record_stop(&m);
    model_free(&m);
    lr_buf_free(&log);
    lr_buf_free(&ship);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_missed, check_setup,
                                        check_teardown),
        cmocka_unit_test_setup_teardown(half_written, check_setup,
                                        check_teardown)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
