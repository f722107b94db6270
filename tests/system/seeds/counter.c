/* SPDX-License-Identifier: MIT */
/* Waiting that enters the kernel nowhere but where the machine stops the time stamp counter. */
#include "seeds.h"

#include <stdatomic.h>
#include <x86intrin.h>

#define ASLEEP_NS UINT64_C(20000000)

static _Atomic bool is_let_go;

static void *let_go(void *nothing) {
    (void)nothing;
    (void)ax_sleep_until(ax_clock_ns() + ASLEEP_NS);
    atomic_store(&is_let_go, true);
    return NULL;
}

int counter(void) {
    pthread_t other;
    uint64_t first = __rdtsc(), last = first;
    CHECK(pthread_create(&other, NULL, let_go, NULL) == 0, "no thread");
    while (!atomic_load(&is_let_go)) {
        uint64_t now = __rdtsc();
        CHECK(now > last, "%llu after %llu", (unsigned long long)now, (unsigned long long)last);
        last = now;
    }
    pthread_join(other, NULL);
    CHECK(last - first >= ASLEEP_NS / 2, "%llu ns", (unsigned long long)(last - first));
    printf("it was let go\n");
    fflush(stdout);
    return 0;
}
