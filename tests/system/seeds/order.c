/* SPDX-License-Identifier: MIT */
/*
 * A bug of order, planted: a thread sees an empty box, and says that it sleeps only then. Whoever
 * fills the box in between sees nobody asleep and wakes nobody. The right way is to say it first,
 * and to look again.
 */
#include "seeds.h"

#include <stdatomic.h>

#define PATIENT_NS UINT64_C(1000000000)

static _Atomic uint32_t box, sleepers;

static void *fill(void *nothing) {
    (void)nothing;
    atomic_store(&box, 1);
    ax_yield_point();
    if (atomic_load(&sleepers) != 0)
        (void)ax_futex_wake((uintptr_t)&sleepers, 1, UINT32_MAX);
    return NULL;
}

int order(void) {
    pthread_t filler;
    CHECK(pthread_create(&filler, NULL, fill, NULL) == 0, "no thread");
    while (atomic_load(&box) == 0) {
        ax_yield_point();
        atomic_store(&sleepers, 1);
        ax_result result =
            ax_futex_wait((uintptr_t)&sleepers, 1, UINT32_MAX, ax_clock_ns() + PATIENT_NS);
        CHECK(result != AX_ERR_TIMEOUT, "asleep beside a full box");
    }
    pthread_join(filler, NULL);
    printf("the box was filled\n");
    fflush(stdout);
    return 0;
}
