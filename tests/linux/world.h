/* SPDX-License-Identifier: MIT */
/*
 * A task with two threads on a kernel that the test scripts: what the personality's calls do is
 * seen in the kernel calls they make. The program's memory is the test's; addresses below a page
 * are bad.
 */
#pragma once

#include <check.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/linux/deliver.h"
#include "lib/linux/task.h"
#include "lib/linux/threads.h"

extern struct task world_task;
extern struct thread world_thread, world_other; /* the caller, and another one */

/* The kernel calls that were made, but for the taking of interrupts. */
struct world_call {
    uint64_t number;
    uint64_t a[5];
    uint8_t buffer[64];
};
extern struct world_call world_calls[64];
extern unsigned world_call_count;

/* What the kernel answers from now on: to each call of that number, until it is set anew. */
void world_answer(uint64_t number, int64_t result);
/* Called at each kernel call after it was noted, if it is set. */
extern void (*world_hook)(uint64_t number);

/* What handler_enter was last told, and how often. */
extern struct linux_sigaction world_action;
extern struct linux_siginfo world_info;
extern unsigned world_handler_count;

/* The signal that the process was ended by; 0: it was not. Calls that end it come back here. */
extern int world_end_signal;
#define WORLD_ENDS(statement)                 \
    do {                                      \
        world_end_signal = 0;                 \
        if (__builtin_setjmp(world_end) == 0) \
            statement;                        \
    } while (0)
extern void *world_end[5];

void world_start(void);

/* A Linux call by the first thread. */
#define CALL(name, ...) linux_##name(&world_thread, (const uint64_t[6]){__VA_ARGS__})
#define AT(pointer)     ((uint64_t)(uintptr_t)(pointer))

TCase *linux_cipher_tests(void);
TCase *linux_clocks_tests(void);
TCase *linux_descriptors_tests(void);
TCase *linux_futex_tests(void);
TCase *linux_memory_tests(void);
TCase *linux_patch_tests(void);
TCase *linux_robust_tests(void);
TCase *linux_signals_tests(void);
TCase *linux_site_tests(void);
TCase *linux_delivery_tests(void);
TCase *linux_streams_tests(void);
TCase *linux_timers_tests(void);
