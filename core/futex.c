/* SPDX-License-Identifier: MIT */
#include "futex.h"

#include <base/align.h>

#include "calls.h"
#include "kernel.h"
#include "memory.h"
#include "process.h"
#include "thread.h"

static struct thread *waiter_of(const struct tree_node *node) {
    return container_of(node, struct thread, futex_node);
}

static int waiter_compare(const void *key, const struct tree_node *node) {
    const struct futex_key *a = key, *b = &waiter_of(node)->futex_key;
    if (a->object != b->object)
        return a->object < b->object ? -1 : 1;
    if (a->offset != b->offset)
        return a->offset < b->offset ? -1 : 1;
    return (a->sequence > b->sequence) - (a->sequence < b->sequence);
}

static bool key_is_equal(const struct futex_key *a, const struct futex_key *b) {
    return a->object == b->object && a->offset == b->offset;
}

/* The last in line. */
static void waiter_insert(struct thread *thread, const struct futex_key *key) {
    thread->futex_key = *key;
    thread->futex_key.sequence = ++kernel->futex_sequence;
    tree_insert(&kernel->futexes, &thread->futex_node, &thread->futex_key, waiter_compare);
}

/* The first waiter of the key at or after its sequence number, or NULL. */
static struct thread *waiter_next(const struct futex_key *key) {
    const struct tree_node *node = tree_lower_bound(&kernel->futexes, key, waiter_compare);
    struct thread *thread = node != NULL ? waiter_of(node) : NULL;
    return thread != NULL && key_is_equal(&thread->futex_key, key) ? thread : NULL;
}

void futex_cancel(struct thread *thread) {
    tree_remove(&kernel->futexes, &thread->futex_node);
}

/*
 * Takes out up to wake_count waiters of the key of which a bit matches, and wakes them; then up to
 * move_count, which get in line for the target. progress: how many were taken out, and the sequence
 * number to go on from.
 */
static ax_result waiters_take(uint64_t progress[2], struct futex_key *key, uint64_t bits,
                              uint64_t wake_count, const struct futex_key *target,
                              uint64_t move_count) {
    unsigned portion = WORK_PORTION;
    struct thread *waiter;
    key->sequence = progress[1];
    while (progress[0] < wake_count + move_count && (waiter = waiter_next(key)) != NULL) {
        if (!portion_take(&portion))
            return RESULT_RESTART;
        key->sequence = progress[1] = waiter->futex_key.sequence + 1;
        if ((waiter->futex_bits & bits) == 0)
            continue;
        futex_cancel(waiter);
        if (progress[0]++ < wake_count)
            thread_wake(waiter, AX_OK);
        else
            waiter_insert(waiter, target);
    }
    return (ax_result)progress[0];
}

/* Which word an address means: of a shared object, or of this process alone. Errors: ARGUMENT (not
 * aligned), ADDRESS (nothing is mapped there). */
static ax_result futex_key(struct process *process, uint64_t address, struct futex_key *key) {
    if (!is_aligned(address, sizeof(uint32_t)))
        return AX_ERR_ARGUMENT;
    const struct region *region = space_find(process, address);
    if (region == NULL)
        return AX_ERR_ADDRESS;
    if (region->is_private)
        *key = (struct futex_key){process->object.id, address, 0};
    else
        *key = (struct futex_key){region->memory->object.id,
                                  region->offset * AX_PAGE_SIZE + (address - region->start), 0};
    return AX_OK;
}

static ax_result futex_word(struct process *process, uint64_t address, uint32_t access,
                            uint32_t **word) {
    struct frame *frame;
    TRY(page_resolve(process, address, access, false, &frame));
    uint32_t *words = frame_window(frame);
    *word = &words[address % AX_PAGE_SIZE / sizeof(*words)];
    return AX_OK;
}

/* Is the word at the address this value? AX_OK, AGAIN, or an error of the access. */
static ax_result futex_check(struct process *process, uint64_t address, uint64_t value) {
    uint32_t *word;
    TRY(futex_word(process, address, AX_PROT_READ, &word));
    return __atomic_load_n(word, __ATOMIC_ACQUIRE) == value ? AX_OK : AX_ERR_AGAIN;
}

ax_result sys_futex_wait(struct thread *thread, const uint64_t arguments[5]) {
    uint64_t address = arguments[0], value = arguments[1], bits = arguments[2];
    uint64_t deadline_ns = arguments[3];
    if (value > UINT32_MAX || bits == 0 || bits > UINT32_MAX)
        return AX_ERR_ARGUMENT;
    struct futex_key key;
    TRY(futex_key(thread->process, address, &key));
    TRY(futex_check(thread->process, address, value));
    TRY(wait_check(thread, deadline_ns));
    thread->futex_bits = (uint32_t)bits;
    waiter_insert(thread, &key);
    return thread_block(thread, BLOCK_FUTEX, deadline_ns);
}

void futex_clear(struct process *process, uint64_t address) {
    struct futex_key key;
    uint32_t *word;
    if (futex_key(process, address, &key) != AX_OK ||
        futex_word(process, address, AX_PROT_WRITE, &word) != AX_OK)
        return;
    __atomic_store_n(word, 0, __ATOMIC_RELEASE);
    uint64_t progress[2] = {0};
    ax_result woken = waiters_take(progress, &key, UINT32_MAX, 1, NULL, 0);
    ASSERT(woken == 0 || woken == 1);
}

ax_result sys_futex_wake(struct thread *thread, const uint64_t arguments[5]) {
    uint64_t bits = arguments[2];
    if (bits == 0 || bits > UINT32_MAX)
        return AX_ERR_ARGUMENT;
    struct futex_key key;
    TRY(futex_key(thread->process, arguments[0], &key));
    return waiters_take(thread->progress, &key, bits, arguments[1], NULL, 0);
}

ax_result sys_futex_requeue(struct thread *thread, const uint64_t arguments[5]) {
    uint64_t wake_count = arguments[1], move_count = arguments[3], value = arguments[4];
    /* Counts below this have sums. */
    if (wake_count > UINT32_MAX || move_count > UINT32_MAX || value > UINT32_MAX)
        return AX_ERR_ARGUMENT;
    struct futex_key key, target;
    TRY(futex_key(thread->process, arguments[0], &key));
    TRY(futex_key(thread->process, arguments[2], &target));
    if (key_is_equal(&key, &target))
        return AX_ERR_ARGUMENT;
    if (thread->progress[0] == 0)
        TRY(futex_check(thread->process, arguments[0], value));
    return waiters_take(thread->progress, &key, UINT32_MAX, wake_count, &target, move_count);
}
