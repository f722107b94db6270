/* SPDX-License-Identifier: MIT */
/* Stands in for lib/sys/kernel.h in tests: the kernel and the thread page are the test's. */
#pragma once

#include <stdint.h>

#include <abi/error.h>
#include <abi/layout.h>
#include <abi/thread_page.h>

ax_result ax_kernel(uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
                    uint64_t a4);
uint64_t ax_clock_ns(void);
void ax_yield_point(void);
struct ax_thread_page *ax_thread_page(void);
