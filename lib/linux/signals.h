/* SPDX-License-Identifier: MIT */
/* Sets of signals, and queues of those that are pending. Nothing here makes a call or a decision
 * about a thread: it is data with rules. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "structures.h"

typedef uint64_t signal_set; /* bit (number - 1) */

static inline signal_set signal_bit(int signal) {
    return UINT64_C(1) << (signal - 1);
}

static inline bool signal_is_valid(int64_t signal) {
    return signal >= 1 && signal <= L_SIGNAL_MAX;
}

/* Those that cannot be blocked, caught or ignored. */
#define SIGNALS_FIRM (UINT64_C(1) << (L_SIGKILL - 1) | UINT64_C(1) << (L_SIGSTOP - 1))

/* What happens if there is no handler. */
enum signal_default {
    SIGNAL_ENDS,
    SIGNAL_IS_IGNORED,
    SIGNAL_STOPS,
};
enum signal_default signal_default(int signal);

/* ---- Queues ---------------------------------------------------------------------------------- */

#define SIGNAL_ENTRIES 256 /* that a process can have queued */

/* What came with a signal, enough to make its siginfo. */
struct signal_info {
    int32_t signal;
    int32_t code;
    uint32_t pid, uid; /* of who sent it; of a timer its id, and how often it was late */
    uint64_t value;
};

struct signal_entry {
    struct signal_info info;
    uint16_t next; /* index + 1; 0: the last */
};

/* Entries that all queues of a process share. All zero is the beginning. */
struct signal_pool {
    struct signal_entry entries[SIGNAL_ENTRIES];
    uint16_t free;  /* first of those given back: index + 1 */
    uint16_t fresh; /* entries from here on were never used */
};

/* Signals pending for a thread or a process, oldest first. All zero is empty. */
struct signal_queue {
    signal_set pending;
    uint16_t first, last; /* index + 1 */
};

enum signal_added {
    SIGNAL_ADDED,
    SIGNAL_MERGED, /* an ordinary signal that was pending already */
    SIGNAL_REFUSED /* a real-time signal with a value, and no room to keep it */
};

/* Adds a signal. One without a value of its own is pending even when there is no room. */
enum signal_added signal_queue_add(struct signal_queue *queue, struct signal_pool *pool,
                                   const struct signal_info *info);

/* The next of the set: those that faults raise first, then by number, then by age. False: none. */
bool signal_queue_take(struct signal_queue *queue, struct signal_pool *pool, signal_set set,
                       struct signal_info *info);

/* Forgets all that are pending of the set. */
void signal_queue_drop(struct signal_queue *queue, struct signal_pool *pool, signal_set set);

/* Is there a signal of the queue that this timer sent? */
bool signal_queue_has_timer(const struct signal_queue *queue, const struct signal_pool *pool,
                            uint32_t timer);

/* The structure that a handler is given. */
void signal_info_fill(const struct signal_info *info, struct linux_siginfo *full);
