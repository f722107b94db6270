/* SPDX-License-Identifier: MIT */
/* A kernel made of one function of the test's. */
#pragma once

#include <stdint.h>

#include <abi/abi.h>

/* Answers every kernel call; `page` is the calling thread's page. */
typedef ax_result fake_kernel_call(struct ax_thread_page *page, uint64_t number,
                                   const uint64_t arguments[5]);

/* Sets the function and clears the thread page and the clock. */
void fake_kernel_start(fake_kernel_call *call);

void fake_kernel_set_clock(uint64_t time_ns);
