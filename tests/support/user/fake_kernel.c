/* SPDX-License-Identifier: MIT */
#include "fake_kernel.h"

#include <stdlib.h>
#include <string.h>

#include <sys/kernel.h>

static fake_kernel_call *fake_call;
static _Alignas(AX_PAGE_SIZE) struct ax_thread_page fake_page;
static uint64_t fake_clock_ns;

void fake_kernel_start(fake_kernel_call *call) {
    fake_call = call;
    memset(&fake_page, 0, sizeof(fake_page));
    fake_page.self = (uintptr_t)&fake_page;
    fake_clock_ns = 0;
}

void fake_kernel_set_clock(uint64_t time_ns) {
    fake_clock_ns = time_ns;
}

ax_result ax_kernel(uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
                    uint64_t a4) {
    if (fake_call == NULL)
        abort(); /* the test has not called fake_kernel_start */
    return fake_call(&fake_page, number, (const uint64_t[5]){a0, a1, a2, a3, a4});
}

uint64_t ax_clock_ns(void) {
    return fake_clock_ns;
}

void ax_yield_point(void) {
}

struct ax_thread_page *ax_thread_page(void) {
    return &fake_page;
}
