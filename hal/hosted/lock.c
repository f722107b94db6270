/* SPDX-License-Identifier: MIT */
#include "machine.h"

#define SPINS 100

void spin_lock(struct spin *spin) {
    for (unsigned tries = 1; atomic_exchange_explicit(&spin->taken, 1, memory_order_acquire) != 0;
         tries++) {
        if (tries % SPINS == 0)
            host_yield(); /* the holder may need this host CPU to go on */
        else
            hal_cpu_pause();
    }
}

void spin_unlock(struct spin *spin) {
    atomic_store_explicit(&spin->taken, 0, memory_order_release);
}

void mutex_lock(struct mutex *mutex) {
    uint32_t state = 0;
    if (atomic_compare_exchange_strong(&mutex->state, &state, 1))
        return;
    while (atomic_exchange(&mutex->state, 2) != 0)
        host_wait((const uint32_t *)&mutex->state, 2, HOST_NEVER);
}

void mutex_unlock(struct mutex *mutex) {
    if (atomic_exchange(&mutex->state, 0) == 2)
        host_wake((const uint32_t *)&mutex->state);
}
