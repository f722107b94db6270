/* SPDX-License-Identifier: MIT */
/* Clocks go forward, sleeps last as long as they should, and errors are Linux's. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

#include "say.h"

static long long now(clockid_t clock) {
    struct timespec time;
    CHECK(clock_gettime(clock, &time) == 0);
    CHECK(time.tv_nsec >= 0 && time.tv_nsec < 1000000000);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void test_forward(void) {
    static const clockid_t clocks[] = {
        CLOCK_REALTIME,         CLOCK_MONOTONIC,          CLOCK_MONOTONIC_RAW,    CLOCK_BOOTTIME,
        CLOCK_MONOTONIC_COARSE, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID};
    for (unsigned i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
        long long last = now(clocks[i]);
        for (int j = 0; j < 1000; j++) {
            long long next = now(clocks[i]);
            CHECK(next >= last);
            last = next;
        }
    }
    struct timespec time;
    CHECK_ERROR(clock_gettime(99, &time), EINVAL);
    CHECK(clock_getres(CLOCK_MONOTONIC, &time) == 0 && time.tv_sec == 0 && time.tv_nsec > 0);
    puts("clocks go forward");
}

static void test_sleep(void) {
    long long start = now(CLOCK_MONOTONIC);
    struct timespec time = {0, 3000000};
    CHECK(syscall(SYS_nanosleep, &time, NULL) == 0);
    long long end = now(CLOCK_MONOTONIC);
    CHECK(end - start >= 3000000);
    time.tv_sec = (end + 2000000) / 1000000000;
    time.tv_nsec = (end + 2000000) % 1000000000;
    CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == 0);
    CHECK(now(CLOCK_MONOTONIC) >= end + 2000000);
    time.tv_sec = 1;
    CHECK(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &time, NULL) == 0); /* long past */
    time.tv_nsec = 1000000000;
    CHECK_ERROR(syscall(SYS_nanosleep, &time, NULL), EINVAL);
    time.tv_nsec = 0;
    time.tv_sec = -1;
    CHECK_ERROR(syscall(SYS_nanosleep, &time, NULL), EINVAL);
    CHECK(clock_nanosleep(99, 0, &time, NULL) == EINVAL);
    puts("sleeps last");
}

static void test_cpu_time(void) {
    struct rusage usage;
    struct timeval day;
    clockid_t clock;
    long long before = now(CLOCK_PROCESS_CPUTIME_ID);
    while (now(CLOCK_PROCESS_CPUTIME_ID) - before < 5000000)
        __asm__ volatile("pause");
    CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
    CHECK(usage.ru_utime.tv_sec > 0 || usage.ru_utime.tv_usec > 0 || usage.ru_stime.tv_usec > 0);
    CHECK(pthread_getcpuclockid(pthread_self(), &clock) == 0 && now(clock) > 0);
    CHECK(gettimeofday(&day, NULL) == 0 && day.tv_usec < 1000000);
    CHECK(time(NULL) >= 0);
    struct tms times_seen;
    CHECK(times(&times_seen) != (clock_t)-1);
    puts("time that was used");
}

int main(void) {
    test_forward();
    test_sleep();
    test_cpu_time();
    return 0;
}
