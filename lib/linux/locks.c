/* SPDX-License-Identifier: MIT */
#include <sys/ax.h>

#include "task.h"

void thread_take_interrupt(struct thread *thread) {
    if (ax_thread_take() == 1)
        __atomic_store_n(&thread->attention, 1, __ATOMIC_RELAXED);
}

void lock_take(task_lock *lock) {
    uint32_t seen = 0;
    ax_yield_point();
    if (__atomic_compare_exchange_n(lock, &seen, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return;
    while (__atomic_exchange_n(lock, 2, __ATOMIC_ACQUIRE) != 0) {
        ax_result result = ax_futex_wait((uintptr_t)lock, 2, UINT32_MAX, AX_TIME_NEVER);
        if (result == AX_ERR_INTERRUPTED)
            thread_take_interrupt(thread_self());
    }
}

void lock_give(task_lock *lock) {
    if (__atomic_exchange_n(lock, 0, __ATOMIC_RELEASE) == 2)
        (void)ax_futex_wake((uintptr_t)lock, 1, UINT32_MAX);
    ax_yield_point();
}
