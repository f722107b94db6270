/* SPDX-License-Identifier: MIT */
/* The calls by which a program says what it does with signals, and waits for them. */
#include <sys/ax.h>

#include "access.h"
#include "clocks.h"
#include "deliver.h"
#include "threads.h"

#define SET_BYTES sizeof(signal_set)

/* ---- Actions and masks ----------------------------------------------------------------------- */

/* What is ignored from now on is no longer pending anywhere. With signals_lock. */
static void pending_forget(struct task *task, int signal) {
    struct thread *thread;
    signal_queue_drop(&task->queue, &task->pool, signal_bit(signal));
    lock_take(&task->threads_lock);
    list_for_each (thread, &task->threads, link)
        signal_queue_drop(&thread->queue, &task->pool, signal_bit(signal));
    lock_give(&task->threads_lock);
}

int64_t linux_rt_sigaction(struct thread *thread, const uint64_t a[6]) {
    struct task *task = thread->task;
    int32_t signal = (int32_t)a[0];
    struct linux_sigaction wish = {0}, old;
    if (a[3] != SET_BYTES || !signal_is_valid(signal))
        return -L_EINVAL;
    if (a[1] != 0) {
        int64_t error = user_get(&wish, a[1]);
        if (error != 0)
            return error;
        if ((signal_bit(signal) & SIGNALS_FIRM) != 0)
            return -L_EINVAL;
        wish.flags &= L_SA_KNOWN;
        wish.mask &= ~SIGNALS_FIRM;
    }
    lock_take(&task->signals_lock);
    old = task->actions[signal - 1];
    if (a[1] != 0) {
        task->actions[signal - 1] = wish;
        if (wish.handler == L_SIG_IGN ||
            (wish.handler == L_SIG_DFL && signal_default(signal) == SIGNAL_IS_IGNORED))
            pending_forget(task, signal);
    }
    lock_give(&task->signals_lock);
    return a[2] != 0 ? user_put(a[2], &old) : 0;
}

static int64_t mask_change(signal_set blocked, uint64_t how, signal_set set, signal_set *wanted) {
    switch (how) {
    case L_SIG_BLOCK: *wanted = blocked | set; return 0;
    case L_SIG_UNBLOCK: *wanted = blocked & ~set; return 0;
    case L_SIG_SETMASK: *wanted = set; return 0;
    default: return -L_EINVAL;
    }
}

int64_t linux_rt_sigprocmask(struct thread *thread, const uint64_t a[6]) {
    signal_set set, old = thread->blocked, wanted = old;
    if (a[3] != SET_BYTES)
        return -L_EINVAL;
    if (a[1] != 0) {
        int64_t error = user_get(&set, a[1]);
        if (error == 0)
            error = mask_change(old, (uint32_t)a[0], set, &wanted);
        if (error != 0)
            return error;
        signal_mask_set(thread, wanted);
    }
    return a[2] != 0 ? user_put(a[2], &old) : 0;
}

int64_t linux_rt_sigpending(struct thread *thread, const uint64_t a[6]) {
    struct task *task = thread->task;
    if (a[1] > SET_BYTES)
        return -L_EINVAL;
    lock_take(&task->signals_lock);
    signal_set pending = (thread->queue.pending | task->queue.pending) & thread->blocked;
    lock_give(&task->signals_lock);
    return user_write(a[0], &pending, a[1]);
}

/* ---- Waiting --------------------------------------------------------------------------------- */

/* Until a signal is due. */
static int64_t signal_await(struct thread *thread, int64_t code) {
    while (signals_due(thread) == 0) {
        (void)ax_sleep_until(AX_TIME_NEVER);
        thread_take_interrupt(thread);
    }
    return code;
}

int64_t linux_pause(struct thread *thread, const uint64_t a[6]) {
    (void)a;
    return signal_await(thread, -L_RESTARTNOHAND);
}

int64_t linux_rt_sigsuspend(struct thread *thread, const uint64_t a[6]) {
    signal_set mask;
    if (a[1] != SET_BYTES)
        return -L_EINVAL;
    int64_t error = user_get(&mask, a[0]);
    if (error != 0)
        return error;
    signal_mask_for_call(thread, mask);
    return signal_await(thread, -L_RESTARTNOHAND);
}

static bool take_of(struct thread *thread, signal_set set, struct signal_info *info) {
    struct task *task = thread->task;
    lock_take(&task->signals_lock);
    bool found = signal_queue_take(&thread->queue, &task->pool, set, info) ||
                 signal_queue_take(&task->queue, &task->pool, set, info);
    lock_give(&task->signals_lock);
    return found;
}

/* Waits with the set unblocked, so that who sends one of it wakes this thread. */
static int64_t wait_for_set(struct thread *thread, signal_set set, uint64_t deadline_ns,
                            struct signal_info *info) {
    signal_set blocked = thread->blocked;
    int64_t error = 0;
    thread->has_saved = true;
    thread->saved = blocked;
    signal_mask_set(thread, blocked & ~set);
    while (!take_of(thread, set, info)) {
        thread_take_interrupt(thread);
        signal_set due = signals_due(thread);
        if ((due & ~set) != 0) {
            error = -L_EINTR;
            break;
        }
        if (due == 0 && ax_sleep_until(deadline_ns) != AX_ERR_INTERRUPTED) {
            error = take_of(thread, set, info) ? 0 : -L_EAGAIN;
            break;
        }
    }
    /* A signal outside the set is taken with the old mask; one of it that came too late stays. */
    thread->has_saved = false;
    signal_mask_set(thread, blocked);
    return error;
}

int64_t linux_rt_sigtimedwait(struct thread *thread, const uint64_t a[6]) {
    signal_set set;
    struct signal_info info;
    uint64_t deadline_ns = AX_TIME_NEVER;
    if (a[3] != SET_BYTES)
        return -L_EINVAL;
    int64_t error = user_get(&set, a[0]);
    if (error == 0 && a[2] != 0)
        error = deadline_read(thread, a[2], DEADLINE_RELATIVE, L_CLOCK_MONOTONIC, &deadline_ns);
    if (error != 0)
        return error;
    error = wait_for_set(thread, set & ~SIGNALS_FIRM, deadline_ns, &info);
    if (error != 0)
        return error;
    if (a[1] != 0) {
        struct linux_siginfo full;
        signal_info_fill(&info, &full);
        error = user_put(a[1], &full);
    }
    return error != 0 ? error : info.signal;
}

int64_t linux_restart_syscall(struct thread *thread, const uint64_t a[6]) {
    (void)thread;
    (void)a;
    return -L_EINTR; /* what is to be made again is made again here, without the program */
}
