/* SPDX-License-Identifier: MIT */
/*
 * The word by which a guest thread and the kernel hand each other the turn (stub/layout.h), as the
 * kernel sees it: hostile input, compared exactly, and never changed in a loop.
 */
#include "machine.h"

#include "seed.h"

/* How often who waits yields before it sleeps, while that pays: a yield that takes longer than this
 * does not, and is not tried again for so many times as long. */
#define YIELDS        4
#define YIELD_MOST_NS UINT64_C(20000)
#define YIELD_PAUSE   16 /* stub.S knows it */

static bool word_change(uint32_t *word, uint32_t from, uint32_t to) {
    return __atomic_compare_exchange_n(word, &from, to, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* The turn was the kernel's. */
static bool word_pass(uint32_t *word, uint32_t to) {
    if (word_change(word, STUB_KERNEL, to))
        return true;
    if (!word_change(word, STUB_KERNEL | STUB_SLEEP, to))
        return false;
    host_wake(word);
    return true;
}

bool word_give(uint32_t *word) {
    return word_pass(word, STUB_GUEST);
}

bool word_end(uint32_t *word) {
    return word_pass(word, STUB_EXIT);
}

bool word_is_guests(uint32_t value) {
    value &= ~(uint32_t)STUB_SLEEP;
    return value == STUB_GUEST || value == STUB_KICKED;
}

bool word_is_kernels(uint32_t value) {
    return (value & ~(uint32_t)STUB_SLEEP) == STUB_KERNEL;
}

bool word_is_kicked(uint32_t value) {
    return (value & ~(uint32_t)STUB_SLEEP) == STUB_KICKED;
}

void word_sleep(uint32_t *word, uint32_t value, uint64_t until_ns) {
    uint32_t marked = value | STUB_SLEEP;
    if (value == marked || word_change(word, value, marked))
        host_wait(word, marked, until_ns);
}

void word_kick(uint32_t *word) {
    if (word_change(word, STUB_GUEST, STUB_KICKED) ||
        word_change(word, STUB_GUEST | STUB_SLEEP, STUB_KICKED))
        host_wake(word);
}

/* ---- Yielding -------------------------------------------------------------------------------- */

/* A seeded run reads no counter, and its times do not matter. */
uint32_t yields_most(void) {
    return seed_is_on() ? 0 : YIELDS;
}

uint64_t yield_most_ns(void) {
    return YIELD_MOST_NS;
}

bool cpu_yield(struct machine_cpu *cpu) {
    uint64_t start_ns = hal_time_ns();
    if (seed_is_on() || start_ns < cpu->yield_again_ns)
        return false;
    host_yield();
    uint64_t end_ns = hal_time_ns();
    if (end_ns - start_ns > YIELD_MOST_NS)
        cpu->yield_again_ns = end_ns + YIELD_PAUSE * (end_ns - start_ns);
    return true;
}
