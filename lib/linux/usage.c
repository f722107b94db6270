/* SPDX-License-Identifier: MIT */
/* Limits, and what was used. */
#include <base/memory.h>
#include <sys/ax.h>

#include "access.h"
#include "clocks.h"
#include "threads.h"

/* ---- Limits ---------------------------------------------------------------------------------- */

/* The user is the one who may raise them; that some are the machine's own nobody can change. */
static int64_t limit_check(uint32_t which, const struct linux_rlimit *wish) {
    if (wish->current > wish->maximum)
        return -L_EINVAL;
    return which == L_RLIMIT_NOFILE && wish->maximum > DESCRIPTOR_MAX ? -L_EPERM : 0;
}

static int64_t limit_exchange(struct thread *thread, uint32_t which,
                              const struct linux_rlimit *wish, struct linux_rlimit *old) {
    struct task *task = thread->task;
    int64_t error = wish != NULL ? limit_check(which, wish) : 0;
    if (error != 0)
        return error;
    lock_take(&task->limits_lock);
    *old = task->limits[which];
    if (wish != NULL)
        task->limits[which] = *wish;
    lock_give(&task->limits_lock);
    return 0;
}

int64_t linux_prlimit64(struct thread *thread, const uint64_t a[6]) {
    struct linux_rlimit wish, old;
    uint32_t which = (uint32_t)a[1];
    if (which >= L_RLIMIT_COUNT)
        return -L_EINVAL;
    if ((int32_t)a[0] != 0 && (int32_t)a[0] != (int32_t)thread->task->pid)
        return -L_ESRCH;
    int64_t error = a[2] != 0 ? user_get(&wish, a[2]) : 0;
    if (error == 0)
        error = limit_exchange(thread, which, a[2] != 0 ? &wish : NULL, &old);
    return error == 0 && a[3] != 0 ? user_put(a[3], &old) : error;
}

int64_t linux_getrlimit(struct thread *thread, const uint64_t a[6]) {
    return linux_prlimit64(thread, (const uint64_t[6]){0, a[0], 0, a[1]});
}

int64_t linux_setrlimit(struct thread *thread, const uint64_t a[6]) {
    if (a[1] == 0)
        return -L_EFAULT;
    return linux_prlimit64(thread, (const uint64_t[6]){0, a[0], a[1], 0});
}

/* ---- Usage ----------------------------------------------------------------------------------- */

/* The kernel does not tell a program's own time from that in its calls: all of it is the user's. */
int64_t linux_getrusage(struct thread *thread, const uint64_t a[6]) {
    const struct task *task = thread->task;
    struct linux_rusage usage;
    struct ax_object_info info;
    int32_t who = (int32_t)a[0];
    memset(&usage, 0, sizeof(usage));
    if (who != L_RUSAGE_SELF && who != L_RUSAGE_CHILDREN && who != L_RUSAGE_THREAD)
        return -L_EINVAL;
    if (who != L_RUSAGE_CHILDREN) {
        bool is_thread = who == L_RUSAGE_THREAD;
        uint64_t ns = cpu_time_ns(task, is_thread ? thread->handle : AX_HANDLE_NONE);
        usage.user = (struct linux_timeval){(int64_t)(ns / NS_PER_SECOND),
                                            (int64_t)(ns % NS_PER_SECOND / 1000)};
    }
    if (who == L_RUSAGE_SELF && task->start->process != AX_HANDLE_NONE &&
        ax_object_info(task->start->process, &info) >= 0)
        usage.minor_faults = (int64_t)info.process.page_faults;
    return user_put(a[1], &usage);
}

#define TICK_NS UINT64_C(10000000) /* as AT_CLKTCK says: 100 a second */

int64_t linux_times(struct thread *thread, const uint64_t a[6]) {
    struct linux_tms times = {.user =
                                  (int64_t)(cpu_time_ns(thread->task, AX_HANDLE_NONE) / TICK_NS)};
    int64_t error = a[0] != 0 ? user_put(a[0], &times) : 0;
    return error != 0 ? error : (int64_t)(ax_clock_ns() / TICK_NS);
}

/* How much memory is free nobody tells a program: its account's rest, where it has one. */
int64_t linux_sysinfo(struct thread *thread, const uint64_t a[6]) {
    struct task *task = thread->task;
    struct ax_object_info info;
    struct linux_sysinfo system;
    memset(&system, 0, sizeof(system));
    system.uptime = (int64_t)(ax_clock_ns() / NS_PER_SECOND);
    system.total_ram = task->start->memory_bytes;
    if (task->start->account != AX_HANDLE_NONE &&
        ax_object_info(task->start->account, &info) >= 0) {
        uint64_t rest = info.account.limit_bytes - info.account.used_bytes;
        system.free_ram = rest < system.total_ram ? rest : system.total_ram;
    }
    system.processes = (uint16_t)task->thread_count;
    system.unit_bytes = 1;
    return user_put(a[0], &system);
}

/* ---- The order of threads -------------------------------------------------------------------- */

/* All threads are of the ordinary kind; the rest are a matter of rights that nobody has. */
enum { POLICY_OTHER = 0, POLICY_FIFO = 1, POLICY_RR = 2, POLICY_BATCH = 3, POLICY_IDLE = 5 };

static int64_t policy_range(uint64_t policy, int64_t real_time) {
    switch ((int32_t)policy) {
    case POLICY_FIFO:
    case POLICY_RR: return real_time;
    case POLICY_OTHER:
    case POLICY_BATCH:
    case POLICY_IDLE: return 0;
    default: return -L_EINVAL;
    }
}

int64_t linux_sched_get_priority_max(struct thread *thread, const uint64_t a[6]) {
    (void)thread;
    return policy_range(a[0], 99);
}

int64_t linux_sched_get_priority_min(struct thread *thread, const uint64_t a[6]) {
    (void)thread;
    return policy_range(a[0], 1);
}

/* 0: the thread is one of ours. */
static int64_t tid_check(struct thread *thread, uint64_t tid) {
    struct task *task = thread->task;
    if ((int32_t)tid < 0)
        return -L_EINVAL;
    lock_take(&task->threads_lock);
    bool is_there = (int32_t)tid == 0 || thread_find(task, (int32_t)tid) != NULL;
    lock_give(&task->threads_lock);
    return is_there ? 0 : -L_ESRCH;
}

int64_t linux_sched_getscheduler(struct thread *thread, const uint64_t a[6]) {
    int64_t error = tid_check(thread, a[0]);
    return error != 0 ? error : POLICY_OTHER;
}

int64_t linux_sched_getparam(struct thread *thread, const uint64_t a[6]) {
    static const int32_t priority;
    int64_t error = tid_check(thread, a[0]);
    if (error == 0 && a[1] == 0)
        error = -L_EINVAL;
    return error != 0 ? error : user_put(a[1], &priority);
}

static int64_t param_check(struct thread *thread, uint64_t tid, uint64_t policy, uint64_t address) {
    int32_t priority;
    if (address == 0 || (int32_t)policy < 0)
        return -L_EINVAL;
    int64_t error = user_get(&priority, address);
    if (error == 0)
        error = tid_check(thread, tid);
    if (error != 0)
        return error;
    int64_t highest = policy_range(policy, 99);
    if (highest < 0 || priority < policy_range(policy, 1) || priority > highest)
        return -L_EINVAL;
    return (int32_t)policy == POLICY_OTHER ? 0 : -L_EPERM;
}

int64_t linux_sched_setscheduler(struct thread *thread, const uint64_t a[6]) {
    return param_check(thread, a[0], a[1], a[2]);
}

int64_t linux_sched_setparam(struct thread *thread, const uint64_t a[6]) {
    return param_check(thread, a[0], POLICY_OTHER, a[1]);
}

/* No slice is promised. */
int64_t linux_sched_rr_get_interval(struct thread *thread, const uint64_t a[6]) {
    static const struct linux_timespec slice;
    int64_t error = tid_check(thread, a[0]);
    return error != 0 ? error : user_put(a[1], &slice);
}

/* Nice is 0, which this call tells as 20. */
int64_t linux_getpriority(struct thread *thread, const uint64_t a[6]) {
    (void)thread;
    return (uint32_t)a[0] > 2 ? -L_EINVAL : 20;
}
