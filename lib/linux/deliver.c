/* SPDX-License-Identifier: MIT */
#include "deliver.h"

#include <base/memory.h>
#include <sys/ax.h>

#include "access.h"
#include "report.h"
#include "threads.h"

/* ---- What is due ----------------------------------------------------------------------------- */

/* With signals_lock. */
static signal_set ready(const struct thread *thread) {
    return (thread->queue.pending | thread->task->queue.pending) & ~thread->blocked;
}

signal_set signals_due(struct thread *thread) {
    if (__atomic_load_n(&thread->attention, __ATOMIC_ACQUIRE) == 0)
        return 0;
    lock_take(&thread->task->signals_lock);
    signal_set due = ready(thread);
    lock_give(&thread->task->signals_lock);
    return due;
}

/* ---- Masks ----------------------------------------------------------------------------------- */

/* What the process was sent and this thread no longer takes, another one may. With both locks. */
static void others_alert(struct thread *thread, signal_set set) {
    struct thread *other;
    if ((thread->task->queue.pending & set) == 0)
        return;
    list_for_each (other, &thread->task->threads, link) {
        if (other == thread || (thread->task->queue.pending & set & ~other->blocked) == 0)
            continue;
        __atomic_store_n(&other->attention, 1, __ATOMIC_RELEASE);
        (void)!ax_thread_interrupt(other->handle);
    }
}

void signal_mask_set(struct thread *thread, signal_set mask) {
    struct task *task = thread->task;
    mask &= ~SIGNALS_FIRM;
    if (mask == thread->blocked)
        return;
    lock_take(&task->signals_lock);
    signal_set newly_blocked = mask & ~thread->blocked;
    thread->blocked = mask;
    if (ready(thread) != 0)
        __atomic_store_n(&thread->attention, 1, __ATOMIC_RELAXED);
    if ((task->queue.pending & newly_blocked) != 0) {
        lock_take(&task->threads_lock);
        others_alert(thread, newly_blocked);
        lock_give(&task->threads_lock);
    }
    lock_give(&task->signals_lock);
}

void signal_mask_for_call(struct thread *thread, signal_set mask) {
    if (!thread->has_saved) {
        thread->saved = thread->blocked;
        thread->has_saved = true;
    }
    signal_mask_set(thread, mask);
}

/* ---- Taking ---------------------------------------------------------------------------------- */

/* The next signal, and what is to be done with it. False: none. */
static bool signal_next(struct thread *thread, struct signal_info *info,
                        struct linux_sigaction *action) {
    struct task *task = thread->task;
    lock_take(&task->signals_lock);
    signal_set set = ~thread->blocked;
    bool found = signal_queue_take(&thread->queue, &task->pool, set, info) ||
                 signal_queue_take(&task->queue, &task->pool, set, info);
    if (found) {
        struct linux_sigaction *kept = &task->actions[info->signal - 1];
        *action = *kept;
        if (kept->handler > L_SIG_IGN && (kept->flags & L_SA_RESETHAND) != 0)
            kept->handler = L_SIG_DFL;
    }
    lock_give(&task->signals_lock);
    return found;
}

/* There is no handler. Stopping is the process server's, which is not there yet: it does nothing.
 */
static void signal_act_by_default(struct thread *thread, int signal) {
    if (signal_default(signal) == SIGNAL_ENDS)
        task_end_by_signal(thread, signal, false);
}

/* Enters the handler. The signal's mask is in force from its first instruction on. */
static void signal_handle(struct thread *thread, const struct linux_sigaction *action,
                          const struct signal_info *info) {
    struct linux_siginfo full;
    signal_info_fill(info, &full);
    if (!handler_enter(thread, action, &full)) {
        report(thread, "no room on the stack for the frame of signal %d", info->signal);
        task_end_by_signal(thread, L_SIGSEGV, true);
    }
    signal_set mask = thread->blocked | action->mask;
    if ((action->flags & L_SA_NODEFER) == 0)
        mask |= signal_bit(info->signal);
    thread->has_saved = false;
    signal_mask_set(thread, mask);
}

static bool is_restart_code(int64_t result) {
    return result == -L_RESTARTSYS || result == -L_RESTARTNOHAND || result == -L_RESTARTNOW;
}

/* The call that was ended is done with, or will be made anew after the handler. */
static void call_settle(struct thread *thread, const struct linux_sigaction *action) {
    struct ax_regs *regs = &thread->page->program.regs;
    if ((int64_t)regs->rax == -L_RESTARTSYS && (action->flags & L_SA_RESTART) != 0) {
        regs->rax = thread->number;
        regs->rip -= 2; /* the length of a syscall instruction */
        return;
    }
    if (is_restart_code((int64_t)regs->rax))
        regs->rax = (uint64_t)-L_EINTR;
}

static void mask_restore(struct thread *thread) {
    if (!thread->has_saved)
        return;
    thread->has_saved = false;
    signal_mask_set(thread, thread->saved);
}

/* Takes all that there is. True: a handler is to run. */
static bool signals_take(struct thread *thread, bool is_call) {
    struct signal_info info;
    struct linux_sigaction action;
    bool is_handled = false;
    while (__atomic_exchange_n(&thread->attention, 0, __ATOMIC_ACQUIRE) != 0) {
        while (signal_next(thread, &info, &action)) {
            if (action.handler == L_SIG_IGN)
                continue;
            if (action.handler == L_SIG_DFL) {
                signal_act_by_default(thread, info.signal);
                continue;
            }
            if (is_call && !is_handled)
                call_settle(thread, &action);
            is_handled = true;
            signal_handle(thread, &action, &info);
        }
    }
    return is_handled;
}

bool signals_deliver(struct thread *thread, bool is_call) {
    struct ax_regs *regs = &thread->page->program.regs;
    bool was_ended = is_call && is_restart_code((int64_t)regs->rax);
    /* The mask of a wait that came to its own end has served. */
    if (!was_ended)
        mask_restore(thread);
    if (signals_take(thread, is_call) || !was_ended)
        return true;
    thread->again.is_set = true;
    regs->rax = thread->number;
    return false;
}

/* ---- Faults ---------------------------------------------------------------------------------- */

void signal_force(struct thread *thread, const struct signal_info *info) {
    struct task *task = thread->task;
    lock_take(&task->signals_lock);
    struct linux_sigaction *kept = &task->actions[info->signal - 1];
    struct linux_sigaction action = *kept;
    bool has_handler =
        action.handler > L_SIG_IGN && (thread->blocked & signal_bit(info->signal)) == 0;
    if (has_handler && (action.flags & L_SA_RESETHAND) != 0)
        kept->handler = L_SIG_DFL;
    lock_give(&task->signals_lock);
    if (!has_handler)
        task_end_by_signal(thread, info->signal, true);
    signal_handle(thread, &action, info);
    (void)signals_deliver(thread, false);
}
