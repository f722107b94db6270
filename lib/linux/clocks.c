/* SPDX-License-Identifier: MIT */
#include "clocks.h"

#include <sys/ax.h>

#include "access.h"
#include "deliver.h"
#include "threads.h"

/* ---- Conversions ----------------------------------------------------------------------------- */

int64_t timespec_to_ns(const struct linux_timespec *time, uint64_t *ns) {
    if (time->seconds < 0 || time->nanoseconds < 0 || (uint64_t)time->nanoseconds >= NS_PER_SECOND)
        return -L_EINVAL;
    if (__builtin_mul_overflow((uint64_t)time->seconds, NS_PER_SECOND, ns))
        *ns = AX_TIME_NEVER;
    else
        *ns = ns_add(*ns, (uint64_t)time->nanoseconds);
    return 0;
}

struct linux_timespec timespec_from_ns(uint64_t ns) {
    return (struct linux_timespec){(int64_t)(ns / NS_PER_SECOND), (int64_t)(ns % NS_PER_SECOND)};
}

uint64_t ns_from_realtime(uint64_t ns, int64_t realtime_ns) {
    if (ns == AX_TIME_NEVER)
        return ns;
    if (realtime_ns < 0)
        return ns_add(ns, -(uint64_t)realtime_ns);
    return ns > (uint64_t)realtime_ns ? ns - (uint64_t)realtime_ns : 0;
}

/* ---- Clocks ---------------------------------------------------------------------------------- */

/* A clock of a process or thread by its id, as clock_getcpuclockid makes them: ~id in the high
 * bits, then whether it is a thread's, then the kind of time. */
#define CPU_CLOCK_IS_THREAD 4
#define CPU_CLOCK_KIND      3
#define CPU_CLOCK_SCHED     2

static bool is_realtime(int32_t clock) {
    return clock == L_CLOCK_REALTIME || clock == L_CLOCK_REALTIME_COARSE || clock == L_CLOCK_TAI;
}

static bool is_monotonic(int32_t clock) {
    return clock == L_CLOCK_MONOTONIC || clock == L_CLOCK_MONOTONIC_RAW ||
           clock == L_CLOCK_MONOTONIC_COARSE || clock == L_CLOCK_BOOTTIME;
}

uint64_t cpu_time_ns(const struct task *task, ax_handle thread) {
    struct ax_object_info info;
    if (thread != AX_HANDLE_NONE)
        return ax_object_info(thread, &info) < 0 ? 0 : info.thread.cpu_ns;
    if (task->start->process == AX_HANDLE_NONE || ax_object_info(task->start->process, &info) < 0)
        return 0;
    return info.process.cpu_ns;
}

static int64_t cpu_clock_read(struct thread *thread, int32_t clock, uint64_t *ns) {
    struct task *task = thread->task;
    int32_t id = ~(clock >> 3);
    if ((clock & CPU_CLOCK_KIND) > CPU_CLOCK_SCHED)
        return -L_EINVAL;
    if ((clock & CPU_CLOCK_IS_THREAD) == 0) {
        *ns = cpu_time_ns(task, AX_HANDLE_NONE);
        return id == 0 || id == (int32_t)task->pid ? 0 : -L_EINVAL;
    }
    lock_take(&task->threads_lock);
    const struct thread *other = id == 0 ? thread : thread_find(task, id);
    if (other != NULL)
        *ns = cpu_time_ns(task, other->handle);
    lock_give(&task->threads_lock);
    return other != NULL ? 0 : -L_EINVAL;
}

static int64_t clock_read(struct thread *thread, int32_t clock, uint64_t *ns) {
    if (clock < 0)
        return cpu_clock_read(thread, clock, ns);
    if (clock == L_CLOCK_PROCESS_CPUTIME) {
        *ns = cpu_time_ns(thread->task, AX_HANDLE_NONE);
        return 0;
    }
    if (clock == L_CLOCK_THREAD_CPUTIME) {
        *ns = cpu_time_ns(thread->task, thread->handle);
        return 0;
    }
    if (!is_realtime(clock) && !is_monotonic(clock))
        return -L_EINVAL;
    *ns = ax_clock_ns();
    if (is_realtime(clock))
        *ns += (uint64_t)thread->task->start->realtime_ns;
    return 0;
}

int64_t linux_clock_gettime(struct thread *thread, const uint64_t a[6]) {
    uint64_t ns;
    int64_t error = clock_read(thread, (int32_t)a[0], &ns);
    if (error != 0)
        return error;
    struct linux_timespec time = timespec_from_ns(ns);
    return user_put(a[1], &time);
}

int64_t linux_clock_getres(struct thread *thread, const uint64_t a[6]) {
    static const struct linux_timespec resolution = {0, 1};
    uint64_t ns;
    int64_t error = clock_read(thread, (int32_t)a[0], &ns);
    return error != 0 || a[1] == 0 ? error : user_put(a[1], &resolution);
}

int64_t linux_gettimeofday(struct thread *thread, const uint64_t a[6]) {
    uint64_t ns = ax_clock_ns() + (uint64_t)thread->task->start->realtime_ns;
    struct linux_timeval time = {(int64_t)(ns / NS_PER_SECOND),
                                 (int64_t)(ns % NS_PER_SECOND / 1000)};
    struct linux_timezone zone = {0, 0};
    int64_t error = a[0] != 0 ? user_put(a[0], &time) : 0;
    return error == 0 && a[1] != 0 ? user_put(a[1], &zone) : error;
}

int64_t linux_time(struct thread *thread, const uint64_t a[6]) {
    uint64_t ns = ax_clock_ns() + (uint64_t)thread->task->start->realtime_ns;
    int64_t seconds = (int64_t)(ns / NS_PER_SECOND);
    int64_t error = a[0] != 0 ? user_put(a[0], &seconds) : 0;
    return error != 0 ? error : seconds;
}

/* ---- Deadlines and sleep --------------------------------------------------------------------- */

uint64_t deadline_after(struct thread *thread, uint64_t wait_ns) {
    if (!thread->again.is_set)
        thread->again.deadline_ns = ns_add(ax_clock_ns(), wait_ns);
    return thread->again.deadline_ns;
}

int64_t deadline_read(struct thread *thread, uint64_t address, enum deadline_kind kind,
                      int32_t clock, uint64_t *deadline_ns) {
    struct linux_timespec time;
    uint64_t ns;
    int64_t error = user_get(&time, address);
    if (error == 0)
        error = timespec_to_ns(&time, &ns);
    if (error != 0)
        return error;
    if (kind == DEADLINE_RELATIVE)
        *deadline_ns = deadline_after(thread, ns);
    else if (is_realtime(clock))
        *deadline_ns = ns_from_realtime(ns, thread->task->start->realtime_ns);
    else
        *deadline_ns = ns;
    return 0;
}

struct linux_timespec deadline_rest(uint64_t deadline_ns) {
    uint64_t now_ns = ax_clock_ns();
    return timespec_from_ns(deadline_ns > now_ns ? deadline_ns - now_ns : 0);
}

void deadline_tell_rest(uint64_t address, uint64_t deadline_ns) {
    struct linux_timespec rest = deadline_rest(deadline_ns);
    (void)!user_put(address, &rest);
}

/* Sleeps; interrupted by a handler, it tells what is left if it was to sleep for a time. */
static int64_t sleep_until(struct thread *thread, uint64_t deadline_ns, uint64_t left) {
    while (signals_due(thread) == 0) {
        if (ax_sleep_until(deadline_ns) != AX_ERR_INTERRUPTED)
            return 0;
        thread_take_interrupt(thread);
    }
    struct linux_timespec rest = deadline_rest(deadline_ns);
    return left != 0 && user_put(left, &rest) != 0 ? -L_EFAULT : -L_RESTARTNOHAND;
}

int64_t linux_nanosleep(struct thread *thread, const uint64_t a[6]) {
    uint64_t deadline_ns;
    int64_t error = deadline_read(thread, a[0], DEADLINE_RELATIVE, L_CLOCK_MONOTONIC, &deadline_ns);
    return error != 0 ? error : sleep_until(thread, deadline_ns, a[1]);
}

int64_t linux_clock_nanosleep(struct thread *thread, const uint64_t a[6]) {
    int32_t clock = (int32_t)a[0];
    bool is_absolute = (a[1] & L_TIMER_ABSTIME) != 0;
    uint64_t deadline_ns;
    if (clock != L_CLOCK_REALTIME && clock != L_CLOCK_MONOTONIC && clock != L_CLOCK_BOOTTIME &&
        clock != L_CLOCK_TAI) {
        int64_t error = clock_read(thread, clock, &deadline_ns);
        return error != 0 ? error : -L_EOPNOTSUPP;
    }
    int64_t error = deadline_read(thread, a[2], is_absolute ? DEADLINE_ABSOLUTE : DEADLINE_RELATIVE,
                                  clock, &deadline_ns);
    return error != 0 ? error : sleep_until(thread, deadline_ns, is_absolute ? 0 : a[3]);
}

int64_t linux_sched_yield(struct thread *thread, const uint64_t a[6]) {
    (void)thread;
    (void)a;
    (void)ax_sleep_until(0);
    return 0;
}
