/* SPDX-License-Identifier: MIT */
/* The words by which threads and the kernel take turns: woken, waited on, forged, scribbled over.
 */
#include "hostile.h"

#define HOST_FUTEX 202
#define FUTEX_WAIT 0
#define FUTEX_WAKE 1
#define WAIT_LONG  (ax_clock_ns() + 300 * MS)

static void sleep_often(uint64_t argument) {
    (void)argument;
    for (;;)
        (void)ax_sleep_until(ax_clock_ns() + MS);
}

static void call_often(uint64_t argument) {
    (void)argument;
    for (;;)
        (void)ax_sleep_until(0);
}

/* Where a stub has words: the start of each readable page of its own. */
static uint64_t word_at(uint64_t index) {
    const uint64_t pages[] = {STUB_TEXT,
                              STUB_CONSTANTS,
                              STUB_ORDERS,
                              (uint64_t)area_of(0),
                              (uint64_t)area_of(0) + STUB_FIXED,
                              (uint64_t)area_of(0) + STUB_SIGNAL_STACK,
                              (uint64_t)area_of(1),
                              (uint64_t)area_of(1) + STUB_FIXED,
                              AX_KERNEL_PAGE,
                              AX_THREAD_PAGES,
                              (uint64_t)shared};
    return pages[index / 16 % COUNT(pages)] + index % 16 * 4;
}

#define WORDS (11 * 16)

/* Wakes whoever sleeps on them, for as long as others of the process work. */
static int wake_all(uint64_t argument) {
    static uint64_t end; /* set once: who gives way in a quiet call goes on behind the last sleep */
    (void)argument;
    (void)thread_start(sleep_often, 0);
    (void)ax_sleep_until(ax_clock_ns() + 10 * MS);
    if (end == 0)
        end = ax_clock_ns() + 300 * MS;
    while (ax_clock_ns() < end) {
        for (uint64_t i = 0; i < WORDS; i++)
            host_call_quietly(HOST_FUTEX, word_at(i), FUTEX_WAKE, INT32_MAX, 0, 0);
    }
    return 0;
}

/* Sleeps in the host's kernel, on a word that nobody wakes. */
static int wait_on(uint64_t argument) {
    argument *= 3;
    (void)thread_start(sleep_often, 0);
    (void)ax_sleep_until(ax_clock_ns() + 10 * MS);
    uint64_t at = word_at(argument);
    while (shared->go[own_slot] != 0) {
        uint32_t value = *(volatile uint32_t *)at; /* NOLINT(performance-no-int-to-ptr) */
        if (argument % 2 != 0)
            host_call_quietly(HOST_FUTEX, at, FUTEX_WAIT, value, 0, 0);
        else
            (void)host_call(HOST_FUTEX, at, FUTEX_WAIT, value, 0, 0);
    }
    return 0;
}

/* Goes into the mapper's own loop, with a word of its own for its orders. */
static int mapper_loop(uint64_t argument) {
    static uint64_t orders[STUB_ORDERS_BYTES / 8];
    struct jump jump;
    jump_prepare(&jump, STUB_TEXT + 0x200 + argument);
    jump.regs.r15 = (uint64_t)orders;
    jump.regs.rdi = jump.regs.r14 = 0;
    jump.regs.r12 = (uint64_t)orders;
    jump_run(&jump);
    return 0;
}

/* ---- Cheating -------------------------------------------------------------------------------- */

/* Counts until the time or the word says stop. */
static uint64_t count_while(volatile uint32_t *word, uint64_t end_ns, uint64_t each) {
    uint64_t count = 0;
    while (*word == STUB_KERNEL && (++count % 1024 != 0 || ax_clock_ns() < end_ns)) {
        if (each != 0 && count % each == 0)
            shared->progress[own_slot]++;
    }
    return count;
}

/* It tells for how many milliseconds of a host CPU it has cheated, by how far it can count in one,
 * with nobody in between. */
static int cheat(uint64_t argument) {
    uint32_t always = STUB_KERNEL;
    uint64_t each = 1;
    (void)argument;
    for (unsigned i = 0; i < 32; i++) {
        uint64_t count = count_while(&always, ax_clock_ns() + MS, 0);
        each = count > each ? count : each;
    }
    claim_to_wait(ax_clock_ns() + 1500 * MS);
    (void)count_while(&area_of(thread_slot())->word, AX_TIME_NEVER, each);
    sleep_often(0);
    return 0;
}

/* Claims to wait, and is gone when its time has come. */
static int cheat_and_crash(uint64_t argument) {
    (void)thread_start(sleep_often, 0);
    (void)thread_start(call_often, 0);
    claim_to_wait(WAIT_LONG);
    spin_for((1 + argument % 4) * MS);
    stub_crash();
}

/* Ends its stub while another thread has orders executed all the time. */
static void map_often(uint64_t argument) {
    struct ax_map_request request = {.size_bytes = 8 * AX_PAGE_SIZE,
                                     .prot = AX_PROT_READ | AX_PROT_WRITE,
                                     .flags = AX_MAP_POPULATE};
    (void)argument;
    for (;;) {
        ax_result address = ax_memory_map(AX_HANDLE_NONE, AX_HANDLE_NONE, &request);
        if (address > 0)
            (void)ax_memory_unmap(AX_HANDLE_NONE, (uint64_t)address, request.size_bytes);
    }
}

static int crash_while_mapping(uint64_t argument) {
    (void)thread_start(map_often, 0);
    if (argument % 2 != 0)
        claim_to_wait(WAIT_LONG);
    spin_for(argument % 16 * MS / 4 + MS / 8);
    stub_crash();
}

static int crash(uint64_t argument) {
    (void)argument;
    stub_crash();
}

/* ---- Forging --------------------------------------------------------------------------------- */

static void flip_often(uint64_t slot) {
    volatile uint32_t *word = &area_of((unsigned)slot)->word;
    for (;;) {
        *word = STUB_KICKED;
        *word = STUB_GUEST;
    }
}

static int flip_word(uint64_t argument) {
    if (argument == 0)
        flip_often(thread_slot());
    (void)thread_start(call_often, 0);
    (void)thread_start(flip_often, 1);
    if (argument == 2)
        claim_to_wait(WAIT_LONG);
    flip_often(0);
    return 1;
}

static int word_value(uint64_t argument) {
    area_of(thread_slot())->word = (uint32_t)argument;
    spin();
}

/* Holds the word of a thread that is being made at START. */
static void start_hold(uint64_t slot) {
    volatile uint32_t *word = &area_of((unsigned)slot)->word;
    uint64_t value;
    claim_to_wait(ax_clock_ns() + 1200 * MS);
    while (!try_read((uint64_t)word, &value))
        ;
    for (;;) {
        if (*word != STUB_START)
            *word = STUB_START;
    }
}

static int start_held(uint64_t argument) {
    (void)argument;
    (void)thread_start(start_hold, 2);
    (void)ax_sleep_until(ax_clock_ns() + 5 * MS);
    (void)thread_start(call_often, 0);
    sleep_often(0);
    return 0;
}

/* What it says of itself is anything. */
static int odd_event(uint64_t argument) {
    volatile struct stub_area *area = area_of(thread_slot());
    struct random random;
    random_seed(&random, argument);
    for (volatile uint64_t *at = &area->kind; at < (volatile uint64_t *)(area + 1); at++)
        *at = argument % 3 == 0 ? random_next(&random) : random_below(&random, 64);
    area->kind = argument % 7;
    __atomic_exchange_n(&area->word, STUB_KERNEL, __ATOMIC_SEQ_CST);
    (void)host_call(HOST_FUTEX, (uint64_t)&area->word, FUTEX_WAKE, INT32_MAX, 0, 0);
    spin();
}

/* ---- Scribbling ------------------------------------------------------------------------------ */

/* Pages that a guest can write, beside what it was given. */
static uint64_t page_of(struct random *random) {
    unsigned slot = (unsigned)random_below(random, 4);
    switch (random_below(random, 4)) {
    case 0: return AX_THREAD_PAGES + slot * AX_PAGE_SIZE;
    case 1:
        return (uint64_t)area_of(slot) + STUB_SIGNAL_STACK +
               random_below(random, STUB_AREA_BYTES - STUB_SIGNAL_STACK) / AX_PAGE_SIZE *
                   AX_PAGE_SIZE;
    default: return (uint64_t)area_of(slot);
    }
}

static void scribble(uint64_t seed) {
    struct random random;
    random_seed(&random, seed);
    for (;;) {
        uint64_t page = page_of(&random);
        uint64_t bytes = page >= STUB_AREAS && page % STUB_AREA_BYTES == 0 ? 512 : AX_PAGE_SIZE;
        uint64_t at = page + random_below(&random, bytes / 8) * 8;
        uint64_t value = random_next(&random);
        *(volatile uint64_t *)at = value >> random_below(&random, 64); /* NOLINT */
        if (random_below(&random, 64) == 0)
            (void)ax_sleep_until(0);
    }
}

static int scribbles(uint64_t argument) {
    (void)thread_start(argument % 2 != 0 ? call_often : map_often, 0);
    (void)thread_start(scribble, argument * 2 + 1);
    (void)thread_start(sleep_often, 0);
    (void)ax_sleep_until(0);
    scribble(argument * 2);
    return 1;
}

/* ---- What others left ------------------------------------------------------------------------ */

#define MARK UINT64_C(0x6c6974736f682e61)

/* ---- Remaining ------------------------------------------------------------------------------- */

/* Does not go when its process does: it claims to be gone and runs on, at once or when it is asked
 * to go, or sleeps in the stub. */
static void linger_on(uint64_t argument) {
    static volatile uint32_t never;
    volatile uint32_t *word = &area_of(thread_slot())->word;
    never = 0; /* it is there before Linux looks at it */
    claim_to_wait(WAIT_LONG);
    shared->progress[own_slot]++;
    while (argument % 3 == 0 && *word != STUB_EXIT)
        ;
    while (argument % 3 < 2)
        *word = STUB_DEAD;
    for (;;)
        (void)host_call(HOST_FUTEX, (uint64_t)&never, FUTEX_WAIT, 0, 0, 0);
}

static int linger(uint64_t argument) {
    for (unsigned i = 0; i < 2; i++)
        (void)thread_start(linger_on, argument + i);
    while (shared->progress[own_slot] < 2)
        (void)ax_sleep_until(0);
    return 0;
}

const struct attack attack_linger = {"linger", linger, 6, END_DONE | END_LOST, 0, 0};

/* Odd arguments leave something in the page they share with the kernel, even ones look for it. */
static int remains(uint64_t argument) {
    volatile uint64_t *page = (volatile uint64_t *)area_of(thread_slot());
    int found = 0;
    for (unsigned i = 64; i < STUB_FIXED / 8; i++) {
        found |= page[i] != 0;
        page[i] = MARK + argument;
    }
    return found;
}

const struct attack attacks_words[] = {
    {"wake-all", wake_all, 1, END_DONE, 0, 0},
    {"wait-on", wait_on, WORDS / 3, END_LOST | END_FAULT | END_KILLED, 100, 0},
    {"mapper-loop", mapper_loop, 384, END_ANY, 0, 0},
    {"cheat", cheat, 1, END_LOST | END_KILLED, 3000, 500},
    {"cheat-and-crash", cheat_and_crash, 24, END_LOST, 0, 0},
    {"crash-mapping", crash_while_mapping, 48, END_LOST, 0, 0},
    {"crash", crash, 24, END_LOST, 0, 0},
    /* A flipped word hands over an event that nobody wrote: an upcall of it ends the attacker. */
    {"flip-word", flip_word, 3, END_LOST | END_KILLED | END_FAULT, 1000, 0},
    {"word-value", word_value, 24, END_LOST | END_KILLED, 200, 0},
    {"start-held", start_held, 2, END_LOST, 20000, 0},
    {"odd-event", odd_event, 84, END_ANY, 100, 0},
    {"scribble", scribbles, 64, END_ANY, 400, 0},
    {"linger", linger, 6, END_DONE | END_LOST, 0, 0},
    {"remains", remains, 32, END_DONE, 0, 0},
    {NULL, NULL, 0, 0, 0, 0},
};
