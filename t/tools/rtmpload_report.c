
/*
 * Copyright (C) the ngx_live_record authors
 *
 * What is told at the end.
 */


#include <stdio.h>
#include <sys/resource.h>
#include "rtmpload.h"


void
load_report(load_t *load, double start)
{
    double         user, sys, wall, media, mean;
    struct rusage  ru;

    getrusage(RUSAGE_SELF, &ru);

    user = ru.ru_utime.tv_sec + ru.ru_utime.tv_usec / 1e6;
    sys = ru.ru_stime.tv_sec + ru.ru_stime.tv_usec / 1e6;
    wall = load_now() - start;
    media = load->t_last > load->t_first ? load->t_last - load->t_first : 0;
    mean = load->sent_tags ? load->lag_sum / load->sent_tags : 0;

    if (load->json) {
        printf("{\"streams\":%u,\"ok\":%u,\"failed\":%u,\"tags\":%llu,"
               "\"media_bytes\":%llu,\"wire_bytes\":%llu,\"writes\":%llu,"
               "\"wall_s\":%.3f,\"media_s\":%.3f,\"speed\":%g,"
               "\"lag_max_s\":%.4f,\"lag_mean_s\":%.5f,\"late_10ms\":%llu,"
               "\"late_100ms\":%llu,\"late_1s\":%llu,\"drain_max_s\":%.3f,"
               "\"user_s\":%.3f,\"sys_s\":%.3f,\"maxrss_kb\":%ld,"
               "\"error\":\"%s\"}\n",
               load->n, load->ok, load->failed,
               (unsigned long long) load->sent_tags,
               (unsigned long long) load->media_bytes,
               (unsigned long long) load->wire_bytes,
               (unsigned long long) load->writes, wall, media, load->speed,
               load->lag_max, mean, (unsigned long long) load->late_10ms,
               (unsigned long long) load->late_100ms,
               (unsigned long long) load->late_1s, load->drain_max, user,
               sys, ru.ru_maxrss, load->error);
        return;
    }

    printf("connections: %u ok, %u failed of %u%s%s\n", load->ok,
           load->failed, load->n,
           load->error[0] ? "; first failure: " : "", load->error);
    printf("sent: %llu tags, %.1f MB of media, %.1f MB on the wire,"
           " %llu writes\n", (unsigned long long) load->sent_tags,
           load->media_bytes / 1e6, load->wire_bytes / 1e6,
           (unsigned long long) load->writes);
    printf("time: %.2f s sending, %.2f s in all; %.1f MB/s\n", media, wall,
           media > 0 ? load->media_bytes / 1e6 / media : 0);

    if (load->speed > 0) {
        printf("behind real time: max %.1f ms, mean %.2f ms; tags later than"
               " 10 ms %llu, 100 ms %llu, 1 s %llu\n", load->lag_max * 1e3,
               mean * 1e3, (unsigned long long) load->late_10ms,
               (unsigned long long) load->late_100ms,
               (unsigned long long) load->late_1s);
    }

    printf("server read the rest and closed within %.1f ms\n",
           load->drain_max * 1e3);
    printf("own cost: user %.2f s, sys %.2f s, %ld KiB\n", user, sys,
           ru.ru_maxrss);
}
