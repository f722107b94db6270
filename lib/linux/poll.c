/* SPDX-License-Identifier: MIT */
/* poll and ppoll: what is ready is what signals of the sessions say. */
#include "waiting.h"

#include <sys/ax.h>

#include "access.h"
#include "clocks.h"
#include "deliver.h"
#include "streams.h"
#include "threads.h"

/* ---- Waiting --------------------------------------------------------------------------------- */

static uint32_t signals_wanted(int16_t events) {
    uint32_t mask = AX_SIGNAL_ERROR | AX_SIGNAL_HANGUP | AX_SIGNAL_PEER_CLOSED;
    if ((events & (L_POLLIN | L_POLLRDNORM)) != 0)
        mask |= AX_SIGNAL_READABLE;
    if ((events & (L_POLLOUT | L_POLLWRNORM)) != 0)
        mask |= AX_SIGNAL_WRITABLE;
    return mask;
}

static int16_t events_seen(uint32_t signals, int16_t events) {
    int16_t seen = 0;
    if ((signals & AX_SIGNAL_READABLE) != 0)
        seen |= events & (L_POLLIN | L_POLLRDNORM);
    if ((signals & AX_SIGNAL_WRITABLE) != 0)
        seen |= events & (L_POLLOUT | L_POLLWRNORM);
    if ((signals & AX_SIGNAL_ERROR) != 0)
        seen |= L_POLLERR;
    if ((signals & (AX_SIGNAL_HANGUP | AX_SIGNAL_PEER_CLOSED)) != 0)
        seen |= L_POLLHUP;
    return seen;
}

/* What can be said of a descriptor without its server; true: that is all. */
static bool poll_simply(struct thread *thread, struct linux_pollfd *poll, struct open_file *file) {
    poll->seen = 0;
    if (poll->fd < 0)
        return true;
    if (file_get(thread, (uint64_t)poll->fd, file) != 0) {
        poll->seen = L_POLLNVAL;
        return true;
    }
    if (file->kind != FILE_LOG)
        return false;
    poll->seen = poll->events & (L_POLLIN | L_POLLRDNORM | L_POLLOUT | L_POLLWRNORM);
    return true;
}

/* The sessions among them, in the order in which they stand. ENOMEM: more than the kernel waits
 * for at a time. */
struct sessions {
    struct ax_wait_item items[AX_WAIT_MAX];
    uint16_t places[AX_WAIT_MAX]; /* which descriptor each is */
    unsigned count;
};

static int64_t sessions_list(struct thread *thread, struct linux_pollfd *polls, unsigned count,
                             struct sessions *sessions) {
    int64_t ready = 0;
    sessions->count = 0;
    for (unsigned i = 0; i < count; i++) {
        struct open_file file;
        if (poll_simply(thread, &polls[i], &file)) {
            ready += polls[i].seen != 0;
            continue;
        }
        if (sessions->count == AX_WAIT_MAX)
            return -L_ENOMEM;
        sessions->places[sessions->count] = (uint16_t)i;
        sessions->items[sessions->count++] =
            (struct ax_wait_item){.handle = file.handle, .mask = signals_wanted(polls[i].events)};
    }
    return ready;
}

static int64_t sessions_tell(const struct sessions *sessions, struct linux_pollfd *polls) {
    int64_t ready = 0;
    for (unsigned i = 0; i < sessions->count; i++) {
        struct linux_pollfd *poll = &polls[sessions->places[i]];
        poll->seen = events_seen(sessions->items[i].seen, poll->events);
        ready += poll->seen != 0;
    }
    return ready;
}

int64_t descriptors_wait(struct thread *thread, struct linux_pollfd *polls, unsigned count,
                         uint64_t deadline_ns) {
    struct sessions sessions;
    int64_t ready = sessions_list(thread, polls, count, &sessions);
    if (ready < 0)
        return ready;
    for (;;) {
        bool is_due = signals_due(thread) != 0;
        uint64_t until_ns = ready > 0 || is_due ? 0 : deadline_ns;
        ax_result result = sessions.count == 0
                               ? ax_sleep_until(until_ns)
                               : ax_object_wait_many(sessions.items, sessions.count, until_ns);
        if (result >= 0)
            return ready + sessions_tell(&sessions, polls);
        if (result == AX_ERR_INTERRUPTED)
            thread_take_interrupt(thread);
        else if (result == AX_ERR_TIMEOUT)
            return ready == 0 && is_due ? -L_RESTARTNOHAND : ready;
        else
            return error_of(result);
    }
}

/* ---- The calls ------------------------------------------------------------------------------- */

static int64_t count_check(struct thread *thread, uint64_t count) {
    struct task *task = thread->task;
    lock_take(&task->limits_lock);
    uint64_t limit = task->limits[L_RLIMIT_NOFILE].current;
    lock_give(&task->limits_lock);
    return count > limit || count > DESCRIPTOR_MAX ? -L_EINVAL : 0;
}

static int64_t poll_list(struct thread *thread, struct linux_pollfd *polls, uint64_t address,
                         unsigned count, uint64_t deadline_ns) {
    int64_t error = user_read(polls, address, count * sizeof(polls[0]));
    if (error != 0)
        return error;
    int64_t ready = descriptors_wait(thread, polls, count, deadline_ns);
    for (unsigned i = 0; ready >= 0 && i < count; i++) {
        if (user_put(address + i * sizeof(polls[0]) + offsetof(struct linux_pollfd, seen),
                     &polls[i].seen) != 0)
            return -L_EFAULT;
    }
    return ready;
}

static int64_t poll_until(struct thread *thread, uint64_t address, unsigned count,
                          uint64_t deadline_ns) {
    struct linux_pollfd few[POLL_FEW], *polls = few;
    if (count > POLL_FEW && (polls = thread_list(thread, count * sizeof(*polls))) == NULL)
        return -L_ENOMEM;
    int64_t result = poll_list(thread, polls, address, count, deadline_ns);
    if (polls != few)
        thread_list_drop(thread, count * sizeof(*polls));
    return result;
}

int64_t linux_poll(struct thread *thread, const uint64_t a[6]) {
    int32_t wait_ms = (int32_t)a[2];
    int64_t error = count_check(thread, (uint32_t)a[1]);
    if (error != 0)
        return error;
    uint64_t deadline_ns =
        wait_ms < 0 ? AX_TIME_NEVER : deadline_after(thread, (uint64_t)wait_ms * 1000000);
    return poll_until(thread, a[0], (unsigned)a[1], deadline_ns);
}

int64_t linux_ppoll(struct thread *thread, const uint64_t a[6]) {
    uint64_t deadline_ns = AX_TIME_NEVER;
    signal_set mask;
    int64_t error = count_check(thread, (uint32_t)a[1]);
    if (error == 0 && a[3] != 0 && a[4] != sizeof(mask))
        error = -L_EINVAL;
    if (error == 0 && a[2] != 0)
        error = deadline_read(thread, a[2], DEADLINE_RELATIVE, L_CLOCK_MONOTONIC, &deadline_ns);
    if (error == 0 && a[3] != 0)
        error = user_get(&mask, a[3]);
    if (error != 0)
        return error;
    if (a[3] != 0)
        signal_mask_for_call(thread, mask);
    int64_t result = poll_until(thread, a[0], (unsigned)a[1], deadline_ns);
    if (a[2] != 0)
        deadline_tell_rest(a[2], deadline_ns);
    return result;
}
