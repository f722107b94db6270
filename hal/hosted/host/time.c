/* SPDX-License-Identifier: MIT */
#include "private.h"

#include <cpuid.h>
#include <errno.h>
#include <sys/random.h>
#include <time.h>
#include <x86intrin.h>

#define TRIES 16

uint64_t host_time_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

uint64_t host_date_ns(uint64_t time_ns) {
    struct timespec date;
    clock_gettime(CLOCK_REALTIME, &date);
    return (uint64_t)date.tv_sec * 1000000000U + (uint64_t)date.tv_nsec -
           (host_time_ns() - time_ns);
}

/* The pair that was read fastest is the one least disturbed. */
void host_time_pair(uint64_t *counter, uint64_t *time_ns) {
    uint64_t best = UINT64_MAX;
    for (unsigned i = 0; i < TRIES; i++) {
        uint64_t before = __rdtsc();
        uint64_t now_ns = host_time_ns();
        uint64_t after = __rdtsc();
        if (after - before >= best)
            continue;
        best = after - before;
        *counter = before + best / 2;
        *time_ns = now_ns;
    }
}

/* CPUID 8000_0007h, EDX bit 8: invariant TSC (Intel SDM vol. 3, 18.17; AMD APM vol. 3, E.4.8). */
bool host_counter_is_steady(void) {
    unsigned a, b, c, d;
    return __get_cpuid(0x80000007, &a, &b, &c, &d) != 0 && (d & (1U << 8)) != 0;
}

void host_entropy(void *buffer, size_t size_bytes) {
    char *at = buffer;
    while (size_bytes > 0) {
        ssize_t got = getrandom(at, size_bytes, 0);
        if (got < 0 && errno != EINTR)
            host_fail("the host gives no randomness");
        if (got > 0) {
            at += got;
            size_bytes -= (size_t)got;
        }
    }
}
