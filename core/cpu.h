/* SPDX-License-Identifier: MIT */
/*
 * The event loop of a CPU: prepare (queued work, changes of spaces brought into force, whom to run,
 * deadlines), enter user mode or wait, handle the event. Split so that a test can make the steps of
 * several CPUs in any order it likes.
 */
#pragma once

#include <hal/core.h>

#include "sched.h"

/* Boot (boot.c): builds the kernel from the boot data, with the root task ready; CPU 0. The lock is
 * not held. */
void core_init(void);

/* Chooses what the CPU does next: cpu->current, or idle if NULL. Releases the lock meanwhile where
 * it has to wait for other CPUs. */
void cpu_prepare(struct cpu *cpu);
/* Enters user mode, or waits; returns with the event. Without the lock. */
void cpu_run(struct cpu *cpu, struct hal_event *event);
/* Handles the event. */
void cpu_handle(struct cpu *cpu, const struct hal_event *event);
