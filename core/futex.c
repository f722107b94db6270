/* SPDX-License-Identifier: MIT */
#include "futex.h"

#include <base/align.h>

#include "calls.h"
#include "kernel.h"
#include "memory.h"
#include "process.h"
#include "thread.h"

/* A place in the tree: waiters of a key from a sequence number on. */
struct position {
    struct futex_key key;
    uint64_t sequence;
};

static struct position waiter_position(const struct tree_node *node) {
    const struct thread *thread = container_of(node, struct thread, futex_node);
    return (struct position){thread->futex_key, thread->futex_sequence};
}

static int waiter_compare_key(const void *key, const struct tree_node *node) {
    const struct position *a = key, b = waiter_position(node);
    if (a->key.object != b.key.object)
        return a->key.object < b.key.object ? -1 : 1;
    if (a->key.offset != b.key.offset)
        return a->key.offset < b.key.offset ? -1 : 1;
    return (a->sequence > b.sequence) - (a->sequence < b.sequence);
}

static int waiter_compare(const struct tree_node *a, const struct tree_node *b) {
    struct position position = waiter_position(a);
    return waiter_compare_key(&position, b);
}

static bool key_is_equal(const struct futex_key *a, const struct futex_key *b) {
    return a->object == b->object && a->offset == b->offset;
}

/* The last in line. */
static void waiter_insert(struct thread *thread, const struct futex_key *key) {
    thread->futex_key = *key;
    thread->futex_sequence = ++kernel->futex_sequence;
    struct tree_node *taken = tree_insert(&kernel->futexes, &thread->futex_node, waiter_compare);
    ASSERT(taken == NULL);
}

/* The first waiter of the key at or after a sequence number, or NULL. */
static struct thread *waiter_next(const struct futex_key *key, uint64_t sequence) {
    struct position position = {*key, sequence};
    struct tree_node *node = tree_lower_bound(&kernel->futexes, &position, waiter_compare_key);
    if (node == NULL)
        return NULL;
    struct thread *thread = container_of(node, struct thread, futex_node);
    return key_is_equal(&thread->futex_key, key) ? thread : NULL;
}

void futex_cancel(struct thread *thread) {
    tree_remove(&kernel->futexes, &thread->futex_node);
}

static void waiter_wake(struct thread *thread) {
    futex_cancel(thread);
    thread_wake(thread, AX_OK);
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
        *key = (struct futex_key){process->object.id, address};
    else
        *key = (struct futex_key){region->memory->object.id,
                                  region->offset * AX_PAGE_SIZE + (address - region->start)};
    return AX_OK;
}

/* Is the word at the address this value? AX_OK, AGAIN, or an error of the access. */
static ax_result futex_check(struct process *process, uint64_t address, uint32_t value) {
    struct frame *frame;
    uint32_t fault;
    TRY(page_resolve(process, address, AX_PROT_READ, false, &frame, &fault));
    const char *word = (const char *)frame_window(frame) + address % AX_PAGE_SIZE;
    uint32_t now = __atomic_load_n((const uint32_t *)(const void *)word, __ATOMIC_ACQUIRE);
    return now == value ? AX_OK : AX_ERR_AGAIN;
}

ax_result sys_futex_wait(struct thread *thread, const uint64_t arguments[5]) {
    uint64_t address = arguments[0], value = arguments[1], bits = arguments[2];
    uint64_t deadline_ns = arguments[3];
    if (value > UINT32_MAX || bits == 0 || bits > UINT32_MAX)
        return AX_ERR_ARGUMENT;
    struct futex_key key;
    TRY(futex_key(thread->process, address, &key));
    TRY(futex_check(thread->process, address, (uint32_t)value));
    TRY(wait_check(thread, deadline_ns));
    thread->futex_bits = (uint32_t)bits;
    waiter_insert(thread, &key);
    return thread_block(thread, BLOCK_FUTEX, deadline_ns);
}

void futex_wake_one(struct process *process, uint64_t address) {
    struct futex_key key;
    if (futex_key(process, address, &key) != AX_OK)
        return;
    struct thread *waiter = waiter_next(&key, 0);
    if (waiter != NULL)
        waiter_wake(waiter);
}

ax_result sys_futex_wake(struct thread *thread, const uint64_t arguments[5]) {
    uint64_t count = arguments[1], bits = arguments[2];
    if (bits == 0 || bits > UINT32_MAX)
        return AX_ERR_ARGUMENT;
    struct futex_key key;
    TRY(futex_key(thread->process, arguments[0], &key));
    unsigned portion = WORK_PORTION;
    uint64_t *woken = &thread->progress[0], *sequence = &thread->progress[1];
    struct thread *waiter;
    while (*woken < count && (waiter = waiter_next(&key, *sequence)) != NULL) {
        if (!portion_take(&portion))
            return RESULT_RESTART;
        *sequence = waiter->futex_sequence + 1;
        if ((waiter->futex_bits & bits) != 0) {
            waiter_wake(waiter);
            ++*woken;
        }
    }
    return (ax_result)*woken;
}

ax_result sys_futex_requeue(struct thread *thread, const uint64_t arguments[5]) {
    uint64_t address = arguments[0], wake_count = arguments[1], target = arguments[2];
    uint64_t move_count = arguments[3], value = arguments[4];
    /* Counts below this have sums. */
    if (wake_count > UINT32_MAX || move_count > UINT32_MAX || value > UINT32_MAX)
        return AX_ERR_ARGUMENT;
    struct futex_key key, target_key;
    TRY(futex_key(thread->process, address, &key));
    TRY(futex_key(thread->process, target, &target_key));
    if (key_is_equal(&key, &target_key))
        return AX_ERR_ARGUMENT;
    uint64_t *done = &thread->progress[0];
    if (*done == 0)
        TRY(futex_check(thread->process, address, (uint32_t)value));
    unsigned portion = WORK_PORTION;
    struct thread *waiter;
    while (*done < wake_count + move_count && (waiter = waiter_next(&key, 0)) != NULL) {
        if (!portion_take(&portion))
            return RESULT_RESTART;
        if (*done < wake_count) {
            waiter_wake(waiter);
        } else {
            futex_cancel(waiter);
            waiter_insert(waiter, &target_key);
        }
        ++*done;
    }
    return (ax_result)*done;
}
