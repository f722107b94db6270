/* SPDX-License-Identifier: MIT */
/* select and pselect6: poll, by bits. */
#include "access.h"
#include "clocks.h"
#include "deliver.h"
#include "threads.h"
#include "waiting.h"

#define READ_EVENTS  (L_POLLIN | L_POLLRDNORM)
#define WRITE_EVENTS (L_POLLOUT | L_POLLWRNORM)

/* What is wanted and what was seen, for reading, writing and exceptions. */
struct sets {
    uint64_t addresses[3]; /* 0: nothing of that kind */
    size_t size_bytes;     /* of each, whole words */
    unsigned count;        /* descriptors that are looked at: 0 to count - 1 */
    struct linux_fd_set wanted[3];
};

static bool set_has(const struct linux_fd_set *set, unsigned fd) {
    return (set->words[fd / 64] >> fd % 64 & 1) != 0;
}

static int64_t sets_read(const uint64_t a[6], struct sets *sets) {
    if ((int32_t)a[0] < 0)
        return -L_EINVAL;
    sets->count = (uint32_t)a[0] < L_FD_SETSIZE ? (unsigned)a[0] : L_FD_SETSIZE;
    sets->size_bytes = (sets->count + 63) / 64 * sizeof(uint64_t);
    for (int i = 0; i < 3; i++) {
        sets->addresses[i] = a[i + 1];
        sets->wanted[i] = (struct linux_fd_set){0};
        if (a[i + 1] == 0)
            continue;
        int64_t error = user_read(&sets->wanted[i], a[i + 1], sets->size_bytes);
        if (error != 0)
            return error;
    }
    return 0;
}

static bool sets_have(const struct sets *sets, unsigned fd) {
    return set_has(&sets->wanted[0], fd) || set_has(&sets->wanted[1], fd) ||
           set_has(&sets->wanted[2], fd);
}

static unsigned sets_count(const struct sets *sets) {
    unsigned count = 0;
    for (unsigned fd = 0; fd < sets->count; fd++)
        count += sets_have(sets, fd);
    return count;
}

/* The descriptors in any set, as poll wants them. */
static void sets_list(const struct sets *sets, struct linux_pollfd *polls) {
    unsigned count = 0;
    for (unsigned fd = 0; fd < sets->count; fd++) {
        int16_t events = 0;
        if (set_has(&sets->wanted[0], fd))
            events |= READ_EVENTS;
        if (set_has(&sets->wanted[1], fd))
            events |= WRITE_EVENTS;
        if (sets_have(sets, fd))
            polls[count++] = (struct linux_pollfd){.fd = (int32_t)fd, .events = events};
    }
}

/* An end or an error is ready for whatever it was wanted for; nothing here has exceptions. How many
 * bits are set. EBADF: one was not open. */
static int64_t sets_tell(const struct sets *sets, const struct linux_pollfd *polls,
                         unsigned count) {
    struct linux_fd_set seen[3] = {0};
    int64_t bits = 0;
    for (unsigned i = 0; i < count; i++) {
        const struct linux_pollfd *poll = &polls[i];
        unsigned fd = (unsigned)poll->fd;
        bool is_over = (poll->seen & (L_POLLERR | L_POLLHUP)) != 0;
        if ((poll->seen & L_POLLNVAL) != 0)
            return -L_EBADF;
        for (int kind = 0; kind < 2; kind++) {
            int16_t mask = kind == 0 ? READ_EVENTS : WRITE_EVENTS;
            if ((poll->events & mask) == 0 || ((poll->seen & mask) == 0 && !is_over))
                continue;
            seen[kind].words[fd / 64] |= UINT64_C(1) << fd % 64;
            bits++;
        }
    }
    for (int kind = 0; kind < 3; kind++) {
        if (sets->addresses[kind] != 0 &&
            user_write(sets->addresses[kind], &seen[kind], sets->size_bytes) != 0)
            return -L_EFAULT;
    }
    return bits;
}

static int64_t select_until(struct thread *thread, const struct sets *sets, uint64_t deadline_ns) {
    struct linux_pollfd few[POLL_FEW], *polls = few;
    unsigned count = sets_count(sets);
    size_t size_bytes = count * sizeof(*polls);
    if (count > POLL_FEW && (polls = thread_list(thread, size_bytes)) == NULL)
        return -L_ENOMEM;
    sets_list(sets, polls);
    int64_t ready = descriptors_wait(thread, polls, count, deadline_ns);
    int64_t result = ready < 0 ? ready : sets_tell(sets, polls, count);
    if (polls != few)
        thread_list_drop(thread, size_bytes);
    return result;
}

static int64_t timeval_deadline(struct thread *thread, uint64_t address, uint64_t *deadline_ns) {
    struct linux_timeval time;
    uint64_t ns;
    int64_t error = user_get(&time, address);
    if (error != 0)
        return error;
    /* Linux carries what is more than a second over. */
    struct linux_timespec spec = {time.seconds, 0};
    if (time.microseconds < 0 || timespec_to_ns(&spec, &ns) != 0)
        return -L_EINVAL;
    *deadline_ns = deadline_after(thread, ns_add(ns, (uint64_t)time.microseconds * 1000));
    return 0;
}

int64_t linux_select(struct thread *thread, const uint64_t a[6]) {
    struct sets sets;
    uint64_t deadline_ns = AX_TIME_NEVER;
    int64_t error = a[4] != 0 ? timeval_deadline(thread, a[4], &deadline_ns) : 0;
    if (error == 0)
        error = sets_read(a, &sets);
    if (error != 0)
        return error;
    int64_t result = select_until(thread, &sets, deadline_ns);
    if (a[4] != 0) {
        struct linux_timespec rest = deadline_rest(deadline_ns);
        struct linux_timeval told = {rest.seconds, rest.nanoseconds / 1000};
        (void)!user_put(a[4], &told);
    }
    return result;
}

int64_t linux_pselect6(struct thread *thread, const uint64_t a[6]) {
    struct sets sets;
    struct linux_pselect_mask place = {0};
    signal_set mask;
    uint64_t deadline_ns = AX_TIME_NEVER;
    int64_t error = a[5] != 0 ? user_get(&place, a[5]) : 0;
    if (error == 0 && a[4] != 0)
        error = deadline_read(thread, a[4], DEADLINE_RELATIVE, L_CLOCK_MONOTONIC, &deadline_ns);
    if (error == 0 && place.mask != 0 && place.size_bytes != sizeof(mask))
        error = -L_EINVAL;
    if (error == 0 && place.mask != 0)
        error = user_get(&mask, place.mask);
    if (error == 0)
        error = sets_read(a, &sets);
    if (error != 0)
        return error;
    if (place.mask != 0)
        signal_mask_for_call(thread, mask);
    int64_t result = select_until(thread, &sets, deadline_ns);
    if (a[4] != 0)
        deadline_tell_rest(a[4], deadline_ns);
    return result;
}
