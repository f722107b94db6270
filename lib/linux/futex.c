/* SPDX-License-Identifier: MIT */
/* The futex call. Words in shared memory and in private are told apart by the kernel, which knows
 * what is mapped there, so the private flag changes nothing. */
#include <sys/ax.h>

#include "access.h"
#include "clocks.h"
#include "deliver.h"

/* How many a caller means: a signed number, whose negative values mean none. */
static uint32_t count_of(uint64_t value) {
    return (int32_t)value > 0 ? (uint32_t)value : 0;
}

static int64_t wait(struct thread *thread, uint64_t address, uint64_t value, uint64_t bits,
                    uint64_t deadline_ns) {
    if ((uint32_t)bits == 0)
        return -L_EINVAL;
    for (;;) {
        bool is_due = signals_due(thread) != 0;
        ax_result result =
            ax_futex_wait(address, (uint32_t)value, (uint32_t)bits, is_due ? 0 : deadline_ns);
        if (result == AX_ERR_INTERRUPTED)
            thread_take_interrupt(thread);
        else if (is_due && result == AX_ERR_TIMEOUT)
            return deadline_ns == AX_TIME_NEVER ? -L_RESTARTSYS : -L_RESTARTNOW;
        else
            return error_or_zero(result);
    }
}

static int64_t wake(uint64_t address, uint64_t count, uint64_t bits) {
    if ((uint32_t)bits == 0)
        return -L_EINVAL;
    ax_result result = ax_futex_wake(address, count_of(count), (uint32_t)bits);
    return result < 0 ? error_of(result) : result;
}

/* FUTEX_REQUEUE does not look at the word: it is read until it is the one that is compared. */
static int64_t requeue(const uint64_t a[6], bool is_compared) {
    if ((int32_t)a[2] < 0 || (int32_t)a[3] < 0)
        return -L_EINVAL;
    for (;;) {
        uint32_t value = (uint32_t)a[5];
        if (!is_compared && user_get(&value, a[0]) != 0)
            return -L_EFAULT;
        ax_result result = ax_futex_requeue(a[0], (uint32_t)a[2], a[4], (uint32_t)a[3], value);
        if (result == AX_ERR_AGAIN && !is_compared)
            continue;
        return result < 0 ? error_of(result) : result;
    }
}

/* ---- FUTEX_WAKE_OP --------------------------------------------------------------------------- */

enum { OP_SET = 0, OP_ADD, OP_OR, OP_ANDN, OP_XOR, OP_SHIFTED = 8 };
enum { COMPARE_EQ = 0, COMPARE_NE, COMPARE_LT, COMPARE_LE, COMPARE_GT, COMPARE_GE };

/* Operation, comparison, and their 12-bit signed arguments, packed in a word. */
struct wake_op {
    uint32_t op, compare;
    int32_t op_argument, compare_argument;
};

static int32_t signed_12(uint32_t value) {
    return (int32_t)(value << 20) >> 20;
}

static int64_t wake_op_decode(uint32_t packed, struct wake_op *op) {
    *op = (struct wake_op){packed >> 28 & 7, packed >> 24 & 15, signed_12(packed >> 12 & 0xfff),
                           signed_12(packed & 0xfff)};
    if ((packed >> 28 & OP_SHIFTED) != 0)
        op->op_argument = (int32_t)(UINT32_C(1) << (op->op_argument & 31));
    return op->op > OP_XOR || op->compare > COMPARE_GE ? -L_ENOSYS : 0;
}

static uint32_t wake_op_apply(const struct wake_op *op, uint32_t old) {
    uint32_t argument = (uint32_t)op->op_argument;
    switch (op->op) {
    case OP_SET: return argument;
    case OP_ADD: return old + argument;
    case OP_OR: return old | argument;
    case OP_ANDN: return old & ~argument;
    default: return old ^ argument;
    }
}

static bool wake_op_compare(const struct wake_op *op, uint32_t old) {
    int32_t a = (int32_t)old, b = op->compare_argument;
    switch (op->compare) {
    case COMPARE_EQ: return a == b;
    case COMPARE_NE: return a != b;
    case COMPARE_LT: return a < b;
    case COMPARE_LE: return a <= b;
    case COMPARE_GT: return a > b;
    default: return a >= b;
    }
}

static int64_t wake_and_change(const uint64_t a[6]) {
    struct wake_op op;
    uint32_t old, seen;
    int64_t error = wake_op_decode((uint32_t)a[5], &op);
    if (error == 0 && (a[0] % 4 != 0 || a[4] % 4 != 0))
        error = -L_EINVAL;
    if (error == 0)
        error = user_get(&old, a[4]);
    while (error == 0) {
        error = user_exchange(a[4], old, wake_op_apply(&op, old), &seen);
        if (error == 0 && seen == old)
            break;
        old = seen;
    }
    if (error != 0)
        return error;
    int64_t woken = wake(a[0], a[2], UINT32_MAX);
    if (woken < 0 || !wake_op_compare(&op, old))
        return woken;
    int64_t others = wake(a[4], a[3], UINT32_MAX);
    return others < 0 ? others : woken + others;
}

/* ---- The call -------------------------------------------------------------------------------- */

int64_t linux_futex(struct thread *thread, const uint64_t a[6]) {
    uint64_t op = (uint32_t)a[1] & ~(uint64_t)(L_FUTEX_PRIVATE | L_FUTEX_CLOCK_REALTIME);
    bool is_realtime = (a[1] & L_FUTEX_CLOCK_REALTIME) != 0;
    uint64_t deadline_ns = AX_TIME_NEVER;
    if (is_realtime && op != L_FUTEX_WAIT_BITSET)
        return -L_ENOSYS;
    if ((op == L_FUTEX_WAIT || op == L_FUTEX_WAIT_BITSET) && a[3] != 0) {
        int64_t error =
            deadline_read(thread, a[3], op == L_FUTEX_WAIT ? DEADLINE_RELATIVE : DEADLINE_ABSOLUTE,
                          is_realtime ? L_CLOCK_REALTIME : L_CLOCK_MONOTONIC, &deadline_ns);
        if (error != 0)
            return error;
    }
    switch (op) {
    case L_FUTEX_WAIT: return wait(thread, a[0], a[2], UINT32_MAX, deadline_ns);
    case L_FUTEX_WAIT_BITSET: return wait(thread, a[0], a[2], a[5], deadline_ns);
    case L_FUTEX_WAKE: return wake(a[0], a[2], UINT32_MAX);
    case L_FUTEX_WAKE_BITSET: return wake(a[0], a[2], a[5]);
    case L_FUTEX_REQUEUE: return requeue(a, false);
    case L_FUTEX_CMP_REQUEUE: return requeue(a, true);
    case L_FUTEX_WAKE_OP: return wake_and_change(a);
    default: return call_unknown(thread);
    }
}
