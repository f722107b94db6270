/* SPDX-License-Identifier: MIT */
/* Signals on their way to a thread or to the process. */
#include <sys/ax.h>

#include "access.h"
#include "deliver.h"
#include "threads.h"

static bool is_ignored(const struct task *task, int signal) {
    uint64_t handler = task->actions[signal - 1].handler;
    return handler == L_SIG_IGN ||
           (handler == L_SIG_DFL && signal_default(signal) == SIGNAL_IS_IGNORED);
}

/* With both locks. The thread looks for signals before it goes on, at once if it is another. */
static void thread_alert(struct thread *target) {
    __atomic_store_n(&target->attention, 1, __ATOMIC_RELEASE);
    if (target != thread_self())
        (void)!ax_thread_interrupt(target->handle);
}

static int64_t added_error(enum signal_added added) {
    return added == SIGNAL_REFUSED ? -L_EAGAIN : 0;
}

/* What is ignored is forgotten, unless somebody may wait for it: blocked ones are kept. With
 * signals_lock. */
static int64_t send_to(struct thread *target, const struct signal_info *info) {
    struct task *task = target->task;
    bool is_blocked = (target->blocked & signal_bit(info->signal)) != 0;
    if (is_ignored(task, info->signal) && !is_blocked)
        return 0;
    enum signal_added added = signal_queue_add(&target->queue, &task->pool, info);
    if (!is_blocked)
        thread_alert(target);
    return added_error(added);
}

int64_t signal_send_thread(struct thread *target, const struct signal_info *info) {
    struct task *task = target->task;
    lock_take(&task->signals_lock);
    int64_t error = send_to(target, info);
    lock_give(&task->signals_lock);
    return error;
}

/* Any thread that does not block it, the first one rather than others; NULL: there is none. */
static struct thread *taker_find(struct task *task, int signal) {
    struct thread *thread, *taker = NULL;
    list_for_each (thread, &task->threads, link) {
        if ((thread->blocked & signal_bit(signal)) == 0) {
            taker = thread;
            break;
        }
    }
    return taker;
}

int64_t signal_send_process(struct task *task, const struct signal_info *info) {
    int64_t error = 0;
    lock_take(&task->signals_lock);
    lock_take(&task->threads_lock);
    struct thread *taker = taker_find(task, info->signal);
    if (taker == NULL || !is_ignored(task, info->signal)) {
        error = added_error(signal_queue_add(&task->queue, &task->pool, info));
        if (taker != NULL)
            thread_alert(taker);
    }
    lock_give(&task->threads_lock);
    lock_give(&task->signals_lock);
    return error;
}

/* Signal 0 only asks whether it is there. */
int64_t signal_send_tid(struct task *task, int64_t tid, const struct signal_info *info) {
    int64_t error = 0;
    lock_take(&task->signals_lock);
    lock_take(&task->threads_lock);
    struct thread *target = thread_find(task, tid);
    if (target == NULL)
        error = -L_ESRCH;
    else if (info->signal != 0)
        error = send_to(target, info);
    lock_give(&task->threads_lock);
    lock_give(&task->signals_lock);
    return error;
}

/* ---- The calls ------------------------------------------------------------------------------- */

/* To the thread of that id, if the process is ours. */
static int64_t send_by_tid(struct thread *thread, int64_t pid, int64_t tid,
                           const struct signal_info *info) {
    struct task *task = thread->task;
    if (info->signal != 0 && !signal_is_valid(info->signal))
        return -L_EINVAL;
    return pid == (int64_t)task->pid ? signal_send_tid(task, tid, info) : -L_ESRCH;
}

int64_t linux_tgkill(struct thread *thread, const uint64_t a[6]) {
    int32_t pid = (int32_t)a[0], tid = (int32_t)a[1];
    if (pid <= 0 || tid <= 0)
        return -L_EINVAL;
    struct signal_info info = {
        .signal = (int32_t)a[2], .code = L_SI_TKILL, .pid = thread->task->pid};
    return send_by_tid(thread, pid, tid, &info);
}

int64_t linux_tkill(struct thread *thread, const uint64_t a[6]) {
    int32_t tid = (int32_t)a[0];
    if (tid <= 0)
        return -L_EINVAL;
    struct signal_info info = {
        .signal = (int32_t)a[1], .code = L_SI_TKILL, .pid = thread->task->pid};
    return send_by_tid(thread, thread->task->pid, tid, &info);
}

/* There is nobody else: the process, its group, and all that may be sent to are one. */
static bool is_own(const struct task *task, int32_t pid) {
    return pid == 0 || pid == (int32_t)task->pid || pid == -(int32_t)task->pid;
}

int64_t linux_kill(struct thread *thread, const uint64_t a[6]) {
    struct task *task = thread->task;
    struct signal_info info = {.signal = (int32_t)a[1], .code = L_SI_USER, .pid = task->pid};
    if (info.signal != 0 && !signal_is_valid(info.signal))
        return -L_EINVAL;
    if (!is_own(task, (int32_t)a[0]))
        return -L_ESRCH;
    return info.signal != 0 ? signal_send_process(task, &info) : 0;
}

/* What a program may claim to be the sender of: only itself can be told such things. */
static int64_t info_read(uint64_t address, int32_t signal, struct signal_info *info) {
    struct linux_siginfo full;
    int64_t error = user_get(&full, address);
    if (error != 0)
        return error;
    *info = (struct signal_info){signal, full.code, full.pid, full.uid, full.value};
    return 0;
}

int64_t linux_rt_sigqueueinfo(struct thread *thread, const uint64_t a[6]) {
    struct signal_info info;
    int64_t error = info_read(a[2], (int32_t)a[1], &info);
    if (error != 0)
        return error;
    if (!is_own(thread->task, (int32_t)a[0]) || (int32_t)a[0] <= 0)
        return -L_ESRCH;
    if (info.signal != 0 && !signal_is_valid(info.signal))
        return -L_EINVAL;
    return info.signal != 0 ? signal_send_process(thread->task, &info) : 0;
}

int64_t linux_rt_tgsigqueueinfo(struct thread *thread, const uint64_t a[6]) {
    struct signal_info info;
    int64_t error = info_read(a[3], (int32_t)a[2], &info);
    if (error != 0)
        return error;
    if ((int32_t)a[0] <= 0 || (int32_t)a[1] <= 0)
        return -L_EINVAL;
    return send_by_tid(thread, (int32_t)a[0], (int32_t)a[1], &info);
}
