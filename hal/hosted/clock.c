/* SPDX-License-Identifier: MIT */
/*
 * The clock: the processor's time stamp counter, scaled. The kernel page has the same in machine
 * code, so that a program reads the time without a kernel call, and the same time.
 */
#include "machine.h"

#include <base/memory.h>

#include "seed.h"

/* How long the counter is compared with the host's clock at least. */
#define CALIBRATION_NS UINT64_C(1000000)

/* When a seeded run begins: the beginning of 2026, whatever the seed. */
#define SEEDED_DATE_NS (UINT64_C(1767225600) * 1000000000)

#define CLOCK_OFFSET (AX_KERNEL_CLOCK - AX_KERNEL_PAGE)
#define YIELD_OFFSET (AX_KERNEL_YIELD - AX_KERNEL_PAGE)
#define CLOCK_WORD   120 /* offset of the word, between the two */

static uint64_t clock_scale; /* nanoseconds a count, times 2^32 */
static uint64_t clock_start; /* the counter when the machine's clock read 0 */
static uint64_t start_ns;

uint64_t clock_date_ns(void) {
    return seed_is_on() ? SEEDED_DATE_NS : host_date_ns(start_ns);
}

static uint64_t counter_read(void) {
    return __builtin_ia32_rdtsc();
}

uint64_t hal_time_ns(void) {
    if (seed_is_on())
        return seed_time_ns();
    return (uint64_t)(((unsigned __int128)(counter_read() - clock_start) * clock_scale) >> 32);
}

void clock_begin(void) {
    if (!host_counter_is_steady())
        host_fail("this host's time stamp counter does not run evenly (no invariant TSC)");
    host_time_pair(&clock_start, &start_ns);
}

void clock_calibrate(void) {
    uint64_t counter, now_ns;
    do
        host_time_pair(&counter, &now_ns);
    while (now_ns - start_ns < CALIBRATION_NS);
    clock_scale =
        (uint64_t)(((unsigned __int128)(now_ns - start_ns) << 32) / (counter - clock_start));
}

uint64_t clock_counts(uint64_t time_ns) {
    return (uint64_t)(((unsigned __int128)time_ns << 32) / clock_scale);
}

static uint8_t *put(uint8_t *at, const void *bytes, size_t size_bytes) {
    memcpy(at, bytes, size_bytes);
    return at + size_bytes;
}

static uint64_t *clock_word; /* where programs of a seeded run read the time */

void clock_show(void) {
    if (clock_word != NULL)
        __atomic_store_n(clock_word, seed_time_ns(), __ATOMIC_RELAXED);
}

/*
 * The entries of a seeded run: the clock is a word of the page, and the yield point a hand-off of
 * its own number, which the machine answers or makes the kernel call of.
 */
static void seeded_page(uint8_t *page) {
    static const uint8_t load[] = {0x48, 0x8b, 0x05, CLOCK_WORD - CLOCK_OFFSET - 7,
                                   0,    0,    0,    0xc3}; /* mov clock_word(%rip), %rax; ret */
    static const uint8_t yield[] = {0x48, 0xc7, 0xc7, 0xff, 0xff, 0xff, 0xff, /* mov $-1, %rdi */
                                    0xe9};                                    /* jmp the call */
    int32_t back = -(int32_t)(YIELD_OFFSET + sizeof(yield) + 4);
    put(page + CLOCK_OFFSET, load, sizeof(load));
    put(put(page + YIELD_OFFSET, yield, sizeof(yield)), &back, sizeof(back));
    clock_word = (uint64_t *)(void *)(page + CLOCK_WORD);
    clock_show();
}

/*
 * The entries of the kernel page. The call pops the return address, which faults here if the
 * program's stack is bad, with everything else as the program left it: going on makes the call.
 */
void hal_kernel_page(uint64_t physical) {
    static const uint8_t call[] = {0x41, 0x5a,                    /* pop %r10 */
                                   0x48, 0xb8};                   /* movabs $STUB_TEXT, %rax */
    static const uint8_t jump[] = {0xff, 0xe0};                   /* jmp *%rax */
    static const uint8_t read[] = {0x0f, 0x31,                    /* rdtsc */
                                   0x48, 0xc1, 0xe2, 0x20,        /* shl $32, %rdx */
                                   0x48, 0x09, 0xd0,              /* or %rdx, %rax */
                                   0x48, 0xba};                   /* movabs $clock_start, %rdx */
    static const uint8_t take[] = {0x48, 0x29, 0xd0,              /* sub %rdx, %rax */
                                   0x48, 0xba};                   /* movabs $clock_scale, %rdx */
    static const uint8_t scale[] = {0x48, 0xf7, 0xe2,             /* mul %rdx */
                                    0x48, 0x0f, 0xac, 0xd0, 0x20, /* shrd $32, %rdx, %rax */
                                    0xc3};                        /* ret */
    const uint64_t target = STUB_TEXT;
    uint8_t *page = hal_window(physical);
    uint8_t *at = put(page, call, sizeof(call));
    at = put(at, &target, sizeof(target));
    put(at, jump, sizeof(jump));
    at = put(page + CLOCK_OFFSET, read, sizeof(read));
    at = put(at, &clock_start, sizeof(clock_start));
    at = put(at, take, sizeof(take));
    at = put(at, &clock_scale, sizeof(clock_scale));
    put(at, scale, sizeof(scale));
    page[YIELD_OFFSET] = 0xc3; /* ret */
    if (seed_is_on())
        seeded_page(page);
}
