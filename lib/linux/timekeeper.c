/* SPDX-License-Identifier: MIT */
/*
 * The calls about timers, and who sends their signals: a thread of the personality's own, made with
 * the first timer that is set. It sleeps until the nearest deadline, and is woken when that
 * changes.
 */
#include <sys/ax.h>

#include "access.h"
#include "clocks.h"
#include "deliver.h"
#include "threads.h"

#define LATE_MAX INT32_MAX

/* ---- The timekeeper -------------------------------------------------------------------------- */

/* With signals_lock: is the last signal of it still waiting to be taken? */
static bool is_pending(struct task *task, const struct timer *timer, uint32_t id) {
    const struct thread *thread = NULL;
    if (timer->tid != 0) {
        lock_take(&task->threads_lock);
        thread = thread_find(task, timer->tid);
        lock_give(&task->threads_lock);
    }
    return signal_queue_has_timer(thread != NULL ? &thread->queue : &task->queue, &task->pool, id);
}

static void timer_send(struct task *task, const struct timer *timer, uint32_t id) {
    struct signal_info info = {.signal = timer->signal, .code = L_SI_TIMER, .value = timer->value};
    info.pid = id;
    info.uid = timer->overrun;
    if (id == TIMER_INTERVAL)
        info = (struct signal_info){.signal = timer->signal, .code = L_SI_KERNEL};
    if (timer->tid != 0)
        (void)signal_send_tid(task, timer->tid, &info);
    else
        (void)signal_send_process(task, &info);
}

/* A timer that is due: what is to be sent is in *wanted. False: nothing. With timers_lock. */
static bool timer_expire(struct task *task, uint32_t id, uint64_t now_ns, struct timer *wanted) {
    struct timer *timer = &task->timers.all[id];
    uint64_t missed = timer_advance(timer, now_ns);
    if (timer->is_silent)
        return false;
    lock_take(&task->signals_lock);
    bool waits = id != TIMER_INTERVAL && is_pending(task, timer, id);
    lock_give(&task->signals_lock);
    missed += waits ? 1 : 0;
    timer->late = missed > LATE_MAX - timer->late ? LATE_MAX : timer->late + (uint32_t)missed;
    if (waits)
        return false;
    timer->overrun = timer->late;
    timer->late = 0;
    *wanted = *timer;
    return true;
}

/* Sends for all that are due, one at a time, as sending takes locks of its own. */
static void timers_expire(struct task *task) {
    for (uint32_t id = 0; id < TIMER_COUNT; id++) {
        struct timer wanted;
        uint64_t now_ns = ax_clock_ns();
        lock_take(&task->timers_lock);
        bool sends =
            task->timers.all[id].deadline_ns <= now_ns && timer_expire(task, id, now_ns, &wanted);
        lock_give(&task->timers_lock);
        if (sends)
            timer_send(task, &wanted, id);
    }
}

void timekeeper_run(struct thread *thread) {
    struct task *task = thread->task;
    for (;;) {
        lock_take(&task->timers_lock);
        uint32_t seen = task->timers.change;
        uint64_t next_ns = timers_next(&task->timers);
        lock_give(&task->timers_lock);
        if (next_ns > ax_clock_ns())
            (void)!ax_futex_wait((uintptr_t)&task->timers.change, seen, UINT32_MAX, next_ns);
        timers_expire(task);
    }
}

/* With timers_lock. */
static int64_t timekeeper_need(struct task *task) {
    if (task->has_timekeeper)
        return 0;
    struct thread *thread = thread_make(task);
    if (thread == NULL)
        return -L_EAGAIN;
    thread->is_timekeeper = true;
    thread->blocked = ~(signal_set)0;
    ax_result handle = thread_launch(thread);
    if (handle < 0) {
        thread_unmake(thread);
        return -L_EAGAIN;
    }
    thread->handle = (ax_handle)handle;
    task->has_timekeeper = true;
    return 0;
}

/* Sets it going; with timers_lock. */
static int64_t timer_set(struct task *task, struct timer *timer, uint64_t deadline_ns,
                         uint64_t interval_ns) {
    int64_t error = deadline_ns != AX_TIME_NEVER ? timekeeper_need(task) : 0;
    if (error != 0)
        return error;
    timer->deadline_ns = deadline_ns;
    timer->interval_ns = interval_ns;
    timer->late = timer->overrun = 0;
    task->timers.change++;
    (void)ax_futex_wake((uintptr_t)&task->timers.change, 1, UINT32_MAX);
    return 0;
}

/* ---- setitimer and alarm --------------------------------------------------------------------- */

static int64_t timeval_to_ns(const struct linux_timeval *time, uint64_t *ns) {
    struct linux_timespec spec = {time->seconds, time->microseconds * 1000};
    if (time->microseconds < 0 || time->microseconds >= 1000000)
        return -L_EINVAL;
    return timespec_to_ns(&spec, ns);
}

static struct linux_timeval timeval_from_ns(uint64_t ns) {
    ns += 999; /* what runs has something left */
    return (struct linux_timeval){(int64_t)(ns / NS_PER_SECOND),
                                  (int64_t)(ns % NS_PER_SECOND / 1000)};
}

/* With timers_lock. */
static struct linux_itimerval interval_describe(const struct timer *timer) {
    return (struct linux_itimerval){timeval_from_ns(timer->interval_ns),
                                    timeval_from_ns(timer_left(timer, ax_clock_ns()))};
}

/* CPU time raises no signals yet. */
static int64_t which_check(struct thread *thread, uint64_t which) {
    if ((uint32_t)which == L_ITIMER_REAL)
        return 0;
    return (uint32_t)which <= L_ITIMER_PROF ? call_unknown(thread) : -L_EINVAL;
}

int64_t linux_getitimer(struct thread *thread, const uint64_t a[6]) {
    struct task *task = thread->task;
    int64_t error = which_check(thread, a[0]);
    if (error != 0)
        return error;
    lock_take(&task->timers_lock);
    struct linux_itimerval value = interval_describe(&task->timers.all[TIMER_INTERVAL]);
    lock_give(&task->timers_lock);
    return user_put(a[1], &value);
}

int64_t linux_setitimer(struct thread *thread, const uint64_t a[6]) {
    struct task *task = thread->task;
    struct timer *timer = &task->timers.all[TIMER_INTERVAL];
    struct linux_itimerval value = {0};
    uint64_t wait_ns, interval_ns;
    int64_t error = which_check(thread, a[0]);
    if (error == 0 && a[1] != 0)
        error = user_get(&value, a[1]);
    if (error == 0)
        error = timeval_to_ns(&value.value, &wait_ns);
    if (error == 0)
        error = timeval_to_ns(&value.interval, &interval_ns);
    if (error != 0)
        return error;
    lock_take(&task->timers_lock);
    struct linux_itimerval old = interval_describe(timer);
    error = timer_set(task, timer, wait_ns == 0 ? AX_TIME_NEVER : ns_add(ax_clock_ns(), wait_ns),
                      wait_ns == 0 ? 0 : interval_ns);
    lock_give(&task->timers_lock);
    return error == 0 && a[2] != 0 ? user_put(a[2], &old) : error;
}

int64_t linux_alarm(struct thread *thread, const uint64_t a[6]) {
    struct task *task = thread->task;
    struct timer *timer = &task->timers.all[TIMER_INTERVAL];
    uint64_t wait_ns = (uint32_t)a[0] * NS_PER_SECOND, now_ns = ax_clock_ns();
    lock_take(&task->timers_lock);
    uint64_t left_ns = timer_left(timer, now_ns);
    int64_t error =
        timer_set(task, timer, wait_ns == 0 ? AX_TIME_NEVER : ns_add(now_ns, wait_ns), 0);
    lock_give(&task->timers_lock);
    if (error != 0)
        return error;
    /* Rounded, but never to nothing. */
    uint64_t seconds = (left_ns + NS_PER_SECOND / 2) / NS_PER_SECOND;
    return left_ns > 0 && seconds == 0 ? 1 : (int64_t)seconds;
}

/* ---- timer_create and its kin ---------------------------------------------------------------- */

static int64_t event_read(struct thread *thread, uint64_t address, struct timer *timer) {
    struct linux_sigevent event;
    if (address == 0) {
        timer->signal = L_SIGALRM;
        return 0;
    }
    int64_t error = user_get(&event, address);
    if (error != 0)
        return error;
    timer->value = event.value;
    timer->signal = event.signal;
    timer->is_silent = event.notify == L_SIGEV_NONE;
    if (event.notify != L_SIGEV_SIGNAL && event.notify != L_SIGEV_NONE &&
        event.notify != (L_SIGEV_SIGNAL | L_SIGEV_THREAD_ID))
        return -L_EINVAL;
    if (!timer->is_silent && !signal_is_valid(event.signal))
        return -L_EINVAL;
    if (event.notify != L_SIGEV_THREAD_ID)
        return 0;
    struct task *task = thread->task;
    lock_take(&task->threads_lock);
    bool is_there = thread_find(task, event.tid) != NULL;
    lock_give(&task->threads_lock);
    timer->tid = (uint32_t)event.tid;
    return is_there ? 0 : -L_EINVAL;
}

int64_t linux_timer_create(struct thread *thread, const uint64_t a[6]) {
    struct task *task = thread->task;
    struct timer timer = {.is_used = true, .clock = (int32_t)a[0], .deadline_ns = AX_TIME_NEVER};
    if (timer.clock == L_CLOCK_PROCESS_CPUTIME || timer.clock == L_CLOCK_THREAD_CPUTIME)
        return call_unknown(thread);
    if (timer.clock != L_CLOCK_REALTIME && timer.clock != L_CLOCK_MONOTONIC &&
        timer.clock != L_CLOCK_BOOTTIME)
        return -L_EINVAL;
    int64_t error = event_read(thread, a[1], &timer);
    if (error != 0)
        return error;
    int32_t id = 1;
    lock_take(&task->timers_lock);
    while (id < TIMER_COUNT && task->timers.all[id].is_used)
        id++;
    if (id < TIMER_COUNT) {
        if (a[1] == 0)
            timer.value = (uint32_t)id;
        task->timers.all[id] = timer;
    }
    lock_give(&task->timers_lock);
    if (id == TIMER_COUNT)
        return -L_EAGAIN;
    error = user_put(a[2], &id);
    if (error != 0) {
        lock_take(&task->timers_lock);
        task->timers.all[id].is_used = false;
        lock_give(&task->timers_lock);
    }
    return error;
}

/* With timers_lock; NULL: no such timer. */
static struct timer *timer_find(struct task *task, uint64_t id) {
    if ((uint32_t)id == TIMER_INTERVAL || (uint32_t)id >= TIMER_COUNT)
        return NULL;
    struct timer *timer = &task->timers.all[(uint32_t)id];
    return timer->is_used ? timer : NULL;
}

static struct linux_itimerspec timer_describe(const struct timer *timer) {
    return (struct linux_itimerspec){timespec_from_ns(timer->interval_ns),
                                     timespec_from_ns(timer_left(timer, ax_clock_ns()))};
}

/* When it is due: never for a value of zero, whichever way it is meant. */
static uint64_t timer_deadline(const struct task *task, int32_t clock, uint64_t value_ns,
                               bool is_absolute) {
    if (value_ns == 0)
        return AX_TIME_NEVER;
    if (!is_absolute)
        return ns_add(ax_clock_ns(), value_ns);
    return clock == L_CLOCK_REALTIME ? ns_from_realtime(value_ns, task->start->realtime_ns)
                                     : value_ns;
}

int64_t linux_timer_settime(struct thread *thread, const uint64_t a[6]) {
    struct task *task = thread->task;
    struct linux_itimerspec wish, old = {0};
    uint64_t value_ns, interval_ns;
    if (a[2] == 0)
        return -L_EINVAL;
    int64_t error = user_get(&wish, a[2]);
    if (error == 0)
        error = timespec_to_ns(&wish.value, &value_ns);
    if (error == 0)
        error = timespec_to_ns(&wish.interval, &interval_ns);
    if (error != 0)
        return error;
    lock_take(&task->timers_lock);
    struct timer *timer = timer_find(task, a[0]);
    if (timer == NULL) {
        error = -L_EINVAL;
    } else {
        old = timer_describe(timer);
        uint64_t deadline_ns =
            timer_deadline(task, timer->clock, value_ns, (a[1] & L_TIMER_ABSTIME) != 0);
        error = timer_set(task, timer, deadline_ns, value_ns == 0 ? 0 : interval_ns);
    }
    lock_give(&task->timers_lock);
    return error == 0 && a[3] != 0 ? user_put(a[3], &old) : error;
}

int64_t linux_timer_gettime(struct thread *thread, const uint64_t a[6]) {
    struct task *task = thread->task;
    struct linux_itimerspec now = {0};
    lock_take(&task->timers_lock);
    const struct timer *timer = timer_find(task, a[0]);
    if (timer != NULL)
        now = timer_describe(timer);
    lock_give(&task->timers_lock);
    return timer == NULL ? -L_EINVAL : user_put(a[1], &now);
}

int64_t linux_timer_getoverrun(struct thread *thread, const uint64_t a[6]) {
    struct task *task = thread->task;
    lock_take(&task->timers_lock);
    const struct timer *timer = timer_find(task, a[0]);
    int64_t result = timer != NULL ? (int64_t)timer->overrun : -L_EINVAL;
    lock_give(&task->timers_lock);
    return result;
}

int64_t linux_timer_delete(struct thread *thread, const uint64_t a[6]) {
    struct task *task = thread->task;
    lock_take(&task->timers_lock);
    struct timer *timer = timer_find(task, a[0]);
    if (timer != NULL)
        *timer = (struct timer){.deadline_ns = AX_TIME_NEVER};
    lock_give(&task->timers_lock);
    return timer != NULL ? 0 : -L_EINVAL;
}
