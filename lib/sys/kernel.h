/* SPDX-License-Identifier: MIT */
/*
 * How a program reaches the kernel and its thread page: the only place of the native interface
 * that knows the processor. A test puts a header of the same name before this one.
 */
#pragma once

#include <stdint.h>

#include <abi/error.h>
#include <abi/layout.h>
#include <abi/thread_page.h>

typedef ax_result ax_kernel_entry(uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2,
                                  uint64_t a3, uint64_t a4);
typedef uint64_t ax_clock_entry(void);
typedef void ax_yield_entry(void);

/* The kernel page's entries are addresses by definition: NOLINTBEGIN(performance-no-int-to-ptr) */

/* A kernel call by its number (enum ax_call); <sys/ax.h> has a function for each. */
static inline ax_result ax_kernel(uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2,
                                  uint64_t a3, uint64_t a4) {
    return ((ax_kernel_entry *)AX_KERNEL_CALL)(number, a0, a1, a2, a3, a4);
}

/* The machine's clock; no kernel call. */
static inline uint64_t ax_clock_ns(void) {
    return ((ax_clock_entry *)AX_KERNEL_CLOCK)();
}

/* Here another thread may well run in between; a seeded run sees to it now and then. */
static inline void ax_yield_point(void) {
    ((ax_yield_entry *)AX_KERNEL_YIELD)();
}

/* NOLINTEND(performance-no-int-to-ptr) */

/* The calling thread's page, by GS, which belongs to the machine. */
static inline struct ax_thread_page *ax_thread_page(void) {
    struct ax_thread_page *page;
    __asm__("movq %%gs:0, %0" : "=r"(page));
    return page;
}
