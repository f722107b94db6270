/* SPDX-License-Identifier: MIT */
/* Robust mutexes: a thread that ends marks those it holds and wakes one who waits. */
#include <sys/ax.h>

#include "access.h"
#include "threads.h"

#define ROBUST_MAX 2048 /* a list may be a circle */

/* The lowest bit of an entry's address tells of a mutex with priority inheritance. */
#define ENTRY_IS_PI UINT64_C(1)

static void word_mark(const struct thread *thread, uint64_t address, bool is_pending) {
    uint32_t word, seen;
    if (address % sizeof(word) != 0 || user_get(&word, address) != 0)
        return;
    do {
        if ((word & L_FUTEX_TID_MASK) != thread->tid) {
            /* Unlocked, but whoever should have been woken was not yet. */
            if (is_pending && word == 0)
                (void)ax_futex_wake(address, 1, UINT32_MAX);
            return;
        }
        uint32_t marked = (word & L_FUTEX_WAITERS) | L_FUTEX_OWNER_DIED;
        if (user_exchange(address, word, marked, &seen) != 0)
            return;
        if (seen == word)
            break;
        word = seen;
    } while (true);
    if ((word & L_FUTEX_WAITERS) != 0)
        (void)ax_futex_wake(address, 1, UINT32_MAX);
}

void robust_list_end(struct thread *thread) {
    struct linux_robust_head head;
    uint64_t at = thread->robust;
    if (at == 0 || user_get(&head, at) != 0)
        return;
    uint64_t pending = head.pending & ~ENTRY_IS_PI, entry = head.first & ~ENTRY_IS_PI;
    thread->robust = 0;
    for (int count = 0; entry != at && count < ROBUST_MAX; count++) {
        uint64_t next;
        bool has_next = user_get(&next, entry) == 0;
        if (entry != pending)
            word_mark(thread, entry + (uint64_t)head.futex_offset, false);
        if (!has_next)
            break;
        entry = next & ~ENTRY_IS_PI;
    }
    if (pending != 0)
        word_mark(thread, pending + (uint64_t)head.futex_offset, true);
}

int64_t linux_set_robust_list(struct thread *thread, const uint64_t a[6]) {
    if (a[1] != sizeof(struct linux_robust_head))
        return -L_EINVAL;
    thread->robust = a[0];
    return 0;
}

int64_t linux_get_robust_list(struct thread *thread, const uint64_t a[6]) {
    struct task *task = thread->task;
    uint64_t size = sizeof(struct linux_robust_head), head = thread->robust;
    if ((int32_t)a[0] != 0) {
        lock_take(&task->threads_lock);
        const struct thread *other = thread_find(task, (int32_t)a[0]);
        head = other != NULL ? other->robust : 0;
        lock_give(&task->threads_lock);
        if (other == NULL)
            return -L_ESRCH;
    }
    int64_t error = user_put(a[2], &size);
    return error != 0 ? error : user_put(a[1], &head);
}
