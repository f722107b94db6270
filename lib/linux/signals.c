/* SPDX-License-Identifier: MIT */
#include "signals.h"

#include <base/memory.h>

/* Taken before all others, so that a fault's handler is the first to run where it was. */
#define SIGNALS_OF_FAULTS                                             \
    (UINT64_C(1) << (L_SIGSEGV - 1) | UINT64_C(1) << (L_SIGBUS - 1) | \
     UINT64_C(1) << (L_SIGILL - 1) | UINT64_C(1) << (L_SIGTRAP - 1) | \
     UINT64_C(1) << (L_SIGFPE - 1) | UINT64_C(1) << (L_SIGSYS - 1))

enum signal_default signal_default(int signal) {
    switch (signal) {
    case L_SIGCHLD:
    case L_SIGCONT:
    case L_SIGURG:
    case L_SIGWINCH: return SIGNAL_IS_IGNORED;
    case L_SIGSTOP:
    case L_SIGTSTP:
    case L_SIGTTIN:
    case L_SIGTTOU: return SIGNAL_STOPS;
    default: return SIGNAL_ENDS;
    }
}

/* ---- Entries --------------------------------------------------------------------------------- */

/* An entry, as index + 1; 0: there is none. */
static uint16_t entry_alloc(struct signal_pool *pool) {
    uint16_t found = pool->free;
    if (found != 0) {
        pool->free = pool->entries[found - 1].next;
        return found;
    }
    return pool->fresh < SIGNAL_ENTRIES ? ++pool->fresh : 0;
}

static void entry_free(struct signal_pool *pool, uint16_t entry) {
    pool->entries[entry - 1].next = pool->free;
    pool->free = entry;
}

/* Takes the entry out that comes after `before` (0: the first). */
static void entry_unlink(struct signal_queue *queue, struct signal_pool *pool, uint16_t before,
                         uint16_t entry) {
    uint16_t next = pool->entries[entry - 1].next;
    if (before == 0)
        queue->first = next;
    else
        pool->entries[before - 1].next = next;
    if (queue->last == entry)
        queue->last = before;
    entry_free(pool, entry);
}

/* ---- Queues ---------------------------------------------------------------------------------- */

enum signal_added signal_queue_add(struct signal_queue *queue, struct signal_pool *pool,
                                   const struct signal_info *info) {
    bool is_ordinary = info->signal < L_SIGRTMIN;
    if (is_ordinary && (queue->pending & signal_bit(info->signal)) != 0)
        return SIGNAL_MERGED;
    uint16_t entry = entry_alloc(pool);
    if (entry == 0 && !is_ordinary && info->code != L_SI_USER)
        return SIGNAL_REFUSED;
    queue->pending |= signal_bit(info->signal);
    if (entry == 0)
        return SIGNAL_ADDED;
    pool->entries[entry - 1] = (struct signal_entry){.info = *info};
    if (queue->last == 0)
        queue->first = entry;
    else
        pool->entries[queue->last - 1].next = entry;
    queue->last = entry;
    return SIGNAL_ADDED;
}

/* The oldest of the signal; whether more of it are behind. False: it is pending without entry. */
static bool queue_take_entry(struct signal_queue *queue, struct signal_pool *pool, int signal,
                             struct signal_info *info, bool *more) {
    uint16_t before = 0, found = 0, found_before = 0;
    *more = false;
    for (uint16_t at = queue->first; at != 0; before = at, at = pool->entries[at - 1].next) {
        if (pool->entries[at - 1].info.signal != signal)
            continue;
        if (found != 0) {
            *more = true;
            break;
        }
        found = at;
        found_before = before;
    }
    if (found == 0)
        return false;
    *info = pool->entries[found - 1].info;
    entry_unlink(queue, pool, found_before, found);
    return true;
}

bool signal_queue_take(struct signal_queue *queue, struct signal_pool *pool, signal_set set,
                       struct signal_info *info) {
    signal_set ready = queue->pending & set;
    if (ready == 0)
        return false;
    if ((ready & SIGNALS_OF_FAULTS) != 0)
        ready &= SIGNALS_OF_FAULTS;
    int signal = __builtin_ctzll(ready) + 1;
    bool more;
    if (!queue_take_entry(queue, pool, signal, info, &more))
        *info = (struct signal_info){.signal = signal, .code = L_SI_USER};
    if (!more)
        queue->pending &= ~signal_bit(signal);
    return true;
}

void signal_queue_drop(struct signal_queue *queue, struct signal_pool *pool, signal_set set) {
    uint16_t before = 0, at = queue->first;
    while (at != 0) {
        uint16_t next = pool->entries[at - 1].next;
        if ((signal_bit(pool->entries[at - 1].info.signal) & set) != 0)
            entry_unlink(queue, pool, before, at);
        else
            before = at;
        at = next;
    }
    queue->pending &= ~set;
}

bool signal_queue_has_timer(const struct signal_queue *queue, const struct signal_pool *pool,
                            uint32_t timer) {
    for (uint16_t at = queue->first; at != 0; at = pool->entries[at - 1].next) {
        const struct signal_info *info = &pool->entries[at - 1].info;
        if (info->code == L_SI_TIMER && info->pid == timer)
            return true;
    }
    return false;
}

void signal_info_fill(const struct signal_info *info, struct linux_siginfo *full) {
    memset(full, 0, sizeof(*full));
    full->signal = info->signal;
    full->code = info->code;
    /* Of a fault it is an address, in the place of pid and uid. */
    if (info->code > L_SI_USER && (signal_bit(info->signal) & SIGNALS_OF_FAULTS) != 0) {
        full->address = info->value;
        return;
    }
    full->pid = info->pid;
    full->uid = info->uid;
    full->value = info->value;
}
